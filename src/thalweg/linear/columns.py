"""The columns of A: their means and norms, and passes over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import copied
from .._core import failures
from .._core import linear as _core
from .problem import Problem, total_weight
from .ranges import norm_of

Columns = _core.Columns

# Bytes of a dense A that is copied into the order of its columns.  Products with 500 columns of
# 2000 rows take 1.6 ms where A lies by rows, 0.2 ms where it lies by columns, and the copy 1.5 ms,
# so the second pass repays it.  A larger A, which may be a mapped file, is read as it lies.
_MOST_COPIED = 1 << 28


class Look:
    """What is known of A: right-hand sides and the penalties of a path share it.

    Attributes
    ----------
    columns : Columns
        The kernels' passes over A; the columns less their means, where there is an intercept.
    matrix : ndarray or Columns
        A; a copy where its columns were not one behind the other, and where rows of weight 0 hold
        values that are not finite, which are 0 in it.
    mean : ndarray, shape (P,), or None
        Weighted means of the columns, where there is an intercept.
    square, norm : ndarray, shape (P,)
        A_jᵗWA_j of the columns less their means, and its root; 0 for a constant column.
    weight : float
        Σ w.
    first : pair of ndarray
        The residual of the first right-hand side at θ = 0, and its products with the columns, which
        come from the same pass over A as the norms.
    """

    def __init__(self, problem: Problem, threads: int) -> None:
        n, P = problem.shape
        self.problem, self.threads = problem, threads
        self.mean = np.zeros(P) if problem.intercept else None
        self.square = np.zeros(P)
        self.weight = total_weight(n, problem.weights)
        matrix = _by_columns(problem.matrix)
        residual = self.centred(problem.b[:, 0] if problem.b.shape[1] else np.zeros(n))
        self.first = residual, self._moments(matrix, residual)
        self.norm = np.sqrt(self.square)

    def centred(self, b: Array) -> Array:
        """Return b less its weighted mean, where there is an intercept, as an array of its own."""
        if not self.problem.intercept:
            return np.array(b)
        with np.errstate(over="ignore", invalid="ignore"):  # b that overflows is refused by `State`
            centred: Array = b - self.mean_of(b)
        return centred

    def mean_of(self, b: Array) -> float:
        """Return the weighted mean of b."""
        if not self.weight > 0:
            return 0.0
        w = self.problem.weights
        return float(b.sum() if w is None else w @ b) / self.weight

    def intercept(self, b: Array, theta: Array) -> float:
        """Return θ₀, the mean of b − Aθ, or 0 where there is no intercept."""
        if self.mean is None:
            return 0.0
        support = np.flatnonzero(theta)
        return float(self.mean_of(b) - self.mean[support] @ theta[support])

    def weighted(self, residual: Array) -> Array:
        """Return Wr, of which the products with the columns are Aᵗ Wr."""
        w = self.problem.weights
        return residual if w is None else w * residual

    def squares(self, residuals: Array) -> Array:
        """Return rᵗWr of every column of ``residuals``, (n, m)."""
        w = self.problem.weights
        with np.errstate(over="ignore"):  # what overflows is refused
            weighted = residuals if w is None else residuals * w[:, None]
        total: Array = np.einsum("nm,nm->m", weighted, residuals)
        return total

    def _moments(self, matrix: Any, residual: Array) -> Array:
        """Read A once: fill ``mean`` and ``square``, and return AᵗWr."""
        product = np.zeros(len(self.square))
        w = self.problem.weights
        with np.errstate(over="ignore", invalid="ignore"):
            u = self.weighted(residual)
        for last in (False, True):
            self.matrix = matrix
            self.columns = _core.Columns(_raw(matrix), w, self.threads)
            status, j = self.columns.moments(u, self.mean, self.square, product)
            if not status:
                break
            if last or status != failures.Linear.OVERFLOW or w is None or w.all():
                _refuse_not_finite(matrix, w, j)
                norm = norm_of(_column(matrix, j), w)
                failures.refuse(
                    failures.Linear, status, where=j, what=f"column {j} of A", norm=norm
                )
            else:
                matrix = _cleared(matrix, np.equal(w, 0))
        return product

    def products(self, residual: Array, which: Array | None = None) -> Array:
        """Return A_jᵗWr of the columns ``which``, or of all."""
        out = np.empty(len(self.square) if which is None else len(which))
        self.columns.products(which, self.weighted(residual), out)
        out[self.square[slice(None) if which is None else which] == 0] = 0
        return out


def _by_columns(matrix: Any) -> Any:
    """Return a dense A whose columns lie one behind the other, a copy unless it is too large."""
    if not isinstance(matrix, np.ndarray) or matrix.nbytes > _MOST_COPIED:
        return matrix
    return matrix if matrix.strides[0] == matrix.itemsize else copied(matrix.T).T


def _raw(matrix: Any) -> Any:
    """Return A in the form that the kernels take."""
    return matrix if isinstance(matrix, np.ndarray) else tuple(matrix)


def _cleared(matrix: Any, left: Array) -> Any:
    """Return a copy of A with 0 for each value that is not finite in the rows ``left`` out."""
    if not isinstance(matrix, np.ndarray):
        bad = left[matrix.indices] & ~np.isfinite(matrix.values)
        return matrix._replace(values=np.where(bad, 0, matrix.values).astype(matrix.values.dtype))
    clean: Array = matrix.copy(order="K")
    clean[left] = np.nan_to_num(clean[left], nan=0.0, posinf=0.0, neginf=0.0)
    return clean


def _column(matrix: Any, j: int) -> Array:
    """Return column j of A, (n,)."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix[:, j], np.float64)
    column, stored = np.zeros(matrix.shape[0]), slice(matrix.indptr[j], matrix.indptr[j + 1])
    column[matrix.indices[stored]] = matrix.values[stored]
    return column


def _refuse_not_finite(matrix: Any, weights: Array | None, j: int) -> None:
    """Raise an error that names the first value of column j that is not finite, if there is one."""
    if isinstance(matrix, np.ndarray):
        bad = ~np.isfinite(matrix[:, j])
        if weights is not None:
            bad &= weights > 0
        if bad.any():
            i = int(bad.argmax())
            raise ValueError(f"A must be finite, but A[{i}, {j}] is {matrix[i, j]}")
