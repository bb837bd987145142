"""Files of the command line: data in as CSV, ``.npy`` or ``.npz``, results out as CSV or ``.npz``.

A CSV file has columns of numbers that commas, semicolons, tabs or blanks separate, whichever the
first line of them shows; lines that begin with ``#`` are comments and the first line may hold
names.  An empty cell, "nan" and "NA" are missing values: such points are left out of their fit.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ._check import Array
from .result import FitResult

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "-", "--"})
_SEPARATORS = "\t;,"  # in this order: a decimal comma may stand in lines that others separate


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
        return _from_columns(_Table.read(path), n_x, x, y, sigma)
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
        raise ValueError(f"--x is needed, as {path} holds no x: a .npy file, or numbers such as 1,2,5")
    rows, columns = np.indices(y.shape[-2:])
    return columns, rows


# ---- columns ---------------------------------------------------------------------------------


class _Table(NamedTuple):
    """The cells of a CSV file; ``lines`` says where each row stands in it."""

    path: Path
    names: list[str]
    rows: list[list[str]]
    lines: list[int]

    @classmethod
    def read(cls, path: Path) -> _Table:
        """Read all cells as text.

        Raises
        ------
        ValueError
            Lines differ in length, or there are none.
        """
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            lines, rows = zip(*_cells(file), strict=True) if True else ((), ())
        return cls(path, [], list(rows), list(lines))


def _cells(file: Any) -> Iterator[tuple[int, list[str]]]:
    raise NotImplementedError


def _from_columns(
    table: _Table, n_x: int, x: str | None, y: str | None, sigma: str | None
) -> DataSets:
    raise NotImplementedError
