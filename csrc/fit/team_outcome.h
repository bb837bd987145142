/* team_outcome.h - the covariance and the results of data sets that share parameters.
 *
 * With C the Schur complement of the team (arrow.h) and W = M^-1 A_ls of a member, undamped, the inverse of
 * the arrow-shaped matrix has the blocks
 *
 *     shared, shared  C^-1,      local, shared  -W C^-1,      local, local  M^-1 + W C^-1 W',
 *
 * which are the marginal covariances of the member's parameters, beside all others of the team.  The variance
 * of a residual is chi2 / dof of the team.  Columns are scaled to unit length: those of local parameters by
 * the member, those of shared ones by the team; then the diagonal holds the variance inflations.
 */
#ifndef TW_TEAM_OUTCOME_H
#define TW_TEAM_OUTCOME_H

#include "fit/team.h"

/* The largest variance inflation that the sums of squares of this arithmetic can tell; beyond it neither a
 * variance nor a gradient has digits left. */
#define MOST_INFLATION ((double)PICK(1e11, 1e6))

/* The largest variance inflation that counts as determined (as most_inflation): of a model whose square size
 * is size2, beside a variance of residuals of `factor`. */
static double most_inflation_of(double size2, double factor) {
    const double most = (double)(UNDETERMINED * UNDETERMINED) * size2 / factor;
    return factor <= (double)REAL_MAX && most < MOST_INFLATION ? most : MOST_INFLATION;
}

/* Workspace for one member's covariance, in double. */
typedef struct {
    double *unit;   /* [F] 1 / length of the columns; 0 for held parameters */
    double *K;      /* triangle of L: M^-1 */
    double *W, *WV; /* [L][S] W, and W C^-1 */
    double *work;   /* [F] */
} outcome_work;

static outcome_work outcome_work_on(arena *a, const bundle *b) {
    const ptrdiff_t F = b->F, L = b->L, S = b->S;
    outcome_work w = {.unit = TAKE(a, double, F), .K = TAKE(a, double, tri(L, 0))};
    w.W = TAKE(a, double, L *S), w.WV = TAKE(a, double, L *S), w.work = TAKE(a, double, F);
    return w;
}

/* Replace a positive definite triangle of n rows with a diagonal of 1 by its inverse.  Returns the first row
 * whose pivot is at most LOST_PIVOT, or -1; work [n]. */
static int invert_triangle(double *A, int n, double *work) {
    int weak = -1;
    for (int i = 0; i < n; i++) /* A = R'R; the rows of R' replace those of A */
        for (int j = 0; j <= i; j++) {
            double a = A[tri(i, j)];
            for (int k = 0; k < j; k++)
                a -= A[tri(i, k)] * A[tri(j, k)];
            const int lost = i == j && !(a > (double)LOST_PIVOT);
            weak = lost && weak < 0 ? i : weak;
            A[tri(i, j)] = i > j ? a / A[tri(j, j)] : lost ? 1 : sqrt(a);
        }
    for (int i = 0; i < n; i++) { /* R'^-1 */
        for (int j = 0; j < i; j++) {
            double sum = 0;
            for (int k = j; k < i; k++)
                sum += A[tri(i, k)] * A[tri(k, j)];
            work[j] = -sum / A[tri(i, i)];
        }
        A[tri(i, i)] = 1 / A[tri(i, i)];
        memcpy(A + tri(i, 0), work, (size_t)i * sizeof *A);
    }
    for (int i = 0; i < n; i++) /* R^-1 R'^-1 */
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (int k = i; k < n; k++)
                sum += A[tri(k, i)] * A[tri(k, j)];
            A[tri(i, j)] = sum;
        }
    return weak;
}

/* 1 / length of the column of a shared parameter; 0 where it is held or has no effect */
static double unit_of_shared(const team *t, int c) {
    return t->held[c] || !(t->square[c] > 0) ? 0 : 1 / sqrt(t->square[c]);
}

/* Put C^-1 of columns of unit length into `inverse`.  Returns the parameter that the data do not determine,
 * or -1. */
