"""The result of fits that run when dask computes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from operator import attrgetter
from typing import Any

import numpy as np

from .._arguments.check import name_index
from .._optional import optional
from ..fitting.result import FitResult
from . import _chunk, _record

# Attributes of a result that have an entry, or an array, for each fit and need no data.
_NUMBERS = (
    *("params", "stderr", "cov", "correlation", "chi2", "redchi", "aic", "bic", "dof", "n_used"),
    *("n_iter", "attempts", "status", "detail", "success", "at_bound", "agreement"),
)


class LazyResult:
    """Fits that run when dask computes; B stands for the batch's shape.

    Attributes are arrays of dask with the meaning that they have in `FitResult`: ``params``,
    ``stderr`` and ``at_bound`` (..., P), ``cov`` and ``correlation`` (..., P, P), ``chi2``,
    ``redchi``, ``dof``, ``aic``, ``bic``, ``n_used``, ``n_iter``, ``attempts``, ``status``,
    ``detail``, ``success`` and, with starts, ``agreement``, each (...).  All come from the same
    fits: ``dask.compute(r.params, r.stderr)`` runs each of them once, two calls of ``compute()``
    twice, unless the fits are kept by `persist`.

    Attributes
    ----------
    names : tuple of str
        Names of the parameters, in the order of the last axis of ``params``.
    records : dask array, shape (...)
        What each chunk returns: all numbers of a fit in one record.

    Examples
    --------
    >>> import numpy as np
    >>> import dask.array as da
    >>> from thalweg.scale.dask import fit
    >>> x = np.arange(4.0)
    >>> y = da.from_array(np.array([2 * x, 3 * x + 1]), chunks=(1, 4))
    >>> r = fit("line", x, y)
    >>> r["slope"].compute().round(6)
    array([2., 3.])
    """

    def __init__(self, records: Any, empty: FitResult) -> None:
        self.records, self._empty = records, empty
        self.names = empty.names

    def __getattr__(self, name: str) -> Any:
        """Return a number of every fit, as an array of dask."""
        if name not in _NUMBERS or getattr(self._empty, name) is None:
            raise AttributeError(f"a LazyResult has no attribute {name!r}; compute() has all")
        return self.map(attrgetter(name))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *_NUMBERS]

    def __getitem__(self, name: str) -> Any:
        """Return one parameter of every fit, shape (...), by its name.

        Raises
        ------
        KeyError
            No parameter has that name.
        """
        try:
            j = name_index(name, self.names, "the result")
        except ValueError as error:
            raise KeyError(str(error)) from None
        return self.params[..., j]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the batch."""
        return tuple(self.records.shape)

    def map(self, function: Callable[[FitResult], Any]) -> Any:
        """Return ``function(result)`` of the result of each chunk, as an array of dask.

        Parameters
        ----------
        function : callable
            It gets a `FitResult` without data, of which it is called once without fits to tell the
            type, and returns an array of the batch's shape, or with more axes behind.
        """
        da = optional("dask.array", "a lazy result needs")
        like = np.asarray(function(self._empty))
        n, own = self.records.ndim, like.shape[2:]
        key = f"problem-of-{self.records.name}"
        return da.blockwise(
            _chunk.mapped, tuple(range(n + len(own))),
            self.records, tuple(range(n)),
            shared_object(_record.stub(self._empty.problem), key), None,
            function, None,
            token="fits",
            new_axes={n + k: size for k, size in enumerate(own)},
            dtype=like.dtype, meta=np.empty((0,) * (n + len(own)), like.dtype),
        )  # fmt: skip

    def persist(self, **settings: Any) -> LazyResult:
        """Return this result with its fits under way, or done, and kept where they have run.

        ``settings`` are those of `dask.persist`.
        """
        return LazyResult(self.records.persist(**settings), self._empty)

    def compute(self, **settings: Any) -> FitResult:
        """Run the fits, and return their result in memory, without the data.

        ``settings`` are those of `dask.compute`.  What needs the data, such as
        `FitResult.residual`, the result does not have.
        """
        records = np.asarray(self.records.compute(**settings))
        return _record.unpacked(records, self._empty.problem)

    def to_xarray(self) -> Any:
        """Return a Dataset of lazy arrays, with the variables of `FitResult.to_xarray`."""
        from ._dataset import dataset

        return dataset(self, tuple(f"dim_{k}" for k in range(len(self.shape))), {})

    def __repr__(self) -> str:
        chunks = prod(self.records.numblocks)
        fits = f"{prod(self.shape)} fits {self.shape}" if self.shape else "1 fit"
        names = ", ".join(self.names)
        return f"<LazyResult: {fits} in {chunks} chunk{'s' * (chunks != 1)}\n of {names}>"


def shared_object(value: Any, key: str) -> Any:
    """Return an object as one node of a graph, which many tasks read and each worker gets once."""
    delayed = optional("dask", "a lazy fit needs").delayed
    return delayed(_chunk.Held(value), name=key, traverse=False)
