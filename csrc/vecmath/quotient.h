/* quotient.h - quotients rounded down, their remainders, and the hypotenuse.
 *
 * Remainder.  With q = trunc(a / b), a - q b is what fmod gives, or, where rounding raised the
 * quotient to the next integer, that less b.  Both are exact: they are multiples of the last
 * places of a and b and no larger than b; so the product q b needs its rounding error
 * (two_product), and q must be exact.  Beyond, C's fmod.
 *
 * floor_divide and remainder are NumPy's, sign and all: the remainder has the sign of b, and the
 * quotient is the integer nearest to (a - remainder) / b, which is one.  So 1 // 0.1 is 9, for 0.1
 * is a little more than a tenth, although 1 / 0.1 is 10 when rounded.
 */
#ifndef TW_VECMATH_QUOTIENT_H
#define TW_VECMATH_QUOTIENT_H

#include "vecmath/core.h"

/* Between these limits the products of halves in two_product (without fused multiply-add), and the squares in
 * v_hypot, stay in the range. */
#ifdef TW_F32
#define QUOTIENT_LARGE 0x1p100f
#define QUOTIENT_SMALL 0x1p-60f
#define HYPOT_LARGE 0x1p60f
#define HYPOT_SMALL 0x1p-40f
#else
#define QUOTIENT_LARGE 0x1p900
#define QUOTIENT_SMALL 0x1p-800
#define HYPOT_LARGE 0x1p500
#define HYPOT_SMALL 0x1p-450
#endif

TW_SLOW vec fmod_slow(vec a, vec b, vec fast, ivec bad) {
    for (int l = 0; l < VL; l++)
        if (bad[l])
            fast[l] = LIBM(__builtin_fmod)(a[l], b[l]);
    return fast;
}

/* What is left of |a| after subtracting |b| as often as it fits, with the sign of a */
TW_INLINE vec v_fmod(vec a, vec b) {
    const vec size = v_abs(a), unit = v_abs(b), ratio = size / unit;
    const vec near = (ratio + ROUNDER) - ROUNDER, whole = near - v_bool(near > ratio);
    vec error;
    const vec product = two_product(whole, unit, &error);
    vec rest = (size - product) - error;
    rest += v_and(rest < 0, unit);
    const ivec bad =
        ~((size <= QUOTIENT_LARGE) & (unit >= QUOTIENT_SMALL) & v_finite(unit) & (ratio < ROUNDER / 4));
    rest = v_copysign(rest, a);
    if (TW_UNLIKELY(v_any(bad)))
        rest = fmod_slow(a, b, rest, bad);
    return rest;
}

/* NumPy's remainder of a / b, whose sign is that of b; NaN for b = 0 */
TW_INLINE vec v_remainder(vec a, vec b) {
    const vec rest = v_fmod(a, b);
    const vec moved = rest + v_and((rest != 0) & ((b < 0) != (rest < 0)), b);
    return v_sel((rest == 0) & (b != 0), v_copysign(v_set(0), b), moved);
}

/* NumPy's floor_divide: the quotient rounded down; a / b for b = 0 */
TW_INLINE vec v_floor_divide(vec a, vec b) {
    const vec rest = v_fmod(a, b), ratio = a / b;
    vec quotient = (a - rest) / b;
    quotient -= v_bool((rest != 0) & ((b < 0) != (rest < 0)));
    const vec down = v_floor(quotient);
    const vec nearest = down + v_bool(quotient - down > 0.5f);
    const vec signed_zero = v_copysign(v_set(0), ratio);
    return v_sel(b == 0, ratio, v_sel(quotient == 0, signed_zero, nearest));
}

TW_SLOW vec hypot_slow(vec a, vec b, vec fast, ivec bad) {
    for (int l = 0; l < VL; l++)
        if (bad[l])
            fast[l] = LIBM(__builtin_hypot)(a[l], b[l]);
    return fast;
}

/* sqrt(a^2 + b^2) without overflow on the way; infinite if a or b is */
TW_INLINE vec v_hypot(vec a, vec b) {
    const vec larger = v_max(v_abs(a), v_abs(b));
    const ivec bad = ~((larger >= HYPOT_SMALL) & (larger <= HYPOT_LARGE) & (a == a) & (b == b));
    vec y = v_sqrt(a * a + b * b);
    if (TW_UNLIKELY(v_any(bad)))
        y = hypot_slow(a, b, y, bad);
    return y;
}

#endif
