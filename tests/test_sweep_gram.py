"""The Gram matrix of a sparse A: made at the cost of what is stored, or refused."""

import numpy as np
import pytest
from sweep_csc_cases import KINDS, sparse

from thalweg import kernels
from thalweg._arguments import memory
from thalweg.kernels import _sweep_gram

pytestmark = pytest.mark.usefixtures("isa")


def with_years(rng, kind, n=300, P=12):
    """A sparse matrix beside a full column far from 0, as of years, and a constant one."""
    A = np.where(rng.random((n, P)) < 0.1, rng.uniform(0.5, 1.5, (n, P)), 0.0)
    A[:, 3], A[:, 5] = 1980 + rng.integers(0, 40, n), 2.0
    S = sparse.csc_array(A.astype(kind[0]))
    S.indices, S.indptr = S.indices.astype(kind[1]), S.indptr.astype(kind[1])
    return S


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", ["none", "some", "zeros"])
@pytest.mark.parametrize("order", ["cyclic", "greedy"])
def test_gram_mode_of_sparse_columns_is_that_of_dense_ones(kind, weights, order, monkeypatch):
    """Also where the rows are taken a few at a time."""
    rng = np.random.default_rng(5)
    S, b = with_years(rng, kind), rng.standard_normal((300, 2)) + 7
    w = {"none": None, "some": rng.uniform(0.5, 2, 300), "zeros": rng.choice([0.0, 2.0], 300)}
    options = {"weights": w[weights], "order": order, "l1": 0.3, "gram": True, "sweeps": 4}

    def run(A):
        theta, residual, free = np.zeros((12, 2)), b.copy(), np.zeros(2)
        done = kernels.coordinate_sweep(A, theta, residual, intercept=free, **options)
        return done.objectives, theta, residual, free

    dense = run(S.toarray())
    for products in (_sweep_gram._SPARSE_PRODUCTS, 100.0):
        monkeypatch.setattr(_sweep_gram, "_SPARSE_PRODUCTS", products)
        for got, want in zip(run(S), dense, strict=True):
            # theta of the years times their size; see csrc/sweep/sweep.c on the pivots
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_a_very_sparse_matrix_is_never_made_dense(monkeypatch):
    """Rows of two values each: all of them dense would be 4e8 numbers, and 8e11 products."""
    rng = np.random.default_rng(6)
    n, P = 200_000, 2000
    columns, rows = rng.integers(0, P, 2 * n), np.repeat(np.arange(n), 2)
    A = sparse.csc_array((rng.uniform(0.5, 1, 2 * n), (rows, columns)), (n, P))
    asked, getitem = [], _sweep_gram.SparseRows.__getitem__

    def noted(self, rows):
        asked.append(rows.stop - rows.start)
        return getitem(self, rows)

    monkeypatch.setattr(_sweep_gram.SparseRows, "__getitem__", noted)
    b, found = rng.standard_normal(n), []
    for gram in (True, None):
        theta, residual, free = np.zeros(P), b.copy(), np.zeros(1)
        options = {"intercept": free, "gram": gram, "sweeps": 2, "b": b}
        done = kernels.coordinate_sweep(A, theta, residual, **options)
        found.append((done.objectives, theta, residual, free))
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
    assert asked == [1]  # the row of the pivots


def test_a_gram_matrix_that_does_not_fit_is_refused_with_the_cure(monkeypatch):
    A = sparse.csc_array(np.eye(4))
    monkeypatch.setattr(memory, "memory", lambda: 100.0)
    for matrix, options in ((A, {"gram": True}), (A.toarray(), {"order": "greedy"})):
        theta, residual = np.zeros(4), np.ones(4)
        with pytest.raises(ValueError, match=r"Gram mode needs .* P=4 .* over the residual need"):
            kernels.coordinate_sweep(matrix, theta, residual, **options)
        assert not theta.any() and (residual == 1).all()
    kernels.coordinate_sweep(A, theta, residual)
    assert (theta == 1).all()
