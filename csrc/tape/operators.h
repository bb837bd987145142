/* operators.h - what the tables of a tape do to curves: linear operators.
 *
 * A curve of n points is stored as groups of LANES numbers, in one of two layouts (run.h):
 *
 *   fits side by side    point i of lane l at i LANES + l
 *   points side by side  point i at i, in groups that are filled up with anything finite
 *
 * The order of each sum is that of its points or coefficients, whatever the layout, but for totals and
 * dense products of points side by side, of which each lane is summed by itself.
 */
#ifndef TW_OPERATORS_H
#define TW_OPERATORS_H

#include <math.h>

#include "base/doubles.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "tape/contract.h"

enum {
    SUMS_AT_ONCE = 8, /* vectors of sums in registers: with fewer, additions wait for each other */
    LEAST_PIECE = 4 *
        LANES, /* points of a result that are computed between two looks at the watch, at least */
};

/* Products between two looks at the watch: less than a millisecond. */
static const ptrdiff_t PRODUCTS_UNSEEN = 1 << 20;

TW_INLINE const real *numbers_of(const tw_table *t) {
#ifdef TW_F32
    return t->floats;
#else
    return t->values;
#endif
}

/* A curve or a piece of one that an operator reads and writes.  Its numbers are taken as one row, in which
 * points lie `stride` apart: LANES for fits side by side, else 1. */
typedef struct {
    const tw_table *t;
    const real *in;
    real *out;
    int abreast, width; /* the lanes that are computed where fits lie side by side */
} operation;

TW_INLINE ptrdiff_t floor_of(ptrdiff_t a, ptrdiff_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

/* Add c in[at + r step - back] to the vectors r of sums, where the place is one of the row's `size`. */
TW_INLINE void add_at_edge(const real *in, ptrdiff_t size, real c, ptrdiff_t at, const int stride,
                           const int step, const int n, vec *total) {
    for (int r = 0; r < n; r++) {
        const ptrdiff_t first = at + r * step;
        if (stride > 1) { /* all numbers of a vector are of one point */
            if (first >= 0 && first < size)
                total[r] += v_set(c) * v_loadu(in + first);
            continue;
        }
        for (int e = 0; e < VL; e++)
            if (first + e >= 0 && first + e < size)
                total[r][e] += c * in[first + e];
    }
}

/* out[r step + e] = sum_k c[k] in[at + r step + e - k stride], r < n, e < VL, where `in` is 0 beyond its
 * `size` numbers.  For most k none of the numbers lies beyond.
 *
 * Compiled for each value of
 *   stride  LANES or 1
 *   step    from one vector of sums to the next: VL, or LANES where one vector of each group is computed
 *   n       SUMS_AT_ONCE or 1
 */
TW_INLINE void band_block(const real *in, ptrdiff_t size, const real *c, ptrdiff_t n_taps, ptrdiff_t at,
                          const int stride, const int step, const int n, real *out) {
    vec total[SUMS_AT_ONCE] = {{0}};
    const ptrdiff_t end = at + (n - 1) * step + VL - 1; /* the last place for k = 0 */
    const ptrdiff_t first = most(0, -floor_of(size - 1 - at, stride)),
                    last = least(n_taps - 1, floor_of(end, stride));
    const ptrdiff_t whole = most(0, -floor_of(size - 1 - end, stride)),
                    whole_end = least(n_taps - 1, floor_of(at, stride));
    for (ptrdiff_t k = first; k <= last; k++) {
        if (k < whole || k > whole_end) {
            add_at_edge(in, size, c[k], at - k * stride, stride, step, n, total);
            continue;
        }
        for (; k <= whole_end; k++) {
            const vec factor = v_set(c[k]);
            const real *place = in + at - k * stride;
            TW_UNROLL
            for (int r = 0; r < n; r++)
                total[r] += factor * v_loadu(place + r * step);
        }
        k--;
    }
    for (int r = 0; r < n; r++)
        v_store(out + r * step, total[r]);
}

/* Results [begin, end) of a band, counted as numbers of the row. */
TW_INLINE void band_row(const operation *o, ptrdiff_t begin, ptrdiff_t end, const int stride,
                        const int step) {
    const tw_table *t = o->t;
    const ptrdiff_t size = (ptrdiff_t)t->n_in * stride, taps = (ptrdiff_t)t->n_values;
    const ptrdiff_t offset = (ptrdiff_t)t->offset * stride;
    const real *c = numbers_of(t);
    ptrdiff_t q = begin;
    for (; q + SUMS_AT_ONCE * step <= end; q += SUMS_AT_ONCE * step)
        band_block(o->in, size, c, taps, q + offset, stride, step, SUMS_AT_ONCE, o->out + q);
    for (; q < end; q += step)
        band_block(o->in, size, c, taps, q + offset, stride, step, 1, o->out + q);
}

static void run_band(const operation *o, ptrdiff_t begin, ptrdiff_t end) {
    if (!o->abreast)
        band_row(o, begin, pieces(end, LANES) * LANES, 1, VL);
    else if (o->width == LANES)
        band_row(o, begin * LANES, end * LANES, LANES, VL);
    else
        band_row(o, begin * LANES, end * LANES, LANES, LANES);
}

/* The products of `rows` rows of a matrix with `vectors` vectors of each point, fits side by side. */
TW_INLINE void dense_rows(const real *K, ptrdiff_t n_in, const real *in, real *out, const int rows,
                          const int vectors) {
    vec total[SUMS_AT_ONCE][NV] = {{{0}}};
    for (ptrdiff_t j = 0; j < n_in; j++)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++)
                total[r][v] += v_set(K[r * n_in + j]) * v_load(in + j * LANES + v * VL);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            v_store(out + r * LANES + v * VL, total[r][v]);
}

