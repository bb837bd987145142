/* points.h - one fit at a time, its points side by side.
 *
 * This layout is for data sets of many points, for the orthogonal mode and for later attempts.  The points
 * are cut into chunks whose size depends on the tape alone; each gives one triangle of sums, and these are
 * combined in the order of the chunks.  So threads may share one fit's chunks, or take whole fits each, and
 * every bit stays the same.
 */
#ifndef TW_POINTS_H
#define TW_POINTS_H

#include "base/sharing.h"
#include "fit/outcome.h"
#include "tape/curves.h"

enum {
    CHUNK_BLOCKS = 16, /* blocks of points in a chunk */
    LOOK_UP = 16,      /* evaluations between two looks at the watch: tens of microseconds */
    X_PIECE = 64,      /* lane groups that the x stage takes at a time: 4 KB a slot */
};

/* What one thread needs to sum a chunk. */
typedef struct {
    machine m;
    real *y, *weight, *residual; /* [block][LANES] */
    operand *column;             /* [F + 1] */
    real *sum;                   /* triangle of F + 1, [..][LANES] */
    real *rows;                  /* [F + 1][rows of a block, or of a triangle] */
    real *scale, *more, *bend;   /* with noise: [LANES], [NOISE_SUMS][LANES], [block][LANES] (noise.h) */
    real *square;                /* what a point counts in the sums: its weight, with noise a or its root */
    int whole;                   /* with noise: no point of the block is left out */
} chunk_worker;

/* For a model that only its caller evaluates: the data set, the call's theta and what it returned, and [J |
 * e] by columns. */
typedef struct {
    sample data;
    real *theta, *f, *J, *rows; /* [P], [N], [N][F], [F + 1][padded N] */
    real *bend;                 /* [2][N]: a second difference, and e (saddle.h) */
} model_call;

/* One fit at a time, in lane 0 of its group `s`. */
typedef struct single_fit {
    const tw_fit_job *job;
    tolerances t;
    ptrdiff_t fit, n_chunks;
    fits s;                          /* in the orthogonal mode where s.triangle is set, to `triangle` */
    real *trial_triangle, *triangle; /* R of the trial; memory for R at theta */
    real *chunk_sum;                 /* [n_chunks][triangle] */
    real *chunk_more;                /* with noise: [n_chunks][NOISE_SUMS] */
    real least_share;                /* with noise: the share of rho' that each a is at least, in a trial */
    int bends;                       /* with noise: w is to give the exact second derivative (bend_block) */
    int *columns, n_columns;         /* [F] the free parameters whose columns of J are evaluated */
    sample totals;                   /* used, magnitude */
    real *before;                    /* [P] theta before the last step */
    int poor;                        /* the normal matrix is too ill-conditioned for a covariance */
    int trial_is_rough, rough;       /* J at the trial, and J at theta, is approximate (trial_next) */
    int renews;                      /* the trial is theta, whose J was rough (one.h: renew) */
    mask_int pending;                /* the status that waits for that J, or RUNNING */
    chunk_worker *workers;
    int n_workers, threads;
    struct tw_watch *watch;
    _Atomic ptrdiff_t next_chunk;
    unsigned evaluations;      /* how many there were: every LOOK_UP-th one looks at the watch */
    model_call call;           /* where the job has a `call` */
    struct single_fit *curved; /* evaluates second derivatives (curvature.h), or NULL */
} single_fit;

/* Run the x stage of one data set, points side by side: the machine's point slots are filled from x[k] (N
 * values).  The last lane group is padded with the last point, at which the model can be evaluated as well.
 * The stage takes a piece of the data at a time, which stays in the cache from instruction to instruction;
 * between two pieces the watch, if it is not NULL, may ask to stop. */
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

static chunk_worker chunk_worker_on(arena *a, const tw_fit_job *job, real *point, real *curves) {
    const ptrdiff_t F = job->tape->n_free, size = groups_of(job->n_points) * LANES;
    chunk_worker w = {.m = machine_on(a, job->tape, 0, size, point, curves)};
    const ptrdiff_t block = w.m.block * LANES;
    w.y = TAKE(a, real, block), w.weight = TAKE(a, real, block), w.residual = TAKE(a, real, block);
    w.column = TAKE(a, operand, F + 1);
    w.sum = TAKE(a, real, tri(F + 1, 0) * LANES);
    w.rows = TAKE(a, real, (F + 1) * padded_rows(most(block, F + 1)));
    w.scale = TAKE(a, real, LANES), w.more = TAKE(a, real, NOISE_SUMS * LANES);
    w.bend = TAKE(a, real, job->noise ? block : 0);
    w.square = job->noise ? TAKE(a, real, block) : w.weight;
    return w;
}

