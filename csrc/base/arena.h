/* arena.h - workspace from the caller, handed out in 64-byte aligned pieces.
 *
 * The same function lays out a workspace twice: once on an empty arena, to learn its size, and
 * once on the caller's memory.  So sizes and places cannot disagree.
 *
 * All pieces lie in one block of memory, and the address sanitizer sees nothing of what runs from one
 * into the next.  A build for it therefore leaves a gap behind each piece that nobody may touch.
 */
#ifndef TW_ARENA_H
#define TW_ARENA_H

#include "base/simd.h"

#if defined(__has_feature) /* Clang's way to say it; GCC defines the other name */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/* Bytes behind a piece: so many that a loop which runs on in steps of a row meets them. */
enum { GAP = 4096 };
/* Allow the use of bytes [begin, end), whatever gap an earlier layout has left there; forbid it. */
TW_INLINE void open_bytes(uintptr_t begin, uintptr_t end) {
    __asan_unpoison_memory_region((void *)begin, end - begin);
}
TW_INLINE void close_bytes(uintptr_t begin, uintptr_t end) {
    __asan_poison_memory_region((void *)begin, end - begin);
}
#else
enum { GAP = 0 };
TW_INLINE void open_bytes(uintptr_t begin, uintptr_t end) { (void)begin, (void)end; }
TW_INLINE void close_bytes(uintptr_t begin, uintptr_t end) { (void)begin, (void)end; }
#endif

typedef struct {
    uintptr_t base; /* the first byte, of an imagined memory when measuring */
    size_t used;    /* bytes handed out */
    int measuring;  /* there is no memory: only the size is wanted */
} arena;

/* An arena on the caller's memory, or on NULL one that only measures. */
TW_INLINE arena arena_on(void *memory) {
    const uintptr_t start = memory ? (uintptr_t)memory : 64;
    return (arena){(start + 63) & ~(uintptr_t)63, 0, memory == NULL};
}

/* How many bytes the caller must bring, with room to align them. */
TW_INLINE size_t arena_size(const arena *a) { return a->used + 64; }

/* The next piece, of `count` elements of `size` bytes. */
TW_INLINE void *arena_take(arena *a, ptrdiff_t count, size_t size) {
    const uintptr_t piece = a->base + a->used, end = piece + (size_t)count * size;
    a->used += (((size_t)count * size + 63) & ~(size_t)63) + GAP;
    if (!a->measuring) {
        open_bytes(piece, end);
        close_bytes(end, a->base + a->used);
    }
    return (void *)piece;
}

/* Take the gaps out of a workspace on a stack, which is used again; a heap forgets them when it is freed. */
TW_INLINE void arena_end(const arena *a) { open_bytes(a->base, a->base + a->used); }

#define TAKE(a, type, count) ((type *)arena_take((a), (ptrdiff_t)(count), sizeof(type)))

/* For a function that lays out a workspace (their names end in _on): declare the struct, first in the
 * workspace, from which all the rest of it is reached.
 *
 * The function fills the struct through the pointer `name` and returns `place`, its address.  On an arena
 * that only measures there is nothing to write to: `name` then points to a copy on the stack, which holds the
 * sizes that the rest of the layout needs and is gone afterwards, and `place` must not be looked into.
 */
#define TAKE_ROOT(a, type, name)                                                                             \
    type *const place = TAKE(a, type, 1), measured = {0}, *const name = (a)->measuring ? &measured : place

#endif
