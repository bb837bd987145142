/* power.h - u^a in doubles; the functions of vecmath/ are in the type of A's elements, which may be float.
 *
 * With u = 2^k m, sqrt(1/2) <= m < sqrt(2), and s = (m - 1) / (m + 1),
 *
 *     log m = 2 s (1 + s^2 / 3 + s^4 / 5 + ...),    u^a = 2^(a (k + log2 m)),
 *
 * and 2^t is 2^n e^(r log 2), n the whole number next to t and r the rest.  Both series are cut off where the
 * next term is below 2^-53 of the sum.  There is no more precision in between, so that the error is some eps
 * times 1 + |log2 u^a|.
 */
#ifndef TW_LINEAR_POWER_H
#define TW_LINEAR_POWER_H

#include "base/doubles.h"

enum { LOG_TERMS = 11, EXP_TERMS = 14 }; /* terms of the two series */

typedef uint64_t duvec __attribute__((vector_size(TW_VECTOR_BYTES)));

/* Adding ROUNDER, 1.5 2^52, to a number below 2^51 rounds it to a whole one, which then stands in the lowest
 * bits of the sum. */
#define ROUNDER 0x1.8p52
#define ROOT_HALF_BITS 0x3fe6a09e667f3bcd
#define EXPONENT_BITS ((int64_t)0xfff0000000000000)

TW_INLINE dvec d_select(divec mask, dvec a, dvec b) { return (dvec)((mask & (divec)a) | (~mask & (divec)b)); }

/* log2 u of a normal u > 0 */
TW_INLINE dvec d_log2(dvec u) {
    const divec above = (divec)u - ROOT_HALF_BITS, whole = above & EXPONENT_BITS;
    const dvec k = (dvec)((above >> 52) + (divec)d_set(ROUNDER)) - ROUNDER;
    const dvec f = (dvec)((divec)u - whole) - 1, s = f / (2 + f), z = s * s;
    dvec sum = d_set(0);
    TW_UNROLL
    for (int n = LOG_TERMS; n-- > 0;)
        sum = sum * z + 2 * 0x1.71547652b82fep0 / (2 * n + 1); /* 2 log2(e) / (2 n + 1) */
    return k + s * sum;
}

/* 2^t, |t| <= 1024 */
TW_INLINE dvec d_exp2(dvec t) {
    const dvec n = (t + ROUNDER) - ROUNDER, r = (t - n) * 0x1.62e42fefa39efp-1; /* log 2 */
    dvec sum = d_set(1);
    TW_UNROLL
    for (int k = EXP_TERMS - 1; k > 0; k--)
        sum = 1 + sum * r * (1.0 / k);
    return sum * (dvec)((duvec)(n + (ROUNDER + 1023)) << 52);
}

/* u^a, u >= 0 and 0 < a <= 1.  What is below the normal numbers, also 0, counts as the least of them. */
TW_INLINE dvec d_power(dvec u, double a) {
    const dvec normal = d_select(u > DBL_MIN, u, d_set(DBL_MIN));
    return d_exp2(a * d_log2(d_select(normal < DBL_MAX, normal, d_set(DBL_MAX))));
}

#endif
