/* lanes.h - many fits of few points each, side by side.
 *
 * A thread keeps LANES fits under way.  In each round it evaluates all their trials in one run of the
 * tape, judges them and finds the next trials.  A lane whose fit has stopped loads the next data set at
 * once, so no fit waits for another.  The stopped one waits in a second group until that is full: to
 * confirm eight fits and find their covariances costs as much as for one.  A fit that is not to stop yet
 * (confirm.h) goes on in the next lane that is free.
 *
 * A fit that is alone would leave most lanes idle.  So the tape computes its points side by side, in a
 * fraction of the steps, and its values are then put where the tape would have put them: in an operation all
 * lanes are alike, so that each value has the same bits, and the sums are taken in the same order.
 */
#ifndef TW_LANES_H
#define TW_LANES_H

#include "fit/one.h"

/* Fits side by side are faster where there are many of them; points side by side are faster for a fit alone,
 * whose sums take as many steps in this layout as those of a whole group.  SIDE_BY_SIDE weighs one against
 * the other, by measurements of three parameters in float64.  On AMD Zen 3 with AVX2 64 fits of 300 to 500
 * points take 1.5 to 1.7 times as long at half the value, and 64 fits of 700 to 900 points 0.7 times as long
 * at twice the value; on an Intel Xeon with AVX-512 one fit of 512 points takes twice as long as one of 513.
 */
enum { SIDE_BY_SIDE = 512 };

/* One thread's fits. */
typedef struct {
    const tw_fit_job *job;
    tolerances t;
    machine m;                   /* its point slots: [n_point][N][LANES] */
    fits s, stopped;             /* the fits under way; those that wait to be confirmed */
    real *y, *weight, *residual; /* [N][LANES], [N][LANES], [block][LANES] */
    real *square, *scale, *more; /* with noise: [block][LANES], [LANES], [NOISE_SUMS][LANES] (noise.h) */
    operand *column;             /* [F + 1] */
    ptrdiff_t fit[LANES];        /* -1: the lane is idle */
    ptrdiff_t stopped_fit[LANES];
    int64_t used[LANES], stopped_used[LANES];
    int n_stopped;
    int own_x, partial;  /* x differs between fits; some data set has weights, or points left out */
    int alone;           /* the only fit under way is that of lane 0 (run_block_alone) */
    single_fit *one;     /* for x stages and the orthogonal mode */
    ptrdiff_t next, end; /* data sets taken from the queue and not begun */
} group;

/* Memory for fits side by side, with point slots at `expanded`, or if that is NULL their own. */
static group lanes_on(arena *a, const tw_fit_job *job, real *expanded) {
    const ptrdiff_t N = job->n_points;
    group g = {.job = job, .t = tolerances_of(job, 1), .partial = job->sigma != NULL};
    g.m = machine_on(a, job->tape, 1, N * LANES, expanded, NULL);
    g.s = fits_on(a, job, 0);
    g.y = TAKE(a, real, N * LANES), g.weight = TAKE(a, real, N * LANES);
    g.residual = TAKE(a, real, g.m.block * LANES);
    g.column = TAKE(a, operand, job->tape->n_free + 1);
    g.square = TAKE(a, real, job->noise ? g.m.block * LANES : 0);
    g.scale = TAKE(a, real, LANES), g.more = TAKE(a, real, NOISE_SUMS * LANES);
    return g;
}

/* Memory for one thread's fits.  An x that all fits share has been run through the x stage before: its point
 * slots are `packed` (points side by side) and `expanded` (to all lanes). */
static group *group_on(arena *a, const tw_fit_job *job, int own_x, real *packed, real *expanded) {
    TAKE_ROOT(a, group, g);
    *g = lanes_on(a, job, expanded);
    g->own_x = own_x;
    g->stopped = fits_on(a, job, 0);
    g->one = single_fit_on(a, job, 1, packed);
    return place;
}

/* Copy the point slots of `from` (points side by side) to one lane, or to all if lane < 0. */
static void expand_points(const machine *from, ptrdiff_t n_points, real *to, int lane) {
    const int first = lane < 0 ? 0 : lane, last = lane < 0 ? LANES : lane + 1;
    for (int32_t k = 0; k < from->tape->n_point; k++)
        for (ptrdiff_t i = 0; i < n_points; i++)
            for (int l = first; l < last; l++)
                to[(k * n_points + i) * LANES + l] = from->point[k * from->point_size + i];
}

