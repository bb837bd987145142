"""Results as the command line writes them to files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from .._archives import write_archive
from .._arguments.check import Array
from ..fitting.result import FitResult
from ..fitting.saved import arrays_of

_ROWS_AT_ONCE = 4096  # rows of a CSV file that are written between two looks for Ctrl-C


def write_result(
    file: BinaryIO, suffix: str, result: FitResult, titles: Sequence[str] | None
) -> None:
    """Write a result as CSV, one row per fit, or as ``.npz``, arrays in the batch's shape.

    A CSV file begins with the data set's name in the column ``data``, or with its place in the
    batch, counted from 0, in the columns ``dim_0``, ``dim_1``, ...  Numbers are written with as
    many digits as it takes to read the same numbers again.
    """
    if suffix == ".npz":
        _write_arrays(file, result, titles)
    else:
        _write_rows(file, [*_places(result, titles), *result.columns().items()])


def _write_arrays(file: BinaryIO, result: FitResult, titles: Sequence[str] | None) -> None:
    """Write what `thalweg.load` reads, and what others look for: errors, covariance, names."""
    arrays = arrays_of(result) | {
        "stderr": result.stderr,
        "cov": result.cov,
        "dof": result.dof,
        "names": np.array(result.names),
    }
    if titles is not None:
        arrays["data"] = np.array(titles)
    write_archive(file, arrays)


def _write_rows(file: BinaryIO, columns: Sequence[tuple[str, Array]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([name for name, _ in columns])
        for begin in range(0, columns[0][1].size, _ROWS_AT_ONCE):
            some = [_texts(column[begin : begin + _ROWS_AT_ONCE]) for _, column in columns]
            writer.writerows(zip(*some, strict=True))
        text.flush()
    finally:
        text.detach()


def _places(result: FitResult, titles: Sequence[str] | None) -> list[tuple[str, Array]]:
    """The columns that tell which data set each row belongs to."""
    if titles is not None:
        return [("data", np.array(titles))]
    indices = np.indices(result.chi2.shape)
    return [(f"dim_{k}", index.reshape(-1)) for k, index in enumerate(indices)]


def _texts(column: Array) -> list[Any]:
    """Values that `csv` writes with the digits of their own type, not of float64."""
    texts: list[Any] = (column.astype(str) if column.dtype == np.float32 else column).tolist()
    return texts
