"""Start values of decays, steps, waves, powers and polynomials: one estimator per model.

Every estimator takes the scaled coordinates and the scaled data of a chunk of fits
(`guess.Scaled`) and returns the parameters in the order of the model.

Decays, saturation, steps and exponents are found by search over a grid of shapes
(`guess.best_shape`).  The frequency of a wave is the largest peak of the zero-padded periodogram
(Lomb 1976; Press & Rybicki 1989 for the spreading of uneven points to a grid); linear least squares
for sine, cosine and constant follow.  Power law and Arrhenius are fitted by weighted regression on
logarithms, polynomials by least squares in Chebyshev polynomials, with the pseudo-inverse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import chebyshev

from .guess import (
    Array,
    Scaled,
    best_shape,
    log_grid,
    log_regress,
    project,
    ratio,
    regress,
    safe_exp,
    thinned,
)

X = Sequence[Scaled]
Columns = tuple[Array, ...]

_TIMES = 12  # the grid of pairs of exponentials has so many times of each sign
_DECAY_PAIRS = (_TIMES - 1) * (_TIMES - 2) // 2  # the pairs of two decays in `_pairs_apart`

GAS_CONSTANT = 8.31446261815324  # J / (mol K), exact since the SI of 2019


def polynomial(x: X, y: Scaled, degree: int) -> Columns:
    """Coefficients c0 ... c_degree of powers of x."""
    t = x[0]
    solve = np.linalg.pinv(chebyshev.chebvander(2 * t.unit - 1, degree)).swapaxes(1, 2)
    powers = np.matmul(y.unit[:, None, :], solve @ _chebyshev_to_powers(degree))[:, 0]
    scale, shift = 2 / t.span, -1 - 2 * t.low / t.span  # 2 unit - 1 = shift + scale x
    mantissa, exponent = np.frexp(y.span)  # its power of two goes first: scale^2 may overflow
    powers = np.ldexp(powers, exponent[:, None])
    out = [powers[:, degree]]
    for k in range(degree - 1, -1, -1):  # Horner, on polynomials in x
        lower = [shift * c for c in out] + [np.zeros(len(powers))]
        raised = [np.zeros(len(powers))] + [scale * c for c in out]
        out = [a + b for a, b in zip(lower, raised, strict=True)]
        out[0] = out[0] + powers[:, k]
    out = [mantissa * c for c in out]
    out[0] = out[0] + y.low
    return tuple(out)


def _chebyshev_to_powers(degree: int) -> Array:
    """Return row k = coefficients of the Chebyshev polynomial T_k in powers."""
    out = np.zeros((degree + 1, degree + 1))
    for k in range(degree + 1):
        out[k, : k + 1] = chebyshev.cheb2poly(np.eye(degree + 1)[k, : k + 1])
    return out


def line(x: X, y: Scaled) -> Columns:
    """Slope and intercept."""
    intercept, slope = polynomial(x, y, 1)
    return slope, intercept


def exponential(x: X, y: Scaled) -> Columns:
    """Amplitude, tau and offset of a decay, or with tau < 0 of a growth."""
    t, v = thinned(x[0].unit), thinned(y.unit)
    tau = _times_of_both_signs(t, 32)
    best, factor, offset = best_shape(_exponentials(t, tau), v)
    return _in_units(x[0], y, factor, tau[best]), x[0].span * tau[best], y.low + y.span * offset


def _decay(x: X, y: Scaled) -> Columns:
    """Amplitude, tau > 0 and offset of a decay."""
    t, v = thinned(x[0].unit), thinned(y.unit)
    tau = _decay_times(t, 32)
    best, factor, offset = best_shape(_exponentials(t, tau), v)
    return _in_units(x[0], y, factor, tau[best]), x[0].span * tau[best], y.low + y.span * offset


def inversion_recovery(x: X, y: Scaled) -> Columns:
    """A, B and T1 > 0 of A + B exp(-TI/T1)."""
    amplitude, tau, offset = _decay(x, y)
    return offset, amplitude, tau


def spin_echo(x: X, y: Scaled) -> Columns:
    """S0 and T2 > 0 of a decay to zero."""
    t, v = thinned(x[0].unit), thinned(y.over_span())
    tau = _decay_times(t, 32)
    best, factor, _ = best_shape(_exponentials(t, tau), v, centred=False)
    return _in_units(x[0], y, factor, tau[best]), x[0].span * tau[best]


def _decay_times(t: Array, size: int) -> Array:
    """Return times (r, size) from a third of the least positive t to five times its range."""
    first_step = np.where(t > 0, t, 1.0).min(-1)
    return log_grid(first_step / 3, 5.0, size)


def _times_of_both_signs(t: Array, size: int) -> Array:
    """Return ``size`` times of decays and as many of growths, which are decays from the far end."""
    return np.concatenate([_decay_times(t, size), -_decay_times(1 - t, size)], axis=1)


def _exponentials(t: Array, tau: Array) -> Array:
    """Return shapes (r, N, G) that are 1, their largest value, at one end of [0, 1].

    Decays (tau > 0) start at 0, growths at 1.
    """
    tau = tau[:, None, :]
    return np.exp(-np.where(tau > 0, t[:, :, None], t[:, :, None] - 1) / tau)


def _in_units(x: Scaled, y: Scaled, factor: Array, tau: Array) -> Array:
    """Return the amplitude at x = 0, in the unit of y, of a factor times an exponential shape."""
    start = np.where(tau > 0, 0.0, 1.0)
    amplitude: Array = y.span * factor * safe_exp((x.low / x.span + start) / tau)
    return amplitude


def biexponential(x: X, y: Scaled) -> Columns:
    """Amplitude and tau of the fast and of the slow exponential, and the offset.

    All pairs of a grid of times of both signs are compared.  With columns b of unit norm,
    c_i = b_i . y and rho = b_i . b_j, a pair lowers the sum of squares by
    (c_i^2 + c_j^2 - 2 rho c_i c_j) / (1 - rho^2).
    """
    t, v = thinned(x[0].unit), thinned(y.unit)
    tau = _times_of_both_signs(t, _TIMES)
    fast, slow = _pairs_apart(_TIMES)
    basis = _exponentials(t, tau)
    dot, norm2, mean = project(basis, v)
    columns = (basis - mean[:, None, :]) / np.sqrt(norm2)[:, None, :]
    rho = np.matmul(columns.swapaxes(1, 2), columns)[:, fast, slow]
    c = dot / np.sqrt(norm2)
    c_fast, c_slow = c[:, fast], c[:, slow]
    score = c_fast * (c_fast - 2 * rho * c_slow) + c_slow * c_slow
    pair = _best_pair(score / np.maximum(1 - rho * rho, 1e-9), v)
    row = np.arange(len(v)) if len(t) > 1 else np.zeros(len(v), dtype=int)
    times = tau[row, fast[pair]], tau[row, slow[pair]]
    shapes = [_exponentials(t, tau_i[:, None])[:, :, 0] for tau_i in times]
    *factors, offset = regress(v, *shapes)
    out: list[Array] = []
    for factor, tau_i in zip(factors, times, strict=True):
        out += [_in_units(x[0], y, factor, tau_i), x[0].span * tau_i]
    return (*out, y.low + y.span * offset)


def _best_pair(explained: Array, v: Array) -> Array:
    """Return the pair that explains most; pairs with growths must leave a fifth less than decays.

    In much noise a growth often fits as well as a second decay, and few users of the model want it.
    """
    best = np.argmax(explained, axis=-1)
    decays = np.argmax(explained[:, :_DECAY_PAIRS], axis=-1)
    row = np.arange(len(v))
    total = np.square(v - v.mean(-1)[:, None]).sum(-1)
    left, left_by_decays = (total - explained[row, pair] for pair in (best, decays))
    pair: Array = np.where(left < 0.8 * left_by_decays, best, decays)
    return pair


def _pairs_apart(size: int) -> tuple[Array, Array]:
    """Return pairs of times, those of two decays first; neighbours on the grid are left out.

    The exponentials of neighbours are too alike to tell them apart.
    """
    fast, slow = np.triu_indices(size, 2)
    decay, growth = np.divmod(np.arange(size * size), size)
    return (
        np.concatenate([fast, size + fast, decay]),
        np.concatenate([slow, size + slow, size + growth]),
    )


def stretched_exponential(x: X, y: Scaled) -> Columns:
    """Amplitude, tau, beta and offset of a decay that starts at x = 0."""
    t, v = thinned(np.maximum(x[0].over_span(), 0.0)), thinned(y.unit)
    low, high = _positive_range(t)
    tau = np.repeat(log_grid(low / 2, 3 * high, 16), 6, axis=1)
    beta = np.tile(np.array([0.3, 0.5, 0.75, 1.0, 1.5, 2.5]), (1, 16))
    basis = np.exp(-((t[:, :, None] / tau[:, None, :]) ** beta[:, None, :]))
    best, factor, offset = best_shape(basis, v)
    return (
        y.span * factor,
        x[0].span * tau[best],
        beta[0, best[1]],
        y.low + y.span * offset,
    )


def michaelis_menten(x: X, y: Scaled) -> Columns:
    """Saturation value and the x of half saturation."""
    t, v = thinned(np.maximum(x[0].over_span(), 0.0)), thinned(y.over_span())
    low, high = _positive_range(t)
    km = log_grid(low / 5, 10 * high, 32)
    basis = t[:, :, None] / (km[:, None, :] + t[:, :, None])
    best, factor, _ = best_shape(basis, v, centred=False)
    return y.span * factor, x[0].span * km[best]


def _positive_range(t: Array) -> tuple[Array, Array]:
    """Return the smallest and the largest positive value of each row, 1 and 1 if it has none."""
    high = t.max(-1)
    high = np.where(high > 0, high, 1.0)
    return np.where(t > 0, t, high[:, None]).min(-1), high


def power_law(x: X, y: Scaled) -> Columns:
    """Amplitude and exponent, from the points at positive x."""
    u = np.log(np.maximum(x[0].over_span(), 0.0))
    slope, intercept, sign = log_regress(u, y.over_span())
    return sign * y.span * safe_exp(intercept - slope * np.log(x[0].span)), slope


def arrhenius(x: X, y: Scaled) -> Columns:
    """Prefactor and activation energy, from the points at positive temperature."""
    t = x[0].over_span()
    slope, intercept, sign = log_regress(1 / np.where(t > 0, t, 0.0), y.over_span())
    return sign * y.span * safe_exp(intercept), -slope * GAS_CONSTANT * x[0].span


def logistic(x: X, y: Scaled) -> Columns:
    """Amplitude, midpoint, width and offset of a step."""
    factor, middle, width, offset = _step(x[0].unit, y.unit)
    return (
        y.span * factor,
        x[0].low + x[0].span * middle,
        x[0].span * width,
        y.low + y.span * offset,
    )


def hill(x: X, y: Scaled) -> Columns:
    """Bottom, top, half-way dose and slope: a logistic step in log(dose)."""
    dose = x[0].over_span()
    low, high = _positive_range(dose)
    decades = np.where(high > low, np.log(high / low), 1.0)
    t = np.log(dose / low[:, None]) / decades[:, None]
    t = np.where(dose > 0, t, -1e3)  # a dose of zero is at the far end of the step
    factor, middle, width, offset = _step(t, y.unit)
    bottom = y.low + y.span * offset
    ec50 = x[0].span * low * np.exp(decades * middle)
    return bottom, bottom + y.span * factor, ec50, 1 / (decades * width)


def _step(t: Array, v: Array) -> Columns:
    """Return factor, middle, width and offset of a step 1/(1 + exp(-(t - middle)/width))."""
    t, v = thinned(t), thinned(v)
    middle = np.repeat(np.linspace(-0.1, 1.1, 16), 6)
    width = np.tile(log_grid(0.01, 0.5, 6)[0], 16)
    z = (t[:, :, None] - middle) / width
    best, factor, offset = best_shape(0.5 + 0.5 * np.tanh(0.5 * z), v)
    return factor, middle[best[1]], width[best[1]], offset


def sine(x: X, y: Scaled) -> Columns:
    """Amplitude, frequency, phase and offset."""
    t = x[0].unit
    frequency = _frequency(t, y.unit)
    angle = 2 * np.pi * frequency[:, None] * t
    a, b, offset = regress(y.unit, np.sin(angle), np.cos(angle))
    amplitude, phase = _polar(a, b, frequency * x[0].low / x[0].span)
    return y.span * amplitude, frequency / x[0].span, phase, y.low + y.span * offset


def damped_sine(x: X, y: Scaled) -> Columns:
    """Amplitude, tau, frequency, phase and offset.

    tau, of either sign, is the one whose envelope explains most of the demodulated signal
    z = y exp(-i angle): |sum z exp(-t/tau)|^2 / sum exp(-2 t/tau), apart from the part of z that
    turns at twice the frequency.
    """
    t = x[0].unit
    frequency = _frequency(t, y.unit)
    angle = 2 * np.pi * frequency[:, None] * t
    wave, shifted = np.sin(angle), np.cos(angle)
    v = y.unit - y.unit.mean(-1)[:, None]
    tau = log_grid(0.05, 5.0, 10)
    tau = np.concatenate([tau, -tau], axis=1)
    basis = _exponentials(thinned(t), tau)
    first, norm2, _ = project(basis, thinned(v * wave), centred=False)
    second, _, _ = project(basis, thinned(v * shifted), centred=False)
    tau = tau[0, np.argmax((first * first + second * second) / norm2, axis=-1)]
    envelope = _exponentials(t, tau[:, None])[:, :, 0]
    a, b, offset = regress(y.unit, envelope * wave, envelope * shifted)
    amplitude, phase = _polar(a, b, frequency * x[0].low / x[0].span)
    return (
        _in_units(x[0], y, amplitude, tau),
        x[0].span * tau,
        frequency / x[0].span,
        phase,
        y.low + y.span * offset,
    )


def _polar(a: Array, b: Array, turns: Array) -> Columns:
    """Return amplitude and phase, in [-pi, pi], of a sin + b cos; the phase is that at x = 0."""
    phase = np.arctan2(b, a) / (2 * np.pi) - turns
    return np.hypot(a, b), 2 * np.pi * (phase - np.round(phase))


def _frequency(t: Array, v: Array) -> Array:
    """Return the frequency (F,) of the highest peak of the periodogram, in periods per unit of t.

    The points are spread linearly over N even bins; four times as many zeros make the grid of
    frequencies finer than the width of a peak, and a parabola through three values refines it.
    """
    fits, points = v.shape
    bins = max(points, 4)
    place = t * (bins - 1)
    left = np.minimum(place.astype(np.intp), bins - 2)
    share = place - left
    flat = (left + np.arange(fits)[:, None] * bins).ravel()
    v = v - v.mean(-1)[:, None]
    even = np.bincount(flat, ((1 - share) * v).ravel(), fits * bins)
    even[1:] += np.bincount(flat, (share * v).ravel(), fits * bins)[:-1]
    size = 1 << (4 * bins - 1).bit_length()
    wave = np.fft.rfft(even.reshape(fits, bins), size)
    power = np.square(wave.real) + np.square(wave.imag)
    top = size // 2 - 1
    peak = np.clip(np.argmax(power[:, 1 : top + 1], axis=-1) + 1, 2, top)
    row = np.arange(fits)
    below, here, above = (power[row, peak + k] for k in (-1, 0, 1))
    curve = below - 2 * here + above
    step = np.clip(ratio(0.5 * (below - above), curve), -0.5, 0.5)
    frequency: Array = (peak + step) * (bins - 1) / size
    return frequency
