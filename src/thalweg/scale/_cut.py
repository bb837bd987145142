"""The arguments of a fit, cut along the batch: what each chunk of y needs of them.

Some arrays in x, sigma, mask, p0, bounds, fixed and f_scale are the same for all fits, and others
have an entry for each.  `Cutter` takes the latter, and all arrays of dask, out of an argument, and
leaves a `Place` where each was; `thalweg.scale._parts.filled` puts a chunk's parts there.  So an
argument keeps its form (a dict by name, a pair, a tuple of grids), and `thalweg.fit` reads it in
each chunk as it reads it for data in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.masked import is_masked_array
from .._optional import optional
from ..fitting.layout import Layout
from ..fitting.own_options import with_each

Axes = tuple[int, ...]


class Place(NamedTuple):
    """Stands in an argument for an array of which every chunk gets a part.

    Attributes
    ----------
    number : int
        The place of the array in the list that `Cutter` has collected.
    kind : {"shared", "points", "own"}
        Whether a part is the same for all fits, has the points of each fit, or has other numbers
        of each fit, such as its parameters.
    meaning : {"x", "sigma", "mask", "parameters", "values"}
        What the array holds.
    shape : tuple of int
        The shape of what belongs to one fit.
    """

    number: int
    kind: str
    meaning: str
    shape: tuple[int, ...]


class Cutter:
    """Takes the arrays that differ from fit to fit out of the arguments of a fit.

    The axes of all arrays are named by numbers: those of the batch come first, then those of the
    points, then any others, which no two arrays share.

    Parameters
    ----------
    shape : tuple of int
        The shape of y as the user gave it.
    axes : tuple of int
        Its axes that hold the points.
    chunks : tuple of tuples of int
        The chunks of y along the batch, in order.
    outputs : bool
        Whether the first axis of the points is that of a model's outputs, of which x knows nothing.

    Attributes
    ----------
    arrays : list of pairs
        The arrays of dask that were taken out, and the names of their axes.
    """

    def __init__(
        self, shape: tuple[int, ...], axes: Axes, chunks: tuple[Axes, ...], outputs: bool = False
    ) -> None:
        self.chunks, self.outputs = chunks, int(outputs)
        self.batch = tuple(n for a, n in enumerate(shape) if a not in axes)
        points = tuple(shape[a] for a in axes)
        self.layout = Layout(axes, self.batch, points)
        self.of_one = self.layout.of_one_output() if outputs else self.layout
        self.arrays: list[tuple[Any, Axes]] = []
        self._others = count(len(shape))

    # ---- the arguments ----------------------------------------------------------------------

    def variables(self, x: Any) -> Any:
        """Return x, which is an array, a tuple or a list of several, a dict or a table."""
        if isinstance(x, Mapping):
            return {k: self._points(v, f"x[{k!r}]", "x") for k, v in x.items()}
        if isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 0):
            return tuple(self._points(v, f"x[{k}]", "x") for k, v in enumerate(x))
        x = data_of(x)
        shape, points = self.of_one.shape, self.of_one.points
        rows = np.ndim(x) == 2 and np.shape(x) != shape and np.shape(x)[1:] == points[-1:]
        if rows or hasattr(x, "columns"):  # variables that are the rows of an array, or a table
            return self._whole(x, "x") if is_lazy(x) else x
        return self._points(x, "x", "x")

    def of_points(self, value: Any, name: str) -> Any:
        """Return sigma or a mask."""
        return self._points(value, name, name)

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return p0, bounds, fixed and f_scale, in any form that `thalweg.fit` takes."""
        return with_each(options, self._value)

    # ---- arrays -----------------------------------------------------------------------------

    def _points(self, value: Any, name: str, meaning: str) -> Any:
        value = data_of(value)
        if not is_lazy(value) and np.ndim(value) == 0:
            return value
        layout = self.of_one if meaning == "x" else self.layout
        shape, batch, points = np.shape(value), self.batch, layout.points
        of_some = self.outputs and meaning != "x" and len(shape) <= len(points)
        if of_some or shape in (points, (prod(points),)):
            return self._whole(value, meaning) if is_lazy(value) else value
        if batch and len(shape) == len(layout.shape) and _fits(shape, layout.shape):
            last = range(len(shape) - len(points), len(shape))
            value = optional("dask.array", "this needs").moveaxis(
                self._lazy(value), layout.axes, last
            )
            return self._take(value, "points", meaning, points)
        if batch and shape == (*batch, prod(points)):
            return self._own(value, meaning)
        raise ValueError(
            f"{name} has the shape {shape}: neither that of the points, {points}, nor that of y, "
            f"{layout.shape}"
        )

    def _value(self, value: Any, own: int, name: str) -> Any:
        """Take a value that is one for each fit, or lazy; it has ``own`` axes behind the batch."""
        value, meaning = data_of(value), "parameters" if own else "values"
        if self._has_batch(value, own):
            return self._own(value, meaning)
        return self._whole(value, meaning) if is_lazy(value) else value

    def _has_batch(self, value: Any, more: int) -> bool:
        """Whether an array has the axes of the batch, and so many behind them."""
        n, shape = len(self.batch), np.shape(value) if _is_array(value) else ()
        return n > 0 and len(shape) == n + more and shape[:n] == self.batch

    def _own(self, value: Any, meaning: str) -> Place:
        return self._take(self._lazy(value), "own", meaning, np.shape(value)[len(self.batch) :])

    def _whole(self, value: Any, meaning: str) -> Place:
        """Take an array of which every chunk gets all."""
        labels = tuple(next(self._others) for _ in value.shape)
        self.arrays.append((value.rechunk(-1) if value.ndim else value, labels))
        return Place(len(self.arrays) - 1, "shared", meaning, value.shape)

    def _take(self, value: Any, kind: str, meaning: str, shape: tuple[int, ...]) -> Place:
        """Take an array that begins with the axes of the batch, in the chunks of y."""
        n = len(self.batch)
        skipped = n + self.outputs * (meaning == "x")  # x has no axis of outputs
        labels = tuple(range(n)) + tuple(
            skipped + k if kind == "points" else next(self._others) for k in range(value.ndim - n)
        )
        along = {k: c if value.shape[k] != 1 else 1 for k, c in enumerate(self.chunks)}
        whole = {k: -1 for k in range(n, value.ndim)}
        self.arrays.append((value.rechunk({**along, **whole}), labels))
        return Place(len(self.arrays) - 1, kind, meaning, shape)

    def _lazy(self, value: Any) -> Any:
        return value if is_lazy(value) else optional("dask.array", "this needs").asarray(value)


