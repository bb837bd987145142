/* confirm.h - whether a lane that met a tolerance is at a minimum.
 *
 * A step can be small because it is damped, or because a parameter has run so far away that chi2 no longer
 * depends on it.  So a lane that has met a tolerance has to pass one more test, which uses the factors of the
 * undamped matrix A = J'J, columns scaled to unit length: the step u = A^-1 J'e must be small, or the
 * reduction of chi2 that it promises must be small or below the rounding noise of chi2.  A lane that fails
 * the test is resumed with less damping and a wider region.
 *
 * A small u alone is not enough: far out on a plateau every step is small in units of theta.  So what it
 * promises must be small in units of chi2, too (`level`).  Where f depends on a^2 alone and a vanishes, J
 * tells nothing about a; there the exact second derivatives decide (reconsider, curvature.h), and until they
 * have, the success is in doubt.
 *
 * At a success the step u is taken as the last one, without another evaluation: it is smaller than the
 * tolerance, and what is left after it is smaller still by the rate of convergence.  (In the orthogonal mode
 * one.h looks where it has led.)
 */
#ifndef TW_CONFIRM_H
#define TW_CONFIRM_H

#include "fit/sample.h"

/* A pivot of A at most POOR_PIVOT times its diagonal element, sqrt(eps), has lost half of its digits. */
#define POOR_PIVOT ((real)(sizeof(real) == 8 ? 0x1p-26 : 0x1p-12))

#define SLACK ((real)10)        /* the undamped step u may exceed the tolerance by this factor */
#define RELIEF ((real)1e-2)     /* a lane that is resumed has its lambda multiplied by RELIEF */
#define WIDER ((real)100)       /* and has the radius of its region multiplied by WIDER */
#define FLAT ((real)1e-6)       /* the gradient counts as zero where g_j^2 <= FLAT D_j^2 chi2 */
#define LEVEL (4500 * REAL_EPS) /* at a minimum u promises at most LEVEL chi2; 1e-12 in double */
/* Steps that shrink by a factor r per step are extrapolated to their sum if r is at most SLOWEST, and damping
 * has taken at most DAMPED r u of u: then r is a property of the problem, not of the damping (see rate). */
#define SLOWEST ((real)0.5)
#define DAMPED ((real)1e-2)
/* In float a lane may be on a slope where chi2 is more than 1/POOR_FIT of sum (y/sigma)^2, or chi2 / dof more
 * than 1/POOR_POINTS of it (may_be_slope): the more points, the less random residuals bend chi2.  With a
 * third of POOR_POINTS one of 30,000 noisy fits ends beside a saddle. */
#define POOR_FIT ((real)10)
#define POOR_POINTS ((real)640)
#define COARSE ((real)1e-7) /* a J of differences leaves u that promises up to COARSE chi2 at a minimum */
/* u is taken as the last step if |D u| is at most SHORT |e|, or damping has taken at most PART of it. */
#define PART ((real)0.1)
#define SHORT ((real)1e-6)
/* A parameter has lost its effect where |J_j| is below RUN_OFF times its largest in the attempt and |theta_j
 * J_j| is at most NO_EFFECT |e|. */
#define RUN_OFF PICK(1e-7, 1e-4)
#define NO_EFFECT ((real)1e-3)

/* In stopped lanes hold the parameters at a bound; in all lanes set unit to 1 / the length of each column. */
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

/* Put the normal matrix of columns of length 1 into factor, with 1 on the diagonal of held parameters. */
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

/* Copy R of lane 0 to rows: its columns, scaled to length 1 or 0 for held parameters, and z, its last. */
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

/* Set factor and pivot of lane 0 to L D and 1/D, from R of the orthogonal mode: D_j = R_jj^2, L_ij = R_ji /
 * R_jj; and work to L^-1 J'e = D^(1/2) z from its last column z, without forming J'e = R'z.  A damping of
 * LOST_COLUMN^2 keeps each R_jj off 0, and gives the shortest step where columns are combinations of one
 * another. */
static void factors_from_triangle(fits *s) {
    const int F = s->F;
    real *R = s->small, *damping = s->work;
    int all = 1;
    unit_columns(s);
    for (int j = 0; j < F; j++) {
        all &= !s->held[j * LANES] && s->unit[j * LANES] <= REAL_MAX;
        damping[j] = LOST_COLUMN;
    }
    triangle_of_rows(s, F, all);
    merge_damping(s, F, damping);
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

/* Put L^-1 J'e, J of columns of length 1, into work. */
static void scaled_right_side(fits *s, int o) {
    for (int i = 0; i < s->F; i++) {
        vec z = v_and(~MASK(s->held, i), LOAD(s->sum, tri(s->F, i)) * LOAD(s->unit, i));
        for (int k = 0; k < i; k++)
            z -= LOAD(s->factor, tri(i, k)) * LOAD(s->pivot, k) * LOAD(s->work, k);
        STORE(s->work, i, z);
    }
}

/* Whether the gradient by every parameter that is not held is small in units of D. */
TW_INLINE ivec is_flat(const fits *s, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F));
    ivec flat = ~(ivec){0};
    for (int j = 0; j < s->F; j++) {
        const vec g = LOAD(s->sum, tri(s->F, j));
        flat &= MASK(s->held, j) | (g * g <= FLAT * LOAD(s->largest2, j) * chi2);
    }
    return flat;
}

