"""Coordinate-descent sweeps over a sparse matrix stored by columns."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import numbers
from .._arguments.pieces import all_finite, contiguous, usual
from .._core import failures
from .._core import sweep as _core
from ._sweep_gram import SparseRows
from ._sweep_options import Array, Order, Sweep, Unknowns, report, void_of, without
from ._sweep_task import Task

# So many coordinates of random orders (128 MiB) are drawn at a time, before their sweeps.
_AT_ONCE = 2**24


class Columns(NamedTuple):
    """A matrix in compressed columns, with all indices of one type."""

    shape: tuple[int, int]  # (n, P)
    indptr: Array
    indices: Array
    values: Array


def read_in_place(columns: Columns, t: Task, **penalties: Any) -> dict[str, Any]:
    """Return, by name, the arrays that a sweep reads while it writes; none may be an output."""
    return {
        "A": columns.values,
        "indices of A": columns.indices,
        "indptr of A": columns.indptr,
        "weights": t.s.weights,
        "order": t.plan.fixed,
        **penalties,
    }


def sparse_sweep(columns: Columns, t: Task) -> Sweep:
    """Sweep in place: an update reads the stored values of its column twice."""
    u = t.u
    s = t.s._replace(**{k: getattr(t.s, k)[: u.P] for k in ("l1", "l2", "lower", "upper")})
    void = void_of(u.residual, t.b, t.left)
    counted = u._replace(residual=without(u.residual, void))
    report(
        u, s, *_by_rows(counted), np.zeros(u.M), np.zeros((0, u.M))
    )  # refuses an F that overflows
    if t.left is not None:
        columns = columns._replace(values=_values_without(columns, t.left))
    exact = None if t.b is None else without(t.b, void)
    return _run(columns, counted, t._replace(s=s, b=exact), void)


def rows_of(columns: Columns, t: Task) -> SparseRows:
    """Return A by rows, with 0 for values that are not finite in rows of weight 0."""
    if t.left is not None:
        columns = columns._replace(values=_values_without(columns, t.left))
    n, P = columns.shape
    each, none = np.zeros(P), np.zeros(0)  # no sweep over no right-hand side: A is looked at
    status, column = _core.sparse_sweep(
        (n, P, 0), columns.indptr, columns.indices, columns.values, weights=t.s.weights,
        each=(each, each, each, each, 1.0), order=None, greedy=False,
        sweeps=0, centered=False, theta=np.zeros((P, 0)), residual=np.zeros((n, 0)),
        intercept=None, b=None, change=none, fall=np.zeros((0, 0)), drift=none, threads=1,
    )  # fmt: skip
    failures.refuse(failures.Sweep, status, where=column, n=n)
    return SparseRows(columns.values, columns.indices, columns.indptr, columns.shape)


def _values_without(columns: Columns, left: Array) -> Array:
    """Return the values of A with 0 for those not finite in the rows ``left`` out."""
    if all_finite(columns.values) or not len(left):
        return columns.values
    out = left.take(columns.indices, mode="clip")
    zero: Array = np.where(out & ~np.isfinite(columns.values), 0, columns.values)
    return zero.astype(columns.values.dtype, copy=False)


def columns_of(A: Any) -> Columns:
    """Check A and return its columns, without a copy unless its two index arrays differ in type."""
    if getattr(A, "format", None) == "csr":
        A = _by_columns(A)
    if getattr(A, "format", None) != "csc":
        got = getattr(A, "format", None) or type(A).__name__
        raise TypeError(f"A must be sparse in compressed columns, as A.tocsc() gives it; got {got}")
    n, P = A.shape
    values = usual(np.asarray(A.data))
    if values.dtype not in (np.float64, np.float32) or not values.dtype.isnative:
        raise TypeError(
            f"A must be float64 or float32, got {values.dtype}; A.astype(float) converts it"
        )
    values = numbers(values, "A", values.dtype)
    indptr, indices = np.asarray(A.indptr), np.asarray(A.indices)
    for name, array in (("indptr", indptr), ("indices", indices)):
        if array.ndim != 1 or array.dtype.kind != "i":
            raise TypeError(f"{name} of A must be a row of integers, got {array.dtype}")
    if len(indptr) != P + 1 or len(indices) != len(values):
        raise ValueError(
            f"A must have P + 1={P + 1} elements in indptr and as many indices as values, "
            f"got {len(indptr)}, {len(indices)} and {len(values)}"
        )
    # if starts and rows have two types of index, the few starts are converted, if they fit
    limit = np.iinfo(np.int32)
    fits = limit.min <= int(indptr.min()) and int(indptr.max()) <= limit.max
    kind = np.int32 if indices.dtype == np.int32 and fits else np.int64
    indptr, indices = (contiguous(a, kind) for a in (indptr, indices))
    return Columns((n, P), indptr, indices, values)


def _by_columns(A: Any) -> Any:
    """Return compressed rows as compressed columns, once their indices are known to be in range."""
    n, P = A.shape
    starts, columns = np.asarray(A.indptr), np.asarray(A.indices)
    for name, array in (("indptr", starts), ("indices", columns)):
        if array.ndim != 1 or array.dtype.kind != "i":
            raise TypeError(f"{name} of A must be a row of integers, got {array.dtype}")
    rises = len(starts) == n + 1 and starts[0] == 0 and bool((starts[1:] >= starts[:-1]).all())
    if not rises or starts[-1] > min(len(columns), len(A.data)):
        raise ValueError("indptr of A must rise from 0 to at most the number of stored values")
    used = columns[: starts[-1]]
    if used.size and not (used.min() >= 0 and used.max() < P):
        raise ValueError(f"A has a column index that is not in [0, P={P})")
    return A.tocsc()


def _by_rows(u: Unknowns) -> tuple[Array, Array]:
    """Return theta (M, P) and residual (M, n) for `report`, as views if possible."""
    return u.theta.reshape(u.P, u.M).T, u.residual.reshape(len(u.residual), u.M).T


def _run(columns: Columns, counted: Unknowns, t: Task, void: Array | None) -> Sweep:
    """Sweep in place, or over copies of arrays that are not contiguous or have rows left out."""
    u, s, plan, b = t.u, t.s, t.plan, t.b
    theirs = (u.theta, u.residual, u.intercept)
    ours = [
        None if a is None else np.ascontiguousarray(a)
        for a in (u.theta, counted.residual, u.intercept)
    ]
    change, drift, fall = np.zeros(u.M), np.zeros(u.M), np.zeros((s.sweeps, u.M))
    is_drawn = plan.fixed is None
    at_once = max(1, _AT_ONCE // max(1, plan.size)) if is_drawn else max(1, s.sweeps)
    drawn = plan.draw(s.sweeps)
    try:
        for begin in range(0, max(1, s.sweeps), at_once):
            end = min(s.sweeps, begin + at_once)
            status, column = _core.sparse_sweep(
                (*columns.shape, u.M), columns.indptr, columns.indices, columns.values,
                weights=s.weights, each=(s.l1, s.l2, s.lower, s.upper, s.relaxation),
                order=_coordinates(plan, islice(drawn, end - begin)),
                greedy=plan.name == "greedy", sweeps=end - begin, centered=t.centered,
                theta=ours[0], residual=ours[1], intercept=ours[2],
                b=b if end == s.sweeps else None,
                change=change, fall=fall[begin:end], drift=drift, threads=s.threads,
            )  # fmt: skip
            failures.refuse(failures.Sweep, status, where=column, n=columns.shape[0])
    finally:  # after Ctrl-C, too, the caller's arrays get what was reached
        for new, old in zip(ours, theirs, strict=True):
            if old is not None and new is not None and new is not old:
                keep = void if old is u.residual and void is not None else False
                np.copyto(old, new, where=~np.asarray(keep))
    done = report(u, s, *_by_rows(u._replace(residual=without(u.residual, void))), change, fall)
    return done if b is None else done._replace(drift=float(drift.max(initial=0)))


def _coordinates(plan: Order, drawn: Iterable[Array]) -> Array | None:
    """Return the coordinates of each sweep, (C,) or (sweeps, C), or None for 0, 1, ..., P − 1."""
    if plan.name in ("cyclic", "greedy"):
        return None
    if plan.fixed is not None:
        return plan.fixed
    orders = list(drawn)
    return np.array(orders, np.intp).reshape(len(orders), plan.size)
