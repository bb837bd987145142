"""A success is a minimum, whatever the start, the units and the method; what is none says so."""

import re

import numpy as np
import pytest
from descent_problems import Smooth, SumOfSquares, definite, saddle
from hypothesis import example, given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.descent.minimize import minimize
from thalweg.losses import LinearLeastSquares, MSELoss, QuadraticLoss
from thalweg.optimizers import (
    LBFGS,
    ConjugateGradient,
    CoordinateDescent,
    GaussNewton,
    GradientDescent,
    HeavyBall,
    LevenbergMarquardt,
    Nesterov,
    Newton,
    SteepestDescent,
)
from thalweg.optimizers.gradient_descent import below
from thalweg.status import Status

seeds = st.integers(0, 2**32 - 1)
FIRST_ORDER = [GradientDescent(), SteepestDescent(), HeavyBall(), Nesterov(), CoordinateDescent()]
FAST = [ConjugateGradient(), LBFGS(), GaussNewton(), Newton(), LevenbergMarquardt()]
ALL = [*FIRST_ORDER, *FAST]


def name(method):
    return method.name


# ---- linear least squares ------------------------------------------------------------------------


def heavy_row(rng):
    """Shares that add up to 1, by a row of great weight."""
    A, w = np.abs(rng.normal(size=(61, 5))), np.ones(61)
    A[-1], w[-1] = 1.0, 10.0 ** rng.uniform(4, 9)
    b = A @ [0.5, 0.3, 0.2, 0, 0] + 0.01 * rng.normal(size=61)
    return A, b, w


def unlike_units(rng):
    A = rng.normal(size=(40, 4)) * 10.0 ** rng.uniform(-6, 6, 4)
    return A, A @ (1 / np.abs(A).max(axis=0)) + 0.1 * rng.normal(size=40), None


def nearly_collinear(rng):
    A = rng.normal(size=(30, 3))
    A[:, 2] = A[:, 1] + 1e-3 * rng.normal(size=30)
    return A, rng.normal(size=30), None


def small_noise(rng):
    """The residual at the minimum is the millionth part of the data."""
    A = rng.normal(size=(30, 4))
    return A, A @ [1, 2, 3, 4] + 1e-6 * rng.normal(size=30), None


def minimum(A, b, w):
    s = np.ones(len(b)) if w is None else np.sqrt(w)
    theta = np.linalg.lstsq(s[:, None] * A, s * b, rcond=None)[0]
    return LinearLeastSquares(A, b, w).value(theta)


@pytest.mark.parametrize("far", [0, 1, 1e3, 1e6])
@pytest.mark.parametrize("kind", [heavy_row, unlike_units, nearly_collinear, small_noise])
@pytest.mark.parametrize("method", ALL, ids=name)
def test_least_squares_end_at_the_minimum_from_any_start(method, kind, far):
    """Gradient methods may run out of iterations, but none ends in a place that is no minimum."""
    rng = np.random.default_rng(3)
    A, b, w = kind(rng)
    start = far * rng.normal(size=A.shape[1]) / np.abs(A).max(axis=0)
    r = minimize(LinearLeastSquares(A, b, w), start, method)
    if r.success:
        assert r.loss <= (1 + 1e-6) * minimum(A, b, w), r.summary()
    else:
        assert method not in FAST or (isinstance(method, ConjugateGradient | LBFGS)), r.summary()
        assert r.status in (Status.MAX_ITER, Status.NO_PROGRESS, Status.NO_BRACKET)


@pytest.mark.parametrize("method", ALL, ids=name)
def test_a_start_at_the_minimum_needs_no_step(method):
    A, b, w = nearly_collinear(np.random.default_rng(0))
    loss = LinearLeastSquares(A, b, w)
    r = minimize(loss, np.linalg.lstsq(A, b, rcond=None)[0], method)
    assert r.success and r.n_iter == 0


@pytest.mark.parametrize("method", [ConjugateGradient(), GradientDescent(), CoordinateDescent()])
def test_all_parameters_may_end_at_zero(method):
    A = np.random.default_rng(1).normal(size=(30, 4))
    r = minimize(LinearLeastSquares(A, np.zeros(30)), np.ones(4), method)
    assert r.success and np.abs(r.theta).max() < 1e-14, r.summary()


