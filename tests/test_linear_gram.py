"""The Gram matrix of a working set, which grows, and the residual that sweeps update instead."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.linear import columns
from thalweg.linear.columns import Look
from thalweg.linear.gram import Gram
from thalweg.linear.problem import problem_of
from thalweg.linear.state import State


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("n", [3, 65])
@pytest.mark.parametrize("P", [30, 511])
def test_a_matrix_that_grows_is_that_of_all_columns(P, n, is_sparse):
    """Columns in any order, first a few, then half of them, then all; with means and weights."""
    rng = np.random.default_rng(P + n)
    A, w = rng.normal(size=(n, P)) + 3, rng.uniform(0, 1, n)
    matrix = A
    if is_sparse:
        A = np.where(A > 3, A, 0)
        matrix = pytest.importorskip("scipy.sparse").csc_array(A)
    g = Gram(Look(problem_of(matrix, np.ones(n), 0, 0, None, w, True), 0))
    order = rng.permutation(P)
    for size in (7, P // 2, P):
        found = g.of(order[:size])[:size, :size]
        C = (A - (w @ A) / w.sum())[:, order[:size]]
        exact = C.T @ (w[:, None] * C)
        # n roundings of a sum whose terms are no larger than the largest diagonal element
        np.testing.assert_allclose(found, exact, atol=(n + 10) * 2e-16 * 20 * exact.max())


def test_columns_in_another_order_begin_anew():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 12))
    g = Gram(Look(problem_of(A, np.ones(30), 0, 0, None, None, False), 0))
    for which in ([3, 1, 2], [3, 2, 1], [2, 5], [2, 5, 3]):
        which = np.array(which)
        m = len(which)
        exact = A[:, which].T @ A[:, which]
        np.testing.assert_allclose(g.of(which)[:m, :m], exact, atol=1e-12)


@pytest.mark.parametrize("bounds", [None, (0, None)])
def test_the_order_in_memory_changes_no_bit(bounds, monkeypatch):
    """Rows one behind the other are copied; too large a matrix is read as it lies."""
    rng = np.random.default_rng(3)
    A = np.abs(rng.standard_normal((300, 200)))
    b = A[:, :9].sum(1) + rng.standard_normal(300)
    want = tw.coordinate_descent(np.asfortranarray(A), b, l1=3.0, bounds=bounds)
    before = A.copy()
    assert np.array_equal(tw.coordinate_descent(A, b, l1=3.0, bounds=bounds).theta, want.theta)
    assert np.array_equal(A, before)
    monkeypatch.setattr(columns, "_MOST_COPIED", A.nbytes - 1)
    as_it_lies = tw.coordinate_descent(A, b, l1=3.0, bounds=bounds)
    assert as_it_lies.success
    np.testing.assert_allclose(as_it_lies.theta, want.theta, atol=1e-3 * want.theta.max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_drift_of_the_residual_is_told(is_sparse, dtype, monkeypatch):
    rng = np.random.default_rng(9)
    A = (rng.standard_normal((200, 60)) * (rng.random((200, 60)) < 0.2)).astype(dtype)
    b, w = rng.standard_normal(200), rng.random(200) + 0.5
    A = pytest.importorskip("scipy.sparse").csc_array(A) if is_sparse else A
    how = {"l1": 2.0, "weights": w, "intercept": True, "strategy": "residual"}
    r = tw.coordinate_descent(A, b, **how)
    small = 1e-13 * np.sqrt(w @ b**2)
    assert r.success and 0 < r.drift <= small
    several = tw.coordinate_descent(A, np.stack([b, 2 * b], 1), **how)
    assert several.drift.shape == (2,) and (several.drift <= 2 * small).all()
    assert tw.coordinate_descent(A, b, **how | {"strategy": "gram"}).drift == 0
    take = State.take

    def wrong(self, residual):
        take(self, residual + np.eye(200)[7] * 1e-9)

    monkeypatch.setattr(State, "take", wrong)
    assert 0.99e-9 <= tw.coordinate_descent(A, b, **how).drift / np.sqrt(w[7]) <= 1e-6


@pytest.mark.parametrize("far", ["a heavy row", "two heavy rows", "means"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [6, 35, 60])
def test_sparse_columns_whose_means_take_nearly_all_are_solved_as_dense_ones(n, dtype, far):
    """More columns than rows, whose Gram matrix must have no negative curvature of its own."""
    sp, rng = pytest.importorskip("scipy.sparse"), np.random.default_rng(n)
    A = rng.standard_normal((n, 52)) * (rng.random((n, 52)) < 0.3) * rng.uniform(1, 30, 52)
    b, w = A[:, :3].sum(1) + rng.standard_normal(n), rng.choice([0.0, 1.0, 2.5], n)
    if far == "means":
        A += 1e4 * rng.standard_normal(52)
    else:
        w[: 1 + (far == "two heavy rows")] = 1e8
    A = A.astype(dtype)
    how = {"weights": w, "intercept": True, "l1": 0.05}
    dense = tw.coordinate_descent(A, b, **how)
    for kind in (sp.csc_array, sp.csr_array):
        r = tw.coordinate_descent(kind(A), b, **how)
        assert r.success and dense.success
        assert abs(r.objective - dense.objective) <= r.wanted + dense.wanted
