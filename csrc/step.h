/* step.h - the step of damped least squares (damped.h) and the trial it leads to.
 *
 * The damped normal matrix is factorised as L D L' in every lane at once; a lane whose pivots are lost to
 * rounding stops as ILL_CONDITIONED and is taken over by the orthogonal mode, in which the group holds one
 * fit, in lane 0, and its step comes from R (orthogonal.h).
 */
#ifndef TW_STEP_H
#define TW_STEP_H

#include "damped.h"

/* Hold the parameters at a bound that descent would push through; their step is 0. */
static void hold_at_bounds(fits *s, int o) {
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter), descent = LOAD(s->sum, tri(s->F, j));
        MASK(s->held, j) = ((theta <= LOAD(s->lower, parameter)) & (descent <= 0)) |
                           ((theta >= LOAD(s->upper, parameter)) & (descent >= 0));
        STORE(s->step, j, v_set(0));
    }
}

/* Hold the parameters whose step leaves the box at the bound they met.  Returns the lanes changed. */
static ivec clamp(fits *s, int o) {
    ivec changed = {0};
    const ivec status = MASK(s->status, 0); /* what met a tolerance may yet go on */
    const ivec running = (status >= RUNNING) & (status <= TW_GTOL);
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter), target = theta + LOAD(s->step, j);
        const vec lower = LOAD(s->lower, parameter), upper = LOAD(s->upper, parameter);
        const ivec below = target<lower, above = target> upper;
        const ivec outside = (below | above) & running & ~MASK(s->held, j);
        STORE(s->step, j, v_sel(outside, v_sel(below, lower, upper) - theta, LOAD(s->step, j)));
        MASK(s->held, j) |= outside;
        changed |= outside;
    }
    return changed;
}

/* J'e - sum over held j of (J'J)_ij d_j for the free i, else 0; into work[0..F) */
static void right_side(fits *s, int bounded, int o) {
    for (int i = 0; i < s->F; i++) {
        vec r = LOAD(s->sum, tri(s->F, i));
        for (int j = 0; bounded && j < s->F; j++) {
            const vec A = LOAD(s->sum, i > j ? tri(i, j) : tri(j, i));
            r -= v_and(MASK(s->held, j), A * LOAD(s->step, j));
        }
        STORE(s->work, i, bounded ? v_and(~MASK(s->held, i), r) : r);
    }
}

/* What the damping adds to the diagonal: lambda D_j^2; a column that was always 0 is damped as if D = 1. */
TW_INLINE vec damping(const fits *s, int j, int o) {
    const vec D2 = LOAD(s->scale2, j);
    return LOAD(s->lambda, 0) * v_sel(D2 > 0, D2, v_set(1));
}

/* The damped normal matrix of the free parameters, into factor; 1 on the diagonal for the others. */
static void damped_matrix(fits *s, int bounded, int o) {
    for (int i = 0; i < s->F; i++) {
        for (int j = 0; j < i; j++) {
            const vec a = LOAD(s->sum, tri(i, j));
            STORE(s->factor, tri(i, j), bounded ? v_and(~(MASK(s->held, i) | MASK(s->held, j)), a) : a);
        }
        const vec a = LOAD(s->sum, tri(i, i)) + damping(s, i, o);
        STORE(s->factor, tri(i, i), bounded ? v_sel(MASK(s->held, i), v_set(1), a) : a);
    }
}

/* L D L' of the matrix in factor: L D replaces it, 1/D goes to pivot.  Being free of roots, it gives
 * the same digits whatever the parameters' units.  Returns the lanes with a pivot below `least` of
 * its diagonal element; such a pivot is put out of action. */
static ivec factorise(fits *s, real least, int o) {
    ivec weak = {0};
    vec *unit = (vec *)(s->work + (ptrdiff_t)s->F * LANES); /* row j of L */
    for (int j = 0; j < s->F; j++) {
        const vec diagonal = LOAD(s->factor, tri(j, j));
        vec d = diagonal;
        for (int k = 0; k < j; k++) {
            unit[k] = LOAD(s->factor, tri(j, k)) * LOAD(s->pivot, k);
            d -= LOAD(s->factor, tri(j, k)) * unit[k];
        }
        const ivec strong = d > least * diagonal;
        weak |= ~strong;
        STORE(s->pivot, j, v_and(strong, 1 / d));
        for (int i = j + 1; i < s->F; i++) {
            vec a = LOAD(s->factor, tri(i, j));
            for (int k = 0; k < j; k++)
                a -= LOAD(s->factor, tri(i, k)) * unit[k];
            STORE(s->factor, tri(i, j), a);
        }
    }
    return weak;
}

/* Steps of the free parameters from the factors and the right-hand side in work. */
static void substitute(fits *s, int bounded, int o) {
    const int F = s->F;
    for (int i = 0; i < F; i++) {
        vec r = LOAD(s->work, i);
        for (int k = 0; k < i; k++)
            r -= LOAD(s->factor, tri(i, k)) * LOAD(s->work, k);
        STORE(s->work, i, r * LOAD(s->pivot, i));
    }
    for (int i = F - 1; i >= 0; i--) {
        vec r = {0};
        for (int k = i + 1; k < F; k++)
            r += LOAD(s->factor, tri(k, i)) * LOAD(s->work, k);
        const vec d = LOAD(s->work, i) - r * LOAD(s->pivot, i);
        STORE(s->work, i, d);
        STORE(s->step, i, bounded ? v_sel(MASK(s->held, i), LOAD(s->step, i), d) : d);
    }
}

