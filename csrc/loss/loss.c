/* loss.c - sums over samples, compiled once per instruction set and element type.
 *
 * A mean squared error and its gradient are sums over samples,
 *
 *     L = (1/K) sum_k w_k |e_k|^2,   nabla L = -(2/K) sum_k w_k e_k' J_k,   e_k = x_k - f_theta(y_k),
 *
 * and reverse accumulation through the graph of one sample's loss (model/autodiff.py) gives all P terms
 * of the gradient for a small multiple of the cost of f (Baur and Strassen, "The complexity of partial
 * derivatives", Theoretical Computer Science 22, 1983).  A tape computes the terms of a block of samples,
 * points side by side (tape/run.h); this file loads each block, runs the tape on it, and adds its terms up.
 * J is never stored, not even for one sample, unless J'J is asked for.
 *
 * In networks most terms are products of an adjoint with an activation, delta_i h_j.  They are summed from
 * their factors: one fused multiplication per sample instead of a store, a load and an addition.
 *
 * The order of a sum: each lane is summed by itself over a block and over the blocks of a chunk in order,
 * then the lanes are added by halves, then the chunks in order.  The bounds of the chunks depend on K and the
 * tape alone, and threads take whole chunks.  There are at most MOST_CHUNKS, so that memory does not grow
 * with K.
 */
#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "base/table.h"
#include "loss/contract.h"
#include "tape/curves.h"
#include "tape/normal.h"

enum {
    MOST_CHUNKS = 64,
    CHUNK_BLOCKS = 16,          /* the least number of blocks in a chunk, if there are so many */
    POLL_BLOCKS = 16,           /* blocks between two looks at the watch */
    SAMPLES_PER_THREAD = 8192,  /* see useful_threads */
    LINE = 64 / sizeof(double), /* doubles in a cache line */
    CHAINS = 4, /* sums that are made side by side, for an addition waits for the one before */
};

/* A term whose slots are bound to addresses. */
typedef struct {
    const real *scale; /* NULL: 1 */
    operand a, b;      /* b.base NULL: 1 */
} term;

/* What one thread needs to sum chunks. */
typedef struct {
    machine m;
    term *terms;     /* [n_terms] */
    operand *column; /* [n_terms] */
    real *weight;    /* [block][LANES]  1, and 0 beyond the last sample */
    real *triangle;  /* [T][LANES] */
    double *sum;     /* [n_sums][LANES] */
} worker;

/* A pass over the samples. */
typedef struct loss_run loss_run;
struct loss_run {
    const tw_samples *s;
    int32_t n_rows;                        /* for `normal`, else 0 */
    ptrdiff_t n_sums;                      /* numbers that a chunk sums up */
    ptrdiff_t n_blocks, n_chunks, samples; /* samples: of a block */
    int threads;
    worker *workers;
    double *chunk_sum; /* [n_chunks][n_sums] */
    double *value;     /* for `values`, else NULL */
    struct tw_watch *watch;
    _Atomic ptrdiff_t next_chunk;
    void (*add)(const loss_run *, worker *, ptrdiff_t first, ptrdiff_t n); /* takes in one block's terms */
};

static ptrdiff_t triangle_size(const tw_samples *s, int32_t n_rows) {
    return n_rows ? tri(s->n_terms / n_rows, 0) : 0;
}

static worker worker_on(arena *a, const loss_run *r) {
    const tw_samples *s = r->s;
    worker w = {.m = machine_on(a, s->tape, 0, r->samples, NULL, NULL)};
    w.terms = TAKE(a, term, s->n_terms);
    w.column = TAKE(a, operand, s->n_terms);
    w.weight = TAKE(a, real, r->samples);
    w.triangle = TAKE(a, real, triangle_size(s, r->n_rows) * LANES);
    w.sum = TAKE(a, double, r->n_rows ? 0 : r->n_sums * LANES);
    if (a->measuring)
        return w;
    for (int32_t t = 0; t < s->n_terms; t++) {
        const tw_term code = s->terms[t];
        w.terms[t].scale = code.scale < 0 ? NULL : bind_slot(&w.m, code.scale).base;
        w.terms[t].a = w.column[t] = bind_slot(&w.m, code.a);
        w.terms[t].b = code.b < 0 ? (operand){NULL, 0, 0} : bind_slot(&w.m, code.b);
    }
    return w;
}

