/* adjoint.c - batched adjoint accumulation and normal equations, compiled once per instruction set and
 * element type. */
#include "adjoint/contract.h"
#include "adjoint/narrow.h"
#include "adjoint/normal.h"
#include "adjoint/rows.h"
#include "adjoint/small.h"
#include "adjoint/sparse.h"
#include "base/table.h"

/* ---- sum_k J_k' W_k e_k ---------------------------------------------------------------- */

static summation adjoint_of(const tw_jacobian *A) {
    return (summation){.A = A,
                       .p = plan_sums(A, A->P, A->indptr ? PTRDIFF_MAX : STRIP, A->P),
                       .columns = A->P,
                       .add = A->indptr ? add_sparse : add_dense,
                       .write = write_sum,
                       .group = is_small(A) ? small_group : NULL};
}

static size_t sum_work(const tw_jacobian *A, int threads) {
    summation s = adjoint_of(A);
    return summation_on(&s, threads, NULL);
}

static tw_adjoint_status sum(const tw_jacobian *A, double scale, int threads, struct tw_watch *watch,
                             void *work, double *d) {
    if (A->P == 0)
        return TW_ADJOINT_OK;
    const tw_jacobian B = evened(A);
    summation s = adjoint_of(&B);
    s.scale = scale, s.watch = watch;
    s.out[0] = d;
    return (tw_adjoint_status)run_summation(&s, threads, work);
}

/* ---- J_k v ----------------------------------------------------------------------------- */

/* A product J v under way. */
typedef struct {
    const tw_jacobian *A;
    const double *v;
    double *y;
    ptrdiff_t rows, task_rows;
    _Atomic int found;
} product;

static void multiply_task(void *context, ptrdiff_t task) {
    product *p = context;
    const ptrdiff_t q = task * p->task_rows, n = least(p->task_rows, p->rows - q);
    double *y = p->y + q;
    int found = p->A->indptr ? multiply_sparse(p->A, q, n, p->v, y) : multiply_dense(p->A, q, n, p->v, y);
    if (!d_all_finite(n, y))
        found |= TW_ADJOINT_NOT_FINITE;
    if (found)
        atomic_fetch_or(&p->found, found);
}

static tw_adjoint_status jvp(const tw_jacobian *A, const double *v, int threads, struct tw_watch *watch,
                             double *y) {
    const tw_jacobian B = evened(A);
    product p = {.A = &B, .v = v, .y = y, .rows = B.K * B.Nx};
    p.found =
        d_all_finite(B.P, v) ? 0 : TW_ADJOINT_NOT_FINITE; /* elements that meet no stored one count, too */
    p.task_rows = pieces(TASK_BYTES, row_bytes(&B, B.P));
    tw_parallel(multiply_task, &p, pieces(p.rows, p.task_rows), threads, watch);
    return (tw_adjoint_status)atomic_load(&p.found);
}

/* ---- J'WJ, J'We, e'We ------------------------------------------------------------------ */

static summation normal_of(const tw_jacobian *A) {
    const ptrdiff_t P = A->P;
    const int is_narrow = !A->indptr && 0 < P && P <= NARROW;
    return (summation){.A = A,
                       .p = plan_sums(A, P, A->indptr ? PTRDIFF_MAX : NORMAL_STRIP, total_size(P)),
                       .columns = P,
                       .n_scratch = A->indptr ? 0 : chunk_rows(P) * padded(P),
                       .add = A->indptr   ? add_sparse_normal
                              : is_narrow ? add_narrow_normal
                                          : add_normal,
                       .write = is_narrow ? write_narrow_normal : write_normal,
                       .group = is_narrow && A->per_block ? narrow_group : NULL};
}

static size_t normal_work(const tw_jacobian *A, int threads) {
    summation s = normal_of(A);
    return summation_on(&s, threads, NULL);
}

static tw_adjoint_status normal(const tw_jacobian *A, int threads, struct tw_watch *watch, void *work,
                                double *JtWJ, double *JtWe, double *etWe) {
    const tw_jacobian B = evened(A);
    summation s = normal_of(&B);
    s.watch = watch, s.out[0] = JtWJ, s.out[1] = JtWe, s.out[2] = etWe;
    return (tw_adjoint_status)run_summation(&s, threads, work);
}

extern const struct tw_adjoint TW_TABLE(tw_adjoint);
const struct tw_adjoint TW_TABLE(tw_adjoint) = {
    .sum_work = sum_work, .sum = sum, .jvp = jvp, .normal_work = normal_work, .normal = normal};
