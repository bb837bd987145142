/* normal.h - the sums of the normal equations, in one pass over a block.
 *
 * With the weighted residual as one more column, C = [J | e], all that a step needs is the lower
 * triangle of C' W C: J'WJ, then J'We, then e'We = chi2.  J itself is never stored beyond the block.
 *
 * Sums are taken for 3 x 3 columns at a time: nine accumulators and six loads fit the sixteen
 * registers of AVX2.  Each block is summed in order from zero and added to the total, which bounds
 * the rounding by (points of a block + number of blocks) eps and fixes the order in the source.
 */
#ifndef TW_NORMAL_H
#define TW_NORMAL_H

#include "tape.h"

enum { TILE = 3 };

/* place of (i, j), j <= i, in a lower triangle stored by rows */
TW_INLINE ptrdiff_t tri(ptrdiff_t i, ptrdiff_t j) { return i * (i + 1) / 2 + j; }

/* Add the products of columns i0 ... i0 + ni - 1 with j0 ... j0 + nj - 1 to the triangle.  With
 * weights, a value counts only where the weight is positive: 0 NaN would be NaN. */
TW_INLINE void add_tile(const operand *column, int i0, int j0, int ni, int nj, ptrdiff_t n,
                        const real *weight, real *sum) {
    for (int o = 0; o < LANES; o += VL) {
        vec total[TILE][TILE] = {{{0}}};
        for (ptrdiff_t p = 0; p < n; p++) {
            vec a[TILE], b[TILE];
            for (int i = 0; i < ni; i++)
                a[i] = v_load(column[i0 + i].base + p * column[i0 + i].step + o);
            for (int j = 0; j < nj; j++)
                b[j] = v_load(column[j0 + j].base + p * column[j0 + j].step + o);
            if (weight) {
                const vec w = v_load(weight + p * LANES + o), w2 = w * w;
                for (int i = 0; i < ni; i++)
                    a[i] = v_and(w > 0, a[i]) * w2;
                for (int j = 0; j < nj; j++)
                    b[j] = v_and(w > 0, b[j]);
            }
            for (int i = 0; i < ni; i++)
                for (int j = 0; j < nj; j++)
                    total[i][j] += a[i] * b[j];
        }
        for (int i = 0; i < ni; i++)
            for (int j = 0; j < nj && j0 + j <= i0 + i; j++) {
                real *s = sum + tri(i0 + i, j0 + j) * LANES + o;
                v_store(s, v_load(s) + total[i][j]);
            }
    }
}

/* The compiler unrolls add_tile for each constant shape. */
#define TW_TILE(ni, nj)                                                                                      \
    case 4 * (ni) + (nj):                                                                                    \
        if (weight)                                                                                          \
            add_tile(column, i, j, ni, nj, n, weight, sum);                                                  \
        else                                                                                                 \
            add_tile(column, i, j, ni, nj, n, NULL, sum);                                                    \
        break;

/* sum [n_columns (n_columns + 1) / 2][LANES] += C' W C over n groups of points.
 *
 *   column  [n_columns]  in      operands whose base is already that of the block
 *   weight  [n][LANES]   in      1/sigma, 0 leaves a point out; NULL = 1 everywhere (same bits)
 */
static void add_block(const operand *column, int n_columns, ptrdiff_t n, const real *weight, real *sum) {
    for (int i = 0; i < n_columns; i += TILE)
        for (int j = 0; j <= i; j += TILE) {
            const int ni = n_columns - i < TILE ? n_columns - i : TILE;
            const int nj = n_columns - j < TILE ? n_columns - j : TILE;
            switch (4 * ni + nj) {
                TW_TILE(1, 1)
                TW_TILE(1, 3)
                TW_TILE(2, 2)
                TW_TILE(2, 3)
                TW_TILE(3, 3)
            }
        }
}

#endif
