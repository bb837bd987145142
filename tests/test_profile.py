"""Profiles: limits against a brute-force search, their statuses, and coverage."""

import numpy as np
import pytest
from interval_cases import SIGMA, data, decay, fitted
from scipy import stats
from scipy.optimize import brentq, least_squares

import thalweg as tw
from thalweg import Limit

# A limit is right to so much of its distance from the estimate.
CLOSE = {np.float64: 1e-5, np.float32: 3e-3}


def brute_force(t, y, r, z2):
    """The limits of tau by SciPy: the roots of the least chi2 over a and c, minus the level."""
    level = r.chi2 + z2

    def beyond(tau):
        basis = np.stack([np.exp(-t / tau), np.ones_like(t)], axis=1)
        rest = np.linalg.lstsq(basis, y, rcond=None)[1]
        return float(rest[0]) - level

    tau = float(r["tau"])
    return brentq(beyond, 0.2 * tau, tau, xtol=1e-13), brentq(beyond, tau, 5 * tau, xtol=1e-13)


@pytest.mark.parametrize("level", [0.5, 0.6827, 0.95, 0.997])
def test_limits_are_where_chi2_has_risen_to_the_level(level):
    t, y = data(6)
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4])
    p = r.profile("tau", level, points=0)
    assert (p.lower_status == Limit.FOUND).all() and (p.upper_status == Limit.FOUND).all()
    for k in range(6):
        z2 = r.redchi[k] * stats.t.isf((1 - level) / 2, r.dof[k]) ** 2
        low, high = brute_force(t, y[k], r[k], z2)
        distance = high - low
        assert abs(p.lower[k] - low) < CLOSE[np.float64] * distance
        assert abs(p.upper[k] - high) < CLOSE[np.float64] * distance


def test_with_absolute_sigma_the_level_is_that_of_the_normal_distribution():
    t, y = data()
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4], sigma=np.full(20, SIGMA), absolute_sigma=True)
    p = r.profile("tau", 0.95, points=0)

    def chi2(tau):
        rest = least_squares(lambda q: (y - decay(t, q[0], tau, q[1])) / SIGMA, [3, 0.5])
        return 2 * rest.cost - r.chi2 - stats.norm.isf(0.025) ** 2

    expected = [brentq(chi2, 0.5, r["tau"]), brentq(chi2, r["tau"], 3)]
    np.testing.assert_allclose(p.interval, expected, rtol=2e-5)
    assert p.scale == 1


def test_float32_profiles_are_those_of_float64():
    t, y = data(4)
    y = y.astype(np.float32)
    exact = tw.fit(decay, t, y, p0=[1, 1, 0.4]).profile("tau", points=0)
    rough = tw.fit(decay, t, y, p0=[1, 1, 0.4], dtype=np.float32).profile("tau", points=0)
    assert rough.lower.dtype == np.float32
    distance = (exact.upper - exact.lower)[:, None]
    assert (np.abs(rough.interval - exact.interval) < 2 * CLOSE[np.float32] * distance).all()


def test_the_profile_of_a_linear_parameter_is_a_parabola():
    x = np.linspace(0, 1, 12)
    y = 2 * x + 1 + np.random.default_rng(3).normal(0, 0.2, (5, 12))
    r = tw.fit("a*x + b", x, y, p0=[1, 0])
    p = r.profile("a", 0.9)
    np.testing.assert_allclose(p.interval, r.interval(0.9)[:, 0], rtol=1e-5)
    expected = (p.values - p.estimate[:, None]) / r.stderr[:, :1]
    np.testing.assert_allclose(p.zeta, expected, rtol=1e-5, atol=1e-5)


def test_a_model_of_one_parameter():
    x = np.linspace(0.1, 1, 9)
    r = tw.fit("a*x", x, 2 * x + np.random.default_rng(4).normal(0, 0.1, 9), p0=[1])
    np.testing.assert_allclose(r.profile("a").interval, r.interval()[0], rtol=1e-5)


