/* shared.h - the rounds of a bundle of data sets that share parameters, and its threads.
 *
 * In each round the trials of all members are evaluated, each team judges its own, and the next steps are
 * found.  A team that meets a tolerance is confirmed, and then its results are written.
 */
#ifndef TW_SHARED_H
#define TW_SHARED_H

#include "fit/team_begin.h"

/* ---- a round --------------------------------------------------------------------------------- */

/* Flag the teams of a state; returns how many there are. */
static ptrdiff_t flag_teams(bundle *b, team_state state) {
    ptrdiff_t n = 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++)
        if (b->teams[k].state == state) {
            flag_team(b, b->teams + k);
            n++;
        }
    return n;
}

/* Evaluate the trials of the teams that run, and keep or reject them. */
static int try_trials(bundle *b) {
    flag_teams(b, TEAM_RUNS);
    if (!run_pass(b, evaluate))
        return 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        team *t = b->teams + k;
        if (t->state == TEAM_RUNS && t->fresh)
            dismiss_members(b, t);
        if (t->state != TEAM_RUNS)
            continue;
        sum_team(b, t, 2 + 2 * b->S);
        judge_team(b, t);
        t->news = t->kept;
        if (t->kept)
            flag_team(b, t);
    }
    if (!run_masked(b, keep_trials))
        return 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        team *t = b->teams + k;
        if (t->news) {
            sum_team(b, t, 1);
            t->noise = t->sums[0], t->news = 0;
            read_shared(b, t);
        }
        give_up_team(b, t);
    }
    return 1;
}

/* Let the teams `again` prepare for their steps: who is held at a bound. */
static int hold_parameters(bundle *b) {
    for (ptrdiff_t k = 0; k < b->n_teams; k++)
        if (b->teams[k].again) {
            hold_shared(b, b->teams + k);
            b->teams[k].cut = 0;
            mask_members(b, b->teams + k, 1);
            flag_team(b, b->teams + k);
        }
    return run_masked(b, hold_local);
}

/* Find the next steps of the teams that are to find one `again`; where it may, a team stops by its step. */
static int find_steps(bundle *b, int may_stop) {
    if (!hold_parameters(b))
        return 0;
    for (int round = 0, some = 1; some; round++) {
        some = 0;
        for (ptrdiff_t k = 0; k < b->n_teams; k++)
            if (b->teams[k].again) {
                tell_members(b, b->teams + k, b->teams[k].lambda);
                flag_team(b, b->teams + k);
            }
        if (!run_pass(b, eliminate))
            return 0;
        for (ptrdiff_t k = 0; k < b->n_teams; k++) {
            team *t = b->teams + k;
            t->news = t->again && find_shared_step(b, t);
            if (t->news) {
                tell_members(b, t, t->lambda);
                flag_team(b, t);
            }
        }
        if (!run_pass(b, find_local_steps))
            return 0;
        for (ptrdiff_t k = 0; k < b->n_teams; k++) {
            team *t = b->teams + k;
            if (t->news)
                look_at_step(b, t, round);
            if (t->news && !t->again && may_stop)
                stop_by_step(b, t);
            t->news = 0;
            some |= t->again;
        }
    }
    return 1;
}

/* Take the undamped steps of the teams that have just been confirmed as their last ones, where they may be.
 */
static int take_last_steps(bundle *b) {
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        team *t = b->teams + k;
        t->news = t->state == TEAM_STOPS && t->status > 0 && t->status != TW_EXACT;
        if (t->news) {
            tell_members(b, t, 0);
            flag_team(b, t);
        }
    }
    if (!run_pass(b, find_local_steps))
        return 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        team *t = b->teams + k;
        if (t->news && may_be_taken(b, t)) {
            mask_members(b, t, 1);
            flag_team(b, t);
        }
        t->news = 0;
    }
    return run_masked(b, take_unseen);
}

/* Confirm the teams that met a tolerance; those that are to go on are marked to find their steps `again`. */
static int confirm_teams(bundle *b, const outcome_work *w) {
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        b->teams[k].again = b->teams[k].state == TEAM_MAY_STOP;
        b->teams[k].news = b->teams[k].again;
    }
    if (!hold_parameters(b))
        return 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++)
        if (b->teams[k].again) {
            tell_members(b, b->teams + k, 0);
            flag_team(b, b->teams + k);
        }
    if (!run_pass(b, eliminate))
        return 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++)
        if (b->teams[k].news) {
            confirm_team(b, b->teams + k, w);
            b->teams[k].again = b->teams[k].state == TEAM_RUNS;
        }
    return take_last_steps(b);
}

