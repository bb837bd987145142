"""Whether float32 can hold what was given in float64: distinct values must stay distinct.

A number of float32 has 24 binary digits.  So an abscissa near 1.6e9 seconds moves in steps of 128
seconds, and a signal of size 1 on a floor of 1e8 disappears.  No fit could notice, so such a cast
is refused.  Once a start is subtracted, which loses nothing, the same data fit into float32.

Steps must be at least SHORTEST units in the last place: rounding to the nearest then moves no value
by more than 1/128 of a step.  Differences of up to ROUNDING in relative size come from float64
arithmetic, such as 0.1 + 0.2 - 0.3, and do not make values distinct.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .check import Array, PerFit

_FLOAT64 = np.dtype(np.float64)
SHORTEST = 64  # how many units in the last place of float32 a step must have
ROUNDING = 64 * float(np.finfo(np.float64).eps)
ALIKE = 2.0**-27  # starts that differ by less than this relative size, 1/8 of a unit, count as one
_FAR = 4  # a row of x is far from 0 if it is _FAR times as far from it as it is long
_CHUNK = 2**16  # values that are looked at at a time: 512 KiB, which stay in the second cache
_SMALLEST, _LARGEST = (
    float(getattr(np.finfo(np.float32), side)) for side in ("smallest_normal", "max")
)


def exact_type(value: Any, dtype: Any) -> Any:
    """Return the type in which to keep a value until it is known which of its points are used."""
    given = getattr(value, "dtype", None)
    if given is dtype:  # NumPy has one object for each of its types
        return dtype
    if isinstance(given, np.dtype) and np.can_cast(given, dtype, "safe"):
        return dtype
    return _FLOAT64


def narrowed(rows: Array, dtype: Any, name: str, use: PerFit | None) -> Array:
    """Return rows (N,) or (B, N) in ``dtype``.

    Parameters
    ----------
    rows : ndarray
        x or y, exact.
    dtype : dtype
        float64 or float32.
    name : str
        The name in the error; of "y" only the range of a row must be resolved by float32.
    use : PerFit or None
        Which points count.

    Raises
    ------
    ValueError
        In most rows float32 merges distinct values, or leaves less than SHORTEST units between.
    """
    if rows.dtype == dtype:
        return rows
    with np.errstate(over="ignore"):
        cast: Array = rows.astype(dtype)
    if dtype == np.float32 and rows.size:
        _refuse(rows, name, use)
    return cast


def narrowed_starts(starts: Array, names: Sequence[str], dtype: Any) -> Array:
    """Return starts (P,) or (B, P) in ``dtype``, unless float32 merges those of a parameter.

    Starts that differ in their last digits only, as results of similar fits do, may merge.

    Raises
    ------
    ValueError
        Distinct starts of a parameter lie within SHORTEST units of float32.
    """
    if starts.dtype == dtype:
        return starts
    if dtype == np.float32 and starts.ndim == 2:
        for name, column in zip(names, starts.T, strict=True):
            if len(column) and np.ptp(column) > ALIKE * np.max(np.abs(column)):
                refuse_merged(column[None], f"p0 of {name}")
    with np.errstate(over="ignore"):
        return starts.astype(dtype, copy=False)


def narrowed_bounds(
    lower: Array, upper: Array, names: Sequence[str], dtype: Any
) -> tuple[Array, Array]:
    """Return bounds, each (), (P,) or (..., P), in ``dtype``, unless float32 merges them.

    Raises
    ------
    ValueError
        Distinct bounds of a parameter lie within SHORTEST units of float32.
    """
    if dtype == np.float32 and lower.dtype != dtype:
        sides = np.broadcast_arrays(lower, upper, np.zeros(len(names)))[:2]
        both = np.stack(sides, axis=-1).reshape(-1, len(names), 2)
        for j, name in enumerate(names):
            rows = both[:, j]
            refuse_merged(rows[np.isfinite(rows).all(axis=1)], f"bounds of {name}")
    with np.errstate(over="ignore"):
        return lower.astype(dtype, copy=False), upper.astype(dtype, copy=False)


def refuse_merged(rows: Array, name: str) -> None:
    """Raise ValueError if most rows (R, n) of float64 lie within SHORTEST units of float32."""
    if rows.size:
        lost = _lost(rows, is_x=False)
        if 2 * np.count_nonzero(lost) > len(rows):
            raise ValueError(_sentence(name, float(np.max(np.abs(rows[int(np.argmax(lost))])))))


def _refuse(rows: Array, name: str, use: PerFit | None) -> None:
    table = rows.reshape(-1, rows.shape[-1])
    used = None if use is None else use.array.reshape(-1, rows.shape[-1]) != 0
    if used is not None and len(table) == 1:
        used = used.any(0, keepdims=True)
    refuse_lost([table], name, len(table), used)


def refuse_lost(tables: Iterable[Array], name: str, n_rows: int, used: Array | None = None) -> None:
    """Raise ValueError if float32 merges distinct values in at least half of all rows.

    Parameters
    ----------
    tables : iterable of ndarray
        Each holds rows of one length, float64; NaN does not count.
    name : str
        The name in the error; of "y" only the range of a row must be resolved.
    n_rows : int
        How many rows the tables have together.
    used : ndarray of bool, optional
        Which elements of the only table count, (N,), (1, N) or of its shape.
    """
    lost, n_lost = None, 0
    for table in tables:
        step = max(1, _CHUNK // max(1, table.shape[-1]))
        for first in range(0, len(table) if table.size else 0, step):
            part = slice(first, first + step)
            values = table[part]
            if used is not None:
                values = np.where(used[part] if len(used) > 1 else used, values, np.nan)
            bad = _lost(values, is_x=name != "y")
            n_lost += int(np.count_nonzero(bad))
            if lost is None and bad.any():
                lost = values[int(np.argmax(bad))]
    if lost is not None and 2 * n_lost >= n_rows:
        raise ValueError(_sentence(name, float(np.fmax.reduce(np.abs(lost)))))


def _sentence(name: str, size: float) -> str:
    if not _SMALLEST <= size <= _LARGEST:
        return (
            f"{name} near {size:.3g} does not fit into float32, which holds {_SMALLEST:.3g} to "
            f"{_LARGEST:.3g}; measure it in another unit, or use dtype=float64"
        )
    return (
        f"{name} near {size:.9g} does not fit into float32, which moves there in steps of "
        f"{np.spacing(np.float32(size)):.3g}: distinct values would merge; "
        "subtract a start, or use dtype=float64"
    )


def _lost(rows: Array, is_x: bool) -> Array:
    """For each row, whether float32 loses the differences within it; NaN does not count."""
    with np.errstate(all="ignore"):
        low, high = np.fmin.reduce(rows, axis=1), np.fmax.reduce(rows, axis=1)
        size, span = np.maximum(np.abs(low), np.abs(high)), high - low
        unit = np.spacing(size.astype(np.float32)).astype(float)
        lost: Array = (span > ROUNDING * size) & (span < SHORTEST * unit)
        lost |= (size > _LARGEST) & (size < np.inf)
        if not is_x:
            return lost
        far = (size >= _FAR * span) & (span > ROUNDING * size) & ~lost
        if far.any():
            lost[far] = _merges(rows[far], size[far], unit[far])
        apart = np.abs(np.diff(rows, axis=1))
        gone = (np.diff(rows.astype(np.float32), axis=1) == 0) & (apart > ROUNDING * size[:, None])
        moves = np.count_nonzero(apart > ROUNDING * size[:, None], axis=1)
        lost |= (moves > 0) & (2 * np.count_nonzero(gone, axis=1) > moves)
        return lost


def _merges(rows: Array, size: Array, unit: Array) -> Array:
    """For each row far from 0, whether values of it merge or most of its steps are too short."""
    steps = np.diff(np.sort(rows, axis=1), axis=1)  # NaN is sorted to the end
    distinct = steps > ROUNDING * size[:, None]
    merged = np.diff(np.sort(rows.astype(np.float32), axis=1), axis=1) == 0
    short = distinct & (steps < SHORTEST * unit[:, None])
    most = 2 * np.count_nonzero(short, axis=1) > np.count_nonzero(distinct, axis=1)
    lost: Array = (distinct & merged).any(axis=1) | most
    return lost
