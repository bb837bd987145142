"""Results in a folder of Zarr format 3: an array for each number, a chunk for each piece.

The library zarr reads the arrays.  They are written here, as the format says (zarr_format.py): raw
numbers in C order, little endian, chunks at the ends filled up, no file for a chunk that holds
nothing but the fill value.  So each file is written whole or not at all and is on the disk
(`thalweg._whole_files`) before the piece is marked as finished: by a number in the array
``finished``, the digests of the data of the piece, 0 where it is not finished.  And a fit of few
data sets does not wait for zarr to be imported, which takes half a second.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import contiguous
from .._optional import optional
from .._whole_files import to_disk, write_files
from ..fitting.labels import Labels
from .grid import Grid
from .zarr_format import FILE, array_text, described, group_text

FORMAT = 1  # number of the format of a store; it rises with what older versions cannot read
_OURS = "thalweg"  # the attribute of the group that tells what the store is
_FINISHED = "finished"
_NUMBERS = "biuf"  # kinds of types that are stored as arrays
_OWN_AXIS = {"covariance_rows": "covariance", _FINISHED: "digest"}  # others: "parameter"
_DIGESTS = 2  # one of x and y, one of the other arguments that differ between data sets


class Spec(NamedTuple):
    """An array of a store: its name, type, axes behind those of the batch, and fill value."""

    name: str
    dtype: str
    own: tuple[int, ...]
    fill: float

    @property
    def nothing(self) -> Any:
        """The fill value as a number of the type."""
        return np.dtype(self.dtype).type(self.fill)


@dataclass(frozen=True)
class ZarrStore:
    """A store that exists.

    Attributes
    ----------
    path : Path
    about : dict
        What the store tells of itself: its format, the call that made it, the grid, names.
    """

    path: Path
    about: dict[str, Any]
    # The folders whose own entry in the folder above is on the disk by now.
    _kept: set[Path] = field(default_factory=set, init=False, repr=False, compare=False)

    @cached_property
    def grid(self) -> Grid:
        """The pieces of the batch."""
        return Grid(tuple(self.about["batch"]), tuple(self.about["piece"]))

    @cached_property
    def specs(self) -> dict[str, Spec]:
        """The arrays by name."""
        rows = self.about["arrays"]
        return {n: Spec(n, d, tuple(own), float(fill)) for n, d, own, fill in rows}

    @cached_property
    def arrays(self) -> Any:
        """The group of zarr, for reading."""
        return _zarr().open_group(str(self.path), mode="r", zarr_format=3)

    def coordinates(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the coordinates of the batch: the axes of each, and its values."""
        found = {}
        for name, (along, dtype, values) in self.about["coordinates"].items():
            array = self.arrays[name][...] if values is None else np.array(values).astype(dtype)
            found[name] = tuple(along), np.asarray(array)
        return found

    def read(self, name: str, index: Any) -> Array:
        """Return a part of an array."""
        return contiguous(np.asarray(self.arrays[name][index]))

    def finished(self) -> Array:
        """Return the digests of every piece, (pieces along each axis, 2); 0 if not finished."""
        marks = np.zeros((*self.grid.counts, _DIGESTS), np.uint64)
        for place in self.grid.places():
            with suppress(FileNotFoundError):
                mark = self._chunk(_FINISHED, (*place, 0)).read_bytes()
                if len(mark) == marks[place].nbytes:  # else something else has broken the file
                    marks[place] = np.frombuffer(mark, "<u8")
        return marks

    def write(
        self, place: Sequence[int], arrays: Mapping[str, Array], digests: Sequence[int]
    ) -> None:
        """Write a piece; it is finished when all of it is on the disk, and marked at last.

        Raises
        ------
        OSError
            A file could not be written.  The piece is not marked, unless it was marked before, and
            then every file of it is either the old one or the new one; the status is the last.
        """
        names = sorted(arrays, key=lambda name: name == "status")
        mark = {self._chunk(_FINISHED, (*place, 0)): np.array(digests, "<u8").data.cast("B")}
        chunks = {}
        for name in names:
            spec = self.specs[name]
            file = self._chunk(name, (*place, *(0 for _ in spec.own)))
            block = self._block(spec, arrays[name])
            if block.dtype.kind in "iu" and (block == spec.nothing).all():
                file.unlink(missing_ok=True)
            else:
                chunks[file] = block.data.cast("B")
        write_files(chunks, mark, folders=self._to_flush)

    def _block(self, spec: Spec, values: Array) -> Array:
        """The values of a chunk, filled up to its size."""
        chunk = (*self.grid.piece, *spec.own)
        if values.shape != chunk:
            block = np.full(chunk, spec.nothing, spec.dtype)
            block[tuple(map(slice, values.shape))] = values
            return block
        return np.ascontiguousarray(values, spec.dtype)

    def _chunk(self, name: str, place: Sequence[int]) -> Path:
        return self.path.joinpath(name, "c", *map(str, place))

    def _to_flush(self, files: Iterable[Path]) -> set[Path]:
        """The folders that these new files are in, and those above whose entries may be new."""
        found = set()
        for file in files:
            for folder in file.parents:
                found.add(folder)
                if folder in self._kept or folder == self.path:
                    break
        self._kept.update(found)
        return found

    def clean(self) -> None:
        """Remove what a process that was killed has left of files that it was writing."""
        for file in self.path.rglob(".thalweg-*.part"):
            file.unlink(missing_ok=True)

    def tell(self, **more: Any) -> ZarrStore:
        """Return the store that tells more of itself; the file is replaced whole."""
        about = self.about | more
        write_files({self.path / FILE: group_text({_OURS: about})})
        return ZarrStore(self.path, about)


