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

GROWTH = 1.2  # the step size grows by this after each step, so one trial in four or five is halved
_SHARE = 0.5  # a step must lower the loss by this share of what its gradient promises
CLEAR = 100.0  # a step that promises CLEAR times the rounding error and fails is no rounding error
_SEARCHES = 100  # the most doublings or halvings of the first step size
_REACHES = 4  # reaches, each a tenth of the last; a fifth would meet rounding errors in float32
_AGREE = 0.1  # differences up and down must agree to this share to be those of a straight line


def backtrack(problem: Problem, point: Point, d: Array, state: Any, grow: float = 1.0) -> Point:
    """Return the point along d where the loss has fallen enough; sets ``state.step_size``.

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
    """Return whether the loss is higher beyond rounding, or NaN."""
    return not new.loss <= point.loss + noise(problem, point.loss)


def searched_step(problem: Problem, point: Point, solve: Solve) -> float:
    """Return a first step size along -M^-1 gradient for a loss whose curvature is not known.

    The search begins with the step that promises to lower the loss to 0, or one as long as theta.
    It is doubled as long as the loss falls enough and goes on falling, or halved until it falls.

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
    """Return the sentence that the gradient contradicts the loss; empty if they agree.

    The loss is evaluated a little way up and down the gradient, so far that it should change by
    1e-4 of itself, and nearer until the two differences agree on a slope.
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
