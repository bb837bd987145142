/* normal.h - J'WJ, J'We and e'We from one pass over J.
 *
 * Row x of J, with residual e and weight w, adds x_i (w x)_j to S_ij and e (w x)_j to S_Pj.  The lanes of a
 * vector are columns j, so that at the end sums stand where they belong, which makes many small problems
 * cheap.  The triangle j <= i is cut into tiles, of as many rows i and vectors of columns j as the registers
 * hold.  Each tile takes all rows of a chunk before the next tile does; the chunk stays in the first cache
 * meanwhile.
 */
#ifndef TW_ADJOINT_NORMAL_H
#define TW_ADJOINT_NORMAL_H

#include "adjoint/chunks.h"

#ifdef __AVX512F__
enum { TILE_ROWS = 8, TILE_VECTORS = 3 }; /* 27 sums and 3 vectors of columns in 32 registers */
#else
enum { TILE_ROWS = 4, TILE_VECTORS = 2 }; /* 10 sums and 2 vectors in 16 */
#endif
enum { NORMAL_STRIP = 64 /* rows i of the triangle that a task sums up */ };

/* Add to rows i0 ... i0 + ni - 1 of S, and to the row of e if `last`, the nv column vectors from column j0
 * on, summed over all rows of the chunk A.  The rows of S are `width` apart.
 *
 * Compiled for each value of
 *   ni    rows of the tile, 1 ... TILE_ROWS
 *   nv    vectors of columns, 1 ... TILE_VECTORS
 *   last  whether the row of e belongs to the tile
 */
TW_INLINE void add_tile(int ni, int nv, int last, const rows *A, ptrdiff_t i0, ptrdiff_t j0, double *S,
                        ptrdiff_t width) {
    dvec sum[TILE_ROWS + 1][TILE_VECTORS], column[TILE_VECTORS];
    const double *x = A->x + i0, *y = A->x + j0;
    const ptrdiff_t n = A->n, step = A->step;
    const int all = (ni + last) * nv;
    TW_UNROLL
    for (int k = 0; k < all; k++)
        sum[k / nv][k % nv] = (dvec){0};
    for (ptrdiff_t r = 0; r < n; r++, x += step, y += step) {
        TW_UNROLL
        for (int v = 0; v < nv; v++) {
            if (last) /* the tiles with e touch every column once, so they fetch the next chunk */
                __builtin_prefetch((const char *)(y + v * DL) + A->ahead);
            column[v] = d_set(A->w[r]) * d_load(y + v * DL);
        }
        TW_UNROLL
        for (int k = 0; k < all; k++)
            sum[k / nv][k % nv] += d_set(k < ni * nv ? x[k / nv] : A->e[r]) * column[k % nv];
    }
    double *s = S + i0 * width + j0;
    TW_UNROLL
    for (int k = 0; k < all; k++) {
        double *place = s + k / nv * width + k % nv * DL;
        d_store(place, d_load(place) + sum[k / nv][k % nv]);
    }
}

/* The compiler unrolls add_tile for each constant shape. */
#define TW_TILE(ni, nv)                                                                                      \
    case ni * 4 + nv:                                                                                        \
        if (last)                                                                                            \
            add_tile(ni, nv, 1, A, i0, j0, S, width);                                                        \
        else                                                                                                 \
            add_tile(ni, nv, 0, A, i0, j0, S, width);                                                        \
        break;
#ifdef __AVX512F__
#define TW_TILES(ni) TW_TILE(ni, 1) TW_TILE(ni, 2) TW_TILE(ni, 3)
#else
#define TW_TILES(ni) TW_TILE(ni, 1) TW_TILE(ni, 2)
#endif

static void tile(ptrdiff_t ni, ptrdiff_t nv, int last, const rows *A, ptrdiff_t i0, ptrdiff_t j0, double *S,
                 ptrdiff_t width) {
    switch (ni * 4 + nv) {
        TW_TILES(1)
        TW_TILES(2)
        TW_TILES(3)
        TW_TILES(4)
#ifdef __AVX512F__
        TW_TILES(5)
        TW_TILES(6)
        TW_TILES(7)
        TW_TILES(8)
#endif
    }
}

