/* csc.h - products, moments and the Gram matrix of sparse columns.
 *
 * Taking its mean out of a column would fill it.  What the mean adds to each sum is known in closed form
 * instead, so that only the stored values are visited.
 */
#ifndef TW_LINEAR_CSC_H
#define TW_LINEAR_CSC_H

#include <float.h>

#include "base/arena.h"
#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "linear/contract.h"

/* A column counts as constant where its sum of squares about the mean is at most CONSTANT times that about
 * zero.  Its elements then differ by at most 8 eps of their size, which rounding alone can make of equal
 * ones. */
#define CONSTANT (64 * DBL_EPSILON * DBL_EPSILON)

/* Whether a column is more than a constant and rounding, given its sums of squares about the mean and about
 * zero.  Where the latter is not finite, nothing is known: the former stays, and the caller refuses it. */
static int varies(double about_mean, double about_zero) {
    return about_mean > CONSTANT * about_zero || !(about_zero <= DBL_MAX);
}

/* Where the sum of squares about another number is more than CANCELS times that about the mean, the
 * difference of the two has lost three digits or more, and is not taken. */
static const double CANCELS = 1e3;

/* A thread takes SPARSE_COLUMNS columns at a time.  Measured on Intel Emerald Rapids, two threads and columns
 * of 5 to 400 values: half and twice the value take 0.88 to 1.02 and 0.91 to 1.00 times the time, no more
 * than measurements of such short calls differ. */
enum { SPARSE_COLUMNS = 256 };

typedef struct {
    const real *value;
    ptrdiff_t begin, end;
} stored;

static stored stored_of(const struct tw_columns *c, ptrdiff_t j) {
    return (stored){c->A, index_at(c->indptr, c->is_long, j), index_at(c->indptr, c->is_long, j + 1)};
}

static ptrdiff_t row_at(const struct tw_columns *c, ptrdiff_t k) {
    return index_at(c->indices, c->is_long, k);
}

static double weight_of(const struct tw_columns *c, ptrdiff_t i) { return c->weights ? c->weights[i] : 1; }

/* sum_i z_i A_ij */
static double sparse_product(const struct tw_columns *c, ptrdiff_t j, const double *z) {
    const stored s = stored_of(c, j);
    double even = 0, odd = 0;
    ptrdiff_t k = s.begin;
    for (; k + 2 <= s.end; k += 2) {
        even += (double)s.value[k] * z[row_at(c, k)];
        odd += (double)s.value[k + 1] * z[row_at(c, k + 1)];
    }
    if (k < s.end)
        even += (double)s.value[k] * z[row_at(c, k)];
    return even + odd;
}

