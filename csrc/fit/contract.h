/* fit/contract.h - the contract of the fitting engine.
 *
 * tw_active(is_float)->engine is the table of its functions, for which the rules of thalweg.h hold.
 */
#ifndef TW_FIT_CONTRACT_H
#define TW_FIT_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "tape/contract.h"

/* Why a fit stopped.  src/thalweg/status.py gives each its sentence; a test walks the list. */
typedef enum {
    TW_NOT_RUN = 0,         /* interrupted before this fit finished */
    TW_FTOL = 1,            /* actual and predicted reduction of chi2 <= ftol chi2, or its rounding */
    TW_XTOL = 2,            /* every |step_j| <= xtol (|theta_j| + sqrt(chi2)/D_j) */
    TW_GTOL = 3,            /* cosine between residual and tangent plane <= gtol */
    TW_EXACT = 4,           /* chi2 at rounding level of sum (y/sigma)^2 */
    TW_MAX_ITER = -1,       /* max_iter trial steps were taken */
    TW_NO_PROGRESS = -2,    /* chi2 cannot be reduced, yet no tolerance is met */
    TW_SINGULAR = -3,       /* a parameter is not determined by the data; detail: which */
    TW_NOT_FINITE = -4,     /* an input or the model at the start is not finite; detail: tw_input */
    TW_TOO_FEW_POINTS = -5, /* fewer usable points than free parameters */
    TW_BAD_START = -6,      /* start not finite, or outside its bounds; detail: which parameter */
    TW_BAD_BOUNDS = -7,     /* lower > upper or NaN; detail: which parameter */
    TW_BAD_SIGMA = -8,      /* a sigma is not positive */
    TW_DRIFT = -9,          /* the model has gone flat: a parameter runs off to infinity; detail: which */
    TW_RANGE = -10,         /* sums of squares at the start leave the range; detail: tw_input */
} tw_status;

/* `detail` of TW_NOT_FINITE and TW_RANGE */
typedef enum {
    TW_INPUT_Y = 0,
    TW_INPUT_MODEL = 1,
    TW_INPUT_DERIVATIVE = 2,
    TW_INPUT_MEAN = 3, /* the model, as a mean of counts, is not positive: with TW_NOT_FINITE only */
} tw_input;

/* What is summed over the points (fit/noise.h): squares, the deviance of counts, or a robust loss. */
typedef enum { TW_NORMAL = 0, TW_POISSON = 1, TW_HUBER = 2, TW_SOFT_L1 = 3, TW_CAUCHY = 4 } tw_noise;

/* Many least-squares fits of one model:  minimise  chi2(theta) = sum_i ((y_i - f(x_i; theta)) / sigma_i)^2
 * over the free parameters, lower <= theta <= upper, for each of B fits of N points.
 *
 * A point is left out of its fit where y is NaN, the mask is 0 or sigma is infinite.
 *
 * With another `noise` than TW_NORMAL another sum of losses takes the place of chi2 here and below
 * (fit/noise.h).  Such a job has n_linear = 0 and no call; one of counts has no sigma and absolute_sigma = 1.
 */
typedef struct {
    const tw_tape *tape;
    int is_float;
    ptrdiff_t n_fits, n_points;
    const void *const *x;      /* [n_x] -> [N] or [B][N]   in  */
    const ptrdiff_t *x_step;   /* [n_x]                    in  */
    const void *y;             /* [B][N]                   in  */
    const void *sigma;         /* [N] or [B][N], NULL = 1  in  */
    ptrdiff_t sigma_step;      /*                          in  */
    const uint8_t *mask;       /* [N] or [B][N], NULL = 1  in  1 = use the point */
    ptrdiff_t mask_step;       /*                          in  */
    const void *start;         /* [P] or [B][P]            in  */
    ptrdiff_t start_step;      /*                          in  */
    const void *lower, *upper; /* [P] or [B][P], NULL = infinite  in, both or neither */
    ptrdiff_t bound_step;      /*                          in  */
    const uint8_t *fixed;      /* [B][P], NULL = none      in  1 = keep the start, for this fit only */
    double xtol, ftol, gtol;   /* see tw_status            in  */
    int32_t max_iter;          /* trial steps per fit      in  */
    int absolute_sigma;        /* 0: covariance times chi2 / dof  in  */
    int scaled;                /* 1: refuse only sums that no unit brings into the range (fit/range.h)  in  */
    void *theta;               /* [B][P]                   out */
    void *covariance;          /* [B][F(F+1)/2]            out lower triangle by rows, 0 for parameters at a
                                                               bound, infinite where chi2 / dof is not defined */
    void *chi2;                /* [B]                      out */
    int32_t *n_iter;           /* [B]                      out trial steps taken */
    int64_t *n_used;           /* [B]                      out points used */
    int8_t *status;            /* [B]                      out tw_status */
    int32_t *detail;           /* [B]                      out see tw_status, else -1 */
    int32_t n_linear;          /* parameters in which f is linear together, or 0 */
    const int32_t *linear;     /* [n_linear]               in  their places in free_theta */
    int eliminate;             /* 1: the first step puts these at their best, whatever they start at  in */
    int32_t most_attempts;     /* 1, 2 or 3; if 1, the first attempt has all trials      in  */
    int8_t *next;          /* [B], NULL: no `again`    out not 0: `again` may do better, or find a saddle */
    int8_t *attempts;      /* [B], NULL if next is     out 1, 2 or 3 */
    const tw_tape *curved; /* NULL = none              in  second derivatives, for `again` */
    int (*call)(void *context, const void *theta, void *f, void *J); /* NULL = by tape  in  for `again` */
    void *context;                                                   /* passed to call  in  */
    double jacobian_error;  /* of a column of J that the caller evaluates, relative; 0: rounding alone  in */
    int noise;              /* a tw_noise               in  */
    const void *f_scale;    /* [1] or [B]               in  the scale s of a robust loss, in units of sigma;
                                                            NULL if the loss is not robust */
    ptrdiff_t f_scale_step; /* 0 or 1                  in  */
} tw_fit_job;

