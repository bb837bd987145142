/* pool.c - the thread pool of pool.h.
 *
 * One job runs at a time.  It is a counter of parts on its caller's stack; the caller and the
 * workers that join it each take the next part until none is left, so a slow part holds up
 * nobody else.  Idle workers sleep on a condition variable and are never joined or cancelled;
 * the process's exit ends them.
 *
 * Why not OpenMP: a forked child of a process that has used libgomp hangs in its first parallel
 * region, and wheels would have to carry a copy that can meet another one in the same process.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/pool.h"

#include "base/system.h"

#include <stdatomic.h>
#include <stdlib.h>

struct job {
    tw_task task;
    void *context;
    ptrdiff_t parts;
    struct tw_watch *watch;
    _Atomic ptrdiff_t next; /* the first part that nobody has taken */
};

static struct {
    mutex lock; /* guards everything below */
    condition work, finished;
    struct job *job; /* NULL: idle */
    int wanted;      /* workers that may still join the job */
    int running;     /* workers that have joined it and not left */
    int workers;     /* threads that exist */
} pool = {.lock = NEW_MUTEX, .work = NEW_CONDITION};

static once_flag once = NOT_YET;
static int default_threads;
static _Atomic int set_threads; /* 0: not set */

/* A worker's stack.  The system's default may be as small as 128 KiB (musl). */
enum { STACK_BYTES = 4 << 20 };

/* ---- how many threads ---------------------------------------------------------------- */

static int clip_threads(long n) { return n < 1 ? 1 : n > TW_MAX_THREADS ? TW_MAX_THREADS : (int)n; }

/* The positive number that an environment variable begins with, or 0. */
static long positive_number(const char *variable) {
    const char *text = getenv(variable);
    const long n = text ? strtol(text, NULL, 10) : 0; /* OMP_NUM_THREADS may be a list: the first counts */
    return n > 0 ? n : 0;
}

static int detect_threads(void) {
    long n = positive_number("THALWEG_NUM_THREADS");
    if (n == 0)
        n = positive_number("OMP_NUM_THREADS");
    if (n == 0)
        n = usable_processors();
    return clip_threads(n);
}

/* ---- fork and first use -------------------------------------------------------------- */

static void before_fork(void) { lock(&pool.lock); }
static void after_fork_in_parent(void) { unlock(&pool.lock); }

static void after_fork_in_child(void) { /* the forking thread is the only one in the child */
    init_mutex(&pool.lock);
    init_condition(&pool.work);
    init_condition(&pool.finished);
    pool.job = NULL;
    pool.wanted = pool.running = pool.workers = 0;
}

static void first_use(void) {
    default_threads = detect_threads();
    init_condition(&pool.finished);
    at_fork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int tw_threads(void) {
    run_once(&once, first_use);
    const int n = atomic_load(&set_threads);
    return n ? n : default_threads;
}

void tw_set_threads(int n) { atomic_store(&set_threads, n > 0 ? clip_threads(n) : 0); }

void tw_give_way(void) { give_way(); }

/* ---- the watch ----------------------------------------------------------------------- */

static const void *this_thread(void) { /* an address that no other living thread has */
    static _Thread_local char mark;
    return &mark;
}

void tw_watch_poll(struct tw_watch *watch) {
    if (!watch->poll || watch->caller != this_thread() || atomic_load(&watch->stop))
        return;
    const double time = now();
    if (time < watch->next_poll)
        return;
    if (watch->poll(watch->context))
        atomic_store(&watch->stop, 1);
    watch->next_poll = now() + watch->interval; /* poll may itself take long */
}

int tw_stopped(struct tw_watch *watch) {
    if (!watch)
        return 0;
    tw_watch_poll(watch);
    return atomic_load(&watch->stop);
}

/* Make this thread the one that polls the watch; returns 1 if it is now.  Where a call from inside a task has
 * the same watch as the outer call, the thread of the outer call goes on polling it. */
static int own_watch(struct tw_watch *watch) {
    if (!watch || watch->caller)
        return 0;
    watch->caller = this_thread();
    if (watch->next_poll == 0)
        watch->next_poll = now() + watch->interval;
    return 1;
}

/* ---- jobs ---------------------------------------------------------------------------- */

static void take_parts(struct job *job) {
    struct tw_watch *watch = job->watch;
    while (!(watch && atomic_load(&watch->stop))) {
        const ptrdiff_t part = atomic_fetch_add(&job->next, 1);
        if (part >= job->parts)
            return;
        job->task(job->context, part);
        if (watch)
            tw_watch_poll(watch);
    }
}

static void work(void) {
    lock(&pool.lock);
    for (;;) {
        while (pool.wanted == 0)
            wait_for(&pool.work, &pool.lock);
        pool.wanted--;
        pool.running++;
        struct job *job = pool.job;
        unlock(&pool.lock);
        take_parts(job);
        lock(&pool.lock);
        if (--pool.running == 0)
            wake_one(&pool.finished);
    }
}

static void (*body)(void) = work; /* of every worker */

/* Have `count` workers, or as many as the system gives.  To be called under the lock. */
static void start_workers(int count) {
    while (pool.workers < count && start_thread(&body, STACK_BYTES))
        pool.workers++;
}

/* Offer a job to the workers; returns 0 if the pool is busy with another. */
static int begin(struct job *job, int helpers) {
    lock(&pool.lock);
    const int idle = pool.job == NULL;
    if (idle) {
        start_workers(helpers);
        pool.job = job;
        pool.wanted = helpers < pool.workers ? helpers : pool.workers;
        wake_all(&pool.work);
    }
    unlock(&pool.lock);
    return idle;
}

/* Wait until no worker is at the job any more, and take it back. */
static void end(struct tw_watch *watch) {
    lock(&pool.lock);
    pool.wanted = 0; /* the job is about to go: nobody may join it any more */
    while (pool.running > 0) {
        if (!watch || !watch->poll || atomic_load(&watch->stop)) { /* there is nothing left to ask */
            wait_for(&pool.finished, &pool.lock);
            continue;
        }
        wait_until(&pool.finished, &pool.lock, watch->next_poll);
        unlock(&pool.lock); /* poll may take long, fork, or start another call */
        tw_watch_poll(watch);
        lock(&pool.lock);
    }
    pool.job = NULL;
    unlock(&pool.lock);
}

void tw_parallel(tw_task task, void *context, ptrdiff_t parts, int threads, struct tw_watch *watch) {
    const int limit = threads > 0 ? clip_threads(threads) : tw_threads();
    const int helpers = (int)(limit < parts ? limit : parts) - 1;
    struct job job = {.task = task, .context = context, .parts = parts, .watch = watch};
    const int owned = own_watch(watch);

    run_once(&once, first_use);
    const int shared = helpers > 0 && begin(&job, helpers);
    take_parts(&job);
    if (shared)
        end(watch);
    if (owned)
        watch->caller = NULL;
}
