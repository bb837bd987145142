"""The options of a fit that may have a value for each data set: p0, bounds, fixed and f_scale.

Users write them in several forms: numbers, arrays, a dict by the names of parameters, a pair of
sides.  Who cuts a batch into parts has to cut what stands inside these forms; the forms are known
here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._arguments.check import Array

# put(value, own, name) returns what takes the place of a value, which has ``own`` axes behind those
# of the batch if it is one for each data set; ``name`` is what messages call it.
Put = Callable[[Any, int, str], Any]


def with_each(options: Mapping[str, Any], put: Put) -> dict[str, Any]:
    """Return p0, bounds, fixed and f_scale of ``options`` with ``put`` called for each value."""
    return {
        "p0": _by_name_or_row(options["p0"], "p0", put),
        "bounds": _bounds(options["bounds"], put),
        "fixed": _by_name_or_row(options["fixed"], "fixed", put),
        "f_scale": put(options["f_scale"], 0, "f_scale"),
    }


def rows_of_options(options: Mapping[str, Any], places: Array, n_fits: int) -> dict[str, Any]:
    """Return the options of `thalweg.fit` for the fits at these places, (n,), of a batch (B,).

    Raises
    ------
    ValueError
        An option has a row for each fit, and not B of them.
    """

    def picked(value: Any, own: int, name: str) -> Any:
        if value is None or isinstance(value, str) or np.ndim(value) <= own:
            return value
        array = np.asanyarray(value)
        if len(array) != n_fits:
            raise ValueError(
                f"{name} has the shape {array.shape}, but there are B={n_fits} data sets"
            )
        return array[places]

    return {**options, **with_each(options, picked)}


def _by_name_or_row(value: Any, name: str, put: Put) -> Any:
    if isinstance(value, Mapping):
        return {key: put(v, 0, f"{name}[{key!r}]") for key, v in value.items()}
    return put(value, 1, name)


def _bounds(bounds: Any, put: Put) -> Any:
    """Bounds as a pair of sides or by name; what is neither is left to be refused."""
    if isinstance(bounds, Mapping):
        return {name: _pair(pair, 0, f"bounds of {name}", put) for name, pair in bounds.items()}
    if not (hasattr(bounds, "lb") and hasattr(bounds, "ub")):
        return _pair(bounds, 1, "bounds", put)
    sides = tuple(b[0] if np.shape(b) == (1,) else b for b in (bounds.lb, bounds.ub))
    put_in = _pair(sides, 1, "bounds", put)
    return bounds if put_in is sides else put_in


def _pair(pair: Any, own: int, name: str, put: Put) -> Any:
    """A pair of sides; the same object where all data sets share both sides."""
    if not hasattr(pair, "__len__") or len(pair) != 2:
        return pair
    given = tuple(pair)
    sides = tuple(put(side, own, name) for side in given)
    same = all(side is one for side, one in zip(sides, given, strict=True))
    return pair if same else sides
