/* quadratic.c - the quadratic loss, compiled once per instruction set and element type.
 *
 * With x = theta - theta* and the strict lower triangle's row sums s_i = sum_{j<i} B_ij x_j,
 *
 *     x'Bx = sum_i x_i (s_i + t_i),   t_i = s_i + B_ii x_i,   (Bx)_i = t_i + sum_{j>i} B_ji x_j .
 *
 * An element B_ij that has been loaded serves s_i and, for the gradient, (Bx)_j: the matrix is read
 * once and only half of it, and beyond the caches reading is all that counts.  Eight rows go
 * together, so that x_j and (Bx)_j are touched once for eight elements of B.
 *
 * Order of the sums: the rows are cut into parts of equal area, a matter of P alone.  In a row,
 * WIDE partial sums over the columns, then the diagonal block; the values of a part in the order of
 * its rows; parts in their order.  The upper triangle is the lower one seen from its other end: the
 * blocks are counted from the last row, so that off the diagonal no block has a remainder.
 */
#include "arena.h"
#include "dispatch.h"
#include "quadratic_csr.h"
#include "quadratic_many.h"
#include "triangle.h"

enum {
    PART_ROWS = 256, /* a part is worth its own gradient and the waking of a thread */
    PARTS = 64,      /* at most */
};

typedef struct {
    const tw_symmetric *B;
    const double *x; /* [P] */
    double *y;       /* [parts][P] of Bx, or NULL */
    double *value;   /* [parts] */
    int *symmetric;  /* [parts], or NULL: not asked */
    ptrdiff_t parts;
} pass;

static ptrdiff_t parts_of(ptrdiff_t P) { return most(1, least(P / PART_ROWS, PARTS)); }

/* The first row of a part, counted from the triangle's tip: areas are equal. */
static ptrdiff_t part_begin(ptrdiff_t P, ptrdiff_t parts, ptrdiff_t part) {
    if (part == parts)
        return P;
    return (ptrdiff_t)((double)P * __builtin_sqrt((double)part / (double)parts)) / BAND * BAND;
}

/* Columns [from, to) of R rows: s_r += B_rj x_j in WIDE partial sums, y_j += B_rj x_r. */
TW_INLINE void columns(const int R, const tw_symmetric *B, ptrdiff_t i, ptrdiff_t from, ptrdiff_t to,
                       const double *x, wide *sum, double *y) {
    const real *b[ROWS];
    wide s[ROWS], x_row[ROWS];
    for (int r = 0; r < R; r++) {
        b[r] = row(B, i + r);
        s[r] = sum[r];
        x_row[r] = w_set(x[i + r]);
    }
    for (ptrdiff_t j = from; j < to; j += WIDE) {
        const wide x_j = w_load(x + j);
        wide y_j = y ? w_load(y + j) : x_j;
        for (int r = 0; r < R; r++) {
            const wide b_rj = w_element(b[r] + j);
            s[r] += b_rj * x_j;
            y_j += b_rj * x_row[r];
        }
        if (y)
            w_store(y + j, y_j);
    }
    for (int r = 0; r < R; r++)
        sum[r] = s[r];
}

static void whole_block(const pass *p, ptrdiff_t i, ptrdiff_t from, ptrdiff_t to, wide *sum, double *y) {
    if (y)
        columns(ROWS, p->B, i, from, to, p->x, sum, y);
    else
        columns(ROWS, p->B, i, from, to, p->x, sum, NULL);
}

