/* sparse.h - the sums and products of rows.h and normal.h for a Jacobian in compressed rows.
 *
 * Indices come from the caller and say where to write, so a bad one must not be used.  The indices of a row
 * are checked just before they are used, while they are in the first cache.
 */
#ifndef TW_ADJOINT_SPARSE_H
#define TW_ADJOINT_SPARSE_H

#include "adjoint/normal.h"

/* The elements first <= t < end of a row, and what is wrong with its indices (a tw_adjoint_status). */
typedef struct {
    ptrdiff_t first, end;
    int found;
} csr_row;

/* Row q; one with a bad index is given no elements. */
TW_INLINE csr_row row_of(const tw_jacobian *A, int is_long, ptrdiff_t q) {
    csr_row row = {index_at(A->indptr, is_long, q), index_at(A->indptr, is_long, q + 1), 0};
    if (!(0 <= row.first && row.first <= row.end && row.end <= A->n_stored))
        return (csr_row){0, 0, TW_ADJOINT_BAD_INDPTR};
    for (ptrdiff_t t = row.first; t < row.end; t++) {
        const ptrdiff_t j = index_at(A->indices, is_long, t);
        row.found |= (size_t)j >= (size_t)A->P;
    }
    return row.found ? (csr_row){0, 0, TW_ADJOINT_BAD_INDEX} : row;
}

TW_INLINE int add_csr_rows(const tw_jacobian *A, int is_long, ptrdiff_t q, ptrdiff_t n, const double *c,
                           double *total) {
    const real *J = A->J;
    int found = 0;
    for (ptrdiff_t r = 0; r < n; r++) {
        const csr_row row = row_of(A, is_long, q + r);
        found |= row.found;
        for (ptrdiff_t t = row.first; t < row.end; t++)
            total[index_at(A->indices, is_long, t)] += c[r] * (double)J[t];
    }
    return found;
}

static int add_sparse(const summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1, double *total,
                      double *scratch) {
    (void)scratch;
    const tw_jacobian *A = s->A;
    const ptrdiff_t length = 1 + A->n_stored / most(A->K * A->Nx, 1);
    double buffer[CHUNK];
    ptrdiff_t read = 0;
    int found = 0;
    memset(total + c0, 0, (size_t)(c1 - c0) * sizeof *total);
    for (ptrdiff_t m; n > 0; q += m, n -= m) {
        m = least(n, CHUNK);
        const double *c = weighted_residuals(A, q, m, buffer);
        found |=
            d_all_finite(m, c) ? 0 : TW_ADJOINT_NOT_FINITE; /* those of rows without elements count, too */
        found |= A->is_long ? add_csr_rows(A, 1, q, m, c, total) : add_csr_rows(A, 0, q, m, c, total);
        if (stops_after(s, m * length, &read))
            break;
    }
    return found;
}

TW_INLINE int multiply_csr_rows(const tw_jacobian *A, int is_long, ptrdiff_t q, ptrdiff_t n, const double *v,
                                double *y) {
    const real *J = A->J;
    int found = 0;
    for (ptrdiff_t r = 0; r < n; r++) {
        const csr_row row = row_of(A, is_long, q + r);
        found |= row.found;
        y[r] = 0;
        for (ptrdiff_t t = row.first; t < row.end; t++)
            y[r] += (double)J[t] * v[index_at(A->indices, is_long, t)];
    }
    return found;
}

static int multiply_sparse(const tw_jacobian *A, ptrdiff_t q, ptrdiff_t n, const double *v, double *y) {
    return A->is_long ? multiply_csr_rows(A, 1, q, n, v, y) : multiply_csr_rows(A, 0, q, n, v, y);
}

/* Add the products of row q, with weight w and residual e, to a total that is laid out as in chunks.h.  Each
 * pair of elements is taken in both orders, which is right also for elements of the same place: those add up
 * before they are squared. */
TW_INLINE int add_csr_products(const summation *s, int is_long, ptrdiff_t q, double w, double e,
                               double *total, ptrdiff_t *read) {
    const tw_jacobian *A = s->A;
    const ptrdiff_t P = A->P, width = padded(P);
    const real *J = A->J;
    const csr_row row = row_of(A, is_long, q);
    for (ptrdiff_t t = row.first; t < row.end && !stops_after(s, row.end - row.first, read); t++) {
        const ptrdiff_t i = index_at(A->indices, is_long, t);
        const double weighted = w * (double)J[t];
        for (ptrdiff_t u = row.first; u < row.end; u++) {
            const ptrdiff_t j = index_at(A->indices, is_long, u);
            if (j <= i)
                total[i * width + j] += weighted * (double)J[u];
        }
        total[P * width + i] += weighted * e;
    }
    total[place_of_etWe(P)] += w * e * e;
    return row.found;
}

static int add_sparse_normal(const summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1,
                             double *total, double *scratch) {
    (void)scratch, (void)c0, (void)c1; /* there is one strip */
    const tw_jacobian *A = s->A;
    double e_buffer[CHUNK], w_buffer[CHUNK];
    ptrdiff_t read = 0;
    int found = 0;
    for (ptrdiff_t j = 0; j < s->p.total && !tw_stopped(s->watch); j += POLL_ELEMENTS)
        memset(total + j, 0, (size_t)least(POLL_ELEMENTS, s->p.total - j) * sizeof *total);
    for (ptrdiff_t m; n > 0 && !stops_after(s, 1, &read); q += m, n -= m) {
        m = least(n, CHUNK);
        const double *e = row_values(&A->e, A->Nx, q, m, e_buffer);
        const double *w = A->weights.at ? row_values(&A->weights, A->Nx, q, m, w_buffer) : NULL;
        for (ptrdiff_t r = 0; r < m && !(s->watch && s->watch->stop); r++)
            found |= A->is_long ? add_csr_products(s, 1, q + r, w ? w[r] : 1, e[r], total, &read)
                                : add_csr_products(s, 0, q + r, w ? w[r] : 1, e[r], total, &read);
    }
    return found;
}

#endif
