"""Definiteness, spectra and condition numbers; predicted iterations against counted ones."""

import dataclasses
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spl
from hypothesis import given
from hypothesis import strategies as st

from thalweg.conditioning import (
    Definiteness,
    condition_number,
    definiteness,
    diagnose,
    eigen,
    is_symmetric,
    svd,
)
from thalweg.descent.minimize import minimize
from thalweg.linalg.krylov import bidiagonalise, lanczos
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

EPS = np.finfo(float).eps
METHODS = (
    GradientDescent(),
    SteepestDescent(),
    HeavyBall(),
    Nesterov(),
    ConjugateGradient(),
    CoordinateDescent(),
    Newton(),
)


def tolerance(P, scale):
    """Of eigenvalues: backward stable decompositions move them by a few P eps ||B||."""
    return 8 * max(P, 1) * EPS * scale


def orthogonal(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def with_spectrum(rng, values):
    """A symmetric matrix with these eigenvalues."""
    Q = orthogonal(rng, len(values))
    B = (Q * np.asarray(values, float)) @ Q.T
    return (B + B.T) / 2


seeds = st.integers(0, 2**32 - 1)


# ---- matrices ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "negated"),
    [
        ([1, 2, 3], "positive definite", "negative definite"),
        ([0, 2, 3], "non-negative definite", "non-positive definite"),
        ([-1, 0, 3], "indefinite", "indefinite"),
        ([-1e-3, 2, 3], "indefinite", "indefinite"),
        ([0, 0, 0], "non-negative definite", "non-negative definite"),
    ],
)
def test_definiteness_is_that_of_the_eigenvalues(values, kind, negated):
    B = with_spectrum(np.random.default_rng(3), values)
    for form in (B, sp.csr_array(B), spl.aslinearoperator(B), B.tolist()):
        assert definiteness(form) == kind
    assert definiteness(-B) == negated


@given(st.integers(1, 8), seeds)
def test_eigen_rebuilds_the_matrix(P, seed):
    rng = np.random.default_rng(seed)
    B = with_spectrum(rng, rng.normal(size=P))
    values, V = eigen(B)
    assert (np.diff(values) >= 0).all()
    scale = np.abs(B).max() * P
    assert np.allclose((V * values) @ V.T, B, rtol=0, atol=tolerance(P, scale))
    assert np.allclose(V.T @ V, np.eye(P), rtol=0, atol=tolerance(P, 1))
    assert (np.take_along_axis(V, np.abs(V).argmax(0)[None], 0) > 0).all()


@given(st.integers(1, 8), st.integers(1, 8), seeds)
def test_svd_rebuilds_the_matrix(n, P, seed):
    A = np.random.default_rng(seed).normal(size=(n, P))
    U, sigma, V = svd(A)
    k = min(n, P)
    assert U.shape == (n, k) and V.shape == (P, k) and (np.diff(sigma) <= 0).all()
    assert np.allclose((U * sigma) @ V.T, A, rtol=0, atol=tolerance(n + P, sigma[0]))


@given(st.integers(1, 6), seeds)
def test_singular_values_are_moduli_of_eigenvalues(P, seed):
    rng = np.random.default_rng(seed)
    B = with_spectrum(rng, rng.normal(size=P))
    moduli = np.sort(np.abs(eigen(B).values))[::-1]
    assert np.allclose(svd(B).values, moduli, rtol=0, atol=tolerance(P, moduli[0]))


@pytest.mark.parametrize("kappa", [1, 4, 100, 1e6])
def test_condition_number(kappa):
    B = with_spectrum(np.random.default_rng(5), np.geomspace(1, kappa, 6))
    for form in (B, -B, sp.csc_array(B), B @ orthogonal(np.random.default_rng(6), 6)):
        # sigma_min is moved by P eps sigma_max, that is by P eps kappa of itself
        assert condition_number(form) == pytest.approx(kappa, rel=tolerance(6, kappa))


def test_condition_number_of_rectangular_and_singular_matrices():
    assert condition_number([[3, 0], [0, 1], [0, 0]]) == pytest.approx(3)
    assert condition_number([[3, 0, 0], [0, 1, 0]]) == pytest.approx(3)
    assert condition_number([[1, 1], [1, 1]]) == np.inf
    assert condition_number(np.vander(np.linspace(0, 1, 40), 25)) == np.inf
    with pytest.raises(ValueError, match="B is 0, and so it has no condition number"):
        condition_number(np.zeros((2, 2)))


