r"""Nesterov's accelerated gradient: momentum first, then the gradient there.

    theta' = y - alpha M^-1 gradient(y)
    y <- theta' + beta (theta' - theta),    theta <- theta'

The points of the descent are the y, where the gradient is.  On a quadratic loss the errors shrink
by 1 - 2 / sqrt(3 kappa + 1) a step for

    alpha = 4 / (3 sigma_max + sigma_min)
    beta = (sqrt(3 kappa + 1) - 2) / (sqrt(3 kappa + 1) + 2)

and for given beta whenever alpha < (2 + 2 beta) / (1 + 2 beta) / sigma_max.  On other losses, whose
curvature may change, beta = k / (k + 3) grows with the number k of steps since the last restart,
and a step that would go uphill makes a restart.

References: Nesterov, Soviet Math. Dokl. 27 (1983) 372; Lessard, Recht and Packard, SIAM J. Optim.
26 (2016) 57, proposition 1; O'Donoghue and Candes, Found. Comput. Math. 15 (2015) 715.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from math import sqrt
from typing import Any, ClassVar

from .._arguments.check import Array
from .._arguments.spelling import spelled
from ..losses.curvature import Solve
from .backtracking import backtrack, rises
from .base import Method, Point, Problem
from .gradient_descent import blame_step_size, refuse_skewed_bounds
from .momentum import MOMENTUM_PATIENCE, check, choose
from .precondition import solver

_BISECTIONS = 30  # more digits of a step than are printed


@dataclass(slots=True)
class State:
    """alpha, beta, v -> M^-1 v, the last theta, and the steps since the last restart."""

    step_size: float
    momentum: float
    solve: Solve
    growing: bool
    halving: bool
    theta: Array
    steps: int = 0


@spelled
@dataclass(frozen=True, repr=False)
class Nesterov(Method):
    r"""Accelerated gradient descent with the gradient taken at the extrapolated point.

    Parameters
    ----------
    step_size : float or "auto"
        The step size alpha.  "auto" is the optimal one on a quadratic loss; on others it is
        1 / sigma_max at the start, and is halved whenever the loss would rise even without
        momentum.
    momentum : float or "auto"
        The momentum beta, 0 <= beta < 1.  "auto" is the optimal one for alpha on a quadratic loss,
        and k / (k + 3) after k steps since the last restart on others.
    preconditioner : optional
        See `thalweg.optimizers.precondition`.

    References
    ----------
    L. Lessard, B. Recht and A. Packard, SIAM J. Optim. 26 (2016) 57.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.Nesterov()).success
    True
    """

    bounds: ClassVar[bool] = True
    growth: ClassVar[float] = 1e10  # the loss may rise on the way down

    step_size: float | str = "auto"
    _: KW_ONLY
    momentum: float | str = "auto"
    preconditioner: Any = None

    def __post_init__(self) -> None:
        check(self.step_size, self.momentum)

    def prepare(self, problem: Problem, point: Point) -> State:
        refuse_skewed_bounds(problem, self)
        solve = solver(self.preconditioner, problem.loss, point.theta)
        alpha, beta = choose(self, problem, point, solve, optimal, best_momentum)
        unknown = not problem.loss.is_quadratic
        growing = self.momentum == "auto" and unknown
        return State(alpha, beta, solve, growing, self.step_size == "auto" and unknown, point.theta)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        d = -state.solve(point.gradient)
        theta = problem.inside(point.theta + state.step_size * d)
        beta = state.steps / (state.steps + 3.0) if state.growing else state.momentum
        new = problem.move(theta, beta, theta - state.theta, state.step_size)
        state.theta, state.steps = theta, state.steps + 1
        if (state.growing or state.halving) and rises(problem, point, new):
            return self._restart(problem, point, d, state)
        return new

    def _restart(self, problem: Problem, point: Point, d: Array, state: State) -> Point:
        """Forget the momentum, and take a plain step of gradient descent."""
        state.steps = 0
        if state.halving:
            new = backtrack(problem, point, d, state)
        else:
            new = problem.move(point.theta, state.step_size, d)
        state.theta = new.theta
        return new

    def patience(self, n_params: int) -> int:
        return MOMENTUM_PATIENCE

    def blame(self, problem: Problem, point: Point, state: State) -> str:
        beta = 1.0 if state.growing else state.momentum
        factor = (2.0 + 2.0 * beta) / (1.0 + 2.0 * beta)
        return blame_step_size(problem, point, state, factor, partial(best_step, beta))


def optimal(smallest: float, largest: float) -> tuple[float, float]:
    """Return alpha and beta that shrink the error of a quadratic loss fastest."""
    root = sqrt(3.0 * largest / smallest + 1.0)
    return 4.0 / (3.0 * largest + smallest), (root - 2.0) / (root + 2.0)


def best_step(momentum: float, smallest: float, largest: float) -> float:
    """Return alpha for a given beta, which shrinks the flattest and the steepest part alike.

    It lies between 1 / sigma_max and the largest stable step; the flattest part shrinks the faster
    the larger alpha is, and the steepest part the slower.
    """
    low = 1.0 / largest
    high = (2.0 + 2.0 * momentum) / (1.0 + 2.0 * momentum) / largest
    for _ in range(_BISECTIONS):
        alpha = 0.5 * (low + high)
        if _shrink(momentum, 1.0 - alpha * smallest) > _shrink(momentum, 1.0 - alpha * largest):
            low = alpha
        else:
            high = alpha
    return low


def _shrink(momentum: float, s: float) -> float:
    """Return the larger size of the roots of x^2 - (1 + beta) s x + beta s, s = 1 - alpha sigma."""
    half = 0.5 * (1.0 + momentum) * abs(s)
    square = half**2 - momentum * s
    return half + sqrt(square) if square >= 0 else sqrt(momentum * s)


def best_momentum(step_size: float, smallest: float) -> float:
    """Return beta for a given alpha: critical damping of the flattest direction."""
    root = sqrt(min(1.0, step_size * smallest))
    return (1.0 - root) / (1.0 + root)
