/* damped.h - damped least squares (Levenberg, Marquardt) on a group of lanes, one fit per lane.
 *
 * With e the weighted residual and J the weighted Jacobian at theta, a step d solves
 *
 *     (J'J + lambda D^2) d = J'e,       D_j^2 = largest (J'J)_jj seen so far,
 *
 * which is the same step in any unit of any parameter (More 1978, "The Levenberg-Marquardt
 * algorithm", section 5).  It promises the reduction  d'J'e + lambda d'D^2 d  of chi2; the gain
 * ratio rho = actual / promised decides whether the step is kept and how lambda goes on:
 * lambda max(1/10, 1 - (2 rho - 1)^3) after a good step (Nielsen 1999, "Damping parameter in
 * Marquardt's method").
 *
 * After the first rejection the length |D d| of a step is limited by delta, the radius of a region in
 * which the linear model is trusted: a rejected step is shortened to where a parabola through chi2, its
 * slope and the rejected chi2 has its minimum, between a tenth and a half of it (More 1978, section 4).
 * A fit none of whose trials is rejected never meets the region.
 *
 * Below its rounding noise chi2 cannot tell good steps from bad ones, though the gradient still
 * can: a step that promises less than the noise is kept unless chi2 rises by more than the noise above
 * the smallest chi2 seen.  That is worth three more digits of theta.  The noise is that at the smallest
 * chi2, so that a fit cannot drift away along a direction in which rounding is all that changes.
 *
 * Bounds: a parameter at its bound is held while descent points outwards, and free again as soon as
 * it does not.  A step that would leave the box is solved again with the offending parameters set
 * to their bounds, until none offends.
 *
 * Every test is relative: chi2, x, y, sigma and each parameter may be measured in any unit.
 *
 * Functions that take `o` work on one native vector of lanes: those that begin at lane o of the group.
 */
#ifndef TW_DAMPED_H
#define TW_DAMPED_H

#include "fit/certificate.h"
#include "fit/range.h"

/* A fit ends after more than MOST_IDLE consecutive trials whose promised and actual reductions of chi2 are
 * both below its rounding noise.  A fit that `confirm` has resumed TRUST times in a row without a fall of
 * chi2 is not resumed again. */
enum { MOST_IDLE = 64 };
enum { TRUST = 4 };
#define UNDAMPED ((real)1e-8) /* a lambda up to UNDAMPED changes no digit of a step that matters */
/* A step ends the fit without being tried if it is at most FAST times as long as the step before and promises
 * at most EARLY ftol chi2, and EARLIEST chi2 (early_ftol). */
#define FAST ((real)0.2)
#define EARLY ((real)1e2)
#define EARLIEST PICK(1e-10, 1e-5)
/* A step that is taken without a trial promises at most LAST_STEP chi2 / dof, and its |D d| is at most
 * UNSEEN |e| (may_be_unseen). */
#define LAST_STEP ((real)1e-6)
#define UNSEEN ((real)1e-3)
/* A fit is slow if chi2 falls by less than this share of chi2 / dof over its marks (look_back): SLOW_FALL in
 * the first attempt, REGION_SLOW_FALL in the second, LAST_SLOW_FALL in the last. */
#define SLOW_FALL ((real)1e-3)
#define REGION_SLOW_FALL ((real)1e-4)
#define LAST_SLOW_FALL PICK(1e-6, 1e-4)
#define LEAST_DEFINITE ((real)1e-3) /* the least lambda of a matrix that was indefinite with less */

/* The square of the size of the model before terms in it cancel: the largest of |theta_j J_j|^2 and
 * sum (y/sigma)^2. */
TW_INLINE vec size2_of_model(const fits *s, int o) {
    vec size2 = LOAD(s->magnitude, 0);
    for (int j = 0; j < s->F; j++) {
        const vec theta = LOAD(s->theta, s->free_theta[j]);
        size2 = v_max(theta * theta * LOAD(s->sum, tri(j, j)), size2);
    }
    return size2;
}

/* The rounding noise of chi2 = |e|^2: that of the sum, and 2 eps |e| times the size of the model, which is
 * what rounding of y and f changes e = y - f by. */
TW_INLINE vec noise_by_size(const fits *s, vec size2, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    return 16 * REAL_EPS * chi2 + 2 * REAL_EPS * v_sqrt(chi2 * size2);
}

TW_INLINE vec noise_of_chi2(const fits *s, int o) { return noise_by_size(s, size2_of_model(s, o), o); }

/* The square of the size of the model by which a promise is judged.  For counts that is sum y: a point of a
 * mean near 0 has a large a, but hardly any part in chi2. */
TW_INLINE vec size2_of_promise(const fits *s, int o) {
    return s->counts ? LOAD(s->magnitude, 0) : size2_of_model(s, o);
}

