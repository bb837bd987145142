/* coordinate.h - the exact update of one coordinate.
 *
 * Along coordinate j the objective of sweep/contract.h is, up to a constant,
 *
 *     F(theta_j + d) = 1/2 c d^2 - g d + l1 |theta_j + d| + 1/2 l2 (theta_j + d)^2
 *
 * with c = sum_i w_i A_ij^2 and g = sum_i w_i A_ij r_i.  Its minimum is the soft threshold (Friedman, Hastie
 * and Tibshirani 2010, "Regularization paths for generalized linear models via coordinate descent", eq. 5)
 *
 *     z = g + c theta_j,    minimum = clip(sign(z) max(|z| - l1, 0) / (c + l2)),
 *
 * which may be clipped because F is convex.  With relaxation, the update goes omega times the way there.
 * Beyond the minimum F rises like a parabola, so that for omega < 2 it stays below where it was before the
 * update.  That does not hold across theta_j = 0, where l1 |theta_j| has its kink; so an over-relaxed update
 * ends there.  Hence F never rises.
 */
#ifndef TW_COORDINATE_H
#define TW_COORDINATE_H

#include <math.h>

#include "sweep/contract.h"

/* An update of theta_j. */
typedef struct {
    double value, change; /* theta_j after the update, and by how much it moved */
    double fall;          /* F before less F after */
} update;

static inline double clipped(double value, double lower, double upper) {
    const double least = value < lower ? lower : value;
    return least > upper ? upper : least;
}

static inline double coordinate_minimum(const struct tw_coordinates *each, ptrdiff_t j, double c, double g,
                                        double theta) {
    const double curvature = c + each->l2[j], z = g + c * theta, size = fabs(z) - each->l1[j];
    if (!(curvature > 0)) /* F is l1 |theta_j| and a constant */
        return each->l1[j] > 0 ? clipped(0, each->lower[j], each->upper[j]) : theta;
    return clipped(size > 0 ? copysign(size, z) / curvature : 0, each->lower[j], each->upper[j]);
}

static inline update update_of(const struct tw_coordinates *each, ptrdiff_t j, double c, double g,
                               double theta) {
    const double minimum = coordinate_minimum(each, j, c, g, theta), omega = each->relaxation;
    double value = minimum;
    if (omega != 1) {
        value = clipped(theta + omega * (minimum - theta), each->lower[j], each->upper[j]);
        if (omega > 1 && each->l1[j] > 0 && value * minimum <= 0)
            value = clipped(0, each->lower[j], each->upper[j]);
    }
    const double d = value - theta;
    const double fall = d * (g - 0.5 * c * d) - each->l1[j] * (fabs(value) - fabs(theta)) -
                        0.5 * each->l2[j] * d * (value + theta);
    return (update){value, d, fall > 0 ? fall : 0}; /* a fall below 0 is rounding */
}

#endif
