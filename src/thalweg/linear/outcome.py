"""The outcome of each right-hand side, and the `LinearResult` made of one or of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from ..status import Status
from .result import Course, LinearResult
from .state import Certificate
from .words import WHY, Ran, together

_FIELDS = (
    "theta", "intercept", "objective", "gap", "wanted", "kkt", "conditional", "drift", "status",
    "n_iter",
)  # fmt: skip


class Outcome(NamedTuple):
    """The outcome of one right-hand side; the fields are those of `LinearResult`."""

    theta: Array
    intercept: float
    status: Status
    found: Certificate
    wanted: float
    drift: float
    ran: Ran
    course: Course


def falls_short(result: LinearResult) -> bool:
    """Whether a right-hand side ended above the wanted gap without the user having ended it."""
    return bool(np.isin(result.status, list(WHY)).any())


def result_of_one(one: Outcome) -> LinearResult:
    """Return the result of a single right-hand side."""
    found = one.found
    return LinearResult(
        one.theta, one.intercept, found.objective, found.gap, one.wanted, found.kkt,
        found.conditional, one.drift, one.status, len(one.course) - 1, one.ran, one.course,
    )  # fmt: skip


def result_of_none(P: int) -> LinearResult:
    """Return the result of a single right-hand side that was interrupted before it began."""
    nan = np.nan
    course: Any = [(nan,) * 4]
    return LinearResult(
        np.full(P, nan), nan, nan, nan, nan, nan, 0, nan, Status.NOT_RUN, 0, together([]), course
    )


def result_of_many(done: Sequence[Outcome], P: int, M: int) -> LinearResult:
    """Return the result of M right-hand sides; those that were not reached are NaN."""
    theta = np.full((P, M), np.nan)
    for m, one in enumerate(done):
        theta[:, m] = one.theta
    fields: dict[str, Any] = {
        name: np.array([getattr(one.found, name) for one in done])
        for name in ("objective", "gap", "kkt", "conditional")
    }
    fields |= {
        "intercept": np.array([one.intercept for one in done]),
        "wanted": np.array([one.wanted for one in done]),
        "drift": np.array([one.drift for one in done]),
        "status": np.array([one.status for one in done], np.int8),
        "n_iter": np.array([len(one.course) - 1 for one in done], np.intp),
    }
    fields = {name: _filled(array, M) for name, array in fields.items()}
    return LinearResult(
        theta=theta,
        _ran=together(one.ran for one in done),
        _course=tuple(one.course for one in done),
        **fields,
    )


def put_in(whole: LinearResult, which: Array, part: LinearResult) -> LinearResult:
    """Return ``whole`` with the right-hand sides ``which`` replaced by those of ``part``."""
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        fields[name] = getattr(whole, name).copy()
        fields[name][..., which] = getattr(part, name)
    return replace(whole, _ran=f"{whole.strategy}; {part.strategy}", **fields)


def _filled(array: Array, M: int) -> Array:
    """Return the array extended to M entries, by NaN or, for integers, by 0."""
    missing = M - len(array)
    if not missing:
        return array
    blank = np.nan if array.dtype.kind == "f" else 0
    return np.concatenate([array, np.full(missing, blank, array.dtype)])
