/* system_windows.h - the body of system.h for Windows 7 and later. */
#ifndef TW_SYSTEM_WINDOWS_H
#define TW_SYSTEM_WINDOWS_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN /* windows.h without what a thread pool does not need */
#endif
#include <windows.h>

/* ---- locks --------------------------------------------------------------------------- */

typedef SRWLOCK mutex;
#define NEW_MUTEX SRWLOCK_INIT

static inline void init_mutex(mutex *m) { InitializeSRWLock(m); }
static inline void lock(mutex *m) { AcquireSRWLockExclusive(m); }
static inline void unlock(mutex *m) { ReleaseSRWLockExclusive(m); }

typedef INIT_ONCE once_flag;
#define NOT_YET INIT_ONCE_STATIC_INIT

static inline void run_once(once_flag *flag, void (*function)(void)) {
    BOOL is_first;
    if (InitOnceBeginInitialize(flag, 0, &is_first, NULL) && is_first) {
        function();
        InitOnceComplete(flag, 0, NULL);
    }
}

/* ---- the clock ----------------------------------------------------------------------- */

/* Seconds since some moment, by a clock that nobody sets. */
static inline double now(void) {
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (double)ticks.QuadPart / (double)frequency.QuadPart;
}

/* ---- conditions ---------------------------------------------------------------------- */

typedef CONDITION_VARIABLE condition;
#define NEW_CONDITION CONDITION_VARIABLE_INIT

static inline void init_condition(condition *c) { InitializeConditionVariable(c); }
static inline void wait_for(condition *c, mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }
static inline void wake_one(condition *c) { WakeConditionVariable(c); }
static inline void wake_all(condition *c) { WakeAllConditionVariable(c); }

static inline void wait_until(condition *c, mutex *m, double deadline) {
    const double left = deadline - now();
    /* up to the next millisecond, so that the deadline has passed; a day at most, which DWORD holds */
    SleepConditionVariableSRW(c, m, left > 0 ? (DWORD)(1e3 * (left < 86400 ? left : 86400)) + 1 : 0, 0);
}

/* ---- threads ------------------------------------------------------------------------- */

static inline DWORD WINAPI run_body(void *body) {
    (*(void (**)(void))body)();
    return 0;
}

/* Start a thread that runs `body`, a variable that lives for ever, and that nobody joins; returns whether the
 * system gave one. */
static inline int start_thread(void (**body)(void), size_t stack_bytes) {
    const HANDLE thread =
        CreateThread(NULL, stack_bytes, run_body, body, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (!thread)
        return 0;
    CloseHandle(thread); /* the thread runs on */
    return 1;
}

/* Let another thread have this processor for now. */
static inline void give_way(void) { SwitchToThread(); }

/* How many processors this process may run on: those of its affinity in its group, or, where it may run in
 * several groups, all. */
static inline long usable_processors(void) {
    DWORD_PTR own, all;
    long n = 0;
    if (GetActiveProcessorGroupCount() == 1 && GetProcessAffinityMask(GetCurrentProcess(), &own, &all))
        for (; own; own &= own - 1)
            n++;
    return n > 0 ? n : (long)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
}

/* Nothing forks here. */
static inline void at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    (void)before, (void)in_parent, (void)in_child;
}

#endif
