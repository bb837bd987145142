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

/* Measured on Intel Emerald Rapids with AVX2 and AVX-512, least squares of 250 to 1500 columns: with 1.5
 * times PANEL 0.95 to 1.02 times the time, with twice 0.97 to 1.25 times.  The sums of a tile stay in
 * registers: 24 of the 32 of AVX-512, else 12 of 16. */
enum {
    PANEL = 32, /* rows that are eliminated together, few enough to stay in the first two caches */
    TILE_ROWS = DL > 4 ? 8 : 4,
    TILE_VECTORS = 3, /* vectors in a row of a tile */
    BEYOND = DL - 1,  /* elements behind the columns of a row, 0, for the last vector of a tile */
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

/* An upper triangular matrix, stored by rows that are row_step elements apart.  BEYOND elements follow the
 * columns of each row. */
typedef struct {
    double *U;
    ptrdiff_t row_step;
} upper;

/* Subtract the products of the rows [first, end) of U, U_P' U_P, from a tile: from the rows [i, i +
 * TILE_ROWS), and `vectors` vectors of columns from column j on.  `vectors` is a constant of each call. */
TW_INLINE void tile_update(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t i, ptrdiff_t j,
                           const int vectors) {
    const ptrdiff_t s = u->row_step;
    dvec sum[TILE_ROWS][TILE_VECTORS];
    double *tile = u->U + i * s + j;
    TW_UNROLL
    for (int r = 0; r < TILE_ROWS; r++) {
        TW_UNROLL
        for (int v = 0; v < vectors; v++)
            sum[r][v] = d_load(tile + r * s + v * DL);
    }
    for (ptrdiff_t k = first; k < end; k++) {
        const double *row = u->U + k * s;
        dvec right[TILE_VECTORS];
        TW_UNROLL
        for (int v = 0; v < vectors; v++)
            right[v] = d_load(row + j + v * DL);
        TW_UNROLL
        for (int r = 0; r < TILE_ROWS; r++) {
            TW_UNROLL
            for (int v = 0; v < vectors; v++)
                sum[r][v] -= row[i + r] * right[v];
        }
    }
    TW_UNROLL
    for (int r = 0; r < TILE_ROWS; r++) {
        TW_UNROLL
        for (int v = 0; v < vectors; v++)
            d_store(tile + r * s + v * DL, sum[r][v]);
    }
}

/* The same for the columns [j, m). */
static void tiles_update(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t i, ptrdiff_t j,
                         ptrdiff_t m) {
    for (; j + (TILE_VECTORS - 1) * DL < m; j += TILE_VECTORS * DL)
        tile_update(u, first, end, i, j, TILE_VECTORS);
    if (j + DL < m)
        tile_update(u, first, end, i, j, 2);
    else if (j < m)
        tile_update(u, first, end, i, j, 1);
}

/* Subtract the products of the rows [first, end) from the rows [end, last), in the columns [from, m). Tiles
 * reach below the diagonal, where nothing is ever read. */
static void trailing_update(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t last, ptrdiff_t from,
                            ptrdiff_t m) {
    ptrdiff_t i = end;
    for (; i + TILE_ROWS <= last; i += TILE_ROWS)
        tiles_update(u, first, end, i, most(i, from), m);
    for (; i < last; i++) {
        const ptrdiff_t j = most(i, from);
        for (ptrdiff_t k = first; k < end; k++) {
            const double *row = u->U + k * u->row_step;
            add_times(m - j, -row[i], row + j, u->U + i * u->row_step + j);
        }
    }
}

/* Eliminate row k of U in the columns [from, m), where the rows above have been subtracted.  -1 where its
 * pivot is not positive; a pivot before `from` is that of the factor already. */
static int eliminate(const upper *u, ptrdiff_t k, ptrdiff_t from, ptrdiff_t m) {
    double *row = u->U + k * u->row_step;
    if (k >= from) {
        if (!(row[k] > 0))
            return -1;
        row[k] = sqrt(row[k]);
    }
    const double inverse = 1 / row[k];
    for (ptrdiff_t j = most(k + 1, from); j < m; j++)
        row[j] *= inverse;
    return 0;
}

/* Eliminate the rows [first, end), TILE_ROWS at a time. */
static int eliminate_panel(const upper *u, ptrdiff_t first, ptrdiff_t end, ptrdiff_t from, ptrdiff_t m) {
    for (ptrdiff_t begin = first, next; begin < end; begin = next) {
        next = least(begin + TILE_ROWS, end);
        for (ptrdiff_t k = begin; k < next; k++) {
            if (eliminate(u, k, from, m))
                return -1;
            trailing_update(u, k, k + 1, next, from, m);
        }
        trailing_update(u, begin, next, end, from, m);
    }
    return 0;
}

/* Factor a matrix of m rows in place.  Its first `keep` rows and columns hold their factor already; their
 * columns from `keep` on do not.  0; -1 where a pivot is not positive, or the watch asks to stop: then there
 * is no factor. */
static int factor_from(const upper *u, ptrdiff_t m, ptrdiff_t keep, struct tw_watch *watch) {
    for (ptrdiff_t first = 0, end; first < m; first = end) {
        end = least(first + PANEL, first < keep ? keep : m);
        if (tw_stopped(watch) || eliminate_panel(u, first, end, keep, m))
            return -1;
        trailing_update(u, first, end, m, keep, m);
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
