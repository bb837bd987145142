/* pivot_exchange.h - which coordinates of a solution are wrong, and which of them change sides.
 *
 * A free coordinate is wrong outside its bounds; it is held at the bound that it has crossed.  A held one is
 * wrong if y_j = c_j - G_j x points into the box; it becomes free.  All that are wrong change sides at once,
 * which in most problems ends after a few rounds (Portugal, Judice and Vicente 1994, "A comparison of block
 * pivoting and interior-point algorithms for linear least squares problems with nonnegative variables",
 * Mathematics of Computation 63).  But it can run in circles.
 *
 * So after TRIES rounds that did not leave fewer wrong coordinates than ever before, the problem descends: x
 * is moved into the box, and from then on goes towards each solution only as far as the box allows.  A
 * coordinate that meets its bound on the way is held there.  Where the solution itself is reached, one
 * coordinate that is wrong becomes free. That lowers the objective every time, so no set of free coordinates
 * comes again (Lawson and Hanson 1974, "Solving Least Squares Problems", chapter 23; with upper bounds: Stark
 * and Parker 1995, "Bounded-variable least squares: an algorithm and applications", Computational Statistics
 * 10).  Murty's rule for single exchanges, which has no objective to go by, also ends, but takes 100
 * exchanges for 7 columns with a condition number of 1e7, and rounding leads it in circles beyond.
 *
 * Where y_j is 0 but for rounding, its sign must not decide: coordinates would change sides for ever.  With
 * s_j = sqrt(G_jj), the length of column j, and |G_jk| <= s_j s_k, rounding of the sum and of the solution
 * leave at most s_j tie of it,
 *
 *     tie = (P + 1) eps (max_k |c_k| / s_k + 4 reach) + noise,     reach = sum_k s_k |x_k|:
 *
 * there are P + 1 terms, and 3 P + 1 steps of elimination (Higham, "Accuracy and Stability of Numerical
 * Algorithms", 2nd ed., theorem 10.4), each with a rounding of eps / 2; that is half of tie, and the other
 * half is room.  A tie means the same for every column and in any unit.  x itself needs no such allowance:
 * where a coordinate is outside by rounding alone it is held, and then its y_j is a tie.
 */
#ifndef TW_PIVOT_EXCHANGE_H
#define TW_PIVOT_EXCHANGE_H

#include "linear/pivot_factor.h"

/* The share of the way to the solution that each problem in descent can go; 1 where it meets no bound.
 * `moving` marks these problems. */
static line share_of_way(const group *g, ptrdiff_t n, flags moving) {
    const double *w = g->L + tri(n, 0) * LINE;
    line share = line_of(1);
    for (ptrdiff_t k = 0; k < n; k++) {
        const ptrdiff_t j = coordinate(g, k) * LINE;
        const line x = line_at(g->x + j), goal = line_at(w + k * LINE), way = less(goal, x);
        const line lower = line_at(g->lower + j), upper = line_at(g->upper + j);
        const flags under = below(goal, lower), above = below(upper, goal);
        const line room = over(less(where(under, lower, upper), x), way);
        const flags met = both(both(moving, flags_at(g->free + j)), either(under, above));
        share = where(both(met, below(room, share)), room, share);
    }
    return share;
}

/* Move descents towards their solutions, and hold each coordinate that meets a bound; put the other problems
 * at their solutions. */
static void descend(group *g, ptrdiff_t n) {
    const double *w = g->L + tri(n, 0) * LINE;
    const flags descends = flags_at(g->descends), moving = but_not(descends, flags_at(g->again));
    const line share = share_of_way(g, n, moving), zero = line_of(0);
    const flags whole = but_not(moving, below(share, line_of(1))), starts = below(zero, share);
    flags held = none_of();
    for (ptrdiff_t k = 0; k < n; k++) {
        const ptrdiff_t j = coordinate(g, k) * LINE;
        const flags free = flags_at(g->free + j);
        const line x = line_at(g->x + j), goal = line_at(w + k * LINE), way = less(goal, x);
        const line lower = line_at(g->lower + j), upper = line_at(g->upper + j);
        const flags under = below(goal, lower), above = below(upper, goal);
        const line bound = where(under, lower, upper), room = over(less(bound, x), way);
        const flags outside = both(both(moving, free), either(under, above));
        const flags hits = but_not(outside, below(share, room));
        const line part = plus(x, times(share, way));
        const line at = where(hits, bound, where(whole, goal, where(moving, part, x)));
        put_line(g->x + j, where(free, where(descends, at, goal), x));
        put_flags(g->free + j, but_not(free, hits));
        put_flags(g->dependent + j, either(flags_at(g->dependent + j), but_not(hits, starts)));
        held = either(held, hits);
    }
    put_flags(g->again, either(flags_at(g->again), held));
    put_flags(g->left, both(held, starts));
}

