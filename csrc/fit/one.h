/* one.h - one fit driven from its start to a stop, in lane 0. */
#ifndef TW_ONE_H
#define TW_ONE_H

#include "fit/curvature.h"

/* Set the first radius of the region in the second attempt: a tenth of the start in units of D. */
static void first_radius(fits *s) {
    real length2 = 0;
    for (int j = 0; j < s->F; j++) {
        const real theta = s->theta[s->free_theta[j] * LANES];
        if (is_damped(s, j))
            length2 += theta * theta * s->scale2[j * LANES];
    }
    const real chi2 = s->sum[tri(s->F, s->F) * LANES];
    s->delta[0] = (real)sqrt(length2 > 0 ? (real)0.01 * length2 : chi2);
}

/* Has the region shrunk to less than the rounding of theta, so that no step in it changes theta? */
static int is_exhausted(const fits *s) {
    real length2 = 0;
    for (int j = 0; j < s->F; j++) {
        const real theta = s->theta[s->free_theta[j] * LANES];
        length2 += theta * theta * s->scale2[j * LANES];
    }
    return s->delta[0] <= (real)0.01 * REAL_EPS * (real)sqrt(length2);
}

/* Find the next trial of lane 0 in the second attempt, where every step is limited by the region. */
static void advance_in_region(single_fit *one, int first) {
    fits *s = &one->s;
    if (first)
        first_radius(s);
    else if (is_exhausted(s))
        stop(s, 0, ~(ivec){0}, TW_NO_PROGRESS);
    advance(s, &one->t, 0);
    const real length = (real)sqrt(length2_of_step(s, 0)[0]);
    if (first && length < s->delta[0])
        s->delta[0] = length;
    if (s->status[0] == RUNNING && one->curved)
        accelerate(one);
}

/* Stop lane 0 as SLOW if its column of J shows that a parameter runs off and the last kept trial has hardly
 * lowered chi2.  In the second attempt the region may double with each step, so marks (look_back) would tell
 * too late. */
static void stop_if_run_off(fits *s, const tolerances *t, real before) {
    const vec now = v_load(s->sum + tri(s->F, s->F) * LANES);
    if (s->kept[0] && before - now[0] < slow_fall(s, t, now, 0)[0] && lost_effect(s, 0, RUN_OFF) >= 0)
        stop(s, 0, ~(ivec){0}, SLOW);
}

/* Undo the last step, which was taken without a trial, if chi2 is higher there than before: a pole of the
 * model may lie on its way. */
static void undo_if_higher(single_fit *one, real chi2) {
    fits *s = &one->s;
    real *now = s->sum + tri(s->F, s->F) * LANES;
    int moved = 0;
    for (int j = 0; j < s->P; j++)
        moved |= s->theta[j * LANES] != one->before[j];
    if (!moved)
        return;
    for (int j = 0; j < s->P; j++)
        s->trial[j * LANES] = s->theta[j * LANES];
    evaluate_trial(one);
    *now = s->trial_sum[tri(s->F, s->F) * LANES];
    if (*now <= chi2 + s->noise[0] && !stopped(one))
        return;
    *now = chi2;
    for (int j = 0; j < s->P; j++)
        s->theta[j * LANES] = one->before[j];
}

/* Compute the scaled covariance of lane 0 and, if it may stop, take the last step.  In the orthogonal mode,
 * where models bend much and data determine little, the model is evaluated there, which few fits need. */
static void confirm_one(single_fit *one) {
    fits *s = &one->s;
    const int looks = s->triangle && one->job->tape->output; /* no output: only the caller can evaluate it */
    const ptrdiff_t last = tri(s->F, s->F);
    const real chi2 = s->sum[last * LANES];
    if (looks) /* the last step may raise chi2 within its noise */
        remember_best(s, v_load(s->sum + last * LANES) <= v_load(s->best_chi2), 0);
    for (int j = 0; j < s->P; j++)
        one->before[j] = s->theta[j * LANES];
    one->poor = scaled_covariance(s, &one->t, 0)[0] != 0;
    if (looks)
        undo_if_higher(one, chi2);
}

/* Settle why lane 0 has stopped, and its scaled covariance; its status becomes RUNNING if it is to go on. */
static void conclude(single_fit *one) {
    fits *s = &one->s;
    return_to_best(s, 0);
    confirm_one(one);
    look_for_drift(s, &one->t, 0, one->poor);
    return_to_best(s, 0);
    if (one->curved)
        reconsider(one, lost_effect(s, 0, SLOW_RUN_OFF) == s->lost[0]);
}

/* Let lane 0, which has stopped although J is rough, have J evaluated at theta before it concludes: the next
 * trial is theta, judged as a start is.  What `judge` said of the last trial, `judged`, waits until then; but
 * that a step was small says nothing where a rough J had made it, so the new J is to tell that.  Theta is the
 * place of the smallest chi2, for none of the sums that are remembered may be rough. */
static void renew(single_fit *one, mask_int judged) {
    fits *s = &one->s;
    const int small = judged > RUNNING && judged <= TW_GTOL && s->idle[0] <= MOST_IDLE;
    one->renews = 1, one->pending = small ? RUNNING : judged;
    s->status[0] = TW_NO_PROGRESS; /* with which a fit returns to its best place */
    return_to_best(s, 0);
    s->best_chi2[0] = (real)INFINITY;
    s->status[0] = RUNNING, s->fresh[0] = -1;
    for (int j = 0; j < s->P; j++)
        s->trial[j * LANES] = s->theta[j * LANES];
    for (int j = 0; j < s->F; j++)
        s->step[j * LANES] = s->moved[j * LANES]; /* the last step that was kept stays so */
}