@pytest.mark.parametrize("method", [ConjugateGradient(), LBFGS(), CoordinateDescent()], ids=name)
def test_exact_data_are_met_to_rounding(method):
    """No residual remains to measure the gradient by: the last digits of theta do."""
    A = np.random.default_rng(1).normal(size=(30, 4))
    for size in (1e-100, 1.0, 1e100):
        theta = size * np.array([1.0, -2, 3, 4])
        r = minimize(LinearLeastSquares(A, A @ theta), np.zeros(4), method)
        assert r.success and np.allclose(r.theta, theta, rtol=1e-12, atol=0), r.summary()


# ---- quadratic losses ----------------------------------------------------------------------------


@pytest.mark.parametrize("stiff", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("target", [(0, 0, 0), (1, -2, 0.5), (1, 0, 1e3)])
@pytest.mark.parametrize("method", ALL, ids=name)
def test_one_stiff_parameter_does_not_end_the_descent(method, target, stiff):
    target, start = np.array(target, float), np.ones(3)
    r = minimize(QuadraticLoss(np.diag([stiff, 1.0, 2.0]), target), start, method, max_iter=200)
    sizes = np.where(target != 0, np.abs(target), start)
    if r.success:
        assert (np.abs(r.theta - target) <= 1e-8 * sizes).all(), r.summary()
    else:
        assert method in FIRST_ORDER and r.status is Status.MAX_ITER


@given(seed=seeds, P=st.integers(2, 6), far=st.sampled_from([1, 1e4, 1e8]))
@settings(max_examples=30)
def test_the_answer_knows_nothing_of_the_start(seed, P, far):
    rng = np.random.default_rng(seed)
    target = rng.uniform(1, 2, P)
    loss = QuadraticLoss(definite(rng, P, 100), target)
    for method in (ConjugateGradient(), GradientDescent(), CoordinateDescent()):
        r = minimize(loss, far * rng.normal(size=P), method, max_iter=20_000)
        # the flattest direction is a hundred times less sure than the steepest
        assert r.success and np.allclose(r.theta, target, rtol=1e-6), r.summary()


SADDLES = [np.diag([1.0, -1.0]), np.array([[1.0, 2], [2, 1]]), -np.eye(2), np.diag([-1.0, 0])]


@pytest.mark.parametrize("B", SADDLES, ids=str)
@pytest.mark.parametrize("start", [(1, 0), (0, 0), (1, 1), (0.3, -2)])
@pytest.mark.parametrize(
    "method", [*ALL, GradientDescent(0.1), HeavyBall(0.1, momentum=0.5)], ids=str
)
def test_a_quadratic_without_a_minimum_has_one_answer(method, B, start):
    r = minimize(QuadraticLoss(B), start, method, max_iter=3000)
    assert r.status is Status.UNBOUNDED and "no minimum" in r.reason(), r.summary()


def test_a_saddle_has_a_minimum_within_bounds():
    for method in (GradientDescent(), Nesterov(), CoordinateDescent(), ConjugateGradient()):
        r = minimize(QuadraticLoss(np.diag([1.0, -1.0])), [0.5, 0.5], method, bounds=(-1, 2))
        assert np.allclose(r.theta, [0, 2]) or not r.success, r.summary()


# ---- other losses --------------------------------------------------------------------------------


def maximum():
    return Smooth(2, lambda x: -np.cos(x).sum() * -1, lambda x: -np.sin(x))


CUBE = Smooth(1, lambda x: x[0] ** 3, lambda x: 3 * x**2, lambda x: [[6 * x[0]]])
QUARTIC = Smooth(1, lambda x: x[0] ** 4, lambda x: 4 * x**3, lambda x: [[12 * x[0] ** 2]])
PRODUCT = MSELoss("a*b*x", [1.0, 2, 3], [2.0, 4, 6], independent="x")


@pytest.mark.parametrize(
    ("loss", "start"),
    [(saddle(), [0.0, 0.0]), (maximum(), [0.0, 0.0]), (CUBE, [0.0]), (PRODUCT, [0.0, 0.0])],
)
@pytest.mark.parametrize("method", [GradientDescent(0.1), LBFGS(), SteepestDescent()], ids=name)
def test_a_stationary_start_that_is_no_minimum_is_no_success(method, loss, start):
    r = minimize(loss, start, method)
    assert r.status is Status.SADDLE and r.n_iter == 0 and not r.success
    assert "start beside" in r.reason()


def test_a_stationary_start_at_a_minimum_is_a_success():
    assert minimize(QUARTIC, [0.0], LBFGS()).status is Status.STATIONARY
    assert minimize(saddle(), [0, np.sqrt(2)], Newton()).success
    assert minimize(QuadraticLoss(np.zeros((2, 2))), [1, 2]).status is Status.STATIONARY


def test_a_descent_into_a_saddle_is_no_success():
    """Along the axis of symmetry the gradient has no part that leads off it."""
    for method in (GradientDescent(0.1), LBFGS(), SteepestDescent(), CoordinateDescent()):
        r = minimize(saddle(), [1.0, 0.0], method)
        assert not r.success and r.status is Status.SADDLE, r.summary()


def test_losses_without_a_minimum_are_never_a_success():
    decay = Smooth(1, lambda x: np.exp(-x[0]), lambda x: -np.exp(-x))
    tail = Smooth(1, lambda x: 1 / (1 + x[0] ** 2), lambda x: -2 * x / (1 + x**2) ** 2)
    far = MSELoss("exp(-(x - m)**2)", np.arange(5.0), [0, 1.0, 2, 1, 0], independent="x")
    for loss, start in ((decay, [0.0]), (tail, [1.0]), (far, [60.0]), (far, [14.0])):
        for method in (GradientDescent(), LBFGS(), ConjugateGradient()):
            r = minimize(loss, start, method, max_iter=500)
            assert not r.success, (method.name, r.summary())


X = np.linspace(0, 10, 50)


@pytest.mark.parametrize("start", [(1, 1), (1, 2), (1, 3), (10, -5), (-3, 0.2), (1e3, 0.5)])
@pytest.mark.parametrize("method", [*FAST, Nesterov(), CoordinateDescent()], ids=name)
def test_a_decay_from_anywhere_is_right_or_no_success(method, start):
    loss = MSELoss("a*exp(b*x)", X, 2 * np.exp(-0.5 * X), independent="x")
    r = minimize(loss, start, method)
    assert not r.success or np.allclose(r.theta, [2, -0.5], rtol=1e-6), r.summary()


@given(seed=seeds, a=st.floats(-2, 2), b=st.floats(-2, 2))
@settings(deadline=None)
def test_claims_on_curves_are_minima(seed, a, b):
    """Starts within a factor 100: what is claimed has no negative curvature and no slope."""
    rng = np.random.default_rng(seed)
    y = 3 * (1 - np.exp(-0.4 * X)) + 0.05 * rng.normal(size=X.size)
    loss = MSELoss("a*(1 - exp(-b*x))", X, y, independent="x")
    r = minimize(loss, [3 * 10.0**a, 0.4 * 10.0**b])
    if r.success:
        H, g = loss.hessian(r.theta), loss.gradient(r.theta)
        unit = 1 / np.sqrt(np.abs(np.diag(H)))
        assert np.linalg.eigvalsh(unit[:, None] * H * unit).min() > -1e-8
        assert 0.5 * g @ np.linalg.lstsq(H, g)[0] <= 1e-8 * r.loss


def test_single_precision_ends_at_its_own_rounding():
    y = 2 * np.exp(-0.5 * X) + 0.01 * np.sin(7 * X)
    single = MSELoss("a*exp(b*x)", X, y, independent="x", dtype=np.float32)
    double = MSELoss("a*exp(b*x)", X, y, independent="x")
    want = minimize(double, [1, -1]).theta
    for method in (LevenbergMarquardt(), GaussNewton(), ConjugateGradient()):
        r = minimize(single, [1, -1], method)
        assert np.allclose(r.theta, want, rtol=1e-4), r.summary()


def test_redundant_parameters_end_at_the_least_loss():
    y = 3 * X + 1 + np.sin(X)
    for scale in (1e-6, 1.0, 1e6):
        loss = MSELoss("a*x + b*x + c", scale * X, y, independent="x")
        level = np.mean((y - np.polyval(np.polyfit(X, y, 1), X)) ** 2)
        for method in (LevenbergMarquardt(), GaussNewton(), ConjugateGradient()):
            r = minimize(loss, [1, 1, 1], method)
            assert r.success and r.loss == pytest.approx(level, rel=1e-9), r.summary()


def test_gauss_newton_takes_the_shortest_of_all_solutions():
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(5, 20)) * 10.0 ** rng.uniform(-1, 1, 20), rng.normal(size=5)
    want = np.linalg.lstsq(A, b, rcond=None)[0]
    r = minimize(LinearLeastSquares(A, b), np.zeros(20), GaussNewton())
    assert np.allclose(r.theta, want, rtol=0, atol=1e-9 * np.abs(want).max())


