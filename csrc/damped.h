/* damped.h - damped least squares (Levenberg, Marquardt) on a group of lanes, one fit per lane.
 *
 * With e the weighted residual and J the weighted Jacobian at theta, a step d solves
 *
 *     (J'J + lambda D^2) d = J'e,       D_j^2 = largest (J'J)_jj seen so far,
 *
 * which is the same step in any unit of any parameter (More 1978, "The Levenberg-Marquardt
 * algorithm", section 5).  It promises the reduction  d'J'e + lambda d'D^2 d  of chi2; the gain
 * ratio rho = actual / promised decides whether the step is kept and how lambda goes on:
 * lambda max(1/10, 1 - (2 rho - 1)^3) after a good step, else lambda nu with nu doubling (Nielsen
 * 1999, "Damping parameter in Marquardt's method").
 *
 * Below its rounding noise chi2 cannot tell good steps from bad ones, though the gradient still
 * can: a step that promises less than the noise is kept unless chi2 rises by more than the noise.
 * That is worth three more digits of theta.
 *
 * Bounds: a parameter at its bound is held while descent points outwards, and free again as soon as
 * it does not.  A step that would leave the box is solved again with the offending parameters set
 * to their bounds, until none offends.
 *
 * Every test is relative: chi2, x, y, sigma and each parameter may be measured in any unit.
 *
 * judge (here) and advance (step.h) are written for one native vector of lanes, `o` being its place in the
 * group.
 */
#ifndef TW_DAMPED_H
#define TW_DAMPED_H

#include <math.h>

#include "orthogonal.h"

/* Reasons a lane stops that the user does not see. */
enum { RUNNING = 0, ILL_CONDITIONED = 100 };

/* A parameter is determined up to this condition; a column whose R_jj is below LOST_COLUMN is a
 * combination of those before it. */
#define TRUSTED ((real)(sizeof(real) == 8 ? 1e10 : 1e5))
#define LOST_COLUMN (1 / (1000 * TRUSTED))

#define LEAST_DAMPING (REAL_MIN * 0x1p40)
#define FIRST_DAMPING ((real)1e-2)
#define CAREFUL_DAMPING ((real)1)  /* of the second attempt */
#define WEAK_PIVOT (64 * REAL_EPS) /* below it a step by Cholesky is worthless: J'J is singular */
enum { PATIENCE = 64 };            /* trials in a row that neither promise nor bring more than noise */
enum { TRUST = 4 };                /* times in a row that an undamped promise may prove vain */
#define UNDAMPED ((real)1e-8)      /* a damping that changes no step */

typedef struct {
    real xtol, ftol, gtol;
    int32_t max_iter;
    int bounded;
    int scaled; /* see range.h */
} tolerances;

/* A group of fits.  P parameters, F free ones; arrays [...][LANES]. */
typedef struct {
    int P, F;
    const int32_t *free_theta;                   /* [F] */
    real *start, *theta, *trial, *lower, *upper; /* [P] */
    real *sum, *trial_sum;                       /* triangle of F + 1: [J|e]'[J|e] at theta, at trial */
    real *first_theta, *first_sum;               /* where a first attempt ended; infinite chi2: none */
    real *scale2;                                /* [F] D^2 */
    real *step;                                  /* [F] trial - theta */
    real *promised, *lambda, *nu, *magnitude;    /* magnitude: sum of (y/sigma)^2 */
    mask_int *held;                              /* [F] not free in this step */
    mask_int *fresh, *second;                    /* the trial is the start; this is the second attempt */
    mask_int *status, *n_iter, *idle, *in_vain;  /* idle: see PATIENCE; in_vain: see confirm */
    real *resumed;                               /* chi2 when confirm last let the lane go on */
    real *factor, *pivot, *work;                 /* of a step: triangle of F; [F] 1/pivot; [2 F] */
    real *covariance, *unit; /* of a lane that stopped: triangle of F, scaled; [F] the scale */
    real *triangle;          /* orthogonal mode: R of lane 0; else NULL */
    real *rows, *small;      /* orthogonal mode: [F + 1][padded F] and triangle of F + 1 */
} fits;

