"""The bounds of a fit's parameters and their start: given, guessed, or of no account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite, prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.bounds import read_bounds, refuse_empty
from .._arguments.casts import exact_type, narrowed_bounds, narrowed_starts
from .._arguments.check import Array, PerFit, by_name, name_index, numbers, per_fit, stack
from .._arguments.pieces import contiguous
from ..model import ModelInfo
from .data import Data

_ROWS = frozenset([tuple, list, np.ndarray])
_FLOAT64, _FLOATS = np.dtype(np.float64), frozenset([float])


class Box(NamedTuple):
    """The bounds of a `Problem`, and whether there are any."""

    lower: PerFit
    upper: PerFit
    bounded: bool


def box_of(bounds: Any, names: Sequence[str], batch: tuple[int, ...], dtype: Any) -> Box:
    """The bounds that users give, for all fits or for each."""
    P = len(names)
    sides = read_bounds(bounds, P, names, np.float64)
    low, high = sides
    if all(side.shape in ((), (P,), (*batch, P)) for side in sides):  # `per_fit` refuses others
        low, high = narrowed_bounds(low, high, names, dtype)
    lower = per_fit(low, "lower bounds", "P", P, batch, dtype)
    upper = per_fit(high, "upper bounds", "P", P, batch, dtype)
    if lower.step != upper.step:
        lower, upper = (_every_fit(row, batch) for row in (lower, upper))
    if not lower.step:
        refuse_empty(lower.array, upper.array, names)
    bounded = not (np.all(lower.array == -np.inf) and np.all(upper.array == np.inf))
    return Box(lower, upper, bounded)  # a NaN counts as a bound, and becomes the status of its fit


@lru_cache(maxsize=64)
def everywhere(n_params: int, dtype: np.dtype[Any]) -> Box:
    """The infinite bounds of P parameters that have none."""
    sides = np.full((2, n_params), [[-np.inf], [np.inf]], dtype)
    sides.flags.writeable = False
    return Box(PerFit(sides[0], 0), PerFit(sides[1], 0), False)


def _every_fit(row: PerFit, batch: tuple[int, ...]) -> PerFit:
    if row.step:
        return row
    return PerFit(np.tile(row.array, (prod(batch), 1)), 1)


def start_of(
    model: ModelInfo,
    data: Data,
    p0: Any,
    values: Mapping[str, Any],
    names: Sequence[str],
    box: Box,
    dtype: Any,
    may_lack: bool = False,
) -> PerFit:
    """The start of every fit: given, by name or by place, or guessed from the data.

    With ``may_lack`` a mapping need not name every parameter; the others start at 0, which their
    bounds may not allow yet (`elimination`).
    """
    if type(p0) in _ROWS and not values:  # the usual case
        return refuse_outside(_given_start(p0, data, names, dtype), box, names)
    if p0 is None and set(values) != set(names):
        start = PerFit(_guess(model, data, names), 1)
        inside = np.clip(start.array, box.lower.array, box.upper.array)
        start = PerFit(np.where(np.isnan(inside), start.array, inside).astype(dtype), 1)
    elif isinstance(p0, Mapping) or p0 is None:
        known = {**(p0 or {}), **values}
        columns = by_name(known, names, "p0", 0.0 if may_lack else None)
        given = stack(columns, "p0", names, np.float64)
        start = _given_start(given, data, names, dtype)
        return start if may_lack else refuse_outside(start, box, names)
    else:
        start = _given_start(p0, data, names, dtype)
        if not values:
            return refuse_outside(start, box, names)
    array = start.array.copy() if start.step else _every_fit(start, data.batch).array
    for name, value in values.items():
        value = numbers(value, f"fixed[{name!r}]", dtype)
        if value.shape not in ((), data.batch):
            raise ValueError(f"fixed[{name!r}] must be a number or have the batch's shape")
        array[:, name_index(name, names, "fixed")] = value.reshape(-1)
    return PerFit(contiguous(array), 1)


def _given_start(p0: Any, data: Data, names: Sequence[str], dtype: Any) -> PerFit:
    if type(p0) in (tuple, list) and _FLOATS.issuperset(map(type, p0)):  # what needs no check
        if dtype is _FLOAT64 and len(p0) == len(names):
            return PerFit(np.array(p0), 0)
    start = per_fit(p0, "p0", "P", len(names), data.batch, exact_type(p0, dtype))
    array = narrowed_starts(start.array, names, dtype)
    return start if array is start.array else PerFit(array, start.step)


def _guess(model: ModelInfo, data: Data, names: Sequence[str]) -> Array:
    if model.guess is None:
        raise ValueError(
            f"p0 is needed: give a start for {', '.join(names)}; with linear='auto', those in "
            "which the model is linear need none"
        )
    y: Array = data.y
    x = [row.array for row in data.x]
    if data.use is not None:  # a point that is left out may hold anything, in x too
        used = data.use.array != 0
        y = np.where(used, y, np.nan)
        x = [np.where(used if v.ndim == used.ndim else used.any(0), v, np.nan) for v in x]
    if data.sigma is not None and np.isinf(data.sigma.array).any():
        y = np.where(np.isinf(data.sigma.array), np.nan, y)
    guess: Array = np.asarray(model.guess(x[0] if len(x) == 1 else tuple(x), y))
    every = model.names or ()
    guess = guess.reshape(data.n_fits, len(every))
    return guess if len(names) == len(every) else guess[:, [every.index(n) for n in names]]


def refuse_outside(start: PerFit, box: Box, names: Sequence[str]) -> PerFit:
    """Return the start; raise ValueError if all fits share it and bounds that it is outside of."""
    if not start.step and not box.lower.step:
        p, low, high = start.array, box.lower.array, box.upper.array
        if not box.bounded and all(map(isfinite, p.tolist())):
            return start
        wrong = ~((low <= p) & (p <= high) & (np.abs(p) < np.inf))
        if wrong.any():
            j = int(np.argmax(wrong))
            raise ValueError(
                f"p0 of {names[j]} must be finite and inside its bounds: "
                f"{p[j]} is not in [{low[j]}, {high[j]}]"
            )
    return start
