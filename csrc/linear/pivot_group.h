/* pivot_group.h - eight problems under way, and how a problem gets into a place of the group and out of it.
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
    POLL_LINES = 1 << 18, /* products of lines between two looks at the watch: some 0.2 ms */
    TRIES = 3,            /* full exchanges that may fail to leave fewer violators than ever before */
    IDLE = -1,            /* the problem of a place that has none */
};

/* What there is to say of the last solution. */
typedef struct {
    _Alignas(64) double objective[LINE], violation[LINE], reach[LINE], tie[LINE], count[LINE];
} findings;

typedef struct {
    findings found;
    /* [LINE] violators at the best exchange so far; full exchanges that may still fail; exchanges made; max
     * |c_j| / s_j; the caller's noise */
    _Alignas(64) double fewest[LINE], tries[LINE], rounds[LINE], largest[LINE], noise[LINE];
    /* [LINE] there is a problem; its last solution is not to be judged; it descends (pivot_exchange.h) */
    int64_t active[LINE], again[LINE], descends[LINE];
    int64_t left[LINE];                   /* something free has met a bound */
    double *c, *x, *home, *lower, *upper; /* [P][LINE]  home: 0, or the bound that is nearest to it */
    int64_t *free;                        /* [P][LINE]  coordinates that are solved for */
    int64_t *dependent;                   /* [P][LINE]  and those that depend on them */
    int64_t *wrong;                       /* [P][LINE]  violators of the last round */
    double *L;                            /* [tri(P + 1, 0)][LINE]  see pivot_factor.h */
    double *d, *inverse, *u;              /* [P][LINE]  likewise */
    ptrdiff_t *listed;                    /* [P]  coordinates that are free in some problem */
    ptrdiff_t problem[LINE];
    ptrdiff_t next, end; /* of the chunk that is being loaded */
    int general;         /* some of what is held may be other than 0 */
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

/* Problem m into place l.  It begins at home, with those coordinates free that lie between their bounds
 * there, and those at a bound from which c points into the box. */
TW_INLINE void load(const pivoting *r, group *g, ptrdiff_t P, int l, ptrdiff_t m) {
    const struct tw_pivot_job *job = r->job;
    const real *c = (const real *)job->c + m * P;
    const double *low = job->lower + m * job->bound_step, *high = job->upper + m * job->bound_step;
    double largest = 0;
    for (ptrdiff_t j = 0, k = l; j < P; j++, k += LINE) {
        const double lower = low[j] * r->inverse_scale[j], upper = high[j] * r->inverse_scale[j];
        g->c[k] = (double)c[j] * r->scale[j];
        g->lower[k] = lower, g->upper[k] = upper;
        g->x[k] = g->home[k] = within(0, lower, upper);
        g->free[k] = -((lower < 0 || g->c[k] > 0) && (upper > 0 || g->c[k] < 0) && lower < upper);
        g->dependent[k] = 0;
        const double size = fabs(g->c[k]) * r->inverse_length[j];
        largest = size > largest ? size : largest;
    }
    g->largest[l] = largest;
    g->noise[l] = job->noise ? job->noise[m] : 0;
    g->fewest[l] = (double)(P + 1), g->tries[l] = TRIES, g->rounds[l] = 0;
    g->again[l] = g->descends[l] = 0;
}

/* Nothing into place l: all is 0, and nothing wrong with it. */
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

/* Fill the places without a problem; whether any problem is under way. */
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

/* The problem of place l is finished, with this status. */
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
