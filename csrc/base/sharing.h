/* sharing.h - how the threads of a job take its chunks.
 *
 * The work is cut into chunks whose bounds follow from the sizes alone, never from the number of threads.
 * Each thread is one part of a tw_parallel and claims one chunk after another, so a slow chunk holds up
 * nobody else.  What a chunk sums up goes to a place of its own, and those are added in the order of the
 * chunks when all are done: so which thread took which chunk changes no bit.
 *
 *     for (ptrdiff_t c; (c = claim(&job->next, 1, n_chunks, job->watch)) >= 0;)
 *         ... chunk c
 *
 * (The dense sweep, sweep/sweep.c, is the exception: it works on the same chunks in every phase, and a thread
 * begins with those that it had in the phase before, for they are in its cache.)
 */
#ifndef TW_SHARING_H
#define TW_SHARING_H

#include <stdatomic.h>

#include "base/pool.h"
#include "base/simd.h"

/* The first of the next `size` chunks of `end`, or -1 if none is left or the watch (or NULL) asks to stop. */
TW_INLINE ptrdiff_t claim(_Atomic ptrdiff_t *next, ptrdiff_t size, ptrdiff_t end, struct tw_watch *watch) {
    if (tw_stopped(watch))
        return -1;
    const ptrdiff_t first = atomic_fetch_add(next, size);
    return first < end ? first : -1;
}

#endif
