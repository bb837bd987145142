"""Data of float64 that are fitted in float32, piece by piece.

In memory `thalweg.fit` refuses the type where float32 would merge distinct values of at least half
of all data sets.  A piece does not know the others: judged alone, one of few data sets that float32
merges could stop a run that memory would finish.  So the pieces are rounded before they are fitted,
without being judged, and `SAMPLED` data sets spread evenly over the batch stand for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np

from .._arguments.casts import refuse_lost
from .._arguments.check import Array
from .._arguments.masked import is_masked_array
from ..fitting.options import element_type
from .sources import Sliced, spread

SAMPLED = 64


def in_float32(arguments: Mapping[str, Any]) -> bool:
    """Return whether `thalweg.fit` computes in float32 with these arguments."""
    return element_type(arguments["dtype"]) == np.float32


def rounded(part: Array) -> Array:
    """Return real numbers in float32, as `thalweg.fit` rounds them; others unchanged."""
    if part.dtype.kind not in "fiu" or part.dtype == np.float32:
        return part
    with np.errstate(over="ignore"):
        return np.asanyarray(part.astype(np.float64, copy=False).astype(np.float32))


def refuse_merging(leaves: Iterable[tuple[str, Sliced]], batch: tuple[int, ...]) -> None:
    """Refuse x or y of which float32 merges distinct values in at least half of the sample.

    Raises
    ------
    ValueError
    """
    places = spread(prod(batch), SAMPLED)
    for name, leaf in leaves:
        dtype = np.dtype(leaf.source.dtype)
        if dtype.kind not in "fiu" or np.can_cast(dtype, np.float32, "safe"):
            continue
        rows = [_row(leaf, np.unravel_index(place, batch)) for place in places]
        refuse_lost([np.stack(rows)], name, len(rows))


def _row(leaf: Sliced, place: tuple[np.intp, ...]) -> Array:
    """The values of one data set as a row of float64, NaN where they are masked."""
    part = leaf.read(tuple(slice(int(k), int(k) + 1) for k in place))
    values = part.astype(np.float64)
    if is_masked_array(values):
        values = values.filled(np.nan)
    return values.reshape(-1)
