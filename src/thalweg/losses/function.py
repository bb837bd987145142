r"""A loss made of plain functions of theta, such as `scipy.optimize.minimize` takes.

What the functions return is copied and its shape is checked at every call; their exceptions are
passed on as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments.check import Array, count, numbers
from .._arguments.spelling import spelled
from .base import Loss
from .callables import to_numpy

# |H - H'| of a user's Hessian may be this share of the largest |H_ij|: a Hessian by differences has
# about half the digits.  More is a mistake in the function.
_ASYMMETRY = 1e-6


@spelled
class FunctionLoss(Loss):
    r"""The loss of a function :math:`L(\theta)` and its gradient.

    Parameters
    ----------
    value : callable
        ``value(theta)``, a number, for theta of shape (P,).  With ``gradient=True`` it returns the
        value and the gradient together.
    gradient : callable or True
        ``gradient(theta)``, :math:`\nabla L`, shape (P,); True where ``value`` returns both.
    hessian : callable, optional
        ``hessian(theta)``, :math:`\nabla^2 L`, shape (P, P), symmetric.
    hessian_vector : callable, optional
        ``hessian_vector(theta, d)``, :math:`\nabla^2 L\, d`, shape (P,), instead of the whole
        matrix or beside it.
    n_params : int, optional
        P; default: the size of the last theta that the loss was called with.

    Raises
    ------
    TypeError
        An argument is not callable, or a function returns something other than numbers.
    ValueError
        A function returns an array of another shape.

    Notes
    -----
    `LBFGS`, `ConjugateGradient`, `SteepestDescent`, `GradientDescent`, `Nesterov`, `HeavyBall` and
    `CoordinateDescent` need no second derivatives; `Newton` does.  Each function gets a copy of
    theta.  `check_gradient` checks the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> loss = tw.FunctionLoss(lambda x: (x**4).sum() - x.sum(), lambda x: 4 * x**3 - 1)
    >>> tw.minimize(loss, np.zeros(3), tw.LBFGS()).theta.round(5)
    array([0.62996, 0.62996, 0.62996])
    """

    def __init__(
        self,
        value: Callable[[Array], Any],
        gradient: Callable[[Array], Any] | bool | None = None,
        hessian: Callable[[Array], Any] | None = None,
        *,
        hessian_vector: Callable[[Array, Array], Any] | None = None,
        n_params: int | None = None,
    ) -> None:
        if gradient is None or gradient is False:
            raise TypeError(
                "FunctionLoss needs the gradient: give gradient(theta), or gradient=True where "
                "value(theta) returns the value and the gradient"
            )
        given = {"value": value, "hessian": hessian, "hessian_vector": hessian_vector}
        if gradient is not True:
            given["gradient"] = gradient
        for name, function in given.items():
            if not callable(function) and (function is not None or name == "value"):
                raise TypeError(f"{name} must be a function of theta, got {function!r}")
        self._value, self._gradient = value, gradient
        self._hessian, self._hessian_vector = hessian, hessian_vector
        self._given = None if n_params is None else count(n_params, "n_params", 1, 2**31 - 1)
        self._seen = self._given

    @property
    def n_params(self) -> int:  # type: ignore[override]  # known once a theta has been seen
        """P, the number of parameters."""
        if self._seen is None:
            raise ValueError("the number of parameters is not known yet: give n_params")
        return self._seen

    @property
    def has_hessian(self) -> bool:
        """Whether second derivatives were given."""
        return self._hessian is not None or self._hessian_vector is not None

    def describe(self) -> tuple[str, str]:
        """Return the functions and the size, for the repr."""
        gives = ["value", "gradient"]
        gives += ["hessian"] * (self._hessian is not None)
        gives += ["hessian_vector"] * (self._hessian_vector is not None)
        name = getattr(self._value, "__name__", type(self._value).__name__)
        size = "P as theta's" if self._seen is None else f"P={self._seen}"
        return f"{name}(theta)", f"{', '.join(gives)}; {size}"

    def at(self, theta: Any, name: str = "theta") -> Array:
        """Return ``theta`` as a float64 array of shape (P,), or say what is wrong with it."""
        if name.startswith("theta") and self._given is None:
            theta = np.atleast_1d(numbers(theta, name, np.float64))
            if theta.ndim != 1 or not theta.size:
                raise ValueError(f"{name} must have shape (P,), got {theta.shape}")
            self._seen = theta.size
        return super().at(theta, name)

    def value(self, theta: Any) -> float:
        """Return L(theta)."""
        theta = self.at(theta)
        if self._gradient is True:
            return self._both(theta)[0]
        return _number(self._value(theta.copy()))

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return L and its gradient, shape (P,)."""
        theta = self.at(theta)
        if self._gradient is True:
            return self._both(theta)
        value = _number(self._value(theta.copy()))
        assert callable(self._gradient)
        return value, self._array(self._gradient(theta.copy()), "gradient", theta.shape)

    def hessian(self, theta: Any) -> Array:
        """Return the Hessian, shape (P, P).

        Raises
        ------
        ValueError
            The loss was made without second derivatives, or its Hessian is not symmetric.
        """
        theta = self.at(theta)
        if self._hessian is not None:
            H = self._array(self._hessian(theta.copy()), "hessian", 2 * theta.shape)
        elif self._hessian_vector is not None:
            H = self._hessian_by_products(theta)
        else:
            raise ValueError("this FunctionLoss has no Hessian: give hessian or hessian_vector")
        difference = np.abs(H - H.T)
        if np.isfinite(H).all() and not difference.max() <= _ASYMMETRY * np.abs(H).max():
            i, j = np.unravel_index(np.argmax(difference), H.shape)
            raise ValueError(
                f"hessian must return a symmetric matrix, but its elements [{i}, {j}] and "
                f"[{j}, {i}] are {H[i, j]:g} and {H[j, i]:g}"
            )
        return np.asarray((H + H.T) / 2)

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return H d, shape (P,)."""
        theta, d = self.at(theta), self.at(d, "d")
        if self._hessian_vector is None:
            return super().hessian_vector(theta, d)
        product = self._hessian_vector(theta.copy(), d.copy())
        return self._array(product, "hessian_vector", theta.shape)

    def _both(self, theta: Array) -> tuple[float, Array]:
        pair = self._value(theta.copy())
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise TypeError(
                "with gradient=True, value must return the pair (value, gradient), got "
                f"{type(pair).__name__}"
            )
        return _number(pair[0]), self._array(pair[1], "gradient", theta.shape)

    def _array(self, result: Any, name: str, shape: tuple[int, ...]) -> Array:
        array = np.array(_returned(result, name))
        if array.ndim == 0 and shape == (1,):
            return array.reshape(1)
        if array.shape != shape:
            raise ValueError(f"{name} must return an array of shape {shape}, got {array.shape}")
        return array


def _number(result: Any) -> float:
    array = _returned(result, "value")
    if array.size != 1:
        raise ValueError(f"value must return one number, got an array of shape {array.shape}")
    return float(array.reshape(())[()])


def _returned(result: Any, name: str) -> Array:
    if result is None:  # NumPy would read None as NaN
        raise TypeError(f"what {name} returns must be numbers, got None")
    return numbers(to_numpy(result), f"what {name} returns", np.float64)
