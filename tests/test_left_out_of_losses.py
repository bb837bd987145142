"""What is left out of a loss: masks and weights of 0, whatever stands there; what is refused."""

import numpy as np
import pytest
from hypothesis import strategies as st

import thalweg as tw

seeds = st.integers(0, 2**32 - 1)
JUNK = [-999.0, 0.0, np.nan, np.inf, -np.inf, 1e300]
junk = pytest.mark.parametrize("junk", JUNK)
OUT = np.array([0, 1, 0, 0, 1, 0, 0, 0, 0, 0], bool)
T = np.arange(10.0)
A = np.c_[np.ones(10), T, np.cos(T)]
B = 1 + 2 * T + 0.1 * np.sin(5 * T)
W = 1 + 0.1 * T


def masked(values, out=OUT, junk=-999.0):
    return np.ma.array(np.where(out, junk, values), mask=out)


def same(one, other, theta):
    """The same loss, gradient and curvature; sums of ten numbers, some of them 0."""
    assert np.isclose(one.value(theta), other.value(theta), rtol=1e-13)
    assert np.allclose(one.gradient(theta), other.gradient(theta), rtol=1e-12, atol=1e-12)
    G = other.gauss_newton(theta)
    assert np.allclose(one.gauss_newton(theta), G, rtol=1e-12, atol=1e-12 * np.abs(G).max())
    d = np.cos(np.arange(len(theta)))
    assert np.isclose(one.curvature(theta, d), other.curvature(theta, d), rtol=1e-11)
    assert np.isfinite(one.residuals(theta)).all() and np.isfinite(one.jvp(theta, d)).all()
    assert tw.check_adjoint(one, theta).passed
    best = tw.minimize(other, theta, tw.LevenbergMarquardt()).theta
    for method in (tw.LevenbergMarquardt(), tw.CoordinateDescent(), tw.ConjugateGradient()):
        r = tw.minimize(one, theta, method, max_iter=5000)
        assert r.success and np.allclose(r.theta, best, rtol=1e-5, atol=1e-6), r.summary()


LINEAR = {
    "b masked": lambda j: (A, masked(B, junk=j), None),
    "b masked, with weights": lambda j: (A, masked(B, junk=j), np.where(OUT, 7.0, W)),
    "weights masked": lambda j: (A, B, masked(W, junk=j)),
    "weights of 0": lambda j: (A, np.where(OUT, j, B), np.where(OUT, 0.0, W)),
    "a row of A": lambda j: (np.where(OUT[:, None], j, A), masked(B, junk=j), None),
    "a row of A, weight 0": lambda j: (np.where(OUT[:, None], j, A), B, np.where(OUT, 0.0, W)),
    "one each": lambda j: (A, masked(B, T == 1, j), masked(W, T == 4, j)),
}


@junk
@pytest.mark.parametrize("way", LINEAR)
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_linear_least_squares(way, junk, form):
    rows, b, w = LINEAR[way](junk)
    if form == "sparse":
        rows = pytest.importorskip("scipy.sparse").csr_array(rows)
    keep = ~OUT
    weighted = "weight" in way or way == "one each"
    other = tw.LinearLeastSquares(A[keep], B[keep], W[keep] if weighted else None)
    same(tw.LinearLeastSquares(rows, b, w), other, np.array([0.5, 1.0, -1.0]))


def decay(t, a, k, c):
    return a * np.exp(-k * t) + c


Y = decay(T, 2.0, 0.4, 0.5) + 0.05 * np.cos(9 * T)
MSE = {
    "targets masked": lambda j: (T, masked(Y, junk=j), None),
    "inputs masked": lambda j: (masked(T, junk=j), Y, None),
    "both": lambda j: (masked(T, T == 1, j), masked(Y, T == 4, j), None),
    "weights masked": lambda j: (T, Y, masked(np.ones(10), junk=j)),
    "weights of 0": lambda j: (T, np.where(OUT, j, Y), np.where(OUT, 0.0, 1.0)),
    "weights of 0, all junk": lambda j: (
        np.where(OUT, j, T), np.where(OUT, j, Y), np.where(OUT, 0.0, 1.0)
    ),
}  # fmt: skip


