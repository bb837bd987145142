/* adjoint/contract.h - the contract of batched adjoint accumulation and normal equations.
 *
 * Reached by tw_active(is_float)->adjoint; `is_float` is the element type of J, every sum is made in
 * double.  The rules of thalweg.h hold, but that arrays here come with the strides their owner gave
 * them: whoever has a Jacobian keeps it where and as it is.
 *
 * Where the watch (NULL: none) asks to stop, results mean nothing.
 */
#ifndef TW_ADJOINT_H
#define TW_ADJOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/* One number for each row of each block. */
typedef struct {
    const void *at;       /* [K][Nx]  in  NULL: 1 everywhere                                  */
    int is_float;         /*              whether these are float, whatever J is              */
    ptrdiff_t block, row; /*            distances in elements, 0 where a value is repeated  */
} tw_per_row;

/* K blocks J_k of Nx rows and P columns, dense or sparse.
 *
 * Dense: J[k][i][j] is at J + k J_block + i J_row + j J_column, with J_column = 1 or J_row = 1.
 * Sparse (`indptr` not NULL): row q = k Nx + i has the elements indptr[q] <= t < indptr[q + 1], in
 * columns indices[t]; any order, and elements of the same place add up.  J is then their values, and
 * its strides are not used.
 */
typedef struct {
    ptrdiff_t K, Nx, P;
    const void *J;                      /* see above               in */
    ptrdiff_t J_block, J_row, J_column; /* in elements                */
    const void *indptr, *indices;       /* [K Nx + 1], [n_stored]  in  int64_t, or int32_t */
    int is_long;                        /* whether those are int64_t  */
    ptrdiff_t n_stored;                 /* elements of J and indices  */
    tw_per_row e, weights;              /*                         in */
    int per_block;                      /* 1: K results, 0: their sum */
} tw_jacobian;

/* What the functions below return.  The bits of a worse status contain those of a better one: so the `or` of
 * what several threads report is the worst.  After a bad index the results are undefined, but nothing outside
 * the arrays was touched. */
typedef enum {
    TW_ADJOINT_OK = 0,
    TW_ADJOINT_NOT_FINITE = 1, /* a result is not finite: so was an input, or the sum overflows */
    TW_ADJOINT_BAD_INDEX = 3,  /* a column outside [0, P) */
    TW_ADJOINT_BAD_INDPTR = 7, /* it falls somewhere, or leaves [0, n_stored] */
} tw_adjoint_status;

/* `threads`: at most so many at once, > 0.  `work`: as many bytes as the function ending in _work
 * says for the same jacobian and threads. */
struct tw_adjoint {
    /* d = scale sum_k J_k' W_k e_k, or d_k = scale J_k' W_k e_k for each block.
     *
     *   d  [P] or [K][P]  out
     */
    size_t (*sum_work)(const tw_jacobian *A, int threads);
    tw_adjoint_status (*sum)(const tw_jacobian *A, double scale, int threads, struct tw_watch *watch,
                             void *work, double *d);

    /* y_k = J_k v; e and weights are not used.
     *
     *   v  [P]      in
     *   y  [K][Nx]  out
     */
    tw_adjoint_status (*jvp)(const tw_jacobian *A, const double *v, int threads, struct tw_watch *watch,
                             double *y);

    /* JtWJ = sum_k J_k' W_k J_k,  JtWe = sum_k J_k' W_k e_k,  etWe = sum_k e_k' W_k e_k from one pass
     * over J, or the three for each block.
     *
     *   JtWJ  [P][P] or [K][P][P]  out  both triangles, the same bits
     *   JtWe  [P] or [K][P]        out
     *   etWe  [1] or [K]           out
     */
    size_t (*normal_work)(const tw_jacobian *A, int threads);
    tw_adjoint_status (*normal)(const tw_jacobian *A, int threads, struct tw_watch *watch, void *work,
                                double *JtWJ, double *JtWe, double *etWe);
};

#endif