/* ---- chunks ----------------------------------------------------------------------------- */

/* e' W e */
TW_INLINE double weighted_square(ptrdiff_t n, const double *w, const double *e) {
    dvec sum = {0};
    ptrdiff_t r = 0;
    for (; r + DL <= n; r += DL)
        sum += d_load(w + r) * d_load(e + r) * d_load(e + r);
    double total = d_fold(sum);
    for (; r < n; r++)
        total += w[r] * e[r] * e[r];
    return total;
}

/* Rows c0 <= i < c1 of the triangle, if c1 = P also the row of e.  (Vectors on the diagonal reach into the
 * other triangle; what they add there has no meaning.) */
typedef struct {
    ptrdiff_t P, c0, c1;
    double *total;
    double ones[MOST_CHUNK];
} strip_of_triangle;

static void add_to_strip(const rows *chunk, void *context) {
    const strip_of_triangle *t = context;
    const ptrdiff_t P = t->P;
    rows A = *chunk;
    if (!A.w)
        A.w = t->ones;
    for (ptrdiff_t i = t->c0; i < t->c1; i += TILE_ROWS) {
        const ptrdiff_t ni = least(TILE_ROWS, t->c1 - i), vectors = pieces(i + ni, DL);
        for (ptrdiff_t v = 0; v < vectors; v += TILE_VECTORS)
            tile(ni, least(TILE_VECTORS, vectors - v), i + ni == P, &A, i, v * DL, t->total, padded(P));
    }
    if (t->c1 == P)
        t->total[place_of_etWe(P)] += weighted_square(A.n, A.w, A.e);
}

static int add_normal(const summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1, double *total,
                      double *scratch) {
    const ptrdiff_t P = s->A->P, width = padded(P), end = c1 == P ? s->p.total : c1 * width;
    strip_of_triangle t = {.P = P, .c0 = c0, .c1 = c1, .total = total};
    for (int r = 0; r < MOST_CHUNK; r++)
        t.ones[r] = 1;
    memset(total + c0 * width, 0, (size_t)(end - c0 * width) * sizeof *total);
    each_chunk(s, q, n, scratch, add_to_strip, &t);
    return 0;
}

/* Write rows c0 <= i < c1 of the triangle to the results, J'WJ to both of its triangles. */
static int write_normal(const summation *s, ptrdiff_t sum, ptrdiff_t c0, ptrdiff_t c1, const double *total) {
    const ptrdiff_t P = s->A->P, width = padded(P), end = c1 == P ? s->p.total : c1 * width;
    double *JtWJ = s->out[0] + sum * P * P, *JtWe = s->out[1] + sum * P, *etWe = s->out[2] + sum;
    const int is_small = end - c0 * width <= POLL_ELEMENTS;
    ptrdiff_t written = 0;
    int finite = 1;
    for (ptrdiff_t i = c0; i < c1 && !stops_after(s, i + 1, &written); i++) {
        for (ptrdiff_t j = 0; j <= i; j++)
            JtWJ[i * P + j] = JtWJ[j * P + i] = total[i * width + j];
        finite &= is_small || d_all_finite(i + 1, total + i * width);
    }
    if (c1 == P) {
        for (ptrdiff_t j = 0; j < P; j++)
            JtWe[j] = total[P * width + j];
        *etWe = total[place_of_etWe(P)];
        finite &= is_small || (d_all_finite(P, JtWe) && d_all_finite(1, etWe));
    }
    if (is_small) /* a quick look, padding included; if that is finite, all is */
        finite = d_all_finite(end - c0 * width, total + c0 * width) || finite_rows(P, c0, c1, total);
    return finite ? 0 : TW_ADJOINT_NOT_FINITE;
}

#endif
