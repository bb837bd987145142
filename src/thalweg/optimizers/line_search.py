r"""How far to go along a direction of descent d: phi(alpha) = L(theta + alpha d).

On a quadratic loss the minimum is known, alpha = -phi'(0) / (d' H d).  Elsewhere a step is taken
that meets the strong Wolfe conditions

    phi(alpha) <= phi(0) + c1 alpha phi'(0)        the loss falls enough
    |phi'(alpha)| <= c2 |phi'(0)|                  the slope has flattened enough

found by enlarging alpha until an interval holds such steps, then shrinking that interval by cubic
interpolation.  Close to a minimum the first condition is lost in rounding; there the slope decides,

    (2 c1 - 1) phi'(0) >= phi'(alpha) >= c2 phi'(0),   |phi(alpha) - phi(0)| <= noise.

References: Nocedal and Wright, "Numerical Optimization", 2nd edition, algorithms 3.5 and 3.6; Hager
and Zhang, SIAM J. Optim. 16 (2005) 170, for the approximate conditions.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, count
from .._arguments.spelling import spelled
from .._showing import settings
from ..linalg import watch
from ..status import Halt, Status
from .base import Point, Problem

_DIGITS = 1e3  # the relative rounding error of a loss, whose terms may cancel, in eps
_ENLARGE = 4.0  # the factor by which steps grow until an interval is found
_MARGIN = 0.1  # interpolation keeps this share of the interval away from either end


class Trial(NamedTuple):
    """A step size, its point, the slope phi' there, and at the start the noise of the loss."""

    alpha: float
    point: Point
    slope: float
    noise: float = 0.0

    @property
    def loss(self) -> float:
        return self.point.loss


@spelled
@dataclass(frozen=True, repr=False)
class StrongWolfe:
    """A line search by the strong Wolfe conditions.

    Parameters
    ----------
    c1, c2 : float
        0 < c1 < c2 < 1: how much the loss must fall and how flat the slope must get.
    max_trials : int
        The most points that are evaluated along one direction.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.ConjugateGradient(tw.StrongWolfe(c2=0.1))).success
    True
    """

    c1: float = 1e-4
    _: KW_ONLY
    c2: float = 0.9
    max_trials: int = 60

    def __repr__(self) -> str:
        return settings(self)

    def __post_init__(self) -> None:
        if not 0 < self.c1 < self.c2 < 1:
            raise ValueError(f"c1 and c2 must meet 0 < c1 < c2 < 1, got {self.c1} and {self.c2}")
        count(self.max_trials, "max_trials", 1, 10_000)

    def search(
        self, problem: Problem, point: Point, d: Array, first: float, most: float = np.inf
    ) -> Point:
        """Return a point along d that meets the conditions; ``first`` is the first step tried.

        If the loss still falls at the largest step allowed, ``most``, that step is taken.

        Raises
        ------
        Halt
            d does not go downhill, the loss falls without end, or no step lowers it.
        """
        start = Trial(0.0, point, float(point.gradient.dot(d)), noise(problem, point.loss))
        if not start.slope < 0:
            raise Halt(
                Status.NO_BRACKET, f"the direction does not go downhill: slope {start.slope:.3g}"
            )
        new = self._bracket(problem, start, d, min(first, most), most)
        if new is None:
            raise no_step(problem, point, start.slope, first)
        return new

    def _bracket(
        self, problem: Problem, start: Trial, d: Array, first: float, most: float
    ) -> Point | None:
        """Enlarge the step until it is accepted or an interval holds steps that are."""
        low, alpha = start, first
        for k in range(self.max_trials):
            trial = _try(problem, start.point, d, alpha)
            if self._accepts(start, trial):
                return trial.point
            if not isfinite(trial.loss) or self._too_high(start, trial) or trial.loss >= low.loss:
                return self._zoom(problem, start, d, low, trial, self.max_trials - k)
            if trial.slope >= 0:
                return self._zoom(problem, start, d, trial, low, self.max_trials - k)
            if alpha >= most:
                return trial.point
            low, alpha = trial, min(_ENLARGE * alpha, most)
        raise Halt(
            Status.UNBOUNDED,
            f"the loss still falls at step_size {low.alpha:.3g}: it has no minimum there",
        )

    def _zoom(
        self, problem: Problem, start: Trial, d: Array, low: Trial, high: Trial, trials: int
    ) -> Point | None:
        """Shrink the interval between two steps, of which ``low`` has the smaller loss."""
        for _ in range(trials):
            alpha = _between(low, high)
            if alpha in (low.alpha, high.alpha):
                break
            trial = _try(problem, start.point, d, alpha)
            if self._accepts(start, trial):
                return trial.point
            if not isfinite(trial.loss) or self._too_high(start, trial) or trial.loss >= low.loss:
                high = trial
            else:
                if trial.slope * (high.alpha - low.alpha) >= 0:
                    high = low
                low = trial
        return low.point if low.loss < start.loss else None

    def _accepts(self, start: Trial, trial: Trial) -> bool:
        if not isfinite(trial.loss):
            return False
        falls = trial.loss <= start.loss + self.c1 * trial.alpha * start.slope
        flat = abs(trial.slope) <= -self.c2 * start.slope
        level = abs(trial.loss - start.loss) <= start.noise
        return (falls and flat) or (
            level and (2 * self.c1 - 1) * start.slope >= trial.slope >= self.c2 * start.slope
        )

    def _too_high(self, start: Trial, trial: Trial) -> bool:
        return not trial.loss <= start.loss + self.c1 * trial.alpha * start.slope