/* Hold every parameter that is at a bound, for the covariance. */
static void hold_at_bound(bundle *b, evaluator *e, ptrdiff_t k) {
    (void)e;
    const packet p = packet_at(b, k);
    for (int o = 0; o < LANES; o += VL)
        for (int j = 0; j < b->F; j++) {
            const int parameter = b->job->tape->free_theta[j];
            const vec theta = LOAD(p.at[THETA], parameter);
            const ivec held =
                (theta <= LOAD(p.at[LOWER], parameter)) | (theta >= LOAD(p.at[UPPER], parameter));
            hold(&p, j, held, o);
        }
}

/* Write the results of the teams that stop; returns how many fits these have, or -1 if the watch asks to
 * stop. */
static ptrdiff_t write_teams(bundle *b, const outcome_work *w) {
    ptrdiff_t fits_done = 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        team *t = b->teams + k;
        if (t->state != TEAM_STOPS)
            continue;
        read_shared(b, t);
        for (int c = 0; c < b->S; c++) {
            t->held[c] = t->theta[c] <= t->lower[c] || t->theta[c] >= t->upper[c];
            t->step[c] = 0;
        }
        tell_members(b, t, 0);
        mask_members(b, t, 1);
    }
    flag_teams(b, TEAM_STOPS);
    if (!run_masked(b, hold_at_bound))
        return -1;
    flag_teams(b, TEAM_STOPS);
    if (!run_pass(b, eliminate))
        return -1;
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        if (b->teams[k].state == TEAM_STOPS) {
            write_team(b, b->teams + k, w);
            b->teams[k].state = TEAM_IS_DONE;
        }
        fits_done += b->teams[k].state == TEAM_IS_DONE ? b->teams[k].n : 0;
    }
    return fits_done;
}

