/* noise.h - other losses than squares: counts (Poisson) and losses that outliers do not carry away.
 *
 * The engine lowers a sum of losses of points, for which it needs, at a trial, the loss itself, a matrix
 * A = sum a_i J_i'J_i that stands for half of its second derivatives, and g = sum h_i J_i', half of its
 * downhill gradient.  For squares a = w^2 and h = w^2 e, with e = y - f and w = 1/sigma.  All that follows a
 * trial (step, region, bounds, tests of a minimum) needs only these, so another loss needs only to put
 *
 *     a  in place of the squares of the weights  and  h  in place of their product with the residual
 *
 * and to write the sum of the losses over e'We, the last element of the sums.
 *
 *   counts   y is Poisson's with the mean f.  The loss is the deviance 2 (f - y + y ln(y / f)), which is 2 f
 *            where y = 0; h = (y - f) / f, and a = 1 / f is its mean second derivative (Fisher scoring).
 *            A point without counts has a second derivative of 0, so that any a leads to the same minimum.
 *            Where its mean goes to 0, to the edge of the means that there are, other points often press it
 *            further down, and with 1 / f every step would lead beyond 0.  So as soon as a trial has been
 *            rejected such points have a = STEEP / f if their means are below EDGE.  Then these fall by a
 *            factor per step, while all else converges faster, and the minimum is reached from within.  A
 *            tail that merely fades is next to nothing in A with either.
 *            Where f is not positive there is no likelihood: the loss is infinite, so such a trial is
 *            rejected; only y = f = 0 is a perfect fit, of loss 0, and counts no further.
 *   robust   The loss is s^2 rho(z), z = (w e / s)^2, with the scale s (scipy.optimize.least_squares):
 *              huber    rho = z up to z = 1, then 2 sqrt(z) - 1
 *              soft_l1  rho = 2 (sqrt(1 + z) - 1)
 *              cauchy   rho = ln(1 + z)
 *            h = w^2 rho' e.  The second derivative w^2 (rho' + 2 z rho'') may be 0 or negative; a is that,
 *            but at least a share of w^2 rho', so that the matrix stays positive definite.  Near a minimum
 *            the share is LEAST_CURVATURE.  Far from one, where most points lie beyond the scale, such steps
 *            are much too long.  There it is 1, so that a is w^2 rho' at every point, the weight of iterated
 *            reweighted least squares: a parabola with these a lies nowhere below the sum of losses, and so
 *            its minimum is a step that goes down.  A trial counts as far where the step to it promised more
 *            than FAR of the sum of losses (least_share, state.h).  This halves the trials of most robust
 *            fits.  Of Cauchy's loss, whose second derivative is negative beyond its scale, a is that
 *            derivative itself in trials that are near a minimum but not yet at it: the share is then -1.
 *            Steps shrink by a factor of about ten with a of at least LEAST_CURVATURE, and as the squares of
 *            one another with the derivative itself, which saves a sixth of the trials.  Its matrix may be
 *            indefinite, and then more damping makes it positive definite (step.h).  A fit that stops has
 *            sums with LEAST_CURVATURE, from which its error bars come (is_coarse).
 *
 * References: McCullagh and Nelder, Generalized Linear Models, 2nd ed., 1989, sections 2.3 and 2.5; Huber,
 * Robust Statistics, 1981, sections 7.5 to 7.7.
 */
#ifndef TW_NOISE_H
#define TW_NOISE_H

#include "fit/contract.h"
#include "tape/normal.h"

/* The share of rho' that a is at least near a minimum.  Any value above 0 is safe; a smaller one makes steps
 * longer where outliers lie, a larger one makes them converge more slowly. */
#define LEAST_CURVATURE ((real)0.0625)
#define FAR ((real)0.1) /* a trial is far from a minimum if the step to it promised more of the losses */
/* With Cauchy's loss a trial is near a minimum if the step to it promised at most NEAR of the losses, and not
 * yet at it if that was more than THERE and more than rounding.  With a smaller THERE fits need a trial more,
 * for they may end only with LEAST_CURVATURE; NEAR may be three times as large or as small. */
