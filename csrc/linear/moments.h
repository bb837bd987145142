/* moments.h - means, squares and products of all columns: the first pass over A.
 *
 * Sums of squares about 0 lose all digits of a column whose mean is large beside its spread, so a column is
 * summed about a pivot, one of its own elements.  Where that is far from the mean as well, a second pass sums
 * about the mean that the first has found (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
 * variance", American Statistician 37).
 */
#ifndef TW_LINEAR_MOMENTS_H
#define TW_LINEAR_MOMENTS_H

#include <float.h>

#include "linear/csc.h"
#include "linear/passes.h"

typedef struct {
    pass *p;
    double *pivot;
    ptrdiff_t *again; /* [P] columns of the second pass */
} moments_pass;

static moments_pass dense_moments_on(arena *a, const struct tw_columns *c, int threads) {
    const struct tw_chosen all = {NULL, c->P};
    moments_pass look = {.p = pass_on(a, c, &all, PASS_ROWS, SLOTS, threads)};
    look.pivot = TAKE(a, double, c->P);
    look.again = TAKE(a, ptrdiff_t, c->P);
    return look;
}

static size_t moments_work(const struct tw_columns *c, int threads) {
    arena a = arena_on(NULL);
    if (!c->indptr)
        dense_moments_on(&a, c, threads);
    return arena_size(&a);
}

/* Read the sums of a pass over columns about their pivots; returns how many columns need a second pass. */
static ptrdiff_t read_moments(const moments_pass *look, double weight, struct tw_moments *out) {
    ptrdiff_t again = 0;
    for (ptrdiff_t k = 0; k < look->p->which.m; k++) {
        const ptrdiff_t j = chosen_at(&look->p->which, k);
        const double first = pass_sum(look->p, k, 1), square = pass_sum(look->p, k, 2);
        out->product[j] = pass_sum(look->p, k, 0), out->square[j] = square;
        if (!out->mean)
            continue;
        const double off = weight > 0 ? first / weight : 0, pivot = look->pivot[j];
        out->mean[j] = pivot + off;
        out->square[j] = square - first * off;
        const double whole = square + 2 * pivot * first + weight * pivot * pivot;
        if (square > CANCELS * out->square[j])
            look->again[again++] = j;
        else if (!varies(out->square[j], whole) && out->square[j] <= DBL_MAX)
            out->square[j] = 0;
    }
    return again;
}

static void dense_moments(const struct tw_columns *c, const double *u, int threads, struct tw_watch *watch,
                          void *work, struct tw_moments *out) {
    arena a = arena_on(work);
    moments_pass look = dense_moments_on(&a, c, threads);
    const double weight = total_weight(c);
    const ptrdiff_t row = pivot_row(c);
    for (ptrdiff_t j = 0; j < c->P && out->mean; j++)
        look.pivot[j] = c->n ? (double)((const real *)c->A)[row * c->row_step + j * c->column_step] : 0;
    look.p->body = moments_body, look.p->u = u, look.p->mean = out->mean ? look.pivot : NULL;
    pass_run(look.p, watch);
    if (tw_stopped(watch))
        return;
    look.p->which.m = read_moments(&look, weight, out);
    if (!look.p->which.m)
        return;
    memcpy(look.pivot, out->mean, (size_t)c->P * sizeof(double));
    look.p->which.column = look.again;
    pass_run(look.p, watch);
    for (ptrdiff_t k = 0; k < look.p->which.m && !(watch && watch->stop);
         k++) { /* what is left of their mean is rounding */
        const ptrdiff_t j = look.again[k];
        const double square = pass_sum(look.p, k, 2), mean = out->mean[j];
        out->product[j] = pass_sum(look.p, k, 0);
        out->square[j] = varies(square, weight * mean * mean) ? square : 0;
    }
}

/* How much a number x of a row of weight w says about whether squares are lost: 2 if its square is not, 1 if
 * the square is too small, 0 if x is 0. */
static int says(double w, double x) {
    if (!(w > 0) || x == 0)
        return 0;
    return sqrt(w) * fabs(x) < sqrt(TW_SMALLEST_SQUARE) ? 1 : 2;
}

/* Whether column j is not 0 and yet each of its squares is too small. */
static int is_lost(const struct tw_columns *c, ptrdiff_t j) {
    const ptrdiff_t first = c->indptr ? index_at(c->indptr, c->is_long, j) : 0;
    const ptrdiff_t end = c->indptr ? index_at(c->indptr, c->is_long, j + 1) : c->n;
    int most_said = 0;
    for (ptrdiff_t k = first; k < end && most_said < 2; k++) {
        const ptrdiff_t i = c->indptr ? row_at(c, k) : k;
        const ptrdiff_t at = c->indptr ? k : i * c->row_step + j * c->column_step;
        const int said = says(weight_of(c, i), (double)((const real *)c->A)[at]);
        most_said = said > most_said ? said : most_said;
    }
    return most_said == 1;
}

static int is_beyond(double square) {
    return !(square <= TW_LARGEST_SQUARE) || (square > 0 && square < TW_SMALLEST_SQUARE);
}

/* Whether the squares are within the range of numbers; products with columns of 0 become 0. */
static tw_linear_status checked_squares(const struct tw_columns *c, struct tw_moments *out) {
    for (ptrdiff_t j = 0; j < c->P; j++) {
        const double square = out->square[j];
        if (is_beyond(square) || (square == 0 && is_lost(c, j))) {
            *out->where = j;
            return square <= DBL_MAX ? TW_LINEAR_SCALE : TW_LINEAR_OVERFLOW;
        }
        if (square == 0)
            out->product[j] = 0;
    }
    return TW_LINEAR_OK;
}

static tw_linear_status moments(const struct tw_columns *c, const double *u, int threads,
                                struct tw_watch *watch, void *work, struct tw_moments *out) {
    if (c->indptr)
        sparse_moments(c, u, threads, watch, out);
    else
        dense_moments(c, u, threads, watch, work, out);
    return checked_squares(c, out);
}

#endif
