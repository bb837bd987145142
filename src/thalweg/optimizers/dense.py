"""Directions from a matrix: H d = -gradient, with H of any definiteness and any scale.

Parameters may have any units, so H is scaled to a unit diagonal first, and eigenvalues are compared
in that scale.
"""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from ..linalg.watch import refuse_dense, watched
from ..losses.base import LeastSquares
from ..losses.curvature import extreme_curvatures, refuse_indefinite
from ..status import Halt, Status
from .base import Method, Point, Problem

_EPS = float(np.finfo(float).eps)


def scales(H: Array) -> Array:
    """Return the square roots of the absolute diagonal, with 1 in place of 0."""
    d = np.sqrt(np.abs(np.diagonal(H)))
    return np.where(d > 0, d, 1.0)


def gauss_newton_matrix(problem: Problem, point: Point, method: Method) -> Array:
    """Return the Gauss-Newton matrix at the start.

    Raises
    ------
    ValueError
        The loss has none, or it is the Hessian of a quadratic loss without a minimum.
    """
    loss = problem.loss
    refuse_dense(loss.n_params, method.name)
    try:
        G = problem.gauss_newton(point.theta)
    except ValueError as error:
        if loss.has_gauss_newton:
            raise  # the user's method has a mistake
        raise ValueError(f"{method.name} cannot serve this loss: {error}") from None
    if loss.is_quadratic and not isinstance(loss, LeastSquares) and not problem.bounded:
        refuse_indefinite(extreme_curvatures(loss, point.theta))
    return G


def semidefinite_direction(H: Array, g: Array) -> Array:
    """Return -H^+ g for a non-negative definite H, the shortest minimiser of the quadratic model.

    The part of g along directions without curvature is left out.
    """
    D = scales(H)
    d, flat = _semidefinite(H / D / D[:, None], g / D)
    d = d / D
    if flat.size:  # take the shortest of all d + flat t, in the units of theta
        flat = flat / D[:, None]
        d = d - flat @ np.linalg.lstsq(flat, d, rcond=None)[0]
    return d


def shortest_step(scaled: Array, g: Array) -> Array:
    """Return -H^+ g for a non-negative definite H of unit diagonal.

    The part of g along directions without curvature is left out.
    """
    return _semidefinite(scaled, g)[0]


def _semidefinite(scaled: Array, g: Array) -> tuple[Array, Array]:
    """-H^+ g and the directions without curvature, as columns."""
    d = _by_cholesky(scaled, g)
    if d is not None:
        return d, np.zeros((len(g), 0))
    values, vectors = _eigen(scaled)
    keep = values > len(g) * _EPS * values.max(initial=0.0)
    Q = vectors[:, keep]
    return -Q @ ((Q.T @ g) / values[keep]), vectors[:, ~keep]


def newton_direction(H: Array, g: Array) -> tuple[Array, float]:
    """Return a direction of descent, and the smallest eigenvalue of the scaled H (1 if definite).

    If H is positive definite the direction is -H^-1 g.  Otherwise each eigenvalue is replaced by
    its absolute value, so that the direction leads away from a saddle instead of towards it.
    """
    D = scales(H)
    scaled = H / D / D[:, None]
    d = _by_cholesky(scaled, g / D)
    if d is not None:
        return d / D, 1.0
    values, vectors = _eigen(scaled)
    sizes = np.abs(values)
    floor = len(g) * _EPS * sizes.max(initial=0.0)
    along = vectors.T @ (g / D)
    # along flat directions the step is the slope itself, which is 0 where g has no part in them
    share = np.where(sizes > floor, along / np.maximum(sizes, floor or 1.0), along)
    return -(vectors @ share) / D, float(values[0])


def _by_cholesky(scaled: Array, g: Array) -> Array | None:
    """-H^-1 g if H is positive definite beyond rounding, else None."""
    try:
        L = watched(len(g) ** 3 / 3, np.linalg.cholesky, scaled)
        if not np.diagonal(L).min(initial=1.0) > np.sqrt(len(g) * _EPS):
            return None
        d: Array = -watched(2 * len(g) ** 3 / 3, np.linalg.solve, scaled, g)
    except np.linalg.LinAlgError:
        return None
    return d


def _eigen(scaled: Array) -> tuple[Array, Array]:
    if not np.isfinite(scaled).all():
        raise Halt(Status.NOT_FINITE, "the Hessian is not finite")
    values, vectors = watched(9.0 * len(scaled) ** 3, np.linalg.eigh, scaled)
    return values, vectors