def test_symmetry_to_rounding():
    B = with_spectrum(np.random.default_rng(2), [1, 2, 3, 4])
    B[0, 1] *= 1 + EPS
    assert is_symmetric(B) and is_symmetric(sp.csr_array(B))
    B[0, 1] += 1e-6
    assert not is_symmetric(B)
    assert not is_symmetric(sp.csr_array(B)) and not is_symmetric(spl.aslinearoperator(B))
    assert is_symmetric([[0.0]])


# ---- by products ---------------------------------------------------------------------------------


def separated(P, kappa):
    """A spectrum whose ends stand apart, as Lanczos finds quickly."""
    return np.concatenate([[1], np.linspace(0.05 * kappa, 0.9 * kappa, P - 2), [kappa]])


def test_a_large_sparse_matrix_is_only_multiplied():
    values = separated(3000, 50)
    P = len(values)
    diagonal = sp.diags_array(values).tocsr()
    found = eigen(diagonal)
    assert len(found.values) < 300
    # the residual is 1e-6 of the value, the error of a Ritz value at most that
    assert found.values[[0, -1]] == pytest.approx([1, 50], rel=1e-6)
    residual = diagonal @ found.vectors - found.vectors * found.values
    assert np.linalg.norm(residual[:, [0, -1]], axis=0) == pytest.approx(0, abs=1e-6 * 50)
    assert definiteness(diagonal) is Definiteness.POSITIVE
    assert condition_number(diagonal) == pytest.approx(50, rel=2e-6)
    shifted = diagonal - 2 * sp.eye_array(P)
    assert definiteness(shifted) is Definiteness.INDEFINITE


@pytest.mark.parametrize("transposed", [False, True])
def test_singular_values_of_a_large_rectangular_operator(transposed):
    A = sp.vstack([sp.diags_array(separated(1500, 30)), sp.csr_array((20, 1500))]).tocsr()
    A = A.T if transposed else A
    U, sigma, V = svd(A)
    assert sigma[[0, -1]] == pytest.approx([30, 1], rel=1e-6)
    assert np.allclose(A @ V[:, :1], U[:, :1] * sigma[0], atol=1e-5)


def test_an_operator_with_one_product_is_enough_if_it_is_symmetric():
    class Operator:
        shape = (2, 2)

        def matvec(self, v):
            return np.array([[2.0, 1.0], [1.0, 2.0]]) @ v

    assert condition_number(Operator()) == pytest.approx(3)
    assert definiteness(Operator()) == "positive definite"


def test_a_spectrum_that_is_not_found_is_a_warning():
    chain = sp.diags_array([-np.ones(2999), 2 * np.ones(3000), -np.ones(2999)], offsets=[-1, 0, 1])
    with pytest.warns(RuntimeWarning, match="smallest or the largest eigenvalue was not found"):
        assert definiteness(chain) == "positive definite"
    with pytest.warns(RuntimeWarning, match="singular value was not found within 500 products"):
        kappa = condition_number(chain)
    assert 1e3 < kappa < 4 / (2 - 2 * np.cos(np.pi / 3001))


@given(st.integers(1, 12), seeds)
def test_lanczos_is_exact_after_all_steps(P, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=P)
    B = with_spectrum(rng, values)
    start = rng.normal(size=P)
    ritz = lanczos(lambda v: B @ v, start)
    scale = np.abs(values).max()
    if len(ritz.values) == P:
        # Ritz vectors are orthogonal to about P eps, times a few
        assert np.allclose(ritz.values, np.sort(values), rtol=0, atol=100 * tolerance(P, scale))
    # moments of the measure of the start: exact for polynomials of degree < 2k
    unit = start / np.linalg.norm(start)
    for power in range(2):
        moment = unit @ np.linalg.matrix_power(B, power) @ unit
        assert ritz.weights @ ritz.values**power == pytest.approx(
            moment, rel=0, abs=100 * tolerance(P, max(scale, 1))
        )


