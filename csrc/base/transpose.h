/* transpose.h - squares of DL vectors of doubles: transposed in registers, and folded all at once. */
#ifndef TW_TRANSPOSE_H
#define TW_TRANSPOSE_H

#include "base/doubles.h"

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

#endif
