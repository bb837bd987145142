/* many.h - the quadratic loss at many points.
 *
 * With M points every element of B is used M times, so most of the time goes into arithmetic, not into
 * reading B. As in quadratic.c the triangle is enough for the value, which halves the number of
 * multiplications:
 *
 *     x'Bx = 2 sum_i x_i s_i,   s_i = sum_{j<i} B_ij x_j + B_ii x_i / 2;
 *
 * the gradient needs all of Bx, and then x'Bx = sum_i x_i (Bx)_i.  A general B is taken for (B + B')/2, which
 * has the same value and gradient: the halves are added up while rows are packed.
 *
 * The inner loop is that of a matrix product (Goto and van de Geijn, "Anatomy of high-performance
 * matrix multiplication", 2008): PANEL rows of B and THETAS points give PANEL x THETAS sums that stay
 * in registers while j runs over the whole row.  Both operands are packed so that the loop reads them
 * forwards: points as x[tile][j][THETAS], rows as b[panel][j][PANEL], where elements of the other triangle
 * are zero (value) or mirrored (gradient).  Each sum runs over j in order, in a lane of its own point, so
 * that no result depends on other points.  The values of BLOCK rows form a partial sum; these are added in
 * the order of the blocks.
 */
#ifndef TW_QUADRATIC_MANY_H
#define TW_QUADRATIC_MANY_H

#include "base/arena.h"
#include "base/sharing.h"
#include "quadratic/triangle.h"

enum {
    PANEL = DL == 8 ? 8 : 4, /* rows of a panel: with WIDTH, 24 of 32 registers hold sums, or 12 of 16 */
    WIDTH = 3,               /* vectors of points in a tile */
    THETAS = WIDTH * DL,
    BLOCK = 32,               /* rows packed at a time: with one tile of points they fit the second cache */
    TILES = 12,               /* tiles that share a packed block */
    BATCH_ELEMENTS = 1 << 19, /* doubles of the points that are packed at a time, which are ... */
    BATCH_TILES = 4 * TILES,  /* ... at least so many tiles */
};

/* A job under way. */
typedef struct {
    const tw_square *B;
    const tw_quadratic_job *job;
    struct tw_watch *watch;
    ptrdiff_t batch;                 /* points that are packed at a time, a multiple of THETAS */
    ptrdiff_t first, count;          /* the points of the present batch */
    ptrdiff_t blocks, chunks, slots; /* of rows; of TILES tiles in a batch; threads' workspaces */
    double *x;                       /* [batch / THETAS][P][THETAS] */
    double *partial;                 /* [blocks][batch] values */
    double *b;                       /* [slots][BLOCK * (P + PANEL)] */
    _Atomic ptrdiff_t next;          /* the first item that nobody has taken */
} many_run;

static many_run *many_run_on(arena *a, const tw_square *B, const tw_quadratic_job *job, int threads) {
    const ptrdiff_t P = B->P, tiles = pieces(job->M, THETAS);
    const ptrdiff_t fitting = BATCH_ELEMENTS / (THETAS * most(P, 1));
    TAKE_ROOT(a, many_run, r);
    *r = (many_run){.B = B, .job = job};
    r->batch = least(tiles, most(fitting, BATCH_TILES)) * THETAS;
    r->blocks = pieces(P, BLOCK);
    r->chunks = pieces(r->batch, TILES * THETAS);
    r->slots = most(1, least(threads, r->blocks * r->chunks));
    r->x = TAKE(a, double, r->batch *P);
    r->partial = TAKE(a, double, r->blocks * r->batch);
    r->b = TAKE(a, double, r->slots * BLOCK * (P + PANEL));
    return place;
}

/* ---- packing ------------------------------------------------------------------------------- */

/* Pack theta - theta* of `points` <= DL points, from number `first` of the job on, as x[j][THETAS]. */
static void pack_points(const many_run *r, ptrdiff_t first, ptrdiff_t points, double *x) {
    const ptrdiff_t P = r->B->P, squares = points == DL ? P / DL * DL : 0;
    const ptrdiff_t step = r->job->star_step;
    const double *theta = r->job->theta + first * P;
    const double *star = r->job->theta_star ? r->job->theta_star + first * step : NULL;
    for (ptrdiff_t j = 0; j < squares; j += DL) {
        dvec a[DL];
        for (int m = 0; m < DL; m++)
            a[m] = star ? d_load(theta + m * P + j) - d_load(star + m * step + j) : d_load(theta + m * P + j);
        transpose(a);
        for (int m = 0; m < DL; m++)
            d_store(x + (j + m) * THETAS, a[m]);
    }
    for (ptrdiff_t j = squares; j < P; j++)
        for (ptrdiff_t m = 0; m < points; m++)
            x[j * THETAS + m] = star ? theta[m * P + j] - star[m * step + j] : theta[m * P + j];
}

