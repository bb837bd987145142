/* solve.h - coordinate descent on a Gram matrix of C columns, with Newton steps where they are worth it.
 *
 * A sweep finds out which coordinates are free, and costs C products for each coordinate that moves.  A
 * Newton step (newton.h) costs a factor of the Gram matrix of the free coordinates, and leads to their
 * minimum.  It is made once the sweeps have cost WORTH times what it will cost, once they are expected to
 * cost AHEAD times as much before they reach the gap, or once the same coordinates have been free in SETTLED
 * sweeps.
 */
#ifndef TW_LINEAR_SOLVE_H
#define TW_LINEAR_SOLVE_H

#include "base/arena.h"
#include "base/sharing.h"
#include "linear/gap.h"
#include "linear/newton.h"

enum {
    SETTLED = 4,     /* sweeps with the same free coordinates, before a Newton step */
    FIRST_STEPS = 8, /* most Newton steps in a row; doubled when the last of them meets a break */
};
/* A Newton step is made when sweeps have cost WORTH times as much.  Measured on Intel Emerald Rapids with
 * AVX-512, 36 lasso, non-negative and plain problems of 30 to 800 columns: the times with half of WORTH are
 * 0.83 to 1.20 times as long, 1.02 in the geometric mean; with twice 0.74 to 1.30 times, 1.00 in the mean. */
static const double WORTH = 3;

/* About so many Newton steps lead from a first guess of the free coordinates to the minimum.  Sweeps that
 * need more than AHEAD times the cost of one are not waited for.  On AVX2, non-negative problems of 200 and
 * 500 columns, all positive, take 0.8 times the time of sweeps that are always waited for with AHEAD = 4 or
 * 2, and 1.2 times with 1; eleven lasso problems 1.0 times with 4 or 2, and 1.2 times with 1. */
static const double AHEAD = 4;

/* The cost of a Newton step with m free coordinates, in products of a sweep: FACTOR_COST m^3 for a factor of
 * which no row is there, PRODUCT_COST C m for the product with G, and STEP_COST for the rest.  GAP_COST C is
 * the cost of a gap.
 * With half or twice FACTOR_COST or STEP_COST the same problems take 1.00 to 1.03 times the time in the mean,
 * with half of SETTLED 0.98 times, with twice 1.04 times. */
static const double FACTOR_COST = 0.2, PRODUCT_COST = 0.5, STEP_COST = 2000, GAP_COST = 20;

/* What a sweep has changed. */
typedef struct {
    ptrdiff_t moves; /* coordinates that moved */
    ptrdiff_t flips; /* those of them that came from, or went to, 0 or a bound */
} moved;

/* Whether a coordinate at t is held: at 0 or at a bound. */
static int is_at_stop(const struct tw_coordinates *each, ptrdiff_t j, double t) {
    return t == 0 || t == each->lower[j] || t == each->upper[j];
}

/* Update each coordinate in turn. */
static moved gram_sweep(solver *s) {
    const struct tw_coordinates *each = &s->p->each;
    moved m = {0, 0};
    for (ptrdiff_t j = 0; j < s->p->C; j++) {
        const double t = s->theta[j], c = diagonal(s, j);
        if (rests_at_zero(each, j, t, s->q[j]) || !(c > 0))
            continue;
        const double value = coordinate_minimum(each, j, c, s->q[j], t);
        if (value == t)
            continue;
        m.moves++, m.flips += is_at_stop(each, j, t) != is_at_stop(each, j, value);
        s->theta[j] = value;
        add_times(s->p->C, t - value, row_of(s, j), s->q);
    }
    return m;
}

/* Put coordinates whose column is 0 at the minimum of their penalty. */
static void settle_empty(solver *s) {
    for (ptrdiff_t j = 0; j < s->p->C; j++)
        if (!(diagonal(s, j) > 0))
            s->theta[j] = clipped(0, s->p->each.lower[j], s->p->each.upper[j]);
}

/* The duality gap at theta.  Its r'Wr is `square`, that of theta_0, less (theta - theta_0)'(q_0 + q). */
static double gap_now(const solver *s, double square) {
    const struct tw_gram_problem *p = s->p;
    double rr = square, scale = 1;
    for (ptrdiff_t j = 0; j < p->C; j++) {
        rr -= (s->theta[j] - s->theta_0[j]) * (s->q_0[j] + s->q[j]);
        scale = dual_scale(&p->each, j, s->q[j], scale);
    }
    double gap = 0.5 * (1 - scale) * (1 - scale) * (rr > 0 ? rr : 0);
    for (ptrdiff_t j = 0; j < p->C; j++)
        if (!rests_at_zero(&p->each, j, s->theta[j], s->q[j]))
            gap += gap_term(&p->each, j, s->theta[j], scale * s->q[j], p->reach[j]);
    return gap;
}

/* The cost of a Newton step from here, in products of a sweep.  Of the m^3 / 6 products of a factor,
 * k^2 m / 2 - k^3 / 3 are saved by k rows that stay. */
static double cost_of_newton(solver *s) {
    const double C = (double)s->p->C;
    const ptrdiff_t n_free = free_coordinates(s), rows = rows_that_hold(s);
    const double m = (double)n_free, k = are_worth_keeping(rows, n_free) ? (double)rows : 0;
    return FACTOR_COST * (m * m * m - k * k * (3 * m - 2 * k)) + PRODUCT_COST * C * m + STEP_COST;
}

