"""What diagnose tells of a loss."""

import dataclasses
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from conditioning_cases import separated, with_spectrum

from thalweg.conditioning import (
    condition_number,
    diagnose,
)
from thalweg.descent.minimize import minimize
from thalweg.losses import LinearLeastSquares, Loss, QuadraticLoss
from thalweg.optimizers import (
    ConjugateGradient,
    CoordinateDescent,
    GradientDescent,
    HeavyBall,
    Nesterov,
    Newton,
    SteepestDescent,
)

METHODS = (
    GradientDescent(),
    SteepestDescent(),
    HeavyBall(),
    Nesterov(),
    ConjugateGradient(),
    CoordinateDescent(),
    Newton(),
)


# ---- diagnose ------------------------------------------------------------------------------------


def problem(seed, P, kappa):
    rng = np.random.default_rng(seed)
    B = with_spectrum(rng, np.geomspace(0.5, 0.5 * kappa, P))
    return QuadraticLoss(B, rng.normal(size=P)), rng.normal(size=P)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("kappa", [1, 4, 60, 250])  # descents of 10 to 2,500 steps
@pytest.mark.parametrize("P", [1, 2, 5, 30])
def test_predicted_iterations_are_those_counted(method, P, kappa):
    if P == 1 and kappa > 1:
        return
    loss, theta = problem(17 + P, P, kappa)
    for reduction in (1e-3, 1e-8):
        d = diagnose(loss, theta, reduction=reduction)
        r = minimize(loss, theta, method, gtol=reduction, max_iter=100_000)
        assert r.success
        assert d.predicted_iterations[method.name] == pytest.approx(r.n_iter, rel=0.2, abs=1)


@pytest.mark.parametrize("method", METHODS[:6], ids=lambda m: m.name)
def test_predicted_iterations_of_linear_least_squares(method):
    rng = np.random.default_rng(8)
    loss = LinearLeastSquares(rng.normal(size=(60, 8)) * np.geomspace(1, 5, 8), rng.normal(size=60))
    theta = np.zeros(8)
    d = diagnose(loss, theta)
    r = minimize(loss, theta, method, max_iter=100_000)
    assert d.predicted_iterations[method.name] == pytest.approx(r.n_iter, rel=0.2, abs=1)


@pytest.mark.parametrize("method", METHODS[:4], ids=lambda m: m.name)
def test_rates_are_those_of_the_long_run(method):
    loss, theta = problem(4, 6, 50)
    rate = diagnose(loss, theta).rates[method.name]
    norms = minimize(loss, theta, method, gtol=1e-14, max_iter=10_000).history.gradient_norm
    last = len(norms) // 2
    counted = (norms[-1] / norms[last]) ** (1 / (len(norms) - 1 - last))
    # momentum's error is n rate^n rather than rate^n; the rate of steepest descent is a bound
    assert 1 - counted >= 0.8 * (1 - rate)
    if method.name != "SteepestDescent":
        assert 1 - counted <= 1.2 * (1 - rate)


def test_a_long_descent_is_predicted_without_running_it():
    loss, theta = problem(1, 3, 1e10)
    d = diagnose(loss, theta)
    sigma, V = np.linalg.eigh(loss.hessian())
    gamma = V.T @ loss.gradient(theta)
    n = d.predicted_iterations["GradientDescent"]
    shrink = np.abs(1 - d.best_step * sigma)
    # a step of the loss' size along any axis changes that parameter by 1e-8 of its target
    least = np.min(0.5 * np.diag(loss.hessian()) * loss.theta_star**2)
    for steps, above in ((0.99 * n, True), (1.01 * n, False)):
        excess = np.sum((shrink**steps * gamma) ** 2 / (2 * sigma))
        assert (excess > d.reduction**2 * least) == above


def test_the_step_sizes_are_where_descent_begins_to_fail():
    loss, theta = problem(3, 4, 20)
    d = diagnose(loss, theta)
    assert d.kappa == pytest.approx(20) and d.definiteness == "positive definite"
    assert d.largest_stable_step == pytest.approx(2 / 20) and d.best_step == pytest.approx(2 / 21)
    for factor, converges in ((0.99, True), (1.01, False)):
        method = GradientDescent(step_size=factor * d.largest_stable_step)
        assert minimize(loss, theta, method, max_iter=5000).success == converges
    counts = [
        minimize(loss, theta, GradientDescent(step_size=f * d.best_step)).n_iter
        for f in (0.8, 1, 1.04)
    ]
    assert counts[1] == min(counts)


