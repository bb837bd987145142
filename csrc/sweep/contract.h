/* sweep/contract.h - the contract of coordinate-descent sweeps.
 *
 * Reached by tw_active(is_float)->sweep; is_float is about A alone, all else is double.  The rules of
 * thalweg.h hold.
 *
 * Minimise over theta, one coordinate after the other,
 *
 *     F(theta) = 1/2 sum_i w_i r_i^2 + sum_j l1_j |theta_j| + 1/2 sum_j l2_j theta_j^2,
 *     r = b - A theta,    lower_j <= theta_j <= upper_j;
 *
 * b itself is not needed.  coordinate.h has the step of one coordinate.
 *
 * Where the watch (NULL: none) asks to stop, arrays that are written mean nothing, but for theta and q of
 * gram_run: they belong together, after the last update that was made.
 */
#ifndef TW_SWEEP_H
#define TW_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

enum { TW_SWEEP_WIDTH = 4 }; /* columns in a block */

/* What is known of each coordinate, C of them. */
struct tw_coordinates {
    const double *l1, *l2;       /* [C] in  >= 0 */
    const double *lower, *upper; /* [C] in  -INFINITY, INFINITY: no bound */
    double relaxation;           /* omega in (0, 2): theta moves omega times as far; 1: to the minimum */
};

/* What a run returns: OK, or what is wrong with a column of A.  `where` of the job is then the first such
 * column, theta and residual hold no answer, and of a sparse A nothing else was written. */
typedef enum {
    TW_SWEEP_OK = 0,
    TW_SWEEP_BAD_INDPTR, /* indptr does not rise from 0 to nnz at this column */
    TW_SWEEP_BAD_ROW,    /* a row of the column is not in [0, n) */
    TW_SWEEP_BAD_ORDER,  /* the rows of the column do not rise: they are unsorted or duplicated */
    TW_SWEEP_NOT_FINITE, /* a value of the column is NaN or infinite */
    TW_SWEEP_OVERFLOW,   /* the column's weighted sum of squares is not finite; of a dense A, whose values
                            are not looked at, for either reason */
} tw_sweep_status;

/* M right-hand sides at once.  Coordinates are the P columns of A and, with an intercept, a column of ones
 * that follows them; C = P + intercept.
 *
 * If it is `centered`, the intercept is no coordinate of the order: it is at its minimum before every update,
 * which is coordinate descent on the columns less their weighted means. */
struct tw_sweep_job {
    ptrdiff_t n, P, M;
    const void *A;                   /* element (i, j) at A[i row_step + j column_step]  in */
    ptrdiff_t row_step, column_step; /* in elements, of either sign */
    const double *weights;           /* [n], NULL = 1    in  >= 0 */
    int intercept, centered;    /*                  1: there is a column of ones, with or without order */
    struct tw_coordinates each; /* [C] */
    const ptrdiff_t *order;     /* [n_order]        in  coordinates in the order of their updates */
    ptrdiff_t n_order, sweeps;  /*                  the order is gone through so many times */
    double *theta;              /* [M][C]           in/out */
    double *residual;           /* [M][n]           in/out */
    double *gram;               /* [tw_sweep.gram]  out, in where gram_known: the same A, weights and order */
    int gram_known;             /*                  0: compute gram in the first sweep */
    double *change;   /* [M]              out largest |change of theta_j| in the last sweep; of a centered
                                              intercept, what goes with the changes of the others */
    double *fall;     /* [sweeps][M]      out by how much F fell in each sweep */
    ptrdiff_t *where; /* [1]            out see tw_sweep_status; first in `order` */
};

/* Updates on q = A'Wr alone, given the Gram matrix; the residual stays as it was. */
struct tw_gram_job {
    ptrdiff_t C, M;
    const double *gram;         /* [C][C]       in  A'WA, symmetric */
    struct tw_coordinates each; /* [C] */
    const ptrdiff_t *order;     /* [n_order]    in  coordinates; -1: the one of [0, choices) by whose update F
                                   falls most, the first of equals */
    ptrdiff_t n_order, sweeps, choices;
    double *theta;  /* [M][C]       in/out */
    double *q;      /* [M][C]       in/out */
    double *change; /* [M]          out as above */
    double *fall;   /* [sweeps][M]  out as above */
};

struct tw_sweep {
    /* numbers that `gram` of a job holds */
    size_t (*gram)(const struct tw_sweep_job *job);
    /* bytes of workspace */
    size_t (*work)(const struct tw_sweep_job *job, int threads);
    tw_sweep_status (*run)(const struct tw_sweep_job *job, int threads, struct tw_watch *watch, void *work);
    void (*gram_run)(const struct tw_gram_job *job, int threads, struct tw_watch *watch);
};

/* ---- sparse matrices, stored by columns ------------------------------------------------------------
 *
 * Reached by tw_active(is_float)->sweep_csc; is_float is about the values of A alone, all else is double.
 * For every right-hand side by itself, minimise over theta, one coordinate
 * after the other,
 *
 *     F(theta) = 1/2 sum_i w_i r_i^2 + sum_j l1_j |theta_j| + 1/2 sum_j l2_j theta_j^2,
 *     r = b - A theta - intercept,    lower_j <= theta_j <= upper_j.
 *
 * sweep/coordinate.h has the step of one coordinate.  The intercept makes that step after each sweep.  If the
 * job is `centered` it is at its minimum after every update instead, at the cost of one scalar: c_j is then
 * the curvature of the column less its weighted mean, 0 for a column that is constant to rounding.
 *
 * Where the watch (NULL: none) asks to stop, theta, residual and intercept hold what the last update left,
 * and belong together; change, fall and drift mean nothing, and nothing was computed anew from b.
 */

struct tw_sweep_csc_job {
    ptrdiff_t n, P, M, nnz;        /* rows, columns, right-hand sides, stored values */
    int is_long;                   /* indptr and indices are int64_t, else int32_t */
    const void *indptr;            /* [P + 1]     in */
    const void *indices;           /* [nnz]       in  the rows of each column, ascending */
    const void *values;            /* [nnz] real  in */
    const double *weights;         /* [n], NULL = 1  in  >= 0 */
    struct tw_coordinates each;    /* [P] */
    const ptrdiff_t *order;        /* [n_order], NULL = 0 ... n_order - 1 = P - 1  in */
    ptrdiff_t n_order, order_step; /* from a sweep's order to the next one's; 0: they are the same */
    int greedy; /* instead: each update is the one by which F falls most, n_order in a sweep */
    ptrdiff_t sweeps;
    int centered;      /* with intercept */
    double *theta;     /* [P][M]                in/out  inside the bounds */
    double *residual;  /* [n][M]                in/out  r */
    double *intercept; /* [M], NULL = none      in/out */
    const double *b;   /* [n][M], NULL          in  if given, r is computed anew at the end */
    double *change; /* [M]                   out largest |change| of theta and intercept in the last sweep */
    double *fall;   /* [sweeps][M]           out by how much F fell in each sweep */
    double *drift;  /* [M], NULL without b   out largest |r - (b - A theta - intercept)| before that */
    ptrdiff_t *where; /* [1]                 out see tw_sweep_status */
};

struct tw_sweep_csc {
    /* bytes of workspace */
    size_t (*work)(const struct tw_sweep_csc_job *job, int threads);
    /* Check A, then run the job on at most `threads` threads. */
    tw_sweep_status (*run)(const struct tw_sweep_csc_job *job, int threads, struct tw_watch *watch,
                           void *work);
};

#endif
