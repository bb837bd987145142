"""Fit groups of data sets that share parameters.

An attempt has two stages.  First every data set is fitted alone, all parameters its own: that is
fast, has a damping for each data set, and finds its way from far starts.  Then the engine fits the
groups (csrc/fit/shared.h), from the median of what their data sets found for the shared parameters
and from what each found for the others.  A data set that fails alone, as it may for it does not
determine the shared parameters, gets another fit with these at their medians.

In the first attempt a data set alone has one attempt of the engine; in the second, which groups
that failed get, it has all three; and the third attempt starts from p0 itself.

The engine takes the groups one after another, so data sets of other groups in between are put in
order first, and the results back into theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array, PerFit
from .._arguments.pieces import has_nan
from .._core.engine import Job
from .._progress import Report, after
from ..status import Status
from .options import MOST_ATTEMPTS, Options
from .packed import diagonal
from .problem import Problem
from .shared import TOTALS, medians
from .storage import results_for

Results = dict[str, Array]

# A data set alone has FIRST_TRIALS (P + 1) trials at most in the first attempt (csrc/fit/points.h).
_FIRST_TRIALS = 25
_ROUGHLY = 0.1, 1e-3, 0.03  # xtol, ftol and gtol then: what it finds is a start
_FAR_OFF = 100.0  # a shared parameter that has grown by more has run off: see `_beyond`
_SIZES = 1.0, 3.0, 10.0, 30.0, 100.0  # sizes beyond infinity, as shares of the start


class _Stopped(Exception):
    """A callback has ended the job while data sets were fitted alone."""


class Means(NamedTuple):
    """How problems are run.

    Attributes
    ----------
    fit_each : callable
        ``fit_each(problem, results, options, report)`` fits every data set by itself.
    job : callable
        ``job(problem, results, options)`` makes the engine's job.
    options : Options
    threads : int
    """

    fit_each: Callable[[Problem, Results, Options, Report], None]
    job: Callable[[Problem, Results, Options], Job]
    options: Options
    threads: int


def run_groups(problem: Problem, out: Results, means: Means, report: Report) -> None:
    """Fit the groups and write their results; what interrupts the job is raised."""
    assert problem.sharing is not None
    order, begin = problem.sharing.in_order()
    if order is None:
        with suppress(_Stopped):
            _in_range(problem, out, begin, means, report)
        return
    problem = problem.picked(order)
    results = _room_for(problem)
    try:
        with suppress(_Stopped):
            _in_range(problem, results, begin, means, report)
    finally:
        if "errors" in results:
            out["errors"] = np.empty((*out["status"].shape, len(problem.free)), out["chi2"].dtype)
        _write(out, order, results)


def _room_for(problem: Problem) -> Results:
    """Arrays for results in which what is not written says that it is not."""
    results = results_for(problem)
    for name in ("theta", "covariance", "chi2"):
        results[name].fill(np.nan)
    return results


def _write(out: Results, places: Array, results: Results) -> None:
    """Write the results of some data sets into the arrays of all."""
    n = out["status"].size
    for name, array in results.items() if places.size else ():
        out[name].reshape(n, -1)[places] = array.reshape(places.size, -1)


def _in_range(problem: Problem, out: Results, begin: Array, means: Means, report: Report) -> None:
    """Fit the groups, which are in order; in float64 those that leave the range of float32."""
    _attempts(problem, out, begin, means, report)
    lost = np.add.reduceat(out["status"].reshape(-1) == Status.RANGE, begin[:-1]) > 0
    if problem.data.y.dtype == np.float64 or not lost.any():
        return
    places, of_part = _places_of(lost, begin)
    part = _in_float64(problem.picked(places))
    results = _room_for(part)
    _attempts(part, results, of_part, means, after(report, out["status"].size - places.size))
    with np.errstate(over="ignore", under="ignore"):
        of_diagonal = diagonal(len(problem.free))
        out["errors"] = np.sqrt(out["covariance"][..., of_diagonal])
        results["errors"] = np.sqrt(results["covariance"][..., of_diagonal])
        _write(out, places, results)


def _in_float64(problem: Problem) -> Problem:
    """The same problem in float64."""

    def wide(row: PerFit) -> PerFit:
        return PerFit(row.array.astype(np.float64), row.step)

    data, sigma = problem.data, problem.data.sigma
    return problem._replace(
        data=data._replace(
            x=tuple(map(wide, data.x)),
            y=data.y.astype(np.float64),
            sigma=None if sigma is None else wide(sigma),
        ),
        start=wide(problem.start),
        lower=wide(problem.lower),
        upper=wide(problem.upper),
    )


def _places_of(chosen: Array, begin: Array) -> tuple[Array, Array]:
    """The places of the data sets of the chosen groups, and where each group begins among them."""
    sizes = np.diff(begin)
    of_part = np.append(0, np.cumsum(sizes[chosen])).astype(np.int64)
    return np.flatnonzero(np.repeat(chosen, sizes)), of_part


def _attempts(problem: Problem, out: Results, begin: Array, means: Means, report: Report) -> None:
    """Fit the groups, which are in order; groups that fail are tried again."""
    _attempt(problem, out, begin, means, report, 1)
    status = out["group_status"].reshape(-1)
    for attempt in range(2, means.options.attempts + 1):
        failed = (status[begin[:-1]] < 0) & _may_be_tried(out, begin)
        if not failed.any() or not out["status"].all():
            return
        places, of_part = _places_of(failed, begin)
        part = problem.picked(places)
        part = part._replace(start=PerFit(_beyond(part, _picked(out, places), means), 1))
        results = _room_for(part)
        later = after(report, out["status"].size - places.size)
        _attempt(part, results, of_part, means, later, attempt)
        better = _is_better(results, _picked(out, places))
        _write(out, places[better], {name: a[better] for name, a in results.items()})
        out["attempts"].reshape(-1)[places] = attempt


def _picked(out: Results, places: Array) -> Results:
    """The results of some data sets."""
    return {name: array.reshape(out["status"].size, -1)[places] for name, array in out.items()}


def _may_be_tried(out: Results, begin: Array) -> Array:
    """Whether another start may help a group: some data set took part in it."""
    return np.asarray(~np.isnan(out["group_chi2"].reshape(-1)[begin[:-1]]))


def _is_better(results: Results, before: Results) -> Array:
    """Whether the group of each data set has succeeded now, or has at least a smaller chi2."""
    chi2, was = results["group_chi2"], before["group_chi2"][:, 0]
    return np.asarray((results["group_status"] > 0) | (chi2 < was))


def _attempt(
    problem: Problem, out: Results, begin: Array, means: Means, report: Report, attempt: int
) -> None:
    """Fit the groups once."""
    assert problem.sharing is not None
    waiting = None if report is None else (lambda _: report(0))
    if attempt < MOST_ATTEMPTS:
        options = means.options
        most = min(options.max_iter, _FIRST_TRIALS * (len(problem.names) + 1))
        first = Options(*_ROUGHLY, most, attempts=1)
        alone = means._replace(options=first if attempt == 1 else options)
        problem = problem._replace(start=PerFit(_starts(problem, alone, waiting), 1))
    fit_groups(problem, out, begin, means, report)
    out["attempts"][out["status"] != 0] = attempt


def fit_groups(problem: Problem, out: Results, begin: Array, means: Means, report: Report) -> None:
    """Let the engine fit the groups from their starts."""
    assert problem.sharing is not None
    totals = {name: np.zeros(begin.size - 1, kind) for name, kind in TOTALS.items()}
    totals["chi2"].fill(np.nan)
    data, names = problem.data, problem.sharing.names
    partial = data.sigma is not None or data.use is not None or has_nan(data.y)
    places = [problem.free.index(problem.names.index(name)) for name in names]
    job = means.job(problem, out, means.options)
    try:
        watch = job.run_shared(
            begin, np.array(places, np.int32), partial, totals, means.threads, report
        )
    finally:
        for name, total in totals.items():
            out[f"group_{name}"].reshape(-1)[:] = np.repeat(total, np.diff(begin))
    if watch.error is not None:
        raise watch.error


# ---- starts ----------------------------------------------------------------------------------


def _starts(problem: Problem, means: Means, report: Report) -> Array:
    """The starts of all parameters (B, P), from fits of the data sets alone."""
    assert problem.sharing is not None
    data, number = problem.data, problem.sharing.number
    shared = [problem.names.index(name) for name in problem.sharing.names]
    shape = data.n_fits, len(problem.names)
    start: Array = np.array(np.broadcast_to(problem.start.array, shape), order="C")
    alone = problem._replace(sharing=None)
    results, good = _fit_each(alone, means, report)
    found = results["theta"].reshape(start.shape)
    for j in shared:
        middle = medians(np.where(good, found[:, j], np.nan), number)
        start[:, j] = np.where(np.isnan(middle), start[:, j], middle)
    local = [j for j in problem.free if j not in shared]
    start[:, local] = np.where(good[:, None], found[:, local], start[:, local])
    bad = np.flatnonzero(~good & np.isin(number, number[good]))
    if bad.size and local:
        part = alone.picked(bad)._replace(free=tuple(local), start=PerFit(start[bad], 1))
        results, good = _fit_each(part, means, report)
        found = results["theta"].reshape(bad.size, -1)
        start[bad[:, None], local] = np.where(good[:, None], found[:, local], start[bad][:, local])
    return start


def _fit_each(problem: Problem, means: Means, report: Report) -> tuple[Results, Array]:
    """Fit every data set by itself; which of them succeeded is told beside the results."""
    results = results_for(problem)
    means.fit_each(problem, results, means.options, report)
    if not results["status"].all():
        raise _Stopped
    return results, np.asarray(results["status"].reshape(-1) > 0)


def _beyond(problem: Problem, before: Results, means: Means) -> Array:
    """The starts (B, P) of groups that failed; of some they are beyond infinity.

    A decay exp(-t / tau) depends on 1 / tau: where data want it slower than any decay, they want
    1 / tau below 0.  So a shared parameter that ran off, to more than `_FAR_OFF` times its start,
    gets the other sign, and of some sizes (csrc/fit/probes.h) that with the least chi2.
    """
    assert problem.sharing is not None
    shape = problem.data.n_fits, len(problem.names)
    start: Array = np.array(np.broadcast_to(problem.start.array, shape), order="C")
    for name in problem.sharing.names:
        j = problem.names.index(name)
        lower, upper = (np.atleast_2d(b.array)[:, j] for b in (problem.lower, problem.upper))
        far = np.abs(before["theta"][:, j]) > _FAR_OFF * np.abs(start[:, j])
        far &= np.isin(before["status"][:, 0], (Status.SINGULAR, Status.DRIFT))
        far &= (start[:, j] != 0) & (lower == -np.inf) & (upper == np.inf)
        places = np.flatnonzero(np.isin(problem.sharing.number, problem.sharing.number[far]))
        if places.size:
            start[places, j] = _best_size(problem, start, places, j, means)
    return start


def _best_size(problem: Problem, start: Array, places: Array, j: int, means: Means) -> Array:
    """The values of shared parameter j beyond infinity that give groups the least chi2."""
    assert problem.sharing is not None
    shared = [problem.names.index(name) for name in problem.sharing.names]
    local = tuple(k for k in problem.free if k not in shared)
    number = problem.sharing.number[places]
    part = problem.picked(places)._replace(sharing=None, free=local)
    best, least = start[places, j], np.full(number.size, np.inf)
    for size in _SIZES:
        trial = start[places]
        trial[:, j] *= -size
        results, _ = _fit_each(part._replace(start=PerFit(trial, 1)), means, None)
        chi2 = np.bincount(number, np.nan_to_num(results["chi2"].reshape(-1), nan=np.inf))[number]
        best = np.where(chi2 < least, trial[:, j], best)
        least = np.minimum(chi2, least)
    return np.asarray(best)
