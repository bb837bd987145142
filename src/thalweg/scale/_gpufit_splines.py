"""The spline models of Gpufit: a tabulated shape that parameters scale, move and lift.

The shape, such as the measured image of a point, is a piecewise polynomial of degree 3 along each
axis, on intervals of length 1, and user_info holds its coefficients.  On the interval i, j, k

    s(u, v, w) = sum over l, m, n = 0 ... 3 of  c[i, j, k, l, m, n] (u - i)^l (v - j)^m (w - k)^n,

where i is the whole number below u, but the first or the last interval where u lies outside; and
the model is a s(x - x0, y - y0, z - z0) + b.  Several channels have a shape each.  With a phase p
each has three, and s = s0 + cos(p) s1 + sin(p) s2.

A model is recorded as any function is: the coefficients of an interval are looked up in tables at
its number, which no parameter changes but by steps, so that derivatives are those of the powers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from ._gpufit_models import GpufitModel, ModelID

_DEGREE = 3
_MOST = 2**24  # whole numbers below it are told apart in float32, as user_info has them


class Kind(NamedTuple):
    """What tells the spline models apart.

    Attributes
    ----------
    n_axes : int
        1, 2 or 3.
    has_channels : bool
        Whether user_info begins with a number of channels.
    n_shapes : int
        The shapes of each channel: 3 with a phase, else 1.
    """

    n_axes: int
    has_channels: bool = False
    n_shapes: int = 1


SPLINES = {
    ModelID.SPLINE_1D: Kind(1),
    ModelID.SPLINE_2D: Kind(2),
    ModelID.SPLINE_3D: Kind(3),
    ModelID.SPLINE_3D_MULTICHANNEL: Kind(3, has_channels=True),
    ModelID.SPLINE_3D_PHASE_MULTICHANNEL: Kind(3, has_channels=True, n_shapes=3),
}


def spline_model(
    kind: Kind, user_info: Array | None, n_points: int
) -> tuple[GpufitModel, Array | tuple[Array, ...]]:
    """Return a spline model and its independent variables: places along the axes, and channels.

    Parameters
    ----------
    kind : Kind
    user_info : ndarray of float, or None
        As Gpufit reads it: the number of channels if there are any; the numbers of points, but for
        one axis; the numbers of intervals; the coefficients, of which n varies fastest, then m, l,
        k, j, i, the channel and the shape.
    n_points : int
        The points of a data set.

    Raises
    ------
    ValueError
        user_info does not hold a spline of this kind, or one of another number of points.
    """
    n_channels, points, intervals, coefficients = _read(kind, user_info, n_points)
    size = (_DEGREE + 1,) * kind.n_axes
    shapes = coefficients.reshape(kind.n_shapes, n_channels * prod(intervals), *size)
    places = np.indices((n_channels, *points[::-1]), float).reshape(1 + kind.n_axes, -1)
    axes = places[:0:-1]  # the first axis varies fastest
    x = (*axes, places[0]) if kind.has_channels else (*axes,)
    n_params = kind.n_axes + 2 + (kind.n_shapes > 1)
    return GpufitModel(_function(shapes, intervals, kind), n_params), x if len(x) > 1 else x[0]


def _read(
    kind: Kind, user_info: Array | None, n_points: int
) -> tuple[int, tuple[int, ...], tuple[int, ...], Array]:
    """The number of channels, those of points and intervals along the axes, and coefficients."""
    d = kind.n_axes
    n_head = 1 if d == 1 else kind.has_channels + 2 * d
    if user_info is None or user_info.size <= n_head:
        raise ValueError("user_info must hold the intervals and the coefficients of the spline")
    if d == 1 and user_info.size % (_DEGREE + 1) == 2:  # the points of one axis may come before
        user_info = user_info[1:]
    head = user_info[:n_head]
    if not all(1 <= number < _MOST and number == int(number) for number in head.tolist()):
        raise ValueError(
            f"user_info must begin with {n_head} whole numbers from 1 on for this spline, got "
            f"{', '.join(f'{v:g}' for v in head)}"
        )
    numbers = [int(number) for number in head]
    n_channels = numbers.pop(0) if kind.has_channels else 1
    intervals = tuple(numbers[-d:])
    points = (n_points,) if d == 1 else tuple(numbers[:d])
    if n_channels * prod(points) != n_points:
        raise ValueError(
            f"user_info tells of {n_channels * prod(points)} points, and data have {n_points}"
        )
    coefficients = user_info[n_head:]
    wanted = kind.n_shapes * n_channels * prod(intervals) * (_DEGREE + 1) ** d
    if coefficients.size != wanted or not np.isfinite(coefficients).all():
        raise ValueError(
            f"user_info must hold {wanted} finite coefficients for this spline, behind {n_head} "
            f"numbers of points and intervals; got {coefficients.size}"
        )
    return n_channels, points, intervals, coefficients


def _function(shapes: Array, intervals: tuple[int, ...], kind: Kind) -> Callable[..., Any]:
    """The model f(x, amplitude, centre along each axis, offset[, phase])."""
    d = kind.n_axes

    def spline(x: Any, *params: Any) -> Any:
        places = x if d > 1 else (x,)
        amplitude, centres, offset = params[0], params[1 : 1 + d], params[1 + d]
        interval = places[d] if kind.has_channels else 0.0
        within = []
        for place, centre, n in zip(places[:d], centres, intervals, strict=True):
            position = place - centre
            i = np.minimum(np.maximum(np.floor(position), 0.0), n - 1.0)
            interval = interval * n + i
            within.append(position - i)
        values = [_polynomial(shape, interval, within) for shape in shapes]
        if len(values) > 1:
            phase = params[2 + d]
            values[0] = values[0] + np.cos(phase) * values[1] + np.sin(phase) * values[2]
        return amplitude * values[0] + offset

    return spline


def _polynomial(coefficients: Array, interval: Any, within: Sequence[Any]) -> Any:
    """The polynomial of an interval by Horner's rule, coefficients (intervals, 4, ...)."""
    if not within:
        if len(coefficients) == 1:
            return float(coefficients[0])
        return np.interp(interval, np.arange(len(coefficients), dtype=float), coefficients)
    value = _polynomial(coefficients[:, _DEGREE], interval, within[1:])
    for order in range(_DEGREE - 1, -1, -1):
        value = value * within[0] + _polynomial(coefficients[:, order], interval, within[1:])
    return value