def test_at_the_minimum_nothing_remains_to_be_done():
    loss, _ = problem(3, 4, 20)
    d = diagnose(loss, loss.theta_star)
    assert set(d.predicted_iterations.values()) == {0}


def test_a_flat_direction_without_slope_does_not_count():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 3)) @ np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    loss = LinearLeastSquares(A, rng.normal(size=20))
    d = diagnose(loss, np.ones(4), names=["a", "b", "c", "e"])
    assert d.kappa == np.inf and d.definiteness == "non-negative definite"
    positive = d.spectrum[d.spectrum > 1e-10]
    assert len(positive) == 3
    assert d.best_step == pytest.approx(2 / (positive[0] + positive[-1]))
    for method in (GradientDescent(step_size=d.best_step), SteepestDescent(), CoordinateDescent()):
        r = minimize(loss, np.ones(4), method)
        assert d.predicted_iterations[method.name] == pytest.approx(r.n_iter, rel=0.2, abs=1)
    assert d.rates["CoordinateDescent"] < 1
    (direction,) = d.indistinct
    assert direction.names == ("a", "b", "c")
    assert np.allclose(np.abs(direction.weights), np.array([1, 1, 1, 0]) / np.sqrt(3), atol=1e-6)
    assert np.linalg.norm(A @ direction.weights) < 1e-6
    assert "a, b and c cannot be told apart" in d.advice


class Given(Loss):
    """A loss with a given gradient and Hessian at theta."""

    def __init__(self, gradient, hessian):
        self.slope, self.bend = np.asarray(gradient, float), np.asarray(hessian, float)
        self.n_params = len(self.slope)

    def value_and_gradient(self, theta):
        return 0.0, self.slope

    def hessian(self, theta):
        return self.bend


def test_a_flat_direction_with_slope_has_no_minimum():
    d = diagnose(Given([1, 1], [[2, 0], [0, 0]]), [0, 0])
    assert set(d.predicted_iterations.values()) == {np.inf}
    assert "falls without end, so there is no minimum" in d.advice
    assert "theta[1] has no effect on the loss: fix it." in d.advice


def test_an_indefinite_hessian():
    d = diagnose(Given([1, 1], [[2, 0], [0, -1]]), [0, 0])
    assert d.definiteness == "indefinite" and d.kappa == np.inf and np.isnan(d.best_step)
    assert d.largest_stable_step == 1 and d.rates == {}
    assert set(d.predicted_iterations.values()) == {np.inf}
    assert "there is no minimum near" in d.advice and "LevenbergMarquardt" in d.advice
    d = diagnose(Given([1, 1], [[-2, 0], [0, -1]]), [0, 0])
    assert d.definiteness == "negative definite" and d.largest_stable_step == np.inf
    assert "curves upwards along no direction" in d.advice


def test_scaling_takes_away_what_units_are_to_blame_for():
    units = np.array([1, 1e3])
    loss = QuadraticLoss(np.outer(units, units) * [[1, 0.5], [0.5, 1]])
    d = diagnose(loss, [1, 1])
    assert d.kappa > 1e6 and d.kappa_scaled == pytest.approx(3)
    assert "a diagonal preconditioner leaves kappa = 3" in d.advice
    r = minimize(loss, [1, 1], GradientDescent(preconditioner="diagonal"))
    # errors shrink by (3 - 1) / (3 + 1) per step
    assert r.success and r.n_iter <= np.ceil(np.log(1e8 * units.max()) / np.log(2))
    assert d.indistinct == ()


def test_advice_says_what_helps():
    loss, theta = problem(2, 10, 1000)
    d = diagnose(loss, theta)
    assert d.advice.startswith("The Hessian is positive definite, kappa = 1e+03. A fixed step must")
    said = float(d.advice.split("the best, ")[1].split(",")[0])
    assert 0.99 * d.best_step < said <= d.best_step
    assert "conjugate gradient" in d.advice and "Newton's method takes one step" in d.advice
    d = diagnose(QuadraticLoss(np.eye(3)), np.ones(3))
    assert "every method is fast" in d.advice and "takes 1 iteration until" in d.advice
    assert "here" not in d.advice
    assert "positive definite here" in diagnose(Given([1, 0], np.eye(2)), [0, 0]).advice


