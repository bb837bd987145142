/* trig.h - circular functions and their inverses.
 *
 * sin and cos.  r = x - k pi with an integral (sin) or half-integral (cos) k and |r| <= pi / 2:
 * sin x = (-1)^k sin r, cos x = -(-1)^(k - 1/2) sin r, one polynomial for both.  pi is cut into
 * parts short enough that k PI_PART is exact (Cody & Waite), up to |x| = TRIG_FAST; beyond, libm.
 *
 * tan.  r = x - k pi / 2, |r| <= pi / 4: sin r / cos r for even k, -cos r / sin r for odd k.
 *
 * atan of a ratio u / v, u >= 0: with t = u/v, -v/u or (u - v) / (u + v), whichever is within
 * tan(pi / 8), it is atan t plus 0, pi / 2 or pi / 4; one division.
 *
 * asin and acos.  Above 1/2 by asin a = pi / 2 - 2 asin(sqrt((1 - a) / 2)).
 */
#ifndef TW_VECMATH_TRIG_H
#define TW_VECMATH_TRIG_H

#include "vecmath/core.h"

#define SCALAR_TRIG(name)                                                                                    \
    TW_SLOW vec name##_slow(vec x, vec fast, ivec bad) {                                                     \
        for (int l = 0; l < VL; l++)                                                                         \
            if (bad[l])                                                                                      \
                fast[l] = LIBM(__builtin_##name)(x[l]);                                                      \
        return fast;                                                                                         \
    }
SCALAR_TRIG(sin)
SCALAR_TRIG(cos)
SCALAR_TRIG(tan)

/* x - k pi as a number and a tail: the last two subtractions are inexact */
TW_INLINE vec reduce_pi(vec x, vec k, vec *tail) {
    const int n = (int)(sizeof(PI_PART) / sizeof(real));
    *tail = v_set(0);
    for (int i = 0; i < n - 2; i++)
        x -= k * PI_PART[i];
    for (int i = n - 2; i < n; i++) {
        const vec next = x - k * PI_PART[i];
        *tail += (x - next) - k * PI_PART[i];
        x = next;
    }
    return x;
}

TW_INLINE vec sin_reduced(vec x, vec k) /* sin(x - k pi) */
{
    vec tail;
    const vec r = reduce_pi(x, k, &tail) + tail, z = r * r;
    return r + r * z * POLY(z, SIN_C);
}

/* a with its sign flipped where the lowest bit of `odd` is set */
TW_INLINE vec v_flip(vec a, ivec odd) { return (vec)((uvec)a ^ ((uvec)odd << SIGN_SHIFT)); }

TW_INLINE vec v_sin(vec x) {
    const vec t = x * INV_PI + ROUNDER, k = t - ROUNDER;
    vec y = v_sel(x == 0, x, v_flip(sin_reduced(x, k), (ivec)t));
    const ivec bad = ~(v_abs(x) <= TRIG_FAST);
    if (TW_UNLIKELY(v_any(bad)))
        y = sin_slow(x, y, bad);
    return y;
}

TW_INLINE vec v_cos(vec x) {
    const vec t = (x * INV_PI - 0.5f) + ROUNDER, k = (t - ROUNDER) + 0.5f;
    vec y = v_flip(-sin_reduced(x, k), (ivec)t);
    const ivec bad = ~(v_abs(x) <= TRIG_FAST);
    if (TW_UNLIKELY(v_any(bad)))
        y = cos_slow(x, y, bad);
    return y;
}

TW_INLINE vec v_tan(vec x) {
    const vec t = x * (2 * INV_PI) + ROUNDER, k = (t - ROUNDER) * 0.5f;
    vec tail;
    const vec r = reduce_pi(x, k, &tail), z = r * r;
    const vec s = r + (tail + r * z * POLY(z, SINQ_C)), c = 1 + (z * POLY(z, COSQ_C) - r * tail);
    const ivec odd = -((ivec)t & 1);
    vec y = v_sel(x == 0, x, v_sel(odd, -c, s) / v_sel(odd, s, c));
    const ivec bad = ~(v_abs(x) <= TRIG_FAST);
    if (TW_UNLIKELY(v_any(bad)))
        y = tan_slow(x, y, bad);
    return y;
}

