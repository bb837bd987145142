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

/* HL stored elements, as doubles */
TW_INLINE hvec h_load_real(const real *p) {
#ifdef TW_F32
    typedef float floats __attribute__((vector_size(sizeof(hvec) / 2), aligned(4), may_alias));
    return __builtin_convertvector(*(const floats *)p, hvec);
#else
    return h_load(p);
#endif
}

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
 * next would hold the read up.  An hvec is wide enough, as memory takes the time, and fewer of them than of
 * dvecs of 64 bytes cross a cache line where x begins anywhere: on AMD Zen 4 sums over rows of 17 to 28
 * columns reach 0.87 to 0.97 of the bandwidth of reading, instead of 0.78 to 0.93. */
TW_INLINE void d_axpy(ptrdiff_t n, double a, const real *x, double *y) {
    const hvec factor = h_set(a);
    ptrdiff_t i = 0;
    for (; i + 4 * HL <= n; i += 4 * HL) {
        hvec sum[4];
        for (int v = 0; v < 4; v++)
            sum[v] = h_load(y + i + v * HL) + factor * h_load_real(x + i + v * HL);
        for (int v = 0; v < 4; v++)
            h_store(y + i + v * HL, sum[v]);
    }
    for (; i + HL <= n; i += HL)
        h_store(y + i, h_load(y + i) + factor * h_load_real(x + i));
    for (; i < n; i++)
        y[i] += a * (double)x[i];
}

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
