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

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct job {
    tw_task task;
    void *context;
    ptrdiff_t parts;
    struct tw_watch *watch;
    _Atomic ptrdiff_t next; /* the first part that nobody has taken */
};

static struct {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work, finished;
    struct job *job; /* NULL: idle */
    int wanted;      /* workers that may still join the job */
    int running;     /* workers that have joined it and not left */
    int workers;     /* threads that exist */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int default_threads;
static _Atomic int set_threads; /* 0: not set */

/* A worker's stack.  The system's default may be as small as 128 KiB (musl). */
enum { STACK_BYTES = 4 << 20 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct timespec to_timespec(double seconds) {
    const time_t whole = (time_t)seconds;
    return (struct timespec){.tv_sec = whole, .tv_nsec = (long)(1e9 * (seconds - (double)whole))};
}

/* `finished` waits by the monotonic clock: a change of the wall clock must not delay Ctrl-C. */
static void init_finished(void) {
#ifdef __APPLE__
    pthread_cond_init(&pool.finished, NULL);
#else
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool.finished, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
}

static void wait_finished_until(double deadline) {
#ifdef __APPLE__ /* has no pthread_condattr_setclock, but a relative wait */
    const double left = deadline - now();
    const struct timespec t = to_timespec(left > 0 ? left : 0);
    pthread_cond_timedwait_relative_np(&pool.finished, &pool.lock, &t);
#else
    const struct timespec t = to_timespec(deadline);
    pthread_cond_timedwait(&pool.finished, &pool.lock, &t);
#endif
}

/* ---- how many threads ---------------------------------------------------------------- */

static int clip_threads(long n) { return n < 1 ? 1 : n > TW_MAX_THREADS ? TW_MAX_THREADS : (int)n; }

/* The positive number that an environment variable begins with, or 0. */
static long positive_number(const char *variable) {
    const char *text = getenv(variable);
    const long n = text ? strtol(text, NULL, 10) : 0; /* OMP_NUM_THREADS may be a list: the first counts */
    return n > 0 ? n : 0;
}

static long usable_processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return sysconf(_SC_NPROCESSORS_ONLN);
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

static void before_fork(void) { pthread_mutex_lock(&pool.lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&pool.lock); }

static void after_fork_in_child(void) { /* the forking thread is the only one in the child */
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.work, NULL);
    init_finished();
    pool.job = NULL;
    pool.wanted = pool.running = pool.workers = 0;
}

static void first_use(void) {
    default_threads = detect_threads();
    init_finished();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int tw_threads(void) {
    pthread_once(&once, first_use);
    const int n = atomic_load(&set_threads);
    return n ? n : default_threads;
}

void tw_set_threads(int n) { atomic_store(&set_threads, n > 0 ? clip_threads(n) : 0); }

/* ---- the watch ----------------------------------------------------------------------- */

static const void *this_thread(void) { /* an address that no other living thread has */
    static _Thread_local char mark;
    return &mark;
}

void tw_watch_poll(struct tw_watch *watch) {
    if (!watch->poll || watch->caller != this_thread())
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

static void *worker(void *unused) {
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.wanted == 0)
            pthread_cond_wait(&pool.work, &pool.lock);
        pool.wanted--;
        pool.running++;
        struct job *job = pool.job;
        pthread_mutex_unlock(&pool.lock);
        take_parts(job);
        pthread_mutex_lock(&pool.lock);
        if (--pool.running == 0)
            pthread_cond_signal(&pool.finished);
    }
    return NULL;
}

/* Have `count` workers, or as many as the system gives.  To be called under the lock. */
static void start_workers(int count) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_t thread;
    while (pool.workers < count && pthread_create(&thread, &attributes, worker, NULL) == 0)
        pool.workers++;
    pthread_attr_destroy(&attributes);
}

/* Offer a job to the workers; returns 0 if the pool is busy with another. */
static int begin(struct job *job, int helpers) {
    pthread_mutex_lock(&pool.lock);
    const int idle = pool.job == NULL;
    if (idle) {
        start_workers(helpers);
        pool.job = job;
        pool.wanted = helpers < pool.workers ? helpers : pool.workers;
        pthread_cond_broadcast(&pool.work);
    }
    pthread_mutex_unlock(&pool.lock);
    return idle;
}

/* Wait until no worker is at the job any more, and take it back. */
static void end(struct tw_watch *watch) {
    pthread_mutex_lock(&pool.lock);
    pool.wanted = 0; /* the job is about to go: nobody may join it any more */
    while (pool.running > 0) {
        if (!watch || !watch->poll) {
            pthread_cond_wait(&pool.finished, &pool.lock);
            continue;
        }
        wait_finished_until(watch->next_poll);
        pthread_mutex_unlock(&pool.lock); /* poll may take long, fork, or start another call */
        tw_watch_poll(watch);
        pthread_mutex_lock(&pool.lock);
    }
    pool.job = NULL;
    pthread_mutex_unlock(&pool.lock);
}

void tw_parallel(tw_task task, void *context, ptrdiff_t parts, int threads, struct tw_watch *watch) {
    const int limit = threads > 0 ? clip_threads(threads) : tw_threads();
    const int helpers = (int)(limit < parts ? limit : parts) - 1;
    struct job job = {.task = task, .context = context, .parts = parts, .watch = watch};
    const int owned = own_watch(watch);

    pthread_once(&once, first_use);
    const int shared = helpers > 0 && begin(&job, helpers);
    take_parts(&job);
    if (shared)
        end(watch);
    if (owned)
        watch->caller = NULL;
}
