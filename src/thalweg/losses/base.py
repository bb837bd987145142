r"""The interface of a loss: what methods of descent may ask it for.

A loss L maps parameters theta, shape (P,), to a number.  Its gradient is a row, shape (P,); its
Hessian H is symmetric, shape (P, P).  Along a direction d the loss is

    L(theta + alpha d) = L + alpha gradient . d + alpha^2 / 2 d' H d + ...

A quadratic loss has its minimum along d at alpha = -(gradient . d) / (d' H d).  `Loss.curvature`,
d' H d, takes one product with H and not H itself.

A least-squares loss is a sum of squared residuals.  It gives products with their Jacobian J: J v
(`LeastSquares.jvp`) and e' J (`LeastSquares.vjp`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from ..linalg.watch import check

_FLOAT = np.dtype(np.float64)
# After so many sweeps a point of coordinate descent computes its residual (or B u) anew, so that
# rounding does not add up (not measured at other sizes).
_REFRESH = 64
# The relative step of a difference of gradients: √eps balances its rounding and truncation errors.
_DIFFERENCE = float(np.sqrt(np.finfo(float).eps))


class Loss(ABC):
    """A function of parameters that methods of descent minimise.

    A subclass must define ``n_params`` and `value_and_gradient`.  Curvature, if it defines that
    too, makes more methods possible.  A method that a loss does not support raises ValueError.

    Attributes
    ----------
    n_params : int
        P, the number of parameters.
    is_quadratic : bool
        Whether the Hessian is the same everywhere.
    precision : float
        eps of the loss's arithmetic; convergence tests ask for no more digits than that.
    has_hessian : bool
        Whether the loss has an exact Hessian: by default, whether a subclass overrides `hessian` or
        `hessian_vector`.  A subclass whose objects differ overrides this property.
    has_gauss_newton : bool
        Whether the loss has a Gauss-Newton matrix: it is quadratic or overrides `gauss_newton`.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss(np.eye(2))
    >>> isinstance(loss, tw.Loss), loss.gradient(np.array([1.0, 2.0]))
    (True, array([2., 4.]))
    """

    n_params: int
    is_quadratic: bool = False
    precision: float = float(np.finfo(np.float64).eps)

    @property
    def has_hessian(self) -> bool:
        """Whether `hessian` and `hessian_vector` work; if so, an error of theirs is a bug."""
        return self._overrides("hessian") or self._overrides("hessian_vector")

    @property
    def has_gauss_newton(self) -> bool:
        """Whether `gauss_newton` works; if so, an error of it is a bug."""
        return self.is_quadratic or self._overrides("gauss_newton")

    def _overrides(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(Loss, name)

    @abstractmethod
    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return the loss and its gradient, shape (P,), in one pass."""

    def value(self, theta: Any) -> float:
        """Return the loss."""
        return self.value_and_gradient(theta)[0]

    def gradient(self, theta: Any) -> Array:
        """Return the gradient of the loss, a row of shape (P,)."""
        return self.value_and_gradient(theta)[1]

    def jvp(self, theta: Any, v: Any) -> Any:
        """Return J v: the derivative gradient . v of the loss along v, since J is the gradient."""
        return float(self.gradient(theta).dot(self.at(v, "v")))

    def vjp(self, theta: Any, e: Any) -> Array:
        """Return e' J, shape (P,): e times the gradient, since J is the gradient."""
        product: Array = float(e) * self.gradient(theta)
        return product

    def hessian(self, theta: Any) -> Array:
        """Return the exact Hessian, shape (P, P); by default column by column of its products.

        Raises
        ------
        ValueError
            The loss has no exact Hessian.
        """
        if not self._overrides("hessian_vector"):
            raise ValueError(f"{self.name} has no exact Hessian")
        return self._hessian_by_products(theta)

    def _hessian_by_products(self, theta: Any) -> Array:
        H = np.empty((self.n_params, self.n_params))
        for j in range(self.n_params):
            check()
            H[j] = self.hessian_vector(theta, np.eye(1, self.n_params, j)[0])
        return np.asarray((H + H.T) / 2)

    def gauss_newton(self, theta: Any) -> Array:
        """Return the Gauss-Newton matrix, shape (P, P).

        It is the Hessian without the terms in which second derivatives of the model are multiplied
        by residuals; for a quadratic loss it is the Hessian.

        Raises
        ------
        ValueError
            The loss is neither quadratic nor made of residuals.
        """
        if self.is_quadratic:
            return self.hessian(theta)
        raise ValueError(f"{self.name} has no residuals, so it has no Gauss-Newton matrix")

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return H d, shape (P,)."""
        product: Array = self.hessian(theta) @ self.at(d, "d")
        return product

    def hessian_diagonal(self, theta: Any) -> Array:
        """Return the diagonal of the Hessian, shape (P,)."""
        return np.diagonal(self.hessian(theta)).copy()

    def sparse_hessian(self, theta: Any) -> Any | None:
        """Return the Hessian as a sparse matrix of SciPy; None where it is not sparse."""
        return None

    def curvature(self, theta: Any, d: Any) -> float:
        """Return d' H d, the second derivative of the loss along d."""
        d = self.at(d, "d")
        return float(d.dot(self.hessian_vector(theta, d)))

    def line_minimum(self, theta: Any, d: Any) -> float | None:
        """Return the alpha >= 0 that minimises L(theta + alpha d), where a closed form exists.

        For a quadratic loss alpha = -(gradient . d) / (d' H d).  None if the loss has no closed
        form, or if its curvature along d is not positive.
        """
        if not self.is_quadratic:
            return None
        curvature = self.curvature(theta, d)
        return max(0.0, -float(self.gradient(theta).dot(d)) / curvature) if curvature > 0 else None

    def coordinate_state(self, theta: Any) -> CoordinateState:
        """Return a point that can be moved along one parameter at a time."""
        return GradientCoordinates(self, self.at(theta))

    def at(self, theta: Any, name: str = "theta") -> Array:
        """Return ``theta`` as a float64 array of shape (P,), or say what is wrong with it."""
        if type(theta) is np.ndarray and theta.dtype is _FLOAT and theta.shape == (self.n_params,):
            return theta
        array = numbers(theta, name, np.float64)
        if array.shape != (self.n_params,):
            raise ValueError(f"{name} must have shape (P={self.n_params},), got {array.shape}")
        return array

    def describe(self) -> tuple[str, str]:
        """Return the formula and the sizes, for the repr."""
        return "L(theta)", f"P={self.n_params}"

    def __repr__(self) -> str:
        formula, sizes = self.describe()
        return f"<{self.name}: {formula}\n {sizes}>"

    def _repr_html_(self) -> str:
        formula, sizes = (escape(text) for text in self.describe())
        return f"<b>{escape(self.name)}</b> <code>{formula}</code><br>{sizes}"

    @property
    def name(self) -> str:
        """The name of this loss in messages."""
        return type(self).__name__


