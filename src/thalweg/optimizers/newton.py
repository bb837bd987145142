r"""Newton's method.

    d = -H^-1 gradient
    theta <- theta + alpha d        alpha = 1, or by a line search

In the coordinates H^(1/2) theta the level lines of the local model are spheres, and their centre is
one step away: the condition number does not matter.  If H is not positive definite, its eigenvalues
are replaced by their absolute values.  Damping adds a share of the diagonal, H + lambda |diag H|.

Reference: Nocedal and Wright, "Numerical Optimization", 2nd edition, sections 3.3 and 3.4.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from .._arguments.check import tolerance
from .._arguments.spelling import spelled
from ..linalg.watch import PASSES, refuse_dense, watched
from ..losses.base import LeastSquares
from ..status import Halt, Status
from .base import Method, Point, Problem
from .dense import newton_direction
from .line_search import USUAL_SEARCH, StrongWolfe, check_search

_FLAT = -1e-10  # a scaled eigenvalue below _FLAT is negative beyond rounding


@spelled
@dataclass(frozen=True, repr=False)
class Newton(Method):
    """Newton's method with the exact Hessian.

    Parameters
    ----------
    damping : float
        lambda >= 0: lambda |diag H| is added to H.
    line_search : StrongWolfe or None
        The line search; with None every step has alpha = 1.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.Newton()).n_iter
    1
    """

    damping: float = 0.0
    _: KW_ONLY
    line_search: StrongWolfe | None = USUAL_SEARCH

    def __post_init__(self) -> None:
        check_search(self.line_search, or_none=True)
        tolerance(self.damping, "damping", 0.0)

    def prepare(self, problem: Problem, point: Point) -> None:
        refuse_dense(problem.loss.n_params, self.name)
        try:
            problem.loss.hessian(point.theta)
        except ValueError as error:
            if problem.loss.has_hessian:
                raise  # the user's method has a mistake
            other = "GaussNewton" if isinstance(problem.loss, LeastSquares) else "LBFGS"
            raise ValueError(f"Newton cannot serve this loss: {error}; {other} can") from None

    def step(self, problem: Problem, point: Point, state: None) -> Point:
        H = problem.loss.hessian(point.theta)
        if self.damping:
            H = H + self.damping * np.diag(np.abs(np.diagonal(H)))
        d, smallest = watched(PASSES * H.size, newton_direction, H, point.gradient)
        if problem.loss.is_quadratic and smallest < _FLAT:
            raise Halt(
                Status.UNBOUNDED, "the loss has no minimum: its Hessian has a negative eigenvalue"
            )
        if problem.loss.is_quadratic or self.line_search is None:
            return problem.move(point.theta, 1.0, d)
        return self.line_search.search(problem, point, d, 1.0)