/* Groups of data sets that share parameters: each group has one value of each shared parameter, and every
 * data set its own values of the others.  What is minimised is the sum of chi2 over a group.
 */
typedef struct {
    ptrdiff_t n_groups;
    const int64_t
        *begin; /* [n_groups + 1]  in  data sets begin[g] ... begin[g + 1] - 1, at least one, are group g */
    int32_t n_shared;      /* at least 1 */
    const int32_t *shared; /* [n_shared]      in  their places in free_theta, ascending */
    int partial;           /* 0: the job has neither sigma nor mask, and no y is NaN      in  */
    int8_t *status;        /* [n_groups]      out tw_status of the group */
    double *chi2;          /* [n_groups]      out the sum of chi2 of the data sets that take part */
    int64_t *n_used;       /* [n_groups]      out their points */
    int64_t *n_free;       /* [n_groups]      out their free parameters, each shared one counted once */
} tw_fit_groups;

/* The engine of one instruction set and element type. */
struct tw_engine {
    /* Run a job on at most `threads` threads.  When `watch` asks to stop, finished fits keep their results
     * and the others keep status TW_NOT_RUN, which the caller has written before.  `done` counts the finished
     * fits while the job runs. */
    size_t (*fit_work)(const tw_fit_job *job, int threads);
    void (*fit)(const tw_fit_job *job, int threads, void *work, struct tw_watch *watch,
                _Atomic ptrdiff_t *done);

    /* Run the later attempts (fit/attempts.h) of the n fits `which`, for which `fit` has set `next` to
     * another value than 0.  They begin from the results of `fit` and replace them, except those of fits that
     * are not finished when the watch asks to stop.  `done` counts the finished fits.
     *
     * job->curved is a tape of 2 P parameters, theta and a direction d; its outputs are f, its F derivatives
     * and the second derivative of f along d.  Its free_theta has F + 1 entries, of which the last is not
     * used.  job->curved is NULL where the model has no second derivatives.
     *
     * Where only the caller can evaluate the model, job->call(context, theta [P], f [N], J [N][F]) does so;
     * where J is NULL it writes f alone.
     * It is called by the thread that called `again`; such a job has one thread, and has a watch.  A return
     * value other than 0 says that the caller cannot go on, and stops the job. */
    size_t (*again_work)(const tw_fit_job *job, ptrdiff_t n, int threads);
    void (*again)(const tw_fit_job *job, const ptrdiff_t *which, ptrdiff_t n, int threads, void *work,
                  struct tw_watch *watch, _Atomic ptrdiff_t *done);

    /* Fit the groups of a job.  The starts and bounds of a shared parameter are the same for all data sets of
     * a group, and none of them is fixed for some data sets only.  job->covariance of a data set is that of
     * its own and the shared parameters, beside all others of its group.  A data set that cannot take part
     * gets its reason, and theta and covariance of the shared parameters alone; its group does without it. */
    size_t (*shared_work)(const tw_fit_job *job, const tw_fit_groups *groups, int threads);
    void (*shared)(const tw_fit_job *job, const tw_fit_groups *groups, int threads, void *work,
                   struct tw_watch *watch, _Atomic ptrdiff_t *done);

    /* Write the value of output k of the tape at each point, for one theta [P], to row k of out [1 + F][N].
     * x [n_x] -> [N]. */
    size_t (*tape_work)(const tw_tape *tape, ptrdiff_t n_points);
    void (*tape_run)(const tw_tape *tape, ptrdiff_t n_points, const void *const *x, const void *theta,
                     void *work, void *out);

    /* The same minimisation for a model that only its caller can evaluate, one trial at a time.
     *
     *   trial_begin  read data, start and bounds of fit 0 of `job` (whose tape has no code: only
     *                n_theta, n_free and free_theta count); the first trial [P] is the start
     *   trial_next   given f [N] and J [N][F] at the trial, judge it and write the next trial.  J may be
     *                `rough`, an approximation that leads on but on which nothing is to rest
     *
     * Both return 0; or 1 when the fit has ended and its results are written; or 2 when it would end where J
     * is rough: then the next trial is that place, where J must not be rough. */
    size_t (*trial_work)(const tw_fit_job *job);
    int (*trial_begin)(const tw_fit_job *job, void *work, void *trial);
    int (*trial_next)(const tw_fit_job *job, void *work, const void *f, const void *J, int rough,
                      void *trial);
};

#endif
