/* saddle.h - whether a fit whose parameter has not left its start is at a saddle.
 *
 * Where the model is even in a parameter, as a peak is in the width sigma at 0, or where model and data are
 * alike on both sides of a centre, the gradient along it is 0 and every step keeps it so.  The place may yet
 * be a saddle: the second derivative along this one parameter tells,
 *
 *     H_jj = J_j'J_j - sum_i e_i d^2 f_i/dtheta_j^2 < 0.
 *
 * Such a place is no success, and the next attempt begins beside it.  Where the caller evaluates the model,
 * d^2 f is a second difference of values.
 */
#ifndef TW_SADDLE_H
#define TW_SADDLE_H

#include "fit/one.h"

#define DOWNWARDS PICK(1e-8, 1e-3) /* a curvature below -DOWNWARDS |e| |w| is negative beyond rounding */
#define DOWNWARDS_BY_CALLS PICK(1e-3, 1e-2) /* the same where w is a second difference */
/* A second difference f(t + h) - 2 f(t) + f(t - h) has about the same error by rounding and by truncation if
 * it is BENT |f|, for |f| is then the same difference at a step of eps^(-1/4) h; MOST_TRIES steps h are tried
 * until it is so within a factor of ALIKE, and up to UNBENT |f| it is rounding. */
#define BENT ((real)sqrt(REAL_EPS))
#define UNBENT (64 * REAL_EPS)
#define ALIKE ((real)30)
enum { MOST_TRIES = 8 };

/* Compute the second difference w = f(t + h) - 2 f(t) + f(t - h) in parameter j by calls, and from it |w|^2
 * and e'w, e being that at theta.  t is theta_j, or beside it as far as bounds ask for. */
static void second_difference(single_fit *one, int j, real h, real *w2, real *slope) {
    fits *s = &one->s;
    const model_call *c = &one->call;
    const ptrdiff_t N = one->job->n_points, at = (ptrdiff_t)s->free_theta[j] * LANES;
    const real *y = c->data.y, *weight = c->data.weight;
    const real theta = s->theta[at], lower = s->lower[at], upper = s->upper[at];
    const real middle = theta < lower + h ? lower + h : theta > upper - h ? upper - h : theta;
    const real below = middle - h > lower ? middle - h : lower; /* the rounding of h may lead out */
    const real above = middle + h < upper ? middle + h : upper;
    const real places[] = {theta, middle, below, above}, times[] = {0, 2, -1, -1};
    memset(c->bend, 0, (size_t)(2 * N) * sizeof(real));
    *w2 = *slope = 0;
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < s->P; i++)
            s->trial[i * LANES] = s->theta[i * LANES];
        s->trial[at] = places[k];
        if ((k != 1 || middle != theta) && !ask_caller(one, NULL))
            return;
        for (ptrdiff_t i = 0; i < N; i++) {
            const real e = weight[i] > 0 ? (y[i] - c->f[i]) * weight[i] : 0;
            c->bend[i] += times[k] * e, c->bend[N + i] += k ? 0 : e;
        }
    }
    for (ptrdiff_t i = 0; i < N; i++)
        *w2 += c->bend[i] * c->bend[i], *slope += c->bend[i] * c->bend[N + i];
}

/* Do what bend_along does, by second differences.  The step h begins where the slope along parameter j
 * changes f by eps^(1/4) of its size.  It grows only if that slope is 0: else a second derivative that is not
 * seen is too small for chi2 to curve downwards. */
static int bend_by_calls(single_fit *one, int j, real step, real *w2, real *slope) {
    const fits *s = &one->s;
    const real size = (real)sqrt(size2_of_model(s, 0)[0]), wanted = BENT * size;
    const real length = (real)sqrt(s->sum[tri(j, j) * LANES]);
    const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
    const real theta = (real)fabs(s->theta[at]), room = (s->upper[at] - s->lower[at]) / 4;
    real h = (real)sqrt(BENT) * (length > 0 ? size / length : theta > 0 ? theta : 1);
    for (int k = 0; k < MOST_TRIES; k++) {
        h = h < room ? h : room;
        second_difference(one, j, h, w2, slope);
        if (stopped(one))
            return 0;
        const real bend = (real)sqrt(*w2), factor = (real)sqrt(wanted / bend);
        if (!(bend <= ALIKE * wanted))
            h *= factor > 0 ? factor : 1 / ALIKE;
        else if (bend * ALIKE < wanted && length * h <= wanted)
            h *= factor < 1 / BENT ? factor : 1 / BENT;
        else
            break;
    }
    const real unit2 = (step / h) * (step / h);
    const int seen = *w2 > UNBENT * size * UNBENT * size;
    *w2 *= unit2 * unit2, *slope *= unit2;
    return seen && *w2 <= REAL_MAX && fabs(*slope) <= REAL_MAX;
}

/* Compute |w|^2 and e'w of w = d^2 f along parameter j, times step^2; returns 0 where they are not finite.
 * Plain sums suffice, for nothing is solved with them; and a success that began at its solution has them
 * computed for each parameter. */
static int bend_along(single_fit *one, int j, real step, real *w2, real *slope) {
    if (one->job->call)
        return bend_by_calls(one, j, step, w2, slope);
    const int F = one->s.F;
    single_fit *c = one->curved;
    real *triangle = c->s.triangle;
    clear_direction(one);
    set_direction(one, j, step);
    c->s.triangle = NULL, c->bends = 1;
    evaluate_bend(one);
    c->s.triangle = triangle, c->bends = 0;
    *w2 = c->s.trial_sum[tri(F, F) * LANES], *slope = c->s.trial_sum[tri(F + 1, F) * LANES];
    return *w2 <= REAL_MAX && fabs(*slope) <= REAL_MAX && !stopped(one);
}

/* Can second derivatives be computed? */
static int knows_curvature(const single_fit *one) { return one->curved || one->job->call; }

/* Does chi2 curve downwards along parameter j? */
static int curves_down(single_fit *one, int j) {
    const fits *s = &one->s;
    const real unit = unit_of_curvature(s, j), chi2 = s->sum[tri(s->F, s->F) * LANES];
    const real downwards = one->job->call ? DOWNWARDS_BY_CALLS : DOWNWARDS;
    real w2, slope;
    if (!bend_along(one, j, unit, &w2, &slope))
        return 0;
    return unit * unit * s->sum[tri(j, j) * LANES] - slope < -downwards * (real)sqrt(w2 * chi2);
}

/* How far parameter j must move to change the model by as much as |e|: by its slope, or if that is 0 by its
 * second derivative; 0 where both are 0. */
static real size_of_effect(single_fit *one, int j) {
    const fits *s = &one->s;
    const real chi2 = s->sum[tri(s->F, s->F) * LANES], now = s->sum[tri(j, j) * LANES];
    real w2, slope;
    if (now > 0)
        return (real)sqrt(chi2 / now);
    if (!knows_curvature(one) || !bend_along(one, j, 1, &w2, &slope) || !(w2 > 0))
        return 0;
    return (real)sqrt(2 * sqrt(chi2 / w2));
}

/* Is lane 0 at a saddle along a parameter that has not left `start` [P]? */
static int is_at_saddle(single_fit *one, const real *start) {
    for (int j = 0; knows_curvature(one) && j < one->s.F; j++)
        if (has_stayed(one->job, &one->s, 0, j, start) && curves_down(one, j))
            return 1;
    return 0;
}

#endif
