"""Value and derivatives of a mean squared error, for recorded models and for functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from .base import LeastSquares
from .callables import CallableModel
from .coordinates import Coordinates
from .left_out import FLOAT64
from .recorded import RecordedModel


class MeanOfSquares(LeastSquares):
    r"""The loss :math:`L(\theta) = \frac{1}{K} \sum_k w_k \|\varepsilon_k\|^2`.

    ``_model`` computes sums over its K samples of Nx values; this class divides them by K.
    """

    _model: RecordedModel | CallableModel
    _K: int
    _shape: tuple[int, ...]  # the shape of the targets as given
    _there: Array | None  # (K,) or (K, Nx): where targets are not left out; None: everywhere

    @property
    def is_quadratic(self) -> bool:  # type: ignore[override]
        """Whether the model is linear in its parameters, so that the Hessian is constant."""
        return self._model.is_linear

    def value(self, theta: Any) -> float:
        r"""Return :math:`L(\theta)`, which is NaN if a prediction that counts is NaN."""
        return self._model.loss(self.at(theta)) / self._K

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        r"""Return :math:`L` and :math:`\nabla L = -\frac{2}{K}\sum_k w_k\varepsilon_k^t J_k`.

        The gradient has shape (P,).
        """
        value, gradient = self._model.loss_and_gradient(self.at(theta))
        return value / self._K, gradient / self._K

    def residuals(self, theta: Any) -> Array:
        r"""Return :math:`\varepsilon_k = x_k - f_\theta(y_k)`, in the shape of the targets.

        Residuals of targets that are left out are 0.
        """
        return self._seen(self._model.residuals(self.at(theta)))

    def jvp(self, theta: Any, v: Any) -> Array:
        r"""Return :math:`J_k v`, the derivative of the predictions along v: forward propagation.

        Parameters
        ----------
        theta, v : array_like, shape (P,)

        Returns
        -------
        ndarray, of the shape of the targets
        """
        theta, v = self.at(theta), self.at(v, "v")
        return self._seen(self._model.jvp(theta, v))

    def vjp(self, theta: Any, e: Any) -> Array:
        r"""Return :math:`\sum_k e_k^t J_k`: backward propagation.

        Parameters
        ----------
        theta : array_like, shape (P,)
        e : array_like, of the shape of the targets

        Returns
        -------
        ndarray, shape (P,)
        """
        theta, e = self.at(theta), numbers(e, "e", FLOAT64)
        if e.shape != self._shape:
            raise ValueError(f"e must have the shape of the targets, {self._shape}, got {e.shape}")
        return self._model.vjp(theta, self._seen(e.reshape(self._K, -1)).reshape(self._K, -1))

    def _seen(self, rows: Array) -> Array:
        """Return rows of samples in the shape of the targets, with 0 for targets left out."""
        if self._there is not None:
            rows = np.where(self._there, rows, 0.0)
        return rows.reshape(self._shape)

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        r"""Return :math:`\nabla^2 L\, d`, exact, for about twice the cost of a gradient.

        Parameters
        ----------
        theta, d : array_like, shape (P,)

        Raises
        ------
        ValueError
            The loss was made of functions without ``vjp_derivative``.
        """
        theta, d = self.at(theta), self.at(d, "d")
        return self._model.hessian_vector(theta, d) / self._K

    def hessian(self, theta: Any) -> Array:
        r"""Return the exact second derivatives of L.

        .. math:: \nabla^2 L = \frac{2}{K}\sum_k w_k (J_k^t J_k - \varepsilon_k^t \nabla^2 f_k)

        Parameters
        ----------
        theta : array_like, shape (P,)

        Returns
        -------
        ndarray, shape (P, P)
            Symmetric.
        """
        return self._hessian_by_products(self.at(theta))

    def gauss_newton(self, theta: Any) -> Array:
        r"""Return :math:`\frac{2}{K}\sum_k w_k J_k^t J_k`, which has no negative eigenvalue.

        Parameters
        ----------
        theta : array_like, shape (P,)

        Returns
        -------
        ndarray, shape (P, P)
        """
        product = self._model.gauss_newton(self.at(theta))
        return np.asarray(2 * product / self._K)

    def line_minimum(self, theta: Any, d: Any) -> float | None:
        r"""Return the :math:`\alpha` that minimises :math:`L(\theta + \alpha d)` of a linear model.

        Returns
        -------
        float or None
            None where the model is not linear, or the predictions do not change along d.
        """
        if not self._model.is_linear:
            return None
        theta, d = self.at(theta), self.at(d, "d")
        _, slope, curvature = self._model.along(theta, d)
        return slope / curvature if curvature > 0 else None

    def coordinate_state(self, theta: Any) -> Coordinates:
        """Return a point for coordinate descent; its curvatures are those of Gauss-Newton."""
        return Coordinates(self._model, self._K, self.at(theta).copy())
