"""Copies, fillings and searches of large arrays, in pieces, so that Ctrl-C is heard in between.

Python answers a signal between two calls of NumPy only, and one call on some gigabytes takes
seconds.  Small arrays are one piece: they cost one comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, isnan, prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# Elements of a piece: 32 MiB of float64, which take about 20 ms to copy into memory that the
# operating system has yet to give, a tenth of the time within which Ctrl-C is answered.
PIECE = 1 << 22


def pieces(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield indices of the pieces of an array of this shape, in its order: all of it, none twice.

    A piece is some rows of the first axis; where one row has more elements than a piece, the row
    is divided in the same way.
    """
    size = prod(shape)
    if size <= PIECE:
        yield (...,)
        return
    row = size // shape[0]
    if row > PIECE:
        for i in range(shape[0]):
            yield from ((i, *inner) for inner in pieces(shape[1:]))
        return
    for i in range(0, shape[0], PIECE // row):
        yield (slice(i, i + PIECE // row),)


def copied(array: Array, dtype: Any = None) -> Array:
    """Return a C-contiguous copy of an array, as ``dtype`` if that is given."""
    out: Array = np.empty(array.shape, array.dtype if dtype is None else dtype)
    if array.size <= PIECE:
        out[...] = array
        return out
    for piece in pieces(array.shape):
        out[piece] = array[piece]
    return out


def contiguous(array: Array, dtype: Any = None) -> Array:
    """Return an array that is C-contiguous and aligned, of ``dtype``; a copy if it is not yet."""
    dtype = array.dtype if dtype is None else np.dtype(dtype)
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return usual(array)
    return copied(array, dtype.newbyteorder("="))


def usual(array: Array) -> Array:
    """Return an array, in the same memory, of a type that does not name this machine's byte order.

    The types of arrays of Zarr name it.  They equal the usual ones, and the compiled code refuses
    them.
    """
    if array.dtype.byteorder in "=|" or not array.dtype.isnative:
        return array
    return array.view(array.dtype.newbyteorder("="))


def filled(shape: int | tuple[int, ...], value: Any, dtype: Any = np.float64) -> Array:
    """Return a new array that holds one value everywhere."""
    out: Array = np.empty(shape, dtype)
    for piece in pieces(out.shape):
        out[piece] = value
    return out


def replaced(array: Array, where: Array, value: Any) -> Array:
    """Return a copy of an array that holds ``value`` where a mask of the same shape is true."""
    out = copied(array)
    for piece in pieces(array.shape):
        np.copyto(out[piece], value, where=where[piece])
    return out


def has_nan(array: Array) -> bool:
    """Return whether an array holds a NaN."""
    if array.size <= PIECE:  # NumPy counts NaN as less than every number
        return array.size > 0 and isnan(array.item(array.argmin()))
    return any(np.count_nonzero(np.isnan(array[piece])) for piece in pieces(array.shape))


def all_finite(array: Array) -> bool:
    """Return whether an array holds neither NaN nor infinity."""
    if array.size <= PIECE:  # NumPy counts NaN as less and as greater than every number
        return not array.size or (
            isfinite(array.item(array.argmin())) and isfinite(array.item(array.argmax()))
        )
    return all(np.isfinite(array[piece]).all() for piece in pieces(array.shape))


def first_not_finite(array: Array) -> tuple[int, ...] | None:
    """Return the index of the first NaN or infinity of an array, or None."""
    for piece in pieces(array.shape):
        bad = ~np.isfinite(array[piece])
        if not bad.any():
            continue
        *outer, last = piece
        inner = [int(i) for i in np.argwhere(bad)[0]]
        if isinstance(last, slice):
            inner[0] += last.start
        return (*outer, *inner)
    return None
