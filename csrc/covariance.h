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

#include "sample.h"

#define POOR_PIVOT ((real)(sizeof(real) == 8 ? 0x1p-26 : 0x1p-12)) /* sqrt(eps) */

#define SLACK ((real)10)    /* of the undamped step over the tolerance that the damped one met */
#define RELIEF ((real)1e-2) /* of the damping of a lane that goes on */
#define FLAT ((real)1e-6)   /* of chi2: what a parameter can still bring, by D */

/* Stopped lanes: hold what lies at a bound; 1 / the length of each column. */
static void settle(fits *s, int o) {
    const ivec stopped = MASK(s->status, 0) != RUNNING;
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter);
        const ivec at_bound = (theta <= LOAD(s->lower, parameter)) | (theta >= LOAD(s->upper, parameter));
        MASK(s->held, j) = (stopped & at_bound) | (~stopped & MASK(s->held, j));
        STORE(s->unit, j, 1 / v_sqrt(LOAD(s->sum, tri(j, j))));
    }
}

/* The normal matrix with columns of length 1, into factor. */
static void scaled_matrix(fits *s, int o) {
    for (int i = 0; i < s->F; i++) {
        for (int j = 0; j < i; j++) {
            const ivec held = MASK(s->held, i) | MASK(s->held, j);
            const vec scale = LOAD(s->unit, i) * LOAD(s->unit, j);
            STORE(s->factor, tri(i, j), v_and(~held, LOAD(s->sum, tri(i, j)) * scale));
        }
        const ivec zero = ~MASK(s->held, i) & ~(LOAD(s->sum, tri(i, i)) > 0); /* a column of zeros */
        STORE(s->factor, tri(i, i), v_and(~zero, v_set(1)));
    }
}

/* L D and 1/D of lane 0 from R of the orthogonal mode: D_j = R_jj^2, L_ij = R_ji / R_jj; and from its
 * last column z, without forming J'e = R'z, L^-1 J'e into work: D_j^(1/2) z_j. */
static void factors_from_triangle(fits *s) {
    const ptrdiff_t n_rows = padded_rows(s->F);
    const int F = s->F;
    memset(s->rows, 0, (size_t)((F + 1) * n_rows) * sizeof *s->rows);
    memset(s->small, 0, (size_t)tri(F + 1, 0) * sizeof *s->small);
    for (int j = 0; j < F; j++) {
        const int held = s->held[j * LANES] != 0;
        const real unit = s->unit[j * LANES];
        for (int k = 0; k <= j && !held && unit < (real)INFINITY; k++)
            s->rows[j * n_rows + k] = s->triangle[tri(j, k)] * unit;
    }
    for (int k = 0; k < F; k++)
        s->rows[F * n_rows + k] = s->triangle[tri(F, k)];
    merge_rows(F + 1, s->small, n_rows, s->rows);
    for (int j = 0; j < F; j++) {
        real *R = s->small + tri(j, j);
        if (s->held[j * LANES])
            *R = 1;
        else if (!(fabs(*R) > LOST_COLUMN))
            *R = LOST_COLUMN;
        s->pivot[j * LANES] = 1 / (*R * *R);
        s->work[j * LANES] = s->held[j * LANES] ? 0 : *R * s->small[tri(F, j)];
    }
    for (int i = 0; i < F; i++)
        for (int j = 0; j <= i; j++)
            s->factor[tri(i, j) * LANES] = s->small[tri(i, j)] * s->small[tri(j, j)];
}

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

/* L^-1 J'e in units of the scaled columns, into work. */
static void scaled_right_side(fits *s, int o) {
    for (int i = 0; i < s->F; i++) {
        vec z = v_and(~MASK(s->held, i), LOAD(s->sum, tri(s->F, i)) * LOAD(s->unit, i));
        for (int k = 0; k < i; k++)
            z -= LOAD(s->factor, tri(i, k)) * LOAD(s->pivot, k) * LOAD(s->work, k);
        STORE(s->work, i, z);
    }
}

