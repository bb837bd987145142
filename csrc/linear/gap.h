/* gap.h - the duality gap, term by term.
 *
 * Fenchel's dual of F (linear/contract.h) is D(u) = u'Wb - 1/2 u'Wu - sum_j h_j*(A_j'Wu), where
 * h_j*(z) = max_t z t - h_j(t).  At u = s r, with q = A'Wr and r'Wb = r'Wr + q'theta, it follows that
 *
 *     F(theta) - D(s r) = 1/2 (1 - s)^2 r'Wr + sum_j [h_j(theta_j) + h_j*(s q_j) - s q_j theta_j].
 *
 * No term is negative (Fenchel and Young), so nothing cancels: a gap of 1e-16 of F is as good as one of 1e-1.
 * The maximum m_j in h_j* is the soft threshold of s q_j, clipped, and the term is
 *
 *     (z - 1/2 l2 (m + t)) (m - t) - l1 (|m| - |t|),    z = s q_j, t = theta_j.
 *
 * Without l2 and without a bound in the direction of z, h_j*(z) is infinite beyond |z| = l1_j; s is the
 * largest number up to 1 for which no |s q_j| is beyond.  With l1_j = l2_j = 0 this would be s = 0.  The term
 * then rests on an assumption instead: a minimum has a |theta_j| of at most reach_j + 2 |theta_j now|.  The
 * coordinates of which this is assumed are counted (`conditional`): those at a bound where q_j points to the
 * open side, and all others without penalty and with an open side (`unheld`), whichever sign rounding has
 * given their q_j.
 *
 * Where q_j may be wrong by `error` times the length of column j, as one that a Gram matrix has updated, the
 * scale is feasible for all q_j within that, and each term is the largest: the gap includes the rounding.
 *
 * Massias, Gramfort and Salmon (2018), "Celer: a fast solver for the lasso with dual extrapolation".
 */
#ifndef TW_LINEAR_GAP_H
#define TW_LINEAR_GAP_H

#include <float.h>
#include <math.h>

#include "linear/contract.h"
#include "sweep/coordinate.h"

/* Whether h_j grows at most linearly in the direction of q: no bound is there, and l2 is 0. */
static inline int is_free(const struct tw_coordinates *each, ptrdiff_t j, double q) {
    return !(each->l2[j] > 0) && (q > 0 ? each->upper[j] : -each->lower[j]) >= INFINITY;
}

/* Whether theta_j = 0 is the minimum along coordinate j, so that its term is 0 for every s <= 1. */
static inline int rests_at_zero(const struct tw_coordinates *each, ptrdiff_t j, double theta, double q) {
    return theta == 0 && fabs(q) <= each->l1[j] && each->lower[j] <= 0 && each->upper[j] >= 0;
}

/* The scale s that coordinate j allows, given the s of the coordinates before it. */
static inline double dual_scale(const struct tw_coordinates *each, ptrdiff_t j, double q, double s) {
    if (!(each->l1[j] > 0) || fabs(q) * s <= each->l1[j] || !is_free(each, j, q))
        return s;
    return each->l1[j] / fabs(q);
}

/* Whether the data alone determine theta_j: it has no penalty, no bound on one side, and is not at the other.
 */
static inline int is_unheld(const struct tw_coordinates *each, ptrdiff_t j, double theta) {
    if (each->l1[j] > 0 || each->l2[j] > 0)
        return 0;
    const int open = each->lower[j] <= -INFINITY || each->upper[j] >= INFINITY;
    return open && theta != each->lower[j] && theta != each->upper[j];
}

/* Whether the term of coordinate j, whose q_j may be wrong by `off`, takes `reach` for a bound of theta_j. */
static inline int is_assumed(const struct tw_coordinates *each, ptrdiff_t j, double q, double off) {
    if (each->l1[j] > 0 || each->l2[j] > 0)
        return 0;
    return (q + off > 0 && each->upper[j] >= INFINITY) || (q - off < 0 && each->lower[j] <= -INFINITY);
}

/* The term of coordinate j, t = theta_j and z = s q_j. */
static inline double gap_term(const struct tw_coordinates *each, ptrdiff_t j, double t, double z,
                              double reach) {
    const double l1 = each->l1[j], l2 = each->l2[j], size = fabs(z) - l1;
    double m = 0;
    if (size > 0 && is_free(each, j, z)) {
        if (!(l1 > 0)) /* with l1 > 0, s has made |z| equal to l1 but for rounding, and m is 0 */
            m = copysign(reach + 2 * fabs(t), z);
    } else if (size > 0)
        m = l2 > 0 ? copysign(size, z) / l2 : copysign(INFINITY, z);
    m = clipped(m, each->lower[j], each->upper[j]);
    if (!(fabs(m) <= DBL_MAX)) /* size / l2 has overflowed */
        return INFINITY;
    const double term = (z - 0.5 * l2 * (m + t)) * (m - t) - l1 * (fabs(m) - fabs(t));
    return term > 0 ? term : 0; /* only rounding makes it negative */
}

/* How far theta_j is from its minimum with all others at rest, times the norm of its column: 0 for all j
 * means that the conditions of Karush, Kuhn and Tucker hold. */
static inline double kkt_of(const struct tw_coordinates *each, ptrdiff_t j, double theta, double q,
                            double square) {
    return fabs(coordinate_minimum(each, j, square, q, theta) - theta) * sqrt(square);
}

/* The largest term where z may be wrong by `off`: it is convex in z, and so largest at an end. */
static inline double largest_gap_term(const struct tw_coordinates *each, ptrdiff_t j, double t, double z,
                                      double off, double reach) {
    const double term = gap_term(each, j, t, z - off, reach);
    if (!(off > 0))
        return term;
    const double other = gap_term(each, j, t, z + off, reach);
    return term > other ? term : other;
}

/* How far q_j may be off; 0 for a column of 0. */
static inline double slope_error(double error, double square) {
    return error > 0 && square > 0 ? error * sqrt(square) : 0;
}

static struct tw_certificate certificate(const struct tw_chosen *which, const struct tw_coordinates *each,
                                         const double *reach, const double *square, const double *theta,
                                         const double *q, double rr, double error) {
    struct tw_certificate c = {.scale = 1};
    for (ptrdiff_t k = 0; k < which->m; k++) {
        const ptrdiff_t j = chosen_at(which, k);
        if (square[j] > 0) {
            const double off = slope_error(error, square[j]);
            c.scale = dual_scale(each, j, q[j] - off, c.scale);
            c.scale = dual_scale(each, j, q[j] + off, c.scale);
        }
    }
    c.gap = 0.5 * (1 - c.scale) * (1 - c.scale) * rr;
    for (ptrdiff_t k = 0; k < which->m; k++) {
        const ptrdiff_t j = chosen_at(which, k);
        if (theta[j] != 0)
            c.penalty += each->l1[j] * fabs(theta[j]) + 0.5 * each->l2[j] * theta[j] * theta[j];
        const double slope = square[j] > 0 ? q[j] : 0;
        const double off = slope_error(error, square[j]);
        const int unheld = square[j] > 0 && is_unheld(each, j, theta[j]);
        c.unheld += unheld;
        c.conditional += unheld || is_assumed(each, j, slope, off);
        if (rests_at_zero(each, j, theta[j], fabs(slope) + off))
            continue;
        c.gap += largest_gap_term(each, j, theta[j], c.scale * slope, c.scale * off, reach[j]);
        const double way = kkt_of(each, j, theta[j], slope, square[j]) + error;
        c.kkt = way > c.kkt ? way : c.kkt;
    }
    return c;
}

#endif
