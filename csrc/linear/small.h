/* small.h - a small dense problem solved in one call, by one or two rounds on the Gram matrix of all columns.
 *
 * It does what a caller would do call by call: means, squares and products of the columns; the certificate of
 * the start; the Gram matrix; its minimum; the residual, made anew from b; the certificate of the minimum.
 * With a matrix of some hundred numbers a call from Python costs more time than what it computes.
 *
 * Of many rows the passes over A cost most, and two of them are saved.  Columns that are not centred have
 * their squares on the diagonal of the Gram matrix, and their products with b are summed up while they are
 * copied for it.  And the certificate at the end needs no residual where the products follow from the Gram
 * matrix with digits to spare: its gap then includes the rounding of the matrix.
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
    int has_gram;                        /* G has been made */
    void *look, *pass, *gram_of, *solve; /* workspace of each call */
    struct tw_chosen all;
} small;

/* The certificate at the end is taken from the Gram matrix if A has so many elements that a pass over them
 * takes longer than all that is done for each round, and if r'Wr is right to so many parts. */
enum { MANY = 1 << 16 };
static const double DIGITS = 1e-8;

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
    s->look = TAKE(a, char, moments_work(c, p->threads));
    s->pass = TAKE(a, char, residual_work(c, &s->all, &s->all, p->threads));
    s->gram_of = TAKE(a, char, gram_work(c, &s->all, 0, p->threads));
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
    memcpy(s->residual, s->target, (size_t)p->columns.n * sizeof(double));
    residual(&p->columns, &s->all, p->theta, &s->all, p->threads, watch, s->pass, s->residual, s->product);
    weigh(p, s);
    s->error = 0;
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        if (s->square[j] == 0)
            s->product[j] = 0;
}

static struct tw_small_state certified(const struct tw_small_problem *p, const small *s, ptrdiff_t working) {
    struct tw_small_state now = {.working = working};
    now.found =
        certificate(p->columns.P, &p->each, s->reach, s->square, p->theta, s->product, s->rr, s->error);
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
    if (p->columns.n * p->columns.P >= MANY && follow_gram(p, s, rr)) {
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

/* Means, squares and products of the columns, with the Gram matrix if that takes no pass of its own. */
static tw_linear_status look_at_columns(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    const ptrdiff_t P = p->columns.P;
    ptrdiff_t where;
    struct tw_moments out = {p->mean, s->square, s->product, &where};
    s->has_gram = !p->mean && starts_at_zero(p);
    if (!s->has_gram)
        return moments(&p->columns, s->u, p->threads, watch, s->look, &out);
    dense_gram(&p->columns, &s->all, 0, 0, s->u, s->product, p->threads, watch, s->gram_of, s->G, P);
    for (ptrdiff_t j = 0; j < P; j++)
        s->square[j] = s->G[j * P + j];
    return checked_squares(P, &out);
}

/* Compute means, squares and products of the columns, and certify the start. */
static tw_linear_status look_at_all(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    centre(p, s);
    const double size = s->rr;
    s->size = size, s->error = 0;
    const tw_linear_status status = look_at_columns(p, s, watch);
    if (status || tw_stopped(watch))
        return status;
    p->columns.mean = p->mean;
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        s->reach[j] = s->square[j] > 0 ? sqrt(size) / sqrt(s->square[j]) : 0;
    const ptrdiff_t placed = place_start(p, s);
    if (placed)
        renew(p, s, watch);
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

/* Minimise on the Gram matrix of all columns until its gap is the target, and certify what was found. */
static void round_of_all(struct tw_small_problem *p, small *s, double target, struct tw_watch *watch) {
    const double rr = s->rr;
    const ptrdiff_t sweeps = p->sweeps, steps = p->steps;
    double gap;
    ptrdiff_t working = 0;
    s->gram.gram = s->G, s->gram.reach = s->reach, s->gram.rank = most(p->columns.n - (p->mean != NULL), 1);
    s->gram.square = &rr, s->gram.target = &target, s->gram.gap = &gap;
    s->gram.theta = p->theta, s->gram.q = s->product;
    memcpy(s->theta_0, p->theta, (size_t)p->columns.P * sizeof(double));
    memcpy(s->product_0, s->product, (size_t)p->columns.P * sizeof(double));
    s->gram.sweeps = &p->sweeps, s->gram.steps = &p->steps;
    solve(&s->gram, 1, watch, s->solve);
    p->sweeps += sweeps, p->steps += steps;
    for (ptrdiff_t j = 0; j < p->columns.P; j++)
        working += s->square[j] > 0 && p->each.lower[j] < p->each.upper[j];
    p->state[++p->n_iter] = certified_round(p, s, rr, working, watch);
}

/* Make a round, and a second one where the data alone determine all coordinates, as in plain least squares:
 * the gap then rests on an assumption about theta (gap.h), and a second round costs little.  See AGAIN in
 * src/thalweg/linear/descent.py. */
static void make_rounds(struct tw_small_problem *p, small *s, struct tw_watch *watch) {
    make_gram(p, s, watch);
    round_of_all(p, s, p->part * p->wanted, watch);
    const struct tw_certificate *found = &p->state[1].found;
    const int is_plain = found->unheld == p->state[1].working;
    if (is_plain && found->gap <= p->wanted && p->max_iter > 1 && !tw_stopped(watch))
        round_of_all(p, s, p->again * found->gap, watch);
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
