/* state.h - the state of a group of fits, one per lane, on which damped.h, step.h and confirm.h work. */
#ifndef TW_STATE_H
#define TW_STATE_H

#include <math.h>

#include "fit/noise.h"
#include "fit/orthogonal.h"

/* The status of a lane is RUNNING, a tw_status, or one of two that the user never sees.  ILL_CONDITIONED: the
 * normal matrix is singular to rounding, and the orthogonal mode takes the fit over.  SLOW: chi2 hardly falls
 * any more, and look_for_drift (covariance.h) decides whether a parameter runs off to infinity. */
enum { RUNNING = 0, ILL_CONDITIONED = 100, SLOW = 101 };

#define PICK(of_double, of_float) ((real)(sizeof(real) == 8 ? (of_double) : (of_float)))

/* The data determine a parameter if the square root of its variance inflation (covariance.h) is at most
 * TRUSTED. A column of J, scaled to length 1, whose R_jj is at most LOST_COLUMN is a combination of the
 * columns before it. */
#define TRUSTED PICK(1e10, 1e5)
#define LOST_COLUMN (1 / (1000 * TRUSTED))

#define LEAST_DAMPING (REAL_MIN * 0x1p40) /* good steps lower lambda no further: it stays a normal number */
#define FIRST_DAMPING ((real)1e-2)        /* lambda at the start of an attempt */
/* A pivot of the damped normal matrix that is at most WEAK_PIVOT times its diagonal element is rounding: the
 * matrix is singular, and a step by its factors is worthless. */
#define WEAK_PIVOT (64 * REAL_EPS)
enum { MARKS = 4 }; /* chi2 must fall over the last MARKS (F + 1) kept trials: see look_back, damped.h */

typedef struct {
    real xtol, ftol, gtol;
    int32_t limit; /* trials after which the attempt ends */
    int bounded;
    int scaled; /* as in the job: which sums are refused as out of range (range.h) */
    int last;   /* no other attempt follows, so a slow fit is given more time */
} tolerances;

/* A group of fits of P parameters, F of them free.  Every array is [...][LANES]; a "triangle" of n is the
 * lower triangle of a symmetric matrix of n rows, tri(n, 0) elements. */
typedef struct {
    int P, F;
    int counts;       /* is what is minimised the deviance of counts? */
    int by_calls;     /* does the caller evaluate the model, and J perhaps by differences? */
    ptrdiff_t n_sums; /* elements of sum: the triangle, and behind it further sums of the noise (noise.h) */
    const int32_t *free_theta;                   /* [F] */
    real *start, *theta, *trial, *lower, *upper; /* [P] */
    real *sum, *trial_sum;                       /* triangle of F + 1: [J|e]'[J|e] at theta, at trial */
    real *best_chi2;                             /* the smallest chi2 at any theta so far */
    real *best_theta, *best_sum;                 /* [P], triangle: where that was; set if not at theta */
    real *noise, *best_noise;                    /* the rounding noise of chi2 at theta, and there */
    real *scale2;                                /* [F] D^2 */
    real *largest2;                              /* [F] the largest (J'J)_jj of the attempt */
    real *step;                                  /* [F] trial - theta */
    real *promised, *lambda, *delta, *magnitude; /* delta: limit of |D d|; magnitude: sum (y/sigma)^2 */
    real *moved;                                 /* [F] the last step that was kept */
    real *dof;                                   /* points less free parameters, at least 1 */
    real *mark;                                  /* [MARKS] chi2 at earlier marks, the latest first */
    real *proved;                /* the least chi2 that a trial proved to be reached (certify) */
    mask_int *held;              /* [F] the parameter is at a bound and not free in this step */
    mask_int *fresh, *kept;      /* the trial is the start; the last trial was kept */
    mask_int *asked;             /* advance has tested already whether the step is small */
    mask_int *status, *n_iter;   /* why the lane stopped, or RUNNING; trials */
    mask_int *idle, *in_vain;    /* what MOST_IDLE and TRUST limit (damped.h) */
    mask_int *until_mark;        /* kept trials until the next mark */
    mask_int *doubt;             /* the status of a success that could not be shown, or 0 */
    mask_int *lost;              /* with TW_DRIFT: the parameter that runs off */
    real *untaken;               /* what the undamped step promises at the end, if not taken */
    real *resumed;               /* chi2 when confirm last let the lane go on */
    real *factor, *pivot, *work; /* of a step: triangle of F; [F] 1/pivot; [2 F] */
    real *covariance, *unit;     /* of a stopped lane: triangle of F, of columns of length 1; [F] 1/length */
    int n_linear;                /* how many parameters f is linear in together */
    const int32_t *linear;       /* [n_linear] their places among the free ones */
    mask_int *eliminates;        /* these have still to be put at their best (step.h: begin_at_best) */
    real *linear_matrix;         /* triangle of n_linear + 1: workspace of certify */
    int projecting;              /* lane 0: each trial has its linear parameters at their best (attempts.h) */
    int8_t *projected;           /* lane 0: [F] is this one of those? */
    real *triangle;              /* orthogonal mode: R of lane 0; else NULL */
    real *best_triangle;         /* R where chi2 was smallest */
    real *rows, *small; /* workspace of the orthogonal mode: [F + 1][padded F + 1], triangle of F + 1 */
} fits;

