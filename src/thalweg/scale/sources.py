"""Arguments of a fit that are read piece by piece, from wherever they are.

A source is anything with a shape that gives arrays when it is indexed by slices: a NumPy array, in
memory or mapped from a file, a dataset of h5py, an array of zarr, a DataArray of xarray.  Of each
argument it is found out once which of its axes count the data sets; a `Sliced` then reads the part
that belongs to a piece of the batch.  All parts have one more axis of length 1 in front, so that no
part of y can be taken for an array of some other meaning that happens to have its shape.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array, shapes
from .._arguments.columns import columns_of
from .._arguments.masked import is_masked_array
from .._arguments.pieces import contiguous
from ..fitting.labels import Labels, numbered, ordered
from ..fitting.layout import Layout, point_axes
from ..fitting.own_options import with_each

Region = tuple[slice, ...]  # a piece of the batch: a slice for each of its axes


def in_words(region: Region) -> str:
    """Return a region as it stands in an index: ``"0:64, 128:192"``."""
    return ", ".join(f"{part.start}:{part.stop}" for part in region)


@dataclass(frozen=True, eq=False)
class Sliced:
    """An argument with a part for every data set.

    Attributes
    ----------
    source : array-like
        What is read.
    axes : tuple of int or None
        For each axis of the source the axis of the batch that it is; None for an axis of points or
        parameters, and for one of length 1 along which all data sets have the same.
    order : tuple of int
        The axes of the source, those of the batch first.
    """

    source: Any
    axes: tuple[int | None, ...]
    order: tuple[int, ...]

    def read(self, region: Region) -> Array:
        """Return the part of a piece, shape (1, ..., own), contiguous; it may be a view.

        An axis along which all data sets have the same keeps its length of 1.  What lies in a
        mapped file is in memory when this returns, so that no fit has to wait for it.
        """
        mapped = _mapped(self.source)
        if mapped is not None:
            _give_back(*mapped)
        part = self.source[tuple(slice(None) if k is None else region[k] for k in self.axes)]
        if is_masked_array(part):
            return np.asanyarray(part.transpose(self.order)[None])
        array: Array = np.asarray(part).transpose(self.order)[None]
        if not (array.flags.c_contiguous and array.flags.aligned):
            return contiguous(array)
        if mapped is not None:
            _touch(array)
        return array

    def row_bytes(self, layout: Layout) -> int:
        """Return how many bytes one data set has."""
        own = [n for n, k in zip(self.source.shape, self.axes, strict=True) if k is None]
        return int(prod(own) * np.dtype(self.source.dtype).itemsize)

    def described(self) -> str:
        """Return in words what it is, without its values."""
        return f"one for each data set, {np.dtype(self.source.dtype)} {tuple(self.source.shape)}"


def _give_back(file: mmap.mmap, mode: str) -> None:
    """Give back the pages of a mapped file, which count as memory of the process as long as it has.

    Who reads them again gets them again.  Those of a private map (mode "c") hold what the user has
    written there, and stay.
    """
    if mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def _touch(array: Array) -> None:
    """Read a byte of every page of a contiguous array."""
    array.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max(initial=0)


def _mapped(source: Any) -> tuple[mmap.mmap, str] | None:
    """The mapped file that a source is a view of, and its mode; None if it is in memory."""
    while isinstance(source, np.ndarray):
        file = getattr(source, "_mmap", None)
        if isinstance(source, np.memmap) and isinstance(file, mmap.mmap):
            return file, source.mode
        source = source.base
    return None


# ---- which axes count the data sets -------------------------------------------------------------


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an argument; lists have one, too."""
    return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)


def spread(n: int, most: int) -> Array:
    """Return at most so many of the numbers 0 ... n - 1, evenly spread, first and last included."""
    places = np.linspace(0, n - 1, min(most, n)).round().astype(np.int64)
    return places[np.diff(places, prepend=-1) > 0]


def as_source(value: Any) -> Any:
    """Return an argument as something that has a shape and a type and can be indexed."""
    if hasattr(value, "iloc") or not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return np.ma.asarray(value) if is_masked_array(value) else np.asarray(value)
    return value


def layout_of(x: Any, y: Any, axis: Any, labels: Labels | None = None) -> Layout:
    """Return which axes of y, which may have names, hold the points and which count the data sets.

    Raises
    ------
    ValueError
        y has no such axes, or is one data set alone.
    """
    form, variables = _variables(x, y)
    axes = point_axes(variables, y, numbered(axis, labels), form)
    layout = Layout(
        axes,
        tuple(n for k, n in enumerate(y.shape) if k not in axes),
        tuple(y.shape[k] for k in axes),
    )
    refuse_no_batch(layout)
    return layout


