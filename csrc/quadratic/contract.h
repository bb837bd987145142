/* quadratic/contract.h - the contract of the quadratic loss
 *
 *     L(theta) = (theta - theta*)' B (theta - theta*),     dL/dtheta = (B + B')(theta - theta*),
 *
 * B square.  tw_active(is_float)->quadratic is the table of its functions.  The rules of thalweg.h hold,
 * except that only B (`real`) may be float: everything else is double, and so is every sum.
 *
 * Inputs are not checked for NaN and infinity, which make the results NaN or infinite: 0 * NaN is NaN.
 *
 * A watch may be NULL.  If it asks to stop, what the function returns and writes has no meaning.
 */
#ifndef TW_QUADRATIC_H
#define TW_QUADRATIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/* B [P][P]:
 *
 *     full            B_ij at B[i * row_step + j]; the step may be anything, 0 and negative included
 *     packed, lower   row i holds j = 0 ... i,     one row after the other: P(P+1)/2 elements
 *     packed, upper   row i holds j = i ... P - 1, one row after the other
 *
 * If B is `general`, it must be full, and all of it is read.  Else B is symmetric, and only one triangle with
 * the diagonal is read.
 */
typedef struct {
    const void *B;      /* real */
    ptrdiff_t P;        /* rows */
    ptrdiff_t row_step; /* elements from row to row when full */
    int packed, upper, general;
} tw_square;

/* B in compressed sparse rows: row i has columns index[k] and values data[k] for k = start[i] ... start[i+1]
 * - 1.  In a symmetric B the columns of a row must ascend strictly; in a general B they may come in any
 * order, and values of one place add up. */
typedef struct {
    const void *data;  /* real [nnz] */
    const void *index; /* [nnz]   int32_t, or int64_t when is_long */
    const void *start; /* [P + 1] likewise */
    ptrdiff_t P, nnz;
    int is_long, upper, general;
    ptrdiff_t *where; /* [1]  out  a row that breaks these rules, written only if there is one */
} tw_square_csr;

/* What functions that check a sparse matrix return. */
typedef enum {
    TW_QUADRATIC_OK = 0,
    TW_QUADRATIC_BAD_ROW, /* a row breaks the rules of tw_square_csr: `where` says which */
} tw_quadratic_status;

/* The loss and its gradient at M points theta. */
typedef struct {
    ptrdiff_t M;              /* points                              */
    const double *theta;      /* [M][P]                         in   */
    const double *theta_star; /* [P] or [M][P], NULL = 0        in   */
    ptrdiff_t star_step;      /* P, or 0 when all share one          */
    double *value;            /* [M]                            out  */
    double *gradient;         /* [M][P], NULL = not wanted      out  */
} tw_quadratic_job;

struct tw_quadratic {
    /* Evaluate one theta (M = 1), reading B once.  The value has the same bits with and without gradient. */
    size_t (*one_work)(const tw_square *B, const tw_quadratic_job *job);
    void (*one)(const tw_square *B, const tw_quadratic_job *job, int threads, struct tw_watch *watch,
                void *work);

    /* Evaluate many thetas.  The bits of each result depend on whether the gradient is wanted, and on no
     * other theta. */
    size_t (*many_work)(const tw_square *B, const tw_quadratic_job *job, int threads);
    void (*many)(const tw_square *B, const tw_quadratic_job *job, int threads, struct tw_watch *watch,
                 void *work);

    /* Is a full lower B exactly its transpose?  A NaN equals nothing. */
    int (*is_symmetric)(const tw_square *B, int threads, struct tw_watch *watch);

    /* Write the lower triangle of (B + B')/2 of a full B, by rows, to packed [P(P+1)/2], which is of B's
     * type. */
    void (*symmetrise)(const tw_square *B, int threads, struct tw_watch *watch, void *packed);

    /* Evaluate one theta or many for a sparse B.  The bits of each result depend on no other theta and not on
     * M.  If a row is bad, what is written has no meaning. */
    size_t (*csr_work)(const tw_square_csr *B, const tw_quadratic_job *job, int threads);
    tw_quadratic_status (*csr)(const tw_square_csr *B, const tw_quadratic_job *job, int threads,
                               struct tw_watch *watch, void *work);

    /* Check whether B keeps to the rules of tw_square_csr; `where` is the first row that does not. */
    tw_quadratic_status (*csr_check)(const tw_square_csr *B, struct tw_watch *watch);

    /* Is a sparse B that has passed csr_check exactly its transpose, in pattern and values?
     *   next  [P]  workspace */
    int (*csr_is_symmetric)(const tw_square_csr *B, struct tw_watch *watch, ptrdiff_t *next);
};

#endif