@junk
@pytest.mark.parametrize("way", MSE)
def test_mean_squared_errors(way, junk):
    """The divisor stays K, as for weights of 0."""
    inputs, targets, weights = MSE[way](junk)
    keep = ~OUT
    one = tw.MSELoss(decay, inputs, targets, weights)
    other = tw.MSELoss(decay, T[keep], Y[keep], np.full(keep.sum(), keep.mean()))
    same(one, other, np.array([1.5, 0.3, 0.2]))


@junk
def test_single_outputs_of_a_sample(junk):
    """One of two values of a sample is masked; the other still counts."""

    def two(t, a, k, c):
        return a * np.exp(-k * t), a + c * t

    theta = np.array([1.5, 0.3, 0.2])
    targets = np.c_[np.exp(-T), 1 + 0.1 * T]
    out = np.zeros((10, 2), bool)
    out[1, 0] = out[4, 1] = out[5] = True
    one = tw.MSELoss(two, T, masked(targets, out, junk), W)
    r = np.where(out, 0.0, targets - np.c_[two(T, *theta)])
    assert np.isclose(one.value(theta), (W[:, None] * r**2).sum() / 10, rtol=1e-13)
    assert tw.check_gradient(one, theta).passed and tw.check_adjoint(one, theta).passed
    J = np.stack(
        [one.jvp(theta, unit).ravel() for unit in np.eye(3)], axis=1
    ) * np.sqrt(np.repeat(W, 2))[:, None]  # fmt: skip
    assert np.allclose(one.gauss_newton(theta), 2 * J.T @ J / 10, rtol=1e-12)


@junk
def test_functions_of_the_caller(junk):
    def predict(theta):
        return np.where(OUT, np.nan, A @ theta)

    jacobian = np.where(OUT[:, None], np.nan, A)
    one = tw.MSELoss.from_functions(
        predict, masked(B, junk=junk), 3, jacobian=lambda theta: jacobian
    )
    theta = np.array([0.5, 1.0, -1.0])
    r = (B - A @ theta)[~OUT]
    assert np.isclose(one.value(theta), r @ r / 10, rtol=1e-13)
    assert np.allclose(one.gradient(theta), -2 * r @ A[~OUT] / 10, rtol=1e-12)
    assert np.allclose(one.gauss_newton(theta), 2 * A[~OUT].T @ A[~OUT] / 10, rtol=1e-12)
    assert np.isfinite(one.residuals(theta)).all()


def test_a_model_may_overflow_where_the_weight_is_0():
    loss = tw.MSELoss(lambda t, a: a / t, T, np.ones(10), np.where(T == 0, 0.0, 1.0))
    value, gradient = loss.value_and_gradient([2.0])
    t = T[1:]
    assert np.isclose(value, ((1 - 2 / t) ** 2).sum() / 10)
    assert np.isclose(gradient[0], (-2 * (1 - 2 / t) / t).sum() / 10)
    assert tw.minimize(loss, [2.0], tw.LevenbergMarquardt()).success


def test_everything_left_out_is_a_loss_of_0():
    loss = tw.LinearLeastSquares(A, np.ma.masked_all(10))
    assert loss.value([1, 2, 3]) == 0.0 and not loss.gradient([1, 2, 3]).any()
    assert tw.MSELoss(decay, T, np.ma.masked_all(10)).value([1.0, 1, 1]) == 0.0


ROWS_OUT = OUT[:, None] & np.ones(3, bool)
INF = np.where(OUT, np.inf, 0.0)
SOME = np.ma.array(np.eye(2), mask=np.eye(2))


