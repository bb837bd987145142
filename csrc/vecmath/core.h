/* core.h - what the elementary functions share: polynomials, exponents, exact sums and
 * products, and the way out of the common range.
 *
 * A function computes its common range without a branch.  Lanes outside it are `bad`; only if a
 * vector has one is the slow function called, and only bad lanes take its result, so a lane's bits
 * depend on nothing but its own argument.
 */
#ifndef TW_VECMATH_CORE_H
#define TW_VECMATH_CORE_H

#include "base/simd.h"
#include "vecmath/coefficients.h"
#include <math.h>

#ifdef TW_F32
#define MANTISSA 23
#define BIAS 127
#define ROUNDER 0x1.8p23f /* adding it rounds |a| < 2^22 to an integer, kept in the lowest bits */
#define LIBM(name) name##f
typedef uint32_t mask_uint;
#else
#define MANTISSA 52
#define BIAS 1023
#define ROUNDER 0x1.8p52 /* adding it rounds |a| < 2^51 to an integer, kept in the lowest bits */
#define LIBM(name) name
typedef uint64_t mask_uint;
#endif
#define SIGN_SHIFT ((int)sizeof(real) * 8 - 1)
typedef mask_uint uvec __attribute__((vector_size(TW_VECTOR_BYTES)));

/* For functions that are rarely needed: they are not inlined, so that they take no registers of the caller's
 * loop. */
#define TW_SLOW __attribute__((noinline, cold, unused)) static
#define TW_UNLIKELY(condition) __builtin_expect((condition), 0)

/* c_i + c_(i+1) x + ... in Estrin's order: the depth grows like the logarithm of the degree.
 * x2, x4 ... are powers of x; n is a constant, so what lies past the end is not compiled. */
TW_INLINE vec poly_pair(vec x, const real *c, int n) { return n > 1 ? c[0] + x * c[1] : v_set(c[0]); }
TW_INLINE vec poly_quad(vec x, vec x2, const real *c, int n) {
    const vec low = poly_pair(x, c, n);
    return n > 2 ? low + x2 * poly_pair(x, c + 2, n - 2) : low;
}
TW_INLINE vec poly_oct(vec x, vec x2, vec x4, const real *c, int n) {
    const vec low = poly_quad(x, x2, c, n);
    return n > 4 ? low + x4 * poly_quad(x, x2, c + 4, n - 4) : low;
}
TW_INLINE vec poly(vec x, const real *c, int n) /* n <= 32 */
{
    const vec x2 = x * x, x4 = x2 * x2, x8 = x4 * x4;
    vec sum = poly_oct(x, x2, x4, c, n);
    if (n > 8) {
        vec high = poly_oct(x, x2, x4, c + 8, n - 8);
        if (n > 16) {
            vec top = poly_oct(x, x2, x4, c + 16, n - 16);
            if (n > 24)
                top += x8 * poly_oct(x, x2, x4, c + 24, n - 24);
            high += x8 * top;
        }
        sum += x8 * high;
    }
    return sum;
}
/* The constant term is added last, so that there is one rounding of its size rather than several. */
#define POLY(x, table) ((table)[0] + (x) * poly(x, (table) + 1, (int)(sizeof(table) / sizeof(real)) - 1))

/* 2^k for an integer k, if that is a normal number */
TW_INLINE vec v_pow2(vec k) { return (vec)((uvec)(k + (ROUNDER + BIAS)) << MANTISSA); }

/* a 2^k in two steps, so that k may be twice as large, and the result infinite or denormal */
TW_INLINE vec v_scale(vec a, vec k) {
    const vec half = (k * 0.5f + ROUNDER) - ROUNDER;
    return a * v_pow2(half) * v_pow2(k - half);
}

/* a + b as the rounded sum and its exact error (Knuth) */
TW_INLINE vec two_sum(vec a, vec b, vec *error) {
    const vec sum = a + b, b_part = sum - a;
    *error = (a - (sum - b_part)) + (b - b_part);
    return sum;
}

/* a b as the rounded product and its error: by fused multiply-add, else by halves (Dekker) */
TW_INLINE vec two_product(vec a, vec b, vec *error) {
    const vec product = a * b;
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__aarch64__)
    for (int l = 0; l < VL; l++) /* becomes one instruction */
        (*error)[l] = LIBM(__builtin_fma)(a[l], b[l], -product[l]);
#else
    const mask_int keep = -((mask_int)1 << ((MANTISSA + 2) / 2));
    const vec a_high = (vec)((ivec)a & keep), a_low = a - a_high;
    const vec b_high = (vec)((ivec)b & keep), b_low = b - b_high;
    *error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
    return product;
}

/* positive normal x = m 2^k with sqrt(1/2) <= m < sqrt(2); returns m */
TW_INLINE vec split_exponent(vec x, vec *k) {
    const mask_int one = (mask_int)BIAS << MANTISSA, mantissa = ((mask_int)1 << MANTISSA) - 1;
    const uvec bits = (uvec)x + (mask_uint)(one - SQRT_HALF_BITS); /* the exponent field is now k + BIAS */
    const ivec field = (ivec)(bits >> MANTISSA);
    const real two_m = (real)((mask_int)1 << MANTISSA);
    *k = (vec)(field | (ivec)v_set(two_m)) - (two_m + BIAS);
    return (vec)(((ivec)bits & mantissa) + SQRT_HALF_BITS);
}

/* The power of two k with y / (x 2^k) between 2^-0.586 and 2^0.586, as *k and as 2^k, of positive normal
 * numbers whose quotient is normal: between two powers of two the bits of a number are linear in it, and so
 * within 0.086 of its logarithm. */
TW_INLINE vec quotient_exponent(vec y, vec x, vec *k) {
    const mask_uint one = (mask_uint)BIAS << MANTISSA, half = (mask_uint)1 << (MANTISSA - 1);
    const uvec field = ((uvec)y - (uvec)x + (one + half)) >> MANTISSA; /* k + BIAS */
    const real two_m = (real)((mask_int)1 << MANTISSA);
    *k = (vec)(field | (uvec)v_set(two_m)) - (two_m + BIAS);
    return (vec)(field << MANTISSA);
}

TW_INLINE vec v_bool(ivec m) { return v_and(m, v_set(1)); }

TW_INLINE vec v_floor(vec a) /* becomes one instruction */
{
    vec down;
    for (int l = 0; l < VL; l++)
        down[l] = LIBM(__builtin_floor)(a[l]);
    return down;
}

TW_INLINE vec v_sign(vec a) /* -1, 0, 1, NaN */
{
    return v_sel(a != a, a, v_bool(a > 0) - v_bool(a < 0));
}

/* NaN if a or b is, as in numpy.minimum and numpy.maximum */
TW_INLINE vec v_minimum(vec a, vec b) { return v_sel((a < b) | (a != a), a, b); }
TW_INLINE vec v_maximum(vec a, vec b) { return v_sel((a > b) | (a != a), a, b); }

#endif