def refuse_no_batch(layout: Layout) -> None:
    """Refuse data that are one data set alone, or none."""
    if not layout.batch:
        raise ValueError(
            f"out= is for a batch of data sets, and y of shape {layout.shape} is a single one"
        )
    if not prod(layout.batch):
        raise ValueError(f"y of shape {layout.shape} holds no data sets")


def _variables(x: Any, y: Any) -> tuple[str, list[Any]]:
    """The form of x, "one" or "several" variables, and these; y is that of one output.

    Only the shapes of all are needed.
    """
    columns = columns_of(x)
    if columns is not None:
        return "several", [as_source(v) for v in columns.values()]
    if isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 0):
        return "several", [as_source(v) for v in x]
    array = as_source(x)
    if array.ndim == 2 and array.shape != y.shape and tuple(array.shape[1:]) == y.shape[-1:]:
        return "several", list(np.asarray(array))
    return "one", [array]


def points_part(value: Any, layout: Layout, name: str, outputs: bool = False) -> Any:
    """Return a value for each point as it is if all data sets share it, else as `Sliced`.

    With ``outputs`` the first axis of the points is that of a model's outputs.

    Raises
    ------
    ValueError
        It has neither the shape of the points nor that of y.
    """
    if value is None:
        return None
    shape, y_shape, n_batch = shape_of(value), layout.shape, len(layout.batch)
    if shape in ((), layout.points, (prod(layout.points),)):
        return value
    if outputs and len(shape) <= len(layout.points):  # it is the same for all outputs or points
        return value
    if len(shape) == len(y_shape) and all(n in (1, m) for n, m in zip(shape, y_shape, strict=True)):
        of_batch = [k for k in range(len(shape)) if k not in layout.axes]
        axes = tuple(
            of_batch.index(k) if k in of_batch and shape[k] == y_shape[k] else None
            for k in range(len(shape))
        )
        return Sliced(as_source(value), axes, (*of_batch, *layout.axes))
    if shape == (*layout.batch, prod(layout.points)):
        return Sliced(as_source(value), (*range(n_batch), None), tuple(range(n_batch + 1)))
    words = shapes("N", prod(layout.points), layout.batch)
    raise ValueError(f"{name} must have shape {words}, got {shape}")


def fits_part(value: Any, own: int, name: str, layout: Layout) -> Any:
    """Return a value of each data set, with ``own`` axes of its own behind the batch's.

    A value that all data sets share is returned as it is.

    Raises
    ------
    ValueError
        It has more axes than the batch and its own, or others.
    """
    if value is None or isinstance(value, str):
        return value
    shape, batch = shape_of(value), layout.batch
    if len(shape) <= own:
        return value
    if shape[: len(batch)] == batch and len(shape) == len(batch) + own:
        axes = (*range(len(batch)), *(None,) * own)
        return Sliced(as_source(value), axes, tuple(range(len(shape))))
    wanted = ", ".join(map(str, batch)) + (", P" if own else "")
    shared = "(P,)" if own else "()"
    raise ValueError(f"{name} must have shape {shared} or ({wanted}), got {shape}")


# ---- the arguments of a fit ---------------------------------------------------------------------


def _of_x(x: Any, layout: Layout) -> Any:
    columns = columns_of(x)
    if columns is not None:
        parts = {k: points_part(v, layout, f"x[{k!r}]") for k, v in columns.items()}
        return parts if any(isinstance(v, Sliced) for v in parts.values()) else x
    form, _ = _variables(x, np.broadcast_to(0.0, layout.shape))
    if form == "one":
        return points_part(x, layout, "x")
    if isinstance(x, list | tuple):
        return tuple(points_part(v, layout, f"x[{k}]") for k, v in enumerate(x))
    return x


def parted(
    arguments: Mapping[str, Any], layout: Layout, labels: Labels | None, outputs: bool
) -> dict[str, Any]:
    """Return the arguments of `thalweg.fit` with those that differ between data sets as `Sliced`.

    With ``outputs`` the layout is one of `Layout.with_outputs`.

    Raises
    ------
    ValueError
        A shape fits neither the points nor the batch.
    """
    given = dict(arguments)
    for name in ("sigma", "mask"):
        value = given[name] if labels is None else ordered(given[name], labels)
        given[name] = points_part(value, layout, name, outputs)
    of_one = layout.of_one_output() if outputs else layout
    return given | {
        "x": _of_x(given["x"], of_one),
        "y": points_part(given["y"], layout, "y"),
        **with_each(given, partial(fits_part, layout=layout)),
        "axis": tuple(range(-len(of_one.points), 0)),
    }
