"""The greedy order: the coordinate by whose update the loss falls most, as in the kernels."""

import numpy as np
import pytest
from descent_problems import definite, rosenbrock
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg.optimizers import CoordinateDescent

EPS = np.finfo(float).eps
T = np.linspace(0, 4, 30)


def one_step(loss, theta, **options):
    """Return the point after one greedy update."""
    method = CoordinateDescent("greedy", updates=1)
    return tw.minimize(loss, theta, method, gtol=0, max_iter=1, **options).theta


def exact_steps(loss, theta, lower, upper):
    """Return P points, the j-th with coordinate j at its minimum along its axis within bounds."""
    g, h = loss.gradient(theta), np.diag(loss.hessian(theta))
    points = np.tile(theta, (theta.size, 1))
    np.fill_diagonal(points, np.clip(theta - g / h, lower, upper))
    return points


@pytest.mark.parametrize("bounds", [None, (-0.5, 0.75)])
@pytest.mark.parametrize("kind", ["quadratic", "operator", "least squares"])
@given(seed=st.integers(0, 2**32 - 1), P=st.integers(1, 12))
def test_no_other_exact_step_lowers_a_quadratic_loss_more(kind, bounds, seed, P):
    rng = np.random.default_rng(seed)
    units = 10.0 ** rng.uniform(-3, 3, P)  # the largest derivative is another coordinate's
    B = definite(rng, P) * np.outer(units, units)
    loss = {
        "quadratic": lambda: tw.QuadraticLoss(B, rng.standard_normal(P)),
        "operator": lambda: tw.QuadraticLoss(lambda v: B @ v, rng.standard_normal(P)),
        "least squares": lambda: tw.LinearLeastSquares(
            rng.standard_normal((P + 5, P)) * units, rng.standard_normal(P + 5)
        ),
    }[kind]()
    lower, upper = (-np.inf, np.inf) if bounds is None else bounds
    theta = np.clip(rng.standard_normal(P), lower, upper)
    after = one_step(loss, theta, bounds=bounds)
    best = min(loss.value(point) for point in exact_steps(loss, theta, lower, upper))
    start = loss.value(theta)
    # the state and the loss sum the same products in other orders
    assert loss.value(after) <= best + 100 * P * EPS * (start + np.abs(loss.gradient(theta)).max())


@given(seed=st.integers(0, 2**32 - 1))
def test_no_other_update_lowers_any_other_loss_more(seed):
    """An update of these is a step of Newton's, halved until the loss does not rise."""
    rng = np.random.default_rng(seed)
    loss, theta = rosenbrock(), rng.uniform(-2, 2, 2)
    after = one_step(loss, theta)
    for j in range(2):
        alone = tw.FunctionLoss(
            lambda t, j=j: loss.value(np.where(np.arange(2) == j, t[0], theta)),
            lambda t, j=j: loss.gradient(np.where(np.arange(2) == j, t[0], theta))[j : j + 1],
            lambda t, j=j: loss.hessian(np.where(np.arange(2) == j, t[0], theta))[j : j + 1, [j]],
        )
        other = one_step(alone, theta[j : j + 1])
        assert loss.value(after) <= alone.value(other) * (1 + 1e-12)


def test_a_model_is_descended_to_its_minimum():
    loss = tw.MSELoss(lambda t, a, tau: a * np.exp(-t / tau), T, 3 * np.exp(-T / 2))
    r = tw.minimize(loss, [2.0, 1.5], CoordinateDescent("greedy"), gtol=1e-9, max_iter=2000)
    assert r.success, r.summary()
    np.testing.assert_allclose(r.theta, [3, 2], rtol=1e-6)


def test_it_is_the_order_of_the_kernel():
    """The same coordinates, one after the other, as `kernels.coordinate_sweep` takes."""
    rng = np.random.default_rng(4)
    A, b = rng.standard_normal((40, 6)) * 10.0 ** np.arange(-2, 4), rng.standard_normal(40)
    theta, residual = np.zeros(6), b.copy()
    tw.kernels.coordinate_sweep(A, theta, residual, order="greedy", sweeps=2)
    method = CoordinateDescent("greedy", updates=12)
    r = tw.minimize(tw.LinearLeastSquares(A, b), np.zeros(6), method, gtol=0, max_iter=1)
    np.testing.assert_allclose(r.theta, theta, rtol=1e-10)


@pytest.mark.parametrize("size", [1e-250, 1.0, 1e250])
def test_the_order_is_that_of_any_size(size):
    """Falls are compared as those of losses of size 1: none is lost below the least number."""
    rng = np.random.default_rng(5)
    B, theta = definite(rng, 5), rng.standard_normal(5)
    moved = np.flatnonzero(one_step(tw.QuadraticLoss(B * size), theta) != theta)
    expected = np.flatnonzero(one_step(tw.QuadraticLoss(B), theta) != theta)
    np.testing.assert_array_equal(moved, expected)


def test_a_coordinate_without_curvature_is_named():
    loss = tw.QuadraticLoss([[1.0, 1.0], [1.0, 0.0]])
    r = tw.minimize(loss, [1.0, 1.0], CoordinateDescent("greedy"))
    assert r.status is tw.Status.UNBOUNDED
    assert "parameter 1" in r.reason() or "no minimum" in r.reason()
