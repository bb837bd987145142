/* engine.c - the fitting engine, compiled once per instruction set and element type.
 *
 * The layout of a data set depends on its number of points alone, so that its bits never depend on the batch:
 * up to SIDE_BY_SIDE points, fits lie side by side in the lanes of a vector (lanes.h); above it, points of
 * one fit do (points.h).
 */
#include "base/table.h"
#include "fit/attempts.h"
#include "fit/contract.h"
#include "fit/lanes.h"
#include "fit/shared.h"
#include "tape/curves.h"

enum {
    SHARED_CHUNKS = 8,        /* a fit of fewer chunks is not shared between threads */
    TAKEN_AT_ONCE = 64,       /* the most data sets that a thread takes from the queue at a time */
    POINTS_PER_THREAD = 4096, /* see useful_threads */
};

/* The first attempts of a job under way. */
typedef struct {
    const tw_fit_job *job;
    int threads;
    int own_x;               /* x differs between fits */
    int share_chunks;        /* threads share the chunks of each fit, instead of taking fits each */
    real *packed, *expanded; /* point slots of an x that all fits share */
    group **groups;
    single_fit **singles;
    struct tw_watch *watch;
    _Atomic ptrdiff_t *done, next;
    ptrdiff_t taken_at_once;
} fit_batch;

static int has_own_x(const tw_fit_job *job) {
    for (int32_t k = 0; k < job->tape->n_x; k++)
        if (job->x_step[k])
            return 1;
    return 0;
}

/* How many threads the job has work for: a small job is done before a second thread has woken.  Measured on
 * AMD Zen 4, three parameters: beside one thread, two take 1.1 times as long for 2,000 points in fits of 25,
 * as long for 4,000 and 0.9 times as long for 8,000. */
static int useful_threads(const tw_fit_job *job, int threads) {
    const ptrdiff_t points = job->n_fits * job->n_points;
    return (int)least(1 + points / POINTS_PER_THREAD, threads);
}

static fit_batch *fit_batch_on(arena *a, const tw_fit_job *job, int threads) {
    threads = useful_threads(job, threads);
    TAKE_ROOT(a, fit_batch, b);
    const ptrdiff_t N = job->n_points, size = groups_of(N) * LANES, slots = job->tape->n_point;
    const int lanes = N <= SIDE_BY_SIDE;
    const ptrdiff_t chunk = CHUNK_BLOCKS * block_groups(job->tape) * LANES;
    *b = (fit_batch){.job = job, .threads = threads, .own_x = has_own_x(job)};
    b->share_chunks = !lanes && N >= SHARED_CHUNKS * chunk && job->n_fits < 2 * threads && threads > 1;
    b->taken_at_once = most(1, least(job->n_fits / (4 * (ptrdiff_t)threads), TAKEN_AT_ONCE));
    b->packed = b->own_x ? NULL : TAKE(a, real, slots * size);
    b->expanded = b->own_x || !lanes ? NULL : TAKE(a, real, slots * N * LANES);
    const int n = b->share_chunks ? 1 : threads;
    b->groups = TAKE(a, group *, n);
    b->singles = TAKE(a, single_fit *, n);
    for (int k = 0; k < n; k++) {
        void *worker = lanes ? (void *)group_on(a, job, b->own_x, b->packed, b->expanded)
                             : (void *)single_fit_on(a, job, b->share_chunks ? threads : 1, b->packed);
        if (a->measuring)
            continue;
        b->groups[k] = lanes ? worker : NULL;
        b->singles[k] = lanes ? b->groups[k]->one : worker;
    }
    return place;
}

/* The next data set of the queue for a thread that has [*begin, *end) in hand, or -1. */
static ptrdiff_t take(fit_batch *b, ptrdiff_t *begin, ptrdiff_t *end) {
    if (*begin == *end) {
        *begin = atomic_fetch_add(&b->next, b->taken_at_once);
        *end = least(*begin + b->taken_at_once, b->job->n_fits);
        if (*begin >= *end) {
            *begin = *end = 0;
            return -1;
        }
    }
    return (*begin)++;
}