static fits fits_on(arena *a, const tw_fit_job *job, int orthogonal) {
    const tw_tape *t = job->tape;
    const ptrdiff_t P = t->n_theta, F = t->n_free, L = LANES, T = tri(F + 1, 0);
    fits s = {.P = (int)P, .F = (int)F, .free_theta = t->free_theta};
    s.counts = job->noise == TW_POISSON, s.by_calls = !t->output;
    const ptrdiff_t S = s.n_sums = T + further_sums(job);
    s.n_linear = job->n_linear, s.linear = job->linear;
    s.start = TAKE(a, real, P * L), s.theta = TAKE(a, real, P * L), s.trial = TAKE(a, real, P * L);
    s.lower = TAKE(a, real, P * L), s.upper = TAKE(a, real, P * L);
    s.best_theta = TAKE(a, real, P * L), s.best_sum = TAKE(a, real, S * L);
    s.best_chi2 = TAKE(a, real, L), s.noise = TAKE(a, real, L), s.best_noise = TAKE(a, real, L);
    s.sum = TAKE(a, real, S * L), s.trial_sum = TAKE(a, real, S * L);
    s.scale2 = TAKE(a, real, F * L), s.step = TAKE(a, real, F * L);
    s.largest2 = orthogonal ? TAKE(a, real, F * L) : s.scale2;
    s.promised = TAKE(a, real, L), s.lambda = TAKE(a, real, L), s.delta = TAKE(a, real, L);
    s.magnitude = TAKE(a, real, L), s.dof = TAKE(a, real, L);
    s.moved = TAKE(a, real, F * L);
    s.mark = TAKE(a, real, MARKS * L), s.proved = TAKE(a, real, L);
    s.held = TAKE(a, mask_int, F * L), s.fresh = TAKE(a, mask_int, L), s.kept = TAKE(a, mask_int, L);
    s.asked = TAKE(a, mask_int, L), s.eliminates = TAKE(a, mask_int, L);
    s.status = TAKE(a, mask_int, L), s.n_iter = TAKE(a, mask_int, L);
    s.idle = TAKE(a, mask_int, L), s.in_vain = TAKE(a, mask_int, L);
    s.until_mark = TAKE(a, mask_int, L);
    s.doubt = TAKE(a, mask_int, L), s.lost = TAKE(a, mask_int, L), s.resumed = TAKE(a, real, L),
    s.untaken = TAKE(a, real, L);
    s.factor = TAKE(a, real, tri(F, 0) * L), s.pivot = TAKE(a, real, F * L);
    s.work = TAKE(a, real, 2 * F * L), s.covariance = TAKE(a, real, tri(F, 0) * L);
    s.unit = TAKE(a, real, F * L);
    s.linear_matrix = TAKE(a, real, tri(s.n_linear + 1, 0) * L);
    s.projected = orthogonal ? TAKE(a, int8_t, F) : NULL;
    s.triangle = orthogonal ? TAKE(a, real, T) : NULL;
    s.best_triangle = orthogonal ? TAKE(a, real, T) : NULL;
    s.rows = orthogonal ? TAKE(a, real, (F + 1) * padded_rows(F + 1)) : NULL;
    s.small = orthogonal ? TAKE(a, real, T) : NULL;
    for (ptrdiff_t k = 0; k < P * L && !a->measuring; k++) /* where the job has no bounds, this stays */
        s.lower[k] = (real)-INFINITY, s.upper[k] = (real)INFINITY;
    return s;
}

