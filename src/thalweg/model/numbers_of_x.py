"""Which numbers of a recording are made of x.

A model may read its x as a whole: ``t.mean()``, ``t[0]``, ``t[1] - t[0]``.  These are numbers of
one data set; another data set, whose x differs, has others.  Constants of a graph take part in the
rules that simplify it and that order its products.  If a number of x were a constant where its data
set is fitted alone, and an array where the set is one of many, the last digits of the result would
differ.  Therefore such numbers are always arrays.

The function gets plain numbers and may do anything with them, so which of them come from x is found
by a second call: those that differ when x is somewhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final, TypeVar

import numpy as np

from .refusal import RecordingError
from .symbol import Recorder

_T = TypeVar("_T")
Recorded = tuple[Recorder, _T]  # a recorder, and what the recording found

NONE: Final[frozenset[int]] = frozenset()

# Where the values of x are moved to: from low to low + width, by u = (x - low) / width, to
# low + width (SHIFT + STRETCH u + BEND u^2).  The order of the values stays, and positive values
# stay positive, so that a function that asks for either takes the same course.  No first or last
# value, step, ratio of two values or ratio of two steps stays.
_SHIFT: Final = 0.37
_STRETCH: Final = 1.25
_BEND: Final = 0.125


def with_arrays_of_x(
    record: Callable[[Sequence[Any], frozenset[int]], Recorded[_T]], data: Sequence[Any]
) -> Recorded[_T]:
    """Return a recording in which the numbers that the function makes of x are arrays.

    Parameters
    ----------
    record : callable
        ``record(data, own)`` records the function; numbers at the places ``own`` become arrays.
    data : sequence of ndarray or None
        The values (N,) of each variable, None for those that are not known.

    Raises
    ------
    RecordingError
        The function cannot be recorded.
    """
    first = record(data, NONE)
    own = places_of_x(record, data, first[0])
    if not own:
        return first
    try:
        return record(data, own)
    except RecordingError:  # a curve that is longer than the data takes constants, but no arrays
        return first


def places_of_x(
    record: Callable[[Sequence[Any], frozenset[int]], Recorded[_T]],
    data: Sequence[Any],
    recorder: Recorder,
) -> frozenset[int]:
    """Return at which places the numbers of a recording of these data come from x.

    A function that fails elsewhere, or takes another course, tells nothing; its numbers, like
    those that are the same elsewhere (how many values exceed another), are constants.
    """
    if not recorder.reads:
        return NONE
    try:
        with np.errstate(all="ignore"):
            others = record([None if x is None else _elsewhere(x) for x in data], NONE)[0].numbers
    except RecordingError:
        return NONE
    return differing([recorder.numbers, others]) if len(others) == len(recorder.numbers) else NONE


def differing(numbers: Sequence[Sequence[float]]) -> frozenset[int]:
    """Return at which places the numbers of several recordings, all of one length, differ."""
    of_places = enumerate(zip(*numbers, strict=True))
    return frozenset(k for k, values in of_places if any(v != values[0] for v in values))


def _elsewhere(x: np.ndarray) -> np.ndarray:
    """Other values of a variable (N,), in the same order; what is missing stays missing."""
    low, high = float(x.min()), float(x.max())
    if not isfinite(high - low):
        known = x[np.isfinite(x)]
        if not known.size:
            return x
        low, high = float(known.min()), float(known.max())
    width = (high - low) or abs(low) or 1.0
    u = (x - low) / width
    return (low + _SHIFT * width) + u * (_STRETCH * width + (_BEND * width) * u)
