"""The point of coordinate descent on a mean squared error."""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from .base import CoordinateState
from .callables import CallableModel
from .recorded import RecordedModel


class Coordinates(CoordinateState):
    """A point of coordinate descent: each partial derivative is one pass over the samples."""

    def __init__(self, model: RecordedModel | CallableModel, n_samples: int, theta: Array) -> None:
        self.theta = theta
        self._model, self._K = model, n_samples
        self._value: float | None = None

    def partial(self, j: int) -> tuple[float, float]:
        """Return dL/dtheta_j and its Gauss-Newton curvature, (2/K) sum_k w_k |J_kj|^2."""
        d = np.zeros_like(self.theta)
        d[j] = 1.0
        value, slope, curvature = self._model.along(self.theta, d)
        self._value = value / self._K
        return -2 * slope / self._K, 2 * curvature / self._K

    def move(self, j: int, delta: float) -> None:
        """Add ``delta`` to theta_j."""
        self.theta[j] += delta
        self._value = None

    def value(self) -> float:
        """Return L at the current point."""
        if self._value is None:
            self._value = self._model.loss(self.theta) / self._K
        return self._value

    def gradient(self) -> Array:
        """Return the gradient of L, shape (P,), at the current point."""
        value, gradient = self._model.loss_and_gradient(self.theta)
        self._value = value / self._K
        return gradient / self._K
