/* sparse.h - the quadratic loss of a sparse matrix.
 *
 * As in quadratic.c each stored element that is read serves a row sum and, for the gradient, a column.  Of a
 * general matrix all elements are read, in whatever order.  In a symmetric one the columns of a row ascend,
 * so that the lower triangle is the head of a row and the upper one its tail; a row is read from that end to
 * the diagonal.  On the way columns are checked to be strictly monotonic and inside, so that bad indices
 * cannot lead outside the arrays.
 *
 * The columns of a row are scattered, so for one point there is no use for vectors.  Of many points eight lie
 * side by side, x[j][8], and an element is multiplied by all eight at once.  Each lane does exactly what a
 * single point does.
 */
#ifndef TW_QUADRATIC_CSR_H
#define TW_QUADRATIC_CSR_H

#include "base/arena.h"
#include "base/sharing.h"
#include "quadratic/triangle.h"

enum {
    SIDE = 8,            /* points side by side */
    POLL_WORK = 1 << 16, /* elements times points, or rows, between two looks at the watch: some 0.1 ms */
};

/* A job under way. */
typedef struct {
    const tw_square_csr *B;
    const tw_quadratic_job *job;
    struct tw_watch *watch;
    ptrdiff_t slots;
    double *x, *y; /* [slots][P][SIDE]; y only for the gradient */
    _Atomic ptrdiff_t next, bad_row;
} csr_run;

/* Set *begin and *end to those of row i's elements; returns 0 if indptr is bad there. */
TW_INLINE int row_range(const int is_long, const tw_square_csr *B, ptrdiff_t i, ptrdiff_t *begin,
                        ptrdiff_t *end) {
    *begin = index_at(B->start, is_long, i);
    *end = index_at(B->start, is_long, i + 1);
    return 0 <= *begin && *begin <= *end && *end <= B->nnz;
}

/* Take in element (i, j) of B, `element`, at L points: s [L] += B_ij x_j, and for the gradient y[j][L] +=
 * B_ij x_i. */
TW_INLINE void take_element(const int L, const int gradient, real element, ptrdiff_t i, ptrdiff_t j,
                            const double *x, double *y, double *s) {
    for (int l = 0; l < L; l++) {
        s[l] = multiply_add(element, x[j * L + l], s[l]);
        if (gradient)
            y[j * L + l] = multiply_add(element, x[i * L + l], y[j * L + l]);
    }
}

/* Take in elements [begin, end) of row i of a general B at L points: s [L] += B_ij x_j, and for the gradient
 * y[j][L] += B_ij x_i.  Returns 0 at a bad index. */
TW_INLINE int general_row(const int L, const int is_long, const int gradient, const tw_square_csr *B,
                          ptrdiff_t i, ptrdiff_t begin, ptrdiff_t end, const double *x, double *y,
                          double *s) {
    const real *data = B->data;
    for (ptrdiff_t k = begin; k < end; k++) {
        const ptrdiff_t j = index_at(B->index, is_long, k);
        if (j < 0 || j >= B->P)
            return 0;
        take_element(L, gradient, data[k], i, j, x, y, s);
    }
    return 1;
}

/* The same for the triangle of a symmetric B; its diagonal element goes to *on instead. */
TW_INLINE int symmetric_row(const int L, const int is_long, const int gradient, const tw_square_csr *B,
                            ptrdiff_t i, ptrdiff_t begin, ptrdiff_t end, const double *x, double *y,
                            double *s, double *on) {
    const real *data = B->data;
    const int step = B->upper ? -1 : 1;
    ptrdiff_t last = B->upper ? B->P : -1;
    for (ptrdiff_t k = B->upper ? end - 1 : begin; begin <= k && k < end; k += step) {
        const ptrdiff_t j = index_at(B->index, is_long, k);
        if (B->upper ? j >= last || j < 0 : j <= last || j >= B->P)
            return 0;
        last = j;
        if (j == i)
            *on = data[k];
        if (B->upper ? j <= i : j >= i)
            return 1;
        take_element(L, gradient, data[k], i, j, x, y, s);
    }
    return 1;
}

/* One pass over B at L points, x[j][L]; adds to value [L] and y[j][L].  Returns a bad row, or -1.
 *
 * Compiled for each value of
 *   L         points side by side, 1 or SIDE
 *   is_long   whether indices are int64_t
 *   gradient  whether y is wanted
 *   general   whether all elements of B are read, or those of one triangle
 */
