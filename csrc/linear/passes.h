/* passes.h - passes over dense columns: sums over rows, and subtraction of columns from the residual.
 *
 * The rows are divided into chunks.  Within a chunk four columns are read at a time, while u or r, which all
 * columns use, stays in the cache.  The threads share the chunks, and the sums of the chunks are added in the
 * order of the chunks.  Columns whose elements are not neighbours in memory are first copied tile by tile.
 */
#ifndef TW_LINEAR_PASSES_H
#define TW_LINEAR_PASSES_H

#include <math.h>

#include "base/arena.h"
#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "linear/contract.h"

/* Measured on Intel Emerald Rapids with AVX-512, 20 to 300 columns of 500 to 100,000 rows: with half or twice
 * PASS_ROWS or MOVE_ROWS 0.92 to 1.05 times the time; with half of TWICE_SIZE 0.96 to 1.14 times, with twice
 * 0.98 to 1.17 times. */
enum {
    FOUR = 4,         /* columns that are read side by side */
    PASS_ROWS = 8192, /* rows of a chunk of sums */
    MOVE_ROWS = 2048, /* rows of a chunk when columns are subtracted: r of a chunk stays in the first cache */
    PACK_ROWS = 1024, /* rows of a tile of copied columns; it divides the chunks of sums */
    POLL_COLUMNS = 64, /* columns of a chunk between two looks at the watch */
    SLOTS = 3,         /* sums of a column in `moments` */
    /* When the columns of a chunk are read twice, once to change r and once for its products, the chunk has
     * TWICE_SIZE elements, which stay in the second cache, but at least TWICE_ROWS rows. */
    TWICE_ROWS = 512,
    TWICE_SIZE = 1 << 17,
};

/* Four columns; where fewer are left, `count` of them, the last is repeated. */
typedef struct {
    const real *x[FOUR];
    double mean[FOUR];
    int count;
} quad;

/* The four columns from number `first` of the list on, starting at row i. */
static quad quad_of(const struct tw_columns *c, const struct tw_chosen *which, const double *mean,
                    ptrdiff_t first, ptrdiff_t i) {
    quad q = {.count = (int)least(FOUR, which->m - first)};
    for (int k = 0; k < FOUR; k++) {
        const ptrdiff_t at = first + (k < q.count ? k : q.count - 1);
        const ptrdiff_t j = which->column ? which->column[at] : at;
        q.x[k] = (const real *)c->A + j * c->column_step + i * c->row_step;
        q.mean[k] = mean ? mean[j] : 0;
    }
    return q;
}

/* Let q point to columns whose elements are neighbours: where they are, or in `tile` [FOUR][PACK_ROWS]. */
static void make_neighbours(const struct tw_columns *c, quad *q, ptrdiff_t rows, real *tile) {
    if (c->row_step == 1)
        return;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (int k = 0; k < FOUR; k++)
            tile[k * PACK_ROWS + i] = q->x[k][i * c->row_step];
    for (int k = 0; k < FOUR; k++)
        q->x[k] = tile + k * PACK_ROWS;
}

/* sum_k += sum_i u_i (x_ik - mean_k) over `rows` rows */
static void sum_products(const quad *q, ptrdiff_t rows, const double *u, double *sum) {
    dvec s[FOUR] = {{0}}, mean[FOUR];
    for (int k = 0; k < FOUR; k++)
        mean[k] = d_set(q->mean[k]);
    ptrdiff_t i = 0;
    for (; i + DL <= rows; i += DL)
        for (int k = 0; k < FOUR; k++)
            s[k] += d_load(u + i) * (d_load_real(q->x[k] + i) - mean[k]);
    for (int k = 0; k < FOUR; k++)
        sum[k] += d_fold(s[k]);
    for (; i < rows; i++)
        for (int k = 0; k < FOUR; k++)
            sum[k] += u[i] * ((double)q->x[k][i] - q->mean[k]);
}

