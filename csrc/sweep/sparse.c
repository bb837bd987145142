/* sparse.c - coordinate-descent sweeps over a sparse matrix stored by columns, compiled once per
 * instruction set and type of the values.
 *
 * An update of theta_j costs two walks over the stored values of column j (csc.h), whatever n is, and no more
 * with a centered intercept.  With m_j the weighted mean of column j and v the sum of the weights, the true
 * residual is then r_i - o, where r is what is stored and o its weighted mean, the offset, so
 *
 *     g_j = sum_i w_i A_ij (r_i - o) = sum_i w_i A_ij r_i - o v m_j,       o -= m_j d  after a move by d,
 *
 * and the curvature is sum_i w_i (A_ij - m_j)^2.  That is coordinate descent on the centered columns, which
 * are never formed.  After each sweep o is subtracted from r and set to 0, so that it stays small beside r.
 *
 * Each right-hand side is a problem by itself.  Blocks of eight of them (of one in a greedy sweep, where each
 * has an order of its own) are copied into the workspace, and threads take one block after another.  A single
 * right-hand side is worked on where it is.
 */
#include "sweep/contract.h"

#include "base/arena.h"
#include "base/sharing.h"
#include "base/table.h"
#include "sweep/coordinate.h"
#include "sweep/csc.h"
#include "sweep/greedy.h"

enum { NEXT = 2 }; /* in an order other than that of storage, a column is fetched NEXT updates ahead */

/* W right-hand sides under way; if there are fewer than W, the other lanes repeat the last of them. */
typedef struct {
    double *theta, *r; /* [P][W], [n][W] */
    double *exact;     /* [n][W] the residual computed anew, if b is given */
    tournament t;
    double offset[LINE], intercept[LINE], change[LINE], fall[LINE];
    patience patience;
} line_of_sides;

/* A job under way. */
typedef struct {
    const struct tw_sweep_csc_job *job;
    struct tw_watch *watch;
    double *curvature;   /* [P] */
    double *mean;        /* [P] of the columns if the intercept is centered, else NULL */
    double total_weight; /* v */
    row_storage rows;
    int width, slots;      /* W; blocks that are worked on at the same time */
    line_of_sides *blocks; /* [slots] */
    _Atomic ptrdiff_t next;
} sparse_run;

/* What is done with A before the sweeps. */
typedef struct {
    sparse_run *p;
    tw_sweep_status status;
} opening;

TW_INLINE double larger(double a, double b) { return a > b ? a : b; } /* fmax, but for its care for NaN */

static ptrdiff_t blocks_of(const sparse_run *p) { return pieces(p->job->M, p->width); }

static sparse_run *sparse_run_on(arena *a, const struct tw_sweep_csc_job *job, int threads) {
    TAKE_ROOT(a, sparse_run, p);
    p->job = job;
    p->width = job->M > 1 && !job->greedy ? LINE : 1;
    p->slots = (int)least(blocks_of(p), threads);
    p->curvature = job->curvature ? job->curvature : TAKE(a, double, job->P);
    p->mean = !job->centered ? NULL : job->curvature ? job->mean : TAKE(a, double, job->P);
    p->rows = rows_on(a, job);
    line_of_sides *blocks = TAKE(a, line_of_sides, p->slots);
    for (int k = 0; k < p->slots; k++) {
        line_of_sides one = {.theta = job->theta, .r = job->residual};
        if (job->M > 1) {
            one.theta = TAKE(a, double, job->P * p->width);
            one.r = TAKE(a, double, job->n * p->width);
        }
        one.exact = job->b ? TAKE(a, double, job->n * p->width) : NULL;
        one.t = tournament_on(a, job);
        if (!a->measuring)
            blocks[k] = one;
    }
    p->blocks = blocks;
    return place;
}

/* ---- before the sweeps ------------------------------------------------------------------------- */

static double sum_of_weights(const struct tw_sweep_csc_job *job) {
    double sum = job->weights ? 0 : (double)job->n;
    for (ptrdiff_t i = 0; job->weights && i < job->n; i++)
        sum += job->weights[i];
    return sum;
}

TW_INLINE double sum_of_squares(column c, const double *w, double mean, int is_long) {
    double sum[4] = {0};
    for (ptrdiff_t k = 0; k < c.n; k++) {
        const double a = (double)c.value[k] - mean;
        sum[k % 4] += (w ? w[index_at(c.row, is_long, k)] * a : a) * a;
    }
    return fold(sum, 4);
}

/* The curvature of column j less its mean, which this sets.  A curvature as small as the rounding of the mean
 * of n values, and of the weight of rows that are not stored, counts as 0: a constant column does nothing
 * that the intercept does not. */
