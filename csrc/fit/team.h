/* team.h - damped least squares for data sets that share parameters: what their team decides.
 *
 * The method is that of damped.h, step.h and confirm.h, for all members of a team together: one damping, one
 * region, one judgement of each trial by the sum of chi2 over the members.  The step comes from the
 * arrow-shaped normal equations (arrow.h), whose part for the shared parameters is solved here, in double.
 */
#ifndef TW_TEAM_H
#define TW_TEAM_H

#include "fit/arrow.h"

/* The rows that the passes of arrow.h write */
enum { TRIAL_CHI2 = 0, FALL = 1, SQUARES = 2 };
enum { PROMISED = 0, GAIN = 1, LENGTH2 = 2, CUT = 3, LONG = 4 };

/* Tell the members of a team its damping, its shared step and which shared parameters are held. */
static void tell_members(const bundle *b, const team *t, double lambda) {
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++) {
        *member_at(b, LAMBDA, place, 0) = (real)lambda;
        for (int c = 0; c < b->S; c++) {
            *member_at(b, STEP, place, b->groups->shared[c]) = (real)t->step[c];
            set_mask(b, HELD, place, b->groups->shared[c], t->held[c]);
        }
    }
}

/* Let the next masked pass be about the members of a team, or not. */
static void mask_members(const bundle *b, const team *t, int kept) {
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++)
        set_mask(b, KEEP, place, 0, kept);
}

/* Read the shared parameters from a member that takes part. */
static void read_shared(const bundle *b, team *t) {
    for (int c = 0; c < b->S; c++)
        t->theta[c] = *member_at(b, THETA, t->lead, b->job->tape->free_theta[b->groups->shared[c]]);
}

static double dof_of_team(const team *t) {
    const double dof = (double)(t->used - t->n_free);
    return dof > 1 ? dof : 1;
}

/* D_c^2 of a shared parameter */
static double scale_of_shared(const team *t, int c) { return t->scale2[c] > 0 ? t->scale2[c] : 1; }

/* ---- judging a trial ------------------------------------------------------------------------- */

/* The factor by which a rejected step is to be shortened (as `shortening` in damped.h) */
static double shortening_of(const team *t, double trial, double fall) {
    double share = t->slope / (2 * t->slope - fall);
    if (!(trial < 100 * t->chi2))
        share = 0.1;
    if (t->promised <= t->noise)
        share = 0.5;
    return share > 0.5 ? 0.5 : share > 0.1 ? share : 0.1;
}

/* Set the next damping and the next region from what the trial has shown. */
static void adapt_team(team *t, double trial, double fall) {
    const double rho = t->promised > 0 ? fall / t->promised : 0, q = 2 * rho - 1;
    if (!t->kept) {
        t->delta = shortening_of(t, trial, fall) * t->length;
        t->lambda *= 2;
        return;
    }
    const double cubic = 1 - q * q * q > 0.1 ? 1 - q * q * q : 0.1;
    t->lambda *= t->promised <= t->noise ? 0.1 : cubic;
    t->lambda = t->lambda > (double)LEAST_DAMPING ? t->lambda : (double)LEAST_DAMPING;
    if (rho > 0.25 && t->delta < 2 * t->length)
        t->delta = 2 * t->length;
}

/* Let the team stop with a status if the trial that was kept meets a tolerance. */
static void look_at_tolerances(const bundle *b, team *t, double before, double fall) {
    const double ftol = b->t.ftol;
    t->status = RUNNING;
    if (t->chi2 <= 16.0 * REAL_EPS * REAL_EPS * t->magnitude)
        t->status = TW_EXACT;
    else if (!t->fresh && t->small)
        t->status = TW_XTOL;
    else if (!t->fresh && t->promised <= ftol * before && fall <= ftol * before)
        t->status = TW_FTOL;
    else if (t->idle > MOST_IDLE && t->lambda <= (double)UNDAMPED)
        t->status = TW_FTOL;
    if (t->status)
        t->state = TEAM_MAY_STOP;
}

/* Note chi2 as a mark after every F + 1 kept trials; a team whose chi2 has hardly fallen since the earliest
 * of its last MARKS marks may stop as SLOW (as look_back in damped.h). */
