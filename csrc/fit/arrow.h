/* arrow.h - the arrow-shaped normal equations of data sets that share parameters.
 *
 * Let d_m be the step of the local parameters of member m, and d that of the shared ones.  With the sums of
 * the member, A = J'J and g = J'e in their blocks l (local) and s (shared), and M = A_ll + lambda D_l^2,
 *
 *     M d_m + A_ls d = g_l        for each member,
 *     sum_m (A_sl d_m + A_ss d - g_s) + lambda D_s^2 d = 0.
 *
 * The first equation gives d_m = M^-1 (g_l - A_ls d); put into the second,
 *
 *     (sum_m (A_ss - A_sl M^-1 A_ls) + lambda D_s^2) d = sum_m (g_s - A_sl M^-1 g_l),
 *
 * S equations whatever the number of members (Schur complement; Nocedal and Wright, Numerical Optimization,
 * 2nd ed., section A.1).  With M = U D U', U lower triangular of unit diagonal, and y_c = U^-1 b for each
 * right-hand side b among the columns of A_ls and g_l,  b' M^-1 b' = y' D^-1 y':  HALF holds y, SOLVED first
 * D^-1 y and then M^-1 b.  A pivot that is mere rounding is left out, D^-1 = 0: then the columns of a member
 * that are no combinations of others do all that the others can.
 *
 * The step of a held parameter is given: its column moves to the right-hand side.
 *
 * Functions that take `o` work on one native vector of lanes: those that begin at lane o of the packet.
 */
#ifndef TW_ARROW_H
#define TW_ARROW_H

#include "fit/teams.h"

/* Element (i, j) of A */
TW_INLINE vec element_of(const packet *p, int i, int j, int o) {
    return LOAD(p->at[SUM], i > j ? tri(i, j) : tri(j, i));
}

TW_INLINE ivec held_at(const packet *p, int j, int o) { return (ivec)LOAD(p->at[HELD], j); }

/* g_j less what the given steps of held parameters change it by */
TW_INLINE vec right_side_of(const packet *p, int j, int o) {
    vec g = LOAD(p->at[SUM], tri(p->b->F, j));
    for (int i = 0; p->b->t.bounded && i < p->b->F; i++)
        g -= v_and(held_at(p, i, o), element_of(p, i, j, o) * LOAD(p->at[STEP], i));
    return g;
}

/* D_j^2; a column of J that was always 0 is damped as if D_j = 1. */
TW_INLINE vec scale_of(const packet *p, int j, int o) {
    const vec D2 = LOAD(p->at[SCALE2], j);
    return v_sel(D2 > 0, D2, v_set(1));
}

/* Put the factors U D of M into FACTOR and 1/D into PIVOT.  Where damping is 0 a pivot counts as rounding
 * below LOST_PIVOT times its diagonal element, else below WEAK_PIVOT times that. */
#define LOST_PIVOT PICK(0x1p-40, 0x1p-14)

static void factorise_local(const packet *p, int o) {
    const vec lambda = LOAD(p->at[LAMBDA], 0);
    const vec least = v_sel(lambda > 0, v_set(WEAK_PIVOT), v_set(LOST_PIVOT));
    const int32_t *local = p->b->local;
    real *factor = p->at[FACTOR], *pivot = p->at[PIVOT];
    for (int i = 0; i < p->b->L; i++) {
        const ivec held = held_at(p, local[i], o);
        for (int j = 0; j <= i; j++) {
            vec a = v_and(~(held | held_at(p, local[j], o)), element_of(p, local[i], local[j], o));
            if (i == j)
                a = v_sel(held, v_set(1), a + lambda * scale_of(p, local[i], o));
            const vec diagonal = a;
            for (int k = 0; k < j; k++)
                a -= LOAD(factor, tri(i, k)) * LOAD(factor, tri(j, k)) * LOAD(pivot, k);
            STORE(factor, tri(i, j), a);
            if (i == j)
                STORE(pivot, i, v_and(a > least * diagonal, 1 / a));
        }
    }
}

