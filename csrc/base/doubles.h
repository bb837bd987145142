/* doubles.h - the one vector of doubles, and inner loops that the kernels share.
 *
 * Sums over many elements are double whatever is stored.  A `dvec` is a native vector of doubles;
 * d_load_real brings as many stored elements into one, widened where they are float.  An `hvec` has at most
 * four doubles, half a lane group, for what would leave most lanes of a dvec idle.  The order of every sum is
 * fixed here.
 */
#ifndef TW_DOUBLES_H
#define TW_DOUBLES_H

#include "base/simd.h"

typedef double dvec __attribute__((vector_size(TW_VECTOR_BYTES)));
typedef int64_t divec __attribute__((vector_size(TW_VECTOR_BYTES)));
typedef double dvec_aligned __attribute__((vector_size(TW_VECTOR_BYTES), may_alias));
typedef double dvec_unaligned __attribute__((vector_size(TW_VECTOR_BYTES), aligned(8), may_alias));
enum { DL = TW_VECTOR_BYTES / sizeof(double) }; /* doubles in a native vector */

TW_INLINE dvec d_load(const double *p) { return *(const dvec_unaligned *)p; }
TW_INLINE void d_store(double *p, dvec a) { *(dvec_unaligned *)p = a; }
/* the same for p that is aligned to a vector */
TW_INLINE dvec d_load_aligned(const double *p) { return *(const dvec_aligned *)p; }
TW_INLINE void d_store_aligned(double *p, dvec a) { *(dvec_aligned *)p = a; }
TW_INLINE dvec d_set(double a) { return a - (dvec){0}; } /* a in every lane */

/* DL stored elements, as doubles */
TW_INLINE dvec d_load_real(const real *p) {
#ifdef TW_F32
    typedef float half __attribute__((vector_size(TW_VECTOR_BYTES / 2), aligned(4), may_alias));
    return __builtin_convertvector(*(const half *)p, dvec);
#else
    return d_load(p);
#endif
}

/* The sum of lane [n], n a power of two, in the order of TW_FOLD, which overwrites lane. */
TW_INLINE double fold(double *lane, const int n) {
    TW_FOLD(lane, n)
    return lane[0];
}

/* The sum of the lanes of a vector, in that order. */
TW_INLINE double d_fold(dvec a) {
    double lane[DL];
    memcpy(lane, &a, sizeof a);
    return fold(lane, DL);
}

#if TW_VECTOR_BYTES > 32
typedef double hvec __attribute__((vector_size(32)));
typedef double hvec_unaligned __attribute__((vector_size(32), aligned(8), may_alias));
#else
typedef dvec hvec;
typedef dvec_unaligned hvec_unaligned;
#endif
enum { HL = sizeof(hvec) / sizeof(double) }; /* doubles in an hvec */

TW_INLINE hvec h_load(const double *p) { return *(const hvec_unaligned *)p; }
TW_INLINE void h_store(double *p, hvec a) { *(hvec_unaligned *)p = a; }
TW_INLINE hvec h_set(double a) { return a - (hvec){0}; }

/* x . y, by four vectors of running sums, which are folded; elements that fill no vector are added last. */
TW_INLINE double d_dot(ptrdiff_t n, const real *x, const double *y) {
    dvec sum[4] = {{0}};
    ptrdiff_t i = 0;
    for (; i + 4 * DL <= n; i += 4 * DL)
        for (int v = 0; v < 4; v++)
            sum[v] += d_load_real(x + i + v * DL) * d_load(y + i + v * DL);
    for (; i + DL <= n; i += DL)
        sum[0] += d_load_real(x + i) * d_load(y + i);
    double total = d_fold((sum[0] + sum[2]) + (sum[1] + sum[3]));
    for (; i < n; i++)
        total += (double)x[i] * y[i];
    return total;
}

/* y += a x.  Four vectors are read before the first is written, for a write that might change what is read
 * next would hold the read up.  Unless `ahead` is 0, what lies so many bytes behind x is fetched into the
 * cache. */
TW_INLINE void d_axpy_ahead(ptrdiff_t n, double a, const real *x, ptrdiff_t ahead, double *y) {
    const ptrdiff_t line = 64, four = 4 * DL * (ptrdiff_t)sizeof(real);
    const dvec factor = d_set(a);
    ptrdiff_t i = 0;
    for (; i + 4 * DL <= n; i += 4 * DL) {
        dvec sum[4];
        for (ptrdiff_t b = 0; ahead && b < four; b += line)
            __builtin_prefetch((const char *)(x + i) + ahead + b);
        for (int v = 0; v < 4; v++)
            sum[v] = d_load(y + i + v * DL) + factor * d_load_real(x + i + v * DL);
        for (int v = 0; v < 4; v++)
            d_store(y + i + v * DL, sum[v]);
    }
    for (; i + DL <= n; i += DL) {
        if (ahead)
            __builtin_prefetch((const char *)(x + i) + ahead);
        d_store(y + i, d_load(y + i) + factor * d_load_real(x + i));
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

/* Whether all x are finite: for one that is not, 0 x is NaN, and so is then the sum of all 0 x. */
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
