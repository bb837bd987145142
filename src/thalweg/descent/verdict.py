"""What a descent may claim where it stops, and what it says if it can claim nothing."""

from __future__ import annotations

from array import array
from math import inf, isfinite, log, sqrt
from typing import NamedTuple

import numpy as np

from ..optimizers.base import Method, Point, Problem, length
from ..optimizers.convergence import Promise, ResidualTest, SmoothTest, test_of
from ..status import DESCENTS, Status
from .certificate import Look, look, lower_point

_LOST = 1e-7  # a parameter is lost if its column of J is shorter than this share of its longest ...
_IDLE = 1e-3  # ... and theta_j J_j is at most this share of the residual
# A minimum is no further than this relative distance from where it is claimed, or than the root of
# a larger tolerance: at that distance a share of the loss as large as the tolerance is left.
_STEP = 1e-4
_AGAIN = 0.1  # after a refused claim the next is made when the measure is this share of it ...
_LATER = 1.25  # ... or after so many times as many iterations
_WINDOW = 20  # how many last measures give the rate of convergence


class Verdict(NamedTuple):
    """A status with its sentence."""

    status: Status
    message: str


class Judge:
    """Measures every point, and accepts a success only if the curvature proves it.

    Parameters
    ----------
    problem : Problem
    point : Point
        The start.
    method : Method
    gtol : float
    """

    def __init__(self, problem: Problem, point: Point, method: Method, gtol: float) -> None:
        self.problem, self.method, self.gtol = problem, method, gtol
        self.test = test_of(problem, point, method.computes_gauss_newton)
        self.measures = array("d")
        self.below, self.after = inf, 0

    # ---- after each step ----------------------------------------------------------------------

    def starts_small(self, point: Point) -> bool:
        """Return whether a minimum may be claimed at the start.

        Losses of unknown curvature must take a step first.
        """
        return not isinstance(self.test, SmoothTest) and self.test.ratio(point, point) <= self.gtol

    def small(self, previous: Point, point: Point) -> bool:
        """Return whether the measure is so small that a minimum may be claimed at this point."""
        measure = self.test.measure(previous, point)
        self.measures.append(measure)
        if not measure <= self.gtol or (self.gtol == 0 and self.problem.free_gradient(point).any()):
            return False
        return measure <= self.below or len(self.measures) >= self.after

    def refused(self) -> None:
        """Note that a claim was refused: the next one is made at a better point, or later."""
        self.below = _AGAIN * self.measures[-1] or -1.0
        self.after = int(_LATER * len(self.measures)) + 1

    # ---- claims -------------------------------------------------------------------------------

    def claim(self, status: Status, point: Point, tol: float | None = None) -> Verdict | None:
        """Return the verdict on a point; None if it is no minimum to the tolerance.

        Parameters
        ----------
        status : Status
            The success that is claimed.
        point : Point
        tol : float, optional
            The share of the loss that may be left to gain, or of theta to move; by default gtol.
        """
        test = self.test
        if not isfinite(point.loss) or not np.isfinite(point.gradient).all():
            return None
        D = None
        if isinstance(test, ResidualTest):
            test.refresh(point)
            if status is Status.GTOL and test.cosine(point) > self.gtol:
                return None  # the test had used the lengths of columns at an earlier point
            D = test.D
        tol = self.gtol if tol is None else tol
        found = look(self.problem, point, D, test.seen)
        if found is None or not self._near(status, point, found, tol):
            return None
        bad = self._no_minimum(point, found, tol)
        if bad is not None:
            return bad
        sentence = test.sentence if status is Status.GTOL else DESCENTS[status]
        return Verdict(status, sentence)

    def _near(self, status: Status, point: Point, found: Look, tol: float) -> bool:
        """Whether the minimum of the quadratic model of the loss at this point is near enough."""
        if status is Status.XTOL:
            return length(found.d) <= tol * length(point.theta)
        if status is Status.FTOL:
            return found.excess <= tol * abs(point.loss)
        return self.test.near(point, Promise(found.excess, found.d, found.aside), tol)

    def _no_minimum(self, point: Point, found: Look, tol: float) -> Verdict | None:
        if found.downhill is not None:
            return self._saddle(point, found)
        if self.problem.loss.is_quadratic:
            return None
        j = self._lost(point)
        if j is None:
            j = self._drifting(point, found, max(_STEP, sqrt(tol)))
        if j is not None:
            return Verdict(
                Status.DRIFT,
                f"the loss has become flat along parameter {j}, now {point.theta[j]:.3g}: no "
                "minimum in sight; start elsewhere, set bounds or fix it",
            )
        if length(self.problem.free_gradient(point)) == 0 and found.flat.size:
            return self._on_flat_ground(point, found)
        return None

    def _saddle(self, point: Point, found: Look) -> Verdict:
        if self.problem.loss.is_quadratic and not self.problem.bounded:
            return Verdict(
                Status.UNBOUNDED,
                "the loss has no minimum: its Hessian has a negative eigenvalue, and where its "
                "gradient vanishes is a saddle or a maximum",
            )
        assert found.downhill is not None
        j = int(np.argmax(np.abs(found.downhill)))
        return Verdict(
            Status.SADDLE,
            f"{DESCENTS[Status.SADDLE]}; the loss falls on both sides along a direction in which "
            f"parameter {j} moves most: start beside {point.theta[j]:.6g}",
        )

    def _on_flat_ground(self, point: Point, found: Look) -> Verdict | None:
        idle = [j for j in range(point.theta.size) if not np.delete(found.flat[j], []).any()]
        if lower_point(self.problem, point, found, self.test.seen):
            return Verdict(
                Status.SADDLE,
                "the gradient is 0 and so is a curvature, but the loss is lower close by: no "
                "minimum; start beside this point",
            )
        if len(idle) == point.theta.size:
            return None
        theta = np.where(point.theta != 0, 1.01 * point.theta, 0.01)
        if self.problem.loss.value(self.problem.inside(theta)) == point.loss:
            return Verdict(
                Status.DRIFT,
                "the loss is flat here: a plateau, or a loss that does not depend on theta; "
                "start elsewhere",
            )
        return None

    def _lost(self, point: Point) -> int | None:
        """The first parameter whose column of the Jacobian has all but vanished, or None."""
        if not isinstance(self.test, ResidualTest):
            return None
        D, most = self.test.D, self.test.most
        short = D < _LOST**2 * most
        size = _IDLE * sqrt(2.0 * abs(point.loss))
        lost = short & (np.abs(point.theta) * np.sqrt(D) <= size)
        return int(np.argmax(lost)) if lost.any() else None

    def _drifting(self, point: Point, found: Look, most_step: float) -> int | None:
        """The parameter that would still go far though that promises next to nothing, or None."""
        if not isinstance(self.test, ResidualTest) or self.test.cosine(point) == 0.0:
            return None
        most = np.sqrt(self.test.most)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(most > 0, sqrt(2.0 * abs(point.loss)) / most, 0.0)
        far = np.abs(found.d) > most_step * (np.abs(point.theta) + reach)
        return int(np.argmax(np.abs(found.d) * far)) if far.any() else None

    # ---- where nothing can be claimed ---------------------------------------------------------

    def at_rest(self, point: Point, otherwise: Verdict) -> Verdict:
        """Return the verdict on a point from which no step leads lower."""
        tol = max(self.gtol, sqrt(self.problem.loss.precision))
        return self.claim(Status.ROUNDING, point, tol) or otherwise

    def outlook(self) -> str:
        """Return in words how far the test is from being met; empty if that is unknown."""
        seen = [m for m in self.measures if isfinite(m)]
        if not seen:
            return ""
        now = seen[-1]
        squares = isinstance(self.test, ResidualTest)
        quantity = "the largest |J_j.e| / (|J_j| |e|)" if squares else "the test's left side"
        text = f"{quantity} is {now:.2g}, gtol {self.gtol:.2g}"
        before = seen[-_WINDOW:]
        if now <= self.gtol:
            return f"{text}, but along a flat direction the loss has still to fall"
        if len(before) < 3 or not self.gtol > 0 or not before[0] > now > 0:
            return f"{text}; it does not fall steadily{self._other()}"
        rate = log(before[0] / now) / (len(before) - 1)
        more = log(now / self.gtol) / rate
        return f"{text}; at the rate of the last steps about {_round(more)} more{self._other()}"

    def _other(self) -> str:
        name = self.method.name
        if isinstance(self.test, ResidualTest) and not self.problem.loss.is_quadratic:
            return "" if self.method.computes_gauss_newton else "; LevenbergMarquardt needs fewer"
        if name in ("ConjugateGradient", "Newton", "LBFGS") or self.problem.bounded:
            return ""
        return "; ConjugateGradient needs fewer"


def _round(n: float) -> str:
    """A count with two digits."""
    if n >= 1e6:
        return f"{n:.1e} iterations"
    digits = max(0, len(str(int(n))) - 2)
    return f"{int(round(n, -digits)):,} iterations"