/* Fill the idle lanes from the queue; returns how many lanes are at work, and 0 also if the thread is to
 * stop. */
static int fill_lanes(fit_batch *b, group *g) {
    int busy = 0;
    for (int lane = 0; lane < LANES; lane++) {
        while (g->fit[lane] < 0) {
            const ptrdiff_t fit = take(b, &g->next, &g->end);
            if (fit < 0)
                break;
            if (!load_lane(g, lane, fit)) {
                atomic_fetch_add(b->done, 1);
                if (tw_stopped(b->watch)) /* look here, too: every fit of a batch may be refused */
                    return 0;
            }
        }
        busy += g->fit[lane] >= 0;
    }
    return busy;
}

/* Fit data sets side by side, in one thread, until the queue is empty and all fits have stopped. */
static void fit_side_by_side(void *context, ptrdiff_t part) {
    fit_batch *b = context;
    group *g = b->groups[part];
    make_idle(&g->s, g->fit);
    make_idle(&g->stopped, g->stopped_fit);
    const int look_up = b->job->tape->n_sections ? 1 : LOOK_UP; /* sections may take long */
    for (int round = 0; round % look_up || !tw_stopped(b->watch); round++) {
        if (!fill_lanes(b, g)) {
            atomic_fetch_add(b->done, finish_stopped(g));
            if (!fill_lanes(b, g))
                break;
        }
        narrow(g);
        if (round == 0)
            repeat_first(g);
        evaluate_group(g);
        ivec ended = {0};
        for (int o = 0; o < g->m.width; o += VL) {
            judge(&g->s, &g->t, o);
            advance(&g->s, &g->t, o);
            ended |= MASK(g->s.status, 0) != RUNNING;
        }
        if (v_any(ended))
            atomic_fetch_add(b->done, empty_lanes(g));
    }
    atomic_fetch_add(b->done, finish_stopped(g));
}

/* Fit one data set after the other, in one thread, until the queue is empty. */
static void fit_one_by_one(void *context, ptrdiff_t part) {
    fit_batch *b = context;
    single_fit *one = b->singles[part];
    ptrdiff_t begin = 0, end = 0;
    for (ptrdiff_t fit; !tw_stopped(b->watch) && (fit = take(b, &begin, &end)) >= 0;) {
        if (b->own_x)
            run_point_code_watched(&one->workers->m, b->job->n_points, b->job->x, b->job->x_step, fit,
                                   b->watch);
        fit_one(one, fit);
        atomic_fetch_add(b->done, 1);
    }
}

/* Run the x stage that all fits share. */
static void run_x_stage(void *context, ptrdiff_t part) {
    fit_batch *b = context;
    (void)part;
    const tw_fit_job *job = b->job;
    const machine *m = &b->singles[0]->workers->m;
    run_point_code_watched(m, job->n_points, job->x, job->x_step, 0, b->watch);
    if (b->expanded)
        expand_points(m, job->n_points, b->expanded, -1);
}

static size_t engine_fit_work(const tw_fit_job *job, int threads) {
    arena a = arena_on(NULL);
    fit_batch_on(&a, job, threads);
    return arena_size(&a);
}

static void engine_fit(const tw_fit_job *job, int threads, void *work, struct tw_watch *watch,
                       _Atomic ptrdiff_t *done) {
    arena a = arena_on(work);
    fit_batch *b = fit_batch_on(&a, job, threads);
    b->watch = watch, b->done = done;
    for (int k = 0; k < (b->share_chunks ? 1 : b->threads); k++) {
        b->singles[k]->watch = watch;
        b->singles[k]->threads = b->share_chunks ? b->threads : 1;
    }
    if (!b->own_x && job->n_fits)
        tw_parallel(run_x_stage, b, 1, 1, watch);
    tw_task task = job->n_points <= SIDE_BY_SIDE ? fit_side_by_side : fit_one_by_one;
    /* where threads share chunks, one thread fits, and all evaluate the chunks of each of its trials */
    tw_parallel(task, b, b->share_chunks ? 1 : b->threads, b->threads, watch);
}

