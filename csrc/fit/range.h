/* range.h - whether the sums of a fit, at its start, leave the range of the arithmetic.
 *
 * The engine sums squares, and a square leaves the range at the root of what its number may be: (1e-160)^2
 * is no double any more, (1e-20)^2 no float.  A sum that has lost digits at the lower end, or is 0 there,
 * must not be taken for an exact fit or for a parameter without effect.  So the sums at the start have to lie
 * where the product of two of them has all its digits too, for such products give the noise of chi2 and the
 * bound on a small step.  A fit whose sums do not stops with TW_RANGE, and its caller runs it again in other
 * units (src/thalweg/fitting/rescale.py): powers of two, which change no bit of anything that stays in range.
 *
 * A job that is `scaled` already is refused only what no unit brings into the range.
 */
#ifndef TW_RANGE_H
#define TW_RANGE_H

#include "fit/state.h"

/* A sum of squares s must be so large that s times 16 eps^2 s, the chi2 at its rounding level, is a normal
 * number, and so small that its square is below REAL_MAX. */
#define LEAST_SUM ((real)(sizeof(real) == 8 ? 0x1p-460 : 0x1p-40))
#define MOST_SUM ((real)(sizeof(real) == 8 ? 0x1p510 : 0x1p60))
/* In a job that is scaled already eps^2 s alone must be a normal number; the square of s must be below
 * REAL_MAX here, too, but there is less room above it. */
#define LEAST_SCALED_SUM (REAL_MIN / REAL_EPS / REAL_EPS)
#define MOST_SCALED_SUM ((real)(sizeof(real) == 8 ? 0x1p511 : 0x1p63))

/* Does column j, whose square is too small, matter to the fit?  It does if the gradient shows that it is not
 * 0, while digits of the square are lost or theta_j is 0; and if theta_j J_j is more than eps of y (a square
 * that came out as 0 is taken for REAL_MIN).  A column of zeros does not matter, unless theta_j is so large
 * or small that powers of it overflow or vanish inside the model. */
static int small_column_matters(const fits *s, int j, int lane) {
    const ptrdiff_t last = tri(s->F, s->F) * LANES + lane;
    const real theta = s->theta[s->free_theta[j] * LANES + lane], magnitude = s->magnitude[lane];
    const real square = s->trial_sum[tri(j, j) * LANES + lane];
    const real slope = s->trial_sum[tri(s->F, j) * LANES + lane];
    const int some_error = s->trial_sum[last] > 16 * REAL_EPS * REAL_EPS * magnitude;
    const real fourth = theta * theta * theta * theta;
    if (square == 0 && slope == 0 && (some_error || magnitude == 0))
        return theta != 0 && !(fourth >= REAL_MIN && fourth <= REAL_MAX);
    if ((square < REAL_MIN / REAL_EPS || theta == 0) && slope != 0)
        return 1;
    const real most = square > REAL_MIN ? square : REAL_MIN;
    return theta * most * theta > REAL_EPS * REAL_EPS * magnitude;
}

/* The input (a tw_input) that takes the sums of a lane at its start out of the range, or -1 */
static int out_of_range(const fits *s, int scaled, int lane) {
    const real least = scaled ? LEAST_SCALED_SUM : LEAST_SUM, most = scaled ? MOST_SCALED_SUM : MOST_SUM;
    const real chi2 = s->trial_sum[tri(s->F, s->F) * LANES + lane], magnitude = s->magnitude[lane];
    int sloping = 0;
    if (!(magnitude <= most))
        return TW_INPUT_Y;
    if (magnitude > 0 && magnitude < least) /* a scaled y is so small only to make room for another input */
        return !scaled ? TW_INPUT_Y : chi2 < least ? TW_INPUT_DERIVATIVE : TW_INPUT_MODEL;
    for (int j = 0; j < s->F; j++)
        sloping |= s->trial_sum[tri(s->F, j) * LANES + lane] != 0;
    if (!(chi2 <= most) || (magnitude == 0 && chi2 < least && (chi2 > 0 || sloping)))
        return TW_INPUT_MODEL;
    for (int j = 0; j < s->F; j++) {
        const real theta = s->theta[s->free_theta[j] * LANES + lane];
        const real square = s->trial_sum[tri(j, j) * LANES + lane];
        if (!(square <= most) || !(theta * square * theta <= most))
            return TW_INPUT_DERIVATIVE;
        if (!scaled && !(theta * theta <= 2 * most)) /* 1 / theta^4, which derivatives hold, has no digits */
            return TW_INPUT_DERIVATIVE;
        if (square < least && small_column_matters(s, j, lane))
            return TW_INPUT_DERIVATIVE;
    }
    return -1;
}

/* Stop those of the `doubtful` lanes whose sums leave the range. */
static void look_closely(fits *s, int scaled, ivec doubtful, int o) {
    ivec leaves = {0};
    for (int l = 0; l < VL; l++)
        leaves[l] = doubtful[l] && s->n_iter[o + l] == 0 && out_of_range(s, scaled, o + l) >= 0 ? -1 : 0;
    stop(s, o, leaves, TW_RANGE);
}

/* Stop those of the `fresh` lanes, whose trial is the start and has finite sums, whose sums leave the range.
 * `trace` is the sum of the diagonal of trial_sum.  A fit is looked at closely only if a cheap test leaves a
 * doubt. */
TW_INLINE void stop_out_of_range(fits *s, int scaled, ivec fresh, vec trace, int o) {
    if (!v_any(fresh))
        return;
    vec least = LOAD(s->magnitude, 0), total = trace + least;
    for (int j = 0; j < s->F; j++) {
        const vec square = LOAD(s->trial_sum, tri(j, j)), theta = LOAD(s->theta, s->free_theta[j]);
        least = v_min(square, least);
        total += theta * theta * (square + (real)0.5);
    }
    const ivec doubtful = fresh & ~((least >= LEAST_SUM) & (total <= MOST_SUM));
    if (v_any(doubtful))
        look_closely(s, scaled, doubtful, o);
}

#endif
