/* numbers.h - the whole numbers that every family counts with: sizes, places and indices. */
#ifndef TW_NUMBERS_H
#define TW_NUMBERS_H

#include "base/simd.h"

TW_INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
TW_INLINE ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* How many pieces of `size` > 0 elements n >= 0 elements make, the last of which may be shorter. */
TW_INLINE ptrdiff_t pieces(ptrdiff_t n, ptrdiff_t size) { return n / size + (n % size > 0); }

/* Place of (i, j), j <= i, in a lower triangle stored by rows, diagonal included.  So tri(n, 0) is how many
 * elements a triangle of n rows has. */
TW_INLINE ptrdiff_t tri(ptrdiff_t i, ptrdiff_t j) { return i * (i + 1) / 2 + j; }

/* Element k of an index array of sparse storage: int64_t where it is_long, else int32_t. */
TW_INLINE ptrdiff_t index_at(const void *indices, int is_long, ptrdiff_t k) {
    return is_long ? (ptrdiff_t)((const int64_t *)indices)[k] : (ptrdiff_t)((const int32_t *)indices)[k];
}

#endif
