"""A DataArray and what belongs to it, by the names of dimensions and coordinates, as plain arrays.

The dimensions of the batch come first, in the order that the DataArray has them, and then those of
the points, in the order that the user names them.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np

from .._arguments.spelling import did_you_mean
from .._optional import optional
from ..model import as_model
from ..model.formula import parse


class Named:
    """A DataArray whose data sets lie along some of its dimensions.

    Parameters
    ----------
    array : DataArray
    dims : sequence of dimensions
        Those of the points.
    outputs : dimension or None
        The one along which the outputs of a model of several lie.

    Attributes
    ----------
    dims, batch : tuple
        The dimensions of the points and of the batch.
    outputs : tuple
        The dimension of the outputs, if there is one.
    y : DataArray
        The array with its dimensions in this order: ``batch``, ``outputs``, ``dims``.
    coords : Coordinates
        The coordinates that vary along the batch alone.
    """

    def __init__(self, array: Any, dims: Iterable[Hashable], outputs: Any = None) -> None:
        self._given = array
        self.dims, self.outputs = tuple(dims), () if outputs is None else (outputs,)
        own = (*self.outputs, *self.dims)
        for name in own:
            refuse_unknown(name, array.dims, "dimension")
        if len(set(self.dims)) < len(self.dims):
            raise ValueError(f"dim names a dimension twice: {', '.join(map(str, self.dims))}")
        if outputs in self.dims:
            raise ValueError(f"{outputs!r} cannot be the dimension of points and of outputs")
        self.batch = tuple(d for d in array.dims if d not in own)
        self.y = array.transpose(*self.batch, *own)
        others = [n for n, c in array.coords.items() if set(c.dims) & set(own)]
        self.coords = array.coords.to_dataset().drop_vars(others).coords

    # ---- the independent variables ------------------------------------------------------------

    def along(self) -> dict[Hashable, Any]:
        """Return the coordinates that vary along the points alone, and numbers for dims without."""
        wanted = set(self.dims)
        found = {n: c for n, c in self.y.coords.items() if c.dims and set(c.dims) <= wanted}
        return found | {d: self.y[d] for d in self.dims if d not in found}

    def coordinate(self, value: Any) -> Any:
        """Return an independent variable as an array of the shape of the points, or of one output.

        An array without names has the shape of the DataArray as it was, or of the points.
        """
        if self.outputs and self.outputs[0] in getattr(value, "dims", ()):
            raise ValueError(f"the coordinate {value.name!r} differs between the outputs")
        wanted = (self.dims, (*self.batch, *self.dims))
        return self._of_points(value, f"the coordinate {value.name!r}", wanted)

    def of_points(self, value: Any, name: str) -> Any:
        """Return sigma or a mask as an array of the shape of the points, or of y.

        An array without names has the shape of the DataArray as it was, or of the points.
        """
        wanted = (self.dims, (*self.outputs, *self.dims), self.y.dims)
        return self._of_points(value, name, wanted)

    def _of_points(self, value: Any, name: str, wanted: tuple[tuple[Hashable, ...], ...]) -> Any:
        """A value for each point, along the first of the wanted dimensions that has its own."""
        xr = optional("xarray", "this needs")
        if not hasattr(value, "dims"):
            if np.ndim(value) and np.shape(value) == self._given.shape:
                value = xr.DataArray(value, dims=self._given.dims)
            else:
                return value
        stray = [d for d in value.dims if d not in self.y.dims]
        if stray:
            raise ValueError(
                f"{name} has the dimension {stray[0]!r}, which the data do not have; they have "
                f"{', '.join(map(str, self._given.dims))}"
            )
        dims = next(dims for dims in wanted if set(value.dims) <= set(dims))
        return self._like(value, dims, name)

    def of_fits(self, value: Any, name: str) -> Any:
        """Return a number of each fit, such as a start, as an array of the batch's shape."""
        if not hasattr(value, "dims") or not value.dims:
            return value.data[()] if hasattr(value, "dims") else value
        stray = [d for d in value.dims if d not in self.batch]
        if stray:
            raise ValueError(
                f"{name} has the dimension {stray[0]!r}; it may vary along "
                f"{', '.join(map(str, self.batch)) or 'no dimension'} alone"
            )
        return self._like(value, self.batch, name)

    def _like(
        self, value: Any, dims: tuple[Hashable, ...], name: str, own: tuple[Hashable, ...] = ()
    ) -> Any:
        """The data of a DataArray along these dimensions of y, in this order, and then its own."""
        xr = optional("xarray", "this needs")
        shape = tuple(self.y.sizes[d] for d in dims)
        coords = {d: self.y[d].variable for d in dims if d in self.y.coords}
        frame = xr.DataArray(np.broadcast_to(np.int8(0), shape), coords, dims)
        try:
            value, _ = xr.align(value, frame, join="exact", copy=False)
        except ValueError as error:
            raise ValueError(f"{name} does not have the data's coordinates: {error}") from None
        if set(value.dims) != {*dims, *own}:
            value = value.broadcast_like(frame)
        return value.transpose(*dims, *own).data

    # ---- the parameters -----------------------------------------------------------------------

    def by_name(self, value: Any, what: str, known: Iterable[str] | None = None) -> Any:
        """Return numbers or DataArrays, in a dict or for all parameters, as numbers or arrays.

        In a Dataset, such as the result of another fit, the variables named in ``known`` count.
        """
        if hasattr(value, "dims") and not isinstance(value, Mapping):
            return self._of_parameters(value, what, known)
        if isinstance(value, tuple | list):
            return type(value)(
                self._of_parameters(v, what, known) if hasattr(v, "dims") else v for v in value
            )
        if not isinstance(value, Mapping):
            return value
        names = [n for n in known or value if n in value] if hasattr(value, "dims") else value
        return {n: self._entry(value[n], f"{what}[{n!r}]") for n in names}

    def _of_parameters(self, value: Any, what: str, known: Iterable[str] | None) -> Any:
        """A DataArray with a dimension for the parameters, which comes last, (..., P).

        If that has texts for coordinates they are the names of the parameters.
        """
        own = tuple(d for d in value.dims if d not in self.batch)
        if len(own) != 1:
            given = ", ".join(map(str, value.dims)) or "none"
            raise ValueError(
                f"{what} needs one dimension for the parameters beside those of the fits, "
                f"{', '.join(map(str, self.batch)) or 'none'}, and has {given}; or give it "
                f"by name, {what}={{name: DataArray}}"
            )
        if known is not None and own[0] in value.coords and value[own[0]].dtype.kind in "OUT":
            for name in known:
                if name not in value[own[0]].values:
                    raise ValueError(f"{what} has no {name!r} along its dimension {own[0]!r}")
            value = value.sel({own[0]: list(known)})
        return self._like(value, self.batch if len(value.dims) > 1 else (), what, own)

    def _entry(self, value: Any, name: str) -> Any:
        if isinstance(value, tuple | list):
            return tuple(self.of_fits(v, name) for v in value)
        return self.of_fits(value, name)


