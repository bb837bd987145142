"""Spectra and condition numbers of matrices and operators."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spl
from conditioning_cases import orthogonal, separated, with_spectrum
from hypothesis import given
from hypothesis import strategies as st

from thalweg.conditioning import (
    Definiteness,
    condition_number,
    definiteness,
    eigen,
    is_symmetric,
    svd,
)
from thalweg.linalg.krylov import bidiagonalise, lanczos

EPS = np.finfo(float).eps


def tolerance(P, scale):
    """The error of eigenvalues: backward stable decompositions move them by a few P eps ||B||."""
    return 8 * max(P, 1) * EPS * scale


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
    with pytest.raises(ValueError, match="B is 0, so it has no condition number"):
        condition_number(np.zeros((2, 2)))


def test_symmetry_to_rounding():
    B = with_spectrum(np.random.default_rng(2), [1, 2, 3, 4])
    B[0, 1] *= 1 + EPS
    assert is_symmetric(B) and is_symmetric(sp.csr_array(B))
    B[0, 1] += 1e-6
    assert not is_symmetric(B)
    assert not is_symmetric(sp.csr_array(B)) and not is_symmetric(spl.aslinearoperator(B))
    assert is_symmetric([[0.0]])


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
