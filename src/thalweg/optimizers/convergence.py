r"""What a descent measures after each step, to tell whether a minimum is near.

A step of parameter j alone may lower a loss of curvature H_jj by g_j^2 / (2 H_jj) at most.  So
|g_j| / sqrt(H_jj) is the slope in the unit of sqrt(loss), whatever the unit of theta_j.  The tests
compare it with quantities that do not depend on where the descent began:

least squares     |J_j.e| / (|J_j| |e|) = |g_j| / sqrt(2 L G_jj): the cosine between the residual
                  and a column of the Jacobian [1]_; the loss' factor and its weights cancel
quadratic losses  sqrt(2 L / H_jj) / |theta*_j|: how far parameter j alone could move for the whole
                  loss, against its size.  Where the lowest value is not known to be 0, or bounds
                  keep the loss from it, the decrease that all parameters promise against the loss
with an l1 term   the duality gap against that of theta = 0, or the cosine as above
other losses      ||g|| / (h ||theta||): the step that the curvature h, seen by the last steps,
                  asks for

All of them count as met below a floor of rounding, where the slope is what the last digits of theta
make of it.  A point that passes is not yet a minimum: `descent.certificate` looks at its curvature.

References
----------
.. [1] J. J. More, "The Levenberg-Marquardt algorithm", Lecture Notes in Mathematics 630 (1978),
   section 7: the cosine is MINPACK's gtol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf, sqrt
from typing import ClassVar, NamedTuple

import numpy as np

from .._arguments.check import Array
from ..linalg.operators import Product
from ..losses.base import LeastSquares, Loss
from ..losses.penalised import Penalised
from ..losses.quadratic import QuadraticLoss
from .base import Point, Problem, length

_DIGITS = 8.0  # rounding error of a sum of products, in units of the last place
_LEAST_LOSS = 1e-280  # a sum of squares smaller than this may have lost digits
# Curvatures cost more than a step; they are computed anew when an eighth more steps have been made.
_REFRESHES = 8


class Promise(NamedTuple):
    """What Newton's step promises.

    Attributes
    ----------
    excess : float
        The decrease of the loss.
    d : ndarray, shape (P,)
        The step, without its part along flat directions.
    aside : float
        The decrease along flat directions.
    """

    excess: float
    d: Array
    aside: float = 0.0


class Test(ABC):
    """A measure that is compared with ``gtol`` after each step.

    Attributes
    ----------
    sentence : str
        The inequality, in words.
    seen : ndarray, shape (P,)
        The largest size of each parameter so far.
    """

    sentence: ClassVar[str]

    def __init__(self, problem: Problem, point: Point) -> None:
        self.problem = problem
        self.seen = np.abs(point.theta)

    def measure(self, previous: Point, point: Point) -> float:
        """Return the measure, which must fall to gtol; 0 if the gradient is made of rounding."""
        self.seen = np.maximum(self.seen, np.abs(point.theta))
        return self.ratio(previous, point)

    @abstractmethod
    def ratio(self, previous: Point, point: Point) -> float:
        """Return the measure, for `seen` that is up to date."""

    @abstractmethod
    def near(self, point: Point, promise: Promise, gtol: float) -> bool:
        """Return whether the minimum of the quadratic model of the loss is near enough."""

    def noise(self, D: Array, theta: Array) -> float:
        """Return the slope, in the unit of sqrt(loss), that the last digits of theta make."""
        eps = self.problem.loss.precision
        sizes = np.maximum(np.abs(theta), eps * self.seen)  # a theta that goes to 0 had a size
        return _DIGITS * eps * float(np.sqrt(np.abs(D)).dot(sizes))


class ResidualTest(Test):
    """The largest cosine between the residual and a column of the Jacobian.

    The lengths of the columns are those at the point for methods that compute the Gauss-Newton
    matrix, and for linear models, where they never change; otherwise they are computed now and
    then.

    Attributes
    ----------
    D, most : ndarray, shape (P,)
        The diagonal of the Gauss-Newton matrix, and the largest it has been.
    """

    sentence = (
        "converged: every |J_j.e| <= gtol |J_j| |e|, J_j the columns of the Jacobian and e the "
        "residual, but for rounding"
    )

    def __init__(self, problem: Problem, point: Point, always: bool) -> None:
        super().__init__(problem, point)
        self.constant, self.always = problem.loss.is_quadratic, always
        self.D = column_squares(problem, point)
        self.most = self.D.copy()
        self.steps, self.due = 0, 1

    def ratio(self, previous: Point, point: Point) -> float:
        self.steps += 1
        if not self.constant and (self.always or self.steps >= self.due):
            self.refresh(point)
        return self.cosine(point)

    def refresh(self, point: Point) -> None:
        """Compute the lengths of the columns at this point."""
        if self.constant:
            return
        self.due = self.steps + max(1, self.steps // _REFRESHES)
        self.D = column_squares(self.problem, point)
        self.most = np.maximum(self.most, self.D)

    def near(self, point: Point, promise: Promise, gtol: float) -> bool:
        """Return whether the decrease is at most gtol L, or the residual is 0 to rounding.

        A residual counts as 0 if it is less than gtol of the predictions, about the sum of
        |J_j| |theta_j|, or less than the rounding errors of the largest predictions so far.
        """
        size = sqrt(2.0 * abs(point.loss))
        if promise.excess <= gtol * abs(point.loss):
            return True
        if size <= self.problem.loss.precision * float(np.sqrt(self.most).dot(self.seen)):
            return True
        prediction = float(np.sqrt(self.D).dot(np.abs(point.theta)))
        return size <= gtol * prediction and self.cosine(point) == 0.0

    def cosine(self, point: Point) -> float:
        """Return the largest |J_j.e| / (|J_j| |e|) of the free parameters."""
        slope = largest_slope(self.problem.free_gradient(point), self.D)
        if slope <= self.noise(self.D, point.theta):
            return 0.0
        size = sqrt(2.0 * abs(point.loss))
        return slope / size if size > 0 else inf


class QuadraticTest(Test):
    """How far the loss is above its minimum, relative to the sizes of the parameters or itself."""

    sentence = (
        "converged: every sqrt(2 loss / H_jj) <= gtol |theta*_j|, or the promised decrease <= "
        "gtol^2 |loss|, but for rounding"
    )

    def __init__(self, problem: Problem, point: Point) -> None:
        super().__init__(problem, point)
        self.D = column_squares(problem, point)
        loss = problem.loss
        self.target = np.abs(loss.theta_star) if isinstance(loss, QuadraticLoss) else None

    def ratio(self, previous: Point, point: Point) -> float:
        g, D = self.problem.free_gradient(point), self.D
        if largest_slope(g, D) <= self.noise(D, point.theta):
            return 0.0
        promised = self.promised(g)
        relative = sqrt(promised / abs(point.loss)) if point.loss else inf
        return min(relative, self.by_size(point.loss))

    def near(self, point: Point, promise: Promise, gtol: float) -> bool:
        known = self.by_size(point.loss) <= gtol or self.ratio(point, point) == 0.0
        return bool(known or promise.excess <= gtol * abs(point.loss))

    def promised(self, g: Array) -> float:
        """Return the sum of g_j^2 / (2 H_jj), the decrease that steps along the axes promise."""
        slopes = g / np.sqrt(np.where(self.D > 0, self.D, 1.0))
        return 0.5 * float(slopes.dot(slopes))

    def by_size(self, loss: float) -> float:
        """Return the largest sqrt(2 loss / H_jj) / |theta*_j|; infinite unless the least loss is 0.

        A parameter whose target is 0 counts with the largest size that it has had.  Parameters too
        small to change a digit of the loss do not count.
        """
        if self.target is None or loss < 0:
            return inf
        if 0 < loss < _LEAST_LOSS:  # squares have left the range of numbers
            return inf
        sizes = np.sqrt(np.abs(self.D)) * np.where(self.target > 0, self.target, self.seen)
        top = float(sizes.max(initial=0.0))
        sizes = sizes[sizes > self.problem.loss.precision * top]
        return sqrt(2.0 * loss) / float(sizes.min()) if sizes.size else inf


class SmoothTest(Test):
    """The length of the step that the curvature of the last steps asks for, relative to theta."""

    sentence = (
        "converged: every |step_j| of Newton's method <= gtol |theta_j|, or the decrease that it "
        "promises <= gtol^2 |loss|, but for rounding"
    )

    def __init__(self, problem: Problem, point: Point) -> None:
        super().__init__(problem, point)
        self.curvature = 0.0

    def ratio(self, previous: Point, point: Point) -> float:
        step, change = point.theta - previous.theta, point.gradient - previous.gradient
        size = length(step)
        if size > 0:
            unit = step / size
            self.curvature = max(float(unit.dot(change)) / size, 0.5 * self.curvature)
        slope = length(self.problem.free_gradient(point))
        if slope == 0:
            return 0.0
        if not self.curvature > 0:
            return inf
        theta = max(length(point.theta), self.problem.loss.precision * length(self.seen))
        relative = slope / self.curvature / theta if theta > 0 else inf
        least = sqrt(abs(point.loss)) * sqrt(2.0 * self.curvature)
        return min(relative, slope / least if least > 0 else inf)

    def near(self, point: Point, promise: Promise, gtol: float) -> bool:
        eps = self.problem.loss.precision
        if promise.excess <= max(gtol * gtol, eps) * abs(point.loss):
            return True
        sizes = np.maximum(np.abs(point.theta), eps * self.seen)
        short = bool((np.abs(promise.d) <= gtol * sizes).all())
        return short and promise.aside <= gtol * abs(point.loss)


class PenalisedTest(Test):
    """The duality gap of a loss with an l1 term, or if there is none the slope without that term.

    The gap is compared with 1/2 |b|^2, as in the linear models.  The slope, of parameters that are
    not held at 0, is compared with the loss, which gives the cosine of sums of squares.
    """

    sentence = (
        "converged: the duality gap <= gtol / 2 |b|^2, or every |slope_j| <= gtol "
        "sqrt(2 loss H_jj), but for rounding"
    )

    def __init__(self, problem: Problem, point: Point, loss: Penalised) -> None:
        super().__init__(problem, point)
        self.loss = loss
        self.level = loss.smooth.value(np.zeros(loss.n_params)) if loss.provable else 0.0
        self.D = column_squares(
            Problem(loss.smooth, problem.lower, problem.upper),
            Point(point.theta, *loss.parts(point.theta)),
        )

    def ratio(self, previous: Point, point: Point) -> float:
        if self.loss.provable:
            gap = self.loss.gap(point.theta)
            return gap / self.level if self.level > 0 else gap
        slope = largest_slope(self.problem.free_gradient(point), self.D)
        if slope <= self.noise(self.D, point.theta):
            return 0.0
        size = sqrt(2.0 * abs(point.loss))
        return slope / size if size > 0 else inf

    def near(self, point: Point, promise: Promise, gtol: float) -> bool:
        known = self.loss.provable and self.ratio(point, point) <= gtol
        return bool(known or promise.excess <= gtol * abs(point.loss))


def test_of(problem: Problem, point: Point, always: bool) -> Test:
    """Return the test for a loss; ``always``: each step computes the Gauss-Newton matrix."""
    loss = problem.loss
    if isinstance(loss, Penalised):
        squares = isinstance(loss.smooth, LeastSquares) or loss.smooth.is_quadratic
        return PenalisedTest(problem, point, loss) if squares else SmoothTest(problem, point)
    if isinstance(loss, LeastSquares):
        return ResidualTest(problem, point, always)
    if loss.is_quadratic:
        return QuadraticTest(problem, point)
    return SmoothTest(problem, point)


def largest_slope(g: Array, D: Array) -> float:
    """Return the largest |g_j| / sqrt(D_j); infinite if there is a slope without curvature."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = np.abs(g) / np.sqrt(D)
    slopes[g == 0] = 0.0
    slopes[np.isnan(slopes)] = inf
    return float(slopes.max(initial=0.0))


