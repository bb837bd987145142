/* sweep.c - coordinate-descent sweeps, compiled once per instruction set and element type.
 *
 * Updating one coordinate needs the product of its column with the residual, and the residual after the
 * update before it.  If coordinates are updated one at a time each column is walked twice, and so is the
 * residual.  Here they are updated in blocks of WIDTH columns, with the same result to rounding: when
 * coordinates of a block have moved by d, the products with the residual become
 *
 *     g_k <- g_k - sum_l G_kl d_l,        G = the Gram matrix of the block's columns, A_k'W A_l,
 *
 * so the exact sequence of updates inside the block runs on WIDTH numbers (the s-step method: Devarakonda,
 * Fountoulakis, Demmel and Mahoney 2016, "Avoiding communication in primal and dual block coordinate descent
 * methods").  What remains are walks over rows: phase p subtracts the moves of block p - 1 from the residual
 * and in the same walk multiplies the residual with the columns of block p.  A is read from memory once per
 * sweep; what a block needs again is still in the cache.  G is computed when a block comes for the first
 * time, and kept.
 *
 * A centered intercept is at its minimum before every update.  That is coordinate descent on the columns less
 * their weighted means, and avoids a slow zigzag between the constant and a column of large mean, such as
 * years.  With v the sum of the weights, sigma = sum_i w_i r_i and m_k the mean of column k, g_k and G_kl
 * become
 *
 *     g_k - sigma m_k,    G_kl - v m_k m_l,
 *
 * and in the next walk r loses sum_k (A_k - m_k) d_k + sigma / v.
 *
 * If the mean is large beside the spread, these differences are mere rounding.  So a walk first subtracts a
 * pivot from each column, its element in the row of the largest weight: then (m_k / spread)^2 is at most v /
 * w_pivot <= n, and rounding grows by no more than that factor.  A constant column becomes exactly 0.
 *
 * Threads share the rows.  These are cut into chunks whose number depends on n alone; the sums of each chunk
 * are kept, and added in the order of the chunks.  Threads claim the chunks of a phase, their own first.  The
 * thread that finishes the last chunk updates the block's coordinates and opens the next phase, for which the
 * others wait.  So the result is the same for any number of threads, and if some come late.
 */
#include <stdatomic.h>

#include "base/arena.h"
#include "base/table.h"
#include "base/transpose.h"
#include "sweep/columns.h"
#include "sweep/contract.h"
#include "sweep/coordinate.h"
#include "sweep/gram.h"

/* Measured on a busy AMD Zen 3 with AVX2, 20000 rows of 16 columns: with half of NEAR_ROWS a matrix stored by
 * rows takes 1.2 times the time and four right-hand sides 0.96 times, with twice 1.0 and 0.75 times. */
enum {
    NEAR_ROWS = 256,        /* rows that stay in the first cache while several things are done with them */
    LEAST_CHUNK = 1024,     /* the fewest rows of a chunk */
    USUAL_CHUNKS = 16,      /* the number of chunks of many rows */
    ROWS_PER_THREAD = 2048, /* times right-hand sides: a phase of fewer is over before another thread joins */
    SPINS = 1000,           /* looks at the phase before a waiting thread yields its processor */
    LONG_PIECE = 1 << 14,   /* rows times right-hand sides between two looks at the watch */
    BLOCK_GRAM = WIDTH * WIDTH + WIDTH, /* doubles of a block: its Gram matrix, the means of its columns */
};

