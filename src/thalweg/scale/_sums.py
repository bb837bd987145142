"""Sums over blocks of samples that dask keeps where its workers are.

Each block is a `RecordedModel` of its samples, made once.  A sum over all samples is made of one
task for each block and of tasks that add `_FAN_IN` results each, in the order of the blocks: so its
bits depend on the blocks alone, and neither on the workers nor on which of them comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import product
from math import prod
from operator import add
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import contiguous
from .._optional import optional
from ..losses.recorded import RecordedModel
from ..losses.samples import samples_of
from ._chunk import ChunkError, Held, place, told

_FAN_IN = 8  # how many results a task adds; for P parameters each has at most P^2 numbers


class Block:
    """Samples of one chunk, with the model that was recorded for them."""

    def __init__(self, function: Any, inputs: Any, targets: Any, weights: Any, given: Any) -> None:
        samples = samples_of(inputs, targets, weights)
        single, arrays = samples.single, (samples.columns, samples.targets, samples.weights)
        self.model = RecordedModel(function, *arrays, single=single, **given)
        self._shape, self._there = samples.shape, samples.there
        self._size = sum(a.nbytes for a in (*samples.columns, samples.targets))

    def __sizeof__(self) -> int:
        """How many bytes the samples have, which dask asks before it sends them elsewhere."""
        return self._size

    def sum(self, name: str, *arguments: Any) -> Array:
        """Return a sum over the samples, by the name of a method of `RecordedModel`."""
        value = getattr(self, name, None) or getattr(self.model, name)
        result = value(*arguments)
        return np.hstack(result) if isinstance(result, tuple) else np.asarray(result)

    def hessian(self, theta: Array) -> Array:
        """Return the second derivatives of the loss, shape (P, P)."""
        return np.array([self.model.hessian_vector(theta, d) for d in np.eye(theta.size)])

    def vjp(self, theta: Array, e: Array) -> Array:
        """Return sum_k e_k' J_k, shape (P,), for e of the shape of the targets."""
        rows = self._seen(np.asarray(e, float)).reshape(len(self.model.targets), -1)
        return self.model.vjp(theta, contiguous(rows))

    def values(self, name: str, *arguments: Any) -> Array:
        """Return residuals or J v, in the shape of the targets."""
        return self._seen(getattr(self.model, name)(*arguments))

    def _seen(self, rows: Array) -> Array:
        if self._there is not None:
            rows = np.where(self._there, rows.reshape(self._there.shape), 0.0)
        return rows.reshape(self._shape)


def block_of(held: Held, targets: Array, *parts: Array) -> Block | None:
    """Return the block of a chunk of samples; None if the chunk has none.

    ``parts`` are the inputs, the weights if there are any, and the numbers of the samples along
    each of their axes.
    """
    if not targets.size:
        return None
    call: Shared = held.value
    n = call.n_inputs
    inputs, weights, where = parts[:n], parts[n : n + call.weighted], parts[n + call.weighted :]
    own: Any = inputs if call.several else inputs[0]
    try:
        return Block(call.function, own, targets, _flat(weights), call.given)
    except Exception as error:
        raise ChunkError(f"the chunk of samples {place(where)}: {told(error)}") from error


def _flat(weights: tuple[Array, ...]) -> Array | None:
    return weights[0].reshape(-1) if weights else None


class Shared(NamedTuple):
    """What all blocks have in common.

    Attributes
    ----------
    function : callable
        The model.
    n_inputs : int
        The number of arrays of inputs.
    several : bool
        Whether they are given as a tuple.
    weighted : bool
        Whether there are weights.
    given : dict
        Further arguments of `RecordedModel`.
    """

    function: Any
    n_inputs: int
    several: bool
    weighted: bool
    given: dict[str, Any]


