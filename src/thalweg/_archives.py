"""Arrays to ``.npz`` files, and from ``.npy`` and ``.npz`` files that anyone may have made.

The size that a header promises is compared with what the file holds before memory is asked for.
Objects (pickles) are refused.  Whatever exception a broken file causes in NumPy or `zipfile`
becomes one `ValueError` that names the file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from ._arguments.pieces import Array

# A deflated stream is never shorter than 1 / 1032 of its content: a run of 258 bytes takes 2 bits.
_MOST_DEFLATED = 1032
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Content:
    """The content of a file that has no path, and what it is called in sentences."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """How the name of such a file ends: ".npy" or ".npz"; "" if it holds something else."""
        kinds = {npy.MAGIC_PREFIX: ".npy", b"PK\x03\x04": ".npz"}
        return next((s for magic, s in kinds.items() if self.content.startswith(magic)), "")

    def open(self, mode: str = "rb") -> BinaryIO:
        """Return the content as an open file."""
        file = io.BytesIO(self.content)
        file.name = self.name
        return file


def _size(path: Path | Content) -> int:
    return len(path.content) if isinstance(path, Content) else path.stat().st_size


def load_array(path: Path | Content, mapped: bool = False) -> Array:
    """Return the array of a ``.npy`` file, in memory or mapped from the file, to be read only.

    Raises
    ------
    ValueError
        The file is no such file, or a broken one.
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file, _refusing_broken(path):
        if not mapped or isinstance(path, Content):
            return _read(file, _size(path))
        _checked_header(file, _size(path))
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return array


def load_archive(
    path: Path | Content, names: tuple[str, ...] | None = None
) -> tuple[dict[str, Array], list[str]]:
    """Return those arrays of a ``.npz`` file that have one of the names, and all names in it.

    Without ``names`` all its arrays are returned.

    Raises
    ------
    ValueError
        The file is no such file, or a broken one.
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file, _refusing_broken(path):
        with zipfile.ZipFile(file) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
            wanted = members if names is None else [n for n in names if n in members]
            found = {n: _member(archive, members[n]) for n in wanted}
            return found, list(members)


def write_archive(file: BinaryIO, arrays: dict[str, Array]) -> None:
    """Write arrays as `numpy.savez` does, without a message if it is interrupted.

    A `ZipFile` that is deleted in the middle of a member, as after Ctrl-C, prints an exception that
    cannot be caught; if it has lost its file it does not.
    """
    archive = zipfile.ZipFile(file, "w")
    try:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.close()
    except BaseException:
        archive.fp = None
        raise


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    if info.file_size > _MOST_DEFLATED * info.compress_size:
        raise ValueError(f"{info.filename} claims more bytes than its packed data can hold")
    with archive.open(info) as file:
        array = _read(file, info.file_size)
        if file.read(1):  # to read to the end also compares the checksum
            raise ValueError(f"{info.filename} is longer than its header says")
        return array


def _read(file: Any, size: int) -> Array:
    """The array of an open file of ``size`` bytes, in the format of ``.npy``."""
    _checked_header(file, size)
    file.seek(0)
    array: Array = npy.read_array(file, allow_pickle=False)
    return array


def _checked_header(file: Any, size: int) -> None:
    """Refuse a header that promises objects, or more than there is in a file of ``size`` bytes."""
    shape, dtype, n_bytes = _header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded")
    if n_bytes > size - file.tell():
        raise ValueError(
            f"its header promises {n_bytes} bytes of data, shape {shape}, "
            f"and {size - file.tell()} are there"
        )


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    version = npy.read_magic(file)
    # version 3.0 differs from 2.0 only in the names of fields, which arrays of numbers do not have
    reader = _READERS.get(version)
    if reader is None:
        raise ValueError(f"its format has version {version[0]}.{version[1]}, not 1.0 or 2.0")
    shape, _, dtype = reader(file)
    n_bytes = dtype.itemsize
    for length in shape:
        if length < 0:
            raise ValueError(f"its header promises the shape {shape}")
        n_bytes *= length
    return shape, dtype, n_bytes


@contextmanager
def _refusing_broken(path: Path | Content) -> Iterator[None]:
    """Turn whatever a broken file makes NumPy, `zipfile` or zlib raise into a ValueError."""
    try:
        yield
    except MemoryError:
        raise ValueError(f"{path} is larger than the memory there is") from None
    except Exception as error:
        words = " ".join(f"{error}".split()) or type(error).__name__
        shown = words if len(words) <= 200 else f"{words[:197]}..."
        raise ValueError(f"{path} cannot be read as an array: {shown}") from None
