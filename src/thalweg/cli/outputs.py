"""Files that are written whole or not at all.

A file is written under another name in the folder of its target, hence in the same file system, and
flushed to disk; then it is renamed to the target.  Whatever ends the process at whatever moment,
the target is either the old file or the new one.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .._arguments.check import Array
from ..fitting.result import FitResult

_ROWS_AT_ONCE = 4096  # rows of a CSV file that are written between two looks for Ctrl-C


class Output:
    """A file to be written; the temporary file beside its target is opened at once.

    Raises
    ------
    OSError
        The target cannot be written; it is unchanged.

    Attributes
    ----------
    path : Path
        The target, as it was given.
    written : bool
        Whether the target is the new file by now.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.written = path, False
        self._renaming = False
        self._target = Path(os.path.realpath(path))  # a symbolic link itself is kept
        mode = _mode(path)
        try:
            handle, name = tempfile.mkstemp(".part", ".thalweg-", self._target.parent)
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from None
        self._temporary = name
        self._file = os.fdopen(handle, "w+b")
        os.fchmod(handle, mode)

    def commit(self, write: Callable[[BinaryIO], None]) -> None:
        """Write the file by ``write(file)`` and rename it to its target.

        Raises
        ------
        OSError
            The file could not be written; the target is unchanged.
        """
        try:
            write(self._file)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._renaming = True
            os.replace(self._temporary, self._target)
        except OSError as error:
            self._renaming = False
            raise OSError(
                error.errno, f"it was not written: {error.strerror or error}", str(self.path)
            ) from None
        finally:
            self.close()

    def close(self) -> None:
        """Close and remove the temporary file, unless it has become the target."""
        with suppress(OSError):  # the rest of a buffer may find no room; it is not needed any more
            self._file.close()
        try:
            os.unlink(self._temporary)
        except FileNotFoundError:  # it has been renamed, or was closed before
            self.written = self._renaming


def _mode(path: Path) -> int:
    """The permissions for the new file: those of the old one, or the usual ones of the process."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return stat.S_IMODE(old.st_mode)


# ---- results ---------------------------------------------------------------------------------


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
    np.savez(file, **arrays)  # type: ignore[arg-type]  # takes allow_pickle for an array


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
