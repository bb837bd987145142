/* lookup.h - functions of one number that a table of knots gives, as numpy.interp does.
 *
 * The knots are found by bisection, in double, number by number.
 */
#ifndef TW_LOOKUP_H
#define TW_LOOKUP_H

#include "base/simd.h"
#include "tape/contract.h"

/* The number k of the piece between two of n >= 2 places that holds a; the last one holds its end, too. */
static ptrdiff_t piece_of(const double *place, ptrdiff_t n, double a) {
    ptrdiff_t low = 0, high = n - 1;
    while (high - low > 1) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (place[middle] <= a)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double looked_up(const tw_table *t, double a) {
    const ptrdiff_t n = (ptrdiff_t)t->n_in;
    const double *x = t->values, *f = x + n, *beyond = t->values + t->n_values - 2;
    if (!(a >= x[0]))
        return a < x[0] ? beyond[0] : a; /* NaN stays NaN */
    if (a > x[n - 1])
        return beyond[1];
    if (a == x[n - 1] && t->kind == TW_TABLE_LINES)
        return f[n - 1];
    const ptrdiff_t k = piece_of(x, n, a);
    if (t->kind == TW_TABLE_STEPS)
        return f[k];
    return (f[k + 1] - f[k]) / (x[k + 1] - x[k]) * (a - x[k]) + f[k];
}

/* Look up the first `width` lanes of n groups of numbers, which lie `step` elements apart.  Lanes that hold
 * the same number as the one before are looked up once. */
static void run_lookup(const tw_table *t, const real *in, ptrdiff_t step, real *out, ptrdiff_t n, int width) {
    real before = 0, value = (real)looked_up(t, 0);
    for (ptrdiff_t p = 0; p < n; p++)
        for (int l = 0; l < width; l++) {
            const real a = in[p * step + l];
            if (a != before)
                value = (real)looked_up(t, (double)a);
            before = a;
            out[p * LANES + l] = value;
        }
}

#endif
