/* confirm.h - is a lane that met a tolerance at a minimum?
 *
 * A step can be small because it is damped, or because a parameter has run so far away that chi2 no longer
 * depends on it.  So a lane that has met a tolerance is asked once more, with the factors of the undamped
 * matrix A = J'J, columns scaled to unit length: the step u = A^-1 J'e, or the reduction of chi2 that it
 * promises, must be small as well, or lost in the rounding noise.  A lane where neither is goes on, with
 * less damping and a wider region.
 *
 * A small step alone is not enough: far out on a plateau every step is small in units of theta.  What it
 * promises must be small in units of chi2, too (`level`).  Where only a^2 matters and a vanishes, J says
 * nothing; there the exact second derivatives decide (attempts.h), and until they have, the success is
 * in doubt.
 *
 * At a success the step u is taken as the last one, without another evaluation: it is smaller than the
 * tolerance, and what is left after it is smaller still by the rate of convergence.  (In the orthogonal mode
 * one.h looks where it has led.)
 */
#ifndef TW_CONFIRM_H
#define TW_CONFIRM_H

#include "fit/sample.h"

#define POOR_PIVOT ((real)(sizeof(real) == 8 ? 0x1p-26 : 0x1p-12)) /* sqrt(eps) */

#define SLACK ((real)10)         /* the undamped step u may exceed the tolerance by this factor */
#define RELIEF ((real)1e-2)      /* the factor on lambda of a lane that is resumed ... */
#define WIDER ((real)100)        /* ... and the factor on the radius of its region */
#define FLAT ((real)1e-6)        /* the gradient counts as zero where g_j^2 <= FLAT D_j^2 chi2 */
#define LEVEL (4500 * REAL_EPS)  /* at a minimum u promises at most LEVEL chi2; 1e-12 in double */
#define SLOWEST ((real)0.5)      /* slower rates of convergence are not extrapolated */
#define DAMPED ((real)1e-2)      /* of r u: how much of u the damping may take; it took tenfold before */
#define COARSE ((real)1e-7)      /* of chi2: a fall that float hides ... */
#define POOR_FIT ((real)10)      /* ... where chi2 is more than the tenth part of sum (y/sigma)^2 */
#define PART ((real)0.1)         /* of |D u|: what damping may take of a last step, if it is longer ... */
#define SHORT ((real)1e-5)       /* ... than this share of |e| */
#define RUN_OFF PICK(1e-7, 1e-4) /* |J_j| over its largest in the attempt: it has lost its effect ... */
#define NO_EFFECT ((real)1e-3)   /* ... if |theta_j| |J_j| is below this share of |e| as well */

/* Stopped lanes: hold what lies at a bound; 1 / the length of each column. */
static void settle(fits *s, int o) {
    const ivec stopped = MASK(s->status, 0) != RUNNING;
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter);
        const ivec at_bound = (theta <= LOAD(s->lower, parameter)) | (theta >= LOAD(s->upper, parameter));
        MASK(s->held, j) = (stopped & at_bound) | (~stopped & MASK(s->held, j));
        STORE(s->unit, j, 1 / v_sqrt(LOAD(s->sum, tri(j, j))));
    }
}

/* The normal matrix with columns of length 1, into factor. */
static void scaled_matrix(fits *s, int o) {
    for (int i = 0; i < s->F; i++) {
        for (int j = 0; j < i; j++) {
            const ivec held = MASK(s->held, i) | MASK(s->held, j);
            const vec scale = LOAD(s->unit, i) * LOAD(s->unit, j);
            STORE(s->factor, tri(i, j), v_and(~held, LOAD(s->sum, tri(i, j)) * scale));
        }
        const ivec zero = ~MASK(s->held, i) & ~(LOAD(s->sum, tri(i, i)) > 0); /* a column of zeros */
        STORE(s->factor, tri(i, i), v_and(~zero, v_set(1)));
    }
}

