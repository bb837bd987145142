r"""The Levenberg-Marquardt method for sums of squared residuals.

    (G + mu D^2) d = -gradient,    G = the Gauss-Newton matrix, D_j^2 = the largest G_jj so far
    theta' = theta + d
    rho = (L(theta) - L(theta')) / (what the quadratic model promised)
    theta <- theta' if rho > 0;    mu falls when rho is near 1

A rejected step tells how far the model can be trusted: the parabola through the loss and its slope
at theta and the loss at theta' has its lowest point at a share t of the step, and no later step may
be longer than the radius t |D d|, in the metric of D, until a kept step shows that longer ones
work.  If a step is too long mu is raised until it is not, by Newton's method on 1 / |D d|.  So a
step that overshoots by a factor of a million is followed by one of the right length; to raise mu by
constant factors would take many trials, and then many short steps.

Within bounds, parameters at a bound that the gradient presses against stay there; those that a step
would carry beyond a bound are put on it, and the step of the others is solved anew.

D remembers the steepest that each column has been, which keeps steps short where the model is not
to be trusted; but the columns far away may have been too steep by many orders.  So after a lap of
steps in which the loss has hardly fallen all this is forgotten, and the next lap begins with the D
of its first point.

This is the rule of damping and radius of the fitting engine (reference/judge.py, `adapt_damping`,
`adapt_region` and `shortening`), with the same factors, for one loss of any kind whose matrices
NumPy holds.  Three numbers differ: the first damping is the user's, below 1e-12 it is 0, and the
noise is measured by the loss, which knows its own precision.

References: Marquardt, J. SIAM 11 (1963) 431; More, Lecture Notes in Mathematics 630 (1978) 105, for
the radius and its share t; Nielsen, IMM-REP-1999-05, for mu after a kept step.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np

from .._arguments.check import Array, positive
from .._arguments.spelling import spelled
from ..linalg.watch import PASSES, watched
from ..status import Halt, Status
from .base import Method, Point, Problem, length
from .dense import gauss_newton_matrix, scales, shortest_step

_LEAST_DAMPING = 1e-12  # a smaller damping becomes 0: with a D of far away even little is too much
_LAP = 100  # steps of a lap
_SLOW = 1e-3  # all is forgotten after a lap unless the loss has fallen to this share of itself ...
_STEEP = 0.01  # ... or a minimum is near: no cosine of residual and column is larger than this
_NOISE = 64.0  # the rounding error of a loss of many residuals, in eps |L|
_TRIALS = 60  # the most trials of one step: the radius is halved, or more, after each
_SHARES = 0.1, 0.5  # a rejection shortens the radius by a factor between these
_LONG = 1.1  # a step may be this many times as long as the radius
_HOPELESS = 100.0  # a trial of more than so many times the loss tells nothing by its parabola


@dataclass(slots=True)
class State:
    """The damping mu, the radius that |D d| may have, the scales D^2, and the present lap.

    ``entered`` is the loss at the beginning of the lap.
    """

    mu: float
    radius: float
    D2: Array
    steps: int = 0
    entered: float = inf


@spelled
@dataclass(frozen=True, repr=False)
class LevenbergMarquardt(Method):
    """Damped Gauss-Newton steps, scaled as Marquardt did, within a radius after rejections.

    Parameters
    ----------
    damping : float
        The damping mu of the first step, relative to the diagonal of the Gauss-Newton matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> def decay(t, a, tau):
    ...     return a * np.exp(-t / tau)
    >>> loss = tw.MSELoss(decay, t, decay(t, 3, 2))
    >>> tw.minimize(loss, [1.0, 1.0], tw.LevenbergMarquardt()).theta.round(6)
    array([3., 2.])
    """

    bounds: ClassVar[bool] = True
    computes_gauss_newton: ClassVar[bool] = True

    damping: float = 1e-3

    def __post_init__(self) -> None:
        positive(self.damping, "damping")

    def prepare(self, problem: Problem, point: Point) -> State:
        G = gauss_newton_matrix(problem, point, self)
        return State(self.damping, inf, np.diagonal(G).copy())

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        G = problem.gauss_newton(point.theta)
        state.D2 = np.maximum(state.D2, np.diagonal(G))
        self._new_lap(problem, point, G, state)
        D = np.sqrt(np.where(state.D2 > 0, state.D2, 1.0))
        noise = _NOISE * problem.loss.precision * abs(point.loss)
        for _ in range(_TRIALS):
            d = watched(PASSES * G.size, short_step, problem, point, G, D, state)
            promised = -float(point.gradient.dot(d) + 0.5 * d.dot(G @ d))
            new = problem.move(point.theta, 1.0, d)
            gained = point.loss - new.loss
            if promised > 0 and gained > 0:
                kept(gained / promised, length(D * d), state)
                return new
            if abs(promised) <= noise and flatter(problem, point, new, noise):
                return new
            if np.array_equal(new.theta, point.theta):
                break
            shorten(point, new, d, D, state, in_noise=abs(gained) <= noise)
        raise Halt(
            Status.NO_PROGRESS,
            "no step lowers the loss, however short, yet no tolerance is met; the loss may not be "
            "smooth here, or its gradient wrong (check_gradient tells)",
        )

    def _new_lap(self, problem: Problem, point: Point, G: Array, state: State) -> None:
        """Forget scales, damping and radius after a lap in which the loss has hardly fallen."""
        state.steps += 1
        if state.steps % _LAP == 0:
            columns = np.sqrt(2.0 * point.loss * np.diagonal(G))
            steep = (np.abs(problem.free_gradient(point)) > _STEEP * columns).any()
            if steep and point.loss > _SLOW * state.entered:
                state.mu, state.radius, state.D2 = self.damping, inf, np.diagonal(G).copy()
            state.entered = point.loss


def kept(rho: float, size: float, state: State) -> None:
    """Set damping and radius after a kept step of length ``size`` and gain ratio ``rho``."""
    if rho > 0.25:
        state.radius = max(state.radius, 2.0 * size)
    state.mu *= max(0.1, 1.0 - (2.0 * rho - 1.0) ** 3)
    if state.mu < _LEAST_DAMPING:
        state.mu = 0.0


def shorten(point: Point, new: Point, d: Array, D: Array, state: State, in_noise: bool) -> None:
    """Set the radius after a rejected step."""
    slope = -float(point.gradient.dot(d))
    least, most = _SHARES
    if in_noise:
        share = most
    elif not new.loss < _HOPELESS * abs(point.loss):
        share = least
    else:
        share = 0.5 * slope / (slope + (new.loss - point.loss))
    share = min(max(share, least), most) if np.isfinite(share) else least
    size = length(D * d)
    state.radius = share * size if np.isfinite(size) else least * state.radius
    state.mu *= 2.0


def damped(G: Array, D: Array, mu: float) -> Array:
    """Return G + mu D^2."""
    A = G.copy()
    A[np.diag_indices_from(A)] += mu * D * D
    return A


def short_step(problem: Problem, point: Point, G: Array, D: Array, state: State) -> Array:
    """Return the damped step, mu being raised until |D d| is within the radius."""
    d = damped_step(problem, point, G, D, state.mu)
    for _ in range(_TRIALS):
        size, radius = length(D * d), state.radius
        if size <= _LONG * radius:
            break
        A = damped(G, D, state.mu)
        S = scales(A)
        q = D * (D * d) / S
        bent = -float(q.dot(shortest_step(A / S / S[:, None], q)))  # q' (G + mu D^2)^-1 q
        more = (size / radius) * (size - radius) * size / bent if bent > 0 else np.nan
        raised = state.mu + more
        state.mu = raised if state.mu < raised < inf else max(10.0 * state.mu, 1e-10)
        d = damped_step(problem, point, G, D, state.mu)
    return d


def flatter(problem: Problem, point: Point, new: Point, noise: float) -> bool:
    """Return whether a step that promised less than rounding has halved the gradient."""
    before, after = length(problem.free_gradient(point)), length(problem.free_gradient(new))
    return bool(new.loss <= point.loss + noise and 2.0 * after <= before)


def damped_step(problem: Problem, point: Point, G: Array, D: Array, mu: float) -> Array:
    """Return the d of (G + mu D^2) d = -gradient that keeps within the bounds."""
    g = point.gradient
    A = damped(G, D, mu)
    D = scales(A)
    scaled = A / D / D[:, None]
    if not problem.bounded:
        return shortest_step(scaled, g / D) / D
    d, free = np.zeros_like(g), problem.free(point)
    low, high = problem.lower - point.theta, problem.upper - point.theta
    while free.any():
        # parameters that have been put on their bounds contribute to the right-hand side
        rest = g / D + scaled @ np.where(free, 0.0, d * D)
        d[free] = shortest_step(scaled[np.ix_(free, free)], rest[free]) / D[free]
        beyond = free & ~((d >= low) & (d <= high))
        if not beyond.any():
            break
        d = np.minimum(np.maximum(d, low), high)
        free = free & ~beyond
    return d
