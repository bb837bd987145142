/* small.h - a dense problem of few columns solved in one call, by rounds on a Gram matrix.
 *
 * It does what a caller would do call by call: means, squares and products of the columns; the certificate of
 * the start; the Gram matrix; its minimum; the residual, made anew from b; the certificate of the minimum.
 * With a matrix of some hundred numbers a call from Python costs more time than what it computes.
 *
 * Of many rows the Gram matrix costs most.  Where the first products show that few coordinates move, it is
 * made of the columns of these alone, and the certificate of all coordinates tells whether others have to
 * follow.
 *
 * Where most are expected to move, the Gram matrix of all columns is made at once, and two passes over A are
 * saved.  Columns that are not centred have their squares on its diagonal, and their products with b are
 * summed up while they are copied for it.  And the certificate at the end needs no residual where the
 * products follow from the Gram matrix with digits to spare: its gap then includes the rounding of the
 * matrix.
 */
#ifndef TW_LINEAR_SMALL_H
#define TW_LINEAR_SMALL_H

#include "base/arena.h"
#include "linear/gap.h"
#include "linear/moments.h"
#include "linear/products.h"
#include "linear/solve.h"

typedef struct {
    struct tw_gram_problem gram;
    double mean, size, rr;               /* of b; b'Wb, b less its mean; r'Wr */
    double error;                        /* product_j is right to `error` times the length of column j */
    double *target, *residual, *u;       /* [n] b less its mean, r, Wr */
    double *product, *square, *reach;    /* [P] */
    double *theta_0, *product_0;         /* [P] at the start of a round */
    double *G;                           /* [P][P] */
    int has_gram;                        /* G has been made, of all columns */
    void *look, *pass, *gram_of, *solve; /* workspace of each call */
    struct tw_chosen all;
    struct tw_chosen part;              /* the coordinates that a round over some of them may move */
    ptrdiff_t *listed, *taken;          /* [P] their numbers; those of coordinates that are not 0 */
    char *inside;                       /* [P] whether a coordinate belongs to the part */
    double *l1, *l2, *lower, *upper;    /* [P] what is known of the coordinates of the part */
    double *reach_of, *theta_of, *q_of; /* [P] their reach, theta and product */
    double *step;                       /* [P] theta of the coordinates that are `taken` */
} small;

/* The certificate at the end is taken from the Gram matrix if A has so many elements that a pass over them
 * takes longer than all that is done for each round, and if r'Wr is right to so many parts. */
enum { MANY = 1 << 16 };
static const double DIGITS = 1e-8;

/* Rounds over some of the coordinates are made if these are at most 3/4 of all, as their Gram matrix then
 * takes little more than half the time, and at most twice, as a third set is seldom the last one. */
enum { PART = 3, WHOLE = 4, PART_ROUNDS = 2 };

/* Columns that have nothing to do with r have slopes of about |A_j| |r| / sqrt(n), normally distributed: half
 * of them are larger than HALF times that.  The length |A_j| is estimated from the first LOOK_ROWS rows. */
enum { LOOK_ROWS = 64 };
static const double HALF = 0.67;

static int has_many(const struct tw_small_problem *p) { return p->columns.n * p->columns.P >= MANY; }