/* How many threads K samples are work for.  Measured on AMD Zen 4, a gradient of three parameters: beside one
 * thread, two take 1.06 times as long for 8,000 samples, and 0.66 times as long for 16,000. */
static int useful_threads(ptrdiff_t K, int threads) {
    return (int)least(1 + K / SAMPLES_PER_THREAD, threads);
}

static loss_run *loss_run_on(arena *a, const tw_samples *s, int32_t n_rows, int threads) {
    TAKE_ROOT(a, loss_run, r);
    const ptrdiff_t K = s->n_samples;
    *r = (loss_run){.s = s, .n_rows = n_rows, .threads = useful_threads(K, threads)};
    r->n_sums = n_rows ? triangle_size(s, n_rows) : s->n_terms;
    r->samples = block_groups(s->tape) * LANES;
    r->n_blocks = pieces(K, r->samples);
    r->n_chunks = least(pieces(r->n_blocks, CHUNK_BLOCKS), MOST_CHUNKS);
    r->chunk_sum = TAKE(a, double, r->n_chunks * r->n_sums);
    r->workers = TAKE(a, worker, r->threads);
    for (int k = 0; k < r->threads; k++) {
        const worker w = worker_on(a, r);
        if (!a->measuring)
            r->workers[k] = w;
    }
    return place;
}

/* Load n values of one input into a point slot, and fill it up with the last one: what the tape computes from
 * those is not summed.  The next block is fetched into the cache while this one is worked on. */
static void load_input(real *slot, const void *x, ptrdiff_t step, int is_float, ptrdiff_t n, ptrdiff_t size) {
    const double *as_doubles = x;
    const float *as_floats = x;
    if (step == 1 && !is_float) {
        for (ptrdiff_t i = 0; i < n; i++)
            slot[i] = (real)as_doubles[i];
        for (ptrdiff_t i = 0; i < n; i += LINE)
            __builtin_prefetch(as_doubles + n + i);
    } else if (is_float)
        for (ptrdiff_t i = 0; i < n; i++)
            slot[i] = (real)as_floats[i * step];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            slot[i] = (real)as_doubles[i * step];
    for (ptrdiff_t i = n; i < size; i++)
        slot[i] = slot[n - 1];
}

/* Run the tape on n samples from `first` on. */
static void run_block(const loss_run *r, const machine *m, ptrdiff_t first, ptrdiff_t n) {
    const tw_samples *s = r->s;
    const ptrdiff_t groups = groups_of(n);
    for (int32_t k = 0; k < s->tape->n_x; k++) {
        const ptrdiff_t size = s->x_is_float[k] ? sizeof(float) : sizeof(double);
        const char *x = (const char *)s->x[k] + first * s->x_step[k] * size;
        load_input(m->point + k * m->point_size, x, s->x_step[k], s->x_is_float[k], n, groups * LANES);
    }
    run_code(m->point_code, s->tape->n_point_code, 0, groups);
    run_block_code(m, 0, groups);
}

/* The factors a of a run: up to CHAINS terms with the same factor b, which is loaded once for all. */
typedef struct {
    const real *a[CHAINS];
    ptrdiff_t step[CHAINS];
} factors;

/* Add the sums of the terms a_t b, or of a_t alone, over n samples to sum [n_terms][LANES].  If there are
 * fewer than CHAINS terms, each is summed in several chains, which take samples in turns.
 *
 * Compiled for each value of
 *   n_terms  terms of the run, 1 ... CHAINS
 *   product  whether there is a factor b; if not, n_terms is 1
 */
