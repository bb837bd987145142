/* outcome.h - a fit's data into a lane, and a finished lane into the results.
 *
 * The covariance is (J'WJ)^-1 over the parameters that are free at the solution, from a triangle R
 * with R'R = J'WJ whose columns are scaled to unit length first: Cholesky's, or where a pivot of it
 * falls below sqrt(eps) that of an orthogonal factorisation of J.  With W = R^-1, (W W')_jj is the
 * variance inflation factor of parameter j: how much larger its variance is than if it were the only
 * one.  Beyond TRUSTED^2 the parameter is not determined by these data in this arithmetic.
 */
#ifndef TW_OUTCOME_H
#define TW_OUTCOME_H

#include "step.h"

#define TRUSTED (sizeof(real) == 8 ? 1e10 : 1e5)

/* Row `fit` of an array of the job, or its only row. */
#define ROW(type, array, step) ((const type *)(array) + fit * (step))

/* A data set as it goes into a lane: y and weight 1/sigma at every `stride`. */
typedef struct {
    real *y, *weight;
    ptrdiff_t stride;
    int32_t used;
    real magnitude;
} sample;

/* Points first ... first + n - 1 of data set `fit`; what is left out gets y = 0, weight = 0.
 * TW_NOT_RUN, or why the fit cannot run. */
static tw_status load_points(const tw_fit_job *job, ptrdiff_t fit, ptrdiff_t first, ptrdiff_t n, sample *to) {
    const real *y = ROW(real, job->y, job->n_points) + first;
    const real *sigma = job->sigma ? ROW(real, job->sigma, job->sigma_step) + first : NULL;
    const uint8_t *mask = job->mask ? ROW(uint8_t, job->mask, job->mask_step) + first : NULL;
    tw_status status = TW_NOT_RUN;
    for (ptrdiff_t i = 0; i < n; i++) {
        const real error = sigma ? sigma[i] : 1;
        const int use = (!mask || mask[i]) && !(y[i] != y[i]) && error <= REAL_MAX;
        if ((!mask || mask[i]) && !(error > 0))
            status = TW_BAD_SIGMA;
        else if (use && !(fabs(y[i]) <= REAL_MAX))
            status = TW_NOT_FINITE;
        const real weight = use ? 1 / error : 0, value = use ? y[i] : 0;
        to->y[i * to->stride] = value;
        to->weight[i * to->stride] = weight;
        to->used += use;
        to->magnitude += value * weight * value * weight;
    }
    return status;
}

/* Start and bounds of data set `fit` into lane `lane`; a parameter that is fixed for this fit has
 * both bounds at its start. */
static tw_status load_start(const tw_fit_job *job, ptrdiff_t fit, fits *s, int lane, int16_t *detail) {
    const real *start = ROW(real, job->start, job->start_step);
    const uint8_t *fixed = job->fixed ? ROW(uint8_t, job->fixed, s->P) : NULL;
    for (int j = 0; j < s->P; j++) {
        const ptrdiff_t at = j * LANES + lane;
        s->trial[at] = s->theta[at] = start[j];
        s->lower[at] = job->lower ? ROW(real, job->lower, job->bound_step)[j] : -(real)INFINITY;
        s->upper[at] = job->upper ? ROW(real, job->upper, job->bound_step)[j] : (real)INFINITY;
        *detail = (int16_t)j;
        if (!(s->lower[at] <= s->upper[at]))
            return TW_BAD_BOUNDS;
        if (!(fabs(start[j]) <= REAL_MAX && start[j] >= s->lower[at] && start[j] <= s->upper[at]))
            return TW_BAD_START;
        if (fixed && fixed[j])
            s->lower[at] = s->upper[at] = start[j];
    }
    *detail = -1;
    return TW_NOT_RUN;
}

/* Free parameters of data set `fit`. */
static int count_free(const tw_fit_job *job, ptrdiff_t fit) {
    const tw_tape *t = job->tape;
    int n = t->n_free;
    for (int k = 0; job->fixed && k < t->n_free; k++)
        n -= ROW(uint8_t, job->fixed, t->n_theta)[t->free_theta[k]] != 0;
    return n;
}

/* Memory to work out one covariance: triangles of F and places of the free parameters. */
typedef struct {
    double *R, *inverse; /* [F(F+1)/2] column j at tri(j, 0) */
    int *place;          /* [F] which parameter each column is */
    double *size;        /* [F] its length */
} covariance_work;

static covariance_work covariance_on(arena *a, ptrdiff_t F) {
    return (covariance_work){TAKE(a, double, tri(F, 0)), TAKE(a, double, tri(F, 0)), TAKE(a, int, F),
                             TAKE(a, double, F)};
}

/* The parameters of a lane that are not at a bound, and the lengths of their columns. */
static int free_at_solution(fits *s, int lane, covariance_work *c) {
    int n = 0;
    for (int j = 0; j < s->F; j++) {
        const ptrdiff_t at = s->free_theta[j] * LANES + lane;
        const int held = s->theta[at] <= s->lower[at] || s->theta[at] >= s->upper[at];
        s->held[j * LANES + lane] = -held;
        if (!held) {
            c->place[n] = j;
            c->size[n++] = sqrt((double)s->sum[tri(j, j) * LANES + lane]);
        }
    }
    return n;
}

/* Cholesky triangle of the scaled normal matrix; returns the smallest pivot, at most 1. */
static double cholesky_triangle(const fits *s, int lane, int n, covariance_work *c) {
    double smallest = 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double a = s->sum[tri(c->place[i], c->place[j]) * LANES + lane] / (c->size[i] * c->size[j]);
            for (int k = 0; k < j; k++)
                a -= c->R[tri(i, k)] * c->R[tri(j, k)];
            if (j < i) {
                c->R[tri(i, j)] = a / c->R[tri(j, j)];
            } else {
                smallest = a < smallest ? a : smallest;
                if (!(a > 0))
                    return 0;
                c->R[tri(i, i)] = sqrt(a);
            }
        }
    return smallest;
}

