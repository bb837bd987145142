/* columns.h - what a sweep does to the rows of a block of columns.
 *
 * The columns hold `real`, float or double; all sums and the residual are double.  Rows go to the lanes of
 * a vector in turn, so that the order of each sum is fixed by the row numbers and the vector's length.
 */
#ifndef TW_COLUMNS_H
#define TW_COLUMNS_H

#include "base/doubles.h"
#include "base/numbers.h"
#include "sweep/contract.h"

/* The vector whose lane l is lane (l + by) mod DL of a */
static dvec d_turn(dvec a, ptrdiff_t by) {
    double ring[2 * DL];
    d_store(ring, a), d_store(ring + DL, a);
    return d_load(ring + by);
}

/* How many elements there are from p to the next address at which DL elements of a column are aligned. */
TW_INLINE ptrdiff_t to_boundary(const real *p) { return (ptrdiff_t)(-((uintptr_t)p / sizeof(real)) % DL); }

enum { WIDTH = TW_SWEEP_WIDTH, PAIRS = WIDTH * (WIDTH + 1) / 2 /* tri(WIDTH, 0) */ };

/* The columns of a block, where they are in A. */
typedef struct {
    const real *column[TW_SWEEP_WIDTH];
    ptrdiff_t row_step[TW_SWEEP_WIDTH];
    double pivot[TW_SWEEP_WIDTH]; /* if centered */
} column_block;

/* The two blocks of columns that a walk works on. */
typedef struct {
    const real *const *moved; /* [WIDTH] columns whose coordinates have moved by step; NULL: none has */
    const double *step;       /* [WIDTH + 1] the last, if centered, is what every row of the residual loses */
    const real *const *next;  /* [WIDTH] columns to be multiplied with the residual; NULL: none */
    const double *weights;    /* [n] or NULL */
    double *residual;         /* [n] */
    dvec *sum;                /* [WIDTH + 1] products of next, and if centered of ones, with the residual */
    dvec *gram;               /* [PAIRS + WIDTH] products of next with each other, and if centered with ones;
                                 NULL: not wanted */
    /* [WIDTH] what is subtracted from each element of moved and of next; NULL: nothing, and not centered */
    const double *moved_pivot, *next_pivot;
} block_pair;

/* Columns of more than LONG_COLUMN rows come from memory, and are fetched AHEAD rows before they are needed,
 * which is early enough to be in the second cache: there are more streams than the processor fetches ahead by
 * itself.  Shorter columns are not fetched ahead, for the next ones follow too soon. */
enum { AHEAD = 256, LONG_COLUMN = 4096 };

/* Do for one row what walk does; row i adds to lane i mod DL of the sums. */
TW_INLINE void walk_row(const int centered, const block_pair *b, ptrdiff_t i) {
    double even = b->residual[i], odd = 0, column[WIDTH];
    for (int k = 0; b->moved && k < WIDTH; k += 2) {
        even -= b->step[k] * ((double)b->moved[k][i] - (centered ? b->moved_pivot[k] : 0));
        odd -= b->step[k + 1] * ((double)b->moved[k + 1][i] - (centered ? b->moved_pivot[k + 1] : 0));
    }
    if (b->moved)
        b->residual[i] = even += centered ? odd - b->step[WIDTH] : odd;
    const double w = b->weights ? b->weights[i] : 1;
    if (centered && b->next)
        b->sum[WIDTH][i % DL] += w * even;
    for (int k = 0; b->next && k < WIDTH; k++) {
        column[k] = (double)b->next[k][i] - (centered ? b->next_pivot[k] : 0);
        const double weighted = w * column[k];
        b->sum[k][i % DL] += even * weighted;
        for (int l = 0; b->gram && l <= k; l++)
            b->gram[tri(k, l)][i % DL] += weighted * column[l];
        if (centered && b->gram)
            b->gram[PAIRS + k][i % DL] += weighted;
    }
}

TW_INLINE dvec less(const int centered, dvec a, dvec pivot) { return centered ? a - pivot : a; }

/* The residual r of rows i ... i + DL - 1 after the moves of coordinates, r - sum_k moved_k step_k. */
TW_INLINE dvec moved_residual(const int centered, const real *const *moved, const dvec *pivot,
                              const dvec *step, ptrdiff_t i, dvec r) {
    dvec odd = {0};
    for (int k = 0; k < WIDTH; k += 2) {
        r -= step[k] * less(centered, d_load_real(moved[k] + i), pivot[k]);
        odd -= step[k + 1] * less(centered, d_load_real(moved[k + 1] + i), pivot[k + 1]);
    }
    return r + less(centered, odd, step[WIDTH]);
}

/* Add the products of the columns `next` with the residual r, sum, and with each other, gram, in rows
 * i ... i + DL - 1.  The flags are those of walk; w is not looked at unless `weighted`. */
TW_INLINE void add_products(const int weighted, const int pairs, const int centered, const real *const *next,
                            const dvec *pivot, const double *w, ptrdiff_t i, dvec r, dvec *sum, dvec *gram) {
    dvec column[WIDTH];
    if (centered)
        sum[WIDTH] += weighted ? d_load(w + i) * r : r;
    for (int k = 0; k < WIDTH; k++) {
        column[k] = less(centered, d_load_real(next[k] + i), pivot[k]);
        const dvec weighted_column = weighted ? d_load(w + i) * column[k] : column[k];
        sum[k] += r * weighted_column;
        for (int l = 0; pairs && l <= k; l++)
            gram[tri(k, l)] += weighted_column * column[l];
        if (centered && pairs)
            gram[PAIRS + k] += weighted_column;
    }
}