def column_squares(problem: Problem, point: Point) -> Array:
    """Return the diagonal of the Gauss-Newton matrix, or of the Hessian of a quadratic loss.

    For an operator, each column of which costs a product, all elements are set to the curvature
    along the gradient.
    """
    loss, g = problem.loss, point.gradient
    if loss.is_quadratic and not _is_product(loss):
        return np.asarray(loss.hessian_diagonal(point.theta), float).copy()
    if not loss.is_quadratic and isinstance(loss, LeastSquares):
        if loss.has_gauss_newton:
            return np.diagonal(problem.gauss_newton(point.theta)).copy()
        return np.full(g.shape, _along_residuals(loss, point))
    size = length(g)
    unit = g / size if size > 0 else np.full(g.shape, g.size**-0.5)
    return np.full(g.shape, float(loss.curvature(point.theta, unit)))


def _is_product(loss: Loss) -> bool:
    return isinstance(getattr(loss, "A", getattr(loss, "B", None)), Product)


def _along_residuals(loss: LeastSquares, point: Point) -> float:
    """2 c |J u|^2 along the gradient's unit vector u, the loss being c |e|^2."""
    e = np.asarray(loss.residuals(point.theta), float).ravel()
    size, square = length(point.gradient), float(e.dot(e))
    if not (size > 0 and square > 0):
        return 0.0
    Ju = np.asarray(loss.jvp(point.theta, point.gradient / size), float).ravel()
    return 2.0 * point.loss / square * float(Ju.dot(Ju))