/* Solve M w = b for right-hand side c: a column of A_ls, or for c = S the vector g_l. */
static void solve_local(const packet *p, int c, int o) {
    const int L = p->b->L, S = p->b->S;
    const int32_t *local = p->b->local;
    const real *factor = p->at[FACTOR], *pivot = p->at[PIVOT];
    real *half = p->at[HALF] + (ptrdiff_t)c * L * LANES, *solved = p->at[SOLVED] + (ptrdiff_t)c * L * LANES;
    const int shared = c < S ? p->b->groups->shared[c] : -1;
    const ivec given = shared >= 0 ? held_at(p, shared, o) : (ivec){0};
    for (int i = 0; i < L; i++) {
        vec y = shared >= 0 ? element_of(p, local[i], shared, o) : right_side_of(p, local[i], o);
        y = v_and(~(given | held_at(p, local[i], o)), y);
        for (int k = 0; k < i; k++)
            y -= LOAD(factor, tri(i, k)) * LOAD(solved, k);
        STORE(half, i, y);
        STORE(solved, i, y * LOAD(pivot, i));
    }
    for (int i = L - 1; i >= 0; i--) {
        vec sum = {0};
        for (int k = i + 1; k < L; k++)
            sum += LOAD(factor, tri(k, i)) * LOAD(solved, k);
        STORE(solved, i, LOAD(solved, i) - sum * LOAD(pivot, i));
    }
}

/* b_c' M^-1 b_d of right-hand sides c and d */
TW_INLINE vec explained(const packet *p, int c, int d, int o) {
    const int L = p->b->L;
    const real *half = p->at[HALF];
    vec sum = {0};
    for (int i = 0; i < L; i++)
        sum += LOAD(half, c * L + i) * LOAD(half, d * L + i) * LOAD(p->at[PIVOT], i);
    return sum;
}

/* The square of the size of the model of a member, before terms in it cancel (as size2_of_model). */
TW_INLINE vec size2_of_member(const packet *p, int o) {
    vec size2 = LOAD(p->at[MAGNITUDE], 0);
    for (int j = 0; j < p->b->F; j++) {
        const vec theta = LOAD(p->at[THETA], p->b->job->tape->free_theta[j]);
        size2 = v_max(theta * theta * LOAD(p->at[SUM], tri(j, j)), size2);
    }
    return size2;
}

/* The rounding noise of a member's chi2 (as noise_of_chi2) */
TW_INLINE vec noise_of_member(const packet *p, vec size2, int o) {
    const vec chi2 = LOAD(p->at[SUM], tri(p->b->F, p->b->F));
    return 16 * REAL_EPS * chi2 + 2 * REAL_EPS * v_sqrt(chi2) * v_sqrt(size2);
}

/* The share of chi2 below which what is promised at a minimum must lie: LEVEL, or what tolerances allow. */
static real level_share(const tolerances *t) {
    const real gain = t->ftol > t->gtol * t->gtol ? t->ftol : t->gtol * t->gtol;
    const real share = SLACK * gain > t->xtol * t->xtol ? SLACK * gain : t->xtol * t->xtol;
    return share > LEVEL ? share : LEVEL;
}

/* What the local parameters of a member promise, where that is more than at a minimum; else 0. */
TW_INLINE vec unsettled_of(const packet *p, vec promised, int o) {
    const vec chi2 = LOAD(p->at[SUM], tri(p->b->F, p->b->F)), size2 = size2_of_member(p, o);
    const vec little = v_max(level_share(&p->b->t) * chi2, 10000 * REAL_EPS * REAL_EPS * size2);
    return v_and(~(promised <= v_max(little, noise_of_member(p, size2, o))), promised);
}

/* Eliminate the local parameters: write the triangle of the Schur complement, behind it its right-hand side
 * and what the local parameters alone promise, g_l' M^-1 g_l, and at last that if the member is unsettled. */
