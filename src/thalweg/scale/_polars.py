"""Tables of polars, see `_frames`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import polars as pl

from .._arguments.check import Array
from ._frames import Column, Groups, no_dates, no_numbers, offsets_of, refuse_unknown

_ROW = "row of the table"  # the name of a column that is added, and that no table has
_PER_SECOND = {"ns": 1e9, "us": 1e6, "ms": 1e3}


class PolarsFrame:
    """A DataFrame of polars, or what a LazyFrame collects."""

    def __init__(self, table: Any, needed: Sequence[str] | None) -> None:
        lazy = isinstance(table, pl.LazyFrame)
        self.names = table.collect_schema().names() if lazy else table.columns
        refuse_unknown(self.names if needed is None else needed, self.names)
        if lazy:
            table = (table if needed is None else table.select(*dict.fromkeys(needed))).collect()
        self.table = table

    def column(self, name: Any) -> Column:
        """Return a column as numbers, or dates as seconds from the earliest."""
        refuse_unknown([name], self.names)
        series = self.table[name]
        kind = series.dtype
        if kind in (pl.Date, pl.Datetime):
            moments = series.cast(pl.Datetime("ms")) if kind == pl.Date else series
            first = moments.min()
            return Column(_seconds(moments - first), first)
        if kind == pl.Duration:
            return Column(_seconds(series))
        if kind == pl.Time:
            return Column(_floats(series.cast(pl.Int64)) / 1e9)
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise no_numbers(name, kind)
        return Column(_floats(series))

    def numbers(self, name: Any) -> Array:
        """Return a column that holds no dates."""
        column = self.column(name)
        if column.first is not None:
            raise no_dates(name)
        return column.values

    def numeric(self) -> list[Any]:
        """Return the names of the columns of numbers."""
        kinds = zip(self.names, self.table.dtypes, strict=True)
        return [name for name, kind in kinds if kind.is_numeric() or kind == pl.Boolean]

    def groups(self, keys: Sequence[str], sort: bool, dropna: bool) -> Groups:
        """Return the rows of each group; all rows if there are no keys."""
        n = len(self.table)
        if not keys:
            return Groups(np.arange(n), np.array([0, n]), pl.DataFrame())
        table = self.table.select(keys).with_columns(pl.int_range(n).alias(_ROW))
        if dropna:
            table = table.drop_nulls(keys)
            for key in (key for key in keys if table.schema[key].is_float()):
                table = table.filter(pl.col(key).is_not_nan())
        rows = table.group_by(keys, maintain_order=True).agg(pl.col(_ROW))
        if sort:
            rows = rows.sort(keys, maintain_order=True)
        order = rows[_ROW].explode().to_numpy() if len(rows) else np.empty(0, np.int64)
        return Groups(order, offsets_of(rows[_ROW].list.len()), rows.select(keys))

    def index(self) -> NoReturn:
        """Refuse: tables of polars have no index."""
        raise ValueError("x is needed: a table of polars has no index; name the column of x")

    def index_name(self) -> None:
        """Return the name of the index, which there is not."""

    def keys_of_rows(self, keys: Sequence[str]) -> Any:
        """Return the columns of the keys; without keys the numbers of the rows."""
        refuse_unknown(keys, self.names)
        return self.table.select(keys) if keys else pl.DataFrame({"row": range(len(self.table))})

    def table_of(self, keys: Any, columns: dict[str, Array]) -> Any:
        """Return a DataFrame that begins with the keys."""
        table = pl.DataFrame(columns)
        return pl.concat([keys, table], how="horizontal") if keys.width else table

    def table_of_labels(self, labels: Sequence[Any], columns: dict[str, Array]) -> Any:
        """Return a DataFrame that begins with the names of the columns that were fitted."""
        return pl.DataFrame({"column": labels, **columns})


def _floats(series: Any) -> Array:
    """Numbers as float64, NaN where one is missing."""
    return np.asarray(series.cast(pl.Float64).fill_null(np.nan).to_numpy())


def _seconds(durations: Any) -> Array:
    """Durations in seconds."""
    return _floats(durations.cast(pl.Int64)) / _PER_SECOND[durations.dtype.time_unit]