def linear(A=A, b=B, weights=None):
    return lambda: tw.LinearLeastSquares(A, b, weights)


def mse(inputs=T, targets=Y):
    return lambda: tw.MSELoss(decay, inputs, targets)


REFUSED = [
    (TypeError, "A must not be masked", linear(A=masked(A, ROWS_OUT))),
    (TypeError, "B must not be masked", lambda: tw.QuadraticLoss(SOME)),
    (TypeError, "theta_star must not be masked", lambda: tw.QuadraticLoss(np.eye(2), SOME[0])),
    (ValueError, "A must be finite, but holds NaN or infinity in row 1",
     linear(A=np.where(ROWS_OUT, np.nan, A), weights=T != 4)),
    (ValueError, "b must be finite, got nan at row 1; to leave it out, mask it or give it weight 0",
     linear(b=np.where(OUT, np.nan, B))),
    (ValueError, "targets must be finite, got nan at sample 1; to leave it out, mask it",
     mse(targets=np.where(OUT, np.nan, Y))),
    (ValueError, "inputs must be finite, got inf at sample 1", mse(np.where(OUT, np.inf, T))),
    (ValueError, "weights must be finite, got inf at row 1", linear(weights=W + INF)),
    (ValueError, "weights must not be negative, got -1.0 at row 1", linear(weights=OUT * -1.0)),
]  # fmt: skip


@pytest.mark.parametrize(("error", "sentence", "make"), REFUSED)
def test_what_has_no_meaning_is_refused(error, sentence, make):
    with pytest.raises(error, match=sentence):
        make()


def test_an_empty_mask_changes_nothing():
    for mask in (np.ma.nomask, np.zeros(10, bool)):
        loss = tw.LinearLeastSquares(A, np.ma.array(B, mask=mask))
        assert loss.weights is None and np.array_equal(loss.b, B)


def test_data_are_not_changed():
    b, w = np.where(OUT, np.nan, B), np.where(OUT, 0.0, W)
    before = b.copy(), w.copy()
    tw.minimize(tw.LinearLeastSquares(A, b, w), np.zeros(3), tw.ConjugateGradient())
    assert np.array_equal(b, before[0], equal_nan=True) and np.array_equal(w, before[1])


# ---- several right-hand sides ------------------------------------------------------------------

