"""Proximal gradients: KKT conditions, the duality gap, coordinate sweeps beside it, kinds of l1."""

import numpy as np
import pytest
from descent_problems import definite
from hypothesis import given
from hypothesis import strategies as st
from test_lbfgs import logistic

import thalweg as tw
from thalweg.losses.penalised import Penalised
from thalweg.status import Status

seeds = st.integers(0, 2**32 - 1)


def lasso(rng, n, P):
    A = rng.standard_normal((n, P)) * 10.0 ** rng.uniform(-1, 1, P)
    b = A[:, : max(1, P // 3)].sum(axis=1) + 0.3 * rng.standard_normal(n)
    return tw.LinearLeastSquares(A, b)


def assert_kkt(loss, theta, l1, slack, low=-np.inf, high=np.inf):
    """g_j = -l1_j sign(theta_j), |g_j| <= l1_j at 0, and only bounds keep from more."""
    g = loss.gradient(theta)
    inside = (theta > low) & (theta < high)
    moved = inside & (theta != 0)
    assert np.abs(g + l1 * np.sign(theta))[moved].max(initial=0) <= slack
    assert (np.abs(g) - l1)[inside & (theta == 0)].max(initial=0) <= slack


@given(seed=seeds, n=st.integers(1, 30), P=st.integers(1, 20), share=st.floats(0.01, 1.2))
def test_the_gap_is_met_and_is_a_proof(seed, n, P, share):
    rng = np.random.default_rng(seed)
    loss = lasso(rng, n, P)
    l1 = share * np.abs(loss.gradient(np.zeros(P))).max()
    method = tw.ProximalGradient(l1, preconditioner="diagonal")
    r = tw.minimize(loss, rng.standard_normal(P), method, gtol=1e-6, max_iter=20_000)
    assert r.success, r.summary()
    scale = 0.5 * loss.b @ loss.b
    objective = Penalised(loss, l1)
    gap = objective.gap(r.theta)
    assert gap <= 1e-6 * scale * (1 + 1e-9) and r.loss == objective.value(r.theta)
    theta, residual = np.zeros(P), loss.b.copy()
    best = tw.kernels.coordinate_sweep(
        np.asfortranarray(loss.A.array), theta, residual, l1=l1, sweeps=3000
    ).objective
    assert -1e-9 * scale <= r.loss - best <= gap + 1e-9 * scale


@pytest.mark.parametrize("stop", ["gap", "gradient"])
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_either_stop_in_any_unit(stop, size):
    rng = np.random.default_rng(0)
    plain = lasso(rng, 40, 12)
    l1 = 0.1 * np.abs(plain.gradient(np.zeros(12))).max()
    loss = tw.LinearLeastSquares(plain.A.array, size * plain.b)
    method = tw.ProximalGradient(l1 * size, stop=stop)
    r = tw.minimize(loss, np.zeros(12), method, gtol=1e-9, max_iter=20_000)
    want = tw.minimize(plain, np.zeros(12), tw.ProximalGradient(l1), gtol=1e-14, max_iter=50_000)
    assert r.success and np.allclose(r.theta / size, want.theta, rtol=0, atol=1e-3), r.summary()
    assert_kkt(plain, want.theta, l1, 1e-5 * l1)


@given(seed=seeds, P=st.integers(1, 8))
def test_losses_that_are_no_squares(seed, P):
    rng = np.random.default_rng(seed)
    smooth = logistic(rng, 40, P)
    loss = tw.FunctionLoss(smooth.value, smooth.gradient)  # no second derivatives either
    l1 = rng.uniform(0, 2, P)
    r = tw.minimize(loss, np.zeros(P), tw.ProximalGradient(l1), gtol=1e-7, max_iter=50_000)
    size = np.abs(loss.gradient(np.zeros(P))).max()
    assert r.status not in (Status.DIVERGED, Status.NOT_FINITE), r.summary()
    assert_kkt(loss, r.theta, l1, 1e-4 * size)


@given(seed=seeds, P=st.integers(1, 10))
def test_bounds(seed, P):
    rng = np.random.default_rng(seed)
    loss = lasso(rng, 30, P)
    l1 = 0.2 * np.abs(loss.gradient(np.zeros(P))).max()
    low, high = np.where(rng.random(P) < 0.5, 0.0, -np.inf), rng.uniform(0, 1, P)
    method = tw.ProximalGradient(l1, preconditioner="diagonal")
    r = tw.minimize(loss, np.zeros(P), method, bounds=(low, high), gtol=1e-9, max_iter=20_000)
    assert r.success and (r.theta >= low).all() and (r.theta <= high).all(), r.summary()
    slack = 1e-5 * (l1 + np.abs(loss.gradient(np.zeros(P))).max())
    assert_kkt(loss, r.theta, l1, slack, low, high)
    g = loss.gradient(r.theta) + l1 * np.sign(r.theta)
    assert (g[r.theta == high] <= slack).all()
    zero = (r.theta == 0) & (low == 0)
    assert (loss.gradient(r.theta)[zero] + l1 >= -slack).all()


def test_without_a_penalty_it_is_least_squares():
    rng = np.random.default_rng(0)
    loss = lasso(rng, 40, 8)
    want = np.linalg.lstsq(loss.A.array, loss.b)[0]
    method = tw.ProximalGradient(0, preconditioner="diagonal")
    r = tw.minimize(loss, np.zeros(8), method, max_iter=20_000)
    assert r.success and np.allclose(r.theta, want, rtol=1e-5), r.summary()


def test_an_infinite_penalty_leaves_a_parameter_out():
    rng = np.random.default_rng(0)
    loss = lasso(rng, 40, 4)
    l1 = np.array([0.01, np.inf, 0.01, np.inf])
    r = tw.minimize(loss, np.zeros(4), tw.ProximalGradient(l1), gtol=1e-10, max_iter=20_000)
    some = tw.LinearLeastSquares(loss.A.array[:, ::2], loss.b)
    want = tw.minimize(some, np.zeros(2), tw.ProximalGradient(0.01), gtol=1e-10, max_iter=20_000)
    assert r.success and np.array_equal(r.theta[1::2], [0, 0])
    assert np.allclose(r.theta[::2], want.theta, rtol=1e-4)


def test_a_large_penalty_leaves_nothing():
    loss = lasso(np.random.default_rng(0), 30, 5)
    l1 = 1.0001 * np.abs(loss.gradient(np.zeros(5))).max()
    for start in (np.zeros(5), np.ones(5)):
        r = tw.minimize(loss, start, tw.ProximalGradient(l1), gtol=1e-12, max_iter=20_000)
        assert r.success and not r.theta.any() and not np.signbit(r.theta).any()


def test_quadratic_losses_and_columns():
    rng = np.random.default_rng(0)
    B = definite(rng, 6, 50.0)
    loss = tw.QuadraticLoss(B, rng.standard_normal(6))
    r = tw.minimize(loss, np.zeros(6), tw.ProximalGradient(0.5), max_iter=5000)
    assert r.success
    assert_kkt(loss, r.theta, 0.5, 1e-5)
    A, many = rng.standard_normal((20, 5)), rng.standard_normal((20, 3))
    several = tw.LinearLeastSquares(A, many)
    r = tw.minimize(several, np.zeros((5, 3)), tw.ProximalGradient(2.0), gtol=1e-10, max_iter=5000)
    assert r.success
    for k in range(3):
        assert_kkt(several.column(k), r.theta[:, k], 2.0, 1e-3)


def test_momentum_pays():
    """The excess falls as 1 / k^2 at least, from a start far away; without momentum as 1 / k."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 100)) @ np.diag(np.geomspace(1, 1e-2, 100))
    loss = tw.LinearLeastSquares(A, A @ np.ones(100) + 0.01 * rng.standard_normal(200))
    method = tw.ProximalGradient(1e-3)
    best = tw.minimize(loss, np.zeros(100), method, gtol=1e-12, max_iter=50_000).loss
    r = tw.minimize(loss, np.zeros(100), method, gtol=0, max_iter=400)
    k = np.arange(1, 401)
    sigma = np.linalg.norm(A, 2) ** 2
    bound = 2 * sigma * 100 / (k + 1) ** 2
    excess = np.minimum.accumulate(r.history.loss[1:]) - best
    assert (excess <= 1.5 * bound).all()
    assert (np.diff(r.history.loss) <= 1e-9).mean() > 0.95  # restarts keep it from swinging


def test_saddles_are_refused():
    r = tw.minimize(tw.QuadraticLoss(np.diag([1.0, -1])), [1, 1], tw.ProximalGradient(0.1))
    assert r.status is Status.UNBOUNDED and "negative eigenvalue" in r.reason()


REFUSED = [
    ("stop must be one of auto, gap, gradient, got 'soon'", dict(l1=1, stop="soon"), {}),
    ("l1 must not be negative, got -1", dict(l1=[1, -1]), {}),
    ("l1 must not be negative, got nan", dict(l1=np.nan), {}),
    (r"l1 must have shape \(\) or \(P=2,\), got \(3,\)", dict(l1=np.ones(3)), {}),
    ("there is a duality gap for LinearLeastSquares", dict(l1=[0, 1], stop="gap"), {}),
    ("there is a duality gap for", dict(l1=1, stop="gap"), dict(bounds=(0, 1))),
    ("needs a diagonal preconditioner", dict(l1=1, preconditioner=np.eye(2)), {}),
]


@pytest.mark.parametrize(("sentence", "settings", "options"), REFUSED)
def test_refusals(sentence, settings, options):
    loss = tw.LinearLeastSquares(np.eye(2), [1, 2])
    with pytest.raises(ValueError, match=sentence):
        tw.minimize(loss, [0, 0], tw.ProximalGradient(**settings), **options)