static void eliminate(bundle *b, evaluator *e, ptrdiff_t k) {
    (void)e;
    const packet p = packet_at(b, k);
    const int32_t *shared = b->groups->shared;
    for (int o = 0; o < LANES; o += VL) {
        const ivec alive = (ivec)LOAD(p.at[ALIVE], 0);
        factorise_local(&p, o);
        for (int c = 0; c <= b->S; c++)
            solve_local(&p, c, o);
        for (int c = 0; c < b->S; c++)
            for (int d = 0; d <= c; d++) {
                const vec A = element_of(&p, shared[c], shared[d], o) - explained(&p, c, d, o);
                STORE(p.at[SHARE], tri(c, d), v_and(alive, A));
            }
        for (int c = 0; c < b->S; c++) {
            const vec g = right_side_of(&p, shared[c], o) - explained(&p, c, b->S, o);
            STORE(p.at[SHARE], tri(b->S, c), v_and(alive, g));
        }
        const vec promised = explained(&p, b->S, b->S, o);
        STORE(p.at[SHARE], tri(b->S, b->S), v_and(alive, promised));
        STORE(p.at[SHARE], tri(b->S + 1, 0), v_and(alive, unsettled_of(&p, promised, o)));
    }
}

/* In the lanes of KEEP, hold a parameter where `held` or free it; its step is 0. */
TW_INLINE void hold(const packet *p, int j, ivec held, int o) {
    const ivec asked = (ivec)LOAD(p->at[KEEP], 0);
    STORE(p->at[HELD], j, v_sel(asked, (vec)held, LOAD(p->at[HELD], j)));
    STORE(p->at[STEP], j, v_and(~asked, LOAD(p->at[STEP], j)));
}

/* Hold the local parameters at a bound that descent would push through. */
static void hold_local(bundle *b, evaluator *e, ptrdiff_t k) {
    (void)e;
    const packet p = packet_at(b, k);
    for (int o = 0; o < LANES; o += VL)
        for (int i = 0; i < b->L; i++) {
            const int j = b->local[i], parameter = b->job->tape->free_theta[j];
            const vec theta = LOAD(p.at[THETA], parameter), descent = LOAD(p.at[SUM], tri(b->F, j));
            const ivec held = ((theta <= LOAD(p.at[LOWER], parameter)) & (descent <= 0)) |
                              ((theta >= LOAD(p.at[UPPER], parameter)) & (descent >= 0));
            hold(&p, j, held, o);
        }
}

/* Set the step of local parameter j; where it would leave the box it is cut at the bound, and held there.
 * Returns the lanes where it is cut. */
static ivec step_local(const packet *p, int i, int o) {
    const bundle *b = p->b;
    const int j = b->local[i], parameter = b->job->tape->free_theta[j], L = b->L;
    vec d = LOAD(p->at[SOLVED], b->S * L + i);
    for (int c = 0; c < b->S; c++)
        d -= LOAD(p->at[SOLVED], c * L + i) * LOAD(p->at[STEP], b->groups->shared[c]);
    const ivec held = held_at(p, j, o);
    d = v_sel(held, LOAD(p->at[STEP], j), d);
    ivec outside = {0};
    if (b->t.bounded) {
        const vec theta = LOAD(p->at[THETA], parameter), target = theta + d;
        const vec lower = LOAD(p->at[LOWER], parameter), upper = LOAD(p->at[UPPER], parameter);
        const ivec below = target<lower, above = target> upper;
        outside = (below | above) & ~held;
        d = v_sel(outside, v_sel(below, lower, upper) - theta, d);
        STORE(p->at[HELD], j, (vec)(held | outside));
    }
    STORE(p->at[STEP], j, d);
    return outside;
}

