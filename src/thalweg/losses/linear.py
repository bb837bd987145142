r"""The linear least-squares loss 1/2 ||A theta - b||^2_W.

With the residual r = b - A theta and W the diagonal matrix of the weights

    value 1/2 r'W r,    gradient -A'W r,    Hessian A'W A,

so one product with A and one with its transpose give value and gradient.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from .._arguments.check import Array, left_out, numbers
from .._arguments.spelling import spelled
from ..kernels import coordinate_sweep
from ..linalg.conversion import as_matrix, without_rows
from ..linalg.operators import Dense, Matrix, Product, Sparse
from .base import CachedState, CoordinateState, LeastSquares, SweepingState
from .callables import by_row
from .left_out import settled


@spelled
class LinearLeastSquares(LeastSquares):
    r"""The loss :math:`L(\theta) = \frac12 \|A \theta - b\|_W^2`, with weights W on the diagonal.

    With M right-hand sides b, shape (n, M), theta has shape (P, M), the loss is the sum over the
    columns, and `minimize` goes down on each column by itself.

    Parameters
    ----------
    A : array_like, shape (n, P), sparse matrix or operator
        An operator has ``matvec``, ``rmatvec`` and ``shape``.  Not copied.
    b : array_like, shape (n,) or (n, M)
        The values that A theta is fitted to.
    weights : array_like, shape (n,) or that of b, optional
        w >= 0; default 1.  Where b or a weight is masked, the weight is 0.  Where the weight is 0,
        b and that row of A may hold anything, NaN and infinity too.

    Attributes
    ----------
    A : Matrix
        The matrix, as an object that gives its products.
    b, weights : ndarray
        ``weights`` is None if all are 1; b is 0 where it was left out.
    n_columns : int or None
        M; None for one right-hand side of shape (n,).

    Raises
    ------
    ValueError
        Shapes do not fit, a number that is used is not finite, or a weight is negative.
    TypeError
        A is masked: an equation with a missing coefficient has no meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.losses import LinearLeastSquares
    >>> loss = LinearLeastSquares([[1, 0], [1, 1], [1, 2]], [1, 3, 5])
    >>> loss.value([1, 1]), loss.gradient([1, 1])
    (2.5, array([-3., -5.]))
    """

    is_quadratic = True

    def __init__(self, A: Any, b: Any, weights: Any = None) -> None:
        matrix = as_matrix(A, "A", checked=False)
        n, self.n_params = matrix.shape
        values, mask = _rows_of(b, "b", n)
        w, missing = (None, None) if weights is None else _rows_of(weights, "weights", n)
        if w is not None and w.ndim > 1 and w.shape != values.shape:
            raise ValueError(
                f"weights must have shape (n={n},) or that of b, {values.shape}, got {w.shape}"
            )
        self.b, self.weights = settled(values, mask, w, missing, "b", "row")
        self.n_columns = None if self.b.ndim == 1 else self.b.shape[1]
        self.A: Matrix = without_rows(matrix, self._unused(), "A")

    def _unused(self) -> Array | None:
        """Return which rows have weight 0 in every column, shape (n,)."""
        if self.weights is None:
            return None
        unused = np.asarray(self.weights == 0)
        return unused if unused.ndim == 1 else np.asarray(unused.all(axis=1))

    def describe(self) -> tuple[str, str]:
        """Return the formula and the sizes, for the repr."""
        n, P = self.A.shape
        columns = "" if self.n_columns is None else f", M={self.n_columns}"
        out = 0 if self.weights is None else int((self.weights == 0).sum())
        weights = "" if self.weights is None else f", weights, {out} of them 0"
        return "1/2 ||A theta - b||^2_W", f"A: {self.A.kind} (n={n}, P={P}){columns}{weights}"

    def column(self, k: int) -> LinearLeastSquares:
        """Return the loss of the right-hand side b[:, k]; it shares A."""
        if self.n_columns is None:
            raise ValueError("this loss has one right-hand side, so it has no columns")
        one = copy(self)
        w = self.weights
        one.b = np.ascontiguousarray(self.b[:, k])
        one.weights = w if w is None or w.ndim == 1 else np.ascontiguousarray(w[:, k])
        one.n_columns = None
        return one

    def at(self, theta: Any, name: str = "theta") -> Array:
        """Return ``theta`` as a float64 array of shape (P,) or (P, M), or say what is wrong."""
        if self.n_columns is None:
            return super().at(theta, name)
        array = numbers(theta, name, np.float64)
        wanted = self.n_params, self.n_columns
        if array.shape != wanted:
            raise ValueError(
                f"{name} must have shape (P={wanted[0]}, M={wanted[1]}), got {array.shape}"
            )
        return array

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return 1/2 r'W r and -A'W r, of the shape of theta, with r = b - A theta."""
        e = self._times(self.at(theta)) - self.b
        We = self._weigh(e)
        return 0.5 * float(np.vdot(e, We)), self._times_transposed(We)

    def residuals(self, theta: Any) -> Array:
        """Return r = b - A theta, of the shape of b."""
        return self.b - self._times(self.at(theta))

    def jvp(self, theta: Any, v: Any) -> Array:
        """Return A v, of the shape of b."""
        return self._times(self.at(v, "v"))

    def vjp(self, theta: Any, e: Any) -> Array:
        """Return e'A, of the shape of theta."""
        array = numbers(e, "e", np.float64)
        if array.shape != self.b.shape:
            raise ValueError(f"e must have the shape of b, {self.b.shape}, got {array.shape}")
        return self._times_transposed(array)

    def _times(self, v: Array) -> Array:
        if v.ndim == 1 or not isinstance(self.A, Product):
            return self.A.apply(v)
        return np.stack([self.A.apply(column) for column in v.T], axis=1)

    def _times_transposed(self, e: Array) -> Array:
        if e.ndim == 1 or not isinstance(self.A, Product):
            return self.A.apply_transposed(e)
        return np.stack([self.A.apply_transposed(column) for column in e.T], axis=1)

    def _one_matrix(self) -> Array | None:
        """Return the weights of the Hessian, shape (n,), which all columns share."""
        if self.weights is not None and self.weights.ndim > 1:
            raise ValueError(
                "the columns of this loss have weights of their own, so it has no one Hessian: "
                "column(k) has"
            )
        return self.weights

    def hessian(self, theta: Any = None) -> Array:
        """Return A'W A, shape (P, P), the same everywhere."""
        return self.A.gram(self._one_matrix())

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return A'W A d, shape (P,)."""
        return self._times_transposed(self._weigh(self._times(self.at(d, "d"))))

    def curvature(self, theta: Any, d: Any) -> float:
        """Return d'A'W A d = ||A d||^2_W, which takes one product and is never negative."""
        Ad = self._times(self.at(d, "d"))
        return float(np.vdot(Ad, self._weigh(Ad)))

    def hessian_diagonal(self, theta: Any = None) -> Array:
        """Return the diagonal of A'W A, shape (P,)."""
        return self.A.gram_diagonal(self._one_matrix())

    def sparse_hessian(self, theta: Any = None) -> Any | None:
        """Return A'W A as a sparse matrix of SciPy; None where A is not sparse."""
        return self.A.sparse_gram(self._one_matrix()) if isinstance(self.A, Sparse) else None

    def coordinate_state(self, theta: Any) -> CoordinateState:
        """Return a point that moves along one parameter at a time and keeps its residual."""
        if isinstance(self.A, Dense | Sparse):
            return _Sweeping(self, self.at(theta), self.A.array)
        return _Coordinates(self, self.at(theta))

    def _weigh(self, e: Array) -> Array:
        return e if self.weights is None else by_row(self.weights, e) * e