/* The noise of chi2 below which a promise says nothing. */
TW_INLINE vec noise_of_promise(const fits *s, int o) {
    return s->counts ? noise_by_size(s, size2_of_promise(s, o), o) : LOAD(s->noise, 0);
}

/* Is |d_j| <= xtol (|theta_j| + |e| / D_j) for each j?  To need neither roots nor quotients, the excess of
 * |d_j| over xtol |theta_j| is compared with xtol |e| / D_j by their squares.  The step of a parameter held
 * at a bound is 0. */
TW_INLINE ivec small_step(const fits *s, real xtol, vec chi2, int o) {
    ivec small = ~(ivec){0};
    const vec limit = xtol * xtol * chi2;
    for (int j = 0; j < s->F; j++) {
        const vec excess = v_abs(LOAD(s->step, j)) - xtol * v_abs(LOAD(s->theta, s->free_theta[j]));
        small &= (excess <= 0) | (excess * excess * LOAD(s->scale2, j) <= limit);
    }
    return small;
}

/* D_j^2; a column of J that was always 0 is damped as if D_j = 1. */
TW_INLINE vec damping_scale(const fits *s, int j, int o) {
    const vec D2 = LOAD(s->scale2, j);
    return v_sel(D2 > 0, D2, v_set(1));
}

/* The share of chi2 that the last step may promise where steps shrink fast: EARLY ftol, at most EARLIEST, but
 * never less than ftol. */
TW_INLINE real early_ftol(const tolerances *t) {
    const real early = EARLY * t->ftol < EARLIEST ? EARLY * t->ftol : EARLIEST;
    return early > t->ftol ? early : t->ftol;
}

/* May a step be taken without evaluating the model where it leads?  It must promise little, and be so short
 * that the model is linear along it: where columns are nearly parallel even a long step promises little. */
TW_INLINE ivec may_be_unseen(const fits *s, vec promised, vec length2, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    const vec little = v_max(LAST_STEP * chi2 / LOAD(s->dof, 0), LOAD(s->noise, 0));
    return (promised <= little) & (length2 <= UNSEEN * UNSEEN * chi2);
}

/* Is parameter j damped, and so counted in the length of a step?  Parameters that are put at their best by
 * variable projection are not. */
TW_INLINE int is_damped(const fits *s, int j) { return !s->projecting || !s->projected[j]; }

/* |D d|^2 of a step d, over `all` parameters or over those that are not held now */
TW_INLINE vec length2_of(const fits *s, const real *step, int all, int o) {
    vec length2 = {0};
    for (int j = 0; j < s->F; j++) {
        const vec d = LOAD(step, j);
        if (is_damped(s, j))
            length2 += v_and(all ? ~(ivec){0} : ~MASK(s->held, j), damping_scale(s, j, o) * d * d);
    }
    return length2;
}

TW_INLINE vec length2_of_step(const fits *s, int o) { return length2_of(s, s->step, 0, o); }

/* Remember theta and its sums in the lanes that leave the smallest chi2 for one that is larger within its
 * noise. */
static void remember_best(fits *s, ivec leaves, int o) {
    for (int j = 0; j < s->P; j++)
        STORE(s->best_theta, j, v_sel(leaves, LOAD(s->theta, j), LOAD(s->best_theta, j)));
    for (ptrdiff_t t = 0; t < s->n_sums; t++)
        STORE(s->best_sum, t, v_sel(leaves, LOAD(s->sum, t), LOAD(s->best_sum, t)));
    if (s->triangle && leaves[0])
        memcpy(s->best_triangle, s->triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
}

/* Put the lanes that have failed back to the theta of their smallest chi2. */
static void return_to_best(fits *s, int o) {
    const ptrdiff_t last = tri(s->F, s->F);
    const ivec status = MASK(s->status, 0);
    const ivec failed = (status == TW_MAX_ITER) | (status == TW_NO_PROGRESS) | (status == TW_DRIFT);
    const ivec back = failed & (LOAD(s->best_chi2, 0) < LOAD(s->sum, last));
    if (!v_any(back))
        return;
    for (int j = 0; j < s->P; j++)
        STORE(s->theta, j, v_sel(back, LOAD(s->best_theta, j), LOAD(s->theta, j)));
    for (ptrdiff_t t = 0; t < s->n_sums; t++)
        STORE(s->sum, t, v_sel(back, LOAD(s->best_sum, t), LOAD(s->sum, t)));
    if (s->triangle && back[0])
        memcpy(s->triangle, s->best_triangle, (size_t)tri(s->F + 1, 0) * sizeof(real));
}

/* Take the trial as the new theta where `kept`. */
static void keep_trial(fits *s, ivec kept, int o) {
    for (int j = 0; j < s->P; j++)
        STORE(s->theta, j, v_sel(kept, LOAD(s->trial, j), LOAD(s->theta, j)));
    for (ptrdiff_t t = 0; t < s->n_sums; t++)
        STORE(s->sum, t, v_sel(kept, LOAD(s->trial_sum, t), LOAD(s->sum, t)));
    for (int j = 0; j < s->F; j++) {
        STORE(s->moved, j, v_sel(kept, LOAD(s->step, j), LOAD(s->moved, j)));
        const vec trial = LOAD(s->trial_sum, tri(j, j)), before = LOAD(s->largest2, j);
        STORE(s->largest2, j, v_sel(kept, v_max(trial, before), before));
        if (s->largest2 != s->scale2) {
            const vec D2 = LOAD(s->scale2, j), now = s->projecting ? trial : v_max(trial, D2);
            STORE(s->scale2, j, v_sel(kept, now, D2));
        }
    }
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F)), noise = noise_of_chi2(s, o);
    const ivec best = kept & (chi2 <= LOAD(s->best_chi2, 0));
    STORE(s->noise, 0, noise);
    STORE(s->best_chi2, 0, v_sel(best, chi2, LOAD(s->best_chi2, 0)));
    STORE(s->best_noise, 0, v_sel(best, noise, LOAD(s->best_noise, 0)));
}

