/* saddle.h - whether a fit whose parameter has not left its start is at a saddle.
 *
 * Where the model is even in a parameter, as a peak is in the width sigma at 0, or where model and data are
 * alike on both sides of a centre, the gradient along it is 0 and every step keeps it so.  The place may yet
 * be a saddle: the second derivative along this one parameter tells,
 *
 *     H_jj = J_j'J_j - sum_i e_i d^2 f_i/dtheta_j^2 < 0.
 *
 * Such a place is no success, and the next attempt begins beside it.
 */
#ifndef TW_SADDLE_H
#define TW_SADDLE_H

#include "fit/one.h"

#define DOWNWARDS PICK(1e-8, 1e-3) /* a curvature below -DOWNWARDS |e| |w| is negative beyond rounding */

/* Compute |w|^2 and e'w of w = d^2 f along parameter j, times step^2; returns 0 where they are not finite.
 * Plain sums suffice, for nothing is solved with them; and a success that began at its solution has them
 * computed for each parameter. */
static int bend_along(single_fit *one, int j, real step, real *w2, real *slope) {
    const int F = one->s.F;
    single_fit *c = one->curved;
    real *triangle = c->s.triangle;
    clear_direction(one);
    set_direction(one, j, step);
    c->s.triangle = NULL;
    evaluate_bend(one);
    c->s.triangle = triangle;
    *w2 = c->s.trial_sum[tri(F, F) * LANES], *slope = c->s.trial_sum[tri(F + 1, F) * LANES];
    return *w2 <= REAL_MAX && fabs(*slope) <= REAL_MAX && !stopped(one);
}

/* Does chi2 curve downwards along parameter j? */
static int curves_down(single_fit *one, int j) {
    const fits *s = &one->s;
    const real unit = unit_of_curvature(s, j), chi2 = s->sum[tri(s->F, s->F) * LANES];
    real w2, slope;
    if (!bend_along(one, j, unit, &w2, &slope))
        return 0;
    return unit * unit * s->sum[tri(j, j) * LANES] - slope < -DOWNWARDS * (real)sqrt(w2 * chi2);
}

/* How far parameter j must move to change the model by as much as |e|: by its slope, or if that is 0 by its
 * second derivative; 0 where both are 0. */
static real size_of_effect(single_fit *one, int j) {
    const fits *s = &one->s;
    const real chi2 = s->sum[tri(s->F, s->F) * LANES], now = s->sum[tri(j, j) * LANES];
    real w2, slope;
    if (now > 0)
        return (real)sqrt(chi2 / now);
    if (!one->curved || !bend_along(one, j, 1, &w2, &slope) || !(w2 > 0))
        return 0;
    return (real)sqrt(2 * sqrt(chi2 / w2));
}

/* Is lane 0 at a saddle along a parameter that has not left `start` [P]? */
static int is_at_saddle(single_fit *one, const real *start) {
    for (int j = 0; one->curved && j < one->s.F; j++)
        if (has_stayed(&one->s, 0, j, start) && curves_down(one, j))
            return 1;
    return 0;
}

#endif
