/* full.h - the quadratic loss of any square matrix at one point, from one read of it.
 *
 * With s_i = sum_j B_ij x_j, which is (Bx)_i, and t_j = sum_i B_ij x_i, which is (B'x)_j,
 *
 *     x'Bx = sum_i x_i s_i,     gradient_j = s_j + t_j .
 *
 * A few rows are read together: an x_j that has been loaded serves all of them, and so does, for the
 * gradient, a vector of t_j that has been loaded and will be stored.  Each row has a vector of sums of its
 * own, so that the value has the same bits with and without the gradient.
 *
 * A load that crosses a cache line costs twice, and with a gradient most of the time goes into loads.  Rows
 * EVEN_ROWS apart begin at the same place of a line, whatever P is; so these are read together where
 * neighbours begin at different places, and in vectors that end with a line.  The first and the last vector
 * of a row may then reach beyond it, into neighbouring rows; lanes that do not belong to the row are set to
 * 0.  Column j is summed in lane j mod DL, turned by where the row begins; columns of a lane are added in
 * their order, and lanes by halves, which gives the same for any turn.  So bits do not depend on the place in
 * memory.
 */
#ifndef TW_QUADRATIC_FULL_H
#define TW_QUADRATIC_FULL_H

#include "quadratic/triangle.h"

/* Measured on AMD Zen 4: without CROWDED, or without NEAREST, times are the same within 2 percent, but that
 * NEAREST saves a tenth for 64 x 64. */
enum {
    FULL_ROWS = 8,                   /* rows of a block, and the most that are read together */
    GRADIENT_ROWS = DL == 8 ? 8 : 4, /* for a gradient: their sums fill half of 32 registers, or of 16 */
    CROWDED_ROWS = 4,                /* rows read together in the two cases below */
    CROWDED = 4096,    /* rows that begin so many bytes apart compete for one set of the cache */
    NEAREST = 1 << 17, /* a matrix of at least so many bytes is not in the first cache; one of ... */
    NEAR = 3 << 22,    /* ... at most so many is in another, which serves fewer rows sooner */
    EVEN_ROWS = 8,     /* a multiple of every DL */
    MARGIN = DL,       /* zeros before and after x, and numbers of no meaning around y */
};

/* Rows i, i + step, ... of a block. */
typedef struct {
    const tw_square *B;
    ptrdiff_t i, step;
    ptrdiff_t lead; /* columns before the first whole vector */
    int edge;       /* may vectors at the ends of a row reach beyond the matrix? */
} full_block;

/* The mask of lanes [from, to). */

TW_INLINE divec lanes_between(ptrdiff_t from, ptrdiff_t to) {
    divec lane;
    for (int l = 0; l < DL; l++)
        lane[l] = l;
    return (lane >= from) & (lane < to);
}

/* Take in a vector of each of R rows, of columns j ... j + DL - 1, or those of its lanes that `keep` selects:
 * add to the sums s of the rows and, for the gradient, to y.
 *
 * This and the next functions are compiled for each value of
 *   R         rows that are read together
 *   gradient  whether y is wanted
 *   limit     the most rows that are read together
 */
TW_INLINE void full_vector(const int R, const int gradient, const divec *keep, const real *const *b,
                           ptrdiff_t j, const double *x, const dvec *x_row, dvec *s, double *y) {
    const dvec x_j = d_load(x + j);
    dvec t = {0};
    for (int r = 0; r < R; r++) {
        dvec element = gradient ? element_once(b[r] + j) : d_load_real(b[r] + j);
        if (keep)
            element = (dvec)((divec)element & *keep);
        s[r] += element * x_j;
        if (gradient)
            t = r ? t + element * x_row[r] : element * x_row[r];
    }
    if (gradient)
        d_store(y + j, d_load(y + j) + t);
}

/* The same for columns [from, to) alone; nothing beside them is read. */
TW_INLINE void full_edge(const int R, const int gradient, const real *const *b, ptrdiff_t from, ptrdiff_t to,
                         ptrdiff_t j, const double *x, const dvec *x_row, dvec *s, double *y) {
    real copy[FULL_ROWS][DL] = {{0}};
    const real *part[FULL_ROWS];
    for (int r = 0; r < R; r++) {
        memcpy(copy[r] + (from - j), b[r] + from, (size_t)(to - from) * sizeof(real));
        part[r] = copy[r];
    }
    full_vector(R, gradient, NULL, part, 0, x + j, x_row, s, y ? y + j : NULL);
}

/* Set sums [R] to the sums of rows r0 ... r0 + R - 1 of a block, in lanes; adds to y. */
TW_INLINE void full_sums(const int R, const int gradient, const full_block *b, int r0, const double *x,
                         dvec *sums, double *y) {
    const ptrdiff_t P = b->B->P, lead = b->lead, end = P - (P - lead) % DL;
    const divec begins = lanes_between(DL - lead, DL), ends = lanes_between(0, P - end);
    const real *row_r[FULL_ROWS];
    dvec s[FULL_ROWS], x_row[FULL_ROWS];
    for (int r = 0; r < R; r++) {
        const ptrdiff_t i = b->i + (r0 + r) * b->step;
        s[r] = (dvec){0};
        row_r[r] = row(b->B, i);
        x_row[r] = d_set(x[i]);
    }
    if (lead && b->edge)
        full_edge(R, gradient, row_r, 0, lead, lead - DL, x, x_row, s, y);
    else if (lead)
        full_vector(R, gradient, &begins, row_r, lead - DL, x, x_row, s, y);
    for (ptrdiff_t j = lead; j < end; j += DL)
        full_vector(R, gradient, NULL, row_r, j, x, x_row, s, y);
    if (end < P && b->edge)
        full_edge(R, gradient, row_r, end, P, end, x, x_row, s, y);
    else if (end < P)
        full_vector(R, gradient, &ends, row_r, end, x, x_row, s, y);
    for (int r = 0; r < R; r++)
        sums[r] = s[r];
}

