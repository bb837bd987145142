"""The errors of tied parameters: how often their intervals hold the truth."""

import numpy as np
import pytest

import thalweg as tw

X = np.linspace(0, 10, 40)
FITS = 40_000
POINTS = 0.7  # by how many points of 100 a share may differ; three standard errors of 40,000 fits
TWO = "a1*exp(-(x - x1)**2/(2*s1**2)) + a2*exp(-(x - x2)**2/(2*s2**2)) + c"
TRUTH = {"a1": 3.0, "x1": 3.0, "s1": 0.9, "x2": 7.0, "c": 1.0}
TIES = {"a2": "2*a1", "s2": "sqrt(s1**2 + 0.1)"}
EVERY = TRUTH | {"a2": 6.0, "s2": (0.9**2 + 0.1) ** 0.5}
NORMAL_95 = 1.959964  # 95 % of a normal distribution lie within so many standard deviations


@pytest.mark.parametrize("absolute", [True, False], ids=["sigma known", "sigma unknown"])
def test_intervals_of_tied_parameters_hold_the_truth_as_often_as_they_say(absolute):
    rng, sigma = np.random.default_rng(0), np.full(len(X), 0.05)
    curve = tw.fit(TWO, X, X, EVERY, max_iter=0).fitted
    y = curve + rng.normal(0, sigma, (FITS, len(X)))
    r = tw.fit(TWO, X, y, TRUTH, tied=TIES, sigma=sigma, absolute_sigma=absolute)
    assert r.success.all()
    truth = np.array([EVERY[name] for name in r.names])
    pull = abs(r.params - truth) / r.stderr
    if absolute:
        shares = {1: 68.27, NORMAL_95: 95.0}
    else:  # Student's t with 35 degrees of freedom
        shares = {1.01443: 68.27, 2.03011: 95.0}
    for limit, share in shares.items():
        off = 100 * (pull <= limit).mean(0) - share
        assert (abs(off) <= POINTS).all(), dict(zip(r.names, off, strict=True))
    correlation = np.corrcoef(r.params.T)
    np.testing.assert_allclose(r.correlation.mean(0), correlation, atol=0.02)