static int invert_shared(const bundle *b, team *t) {
    take_matrix(b, t);
    for (int c = 0; c < b->S; c++)
        for (int d = 0; d <= c; d++) {
            const double scaled = t->matrix[tri(c, d)] * unit_of_shared(t, c) * unit_of_shared(t, d);
            const int zero = c == d && !t->held[c] && !(t->square[c] > 0);
            t->inverse[tri(c, d)] = c == d && t->held[c] ? 1 : zero ? 0 : scaled;
        }
    return invert_triangle(t->inverse, b->S, t->pivot);
}

static double inverse_at(const team *t, int c, int d) { return t->inverse[c > d ? tri(c, d) : tri(d, c)]; }

/* Element (i, j) of A of a member, of columns of unit length */
static double unit_element(const bundle *b, ptrdiff_t place, const double *unit, int i, int j) {
    return *member_at(b, SUM, place, i > j ? tri(i, j) : tri(j, i)) * unit[i] * unit[j];
}

/* Put the blocks of a member's covariance into the workspace: unit, K = the local block, W and W C^-1.
 * Returns the first local parameter that its data do not determine, or -1. */
static int member_covariance(const bundle *b, const team *t, ptrdiff_t place, const outcome_work *w) {
    const int L = b->L, S = b->S;
    for (int i = 0; i < L; i++) {
        const double square = *member_at(b, SUM, place, tri(b->local[i], b->local[i]));
        w->unit[b->local[i]] = mask_at(b, HELD, place, b->local[i]) || !(square > 0) ? 0 : 1 / sqrt(square);
    }
    for (int c = 0; c < S; c++)
        w->unit[b->groups->shared[c]] = unit_of_shared(t, c);
    for (int i = 0; i < L; i++)
        for (int j = 0; j <= i; j++)
            w->K[tri(i, j)] = i == j && mask_at(b, HELD, place, b->local[i])
                                  ? 1
                                  : unit_element(b, place, w->unit, b->local[i], b->local[j]);
    const int weak = invert_triangle(w->K, L, w->work);
    for (int i = 0; i < L; i++)
        for (int c = 0; c < S; c++) {
            w->W[i * S + c] = w->WV[i * S + c] = 0;
            for (int k = 0; k < L; k++)
                w->W[i * S + c] += w->K[i > k ? tri(i, k) : tri(k, i)] *
                                   unit_element(b, place, w->unit, b->local[k], b->groups->shared[c]);
        }
    for (int i = 0; i < L; i++)
        for (int c = 0; c < S; c++)
            for (int d = 0; d < S; d++)
                w->WV[i * S + c] += w->W[i * S + d] * inverse_at(t, c, d);
    for (int i = 0; i < L; i++)
        for (int j = 0; j <= i; j++)
            for (int c = 0; c < S; c++)
                w->K[tri(i, j)] += w->WV[i * S + c] * w->W[j * S + c];
    return weak;
}

/* The place of free parameter j among the shared ones, or -1 - its place among the local ones */
static int role_of(const bundle *b, int j) {
    int n = 0;
    for (int c = 0; c < b->S; c++) {
        if (b->groups->shared[c] == j)
            return c;
        n += b->groups->shared[c] < j;
    }
    return -1 - (j - n);
}

/* Element (i, j) of the covariance of columns of unit length */
static double covariance_at(const bundle *b, const team *t, const outcome_work *w, int i, int j) {
    const int r = role_of(b, i), q = role_of(b, j);
    if (r >= 0 && q >= 0)
        return inverse_at(t, r, q);
    if (r >= 0)
        return -w->WV[(-1 - q) * b->S + r];
    if (q >= 0)
        return -w->WV[(-1 - r) * b->S + q];
    const int m = -1 - r, n = -1 - q;
    return w->K[m > n ? tri(m, n) : tri(n, m)];
}

/* Write the covariance of a member, `factor` times the inverse.  What is not `known` is written as `unknown`:
 * nothing is where the shared parameters are not, and else the local ones are where their pivots are. */
