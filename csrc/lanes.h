/* lanes.h - many fits of few points each, side by side.
 *
 * A thread keeps LANES fits under way.  In each round it evaluates all their trials in one run of the
 * tape, judges them and finds the next trials; a lane whose fit has stopped writes its results and
 * loads the next data set at once, so no fit waits for another.
 */
#ifndef TW_LANES_H
#define TW_LANES_H

#include "one.h"

typedef struct {
    const tw_fit_job *job;
    tolerances t;
    machine m; /* its point slots: [n_point][N][LANES] */
    fits s;
    real *y, *weight, *residual; /* [N][LANES], [N][LANES], [block][LANES] */
    operand *column;             /* [F + 1] */
    ptrdiff_t fit[LANES];        /* -1: the lane is idle */
    int64_t used[LANES];
    int own_x, partial;  /* partial: some lane leaves points out or weighs them */
    solo *one;           /* for x stages and the orthogonal mode */
    ptrdiff_t next, end; /* data sets taken from the queue and not begun */
} group;

/* Point slots in lanes: x shared by all fits is expanded once, `expanded`. */
static group *group_on(arena *a, const tw_fit_job *job, int own_x, real *packed, real *expanded) {
    group *place = TAKE(a, group, 1), measured = {0}, *g = a->measuring ? &measured : place;
    const ptrdiff_t N = job->n_points, F = job->tape->n_free;
    *g = (group){.job = job, .t = tolerances_of(job, 1), .own_x = own_x};
    g->m = machine_on(a, job->tape, N * LANES, expanded);
    g->s = fits_on(a, job, 0);
    g->y = TAKE(a, real, N * LANES), g->weight = TAKE(a, real, N * LANES);
    g->residual = TAKE(a, real, g->m.block * LANES);
    g->column = TAKE(a, operand, F + 1);
    g->one = solo_on(a, job, 1, packed);
    return place;
}

/* Point slots of `from` (points side by side) into one lane, or into all (lane < 0). */
static void expand_points(const machine *from, ptrdiff_t n_points, real *to, int lane) {
    const int first = lane < 0 ? 0 : lane, last = lane < 0 ? LANES : lane + 1;
    for (int32_t k = 0; k < from->tape->n_point; k++)
        for (ptrdiff_t i = 0; i < n_points; i++)
            for (int l = first; l < last; l++)
                to[(k * n_points + i) * LANES + l] = from->point[k * from->point_size + i];
}

/* Load a data set into a lane; 0 and a refusal written where it cannot run. */
static int load_lane(group *g, int lane, ptrdiff_t fit) {
    const tw_fit_job *job = g->job;
    sample data = {.y = g->y + lane, .weight = g->weight + lane, .stride = LANES, .unseen = -1};
    int32_t detail = -1;
    tw_status status = load_points(job, fit, 0, job->n_points, &data);
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
    if (g->own_x) {
        run_point_code(&g->one->summers->m, job->n_points, job->x, job->x_step, fit);
        expand_points(&g->one->summers->m, job->n_points, g->m.point, lane);
    }
    begin_fit(&g->s, lane);
    g->s.magnitude[lane] = magnitude_of(&data);
    g->s.dof[lane] = dof_of(job, fit, data.used);
    g->used[lane] = data.used;
    g->fit[lane] = fit;
    g->partial |= job->sigma != NULL || data.used < job->n_points;
    return 1;
}

/* Trials of all lanes: their sums into trial_sum. */
static void evaluate_group(group *g) {
    const machine *m = &g->m;
    const int F = g->s.F;
    const ptrdiff_t N = g->job->n_points;
    memcpy(m->lane + (ptrdiff_t)m->tape->n_const * LANES, g->s.trial,
           (size_t)(m->tape->n_theta * LANES) * sizeof(real));
    run_lane_code(m);
    memset(g->s.trial_sum, 0, (size_t)(tri(F + 1, 0) * LANES) * sizeof(real));
    for (int k = 0; k < F; k++)
        g->column[k] = m->output[1 + k];
    g->column[F] = (operand){g->residual, LANES, 0};
    const operand f = m->output[0];
    for (ptrdiff_t start = 0; start < N; start += m->block) {
        const ptrdiff_t n = N - start < m->block ? N - start : m->block;
        run_block_code(m, start, n);
        const real *y = g->y + start * LANES;
        for (ptrdiff_t p = 0; p < n; p++)
            for (int o = 0; o < LANES; o += VL)
                v_store(g->residual + p * LANES + o,
                        v_load(y + p * LANES + o) - v_load(f.base + p * f.step + o));
        add_block(g->column, F + 1, n, g->partial ? g->weight + start * LANES : NULL, g->s.trial_sum);
    }
}

/* Write the results of a stopped lane. */
static void finish_lane(group *g, int lane, int poor) {
    const ptrdiff_t fit = g->fit[lane];
    g->fit[lane] = -1;
    if (!write_outcome(g->job, fit, &g->s, lane, g->used[lane], poor)) {
        solo *one = g->one;
        one->fit = fit;
        int32_t detail;
        prepare_one(one, &detail); /* loads bounds and counts; it was accepted before */
        if (g->own_x)
            run_point_code(&one->summers->m, g->job->n_points, g->job->x, g->job->x_step, fit);
        run_orthogonally(one, &g->s, lane);
    }
    g->s.status[lane] = TW_NOT_FINITE; /* idle */
}

/* Write the results of the lanes of one native vector that have stopped; returns how many. */
static int finish_lanes(group *g, int o) {
    int stopped = 0;
    fits *s = &g->s;
    return_to_best(s, o);
    const ivec poor = scaled_covariance(s, &g->t, o);
    const ivec drifts =
        (has_shrunk(s, RUN_OFF, o) & (MASK(s->status, 0) != RUNNING)) | (MASK(s->status, 0) == SLOW);
    for (int l = 0; l < VL && v_any(drifts); l++)
        if (g->fit[o + l] >= 0 && drifts[l])
            look_for_drift(s, &g->t, o + l, poor[l] != 0);
    return_to_best(s, o);
    for (int l = 0; l < VL; l++)
        if (g->fit[o + l] >= 0 && s->status[o + l] != RUNNING) {
            finish_lane(g, o + l, poor[l] != 0);
            stopped++;
        }
    return stopped;
}

#endif
