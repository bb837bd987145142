/* factor.h - the Cholesky factor of the Gram matrix of the free coordinates.
 *
 * G_SS + diag(l2 + ridge) = U'U, U upper, stored by rows: eliminating a row touches rows alone, and the
 * update of what is left reads two of U's rows where they are.  The order of the free
 * coordinates puts those first that are least likely to reach 0 or a bound.  From one factor to the next the
 * rows of the longest common beginning of the two orders stay.
 */
#ifndef TW_LINEAR_FACTOR_H
#define TW_LINEAR_FACTOR_H

#include <math.h>

#include "base/doubles.h"
#include "base/numbers.h"
#include "base/pool.h"
#include "linear/heap.h"

/* Measured on Intel Emerald Rapids with AVX-512, least squares of 100 to 2500 columns: with half of PANEL
 * 0.93 to 1.2 times the time, the more columns the more; with 1.5 times PANEL 1.06 to 1.15 times. */
enum {
    PANEL = 32,       /* rows that are eliminated together, few enough to stay in the first two caches */
    TILE_ROWS = 4,    /* the sums of a tile of the update, TILE_ROWS by TILE_COLUMNS, stay in registers */
    TILE_VECTORS = 2, /* vectors in a row of a tile */
    TILE_COLUMNS = TILE_VECTORS * DL,
};

/* y += a x; doubles, whatever the type of A's elements is */
static void add_times(ptrdiff_t n, double a, const double *x, double *y) {
    const dvec factor = d_set(a);
    ptrdiff_t i = 0;
    for (; i + 2 * DL <= n; i += 2 * DL) {
        const dvec first = d_load(y + i) + factor * d_load(x + i);
        const dvec second = d_load(y + i + DL) + factor * d_load(x + i + DL);
        d_store(y + i, first), d_store(y + i + DL, second);
    }
    for (; i < n; i++)
        y[i] += a * x[i];
}

/* y += sum_k a_k x_k of four rows x_k, so that y is read and written once for all four */
static void add_four(ptrdiff_t n, const double *a, const double *const *x, double *y) {
    const dvec f[4] = {d_set(a[0]), d_set(a[1]), d_set(a[2]), d_set(a[3])};
    ptrdiff_t i = 0;
    for (; i + DL <= n; i += DL) {
        const dvec even = f[0] * d_load(x[0] + i) + f[2] * d_load(x[2] + i);
        const dvec odd = f[1] * d_load(x[1] + i) + f[3] * d_load(x[3] + i);
        d_store(y + i, d_load(y + i) + (even + odd));
    }
    for (; i < n; i++)
        y[i] += (a[0] * x[0][i] + a[2] * x[2][i]) + (a[1] * x[1][i] + a[3] * x[3][i]);
}

static double times(ptrdiff_t n, const double *x, const double *y) {
    dvec sum[2] = {{0}};
    ptrdiff_t i = 0;
    for (; i + 2 * DL <= n; i += 2 * DL) {
        sum[0] += d_load(x + i) * d_load(y + i);
        sum[1] += d_load(x + i + DL) * d_load(y + i + DL);
    }
    double total = d_fold(sum[0] + sum[1]);
    for (; i < n; i++)
        total += x[i] * y[i];
    return total;
}

/* An upper triangular matrix, stored by rows that are row_step elements apart. */
typedef struct {
    double *U;
    ptrdiff_t row_step;
} upper;

/* Subtract U_P' U_P from a tile, U_P being the rows [first, end) of U.
 *
 * i, count  the rows [i, i + count) of the tile; count is a constant of each call, so that sums stay in
 * registers j         the first of its TILE_COLUMNS columns */