/* Put every problem at its solution; a descent goes towards it as far as its box allows. */
static void take_step(group *g, ptrdiff_t n) {
    const double *w = g->L + tri(n, 0) * LINE;
    put_flags(g->left, none_of());
    if (any_of(flags_at(g->descends))) {
        descend(g, n);
        return;
    }
    for (ptrdiff_t k = 0; k < n; k++) {
        const ptrdiff_t j = coordinate(g, k) * LINE;
        put_line(g->x + j, where(flags_at(g->free + j), line_at(w + k * LINE), line_at(g->x + j)));
    }
}

/* y_j = c_j - G_j x, minus the derivative of the objective, of several coordinates.
 *
 * j, rows  the coordinates [j, j + rows); rows is 1 or ROWS, a constant of each call, so that y stays in
 *          registers
 * n        how many terms the sums have: all P, or the n listed coordinates where the others are 0 */
TW_INLINE void slopes(const pivoting *r, const group *g, int rows, ptrdiff_t n, ptrdiff_t j, line y[ROWS]) {
    const ptrdiff_t P = r->job->P;
    TW_UNROLL for (int i = 0; i < rows; i++) y[i] = line_at(g->c + (j + i) * LINE);
    for (ptrdiff_t a = 0; a < n; a++) {
        const ptrdiff_t k = g->general ? a : coordinate(g, a);
        const line x = line_at(g->x + k * LINE);
        TW_UNROLL for (int i = 0; i < rows; i++) y[i] = less_product(y[i], line_of(r->G[(j + i) * P + k]), x);
    }
}

typedef struct {
    line tie, count, violation, objective;
} verdict;

/* Decide whether coordinate j is wrong, given its y, and add what it says to the verdict. */
TW_INLINE void compare_with_bounds(const pivoting *r, group *g, ptrdiff_t j, line y, verdict *u) {
    const line x = line_at(g->x + j * LINE), size = times(size_of(y), line_of(r->inverse_length[j]));
    const line lower = line_at(g->lower + j * LINE), upper = line_at(g->upper + j * LINE), zero = line_of(0);
    const flags free = flags_at(g->free + j * LINE);
    const flags outside = either(below(x, lower), below(upper, x));
    const flags inward = either(both(below(zero, y), below(x, upper)), both(below(y, zero), below(lower, x)));
    const flags open = either(free, inward);
    const flags closed = either(free, flags_at(g->dependent + j * LINE));
    const flags wrong = either(both(free, outside), but_not(both(inward, below(u->tie, size)), closed));
    u->violation = larger_of(u->violation, only(open, size));
    u->count = plus(u->count, only(wrong, line_of(1)));
    u->objective = less_product(u->objective, times(line_of(0.5), x), plus(line_at(g->c + j * LINE), y));
    put_flags(g->wrong + j * LINE, wrong);
}

/* Mark the coordinates that are wrong in the last solution of each problem, and return how many there are.
 * Where 4 times the terms of `tie` overflow, so may y: such problems are told by a tie that is not finite. */
