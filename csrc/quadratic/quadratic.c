/* quadratic.c - the quadratic loss, compiled once per instruction set and element type.
 *
 * With x = theta - theta*, and for a symmetric B the strict lower triangle's row sums s_i = sum_{j<i} B_ij
 * x_j,
 *
 *     x'Bx = sum_i x_i (s_i + t_i),   t_i = s_i + B_ii x_i,   (Bx)_i = t_i + sum_{j>i} B_ji x_j .
 *
 * An element B_ij that has been loaded serves s_i and, for the gradient, (Bx)_j.  So half of the matrix is
 * read, and once, which is what takes the time of a matrix beyond the caches.  Eight rows are read together,
 * so that x_j and (Bx)_j are touched once for eight elements of B.  A general B is read whole (full.h), also
 * once.
 *
 * The order of the sums: the rows are cut into parts of equal area, which depend on P alone.  A row has DL
 * partial sums over the columns, to which the diagonal block is added; the values of a part are added in the
 * order of its rows, and the parts in their order.  The upper triangle is the lower one seen from its other
 * end: its blocks are counted from the last row, so that off the diagonal every block has all of its columns.
 */
#include "base/arena.h"
#include "base/table.h"
#include "quadratic/contract.h"
#include "quadratic/full.h"
#include "quadratic/many.h"
#include "quadratic/sparse.h"
#include "quadratic/triangle.h"

enum {
    PART_ROWS = 256, /* a part of fewer rows is not worth a gradient of its own, and waking a thread */
    PIECE = 4096,    /* elements of the gradient that a thread adds up at a time */
    PARTS = 64,      /* the most parts */
};

/* A job of one theta under way. */
typedef struct {
    const tw_square *B;
    const double *x; /* [P] */
    double *y;       /* [parts][y_step] of Bx, or NULL */
    ptrdiff_t y_step;
    double *value; /* [parts] */
    double *gradient;
    ptrdiff_t parts;
    struct tw_watch *watch;
} one_run;

static ptrdiff_t parts_of(ptrdiff_t P) { return most(1, least(P / PART_ROWS, PARTS)); }

/* The first row of a part.  Parts have equal areas; rows of a triangle are counted from its tip. */
static ptrdiff_t part_begin(const tw_square *B, ptrdiff_t parts, ptrdiff_t part) {
    const double share = (double)part / (double)parts;
    if (part == parts)
        return B->P;
    return (ptrdiff_t)((double)B->P * (B->general ? share : __builtin_sqrt(share))) / BAND * BAND;
}

/* Take in columns [from, to) of R rows: s_r += B_rj x_j in DL partial sums, and y_j += B_rj x_r, unless y is
 * NULL.
 *
 * Compiled for each value of
 *   R  rows that are read together, ROWS or 1
 *   y  whether it is NULL
 */
TW_INLINE void columns(const int R, const tw_square *B, ptrdiff_t i, ptrdiff_t from, ptrdiff_t to,
                       const double *x, dvec *sum, double *y) {
    const real *b[ROWS];
    dvec s[ROWS], x_row[ROWS];
    for (int r = 0; r < R; r++) {
        b[r] = row(B, i + r);
        s[r] = sum[r];
        x_row[r] = d_set(x[i + r]);
    }
    for (ptrdiff_t j = from; j < to; j += DL) {
        const dvec x_j = d_load(x + j);
        dvec y_j = y ? d_load(y + j) : x_j;
        for (int r = 0; r < R; r++) {
            const dvec b_rj = d_load_real(b[r] + j);
            s[r] += b_rj * x_j;
            y_j += b_rj * x_row[r];
        }
        if (y)
            d_store(y + j, y_j);
    }
    for (int r = 0; r < R; r++)
        sum[r] = s[r];
}

static void whole_block(const one_run *p, ptrdiff_t i, ptrdiff_t from, ptrdiff_t to, dvec *sum, double *y) {
    if (y)
        columns(ROWS, p->B, i, from, to, p->x, sum, y);
    else
        columns(ROWS, p->B, i, from, to, p->x, sum, NULL);
}

/* Take in the triangle on the diagonal of rows [i, i + R), R <= ROWS, whose other columns are in sum; returns
 * the sum of the values of the rows.  Compiled for R = ROWS, each value of `upper`, and y that is NULL or
 * not. */