def is_lazy(value: Any) -> bool:
    """Whether a value is an array of dask; a DataArray is none, but may hold one."""
    of_dask = hasattr(value, "__dask_graph__") and hasattr(value, "chunks")
    return of_dask and hasattr(value, "dtype") and not hasattr(value, "dims")


def data_of(value: Any) -> Any:
    """Return the array of dask inside a DataArray; other values unchanged."""
    inner = value.data if hasattr(value, "dims") and hasattr(value, "data") else None
    return inner if is_lazy(inner) else value


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    return all(n in (1, m) for n, m in zip(shape, whole, strict=True))


# ---- in a chunk --------------------------------------------------------------------------------


def part(place: Place, parts: Sequence[Array], batch: tuple[int, ...]) -> Array:
    """Return what a chunk of this batch puts at a place, the batch as the shape (1, n).

    With two axes of the batch no array is taken for another one whose shape it has by chance.
    """
    array = parts[place.number]
    if place.kind == "shared":
        return array
    if place.kind == "points" and array.shape != (*batch, *place.shape):
        array = _spread(array, (*batch, *place.shape))
    return array.reshape(1, prod(batch), *place.shape)


def _spread(array: Array, shape: tuple[int, ...]) -> Array:
    """Return an array, which may be masked, repeated along axes of one element."""
    if is_masked_array(array):
        masks = np.broadcast_to(np.ma.getmaskarray(array), shape)
        return np.ma.MaskedArray(np.broadcast_to(array.data, shape), masks)
    return np.broadcast_to(array, shape)


def of_no_fit(place: Place, arrays: Sequence[tuple[Any, Axes]]) -> Array:
    """Return what stands at a place for a batch without fits, whose arguments are checked.

    Values that are not known before dask computes them are stood in for: x by numbers from 1 to
    2, and what all fits share by what no fit has.
    """
    dtype, n = arrays[place.number][0].dtype, prod(place.shape)
    if place.kind == "shared" and place.meaning in ("x", "sigma", "mask"):
        first = 0 if place.meaning == "mask" else 1
        last = 2 if place.meaning == "x" else first
        return np.linspace(first, last, n).reshape(place.shape).astype(dtype)
    return np.empty((1, 0, *place.shape), dtype)