static line find_violators(const pivoting *r, group *g, ptrdiff_t P, ptrdiff_t n) {
    line reach = line_of(0);
    for (ptrdiff_t j = 0; j < P; j++)
        reach = plus(reach, times(size_of(line_at(g->x + j * LINE)), line_of(r->length[j])));
    const line terms =
        plus(times(line_of(4), line_at(g->largest)), times(line_of(16), reach)); /* see above */
    verdict u = {.count = line_of(0), .violation = line_of(0), .objective = line_of(0)};
    u.tie = plus(times(line_of((double)(P + 1) * DBL_EPSILON / 4), terms), line_at(g->noise));
    const ptrdiff_t length = g->general ? P : n; /* unless `general`, coordinates that are not listed are 0 */
    line y[ROWS];
    for (ptrdiff_t j = 0; j < P; j += ROWS) {
        const ptrdiff_t rows = least(ROWS, P - j);
        if (rows == ROWS)
            slopes(r, g, ROWS, length, j, y);
        else
            for (ptrdiff_t i = 0; i < rows; i++)
                slopes(r, g, 1, length, j + i, y + i);
        for (ptrdiff_t i = 0; i < rows; i++)
            compare_with_bounds(r, g, j + i, y[i], &u);
    }
    put_line(g->found.tie, u.tie);
    put_line(g->found.count, u.count);
    put_line(g->found.violation, u.violation);
    put_line(g->found.objective, u.objective);
    put_line(g->found.reach, reach);
    return u.count;
}

/* Let wrong coordinates change sides: all of them, or in a descent the last one alone.  After TRIES rounds
 * that did not leave fewer of them, a descent begins. */
static void exchange(group *g, ptrdiff_t P, line count) {
    const line fewest = line_at(g->fewest), tries = line_at(g->tries), zero = line_of(0);
    const flags waits = flags_at(g->again), descends = flags_at(g->descends), apart = either(waits, descends);
    const flags better = but_not(below(count, fewest), apart);
    const flags full = either(better, but_not(below(zero, tries), apart));
    const flags begins = but_not(flags_at(g->active), either(full, apart));
    flags taken = none_of(), left = flags_at(g->left);
    for (ptrdiff_t j = (P - 1) * LINE; j >= 0; j -= LINE) {
        const flags wrong = flags_at(g->wrong + j), free = flags_at(g->free + j);
        const flags flips = but_not(both(wrong, either(full, but_not(descends, taken))), waits);
        const line x = line_at(g->x + j), lower = line_at(g->lower + j), upper = line_at(g->upper + j);
        const flags under = below(x, lower), above = below(upper, x);
        const flags goes = both(both(free, either(flips, begins)), either(under, above));
        taken = either(taken, wrong);
        left = either(left, goes);
        put_line(g->x + j, where(goes, where(under, lower, upper), x));
        put_flags(g->free + j, either(but_not(free, goes), but_not(flips, free)));
    }
    if (any_of(left)) /* columns that depended on these may be independent now */
        for (ptrdiff_t j = 0; j < P * LINE; j += LINE)
            put_flags(g->dependent + j, but_not(flags_at(g->dependent + j), left));
    put_line(g->fewest, where(better, count, fewest));
    put_line(g->tries, where(better, line_of(TRIES), where(apart, tries, plus(tries, line_of(-1)))));
    put_flags(g->descends, either(descends, begins));
    put_line(g->rounds, plus(line_at(g->rounds), only(flags_at(g->active), line_of(1))));
    put_flags(g->again, none_of());
}

/* End the problem of place l although coordinates are wrong: put it into the box, and find how far it is from
 * its minimum.
 */
static void end_outside_minimum(const pivoting *r, group *g, int l) {
    const ptrdiff_t P = r->job->P;
    double violation = 0, objective = 0, reach = 0;
    for (ptrdiff_t k = l; k < P * LINE; k += LINE)
        g->x[k] = within(g->x[k], g->lower[k], g->upper[k]);
    for (ptrdiff_t j = 0; j < P; j++) {
        const ptrdiff_t k = j * LINE + l;
        double y = g->c[k];
        for (ptrdiff_t i = 0; i < P; i++)
            y -= r->G[j * P + i] * g->x[i * LINE + l];
        if (y > 0 ? g->x[k] < g->upper[k] : g->x[k] > g->lower[k])
            violation = fmax(violation, fabs(y) * r->inverse_length[j]);
        objective -= 0.5 * g->x[k] * (g->c[k] + y);
        reach += fabs(g->x[k]) * r->length[j];
    }
    g->found.violation[l] = violation, g->found.objective[l] = objective, g->found.reach[l] = reach;
}

#endif