def _need_zarr() -> None:
    """Refuse results in a store where the library that reads them is not installed."""
    if find_spec("zarr") is None:
        _zarr()


def _zarr() -> Any:
    zarr = optional("zarr", "results in a store need")
    if int(zarr.__version__.split(".")[0]) < 3:
        raise ModuleNotFoundError(
            f"results in a store need zarr 3, and zarr {zarr.__version__} is installed: "
            "python -m pip install 'zarr>=3'",
            name="zarr",
        )
    return zarr


# ---- to open and to create -----------------------------------------------------------------------


def open_store(path: Path) -> ZarrStore:
    """Return the store at a path.

    Raises
    ------
    ValueError
        There is something else than a store of results, or a broken one.
    FileNotFoundError
        There is nothing.
    """
    _need_zarr()
    if not path.exists():
        raise FileNotFoundError(2, "there is no such store", str(path))
    try:
        about = (described(path) or {})["attributes"][_OURS]
        version = about["format"]
    except (KeyError, TypeError):
        raise ValueError(f"{path} is no result of Thalweg") from None
    if version > FORMAT:
        raise ValueError(f"{path} was written by a later version of Thalweg than this one")
    store = ZarrStore(path, about)
    wanted = {spec.name: (*spec.own,) for spec in store.specs.values()}
    for name, own in wanted.items():
        shape = _shape_of(path / name)
        if shape != (*store.grid.batch, *own):
            raise ValueError(
                f"{path} is a broken result: its array {name} is "
                + ("missing" if shape is None else f"of shape {shape}")
            )
    if _shape_of(path / _FINISHED) != (*store.grid.counts, _DIGESTS):
        raise ValueError(f"{path} is a broken result: it does not tell what is finished")
    return store


def _shape_of(folder: Path) -> tuple[int, ...] | None:
    """The shape of the array in a folder; None if there is none."""
    shape = (described(folder) or {}).get("shape")
    return None if shape is None else tuple(shape)


def create(
    path: Path,
    grid: Grid,
    specs: Iterable[Spec],
    about: Mapping[str, Any],
    labels: Labels | None,
) -> ZarrStore:
    """Make a store in which nothing is finished, whole or not at all; what is there goes.

    It is made under another name beside its place, and moved there.
    """
    _need_zarr()
    new, old = (path.with_name(f".{path.name}.{kind}") for kind in ("part", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    specs = list(specs)
    dims = labels.dims if labels else tuple(f"dim_{k}" for k in range(len(grid.batch)))
    coordinates = labels.coords if labels else {}
    taken = {_FINISHED, *(spec.name for spec in specs)}
    about = {
        **about,
        "labelled": labels is not None,
        "dims": dims,
        "coordinates": {n: _told(n, c, taken) for n, c in coordinates.items()},
        "format": FORMAT,
        "batch": grid.batch,
        "piece": grid.piece,
        "arrays": [(s.name, s.dtype, s.own, repr(s.fill)) for s in specs],
    }
    marks = Spec(_FINISHED, "uint64", (_DIGESTS,), 0)
    try:
        new.mkdir()
        (new / FILE).write_bytes(group_text({_OURS: about}))
        for spec in specs:
            _add(new, spec, grid.batch, grid.piece, dims)
        _add(new, marks, grid.counts, (1,) * len(dims), tuple(f"piece_{d}" for d in dims))
        for name, (along, values) in coordinates.items():
            if values.dtype.kind in _NUMBERS:
                _add_values(new / name, values, along)
        to_disk(new.rglob("*"))
        if path.exists():
            os.rename(path, old)
        os.rename(new, path)
        to_disk([path.parent])
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return open_store(path)


def _told(name: str, coordinate: tuple[tuple[str, ...], Array], taken: set[str]) -> Any:
    """What the store tells of a coordinate: its axes, type and, unless it is numbers, values."""
    along, values = coordinate
    if name in taken:
        raise ValueError(
            f"{name!r} is the name of a coordinate of y and of a number of the result; rename the "
            "coordinate"
        )
    if values.dtype.kind in _NUMBERS:
        return along, values.dtype.str, None
    if values.dtype.kind in "mM":
        return along, values.dtype.str, values.astype(np.int64).tolist()
    return along, "<U", [str(v) for v in values.tolist()] if values.ndim == 1 else str(values)


def _add(
    folder: Path, spec: Spec, batch: Sequence[int], piece: Sequence[int], dims: Sequence[str]
) -> None:
    """Add an array in which nothing is written yet."""
    own = (_OWN_AXIS.get(spec.name, "parameter"),) * len(spec.own)
    shape, chunk = (*batch, *spec.own), (*piece, *spec.own)
    text = array_text(shape, chunk, spec.dtype, spec.fill, (*dims, *own))
    (folder / spec.name).mkdir()
    (folder / spec.name / FILE).write_bytes(text)


def _add_values(folder: Path, values: Array, dims: Sequence[str]) -> None:
    """Add an array of one chunk that holds these values."""
    values = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
    chunk = folder.joinpath("c", *("0" for _ in dims))
    chunk.parent.mkdir(parents=True)
    (folder / FILE).write_bytes(array_text(values.shape, values.shape, values.dtype, 0, dims))
    chunk.write_bytes(values.tobytes())