/* Whether the gradient is small in units of D, for all that is not held. */
TW_INLINE ivec is_flat(const fits *s, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    ivec flat = ~(ivec){0};
    for (int j = 0; j < s->F; j++) {
        const vec g = LOAD(s->sum, tri(s->F, j));
        flat &= MASK(s->held, j) | (g * g <= FLAT * LOAD(s->scale2, j) * chi2);
    }
    return flat;
}

/* A step can be small because it is damped.  So a lane that has met a tolerance is asked once more,
 * with the factors of the undamped matrix: the step d = A^-1 J'e, or the reduction J'e . d that it
 * promises, must be small as well, or lost in the rounding noise.  A lane where neither is goes
 * on, with less damping, unless it has gone on for too long; one whose matrix is too poor to tell will be
 * asked in the orthogonal mode.
 *
 * Where only a^2 matters and a vanishes, or |a| at 0, the promise stays and is never kept.  A lane that has
 * gone on TRUST times in a row and come back with the same chi2 is at a minimum, if the gradient is
 * small in units of D; else the model is not smooth there. */
static void confirm(fits *s, const tolerances *t, ivec poor, int o) {
    const int F = s->F;
    const vec chi2 = LOAD(s->sum, tri(F, F)), size_of_e = v_sqrt(chi2);
    const vec lost = v_set(1 / (LOST_COLUMN * LOST_COLUMN)); /* such a column has no step */
    vec promised = {0};
    for (int i = 0; i < F; i++) {
        const vec z = LOAD(s->work, i), pivot = LOAD(s->pivot, i), y = v_and(pivot < lost, z * pivot);
        promised += z * y;
        STORE(s->work, i, y);
    }
    ivec small = ~(ivec){0};
    for (int i = F - 1; i >= 0; i--) {
        vec d = LOAD(s->work, i), sum = {0};
        for (int k = i + 1; k < F; k++)
            sum += LOAD(s->factor, tri(k, i)) * LOAD(s->work, k);
        d -= sum * v_and(LOAD(s->pivot, i) < lost, LOAD(s->pivot, i));
        STORE(s->work, i, d);
        const vec unit = LOAD(s->unit, i), theta = v_abs(LOAD(s->theta, s->free_theta[i]));
        small &= MASK(s->held, i) | ~(v_abs(d * unit) > SLACK * t->xtol * (theta + size_of_e * unit));
    }
    const real least = t->ftol > t->gtol * t->gtol ? t->ftol : t->gtol * t->gtol;
    const vec noise = noise_of_chi2(s, o), little = v_max(SLACK * least * chi2, noise);
    const ivec status = MASK(s->status, 0);
    const ivec met = (status == TW_FTOL) | (status == TW_XTOL) | (status == TW_GTOL);
    const ivec asked = met & ~poor & ~small & (promised > little);
    const ivec fell = chi2 < LOAD(s->resumed, 0) - noise;
    MASK(s->in_vain, 0) = ~(asked & fell) & (MASK(s->in_vain, 0) - asked); /* a mask is -1 */
    const ivec vain = asked & (MASK(s->in_vain, 0) > TRUST), resume = asked & ~vain;
    const ivec kink = vain & ~is_flat(s, o);
    STORE(s->resumed, 0, v_sel(resume, chi2, LOAD(s->resumed, 0)));
    MASK(s->status, 0) = ~(resume | kink) & status; /* RUNNING is 0 */
    stop(s, o, kink, TW_NO_PROGRESS);
    give_up(s, t, o);
    STORE(s->lambda, 0,
          v_sel(resume, v_max(LOAD(s->lambda, 0) * RELIEF, v_set(LEAST_DAMPING)), LOAD(s->lambda, 0)));
}

/* Scaled covariance M' D^-1 M of the stopped lanes, into covariance.  Returns the lanes for which the
 * normal matrix is too ill-conditioned. */
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

/* The parameter of a lane whose variance inflation is largest and beyond trust, or -1. */
static int unidentified(const fits *s, int lane) {
    int worst = -1;
    real most = TRUSTED * TRUSTED;
    for (int j = 0; j < s->F; j++) {
        const real inflation = s->covariance[tri(j, j) * LANES + lane];
        if (!(inflation <= most)) {
            most = inflation;
            worst = s->free_theta[j];
        }
    }
    return worst;
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
