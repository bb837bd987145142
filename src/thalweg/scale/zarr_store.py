"""Results in a folder of Zarr format 3: an array for each number, a chunk for each piece.

The library zarr makes the arrays and reads them.  Their chunks are written here, as the format
says: raw numbers in C order, little endian, chunks at the ends filled up, no file for a chunk that
holds nothing but the fill value.  So each file is written whole or not at all and is on the disk
(`thalweg._whole_files`) before the piece is marked as finished: by a number in the array
``finished``, the digests of the data of the piece, 0 where it is not finished.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import contiguous
from .._optional import optional
from .._whole_files import Output
from ..fitting.labels import Labels
from .grid import Grid

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
        return np.asarray(self.arrays[_FINISHED][...])

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
        folders = [self._write_chunk(self.specs[name], place, arrays[name]) for name in names]
        for folder in folders:
            self._settle(folder)
        mark = self._chunk(_FINISHED, (*place, 0))
        _write(mark, np.array(digests, "<u8").data.cast("B"))
        self._settle(mark.parent)

    def _write_chunk(self, spec: Spec, place: Sequence[int], values: Array) -> Path:
        chunk = (*self.grid.piece, *spec.own)
        block = values
        if values.shape != chunk:
            block = np.full(chunk, spec.nothing, spec.dtype)
            block[tuple(map(slice, values.shape))] = values
        file = self._chunk(spec.name, (*place, *(0 for _ in spec.own)))
        block = np.ascontiguousarray(block, spec.dtype)
        if block.dtype.kind in "iu" and (block == spec.nothing).all():
            file.unlink(missing_ok=True)
        else:
            _write(file, block.data.cast("B"))
        return file.parent

    def _chunk(self, name: str, place: Sequence[int]) -> Path:
        return self.path.joinpath(name, "c", *map(str, place))

    def _settle(self, folder: Path) -> None:
        """Bring the entries of a folder, and of those above it, to the disk."""
        if os.name == "nt" or not folder.exists():  # none is made for chunks of the fill value
            return
        while folder != self.path:
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            folder = folder.parent

    def clean(self) -> None:
        """Remove what a process that was killed has left of files that it was writing."""
        for file in self.path.rglob(".thalweg-*.part"):
            file.unlink(missing_ok=True)

    def tell(self, **more: Any) -> ZarrStore:
        """Return the store that tells more of itself; the file is replaced whole."""
        file = self.path / "zarr.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        about = content["attributes"][_OURS] | more
        content["attributes"][_OURS] = about
        text = json.dumps(content, indent=2).encode()
        _write(file, text)
        return ZarrStore(self.path, about)


def _write(path: Path, content: Any) -> None:
    """Write a file of these bytes, whole or not at all."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    path.parent.mkdir(parents=True, exist_ok=True)
    Output(path).commit(write)


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
    zarr = _zarr()
    if not path.exists():
        raise FileNotFoundError(2, "there is no such store", str(path))
    try:
        group = zarr.open_group(str(path), mode="r", zarr_format=3)
        about = dict(group.attrs)[_OURS]
        version = about["format"]
    except Exception:
        raise ValueError(f"{path} is no result of Thalweg") from None
    if version > FORMAT:
        raise ValueError(f"{path} was written by a later version of Thalweg than this one")
    store = ZarrStore(path, about)
    wanted = {spec.name: (*spec.own,) for spec in store.specs.values()}
    for name, own in wanted.items():
        shape = getattr(group.get(name), "shape", None)
        if shape != (*store.grid.batch, *own):
            raise ValueError(
                f"{path} is a broken result: its array {name} is "
                + ("missing" if shape is None else f"of shape {shape}")
            )
    if getattr(group.get(_FINISHED), "shape", None) != (*store.grid.counts, _DIGESTS):
        raise ValueError(f"{path} is a broken result: it does not tell what is finished")
    return store


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
    zarr = _zarr()
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
    try:
        group = zarr.create_group(str(new), zarr_format=3, attributes={_OURS: about})
        for spec in specs:
            _add(group, spec, grid.batch, grid.piece, dims)
        marks = Spec(_FINISHED, "uint64", (_DIGESTS,), 0)
        _add(group, marks, grid.counts, (1,) * len(dims), tuple(f"piece_{d}" for d in dims))
        for name, (along, values) in coordinates.items():
            if values.dtype.kind in _NUMBERS:
                group.create_array(name, data=values, dimension_names=along, compressors=None)
        _to_disk(new)
        if path.exists():
            os.rename(path, old)
        os.rename(new, path)
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
    group: Any, spec: Spec, batch: Sequence[int], piece: Sequence[int], dims: Sequence[str]
) -> None:
    own = (_OWN_AXIS.get(spec.name, "parameter"),) * len(spec.own)
    group.create_array(
        spec.name,
        shape=(*batch, *spec.own),
        chunks=(*piece, *spec.own),
        dtype=spec.dtype,
        fill_value=spec.nothing,
        compressors=None,
        filters=None,
        dimension_names=(*dims, *own),
    )


def _to_disk(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
