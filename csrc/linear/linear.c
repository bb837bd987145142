/* linear.c - linear models with penalties and bounds: passes over A, certificates, minima on a Gram matrix.
 */
#include "base/table.h"
#include "linear/contract.h"

/* A column is constant to rounding where the sum of its squares about its mean is so small a part of that
 * about zero: (8 eps)^2. */
#define CONSTANT (64 * DBL_EPSILON * DBL_EPSILON)

/* Squares of columns beyond these leave too little room: products of what is smaller have lost digits. */
static const double SMALLEST = 1e-270, LARGEST = 1e270;

#include "linear/csc.h"
#include "linear/dense_gram.h"
#include "linear/gap.h"
#include "linear/passes.h"
#include "linear/solve.h"

/* ---- means, squares and products ------------------------------------------------------------- */

/* Where the square about the pivots is that much larger than about the mean, digits are lost, and the column
 * is looked at once more, about its mean. */
static const double CANCELS = 1e3;

typedef struct {
    pass *p;
    double *pivot;
    ptrdiff_t *again; /* [P] columns to look at again */
} dense_look;

static dense_look dense_look_on(arena *a, const struct tw_columns *c, int threads) {
    const struct tw_chosen all = {NULL, c->P};
    dense_look look = {.p = pass_on(a, c, &all, PASS_ROWS, SLOTS, threads)};
    look.pivot = TAKE(a, double, c->P);
    look.again = TAKE(a, ptrdiff_t, c->P);
    return look;
}

static size_t moments_work(const struct tw_columns *c, int threads) {
    arena a = arena_on(NULL);
    if (!c->indptr)
        dense_look_on(&a, c, threads);
    return arena_size(&a);
}

/* The row of the largest weight: its elements are somewhere among the others. */
static ptrdiff_t pivot_row(const struct tw_columns *c) {
    ptrdiff_t row = 0;
    for (ptrdiff_t i = 1; c->weights && i < c->n; i++)
        row = c->weights[i] > c->weights[row] ? i : row;
    return row;
}

/* Read the sums of a look at columns about their pivots; returns how many want another. */
static ptrdiff_t read_moments(const dense_look *look, double weight, struct tw_moments *out) {
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
        else if (!(out->square[j] > CONSTANT * whole) && out->square[j] <= DBL_MAX)
            out->square[j] = 0;
    }
    return again;
}

static void dense_moments(const struct tw_columns *c, const double *u, int threads, struct tw_watch *watch,
                          void *work, struct tw_moments *out) {
    arena a = arena_on(work);
    dense_look look = dense_look_on(&a, c, threads);
    const double weight = c->weights ? sum_of(c->n, c->weights) : (double)c->n;
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
        out->square[j] = square > CONSTANT * weight * mean * mean ? square : 0;
    }
}

static tw_linear_status moments(const struct tw_columns *c, const double *u, int threads,
                                struct tw_watch *watch, void *work, struct tw_moments *out) {
    if (c->indptr)
        sparse_moments(c, u, threads, watch, out);
    else
        dense_moments(c, u, threads, watch, work, out);
    for (ptrdiff_t j = 0; j < c->P; j++) {
        if (!(out->square[j] <= DBL_MAX)) {
            *out->where = j;
            return TW_LINEAR_OVERFLOW;
        }
        if (out->square[j] > LARGEST || (out->square[j] > 0 && out->square[j] < SMALLEST)) {
            *out->where = j;
            return TW_LINEAR_SCALE;
        }
        if (out->square[j] == 0)
            out->product[j] = 0;
    }
    return TW_LINEAR_OK;
}

/* ---- products, and what they move ------------------------------------------------------------ */

static size_t products_work(const struct tw_columns *c, const struct tw_chosen *which, int threads) {
    arena a = arena_on(NULL);
    if (!c->indptr)
        pass_on(&a, c, which, PASS_ROWS, 1, threads);
    return arena_size(&a);
}