TW_INLINE ptrdiff_t csr_pass(const int L, const int is_long, const int gradient, const int general,
                             const csr_run *r, const double *x, double *y, double *value) {
    const tw_square_csr *B = r->B;
    ptrdiff_t work = 0;
    for (ptrdiff_t i = 0; i < B->P; i++) {
        ptrdiff_t begin, end;
        double s[SIDE] = {0}, on = 0;
        if (!row_range(is_long, B, i, &begin, &end) ||
            !(general ? general_row(L, is_long, gradient, B, i, begin, end, x, y, s)
                      : symmetric_row(L, is_long, gradient, B, i, begin, end, x, y, s, &on)))
            return i;
        for (int l = 0; l < L; l++) {
            const double x_i = x[i * L + l], t = general ? s[l] : multiply_add(on, x_i, s[l]);
            value[l] = multiply_add(x_i, general ? t : s[l] + t, value[l]);
            if (gradient)
                y[i * L + l] += t;
        }
        if ((work += L * (end - begin + 1)) >= POLL_WORK) {
            if (tw_stopped(r->watch))
                return -1;
            work = 0;
        }
    }
    return -1;
}

#define CSR_PASS(L, is_long, gradient, general)                                                              \
    static ptrdiff_t csr_pass_##L##is_long##gradient##general(const csr_run *r, const double *x, double *y,  \
                                                              double *value) {                               \
        return csr_pass(L, is_long, gradient, general, r, x, y, value);                                      \
    }
#define CSR_PASSES(L, is_long)                                                                               \
    CSR_PASS(L, is_long, 0, 0)                                                                               \
    CSR_PASS(L, is_long, 0, 1)                                                                               \
    CSR_PASS(L, is_long, 1, 0)                                                                               \
    CSR_PASS(L, is_long, 1, 1)
CSR_PASSES(1, 0)
CSR_PASSES(1, 1)
CSR_PASSES(8, 0)
CSR_PASSES(8, 1)
#undef CSR_PASSES
#undef CSR_PASS

static ptrdiff_t csr_pass_of(ptrdiff_t points, const csr_run *r, const double *x, double *y, double *value) {
    typedef ptrdiff_t pass_function(const csr_run *, const double *, double *, double *);
    static pass_function *const passes[2][2][2][2] = {
        {{{csr_pass_1000, csr_pass_1001}, {csr_pass_1010, csr_pass_1011}},
         {{csr_pass_1100, csr_pass_1101}, {csr_pass_1110, csr_pass_1111}}},
        {{{csr_pass_8000, csr_pass_8001}, {csr_pass_8010, csr_pass_8011}},
         {{csr_pass_8100, csr_pass_8101}, {csr_pass_8110, csr_pass_8111}}}};
    return passes[points > 1][r->B->is_long != 0][y != NULL][r->B->general != 0](r, x, y, value);
}

/* Evaluate groups of SIDE points until none is left; a single point at the end is evaluated alone.  `slot` is
 * the thread's workspace. */
static void csr_take_points(void *context, ptrdiff_t slot) {
    csr_run *r = context;
    const tw_quadratic_job *job = r->job;
    const ptrdiff_t P = r->B->P;
    double *x = r->x + slot * P * SIDE, *y = job->gradient ? r->y + slot * P * SIDE : NULL;
    for (ptrdiff_t m0; (m0 = claim(&r->next, SIDE, job->M, r->watch)) >= 0;) {
        const ptrdiff_t points = least(SIDE, job->M - m0), L = points > 1 ? SIDE : 1;
        double value[SIDE] = {0};
        for (ptrdiff_t m = 0; m < L; m++) {
            const ptrdiff_t point = m0 + least(m, points - 1); /* idle lanes repeat the last point */
            const double *theta = job->theta + point * P;
            const double *star = job->theta_star ? job->theta_star + point * job->star_step : NULL;
            for (ptrdiff_t j = 0; j < P; j++)
                x[j * L + m] = star ? theta[j] - star[j] : theta[j];
        }
        if (y)
            memset(y, 0, (size_t)(P * L) * sizeof *y);
        const ptrdiff_t bad = csr_pass_of(points, r, x, y, value);
        if (bad >= 0)
            r->bad_row = bad;
        memcpy(job->value + m0, value, (size_t)points * sizeof *value);
        for (ptrdiff_t m = 0; y && m < points; m++)
            for (ptrdiff_t j = 0; j < P; j++)
                job->gradient[(m0 + m) * P + j] = (r->B->general ? 1 : 2) * y[j * L + m];
    }
}

static csr_run *csr_run_on(arena *a, const tw_square_csr *B, const tw_quadratic_job *job, int threads) {
    const ptrdiff_t groups = pieces(job->M, SIDE), slots = most(1, least(threads, groups));
    const ptrdiff_t L = job->M > 1 ? SIDE : 1;
    TAKE_ROOT(a, csr_run, r);
    *r = (csr_run){.B = B, .job = job, .slots = slots, .bad_row = -1};
    r->x = TAKE(a, double, slots * B->P * L);
    r->y = job->gradient ? TAKE(a, double, slots * B->P * L) : NULL;
    return place;
}

