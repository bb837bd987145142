/* gram.h - sweeps on q = A'Wr alone, given the Gram matrix G = A'WA.
 *
 * An update of theta_j by d changes r by -A_j d, and so q by -G_j d: it reads one row of G, whatever the
 * number of rows of A.  Each right-hand side is a problem by itself; a thread takes a few at a time.
 */
#ifndef TW_SWEEP_GRAM_H
#define TW_SWEEP_GRAM_H

#include "base/numbers.h"
#include "sweep/contract.h"
#include "sweep/coordinate.h"

enum {
    TOGETHER = 4, /* right-hand sides that a thread updates in turns, by the same row of the Gram matrix */
    GRAM_WORK = 1 << 16, /* elements of q that are changed between two looks at the watch: some 0.1 ms */
};

/* The coordinate by whose update F falls most, the first of equals. */
static ptrdiff_t steepest(const struct tw_gram_job *job, const double *theta, const double *q) {
    ptrdiff_t best = 0;
    double largest = -1;
    for (ptrdiff_t j = 0; j < job->choices; j++) {
        const double fall = update_of(&job->each, j, job->gram[j * job->C + j], q[j], theta[j]).fall;
        if (fall > largest)
            largest = fall, best = j;
    }
    return best;
}

/* One update of one right-hand side. */
static void update_gram(const struct tw_gram_job *job, ptrdiff_t j, ptrdiff_t m, double *fall) {
    double *theta = job->theta + m * job->C, *q = job->q + m * job->C, *change = job->change + m;
    if (j < 0)
        j = steepest(job, theta, q);
    const double *row = job->gram + j * job->C;
    const update u = update_of(&job->each, j, row[j], q[j], theta[j]);
    theta[j] = u.value, *fall += u.fall;
    *change = fabs(u.change) > *change ? fabs(u.change) : *change;
    for (ptrdiff_t k = 0; k < job->C && u.change != 0; k++)
        q[k] -= row[k] * u.change;
}

/* A job under way. */
typedef struct {
    const struct tw_gram_job *job;
    struct tw_watch *watch;
} gram_run;

static void run_gram_part(void *context, ptrdiff_t part) {
    const gram_run *r = context;
    const struct tw_gram_job *job = r->job;
    const ptrdiff_t first = part * TOGETHER, end = least(first + TOGETHER, job->M);
    ptrdiff_t work = 0;
    for (ptrdiff_t s = 0; s < job->sweeps; s++) {
        double *fall = job->fall + s * job->M;
        for (ptrdiff_t m = first; m < end; m++)
            fall[m] = job->change[m] = 0;
        for (ptrdiff_t i = 0; i < job->n_order; i++) {
            for (ptrdiff_t m = first; m < end; m++)
                update_gram(job, job->order[i], m, fall + m);
            if ((work += (end - first) * job->C) >= GRAM_WORK) {
                if (tw_stopped(r->watch))
                    return;
                work = 0;
            }
        }
    }
}

static void sweep_gram_run(const struct tw_gram_job *job, int threads, struct tw_watch *watch) {
    gram_run r = {job, watch};
    tw_parallel(run_gram_part, &r, pieces(job->M, TOGETHER), threads, watch);
}

#endif