/* A job under way. */
typedef struct {
    const struct tw_sweep_job *job;
    struct tw_watch *watch;
    int packed, threads;
    ptrdiff_t C, blocks, phases, chunk, chunks;
    ptrdiff_t width;               /* columns whose products are wanted: WIDTH, and 1 if centered */
    ptrdiff_t slots;               /* sums of a chunk: products [M][width], then PAIRS of the Gram matrix and,
                                      if centered, WIDTH sums of the columns */
    dvec *sums;                    /* [chunks][slots] */
    double *step;                  /* [M][WIDTH + 1] moves of the last block, and what every row loses */
    double *total;                 /* [slots] */
    ptrdiff_t pivot_row;           /* if centered */
    double weight;                 /* v, if centered, else 0 */
    double *drift;                 /* [M] how far theta has moved the centered intercept in this sweep */
    real *ones;                    /* the intercept's column */
    real *panel[2];                /* [WIDTH][n] packed columns of this block and of the last one, in turn */
    ptrdiff_t panel_step;          /* from one of them to the next */
    column_block block[2];         /* the columns of this phase's block and of the last one, in turn */
    ptrdiff_t poll;                /* phases between two looks at the watch */
    int moved;                     /* has any coordinate of the last block moved? */
    ptrdiff_t bad;                 /* a coordinate whose column is not finite, or -1 */
    _Atomic ptrdiff_t *claimed;    /* [chunks] in how many phases the chunk has been taken */
    _Atomic ptrdiff_t phase, done; /* the open phase; chunks finished since the start */
} dense_run;

static ptrdiff_t blocks_of(const struct tw_sweep_job *job) { return pieces(job->n_order, WIDTH); }

/* How many threads the job has work for. */
static int useful_threads(const struct tw_sweep_job *job, ptrdiff_t chunks, int threads) {
    const ptrdiff_t worth = 1 + job->n * job->M / ROWS_PER_THREAD;
    return (int)least(least(worth, chunks), threads);
}

/* How many elements are stored of the intercept's column, in which all are 1. */
static ptrdiff_t ones_of(const dense_run *t) {
    return !t->job->intercept || t->job->centered ? 0 : t->packed ? 1 : t->job->n;
}

static dense_run *dense_run_on(arena *a, const struct tw_sweep_job *job, int threads) {
    TAKE_ROOT(a, dense_run, t);
    const ptrdiff_t n = job->n, M = job->M, chunks_of_least = n / USUAL_CHUNKS / LEAST_CHUNK + 1;
    memset(t, 0, sizeof *t);
    t->job = job, t->bad = -1, t->C = job->P + job->intercept;
    t->blocks = blocks_of(job), t->phases = t->blocks * job->sweeps + 1;
    t->chunk = chunks_of_least * LEAST_CHUNK, t->chunks = most(pieces(n, t->chunk), 1);
    t->threads = useful_threads(job, t->chunks, threads);
    t->poll = LONG_PIECE / most(n * M, 1) + 1;
    t->packed = job->row_step != 1;
    t->width = WIDTH + job->centered;
    t->slots = M * t->width + PAIRS + (job->centered ? WIDTH : 0);
    t->sums = TAKE(a, dvec, t->chunks * t->slots);
    t->total = TAKE(a, double, t->slots), t->step = TAKE(a, double, M *(WIDTH + 1));
    t->drift = TAKE(a, double, M);
    t->ones = TAKE(a, real, ones_of(t));
    t->panel_step = pieces(n, LANES) * LANES;
    for (int k = 0; k < 2; k++)
        t->panel[k] = TAKE(a, real, t->packed ? WIDTH * t->panel_step : 0);
    t->claimed = TAKE(a, _Atomic ptrdiff_t, t->chunks);
    return place;
}

/* ---- one chunk of one phase ------------------------------------------------------------------ */

/* The coordinates of a phase's block; returns how many. */
static int coordinates_of(const dense_run *t, ptrdiff_t phase, const ptrdiff_t **j) {
    const ptrdiff_t first = phase % t->blocks * WIDTH, left = t->job->n_order - first;
    *j = t->job->order + first;
    return (int)least(left, WIDTH);
}

/* The columns of a phase's block, in A.  A short last block repeats its first column. */
static column_block block_of(const dense_run *t, ptrdiff_t phase) {
    column_block b;
    const ptrdiff_t *order;
    const int count = coordinates_of(t, phase, &order);
    for (int k = 0; k < WIDTH; k++) {
        const ptrdiff_t j = order[k < count ? k : 0];
        b.column[k] = j < t->job->P ? (const real *)t->job->A + j * t->job->column_step : t->ones;
        b.row_step[k] = j < t->job->P ? t->job->row_step : !t->packed;
        b.pivot[k] = t->weight > 0 ? (double)b.column[k][t->pivot_row * b.row_step[k]] : 0;
    }
    return b;
}

