/* covariance.h - the covariance (J'WJ)^-1 of stopped lanes, over the parameters free at the solution.
 *
 * Columns are scaled to unit length first.  With A = L D L' and M = L^-1, A^-1 = M' D^-1 M.  The diagonal of
 * A^-1 holds the variance inflation factors: how much larger a parameter's variance is than if it were the
 * only one.  The data do not determine, in this arithmetic, a parameter whose factor is beyond TRUSTED^2.
 *
 * Where a pivot of A falls below sqrt(eps), its factors have lost half of their digits.  Then L and D come
 * from the R of the orthogonal mode, A = R'R, which never squares the condition number.
 */
#ifndef TW_COVARIANCE_H
#define TW_COVARIANCE_H

#include "fit/confirm.h"

/* Replace L D in factor by M = L^-1 (unit lower triangle), with the help of 1/D in pivot. */
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

/* Put the scaled covariance M' D^-1 M of the stopped lanes into covariance.  Unless t is NULL, lanes that met
 * a tolerance are tested on the way (confirm).  Returns the lanes whose normal matrix is ill-conditioned. */
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

/* A slow lane drifts if a variance inflation is beyond SLOW_INFLATION, for then some parameters run off
 * together, or if the norm of a column is below SLOW_RUN_OFF times its largest (as by RUN_OFF).  In the last
 * attempt, which is given more time, the limits are the two LAST_; so is that of inflations for counts, for
 * means near 0 inflate variances as if they were constraints. */
#define SLOW_INFLATION PICK(1e6, 1e4)
#define LAST_INFLATION PICK(1e16, 1e8)
#define SLOW_RUN_OFF ((real)1e-3)
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

/* The first parameter whose pivot was too weak to be used, or -1: its column is a combination of earlier
 * ones. */
static int weakest(const fits *s, int lane) {
    for (int j = 0; j < s->F; j++)
        if (!(s->pivot[j * LANES + lane] > 0))
            return s->free_theta[j];
    return -1;
}

/* Look for a parameter that runs off: if there is one, the lane gets the status TW_DRIFT and `lost` names it.
 * A slow lane without such a parameter runs on. */
static void look_for_drift(fits *s, const tolerances *t, int lane, int poor) {
    const mask_int status = s->status[lane];
    int j = -1;
    if (status == SLOW) {
        j = lost_effect(s, lane, t->last ? LAST_RUN_OFF : SLOW_RUN_OFF);
        if (j < 0)
            j = poor ? weakest(s, lane)
                     : inflated(s, lane, t->last || s->counts ? LAST_INFLATION : SLOW_INFLATION);
    } else if (status > RUNNING || status == TW_NO_PROGRESS || status == TW_MAX_ITER) {
        j = status == ILL_CONDITIONED || poor ? -1 : lost_effect(s, lane, RUN_OFF);
    }
    if (j >= 0)
        s->lost[lane] = j, s->status[lane] = TW_DRIFT;
    else if (status == SLOW)
        s->status[lane] = RUNNING;
}

/* Write the covariance of a fit in the units of its parameters: factor unit_i unit_j C_ij. */
static void write_covariance(const tw_fit_job *job, ptrdiff_t fit, const fits *s, int lane, real factor) {
    real *out = (real *)job->covariance + fit * tri(s->F, 0);
    for (int i = 0; i < s->F; i++)
        s->work[i] = s->held[i * LANES + lane] ? 0 : s->unit[i * LANES + lane];
    for (int i = 0; i < s->F; i++) {
        const real scale = factor * s->work[i];
        for (int j = 0; j <= i; j++) /* + 0 makes -0 a 0 */
            *out++ = s->covariance[tri(i, j) * LANES + lane] * (scale * s->work[j]) + 0;
    }
}

static void fill_covariance(const tw_fit_job *job, ptrdiff_t fit, real value) {
    const ptrdiff_t size = tri(job->tape->n_free, 0);
    for (ptrdiff_t t = 0; t < size; t++)
        ((real *)job->covariance)[fit * size + t] = value;
}

#endif