TW_INLINE double diagonal(const int R, const int upper, const one_run *p, ptrdiff_t i, const dvec *sum,
                          double *y) {
    const double *x = p->x + i;
    double s[ROWS], value = 0;
    for (int r = 0; r < ROWS; r += DL)
        fold_each(sum + r, s + r);
    for (int r = 0; r < R; r++) {
        const real *b = row(p->B, i + r) + i;
        double s_r = s[r];
        for (int c = upper ? r + 1 : 0; c < (upper ? R : r); c++) {
            s_r = multiply_add(b[c], x[c], s_r);
            if (y)
                y[i + c] = multiply_add(b[c], x[r], y[i + c]);
        }
        const double t = multiply_add(b[r], x[r], s_r);
        value = multiply_add(x[r], s_r + t, value);
        if (y)
            y[i + r] += t;
    }
    return value;
}

static double whole_diagonal(const one_run *p, ptrdiff_t i, const dvec *sum, double *y) {
    if (p->B->upper)
        return y ? diagonal(ROWS, 1, p, i, sum, y) : diagonal(ROWS, 1, p, i, sum, NULL);
    return y ? diagonal(ROWS, 0, p, i, sum, y) : diagonal(ROWS, 0, p, i, sum, NULL);
}

/* Take in columns [begin, end) of `count` rows from `tip` on; rows and columns are counted from the
 * triangle's tip. */
static void block_columns(const one_run *p, ptrdiff_t tip, ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end,
                          dvec *sum, double *y) {
    const ptrdiff_t P = p->B->P, i = p->B->upper ? P - tip - count : tip;
    const ptrdiff_t from = p->B->upper ? P - end : begin, to = p->B->upper ? P - begin : end;
    if (count == ROWS)
        whole_block(p, i, from, to, sum, y);
    else
        for (ptrdiff_t r = 0; r < count; r++)
            columns(1, p->B, i + r, from, to, p->x, sum + r, y);
}

static double block_diagonal(const one_run *p, ptrdiff_t tip, ptrdiff_t count, const dvec *sum, double *y) {
    const ptrdiff_t i = p->B->upper ? p->B->P - tip - count : tip;
    return count == ROWS ? whole_diagonal(p, i, sum, y) : diagonal((int)count, p->B->upper, p, i, sum, y);
}

/* The value of rows [begin, end); those of a triangle are counted from its tip. */
static double band_value(const one_run *p, ptrdiff_t begin, ptrdiff_t end, double *y) {
    dvec sum[BAND];
    double value = 0;
    if (p->B->general)
        return full_rows(p->B, begin, end, p->x, y);
    for (ptrdiff_t r = 0; r < pieces(end - begin, ROWS) * ROWS; r++)
        sum[r] = (dvec){0};
    for (ptrdiff_t k = begin; k < end; k += ROWS)
        block_columns(p, k, least(ROWS, end - k), 0, k, sum + (k - begin), y);
    for (ptrdiff_t k = begin; k < end; k += ROWS)
        value += block_diagonal(p, k, least(ROWS, end - k), sum + (k - begin), y);
    return value;
}

static void part_task(void *context, ptrdiff_t part) {
    const one_run *p = context;
    const ptrdiff_t P = p->B->P, end = part_begin(p->B, p->parts, part + 1);
    double *y = p->y ? p->y + part * p->y_step : NULL;
    double value = 0;
    if (y)
        memset(y, 0, (size_t)P * sizeof *y);
    for (ptrdiff_t k = part_begin(p->B, p->parts, part); k < end && !tw_stopped(p->watch); k += BAND)
        value += band_value(p, k, least(k + BAND, end), y);
    p->value[part] = value;
}

/* Lay out a job; for a general B, x and y get margins. */
static one_run *one_run_on(arena *a, const tw_square *B, const tw_quadratic_job *job, double **x) {
    const ptrdiff_t P = B->P, parts = parts_of(P), margin = B->general ? MARGIN : 0;
    const ptrdiff_t y_step = P + 2 * margin;
    TAKE_ROOT(a, one_run, p);
    *p = (one_run){.B = B, .x = job->theta, .y = job->gradient, .y_step = y_step, .parts = parts};
    p->value = TAKE(a, double, parts);
    if (job->gradient && (parts > 1 || margin))
        p->y = TAKE(a, double, parts *y_step) + margin;
    *x = job->theta_star || margin ? TAKE(a, double, y_step) + margin : NULL;
    if (*x)
        p->x = *x;
    if (*x && !a->measuring)
        memset(*x - margin, 0, (size_t)y_step * sizeof **x);
    return place;
}

