"""Data of the command line: from text files with columns of numbers, from ``.npy`` and ``.npz``.

A text file has columns that tabs, semicolons, commas or blanks separate, whichever the first line
of them shows; lines that begin with ``#`` are comments and the first line may hold names.  An empty
cell, "nan" and "NA" are missing values: such points are left out of their fit.  A note tells the
user what has been left out, and how a file with several readings has been read.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._archives import load_archive, load_array
from .._arguments.check import Array
from .cells import MISSING, cause, decimal_of, number, refusal
from .rows import Format, read_text, split_rows

_ARRAYS = ("x", "y", "sigma", "mask", "p0")


class DataSets(NamedTuple):
    """The data of a file, in the form that `thalweg.fit` takes.

    Attributes
    ----------
    x : ndarray or tuple of ndarray
        One independent variable or several.
    y : ndarray, shape (..., N)
    sigma, mask, p0 : ndarray or None
    titles : list of str or None
        Names of the data sets, if a file of columns gives them.
    notes : tuple of str
        What the user should know about how the file was read.
    """

    x: Any
    y: Array
    sigma: Array | None = None
    mask: Array | None = None
    p0: Array | None = None
    titles: list[str] | None = None
    notes: tuple[str, ...] = ()


def read(
    path: Path,
    n_x: int,
    x: str | None,
    y: str | None,
    sigma: str | None,
    form: Format = Format(),  # noqa: B008  # immutable
) -> DataSets:
    """Read data sets for a model of ``n_x`` independent variables.

    Parameters
    ----------
    path : Path
    n_x : int
    x, y, sigma : str or None
        Columns by name or by number from 1, separated by commas; with ``.npy`` and ``.npz``, x
        and sigma are files ``.npy`` or numbers, and there is no choice of y.
    form : Format
        How a text file is written.

    Raises
    ------
    ValueError
        The file does not hold what is asked for; the sentence names the place.
    OSError
        The file cannot be read.
    """
    if path.suffix not in (".npy", ".npz"):
        return _from_columns(_read_table(path, form), n_x, x, y, sigma)
    if y is not None:
        raise ValueError(f"--y picks columns of a CSV file, and {path} is none")
    held = _load(path)
    points: Any = held.get("x") if x is None else _array(x, "--x")
    spread = held.get("sigma") if sigma is None else _array(sigma, "--sigma")
    if points is None:
        points = _pixels(held["y"], n_x, path)
    several = n_x > 1 and isinstance(points, np.ndarray)
    variables = tuple(points) if several else points
    return DataSets(variables, held["y"], spread, held.get("mask"), held.get("p0"))


def _load(path: Path) -> dict[str, Array]:
    if path.suffix == ".npy":
        return {"y": load_array(path)}
    held, names = load_archive(path, _ARRAYS)
    if "y" not in held:
        raise ValueError(f"{path} holds no array y, but {', '.join(names) or 'nothing'}")
    return held


def _array(text: str, option: str) -> Array:
    """The array of a ``.npy`` file, or of numbers separated by commas."""
    if text.endswith(".npy"):
        return load_array(Path(text))
    try:
        return np.array([float(number) for number in text.split(",")])
    except ValueError:
        raise ValueError(
            f"{option} must be a .npy file or numbers separated by commas, got {text!r}"
        ) from None


def _pixels(y: Array, n_x: int, path: Path) -> Any:
    """Column and row numbers of images, for a model of two variables."""
    if n_x != 2 or y.ndim < 2:
        raise ValueError(
            f"--x is needed, as {path} holds no x: a .npy file, or numbers such as 1,2,5"
        )
    rows, columns = np.indices(y.shape[-2:])
    return columns, rows


# ---- columns ---------------------------------------------------------------------------------


class _Table(NamedTuple):
    """The cells of a text file by rows; ``lines`` says where each row stands in the file."""

    path: Path
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    decimal: str
    missing: frozenset[str]
    notes: list[str]

    def place(self, column: str) -> int:
        """Return the place of a column, given by name or by number from 1."""
        if self.names.count(column) == 1:
            return self.names.index(column)
        if column in self.names:
            raise ValueError(f"{self.path} has several columns {column!r}; use their numbers")
        if column.isdecimal() and 1 <= int(column) <= len(self.names):
            return int(column) - 1
        near = get_close_matches(column, self.names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{self.path} has no column {column!r}, but {', '.join(self.names)}{hint}")

    def places(self, columns: str) -> list[int]:
        """Return the places of columns separated by commas."""
        return [self.place(column.strip()) for column in columns.split(",")]

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, NaN for a missing one, None for a text."""
        return number(cell, self.decimal, self.missing)

    def numbers(self, place: int) -> Array:
        """Return a column of numbers, NaN where a value is missing."""
        values = np.empty(len(self.rows))
        for i, row in enumerate(self.rows):
            value = self.number(row[place])
            if value is None:
                raise ValueError(
                    f"{self.path}, line {self.lines[i]}, column {self.names[place]}: "
                    f"{refusal(row[place])}"
                )
            values[i] = value
        return values

    def is_text(self, place: int) -> bool:
        """Whether a column holds neither numbers nor texts that are meant as numbers."""
        for row in self.rows:
            value = self.number(row[place])
            if cause(row[place]) if value is None else not isnan(value):
                return False
        return True