/* The native vector at lane o of element j of an array [...][LANES], as a place, a value and a mask. */
#define AT(array, j) ((array)[(ptrdiff_t)(j) * LANES + o])
#define LOAD(array, j) v_load(&AT(array, j))
#define STORE(array, j, value) v_store(&AT(array, j), value)
#define MASK(array, j) (*(ivec *)&AT(array, j))

/* Let a lane begin an attempt, of which the start is the first trial. */
static void begin_fit(fits *s, int lane) {
    s->fresh[lane] = -1;
    s->status[lane] = RUNNING;
    s->n_iter[lane] = s->idle[lane] = s->in_vain[lane] = s->doubt[lane] = s->kept[lane] = 0;
    s->lost[lane] = -1;
    s->eliminates[lane] = 0;
    s->until_mark[lane] = s->F + 1;
    for (int k = 0; k < MARKS; k++)
        s->mark[k * LANES + lane] = (real)INFINITY;
    s->best_chi2[lane] = s->resumed[lane] = s->proved[lane] = (real)INFINITY;
    s->noise[lane] = s->best_noise[lane] = s->promised[lane] = s->untaken[lane] = 0;
    for (int j = 0; j < s->P; j++)
        s->theta[j * LANES + lane] = s->trial[j * LANES + lane] = s->start[j * LANES + lane];
    s->lambda[lane] = FIRST_DAMPING, s->delta[lane] = (real)INFINITY;
    for (int j = 0; j < s->F; j++) {
        s->scale2[j * LANES + lane] = s->largest2[j * LANES + lane] = s->step[j * LANES + lane] = 0;
        s->moved[j * LANES + lane] = 0;
        s->held[j * LANES + lane] = 0;
    }
}

/* Copy the state of one lane to a place of another group.  Left out are what the next step or the covariance
 * computes anew, the trial's sums, the start, and bounds where there are none. */
static void copy_lane(const fits *from, int lane, fits *to, int place, int bounded) {
#define COPY(array, rows)                                                                                    \
    for (ptrdiff_t row = 0; row < (rows); row++)                                                             \
    to->array[row * LANES + place] = from->array[row * LANES + lane]
    const ptrdiff_t P = from->P, F = from->F;
    COPY(theta, P);
    COPY(trial, P);
    COPY(sum, from->n_sums);
    COPY(scale2, F);
    COPY(step, F);
    COPY(moved, F);
    COPY(mark, MARKS);
    COPY(promised, 1);
    COPY(lambda, 1);
    COPY(delta, 1);
    COPY(magnitude, 1);
    COPY(dof, 1);
    COPY(proved, 1);
    COPY(noise, 1);
    COPY(best_chi2, 1);
    COPY(best_noise, 1);
    COPY(resumed, 1);
    COPY(kept, 1);
    COPY(asked, 1);
    COPY(status, 1);
    COPY(n_iter, 1);
    COPY(idle, 1);
    COPY(in_vain, 1);
    COPY(until_mark, 1);
    COPY(doubt, 1);
    COPY(lost, 1);
    if (bounded) {
        COPY(lower, P);
        COPY(upper, P);
        COPY(held, F);
    }
    if (from->best_chi2[lane] < from->sum[tri(F, F) * LANES + lane]) { /* else the best place is theta */
        COPY(best_theta, P);
        COPY(best_sum, from->n_sums);
    }
#undef COPY
    to->fresh[place] = 0;
}

