/* curvature.h - what a fit in the orthogonal mode does with its linear parameters and with second
 * derivatives.
 *
 * Variable projection (Golub and Pereyra 1973): where f is linear in some parameters together, these are
 * put at their best for every trial of the others, by a small linear least-squares problem in their columns
 * of R.  So the search is in the others alone, and the linear parameters need no start.
 *
 * Geodesic acceleration (Transtrum and Sethna 2012): along a step d the model bends by half of
 * w = d^2 f(theta + t d)/dt^2, and the step is bent likewise, by a/2 with
 *
 *     a = -(J'J + lambda D^2)^-1 J'w.
 *
 * Where 2 |D a| exceeds MOST_BEND |D d| the linear model cannot be trusted as far as d, and the step is
 * shortened without a trial.
 *
 * A second tape computes w: its parameters are theta and then d, its derivatives are J and, as one more
 * column, w.
 */
#ifndef TW_CURVATURE_H
#define TW_CURVATURE_H

#include "fit/points.h"

enum { MOST_BENDS = 20 };      /* a step is shortened at most MOST_BENDS times for bending too much */
#define MOST_BEND ((real)0.75) /* a step that is tried has 2 |D a| <= MOST_BEND |D d| */
/* At a minimum Newton's step promises at most AT_MINIMUM chi2, and moves no parameter by more than
 * NEWTON_STEP (|theta_j| + |e|/D_j). */
#define AT_MINIMUM PICK(1e-10, 1e-5)
#define NEWTON_STEP PICK(1e-4, 1e-3)

/* ---- linear parameters ---------------------------------------------------------------------- */

/* Evaluate the trial as far as its linear parameters ask for: trial_triangle and trial_sum get the columns of
 * the projected parameters alone, and that of e. */
static void evaluate_projected(single_fit *one) {
    one->n_columns = 0;
    for (int j = 0; j < one->s.F; j++)
        if (one->s.projected[j])
            one->columns[one->n_columns++] = j;
    evaluate_trial(one);
}

/* Put the projected parameters of the trial at their best, for which the trial is evaluated; returns the chi2
 * that they reach.  A column is lost that is a combination of those before it, or whose square is 0. */
static real project(single_fit *one) {
    fits *s = &one->s;
    evaluate_projected(one);
    const int n = one->n_columns;
    const real *R = one->trial_triangle;
    real *x = one->trial_triangle + tri(n, 0), chi2 = one->job->noise ? s->trial_sum[0] : x[n] * x[n];
    for (int j = n - 1; j >= 0; j--) {
        const real length = (real)sqrt(s->trial_sum[tri(j, j) * LANES]), diagonal = R[tri(j, j)];
        const int lost = !(length > 0 && fabs(diagonal) > NO_PIVOT * length);
        if (lost)
            chi2 += x[j] * x[j];
        for (int k = j + 1; k < n; k++)
            x[j] -= R[tri(k, j)] * x[k];
        x[j] = lost ? 0 : x[j] / diagonal;
        s->trial[s->free_theta[one->columns[j]] * LANES] += x[j];
    }
    take_all_columns(one);
    return chi2;
}

/* The same for a trial of an attempt; 0 where the watch asked to stop. */
static int project_trial(single_fit *one) {
    int any = 0;
    for (int j = 0; j < one->s.F; j++)
        any |= one->s.projected[j];
    if (any)
        project(one);
    return !stopped(one);
}

/* ---- second derivatives --------------------------------------------------------------------- */

/* Evaluate the tape of second derivatives at theta, with the direction that lies in its parameters
 * P ... 2 P - 1. */
static void evaluate_bend(single_fit *one) {
    for (int j = 0; j < one->s.P; j++)
        one->curved->s.trial[j * LANES] = one->s.theta[j * LANES];
    evaluate_trial(one->curved);
}

/* R of [J | w | e] at theta, w being d^2 f along the direction that is set; NULL where it is not finite */
static const real *bent(single_fit *one) {
    const fits *s = &one->s;
    const single_fit *c = one->curved;
    evaluate_bend(one);
    real sum = 0;
    for (ptrdiff_t t = 0; t < tri(s->F + 2, 0); t++)
        sum += 0 * c->trial_triangle[t];
    return sum == 0 && !stopped(one) ? c->trial_triangle : NULL;
}

static void set_direction(single_fit *one, int j, real d) {
    one->curved->s.trial[(one->s.P + one->s.free_theta[j]) * LANES] = d;
}

