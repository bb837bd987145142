/* triangle.h - how the rows of a symmetric matrix are reached, and whether it is symmetric. */
#ifndef TW_TRIANGLE_H
#define TW_TRIANGLE_H

#include "base/doubles.h"
#include "base/numbers.h"
#include "base/transpose.h"
#include "quadratic/contract.h"

enum {
    ROWS = 8, /* rows that are read together; a multiple of DL, which is 2, 4 or 8 */
};

/* DL stored elements, in a register.  Without the empty instruction GCC loads them anew for each of two
 * products. */
TW_INLINE dvec element_once(const real *p) {
    dvec a = d_load_real(p);
#if defined(__SSE2__)
    __asm__("" : "+v"(a));
#endif
    return a;
}

/* a*b + c, rounded in the same way wherever it stands; a compiler left to itself may fuse it in one place and
 * not in another. */
TW_INLINE double multiply_add(double a, double b, double c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* The address of B_i0, if it were stored: row(B, i)[j] is B_ij for every j of the triangle. */
TW_INLINE const real *row(const tw_square *B, ptrdiff_t i) {
    const real *first = B->B;
    if (!B->packed)
        return first + i * B->row_step;
    return first + (B->upper ? i * (2 * B->P - i - 1) / 2 : tri(i, 0));
}

/* B_ij, j <= i, from the triangle that is stored */
TW_INLINE double element(const tw_square *B, ptrdiff_t i, ptrdiff_t j) {
    return B->upper ? row(B, j)[i] : row(B, i)[j];
}

/* ---- symmetry --------------------------------------------------------------------------------
 *
 * Squares of SQUARE x SQUARE elements are transposed in registers and compared bit by bit.  The first
 * exchange, of half vectors, is done by loading half vectors, which needs no shuffle.
 */
enum { SQUARE = (int)VL < (int)ROWS ? (int)VL : (int)ROWS, HALF = SQUARE / 2 };
typedef real square_row __attribute__((vector_size(SQUARE * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef mask_int square_bits __attribute__((vector_size(SQUARE * sizeof(real))));
#if TW_VECTOR_BYTES == 16 && !defined(TW_F32) /* 2 x 2 */
#define FIRST_EXCHANGE(a, from, step)                                                                        \
    for (int r = 0; r < 2; r++)                                                                              \
        a[r] = *(const square_row *)(from + r * step);
#define EXCHANGES(a) EXCHANGE(square_row, a, 2, 1)
#else
typedef real half_row __attribute__((vector_size(HALF * sizeof(real)), aligned(sizeof(real)), may_alias));
#define HALVES(low, high) JOIN_HALVES(*(const half_row *)(low), *(const half_row *)(high))
#define FIRST_EXCHANGE(a, from, step)                                                                        \
    for (int r = 0; r < SQUARE; r++)                                                                         \
        a[r] = HALVES(from + r % HALF * step + r / HALF * HALF,                                              \
                      from + (r % HALF + HALF) * step + r / HALF * HALF);
#if TW_VECTOR_BYTES == 16 || (TW_VECTOR_BYTES == 32 && !defined(TW_F32)) /* 4 x 4 */
#define JOIN_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3)
#define EXCHANGES(a) EXCHANGE(square_row, a, 4, 1)
#else /* 8 x 8 */
#ifdef TW_F32
#define JOIN_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#else /* from the portable form GCC makes a load and a shuffle */
#define JOIN_HALVES(a, b)                                                                                    \
    (square_row) _mm512_insertf64x4(_mm512_castpd256_pd512((__m256d)(a)), (__m256d)(b), 1)
#endif
#define EXCHANGES(a) EXCHANGE(square_row, a, 8, 2) EXCHANGE(square_row, a, 8, 1)
#endif
#endif
/* The bits in which some element [r][c] of `lower` differs from [c][r] of `upper` */
TW_INLINE square_bits unequal_square(const real *lower, const real *upper, ptrdiff_t step) {
    square_row a[SQUARE];
    square_bits unequal = {0};
    FIRST_EXCHANGE(a, upper, step)
    EXCHANGES(a)
    for (int r = 0; r < SQUARE; r++)
        unequal |= (square_bits)a[r] ^ (square_bits) * (const square_row *)(lower + r * step);
    return unequal;
}

enum {
    BAND = 64,     /* rows that are compared with their columns at a time, and ... */
    SEGMENT = 256, /* ... columns of these at a time: both tiles stay in the second cache */
};

/* Are rows [i, i + count) equal to the columns of the same numbers, as far as the columns of these rows are
 * in [from, to) and not beyond the diagonal?  i and from are multiples of ROWS.  The outer loop takes
 * columns, the inner one rows, so that the other triangle is read in runs of `count` elements. */
static int equals_transpose(const tw_square *B, ptrdiff_t i, ptrdiff_t count, ptrdiff_t from, ptrdiff_t to) {
    const real *const b = B->B;
    const ptrdiff_t step = B->row_step, whole = i + count / ROWS * ROWS;
    square_bits unequal = {0};
    mask_int bits = 0;
    for (ptrdiff_t j = from; j < least(to, whole); j += SQUARE)
        for (ptrdiff_t k = most(i, j); k < whole; k += SQUARE)
            unequal |= unequal_square(b + k * step + j, b + j * step + k, step);
    for (ptrdiff_t k = whole; k < i + count; k++)
        for (ptrdiff_t j = from; j < least(to, k); j++)
            bits |= memcmp(b + k * step + j, b + j * step + k, sizeof *b) != 0;
    for (int l = 0; l < SQUARE; l++)
        bits |= unequal[l];
    return bits == 0;
}

#endif
