/* dense_gram.h - the Gram matrix of dense columns.
 *
 * The columns are divided into strips.  A block of rows of each strip is copied row by row, less the means
 * and times sqrt(w).  A tile of the Gram matrix, the products of DL columns of one strip with all of another,
 * is then summed up over the rows of the block in registers, and what it reads lies one behind the other.
 * Without the copy each row of a tile would be gathered from as many places as there are columns.
 *
 * For a rough matrix the columns are copied, multiplied and, within a block of rows, summed up as floats,
 * which takes half the time; the sums of the blocks are added as doubles.  An element is then right to some
 * 1e-7 of the product of both columns' lengths, which must be far from the ends of the range of floats.
 *
 * As many rows are copied at once as stay in the second cache.  The threads share the strips to be copied,
 * and then the strips of the matrix.  One thread sums up an element, row after row, so that no bit depends on
 * the number of threads.
 */
#ifndef TW_LINEAR_DENSE_GRAM_H
#define TW_LINEAR_DENSE_GRAM_H

#include <math.h>

#include "base/arena.h"
#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "base/transpose.h"
#include "linear/contract.h"

/* Measured on Intel Emerald Rapids with AVX-512, 20 to 300 columns: with half of BLOCK_ROWS 0.92 to 1.1 times
 * the time, with twice 0.93 to 1.04 times; with twice AT_ONCE_SIZE 0.96 to 1.03 times. */
enum {
    SIDE = 3, /* vectors in a row of a strip: the DL x SIDE vectors of a tile's sums stay in registers */
    BLOCK_ROWS = 128, /* rows that a tile sums up: so many rows of a strip stay in the first cache */
    /* numbers that are copied at once, at least two blocks of rows: 1 MiB of doubles */
    AT_ONCE_SIZE = 1 << 17,
    MIRRORED = 16, /* with 1500 columns of few rows a matrix takes 0.47 times the time that it takes with 1 */
};

typedef float floats __attribute__((vector_size(TW_VECTOR_BYTES)));
typedef float floats_unaligned __attribute__((vector_size(TW_VECTOR_BYTES), aligned(4), may_alias));
typedef float half_unaligned __attribute__((vector_size(TW_VECTOR_BYTES / 2), aligned(4), may_alias));

typedef struct {
    const struct tw_columns *c;
    struct tw_chosen which;
    int rough;
    ptrdiff_t known, strips, rows, begin, end; /* rows [begin, end), at most `rows`, are copied */
    void *packed;                              /* [strips][rows][columns of a strip] */
    double *root;                              /* [rows] sqrt(w) */
    double *gram;
    ptrdiff_t row_step;
    const double *u; /* [n], or NULL: no products are wanted */
    double *product; /* [m] of the columns, less their means, with u */
    struct tw_watch *watch;
    _Atomic ptrdiff_t next;
} gram_job;

#define element double
#define elements dvec
#define elements_unaligned dvec_unaligned
#define converted dvec_unaligned
#define STRIP_OF(name) name##_of_doubles
#include "linear/gram_strip.h"

#define element float
#define elements floats
#define elements_unaligned floats_unaligned
#define converted half_unaligned
#define STRIP_OF(name) name##_of_floats
#include "linear/gram_strip.h"

static ptrdiff_t strip_columns(int rough) { return rough ? STRIP_of_floats : STRIP_of_doubles; }

static gram_job *gram_job_on(arena *a, const struct tw_columns *c, const struct tw_chosen *which, int rough) {
    TAKE_ROOT(a, gram_job, g);
    memset(g, 0, sizeof *g);
    const ptrdiff_t columns = strip_columns(rough);
    g->c = c, g->which = *which, g->rough = rough, g->strips = pieces(which->m, columns);
    const ptrdiff_t fit = AT_ONCE_SIZE / most(g->strips * columns, 1) / BLOCK_ROWS;
    g->rows = least(most(fit, 2) * BLOCK_ROWS, c->n);
    const ptrdiff_t size = g->strips * g->rows * columns;
    g->packed = rough ? (void *)TAKE(a, float, size) : (void *)TAKE(a, double, size);
    g->root = TAKE(a, double, g->rows);
    return place;
}

