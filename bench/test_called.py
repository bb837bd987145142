"""Models that Python must evaluate: calls and time beside SciPy's.

None of them can be recorded: they branch on the values of parameters or make them plain numbers,
loop over the points, or mix them by a function that no tape has.
"""

import math
import warnings
from collections.abc import Callable
from functools import partial, wraps
from itertools import count
from typing import NamedTuple

import numpy as np
import pytest
from timing import ratio

import thalweg as tw
from thalweg import SlowModelWarning

optimize = pytest.importorskip("scipy.optimize")
special = pytest.importorskip("scipy.special")

ROUNDS = 15
NOISE = 0.01  # noise of y, whose size is about 1
WORSE = 1e-6  # by which share chi2 may lie above SciPy's, which stops at a relative 1e-8


def interpolated(x, a, b, c, d):
    """A line through four points, whose heights are the parameters."""
    return np.interp(x, [0.0, 3.0, 6.0, 10.0], [a, b, c, d])


SHAPE_X = np.linspace(-10.0, 20.0, 40_000)
SHAPE = np.exp(-((SHAPE_X - 5) ** 2) / 8)


def shifted(x, a, shift, c):
    """A measured shape at another place."""
    return a * np.interp(x - float(shift), SHAPE_X, SHAPE) + c


def branching(x, a, tau, c):
    """A decay written with a branch on a parameter."""
    return a * np.exp(-x / tau) + c if tau > 0 else np.full(len(x), 1e3)


def bessel(x, a, k):
    """A Bessel function of order 1.5."""
    return a * special.jv(1.5, float(k) * x)


def incomplete_gamma(x, a, shape, scale):
    """A distribution function."""
    return a * special.gammainc(math.fabs(shape), abs(x / scale))


def looping(x, a, tau):
    """A decay point by point."""
    return np.array([a * math.exp(-v / tau) for v in x])


RESPONSE = np.exp(-((np.arange(-5, 6) / 2.0) ** 2))
RESPONSE /= RESPONSE.sum()


def convolved(x, a, tau, c):
    """A decay seen by a slow instrument, by Fourier transforms."""
    spectrum = np.fft.rfft(a * np.exp(-x / tau)) * np.fft.rfft(RESPONSE, len(x))
    return np.fft.irfft(spectrum, len(x)) + c


def euler(x, rate, start, level):
    """A differential equation in explicit steps."""
    y, out = start, [start]
    for step in np.diff(x):
        y = y + step * rate * (level - y)
        out.append(y)
    return np.array(out)


def accumulated(x, a, rate):
    """A running product."""
    return a * np.cumprod(1 - rate * np.exp(-x) / len(x))


def two_peaks(x, a, m, s, b, n, u):
    """Two peaks whose parameters are made plain numbers first."""
    a, m, s, b, n, u = map(float, (a, m, s, b, n, u))
    return a * np.exp(-((x - m) ** 2) / (2 * s**2)) + b * np.exp(-((x - n) ** 2) / (2 * u**2))


def normalised(x, a, m, s, c):
    """A peak divided by its largest value."""
    peak = np.exp(-((x - m) ** 2) / (2 * s**2))
    return a * peak / peak.max() + c


def quadrature(x, a, k, c):
    """An integral over an angle at each point."""
    angle = np.linspace(0, np.pi, 16)
    return a * np.cos(k * np.outer(x, np.sin(angle))).mean(axis=1) + c


def stiff_line(x, a, b):
    """A straight line, made with an operation that mixes the points."""
    return np.sort(a + b * x)


class Case(NamedTuple):
    """A model, its true parameters, and starts near to them and far from them."""

    function: Callable
    truth: tuple
    near: tuple
    far: tuple


CASES = [
    Case(interpolated, (1.0, 0.2, 0.8, -0.3), (0.9, 0.3, 0.7, -0.2), (0.0, 5.0, -5.0, 9.0)),
    Case(shifted, (1.0, 0.7, 0.1), (0.9, 0.5, 0.0), (3.0, -2.0, 1.0)),
    Case(branching, (1.0, 2.0, 0.1), (0.9, 1.8, 0.0), (5.0, 8.0, 2.0)),
    Case(bessel, (1.0, 1.3), (0.9, 1.25), (3.0, 1.6)),
    Case(incomplete_gamma, (1.0, 2.0, 1.5), (0.9, 1.8, 1.6), (3.0, 5.0, 4.0)),
    Case(looping, (1.0, 2.0), (0.9, 1.8), (5.0, 8.0)),
    Case(convolved, (1.0, 2.0, 0.1), (0.9, 1.8, 0.0), (5.0, 8.0, 2.0)),
    Case(euler, (0.5, 1.0, 0.2), (0.45, 0.9, 0.3), (1.2, 4.0, -2.0)),
    Case(accumulated, (1.0, 0.4), (0.9, 0.5), (5.0, 1.5)),
    Case(two_peaks, (1.0, 3.0, 0.8, 0.6, 7.0, 1.2), (0.9, 2.9, 0.9, 0.7, 7.2, 1.1),
         (0.5, 2.0, 1.5, 1.5, 8.0, 2.0)),
    Case(normalised, (1.0, 4.0, 1.0, 0.1), (0.9, 4.2, 1.1, 0.0), (3.0, 5.5, 2.0, 1.0)),
    Case(quadrature, (1.0, 0.8, 0.2), (0.9, 0.75, 0.1), (3.0, 1.0, 1.0)),
    Case(stiff_line, (0.2, 0.1), (0.3, 0.2), (9.0, 5.0)),
]  # fmt: skip


def solve(fit, function, x, y, p0):
    """Fit by one of the two, without the warning of a called model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowModelWarning)
        return fit(function, x, y, p0)[0]


def counted(fit, function, x, y, p0):
    """Return chi2 at the answer of a fit, and how often the fit called the function."""
    calls = count()

    @wraps(function)
    def model(x, *params):
        next(calls)
        return function(x, *params)

    params = solve(fit, model, x, y, p0)
    return float(np.sum((y - function(x, *params)) ** 2)), next(calls)


def compared(case, points, start):
    """Return calls and time over SciPy's, once the answer has been asserted."""
    x = np.linspace(0.05, 10, points)
    noise = NOISE * np.random.default_rng(0).standard_normal(points)
    y, p0 = case.function(x, *case.truth) + noise, getattr(case, start)
    fits = (tw.curve_fit, optimize.curve_fit)
    (chi2, calls), (lowest, most) = (counted(fit, case.function, x, y, p0) for fit in fits)
    assert chi2 <= lowest * (1 + WORSE), case.function.__name__
    assert calls > 1, f"{case.function.__name__} was recorded"
    ours, theirs = (partial(solve, fit, case.function, x, y, p0) for fit in fits)
    return calls / most, ratio(ours, theirs, ROUNDS).inverse().median


@pytest.mark.parametrize("start", ["near", "far"])
@pytest.mark.parametrize("points", [50, 1000])
def test_called(points, start, record):
    """The middle and the worst of all models; neither calls nor time should exceed SciPy's."""
    every = np.array([compared(case, points, start) for case in CASES])
    for what, values in zip(("calls", "time"), every.T, strict=True):
        label = f"models that Python evaluates, {points} points, start {start}: {what} over SciPy's"
        record(f"{label}, median", float(np.median(values)), "times", at_most=1.0)
        record(f"{label}, worst", float(values.max()), "times", at_most=1.0)
