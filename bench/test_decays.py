"""Batches of curves: decays, peaks on a background, and batches so small that the call counts."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

ROUNDS = 5
PEER = 100  # curves that SciPy fits in a round
CHI2_EXCESS = 1e-6  # both programs are run at tolerances that leave less


def decay(t, a, tau):
    """Return a decay to zero: two parameters."""
    return a * np.exp(-t / tau)


def decay_jacobian(t, a, tau):
    """Return the derivatives of `decay`, shape (N, 2), for SciPy."""
    e = np.exp(-t / tau)
    return np.stack([e, a * e * t / tau**2], axis=1)


def peak(x, a, x0, s, c):
    """Return a Gaussian on a constant: four parameters."""
    return a * np.exp(-((x - x0) ** 2) / (2 * s**2)) + c


def peak_jacobian(x, a, x0, s, c):
    """Return the derivatives of `peak`, shape (N, 4), for SciPy."""
    u = (x - x0) / s
    g = np.exp(-u * u / 2)
    h = a / s * g * u
    return np.stack([g, h, h * u, np.ones_like(g)], axis=1)


# model, Jacobian, typical parameters, points, curves
CASES = {
    "decay, 110 points": (decay, decay_jacobian, (10.0, 2.0), 110, 20_000),
    "Gaussian on a constant, 1000 points": (peak, peak_jacobian, (10, 5, 1, 2), 1000, 2_000),
}


def curves(function, typical, points, size):
    """Return x, y (size, points) and starts 10 % off, for parameters within 20 % of typical."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 10, points)
    truth = np.array(typical) * rng.uniform(0.8, 1.2, (size, len(typical)))
    y = function(x, *truth.T[:, :, None]) + 0.2 * rng.standard_normal((size, points))
    return x, y, truth * (1 + 0.1 * rng.choice([-1, 1], truth.shape))


def by_scipy(optimize, function, jacobian, x, y, p0):
    """Loop with curve_fit and an analytic Jacobian; the parameters, (size, P)."""
    rows = zip(y, p0, strict=True)
    return np.array([optimize.curve_fit(function, x, v, p, jac=jacobian)[0] for v, p in rows])


def assert_answer(function, x, y, params, peers):
    """chi2, computed by NumPy, is nowhere above the peer's."""
    ours, theirs = (((y - function(x, *p.T[:, :, None])) ** 2).sum(1) for p in (params, peers))
    assert (ours <= theirs * (1 + CHI2_EXCESS)).all()


@pytest.mark.parametrize("name", CASES)
def test_batch(name, benchmark, record):
    optimize = pytest.importorskip("scipy.optimize")
    function, jacobian, typical, points, size = CASES[name]
    x, y, p0 = curves(function, typical, points, size)
    few = y[:PEER], p0[:PEER]
    fit = partial(tw.fit, function, x, y, p0, threads=1)
    loop = partial(by_scipy, optimize, function, jacobian, x, *few)
    result = fit()
    assert result.success.all()
    assert_answer(function, x, few[0], result.params[:PEER], loop())
    benchmark.pedantic(fit, rounds=ROUNDS)
    record(f"{name}, 1 thread", size / benchmark.stats.stats.min, "fits/s")
    r = ratio(fit, loop, ROUNDS)
    record(f"{name}, 1 thread, over SciPy's loop", r.times(size / PEER), "times")


@pytest.mark.parametrize("size", (1, 10, 100))
def test_small_batch(size, record):
    optimize = pytest.importorskip("scipy.optimize")
    function, jacobian, typical, points, _ = CASES["decay, 110 points"]
    x, y, p0 = curves(function, typical, points, size)
    fit = partial(tw.fit, function, x, y, p0)
    loop = partial(by_scipy, optimize, function, jacobian, x, y, p0)
    result = fit()
    assert result.success.all()
    assert_answer(function, x, y, result.params, loop())
    r = ratio(fit, loop, 10 * ROUNDS)
    fits = "1 fit" if size == 1 else f"{size} fits"
    record(f"decay, {fits} in a call", 1e6 * r.best_a, "us")
    record(f"decay, {fits} in a call, over SciPy's loop", r, "times")
