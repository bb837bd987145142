/* pool.h - a small thread pool.
 *
 * Work is cut into parts whose number and bounds never depend on the number of threads, and
 * what the parts give is combined in the order of the parts; so the threads can change how long
 * a result takes, and never the result.
 *
 * The pool survives fork: a child begins with no workers and starts its own when it needs them.
 */
#ifndef TW_POOL_H
#define TW_POOL_H

#include <stddef.h>

/* A task: does part `part` of the work.  Several threads call it at the same time, for each part once. */
typedef void (*tw_task)(void *context, ptrdiff_t part);

/* A way to end a tw_parallel early, and to look meanwhile for Ctrl-C or to show progress.
 *
 * poll is called on one thread only, the one that called tw_parallel, and at most once in `interval`
 * seconds; if it returns another value than 0, stop is set, and it is not called again.  A thread that sees
 * stop takes no further part. Anyone may set stop, from any thread; nobody clears it but its owner, who reads
 * it afterwards to learn whether parts were left out.
 *
 * Initialise it as {.poll = ..., .context = ..., .interval = ...}; the rest starts as zero.  A
 * watch may serve several calls of tw_parallel, one after another: the interval runs on.
 */
struct tw_watch {
    int (*poll)(void *context); /* NULL: there is only the stop flag */
    void *context;
    double interval; /* seconds, > 0 */
    _Atomic int stop;
    double next_poll;   /* for the pool alone: when poll is due, on the monotonic clock; 0: not yet set */
    const void *caller; /* for the pool alone: marks the thread that called tw_parallel; NULL outside it */
};

/* Run task(context, part) for part = 0 ... parts - 1 and return when all have ended.
 *
 *   threads  in      how many threads run parts at the same time, at most, the caller among them;
 *                    <= 0 means tw_threads()
 *   watch    in/out  or NULL
 *
 * Between parts, and while it waits for the last workers, the caller polls the watch.  A call from inside a
 * task, or while another thread's call is running, does its parts alone on the thread that made it, so that
 * two calls never have twice as many threads at work.
 */
void tw_parallel(tw_task task, void *context, ptrdiff_t parts, int threads, struct tw_watch *watch);

/* Poll the watch, if this is the thread that called tw_parallel with it and the interval is over; else do
 * nothing.  Long tasks call this now and then, on whatever thread they run, and look at stop afterwards. */
void tw_watch_poll(struct tw_watch *watch);

/* Poll the watch likewise; returns whether to stop, 0 where the watch is NULL. */
int tw_stopped(struct tw_watch *watch);

/* Let another thread have this processor for now. */
void tw_give_way(void);

/* How many threads a call uses when it does not say: what tw_set_threads set, else
 * THALWEG_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may run on.  A
 * variable that does not begin with a positive number is passed over; both are read once.
 */
int tw_threads(void);

/* Set what tw_threads returns; n <= 0 takes the setting back.  At most TW_MAX_THREADS. */
void tw_set_threads(int n);

enum { TW_MAX_THREADS = 256 };

#endif
