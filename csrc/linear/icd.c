/* icd.c - iterative coordinate descent for images (icd.h): sweeps over pixels, and what they minimise.
 *
 * An update reads the column of its pixel twice: once for its product with e, and once to change e.
 * sweep/csc.h tells how this is made fast.  Pixels are updated one after another, each with what the others
 * have left, on one thread.
 */
#include "linear/icd.h"
#include "base/table.h"
#include "sweep/coordinate.h"
#include "sweep/csc.h"

enum {
    PRIOR_VALUES =
        8, /* a neighbour takes as long as so many stored values; the watch is looked at by values */
    COST_CHUNK =
        4096, /* terms of the cost that are summed up before their sum is added: it bounds rounding */
    MOST_PARABOLAS =
        99, /* see distance_to_minimum; two or three are usual; a nearly straight potential takes tens */
};
#define SETTLED 64.0 /* the way to a minimum is known to a part in SETTLED, see distance_to_minimum */

TW_INLINE column pixel(const struct tw_columns *c, ptrdiff_t j, int is_long) {
    const ptrdiff_t start = index_at(c->indptr, is_long, j), end = index_at(c->indptr, is_long, j + 1);
    return (column){index_place(c->indices, is_long, start), (const real *)c->A + start, end - start};
}

/* While update t reads the column of pixel j, the column of the pixel of update t + 1 is fetched.  Returns
 * how many stored values lie from the one column to the other. */
TW_INLINE ptrdiff_t next_from(const struct tw_icd_job *job, ptrdiff_t t, ptrdiff_t j, int is_long) {
    if (!job->order.column)
        return AHEAD;
    if (t + 1 >= job->order.m)
        return 0;
    const void *indptr = job->c->indptr;
    return index_at(indptr, is_long, job->order.column[t + 1]) - index_at(indptr, is_long, j);
}

/* How far pixel j is from its minimum, the others fixed.  The minimum of a parabola that touches F and lies
 * above it is on the near side of that of F, so parabolas follow each other until one of them adds less than
 * a part in SETTLED to the way; the steps that are left are those of a geometric series.
 *
 * misfit_slope  the slope of the misfit along the pixel */
static double distance_to_minimum(const struct tw_icd_job *job, const grid *g, ptrdiff_t j,
                                  double misfit_slope) {
    const double start = job->x[j];
    double step = 0, ratio = 0;
    for (int k = 0; k < MOST_PARABOLAS; k++) {
        const double x = job->x[j], before = step;
        double slope = misfit_slope + job->curvature[j] * (x - start), curvature = job->curvature[j];
        touch_prior(g, job->x, j, &slope, &curvature);
        if (curvature <= 0)
            break;
        job->x[j] = clipped(x - slope / curvature, job->lower, INFINITY);
        step = job->x[j] - x, ratio = k > 0 ? step / before : 0;
        if (fabs(step) * SETTLED <= fabs(job->x[j] - start) || fabs(step) <= 4 * DBL_EPSILON * fabs(start))
            break;
    }
    const double way = fabs(job->x[j] - start);
    job->x[j] = start;
    return way + (ratio > 0 && ratio < 1 ? fabs(step) * ratio / (1 - ratio) : 0);
}

/* Move pixel j, whose column is c; returns how far it was from its minimum.  The next column is `ahead`
 * stored values away. */
TW_INLINE double update_pixel(const struct tw_icd_job *job, const grid *g, column c, ptrdiff_t j,
                              ptrdiff_t ahead, const double *w, int is_long) {
    if (job->relaxation == 0)
        return distance_to_minimum(job, g, j, -dot(c, job->e, w, ahead, is_long));
    double slope = 0, curvature = job->curvature[j];
    /* The prior comes first: while its divisions are under way, the processor begins with the column. */
    touch_prior(g, job->x, j, &slope, &curvature);
    slope -= dot(c, job->e, w, ahead, is_long);
    if (!(curvature > 0)) /* F does not depend on this pixel. */
        return 0;
    const double x = job->x[j], minimum = clipped(x - slope / curvature, job->lower, INFINITY);
    const double value =
        job->relaxation == 1 ? minimum : clipped(x + job->relaxation * (minimum - x), job->lower, INFINITY);
    if (value != x) {
        job->x[j] = value;
        subtract(c, value - x, job->e, is_long);
    }
    return fabs(minimum - x);
}

