r"""Proof that a point with a small gradient is a minimum: one look at its curvature.

With the Hessian H of the free parameters, scaled to a unit diagonal, and its eigenvalues

    no eigenvalue is negative           else the point is a saddle or a maximum
    g' H^-1 g / 2                       the decrease that Newton's step promises: Newton's decrement
    d = -H^-1 g                         that step

so a flat direction along which the loss has still far to go is noticed, which the gradient alone
does not tell: there a small slope goes a long way.

Small problems get H itself, from the loss or from differences of its gradient; large ones the
products with it that Lanczos asks for, begun at the gradient for the decrement and at a random
vector for the ends of the spectrum.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array, all_finite
from ..linalg.krylov import NotFiniteError, lanczos
from ..losses.base import LeastSquares
from ..optimizers.base import Point, Problem, length

_MOST_EXACT = 256  # parameters up to which H is decomposed
_MOST_DIFFERENCES = 32  # the same, where each of its columns costs two gradients
_PRODUCTS = 16  # with H, where it is not decomposed: a claim costs about as much as as many steps
_MORE = 8  # from a random vector, whether anything curves downwards
_HALF_THE_DIGITS = float(np.sqrt(np.finfo(float).eps))  # of theta: what a difference moves
_DIFFERENCED = 1e-5  # relative error that is granted to a differenced Hessian, with room
_FLAT = 1e-10  # scaled eigenvalue below which a direction is flat: its step is not counted
_STEPS = (1e-3, 1e-2)  # relative sizes of the steps that look for lower points on flat ground


class Look(NamedTuple):
    """What the curvature says of a point.

    Attributes
    ----------
    excess : float
        The decrease that Newton's step promises.
    aside : float
        The part of it along flat directions.
    d : ndarray, shape (P,)
        Newton's step without its part along flat directions.
    smallest : float
        The smallest eigenvalue of the scaled Hessian; 0 where it cannot be negative.
    downhill : ndarray, shape (P,), or None
        Along it the loss curves downwards.
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
    """Look at the curvature of a point; None where it is not finite.

    Parameters
    ----------
    problem : Problem
    point : Point
    D : ndarray, shape (P,), or None
        The Gauss-Newton diagonal, by which a sum of squares is scaled: where residuals bend the
        loss, the Hessian's own may vanish.
    sizes : ndarray, shape (P,)
        Of the parameters, for differences.
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
    """H of the free parameters and its relative error; None where it would cost too much."""
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
    """H d by the difference of two gradients, half the digits of theta apart."""
    used = d != 0
    size = np.maximum(np.abs(point.theta), _HALF_THE_DIGITS * sizes)
    size = np.where(size > 0, size, 1.0)
    h = _HALF_THE_DIGITS * float(np.min(size[used] / np.abs(d[used]), initial=np.inf))
    if not h < np.inf:
        return np.zeros_like(d)
    slope: Array = (problem.loss.gradient(point.theta + h * d) - point.gradient) / h
    return slope


def _by_products(problem: Problem, point: Point, free: Array, sizes: Array) -> Look | None:
    """The same from products with H, of a problem that is too large to decompose."""
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
    return seen._replace(flat=np.zeros((P, 0)))  # what few products leave out is not known flat


def lower_point(problem: Problem, point: Point, found: Look, sizes: Array) -> bool:
    """Return whether a short step along flat ground leads lower: no minimum, though nothing bends.

    Where the curvature is 0 the gradient's zero may be that of x^3.
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
