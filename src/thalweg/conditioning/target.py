"""Where predicted iterations end: the convergence tests of `minimize`, applied to a quadratic."""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from ..losses.base import Loss
from ..optimizers.base import Point, Problem
from ..optimizers.convergence import Promise, SmoothTest, test_of
from .rates import Quadratic

# A minimum below this share of the loss at theta counts as 0: it is a difference of two numbers of
# that size, whose rounding errors are some hundred eps.
_ROUNDED = 1e-13


class Target:
    """The second-order Taylor polynomial of a loss at theta, with the tests of `minimize`.

    Parameters
    ----------
    loss : Loss
    theta : ndarray, shape (P,)
        The point of the expansion.
    quadratic : Quadratic
        The positive eigenvalues of the Hessian, and the gradient at theta.
    vectors : ndarray, shape (P, k)
        The eigenvectors of these eigenvalues.
    gtol : float
        The tolerance of `minimize`.
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
        """Return whether `minimize` would stop at the point whose gradient has components gamma."""
        excess, step = self._excess(gamma), self.vectors @ (gamma / self.sigma)
        point = Point(self.minimum + step, self.least + excess, self.vectors @ gamma)
        if not isinstance(self.test, SmoothTest) and self.test.ratio(point, point) > self.gtol:
            return False
        return self.test.near(point, Promise(excess, -step), self.gtol)

    def _excess(self, gamma: Array) -> float:
        """Return how far the quadratic is above its minimum."""
        with np.errstate(under="ignore"):
            return 0.5 * float(np.sum(gamma * (gamma / self.sigma)))