/* The same triangle from R of the orthogonal mode (lane 0). */
static void orthogonal_triangle(fits *s, int n, covariance_work *c) {
    const ptrdiff_t n_rows = padded_rows(s->F);
    memset(s->rows, 0, (size_t)((s->F + 1) * n_rows) * sizeof *s->rows);
    memset(s->small, 0, (size_t)tri(s->F + 1, 0) * sizeof *s->small);
    for (int i = 0; i < n; i++)
        for (int k = 0; k <= c->place[i] && c->size[i] > 0; k++)
            s->rows[i * n_rows + k] = s->triangle[tri(c->place[i], k)] / (real)c->size[i];
    merge_rows(n, s->small, n_rows, s->rows);
    for (ptrdiff_t t = 0; t < tri(n, 0); t++)
        c->R[t] = s->small[t];
}

/* inverse = R^-1.  Returns the parameter whose variance inflation is beyond trust, or -1. */
static int invert_triangle(int n, covariance_work *c) {
    double *W = c->inverse;
    for (int j = 0; j < n; j++) {
        const double diagonal = c->R[tri(j, j)];
        if (!(fabs(diagonal) > 1 / (TRUSTED * 1e3)))
            return c->place[j];
        W[tri(j, j)] = 1 / diagonal;
        for (int i = 0; i < j; i++) {
            double w = 0;
            for (int k = i; k < j; k++)
                w += W[tri(k, i)] * c->R[tri(j, k)];
            W[tri(j, i)] = -w / diagonal;
        }
    }
    int worst = -1;
    double most = TRUSTED * TRUSTED;
    for (int i = 0; i < n; i++) {
        double inflation = 0;
        for (int k = i; k < n; k++)
            inflation += W[tri(k, i)] * W[tri(k, i)];
        if (!(inflation <= most))
            most = inflation, worst = c->place[i];
    }
    return worst;
}

/* Row `fit` of the covariances: factor W W' in the units of the parameters. */
static void write_covariance(const tw_fit_job *job, ptrdiff_t fit, int n, double factor, const covariance_work *c) {
    const ptrdiff_t size = tri(job->tape->n_free, 0);
    real *out = (real *)job->covariance + fit * size;
    const double *W = c->inverse;
    memset(out, 0, (size_t)size * sizeof *out);
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (int k = i; k < n; k++)
                sum += W[tri(k, i)] * W[tri(k, j)];
            out[tri(c->place[i], c->place[j])] = (real)(sum * factor / (c->size[i] * c->size[j]));
        }
}

static void fill_covariance(const tw_fit_job *job, ptrdiff_t fit, real value) {
    const ptrdiff_t size = tri(job->tape->n_free, 0);
    for (ptrdiff_t t = 0; t < size; t++)
        ((real *)job->covariance)[fit * size + t] = value;
}

/* Results of a fit that could not run. */
static void write_refusal(const tw_fit_job *job, ptrdiff_t fit, tw_status status, int detail, int32_t used) {
    const ptrdiff_t P = job->tape->n_theta;
    for (ptrdiff_t j = 0; j < P; j++)
        ((real *)job->theta)[fit * P + j] = (real)NAN;
    fill_covariance(job, fit, (real)NAN);
    ((real *)job->chi2)[fit] = (real)NAN;
    job->n_iter[fit] = 0;
    job->n_used[fit] = used;
    job->detail[fit] = (int16_t)detail;
    job->status[fit] = (int8_t)status;
}

/* Results of the fit in a stopped lane.  Returns 0 and writes nothing where the normal matrix is too
 * ill-conditioned for them and the orthogonal mode has to take over. */
static int write_outcome(const tw_fit_job *job, ptrdiff_t fit, fits *s, int lane, int32_t used, covariance_work *c) {
    const ptrdiff_t P = s->P;
    int status = (int)s->status[lane], detail = -1;
    const real chi2 = s->sum[tri(s->F, s->F) * LANES + lane];
    if (status == TW_NOT_FINITE) {
        const real trial = s->trial_sum[tri(s->F, s->F) * LANES + lane];
        write_refusal(job, fit, TW_NOT_FINITE,
                      fabs(trial) <= REAL_MAX ? TW_INPUT_DERIVATIVE : TW_INPUT_MODEL, used);
        return 1;
    }
    if (status == ILL_CONDITIONED)
        return 0;
    const int n = free_at_solution(s, lane, c);
    if (s->triangle)
        orthogonal_triangle(s, n, c);
    else if (!(cholesky_triangle(s, lane, n, c) > sqrt((double)REAL_EPS)))
        return 0;
    const int unidentified = invert_triangle(n, c);
    const double dof = used - count_free(job, fit);
    const double factor = job->absolute_sigma ? 1 : dof > 0 ? chi2 / dof : INFINITY;
    if (unidentified < 0 && factor < INFINITY)
        write_covariance(job, fit, n, factor, c);
    else
        fill_covariance(job, fit, (real)INFINITY);
    if (unidentified >= 0 && status > 0)
        status = TW_SINGULAR, detail = s->free_theta[unidentified];
    for (ptrdiff_t j = 0; j < P; j++)
        ((real *)job->theta)[fit * P + j] = s->theta[j * LANES + lane];
    ((real *)job->chi2)[fit] = chi2;
    job->n_iter[fit] = (int32_t)s->n_iter[lane];
    job->n_used[fit] = used;
    job->detail[fit] = (int16_t)detail;
    job->status[fit] = (int8_t)status;
    return 1;
}

#endif
