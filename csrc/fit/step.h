/* step.h - the step of damped least squares (damped.h) and the trial it leads to.
 *
 * The damped normal matrix is factorised as L D L' in every lane at once.  A lane with a pivot that is mere
 * rounding stops as ILL_CONDITIONED, and its fit goes on in the orthogonal mode: a group that holds this fit
 * alone, in lane 0, and takes its steps from R (orthogonal.h).
 */
#ifndef TW_STEP_H
#define TW_STEP_H

#include "fit/damped.h"

enum { MOST_ROUNDS = 60 }; /* of shortening one step; one to three are enough nearly always */

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

/* Hold each parameter whose step leaves the box at the bound that it meets; returns the lanes changed. */
static ivec clamp(fits *s, int o) {
    ivec changed = {0};
    const ivec running = may_go_on(s, o);
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

/* Put the right-hand side into work [F]: for free i the sum (J'e)_i - sum over held j of (J'J)_ij d_j, else
 * 0. */
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

/* Put the damped normal matrix of the free parameters into factor, with 1 on the diagonal of held ones. */
static void damped_matrix(fits *s, int bounded, int o) {
    for (int i = 0; i < s->F; i++) {
        for (int j = 0; j < i; j++) {
            const vec a = LOAD(s->sum, tri(i, j));
            STORE(s->factor, tri(i, j), bounded ? v_and(~(MASK(s->held, i) | MASK(s->held, j)), a) : a);
        }
        const vec a = LOAD(s->sum, tri(i, i)) + LOAD(s->lambda, 0) * damping_scale(s, i, o);
        STORE(s->factor, tri(i, i), bounded ? v_sel(MASK(s->held, i), v_set(1), a) : a);
    }
}

/* Factorise the matrix in factor as L D L': L D replaces it, 1/D goes to pivot.  The method is free of roots,
 * so that it gives the same digits in any unit of the parameters that is a power of two.  Returns the lanes
 * with a pivot of at most `least` times its diagonal element; 1/D of such a pivot is set to 0. */
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

/* Solve for the steps of the free parameters, from the factors and the right-hand side in work. */
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

/* Copy to rows the columns of R (a triangle of lane 0) of the parameters that are not held, each over its
 * D_j, and behind them the first F elements of column `right_column`, which the steps of held parameters are
 * subtracted from if with_held.  Returns how many columns there are before the last. */
static int free_columns(fits *s, const real *R, int right_column, int with_held) {
    const int F = s->F;
    const ptrdiff_t n_rows = padded_rows(F);
    int n = 0;
    memset(s->rows, 0, (size_t)((F + 1) * n_rows) * sizeof *s->rows);
    for (int j = 0; j < F; j++) {
        if (s->held[j * LANES])
            continue;
        const real scale = inverse_scale(s, j);
        for (int k = 0; k <= j; k++)
            s->rows[n * n_rows + k] = R[tri(j, k)] * scale;
        n++;
    }
    real *right = s->rows + n * n_rows;
    for (int k = 0; k < F; k++) {
        right[k] = R[tri(right_column, k)];
        for (int j = k; with_held && j < F; j++)
            if (s->held[j * LANES])
                right[k] -= R[tri(j, k)] * s->step[j * LANES];
    }
    return n;
}

/* Clear those rows of a triangle of n columns and a right-hand side whose diagonal element is at most
 * LOST_COLUMN: rounding is all that they hold, for such a column is a combination of those before it. */
static void clear_lost_rows(real *R, int n) {
    for (int i = 0; i < n; i++)
        if (!(fabs(R[tri(i, i)]) > LOST_COLUMN))
            for (int j = i; j <= n; j++)
                R[tri(j, i)] = 0;
}

/* Put the triangle of the n columns that stand in `rows`, and of the right-hand side behind them, into
 * `small`.  All F columns of a triangle are one already; where some are left out, or are 0, the rest is not.
 */
static void triangle_of_rows(fits *s, int n, int all) {
    const ptrdiff_t n_rows = padded_rows(s->F);
    real *R = s->small;
    memset(R, 0, (size_t)tri(n + 1, 0) * sizeof *R);
    if (all)
        for (int j = 0; j <= n; j++)
            memcpy(R + tri(j, 0), s->rows + j * n_rows, (size_t)(j < n ? j + 1 : n) * sizeof *R);
    else
        merge_rows(n + 1, R, n_rows, s->rows);
    clear_lost_rows(R, n);
}

/* Merge the damping of n columns, damping [n], into the triangle in `small`.  It is left out where it is
 * nothing beside every diagonal element. */
static void merge_damping(fits *s, int n, const real *damping) {
    const ptrdiff_t n_rows = padded_rows(s->F);
    real *R = s->small;
    int counts = 0;
    for (int j = 0; j < n; j++)
        counts |= !(16 * damping[j] * damping[j] <= REAL_EPS * R[tri(j, j)] * R[tri(j, j)]);
    if (!counts)
        return;
    memset(s->rows, 0, (size_t)((n + 1) * n_rows) * sizeof *s->rows);
    for (int j = 0; j < n; j++)
        s->rows[j * n_rows + j] = damping[j];
    merge_rows(n + 1, R, n_rows, s->rows);
}

/* Solve the least-squares problem [R; sqrt(lambda)] x = [z; 0] by orthogonal factorisation, without R'R.  Its
 * n columns, of length 1 at most, and behind them z stand in `rows`.  The triangle is left in `small`, of
 * which the last column becomes x, the step in units of D; returns it.
 *
 * The damping, at least LOST_COLUMN^2, is merged after R, among whose large rows its digits would be lost.
 * Where columns are combinations of one another it makes the solution the shortest one. */
static real *solve_triangle(fits *s, int n) {
    real *R = s->small, *x = R + tri(n, 0), *damping = s->work;
    const real least = LOST_COLUMN * LOST_COLUMN, lambda = s->lambda[0] > least ? s->lambda[0] : least;
    triangle_of_rows(s, n, n == s->F);
    for (int j = 0, i = 0; j < s->F; j++)
        if (!s->held[j * LANES])
            damping[i++] = is_damped(s, j) ? (real)sqrt(lambda) : LOST_COLUMN;
    merge_damping(s, n, damping);
    for (int j = n - 1; j >= 0; j--) {
        for (int k = j + 1; k < n; k++)
            x[j] -= R[tri(k, j)] * x[k];
        x[j] /= R[tri(j, j)];
    }
    return x;
}

/* Solve for the step of lane 0 in the orthogonal mode. */
static void solve_orthogonally(fits *s) {
    const int n = free_columns(s, s->triangle, s->F, 1);
    const real *x = solve_triangle(s, n);
    for (int j = 0, i = 0; j < s->F; j++)
        if (!s->held[j * LANES])
            s->step[j * LANES] = x[i++] * inverse_scale(s, j);
}

/* Factorise the damped normal matrix, of which lambda grows where second derivatives of the losses make it
 * indefinite; returns the lanes in which it is singular. */
static ivec factorise_damped(fits *s, int bounded, int o) {
    ivec weak = {0}, indefinite = ~weak;
    for (int round = 0; round < MOST_ROUNDS && v_any(indefinite); round++) {
        damped_matrix(s, bounded, o);
        weak = factorise(s, WEAK_PIVOT, o);
        indefinite = weak & is_true(s, o) & may_go_on(s, o);
        damp_more(s, indefinite, o);
    }
    return weak;
}

/* Solve for the steps of the parameters that are not held. */
static void solve(fits *s, int bounded, int o) {
    if (s->triangle) {
        solve_orthogonally(s);
        return;
    }
    stop(s, o, factorise_damped(s, bounded, o), ILL_CONDITIONED);
    right_side(s, bounded, o);
    substitute(s, bounded, o);
}

/* q'p with q = D^2 d and (J'J + lambda D^2) p = q.  It is -|D d| times the derivative of |D d| by lambda. */
static vec bending(fits *s, int o) {
    vec form = {0};
    for (int i = 0; i < s->F; i++) {
        vec v = v_and(~MASK(s->held, i), damping_scale(s, i, o) * LOAD(s->step, i));
        for (int k = 0; k < i; k++)
            v -= LOAD(s->factor, tri(i, k)) * LOAD(s->work, k);
        const vec y = v * LOAD(s->pivot, i);
        STORE(s->work, i, y);
        form += v * y;
    }
    return form;
}

/* The same in the orthogonal mode, as |T^-t D d|^2 with the triangle T that solve_triangle has left */
static real bending_of_triangle(const fits *s) {
    const real *R = s->small;
    real form = 0;
    for (int j = 0, i = 0; j < s->F; j++) {
        if (s->held[j * LANES])
            continue;
        real w = is_damped(s, j) ? s->step[j * LANES] / inverse_scale(s, j) : 0;
        for (int k = 0; k < i; k++)
            w -= R[tri(i, k)] * s->work[k];
        s->work[i] = w / R[tri(i, i)];
        form += s->work[i] * s->work[i];
        i++;
    }
    return form;
}

/* Raise the damping of the lanes whose step leaves the region until |D d| <= 1.1 delta, by Newton's method
 * for 1/|D d| = 1/delta (More 1978, section 5).  Where Newton's method fails lambda is multiplied by ten. */
static void shorten(fits *s, int bounded, int o) {
    const ivec running = may_go_on(s, o);
    const vec delta = LOAD(s->delta, 0), longest2 = (real)1.21 * delta * delta;
    if (!v_any(running & (delta <= REAL_MAX)))
        return;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        const vec length2 = length2_of_step(s, o), length = v_sqrt(length2);
        const ivec longer = running & ~(length2 <= longest2);
        if (!v_any(longer))
            return;
        const vec form = s->triangle ? v_set(bending_of_triangle(s)) : bending(s, o);
        const vec lambda = LOAD(s->lambda, 0);
        const vec newton = lambda + length / delta * (length - delta) * length / form;
        const vec tenfold = v_max(10 * lambda, v_set((real)1e-10));
        const vec next = v_sel(v_finite(newton) & (newton > lambda), newton, tenfold);
        STORE(s->lambda, 0, v_sel(longer, next, lambda));
        solve(s, bounded, o);
    }
}

