/* pivot_group.h - a group of eight problems under way; loading a problem into it, and storing its results.
 *
 * A group never waits for the slowest of its eight: a problem that is finished leaves, and the next one takes
 * its place.  Each place knows its own problem alone, so that the bits of a problem depend on none of the
 * others.
 *
 * Columns are scaled by powers of two, which is exact, so that the diagonal of G lies in [1, 4): the length
 * s_j = sqrt(G_jj) of a column is then between 1 and 2.  From here on G, c, theta and bounds are the scaled
 * ones.
 */
#ifndef TW_PIVOT_GROUP_H
#define TW_PIVOT_GROUP_H

#include <math.h>

#include "base/arena.h"
#include "base/numbers.h"
#include "base/sharing.h"
#include "linear/contract.h"
#include "linear/pivot_lines.h"

enum {
    CHUNK = 64,           /* problems that a thread claims at a time */
    POLL_LINES = 1 << 18, /* products of lines between two looks at the watch: about 0.2 ms */
    TRIES = 3,            /* full exchanges that may fail to leave fewer violators than ever before */
    IDLE = -1,            /* the number of the problem in a place without one */
};

/* What is found out about the last solution; see tw_pivot_job, `tie` in pivot_exchange.h. */
typedef struct {
    _Alignas(64) double objective[LINE], violation[LINE], reach[LINE], tie[LINE], count[LINE];
} findings;

typedef struct {
    findings found;
    /* fewest: wrong coordinates after the best exchange so far; tries: full exchanges that may still fail to
     * leave fewer; rounds: exchanges made; largest: max_j |c_j| / s_j; noise: the caller's */
    _Alignas(64) double fewest[LINE], tries[LINE], rounds[LINE], largest[LINE], noise[LINE];
    /* active: the place has a problem; again: its last solution was cut short and is not to be judged;
     * descends: see pivot_exchange.h */
    int64_t active[LINE], again[LINE], descends[LINE];
    int64_t left[LINE];                   /* a free coordinate has been held at its bound in this round */
    double *c, *x, *home, *lower, *upper; /* [P][LINE]  home: 0, or the bound that is nearest to it */
    int64_t *free;                        /* [P][LINE]  the coordinates F that are solved for */
    int64_t *dependent;                   /* [P][LINE]  coordinates whose columns depend on those of F */
    int64_t *wrong;                       /* [P][LINE]  coordinates on the wrong side in the last solution */
    double *L;                            /* [tri(P + 1, 0)][LINE]  see pivot_factor.h */
    double *d, *inverse, *u; /* [P][LINE]  the d_k, 1 / d_k and row k of L times d; see pivot_factor.h */
    ptrdiff_t *listed;       /* [P]  coordinates that are free in some problem */
    ptrdiff_t problem[LINE];
    ptrdiff_t next, end; /* problems [next, end) of the claimed chunk are still to be loaded */
    int general;         /* some held coordinate may be other than 0 */
    ptrdiff_t work;      /* products since the last look at the watch */
} group;

typedef struct {
    const struct tw_pivot_job *job;
    struct tw_watch *watch;
    double *G;                       /* [P][P] */
    double *scale, *inverse_scale;   /* [P]  theta = scale * the scaled one; powers of two */
    double *length, *inverse_length; /* [P]  s_j, 1 / s_j */
    int shifted;                     /* some bound is neither 0 nor infinite */
    ptrdiff_t chunks;
    int slots;
    group *groups; /* [slots] */
    _Atomic ptrdiff_t next;
} pivoting;

static group group_on(arena *a, ptrdiff_t P) {
    group g = {.work = 0};
    double **lines[] = {&g.c, &g.x, &g.home, &g.lower, &g.upper, &g.d, &g.inverse, &g.u};
    int64_t **flagged[] = {&g.free, &g.dependent, &g.wrong};
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
        *lines[k] = TAKE(a, double, P *LINE);
    for (size_t k = 0; k < sizeof flagged / sizeof *flagged; k++)
        *flagged[k] = TAKE(a, int64_t, P *LINE);
    g.L = TAKE(a, double, tri(P + 1, 0) * LINE);
    g.listed = TAKE(a, ptrdiff_t, P);
    return g;
}

/* ---- in and out ------------------------------------------------------------------------------- */

/* The next problem that this group is to take, or IDLE when there is none. */
static ptrdiff_t next_problem(pivoting *r, group *g) {
    if (g->next == g->end) {
        const ptrdiff_t chunk = claim(&r->next, 1, r->chunks, r->watch);
        if (chunk < 0)
            return IDLE;
        g->next = chunk * CHUNK;
        g->end = least(g->next + CHUNK, r->job->M);
    }
    return g->next++;
}

