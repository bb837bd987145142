"""Faces of a box: which parameters move, how far, and how a step that leaves the box is cut.

A face is the set of points that share the parameters on their bounds.  A method of conjugate
directions stays on one as long as its gradient there is larger than the part that points from the
bounds inwards (Dostal, SIAM J. Optim. 7 (1997) 871: proportioning); otherwise the bounds let go.
A step beyond the box is projected on it, which may bring many parameters to their bounds at once,
if this lowers the loss more than to stop at the first bound does (More and Toraldo, SIAM J. Optim.
1 (1991) 93).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array
from ..status import Halt, Status
from .base import Point, Problem
from .line_search import StrongWolfe

_SNAP = 1.0 - 8.0 * float(np.finfo(float).eps)  # a step of this share of the way ends on the bound
_SHORTER = 0.25  # each projected trial is this share of the one before
_FAR = 1e3  # a projected trial is at most so many times as long as the way to the first bound
_ENOUGH = 0.1  # a projected step must lower the loss by this share of what its gradient promises


def moving(problem: Problem, point: Point, z: Array) -> Array:
    """Return which parameters move, shape (P,), given z = M^-1 gradient."""
    theta, g = point.theta, point.gradient
    can = problem.free(point)
    held = (theta <= problem.lower) | (theta >= problem.upper)
    share = g * z
    inner = can & ~held
    return inner if share[inner].sum() >= share[can & held].sum() else can


def reach(problem: Problem, theta: Array, d: Array) -> float:
    """Return the largest alpha for which theta + alpha d is within the bounds."""
    room = np.where(d < 0, problem.lower - theta, problem.upper - theta)[d != 0]
    return float(np.min(room / d[d != 0], initial=np.inf))


def stepped(problem: Problem, point: Point, alpha: float, d: Array) -> Point:
    """Return the point at theta + alpha d, projected; what all but meets its bound is put there."""
    theta, step = point.theta, alpha * d
    new = np.where(step <= _SNAP * (problem.lower - theta), problem.lower, theta + step)
    new = np.where(step >= _SNAP * (problem.upper - theta), problem.upper, new)
    return problem.at(np.where(d == 0, theta, new), alpha)


def along_inside(
    problem: Problem, point: Point, d: Array, first: float, line_search: StrongWolfe
) -> tuple[Point, bool]:
    """Return the next point along d within the bounds, and whether a bound cut the step.

    It is the minimum along d if the loss has it in closed form, else what the line search finds
    from ``first`` on; beyond the first bound it is a projected step or the point on the bound.
    """
    loss, most = problem.loss, reach(problem, point.theta, d)
    slope = float(point.gradient.dot(d))
    if loss.is_quadratic:
        curvature = loss.curvature(point.theta, d)
        best: Any = -slope / curvature if curvature > 0 else np.inf
    else:
        curvature, best = 0.0, loss.line_minimum(point.theta, d)
    if best is None:
        return _searched(problem, point, d, slope, first, most, line_search)
    if not (best < np.inf or most < np.inf):
        raise Halt(
            Status.UNBOUNDED,
            "the loss has no minimum: its curvature along the direction of descent is "
            f"{curvature:.3g}, and no bound stops it",
        )
    if best > most:
        return _cut(problem, point, d, min(best, _FAR * most), most), True
    return stepped(problem, point, best, d), False


def _searched(
    problem: Problem,
    point: Point,
    d: Array,
    slope: float,
    first: float,
    most: float,
    line_search: StrongWolfe,
) -> tuple[Point, bool]:
    """Return what the line search finds up to the first bound, or a projected step beyond it."""
    if first > most:
        new = stepped(problem, point, first, d)
        if new.loss <= point.loss + _ENOUGH * float(point.gradient.dot(new.theta - point.theta)):
            return new, True
    new = line_search.search(problem, point, d, first, most)
    cut = new.step_size >= most
    return (stepped(problem, point, most, d) if cut else new), cut


def _cut(problem: Problem, point: Point, d: Array, wanted: float, most: float) -> Point:
    """Return a projected step that is no higher than the first bound, or the point there."""
    end = stepped(problem, point, most, d)
    alpha = wanted
    while alpha > most:
        new = stepped(problem, point, alpha, d)
        if new.loss <= end.loss:
            return new
        alpha *= _SHORTER
    return end