/* Replace L^-1 J'e in work by the undamped step in units of the scaled columns, |J_j| u_j; returns the
 * reduction of chi2 that u promises. */
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

/* Is |u_j| <= SLACK xtol (|theta_j| + |e| / |J_j|) for each j that is not held? */
static ivec small_undamped_step(const fits *s, real xtol, vec size_of_e, int o) {
    ivec small = ~(ivec){0};
    for (int j = 0; j < s->F; j++) {
        const vec unit = LOAD(s->unit, j), theta = v_abs(LOAD(s->theta, s->free_theta[j]));
        const vec u = v_abs(LOAD(s->work, j) * unit);
        small &= MASK(s->held, j) | ~(u > SLACK * xtol * (theta + size_of_e * unit));
    }
    return small;
}

/* The factor r by which steps shrink.  Near a minimum with residuals that are not small Gauss-Newton steps
 * shrink by a constant factor, so that u and all steps after it add up to u / (1 - r).  Returns 0 where steps
 * shrink because they are damped, and where r is above SLOWEST. */
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

/* Add u / (1 - r) to theta, and subtract from chi2 what u promises, in those lanes of the mask where that
 * step stays inside the bounds. */
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

/* |D u|^2 of the undamped step u in work */
static vec length2_of_undamped_step(const fits *s, int o) {
    vec length2 = {0};
    for (int j = 0; j < s->F; j++) {
        const vec u = LOAD(s->work, j) * LOAD(s->unit, j);
        length2 += v_and(~MASK(s->held, j) & (LOAD(s->unit, j) <= REAL_MAX), LOAD(s->scale2, j) * u * u);
    }
    return length2;
}

/* May u be taken as the last step?  Damping is on where the linear model has erred; so u must be very short,
 * or the damping must take little of it. */
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

/* The scaled element (i, j) of A, 0 where a column has no length */
static vec scaled_element(const fits *s, int i, int j, int o) {
    const vec a = LOAD(s->unit, i), b = LOAD(s->unit, j);
    const vec product = LOAD(s->sum, i < j ? tri(j, i) : tri(i, j)) * a * b;
    return v_and((a <= REAL_MAX) & (b <= REAL_MAX), product);
}

/* The square of what is left of column j, of length 1, beside the columns of parameters that are not held:
 * 1 - |D^(-1/2) L^-1 J'J_j|^2, but at least WEAK_PIVOT, for below it is rounding. */
static vec left_of_column(fits *s, int j, int o) {
    const int F = s->F; /* L^-1 J'J_j goes into the second half of work */
    vec left = v_set(1);
    for (int i = 0; i < F; i++) {
        vec z = v_and(~MASK(s->held, i), scaled_element(s, i, j, o));
        for (int k = 0; k < i; k++)
            z -= LOAD(s->factor, tri(i, k)) * LOAD(s->pivot, k) * LOAD(s->work, F + k);
        STORE(s->work, F + i, z);
        left -= z * z * LOAD(s->pivot, i);
    }
    return v_max(left, v_set(WEAK_PIVOT));
}

/* The reduction of chi2 that is promised by parameters at a bound from which descent leads back into the box.
 * The undamped step u, which lies in work and holds them, does not count it.  Parameter j alone, beside those
 * that are not held, promises g^2 / q, where g = J_j'(e - J u) and q is the square of what is left of J_j
 * beside their columns.  It is small where J_j is nearly a combination of them: then a small g promises much.
 */
static vec promised_inwards(fits *s, int o) {
    vec promised = {0};
    for (int j = 0; j < s->F; j++) {
        const int parameter = s->free_theta[j];
        const vec theta = LOAD(s->theta, parameter), lower = LOAD(s->lower, parameter);
        const vec upper = LOAD(s->upper, parameter), unit = LOAD(s->unit, j);
        const ivec at_bound = ((theta <= lower) | (theta >= upper)) & (lower < upper) & (unit <= REAL_MAX);
        if (!v_any(at_bound))
            continue;
        vec g = LOAD(s->sum, tri(s->F, j)) * unit;
        for (int k = 0; k < s->F; k++)
            g -= v_and(~MASK(s->held, k), scaled_element(s, j, k, o) * LOAD(s->work, k));
        const ivec inwards = at_bound & (((theta <= lower) & (g > 0)) | ((theta >= upper) & (g < 0)));
        if (v_any(inwards))
            promised += v_and(inwards, g * g / left_of_column(s, j, o));
    }
    return promised;
}

