"""L-BFGS: what defines its matrix, its kinship with other methods, its bounds, SciPy beside it."""

from collections import deque

import numpy as np
import pytest
from descent_problems import Smooth, definite, rosenbrock
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.descent.minimize import minimize
from thalweg.losses import QuadraticLoss
from thalweg.optimizers import LBFGS, ConjugateGradient
from thalweg.optimizers.lbfgs import Pair, two_loops

seeds = st.integers(0, 2**32 - 1)


def pairs_of(rng, P, m):
    """Pairs that a Hessian, changing a little from step to step, could have made."""
    kept = deque(maxlen=m)
    for _ in range(m):
        s = rng.standard_normal(P)
        y = definite(rng, P) @ s
        kept.append(Pair(s, y, float(s @ y)))
    return kept


@given(seed=seeds, P=st.integers(1, 6), m=st.integers(0, 5))
def test_two_loops_are_the_dense_update(seed, P, m):
    """K <- (1 - s y' / s'y) K (1 - y s' / s'y) + s s' / s'y, from gamma M^-1 on."""
    rng = np.random.default_rng(seed)
    pairs, gamma, M = pairs_of(rng, P, m), rng.uniform(0.1, 10), definite(rng, P)
    K = gamma * np.linalg.inv(M)
    for s, y, sy in pairs:
        left = np.eye(P) - np.outer(s, y) / sy
        K = left @ K @ left.T + np.outer(s, s) / sy
    g = rng.standard_normal(P)
    got = two_loops(g, pairs, lambda v: np.linalg.solve(M, v), gamma)
    assert np.allclose(got, K @ g, rtol=1e-9, atol=1e-9 * np.abs(K).max())
    if pairs:
        s, y, _ = pairs[-1]
        assert np.allclose(two_loops(y, pairs, lambda v: v, gamma), s, rtol=1e-9, atol=1e-9)


def test_with_exact_steps_its_points_are_those_of_conjugate_gradients():
    """Both search the same spaces on a quadratic loss; Nocedal and Wright, theorem 6.4."""
    rng = np.random.default_rng(0)
    loss = QuadraticLoss(definite(rng, 12, 50.0), rng.standard_normal(12))
    options = dict(gtol=1e-8, record=True)
    one = minimize(loss, np.zeros(12), LBFGS(memory=12), **options)
    other = minimize(loss, np.zeros(12), ConjugateGradient(), **options)
    k = 11  # then rounding decides which of them is a step ahead
    assert one.n_iter >= k and other.n_iter >= k
    assert np.allclose(one.history.theta[:k], other.history.theta[:k], rtol=0, atol=1e-9)


@given(seed=seeds)
def test_units_of_all_parameters_and_of_the_loss_do_not_matter(seed):
    """Powers of two are exact, so that the paths agree to the last bit."""
    rng = np.random.default_rng(seed)
    start, unit, size = rng.uniform(-2, 2, 2), 2.0 ** rng.integers(-60, 60), 2.0**40
    f = rosenbrock()
    scaled = Smooth(
        2, lambda x: size * f.value(x / unit), lambda x: size / unit * f.gradient(x / unit)
    )
    options = dict(max_iter=8, gtol=0, record=True)
    for bounds in (None, (-2, 2)):
        wide = None if bounds is None else (-2 * unit, 2 * unit)
        one = minimize(f, start, LBFGS(), bounds=bounds, **options)
        other = minimize(scaled, unit * start, LBFGS(), bounds=wide, **options)
        assert np.array_equal(one.history.theta * unit, other.history.theta)


def logistic(rng, n, P):
    """sum log(1 + exp(-A theta)) + |theta|^2 / 2, convex, not quadratic."""
    A = rng.standard_normal((n, P)) * np.geomspace(0.1, 10, P)

    def value(theta):
        return np.logaddexp(0, -A @ theta).sum() + 0.5 * theta @ theta

    def gradient(theta):
        return -A.T @ (1 / (1 + np.exp(A @ theta))) + theta

    return Smooth(P, value, gradient)


@given(seed=seeds, P=st.integers(1, 30))
@settings(max_examples=30)
def test_optimality_within_bounds_of_a_convex_loss(seed, P):
    rng = np.random.default_rng(seed)
    loss = logistic(rng, 60, P)
    low, high = -rng.uniform(0, 0.5, P), rng.uniform(0, 0.5, P)
    r = minimize(loss, np.zeros(P), LBFGS(), bounds=(low, high), gtol=1e-8, max_iter=500)
    g = loss.gradient(r.theta)
    # a step of 1e-8 of theta changes the gradient by that much of the curvature
    slack = 1e-6 * (1 + np.abs(loss.gradient(np.zeros(P))).max())
    assert r.success and (r.theta >= low).all() and (r.theta <= high).all(), r.summary()
    assert (g[r.theta > low] <= slack).all() and (g[r.theta < high] >= -slack).all()


def counted(loss):
    calls = []

    def value(theta):
        calls.append(1)
        return loss.value(theta)

    return Smooth(loss.n_params, value, loss.gradient), calls


@pytest.mark.parametrize(("P", "bounded"), [(2, False), (2, True), (40, False), (40, True)])
def test_no_more_evaluations_than_scipy(P, bounded):
    """Over ten starts, or three of 40 parameters, at the same gradient; 1.3 leaves room for chance.

    The proof that it is a minimum costs up to 24 gradients, or one for each of few parameters, and
    may have to be tried again.
    """
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(P)
    ours = theirs = 0
    starts = 10 if P == 2 else 3
    for _ in range(starts):
        loss = rosenbrock() if P == 2 else logistic(rng, 3 * P, P)
        start = rng.uniform(-1, 1, P)
        bounds = (-1.5, 0.6) if bounded else None
        start = np.minimum(start, 0.6)
        counting, calls = counted(loss)
        r = minimize(counting, start, LBFGS(), bounds=bounds, gtol=1e-7)
        ours += len(calls)
        limits = None if bounds is None else [bounds] * P
        options = dict(ftol=0, gtol=r.gradient_norm, maxiter=1000)
        s = optimize.minimize(
            loss.value, start, jac=loss.gradient, method="L-BFGS-B", bounds=limits, options=options
        )
        theirs += s.nfev
        assert r.success and np.allclose(r.theta, s.x, rtol=1e-4, atol=1e-4), (r.summary(), s)
    assert ours <= 1.3 * theirs + starts * 3 * min(P, 24), (ours, theirs)


def test_many_parameters_take_little_memory():
    P = 5_000
    scale = np.geomspace(1, 100, P)

    def value(x):
        u = x - 1
        return (scale * u**2).sum() + (u**4).sum() + 1

    quartic = Smooth(P, value, lambda x: 2 * scale * (x - 1) + 4 * (x - 1) ** 3)
    r = minimize(quartic, np.zeros(P), LBFGS(), gtol=1e-6)
    assert r.success and np.abs(r.theta - 1).max() < 1e-3


@pytest.mark.parametrize("memory", [0, 1.5, -3])
def test_memory_refused(memory):
    with pytest.raises(ValueError, match="memory must be a whole number from 1"):
        LBFGS(memory)