TW_INLINE void add_run(const factors *f, operand b, int n_terms, int product, ptrdiff_t n, double *sum) {
    const ptrdiff_t full = n / LANES, rest = n % LANES;
    const int turns = CHAINS / n_terms;
    real total[CHAINS][LANES];
    for (int o = 0; o < LANES; o += VL) {
        vec s[CHAINS][CHAINS] = {{{0}}};
        for (ptrdiff_t p = 0; p < full; p += turns)
            for (int k = 0; k < turns && p + k < full; k++) {
                const vec right = product ? v_load(b.base + (p + k) * b.step + o) : (vec){0};
                for (int t = 0; t < n_terms; t++) {
                    const vec left = v_load(f->a[t] + (p + k) * f->step[t] + o);
                    s[t][k] += product ? left * right : left;
                }
            }
        for (int t = 0; t < n_terms; t++)
            v_storeu(total[t] + o, (s[t][0] + s[t][1]) + (s[t][2] + s[t][3]));
    }
    for (int t = 0; t < n_terms; t++) {
        for (ptrdiff_t l = 0; l < rest; l++) {
            const real left = f->a[t][full * f->step[t] + l];
            total[t][l] += product ? left * b.base[full * b.step + l] : left;
        }
        for (int l = 0; l < LANES; l++)
            sum[t * LANES + l] += (double)total[t][l];
    }
}

/* How many terms from t on share their factor b. */
static int run_length(const loss_run *r, const term *terms, int32_t t) {
    int n = 1;
    while (n < CHAINS && t + n < r->s->n_terms && terms[t].b.base && terms[t + n].b.base == terms[t].b.base)
        n++;
    return n;
}

/* The compiler unrolls add_run for each constant length. */
#define TW_RUN(length)                                                                                       \
    case length:                                                                                             \
        add_run(&f, b, length, 1, n, sum);                                                                   \
        break;

static void add_terms(const loss_run *r, worker *w, ptrdiff_t first, ptrdiff_t n) {
    (void)first;
    int length;
    for (int32_t t = 0; t < r->s->n_terms; t += length) {
        const operand b = w->terms[t].b;
        double *sum = w->sum + t * LANES;
        factors f;
        length = run_length(r, w->terms, t);
        for (int c = 0; c < length; c++)
            f.a[c] = w->terms[t + c].a.base, f.step[c] = w->terms[t + c].a.step;
        switch (b.base ? length : 0) {
            TW_RUN(1)
            TW_RUN(2)
            TW_RUN(3)
            TW_RUN(4)
        default:
            add_run(&f, b, 1, 0, n, sum);
        }
    }
}

static double scale_of(const term *t) { return t->scale ? (double)*t->scale : 1; }

static void write_values(const loss_run *r, worker *w, ptrdiff_t first, ptrdiff_t n) {
    const int32_t n_terms = r->s->n_terms;
    for (int32_t t = 0; t < n_terms; t++) {
        const term *c = w->terms + t;
        double *out = r->value + first * n_terms + t;
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t p = i / LANES, l = i % LANES;
            const real b = c->b.base ? c->b.base[p * c->b.step + l] : 1;
            out[i * n_terms] = scale_of(c) * (double)(c->a.base[p * c->a.step + l] * b);
        }
    }
}

static void add_normal(const loss_run *r, worker *w, ptrdiff_t first, ptrdiff_t n) {
    (void)first;
    const ptrdiff_t groups = groups_of(n);
    const int32_t m = r->s->n_terms / r->n_rows;
    for (ptrdiff_t i = 0; i < groups * LANES; i++)
        w->weight[i] = i < n;
    for (int32_t i = 0; i < r->n_rows; i++)
        add_block(w->column + i * m, m, groups, n % LANES ? w->weight : NULL, LANES, w->triangle);
}

