/* voigt.h - the Voigt profile and its derivatives, down to widths of 0.
 *
 * With X = x + i gamma, z = X / (sqrt(2) sigma) and the Faddeeva function w, let
 *
 *     W_k(x, sigma, gamma) = d^k/dX^k  w(z) / (sqrt(2 pi) sigma).
 *
 * Re W_0 is the convolution of a normal density (sigma) with a Cauchy density (half width gamma).
 * W_0 depends on X analytically and obeys the equation of heat conduction, so that
 *
 *     d/dx W_k = W_(k+1),   d/dgamma W_k = i W_(k+1),   d/dsigma W_k = sigma W_(k+2).
 *
 * Far away, |z|^2 >= VOIGT_FAR, w(z) = i / (sqrt(pi) z) (1 + 1 / (2 z^2) + 3 / (4 z^4) + ...) has
 *
 *     W_k = (-1)^k k! i / (pi X^(k+1)) (1 + q r_0 (1 + q r_1 (1 + ...))),   q = 2 sigma^2 / X^2,
 *     r_m = (2 m + k + 1) (2 m + k + 2) / (4 (m + 1)),
 *
 * in which nothing is divided by sigma: sigma = 0 is a Lorentzian and its derivatives.  Nearby
 * W_1, W_2 ... follow from W_0 (thalweg.model.voigt), which far away would cancel |z|^2k : 1.
 *
 * The terms fall until m is about |z|^2; VOIGT_TERMS of them leave 2e-16 (float32: 1e-8) for
 * k = 0 at the border and 4e-12 (2e-6) for k = 4.
 */
#ifndef TW_VECMATH_VOIGT_H
#define TW_VECMATH_VOIGT_H

#include "vecmath/special.h"

#define VOIGT_FAR 100
#ifdef TW_F32
#define VOIGT_TERMS 6
#else
#define VOIGT_TERMS 13
#endif
#define VOIGT_INV_PI ((real)0.318309886183790671538)

TW_INLINE complex_vec complex_product(complex_vec a, complex_vec b) {
    return (complex_vec){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* The arguments in units of the largest of them, so that no square leaves the range. */
typedef struct {
    vec x, sigma, gamma, unit;
    ivec far; /* |z|^2 >= VOIGT_FAR, as for sigma = 0; false where an argument is NaN or a width negative */
} voigt_arguments;

TW_INLINE voigt_arguments voigt_scaled(vec x, vec sigma, vec gamma) {
    const vec size = v_max(v_abs(x), v_max(sigma, gamma));
    const ivec usable = (size >= REAL_MIN) & (size <= REAL_MAX);
    voigt_arguments v = {.unit = v_sel(usable, size, v_set(1))};
    v.x = x / v.unit, v.sigma = sigma / v.unit, v.gamma = gamma / v.unit;
    const vec size2 = v.x * v.x + v.gamma * v.gamma;
    v.far = (size2 >= 2 * VOIGT_FAR * v.sigma * v.sigma) & (size <= REAL_MAX) & (sigma >= 0) & (gamma >= 0);
    return v;
}

/* W_k far away, in the unit of the arguments; k is a constant */
TW_INLINE complex_vec voigt_series(voigt_arguments v, int k) {
    const vec inverse = 1 / (v.x * v.x + v.gamma * v.gamma);
    const complex_vec u = {v.x * inverse, -v.gamma * inverse}; /* 1 / X */
    const complex_vec u2 = complex_product(u, u);
    const vec spread = 2 * v.sigma * v.sigma;
    const complex_vec q = {spread * u2.re, spread * u2.im};
    complex_vec sum = {v_set(1), v_set(0)};
    TW_UNROLL
    for (int m = VOIGT_TERMS - 1; m >= 0; m--) {
        const real r = (real)((2 * m + k + 1) * (2 * m + k + 2)) / (real)(4 * (m + 1));
        sum = complex_product(q, sum);
        sum.re = 1 + r * sum.re, sum.im = r * sum.im;
    }
    real factor = VOIGT_INV_PI;
    TW_UNROLL
    for (int j = 0; j <= k; j++) {
        sum = complex_product(u, sum);
        factor *= j ? -(real)j : 1;
    }
    const vec scale = factor / v.unit;
    complex_vec w = {-sum.im * scale, sum.re * scale};
    for (int j = 0; j < k; j++) /* W_k is homogeneous of degree -(k + 1) */
        w.re /= v.unit, w.im /= v.unit;
    return w;
}

/* Re W_0 for gamma = 0.  From w it would not be accurate in the tails of a Gaussian, which are far smaller
 * than |w|. */
TW_SLOW vec gaussian_density(vec x, vec scale, vec factor) {
    return exp_square(v_min(v_set(ERFC_TOP), v_abs(x * scale)), -1) * factor;
}

/* W_0; NaN for a negative width, infinite at x = 0 if both widths are 0 */
__attribute__((noinline, unused)) static complex_vec voigt_value(vec x, vec sigma, vec gamma) {
    const voigt_arguments v = voigt_scaled(x, sigma, gamma);
    const vec scale = (real)0.707106781186547524401 / v.sigma, factor = scale * INV_SQRT_PI / v.unit;
    complex_vec w = {v_set(0), v_set(0)};
    if (v_any(v.far))
        w = voigt_series(v, 0);
    if (v_any(~v.far)) {
        const complex_vec near = wofz(v.x * scale, v.gamma * scale);
        w.re = v_sel(v.far, w.re, near.re * factor);
        w.im = v_sel(v.far, w.im, near.im * factor);
    }
    const ivec sharp = (gamma == 0) & (sigma > 0) & (x == x);
    if (TW_UNLIKELY(v_any(sharp)))
        w.re = v_sel(sharp, gaussian_density(v.x, scale, factor), w.re);
    const ivec point = (x == 0) & (sigma == 0) & (gamma == 0);
    const ivec infinite = ((v_abs(x) > REAL_MAX) & (sigma >= 0) & (gamma >= 0)) |
                          ((sigma > REAL_MAX) & (gamma >= 0) & (x == x)) |
                          ((gamma > REAL_MAX) & (sigma >= 0) & (x == x));
    w.re = v_sel(point, v_set((real)INFINITY), v_sel(infinite, v_set(0), w.re));
    w.im = v_sel(point | infinite, v_set(0), w.im);
    return w;
}

/* W_k far away, 0 elsewhere */
#define VOIGT_FAR_DERIVATIVE(k)                                                                              \
    __attribute__((noinline, unused)) static complex_vec voigt_far_##k(vec x, vec sigma, vec gamma) {        \
        const voigt_arguments v = voigt_scaled(x, sigma, gamma);                                             \
        complex_vec w = {v_set(0), v_set(0)};                                                                \
        if (v_any(v.far)) {                                                                                  \
            w = voigt_series(v, k);                                                                          \
            w.re = v_and(v.far, w.re);                                                                       \
            w.im = v_and(v.far, w.im);                                                                       \
        }                                                                                                    \
        return w;                                                                                            \
    }
VOIGT_FAR_DERIVATIVE(1)
VOIGT_FAR_DERIVATIVE(2)
VOIGT_FAR_DERIVATIVE(3)
VOIGT_FAR_DERIVATIVE(4)

#endif
