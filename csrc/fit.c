/* fit.c - the functions of thalweg.h, each handed to the instruction set in use. */
#include "dispatch.h"

static int threads_of(int threads) { return threads > 0 ? threads : tw_threads(); }

size_t tw_fit_work(const tw_fit_job *job, int threads) {
    return tw_active(job->is_float)->engine->fit_work(job, threads_of(threads));
}

void tw_fit(const tw_fit_job *job, int threads, void *work, struct tw_watch *watch, _Atomic ptrdiff_t *done) {
    tw_active(job->is_float)->engine->fit(job, threads_of(threads), work, watch, done);
}

size_t tw_fit_again_work(const tw_fit_job *job, ptrdiff_t n, int threads) {
    return tw_active(job->is_float)->engine->again_work(job, n, threads_of(threads));
}

void tw_fit_again(const tw_fit_job *job, const ptrdiff_t *which, ptrdiff_t n, int threads, void *work,
                  struct tw_watch *watch, _Atomic ptrdiff_t *done) {
    tw_active(job->is_float)->engine->again(job, which, n, threads_of(threads), work, watch, done);
}

size_t tw_tape_work(const tw_tape *tape, int is_float, ptrdiff_t n_points) {
    return tw_active(is_float)->engine->tape_work(tape, n_points);
}

void tw_tape_run(const tw_tape *tape, int is_float, ptrdiff_t n_points, const void *const *x,
                 const void *theta, void *work, void *out) {
    tw_active(is_float)->engine->tape_run(tape, n_points, x, theta, work, out);
}

size_t tw_trial_work(const tw_fit_job *job) { return tw_active(job->is_float)->engine->trial_work(job); }

int tw_trial_begin(const tw_fit_job *job, void *work, void *trial) {
    return tw_active(job->is_float)->engine->trial_begin(job, work, trial);
}

int tw_trial_next(const tw_fit_job *job, void *work, const void *f, const void *J, void *trial) {
    return tw_active(job->is_float)->engine->trial_next(job, work, f, J, trial);
}

static const struct {
    const char *name;
    int arity;
} operations[] = {
#define TW_OP1(name, value) {#name, 1},
#define TW_OP2(name, value) {#name, 2},
#define TW_OP3(name, value) {#name, 3},
#include "tape_ops.h"
};

int tw_operation(int number, const char **name) {
    if (number < 0 || number >= (int)(sizeof operations / sizeof *operations))
        return 0;
    *name = operations[number].name;
    return operations[number].arity;
}
