"""One chunk of a batch: its fits, run in the process that has its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array
from ..fitting.fit import fit
from ..fitting.problem import Problem
from ..fitting.result import FitResult
from . import _record
from ._cut import Axes, Place, of_no_fit, part
from ._outputs import OtherOutputs
from ._parts import filled


class ChunkError(RuntimeError):
    """A chunk could not be computed; the message says which one and why.

    Examples
    --------
    >>> import warnings
    >>> import dask.array as da
    >>> import numpy as np
    >>> from thalweg.scale.dask import ChunkError, fit
    >>> def picky(x, a):
    ...     if float(x[0]) > 1:
    ...         raise ZeroDivisionError("x is too large")
    ...     return a * np.array(x.tolist())
    >>> x, y = np.array([[0.0, 1, 2], [5, 6, 7]]), da.ones((2, 3), chunks=(1, 3))
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # the model is not one that can be recorded
    ...     try:
    ...         fit(picky, x, y, [1.0]).compute()
    ...     except ChunkError as error:
    ...         print(error)
    the chunk of fits [1:2]: ZeroDivisionError: x is too large
    """


class Held:
    """An object in a graph of dask, which would look into a tuple."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Call:
    """A call of `thalweg.fit` that is made for each chunk.

    Attributes
    ----------
    model, arguments, options
        What `thalweg.fit` gets; arguments may hold a `Place` for what differs between chunks.
    points : tuple of int
        The shape of the points of a fit.
    outputs : int
        How many axes of these, 0 or 1, are that of the model's outputs.
    errors : {"raise", "ignore"}
        What becomes of a chunk that raises.
    kind : dtype
        The type of the records.
    problem : Problem or None
        What the fits of all chunks have in common.
    """

    def __init__(
        self,
        model: Any,
        arguments: dict[str, Any],
        options: dict[str, Any],
        points: tuple[int, ...],
        outputs: int,
        errors: str,
    ) -> None:
        self.model, self.arguments, self.options = model, arguments, options
        self.points, self.outputs, self.errors = points, outputs, errors
        self.kind: np.dtype[Any] = np.dtype([])
        self.problem: Problem | None = None

    def of_no_fit(self, dtype: Any, arrays: list[tuple[Any, Axes]]) -> FitResult:
        """Return the result of a batch without fits, whose arguments are checked as any others'.

        It tells names, types and shapes of all results, and is all that runs before dask computes.
        """
        y = np.empty((1, 0, *self.points), dtype)
        result = self._fit(y, filled(self.arguments, Place, partial(of_no_fit, arrays=arrays)))
        if result.status.shape != (1, 0):
            raise OtherOutputs(result.status.shape)
        return result

    def run(self, y: Array, parts: list[Array], where: list[Array]) -> Array:
        """Return the records of the fits of a chunk, y (..., *points)."""
        batch = y.shape[: y.ndim - len(self.points)]
        try:
            arguments = filled(self.arguments, Place, partial(part, parts=parts, batch=batch))
            result = self._fit(y.reshape(1, prod(batch), *self.points), arguments)
        except Exception as error:
            if self.errors == "raise":
                raise ChunkError(f"the chunk of fits {place(where)}: {told(error)}") from error
            finished = getattr(error, "result", None)
            if not isinstance(finished, FitResult):
                return _record.not_run(batch, self.kind)
            result = finished
        return _record.packed(result, self.kind).reshape(batch)

    def _fit(self, y: Array, arguments: dict[str, Any]) -> FitResult:
        axes = tuple(range(self.outputs - len(self.points), 0))
        return fit(self.model, y=y, axis=axes, **arguments, **self.options)


def place(where: Sequence[Array]) -> str:
    """Return which part of a whole a chunk is, from its numbers along each axis."""
    ends = [f"{int(at[0])}:{int(at[-1]) + 1}" if at.size else "0:0" for at in where]
    return f"[{', '.join(ends)}]"


def told(error: Exception) -> str:
    """Return an exception in words."""
    return f"{type(error).__name__}: {error}"


def run(call: Held, y: Array, *arrays: Array, n_where: int) -> Array:
    """Return the records of a chunk: what dask calls; ``arrays`` ends with the fits' numbers."""
    cut = len(arrays) - n_where
    own: Call = call.value
    return own.run(np.asanyarray(y), list(arrays[:cut]), list(arrays[cut:]))


def mapped(records: Array, problem: Held, function: Callable[[FitResult], Any]) -> Array:
    """Return a function of the results of a chunk: of its batch's shape, and more axes."""
    return np.array(function(_record.unpacked(records, problem.value)))
