r"""A smooth loss with an l1 term: L(theta) + sum_j l1_j |theta_j|.

At theta_j = 0 the sum has a kink, and a whole interval of subgradients.  The one of least size is
used as the derivative:

    theta_j != 0    g_j + l1_j sign(theta_j)
    theta_j  = 0    g_j shrunk by l1_j: 0 where |g_j| <= l1_j

With a convex L, this gradient vanishes at the minima and nowhere else, and its negative is the
direction of steepest descent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from .base import Loss
from .linear import LinearLeastSquares


class Penalised(Loss):
    """A smooth loss plus sum_j l1_j |theta_j|.

    Parameters
    ----------
    smooth : Loss
    l1 : array_like, shape () or (P,)
        l1 >= 0; infinite for parameters that must be 0.

    Attributes
    ----------
    smooth : Loss
    l1 : ndarray, shape (P,)
    provable : bool
        Whether convergence is judged by the duality gap.

    Raises
    ------
    ValueError
        l1 has another shape, or is negative or NaN.
    """

    provable = False

    def __init__(self, smooth: Loss, l1: Any) -> None:
        self.smooth, self.n_params = smooth, smooth.n_params
        self.precision = smooth.precision
        given = numbers(l1, "l1", np.float64)
        if given.shape not in ((), (self.n_params,)):
            raise ValueError(f"l1 must have shape () or (P={self.n_params},), got {given.shape}")
        if not (given >= 0).all():
            wrong = given.ravel()[int(np.argmin(given.ravel() >= 0))]
            raise ValueError(f"l1 must not be negative, got {wrong:g}")
        self.l1 = np.broadcast_to(given, (self.n_params,))
        self._last: tuple[Array, float, Array] | None = None

    @property
    def has_hessian(self) -> bool:
        """Whether the smooth loss has a Hessian."""
        return self.smooth.has_hessian

    def describe(self) -> tuple[str, str]:
        """Return the formula and the sizes, for the repr."""
        formula, sizes = self.smooth.describe()
        return f"{formula} + sum l1 |theta|", sizes

    def parts(self, theta: Array) -> tuple[float, Array]:
        """Return the smooth loss and its gradient; those of the last theta are kept."""
        if self._last is None or self._last[0] is not theta:
            self._last = (theta, *self.smooth.value_and_gradient(theta))
        return self._last[1], self._last[2]

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return the sum and its subgradient of least size, shape (P,)."""
        theta = self.at(theta)
        loss, g = self.parts(theta)
        zero = theta == 0
        with np.errstate(invalid="ignore"):  # 0 times infinity, which is not taken
            rest = np.where(zero, 0.0, self.l1 * np.abs(theta)).sum()
            sloped = g + self.l1 * np.sign(theta)
        return loss + float(rest), np.where(zero, shrunk(g, self.l1), sloped)

    def hessian(self, theta: Any) -> Array:
        """Return the Hessian of the smooth loss, shape (P, P)."""
        return self.smooth.hessian(theta)

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return the Hessian of the smooth loss times d, shape (P,)."""
        return self.smooth.hessian_vector(theta, d)

    def gap(self, theta: Array) -> float:
        r"""Return the duality gap, an upper bound of the distance of the loss from its minimum.

        For linear least squares with r = b - A theta, and a scale s with
        :math:`|A_j^t W s r| \le l1_j`, the minimum is at least :math:`s\,b^tWr - s^2 r^tWr / 2`.

        The gap is infinite for other losses, and where a parameter has no penalty.
        """
        if not isinstance(self.smooth, LinearLeastSquares) or not (self.l1 > 0).all():
            return np.inf
        loss, g = self.parts(theta)
        bWr = 2.0 * loss - float(g.dot(theta))
        sloped = g != 0
        most = float(np.min(self.l1[sloped] / np.abs(g[sloped]), initial=np.inf))
        best = bWr / (2.0 * loss) if loss > 0 else 0.0
        s = min(max(best, -most), most)
        return max(0.0, self.value(theta) - (s * bWr - s * s * loss))


def shrunk(v: Array, by: Any) -> Array:
    """Return v moved towards 0 by ``by``, but not beyond 0: the soft threshold."""
    return np.asarray(
        np.sign(v) * np.maximum(np.abs(v) - by, 0.0) + 0.0
    )  # + 0.0 makes -0.0 into 0.0
