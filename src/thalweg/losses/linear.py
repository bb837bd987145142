r"""The linear least-squares loss 1/2 ||A theta - b||^2_W.

With the residual r = b - A theta and W the diagonal matrix of the weights

    value 1/2 r'W r,    gradient -A'W r,    Hessian A'W A,

so one product with A and one with its transpose give value and gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import Array, all_finite, numbers
from ..kernels import coordinate_sweep
from .base import CachedState, CoordinateState, LeastSquares, SweepingState
from .operators import Dense, Matrix, Sparse, as_matrix


class LinearLeastSquares(LeastSquares):
    r"""The loss :math:`L(\theta) = \frac12 \|A \theta - b\|_W^2`, with weights W on the diagonal.

    Parameters
    ----------
    A : array_like, shape (n, P), sparse matrix or operator
        An operator has ``matvec``, ``rmatvec`` and ``shape``.  Not copied.
    b : array_like, shape (n,)
        What A theta should be.
    weights : array_like, shape (n,), optional
        Not negative; 1.

    Attributes
    ----------
    A : Matrix
        The matrix by its products.
    b, weights : ndarray, shape (n,)
        ``weights`` is None where all are 1.

    Raises
    ------
    ValueError
        Shapes do not fit, a number is not finite, or a weight is negative.

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
        self.A: Matrix = as_matrix(A, "A")
        n, self.n_params = self.A.shape
        self.b = _column(b, "b", n)
        self.weights = None if weights is None else _column(weights, "weights", n)
        if self.weights is not None and not (self.weights >= 0).all():
            i = int(np.argmin(self.weights >= 0))
            raise ValueError(f"weights must be >= 0, got {self.weights[i]} in row {i}")

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return 1/2 r'W r and -A'W r, shape (P,), with r = b - A theta."""
        e = self.A.apply(self.at(theta)) - self.b
        We = self._weigh(e)
        return 0.5 * float(e.dot(We)), self.A.apply_transposed(We)

    def residuals(self, theta: Any) -> Array:
        """Return r = b - A theta, shape (n,)."""
        return self.b - self.A.apply(self.at(theta))

    def jvp(self, theta: Any, v: Any) -> Array:
        """Return A v, shape (n,)."""
        return self.A.apply(self.at(v, "v"))

    def vjp(self, theta: Any, e: Any) -> Array:
        """Return e'A, shape (P,)."""
        return self.A.apply_transposed(_column(e, "e", self.A.shape[0]))

    def hessian(self, theta: Any = None) -> Array:
        """Return A'W A, shape (P, P), the same everywhere."""
        return self.A.gram(self.weights)

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return A'W A d, shape (P,)."""
        return self.A.apply_transposed(self._weigh(self.A.apply(self.at(d, "d"))))

    def curvature(self, theta: Any, d: Any) -> float:
        """Return d'A'W A d = ||A d||^2_W: one product, and never negative."""
        Ad = self.A.apply(self.at(d, "d"))
        return float(Ad.dot(self._weigh(Ad)))

    def hessian_diagonal(self, theta: Any = None) -> Array:
        """Return the diagonal of A'W A, shape (P,)."""
        return self.A.gram_diagonal(self.weights)

    def sparse_hessian(self, theta: Any = None) -> Any | None:
        """Return A'W A as a sparse matrix of SciPy; None where A is not sparse."""
        return self.A.sparse_gram(self.weights) if isinstance(self.A, Sparse) else None

    def coordinate_state(self, theta: Any) -> CoordinateState:
        """Return a point that moves along one parameter at a time and keeps its residual."""
        if isinstance(self.A, Dense | Sparse):
            return _Sweeping(self, self.at(theta), self.A.array)
        return _Coordinates(self, self.at(theta))

    def _weigh(self, e: Array) -> Array:
        return e if self.weights is None else self.weights * e


class _Coordinates(CachedState):
    """Moves along coordinates; a derivative and a move cost one column of A each."""

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
    """Coordinates of a matrix whose columns are in memory, which `coordinate_sweep` takes."""

    def __init__(self, loss: LinearLeastSquares, theta: Array, A: Any) -> None:
        super().__init__(loss, theta)
        self.A = A

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


def _column(value: Any, name: str, size: int) -> Array:
    array = numbers(value, name, np.float64)
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape (n={size},), got {array.shape}")
    if not all_finite(array):
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")
    return array