/* The packed columns of a phase's block. */
static void panel_of(const dense_run *t, ptrdiff_t phase, real **column) {
    for (int k = 0; k < WIDTH; k++)
        column[k] = t->panel[phase & 1] + k * t->panel_step;
}

/* Is the Gram matrix of this phase's block still to be made? */
static int makes_gram(const dense_run *t, ptrdiff_t phase) {
    return !t->job->gram_known && phase < t->blocks;
}

/* Walk rows [begin, end) for all right-hand sides; if `gram`, the walk of the first makes the Gram matrix. */
static void run_piece(const dense_run *t, block_pair b, int gram, ptrdiff_t begin, ptrdiff_t end, dvec *sum) {
    const struct tw_sweep_job *job = t->job;
    for (ptrdiff_t m = 0; m < job->M && (b.moved || b.next); m++) {
        b.step = t->step + m * (WIDTH + 1), b.residual = job->residual + m * job->n;
        b.sum = sum + m * t->width, b.gram = gram && m == 0 ? sum + job->M * t->width : NULL;
        walk_rows(&b, m == 0 && !t->packed && job->n > LONG_COLUMN, begin, end);
    }
}

static void run_chunk(const dense_run *t, ptrdiff_t phase, ptrdiff_t chunk) {
    const struct tw_sweep_job *job = t->job;
    const int moves = phase > 0 && t->moved, products = phase + 1 < t->phases;
    const int gram = products && makes_gram(t, phase);
    const ptrdiff_t begin = chunk * t->chunk, end = least(begin + t->chunk, job->n);
    const column_block *before = &t->block[(phase - moves) & 1], *now = &t->block[phase & 1];
    real *packed_before[TW_SWEEP_WIDTH], *packed_now[TW_SWEEP_WIDTH];
    panel_of(t, phase - 1, packed_before), panel_of(t, phase, packed_now);
    block_pair b = {.weights = job->weights};
    if (job->centered)
        b.moved_pivot = before->pivot, b.next_pivot = now->pivot;
    if (moves)
        b.moved = t->packed ? (const real *const *)packed_before : before->column;
    if (products)
        b.next = t->packed ? (const real *const *)packed_now : now->column;
    dvec *sum = t->sums + chunk * t->slots;
    memset(sum, 0, (size_t)t->slots * sizeof *sum);
    const ptrdiff_t piece = job->M > 1 || t->packed ? NEAR_ROWS : LONG_PIECE;
    ptrdiff_t work = 0;
    /* the first piece is longer, so that all others begin where columns are aligned */
    ptrdiff_t rows = piece + (t->packed ? 0 : to_boundary(now->column[0] + begin));
    for (ptrdiff_t i = begin; i < end; i += rows, rows = piece) {
        rows = least(rows, end - i);
        if ((work += rows * job->M) >= LONG_PIECE) {
            if (tw_stopped(t->watch))
                return;
            work = 0;
        }
        if (t->packed && products)
            pack(now->column, now->row_step, i, rows, packed_now);
        run_piece(t, b, gram, i, i + rows, sum);
    }
}

/* ---- between phases -------------------------------------------------------------------------- */

/* The sums of a slot of all chunks, in order. */
static dvec sum_of_chunks(const dense_run *t, ptrdiff_t slot) {
    dvec sum = t->sums[slot];
    for (ptrdiff_t c = 1; c < t->chunks; c++)
        sum += t->sums[c * t->slots + slot];
    return sum;
}

/* Add the sums of all chunks: those of the products, and where it is made of the Gram matrix. */
static void add_chunks(const dense_run *t, int gram) {
    ptrdiff_t s = 0, slots = gram ? t->slots : t->job->M * t->width;
    for (; s + DL <= slots; s += DL) {
        dvec sum[DL];
        for (int k = 0; k < DL; k++)
            sum[k] = sum_of_chunks(t, s + k);
        fold_each(sum, t->total + s);
    }
    for (; s < slots; s++)
        t->total[s] = d_fold(sum_of_chunks(t, s));
}

/* The first coordinate of the block whose sum of squares is not finite, or -1. */
static ptrdiff_t not_finite(const dense_run *t, ptrdiff_t phase, const double *gram) {
    const ptrdiff_t *j;
    const int count = coordinates_of(t, phase, &j);
    for (int k = 0; k < count; k++)
        if (!(gram[k * WIDTH + k] <= DBL_MAX))
            return j[k];
    return -1;
}