static small *small_on(arena *a, const struct tw_small_problem *p) {
    const struct tw_columns *c = &p->columns;
    const ptrdiff_t n = c->n, P = c->P;
    TAKE_ROOT(a, small, s);
    s->all = (struct tw_chosen){NULL, P};
    s->gram = (struct tw_gram_problem){.C = P, .M = 1, .row_step = P, .each = p->each, .rounds = p->rounds};
    s->target = TAKE(a, double, n), s->residual = TAKE(a, double, n), s->u = TAKE(a, double, n);
    s->product = TAKE(a, double, P), s->square = TAKE(a, double, P), s->reach = TAKE(a, double, P);
    s->theta_0 = TAKE(a, double, P), s->product_0 = TAKE(a, double, P);
    s->G = TAKE(a, double, P *P);
    s->listed = TAKE(a, ptrdiff_t, P), s->taken = TAKE(a, ptrdiff_t, P), s->inside = TAKE(a, char, P);
    double **of_part[] = {&s->l1,       &s->l2,       &s->lower, &s->upper,
                          &s->reach_of, &s->theta_of, &s->q_of,  &s->step};
    for (size_t k = 0; k < sizeof of_part / sizeof *of_part; k++)
        *of_part[k] = TAKE(a, double, P);
    s->look = TAKE(a, char, moments_work(c, p->threads));
    s->pass = TAKE(a, char, residual_work(c, &s->all, &s->all, p->threads));
    s->gram_of = TAKE(a, char, largest_gram_work(c, &s->all, 0));
    s->solve = TAKE(a, char, solve_work(&s->gram, 1));
    return place;
}

static size_t small_work(const struct tw_small_problem *p) {
    arena a = arena_on(NULL);
    small_on(&a, p);
    return arena_size(&a);
}

/* ---- residuals and certificates ---------------------------------------------------------------- */

/* u = Wr, and r'Wr. */
static void weigh(const struct tw_small_problem *p, small *s) {
    const double *w = p->columns.weights;
    for (ptrdiff_t i = 0; i < p->columns.n; i++)
        s->u[i] = w ? w[i] * s->residual[i] : s->residual[i];
    s->rr = times(p->columns.n, s->u, s->residual);
}

/* Make the residual and its products anew from b. */
static void renew(const struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    struct tw_chosen taken = {s->taken, 0};
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        if (p->theta[j] != 0)
            s->taken[taken.m] = j, s->step[taken.m++] = p->theta[j];
    memcpy(s->residual, s->target, (size_t)p->columns.n * sizeof(double));
    residual(&p->columns, &taken, s->step, &s->all, p->threads, watch, s->pass, s->residual, s->product);
    weigh(p, s);
    s->error = 0;
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        if (s->square[j] == 0)
            s->product[j] = 0;
}

static struct tw_small_state certified(const struct tw_small_problem *p, const small *s, ptrdiff_t working) {
    struct tw_small_state now = {.working = working};
    now.found = certificate(&s->all, &p->each, s->reach, s->square, p->theta, s->product, s->rr, s->error);
    now.objective = 0.5 * s->rr + now.found.penalty;
    return now;
}

/* The products and r'Wr of theta by the Gram matrix, and their error; returns whether r'Wr has its digits.
 *
 * An element of G, of columns i and j, is a sum of n numbers, a block of rows after the other, and wrong by
 * no more than eps |A_i| |A_j| for each addition that a number takes part in; so are the products with b. */
static int follow_gram(const struct tw_small_problem *p, small *s, double rr) {
    const ptrdiff_t P = p->columns.P;
    const double additions = (double)(BLOCK_ROWS + p->columns.n / BLOCK_ROWS + P + DL);
    double way = 0, fall = 0;
    memcpy(s->product, s->product_0, (size_t)P * sizeof(double));
    for (ptrdiff_t j = 0; j < P; j++) {
        if (p->theta[j] != s->theta_0[j])
            add_times(P, s->theta_0[j] - p->theta[j], s->G + j * P, s->product);
        way += sqrt(s->square[j]) * (fabs(p->theta[j]) + fabs(s->theta_0[j]));
    }
    for (ptrdiff_t j = 0; j < P; j++)
        fall += (p->theta[j] - s->theta_0[j]) * (s->product_0[j] + s->product[j]);
    s->error = additions * DBL_EPSILON * (sqrt(s->size) + way);
    s->rr = rr - fall;
    return 2 * way * s->error <= DIGITS * s->rr;
}

/* Certify the end of a round whose Gram matrix began with r'Wr = rr: by that matrix if it is enough to reach
 * the gap, else by the residual. */
