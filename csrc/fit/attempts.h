/* attempts.h - later attempts of fits that the first did not bring to a minimum, or to the lowest one known.
 *
 * - The first is the one that all fits get, side by side (lanes.h) or one by one (one.h).
 * - The second is variable projection, with every step limited by a region, and geodesic acceleration
 *   (curvature.h). It begins at the best of PROBES points around the start: parameters in which f is
 *   not linear are multiplied by 10^(2 h - 1) with h from Halton's sequence (Halton 1960), the linear
 *   ones are put at their best (probes.h). If the first attempt failed far from its start, and lower than all
 *   these points, as many more are looked at beyond infinity: a decay exp(-t/tau) depends on 1/tau, so
 *   where the data want it slower than any decay they want 1/tau below 0, which is a growth.
 * - The third is the first method again, from the lowest point found so far.
 *
 * An attempt follows only if the best result so far is no success, or if a lower chi2 has been proved to
 * exist (certificate.h); and the third does not follow if the first two have run off to the same chi2.  The
 * fit returns the attempt of the lowest chi2, among equal ones the first success, or else the first.
 */
#ifndef TW_ATTEMPTS_H
#define TW_ATTEMPTS_H

#include "fit/probes.h"

enum { MOST_NEWTON = 20 }; /* Newton steps before the third attempt */
#define SAME ((real)1e-9)  /* chi2 of two attempts that differ by less than this share count as equal */

/* Keep the attempt that has just ended as the best result if its chi2 is lower than that of all before, or if
 * it is equal and puts a success in place of a failure.  What ended at a saddle is no success. */
