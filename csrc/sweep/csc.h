/* csc.h - the columns of a sparse matrix: checked once, then read and subtracted.
 *
 * An update walks a column twice: for its product with the residual, and to change the residual.
 *
 *   - The rows ascend, so both walks meet the cache lines of the residual in order.  The second walk goes
 *     backwards, for what the first has read last is still in the first cache.
 *   - Values and rows are two streams, which are fetched ahead here: among the scattered accesses to the
 *     residual the processor's own prefetching loses them.
 *   - Gather and scatter instructions gain nothing: the time goes into reaching the residual's lines.
 *   - Of a column whose rows follow one another without a gap only the first row number is read.
 *
 * The residual of W right-hand sides is stored as r[row][W].  W is 1, or 8: then a row is one cache line,
 * which costs hardly more to reach than one number.
 *
 * Everything is inlined and compiled for each value of
 *   is_long  whether indices are int64_t
 *   w        whether it is NULL
 */
#ifndef TW_CSC_H
#define TW_CSC_H

#include <math.h>

#include "base/doubles.h"
#include "base/numbers.h"
#include "sweep/contract.h"

enum {
    LINE = 8,              /* doubles in a cache line, and right-hand sides in a block */
    DV = LINE / DL,        /* native vectors in a line */
    AHEAD = 256,           /* elements by which the streams are fetched ahead */
    POLL_VALUES = 1 << 16, /* values times right-hand sides between two looks at the watch: some 0.1 ms */
    SHORT = 16, /* shorter columns take one plain loop: a mispredicted exit is most of what they cost */
};

/* A stored column: its n rows and values. */
typedef struct {
    const void *row;
    const real *value;
    ptrdiff_t n;
} column;

TW_INLINE const void *index_place(const void *indices, int is_long, ptrdiff_t k) {
    return (const char *)indices + k * (is_long ? 8 : 4);
}

/* How a loop looks at the watch now and then: how much was done since the last look. */
typedef struct {
    struct tw_watch *watch;
    ptrdiff_t work;
} patience;

/* Count values that were visited; returns whether to stop. */
TW_INLINE int runs_out(patience *p, ptrdiff_t values) {
    if ((p->work += values) < POLL_VALUES)
        return 0;
    p->work = 0;
    return tw_stopped(p->watch);
}

TW_INLINE column column_of(const struct tw_sweep_csc_job *job, ptrdiff_t j, int is_long) {
    const ptrdiff_t start = index_at(job->indptr, is_long, j), end = index_at(job->indptr, is_long, j + 1);
    return (column){index_place(job->indices, is_long, start), (const real *)job->values + start,
                    end - start};
}

TW_INLINE void fetch(const column *c, ptrdiff_t k, int is_long) {
    __builtin_prefetch(c->value + k);
    __builtin_prefetch(index_place(c->row, is_long, k));
}

/* Do the rows of a column follow one another without a gap? */
TW_INLINE int is_run(const column *c, int is_long) {
    return index_at(c->row, is_long, c->n - 1) - index_at(c->row, is_long, 0) == c->n - 1;
}

/* ---- one right-hand side ---------------------------------------------------------------------- */

TW_INLINE double dot_run(ptrdiff_t n, const real *a, const double *r, const double *w) {
    double sum[LINE] = {0};
    ptrdiff_t k = 0;
    for (; k + LINE <= n; k += LINE)
        for (int l = 0; l < LINE; l++)
            sum[l] += (double)a[k + l] * (w ? w[k + l] * r[k + l] : r[k + l]);
    for (; k < n; k++)
        sum[0] += (double)a[k] * (w ? w[k] * r[k] : r[k]);
    return fold(sum, LINE);
}

/* Value k of a column times the weighted residual of its row. */
TW_INLINE double term(const column *c, ptrdiff_t k, const double *r, const double *w, int is_long) {
    const ptrdiff_t i = index_at(c->row, is_long, k);
    return (double)c->value[k] * (w ? w[i] * r[i] : r[i]);
}

/* sum_i w_i A_ij r_i, with weights of 1 if w is NULL.  The streams are fetched `ahead` elements before they
 * are needed; that is 0 unless the next column in memory is also the next to be read. */
