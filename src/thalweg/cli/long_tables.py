"""Long tables: a row for each point, and columns whose values say which data set it belongs to.

Data sets are in the order of their first rows.  A column of numbers alone is compared by number,
any other by its texts; a row without a key belongs to no data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._files.cells import is_missing
from .._files.sheet import Sheet

# What the cells of a mask say, in lower case.
_TRUE = frozenset({"true", "t", "yes", "y", "x", "bad", "masked", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "ok", "good", "0"})


class Groups(NamedTuple):
    """The rows of a table in the order of its data sets.

    Attributes
    ----------
    order : ndarray of int
        The rows of the first data set, then those of the second, and so on.
    offsets : ndarray of int, shape (data sets + 1,)
        Where each data set begins in ``order``.
    titles : list of str
        The names of the data sets.
    n_left_out : int
        The number of rows without a key.
    """

    order: Array
    offsets: Array
    titles: list[str]
    n_left_out: int

    @property
    def n_points(self) -> int | None:
        """The number of points of every data set; None if they differ."""
        lengths = np.diff(self.offsets)
        return int(lengths[0]) if (lengths == lengths[0]).all() else None

    def taken(self, values: Any) -> Any:
        """Return a column of the table, or several, in the order of the data sets.

        It is (data sets, points) where all have as many points, else flat.
        """
        if values is None:
            return None
        if isinstance(values, tuple):
            return tuple(self.taken(column) for column in values)
        ordered = values[self.order]
        return ordered if self.n_points is None else ordered.reshape(len(self.titles), -1)


def find_groups(sheet: Sheet, places: Sequence[int]) -> Groups:
    """Return the data sets of a long table, which the columns at some places tell apart.

    Raises
    ------
    ValueError
        No row has a key.
    """
    rows = zip(*(_keys(sheet, j) for j in places), strict=True)
    number: dict[tuple[str, ...], int] = {}
    of_row = np.array([number.setdefault(k, len(number)) if all(k) else -1 for k in rows])
    if not number:
        names = ", ".join(sheet.names[j] for j in places)
        raise ValueError(f"{sheet.name}: no row has a value of {names}, which --group names")
    n_left_out = int((of_row < 0).sum())
    order = np.argsort(of_row, kind="stable")[n_left_out:]
    offsets = np.r_[0, np.cumsum(np.bincount(of_row[order], minlength=len(number)))]
    return Groups(order, offsets, [", ".join(keys) for keys in number], n_left_out)


def _keys(sheet: Sheet, j: int) -> list[str]:
    """The key of each row; empty where it is missing."""
    numbers = _numbers(sheet, j)
    if numbers is not None:
        return ["" if v != v else f"{v:.0f}" if v % 1 == 0 else repr(v) for v in numbers.tolist()]
    return ["" if is_missing(cell, sheet.missing) else cell for cell in sheet.columns[j]]


def _numbers(sheet: Sheet, j: int) -> Array | None:
    """A column of numbers; None of one that holds texts, too."""
    try:
        return sheet.numbers(j) if sheet.kind(j) == "numbers" else None
    except ValueError:
        return None


def read_mask(sheet: Sheet, j: int) -> Array:
    """Return a column of flags, true where a point is left out.

    Where a column says true alone, as by an "x" in some rows, an empty cell is false; else its flag
    is missing, and a point with a missing flag is left out.

    Raises
    ------
    ValueError
        A cell is neither true nor false.
    """
    numbers = _numbers(sheet, j)
    flags = _flags(sheet, j) if numbers is None else numbers
    wrong = np.flatnonzero(~np.isnan(flags) & (flags != 0) & (flags != 1))
    if wrong.size:
        place, value = sheet.where(int(wrong[0]), j), f"{flags[wrong[0]]:g}"
        raise _neither(place, value)
    mask: Array = flags == 1 if not (flags == 0).any() else flags != 0
    return mask


def _flags(sheet: Sheet, j: int) -> Array:
    """A column of texts as 1 for true, 0 for false and NaN for missing."""
    flags = np.full(len(sheet.columns[j]), np.nan)
    for i, cell in enumerate(sheet.columns[j]):
        if (word := cell.lower()) in _TRUE or word in _FALSE:
            flags[i] = word in _TRUE
        elif word not in sheet.missing:
            raise _neither(sheet.where(i, j), repr(cell))
    return flags


def _neither(place: str, value: str) -> ValueError:
    return ValueError(f"{place}: {value} is neither true nor false, as a mask is; say 0 or 1")
