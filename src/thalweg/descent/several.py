"""Several right-hand sides: one descent for each, and one result for all.

The columns of a linear loss do not depend on each other, so each has its own steps and its own
test, and a column of small numbers is as accurate beside one of large numbers as it is alone.  The
matrix is shared, not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import sqrt
from time import perf_counter
from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from ..losses.linear import LinearLeastSquares
from .result import DescentResult, History

Run = Callable[..., DescentResult]


def minimize_columns(
    run: Run, loss: LinearLeastSquares, theta0: Any, options: Mapping[str, Any]
) -> DescentResult:
    """Return the minima of all columns, theta of shape (P, M).

    Parameters
    ----------
    run : callable
        `thalweg.minimize`.
    loss : LinearLeastSquares
        A loss of M columns.
    theta0 : array_like, shape (P,) or (P, M)
    options : mapping
        The other arguments of ``run``; sides of the bounds may have shape (P, M), ``time_limit`` is
        for all columns together, ``max_iter`` for each.

    Raises
    ------
    BaseException
        An exception of ``run``, with the result so far in its attribute ``result``.
    """
    M = loss.n_columns or 0
    start = numbers(theta0, "theta0", np.float64)
    if start.shape == (loss.n_params,):
        start = np.repeat(start[:, None], M, axis=1)
    start = loss.at(start, "theta0")
    limit = options.get("time_limit")
    end = None if limit is None else perf_counter() + limit
    done: list[DescentResult] = []
    try:
        for k in range(M):
            left = {} if end is None else {"time_limit": max(0.0, end - perf_counter())}
            own = {**options, **left, "bounds": _of_column(options.get("bounds"), k)}
            done.append(run(loss.column(k), np.ascontiguousarray(start[:, k]), **own))
    except BaseException as error:
        partial = getattr(error, "result", None)
        if isinstance(partial, DescentResult):
            done.append(partial)
        if done:
            error.result = _together(done, start)  # type: ignore[attr-defined]
        raise
    return _together(done, start)


def _of_column(bounds: Any, k: int) -> Any:
    """The bounds of column k: sides of shape (P, M) give their column, others are shared."""
    pair = isinstance(bounds, tuple | list) and len(bounds) == 2
    if not pair or all(np.ndim(side) < 2 for side in bounds):
        return bounds
    return tuple(np.asarray(side)[:, k] if np.ndim(side) == 2 else side for side in bounds)


def _together(done: list[DescentResult], start: Array) -> DescentResult:
    """One result: the points of all columns, the sum of their losses, and one status.

    The status and message are those of the first column that did not succeed, or of the last.
    """
    theta = start.copy()
    for k, r in enumerate(done):
        theta[:, k] = r.theta
    worst = next((k for k, r in enumerate(done) if not r.success), len(done) - 1)
    told = done[worst]
    good = sum(r.success for r in done)
    M = start.shape[1]
    message = f"{good} of {M} columns converged; column {worst}: {told.message}"
    return replace(
        told,
        theta=theta,
        loss=float(sum(r.loss for r in done)),
        gradient_norm=sqrt(sum(r.gradient_norm**2 for r in done)),
        n_iter=max(r.n_iter for r in done),
        history=_history([r.history for r in done]),
        message=message,
    )


def _history(parts: list[History]) -> History:
    """The sums over the columns of losses and squared gradients, for each iteration.

    A column that has ended counts with its last values.
    """
    length = max(len(h.loss) for h in parts)

    def padded(a: Array) -> Array:
        return np.concatenate([a, np.repeat(a[-1:], length - len(a), axis=0)])

    loss = np.sum([padded(h.loss) for h in parts], axis=0)
    norms = np.sqrt(np.sum([padded(h.gradient_norm) ** 2 for h in parts], axis=0))
    thetas = [padded(h.theta) for h in parts if h.theta is not None]
    recorded = np.stack(thetas, axis=2) if len(thetas) == len(parts) else None
    return History(loss, norms, np.full(length - 1, np.nan), recorded)
