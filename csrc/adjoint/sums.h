/* sums.h - sums over the rows of a Jacobian: how they are cut into tasks, and how they are put together.
 *
 * A call makes one sum over all rows, or one for each block.  A sum of many rows is cut into splits, which
 * are summed from zero each and added in pairs at the end; one of many columns is cut into strips of columns,
 * too, so that what is being summed stays in the first cache.  Sums of one split, such as those of many small
 * blocks, are taken by tasks in groups, and their results are written at once.  All of this follows from the
 * sizes, never from the number of threads.
 */
#ifndef TW_SUMS_H
#define TW_SUMS_H

#include "adjoint/contract.h"
#include "base/arena.h"
#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"

/* A task reads about TASK_BYTES of J: that takes far longer than to hand out the task, and a few tasks fit
 * the caches.  Measured on AMD Zen 3 with AVX2, 3 to 20 columns: with half of TASK_BYTES 1.00 to 1.02 times
 * the time, with twice 0.98 to 1.2 times. */
enum {
    TASK_BYTES = 1 << 18,
    MAX_SPLITS = 256,        /* the most splits of a sum, enough to keep every thread busy until the end */
    TOTAL_SHARE = 8,         /* a split reads at least so many times as many bytes as it sums up into */
    ROW_MULTIPLE = 64,       /* the rows of a split are a multiple of it, so that they fill whole vectors */
    CHUNK = 1024,            /* rows whose weighted residuals are prepared at a time: 8 KiB */
    POLL_ELEMENTS = 1 << 16, /* elements that are read between two looks at the watch: some 0.1 ms */
};

/* How a summation is cut. */
typedef struct {
    ptrdiff_t sums, rows;         /* rows of each sum; q = 0 ... sums rows - 1 numbers the rows of all */
    ptrdiff_t splits, split_rows; /* splits of each sum, and the rows of one */
    ptrdiff_t strips, strip;      /* strips of each sum, and the columns of one */
    ptrdiff_t group;              /* sums of a task */
    ptrdiff_t total;              /* doubles that a sum is made in: those of its `total` below */
    ptrdiff_t tasks;
} plan;

/* A summation under way.  Its three functions return a tw_adjoint_status. */
typedef struct summation {
    const tw_jacobian *A;
    plan p;
    struct tw_watch *watch;
    /* set the columns c0 <= c < c1 of `total` to the sum over rows q ... q + n - 1 */
    int (*add)(const struct summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1, double *total,
               double *scratch);
    /* write those columns of `total` to the results number `sum` */
    int (*write)(const struct summation *s, ptrdiff_t sum, ptrdiff_t c0, ptrdiff_t c1, const double *total);
    /* make and write sums first ... end - 1, of one split each; NULL: they are made one by one */
    int (*group)(const struct summation *s, ptrdiff_t first, ptrdiff_t end, double *own);
    ptrdiff_t columns, n_scratch; /* columns of all strips; doubles of `scratch` */
    double scale, *out[3];
    double *partial, *own; /* [sums][splits][total] if splits > 1; [threads][total + n_scratch] */
    _Atomic ptrdiff_t next;
    _Atomic int found;
} summation;

/* How many bytes of memory a row of `columns` columns takes on average, with its residual. */
static ptrdiff_t row_bytes(const tw_jacobian *A, ptrdiff_t columns) {
    const ptrdiff_t rows = most(A->K * A->Nx, 1), index = A->is_long ? 8 : 4, size = (ptrdiff_t)sizeof(real);
    return A->indptr ? pieces(A->n_stored, rows) * (size + index) + 16 : columns * size + 8;
}

