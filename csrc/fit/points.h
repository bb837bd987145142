/* points.h - one fit at a time, its points side by side.
 *
 * For data sets of many points, and for fits that the orthogonal mode takes over.  The points are
 * cut into chunks whose size depends on the tape alone; each gives one triangle of sums, and these
 * are combined in the order of the chunks.  So threads may share one fit's chunks, or take whole
 * fits each, and every bit stays the same.
 */
#ifndef TW_POINTS_H
#define TW_POINTS_H

#include "base/sharing.h"
#include "fit/outcome.h"

enum {
    CHUNK_BLOCKS = 16,
    X_PIECE = 64, /* groups of the x stage at a time: 4 KB a slot */
};

/* What one thread needs to sum a chunk. */
typedef struct {
    machine m;
    real *y, *weight, *residual; /* [block][LANES] */
    operand *column;             /* [F + 1] */
    real *sum;                   /* triangle of F + 1, [..][LANES] */
    real *rows;                  /* [F + 1][rows of a block, or of a triangle] */
} summer;

/* Of a model that its caller evaluates: a data set, what was asked and answered, and [J | e] by columns. */
typedef struct {
    sample data;
    real *theta, *f, *J, *rows; /* [P], [N], [N][F], [F + 1][padded N] */
} called;

/* One fit at work. */
typedef struct solo {
    const tw_fit_job *job;
    tolerances t;
    ptrdiff_t fit, n_chunks;
    fits s; /* lane 0; orthogonal mode where s.triangle is set */
    real *trial_triangle, *triangle;
    real *chunk_sum; /* [n_chunks][triangle] */
    sample totals;   /* used, magnitude */
    real *before;    /* [P] theta before the last step */
    int poor;        /* the normal matrix is too ill-conditioned for a covariance */
    summer *summers;
    int n_summers, threads;
    struct tw_watch *watch;
    _Atomic ptrdiff_t next_chunk;
    called called;       /* where the job has a `call` */
    struct solo *curved; /* NULL, or what evaluates second derivatives: see curvature.h */
} solo;

/* The x stage of one data set, points side by side: the machine's point slots are filled from
 * x[k] (N values), the last group padded with the last point, so that padding is harmless.
 * A piece at a time, so that it stays in the cache from instruction to instruction; between two
 * pieces the watch, if there is one, may end it. */
static void run_point_code_watched(const machine *m, ptrdiff_t n_points, const void *const *x,
                                   const ptrdiff_t *x_step, ptrdiff_t fit, struct tw_watch *watch) {
    const tw_tape *t = m->tape;
    const ptrdiff_t groups = n_points ? m->point_size / LANES : 0;
    for (ptrdiff_t start = 0; start < groups; start += X_PIECE) {
        const ptrdiff_t n = least(groups - start, X_PIECE);
        const ptrdiff_t begin = start * LANES, end = begin + n * LANES;
        const ptrdiff_t last = least(end, n_points);
        if (tw_stopped(watch))
            return;
        for (int32_t k = 0; k < t->n_x; k++) {
            const real *values = (const real *)x[k] + fit * x_step[k];
            real *slot = m->point + k * m->point_size;
            memcpy(slot + begin, values + begin, (size_t)(last - begin) * sizeof *slot);
            for (ptrdiff_t i = last; i < end; i++)
                slot[i] = values[n_points - 1];
        }
        run_code_to(m->point_code, t->n_point_code, start, n, start);
    }
}

static void run_point_code(const machine *m, ptrdiff_t n_points, const void *const *x,
                           const ptrdiff_t *x_step, ptrdiff_t fit) {
    run_point_code_watched(m, n_points, x, x_step, fit, NULL);
}

static summer summer_on(arena *a, const tw_fit_job *job, real *point) {
    const ptrdiff_t F = job->tape->n_free, size = groups_of(job->n_points) * LANES;
    summer r = {.m = machine_on(a, job->tape, size, point)};
    const ptrdiff_t block = r.m.block * LANES;
    r.y = TAKE(a, real, block), r.weight = TAKE(a, real, block), r.residual = TAKE(a, real, block);
    r.column = TAKE(a, operand, F + 1);
    r.sum = TAKE(a, real, tri(F + 1, 0) * LANES);
    r.rows = TAKE(a, real, (F + 1) * padded_rows(most(block, F + 1)));
    return r;
}

/* Trials after which an attempt ends: of 200 (P + 1) by default the first gets an eighth and the second
 * as much as reaches half; but of few trials the first gets all, up to as many as by default. */
