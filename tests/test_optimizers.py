"""Methods of descent: rates, iterates and bounds."""

from math import sqrt

import numpy as np
import pytest
from descent_problems import Smooth, SumOfSquares, definite, rosenbrock, saddle
from hypothesis import given
from hypothesis import strategies as st

from thalweg.descent.minimize import minimize
from thalweg.losses import LinearLeastSquares, QuadraticLoss
from thalweg.optimizers import (
    LBFGS,
    Block,
    ConjugateGradient,
    CoordinateDescent,
    Diagonal,
    GaussNewton,
    GradientDescent,
    HeavyBall,
    IncompleteCholesky,
    LevenbergMarquardt,
    Nesterov,
    Newton,
    Problem,
    SteepestDescent,
    StrongWolfe,
    heavy_ball,
    nesterov,
)
from thalweg.optimizers.precondition import incomplete_cholesky

seeds = st.integers(0, 2**32 - 1)


METHODS = {
    "gradient descent": GradientDescent(),
    "gradient descent, diagonal": GradientDescent(preconditioner="diagonal"),
    "gradient descent, blocks": GradientDescent(preconditioner=Block(2)),
    "steepest descent": SteepestDescent(),
    "steepest descent, diagonal": SteepestDescent(preconditioner="diagonal"),
    "cyclic": CoordinateDescent(),
    "shuffled": CoordinateDescent("shuffled"),
    "random": CoordinateDescent("random"),
    "greedy": CoordinateDescent("greedy"),
    "one at a time": CoordinateDescent(updates=1),
    "heavy ball": HeavyBall(),
    "Nesterov": Nesterov(),
    "Nesterov, given step": Nesterov(step_size=0.02),
    "heavy ball, given step": HeavyBall(step_size=0.02),
    "conjugate gradient": ConjugateGradient(),
    "conjugate gradient, diagonal": ConjugateGradient(preconditioner=Diagonal()),
    "L-BFGS": LBFGS(),
    "L-BFGS, diagonal": LBFGS(memory=3, preconditioner="diagonal"),
    "Newton": Newton(),
    "Newton, damped": Newton(damping=0.1),
    "Gauss-Newton": GaussNewton(),
    "Levenberg-Marquardt": LevenbergMarquardt(),
}


PAST_ROUNDING = dict(gtol=1e-15, max_iter=20_000)


@pytest.mark.parametrize("name", METHODS)
@given(seed=seeds, P=st.integers(1, 5))
def test_quadratics_to_the_closed_form(name, seed, P):
    """To 1e-12 of theta_star, whatever the method."""
    rng = np.random.default_rng(seed)
    loss = QuadraticLoss(definite(rng, P), star := rng.standard_normal(P))
    r = minimize(loss, rng.standard_normal(P), METHODS[name], **PAST_ROUNDING)
    assert np.abs(r.theta - star).max() <= 1e-12 * (1 + np.abs(star).max()), r.summary()


@pytest.mark.parametrize("name", METHODS)
@given(seed=seeds, P=st.integers(1, 4))
def test_linear_least_squares_to_the_closed_form(name, seed, P):
    rng = np.random.default_rng(seed)
    A = definite(rng, 8, 4.0)[:, :P]
    b, w = rng.standard_normal(8), rng.uniform(0.5, 2, 8)
    want = np.linalg.lstsq(np.sqrt(w)[:, None] * A, np.sqrt(w) * b)[0]
    r = minimize(LinearLeastSquares(A, b, w), np.zeros(P), METHODS[name], **PAST_ROUNDING)
    assert np.abs(r.theta - want).max() <= 1e-12 * (1 + np.abs(want).max()), r.summary()


@given(seed=seeds)
def test_gradient_descent_is_its_pseudo_code(seed):
    rng = np.random.default_rng(seed)
    loss, theta = QuadraticLoss(definite(rng, 3), rng.standard_normal(3)), rng.standard_normal(3)
    r = minimize(loss, theta, GradientDescent(0.02), gtol=0, max_iter=20, record=True)
    for k in range(20):
        assert np.array_equal(r.history.theta[k], theta)
        theta = theta + 0.02 * -loss.gradient(theta)
    assert np.array_equal(r.history.step_size, np.full(20, 0.02))


