/* outcome.h - how the fit of a finished lane gets into the results. */
#ifndef TW_OUTCOME_H
#define TW_OUTCOME_H

#include "fit/covariance.h"

/* Write the results of a fit that could not run. */
static void write_refusal(const tw_fit_job *job, ptrdiff_t fit, tw_status status, int detail, int64_t used) {
    const ptrdiff_t P = job->tape->n_theta;
    for (ptrdiff_t j = 0; j < P; j++)
        ((real *)job->theta)[fit * P + j] = (real)NAN;
    fill_covariance(job, fit, (real)NAN);
    ((real *)job->chi2)[fit] = (real)NAN;
    job->n_iter[fit] = 0;
    job->n_used[fit] = used;
    job->detail[fit] = detail;
    job->status[fit] = (int8_t)status;
    if (job->attempts)
        job->attempts[fit] = 1;
}

/* What later attempts are to do about a fit, in job->next.
 *   DONE            nothing
 *   TRY_AGAIN       try again
 *   COLUMN_LOST     look first whether the model bends in the lost parameter (curvature.h)
 *   IN_DOUBT + 1-4  look first whether the fit is a success after all, with this status (curvature.h)
 *   STAYED          look first whether a parameter that has not left its start is at a saddle (saddle.h)
 */
enum { DONE = 0, TRY_AGAIN = 1, COLUMN_LOST = 2, IN_DOUBT = 2, STAYED = 8 };
/* A move of at most NO_MOVE |theta_j| or NO_MOVE |e|/|J_j| is none; or of NO_MOVE_BY_CALLS if the caller
 * evaluates the model, for the noise of its differences moves the parameters. */
#define NO_MOVE PICK(1e-8, 1e-4)
#define NO_MOVE_BY_CALLS PICK(1e-4, 1e-2)

/* Has parameter j not left its start, though f is not linear in it and no bound keeps it? */
static int has_stayed(const tw_fit_job *job, const fits *s, int lane, int j, const real *start) {
    const real no_move = job->tape->output ? NO_MOVE : NO_MOVE_BY_CALLS;
    const real theta = s->theta[s->free_theta[j] * LANES + lane];
    const real moved = (real)fabs(theta - start[s->free_theta[j]]);
    const real chi2 = s->sum[tri(s->F, s->F) * LANES + lane], square = s->sum[tri(j, j) * LANES + lane];
    if (moved > no_move * (real)fabs(theta) && moved * moved * square > no_move * no_move * chi2)
        return 0;
    for (int i = 0; i < s->n_linear; i++)
        if (s->linear[i] == j)
            return 0;
    return !is_kept(s, lane, j);
}

/* Is parameter j 0 and without effect? */
static int is_idle(const fits *s, int lane, int j) {
    return s->sum[tri(j, j) * LANES + lane] == 0 && s->theta[s->free_theta[j] * LANES + lane] == 0;
}

/* Must second derivatives say whether this is a minimum?  Yes for a success, if some parameter has not left
 * its start; and for a fit that is SINGULAR, if such a parameter is 0 and has no effect there, as the model
 * may be even in it. */
static int may_be_saddle(const tw_fit_job *job, const fits *s, ptrdiff_t fit, int lane, int status) {
    const real *start = ROW(real, job->start, job->start_step);
    const int success = status > 0 && status != TW_EXACT;
    if (!success && status != TW_SINGULAR)
        return 0;
    for (int j = 0; j < s->F; j++)
        if ((success || is_idle(s, lane, j)) && has_stayed(job, s, lane, j, start))
            return 1;
    return 0;
}

/* Is it proved that the lane is not at the global minimum, since some trial would have come lower with its
 * linear parameters at their best (certificate.h)? */
static int is_beaten(const fits *s, int lane, real ftol) {
    const real share = SLACK * ftol > BEATEN ? SLACK * ftol : BEATEN;
    const real chi2 = s->sum[tri(s->F, s->F) * LANES + lane];
    return s->proved[lane] < (chi2 - s->untaken[lane]) * (1 - share) - s->noise[lane];
}

/* What later attempts are to do about the fit of a lane; `stop` is why it stopped, `status` is what is
 * reported, after the variance inflation has been looked at.  Where no other attempt may follow, a success is
 * still asked whether it is at a saddle. */
static int next_attempt(const tw_fit_job *job, const fits *s, ptrdiff_t fit, int lane, int stop, int status) {
    if (s->n_iter[lane] >= job->max_iter || job->most_attempts < 2)
        return may_be_saddle(job, s, fit, lane, status > 0 ? status : TW_NOT_RUN) ? STAYED : DONE;
    if (status == TW_NO_PROGRESS && s->doubt[lane] > 0)
        return IN_DOUBT + (int)s->doubt[lane];
    if (status == TW_DRIFT && lost_effect(s, lane, SLOW_RUN_OFF) == s->lost[lane])
        return COLUMN_LOST;
    const int failed = status == TW_NO_PROGRESS || status == TW_DRIFT || stop == TW_MAX_ITER;
    const int beaten = (status > 0 || status == TW_SINGULAR) && is_beaten(s, lane, (real)job->ftol);
    if (failed || beaten)
        return TRY_AGAIN;
    return may_be_saddle(job, s, fit, lane, status) ? STAYED : DONE;
}

