/* sweep_csc.h - the contract of coordinate-descent sweeps over a sparse matrix stored by columns.
 *
 * Reached by tw_active(is_float)->sweep_csc; is_float is about the values of A alone, all else is double.
 * The rules of thalweg.h hold.  For every right-hand side by itself, minimise over theta, one coordinate
 * after the other,
 *
 *     F(theta) = 1/2 sum_i w_i r_i^2 + sum_j l1_j |theta_j| + 1/2 sum_j l2_j theta_j^2,
 *     r = b - A theta - intercept,    lower_j <= theta_j <= upper_j.
 *
 * coordinate.h has the step of one coordinate.  The intercept makes that step after each sweep.  If the job
 * is `centered` it is at its minimum after every update instead, at the cost of one scalar: c_j is then the
 * curvature of the column less its weighted mean, 0 for a column that is constant to rounding.
 *
 * Where the watch (NULL: none) asks to stop, theta, residual and intercept hold what the last update left,
 * and belong together; change, fall and drift mean nothing, and nothing was computed anew from b.
 */
#ifndef TW_SWEEP_CSC_H
#define TW_SWEEP_CSC_H

#include "sweep.h"

/* What is wrong with a matrix. */
typedef enum {
    TW_CSC_OK = 0,
    TW_CSC_INDPTR,   /* indptr does not rise from 0 to nnz at this column */
    TW_CSC_ROW,      /* a row of the column is not in [0, n) */
    TW_CSC_ORDER,    /* the rows of the column do not rise: they are unsorted or duplicated */
    TW_CSC_VALUE,    /* a value of the column is NaN or infinite */
    TW_CSC_OVERFLOW, /* the column's weighted sum of squares overflows */
} tw_csc_status;

struct tw_sweep_csc_job {
    ptrdiff_t n, P, M, nnz;        /* rows, columns, right-hand sides, stored values */
    int wide;                      /* indptr and indices are int64_t, else int32_t */
    const void *indptr;            /* [P + 1]     in */
    const void *indices;           /* [nnz]       in  the rows of each column, ascending */
    const void *values;            /* [nnz] real  in */
    const double *weights;         /* [n], NULL = 1  in  >= 0 */
    struct tw_coordinates each;    /* [P] */
    const ptrdiff_t *order;        /* [n_order], NULL = 0 ... n_order - 1 = P - 1  in */
    ptrdiff_t n_order, order_step; /* from a sweep's order to the next one's; 0: they are the same */
    int greedy; /* instead: each update is the one by which F falls most, n_order in a sweep */
    ptrdiff_t sweeps;
    int centered;      /* with intercept, not with greedy */
    double *theta;     /* [P][M]                in/out  inside the bounds */
    double *residual;  /* [n][M]                in/out  r */
    double *intercept; /* [M], NULL = none      in/out */
    const double *b;   /* [n][M], NULL          in  if given, r is computed anew at the end */
    double *change; /* [M]                   out largest |change| of theta and intercept in the last sweep */
    double *fall;   /* [sweeps][M]           out by how much F fell in each sweep */
    double *drift;  /* [M], NULL without b   out largest |r - (b - A theta - intercept)| before that */
};

struct tw_sweep_csc {
    /* bytes of workspace */
    size_t (*work)(const struct tw_sweep_csc_job *job, int threads);
    /* Check A, then run the job on at most `threads` threads.  Other than TW_CSC_OK, `column` is the first
     * that is wrong, and nothing else was written. */
    tw_csc_status (*run)(const struct tw_sweep_csc_job *job, int threads, struct tw_watch *watch, void *work,
                         ptrdiff_t *column);
};

#endif