/* R of lane 0 with columns of length 1, those of held parameters left out, and its last column z. */
static void unit_columns(fits *s) {
    const ptrdiff_t n_rows = padded_rows(s->F);
    const int F = s->F;
    memset(s->rows, 0, (size_t)((F + 1) * n_rows) * sizeof *s->rows);
    for (int j = 0; j < F; j++) {
        const real unit = s->unit[j * LANES];
        for (int k = 0; k <= j && !s->held[j * LANES] && unit < (real)INFINITY; k++)
            s->rows[j * n_rows + k] = s->triangle[tri(j, k)] * unit;
    }
    for (int k = 0; k < F; k++)
        s->rows[F * n_rows + k] = s->triangle[tri(F, k)];
}

/* L D and 1/D of lane 0 from R of the orthogonal mode: D_j = R_jj^2, L_ij = R_ji / R_jj; and from its
 * last column z, without forming J'e = R'z, L^-1 J'e into work: D_j^(1/2) z_j.  A damping of LOST_COLUMN^2
 * keeps each R_jj off 0, and gives the shortest step where columns are combinations of one another. */
static void factors_from_triangle(fits *s) {
    const ptrdiff_t n_rows = padded_rows(s->F);
    const int F = s->F;
    real *R = s->small;
    unit_columns(s);
    memset(R, 0, (size_t)tri(F + 1, 0) * sizeof *R);
    merge_rows(F + 1, R, n_rows, s->rows);
    clear_lost_rows(R, F);
    memset(s->rows, 0, (size_t)((F + 1) * n_rows) * sizeof *s->rows);
    for (int j = 0; j < F; j++)
        s->rows[j * n_rows + j] = LOST_COLUMN;
    merge_rows(F + 1, R, n_rows, s->rows);
    for (int j = 0; j < F; j++) {
        const int held = s->held[j * LANES] != 0;
        real *diagonal = R + tri(j, j);
        *diagonal = held ? 1 : *diagonal;
        s->pivot[j * LANES] = 1 / (*diagonal * *diagonal);
        s->work[j * LANES] = held ? 0 : *diagonal * R[tri(F, j)];
    }
    for (int i = 0; i < F; i++)
        for (int j = 0; j <= i; j++)
            s->factor[tri(i, j) * LANES] = R[tri(i, j)] * R[tri(j, j)];
}

/* L^-1 J'e in units of the scaled columns, into work. */
static void scaled_right_side(fits *s, int o) {
    for (int i = 0; i < s->F; i++) {
        vec z = v_and(~MASK(s->held, i), LOAD(s->sum, tri(s->F, i)) * LOAD(s->unit, i));
        for (int k = 0; k < i; k++)
            z -= LOAD(s->factor, tri(i, k)) * LOAD(s->pivot, k) * LOAD(s->work, k);
        STORE(s->work, i, z);
    }
}

/* Whether the gradient is small in units of D, for all that is not held. */
TW_INLINE ivec is_flat(const fits *s, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    ivec flat = ~(ivec){0};
    for (int j = 0; j < s->F; j++) {
        const vec g = LOAD(s->sum, tri(s->F, j));
        flat &= MASK(s->held, j) | (g * g <= FLAT * LOAD(s->largest2, j) * chi2);
    }
    return flat;
}

/* The undamped step u of the scaled columns, |J_j| u_j, from its right-hand side in work, which it
 * replaces; returns what it promises. */
static vec undamped_step(fits *s, int o) {
    const int F = s->F;
    vec promised = {0};
    for (int i = 0; i < F; i++) {
        const vec z = LOAD(s->work, i), y = z * LOAD(s->pivot, i);
        promised += z * y;
        STORE(s->work, i, y);
    }
    for (int i = F - 1; i >= 0; i--) {
        vec sum = {0};
        for (int k = i + 1; k < F; k++)
            sum += LOAD(s->factor, tri(k, i)) * LOAD(s->work, k);
        STORE(s->work, i, LOAD(s->work, i) - sum * LOAD(s->pivot, i));
    }
    return promised;
}