static void products(const struct tw_columns *c, const struct tw_chosen *which, const double *u, int threads,
                     struct tw_watch *watch, void *work, double *out) {
    if (c->indptr) {
        sparse_products(c, which, u, threads, watch, out);
        return;
    }
    arena a = arena_on(work);
    pass *p = pass_on(&a, c, which, PASS_ROWS, 1, threads);
    p->body = products_body, p->u = u;
    pass_run(p, watch);
    for (ptrdiff_t k = 0; k < which->m && !(watch && watch->stop); k++)
        out[k] = pass_sum(p, k, 0);
}

static size_t move_work(const struct tw_columns *c, const struct tw_chosen *which, int threads) {
    arena a = arena_on(NULL);
    if (!c->indptr)
        pass_on(&a, c, which, MOVE_ROWS, 0, threads);
    return arena_size(&a);
}

static void move(const struct tw_columns *c, const struct tw_chosen *which, const double *step, int threads,
                 struct tw_watch *watch, void *work, double *r) {
    if (c->indptr) {
        sparse_move(c, which, step, watch, r);
        return;
    }
    arena a = arena_on(work);
    pass *p = pass_on(&a, c, which, MOVE_ROWS, 0, threads);
    p->body = move_body, p->step = step, p->r = r;
    pass_run(p, watch);
}

/* The rows of a chunk whose columns are read twice. */
static ptrdiff_t rows_twice(const struct tw_columns *c) {
    return most(TWICE_SIZE / most(c->P, 1) / PACK_ROWS * PACK_ROWS, TWICE_ROWS);
}

typedef struct {
    pass *moves, *products;
    double *u; /* [n] */
} dense_residual;

static dense_residual dense_residual_on(arena *a, const struct tw_columns *c, const struct tw_chosen *taken,
                                        const struct tw_chosen *which, int threads) {
    dense_residual d = {.u = TAKE(a, double, c->n)};
    if (!c->indptr) {
        d.moves = pass_on(a, c, taken, rows_twice(c), 0, threads);
        d.products = pass_on(a, c, which, rows_twice(c), 1, threads);
    }
    return d;
}

static size_t residual_work(const struct tw_columns *c, const struct tw_chosen *taken,
                            const struct tw_chosen *which, int threads) {
    arena a = arena_on(NULL);
    dense_residual_on(&a, c, taken, which, threads);
    return arena_size(&a);
}

static void residual(const struct tw_columns *c, const struct tw_chosen *taken, const double *step,
                     const struct tw_chosen *which, int threads, struct tw_watch *watch, void *work,
                     double *r, double *out) {
    arena a = arena_on(work);
    dense_residual d = dense_residual_on(&a, c, taken, which, threads);
    if (c->indptr) {
        sparse_move(c, taken, step, watch, r);
        weigh_rows(c->weights, r, 0, c->n, d.u);
        sparse_products(c, which, d.u, threads, watch, out);
        return;
    }
    d.moves->body = move_body, d.moves->step = step, d.moves->r = r, d.moves->watch = watch;
    d.products->body = products_body, d.products->u = d.products->weighted = d.u;
    d.products->before = d.moves;
    pass_run(d.products, watch);
    for (ptrdiff_t k = 0; k < which->m && !(watch && watch->stop); k++)
        out[k] = pass_sum(d.products, k, 0);
}

/* ---- the Gram matrix ------------------------------------------------------------------------- */

static size_t gram_work(const struct tw_columns *c, const struct tw_chosen *which, int rough, int threads) {
    return c->indptr ? sparse_gram_work(c, threads) : dense_gram_work(c, which, rough);
}

static void gram(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known, int rough,
                 int threads, struct tw_watch *watch, void *work, double *out, ptrdiff_t row_step) {
    if (c->indptr)
        sparse_gram(c, which, known, threads, watch, work, out, row_step);
    else
        dense_gram(c, which, known, rough, threads, watch, work, out, row_step);
}

#include "linear/small.h"

extern const struct tw_linear TW_TABLE(tw_linear);
const struct tw_linear TW_TABLE(tw_linear) = {
    .moments_work = moments_work,
    .moments = moments,
    .products_work = products_work,
    .products = products,
    .move_work = move_work,
    .move = move,
    .residual_work = residual_work,
    .residual = residual,
    .gram_work = gram_work,
    .gram = gram,
    .solve_work = solve_work,
    .solve = solve,
    .certificate = certificate,
    .small_work = small_work,
    .small = solve_small,
};
