"""Conjugate gradients and L-BFGS within bounds: SciPy's solvers, KKT conditions, hard corners."""

import numpy as np
import pytest
from descent_problems import Smooth, definite
from hypothesis import given
from hypothesis import strategies as st

from thalweg.descent.minimize import minimize
from thalweg.losses import LinearLeastSquares, QuadraticLoss
from thalweg.optimizers import LBFGS, ConjugateGradient, Problem
from thalweg.optimizers.faces import reach, stepped
from thalweg.status import Status

seeds = st.integers(0, 2**32 - 1)
METHODS = [ConjugateGradient(), LBFGS()]
both = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


def assert_optimal(loss, theta, low, high, slack=1e-7):
    """KKT: no derivative but those that press against a bound, relative to that at 0."""
    g = loss.gradient(theta)
    slack = slack * (1 + np.abs(loss.gradient(np.zeros_like(theta))).max())
    assert (theta >= low).all() and (theta <= high).all()
    assert (g[theta > low] <= slack).all() and (g[theta < high] >= -slack).all()


@both
@given(seed=seeds, P=st.integers(1, 25), kappa=st.sampled_from([1.0, 1e2, 1e4]))
def test_quadratics_of_any_condition(method, seed, P, kappa):
    rng = np.random.default_rng(seed)
    loss = QuadraticLoss(definite(rng, P, kappa), 2 * rng.standard_normal(P))
    low, high = -rng.uniform(0, 2, P), rng.uniform(0, 2, P)
    low[rng.random(P) < 0.2] = -np.inf
    high[rng.random(P) < 0.2] = np.inf
    r = minimize(loss, np.zeros(P), method, bounds=(low, high), gtol=1e-9, max_iter=20_000)
    assert r.success, r.summary()
    assert_optimal(loss, r.theta, low, high)
    assert (np.diff(r.history.loss) <= 1e-12 * np.abs(r.history.loss[0])).all()


@both
@pytest.mark.parametrize("n", [30, 200])
def test_non_negative_least_squares_as_scipy(method, n):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(n)
    A, b = rng.standard_normal((n, n // 2)), rng.standard_normal(n)
    theirs, _ = optimize.nnls(A, b)
    r = minimize(LinearLeastSquares(A, b), np.zeros(n // 2), method, bounds=(0, np.inf), gtol=1e-10)
    assert r.success and np.allclose(r.theta, theirs, rtol=0, atol=1e-8), r.summary()
    assert np.array_equal(r.theta == 0, theirs == 0)


@pytest.mark.parametrize("method", [ConjugateGradient, LBFGS])
def test_bounded_least_squares_as_scipy(method):
    """Units from 1e-3 to 1e3, which a diagonal preconditioner takes out."""
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((60, 20)) * np.geomspace(1e-3, 1e3, 20), rng.standard_normal(60)
    high = 1 / np.geomspace(1e-2, 1e4, 20)
    want = optimize.lsq_linear(A, b, (-high, high), tol=1e-14, max_iter=500).x
    loss = LinearLeastSquares(A, b)
    bounds = -high, high
    r = minimize(loss, np.zeros(20), method(preconditioner="diagonal"), bounds=bounds, gtol=1e-12)
    assert r.loss <= loss.value(np.clip(want, -high, high)) * (1 + 1e-9), r.summary()


@both
def test_many_parameters_reach_their_bounds_in_few_steps(method):
    """One bound a step would take hundreds."""
    P = 1000
    loss = QuadraticLoss(lambda v: np.geomspace(1, 10, P) * v, np.full(P, 3.0))
    r = minimize(loss, np.zeros(P), method, bounds=(-1, 1))
    assert r.success and (r.theta == 1).all() and r.n_iter <= 10, r.summary()


@both
def test_bounds_let_go(method):
    """From the wrong corner of the box to a minimum inside."""
    rng = np.random.default_rng(0)
    loss = QuadraticLoss(definite(rng, 10, 100.0), rng.uniform(-0.5, 0.5, 10))
    for corner in (-np.ones(10), np.ones(10), np.where(rng.random(10) < 0.5, -1.0, 1.0)):
        r = minimize(loss, corner, method, bounds=(-1, 1), gtol=1e-10)
        assert r.success and np.allclose(r.theta, loss.theta_star, atol=1e-8), r.summary()


@both
def test_parameters_that_have_no_room(method):
    loss = QuadraticLoss(np.eye(3), [1.0, 2, 3])
    r = minimize(loss, [0, 0.5, 0], method, bounds=([0, 0.5, -9], [0, 0.5, 9]))
    assert r.success and np.allclose(r.theta, [0, 0.5, 3])
    r = minimize(loss, [0, 0, 0], method, bounds=(0, 0))
    assert r.theta.tolist() == [0, 0, 0] and r.n_iter == 0


@both
def test_a_saddle_in_a_box_ends_on_its_wall(method):
    loss = QuadraticLoss(np.diag([1.0, -1.0]))
    r = minimize(loss, [0.5, 0.1], method, bounds=(-1, 2))
    assert np.allclose(r.theta, [0, 2], atol=1e-8), r.summary()
    r = minimize(loss, [0.5, 0.1], method, bounds=([-1, -1], [1, np.inf]))
    assert r.status is Status.UNBOUNDED or not r.success, r.summary()


@given(seed=seeds)
def test_no_step_leaves_the_box_and_reach_is_its_wall(seed):
    rng = np.random.default_rng(seed)
    P = int(rng.integers(1, 6))
    low, high = -(10.0 ** rng.uniform(-8, 8, P)), 10.0 ** rng.uniform(-8, 8, P)
    problem = Problem(Smooth(P, np.sum, np.ones_like), low, high)
    theta = low + rng.uniform(0, 1, P) * (high - low)
    d = rng.standard_normal(P) * 10.0 ** rng.uniform(-8, 8, P)
    theta = np.minimum(np.maximum(theta, low), high)
    most = reach(problem, theta, d)
    at_wall = stepped(problem, problem.at(theta), most, d).theta
    assert ((at_wall == low) | (at_wall == high)).any()  # exactly, so that the bound can hold
    for alpha in (0.5 * most, most, 2 * most, 1e9 * most):
        new = stepped(problem, problem.at(theta), alpha, d).theta
        assert (new >= low).all() and (new <= high).all()