/* |u_j| <= SLACK xtol (|theta_j| + |e| / |J_j|) for each j that is not held */
static ivec small_undamped_step(const fits *s, real xtol, vec size_of_e, int o) {
    ivec small = ~(ivec){0};
    for (int j = 0; j < s->F; j++) {
        const vec unit = LOAD(s->unit, j), theta = v_abs(LOAD(s->theta, s->free_theta[j]));
        const vec u = v_abs(LOAD(s->work, j) * unit);
        small &= MASK(s->held, j) | ~(u > SLACK * xtol * (theta + size_of_e * unit));
    }
    return small;
}

/* How much of the last step's error this one has left: Gauss-Newton steps shrink by a constant factor near a
 * minimum where the residual is not small, u' = r u, and all further ones add up to u / (1 - r).  Where
 * it is the damping that lets steps shrink, r is 0. */
static vec rate(const fits *s, int o) {
    vec before = {0}, both = {0}, all = {0}, damped = {0};
    for (int j = 0; j < s->F; j++) {
        const vec D2 = v_and(~MASK(s->held, j), LOAD(s->scale2, j)), d = LOAD(s->moved, j);
        const vec u = LOAD(s->work, j) * LOAD(s->unit, j), less = u - LOAD(s->step, j);
        before += D2 * d * d;
        both += D2 * d * u;
        all += D2 * u * u;
        damped += D2 * less * less;
    }
    const vec r = both / before;
    return v_and((v_abs(r) <= SLOWEST) & (damped <= DAMPED * DAMPED * r * r * all), r);
}

/* theta += u in the lanes of the mask whose u stays inside the bounds; chi2 falls as promised. */
static void take_last_step(fits *s, ivec where, vec promised, int bounded, int o) {
    const vec all = 1 / (1 - rate(s, o));
    for (int j = 0; j < s->F; j++)
        STORE(s->work, j, LOAD(s->work, j) * LOAD(s->unit, j) * all);
    for (int j = 0; bounded && j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter) + LOAD(s->work, j);
        const ivec inside = (theta >= LOAD(s->lower, parameter)) & (theta <= LOAD(s->upper, parameter));
        where &= MASK(s->held, j) | inside | ~(LOAD(s->unit, j) <= REAL_MAX);
    }
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const ivec moves = where & ~MASK(s->held, j) & (LOAD(s->unit, j) <= REAL_MAX);
        STORE(s->theta, parameter, LOAD(s->theta, parameter) + v_and(moves, LOAD(s->work, j)));
    }
    const ptrdiff_t last = tri(s->F, s->F);
    const vec chi2 = LOAD(s->sum, last);
    STORE(s->sum, last, v_max(chi2 - v_and(where, promised), v_set(0)));
}

/* |D u|^2 */
static vec length2_of_undamped_step(const fits *s, int o) {
    vec length2 = {0};
    for (int j = 0; j < s->F; j++) {
        const vec u = LOAD(s->work, j) * LOAD(s->unit, j);
        length2 += v_and(~MASK(s->held, j) & (LOAD(s->unit, j) <= REAL_MAX), LOAD(s->scale2, j) * u * u);
    }
    return length2;
}

/* May u be taken as the last step?  Where damping still takes a part of it, as the linear model errs along
 * it, only if it is so short that this does not matter. */
static ivec may_be_last(const fits *s, vec promised, int o) {
    const vec length2 = length2_of_undamped_step(s, o), chi2 = LOAD(s->sum, tri(s->F, s->F));
    const ivec unseen = may_be_unseen(s, promised, length2, o), brief = length2 <= SHORT * SHORT * chi2;
    if (!v_any(unseen & ~brief))
        return unseen;
    vec damped = {0};
    for (int j = 0; j < s->F; j++) {
        const vec less = LOAD(s->work, j) * LOAD(s->unit, j) - LOAD(s->step, j);
        damped += v_and(~MASK(s->held, j) & (LOAD(s->unit, j) <= REAL_MAX), LOAD(s->scale2, j) * less * less);
    }
    return unseen & (brief | (damped <= PART * PART * length2));
}

