/* noise.h - other losses than squares: counts (Poisson) and losses that outliers do not carry away.
 *
 * The engine lowers a sum of losses of points, for which it needs, at a trial, the loss itself, a matrix
 * A = sum a_i J_i'J_i that stands for half of its second derivatives, and g = sum h_i J_i', half of its
 * downhill gradient.  For squares a = w^2 and h = w^2 e, with e = y - f and w = 1/sigma.  All that follows a
 * trial (step, region, bounds, tests of a minimum) needs only these, so another loss needs only to put
 *
 *     a  in place of the squares of the weights  and  h / a  in place of the residual
 *
 * and to write the sum of the losses over e'We, the last element of the sums.
 *
 *   counts   y is Poisson's with the mean f.  The loss is the deviance 2 (f - y + y ln(y / f)), which is 2 f
 *            where y = 0; h = (y - f) / f, and a = 1 / f is its mean second derivative (Fisher scoring).
 *            Where f is not positive there is no likelihood: the loss is infinite, so such a trial is
 *            rejected; only y = f = 0 is a perfect fit, of loss 0, and counts no further.
 *   robust   The loss is s^2 rho(z), z = (w e / s)^2, with the scale s (scipy.optimize.least_squares):
 *              huber    rho = z up to z = 1, then 2 sqrt(z) - 1
 *              soft_l1  rho = 2 (sqrt(1 + z) - 1)
 *              cauchy   rho = ln(1 + z)
 *            h = w^2 rho' e.  The second derivative w^2 (rho' + 2 z rho'') may be 0 or negative; a is that,
 *            but at least LEAST_CURVATURE of w^2 rho', so that the matrix stays positive definite.
 *
 * References: McCullagh and Nelder, Generalized Linear Models, 2nd ed., 1989, sections 2.3 and 2.5; Huber,
 * Robust Statistics, 1981, sections 7.5 to 7.7.
 */
#ifndef TW_NOISE_H
#define TW_NOISE_H

#include "fit/contract.h"
#include "tape/normal.h"

/* The share of rho' that a is at least.  Any value above 0 is safe; a smaller one makes steps longer where
 * outliers lie, a larger one makes them converge more slowly. */
#define LEAST_CURVATURE ((real)0.0625)

/* What is summed over the points of a fit beside A and g: the losses, and for robust ones what the covariance
 * needs: psi^2 = z rho'^2 s^2, the second derivative psi' = rho' + 2 z rho'', its square, and a / w^2. */
enum { SUM_LOSS, SUM_PSI2, SUM_SLOPE, SUM_SLOPE2, SUM_MATRIX, NOISE_SUMS };
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
    vec square, residual; /* a and h / a */
    vec bend;             /* (a - a') / h with the true second derivative a', 0 where both are the same */
    vec sum[NOISE_SUMS];
} noisy;

/* The deviance of counts y > 0 from means f > 0, where ratio = y / f is a normal number.
 *
 * With F = f 2^k so near to y that s = (y - F) / (y + F) is at most 0.172, ln(y / F) = 2 atanh(s), and
 *
 *     D / 2 = f - F + y k ln 2  +  (y - F) s (1 + (1 + s) (atanh(s) - s) / s^2).
 *
 * Where k = 0 the first part is 0 and nothing cancels: the relative error is a few eps however small D is. */
TW_INLINE vec deviance_of(vec y, vec f, vec ratio) {
    vec k;
    split_exponent(ratio, &k);
    const vec F = f * v_pow2(k), difference = y - F, s = difference / (y + F);
    const vec far = (f - F) + y * (k * (real)0.693147180559945309417232121458176568);
    return 2 * far + difference * s * (2 + (s + s * s) * POLY(s * s, LOG_C));
}

/* The loss where f is no mean, or y / f overflows: infinite, but 0 where both are 0; NaN where f is NaN or
 * infinite. */
TW_SLOW vec without_mean(vec y, vec f) {
    const vec infinite = v_set((real)INFINITY), refused = v_sel(f <= REAL_MAX, infinite, 0 * infinite);
    return v_sel((f >= 0) & (f < REAL_MIN) & (y <= 0), v_set(0), refused);
}

TW_INLINE void add_counts(noisy *n) {
    const vec y = n->y, f = n->f, inverse = 1 / f, ratio = y * inverse;
    const ivec used = n->weight > 0, means = used & (f >= REAL_MIN) & (f <= REAL_MAX) & (ratio <= REAL_MAX);
    const vec deviance = v_sel(ratio >= REAL_MIN, deviance_of(y, f, ratio), 2 * f);
    n->square = v_and(means, inverse);
    n->residual = y - f;
    n->bend = -n->square;
    n->sum[SUM_LOSS] += v_and(means, deviance);
    const ivec refused = used & ~means;
    if (TW_UNLIKELY(v_any(refused)))
        n->sum[SUM_LOSS] += v_and(refused, without_mean(y, f));
}