/* The triangle on the diagonal of rows [i, i + R), R <= ROWS, and what their values add up to. */
TW_INLINE double diagonal(const int R, const int upper, const pass *p, ptrdiff_t i, const wide *sum,
                          double *y) {
    const double *x = p->x + i;
    double s[ROWS], value = 0;
    for (int r = 0; r < ROWS; r += WIDE)
        sum_lanes(sum + r, s + r);
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

static double whole_diagonal(const pass *p, ptrdiff_t i, const wide *sum, double *y) {
    if (p->B->upper)
        return y ? diagonal(ROWS, 1, p, i, sum, y) : diagonal(ROWS, 1, p, i, sum, NULL);
    return y ? diagonal(ROWS, 0, p, i, sum, y) : diagonal(ROWS, 0, p, i, sum, NULL);
}

/* One block of rows of a band; columns are counted from the triangle's tip, and so is `tip`. */
static void block_columns(const pass *p, ptrdiff_t tip, ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end,
                          wide *sum, double *y) {
    const ptrdiff_t P = p->B->P, i = p->B->upper ? P - tip - count : tip;
    const ptrdiff_t from = p->B->upper ? P - end : begin, to = p->B->upper ? P - begin : end;
    if (count == ROWS)
        whole_block(p, i, from, to, sum, y);
    else
        for (ptrdiff_t r = 0; r < count; r++)
            columns(1, p->B, i + r, from, to, p->x, sum + r, y);
}

static double block_diagonal(const pass *p, ptrdiff_t tip, ptrdiff_t count, const wide *sum, double *y) {
    const ptrdiff_t i = p->B->upper ? p->B->P - tip - count : tip;
    return count == ROWS ? whole_diagonal(p, i, sum, y) : diagonal((int)count, p->B->upper, p, i, sum, y);
}

/* The value of rows [begin, end), counted from the tip. */
static double band_value(const pass *p, ptrdiff_t begin, ptrdiff_t end, double *y, int *symmetric) {
    wide sum[BAND];
    const ptrdiff_t segment = symmetric ? SEGMENT : most(end, 1);
    double value = 0;
    for (ptrdiff_t r = 0; r < ceiling(end - begin, ROWS) * ROWS; r++)
        sum[r] = (wide){0};
    for (ptrdiff_t c = 0; c < end; c += segment) {
        for (ptrdiff_t k = begin; k < end; k += ROWS) {
            block_columns(p, k, least(ROWS, end - k), c, least(c + segment, k), sum + (k - begin), y);
        }
        if (symmetric)
            *symmetric &= equals_transpose(p->B, begin, end - begin, c, c + segment);
    }
    for (ptrdiff_t k = begin; k < end; k += ROWS)
        value += block_diagonal(p, k, least(ROWS, end - k), sum + (k - begin), y);
    return value;
}

static void part_task(void *context, ptrdiff_t part) {
    const pass *p = context;
    const ptrdiff_t P = p->B->P, end = part_begin(P, p->parts, part + 1);
    double *y = p->y ? p->y + part * P : NULL;
    int *symmetric = p->symmetric ? p->symmetric + part : NULL;
    double value = 0;
    if (y)
        memset(y, 0, (size_t)P * sizeof *y);
    if (symmetric)
        *symmetric = 1;
    for (ptrdiff_t k = part_begin(P, p->parts, part); k < end && !(symmetric && !*symmetric); k += BAND)
        value += band_value(p, k, least(k + BAND, end), y, symmetric);
    p->value[part] = value;
}

static pass *pass_on(arena *a, const tw_symmetric *B, const tw_quadratic_job *job, double **x) {
    const ptrdiff_t parts = parts_of(B->P);
    pass *p = TAKE(a, pass, 1);
    double *value = TAKE(a, double, parts);
    int *symmetric = TAKE(a, int, parts);
    double *y = job->gradient && parts > 1 ? TAKE(a, double, parts * B->P) : job->gradient;
    *x = job->theta_star ? TAKE(a, double, B->P) : NULL;
    if (!a->measuring)
        *p = (pass){.B = B, .x = job->theta, .y = y, .value = value, .symmetric = symmetric, .parts = parts};
    return p;
}

static size_t quadratic_one_work(const tw_symmetric *B, const tw_quadratic_job *job) {
    arena a = arena_on(NULL);
    double *x;
    pass_on(&a, B, job, &x);
    return arena_size(&a);
}

static int quadratic_one(const tw_symmetric *B, const tw_quadratic_job *job, int check, int threads,
                         void *work) {
    arena a = arena_on(work);
    double *x, value = 0, *const gradient = job->gradient;
    pass *p = pass_on(&a, B, job, &x);
    int symmetric = 1;
    if (x) {
        for (ptrdiff_t j = 0; j < B->P; j++)
            x[j] = job->theta[j] - job->theta_star[j];
        p->x = x;
    }
    if (!check)
        p->symmetric = NULL;
    tw_parallel(part_task, p, p->parts, threads, NULL);
    for (ptrdiff_t part = 0; part < p->parts; part++) {
        value += p->value[part];
        symmetric &= check ? p->symmetric[part] : 1;
    }
    for (ptrdiff_t j = 0; gradient && j < B->P; j++) {
        double sum = p->y[j];
        for (ptrdiff_t part = 1; part < p->parts; part++)
            sum += p->y[part * B->P + j];
        gradient[j] = 2 * sum;
    }
    job->value[0] = value;
    arena_end(&a); /* a small one lies on the caller's stack */
    return symmetric;
}

/* ---- symmetry ------------------------------------------------------------------------------ */

typedef struct {
    const tw_symmetric *B;
    _Atomic int symmetric;
} comparison;

static void compare_band(void *context, ptrdiff_t band) {
    comparison *c = context;
    const ptrdiff_t begin = band * BAND, end = least(begin + BAND, c->B->P);
    for (ptrdiff_t j = 0; j < end && c->symmetric; j += SEGMENT)
        if (!equals_transpose(c->B, begin, end - begin, j, j + SEGMENT))
            c->symmetric = 0;
}

static int quadratic_is_symmetric(const tw_symmetric *B, int threads) {
    comparison c = {.B = B, .symmetric = 1};
    tw_parallel(compare_band, &c, (B->P + BAND - 1) / BAND, threads, NULL);
    return c.symmetric;
}

static void quadratic_symmetrise(const tw_symmetric *B, void *packed) {
    real *out = packed;
    for (ptrdiff_t begin = 0; begin < B->P; begin += BAND) /* tiles: columns of B are read in runs */
        for (ptrdiff_t j0 = 0; j0 < begin + BAND; j0 += BAND)
            for (ptrdiff_t i = begin; i < least(begin + BAND, B->P); i++)
                for (ptrdiff_t j = j0; j < least(j0 + BAND, i + 1); j++)
                    out[i * (i + 1) / 2 + j] = row(B, i)[j] / 2 + row(B, j)[i] / 2;
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
    .csr_bad_row = quadratic_csr_bad_row,
    .csr_is_symmetric = quadratic_csr_is_symmetric,
};
