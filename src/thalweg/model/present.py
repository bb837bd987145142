"""What a model reads of x alone where points of x are missing: it sees the others only.

A model may reduce and index x: ``x.mean()``, ``np.ptp(x)``, ``x[0]``, ``np.sort(x)``, ``len(x)``.
A point at which a variable is masked or NaN is left out of the fit, and so of what is read: the
model gets the numbers that it would get if the user had dropped these points before.  What it makes
of them is put back in their places.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .._arguments.pieces import has_nan
from .refusal import refuse

MISSING_ON_A_GRID: Final = "it reads x as a whole, of which points on a grid are missing"
MISSING_IN_A_CURVE: Final = "it mixes points, of which x is missing at some"
_CURE: Final = "give x there, and leave the points out by mask= or by NaN in y"


class Uneven(tuple[()]):
    """The data of a recording for all fits, which lack x at points of their own."""

    __slots__ = ()


def present(recorder: Any) -> np.ndarray | None:
    """Return at which points every variable is known, bool (N,); None where all are."""
    missing = [values for values in recorder.data if values is not None and has_nan(values)]
    if not missing:
        return None
    if len(recorder.points) > 1:
        refuse(MISSING_ON_A_GRID, _CURE)
    known: np.ndarray = ~np.any([np.isnan(values) for values in missing], axis=0)
    return known


def shape_of(recorder: Any) -> tuple[int, ...]:
    """Return the shape of x as the model reads it."""
    if isinstance(recorder.data, Uneven):
        refuse("the number of points, which differs from fit to fit")
    known = present(recorder) if recorder.data else None
    return tuple(recorder.points) if known is None else (int(np.count_nonzero(known)),)


def refuse_missing(recorder: Any) -> None:
    """Refuse to mix points of a curve that all fits share where one has no x, and so no value."""
    if not recorder.own_x and recorder.data and present(recorder) is not None:
        refuse(MISSING_IN_A_CURVE, _CURE)


def read(recorder: Any, numbers: np.ndarray) -> np.ndarray:
    """Return numbers (N,) of all points as the model reads them, in the shape of the points."""
    known = present(recorder)
    return numbers.reshape(recorder.points) if known is None else numbers[known]


def put_back(recorder: Any, numbers: np.ndarray) -> np.ndarray:
    """Return numbers that were made of those of `read` at all points, (N,): others are NaN."""
    short = numbers.ndim == 1 and 1 < numbers.size < recorder.n_points
    known = present(recorder) if short and recorder.data else None
    if known is None or numbers.shape != (np.count_nonzero(known),):
        return numbers
    every = np.full(len(known), np.nan)
    every[known] = numbers
    return every