#define NEAR ((real)0.03)
#define THERE ((real)1e-7)
#define TRUE_CURVATURE                                                                                       \
    ((real) - 1) /* the share with which a is the second derivative of Cauchy's loss itself */

/* Points without counts and of a mean below EDGE may have STEEP times the curvature of Fisher scoring.  An
 * EDGE ten times as large costs more trials where tails fade; with one ten times as small, or with half of
 * STEEP, fewer of the fits whose minimum is at the edge reach it. */
#define EDGE ((real)1e-4)
#define STEEP ((real)8)

/* What is summed over the points of a fit beside A and g: the losses, and for robust ones what the covariance
 * needs: psi^2 = z rho'^2 s^2, the second derivative psi' = rho' + 2 z rho'', its square, and a / w^2. Behind
 * them stands what is no sum: the share of rho' that each a of A is at least, or for counts the mean below
 * which points without counts are steep, 0 or EDGE. */
enum { SUM_LOSS, SUM_PSI2, SUM_SLOPE, SUM_SLOPE2, SUM_MATRIX, LEAST_SHARE, NOISE_SUMS };
enum { FURTHER_SUMS = NOISE_SUMS - 1 }; /* those that follow the triangle of a fit's sums */

/* The scale s of the robust loss of data set `fit`; 1 where there is none. */
static real f_scale_of(const tw_fit_job *job, ptrdiff_t fit) {
    return job->f_scale ? ((const real *)job->f_scale)[fit * job->f_scale_step] : 1;
}

/* How many numbers follow the triangle of the sums of a fit. */
TW_INLINE ptrdiff_t further_sums(const tw_fit_job *job) { return job->noise ? FURTHER_SUMS : 0; }

/* A vector of points: their data, what is to be computed, and the running sums. */
typedef struct {
    vec y, f, weight;     /* weight is 0 where a point is left out */
    vec inverse;          /* 1/s */
    vec least;            /* the least a / rho', or for counts the mean below which they are steep */
    vec square, h;        /* a, 0 where a point is left out; and h */
    vec bend;             /* (a - a') / h with the true second derivative a', 0 where both are the same */
    vec sum[LEAST_SHARE]; /* all but that of psi^2 over s^2 */
    vec folded;           /* of Cauchy's loss: the product of the 1 + z whose logarithm waits, less 1 */
    ivec apart;           /* where the loss of some point has not been summed (losses_apart) */
    ivec whole;           /* where no point so far is left out */
    ivec every;           /* every lane, which only the running code knows: see add_robust */
} noisy;

/* The deviance of counts y > 0 from means f > 0, where y / f is a normal number.
 *
 * With F = f 2^k so near to y that s = (y - F) / (y + F) is at most 0.2, and ln(y / F) = 2 atanh(s),
 *
 *     D / 2 = f - F + y k ln 2  +  (y - F) s (1 + (1 + s) (atanh(s) - s) / s^2).
 *
 * Where k = 0 the first part is 0 and nothing cancels: the relative error is a few eps however small D is. */
TW_INLINE vec deviance_of(vec y, vec f) {
    vec k;
    const vec F = f * quotient_exponent(y, f, &k), difference = y - F, s = difference / (y + F);
    const vec far = (f - F) + y * (k * (real)0.693147180559945309417232121458176568);
    return 2 * far + difference * s * (2 + (s + s * s) * POLY(s * s, DEVIANCE_C));
}

/* The loss where f is no mean, or y / f overflows: infinite, but 0 where both are 0; NaN where f is NaN or
 * infinite. */
TW_SLOW vec without_mean(vec y, vec f) {
    const vec infinite = v_set((real)INFINITY), refused = v_sel(f <= REAL_MAX, infinite, 0 * infinite);
    return v_sel((f >= 0) & (f < REAL_MIN) & (y <= 0), v_set(0), refused);
}