TW_INLINE double dot(column c, const double *r, const double *w, ptrdiff_t ahead, int is_long) {
    if (c.n < SHORT) {
        double sum = 0;
        for (ptrdiff_t k = 0; k < c.n; k++)
            sum += term(&c, k, r, w, is_long);
        return sum;
    }
    if (is_run(&c, is_long)) {
        const ptrdiff_t first = index_at(c.row, is_long, 0);
        return dot_run(c.n, c.value, r + first, w ? w + first : NULL);
    }
    double sum[4] = {0};
    ptrdiff_t k = 0;
    for (; k + 8 <= c.n; k += 8) {
        fetch(&c, k + ahead, is_long);
        for (int l = 0; l < 8; l++)
            sum[l % 4] += term(&c, k + l, r, w, is_long);
    }
    for (; k < c.n; k++)
        sum[0] += term(&c, k, r, w, is_long);
    return (sum[0] + sum[2]) +
           (sum[1] + sum[3]); /* the fold, written out: GCC fuses other products with it */
}

/* r -= d A_j.  The rows of a column differ, so four are loaded before the first is stored. */
TW_INLINE void subtract(column c, double d, double *r, int is_long) {
    if (c.n < SHORT) {
        for (ptrdiff_t k = 0; k < c.n; k++)
            r[index_at(c.row, is_long, k)] -= d * (double)c.value[k];
        return;
    }
    if (is_run(&c, is_long)) {
        r += index_at(c.row, is_long, 0);
        for (ptrdiff_t k = 0; k < c.n; k++)
            r[k] -= d * (double)c.value[k];
        return;
    }
    ptrdiff_t k = c.n;
    for (; k >= 4; k -= 4) {
        double *at[4], changed[4];
        for (int l = 0; l < 4; l++) {
            at[l] = r + index_at(c.row, is_long, k - 1 - l);
            changed[l] = *at[l] - d * (double)c.value[k - 1 - l];
        }
        for (int l = 0; l < 4; l++)
            *at[l] = changed[l];
    }
    while (k-- > 0)
        r[index_at(c.row, is_long, k)] -= d * (double)c.value[k];
}

/* ---- eight right-hand sides: r, d and g are aligned to a cache line ------------------------------ */

TW_INLINE void add_row(dvec sum[DV], const column *c, ptrdiff_t k, const double *r, const double *w,
                       int is_long) {
    const ptrdiff_t i = index_at(c->row, is_long, k);
    const double a = (double)c->value[k] * (w ? w[i] : 1);
    for (int v = 0; v < DV; v++)
        sum[v] += a * d_load_aligned(r + i * LINE + v * DL);
}

TW_INLINE void dot_line(column c, const double *r, const double *w, double *g, int is_long) {
    dvec even[DV] = {{0}}, odd[DV] = {{0}};
    ptrdiff_t k = 0;
    for (; k + 2 <= c.n; k += 2) {
        add_row(even, &c, k, r, w, is_long);
        add_row(odd, &c, k + 1, r, w, is_long);
    }
    if (k < c.n)
        add_row(even, &c, k, r, w, is_long);
    for (int v = 0; v < DV; v++)
        d_store_aligned(g + v * DL, even[v] + odd[v]);
}

TW_INLINE void subtract_line(column c, const double *d, double *r, int is_long) {
    for (ptrdiff_t k = c.n; k-- > 0;) {
        double *row = r + index_at(c.row, is_long, k) * LINE;
        for (int v = 0; v < DV; v++)
            d_store_aligned(row + v * DL,
                            d_load_aligned(row + v * DL) - (double)c.value[k] * d_load_aligned(d + v * DL));
    }
}

/* ---- the check ---------------------------------------------------------------------------------- */

TW_INLINE tw_sweep_status check_rows(column c, ptrdiff_t n, int is_long) {
    int falls = 0, outside = 0;
    for (ptrdiff_t k = 1; k < c.n; k++)
        falls |= index_at(c.row, is_long, k - 1) >= index_at(c.row, is_long, k);
    if (c.n) /* for rows that ascend the first and the last tell */
        outside = index_at(c.row, is_long, 0) < 0 || index_at(c.row, is_long, c.n - 1) >= n;
    for (ptrdiff_t k = 0; falls && k < c.n; k++)
        outside |= index_at(c.row, is_long, k) < 0 || index_at(c.row, is_long, k) >= n;
    return outside ? TW_SWEEP_BAD_ROW : falls ? TW_SWEEP_BAD_ORDER : TW_SWEEP_OK;
}

TW_INLINE int indptr_is_bad(const struct tw_sweep_csc_job *job, ptrdiff_t j, int is_long) {
    const ptrdiff_t start = index_at(job->indptr, is_long, j), end = index_at(job->indptr, is_long, j + 1);
    return start < 0 || start > end || end > job->nnz || (j == 0 && start != 0);
}

#endif
