/* pivot_lines.h - eight problems side by side: a number of each is a `line`, a yes or no of each is `flags`.
 *
 * In memory a line is eight doubles and flags are eight int64_t, -1 or 0, aligned to 64 bytes.  Every
 * operation acts on each problem by itself.
 */
#ifndef TW_PIVOT_LINES_H
#define TW_PIVOT_LINES_H

#include "base/doubles.h"

enum {
    LINE = 8,       /* problems side by side: what a cache line holds */
    DV = LINE / DL, /* native vectors in a line */
};

typedef struct {
    dvec v[DV];
} line;
typedef struct {
    divec v[DV];
} flags;
typedef int64_t divec_aligned __attribute__((vector_size(TW_VECTOR_BYTES), may_alias));

#define EACH for (int v = 0; v < DV; v++)

TW_INLINE line line_at(const double *p) {
    line a;
    EACH a.v[v] = d_load_aligned(p + v * DL);
    return a;
}
TW_INLINE void put_line(double *p, line a) { EACH d_store_aligned(p + v * DL, a.v[v]); }
TW_INLINE flags flags_at(const int64_t *p) {
    flags m;
    EACH m.v[v] = *(const divec_aligned *)(p + v * DL);
    return m;
}
TW_INLINE void put_flags(int64_t *p, flags m) { EACH *(divec_aligned *)(p + v * DL) = m.v[v]; }

TW_INLINE line line_of(double a) {
    line b;
    EACH b.v[v] = d_set(a);
    return b;
}
TW_INLINE line plus(line a, line b) {
    EACH a.v[v] += b.v[v];
    return a;
}
TW_INLINE line times(line a, line b) {
    EACH a.v[v] *= b.v[v];
    return a;
}
TW_INLINE line less(line a, line b) {
    EACH a.v[v] -= b.v[v];
    return a;
}
TW_INLINE line over(line a, line b) {
    EACH a.v[v] /= b.v[v];
    return a;
}
TW_INLINE line less_product(line s, line a, line b) { /* s - a b */
    EACH s.v[v] -= a.v[v] * b.v[v];
    return s;
}
TW_INLINE flags below(line a, line b) { /* a < b */
    flags m;
    EACH m.v[v] = a.v[v] < b.v[v];
    return m;
}
TW_INLINE flags both(flags a, flags b) {
    EACH a.v[v] &= b.v[v];
    return a;
}
TW_INLINE flags either(flags a, flags b) {
    EACH a.v[v] |= b.v[v];
    return a;
}
TW_INLINE flags but_not(flags a, flags b) { /* a and not b */
    EACH a.v[v] &= ~b.v[v];
    return a;
}
TW_INLINE flags none_of(void) {
    flags m;
    EACH m.v[v] = (divec){0};
    return m;
}
TW_INLINE int any_of(flags m) {
    divec all = m.v[0];
    for (int v = 1; v < DV; v++)
        all |= m.v[v];
    return v_any((ivec)all);
}
/* Bit l tells of problem l. */
TW_INLINE unsigned bits_of(flags m) {
    _Alignas(64) int64_t each[LINE];
    unsigned bits = 0;
    put_flags(each, m);
    for (int l = 0; l < LINE; l++)
        bits |= (unsigned)(each[l] & 1) << l;
    return bits;
}
TW_INLINE line where(flags m, line a, line b) { /* a where m is set, else b */
    EACH a.v[v] = (dvec)((m.v[v] & (divec)a.v[v]) | (~m.v[v] & (divec)b.v[v]));
    return a;
}
TW_INLINE line only(flags m, line a) { /* a where m is set, else 0 */
    EACH a.v[v] = (dvec)(m.v[v] & (divec)a.v[v]);
    return a;
}
TW_INLINE line size_of(line a) { /* |a| */
    EACH a.v[v] = (dvec)((divec)a.v[v] & INT64_MAX);
    return a;
}
TW_INLINE line larger_of(line a, line b) { return where(below(a, b), b, a); }

#endif