def test_limits_do_not_depend_on_how_the_parameter_is_written():
    t, y = data(5)
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4]).profile("tau", points=0)
    rate = tw.fit("a*exp(-k*x) + c", t, y, p0={"a": 1, "k": 1, "c": 0.4}).profile("k", points=0)
    np.testing.assert_allclose(1 / rate.interval[:, ::-1], r.interval, rtol=1e-4)


def test_profiles_hold_the_truth_as_often_as_they_say():
    """4000 fits: the standard error of the coverage is 0.34 points."""
    p = fitted(4000, n=12, seed=9).profile("tau", 0.95, points=0)
    share = 100 * np.mean((p.lower <= 1.2) & (1.2 <= p.upper))
    assert abs(share - 95) < 1.5


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fit_has_the_same_profile_alone_and_in_a_batch(threads):
    r = fitted(2, 3)
    whole = r.profile("tau", threads=threads)
    for k in np.ndindex(2, 3):
        one = r[k].profile("tau")
        np.testing.assert_array_equal(one.interval, whole.interval[k])
        np.testing.assert_array_equal(one.chi2, whole.chi2[k])


def test_profiles_in_parts_are_those_at_once(monkeypatch):
    from thalweg.fitting import refits

    r = fitted(7)
    whole = r.profile("tau", points=3)
    monkeypatch.setattr(refits, "AT_ONCE", 100)
    parts = r.profile("tau", points=3)
    np.testing.assert_array_equal(parts.interval, whole.interval)
    np.testing.assert_array_equal(parts.chi2, whole.chi2)


def test_masks_ties_and_fixed_parameters_hold_in_the_profile():
    t, y = data(3)
    mask = np.zeros((3, 20), bool)
    mask[:, [2, 7]] = True
    wrong = np.where(mask, 99.0, y)
    kept = tw.fit(decay, np.delete(t, [2, 7]), np.delete(y, [2, 7], 1), p0=[1, 1, 0.4])
    p = tw.fit(decay, t, wrong, p0=[1, 1, 0.4], mask=mask).profile("tau", points=0)
    np.testing.assert_allclose(p.interval, kept.profile("tau", points=0).interval, rtol=1e-5)
    tied = tw.fit(decay, t, y, p0=[1, 1, 0], tied={"c": "a/6"})
    by_hand = tw.fit("a*exp(-x/tau) + a/6", t, y, p0=[1, 1])
    np.testing.assert_allclose(
        tied.profile("tau").interval, by_hand.profile("tau").interval, rtol=1e-5
    )
    fixed = tw.fit(decay, t, y, p0=[1, 1, 0.5], fixed=["c"])
    by_hand = tw.fit("a*exp(-x/tau) + 0.5", t, y, p0=[1, 1])
    np.testing.assert_allclose(
        fixed.profile("tau").interval, by_hand.profile("tau").interval, rtol=1e-5
    )


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_a_model_that_python_calls():
    def called(t, a, tau, c):
        return np.array([float(v) for v in decay(t, a, float(tau), c)])

    t, y = data()
    slow, fast = (tw.fit(f, t, y, p0=[1, 1, 0.4]).profile("tau", points=2) for f in (called, decay))
    np.testing.assert_allclose(slow.interval, fast.interval, rtol=1e-5)


# ---- statuses --------------------------------------------------------------------------------


def test_a_limit_may_be_a_bound():
    r = fitted(4, p0=[1, 1, 0.705], bounds={"c": (0.7, 0.71)})
    p = r.profile("c")
    assert (p.lower_status == Limit.BOUND).all() and (p.lower == 0.7).all()
    assert "bound" in p.reason(0)[0]
    free = fitted(4, bounds={"tau": (1.19, 10)}, p0=[1, 2, 0.4]).profile("tau")
    assert (free.lower >= 1.19).all() and (free.lower_status == Limit.BOUND).any()


