/* pivot_start.h - problems come into a group; those whose coordinates are all free begin one round later.
 *
 * Non-negative data make many such problems.  The matrix of their first equations is G itself, whatever c is,
 * so that its factor is made once.  Where their solution is in the box, a problem begins as any other one,
 * for the verdict about it.  Where it is not, it begins after the exchange that would follow, and has saved a
 * round.  All numbers are those of that round, to the last bit.
 */
#ifndef TW_PIVOT_START_H
#define TW_PIVOT_START_H

#include "linear/pivot_exchange.h"

/* Factor all of G in a group that has no problems yet, and keep what its first place holds.  Nothing is kept
 * where some column depends on others, and where no exchange is allowed. */
static void factor_whole(pivoting *r, group *g) {
    const ptrdiff_t P = r->job->P;
    r->has_whole = 0;
    for (int l = 0; l < LINE; l++)
        clear(g, P, l);
    memset(g->free, -1, (size_t)(P * LINE) * sizeof *g->free);
    g->general = 0, g->work = 0;
    if (r->job->max_iter < 1 || factor(r, g, list_free(g, P)) || list_free(g, P) < P)
        return;
    for (ptrdiff_t k = 0; k < P; k++) {
        r->whole_inverse[k] = g->inverse[k * LINE];
        for (ptrdiff_t l = 0; l < k; l++) {
            r->whole_L[tri(k, l)] = g->L[tri(k, l) * LINE];
            r->whole_u[tri(k, l)] = r->whole_L[tri(k, l)] * g->d[l * LINE];
        }
    }
    r->has_whole = 1;
}

/* The solutions of G x = c of all places, [P][LINE]; the operations are those of `factor`, `substitute`. */
static const double *solve_whole(const pivoting *r, group *g, ptrdiff_t P) {
    double *w = g->L + tri(P, 0) * LINE;
    for (ptrdiff_t k = 0; k < P; k++) {
        line s = line_at(g->c + k * LINE);
        for (ptrdiff_t l = 0; l < k; l++)
            s = less_product(s, line_at(w + l * LINE), line_of(r->whole_u[tri(k, l)]));
        put_line(w + k * LINE, times(s, line_of(r->whole_inverse[k])));
    }
    for (ptrdiff_t k = P - 1; k >= 0; k--) {
        const line x = line_at(w + k * LINE);
        for (ptrdiff_t l = 0; l < k; l++)
            put_line(w + l * LINE, less_product(line_at(w + l * LINE), line_of(r->whole_L[tri(k, l)]), x));
    }
    return w;
}

/* Make the first exchange of the problems `whole`, in which all coordinates are free, if they have one. */
static void exchange_first(const pivoting *r, group *g, ptrdiff_t P, flags whole) {
    const double *w = solve_whole(r, g, P);
    const line zero = line_of(0);
    line count = zero;
    for (ptrdiff_t j = 0; j < P * LINE; j += LINE) {
        const line x = line_at(w + j), lower = line_at(g->lower + j), upper = line_at(g->upper + j);
        count = plus(count, only(either(below(x, lower), below(upper, x)), line_of(1)));
    }
    const flags moves = both(whole, below(zero, count));
    for (ptrdiff_t j = 0; j < P * LINE; j += LINE) {
        const line x = line_at(w + j), lower = line_at(g->lower + j), upper = line_at(g->upper + j);
        const flags under = below(x, lower), above = below(upper, x), free = flags_at(g->free + j);
        const line at = where(under, lower, where(above, upper, x));
        put_line(g->x + j, where(moves, at, line_at(g->x + j)));
        put_flags(g->free + j, but_not(free, both(moves, either(under, above))));
    }
    put_line(g->fewest, where(moves, count, line_at(g->fewest)));
    put_line(g->rounds, where(moves, line_of(1), line_at(g->rounds)));
}

/* Load problems into the places that have none; returns whether any problem is under way.
 *
 * Which places these are nobody can predict.  A loop over the bits that are set meets one surprise, its end;
 * a loop over all places would meet one at every other place, each as long as some thirty products. */
TW_INLINE int fill(pivoting *r, group *g, ptrdiff_t P) {
    unsigned idle = 0;
    for (unsigned left = g->idle; left; left &= left - 1) {
        const int l = __builtin_ctz(left);
        const ptrdiff_t m = next_problem(r, g);
        g->active[l] = -(m != IDLE), g->problem[l] = m;
        if (m != IDLE)
            load(r, g, P, l, m);
        else
            clear(g, P, l), idle |= 1u << l;
    }
    if (g->idle != idle) {
        const flags whole = begin(r, g, P);
        if (r->has_whole && any_of(whole))
            exchange_first(r, g, P, whole);
    }
    g->idle = idle;
    return idle != ALL;
}

#endif