/* Set sums[0], sums[step], ... to the sums of the R rows i, i + step, ...; adds to y.  Rows that overlap in
 * memory, or are shorter than a vector, are not read in vectors that end with a line. */
TW_INLINE void full_rows_from(const int R, const int limit, const int gradient, const tw_square *B,
                              ptrdiff_t i, ptrdiff_t step, const double *x, double *y, double *sums) {
    const int together = R < limit ? R : limit;
    const int apart = B->row_step >= B->P && B->P >= DL, even = step * B->row_step % EVEN_ROWS == 0;
    const uintptr_t place = (uintptr_t)row(B, i) / sizeof(real);
    const full_block b = {.B = B,
                          .i = i,
                          .step = step,
                          .lead = (gradient || limit < FULL_ROWS) && apart && even ? -place % DL : 0,
                          .edge = !apart || i == 0 || i + (R - 1) * step == B->P - 1};
    dvec s[FULL_ROWS] = {{0}};
    double s_row[FULL_ROWS];
    TW_UNROLL
    for (int r = 0; r < R; r += together)
        full_sums(together, gradient, &b, r, x, s + r, y);
    for (int r = 0; r < R; r += DL)
        fold_each(s + r, s_row + r);
    for (int r = 0; r < R; r++) {
        sums[r * step] = s_row[r];
        if (gradient)
            y[i + r * step] += s_row[r];
    }
}

/* The same for neighbouring rows, of which there are `rows`; returns how many of them were taken. */
TW_INLINE ptrdiff_t full_rows_of(const int limit, const int gradient, const tw_square *B, ptrdiff_t i,
                                 ptrdiff_t rows, const double *x, double *y, double *sums) {
    if (rows >= FULL_ROWS) {
        full_rows_from(FULL_ROWS, limit, gradient, B, i, 1, x, y, sums);
        return FULL_ROWS;
    }
    if (rows >= 4) {
        full_rows_from(4, limit, gradient, B, i, 1, x, y, sums);
        return 4;
    }
    if (rows >= 2) {
        full_rows_from(2, limit, gradient, B, i, 1, x, y, sums);
        return 2;
    }
    full_rows_from(1, limit, gradient, B, i, 1, x, y, sums);
    return 1;
}

/* The value of rows [begin, end), at most a band; adds to y, if there is a gradient. */
TW_INLINE double full_band(const int limit, const int gradient, const tw_square *B, ptrdiff_t begin,
                           ptrdiff_t end, const double *x, double *y) {
    const int turns = gradient && end - begin == BAND && B->P % EVEN_ROWS;
    double sums[BAND], value = 0;
    for (ptrdiff_t r = 0; turns && r < EVEN_ROWS; r++)
        full_rows_from(FULL_ROWS, limit, gradient, B, begin + r, EVEN_ROWS, x, y, sums + r);
    for (ptrdiff_t i = begin; !turns && i < end;)
        i += full_rows_of(limit, gradient, B, i, end - i, x, y, sums + (i - begin));
    for (ptrdiff_t i = begin; i < end; i++)
        value = multiply_add(x[i], sums[i - begin], value);
    return value;
}

/* These are not inlined, for in one large function the compiler runs out of registers. */
static __attribute__((noinline)) double value_band(const tw_square *B, ptrdiff_t begin, ptrdiff_t end,
                                                   const double *x) {
    return full_band(FULL_ROWS, 0, B, begin, end, x, NULL);
}

static __attribute__((noinline)) double crowded_band(const tw_square *B, ptrdiff_t begin, ptrdiff_t end,
                                                     const double *x) {
    return full_band(CROWDED_ROWS, 0, B, begin, end, x, NULL);
}

static __attribute__((noinline)) double gradient_band(const tw_square *B, ptrdiff_t begin, ptrdiff_t end,
                                                      const double *x, double *y) {
    return full_band(GRADIENT_ROWS, 1, B, begin, end, x, y);
}

static double full_rows(const tw_square *B, ptrdiff_t begin, ptrdiff_t end, const double *x, double *y) {
    if (y)
        return gradient_band(B, begin, end, x, y);
    const ptrdiff_t row_bytes = B->row_step * (ptrdiff_t)sizeof(real), size = B->P * row_bytes;
    const int near = DL == 8 && sizeof(real) == 8 && size >= NEAREST && size <= NEAR;
    if (near || row_bytes % CROWDED == 0)
        return crowded_band(B, begin, end, x);
    return value_band(B, begin, end, x);
}

_Static_assert(FULL_ROWS *EVEN_ROWS == BAND, "a band is as many even blocks");

#endif
