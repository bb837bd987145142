/* triangle.h - how the rows of a symmetric matrix are reached, and whether it is symmetric. */
#ifndef TW_TRIANGLE_H
#define TW_TRIANGLE_H

#include "base/doubles.h"
#include "base/numbers.h"
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

/* Two vectors of N lanes exchange where bit D of the lane's number differs: LOW_N_D has all lanes
 * without the bit, first a's and then b's in its place, HIGH_N_D all lanes with it. */
#define LOW_2_1(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_2_1(a, b) __builtin_shufflevector(a, b, 1, 3)
#define LOW_4_1(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define HIGH_4_1(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define LOW_4_2(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH_4_2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#define LOW_8_1(a, b) __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define HIGH_8_1(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#define LOW_8_2(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_8_2(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW_8_4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH_8_4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

#define EXCHANGE(type, a, N, D)                                                                              \
    for (int r = 0; r < N; r++)                                                                              \
        if (!(r & D)) {                                                                                      \
            const type low = LOW_##N##_##D(a[r], a[r + D]), high = HIGH_##N##_##D(a[r], a[r + D]);           \
            a[r] = low, a[r + D] = high;                                                                     \
        }

/* Transpose a square of DL vectors: lane c of a[r] becomes lane r of a[c]. */
TW_INLINE void transpose(dvec *a){
#if TW_VECTOR_BYTES == 64
    EXCHANGE(dvec, a, 8, 4) EXCHANGE(dvec, a, 8, 2) EXCHANGE(dvec, a, 8, 1)
#elif TW_VECTOR_BYTES == 32
    EXCHANGE(dvec, a, 4, 2) EXCHANGE(dvec, a, 4, 1)
#else
    EXCHANGE(dvec, a, 2, 1)
#endif
}

/* sums[r] = d_fold(s[r]) for DL vectors at once, by the same additions in the same order */
TW_INLINE void fold_each(const dvec *s, double *sums) {
    dvec a[DL];
    memcpy(a, s, sizeof a);
#if TW_VECTOR_BYTES == 64
    for (int r = 0; r < 4; r++)
        a[r] = LOW_8_4(a[r], a[r + 4]) + HIGH_8_4(a[r], a[r + 4]);
    for (int r = 0; r < 2; r++)
        a[r] = LOW_8_2(a[r], a[r + 2]) + HIGH_8_2(a[r], a[r + 2]);
    a[0] = LOW_8_1(a[0], a[1]) + HIGH_8_1(a[0], a[1]);
#elif TW_VECTOR_BYTES == 32
    for (int r = 0; r < 2; r++)
        a[r] = LOW_4_2(a[r], a[r + 2]) + HIGH_4_2(a[r], a[r + 2]);
    a[0] = LOW_4_1(a[0], a[1]) + HIGH_4_1(a[0], a[1]);
#else
    a[0] = LOW_2_1(a[0], a[1]) + HIGH_2_1(a[0], a[1]);
#endif
    d_store(sums, a[0]);
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