def variables_of(model: Any, independent: Any, named: Named) -> tuple[Any, Any]:
    """Return the coordinates that a model's independent variables are, and these variables' names.

    A variable with the name of a coordinate along the points is that coordinate; variables without
    such names are the dimensions of the points in their order.  The names are needed for formulas
    alone.
    """
    along = named.along()
    if isinstance(model, str) and independent is None and not model.isidentifier():
        independent = _read(model, along)
    names = as_model(model, independent).independent or _first(model)
    if all(n in along for n in names) and names:
        return [along[n] for n in names], independent
    return [named.y[d] for d in named.dims], independent


def _read(text: str, along: Mapping[Hashable, Any]) -> tuple[str, ...] | None:
    """The coordinates that a formula reads by name; None if it reads none."""
    return tuple(str(n) for n in along if _occurs(str(n), text)) or None


def _occurs(name: str, text: str) -> bool:
    try:
        parse(text, name)  # which refuses a variable that does not occur
    except ValueError:
        return False
    return True


def _first(function: Any) -> tuple[str, ...]:
    """The name of a function's first argument."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()
    return tuple(parameters)[:1]


def coordinate_of(array: Any, name: Any) -> Any:
    """Return a coordinate of a DataArray by its name; a DataArray is one already."""
    if hasattr(name, "dims"):
        return name
    refuse_unknown(name, [*array.dims, *array.coords], "coordinate")
    return array[name]


def refuse_unknown(name: Any, known: Iterable[Hashable], what: str) -> None:
    known = list(dict.fromkeys(known))
    if name not in known:
        hint = did_you_mean(str(name), list(map(str, known)))
        raise ValueError(
            f"the data have no {what} {name!r}, but {', '.join(map(str, known)) or 'none'}{hint}"
        )