static void write_member_covariance(const bundle *b, const team *t, ptrdiff_t place, const outcome_work *w,
                                    double factor, int local_known, real unknown) {
    real *out = (real *)b->job->covariance + b->fit_at[place] * tri(b->F, 0);
    for (int i = 0; i < b->F; i++)
        for (int j = 0; j <= i; j++) {
            const int known = local_known || (role_of(b, i) >= 0 && role_of(b, j) >= 0);
            const double scale = factor * w->unit[i];
            *out++ = known ? (real)(covariance_at(b, t, w, i, j) * (scale * w->unit[j])) + 0 : unknown;
        }
}

/* ---- results --------------------------------------------------------------------------------- */

/* The local parameter of a member that has lost its effect on the model (as lost_effect), or -1: the norm of
 * its column is below `share` of its largest. */
static int run_off_of(const bundle *b, ptrdiff_t place, real share) {
    const real chi2 = *member_at(b, SUM, place, tri(b->F, b->F));
    for (int i = 0; i < b->L; i++) {
        const int j = b->local[i], parameter = b->job->tape->free_theta[j];
        const real now = *member_at(b, SUM, place, tri(j, j)), most = *member_at(b, SCALE2, place, j);
        const real theta = *member_at(b, THETA, place, parameter);
        if (now < share * share * most && theta * theta * now <= NO_EFFECT * NO_EFFECT * chi2 &&
            !mask_at(b, HELD, place, j))
            return parameter;
    }
    return -1;
}

/* The local parameter whose variance is beyond what its data can tell (as `undetermined`), or -1 */
static int undetermined_of(const bundle *b, ptrdiff_t place, const outcome_work *w, double factor) {
    real size2 = *member_at(b, MAGNITUDE, place, 0);
    for (int j = 0; j < b->F; j++) {
        const real theta = *member_at(b, THETA, place, b->job->tape->free_theta[j]);
        const real own = theta * theta * *member_at(b, SUM, place, tri(j, j));
        size2 = own > size2 ? own : size2;
    }
    const double noise = factor * (double)b->job->n_used[b->fit_at[place]]; /* the size of its residuals */
    const double size = size2 > noise ? size2 : noise;
    const double most = most_inflation_of(size, factor);
    for (int i = 0; i < b->L; i++)
        if (!(w->K[tri(i, i)] <= most))
            return b->job->tape->free_theta[b->local[i]];
    return -1;
}

/* The status of a member of a team, and in *detail the parameter that it names. */
static int status_of_member(const bundle *b, const team *t, ptrdiff_t place, const outcome_work *w, int weak,
                            double factor, int *detail) {
    *detail = -1;
    if (t->lost >= 0) {
        *detail = b->job->tape->free_theta[b->groups->shared[t->lost]];
        return t->status;
    }
    const real fate = *member_at(b, FATE, place, 0);
    if (fate < 0)
        return TW_NO_PROGRESS;
    if ((*detail = fate > 0 ? (int)fate - 1 : run_off_of(b, place, RUN_OFF)) >= 0)
        return TW_DRIFT;
    if (weak >= 0)
        *detail = b->job->tape->free_theta[b->local[weak]];
    else
        *detail = undetermined_of(b, place, w, factor);
    if (*detail >= 0)
        return TW_SINGULAR;
    return t->status;
}

/* Write the results of a member that takes part; returns its status. */
static int write_member(const bundle *b, const team *t, ptrdiff_t place, const outcome_work *w,
                        double factor) {
    const tw_fit_job *job = b->job;
    const ptrdiff_t fit = b->fit_at[place];
    const int weak = member_covariance(b, t, place, w);
    int detail;
    const int status = status_of_member(b, t, place, w, weak, factor, &detail);
    const int lost = status == TW_SINGULAR || status == TW_DRIFT || *member_at(b, FATE, place, 0) != 0;
    if (t->lost < 0 && factor <= (double)REAL_MAX)
        write_member_covariance(b, t, place, w, factor, !lost, (real)INFINITY);
    else
        fill_covariance(job, fit, (real)INFINITY);
    for (int j = 0; j < b->P; j++)
        ((real *)job->theta)[fit * b->P + j] = *member_at(b, THETA, place, j);
    ((real *)job->chi2)[fit] = *member_at(b, SUM, place, tri(b->F, b->F));
    job->n_iter[fit] = t->n_iter;
    job->detail[fit] = detail;
    if (job->attempts)
        job->attempts[fit] = 1, job->next[fit] = 0;
    job->status[fit] = (int8_t)status;
    return status;
}

