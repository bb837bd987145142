"""A result that stays on disk: it is opened, asked, and read in parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from math import ceil, prod
from operator import attrgetter
from pathlib import Path
from typing import Any, overload

import numpy as np

from .._arguments.check import Array, Booleans, Floats, Integers, name_index, place_of
from ..fitting.labels import Labels
from ..fitting.result import FitResult
from ..fitting.saved import from_arrays
from ..fitting.selection import PER_FIT
from ..status import explain
from .partial_result import without_covariance
from .sources import Region
from .stored_numbers import COMPUTED, by_piece, lazy_dataset, mapped, summary, why_absent
from .zarr_store import ZarrStore, open_store


def open_result(path: Any, model: Any = None) -> StoredResult:
    """Open a result that `thalweg.fit` has written with ``out=``; it may be unfinished.

    Parameters
    ----------
    path : path
        The folder, such as ``"result.zarr"``.
    model : callable, str or Model, optional
        The model, for `FitResult.predict` of parts; not needed for a formula or a built-in model.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    ValueError
        There is something else than a result, or a broken one.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import thalweg as tw
    >>> x = np.arange(4.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     r = tw.fit("line", x, np.array([2 * x, 3 * x + 1]), out=f"{folder}/lines.zarr")
    ...     tw.scale.open_result(f"{folder}/lines.zarr")["slope"].round(9)
    array([2., 3.])
    """
    return StoredResult(open_store(Path(path)), model)


class StoredResult:
    """The result of many fits in a store; numbers are read when they are asked for.

    ``r.params``, ``r.stderr``, ``r.chi2``, ``r.status``, ``r.n_iter``, ``r.n_used``, ``r.detail``
    and ``r.attempts`` are arrays of zarr, of which an index reads a part: ``r.params[:1000]``.
    ``r["tau"]`` is one parameter of every fit, in memory, and ``r[17]``, ``r[:100]`` or ``r[...]``
    an ordinary `FitResult` of these fits, without their data.  ``r.dof``, ``r.redchi``, ``r.aic``,
    ``r.aicc``, ``r.bic`` and ``r.at_bound`` are computed piece by piece, and are arrays in memory.
    What a `FitResult` has beyond these, a part has, or `map` computes.

    Attributes
    ----------
    path : Path
        The folder.
    names : tuple of str
        Names of the parameters.
    shape : tuple of int
        The shape of the batch.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import thalweg as tw
    >>> x = np.arange(4.0)
    >>> y = np.array([2 * x, 3 * x + 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     r = tw.fit("line", x, y, out=f"{folder}/lines.zarr")
    ...     r.finished, r["slope"].round(6), abs(r.params[1]).round(6)
    (True, array([2., 3.]), array([3., 1.]))
    """

    def __init__(self, store: ZarrStore, model: Any = None) -> None:
        self._store, self._model = store, model
        self.path, self.shape = store.path, store.grid.batch
        self.names: tuple[str, ...] = tuple(store.about["names"])

    def __getattr__(self, name: str) -> Any:
        """Return an array of the store, or one that is computed from its arrays."""
        store = self.__dict__.get("_store")
        if store is not None and name in store.specs:
            return store.arrays[name]
        if store is not None and name in COMPUTED:
            return self.map(attrgetter(name))
        raise AttributeError(why_absent(name))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._store.specs, *COMPUTED]

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredResult, (self._store, self._model)

    @property
    def size(self) -> int:
        """The number of fits."""
        return prod(self.shape)

    @property
    def n_finished(self) -> int:
        """The number of fits that are finished, whether they succeeded or failed."""
        done = self._store.finished()[..., 0] != 0
        grid = self._store.grid
        return sum(grid.size(place) for place in grid.places() if done[place])

    @property
    def finished(self) -> bool:
        """Whether all fits are finished."""
        return bool((self._store.finished()[..., 0] != 0).all())

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        """Return the parameters of all fits, (..., P), in memory, as `FitResult` does."""
        return np.array(self.params, dtype)

    def __repr__(self) -> str:
        part = "" if self.finished else f"{self.n_finished} of "
        names = ", ".join(self.names)
        return f"<StoredResult: {part}{self.size} fits {self.shape}\n of {names}\n in {self.path}>"

    # ---- parts -------------------------------------------------------------------------------

    @overload
    def __getitem__(self, key: str) -> Floats: ...

    @overload
    def __getitem__(self, key: Any) -> FitResult: ...

    def __getitem__(self, key: Any) -> Any:
        """Return one parameter of every fit by its name, or the `FitResult` of some fits.

        Numbers, slices and ``...`` pick fits as NumPy does; so does a list of places along the one
        axis of a batch, and an array of booleans of the batch's shape.

        Raises
        ------
        KeyError
            No parameter has that name.
        IndexError
            The index does not fit the batch.
        """
        if isinstance(key, str):
            try:
                return self.column("params", name_index(key, self.names, "the result"))
            except ValueError as error:
                raise KeyError(str(error)) from None
        parts = key if isinstance(key, tuple) else (key,)
        if all(isinstance(p, int | np.integer | slice) or p is Ellipsis for p in parts):
            index = _basic(parts, self.shape)
            arrays = {name: self._store.read(name, index) for name in self._store.specs}
            return self._result(arrays, index)
        places = self._places(key)
        return self._result({name: self._picked(name, places) for name in self._store.specs}, None)

    def column(self, name: str, j: int) -> Floats:
        """Return column j of an array such as ``"params"``, of the batch's shape."""
        store, grid = self._store, self._store.grid
        out = np.empty(self.shape, np.dtype(store.specs[name].dtype).newbyteorder("="))
        for place in grid.places():  # so that memory holds one piece of the others
            region = grid.region(place)
            out[region] = store.read(name, region)[..., j]
        return out

    def _places(self, key: Any) -> tuple[Array, ...]:
        """The places that a list of them or an array of booleans picks, along each axis."""
        array = np.asarray(key)
        if array.dtype == bool and array.shape == self.shape:
            return np.nonzero(array)
        if array.dtype.kind in "iu" and array.ndim == 1 and len(self.shape) == 1:
            if array.size and not (-self.size <= array.min() and array.max() < self.size):
                raise IndexError(f"a place is out of range of the {self.size} fits")
            return (array % self.size,)
        raise IndexError(
            "fits of a store are picked by numbers, slices, an array of booleans of the shape "
            f"{self.shape}, or a list of places where the batch has one axis"
        )

    def _picked(self, name: str, places: tuple[Array, ...]) -> Array:
        """Entries of an array at these places, read piece by piece."""
        grid, spec = self._store.grid, self._store.specs[name]
        out = np.empty((len(places[0]), *spec.own), np.dtype(spec.dtype).newbyteorder("="))
        of = [p // n for p, n in zip(places, grid.piece, strict=True)]
        number = np.ravel_multi_index(of, grid.counts)
        for k in np.unique(number):
            some = number == k
            region = grid.region([int(i) for i in np.unravel_index(k, grid.counts)])
            inside = tuple(p[some] - s.start for p, s in zip(places, region, strict=True))
            out[some] = self._store.read(name, region)[inside]
        return out

    def _result(self, arrays: dict[str, Array], index: Any) -> FitResult:
        """The result that these arrays are."""
        about = self._store.about
        header = json.loads(about["header"])
        for name, (dtype, shape, values) in about["shared"].items():
            arrays[name] = np.array([float(v) for v in values], dtype).reshape(shape)
        arrays["n_used"] = arrays["n_used"].astype(np.int64)
        errors = arrays.pop("stderr")
        if "fixed" in arrays:
            arrays["fixed"] = arrays["fixed"].reshape(-1, len(self.names))
        free = [int(j) for j in arrays["free"]]
        arrays["errors"], F = errors[..., free], len(free)
        whole = "covariance_rows" in arrays
        if not whole:
            rows = np.full((*arrays["chi2"].shape, F * (F + 1) // 2), np.nan, errors.dtype)
            arrays["covariance_rows"] = rows
        arrays |= {name: np.asarray(arrays[name]) for name in PER_FIT}
        result = from_arrays(arrays, header, self._model)
        if index is not None and (labels := self._labels(index)) is not None:
            data = result.problem.data._replace(labels=labels)
            object.__setattr__(result, "problem", result.problem._replace(data=data))
        return result if whole or not F else without_covariance(result, errors)

    def _labels(self, index: Any) -> Labels | None:
        """The labels of the fits that an index picks, if y had names for its axes."""
        if not self._store.about["labelled"]:
            return None
        labels = Labels(tuple(self._store.about["dims"]), self._store.coordinates())
        return labels.picked(index, self.shape)

    # ---- questions ---------------------------------------------------------------------------

    @property
    def success(self) -> Booleans:
        """Whether each fit met a tolerance: ``status > 0``, of the batch's shape, in memory."""
        return np.asarray(self.status[...]) > 0

    def reason(self, *index: int | tuple[int, ...]) -> str:
        """Return in words why a fit stopped; see `FitResult.reason`."""
        at = index[0] if len(index) == 1 and isinstance(index[0], tuple) else index
        if len(at) != len(self.shape):
            raise IndexError(
                f"results of shape {self.shape} need an index of {len(self.shape)} numbers to pick "
                f"a fit, got {len(at)}"
            )
        at = place_of(at, self.shape)
        return explain(int(self.status[at]), int(self.detail[at]), self.names)

    def failed(self) -> Integers:
        """Return the places of the fits that did not succeed, shape (n,) or (n, dimensions)."""
        found = [np.empty((0, len(self.shape)), np.int64)]
        for region, status in by_piece(self._store, "status"):
            found.append(np.argwhere(status <= 0) + [s.start for s in region])
        where = np.concatenate(found)
        where = where[np.lexsort(where.T[::-1])]
        return where[:, 0] if len(self.shape) == 1 else where

    def pieces(self) -> Iterator[tuple[Region, FitResult]]:
        """Yield each piece: where it is in the batch, as slices, and the `FitResult` of its fits.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> import thalweg as tw
        >>> x = np.arange(4.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     r = tw.fit("line", x, np.outer([1.0, 2, 3], x), out=f"{folder}/r.zarr", chunk=2)
        ...     for (place,), part in r.pieces():
        ...         print(place.start, part["slope"].round(9))
        0 [1. 2.]
        2 [3.]
        """
        grid = self._store.grid
        for region in map(grid.region, grid.places()):
            yield region, self[region]

    def map(self, function: Callable[[FitResult], Any]) -> Array:
        """Return ``function(result)`` of all fits, computed piece by piece, as an array in memory.

        Parameters
        ----------
        function : callable
            It gets the `FitResult` of a piece, without data, and returns an array of the shape of
            its batch, or with more axes behind: ``lambda part: part.interval(0.95)``.

        Raises
        ------
        ValueError
            It returns an array that does not begin with the shape of the batch.
        """
        return mapped(self.pieces(), function, self.shape)

    def thinned(self, most: int = 1_000_000) -> FitResult:
        """Return the `FitResult` of every k-th fit along each axis, of about ``most`` fits."""
        step = self.step_of(most)
        return self[(slice(None, None, step),) * len(self.shape)]

    def step_of(self, most: int = 1_000_000) -> int:
        """Return the k of `thinned`."""
        step: int = ceil((self.size / most) ** (1 / len(self.shape)))
        return max(1, step)

    @property
    def tied(self) -> dict[str, str]:
        """The names of the tied parameters, and what each is tied to."""
        return self[(slice(0, 0),) * len(self.shape)].tied

    def to_xarray(self) -> Any:
        """Return a Dataset whose arrays are read from the store when they are asked for.

        Its variables are those of `FitResult.to_xarray` but for ``dof`` and ``cov``; ``.chunk({})``
        makes arrays of dask of them.

        Raises
        ------
        ModuleNotFoundError
            xarray is not installed.
        ValueError
            A coordinate of y has the name of a variable.
        """
        return lazy_dataset(self._store, self.names)

    def summary(self) -> str:
        """Return a table to read: how many fits ended how, and the spread of the parameters.

        Percentiles are those of about a million fits, evenly spread over the batch, if there are
        more.
        """
        return summary(self)

    def refit_failed(
        self, model: Any, x: Any, y: Any, p0: Any = None, **options: Any
    ) -> StoredResult:
        """Fit again the fits that have failed, with other arguments of `thalweg.fit`, in the store.

        A result replaces that of before if it is a success, or else has a lower chi2.  Killed and
        called again, it goes on with those that are still failed.

        Parameters
        ----------
        model, x, y, p0
            As for `thalweg.fit`: the same data; a model with the same parameters.
        **options
            Further arguments of `thalweg.fit`, such as ``starts=10``.

        Raises
        ------
        ValueError
            The store is not finished, or its data, parameters or type are others.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> import thalweg as tw
        >>> x = np.linspace(0, 9, 40)
        >>> y = np.array([np.sin(2 * x), np.sin(2.5 * x)])
        >>> wave = "a*sin(k*x)"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     r = tw.fit(wave, x, y, {"a": 1, "k": 2}, max_iter=2, out=f"{folder}/waves.zarr")
        ...     print(r.failed())
        ...     r = r.refit_failed(wave, x, y, {"a": 1, "k": 2.4})
        ...     print(r.failed(), r["k"].round(9))
        [1]
        [] [2.  2.5]
        """
        from .refit import refit_failed

        return refit_failed(self, {"model": model, "x": x, "y": y, "p0": p0, **options})


def _basic(parts: Sequence[Any], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index of numbers and slices, one for each axis, with steps above 0."""
    parts = list(parts)
    at = next((k for k, p in enumerate(parts) if p is Ellipsis), len(parts))
    n = sum(p is not Ellipsis for p in parts)
    if n > len(shape) or len(parts) - n > 1:
        raise IndexError(f"the batch has the shape {shape}, and the index {n} parts")
    parts[at : at + 1] = [slice(None)] * (len(shape) - n)
    index: list[Any] = []
    for k, (part, size) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            if part.step is not None and part.step < 1:
                raise IndexError("fits of a store are read forwards: a step must be at least 1")
            index.append(slice(*part.indices(size)))
        elif -size <= part < size:
            index.append(int(part) % size)
        else:
            raise IndexError(f"place {part} is out of range of axis {k}, which has {size} fits")
    return tuple(index)
