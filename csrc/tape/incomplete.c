/* incomplete.c - the derivative of the incomplete gamma function P(a, x) with respect to a.
 *
 * It is R p, where p = x^(a-1) exp(-x) / Gamma(a) is the derivative with respect to x.  Up to x = a + 1 the
 * series of P is differentiated term by term (DLMF 8.7.1),
 *
 *     P = p (x/a) sum_n t_n,        t_n = x^n / ((a+1) ... (a+n)),      H_n = 1/(a+1) + ... + 1/(a+n),
 *     R = (x/a) ((ln x - psi(a+1)) sum_n t_n - sum_n t_n H_n),
 *
 * and beyond it the continued fraction C of Q = 1 - P = p x C (DLMF 8.9.2),
 *
 *     C = 1/(b_0 + c_1/(b_1 + c_2/(b_2 + ...))),     b_n = x + 2n + 1 - a,     c_n = n (a - n),
 *     R = -x ((ln x - psi(a)) C + dC/da).
 *
 * C is the sum of terms that follow one another (Steed's method), each of which is differentiated with the
 * one before it.  Both parts of R have the same sign, but for x between a + 1/2 and a + 1, so nothing
 * cancels. Either takes about sqrt(72 a) steps near x = a, which is why R is taken from the uniform expansion
 * of P (DLMF 8.12) where a is large:
 *
 *     R = -(1 + 1/(6a)) (x/a) ln(x/a) / (x/a - 1).
 *
 * Reference: Moore, Algorithm AS 187: Derivatives of the incomplete gamma integral, Applied Statistics 31
 * (1982) 330.
 */
#include <float.h>
#include <math.h>

#include "tape/incomplete.h"

#define LARGE 1e5          /* from this a on the expansion errs by less than 1e-11 of R */
#define ENOUGH DBL_EPSILON /* a sum ends at a term of this share of it */
#define ASYMPTOTIC 10.0    /* psi is raised to arguments from here on by psi(a) = psi(a + 1) - 1/a */

/* psi(a) = ln a - 1/(2a) - sum_k B_2k / (2k a^2k) (DLMF 5.11.2); the first term left out is below 1e-16. */
static double digamma(double a) {
    double before = 0;
    for (; a < ASYMPTOTIC; a++)
        before += 1 / a;
    const double z = 1 / (a * a);
    const double sum =
        z * (1. / 12 -
             z * (1. / 120 - z * (1. / 252 - z * (1. / 240 - z * (1. / 132 - z * (691. / 32760 - z / 12))))));
    return log(a) - 0.5 / a - sum - before;
}

static double by_series(double a, double x) {
    double k = a, term = 1, harmonic = 0, sum = 1, weighted = 0, share;
    do {
        k++;
        term *= x / k, harmonic += 1 / k, share = term * harmonic;
        sum += term, weighted += share;
    } while (x >= k || share > ENOUGH * weighted * (1 - x / k));
    return x / a * ((log(x) - digamma(a + 1)) * sum - weighted);
}

static double by_fraction(double a, double x) {
    double b = x + 1 - a, d = 1 / b, slope_of_d = d * d;
    double step = d, slope_of_step = slope_of_d, fraction = step, slope = slope_of_step;
    for (double n = 1; fabs(step) > ENOUGH * fraction || fabs(slope_of_step) > ENOUGH * fabs(slope); n++) {
        const double c = n * (a - n), next = 1 / ((b += 2) + c * d);
        slope_of_d = next * next * (1 - n * d - c * slope_of_d), d = next;
        slope_of_step = (b * slope_of_d - d) * step + (b * d - 1) * slope_of_step;
        step *= b * d - 1;
        fraction += step, slope += slope_of_step;
    }
    return -x * ((log(x) - digamma(a)) * fraction + slope);
}

static double by_expansion(double a, double x) {
    const double ratio = x / a, more = (x - a) / a, logarithm = more < -0.5 ? log(ratio) : log1p(more);
    return ratio == 0 ? 0 : -(1 + 1 / (6 * a)) * ratio * (more == 0 ? 1 : logarithm / more);
}

double tw_gammainc_slope(double a, double x) {
    if (!(a > 0 && x >= 0 && a <= DBL_MAX && x <= DBL_MAX))
        return NAN;
    if (x == 0)
        return 0;
    return a >= LARGE ? by_expansion(a, x) : x <= a + 1 ? by_series(a, x) : by_fraction(a, x);
}