/* What a trial has shown. */
typedef struct {
    ivec kept, rejected, in_noise; /* in_noise: it promised no more than the rounding noise of chi2 */
    vec rho, actual, trial, chi2;  /* actual: chi2 - trial; trial, chi2: of the trial, and before it */
} verdict;

/* The factor by which a rejected step is to be shortened: where the parabola through chi2, its slope -2 d'J'e
 * along d, and the chi2 of the trial has its minimum; between 1/10 and 1/2. */
static vec shortening(const fits *s, const verdict *v, int o) {
    const vec tenth = v_set((real)0.1), half = v_set((real)0.5);
    vec slope = {0};
    for (int j = 0; j < s->F; j++)
        slope += LOAD(s->step, j) * LOAD(s->sum, tri(s->F, j));
    vec t = slope / (2 * slope - v->actual);
    t = v_sel(v_finite(v->trial) & (v->trial < 100 * v->chi2), t, tenth);
    t = v_sel(v->in_noise, half, t);
    t = v_sel(t > tenth, t, tenth); /* NaN too */
    return v_min(t, half);
}

/* Set the next radius of the region, before keep_trial changes the units D in which the step is measured. */
static void adapt_region(fits *s, const verdict *v, int o) {
    const vec delta = LOAD(s->delta, 0);
    if (!v_any(v->rejected | (delta <= REAL_MAX)))
        return;
    const vec length = v_sqrt(length2_of(s, s->step, 1, o)), t = shortening(s, v, o);
    vec next;
    if (s->projecting) { /* the region limits every step: More 1978, section 7 */
        const ivec poor = ~(v->rho > (real)0.25);
        const ivec good = (LOAD(s->lambda, 0) <= LOST_COLUMN * LOST_COLUMN) | (v->rho >= (real)0.75);
        const vec shorter = v_sel(v->actual > 0, v_set((real)0.5), t) * v_min(delta, 10 * length);
        next = v_sel(poor, shorter, v_sel(good, 2 * length, delta));
    } else {
        const vec wider = v_sel(v->rho > (real)0.25, v_max(delta, 2 * length), delta);
        next = v_sel(v->rejected, t * length, v_sel(v->kept, wider, delta));
    }
    STORE(s->delta, 0, v_sel(v->kept | v->rejected, next, delta));
}

/* Set the next damping from the gain ratio of the trial. */
static void adapt_damping(fits *s, const verdict *v, int o) {
    const vec lambda = LOAD(s->lambda, 0), q = 2 * v->rho - 1;
    const vec cubic = v_max(v_set((real)0.1), 1 - q * q * q);
    const vec down = v_max(lambda * v_sel(v->in_noise, v_set((real)0.1), cubic), v_set(LEAST_DAMPING));
    const vec up = v_min(2 * lambda, v_set(REAL_MAX / 4));
    STORE(s->lambda, 0, v_sel(v->kept, down, v_sel(v->rejected, up, lambda)));
}

/* Raise lambda, to LEAST_DEFINITE at least, in those lanes of the mask. */
static void damp_more(fits *s, ivec where, int o) {
    const vec lambda = LOAD(s->lambda, 0), more = v_max(10 * lambda, v_set(LEAST_DEFINITE));
    STORE(s->lambda, 0, v_sel(where, more, lambda));
}

