/* chunks.h - the rows of a dense Jacobian for the normal equations, a chunk at a time.
 *
 * Rows are read where they are if they are doubles side by side.  Else the chunk is copied to a buffer that
 * stays in the first cache, as doubles side by side.
 */
#ifndef TW_ADJOINT_CHUNKS_H
#define TW_ADJOINT_CHUNKS_H

#include "adjoint/sums.h"

/* A chunk has about CHUNK_DOUBLES elements of J, which is half of a first cache of 32 KiB.  Measured on AMD
 * Zen 3 with AVX2, 3 to 20 columns: with half of CHUNK_DOUBLES 0.97 to 1.02 times the time, with twice 1.01
 * to 1.13 times. */
enum {
    CHUNK_DOUBLES = 2048,
    LEAST_CHUNK = 8,  /* the fewest rows of a chunk, and ... */
    MOST_CHUNK = 128, /* ... the most */
};

/* Some rows of J, `step` apart, with their weights and residuals. */
typedef struct {
    ptrdiff_t n;
    const double *x;
    ptrdiff_t step;
    const double *w, *e; /* w is NULL where all weights are 1 */
    ptrdiff_t ahead;     /* bytes from a row to one of the next chunk, which is to be fetched; 0: none */
} rows;

/* A total consists of rows i < P of the triangle J'WJ, then the row J'We, each padded to whole vectors; what
 * is added to the padding has no meaning.  Behind them is e'We. */
TW_INLINE ptrdiff_t padded(ptrdiff_t P) { return pieces(P, DL) * DL; }
TW_INLINE ptrdiff_t place_of_etWe(ptrdiff_t P) { return (P + 1) * padded(P); }
TW_INLINE ptrdiff_t total_size(ptrdiff_t P) { return place_of_etWe(P) + DL; }

TW_INLINE ptrdiff_t chunk_rows(ptrdiff_t P) {
    return P <= CHUNK_DOUBLES / MOST_CHUNK ? MOST_CHUNK : most(LEAST_CHUNK, CHUNK_DOUBLES / P);
}

/* Whether n rows from element `offset` on, which lie evenly, can be read in whole vectors where they are:
 * their elements must be doubles side by side, and no vector may end beyond the last element of J. */
static int in_place(const tw_jacobian *A, ptrdiff_t offset, ptrdiff_t n) {
    const ptrdiff_t last = (A->K - 1) * A->J_block + (A->Nx - 1) * A->J_row;
    return sizeof(real) == sizeof(double) && A->J_column == 1 && A->J_row >= 0 && A->J_block >= 0 &&
           offset + (n - 1) * A->J_row + padded(A->P) <= last + A->P;
}

/* Copy n rows, which lie evenly, to x as doubles side by side, `step` from row to row. */
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

/* The element at which row q begins.  Rows that lie evenly need no division, which takes as long as a few
 * rows. */
TW_INLINE ptrdiff_t row_offset(const tw_jacobian *A, ptrdiff_t q, int is_flat) {
    return is_flat ? q * A->J_row : q / A->Nx * A->J_block + q % A->Nx * A->J_row;
}

/* Call `take` for each chunk of rows q ... q + n - 1, in order, until the watch asks to stop.  The rows of a
 * chunk lie evenly, so that all of them or none are read where they are. */
TW_INLINE void each_chunk(const summation *s, ptrdiff_t q, ptrdiff_t n, double *scratch,
                          void (*take)(const rows *chunk, void *context), void *context) {
    const tw_jacobian *A = s->A;
    const ptrdiff_t most_rows = chunk_rows(A->P);
    const int is_flat = flat(A->J_block, A->J_row, A->Nx);
    double e_buffer[MOST_CHUNK], w_buffer[MOST_CHUNK];
    ptrdiff_t read = 0;
    for (ptrdiff_t end = q + n; q < end;) {
        rows chunk = {.n = even_rows(q, least(end - q, most_rows), A->Nx, is_flat)};
        chunk.e = row_values(&A->e, A->Nx, q, chunk.n, e_buffer);
        chunk.w = A->weights.at ? row_values(&A->weights, A->Nx, q, chunk.n, w_buffer) : NULL;
        const ptrdiff_t offset = row_offset(A, q, is_flat);
        const real *J = (const real *)A->J + offset;
        if (in_place(A, offset, chunk.n)) {
            chunk.x = (const double *)J, chunk.step = A->J_row;
            chunk.ahead = most_rows * A->J_row * (ptrdiff_t)sizeof(real);
        } else {
            chunk.x = scratch, chunk.step = padded(A->P);
            lay_out(A, J, chunk.n, chunk.step, scratch);
        }
        take(&chunk, context);
        q += chunk.n;
        if (stops_after(s, chunk.n * A->P, &read))
            break;
    }
}

/* Whether rows c0 <= i < c1 of the triangle of a total are finite, and if c1 = P also J'We and e'We.  The
 * padding is not looked at, for it comes from what stands between the rows of J. */
static int finite_rows(ptrdiff_t P, ptrdiff_t c0, ptrdiff_t c1, const double *total) {
    const ptrdiff_t width = padded(P);
    int finite = c1 < P || (d_all_finite(P, total + P * width) && d_all_finite(1, total + place_of_etWe(P)));
    for (ptrdiff_t i = c0; i < c1; i++)
        finite &= d_all_finite(i + 1, total + i * width);
    return finite;
}

#endif