/* Set the trial to theta + step; a parameter whose step was cut lands on its bound exactly. */
static void set_trial_of(const packet *p, int o) {
    for (int j = 0; j < p->b->F; j++) {
        const int parameter = p->b->job->tape->free_theta[j];
        const ivec held = held_at(p, j, o);
        const vec d = LOAD(p->at[STEP], j);
        vec trial = LOAD(p->at[THETA], parameter) + d;
        trial = v_sel(held & (d > 0), LOAD(p->at[UPPER], parameter), trial);
        trial = v_sel(held & (d < 0), LOAD(p->at[LOWER], parameter), trial);
        STORE(p->at[TRIAL], parameter, trial);
    }
}

/* 1 in the lanes where some local step is not small (as small_step), else 0 */
static vec long_steps(const packet *p, int o) {
    const real xtol = p->b->t.xtol;
    const vec limit = xtol * xtol * LOAD(p->at[SUM], tri(p->b->F, p->b->F));
    ivec small = ~(ivec){0};
    for (int i = 0; i < p->b->L; i++) {
        const int j = p->b->local[i];
        const vec theta = LOAD(p->at[THETA], p->b->job->tape->free_theta[j]);
        const vec excess = v_abs(LOAD(p->at[STEP], j)) - xtol * v_abs(theta);
        small &= (excess <= 0) | (excess * excess * LOAD(p->at[SCALE2], j) <= limit);
    }
    return v_and(~small, v_set(1));
}

/* Find the local steps from the shared ones, and the trial.  Written are the reduction of chi2 that the step
 * promises, 2 d'g - d'A d; d'g; the square of the length |D d| of the local step; how many members have a
 * step that is cut, and how many one that is not small. */
static void find_local_steps(bundle *b, evaluator *e, ptrdiff_t k) {
    (void)e;
    const packet p = packet_at(b, k);
    for (int o = 0; o < LANES; o += VL) {
        vec gain = {0}, loss = {0}, length2 = {0};
        ivec cut = {0};
        for (int i = 0; i < b->L; i++) {
            cut |= step_local(&p, i, o);
            const vec d = LOAD(p.at[STEP], b->local[i]);
            length2 += v_and(~held_at(&p, b->local[i], o), d * d * scale_of(&p, b->local[i], o));
        }
        set_trial_of(&p, o);
        for (int i = 0; i < b->F; i++) {
            const vec d = LOAD(p.at[STEP], i);
            gain += d * LOAD(p.at[SUM], tri(b->F, i));
            for (int j = 0; j < i; j++)
                loss += 2 * d * LOAD(p.at[STEP], j) * LOAD(p.at[SUM], tri(i, j));
            loss += d * d * LOAD(p.at[SUM], tri(i, i));
        }
        const ivec alive = (ivec)LOAD(p.at[ALIVE], 0);
        const vec share[] = {2 * gain - loss, gain, length2, v_and(cut, v_set(1)), long_steps(&p, o)};
        for (int row = 0; row < 5; row++)
            STORE(p.at[SHARE], row, v_and(alive, share[row]));
    }
}

/* Evaluate the trials of a packet's members. */
static void evaluate_members(const bundle *b, const evaluator *e, const packet *p, ptrdiff_t k) {
    const ptrdiff_t T = tri(b->F + 1, 0);
    if (e->lanes) {
        group *g = e->lanes;
        g->y = p->at[Y], g->weight = p->at[WEIGHT], g->partial = b->groups->partial;
        g->s.trial = p->at[TRIAL], g->s.trial_sum = p->at[TRIAL_SUM];
        if (b->own_x)
            memcpy(g->m.point, p->at[POINTS], (size_t)(b->rows[POINTS] * LANES) * sizeof(real));
        evaluate_group(g);
        return;
    }
    single_fit *one = e->one;
    for (int lane = 0; lane < LANES; lane++) {
        const ptrdiff_t place = k * LANES + lane;
        if (place >= b->n_places || !mask_at(b, ALIVE, place, 0))
            continue;
        one->fit = b->fit_at[place];
        if (b->own_x)
            run_point_code_watched(&one->workers->m, b->job->n_points, b->job->x, b->job->x_step, one->fit,
                                   b->watch);
        for (int j = 0; j < b->P; j++)
            one->s.trial[j * LANES] = p->at[TRIAL][j * LANES + lane];
        evaluate_trial(one);
        for (ptrdiff_t t = 0; t < T; t++)
            p->at[TRIAL_SUM][t * LANES + lane] = one->s.trial_sum[t * LANES];
    }
}