/* Set the reduction of chi2 that the step d promises: d'J'e + lambda d'D^2 d, or where a bound has `cut` the
 * step 2 d'J'e - d'J'J d. */
static void promise(fits *s, ivec cut, int o) {
    vec promised = {0}, gain = {0}, loss = {0};
    for (int i = 0; i < s->F; i++) {
        const vec d = LOAD(s->step, i), g = LOAD(s->sum, tri(s->F, i));
        promised += d * (is_damped(s, i) ? g + LOAD(s->lambda, 0) * LOAD(s->scale2, i) * d : g);
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

/* Set the trial to theta + step; a parameter whose step was cut lands on its bound exactly. */
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

/* Find the steps of all lanes, within the box and within the region; returns the lanes whose step a bound has
 * cut. */
static ivec find_step(fits *s, const tolerances *t, int o) {
    if (t->bounded)
        hold_at_bounds(s, o);
    solve(s, t->bounded, o);
    shorten(s, t->bounded, o);
    ivec cut = {0};
    for (ivec changed; t->bounded && v_any(changed = clamp(s, o));) {
        cut |= changed;
        solve(s, 1, o);
        shorten(s, 1, o);
    }
    promise(s, cut, o);
    return cut;
}

/* Put into covariance [F], which a running fit does not need, the step that puts the linear parameters at
 * their best beside theta: it solves the normal equations in these alone, undamped.  A parameter that the
 * others determine already, or nothing does, stays where it is. */
static void step_to_best(fits *s, int o) {
    const int F = s->F;
    for (int i = 0; i < F; i++) {
        for (int j = 0; j <= i; j++)
            STORE(s->factor, tri(i, j), v_set((real)(i == j)));
        STORE(s->work, i, v_set(0));
    }
    for (int i = 0; i < s->n_linear; i++) {
        const int row = s->linear[i];
        for (int j = 0; j <= i; j++)
            STORE(s->factor, tri(row, s->linear[j]), LOAD(s->sum, tri(row, s->linear[j])));
        STORE(s->work, row, LOAD(s->sum, tri(F, row)));
    }
    factorise(s, WEAK_PIVOT, o);
    substitute(s, 0, o);
    for (int j = 0; j < F; j++)
        STORE(s->covariance, j, LOAD(s->step, j));
}

/* Let a lane begin anew where its linear parameters are at their best, or as near to that as bounds let them;
 * a step that is not finite is not taken. */
static void begin_at_best(fits *s, int lane) {
    for (int i = 0; i < s->n_linear; i++) {
        const ptrdiff_t at = (ptrdiff_t)s->free_theta[s->linear[i]] * LANES + lane;
        const real best = s->theta[at] + s->covariance[s->linear[i] * LANES + lane];
        if (fabs(best) <= REAL_MAX)
            s->start[at] = best < s->lower[at] ? s->lower[at] : best > s->upper[at] ? s->upper[at] : best;
    }
    begin_fit(s, lane);
}

/* Set the next trial of each running lane, or stop it where the gradient or the next step is small enough.  A
 * step that follows a rejection does not stop a lane by its length: it is small because it was shortened. */
static void advance(fits *s, const tolerances *t, int o) {
    if (s->projecting)
        STORE(s->lambda, 0, v_set(LOST_COLUMN * LOST_COLUMN)); /* the region alone limits the step */
    const ivec eliminates = MASK(s->eliminates, 0) & (MASK(s->status, 0) == RUNNING);
    if (v_any(eliminates))
        step_to_best(s, o);
    const ivec cut = find_step(s, t, o);
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F)), promised = LOAD(s->promised, 0);
    const vec length2 = length2_of_step(s, o);
    const ivec fine = ~cut & ~is_coarse(s, o);
    const ivec whole = fine & MASK(s->kept, 0) & may_be_unseen(s, promised, length2, o);
    stop(s, o, fine & (promised <= t->gtol * t->gtol * chi2), TW_GTOL);
    stop(s, o, whole & small_step(s, t->xtol, chi2, o), TW_XTOL);
    const ivec early = whole & (promised <= early_ftol(t) * chi2);
    if (v_any(early)) {
        const ivec fast = length2 <= FAST * FAST * length2_of(s, s->moved, 0, o);
        stop(s, o, early & (fast | (promised <= t->ftol * chi2)), TW_FTOL);
    }
    MASK(s->asked, 0) = whole;
    set_trial(s, t->bounded, o);
    MASK(s->eliminates, 0) = (ivec){0};
    for (int l = 0; l < VL && v_any(eliminates); l++)
        if (eliminates[l] && s->status[o + l] == RUNNING)
            begin_at_best(s, o + l);
}

#endif