USUAL_SEARCH = StrongWolfe()


def check_search(value: Any, or_none: bool = False) -> None:
    """Refuse a setting that is not a line search, such as a step size.

    Raises
    ------
    TypeError
        ``value`` is not a `StrongWolfe`, nor None where that is allowed.
    """
    if isinstance(value, StrongWolfe) or (or_none and value is None):
        return
    raise TypeError(
        f"line_search must be a StrongWolfe{' or None' * or_none}, got {value!r}; "
        "GradientDescent takes a step size"
    )


def noise(problem: Problem, loss: float) -> float:
    """Return how far two losses of this size may be apart for rounding alone."""
    return _DIGITS * problem.loss.precision * abs(loss)


def along(
    problem: Problem,
    point: Point,
    d: Array,
    first: float,
    line_search: StrongWolfe,
    most: float = np.inf,
) -> Point:
    """Return the minimum along d where the loss knows it; else what the line search finds.

    No step is larger than ``most``.
    """
    loss = problem.loss
    if not loss.is_quadratic:
        alpha = loss.line_minimum(point.theta, d)
        if alpha is None:
            return line_search.search(problem, point, d, first, most)
        return problem.move(point.theta, min(alpha, most), d)
    curvature, slope = loss.curvature(point.theta, d), float(point.gradient.dot(d))
    if slope == 0:  # the slope has underflowed
        raise Halt(Status.ROUNDING)
    if not curvature > 0:
        if most < np.inf:
            return problem.move(point.theta, most, d)
        raise Halt(
            Status.UNBOUNDED,
            "the loss has no minimum: its curvature along the direction of descent is "
            f"{curvature:.3g}",
        )
    return problem.move(point.theta, min(-slope / curvature, most), d)


def first_step(point: Point, d: Array) -> float:
    """Return a step size to try where nothing is known: it would take the whole loss away.

    Without a loss to take away, a step as long as theta, or of length 1.
    """
    slope = -float(point.gradient.dot(d))
    if point.loss > 0 and slope > 0:
        return point.loss / slope
    size = sqrt(point.theta.dot(point.theta)) or 1.0
    return float(size / (sqrt(d.dot(d)) or 1.0))


def _try(problem: Problem, point: Point, d: Array, alpha: float) -> Trial:
    watch.check()
    new = problem.move(point.theta, alpha, d)
    return Trial(alpha, new, float(new.gradient.dot(d)))


def _between(low: Trial, high: Trial) -> float:
    """The minimum of the cubic through both ends, away from them; the middle if it has none."""
    width = high.alpha - low.alpha
    middle = low.alpha + 0.5 * width
    if not (isfinite(high.loss) and isfinite(high.slope)):
        return low.alpha + _MARGIN * width
    a = low.slope + high.slope - 3.0 * (high.loss - low.loss) / width
    square = a * a - low.slope * high.slope
    if not 0 <= square < np.inf:
        return middle
    b = sqrt(square) if width > 0 else -sqrt(square)
    bottom = high.slope - low.slope + 2.0 * b
    if bottom == 0:
        return middle
    share = 1.0 - (high.slope + b - a) / bottom
    return low.alpha + min(max(share, _MARGIN), 1.0 - _MARGIN) * width


def no_step(problem: Problem, point: Point, slope: float, first: float) -> Halt:
    """Return why no step was found: it promised too little, or loss and slope disagree."""
    if -slope * first <= sqrt(problem.loss.precision) * abs(point.loss):
        return Halt(Status.ROUNDING)
    return Halt(
        Status.NO_BRACKET,
        f"no step from {first:.3g} downwards lowers the loss, though its slope is {slope:.3g}: the "
        "loss is made of rounding errors, or has a kink here, or its gradient is wrong "
        "(check_gradient tells)",
    )