# ---- units ---------------------------------------------------------------------------------------


SIZES = [1e-300, 1e-170, 1e-130, 1e-75, 1e-30, 1e30, 1e75, 1e130, 1e153, 1e170, 1e300]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", [*FAST, CoordinateDescent(), GradientDescent()], ids=name)
def test_the_size_of_the_data_does_not_matter(method, size):
    A = np.array([[3, 1, 0], [1, 2, 1], [0, 1, 4.0], [1, 1, 1]])
    b = np.array([1, 2, 3, 4.0])
    r = minimize(LinearLeastSquares(A, size * b), np.zeros(3), method)
    want = np.linalg.lstsq(A, b, rcond=None)[0]
    assert r.success and np.allclose(r.theta / size, want, rtol=1e-6), r.summary()
    usual = minimize(LinearLeastSquares(A, b), np.zeros(3), method)
    assert abs(r.n_iter - usual.n_iter) <= 1 + usual.n_iter // 20


@pytest.mark.parametrize("size", SIZES)
def test_bounds_callbacks_and_history_are_in_the_units_of_the_loss(size):
    told = []
    loss = QuadraticLoss(np.diag([1.0, 4]), [2 * size, 3 * size])
    r = minimize(
        loss,
        [0, 0],
        GradientDescent(),
        bounds=(0, [size, 10 * size]),
        callback=told.append,
        record=True,
    )
    assert r.success and np.allclose(r.theta / size, [1, 3]), r.summary()
    assert np.array_equal(told[-1].theta, r.theta)
    assert np.array_equal(r.history.theta[-1], r.theta)