static struct tw_small_state certified_round(const struct tw_small_problem *p, small *s, double rr,
                                             ptrdiff_t working, struct tw_watch *watch) {
    if (has_many(p) && follow_gram(p, s, rr)) {
        const struct tw_small_state now = certified(p, s, working);
        if (now.found.gap <= p->wanted && !now.found.conditional)
            return now;
    }
    renew(p, s, watch);
    return certified(p, s, working);
}

/* The intercept, which is the mean of b - A theta. */
static double constant_of(const struct tw_small_problem *p, const small *s) {
    double constant = s->mean;
    for (ptrdiff_t j = 0; j < p->columns.P && p->mean; j++)
        constant -= p->theta[j] == 0 ? 0 : p->mean[j] * p->theta[j];
    return constant;
}

/* ---- the two halves of the call ---------------------------------------------------------------- */

/* Set target and residual to b less its mean: the residual of theta = 0. */
static void centre(const struct tw_small_problem *p, small *s) {
    const ptrdiff_t n = p->columns.n;
    const double *w = p->columns.weights, weight = w ? sum_of(n, w) : (double)n;
    s->mean = p->mean && weight > 0 ? (w ? times(n, w, p->b) : sum_of(n, p->b)) / weight : 0;
    for (ptrdiff_t i = 0; i < n; i++)
        s->target[i] = s->residual[i] = p->b[i] - s->mean;
    weigh(p, s);
}

/* Move theta into its bounds; returns how many of its coordinates are not 0. */
static ptrdiff_t place_start(const struct tw_small_problem *p, const small *s) {
    ptrdiff_t placed = 0;
    for (ptrdiff_t j = 0; j < p->columns.P; j++) {
        const double start =
            s->square[j] > 0 ? p->theta[j] : 0; /* with a column of zeros the penalty alone decides */
        p->theta[j] = clipped(start, p->each.lower[j], p->each.upper[j]);
        placed += p->theta[j] != 0;
    }
    return placed;
}

/* Does theta begin at 0, so that a round is likely to be made? */
static int starts_at_zero(const struct tw_small_problem *p) {
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        if (p->theta[j] != 0)
            return 0;
    return p->max_iter > 0;
}

/* Are at least half of the coordinates expected to move, though they may have nothing to do with b? */
static int most_move(const struct tw_small_problem *p, const small *s) {
    const struct tw_columns *c = &p->columns;
    const ptrdiff_t rows = least(c->n, LOOK_ROWS);
    ptrdiff_t moving = 0;
    for (ptrdiff_t j = 0; j < c->P; j++) {
        double square = 0;
        for (ptrdiff_t i = 0; i < rows; i++) {
            const double a = (double)((const real *)c->A)[i * c->row_step + j * c->column_step];
            square += weight_of(c, i) * a * a;
        }
        moving += p->each.l1[j] <= HALF * sqrt(square / (double)rows * s->size);
    }
    return 2 * moving >= c->P;
}

/* Means, squares and products of the columns, with the Gram matrix if that takes no pass of its own. */
static tw_linear_status look_at_columns(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    const ptrdiff_t P = p->columns.P;
    ptrdiff_t where;
    struct tw_moments out = {p->mean, s->square, s->product, &where};
    s->has_gram = !p->mean && starts_at_zero(p) && (!has_many(p) || most_move(p, s));
    if (!s->has_gram)
        return moments(&p->columns, s->u, p->threads, watch, s->look, &out);
    dense_gram(&p->columns, &s->all, 0, 0, s->u, s->product, p->threads, watch, s->gram_of, s->G, P);
    for (ptrdiff_t j = 0; j < P; j++)
        s->square[j] = s->G[j * P + j];
    return checked_squares(&p->columns, &out);
}

