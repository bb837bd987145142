/* adjoint_normal.h - J'WJ, J'We and e'We from one pass over J.
 *
 * Row x of J, with residual e and weight w, adds x_i (w x)_j to S_ij and e (w x)_j to S_Pj: broadcasts
 * times vectors of columns.  Lanes are columns, so nothing has to be sorted at the end, which is what
 * makes many small problems cheap.  Of the triangle j <= i a tile, as many i and vectors j as the
 * registers hold, takes all rows of a chunk before the next tile; the chunk stays in the first cache.
 *
 * Rows are taken where they are, if they are doubles side by side; else a chunk is laid out in the
 * first cache, and what follows is the same.
 */
#ifndef TW_ADJOINT_NORMAL_H
#define TW_ADJOINT_NORMAL_H

#include "sums.h"

#ifdef __AVX512F__
enum { TALL = 8, WIDE = 3 }; /* 27 sums and 3 vectors of columns in 32 registers */
#else
enum { TALL = 4, WIDE = 2 }; /* 10 sums and 2 vectors in 16 */
#endif
enum {
    CHUNK_DOUBLES = 2048, /* of J: half of the first cache */
    LEAST_CHUNK = 8,      /* rows */
    MOST_CHUNK = 128,
    NORMAL_STRIP = 64 /* rows i of the triangle that a task sums up */
};

/* Some rows x of J, `step` apart. */
typedef struct {
    ptrdiff_t n;
    const double *x;
    ptrdiff_t step;
    const double *w, *e;
    ptrdiff_t ahead; /* bytes from a row to one that is wanted soon */
} rows;

/* A total: the triangle's rows i < P, then the row of e, each padded to whole vectors whose rest means
 * nothing; then e'We. */
TW_INLINE ptrdiff_t padded(ptrdiff_t P) { return pieces(P, DL) * DL; }
TW_INLINE ptrdiff_t place_of_etWe(ptrdiff_t P) { return (P + 1) * padded(P); }
TW_INLINE ptrdiff_t total_size(ptrdiff_t P) { return place_of_etWe(P) + DL; }

TW_INLINE ptrdiff_t chunk_rows(ptrdiff_t P) {
    return most(LEAST_CHUNK, least(MOST_CHUNK, CHUNK_DOUBLES / most(P, 1)));
}

/* S_ij += the sums of ni rows i from i0 on, and of e if these are the last; nv vectors j from j0 on */
TW_INLINE void add_tile(int ni, int nv, int last, const rows *A, ptrdiff_t i0, ptrdiff_t j0, double *S,
                        ptrdiff_t width) {
    dvec sum[TALL + 1][WIDE], column[WIDE];
    const double *x = A->x + i0, *y = A->x + j0;
    const ptrdiff_t n = A->n, step = A->step;
    const int all = (ni + last) * nv;
    TW_UNROLL
    for (int k = 0; k < all; k++)
        sum[k / nv][k % nv] = (dvec){0};
    for (ptrdiff_t r = 0; r < n; r++, x += step, y += step) {
        TW_UNROLL
        for (int v = 0; v < nv; v++) {
            if (last) /* the other tiles find this chunk in the cache, and the next one on its way */
                __builtin_prefetch((const char *)(y + v * DL) + A->ahead);
            column[v] = d_set(A->w[r]) * d_load(y + v * DL);
        }
        TW_UNROLL
        for (int k = 0; k < all; k++)
            sum[k / nv][k % nv] += d_set(k < ni * nv ? x[k / nv] : A->e[r]) * column[k % nv];
    }
    double *s = S + i0 * width + j0;
    TW_UNROLL
    for (int k = 0; k < all; k++) {
        double *place = s + k / nv * width + k % nv * DL;
        d_store(place, d_load(place) + sum[k / nv][k % nv]);
    }
}

/* The compiler unrolls add_tile for each constant shape. */
#define TW_TILE(ni, nv)                                                                                      \
    case ni * 4 + nv:                                                                                        \
        if (last)                                                                                            \
            add_tile(ni, nv, 1, A, i0, j0, S, width);                                                        \
        else                                                                                                 \
            add_tile(ni, nv, 0, A, i0, j0, S, width);                                                        \
        break;
#ifdef __AVX512F__
#define TW_TILES(ni) TW_TILE(ni, 1) TW_TILE(ni, 2) TW_TILE(ni, 3)
#else
#define TW_TILES(ni) TW_TILE(ni, 1) TW_TILE(ni, 2)
#endif

static void tile(ptrdiff_t ni, ptrdiff_t nv, int last, const rows *A, ptrdiff_t i0, ptrdiff_t j0, double *S,
                 ptrdiff_t width) {
    switch (ni * 4 + nv) {
        TW_TILES(1)
        TW_TILES(2)
        TW_TILES(3)
        TW_TILES(4)
#ifdef __AVX512F__
        TW_TILES(5)
        TW_TILES(6)
        TW_TILES(7)
        TW_TILES(8)
#endif
    }
}

/* ---- few columns ----------------------------------------------------------------------- */

