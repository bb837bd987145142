/* thalweg.h - the whole C interface.
 *
 * Rules that hold for every function here:
 *   arrays   row-major and contiguous along the last axis, aligned to an element, not overlapping;
 *            where a `step` is given it is the distance between the rows of two fits in elements,
 *            and 0 means that all fits share one row
 *   real     `void *` arrays hold double, or float when `is_float` is set; all of a job alike
 *   sizes    non-negative; ptrdiff_t everywhere, so that 2^31 elements are nothing special
 *   memory   nothing is allocated or kept; the caller owns every array and the workspace, whose
 *            size the function of the same name ending in _work gives in bytes
 *   threads  re-entrant; the only state is the thread pool (pool.h) and the table of the instruction
 *            set in use (dispatch.h)
 *   bits     a result depends on its own inputs, the instruction set and the element type, never on
 *            its neighbours, its place in the batch or the number of threads
 */
#ifndef THALWEG_H
#define THALWEG_H

#include <stddef.h>
#include <stdint.h>

#include "pool.h"

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
typedef enum { TW_INPUT_Y = 0, TW_INPUT_MODEL = 1, TW_INPUT_DERIVATIVE = 2 } tw_input;

/* One instruction: slot[out] = op(slot[in[0]], ...), elementwise; op numbers as in tape_ops.h. */
typedef struct {
    int32_t op;
    int32_t out;
    int32_t in[3]; /* unused inputs repeat in[0] */
} tw_instruction;

/* Name and arity of operation `number`; arity 0 and no name beyond the last. */
int tw_operation(int number, const char **name);

/* A model f(x; theta) and its derivatives as a straight-line program in three stages.
 *
 * Slots are numbered in three ranges, each a kind of value:
 *   lane slots   [0, n_lane)                        one value per fit: the constants, then theta,
 *                                                   then results that depend on theta alone
 *   point slots  [n_lane, n_lane + n_point)         one value per point of a data set: the x inputs,
 *                                                   then results that depend on x alone
 *   block slots  [n_lane + n_point, ... + n_block)  one value per point and fit, kept for one block
 * The code of a stage writes slots of its own kind only, inputs before outputs.
 */
typedef struct {
    int32_t n_theta, n_x, n_const;
    int32_t n_lane, n_point, n_block;
    int32_t n_point_code, n_lane_code, n_block_code;
    const tw_instruction *code; /* [n_point_code + n_lane_code + n_block_code], in that order */
    const double *constants;    /* [n_const] */
    int32_t n_free;             /* derivatives, F */
    const int32_t *free_theta;  /* [F] the parameter of each derivative, ascending */
    const int32_t *output;      /* [1 + F] slots of f and of its derivatives: lane or block slots */
} tw_tape;

/* Many least-squares fits of one model:  minimise  chi2(theta) = sum_i ((y_i - f(x_i; theta)) / sigma_i)^2
 * over the free parameters, lower <= theta <= upper, for each of B fits of N points.
 *
 * A point is left out of its fit where y is NaN, the mask is 0 or sigma is infinite.
 */
typedef struct {
    const tw_tape *tape;
    int is_float;
    ptrdiff_t n_fits, n_points;
    const void *const *x;      /* [n_x] -> [N] or [B][N]   in  */
    const ptrdiff_t *x_step;   /* [n_x]                    in  */
    const void *y;             /* [B][N]                   in  */
    const void *sigma;         /* [N] or [B][N], NULL = 1  in  */
    ptrdiff_t sigma_step;      /*                              */
    const uint8_t *mask;       /* [N] or [B][N], NULL = 1  in  1 = use the point */
    ptrdiff_t mask_step;       /*                              */
    const void *start;         /* [P] or [B][P]            in  */
    ptrdiff_t start_step;      /*                              */
    const void *lower, *upper; /* [P] or [B][P], NULL = infinite  in, both or neither */
    ptrdiff_t bound_step;      /*                              */
    const uint8_t *fixed;      /* [B][P], NULL = none      in  1 = keep the start, for this fit only */
    double xtol, ftol, gtol;   /* see tw_status            in  */
    int32_t max_iter;          /* trial steps per fit      in  */
    int absolute_sigma;        /* 0: covariance times chi2 / dof  in  */
    int scaled;                /* 1: refuse only sums that no unit brings into the range (range.h)  in  */
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
    int32_t most_attempts;     /* 1: tw_fit_again will not be asked, so use up all trials; 2 or 3  in  */
    int8_t *next;              /* [B], NULL for 1 attempt  out not 0: tw_fit_again may do better */
    int8_t *attempts;          /* [B]                      out of tw_fit_again: 1, 2 or 3 */
    const tw_tape *curved;     /* or NULL                  in  of tw_fit_again: see there */
    int (*call)(void *context, const void *theta, void *f, void *J); /* or NULL  in  of tw_fit_again */
    void *context;                                                   /*                              */
} tw_fit_job;

/* Run a job on at most `threads` threads (0: the default).  Fits already finished when `watch` asks to
 * stop keep their results; the others keep status TW_NOT_RUN, which the caller has written before.
 * `done` counts finished fits while the job runs. */
size_t tw_fit_work(const tw_fit_job *job, int threads);
void tw_fit(const tw_fit_job *job, int threads, void *work, struct tw_watch *watch, _Atomic ptrdiff_t *done);

/* Later attempts of the n fits `which`, those for which tw_fit wrote that `next` is not 0, from the results
 * of tw_fit, which they replace unless the watch asks to stop; csrc/attempts.h says what is tried.  `done`
 * counts the fits.
 *
 * job->curved is a tape of 2 P parameters, theta and a direction d; its outputs are f, its F derivatives and
 * the second derivative of f along d.  Its free_theta has F + 1 entries, of which the last counts for
 * nothing. NULL: second derivatives are not to be had.
 *
 * Where the caller alone can evaluate the model, job->call(context, theta [P], f [N], J [N][F]) does, in the
 * calling thread of a job for one thread with a watch; it returns not 0 where it cannot go on, which stops
 * the job. */
size_t tw_fit_again_work(const tw_fit_job *job, ptrdiff_t n, int threads);
void tw_fit_again(const tw_fit_job *job, const ptrdiff_t *which, ptrdiff_t n, int threads, void *work,
                  struct tw_watch *watch, _Atomic ptrdiff_t *done);

/* out[k] = value of output k of the tape at each point, for one theta [P]:  out [1 + F][N].
 * x [n_x] -> [N]. */
size_t tw_tape_work(const tw_tape *tape, int is_float, ptrdiff_t n_points);
void tw_tape_run(const tw_tape *tape, int is_float, ptrdiff_t n_points, const void *const *x,
                 const void *theta, void *work, void *out);

/* The same minimisation for a model that only its caller can evaluate, one trial at a time.
 *
 *   tw_trial_begin  read data, start and bounds of fit 0 of `job` (whose tape has no code: only
 *                   n_theta, n_free and free_theta count); the first trial [P] is the start
 *   tw_trial_next   given f [N] and J [N][F] at the trial, judge it and write the next trial
 *
 * Both return 0, or 1 when the fit has ended and its results are written. */
size_t tw_trial_work(const tw_fit_job *job);
int tw_trial_begin(const tw_fit_job *job, void *work, void *trial);
int tw_trial_next(const tw_fit_job *job, void *work, const void *f, const void *J, void *trial);

#endif
