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
    CHUNK = 64,            /* problems that a thread claims at a time */
    POLL_LINES = 1 << 18,  /* products of lines between two looks at the watch: about 0.2 ms */
    TRIES = 3,             /* full exchanges that may fail to leave fewer violators than ever before */
    IDLE = -1,             /* the number of a problem that does not exist */
    ALL = (1 << LINE) - 1, /* the bits of all places */
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
    int64_t fresh[LINE];                  /* c of the problem has just been loaded, and nothing else */
    double *c, *x, *home, *lower, *upper; /* [P][LINE]  home: 0, or the bound that is nearest to it */
    double *low, *high, *theta;           /* [P][LINE]  bounds and x in the caller's units */
    int64_t *free;                        /* [P][LINE]  the coordinates F that are solved for */
    int64_t *dependent;                   /* [P][LINE]  coordinates whose columns depend on those of F */
    int64_t *wrong;                       /* [P][LINE]  coordinates on the wrong side in the last solution */
    double *L;                            /* [tri(P + 1, 0)][LINE]  see pivot_factor.h */
    double *d, *inverse, *u; /* [P][LINE]  the d_k, 1 / d_k and row k of L times d; see pivot_factor.h */
    ptrdiff_t *listed;       /* [P]  coordinates that are free in some problem */
    ptrdiff_t problem[LINE];
    unsigned idle;       /* bit l: place l has no problem */
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
    int has_whole;                   /* the next three are the factor of all of G; see pivot_start.h */
    double *whole_L, *whole_u;       /* [tri(P, 0)]  L_kl, and L_kl d_l */
    double *whole_inverse;           /* [P]  1 / d_k */
    ptrdiff_t chunks;
    int slots;
    group *groups; /* [slots] */
    _Atomic ptrdiff_t next;
} pivoting;

static group group_on(arena *a, ptrdiff_t P) {
    group g = {.work = 0};
    double **lines[] = {&g.c,    &g.x,     &g.home, &g.lower,   &g.upper, &g.low,
                        &g.high, &g.theta, &g.d,    &g.inverse, &g.u};
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

TW_INLINE line line_within(line value, line lower, line upper) {
    const line raised = where(below(value, lower), lower, value);
    return where(below(upper, raised), upper, raised);
}

/* Load the bounds of problem m into place l, and its `home`: the point of the box nearest to 0. */
TW_INLINE void load_bounds(const pivoting *r, group *g, ptrdiff_t P, int l, ptrdiff_t m) {
    const struct tw_pivot_job *job = r->job;
    const double *low = job->lower + m * job->bound_step, *high = job->upper + m * job->bound_step;
    for (ptrdiff_t j = 0, k = l; j < P; j++, k += LINE) {
        const double lower = low[j] * r->inverse_scale[j], upper = high[j] * r->inverse_scale[j];
        g->lower[k] = lower, g->upper[k] = upper, g->low[k] = low[j], g->high[k] = high[j];
        g->home[k] = within(0, lower, upper);
    }
}

/* Load problem m into place l, which holds its bounds already if all problems share them; `begin` is to
 * follow. */
TW_INLINE void load(const pivoting *r, group *g, ptrdiff_t P, int l, ptrdiff_t m) {
    const struct tw_pivot_job *job = r->job;
    const real *c = (const real *)job->c + m * P;
    if (job->bound_step)
        load_bounds(r, g, P, l, m);
    for (ptrdiff_t j = 0; j < P; j++)
        g->c[j * LINE + l] = (double)c[j] * r->scale[j];
    g->noise[l] = job->noise ? job->noise[m] : 0;
    g->fewest[l] = (double)(P + 1), g->tries[l] = TRIES, g->rounds[l] = 0;
    g->again[l] = g->descends[l] = 0, g->fresh[l] = -1;
}

/* Begin the problems that have just been loaded: x is at home, and free are the coordinates that are between
 * their bounds there, and those at a bound from which c points into the box.  Returns the problems of these
 * in which all coordinates are free. */
TW_INLINE flags begin(const pivoting *r, group *g, ptrdiff_t P) {
    const flags fresh = flags_at(g->fresh);
    const line zero = line_of(0);
    line largest = zero;
    flags whole = fresh;
    for (ptrdiff_t j = 0; j < P; j++) {
        const ptrdiff_t k = j * LINE;
        const line c = line_at(g->c + k), lower = line_at(g->lower + k), upper = line_at(g->upper + k);
        const flags leaves_upper = either(below(zero, upper), below(c, zero));
        const flags leaves_lower = either(below(lower, zero), below(zero, c));
        const flags free = both(both(leaves_upper, leaves_lower), below(lower, upper));
        put_line(g->x + k, where(fresh, line_at(g->home + k), line_at(g->x + k)));
        put_flags(g->free + k, either(both(fresh, free), but_not(flags_at(g->free + k), fresh)));
        put_flags(g->dependent + k, but_not(flags_at(g->dependent + k), fresh));
        largest = larger_of(largest, times(size_of(c), line_of(r->inverse_length[j])));
        whole = both(whole, free);
    }
    put_line(g->largest, where(fresh, largest, line_at(g->largest)));
    put_flags(g->fresh, none_of());
    return whole;
}

/* Put zeros into place l, which has no problem: no coordinate of them is ever wrong. */
static void clear(group *g, ptrdiff_t P, int l) {
    double *lines[] = {g->c, g->x, g->home, g->lower, g->upper, g->low, g->high};
    for (ptrdiff_t k = l; k < P * LINE; k += LINE) {
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            lines[i][k] = 0;
        g->free[k] = g->dependent[k] = 0;
    }
    g->largest[l] = g->noise[l] = g->fewest[l] = g->tries[l] = g->rounds[l] = 0;
    g->again[l] = g->descends[l] = 0;
}

/* Set theta to x in the caller's units, within the bounds; returns 0 where it is finite, else NaN. */
TW_INLINE line unscale(const pivoting *r, group *g, ptrdiff_t P) {
    line sum = line_of(0);
    for (ptrdiff_t j = 0; j < P; j++) {
        const ptrdiff_t k = j * LINE;
        const line x = times(line_at(g->x + k), line_of(r->scale[j]));
        /* + 0: which zeros are negative depends on the other problems */
        const line theta = plus(line_within(x, line_at(g->low + k), line_at(g->high + k)), line_of(0));
        put_line(g->theta + k, theta);
        sum = plus(sum, times(line_of(0), theta));
    }
    return sum;
}

/* Write the results of the problem in place l, which ends with this status. */
TW_INLINE void store(const pivoting *r, group *g, ptrdiff_t P, int l, tw_pivot_outcome status) {
    const struct tw_pivot_job *job = r->job;
    const ptrdiff_t m = g->problem[l];
    for (ptrdiff_t j = 0; j < P; j++)
        job->theta[m * P + j] = g->theta[j * LINE + l];
    job->objective[m] = g->found.objective[l];
    job->violation[m] = g->found.violation[l];
    job->reach[m] = g->found.reach[l];
    job->n_iter[m] = (int32_t)g->rounds[l];
    job->status[m] = (int8_t)status;
    g->idle |= 1u << l;
}

#endif
