"""Complex models: resonators against loops of SciPy and lmfit, and against real models by hand."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

POINTS, RESONATORS = 200, 10_000
OF_SCIPY = 50  # a loop over all of them takes half a minute
OF_LMFIT = 10
F = np.linspace(-1, 1, POINTS)
TRUE = (0.05, 0.2, 0.6, 1.0, 0.3)
START = (0.0, 0.3, 0.5, 0.9, 0.2)
NAMES = ("f0", "kappa", "depth", "a", "phi")


def resonator(f, f0, kappa, depth, a, phi):
    return a * np.exp(1j * phi) * (1 - depth / (1 + 2j * (f - f0) / kappa))


def by_hand(x, f0, kappa, depth, a, phi):
    """Real and imaginary part, written as real expressions; x[1] is 1 for the imaginary part."""
    f, is_imaginary = x
    u = 2 * (f - f0) / kappa
    d = depth / (1 + u * u)
    re, im = 1 - d, d * u
    c, s = a * np.cos(phi), a * np.sin(phi)
    return np.where(is_imaginary, c * im + s * re, c * re - s * im)


def data(n):
    rng = np.random.default_rng(0)
    e = rng.normal(0, 0.02, (n, POINTS)) + 1j * rng.normal(0, 0.02, (n, POINTS))
    return resonator(F, *TRUE) + e


def ours(y):
    return tw.fit(resonator, F, y, START, threads=1)


def by_scipy(optimize, y):
    """Fit each by the residuals of both parts in one row, as users do."""

    def residuals(theta, one):
        return (resonator(F, *theta) - one).view(float)

    return [optimize.least_squares(residuals, START, x_scale="jac", args=(one,)) for one in y]


def by_lmfit(lmfit, y):
    model = lmfit.Model(resonator)
    start = model.make_params(**dict(zip(NAMES, START, strict=True)))
    return [model.fit(one, start, f=F) for one in y]


def test_resonators_against_scipy(record):
    optimize = pytest.importorskip("scipy.optimize")
    y = data(RESONATORS)
    r, other = ours(y), by_scipy(optimize, y[:OF_SCIPY])
    assert r.success.all()
    theta = np.array([o.x for o in other])
    assert (abs(r.params[:OF_SCIPY] - theta) < 1e-3 * r.stderr[:OF_SCIPY]).all()
    assert r.chi2[:OF_SCIPY] == pytest.approx([2 * o.cost for o in other], rel=1e-7)
    pull = (r.params - TRUE) / r.stderr
    assert abs(pull.std(0) - 1).max() < 0.03
    times = ratio(partial(ours, y), partial(by_scipy, optimize, y[:OF_SCIPY]), 3)
    faster = times.times(RESONATORS / OF_SCIPY)
    record("10,000 complex resonators: a loop of SciPy", faster, "times", at_least=100)
    record("complex resonators, one thread", RESONATORS / times.best_a, "fits/s")


def test_resonators_against_lmfit(record):
    lmfit = pytest.importorskip("lmfit")
    y = data(1000)
    r, other = ours(y), by_lmfit(lmfit, y[:OF_LMFIT])
    theta = np.array([[o.params[name].value for name in NAMES] for o in other])
    errors = np.array([[o.params[name].stderr for name in NAMES] for o in other])
    assert (abs(r.params[:OF_LMFIT] - theta) < 1e-2 * r.stderr[:OF_LMFIT]).all()
    assert r.stderr[:OF_LMFIT] == pytest.approx(errors, rel=1e-3)
    times = ratio(partial(ours, y), partial(by_lmfit, lmfit, y[:OF_LMFIT]), 3)
    record("complex resonators: a loop of lmfit", times.times(1000 / OF_LMFIT), "times")


def test_a_complex_model_costs_what_real_ones_by_hand_cost(record):
    y = data(2000)
    parts = np.concatenate([y.real, y.imag], axis=1)
    x = np.tile(F, 2), np.repeat([0.0, 1.0], POINTS)
    real = partial(tw.fit, by_hand, x, parts, START, threads=1)
    complex_ = partial(ours, y)
    assert complex_().params == pytest.approx(real().params, rel=1e-6)
    record("complex over real by hand: time", ratio(real, complex_, 9), "times", at_most=1.3)
