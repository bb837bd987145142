/* small.h - J_k' W_k e_k of many small blocks.
 *
 * A block of a dozen elements is summed so fast that anything else which is done once per block would take
 * longer.  So residuals are prepared for as many blocks as fit their buffer, and the sums of a block of few
 * columns stay in registers from its first row to its last, and are written from there to their place.
 */
#ifndef TW_ADJOINT_SMALL_H
#define TW_ADJOINT_SMALL_H

#include "adjoint/rows.h"

enum {
    SMALL_ROWS = CHUNK, /* the most rows of a small block: its residuals fit the buffer */
    IN_CACHE = 2048, /* the most elements of a block that stays in the first cache, of which they fill half */
};

/* How many rows are summed side by side, since an addition waits four cycles for the one before it. */
TW_INLINE int chains(int P) { return P == 1 ? 8 : P < 4 ? 4 : P < 8 ? 2 : 1; }

/* d [P] = scale sum_i c_i J_i over n rows.
 *
 * Compiled for each value of
 *   P  columns, 1 ... FEW
 */
TW_INLINE void sum_block(const int P, ptrdiff_t n, const real *J, ptrdiff_t step, const double *c,
                         double scale, double *d) {
    const int U = chains(P);
    double sum[FEW] = {0}; /* [U][P] */
    ptrdiff_t i = 0;
    for (; i + U <= n; i += U) {
        TW_UNROLL
        for (int k = 0; k < U * P; k++)
            sum[k] += c[i + k / P] * (double)J[(i + k / P) * step + k % P];
    }
    for (; i < n; i++) {
        TW_UNROLL
        for (int j = 0; j < P; j++)
            sum[j] += c[i] * (double)J[i * step + j];
    }
    TW_UNROLL
    for (int j = 0; j < P; j++) {
        double total = sum[j];
        TW_UNROLL
        for (int u = 1; u < U; u++)
            total += sum[u * P + j];
        d[j] = scale * total;
    }
}

/* The compiler unrolls sum_block for each constant P. */
#define TW_SUM_BLOCK(P)                                                                                      \
    static void sum_block_##P(ptrdiff_t n, const real *J, ptrdiff_t step, const double *c, double scale,     \
                              double *d) {                                                                   \
        sum_block(P, n, J, step, c, scale, d);                                                               \
    }
#define TW_SUM_BLOCK_NAME(P) sum_block_##P,
TW_FEW(TW_SUM_BLOCK)
static void (*const sum_block_of[FEW])(ptrdiff_t n, const real *J, ptrdiff_t step, const double *c,
                                       double scale, double *d) = {TW_FEW(TW_SUM_BLOCK_NAME)};

/* The same for each of n blocks. */
#define TW_SUM_BLOCKS(P)                                                                                     \
    static void sum_blocks_##P(const tw_jacobian *A, ptrdiff_t n, const real *J, const double *c,            \
                               double scale, double *d) {                                                    \
        const ptrdiff_t Nx = A->Nx, block = A->J_block, row = A->J_row;                                      \
        for (ptrdiff_t k = 0; k < n; k++)                                                                    \
            sum_block(P, Nx, J + k * block, row, c + k * Nx, scale, d + k * P);                              \
    }
#define TW_SUM_BLOCKS_NAME(P) sum_blocks_##P,
TW_FEW(TW_SUM_BLOCKS)
static void (*const sum_blocks_of[FEW])(const tw_jacobian *A, ptrdiff_t n, const real *J, const double *c,
                                        double scale, double *d) = {TW_FEW(TW_SUM_BLOCKS_NAME)};

/* d_k = scale c_k J_k for n blocks of one element */
static void scale_elements(ptrdiff_t n, const real *J, const double *c, double scale, double *d) {
    ptrdiff_t k = 0;
    for (; k + DL <= n; k += DL)
        d_store(d + k, d_set(scale) * (d_load(c + k) * d_load_real(J + k)));
    for (; k < n; k++)
        d[k] = scale * (c[k] * (double)J[k]);
}

