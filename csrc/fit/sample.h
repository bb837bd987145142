/* sample.h - how a fit's data, start and bounds come from the job into a lane. */
#ifndef TW_SAMPLE_H
#define TW_SAMPLE_H

#include "fit/step.h"

/* Row `fit` of an array of the job, or its only row. */
#define ROW(type, array, step) ((const type *)(array) + fit * (step))

/* A data set on its way into a lane, where y and weight = 1/sigma lie `stride` elements apart. */
typedef struct {
    real *y, *weight; /* weight is NULL if it is not to be stored */
    ptrdiff_t stride;
    int64_t used;   /* points that are not left out */
    real magnitude; /* sum of (y/sigma)^2 */
    real unseen;    /* the largest |y/sigma| of points whose weight squared underflows, or -1 */
    int some_y;     /* is some y that is used not 0?  looked for only where magnitude is 0 */
} sample;

/* The magnitude that range.h is given: the smallest number if it vanished although y does not, infinity if
 * the weight squared of a point that matters underflowed, else the sum itself.  Of a robust loss it is no
 * more than it would be if eps y were its scale: beyond that an outlier, not the model, sets the size of y.
 */
static real magnitude_of(const tw_fit_job *job, ptrdiff_t fit, const sample *data) {
    const real scale = f_scale_of(job, fit), most = scale * scale * (real)data->used / REAL_EPS;
    if (job->f_scale && data->magnitude > most && data->magnitude <= REAL_MAX)
        return most;
    if (data->unseen >= 0 && !(data->unseen * data->unseen < REAL_EPS * REAL_EPS * data->magnitude))
        return (real)INFINITY;
    return data->magnitude == 0 && data->some_y ? REAL_MIN * REAL_EPS : data->magnitude;
}

/* Load point i of a data set; returns its (y/sigma)^2, or of counts y.  A point that is left out gets y =
 * weight = 0. */
TW_INLINE real load_point(const real *y, const real *sigma, const uint8_t *mask, int counts, ptrdiff_t i,
                          sample *to, tw_status *status) {
    const real error = sigma ? sigma[i] : 1;
    const int use = (!mask || mask[i]) && !(y[i] != y[i]) && error <= REAL_MAX;
    if ((!mask || mask[i]) && !(error > 0))
        *status = TW_BAD_SIGMA;
    else if (use && !(fabs(y[i]) <= REAL_MAX))
        *status = TW_NOT_FINITE;
    const real weight = use ? 1 / error : 0, value = use ? y[i] : 0;
    to->y[i * to->stride] = value;
    if (to->weight)
        to->weight[i * to->stride] = weight;
    to->used += use;
    if (sigma && use && weight * weight < REAL_MIN / REAL_EPS && (real)fabs(value * weight) > to->unseen)
        to->unseen = (real)fabs(value * weight);
    return counts ? value : value * weight * value * weight;
}

/* Load n points; returns TW_NOT_RUN, or why the fit cannot run.  Counts have no sigma: of the mean f of a
 * count, which is its variance too, (f / sigma)^2 is f, so that the magnitude is the sum of the counts.  Four
 * sums run side by side, since in one sum each addition waits for the one before; point i is in sum i mod 4,
 * so that points that are left out behind the others change no bit. */
TW_INLINE tw_status load_rows(const real *y, const real *sigma, const uint8_t *mask, int counts, ptrdiff_t n,
                              sample *into) {
    tw_status status = TW_NOT_RUN;
    sample to = *into; /* a copy, which the compiler keeps in registers */
    real part[4] = {0};
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            part[k] += load_point(y, sigma, mask, counts, i + k, &to, &status);
    for (int k = 0; i + k < n; k++)
        part[k] += load_point(y, sigma, mask, counts, i + k, &to, &status);
    const real magnitude = (part[0] + part[1]) + (part[2] + part[3]);
    for (i = 0; magnitude == 0 && i < n; i++)
        to.some_y |= to.y[i * to.stride] != 0;
    to.magnitude += magnitude;
    *into = to;
    return status;
}

/* Load points first ... first + n - 1 of data set `fit`. */
static tw_status load_points(const tw_fit_job *job, ptrdiff_t fit, ptrdiff_t first, ptrdiff_t n, sample *to) {
    const real *y = ROW(real, job->y, job->n_points) + first;
    const real *sigma = job->sigma ? ROW(real, job->sigma, job->sigma_step) + first : NULL;
    const uint8_t *mask = job->mask ? ROW(uint8_t, job->mask, job->mask_step) + first : NULL;
    if (job->noise == TW_POISSON)
        return mask ? load_rows(y, NULL, mask, 1, n, to) : load_rows(y, NULL, NULL, 1, n, to);
    if (!sigma && !mask) /* the common case, without their branches */
        return load_rows(y, NULL, NULL, 0, n, to);
    return load_rows(y, sigma, mask, 0, n, to);
}

/* Load the bounds of data set `fit` into a lane that has its start; a parameter that is fixed for this fit
 * gets both bounds at its start. */
static tw_status load_bounds(const tw_fit_job *job, ptrdiff_t fit, fits *s, int lane, int32_t *detail) {
    const uint8_t *fixed = job->fixed ? ROW(uint8_t, job->fixed, s->P) : NULL;
    for (int j = 0; j < s->P; j++) {
        const ptrdiff_t at = j * LANES + lane;
        s->lower[at] = job->lower ? ROW(real, job->lower, job->bound_step)[j] : -(real)INFINITY;
        s->upper[at] = job->upper ? ROW(real, job->upper, job->bound_step)[j] : (real)INFINITY;
        *detail = j;
        if (!(s->lower[at] <= s->upper[at]))
            return TW_BAD_BOUNDS;
        if (!(s->start[at] >= s->lower[at] && s->start[at] <= s->upper[at]))
            return TW_BAD_START;
        if (fixed && fixed[j])
            s->lower[at] = s->upper[at] = s->start[at];
    }
    *detail = -1;
    return TW_NOT_RUN;
}

/* Load start and bounds, if there are any, of data set `fit` into a lane.  Returns TW_NOT_RUN, or why the fit
 * cannot run, and in *detail because of which parameter. */
static tw_status load_start(const tw_fit_job *job, ptrdiff_t fit, fits *s, int lane, int32_t *detail) {
    const real *start = ROW(real, job->start, job->start_step);
    for (int j = 0; j < s->P; j++) {
        s->start[j * LANES + lane] = start[j];
        *detail = j;
        if (!(fabs(start[j]) <= REAL_MAX))
            return TW_BAD_START;
    }
    *detail = -1;
    return job->lower || job->fixed ? load_bounds(job, fit, s, lane, detail) : TW_NOT_RUN;
}

/* The number of free parameters of data set `fit` */
static int count_free(const tw_fit_job *job, ptrdiff_t fit) {
    const tw_tape *t = job->tape;
    int n = t->n_free;
    for (int k = 0; job->fixed && k < t->n_free; k++)
        n -= ROW(uint8_t, job->fixed, t->n_theta)[t->free_theta[k]] != 0;
    return n;
}

#endif