/* Does a variance that was written leave the range, so that it is no number or has lost digits? */
static int variances_lost(const tw_fit_job *job, ptrdiff_t fit, const fits *s, int lane) {
    const real *rows = (const real *)job->covariance + fit * tri(s->F, 0);
    for (int j = 0; j < s->F; j++)
        if (!s->held[j * LANES + lane] && !(rows[tri(j, j)] >= REAL_MIN && rows[tri(j, j)] <= REAL_MAX))
            return 1;
    return 0;
}

/* A parameter is not determined if a move by one standard error of it changes the model, by its slope, by
 * more than UNDETERMINED times the size of the model. */
#define UNDETERMINED PICK(1e6, 1e4)

/* The root of the largest variance inflation that can be told: TRUSTED, or less where J is made of
 * differences. Errors of that size in a column of J turn a column that is further from the others than this
 * into one that is not, or the other way round. */
static real most_told(const tw_fit_job *job) {
    return job->jacobian_error * TRUSTED > 1 ? (real)(1 / job->jacobian_error) : TRUSTED;
}

/* The largest variance inflation of a parameter that counts as determined; `factor` is the variance of a
 * residual.  It is told^2, the most that can be told; or less where the standard error would move the model
 * far beyond its size, the square of which is size2: such as that of a peak narrower than the distance of
 * points, whose standard error may be 10^10 times its width. */
static real most_inflation(real told, real size2, real factor) {
    const real most = told * told, largest = UNDETERMINED * UNDETERMINED * size2;
    return factor <= REAL_MAX && largest < most * factor ? largest / factor : most;
}

/* The parameter of the largest variance inflation, if that is so large that the data do not determine it; or
 * -1.  The size of the model is at least that of y, and that of the residuals, for y may be 0 throughout;
 * this lower limit is enough for most fits, and only for the others the largest theta_j J_j is looked for. */
static int undetermined(const fits *s, int lane, real told, real factor) {
    const real chi2 = s->sum[tri(s->F, s->F) * LANES + lane];
    real size2 = s->magnitude[lane] > chi2 ? s->magnitude[lane] : chi2;
    if (inflated(s, lane, most_inflation(told, size2, factor)) < 0)
        return -1;
    for (int j = 0; j < s->F; j++) {
        const real theta = s->theta[s->free_theta[j] * LANES + lane];
        const real own = theta * theta * s->sum[tri(j, j) * LANES + lane];
        size2 = own > size2 ? own : size2;
    }
    return inflated(s, lane, most_inflation(told, size2, factor));
}

/* The factor by which (J'WJ)^-1 becomes the covariance: the variance of a residual in units of sigma. */
static real variance_factor(const tw_fit_job *job, const fits *s, int lane, real chi2, real n, real dof) {
    if (job->noise > TW_POISSON)
        return robust_factor(s->sum + tri(s->F + 1, 0) * LANES + lane, LANES, n, n - dof);
    return job->absolute_sigma ? 1 : dof > 0 ? chi2 / dof : (real)INFINITY;
}

/* Write the results of the fit in a stopped lane, whose scaled covariance has been computed.  Where the
 * orthogonal mode has to take over, as after a covariance that is `poor`, writes nothing and returns 0. */
static int write_outcome(const tw_fit_job *job, ptrdiff_t fit, fits *s, int lane, int64_t used, int poor) {
    int status = (int)s->status[lane], detail = -1;
    const ptrdiff_t last = tri(s->F, s->F) * LANES + lane;
    if (status == TW_NOT_FINITE) {
        const real chi2 = s->trial_sum[last];
        detail = fabs(chi2) <= REAL_MAX ? TW_INPUT_DERIVATIVE : TW_INPUT_MODEL;
        if (job->noise == TW_POISSON && chi2 == (real)INFINITY)
            detail = TW_INPUT_MEAN;
        write_refusal(job, fit, TW_NOT_FINITE, detail, used);
        return 1;
    }
    if (status == TW_RANGE) {
        write_refusal(job, fit, TW_RANGE, out_of_range(s, job->scaled, lane), used);
        return 1;
    }
    if (status == ILL_CONDITIONED || (poor && status != TW_DRIFT))
        return 0;
    const real chi2 = s->sum[last], dof = (real)(used - count_free(job, fit));
    const real factor = variance_factor(job, s, lane, chi2, (real)used, dof);
    const int lost = status == TW_DRIFT ? (int)s->lost[lane] : undetermined(s, lane, most_told(job), factor);
    if (lost < 0 && factor <= REAL_MAX)
        write_covariance(job, fit, s, lane, factor);
    if (lost < 0 && factor <= REAL_MAX && factor > 0 && !job->scaled && variances_lost(job, fit, s, lane)) {
        write_refusal(job, fit, TW_RANGE, TW_INPUT_DERIVATIVE, used);
        return 1;
    }
    if (lost >= 0 || !(factor <= REAL_MAX))
        fill_covariance(job, fit, (real)INFINITY);
    const int stop = status;
    if (lost >= 0)
        status = stop == TW_DRIFT ? TW_DRIFT : TW_SINGULAR, detail = lost;
    if (job->next)
        job->next[fit] = (int8_t)next_attempt(job, s, fit, lane, stop, status), job->attempts[fit] = 1;
    real *theta = (real *)job->theta + fit * s->P;
    for (int j = 0; j < s->P; j++)
        theta[j] = s->theta[j * LANES + lane];
    ((real *)job->chi2)[fit] = chi2;
    job->n_iter[fit] = (int32_t)s->n_iter[lane];
    job->n_used[fit] = used;
    job->detail[fit] = detail;
    job->status[fit] = (int8_t)status;
    return 1;
}

#endif
