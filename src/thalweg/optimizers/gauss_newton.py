r"""The Gauss-Newton method for sums of squared residuals.

    d = -G^-1 gradient,    G = the Gauss-Newton matrix, J'J with the loss' factor
    theta <- theta + alpha d        alpha = 1, or by a line search

G is the Hessian without the residuals' own curvature.  It is never indefinite, is made of first
derivatives, and is exact where the residuals vanish.  If G is singular the shortest d is taken.

Reference: Nocedal and Wright, "Numerical Optimization", 2nd edition, section 10.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .._arguments.spelling import spelled
from ..linalg.watch import PASSES, watched
from .base import Method, Point, Problem
from .dense import gauss_newton_matrix, semidefinite_direction
from .line_search import USUAL_SEARCH, StrongWolfe, check_search


@spelled
@dataclass(frozen=True, repr=False)
class GaussNewton(Method):
    """The Gauss-Newton method with a line search.

    Parameters
    ----------
    line_search : StrongWolfe or None
        The line search; with None every step has alpha = 1.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> def decay(t, a, tau):
    ...     return a * np.exp(-t / tau)
    >>> loss = tw.MSELoss(decay, t, decay(t, 3, 2))
    >>> tw.minimize(loss, [2.5, 1.5], tw.GaussNewton()).theta.round(6)
    array([3., 2.])
    """

    computes_gauss_newton: ClassVar[bool] = True

    line_search: StrongWolfe | None = USUAL_SEARCH

    def __post_init__(self) -> None:
        check_search(self.line_search, or_none=True)

    def prepare(self, problem: Problem, point: Point) -> None:
        gauss_newton_matrix(problem, point, self)

    def step(self, problem: Problem, point: Point, state: None) -> Point:
        G = problem.gauss_newton(point.theta)
        d = watched(PASSES * G.size, semidefinite_direction, G, point.gradient)
        if self.line_search is None:
            return problem.move(point.theta, 1.0, d)
        return self.line_search.search(problem, point, d, 1.0)
