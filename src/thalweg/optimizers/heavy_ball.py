r"""Polyak's heavy ball: gradient descent with momentum.

    d = -M^-1 gradient + beta d
    theta <- theta + alpha d

On a quadratic loss the error's component at eigenvalue sigma of M^-1 H obeys
e'' = (1 - alpha sigma + beta) e' - beta e, which shrinks for 0 <= beta < 1 and
alpha < 2 (1 + beta) / sigma_max.  All components shrink alike, by
(sqrt kappa - 1) / (sqrt kappa + 1) a step, for

    alpha = (2 / (sqrt sigma_max + sqrt sigma_min))^2
    beta = ((sqrt kappa - 1) / (sqrt kappa + 1))^2

On the way the loss may rise by a factor of about kappa / 2.

Reference: Polyak, USSR Comput. Math. Math. Phys. 4 (5) (1964) 1.
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
from .gradient_descent import blame_step_size
from .momentum import MOMENTUM_PATIENCE, check, choose
from .precondition import solver


@dataclass(slots=True)
class State:
    """alpha, beta, v -> M^-1 v and the last direction."""

    step_size: float
    momentum: float
    solve: Solve
    halving: bool
    d: Array


@spelled
@dataclass(frozen=True, repr=False)
class HeavyBall(Method):
    r"""Gradient descent with momentum, :math:`d \leftarrow -M^{-1}\nabla L + \beta d`.

    Parameters
    ----------
    step_size : float or "auto"
        The step size alpha.  "auto" is the optimal one on a quadratic loss; on others it is
        1 / sigma_max at the start, and is halved, and the momentum forgotten, whenever the loss
        would rise.
    momentum : float or "auto"
        The momentum beta, 0 <= beta < 1.  "auto" is the optimal one for alpha on a quadratic loss,
        and 0.9 on others.
    preconditioner : optional
        See `thalweg.optimizers.precondition`.

    References
    ----------
    B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (5) (1964) 1.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.HeavyBall()).success
    True
    """

    growth: ClassVar[float] = 1e10  # the loss may rise by a factor of kappa / 2 on the way down

    step_size: float | str = "auto"
    _: KW_ONLY
    momentum: float | str = "auto"
    preconditioner: Any = None

    def __post_init__(self) -> None:
        check(self.step_size, self.momentum)

    def prepare(self, problem: Problem, point: Point) -> State:
        solve = solver(self.preconditioner, problem.loss, point.theta)
        alpha, beta = choose(self, problem, point, solve, optimal, best_momentum)
        halving = self.step_size == "auto" and not problem.loss.is_quadratic
        return State(alpha, beta, solve, halving, 0.0 * point.theta)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        d = state.momentum * state.d - state.solve(point.gradient)
        new = problem.move(point.theta, state.step_size, d)
        if state.halving and rises(problem, point, new):
            d = -state.solve(point.gradient)
            new = backtrack(problem, point, d, state)
        state.d = d
        return new

    def patience(self, n_params: int) -> int:
        return MOMENTUM_PATIENCE

    def blame(self, problem: Problem, point: Point, state: State) -> str:
        best = partial(best_step, state.momentum)
        return blame_step_size(problem, point, state, 2.0 * (1.0 + state.momentum), best)


def optimal(smallest: float, largest: float) -> tuple[float, float]:
    """Return alpha and beta that shrink the error of a quadratic loss fastest."""
    low, high = sqrt(smallest), sqrt(largest)
    return (2.0 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2


def best_step(momentum: float, smallest: float, largest: float) -> float:
    """Return alpha for a given beta: parts with alpha sigma = 1 + beta +- t shrink alike."""
    return 2.0 * (1.0 + momentum) / (largest + smallest)


def best_momentum(step_size: float, smallest: float) -> float:
    """Return beta for a given alpha: critical damping of the flattest direction."""
    return (1.0 - sqrt(min(1.0, step_size * smallest))) ** 2
