/* simd.h - the one vector type and its operations.
 *
 * A kernel file is compiled once per instruction set and once per element type.  The width
 * comes from the compiler's -m flags, the element type from TW_F32, so one body serves SSE2,
 * AVX2, AVX-512 and every machine that GCC's or Clang's vector extensions know, in double and
 * in float.  Only what those extensions lack (selection, square root, any) is written here.
 *
 * A *lane group* is 64 bytes of elements, whatever the instruction set: 8 doubles or 16 floats,
 * held as NV native vectors.  The engine keeps one fit per lane, `array[point][lane]`, so every
 * buffer is 64-byte aligned and a group is NV aligned loads.
 *
 * Each operation acts on every lane by itself: a lane's bits never depend on its neighbours.
 * Do not use GCC vectors wider than the machine's: GCC 12 spills each piece to the stack.
 */
#ifndef TW_SIMD_H
#define TW_SIMD_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define TW_VECTOR_BYTES 64
#elif defined(__AVX__)
#define TW_VECTOR_BYTES 32
#else
#define TW_VECTOR_BYTES 16
#endif

#ifdef TW_F32
typedef float real;
typedef int32_t mask_int;
#define REAL_EPS FLT_EPSILON
#define REAL_MAX FLT_MAX
#define REAL_MIN FLT_MIN
#else
typedef double real;
typedef int64_t mask_int;
#define REAL_EPS DBL_EPSILON
#define REAL_MAX DBL_MAX
#define REAL_MIN DBL_MIN
#endif

typedef real vec __attribute__((vector_size(TW_VECTOR_BYTES)));
typedef mask_int ivec __attribute__((vector_size(TW_VECTOR_BYTES))); /* comparisons give -1 or 0 */
/* the same vector in memory that is aligned like one element only */
typedef real vec_unaligned __attribute__((vector_size(TW_VECTOR_BYTES), aligned(sizeof(real)), may_alias));

enum {
    VL = TW_VECTOR_BYTES / sizeof(real), /* elements in a native vector */
    LANES = 64 / sizeof(real),           /* elements in a lane group */
    NV = LANES / VL,                     /* native vectors in a lane group */
};

#define TW_INLINE static inline __attribute__((always_inline))

/* TW_UNROLL stands before a loop of constant length whose array of sums must stay in registers, TW_UNROLL_FEW
 * before a loop of a dozen rounds or more with a short body. */
#ifdef __clang__
#define TW_UNROLL _Pragma("clang loop unroll(full)")
#define TW_UNROLL_FEW _Pragma("clang loop unroll_count(5)")
#else
#define TW_UNROLL _Pragma("GCC unroll 32")
#define TW_UNROLL_FEW _Pragma("GCC unroll 5")
#endif

TW_INLINE vec v_load(const real *p) { return *(const vec *)p; } /* p aligned to a vector */
TW_INLINE void v_store(real *p, vec a) { *(vec *)p = a; }
TW_INLINE vec v_loadu(const real *p) { return *(const vec_unaligned *)p; }
TW_INLINE void v_storeu(real *p, vec a) { *(vec_unaligned *)p = a; }
TW_INLINE vec v_set(real a) { return a - (vec){0}; } /* a in every lane */

/* a where the mask is set, else b; C has no ?: on vectors, compilers fold this to a blend */
TW_INLINE vec v_sel(ivec m, vec a, vec b) { return (vec)((m & (ivec)a) | (~m & (ivec)b)); }
TW_INLINE vec v_and(ivec m, vec a) { return (vec)(m & (ivec)a); } /* a where set, else 0 */

/* Is the mask set in any lane?  (x86 has an instruction for it that vector extensions lack.) */
TW_INLINE int v_any(ivec m) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)m, (__m512i)m) != 0;
#elif defined(__AVX__)
    return _mm256_movemask_ps((__m256)m) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps((__m128)m) != 0;
#else
    mask_int any = 0;
    for (int l = 0; l < VL; l++)
        any |= m[l];
    return any != 0;
#endif
}

#ifdef TW_F32
#define TW_SIGN_BIT INT32_MIN
#else
#define TW_SIGN_BIT INT64_MIN
#endif
TW_INLINE vec v_abs(vec a) { return (vec)((ivec)a & ~TW_SIGN_BIT); }
TW_INLINE vec v_copysign(vec size, vec sign) {
    return (vec)(((ivec)size & ~TW_SIGN_BIT) | ((ivec)sign & TW_SIGN_BIT));
}

TW_INLINE vec v_sqrt(vec a) /* correctly rounded; becomes one instruction */
{
    vec root;
    for (int l = 0; l < VL; l++)
#ifdef TW_F32
        root[l] = __builtin_sqrtf(a[l]);
#else
        root[l] = __builtin_sqrt(a[l]);
#endif
    return root;
}

/* The one order in which lanes are added: by halves, so that of eight the sum is
 * ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).  It replaces lane[0]; n is a power of two, all lanes are lost.
 */
#define TW_FOLD(lane, n)                                                                                     \
    for (int half = (n) / 2; half > 0; half /= 2)                                                            \
        for (int l = 0; l < half; l++)                                                                       \
            (lane)[l] += (lane)[l + half];

/* The sum of n elements in that order, n a power of two up to LANES. */
TW_INLINE real v_fold(const real *lanes, const int n) {
    real sum[LANES];
    memcpy(sum, lanes, (size_t)n * sizeof *sum);
    TW_FOLD(sum, n)
    return sum[0];
}

/* The smaller and the larger of two numbers; with a NaN the result is either of the two.  (v_minimum and
 * v_maximum, in vecmath/core.h, are NaN then, like NumPy's.) */
TW_INLINE vec v_min(vec a, vec b) { return v_sel(a < b, a, b); }
TW_INLINE vec v_max(vec a, vec b) { return v_sel(a > b, a, b); }
TW_INLINE ivec v_finite(vec a) { return v_abs(a) <= REAL_MAX; } /* false for NaN */

#endif