class Blocks:
    """What `MeanOfSquares` asks of a model, as sums over the blocks of a dask array.

    Parameters
    ----------
    blocks : dask array of objects
        A block for each chunk of the samples; they are made now, and kept.
    chunks : tuple of tuples of int
        Those of the targets.
    samples : int
        How many axes of the targets are those of samples.
    probe : RecordedModel
        The model, recorded for a single sample.
    """

    has_hessian = has_jvp = True

    def __init__(self, blocks: Any, chunks: tuple[Any, ...], samples: int, probe: Any) -> None:
        self._dask, self._chunks = optional("dask", "a lazy loss needs"), chunks
        self.is_linear, self.n_params = probe.is_linear, probe.n_params
        self._blocks = np.empty(blocks.numblocks, object)
        self._blocks.ravel()[:] = self._dask.persist(*blocks.to_delayed().ravel())
        shapes = product(*chunks)
        grid = (*self._blocks.shape, *(1 for _ in chunks[samples:]))
        self._grid = self._blocks.reshape(grid)
        self._shapes = dict(zip(np.ndindex(*grid), shapes, strict=True))

    def __len__(self) -> int:
        return int(self._blocks.size)

    # ---- sums -------------------------------------------------------------------------------

    def loss(self, theta: Array) -> float:
        """Return sum_k w_k |e_k|^2."""
        return float(self._sum("loss", theta))

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Return the loss and its gradient, shape (P,), in one pass."""
        sums = self._sum("loss_and_gradient", theta)
        return float(sums[0]), sums[1:]

    def hessian_vector(self, theta: Array, d: Array) -> Array:
        """Return the second derivatives of the loss times d, shape (P,)."""
        return self._sum("hessian_vector", theta, d)

    def hessian(self, theta: Array) -> Array:
        """Return the second derivatives of the loss, shape (P, P), in one pass."""
        return self._sum("hessian", theta)

    def gauss_newton(self, theta: Array) -> Array:
        """Return sum_k w_k J_k' J_k, shape (P, P)."""
        return self._sum("gauss_newton", theta)

    def along(self, theta: Array, d: Array) -> tuple[float, float, float]:
        """Return sum w |e|^2, sum w e'J d and sum w |J d|^2, in one pass."""
        loss, slope, curvature = self._sum("along", theta, d)
        return float(loss), float(slope), float(curvature)

    def vjp(self, theta: Array, e: Any) -> Array:
        """Return sum_k e_k' J_k, shape (P,); e is a dask array in the chunks of the targets."""
        parts = e.to_delayed()
        return self._added(
            [
                self._task(Block.vjp, at, theta.copy(), parts[at])
                for at, shape in self._shapes.items()
                if prod(shape)
            ]
        )

    def _sum(self, name: str, *arguments: Array) -> Array:
        own = [a.copy() for a in arguments]  # a caller may change its array before dask reads it
        return self._added(
            [
                self._task(Block.sum, at, name, *own)
                for at, shape in self._shapes.items()
                if prod(shape)
            ]
        )

    def _added(self, parts: list[Any]) -> Array:
        """Add the parts in their order, a task for each `_FAN_IN` of them, and compute the sum."""
        together = self._dask.delayed(_added, pure=False)
        while len(parts) > 1:
            parts = [together(*parts[k : k + _FAN_IN]) for k in range(0, len(parts), _FAN_IN)]
        (total,) = self._dask.compute(*parts)
        return np.array(total, float)

    def _task(self, method: Callable[..., Any], at: tuple[int, ...], *arguments: Any) -> Any:
        return self._dask.delayed(method, pure=False, traverse=False)(self._grid[at], *arguments)

    # ---- arrays of the shape of the targets -------------------------------------------------

    def values(self, name: str, *arguments: Array) -> Any:
        """Return residuals or J v, in the shape of the targets, as a lazy array."""
        da = optional("dask.array", "a lazy loss needs")
        own = [a.copy() for a in arguments]
        parts = np.empty(self._grid.shape, object)
        for at, shape in self._shapes.items():
            parts[at] = (
                da.from_delayed(self._task(Block.values, at, name, *own), shape, float)
                if prod(shape)
                else da.zeros(shape)
            )
        return da.block(parts.tolist())


def _added(*parts: Array) -> Array:
    return np.asarray(reduce(add, parts))