def test_a_limit_may_be_infinite():
    """A decay that may as well be none: chi2 stays below the level for any longer lifetime."""
    x = np.linspace(0, 1, 10)
    y = 1 - 0.05 * x + np.random.default_rng(0).normal(0, 0.05, (100, 10))
    r = tw.fit("a*exp(-x/tau)", x, y, p0=[1, 5], bounds={"tau": (1e-3, None)})
    p = r.profile("tau", points=5)
    good = r.success
    assert (p.upper_status[~good] == Limit.NO_FIT).all() and np.isnan(p.upper[~good]).all()
    assert (p.lower_status[good] == Limit.FOUND).all()
    endless = good & (p.upper_status == Limit.INFINITE)
    assert endless.sum() > 20 and (p.upper[endless] == np.inf).all()
    assert np.isin(p.upper_status[good], [Limit.INFINITE, Limit.FOUND]).all()
    assert np.isfinite(p.values[endless]).all()
    k = int(np.argmax(endless))
    assert p.reason(k) == ("the profile crosses the level here", tw.fitting.profile.WORDS[3])


def test_fits_that_hold_the_parameter_have_no_limit():
    held = np.zeros((3, 3), bool)
    held[1, 1] = True
    p = fitted(3, p0=[1, 1.2, 0.4], fixed=held).profile("tau")
    assert p.lower_status.tolist() == [1, Limit.HELD, 1] and np.isnan(p.lower[1])


def test_without_degrees_of_freedom_there_is_no_level():
    t, y = data(2)
    p = tw.fit(decay, t[[0, 5, 15]], y[:, [0, 5, 15]], p0=[1, 1, 0.4]).profile("tau")
    assert (p.lower_status == Limit.NO_FREEDOM).all() and np.isnan(p.interval).all()


def test_a_lower_minimum_is_told():
    """A fit that starts at the smaller of two peaks stays there; its profile sees the other."""
    x = np.linspace(0, 10, 60)
    y = np.exp(-((x - 3) ** 2)) + 1.3 * np.exp(-((x - 7) ** 2))
    y = y + np.random.default_rng(1).normal(0, 0.05, 60)
    r = tw.fit("a*exp(-(x-m)**2/s**2)", x, y, p0=[1, 3, 1], bounds={"s": (0.5, 1.2)}, attempts=1)
    assert r.success and abs(r["m"] - 3) < 0.5
    p = r.profile("m", 1 - 1e-14)
    assert p.upper_status == Limit.LOWER_MINIMUM and np.isnan(p.upper)


# ---- refusals --------------------------------------------------------------------------------


def test_refusals(tmp_path):
    r = fitted(2)
    with pytest.raises(ValueError, match="profile names 'tua', but the parameters are a, tau, c"):
        r.profile("tua")
    with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
        r.profile("tau", 95)
    with pytest.raises(ValueError, match="points must be a whole number"):
        r.profile("tau", points=-1)
    with pytest.raises(ValueError, match="tau is fixed: it has no profile"):
        fitted(2, fixed={"tau": 1.2}).profile("tau")
    with pytest.raises(ValueError, match="c is tied to 'a/6': it follows from other parameters"):
        fitted(2, tied={"c": "a/6"}).profile("c")
    with pytest.raises(ValueError, match=r"fits with shared parameters \(tau\) do not allow"):
        fitted(2, shared="tau").profile("tau")
    r.save(tmp_path / "r.npz")
    with pytest.raises(ValueError, match="a loaded result has no profile"):
        tw.load(tmp_path / "r.npz", decay).profile("tau")
    with pytest.raises(IndexError, match="need an index of 1 numbers"):
        r.profile("tau").reason()
    assert "2 fits, 2 with both limits" in repr(r.profile("tau"))
    assert "Profile of tau at 95 %" in repr(r[0].profile("tau"))
