/* pivot_factor.h - the equations of the free coordinates, of eight problems at once.
 *
 * Each problem has its own set F of free coordinates.  What is solved is
 *
 *     G_FF x_F = c_F - G_FH x_H,     H the coordinates that are held,
 *
 * by G_FF = L D L', without square roots.  The elimination goes through all coordinates that are
 * free in some problem.  In a problem in which one of them is not free, its row of L is 0, and so is the
 * inverse of its d, which makes its column 0: what remains is the factor of the problem's own G_FF.  The
 * right-hand side is one more row below the matrix.  What becomes of it is the solution of L D w = c_F - ...,
 * for a row of L is computed by just these sums.
 *
 * d_k is the squared length of what column k has beyond the free columns before it.  Rounding leaves some
 * (P + 1) eps G_kk of a column that has nothing beyond them, so that up to DEPENDENT times as much counts as
 * nothing.  Then k is not free, but dependent: it goes home, the point of its bounds nearest to 0, or stays
 * where it is in a descent.  Its y_k is 0 as long as the columns before it are free, for c is in the range of
 * G.
 */
#ifndef TW_PIVOT_FACTOR_H
#define TW_PIVOT_FACTOR_H

#include "linear/pivot_group.h"

enum {
    ROWS = 4,      /* rows of L that are computed side by side, so that additions need not wait */
    DEPENDENT = 8, /* column k depends on others if d_k <= DEPENDENT (P + 1) eps G_kk; see above */
};

/* The coordinate in place a of the list of list_free. */
TW_INLINE ptrdiff_t coordinate(const group *g, ptrdiff_t a) { return g->listed[a]; }

/* List the coordinates that are free in some problem; returns how many there are. */
static ptrdiff_t list_free(group *g, ptrdiff_t P) {
    ptrdiff_t n = 0;
    for (ptrdiff_t j = 0; j < P; j++)
        if (any_of(flags_at(g->free + j * LINE)))
            g->listed[n++] = j;
    return n;
}

/* Whether to stop; looks at the watch once POLL_LINES products were made since the last look. */
TW_INLINE int poll_after(const pivoting *r, group *g, ptrdiff_t products) {
    if ((g->work += products) < POLL_LINES)
        return 0;
    g->work = 0;
    return tw_stopped(r->watch);
}

/* c_j - G_jH x_H, the right-hand side in row j */
TW_INLINE line right_side(const pivoting *r, const group *g, ptrdiff_t j) {
    const ptrdiff_t P = r->job->P;
    line s = line_at(g->c + j * LINE);
    for (ptrdiff_t i = 0; g->general && i < P; i++) {
        const line x = line_at(g->x + i * LINE);
        s = less_product(s, line_of(r->G[j * P + i]), where(flags_at(g->free + i * LINE), line_of(0), x));
    }
    return s;
}

/* Compute column k of L in several rows.
 *
 * a, rows  the rows [a, a + rows); rows is 1 or ROWS, a constant of each call, so that sums stay in registers
 * n        how many coordinates are listed; row n of L is the right-hand side */
TW_INLINE void column_of_rows(const pivoting *r, group *g, int rows, ptrdiff_t n, ptrdiff_t a, ptrdiff_t k) {
    const ptrdiff_t P = r->job->P, kk = coordinate(g, k);
    line s[ROWS];
    TW_UNROLL for (int i = 0; i < rows; i++) {
        const ptrdiff_t j = a + i < n ? coordinate(g, a + i) : 0;
        s[i] = a + i < n ? only(flags_at(g->free + j * LINE), line_of(r->G[j * P + kk]))
                         : line_at(g->L + tri(n, k) * LINE);
    }
    for (ptrdiff_t l = 0; l < k; l++) {
        const line u = line_at(g->u + l * LINE);
        TW_UNROLL for (int i = 0; i < rows; i++) s[i] =
            less_product(s[i], line_at(g->L + tri(a + i, l) * LINE), u);
    }
    const line inverse = line_at(g->inverse + k * LINE);
    TW_UNROLL for (int i = 0; i < rows; i++) put_line(g->L + tri(a + i, k) * LINE, times(s[i], inverse));
}

/* Compute d_k of coordinate kk, and take kk out of the free ones in the problems in which its column depends
 * on those before it. */
static void pivot_of(const pivoting *r, group *g, ptrdiff_t k, ptrdiff_t kk) {
    const ptrdiff_t P = r->job->P;
    const double G = r->G[kk * P + kk];
    line d = line_of(G);
    for (ptrdiff_t l = 0; l < k; l++) {
        const line entry = line_at(g->L + tri(k, l) * LINE), u = times(entry, line_at(g->d + l * LINE));
        put_line(g->u + l * LINE, u);
        d = less_product(d, entry, u);
    }
    const flags free = flags_at(g->free + kk * LINE);
    const flags holds = both(free, below(line_of((double)DEPENDENT * (double)(P + 1) * DBL_EPSILON * G), d));
    d = where(holds, d, line_of(1));
    put_line(g->d + k * LINE, d);
    put_line(g->inverse + k * LINE, only(holds, over(line_of(1), d)));
    const flags lost = but_not(free, holds);
    if (any_of(lost)) {
        const line x = line_at(g->x + kk * LINE), home = line_at(g->home + kk * LINE);
        const line stays = where(flags_at(g->descends), x, home), zero = line_of(0);
        const flags away = either(below(stays, zero), below(zero, stays));
        put_flags(g->free + kk * LINE, holds);
        put_flags(g->dependent + kk * LINE, either(lost, flags_at(g->dependent + kk * LINE)));
        put_line(g->x + kk * LINE, where(lost, stays, x));
        put_flags(g->again, either(both(lost, away), flags_at(g->again)));
    }
}

/* Factor the n coordinates; 0, or 1 when the watch asks to stop. */
static int factor(const pivoting *r, group *g, ptrdiff_t n) {
    for (ptrdiff_t k = 0; k < n; k++)
        put_line(g->L + tri(n, k) * LINE, right_side(r, g, coordinate(g, k)));
    for (ptrdiff_t k = 0; k < n; k++) {
        pivot_of(r, g, k, coordinate(g, k));
        ptrdiff_t a = k + 1;
        for (; a + ROWS <= n + 1; a += ROWS)
            column_of_rows(r, g, ROWS, n, a, k);
        for (; a <= n; a++)
            column_of_rows(r, g, 1, n, a, k);
        if (poll_after(r, g, (n - k) * (k + 1)))
            return 1;
    }
    return 0;
}

/* x_F from L' x = w, in the place of w. */
static void substitute(group *g, ptrdiff_t n) {
    double *w = g->L + tri(n, 0) * LINE;
    for (ptrdiff_t k = n - 1; k >= 0; k--) {
        const line x = line_at(w + k * LINE);
        for (ptrdiff_t l = 0; l < k; l++)
            put_line(w + l * LINE, less_product(line_at(w + l * LINE), line_at(g->L + tri(k, l) * LINE), x));
    }
}

#endif