/* What the undamped step u tells about the lanes that met a tolerance. */
typedef struct {
    vec promised; /* the reduction of chi2 by u */
    ivec met;     /* the lanes in question */
    ivec done;    /* u may be taken as the last step */
    ivec asked;   /* to go on, for neither u nor what it promises is small */
    ivec small;   /* u is short */
    ivec level;   /* u promises little beside chi2 */
    ivec slope;   /* see may_be_slope */
} answer;

/* Settle small and level, and take the lanes that are both off the list of those asked to go on. */
static void ask(const fits *s, const tolerances *t, answer *a, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F)), size2 = size2_of_promise(s, o);
    const real share = LEVEL > t->xtol * t->xtol ? LEVEL : t->xtol * t->xtol;
    a->small = small_undamped_step(s, t->xtol, v_sqrt(chi2), o);
    a->level = (a->promised <= v_max(share * chi2, 10000 * REAL_EPS * REAL_EPS * size2)) & ~a->slope;
    a->asked &= ~(a->small & a->level);
}

/* The lanes that may be on a slope, or beside a saddle or a maximum: u promises less than the noise of chi2,
 * but more than rounding of the gradient explains, beside residuals that are not small.  In float that noise
 * is about a millionth of chi2, and with such residuals the model bends so much that u, by J'J, is short even
 * far from a minimum.  Such a lane goes on until u is rounding, or second derivatives decide. */
static ivec may_be_slope(const fits *s, vec promised, int o) {
    const vec chi2 = LOAD(s->sum, tri(s->F, s->F)), share = v_set(POOR_POINTS) / LOAD(s->dof, 0);
    const ivec poor = v_max(v_set(POOR_FIT), share) * chi2 > LOAD(s->magnitude, 0);
    if (sizeof(real) == 8 || !v_any(poor))
        return (ivec){0};
    const vec rounding = 10000 * REAL_EPS * REAL_EPS * size2_of_model(s, o);
    return poor & (promised > (s->by_calls ? v_max(COARSE * chi2, rounding) : rounding));
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
    a.asked = a.met & (a.slope | ~(a.promised <= v_max(some * chi2, noise_of_promise(s, o))));
    if (v_any(a.asked))
        ask(s, t, &a, o);
    a.done = a.met & ~a.asked & may_be_last(s, a.promised, o);
    STORE(s->untaken, 0, v_and(~a.done, a.promised));
    return a;
}

/* Count how often in a row a lane was asked to go on without a fall of chi2; returns the lanes where that is
 * more than TRUST times. */
static ivec in_vain(fits *s, ivec asked, int o) {
    const ivec fell = LOAD(s->sum, tri(s->F, s->F)) < LOAD(s->resumed, 0) - noise_of_promise(s, o);
    MASK(s->in_vain, 0) = ~(asked & fell) & (MASK(s->in_vain, 0) - asked); /* a mask that is set is -1 */
    return asked & (MASK(s->in_vain, 0) > TRUST);
}

/* Resume the lanes that are asked to go on, with less damping and a wider region.  A lane that was resumed
 * TRUST times in a row and came back with the same chi2 is at a minimum if its gradient is small in units of
 * D and u promises little beside chi2; else the model is not smooth there. */
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

/* Do what the head of this file says.  `work` holds L^-1 J'e; `poor` lanes are left alone, for the orthogonal
 * mode takes them over. */
static void confirm(fits *s, const tolerances *t, ivec poor, int o) {
    const answer a = answer_of(s, t, poor, o);
    if (v_any(a.asked))
        go_on(s, t, &a, o);
    if (v_any(a.done))
        take_last_step(s, a.done, a.promised, t->bounded, o);
}

/* The lanes in which the norm of some column of J is below `share` of its largest in the attempt. */
static ivec has_shrunk(const fits *s, real share, int o) {
    ivec shrunk = {0};
    for (int j = 0; j < s->F; j++) {
        const vec now = LOAD(s->sum, tri(j, j));
        shrunk |= (now < share * share * LOAD(s->largest2, j)) | (now < REAL_MIN / REAL_EPS);
    }
    return shrunk;
}

/* Does a bound keep parameter j of a stopped lane: does descent press it against the bound, or do its two
 * bounds coincide?  If not, it merely happened to be at the bound when the model went flat. */
static int is_kept(const fits *s, int lane, int j) {
    const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES + lane;
    const real descent = s->sum[tri(s->F, j) * LANES + lane], theta = s->theta[at];
    const real brings = (real)fabs(descent * theta), chi2 = s->sum[tri(s->F, s->F) * LANES + lane];
    if (theta != 0 && brings <= NO_EFFECT * NO_EFFECT * chi2 && s->lower[at] < s->upper[at])
        return 0; /* a step of its own size would bring nothing */
    return (theta <= s->lower[at] && descent < 0) || (theta >= s->upper[at] && descent > 0) ||
           s->lower[at] == s->upper[at];
}

/* The first parameter of a lane that has lost its effect on the model and that no bound keeps, or -1: the
 * norm of its column is below `share` of its largest in the attempt, and theta_j J_j is nothing beside the
 * residuals; or the square of the column has left the range of numbers. */
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
