"""Where the iterations that are predicted end: the tests of `minimize`, on a quadratic."""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from ..losses.base import Loss
from ..optimizers.base import Point, Problem
from ..optimizers.convergence import Promise, SmoothTest, test_of
from .rates import Quadratic

_ROUNDED = 1e-13  # of a loss: a minimum that is less of it is 0 but for rounding


class Target:
    """The quadratic that touches a loss, seen as `minimize` sees the loss.

    Parameters
    ----------
    loss : Loss
    theta : ndarray, shape (P,)
        Where it touches.
    quadratic : Quadratic
        Its curvatures, and the gradient there.
    vectors : ndarray, shape (P, k)
        The eigenvectors of these curvatures.
    gtol : float
        That of `minimize`.
    """

    def __init__(
        self, loss: Loss, theta: Array, quadratic: Quadratic, vectors: Array, gtol: float
    ) -> None:
        self.sigma, self.start = quadratic
        self.vectors, self.gtol = vectors, gtol
        everywhere = np.full(theta.size, np.inf)
        problem = Problem(loss, -everywhere, everywhere)
        value, gradient = loss.value_and_gradient(theta)
        self.test = test_of(problem, Point(theta, value, gradient), always=False)
        least = value - self._excess(self.start)
        self.least = least if abs(least) > _ROUNDED * abs(value) else 0.0
        self.minimum = theta - vectors @ (self.start / self.sigma)
        self.test.seen = np.maximum(np.abs(theta), np.abs(self.minimum))

    def met(self, gamma: Array) -> bool:
        """Return whether a point with these components of the gradient ends the descent."""
        excess, step = self._excess(gamma), self.vectors @ (gamma / self.sigma)
        point = Point(self.minimum + step, self.least + excess, self.vectors @ gamma)
        if not isinstance(self.test, SmoothTest) and self.test.ratio(point, point) > self.gtol:
            return False
        return self.test.near(point, Promise(excess, -step), self.gtol)

    def _excess(self, gamma: Array) -> float:
        """How far the loss is above its minimum."""
        with np.errstate(under="ignore"):
            return 0.5 * float(np.sum(gamma * (gamma / self.sigma)))