def test_steepest_descent_takes_the_exact_step():
    loss = QuadraticLoss(np.diag([1.0, 10]))
    r = minimize(loss, [10, 1], SteepestDescent(), record=True, max_iter=30)
    rate = (10 - 1) / (10 + 1)  # the rate of this start, the worst one
    assert np.allclose(r.history.loss[1:] / r.history.loss[:-1], rate**2, rtol=1e-9)
    steps = np.diff(r.history.theta, axis=0)
    assert np.allclose(np.sum(steps[1:] * steps[:-1], axis=1) / np.sum(steps[1:] ** 2, 1), 0)


def test_a_loss_that_knows_its_minimum_along_a_line():
    class Known(Smooth):
        def line_minimum(self, theta, d):
            return -float(theta @ d) / float(
                d @ d
            )  # the step to the minimum of any function of |theta|

    loss = Known(2, lambda x: (x @ x) ** 2, lambda x: 4 * (x @ x) * x)
    r = minimize(loss, [3, 4], SteepestDescent())
    assert r.n_iter == 1 and np.allclose(r.theta, 0, atol=1e-15)


def contraction(r, last=20):
    """By how much the last steps shrank the gradient, each."""
    norms = r.history.gradient_norm
    return (norms[-1] / norms[-1 - last]) ** (1 / last)


@pytest.mark.parametrize(
    ("method", "rate"),
    [
        (GradientDescent(), lambda k: (k - 1) / (k + 1)),
        (HeavyBall(), lambda k: (sqrt(k) - 1) / (sqrt(k) + 1)),
        (Nesterov(), lambda k: 1 - 2 / sqrt(3 * k + 1)),
    ],
)
def test_rates_of_fixed_steps(method, rate):
    loss = QuadraticLoss(np.diag(np.geomspace(1, 100, 7)))
    r = minimize(loss, np.ones(7), method, gtol=1e-12, max_iter=5000)
    assert r.success
    # a double root of the momentum methods shrinks as k rate^k: a little slower than rate
    assert contraction(r) == pytest.approx(rate(100), rel=0.02)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.8, 0.97])
@pytest.mark.parametrize("low", [1.0, 0.5, 1e-3])
@pytest.mark.parametrize("method", [heavy_ball, nesterov], ids=lambda m: m.__name__[-8:])
def test_no_step_is_better_than_the_best_step_for_a_momentum(method, low, beta):
    """The slowest component of errors shrinks by the larger root of x^2 - T x + q, a step."""

    def slowest(alpha):
        shrink = 1 - alpha * np.array([low, 1])
        T, q = shrink + beta, np.full(2, beta)
        if method is nesterov:
            T, q = (1 + beta) * shrink, beta * shrink
        root = np.sqrt(T * T / 4 - q + 0j)
        return np.abs([T / 2 + root, T / 2 - root]).max()

    best = slowest(method.best_step(beta, low, 1.0))
    assert best < 1
    assert best <= min(map(slowest, np.linspace(0.01, 4, 4001))) + 1e-7


def test_conjugate_gradients_end_after_as_many_steps_as_eigenvalues():
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((30, 30)))
    loss = QuadraticLoss((Q * np.repeat([1.0, 5, 20], 10)) @ Q.T, rng.standard_normal(30))
    assert minimize(loss, np.zeros(30), ConjugateGradient(), gtol=1e-10).n_iter == 3
    assert minimize(loss, np.zeros(30), Newton(), gtol=1e-10).n_iter == 1


def test_newton_does_not_see_the_condition_number():
    loss = QuadraticLoss(np.diag([1e-9, 1.0, 1e9]), [1, 2, 3])
    r = minimize(loss, np.zeros(3), Newton(), gtol=1e-12)
    assert r.n_iter == 1 and np.allclose(r.theta, [1, 2, 3], rtol=1e-14)


def test_preconditioners_shorten_the_way():
    rng = np.random.default_rng(0)
    units = np.geomspace(1, 1e4, 6)
    B = definite(rng, 6, 3.0) * units * units[:, None]
    loss, start = QuadraticLoss(B, rng.standard_normal(6)), np.zeros(6)
    for method in (GradientDescent, SteepestDescent, HeavyBall, Nesterov, ConjugateGradient, LBFGS):
        for M in ("diagonal", Diagonal(), np.diag(B), B, lambda v: v / np.diag(B), Block([[0, 5]])):
            with_it = minimize(loss, start, method(preconditioner=M), gtol=1e-10, max_iter=3000)
            assert np.abs(with_it.gradient_norm) <= 1e-10 * with_it.history.gradient_norm[0] or (
                isinstance(M, Block)
            )
        assert minimize(loss, start, method(preconditioner=B), gtol=1e-10).n_iter <= 12
        plain = minimize(loss, start, method(), gtol=1e-10, max_iter=400)
        scaled = minimize(loss, start, method(preconditioner="diagonal"), gtol=1e-10)
        assert scaled.n_iter < plain.n_iter