static void look_back_at_marks(const bundle *b, team *t) {
    if (--t->until_mark > 0)
        return;
    if (t->mark[MARKS - 1] - t->chi2 < (double)LAST_SLOW_FALL * t->chi2 / dof_of_team(t) &&
        t->state == TEAM_RUNS)
        t->status = SLOW, t->state = TEAM_MAY_STOP;
    memmove(t->mark + 1, t->mark, (MARKS - 1) * sizeof *t->mark);
    t->mark[0] = t->chi2, t->until_mark = b->F + 1;
}

/* Keep or reject the trial whose sums are in `sums`. */
static void judge_team(const bundle *b, team *t) {
    const double trial = t->sums[TRIAL_CHI2], before = t->chi2, fall = t->fresh ? 0 : t->sums[FALL];
    const int finite = isfinite(trial), in_noise = t->promised <= t->noise;
    const double above = t->above > fall ? t->above - fall : 0;
    t->kept = finite && (t->fresh || fall > 0 || (in_noise && above <= t->noise));
    if (!t->fresh) {
        adapt_team(t, trial, fall);
        t->n_iter++;
        t->idle = t->kept && fall > t->noise ? 0 : t->idle + in_noise;
    }
    for (int c = 0; c < b->S && t->kept; c++) {
        t->square[c] = t->sums[SQUARES + c], t->gradient[c] = t->sums[SQUARES + b->S + c];
        t->scale2[c] = t->square[c] > t->scale2[c] ? t->square[c] : t->scale2[c];
    }
    if (t->kept)
        t->chi2 = trial, t->above = above, t->moved = t->length;
    mask_members(b, t, t->kept);
    if (t->kept)
        look_at_tolerances(b, t, before, fall);
    if (t->kept && !t->fresh)
        look_back_at_marks(b, t);
    t->fresh = 0;
}

/* Let a team stop that has used up its trials, or cannot lower chi2 any more. */
static void give_up_team(const bundle *b, team *t) {
    if (t->state != TEAM_RUNS)
        return;
    if (t->n_iter >= b->t.limit)
        t->status = TW_MAX_ITER, t->state = TEAM_STOPS;
    else if (t->idle > MOST_IDLE)
        t->status = TW_NO_PROGRESS, t->state = TEAM_MAY_STOP;
}

/* ---- the shared step ------------------------------------------------------------------------- */

/* Hold the shared parameters at a bound that descent would push through; their step is 0. */
static void hold_shared(const bundle *b, team *t) {
    for (int c = 0; c < b->S; c++) {
        t->held[c] = (t->theta[c] <= t->lower[c] && t->gradient[c] <= 0) ||
                     (t->theta[c] >= t->upper[c] && t->gradient[c] >= 0);
        t->step[c] = 0;
    }
}

/* Replace the matrix, whose damping is lambda, by its factors U D (as factorise_local).  Returns the first
 * parameter whose pivot is at most `least` times its diagonal element, or -1; then 1/D is 0. */
static int factorise_shared(const bundle *b, team *t, double lambda, double least) {
    int weak = -1;
    for (int i = 0; i < b->S; i++)
        for (int j = 0; j <= i; j++) {
            double a = t->held[i] || t->held[j] ? i == j : t->matrix[tri(i, j)];
            const double D2 = lambda * scale_of_shared(t, i);
            a += i == j && !t->held[i] ? D2 : 0;
            for (int k = 0; k < j; k++)
                a -= t->matrix[tri(i, k)] * t->matrix[tri(j, k)] * t->pivot[k];
            t->matrix[tri(i, j)] = a;
            if (i > j)
                continue;
            const int strong = t->held[i] || a > least * (t->square[i] + D2);
            t->pivot[i] = strong ? 1 / a : 0;
            weak = strong || weak >= 0 ? weak : i;
        }
    return weak;
}

/* Solve for the shared step, from the factors and the right-hand side behind them; what it promises is
 * returned. */
static double solve_shared(const bundle *b, team *t) {
    double promised = 0, *y = t->matrix + tri(b->S, 0);
    for (int i = 0; i < b->S; i++) {
        y[i] = t->held[i] ? 0 : y[i];
        for (int k = 0; k < i; k++)
            y[i] -= t->matrix[tri(i, k)] * y[k];
        promised += y[i] * y[i] * t->pivot[i];
        y[i] *= t->pivot[i];
    }
    for (int i = b->S - 1; i >= 0; i--) {
        for (int k = i + 1; k < b->S; k++)
            y[i] -= t->matrix[tri(k, i)] * y[k] * t->pivot[i];
        t->step[i] = t->held[i] ? t->step[i] : y[i];
    }
    return promised;
}