typedef struct {
    const struct tw_icd_job *job;
    struct tw_watch *watch;
    struct tw_image_cost cost;
} image_run;

TW_INLINE void update_all(const image_run *run, const double *w, int is_long) {
    const struct tw_icd_job *job = run->job;
    const grid g = grid_of(&job->prior);
    patience looking = {.watch = run->watch};
    for (ptrdiff_t t = 0; t < job->order.m; t++) {
        const ptrdiff_t j = job->order.column ? job->order.column[t] : t;
        const column c = pixel(job->c, j, is_long);
        job->way[j] = update_pixel(job, &g, c, j, next_from(job, t, j, is_long), w, is_long);
        if (runs_out(&looking, c.n + PRIOR_VALUES * (job->prior.neighbours + 1)))
            return;
    }
}

static void sweep_part(void *context, ptrdiff_t part) {
    const image_run *run = context;
    const struct tw_columns *c = run->job->c;
    (void)part;
    if (c->is_long)
        c->weights ? update_all(run, c->weights, 1) : update_all(run, NULL, 1);
    else
        c->weights ? update_all(run, c->weights, 0) : update_all(run, NULL, 0);
}

static void sweep(const struct tw_icd_job *job, struct tw_watch *watch) {
    image_run run = {.job = job, .watch = watch};
    tw_parallel(sweep_part, &run, 1, 1, watch);
}

/* ---- the cost --------------------------------------------------------------------------------- */

static double misfit_of(const struct tw_icd_job *job, ptrdiff_t begin, ptrdiff_t end) {
    const double *w = job->c->weights, *e = job->e;
    double sum[LINE] = {0};
    for (ptrdiff_t i = begin; i < end; i++)
        sum[(i - begin) % LINE] += 0.5 * (w ? w[i] * e[i] : e[i]) * e[i];
    return fold(sum, LINE);
}

/* The penalty of pixels [begin, end).  Only the second half of a pixel's neighbours is visited: the first
 * half are the same pairs, seen from the other pixel. */
static double penalty_of(const image_run *run, const grid *g, ptrdiff_t begin, ptrdiff_t end) {
    const struct tw_icd_job *job = run->job;
    const struct tw_image_prior *p = &job->prior;
    double sum = 0;
    pairs found;
    found.count = 0;
    for (ptrdiff_t j = begin; j < end; j++) {
        look_around(g, job->x, j, p->neighbours / 2, &found);
        if (found.count >= PAIRS)
            sum += take_potential(p, &found);
        if (p->target)
            sum += 0.5 * p->pull * (job->x[j] - p->target[j]) * (job->x[j] - p->target[j]);
    }
    return sum + take_potential(p, &found);
}

static void cost_part(void *context, ptrdiff_t part) {
    image_run *run = context;
    const ptrdiff_t n = run->job->c->n, P = run->job->c->P;
    const grid g = grid_of(&run->job->prior);
    (void)part;
    for (ptrdiff_t begin = 0; begin < n && !tw_stopped(run->watch); begin += COST_CHUNK)
        run->cost.misfit += misfit_of(run->job, begin, least(begin + COST_CHUNK, n));
    for (ptrdiff_t begin = 0; begin < P && !tw_stopped(run->watch); begin += COST_CHUNK)
        run->cost.penalty += penalty_of(run, &g, begin, least(begin + COST_CHUNK, P));
}

static struct tw_image_cost cost(const struct tw_icd_job *job, struct tw_watch *watch) {
    image_run run = {.job = job, .watch = watch};
    tw_parallel(cost_part, &run, 1, 1, watch);
    return run.cost;
}

extern const struct tw_icd TW_TABLE(tw_icd);
const struct tw_icd TW_TABLE(tw_icd) = {.sweep = sweep, .cost = cost};
