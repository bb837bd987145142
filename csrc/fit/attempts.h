/* attempts.h - fits that a first attempt did not bring to a minimum, or not to the lowest one known.
 *
 * 1  The attempt that all fits get, side by side (lanes.h) or one by one (one.h).
 * 2  Variable projection within a region throughout, with geodesic acceleration (curvature.h).  It begins at
 *    the best of PROBES points around the start: parameters in which f is not linear are multiplied by
 *    10^(2 h - 1) with h from Halton's sequence (Halton 1960), the linear ones are put at their best.  Where
 *    the first attempt failed far from its start, and lower than all of them, as many more lie beyond
 *    infinity: a decay that the data want to be slower than any is a growth, for f depends on 1/tau, which
 *    passes through 0.
 * 3  The first method again, from the lowest point found so far.
 *
 * Each follows only where the best result so far is no success, or where a lower chi2 has been proved to
 * exist (certificate.h); the third does not where the first two have run off to the same chi2.  The result is
 * that of the lowest chi2; at equal chi2 a success.
 */
#ifndef TW_ATTEMPTS_H
#define TW_ATTEMPTS_H

#include "fit/saddle.h"

enum {
    PROBES = 16,
    MOST_NEWTON = 20, /* steps before the third attempt */
};
#define SAME ((real)1e-9)   /* of chi2: a difference below tells no attempt from another */
#define FAR_OFF ((real)100) /* times its start: how far a parameter is that has run off */

/* One thread's memory for later attempts. */
typedef struct {
    const tw_fit_job *job;
    solo *one;
    real *origin, *probe; /* [P] the start that the user gave; the best probe */
    real *size;           /* [F] of what starts at 0: how far its probes go */
    real *theta, *R;      /* [P], triangle of F + 1: the best result so far ... */
    real chi2, bound;     /* ... its chi2; the least that was proved to be reached */
    mask_int status, lost, n_iter;
    int alike; /* two attempts have run off to the same chi2 */
} later;

static later *later_on(arena *a, const tw_fit_job *job, const tw_fit_job *curved, int n_summers) {
    TAKE_ROOT(a, later, l);
    const ptrdiff_t P = job->tape->n_theta, F = job->tape->n_free;
    l->job = job;
    l->origin = TAKE(a, real, P), l->probe = TAKE(a, real, P), l->size = TAKE(a, real, F);
    l->theta = TAKE(a, real, P), l->R = TAKE(a, real, tri(F + 1, 0));
    solo *one = solo_on(a, job, n_summers, NULL),
         *bends = curved ? solo_on(a, curved, n_summers, NULL) : NULL;
    if (!a->measuring)
        l->one = one, one->curved = bends;
    return place;
}

/* Keep the attempt that has ended as the best result if its chi2 is lower than that of all before; at the
 * same chi2 the later one counts, unless it would put a failure in place of a success.  A success at a saddle
 * is none. */
