/* pivot.c - many small quadratic problems in a box with one matrix, by block principal pivoting; compiled
 * once per instruction set and type of c.
 *
 * If it is known which coordinates H lie at which bound, the minimum follows: the others, F, solve G_FF x_F =
 * c_F - G_FH x_H.  A round solves these equations (pivot_factor.h) and exchanges coordinates between F and H;
 * rounds go on until no coordinate is on the wrong side (pivot_exchange.h).  There is no step size, no
 * tolerance and no start: the answer is that of a direct method.
 *
 * A problem of a handful of coordinates does not fill a vector, so eight problems go side by side through the
 * same operations, each with its own F (pivot_group.h).  The factor is made anew in each round: its P^3 / 6
 * products cost less than an update for eight problems, each of which has changed other columns.  The factor
 * of all of G, with which many problems begin, is made once (pivot_start.h).
 * Threads take chunks of problems.
 */
#include "base/table.h"
#include "linear/pivot_start.h"

static pivoting *pivoting_on(arena *a, const struct tw_pivot_job *job, int threads) {
    const ptrdiff_t P = job->P;
    TAKE_ROOT(a, pivoting, r);
    *r = (pivoting){.job = job, .chunks = pieces(job->M, CHUNK)};
    r->slots = (int)most(1, least(threads, r->chunks));
    r->G = TAKE(a, double, P *P);
    r->scale = TAKE(a, double, P);
    r->inverse_scale = TAKE(a, double, P);
    r->length = TAKE(a, double, P);
    r->inverse_length = TAKE(a, double, P);
    r->whole_L = TAKE(a, double, tri(P, 0)), r->whole_u = TAKE(a, double, tri(P, 0));
    r->whole_inverse = TAKE(a, double, P);
    r->groups = TAKE(a, group, r->slots);
    for (int k = 0; k < r->slots; k++) {
        const group g = group_on(a, P);
        if (!a->measuring)
            r->groups[k] = g;
    }
    return place;
}

/* Scale G, and give all problems the status of one that has not run. */
static void prepare(void *context, ptrdiff_t part) {
    pivoting *r = context;
    const struct tw_pivot_job *job = r->job;
    const ptrdiff_t P = job->P, rows = job->bound_step ? job->M : 1;
    (void)part; /* the only one */
    memset(job->status, TW_PIVOT_NOT_RUN, (size_t)job->M);
    for (ptrdiff_t j = 0; j < P; j++) {
        const double square = job->G[j * P + j];
        const int exponent = square > 0 ? ilogb(square) : 0;
        r->scale[j] = square > 0 ? ldexp(1, -((exponent - (exponent & 1)) / 2)) : 1;
        r->inverse_scale[j] = 1 / r->scale[j];
        r->length[j] = square > 0 ? sqrt(square * r->scale[j] * r->scale[j]) : 1;
        r->inverse_length[j] = 1 / r->length[j];
    }
    for (ptrdiff_t j = 0; j < P && !tw_stopped(r->watch); j++)
        for (ptrdiff_t i = 0; i <= j; i++)
            r->G[j * P + i] = r->G[i * P + j] = job->G[j * P + i] * r->scale[i] * r->scale[j];
    r->shifted = 0;
    for (ptrdiff_t k = 0; k < rows * P; k++)
        r->shifted |= (isfinite(job->lower[k]) && job->lower[k] != 0) ||
                      (isfinite(job->upper[k]) && job->upper[k] != 0);
    if (job->M > 0)
        factor_whole(r, r->groups);
}

/* Let those problems leave the group whose solution has no wrong coordinate, and those that have made
 * max_iter exchanges; return whether any has left. */
TW_INLINE int release_finished(const pivoting *r, group *g, ptrdiff_t P, line count) {
    const findings *f = &g->found;
    const flags judged = but_not(flags_at(g->active), flags_at(g->again)), wrong = below(line_of(0), count);
    const flags may_go_on = below(line_at(g->rounds), line_of(r->job->max_iter));
    const flags ends = but_not(judged, both(wrong, may_go_on));
    const unsigned bits = bits_of(ends);
    if (!bits)
        return 0;
    for (unsigned left = bits_of(both(ends, wrong)); left; left &= left - 1)
        end_outside_minimum(r, g, __builtin_ctz(left));
    _Alignas(64) double sum[LINE];
    put_line(sum, unscale(r, g, P));
    for (unsigned left = bits; left; left &= left - 1) {
        const int l = __builtin_ctz(left);
        store(r, g, P, l,
              !(f->tie[l] <= DBL_MAX && sum[l] == 0) ? TW_PIVOT_NOT_FINITE
              : f->count[l] > 0                      ? TW_PIVOT_MAX_ITER
              : f->violation[l] <= f->tie[l]         ? TW_PIVOT_ROUNDING
                                                     : TW_PIVOT_SINGULAR);
    }
    return 1;
}

/* Solve problems, eight at a time, until none is left to claim. */
static void take_problems(pivoting *r, group *g) {
    const ptrdiff_t P = r->job->P;
    for (int l = 0; l < LINE; l++) {
        g->fresh[l] = 0;
        if (!r->job->bound_step && r->job->M > 0) /* all problems have these bounds */
            load_bounds(r, g, P, l, 0);
    }
    g->next = g->end = 0, g->idle = ALL;
    while (fill(r, g, P))
        for (int left = 0; !left;) {
            const ptrdiff_t n = list_free(g, P);
            g->general = r->shifted || any_of(flags_at(g->descends));
            if (factor(r, g, n))
                return;
            substitute(g, n);
            take_step(g, n);
            const line count = find_violators(r, g, P, n);
            left = release_finished(r, g, P, count);
            exchange(g, P, count);
            if (poll_after(r, g, P * (g->general ? P : n + 1)))
                return;
        }
}

static void run_slot(void *context, ptrdiff_t slot) {
    pivoting *r = context;
    take_problems(r, r->groups + slot);
}

static size_t pivot_work(const struct tw_pivot_job *job, int threads) {
    arena a = arena_on(NULL);
    pivoting_on(&a, job, threads);
    return arena_size(&a);
}

static void pivot_run(const struct tw_pivot_job *job, int threads, struct tw_watch *watch, void *work) {
    arena a = arena_on(work);
    pivoting *r = pivoting_on(&a, job, threads);
    r->watch = watch;
    tw_parallel(prepare, r, 1, 1, watch);
    if (watch && watch->stop)
        return;
    atomic_store(&r->next, 0);
    tw_parallel(run_slot, r, r->slots, r->slots, watch);
}

extern const struct tw_pivot TW_TABLE(tw_pivot);
const struct tw_pivot TW_TABLE(tw_pivot) = {.work = pivot_work, .run = pivot_run};
