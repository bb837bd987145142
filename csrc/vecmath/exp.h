/* exp.h - exponentials, logarithms, hyperbolic functions, powers.
 *
 * Exponential.  x = k ln 2 + r with |r| <= ln 2 / 2 (Cody & Waite: k LN2_HI is exact), then
 * e^x = 2^k + 2^k p, p = e^r - 1 a polynomial.  expm1 adds 2^k r to 2^k - 1 first: where that
 * cancels it is exact.
 *
 * Hyperbolic.  With c = cosh r - 1, s = sinh r and A, B = (2^k -+ 2^-k) / 2 at r's |x|:
 *     sinh |x| = A + (A c + B s),    cosh |x| = B + (B c + A s),
 * no cancellation near 0, where A = 0, and no division; r is taken from -0.15 to 0.55 so that
 * there is little in A + B s either; tanh is their quotient, or 1 minus that of
 * cosh - sinh = 2^-k (1 + c - s) and cosh.
 *
 * Logarithm.  x = 2^k (1 + f), s = f / (2 + f): log(1 + f) = 2 atanh s, arranged as
 * f - f^2/2 + s (f^2/2 + R(s^2)) so that the leading term f is exact (after W. J. Cody, "Software
 * Manual for the Elementary Functions", Prentice-Hall 1980, and the arrangement of K. C. Ng).
 * log1p gives it f with the error of 1 + x carried along.
 *
 * Power.  x^y = e^(y log x) with log x to twice the working precision: s and the terms 2 s and
 * 2 s^3 / 3 are kept as unevaluated sums of two numbers (T. J. Dekker, Numer. Math. 18, 224,
 * 1971), so the exponent has an error far below one unit although it may be as large as 700.
 */
#ifndef TW_VECMATH_EXP_H
#define TW_VECMATH_EXP_H

#include "vecmath/core.h"

/* r = x - k ln 2 */
TW_INLINE vec reduce_ln2(vec x, vec *k) {
    *k = (x * LOG2_E + ROUNDER) - ROUNDER;
    return (x - *k * LN2_HI) - *k * LN2_LO;
}

TW_INLINE vec expm1_reduced(vec r) { return r + r * r * POLY(r, EXP_C); }

/* (1 + p) 2^k for every k, infinite ones too: overflow, denormal results, NaN in p */
TW_SLOW vec exp_slow(vec p, vec k) {
    const vec y = v_sel(k < -EXP_K_MAX, v_set(0), v_scale(1 + p, k));
    return v_sel(k > EXP_K_MAX, v_set((real)INFINITY), y);
}

/* e^x from x = k ln 2 + r */
TW_INLINE vec exp_finish(vec x, vec r, vec k) {
    const vec p = expm1_reduced(r), scale = v_pow2(k);
    vec y = scale + scale * p;
    const ivec bad = ~(v_abs(x) <= EXP_FAST);
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, exp_slow(p, k), y);
    return y;
}

TW_INLINE vec v_exp(vec x) {
    vec k;
    const vec r = reduce_ln2(x, &k);
    return exp_finish(x, r, k);
}

/* e^(x + tail), |tail| far below |x| or 1 */
TW_INLINE vec exp_sum(vec x, vec tail) {
    vec k;
    const vec r = reduce_ln2(x, &k) + tail;
    return exp_finish(x, r, k);
}

TW_INLINE vec expm1_fast(vec x) /* |x| <= EXP_FAST; the sign of 0 is lost */
{
    vec k;
    const vec r = reduce_ln2(x, &k), scale = v_pow2(k);
    return ((scale - 1) + scale * r) + scale * (r * r * POLY(r, EXP_C));
}

TW_SLOW vec v_exp_slow(vec x) { return v_exp(x); }

TW_INLINE vec v_expm1(vec x) {
    vec y = v_copysign(expm1_fast(v_max(v_set(EXPM1_FLOOR), x)), x);
    const ivec bad = ~(x <= EXP_FAST);
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, v_exp_slow(x), y);
    return y;
}

typedef struct {
    vec s, c;    /* sinh r, cosh r - 1 */
    vec a, b;    /* (2^k - 2^-k) / 2, (2^k + 2^-k) / 2 */
    vec k, down; /* 2^-k / 2 */
} hyperbolic;

TW_INLINE hyperbolic reduce_hyperbolic(vec size) {
    hyperbolic h;
    h.k = ((size - (real)0.2) * LOG2_E + ROUNDER) - ROUNDER;
    const vec r = (size - h.k * LN2_HI) - h.k * LN2_LO, z = r * r;
    h.s = r + r * z * POLY(z, SINH_C);
    h.c = z * POLY(z, COSH_C);
    const vec up = v_pow2(h.k - 1);
    h.down = v_pow2(-1 - h.k);
    h.a = up - h.down;
    h.b = up + h.down;
    return h;
}