/* atan(u / v) + quarters pi / 4 for u >= 0, v >= 0, not both 0, u + v finite */
TW_INLINE vec atan_ratio(vec u, vec v) {
    const ivec high = v < u * TAN_PI_8, low = u < v * TAN_PI_8, middle = ~(high | low);
    const vec above = v_sel(high, -v, v_sel(middle, u - v, u));
    const vec below = v_sel(high, u, v_sel(middle, u + v, v));
    const vec quarters = v_sel(high, v_set(0.5f), v_and(middle, v_set(0.25f)));
    const vec t = above / below, z = t * t;
    return quarters * PI_HI + (t + (t * z * POLY(z, ATAN_C) + quarters * PI_LO));
}

TW_INLINE vec v_atan(vec x) {
    const vec a = v_min(v_set(REAL_MAX / 4), v_abs(x));
    return v_copysign(atan_ratio(a, v_set(1)), x);
}

/* Make both operands fit for atan_ratio without changing their angle; leave those alone that are.  If both
 * are denormal they are scaled, for the comparisons in atan_ratio would lose their digits. */
TW_SLOW void atan2_prepare(vec *u, vec *v) {
    const ivec u_infinite = *u > REAL_MAX, v_infinite = *v > REAL_MAX;
    const vec larger = v_max(*u, *v), up = v_set((real)((mask_int)1 << MANTISSA));
    const vec scale = v_sel(larger < REAL_MIN, up, v_sel(larger > REAL_MAX / 4, v_set(0.25f), v_set(1)));
    const ivec zero = (*u == 0) & (*v == 0), number = (*u == *u) & (*v == *v);
    *u *= scale;
    *v *= scale;
    *u = v_sel(number & (u_infinite | v_infinite), v_bool(u_infinite), *u);
    *v = v_sel(number & (u_infinite | v_infinite | zero), v_bool(v_infinite | zero), *v);
}

TW_INLINE vec v_atan2(vec y, vec x) {
    vec u = v_abs(y), v = v_abs(x);
    const ivec bad = ~((v_max(u, v) >= REAL_MIN) & (v_max(u, v) <= REAL_MAX / 4));
    if (TW_UNLIKELY(v_any(bad)))
        atan2_prepare(&u, &v);
    const vec angle = atan_ratio(u, v);
    const ivec left = (ivec)x < 0; /* -0 too */
    return v_copysign(v_sel(left, PI_HI - (angle - PI_LO), angle), y);
}

typedef struct {
    ivec big;     /* |x| > 1/2 */
    vec s, cubic; /* asin s = s + cubic for s = |x|, else sqrt((1 - |x|) / 2) */
} arcsine;

TW_INLINE arcsine reduce_asin(vec a) {
    arcsine r = {.big = a > 0.5f};
    const vec z = v_sel(r.big, 0.5f - 0.5f * a, a * a);
    r.s = v_sel(r.big, v_sqrt(z), a);
    r.cubic = r.s * z * POLY(z, ASIN_C);
    return r;
}

TW_INLINE vec v_asin(vec x) {
    const arcsine r = reduce_asin(v_abs(x));
    const vec high = (PI_HI * 0.5f - 2 * r.s) - (2 * r.cubic - PI_LO * 0.5f);
    return v_copysign(v_sel(r.big, high, r.s + r.cubic), x);
}

TW_INLINE vec v_acos(vec x) {
    const arcsine r = reduce_asin(v_abs(x));
    const vec y = v_copysign(r.s + r.cubic, x);
    const vec half = v_sel(r.big, v_bool(x < 0), v_set(0.5f)); /* pi, 0 or pi / 2 */
    return half * PI_HI - (v_sel(r.big, -2 * y, y) - half * PI_LO);
}

#endif