@pytest.mark.parametrize(("size", "words"), [(1e-200, "smaller units"), (1e200, "larger units")])
def test_sizes_whose_squares_leave_the_range_say_so(size, words):
    loss = MSELoss("a + b*x", np.arange(3.0), size * np.array([1.0, 3, 2]), independent="x")
    with pytest.raises(ValueError, match=words):
        minimize(loss, np.zeros(2))


# ---- what is said --------------------------------------------------------------------------------


@given(seed=seeds, P=st.integers(1, 6), kappa=st.floats(1, 50), singular=st.booleans())
@example(seed=6, P=6, kappa=35.0, singular=True)  # the best step of another momentum is near 2.6
@settings(max_examples=12, deadline=None)
def test_advised_steps_are_safe_to_the_last_digit(seed, P, kappa, singular):
    rng = np.random.default_rng(seed)
    B = definite(rng, P, kappa) * 10.0 ** rng.uniform(-5, 5)
    if singular and P > 1:
        values, V = np.linalg.eigh(B)
        B = (V[:, 1:] * values[1:]) @ V[:, 1:].T
    loss, start = QuadraticLoss((B + B.T) / 2, rng.normal(size=P)), rng.normal(size=P)
    for make in (
        GradientDescent,
        lambda a: HeavyBall(a, momentum=0.3),
        lambda a: Nesterov(a, momentum=0.3),
    ):
        too_long = 3 / np.linalg.eigvalsh(loss.hessian()).max() * 1.5
        text = minimize(loss, start, make(too_long), max_iter=20_000).reason()
        limit = float(re.search(r"any < ([\d.e+-]+)", text)[1])
        advised = re.search(r"(?:best fixed|such as) ([\d.e+-]+)", text)
        assert minimize(loss, start, make(float(advised[1])), max_iter=20_000).success
        # just below the limit the steepest part hardly shrinks, but nothing grows
        r = minimize(loss, start, make(np.nextafter(limit, 0)), max_iter=300)
        assert r.status in (Status.MAX_ITER, Status.GTOL)
        said = float(re.search(r"the best, ([\d.e+-]+),", tw.diagnose(loss, start).advice)[1])
        assert minimize(loss, start, GradientDescent(said), max_iter=20_000).success