static double sum_of(ptrdiff_t n, const double *x) {
    double sum = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* sum_i w_i */
static double total_weight(const struct tw_columns *c) {
    return c->weights ? sum_of(c->n, c->weights) : (double)c->n;
}

/* A pass over some columns, which threads share. */
typedef struct {
    const struct tw_columns *c;
    struct tw_chosen which;
    const double *u;
    double total; /* sum_i u_i; for the moments and the Gram matrix sum_i w_i */
    double *out;
    struct tw_moments *moments;
    double *scattered; /* [threads][n] a thread's column of the Gram matrix as a dense one; 0 between two
                          columns */
    ptrdiff_t row_step, known;
    ptrdiff_t pivot; /* the row about whose elements the Gram matrix is summed; -1: about 0 */
    ptrdiff_t rows;  /* how many rows have a weight */
    struct tw_watch *watch;
    _Atomic ptrdiff_t next;
} sparse_pass;

static void sparse_products_part(void *context, ptrdiff_t part) {
    sparse_pass *p = context;
    (void)part;
    for (ptrdiff_t k; (k = claim(&p->next, SPARSE_COLUMNS, p->which.m, p->watch)) >= 0;)
        for (const ptrdiff_t end = least(k + SPARSE_COLUMNS, p->which.m); k < end; k++) {
            const ptrdiff_t j = chosen_at(&p->which, k);
            p->out[k] = sparse_product(p->c, j, p->u) - (p->c->mean ? p->c->mean[j] * p->total : 0);
        }
}

static void sparse_products(const struct tw_columns *c, const struct tw_chosen *which, const double *u,
                            int threads, struct tw_watch *watch, double *out) {
    sparse_pass p = {.c = c, .which = *which, .u = u, .out = out, .watch = watch};
    p.total = c->mean ? sum_of(c->n, u) : 0;
    tw_parallel(sparse_products_part, &p, least(threads, pieces(which->m, SPARSE_COLUMNS)), threads, watch);
}

/* sum_i w_i (A_ij - m)^2, `weight` being sum_i w_i: rows that are not stored have the value 0. */
static double centred_square(const struct tw_columns *c, stored s, double m, double weight) {
    double square = 0;
    for (ptrdiff_t k = s.begin; k < s.end; k++) {
        const double w = weight_of(c, row_at(c, k)), y = (double)s.value[k] - m;
        square += w * y * y, weight -= w;
    }
    return square + (weight > 0 ? weight * m * m : 0);
}

static void sparse_moments_of(const sparse_pass *p, ptrdiff_t j) {
    const struct tw_columns *c = p->c;
    const stored s = stored_of(c, j);
    double product = 0, first = 0, square = 0;
    for (ptrdiff_t k = s.begin; k < s.end; k++) {
        const ptrdiff_t i = row_at(c, k);
        const double x = (double)s.value[k], wx = weight_of(c, i) * x;
        product += x * p->u[i], first += wx, square += wx * x;
    }
    if (p->moments->mean) {
        const double m = p->total > 0 ? first / p->total : 0;
        const double around = square <= DBL_MAX ? centred_square(c, s, m, p->total) : square;
        p->moments->mean[j] = m;
        square = varies(around, square) ? around : 0;
    }
    p->moments->square[j] = square, p->moments->product[j] = product;
}

static void sparse_moments_part(void *context, ptrdiff_t part) {
    sparse_pass *p = context;
    (void)part;
    for (ptrdiff_t j; (j = claim(&p->next, SPARSE_COLUMNS, p->c->P, p->watch)) >= 0;)
        for (const ptrdiff_t end = least(j + SPARSE_COLUMNS, p->c->P); j < end; j++)
            sparse_moments_of(p, j);
}

static void sparse_moments(const struct tw_columns *c, const double *u, int threads, struct tw_watch *watch,
                           struct tw_moments *out) {
    sparse_pass p = {.c = c, .u = u, .moments = out, .watch = watch};
    p.total = total_weight(c);
    tw_parallel(sparse_moments_part, &p, least(threads, pieces(c->P, SPARSE_COLUMNS)), threads, watch);
    const double of_u = out->mean ? sum_of(c->n, u) : 0;
    for (ptrdiff_t j = 0; j < c->P && out->mean; j++)
        out->product[j] -= out->mean[j] * of_u;
}

static void sparse_move(const struct tw_columns *c, const struct tw_chosen *which, const double *step,
                        struct tw_watch *watch, double *r) {
    double means = 0;
    for (ptrdiff_t k = 0; k < which->m; k++) {
        const ptrdiff_t j = chosen_at(which, k);
        if (k % SPARSE_COLUMNS == 0 && tw_stopped(watch))
            return;
        if (step[k] == 0)
            continue;
        const stored s = stored_of(c, j);
        for (ptrdiff_t l = s.begin; l < s.end; l++)
            r[row_at(c, l)] -= step[k] * (double)s.value[l];
        means += c->mean ? step[k] * c->mean[j] : 0;
    }
    for (ptrdiff_t i = 0; i < c->n && means != 0; i++)
        r[i] += means;
}

/* The element of a column in a row. */
static double element_of(const struct tw_columns *c, ptrdiff_t j, ptrdiff_t row) {
    const stored s = stored_of(c, j);
    for (ptrdiff_t k = s.begin; k < s.end; k++)
        if (row_at(c, k) == row)
            return (double)s.value[k];
    return 0;
}

/* The row of the largest weight, whose elements serve as pivots: no other row counts more for the means. */
static ptrdiff_t pivot_row(const struct tw_columns *c) {
    ptrdiff_t row = 0;
    for (ptrdiff_t i = 1; c->weights && i < c->n; i++)
        row = c->weights[i] > c->weights[row] ? i : row;
    return row;
}

/* Whether a column that is chosen, and is no constant, is so far from 0 that CANCELS holds. */
static int some_cancel(const sparse_pass *p) {
    const struct tw_columns *c = p->c;
    for (ptrdiff_t k = 0; c->mean && k < p->which.m; k++) {
        const ptrdiff_t j = chosen_at(&p->which, k);
        const double mean = c->mean[j], about_zero = p->total * mean * mean;
        const double about_mean = centred_square(c, stored_of(c, j), mean, p->total);
        if (about_zero > CANCELS * about_mean && varies(about_mean, about_zero))
            return 1;
    }
    return 0;
}

/* Put W A_j into z, which was 0; returns the sum of z by the mean. */
static double weighted_column(const sparse_pass *p, ptrdiff_t j, double *z) {
    const struct tw_columns *c = p->c;
    const stored s = stored_of(c, j);
    for (ptrdiff_t l = s.begin; l < s.end; l++) {
        const ptrdiff_t i = row_at(c, l);
        z[i] = weight_of(c, i) * (double)s.value[l];
    }
    return c->mean ? p->total * c->mean[j] : 0;
}

/* Put W (A_j - m_j) into z, which was 0, summed about the element in the pivot row; returns the sum of z. */
static double centred_column(const sparse_pass *p, ptrdiff_t j, double *z) {
    const struct tw_columns *c = p->c;
    const stored s = stored_of(c, j);
    const double pivot = element_of(c, j, p->pivot);
    for (ptrdiff_t l = s.begin; l < s.end; l++)
        z[row_at(c, l)] = (double)s.value[l];
    double first = 0, sum = 0;
    for (ptrdiff_t i = 0; i < c->n; i++)
        z[i] -= pivot, first += weight_of(c, i) * z[i];
    const double off = p->total > 0 ? first / p->total : 0;
    for (ptrdiff_t i = 0; i < c->n; i++)
        z[i] = weight_of(c, i) * (z[i] - off), sum += z[i];
    return sum;
}

/* sum_i z_i (A_ij - p), where p is the element in the pivot row and `sum` that of z: rows that are not stored
 * have the value 0. */
static double product_about_pivot(const sparse_pass *p, ptrdiff_t j, const double *z, double sum) {
    const struct tw_columns *c = p->c;
    const stored s = stored_of(c, j);
    const double pivot = element_of(c, j, p->pivot);
    double product = 0, seen = 0;
    ptrdiff_t rows = 0;
    for (ptrdiff_t k = s.begin; k < s.end; k++) {
        const ptrdiff_t i = row_at(c, k);
        product += z[i] * ((double)s.value[k] - pivot), seen += z[i], rows += weight_of(c, i) > 0;
    }
    return rows < p->rows ? product - (sum - seen) * pivot : product;
}

/* Row k of the Gram matrix, up to the diagonal, and its mirror image.
 *
 * With z = W A_j an element is A_l'z less what the mean of A_l takes.  Where that is nearly all, as if one
 * row has nearly all the weight, z is W (A_j - m_j) itself, whose elements are small where weights are large
 * and whose sum is 0, and any number may be taken from A_l. */
static void gram_row(const sparse_pass *p, ptrdiff_t k, double *z) {
    const struct tw_columns *c = p->c;
    const int about_zero = p->pivot < 0;
    const ptrdiff_t j = chosen_at(&p->which, k);
    const stored s = stored_of(c, j);
    const double sum = about_zero ? weighted_column(p, j, z) : centred_column(p, j, z);
    for (ptrdiff_t l = 0; l <= k; l++) {
        const ptrdiff_t other = chosen_at(&p->which, l);
        p->out[k * p->row_step + l] = p->out[l * p->row_step + k] =
            about_zero ? sparse_product(c, other, z) - sum * (c->mean ? c->mean[other] : 0)
                       : product_about_pivot(p, other, z, sum);
    }
    if (!about_zero)
        memset(z, 0, (size_t)c->n * sizeof *z);
    for (ptrdiff_t l = s.begin; l < s.end && about_zero; l++)
        z[row_at(c, l)] = 0;
}

static void sparse_gram_part(void *context, ptrdiff_t part) {
    sparse_pass *p = context;
    double *z = p->scattered + part * p->c->n;
    memset(z, 0, (size_t)p->c->n * sizeof *z);
    for (ptrdiff_t k; (k = claim(&p->next, 1, p->which.m - p->known, p->watch)) >= 0;)
        gram_row(p, p->known + k, z);
}

static size_t sparse_gram_work(const struct tw_columns *c, int threads) {
    arena a = arena_on(NULL);
    TAKE(&a, double, threads * c->n);
    return arena_size(&a);
}

static void sparse_gram(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known,
                        int threads, struct tw_watch *watch, void *work, double *out, ptrdiff_t row_step) {
    arena a = arena_on(work);
    sparse_pass p = {.c = c, .which = *which, .out = out, .row_step = row_step, .known = known};
    p.watch = watch;
    p.scattered = TAKE(&a, double, threads * c->n);
    p.total = total_weight(c);
    p.pivot = some_cancel(&p) ? pivot_row(c) : -1;
    for (ptrdiff_t i = 0; i < c->n; i++)
        p.rows += weight_of(c, i) > 0;
    tw_parallel(sparse_gram_part, &p, least(threads, which->m - known), threads, watch);
}

#endif