/* Put a data set's points into a lane.  As long as all weights of all data sets are 1 they are not stored,
 * for half of the memory that loading touches is theirs. */
static tw_status load_data(group *g, int lane, ptrdiff_t fit, sample *data) {
    const tw_fit_job *job = g->job;
    const ptrdiff_t N = job->n_points;
    *data = (sample){.y = g->y + lane, .weight = g->partial ? g->weight + lane : NULL};
    data->stride = LANES, data->unseen = -1;
    const tw_status status = load_points(job, fit, 0, N, data);
    if (status || g->partial || data->used == N)
        return status;
    g->partial = 1;
    for (ptrdiff_t i = 0; i < N * LANES; i++)
        g->weight[i] = 1;
    return load_data(g, lane, fit, data);
}

/* Let a lane work on a data set that has been loaded. */
static void occupy_lane(group *g, int lane, ptrdiff_t fit, int64_t used) {
    const tw_fit_job *job = g->job;
    if (g->own_x) {
        run_point_code(&g->one->workers->m, job->n_points, job->x, job->x_step, fit);
        expand_points(&g->one->workers->m, job->n_points, g->m.point, lane);
    }
    g->used[lane] = used;
    g->fit[lane] = fit;
    g->scale[lane] = f_scale_of(job, fit);
}

/* Let a lane begin with a data set that has been loaded, as has its start. */
static void begin_lane(group *g, int lane, ptrdiff_t fit, int64_t used, real magnitude) {
    occupy_lane(g, lane, fit, used);
    begin_fit(&g->s, lane);
    g->s.eliminates[lane] = -(g->job->eliminate != 0);
    g->s.magnitude[lane] = magnitude;
    g->s.dof[lane] = dof_of(g->job, fit, used);
}

/* Load a data set into a lane; where it cannot run, write the refusal and return 0. */
static int load_lane(group *g, int lane, ptrdiff_t fit) {
    const tw_fit_job *job = g->job;
    sample data;
    int32_t detail = -1;
    tw_status status = load_data(g, lane, fit, &data);
    if (status == TW_NOT_FINITE)
        detail = TW_INPUT_Y;
    if (!status)
        status = load_start(job, fit, &g->s, lane, &detail);
    if (!status && data.used < count_free(job, fit))
        status = TW_TOO_FEW_POINTS;
    if (status) {
        write_refusal(job, fit, status, detail, data.used);
        return 0;
    }
    begin_lane(g, lane, fit, data.used, magnitude_of(job, fit, &data));
    return 1;
}

/* Add the sums of n points from `start` on, whose model has been computed. */
static void add_points(group *g, ptrdiff_t start, ptrdiff_t n) {
    const machine *m = &g->m;
    const operand f = m->output[0];
    const int noise = g->job->noise, n_columns = g->s.F + 1;
    const real *y = g->y + start * LANES, *weight = g->partial ? g->weight + start * LANES : NULL;
    if (noise) {
        const noise_block b = {y, weight, g->scale, f, g->square, g->residual, NULL, g->more};
        const int whole = add_noise(&b, noise, n, m->width);
        add_block_of_squares(g->column, n_columns, n, g->square, whole, m->width, g->s.trial_sum);
        return;
    }
    for (int o = 0; o < m->width; o += VL)
        for (ptrdiff_t p = 0; p < n; p++)
            v_store(g->residual + p * LANES + o, v_load(y + p * LANES + o) - v_load(f.base + p * f.step + o));
    add_block(g->column, n_columns, n, weight, m->width, g->s.trial_sum);
}

/* Clear the sums of the noise of all lanes. */
static void clear_more(group *g) {
    memset(g->more, 0, (size_t)(LEAST_SHARE * LANES) * sizeof(real));
    for (int o = 0; o < LANES; o += VL)
        STORE(g->more, LEAST_SHARE, least_share(&g->s, g->job->noise, o));
}

