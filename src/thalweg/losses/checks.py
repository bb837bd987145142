r"""Checks of a loss's derivatives, by differences and by the dot-product test.

The central difference (L(theta + h u) - L(theta - h u)) / 2h has a truncation error of about
h^2 / 6 |L'''| and a rounding error of about eps |L| / h.  The first is estimated from two step
sizes, the second from the size of the loss; a derivative passes if it differs from the central
difference by no more than the estimated error of the difference, times a safety factor.

The dot-product test needs no step: if forward and backward propagation belong to the same Jacobian,
<J v, e> = <v, J'e> for every v and e.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import spelled
from ..machine import at_most
from .base import LeastSquares, Loss, refuse_no_loss

_EPS = float(np.finfo(float).eps)
_STEP = 2.0 * _EPS ** (1.0 / 3.0)  # the step relative to theta; eps^(1/3) balances both errors
_SAFETY = 50.0  # safety factor on the estimated error of a difference (chosen, not measured)
_ROUNDING = 64.0  # eps times this is allowed in <J v, e> - <v, J'e>, relative to the sizes of both


@dataclass(frozen=True, eq=False)
class GradientReport:
    """What `check_gradient` found.

    Attributes
    ----------
    gradient : ndarray, shape (P,)
        The gradient of the loss.
    differences : ndarray, shape (P,)
        The central differences of the value of the loss.
    allowed : ndarray, shape (P,)
        The largest error that the differences may have.
    passed : bool
        Whether every |gradient - differences| <= allowed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> report = tw.check_gradient(loss, [1.0, 1.0])
    >>> report.gradient, report.passed, report.worst
    (array([24.,  6.]), True, 1)
    """

    gradient: Array
    differences: Array
    allowed: Array
    passed: bool

    @property
    def worst(self) -> int:
        """The parameter with the largest ratio of the deviation to what is allowed."""
        return int(np.argmax(np.abs(self.gradient - self.differences) / self.allowed))

    def __str__(self) -> str:
        error = np.abs(self.gradient - self.differences)
        lines = [f"{'':>9} {'gradient':>14} {'differences':>14} {'error':>9} {'allowed':>9}"]
        for j in range(len(error)):
            row = f"theta[{j}]".rjust(9)
            row += f" {self.gradient[j]:14.7g} {self.differences[j]:14.7g}"
            row += f" {error[j]:9.2g} {self.allowed[j]:9.2g}"
            lines.append(row + ("" if error[j] <= self.allowed[j] else "  <-- wrong"))
        return "\n".join([*lines, f"gradient check: {'passed' if self.passed else 'failed'}"])


@dataclass(frozen=True)
class AdjointReport:
    """What `check_adjoint` found, for the pair of vectors that agrees least.

    Attributes
    ----------
    forward : float
        <J v, e>.
    backward : float
        <v, J'e>.
    allowed : float
        The largest difference that rounding can explain.
    passed : bool
        Whether |forward - backward| <= allowed for every pair.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> loss = tw.LinearLeastSquares([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [2.0, 4.0, 6.0])
    >>> report = tw.check_adjoint(loss, [1.0, 1.0])
    >>> report.passed, abs(report.forward - report.backward) <= report.allowed
    (True, True)
    """

    forward: float
    backward: float
    allowed: float
    passed: bool

    def __str__(self) -> str:
        return (
            f"<Jv, e> = {self.forward:.16g}\n<v, J'e> = {self.backward:.16g}\n"
            f"difference {abs(self.forward - self.backward):.2g}, allowed {self.allowed:.2g}\n"
            f"adjoint check: {'passed' if self.passed else 'failed'}"
        )


@spelled
def check_gradient(loss: Loss, theta: Any, *, threads: int | None = None) -> GradientReport:
    """Compare the gradient of a loss with central differences of its value.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape (P,)
        The point of the check; the loss must be smooth within about 1e-5 |theta_j| around it.
    threads : int, optional
        The largest number of threads of the loss's kernels; default: as many as processors.

    Returns
    -------
    GradientReport
        The gradient, the differences and the verdict; it prints as a table.

    Examples
    --------
    >>> from thalweg.losses import LinearLeastSquares, check_gradient
    >>> report = check_gradient(LinearLeastSquares([[1, 2], [3, 4]], [1, 1]), [0.5, 2])
    >>> report.passed
    True
    """
    refuse_no_loss(loss)
    with at_most(threads):
        return _compared(loss, loss.at(theta))


def _compared(loss: Loss, theta: Array) -> GradientReport:
    """Return the gradient of a loss beside the central differences of its value."""
    gradient = loss.gradient(theta)
    differences, allowed = np.empty_like(theta), np.empty_like(theta)
    size = float(np.sqrt(theta.dot(theta) / max(1, theta.size))) or 1.0
    for j in range(theta.size):
        h = _STEP * max(abs(float(theta[j])), 1e-3 * size)
        near, noise = _difference(loss, theta, j, h)
        far, _ = _difference(loss, theta, j, 2 * h)
        differences[j] = near
        allowed[j] = _SAFETY * (abs(far - near) + noise) + _EPS * abs(near)
    error = np.abs(gradient - differences)
    return GradientReport(gradient, differences, allowed, bool((error <= allowed).all()))


def _difference(loss: Loss, theta: Array, j: int, h: float) -> tuple[float, float]:
    """Return the central difference by parameter j, and the bound of its rounding error."""
    above, below = theta.copy(), theta.copy()
    above[j] += h
    below[j] -= h
    high, low = loss.value(above), loss.value(below)
    width = float(above[j] - below[j])
    return (high - low) / width, _EPS * (abs(high) + abs(low)) / width


@spelled
def check_adjoint(
    loss: LeastSquares,
    theta: Any,
    *,
    pairs: int = 8,
    seed: int = 0,
    threads: int | None = None,
) -> AdjointReport:
    """Compare <J v, e> with <v, J'e> for random v and e.

    Parameters
    ----------
    loss : LeastSquares
        A loss with `jvp` and `vjp`.
    theta : array_like, shape (P,)
        The point of the check.
    pairs : int
        The number of random pairs.
    seed : int
        The seed of the random pairs.
    threads : int, optional
        The largest number of threads of the loss's kernels; default: as many as processors.

    Returns
    -------
    AdjointReport
        The pair that agrees least, and the verdict on all.

    Raises
    ------
    TypeError
        The loss has no Jacobian.

    Examples
    --------
    >>> from thalweg.losses import LinearLeastSquares, check_adjoint
    >>> check_adjoint(LinearLeastSquares([[1, 2], [3, 4]], [1, 1]), [0, 0]).passed
    True
    """
    if not isinstance(loss, LeastSquares):
        raise TypeError(f"{loss.name} is not made of residuals, so it has no Jacobian to check")
    refuse_no_loss(loss, LeastSquares)
    with at_most(threads):
        return _worst_pair(loss, loss.at(theta), pairs, seed)


def _worst_pair(loss: LeastSquares, theta: Array, pairs: int, seed: int) -> AdjointReport:
    """Return the report on the pair of random vectors that agrees least."""
    rng = np.random.default_rng(seed)
    shape = np.shape(loss.residuals(theta))
    reports = [_pair(loss, theta, rng, shape) for _ in range(pairs)]
    return max(reports, key=lambda r: abs(r.forward - r.backward) / (r.allowed or 1.0))


def _pair(
    loss: LeastSquares, theta: Array, rng: np.random.Generator, shape: tuple[int, ...]
) -> AdjointReport:
    v, e = rng.standard_normal(theta.size), rng.standard_normal(shape)
    Jv, eJ = np.asarray(loss.jvp(theta, v)), np.asarray(loss.vjp(theta, e))
    forward, backward = float(np.vdot(Jv, e)), float(eJ @ v)
    size = float(np.linalg.norm(Jv) * np.linalg.norm(e) + np.linalg.norm(eJ) * np.linalg.norm(v))
    allowed = _ROUNDING * _EPS * np.sqrt(max(1, prod(shape))) * size
    return AdjointReport(
        forward, backward, float(allowed), bool(abs(forward - backward) <= allowed)
    )
