r"""Conjugate gradients, linear and nonlinear.

    z = M^-1 gradient
    beta = max(0, z_new . (gradient_new - gradient) / (z . gradient))
    d = -z_new + beta d
    alpha = argmin L(theta + alpha d)
    theta <- theta + alpha d

On a quadratic loss beta is that of Hestenes and Stiefel's linear method: directions are conjugate,
d_i' H d_j = 0, and P steps find the minimum but for rounding; the error's H-norm shrinks at least
as 2 ((sqrt kappa - 1) / (sqrt kappa + 1))^k.  On other losses it is the method of Polak and
Ribiere, which begins anew along -z where beta would be negative or d does not go downhill.

Within bounds z is 0 for the parameters that stay where they are (`faces`), and the directions begin
anew whenever these change or a bound has cut a step.

References: Hestenes and Stiefel, J. Res. Natl Bur. Stand. 49 (1952) 409; Nocedal and Wright,
"Numerical Optimization", 2nd edition, sections 5.1 and 5.2; Polyak, USSR Comput. Math. Math. Phys.
9 (4) (1969) 94, for bounds.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import spelled
from ..losses.curvature import Solve
from .base import Method, Point, Problem
from .faces import along_inside, moving
from .gradient_descent import refuse_skewed_bounds
from .line_search import StrongWolfe, along, check_search, first_step
from .precondition import solver

_SEARCH = StrongWolfe(c2=0.1)  # the slope must be flat, because the next direction rests on that


@dataclass(slots=True)
class State:
    """The last direction d, its gradient g and z . g, its gain, and which parameters move."""

    solve: Solve
    d: Array
    g: Array
    zg: float = 0.0
    gain: float | None = None
    moving: Array | None = None


@spelled
@dataclass(frozen=True, repr=False)
class ConjugateGradient(Method):
    r"""Conjugate gradients (Hestenes-Stiefel on quadratic losses, Polak-Ribiere+ elsewhere).

    Parameters
    ----------
    line_search : StrongWolfe
        For losses whose minimum along a line has no closed form; c2 must be small, because the
        next direction rests on a flat slope.
    preconditioner : optional
        See `thalweg.optimizers.precondition`; a diagonal one within bounds.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.ConjugateGradient()).success
    True
    """

    bounds: ClassVar[bool] = True

    line_search: StrongWolfe = _SEARCH
    _: KW_ONLY
    preconditioner: Any = None

    def __post_init__(self) -> None:
        check_search(self.line_search)

    def prepare(self, problem: Problem, point: Point) -> State:
        refuse_skewed_bounds(problem, self)
        solve = solver(self.preconditioner, problem.loss, point.theta)
        return State(solve, 0.0 * point.theta, point.gradient)

    def step(self, problem: Problem, point: Point, state: State) -> Point:
        g = point.gradient
        z = state.solve(g)
        if problem.bounded:
            z = self._on_face(problem, point, state, z)
        beta = max(0.0, float(z.dot(g - state.g)) / state.zg) if state.zg > 0 else 0.0
        d = beta * state.d - z
        if not g.dot(d) < 0:
            d = -z
        slope = float(g.dot(d))
        first = state.gain / slope if state.gain is not None and slope < 0 else first_step(point, d)
        state.d, state.g, state.zg = d, g, float(z.dot(g))
        if problem.bounded:
            return self._inside(problem, point, state, first)
        new = along(problem, point, d, first, self.line_search)
        state.gain = new.step_size * slope
        return new

    def _on_face(self, problem: Problem, point: Point, state: State, z: Array) -> Array:
        """Return z with 0 for parameters that do not move; begin anew if other parameters move."""
        move = moving(problem, point, z)
        if state.moving is None or not np.array_equal(move, state.moving):
            state.zg, state.moving = 0.0, move
        return np.where(move, z, 0.0)

    def _inside(self, problem: Problem, point: Point, state: State, first: float) -> Point:
        new, cut = along_inside(problem, point, state.d, first, self.line_search)
        if cut:
            state.zg = 0.0
        else:
            state.gain = new.step_size * float(point.gradient.dot(state.d))
        return new
