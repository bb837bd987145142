"""Models of several outputs, and complex models: how their values are one row of real numbers.

A model may return K values for each point, as a tuple, or a complex value, whose real and imaginary
part are two outputs, or K complex values.  Data of R real outputs at N points are a fit of R N
points: the points of the first output, then those of the second, and so on.  The variables x are
repeated R times, and a further per-point array holds the number of the output, by which the one
recorded expression chooses between those of the outputs.

This module is the one place that knows this order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, PerFit
from .._core.value import is_complex
from .arrays import is_array_of_symbols
from .graph import Graph


class Several(NamedTuple):
    """The outputs of a model.

    Attributes
    ----------
    number : int or None
        The number K of the values that the model returns; None for one value, which is complex.
    complex : bool
        Whether the values are complex.
    """

    number: int | None
    complex: bool

    @property
    def n_real(self) -> int:
        """The number R of real outputs: K, or 2 K of complex values."""
        return (1 if self.number is None else self.number) * (2 if self.complex else 1)

    @property
    def words(self) -> str:
        """What the model returns, in words."""
        if self.number is None:
            return "a complex value"
        return f"{self.number} {'complex ' * self.complex}outputs"

    def parts(self, value: Any) -> list[Any]:
        """Return the R real outputs of a value that the model has returned."""
        values = [value] if self.number is None else list(value)
        if len(values) != (self.number or 1):
            raise ValueError(f"the model returned {len(values)} outputs, and {self.number} before")
        if not self.complex:
            return values
        return [part for v in values for part in (v.real, v.imag)]

    def repeated(self, rows: Sequence[PerFit]) -> tuple[PerFit, ...]:
        """Return rows of N numbers as rows of R N, the same for each output."""
        return tuple(PerFit(_repeated(row.array, self.n_real), row.step) for row in rows)

    def of_one(
        self, rows: Sequence[PerFit], points: tuple[int, ...]
    ) -> tuple[tuple[PerFit, ...], tuple[int, ...]]:
        """Return rows that `repeated` has made as they were, and the shape of their N points."""
        n = prod(points[1:])
        parts = (PerFit(np.ascontiguousarray(row.array[..., :n]), row.step) for row in rows)
        return tuple(parts), points[1:]

    def as_returned(self, values: Array, axis: int) -> Array:
        """Return values whose axis of this number holds the R outputs as the model returns them.

        Real outputs are an axis of K; complex ones are complex again, and an axis of K if there
        are several.
        """
        if not self.complex:
            return values
        first = np.moveaxis(values, axis, 0)
        element = np.result_type(values.dtype, np.complex64)
        joined = np.empty((self.n_real // 2, *first.shape[1:]), element)
        joined.real, joined.imag = first[::2], first[1::2]
        return joined[0] if self.number is None else np.moveaxis(joined, 0, axis)


def _repeated(array: Array, times: int) -> Array:
    return np.tile(array, times if array.ndim == 1 else (1, times))


def several_of(value: Any) -> Several | None:
    """Return which outputs a model has that returns this value; None for one that is real.

    The value is recorded, or an array of numbers for each output.
    """
    many = isinstance(value, tuple | list) or is_array_of_symbols(value)
    if not many:
        return Several(None, True) if is_complex(value) else None
    return Several(len(value), any(is_complex(v) for v in value))


def several_of_numbers(value: Any, points: tuple[int, ...]) -> Several | None:
    """Return which outputs a model has that returns these numbers at points of this shape.

    A sequence of one number per point is one output.
    """
    if isinstance(value, tuple | list):
        arrays = [np.asarray(v) for v in value]
        if all(a.ndim == 0 for a in arrays) or sum(a.size for a in arrays) == prod(points):
            value = np.ravel(np.asarray(value))
        else:
            return several_of(arrays)
    array = np.asarray(value)
    several = array.ndim == 1 + len(points) and array.size != prod(points)
    return several_of(list(array) if several else array)


def chosen(graph: Graph, outputs: Sequence[int]) -> int:
    """Return the node whose value at a point is that of the point's output.

    The number of the output is a new per-point array of the graph.  A point of output k meets about
    log2 R choices.
    """
    number = graph.append_x()

    def choose(first: int, nodes: Sequence[int]) -> int:
        if len(nodes) == 1:
            return nodes[0]
        half = (len(nodes) + 1) // 2
        low, high = choose(first, nodes[:half]), choose(first + half, nodes[half:])
        is_high = number  # which is 0 or 1 if there are two outputs
        if len(outputs) > 2:
            is_high = graph.add("less", graph.const(first + half - 0.5), number)
        return graph.add("where", is_high, high, low)

    return choose(0, outputs)


def laid_out(arrays: Sequence[Array], several: Several, n_points: int) -> list[Array]:
    """Return the per-point arrays of a recording at N points for all outputs.

    The last of them is the number of the output, for `chosen`.
    """
    number = np.repeat(np.arange(several.n_real, dtype=float), n_points)
    return [*(_repeated(np.asarray(a), several.n_real) for a in arrays), number]


@dataclass(frozen=True)
class Stacked:
    """A model's function, for Python to call: it returns its real outputs as one array (R, N)."""

    function: Callable[..., Any]
    several: Several

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.function

    def __call__(self, x: Any, *theta: Any) -> Array:
        """Return the outputs, a number for each output and point."""
        value = self.function(x, *theta)
        values = [value] if self.several.number is None else value
        numbers = [np.ma.filled(np.ma.asarray(v) * 1.0, np.nan) for v in values]
        parts = self.several.parts(numbers[0] if self.several.number is None else numbers)
        return np.stack(np.broadcast_arrays(*parts))