/* Compute the outputs of the fit in lane 0, which is alone, points side by side: n points from `start` on. */
static void run_block_alone(const group *g, ptrdiff_t start, ptrdiff_t n) {
    const machine *m = &g->m, *packed = &g->one->workers->m;
    const ptrdiff_t first = start / LANES, before = start % LANES;
    run_block_code(packed, first, groups_of(before + n));
    for (int k = 0; k <= m->tape->n_free; k++) {
        const operand to = m->output[k];
        if (!to.step || to.advance) /* what depends on theta or on x alone is there already */
            continue;
        for (ptrdiff_t p = 0; p < n; p++)
            v_store((real *)to.base + p * LANES, v_set(packed->output[k].base[before + p]));
    }
}

/* Evaluate the trials of all lanes: put their sums into trial_sum. */
static void evaluate_group(group *g) {
    const machine *m = &g->m;
    const int F = g->s.F;
    const ptrdiff_t N = g->job->n_points;
    memcpy(m->lane + (ptrdiff_t)m->tape->n_const * LANES, g->s.trial,
           (size_t)(m->tape->n_theta * LANES) * sizeof(real));
    run_lane_code(m, NULL);
    if (g->alone)
        set_theta(&g->one->workers->m, g->s.trial, LANES, NULL);
    memset(g->s.trial_sum, 0, (size_t)(tri(F + 1, 0) * LANES) * sizeof(real));
    if (g->job->noise)
        clear_more(g);
    for (int k = 0; k < F; k++)
        g->column[k] = m->output[1 + k];
    g->column[F] = (operand){g->residual, LANES, 0};
    for (ptrdiff_t start = 0; start < N; start += m->block) {
        const ptrdiff_t n = N - start < m->block ? N - start : m->block;
        if (g->alone)
            run_block_alone(g, start, n);
        else
            run_block_code(m, start, n);
        add_points(g, start, n);
    }
    if (g->job->noise) /* the loss, over e'We, and what follows it */
        memcpy(g->s.trial_sum + tri(F, F) * LANES, g->more, (size_t)(NOISE_SUMS * LANES) * sizeof(real));
}

/* Compute one native vector of each group of lanes where all fits under way lie in it.  The points of a fit
 * that is alone lie side by side, too, where all fits share x; but curves would be computed twice. */
static void narrow(group *g) {
    int last = LANES - 1;
    while (last > 0 && g->fit[last] < 0)
        last--;
    g->m.width = last < VL ? VL : LANES;
    g->alone = last == 0 && !g->own_x && !g->m.tape->n_sections;
}

/* Copy the first of `width` lanes to those from `begin` on, in n groups. */
static void copy_first(real *rows, ptrdiff_t n, int begin, int width) {
    for (ptrdiff_t p = 0; p < n; p++)
        for (int lane = begin; lane < width; lane++)
            rows[p * LANES + lane] = rows[p * LANES];
}

/* Let lanes that have never had a fit, which are the last ones, repeat the first one, of which nothing is
 * written: the numbers that memory happens to hold would take long, being out of the range for which
 * functions are fast. */
static void repeat_first(group *g) {
    int idle = 1, width = g->m.width;
    while (idle < width && g->fit[idle] >= 0)
        idle++;
    copy_first(g->y, g->job->n_points, idle, width);
    if (g->partial)
        copy_first(g->weight, g->job->n_points, idle, width);
    for (int lane = idle; lane < width; lane++) {
        int32_t detail;
        load_start(g->job, g->fit[0], &g->s, lane, &detail); /* the fit was accepted before */
        begin_lane(g, lane, g->fit[0], g->used[0], g->s.magnitude[0]);
        g->fit[lane] = -1;
    }
}

/* Make all lanes of a group idle. */
static void make_idle(const fits *s, ptrdiff_t *fit) {
    for (int lane = 0; lane < LANES; lane++) {
        fit[lane] = -1;
        s->status[lane] = TW_NOT_FINITE;
    }
    memset(s->held, 0, (size_t)(s->F * LANES) * sizeof *s->held);
}

/* Free the place of a stopped fit. */
static void leave_place(group *g, int place) {
    g->stopped_fit[place] = -1;
    g->stopped.status[place] = TW_NOT_FINITE;
    g->n_stopped--;
}

