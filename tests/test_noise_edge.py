"""Counts whose minimum is at the edge of positive means: the mean of some count of 0 goes to 0."""

import numpy as np
import pytest
import scipy.optimize
from problems import decay

import thalweg as tw
from thalweg.reference.noise import EDGE

X = np.array([0.05, 0.3, 0.9, 1.4, 2.2, 3.1, 4.0, 4.8])
EDGES = {np.float64: 1e-7, np.float32: 1e-4}  # below it a mean of no counts is at the edge


def drawn(n, unit=1.0, seed=21):
    """Decays of 8 small counts: of about a quarter the minimum is at the edge."""
    rng = np.random.default_rng(seed)
    truth = np.array([3.0, 1.2, 0.5]) * rng.uniform(0.8, 1.25, (n, 3))
    y = rng.poisson(np.stack([decay(X, *t) for t in truth])).astype(float)
    return y, truth * rng.uniform(0.8, 1.25, (n, 3)) * [1, unit, 1]


def left_of_gradient(y, f, J, edge):
    """The gradient of the deviance, in standard errors, that multipliers >= 0 at the edge leave."""
    f = np.maximum(f, np.finfo(float).tiny)
    size = np.sqrt(((J**2).T / f)[:, ~edge].sum(axis=1))
    g = -2 * (J.T @ ((y - f) / f))
    columns = np.column_stack([J[edge].T, np.zeros(len(g))])
    return scipy.optimize.nnls(columns / size[:, None], g / size)[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_minimum_at_the_edge_is_reached_and_every_success_is_one(isa, dtype):
    y, start = drawn(400)
    r = tw.fit(decay, X, y, start, noise="poisson", dtype=dtype)
    at_edge = 0
    for k in np.flatnonzero(r.success):
        f, J = decay(X, *r.params[k].astype(float)), r.jacobian[k].astype(float)
        edge = (y[k] == 0) & (f < EDGES[dtype])
        at_edge += edge.any()
        assert left_of_gradient(y[k], f, J, edge) <= (1e-5 if dtype == np.float64 else 0.05)
    assert at_edge >= 70  # 80 are reached


def test_the_unit_of_x_and_the_batch_do_not_matter_at_the_edge(isa):
    y, start = drawn(40)
    want = tw.fit(decay, X, y, start, noise="poisson")
    for unit in (2.0**-300, 2.0**300):
        scales = np.array([1, unit, 1])
        got = tw.fit(decay, X * unit, y, start * scales, noise="poisson")
        np.testing.assert_array_equal(got.success, want.success)
        np.testing.assert_allclose(
            got.params[got.success], (want.params * scales)[want.success], 1e-6
        )
    alone = [
        tw.fit(decay, X, a, b, noise="poisson", threads=1) for a, b in zip(y, start, strict=True)
    ]
    np.testing.assert_array_equal([r.params for r in alone], want.params)


def test_error_bars_are_those_of_the_information_where_tails_fade(isa):
    """Means below EDGE without counts, far from a peak, hardly add to the information."""
    x = np.linspace(-6, 6, 61)

    def peak(x, a, m, s):
        return a * np.exp(-((x - m) ** 2) / (2 * s**2))

    y = np.random.default_rng(5).poisson(peak(x, 6.0, 0.2, 0.9)).astype(float)
    r = tw.fit(peak, x, y, [5.0, 0.0, 1.0], noise="poisson")
    f = peak(x, *r.params)
    assert r.success and ((y == 0) & (f < EDGE)).sum() > 10
    information = (r.jacobian.T / f) @ r.jacobian
    np.testing.assert_allclose(r.cov, np.linalg.inv(information), rtol=1e-3)
