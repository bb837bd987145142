/* arena.h - workspace from the caller, handed out in 64-byte aligned pieces.
 *
 * The same function lays out a workspace twice: once on an empty arena, to learn its size, and
 * once on the caller's memory.  So sizes and places cannot disagree.
 */
#ifndef TW_ARENA_H
#define TW_ARENA_H

#include "simd.h"

typedef struct {
    uintptr_t base; /* of an imagined memory when only measuring */
    size_t used;    /* bytes */
    int measuring;
} arena;

TW_INLINE arena arena_on(void *memory) { /* NULL: only measure */
    const uintptr_t start = memory ? (uintptr_t)memory : 64;
    return (arena){(start + 63) & ~(uintptr_t)63, 0, memory == NULL};
}

/* bytes the caller must bring, with room to align */
TW_INLINE size_t arena_size(const arena *a) { return a->used + 64; }

TW_INLINE void *arena_take(arena *a, ptrdiff_t count, size_t size) {
    void *piece = (void *)(a->base + a->used);
    a->used += ((size_t)count * size + 63) & ~(size_t)63;
    return piece;
}

#define TAKE(a, type, count) ((type *)arena_take((a), (ptrdiff_t)(count), sizeof(type)))

#endif
