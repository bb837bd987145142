"""What estimates of counts and of data with outliers promise: bound, bias, coverage."""

import numpy as np
from problems import decay, line

import thalweg as tw

FITS = 10_000


def test_counts_reach_the_bound_of_cramer_and_rao():
    """Standard deviations are within 3 % of it, biases within a tenth, and intervals hold."""
    t, truth = np.linspace(0, 5, 50), np.array([300.0, 1.2, 30.0])
    mean = decay(t, *truth)
    y = np.random.default_rng(1).poisson(mean, (FITS, 50)).astype(float)
    r = tw.fit(decay, t, y, truth, noise="poisson")
    J = tw.fit(decay, t, mean, truth).jacobian
    bound = np.sqrt(np.diag(np.linalg.inv(J.T @ (J / mean[:, None]))))
    assert r.success.all()
    assert (np.abs(r.params.std(axis=0) / bound - 1) < 0.03).all()
    assert (np.abs(r.params.mean(axis=0) - truth) < 0.1 * bound).all()
    inside = (np.abs(r.params - truth) < r.stderr).mean(axis=0)
    assert (np.abs(inside - 0.6827) < 0.015).all()
    squares = tw.fit(decay, t, y, truth, sigma=np.sqrt(np.maximum(y, 1)))
    # whose weights favour the points that happen to be low, by about one count a point
    assert np.abs((r.fitted - y).mean()) < 0.01
    assert (squares.fitted - y).mean() < -0.5


def test_intervals_hold_where_a_twentieth_of_the_points_is_wrong():
    rng, x = np.random.default_rng(2), np.linspace(0, 5, 60)
    y = line(x, 1.0, 2.0) + 0.1 * rng.standard_normal((FITS, 60))
    y += (rng.random(y.shape) < 0.05) * 2 * rng.standard_normal(y.shape)
    for loss in ("huber", "cauchy"):
        r = tw.fit(line, x, y, [1.0, 2.0], robust=loss, f_scale="estimate")
        assert r.success.all()
        for level in (0.6827, 0.95):
            low, high = np.moveaxis(r.interval(level), -1, 0)
            inside = ((low < [1.0, 2.0]) & ([1.0, 2.0] < high)).mean(axis=0)
            assert (np.abs(inside - level) < 0.015).all(), (loss, level, inside)
