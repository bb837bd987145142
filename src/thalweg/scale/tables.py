"""One fit for each group of a table, or for each of its columns or rows: pandas and polars.

A table comes in, and a table of the same library comes out, with a row for each fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._arguments.check import Array
from ..fitting.fit import fit
from ..fitting.result import FitResult
from ._formulas import with_independent
from ._frames import Column, Frame, frame_of

__all__ = ["TableFit", "fit_table", "fit_wide"]


@dataclass(frozen=True, eq=False, repr=False)
class TableFit:
    """The fits of a table's groups, columns or rows.

    Attributes
    ----------
    table : DataFrame
        A row for each fit: parameters, their standard errors (``tau_stderr``), chi2, dof, n_used,
        n_iter, status and reason, see `FitResult.columns`.  What tells the fits apart is the index
        in pandas, and the first columns in polars.
    result : FitResult
        The result of all fits, in the order of the table's rows.
    first : datetime or None
        Where x was dates, the earliest of them, from which x counts seconds.

    Examples
    --------
    >>> import pandas as pd
    >>> from thalweg.scale.tables import fit_wide
    >>> wide = pd.DataFrame({"a": [1.0, 3.0, 5.0], "b": [3.0, 2.0, 1.0]}, index=[0.0, 1.0, 2.0])
    >>> fits = fit_wide(wide, "slope*x + c", p0=[1, 0])
    >>> fits.table["slope"].round(6).to_dict(), fits.result.status.size
    ({'a': 2.0, 'b': -1.0}, 2)
    """

    table: Any
    result: FitResult
    first: Any = None

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return str(self.table._repr_html_())


def fit_table(
    table: Any,
    model: Any,
    x: str | Sequence[str],
    y: str,
    by: str | Sequence[str] | None = None,
    *,
    sigma: str | None = None,
    mask: str | None = None,
    sort: bool = True,
    dropna: bool = True,
    **options: Any,
) -> TableFit:
    """Fit a model to every group of a long table: one row per point.

    Groups may have different numbers of points, and their rows may lie anywhere in the table.

    Parameters
    ----------
    table : pandas.DataFrame, polars.DataFrame or polars.LazyFrame
        A LazyFrame is collected, as far as its columns are needed.
    model : callable, str or Model
        As in `thalweg.fit`.  A formula may call its independent variables by their columns' names.
    x : str or sequence of str
        The column of the independent variable, or those of several, which the model gets in this
        order.  Dates become seconds from the earliest one in the table, durations seconds.
    y : str
        The column of the measured values.  A row in which x or y is missing (None, NaN, NA) is left
        out.
    by : str or sequence of str, optional
        The columns of the keys; without them all rows are one data set.  In pandas a level of the
        index is found by its name like a column, here and for the other columns.
    sigma : str, optional
        The column of standard deviations; where it is missing its row is left out.
    mask : str, optional
        A column of booleans: where it is true, or missing, its row is left out.
    sort : bool
        Whether groups are in the order of their keys, else in that of their first rows.
    dropna : bool
        Whether rows with a missing key are left out; else these are a group.
    **options
        As those of `thalweg.fit`: p0, bounds, fixed, tied, noise, threads and others.  What has a
        value for each fit has them in the order of the groups.

    Returns
    -------
    TableFit

    Raises
    ------
    ValueError
        A column does not exist, or there are two of its name; or as in `thalweg.fit`.
    TypeError
        The table is of another kind, or a column does not hold numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from thalweg.scale.tables import fit_table
    >>> t = np.r_[0:4, 0:6]
    >>> table = pd.DataFrame({"sample": ["a"] * 4 + ["b"] * 6, "t": t})
    >>> table["signal"] = np.where(table["sample"] == "a", 2 * t + 1.0, 3.0 - t)
    >>> fits = fit_table(table, "slope*t + c", "t", "signal", by="sample", p0=[1, 0])
    >>> fits.table["slope"].round(6).to_dict()
    {'a': 2.0, 'b': -1.0}
    """
    names = [x] if isinstance(x, str) else list(x)
    keys = [by] if isinstance(by, str) else list(by or ())
    frame = frame_of(table, [*names, y, *filter(None, (sigma, mask)), *keys])
    groups = frame.groups(keys, sort, dropna)
    columns, first = _variables(frame, names)
    data = _arguments(frame, y, sigma, mask)
    data |= {"x": columns[0] if isinstance(x, str) else tuple(columns)}
    data = {name: _rows(value, groups.order) for name, value in data.items()}
    options = with_independent(model, names, options)
    result = fit(model, **data, offsets=groups.offsets, **options)
    return TableFit(frame.table_of(groups.keys, _columns(result, keys)), result, first)


def fit_wide(
    table: Any,
    model: Any,
    x: Any = None,
    y: Sequence[str] | None = None,
    *,
    rows: bool = False,
    by: str | Sequence[str] | None = None,
    **options: Any,
) -> TableFit:
    """Fit a model to every column of a wide table, or to every row of it.

    Parameters
    ----------
    table : pandas.DataFrame, polars.DataFrame or polars.LazyFrame
    model : callable, str or Model
    x : str or array_like, optional
        The column of the independent variable; by default the index, in pandas.  With ``rows`` the
        value of x of each column; by default the columns' labels, which must be numbers then.
    y : sequence of str, optional
        The columns that are fitted, or with ``rows`` those that hold the points; by default all
        columns of numbers but x and the keys.
    rows : bool
        Whether each row is a data set; else each column is one.
    by : str or sequence of str, optional
        With ``rows``: the columns that name the data sets; by default the index, in pandas.
    **options
        As those of `thalweg.fit`.

    Returns
    -------
    TableFit

    Raises
    ------
    ValueError, TypeError
        As in `fit_table`; or there is no x.

    Examples
    --------
    >>> import pandas as pd
    >>> from thalweg.scale.tables import fit_wide
    >>> wide = pd.DataFrame({"a": [1.0, 3.0, 5.0], "b": [3.0, 2.0, 1.0]}, index=[0.0, 1.0, 2.0])
    >>> fit_wide(wide, "slope*x + c", p0=[1, 0]).table[["slope", "c"]].round(6)
       slope    c
    a    2.0  1.0
    b   -1.0  3.0
    """
    keys = [by] if isinstance(by, str) else list(by or ())
    frame = frame_of(table, None)
    if rows:
        return _fit_rows(frame, model, x, y, keys, options)
    if keys:
        raise ValueError("by names data sets that are rows: give rows=True, too")
    if x is None:
        at, name = frame.index(), frame.index_name() or "x"
    elif type(x).__hash__ is None:
        raise TypeError("x must name a column of the table, or with rows=True be values")
    else:
        at, name = frame.column(x), x
    chosen = _chosen(frame, y, [] if x is None else [x])
    values = np.array([frame.column(n).values for n in chosen]).reshape(len(chosen), -1)
    options = with_independent(model, [name], options)
    result = fit(model, at.values, values, axis=-1, **options)
    table = frame.table_of_labels(chosen, _columns(result, ["column"]))
    return TableFit(table, result, at.first)


def _fit_rows(
    frame: Frame, model: Any, x: Any, y: Any, keys: list[str], options: dict[str, Any]
) -> TableFit:
    """Fit every row of a wide table."""
    chosen = _chosen(frame, y, keys)
    at = _labels_as_numbers(chosen) if x is None else np.asarray(x)
    values = np.array([frame.column(name).values for name in chosen]).T.reshape(-1, len(chosen))
    result = fit(model, at, values, axis=-1, **with_independent(model, ["x"], options))
    return TableFit(frame.table_of(frame.keys_of_rows(keys), _columns(result, keys)), result)


def _variables(frame: Frame, names: Sequence[str]) -> tuple[list[Array], Any]:
    """The values of the independent variables, and the moment from which a date counts."""
    columns: list[Column] = [frame.column(name) for name in names]
    first = next((column.first for column in columns if column.first is not None), None)
    return [column.values for column in columns], first


def _arguments(frame: Frame, y: str, sigma: str | None, mask: str | None) -> dict[str, Any]:
    """Columns as arguments of `thalweg.fit`, the rows of the table in their order."""
    data: dict[str, Any] = {"y": frame.numbers(y), "sigma": None, "mask": None}
    if sigma is not None:
        values = frame.numbers(sigma)
        data["sigma"] = np.where(np.isnan(values), np.inf, values)
    if mask is not None:
        values = frame.numbers(mask)
        if not (np.isin(values, (0, 1)) | np.isnan(values)).all():
            raise TypeError(f"the column {mask!r} is to be a mask, but does not hold booleans")
        data["mask"] = values != 0
    return data


def _rows(value: Any, order: Array) -> Any:
    if value is None:
        return None
    return tuple(v[order] for v in value) if isinstance(value, tuple) else value[order]


def _columns(result: FitResult, keys: Sequence[str]) -> dict[str, Array]:
    """The columns of a result, none of which may have the name of a key."""
    columns = result.columns()
    if taken := [name for name in keys if name in columns]:
        raise ValueError(
            f"{taken[0]!r} is the name of a key and of a number of the result; rename the column"
        )
    return columns


def _chosen(frame: Frame, y: Any, others: Sequence[str]) -> list[Any]:
    """The columns that hold y."""
    if isinstance(y, str):
        return [y]
    if y is not None:
        return list(y)
    chosen = [name for name in frame.numeric() if name not in others]
    if not chosen:
        raise ValueError("the table has no columns of numbers to fit")
    return chosen


def _labels_as_numbers(labels: Sequence[Any]) -> Array:
    try:
        return np.array([float(label) for label in labels])
    except (TypeError, ValueError):
        raise ValueError(
            "x is needed: the columns that hold the points have labels that are no numbers"
        ) from None
