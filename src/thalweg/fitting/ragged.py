"""Fits of data sets of different lengths: lists of arrays, or flat arrays with offsets.

Fits are sorted by their numbers of points, and those of one number run as one batch of rows.  Rows
of nearby numbers run together where that changes no bit: a shorter row is filled up by its last
point again, which is left out there, so that it adds 0 to sums that are taken in order.  That holds
where a start is given and the model treats every point by itself, see `_is_pointwise`; a model that
looks at all of x, or a guess, gets rows of their own lengths.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._progress import open_bar
from ..model.graph import LEAVES, NUMPY
from ..model.trace import RecordingError, record
from .collected import Collected
from .own_options import rows_of_options
from .problem import Problem, SlowModelWarning
from .ragged_data import RaggedData
from .ragged_input import read_ragged, refuse_negative
from .result import FitResult

# A fit of at most so many points runs beside others, one of more runs alone (csrc/fit/lanes.h).
# The order of sums differs, so such fits are never filled up to more.
SIDE_BY_SIDE = 512
LANES = 8  # fits that run side by side take as long as one
PADDING = 0.12  # the most points that are added to a batch, as a share of its own points
AT_ONCE = 1 << 26  # bytes of rows that are copied at a time: 64 MiB

_ROWS = "needs data sets of one length, as rows of y: fill shorter ones up with NaN, for missing"
_REFUSED = {
    "shared": f"shared {_ROWS}",
    "groups": f"groups {_ROWS}",
    "axis": "axis names axes of an array y, and data sets of different lengths have none",
}


def fit_ragged(fit: Callable[..., FitResult], arguments: Mapping[str, Any]) -> FitResult:
    """Fit data sets of different lengths by ``fit``, which fits rows of one length.

    Parameters
    ----------
    fit : callable
        `thalweg.fit`.
    arguments : mapping
        Its arguments by name, ``offsets`` among them, and ``info``, what it knows of the model.

    Raises
    ------
    ValueError
        Lengths do not fit, or an argument needs data sets of one length.
    """
    options = dict(arguments)
    info = options.pop("info")
    for name, sentence in _REFUSED.items():
        if options.pop(name) is not None:
            raise ValueError(sentence)
    if isinstance(options["p0"], str):
        raise ValueError(
            f"p0={options['p0']!r} needs data sets of one length, as rows of y: give numbers"
        )
    own = {name: options.pop(name) for name in ("x", "y", "sigma", "mask", "offsets")}
    data = read_ragged(info, **own, dtype=options["dtype"])
    if options["noise"] == "poisson":
        refuse_negative(data)
    total = data.n_fits * (options["starts"] or 1)
    callback = options.pop("callback")
    if not options.pop("progress"):
        return _fit_all(fit, data, options, callback, total)
    with open_bar(total, "fit") as bar:

        def update(done: int, total: int) -> Any:
            bar.update(done - bar.n)
            return callback(done, total) if callback else None

        return _fit_all(fit, data, options, update, total)


class _Told:
    """A callback that is told of the fits of all batches, and what it answered last."""

    def __init__(self, callback: Callable[[int, int], Any], total: int) -> None:
        self.callback, self.total = callback, total
        self.before = 0  # fits of the batches that are done
        self.ended = False

    def __call__(self, done: int, total: int) -> bool:
        self.ended = bool(self.callback(self.before + done, self.total))
        return self.ended


def _fit_all(
    fit: Callable[..., FitResult],
    data: RaggedData,
    options: dict[str, Any],
    callback: Callable[[int, int], Any] | None,
    total: int,
) -> FitResult:
    """Fit batch after batch; what interrupts it carries the fits that had finished."""
    collected, places = Collected(data), np.empty(0, np.intp)
    told = None if callback is None else _Told(callback, total)
    try:
        for places in _batches(data, options, collected):
            own = rows_of_options(options, places, data.n_fits)
            result = _fit_rows(fit, data.rows(places) | own, told, collected.problem is not None)
            collected.take(places, result)
            if told is not None:
                told.before += len(places) * (options["starts"] or 1)
                if told.ended:
                    break
    except BaseException as error:
        collected.attach_to(error, places)
        raise
    return collected.result()


def _fit_rows(
    fit: Callable[..., FitResult], arguments: dict[str, Any], callback: Any, warned: bool
) -> FitResult:
    """Fit one batch; that its model is slow is told once."""
    with warnings.catch_warnings():
        if warned:
            warnings.simplefilter("ignore", SlowModelWarning)
        return fit(**arguments, callback=callback)


def _batches(data: RaggedData, options: Mapping[str, Any], collected: Collected) -> Iterator[Array]:
    """Yield the places of the fits that run together, (n,), shorter ones first.

    The first batch holds data sets of one length; its problem tells whether others may be filled
    up.
    """
    runs = data.by_length() or [np.empty(0, np.intp)]
    first = next((k for k, run in enumerate(runs) if data.longest(run)), 0)
    yield from _pieces(runs.pop(first), data)
    guesses = options["p0"] is None or isinstance(options["f_scale"], str)
    if runs and not guesses and _is_pointwise(collected.problem, map(data.longest, runs)):
        runs = _joined(runs, data)
    for run in runs:
        yield from _pieces(run, data)


def _pieces(places: Array, data: RaggedData) -> list[Array]:
    """Cut places so that the rows of a piece have at most `AT_ONCE` bytes."""
    size = max(1, AT_ONCE // max(1, data.longest(places) * data.bytes_per_point))
    return [places[k : k + size] for k in range(0, max(1, len(places)), size)]


def _joined(runs: list[Array], data: RaggedData) -> list[Array]:
    """Join runs of ascending lengths where few points are added, or few fits would run."""
    out: list[list[Array]] = []
    used = count = longest = 0
    for run in runs:
        n, c = data.longest(run), len(run)
        added = n * count - used
        few = count < LANES and n <= SIDE_BY_SIDE
        if out and _side(n) == _side(longest) and (few or added <= PADDING * (used + n * c)):
            out[-1].append(run)
        else:
            out.append([run])
            used = count = 0
        used, count, longest = used + n * c, count + c, n
    return [np.concatenate(group) for group in out]


def _side(n: int) -> int:
    """How fits of n points are summed: not at all, side by side, or alone."""
    return int(n > 0) + int(n > SIDE_BY_SIDE)


def _is_pointwise(problem: Problem | None, lengths: Iterable[int]) -> bool:
    """Whether the model treats each point by itself, for each of these numbers of points.

    It does if it can be recorded without the values of x, gives one expression whatever the number
    of points, holds no arrays, and has only operations that do not mix points.
    """
    if problem is None or problem.recording is None:
        return False
    data, function, P = problem.data, problem.model.function, len(problem.names)
    keys: set[Any] = set()
    nodes: Sequence[Any] = ()
    try:
        for n in lengths:
            one = record(function, len(data.x), P, n, single=data.single, columns=data.names)
            keys.add(one.graph.key((one.output,)))
            nodes = nodes or one.graph.nodes
            if one.arrays or len(keys) > 1:
                return False
    except RecordingError:
        return False
    return all(node[0] in LEAVES or node[0] in NUMPY for node in nodes)