/* Update the coordinates of the block for one right-hand side, given the products g of its columns with the
 * residual; step gets how far each moved.  Returns by how much F fell. */
static double update_block(const dense_run *t, ptrdiff_t phase, const double *gram, double *g, double *theta,
                           double *step, double *change) {
    const ptrdiff_t *j;
    const int count = coordinates_of(t, phase, &j);
    double fall = 0;
    memset(step, 0, (size_t)(WIDTH + 1) * sizeof *step);
    for (int k = 0; k < count; k++) {
        const update u = update_of(&t->job->each, j[k], gram[k * WIDTH + k], g[k], theta[j[k]]);
        theta[j[k]] = u.value, step[k] = u.change, fall += u.fall;
        *change = fabs(u.change) > *change ? fabs(u.change) : *change;
        for (int l = k + 1; l < WIDTH; l++)
            g[l] -= gram[k * WIDTH + l] * u.change;
    }
    return fall;
}

/* Keep the Gram matrix of a block, and if centered the means of its columns, from their sums. */
static void keep_gram(const dense_run *t, double *gram) {
    const double *pair = t->total + t->job->M * t->width, *sum = pair + PAIRS;
    double *mean = gram + WIDTH * WIDTH;
    for (int k = 0; k < WIDTH; k++)
        mean[k] = t->job->centered && t->weight > 0 ? sum[k] / t->weight : 0;
    for (int k = 0; k < WIDTH; k++)
        for (int l = 0; l <= k; l++)
            gram[k * WIDTH + l] = gram[l * WIDTH + k] = pair[tri(k, l)] - t->weight * mean[k] * mean[l];
}

/* Put a centered intercept to its minimum after the moves of a block, `step`; returns by how much F fell by
 * what was left of the residual's mean. */
static double move_intercept(const dense_run *t, const column_block *b, const double *mean, double sigma,
                             double *step, ptrdiff_t m) {
    const double way = t->weight > 0 ? sigma / t->weight : 0;
    double *intercept = t->job->theta + m * t->C + t->job->P;
    double with_pivots = 0, with_means = 0;
    for (int k = 0; k < WIDTH; k++)
        with_pivots += b->pivot[k] * step[k], with_means += mean[k] * step[k];
    step[WIDTH] = way - with_means;
    *intercept += step[WIDTH] - with_pivots;
    t->drift[m] -= with_pivots + with_means;
    return 0.5 * t->weight * way * way;
}

/* Close a phase with a centered intercept, after its block has been updated.  If no coordinate has moved, r
 * keeps what rounding has left of its mean, for that is not worth a walk over the rows. */
static void close_centered(dense_run *t, ptrdiff_t phase, const double *mean, double *fall) {
    const struct tw_sweep_job *job = t->job;
    const column_block *b = &t->block[phase & 1];
    if (phase > 0 && !t->moved)
        return;
    t->moved = 1;
    for (ptrdiff_t m = 0; m < job->M; m++)
        fall[m] += move_intercept(t, b, mean, t->total[m * t->width + WIDTH], t->step + m * (WIDTH + 1), m);
}

/* Close a phase, all chunks of which are done: update the coordinates of its block. */
static void close_phase(dense_run *t, ptrdiff_t phase) {
    const struct tw_sweep_job *job = t->job;
    const ptrdiff_t M = job->M, number = phase % t->blocks;
    double *gram = job->gram + number * BLOCK_GRAM, *mean = gram + WIDTH * WIDTH;
    double *fall = job->fall + phase / t->blocks * M;
    add_chunks(t, makes_gram(t, phase));
    if (makes_gram(t, phase)) {
        keep_gram(t, gram);
        t->bad = not_finite(t, phase, gram);
    }
    t->moved = 0;
    for (ptrdiff_t m = 0; m < M; m++) {
        double *step = t->step + m * (WIDTH + 1), *g = t->total + m * t->width;
        if (number == 0)
            fall[m] = job->change[m] = t->drift[m] = 0;
        for (int k = 0; job->centered && k < WIDTH; k++)
            g[k] -= g[WIDTH] * mean[k];
        fall[m] += update_block(t, phase, gram, g, job->theta + m * t->C, step, job->change + m);
        for (int k = 0; k < WIDTH; k++)
            t->moved |= step[k] != 0;
    }
    if (job->centered)
        close_centered(t, phase, mean, fall);
    t->block[(phase + 1) & 1] = block_of(t, phase + 1);
    for (ptrdiff_t m = 0; job->centered && number == t->blocks - 1 && m < M; m++)
        job->change[m] = fabs(t->drift[m]) > job->change[m] ? fabs(t->drift[m]) : job->change[m];
}

