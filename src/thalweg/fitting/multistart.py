r"""Fits from several starts: deterministic ones, and those of neighbours.

Start 0 is the one that is given or guessed.  Start m > 0 takes h_j, element j of point m of the
sequence of Halton, and puts a parameter with two finite bounds at

    lower + h (upper - lower),      or, if 0 < 100 lower < upper, at lower (upper / lower)^h,

and another one at its start 0 times 10^(2 h - 1), within its bounds.  A parameter that starts at 0
and has no bounds stays there, for its scale is unknown.  The points are the same for every fit, so
that a fit's result does not depend on the batch.

The result that is kept is the success of the lowest chi2 or, if there is none, the failure of the
lowest chi2.

Reference: J. H. Halton, "On the efficiency of certain quasi-random sequences of points in
evaluating multi-dimensional integrals", Numerische Mathematik 2, 1960.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, PerFit, count
from .._arguments.pieces import contiguous
from .._progress import Report, after
from .problem import Problem
from .refits import keeping
from .result import FitResult
from .selection import PER_FIT

_MOST_STARTS = 10_000
_SAME = {8: 1e-6, 4: 1e-3}  # chi2 that differ by less than this share are of the same minimum
_LOGARITHMIC = 100.0  # bounds so many times apart, both > 0, are searched by logarithms
_ROUNDS = 50  # the most rounds in which fits learn from their neighbours

Run = Callable[[Problem, Report], FitResult]


class Strategy(NamedTuple):
    """From how many starts fits are made.

    Attributes
    ----------
    starts : int
        How many every fit gets.
    retry : int
        How many more those get that fail.
    neighbours : bool
        Whether fits are made again from the results of their neighbours in the batch.
    """

    starts: int = 1
    retry: int = 0
    neighbours: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether each fit gets its one start."""
        return self.starts == 1 and not self.retry and not self.neighbours


ONE_START = Strategy()


def strategy_of(starts: Any, retry: Any, neighbours: bool, problem: Problem) -> Strategy:
    """Return what ``fit`` is told of starts.

    Raises
    ------
    ValueError
        A number is out of range, the fits share parameters, or there are no neighbours.
    """
    if starts is retry is None and not neighbours:
        return ONE_START
    strategy = Strategy(
        1 if starts is None else count(starts, "starts", 1, _MOST_STARTS),
        0 if retry is None else count(retry, "retry", 0, _MOST_STARTS),
        neighbours,
    )
    if problem.sharing is not None and not strategy.is_plain:
        raise ValueError("starts, retry and p0='neighbours' are for fits without shared parameters")
    if neighbours and not problem.data.batch:
        raise ValueError("p0='neighbours' needs a batch: one data set has no neighbours")
    return strategy


def from_starts(problem: Problem, strategy: Strategy, run: Run, report: Report) -> FitResult:
    """Fit from all starts; what interrupts it carries the best results so far."""
    if strategy.is_plain:
        return run(problem, report)
    best = _Best(problem, run(problem, report), strategy)
    with keeping(best.result):
        for m in range(1, strategy.starts):
            best.try_all(_moved(problem, m), run, report, m)
        for m in range(strategy.retry):
            best.try_failed(strategy.starts + m, run)
        if strategy.neighbours:
            _learn_from_neighbours(best, run)
    return best.result()


class _Best:
    """The best results so far, arrays with a row for each fit."""

    def __init__(self, problem: Problem, first: FitResult, strategy: Strategy) -> None:
        self.problem, self.n_fits = problem, problem.data.n_fits
        self.rows = {name: self._flat(getattr(first, name)).copy() for name in PER_FIT}
        self.errors = None if first.errors is None else self._flat(first.errors).copy()
        self.counts = strategy.starts > 1
        self.agreement = np.where(self.success, 1, 0)
        self.same = _SAME[first.params.dtype.itemsize]
        self.ended = bool((self.rows["status"] == 0).any())

    def _flat(self, array: Array) -> Array:
        own = array.shape[len(self.problem.data.batch) :]
        return np.asarray(array).reshape((self.n_fits, *own))

    @property
    def success(self) -> Array:
        """Which fits have succeeded, (B,)."""
        return np.asarray(self.rows["status"] > 0)

    def try_all(self, problem: Problem, run: Run, report: Report, m: int) -> None:
        """Fit all data sets from another start; what was done when it is interrupted is kept."""
        if self.ended:
            return
        every = np.arange(self.n_fits)
        try:
            other = run(problem, after(report, m * self.n_fits))
        except BaseException as error:
            if isinstance(partly := getattr(error, "result", None), FitResult):
                self.take(every, partly)
            raise
        self.ended = bool((other.status == 0).any())
        self.take(every, other)

    def try_failed(self, m: int, run: Run) -> None:
        """Fit the data sets that have failed from another start."""
        failed = np.flatnonzero(~self.success)
        if failed.size and not self.ended:
            self.take(failed, run(_moved(self.problem.picked(failed), m), None))

    def take(self, places: Array, other: FitResult) -> Array:
        """Keep what is better of other results of the fits at these places; return where it is."""
        mine = {name: rows[places] for name, rows in self.rows.items()}
        theirs = {name: getattr(other, name).reshape(mine[name].shape) for name in PER_FIT}
        chi2, new = mine["chi2"].astype(np.float64), theirs["chi2"].astype(np.float64)
        good, new_good = mine["status"] > 0, theirs["status"] > 0
        lower = (new < chi2 * (1 - self.same)) | (np.isnan(chi2) & (new >= 0))
        better = np.where(new_good == good, lower, new_good) & (theirs["status"] != 0)
        alike = new_good & good & (np.abs(new - chi2) <= self.same * chi2)
        self.agreement[places[alike]] += 1
        self.agreement[places[better & new_good]] = 1
        for name, rows in self.rows.items():
            rows[places[better]] = theirs[name][better]
        self._take_errors(places, better, other)
        return np.asarray(better)

    def _take_errors(self, places: Array, better: Array, other: FitResult) -> None:
        """Keep the standard errors of better results where squares of errors are out of range."""
        if self.errors is None and other.errors is None:
            return
        free = list(self.problem.free)
        if self.errors is None:
            self.errors = self.result().stderr.reshape(self.n_fits, -1)[:, free].copy()
        errors = other.stderr.reshape(len(places), -1)[:, free]
        self.errors[places[better]] = errors[better]

    def result(self) -> FitResult:
        """Return the best results so far."""
        batch = self.problem.data.batch

        def shaped(rows: Array) -> Array:
            return rows.reshape((*batch, *rows.shape[1:])).copy()

        arrays: dict[str, Any] = {name: shaped(rows) for name, rows in self.rows.items()}
        return FitResult(
            **arrays,
            names=self.problem.names,
            problem=self.problem,
            errors=None if self.errors is None else shaped(self.errors),
            agreement=shaped(self.agreement) if self.counts else None,
        )