static double centered_curvature(const sparse_run *p, ptrdiff_t j, double curvature, int is_long) {
    const struct tw_sweep_csc_job *job = p->job;
    const double *w = job->weights, noise = (double)job->n * DBL_EPSILON;
    const column c = column_of(job, j, is_long);
    double sum = 0, stored = 0;
    for (ptrdiff_t k = 0; k < c.n; k++) {
        const double weight = w ? w[index_at(c.row, is_long, k)] : 1;
        sum += weight * (double)c.value[k];
        stored += weight;
    }
    const double mean = p->mean[j] = p->total_weight > 0 ? sum / p->total_weight : 0;
    const double rest = p->total_weight - stored;
    const double centered = sum_of_squares(c, w, mean, is_long) +
                            (c.n < job->n && rest > noise * p->total_weight ? rest * mean * mean : 0);
    return centered > noise * noise * curvature ? centered : 0;
}

/* Check A, and compute the curvatures and means of its columns; stops if patience runs out. */
TW_INLINE tw_sweep_status prepare(sparse_run *p, int is_long) {
    const struct tw_sweep_csc_job *job = p->job;
    ptrdiff_t *const j = job->where;
    patience looking = {.watch = p->watch};
    for (*j = 0; *j < job->P; ++*j) {
        if (indptr_is_bad(job, *j, is_long))
            return TW_SWEEP_BAD_INDPTR;
        const column c = column_of(job, *j, is_long);
        const tw_sweep_status status = check_rows(c, job->n, is_long);
        if (status)
            return status;
        double curvature = sum_of_squares(c, job->weights, 0, is_long);
        if (!(curvature <= DBL_MAX)) {
            for (ptrdiff_t k = 0; k < c.n; k++)
                if (!isfinite(c.value[k]))
                    return TW_SWEEP_NOT_FINITE;
            return TW_SWEEP_OVERFLOW;
        }
        if (p->mean)
            curvature = centered_curvature(p, *j, curvature, is_long);
        p->curvature[*j] = curvature;
        if (runs_out(&looking, c.n + 1))
            return TW_SWEEP_OK;
    }
    return TW_SWEEP_OK;
}

/* ---- a sweep ----------------------------------------------------------------------------------- */

/* Fetch the column that is updated NEXT updates after number t; a short one without a loop, whose end the
 * processor would mispredict. */
TW_INLINE void fetch_column(const struct tw_sweep_csc_job *job, const ptrdiff_t *order, ptrdiff_t t,
                            int is_long) {
    if (t + NEXT >= job->n_order)
        return;
    const column c = column_of(job, order[t + NEXT], is_long);
    fetch(&c, 0, is_long);
    fetch(&c, LINE, is_long);
    for (ptrdiff_t k = SHORT; k < c.n && k < AHEAD; k += LINE)
        fetch(&c, k, is_long);
}

/* One sweep over the coordinates in their order.  Compiled for each value of W, right-hand sides side by
 * side: 1 or LINE; of is_long; and for w that is NULL or not. */
TW_INLINE void update_all(const sparse_run *p, line_of_sides *s, const ptrdiff_t *order, int W,
                          const double *w, int is_long) {
    const struct tw_sweep_csc_job *job = p->job;
    double change[LINE] = {0}, fall[LINE] = {0};
    for (ptrdiff_t t = 0; t < job->n_order; t++) {
        _Alignas(64) double g[LINE], d[LINE];
        const ptrdiff_t j = order ? order[t] : t;
        const column c = column_of(job, j, is_long);
        int moves = 0;
        if (order)
            fetch_column(job, order, t, is_long);
        if (W == 1)
            g[0] = dot(c, s->r, w, order ? 0 : AHEAD, is_long);
        else
            dot_line(c, s->r, w, g, is_long);
        for (int l = 0; l < W; l++) {
            if (p->mean)
                g[l] -= s->offset[l] * p->total_weight * p->mean[j];
            const update u = update_of(&job->each, j, p->curvature[j], g[l], s->theta[j * W + l]);
            s->theta[j * W + l] = u.value;
            d[l] = u.change;
            moves |= u.change != 0;
            change[l] = larger(change[l], fabs(u.change));
            fall[l] += u.fall;
        }
        if (moves && W == 1)
            subtract(c, d[0], s->r, is_long);
        else if (moves)
            subtract_line(c, d, s->r, is_long);
        for (int l = 0; moves && p->mean && l < W; l++)
            s->offset[l] -= p->mean[j] * d[l];
        if (runs_out(&s->patience, (c.n + 1) * W))
            break;
    }
    for (int l = 0; l < W; l++) {
        s->change[l] = change[l];
        s->fall[l] += fall[l];
    }
}

/* The product of column j, less its mean if p has means, with the residual, in a greedy sweep. */
TW_INLINE double gradient_of(const sparse_run *p, const line_of_sides *s, ptrdiff_t j) {
    return s->t.g[j] - (p->mean ? s->offset[0] * p->total_weight * p->mean[j] : 0);
}