/* What parameters at a bound promise, each by itself, where descent leads back into the box: the undamped
 * step holds them where they are. */
static vec promised_inwards(const fits *s, int o) {
    vec promised = {0};
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter), lower = LOAD(s->lower, parameter);
        const vec upper = LOAD(s->upper, parameter), g = LOAD(s->sum, tri(s->F, j)), unit = LOAD(s->unit, j);
        const ivec inwards = ((theta <= lower) & (g > 0)) | ((theta >= upper) & (g < 0));
        promised += v_and(inwards & (lower < upper) & (unit <= REAL_MAX), g * unit * g * unit);
    }
    return promised;
}

/* What the undamped step u of the lanes that met a tolerance tells. */
typedef struct {
    vec promised;
    ivec met, done, asked, small, level; /* asked: to go on, for neither u nor its promise is small */
    ivec slope;                          /* see may_be_slope */
} answer;

/* Lanes whose u promises more than little are asked whether u is short, and promises little beside chi2. */
static void ask(const fits *s, const tolerances *t, answer *a, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F)), size2 = size2_of_model(s, o);
    const real share = LEVEL > t->xtol * t->xtol ? LEVEL : t->xtol * t->xtol;
    a->small = small_undamped_step(s, t->xtol, v_sqrt(chi2), o);
    a->level = (a->promised <= v_max(share * chi2, 10000 * REAL_EPS * REAL_EPS * size2)) & ~a->slope;
    a->asked &= ~(a->small & a->level);
}

/* Lanes whose u promises no more than the noise of chi2, but more than rounding of the gradient explains,
 * beside residuals as large as y.  In float the noise is a millionth part of chi2, and with such
 * residuals the model bends so much that steps by J'J are short on a slope, or beside a maximum. */
static ivec may_be_slope(const fits *s, vec promised, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    const ivec more = (promised > COARSE * chi2) & (POOR_FIT * chi2 > LOAD(s->magnitude, 0));
    if (sizeof(real) == 8 || !v_any(more))
        return (ivec){0};
    return more & (promised > 10000 * REAL_EPS * REAL_EPS * size2_of_model(s, o));
}

static answer answer_of(fits *s, const tolerances *t, ivec poor, int o) {
    const ivec status = MASK(s->status, 0);
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    const real least = t->ftol > t->gtol * t->gtol ? t->ftol : t->gtol * t->gtol;
    const real some = SLACK * least > early_ftol(t) ? SLACK * least : early_ftol(t);
    answer a = {.promised = undamped_step(s, o)};
    if (t->bounded)
        a.promised += promised_inwards(s, o);
    a.met = ((status == TW_FTOL) | (status == TW_XTOL) | (status == TW_GTOL)) & ~poor;
    a.slope = a.met & may_be_slope(s, a.promised, o);
    a.asked = a.met & (a.slope | ~(a.promised <= v_max(some * chi2, LOAD(s->noise, 0))));
    if (v_any(a.asked))
        ask(s, t, &a, o);
    a.done = a.met & ~a.asked & may_be_last(s, a.promised, o);
    STORE(s->untaken, 0, v_and(~a.done, a.promised));
    return a;
}

/* Lanes that were asked in vain TRUST times in a row: with the same chi2 each time. */
static ivec in_vain(fits *s, ivec asked, int o) {
    const ivec fell = LOAD(s->sum, tri(s->F, s->F)) < LOAD(s->resumed, 0) - LOAD(s->noise, 0);
    MASK(s->in_vain, 0) = ~(asked & fell) & (MASK(s->in_vain, 0) - asked); /* a mask is -1 */
    return asked & (MASK(s->in_vain, 0) > TRUST);
}

/* Lanes that are asked to go on do so with less damping and a wider region.  One that has gone on TRUST
 * times in a row and come back with the same chi2 is at a minimum if the gradient is small in units of D,
 * and level; else the model is not smooth there. */
