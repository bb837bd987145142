/* vecmath.h - elementary functions of native vectors (base/simd.h).
 *
 * Every function v_name(a) acts on each lane alone and is right for every argument: NaN, infinite,
 * zero with its sign, denormal, overflow and underflow as in C99 and NumPy.  The bits of a lane are
 * the same wherever it stands and whatever its neighbours hold; they may differ by a rounding
 * between machines with and without fused multiply-add.  Never compile with -ffast-math: sums and
 * differences are written in the order that makes them exact.
 *
 * Largest errors measured, in units in the last place of the exact value, over SSE2, AVX2 and
 * AVX-512 (a bound a little above each is asserted by tests/test_vecmath.py):
 *
 *             f64   f32               f64   f32               f64   f32
 *     exp     1.0   1.0       sin     1.7   1.9       sinh    1.6   1.4
 *     expm1   1.6   1.3       cos     1.8   1.9       cosh    1.5   1.8
 *     log     0.8   0.8       tan     2.5   3.2       tanh    2.2   2.3
 *     log1p   0.8   0.9       asin    1.9   2.0       asinh   1.5   1.6
 *     cbrt    1.0   1.0       acos    1.1   1.1       acosh   2.4   2.1
 *     pow     1.2   1.2       atan    1.7   1.8       atanh   1.5   1.6
 *     erf     2.0   2.2       atan2   1.5   1.6
 *     erfc    4.3   4.5       erfcx   3.8   4.1     hypot   1.0   1.0
 *     exp1    3.5   3.0
 *
 * floor_divide and remainder are NumPy's to the last bit.  Denormal results are within 2 of their own
 * units.  The Faddeeva function is within 8e-15 |w| in float64 and 9e-7 |w| in float32, for y = 0 too;
 * it is NaN for y < 0.  So is the Voigt profile beside |W_0|, and it is NaN for negative widths.
 */
#ifndef TW_VECMATH_H
#define TW_VECMATH_H

#include "vecmath/exp.h"
#include "vecmath/power.h"
#include "vecmath/quotient.h"
#include "vecmath/special.h"
#include "vecmath/trig.h"
#include "vecmath/voigt.h"

#endif
