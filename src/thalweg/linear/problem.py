"""A linear problem as the user gave it: its arguments are checked, nothing is computed yet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._arguments.arrays import real_array, unmasked, whole_strides
from .._arguments.bounds import bounds_of_one
from .._arguments.check import Array, left_out, numbers
from .._arguments.pieces import all_finite
from .._arguments.values import kept_at_zero, penalty, refuse_nonfinite, row_weights
from .._core import failures
from .._core import sweep as _core
from ..kernels._sparse_sweep import Columns, columns_of


class Problem(NamedTuple):
    """Minimise ½ Σ w r² + Σ l1 |θ| + ½ Σ l2 θ² within bounds, r = b − Aθ − intercept.

    Attributes
    ----------
    matrix : ndarray (n, P) or Columns
        A: dense, or sparse by columns, checked; float64 or float32.
    b : ndarray, shape (n, M)
        Right-hand sides, 0 where the weight is.
    weights : ndarray, shape (n,), or None
    l1, l2, lower, upper : ndarray, shape (P,)
        A coordinate with an infinite l1 has the bounds (0, 0) and no penalty.
    intercept : bool
    batch : tuple
        ``()`` for one right-hand side, ``(M,)`` for a row of them.
    """

    matrix: Array | Columns
    b: Array
    weights: Array | None
    l1: Array
    l2: Array
    lower: Array
    upper: Array
    intercept: bool
    batch: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, P)."""
        n, P = self.matrix.shape
        return n, P

    @property
    def each(self) -> tuple[Array, Array, Array, Array]:
        """The four arrays with one number for each coordinate, in the order of the kernels."""
        return self.l1, self.l2, self.lower, self.upper


def problem_of(
    A: Any,
    b: Any,
    l1: Any,
    l2: Any,
    bounds: Any,
    weights: Any,
    intercept: bool,
    *,
    right: str = "b",
) -> Problem:
    """Check the arguments that say what is to be minimised; ``right`` is what users call b.

    Raises
    ------
    ValueError, TypeError
        An argument is refused, with a sentence that names it, and the row and column of a value
        that is not finite.
    """
    is_sparse = type(A) is not np.ndarray and hasattr(A, "tocsc")
    matrix = _sparse(A) if is_sparse else _dense(A)
    n, P = matrix.shape
    weights = None if weights is None else row_weights(weights, n)
    if isinstance(matrix, Columns):
        matrix = _checked(A, matrix, weights)
    b, batch = _right_sides(b, n, weights, right)
    penalties = penalty(l1, "l1", P, infinite=True), penalty(l2, "l2", P)
    lower, upper = bounds_of_one(bounds, P)
    l1, lower, upper = kept_at_zero(penalties[0], lower, upper)
    return Problem(matrix, b, weights, l1, penalties[1], lower, upper, bool(intercept), batch)


def total_weight(n: int, weights: Any) -> float:
    """Return Σ w over n rows."""
    return float(n) if weights is None else float(np.sum(weights))


def _dense(A: Any) -> Array:
    A = unmasked(A, "A", "give rows to leave out the weight 0", strict=True)
    matrix = whole_strides(real_array(A, "A"))
    if matrix.ndim != 2:
        raise ValueError(f"A must have shape (n, P), got {matrix.shape}")
    return matrix


def _sparse(A: Any) -> Columns:
    """Return the columns of A, which are copies unless it is stored by columns."""
    return columns_of(A if getattr(A, "format", None) in ("csc", "csr") else A.tocsc())


def _checked(A: Any, matrix: Columns, weights: Array | None) -> Columns:
    """Return the columns of A, checked; a copy where rows of a column do not ascend.

    SciPy takes rows in any order, and elements that are stored twice for their sum.
    """
    if _is_in_order(matrix, weights):
        return matrix
    ordered = A.tocsc(copy=True)
    ordered.sum_duplicates()
    matrix = columns_of(ordered)
    _is_in_order(matrix, weights)
    return matrix


def _is_in_order(matrix: Columns, weights: Array | None) -> bool:
    """Refuse wrong indices and values; return whether the rows of each column ascend.

    The kernel checks this in 0 sweeps over 0 columns of b.
    """
    n, P = matrix.shape
    values = matrix.values
    if weights is not None and not weights.all() and not all_finite(values):
        # an index out of range is clipped here and refused by the kernel
        left = (weights == 0).take(matrix.indices, mode="clip") if n else np.zeros(0, bool)
        values = np.where(left & ~np.isfinite(values), 0, values).astype(values.dtype)
    each, none = np.zeros(P), np.zeros(0)
    status, j = _core.sparse_sweep(
        (n, P, 0), matrix.indptr, matrix.indices, values, weights=weights,
        each=(each, each, each, each, 1.0), order=None, greedy=False, sweeps=0, centered=False,
        theta=np.zeros((P, 0)), residual=np.zeros((n, 0)), intercept=None, b=None, change=none,
        fall=np.zeros((0, 0)), drift=none, threads=1,
    )  # fmt: skip
    if status == failures.Sweep.NOT_FINITE:
        _refuse_value(matrix._replace(values=values), j)
    if status == failures.Sweep.BAD_ORDER:
        return False
    failures.refuse(failures.Sweep, status, where=j, n=n)
    return True


def _refuse_value(matrix: Columns, j: int) -> None:
    """Raise an error that names the first value of column j that is not finite."""
    stored = slice(matrix.indptr[j], matrix.indptr[j + 1])
    values = matrix.values[stored]
    k = int(np.argmin(np.isfinite(values)))
    i = matrix.indices[stored][k]
    raise ValueError(f"A must be finite, but A[{i}, {j}] is {values[k]}")


def _right_sides(b: Any, n: int, weights: Array | None, name: str) -> tuple[Array, tuple[int, ...]]:
    """Return b as (n, M), 0 where the weight is 0, and the shape of a batch of right-hand sides."""
    plain, masked = left_out(b)
    array = numbers(plain, name, np.float64)
    if array.ndim not in (1, 2) or len(array) != n:
        raise ValueError(f"{name} must have shape (n={n},) or (n={n}, M), got {array.shape}")
    if masked is not None:
        raise TypeError(f"{name} must not be masked; give rows to leave out the weight 0")
    batch = array.shape[1:]
    if not batch:
        array = array[:, None]
    if weights is not None and not weights.all():
        array = np.where(weights[:, None] == 0, 0.0, array)
    refuse_nonfinite(array if batch else array[:, 0], name)
    return array, batch
