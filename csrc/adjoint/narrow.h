/* narrow.h - J'WJ, J'We and e'We of a few columns, in one pass over the rows.
 *
 * The whole triangle stays in registers, in vectors of four doubles at most: these waste fewer lanes on a
 * narrow triangle, and processors that split wider vectors in two lose nothing by them.  A problem of few
 * rows takes as long to begin and to end as to sum, so nothing is cleared beforehand, and results are written
 * in whole rows.
 */
#ifndef TW_ADJOINT_NARROW_H
#define TW_ADJOINT_NARROW_H

#include "adjoint/chunks.h"

/* The most columns: two hvec hold a row of the triangle then, and the registers hold its sums, which those of
 * twice as many columns would not fit.  Measured on AMD Zen 3 with AVX2: with half the value, 6 columns
 * take 1.4 times as long, and 1.6 to 2.3 times in blocks of 16 rows. */
enum { NARROW = 2 * HL };

/* How many vectors hold row i of the triangle up to its diagonal; row P is that of e, of P elements. */
TW_INLINE int reach(int i, int P) { return (i < P ? i : P - 1) / HL + 1; }

/* Sum the products of rows [first, first + n) into the triangle S, U rows at a time; n is a multiple of U.
 * Overwrites S if `is_first`, else adds to it.
 *
 * Compiled for each value of
 *   P         columns, 1 ... NARROW
 *   U         rows whose sums are made side by side, 1 or 4
 *   weighted  whether A->w is given
 */
TW_INLINE void add_narrow(int P, int U, int weighted, const rows *A, ptrdiff_t first, ptrdiff_t n,
                          int is_first, double *S) {
    const ptrdiff_t width = padded(P);
    hvec sum[4][NARROW + 1][2], column[2];
    double square[4];
    TW_UNROLL
    for (int u = 0; u < U; u++) {
        square[u] = 0;
        TW_UNROLL
        for (int i = 0; i <= P; i++)
            sum[u][i][0] = sum[u][i][1] = (hvec){0};
    }
    TW_UNROLL_FEW
    for (ptrdiff_t r = first; r < first + n; r += U) {
        TW_UNROLL
        for (int u = 0; u < U; u++) {
            const double *x = A->x + (r + u) * A->step, e = A->e[r + u], we = weighted ? A->w[r + u] * e : e;
            TW_UNROLL
            for (int v = 0; v < reach(P, P); v++)
                column[v] = weighted ? h_set(A->w[r + u]) * h_load(x + v * HL) : h_load(x + v * HL);
            TW_UNROLL
            for (int i = 0; i <= P; i++) {
                const hvec factor = h_set(i < P ? x[i] : e);
                sum[u][i][0] += factor * column[0];
                if (reach(i, P) == 2)
                    sum[u][i][1] += factor * column[1];
            }
            square[u] += we * e;
        }
    }
    TW_UNROLL
    for (int i = 0; i <= P; i++) {
        TW_UNROLL
        for (int v = 0; v < reach(i, P); v++) {
            double *place = S + i * width + v * HL;
            hvec total = is_first ? (hvec){0} : h_load(place);
            TW_UNROLL
            for (int u = 0; u < U; u++)
                total += sum[u][i][v];
            h_store(place, total);
        }
    }
    double total = is_first ? 0 : S[place_of_etWe(P)];
    TW_UNROLL
    for (int u = 0; u < U; u++)
        total += square[u];
    S[place_of_etWe(P)] = total;
}

/* The same for all rows of A: those that are left over by groups of U are summed one by one. */
TW_INLINE void add_narrow_rows(int P, int weighted, const rows *A, int is_first, double *S) {
    const int U = P > 2 ? 1 : 4; /* one row of few sums would wait for the additions of the row before */
    const ptrdiff_t whole = A->n / U * U;
    add_narrow(P, U, weighted, A, 0, whole, is_first, S);
    if (whole < A->n)
        add_narrow(P, 1, weighted, A, whole, A->n - whole, 0, S);
}

/* Write the results of triangle S.  What is right of the diagonal is taken from the rows below, for (w x_i)
 * x_j need not round as (w x_j) x_i does.  Returns whether the sum of all vectors, padding included, is
 * finite; if so, all results are. */
TW_INLINE int write_narrow_rows(int P, const double *S, double *JtWJ, double *JtWe) {
    const ptrdiff_t width = padded(P);
    hvec look = h_set(S[place_of_etWe(P)]);
    TW_UNROLL
    for (int i = 0; i < P; i++) {
        memcpy(JtWJ + i * P, S + i * width, (size_t)(i + 1) * sizeof *S);
        TW_UNROLL
        for (int j = i + 1; j < P; j++)
            JtWJ[i * P + j] = S[j * width + i];
    }
    memcpy(JtWe, S + P * width, (size_t)P * sizeof *S);
    TW_UNROLL
    for (int i = 0; i <= P; i++) {
        TW_UNROLL
        for (int v = 0; v < reach(i, P); v++)
            look += h_load(S + i * width + v * HL);
    }
    int finite = 1;
    for (int l = 0; l < HL; l++)
        finite &= 0 * look[l] == 0;
    return finite;
}

