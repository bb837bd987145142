r"""The quadratic loss (theta - theta_star)' B (theta - theta_star).

With u = theta - theta_star and B symmetric

    value u' B u,    gradient 2 B u,    Hessian 2 B,

so one product B u gives both value and gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array, count, numbers
from .._arguments.pieces import all_finite
from .._arguments.spelling import spelled
from .._core.sweep import gram_sweeps
from ..linalg.conversion import as_symmetric
from ..linalg.operators import Dense, Matrix
from .base import CachedState, CoordinateState, Loss, SweepingState


@spelled
class QuadraticLoss(Loss):
    r"""The loss :math:`L(\theta) = (\theta - \theta^*)^t B (\theta - \theta^*)`.

    Parameters
    ----------
    B : array_like, shape (P, P) or (P (P + 1) / 2,), sparse matrix, operator or callable
        The matrix, symmetric; a packed one is its lower triangle by rows.  An operator has
        ``matvec`` and ``shape``; a callable returns B v for v, shape (P,).  B is not copied.
    theta_star : array_like, shape (P,), optional
        The point where the gradient vanishes; default 0.
    n_params : int, optional
        P, needed if B is a callable and ``theta_star`` is not given.

    Attributes
    ----------
    B : Matrix
        The matrix, as an object that gives its products.
    theta_star : ndarray, shape (P,)

    Raises
    ------
    ValueError
        B is not square, not symmetric or not finite, or the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.losses import QuadraticLoss
    >>> loss = QuadraticLoss([[2, 1], [1, 3]], theta_star=[1, 0])
    >>> loss.value([2, 1]), loss.gradient([2, 1])
    (7.0, array([6., 8.]))
    """

    is_quadratic = True

    def __init__(self, B: Any, theta_star: Any = None, *, n_params: int | None = None) -> None:
        centre = None if theta_star is None else numbers(theta_star, "theta_star", np.float64)
        size = len(centre) if centre is not None and centre.ndim == 1 else None
        if n_params is not None:
            size = count(n_params, "n_params", 1, 2**31 - 1)
        self.B: Matrix = as_symmetric(B, "B", size)
        self.n_params = self.B.shape[0]
        self.theta_star = (
            np.zeros(self.n_params) if centre is None else self.at(centre, "theta_star")
        )
        if not all_finite(self.theta_star):
            raise ValueError("theta_star must be finite, but holds NaN or infinity")
        self._apply = self.B.apply

    def describe(self) -> tuple[str, str]:
        """Return the formula and the sizes, for the repr."""
        return "(theta - theta*)' B (theta - theta*)", f"B: {self.B.kind} (P={self.n_params})"

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return u'Bu and 2 B u, shape (P,), with u = theta - theta_star."""
        u = self.at(theta) - self.theta_star
        Bu = self._apply(u)
        return float(u.dot(Bu)), Bu + Bu

    def hessian(self, theta: Any = None) -> Array:
        """Return 2 B, shape (P, P), the same everywhere."""
        return 2.0 * self.B.dense()

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return 2 B d, shape (P,)."""
        return 2.0 * self._apply(self.at(d, "d"))

    def sparse_hessian(self, theta: Any = None) -> Any | None:
        """Return 2 B as a sparse matrix of SciPy; None where B is not sparse."""
        sparse = self.B.sparse()
        return None if sparse is None else 2.0 * sparse

    def hessian_diagonal(self, theta: Any = None) -> Array:
        """Return the diagonal of 2 B, shape (P,)."""
        return 2.0 * self.B.diagonal()

    def coordinate_state(self, theta: Any) -> CoordinateState:
        """Return a point that moves along one parameter at a time and keeps B u up to date."""
        if isinstance(self.B, Dense) and (self.B.diagonal() > 0).all():
            return _Sweeping(self, self.at(theta), self.B.array)
        return _Coordinates(self, self.at(theta))


class _Coordinates(CachedState):
    """A point that keeps B u; a move costs one column of B."""

    def __init__(self, loss: QuadraticLoss, theta: Array) -> None:
        self.loss = loss
        self.diagonal = loss.hessian_diagonal()
        super().__init__(theta)

    def refresh(self) -> None:
        self.Bu = np.array(self.loss.B.apply(self.theta - self.loss.theta_star))

    def partial(self, j: int) -> tuple[float, float]:
        return 2.0 * float(self.Bu[j]), float(self.diagonal[j])

    def move(self, j: int, delta: float) -> None:
        self.theta[j] += delta
        rows, values = self.loss.B.column(j)
        self.Bu[rows] += delta * values
        self.count(1)

    def value(self) -> float:
        return float((self.theta - self.loss.theta_star).dot(self.Bu))

    def gradient(self) -> Array:
        return 2.0 * self.Bu


class _Sweeping(_Coordinates, SweepingState):
    """A point for an array B, moved by the sweeps for A'A = B with the products A'r = -B u."""

    def __init__(self, loss: QuadraticLoss, theta: Array, B: Array) -> None:
        super().__init__(loss, theta)
        self.B = np.ascontiguousarray(B if B.flags.c_contiguous else B.T)
        self.none = np.zeros(theta.size)
        self.cost = 2.0 * theta.size

    def sweep(self, turns: Array, lower: Array, upper: Array) -> None:
        low, high = np.ascontiguousarray(lower), np.ascontiguousarray(upper)
        each = self.none, self.none, low, high, 1.0
        q, change, fall = -self.Bu, np.zeros(1), np.zeros(1)
        try:
            gram_sweeps(self.B, self.theta, q, each, turns, 1, 1, 0, change, fall, 1)
        finally:  # after Ctrl-C, theta and q are those of the last update
            self.Bu = -q
        self.count(turns.size)