METHODS = [
    tw.ConjugateGradient(),
    tw.LevenbergMarquardt(),
    tw.CoordinateDescent(),
    tw.Newton(),
    tw.LBFGS(),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_columns_are_as_accurate_as_alone(method):
    """Columns of sizes from 1e-9 to 1e9 beside each other."""
    rng = np.random.default_rng(0)
    many = rng.standard_normal((10, 4)) * [1.0, 1e-9, 1e9, 1e3]
    loss = tw.LinearLeastSquares(A, many)
    r = tw.minimize(loss, np.zeros((3, 4)), method, max_iter=5000)
    want = np.linalg.lstsq(A, many)[0]
    assert r.success and r.theta.shape == (3, 4), r.summary()
    assert (np.abs(r.theta - want).max(axis=0) <= 1e-6 * np.abs(want).max(axis=0)).all()
    assert np.isclose(r.loss, loss.value(r.theta), rtol=1e-12)
    for k in range(4):
        alone = tw.minimize(loss.column(k), np.zeros(3), method, max_iter=5000)
        assert np.array_equal(alone.theta, r.theta[:, k])


def test_columns_of_the_loss_itself():
    rng = np.random.default_rng(0)
    many, theta = rng.standard_normal((10, 2)), rng.standard_normal((3, 2))
    for w in (None, W, np.abs(many)):
        loss = tw.LinearLeastSquares(A, many, w)
        parts = [loss.column(k) for k in range(2)]
        assert np.isclose(loss.value(theta), sum(p.value(theta[:, k]) for k, p in enumerate(parts)))
        gradient = np.stack([p.gradient(theta[:, k]) for k, p in enumerate(parts)], axis=1)
        assert np.allclose(loss.gradient(theta), gradient, rtol=1e-13)
        assert loss.residuals(theta).shape == (10, 2) and loss.jvp(theta, theta).shape == (10, 2)
        assert loss.vjp(theta, many).shape == (3, 2)
    assert np.allclose(tw.LinearLeastSquares(A, many, W).hessian(), A.T @ (W[:, None] * A))
    with pytest.raises(ValueError, match="weights of their own, so it has no one Hessian"):
        tw.LinearLeastSquares(A, many, np.abs(many)).hessian()
    with pytest.raises(ValueError, match="one right-hand side, so it has no columns"):
        tw.LinearLeastSquares(A, B).column(0)


def test_columns_with_masks_bounds_and_operators():
    rng = np.random.default_rng(1)
    many = rng.standard_normal((10, 3))
    out = rng.random((10, 3)) < 0.2
    high = rng.uniform(0, 0.2, (3, 3))
    loss = tw.LinearLeastSquares(A, np.ma.array(many, mask=out))
    method = tw.ConjugateGradient()
    r = tw.minimize(loss, np.zeros(3), method, bounds=(-np.inf, high), record=True)
    assert r.success and r.history.theta.shape == (r.n_iter + 1, 3, 3)
    for k in range(3):
        keep = ~out[:, k]
        one = tw.LinearLeastSquares(A[keep], many[keep, k])
        alone = tw.minimize(one, np.zeros(3), method, bounds=(-np.inf, high[:, k]))
        assert np.allclose(r.theta[:, k], alone.theta, rtol=0, atol=1e-7)

    class Operator:
        shape = (10, 3)

        def matvec(self, v):
            return A @ v

        def rmatvec(self, u):
            return A.T @ u

    loss = tw.LinearLeastSquares(Operator(), many)
    r = tw.minimize(loss, np.zeros((3, 3)), method)
    assert np.allclose(r.theta, np.linalg.lstsq(A, many)[0])
    assert loss.vjp(r.theta, many).shape == (3, 3)


def test_one_column_is_a_column():
    r = tw.minimize(tw.LinearLeastSquares(A, B[:, None]), np.zeros((3, 1)), tw.ConjugateGradient())
    assert r.theta.shape == (3, 1)


def test_what_was_finished_comes_with_an_exception():
    calls = []

    def stop(iteration):
        calls.append(1)
        if len(calls) > 5:
            raise KeyError("mine")

    loss = tw.LinearLeastSquares(A, np.c_[B, B + 1, B + 2])
    with pytest.raises(KeyError, match="mine") as caught:
        tw.minimize(loss, np.zeros((3, 3)), tw.ConjugateGradient(), callback=stop)
    found = caught.value.result.theta
    assert found.shape == (3, 3) and np.allclose(found[:, 0], np.linalg.lstsq(A, B)[0], atol=1e-6)


def test_a_column_that_fell_short_is_named():
    loss = tw.LinearLeastSquares(A, np.c_[np.zeros(10), B])
    r = tw.minimize(loss, np.zeros((3, 2)), tw.SteepestDescent(), max_iter=2)
    assert not r.success and "1 of 2 columns converged; column 1: " in r.reason()


SHAPES = [
    (r"b must have shape \(n=10,\) or \(n=10, M\), got \(9,\)", linear(b=B[:9])),
    (r"got \(10, 0\)", linear(b=np.zeros((10, 0)))),
    (r"or that of b, \(10,\), got \(10, 2\)", linear(weights=np.c_[W, W])),
    (r"theta must have shape \(P=3, M=2\), got \(3,\)",
     lambda: tw.LinearLeastSquares(A, np.c_[B, B]).value(np.zeros(3))),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "make"), SHAPES)
def test_shapes_of_columns_refused(sentence, make):
    with pytest.raises(ValueError, match=sentence):
        make()
