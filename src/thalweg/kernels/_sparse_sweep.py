"""Coordinate-descent sweeps over a sparse matrix stored by columns."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from thalweg._arguments.check import all_finite, numbers
from thalweg._core import sweep_csc as _core

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

# Coordinates of orders that are drawn before the sweeps they are for: 128 MiB.
_AT_ONCE = 2**24

_WRONG = {
    _core.INDPTR: "indptr of A must rise from 0 to at most the number of stored values, "
    "but does not at column {}",
    _core.ROW: "column {} of A has a row index that is not in [0, n={})",
    _core.ORDER: "column {} of A has row indices that are unsorted or duplicated; "
    "A.sum_duplicates() puts them in order",
    _core.VALUE: "A must be finite, but column {} holds NaN or infinity",
    _core.OVERFLOW: "column {} of A overflows: its weighted sum of squares is not finite",
}


class _Columns(NamedTuple):
    """A matrix by columns, its indices all of one type."""

    n: int
    P: int
    indptr: Array
    indices: Array
    values: Array


def sweep_csc(
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
    centered: bool = False,
    b: Any = None,
    rng: Any = None,
    threads: int | None = None,
) -> Sweep:
    r"""Minimise a regularised least-squares loss over sparse columns one by one, in place.

    .. math:: F(\theta) = \frac12 \sum_i w_i r_i^2 + \sum_j l_{1j} |\theta_j|
              + \frac12 \sum_j l_{2j} \theta_j^2, \qquad r = b - A \theta - \theta_0,

    within lower ≤ θ ≤ upper.  This is `coordinate_sweep` for a sparse A, and ``centered`` besides.
    An update costs the stored values of its column, twice; nothing costs n times P.

    Parameters
    ----------
    A : SciPy sparse matrix or array in compressed columns, shape (n, P)
        float64 or float32 (sums are float64), int32 or int64 indices, rows ascending in each
        column.  Not copied.
    theta : ndarray of float64, shape (P,) or (P, M)
        In: the start, within the bounds.  Out: the result.  M columns are M problems with one A.
    residual : ndarray of float64, shape (n,) or (n, M)
        In: b − Aθ (less the intercept).  Out: the same for the new θ.
    l1, l2, weights, bounds, order, sweeps, relaxation, intercept, b, rng
        As in `coordinate_sweep`.  A greedy order needs A by rows as well: more workspace, twice the
        size of A.
    centered : bool
        Keep the intercept at its minimum after every update instead of after every sweep.  That is
        coordinate descent on the columns less their weighted means, which are not formed, and
        costs no more.  Not with a greedy order.
    threads : int, optional
        Most threads, over which right-hand sides are spread in blocks of eight; a single one is the
        work of one thread.  The result is the same to the last bit.

    Returns
    -------
    Sweep
        (largest_change, objective, objectives, drift).

    Raises
    ------
    ValueError, TypeError
        As in `coordinate_sweep`, and where the indices of A are out of range, unsorted or
        duplicated; the first such column is named.
    KeyboardInterrupt
        Ctrl-C was pressed.  θ, residual and intercept hold what the last update left, and belong
        together; F has not risen.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via
    coordinate descent", J. Stat. Softw. 33(1), section 2.4.

    Examples
    --------
    >>> import numpy as np, scipy.sparse
    >>> from thalweg.kernels import sweep_csc
    >>> A = scipy.sparse.csc_array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> theta, residual = np.zeros(2), np.array([2.0, 3.0, 5.0])
    >>> sweep_csc(A, theta, residual, l1=2.0).objective
    11.5
    >>> theta, residual
    (array([0.5, 3. ]), array([1., 0., 2.]))
    """
    columns = _columns(A)
    left = weightless(weights, columns.n)
    u = unknowns(theta, residual, intercept, (columns.n, columns.P), left)
    s = settings(
        u,
        columns.n,
        l1=l1,
        l2=l2,
        weights=weights,
        bounds=bounds,
        sweeps=sweeps,
        relaxation=relaxation,
        threads=threads,
    )
    s = s._replace(**{k: getattr(s, k)[: u.P] for k in ("l1", "l2", "lower", "upper")})
    plan, exact = order_of(order, u.P, rng), target(b, u, left)
    if centered and intercept is None:
        raise ValueError("centered keeps the intercept at its minimum: it needs an intercept")
    if centered and plan.name == "greedy":
        raise ValueError(
            "centered cannot go with a greedy order: every update changes all gradients"
        )
    outputs = {"theta": theta, "residual": residual, "intercept": intercept}
    inputs: dict[str, Any] = {
        "A": columns.values,
        "indices of A": columns.indices,
        "indptr of A": columns.indptr,
    }
    inputs |= {"b": exact, "weights": s.weights, "order": plan.fixed, "l1": l1, "l2": l2}
    apart(outputs, inputs | {"lower bounds": s.lower, "upper bounds": s.upper})
    void = void_of(u.residual, exact, left)
    counted = u._replace(residual=without(u.residual, void))
    report(u, s, *_by_rows(counted), np.zeros(u.M), np.zeros((0, u.M)))  # F overflows here or never
    if left is not None:
        columns = columns._replace(values=_values_without(columns, left))
    exact = None if exact is None else without(exact, void)
    return _run(columns, counted, u, s, plan, bool(centered), exact, void)


def _values_without(columns: _Columns, left: Array) -> Array:
    """Return the values of A, 0 where they are not finite in rows that are left out."""
    if all_finite(columns.values) or not len(left):
        return columns.values
    out = left.take(columns.indices, mode="clip")
    zero: Array = np.where(out & ~np.isfinite(columns.values), 0, columns.values)
    return zero.astype(columns.values.dtype, copy=False)


def _columns(A: Any) -> _Columns:
    """Look at A, without a copy but where starts and rows have two types of index."""
    if getattr(A, "format", None) != "csc":
        got = getattr(A, "format", None) or type(A).__name__
        raise TypeError(f"A must be sparse in compressed columns, as A.tocsc() gives it; got {got}")
    n, P = A.shape
    values = np.asarray(A.data)
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
    # the starts are few: they are what is converted, where they fit
    limit = np.iinfo(np.int32)
    fits = limit.min <= int(indptr.min()) and int(indptr.max()) <= limit.max
    kind = np.int32 if indices.dtype == np.int32 and fits else np.int64
    indptr, indices = (np.require(a, kind, ("C", "A")) for a in (indptr, indices))
    return _Columns(n, P, indptr, indices, values)


def _by_rows(u: Unknowns) -> tuple[Array, Array]:
    """Return theta (M, P) and residual (M, n), not copied where `report` can do without."""
    return u.theta.reshape(u.P, u.M).T, u.residual.reshape(len(u.residual), u.M).T


def _run(
    columns: _Columns,
    counted: Unknowns,
    u: Unknowns,
    s: Settings,
    plan: Order,
    centered: bool,
    b: Array | None,
    void: Array | None,
) -> Sweep:
    """Sweep in place, or over copies of what is not contiguous or has rows that are left out."""
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
            status, column = _core.sweep(
                (columns.n, u.P, u.M), columns.indptr, columns.indices, columns.values,
                weights=s.weights, l1=s.l1, l2=s.l2, lower=s.lower, upper=s.upper,
                relaxation=s.relaxation, order=_coordinates(plan, islice(drawn, end - begin)),
                greedy=plan.name == "greedy", sweeps=end - begin, centered=centered,
                theta=ours[0], residual=ours[1], intercept=ours[2],
                b=b if end == s.sweeps else None,
                change=change, fall=fall[begin:end], drift=drift, threads=s.threads,
            )  # fmt: skip
            if status:
                raise ValueError(_WRONG[status].format(column, columns.n))
    finally:  # Ctrl-C leaves what was reached
        for new, old in zip(ours, theirs, strict=True):
            if old is not None and new is not None and new is not old:
                keep = void if old is u.residual and void is not None else False
                np.copyto(old, new, where=~np.asarray(keep))
    done = report(u, s, *_by_rows(u._replace(residual=without(u.residual, void))), change, fall)
    return done if b is None else done._replace(drift=float(drift.max(initial=0)))


def _coordinates(plan: Order, drawn: Iterable[Array]) -> Array | None:
    """Return the coordinates of each sweep, (C,) or (sweeps, C), or None for all as they come."""
    if plan.name in ("cyclic", "greedy"):
        return None
    if plan.fixed is not None:
        return plan.fixed
    orders = list(drawn)
    return np.array(orders, np.intp).reshape(len(orders), plan.size)
