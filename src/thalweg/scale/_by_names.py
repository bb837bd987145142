"""A fit whose data, coordinates and starts are found by names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..fitting.fit import fit
from ..model import as_model
from ._cut import data_of, is_lazy
from ._named import Named, coordinate_of, variables_of


def fitted(
    array: Any,
    model: Any,
    dims: tuple[Any, Any],
    coords: Any,
    independent: Any,
    given: Any,
    options: Any,
) -> tuple[Named, Any]:
    """Return a DataArray by names and the result of its fits, which is lazy if an array is.

    ``dims`` are the dimensions of the points and that of the outputs, as users give them, and
    ``given`` holds the arguments p0, bounds, fixed, sigma, mask and f_scale as users give them.
    """
    if options.get("out") is not None:
        raise ValueError(
            "thalweg.fit(model, x, array, axis=dim, out=path) fits a DataArray into a store"
        )
    found = None if coords is None else [coordinate_of(array, c) for c in as_list(coords)]
    named = Named(array, _dims(array, dims[0], found), dims[1])
    if found is None:
        found, independent = variables_of(model, independent, named)
    x = tuple(named.coordinate(c) for c in found)
    known = as_model(model, independent).names
    arguments = {name: named.by_name(given[name], name, known) for name in _BY_NAME}
    arguments |= {name: named.of_points(given[name], name) for name in ("sigma", "mask")}
    arguments["f_scale"] = named.of_fits(given["f_scale"], "f_scale")
    axes = tuple(range(-len(named.dims), 0))
    arguments |= {"independent": independent, "axis": axes, **options}
    result = run(model, x[0] if len(x) == 1 else x, named.y.data, **arguments)
    if len(result.chi2.shape) != len(named.batch):
        raise ValueError(
            "outputs= must name the dimension along which the outputs of the model lie, and be "
            "left out where it has one output"
        )
    return named, result


_BY_NAME = ("p0", "bounds", "fixed")


def run(model: Any, x: Any, y: Any, **arguments: Any) -> Any:
    """Fit in memory or, if an array is lazy, lazily."""
    if not _any_lazy((x, y, *arguments.values())):
        return fit(model, x, y, **arguments)
    from .dask import fit as lazily

    return lazily(model, x, y, **arguments)


def _any_lazy(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_any_lazy, value.values()))
    if isinstance(value, tuple | list):
        return any(map(_any_lazy, value))
    return is_lazy(data_of(value))


def as_list(names: Any) -> list[Any]:
    """Return one name, or DataArray, or several as a list."""
    several = isinstance(names, list | tuple | set | frozenset)
    return list(names) if several else [names]


def _dims(array: Any, dim: Any, coords: list[Any] | None) -> list[Hashable]:
    """Return the dimensions of the points: those that are named, or those of the coordinates."""
    if dim is not None:
        return as_list(dim)
    if coords is not None:
        return [d for d in array.dims if any(d in c.dims for c in coords)]
    if array.ndim == 1:
        return [*array.dims]
    raise ValueError(
        "dim must name the dimensions of the points of a fit, of those of the data: "
        f"{', '.join(map(str, array.dims))}"
    )
