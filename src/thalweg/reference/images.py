"""Iterative coordinate descent for images, one pixel at a time.

    F(x) = 1/2 e'We + sum_{s,r} b_sr rho(x_s - x_r) + 1/2 pull ||x - target||^2,    e = y - A x,
    rho(D) = height u^2 / (1 + u^power),    u = |D| / width,    lower <= x_j

csrc/linear/contract.h has the rules, csrc/linear/icd.h derives the update.  Images are arrays with
the axes of their grid.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

TINY = float(np.finfo(float).tiny)
EPS = float(np.finfo(float).eps)
# The distance of a pixel from its minimum is known when a step adds a part in SETTLED to it.
SETTLED, MOST_PARABOLAS = 64, 99


class Prior(NamedTuple):
    """The prior of an image: tw_image_prior of csrc/linear/contract.h.

    A row of ``offset`` has a number for each axis of the grid.
    """

    offset: Array
    weight: Array
    width: float
    height: float
    power: float
    target: Array | None
    pull: float


def neighbours(shape: tuple[int, ...], pixel: tuple[int, ...], offset: Array) -> list[Any]:
    """Return the numbers and places of the neighbours that a pixel has."""
    found = []
    for k, step in enumerate(offset):
        place = tuple(int(a + d) for a, d in zip(pixel, step, strict=True))
        if all(0 <= a < size for a, size in zip(place, shape, strict=True)):
            found.append((k, place))
    return found


def flattening(prior: Prior, u: Any) -> Any:
    """Return t = 1 / (1 + u^power); a u below the normal numbers counts as the least of them."""
    return 1 / (1 + np.maximum(u, TINY) ** prior.power)


def potential(prior: Prior, difference: Any) -> Any:
    """Return ρ(D) of a difference D."""
    u = abs(difference) / prior.width
    return prior.height * u**2 * flattening(prior, u)


def bend(prior: Prior, difference: Any) -> Any:
    """Return k = ρ'(D) / D, the curvature of the parabola that touches ρ at D and lies above it."""
    t = flattening(prior, abs(difference) / prior.width)
    return prior.height / prior.width**2 * t * (2 - prior.power + prior.power * t)


def image_sweep(
    A: Array, w: Array, prior: Prior, lower: float, omega: float, order: Array, x: Array, e: Array
) -> tuple[Array, Array, Array]:
    """Return x and e after an update of each pixel in the order, and how far each had to go."""
    x, e, way = x.copy(), e.copy(), np.zeros(x.size)
    for j in order:
        pixel = tuple(int(i) for i in np.unravel_index(j, x.shape))
        along, square = -A[:, j] @ (w * e), w @ A[:, j] ** 2
        if omega == 0:
            way[j] = _distance(prior, lower, x, pixel, along, square)
            continue
        minimum = _touching(prior, lower, x, pixel, along, square)
        value = max(x[pixel] + omega * (minimum - x[pixel]), lower)
        way[j] = abs(minimum - x[pixel])
        e, x[pixel] = e - A[:, j] * (value - x[pixel]), value
    return x, e, way


def _touching(
    prior: Prior, lower: float, x: Array, pixel: tuple[int, ...], slope: Any, curvature: Any
) -> Any:
    """Return the minimum of the parabola that touches F at x, along one pixel, and lies above it.

    ``slope`` and ``curvature`` are those of the misfit.
    """
    for k, other in neighbours(x.shape, pixel, prior.offset):
        difference = x[pixel] - x[other]
        of = prior.weight[k] * bend(prior, difference)
        slope, curvature = slope + of * difference, curvature + of
    if prior.target is not None:
        slope = slope + prior.pull * (x[pixel] - prior.target[pixel])
        curvature = curvature + prior.pull
    return max(x[pixel] - slope / curvature, lower) if curvature > 0 else x[pixel]


def _distance(
    prior: Prior, lower: float, x: Array, pixel: tuple[int, ...], slope: Any, curvature: Any
) -> float:
    """Return how far a pixel is from its minimum: one parabola after another, until they stay."""
    x, start, step, ratio = x.copy(), x[pixel], 0.0, 0.0
    for k in range(MOST_PARABOLAS):
        moved = slope + curvature * (x[pixel] - start)
        minimum, before = _touching(prior, lower, x, pixel, moved, curvature), step
        step, x[pixel] = minimum - x[pixel], minimum
        ratio = step / before if k else 0.0
        if abs(step) * SETTLED <= abs(minimum - start) or abs(step) <= 4 * EPS * abs(start):
            break
    rest = abs(step) * ratio / (1 - ratio) if 0 < ratio < 1 else 0.0
    return float(abs(x[pixel] - start) + rest)


def image_cost(w: Array, prior: Prior, x: Array, e: Array) -> tuple[float, float]:
    """Return the two parts of F: ½ eᵗWe, and the prior's term of x."""
    penalty = 0.0
    for pixel in product(*map(range, x.shape)):
        for k, other in neighbours(x.shape, pixel, prior.offset):
            # each pair is counted twice, once from either of its pixels
            penalty += prior.weight[k] * potential(prior, x[pixel] - x[other]) / 2
    if prior.target is not None:
        penalty += 0.5 * prior.pull * np.sum((x - prior.target) ** 2)
    return float(0.5 * w @ e**2), float(penalty)