/* ---- later attempts ------------------------------------------------------------------------- */

/* The later attempts of some fits of a job under way. */
typedef struct {
    const tw_fit_job *job;
    const ptrdiff_t *which; /* [n] */
    ptrdiff_t n;
    int threads, share_chunks;
    tw_fit_job curved; /* the same data, with the tape of second derivatives */
    retry **retries;
    struct tw_watch *watch;
    _Atomic ptrdiff_t *done, next;
} retry_batch;

static retry_batch *retry_batch_on(arena *a, const tw_fit_job *job, const ptrdiff_t *which, ptrdiff_t n,
                                   int threads) {
    TAKE_ROOT(a, retry_batch, b);
    const ptrdiff_t chunk = CHUNK_BLOCKS * block_groups(job->tape) * LANES;
    *b = (retry_batch){.job = job, .which = which, .n = n, .threads = threads, .curved = *job};
    b->curved.tape = job->curved, b->curved.n_linear = 0;
    b->share_chunks = threads > 1 && job->n_points >= SHARED_CHUNKS * chunk && n < 2 * threads;
    if (!b->share_chunks && threads > n)
        b->threads = threads = (int)most(n, 1);
    const int retries = b->share_chunks ? 1 : threads, workers = b->share_chunks ? threads : 1;
    b->retries = TAKE(a, retry *, retries);
    for (int k = 0; k < retries; k++) {
        retry *r = retry_on(a, job, job->curved ? &b->curved : NULL, workers);
        if (!a->measuring)
            b->retries[k] = r;
    }
    return place;
}

/* Retry one fit after the other, in one thread. */
static void retry_fits(void *context, ptrdiff_t part) {
    retry_batch *b = context;
    for (ptrdiff_t k; (k = claim(&b->next, 1, b->n, b->watch)) >= 0;) {
        try_again(b->retries[part], b->which[k]);
        atomic_fetch_add(b->done, 1);
    }
}

static size_t engine_again_work(const tw_fit_job *job, ptrdiff_t n, int threads) {
    arena a = arena_on(NULL);
    retry_batch_on(&a, job, NULL, n, threads);
    return arena_size(&a);
}

static void engine_again(const tw_fit_job *job, const ptrdiff_t *which, ptrdiff_t n, int threads, void *work,
                         struct tw_watch *watch, _Atomic ptrdiff_t *done) {
    arena a = arena_on(work);
    retry_batch *b = retry_batch_on(&a, job, which, n, threads);
    b->watch = watch, b->done = done;
    const int retries = b->share_chunks ? 1 : b->threads;
    for (int k = 0; k < retries; k++)
        for (single_fit *one = b->retries[k]->one; one; one = one->curved) {
            one->watch = watch;
            one->threads = b->share_chunks ? b->threads : 1;
        }
    tw_parallel(retry_fits, b, retries, b->threads, watch);
}

/* ---- data sets that share parameters -------------------------------------------------------- */

static size_t engine_shared_work(const tw_fit_job *job, const tw_fit_groups *groups, int threads) {
    arena a = arena_on(NULL);
    shared_batch_on(&a, job, groups, useful_threads(job, threads), has_own_x(job));
    return arena_size(&a);
}

static void engine_shared(const tw_fit_job *job, const tw_fit_groups *groups, int threads, void *work,
                          struct tw_watch *watch, _Atomic ptrdiff_t *done) {
    arena a = arena_on(work);
    run_shared(shared_batch_on(&a, job, groups, useful_threads(job, threads), has_own_x(job)), watch, done);
}

/* ---- a tape at one theta ------------------------------------------------------------------- */

static size_t engine_tape_work(const tw_tape *tape, ptrdiff_t n_points) {
    arena a = arena_on(NULL);
    machine_on(&a, tape, 0, groups_of(n_points) * LANES, NULL, NULL);
    return arena_size(&a);
}

