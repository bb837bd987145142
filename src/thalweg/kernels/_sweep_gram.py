"""Sweeps on AᵗWr and AᵗWA alone: both are formed before the sweeps, and r is updated after them.

With a centered intercept, both are those of the columns less their weighted means.  Computed as
differences of large numbers they would lose digits, so a pivot is subtracted from each column
first: its element in the row of the largest weight (csrc/sweep/sweep.c says why that is enough).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .._arguments.memory import refuse_square
from .._core import failures
from .._core import sweep as _core
from ._sweep_options import Array, Settings
from ._sweep_task import Moving, Task, each_of, orders_of

# Where NumPy multiplies A, it takes so many elements of A (8 MiB) at a time.
_ROWS_AT_ONCE = 2**20
# One call of NumPy makes at most so many products, some 50 ms: between calls Ctrl-C is noticed.
_PRODUCTS_AT_ONCE = 2**30
# The same for sparse rows, of which a product takes some 20 times as long.
_SPARSE_PRODUCTS = 2**24
_COPIES = 3  # P x P matrices at a time: the sums, the sums centered, and a product


class SparseRows:
    """A sparse matrix (n, P) in compressed rows."""

    def __init__(
        self, values: Array, indices: Array, indptr: Array, shape: tuple[int, int]
    ) -> None:
        from scipy.sparse import csc_array

        used = int(indptr[-1])  # the arrays may be longer
        self.columns = csc_array((values[:used], indices[:used], indptr), shape)
        self.rows = self.columns.tocsr()
        self.shape = shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        """Return these rows as a dense array."""
        dense: Array = self.rows[rows].toarray()
        return dense

    @property
    def stored(self) -> Array:
        """The number of stored values of each row, (n,)."""
        return np.diff(self.rows.indptr)

    def apart(self, pivot: Array) -> tuple[Any, Array, Any]:
        """Split the columns into those without and those with a pivot, which makes them dense.

        Returns a sparse (n, P) in which columns with a pivot are empty, the numbers of the columns
        with a pivot, and these columns.
        """
        shifted = np.flatnonzero(pivot)
        if not len(shifted):
            return self.rows, shifted, self.columns[:, :0].tocsr()
        kept = np.repeat(pivot == 0, np.diff(self.columns.indptr))
        plain = self.columns.copy()
        plain.data = np.where(kept, plain.data, 0)
        plain.eliminate_zeros()
        return plain.tocsr(), shifted, self.columns[:, shifted].tocsr()


class Products(NamedTuple):
    """AᵗWA and AᵗWr for a sweep, and what a centered intercept has subtracted from the columns."""

    gram: Array  # AᵗWA, (C, C), or (P, P) if centered
    q: Array  # AᵗWr, (M, C) or (M, P)
    pivot: Array  # (P,) what has been subtracted from each column
    mean: Array  # (P,) the means of the columns less their pivots
    weight: float  # the sum of the weights
    way: Array  # (M,) the way from each intercept to its minimum, at the start


def row_slices(A: Array) -> Iterator[slice]:
    """Yield slices of the rows of A, each of at most `_ROWS_AT_ONCE` elements."""
    n, P = A.shape
    step = max(1, _ROWS_AT_ONCE // max(1, P))
    for begin in range(0, n, step):
        yield slice(begin, min(n, begin + step))


def _sparse_slices(A: SparseRows, n_dense: int) -> Iterator[slice]:
    """Yield slices of the rows of A, each so short that no product takes long."""
    work = np.cumsum((A.stored.astype(float) + n_dense) ** 2 + n_dense)
    begin = 0
    while begin < len(A):
        done = work[begin - 1] if begin else 0.0
        end = max(begin + 1, int(np.searchsorted(work, done + _SPARSE_PRODUCTS, "right")))
        yield slice(begin, end)
        begin = end


def subtract(A: Array | SparseRows, pivot: Array, theta: Array, residual: Array) -> None:
    """Subtract ((A − pivot)θ)ᵗ from residual (M, n), for theta (M, P), with sums in float64."""
    if not isinstance(A, SparseRows):
        for rows in row_slices(A):
            residual[:, rows] -= theta @ (A[rows].astype(np.float64, copy=False) - pivot).T
        return
    plain, shifted, others = A.apart(pivot)
    for rows in _sparse_slices(A, len(shifted)):
        residual[:, rows] -= (plain[rows] @ theta.T).T
        dense = others[rows].toarray().astype(np.float64) - pivot[shifted]
        residual[:, rows] -= theta[:, shifted] @ dense.T


def products(A: Array | SparseRows, t: Task, residual: Array) -> Products:
    """Form AᵗWA and AᵗWr for a sweep; a ``gram`` that was given is not formed again."""
    (n, P), s, M = A.shape, t.s, t.u.M
    given = isinstance(t.gram, bool | None) is False
    refuse_square(P, _COPIES, "Gram mode", "sweeps over the residual need none")
    pivot = np.zeros(P)
    weights = np.ones(n) if s.weights is None else s.weights
    if t.centered and weights.any() and not given:
        best = _pivot_row(A, weights)
        pivot = A[best : best + 1][0].astype(np.float64)
    how = (pivot, s, residual, len(s.l1), P * given)
    G, q = _sparse_sums(A, *how) if isinstance(A, SparseRows) else _sums(A, *how)
    if given:
        G[P:, :P] = G[:P, P:].T
        G[:P, :P] = _given_gram(t.gram, P)
    if not t.centered:
        return Products(G, q, pivot, np.zeros(P), 0.0, np.zeros(M))
    weight = float(G[P, P])
    mean, way = (x / weight if weight > 0 else 0 * x for x in (G[:P, P], q[:, P]))
    centred = G[:P, :P] - weight * np.outer(mean, mean)
    # in a matrix that was given, a diagonal element of the size of rounding is a constant column's
    noise = n * np.finfo(float).eps * np.diag(G)[:P] * given
    nothing = ~(np.diag(centred) > noise) & np.isfinite(np.diag(centred))
    centred[nothing] = centred[:, nothing] = 0
    return Products(centred, q[:, :P] - np.outer(q[:, P], mean), pivot, mean, weight, way)


def _pivot_row(A: Array | SparseRows, weights: Array) -> int:
    """Return a row of the largest weight; of a sparse A, the one of these with fewest values."""
    if not isinstance(A, SparseRows):
        return int(np.argmax(weights))
    heaviest = np.flatnonzero(weights == weights.max())
    return int(heaviest[np.argmin(A.stored[heaviest])])


def _sums(
    A: Array, pivot: Array, s: Settings, residual: Array, C: int, from_column: int
) -> tuple[Array, Array]:
    """Return SᵗWS from some column on, and SᵗWr; S is A − pivot, with a column of ones if C > P."""
    G, q = np.zeros((C, C)), np.zeros((len(residual), C))
    for rows in row_slices(A):
        root = np.ones((rows.stop - rows.start, 1))
        if s.weights is not None:
            root[:, 0] = np.sqrt(s.weights[rows])
        with np.errstate(invalid="ignore", over="ignore"):  # the sums are looked at
            S = np.concatenate((root * (A[rows] - pivot), root), axis=1)[:, :C]
            step = max(1, _PRODUCTS_AT_ONCE // max(1, S.size))
            for begin in range(from_column, C, step):
                part = slice(begin, begin + step)
                G[:, part] += S.T @ S[:, part]
            q += (residual[:, rows] * root[:, 0]) @ S
    return G, q


def _sparse_sums(
    A: SparseRows, pivot: Array, s: Settings, residual: Array, C: int, from_column: int
) -> tuple[Array, Array]:
    """Return `_sums` for a sparse A, at the cost of its stored values.

    Columns with a pivot are made dense, as the ones are; the row of the pivots has few values.
    """
    G, q = np.zeros((C, C)), np.zeros((len(residual), C))
    P = A.shape[1]
    plain, shifted, others = A.apart(pivot)
    dense = np.append(shifted, range(P, C)).astype(np.intp)
    for rows in _sparse_slices(A, len(dense)):
        root = np.ones(rows.stop - rows.start)
        if s.weights is not None:
            root = np.sqrt(s.weights[rows])
        S = plain[rows].multiply(root[:, None]).tocsr()
        D = np.ones((len(root), len(dense)))
        D[:, : len(shifted)] = others[rows].toarray() - pivot[shifted]
        D *= root[:, None]
        with np.errstate(invalid="ignore", over="ignore"):  # the sums are looked at
            if not from_column:
                product = (S.T @ S).tocoo()
                G[product.row, product.col] += product.data
            side = S.T @ D
            G[:P, dense] += side
            G[dense, :P] += side.T
            G[np.ix_(dense, dense)] += D.T @ D
            weighted = residual[:, rows] * root
            q[:, :P] += (S.T @ weighted.T).T
            q[:, dense] += weighted @ D
    return G, q


def _given_gram(gram: Any, P: int) -> Array:
    G = np.asarray(gram, dtype=np.float64)
    if G.shape != (P, P):
        raise ValueError(f"gram must be True or have shape (P={P}, P={P}), got {G.shape}")
    if not np.isfinite(G).all():
        raise ValueError("gram must be finite")
    size = np.sqrt(np.abs(np.diag(G)))
    if not (np.abs(G - G.T) <= 1e-8 * np.outer(size, size)).all():
        raise ValueError("gram must be symmetric: it is AᵗWA")
    return G


def sweep_on_gram(A: Array | SparseRows, t: Task, now: Moving) -> tuple[int, int]:
    """Sweep on AᵗWA; return the status, and the column that is wrong, if any."""
    u, s, (theta, residual, change, fall) = t.u, t.s, now
    p = products(A, t, residual)
    if not (np.isfinite(p.gram).all() and np.isfinite(p.q).all()):
        return failures.Sweep.OVERFLOW, int(np.argmin(np.isfinite(np.diag(p.gram))))
    C, greedy, begin = len(p.gram), t.plan.name == "greedy", 0
    moved = theta[:, :C].copy()
    before = moved
    for order, sweeps in orders_of(t.plan, s.sweeps, [u.P] if C > u.P else []):
        if greedy:
            order[: u.P] = -1
        for count in (sweeps - 1, 1) if sweeps > 1 else (sweeps,):
            before, fell = moved.copy(), fall[begin : begin + count]
            _core.gram_sweeps(
                p.gram, moved, p.q, each_of(s, C), order, u.M, count, u.P if greedy else 0,
                change, fell, s.threads,
            )  # fmt: skip
            begin += count
    d, theta[:, :C] = moved - theta[:, :C], moved
    subtract(A, p.pivot, d[:, : u.P], residual)
    residual -= d[:, u.P :].sum(1, keepdims=True)
    if t.centered and s.sweeps:
        np.maximum(change, np.abs((moved - before) @ (p.pivot + p.mean)), out=change)
        fall[0] += 0.5 * p.weight * p.way**2
        with_mean = p.way - d @ p.mean
        residual -= with_mean[:, None]
        theta[:, u.P] += with_mean - d @ p.pivot
    return failures.Sweep.OK, -1