static int32_t limit_of_attempt(const tw_fit_job *job, int attempt) {
    const int32_t least[] = {25, 100}, share[] = {8, 2};
    if (attempt >= job->most_attempts)
        return job->max_iter;
    const int64_t few = (int64_t)least[attempt - 1] * (job->tape->n_theta + 1);
    const int64_t limit = job->max_iter / share[attempt - 1] > few ? job->max_iter / share[attempt - 1] : few;
    return limit < job->max_iter ? (int32_t)limit : job->max_iter;
}

static tolerances tolerances_of(const tw_fit_job *job, int attempt) {
    return (tolerances){(real)job->xtol,
                        (real)job->ftol,
                        (real)job->gtol,
                        limit_of_attempt(job, attempt),
                        job->lower || job->fixed,
                        job->scaled,
                        attempt >= job->most_attempts};
}

static called called_on(arena *a, const tw_fit_job *job) {
    const ptrdiff_t N = job->n_points, P = job->tape->n_theta, F = job->tape->n_free;
    called c = {.data = {.stride = 1, .unseen = -1}};
    c.data.y = TAKE(a, real, N), c.data.weight = TAKE(a, real, N);
    c.theta = TAKE(a, real, P), c.f = TAKE(a, real, N), c.J = TAKE(a, real, N * F);
    c.rows = TAKE(a, real, (F + 1) * padded_rows(N));
    return c;
}

/* Memory for one fit, with `n_summers` threads at most; point slots shared at `point`, or its own. */
static solo *solo_on(arena *a, const tw_fit_job *job, int n_summers, real *point) {
    TAKE_ROOT(a, solo, o);
    const ptrdiff_t T = tri(job->tape->n_free + 1, 0);
    *o = (solo){.job = job, .t = tolerances_of(job, 1), .n_summers = n_summers, .threads = 1};
    const ptrdiff_t chunk = CHUNK_BLOCKS * block_groups(job->tape) * LANES;
    o->n_chunks = pieces(job->n_points, chunk);
    o->s = fits_on(a, job, 1);
    o->triangle = o->s.triangle;
    o->trial_triangle = TAKE(a, real, T);
    o->chunk_sum = TAKE(a, real, o->n_chunks * T);
    o->before = TAKE(a, real, job->tape->n_theta);
    if (job->call)
        o->called = called_on(a, job);
    o->summers = TAKE(a, summer, n_summers);
    for (int k = 0; k < n_summers; k++) {
        const summer r = summer_on(a, job, point);
        if (!a->measuring)
            o->summers[k] = r;
        point = point ? point : r.m.point; /* one x stage serves all */
    }
    return place;
}

/* Value, residual and weights of one block of points, ready to be summed. */
static ptrdiff_t sum_block_setup(const solo *o, summer *r, ptrdiff_t start) {
    const ptrdiff_t first = start * LANES, left = o->job->n_points - first;
    const ptrdiff_t size = r->m.block * LANES, n = least(left, size), groups = groups_of(n);
    sample block = {.y = r->y, .weight = r->weight, .stride = 1, .unseen = -1};
    load_points(o->job, o->fit, first, n, &block);
    for (ptrdiff_t i = n; i < groups * LANES; i++)
        r->y[i] = r->weight[i] = 0;
    run_block_code(&r->m, start, groups);
    const operand f = r->m.output[0];
    for (ptrdiff_t p = 0; p < groups; p++)
        for (int v = 0; v < LANES; v += VL)
            v_store(r->residual + p * LANES + v,
                    v_load(r->y + p * LANES + v) - v_load(f.base + p * f.step + v));
    return groups;
}

/* [J | e], weighted, as the rows that merge_rows takes. */
static void copy_rows(const summer *r, ptrdiff_t groups, int n_columns, ptrdiff_t n_rows) {
    for (int k = 0; k < n_columns; k++) {
        real *row = r->rows + k * n_rows;
        const operand c = r->column[k];
        for (ptrdiff_t p = 0; p < groups; p++)
            for (int v = 0; v < LANES; v += VL) {
                const vec w = v_load(r->weight + p * LANES + v);
                v_store(row + p * LANES + v, v_and(w > 0, v_load(c.base + p * c.step + v)) * w);
            }
        for (ptrdiff_t i = groups * LANES; i < n_rows; i++)
            row[i] = 0;
    }
}

