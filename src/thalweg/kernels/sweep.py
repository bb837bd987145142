"""Coordinate-descent sweeps over dense and sparse matrices, in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg._core import sweep as _core

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
)
from .sweep_csc import sweep_csc

# Products of A that one compiled call makes at most before Python looks at Ctrl-C: some 50 ms.
_AT_ONCE = 2**27
# Elements of A that NumPy takes at a time where A is multiplied outside the kernels.
_ROWS_AT_ONCE = 2**20


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
        Penalties, ≥ 0, in the unit of F over θ and over θ².
    weights : array_like, shape (n,), optional
        w ≥ 0, the inverse variance of each row.  Default: 1.
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
        A constant in the model, r = b − Aθ − intercept, neither penalised nor bounded.  Updated at
        the end of each sweep, in place.
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
        A is not float64 or float32, or an array to be written is not float64.

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
    if hasattr(A, "indptr"):
        if gram is not None:
            raise ValueError("gram is for dense A: a sparse A has no dense products")
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
            b=b,
            rng=rng,
            threads=threads,
        )
    A = _matrix(A)
    u = unknowns(theta, residual, intercept, A.shape)
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
    plan, exact = order_of(order, u.P, rng), target(b, u)
    outputs = {"theta": theta, "residual": residual, "intercept": intercept}
    inputs = {"b": b, "weights": weights, "gram": gram}
    apart(outputs, inputs | {"A": A})
    return _dense(A, u, s, plan, gram, exact)


def _matrix(A: Any) -> Array:
    if isinstance(A, np.ma.MaskedArray):
        raise TypeError("A must not be masked; give rows to leave out the weight 0")
    array = np.asarray(A)
    if array.ndim != 2:
        raise ValueError(f"A must have shape (n, P), got {array.shape}")
    if array.dtype not in (np.float64, np.float32) or not array.dtype.isnative:
        raise TypeError(f"A must be float64 or float32, got {array.dtype}")
    if not array.flags.aligned or any(step % array.itemsize for step in array.strides):
        raise ValueError("the elements of A must be aligned in memory")
    return array


def _dense(A: Array, u: Unknowns, s: Settings, plan: Order, gram: Any, b: Array | None) -> Sweep:
    """Sweep over copies, theta (M, C) and residual (M, n), and hand them over at the end."""
    C = len(s.l1)
    theta, residual = np.empty((u.M, C)), _beside(A, u.M)
    theta[:, : u.P] = u.theta.reshape(u.P, u.M).T
    residual[:] = u.residual.reshape(len(A), u.M).T
    if u.intercept is not None:
        theta[:, u.P] = u.intercept
    change, fall = np.zeros(u.M), np.zeros((s.sweeps, u.M))
    wanted = gram is not None and gram is not False
    run = _on_gram if wanted or plan.name == "greedy" else _on_residual
    run(A, u, s, plan, gram, theta, residual, change, fall)
    drift = None
    if b is not None:
        kept = residual.copy()
        residual[:] = b.reshape(len(A), u.M).T
        _subtract(A, theta, residual)
        drift = float(np.abs(kept - residual).max(initial=0))
    done = report(u, s, theta, residual, change, fall)
    u.theta[...] = theta[:, : u.P].T.reshape(u.theta.shape)
    u.residual[...] = residual.T.reshape(u.residual.shape)
    if u.intercept is not None:
        u.intercept[...] = theta[:, u.P]
    return done._replace(drift=drift)


def _beside(A: Array, M: int) -> Array:
    """Return an array (M, n) of float64 that is aligned where the columns of A are."""
    by_columns = A.strides[0] == A.itemsize
    lead = -A.ctypes.data // A.itemsize % 8 if by_columns else 0  # rows to a boundary of 8
    raw = np.empty(M * len(A) + 8)
    skip = (-raw.ctypes.data // 8 - lead) % 8
    return raw[skip : skip + M * len(A)].reshape(M, len(A))


def _each(s: Settings) -> tuple[Array, Array, Array, Array, float]:
    return s.l1, s.l2, s.lower, s.upper, s.relaxation


def _orders(u: Unknowns, s: Settings, plan: Order, updates: int) -> Iterator[tuple[Array, int]]:
    """Yield each order, with the intercept at its end, and how many sweeps it is for.

    ``updates`` is how many of them a compiled call may make.
    """
    last = [] if u.intercept is None else [u.P]
    if plan.fixed is None:
        for order in plan.draw(s.sweeps):
            yield np.append(order, last).astype(np.intp), 1
        return
    order = np.append(plan.fixed, last).astype(np.intp)
    at_once = max(1, updates // max(1, len(order)))
    for begin in range(0, s.sweeps, at_once):
        yield order, min(at_once, s.sweeps - begin)


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
) -> None:
    free = u.intercept is not None
    size = plan.size + free
    sweeper = _core.Sweeper(A, theta, residual, s.weights, _each(s), u.M, free, size, s.threads)
    updates = max(1, _AT_ONCE // max(1, len(A) * u.M))
    step = max(1, updates // _core.WIDTH) * _core.WIDTH
    begin = 0
    for order, sweeps in _orders(u, s, plan, updates):
        known = begin > 0 and plan.fixed is not None
        change[:] = 0
        for first in range(0, size, step):
            end = min(size, first + step)
            largest, fell = np.zeros(u.M), np.zeros((sweeps, u.M))
            bad = sweeper.run(order, first, end, sweeps, known, largest, fell)
            if bad >= 0:
                raise ValueError(_bad_column(A, bad))
            np.maximum(change, largest, out=change)
            fall[begin : begin + sweeps] += fell
        begin += sweeps


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
) -> None:
    G, q = _products(A, u, s, gram, residual)
    if not (np.isfinite(G).all() and np.isfinite(q).all()):
        raise ValueError(_bad_column(A, int(np.argmin(np.isfinite(A).all(0)))))
    start, begin = theta.copy(), 0
    greedy = plan.name == "greedy"
    updates = max(1, _AT_ONCE // max(1, (1 + greedy) * len(G) * u.M))
    for order, sweeps in _orders(u, s, plan, updates):
        if greedy:
            order[: u.P] = -1
        fell = fall[begin : begin + sweeps]
        choices = u.P if greedy else 0
        _core.gram_sweeps(
            G, theta, q, _each(s), order, u.M, sweeps, choices, change, fell, s.threads
        )
        begin += sweeps
    _subtract(A, theta - start, residual)


def _products(
    A: Array, u: Unknowns, s: Settings, gram: Any, residual: Array
) -> tuple[Array, Array]:
    """Return AᵗWA (C, C) and AᵗWr (M, C), the intercept's column of ones included."""
    C, P, given = len(s.l1), u.P, isinstance(gram, bool | None) is False
    G, q = np.zeros((C, C)), np.zeros((u.M, C))
    for rows in _row_slices(A):
        root = np.ones((rows.stop - rows.start, 1))
        if s.weights is not None:
            root[:, 0] = np.sqrt(s.weights[rows])
        S = np.concatenate((root * A[rows], root), axis=1)[:, :C]
        if given:
            G[:, P:] += S.T @ S[:, P:]
        else:
            G += S.T @ S
        q += (residual[:, rows] * root[:, 0]) @ S
    if given:
        G[P:, :P] = G[:P, P:].T
        G[:P, :P] = _given_gram(gram, P)
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


def _row_slices(A: Array) -> Iterator[slice]:
    n, P = A.shape
    step = max(1, _ROWS_AT_ONCE // max(1, P))
    for begin in range(0, n, step):
        yield slice(begin, min(n, begin + step))


def _subtract(A: Array, theta: Array, residual: Array) -> None:
    """residual (M, n) −= (Aθ)ᵗ, with theta (M, C), sums in float64."""
    P = A.shape[1]
    for rows in _row_slices(A):
        part = A[rows].astype(np.float64, copy=False)
        residual[:, rows] -= theta[:, :P] @ part.T + theta[:, P:].sum(1, keepdims=True)


def _bad_column(A: Array, j: int) -> str:
    """Say what is wrong with column j; the last coordinate of all is the intercept."""
    finite = np.isfinite(A[:, j]) if j < A.shape[1] else np.ones(1, bool)
    if finite.all():
        return f"column {j} of A overflows: its weighted sum of squares is not finite"
    i = int(np.argmin(finite))
    return f"A must be finite, but A[{i}, {j}] is {A[i, j]}"