static void clear_direction(single_fit *one) {
    for (int j = 0; j < one->s.P; j++)
        one->curved->s.trial[(one->s.P + j) * LANES] = 0;
}

/* Bend the trial by a/2, but not out of the box.  x is -a in units of D, from solve_triangle. */
static void bend_trial(fits *s, const real *x) {
    for (int j = 0, i = 0; j < s->F; j++) {
        if (s->held[j * LANES])
            continue;
        const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
        const real bend = -x[i++] * inverse_scale(s, j) / 2, trial = s->trial[at] + bend;
        s->trial[at] = trial < s->lower[at] ? s->lower[at] : trial > s->upper[at] ? s->upper[at] : trial;
    }
}

static real length_of_bend(const fits *s, const real *x) {
    real length2 = 0;
    for (int j = 0, i = 0; j < s->F; j++) {
        if (s->held[j * LANES])
            continue;
        length2 += is_damped(s, j) ? x[i] * x[i] : 0;
        i++;
    }
    return (real)sqrt(length2);
}

/* Bend the step that leads to the trial, or shorten it until it may be bent. */
static void accelerate(single_fit *one) {
    fits *s = &one->s;
    for (int round = 0; round < MOST_BENDS && s->promised[0] > s->noise[0]; round++) {
        clear_direction(one);
        for (int j = 0; j < s->F; j++)
            set_direction(one, j, s->step[j * LANES]);
        const real *R = bent(one);
        if (!R)
            return;
        const real *x = solve_triangle(s, free_columns(s, R, s->F, 0));
        const real bend = length_of_bend(s, x), length = (real)sqrt(length2_of_step(s, 0)[0]);
        if (!(2 * bend > MOST_BEND * length)) {
            bend_trial(s, x);
            return;
        }
        s->delta[0] = length / 2;
        s->lambda[0] = LOST_COLUMN * LOST_COLUMN;
        find_step(s, &one->t, 0);
        set_trial(s, one->t.bounded, 0);
    }
}

/* The unit in which parameter j is measured for its second derivative: 1/|J_j|, or if |J_j| is 0 one over its
 * largest value in the attempt, or |theta_j|; 1 if all are 0. */
static real unit_of_curvature(const fits *s, int j) {
    const real now = s->sum[tri(j, j) * LANES], most = s->largest2[j * LANES];
    const real theta = (real)fabs(s->theta[s->free_theta[j] * LANES]);
    return now > 0 ? 1 / (real)sqrt(now) : most > 0 ? 1 / (real)sqrt(most) : theta > 0 ? theta : 1;
}

/* Set *curvature to e'w for the direction that moves parameters i and j by their units (one parameter if i =
 * j); returns 0 where w is not finite. */
static int curvature_along(single_fit *one, int i, int j, real *curvature) {
    const int F = one->s.F;
    clear_direction(one);
    set_direction(one, i, one->s.unit[i * LANES]);
    set_direction(one, j, one->s.unit[j * LANES]);
    one->curved->bends = 1;
    const real *R = bent(one);
    one->curved->bends = 0;
    *curvature = 0;
    for (int k = 0; R && k <= F; k++)
        *curvature += R[tri(F, k)] * R[tri(F + 1, k)];
    return R != NULL;
}

/* Put H_ij = u_i u_j (J_i'J_j - sum e d^2 f/dtheta_i dtheta_j), u being `unit`, into factor, with 1 on the
 * diagonal of held parameters, and u_i J_i'e into work; returns 0 where a second derivative is not finite, or
 * where so little is left of J_i'J_i that half of its digits are lost. */
static int exact_hessian(single_fit *one) {
    fits *s = &one->s;
    for (int i = 0; i < s->F; i++)
        s->unit[i * LANES] = unit_of_curvature(s, i);
    for (int i = 0; i < s->F; i++)
        for (int j = i; j >= 0; j--) { /* the diagonal first */
            real *H = s->factor + tri(i, j) * LANES, bend = 0;
            const int held = s->held[i * LANES] || s->held[j * LANES];
            if (!held && !curvature_along(one, i, j, &bend))
                return 0;
            const real u2 = s->unit[i * LANES] * s->unit[j * LANES], *own = s->covariance;
            if (i == j)
                s->covariance[i * LANES] = bend;
            else
                bend = (bend - own[i * LANES] - own[j * LANES]) / 2;
            const real square = u2 * s->sum[tri(i, j) * LANES];
            *H = held ? i == j : square - bend;
            if (i == j && !held && !(*H > POOR_PIVOT * square))
                return 0;
        }
    for (int i = 0; i < s->F; i++)
        s->work[i * LANES] = s->held[i * LANES] ? 0 : s->unit[i * LANES] * s->sum[tri(s->F, i) * LANES];
    return 1;
}

