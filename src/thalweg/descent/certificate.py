r"""Proof by its curvature that a point with a small gradient is a minimum.

The Hessian H of the free parameters, scaled to a unit diagonal, and its eigenvalues give

    the sign of the smallest eigenvalue     if it is negative the point is a saddle or a maximum
    g' H^-1 g / 2                           the decrease that Newton's step promises
    d = -H^-1 g                             that step

So a flat direction, along which a small slope leads a long way down, is noticed; the gradient alone
does not tell.

For small problems H itself is made, from the loss or from differences of its gradient.  For large
ones the method of Lanczos makes products with it, beginning at the gradient for the promised
decrease, and at a random vector for the ends of the spectrum.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import all_finite
from ..linalg.krylov import NotFiniteError, lanczos
from ..losses.base import LeastSquares
from ..optimizers.base import Point, Problem, length

# The first four sizes keep a proof cheaper than the descent before it; other values of each were
# not measured.
_MOST_EXACT = 256  # up to so many parameters H is decomposed, which takes 7 ms
_MOST_DIFFERENCES = 32  # the same if H is made of differences of the gradient
_PRODUCTS = 16  # products with H for the promised decrease, where H is not decomposed
_MORE = 8  # products with H that look for negative curvature, from a random vector
_HALF_THE_DIGITS = float(np.sqrt(np.finfo(float).eps))  # relative move of theta in a difference
_DIFFERENCED = 1e-5  # the relative error that a Hessian of differences may have
_FLAT = 1e-10  # a direction is flat if its scaled eigenvalue is below this share of the largest
_STEPS = (1e-3, 1e-2)  # relative sizes of the steps that look for lower points on flat ground


class Look(NamedTuple):
    """What the curvature at a point says.

    Attributes
    ----------
    excess : float
        The decrease that Newton's step promises.
    aside : float
        The part of ``excess`` that is along flat directions.
    d : ndarray, shape (P,)
        Newton's step without its part along flat directions.
    smallest : float
        The smallest eigenvalue of the scaled Hessian if it is negative beyond rounding, else 0.
    downhill : ndarray, shape (P,), or None
        A direction along which the loss curves downwards, if there is one.
    flat : ndarray, shape (P, k)
        Directions without curvature.
    """

    excess: float
    aside: float
    d: Array
    smallest: float
    downhill: Array | None
    flat: Array


def look(problem: Problem, point: Point, D: Array | None, sizes: Array) -> Look | None:
    """Return what the curvature at a point says; None if it is not finite.

    Parameters
    ----------
    problem : Problem
    point : Point
    D : ndarray, shape (P,), or None
        The diagonal of the Gauss-Newton matrix of a sum of squares.  The Hessian is scaled by the
        larger of the two diagonals, for its own may vanish where residuals bend the loss.
    sizes : ndarray, shape (P,)
        Sizes of the parameters, by which differences move them.
    """
    loss = problem.loss
    free = np.flatnonzero(problem.free(point)) if problem.bounded else np.arange(loss.n_params)
    if not free.size:
        return Look(0.0, 0.0, np.zeros(loss.n_params), 0.0, None, np.zeros((loss.n_params, 0)))
    H, noise = _matrix(problem, point, free, sizes)
    if H is None:
        return _by_products(problem, point, free, sizes)
    if not all_finite(H):
        return None
    diagonal = np.abs(np.diagonal(H))
    if D is not None:
        diagonal = np.maximum(diagonal, D[free])
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(H / scale / scale[:, None])
    return _looked(point, free, values, vectors, scale, noise, _is_bowl(problem))


def _is_bowl(problem: Problem) -> bool:
    """Whether the loss is known to curve downwards nowhere."""
    return problem.loss.is_quadratic and isinstance(problem.loss, LeastSquares)


def _looked(
    point: Point,
    free: Array,
    values: Array,
    vectors: Array,
    scale: Array,
    noise: float,
    bowl: bool,
) -> Look:
    P = point.theta.size
    along = vectors.T @ (point.gradient[free] / scale)
    top = float(np.abs(values).max())
    cut = values.size * float(np.finfo(float).eps) * top
    sizes = np.maximum(np.abs(values), cut) if top > 0 else np.ones_like(values)
    with np.errstate(over="ignore"):
        parts = 0.5 * along * (along / sizes)
    curved = np.abs(values) > max(_FLAT, noise) * top
    d = np.zeros(P)
    d[free] = -(vectors[:, curved] @ (along[curved] / values[curved])) / scale
    negative = not bowl and values[0] < -noise * top
    flat = np.zeros((P, int((~curved).sum())))
    flat[free] = vectors[:, ~curved] / scale[:, None]
    downhill = np.zeros(P) if negative else None
    if downhill is not None:
        downhill[free] = vectors[:, 0] / scale
    aside = float(parts[~curved].sum())
    smallest = float(values[0]) if negative else 0.0
    return Look(float(parts.sum()), aside, d, smallest, downhill, flat)


def _matrix(
    problem: Problem, point: Point, free: Array, sizes: Array
) -> tuple[Array | None, float]:
    """H of the free parameters and its relative error; None instead of H if it costs too much."""
    loss, P = problem.loss, problem.loss.n_params
    exact = sqrt(loss.precision)
    if P > _MOST_EXACT:
        return None, exact
    if loss.has_hessian:
        H = np.asarray(loss.hessian(point.theta), float)
        return H[np.ix_(free, free)], exact
    if P > _MOST_DIFFERENCES:
        return None, _DIFFERENCED
    columns = [_difference(problem, point, unit, sizes) for unit in np.eye(P)[free]]
    H = np.array(columns)[:, free]
    return (H + H.T) / 2, _DIFFERENCED


def _difference(problem: Problem, point: Point, d: Array, sizes: Array) -> Array:
    """H d by the difference of two gradients, at points that differ in half the digits of theta."""
    used = d != 0
    size = np.maximum(np.abs(point.theta), _HALF_THE_DIGITS * sizes)
    size = np.where(size > 0, size, 1.0)
    h = _HALF_THE_DIGITS * float(np.min(size[used] / np.abs(d[used]), initial=np.inf))
    if not h < np.inf:
        return np.zeros_like(d)
    slope: Array = (problem.loss.gradient(point.theta + h * d) - point.gradient) / h
    return slope


def _by_products(problem: Problem, point: Point, free: Array, sizes: Array) -> Look | None:
    """What `look` returns, from products with H, for a problem that is too large to decompose."""
    loss, theta, P = problem.loss, point.theta, problem.loss.n_params
    exact = loss.has_hessian
    noise = sqrt(loss.precision) if exact else _DIFFERENCED

    def product(v: Array) -> Array:
        whole = np.zeros(P)
        whole[free] = v
        if exact:
            return np.asarray(loss.hessian_vector(theta, whole), float)[free]
        return _difference(problem, point, whole, sizes)[free]

    g = point.gradient[free]
    bowl, seen = _is_bowl(problem), None
    starts = [(g, _PRODUCTS)] if length(g) > 0 else []
    if not bowl or not starts:
        starts.append((np.random.default_rng(0).standard_normal(free.size), _MORE))
    for start, most in starts:
        try:
            found = lanczos(product, start / length(start), most=most)
        except NotFiniteError:
            return None
        ones = np.ones(free.size)
        new = _looked(point, free, found.values, found.vectors, ones, noise, bowl)
        seen = new if seen is None or new.downhill is not None else seen
    assert seen is not None
    return seen._replace(flat=np.zeros((P, 0)))  # few products show no flat directions


def lower_point(problem: Problem, point: Point, found: Look, sizes: Array) -> bool:
    """Return whether a short step along a flat direction leads lower.

    Then the point is no minimum, as for x^3 at 0, where gradient and curvature are both 0.
    """
    level = point.loss - 64.0 * problem.loss.precision * abs(point.loss)
    for d in found.flat.T:
        size = np.where(sizes > 0, sizes, 1.0)
        d = d / np.abs(d / size).max()
        for share in (*_STEPS, *(-s for s in _STEPS)):
            theta = problem.inside(point.theta + share * d)
            if problem.loss.value(theta) < level:
                return True
    return False
