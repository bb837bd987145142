/* dense_gram.h - the Gram matrix of dense columns.
 *
 * The columns go STRIP at a time.  Of each strip a block of rows is copied, row by row, less the means and
 * times sqrt(w): then a tile of the matrix, DL columns of one strip with all of another, is a sum over rows
 * whose terms lie one behind the other, in registers from the first row of the block to the last.  A matrix
 * that is not copied would be read with a stride for each row.
 *
 * As many rows are copied at once as stay in the second cache; first the threads share the strips to copy,
 * then the strips of the matrix.  Each element is summed up row by row by one thread: no bit depends on who.
 */
#ifndef TW_LINEAR_DENSE_GRAM_H
#define TW_LINEAR_DENSE_GRAM_H

#include <math.h>

#include "base/arena.h"
#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "linear/contract.h"

enum {
    SIDE = 3,               /* vectors in a row of a strip: a tile, DL times as many, fills the registers */
    STRIP = SIDE * DL,      /* columns of a strip */
    BLOCK_ROWS = 128,       /* rows of a tile: those of a strip stay in the first cache */
    AT_ONCE_SIZE = 1 << 18, /* numbers that are copied at once, of two blocks or more: 2 MiB */
};

typedef struct {
    const struct tw_columns *c;
    struct tw_chosen which;
    ptrdiff_t known, strips, rows, begin, end; /* rows [begin, end) are at work, `rows` at most */
    double *packed, *root;                     /* [strips][rows][STRIP]; [rows] sqrt(w) */
    double *gram;
    ptrdiff_t row_step;
    struct tw_watch *watch;
    _Atomic ptrdiff_t next;
} gram_job;

static gram_job *gram_job_on(arena *a, const struct tw_columns *c, const struct tw_chosen *which) {
    TAKE_ROOT(a, gram_job, g);
    memset(g, 0, sizeof *g);
    g->c = c, g->which = *which, g->strips = pieces(which->m, STRIP);
    const ptrdiff_t fit = AT_ONCE_SIZE / most(g->strips * STRIP, 1) / BLOCK_ROWS;
    g->rows = least(most(fit, 2) * BLOCK_ROWS, c->n);
    g->packed = TAKE(a, double, g->strips * g->rows * STRIP);
    g->root = TAKE(a, double, g->rows);
    return place;
}

static double *strip_of(const gram_job *g, ptrdiff_t strip) { return g->packed + strip * g->rows * STRIP; }

/* Copy the rows [i, end) of a strip to `to`; columns beyond the last are 0. */
static void copy_block(const gram_job *g, ptrdiff_t strip, ptrdiff_t i, ptrdiff_t end, double *to) {
    const struct tw_columns *c = g->c;
    for (ptrdiff_t k = 0; k < STRIP; k++) {
        const ptrdiff_t at = strip * STRIP + k;
        if (at >= g->which.m) {
            for (ptrdiff_t r = 0; r < end - i; r++)
                to[r * STRIP + k] = 0;
            continue;
        }
        const ptrdiff_t j = chosen_at(&g->which, at);
        const real *x = (const real *)c->A + j * c->column_step + i * c->row_step;
        const double mean = c->mean ? c->mean[j] : 0, *root = g->root + (i - g->begin);
        for (ptrdiff_t r = 0; r < end - i; r++) {
            const double y = (double)x[r * c->row_step] - mean;
            to[r * STRIP + k] = c->weights ? root[r] * y : y;
        }
    }
}

static void copy_part(void *context, ptrdiff_t part) {
    gram_job *g = context;
    (void)part;
    for (ptrdiff_t s; (s = claim(&g->next, 1, g->strips, g->watch)) >= 0;)
        for (ptrdiff_t i = g->begin; i < g->end; i += BLOCK_ROWS)
            copy_block(g, s, i, least(i + BLOCK_ROWS, g->end), strip_of(g, s) + (i - g->begin) * STRIP);
}

/* tile [DL][STRIP] = the first DL columns of `left` with the first `side` vectors of `right`, summed over
 * some rows */