static size_t quadratic_one_work(const tw_square *B, const tw_quadratic_job *job) {
    arena a = arena_on(NULL);
    double *x;
    one_run_on(&a, B, job, &x);
    return arena_size(&a);
}

/* Write a piece of the gradient: add up what the parts have of Bx. */
static void gather(void *context, ptrdiff_t piece) {
    const one_run *p = context;
    const double factor = p->B->general ? 1 : 2;
    for (ptrdiff_t j = piece * PIECE; j < least((piece + 1) * PIECE, p->B->P); j++) {
        double sum = p->y[j];
        for (ptrdiff_t part = 1; part < p->parts; part++)
            sum += p->y[part * p->y_step + j];
        p->gradient[j] = factor * sum;
    }
}

static void quadratic_one(const tw_square *B, const tw_quadratic_job *job, int threads,
                          struct tw_watch *watch, void *work) {
    arena a = arena_on(work);
    const double *theta = job->theta, *star = job->theta_star;
    double *x, value = 0;
    one_run *p = one_run_on(&a, B, job, &x);
    p->watch = watch, p->gradient = job->gradient;
    for (ptrdiff_t j = 0; x && j < B->P; j++)
        x[j] = star ? theta[j] - star[j] : theta[j];
    tw_parallel(part_task, p, p->parts, threads, watch);
    for (ptrdiff_t part = 0; part < p->parts; part++)
        value += p->value[part];
    if (job->gradient)
        tw_parallel(gather, p, pieces(B->P, PIECE), threads, watch);
    job->value[0] = value;
    arena_end(&a); /* a small workspace lies on the caller's stack */
}

/* ---- symmetry ------------------------------------------------------------------------------ */

/* A comparison of B with its transpose under way. */
typedef struct {
    const tw_square *B;
    struct tw_watch *watch;
    _Atomic int symmetric;
} comparison;

static void compare_band(void *context, ptrdiff_t band) {
    comparison *c = context;
    const ptrdiff_t begin = band * BAND, end = least(begin + BAND, c->B->P);
    for (ptrdiff_t j = 0; j < end && c->symmetric && !tw_stopped(c->watch); j += SEGMENT)
        if (!equals_transpose(c->B, begin, end - begin, j, j + SEGMENT))
            c->symmetric = 0;
}

static int quadratic_is_symmetric(const tw_square *B, int threads, struct tw_watch *watch) {
    comparison c = {.B = B, .watch = watch, .symmetric = 1};
    tw_parallel(compare_band, &c, pieces(B->P, BAND), threads, watch);
    return c.symmetric;
}

/* The computation of (B + B')/2 under way. */
typedef struct {
    const tw_square *B;
    struct tw_watch *watch;
    real *out;
} halves;

/* Write a band of rows, tile by tile, so that columns of B are read in runs. */
static void symmetrise_band(void *context, ptrdiff_t band) {
    const halves *h = context;
    const tw_square *B = h->B;
    const ptrdiff_t begin = band * BAND, end = least(begin + BAND, B->P);
    for (ptrdiff_t j0 = 0; j0 < end && !tw_stopped(h->watch); j0 += BAND)
        for (ptrdiff_t i = begin; i < end; i++)
            for (ptrdiff_t j = j0; j < least(j0 + BAND, i + 1); j++)
                h->out[tri(i, j)] = row(B, i)[j] / 2 + row(B, j)[i] / 2;
}

static void quadratic_symmetrise(const tw_square *B, int threads, struct tw_watch *watch, void *packed) {
    halves h = {.B = B, .watch = watch, .out = packed};
    tw_parallel(symmetrise_band, &h, pieces(B->P, BAND), threads, watch);
}

extern const struct tw_quadratic TW_TABLE(tw_quadratic);
const struct tw_quadratic TW_TABLE(tw_quadratic) = {
    .one_work = quadratic_one_work,
    .one = quadratic_one,
    .many_work = quadratic_many_work,
    .many = quadratic_many,
    .is_symmetric = quadratic_is_symmetric,
    .symmetrise = quadratic_symmetrise,
    .csr_work = quadratic_csr_work,
    .csr = quadratic_csr,
    .csr_check = quadratic_csr_check,
    .csr_is_symmetric = quadratic_csr_is_symmetric,
};