/* ---- threads --------------------------------------------------------------------------------- */

/* Wait until this phase is closed, or the watch asks to stop. */
static void wait_for_phase(const dense_run *t, ptrdiff_t phase) {
    for (int look = 0; atomic_load(&t->phase) == phase; look++) {
        if (look > SPINS && tw_stopped(t->watch))
            return;
#if defined(__SSE2__)
        _mm_pause();
#endif
        if (look > SPINS)
            tw_give_way();
    }
}

/* Take chunks of the open phase, in one thread, beginning with its own, until the last phase is closed or the
 * watch asks to stop. */
static void take_chunks(void *context, ptrdiff_t part) {
    dense_run *t = context;
    const ptrdiff_t home = part * t->chunks / t->threads;
    for (ptrdiff_t phase; (phase = atomic_load(&t->phase)) < t->phases; wait_for_phase(t, phase))
        for (ptrdiff_t c = 0; c < t->chunks; c++) {
            if (t->watch && t->watch->stop)
                return;
            const ptrdiff_t chunk = (home + c) % t->chunks;
            ptrdiff_t free = phase;
            if (!atomic_compare_exchange_strong(&t->claimed[chunk], &free, phase + 1))
                continue;
            run_chunk(t, phase, chunk);
            if (phase % t->poll == 0 && tw_stopped(t->watch))
                return;
            if (atomic_fetch_add(&t->done, 1) + 1 < (phase + 1) * t->chunks)
                continue;
            if (phase + 1 < t->phases)
                close_phase(t, phase);
            atomic_store(&t->phase, t->bad < 0 ? phase + 1 : t->phases);
        }
}

static size_t sweep_gram(const struct tw_sweep_job *job) { return (size_t)(blocks_of(job) * BLOCK_GRAM); }

static size_t sweep_work(const struct tw_sweep_job *job, int threads) {
    arena a = arena_on(NULL);
    dense_run_on(&a, job, threads);
    return arena_size(&a);
}

/* Find the row of the pivots, and the sum of the weights. */
static void weigh(dense_run *t) {
    const double *w = t->job->weights;
    t->weight = w ? 0 : (double)t->job->n;
    for (ptrdiff_t i = 0; w && i < t->job->n; i++) {
        t->weight += w[i];
        t->pivot_row = w[i] > w[t->pivot_row] ? i : t->pivot_row;
    }
}

static tw_sweep_status sweep_run(const struct tw_sweep_job *job, int threads, struct tw_watch *watch,
                                 void *work) {
    arena a = arena_on(work);
    dense_run *t = dense_run_on(&a, job, threads);
    if (!t->blocks || !job->sweeps)
        return TW_SWEEP_OK;
    t->watch = watch;
    if (job->centered)
        weigh(t);
    for (ptrdiff_t i = 0; i < ones_of(t); i++)
        t->ones[i] = 1;
    for (ptrdiff_t c = 0; c < t->chunks; c++)
        atomic_init(&t->claimed[c], 0);
    t->block[0] = block_of(t, 0);
    tw_parallel(take_chunks, t, t->threads, t->threads, watch);
    if (t->bad < 0)
        return TW_SWEEP_OK;
    *job->where = t->bad;
    return TW_SWEEP_OVERFLOW;
}

extern const struct tw_sweep TW_TABLE(tw_sweep);
const struct tw_sweep TW_TABLE(tw_sweep) = {
    .gram = sweep_gram,
    .work = sweep_work,
    .run = sweep_run,
    .gram_run = sweep_gram_run,
};