TW_INLINE vec sinh_fast(hyperbolic h) { return h.a + (h.a * h.c + h.b * h.s); }
TW_INLINE vec cosh_fast(hyperbolic h) { return h.b + (h.b * h.c + h.a * h.s); }

TW_INLINE vec hyperbolic_range(hyperbolic h, vec size, vec y) /* large arguments: e^|x| / 2 */
{
    const ivec bad = ~(size <= EXP_FAST);
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, exp_slow(h.c + h.s, h.k - 1), y);
    return y;
}

TW_INLINE vec v_sinh(vec x) {
    const hyperbolic h = reduce_hyperbolic(v_abs(x));
    return v_copysign(hyperbolic_range(h, v_abs(x), sinh_fast(h)), x);
}

TW_INLINE vec v_cosh(vec x) {
    const hyperbolic h = reduce_hyperbolic(v_abs(x));
    return hyperbolic_range(h, v_abs(x), cosh_fast(h));
}

/* 1 to the last bit from TANH_TOP on; from k = 2 on as 1 - (cosh - sinh) / cosh */
TW_INLINE vec v_tanh(vec x) {
    const hyperbolic h = reduce_hyperbolic(v_min(v_set(TANH_TOP), v_abs(x)));
    const ivec large = h.k > 1;
    const vec above = v_sel(large, 2 * h.down * (h.s - h.c - 1), sinh_fast(h));
    return v_copysign(v_and(large, v_set(1)) + above / cosh_fast(h), x);
}

/* log(1 + f) + k ln 2 + tail, where tail holds k LN2_LO */
TW_INLINE vec log_reduced(vec f, vec k, vec tail) {
    const vec s = f / (2 + f), z = s * s, half = f * 0.5f * f;
    return k * LN2_HI - ((half - (s * (half + z * POLY(z, LOG_C)) + tail)) - f);
}

TW_INLINE vec log_normal(vec x, vec exponent) /* log(x 2^exponent), x positive and normal */
{
    vec k;
    const vec m = split_exponent(x, &k);
    k += exponent;
    return log_reduced(m - 1, k, k * LN2_LO);
}

TW_SLOW vec log_slow(vec x) /* every x: denormal, 0, negative, infinite, NaN */
{
    const ivec tiny = x < REAL_MIN;
    const real shift = MANTISSA + 2;
    vec y = log_normal(v_sel(tiny, x * ((mask_int)1 << (MANTISSA + 2)), x), v_and(tiny, v_set(-shift)));
    y = v_sel(x <= REAL_MAX, y, x);
    y = v_sel(x == 0, v_set(-(real)INFINITY), y);
    return v_sel(x < 0, v_set((real)NAN), y);
}

TW_INLINE vec v_log(vec x) {
    vec k;
    const vec m = split_exponent(x, &k);
    vec y = log_reduced(m - 1, k, k * LN2_LO);
    const ivec bad = ~((x >= REAL_MIN) & (x <= REAL_MAX));
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, log_slow(x), y);
    return y;
}

TW_SLOW vec log1p_slow(vec x) { return log_slow(1 + x); } /* x <= -1, huge, NaN */

TW_INLINE vec v_log1p(vec x) {
    vec error, k;
    const vec u = two_sum(v_set(1), x, &error), m = split_exponent(u, &k);
    error *= v_pow2(-k);
    const vec f = (m - 1) + error;
    const vec rest = ((m - 1) - f) + error;
    vec y = v_copysign(log_reduced(f, k, k * LN2_LO + rest), x);
    const ivec bad = ~((x > -1) & (x <= REAL_MAX / 4));
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, log1p_slow(x), y);
    return y;
}

/* log(2 x), which is asinh and acosh of an x so large that x^2 + 1 is x^2 */
TW_SLOW vec log_twice(vec x) { return log_slow(x) + (real)0.693147180559945309417232121458176568; }

TW_INLINE vec v_asinh(vec x) {
    const vec a = v_abs(x), q = a * a;
    vec y = v_log1p(a + q / (1 + v_sqrt(1 + q)));
    const ivec bad = a > HYPER_FAR;
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, log_twice(a), y);
    return v_copysign(y, x);
}

TW_INLINE vec v_acosh(vec x) {
    const vec t = x - 1;
    vec y = v_log1p(t + v_sqrt(t * (t + 2)));
    const ivec bad = ~((x >= 1) & (x <= HYPER_FAR));
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, v_sel(x < 1, v_set((real)NAN), log_twice(x)), y);
    return y;
}

TW_INLINE vec v_atanh(vec x) /* log((1 + a) / (1 - a)) / 2 */
{
    const vec a = v_min(v_set(2), v_abs(x)), twice = a + a; /* above 2 the sum below would cancel */
    return v_copysign(v_log1p(twice + twice * a / (1 - a)) * 0.5f, x);
}

#endif