def _read_table(path: Path, form: Format) -> _Table:
    rows, lines, separator = split_rows(path, read_text(path), form)
    if all(len(row) > 1 and not row[-1] for row in rows):  # each line ends with a separator
        rows = [row[:-1] for row in rows]
    for i, row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{path}, line {i}: {len(row)} cells, but line {lines[0]} has {len(rows[0])}"
                + _why_ragged(lines[0], separator)
            )
    missing = MISSING | {word.lower() for word in form.missing}
    decimal = form.decimal
    notes = []
    if decimal is None:
        decimal = "." if separator == "," else decimal_of(cell for row in rows for cell in row)
        if decimal == ",":
            notes.append("the numbers are read with a decimal comma; --decimal . says otherwise")
    names = [f"{j}" for j in range(1, len(rows[0]) + 1)]
    table = _Table(path, names, rows, lines, decimal, missing, notes)
    _take_names(table)
    _drop_units(table)
    if not rows:
        raise ValueError(f"{path} holds no data")
    return table


def _why_ragged(first: int, separator: str | None) -> str:
    if separator == ",":
        return "; a decimal comma needs another separator, and a preamble --skip-rows"
    return f"; if line {first} is no part of the table, leave it out with --skip-rows"


def _take_names(table: _Table) -> None:
    """Take the first row as names if a text stands above numbers, or if there is no other row.

    A row of names must not begin with a number, for then it may be a data point, which would be
    lost silently.
    """
    first, below = table.rows[0], table.rows[1:]
    texts = [j for j, cell in enumerate(first) if table.number(cell) is None]
    above = [j for j in texts if not cause(first[j])]
    if not above or not any(_holds_number(table, j, below) for j in above):
        if len(texts) < len(first) or below:
            return
    value = table.number(first[0])
    if value is not None and not isnan(value):
        raise ValueError(
            f"{table.path}, line {table.lines[0]}, column {above[0] + 1}: "
            f"{refusal(first[above[0]])}, and the line begins with one"
        )
    if not first[0] and len(first) > 1:
        table.notes.append("the first column has no name, as that of an index")
    table.names[:] = [cell or name for cell, name in zip(first, table.names, strict=True)]
    del table.rows[0], table.lines[0]


def _holds_number(table: _Table, place: int, rows: Sequence[Sequence[str]]) -> bool:
    values = (table.number(row[place]) for row in rows)
    return any(value is not None and not isnan(value) for value in values)


def _drop_units(table: _Table) -> None:
    """Leave out a row of texts, such as units, between names and numbers."""
    if len(table.rows) < 2:
        return
    first = table.rows[0]
    texts = [j for j, cell in enumerate(first) if table.number(cell) is None]
    if len(texts) < len(first) - sum(cell.lower() in table.missing for cell in first):
        return
    if any(_holds_number(table, j, table.rows[1:]) for j in texts):
        table.notes.append(f"line {table.lines[0]} holds no numbers and is left out")
        del table.rows[0], table.lines[0]


def _from_columns(
    table: _Table, n_x: int, x: str | None, y: str | None, sigma: str | None
) -> DataSets:
    n_columns = len(table.names)
    x_places = list(range(min(n_x, n_columns))) if x is None else table.places(x)
    if len(x_places) != n_x:
        raise ValueError(
            f"the model takes {n_x} independent variable{'s' * (n_x != 1)}, "
            f"and {len(x_places)} {'column gives' if len(x_places) == 1 else 'columns give'} them"
        )
    sigma_places = [] if sigma is None else table.places(sigma)
    taken = {*x_places, *sigma_places}
    notes = list(table.notes)
    if y is not None:
        y_places = table.places(y)
    else:
        others = [j for j in range(n_columns) if j not in taken]
        texts = {j for j in others if table.is_text(j)}
        y_places = [j for j in others if j not in texts]
        if texts:
            skipped = ", ".join(table.names[j] for j in sorted(texts))
            notes.append(f"no numbers, so left out: {skipped}")
    if not y_places:
        raise ValueError(
            f"{table.path} has no column of numbers left for y"
            + (_why_ragged(table.lines[0], None) if n_columns == 1 else "")
        )
    if len(sigma_places) not in (0, 1, len(y_places)):
        raise ValueError(
            f"--sigma must name one column or one for each of the {len(y_places)} columns of y, "
            f"got {len(sigma_places)}"
        )
    columns = [table.numbers(j) for j in x_places]
    return DataSets(
        columns[0] if n_x == 1 else tuple(columns),
        _stacked(table, y_places),
        _stacked(table, sigma_places) if sigma_places else None,
        titles=[table.names[j] for j in y_places],
        notes=tuple(f"{table.path}: {note}" for note in notes),
    )


def _stacked(table: _Table, places: Sequence[int]) -> Array:
    """One column as (N,), several as (number of columns, N)."""
    columns = np.array([table.numbers(j) for j in places])
    return columns[0] if len(places) == 1 else columns