/* Write the results of a stopped fit and free its place.  Its scaled covariance has been computed; where that
 * is `poor` the orthogonal mode takes the fit over first. */
static void finish_place(group *g, int place, int poor) {
    const ptrdiff_t fit = g->stopped_fit[place];
    if (!write_outcome(g->job, fit, &g->stopped, place, g->stopped_used[place], poor)) {
        single_fit *one = g->one;
        one->fit = fit;
        int32_t detail;
        prepare_one(one, &detail); /* loads bounds and counts points; the fit was accepted before */
        if (g->own_x)
            run_point_code(&one->workers->m, g->job->n_points, g->job->x, g->job->x_step, fit);
        run_orthogonally(one, &g->stopped, place);
    }
    leave_place(g, place);
}

/* Confirm the stopped fits of one native vector, and write the results of those that have stopped for good;
 * returns how many. */
static int finish_places(group *g, int o) {
    int finished = 0;
    fits *s = &g->stopped;
    return_to_best(s, o);
    const ivec poor = scaled_covariance(s, &g->t, o);
    const ivec drifts =
        (has_shrunk(s, RUN_OFF, o) & (MASK(s->status, 0) != RUNNING)) | (MASK(s->status, 0) == SLOW);
    for (int l = 0; l < VL && v_any(drifts); l++)
        if (g->stopped_fit[o + l] >= 0 && drifts[l])
            look_for_drift(s, &g->t, o + l, poor[l] != 0);
    return_to_best(s, o);
    for (int l = 0; l < VL; l++)
        if (g->stopped_fit[o + l] >= 0 && s->status[o + l] != RUNNING) {
            finish_place(g, o + l, poor[l] != 0);
            finished++;
        }
    return finished;
}

/* Move fits that are not to stop yet from where they wait to lanes that are free. */
static void resume_lanes(group *g) {
    for (int place = 0, lane = 0; place < LANES; place++) {
        if (g->stopped_fit[place] < 0)
            continue;
        while (lane < LANES && g->fit[lane] >= 0)
            lane++;
        if (lane == LANES)
            return;
        sample data;
        load_data(g, lane, g->stopped_fit[place], &data); /* the fit was accepted before */
        occupy_lane(g, lane, g->stopped_fit[place], g->stopped_used[place]);
        copy_lane(&g->stopped, place, &g->s, lane, g->t.bounded);
        leave_place(g, place);
    }
}

/* Finish those stopped fits that are to stop, and let the others go on; returns how many are finished. */
static int finish_stopped(group *g) {
    int finished = 0;
    for (int o = 0; o < LANES && g->n_stopped; o += VL)
        finished += finish_places(g, o);
    resume_lanes(g);
    return finished;
}

/* Move the fit of a lane that has stopped to the first free place of those that wait. */
static void let_wait(group *g, int lane, ptrdiff_t fit) {
    int place = 0;
    while (g->stopped_fit[place] >= 0)
        place++;
    copy_lane(&g->s, lane, &g->stopped, place, g->t.bounded);
    g->s.status[lane] = TW_NOT_FINITE;
    g->stopped_fit[place] = fit, g->stopped_used[place] = g->used[lane];
    g->n_stopped++;
}

/* Empty the lanes whose fits have stopped; returns how many fits are finished.  There is always a place for
 * one to wait: when the last place is taken all that wait are tested, and if none of them is to stop, the
 * lane that has just been emptied takes one of them back. */
static int empty_lanes(group *g) {
    int finished = 0;
    for (int lane = 0; lane < LANES; lane++) {
        const mask_int status = g->s.status[lane];
        const ptrdiff_t fit = g->fit[lane];
        if (fit < 0 || status == RUNNING)
            continue;
        g->fit[lane] = -1;
        if (status == TW_NOT_FINITE || status == TW_RANGE) { /* there is nothing to confirm */
            write_outcome(g->job, fit, &g->s, lane, g->used[lane], 0);
            g->s.status[lane] = TW_NOT_FINITE;
            finished++;
            continue;
        }
        let_wait(g, lane, fit);
        if (g->n_stopped == LANES)
            finished += finish_stopped(g);
    }
    return finished;
}

#endif
