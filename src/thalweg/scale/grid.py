"""Into which pieces a batch is divided: along the data's own chunks, of about 64 MB each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import count
from ..fitting.layout import Layout
from .sources import Region, Sliced

PIECE = 1 << 26  # bytes of data in a piece: two are in memory at a time, beside their results
_MOST = 2 * PIECE  # a chunk of the data up to this size is not divided
_READ_AGAIN = 8  # a larger one is divided if it need not be read more often than so
BY_CALLS = 1 << 12  # fits in a piece of a model that Python evaluates: seconds of work


class Grid(NamedTuple):
    """The pieces of a batch: boxes of one shape, cut off at the batch's ends.

    Attributes
    ----------
    batch : tuple of int
    piece : tuple of int
        The shape of a piece.
    """

    batch: tuple[int, ...]
    piece: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many pieces there are along each axis."""
        return tuple(-(-n // p) for n, p in zip(self.batch, self.piece, strict=True))

    def places(self) -> Iterator[tuple[int, ...]]:
        """Yield the place of every piece, in order."""
        return iter(np.ndindex(self.counts))

    def region(self, place: Sequence[int]) -> Region:
        """Return the part of the batch that a piece is."""
        return tuple(
            slice(k * p, min((k + 1) * p, n))
            for k, p, n in zip(place, self.piece, self.batch, strict=True)
        )

    def size(self, place: Sequence[int]) -> int:
        """Return the number of data sets in a piece."""
        return prod(s.stop - s.start for s in self.region(place))


def grid_of(
    layout: Layout, data: Sequence[Sliced], chunk: Any = None, most: int | None = None
) -> Grid:
    """Return the pieces of a batch.

    Parameters
    ----------
    layout : Layout
        Which axes of y count the data sets.
    data : sequence of Sliced
        What is read for each data set; y is the first.
    chunk : int, tuple of int or None
        The number of data sets in a piece, or its length along each axis of the batch.
    most : int or None
        The most data sets in a piece, whatever their size.

    Raises
    ------
    ValueError
        ``chunk`` is wrong, or the chunks of y are so large, or hold so few of the points of so many
        data sets, that they would be read again and again.
    """
    batch = layout.batch
    if chunk is not None:
        return Grid(batch, _asked(chunk, batch))
    row = sum(part.row_bytes(layout) for part in data)
    fits = max(1, PIECE // max(row, 1))
    fits = fits if most is None else min(fits, most)
    unit = _unit(layout, data[0].source)
    if prod(unit) * row <= _MOST and (most is None or prod(unit) <= most):
        return Grid(batch, _grown(unit, batch, max(fits, prod(unit))))
    piece = _shrunk(unit, fits)
    again = ceil(prod(unit) / prod(piece))
    if again > _READ_AGAIN:
        across = " lie across the axis that is fitted" if _crosses(layout, data[0].source) else ""
        raise ValueError(
            f"the chunks of y, {_chunks(data[0].source)},{across or ' are large'}: to read "
            f"{prod(piece)} data sets at a time, which are {PIECE >> 20} MB, every chunk would be "
            f"read {again} times; store y in chunks of all points of fewer data sets, or give "
            "chunk=, the number of data sets that memory can hold at a time"
        )
    return Grid(batch, piece)


def _asked(chunk: Any, batch: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(chunk, tuple | list):
        if len(chunk) != len(batch):
            raise ValueError(
                f"chunk must be a whole number or one for each of the {len(batch)} axes of the "
                f"batch, got {chunk!r}"
            )
        return tuple(min(count(c, "chunk", 1, 2**62), n) for c, n in zip(chunk, batch, strict=True))
    return _grown((1,) * len(batch), batch, count(chunk, "chunk", 1, 2**62))


def _chunks(source: Any) -> tuple[int, ...] | None:
    """The shape of the chunks in which a source is stored; None if it has none."""
    chunks = getattr(source, "chunks", None)
    if not chunks:
        return None
    return tuple(int(max(c) if isinstance(c, tuple) else c) for c in chunks)


def _unit(layout: Layout, source: Any) -> tuple[int, ...]:
    """The shape of the source's chunks along the axes of the batch; ones if it has no chunks."""
    chunks = _chunks(source)
    if chunks is None or len(chunks) != len(layout.shape):
        return (1,) * len(layout.batch)
    own = [c for k, c in enumerate(chunks) if k not in layout.axes]
    return tuple(max(1, min(c, n)) for c, n in zip(own, layout.batch, strict=True))


def _crosses(layout: Layout, source: Any) -> bool:
    """Whether the chunks of the source divide the points of a data set."""
    chunks = _chunks(source) or ()
    return any(chunks[a] < n for a, n in zip(layout.axes, layout.points, strict=True))


def _grown(unit: tuple[int, ...], batch: tuple[int, ...], fits: int) -> tuple[int, ...]:
    """A box of whole units with about so many data sets, the last axes as long as they can be."""
    piece = list(unit)
    for axis in reversed(range(len(batch))):
        times = max(1, fits // prod(piece))
        piece[axis] = min(batch[axis], unit[axis] * times)
        if piece[axis] < batch[axis]:
            break
    return tuple(piece)


def _shrunk(unit: tuple[int, ...], fits: int) -> tuple[int, ...]:
    """A part of a unit with at most so many data sets: its first axes are divided."""
    piece = list(unit)
    for axis in range(len(piece)):
        parts = ceil(prod(piece) / fits)
        piece[axis] = max(1, piece[axis] // parts)
        if prod(piece) <= fits:
            break
    return tuple(piece)
