/* icd.h - the update of one pixel of an image.
 *
 * The potential of a difference D of two neighbours is that of the q-generalised Gaussian Markov random field
 * (Thibault, Sauer, Bouman and Hsieh 2007, "A three-dimensional statistical approach to improved image
 * quality for multislice helical CT", Med. Phys. 34, 4526, whose exponent of small differences is 2 here):
 *
 *     rho(D) = height u^2 t,    u = |D| / width,    t = 1 / (1 + u^a),    a = power = 2 - p,
 *
 * a parabola where u is small and |D|^p where it is large; p = 2 is the Gaussian.  As a function of D^2 it is
 * concave, so that the parabola through it at the present difference D,
 *
 *     rho(D) + k(D) (z^2 - D^2) / 2,    k(D) = rho'(D) / D = height / width^2 t (p + a t),
 *
 * lies nowhere below rho(z) (Yu, Thibault, Bouman, Sauer and Hsieh 2011, IEEE Trans. Image Process. 20, 161,
 * who call it the substitute function).  Along pixel j the misfit is a parabola itself, of slope -g_j,
 * g_j = sum_i w_i A_ij e_i, and curvature c_j = sum_i w_i A_ij^2.  With that of its neighbours r,
 *
 *     way = (g_j - sum_r b_r k_r (x_j - x_r)) / (c_j + sum_r b_r k_r)
 *
 * leads to the minimum of a parabola which touches F here and lies above it.  At a bound the minimum is the
 * bound.  So F does not rise if the pixel goes omega times the way, 0 <= omega < 2, but not beyond the bound;
 * and where no pixel has a way to go, x is the minimum, for F is convex.
 */
#ifndef TW_ICD_H
#define TW_ICD_H

#include <math.h>

#include "base/numbers.h"
#include "linear/contract.h"
#include "linear/power.h"

/* The grid of a prior, and what follows from its sizes. */
typedef struct {
    const struct tw_image_prior *p;
    ptrdiff_t step[TW_NEIGHBOURS]; /* From a pixel to each neighbour. */
    ptrdiff_t span[3];             /* A pixel lacks neighbours if it is nearer to a border than this. */
} grid;

/* Pairs that are collected before their potential is computed: eight native vectors or more, so that the
 * divisions of one vector need not wait for those of another. */
enum { PAIRS = 64 };

/* Pairs of neighbours; pairs of weight 0 fill up the last vector. */
typedef struct {
    double difference[PAIRS + TW_NEIGHBOURS + DL]; /* x_j - x_r */
    double weight[PAIRS + TW_NEIGHBOURS + DL];
    int count;
} pairs;

static grid grid_of(const struct tw_image_prior *p) {
    grid g = {.p = p};
    for (int k = 0; k < p->neighbours; k++) {
        const ptrdiff_t *d = p->offset + 3 * k;
        g.step[k] = (d[0] * p->size[1] + d[1]) * p->size[2] + d[2];
        for (int axis = 0; axis < 3; axis++)
            g.span[axis] = most(g.span[axis], d[axis] < 0 ? -d[axis] : d[axis]);
    }
    return g;
}

/* The slice, row and column of pixel j. */
TW_INLINE void place_of(const struct tw_image_prior *p, ptrdiff_t j, ptrdiff_t place[3]) {
    const ptrdiff_t line = j / p->size[2];
    place[2] = j - line * p->size[2];
    place[0] = line / p->size[1];
    place[1] = line - place[0] * p->size[1];
}

/* Whether the neighbour at `offset` from this place is on the grid. */
TW_INLINE int is_on(const struct tw_image_prior *p, const ptrdiff_t place[3], const ptrdiff_t offset[3]) {
    for (int axis = 0; axis < 3; axis++) {
        const ptrdiff_t at = place[axis] + offset[axis];
        if (at < 0 || at >= p->size[axis])
            return 0;
    }
    return 1;
}

/* Add the pairs of pixel j and its neighbours, those numbered from `first` on. */
TW_INLINE void look_around(const grid *g, const double *x, ptrdiff_t j, int first, pairs *found) {
    const struct tw_image_prior *p = g->p;
    ptrdiff_t place[3];
    int is_inside = 1;
    place_of(p, j, place);
    for (int axis = 0; axis < 3; axis++)
        is_inside &= place[axis] >= g->span[axis] && place[axis] < p->size[axis] - g->span[axis];
    for (int k = first; k < p->neighbours; k++)
        if (is_inside || is_on(p, place, p->offset + 3 * k)) {
            found->difference[found->count] = x[j] - x[j + g->step[k]];
            found->weight[found->count++] = p->weight[k];
        }
}

/* Fill up the last vector with pairs of weight 0. */
TW_INLINE void fill_last(pairs *found) {
    for (int k = found->count; k % DL; k++)
        found->difference[k] = found->weight[k] = 0;
}

/* u = |D| / width, and t = 1 / (1 + u^power). */
TW_INLINE dvec sizes_of(const struct tw_image_prior *p, dvec difference) {
    return (dvec)((divec)difference & INT64_MAX) / d_set(p->width);
}
TW_INLINE dvec flattening(const struct tw_image_prior *p, dvec u) {
    return p->power > 0 ? 1 / (1 + d_power(u, p->power)) : d_set(0.5);
}

/* The sum of b rho(D) over the pairs, which are taken out of the list. */
static double take_potential(const struct tw_image_prior *p, pairs *found) {
    dvec sum = {0};
    fill_last(found);
    for (int k = 0; k < found->count; k += DL) {
        const dvec u = sizes_of(p, d_load(found->difference + k));
        sum += d_load(found->weight + k) * (u * (u * flattening(p, u)));
    }
    found->count = 0;
    return p->height * d_fold(sum);
}

/* Add the slope and curvature along pixel j of the parabola that touches the prior at x. */
TW_INLINE void touch_prior(const grid *g, const double *x, ptrdiff_t j, double *slope, double *curvature) {
    const struct tw_image_prior *p = g->p;
    const double scale = p->height / p->width / p->width;
    dvec slopes = {0}, bends = {0};
    pairs around;
    around.count = 0;
    look_around(g, x, j, 0, &around);
    fill_last(&around);
    for (int k = 0; k < around.count; k += DL) {
        const dvec difference = d_load(around.difference + k), t = flattening(p, sizes_of(p, difference));
        const dvec bend = d_load(around.weight + k) * (t * (2 - p->power + p->power * t));
        slopes += bend * difference;
        bends += bend;
    }
    *slope += scale * d_fold(slopes);
    *curvature += scale * d_fold(bends);
    if (p->target) {
        *slope += p->pull * (x[j] - p->target[j]);
        *curvature += p->pull;
    }
}

#endif