/* Whether the weighted sum of squares of x is out of range; it is 0, too, where all squares are too small. */
static int is_out_of_range(const struct tw_small_problem *p, double square, const double *x) {
    int most_said = 0;
    for (ptrdiff_t i = 0; i < p->columns.n && square == 0 && most_said < 2; i++) {
        const int said = says(weight_of(&p->columns, i), x[i]);
        most_said = said > most_said ? said : most_said;
    }
    return is_beyond(square) || most_said == 1;
}

/* Compute means, squares and products of the columns, and certify the start. */
static tw_linear_status look_at_all(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    centre(p, s);
    const double size = s->rr;
    s->size = size, s->error = 0;
    if (is_out_of_range(p, size, s->target))
        return TW_LINEAR_SCALE;
    const tw_linear_status status = look_at_columns(p, s, watch);
    if (status || tw_stopped(watch))
        return status;
    p->columns.mean = p->mean;
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        s->reach[j] = s->square[j] > 0 ? sqrt(size) / sqrt(s->square[j]) : 0;
    const ptrdiff_t placed = place_start(p, s);
    if (placed)
        renew(p, s, watch);
    if (size == 0 && is_out_of_range(p, s->rr, s->residual)) /* the gap is compared with this start's F */
        return TW_LINEAR_SCALE;
    p->state[0] = certified(p, s, placed);
    p->wanted = p->tol * (size > 0 ? 0.5 * size : p->state[0].objective);
    return TW_LINEAR_OK;
}

/* Make the Gram matrix of all columns.  A column that is constant to rounding gets products of exactly 0. */
static void make_gram(const struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    const ptrdiff_t P = p->columns.P;
    if (!s->has_gram)
        gram(&p->columns, &s->all, 0, 0, p->threads, watch, s->gram_of, s->G, P);
    for (ptrdiff_t j = 0; j < P; j++)
        for (ptrdiff_t k = 0; k < P && s->square[j] == 0; k++)
            s->G[j * P + k] = s->G[k * P + j] = 0;
}

/* Minimise on the Gram matrix G of C coordinates until their gap is the target. */
static void minimise(struct tw_small_problem *p, small *s, ptrdiff_t C, const struct tw_coordinates *each,
                     const double *reach, double target, double *theta, double *q, struct tw_watch *watch) {
    const ptrdiff_t sweeps = p->sweeps, steps = p->steps;
    double gap;
    s->gram.C = C, s->gram.each = *each, s->gram.reach = reach;
    s->gram.gram = s->G, s->gram.rank = most(p->columns.n - (p->mean != NULL), 1);
    s->gram.square = &s->rr, s->gram.target = &target, s->gram.gap = &gap;
    s->gram.theta = theta, s->gram.q = q;
    s->gram.sweeps = &p->sweeps, s->gram.steps = &p->steps;
    solve(&s->gram, 1, watch, s->solve);
    p->sweeps += sweeps, p->steps += steps;
}

/* Minimise over all coordinates, on the Gram matrix of all columns, and certify what was found. */
static void round_of_all(struct tw_small_problem *p, small *s, double target, struct tw_watch *watch) {
    const double rr = s->rr;
    ptrdiff_t working = 0;
    memcpy(s->theta_0, p->theta, (size_t)p->columns.P * sizeof(double));
    memcpy(s->product_0, s->product, (size_t)p->columns.P * sizeof(double));
    minimise(p, s, p->columns.P, &p->each, s->reach, target, p->theta, s->product, watch);
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        working += s->square[j] > 0 && p->each.lower[j] < p->each.upper[j];
    p->state[++p->n_iter] = certified_round(p, s, rr, working, watch);
}

static int moves(const struct tw_small_problem *p, const small *s, ptrdiff_t j) {
    return coordinate_minimum(&p->each, j, s->square[j], s->product[j], p->theta[j]) != p->theta[j];
}

/* Take the coordinates that are off their minimum, the others at rest, into the part; returns whether it has
 * grown, and is still small. */
