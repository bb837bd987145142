"""Names of axes and coordinates that y came with: those of xarray, pandas and polars.

A `DataArray` names its axes and has coordinates; a `DataFrame` has an index and columns.  None of
these libraries is imported here: an object is known by its attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import did_you_mean


class Labels(NamedTuple):
    """Names of axes, in their order, and coordinates by name: the axes of each and its values."""

    dims: tuple[str, ...]
    coords: dict[str, tuple[tuple[str, ...], Array]]

    def without(self, axes: Sequence[int]) -> Labels:
        """Return the labels of the other axes, with the coordinates that vary along these only."""
        dims = tuple(d for k, d in enumerate(self.dims) if k not in axes)
        coords = {n: (d, v) for n, (d, v) in self.coords.items() if set(d) <= set(dims)}
        return Labels(dims, coords)

    def along(self, k: int, size: int) -> Array:
        """Return the coordinate of axis k, (size,), or the numbers from 0 if it has none."""
        _, values = self.coords.get(self.dims[k], ((), np.arange(size)))
        return values if values.ndim == 1 else np.arange(size)

    def picked(self, index: Any, batch: tuple[int, ...]) -> Labels | None:
        """Return the labels of ``array[index]``, for an array of the shape ``batch``.

        Coordinates are kept where numbers, slices and at most one list or mask of one axis pick the
        fits, so that the axes stay what they were; else the result has no labels: None.
        """
        parts = list(index) if isinstance(index, tuple) else [index]
        rest = [slice(None)] * (len(batch) - sum(p is not Ellipsis for p in parts))
        at = next((k for k, p in enumerate(parts) if p is Ellipsis), len(parts))
        parts[at : at + 1] = rest
        lists = [k for k, p in enumerate(parts) if not isinstance(p, slice | int | np.integer)]
        if len(lists) > 1 or any(np.ndim(parts[k]) != 1 for k in lists):
            return None
        others = [k for k, p in enumerate(parts) if not isinstance(p, slice)]
        if lists and others[-1] - others[0] >= len(others):
            return None  # NumPy puts the axis of a list first if slices part it from a number
        of = dict(zip(self.dims, parts, strict=True))
        gone = {d for d, p in of.items() if isinstance(p, int | np.integer)}
        coords = {
            name: (tuple(d for d in dims if d not in gone), values[tuple(of[d] for d in dims)])
            for name, (dims, values) in self.coords.items()
        }
        return Labels(tuple(d for d in self.dims if d not in gone), coords)


def labels_of(y: Any) -> Labels | None:
    """Return the names of all axes of y and its coordinates; None if it has none."""
    if isinstance(y, np.ndarray):
        return None
    dims = getattr(y, "dims", None)
    if isinstance(dims, tuple) and hasattr(y, "coords"):
        coords = {str(n): (tuple(map(str, c.dims)), np.asarray(c)) for n, c in y.coords.items()}
        return Labels(tuple(map(str, dims)), coords)
    if np.ndim(y) == 2 and hasattr(y, "columns"):  # pandas; in polars only columns have names
        sides = [getattr(y, "index", None), y.columns]
        names = [getattr(s, "name", None) for s in sides]
        dims = tuple(f"dim_{k}" if n is None else str(n) for k, n in enumerate(names))
        if dims[0] == dims[1]:
            dims = ("dim_0", "dim_1")
        pairs = zip(dims, sides, strict=True)
        return Labels(dims, {d: ((d,), np.asarray(s)) for d, s in pairs if s is not None})
    return None


def numbered(axis: Any, labels: Labels | None) -> Any:
    """Return axes by number where they are given by name.

    Raises
    ------
    ValueError
        y has no axis of that name.
    """
    if isinstance(axis, str):
        return _number(axis, labels)
    if isinstance(axis, list | tuple):
        return tuple(_number(a, labels) if isinstance(a, str) else a for a in axis)
    return axis


def _number(name: str, labels: Labels | None) -> int:
    if labels is None:
        raise ValueError(
            f"axis={name!r} is the name of an axis, and y has no names; give the axis's number, or "
            "y as an xarray.DataArray or a DataFrame"
        )
    if name not in labels.dims:
        hint = did_you_mean(name, labels.dims)
        raise ValueError(f"y has no axis {name!r}, but {', '.join(labels.dims)}{hint}")
    return labels.dims.index(name)


def ordered(value: Any, labels: Labels | None) -> Any:
    """Return sigma or a mask whose axes have the names of y's in the order that y has them."""
    dims = getattr(value, "dims", None)
    if labels is None or not isinstance(dims, tuple) or not hasattr(value, "transpose"):
        return value
    if set(map(str, dims)) == set(labels.dims) and tuple(map(str, dims)) != labels.dims:
        return value.transpose(*sorted(dims, key=lambda d: labels.dims.index(str(d))))
    return value
