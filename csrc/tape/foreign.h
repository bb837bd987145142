/* foreign.h - values and derivatives of functions that are not of this library.
 *
 * A derivative is a difference of fourth order (Abramowitz and Stegun, 25.3.6)
 *
 *     f'(a) = (8 (f(a + h) - f(a - h)) - (f(a + 2h) - f(a - 2h))) / 12 h,
 *
 * whose truncation error, h^4 f^(5) / 30, and rounding error, eps f / h, are both of about 1e-12 for a
 * function that changes over a length L and h = L / 1024.  The length is not known: it is first taken as
 * max(|a|, 1).  Where the function changes faster, the two differences of second order, with h and 2h, differ
 * by more than they should, or one of the values is not finite.  Then |a| is taken where it is less than 1,
 * as for a function that has a singularity or its end at 0, and then shorter and shorter lengths.  A
 * derivative of second order is a difference of such differences.  All is done in double, for tapes of float
 * too.
 */
#ifndef TW_FOREIGN_H
#define TW_FOREIGN_H

#include <math.h>
#include <string.h>

#include "base/simd.h"
#include "tape/contract.h"

#define STEP_SHARE 0x1p-10 /* h / L, a power of two, so that a + h is rounded little */

/* By which share of f' the two differences of second order may differ.  For exp(a / L) it is 2^-21; where it
 * is more than 2^-14 the function changes over less than L / 11, and the error may exceed 1e-9. */
#define SMOOTH 0x1p-14

enum { TRIES = 6 };  /* lengths that are tried: the last is less than a ten-thousandth of the first */
#define SHORTER 16.0 /* by this factor, which lowers the error of second order by 256, of fourth by 65536 */

static double call_function(const tw_function *f, const double *a) {
    if (f->arity == 1)
        return f->flag ? ((double (*)(double, int))f->address)(a[0], 0)
                       : ((double (*)(double))f->address)(a[0]);
    if (f->arity == 2)
        return f->flag ? ((double (*)(double, double, int))f->address)(a[0], a[1], 0)
                       : ((double (*)(double, double))f->address)(a[0], a[1]);
    return f->flag ? ((double (*)(double, double, double, int))f->address)(a[0], a[1], a[2], 0)
                   : ((double (*)(double, double, double))f->address)(a[0], a[1], a[2]);
}

static double foreign_value(const tw_function *f, int order, const double *a);

/* The difference of fourth order with h = length / 1024; *rough: whether it does not resolve the function. */
static double difference(const tw_function *f, int order, const double *a, double length, int *rough) {
    const int32_t wrt = f->wrt[order - 1];
    const double h = length * STEP_SHARE, move[4] = {h, -h, 2 * h, -2 * h};
    double moved[3] = {a[0], a[1], a[2]}, value[4], most = 0;
    for (int k = 0; k < 4; k++) {
        moved[wrt] = a[wrt] + move[k];
        value[k] = foreign_value(f, order - 1, moved);
        most = fmax(most, fabs(value[k]));
    }
    const double near = (value[0] - value[1]) / (2 * h), far = (value[2] - value[3]) / (4 * h);
    const double slope = near + (near - far) / 3;
    *rough = !(fabs(near - far) <= SMOOTH * fmax(fabs(slope), most / length));
    return slope;
}

/* The function, or its derivative of this order, at a. */
static double foreign_value(const tw_function *f, int order, const double *a) {
    if (order == 0)
        return call_function(f, a);
    const double size = fabs(a[f->wrt[order - 1]]);
    double length = fmax(size, 1);
    int rough;
    double slope = difference(f, order, a, length, &rough);
    for (int k = 1; rough && k < TRIES; k++) {
        length = k == 1 && 0 < size && size < 1 ? size : length / SHORTER;
        slope = difference(f, order, a, length, &rough);
    }
    return slope;
}

/* Call a function for the first `width` lanes of n groups of points; operands as in run.h.  Lanes that hold
 * the same numbers, as all lanes do of one fit alone and of a parameter or constant, are one call. */
static void run_foreign(const tw_function *f, const real *const *operand, const ptrdiff_t *step, real *out,
                        ptrdiff_t n, int width) {
    double a[3], before[3];
    real value = 0;
    for (ptrdiff_t p = 0; p < n; p++)
        for (int l = 0; l < width; l++) {
            for (int k = 0; k < 3; k++)
                a[k] = (double)operand[k][p * step[k] + l];
            if ((p == 0 && l == 0) || memcmp(a, before, sizeof a) != 0)
                value = (real)foreign_value(f, f->order, a);
            memcpy(before, a, sizeof before);
            out[p * LANES + l] = value;
        }
}

#endif