/* Is f the mean of a count y whose deviance can be computed? */
TW_INLINE ivec has_mean(vec y, vec f, vec inverse) {
    return (f >= REAL_MIN) & (f <= REAL_MAX) & (y * inverse <= REAL_MAX / 4);
}

/* With `steep`, points without counts may have STEEP times the curvature. */
TW_INLINE void add_counts(noisy *n, int weighted, int steep) {
    const vec y = n->y, f = n->f, inverse = 1 / f, ratio = y * inverse;
    const ivec mean = has_mean(y, f, inverse);
    const ivec used = weighted ? n->weight > 0 : ~(ivec){0}, means = used & mean;
    const vec deviance = v_sel(ratio >= REAL_MIN, deviance_of(y, f), 2 * f);
    n->square = v_and(means, inverse);
    if (steep)
        n->square = v_sel((y <= 0) & (f < n->least), STEEP * n->square, n->square);
    n->h = (y - f) * inverse;
    n->whole &= means;
    n->bend = -n->square;
    n->sum[SUM_LOSS] += v_and(means, deviance);
    n->apart |= used & ~mean;
}

/* Set rho, rho', a / w^2 and rho' + 2 z rho'' of a robust loss where |w e / s| = r and z = r^2; of Cauchy's
 * loss, whose logarithm is taken later, not rho. */
TW_INLINE void robust_at(const noisy *n, int noise, vec r, vec z, vec *rho, vec *first, vec *a, vec *second) {
    const vec one = v_set(1);
    if (noise == TW_HUBER) {
        const ivec near = r <= 1;
        const vec inverse = 1 / v_max(r, one);
        *rho = v_sel(near, z, 2 * r - 1), *first = inverse, *second = v_and(near, one);
        *a = v_sel(near, one, n->least * inverse);
    } else if (noise == TW_SOFT_L1) {
        const vec root = v_sqrt(1 + z), inverse = 1 / (root * (1 + root)), slope = (1 + root) * inverse;
        const vec share = slope * slope;
        *rho = 2 * z * root * inverse, *first = slope, *second = slope * share;
        *a = slope * v_max(share, n->least);
    } else {
        const vec slope = 1 / (1 + z), share = 2 * slope - 1; /* (1 - z) / (1 + z) */
        *rho = v_set(0), *first = slope, *second = slope * share;
        *a = slope * v_max(share, n->least);
    }
}

/* Of Cauchy's loss FOLD points are summed by one logarithm: ln(1 + z) + ln(1 + t) = ln(1 + (z + t + z t)),
 * where nothing cancels.  The product of FOLD numbers up to UNFOLDED does not overflow. */
enum { FOLD = 4 };
#define UNFOLDED (sizeof(real) == 8 ? (real)1e75 : (real)1e9)

/* Compiled for each loss, with and without weights, and with and without `bend`.
 *
 * A product that is added to a sum may become one operation with it, which rounds once, but not where a mask
 * stands between them.  Without weights a mask stands there, too, so that a point that is left out changes no
 * bit of the sums of others. */
TW_INLINE void add_robust(noisy *n, int noise, int weighted, int bends) {
    const ivec used = weighted ? n->weight > 0 : ~(ivec){0};
    const vec e = v_and(used, n->y - n->f), r = v_abs(weighted ? e * n->weight * n->inverse : e * n->inverse);
    const vec z = r * r;
    vec rho, first, a, second;
    robust_at(n, noise, r, z, &rho, &first, &a, &second);
    const vec psi = r * first, pull = e * first;
    const vec w2 = n->weight * n->weight, some = v_sel(a == 0, v_set(REAL_MIN), a);
    n->square = weighted ? w2 * some : a; /* 0 would say that a point is left out */
    n->h = weighted ? w2 * pull : pull;
    n->whole &= used;
    if (bends)
        n->bend = v_sel(e == 0, v_set(0), (a - second) / pull);
    if (noise == TW_CAUCHY) {
        const ivec near = z <= UNFOLDED;
        const vec t = v_and(near, z);
        n->folded += t + n->folded * t;
        n->apart |= ~near;
    } else {
        n->sum[SUM_LOSS] += rho; /* 0 where e is */
    }
    n->sum[SUM_PSI2] += psi * psi;
    const ivec summed = weighted ? used : n->every;
    n->sum[SUM_SLOPE] += v_and(summed, second);
    n->sum[SUM_SLOPE2] += v_and(summed, second * second);
    n->sum[SUM_MATRIX] += v_and(summed, a);
}