def refuse_no_loss(value: Any, kind: type[Loss] | None = None) -> None:
    """Raise TypeError unless ``value`` is a loss, or a loss of the class ``kind``."""
    if not isinstance(value, kind or Loss):
        what = "sum of squares such as MSELoss or LinearLeastSquares" if kind else "Loss"
        raise TypeError(
            f"loss must be a {what}, got {type(value).__name__}; FunctionLoss(value, gradient) "
            "makes one of plain functions, QuadraticLoss(B) of a matrix"
        )


class LeastSquares(Loss):
    """A loss that is a sum of squared residuals e = data - prediction.

    Examples
    --------
    >>> import thalweg as tw
    >>> isinstance(tw.LinearLeastSquares([[1.0], [2.0]], [1.0, 2.0]), tw.LeastSquares)
    True
    """

    @abstractmethod
    def residuals(self, theta: Any) -> Array:
        """Return data minus prediction, in the shape of the data."""

    @abstractmethod
    def jvp(self, theta: Any, v: Any) -> Array:
        """Return J v, the derivative of the prediction along v, in the shape of the data."""

    @abstractmethod
    def vjp(self, theta: Any, e: Any) -> Array:
        """Return e' J, shape (P,): the sum of the Jacobian's rows times the elements of e."""


class CoordinateState(ABC):
    """A point that moves along one parameter at a time.

    Attributes
    ----------
    theta : ndarray, shape (P,)
        The parameters of the point, which `move` changes.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> state = loss.coordinate_state([1.0, 1.0])
    >>> slope, curvature = state.partial(0)
    >>> state.move(0, -slope / curvature)
    >>> state.theta.round(6), round(state.value(), 6)
    (array([-0.2,  1. ]), 0.6)
    """

    theta: Array

    @abstractmethod
    def partial(self, j: int) -> tuple[float, float]:
        """Return the first and the second derivative of the loss by parameter j at the point."""

    @abstractmethod
    def move(self, j: int, delta: float) -> None:
        """Add ``delta`` to parameter j."""

    @abstractmethod
    def value(self) -> float:
        """Return the loss at the point."""

    @abstractmethod
    def gradient(self) -> Array:
        """Return the gradient at the point, shape (P,)."""