@given(st.integers(1, 10), st.integers(0, 5), seeds)
def test_bidiagonalisation_is_exact_after_all_steps(P, more, seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(P + more, P))
    found = bidiagonalise(lambda v: A @ v, lambda u: A.T @ u, rng.normal(size=P), P + more)
    sigma = np.linalg.svd(A, compute_uv=False)[::-1]
    if len(found.values) == P:
        assert np.allclose(found.values, sigma, rtol=0, atol=100 * tolerance(P, sigma[-1]))


@given(st.integers(1, 20), seeds)
def test_lanczos_with_a_preconditioner_knows_the_quotient(P, seed):
    rng = np.random.default_rng(seed)
    B, M = with_spectrum(rng, rng.normal(size=P)), with_spectrum(rng, rng.uniform(0.5, 2, P))
    ritz = lanczos(lambda v: B @ v, rng.normal(size=P), solve=lambda v: np.linalg.solve(M, v))
    want = np.linalg.eigvals(np.linalg.solve(M, B)).real
    ends = ritz.values[[0, -1]]
    assert np.allclose(ends, [want.min(), want.max()], rtol=0, atol=1e-9 * np.abs(want).max())
    slack = 1e-9 * np.abs(want).max()  # rounding of P products, with room
    distance = np.abs(ritz.values[:, None] - want).min(1)
    assert (distance <= ritz.residuals + slack).all()
    scale = np.abs(B).max() * np.abs(ritz.vectors).max()
    quotient = np.linalg.solve(M, B @ ritz.vectors) - ritz.values * ritz.vectors
    ended = ritz.residuals <= slack
    assert np.abs(quotient[:, ended]).max(initial=0) <= 1e-8 * max(scale, 1)


def test_lanczos_stops_in_an_invariant_space():
    ritz = lanczos(lambda v: 3 * v, np.ones(50))
    assert len(ritz.values) == 1 and ritz.values[0] == pytest.approx(3) and ritz.converged
    ritz = lanczos(lambda v: 0 * v, np.ones(50))
    assert ritz.values.tolist() == [0] and ritz.converged


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("function", [is_symmetric, definiteness, eigen])
@pytest.mark.parametrize(
    ("B", "error", "sentence"),
    [
        (np.ones((2, 3)), ValueError, r"B must be square, got shape \(2, 3\)"),
        (sp.csr_array((2, 3)), ValueError, r"B must be square, got shape \(2, 3\)"),
        (np.ones(3), ValueError, r"B must have shape \(n, P\), got \(3,\)"),
        ([[1, np.nan], [np.nan, 1]], ValueError, "B must be finite, but holds NaN or infinity"),
        (sp.csr_array([[np.inf]]), ValueError, "B must be finite, but holds NaN or infinity"),
        (np.ones((0, 0)), ValueError, r"B is empty, its shape is \(0, 0\)"),
        (lambda v: v, TypeError, "B must be an array or an operator with matvec and shape, got fu"),
        ([["a"]], TypeError, "B must be numbers"),
        ([[1j]], TypeError, "B must be real"),
    ],
)
def test_refused_matrices(function, B, error, sentence):
    with pytest.raises(error, match=sentence):
        function(B)


def test_an_operator_without_a_shape_is_refused():
    class Operator:
        def matvec(self, v):
            return v

    for function in (condition_number, definiteness, svd):
        with pytest.raises(TypeError, match="must be an array or an operator with matvec and sh"):
            function(Operator())


def test_a_matrix_that_is_not_symmetric_has_no_definiteness():
    for B in ([[1, 2], [0, 1]], sp.csr_array([[1, 2], [0, 1]])):
        for function in (definiteness, eigen):
            with pytest.raises(ValueError, match="B must be symmetric; theta'B theta is the same"):
                function(B)
    assert condition_number([[1, 2], [0, 1]]) == pytest.approx((1 + np.sqrt(2)) ** 2)


def test_a_product_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="the product of the operator with a finite vector is not"):
        lanczos(lambda v: v * np.nan, np.ones(3))


# ---- diagnose ------------------------------------------------------------------------------------


def problem(seed, P, kappa):
    rng = np.random.default_rng(seed)
    B = with_spectrum(rng, np.geomspace(0.5, 0.5 * kappa, P))
    return QuadraticLoss(B, rng.normal(size=P)), rng.normal(size=P)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("kappa", [1, 4, 100, 1000])
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
        (([0, 0],), {"names": ["a"]}, "names must have one name for each of the 2 parameters, got"),
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
