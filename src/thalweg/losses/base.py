r"""What every loss offers to the methods that go down on it.

A loss L maps parameters theta, shape (P,), to a number.  Its gradient is a row, shape (P,); its
Hessian H is symmetric, shape (P, P).  Along a direction d the loss is

    L(theta + alpha d) = L + alpha gradient . d + alpha^2 / 2 d' H d + ...

so that `Loss.curvature`, d' H d, gives the exact minimum alpha = -(gradient . d) / (d' H d) of a
quadratic loss: one product with H, and H itself is never needed.

A least-squares loss is made of residuals, and knows their Jacobian J by its two products:
forwards J v (`LeastSquares.jvp`) and backwards e' J (`LeastSquares.vjp`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from ..linalg.watch import check

_FLOAT = np.dtype(np.float64)
_REFRESH = 64  # sweeps after which what a point keeps up to date is computed anew
_DIFFERENCE = float(np.sqrt(np.finfo(float).eps))  # of gradients: half the digits are enough


class Loss(ABC):
    """A function of parameters that methods of descent minimise.

    A subclass gives the number of parameters and `value_and_gradient`; whatever else it can do
    makes more methods possible.  What a loss cannot do it refuses in one sentence.

    Attributes
    ----------
    n_params : int
        P, the number of parameters.
    is_quadratic : bool
        Whether the Hessian is the same everywhere.
    precision : float
        eps of the arithmetic; no test asks for more digits than it has.
    has_hessian : bool
        Whether the exact Hessian is there: `hessian` or `hessian_vector` is overridden.  A subclass
        that has it only sometimes says so by a property of its own.
    has_gauss_newton : bool
        The same of `gauss_newton`.
    """

    n_params: int
    is_quadratic: bool = False
    precision: float = float(np.finfo(np.float64).eps)

    @property
    def has_hessian(self) -> bool:
        """Whether `hessian` and `hessian_vector` answer; what they raise then is a mistake."""
        return self._overrides("hessian") or self._overrides("hessian_vector")

    @property
    def has_gauss_newton(self) -> bool:
        """Whether `gauss_newton` answers; what it raises then is a mistake."""
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
        """Return J v: of a single number, the derivative gradient . v of the loss along v."""
        return float(self.gradient(theta).dot(self.at(v, "v")))

    def vjp(self, theta: Any, e: Any) -> Array:
        """Return e' J, shape (P,): e times the gradient, which is the J of a scalar loss."""
        product: Array = float(e) * self.gradient(theta)
        return product

    def hessian(self, theta: Any) -> Array:
        """Return the exact Hessian, shape (P, P); by default from the products with it.

        Raises
        ------
        ValueError
            The loss has none to give.
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
        """Return the Gauss-Newton matrix, shape (P, P): the Hessian less what residuals multiply.

        The Hessian itself where it is constant.

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
        """Return alpha >= 0 that minimises L(theta + alpha d), where a closed form exists.

        For a quadratic loss alpha = -(gradient . d) / (d' H d).  None where there is no closed
        form, and where the loss does not curve upwards along d.
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
        """What messages call this loss."""
        return type(self).__name__


def refuse_no_loss(value: Any, kind: type[Loss] | None = None) -> None:
    """Raise TypeError unless ``value`` is a loss, or one of a kind."""
    if not isinstance(value, kind or Loss):
        what = "sum of squares such as MSELoss or LinearLeastSquares" if kind else "Loss"
        raise TypeError(
            f"loss must be a {what}, got {type(value).__name__}; FunctionLoss(value, gradient) "
            "makes one of plain functions, QuadraticLoss(B) of a matrix"
        )


class LeastSquares(Loss):
    """A loss that is a sum of squared residuals e = data - prediction."""

    @abstractmethod
    def residuals(self, theta: Any) -> Array:
        """Return data minus prediction, in the shape of the data."""

    @abstractmethod
    def jvp(self, theta: Any, v: Any) -> Array:
        """Return J v: how the prediction changes when theta moves along v, shape (P,)."""

    @abstractmethod
    def vjp(self, theta: Any, e: Any) -> Array:
        """Return e' J, shape (P,): the row that weighs the Jacobian's rows by e."""


class CoordinateState(ABC):
    """A point that moves along one parameter at a time.

    Attributes
    ----------
    theta : ndarray, shape (P,)
        Where it is; changed by `move`.
    """

    theta: Array

    @abstractmethod
    def partial(self, j: int) -> tuple[float, float]:
        """Return the first and the second derivative of the loss along parameter j, here."""

    @abstractmethod
    def move(self, j: int, delta: float) -> None:
        """Add ``delta`` to parameter j."""

    @abstractmethod
    def value(self) -> float:
        """Return the loss, here."""

    @abstractmethod
    def gradient(self) -> Array:
        """Return the gradient, shape (P,), here."""


class CachedState(CoordinateState):
    """A point that keeps a product up to date, and computes it anew before rounding piles up.

    Parameters
    ----------
    theta : ndarray, shape (P,)
        Where it starts; copied.
    """

    def __init__(self, theta: Array) -> None:
        self.theta = theta.copy()
        self.refresh()
        self._moves = 0

    @abstractmethod
    def refresh(self) -> None:
        """Compute the product anew."""

    def count(self, moves: int) -> None:
        """Note that so many parameters have moved."""
        self._moves += moves
        if self._moves >= _REFRESH * self.theta.size:
            self.refresh()
            self._moves = 0


class SweepingState(CoordinateState):
    """A point of a quadratic loss that a compiled kernel moves along many parameters in turn.

    Attributes
    ----------
    cost : float
        Additions and multiplications of one move, roughly.
    """

    cost: float

    @abstractmethod
    def sweep(self, turns: Array, lower: Array, upper: Array) -> None:
        """Move these parameters, one after the other, each to its minimum within the bounds."""


class GradientCoordinates(CoordinateState):
    """Coordinates of a loss that gives no cheaper way than its whole gradient.

    Curvatures are the Hessian's or the Gauss-Newton matrix'; of a loss that knows neither,
    differences of its gradient.
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
