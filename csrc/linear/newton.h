/* newton.h - one step of a semismooth Newton method on the free coordinates.
 *
 * Where the signs of theta stay and no bound is met, F is a quadratic; its minimum is one linear system away.
 * The step goes towards it.  Where a coordinate meets 0 or a bound on the way, it stays there, and the others
 * go on for as long as F falls: along each piece F is a parabola whose minimum is known, and a break costs
 * one row of G.  A step that meets no break ends in the minimum of its signs, and there are finitely many of
 * those.
 *
 * If more coordinates are free than columns are independent, F has no curvature in some directions, and its
 * minimum along them is a break.  A small ridge on the diagonal keeps the factor's pivots positive.  It turns
 * the direction a little, which does no harm: how far to go along it is computed with G itself.
 */
#ifndef TW_LINEAR_NEWTON_H
#define TW_LINEAR_NEWTON_H

#include "linear/contract.h"
#include "linear/factor.h"
#include "sweep/coordinate.h"

/* Ridges as a share of the diagonal of G.  RIDGE, 90 eps, is about the rounding error of the pivots, so that
 * it changes nothing else.  SHORT_RIDGE is for more free coordinates than independent columns: the pivots of
 * the dependent ones are the ridge alone, and must keep half their digits. */
static const double RIDGE = 2e-14, SHORT_RIDGE = 1e-9;

/* The solution of one right-hand side under way. */
typedef struct {
    const struct tw_gram_problem *p;
    struct tw_watch *watch;
    double *theta, *q;     /* [C] */
    double *theta_0, *q_0; /* [C] at the start */
    double *v;             /* [C] G d */
    double *d,
        *value; /* [C] direction, and theta as the step goes on, of the free coordinates in their order */
    ptrdiff_t *order, n_order; /* [C] coordinates in the order of the factor */
    ptrdiff_t *now;            /* [C] the free coordinates, by number */
    signed char *mark;         /* [C] see put_in_order */
    keyed *breaks;             /* [C] where the step meets 0 or a bound, the nearest on top */
    upper u;
    double ridge; /* the ridge in the factor; 0: there is no factor */
} solver;

static const double *row_of(const solver *s, ptrdiff_t j) { return s->p->gram + j * s->p->row_step; }
static double diagonal(const solver *s, ptrdiff_t j) { return row_of(s, j)[j]; }

/* Is coordinate j free: at no bound, and not at the kink of l1? */
static int may_move(const solver *s, ptrdiff_t j) {
    const struct tw_coordinates *each = &s->p->each;
    const double t = s->theta[j];
    return t > each->lower[j] && t < each->upper[j] && (t != 0 || each->l1[j] == 0) && diagonal(s, j) > 0;
}

/* List the free coordinates; returns how many. */
static ptrdiff_t free_coordinates(solver *s) {
    ptrdiff_t m = 0;
    for (ptrdiff_t j = 0; j < s->p->C; j++)
        if (may_move(s, j))
            s->now[m++] = j;
    return m;
}

/* How many of the first rows of the factor belong to coordinates that are free: these can stay. */
static ptrdiff_t rows_that_hold(const solver *s) {
    ptrdiff_t rows = 0;
    while (rows < s->n_order && may_move(s, s->order[rows]))
        rows++;
    return rows;
}

/* Where so many of m rows can stay, new coordinates are put behind them; else the order is made anew. */
static int are_worth_keeping(ptrdiff_t rows, ptrdiff_t m) { return rows >= m - m / 4; }

/* Put the m free coordinates into the order of the factor; returns how many of its rows stay valid.
 *
 * Where three quarters of the rows or more stay, new coordinates come last.  Else the order is made anew by
 * |theta_j| times the length of column j, falling: those of small size are the next to reach 0. */
static ptrdiff_t put_in_order(solver *s, ptrdiff_t m) {
    enum { AWAY, WAITS, PLACED };
    memset(s->mark, AWAY, (size_t)s->p->C);
    for (ptrdiff_t k = 0; k < m; k++)
        s->mark[s->now[k]] = WAITS;
    ptrdiff_t keep = 0;
    while (keep < s->n_order && s->mark[s->order[keep]] == WAITS)
        s->mark[s->order[keep++]] = PLACED;
    if (!are_worth_keeping(keep, m)) {
        for (ptrdiff_t k = 0; k < m; k++) {
            const ptrdiff_t j = s->now[k];
            s->breaks[k] = (keyed){fabs(s->theta[j]) * sqrt(diagonal(s, j)), j};
        }
        sort_falling(s->breaks, m);
        for (ptrdiff_t k = 0; k < m; k++)
            s->order[k] = s->breaks[k].place;
        s->n_order = m;
        return 0;
    }
    ptrdiff_t end = keep;
    for (ptrdiff_t k = keep; k < s->n_order; k++)
        if (s->mark[s->order[k]] == WAITS)
            s->mark[s->order[k]] = PLACED, s->order[end++] = s->order[k];
    for (ptrdiff_t k = 0; k < m; k++)
        if (s->mark[s->now[k]] == WAITS)
            s->order[end++] = s->now[k];
    s->n_order = m;
    return keep;
}