class _Coordinates(CachedState):
    """A point that keeps its residual; a derivative and a move cost one column of A each."""

    def __init__(self, loss: LinearLeastSquares, theta: Array) -> None:
        self.loss = loss
        self.diagonal = loss.hessian_diagonal()
        super().__init__(theta)

    def refresh(self) -> None:
        self.residual = self.loss.residuals(self.theta)

    def partial(self, j: int) -> tuple[float, float]:
        rows, values = self.loss.A.column(j)
        r, w = self.residual[rows], self.loss.weights
        return -float(values.dot(r if w is None else w[rows] * r)), float(self.diagonal[j])

    def move(self, j: int, delta: float) -> None:
        self.theta[j] += delta
        rows, values = self.loss.A.column(j)
        self.residual[rows] -= delta * values
        self.count(1)

    def value(self) -> float:
        return 0.5 * float(self.residual.dot(self.loss._weigh(self.residual)))

    def gradient(self) -> Array:
        return -self.loss.A.apply_transposed(self.loss._weigh(self.residual))


class _Sweeping(_Coordinates, SweepingState):
    """A point for a matrix whose columns are in memory, so that `coordinate_sweep` moves it."""

    def __init__(self, loss: LinearLeastSquares, theta: Array, A: Any) -> None:
        super().__init__(loss, theta)
        self.A = A
        elements = A.nnz if isinstance(loss.A, Sparse) else A.size
        self.cost = 4.0 * elements / max(1, theta.size)

    def sweep(self, turns: Array, lower: Array, upper: Array) -> None:
        coordinate_sweep(
            self.A,
            self.theta,
            self.residual,
            weights=self.loss.weights,
            bounds=(lower, upper),
            order=turns,
        )
        self.count(turns.size)


def _rows_of(value: Any, name: str, n: int) -> tuple[Array, Array | None]:
    """Return numbers of n rows, shape (n,) or (n, M), and where they are masked."""
    array, mask = left_out(value)
    array = numbers(array, name, np.float64)
    if array.shape[:1] != (n,) or array.ndim > 2 or array.shape[1:] == (0,):
        raise ValueError(f"{name} must have shape (n={n},) or (n={n}, M), got {array.shape}")
    return array, mask
