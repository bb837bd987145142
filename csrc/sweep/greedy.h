/* greedy.h - greedy sweeps: each update is the one by which F falls most.
 *
 * To choose, the gradient g = A'Wr of all coordinates must be known at all times.  An update of theta_j by d
 * moves r in the rows of column j only, and so g_k only for the columns k that share a row with it:
 *
 *     g_k -= d sum_i w_i A_ij A_ik.
 *
 * So A is also stored by rows.  The fall of F that each coordinate promises stands at a leaf of a tournament,
 * whose inner nodes hold the better of their two children (the left one of equals, which is the earlier
 * coordinate).  So the winner is at the root, and when a promise changes only the path from its leaf upwards
 * is looked at, and mostly a short part of it.
 *
 * With a centered intercept every update also changes all other gradients, g_k by d v m_j m_k, v being the
 * sum of the weights and m the means of the columns.  These changes are kept as one number (the offset of the
 * residual in sparse.c), but all promises change with them: so the tournament is of no use, and each update
 * looks at all P coordinates.
 *
 * Nutini et al. 2015, "Coordinate descent converges faster with the Gauss-Southwell rule than random
 * selection", discuss the rule and such trees.
 */
#ifndef TW_CSC_GREEDY_H
#define TW_CSC_GREEDY_H

#include "base/arena.h"
#include "sweep/coordinate.h"
#include "sweep/csc.h"

/* A stored by rows. */
typedef struct {
    ptrdiff_t *start;  /* [n + 1] */
    ptrdiff_t *column; /* [nnz] */
    real *value;       /* [nnz] */
} row_storage;

typedef struct {
    ptrdiff_t leaves; /* a power of two >= P */
    ptrdiff_t *best;  /* [2 leaves] the winner at node k, whose children are 2k and 2k + 1; -1: none */
    double *g;        /* [P] the gradient A'Wr */
    double *promise;  /* [P] by how much F would fall */
    ptrdiff_t *list;  /* [P] columns whose gradient has changed */
    uint8_t *listed;  /* [P] */
} tournament;

static row_storage rows_on(arena *a, const struct tw_sweep_csc_job *job) {
    row_storage s = {NULL, NULL, NULL};
    if (job->greedy) {
        s.start = TAKE(a, ptrdiff_t, job->n + 1);
        s.column = TAKE(a, ptrdiff_t, job->nnz);
        s.value = TAKE(a, real, job->nnz);
    }
    return s;
}

static tournament tournament_on(arena *a, const struct tw_sweep_csc_job *job) {
    tournament t = {1, NULL, NULL, NULL, NULL, NULL};
    if (job->greedy) {
        while (t.leaves < job->P)
            t.leaves *= 2;
        t.best = TAKE(a, ptrdiff_t, 2 * t.leaves);
        t.g = TAKE(a, double, job->P);
        t.promise = TAKE(a, double, job->P);
        t.list = TAKE(a, ptrdiff_t, job->P);
        t.listed = TAKE(a, uint8_t, job->P);
    }
    return t;
}

/* Store A by rows, with a counting sort; stops if patience runs out. */
static void store_rows(const struct tw_sweep_csc_job *job, const row_storage *s, patience *p) {
    memset(s->start, 0, (size_t)(job->n + 1) * sizeof *s->start);
    for (int pass = 0; pass < 2; pass++) {
        for (ptrdiff_t j = job->P; j-- > 0;) {
            const column c = column_of(job, j, job->is_long);
            if (runs_out(p, c.n + 1))
                return;
            for (ptrdiff_t k = 0; k < c.n; k++) {
                const ptrdiff_t i = index_at(c.row, job->is_long, k);
                if (pass == 0) {
                    s->start[i]++;
                } else { /* from the end of the row to its start */
                    s->column[--s->start[i]] = j;
                    s->value[s->start[i]] = c.value[k];
                }
            }
        }
        for (ptrdiff_t i = 0; pass == 0 && i < job->n; i++)
            s->start[i + 1] += s->start[i];
    }
}

/* The better of the children of a node. */
static ptrdiff_t winner(const tournament *t, ptrdiff_t node) {
    const ptrdiff_t left = t->best[2 * node], right = t->best[2 * node + 1];
    return right < 0 || t->promise[left] >= t->promise[right] ? left : right;
}

/* Change what coordinate j promises. */
static void play(const tournament *t, ptrdiff_t j, double promise) {
    t->promise[j] = promise;
    for (ptrdiff_t node = (t->leaves + j) / 2; node >= 1; node /= 2) {
        const ptrdiff_t best = winner(t, node);
        if (best == t->best[node] && best != j)
            return;
        t->best[node] = best;
    }
}

/* After theta_j has moved by d, bring gradients and promises up to date.  (With a centered intercept the
 * gradients alone, for all promises change: see best_of_all in sparse.c.)  If patience runs out this is
 * broken off, and gradients and promises must not be used any more. */
static void spread(const struct tw_sweep_csc_job *job, const row_storage *s, const tournament *t,
                   const double *curvature, const double *theta, ptrdiff_t j, double d, patience *p) {
    const column c = column_of(job, j, job->is_long);
    ptrdiff_t listed = 1;
    t->list[0] = j; /* also where the column is empty */
    t->listed[j] = 1;
    for (ptrdiff_t k = 0; k < c.n; k++) {
        const ptrdiff_t i = index_at(c.row, job->is_long, k);
        if (runs_out(p, s->start[i + 1] - s->start[i]))
            return;
        const double moved = d * (double)c.value[k] * (job->weights ? job->weights[i] : 1);
        for (ptrdiff_t e = s->start[i]; e < s->start[i + 1]; e++) {
            const ptrdiff_t other = s->column[e];
            t->g[other] -= moved * (double)s->value[e];
            if (!t->listed[other])
                t->list[listed++] = other;
            t->listed[other] = 1;
        }
    }
    for (ptrdiff_t k = 0; k < listed; k++) {
        const ptrdiff_t other = t->list[k];
        t->listed[other] = 0;
        if (!job->centered)
            play(t, other, update_of(&job->each, other, curvature[other], t->g[other], theta[other]).fall);
    }
}

/* Compute all gradients and the whole tournament anew; returns 0 if patience runs out meanwhile. */
static int begin_tournament(const struct tw_sweep_csc_job *job, const tournament *t, const double *curvature,
                            const double *theta, const double *r, patience *p) {
    for (ptrdiff_t j = 0; j < job->P; j++) {
        const column c = column_of(job, j, job->is_long);
        if (runs_out(p, c.n + 1))
            return 0;
        t->g[j] = dot(c, r, job->weights, AHEAD, job->is_long);
        t->promise[j] = update_of(&job->each, j, curvature[j], t->g[j], theta[j]).fall;
        t->listed[j] = 0;
    }
    for (ptrdiff_t k = 0; k < t->leaves; k++)
        t->best[t->leaves + k] = k < job->P ? k : -1;
    for (ptrdiff_t node = t->leaves - 1; node >= 1; node--)
        t->best[node] = winner(t, node);
    return 1;
}

#endif
