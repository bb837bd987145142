"""Coordinate-descent sweeps over dense and sparse matrices, in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg._core import sweep as _core

from .._arguments.arrays import unmasked
from ._sparse_sweep import sweep_csc
from ._sweep_gram import products, row_slices, subtract
from ._sweep_options import (
    Array,
    Order,
    Settings,
    Sweep,
    Unknowns,
    apart,
    order_of,
    report,
    settings,
    target,
    unknowns,
    void_of,
    weightless,
    without,
)


def coordinate_sweep(
    A: Any,
    theta: Array,
    residual: Array,
    *,
    l1: Any = 0,
    l2: Any = 0,
    weights: Any = None,
    bounds: Any = None,
    order: Any = "cyclic",
    sweeps: int = 1,
    relaxation: float = 1.0,
    intercept: Array | None = None,
    centered: bool | None = None,
    gram: Any = None,
    b: Any = None,
    rng: Any = None,
    threads: int | None = None,
) -> Sweep:
    r"""Minimise a regularised least-squares loss over one coordinate after the other, in place.

    .. math:: F(\theta) = \frac12 \sum_i w_i r_i^2 + \sum_j l_{1j} |\theta_j|
              + \frac12 \sum_j l_{2j} \theta_j^2, \qquad r = b - A \theta,

    within lower ≤ θ ≤ upper.  An update puts θ_j to its minimum,
    clip(S(A_jᵗWr + c_j θ_j, l1_j) / (c_j + l2_j)) with c_j = A_jᵗWA_j and the soft threshold
    S(z, l) = sign(z) max(|z| − l, 0), and takes A_j times the change from r.  The iterates are
    those of one update at a time, whatever the blocks and threads.

    Parameters
    ----------
    A : ndarray, shape (n, P), or SciPy sparse matrix in compressed columns
        float64, or float32 with all sums in float64.  Columns or rows contiguous, or any strides,
        without a copy; columns are read fastest.
    theta : ndarray of float64, shape (P,) or (P, M)
        In: the start, within the bounds.  Out: the result.  M columns are M problems with one A,
        which is read once for all.
    residual : ndarray of float64, shape (n,) or (n, M)
        In: b − Aθ (less the intercept).  Out: the same for the new θ.
    l1, l2 : float or array_like of shape (P,)
        Penalties, ≥ 0, in the unit of F over θ and over θ².  A coordinate with an infinite l1 stays
        at 0, where it must start.  scikit-learn, whose losses are divided by n, has
        l1 = n·alpha·l1_ratio and l2 = n·alpha·(1 − l1_ratio).
    weights : array_like, shape (n,), optional
        w ≥ 0, the inverse variance of each row; masked ones are 0.  Default: 1.  A row of weight 0
        is left out: its A, residual and b may be NaN or infinite, and such a residual stays as it
        is.
    bounds : pair of float, array_like of shape (P,) or None, optional
        (lower, upper), unit of θ; ``(0, None)`` for non-negativity.
    order : {"cyclic", "shuffled", "random", "greedy"} or array_like of int
        0 … P − 1; a new permutation in each sweep; P draws with replacement in each; P times the
        coordinate by whose update F falls most (in Gram mode); or these coordinates, any number.
    sweeps : int
        How many times to go through the order.
    relaxation : float
        ω in (0, 2): θ_j goes ω times the way to its minimum, but not beyond a bound nor, with
        l1 > 0 and ω > 1, across 0.
    intercept : ndarray of float64, shape (1,) or (M,), optional
        A constant in the model, r = b − Aθ − intercept, neither penalised nor bounded.  Updated in
        place.
    centered : bool, optional
        Keep the intercept at its minimum before and after every update, which is coordinate descent
        on the columns less their weighted means and costs no more: without it, a column that is
        far from 0 for its spread, as of years, and the intercept creep towards their minimum
        together.  False updates the intercept at the end of each sweep.  Default: True where there
        is an intercept, but for a greedy order of a sparse A.
    gram : True or array_like of shape (P, P), optional
        Work on AᵗWr and AᵗWA, which is formed, or given, once: a sweep then costs P² instead of
        nP, for n ≫ P and many sweeps.  The residual is updated once at the end.
    b : array_like, shape of ``residual``, optional
        If given, the residual is computed anew as b − Aθ (less the intercept) at the end.
    rng : int or numpy.random.Generator, optional
        For shuffled and random orders.
    threads : int, optional
        Most threads; the processors this process may use.  The result is the same to the last bit.

    Returns
    -------
    Sweep
        (largest_change, objective, objectives, drift).

    Raises
    ------
    ValueError
        Shapes disagree, a NaN or an infinity is found (it is named), a penalty or weight is
        negative, bounds are empty, θ starts outside, or arrays that are written are read-only or
        share memory.  θ, residual and intercept are then as they were.
    TypeError
        A is not float64 or float32, an array to be written is not float64, or an argument other
        than the weights is masked.
    KeyboardInterrupt
        Ctrl-C was pressed.  With a dense A, θ, residual and intercept are as they were; with a
        sparse one they hold what was reached, and belong together.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via
    coordinate descent", J. Stat. Softw. 33(1).  Devarakonda, Fountoulakis, Demmel and Mahoney
    (2016), "Avoiding communication in primal and dual block coordinate descent methods",
    arXiv:1612.04003.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import coordinate_sweep
    >>> A = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> b = np.array([3.0, 2.0, 1.0])
    >>> theta, residual = np.zeros(2), b.copy()
    >>> done = coordinate_sweep(A, theta, residual, sweeps=50)
    >>> theta.round(12), round(done.objective, 12)
    (array([1., 2.]), 0.0)
    """
    if hasattr(A, "tocsc"):
        if gram is not None:
            raise ValueError("gram is for dense A: a sparse A has no dense products")
        able = intercept is not None and not (isinstance(order, str) and order == "greedy")
        return sweep_csc(
            A,
            theta,
            residual,
            l1=l1,
            l2=l2,
            weights=weights,
            bounds=bounds,
            order=order,
            sweeps=sweeps,
            relaxation=relaxation,
            intercept=intercept,
            centered=able if centered is None else centered,
            b=b,
            rng=rng,
            threads=threads,
        )
    if centered and intercept is None:
        raise ValueError("centered keeps the intercept at its minimum: it needs an intercept")
    A = _matrix(A)
    left = weightless(weights, A.shape[0])
    u = unknowns(theta, residual, intercept, A.shape, left)
    s = settings(
        u,
        A.shape[0],
        l1=l1,
        l2=l2,
        weights=weights,
        bounds=bounds,
        sweeps=sweeps,
        relaxation=relaxation,
        threads=threads,
    )
    plan, exact = order_of(order, u.P, rng), target(b, u, left)
    outputs = {"theta": theta, "residual": residual, "intercept": intercept}
    inputs = {"b": b, "weights": weights, "gram": gram}
    apart(outputs, inputs | {"A": A})
    return _dense(A, u, s, plan, gram, exact, left, intercept is not None and centered is not False)


def _matrix(A: Any) -> Array:
    array = np.asarray(unmasked(A, "A", "give rows to leave out the weight 0", strict=True))
    if array.ndim != 2:
        raise ValueError(f"A must have shape (n, P), got {array.shape}")
    if array.dtype not in (np.float64, np.float32) or not array.dtype.isnative:
        raise TypeError(
            f"A must be float64 or float32, got {array.dtype}; A.astype(float) converts it"
        )
    if not array.flags.aligned or any(step % array.itemsize for step in array.strides):
        raise ValueError("the elements of A must be aligned in memory")
    return array


def _dense(
    A: Array,
    u: Unknowns,
    s: Settings,
    plan: Order,
    gram: Any,
    b: Array | None,
    left: Array | None,
    centered: bool,
) -> Sweep:
    """Sweep over copies, theta (M, C) and residual (M, n), and hand them over at the end."""
    void = void_of(u.residual, b, left)
    wanted = gram is not None and gram is not False
    run = _on_gram if wanted or plan.name == "greedy" else _on_residual
    theta, residual = np.empty((u.M, len(s.l1))), _beside(A, u.M)
    change, fall = np.zeros(u.M), np.zeros((s.sweeps, u.M))
    _begin(u, void, theta, residual)
    bad = run(A, u, s, plan, gram, theta, residual, change, fall, centered)
    if bad >= 0 and left is not None:
        A = _without(A, left)
        _begin(u, void, theta, residual)
        bad = run(A, u, s, plan, gram, theta, residual, change, fall, centered)
    if bad >= 0:
        raise ValueError(_bad_column(A, bad))
    drift = None
    if b is not None:
        kept = residual.copy()
        residual[:] = without(b, void).reshape(len(A), u.M).T
        subtract(A, np.zeros(u.P), theta[:, : u.P], residual)
        residual -= theta[:, u.P :].sum(1, keepdims=True)
        drift = float(np.abs(kept - residual).max(initial=0))
    done = report(u, s, theta, residual, change, fall)
    u.theta[...] = theta[:, : u.P].T.reshape(u.theta.shape)
    np.copyto(
        u.residual, residual.T.reshape(u.residual.shape), where=True if void is None else ~void
    )
    if u.intercept is not None:
        u.intercept[...] = theta[:, u.P]
    return done._replace(drift=drift)


def _begin(u: Unknowns, void: Array | None, theta: Array, residual: Array) -> None:
    """Copy what the caller brought."""
    theta[:, : u.P] = u.theta.reshape(u.P, u.M).T
    residual[:] = without(u.residual, void).reshape(len(u.residual), u.M).T
    if u.intercept is not None:
        theta[:, u.P] = u.intercept


def _without(A: Array, left: Array) -> Array:
    """Return a copy of A, 0 in the rows that are left out and are not finite."""
    A = A.copy(order="K")
    for rows in row_slices(A):
        bad = left[rows] & ~np.isfinite(A[rows]).all(1)
        A[rows][bad] = 0
    return A


def _beside(A: Array, M: int) -> Array:
    """Return an array (M, n) of float64 that is aligned where the columns of A are."""
    by_columns = A.strides[0] == A.itemsize
    lead = -A.ctypes.data // A.itemsize % 8 if by_columns else 0  # rows to a boundary of 8
    raw = np.empty(M * len(A) + 8)
    skip = (-raw.ctypes.data // 8 - lead) % 8
    return raw[skip : skip + M * len(A)].reshape(M, len(A))


def _each(s: Settings, C: int) -> tuple[Array, Array, Array, Array, float]:
    return s.l1[:C], s.l2[:C], s.lower[:C], s.upper[:C], s.relaxation


def _orders(plan: Order, sweeps: int, last: list[int]) -> Iterator[tuple[Array, int]]:
    """Yield each order, with ``last`` at its end, and how many sweeps it is for."""
    if plan.fixed is not None:
        yield np.append(plan.fixed, last).astype(np.intp), sweeps
        return
    for order in plan.draw(sweeps):
        yield np.append(order, last).astype(np.intp), 1


def _on_residual(
    A: Array,
    u: Unknowns,
    s: Settings,
    plan: Order,
    gram: Any,
    theta: Array,
    residual: Array,
    change: Array,
    fall: Array,
    centered: bool,
) -> int:
    """Sweep; return a coordinate whose column is not finite, or -1."""
    free = u.intercept is not None
    last = [u.P] if free and not centered else []
    size = plan.size + len(last)
    if size == 0:
        _center(s, theta, residual, fall, centered)
        return -1
    each = _each(s, len(s.l1))
    sweeper = _core.Sweeper(
        A, theta, residual, s.weights, each, u.M, free, size, s.threads, centered
    )
    begin = 0
    for order, sweeps in _orders(plan, s.sweeps, last):
        bad = sweeper.run(order, 0, size, sweeps, False, change, fall[begin : begin + sweeps])
        if bad >= 0:
            return bad
        begin += sweeps
    return -1


def _center(s: Settings, theta: Array, residual: Array, fall: Array, centered: bool) -> None:
    """Put the intercept to its minimum, where nothing else is to be updated."""
    w = np.ones(residual.shape[1]) if s.weights is None else s.weights
    if not (centered and len(fall) and w.sum() > 0):
        return
    way = residual @ w / w.sum()
    theta[:, -1] += way
    residual -= way[:, None]
    fall[0] = 0.5 * w.sum() * way**2


def _on_gram(
    A: Array,
    u: Unknowns,
    s: Settings,
    plan: Order,
    gram: Any,
    theta: Array,
    residual: Array,
    change: Array,
    fall: Array,
    centered: bool,
) -> int:
    """Sweep; return a coordinate whose column is not finite, or -1."""
    p = products(A, u, s, gram, residual, centered)
    if not (np.isfinite(p.gram).all() and np.isfinite(p.q).all()):
        return int(np.argmin(np.isfinite(np.diag(p.gram))))
    C, greedy, begin = len(p.gram), plan.name == "greedy", 0
    moved = theta[:, :C].copy()
    before = moved
    for order, sweeps in _orders(plan, s.sweeps, [u.P] if C > u.P else []):
        if greedy:
            order[: u.P] = -1
        for count in (sweeps - 1, 1) if sweeps > 1 else (sweeps,):
            before, fell = moved.copy(), fall[begin : begin + count]
            _core.gram_sweeps(
                p.gram, moved, p.q, _each(s, C), order, u.M, count, u.P if greedy else 0,
                change, fell, s.threads,
            )  # fmt: skip
            begin += count
    d, theta[:, :C] = moved - theta[:, :C], moved
    subtract(A, p.pivot, d[:, : u.P], residual)
    residual -= d[:, u.P :].sum(1, keepdims=True)
    if centered and s.sweeps:
        np.maximum(change, np.abs((moved - before) @ (p.pivot + p.mean)), out=change)
        fall[0] += 0.5 * p.weight * p.way**2
        with_mean = p.way - d @ p.mean
        residual -= with_mean[:, None]
        theta[:, u.P] += with_mean - d @ p.pivot
    return -1


def _bad_column(A: Array, j: int) -> str:
    """Say what is wrong with column j; the last coordinate of all is the intercept."""
    finite = np.isfinite(A[:, j]) if j < A.shape[1] else np.ones(1, bool)
    if finite.all():
        return f"column {j} of A overflows: its weighted sum of squares is not finite"
    i = int(np.argmin(finite))
    return f"A must be finite, but A[{i}, {j}] is {A[i, j]}"