static void copy_part(void *context, ptrdiff_t part) {
    gram_job *g = context;
    (void)part;
    for (ptrdiff_t s; (s = claim(&g->next, 1, g->strips, g->watch)) >= 0;)
        if (g->rough)
            copy_strip_of_floats(g, s);
        else
            copy_strip_of_doubles(g, s);
}

/* Make the strips of rows of the matrix, the last first: its rows are the longest up to the diagonal. */
static void add_part(void *context, ptrdiff_t part) {
    gram_job *g = context;
    (void)part;
    const ptrdiff_t old = g->known / strip_columns(g->rough);
    for (ptrdiff_t s; (s = claim(&g->next, 1, g->strips - old, g->watch)) >= 0;)
        if (g->rough)
            add_strip_of_floats(g, g->strips - 1 - s);
        else
            add_strip_of_doubles(g, g->strips - 1 - s);
}

static void share(gram_job *g, tw_task body, ptrdiff_t parts, int threads) {
    atomic_init(&g->next, 0);
    tw_parallel(body, g, least(threads, parts), threads, g->watch);
}

static size_t dense_gram_work(const struct tw_columns *c, const struct tw_chosen *which, int rough) {
    arena a = arena_on(NULL);
    gram_job_on(&a, c, which, rough);
    return arena_size(&a);
}

/* The largest work of any 1 ... `which->m` columns: fewer columns are copied with more rows at once. */
static size_t largest_gram_work(const struct tw_columns *c, const struct tw_chosen *which, int rough) {
    size_t largest = 0;
    for (ptrdiff_t m = which->m; m > 0; m -= strip_columns(rough)) {
        const struct tw_chosen some = {which->column, m};
        const size_t size = dense_gram_work(c, &some, rough);
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* Take the rows of A, as many at once as are copied, into the sums. */
static void add_rows(gram_job *g, int threads) {
    const struct tw_columns *c = g->c;
    for (g->begin = 0; g->begin < c->n && !tw_stopped(g->watch); g->begin = g->end) {
        g->end = least(g->begin + g->rows, c->n);
        for (ptrdiff_t i = g->begin; i < g->end && c->weights; i++)
            g->root[i - g->begin] = sqrt(c->weights[i]);
        share(g, copy_part, g->strips, threads);
        share(g, add_part, g->strips - g->known / strip_columns(g->rough), threads);
    }
}

/* Copy what is below the diagonal in the new rows to the place above it, MIRRORED by MIRRORED elements at a
 * time: the lines of memory that hold these stay in the first cache until all their elements are copied. */
static void mirror(const gram_job *g) {
    const ptrdiff_t m = g->which.m, step = g->row_step;
    for (ptrdiff_t first = g->known; first < m; first += MIRRORED)
        for (ptrdiff_t other = 0; other < least(first + MIRRORED, m); other += MIRRORED)
            for (ptrdiff_t j = other; j < least(other + MIRRORED, m); j++)
                for (ptrdiff_t i = most(first, j + 1); i < least(first + MIRRORED, m); i++)
                    g->gram[j * step + i] = g->gram[i * step + j];
}

/* The columns' products with u, where it is given, are summed up from what is copied. */
static void dense_gram(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known, int rough,
                       const double *u, double *product, int threads, struct tw_watch *watch, void *work,
                       double *gram, ptrdiff_t row_step) {
    arena a = arena_on(work);
    gram_job *g = gram_job_on(&a, c, which, rough);
    g->known = known, g->gram = gram, g->row_step = row_step, g->watch = watch;
    g->u = u, g->product = product;
    const ptrdiff_t m = which->m;
    for (ptrdiff_t i = known; i < m; i++)
        memset(gram + i * row_step, 0, (size_t)m * sizeof(double));
    for (ptrdiff_t k = 0; u && k < m; k++)
        product[k] = 0;
    add_rows(g, threads);
    mirror(g);
}

#endif