/* Stop those lanes of the mask that are running, with this status. */
TW_INLINE void stop(fits *s, int o, ivec where, mask_int why) {
    ivec status = MASK(s->status, 0);
    where &= status == RUNNING;
    MASK(s->status, 0) = (where & why) | (~where & status);
}

/* What stands at LEAST_SHARE (noise.h) in the sums that may end a fit. */
TW_INLINE real last_share(int noise) { return noise == TW_POISSON ? EDGE : LEAST_CURVATURE; }

/* The mean below which counts of 0 are steep in the trial: 0 until a trial has been rejected, which sets the
 * region. */
TW_INLINE vec steep_below(const fits *s, int o) {
    const ivec steep = s->triangle ? ~(ivec){0} : LOAD(s->delta, 0) <= REAL_MAX;
    return v_and(steep, v_set(EDGE));
}

/* The share of rho' that each a of the trial is at least (noise.h): 1 far from a minimum.  The orthogonal
 * mode, which begins where another has ended and takes roots of a, is neither far nor near; nor is
 * a trial near whose mark is overdue (look_back, damped.h), for a fit may end there as slow. */
TW_INLINE vec least_share(const fits *s, int noise, int o) {
    if (noise <= TW_POISSON)
        return noise == TW_POISSON ? steep_below(s, o) : v_set(0);
    const vec promised = LOAD(s->promised, 0), chi2 = LOAD(s->sum, tri(s->F, s->F));
    const ivec first = MASK(s->fresh, 0), far = first | (promised > FAR * chi2);
    const ivec near = (promised <= NEAR * chi2) & (promised > v_max(THERE * chi2, LOAD(s->noise, 0)));
    vec share = v_sel(far, v_set(1), v_set(LEAST_CURVATURE));
    if (noise == TW_CAUCHY)
        share = v_sel(near & ~first & (MASK(s->until_mark, 0) > 0), v_set(TRUE_CURVATURE), share);
    return s->triangle ? v_set(last_share(noise)) : share;
}

/* The share of rho' that each a in the sums at theta is at least; 0 where there is none. */
TW_INLINE vec share_of_sums(const fits *s, int o) {
    return s->n_sums > tri(s->F + 1, 0) ? LOAD(s->sum, s->n_sums - 1) : v_set(0);
}

/* May the matrix at theta be indefinite, because it holds the second derivatives of the losses? */
TW_INLINE ivec is_true(const fits *s, int o) { return share_of_sums(s, o) < 0; }

/* Are the sums at theta those of a trial far from a minimum, or not yet at it?  They may not end a fit: of
 * the first the steps are short, and say nothing of how near a minimum is; neither give its error bars. */
TW_INLINE ivec is_coarse(const fits *s, int o) {
    return (share_of_sums(s, o) > LEAST_CURVATURE) | is_true(s, o);
}

/* 1/D_j of lane 0; 1 for a column of J that was always 0 */
static real inverse_scale(const fits *s, int j) {
    const real D2 = s->scale2[j * LANES];
    return D2 > 0 ? 1 / (real)sqrt(D2) : 1;
}

/* The lanes that need a next trial: running ones, and such as met a tolerance or are slow, for these may be
 * resumed. */
TW_INLINE ivec may_go_on(const fits *s, int o) {
    const ivec status = MASK(s->status, 0);
    return ((status >= RUNNING) & (status <= TW_GTOL)) | (status == SLOW);
}

#endif