/* Let the status that waits stand, now that J at theta has been judged.  Where that J is not finite nothing
 * is shown, and the rough one is all there is. */
static void take_renewed(single_fit *one) {
    fits *s = &one->s;
    if (!s->kept[0])
        s->status[0] = TW_NO_PROGRESS, one->rough = 0;
    stop(s, 0, ~(ivec){0}, one->pending);
    one->renews = 0;
}

/* Does lane 0, which has stopped, need J at theta?  A start that is refused does not. */
static int needs_renewal(const single_fit *one) {
    const mask_int status = one->s.status[0];
    return one->rough && status != TW_NOT_FINITE && status != TW_RANGE;
}

/* Judge the trial in lane 0 and set the next one; returns 1 when the fit has stopped for good. */
static int judge_one(single_fit *one) {
    fits *s = &one->s;
    const int first = s->fresh[0] != 0;
    const real before = s->sum[tri(s->F, s->F) * LANES];
    judge(s, &one->t, 0);
    if (s->kept[0])
        one->rough = one->trial_is_rough;
    if (one->renews)
        take_renewed(one);
    const mask_int judged = s->status[0];
    if (s->projecting && !first)
        stop_if_run_off(s, &one->t, before);
    if (s->kept[0] && s->triangle)
        memcpy(s->triangle, one->trial_triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
    if (s->projecting)
        advance_in_region(one, first);
    else
        advance(s, &one->t, 0);
    if (s->status[0] == RUNNING)
        return 0;
    if (needs_renewal(one)) {
        renew(one, judged);
        return 0;
    }
    conclude(one);
    return s->status[0] != RUNNING;
}

/* Run lane 0 from its first trial to a stop; returns 0 if the watch asked to stop before. */
static int run_one(single_fit *one) {
    do {
        if (one->s.projecting && !project_trial(one))
            return 0;
        evaluate_trial(one);
        if (stopped(one))
            return 0;
    } while (!judge_one(one));
    return 1;
}

/* Write the results of lane 0; returns 0 where the orthogonal mode has to take over. */
static int write_one(single_fit *one) {
    return write_outcome(one->job, one->fit, &one->s, 0, one->totals.used, one->poor);
}

/* Points less free parameters, but at least 1, for sums are divided by it. */
static real dof_of(const tw_fit_job *job, ptrdiff_t fit, int64_t used) {
    const int64_t dof = used - count_free(job, fit);
    return dof > 1 ? (real)dof : 1;
}

/* Begin an attempt in lane 0; the other lanes are not used. */
static void begin_one(single_fit *one) {
    fits *s = &one->s;
    for (int l = 1; l < LANES; l++)
        s->status[l] = TW_NOT_FINITE;
    begin_fit(s, 0);
    s->magnitude[0] = magnitude_of(one->job, one->fit, &one->totals);
    s->dof[0] = dof_of(one->job, one->fit, one->totals.used);
}

/* Go on with the fit of a lane in the orthogonal mode, from the theta, damping, number of trials and largest
 * norms of columns that it has reached. */
static void run_orthogonally(single_fit *one, const fits *from, int lane) {
    fits *s = &one->s;
    const int64_t n_iter = from->n_iter[lane];
    const real lambda = from->lambda[lane], bound = from->proved[lane];
    s->triangle = one->triangle;
    for (int j = 0; j < s->P; j++)
        s->start[j * LANES] = from->theta[j * LANES + lane];
    for (int j = 0; j < s->F; j++)
        s->work[j] = from->largest2[j * LANES + lane];
    begin_one(one);
    for (int j = 0; j < s->F; j++)
        s->largest2[j * LANES] = s->work[j];
    s->n_iter[0] = (mask_int)n_iter, s->lambda[0] = lambda, s->proved[0] = bound;
    if (run_one(one))
        write_one(one);
}

/* Count the points of a fit and load its start; returns why it cannot run, or TW_NOT_RUN. */
static tw_status prepare_one(single_fit *one, int32_t *detail) {
    chunk_worker *w = one->workers;
    const ptrdiff_t size = w->m.block * LANES;
    tw_status status = TW_NOT_RUN;
    *detail = -1;
    one->totals = (sample){.y = w->y, .weight = w->weight, .stride = 1, .unseen = -1};
    for (ptrdiff_t first = 0; first < one->job->n_points; first += size) {
        const ptrdiff_t left = one->job->n_points - first;
        if (tw_stopped(one->watch))
            return TW_NOT_RUN;
        const tw_status why = load_points(one->job, one->fit, first, left < size ? left : size, &one->totals);
        status = why ? why : status;
    }
    if (status == TW_NOT_FINITE)
        *detail = TW_INPUT_Y;
    if (!status)
        status = load_start(one->job, one->fit, &one->s, 0, detail);
    if (!status && one->totals.used < count_free(one->job, one->fit))
        status = TW_TOO_FEW_POINTS;
    return status;
}

/* Fit one data set, whose x stage has been run. */
static void fit_one(single_fit *one, ptrdiff_t fit) {
    int32_t detail;
    one->fit = fit;
    const tw_status refusal = prepare_one(one, &detail);
    if (refusal) {
        write_refusal(one->job, fit, refusal, detail, one->totals.used);
        return;
    }
    fits *s = &one->s;
    s->triangle = NULL;
    begin_one(one);
    s->eliminates[0] = -(one->job->eliminate != 0);
    if (!run_one(one) || write_one(one))
        return;
    run_orthogonally(one, s, 0);
}

#endif