/* Sum one chunk; the blocks are divided among the chunks evenly. */
static void run_chunk(loss_run *r, worker *w, ptrdiff_t chunk) {
    const ptrdiff_t begin = r->n_blocks * chunk / r->n_chunks, end = r->n_blocks * (chunk + 1) / r->n_chunks;
    const ptrdiff_t n_sums = r->value ? 0 : r->n_sums;
    const ptrdiff_t n_real = r->n_rows ? n_sums : 0, n_double = r->n_rows ? 0 : n_sums;
    memset(w->triangle, 0, (size_t)(n_real * LANES) * sizeof *w->triangle);
    memset(w->sum, 0, (size_t)(n_double * LANES) * sizeof *w->sum);
    for (ptrdiff_t block = begin; block < end; block++) {
        const ptrdiff_t first = block * r->samples, n = least(r->samples, r->s->n_samples - first);
        if (block % POLL_BLOCKS == 0 && tw_stopped(r->watch))
            return;
        run_block(r, &w->m, first, n);
        r->add(r, w, first, n);
    }
    for (ptrdiff_t t = 0; t < n_sums; t++) {
        double lane[LANES];
        for (int l = 0; l < LANES; l++)
            lane[l] = r->n_rows ? (double)w->triangle[t * LANES + l] : w->sum[t * LANES + l];
        r->chunk_sum[chunk * n_sums + t] = fold(lane, LANES);
    }
}

/* Sum chunks, in one thread, until none is left. */
static void run_chunks(void *context, ptrdiff_t part) {
    loss_run *r = context;
    worker *w = r->workers + part;
    set_theta(&w->m, r->s->theta, 1, NULL);
    for (ptrdiff_t c; (c = claim(&r->next_chunk, 1, r->n_chunks, r->watch)) >= 0;)
        run_chunk(r, w, c);
}

static void run_pass(loss_run *r, struct tw_watch *watch, double *sum) {
    r->watch = watch;
    atomic_store(&r->next_chunk, 0);
    tw_parallel(run_chunks, r, r->threads, r->threads, watch);
    if (r->value)
        return;
    if (!r->n_rows) /* the scales are read from the first worker, which may have taken no chunk */
        set_theta(&r->workers->m, r->s->theta, 1, NULL);
    for (ptrdiff_t t = 0; t < r->n_sums; t++) {
        sum[t] = 0;
        for (ptrdiff_t c = 0; c < r->n_chunks; c++)
            sum[t] += r->chunk_sum[c * r->n_sums + t];
        if (!r->n_rows)
            sum[t] *= scale_of(r->workers->terms + t);
    }
}

static size_t loss_work(const tw_samples *samples, int32_t n_rows, int threads) {
    arena a = arena_on(NULL);
    loss_run_on(&a, samples, n_rows, threads);
    return arena_size(&a);
}

static void loss_sums(const tw_samples *samples, int threads, void *work, struct tw_watch *watch,
                      double *sum) {
    arena a = arena_on(work);
    loss_run *r = loss_run_on(&a, samples, 0, threads);
    r->add = add_terms;
    run_pass(r, watch, sum);
}

static void loss_values(const tw_samples *samples, int threads, void *work, struct tw_watch *watch,
                        double *value) {
    arena a = arena_on(work);
    loss_run *r = loss_run_on(&a, samples, 0, threads);
    r->add = write_values, r->value = value;
    run_pass(r, watch, NULL);
}

static void loss_normal(const tw_samples *samples, int32_t n_rows, int threads, void *work,
                        struct tw_watch *watch, double *triangle) {
    arena a = arena_on(work);
    loss_run *r = loss_run_on(&a, samples, n_rows, threads);
    r->add = add_normal;
    run_pass(r, watch, triangle);
}

extern const struct tw_loss TW_TABLE(tw_loss);
const struct tw_loss TW_TABLE(tw_loss) = {
    .work = loss_work,
    .sums = loss_sums,
    .values = loss_values,
    .normal = loss_normal,
};
