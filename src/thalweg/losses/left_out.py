"""Which values are left out of a loss, decided in one place before anything is checked.

A value is left out where it is masked, where its weight is masked, or where its weight is 0.  A
value that is left out may be anything, NaN and infinity too; it is replaced by 0 with weight 0.
All other values must be finite, and weights neither negative nor infinite.

Arrays of `numpy.ma` carry masks; so do lists that hold `numpy.ma.masked`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array, left_out, numbers, refuse_lazy
from .._arguments.pieces import usual
from .callables import by_row, to_numpy

FLOAT64 = np.dtype(np.float64)
ELEMENTS = (FLOAT64, np.dtype(np.float32))


def read(value: Any, name: str) -> tuple[Array, Array | None]:
    """Return data as float64 or float32, without a copy if they are, and where they are masked."""
    value, mask = left_out(value)
    refuse_lazy(value, name)
    array = usual(to_numpy(value))
    if array.dtype not in ELEMENTS or not (array.dtype.isnative and array.flags.aligned):
        array = numbers(array, name, FLOAT64)
    return array, mask


def settled(
    values: Array,
    masked: Array | None,
    weights: Array | None,
    missing: Array | None,
    name: str,
    unit: str = "sample",
) -> tuple[Array, Array | None]:
    """Return values and weights: finite numbers, weight 0 where a value is left out.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, M)
    masked : ndarray of bool, of the shape of values or (n,), or None
    weights : ndarray, shape (n,) or (n, M), or None
        Shape (n,) for one weight per row.
    missing : ndarray of bool, of the shape of weights, or None
        Where the weights are masked.
    name, unit : str
        The names of the values and of a row of them in messages.

    Raises
    ------
    ValueError
        A value that is used is not finite, or a weight is negative, NaN or infinite.
    """
    if weights is not None:
        weights = _checked(weights, missing, unit)
    if masked is not None and masked.any():
        weights = _without(values, masked, weights)
    if weights is not None and not usable(values).all():
        stray = (by_row(weights, values) == 0) & ~usable(values)
        values = np.where(stray, values.dtype.type(0), values)
    refuse_not_finite(values, name, unit)
    return values, weights


def usable(values: Array) -> Array:
    """Return which values have finite squares: weight 0 times another one's square is NaN."""
    return np.asarray(np.abs(values) <= np.sqrt(np.finfo(values.dtype).max))


def _checked(weights: Array, missing: Array | None, unit: str) -> Array:
    if missing is not None and missing.any():
        weights = np.where(missing, weights.dtype.type(0), weights)
    if (weights < 0).any():
        place = np.unravel_index(int(np.argmax(weights < 0)), weights.shape)
        raise ValueError(f"weights must not be negative, got {weights[place]} at {unit} {place[0]}")
    refuse_not_finite(weights, "weights", unit)
    return weights


def _without(values: Array, masked: Array, weights: Array | None) -> Array:
    """Return weights that are 0 where values are masked, one per row if whole rows are masked."""
    rows = np.asarray(masked if masked.ndim == 1 else masked.all(axis=1))
    if (weights is None or weights.ndim == 1) and (
        masked.ndim == 1 or np.array_equal(masked, np.broadcast_to(rows[:, None], masked.shape))
    ):
        return np.where(rows, 0.0, 1.0 if weights is None else weights)
    full = np.ones(values.shape) if weights is None else by_row(weights, values)
    return np.where(by_row(masked, values), 0.0, full)


def refuse_not_finite(array: Array, name: str, unit: str = "sample") -> None:
    """Refuse NaN and infinity, with the place of the first and the cure."""
    with np.errstate(all="ignore"):
        total = array.sum(dtype=np.float64)  # without a copy; finite if all values are, and small
    if not np.isfinite(total) and not np.isfinite(array).all():
        place = np.unravel_index(int(np.argmin(np.isfinite(array))), array.shape)
        cure = "" if name == "weights" else "; to leave it out, mask it or give it weight 0"
        raise ValueError(f"{name} must be finite, got {array[place]} at {unit} {place[0]}{cure}")
