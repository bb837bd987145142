/* heap.h - a heap of places, the one with the largest key on top, and sorting by it, both in place. */
#ifndef TW_LINEAR_HEAP_H
#define TW_LINEAR_HEAP_H

#include <stddef.h>

typedef struct {
    double key;
    ptrdiff_t place;
} keyed;

/* Of equal keys the lower place comes first, so that the order depends on the keys and places alone. */
static inline int comes_first(keyed a, keyed b) {
    return a.key > b.key || (a.key == b.key && a.place < b.place);
}

/* Let h[k] sink until both its children come after it. */
static void heap_sink(keyed *h, ptrdiff_t n, ptrdiff_t k) {
    for (ptrdiff_t child; (child = 2 * k + 1) < n; k = child) {
        if (child + 1 < n && comes_first(h[child + 1], h[child]))
            child++;
        if (!comes_first(h[child], h[k]))
            return;
        const keyed swap = h[k];
        h[k] = h[child], h[child] = swap;
    }
}

static void heap_make(keyed *h, ptrdiff_t n) {
    for (ptrdiff_t k = n / 2; k-- > 0;)
        heap_sink(h, n, k);
}

/* Take the first one out of the heap of *n >= 1, and return it. */
static keyed heap_pop(keyed *h, ptrdiff_t *n) {
    const keyed first = h[0];
    h[0] = h[--*n];
    heap_sink(h, *n, 0);
    return first;
}

/* Sort by falling keys. */
static void sort_falling(keyed *h, ptrdiff_t n) {
    heap_make(h, n);
    for (ptrdiff_t left = n;
         left > 1;) { /* the first goes behind the rest: the order is rising, and is turned round below */
        const keyed first = heap_pop(h, &left);
        h[left] = first;
    }
    for (ptrdiff_t k = 0; k < n / 2; k++) {
        const keyed swap = h[k];
        h[k] = h[n - 1 - k], h[n - 1 - k] = swap;
    }
}

#endif