static plan plan_sums(const tw_jacobian *A, ptrdiff_t columns, ptrdiff_t strip, ptrdiff_t total) {
    plan p = {.sums = A->per_block ? A->K : 1, .rows = A->per_block ? A->Nx : A->K * A->Nx, .total = total};
    p.strip = least(strip, most(columns, 1));
    p.strips = most(pieces(columns, p.strip), 1);
    const ptrdiff_t bytes = row_bytes(A, least(p.strip, A->P)), summed = total / p.strips * 8;
    p.split_rows = most(pieces(TASK_BYTES, bytes), pieces(p.rows, MAX_SPLITS));
    p.split_rows = most(p.split_rows, TOTAL_SHARE * pieces(summed, bytes));
    p.split_rows = pieces(p.split_rows, ROW_MULTIPLE) * ROW_MULTIPLE;
    p.splits = most(pieces(p.rows, p.split_rows), 1);
    p.group = p.splits > 1 ? 1 : most(TASK_BYTES / most(p.rows * bytes + summed, 1), 1);
    p.tasks = pieces(p.sums, p.group) * p.splits * p.strips;
    return p;
}

/* Count elements that were read; returns whether to stop. */
TW_INLINE int stops_after(const summation *s, ptrdiff_t elements, ptrdiff_t *read) {
    if ((*read += elements) < POLL_ELEMENTS)
        return 0;
    *read = 0;
    return tw_stopped(s->watch);
}

/* ---- tasks --------------------------------------------------------------------------- */

static int add_and_write(const summation *s, ptrdiff_t first, ptrdiff_t end, ptrdiff_t c0, ptrdiff_t c1,
                         double *own) {
    const plan *p = &s->p;
    int found = 0;
    ptrdiff_t read = 0;
    for (ptrdiff_t sum = first; sum < end; sum++) {
        found |= s->add(s, sum * p->rows, p->rows, c0, c1, own, own + p->total);
        if (!(found & ~TW_ADJOINT_NOT_FINITE))
            found |= s->write(s, sum, c0, c1, own);
        if (stops_after(s, p->rows * (c1 - c0) + p->total, &read))
            break;
    }
    return found;
}

static int one_task(const summation *s, ptrdiff_t task, double *own) {
    const plan *p = &s->p;
    const ptrdiff_t c0 = task % p->strips * p->strip, c1 = least(c0 + p->strip, s->columns);
    task /= p->strips;
    if (p->splits > 1) {
        const ptrdiff_t sum = task / p->splits, r = task % p->splits * p->split_rows;
        double *total = s->partial + task * p->total;
        return s->add(s, sum * p->rows + r, least(p->split_rows, p->rows - r), c0, c1, total, own);
    }
    const ptrdiff_t first = task * p->group, end = least(first + p->group, p->sums);
    return s->group ? s->group(s, first, end, own) : add_and_write(s, first, end, c0, c1, own);
}

/* Take tasks until none is left; a part is a thread's, with the memory that it needs. */
static void take_tasks(void *context, ptrdiff_t part) {
    summation *s = context;
    double *own = s->own + part * (s->p.total * (s->p.splits == 1) + s->n_scratch);
    int found = 0;
    for (ptrdiff_t task; (task = claim(&s->next, 1, s->p.tasks, s->watch)) >= 0;)
        found |= one_task(s, task, own);
    if (found)
        atomic_fetch_or(&s->found, found);
}

/* Add the splits of a sum in pairs of neighbours, the pairs in pairs, and so on. */
static double *add_splits(const summation *s, double *partial) {
    const plan *p = &s->p;
    for (ptrdiff_t step = 1; step < p->splits; step *= 2)
        for (ptrdiff_t r = 0; r + step < p->splits; r += 2 * step)
            for (ptrdiff_t j = 0; j < p->total && !tw_stopped(s->watch); j += POLL_ELEMENTS)
                d_add(least(POLL_ELEMENTS, p->total - j), partial + (r + step) * p->total + j,
                      partial + r * p->total + j);
    return partial;
}

/* Put together the sums of several splits and write them.  This is a task of its own, so that the watch is
 * polled. */
static void write_sums(void *context, ptrdiff_t part) {
    summation *s = context;
    const plan *p = &s->p;
    int found = 0;
    (void)part; /* the only one */
    for (ptrdiff_t sum = 0; sum < p->sums && !tw_stopped(s->watch); sum++)
        found |= s->write(s, sum, 0, s->columns, add_splits(s, s->partial + sum * p->splits * p->total));
    atomic_fetch_or(&s->found, found);
}

