/* special.h - error functions, the exponential integral and the Faddeeva function.
 *
 * erf.  -log erfc(x) = x h(x) with a smooth h, so erf x = -expm1(-x h(x)) for x in [0, ERF_TOP],
 * from where on erf is 1 to the last bit.  The error of h counts by x erfc(x) / erf(x) only: a
 * polynomial fitted with that weight serves the whole range, near 0 with full relative accuracy.
 *
 * erfcx x = e^(x^2) erfc x.  (x + K) erfcx(x) is a polynomial in t = (x - K) / (x + K), which maps
 * [0, inf] to [-1, 1] (M. M. Shepherd & J. G. Laframboise, Math. Comp. 36, 249, 1981); for x < 0,
 * 2 e^(x^2) - erfcx(-x).  erfc is e^(-x^2) erfcx(x), and 2 - erfc(-x).  In e^(x^2) the square is
 * the sum of an exact one of x's leading half and the rest, else its rounding would be multiplied
 * by x^2.
 *
 * E1(x) is the integral of e^-t / t from x to infinity (DLMF 6.2.1).  Up to 1, E1(x) + ln x is a polynomial
 * in u = x - 1 (DLMF 6.6.2); from there on (u + L) e^x E1(x) is one in t = (u - L) / (u + L), as for erfcx.
 *
 * Faddeeva w(z) = e^(-z^2) erfc(-iz), Im z >= 0 (J. A. C. Weideman, SIAM J. Numer. Anal. 31, 1497,
 * 1994): with u = 1 / (L - iz) and Z = (L + iz) u,
 *     w(z) = u (2 u sum_(n=1..N) a_n Z^(n-1) + 1 / sqrt(pi)),    |Z| <= 1.
 * The a_n are real, hence the sum by Goertzel's recurrence, two multiply-adds a term:
 *     b_n = a_n + 2 Re Z b_(n+1) - |Z|^2 b_(n+2),    sum = a_1 + Z b_2 - |Z|^2 b_3.
 * The error is small against |w|, not against a real part that is itself far smaller than |w|
 * (y -> 0 and large x).
 */
#ifndef TW_VECMATH_SPECIAL_H
#define TW_VECMATH_SPECIAL_H

#include "vecmath/exp.h"

TW_INLINE vec v_erf(vec x) {
    const vec a = v_min(v_set(ERF_TOP), v_abs(x));
    const vec h = TWO_OVER_SQRT_PI_HI + (TWO_OVER_SQRT_PI_LO + a * POLY(a, ERF_C));
    return v_copysign(expm1_fast(-a * h), x);
}

/* t = (a - k) / (a + k), a >= 0, from inverse = 1 / (a + k): computed from the end of [-1, 1] that is nearer,
 * so that its error vanishes there */
TW_INLINE vec half_line(vec a, real k, vec inverse) {
    return v_sel(a < k, 2 * a * inverse - 1, 1 - 2 * k * inverse);
}

TW_INLINE vec erfcx_positive(vec a) /* a >= 0 */
{
    const vec inverse = 1 / (a + ERFCX_K);
    return inverse * POLY(half_line(a, ERFCX_K, inverse), ERFCX_C);
}

/* e^(sign a^2) for |a| <= ERFC_TOP */
TW_INLINE vec exp_square(vec a, real sign) {
    const mask_int keep = -((mask_int)1 << ((MANTISSA + 2) / 2));
    const vec high = (vec)((ivec)a & keep);
    return exp_sum(sign * high * high, sign * (a - high) * (a + high));
}

TW_INLINE vec v_erfcx(vec x) {
    const vec y = erfcx_positive(v_abs(x));
    const ivec negative = x < 0;
    if (!v_any(negative))
        return y;
    return v_sel(negative, 2 * exp_square(v_min(v_set(ERFC_TOP), v_abs(x)), 1) - y, y);
}

TW_INLINE vec v_erfc(vec x) {
    const vec a = v_min(v_set(ERFC_TOP), v_abs(x));
    const vec y = exp_square(a, -1) * erfcx_positive(a);
    return v_sel(x < 0, 2 - y, y);
}

TW_INLINE vec exp1_far(vec x, vec u) /* x >= 1 */
{
    const vec inverse = 1 / (u + EXP1_L);
    return v_exp(-x) * (inverse * POLY(half_line(u, EXP1_L, inverse), EXP1_FAR_C));
}

TW_INLINE vec v_exp1(vec x) /* NaN for x < 0 */
{
    const ivec near = x < 1;
    const vec u = x - 1;
    if (!v_any(near))
        return exp1_far(x, u);
    return v_sel(near, POLY(u, EXP1_NEAR_C) - v_log(x), exp1_far(x, u));
}

typedef struct {
    vec re, im;
} complex_vec;

TW_SLOW complex_vec wofz_far(vec x, vec y) /* i / (sqrt(pi) z); NaN for y < 0 */
{
    const ivec infinite = (v_abs(x) > REAL_MAX) | (y > REAL_MAX), bad = ~((x == x) & (y >= 0));
    const vec xs = x * (1 / WOFZ_FAR), ys = y * (1 / WOFZ_FAR), size = v_max(v_abs(xs), ys);
    const vec c = xs / size, s = ys / size, inverse = INV_SQRT_PI / WOFZ_FAR / (size * (c * c + s * s));
    const vec nan = v_set((real)NAN);
    complex_vec w = {v_sel(infinite, v_set(0), s * inverse), v_sel(infinite, v_set(0), c * inverse)};
    w.im = v_copysign(w.im, x);
    w.re = v_sel(bad, nan, w.re);
    w.im = v_sel(bad, nan, w.im);
    return w;
}

/* w(x + iy) for y >= 0; NaN for y < 0 */
TW_INLINE complex_vec wofz(vec x, vec y) {
    const vec a = WOFZ_L + y, inverse = 1 / (a * a + x * x);
    const vec ur = a * inverse, ui = x * inverse; /* u */
    const vec zr = 2 * WOFZ_L * ur - 1, zi = 2 * WOFZ_L * ui;
    const vec twice = 2 * zr, square = zr * zr + zi * zi;
    const int n = (int)(sizeof(WOFZ_C) / sizeof(real));
    vec b = v_set(WOFZ_C[n - 1]), b_next = v_set(0);
    for (int i = n - 2; i > 0; i--) {
        const vec b_new = (WOFZ_C[i] - square * b_next) + twice * b;
        b_next = b;
        b = b_new;
    }
    const vec pr = 2 * ((WOFZ_C[0] - square * b_next) + zr * b), pi = 2 * zi * b;
    const vec qr = (pr * ur - pi * ui) + INV_SQRT_PI, qi = pr * ui + pi * ur;
    complex_vec w = {qr * ur - qi * ui, qr * ui + qi * ur};
    const ivec bad = ~((v_abs(x) <= WOFZ_FAR) & (y >= 0) & (y <= WOFZ_FAR));
    if (TW_UNLIKELY(v_any(bad))) {
        const complex_vec far = wofz_far(x, y);
        w.re = v_sel(bad, far.re, w.re);
        w.im = v_sel(bad, far.im, w.im);
    }
    return w;
}

TW_INLINE vec v_wofz_re(vec x, vec y) { return wofz(x, y).re; }
TW_INLINE vec v_wofz_im(vec x, vec y) { return wofz(x, y).im; }

#endif
