"""Files of arrays: ``.npy`` and ``.npz``, TIFF stacks, HDF5, Zarr and NetCDF.

All but the first two are read by their libraries, which are imported when such a file is met.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._archives import Content, load_archive, load_array
from .._optional import optional

ONLY = "y"  # the name of the array of a file with one array that has no name


class Arrays(NamedTuple):
    """Arrays of a file.

    Attributes
    ----------
    found : dict
        The arrays that were asked for, by name: in memory, or as they are in the file, of which an
        index reads a part.
    names : list of str
        The names of all arrays in the file.
    pages : bool
        Whether the first axis counts the pages of a stack of images.
    """

    found: dict[str, Any]
    names: list[str]
    pages: bool = False


def is_array_file(path: Path | Content) -> bool:
    """Whether a file's name, or content without one, says that it holds arrays."""
    return path.suffix.lower() in _READERS


def read_arrays(path: Path | Content, wanted: Collection[str], whole: bool = True) -> Arrays:
    """Return those arrays of a file that have one of the names.

    A file whose array has no name, such as ``.npy`` and TIFF, holds "y".  A single array is
    returned whatever its name.  If not ``whole``, arrays stay in the file as far as its format
    allows, to be read in parts.

    Raises
    ------
    ValueError
        The file is broken, or of another kind than its name says.
    OSError
        The file cannot be opened.
    ModuleNotFoundError
        The library that reads such files is missing.
    """
    return _READERS[path.suffix.lower()](path, wanted, whole)


def _npy(path: Path | Content, wanted: Collection[str], whole: bool) -> Arrays:
    return Arrays({ONLY: load_array(path, mapped=not whole)}, [ONLY])


def _npz(path: Path | Content, wanted: Collection[str], whole: bool) -> Arrays:
    found, names = load_archive(path, tuple(wanted))
    if len(names) == 1 and not found:
        found = load_archive(path, tuple(names))[0]
    return Arrays(found, names)


def _tif(path: Path, wanted: Collection[str], whole: bool) -> Arrays:
    tifffile = optional("tifffile", "reading .tif needs")

    def read() -> Arrays:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            if series.axes.endswith("S"):
                raise ValueError(f"it holds colours, axes {series.axes}; save one channel alone")
            array = np.asarray(series.asarray())
            return Arrays({ONLY: array}, [ONLY], array.ndim > 2)

    return _by_library(path, "TIFF", read)


def _hdf5(path: Path, wanted: Collection[str], whole: bool) -> Arrays:
    h5py = optional("h5py", "reading .h5 needs")

    def read() -> Arrays:
        file, names = h5py.File(path, "r"), []
        try:
            file.visititems(lambda n, item: names.append(n) if hasattr(item, "dtype") else None)
            return Arrays(_picked(file, names, wanted, whole), names)
        finally:
            if whole:
                file.close()

    return _by_library(path, "HDF5", read)


def _zarr(path: Path, wanted: Collection[str], whole: bool) -> Arrays:
    zarr = optional("zarr", "reading .zarr needs")

    def read() -> Arrays:
        store = zarr.open(str(path), mode="r")
        if hasattr(store, "dtype"):
            return Arrays({ONLY: np.asarray(store[...]) if whole else store}, [ONLY])
        names = [name for name, item in store.members(max_depth=None) if hasattr(item, "dtype")]
        return Arrays(_picked(store, sorted(names), wanted, whole), sorted(names))

    return _by_library(path, "Zarr", read)


def _netcdf(path: Path, wanted: Collection[str], whole: bool) -> Arrays:
    """The variables of a file; missing values are NaN, and scales and offsets are applied."""
    xarray = optional("xarray", "reading .nc needs")

    def read() -> Arrays:
        dataset = xarray.open_dataset(path)
        every, names = list(map(str, dataset.variables)), list(map(str, dataset.data_vars))
        wanted_too = {*wanted, *names} if len(names) == 1 else wanted
        try:
            return Arrays(_picked(dataset, every, wanted_too, whole), names)
        finally:
            if whole:
                dataset.close()

    return _by_library(path, "NetCDF", read)


def _picked(store: Any, names: list[str], wanted: Collection[str], whole: bool) -> dict[str, Any]:
    """The arrays that are wanted; "/a/b" names "a/b"."""
    found = {}
    for name in wanted:
        if name.strip("/") in names:
            found[name] = _of_numbers(store[name.strip("/")], whole)
    if len(names) == 1 and not found:
        found[names[0]] = _of_numbers(store[names[0]], whole)
    return found


def _of_numbers(item: Any, whole: bool) -> Any:
    if np.dtype(item.dtype).hasobject or np.dtype(item.dtype).names:
        raise ValueError(f"{item.name} holds no numbers")
    return np.asarray(item[...]) if whole else item


def _by_library(path: Path, kind: str, read: Callable[[], Arrays]) -> Arrays:
    """What a library reads; whatever it raises about a broken file becomes one sentence."""
    os.stat(path)  # says in the words of the system that there is no such file
    try:
        return read()
    except MemoryError:
        raise ValueError(f"{path} is larger than the memory there is") from None
    except Exception as error:
        words = " ".join(f"{error}".split())[:200] or type(error).__name__
        raise ValueError(f"{path} cannot be read as {kind}: {words}") from None


_READERS: dict[str, Callable[[Any, Collection[str], bool], Arrays]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".tif": _tif,
    ".tiff": _tif,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".zarr": _zarr,
    ".nc": _netcdf,
}
