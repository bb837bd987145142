/* incomplete.h - the contract of a function of doubles that tapes call by its address.  The rules of
 * thalweg.h hold. */
#ifndef TW_TAPE_INCOMPLETE_H
#define TW_TAPE_INCOMPLETE_H

/* The derivative of the regularised incomplete gamma function P(a, x) with respect to a, over its derivative
 * with respect to x, which is x^(a-1) exp(-x) / Gamma(a).  0 at x = 0; NaN unless a > 0 and x >= 0, both
 * finite. */
double tw_gammainc_slope(double a, double x);

#endif