def test_more_parameters_than_can_be_decomposed():
    P = 1200
    values = separated(P, 40)
    rng = np.random.default_rng(4)
    loss = QuadraticLoss(sp.diags_array(values / 2).tocsr())
    theta = rng.normal(size=P)
    d = diagnose(loss, theta)
    assert d.kappa == pytest.approx(40, rel=1e-5) and len(d.spectrum) < P
    assert "CoordinateDescent" not in d.predicted_iterations and np.isnan(d.kappa_scaled)
    for method in METHODS[:5]:
        r = minimize(loss, theta, method)
        assert d.predicted_iterations[method.name] == pytest.approx(r.n_iter, rel=0.2)
    assert set(diagnose(loss, np.zeros(P)).predicted_iterations.values()) == {0}


def test_a_diagnosis_cannot_be_changed():
    d = diagnose(*problem(2, 3, 10))
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.kappa = 1
    assert d.names == ("theta[0]", "theta[1]", "theta[2]")


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (([0, 0, 0],), {}, r"theta must have shape \(P=2,\), got \(3,\)"),
        (([0, 0],), {"reduction": 1}, "reduction must lie between 0 and 1, got 1"),
        (([0, 0],), {"reduction": np.nan}, "reduction must lie between 0 and 1, got nan"),
        (([0, 0],), {"names": ["a"]}, "names must have one name for each of 2 parameters, got"),
        (([0, np.nan],), {}, "the gradient at theta is not finite"),
    ],
)
def test_refused_diagnoses(arguments, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        diagnose(QuadraticLoss(np.eye(2)), *arguments, **options)


def test_a_matrix_is_no_loss_and_a_loss_no_matrix():
    with pytest.raises(TypeError, match=r"loss must be a Loss, got ndarray; .*QuadraticLoss.B."):
        diagnose(np.eye(2), [1, 1])
    with pytest.raises(TypeError, match="B must be a matrix, got QuadraticLoss: diagnose"):
        condition_number(QuadraticLoss(np.eye(2)))


@pytest.mark.parametrize(
    "B", [np.diag([1e12, 1.0]), 1 / (np.add.outer(np.arange(10.0), np.arange(10)) + 1)]
)
def test_an_ill_conditioned_loss_has_a_minimum(B):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d = diagnose(QuadraticLoss(B), np.ones(len(B)))
    assert "no minimum" not in d.advice and np.isfinite(list(d.predicted_iterations.values())).all()
    assert d.predicted_iterations["HeavyBall"] > 1e6


def test_flat_directions_do_not_make_it_well_conditioned_and_are_not_listed_at_length():
    X = np.random.default_rng(0).normal(size=(10, 30))
    d = diagnose(LinearLeastSquares(X, np.ones(10)), np.zeros(30))
    assert d.kappa == np.inf and "That is well-conditioned" not in d.advice
    assert " and 26 more cannot be told apart" in d.advice or " more cannot be told" in d.advice
    assert max(map(len, d.advice.split("."))) < 200


@pytest.mark.parametrize("method", METHODS[:6], ids=lambda m: m.name)
def test_predicted_iterations_with_a_flat_direction(method):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 10))
    loss = LinearLeastSquares(np.c_[X, X[:, 0]], rng.normal(size=60))
    d, r = diagnose(loss, np.zeros(11)), minimize(loss, np.zeros(11), method, max_iter=10_000)
    assert r.success
    assert d.predicted_iterations[method.name] == pytest.approx(r.n_iter, rel=0.2, abs=1)


def test_a_wrong_hessian_is_refused():
    with pytest.raises(ValueError, match="the Hessian at theta is not symmetric: are the loss's d"):
        diagnose(Given([1, 1], [[1, 2], [0, 1]]), [0, 0])
    with pytest.raises(ValueError, match="the Hessian at theta is not finite"):
        diagnose(Given([1, 1], [[1, np.nan], [0, 1]]), [0, 0])
    with pytest.raises(ValueError, match="theta is empty: there is nothing to diagnose"):
        diagnose(Given([], np.zeros((0, 0))), [])


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnose(Given([1, 1], np.zeros((2, 2))), [0, 0])
        diagnose(Given([0, 0], np.zeros((2, 2))), [0, 0])
        diagnose(Given([1e100, 1], [[1e100, 0], [0, 1e-100]]), [0, 0])