class CachedState(CoordinateState):
    """A point that updates a product with each move, and computes it anew every `_REFRESH` sweeps.

    Parameters
    ----------
    theta : ndarray, shape (P,)
        The start; copied.
    """

    def __init__(self, theta: Array) -> None:
        self.theta = theta.copy()
        self.refresh()
        self._moves = 0

    @abstractmethod
    def refresh(self) -> None:
        """Compute the product anew."""

    def count(self, moves: int) -> None:
        """Count ``moves`` moves, and refresh the product if there have been enough."""
        self._moves += moves
        if self._moves >= _REFRESH * self.theta.size:
            self.refresh()
            self._moves = 0


class SweepingState(CoordinateState):
    """A point of a quadratic loss that a compiled kernel moves along many parameters in turn.

    Attributes
    ----------
    cost : float
        The approximate number of additions and multiplications of one move.
    """

    cost: float

    @abstractmethod
    def sweep(self, turns: Array, lower: Array, upper: Array) -> None:
        """Move the parameters ``turns``, one by one, each to its minimum within the bounds."""


class GradientCoordinates(CoordinateState):
    """A point of a loss whose partial derivatives cost as much as its whole gradient.

    Second derivatives are those of the Hessian or the Gauss-Newton matrix; if the loss has neither,
    they are differences of its gradient.
    """

    def __init__(self, loss: Loss, theta: Array) -> None:
        self.loss = loss
        self.theta = theta.copy()

    def partial(self, j: int) -> tuple[float, float]:
        return float(self.gradient()[j]), self._curvature(j)

    def _curvature(self, j: int) -> float:
        if self.loss.has_hessian:
            unit = np.zeros_like(self.theta)
            unit[j] = 1.0
            return self.loss.curvature(self.theta, unit)
        if self.loss.has_gauss_newton:
            return float(self.loss.gauss_newton(self.theta)[j, j])
        return self._secant(j)

    def _secant(self, j: int) -> float:
        size = abs(float(self.theta[j])) or float(np.sqrt(np.mean(self.theta**2))) or 1.0
        beyond = self.theta.copy()
        beyond[j] += _DIFFERENCE * size
        width = float(beyond[j] - self.theta[j])
        return float(self.loss.gradient(beyond)[j] - self.gradient()[j]) / width

    def move(self, j: int, delta: float) -> None:
        self.theta[j] += delta

    def value(self) -> float:
        return self.loss.value(self.theta)

    def gradient(self) -> Array:
        return self.loss.gradient(self.theta)