TW_INLINE double within(double value, double lower, double upper) {
    const double raised = value < lower ? lower : value;
    return raised > upper ? upper : raised;
}

/* Load the bounds of problem m into place l, and its `home`: the point of the box nearest to 0. */
TW_INLINE void load_bounds(const pivoting *r, group *g, ptrdiff_t P, int l, ptrdiff_t m) {
    const struct tw_pivot_job *job = r->job;
    const double *low = job->lower + m * job->bound_step, *high = job->upper + m * job->bound_step;
    for (ptrdiff_t j = 0, k = l; j < P; j++, k += LINE) {
        const double lower = low[j] * r->inverse_scale[j], upper = high[j] * r->inverse_scale[j];
        g->lower[k] = lower, g->upper[k] = upper;
        g->home[k] = within(0, lower, upper);
    }
}

/* Load problem m into place l, which holds its bounds already if all problems share them.  x begins at home.
 * Free are the coordinates that are between their bounds there, and those at a bound from which c points into
 * the box; `&` and `|` decide without a branch, as a processor cannot predict the sign of c. */
TW_INLINE void load(const pivoting *r, group *g, ptrdiff_t P, int l, ptrdiff_t m) {
    const struct tw_pivot_job *job = r->job;
    const real *c = (const real *)job->c + m * P;
    double largest = 0;
    if (job->bound_step)
        load_bounds(r, g, P, l, m);
    for (ptrdiff_t j = 0, k = l; j < P; j++, k += LINE) {
        const double value = (double)c[j] * r->scale[j], lower = g->lower[k], upper = g->upper[k];
        const int leaves_upper = (upper > 0) | (value < 0), leaves_lower = (lower < 0) | (value > 0);
        g->c[k] = value, g->x[k] = g->home[k];
        g->free[k] = -(int64_t)(leaves_upper & leaves_lower & (lower < upper));
        g->dependent[k] = 0;
        const double size = fabs(value) * r->inverse_length[j];
        largest = size > largest ? size : largest;
    }
    g->largest[l] = largest;
    g->noise[l] = job->noise ? job->noise[m] : 0;
    g->fewest[l] = (double)(P + 1), g->tries[l] = TRIES, g->rounds[l] = 0;
    g->again[l] = g->descends[l] = 0;
}

/* Put zeros into place l, which has no problem: no coordinate of them is ever wrong. */
static void clear(group *g, ptrdiff_t P, int l) {
    double *lines[] = {g->c, g->x, g->home, g->lower, g->upper};
    for (ptrdiff_t k = l; k < P * LINE; k += LINE) {
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            lines[i][k] = 0;
        g->free[k] = g->dependent[k] = 0;
    }
    g->largest[l] = g->noise[l] = g->fewest[l] = g->tries[l] = g->rounds[l] = 0;
    g->again[l] = g->descends[l] = 0;
}

/* Load problems into the places that have none; returns whether any problem is under way. */
TW_INLINE int fill(pivoting *r, group *g, ptrdiff_t P) {
    int any = 0;
    for (int l = 0; l < LINE; l++) {
        if (g->problem[l] == IDLE) {
            g->problem[l] = next_problem(r, g);
            g->active[l] = -(g->problem[l] != IDLE);
            if (g->active[l])
                load(r, g, P, l, g->problem[l]);
            else
                clear(g, P, l);
        }
        any |= g->problem[l] != IDLE;
    }
    return any;
}

/* Write the results of the problem in place l, which ends with this status. */
TW_INLINE void store(const pivoting *r, group *g, ptrdiff_t P, int l, tw_pivot_outcome status) {
    const struct tw_pivot_job *job = r->job;
    const ptrdiff_t m = g->problem[l];
    double *theta = job->theta + m * P, sum = 0;
    for (ptrdiff_t j = 0; j < P; j++) {
        const ptrdiff_t b = m * job->bound_step + j;
        /* + 0: which zeros are negative depends on the other problems */
        theta[j] = within(g->x[j * LINE + l] * r->scale[j], job->lower[b], job->upper[b]) + 0.0;
        sum += 0 * theta[j];
    }
    job->objective[m] = g->found.objective[l];
    job->violation[m] = g->found.violation[l];
    job->reach[m] = g->found.reach[l];
    job->n_iter[m] = (int32_t)g->rounds[l];
    job->status[m] = (int8_t)(sum == 0 ? status : TW_PIVOT_NOT_FINITE);
    g->problem[l] = IDLE;
}

#endif
