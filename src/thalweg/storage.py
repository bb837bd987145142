"""The arrays that a job writes its results into, and the result that they become."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from ._check import Array
from .problem import Problem
from .result import FitResult

_FILLED_AT_ONCE = 1 << 16  # fits; bounds the memory that filling needs when there is none left


def results_for(problem: Problem) -> dict[str, Array]:
    """Return arrays for the results of every fit; status 0: the others are not written yet.

    Large ones stay untouched until the engine's threads write them, each its own pages.
    """
    batch, P, F = problem.data.batch, len(problem.names), len(problem.free)
    dtype = problem.data.y.dtype
    return {
        "theta": np.empty((*batch, P), dtype),
        "covariance": np.empty((*batch, F * (F + 1) // 2), dtype),
        "chi2": np.empty(batch, dtype),
        "n_iter": np.empty(batch, np.int32),
        "n_used": np.empty(batch, np.int64),
        "detail": np.empty(batch, np.int32),
        "next": np.zeros(batch, np.int8),
        "attempts": np.zeros(batch, np.int8),
        "status": np.zeros(batch, np.int8),  # the last: what has one has everything
    }


def fill_unfinished(out: dict[str, Array]) -> int:
    """Write what a fit that has not run is: NaN, no points, no steps; return how many have run."""
    status = out["status"].reshape(-1)
    n_fits, finished = status.size, int(np.count_nonzero(status))
    if finished == n_fits:
        return finished
    rows = {name: array.reshape(n_fits, -1) for name, array in out.items()}
    for begin in range(0, n_fits, _FILLED_AT_ONCE):
        end = min(begin + _FILLED_AT_ONCE, n_fits)
        places = begin + np.flatnonzero(status[begin:end] == 0)
        # where none has run, as it is behind the last that has, a slice is many times faster
        unfinished = places if places.size < end - begin else slice(begin, end)
        for name in rows.keys() & {"theta", "covariance", "chi2", "errors"}:
            rows[name][unfinished] = np.nan
        rows["n_iter"][unfinished] = rows["n_used"][unfinished] = 0
        rows["detail"][unfinished] = -1
    return finished


def result_of(problem: Problem, out: dict[str, Array]) -> FitResult:
    """Return the result of a job that has written everything."""
    return FitResult(
        params=out["theta"],
        chi2=out["chi2"],
        n_iter=out["n_iter"],
        n_used=out["n_used"],
        status=out["status"],
        names=problem.names,
        problem=problem,
        covariance_rows=out["covariance"],
        detail=out["detail"],
        attempts=np.maximum(out["attempts"], (out["status"] != 0).astype(np.int8)),
        errors=out.get("errors"),
    )


def attach_result(
    error: BaseException,
    problem: Problem,
    out: dict[str, Array],
    prepare: Callable[[dict[str, Array]], None] | None,
) -> None:
    """Give an exception the fits that had finished, as its attribute ``result``.

    ``prepare(out)`` goes before, to take back what was not decided.
    A further Ctrl-C meanwhile replaces the exception; the one that goes out has the result.
    """
    try:
        if prepare is not None:
            prepare(out)
        fill_unfinished(out)
        with suppress(AttributeError):  # a class of the user's may refuse it; its error is told
            error.result = result_of(problem, out)  # type: ignore[attr-defined]
    except KeyboardInterrupt as another:
        attach_result(another, problem, out, prepare)
        raise
