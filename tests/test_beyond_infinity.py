"""Fits whose parameter runs off to infinity, and the minimum that may lie beyond it.

A decay a exp(-t / tau) depends on 1 / tau.  Where the data rise a little, chi2 falls as tau grows
without end, and goes on falling where 1 / tau has passed through 0: the minimum is a growth, with a
negative tau, that no path of finite tau leads to.
"""

import numpy as np
import pytest

import thalweg as tw
from thalweg.status import Status

T = np.array([10.0, 25, 50, 90, 150, 250])


def rising(n, seed=0):
    """Return n data sets that rise by a few per cent, in noise, (n, 6)."""
    rng = np.random.default_rng(seed)
    slope = rng.uniform(0.02, 0.2, (n, 1))
    return 1500 * (1 + slope * T / 250) + rng.normal(0, 5, (n, 6))


def decay(t, a, tau):
    return a * np.exp(-t / tau)


def recovery(t, a, b, tau):
    return a + b * np.exp(-t / tau)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_decay_of_rising_data_is_found_to_be_a_growth(dtype):
    y = rising(60).astype(dtype)
    far = tw.fit(decay, T, y, p0=[1700.0, 1200.0], dtype=dtype)
    near = tw.fit(decay, T, y, p0=[1500.0, -3000.0], dtype=dtype)
    assert near.success.all()
    assert far.success.all(), far.summary()
    assert (far.params[:, 1] < 0).all()
    # minima agree to what chi2 tells of them: its noise in float32, 1e-9 of it in float64
    share = 1e-9 if dtype == np.float64 else 1e-2
    np.testing.assert_allclose(far.chi2, near.chi2, rtol=share)


def test_an_offset_and_an_amplitude_may_run_off_with_it():
    y = rising(60, seed=1) + 0.003 * (T - 90) ** 2 / 25  # bent upwards: a growth over an offset
    r = tw.fit(recovery, T, y, p0=[3000.0, -1500.0, 2000.0])
    near = tw.fit(recovery, T, y, p0=[1400.0, 100.0, -300.0])
    found = near.success
    assert found.mean() > 0.9
    assert r.success[found].mean() > 0.9
    right = r.chi2 <= near.chi2 * (1 + 1e-6)
    assert right[found].mean() > 0.9


@pytest.mark.parametrize(
    "model",
    ["v*x/(k + x)", "a*(1 - exp(-x/tau))", "a*log(1 + x/b)"],
    ids=["Michaelis-Menten", "saturation", "logarithm"],
)
def test_saturations_of_data_that_bend_upwards_are_found_beyond_infinity(model):
    """The amplitude runs off with the scale, so slowly that the first attempt ends on its way."""
    x = np.linspace(0.5, 5, 12)
    rng = np.random.default_rng(4)
    y = x + rng.uniform(0.01, 0.05, (40, 1)) * x**2 + 0.01 * rng.normal(size=(40, 12))
    far = tw.fit(model, x, y, p0=[10.0, 10.0])
    near = tw.fit(model, x, y, p0=[-10.0, -20.0])
    assert near.success.all()
    assert far.success.all(), far.summary()
    assert (far.params < 0).all()
    np.testing.assert_allclose(far.chi2, near.chi2, rtol=1e-8)


def test_within_bounds_it_is_said_to_run_off():
    """No path leads beyond a bound; both attempts agree, and a third is spared."""
    y = rising(60)
    r = tw.fit(decay, T, y, p0=[1700.0, 1200.0], bounds=([-np.inf, 0], [np.inf, np.inf]))
    assert (r.status == Status.DRIFT).all()
    assert (r.params[:, 1] > 1e4).all()
    assert (r.attempts == 2).all()
    assert np.median(r.n_iter) < 95  # two attempts and 32 probes; 89 to 104 of them
    flat = ((y - y.mean(-1, keepdims=True)) ** 2).sum(-1)  # what an endless lifetime leaves
    np.testing.assert_allclose(r.chi2, flat, rtol=1e-6)


def test_each_lane_has_its_own_bits_where_fits_wait_go_on_and_run_off():
    """Fits that stop together, are not let go and return to other lanes: alone and in a batch.

    Two decays in noise: columns are nearly parallel, so the undamped step of confirm is long.
    """
    rng = np.random.default_rng(2)
    x = np.linspace(0, 10, 40)
    y = rng.normal(size=(67, 40))
    y[::3] = 2 * np.exp(-x / 2) + np.exp(-x / 3) + 1e-3 * y[::3]
    y[::7, 3] = np.nan
    p0 = np.array([1.0, 1, 1, 5]) * np.exp(rng.normal(0, 0.5, (67, 4)))
    model = "a*exp(-x/tau) + b*exp(-x/upsilon)"
    batch = tw.fit(model, x, y, p0=p0, threads=1)
    assert len(np.unique(batch.status)) > 2  # else nothing of the kind has happened
    assert np.isfinite(batch.params).all() and batch.success[::3].all()
    np.testing.assert_array_equal(batch.n_used, np.isfinite(y).sum(-1))
    assert np.isfinite(batch.stderr[batch.success]).all()
    for k in range(67):
        alone = tw.fit(model, x, y[k], p0=p0[k])
        for name in ("params", "cov", "chi2", "status", "n_iter", "n_used", "attempts"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(batch, name)[k], name)
    for order in (rng.permutation(67), np.arange(67)[::-1]):
        mixed = tw.fit(model, x, y[order], p0=p0[order], threads=2)
        np.testing.assert_array_equal(mixed.params, batch.params[order])
        np.testing.assert_array_equal(mixed.cov, batch.cov[order])


@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33])
def test_no_fit_is_left_waiting(n):
    """Stopped fits wait for eight (sixteen in float32); those left at the end are finished, too."""
    x = np.linspace(0, 4, 30)
    y = np.linspace(1, 2, n)[:, None] * np.exp(-x)
    for dtype in (np.float64, np.float32):
        r = tw.fit("a*exp(-x/tau)", x, y, p0=[1.0, 2.0], dtype=dtype, threads=1)
        assert r.success.all()
        np.testing.assert_allclose(r.params[:, 0], np.linspace(1, 2, n), rtol=1e-3)
