"""The outcome of each right-hand side, and the `LinearResult` made of one or of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from ..status import LINEAR, Status
from .descent import Counts
from .result import LinearHistory, LinearResult
from .state import Certificate

WHY = {
    Status.NO_PROGRESS: "the tolerance may be below rounding; a larger tol, columns of like "
    "size, or a little l2 helps",
    Status.MAX_ITER: "a larger max_iter, or a larger tol, helps",
    Status.TIME: "a larger time_limit, or a larger tol, helps",
}


_NUMBERS = ("objective", "gap", "wanted", "kkt", "conditional", "status")


class Outcome(NamedTuple):
    """The outcome of one right-hand side; the fields are those of `LinearResult`."""

    theta: Array
    intercept: float
    status: Status
    found: Certificate
    wanted: float
    counts: Counts
    reasons: dict[str, str]
    history: LinearHistory


def falls_short(result: LinearResult) -> bool:
    """Whether a right-hand side ended above the wanted gap without the user having ended it."""
    return bool(np.isin(result.status, list(WHY)).any())


def result_of_one(one: Outcome) -> LinearResult:
    """Return the result of a single right-hand side."""
    found, history = one.found, one.history
    return LinearResult(
        one.theta, one.intercept, found.objective, found.gap, one.wanted, found.kkt,
        found.conditional, _strategy([one]), one.status, len(history.gap) - 1, history,
        _sentence(one.status, found, one.wanted),
    )  # fmt: skip


def result_of_none(P: int) -> LinearResult:
    """Return the result of a single right-hand side that was interrupted before it began."""
    nan = np.nan
    return LinearResult(
        np.full(P, nan), nan, nan, nan, nan, nan, 0, _strategy([]), Status.NOT_RUN, 0,
        LinearHistory(*np.full((4, 1), nan)), LINEAR[Status.NOT_RUN],
    )  # fmt: skip


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
        "status": np.array([one.status for one in done], np.int8),
        "n_iter": np.array([len(one.history.gap) - 1 for one in done], np.intp),
    }
    message = message_of_many(fields, M)
    fields = {name: _filled(array, M) for name, array in fields.items()}
    return LinearResult(
        theta=theta,
        history=tuple(one.history for one in done),
        strategy=_strategy(done),
        message=message,
        **fields,
    )


def put_in(whole: LinearResult, which: Array, part: LinearResult) -> LinearResult:
    """Return ``whole`` with the right-hand sides ``which`` replaced by those of ``part``."""
    fields: dict[str, Any] = {}
    for name in (*_NUMBERS, "theta", "intercept", "n_iter"):
        fields[name] = getattr(whole, name).copy()
        fields[name][..., which] = getattr(part, name)
    message = message_of_many(fields, whole.theta.shape[1])
    strategy = f"{whole.strategy}; {part.strategy}"
    return replace(whole, strategy=strategy, message=message, **fields)


def _strategy(done: Sequence[Outcome]) -> str:
    """Say which strategies ran, why, and how many sweeps and steps each made."""
    reasons: dict[str, str] = {}
    for one in done:
        reasons = one.reasons | reasons
    if not reasons:
        return "none: the start met the tolerance"
    sweeps, gram_sweeps, steps = map(sum, zip(*(one.counts for one in done), strict=True))
    amounts = {
        "residual": f"{sweeps} sweeps with the residual",
        "gram": f"{gram_sweeps} sweeps and {steps} Newton steps on the Gram matrix",
    }
    return "; ".join(f"{name}: {amounts[name]} ({why})" for name, why in reasons.items())


def message_of_many(fields: dict[str, Any], M: int) -> str:
    """Say how many of M right-hand sides converged, and why the first other one did not.

    ``fields`` holds the arrays of a `LinearResult`, for the right-hand sides that have run.
    """
    status = fields["status"]
    if not len(status):
        return LINEAR[Status.NOT_RUN]
    worst = int(np.argmax(status <= 0))
    objective, gap, wanted, kkt, conditional, code = (fields[name][worst] for name in _NUMBERS)
    found = Certificate(objective, 1.0, gap, kkt, int(conditional), 0)
    text = _sentence(Status(code), found, wanted)
    good = np.count_nonzero(status > 0)
    return f"{good} of {M} converged; right-hand side {worst}: {text}"


def _filled(array: Array, M: int) -> Array:
    """Return the array extended to M entries, by NaN or, for integers, by 0."""
    missing = M - len(array)
    if not missing:
        return array
    blank = np.nan if array.dtype.kind == "f" else 0
    return np.concatenate([array, np.full(missing, blank, array.dtype)])


def _sentence(status: Status, found: Certificate, wanted: float) -> str:
    text = LINEAR[status]
    if status.success:
        text += f" = {wanted:.3g}: it is {found.gap:.3g}"
    else:
        text += f"; the gap is {found.gap:.3g} of {wanted:.3g} wanted"
    if status in WHY:
        text += f"; {WHY[status]}"
    if found.conditional:
        text += (
            f"; the gap assumes that a minimum has |theta_j| <= 2 |theta_j of this result| + ||b|| "
            f"/ ||A_j|| for the {found.conditional} coordinates that neither a penalty nor "
            "a bound in the direction of their slope limits"
        )
    return text