/* A block of n groups of points.
 *
 *   y, weight       [n][LANES]  in   weight is 1/sigma, 0 where a point is left out; NULL = 1
 *   f               operand     in   the model
 *   scale           [LANES]     in   s, for robust losses
 *   square, h       [n][LANES]  out  a, and h
 *   bend            [n][LANES]  out  NULL = not wanted; only with weights
 *   sum             [NOISE_SUMS][LANES]  in/out
 */
typedef struct {
    const real *y, *weight, *scale;
    operand f;
    real *square, *h, *bend, *sum;
} noise_block;

/* Load group p of the vectors at lane o. */
TW_INLINE void load_noisy(const noise_block *b, noisy *at, int weighted, ptrdiff_t p, int o) {
    const ptrdiff_t i = p * LANES + o;
    at->y = v_load(b->y + i), at->f = v_load(b->f.base + p * b->f.step + o);
    at->weight = weighted ? v_load(b->weight + i) : v_set(1);
}

/* The losses, over s^2 if they are robust, of those points of a block that its loop has left out: counts
 * without a mean, and points beyond UNFOLDED. */
TW_SLOW vec losses_apart(const noise_block *b, int noise, ptrdiff_t n, int o) {
    vec sum = {0};
    const vec inverse = 1 / v_load(b->scale + o);
    for (ptrdiff_t p = 0; p < n; p++) {
        noisy at;
        load_noisy(b, &at, b->weight != NULL, p, o);
        const ivec used = at.weight > 0;
        if (noise == TW_POISSON) {
            sum += v_and(used & ~has_mean(at.y, at.f, 1 / at.f), without_mean(at.y, at.f));
        } else {
            const vec r = v_and(used, at.y - at.f) * at.weight * inverse, z = r * r;
            sum += v_and(~(z <= UNFOLDED), v_log1p(z));
        }
    }
    return sum;
}

/* Compiled for each kind of noise, so that its choice is made once per block, with and without weights, and
 * with and without bend. */
TW_INLINE ivec noise_of_lanes(const noise_block *b, int noise, int weighted, int bends, ptrdiff_t n, int o) {
    const vec scale = v_load(b->scale + o), least = v_load(b->sum + LEAST_SHARE * LANES + o);
    const vec s2 = scale * scale;
    noisy at = {.inverse = 1 / scale, .least = least};
    at.whole = ~(ivec){0}, at.every = scale == scale;
    const int steep = noise == TW_POISSON && v_any(least > 0);
    for (ptrdiff_t p = 0; p < n; p++) {
        load_noisy(b, &at, weighted, p, o);
        if (noise == TW_POISSON)
            add_counts(&at, weighted, steep);
        else
            add_robust(&at, noise, weighted, bends);
        v_store(b->square + p * LANES + o, at.square);
        v_store(b->h + p * LANES + o, at.h);
        if (bends)
            v_store(b->bend + p * LANES + o, at.bend);
        if (noise == TW_CAUCHY && (p % FOLD == FOLD - 1 || p == n - 1)) {
            at.sum[SUM_LOSS] += v_log1p(at.folded);
            at.folded = v_set(0);
        }
    }
    if (v_any(at.apart))
        at.sum[SUM_LOSS] += losses_apart(b, noise, n, o);
    for (int k = 0; k < (noise == TW_POISSON ? 1 : LEAST_SHARE); k++) {
        real *sum = b->sum + k * LANES + o;
        const int in_s2 = noise != TW_POISSON && (k == SUM_LOSS || k == SUM_PSI2);
        v_store(sum, v_load(sum) + (in_s2 ? s2 * at.sum[k] : at.sum[k]));
    }
    return at.whole;
}