/* The number of trials, counted from the start of the fit, after which an attempt ends.  The first attempt
 * may use an eighth of max_iter, and the second may go on to a half; but if that is fewer than what the
 * default max_iter, 200 (P + 1), would give them (`few`), they may use as many as that. */
static int32_t limit_of_attempt(const tw_fit_job *job, int attempt) {
    const int first = attempt == 1;
    if (attempt >= job->most_attempts)
        return job->max_iter;
    const int64_t few = (int64_t)(first ? 25 : 100) * (job->tape->n_theta + 1);
    const int64_t share = job->max_iter / (first ? 8 : 2), limit = share > few ? share : few;
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

static model_call model_call_on(arena *a, const tw_fit_job *job) {
    const ptrdiff_t N = job->n_points, P = job->tape->n_theta, F = job->tape->n_free;
    model_call c = {.data = {.stride = 1, .unseen = -1}};
    c.data.y = TAKE(a, real, N), c.data.weight = TAKE(a, real, N);
    c.theta = TAKE(a, real, P), c.f = TAKE(a, real, N), c.J = TAKE(a, real, N * F);
    c.rows = TAKE(a, real, (F + 1) * padded_rows(N));
    c.bend = TAKE(a, real, 2 * N);
    return c;
}

/* Let all columns of J be evaluated. */
static void take_all_columns(single_fit *one) {
    one->n_columns = one->s.F;
    for (int j = 0; j < one->s.F; j++)
        one->columns[j] = j;
}

/* Memory for one fit at a time, by at most `n_workers` threads.  Its point slots are at `point`, or if that
 * is NULL they are its own. */
static single_fit *single_fit_on(arena *a, const tw_fit_job *job, int n_workers, real *point) {
    TAKE_ROOT(a, single_fit, one);
    const ptrdiff_t T = tri(job->tape->n_free + 1, 0);
    *one = (single_fit){.job = job, .t = tolerances_of(job, 1), .n_workers = n_workers, .threads = 1};
    const ptrdiff_t chunk = CHUNK_BLOCKS * block_groups(job->tape) * LANES;
    one->n_chunks = pieces(job->n_points, chunk);
    one->s = fits_on(a, job, 1);
    one->triangle = one->s.triangle;
    one->trial_triangle = TAKE(a, real, T);
    one->chunk_sum = TAKE(a, real, one->n_chunks * T);
    one->chunk_more = TAKE(a, real, job->noise ? one->n_chunks * NOISE_SUMS : 0);
    one->columns = TAKE(a, int, job->tape->n_free);
    one->before = TAKE(a, real, job->tape->n_theta);
    if (job->call)
        one->call = model_call_on(a, job);
    one->workers = TAKE(a, chunk_worker, n_workers);
    real *curves = NULL;
    for (int k = 0; k < n_workers; k++) {
        const chunk_worker w = chunk_worker_on(a, job, point, curves);
        if (!a->measuring)
            one->workers[k] = w;
        point = point ? point : w.m.point; /* one x stage serves all, and so do the curves of a trial */
        curves = w.m.curves;
    }
    if (!a->measuring)
        take_all_columns(one);
    return place;
}

/* Put what the noise of the job makes of a block into `square`, in the orthogonal mode its root, and into its
 * residuals. */
static void apply_noise(const single_fit *one, chunk_worker *w, ptrdiff_t groups) {
    const int noise = one->job->noise, F = one->s.F - 1; /* the last column of a curved tape is w */
    real *bend = one->bends ? w->bend : NULL;
    const noise_block b = {w->y, w->weight, w->scale, w->m.output[0], w->square, w->residual, bend, w->more};
    for (int l = 0; l < LANES; l++)
        w->scale[l] = f_scale_of(one->job, one->fit), w->more[LEAST_SHARE * LANES + l] = one->least_share;
    w->whole = add_noise(&b, noise, groups, LANES);
    /* The orthogonal mode takes rows: sqrt(a) J and sqrt(a) times the residual h / a. */
    for (ptrdiff_t i = 0; i < groups * LANES && one->s.triangle; i += VL) {
        const vec a = v_load(w->square + i);
        v_store(w->square + i, v_sqrt(a));
        v_store(w->residual + i, v_and(a > 0, v_load(w->residual + i) / a));
    }
    if (bend)
        bend_block(w->column, w->m.output[1 + F], F, one->s.free_theta, one->s.trial + one->s.P / 2 * LANES,
                   bend, groups);
}

/* Evaluate one block of points: its derivatives, residual and weights are then ready to be summed.  Returns
 * how many lane groups it has. */
static ptrdiff_t sum_block_setup(const single_fit *one, chunk_worker *w, ptrdiff_t start) {
    const ptrdiff_t first = start * LANES, left = one->job->n_points - first;
    const ptrdiff_t size = w->m.block * LANES, n = least(left, size), groups = groups_of(n);
    sample block = {.y = w->y, .weight = w->weight, .stride = 1, .unseen = -1};
    load_points(one->job, one->fit, first, n, &block);
    for (ptrdiff_t i = n; i < groups * LANES; i++)
        w->y[i] = w->weight[i] = 0;
    run_block_code(&w->m, start, groups);
    if (one->job->noise) {
        apply_noise(one, w, groups);
        return groups;
    }
    const operand f = w->m.output[0];
    for (ptrdiff_t p = 0; p < groups; p++)
        for (int v = 0; v < LANES; v += VL)
            v_store(w->residual + p * LANES + v,
                    v_load(w->y + p * LANES + v) - v_load(f.base + p * f.step + v));
    return groups;
}

/* Put the weighted [J | e] of a block into the rows that merge_rows takes. */
static void copy_rows(const chunk_worker *worker, ptrdiff_t groups, int n_columns, ptrdiff_t n_rows) {
    for (int k = 0; k < n_columns; k++) {
        real *row = worker->rows + k * n_rows;
        const operand c = worker->column[k];
        for (ptrdiff_t p = 0; p < groups; p++)
            for (int v = 0; v < LANES; v += VL) {
                const vec w = v_load(worker->square + p * LANES + v);
                v_store(row + p * LANES + v, v_and(w > 0, v_load(c.base + p * c.step + v)) * w);
            }
        for (ptrdiff_t i = groups * LANES; i < n_rows; i++)
            row[i] = 0;
    }
}

/* Put the triangle of one chunk into its place: the sums of products, or R in the orthogonal mode. */
static void sum_chunk(const single_fit *one, chunk_worker *w, ptrdiff_t chunk) {
    const int n_columns = one->n_columns;
    const ptrdiff_t T = tri(n_columns + 1, 0), all = groups_of(one->job->n_points), block = w->m.block;
    const ptrdiff_t begin = chunk * CHUNK_BLOCKS * block, end = begin + CHUNK_BLOCKS * block;
    real *out = one->chunk_sum + chunk * T;
    memset(out, 0, (size_t)T * sizeof *out);
    memset(w->sum, 0, (size_t)(T * LANES) * sizeof *out);
    if (one->job->noise)
        memset(w->more, 0, (size_t)(LEAST_SHARE * LANES) * sizeof *out);
    for (int k = 0; k < n_columns; k++)
        w->column[k] = w->m.output[1 + one->columns[k]];
    w->column[n_columns] = (operand){w->residual, LANES, 0};
    for (ptrdiff_t start = begin; start < end && start < all; start += block) {
        const ptrdiff_t groups = sum_block_setup(one, w, start);
        if (one->s.triangle) {
            const ptrdiff_t n_rows = padded_rows(groups * LANES);
            copy_rows(w, groups, n_columns + 1, n_rows);
            merge_rows(n_columns + 1, out, n_rows, w->rows);
        } else if (one->job->noise) {
            add_block_of_squares(w->column, n_columns + 1, groups, w->square, w->whole, LANES, w->sum);
        } else {
            add_block(w->column, n_columns + 1, groups, w->weight, LANES, w->sum);
        }
    }
    for (ptrdiff_t t = 0; t < T && !one->s.triangle; t++)
        out[t] = v_fold(w->sum + t * LANES, LANES);
    for (ptrdiff_t k = 0; k < LEAST_SHARE && one->job->noise; k++)
        one->chunk_more[chunk * NOISE_SUMS + k] = v_fold(w->more + k * LANES, LANES);
}

/* Run the theta stage of the trial, and its sections, if the model has any. */
static void take_trial(const single_fit *one, const chunk_worker *w) {
    set_theta(&w->m, one->s.trial, LANES, one->watch);
}

/* Sum chunks of a fit, in one thread, until none is left.  Curves have been made before, by the first worker:
 * all of them read these, and take over what depends on theta alone. */
static void sum_chunks(void *context, ptrdiff_t part) {
    single_fit *one = context;
    chunk_worker *w = one->workers + part;
    const tw_tape *t = one->job->tape;
    if (!t->n_sections)
        take_trial(one, w);
    else if (part)
        memcpy(w->m.lane, one->workers->m.lane, (size_t)t->n_lane * LANES * sizeof(real));
    for (ptrdiff_t c; (c = claim(&one->next_chunk, 1, one->n_chunks, one->watch)) >= 0;)
        sum_chunk(one, w, c);
}

/* Merge triangle `next` into R. */
static void merge_triangle(const single_fit *one, chunk_worker *w, real *R, const real *next) {
    const int n = one->n_columns + 1;
    const ptrdiff_t n_rows = padded_rows(n);
    memset(w->rows, 0, (size_t)(n * n_rows) * sizeof *R);
    for (int j = 0; j < n; j++)
        memcpy(w->rows + j * n_rows, next + tri(j, 0), (size_t)(j + 1) * sizeof *R);
    merge_rows(n, R, n_rows, w->rows);
}

/* Set trial_triangle and trial_sum from the values f and derivatives J that the caller gave. */
static void take_values(single_fit *one, const sample *data, const real *f, const real *J, real *rows) {
    const ptrdiff_t N = one->job->n_points, n_rows = padded_rows(N);
    const int F = one->s.F, n = one->n_columns;
    memset(rows, 0, (size_t)((n + 1) * n_rows) * sizeof *rows);
    for (ptrdiff_t i = 0; i < N; i++) {
        const real w = data->weight[i];
        for (int k = 0; k < n && w > 0; k++)
            rows[k * n_rows + i] = J[i * F + one->columns[k]] * w;
        if (w > 0)
            rows[n * n_rows + i] = (data->y[i] - f[i]) * w;
    }
    memset(one->trial_triangle, 0, (size_t)tri(n + 1, 0) * sizeof(real));
    merge_rows(n + 1, one->trial_triangle, n_rows, rows);
    normal_from_triangle(n + 1, one->trial_triangle, one->s.trial_sum);
}

/* Let the caller evaluate f at the trial, and J if that is not NULL.  Where it cannot, the job is asked to
 * stop, and 0 is returned. */
static int ask_caller(single_fit *one, real *J) {
    const model_call *c = &one->call;
    for (int j = 0; j < one->s.P; j++)
        c->theta[j] = one->s.trial[j * LANES];
    if (!one->job->call(one->job->context, c->theta, c->f, J))
        return 1;
    atomic_store(&one->watch->stop, 1);
    return 0;
}

static void evaluate_by_call(single_fit *one) {
    const model_call *c = &one->call;
    if (ask_caller(one, c->J))
        take_values(one, &c->data, c->f, c->J, c->rows);
}

/* Sum all chunks, by as many threads as the fit has.  To look at the watch takes as long as a dozen points,
 * so a fit of one chunk rarely does. */
static void sum_all_chunks(single_fit *one) {
    atomic_store(&one->next_chunk, 0);
    if (one->job->tape->n_sections)
        take_trial(one, one->workers);
    if (one->threads > 1) {
        tw_parallel(sum_chunks, one, one->n_workers, one->threads, one->watch);
    } else if (one->n_chunks > 1 || one->evaluations++ % LOOK_UP == 0) {
        sum_chunks(one, 0);
    } else {
        if (!one->job->tape->n_sections)
            take_trial(one, one->workers);
        sum_chunk(one, one->workers, 0);
    }
}

/* Put the sums of the noise over e'We and behind it. */
static void add_chunks_of_noise(const single_fit *one) {
    real *out = one->s.trial_sum + tri(one->n_columns, one->n_columns) * LANES;
    for (ptrdiff_t k = 0; k < LEAST_SHARE; k++) {
        real total = 0;
        for (ptrdiff_t c = 0; c < one->n_chunks; c++)
            total += one->chunk_more[c * NOISE_SUMS + k];
        out[k * LANES] = total;
    }
    out[LEAST_SHARE * LANES] = one->least_share;
}

/* Evaluate the trial: put its sums into trial_sum, in the orthogonal mode also R into trial_triangle. */
static void evaluate_trial(single_fit *one) {
    const ptrdiff_t T = tri(one->n_columns + 1, 0);
    if (one->job->call) {
        evaluate_by_call(one);
        return;
    }
    /* second derivatives suit a matrix near a minimum */
    const int noise = one->job->noise;
    one->least_share = one->bends ? last_share(noise) : least_share(&one->s, noise, 0)[0];
    sum_all_chunks(one);
    if (one->s.triangle) {
        memcpy(one->trial_triangle, one->chunk_sum, (size_t)T * sizeof(real));
        for (ptrdiff_t c = 1; c < one->n_chunks; c++)
            merge_triangle(one, one->workers, one->trial_triangle, one->chunk_sum + c * T);
        normal_from_triangle(one->n_columns + 1, one->trial_triangle, one->s.trial_sum);
    }
    for (ptrdiff_t t = 0; t < T && !one->s.triangle; t++) {
        real sum = 0;
        for (ptrdiff_t c = 0; c < one->n_chunks; c++)
            sum += one->chunk_sum[c * T + t];
        one->s.trial_sum[t * LANES] = sum;
    }
    if (one->job->noise)
        add_chunks_of_noise(one);
}

static int stopped(const single_fit *one) { return one->watch && one->watch->stop; }

#endif