/* Vectors of half a group at most: they waste fewer lanes on a narrow triangle, and processors that
 * split wider ones in two lose nothing by them. */
#ifdef __AVX__
typedef double narrow __attribute__((vector_size(32)));
typedef double narrow_unaligned __attribute__((vector_size(32), aligned(8), may_alias));
#else
typedef dvec narrow;
typedef dvec_unaligned narrow_unaligned;
#endif
enum { NL = sizeof(narrow) / sizeof(double), NARROW = 2 * NL /* columns */ };

TW_INLINE narrow n_load(const double *p) { return *(const narrow_unaligned *)p; }
TW_INLINE void n_store(double *p, narrow a) { *(narrow_unaligned *)p = a; }
TW_INLINE narrow n_set(double a) { return a - (narrow){0}; }

/* vectors of row i that reach into the triangle; all of e's */
TW_INLINE int reach(int i, int P) { return (i < P ? i : P - 1) / NL + 1; }

/* S += the sums of n rows from `first` on, a multiple of U, of which U are summed side by side */
TW_INLINE void add_narrow(int P, int U, const rows *A, ptrdiff_t first, ptrdiff_t n, double *S,
                          ptrdiff_t width) {
    narrow sum[4][NARROW + 1][2], column[2];
    TW_UNROLL
    for (int u = 0; u < U; u++) {
        TW_UNROLL
        for (int i = 0; i <= P; i++)
            sum[u][i][0] = sum[u][i][1] = (narrow){0};
    }
    for (ptrdiff_t r = first; r < first + n; r += U) {
        TW_UNROLL
        for (int u = 0; u < U; u++) {
            const double *x = A->x + (r + u) * A->step;
            TW_UNROLL
            for (int v = 0; v < reach(P, P); v++)
                column[v] = n_set(A->w[r + u]) * n_load(x + v * NL);
            TW_UNROLL
            for (int i = 0; i <= P; i++) {
                const narrow factor = n_set(i < P ? x[i] : A->e[r + u]);
                sum[u][i][0] += factor * column[0];
                if (reach(i, P) == 2)
                    sum[u][i][1] += factor * column[1];
            }
        }
    }
    TW_UNROLL
    for (int i = 0; i <= P; i++) {
        TW_UNROLL
        for (int v = 0; v < 2; v++) {
            narrow total = n_load(S + i * width + v * NL);
            TW_UNROLL
            for (int u = 0; u < U; u++)
                total += sum[u][i][v];
            if (v < reach(i, P))
                n_store(S + i * width + v * NL, total);
        }
    }
}

#define TW_NARROW(P)                                                                                         \
    case P: {                                                                                                \
        const ptrdiff_t U = P > 2 ? 1 : 4, whole = A->n / U * U;                                             \
        add_narrow(P, P > 2 ? 1 : 4, A, 0, whole, S, width);                                                 \
        if (whole < A->n)                                                                                    \
            add_narrow(P, 1, A, whole, A->n - whole, S, width);                                              \
        break;                                                                                               \
    }

static void narrow_triangle(const rows *A, ptrdiff_t P, double *S, ptrdiff_t width) {
    switch (P) {
        TW_NARROW(1)
        TW_NARROW(2)
        TW_NARROW(3)
        TW_NARROW(4)
#ifdef __AVX__
        TW_NARROW(5)
        TW_NARROW(6)
        TW_NARROW(7)
        TW_NARROW(8)
#endif
    }
}

/* ---- chunks ----------------------------------------------------------------------------- */

/* e' W e */
TW_INLINE double weighted_square(ptrdiff_t n, const double *w, const double *e) {
    dvec sum = {0};
    ptrdiff_t r = 0;
    for (; r + DL <= n; r += DL)
        sum += d_load(w + r) * d_load(e + r) * d_load(e + r);
    double total = d_fold(sum);
    for (; r < n; r++)
        total += w[r] * e[r] * e[r];
    return total;
}

/* Rows c0 <= i < c1 of the triangle, and what of the upper one lies in the same vectors; with the last,
 * those of e. */
static void add_triangle(const rows *A, ptrdiff_t P, ptrdiff_t c0, ptrdiff_t c1, double *S) {
    const ptrdiff_t width = padded(P);
    if (P <= NARROW)
        narrow_triangle(A, P, S, width);
    for (ptrdiff_t i = P <= NARROW ? c1 : c0; i < c1; i += TALL) {
        const ptrdiff_t ni = least(TALL, c1 - i), vectors = pieces(i + ni, DL);
        for (ptrdiff_t v = 0; v < vectors; v += WIDE)
            tile(ni, least(WIDE, vectors - v), i + ni == P, A, i, v * DL, S, width);
    }
    if (c1 == P)
        S[place_of_etWe(P)] += weighted_square(A->n, A->w, A->e);
}

/* Whether n even rows from `offset` on can be read in whole vectors where they are: they must be doubles
 * side by side, and no vector may end beyond the last element of J. */