/* The coordinate by whose update F falls most, the first of equals, for a centered intercept. */
static ptrdiff_t best_of_all(const sparse_run *p, line_of_sides *s) {
    const struct tw_sweep_csc_job *job = p->job;
    ptrdiff_t best = 0;
    for (ptrdiff_t j = 0; j < job->P; j++) {
        s->t.promise[j] = update_of(&job->each, j, p->curvature[j], gradient_of(p, s, j), s->theta[j]).fall;
        if (s->t.promise[j] > s->t.promise[best])
            best = j;
    }
    runs_out(&s->patience, job->P); /* polls the watch; update_greedily looks at it before the next update */
    return best;
}

/* One greedy sweep: n_order updates, each of the coordinate by which F falls most. */
static void update_greedily(const sparse_run *p, line_of_sides *s) {
    const struct tw_sweep_csc_job *job = p->job;
    s->change[0] = 0;
    if (!begin_tournament(job, &s->t, p->curvature, s->theta, s->r, &s->patience))
        return;
    for (ptrdiff_t t = 0; t < job->n_order && !(p->watch && p->watch->stop); t++) {
        const ptrdiff_t j = p->mean ? best_of_all(p, s) : s->t.best[1];
        if (!(s->t.promise[j] > 0))
            return; /* no update lowers F */
        const update u = update_of(&job->each, j, p->curvature[j], gradient_of(p, s, j), s->theta[j]);
        s->theta[j] = u.value;
        s->offset[0] -= p->mean ? p->mean[j] * u.change : 0;
        s->change[0] = larger(s->change[0], fabs(u.change));
        s->fall[0] += u.fall;
        subtract(column_of(job, j, job->is_long), u.change, s->r, job->is_long);
        spread(job, &p->rows, &s->t, p->curvature, s->theta, j, u.change, &s->patience);
    }
}

static void sweep_once(const sparse_run *p, line_of_sides *s, const ptrdiff_t *order) {
    const struct tw_sweep_csc_job *job = p->job;
    const double *w = job->weights;
    if (job->greedy)
        update_greedily(p, s);
    else if (p->width == 1 && !job->is_long)
        w ? update_all(p, s, order, 1, w, 0) : update_all(p, s, order, 1, NULL, 0);
    else if (p->width == 1)
        w ? update_all(p, s, order, 1, w, 1) : update_all(p, s, order, 1, NULL, 1);
    else if (!job->is_long)
        w ? update_all(p, s, order, LINE, w, 0) : update_all(p, s, order, LINE, NULL, 0);
    else
        w ? update_all(p, s, order, LINE, w, 1) : update_all(p, s, order, LINE, NULL, 1);
}

/* Move the intercept `relaxation` times the way to its minimum, and subtract the offset from r. */
static void move_intercept(const sparse_run *p, line_of_sides *s, double relaxation) {
    const struct tw_sweep_csc_job *job = p->job;
    const int W = p->width;
    const double *w = job->weights;
    double sum[LINE] = {0}, shift[LINE];
    if (!(p->total_weight > 0))
        return;
    for (ptrdiff_t k = 0; k < job->n * W; k++)
        sum[k % LINE] += w ? w[k / W] * s->r[k] : s->r[k];
    if (W == 1)
        fold(sum, LINE);
    for (int l = 0; l < W; l++) {
        const double way = sum[l] / p->total_weight - s->offset[l], d = relaxation * way;
        shift[l] = s->offset[l] + d;
        s->intercept[l] += shift[l];
        s->offset[l] = 0;
        s->change[l] = larger(s->change[l], fabs(shift[l]));
        s->fall[l] += p->total_weight * d * (way - 0.5 * d);
    }
    for (ptrdiff_t k = 0; k < job->n * W; k++)
        s->r[k] -= shift[k % W];
}

/* ---- a block of right-hand sides ----------------------------------------------------------------- */

/* Set r to b - A theta - intercept, computed anew, and drift to how far it was from that. */
static void refresh(const sparse_run *p, line_of_sides *s, ptrdiff_t first, int lanes) {
    const struct tw_sweep_csc_job *job = p->job;
    const int W = p->width;
    for (ptrdiff_t k = 0; k < job->n * W; k++) {
        const ptrdiff_t l = k % W < lanes ? k % W : lanes - 1;
        s->exact[k] = job->b[k / W * job->M + first + l] - s->intercept[l];
    }
    for (ptrdiff_t j = 0; j < job->P; j++) {
        _Alignas(64) double theta[LINE] = {0};
        memcpy(theta, s->theta + j * W, (size_t)W * sizeof *theta);
        const column c = column_of(job, j, job->is_long);
        if (W == 1)
            subtract(c, theta[0], s->exact, job->is_long);
        else
            subtract_line(c, theta, s->exact, job->is_long);
    }
    double drift[LINE] = {0};
    for (ptrdiff_t k = 0; k < job->n * W; k++) {
        drift[k % W] = larger(drift[k % W], fabs(s->r[k] - s->exact[k]));
        s->r[k] = s->exact[k];
    }
    memcpy(job->drift + first, drift, (size_t)lanes * sizeof *drift);
}