static void compare(later *l) {
    fits *s = &l->one->s;
    const real chi2 = s->sum[tri(s->F, s->F) * LANES];
    if (s->status[0] > 0 && s->status[0] != TW_EXACT && is_at_saddle(l->one, l->origin))
        s->status[0] = TW_NO_PROGRESS;
    const mask_int status = s->status[0];
    l->n_iter = s->n_iter[0];
    l->bound = s->bound[0] < l->bound ? s->bound[0] : l->bound;
    const int as_low = chi2 <= l->chi2 * (1 + SAME) && (status > 0 || l->status <= 0);
    if (status == TW_NOT_FINITE || !(chi2 < l->chi2 * (1 - SAME) || as_low))
        return;
    l->chi2 = chi2, l->status = status, l->lost = s->lost[0];
    for (int j = 0; j < s->P; j++)
        l->theta[j] = s->theta[j * LANES];
    memcpy(l->R, s->triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
}

/* theta + Newton's step, which newton_step has left in units of u, as the trial; 0 if a bound is in the way.
 */
static int set_newton_trial(fits *s) {
    for (int j = 0; j < s->F; j++) {
        const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
        const real trial = s->theta[at] + s->step[j * LANES] * s->unit[j * LANES];
        if (!(trial >= s->lower[at] && trial <= s->upper[at]))
            return 0;
        s->trial[at] = trial;
    }
    return 1;
}

/* Begin an attempt at theta. */
static void begin_attempt(later *l, const real *theta, int attempt) {
    solo *o = l->one;
    for (int j = 0; j < o->s.P; j++)
        o->s.start[j * LANES] = theta[j];
    o->t = tolerances_of(l->job, attempt);
    begin_one(o);
    o->s.n_iter[0] = l->n_iter;
}

/* ---- probes --------------------------------------------------------------------------------- */

/* The k-th number of the sequence of van der Corput in this base, in (0, 1). */
static real radical_inverse(int k, int base) {
    double inverse = 0, digit = 1;
    for (; k; k /= base) {
        digit /= base;
        inverse += digit * (k % base);
    }
    return (real)inverse;
}

static int next_prime(int p) {
    for (int divisor = 2; ++p, 1;) {
        for (divisor = 2; divisor * divisor <= p && p % divisor; divisor++)
            ;
        if (divisor * divisor > p)
            return p;
    }
}

/* A start of 0 has no size to multiply: such a parameter is probed on both sides, as far as its effect is
 * that of the residual. */
static real probe_from_zero(const later *l, int j, int k, real factor) {
    const fits *s = &l->one->s;
    const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
    const real theta = l->size[j] * factor * (k % 2 ? 1 : -1);
    return theta < s->lower[at] || theta > s->upper[at] ? -theta : theta;
}

/* Of a first attempt that has run off, or that has failed on its way there: the parameter that has gone
 * farthest, if it has no bounds; or -1. */
static int farthest(const later *l) {
    const fits *s = &l->one->s;
    real most = FAR_OFF;
    int parameter = -1;
    for (int j = 0; j < s->F && l->status <= 0; j++) {
        const int i = s->free_theta[j];
        const real ratio = (real)fabs(l->theta[i] / l->origin[i]);
        if (!s->projected[j] && l->origin[i] != 0 && ratio > most && has_no_bound(s, i, 0)[0])
            most = ratio, parameter = i;
    }
    return parameter;
}

/* The k-th probe into the trial, with parameter `crossed` on the other side of infinity, near it. */
static void set_probe(later *l, int k, int crossed) {
    fits *s = &l->one->s;
    for (int j = 0; j < s->P; j++)
        s->trial[j * LANES] = l->origin[j];
    for (int j = 0, prime = 1; j < s->F; j++) {
        const ptrdiff_t i = s->free_theta[j], at = i * LANES;
        if (s->projected[j] || s->lower[at] == s->upper[at])
            continue;
        prime = next_prime(prime);
        const real exponent = 2 * radical_inverse(k, prime);
        const real factor = i == crossed ? -(real)pow(10, exponent) : (real)pow(10, exponent - 1);
        const real theta = l->origin[i] == 0 ? probe_from_zero(l, j, k, factor) : l->origin[i] * factor;
        s->trial[at] = theta < s->lower[at] ? s->lower[at] : theta > s->upper[at] ? s->upper[at] : theta;
    }
}

/* The lowest of PROBES probes into `probe`, if its chi2 is below *lowest, which it replaces; 0 where the
 * watch asked to stop. */
static int choose_among(later *l, int crossed, real *lowest) {
    solo *o = l->one;
    fits *s = &o->s;
    for (int k = 1; k <= PROBES; k++, l->n_iter++) {
        set_probe(l, k, crossed);
        evaluate_trial(o);
        if (stopped(o))
            return 0;
        const real chi2 = project(o);
        if (!(chi2 < *lowest))
            continue;
        *lowest = chi2;
        for (int j = 0; j < s->P; j++)
            l->probe[j] = s->trial[j * LANES];
    }
    return 1;
}

/* The start of the second attempt into `probe`; 0 where the watch asked to stop. */
static int choose_probe(later *l) {
    real lowest = (real)INFINITY;
    memcpy(l->probe, l->origin, (size_t)l->one->s.P * sizeof(real));
    if (!choose_among(l, -1, &lowest))
        return 0;
    const int crossed = farthest(l);
    return crossed < 0 || lowest < l->chi2 || choose_among(l, crossed, &lowest);
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* Mark the linear parameters that may be put at their best; returns whether others are left to search in. */
static int divide_parameters(fits *s) {
    int others = 0;
    memset(s->projected, 0, (size_t)s->F);
    for (int i = 0; i < s->n_linear; i++)
        s->projected[s->linear[i]] = has_no_bound(s, s->free_theta[s->linear[i]], 0)[0] != 0;
    for (int j = 0; j < s->F; j++) {
        const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
        others += !s->projected[j] && s->lower[at] < s->upper[at];
    }
    return others > 0;
}

/* Where rows of J are not finite though the sums of the first attempt were: chi2 alone is known. */
static void recall_chi2_alone(fits *s, real chi2) {
    const ptrdiff_t last = tri(s->F, s->F);
    for (ptrdiff_t t = 0; t <= last; t++)
        s->sum[t * LANES] = s->triangle[t] = 0;
    s->sum[last * LANES] = chi2, s->triangle[last] = (real)sqrt(chi2);
}

/* Stand where the first attempt ended, with its status; 0 where the watch asked to stop. */
static int recall_first(later *l, ptrdiff_t fit) {
    solo *o = l->one;
    fits *s = &o->s;
    const tw_fit_job *job = l->job;
    l->n_iter = 0, l->chi2 = l->bound = (real)INFINITY, l->status = TW_NO_PROGRESS, l->alike = 0;
    begin_attempt(l, ROW(real, job->theta, s->P), 3);
    evaluate_trial(o);
    if (stopped(o))
        return 0;
    judge(s, &o->t, 0);
    memcpy(s->triangle, o->trial_triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
    if (!s->kept[0])
        recall_chi2_alone(s, ((const real *)job->chi2)[fit]);
    s->n_iter[0] = job->n_iter[fit], s->lost[0] = job->detail[fit];
    s->status[0] = job->status[fit], s->doubt[0] = job->next[fit] == STAYED ? 0 : job->next[fit] - IN_DOUBT;
    settle(s, 0);
    for (int j = 0; j < s->F; j++)
        l->size[j] = l->origin[s->free_theta[j]] == 0 ? size_of_effect(o, j) : 0;
    if (o->curved)
        reconsider(o, job->next[fit] == COLUMN_LOST);
    compare(l);
    return !stopped(o);
}

/* Has the attempt that has ended run off to the same chi2 as the best result so far? */
static int runs_off_alike(const later *l) {
    const fits *s = &l->one->s;
    const real difference = l->chi2 - s->sum[tri(s->F, s->F) * LANES];
    return l->status == TW_DRIFT && s->status[0] == TW_DRIFT &&
           fabs(difference) <= SLOW_FALL * l->chi2 / s->dof[0];
}

/* Variable projection from the best probe; nothing to do where no parameter is left to search in.  0 where
 * the watch asked to stop. */
static int second_attempt(later *l) {
    solo *o = l->one;
    fits *s = &o->s;
    if (!divide_parameters(s))
        return 1;
    o->t = tolerances_of(l->job, 2);
    if (!choose_probe(l))
        return 0;
    s->projecting = 1;
    begin_attempt(l, l->probe, 2);
    const int whole = run_one(o);
    s->projecting = 0;
    if (!whole)
        return 0;
    l->alike = runs_off_alike(l);
    compare(l);
    return 1;
}

/* A few of Newton's steps with the exact Hessian, from the best result into `probe`, if that was only slow:
 * where residuals at the minimum are large, steps by J'J converge slowly, if at all.  0 where the watch asked
 * to stop. */
static int descend_by_newton(later *l) {
    solo *o = l->one;
    fits *s = &o->s;
    memcpy(l->probe, l->theta, (size_t)s->P * sizeof(real));
    if (!o->curved || (l->status != TW_MAX_ITER && l->status != TW_NO_PROGRESS))
        return 1;
    begin_attempt(l, l->theta, 3);
    real promised;
    for (int k = 0; k <= MOST_NEWTON && l->n_iter < o->t.limit; k++) {
        evaluate_trial(o);
        if (stopped(o))
            return 0;
        const ptrdiff_t last = tri(s->F, s->F) * LANES;
        l->n_iter += k > 0;
        if (k && !(s->trial_sum[last] < s->sum[last]))
            break;
        keep_trial(s, ~(ivec){0}, 0);
        memcpy(s->triangle, o->trial_triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
        for (int j = 0; j < s->P; j++)
            l->probe[j] = s->theta[j * LANES];
        settle(s, 0);
        if (!newton_step(o, &promised) || !(promised > s->noise[0]) || !set_newton_trial(s))
            break;
    }
    return !stopped(o);
}

/* The first method again, from where Newton's steps have led.  0 where the watch asked to stop. */
static int third_attempt(later *l) {
    if (!descend_by_newton(l))
        return 0;
    begin_attempt(l, l->probe, 3);
    const int whole = run_one(l->one);
    if (whole)
        compare(l);
    return whole;
}

/* The best result, with its covariance, in place of the first attempt's. */
static void write_best(later *l, ptrdiff_t fit, int attempts) {
    solo *o = l->one;
    fits *s = &o->s;
    for (int j = 0; j < s->P; j++)
        s->theta[j * LANES] = l->theta[j];
    memcpy(s->triangle, l->R, (size_t)tri(s->F + 1, 0) * sizeof(real));
    normal_from_triangle(s->F + 1, s->triangle, s->sum);
    s->sum[tri(s->F, s->F) * LANES] = l->chi2;
    s->status[0] = l->status, s->lost[0] = l->lost, s->n_iter[0] = l->n_iter, s->doubt[0] = 0;
    scaled_covariance(s, NULL, 0);
    write_outcome(l->job, fit, s, 0, o->totals.used, 0);
    l->job->next[fit] = DONE;
    l->job->attempts[fit] = (int8_t)attempts;
}

/* Load a fit that the first attempt has left, and stand where it ended; 0 where the watch asked to stop. */
static int load_again(later *l, ptrdiff_t fit) {
    solo *o = l->one;
    fits *s = &o->s;
    const tw_fit_job *job = l->job;
    int32_t detail;
    o->fit = fit, s->triangle = o->triangle, s->projecting = 0;
    prepare_one(o, &detail); /* it was accepted before */
    if (stopped(o))
        return 0;
    if (job->call)
        load_points(job, fit, 0, job->n_points, &o->called.data);
    run_point_code_watched(&o->summers->m, job->n_points, job->x, job->x_step, fit, o->watch);
    if (o->curved) {
        o->curved->fit = fit;
        run_point_code_watched(&o->curved->summers->m, job->n_points, job->x, job->x_step, fit, o->watch);
    }
    for (int j = 0; j < s->P; j++)
        l->origin[j] = s->start[j * LANES];
    return recall_first(l, fit);
}

/* Later attempts of one fit.  Where the watch asks to stop the first attempt's result stays. */
static void try_again(later *l, ptrdiff_t fit) {
    const tw_fit_job *job = l->job;
    const int beaten = job->status[fit] > 0 && job->next[fit] == TRY_AGAIN;
    if (!load_again(l, fit))
        return;
    int attempts = 1;
    /* what is SINGULAR is tried again only where a lower chi2 was seen, or beside a saddle */
    const int settled = job->next[fit] == STAYED && job->status[fit] <= 0 && !is_at_saddle(l->one, l->origin);
    if ((beaten || l->status <= 0) && !settled && l->n_iter < job->max_iter) {
        attempts = 2;
        if (!second_attempt(l))
            return;
    }
    if (l->status <= 0 && !settled && !l->alike && l->n_iter < job->max_iter && job->most_attempts > 2) {
        attempts = 3;
        if (!third_attempt(l))
            return;
    }
    if (attempts == 1 && l->status == job->status[fit]) /* it stays as it is, and is written already */
        job->next[fit] = DONE;
    else
        write_best(l, fit, attempts);
}

#endif
