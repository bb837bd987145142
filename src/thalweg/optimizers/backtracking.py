r"""Step sizes that need no curvature: shortened until the loss falls enough, lengthened in between.

A step from theta to theta' = theta + alpha d, cut off at bounds, is taken when

    L(theta') <= L(theta) + 1/2 gradient . (theta' - theta),

which every alpha <= 1 / sigma_max meets; otherwise alpha is halved (Armijo's rule).  On a quadratic
loss it says that the slope along the step has not turned upwards by the end of the step, and so the
slope at theta' decides where rounding hides by how much the loss falls:

    gradient(theta') . (theta' - theta) <= 0.

A loss that rises where its gradient promises a fall, down to steps that promise less than rounding,
contradicts its gradient; the sentence then names `check_gradient`.

References: Armijo, Pacific J. Math. 16 (1966) 1; Bertsekas, IEEE Trans. Automat. Control 21 (1976)
174, for bounds; Hager and Zhang, SIAM J. Optim. 16 (2005) 170, for the slope in place of the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array
from ..linalg import watch
from ..losses.curvature import Solve
from ..status import Halt, Status
from .base import Point, Problem
from .line_search import first_step, no_step, noise

GROWTH = 1.2  # after an accepted step: one trial in four or five is one too many
_SHARE = 0.5  # of the promised fall that must come true
CLEAR = 100.0  # times rounding: what promised more and failed was no rounding error
_SEARCHES = 100  # doublings or halvings of the first step size
_REACHES = 4  # each a tenth of the one before; beyond, float32 would be rounding errors
_AGREE = 0.1  # relative: differences that part by more are not those of a line


def backtrack(problem: Problem, point: Point, d: Array, state: Any, grow: float = 1.0) -> Point:
    """Return the point along d where the loss has fallen enough; keeps ``state.step_size``.

    ``grow`` times the last step size is tried first.

    Raises
    ------
    Halt
        No step lowers the loss.
    """
    alpha = first = grow * state.step_size
    failed = 0.0
    level = noise(problem, point.loss)
    while True:
        watch.check()
        new = problem.move(point.theta, alpha, d)
        delta = new.theta - point.theta
        promised = -float(point.gradient.dot(delta))
        if new.loss <= point.loss - _SHARE * promised:
            break
        hidden = promised <= level and failed <= CLEAR * level
        if hidden and new.loss <= point.loss + level and float(new.gradient.dot(delta)) <= 0:
            break
        if not promised > 0 or (promised <= level and not hidden):
            raise no_step(problem, point, float(point.gradient.dot(d)), first)
        failed = max(failed, promised)
        alpha *= 0.5
    state.step_size = alpha
    return new


def rises(problem: Problem, point: Point, new: Point) -> bool:
    """Return whether the loss is higher, beyond rounding, or no number."""
    return not new.loss <= point.loss + noise(problem, point.loss)


def searched_step(problem: Problem, point: Point, solve: Solve) -> float:
    """Return a step size to begin with along -M^-1 gradient, where no curvature is known.

    It would take the whole loss away, or is as long as theta; then it is doubled while the loss
    falls enough and on, or halved until it does.

    Raises
    ------
    Halt
        The gradient contradicts the loss.
    """
    d = -solve(point.gradient)
    alpha, here = first_step(point, d), point
    for _ in range(_SEARCHES):
        watch.check()
        new = problem.move(point.theta, alpha, d)
        promised = -float(point.gradient.dot(new.theta - point.theta))
        enough = new.loss <= point.loss - _SHARE * promised
        if here is not point and not (enough and new.loss < here.loss):
            return 0.5 * alpha
        if not enough and promised <= noise(problem, point.loss):
            wrong = contradiction(problem, point)
            if wrong:
                raise Halt(Status.NO_BRACKET, wrong)
            break
        here = new if enough else point
        alpha *= 2.0 if enough else 0.5
    return alpha


def contradiction(problem: Problem, point: Point) -> str:
    """Return the sentence that the gradient contradicts the loss; empty where they agree.

    The loss is looked at a little way up and down the gradient, as far as promises a change by
    1e-4 of it, and less until the two differences agree on a slope.
    """
    g = problem.free_gradient(point)
    slope = float(g.dot(g))
    if not 0 < slope < np.inf:
        return ""
    reach = 1e-4 * abs(point.loss) / slope or 1e-4 / np.sqrt(slope)
    for _ in range(_REACHES):
        up = problem.loss.value(point.theta + reach * g) - point.loss
        down = problem.loss.value(point.theta - reach * g) - point.loss
        if abs(up + down) <= _AGREE * abs(up - down):
            found = (up - down) / (2.0 * reach)
            if abs(found - slope) <= _AGREE * slope:
                return ""
            return (
                f"along its gradient the loss changes by {found:.3g} per unit step where the "
                f"gradient says {slope:.3g}; check_gradient tells which parameters are wrong"
            )
        reach *= 0.1
    return ""