/* Copy right-hand sides first ... first + lanes - 1 into the workspace. */
static void load(line_of_sides *s, const sparse_run *p, ptrdiff_t first, int lanes) {
    const struct tw_sweep_csc_job *job = p->job;
    const int W = p->width;
    for (int l = 0; l < W; l++) {
        const ptrdiff_t m = first + (l < lanes ? l : lanes - 1);
        s->offset[l] = s->change[l] = 0;
        s->intercept[l] = job->intercept ? job->intercept[m] : 0;
        for (ptrdiff_t k = l; job->M > 1 && k < job->n * W; k += W)
            s->r[k] = job->residual[k / W * job->M + m];
        for (ptrdiff_t k = l; job->M > 1 && k < job->P * W; k += W)
            s->theta[k] = job->theta[k / W * job->M + m];
    }
}

/* Copy their results back. */
static void store(const line_of_sides *s, const sparse_run *p, ptrdiff_t first, int lanes) {
    const struct tw_sweep_csc_job *job = p->job;
    for (int l = 0; l < lanes; l++) {
        const ptrdiff_t m = first + l;
        job->change[m] = s->change[l];
        if (job->intercept)
            job->intercept[m] = s->intercept[l];
        for (ptrdiff_t i = 0; job->M > 1 && i < job->n; i++)
            job->residual[i * job->M + m] = s->r[i * p->width + l];
        for (ptrdiff_t j = 0; job->M > 1 && j < job->P; j++)
            job->theta[j * job->M + m] = s->theta[j * p->width + l];
    }
}

/* Run all sweeps of the block of right-hand sides that begins with number `first`. */
static void run_block(const sparse_run *p, line_of_sides *s, ptrdiff_t first) {
    const struct tw_sweep_csc_job *job = p->job;
    const int lanes = (int)least(job->M - first, p->width);
    load(s, p, first, lanes);
    s->patience = (patience){.watch = p->watch};
    for (ptrdiff_t k = 0; k < job->sweeps && !tw_stopped(p->watch); k++) {
        memset(s->fall, 0, sizeof s->fall);
        if (job->centered && k == 0)
            move_intercept(p, s, 1);
        sweep_once(p, s, job->order ? job->order + k * job->order_step : NULL);
        if (job->intercept)
            move_intercept(p, s, job->centered ? 1 : job->each.relaxation);
        memcpy(job->fall + k * job->M + first, s->fall, (size_t)lanes * sizeof *s->fall);
    }
    if (job->b && !tw_stopped(p->watch))
        refresh(p, s, first, lanes);
    store(s, p, first, lanes);
}

static void run_blocks(void *context, ptrdiff_t slot) {
    sparse_run *p = context;
    for (ptrdiff_t k; (k = claim(&p->next, 1, blocks_of(p), p->watch)) >= 0;)
        run_block(p, &p->blocks[slot], k * p->width);
}

/* Do what comes before the sweeps.  This is a task of its own, so that the watch is polled. */
static void begin(void *context, ptrdiff_t part) {
    opening *o = context;
    patience storing = {.watch = o->p->watch};
    (void)part; /* the only one */
    o->p->total_weight = sum_of_weights(o->p->job);
    if (!o->p->job->curvature)
        o->status = o->p->job->is_long ? prepare(o->p, 1) : prepare(o->p, 0);
    if (!o->status && o->p->job->greedy)
        store_rows(o->p->job, &o->p->rows, &storing);
}

static tw_sweep_status sweep_csc_run(const struct tw_sweep_csc_job *job, int threads, struct tw_watch *watch,
                                     void *work) {
    arena a = arena_on(work);
    sparse_run *p = sparse_run_on(&a, job, threads);
    p->watch = watch;
    opening o = {.p = p};
    tw_parallel(begin, &o, 1, 1, watch);
    if (o.status || (watch && watch->stop))
        return o.status;
    atomic_store(&p->next, 0);
    tw_parallel(run_blocks, p, p->slots, p->slots, watch);
    return TW_SWEEP_OK;
}

static size_t sweep_csc_work(const struct tw_sweep_csc_job *job, int threads) {
    arena a = arena_on(NULL);
    sparse_run_on(&a, job, threads);
    return arena_size(&a);
}

extern const struct tw_sweep_csc TW_TABLE(tw_sweep_csc);
const struct tw_sweep_csc TW_TABLE(tw_sweep_csc) = {.work = sweep_csc_work, .run = sweep_csc_run};