static fits fits_on(arena *a, const tw_tape *t, int orthogonal) {
    const ptrdiff_t P = t->n_theta, F = t->n_free, L = LANES;
    fits s = {.P = (int)P, .F = (int)F, .free_theta = t->free_theta};
    s.start = TAKE(a, real, P * L), s.theta = TAKE(a, real, P * L), s.trial = TAKE(a, real, P * L);
    s.lower = TAKE(a, real, P * L), s.upper = TAKE(a, real, P * L);
    s.first_theta = TAKE(a, real, P * L), s.first_sum = TAKE(a, real, tri(F + 1, 0) * L);
    s.sum = TAKE(a, real, tri(F + 1, 0) * L), s.trial_sum = TAKE(a, real, tri(F + 1, 0) * L);
    s.scale2 = TAKE(a, real, F * L), s.step = TAKE(a, real, F * L);
    s.promised = TAKE(a, real, L), s.lambda = TAKE(a, real, L);
    s.nu = TAKE(a, real, L), s.magnitude = TAKE(a, real, L);
    s.held = TAKE(a, mask_int, F * L), s.fresh = TAKE(a, mask_int, L);
    s.status = TAKE(a, mask_int, L), s.n_iter = TAKE(a, mask_int, L);
    s.idle = TAKE(a, mask_int, L), s.second = TAKE(a, mask_int, L);
    s.in_vain = TAKE(a, mask_int, L), s.resumed = TAKE(a, real, L);
    s.factor = TAKE(a, real, tri(F, 0) * L), s.pivot = TAKE(a, real, F * L);
    s.work = TAKE(a, real, 2 * F * L), s.covariance = TAKE(a, real, tri(F, 0) * L);
    s.unit = TAKE(a, real, F * L);
    s.triangle = orthogonal ? TAKE(a, real, tri(F + 1, 0)) : NULL;
    s.rows = orthogonal ? TAKE(a, real, (F + 1) * padded_rows(F)) : NULL;
    s.small = orthogonal ? TAKE(a, real, tri(F + 1, 0)) : NULL;
    return s;
}

/* [j] of an array of lanes, the native vector at o */
#define AT(array, j) ((array)[(ptrdiff_t)(j) * LANES + o])
#define LOAD(array, j) v_load(&AT(array, j))
#define STORE(array, j, value) v_store(&AT(array, j), value)
#define MASK(array, j) (*(ivec *)&AT(array, j))

/* A lane begins a fit: its start is the first trial. */
static void begin_fit(fits *s, int lane) {
    s->fresh[lane] = -1;
    s->status[lane] = RUNNING;
    s->n_iter[lane] = s->idle[lane] = s->second[lane] = s->in_vain[lane] = 0;
    s->resumed[lane] = (real)INFINITY;
    for (int j = 0; j < s->P; j++)
        s->theta[j * LANES + lane] = s->trial[j * LANES + lane] = s->start[j * LANES + lane];
    s->first_sum[tri(s->F, s->F) * LANES + lane] = (real)INFINITY;
    s->lambda[lane] = FIRST_DAMPING, s->nu[lane] = 2, s->promised[lane] = 0;
    for (int j = 0; j < s->F; j++)
        s->scale2[j * LANES + lane] = 0, s->step[j * LANES + lane] = 0, s->held[j * LANES + lane] = 0;
}

/* Rounding noise of chi2 = |e|^2: that of the sum, and through e = y - f that of y and of f, 2 eps |e|
 * times their size.  The size of f before anything in it cancels is about that of the largest
 * theta_j J_j. */
TW_INLINE vec noise_of_chi2(const fits *s, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    vec size2 = LOAD(s->magnitude, 0);
    for (int j = 0; j < s->F; j++) {
        const vec theta = LOAD(s->theta, s->free_theta[j]);
        size2 = v_max(theta * theta * LOAD(s->sum, tri(j, j)), size2);
    }
    return 16 * REAL_EPS * chi2 + 2 * REAL_EPS * v_sqrt(chi2 * size2);
}

