/* rows.h - sum_q c_q J_q over the rows q of a dense Jacobian, and its products J v.
 *
 * J is read once and forwards, and the arithmetic is arranged so that memory is what takes the time.  There
 * are three ways to sum:
 *
 * - Few columns, rows without a gap: J is a stream of vectors, wherever rows begin.  DL rows of P columns are
 *   P vectors; element s = DL v + l of them is in column s mod P, and its row's c is lane floor(s / P) of one
 *   vector of c.  So P vectors of sums take products of J with permutations of c that are known when this is
 *   compiled, and at the end their lanes are sorted into columns.
 * - Rows: each row in turn is added to the P sums, which stay in the first cache.  (Four rows at a time would
 *   halve the work on the sums, but made it half as fast: processors fetch one stream of reads ahead.  To ask
 *   for what lies further ahead made it slower, too: on AMD Zen 4 100 columns took 1.2 times as long.)
 * - Columns, where J is stored column by column: each gives a dot product with c.
 *
 * Every chunk of rows is summed from zero, which bounds the rounding by the rows of a chunk plus the number
 * of chunks and splits.
 */
#ifndef TW_ADJOINT_ROWS_H
#define TW_ADJOINT_ROWS_H

#include "adjoint/sums.h"

enum {
    FEW = 16,     /* the most columns of a stream */
    DEEP = 4,     /* sums that are made side by side, to hide the latency of an addition */
    STRIP = 1024, /* columns that are summed at a time: with a chunk of c they fill half of the first cache */
};

/* The vector whose lane l is lane (first + l) / P of c */
TW_INLINE dvec d_spread(dvec c, int first, int P) {
    divec lane;
    for (int l = 0; l < DL; l++)
        lane[l] = (first + l) / P;
#if defined(__GNUC__) && !defined(__clang__)
    return __builtin_shuffle(c, lane);
#else
    dvec spread;
    for (int l = 0; l < DL; l++)
        spread[l] = c[lane[l]];
    return spread;
#endif
}

/* Add c_r J_r over n rows, a multiple of U DL, to lanes [U P].
 *
 * Compiled for each value of
 *   P  columns, 1 ... FEW
 *   U  groups of DL rows that are summed side by side, side_by_side(P)
 */
TW_INLINE void stream(int P, int U, ptrdiff_t n, const real *J, const double *c, dvec *lanes) {
    dvec sum[DEEP + FEW] = {{0}};
    for (ptrdiff_t r = 0; r < n; r += U * DL, J += U * P * DL)
        for (int u = 0; u < U; u++) {
            const dvec group = d_load(c + r + u * DL);
            for (int v = 0; v < P; v++) {
                const dvec factor =
                    P % DL == 0 ? d_set(c[r + u * DL + v * DL / P]) : d_spread(group, v * DL, P);
                sum[u * P + v] += factor * d_load_real(J + (u * P + v) * DL);
            }
        }
    for (int v = 0; v < U * P; v++)
        lanes[v] += sum[v];
}

/* How many groups of DL rows are summed side by side. */
TW_INLINE int side_by_side(int P) { return P >= DEEP ? 1 : P == 1 ? DEEP : 2; }

/* clang-format off */
#define TW_FEW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
/* clang-format on */
#define TW_STREAM(P)                                                                                         \
    static void stream_##P(ptrdiff_t n, const real *J, const double *c, dvec *lanes) {                       \
        stream(P, side_by_side(P), n, J, c, lanes);                                                          \
    }
#define TW_STREAM_NAME(P) stream_##P,
TW_FEW(TW_STREAM)
static void (*const streams[FEW])(ptrdiff_t n, const real *J, const double *c,
                                  dvec *lanes) = {TW_FEW(TW_STREAM_NAME)};

/* Add the lanes of a stream to the sums of their columns, sum [P], in order. */
static void sort_lanes(ptrdiff_t P, const dvec *lanes, double *sum) {
    const ptrdiff_t U = side_by_side((int)P);
    for (ptrdiff_t v = 0, j = 0; v < U * P; v++)
        for (int l = 0; l < DL; l++, j = j + 1 == P ? 0 : j + 1)
            sum[j] += lanes[v][l];
}

