"""Value and derivatives of a mean of squared errors, whoever evaluates the model."""

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
    r"""The loss :math:`L(\theta) = \frac{1}{K} \sum_k w_k \|\varepsilon_k\|^2` of a model's sums.

    The model sums over its K samples, Nx values each; here the sums become means.
    """

    _model: RecordedModel | CallableModel
    _K: int
    _shape: tuple[int, ...]  # of the targets
    _there: Array | None  # (K,) or (K, Nx): where a target has a number; None: everywhere

    @property
    def is_quadratic(self) -> bool:  # type: ignore[override]  # found out when asked for
        """Whether the model is linear in its parameters, so that the Hessian is constant."""
        return self._model.is_linear

    def value(self, theta: Any) -> float:
        r"""Return :math:`L(\theta)`; NaN where a prediction is."""
        return self._model.loss(self.at(theta)) / self._K

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        r"""Return :math:`L` and :math:`\nabla L = -\frac{2}{K}\sum_k w_k\varepsilon_k^t J_k`.

        The gradient has shape (P,).
        """
        value, gradient = self._model.loss_and_gradient(self.at(theta))
        return value / self._K, gradient / self._K

    def residuals(self, theta: Any) -> Array:
        r"""Return :math:`\varepsilon_k = x_k - f_\theta(y_k)`, 0 where a sample has no numbers.

        Of the shape of the targets.
        """
        return self._seen(self._model.residuals(self.at(theta)))

    def jvp(self, theta: Any, v: Any) -> Array:
        r"""Return :math:`J_k v`, the change of the predictions along v: forward propagation.

        Parameters
        ----------
        theta, v : array_like, shape (P,)

        Returns
        -------
        ndarray
            Of the shape of the targets.
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
        """Rows of the samples with 0 where a target is left out, of the shape of the targets."""
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
            The loss is of functions without ``vjp_derivative``.
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
        r"""Return :math:`\frac{2}{K}\sum_k w_k J_k^t J_k`, which is never indefinite.

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
        """Return a point that coordinate descent moves; its curvatures are Gauss-Newton's."""
        return Coordinates(self._model, self._K, self.at(theta).copy())