/* Hold each shared parameter whose step leaves the box at the bound that it meets. */
static int cut_shared(const bundle *b, team *t) {
    int cut = 0;
    for (int c = 0; c < b->S; c++) {
        const double target = t->theta[c] + t->step[c];
        if (t->held[c] || (target >= t->lower[c] && target <= t->upper[c]))
            continue;
        t->step[c] = (target < t->lower[c] ? t->lower[c] : t->upper[c]) - t->theta[c];
        t->held[c] = cut = 1;
    }
    return cut;
}

/* Take over the sums of an elimination. */
static void take_matrix(const bundle *b, team *t) {
    sum_team(b, t, (int)tri(b->S + 1, 0) + 1);
    memcpy(t->matrix, t->sums, (size_t)tri(b->S + 1, 0) * sizeof *t->matrix);
}

/* Raise the damping tenfold; from where it tells nothing to where it does. */
static double tenfold(double lambda) { return 10 * lambda > 1e-10 ? 10 * lambda : 1e-10; }

/* Solve for the shared step; returns 0 where it is not found yet: where the damped matrix is singular to
 * rounding, so that the damping is raised, or where a bound cuts the step. */
static int find_shared_step(const bundle *b, team *t) {
    take_matrix(b, t);
    if (factorise_shared(b, t, t->lambda, (double)WEAK_PIVOT) >= 0 && t->lambda < 1) {
        t->lambda = tenfold(t->lambda);
        return 0;
    }
    solve_shared(b, t);
    const int cut = cut_shared(b, t);
    t->cut |= cut;
    return !cut;
}

/* Are the shared steps small (as small_step)? */
static int is_small_step(const bundle *b, const team *t) {
    for (int c = 0; c < b->S; c++) {
        const double excess = fabs(t->step[c]) - (double)b->t.xtol * fabs(t->theta[c]);
        if (excess > 0 && !(excess * sqrt(t->scale2[c]) <= (double)b->t.xtol * sqrt(t->chi2)))
            return 0;
    }
    return 1;
}

/* Take over what the members' steps sum up to. */
static void take_step(const bundle *b, team *t) {
    sum_team(b, t, LONG + 1);
    double length2 = t->sums[LENGTH2];
    for (int c = 0; c < b->S; c++)
        length2 += t->held[c] ? 0 : t->step[c] * t->step[c] * scale_of_shared(t, c);
    t->promised = t->sums[PROMISED], t->slope = t->sums[GAIN], t->length = sqrt(length2);
    t->small = t->sums[LONG] == 0 && is_small_step(b, t);
}

/* Look at a step that has been found: is it to be found again, as a bound cuts it or it leaves the region? */
static void look_at_step(const bundle *b, team *t, int round) {
    take_step(b, t);
    t->again = t->sums[CUT] > 0;
    t->cut |= t->again;
    if (t->again || !(t->length > 1.1 * t->delta) || round >= MOST_ROUNDS)
        return;
    const double ratio = t->length / t->delta, factor = ratio > 10 ? 10 : ratio > 1.5 ? ratio : 1.5;
    t->lambda = t->lambda * factor > 1e-10 ? t->lambda * factor : 1e-10;
    t->again = 1;
}

/* Let a team stop where its gradient or its step is small enough (as `advance` in step.h). */
static void stop_by_step(const bundle *b, team *t) {
    const double gtol = b->t.gtol, most = (double)LAST_STEP * t->chi2 / dof_of_team(t);
    const double little = most > t->noise ? most : t->noise;
    const int whole =
        !t->cut && t->kept && t->promised <= little && t->length <= (double)UNSEEN * sqrt(t->chi2);
    if (!t->cut && t->promised <= gtol * gtol * t->chi2)
        t->status = TW_GTOL;
    else if (whole && t->small)
        t->status = TW_XTOL;
    else if (whole && t->promised <= (double)early_ftol(&b->t) * t->chi2 &&
             (t->length <= (double)FAST * t->moved || t->promised <= (double)b->t.ftol * t->chi2))
        t->status = TW_FTOL;
    else
        return;
    t->state = TEAM_MAY_STOP;
}

#endif
