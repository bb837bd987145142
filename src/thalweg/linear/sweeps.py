"""Sweeps over the columns of a working set that update the residual: kernels of csrc/sweep."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array
from .._core import failures
from .._core import linear as _core_linear
from .._core import sweep as _core
from ..kernels._sparse_sweep import Columns
from .state import State


class Sweeps:
    """Sweeps over the columns ``which``, cyclic or in an order that ``rng`` draws."""

    def __init__(
        self, state: State, which: Array, order: str, rng: np.random.Generator | None
    ) -> None:
        self.state, self.order, self.rng = state, order, rng
        self.places = np.arange(len(which))
        self.kernel: Any = (
            _DenseSweeps(state, which)
            if isinstance(state.look.matrix, np.ndarray)
            else _SparseSweeps(state, which)
        )

    def keep_to(self, swept: Array) -> None:
        """Sweep from now on over those columns of ``which`` alone that are marked."""
        self.places = np.flatnonzero(swept)

    def run(self, sweeps: int) -> None:
        """Make ``sweeps`` sweeps; update theta, the residual and q of ``which`` in the state."""
        places, m = self.places, len(self.places)
        if self.rng is None or self.order == "cyclic":
            self.kernel.run(places, sweeps)
        else:
            for _ in range(sweeps):
                drawn = self.order == "random"
                order = self.rng.integers(0, m, m) if drawn else self.rng.permutation(m)
                self.kernel.run(places[order], 1)
        self.kernel.finish()


class _DenseSweeps:
    def __init__(self, state: State, which: Array) -> None:
        look, p = state.look, state.problem
        P, free = p.shape[1], p.intercept
        self.state, self.which = state, which
        self.theta = np.zeros((1, P + free))
        self.theta[0, :P] = state.theta
        self.residual = state.residual[None].copy()
        ends = (0.0, 0.0, -np.inf, np.inf)
        each = tuple(np.append(a, e) for a, e in zip(p.each, ends, strict=True)) if free else p.each
        self.sweeper = _core.Sweeper(
            look.matrix, self.theta, self.residual, p.weights, (*each, 1.0), 1, free, len(which),
            look.threads, free,
        )  # fmt: skip
        self.order: Array | None = None

    def run(self, order: Array, sweeps: int) -> None:
        chosen = self.which[order].astype(np.intp)
        known = self.order is not None and np.array_equal(self.order, chosen)
        self.order = chosen
        status, j = self.sweeper.run(
            chosen, 0, len(chosen), sweeps, known, np.zeros(1), np.zeros((sweeps, 1))
        )
        failures.refuse(failures.Sweep, status, where=j, n=self.residual.size)

    def finish(self) -> None:
        state = self.state
        state.theta[self.which] = self.theta[0, self.which]
        state.take(self.residual[0].copy())
        state.renew(self.which)


class _SparseSweeps:
    """Sweeps over a copy of the columns, which lie one behind the other in it.

    A short column elsewhere in A costs several times as much as its arithmetic: each is a few cache
    lines, which nothing foresees.  A round reads its columns some twenty times.
    """

    def __init__(self, state: State, which: Array) -> None:
        p, look = state.problem, state.look
        self.state, self.which = state, which
        self.columns = some_columns(look.matrix, which)
        self.square = look.square[which]
        self.mean = None if look.mean is None else look.mean[which]
        self.passes = _core_linear.Columns(tuple(self.columns), p.weights, look.threads, self.mean)
        l1, l2, lower, upper = (a[which] for a in p.each)
        self.each = (l1, l2, lower, upper, 1.0)
        self.theta = state.theta[which]
        self.residual = state.residual.copy()
        self.intercept = np.zeros(1) if p.intercept else None

    def run(self, order: Array, sweeps: int) -> None:
        p, columns = self.state.problem, self.columns
        status, j = _core.sparse_sweep(
            (*columns.shape, 1), columns.indptr, columns.indices, columns.values,
            weights=p.weights, each=self.each, order=order, greedy=False, sweeps=sweeps,
            centered=p.intercept, theta=self.theta, residual=self.residual,
            intercept=self.intercept, b=None, change=np.zeros(1), fall=np.zeros((sweeps, 1)),
            drift=np.zeros(1), threads=1, curvature=self.square, mean=self.mean,
        )  # fmt: skip
        failures.refuse(failures.Sweep, status, where=j, n=len(self.residual))

    def finish(self) -> None:
        state, q = self.state, np.empty(len(self.which))
        state.theta[self.which] = self.theta
        state.take(self.residual.copy())
        self.passes.products(None, state.look.weighted(state.residual), q)
        state.know(self.which, q)


def some_columns(matrix: Columns, which: Array) -> Columns:
    """Return a sparse matrix of some columns, copied."""
    starts = matrix.indptr[which].astype(np.intp)
    lengths = matrix.indptr[which + 1] - starts
    indptr = np.zeros(len(which) + 1, matrix.indptr.dtype)
    np.cumsum(lengths, out=indptr[1:])
    indices = np.empty(indptr[-1], matrix.indices.dtype)
    values = np.empty(indptr[-1], matrix.values.dtype)
    _core_linear.copy_runs(matrix.indices, starts, lengths, indices)
    _core_linear.copy_runs(matrix.values, starts, lengths, values)
    return Columns((matrix.shape[0], len(which)), indptr, indices, values)
