/* team_confirm.h - whether data sets that share parameters are at a minimum, and those that will not be.
 *
 * A team is at a minimum if its undamped step promises little beside chi2.  What it promises is
 * sum_m g_m' M_m^-1 g_m + r' C^-1 r: the local parameters of each member alone, and the shared ones with all
 * that the local ones then do.  The first is asked of each member beside its own chi2 as well, for the chi2
 * of a team may hide a member of small residuals.
 *
 * A member may have no minimum: a parameter of its own runs off to infinity, slower and slower, or its model
 * is not smooth.  It must not keep its team from a minimum.  So where a team is slow, or was resumed in vain,
 * such a member leaves it, as if it had never taken part, and ends as TW_DRIFT or TW_NO_PROGRESS.
 */
#ifndef TW_TEAM_CONFIRM_H
#define TW_TEAM_CONFIRM_H

#include "fit/team_outcome.h"

/* A parameter of a slow team runs off, too, where its variance inflation is beyond these.  Where a shared one
 * runs off the local ones of all members may do so with it, so its limit is the lower one. */
#define LOCAL_INFLATION PICK(1e10, 1e5)
#define SHARED_INFLATION PICK(1e8, 1e4)

/* Let a team go on from where it met a tolerance, with less damping and in a wider region. */
static void resume_team(team *t) {
    t->state = TEAM_RUNS, t->status = RUNNING;
    t->lambda = t->lambda * (double)RELIEF > (double)LEAST_DAMPING ? t->lambda * (double)RELIEF
                                                                   : (double)LEAST_DAMPING;
    t->delta *= (double)WIDER;
}

/* Count how often in a row the team was asked to go on, without a fall of chi2 or of what its unsettled
 * members promise. */
static void count_vain(team *t, double unsettled) {
    const int fell = t->chi2 < t->resumed - t->noise || unsettled < 0.5 * t->unsettled;
    t->in_vain = fell ? 0 : t->in_vain + 1;
    t->resumed = t->chi2, t->unsettled = unsettled;
}

/* The local parameter of a member that runs off, or -1: its place among the local ones. */
static int runs_off(const bundle *b, const team *t, ptrdiff_t place, const outcome_work *w) {
    const int parameter = run_off_of(b, place, LAST_RUN_OFF);
    int worst = parameter < 0 ? member_covariance(b, t, place, w) : -1;
    double most = (double)LOCAL_INFLATION;
    for (int i = 0; i < b->L; i++) {
        const double inflation = w->K[tri(i, i)];
        if (b->job->tape->free_theta[b->local[i]] == parameter)
            return i;
        if (parameter < 0 && worst < 0 && inflation > most && !mask_at(b, HELD, place, b->local[i]))
            most = inflation, worst = i;
    }
    return worst;
}

/* Let a member leave its team: its local parameters stay where they are. */
static void let_leave(const bundle *b, ptrdiff_t place) {
    for (int i = 0; i < b->L; i++) {
        const int parameter = b->job->tape->free_theta[b->local[i]];
        const real theta = *member_at(b, THETA, place, parameter);
        *member_at(b, LOWER, place, parameter) = *member_at(b, UPPER, place, parameter) = theta;
    }
    set_mask(b, ALIVE, place, 0, 0);
}

/* Sum up anew what the members that are left contribute at theta, and let the team begin from there. */
static void begin_anew(const bundle *b, team *t) {
    t->chi2 = chi2_of_team(b, t), t->above = 0, t->idle = 0, t->in_vain = 0;
    t->resumed = t->unsettled = INFINITY;
    for (int k = 0; k < MARKS; k++)
        t->mark[k] = INFINITY;
    for (int c = 0; c < b->S; c++) {
        const int j = b->groups->shared[c];
        t->gradient[c] = sum_of_team(b, t, tri(b->F, j));
        t->scale2[c] = t->square[c] = sum_of_team(b, t, tri(j, j));
    }
}

/* Let the members leave that are unsettled and of which a parameter runs off, or, where they are asked for,
 * `all` that are unsettled.  Where the others cannot do without them the team stops.  Returns whether there
 * were some. */