/* Add rows q ... q + n - 1, which lie evenly, to the lanes if J is a stream, else to sum [c1 - c0]. */
static void add_even(const tw_jacobian *A, ptrdiff_t q, ptrdiff_t n, const double *c, ptrdiff_t c0,
                     ptrdiff_t c1, dvec *lanes, double *sum) {
    const real *J = (const real *)A->J + q / A->Nx * A->J_block + q % A->Nx * A->J_row + c0 * A->J_column;
    if (A->J_column != 1) {
        for (ptrdiff_t j = 0; j < c1 - c0; j++)
            sum[j] += d_dot(n, J + j * A->J_column, c);
        return;
    }
    if (A->P <= FEW && A->J_row == A->P) {
        const ptrdiff_t period = side_by_side((int)A->P) * DL, whole = n / period * period;
        streams[A->P - 1](whole, J, c, lanes);
        J += whole * A->P, c += whole, n -= whole;
    }
    for (ptrdiff_t r = 0; r < n; r++)
        d_axpy(c1 - c0, c[r], J + r * A->J_row, sum);
}

static int add_dense(const summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1, double *total,
                     double *scratch) {
    (void)scratch;
    const tw_jacobian *A = s->A;
    const int is_flat = flat(A->J_block, A->J_row, A->Nx);
    const ptrdiff_t width = c1 - c0;
    dvec lanes[DEEP + FEW] = {{0}};
    double buffer[CHUNK], sum[STRIP];
    ptrdiff_t read = 0;
    memset(total + c0, 0, (size_t)width * sizeof *total);
    for (ptrdiff_t m; n > 0; q += m, n -= m) {
        m = least(n, CHUNK);
        const double *c = weighted_residuals(A, q, m, buffer);
        memset(sum, 0, (size_t)width * sizeof *sum);
        for (ptrdiff_t r = 0, even; r < m; r += even) {
            even = even_rows(q + r, m - r, A->Nx, is_flat);
            add_even(A, q + r, even, c + r, c0, c1, lanes, sum);
        }
        d_add(width, sum, total + c0);
        if (stops_after(s, m * width, &read))
            break;
    }
    if (A->P <= FEW && A->J_column == 1)
        sort_lanes(A->P, lanes, total);
    return 0;
}

static int write_sum(const summation *s, ptrdiff_t sum, ptrdiff_t c0, ptrdiff_t c1, const double *total) {
    double *d = s->out[0] + sum * s->columns;
    for (ptrdiff_t j = c0; j < c1; j++)
        d[j] = s->scale * total[j];
    return d_all_finite(c1 - c0, d + c0) ? 0 : TW_ADJOINT_NOT_FINITE;
}

/* ---- J v ------------------------------------------------------------------------------- */

/* y [n] = J v of n rows, `step` apart.
 *
 * Compiled for each value of
 *   P  columns, 1 ... FEW
 */
TW_INLINE void multiply_few(int P, ptrdiff_t n, const real *J, ptrdiff_t step, const double *v, double *y) {
    for (ptrdiff_t r = 0; r < n; r++) {
        double sum = (double)J[r * step] * v[0];
        for (int j = 1; j < P; j++)
            sum += (double)J[r * step + j] * v[j];
        y[r] = sum;
    }
}

#define TW_MULTIPLY(P)                                                                                       \
    static void multiply_##P(ptrdiff_t n, const real *J, ptrdiff_t step, const double *v, double *y) {       \
        multiply_few(P, n, J, step, v, y);                                                                   \
    }
#define TW_MULTIPLY_NAME(P) multiply_##P,
TW_FEW(TW_MULTIPLY)
static void (*const multiply[FEW])(ptrdiff_t n, const real *J, ptrdiff_t step, const double *v,
                                   double *y) = {TW_FEW(TW_MULTIPLY_NAME)};

/* y [n] = J v of rows q ... q + n - 1, which lie evenly */
static void multiply_even(const tw_jacobian *A, ptrdiff_t q, ptrdiff_t n, const double *v, double *y) {
    const real *J = (const real *)A->J + q / A->Nx * A->J_block + q % A->Nx * A->J_row;
    if (A->J_column == 1 && A->P > 0 && A->P <= FEW) {
        multiply[A->P - 1](n, J, A->J_row, v, y);
    } else if (A->J_column == 1) {
        for (ptrdiff_t r = 0; r < n; r++)
            y[r] = d_dot(A->P, J + r * A->J_row, v);
    } else {
        memset(y, 0, (size_t)n * sizeof *y);
        for (ptrdiff_t j = 0; j < A->P; j++)
            d_axpy(n, v[j], J + j * A->J_column, y);
    }
}

/* y [n] = J v of rows q ... q + n - 1 */
static int multiply_dense(const tw_jacobian *A, ptrdiff_t q, ptrdiff_t n, const double *v, double *y) {
    const int is_flat = flat(A->J_block, A->J_row, A->Nx);
    for (ptrdiff_t r = 0, m; r < n; r += m) {
        m = least(even_rows(q + r, n - r, A->Nx, is_flat), CHUNK); /* y stays in the first cache */
        multiply_even(A, q + r, m, v, y + r);
    }
    return 0;
}

#endif
