r"""Coordinate descent: one parameter at a time, each to the minimum along its axis.

    j = the next parameter
    delta = -(dL/dtheta_j) / (d2L/dtheta_j^2)
    theta_j <- theta_j + delta

On a quadratic loss delta is exact; with a residual kept up to date it costs one column of A or B,
and the kernels of `thalweg.kernels.coordinate_sweep` make many updates in one call.
On other losses delta is Newton's step in one dimension, with the absolute value of the curvature,
halved until the loss does not rise; a loss that has no curvature gets it from a difference of
gradients.  Bounds clip each delta, which keeps the minimum along the axis exact.  One iteration is
a sweep over all parameters, or fewer updates on request.

The greedy order takes the parameter by whose update the loss falls most.  On a quadratic loss a
step delta lowers it by -(g_j + h_j delta / 2) delta, with the derivative g_j and the curvature h_j
along the axis, which is g_j^2 / (2 h_j) where no bound is met.  On other losses every update is
tried.

Reference: Wright, "Coordinate descent algorithms", Math. Program. 151 (2015) 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from itertools import islice
from math import isfinite
from typing import ClassVar

import numpy as np

from .._arguments.check import Array, count
from .._arguments.spelling import spelled
from ..linalg import watch
from ..losses.base import CachedState, CoordinateState, SweepingState
from ..status import Halt, Status
from .backtracking import CLEAR
from .base import Method, Point, Problem
from .line_search import no_step, noise

_ORDERS = ("cyclic", "shuffled", "random", "greedy")
_MANY = 32  # fewer updates are made one by one, for the checks of a compiled sweep cost more
_WORK = 2e8  # additions and multiplications between two looks at the clock: a tenth of a second


@dataclass(slots=True)
class State:
    """The point, with what is kept up to date for it, and the parameters that come next."""

    here: CoordinateState
    turns: Iterator[int]
    updates: int


@spelled
@dataclass(frozen=True, repr=False)
class CoordinateDescent(Method):
    """Coordinate descent.

    Parameters
    ----------
    order : {"cyclic", "shuffled", "random", "greedy"}
        Which parameter is next: one after the other; the same in an order that is shuffled for
        each sweep; one drawn at random; or the one by whose update the loss falls most, as in
        `thalweg.kernels.coordinate_sweep`.  On a quadratic loss gradient and curvatures tell which
        that is; on others each greedy update tries all P parameters.
    updates : int, optional
        The number of updates in one iteration, by default P, a sweep.  With 1 the history shows
        each step of the staircase.
    seed : int
        The seed of the random orders.

    References
    ----------
    S. J. Wright, "Coordinate descent algorithms", Math. Program. 151 (2015) 3.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.CoordinateDescent()).success
    True
    """

    bounds: ClassVar[bool] = True

    order: str = "cyclic"
    _: KW_ONLY
    updates: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in _ORDERS:
            raise ValueError(f"order must be one of {', '.join(_ORDERS)}, got {self.order!r}")
        if self.updates is not None:
            count(self.updates, "updates", 1, 2**31 - 1)

    def prepare(self, problem: Problem, point: Point) -> State:
        here = problem.loss.coordinate_state(point.theta)
        P = problem.loss.n_params
        return State(here, self._turns(problem, here, P), self.updates or P)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        here, before = state.here, state.here.theta.copy()
        self._update(problem, state)
        whole = state.updates >= before.size  # fewer updates may move nothing though later ones do
        if whole and isinstance(here, CachedState) and np.array_equal(here.theta, before):
            here.refresh()  # the residual that is kept up to date may have lost digits far away
            self._update(problem, state)
        return problem.at(here.theta.copy())

    def _update(self, problem: Problem, state: State) -> None:
        here = state.here
        if isinstance(here, SweepingState) and self.order != "greedy" and state.updates >= _MANY:
            turns = np.fromiter(islice(state.turns, state.updates), np.intp, state.updates)
            for piece in np.split(turns, range(_piece(here), turns.size, _piece(here))):
                watch.check()
                here.sweep(piece, problem.lower, problem.upper)
        else:
            for j in islice(state.turns, state.updates):
                watch.check()
                update(problem, here, j)

    def patience(self, n_params: int) -> int:
        """Return how many iterations update every parameter, which takes more at random."""
        turns = {"greedy": 1, "random": 10 * n_params}.get(self.order, 2 * n_params)
        return -(-turns // (self.updates or n_params))

    def _turns(self, problem: Problem, here: CoordinateState, P: int) -> Iterator[int]:
        rng = np.random.default_rng(self.seed)
        while True:
            if self.order == "cyclic":
                yield from range(P)
            elif self.order == "shuffled":
                yield from map(int, rng.permutation(P))
            elif self.order == "random":
                yield int(rng.integers(P))
            elif problem.loss.is_quadratic:
                curvatures = np.array([here.partial(j)[1] for j in range(P)])  # constant
                while True:
                    yield _largest_fall(problem, here, curvatures)
            else:
                yield _largest_fall_by_trial(problem, here)


def _piece(here: SweepingState) -> int:
    """How many updates one compiled call makes between looks at the clock: whole blocks."""
    return max(1, int(_WORK / max(1.0, here.cost) / _MANY)) * _MANY


def _largest_fall(problem: Problem, here: CoordinateState, h: Array) -> int:
    """Return the j of the largest fall -(g_j + h_j delta_j / 2) delta_j, with curvatures h (P,).

    The falls are computed relative to the largest |g_j| and the largest |delta_j|, so that none
    underflows.
    """
    g = here.gradient()
    active = problem.free_gradient(Point(here.theta, np.nan, g)) != 0
    if not active.any():
        return 0
    with np.errstate(all="ignore"):
        delta = -g / h
        endless = active & ~(np.isfinite(delta) & (h > 0))
        if endless.any():
            return int(np.argmax(endless))
        if problem.bounded:
            delta = np.clip(here.theta + delta, problem.lower, problem.upper) - here.theta
        share = 1 + 0.5 * h * delta / g  # 1/2 for a step to the minimum, near 1 for a short one
        fall = np.abs(g) / np.abs(g[active]).max() * (np.abs(delta) / np.abs(delta[active]).max())
    return int(np.argmax(np.where(active, np.nan_to_num(fall * share), 0.0)))


def _largest_fall_by_trial(problem: Problem, here: CoordinateState) -> int:
    """Return the j by whose update the loss falls most; all updates are tried and taken back.

    Close to a minimum rounding hides the falls; then those that curvatures promise are compared.
    """
    before = here.value()
    falls = np.array([_fall(problem, here, j) for j in range(here.theta.size)])
    if falls.max(initial=0.0) > noise(problem, before):
        return int(np.argmax(falls))
    slopes = (here.partial(j) for j in range(here.theta.size))
    return _largest_fall(problem, here, np.array([abs(h) or abs(g) for g, h in slopes]))


def _fall(problem: Problem, here: CoordinateState, j: int) -> float:
    """Return by how much the loss falls when parameter j is updated, and move it back."""
    watch.check()
    before, origin = here.value(), float(here.theta[j])
    try:
        update(problem, here, j)
        fall = before - here.value()
    except Halt:  # parameter j cannot move
        fall = 0.0
    here.move(j, origin - float(here.theta[j]))
    here.theta[j] = origin  # exact to the last bit
    return fall if isfinite(fall) else 0.0


def update(problem: Problem, here: CoordinateState, j: int) -> None:
    """Move parameter j to the minimum along its axis, within its bounds."""
    g, h = here.partial(j)
    if g == 0:
        return
    if problem.loss.is_quadratic:
        if not h > 0:
            raise Halt(
                Status.UNBOUNDED,
                f"the loss has no minimum along parameter {j}: its curvature there is {h:.3g}",
            )
        here.move(j, _clipped(problem, here, j, -g / h))
        return
    h = abs(h) or abs(g)  # without curvature the step has length 1
    _halved(problem, here, j, g, _clipped(problem, here, j, -g / h))


def _halved(problem: Problem, here: CoordinateState, j: int, g: float, delta: float) -> None:
    """Move parameter j by delta, halved until the loss falls.

    Where rounding hides whether the loss falls, the derivative must have lost half of its size.
    """
    before, origin, first = here.value(), float(here.theta[j]), delta
    level = noise(problem, before)
    hidden = abs(g * first) <= CLEAR * level
    here.move(j, delta)
    while here.theta[j] != origin:
        value = here.value()
        if hidden and abs(value - before) <= level:
            if abs(here.partial(j)[0]) <= 0.5 * abs(g):
                return
        elif value <= before:
            return
        if not hidden and not abs(g * delta) > level:
            break
        delta *= 0.5
        here.move(j, origin + delta - float(here.theta[j]))
    here.move(j, origin - float(here.theta[j]))
    if not isfinite(before):
        raise Halt(Status.NOT_FINITE, f"the loss is not finite along parameter {j}")
    if not hidden:
        halt = no_step(problem, Point(here.theta, before, here.theta), -abs(g), abs(first))
        if halt.status is not Status.ROUNDING:
            raise halt


def _clipped(problem: Problem, here: CoordinateState, j: int, delta: float) -> float:
    if not problem.bounded:
        return delta
    theta = float(here.theta[j])
    return float(min(max(theta + delta, problem.lower[j]), problem.upper[j])) - theta
