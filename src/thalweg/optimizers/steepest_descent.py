r"""Steepest descent: along the negative gradient, to the lowest point of that line.

    d = -M^-1 gradient
    alpha = argmin L(theta + alpha d)        on a quadratic loss -(gradient . d) / (d' H d)
    theta <- theta + alpha d

Successive directions are perpendicular (in the metric of M), so in a narrow valley the path
zigzags: in the worst case the loss shrinks by ((kappa - 1) / (kappa + 1))^2 a step.

Reference: Nocedal and Wright, "Numerical Optimization", 2nd edition, section 3.3.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from .._arguments.spelling import spelled
from ..losses.curvature import Solve
from .base import Method, Point, Problem
from .line_search import USUAL_SEARCH, StrongWolfe, along, check_search, first_step
from .precondition import solver


@dataclass(slots=True)
class State:
    """v -> M^-1 v, and by how much the last step should have lowered the loss."""

    solve: Solve
    gain: float | None = None


@spelled
@dataclass(frozen=True, repr=False)
class SteepestDescent(Method):
    r"""Steepest descent with an exact line search where the loss has one.

    Parameters
    ----------
    line_search : StrongWolfe
        For losses whose minimum along a line has no closed form.
    preconditioner : optional
        See `thalweg.optimizers.precondition`.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.SteepestDescent()).success
    True
    """

    line_search: StrongWolfe = USUAL_SEARCH
    _: KW_ONLY
    preconditioner: Any = None

    def __post_init__(self) -> None:
        check_search(self.line_search)

    def prepare(self, problem: Problem, point: Point) -> State:
        return State(solver(self.preconditioner, problem.loss, point.theta))

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        d = -state.solve(point.gradient)
        slope = float(point.gradient.dot(d))
        first = state.gain / slope if state.gain is not None and slope < 0 else first_step(point, d)
        new = along(problem, point, d, first, self.line_search)
        state.gain = new.step_size * slope
        return new