/* Set the status of the lanes in the mask that have none yet. */
TW_INLINE void stop(fits *s, int o, ivec where, mask_int why) {
    ivec status = MASK(s->status, 0);
    where &= status == RUNNING;
    MASK(s->status, 0) = (where & why) | (~where & status);
}

/* |d_j| <= xtol (|theta_j| + |e| / D_j) for each j; what was held at a bound did not move.  Without
 * roots and quotients: the excess of |d_j| over xtol |theta_j| is at most xtol |e| / D_j. */
TW_INLINE ivec small_step(const fits *s, real xtol, vec chi2, int o) {
    ivec small = ~(ivec){0};
    const vec limit = xtol * xtol * chi2;
    for (int j = 0; j < s->F; j++) {
        const vec excess = v_abs(LOAD(s->step, j)) - xtol * v_abs(LOAD(s->theta, s->free_theta[j]));
        small &= (excess <= 0) | (excess * excess * LOAD(s->scale2, j) <= limit);
    }
    return small;
}

/* Take the trial as the new theta where `kept`. */
static void keep_trial(fits *s, ivec kept, int o) {
    for (int j = 0; j < s->P; j++)
        STORE(s->theta, j, v_sel(kept, LOAD(s->trial, j), LOAD(s->theta, j)));
    for (ptrdiff_t t = 0; t < tri(s->F + 1, 0); t++)
        STORE(s->sum, t, v_sel(kept, LOAD(s->trial_sum, t), LOAD(s->sum, t)));
    for (int j = 0; j < s->F; j++) {
        const vec before = LOAD(s->scale2, j), trial = LOAD(s->trial_sum, tri(j, j));
        STORE(s->scale2, j, v_sel(kept, v_max(trial, before), before));
    }
}

/* The next damping, from the gain ratio of the trial. */
static void adapt_damping(fits *s, ivec kept, vec rho, ivec in_noise, int o) {
    const vec lambda = LOAD(s->lambda, 0), nu = LOAD(s->nu, 0), q = 2 * rho - 1;
    const vec cubic = v_max(v_set((real)0.1), 1 - q * q * q);
    const vec down = v_max(lambda * v_sel(in_noise, v_set((real)0.1), cubic), v_set(LEAST_DAMPING));
    const vec up = v_min(lambda * nu, v_set(REAL_MAX / 4));
    STORE(s->lambda, 0, v_sel(kept, down, up));
    STORE(s->nu, 0, v_sel(kept, v_set(2), v_min(2 * nu, v_set((real)0x1p60))));
}

/* Stop what has gone on for too long. */
TW_INLINE void give_up(fits *s, const tolerances *t, int o) {
    stop(s, o, MASK(s->idle, 0) > PATIENCE, TW_NO_PROGRESS);
    stop(s, o, MASK(s->n_iter, 0) >= t->max_iter, TW_MAX_ITER);
}

#include "range.h"

/* Decide on the trial whose sums are in trial_sum: keep or reject it, adapt lambda, and stop the
 * lanes that meet a tolerance.  A rejected trial never counts as convergence. */