def laplacian(n):
    sparse = pytest.importorskip("scipy.sparse")
    one = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    return (sparse.kron(one, sparse.eye_array(n)) + sparse.kron(sparse.eye_array(n), one)).tocsc()


def test_incomplete_cholesky():
    B = laplacian(20)
    L = incomplete_cholesky(B).toarray()
    A, kept = B.toarray(), B.toarray() != 0
    assert np.allclose((L @ L.T)[kept], A[kept], rtol=1e-13)  # what defines it
    assert not L[~kept].any()
    loss, start = QuadraticLoss(B, np.ones(400)), np.zeros(400)
    plain = minimize(loss, start, ConjugateGradient())
    preconditioned = minimize(loss, start, ConjugateGradient(preconditioner=IncompleteCholesky()))
    assert preconditioned.success and preconditioned.n_iter < 0.6 * plain.n_iter


def test_incomplete_cholesky_raises_the_diagonal_where_it_must():
    sparse = pytest.importorskip("scipy.sparse")
    # Kershaw's matrix: definite, yet its incomplete factorisation meets a negative pivot
    B = np.array([[3.0, -2, 0, 2], [-2, 3, -2, 0], [0, -2, 3, -2], [2, 0, -2, 3]])
    loss = QuadraticLoss(sparse.csc_array(B), np.arange(4))
    r = minimize(loss, np.zeros(4), ConjugateGradient(preconditioner="incomplete_cholesky"))
    assert np.allclose(r.theta, np.arange(4))


NONLINEAR = {
    "gradient descent": (GradientDescent(), 200_000),
    "steepest descent": (SteepestDescent(), 20_000),
    "cyclic": (CoordinateDescent(), 20_000),
    "heavy ball": (HeavyBall(), 20_000),
    "Nesterov": (Nesterov(), 20_000),
    "conjugate gradient": (ConjugateGradient(), 500),
    "L-BFGS": (LBFGS(), 60),
    "Newton": (Newton(), 50),
    "Newton, damped": (Newton(damping=1e-3), 100),
    "Gauss-Newton": (GaussNewton(), 50),
    "Gauss-Newton, whole steps": (GaussNewton(line_search=None), 10),
    "Levenberg-Marquardt": (LevenbergMarquardt(), 50),
}


@pytest.mark.parametrize("name", NONLINEAR)
def test_curved_valley(name):
    method, max_iter = NONLINEAR[name]
    r = minimize(rosenbrock(), [-1.2, 1], method, gtol=1e-7, max_iter=max_iter)
    assert r.success and np.allclose(r.theta, 1, atol=1e-3), r.summary()


@pytest.mark.parametrize("order", ["cyclic", "shuffled", "random", "greedy"])
@pytest.mark.parametrize("updates", [None, 1, 3])
def test_coordinate_orders(order, updates):
    rng = np.random.default_rng(0)
    loss = QuadraticLoss(definite(rng, 4), np.arange(4))
    r = minimize(
        loss, np.zeros(4), CoordinateDescent(order, updates=updates), gtol=1e-10, record=True
    )
    assert r.success and (np.diff(r.history.loss) <= 0).all()
    if updates == 1:
        assert (np.count_nonzero(np.diff(r.history.theta, axis=0), axis=1) <= 1).all()
    again = minimize(loss, np.zeros(4), CoordinateDescent(order, updates=updates), gtol=1e-10)
    assert np.array_equal(again.theta, r.theta)