/* Make the factor of the m free coordinates; 0, or -1 where there is none. */
static int make_factor(solver *s, ptrdiff_t m) {
    const double ridge = m > s->p->rank ? SHORT_RIDGE : RIDGE;
    if (ridge != s->ridge)
        s->n_order = 0, s->ridge = ridge;
    const ptrdiff_t keep = put_in_order(s, m);
    for (ptrdiff_t k = 0; k < m; k++) {
        const double *row = row_of(s, s->order[k]);
        double *to = s->u.U + k * s->u.row_step;
        for (ptrdiff_t i = most(k, keep); i < m; i++)
            to[i] = row[s->order[i]];
        memset(to + m, 0, BEYOND * sizeof *to);
        if (k >= keep)
            to[k] += s->p->each.l2[s->order[k]] + ridge * to[k];
    }
    const int failed = factor_from(&s->u, m, keep, s->watch);
    if (failed)
        s->n_order = 0;
    return failed;
}

/* Minus the derivative of F along coordinate j at theta_j = t, the sign in |theta_j| being that of theta_j
 * now. */
static double descent_of(const solver *s, ptrdiff_t j, double t) {
    const double l1 = s->p->each.l1[j];
    return s->q[j] - (s->theta[j] > 0 ? l1 : s->theta[j] < 0 ? -l1 : 0) - s->p->each.l2[j] * t;
}

/* The first place that coordinate j meets in the direction d at which F has a kink or ends: 0, or a bound. */
static double stop_of(const solver *s, ptrdiff_t j, double d) {
    const struct tw_coordinates *each = &s->p->each;
    const double t = s->theta[j], bound = d > 0 ? each->upper[j] : each->lower[j];
    const int has_kink = each->l1[j] > 0 && (d > 0 ? t < 0 && bound > 0 : t > 0 && bound < 0);
    return has_kink ? 0 : bound;
}

/* Find the breaks between theta and theta + d: where a coordinate meets its stop.  Returns how many. */
static ptrdiff_t find_breaks(solver *s, ptrdiff_t m) {
    ptrdiff_t n = 0;
    for (ptrdiff_t k = 0; k < m; k++) {
        const ptrdiff_t j = s->order[k];
        const double d = s->d[k], t = s->theta[j], stop = stop_of(s, j, d);
        s->value[k] = t;
        if (d > 0 ? t + d >= stop : d < 0 && t + d <= stop)
            s->breaks[n++] = (keyed){-(stop - t) / d, k};
    }
    heap_make(s->breaks, n);
    return n;
}

/* v = G d */
static void product_with_gram(solver *s, ptrdiff_t m) {
    const ptrdiff_t C = s->p->C;
    memset(s->v, 0, (size_t)C * sizeof *s->v);
    ptrdiff_t k = 0;
    for (; k + 4 <= m; k += 4) {
        const double *rows[4] = {row_of(s, s->order[k]), row_of(s, s->order[k + 1]),
                                 row_of(s, s->order[k + 2]), row_of(s, s->order[k + 3])};
        add_four(C, s->d + k, rows, s->v);
    }
    for (; k < m; k++)
        add_times(C, s->d[k], row_of(s, s->order[k]), s->v);
}

/* The factor on d that leads to the minimum of F along d; -1 where F does not fall in this direction. */
static double way_to_minimum(const solver *s, ptrdiff_t m) {
    double slope = 0, curvature = 0;
    for (ptrdiff_t k = 0; k < m; k++) {
        const ptrdiff_t j = s->order[k];
        slope -= s->d[k] * descent_of(s, j, s->value[k]);
        curvature += s->d[k] * (s->v[j] + s->p->each.l2[j] * s->d[k]);
    }
    if (!(slope < 0))
        return -1;
    return curvature > 0 ? -slope / curvature : INFINITY;
}

/* Go `way` times d: theta and q follow. */
static void advance(solver *s, ptrdiff_t m, double way) {
    for (ptrdiff_t k = 0; k < m; k++)
        s->value[k] += way * s->d[k];
    add_times(s->p->C, -way, s->v, s->q);
}

/* Coordinate k of the order has come to its stop: put it there exactly, and take it out of the direction. */
static void stop_at(solver *s, ptrdiff_t k) {
    const ptrdiff_t j = s->order[k];
    const double stop = stop_of(s, j, s->d[k]);
    add_times(s->p->C, s->value[k] - stop, row_of(s, j), s->q);
    add_times(s->p->C, -s->d[k], row_of(s, j), s->v);
    s->value[k] = stop, s->d[k] = 0;
}

/* Make one step.  1 if it met no break, 0 if it met some, -1 if the matrix has no factor. */
static int newton_step(solver *s) {
    const ptrdiff_t m = free_coordinates(s);
    if (!m)
        return 1;
    if (make_factor(s, m))
        return -1;
    for (ptrdiff_t k = 0; k < m; k++)
        s->d[k] = descent_of(s, s->order[k], s->theta[s->order[k]]);
    factor_solve(&s->u, m, s->d);
    ptrdiff_t breaks = find_breaks(s, m);
    const ptrdiff_t met = breaks;
    product_with_gram(s, m);
    for (double at = 0;;) {
        const double end = breaks ? -s->breaks[0].key : 1, way = way_to_minimum(s, m);
        if (way < 0)
            break;
        const double go = end > at ? end - at : 0;
        if (way <= go || !breaks) {
            advance(s, m, way < go ? way : go);
            break;
        }
        advance(s, m, go);
        at = end > at ? end : at;
        stop_at(s, heap_pop(s->breaks, &breaks).place);
    }
    for (ptrdiff_t k = 0; k < m; k++) { /* rounding may have led a little beyond a bound */
        const ptrdiff_t j = s->order[k];
        s->theta[j] = clipped(s->value[k], s->p->each.lower[j], s->p->each.upper[j]);
    }
    return met == 0;
}

#endif
