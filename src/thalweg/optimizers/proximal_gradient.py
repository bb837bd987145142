r"""Proximal gradients for a loss with an l1 term, accelerated (FISTA).

    y = theta + beta (theta - theta_before)
    theta_before <- theta
    theta <- prox(y - alpha M^-1 gradient L(y))

prox moves each parameter towards 0 by alpha l1_j / M_j, and not beyond, then into its bounds: it is
the minimum of l1 |theta| within them plus the squared distance, so that parameters become exactly
0.  beta = (t - 1) / t_new with t_new = (1 + sqrt(1 + 4 t^2)) / 2 grows with the steps since the
last restart, and makes the excess over the minimum fall as 2 / (alpha k^2) instead of 1 / (alpha k)
after k steps.  Momentum that points uphill, or a loss that rises, restarts it (t = 1), after which
a convex loss converges linearly near its minimum.

On a quadratic loss alpha = 1 / sigma_max of M^-1 H, and gradient L(y) follows from those at theta
and before it, so that a step costs one gradient.  Elsewhere alpha is halved until

    L(theta) <= L(y) + gradient . (theta - y) + |theta - y|_M^2 / (2 alpha)

and doubled at a restart.

References: Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) 183; O'Donoghue and Candes, Found.
Comput. Math. 15 (2015) 715, for the restart.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import spelled
from ..linalg import watch
from ..losses.base import Loss
from ..losses.curvature import extreme_curvatures, refuse_indefinite
from ..losses.penalised import Penalised, shrunk
from ..status import Halt, Status
from .backtracking import rises
from .base import Method, Point, Problem
from .gradient_descent import stable_step
from .line_search import noise
from .momentum import MOMENTUM_PATIENCE
from .precondition import keeps_bounds, solver

_HALVINGS = 200  # the most halvings of the step size in one step: more would not change theta
_STOPS = ("auto", "gap", "gradient")


class PenalisedProblem(Problem):
    """A loss with an l1 term, whose kinks hold parameters at 0 as bounds do."""

    loss: Penalised

    def __init__(self, loss: Penalised, lower: Array, upper: Array) -> None:
        super().__init__(loss, lower, upper)
        self.bounded = True

    def free(self, point: Point) -> Array:
        """Return which parameters can go downhill, shape (P,)."""
        held = (point.theta == 0) & (point.gradient == 0) & (self.loss.l1 > 0)
        return np.asarray(super().free(point) & ~held)


@dataclass(slots=True)
class State:
    """alpha, 1 / M, whether alpha and gradient L(y) are known, and the point before this one."""

    step_size: float
    inverse: Array
    known: bool
    before: Array
    g_before: Array
    t: float = 1.0


@spelled
@dataclass(frozen=True, eq=False, repr=False)
class ProximalGradient(Method):
    r"""FISTA: minimises :math:`L(\theta) + \sum_j l1_j |\theta_j|`, within bounds too.

    Parameters
    ----------
    l1 : float or array_like, shape (P,)
        The weight of each :math:`|\theta_j|`, not negative; an infinite one keeps its parameter at
        0.  Its unit is that of the loss per unit of theta: for `LinearLeastSquares` it is n times
        the ``alpha`` of scikit-learn's Lasso.
    stop : {"auto", "gap", "gradient"}
        What is compared with ``gtol`` of `minimize`: the duality gap over
        :math:`\tfrac12\|b\|_W^2`; or the gradient, as for other losses, where that of a parameter
        at 0 counts only by how much it exceeds l1.  "auto" is the gap if there is one, which is for
        `LinearLeastSquares` without bounds and with every l1 > 0.
    preconditioner : optional
        A diagonal one; see `thalweg.optimizers.precondition`.

    Raises
    ------
    ValueError
        ``stop`` is none of these words, or it is "gap" for a loss that has no duality gap.

    References
    ----------
    A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2 (2009) 183.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.LinearLeastSquares([[1, 0], [0, 1]], [3, 0.5])
    >>> tw.minimize(loss, [0, 0], tw.ProximalGradient(l1=1)).theta
    array([2., 0.])
    """

    bounds: ClassVar[bool] = True

    l1: Any
    _: KW_ONLY
    stop: str = "auto"
    preconditioner: Any = None

    def __post_init__(self) -> None:
        if self.stop not in _STOPS:
            raise ValueError(f"stop must be one of {', '.join(_STOPS)}, got {self.stop!r}")

    def problem(self, loss: Loss, lower: Array, upper: Array) -> Problem:
        """Return the problem with the l1 term."""
        box = Problem(loss, lower, upper)
        objective = Penalised(loss, self.l1)
        provable = not box.bounded and objective.gap(np.zeros(loss.n_params)) < np.inf
        if self.stop == "gap" and not provable:
            raise ValueError(
                "there is a duality gap for LinearLeastSquares without bounds and with every "
                'l1 > 0; stop="gradient" serves every loss'
            )
        objective.provable = provable and self.stop != "gradient"
        return PenalisedProblem(objective, lower, upper)

    def prepare(self, problem: Problem, point: Point) -> State:
        if not keeps_bounds(self.preconditioner):
            raise ValueError("ProximalGradient needs a diagonal preconditioner or none")
        loss = _objective(problem)
        smooth, theta = loss.smooth, point.theta
        solve = solver(self.preconditioner, smooth, theta)
        inverse = solve(np.ones_like(theta))
        g = loss.parts(theta)[1]
        if not smooth.is_quadratic:
            plain = Problem(smooth, problem.lower, problem.upper)
            alpha = stable_step(plain, plain.at(theta), solve)
            return State(alpha, inverse, False, theta, g)
        curvatures = extreme_curvatures(smooth, theta, solve)
        refuse_indefinite(curvatures)
        alpha = 1.0 / curvatures.largest if curvatures.largest > 0 else 1.0
        return State(alpha, inverse, True, theta, g)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        theta, g = point.theta, _objective(problem).parts(point.theta)[1]
        t = 0.5 * (1.0 + sqrt(1.0 + 4.0 * state.t**2))
        beta = (state.t - 1.0) / t
        y = theta + beta * (theta - state.before)
        new = self._from(problem, y, g + beta * (g - state.g_before), state)
        uphill = float(((y - new.theta) / state.inverse).dot(new.theta - theta)) > 0
        if beta > 0 and rises(problem, point, new):
            new, uphill = self._from(problem, theta, g, state), True
        if uphill:
            t = 1.0
            state.step_size *= 1.0 if state.known else 2.0
        state.before, state.g_before, state.t = theta, g, t
        return new

    def _from(self, problem: Problem, y: Array, g: Array, state: State) -> Point:
        """Return the proximal step from y; ``g`` is the gradient there of a quadratic loss."""
        loss = _objective(problem)
        if state.known:
            return _proximal(problem, y, g, state)
        value, g = loss.smooth.value_and_gradient(y)
        for _ in range(_HALVINGS):
            watch.check()
            new = _proximal(problem, y, g, state)
            delta = new.theta - y
            bound = value + float(g.dot(delta))
            bound += 0.5 * float(delta.dot(delta / state.inverse)) / state.step_size
            if loss.parts(new.theta)[0] <= bound + noise(problem, value):
                return new
            state.step_size *= 0.5
        raise Halt(Status.NO_PROGRESS)

    def patience(self, n_params: int) -> int:
        return MOMENTUM_PATIENCE


def _proximal(problem: Problem, y: Array, g: Array, state: State) -> Point:
    steps = state.step_size * state.inverse
    theta = problem.inside(shrunk(y - steps * g, steps * _objective(problem).l1))
    return problem.at(theta, state.step_size)


def _objective(problem: Problem) -> Penalised:
    assert isinstance(problem.loss, Penalised)
    return problem.loss