/* The same for all lanes; returns whether no point is left out. */
TW_INLINE int noise_of_block(const noise_block *b, int noise, int weighted, int bends, ptrdiff_t n,
                             int width) {
    ivec whole = ~(ivec){0};
    for (int o = 0; o < width; o += VL)
        whole &= noise_of_lanes(b, noise, weighted, bends, n, o);
    return !v_any(~whole);
}

/* Put what the loss of a job makes of a block into square, h and bend, and add its sums to `sum`; returns
 * whether no point is left out. */
static int add_noise(const noise_block *b, int noise, ptrdiff_t n, int width) {
#define TW_NOISE(kind)                                                                                       \
    case kind:                                                                                               \
        if (b->bend)                                                                                         \
            return noise_of_block(b, kind, 1, 1, n, width);                                                  \
        return b->weight ? noise_of_block(b, kind, 1, 0, n, width) : noise_of_block(b, kind, 0, 0, n, width);
    switch (noise) {
        TW_NOISE(TW_HUBER)
        TW_NOISE(TW_SOFT_L1)
        TW_NOISE(TW_CAUCHY)
        TW_NOISE(TW_POISSON)
    }
#undef TW_NOISE
    return 0;
}

/* Replace the curvature w of a model along a direction by what makes  a (J d)^2 - h w  the exact second
 * derivative of the loss,  w + bend (J d)^2, in a block of n groups of points.
 *
 *   column     [F + 1]  in/out  J, of which w is taken from `w`; the last becomes `out`
 *   direction  [F]      in      d, its elements LANES apart where the free parameters are
 *   out        [n][LANES]  in/out  bend, of which w + bend (J d)^2 is made
 */
static void bend_block(operand *column, operand w, int F, const int32_t *free_theta, const real *direction,
                       real *out, ptrdiff_t n) {
    for (ptrdiff_t p = 0; p < n; p++)
        for (int o = 0; o < LANES; o += VL) {
            vec slope = {0};
            for (int j = 0; j < F; j++) {
                const real d = direction[free_theta[j] * LANES];
                if (d != 0)
                    slope += d * v_load(column[j].base + p * column[j].step + o);
            }
            real *at = out + p * LANES + o;
            v_store(at, v_load(w.base + p * w.step + o) + v_load(at) * slope * slope);
        }
    column[F] = (operand){out, LANES, 0};
}

/* The factor by which the inverse of A becomes the covariance of a robust fit of n points and F parameters:
 *
 *     K  [sum psi^2 / (n - F)]  mean(a) / mean(psi')^2,     K = 1 + F/n var(psi') / mean(psi')^2
 *
 * (Huber 1981, section 7.6), for errors that are alike at all points in units of sigma.  `further` holds the
 * sums that follow the loss, `step` elements apart. */
static real robust_factor(const real *further, ptrdiff_t step, real n, real F) {
    const real psi2 = further[(SUM_PSI2 - 1) * step], mean = further[(SUM_SLOPE - 1) * step] / n;
    const real slope2 = further[(SUM_SLOPE2 - 1) * step] / n, matrix = further[(SUM_MATRIX - 1) * step] / n;
    const real correction = 1 + F / n * (slope2 - mean * mean) / (mean * mean);
    return n > F && mean > 0 ? correction * psi2 / (n - F) * matrix / (mean * mean) : (real)INFINITY;
}

/* As add_block (tape/normal.h), with a in place of the squares of the weights, and h in the last column; no
 * point may be left out. */
static void add_block_of_squares(const operand *column, int n_columns, ptrdiff_t n, const real *square,
                                 int whole, int width, real *sum) {
    if (whole)
        add_columns(column, n_columns, n, square, ALL_SQUARES, width, sum);
    else
        add_columns(column, n_columns, n, square, SOME_SQUARES, width, sum);
}

#endif
