/* doubles.h - inner loops that the kernels share, with sums in double whatever is stored.
 *
 * A `dvec` is a native vector of doubles; d_loadu brings as many stored elements into one, widened
 * where they are float.  The order of every sum is fixed here.
 */
#ifndef TW_DENSE_H
#define TW_DENSE_H

#include "base/simd.h"

typedef double dvec __attribute__((vector_size(TW_VECTOR_BYTES)));
typedef int64_t divec __attribute__((vector_size(TW_VECTOR_BYTES)));
typedef double dvec_unaligned __attribute__((vector_size(TW_VECTOR_BYTES), aligned(8), may_alias));
enum { DL = TW_VECTOR_BYTES / sizeof(double) }; /* doubles in a native vector */

TW_INLINE dvec d_load(const double *p) { return *(const dvec_unaligned *)p; }
TW_INLINE void d_store(double *p, dvec a) { *(dvec_unaligned *)p = a; }
TW_INLINE dvec d_set(double a) { return a - (dvec){0}; } /* a in every lane */

/* DL stored elements */
TW_INLINE dvec d_loadu(const real *p) {
#ifdef TW_F32
    typedef float half __attribute__((vector_size(TW_VECTOR_BYTES / 2), aligned(4), may_alias));
    return __builtin_convertvector(*(const half *)p, dvec);
#else
    return d_load(p);
#endif
}

/* the lanes added by halves: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)) for eight */
TW_INLINE double d_fold(dvec a) {
    double lane[DL];
    memcpy(lane, &a, sizeof a);
    for (int half = DL / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* x . y in four vectors of running sums, folded, then the elements that fill no vector */
TW_INLINE double d_dot(ptrdiff_t n, const real *x, const double *y) {
    dvec sum[4] = {{0}};
    ptrdiff_t i = 0;
    for (; i + 4 * DL <= n; i += 4 * DL)
        for (int v = 0; v < 4; v++)
            sum[v] += d_loadu(x + i + v * DL) * d_load(y + i + v * DL);
    for (; i + DL <= n; i += DL)
        sum[0] += d_loadu(x + i) * d_load(y + i);
    double total = d_fold((sum[0] + sum[2]) + (sum[1] + sum[3]));
    for (; i < n; i++)
        total += (double)x[i] * y[i];
    return total;
}

/* y += a x.  Four vectors at a time, all read before one is written: for the processor, writing one
 * might change what the next reads.  What lies `ahead` bytes behind x is fetched, unless that is 0. */
TW_INLINE void d_axpy_ahead(ptrdiff_t n, double a, const real *x, ptrdiff_t ahead, double *y) {
    const ptrdiff_t line = 64, four = 4 * DL * (ptrdiff_t)sizeof(real);
    const dvec factor = d_set(a);
    ptrdiff_t i = 0;
    for (; i + 4 * DL <= n; i += 4 * DL) {
        dvec sum[4];
        for (ptrdiff_t b = 0; ahead && b < four; b += line)
            __builtin_prefetch((const char *)(x + i) + ahead + b);
        for (int v = 0; v < 4; v++)
            sum[v] = d_load(y + i + v * DL) + factor * d_loadu(x + i + v * DL);
        for (int v = 0; v < 4; v++)
            d_store(y + i + v * DL, sum[v]);
    }
    for (; i + DL <= n; i += DL) {
        if (ahead)
            __builtin_prefetch((const char *)(x + i) + ahead);
        d_store(y + i, d_load(y + i) + factor * d_loadu(x + i));
    }
    for (; i < n; i++)
        y[i] += a * (double)x[i];
}

TW_INLINE void d_axpy(ptrdiff_t n, double a, const real *x, double *y) { d_axpy_ahead(n, a, x, 0, y); }

/* x += y */
TW_INLINE void d_add(ptrdiff_t n, const double *y, double *x) {
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] += y[i];
}

/* false when one is NaN or infinite: 0 x is then NaN, and stays so in the sum */
TW_INLINE int d_all_finite(ptrdiff_t n, const double *x) {
    dvec sum = {0};
    ptrdiff_t i = 0;
    for (; i + DL <= n; i += DL)
        sum += 0 * d_load(x + i);
    double rest = d_fold(sum);
    for (; i < n; i++)
        rest += 0 * x[i];
    return rest == 0;
}

#endif
