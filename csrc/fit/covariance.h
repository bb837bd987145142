/* covariance.h - the covariance (J'WJ)^-1 of stopped lanes, over the parameters free at the solution.
 *
 * Columns are scaled to unit length first.  With A = L D L' and M = L^-1, A^-1 = M' D^-1 M; its
 * diagonal holds the variance inflation factors: how much larger a parameter's variance is than if it
 * were the only one.  Beyond TRUSTED^2 the data do not determine it in this arithmetic.
 *
 * Where a pivot of A falls below sqrt(eps), half the digits are gone; then L and D come from R of the
 * orthogonal mode, A = R'R, which never squares the condition number.
 */
#ifndef TW_COVARIANCE_H
#define TW_COVARIANCE_H

#include "fit/confirm.h"

/* M = L^-1 (unit lower triangle) from L D in factor and 1/D in pivot; replaces factor. */
static void invert_factor(fits *s, int o) {
    for (int i = 0; i < s->F; i++)
        for (int j = 0; j < i; j++) {
            vec m = LOAD(s->factor, tri(i, j)) * LOAD(s->pivot, j);
            for (int k = j + 1; k < i; k++)
                m += LOAD(s->factor, tri(i, k)) * LOAD(s->pivot, k) * LOAD(s->factor, tri(k, j));
            STORE(s->work, j, -m);
            if (j == i - 1) /* row i of L D is no longer needed */
                for (int k = 0; k < i; k++)
                    STORE(s->factor, tri(i, k), LOAD(s->work, k));
        }
}

/* Scaled covariance M' D^-1 M of the stopped lanes, into covariance; those that met a tolerance are asked
 * to confirm it, unless t is NULL.  Returns the lanes for which the normal matrix is too ill-conditioned. */
static ivec scaled_covariance(fits *s, const tolerances *t, int o) {
    ivec poor = {0};
    settle(s, o);
    if (s->triangle) {
        factors_from_triangle(s);
    } else {
        scaled_matrix(s, o);
        poor = factorise(s, POOR_PIVOT, o);
        scaled_right_side(s, o);
    }
    if (t)
        confirm(s, t, poor, o);
    invert_factor(s, o);
    for (int i = 0; i < s->F; i++)
        for (int j = 0; j <= i; j++) {
            vec c = LOAD(s->pivot, i);
            c = i == j ? c : c * LOAD(s->factor, tri(i, j));
            for (int k = i + 1; k < s->F; k++)
                c += LOAD(s->pivot, k) * LOAD(s->factor, tri(k, i)) * LOAD(s->factor, tri(k, j));
            STORE(s->covariance, tri(i, j), c);
        }
    return poor;
}

#define SLOW_INFLATION PICK(1e6, 1e4)  /* of a slow lane whose parameters run off together; in the ... */
#define LAST_INFLATION PICK(1e16, 1e8) /* ... last attempt */
#define SLOW_RUN_OFF ((real)1e-3)      /* the same for a column by itself, see RUN_OFF */
#define LAST_RUN_OFF PICK(1e-5, 1e-4)

/* The parameter of a lane whose variance inflation is largest and beyond `most`, or -1. */
static int inflated(const fits *s, int lane, real most) {
    int worst = -1;
    for (int j = 0; j < s->F; j++) {
        const real inflation = s->covariance[tri(j, j) * LANES + lane];
        if (!(inflation <= most)) {
            most = inflation;
            worst = s->free_theta[j];
        }
    }
    return worst;
}

/* The first parameter whose pivot was too weak to be used: a combination of those before it. */
static int weakest(const fits *s, int lane) {
    for (int j = 0; j < s->F; j++)
        if (!(s->pivot[j * LANES + lane] > 0))
            return s->free_theta[j];
    return -1;
}

/* Name the parameter that runs off, if one does: then that is why the lane stopped.  A slow lane where none
 * does goes on. */
static void look_for_drift(fits *s, const tolerances *t, int lane, int poor) {
    const mask_int status = s->status[lane];
    int j = -1;
    if (status == SLOW) {
        j = lost_effect(s, lane, t->last ? LAST_RUN_OFF : SLOW_RUN_OFF);
        if (j < 0)
            j = poor ? weakest(s, lane) : inflated(s, lane, t->last ? LAST_INFLATION : SLOW_INFLATION);
    } else if (status > RUNNING || status == TW_NO_PROGRESS || status == TW_MAX_ITER) {
        j = status == ILL_CONDITIONED || poor ? -1 : lost_effect(s, lane, RUN_OFF);
    }
    if (j >= 0)
        s->lost[lane] = j, s->status[lane] = TW_DRIFT;
    else if (status == SLOW)
        s->status[lane] = RUNNING;
}

/* Row `fit` of the job's covariances, in the units of the parameters: factor unit_i unit_j C_ij. */
static void write_covariance(const tw_fit_job *job, ptrdiff_t fit, const fits *s, int lane, real factor) {
    real *out = (real *)job->covariance + fit * tri(s->F, 0);
    for (int i = 0; i < s->F; i++) {
        const real scale = s->held[i * LANES + lane] ? 0 : factor * s->unit[i * LANES + lane];
        for (int j = 0; j <= i; j++) {
            const real c = s->covariance[tri(i, j) * LANES + lane] * (scale * s->unit[j * LANES + lane]);
            *out++ = s->held[j * LANES + lane] || scale == 0 ? 0 : c;
        }
    }
}

static void fill_covariance(const tw_fit_job *job, ptrdiff_t fit, real value) {
    const ptrdiff_t size = tri(job->tape->n_free, 0);
    for (ptrdiff_t t = 0; t < size; t++)
        ((real *)job->covariance)[fit * size + t] = value;
}

#endif