/* In one pass over rows [begin, end):
 *
 *     r -= sum_k moved_k step_k,    sum_k += next_k . (w r),    gram_kl += next_k . (w next_l)
 *
 * and if centered, with columns less their pivots, the same of one more column, of ones.
 *
 * Compiled for each value of
 *   moves      whether coordinates of b->moved have moved, so that r changes
 *   products   whether the columns b->next are to be multiplied with r
 *   weighted   whether there are weights
 *   pairs      whether b->gram is wanted as well
 *   ahead      whether the columns b->next come from memory and are asked for before they are needed
 *   centered   whether pivots are taken from the columns, and sums with the column of ones are made
 *
 * A load that crosses a cache line costs twice, so the first rows are taken one by one, up to where the first
 * column is aligned (and all others, if n is a multiple of DL).  The lanes of the sums are turned for this
 * and turned back, so that no sum depends on where the columns lie. */
TW_INLINE void walk(const int moves, const int products, const int weighted, const int pairs, const int ahead,
                    const int centered, const block_pair *b, ptrdiff_t begin, ptrdiff_t end) {
    const int sums = WIDTH + centered, all_pairs = PAIRS + (centered ? WIDTH : 0);
    dvec s[WIDTH + 1] = {0}, d[WIDTH + 1] = {0}, gram[PAIRS + WIDTH] = {0};
    dvec moved_pivot[WIDTH] = {0}, next_pivot[WIDTH] = {0};
    const real *moved[WIDTH] = {0}, *next[WIDTH] = {0};
    double *r = b->residual;
    const double *w = b->weights;
    const ptrdiff_t lead = to_boundary((moves ? b->moved : b->next)[0] + begin);
    ptrdiff_t i = begin;
    for (; i < end && i < begin + lead; i++)
        walk_row(centered, b, i);
    const ptrdiff_t turn = i % DL;
    for (int k = 0; k < WIDTH; k++) {
        moved[k] = moves ? b->moved[k] : NULL, next[k] = products ? b->next[k] : NULL;
        moved_pivot[k] = d_set(centered && moves ? b->moved_pivot[k] : 0);
        next_pivot[k] = d_set(centered && products ? b->next_pivot[k] : 0);
    }
    for (int k = 0; k < sums; k++) {
        d[k] = d_set(moves ? b->step[k] : 0);
        s[k] = products ? d_turn(b->sum[k], turn) : d[k];
    }
    for (int p = 0; pairs && p < all_pairs; p++)
        gram[p] = d_turn(b->gram[p], turn);
    for (; i + DL <= end; i += DL) {
        dvec residual = d_load(r + i);
        for (int k = 0; ahead && k < WIDTH; k++)
            __builtin_prefetch(next[k] + i + AHEAD, 0, 2);
        if (moves)
            d_store(r + i, residual = moved_residual(centered, moved, moved_pivot, d, i, residual));
        if (products)
            add_products(weighted, pairs, centered, next, next_pivot, w, i, residual, s, gram);
    }
    for (int k = 0; products && k < sums; k++)
        b->sum[k] = d_turn(s[k], (DL - turn) % DL);
    for (int p = 0; pairs && p < all_pairs; p++)
        b->gram[p] = d_turn(gram[p], (DL - turn) % DL);
    for (; i < end; i++)
        walk_row(centered, b, i);
}

/* The walks below choose the compiled one. */
TW_INLINE void walk_weighted(const int weighted, const int ahead, const int centered, const block_pair *b,
                             ptrdiff_t begin, ptrdiff_t end) {
    if (b->moved && b->gram)
        walk(1, 1, weighted, 1, ahead, centered, b, begin, end);
    else if (b->moved)
        walk(1, 1, weighted, 0, ahead, centered, b, begin, end);
    else if (b->gram)
        walk(0, 1, weighted, 1, ahead, centered, b, begin, end);
    else
        walk(0, 1, weighted, 0, ahead, centered, b, begin, end);
}

TW_INLINE void walk_centered(const int centered, const block_pair *b, int ahead, ptrdiff_t begin,
                             ptrdiff_t end) {
    if (!b->next)
        walk(1, 0, 0, 0, 0, centered, b, begin, end);
    else if (b->weights)
        walk_weighted(1, 1, centered, b, begin, end);
    else if (ahead)
        walk_weighted(0, 1, centered, b, begin, end);
    else
        walk_weighted(0, 0, centered, b, begin, end);
}

static void walk_rows(const block_pair *b, int ahead, ptrdiff_t begin, ptrdiff_t end) {
    if (b->next_pivot)
        walk_centered(1, b, ahead, begin, end);
    else
        walk_centered(0, b, ahead, begin, end);
}

/* ---- columns that do not lie side by side in memory ------------------------------------------ */

enum { ROWS_AHEAD = 16 }; /* rows are fetched so many ahead, for each lies at another place in memory */

/* Set to[k][i] = from[k][i step[k]] for rows [begin, begin + rows); row by row, because a row's elements lie
 * together. */
static void pack(const real *const *from, const ptrdiff_t *step, ptrdiff_t begin, ptrdiff_t rows,
                 real *const *to) {
    for (ptrdiff_t i = begin; i < begin + rows; i++) {
        __builtin_prefetch(from[0] + (i + ROWS_AHEAD) * step[0], 0, 2);
        __builtin_prefetch(from[WIDTH - 1] + (i + ROWS_AHEAD) * step[WIDTH - 1], 0, 2);
        for (int k = 0; k < WIDTH; k++)
            to[k][i] = from[k][i * step[k]];
    }
}

#endif