/* Run the teams of a bundle to their ends. */
static void run_bundle(bundle *b, const outcome_work *w, _Atomic ptrdiff_t *done) {
    if (!run_pass(b, load_packet))
        return;
    for (ptrdiff_t k = 0; k < b->n_teams; k++)
        begin_team(b, b->teams + k);
    while (b->n_teams) {
        if (!try_trials(b))
            return;
        for (ptrdiff_t k = 0; k < b->n_teams; k++)
            b->teams[k].again = b->teams[k].state == TEAM_RUNS;
        if (!find_steps(b, 1) || !confirm_teams(b, w) || !find_steps(b, 0))
            return;
        const ptrdiff_t finished = write_teams(b, w);
        if (finished < 0)
            return;
        atomic_fetch_add(done, finished);
        close_ranks(b);
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

/* A job of groups under way: first its large groups one by one, then its small ones side by side. */
typedef struct {
    const tw_fit_job *job;
    const tw_fit_groups *groups;
    int threads, own_x;
    real *packed, *expanded; /* as in fit_batch */
    bundle *large, **small;  /* large: NULL where there is no large group */
    ptrdiff_t *first;        /* [n_bundles + 1] the first group of each bundle of small groups */
    ptrdiff_t n_bundles, most_places;
    outcome_work *work; /* one for each thread */
    struct tw_watch *watch;
    _Atomic ptrdiff_t *done, next;
} shared_batch;

static ptrdiff_t size_of_group(const tw_fit_groups *groups, ptrdiff_t g) {
    return (ptrdiff_t)(groups->begin[g + 1] - groups->begin[g]);
}

/* Is a group so large that threads share it? */
static int is_large(const shared_batch *s, ptrdiff_t g) {
    return s->threads > 1 && size_of_group(s->groups, g) >= LARGE_TEAM;
}

static shared_batch *shared_batch_on(arena *a, const tw_fit_job *job, const tw_fit_groups *groups,
                                     int threads, int own_x) {
    TAKE_ROOT(a, shared_batch, s);
    const ptrdiff_t N = job->n_points, size = groups_of(N) * LANES, slots = job->tape->n_point;
    *s = (shared_batch){.job = job, .groups = groups, .threads = threads, .own_x = own_x};
    const ptrdiff_t some = least(BUNDLE_POINTS / (N + 1), job->n_fits / (4 * (ptrdiff_t)threads));
    ptrdiff_t large = 0, small = most(some, LEAST_BUNDLE);
    for (ptrdiff_t g = 0; g < groups->n_groups; g++) {
        const ptrdiff_t n = size_of_group(groups, g);
        large = is_large(s, g) ? most(large, n) : large;
        small = is_large(s, g) ? small : most(small, n);
    }
    s->most_places = small = least(small, job->n_fits);
    s->first = TAKE(a, ptrdiff_t, groups->n_groups + 1);
    s->packed = s->own_x ? NULL : TAKE(a, real, slots * size);
    s->expanded = s->own_x || N > SIDE_BY_SIDE ? NULL : TAKE(a, real, slots * N * LANES);
    bundle *shared =
        large ? bundle_on(a, job, groups, s->own_x, large, 1, threads, s->packed, s->expanded) : NULL;
    s->large = shared;
    s->small = TAKE(a, bundle *, threads);
    s->work = TAKE(a, outcome_work, threads);
    const bundle sizes = {
        .F = job->tape->n_free, .S = groups->n_shared, .L = job->tape->n_free - groups->n_shared};
    for (int k = 0; k < threads; k++) {
        bundle *own = bundle_on(a, job, groups, s->own_x, small, least(small, groups->n_groups), 1, s->packed,
                                s->expanded);
        const outcome_work w = outcome_work_on(a, &sizes);
        if (!a->measuring)
            s->small[k] = own, s->work[k] = w;
    }
    return place;
}

/* Let a bundle and its evaluators look at the watch. */
static void set_watch(bundle *b, struct tw_watch *watch) {
    b->watch = watch;
    for (int k = 0; k < b->threads; k++)
        b->evaluators[k].one->watch = watch;
}

/* The end of the bundle of small groups that begins with group g: as many as there is room for. */
static ptrdiff_t end_of_bundle(const shared_batch *s, ptrdiff_t g) {
    ptrdiff_t places = 0;
    for (; g < s->groups->n_groups && !is_large(s, g); g++) {
        places += size_of_group(s->groups, g);
        if (places > s->most_places)
            break;
    }
    return g;
}

/* Cut the small groups into bundles. */
static void list_bundles(shared_batch *s) {
    s->n_bundles = 0;
    for (ptrdiff_t g = 0; g < s->groups->n_groups;) {
        if (is_large(s, g)) {
            g++;
            continue;
        }
        s->first[s->n_bundles++] = g;
        g = end_of_bundle(s, g);
    }
}

/* Run small groups, in one thread, until none is left: bundle after bundle of those that follow one another.
 */
static void run_small_groups(void *context, ptrdiff_t part) {
    shared_batch *s = context;
    bundle *b = s->small[part];
    for (ptrdiff_t k; (k = claim(&s->next, 1, s->n_bundles, s->watch)) >= 0;) {
        const ptrdiff_t end = end_of_bundle(s, s->first[k]);
        fill_bundle(b, s->first[k], end - s->first[k]);
        run_bundle(b, s->work + part, s->done);
    }
}

/* Run the x stage that all data sets share. */
static void run_common_x(void *context, ptrdiff_t part) {
    shared_batch *s = context;
    (void)part;
    const machine *m = &s->small[0]->evaluators[0].one->workers->m;
    run_point_code_watched(m, s->job->n_points, s->job->x, s->job->x_step, 0, s->watch);
    if (s->expanded)
        expand_points(m, s->job->n_points, s->expanded, -1);
}

/* Run all groups of a job. */
static void run_shared(shared_batch *s, struct tw_watch *watch, _Atomic ptrdiff_t *done) {
    const tw_fit_groups *groups = s->groups;
    s->watch = watch, s->done = done;
    for (int k = 0; k < s->threads; k++)
        set_watch(s->small[k], watch);
    if (s->large)
        set_watch(s->large, watch);
    list_bundles(s);
    if (!s->own_x && s->job->n_fits)
        tw_parallel(run_common_x, s, 1, 1, watch);
    for (ptrdiff_t g = 0; g < groups->n_groups && !tw_stopped(watch); g++)
        if (is_large(s, g)) {
            fill_bundle(s->large, g, 1);
            run_bundle(s->large, s->work, done);
        }
    tw_parallel(run_small_groups, s, s->threads, s->threads, watch);
}

#endif