/* d_k = scale c_k J_k for n blocks of one row */
static void scale_rows(const tw_jacobian *A, ptrdiff_t n, const real *J, const double *c, double scale,
                       double *d) {
    const ptrdiff_t P = A->P;
    for (ptrdiff_t k = 0; k < n; k++, J += A->J_block, d += P) {
        ptrdiff_t j = 0;
        for (; j + DL <= P; j += DL)
            d_store(d + j, d_set(scale) * (d_set(c[k]) * d_load_real(J + j)));
        for (; j < P; j++)
            d[j] = scale * (c[k] * (double)J[j]);
    }
}

/* d = scale J' c of one block that has more than FEW columns, or is stored by columns.  While the block stays
 * in the first cache, it is read anew for every FEW columns, whose sums stay in registers. */
static void wide_block(const tw_jacobian *A, double scale, const real *J, const double *c, double *d) {
    const ptrdiff_t P = A->P, Nx = A->Nx;
    if (A->J_column != 1) {
        for (ptrdiff_t j = 0; j < P; j++)
            d[j] = scale * d_dot(Nx, J + j * A->J_column, c);
    } else if (Nx * P <= IN_CACHE) {
        for (ptrdiff_t j = 0; j < P; j += FEW)
            sum_block_of[least(FEW, P - j) - 1](Nx, J + j, A->J_row, c, scale, d + j);
    } else {
        memset(d, 0, (size_t)P * sizeof *d);
        for (ptrdiff_t i = 0; i < Nx; i++)
            d_axpy(P, c[i], J + i * A->J_row, d);
        for (ptrdiff_t j = 0; j < P; j++)
            d[j] *= scale;
    }
}

/* The sums of n blocks from J on, whose weighted residuals are c. */
static void sum_blocks(const tw_jacobian *A, ptrdiff_t n, const real *J, const double *c, double scale,
                       double *d) {
    const ptrdiff_t P = A->P, Nx = A->Nx;
    if (P == 1 && Nx == 1 && A->J_block == 1)
        scale_elements(n, J, c, scale, d);
    else if (P >= DL && Nx == 1 && A->J_column == 1)
        scale_rows(A, n, J, c, scale, d);
    else if (P == 1 && A->J_row == 1 && Nx >= 2 * DL)
        for (ptrdiff_t k = 0; k < n; k++)
            d[k] = scale * d_dot(Nx, J + k * A->J_block, c + k * Nx);
    else if (P <= FEW && A->J_column == 1)
        sum_blocks_of[P - 1](A, n, J, c, scale, d);
    else
        for (ptrdiff_t k = 0; k < n; k++)
            wide_block(A, scale, J + k * A->J_block, c + k * Nx, d + k * P);
}

/* The sums first ... end - 1, of one block each: the `group` of a summation. */
static int small_group(const summation *s, ptrdiff_t first, ptrdiff_t end, double *own) {
    const tw_jacobian *A = s->A;
    const ptrdiff_t P = A->P, at_once = CHUNK / most(A->Nx, 1);
    double buffer[CHUNK];
    (void)own;
    for (ptrdiff_t k = first, n; k < end; k += n) {
        n = least(at_once, end - k);
        const double *c = weighted_residuals(A, k * A->Nx, n * A->Nx, buffer);
        const real *J = (const real *)A->J + k * A->J_block;
        sum_blocks(A, n, J, c, s->scale, s->out[0] + k * P);
    }
    return d_all_finite((end - first) * P, s->out[0] + first * P) ? 0 : TW_ADJOINT_NOT_FINITE;
}

/* Whether small_group can take the blocks of A. */
static int is_small(const tw_jacobian *A) {
    return A->per_block && !A->indptr && A->Nx <= SMALL_ROWS && 0 < A->P && A->P <= STRIP;
}

#endif