static size_t quadratic_csr_work(const tw_square_csr *B, const tw_quadratic_job *job, int threads) {
    arena a = arena_on(NULL);
    csr_run_on(&a, B, job, threads);
    return arena_size(&a);
}

/* The status of a function that has met the bad row `row`, or none, -1. */
static tw_quadratic_status status_of_row(const tw_square_csr *B, ptrdiff_t row) {
    if (row < 0)
        return TW_QUADRATIC_OK;
    *B->where = row;
    return TW_QUADRATIC_BAD_ROW;
}

static tw_quadratic_status quadratic_csr(const tw_square_csr *B, const tw_quadratic_job *job, int threads,
                                         struct tw_watch *watch, void *work) {
    arena a = arena_on(work);
    csr_run *r = csr_run_on(&a, B, job, threads);
    r->watch = watch;
    tw_parallel(csr_take_points, r, r->slots, (int)r->slots, watch);
    return status_of_row(B, r->bad_row);
}

/* ---- what a matrix must be ----------------------------------------------------------------- */

/* A check of B under way. */
typedef struct {
    const tw_square_csr *B;
    struct tw_watch *watch;
    ptrdiff_t *next, bad_row;
    int symmetric;
} csr_look;

/* Whether a check that has come to row i should go on. */
TW_INLINE int goes_on(const csr_look *c, ptrdiff_t i, ptrdiff_t *work) {
    *work += index_at(c->B->start, c->B->is_long, i + 1) - index_at(c->B->start, c->B->is_long, i) + 1;
    if (*work < POLL_WORK)
        return 1;
    *work = 0;
    return !tw_stopped(c->watch);
}

static int is_bad_row(const tw_square_csr *B, ptrdiff_t i) {
    ptrdiff_t begin, end, last = -1;
    if (!row_range(B->is_long, B, i, &begin, &end))
        return 1;
    for (ptrdiff_t k = begin; k < end; k++) {
        const ptrdiff_t j = index_at(B->index, B->is_long, k);
        if (!(B->general ? 0 <= j && j < B->P : last < j && j < B->P))
            return 1;
        last = j;
    }
    return 0;
}

static void look_for_bad_row(void *context, ptrdiff_t part) {
    csr_look *c = context;
    ptrdiff_t work = 0;
    (void)part; /* the only one */
    for (ptrdiff_t i = 0; i < c->B->P && c->bad_row < 0; i++)
        if (is_bad_row(c->B, i))
            c->bad_row = i;
        else if (!goes_on(c, i, &work))
            return;
}

static tw_quadratic_status quadratic_csr_check(const tw_square_csr *B, struct tw_watch *watch) {
    csr_look c = {.B = B, .watch = watch, .bad_row = -1};
    tw_parallel(look_for_bad_row, &c, 1, 1, watch);
    return status_of_row(B, c.bad_row);
}

/* Is the lower part of row i that of column i?  As rows are taken in order, element (i, j), j < i, must equal
 * the first element of row j behind its diagonal that no earlier row has met, number next[j]. */
static int row_meets_its_column(const csr_look *c, ptrdiff_t i) {
    const tw_square_csr *B = c->B;
    const real *data = B->data;
    const int is_long = B->is_long;
    ptrdiff_t k = index_at(B->start, is_long, i), *next = c->next;
    const ptrdiff_t end = index_at(B->start, is_long, i + 1);
    for (; k < end && index_at(B->index, is_long, k) < i; k++) {
        const ptrdiff_t j = index_at(B->index, is_long, k), n = next[j]++;
        if (n >= index_at(B->start, is_long, j + 1) || index_at(B->index, is_long, n) != i ||
            !(data[n] == data[k]))
            return 0;
    }
    next[i] = k + (k < end && index_at(B->index, is_long, k) == i);
    return 1;
}

/* Compare the rows of B with its columns; at the end all elements must have been met. */
static void compare_rows(void *context, ptrdiff_t part) {
    csr_look *c = context;
    const tw_square_csr *B = c->B;
    ptrdiff_t work = 0;
    (void)part; /* the only one */
    for (ptrdiff_t i = 0; i < B->P && c->symmetric; i++) {
        c->symmetric = row_meets_its_column(c, i);
        if (!goes_on(c, i, &work))
            return;
    }
    for (ptrdiff_t i = 0; i < B->P && c->symmetric; i++)
        if (c->next[i] != index_at(B->start, B->is_long, i + 1))
            c->symmetric = 0;
}

static int quadratic_csr_is_symmetric(const tw_square_csr *B, struct tw_watch *watch, ptrdiff_t *next) {
    csr_look c = {.B = B, .watch = watch, .next = next, .symmetric = 1};
    tw_parallel(compare_rows, &c, 1, 1, watch);
    return c.symmetric;
}

#endif
