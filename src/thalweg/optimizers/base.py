"""What every method of descent is: frozen settings, and a step from a point to the next.

`minimize` owns the loop; a method owns its step, which reads like its pseudo-code:

    state = method.prepare(problem, point)      once: what the method knows and remembers
    point = method.step(problem, point, state)  again and again

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

_LEAST_SQUARE = 1e-280  # below, squares of components may have lost digits


class Point(NamedTuple):
    """Where a descent is, and by which step size it came there."""

    theta: Array
    loss: float
    gradient: Array
    step_size: float = np.nan


class Problem:
    """A loss within bounds, at the points a method asks for.

    Attributes
    ----------
    loss : Loss
    lower, upper : ndarray, shape (P,)
    bounded : bool
        Whether any bound is finite.
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

        The step size is alpha where no other is given.
        """
        theta = theta + alpha * d
        if self.bounded:
            theta = self.inside(theta)
        return Point(theta, *self._evaluate(theta), alpha if step_size is None else step_size)

    def gauss_newton(self, theta: Array) -> Array:
        """Return the Gauss-Newton matrix, shape (P, P); that of the last theta is kept."""
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
        """Return the gradient with 0 where a bound holds against it, shape (P,)."""
        return np.where(self.free(point), point.gradient, 0.0) if self.bounded else point.gradient


@dataclass(frozen=True, repr=False)
class Method(ABC):
    """Settings of a method of descent.

    Attributes
    ----------
    bounds : bool
        Whether the method keeps within bounds.
    growth : float
        It has diverged when the loss exceeds this many times its start.
    computes_gauss_newton : bool
        Whether every step asks for the Gauss-Newton matrix, so that others may look at it too.
    """

    bounds: ClassVar[bool] = False
    computes_gauss_newton: ClassVar[bool] = False
    growth: ClassVar[float] = 1e3

    def problem(self, loss: Loss, lower: Array, upper: Array) -> Problem:
        """Return the problem to solve: the loss within bounds, with what the method adds to it."""
        return Problem(loss, lower, upper)

    @abstractmethod
    def prepare(self, problem: Problem, point: Point) -> Any:
        """Return the state: what the steps know and remember.

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
            There is none, with the reason.
        """

    def patience(self, n_params: int) -> int:
        """Return how many steps in a row must be small until all of theta has had its turn."""
        return 1

    def blame(self, problem: Problem, point: Point, state: Any) -> str:
        """Return why it diverged and what would have worked; empty where the method cannot tell."""
        return ""

    def __repr__(self) -> str:
        return settings(self)

    @property
    def name(self) -> str:
        """What messages call this method."""
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


def positive(value: Any, name: str) -> float:
    """Return a setting that must be a number > 0.

    Raises
    ------
    ValueError
        It is not.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number > 0, got {value!r}") from None
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be a number > 0, got {value!r}")
    return number
