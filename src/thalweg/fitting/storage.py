"""The arrays that a job writes its results into, and the result that they become."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

import numpy as np

from .._arguments.check import Array
from ..status import Status
from .problem import Problem
from .result import FitResult
from .shared import groups_of, room_for_groups

_INT8, _INT32, _INT64 = map(np.dtype, (np.int8, np.int32, np.int64))
_FILLED_AT_ONCE = 1 << 16  # fits that are filled at a time, so that filling needs little memory


def results_for(problem: Problem) -> dict[str, Array]:
    """Return arrays for the results of every fit; a status of 0 says that a fit has none yet.

    Large arrays are not touched here, so that each thread of the engine is the first to write to
    its pages.
    """
    batch, P, F = problem.data.batch, len(problem.names), len(problem.free)
    dtype, empty, zeros = problem.data.y.dtype, np.empty, np.zeros
    out = {
        "theta": empty((*batch, P), dtype),
        "covariance": empty((*batch, F * (F + 1) // 2), dtype),
        "chi2": empty(batch, dtype),
        "n_iter": empty(batch, _INT32),
        "n_used": empty(batch, _INT64),
        "detail": empty(batch, _INT32),
        "next": zeros(batch, _INT8),
        "attempts": empty(batch, _INT8),
        "status": zeros(batch, _INT8),  # written last: a fit that has one has all results
    }
    room_for_groups(problem, out)
    return out


def take_back_unsettled(out: dict[str, Array]) -> None:
    """Give the status NOT_RUN to fits whose later attempts were cut off: theirs was not final."""
    out["status"][out["next"] > 0] = Status.NOT_RUN


def _fill_unfinished(out: dict[str, Array]) -> None:
    """Write the results of fits that have not run: NaN, no points, no steps."""
    status = out["status"].reshape(-1)
    n_fits = status.size
    rows = {name: array.reshape(n_fits, -1) for name, array in out.items()}
    for begin in range(0, n_fits, _FILLED_AT_ONCE):
        end = min(begin + _FILLED_AT_ONCE, n_fits)
        places = begin + np.flatnonzero(status[begin:end] == 0)
        # if none of these fits has run, a slice is many times faster than their places
        unfinished = places if places.size < end - begin else slice(begin, end)
        for name in rows.keys() & {"theta", "covariance", "chi2", "errors"}:
            rows[name][unfinished] = np.nan
        for name in ("n_iter", "n_used", "attempts"):
            rows[name][unfinished] = 0
        rows["detail"][unfinished] = -1


def _attributes(problem: Problem, out: dict[str, Array]) -> dict[str, Any]:
    """Return the attributes of a result whose arrays are all written."""
    if problem.ties is not None:
        problem.ties.fill(out["theta"])
    return {
        "params": out["theta"],
        "chi2": out["chi2"],
        "n_iter": out["n_iter"],
        "n_used": out["n_used"],
        "status": out["status"],
        "names": problem.names,
        "problem": problem,
        "covariance_rows": out["covariance"],
        "detail": out["detail"],
        "attempts": out["attempts"],
        "errors": out.get("errors"),
        "groups": groups_of(out, problem),
    }


class _Unfinished(FitResult):
    """The result of a job that was stopped; fits that have not run are filled at first access.

    To fill them at once would take too long after Ctrl-C: for tens of millions of fits the
    operating system needs seconds to give the memory.
    """

    __qualname__ = FitResult.__qualname__  # so that it is printed under the name of a result

    def __getattr__(self, name: str) -> Any:
        """Fill the results, once: Python asks here for attributes that are not there yet."""
        out = self.__dict__.get("_out")
        if out is None or name not in (f.name for f in fields(FitResult)):
            raise AttributeError(f"a FitResult has no attribute {name!r}")
        _fill_unfinished(out)
        self.__dict__.update(_attributes(self.problem, out))
        return self.__dict__[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it as the plain result that it is once it has been filled."""
        return FitResult, tuple(getattr(self, f.name) for f in fields(FitResult))


def result_of(problem: Problem, out: dict[str, Array], finished: bool = False) -> FitResult:
    """Return the result of a job; ``finished`` says that all its fits are known to have run."""
    if "errors" in out:  # all arrays have been written once, so filling them takes no time
        _fill_unfinished(out)
    elif not finished and np.count_nonzero(out["status"]) < out["status"].size:
        unfinished = _Unfinished.__new__(_Unfinished)
        at_once = {"status": out["status"], "names": problem.names, "problem": problem}
        unfinished.__dict__.update(at_once, _out=out)
        return unfinished
    result = FitResult.__new__(FitResult)
    result.__dict__.update(_attributes(problem, out))  # the constructor sets each by itself
    return result


def attach_result(
    error: BaseException,
    problem: Problem,
    out: dict[str, Array],
    prepare: Callable[[dict[str, Array]], None] | None,
) -> None:
    """Give an exception the fits that had finished, as its attribute ``result``.

    ``prepare(out)`` is called before, to take back what was not decided.  If Ctrl-C is pressed
    again meanwhile, its KeyboardInterrupt gets the result and is raised instead.
    """
    try:
        if prepare is not None:
            prepare(out)
        with suppress(AttributeError):  # an exception class of the user's may refuse attributes
            error.result = result_of(problem, out)  # type: ignore[attr-defined]
    except KeyboardInterrupt as another:
        attach_result(another, problem, out, prepare)
        raise