/* sum [FOUR][SLOTS] += the sums of u y, w y and w y^2 over `rows` rows, y = x_k - mean_k.  Where the means
 * are 0, `centred` is 0, and the sums of w y are left out.  It is a constant of each call, as is whether w is
 * NULL. The four columns are summed up side by side, as one addition has to wait for the one before it. */
TW_INLINE void sum_moments(const quad *q, ptrdiff_t rows, const double *u, const double *w, const int centred,
                           double *sum) {
    dvec product[FOUR] = {{0}}, first[FOUR] = {{0}}, square[FOUR] = {{0}};
    ptrdiff_t i = 0;
    for (; i + DL <= rows; i += DL) {
        const dvec v = d_load(u + i);
        TW_UNROLL
        for (int k = 0; k < FOUR; k++) {
            const dvec x = d_load_real(q->x[k] + i), y = centred ? x - q->mean[k] : x;
            const dvec wy = w ? d_load(w + i) * y : y;
            product[k] += v * y, square[k] += wy * y;
            if (centred)
                first[k] += wy;
        }
    }
    for (int k = 0; k < FOUR; k++) {
        double *to = sum + k * SLOTS;
        to[0] += d_fold(product[k]), to[1] += d_fold(first[k]), to[2] += d_fold(square[k]);
        for (ptrdiff_t l = i; l < rows; l++) {
            const double y = (double)q->x[k][l] - q->mean[k], wy = w ? w[l] * y : y;
            to[0] += u[l] * y, to[1] += centred ? wy : 0, to[2] += wy * y;
        }
    }
}

/* r -= sum_k step_k (x_k - mean_k) */
static void take_columns(const quad *q, ptrdiff_t rows, const double *step, double *r) {
    dvec mean[FOUR], by[FOUR];
    for (int k = 0; k < FOUR; k++)
        mean[k] = d_set(q->mean[k]), by[k] = d_set(k < q->count ? step[k] : 0);
    ptrdiff_t i = 0;
    for (; i + DL <= rows; i += DL) {
        dvec way = {0};
        for (int k = 0; k < FOUR; k++)
            way += by[k] * (d_load_real(q->x[k] + i) - mean[k]);
        d_store(r + i, d_load(r + i) - way);
    }
    for (; i < rows; i++) {
        double way = 0;
        for (int k = 0; k < q->count; k++)
            way += step[k] * ((double)q->x[k][i] - q->mean[k]);
        r[i] -= way;
    }
}

/* ---- the threads of a pass ------------------------------------------------------------------- */

/* A pass under way.  `body` works on the rows [i, i + rows) of the four columns from number `first` of the
 * list on. */
typedef struct pass {
    const struct tw_columns *c;
    struct tw_chosen which;
    void (*body)(const struct pass *p, const quad *q, ptrdiff_t first, ptrdiff_t i, ptrdiff_t rows);
    const double *mean, *u, *step; /* [P], [n] and [m]: what the body needs of them */
    double *r, *sums;              /* sums [chunks][m][slots] */
    ptrdiff_t slots, begin, end;   /* rows [begin, end) */
    ptrdiff_t chunk, chunks;       /* rows of a chunk; number of chunks */
    ptrdiff_t threads;
    const struct pass *before; /* NULL, or a pass that does each chunk first; then `weighted` becomes Wr */
    double *weighted;          /* [n] */
    real *tile;                /* [threads][FOUR][PACK_ROWS], where columns are copied */
    struct tw_watch *watch;
    _Atomic ptrdiff_t next;
} pass;

static void products_body(const pass *p, const quad *q, ptrdiff_t first, ptrdiff_t i, ptrdiff_t rows) {
    double sum[FOUR] = {0}, *to = p->sums + (i - p->begin) / p->chunk * p->which.m + first;
    sum_products(q, rows, p->u + i, sum);
    for (int k = 0; k < q->count; k++)
        to[k] += sum[k];
}