/* Write what a team knows of a member that does not take part: its shared parameters. */
static void write_absent(const bundle *b, const team *t, ptrdiff_t place, const outcome_work *w,
                         double factor) {
    for (int c = 0; c < b->S; c++) {
        const int j = b->job->tape->free_theta[b->groups->shared[c]];
        ((real *)b->job->theta)[b->fit_at[place] * b->P + j] = (real)t->theta[c];
        w->unit[b->groups->shared[c]] = unit_of_shared(t, c);
    }
    if (t->lost < 0 && factor <= (double)REAL_MAX)
        write_member_covariance(b, t, place, w, factor, 0, (real)NAN);
}

/* Element `row` of SUM, summed over a team as all its sums are */
static double sum_of_team(const bundle *b, const team *t, ptrdiff_t row) {
    double sum = 0;
    for (ptrdiff_t begin = 0; begin < t->n; begin += PIECE) {
        double piece = 0;
        for (ptrdiff_t i = begin; i < least(begin + PIECE, t->n); i++)
            if (mask_at(b, ALIVE, t->first + i, 0))
                piece += *member_at(b, SUM, t->first + i, row);
        sum += piece;
    }
    return sum;
}

static double chi2_of_team(const bundle *b, const team *t) { return sum_of_team(b, t, tri(b->F, b->F)); }

/* Has a shared parameter lost its effect on the model, as run_off_of says of a local one? */
static int has_lost_effect(const team *t, int c, double share) {
    const double now = t->square[c], effect = t->theta[c] * t->theta[c] * now;
    return now < share * share * t->scale2[c] && effect <= (double)(NO_EFFECT * NO_EFFECT) * t->chi2;
}

/* Look for a shared parameter that the data do not determine: one that has lost its effect on the model, as
 * run_off_of says of a local one, or one whose variance tells so; `factor` is the variance of a residual. */
static void look_for_lost(const bundle *b, team *t, double factor) {
    const int weak = invert_shared(b, t);
    const double noise = factor * (double)t->used; /* the size of all residuals */
    const double most = most_inflation_of(t->magnitude > noise ? t->magnitude : noise, factor);
    if (t->status == TW_DRIFT)
        return;
    for (int c = b->S - 1; c >= 0; c--) {
        const int gone = has_lost_effect(t, c, (double)RUN_OFF);
        const int unknown = c == weak || !(t->inverse[tri(c, c)] <= most);
        if (t->held[c] || !(gone || unknown))
            continue;
        t->lost = c;
        t->status = gone ? TW_DRIFT : TW_SINGULAR;
    }
}

/* Write the totals of a team. */
static void write_totals(const bundle *b, const team *t, int status, double chi2) {
    const tw_fit_groups *g = b->groups;
    g->chi2[t->number] = chi2, g->n_used[t->number] = t->used, g->n_free[t->number] = t->n_free;
    g->status[t->number] = (int8_t)status;
}

/* Write the results of a team that stops, whose undamped elimination has been summed.  A team of which no
 * member is a success is none. */
static void write_team(const bundle *b, team *t, const outcome_work *w) {
    read_shared(b, t);
    const double dof = (double)(t->used - t->n_free), chi2 = chi2_of_team(b, t);
    const double factor = b->job->absolute_sigma ? 1 : dof > 0 ? chi2 / dof : INFINITY;
    look_for_lost(b, t, factor);
    int common = RUNNING; /* a status of members, a success if there is one */
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++)
        if (mask_at(b, ALIVE, place, 0)) {
            const int status = write_member(b, t, place, w, factor);
            common = status > 0 || common == RUNNING ? status : common;
        }
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++)
        if (*member_at(b, FATE, place, 0) != 0 && !mask_at(b, ALIVE, place, 0))
            write_member(b, t, place, w, factor);
        else if (!mask_at(b, ALIVE, place, 0))
            write_absent(b, t, place, w, factor);
    write_totals(b, t, t->status > 0 ? common : t->status, chi2);
}

#endif
