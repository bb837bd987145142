/* power.h - cube root and power. */
#ifndef TW_VECMATH_POWER_H
#define TW_VECMATH_POWER_H

#include "vecmath/exp.h"

/* Cube root of a positive normal number: x = z 2^(3 q); a polynomial for z^(-1/3), one step of
 * fourth order (the series of (1 - e)^(-1/3), e = 1 - z y^3), then z y^2 and one Newton step. */
TW_INLINE vec cbrt_normal(vec x) {
    vec k;
    const vec m = split_exponent(x, &k);
    const vec q = (k * THIRD + ROUNDER) - ROUNDER, rest = k - 3 * q; /* rest is -1, 0 or 1 */
    const ivec up = rest > 0, down = rest < 0;
    const vec z = m * v_sel(up, v_set(2), v_sel(down, v_set(0.5f), v_set(1)));
    vec y = POLY(m - 1, CBRT_C);
    y *= v_sel(up, v_set(CBRT_HALF), v_sel(down, v_set(CBRT_2), v_set(1)));
    const vec e = 1 - z * y * y * y;
    y += y * e * (THIRD + e * ((real)2 / 9 + e * ((real)14 / 81)));
    const vec root = z * y * y;
    return (root + (z - root * root * root) * (y * y * THIRD)) * v_pow2(q);
}

TW_SLOW vec cbrt_slow(vec a) /* a >= 0: denormal, 0, infinite, NaN */
{
    const vec scaled = a * ((mask_int)1 << (MANTISSA / 3 * 3 + 3));
    const vec y = cbrt_normal(scaled) * ((real)1 / ((mask_int)1 << (MANTISSA / 3 + 1)));
    return v_sel((a > 0) & (a < REAL_MIN), y, a);
}

TW_INLINE vec v_cbrt(vec x) {
    const vec a = v_abs(x);
    vec y = cbrt_normal(a);
    const ivec bad = ~((a >= REAL_MIN) & (a <= REAL_MAX));
    if (TW_UNLIKELY(v_any(bad)))
        y = v_sel(bad, cbrt_slow(a), y);
    return v_copysign(y, x);
}

/* s = f / (2 + f) to twice the precision; f is exact, 2 + f is not */
TW_INLINE vec quotient_pair(vec f, vec *low) {
    const vec d = 2 + f, d_low = f - (d - 2), inverse = 1 / d, s = f * inverse;
    vec error;
    const vec product = two_product(s, d, &error);
    *low = (((f - product) - error) - s * d_low) * inverse;
    return s;
}

/* 2 s^3 / 3 to twice the precision */
TW_INLINE vec cubic_pair(vec s, vec s_low, vec *low) {
    vec z_low, w_low, error;
    const vec z = two_product(s, s, &z_low);
    const vec w = two_product(s, z, &w_low);
    w_low += s * z_low + 3 * (z * s_low);
    const vec term = two_product(w, v_set(TWO_THIRDS_HI), &error);
    *low = error + (w * TWO_THIRDS_LO + w_low * TWO_THIRDS_HI);
    return term;
}

/* log x of a positive normal x, to about twice the precision */
TW_INLINE vec log_pair(vec x, vec *low) {
    vec k, s_low, term_low, sum_low, all_low;
    const vec f = split_exponent(x, &k) - 1, s = quotient_pair(f, &s_low);
    const vec term = cubic_pair(s, s_low, &term_low), z = s * s;
    const vec sum = two_sum(2 * s, term, &sum_low);
    const vec all = two_sum(k * LN2_HI, sum, &all_low);
    const vec tail =
        all_low + (sum_low + ((2 * s_low + term_low) + s * z * z * POLY(z, POWLOG_C) + k * LN2_LO));
    const vec log_x = all + tail;
    *low = tail - (log_x - all);
    return log_x;
}

/* C's pow lane by lane: negative and special bases, results near and past the ends of the range */
TW_SLOW vec pow_slow(vec x, vec y, vec fast, ivec bad) {
    for (int l = 0; l < VL; l++)
        if (bad[l])
            fast[l] = LIBM(__builtin_pow)(x[l], y[l]);
    return fast;
}

TW_INLINE vec v_pow(vec x, vec y) {
    vec log_low, error;
    const vec log_x = log_pair(x, &log_low);
    const vec t = two_product(y, log_x, &error);
    vec k;
    const vec r = reduce_ln2(t, &k) + (error + y * log_low), scale = v_pow2(k);
    vec power = scale + scale * expm1_reduced(r);
    const ivec bad = ~((x >= REAL_MIN) & (x <= REAL_MAX) & (v_abs(t) <= EXP_FAST));
    if (TW_UNLIKELY(v_any(bad)))
        power = pow_slow(x, y, power, bad);
    return power;
}

#endif
