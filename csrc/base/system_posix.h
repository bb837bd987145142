/* system_posix.h - the body of system.h for Linux, macOS and other systems of POSIX.
 *
 * Who includes it has defined _GNU_SOURCE before its first header, which sched_getaffinity needs.
 */
#ifndef TW_SYSTEM_POSIX_H
#define TW_SYSTEM_POSIX_H

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

/* ---- locks --------------------------------------------------------------------------- */

typedef pthread_mutex_t mutex;
#define NEW_MUTEX PTHREAD_MUTEX_INITIALIZER

static inline void init_mutex(mutex *m) { pthread_mutex_init(m, NULL); }
static inline void lock(mutex *m) { pthread_mutex_lock(m); }
static inline void unlock(mutex *m) { pthread_mutex_unlock(m); }

typedef pthread_once_t once_flag;
#define NOT_YET PTHREAD_ONCE_INIT

static inline void run_once(once_flag *flag, void (*function)(void)) { pthread_once(flag, function); }

/* ---- the clock ----------------------------------------------------------------------- */

/* Seconds since some moment, by a clock that nobody sets. */
static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline struct timespec to_timespec(double seconds) {
    const time_t whole = (time_t)seconds;
    return (struct timespec){.tv_sec = whole, .tv_nsec = (long)(1e9 * (seconds - (double)whole))};
}

/* ---- conditions ---------------------------------------------------------------------- */

typedef pthread_cond_t condition;
#define NEW_CONDITION PTHREAD_COND_INITIALIZER /* enough for wait_for; wait_until needs init_condition */

static inline void wait_for(condition *c, mutex *m) { pthread_cond_wait(c, m); }
static inline void wake_one(condition *c) { pthread_cond_signal(c); }
static inline void wake_all(condition *c) { pthread_cond_broadcast(c); }

#ifdef __APPLE__ /* has no pthread_condattr_setclock, but a relative wait */

static inline void init_condition(condition *c) { pthread_cond_init(c, NULL); }

static inline void wait_until(condition *c, mutex *m, double deadline) {
    const double left = deadline - now();
    const struct timespec t = to_timespec(left > 0 ? left : 0);
    pthread_cond_timedwait_relative_np(c, m, &t);
}

#else

static inline void init_condition(condition *c) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attributes);
    pthread_condattr_destroy(&attributes);
}

static inline void wait_until(condition *c, mutex *m, double deadline) {
    const struct timespec t = to_timespec(deadline);
    pthread_cond_timedwait(c, m, &t);
}

#endif

/* ---- threads ------------------------------------------------------------------------- */

static inline void *run_body(void *body) {
    (*(void (**)(void))body)();
    return NULL;
}

/* Start a thread that runs `body`, a variable that lives for ever, and that nobody joins; returns whether the
 * system gave one. */
static inline int start_thread(void (**body)(void), size_t stack_bytes) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_t thread;
    const int failed = pthread_create(&thread, &attributes, run_body, body);
    pthread_attr_destroy(&attributes);
    return !failed;
}

/* Let another thread have this processor for now. */
static inline void give_way(void) { sched_yield(); }

/* How many processors this process may run on. */
static inline long usable_processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return sysconf(_SC_NPROCESSORS_ONLN);
}

/* Have functions called around every fork. */
static inline void at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    pthread_atfork(before, in_parent, in_child);
}

#endif
