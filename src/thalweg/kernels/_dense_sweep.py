"""Sweeps over a dense matrix: on copies of the caller's arrays, which get the result at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.arrays import unmasked
from .._arguments.pieces import usual
from .._core import failures
from .._core import sweep as _core
from ._sweep_gram import SparseRows, row_slices, subtract, sweep_on_gram
from ._sweep_options import Array, Settings, Sweep, Unknowns, report, void_of, without
from ._sweep_task import Moving, Task, each_of, orders_of


def dense_of(A: Any) -> Array:
    """Return A as an array of float64 or float32, not copied, or say what is wrong with it."""
    array = usual(np.asarray(unmasked(A, "A", "give rows to leave out the weight 0", strict=True)))
    if array.ndim != 2:
        raise ValueError(f"A must have shape (n, P), got {array.shape}")
    if array.dtype not in (np.float64, np.float32) or not array.dtype.isnative:
        raise TypeError(
            f"A must be float64 or float32, got {array.dtype}; A.astype(float) converts it"
        )
    if not array.flags.aligned or any(step % array.itemsize for step in array.strides):
        raise ValueError("the elements of A must be aligned in memory")
    return array


def dense_sweep(A: Array | SparseRows, t: Task) -> Sweep:
    """Sweep over copies, theta (M, C) and residual (M, n), and hand them over at the end."""
    u, s = t.u, t.s
    void = void_of(u.residual, t.b, t.left)
    theta, residual = np.empty((u.M, len(s.l1))), _beside(A, u.M)
    now = Moving(theta, residual, np.zeros(u.M), np.zeros((s.sweeps, u.M)))
    status, j = _swept(A, t, now, void)
    if status and t.left is not None and isinstance(A, np.ndarray):
        A = _without(A, t.left)
        status, j = _swept(A, t, now, void)
    if status:
        _refuse_column(A, status, j)
    drift = None if t.b is None else _refreshed(A, u, residual, theta, without(t.b, void))
    done = report(u, s, theta, residual, now.change, now.fall)
    u.theta[...] = theta[:, : u.P].T.reshape(u.theta.shape)
    np.copyto(
        u.residual, residual.T.reshape(u.residual.shape), where=True if void is None else ~void
    )
    if u.intercept is not None:
        u.intercept[...] = theta[:, u.P]
    return done._replace(drift=drift)


def _swept(A: Array | SparseRows, t: Task, now: Moving, void: Array | None) -> tuple[int, int]:
    """Sweep over the copies ``now``; return the status, and the column that is wrong, if any."""
    _begin(t.u, void, now.theta, now.residual)
    if isinstance(A, SparseRows) or t.gram is not None or t.plan.name == "greedy":
        return sweep_on_gram(A, t, now)
    return _on_residual(A, t, now)


def _refreshed(
    A: Array | SparseRows, u: Unknowns, residual: Array, theta: Array, b: Array
) -> float:
    """Compute residual = b − Aθ − intercept anew; return by how much it was wrong."""
    kept = residual.copy()
    residual[:] = b.reshape(len(A), u.M).T
    subtract(A, np.zeros(u.P), theta[:, : u.P], residual)
    residual -= theta[:, u.P :].sum(1, keepdims=True)
    return float(np.abs(kept - residual).max(initial=0))


def _begin(u: Unknowns, void: Array | None, theta: Array, residual: Array) -> None:
    """Copy the caller's θ and residual into the arrays of the sweep."""
    theta[:, : u.P] = u.theta.reshape(u.P, u.M).T
    residual[:] = without(u.residual, void).reshape(len(u.residual), u.M).T
    if u.intercept is not None:
        theta[:, u.P] = u.intercept


def _without(A: Array, left: Array) -> Array:
    """Return a copy of A with 0 for values that are not finite, in the rows ``left`` out."""
    A = A.copy(order="K")
    for rows in row_slices(A):
        bad = left[rows] & ~np.isfinite(A[rows]).all(1)
        A[rows][bad] = 0
    return A


def _beside(A: Array | SparseRows, M: int) -> Array:
    """Return an array (M, n) of float64 whose rows are aligned as the columns of A are."""
    if isinstance(A, SparseRows):
        return np.empty((M, len(A)))
    by_columns = A.strides[0] == A.itemsize
    lead = -A.ctypes.data // A.itemsize % 8 if by_columns else 0  # rows to a boundary of 8
    raw = np.empty(M * len(A) + 8)
    skip = (-raw.ctypes.data // 8 - lead) % 8
    return raw[skip : skip + M * len(A)].reshape(M, len(A))


def _on_residual(A: Array, t: Task, now: Moving) -> tuple[int, int]:
    """Sweep; return the status, and the column that is wrong, if any."""
    u, s, plan, (theta, residual, change, fall) = t.u, t.s, t.plan, now
    free = u.intercept is not None
    last = [u.P] if free and not t.centered else []
    size = plan.size + len(last)
    if size == 0:
        _center(s, theta, residual, fall, t.centered)
        return failures.Sweep.OK, -1
    each = each_of(s, len(s.l1))
    sweeper = _core.Sweeper(
        A, theta, residual, s.weights, each, u.M, free, size, s.threads, t.centered
    )
    begin = 0
    for order, sweeps in orders_of(plan, s.sweeps, last):
        fell = fall[begin : begin + sweeps]
        status, j = sweeper.run(order, 0, size, sweeps, False, change, fell)
        if status:
            return status, j
        begin += sweeps
    return failures.Sweep.OK, -1


def _center(s: Settings, theta: Array, residual: Array, fall: Array, centered: bool) -> None:
    """Move the intercept to its minimum in a sweep that updates no other coordinate."""
    w = np.ones(residual.shape[1]) if s.weights is None else s.weights
    if not (centered and len(fall) and w.sum() > 0):
        return
    way = residual @ w / w.sum()
    theta[:, -1] += way
    residual -= way[:, None]
    fall[0] = 0.5 * w.sum() * way**2


def _refuse_column(A: Array | SparseRows, status: int, j: int) -> None:
    """Raise an error about column j of A, or about the intercept, which is the last coordinate."""
    if isinstance(A, np.ndarray) and j < A.shape[1] and not np.isfinite(A[:, j]).all():
        i = int(np.argmin(np.isfinite(A[:, j])))
        raise ValueError(f"A must be finite, but A[{i}, {j}] is {A[i, j]}")
    failures.refuse(failures.Sweep, status, where=j)