# ---- where fits start ------------------------------------------------------------------------


def _halton(m: int, size: int) -> Array:
    """Point m of Halton's sequence in [0, 1)^size: the digits of m, in prime bases, turned over."""
    point = np.zeros(size)
    base, j = 2, 0
    while j < size:
        if all(base % k for k in range(2, int(base**0.5) + 1)):
            rest, share = m, 1.0
            while rest:
                share /= base
                point[j] += share * (rest % base)
                rest //= base
            j += 1
        base += 1
    return point


def _moved(problem: Problem, m: int) -> Problem:
    """The problem with start m."""
    n, P = problem.data.n_fits, len(problem.names)
    free = list(problem.free)
    start, low, high = (
        np.broadcast_to(row.array, (n, P))[:, free].astype(np.float64)
        for row in (problem.start, problem.lower, problem.upper)
    )
    h = _halton(m, len(free))
    with np.errstate(all="ignore"):
        moved = np.clip(start * 10 ** (2 * h - 1), low, high)
        boxed = np.isfinite(low) & np.isfinite(high)
        logarithmic = boxed & (low > 0) & (high > _LOGARITHMIC * low)
        moved = np.where(boxed, low * (1 - h) + high * h, moved)
        moved = np.where(logarithmic, low * (high / low) ** h, moved)
        moved = np.where(boxed, np.clip(moved, low, high), moved)
    return _with_start(problem, np.where(np.isfinite(start), moved, start))


def _with_start(problem: Problem, of_free: Array) -> Problem:
    """The problem whose free parameters start here, (B, F), within their bounds."""
    n, P = problem.data.n_fits, len(problem.names)
    start = np.broadcast_to(problem.start.array, (n, P)).copy()
    free = list(problem.free)
    held = np.zeros((n, len(free)), bool) if problem.fixed is None else problem.fixed[:, free] != 0
    start[:, free] = np.where(held, start[:, free], of_free)
    return problem._replace(
        start=PerFit(contiguous(start, problem.start.array.dtype), 1), seen=None
    )


# ---- neighbours ------------------------------------------------------------------------------


def _learn_from_neighbours(best: _Best, run: Run) -> None:
    """Fit every data set from the result of its best neighbour, until none gets better.

    The neighbours of a fit are those beside it along the axes of the batch, and the best one is the
    success of the least chi2 per point.  After the first round only fits are made again that have a
    neighbour that has become better.
    """
    problem, batch = best.problem, best.problem.data.batch
    free = list(problem.free)
    low, high = (
        np.broadcast_to(r.array, best.rows["params"].shape) for r in (problem.lower, problem.upper)
    )
    changed = np.ones(best.n_fits, bool)
    for _ in range(_ROUNDS):
        teacher, known = _best_neighbours(best, changed, batch)
        places = np.flatnonzero(known)
        if not places.size or best.ended:
            return
        theta = np.clip(best.rows["params"][teacher[places]], low[places], high[places])
        again = _with_start(problem.picked(places), theta[:, free])
        changed[:] = False
        changed[places[best.take(places, run(again, None))]] = True


def _best_neighbours(best: _Best, changed: Array, batch: tuple[int, ...]) -> tuple[Array, Array]:
    """The place of each fit's best neighbour, and for which one of these has changed."""
    with np.errstate(all="ignore"):
        score = best.rows["chi2"].astype(np.float64) / best.rows["n_used"]
    score = np.where(best.success, score, np.inf).reshape(batch)
    place = np.arange(best.n_fits).reshape(batch)
    least, teacher = np.full(batch, np.inf), place.copy()
    for axis in range(len(batch)):
        ahead, behind = (
            tuple(s if k == axis else slice(None) for k in range(len(batch)))
            for s in (slice(1, None), slice(None, -1))
        )
        for here, there in ((ahead, behind), (behind, ahead)):
            closer = score[there] < least[here]
            least[here] = np.where(closer, score[there], least[here])
            teacher[here] = np.where(closer, place[there], teacher[here])
    teacher = teacher.reshape(-1)
    return teacher, (teacher != place.reshape(-1)) & changed[teacher]
