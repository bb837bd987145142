/* products.h - what the solver asks of A, dense or sparse: A'u, r - A step, both in one walk, and A'WA.
 */
#ifndef TW_LINEAR_PRODUCTS_H
#define TW_LINEAR_PRODUCTS_H

#include "linear/csc.h"
#include "linear/dense_gram.h"
#include "linear/passes.h"

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

/* How many rows a chunk has whose columns are read twice; see passes.h. */
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

static size_t gram_work(const struct tw_columns *c, const struct tw_chosen *which, int rough, int threads) {
    return c->indptr ? sparse_gram_work(c, threads) : dense_gram_work(c, which, rough);
}

static void gram(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known, int rough,
                 int threads, struct tw_watch *watch, void *work, double *out, ptrdiff_t row_step) {
    if (c->indptr)
        sparse_gram(c, which, known, threads, watch, work, out, row_step);
    else
        dense_gram(c, which, known, rough, NULL, NULL, threads, watch, work, out, row_step);
}

#endif
