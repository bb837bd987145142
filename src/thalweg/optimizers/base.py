"""What every method of descent has: frozen settings, and a step from one point to the next.

`minimize` owns the loop; a method owns its step, which reads like its pseudo-code:

    state = method.prepare(problem, point)      is called once; the state is the method's memory
    point = method.step(problem, point, state)  is called again and again

A method never decides that it has converged.  One that cannot go on raises `Halt` with the reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._showing import settings
from ..losses.base import Loss

_LEAST_SQUARE = 1e-280  # in a smaller sum of squares the squares may have lost digits


class Point(NamedTuple):
    """A point of a descent, with loss, gradient and the step size that led there.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> from thalweg.optimizers import Problem
    >>> loss = tw.QuadraticLoss([[2.0]])
    >>> point = Problem(loss, np.array([-1.0]), np.array([1.0])).at(np.array([0.5]))
    >>> point.loss, point.gradient
    (0.5, array([2.]))
    """

    theta: Array
    loss: float
    gradient: Array
    step_size: float = np.nan


class Problem:
    """A loss within bounds, which a method evaluates at points of its choice.

    Attributes
    ----------
    loss : Loss
    lower, upper : ndarray, shape (P,)
    bounded : bool
        Whether any bound is finite.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> from thalweg.optimizers import Problem
    >>> problem = Problem(tw.QuadraticLoss([[2.0]]), np.array([-1.0]), np.array([1.0]))
    >>> point = problem.at(np.array([0.5]))
    >>> problem.move(point.theta, 1.0, point.gradient).theta
    array([1.])
    """

    __slots__ = ("_evaluate", "_known", "bounded", "loss", "lower", "upper")

    def __init__(self, loss: Loss, lower: Array, upper: Array) -> None:
        self.loss = loss
        self.lower, self.upper = lower, upper
        self.bounded = bool((lower > -np.inf).any() or (upper < np.inf).any())
        self._evaluate = loss.value_and_gradient
        self._known: tuple[Array, Array] | None = None

    def at(self, theta: Array, step_size: float = np.nan) -> Point:
        """Return the point at ``theta``."""
        return Point(theta, *self._evaluate(theta), step_size)

    def move(self, theta: Array, alpha: float, d: Array, step_size: float | None = None) -> Point:
        """Return the point at theta + alpha d, projected on the bounds.

        Its step size is ``step_size``, or alpha if that is None.
        """
        theta = theta + alpha * d
        if self.bounded:
            theta = self.inside(theta)
        return Point(theta, *self._evaluate(theta), alpha if step_size is None else step_size)

    def gauss_newton(self, theta: Array) -> Array:
        """Return the Gauss-Newton matrix, shape (P, P); the matrix at the last theta is kept."""
        if self._known is None or self._known[0] is not theta:
            self._known = theta, self.loss.gauss_newton(theta)
        return self._known[1]

    def inside(self, theta: Array) -> Array:
        """Return the nearest point within the bounds."""
        if not self.bounded:
            return theta
        return np.minimum(np.maximum(theta, self.lower), self.upper)

    def free(self, point: Point) -> Array:
        """Return which parameters can go downhill without leaving the bounds, shape (P,)."""
        g, theta = point.gradient, point.theta
        return ~(((theta <= self.lower) & (g > 0)) | ((theta >= self.upper) & (g < 0)))

    def free_gradient(self, point: Point) -> Array:
        """Return the gradient, shape (P,), with 0 for parameters that a bound stops."""
        return np.where(self.free(point), point.gradient, 0.0) if self.bounded else point.gradient


@dataclass(frozen=True, repr=False)
class Method(ABC):
    """Settings of a method of descent.

    Attributes
    ----------
    bounds : bool
        Whether the method keeps within bounds.
    growth : float
        The method has diverged when the loss exceeds this many times its start.
    computes_gauss_newton : bool
        Whether every step computes the Gauss-Newton matrix, so that tests may use it at no cost.

    Examples
    --------
    >>> import thalweg as tw
    >>> method = tw.GradientDescent(step_size=0.1)
    >>> method.name, method.bounds
    ('GradientDescent', True)
    """

    bounds: ClassVar[bool] = False
    computes_gauss_newton: ClassVar[bool] = False
    growth: ClassVar[float] = 1e3

    def problem(self, loss: Loss, lower: Array, upper: Array) -> Problem:
        """Return the problem to solve: the loss within bounds, with what the method adds to it."""
        return Problem(loss, lower, upper)

    @abstractmethod
    def prepare(self, problem: Problem, point: Point) -> Any:
        """Return the state, in which the steps keep what they remember.

        Raises
        ------
        ValueError
            The method cannot serve this loss, with the reason.
        """

    @abstractmethod
    def step(self, problem: Problem, point: Point, state: Any) -> Point:
        """Return the next point.

        Raises
        ------
        Halt
            There is no next point, with the reason.
        """

    def patience(self, n_params: int) -> int:
        """Return how many consecutive steps must be small before that says anything."""
        return 1

    def blame(self, problem: Problem, point: Point, state: Any) -> str:
        """Return why the method diverged and what would have worked; empty if it cannot tell."""
        return ""

    def __repr__(self) -> str:
        return settings(self)

    @property
    def name(self) -> str:
        """The name of the method in messages."""
        return type(self).__name__


def length(v: Array) -> float:
    """Return ||v||, also where the squares of its elements leave the range of numbers."""
    with np.errstate(over="ignore", under="ignore"):
        square = float(v.dot(v))
    if _LEAST_SQUARE < square < np.inf:
        return sqrt(square)
    top = float(np.abs(v).max(initial=0.0))
    if not 0 < top < np.inf:
        return top
    v = v / top
    return top * sqrt(float(v.dot(v)))