/* 1/D_j of lane 0 */
static real inverse_scale(const fits *s, int j) {
    const real D2 = s->scale2[j * LANES];
    return D2 > 0 ? 1 / (real)sqrt(D2) : 1;
}

/* Columns of R (lane 0) for the parameters that are not held, scaled to unit D, and the last
 * column less what the held parameters' steps take from it; into rows.  Returns how many. */
static int free_columns(fits *s) {
    const int F = s->F;
    const ptrdiff_t n_rows = padded_rows(F);
    int n = 0;
    memset(s->rows, 0, (size_t)((F + 1) * n_rows) * sizeof *s->rows);
    for (int j = 0; j < F; j++) {
        if (s->held[j * LANES])
            continue;
        const real scale = inverse_scale(s, j);
        for (int k = 0; k <= j; k++)
            s->rows[n * n_rows + k] = s->triangle[tri(j, k)] * scale;
        n++;
    }
    real *right = s->rows + n * n_rows;
    for (int k = 0; k < F; k++) {
        right[k] = s->triangle[tri(F, k)];
        for (int j = k; j < F; j++)
            if (s->held[j * LANES])
                right[k] -= s->triangle[tri(j, k)] * s->step[j * LANES];
    }
    return n;
}

/* The step of lane 0 from [R; sqrt(lambda) D], never forming R'R. */
static void solve_orthogonally(fits *s) {
    const int n = free_columns(s);
    real *R = s->small, *x = R + tri(n, 0); /* the last column turns into the solution */
    memset(R, 0, (size_t)tri(n + 1, 0) * sizeof *R);
    for (int j = 0; j < n; j++)
        R[tri(j, j)] = (real)sqrt(s->lambda[0]);
    merge_rows(n + 1, R, padded_rows(s->F), s->rows);
    for (int j = n - 1; j >= 0; j--) {
        for (int k = j + 1; k < n; k++)
            x[j] -= R[tri(k, j)] * x[k];
        x[j] /= R[tri(j, j)];
    }
    for (int j = 0, i = 0; j < s->F; j++) {
        if (!s->held[j * LANES]) {
            const real scale = inverse_scale(s, j), root = scale / R[tri(i, i)];
            s->pivot[j * LANES] = root * root;
            s->step[j * LANES] = x[i++] * scale;
        }
    }
}

/* Solve for the step, holding what is held. */
static void solve(fits *s, int bounded, int o) {
    if (s->triangle) {
        solve_orthogonally(s);
        return;
    }
    damped_matrix(s, bounded, o);
    stop(s, o, factorise(s, WEAK_PIVOT, o), ILL_CONDITIONED);
    right_side(s, bounded, o);
    substitute(s, bounded, o);
}

/* The reduction of chi2 that the step promises: d'J'e + lambda d'D^2 d, or where a bound cut the
 * step 2 d'J'e - d'J'J d. */
static void promise(fits *s, ivec cut, int o) {
    vec promised = {0}, gain = {0}, loss = {0};
    for (int i = 0; i < s->F; i++) {
        const vec d = LOAD(s->step, i), g = LOAD(s->sum, tri(s->F, i));
        promised += d * (g + LOAD(s->lambda, 0) * LOAD(s->scale2, i) * d);
        gain += d * g;
    }
    if (v_any(cut)) {
        for (int i = 0; i < s->F; i++)
            for (int j = 0; j < s->F; j++)
                loss += LOAD(s->step, i) * LOAD(s->step, j) * LOAD(s->sum, i > j ? tri(i, j) : tri(j, i));
        promised = v_sel(cut, 2 * gain - loss, promised);
    }
    STORE(s->promised, 0, promised);
}

/* trial = theta + step; what was cut lands on its bound exactly */
static void set_trial(fits *s, int bounded, int o) {
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec d = LOAD(s->step, j);
        vec trial = LOAD(s->theta, parameter) + d;
        if (bounded) {
            const ivec held = MASK(s->held, j);
            trial = v_sel(held & (d > 0), LOAD(s->upper, parameter), trial);
            trial = v_sel(held & (d < 0), LOAD(s->lower, parameter), trial);
        }
        STORE(s->trial, parameter, trial);
    }
}

/* The next trial of each running lane, or a stop where the gradient is small enough. */
static void advance(fits *s, const tolerances *t, int o) {
    if (t->bounded)
        hold_at_bounds(s, o);
    solve(s, t->bounded, o);
    ivec cut = {0};
    for (ivec changed; t->bounded && v_any(changed = clamp(s, o));) {
        cut |= changed;
        solve(s, 1, o);
    }
    promise(s, cut, o);
    const vec least = t->gtol * t->gtol * LOAD(s->sum, tri(s->F, s->F));
    stop(s, o, ~cut & (LOAD(s->promised, 0) <= least), TW_GTOL);
    set_trial(s, t->bounded, o);
}

#endif
