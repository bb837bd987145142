r"""Gradient descent with a fixed step size, or one that backtracks.

    d = -M^-1 gradient
    theta <- theta + alpha d

On a quadratic loss the error's component along an eigenvector of M^-1 H with eigenvalue sigma is
multiplied by 1 - alpha sigma in each step.  All of them shrink if alpha < 2 / sigma_max, and the
slowest shrinks fastest for alpha = 2 / (sigma_max + sigma_min), by (kappa - 1) / (kappa + 1) a
step, kappa = sigma_max / sigma_min.  Where the curvature changes on the way or is not known, alpha
is found by `backtracking`.

References: Cauchy, C. R. Acad. Sci. Paris 25 (1847) 536; Nesterov, "Lectures on Convex
Optimization", 2nd edition, section 2.1.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from .._arguments.check import Array, positive
from .._arguments.memory import TooLargeError
from .._arguments.spelling import spelled
from ..linalg.krylov import NotFiniteError
from ..losses.base import Loss
from ..losses.curvature import (
    FEW,
    Solve,
    extreme_curvatures,
    has_curvature,
    refuse_indefinite,
)
from .backtracking import GROWTH, backtrack, contradiction, searched_step
from .base import Method, Point, Problem
from .precondition import keeps_bounds, solver

_INSIDE = 0.9  # share of the largest stable step that is recommended, for that itself is too slow


@dataclass(slots=True)
class State:
    """The step size in use, v -> M^-1 v, and by how much a backtracking step may grow."""

    step_size: float
    solve: Solve
    backtracking: bool
    grow: float = 1.0


@spelled
@dataclass(frozen=True, repr=False)
class GradientDescent(Method):
    r"""Gradient descent, :math:`\theta \leftarrow \theta - \alpha M^{-1} \nabla L`.

    Parameters
    ----------
    step_size : float or "auto"
        The step size alpha.  "auto" takes 2 / (sigma_max + sigma_min) for a quadratic loss.  On
        other losses it backtracks: the step is halved until the loss falls by half of what the
        gradient promises, and 1.2 times as long after each step.  It begins with 1 / sigma_max at
        the start or, if the loss has no curvature, with a line search.
    preconditioner : optional
        See `thalweg.optimizers.precondition`.

    References
    ----------
    Y. Nesterov, "Lectures on Convex Optimization", 2nd edition, 2018, section 2.1.5.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.GradientDescent()).success
    True
    """

    bounds: ClassVar[bool] = True

    step_size: float | str = "auto"
    _: KW_ONLY
    preconditioner: Any = None

    def __post_init__(self) -> None:
        if self.step_size != "auto":
            positive(self.step_size, "step_size")

    def prepare(self, problem: Problem, point: Point) -> State:
        refuse_skewed_bounds(problem, self)
        solve = solver(self.preconditioner, problem.loss, point.theta)
        if self.step_size != "auto":
            return State(float(self.step_size), solve, False)
        step_size = stable_step(problem, point, solve)
        return State(step_size, solve, not problem.loss.is_quadratic)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        d = -state.solve(point.gradient)
        if not state.backtracking:
            return problem.move(point.theta, state.step_size, d)
        new = backtrack(problem, point, d, state, state.grow)
        state.grow = GROWTH
        return new

    def blame(self, problem: Problem, point: Point, state: State) -> str:
        return blame_step_size(problem, point, state)


def stable_step(problem: Problem, point: Point, solve: Solve) -> float:
    """Return the best fixed step of a quadratic loss, or a first step, 1 / sigma_max, of others.

    Raises
    ------
    ValueError
        A quadratic loss curves upwards nowhere.
    """
    loss = problem.loss
    if not loss.is_quadratic:
        steepest = largest_curvature(loss, point.theta, solve)
        return 1.0 / steepest if steepest > 0 else searched_step(problem, point, solve)
    curvatures = extreme_curvatures(loss, point.theta, solve)
    largest = curvatures.largest
    if problem.bounded and curvatures.indefinite:  # the minimum is on a bound
        return 1.0 / max(largest, -curvatures.smallest)
    refuse_indefinite(curvatures)
    if not largest > 0:
        raise ValueError(
            f"no step size can be derived: the largest curvature of the loss is {largest:.3g}"
        )
    return best_step(curvatures.positive, largest)


def largest_curvature(loss: Loss, theta: Array, solve: Solve) -> float:
    """Return the size of the largest eigenvalue of M^-1 H, or 0 if it would cost too much."""
    if loss.n_params > FEW or not has_curvature(loss):
        return 0.0
    try:
        smallest, largest, _ = extreme_curvatures(loss, theta, solve)
    except NotFiniteError:
        return 0.0
    return max(largest, -smallest)


def refuse_skewed_bounds(problem: Problem, method: Any) -> None:
    """Refuse bounds with a preconditioner that is not diagonal, for it does not keep them."""
    if problem.bounded and not keeps_bounds(method.preconditioner):
        raise ValueError(f"{method.name} within bounds needs a diagonal preconditioner or none")


def best_step(smallest: float, largest: float) -> float:
    """Return 2 / (sigma_max + sigma_min), which shrinks both ends of the spectrum alike."""
    return 2.0 / (largest + smallest)


def blame_step_size(
    problem: Problem,
    point: Point,
    state: Any,
    factor: float = 2.0,
    best: Callable[[float, float], float] = best_step,
) -> str:
    """Return the sentence that names the largest stable step, ``factor`` / sigma_max.

    ``best`` gives the best step, with the momentum that there is, from the smallest and the largest
    curvature.
    """
    loss, step_size = problem.loss, state.step_size
    wrong = contradiction(problem, point)
    if wrong or not has_curvature(loss):
        return wrong
    try:
        _, largest, positive = curvatures = extreme_curvatures(loss, point.theta, state.solve)
    except (NotFiniteError, TooLargeError, np.linalg.LinAlgError):
        return ""
    if loss.is_quadratic and curvatures.indefinite:
        return curvatures.indefinite
    if not step_size * largest > factor:
        return ""
    limit, where = factor / largest, "of this loss" if loss.is_quadratic else "at the best point"
    advice = f"step_size {step_size:.6g} exceeds {factor:.3g}/sigma_max = {below(limit)} {where}"
    if curvatures.indefinite:
        return f"{advice}; try {below(limit / 2)}"
    fixed = best(positive, largest)
    if not fixed < limit:  # as rounding makes of curvatures that differ very much
        return f"{advice}; any < {below(limit)} converges, such as {below(_INSIDE * limit)}"
    return f"{advice}; best fixed {below(fixed)}, any < {below(limit)} converges"


def below(value: float, digits: int = 3) -> str:
    """Return a number in so many digits, rounded down, so that a step that is printed is stable."""
    if not 0 < value < np.inf:
        return f"{value:g}"
    text = f"{value:.{digits}g}"
    if float(text) <= value:
        return text
    unit = 10.0 ** (int(f"{value:.16e}".split("e")[1]) - digits + 1)
    return f"{float(text) - unit:.{digits}g}"