/* Pack tile t of the batch: THETAS points side by side, 0 beyond the last. */
static void pack_tile(void *context, ptrdiff_t t) {
    const many_run *r = context;
    const ptrdiff_t P = r->B->P, points = least(THETAS, r->count - t * THETAS);
    double *x = r->x + t * P * THETAS;
    if (points < THETAS)
        memset(x, 0, (size_t)(P * THETAS) * sizeof *x);
    for (ptrdiff_t m = 0; m < points; m += DL)
        pack_points(r, r->first + t * THETAS + m, least(DL, points - m), x + m);
}

/* Pack a panel of (B + B')/2 for a general B; see pack_panel. */
static void pack_general(const many_run *r, ptrdiff_t i, ptrdiff_t length, double *b) {
    const tw_square *B = r->B;
    const ptrdiff_t rows = least(PANEL, B->P - i);
    memset(b, 0, (size_t)(length * PANEL) * sizeof *b);
    for (ptrdiff_t k = 0; k < rows; k++)
        for (ptrdiff_t j = 0; j < length; j++)
            b[j * PANEL + k] = (double)row(B, i + k)[j] / 2;
    for (ptrdiff_t j = 0; j < length; j++)
        for (ptrdiff_t k = 0; k < rows; k++)
            b[j * PANEL + k] += (double)row(B, j)[i + k] / 2;
    for (ptrdiff_t k = 0; k < rows && !r->job->gradient; k++) /* the value needs one triangle */
        for (ptrdiff_t j = i + k; j < i + rows; j++)
            b[j * PANEL + k] = j == i + k ? b[j * PANEL + k] / 2 : 0;
}

/* Pack rows [i, i + PANEL) and columns [0, length) of B as b[j][PANEL]; 0 beyond the last row. */
static void pack_panel(const many_run *r, ptrdiff_t i, ptrdiff_t length, double *b) {
    const tw_square *B = r->B;
    const int mirrored = r->job->gradient != NULL;
    const ptrdiff_t rows = least(PANEL, B->P - i);
    if (B->general) {
        pack_general(r, i, length, b);
        return;
    }
    memset(b, 0, (size_t)(length * PANEL) * sizeof *b);
    if (B->upper)
        for (ptrdiff_t j = 0; j < i; j++)
            for (ptrdiff_t k = 0; k < rows; k++)
                b[j * PANEL + k] = row(B, j)[i + k];
    else
        for (ptrdiff_t k = 0; k < rows; k++)
            for (ptrdiff_t j = 0; j < i; j++)
                b[j * PANEL + k] = row(B, i + k)[j];
    for (ptrdiff_t k = 0; k < rows; k++)
        for (ptrdiff_t j = i; j < i + rows; j++) {
            if (mirrored)
                b[j * PANEL + k] = element(B, most(i + k, j), least(i + k, j));
            else if (j <= i + k)
                b[j * PANEL + k] = element(B, i + k, j) / (j == i + k ? 2 : 1);
        }
    if (mirrored && B->upper)
        for (ptrdiff_t k = 0; k < rows; k++)
            for (ptrdiff_t j = i + rows; j < length; j++)
                b[j * PANEL + k] = row(B, i + k)[j];
    else if (mirrored)
        for (ptrdiff_t j = i + rows; j < length; j++)
            for (ptrdiff_t k = 0; k < rows; k++)
                b[j * PANEL + k] = row(B, j)[i + k];
}

/* ---- the inner loop ------------------------------------------------------------------------ */

/* Multiply one panel with W vectors of points: sum [PANEL][W] over `length` columns.  Compiled for each W. */
TW_INLINE void multiply(const int W, ptrdiff_t length, const double *b, const double *x,
                        dvec sum[PANEL][WIDTH]) {
    dvec s[PANEL][WIDTH];
    for (int k = 0; k < PANEL; k++)
        for (int w = 0; w < W; w++)
            s[k][w] = (dvec){0};
    for (ptrdiff_t j = 0; j < length; j++)
        for (int k = 0; k < PANEL; k++)
            for (int w = 0; w < W; w++)
                s[k][w] += b[j * PANEL + k] * d_load_aligned(x + j * THETAS + w * DL);
    for (int k = 0; k < PANEL; k++)
        for (int w = 0; w < W; w++)
            sum[k][w] = s[k][w];
}

