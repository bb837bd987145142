/* adjoint/contract.h - the contract of batched adjoint accumulation and normal equations.
 *
 * tw_active(is_float)->adjoint is the table of its functions; `is_float` says the element type of J, and
 * every sum is made in double.  The rules of thalweg.h hold, except that arrays here come with strides, so
 * that a Jacobian need not be copied.
 *
 * The watch may be NULL.  If it asks to stop, results have no meaning.
 */
#ifndef TW_ADJOINT_H
#define TW_ADJOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/* One number for each row of each block. */
typedef struct {
    const void *at;       /* [K][Nx]  in  NULL: 1 everywhere                                */
    int is_float;         /*          in  whether these are float, whatever J is            */
    ptrdiff_t block, row; /*          in  distances in elements, 0 where a value is repeated */
} tw_per_row;

/* K blocks J_k of Nx rows and P columns, dense or sparse.
 *
 * Dense: J[k][i][j] is at J + k J_block + i J_row + j J_column, with J_column = 1 or J_row = 1.
 * Sparse (`indptr` not NULL): row q = k Nx + i has the elements indptr[q] <= t < indptr[q + 1], in
 * columns indices[t], which may come in any order; elements of the same place add up.  J then holds their
 * values, and its strides are not used.
 */
typedef struct {
    ptrdiff_t K, Nx, P;
    const void *J;                      /* see above               in */
    ptrdiff_t J_block, J_row, J_column; /* in elements                */
    const void *indptr, *indices;       /* [K Nx + 1], [n_stored]  in  int64_t, or int32_t */
    int is_long;                        /* whether these are int64_t  */
    ptrdiff_t n_stored;                 /* elements of J and indices  */
    tw_per_row e, weights;              /*                         in */
    int per_block;                      /* 1: K results, 0: their sum */
} tw_jacobian;

/* What the functions below return.  The bits of a worse status contain those of a better one, so that the
 * `or` of what several threads report is the worst.  After a bad index the results are undefined, but nothing
 * outside the arrays has been touched. */
typedef enum {
    TW_ADJOINT_OK = 0,
    TW_ADJOINT_NOT_FINITE = 1, /* a result is not finite: an input was not, or a sum overflowed */
    TW_ADJOINT_BAD_INDEX = 3,  /* a column outside [0, P) */
    TW_ADJOINT_BAD_INDPTR = 7, /* indptr falls somewhere, or leaves [0, n_stored] */
} tw_adjoint_status;

/* `threads` > 0 is how many threads a function uses at most, `work` a workspace of as many bytes as the
 * function ending in _work returns for the same jacobian and threads. */
struct tw_adjoint {
    /* d = scale sum_k J_k' W_k e_k, or d_k = scale J_k' W_k e_k for each block.
     *
     *   d  [P] or [K][P]  out
     */
    size_t (*sum_work)(const tw_jacobian *A, int threads);
    tw_adjoint_status (*sum)(const tw_jacobian *A, double scale, int threads, struct tw_watch *watch,
                             void *work, double *d);

    /* y_k = J_k v.  The e and weights of A are not used.
     *
     *   v  [P]      in
     *   y  [K][Nx]  out
     */
    tw_adjoint_status (*jvp)(const tw_jacobian *A, const double *v, int threads, struct tw_watch *watch,
                             double *y);

    /* JtWJ = sum_k J_k' W_k J_k,  JtWe = sum_k J_k' W_k e_k,  etWe = sum_k e_k' W_k e_k from one pass
     * over J, or these three for each block.
     *
     *   JtWJ  [P][P] or [K][P][P]  out  both triangles, with the same bits
     *   JtWe  [P] or [K][P]        out
     *   etWe  [1] or [K]           out
     */
    size_t (*normal_work)(const tw_jacobian *A, int threads);
    tw_adjoint_status (*normal)(const tw_jacobian *A, int threads, struct tw_watch *watch, void *work,
                                double *JtWJ, double *JtWe, double *etWe);
};

#endif
