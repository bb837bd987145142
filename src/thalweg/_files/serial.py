"""Dates that spreadsheets write as numbers: days since the end of 1899.

Such a column is one of numbers, which nothing but its name and its size tells from others.  It
stays as it is, with a note, until the user says that it holds dates.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np

from .._arguments.pieces import Array

_ZERO = datetime(1899, 12, 30)  # the day 0 of dates from March 1900 on
_LAST = 2_958_466  # the first day of the year 10000
_USUAL = (20_000, 80_000)  # from 1954 to 2119
_SECONDS = 86_400.0
_NAME = re.compile(r"\bdate|datum|timestamp|zeitstempel|fecha", re.IGNORECASE)


def is_named_as_date(name: str) -> bool:
    """Whether the name of a column says that it holds dates."""
    return _NAME.search(name) is not None


def may_be_serial(name: str, unit: str, values: Array) -> bool:
    """Whether a column of numbers may hold dates, by its name and the size of its numbers."""
    known = values[np.isfinite(values)]
    named = is_named_as_date(name) and not unit
    return bool(named and known.size and known.min() >= _USUAL[0] and known.max() < _USUAL[1])


def from_serial(values: Array) -> tuple[Array, str]:
    """Return days of a spreadsheet as seconds from the first, and the first in words.

    Raises
    ------
    ValueError
        A number is none of a day from 1 to the year 9999.
    """
    known = values[~np.isnan(values)]
    wrong = known[~((known >= 1) & (known < _LAST))]
    if wrong.size:
        raise ValueError(f"{wrong[0]:g} is no date of a spreadsheet, which counts days from 1900")
    if not known.size:
        return values, "none"
    first = _ZERO + timedelta(days=float(known[0]))
    return (values - known[0]) * _SECONDS, first.isoformat(" ", "seconds")