/* The triangle of one chunk: sums of products, or R. */
static void sum_chunk(const solo *o, summer *r, ptrdiff_t chunk) {
    const int F = o->s.F;
    const ptrdiff_t T = tri(F + 1, 0), all = groups_of(o->job->n_points), block = r->m.block;
    const ptrdiff_t begin = chunk * CHUNK_BLOCKS * block, end = begin + CHUNK_BLOCKS * block;
    real *out = o->chunk_sum + chunk * T;
    memset(out, 0, (size_t)T * sizeof *out);
    memset(r->sum, 0, (size_t)(T * LANES) * sizeof *out);
    for (int k = 0; k < F; k++)
        r->column[k] = r->m.output[1 + k];
    r->column[F] = (operand){r->residual, LANES, 0};
    for (ptrdiff_t start = begin; start < end && start < all; start += block) {
        const ptrdiff_t groups = sum_block_setup(o, r, start);
        if (o->s.triangle) {
            const ptrdiff_t n_rows = padded_rows(groups * LANES);
            copy_rows(r, groups, F + 1, n_rows);
            merge_rows(F + 1, out, n_rows, r->rows);
        } else {
            add_block(r->column, F + 1, groups, r->weight, r->sum);
        }
    }
    for (ptrdiff_t t = 0; t < T && !o->s.triangle; t++)
        out[t] = v_fold(r->sum + t * LANES, LANES);
}

/* One thread's share of a fit's chunks. */
static void sum_chunks(void *context, ptrdiff_t part) {
    solo *o = context;
    summer *r = o->summers + part;
    set_theta(&r->m, o->s.trial, LANES);
    for (ptrdiff_t c; (c = claim(&o->next_chunk, 1, o->n_chunks, o->watch)) >= 0;)
        sum_chunk(o, r, c);
}

/* Merge triangle `next` into R. */
static void merge_triangle(const solo *o, summer *r, real *R, const real *next) {
    const int n = o->s.F + 1;
    const ptrdiff_t n_rows = padded_rows(n);
    memset(r->rows, 0, (size_t)(n * n_rows) * sizeof *R);
    for (int j = 0; j < n; j++)
        memcpy(r->rows + j * n_rows, next + tri(j, 0), (size_t)(j + 1) * sizeof *R);
    merge_rows(n, R, n_rows, r->rows);
}

/* [J | e] of values and derivatives that the caller gave, into trial_triangle and trial_sum. */
static void take_values(solo *o, const sample *data, const real *f, const real *J, real *rows) {
    const ptrdiff_t N = o->job->n_points, n_rows = padded_rows(N);
    const int F = o->s.F;
    memset(rows, 0, (size_t)((F + 1) * n_rows) * sizeof *rows);
    for (ptrdiff_t i = 0; i < N; i++) {
        const real w = data->weight[i];
        for (int k = 0; k < F && w > 0; k++)
            rows[k * n_rows + i] = J[i * F + k] * w;
        if (w > 0)
            rows[F * n_rows + i] = (data->y[i] - f[i]) * w;
    }
    memset(o->trial_triangle, 0, (size_t)tri(F + 1, 0) * sizeof(real));
    merge_rows(F + 1, o->trial_triangle, n_rows, rows);
    normal_from_triangle(F + 1, o->trial_triangle, o->s.trial_sum);
}

/* Ask the caller for the trial; where it cannot answer, the job stops. */
static void evaluate_by_call(solo *o) {
    const called *c = &o->called;
    for (int j = 0; j < o->s.P; j++)
        c->theta[j] = o->s.trial[j * LANES];
    if (o->job->call(o->job->context, c->theta, c->f, c->J))
        atomic_store(&o->watch->stop, 1);
    else
        take_values(o, &c->data, c->f, c->J, c->rows);
}

/* [J | e] at the trial, all chunks, into trial_sum (and trial_triangle). */
static void evaluate_trial(solo *o) {
    const ptrdiff_t T = tri(o->s.F + 1, 0);
    if (o->job->call) {
        evaluate_by_call(o);
        return;
    }
    atomic_store(&o->next_chunk, 0);
    if (o->threads > 1)
        tw_parallel(sum_chunks, o, o->n_summers, o->threads, o->watch);
    else
        sum_chunks(o, 0);
    if (o->s.triangle) {
        memcpy(o->trial_triangle, o->chunk_sum, (size_t)T * sizeof(real));
        for (ptrdiff_t c = 1; c < o->n_chunks; c++)
            merge_triangle(o, o->summers, o->trial_triangle, o->chunk_sum + c * T);
        normal_from_triangle(o->s.F + 1, o->trial_triangle, o->s.trial_sum);
        return;
    }
    for (ptrdiff_t t = 0; t < T; t++) {
        real sum = 0;
        for (ptrdiff_t c = 0; c < o->n_chunks; c++)
            sum += o->chunk_sum[c * T + t];
        o->s.trial_sum[t * LANES] = sum;
    }
}

static int stopped(const solo *o) { return o->watch && o->watch->stop; }

#endif