static void moments_body(const pass *p, const quad *q, ptrdiff_t first, ptrdiff_t i, ptrdiff_t rows) {
    double sum[FOUR * SLOTS] = {0}, *to = p->sums + ((i - p->begin) / p->chunk * p->which.m + first) * SLOTS;
    const double *u = p->u + i, *w = p->c->weights ? p->c->weights + i : NULL;
    if (p->mean)
        w ? sum_moments(q, rows, u, w, 1, sum) : sum_moments(q, rows, u, NULL, 1, sum);
    else
        w ? sum_moments(q, rows, u, w, 0, sum) : sum_moments(q, rows, u, NULL, 0, sum);
    for (int k = 0; k < q->count * SLOTS; k++)
        to[k] += sum[k];
}

static void move_body(const pass *p, const quad *q, ptrdiff_t first, ptrdiff_t i, ptrdiff_t rows) {
    take_columns(q, rows, p->step + first, p->r + i);
}

static void pass_chunk(const pass *p, ptrdiff_t chunk, real *tile) {
    const ptrdiff_t begin = p->begin + chunk * p->chunk, end = least(begin + p->chunk, p->end);
    const ptrdiff_t at_once = p->c->row_step == 1 ? p->chunk : PACK_ROWS;
    const ptrdiff_t sums = p->which.m * p->slots;
    if (sums)
        memset(p->sums + chunk * sums, 0, (size_t)sums * sizeof(double));
    for (ptrdiff_t first = 0; first < p->which.m; first += FOUR) {
        if (first % POLL_COLUMNS == 0 && tw_stopped(p->watch))
            return;
        for (ptrdiff_t i = begin; i < end; i += at_once) {
            const ptrdiff_t rows = least(at_once, end - i);
            quad q = quad_of(p->c, &p->which, p->mean, first, i);
            make_neighbours(p->c, &q, rows, tile);
            p->body(p, &q, first, i, rows);
        }
    }
}

/* u = Wr in the rows [begin, end) */
static void weigh_rows(const double *w, const double *r, ptrdiff_t begin, ptrdiff_t end, double *u) {
    for (ptrdiff_t i = begin; i < end; i++)
        u[i] = w ? w[i] * r[i] : r[i];
}

static void pass_part(void *context, ptrdiff_t part) {
    pass *p = context;
    real *tile = p->tile + (p->c->row_step == 1 ? 0 : part * FOUR * PACK_ROWS);
    for (ptrdiff_t chunk; (chunk = claim(&p->next, 1, p->chunks, p->watch)) >= 0;) {
        if (p->before) {
            pass_chunk(p->before, chunk, tile);
            weigh_rows(p->c->weights, p->before->r, chunk * p->chunk, least((chunk + 1) * p->chunk, p->end),
                       p->weighted);
        }
        pass_chunk(p, chunk, tile);
    }
}

/* A pass over the rows [0, n) in chunks, with room for the sums. */
static pass *pass_on(arena *a, const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t chunk,
                     ptrdiff_t slots, int threads) {
    TAKE_ROOT(a, pass, p);
    memset(p, 0, sizeof *p);
    p->c = c, p->which = *which, p->mean = c->mean;
    p->end = c->n, p->chunk = chunk, p->chunks = pieces(c->n, chunk), p->slots = slots;
    p->threads = most(least(threads, p->chunks), 1);
    p->sums = TAKE(a, double, p->chunks * which->m * slots);
    p->tile = TAKE(a, real, c->row_step == 1 ? 0 : p->threads * FOUR * PACK_ROWS);
    return place;
}

static void pass_run(pass *p, struct tw_watch *watch) {
    p->watch = watch;
    atomic_init(&p->next, 0);
    tw_parallel(pass_part, p, p->threads, (int)p->threads, watch);
}

/* sum `slot` of column k, over all chunks in their order */
static double pass_sum(const pass *p, ptrdiff_t k, ptrdiff_t slot) {
    double sum = 0;
    for (ptrdiff_t chunk = 0; chunk < p->chunks; chunk++)
        sum += p->sums[(chunk * p->which.m + k) * p->slots + slot];
    return sum;
}

#endif