@given(value=st.floats(1e-300, 1e300))
def test_printed_numbers_are_rounded_down_by_less_than_a_digit(value):
    """Three digits: at most a hundredth is lost."""
    for x in (value, float(f"{value:.3g}"), np.nextafter(float(f"{value:.1g}"), 0)):
        assert 0.99 * x <= float(below(x)) <= x


def test_max_iter_says_how_far_it_came_and_how_far_it_is():
    loss = QuadraticLoss(np.diag([1.0, 100.0]), [1, 2])
    r = minimize(loss, [0, 0], GradientDescent(), max_iter=200)
    more = float(re.search(r"about ([\d,]+) iterations more", r.reason())[1].replace(",", ""))
    n = minimize(loss, [0, 0], GradientDescent(), max_iter=10_000).n_iter
    assert r.status is Status.MAX_ITER and 200 + more == pytest.approx(n, rel=0.1)
    assert "gtol 1e-08" in r.reason() and "ConjugateGradient needs fewer" in r.reason()


@pytest.mark.parametrize(
    ("loss", "method"),
    [
        (LinearLeastSquares(np.eye(2), [1, 2]), "LevenbergMarquardt"),
        (PRODUCT, "LevenbergMarquardt"),
        (QuadraticLoss(np.eye(2), [1, 2]), "ConjugateGradient"),
        (saddle(), "LBFGS"),
    ],
)
def test_without_a_method_one_is_chosen_and_named(loss, method):
    r = minimize(loss, [0.5, 0.4])
    assert r.method.name == method and r.reason().endswith(f"; by {method}") and r.success


def test_any_true_value_of_a_callback_ends_and_so_does_stop_iteration():
    loss = QuadraticLoss(np.diag([1.0, 30.0]), [1, 2])

    def stop(iteration):
        raise StopIteration

    for callback in (lambda i: np.True_, lambda i: np.linalg.norm(i.theta) > 0, lambda i: 1, stop):
        r = minimize(loss, [0, 0], GradientDescent(), callback=callback)
        assert r.status is Status.CALLBACK and r.n_iter == 1
    assert minimize(loss, [0, 0], GradientDescent(), callback=lambda i: np.False_).success


def test_bounds_in_all_their_forms():
    optimize = pytest.importorskip("scipy.optimize")
    loss = LinearLeastSquares(np.eye(2), [0.2, 0.7])
    named = MSELoss("a + b*x", [0.0, 1], [0.2, 0.9], independent="x")
    for bounds in ((0, None), (None, 1), optimize.Bounds(0, 1), ([0, 0], [1, 1])):
        assert np.allclose(minimize(loss, [0.5, 0.5], CoordinateDescent(), bounds=bounds).theta,
                           [0.2, 0.7])  # fmt: skip
    r = minimize(named, [0, 0], bounds={"b": (0, 0.5)})
    assert r.theta[1] == 0.5 and r.success
    with pytest.raises(ValueError, match="may mean"):
        minimize(loss, [0, 1], CoordinateDescent(), bounds=[(0, 1), (0, 1)])


def test_one_parameter_may_be_a_number():
    assert minimize(SumOfSquares(lambda x: x - 3, 1), 1.0).theta == pytest.approx(3)
