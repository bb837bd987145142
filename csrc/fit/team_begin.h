/* team_begin.h - how data sets that share parameters get into a bundle, and which of them take part.
 *
 * A data set takes part with its data and its start in order, and with at least as many points as it has
 * parameters of its own.  The others get their reasons, and their places stay empty (ALIVE): a team does
 * without them, as long as the points of the others are enough for the parameters of these.
 */
#ifndef TW_TEAM_BEGIN_H
#define TW_TEAM_BEGIN_H

#include "fit/team_confirm.h"

/* Load a data set, its start and its bounds into a lane; returns why it cannot take part, or TW_NOT_RUN. */
static tw_status load_member(bundle *b, const evaluator *e, const packet *p, int lane, ptrdiff_t fit,
                             sample *data, int32_t *detail) {
    fits *s = e->lanes ? &e->lanes->s : &e->one->s;
    const int from = e->lanes ? lane : 0;
    tw_status status;
    *detail = -1;
    if (e->lanes) {
        *data = (sample){.y = p->at[Y] + lane, .stride = LANES, .unseen = -1};
        data->weight = b->groups->partial ? p->at[WEIGHT] + lane : NULL;
        status = load_points(b->job, fit, 0, b->job->n_points, data);
        *detail = status == TW_NOT_FINITE ? TW_INPUT_Y : -1;
        status = status ? status : load_start(b->job, fit, s, lane, detail);
    } else {
        e->one->fit = fit;
        status = prepare_one(e->one, detail);
        *data = e->one->totals;
    }
    if (!status || status == TW_TOO_FEW_POINTS)
        status = data->used > 0 && data->used >= count_local(b, fit) ? TW_NOT_RUN : TW_TOO_FEW_POINTS;
    for (int j = 0; j < b->P && !status; j++) {
        p->at[THETA][j * LANES + lane] = p->at[TRIAL][j * LANES + lane] = s->start[j * LANES + from];
        p->at[LOWER][j * LANES + lane] = b->t.bounded ? s->lower[j * LANES + from] : -(real)INFINITY;
        p->at[UPPER][j * LANES + lane] = b->t.bounded ? s->upper[j * LANES + from] : (real)INFINITY;
    }
    if (b->own_x && e->lanes) {
        run_point_code(&e->one->workers->m, b->job->n_points, b->job->x, b->job->x_step, fit);
        expand_points(&e->one->workers->m, b->job->n_points, p->at[POINTS], lane);
    }
    return status;
}

/* Load the members of a packet; the results of those that cannot take part are written. */
static void load_packet(bundle *b, evaluator *e, ptrdiff_t k) {
    const packet p = packet_at(b, k);
    for (int a = 0; a < N_ARRAYS; a++)
        memset(p.at[a], 0, (size_t)(b->rows[a] * LANES) * sizeof(real));
    for (int lane = 0; lane < LANES && k * LANES + lane < b->n_places; lane++) {
        const ptrdiff_t place = k * LANES + lane, fit = b->fit_at[place];
        sample data;
        int32_t detail;
        const tw_status why = load_member(b, e, &p, lane, fit, &data, &detail);
        if (why)
            write_refusal(b->job, fit, why, detail, data.used);
        p.at[MAGNITUDE][lane] = why ? 0 : magnitude_of(b->job, fit, &data);
        b->job->n_used[fit] = data.used;
        set_mask(b, ALIVE, place, 0, !why);
    }
}

/* Write that a team with too few points cannot run. */
static void refuse_team(const bundle *b, team *t) {
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++)
        if (mask_at(b, ALIVE, place, 0)) {
            const ptrdiff_t fit = b->fit_at[place];
            write_refusal(b->job, fit, TW_TOO_FEW_POINTS, -1, b->job->n_used[fit]);
        }
    write_totals(b, t, TW_TOO_FEW_POINTS, NAN);
    t->state = TEAM_IS_DONE;
}

/* Let a team begin, whose members have been loaded. */
static void begin_team(const bundle *b, team *t) {
    if (!count_members(b, t)) {
        refuse_team(b, t);
        return;
    }
    read_shared(b, t);
    for (int c = 0; c < b->S; c++) {
        const int parameter = b->job->tape->free_theta[b->groups->shared[c]];
        t->lower[c] = *member_at(b, LOWER, t->lead, parameter);
        t->upper[c] = *member_at(b, UPPER, t->lead, parameter);
        t->scale2[c] = t->square[c] = t->gradient[c] = t->step[c] = 0, t->held[c] = 0;
    }
    t->fresh = 1, t->lambda = (double)FIRST_DAMPING, t->delta = INFINITY;
    t->resumed = t->unsettled = INFINITY;
    t->until_mark = b->F + 1;
    for (int k = 0; k < MARKS; k++)
        t->mark[k] = INFINITY;
}

/* Put the groups `number` ... `number` + n - 1 of the job into the bundle, which is empty. */
static void fill_bundle(bundle *b, ptrdiff_t number, ptrdiff_t n) {
    b->n_teams = n, b->n_places = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const int64_t begin = b->groups->begin[number + k], end = b->groups->begin[number + k + 1];
        team *t = b->teams + k, fresh = *t;
        memset(t, 0, sizeof *t);
        t->theta = fresh.theta, t->lower = fresh.lower, t->upper = fresh.upper, t->step = fresh.step;
        t->scale2 = fresh.scale2, t->gradient = fresh.gradient, t->square = fresh.square;
        t->matrix = fresh.matrix, t->inverse = fresh.inverse, t->pivot = fresh.pivot;
        t->sums = fresh.sums, t->piece = fresh.piece, t->held = fresh.held;
        t->number = number + k, t->first = b->n_places, t->n = (ptrdiff_t)(end - begin), t->lost = -1;
        for (int64_t fit = begin; fit < end; fit++)
            b->fit_at[b->n_places++] = (ptrdiff_t)fit;
    }
    memset(b->flag, 1, (size_t)pieces(b->n_places, LANES));
}

/* Take members out of a team whose model is not finite at the start, or whose sums leave the range. */
static void dismiss_members(const bundle *b, team *t) {
    int dismissed = 0;
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++) {
        const packet p = packet_at(b, place / LANES);
        const fits s = {.F = b->F,
                        .free_theta = b->job->tape->free_theta,
                        .theta = p.at[TRIAL],
                        .trial_sum = p.at[TRIAL_SUM],
                        .magnitude = p.at[MAGNITUDE]};
        const int lane = (int)(place % LANES), finite = !isnan(p.at[SHARE][lane]);
        const int input = finite && p.at[MAGNITUDE][lane] > 0 ? out_of_range(&s, 0, lane) : -1;
        if (!mask_at(b, ALIVE, place, 0) || (finite && input < 0))
            continue;
        const real chi2 = *member_at(b, TRIAL_SUM, place, tri(b->F, b->F));
        const int detail = finite ? input : fabs(chi2) <= REAL_MAX ? TW_INPUT_DERIVATIVE : TW_INPUT_MODEL;
        const ptrdiff_t fit = b->fit_at[place];
        write_refusal(b->job, fit, finite ? TW_RANGE : TW_NOT_FINITE, detail, b->job->n_used[fit]);
        set_mask(b, ALIVE, place, 0, 0);
        for (int row = 0; row < b->n_share; row++)
            *member_at(b, SHARE, place, row) = 0;
        dismissed = 1;
    }
    if (dismissed && !count_members(b, t))
        refuse_team(b, t);
    else
        read_shared(b, t);
}

#endif