/* The compiler unrolls these for each constant P. */
#define TW_NARROW_UP_TO_4(DO) DO(1) DO(2) DO(3) DO(4)
#ifdef __AVX__
#define TW_EACH_NARROW(DO) TW_NARROW_UP_TO_4(DO) DO(5) DO(6) DO(7) DO(8)
#else
#define TW_EACH_NARROW(DO) TW_NARROW_UP_TO_4(DO)
#endif

typedef struct {
    ptrdiff_t P;
    int is_first;
    double *total;
} narrow_triangle;

#define TW_ADD_NARROW(P)                                                                                     \
    case P:                                                                                                  \
        if (A->w)                                                                                            \
            add_narrow_rows(P, 1, A, t->is_first, t->total);                                                 \
        else                                                                                                 \
            add_narrow_rows(P, 0, A, t->is_first, t->total);                                                 \
        break;

static void add_to_narrow(const rows *A, void *context) {
    narrow_triangle *t = context;
    switch (t->P) { TW_EACH_NARROW(TW_ADD_NARROW) }
    t->is_first = 0;
}

static int add_narrow_normal(const summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1,
                             double *total, double *scratch) {
    (void)c0, (void)c1; /* all columns */
    narrow_triangle t = {.P = s->A->P, .is_first = 1, .total = total};
    if (n == 0)
        memset(total, 0, (size_t)s->p.total * sizeof *total);
    each_chunk(s, q, n, scratch, add_to_narrow, &t);
    return 0;
}

#define TW_WRITE_NARROW(P)                                                                                   \
    case P:                                                                                                  \
        finite = write_narrow_rows(P, S, JtWJ, JtWe);                                                        \
        break;

static int write_narrow_normal(const summation *s, ptrdiff_t sum, ptrdiff_t c0, ptrdiff_t c1,
                               const double *S) {
    (void)c0, (void)c1;
    const ptrdiff_t P = s->A->P;
    double *JtWJ = s->out[0] + sum * P * P, *JtWe = s->out[1] + sum * P;
    int finite = 0;
    switch (P) { TW_EACH_NARROW(TW_WRITE_NARROW) }
    s->out[2][sum] = S[place_of_etWe(P)];
    return finite || finite_rows(P, 0, P, S) ? 0 : TW_ADJOINT_NOT_FINITE;
}

/* ---- many small problems --------------------------------------------------------------- */

/* Sum up problems first ... end - 1, of one chunk each, whose rows are read where they are; returns what was
 * found. */
TW_INLINE int small_problems(int P, int weighted, const summation *s, ptrdiff_t first, ptrdiff_t end,
                             double *S) {
    const tw_jacobian *A = s->A;
    int found = 0;
    for (ptrdiff_t k = first; k < end; k++) {
        const rows problem = {.n = A->Nx,
                              .x = (const double *)A->J + k * A->J_block,
                              .step = A->J_row,
                              .e = (const double *)A->e.at + k * A->e.block,
                              .w = weighted ? (const double *)A->weights.at + k * A->weights.block : NULL};
        add_narrow_rows(P, weighted, &problem, 1, S);
        if (!write_narrow_rows(P, S, s->out[0] + k * P * P, s->out[1] + k * P))
            found |= finite_rows(P, 0, P, S) ? 0 : TW_ADJOINT_NOT_FINITE;
        s->out[2][k] = S[place_of_etWe(P)];
    }
    return found;
}

TW_INLINE int lies_side_by_side(const tw_per_row *x) { return !x->at || (x->row == 1 && !x->is_float); }

#define TW_SMALL_PROBLEMS(P)                                                                                 \
    case P:                                                                                                  \
        found = A->weights.at ? small_problems(P, 1, s, first, direct, own)                                  \
                              : small_problems(P, 0, s, first, direct, own);                                 \
        break;

/* The sums first ... end - 1 of one block each: the `group` of a summation.  Blocks of one chunk whose rows
 * can be read where they are go the short way, with the same order of sums; vectors of the last block may end
 * beyond J, so that it has to be copied. */
static int narrow_group(const summation *s, ptrdiff_t first, ptrdiff_t end, double *own) {
    const tw_jacobian *A = s->A;
    ptrdiff_t direct = first;
    int found = 0;
    if (0 < A->Nx && A->Nx <= MOST_CHUNK && lies_side_by_side(&A->e) && lies_side_by_side(&A->weights))
        for (direct = end; direct > first && !in_place(A, (direct - 1) * A->J_block, A->Nx);)
            direct--;
    switch (A->P) { TW_EACH_NARROW(TW_SMALL_PROBLEMS) }
    return found | add_and_write(s, direct, end, 0, A->P, own);
}

#endif
