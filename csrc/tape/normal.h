/* normal.h - the sums of the normal equations, in one pass over a block.
 *
 * With the weighted residual as one more column, C = [J | e], all that a step needs is the lower
 * triangle of C' W C: J'WJ, then J'We, then e'We = chi2.  J itself is never stored beyond the block.
 *
 * As many columns are taken at a time as the registers can hold the sums of: a triangle on the
 * diagonal, three rows at a time below it.  Each block is summed in order from zero and added to the
 * total, which bounds the rounding by (points of a block + number of blocks) eps and fixes the order
 * in the source.
 */
#ifndef TW_NORMAL_H
#define TW_NORMAL_H

#include "base/numbers.h"
#include "tape/run.h"

#ifdef __AVX512F__
enum { TILE_COLUMNS = 6 }; /* 21 sums and 6 columns in 32 registers */
#else
enum { TILE_COLUMNS = 3 }; /* 9 sums and 6 columns in 16 registers */
#endif
enum { TILE_ROWS = 3 };

/* The value of a column at group p; 0 where the weight is 0, for 0 times NaN would be NaN. */
TW_INLINE vec value_at(const operand *column, ptrdiff_t p, int o, const real *weight) {
    const vec value = v_load(column->base + p * column->step + o);
    return weight ? v_and(v_load(weight + p * LANES + o) != 0, value) : value;
}

/* Weights are 1/sigma; or what stands for their squares, which may be negative, and is 0 where a point is
 * left out; or such where no point is.  With squares the last column holds the residuals times the squares.
 */
typedef enum { WEIGHTS, SOME_SQUARES, ALL_SQUARES } weight_kind;

/* Add the products of columns i0 ... i0 + ni - 1 with columns j0 ... j0 + nj - 1, over n groups of points, to
 * the triangle `sum`; of a tile on the diagonal, i0 = j0, only the lower half.
 *
 * Compiled for each value of
 *   ni      rows of the tile, 1 ... TILE_ROWS, or TILE_COLUMNS on the diagonal
 *   nj      columns of the tile, TILE_COLUMNS, or ni on the diagonal
 *   last    whether its last row is the last column
 *   weight  whether it is NULL
 *   kind    what the weights are
 */
TW_INLINE void add_lane_tile(const operand *column, int i0, int j0, int ni, int nj, int last, ptrdiff_t n,
                             const real *weight, weight_kind kind, int width, real *sum) {
    const int diagonal = i0 == j0;
    const real *mask = kind == ALL_SQUARES ? NULL : weight;
    for (int o = 0; o < width; o += VL) {
        vec total[TILE_COLUMNS][TILE_COLUMNS] = {{{0}}};
        for (ptrdiff_t p = 0; p < n; p++) {
            vec b[TILE_COLUMNS], w2 = {0};
            for (int j = 0; j < nj; j++)
                b[j] = value_at(column + j0 + j, p, o, mask);
            if (weight)
                w2 = v_load(weight + p * LANES + o);
            if (weight && kind == WEIGHTS)
                w2 *= w2;
            for (int i = 0; i < ni; i++) {
                vec a = diagonal ? b[i] : value_at(column + i0 + i, p, o, mask);
                a = weight && !(last && i == ni - 1) ? a * w2 : a;
                for (int j = 0; j < (diagonal ? i + 1 : nj); j++)
                    total[i][j] += a * b[j];
            }
        }
        for (int i = 0; i < ni; i++)
            for (int j = 0; j < (diagonal ? i + 1 : nj); j++) {
                real *s = sum + tri(i0 + i, j0 + j) * LANES + o;
                v_store(s, v_load(s) + total[i][j]);
            }
    }
}

/* The compiler unrolls add_lane_tile for each constant shape. */
#define TW_TRIANGLE(n_rows)                                                                                  \
    case n_rows:                                                                                             \
        if (kind != WEIGHTS && j + n_rows == n_columns)                                                      \
            add_lane_tile(column, j, j, n_rows, n_rows, 1, n, weight, kind, width, sum);                     \
        else                                                                                                 \
            add_lane_tile(column, j, j, n_rows, n_rows, 0, n, weight, kind, width, sum);                     \
        break;
#define TW_RECTANGLE(n_rows)                                                                                 \
    case n_rows:                                                                                             \
        if (kind != WEIGHTS && i + n_rows == n_columns)                                                      \
            add_lane_tile(column, i, j, n_rows, TILE_COLUMNS, 1, n, weight, kind, width, sum);               \
        else                                                                                                 \
            add_lane_tile(column, i, j, n_rows, TILE_COLUMNS, 0, n, weight, kind, width, sum);               \
        break;

TW_INLINE void add_columns(const operand *column, int n_columns, ptrdiff_t n, const real *weight,
                           weight_kind kind, int width, real *sum) {
    for (int j = 0; j < n_columns; j += TILE_COLUMNS) {
        switch (n_columns - j < TILE_COLUMNS ? n_columns - j : TILE_COLUMNS) {
            TW_TRIANGLE(1)
            TW_TRIANGLE(2)
            TW_TRIANGLE(3)
#if defined __AVX512F__
            TW_TRIANGLE(4)
            TW_TRIANGLE(5)
            TW_TRIANGLE(6)
#endif
        }
        for (int i = j + TILE_COLUMNS; i < n_columns; i += TILE_ROWS)
            switch (n_columns - i < TILE_ROWS ? n_columns - i : TILE_ROWS) {
                TW_RECTANGLE(1)
                TW_RECTANGLE(2)
                TW_RECTANGLE(3)
            }
    }
}

/* sum [n_columns (n_columns + 1) / 2][LANES] += C' W C over n groups of points, in the first `width` lanes.
 *
 *   column  [n_columns]  in      operands whose base is already that of the block
 *   weight  [n][LANES]   in      1/sigma, 0 leaves a point out; NULL = 1 everywhere (same bits)
 */
static void add_block(const operand *column, int n_columns, ptrdiff_t n, const real *weight, int width,
                      real *sum) {
    if (weight)
        add_columns(column, n_columns, n, weight, WEIGHTS, width, sum);
    else
        add_columns(column, n_columns, n, NULL, WEIGHTS, width, sum);
}

#endif