static int in_place(const tw_jacobian *A, ptrdiff_t offset, ptrdiff_t n) {
    const ptrdiff_t last = (A->K - 1) * A->J_block + (A->Nx - 1) * A->J_row;
    return sizeof(real) == sizeof(double) && A->J_column == 1 && A->J_row >= 0 && A->J_block >= 0 &&
           offset + (n - 1) * A->J_row + padded(A->P) <= last + A->P;
}

/* n even rows as doubles, side by side */
static void lay_out(const tw_jacobian *A, const real *J, ptrdiff_t n, ptrdiff_t step, double *x) {
    if (A->J_column != 1) {
        for (ptrdiff_t j = 0; j < A->P; j++)
            for (ptrdiff_t r = 0; r < n; r++)
                x[r * step + j] = J[j * A->J_column + r];
        return;
    }
    for (ptrdiff_t r = 0; r < n; r++)
        for (ptrdiff_t j = 0; j < A->P; j++)
            x[r * step + j] = J[r * A->J_row + j];
}

/* Add n even rows, at most a chunk: all in place or none, so that their sums have the same bits. */
static void add_even_normal(const tw_jacobian *A, ptrdiff_t q, rows part, ptrdiff_t c0, ptrdiff_t c1,
                            double *S, double *scratch) {
    const ptrdiff_t offset = q / A->Nx * A->J_block + q % A->Nx * A->J_row;
    const real *J = (const real *)A->J + offset;
    if (in_place(A, offset, part.n)) {
        part.x = (const double *)J, part.step = A->J_row;
        part.ahead = chunk_rows(A->P) * A->J_row * (ptrdiff_t)sizeof(real);
    } else {
        part.x = scratch, part.step = padded(A->P);
        lay_out(A, J, part.n, part.step, scratch);
    }
    add_triangle(&part, A->P, c0, c1, S);
}

static int add_normal(const summation *s, ptrdiff_t q, ptrdiff_t n, ptrdiff_t c0, ptrdiff_t c1, double *total,
                      double *scratch) {
    const tw_jacobian *A = s->A;
    const ptrdiff_t width = padded(A->P), chunk = chunk_rows(A->P);
    const int is_flat = flat(A->J_block, A->J_row, A->Nx);
    double e_buffer[MOST_CHUNK], w_buffer[MOST_CHUNK];
    const ptrdiff_t end = c1 == A->P ? s->p.total : c1 * width;
    memset(total + c0 * width, 0, (size_t)(end - c0 * width) * sizeof *total);
    for (ptrdiff_t m; n > 0; q += m, n -= m) {
        m = least(n, chunk);
        rows part = {.e = row_values(&A->e, A->Nx, q, m, e_buffer), .w = w_buffer};
        if (A->weights.at)
            part.w = row_values(&A->weights, A->Nx, q, m, w_buffer);
        else
            for (ptrdiff_t r = 0; r < m; r++)
                w_buffer[r] = 1;
        for (ptrdiff_t r = 0; r < m; r += part.n) {
            part.n = even_rows(q + r, m - r, A->Nx, is_flat);
            add_even_normal(A, q + r, part, c0, c1, total, scratch);
            part.e += part.n, part.w += part.n;
        }
    }
    return 0;
}

/* Whether rows c0 <= i < c1 of the triangle are finite, and with the last what belongs to e.  The
 * padding may hold what J's owner has between its rows, so a first look at all of it can only acquit. */
static int finite_rows(const summation *s, ptrdiff_t c0, ptrdiff_t c1, const double *total) {
    const ptrdiff_t P = s->A->P, width = padded(P), end = c1 == P ? s->p.total : c1 * width;
    narrow look = {0}; /* by vectors no wider than those just written, which the processor has at hand */
    for (ptrdiff_t k = c0 * width; k < end; k += NL)
        look += 0 * n_load(total + k);
    int finite = 1;
    for (int l = 0; l < NL; l++)
        finite &= look[l] == 0;
    if (finite)
        return 1;
    finite = c1 < P || (d_all_finite(P, total + P * width) && d_all_finite(1, total + place_of_etWe(P)));
    for (ptrdiff_t i = c0; i < c1; i++)
        finite &= d_all_finite(i + 1, total + i * width);
    return finite;
}

/* Rows c0 <= i < c1 of the triangle to where they belong, J'WJ in both of its. */
static int write_normal(const summation *s, ptrdiff_t sum, ptrdiff_t c0, ptrdiff_t c1, const double *total) {
    const ptrdiff_t P = s->A->P, width = padded(P);
    double *JtWJ = s->out[0] + sum * P * P, *JtWe = s->out[1] + sum * P, *etWe = s->out[2] + sum;
    for (ptrdiff_t i = c0; i < c1; i++)
        for (ptrdiff_t j = 0; j <= i; j++)
            JtWJ[i * P + j] = JtWJ[j * P + i] = total[i * width + j];
    if (c1 == P) {
        for (ptrdiff_t j = 0; j < P; j++)
            JtWe[j] = total[P * width + j];
        *etWe = total[place_of_etWe(P)];
    }
    return finite_rows(s, c0, c1, total) ? 0 : TW_FOUND_NOT_FINITE;
}

#endif