TW_INLINE void tile_update(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t i, const int count,
                           ptrdiff_t j) {
    const ptrdiff_t s = u->row_step;
    dvec sum[TILE_ROWS][TILE_VECTORS];
    for (int r = 0; r < count; r++)
        for (int v = 0; v < TILE_VECTORS; v++)
            sum[r][v] = d_load(u->U + (i + r) * s + j + v * DL);
    for (ptrdiff_t k = first; k < end; k++) {
        const double *row = u->U + k * s;
        dvec right[TILE_VECTORS];
        for (int v = 0; v < TILE_VECTORS; v++)
            right[v] = d_load(row + j + v * DL);
        for (int r = 0; r < count; r++)
            for (int v = 0; v < TILE_VECTORS; v++)
                sum[r][v] -= row[i + r] * right[v];
    }
    for (int r = 0; r < count; r++)
        for (int v = 0; v < TILE_VECTORS; v++)
            d_store(u->U + (i + r) * s + j + v * DL, sum[r][v]);
}

/* The same for columns [j, end_column) that fill no tile, and rows [i, i + count). */
static void rest_update(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t i, ptrdiff_t count,
                        ptrdiff_t j, ptrdiff_t end_column) {
    for (ptrdiff_t r = i; r < i + count; r++)
        for (ptrdiff_t k = first; k < end; k++) {
            const double *row = u->U + k * u->row_step;
            const double left = row[r];
            for (ptrdiff_t c = j; c < end_column; c++)
                u->U[r * u->row_step + c] -= left * row[c];
        }
}

/* Subtract the products of the rows [first, end) from the rows [end, m), in the columns from `from` on. Tiles
 * reach below the diagonal, where nothing is ever read. */
static void trailing_update(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t m, ptrdiff_t from) {
    for (ptrdiff_t i = end; i < m; i += TILE_ROWS) {
        const ptrdiff_t count = least(TILE_ROWS, m - i);
        ptrdiff_t j = most(i, from);
        for (; j + TILE_COLUMNS <= m; j += TILE_COLUMNS)
            if (count == TILE_ROWS)
                tile_update(u, first, end, i, TILE_ROWS, j);
            else
                rest_update(u, first, end, i, count, j, j + TILE_COLUMNS);
        rest_update(u, first, end, i, count, j, m);
    }
}

/* Eliminate the rows [first, end) of U in the columns from `from` on; those before hold the factor already.
 * -1 where a pivot is not positive. */
static int eliminate(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t m, ptrdiff_t from) {
    for (ptrdiff_t k = first; k < end; k++) {
        double *row = u->U + k * u->row_step;
        const ptrdiff_t begin = most(k, from);
        for (ptrdiff_t l = first; l < k; l++) {
            const double *above = u->U + l * u->row_step;
            add_times(m - begin, -above[k], above + begin, row + begin);
        }
        if (k >= from) {
            if (!(row[k] > 0))
                return -1;
            row[k] = sqrt(row[k]);
        }
        const double inverse = 1 / row[k];
        for (ptrdiff_t j = most(k + 1, from); j < m; j++)
            row[j] *= inverse;
    }
    return 0;
}

/* Factor a matrix of m rows in place.  Its first `keep` rows and columns hold their factor already; their
 * columns from `keep` on do not.  0; -1 where a pivot is not positive, or the watch asks to stop: then there
 * is no factor. */
static int factor_from(const upper *u, ptrdiff_t m, ptrdiff_t keep, struct tw_watch *watch) {
    for (ptrdiff_t first = 0, end; first < m; first = end) {
        end = least(first + PANEL, first < keep ? keep : m);
        if (tw_stopped(watch) || eliminate(u, first, end, m, keep))
            return -1;
        trailing_update(u, first, end, m, keep);
    }
    return 0;
}

/* x = (U'U)^-1 x */
static void factor_solve(const upper *u, ptrdiff_t m, double *x) {
    for (ptrdiff_t k = 0; k < m; k++) {
        const double *row = u->U + k * u->row_step;
        x[k] /= row[k];
        add_times(m - k - 1, -x[k], row + k + 1, x + k + 1);
    }
    for (ptrdiff_t k = m; k-- > 0;) {
        const double *row = u->U + k * u->row_step;
        x[k] = (x[k] - times(m - k - 1, row + k + 1, x + k + 1)) / row[k];
    }
}

#endif
