"""Data sets of different lengths, end to end in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array, PerFit
from .data import Data


@dataclass(frozen=True, eq=False)
class RaggedData:
    """B data sets, of which set k has the points offsets[k] ... offsets[k + 1] - 1 of `flat`.

    It stands for `Data` where a result asks for what does not depend on the lengths.

    Attributes
    ----------
    flat : Data
        All M points, as those of one data set.
    offsets : ndarray of int, shape (B + 1,)
    batch : tuple of int
        The shape of the batch; B is its product.
    is_flat : bool
        Whether the user gave flat arrays, and so gets such.
    """

    flat: Data
    offsets: Array
    batch: tuple[int, ...]
    is_flat: bool
    labels = source = None  # neither lists nor flat arrays have coordinates
    several = None  # models of several outputs need data of one length
    kept = True

    @cached_property
    def lengths(self) -> Array:
        """How many points each data set has, (B,)."""
        return np.asarray(np.diff(self.offsets))

    @property
    def n_fits(self) -> int:
        """B."""
        return len(self.offsets) - 1

    @property
    def points(self) -> tuple[int, ...]:
        """The shape of all points, (M,)."""
        return self.flat.points

    @property
    def y(self) -> Array:
        """All y, (1, M)."""
        return self.flat.y

    @property
    def x(self) -> tuple[PerFit, ...]:
        """All points of each variable, (M,)."""
        return self.flat.x

    @property
    def sigma(self) -> PerFit | None:
        """All sigma, (M,)."""
        return self.flat.sigma

    @property
    def form(self) -> str:
        """How the model gets its variables, see `Data`."""
        return self.flat.form

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.flat.names

    @property
    def single(self) -> bool:
        """Whether the model gets one variable instead of several."""
        return self.flat.single

    def of_one_output(self) -> tuple[tuple[PerFit, ...], tuple[int, ...]]:
        """Return the variables as the model gets them, and the shape of their points."""
        return self.x, self.points

    def as_returned(self, values: Array, axis: int = 0) -> Array:
        """Return values of the one output, as they are."""
        return values

    @property
    def bytes_per_point(self) -> int:
        """How many bytes a point takes in rows: its place, variables, y, sigma and mask."""
        return 8 * (3 + len(self.x)) + 1

    def needed(self, what: str) -> RaggedData:
        """Return the data, which are here."""
        return self

    def weights(self) -> Array:
        """Return 1 / sigma of all points, (1, M); 0 where a point is left out."""
        return self.flat.weights()

    def longest(self, places: Array) -> int:
        """Return the largest number of points of some data sets."""
        return int(self.lengths[places].max()) if len(places) else 0

    def rows(self, places: Array) -> dict[str, Any]:
        """Return data sets as arguments of `thalweg.fit`, shorter ones filled up.

        What fills a row up is its last point, which is masked.
        """
        lengths, begin = self.lengths[places], self.offsets[:-1][places]
        along = np.arange(self.longest(places))
        at = begin[:, None] + np.minimum(along, lengths[:, None] - 1)
        beyond = along >= lengths[:, None]
        mask = beyond if beyond.any() else None
        if self.flat.use is not None:
            out = self.flat.use.array[at] == 0
            mask = out if mask is None else out | mask
        x: list[Array] = [row.array[at] for row in self.x]
        return {
            "x": self._in_form(x),
            "y": self.y[0][at],
            "sigma": None if self.sigma is None else self.sigma.array[at],
            "mask": mask,
            "axis": -1,
        }

    def _in_form(self, x: list[Array]) -> Any:
        if self.form == "columns":
            return dict(zip(self.names, x, strict=True))
        return x[0] if self.single else tuple(x)

    def picked(self, places: Array, batch: tuple[int, ...]) -> Any:
        """Return the data of the fits at these places, (n,); `Data` if that is one, not in a batch.

        They are copies.
        """
        if batch == ():
            return self.of_length(places, ())
        lengths = self.lengths[places]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][places] - offsets[:-1], lengths)
        return RaggedData(self._at(at, ()), offsets, batch, self.is_flat)

    def by_length(self) -> list[Array]:
        """Return the places of the data sets of each length, shorter ones first."""
        order = np.argsort(self.lengths, kind="stable")
        steps = np.flatnonzero(np.diff(self.lengths[order]))
        return np.split(order, steps + 1) if len(order) else []

    def places_of_points(self, places: Array) -> Array:
        """Return where the points of data sets of one length are in the flat arrays, (n, N)."""
        return self.offsets[:-1][places][:, None] + np.arange(self.longest(places))

    def of_length(self, places: Array, batch: tuple[int, ...]) -> Data:
        """Return the data of the fits at these places, which have one length, as rows."""
        at = self.places_of_points(places)
        return self._at(at if batch else at[0], batch)

    def _at(self, at: Array, batch: tuple[int, ...]) -> Data:
        """The data at these places of the flat arrays, (n, N) in a batch, else (N,)."""
        N, step = at.shape[-1], at.ndim - 1

        def row(flat: PerFit | None) -> PerFit | None:
            return None if flat is None else PerFit(flat.array[at], step)

        flat = self.flat
        return flat._replace(
            x=tuple(PerFit(values.array[at], step) for values in flat.x),
            y=self.y[0][at].reshape(prod(batch), N),
            sigma=row(flat.sigma),
            use=row(flat.use),
            batch=batch,
            points=(N,),
        )

    def as_given(self, rows: Sequence[Array]) -> Any:
        """Return an array for each data set, (N_k, ...), in the user's form: a list, or flat."""
        if not self.is_flat:
            return list(rows)
        return np.concatenate(rows) if len(rows) else np.empty(0, self.y.dtype)
