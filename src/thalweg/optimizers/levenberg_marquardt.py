r"""The Levenberg-Marquardt method for sums of squared residuals.

    (G + mu D^2) d = -gradient,    G = the Gauss-Newton matrix, D_j^2 = the largest G_jj so far
    theta' = theta + d
    rho = (L(theta) - L(theta')) / (what the quadratic model promised)
    theta <- theta' if rho > 0;    mu falls when rho is near 1, and grows when a step is rejected

Within bounds, parameters at a bound that the gradient presses against stay there; those that a step
would carry beyond are put on it, and the step of the others is solved anew.

References: Marquardt, J. SIAM 11 (1963) 431; More, Lecture Notes in Mathematics 630 (1978) 105;
Nielsen, IMM-REP-1999-05, for the update of mu.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._check import Array
from ..stop import Halt, Stop
from .base import Method, Point, Problem, positive
from .dense import gauss_newton_matrix

_ROUNDING = 4 * float(np.finfo(float).eps)
_LITTLE = float(np.sqrt(np.finfo(float).eps))  # relative gain that rounding may well have eaten
_LEAST_DAMPING, _MOST_DAMPING = 1e-20, 1e20


@dataclass(slots=True)
class State:
    """The damping mu, its growth at the next rejection, and the scales D^2."""

    mu: float
    nu: float
    D2: Array


@dataclass(frozen=True)
class LevenbergMarquardt(Method):
    """Damped Gauss-Newton steps, scaled as Marquardt did.

    Parameters
    ----------
    damping : float
        mu of the first step, relative to the diagonal of the Gauss-Newton matrix.
    """

    bounds: ClassVar[bool] = True

    damping: float = 1e-3

    def __post_init__(self) -> None:
        positive(self.damping, "damping")

    def prepare(self, problem: Problem, point: Point) -> State:
        G = gauss_newton_matrix(problem, point, self)
        return State(self.damping, 2.0, np.diagonal(G).copy())

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        G = problem.loss.gauss_newton(point.theta)
        state.D2 = np.maximum(state.D2, np.diagonal(G))
        most = 0.0
        while state.mu <= _MOST_DAMPING:
            d = damped_step(problem, point, G, state)
            promised = -float(point.gradient.dot(d) + 0.5 * d.dot(G @ d))
            most = max(most, promised)
            new = problem.move(point.theta, 1.0, d)
            gained = point.loss - new.loss
            if promised > 0 and gained > 0:
                rho = gained / promised
                state.mu *= max(1.0 / 3.0, 1.0 - (2.0 * rho - 1.0) ** 3)
                state.mu, state.nu = max(state.mu, _LEAST_DAMPING), 2.0
                return new
            if abs(promised) <= _ROUNDING * abs(point.loss):
                if flatter(problem, point, new):
                    return new
                break
            state.mu, state.nu = state.mu * state.nu, 2.0 * state.nu
        if most <= _LITTLE * abs(point.loss) or abs(point.loss) <= problem.floor:
            raise Halt(Stop.ROUNDING)
        raise Halt(
            Stop.STALLED,
            "no step lowers the loss, however damped, yet no tolerance is met; the loss may not be "
            "smooth here, or its gradient wrong (check_gradient tells)",
        )


def flatter(problem: Problem, point: Point, new: Point) -> bool:
    """Return whether a step that promised less than rounding halves the gradient all the same."""
    before, after = problem.free_gradient(point), problem.free_gradient(new)
    level = new.loss <= point.loss + _ROUNDING * abs(point.loss)
    return bool(level and 4.0 * after.dot(after) <= before.dot(before))


def damped_step(problem: Problem, point: Point, G: Array, state: State) -> Array:
    """Return the d of (G + mu D^2) d = -gradient that keeps within the bounds."""
    g, D = point.gradient, np.sqrt(np.where(state.D2 > 0, state.D2, 1.0))
    scaled = G / D / D[:, None]
    scaled[np.diag_indices_from(scaled)] += state.mu
    if not problem.bounded:
        return _solve(scaled, -g / D) / D
    d, free = np.zeros_like(g), problem.free(point)
    low, high = problem.lower - point.theta, problem.upper - point.theta
    while free.any():
        # the others' part moves to the right-hand side: they are on their bounds by now
        rest = -(g / D) - scaled @ np.where(free, 0.0, d * D)
        d[free] = _solve(scaled[np.ix_(free, free)], rest[free]) / D[free]
        beyond = free & ~((d >= low) & (d <= high))
        if not beyond.any():
            break
        d = np.minimum(np.maximum(d, low), high)
        free = free & ~beyond
    return d


def _solve(A: Array, b: Array) -> Array:
    try:
        return np.linalg.solve(A, b)
    except np.linalg.LinAlgError:
        return np.full_like(b, np.nan)  # rejected as no step, so that more damping follows