/* Stop the lanes that have been idle for too long or have used up their trials. */
TW_INLINE void give_up(fits *s, const tolerances *t, int o) {
    stop(s, o, MASK(s->idle, 0) > MOST_IDLE, TW_NO_PROGRESS);
    stop(s, o, MASK(s->n_iter, 0) >= t->limit, TW_MAX_ITER);
}

/* The fall of chi2 below which a fit is slow. */
TW_INLINE vec slow_fall(const fits *s, const tolerances *t, vec chi2, int o) {
    const real share = t->last ? LAST_SLOW_FALL : s->projecting ? REGION_SLOW_FALL : SLOW_FALL;
    return share * chi2 / LOAD(s->dof, 0);
}

/* Note chi2 as a mark after every F + 1 kept trials, or one later if the sums of that trial may not end a
 * fit; a lane whose chi2 has hardly fallen since the earliest of its last MARKS marks stops as SLOW. */
static void look_back(fits *s, const tolerances *t, ivec moved, vec now, int o) {
    MASK(s->until_mark, 0) += moved; /* counts down, for a mask that is set is -1 */
    const ivec due = moved & (MASK(s->until_mark, 0) <= 0) & ~is_true(s, o);
    if (!v_any(due))
        return;
    stop(s, o, due & (LOAD(s->mark, MARKS - 1) - now < slow_fall(s, t, now, o)), SLOW);
    for (int k = MARKS - 1; k >= 0; k--)
        STORE(s->mark, k, v_sel(due, k ? LOAD(s->mark, k - 1) : now, LOAD(s->mark, k)));
    MASK(s->until_mark, 0) = (due & (s->F + 1)) | (~due & MASK(s->until_mark, 0));
}

/* Decide on the trial whose sums are in trial_sum: keep or reject it, adapt lambda and delta, and stop
 * the lanes that meet a tolerance.  A rejected trial never counts as convergence. */
static void judge(fits *s, const tolerances *t, int o) {
    const int F = s->F;
    const ptrdiff_t last = tri(F, F);
    const ivec running = MASK(s->status, 0) == RUNNING, fresh = MASK(s->fresh, 0) & running;
    const vec promised = LOAD(s->promised, 0), noise = LOAD(s->noise, 0);
    vec diagonal = LOAD(s->trial_sum, last);
    for (int j = 0; j < F; j++)
        diagonal += LOAD(s->trial_sum, tri(j, j));
    const ivec finite = v_finite(diagonal);
    verdict v = {.trial = LOAD(s->trial_sum, last), .chi2 = LOAD(s->sum, last)};
    v.actual = v.chi2 - v.trial;
    v.in_noise = promised <= noise;
    v.rho = v_sel(promised > 0, v.actual / promised, v_set(0));
    const ivec level = v.trial <= LOAD(s->best_chi2, 0) + LOAD(s->best_noise, 0);
    v.kept = running & ~fresh & finite & ((v.actual > 0) | (v.in_noise & level));
    v.rejected = running & ~fresh & ~v.kept;
    const ivec kept = v.kept | (fresh & finite);

    adapt_region(s, &v, o);
    adapt_damping(s, &v, o);
    const ivec leaves = v.kept & (v.trial > v.chi2) & (v.chi2 <= LOAD(s->best_chi2, 0));
    if (v_any(leaves))
        remember_best(s, leaves, o);
    keep_trial(s, kept, o);
    MASK(s->kept, 0) = kept;
    MASK(s->n_iter, 0) -= running & ~fresh; /* counts up, for a mask that is set is -1 */
    MASK(s->idle, 0) = (MASK(s->idle, 0) - (v.in_noise & running & ~fresh)) & ~(kept & (v.actual > noise));
    MASK(s->fresh, 0) = MASK(s->doubt, 0) = (ivec){0};

    const vec now = LOAD(s->sum, last);
    stop(s, o, fresh & ~finite, TW_NOT_FINITE);
    stop_out_of_range(s, t->scaled, fresh & finite, diagonal, o);
    stop(s, o, kept & (now <= 16 * REAL_EPS * REAL_EPS * LOAD(s->magnitude, 0)), TW_EXACT);
    const ivec fine = v.kept & ~is_coarse(s, o), unasked = fine & ~MASK(s->asked, 0);
    if (v_any(unasked))
        stop(s, o, unasked & small_step(s, t->xtol, now, o), TW_XTOL);
    stop(s, o, fine & (promised <= t->ftol * v.chi2) & (v.actual <= t->ftol * v.chi2), TW_FTOL);
    const ivec settled = (MASK(s->idle, 0) > MOST_IDLE) & (LOAD(s->lambda, 0) <= UNDAMPED);
    stop(s, o, fine & v.in_noise & settled, TW_FTOL); /* undamped steps wander within the noise */
    look_back(s, t, v.kept, now, o);
    certify(s, running & finite, t->bounded, o);
    give_up(s, t, o);
}

#endif
