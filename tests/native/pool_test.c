/* pool_test.c - the thread pool alone: every part once, stop, poll, nesting, fork, many callers.
 *
 * Run under ThreadSanitizer it also proves that the pool has no data race.  Exit status 0 and
 * "pool: ok", or the line of the first check that failed.
 */
#define _GNU_SOURCE
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32 /* the compilers that build this test for Windows bring pthreads for its own threads */
#define setenv(name, value, overwrite) _putenv_s(name, value)
#else
#include <sys/wait.h>
#include <unistd.h>
#endif

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "pool_test.c:%d: %s\n", __LINE__, #condition);                                   \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

enum { PARTS = 500, CALLS = 200, CALLERS = 4, THREADS = 4 };

static void pause_for(double seconds) {
    const time_t whole = (time_t)seconds;
    nanosleep(&(struct timespec){.tv_sec = whole, .tv_nsec = (long)(1e9 * (seconds - (double)whole))}, NULL);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- every part once, whoever calls -------------------------------------------------- */

/* Plain ints, so that a part taken twice, or read before it has ended, is a race for TSan. */
static void count_part(void *context, ptrdiff_t part) { ((int *)context)[part]++; }

static void check_each_once(int threads, ptrdiff_t parts, struct tw_watch *watch) {
    int count[PARTS] = {0};
    tw_parallel(count_part, count, parts, threads, watch);
    for (ptrdiff_t part = 0; part < PARTS; part++)
        CHECK(count[part] == (part < parts));
}

static void test_every_part_once(void) {
    const ptrdiff_t sizes[] = {0, 1, 2, THREADS, PARTS};
    for (int threads = 0; threads <= THREADS; threads++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            check_each_once(threads, sizes[s], NULL);
}

static void *call_often(void *unused) {
    (void)unused;
    for (int call = 0; call < CALLS; call++)
        check_each_once(1 + call % THREADS, PARTS, NULL);
    return NULL;
}

static void test_many_callers(void) {
    pthread_t caller[CALLERS];
    for (int c = 0; c < CALLERS; c++)
        CHECK(pthread_create(&caller[c], NULL, call_often, NULL) == 0);
    for (int c = 0; c < CALLERS; c++)
        CHECK(pthread_join(caller[c], NULL) == 0);
}

/* ---- stop and poll ------------------------------------------------------------------- */

struct watched {
    struct tw_watch watch;
    pthread_t caller;
    int polls, stop_at; /* poll number stop_at asks to stop; 0: never */
    _Atomic int parts;
    double part_seconds;
};

static int count_poll(void *context) {
    struct watched *w = context;
    CHECK(pthread_equal(pthread_self(), w->caller));
    return ++w->polls == w->stop_at;
}

static void watched_part(void *context, ptrdiff_t part) {
    (void)part;
    struct watched *w = context;
    atomic_fetch_add(&w->parts, 1);
    tw_watch_poll(&w->watch); /* from workers too, where it does nothing */
    pause_for(w->part_seconds);
}

static struct watched watched(double interval, double part_seconds, int stop_at) {
    return (struct watched){.watch = {.poll = count_poll, .interval = interval},
                            .caller = pthread_self(),
                            .stop_at = stop_at,
                            .part_seconds = part_seconds};
}

static void test_stop(int threads) {
    struct watched w = watched(0.01, 0.001, 3);
    w.watch.context = &w;
    tw_parallel(watched_part, &w, 1000000, threads, &w.watch);
    CHECK(w.watch.stop == 1);
    CHECK(w.polls == 3); /* none after the one that said stop */
    CHECK(w.parts < 1000);
    CHECK(w.watch.caller == NULL);

    const int done = w.parts;
    tw_parallel(watched_part, &w, 10, threads, &w.watch);
    CHECK(w.parts == done); /* a stopped watch starts nothing */
}

static void stop_at_part_five(void *context, ptrdiff_t part) {
    struct watched *w = context;
    atomic_fetch_add(&w->parts, 1);
    if (part == 5)
        atomic_store(&w->watch.stop, 1);
}

static void test_task_stops(void) {
    struct watched w = {.watch = {.poll = NULL}};
    tw_parallel(stop_at_part_five, &w, 1000000, THREADS, &w.watch);
    CHECK(w.watch.stop == 1 && w.parts >= 6 && w.parts < 1000000);
}

/* The caller's part ends when a worker's has begun, and that is long: the caller has to poll
 * while it waits.
 */
static void long_unless_caller(void *context, ptrdiff_t part) {
    (void)part;
    struct watched *w = context;
    atomic_fetch_add(&w->parts, 1);
    if (!pthread_equal(pthread_self(), w->caller))
        pause_for(0.5);
    else
        for (int wait = 0; wait < 10000 && w->parts < 2; wait++)
            pause_for(0.001);
}

static void test_poll_while_waiting(void) {
    struct watched w = watched(0.02, 0, 0);
    w.watch.context = &w;
    tw_parallel(long_unless_caller, &w, 2, 2, &w.watch);
    CHECK(w.parts == 2 && w.watch.stop == 0);
    CHECK(w.polls >= 5 && w.polls <= 25); /* 0.5 s at 0.02 s, on a machine that may be busy */
}

/* A task that knows nothing of the watch: the pool itself polls between its parts. */
static void short_part(void *context, ptrdiff_t part) {
    (void)context;
    (void)part;
    pause_for(0.001);
}

static void test_poll_between_parts(int threads) {
    struct watched w = watched(0.01, 0, 3);
    w.watch.context = &w;
    tw_parallel(short_part, NULL, 5000, threads, &w.watch);
    CHECK(w.watch.stop == 1 && w.polls == 3);
}

/* The caller asks to stop while the parts of the workers are still long under way: it waits for them, and
 * does not ask again. */
static void test_no_poll_after_stop(void) {
    struct watched w = watched(0.02, 0, 1);
    w.watch.context = &w;
    tw_parallel(long_unless_caller, &w, 2, 2, &w.watch);
    CHECK(w.parts == 2 && w.watch.stop == 1 && w.polls == 1);
}

/* Many short calls are as watched as one long one. */
static void test_interval_runs_on(void) {
    struct watched w = watched(0.02, 0.001, 0);
    w.watch.context = &w;
    const double start = seconds();
    while (seconds() - start < 0.3)
        tw_parallel(watched_part, &w, 2, 2, &w.watch);
    CHECK(w.polls >= 3 && w.polls <= 15);
}

/* ---- nesting and fork ---------------------------------------------------------------- */

static void call_inside(void *context, ptrdiff_t part) {
    (void)part;
    struct tw_watch *watch = context;
    check_each_once(THREADS, 7, watch);
    CHECK(!watch || watch->caller); /* the inner call has left it to the outer one */
}

static void test_nested(void) {
    struct watched w = watched(0.001, 0, 0);
    w.watch.context = &w;
    tw_parallel(call_inside, NULL, 50, THREADS, NULL);
    tw_parallel(call_inside, &w.watch, 50, THREADS, &w.watch);
}

#ifndef _WIN32

/* Ends only when both parts have begun, so on two threads. */
static void meet(void *context, ptrdiff_t part) {
    (void)part;
    _Atomic int *arrived = context;
    atomic_fetch_add(arrived, 1);
    for (int wait = 0; *arrived < 2; wait++) {
        CHECK(wait < 10000);
        pause_for(0.001);
    }
}

static void check_child(void) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(20); /* a hang is a failure */
        check_each_once(THREADS, PARTS, NULL);
        _Atomic int arrived = 0;
        tw_parallel(meet, &arrived, 2, 2, NULL); /* the child has workers of its own */
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

static void test_fork(void) {
    check_each_once(THREADS, PARTS, NULL); /* the parent has workers */
    check_child();
    pthread_t busy;
    CHECK(pthread_create(&busy, NULL, call_often, NULL) == 0);
    for (int i = 0; i < 10; i++) /* in the middle of another thread's calls */
        check_child();
    CHECK(pthread_join(busy, NULL) == 0);
    check_each_once(THREADS, PARTS, NULL);
}

#else

static void test_fork(void) {} /* nothing forks */

#endif

/* ---- the number of threads ----------------------------------------------------------- */

static void test_threads(void) { /* first of all: the environment is read once */
    setenv("THALWEG_NUM_THREADS", "none", 1);
    setenv("OMP_NUM_THREADS", "3,2", 1);
    CHECK(tw_threads() == 3);
    tw_set_threads(5);
    CHECK(tw_threads() == 5);
    tw_set_threads(100000);
    CHECK(tw_threads() == TW_MAX_THREADS);
    tw_set_threads(0);
    CHECK(tw_threads() == 3);
}

int main(int count, char **arguments) {
    test_threads();
    test_every_part_once();
    test_many_callers();
    test_stop(1);
    test_stop(THREADS);
    test_task_stops();
    test_poll_between_parts(1);
    test_poll_between_parts(THREADS);
    test_poll_while_waiting();
    test_no_poll_after_stop();
    test_interval_runs_on();
    test_nested();
    if (count < 2 || strcmp(arguments[1], "--no-fork") != 0)
        test_fork();
    puts("pool: ok");
    return 0;
}
