"""Names of axes and coordinates that y came with: those of xarray, pandas and polars.

A `DataArray` names its axes and has coordinates; a `DataFrame` has an index and columns.  None of
these libraries is imported here: an object is known by its attributes.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import did_you_mean


class Labels(NamedTuple):
    """Names of axes, in their order, and coordinates by name: the axes of each and its values.

    An axis with a MultiIndex has no coordinate of its name; ``levels`` names the coordinates along
    it that are the levels.
    """

    dims: tuple[str, ...]
    coords: dict[str, tuple[tuple[str, ...], Array]]
    levels: dict[str, tuple[str, ...]] = {}  # noqa: RUF012  # never changed

    def without(self, axes: Sequence[int]) -> Labels:
        """Return the labels of the other axes, with the coordinates that vary along these only."""
        dims = tuple(d for k, d in enumerate(self.dims) if k not in axes)
        coords = {n: (d, v) for n, (d, v) in self.coords.items() if set(d) <= set(dims)}
        return Labels(dims, coords, self._levels_of(dims))

    def _levels_of(self, dims: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        return {d: names for d, names in self.levels.items() if d in dims}

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
        dims = tuple(d for d in self.dims if d not in gone)
        return Labels(dims, coords, self._levels_of(dims))


def labels_of(y: Any) -> Labels | None:
    """Return the names of all axes of y and its coordinates; None if it has none."""
    if isinstance(y, np.ndarray):
        return None
    dims = getattr(y, "dims", None)
    if isinstance(dims, tuple) and hasattr(y, "coords"):
        return _of_xarray(y)
    if np.ndim(y) == 2 and hasattr(y, "columns"):  # pandas; in polars only columns have names
        return _of_sides([getattr(y, "index", None), y.columns])
    return None


def _of_xarray(y: Any) -> Labels:
    levels = {}
    for dim, index in getattr(y, "xindexes", {}).items():
        names = getattr(getattr(index, "index", None), "names", ())
        if dim in y.dims and len(names) > 1:
            levels[str(dim)] = tuple(map(str, names))
    coords = {str(n): (tuple(map(str, c.dims)), c) for n, c in y.coords.items()}
    arrays = {n: (d, np.asarray(c)) for n, (d, c) in coords.items() if n not in levels}
    return Labels(tuple(map(str, y.dims)), arrays, levels)


def _of_sides(sides: Sequence[Any]) -> Labels:
    """The labels of rows and columns of a DataFrame; None where these have none."""
    names = [getattr(side, "name", None) for side in sides]
    dims = tuple(f"dim_{k}" if n is None else str(n) for k, n in enumerate(names))
    if dims[0] == dims[1]:
        dims = ("dim_0", "dim_1")
    coords: dict[str, tuple[tuple[str, ...], Array]] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for dim, side in zip(dims, sides, strict=True):
        if getattr(side, "nlevels", 1) > 1:
            own = _level_names(dim, side.names, {*dims, *coords})
            levels[dim] = own
            coords |= {n: ((dim,), np.asarray(side.get_level_values(k))) for k, n in enumerate(own)}
        elif side is not None:
            coords[dim] = ((dim,), np.asarray(side))
    return Labels(dims, coords, levels)


def _level_names(dim: str, names: Sequence[Any], taken: Container[str]) -> tuple[str, ...]:
    """Names of the levels of an index, which name nothing else; numbers where they have none."""
    texts = ["" if name is None else str(name) for name in names]
    return tuple(
        f"{dim}_{k}"
        if not text or texts.count(text) > 1
        else f"{dim}_{text}"
        if text in taken
        else text
        for k, text in enumerate(texts)
    )


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
