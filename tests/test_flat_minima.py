"""Minima where the Jacobian says little of the model: |a| = 0, a^2 = 0, and steps that go around.

There the undamped step promises a fall of chi2 that it never brings, so a fit that asks for it
again and again would end at max_iter (csrc/fit/covariance.h, `confirm`).
"""

import numpy as np
import pytest

import thalweg as tw
from thalweg.reference.damped import levenberg_marquardt

X = np.linspace(0, 3, 40)
NOISE = 0.05 * np.random.default_rng(0).standard_normal(len(X))
FEW_TRIALS = 300  # max_iter is 600; observed: at most 30, and 250 in three attempts at a kink


def by_size(x, a, c):
    return abs(a) * np.exp(-x) + c


def by_square(x, a, c):
    return a * a * np.exp(-x) + c


def slopes(function, theta):
    """f and its derivatives, as the reference takes them."""
    a, c = theta
    slope = np.sign(a) if function is by_size else 2 * a
    return function(X, a, c), np.stack([slope * np.exp(-X), np.ones_like(X)], axis=1)


def data_that_want_less_than_nothing():
    return 2 - 0.3 * np.exp(-X) + NOISE


def test_a_square_that_cannot_become_negative_ends_at_zero(isa):
    y = data_that_want_less_than_nothing()
    r = tw.fit(by_square, X, y, p0=[1.0, 1.0])
    assert r.success and r.n_iter < FEW_TRIALS, r.reason()
    best = float(((y - y.mean()) ** 2).sum())
    assert abs(r.params[0]) < 1e-3 and r.chi2 == pytest.approx(best, rel=1e-6)
    same = levenberg_marquardt(
        lambda theta: slopes(by_square, theta),
        y,
        np.ones(2),
        curvature=lambda theta, d: 2 * d[0] ** 2 * np.exp(-X),
    )
    assert same.status in ("XTOL", "FTOL", "GTOL") and same.n_iter < FEW_TRIALS
    assert same.chi2 == pytest.approx(best, rel=1e-6)


def test_a_size_that_cannot_become_negative_is_no_success(isa):
    """No step brings a fall of chi2, but the place is no minimum: the constant is not the mean."""
    y = data_that_want_less_than_nothing()
    r = tw.fit(by_size, X, y, p0=[1.0, 1.0])
    assert r.status == tw.Status.NO_PROGRESS and "may not be smooth" in r.reason()
    assert abs(r.params[0]) < 1e-3
    same = levenberg_marquardt(lambda theta: slopes(by_size, theta), y, np.ones(2))
    assert same.status == "NO_PROGRESS"
    bounded = tw.fit("a*exp(-x) + c", X, y, p0=[1.0, 1.0], bounds={"a": (0, None)})
    assert bounded.success and bounded.params[0] == 0
    assert bounded.params[1] == pytest.approx(y.mean(), rel=1e-9)


def test_noisy_spectra_whose_width_vanishes(isa):
    """Voigt peaks in much noise: one of the two widths is often best at 0."""
    x, truth = np.linspace(-10, 10, 100), np.array([1.0, 0.3, 1.2, 0.8, 1.0])
    noise = 0.05 * np.random.default_rng(0).standard_normal((100, len(x)))
    y = tw.models.voigt(x, *truth) + noise
    r = tw.fit(tw.models.voigt, x, y, p0=1.1 * truth)
    no_gaussian = np.abs(r.params[:, 2]) < 1e-3  # the model is even in sigma: flat at 0
    no_lorentzian = np.abs(r.params[:, 3]) < 1e-3  # |gamma| is not smooth at 0
    assert no_gaussian.sum() > 10 and no_lorentzian.sum() > 10  # else this test tests nothing
    assert r.success[~no_gaussian & ~no_lorentzian].mean() >= 0.95
    assert (r.status != tw.Status.MAX_ITER).all() and np.median(r.n_iter) < FEW_TRIALS
    # Whatever the status: what is left without the Gaussian is a Lorentzian, fitted.
    start = {"amplitude": 0.4, "x0": 0.3, "gamma": 1.5, "offset": 1.0}
    lorentzian = tw.fit(tw.models.lorentzian, x, y[no_gaussian], p0=start)
    assert lorentzian.success.all()
    assert r.chi2[no_gaussian] == pytest.approx(lorentzian.chi2, rel=1e-7)


def test_steps_that_go_around_in_the_noise(isa):
    """Undamped steps around the minimum do not shrink, but promise less than chi2 can resolve."""
    x, truth = np.linspace(-10, 10, 100), np.array([1.0, 0.3, 1.2, 0.8, 1.0])
    noise = 0.05 * np.random.default_rng(0).standard_normal((400, len(x)))[107]
    r = tw.fit(tw.models.voigt, x, tw.models.voigt(x, *truth) + noise, p0=1.1 * truth)
    assert r.status == tw.Status.FTOL and r.n_iter < FEW_TRIALS, r.reason()
