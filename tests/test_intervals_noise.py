"""Intervals of fits whose noise is not normal: of counts, and robust ones."""

import numpy as np
import pytest
from interval_cases import data, decay

import thalweg as tw

T = np.linspace(0, 5, 20)


def counts(n):
    return np.random.default_rng(1).poisson(decay(T, 50, 1.2, 5), (n, 20)).astype(float)


def of_counts(n):
    return tw.fit(decay, T, counts(n), p0=[40, 1, 4], noise="poisson")


def test_intervals_of_counts_hold_the_truth_as_often_as_they_say():
    """8000 fits: the standard error of the coverage is 0.24 points."""
    r = of_counts(8000)
    both = r.interval(0.95)[r.success]
    share = 100 * np.mean((both[..., 0] <= [50, 1.2, 5]) & ([50, 1.2, 5] <= both[..., 1]), axis=0)
    assert np.abs(share - 95).max() < 1.2, share


def test_the_profile_of_counts_is_that_of_the_deviance():
    r = of_counts(3)
    p = r.profile("tau", 0.95, points=0)
    assert (p.scale == 1).all() and (p.lower_status == tw.Limit.FOUND).all()
    for side in (p.lower, p.upper):
        start = r.params.copy()
        start[:, 1] = side
        held = tw.fit(decay, T, counts(3), p0=start, fixed=["tau"], noise="poisson")
        np.testing.assert_allclose(held.chi2 - r.chi2, 1.959964**2, rtol=1e-4)


def test_what_is_for_normal_noise_is_refused():
    t, y = data(2)
    robust = tw.fit(decay, t, y, p0=[1, 1, 0.4], robust="huber")
    assert np.isfinite(robust.interval()).all() and np.isfinite(robust.band()).all()
    for r, noise in ((of_counts(2), "poisson"), (robust, "huber")):
        with pytest.raises(ValueError, match=f"a bootstrap is for normal noise; .* {noise}"):
            r.bootstrap(10)
        with pytest.raises(ValueError, match=f"a prediction band is for normal noise; .* {noise}"):
            r.band(prediction=True)
    with pytest.raises(ValueError, match=r"a profile is for normal or poisson noise; .* huber"):
        robust.profile("tau")
    with pytest.raises(ValueError, match="only fits of one likelihood can be compared"):
        robust.compare(robust)


def test_starts_of_counts():
    r = tw.fit(decay, T, counts(5), p0=[40, 1, 4], noise="poisson", starts=3)
    np.testing.assert_allclose(r.params, of_counts(5).params, rtol=1e-5)