static void go_on(fits *s, const tolerances *t, const answer *a, int o) {
    const ivec vain = in_vain(s, a->asked, o), resume = a->asked & ~vain, flat = is_flat(s, o);
    const ivec refused = vain & ~(flat & a->level), status = MASK(s->status, 0);
    MASK(s->doubt, 0) = a->asked & (a->small | (vain & flat)) & status;
    STORE(s->resumed, 0, v_sel(resume, LOAD(s->sum, tri(s->F, s->F)), LOAD(s->resumed, 0)));
    MASK(s->status, 0) = ~(resume | refused) & status; /* RUNNING is 0 */
    stop(s, o, refused, TW_NO_PROGRESS);
    give_up(s, t, o);
    const vec lambda = v_max(LOAD(s->lambda, 0) * RELIEF, v_set(LEAST_DAMPING));
    STORE(s->lambda, 0, v_sel(resume, lambda, LOAD(s->lambda, 0)));
    const vec delta = v_max(WIDER * LOAD(s->delta, 0), 2 * v_sqrt(length2_of_undamped_step(s, o)));
    STORE(s->delta, 0, v_sel(resume, delta, LOAD(s->delta, 0)));
}

/* See the head of this file; `work` holds the right-hand side, `poor` lanes are asked in the orthogonal
 * mode. */
static void confirm(fits *s, const tolerances *t, ivec poor, int o) {
    const answer a = answer_of(s, t, poor, o);
    if (v_any(a.asked))
        go_on(s, t, &a, o);
    if (v_any(a.done))
        take_last_step(s, a.done, a.promised, t->bounded, o);
}

/* The lanes in which some column has shrunk to less than `share` of its largest norm in the attempt. */
static ivec has_shrunk(const fits *s, real share, int o) {
    ivec shrunk = {0};
    for (int j = 0; j < s->F; j++) {
        const vec now = LOAD(s->sum, tri(j, j));
        shrunk |= (now < share * share * LOAD(s->largest2, j)) | (now < REAL_MIN / REAL_EPS);
    }
    return shrunk;
}

/* Does a bound keep parameter j of a stopped lane, as descent presses it there, or as there is no room
 * between the bounds?  If not, the bound is merely where it was when the model went flat. */
static int is_kept(const fits *s, int lane, int j) {
    const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES + lane;
    const real descent = s->sum[tri(s->F, j) * LANES + lane], theta = s->theta[at];
    const real brings = (real)fabs(descent * theta), chi2 = s->sum[tri(s->F, s->F) * LANES + lane];
    if (theta != 0 && brings <= NO_EFFECT * NO_EFFECT * chi2 && s->lower[at] < s->upper[at])
        return 0; /* a step of its own size would bring nothing */
    return (theta <= s->lower[at] && descent < 0) || (theta >= s->upper[at] && descent > 0) ||
           s->lower[at] == s->upper[at];
}

/* The parameter of a lane whose column has shrunk to less than `share` of its largest norm in the attempt
 * and has no effect left on the model, or -1; not one that a bound keeps.  So has one whose squares leave
 * the range. */
static int lost_effect(const fits *s, int lane, real share) {
    const real chi2 = s->sum[tri(s->F, s->F) * LANES + lane];
    for (int j = 0; j < s->F; j++) {
        const real now = s->sum[tri(j, j) * LANES + lane], most = s->largest2[j * LANES + lane];
        const real theta = s->theta[s->free_theta[j] * LANES + lane];
        const int shrunk = now < share * share * most && theta * theta * now <= NO_EFFECT * NO_EFFECT * chi2;
        const int vanished = s->held[j * LANES + lane] && now == 0; /* elsewhere J'J is singular */
        if (!is_kept(s, lane, j) && (shrunk || vanished || (now > 0 && now < REAL_MIN / REAL_EPS)))
            return s->free_theta[j];
    }
    return -1;
}

#endif