def columns_in_memory(kind, seed):
    """A quadratic loss of 40 parameters with its columns dense by rows, by columns, or sparse."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 40))
    if kind == "quadratic":
        return QuadraticLoss(A.T @ A + np.eye(40), rng.standard_normal(40))
    if kind == "sparse":
        sparse = pytest.importorskip("scipy.sparse")
        A = sparse.csc_array(np.where(rng.random(A.shape) < 0.2, A, 0.0))
    b, weights = rng.standard_normal(60), rng.uniform(0, 2, 60)
    return LinearLeastSquares(np.asfortranarray(A) if kind == "columns" else A, b, weights)


@pytest.mark.parametrize("order", ["cyclic", "shuffled", "random"])
@pytest.mark.parametrize("bounds", [None, (-0.1, 0.05)])
@pytest.mark.parametrize("kind", ["rows", "columns", "sparse", "quadratic"])
def test_compiled_sweeps_are_the_updates_one_at_a_time(kind, bounds, order):
    loss, start = columns_in_memory(kind, 1), np.zeros(40)
    options = dict(bounds=bounds, gtol=0)
    sweeps = minimize(loss, start, CoordinateDescent(order), max_iter=3, **options)
    single = minimize(loss, start, CoordinateDescent(order, updates=1), max_iter=120, **options)
    assert (sweeps.n_iter, single.n_iter) == (3, 120)
    # Sums of 60 products in another order, 120 times.
    assert np.allclose(sweeps.theta, single.theta, rtol=0, atol=1e-13)
    assert not start.any()


def test_long_descents_by_coordinates_refresh_their_residual():
    loss = columns_in_memory("rows", 2)
    r = minimize(loss, np.zeros(40), CoordinateDescent(), gtol=1e-13, max_iter=3000)
    exact = np.linalg.solve(loss.hessian(), -loss.gradient(np.zeros(40)))
    assert r.n_iter > 64 and np.allclose(r.theta, exact, rtol=0, atol=1e-10 * np.abs(exact).max())


def test_newton_leaves_a_saddle():
    r = minimize(saddle(), [0.5, 1e-3], Newton())
    assert r.success and r.loss == pytest.approx(-1)
    assert np.allclose(np.abs(r.theta), [0, sqrt(2)], atol=1e-6)


def test_singular_jacobians_give_the_shortest_step():
    loss = SumOfSquares(lambda x: np.array([x[0] + x[1] - 2, 0 * x[0]]), 2)
    for method in (GaussNewton(), LevenbergMarquardt(), Newton()):
        assert np.allclose(minimize(loss, [0, 0], method).theta, 1)


BOUNDED = [
    GradientDescent(),
    Nesterov(),
    CoordinateDescent(),
    ConjugateGradient(),
    ConjugateGradient(preconditioner="diagonal"),
    LevenbergMarquardt(),
    LBFGS(),
    LBFGS(preconditioner="diagonal"),
]


@pytest.mark.parametrize("method", BOUNDED, ids=lambda m: m.name)
@given(seed=seeds, P=st.integers(1, 5))
def test_bounds_are_kept_and_their_optimality_conditions_met(method, seed, P):
    rng = np.random.default_rng(seed)
    loss = QuadraticLoss(definite(rng, P), 2 * rng.standard_normal(P))
    low, high = -rng.uniform(0, 1, P), rng.uniform(0, 1, P)
    r = minimize(loss, np.zeros(P), method, bounds=(low, high), gtol=1e-9, max_iter=5000)
    assert r.success and (r.theta >= low).all() and (r.theta <= high).all(), r.summary()
    g = loss.gradient(r.theta)
    slack = 1e-7 * (1 + np.abs(loss.gradient(np.zeros(P))).max())
    assert (g[r.theta > low] <= slack).all() and (g[r.theta < high] >= -slack).all()


def test_bounds_of_curved_valley_and_their_release():
    bounds = -2, [0.5, 2]
    for method in (
        LevenbergMarquardt(),
        GradientDescent(),
        CoordinateDescent(),
        ConjugateGradient(),
        LBFGS(),
    ):
        r = minimize(rosenbrock(), [-1.2, 1], method, bounds=bounds, max_iter=50_000, gtol=1e-6)
        assert r.success and np.allclose(r.theta, [0.5, 0.25], atol=1e-4), r.summary()
    for method in (LevenbergMarquardt(), LBFGS(), ConjugateGradient()):
        r = minimize(rosenbrock(), [0, 2], method, bounds=(-2, 2))  # starts on a bound
        assert r.success and np.allclose(r.theta, 1)


@given(seed=seeds, c2=st.sampled_from([0.1, 0.5, 0.9]), first=st.floats(-12, 12))
def test_line_search_meets_the_strong_wolfe_conditions(seed, c2, first):
    rng = np.random.default_rng(seed)
    loss, theta = saddle(), rng.uniform(-2, 2, 2)
    problem = Problem(loss, np.full(2, -np.inf), np.full(2, np.inf))
    point = problem.at(theta)
    d = -point.gradient
    if not np.any(d):
        return
    slope = -float(d @ d)
    new = StrongWolfe(c2=c2).search(problem, point, d, 10.0**first)
    assert new.loss <= point.loss + 1e-4 * new.step_size * slope + 1e-12 * abs(point.loss)
    assert abs(new.gradient @ d) <= c2 * -slope
