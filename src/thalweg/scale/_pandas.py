"""Tables of pandas, see `_frames`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._arguments.check import Array
from ._frames import Column, Groups, no_dates, no_numbers, offsets_of, refuse_unknown


class PandasFrame:
    """A DataFrame of pandas."""

    def __init__(self, table: Any, needed: Sequence[str] | None) -> None:
        # As in groupby of pandas, the name of a level of the index stands for a column.
        levels = [n for n in needed or () if n not in table.columns and n in table.index.names]
        table = table.reset_index(level=levels) if levels else table
        self.names = list(table.columns)
        refuse_unknown(self.names if needed is None else needed, self.names)
        self.table = table

    def column(self, name: Any) -> Column:
        """Return a column as numbers, or dates as seconds from the earliest."""
        refuse_unknown([name], self.names)
        return _read(self.table[name], name)

    def numbers(self, name: Any) -> Array:
        """Return a column that holds no dates."""
        column = self.column(name)
        if column.first is not None:
            raise no_dates(name)
        return column.values

    def numeric(self) -> list[Any]:
        """Return the names of the columns of numbers."""
        return [name for name in self.names if types.is_numeric_dtype(self.table[name].dtype)]

    def groups(self, keys: Sequence[str], sort: bool, dropna: bool) -> Groups:
        """Return the rows of each group; all rows if there are no keys."""
        if not keys:
            n = len(self.table)
            return Groups(np.arange(n), np.array([0, n]), None)
        by = keys[0] if len(keys) == 1 else list(keys)
        grouped = self.table.groupby(by, sort=sort, dropna=dropna, observed=True)
        sizes, number = grouped.size(), grouped.ngroup().to_numpy(float, na_value=-1)
        order = np.argsort(number, kind="stable")
        return Groups(order[np.count_nonzero(number < 0) :], offsets_of(sizes), sizes.index)

    def index(self) -> Column:
        """Return the index as numbers, or dates as seconds."""
        if isinstance(self.table.index, pd.MultiIndex):
            raise ValueError("x is needed: the index has several levels")
        return _read(self.table.index.to_series(), "the index")

    def index_name(self) -> str | None:
        """Return the name of the index."""
        name = self.table.index.name
        return None if name is None else str(name)

    def keys_of_rows(self, keys: Sequence[str]) -> Any:
        """Return the keys of every row: columns, or the index."""
        refuse_unknown(keys, self.names)
        if not keys:
            return self.table.index
        return (
            pd.MultiIndex.from_frame(self.table[keys])
            if len(keys) > 1
            else pd.Index(self.table[keys[0]], name=keys[0])
        )

    def table_of(self, keys: Any, columns: dict[str, Array]) -> Any:
        """Return a DataFrame with the keys as index."""
        return pd.DataFrame(columns, index=keys)

    def table_of_labels(self, labels: Sequence[Any], columns: dict[str, Array]) -> Any:
        """Return a DataFrame with the columns that were fitted as index."""
        return pd.DataFrame(columns, index=pd.Index(labels, name=self.table.columns.name))


def _read(series: Any, name: Any) -> Column:
    """A column as float64, NaN where a value is missing; dates and durations in seconds."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if series.dtype == object:
        series = _of_objects(series, name)
    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()  # where the period begins
    if types.is_datetime64_any_dtype(series.dtype):
        first = series.min()
        return Column(_seconds(series - first), None if pd.isna(first) else first)
    if types.is_timedelta64_dtype(series.dtype):
        return Column(_seconds(series))
    if not types.is_numeric_dtype(series.dtype) or types.is_complex_dtype(series.dtype):
        raise no_numbers(name, series.dtype)
    return Column(series.to_numpy(np.float64, na_value=np.nan))


def _seconds(durations: Any) -> Array:
    return np.asarray(durations.dt.total_seconds().to_numpy(np.float64))


def _of_objects(series: Any, name: Any) -> Any:
    """A column of Python objects as dates, durations or numbers."""
    some = [value for value in series if not _is_missing(value)]
    if some and all(isinstance(value, date) for value in some):
        return pd.to_datetime(series)
    if some and all(isinstance(value, timedelta) for value in some):
        return pd.to_timedelta(series)
    for value in some:
        if not isinstance(value, int | float | Decimal | np.number | np.bool_):
            raise no_numbers(name, repr(value))
    values = [np.nan if _is_missing(value) else float(value) for value in series]
    return pd.Series(values, series.index, np.float64)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value
