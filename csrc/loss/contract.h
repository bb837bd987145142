/* loss/contract.h - the contract of sums over samples: losses of recorded models, and their derivatives.
 *
 * tw_active(is_float)->loss is the table of its functions, for which the rules of thalweg.h hold.
 */
#ifndef TW_LOSS_H
#define TW_LOSS_H

#include "base/pool.h"
#include "tape/contract.h"

/* The term  scale * a * b  of a sample, of which each factor is a slot of a tape. */
typedef struct {
    int32_t scale; /* a lane slot, or -1 for 1.  All samples share it, so that it multiplies their sum */
    int32_t a, b;  /* lane, point or block slots; b = -1 for 1 */
} tw_term;

/* Terms t_j(y_k; theta) of K samples, j = 0 ... n_terms - 1, computed by a tape.
 *
 * Its point slots hold one block of samples at a time: whatever K is, no input is copied or kept.
 */
typedef struct {
    const tw_tape *tape;       /*                   in  its derivatives and outputs are not used */
    ptrdiff_t n_samples;       /*                   in  K */
    const void *const *x;      /* [n_x] -> [K]      in  double, or float where x_is_float */
    const ptrdiff_t *x_step;   /* [n_x]             in  elements from sample to sample */
    const uint8_t *x_is_float; /* [n_x]             in  */
    const void *theta;         /* real [n_theta]    in  */
    int32_t n_terms;           /*                   in  */
    const tw_term *terms;      /* [n_terms]         in  */
} tw_samples;

struct tw_loss {
    /* How many bytes of workspace a function below needs; n_rows is that of `normal`, for the others 0. */
    size_t (*work)(const tw_samples *samples, int32_t n_rows, int threads);

    /* sum[j] = sum_k t_j(y_k; theta)      sum  double [n_terms]  out
     * If the watch asks to stop, what this function and those below write has no meaning. */
    void (*sums)(const tw_samples *samples, int threads, void *work, struct tw_watch *watch, double *sum);

    /* value[k][j] = t_j(y_k; theta)       value  double [K][n_terms]  out */
    void (*values)(const tw_samples *samples, int threads, void *work, struct tw_watch *watch, double *value);

    /* For each sample the terms are a matrix of n_rows rows C_i = t_{i m} ... t_{i m + m - 1}, with
     * m = n_terms / n_rows.  In these terms scale and b must be -1.
     *
     * triangle = sum_k sum_i C_i' C_i      lower triangle by rows, double [m (m + 1) / 2]  out */
    void (*normal)(const tw_samples *samples, int32_t n_rows, int threads, void *work, struct tw_watch *watch,
                   double *triangle);
};

#endif
