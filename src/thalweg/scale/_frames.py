"""What fits ask of a table, of pandas and of polars; neither is imported before it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import did_you_mean


class Column(NamedTuple):
    """A column as numbers, NaN where one is missing; of dates seconds from the ``first``."""

    values: Array
    first: Any = None


class Groups(NamedTuple):
    """The rows of each group, end to end, and where each begins; and their keys, one per group."""

    order: Array
    offsets: Array
    keys: Any


class Frame(Protocol):
    """A table, whatever its library."""

    names: list[Any]

    def column(self, name: Any) -> Column:
        """Return a column as numbers, or dates as seconds."""

    def numbers(self, name: Any) -> Array:
        """Return a column that holds no dates."""

    def numeric(self) -> list[Any]:
        """Return the names of the columns of numbers."""

    def groups(self, keys: Sequence[str], sort: bool, dropna: bool) -> Groups:
        """Return the rows of each group; all rows if there are no keys."""

    def index(self) -> Column:
        """Return the index, if the library has such."""

    def index_name(self) -> str | None:
        """Return the name of the index."""

    def keys_of_rows(self, keys: Sequence[str]) -> Any:
        """Return the keys of every row: columns, or the index."""

    def table_of(self, keys: Any, columns: dict[str, Array]) -> Any:
        """Return a table of the same library with a row for each key."""

    def table_of_labels(self, labels: Sequence[Any], columns: dict[str, Array]) -> Any:
        """Return a table of the same library with a row for each column that was fitted."""


def frame_of(table: Any, needed: Sequence[str] | None) -> Frame:
    """Return what fits ask of a table; ``needed`` are the columns, None for all.

    Raises
    ------
    TypeError
        It is no table of pandas or polars.
    ValueError
        A column does not exist, or two have its name.
    """
    library, kind = type(table).__module__.partition(".")[0], type(table).__name__
    if library == "pandas" and kind == "DataFrame":
        from ._pandas import PandasFrame

        return PandasFrame(table, needed)
    if library == "polars" and kind in ("DataFrame", "LazyFrame"):
        from ._polars import PolarsFrame

        return PolarsFrame(table, needed)
    raise TypeError(f"the table must be a DataFrame of pandas or polars, got {kind}")


def refuse_unknown(needed: Sequence[Any], names: Sequence[Any]) -> None:
    """Raise ValueError for a name that no column has, or more than one."""
    for name in needed:
        count = sum(1 for other in names if other == name)
        if count == 0:
            known = [str(other) for other in names]
            hint = did_you_mean(str(name), known)
            shown = ", ".join(known[:20]) + ", ..." * (len(known) > 20)
            raise ValueError(f"the table has no column {name!r}; it has {shown}{hint}")
        if count > 1:
            raise ValueError(f"the table has {count} columns {name!r}: rename one of them")


def no_numbers(name: Any, what: Any) -> TypeError:
    """Return the error of a column that does not hold numbers."""
    return TypeError(f"the column {name!r} must hold numbers, got {what}")


def no_dates(name: Any) -> TypeError:
    """Return the error of a column that may not hold dates."""
    return TypeError(f"the column {name!r} holds dates; only x may")


def offsets_of(counts: Any) -> Array:
    """Return where each group begins, from how many rows each has."""
    return np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))])