static void engine_tape_run(const tw_tape *tape, ptrdiff_t n_points, const void *const *x, const void *theta,
                            void *work, void *out) {
    arena a = arena_on(work);
    const ptrdiff_t groups = groups_of(n_points);
    const machine m = machine_on(&a, tape, 0, groups * LANES, NULL, NULL);
    for (int32_t k = 0; k < tape->n_x && n_points; k++) {
        real *slot = m.point + k * m.point_size;
        memcpy(slot, x[k], (size_t)n_points * sizeof *slot);
        for (ptrdiff_t i = n_points; i < m.point_size; i++)
            slot[i] = slot[n_points - 1];
    }
    run_code(m.point_code, tape->n_point_code, 0, groups);
    set_theta(&m, theta, 1, NULL);
    for (ptrdiff_t start = 0; start < groups; start += m.block) {
        const ptrdiff_t n = least(groups - start, m.block);
        run_block_code(&m, start, n);
        for (int32_t k = 0; k <= tape->n_free; k++)
            for (ptrdiff_t i = start * LANES; i < (start + n) * LANES && i < n_points; i++) {
                const ptrdiff_t p = i / LANES - start;
                ((real *)out)[k * n_points + i] = m.output[k].base[p * m.output[k].step + i % LANES];
            }
    }
}

/* ---- one trial at a time, for a model that its caller evaluates ------------------------------ */

/* A fit that lives in the caller's workspace from one trial to the next. */
typedef struct {
    single_fit *one;
    sample data;
    real *rows; /* [F + 1][padded N]: [J | e] by columns */
} trial_state;

static trial_state *trial_on(arena *a, const tw_fit_job *job) {
    TAKE_ROOT(a, trial_state, t);
    *t = (trial_state){.one = single_fit_on(a, job, 1, NULL)};
    t->data.y = TAKE(a, real, job->n_points);
    t->data.weight = TAKE(a, real, job->n_points);
    t->rows = TAKE(a, real, (job->tape->n_free + 1) * padded_rows(job->n_points));
    return place;
}

static size_t engine_trial_work(const tw_fit_job *job) {
    arena a = arena_on(NULL);
    trial_on(&a, job);
    return arena_size(&a);
}

static int engine_trial_begin(const tw_fit_job *job, void *work, void *trial) {
    arena a = arena_on(work);
    trial_state *t = trial_on(&a, job);
    single_fit *one = t->one;
    int32_t detail;
    one->fit = 0;
    const tw_status refusal = prepare_one(one, &detail);
    if (refusal) {
        write_refusal(job, 0, refusal, detail, one->totals.used);
        return 1;
    }
    t->data.stride = 1, t->data.unseen = -1;
    load_points(job, 0, 0, job->n_points, &t->data);
    begin_one(one);
    for (int j = 0; j < one->s.P; j++)
        ((real *)trial)[j] = one->s.trial[j * LANES];
    return 0;
}

static int engine_trial_next(const tw_fit_job *job, void *work, const void *f, const void *J, int rough,
                             void *trial) {
    (void)job; /* the fit in the workspace knows its job */
    arena a = arena_on(work);
    trial_state *t = TAKE(&a, trial_state, 1);
    single_fit *one = t->one;
    take_values(one, &t->data, f, J, t->rows);
    one->trial_is_rough = rough;
    if (judge_one(one)) {
        write_one(one);
        return 1;
    }
    for (int j = 0; j < one->s.P; j++)
        ((real *)trial)[j] = one->s.trial[j * LANES];
    return one->renews ? 2 : 0;
}

extern const struct tw_engine TW_TABLE(tw_engine);
const struct tw_engine TW_TABLE(tw_engine) = {
    .fit_work = engine_fit_work,
    .fit = engine_fit,
    .again_work = engine_again_work,
    .again = engine_again,
    .shared_work = engine_shared_work,
    .shared = engine_shared,
    .tape_work = engine_tape_work,
    .tape_run = engine_tape_run,
    .trial_work = engine_trial_work,
    .trial_begin = engine_trial_begin,
    .trial_next = engine_trial_next,
};