static void compare(retry *r) {
    fits *s = &r->one->s;
    const real chi2 = s->sum[tri(s->F, s->F) * LANES];
    if (s->status[0] > 0 && s->status[0] != TW_EXACT && is_at_saddle(r->one, r->origin))
        s->status[0] = TW_NO_PROGRESS;
    const mask_int status = s->status[0];
    r->n_iter = s->n_iter[0];
    r->proved = s->proved[0] < r->proved ? s->proved[0] : r->proved;
    const int as_low = chi2 <= r->chi2 * (1 + SAME) && status > 0 && r->status <= 0;
    if (status == TW_NOT_FINITE || !(chi2 < r->chi2 * (1 - SAME) || as_low))
        return;
    r->chi2 = chi2, r->status = status, r->lost = s->lost[0];
    for (int j = 0; j < s->P; j++)
        r->theta[j] = s->theta[j * LANES];
    memcpy(r->R, s->triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
    for (ptrdiff_t k = tri(s->F + 1, 0); k < s->n_sums; k++)
        r->more[k - tri(s->F + 1, 0)] = s->sum[k * LANES];
}

/* Set the trial to theta + Newton's step, which newton_step has left in units of `unit`; returns 0 if a bound
 * is in the way. */
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
static void begin_attempt(retry *r, const real *theta, int attempt) {
    single_fit *one = r->one;
    for (int j = 0; j < one->s.P; j++)
        one->s.start[j * LANES] = theta[j];
    one->t = tolerances_of(r->job, attempt);
    begin_one(one);
    one->s.n_iter[0] = r->n_iter;
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* Mark in `projected` the linear parameters without bounds, which are put at their best; returns whether any
 * other parameter is left to search in. */
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

/* Set the sums of lane 0 to those of which chi2 alone is known: some rows of J are not finite here, although
 * the sums of the first attempt were. */
static void recall_chi2_alone(fits *s, real chi2) {
    const ptrdiff_t last = tri(s->F, s->F);
    for (ptrdiff_t t = 0; t < s->n_sums; t++)
        s->sum[t * LANES] = 0;
    memset(s->triangle, 0, (size_t)tri(s->F + 1, 0) * sizeof(real));
    s->sum[last * LANES] = chi2, s->triangle[last] = (real)sqrt(chi2);
}

/* Bring lane 0 to the place and status at which the first attempt ended, and compare that result. */
static int recall_first(retry *r, ptrdiff_t fit) {
    single_fit *one = r->one;
    fits *s = &one->s;
    const tw_fit_job *job = r->job;
    r->n_iter = 0, r->chi2 = r->proved = (real)INFINITY, r->status = TW_NO_PROGRESS, r->alike = 0;
    begin_attempt(r, ROW(real, job->theta, s->P), 3);
    evaluate_trial(one);
    if (stopped(one))
        return 0;
    judge(s, &one->t, 0);
    memcpy(s->triangle, one->trial_triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
    if (!s->kept[0])
        recall_chi2_alone(s, ((const real *)job->chi2)[fit]);
    s->n_iter[0] = job->n_iter[fit], s->lost[0] = job->detail[fit];
    s->status[0] = job->status[fit], s->doubt[0] = job->next[fit] == STAYED ? 0 : job->next[fit] - IN_DOUBT;
    settle(s, 0);
    for (int j = 0; j < s->F; j++)
        r->size[j] = r->origin[s->free_theta[j]] == 0 ? size_of_effect(one, j) : 0;
    if (one->curved)
        reconsider(one, job->next[fit] == COLUMN_LOST);
    compare(r);
    return !stopped(one);
}

/* Has the attempt that has ended run off to the same chi2 as the best result so far? */
static int runs_off_alike(const retry *r) {
    const fits *s = &r->one->s;
    const real difference = r->chi2 - s->sum[tri(s->F, s->F) * LANES];
    return r->status == TW_DRIFT && s->status[0] == TW_DRIFT &&
           fabs(difference) <= SLOW_FALL * r->chi2 / s->dof[0];
}

/* Run variable projection from the best probe, unless no parameter is left to search in. */
static int second_attempt(retry *r) {
    single_fit *one = r->one;
    fits *s = &one->s;
    if (!divide_parameters(s))
        return 1;
    one->t = tolerances_of(r->job, 2);
    if (r->abreast)
        fill_lanes_alike(r->abreast, one);
    if (!choose_probe(r))
        return 0;
    s->projecting = 1;
    begin_attempt(r, r->probe, 2);
    const int whole = run_one(one);
    s->projecting = 0;
    if (!whole)
        return 0;
    r->alike = runs_off_alike(r);
    compare(r);
    return 1;
}

/* Take some Newton steps with the exact Hessian from the best result, if that was merely slow, and put the
 * place they reach into `probe`: where residuals at the minimum are large, steps by J'J converge slowly, if
 * at all. */
static int descend_by_newton(retry *r) {
    single_fit *one = r->one;
    fits *s = &one->s;
    memcpy(r->probe, r->theta, (size_t)s->P * sizeof(real));
    if (!one->curved || (r->status != TW_MAX_ITER && r->status != TW_NO_PROGRESS))
        return 1;
    begin_attempt(r, r->theta, 3);
    real promised;
    for (int k = 0; k <= MOST_NEWTON && r->n_iter < one->t.limit; k++) {
        evaluate_trial(one);
        if (stopped(one))
            return 0;
        const ptrdiff_t last = tri(s->F, s->F) * LANES;
        r->n_iter += k > 0;
        if (k && !(s->trial_sum[last] < s->sum[last]))
            break;
        keep_trial(s, ~(ivec){0}, 0);
        memcpy(s->triangle, one->trial_triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
        for (int j = 0; j < s->P; j++)
            r->probe[j] = s->theta[j * LANES];
        settle(s, 0);
        if (!newton_step(one, &promised) || !(promised > s->noise[0]) || !set_newton_trial(s))
            break;
    }
    return !stopped(one);
}

/* Run the first method again, from where Newton's steps have led. */
static int third_attempt(retry *r) {
    if (!descend_by_newton(r))
        return 0;
    begin_attempt(r, r->probe, 3);
    const int whole = run_one(r->one);
    if (whole)
        compare(r);
    return whole;
}

/* Write the best result, with its covariance, over that of the first attempt. */
static void write_best(retry *r, ptrdiff_t fit, int attempts) {
    single_fit *one = r->one;
    fits *s = &one->s;
    for (int j = 0; j < s->P; j++)
        s->theta[j * LANES] = r->theta[j];
    memcpy(s->triangle, r->R, (size_t)tri(s->F + 1, 0) * sizeof(real));
    normal_from_triangle(s->F + 1, s->triangle, s->sum);
    s->sum[tri(s->F, s->F) * LANES] = r->chi2;
    for (ptrdiff_t k = tri(s->F + 1, 0); k < s->n_sums; k++)
        s->sum[k * LANES] = r->more[k - tri(s->F + 1, 0)];
    s->status[0] = r->status, s->lost[0] = r->lost, s->n_iter[0] = r->n_iter, s->doubt[0] = 0;
    scaled_covariance(s, NULL, 0);
    write_outcome(r->job, fit, s, 0, one->totals.used, 0);
    r->job->next[fit] = DONE;
    r->job->attempts[fit] = (int8_t)attempts;
}

/* Load the data of a fit, and bring it to where the first attempt ended. */
static int load_again(retry *r, ptrdiff_t fit) {
    single_fit *one = r->one;
    fits *s = &one->s;
    const tw_fit_job *job = r->job;
    int32_t detail;
    one->fit = fit, s->triangle = one->triangle, s->projecting = 0;
    prepare_one(one, &detail); /* it cannot refuse, for the first attempt has accepted this fit */
    if (stopped(one))
        return 0;
    if (job->call)
        load_points(job, fit, 0, job->n_points, &one->call.data);
    run_point_code_watched(&one->workers->m, job->n_points, job->x, job->x_step, fit, one->watch);
    if (one->curved) {
        one->curved->fit = fit;
        run_point_code_watched(&one->curved->workers->m, job->n_points, job->x, job->x_step, fit, one->watch);
    }
    for (int j = 0; j < s->P; j++)
        r->origin[j] = s->start[j * LANES];
    return recall_first(r, fit);
}

/* Run the later attempts of one fit.  Where the watch asks to stop, the result of the first attempt stays. */
static void try_again(retry *r, ptrdiff_t fit) {
    const tw_fit_job *job = r->job;
    const int beaten = job->status[fit] > 0 && job->next[fit] == TRY_AGAIN;
    if (!load_again(r, fit))
        return;
    int attempts = 1;
    /* a fit that is SINGULAR is tried again only if a lower chi2 was proved, or if it is at a saddle */
    const int settled = job->next[fit] == STAYED && job->status[fit] <= 0 && !is_at_saddle(r->one, r->origin);
    const int more = job->most_attempts > 1 && !settled;
    if ((beaten || r->status <= 0) && more && r->n_iter < job->max_iter) {
        attempts = 2;
        if (!second_attempt(r))
            return;
    }
    if (r->status <= 0 && more && !r->alike && r->n_iter < job->max_iter && job->most_attempts > 2) {
        attempts = 3;
        if (!third_attempt(r))
            return;
    }
    if (attempts == 1 && r->status == job->status[fit]) /* the result that is written already is final */
        job->next[fit] = DONE;
    else
        write_best(r, fit, attempts);
}

#endif