/* Set rho, rho', a / w^2, h / (a e) and rho' + 2 z rho'' of a robust loss at z. */
TW_INLINE void robust_at(int noise, vec z, vec *rho, vec *first, vec *a, vec *ratio, vec *second) {
    const vec one = v_set(1), least = v_set(LEAST_CURVATURE);
    if (noise == TW_HUBER) {
        const ivec near = z <= 1;
        const vec root = v_sqrt(v_sel(near, one, z)), inverse = 1 / root;
        *rho = v_sel(near, z, 2 * root - 1), *first = inverse, *second = v_and(near, one);
        *a = v_sel(near, one, least * inverse), *ratio = v_sel(near, one, 1 / least);
    } else if (noise == TW_SOFT_L1) {
        const vec root = v_sqrt(1 + z), inverse = 1 / (root * (1 + root)), slope = (1 + root) * inverse;
        const vec share = v_max(slope * slope, least);
        *rho = 2 * z * root * inverse, *first = slope, *second = slope * slope * slope;
        *a = slope * share, *ratio = v_min(1 + z, 1 / least);
    } else {
        const vec q = 1 + z, share = v_max(1 - z, least * q), inverse = 1 / (q * share);
        const vec slope = share * inverse;
        *rho = v_log1p(z), *first = slope, *second = (1 - z) * slope * slope;
        *a = share * slope * slope, *ratio = q * q * inverse;
    }
}

/* Compiled for each loss, and with and without `bend`. */
TW_INLINE void add_robust(noisy *n, int noise, vec scale, vec inverse, int bends) {
    const ivec used = n->weight > 0;
    const vec e = v_and(used, n->y - n->f), r = e * n->weight * inverse, z = r * r;
    vec rho, first, a, ratio, second;
    robust_at(noise, z, &rho, &first, &a, &ratio, &second);
    const vec s2 = scale * scale;
    n->square = n->weight * n->weight * a;
    n->residual = e * ratio;
    if (bends)
        n->bend = v_sel(e == 0, v_set(0), (a - second) / (first * e));
    n->sum[SUM_LOSS] += s2 * rho; /* 0 where e is */
    n->sum[SUM_PSI2] += s2 * z * first * first;
    n->sum[SUM_SLOPE] += v_and(used, second);
    n->sum[SUM_SLOPE2] += v_and(used, second * second);
    n->sum[SUM_MATRIX] += v_and(used, a);
}

/* A block of n groups of points.
 *
 *   y, weight       [n][LANES]  in   weight is 1/sigma, 0 where a point is left out; NULL = 1
 *   f               operand     in   the model
 *   scale           [LANES]     in   s, for robust losses
 *   square, residual  [n][LANES]  out  a and h / a; square may be `weight`
 *   bend            [n][LANES]  out  NULL = not wanted
 *   sum             [NOISE_SUMS][LANES]  in/out
 */
typedef struct {
    const real *y, *weight, *scale;
    operand f;
    real *square, *residual, *bend, *sum;
} noise_block;

/* Compiled for each kind of noise, so that its choice is made once per block, and with and without bend. */
TW_INLINE void noise_of_block(const noise_block *b, int noise, int bends, ptrdiff_t n, int width) {
    for (int o = 0; o < width; o += VL) {
        noisy at = {.sum = {{0}}};
        const vec scale = v_load(b->scale + o), inverse = 1 / scale;
        for (ptrdiff_t p = 0; p < n; p++) {
            const ptrdiff_t i = p * LANES + o;
            at.y = v_load(b->y + i), at.f = v_load(b->f.base + p * b->f.step + o);
            at.weight = b->weight ? v_load(b->weight + i) : v_set(1);
            if (noise == TW_POISSON)
                add_counts(&at);
            else
                add_robust(&at, noise, scale, inverse, bends);
            v_store(b->square + i, at.square);
            v_store(b->residual + i, at.residual);
            if (bends)
                v_store(b->bend + i, at.bend);
        }
        for (int k = 0; k < (noise == TW_POISSON ? 1 : NOISE_SUMS); k++) {
            real *sum = b->sum + k * LANES + o;
            v_store(sum, v_load(sum) + at.sum[k]);
        }
    }
}

/* Put what the loss of a job makes of a block into square, residual and bend, and add its sums to `sum`. */
static void add_noise(const noise_block *b, int noise, ptrdiff_t n, int width) {
#define TW_NOISE(kind)                                                                                       \
    case kind:                                                                                               \
        if (b->bend)                                                                                         \
            noise_of_block(b, kind, 1, n, width);                                                            \
        else                                                                                                 \
            noise_of_block(b, kind, 0, n, width);                                                            \
        break;
    switch (noise) {
        TW_NOISE(TW_POISSON)
        TW_NOISE(TW_HUBER)
        TW_NOISE(TW_SOFT_L1)
        TW_NOISE(TW_CAUCHY)
    }
#undef TW_NOISE
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

/* As add_block (tape/normal.h), with the squares of the weights in their place. */
static void add_block_of_squares(const operand *column, int n_columns, ptrdiff_t n, const real *square,
                                 int width, real *sum) {
    add_columns(column, n_columns, n, square, 1, width, sum);
}

#endif