TW_INLINE void strip_tile(const double *left, const double *right, ptrdiff_t rows, const int side,
                          double *tile) {
    dvec sum[DL][SIDE] = {{{0}}};
    for (ptrdiff_t r = 0; r < rows; r++) {
        dvec y[SIDE];
        TW_UNROLL
        for (int v = 0; v < side; v++)
            y[v] = d_load(right + r * STRIP + v * DL);
        TW_UNROLL
        for (int k = 0; k < DL; k++) {
            TW_UNROLL
            for (int v = 0; v < side; v++)
                sum[k][v] += left[r * STRIP + k] * y[v];
        }
    }
    TW_UNROLL
    for (int k = 0; k < DL; k++) {
        TW_UNROLL
        for (int v = 0; v < side; v++)
            d_store(tile + k * STRIP + v * DL, sum[k][v]);
    }
}

/* Add to the matrix the columns i and on, DL of them, with those from j on, up to the vector that holds the
 * diagonal: what is new, and not beyond the end. */
static void add_tile(const gram_job *g, ptrdiff_t i, ptrdiff_t j, ptrdiff_t row, ptrdiff_t rows) {
    const ptrdiff_t first = i / STRIP * STRIP;
    const double *left = strip_of(g, i / STRIP) + row * STRIP + (i - first);
    const double *right = strip_of(g, j / STRIP) + row * STRIP;
    const ptrdiff_t side = j < first ? SIDE : (i - first) / DL + 1;
    double tile[DL * STRIP];
    if (side == 1)
        strip_tile(left, right, rows, 1, tile);
    else if (side == 2)
        strip_tile(left, right, rows, 2, tile);
    else
        strip_tile(left, right, rows, SIDE, tile);
    for (ptrdiff_t k = most(0, g->known - i); k < least(DL, g->which.m - i); k++)
        for (ptrdiff_t l = 0; l < least(side * DL, g->which.m - j); l++)
            g->gram[(i + k) * g->row_step + j + l] += tile[k * STRIP + l];
}

/* Add the rows at work to one strip of rows of the matrix, up to the diagonal. */
static void add_strip(const gram_job *g, ptrdiff_t strip) {
    const ptrdiff_t first = strip * STRIP, end = least(first + STRIP, g->which.m), n = g->end - g->begin;
    for (ptrdiff_t other = 0; other <= first; other += STRIP)
        for (ptrdiff_t row = 0; row < n; row += BLOCK_ROWS)
            for (ptrdiff_t i = most(first, g->known / DL * DL); i < end; i += DL)
                add_tile(g, i, other, row, least(BLOCK_ROWS, n - row));
}

/* The last strips first: they take longest. */
static void add_part(void *context, ptrdiff_t part) {
    gram_job *g = context;
    (void)part;
    const ptrdiff_t old = g->known / STRIP;
    for (ptrdiff_t s; (s = claim(&g->next, 1, g->strips - old, g->watch)) >= 0;)
        add_strip(g, g->strips - 1 - s);
}

static void share(gram_job *g, tw_task body, ptrdiff_t parts, int threads) {
    atomic_init(&g->next, 0);
    tw_parallel(body, g, least(threads, parts), threads, g->watch);
}

static size_t dense_gram_work(const struct tw_columns *c, const struct tw_chosen *which) {
    arena a = arena_on(NULL);
    gram_job_on(&a, c, which);
    return arena_size(&a);
}

static void dense_gram(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known,
                       int threads, struct tw_watch *watch, void *work, double *gram, ptrdiff_t row_step) {
    arena a = arena_on(work);
    gram_job *g = gram_job_on(&a, c, which);
    g->known = known, g->gram = gram, g->row_step = row_step, g->watch = watch;
    const ptrdiff_t m = which->m;
    for (ptrdiff_t i = known; i < m; i++)
        memset(gram + i * row_step, 0, (size_t)m * sizeof(double));
    for (g->begin = 0; g->begin < c->n && !tw_stopped(watch); g->begin = g->end) {
        g->end = least(g->begin + g->rows, c->n);
        for (ptrdiff_t i = g->begin; i < g->end && c->weights; i++)
            g->root[i - g->begin] = sqrt(c->weights[i]);
        share(g, copy_part, g->strips, threads);
        share(g, add_part, g->strips - known / STRIP, threads);
    }
    for (ptrdiff_t i = known; i < m; i++)
        for (ptrdiff_t j = 0; j < i; j++)
            gram[j * row_step + i] = gram[i * row_step + j];
}

#endif