/* Evaluate the trials.  Written are chi2, NaN where a sum is not finite; its fall; and for the shared
 * parameters the diagonal of A and g. */
static void evaluate(bundle *b, evaluator *e, ptrdiff_t k) {
    const packet p = packet_at(b, k);
    const int32_t *shared = b->groups->shared;
    const ptrdiff_t last = tri(b->F, b->F);
    evaluate_members(b, e, &p, k);
    for (int o = 0; o < LANES; o += VL) {
        const ivec alive = (ivec)LOAD(p.at[ALIVE], 0);
        const vec chi2 = LOAD(p.at[TRIAL_SUM], last);
        vec trace = chi2;
        for (int j = 0; j < b->F; j++)
            trace += LOAD(p.at[TRIAL_SUM], tri(j, j));
        const vec trial = v_sel(v_finite(trace), chi2, v_set((real)NAN));
        STORE(p.at[SHARE], 0, v_and(alive, trial));
        STORE(p.at[SHARE], 1, v_and(alive, LOAD(p.at[SUM], last) - trial));
        for (int c = 0; c < b->S; c++) {
            STORE(p.at[SHARE], 2 + c, v_and(alive, LOAD(p.at[TRIAL_SUM], tri(shared[c], shared[c]))));
            STORE(p.at[SHARE], 2 + b->S + c, v_and(alive, LOAD(p.at[TRIAL_SUM], tri(b->F, shared[c]))));
        }
    }
}

/* Take the trial as the new theta in the lanes of KEEP.  Written is the rounding noise of chi2. */
static void keep_trials(bundle *b, evaluator *e, ptrdiff_t k) {
    (void)e;
    const packet p = packet_at(b, k);
    for (int o = 0; o < LANES; o += VL) {
        const ivec kept = (ivec)LOAD(p.at[KEEP], 0);
        for (int j = 0; j < b->P; j++)
            STORE(p.at[THETA], j, v_sel(kept, LOAD(p.at[TRIAL], j), LOAD(p.at[THETA], j)));
        for (ptrdiff_t t = 0; t < tri(b->F + 1, 0); t++)
            STORE(p.at[SUM], t, v_sel(kept, LOAD(p.at[TRIAL_SUM], t), LOAD(p.at[SUM], t)));
        for (int j = 0; j < b->F; j++)
            STORE(p.at[SCALE2], j, v_max(LOAD(p.at[SUM], tri(j, j)), LOAD(p.at[SCALE2], j)));
        const vec noise = noise_of_member(&p, size2_of_member(&p, o), o);
        STORE(p.at[SHARE], 0, v_and((ivec)LOAD(p.at[ALIVE], 0), noise));
    }
}

/* Take a step that the model has not been evaluated at in the lanes of KEEP: chi2 is then what the step,
 * whose promise find_local_steps has written, leaves of it. */
static void take_unseen(bundle *b, evaluator *e, ptrdiff_t k) {
    (void)e;
    const packet p = packet_at(b, k);
    const ptrdiff_t last = tri(b->F, b->F);
    for (int o = 0; o < LANES; o += VL) {
        const ivec kept = (ivec)LOAD(p.at[KEEP], 0);
        for (int j = 0; j < b->P; j++)
            STORE(p.at[THETA], j, v_sel(kept, LOAD(p.at[TRIAL], j), LOAD(p.at[THETA], j)));
        const vec chi2 = LOAD(p.at[SUM], last), left = v_max(chi2 - LOAD(p.at[SHARE], 0), v_set(0));
        STORE(p.at[SUM], last, v_sel(kept, left, chi2));
    }
}

#endif