static int grow_part(const struct tw_small_problem *p, small *s) {
    const ptrdiff_t before = s->part.m;
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        if (!s->inside[j] && s->square[j] > 0 && moves(p, s, j))
            s->listed[s->part.m++] = j, s->inside[j] = 1;
    return s->part.m > before && WHOLE * s->part.m <= PART * p->columns.P;
}

/* Minimise over the coordinates of the part, of which `known` have their Gram matrix, and certify. */
static void round_of_part(struct tw_small_problem *p, small *s, ptrdiff_t known, double target,
                          struct tw_watch *watch) {
    const ptrdiff_t m = s->part.m;
    if (known < m)
        gram(&p->columns, &s->part, known, 0, p->threads, watch, s->gram_of, s->G, p->columns.P);
    for (ptrdiff_t k = 0; k < m; k++) {
        const ptrdiff_t j = s->listed[k];
        s->l1[k] = p->each.l1[j], s->l2[k] = p->each.l2[j];
        s->lower[k] = p->each.lower[j], s->upper[k] = p->each.upper[j];
        s->reach_of[k] = s->reach[j], s->theta_of[k] = p->theta[j], s->q_of[k] = s->product[j];
    }
    const struct tw_coordinates each = {s->l1, s->l2, s->lower, s->upper, p->each.relaxation};
    minimise(p, s, m, &each, s->reach_of, target, s->theta_of, s->q_of, watch);
    for (ptrdiff_t k = 0; k < m; k++)
        p->theta[s->listed[k]] = s->theta_of[k];
    renew(p, s, watch);
    p->state[++p->n_iter] = certified(p, s, m);
}

static int is_done(const struct tw_small_problem *p, struct tw_watch *watch) {
    return p->state[p->n_iter].found.gap <= p->wanted || p->n_iter >= p->max_iter || tw_stopped(watch);
}

/* Make rounds over the coordinates that move while these are few; returns whether that was enough. */
static int make_rounds_of_parts(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    if (s->has_gram || !has_many(p))
        return 0;
    s->part = (struct tw_chosen){s->listed, 0};
    memset(s->inside, 0, (size_t)p->columns.P);
    for (int k = 0; k < PART_ROUNDS && !is_done(p, watch); k++) {
        const ptrdiff_t known = s->part.m;
        if (!grow_part(p, s))
            return 0;
        round_of_part(p, s, known, p->part * p->wanted, watch);
    }
    return is_done(p, watch);
}

/* Make rounds, and one more where the data alone determine all coordinates that move, as in plain least
 * squares: the gap then rests on an assumption about theta (gap.h), and another round costs little.  See
 * AGAIN in src/thalweg/linear/descent.py. */
static void make_rounds(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    const int of_part = make_rounds_of_parts(p, s, watch);
    if (!of_part) {
        make_gram(p, s, watch);
        round_of_all(p, s, p->part * p->wanted, watch);
    }
    const struct tw_small_state *now = &p->state[p->n_iter];
    const int is_plain = now->found.unheld == now->working;
    if (!is_plain || now->found.gap > p->wanted || p->n_iter >= p->max_iter || tw_stopped(watch))
        return;
    const double target = p->again * now->found.gap;
    if (of_part)
        round_of_part(p, s, s->part.m, target, watch);
    else
        round_of_all(p, s, target, watch);
}

static tw_linear_status solve_small(struct tw_small_problem *p, struct tw_watch *watch, void *work) {
    arena a = arena_on(work);
    small *s = small_on(&a, p);
    p->n_iter = 0, p->sweeps = p->steps = 0;
    const tw_linear_status status = look_at_all(p, s, watch);
    if (status || tw_stopped(watch))
        return status;
    if (p->state[0].found.gap > p->wanted && p->max_iter > 0)
        make_rounds(p, s, watch);
    p->constant = constant_of(p, s);
    return TW_LINEAR_OK;
}

#endif