TW_INLINE void dense_abreast(const operation *o, ptrdiff_t begin, ptrdiff_t end, const int vectors) {
    const ptrdiff_t n = (ptrdiff_t)o->t->n_in;
    const int rows = SUMS_AT_ONCE / vectors;
    const real *K = numbers_of(o->t);
    ptrdiff_t i = begin;
    for (; i + rows <= end; i += rows)
        dense_rows(K + i * n, n, o->in, o->out + i * LANES, rows, vectors);
    for (; i < end; i++)
        dense_rows(K + i * n, n, o->in, o->out + i * LANES, 1, vectors);
}

/* The product of a row with a curve, points side by side. */
static real row_product(const real *row, const real *in, ptrdiff_t n) {
    vec total[NV] = {{0}};
    const ptrdiff_t whole = n / LANES * LANES;
    for (ptrdiff_t j = 0; j < whole; j += LANES)
        for (int v = 0; v < NV; v++)
            total[v] += v_loadu(row + j + v * VL) * v_loadu(in + j + v * VL);
    real lanes[LANES];
    for (int v = 0; v < NV; v++)
        v_storeu(lanes + v * VL, total[v]);
    for (ptrdiff_t j = whole; j < n; j++)
        lanes[j - whole] += row[j] * in[j];
    return v_fold(lanes, LANES);
}

static void run_dense(const operation *o, ptrdiff_t begin, ptrdiff_t end) {
    const ptrdiff_t n = (ptrdiff_t)o->t->n_in;
    if (o->abreast && o->width == LANES)
        dense_abreast(o, begin, end, NV);
    else if (o->abreast)
        dense_abreast(o, begin, end, 1);
    for (ptrdiff_t i = begin; i < end && !o->abreast; i++)
        o->out[i] = row_product(numbers_of(o->t) + i * n, o->in, n);
}

static void run_sums(const operation *o) {
    const ptrdiff_t n = (ptrdiff_t)o->t->n_out;
    double total = 0;
    for (ptrdiff_t i = 0; i < n && !o->abreast; i++)
        o->out[i] = (real)(total += (double)o->in[i]);
    for (int v = 0; v < o->width && o->abreast; v += VL) {
        vec sum = {0};
        for (ptrdiff_t i = 0; i < n; i++)
            v_store(o->out + i * LANES + v, sum += v_load(o->in + i * LANES + v));
    }
}

/* The total in every lane, or of points side by side the same one in all. */
static void run_total(const operation *o) {
    const ptrdiff_t n = (ptrdiff_t)o->t->n_in, whole = n / LANES * LANES;
    for (int v = 0; v < o->width && o->abreast; v += VL) {
        vec sum = {0};
        for (ptrdiff_t i = 0; i < n; i++)
            sum += v_load(o->in + i * LANES + v);
        v_store(o->out + v, sum);
    }
    if (o->abreast)
        return;
    double lane[LANES] = {0};
    for (ptrdiff_t i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += (double)o->in[i + l];
    for (ptrdiff_t i = whole; i < n; i++)
        lane[i - whole] += (double)o->in[i];
    const real total = (real)fold(lane, LANES);
    for (int l = 0; l < LANES; l++)
        o->out[l] = total;
}

/* Move one row of points, `stride` apart, by s points to the right, or take its slope there. */
static void move_row(const tw_table *t, double s, const real *in, ptrdiff_t stride, real *out) {
    const ptrdiff_t n = (ptrdiff_t)t->n_in, n_out = (ptrdiff_t)t->n_out, offset = (ptrdiff_t)t->offset;
    const double below = floor(-s);
    const real share = (real)(-s - below); /* of the point after */
    const int within = fabs(s) <= (double)(n + n_out + (offset < 0 ? -offset : offset));
    const ptrdiff_t by = within ? offset + (ptrdiff_t)below : 0;
    for (ptrdiff_t i = 0; i < n_out; i++) {
        const ptrdiff_t j = i + by;
        const real here = within && j >= 0 && j < n ? in[j * stride] : 0;
        const real next = within && j >= -1 && j < n - 1 ? in[(j + 1) * stride] : 0;
        out[i * stride] = t->kind == TW_TABLE_SLOPE ? next - here : here + share * (next - here);
    }
}

static void run_move(const operation *o, const real *shift) {
    const int rows = o->abreast ? o->width : 1;
    for (int l = 0; l < rows; l++)
        move_row(o->t, (double)shift[l], o->in + l, o->abreast ? LANES : 1, o->out + l);
}

/* Apply a table, in pieces of its result between which the watch, if it is not NULL, may ask to stop. */
static void run_operation(const operation *o, const real *shift, struct tw_watch *watch) {
    const tw_table *t = o->t;
    const ptrdiff_t n = (ptrdiff_t)t->n_out;
    const ptrdiff_t products = (ptrdiff_t)(t->kind == TW_TABLE_BAND ? t->n_values : t->n_in) + 1;
    const ptrdiff_t piece = pieces(PRODUCTS_UNSEEN / products, LEAST_PIECE) * LEAST_PIECE;
    switch (t->kind) {
    case TW_TABLE_BAND:
    case TW_TABLE_DENSE:
        for (ptrdiff_t i = 0; i < n && !tw_stopped(watch); i += most(piece, LEAST_PIECE))
            (t->kind == TW_TABLE_BAND ? run_band : run_dense)(o, i, least(i + most(piece, LEAST_PIECE), n));
        break;
    case TW_TABLE_SUMS:
        run_sums(o);
        break;
    case TW_TABLE_TOTAL:
        run_total(o);
        break;
    default:
        run_move(o, shift);
    }
}

#endif