/* Lay out the workspace on `work`, or on NULL only measure it; returns its size. */
static size_t summation_on(summation *s, int threads, void *work) {
    arena a = arena_on(work);
    const plan *p = &s->p;
    const ptrdiff_t workers = least(threads, p->tasks);
    s->partial = TAKE(&a, double, p->splits > 1 ? p->sums * p->splits * p->total : 0);
    s->own = TAKE(&a, double, workers *(p->total * (p->splits == 1) + s->n_scratch));
    return arena_size(&a);
}

static int run_summation(summation *s, int threads, void *work) {
    const plan *p = &s->p;
    summation_on(s, threads, work);
    tw_parallel(take_tasks, s, least(threads, p->tasks), threads, s->watch);
    if (p->splits > 1 && !(atomic_load(&s->found) & ~TW_ADJOINT_NOT_FINITE))
        tw_parallel(write_sums, s, 1, 1, s->watch);
    return atomic_load(&s->found);
}

/* ---- what belongs to rows ------------------------------------------------------------ */

/* The same Jacobian, in which the stride of an axis of length 1, which is arbitrary, is set so that `flat`
 * sees rows that lie evenly. */
static tw_jacobian evened(const tw_jacobian *A) {
    tw_jacobian B = *A;
    if (B.P == 1)
        B.J_column = 1;
    if (B.Nx == 1)
        B.J_row = B.J_block, B.e.row = B.e.block, B.weights.row = B.weights.block;
    if (B.K == 1)
        B.J_block = B.Nx * B.J_row, B.e.block = B.Nx * B.e.row, B.weights.block = B.Nx * B.weights.row;
    return B;
}

/* Do the rows of all blocks lie evenly, the same distance from each to the next? */
TW_INLINE int flat(ptrdiff_t block, ptrdiff_t row, ptrdiff_t Nx) { return block == Nx * row; }

/* How many of n rows from q on lie evenly: all of them, or those in the block of q. */
TW_INLINE ptrdiff_t even_rows(ptrdiff_t q, ptrdiff_t n, ptrdiff_t Nx, int is_flat) {
    return is_flat ? n : least(n, Nx - q % Nx);
}

#define TW_COPY_RUN(type)                                                                                    \
    do {                                                                                                     \
        const type *from = (const type *)x->at + q / Nx * x->block + q % Nx * x->row;                        \
        const ptrdiff_t step = x->row;                                                                       \
        if (step == 1)                                                                                       \
            for (ptrdiff_t r = 0; r < n; r++)                                                                \
                c[r] = from[r];                                                                              \
        else                                                                                                 \
            for (ptrdiff_t r = 0; r < n; r++)                                                                \
                c[r] = from[r * step];                                                                       \
    } while (0)

static void copy_run(const tw_per_row *x, ptrdiff_t Nx, ptrdiff_t q, ptrdiff_t n, double *c) {
    if (x->is_float)
        TW_COPY_RUN(float);
    else
        TW_COPY_RUN(double);
}

/* The values of rows q ... q + n - 1, as doubles side by side: where they are, or else copied to c. */
static const double *row_values(const tw_per_row *x, ptrdiff_t Nx, ptrdiff_t q, ptrdiff_t n, double *c) {
    const int is_flat = flat(x->block, x->row, Nx);
    if (is_flat && x->row == 1 && !x->is_float)
        return (const double *)x->at + q;
    for (ptrdiff_t r = 0, m; r < n; r += m) {
        m = even_rows(q + r, n - r, Nx, is_flat);
        copy_run(x, Nx, q + r, m, c + r);
    }
    return c;
}

/* w e of rows q ... q + n - 1, n <= CHUNK: where e is if there are no weights, or in c */
static const double *weighted_residuals(const tw_jacobian *A, ptrdiff_t q, ptrdiff_t n, double *c) {
    const double *e = row_values(&A->e, A->Nx, q, n, c);
    if (!A->weights.at)
        return e;
    double buffer[CHUNK];
    const double *w = row_values(&A->weights, A->Nx, q, n, buffer);
    for (ptrdiff_t r = 0; r < n; r++)
        c[r] = w[r] * e[r];
    return c;
}

#endif
