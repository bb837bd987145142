/* sweep/contract.h - the contract of coordinate-descent sweeps.
 *
 * tw_active(is_float)->sweep is the table of its functions; is_float says the type of A, and all else is
 * double.  The rules of thalweg.h hold.
 *
 * Minimise over theta, one coordinate after the other,
 *
 *     F(theta) = 1/2 sum_i w_i r_i^2 + sum_j l1_j |theta_j| + 1/2 sum_j l2_j theta_j^2,
 *     r = b - A theta,    lower_j <= theta_j <= upper_j;
 *
 * b itself is not needed.  sweep/coordinate.h derives the update of one coordinate.
 *
 * The watch may be NULL.  If it asks to stop, what has been written has no meaning, except theta and q of
 * gram_run: these are as the last update has left them, and belong together.
 */
#ifndef TW_SWEEP_H
#define TW_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

enum { TW_SWEEP_WIDTH = 4 }; /* columns in a block */

/* The penalties and bounds of C coordinates. */
struct tw_coordinates {
    const double *l1, *l2;       /* [C] in  >= 0 */
    const double *lower, *upper; /* [C] in  -INFINITY and INFINITY where there is no bound */
    double relaxation;           /* omega in (0, 2): theta moves omega times the way to its minimum */
};

/* What a run returns: OK, or what is wrong with a column of A.  In the latter case `where` of the job is the
 * first such column, and theta and residual have no meaning; if A is sparse nothing but `where` has been
 * written. */
typedef enum {
    TW_SWEEP_OK = 0,
    TW_SWEEP_BAD_INDPTR, /* indptr does not rise from 0 to nnz at this column */
    TW_SWEEP_BAD_ROW,    /* a row of the column is not in [0, n) */
    TW_SWEEP_BAD_ORDER,  /* the rows of the column do not rise: they are unsorted or duplicated */
    TW_SWEEP_NOT_FINITE, /* a value of the column is NaN or infinite */
    TW_SWEEP_OVERFLOW, /* the column's weighted sum of squares is not finite.  The values of a dense A are not
                          checked by themselves, so there this also stands for TW_SWEEP_NOT_FINITE */
} tw_sweep_status;

/* M right-hand sides at once.  Coordinates are the P columns of A and, with an intercept, a column of ones
 * that follows them; C = P + intercept.
 *
 * A `centered` intercept does not stand in the order: it is at its minimum before every update, which is
 * coordinate descent on the columns less their weighted means. */
struct tw_sweep_job {
    ptrdiff_t n, P, M;
    const void *A;                   /* element (i, j) at A[i row_step + j column_step]  in */
    ptrdiff_t row_step, column_step; /* in elements, of either sign */
    const double *weights;           /* [n], NULL = 1    in  >= 0 */
    int intercept, centered;         /*                  in  see above */
    struct tw_coordinates each;      /* [C] */
    const ptrdiff_t *order;          /* [n_order]        in  coordinates in the order of their updates */
    ptrdiff_t n_order, sweeps; /*                  in  sweeps: how many times the order is gone through */
    double *theta;             /* [M][C]           in/out */
    double *residual;          /* [M][n]           in/out */
    double *gram;              /* [tw_sweep.gram]  out  Gram matrices of the blocks; in if gram_known */
    int gram_known;   /*                  in  a run with the same A, weights and order has set gram */
    double *change;   /* [M]              out largest |change of theta_j| in the last sweep; a centered
                         intercept counts with the change that the others cause */
    double *fall;     /* [sweeps][M]      out by how much F fell in each sweep */
    ptrdiff_t *where; /* [1]            out see tw_sweep_status; first in `order` */
};

/* Updates that need q = A'Wr and the Gram matrix alone; the residual is not touched. */
struct tw_gram_job {
    ptrdiff_t C, M;
    const double *gram;         /* [C][C]       in  A'WA, symmetric */
    struct tw_coordinates each; /* [C] */
    const ptrdiff_t *order; /* [n_order]    in  coordinates; -1 stands for the one of [0, choices) by whose
                               update F falls most, the first of equals */
    ptrdiff_t n_order, sweeps, choices;
    double *theta;  /* [M][C]       in/out */
    double *q;      /* [M][C]       in/out */
    double *change; /* [M]          out as above */
    double *fall;   /* [sweeps][M]  out as above */
};

