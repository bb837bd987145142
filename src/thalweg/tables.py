"""Files of the command line: data in as CSV, ``.npy`` or ``.npz``, results out as CSV or ``.npz``.

A CSV file has columns of numbers that commas, semicolons, tabs or blanks separate, whichever the
first line of them shows; lines that begin with ``#`` are comments and the first line may hold
names.  An empty cell, "nan" and "NA" are missing values: such points are left out of their fit.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ._check import Array
from .result import FitResult

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "-", "--"})
_SEPARATORS = "\t;,"


class DataSets(NamedTuple):
    """What a file holds, as `thalweg.fit` takes it.

    Attributes
    ----------
    x : ndarray or tuple of ndarray
        One independent variable or several.
    y : ndarray, shape (..., N)
    sigma, mask, p0 : ndarray or None
    titles : list of str or None
        Names of the data sets, where a file of columns gives them.
    """

    x: Any
    y: Array
    sigma: Array | None = None
    mask: Array | None = None
    p0: Array | None = None
    titles: list[str] | None = None


def read(path: Path, n_x: int, x: str | None, y: str | None, sigma: str | None) -> DataSets:
    """Read data sets for a model of ``n_x`` independent variables.

    Parameters
    ----------
    path : Path
    n_x : int
    x, y, sigma : str or None
        Columns by name or by number from 1, separated by commas; with ``.npy`` and ``.npz``, x
        and sigma are files ``.npy`` or numbers, and there is no choice of y.

    Raises
    ------
    ValueError
        The file does not hold what is asked for; the sentence says where.
    OSError
        The file cannot be read.
    """
    if path.suffix not in (".npy", ".npz"):
        return _from_columns(_read_table(path), n_x, x, y, sigma)
    if y is not None:
        raise ValueError(f"--y picks columns of a CSV file, and {path} is none")
    arrays = _load(path)
    held = {"y": arrays} if isinstance(arrays, np.ndarray) else arrays
    if "y" not in held:
        raise ValueError(f"{path} holds no array y, but {', '.join(held) or 'nothing'}")
    points = held.get("x") if x is None else _array(x, "--x")
    spread = held.get("sigma") if sigma is None else _array(sigma, "--sigma")
    if points is None:
        points = _pixels(held["y"], n_x, path)
    elif n_x > 1:
        points = tuple(points)
    return DataSets(points, held["y"], spread, held.get("mask"), held.get("p0"))


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:  # np.load would leave it open if it fails
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else dict(loaded.items())
    except (ValueError, EOFError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as an array: {error}") from None


def _array(text: str, option: str) -> Array:
    """The content of a ``.npy`` file, or numbers separated by commas."""
    if text.endswith(".npy"):
        array: Array = _load(Path(text))
        return array
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
    """The cells of a CSV file by rows; ``lines`` says where each row stands in the file."""

    path: Path
    names: list[str]
    rows: list[list[str]]
    lines: list[int]

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

    def numbers(self, place: int) -> Array:
        """Return a column of numbers, NaN where a value is missing."""
        values = np.empty(len(self.rows))
        for i, row in enumerate(self.rows):
            number = _number(row[place])
            if number is None:
                raise ValueError(
                    f"{self.path}, line {self.lines[i]}, column {self.names[place]}: "
                    f"{row[place]!r} is not a number"
                )
            values[i] = number
        return values

    def is_text(self, place: int) -> bool:
        """Whether a column holds no number at all."""
        return all(
            row[place].lower() in _MISSING or _number(row[place]) is None for row in self.rows
        )


def _number(cell: str) -> float | None:
    """The number in a cell, NaN for a missing one, None for a text."""
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _read_table(path: Path) -> _Table:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    numbered = [
        (i, line)
        for i, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not numbered:
        raise ValueError(f"{path} holds no data")
    separator = next((s for s in _SEPARATORS if s in numbered[0][1]), None)
    lines = [i for i, _ in numbered]
    rows = [_cells(line, separator) for _, line in numbered]
    if all(len(row) > 1 and not row[-1] for row in rows):  # each line ends with a separator
        rows = [row[:-1] for row in rows]
    for i, row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{path}, line {i}: {len(row)} cells, but line {lines[0]} has {len(rows[0])}"
            )
    names = [f"{j}" for j in range(1, len(rows[0]) + 1)]
    if any(_number(cell) is None for cell in rows[0]):
        names = [cell or name for cell, name in zip(rows.pop(0), names, strict=True)]
        del lines[0]
    if not rows:
        raise ValueError(f"{path} holds no data")
    return _Table(path, names, rows, lines)


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]


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
    if y is not None:
        y_places = table.places(y)
    else:
        y_places = [j for j in range(n_columns) if j not in taken and not table.is_text(j)]
    if not y_places:
        raise ValueError(f"{table.path} has no column of numbers left for y")
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
    )


def _stacked(table: _Table, places: Sequence[int]) -> Array:
    """One column as (N,), several as (number of columns, N)."""
    columns = np.array([table.numbers(j) for j in places])
    return columns[0] if len(places) == 1 else columns


# ---- results ---------------------------------------------------------------------------------


def write(path: Path, result: FitResult, titles: Sequence[str] | None) -> None:
    """Write a result as CSV, one row per fit, or as ``.npz``, arrays in the batch's shape.

    A CSV file begins with the data set's name in the column ``data``, or with its place in the
    batch, counted from 0, in the columns ``dim_0``, ``dim_1``, ...  Numbers are written with as
    many digits as it takes to read the same numbers again.
    """
    if path.suffix == ".npz":
        arrays = {
            "params": result.params,
            "stderr": result.stderr,
            "cov": result.cov,
            "chi2": result.chi2,
            "dof": result.dof,
            "status": result.status,
            "n_iter": result.n_iter,
            "names": np.array(result.names),
        }
        if titles is not None:
            arrays["data"] = np.array(titles)
        np.savez(path, **arrays)  # type: ignore[arg-type]  # takes allow_pickle for an array
        return
    columns = [*_places(result, titles), *result.columns().items()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([name for name, _ in columns])
        writer.writerows(zip(*(_texts(column) for _, column in columns), strict=True))


def _places(result: FitResult, titles: Sequence[str] | None) -> list[tuple[str, Array]]:
    """The columns that say which data set a row is about."""
    if titles is not None:
        return [("data", np.array(titles))]
    indices = np.indices(result.chi2.shape)
    return [(f"dim_{k}", index.reshape(-1)) for k, index in enumerate(indices)]


def _texts(column: Array) -> list[Any]:
    """Values that `csv` writes with the digits of their own type, not of float64."""
    texts: list[Any] = (column.astype(str) if column.dtype == np.float32 else column).tolist()
    return texts
