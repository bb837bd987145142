"""Intervals: their coverage, and their speed beside loops of SciPy and lmfit."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import t as student
from timing import ratio

import thalweg as tw

FITS = 40_000
ROUNDS = 5
T = np.linspace(0, 5, 20)
TRUTH = np.array([3.0, 1.2, 0.5])
SIGMA = 0.03


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def noisy(*batch, seed=1):
    return decay(T, *TRUTH) + np.random.default_rng(seed).normal(0, SIGMA, (*batch, T.size))


def masks():
    return np.random.default_rng(2).random((FITS, T.size)) < 0.3


CASES = {
    "sigma known": {"sigma": np.full(T.size, SIGMA), "absolute_sigma": True},
    "scale unknown": {},
    "masked": {"mask": masks()},
    "tied": {"tied": {"c": "a/6"}},
    "linear parameters eliminated": {"linear": "auto"},
}


def assert_covered(case, r, record):
    """The intervals of fits of any batch hold the truth as often as their level says."""
    assert r.success.all()
    for level in (0.6827, 0.95):
        both = r.interval(level).reshape(-1, TRUTH.size, 2)
        share = 100 * np.mean((both[..., 0] <= TRUTH) & (TRUTH <= both[..., 1]), axis=0)
        off = np.abs(share - 100 * level).max()
        assert off < 0.7, share
        record(f"coverage, {case}, {100 * level:g} %: largest error", off, "points", at_most=0.7)


@pytest.mark.parametrize("case", CASES)
def test_coverage(case, record):
    assert_covered(case, tw.fit(decay, T, noisy(FITS), p0=[2.5, 1, 0.4], **CASES[case]), record)


def test_coverage_of_global_fits(record):
    """Groups of three decays of one lifetime."""
    r = tw.fit(decay, T, noisy(FITS, 3), p0=[2.5, 1, 0.4], shared=["tau"])
    assert_covered("one lifetime shared by three", r, record)


@pytest.mark.parametrize("robust", ["huber", "soft_l1", "cauchy"])
def test_coverage_among_outliers(robust, record):
    """A twentieth of the points has ten times the noise.

    The covariance of a robust fit is that of many points: with 100 of them the largest error is
    about 0.7 points, with 50 it is 1, and with 20, where an outlier may be the one point that
    tells the amplitude, it is 3.
    """
    t, rng = np.linspace(0, 5, 200), np.random.default_rng(3)
    size = np.where(rng.random((FITS, t.size)) < 0.05, 10 * SIGMA, SIGMA)
    y = decay(t, *TRUTH) + size * rng.standard_normal(size.shape)
    r = tw.fit(decay, t, y, p0=[2.5, 1, 0.4], robust=robust, f_scale="estimate")
    assert_covered(f"{robust}, 5 % of outliers", r, record)


def test_bootstrap_beside_a_loop_of_scipy(record):
    """The same samples' number and kind; SciPy's curve_fit starts at the estimate, too."""
    n, y = 1000, noisy()
    r = tw.fit(decay, T, y, p0=[2.5, 1, 0.4])

    def by_scipy():
        rng, fitted = np.random.default_rng(0), r.fitted
        u = r.residual * np.sqrt(T.size / r.dof)
        u = u - u.mean()
        drawn = fitted + rng.choice(u, (n, T.size))
        return np.array([curve_fit(decay, T, row, r.params)[0] for row in drawn])

    ours = partial(r.bootstrap, n, threads=1)
    np.testing.assert_allclose(ours().stderr, by_scipy().std(axis=0, ddof=1), rtol=0.15)
    record("bootstrap: a loop of SciPy over ours", ratio(ours, by_scipy, ROUNDS), "times")


def test_profiles_beside_lmfit(record):
    lmfit = pytest.importorskip("lmfit")
    y = noisy()
    r = tw.fit(decay, T, y, p0=[2.5, 1, 0.4])
    model = lmfit.Model(decay)
    fit = model.fit(y, t=T, a=2.5, tau=1, c=0.4)

    def theirs():
        return fit.conf_interval(p_names=["tau"], sigmas=[0.95])["tau"]

    ours = partial(r.profile, "tau", points=0, threads=1)
    found = theirs()
    np.testing.assert_allclose(ours().interval, [found[0][1], found[-1][1]], rtol=1e-4)
    record("profile of one fit: lmfit over ours", ratio(ours, theirs, ROUNDS), "times")
    batch = tw.fit(decay, T, noisy(1000), p0=[2.5, 1, 0.4])
    many = partial(batch.profile, "tau", points=0, threads=1)
    assert (many().upper_status == tw.Limit.FOUND).all()
    each = ratio(many, theirs, ROUNDS).times(1000)
    record("profiles of 1000 fits: lmfit over ours, per fit", each, "times")


def test_quantiles_cost_nothing(record):
    r = tw.fit(decay, T, noisy(FITS), p0=[2.5, 1, 0.4], mask=masks())
    q = student.isf(0.025, r.dof)
    np.testing.assert_allclose(r.interval()[:, 0, 1], r["a"] + q * r.stderr[:, 0], rtol=1e-9)
    again = partial(tw.fit, decay, T, noisy(FITS), [2.5, 1, 0.4], mask=masks())
    share = ratio(again, r.interval, ROUNDS)
    record("interval over the fit itself", share, "of the time", at_most=0.5)