/* The rounds of sweeps to come, if each lets the gap fall by as much as the last one; 0 where that leads
 * nowhere, as no gap is small enough. */
static double rounds_ahead(double before, double gap, double target) {
    if (!(target > 0))
        return 0;
    return gap < before ? log(target / gap) / log(gap / before) : INFINITY;
}

/* Newton steps until one meets no break, or `most` have been made; returns whether the last met none. */
static int newton_steps(solver *s, ptrdiff_t most_steps, ptrdiff_t *steps) {
    for (ptrdiff_t k = 0; k < most_steps; k++) {
        const int done = newton_step(s);
        *steps += 1;
        if (done)
            return done > 0;
        if (tw_stopped(s->watch))
            return 0;
    }
    return 0;
}

/* Sweeps and Newton steps in turn, until the gap is small enough or nothing moves.  Where a factor is there,
 * the start is near the minimum of another problem with the same matrix, and a Newton step comes first. */
static void solve_one(solver *s, ptrdiff_t i) {
    const struct tw_gram_problem *p = s->p;
    const double C = (double)p->C;
    double spent = 0;
    ptrdiff_t settled = 0, most_steps = FIRST_STEPS;
    settle_empty(s);
    if (s->n_order && p->rounds > 0)
        newton_steps(s, most_steps, &p->steps[i]);
    p->gap[i] = gap_now(s, p->square[i]);
    for (ptrdiff_t round = 0; round < p->rounds && p->gap[i] > p->target[i]; round++) {
        ptrdiff_t moves = 0;
        const double before = p->gap[i];
        for (int k = 0; k < 2 && !tw_stopped(s->watch); k++) {
            const moved m = gram_sweep(s);
            moves += m.moves, p->sweeps[i]++, settled = m.flips ? 0 : settled + 1;
        }
        p->gap[i] = gap_now(s, p->square[i]);
        if (p->gap[i] <= p->target[i] || !moves || tw_stopped(s->watch))
            return;
        spent += (double)moves * C + GAP_COST * C;
        const double cost = cost_of_newton(s), rounds = rounds_ahead(before, p->gap[i], p->target[i]);
        if (spent < WORTH * cost && settled < SETTLED && (double)moves * C * rounds < AHEAD * cost)
            continue;
        if (newton_steps(s, most_steps, &p->steps[i]))
            most_steps = FIRST_STEPS;
        else if (most_steps < 4 * p->C)
            most_steps *= 2;
        spent = 0, settled = 0, p->gap[i] = gap_now(s, p->square[i]);
    }
}

/* ---- several right-hand sides ---------------------------------------------------------------- */

typedef struct {
    const struct tw_gram_problem *p;
    struct tw_watch *watch;
    _Atomic ptrdiff_t next;
    solver *each; /* one of each thread */
    ptrdiff_t threads;
} gram_team;

static gram_team *gram_team_on(arena *a, const struct tw_gram_problem *p, int threads) {
    TAKE_ROOT(a, gram_team, t);
    const ptrdiff_t C = p->C, wide = pieces(C + BEYOND, DL) * DL, row = wide % 512 ? wide : wide + DL;
    t->p = p, t->threads = most(least(threads, p->M), 1);
    t->each = TAKE(a, solver, t->threads);
    for (ptrdiff_t k = 0; k < t->threads; k++) {
        solver s = {.p = p};
        s.theta_0 = TAKE(a, double, C), s.q_0 = TAKE(a, double, C), s.v = TAKE(a, double, C);
        s.d = TAKE(a, double, C), s.value = TAKE(a, double, C);
        s.order = TAKE(a, ptrdiff_t, C), s.now = TAKE(a, ptrdiff_t, C);
        s.mark = TAKE(a, signed char, C), s.breaks = TAKE(a, keyed, C);
        s.u = (upper){TAKE(a, double, C *row), row};
        if (a->measuring)
            continue;
        if (p->again)
            s.n_order = t->each[k].n_order, s.ridge = t->each[k].ridge;
        t->each[k] = s;
    }
    return place;
}

static size_t solve_work(const struct tw_gram_problem *p, int threads) {
    arena a = arena_on(NULL);
    gram_team_on(&a, p, threads);
    return arena_size(&a);
}

static void solve_part(void *context, ptrdiff_t part) {
    gram_team *t = context;
    const struct tw_gram_problem *p = t->p;
    solver *s = t->each + part;
    s->watch = t->watch;
    for (ptrdiff_t i; (i = claim(&t->next, 1, p->M, t->watch)) >= 0;) {
        s->theta = p->theta + i * p->C, s->q = p->q + i * p->C;
        memcpy(s->theta_0, s->theta, (size_t)p->C * sizeof(double));
        memcpy(s->q_0, s->q, (size_t)p->C * sizeof(double));
        solve_one(s, i);
        if (p->M > 1)
            s->n_order = 0; /* the next problem begins elsewhere */
    }
}

static void solve(const struct tw_gram_problem *p, int threads, struct tw_watch *watch, void *work) {
    arena a = arena_on(work);
    gram_team *t = gram_team_on(&a, p, threads);
    atomic_init(&t->next, 0);
    t->watch = watch;
    for (ptrdiff_t i = 0; i < p->M; i++)
        p->sweeps[i] = p->steps[i] = 0;
    tw_parallel(solve_part, t, t->threads, (int)t->threads, watch);
}

#endif