static int part_with_members(bundle *b, team *t, const outcome_work *w, int all) {
    int leaving = 0, staying = 0;
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++) {
        const int alive = mask_at(b, ALIVE, place, 0);
        const int asked = alive && *member_at(b, SHARE, place, tri(b->S + 1, 0)) > 0;
        const int i = asked ? runs_off(b, t, place, w) : -1;
        const int leaves = asked && (i >= 0 || all);
        if (leaves)
            *member_at(b, FATE, place, 0) = i < 0 ? -1 : (real)(1 + b->job->tape->free_theta[b->local[i]]);
        leaving += leaves, staying += alive && !leaves;
    }
    if (!leaving || !staying) {
        t->state = leaving ? TEAM_STOPS : t->state, t->status = leaving ? TW_NO_PROGRESS : t->status;
        return leaving > 0;
    }
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++)
        if (*member_at(b, FATE, place, 0) != 0)
            let_leave(b, place);
    b->t.bounded = 1;
    if (!count_members(b, t))
        t->state = TEAM_STOPS, t->status = TW_NO_PROGRESS;
    begin_anew(b, t);
    return 1;
}

/* Does a shared parameter of a slow team run off?  Then its place is in `lost`. */
static int shared_runs_off(const bundle *b, team *t) {
    t->lost = invert_shared(b, t);
    for (int c = 0; c < b->S && t->lost < 0; c++)
        if (!t->held[c] && (has_lost_effect(t, c, (double)LAST_RUN_OFF) ||
                            !(t->inverse[tri(c, c)] <= (double)SHARED_INFLATION)))
            t->lost = c;
    return t->lost >= 0;
}

/* Go on with a team that is not at a minimum though it met a tolerance, is slow or cannot lower chi2. */
static void go_on_with(bundle *b, team *t, const outcome_work *w, double unsettled) {
    const int status = t->status;
    if (status == SLOW && shared_runs_off(b, t)) {
        t->state = TEAM_STOPS, t->status = TW_DRIFT;
        return;
    }
    if (status != SLOW)
        count_vain(t, unsettled);
    const int vain = t->in_vain > TRUST || status == TW_NO_PROGRESS;
    const int some = (vain || status == SLOW) && part_with_members(b, t, w, vain);
    if (t->state == TEAM_STOPS)
        return;
    if (vain && !some)
        t->state = TEAM_STOPS, t->status = TW_NO_PROGRESS;
    else if (t->n_iter >= b->t.limit)
        t->state = TEAM_STOPS, t->status = TW_MAX_ITER;
    else if (status == SLOW)
        t->state = TEAM_RUNS, t->status = RUNNING;
    else
        resume_team(t);
}

/* Decide, by the undamped elimination whose sums are there, whether a team is at a minimum; see the head of
 * this file.  One whose shared parameters are not determined here stops, too: look_for_lost says so. */
static void confirm_team(bundle *b, team *t, const outcome_work *w) {
    take_matrix(b, t);
    const double own = t->sums[tri(b->S, b->S)], unsettled = t->sums[tri(b->S + 1, 0)];
    const int weak = factorise_shared(b, t, 0, (double)LOST_PIVOT);
    const double promised = own + solve_shared(b, t), share = (double)level_share(&b->t);
    const int level = t->status == TW_EXACT || promised <= share * t->chi2 || promised <= t->noise;
    if (weak < 0 && !(level && unsettled == 0)) {
        go_on_with(b, t, w, unsettled);
        return;
    }
    if (t->status == SLOW || t->status == TW_NO_PROGRESS)
        t->status = TW_FTOL; /* by the rounding of chi2 */
    t->state = TEAM_STOPS;
}

/* May the undamped step be taken as the last one, without a trial? */
static int may_be_taken(const bundle *b, team *t) {
    const int cut = cut_shared(b, t);
    take_step(b, t);
    const double most = (double)LAST_STEP * t->chi2 / dof_of_team(t);
    return !cut && t->sums[CUT] == 0 && t->promised <= (most > t->noise ? most : t->noise) &&
           t->length <= (double)UNSEEN * sqrt(t->chi2);
}

#endif