static void judge(fits *s, const tolerances *t, int o) {
    const int F = s->F;
    const ptrdiff_t last = tri(F, F);
    const ivec running = MASK(s->status, 0) == RUNNING, fresh = MASK(s->fresh, 0) & running;
    const vec chi2 = LOAD(s->sum, last), trial = LOAD(s->trial_sum, last), promised = LOAD(s->promised, 0);

    vec diagonal = trial;
    for (int j = 0; j < F; j++)
        diagonal += LOAD(s->trial_sum, tri(j, j));
    const ivec finite = v_finite(diagonal);
    const vec actual = chi2 - trial, noise = noise_of_chi2(s, o);
    const ivec in_noise = promised <= noise;
    const ivec kept = running & finite & (fresh | (actual > 0) | (in_noise & (actual >= -noise)));
    const ivec moved = kept & ~fresh;

    keep_trial(s, kept, o);
    const vec rho = v_sel(promised > 0, actual / promised, v_set(0));
    adapt_damping(s, kept | fresh, v_sel(fresh, v_set((real)0.5), rho), in_noise & ~fresh, o);
    MASK(s->n_iter, 0) -= running & ~fresh; /* a mask is -1 */
    MASK(s->idle, 0) = (MASK(s->idle, 0) - (in_noise & ~fresh)) & ~(kept & (actual > noise));
    MASK(s->fresh, 0) = (ivec){0};

    const vec now = LOAD(s->sum, last);
    stop(s, o, fresh & ~finite, TW_NOT_FINITE);
    stop_out_of_range(s, t->scaled, fresh & finite, diagonal, o);
    stop(s, o, kept & (now <= 16 * REAL_EPS * REAL_EPS * LOAD(s->magnitude, 0)), TW_EXACT);
    stop(s, o, moved & small_step(s, t->xtol, now, o), TW_XTOL);
    stop(s, o, moved & (promised <= t->ftol * chi2) & (actual <= t->ftol * chi2), TW_FTOL);
    const ivec settled = (MASK(s->idle, 0) > PATIENCE) & (LOAD(s->lambda, 0) <= UNDAMPED);
    stop(s, o, moved & in_noise & settled, TW_FTOL); /* undamped steps go around in the noise */
    give_up(s, t, o);
}

/* Lanes that got nowhere, usually because the first step was too bold and led where the model does not
 * depend on a parameter any more, begin once again at their start, with more damping. */
static void start_again(fits *s, int o) {
    const ivec again = (MASK(s->status, 0) == TW_NO_PROGRESS) & ~MASK(s->second, 0);
    if (!v_any(again))
        return;
    for (ptrdiff_t t = 0; t < tri(s->F + 1, 0); t++)
        STORE(s->first_sum, t, v_sel(again, LOAD(s->sum, t), LOAD(s->first_sum, t)));
    for (int j = 0; j < s->P; j++) {
        STORE(s->first_theta, j, v_sel(again, LOAD(s->theta, j), LOAD(s->first_theta, j)));
        STORE(s->theta, j, v_sel(again, LOAD(s->start, j), LOAD(s->theta, j)));
        STORE(s->trial, j, v_sel(again, LOAD(s->start, j), LOAD(s->trial, j)));
    }
    for (int j = 0; j < s->F; j++)
        STORE(s->scale2, j, v_and(~again, LOAD(s->scale2, j)));
    STORE(s->lambda, 0, v_sel(again, v_set(CAREFUL_DAMPING), LOAD(s->lambda, 0)));
    STORE(s->nu, 0, v_sel(again, v_set(2), LOAD(s->nu, 0)));
    MASK(s->status, 0) &= ~again; /* RUNNING is 0 */
    MASK(s->idle, 0) &= ~again;
    MASK(s->in_vain, 0) &= ~again;
    STORE(s->resumed, 0, v_sel(again, v_set((real)INFINITY), LOAD(s->resumed, 0)));
    MASK(s->fresh, 0) |= again;
    MASK(s->second, 0) |= again;
}

/* A second attempt that failed at a larger chi2 than the first gives way to it. */
static void keep_better_attempt(fits *s, int o) {
    const ptrdiff_t last = tri(s->F, s->F);
    const ivec failed = MASK(s->status, 0) < RUNNING, better = LOAD(s->first_sum, last) < LOAD(s->sum, last);
    const ivec first = failed & better;
    if (!v_any(first))
        return;
    for (int j = 0; j < s->P; j++)
        STORE(s->theta, j, v_sel(first, LOAD(s->first_theta, j), LOAD(s->theta, j)));
    for (ptrdiff_t t = 0; t <= last; t++)
        STORE(s->sum, t, v_sel(first, LOAD(s->first_sum, t), LOAD(s->sum, t)));
}

#endif
