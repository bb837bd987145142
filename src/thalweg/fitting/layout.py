"""Where the points of a batch lie: which axes of y hold them, and arrays as rows of points."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from .._arguments.check import PerFit, per_fit
from .._arguments.pieces import Array, contiguous, copied


def point_axes(
    variables: Sequence[Array], y: Array, axis: int | Sequence[int] | None, form: str
) -> tuple[int, ...]:
    """Return the axes of y along which the points lie, counted from the front.

    Raises
    ------
    ValueError
        y has no such axes, or the axes are given twice.
    """
    if y.ndim == 0:
        raise ValueError("y must have at least one axis of points, got a number")
    if axis == -1 or (axis is None and form == "one"):
        return (y.ndim - 1,)
    if axis is None:
        d = max(1, max((v.ndim for v in variables), default=1))
        d = d if all(v.shape == y.shape[y.ndim - d :] for v in variables) else 1
        axis = tuple(range(-d, 0))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    normal = tuple(int(a) + y.ndim * (a < 0) for a in axes)
    if not normal or len(set(normal)) < len(normal):
        raise ValueError(f"axis must name one axis of y or several different ones, got {axis}")
    for a, given in zip(normal, axes, strict=True):
        if not 0 <= a < y.ndim:
            count = "1 axis" if y.ndim == 1 else f"{y.ndim} axes"
            range_of = "0 or -1" if y.ndim == 1 else f"from {-y.ndim} to {y.ndim - 1}"
            raise ValueError(f"axis {given} is out of range: y has {count}, so axis is {range_of}")
    return normal


def points_last(
    array: Array, axes: tuple[int, ...], name: str
) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """Return the array with its points flattened behind its batch, and the shapes of both."""
    last = tuple(range(array.ndim - len(axes), array.ndim))
    moved = array if axes == last else contiguous(np.moveaxis(array, axes, last))
    batch, points = moved.shape[: last[0]], moved.shape[last[0] :]
    return moved if len(points) == 1 else moved.reshape(*batch, prod(points)), batch, points


class Layout(NamedTuple):
    """The axes of y that hold the points, and the shapes of batch and points."""

    axes: tuple[int, ...]
    batch: tuple[int, ...]
    points: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of y."""
        along = dict(zip(self.axes, self.points, strict=True))
        others = iter(self.batch)
        ndim = len(self.batch) + len(self.points)
        return tuple(along[k] if k in along else next(others) for k in range(ndim))

    def with_outputs(self) -> Layout:
        """Return the layout of a model of K outputs, which lie along the last axis of this batch.

        Its points are those of all outputs, and have the shape (K, ...).
        """
        k = max(a for a in range(len(self.batch) + len(self.points)) if a not in self.axes)
        return Layout((k, *self.axes), self.batch[:-1], (self.batch[-1], *self.points))

    def of_one_output(self) -> Layout:
        """Return the layout that each output has where `with_outputs` has given this one."""
        k, *axes = self.axes
        return Layout(tuple(a - (a > k) for a in axes), self.batch, self.points[1:])

    def rows(self, array: Array, name: str) -> PerFit:
        """Return an array of the shape of the points, or of y, as rows.

        An axis of y along which the array has one element is one along which it is the same.
        """
        if array.shape == self.points:
            return PerFit(array.reshape(-1), 0)
        ndim = len(self.batch) + len(self.points)
        if array.ndim == ndim and self.batch:
            shape = self.shape
            if all(n in (1, m) for n, m in zip(array.shape, shape, strict=True)):
                array = array if array.shape == shape else copied(np.broadcast_to(array, shape))
            array = points_last(array, self.axes, name)[0]
        return per_fit(array, name, "N", prod(self.points), self.batch, array.dtype)
