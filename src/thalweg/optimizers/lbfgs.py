r"""The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.

    d = -K gradient,    K = an inverse Hessian made of the last m pairs s = theta_new - theta,
                            y = gradient_new - gradient, from gamma M^-1, gamma = s'y / (y'M^-1 y)
    theta <- theta + alpha d        alpha = 1 first, by a line search

K meets K y = s for the last pair, so it knows the curvature where the descent has just been; it is
never formed, because two loops over the pairs give K times a vector.  A pair with s'y <= 0 would
make K indefinite and is left out; the Wolfe conditions see to it that there is none.

Within bounds d is the minimum of the quadratic model with K^-1 as its Hessian, in the box of the
bounds (`box_model`), and alpha <= 1; where -K gradient keeps within the bounds it is that minimum.

References: Nocedal, Math. Comp. 35 (1980) 773; Nocedal and Wright, "Numerical Optimization", 2nd
edition, algorithms 7.4 and 7.5.
"""

from __future__ import annotations

from collections import deque
from dataclasses import KW_ONLY, dataclass
from math import inf
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._arguments.check import Array, count
from .._arguments.spelling import spelled
from ..losses.curvature import Solve
from ..status import Halt, Status
from .base import Method, Point, Problem, length
from .box_model import lowest_inside
from .gradient_descent import refuse_skewed_bounds
from .line_search import USUAL_SEARCH, StrongWolfe, along, check_search, first_step
from .precondition import solver

_EPS = float(np.finfo(float).eps)


class Pair(NamedTuple):
    """A step, the change of the gradient along it, and their product s'y > 0."""

    s: Array
    y: Array
    sy: float


@dataclass(slots=True)
class State:
    """v -> M^-1 v, the last pairs, and the gamma that is used while there is no pair."""

    solve: Solve
    pairs: deque[Pair]
    gamma: float


@spelled
@dataclass(frozen=True, repr=False)
class LBFGS(Method):
    r"""L-BFGS: quasi-Newton steps from gradients alone, in O(m P) memory and work.

    It needs only a value and a gradient, and suits losses of many parameters.

    Parameters
    ----------
    memory : int
        The number m of pairs that are kept.
    line_search : StrongWolfe
        For losses whose minimum along a line has no closed form.
    preconditioner : optional
        See `thalweg.optimizers.precondition`; a diagonal one within bounds.

    References
    ----------
    J. Nocedal, Math. Comp. 35 (1980) 773.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[2, 0], [0, 1]], theta_star=[1, 2])
    >>> tw.minimize(loss, [0, 0], tw.LBFGS()).theta.round(6)
    array([1., 2.])
    """

    bounds: ClassVar[bool] = True

    memory: int = 10
    _: KW_ONLY
    line_search: StrongWolfe = USUAL_SEARCH
    preconditioner: Any = None

    def __post_init__(self) -> None:
        check_search(self.line_search)
        count(self.memory, "memory", 1, 10_000)

    def prepare(self, problem: Problem, point: Point) -> State:
        refuse_skewed_bounds(problem, self)
        solve = solver(self.preconditioner, problem.loss, point.theta)
        gamma = first_step(point, -solve(problem.free_gradient(point)))
        return State(solve, deque(maxlen=self.memory), gamma)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        try:
            new = self._search(problem, point, state)
        except Halt as halt:
            if halt.status is Status.UNBOUNDED or not state.pairs:
                raise
            state.gamma = initial_scale(state)
            state.pairs.clear()  # pairs may belong to a region that has been left behind
            new = self._search(problem, point, state)
        remember(state, new.theta - point.theta, new.gradient - point.gradient)
        return new

    def _search(self, problem: Problem, point: Point, state: State) -> Point:
        theta, g = point.theta, point.gradient
        d = -two_loops(g, state.pairs, state.solve, initial_scale(state))
        if not problem.bounded:
            return along(problem, point, d, 1.0, self.line_search)
        if not np.array_equal(problem.inside(theta + d), theta + d):
            B0 = 1.0 / (initial_scale(state) * state.solve(np.ones_like(g)))
            d = lowest_inside(problem, theta, g, state.pairs, B0)
        return along(problem, point, d, 1.0, self.line_search, most=1.0)


def two_loops(g: Array, pairs: deque[Pair], solve: Solve, gamma: float) -> Array:
    """Return K g: back from the last pair to the first, gamma M^-1, and forth again."""
    q, shares = g.copy(), []
    for s, y, sy in reversed(pairs):
        share = float(s.dot(q)) / sy
        q -= share * y
        shares.append(share)
    q = gamma * solve(q)
    for (s, y, sy), share in zip(pairs, reversed(shares), strict=True):
        q += (share - float(y.dot(q)) / sy) * s
    return q


def initial_scale(state: State) -> float:
    """Return gamma = s'y / (y'M^-1 y) of the last pair, the mean inverse curvature along y."""
    if not state.pairs:
        return state.gamma
    _, y, sy = state.pairs[-1]
    return sy / float(y.dot(state.solve(y)))


def remember(state: State, s: Array, y: Array) -> None:
    """Keep a pair whose product s'y is positive beyond rounding."""
    sy = float(s.dot(y))
    if _EPS * length(s) * length(y) < sy < inf:
        state.pairs.append(Pair(s, y, sy))
