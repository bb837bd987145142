/* certificate.h - a proof that a minimum is not the global one, from sums that are there anyway.
 *
 * Where f is linear in the parameters S together, as in the amplitude and the offset of a peak, the sums at
 * a trial tell how low chi2 would be with these at their best:
 *
 *     chi2 - g' A^-1 g,     g = J_S'e,  A = J_S'J_S.
 *
 * The least of these over all trials, kept or not, is a chi2 that the model reaches.  A fit that stops above
 * it has been proved to be at another minimum, or at none, and is tried again (attempts.h).
 */
#ifndef TW_CERTIFICATE_H
#define TW_CERTIFICATE_H

#include "fit/state.h"

#define NO_PIVOT PICK(1e-12, 1e-5) /* a column whose pivot is below NO_PIVOT of its diagonal is left out */
#define CANCELLED PICK(1e-8, 1e-3) /* a proved chi2 below CANCELLED chi2 has no digits that count */
#define BEATEN PICK(1e-6, 1e-3)    /* a fit is beaten by a proved chi2 that is lower by this share */

/* The place of the i-th of n linear parameters among the free ones; i = n gives the place of the residual. */
TW_INLINE int linear_place(const fits *s, int n, int i) { return i < n ? s->linear[i] : s->F; }

/* The lanes in which the parameter has no finite bound, so that it can be put at its best. */
TW_INLINE ivec has_no_bound(const fits *s, int parameter, int o) {
    return (LOAD(s->lower, parameter) < -REAL_MAX) & (LOAD(s->upper, parameter) > REAL_MAX);
}

/* chi2 of the trial with its linear parameters at their best: elimination in [J_S | e]'[J_S | e] leaves it in
 * the last place.
 *
 * Compiled for each value of
 *   n        number of linear parameters, so that each constant n gets loops of its own
 *   bounded  whether parameters may have bounds
 * M is workspace, a triangle of n + 1.
 */
TW_INLINE vec reduced_chi2_by(const fits *s, int n, real *M, int bounded, int o) {
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= i; j++)
            STORE(M, tri(i, j), LOAD(s->trial_sum, tri(linear_place(s, n, i), linear_place(s, n, j))));
    for (int j = 0; j < n; j++) {
        const int place = linear_place(s, n, j);
        const vec diagonal = LOAD(s->trial_sum, tri(place, place)), d = LOAD(M, tri(j, j));
        ivec used = d > NO_PIVOT * diagonal;
        if (bounded)
            used &= has_no_bound(s, s->free_theta[place], o);
        const vec pivot = v_and(used, 1 / d);
        for (int i = j + 1; i <= n; i++) {
            const vec factor = LOAD(M, tri(i, j)) * pivot;
            for (int k = j + 1; k <= i; k++)
                STORE(M, tri(i, k), LOAD(M, tri(i, k)) - factor * LOAD(M, tri(k, j)));
        }
    }
    return LOAD(M, tri(n, n));
}

/* The same for any number of linear parameters; 1 and 2, the usual ones, are constants to the compiler. */
TW_INLINE vec reduced_chi2(const fits *s, int bounded, int o) {
    real few[6 * LANES] __attribute__((aligned(64)));
    switch (s->n_linear) {
    case 0:
        return LOAD(s->trial_sum, tri(s->F, s->F));
    case 1:
        return reduced_chi2_by(s, 1, few, bounded, o);
    case 2:
        return reduced_chi2_by(s, 2, few, bounded, o);
    default:
        return reduced_chi2_by(s, s->n_linear, s->linear_matrix, bounded, o);
    }
}

/* Lower `proved` in the lanes of the mask to the chi2 that the trial proves to be reached. */
static void certify(fits *s, ivec where, int bounded, int o) {
    if (s->n_linear == 0)
        return;
    const vec reduced = reduced_chi2(s, bounded, o), chi2 = LOAD(s->trial_sum, tri(s->F, s->F)),
              bound = LOAD(s->proved, 0);
    const ivec lower = where & (reduced > CANCELLED * chi2) & (reduced < bound);
    STORE(s->proved, 0, v_sel(lower, reduced, bound));
}

#endif