/* Put Newton's step with the exact Hessian into step, in units of `unit`, and the reduction that it promises
 * into *promised; returns 0 where the Hessian is not positive definite or not finite. */
static int newton_step(single_fit *one, real *promised) {
    fits *s = &one->s;
    if (!exact_hessian(one) || factorise(s, POOR_PIVOT, 0)[0])
        return 0;
    substitute(s, 0, 0);
    *promised = 0;
    for (int j = 0; j < s->F; j++) {
        s->step[j * LANES] = s->held[j * LANES] ? 0 : s->step[j * LANES];
        *promised += s->step[j * LANES] * s->unit[j * LANES] * s->sum[tri(s->F, j) * LANES];
    }
    return 1;
}

/* Let go of the parameters that are at a bound from which descent leads back into the box. */
static void release_inwards(fits *s) {
    for (int j = 0; j < s->F; j++) {
        const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
        const real theta = s->theta[at], g = s->sum[tri(s->F, j) * LANES];
        const int inwards = (theta <= s->lower[at] && g > 0) || (theta >= s->upper[at] && g < 0);
        if (inwards && s->lower[at] < s->upper[at])
            s->held[j * LANES] = 0;
    }
}

/* Is theta a minimum of chi2, to second order?  The Hessian must be positive definite, Newton's step short,
 * and the reduction that it promises small.  The step of the lane is overwritten on the way and restored. */
static int is_minimum(single_fit *one) {
    fits *s = &one->s;
    const size_t size = (size_t)(s->F * LANES) * sizeof(real);
    memcpy(one->curved->s.step, s->step, size);
    const real chi2 = s->sum[tri(s->F, s->F) * LANES], least = AT_MINIMUM * chi2;
    const real noise = noise_of_promise(s, 0)[0];
    real promised = 0;
    release_inwards(s);
    int good = newton_step(one, &promised) && promised <= (least > noise ? least : noise);
    for (int j = 0; j < s->F && good; j++) {
        const real u = s->unit[j * LANES], theta = (real)fabs(s->theta[s->free_theta[j] * LANES]);
        good = fabs(s->step[j * LANES] * u) <= NEWTON_STEP * (theta + (real)sqrt(chi2) * u);
    }
    memcpy(s->step, one->curved->s.step, size);
    scaled_covariance(s, NULL, 0); /* the Hessian has overwritten it */
    return good;
}

/* Does the second derivative alone change f, beside the residuals, as the parameter moves by its own size?  A
 * parameter that is 0 and started at 0 has no size: then any second derivative that is not 0 will do. */
static int bends_in(single_fit *one, int parameter) {
    const fits *s = &one->s;
    const real theta = (real)fabs(s->theta[parameter * LANES]),
               start = (real)fabs(s->start[parameter * LANES]), size = theta > start ? theta : start;
    clear_direction(one);
    one->curved->s.trial[(s->P + parameter) * LANES] = size > 0 ? size : 1;
    const real *R = bent(one);
    real change2 = 0;
    for (int k = 0; R && k <= s->F; k++)
        change2 += R[tri(s->F, k)] * R[tri(s->F, k)] / 4;
    return change2 > (size > 0 ? NO_EFFECT * NO_EFFECT * s->sum[tri(s->F, s->F) * LANES] : 0);
}

/* Is theta a minimum, parameter j not being held at its bound? */
static int is_minimum_beside_bound(single_fit *one, int parameter) {
    for (int j = 0; j < one->s.F; j++)
        if (one->s.free_theta[j] == parameter)
            one->s.held[j * LANES] = 0;
    return is_minimum(one);
}

/* Let second derivatives decide whether a failure is a success after all.  That may be a success in doubt; or
 * the drift of a parameter whose column of J vanishes, if the model bends in it, as in a where f depends on
 * a^2 and a is 0.  On a plateau the second derivative vanishes as well. */
static void reconsider(single_fit *one, int column_is_lost) {
    fits *s = &one->s;
    if (s->status[0] == TW_NO_PROGRESS && s->doubt[0] > 0 && is_minimum(one))
        s->status[0] = s->doubt[0];
    else if (s->status[0] == TW_DRIFT && column_is_lost && bends_in(one, (int)s->lost[0]) &&
             is_minimum_beside_bound(one, (int)s->lost[0]))
        s->status[0] = TW_FTOL, s->lost[0] = -1;
}

#endif
