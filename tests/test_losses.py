"""Losses: closed forms, derivatives by differences and by the dot-product test, and refusals."""

import numpy as np
import pytest
from descent_problems import Smooth, SumOfSquares, definite, rosenbrock
from hypothesis import given
from hypothesis import strategies as st

from thalweg.linalg.conversion import as_symmetric
from thalweg.losses import LinearLeastSquares, QuadraticLoss, check_adjoint, check_gradient
from thalweg.losses.curvature import extreme_curvatures

EPS = np.finfo(float).eps
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 8)


def sums(*terms):
    """How far sums of that many terms may differ by rounding, relative to the sum of sizes."""
    return 8 * sum(terms) * EPS


class Operator:
    """A matrix that gives only its products."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def matvec(self, v):
        return self.array @ v

    def rmatvec(self, u):
        return self.array.T @ u


def packed(B):
    return B[np.tril_indices(len(B))]


def sparse(B):
    return pytest.importorskip("scipy.sparse").csr_array(B)


FORMS = {
    "dense": lambda B: B,
    "packed": packed,
    "sparse": sparse,
    "operator": Operator,
    "function": lambda B: lambda v: B @ v,
}


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds, P=sizes)
def test_quadratic_loss_is_its_formula(form, seed, P):
    rng = np.random.default_rng(seed)
    B, star, theta, d = rng.standard_normal((P, P)), *rng.standard_normal((3, P))
    B = B + B.T
    loss, u = QuadraticLoss(FORMS[form](B), star), theta - star
    size = np.abs(B).sum() * (1 + np.abs(u).max()) * (1 + np.abs(d).max()) ** 2
    near = dict(rtol=0, atol=sums(P, P) * size * (1 + np.abs(u).max()))
    assert np.allclose(loss.value(theta), u @ B @ u, **near)
    assert np.allclose(loss.gradient(theta), 2 * B @ u, **near)
    assert np.allclose(loss.hessian(theta), 2 * B, **near)
    assert np.allclose(loss.gauss_newton(theta), 2 * B, **near)
    assert np.allclose(loss.hessian_diagonal(theta), 2 * np.diag(B), **near)
    assert np.allclose(loss.hessian_vector(theta, d), 2 * B @ d, **near)
    assert np.isclose(loss.curvature(theta, d), 2 * d @ B @ d, **near)
    assert_coordinates_agree(loss, theta, rng, near)


@pytest.mark.parametrize("form", ["dense", "sparse", "operator"])
@pytest.mark.parametrize("weighted", [False, True])
@given(seed=seeds, n=st.integers(0, 8), P=sizes)
def test_linear_least_squares_is_its_formula(form, weighted, seed, n, P):
    rng = np.random.default_rng(seed)
    A, b, w = rng.standard_normal((n, P)), rng.standard_normal(n), rng.uniform(0, 2, n)
    theta, d = rng.standard_normal((2, P))
    loss = LinearLeastSquares(FORMS[form](A), b, w if weighted else None)
    W = np.diag(w if weighted else np.ones(n))
    r, H = b - A @ theta, A.T @ W @ A
    size = (1 + np.abs(A).sum()) ** 2 * (1 + np.abs(theta).max()) * (1 + np.abs(d).max()) ** 2
    near = dict(rtol=0, atol=sums(n, P) * 2 * (size + np.sum(r * r)))
    assert np.allclose(loss.value(theta), r @ W @ r / 2, **near)
    assert np.allclose(loss.gradient(theta), -A.T @ W @ r, **near)
    assert np.allclose(loss.residuals(theta), r, **near)
    assert np.allclose(loss.hessian(theta), H, **near)
    assert np.allclose(loss.hessian_diagonal(theta), np.diag(H), **near)
    assert np.allclose(loss.hessian_vector(theta, d), H @ d, **near)
    assert np.isclose(loss.curvature(theta, d), d @ H @ d, **near)
    assert np.allclose(loss.jvp(theta, d), A @ d, **near)
    assert np.allclose(loss.vjp(theta, r), r @ A, **near)
    assert_coordinates_agree(loss, theta, rng, near)


def assert_coordinates_agree(loss, theta, rng, near):
    """After moves along coordinates, everything is as it is at the point reached."""
    before, state = theta.copy(), loss.coordinate_state(theta)
    for j in rng.permutation(loss.n_params):
        state.move(int(j), float(rng.uniform(-1, 1)))
    assert np.array_equal(theta, before)
    assert np.allclose(state.gradient(), loss.gradient(state.theta), **near)
    assert np.isclose(state.value(), loss.value(state.theta), **near)
    derivatives = [state.partial(j) for j in range(loss.n_params)]
    expected = np.stack([loss.gradient(state.theta), loss.hessian_diagonal(state.theta)], axis=1)
    assert np.allclose(derivatives, expected, **near)


@pytest.mark.parametrize("kind", ["quadratic", "linear"])
def test_rounding_does_not_pile_up_in_what_coordinates_keep(kind):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 3))
    loss = QuadraticLoss(A.T @ A) if kind == "quadratic" else LinearLeastSquares(A, np.ones(4))
    state = loss.coordinate_state(np.zeros(3))
    for k in range(5000):
        state.move(k % 3, float(rng.uniform(-1, 1)))
    error = np.abs(state.gradient() - loss.gradient(state.theta)).max()
    assert error <= sums(64 * 3) * np.abs(state.theta).max() * np.abs(A).sum() ** 2


@given(seed=seeds, P=sizes)
def test_line_minimum_has_no_slope(seed, P):
    rng = np.random.default_rng(seed)
    loss = QuadraticLoss(definite(rng, P), rng.standard_normal(P))
    theta = rng.standard_normal(P)
    d = -loss.gradient(theta)
    alpha = loss.line_minimum(theta, d)
    assert abs(loss.gradient(theta + alpha * d) @ d) <= 1e-12 * (d @ d)


def test_line_minimum_where_there_is_none():
    saddle = QuadraticLoss([[1, 0], [0, -1]])
    assert saddle.line_minimum([0, 1], [0, 1]) is None
    assert saddle.line_minimum([1, 0], [1, 0]) == 0  # uphill: the best is to stay
    assert rosenbrock().line_minimum(np.zeros(2), np.ones(2)) is None


@pytest.mark.parametrize("loss", [rosenbrock(), QuadraticLoss([[2, 1], [1, 3]], [1, 0])])
def test_gradient_check_passes_what_is_right(loss):
    report = check_gradient(loss, [-1.2, 0.7])
    assert report.passed and str(report).endswith("gradient check: passed")
    assert np.allclose(report.gradient, report.differences, rtol=1e-7)


def test_gradient_check_fails_what_is_wrong():
    wrong = Smooth(2, lambda x: x @ x, lambda x: [2 * x[0], 2.001 * x[1]])
    report = check_gradient(wrong, [1, 1])
    assert not report.passed and report.worst == 1
    assert "theta[1]" in str(report) and str(report).count("<-- wrong") == 1


@given(seed=seeds, n=st.integers(0, 6), P=sizes)
def test_adjoint_check(seed, n, P):
    A = np.random.default_rng(seed).standard_normal((n, P))
    assert check_adjoint(LinearLeastSquares(A, np.zeros(n)), np.zeros(P)).passed


def test_adjoint_check_fails_what_is_wrong():
    class Wrong(SumOfSquares):
        def vjp(self, theta, e):
            return 1.0001 * super().vjp(theta, e)

    report = check_adjoint(Wrong(lambda x: x**2, 2), [1, 2])
    assert not report.passed and str(report).endswith("adjoint check: failed")
    with pytest.raises(TypeError, match="no Jacobian to check"):
        check_adjoint(QuadraticLoss(np.eye(2)), [0, 0])


def test_curvatures_of_a_large_loss():
    P = 2000
    loss = QuadraticLoss(sparse(np.diag(np.geomspace(1, 50, P))))
    smallest, largest, positive = extreme_curvatures(loss, np.zeros(P))
    assert largest == pytest.approx(100, rel=1e-3) and largest >= 100
    assert smallest == pytest.approx(2, rel=5e-2) and smallest >= 2
    assert positive == smallest  # none is zero or negative
    scaled = extreme_curvatures(loss, np.zeros(P), lambda v: v / np.geomspace(1, 50, P))
    assert np.allclose(scaled, 2, rtol=1e-9)


def test_curvatures_of_a_large_loss_that_is_not_quadratic():
    P = 300
    loss = Smooth(P, lambda x: x @ x / 2, lambda x: x, lambda x: np.diag(np.linspace(1, 4, P)))
    assert np.allclose(extreme_curvatures(loss, np.zeros(P)), (1, 4, 1), rtol=1e-3)


class OnlyForward(Operator):
    rmatvec = None


REFUSED = [
    (r"B must be symmetric, but B\[0, 1\] = 2 and B\[1, 0\] = 3", [[1, 2], [3, 4]]),
    ("B must be square, got shape \\(1, 2\\)", [[1, 2]]),
    ("B must be finite", [[np.nan]]),
    ("as a packed triangle must have P \\(P \\+ 1\\) / 2 elements, got 2", [1, 2]),
    ("B must have shape \\(P, P\\)", np.zeros((1, 1, 1))),
    ("its size must be given by theta_star or n_params", lambda v: v),
    ("B must be symmetric: u'Bv", Operator(np.array([[1.0, 2], [3, 4]]))),
    ("B must be square", Operator(np.zeros((2, 3)))),
]


@pytest.mark.parametrize(("sentence", "B"), REFUSED)
def test_matrices_refused(sentence, B):
    with pytest.raises(ValueError, match=sentence):
        QuadraticLoss(B)


def test_sparse_matrices_refused():
    with pytest.raises(ValueError, match=r"symmetric, but B\[0, 1\] = 2 and B\[1, 0\] = 0"):
        QuadraticLoss(sparse(np.array([[1.0, 2], [0, 4]])))
    with pytest.raises(ValueError, match="B must be finite"):
        QuadraticLoss(sparse(np.diag([1.0, np.inf])))


def test_other_refusals():
    loss = QuadraticLoss(np.eye(2))
    with pytest.raises(ValueError, match="theta must have shape \\(P=2,\\), got \\(3,\\)"):
        loss.value([1, 2, 3])
    with pytest.raises(ValueError, match="theta_star must have shape \\(P=2,\\), got \\(1,\\)"):
        QuadraticLoss(np.eye(2), [1])
    with pytest.raises(ValueError, match="theta_star must be finite"):
        QuadraticLoss(np.eye(1), [np.nan])
    with pytest.raises(ValueError, match="the product of B must have shape \\(2,\\), got \\(1,\\)"):
        QuadraticLoss(lambda v: v[:1], n_params=2)
    with pytest.raises(ValueError, match=r"b must have shape \(n=2,\) or \(n=2, M\), got \(3,"):
        LinearLeastSquares(np.eye(2), [1, 2, 3])
    with pytest.raises(ValueError, match="b must be finite"):
        LinearLeastSquares(np.eye(1), [np.nan])
    with pytest.raises(ValueError, match=r"weights must not be negative, got -1\.0 at row 1"):
        LinearLeastSquares(np.eye(2), [1, 2], [1, -1])
    with pytest.raises(ValueError, match="A must have shape \\(n, P\\), got \\(2,\\)"):
        LinearLeastSquares([1, 2], [1, 2])
    with pytest.raises(ValueError, match="no rmatvec"):
        LinearLeastSquares(OnlyForward(np.eye(2)), [1, 2])
    with pytest.raises(ValueError, match="Smooth has no exact Hessian"):
        Smooth(1, np.sum, np.ones_like).hessian([1])
    with pytest.raises(ValueError, match="no residuals, so it has no Gauss-Newton matrix"):
        Smooth(1, np.sum, np.ones_like).gauss_newton([1])


@pytest.mark.parametrize("P", [1, 2, 7, 300])
def test_a_packed_matrix_is_the_full_one(P):
    A = np.random.default_rng(P).normal(size=(P, P))
    B = A + A.T
    packed, full = as_symmetric(B[np.tril_indices(P)], "B"), as_symmetric(B, "B")
    v = np.cos(np.arange(P))
    np.testing.assert_allclose(packed.apply(v), B @ v, rtol=0, atol=P * 1e-15 * np.abs(B).max())
    np.testing.assert_array_equal(packed.dense(), B)
    np.testing.assert_array_equal(packed.diagonal(), full.diagonal())
    for j in (0, P // 2, P - 1):
        np.testing.assert_array_equal(packed.column(j)[1], B[:, j])


def test_the_jacobian_of_a_single_number_is_its_gradient():
    loss, theta, v = QuadraticLoss([[2, 1], [1, 3]]), np.array([1.0, -2.0]), np.array([0.5, 4.0])
    assert loss.jvp(theta, v) == loss.gradient(theta) @ v == -40.0
    np.testing.assert_array_equal(loss.vjp(theta, 3.0), 3.0 * loss.gradient(theta))


def test_functions_and_operators_without_a_transpose_are_refused_early():
    linalg = pytest.importorskip("scipy.sparse.linalg")
    one_way = linalg.LinearOperator((3, 2), matvec=lambda v: np.ones(3))
    with pytest.raises(ValueError, match="A has no rmatvec, the product with its transpose"):
        LinearLeastSquares(one_way, np.ones(3))
    with pytest.raises(TypeError, match="A is a function: give an operator with matvec, rmatvec"):
        LinearLeastSquares(lambda v: v, np.ones(3))