struct tw_sweep {
    /* How many doubles `gram` of a job holds. */
    size_t (*gram)(const struct tw_sweep_job *job);
    /* How many bytes of workspace a run needs. */
    size_t (*work)(const struct tw_sweep_job *job, int threads);
    tw_sweep_status (*run)(const struct tw_sweep_job *job, int threads, struct tw_watch *watch, void *work);
    void (*gram_run)(const struct tw_gram_job *job, int threads, struct tw_watch *watch);
};

/* ---- sparse matrices, stored by columns ------------------------------------------------------------
 *
 * tw_active(is_float)->sweep_csc is the table of its functions; is_float says the type of the values of A,
 * and all else is double.  For every right-hand side by itself, minimise over theta, one coordinate after the
 * other,
 *
 *     F(theta) = 1/2 sum_i w_i r_i^2 + sum_j l1_j |theta_j| + 1/2 sum_j l2_j theta_j^2,
 *     r = b - A theta - intercept,    lower_j <= theta_j <= upper_j.
 *
 * sweep/coordinate.h derives the update of one coordinate.  The intercept is updated after each sweep.  If
 * the job is `centered` it is at its minimum after every update instead, which costs one more number per
 * update; the curvature c_j is then that of the column less its weighted mean, and 0 for a column that is
 * constant to rounding.
 *
 * The watch may be NULL.  If it asks to stop, theta, residual and intercept are as the last update has left
 * them, and belong together; change, fall and drift have no meaning, and the residual has not been computed
 * anew from b.
 */

struct tw_sweep_csc_job {
    ptrdiff_t n, P, M, nnz; /* rows, columns, right-hand sides, stored values */
    int is_long;            /* indptr and indices are int64_t, else int32_t */
    const void *indptr;     /* [P + 1]     in */
    const void *indices;    /* [nnz]       in  the rows of each column, ascending */
    const void *values;     /* [nnz] real  in */
    const double *weights;  /* [n], NULL = 1  in  >= 0 */
    double *curvature; /* [P], NULL = unknown  in  sum_i w_i (A_ij - mean_j)^2; if given, A is not checked */
    double *mean;      /* [P]  in  weighted means, if it is centered and the curvatures are given */
    struct tw_coordinates each; /* [P] */
    const ptrdiff_t *order;     /* [n_order], NULL = 0 ... n_order - 1 = P - 1  in */
    ptrdiff_t n_order,
        order_step; /* order_step: from a sweep's order to the next one's; 0: all have the same */
    int greedy;     /* 1: no order; each of a sweep's n_order updates is the one by which F falls most */
    ptrdiff_t sweeps;
    int centered;      /* 1 only with an intercept */
    double *theta;     /* [P][M]                in/out  inside the bounds */
    double *residual;  /* [n][M]                in/out  r */
    double *intercept; /* [M], NULL = none      in/out */
    const double *b;   /* [n][M] or NULL        in  if it is given, r is computed anew at the end */
    double *change; /* [M]                   out largest |change| of theta and intercept in the last sweep */
    double *fall;   /* [sweeps][M]           out by how much F fell in each sweep */
    double *drift;  /* [M], NULL without b   out largest |r - (b - A theta - intercept)| before that */
    ptrdiff_t *where; /* [1]                 out see tw_sweep_status */
};

struct tw_sweep_csc {
    /* How many bytes of workspace a run needs. */
    size_t (*work)(const struct tw_sweep_csc_job *job, int threads);
    /* Check A, then run the job on at most `threads` threads. */
    tw_sweep_status (*run)(const struct tw_sweep_csc_job *job, int threads, struct tw_watch *watch,
                           void *work);
};

#endif