static void multiply1(ptrdiff_t length, const double *b, const double *x, dvec sum[PANEL][WIDTH]) {
    multiply(1, length, b, x, sum);
}
static void multiply2(ptrdiff_t length, const double *b, const double *x, dvec sum[PANEL][WIDTH]) {
    multiply(2, length, b, x, sum);
}
static void multiply3(ptrdiff_t length, const double *b, const double *x, dvec sum[PANEL][WIDTH]) {
    multiply(3, length, b, x, sum);
}

/* Write rows [i, i + rows) of the gradients, 2 Bx, of a tile's points; `sum` holds Bx. */
static void store_gradient(double *gradient, ptrdiff_t P, ptrdiff_t points, ptrdiff_t rows,
                           dvec sum[PANEL][WIDTH]) {
    double y[PANEL][THETAS];
    memcpy(y, sum, sizeof y);
    for (ptrdiff_t m = 0; m < points; m++)
        for (ptrdiff_t k = 0; k < rows; k++)
            gradient[m * P + k] = 2 * y[k][m];
}

/* Add what one packed block of rows gives to the values of one tile of points; write its rows of the
 * gradients. */
static void tile_block(const many_run *r, ptrdiff_t t, ptrdiff_t block, const double *b) {
    static void (*const multiply_by[])(ptrdiff_t, const double *, const double *,
                                       dvec[PANEL][WIDTH]) = {multiply1, multiply2, multiply3};
    const ptrdiff_t P = r->B->P, begin = block * BLOCK, end = least(begin + BLOCK, P);
    const ptrdiff_t points = least(THETAS, r->count - t * THETAS), W = pieces(points, DL);
    const double *x = r->x + t * P * THETAS;
    double *gradient = r->job->gradient;
    dvec sum[PANEL][WIDTH], value[WIDTH] = {{0}};
    for (ptrdiff_t i = begin; i < end; i += PANEL) {
        const ptrdiff_t rows = least(PANEL, P - i), length = gradient ? P : i + rows;
        multiply_by[W - 1](length, b, x, sum);
        for (int k = 0; k < rows; k++)
            for (int w = 0; w < W; w++)
                value[w] += d_load_aligned(x + (i + k) * THETAS + w * DL) * sum[k][w];
        if (gradient)
            store_gradient(gradient + (r->first + t * THETAS) * P + i, P, points, rows, sum);
        b += length * PANEL;
    }
    for (int w = 0; w < W; w++)
        d_store(r->partial + block * r->batch + t * THETAS + w * DL, value[w]);
}

/* ---- who does what ------------------------------------------------------------------------- */

/* Take items, each a block of rows and TILES tiles of points, until none is left; `slot` is the thread's
 * workspace. */
static void take_items(void *context, ptrdiff_t slot) {
    many_run *r = context;
    const ptrdiff_t P = r->B->P, tiles = pieces(r->count, THETAS);
    double *b = r->b + slot * BLOCK * (P + PANEL);
    for (ptrdiff_t item; (item = claim(&r->next, 1, r->blocks * r->chunks, r->watch)) >= 0;) {
        /* the last blocks have the longest rows, and come first: so the items at the end are short */
        const ptrdiff_t block = r->blocks - 1 - item / r->chunks, t0 = item % r->chunks * TILES;
        double *panel = b;
        if (t0 >= tiles)
            continue;
        for (ptrdiff_t i = block * BLOCK; i < least((block + 1) * BLOCK, P); i += PANEL) {
            const ptrdiff_t length = r->job->gradient ? P : least(i + PANEL, P);
            pack_panel(r, i, length, panel);
            panel += length * PANEL;
        }
        for (ptrdiff_t t = t0; t < least(t0 + TILES, tiles) && !tw_stopped(r->watch); t++)
            tile_block(r, t, block, b);
    }
}

static size_t quadratic_many_work(const tw_square *B, const tw_quadratic_job *job, int threads) {
    arena a = arena_on(NULL);
    many_run_on(&a, B, job, threads);
    return arena_size(&a);
}

static void quadratic_many(const tw_square *B, const tw_quadratic_job *job, int threads,
                           struct tw_watch *watch, void *work) {
    arena a = arena_on(work);
    many_run *r = many_run_on(&a, B, job, threads);
    const double factor = job->gradient ? 1 : 2;
    r->watch = watch;
    for (r->first = 0; r->first < job->M && !(watch && watch->stop); r->first += r->batch) {
        r->count = least(r->batch, job->M - r->first);
        r->next = 0;
        tw_parallel(pack_tile, r, pieces(r->count, THETAS), threads, watch);
        tw_parallel(take_items, r, r->slots, (int)r->slots, watch);
        for (ptrdiff_t m = 0; m < r->count; m++) {
            double value = 0;
            for (ptrdiff_t block = 0; block < r->blocks; block++)
                value += r->partial[block * r->batch + m];
            job->value[r->first + m] = factor * value;
        }
    }
}

#endif
