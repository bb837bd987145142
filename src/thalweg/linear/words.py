"""What results of linear models say: why a solution ended, and which strategies ran."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from ..status import LINEAR, Status

WHY = {
    Status.NO_PROGRESS: "the tolerance may be below rounding; a larger tol, columns of like "
    "size, or a little l2 helps",
    Status.MAX_ITER: "a larger max_iter, or a larger tol, helps",
    Status.TIME: "a larger time_limit, or a larger tol, helps",
}


class Ran(NamedTuple):
    """What has been done for one right-hand side, or for several together."""

    sweeps: int  # sweeps with the residual
    gram_sweeps: int  # sweeps on a Gram matrix
    steps: int  # steps of Newton's method on a Gram matrix
    reasons: dict[str, str]  # for each strategy that ran, why it ran first

    def __str__(self) -> str:
        """Say which strategies ran, why, and how many sweeps and steps each made."""
        if not self.reasons:
            return "none: the start met the tolerance"
        amounts = {
            "residual": f"{self.sweeps} sweeps with the residual",
            "gram": f"{self.gram_sweeps} sweeps and {self.steps} Newton steps on the Gram matrix",
        }
        return "; ".join(f"{name}: {amounts[name]} ({why})" for name, why in self.reasons.items())


def together(each: Iterable[Ran]) -> Ran:
    """Return what has been done for several right-hand sides; the first reasons are kept."""

    def add(a: Ran, b: Ran) -> Ran:
        sweeps, gram_sweeps = a.sweeps + b.sweeps, a.gram_sweeps + b.gram_sweeps
        return Ran(sweeps, gram_sweeps, a.steps + b.steps, b.reasons | a.reasons)

    return reduce(add, each, Ran(0, 0, 0, {}))


def ending(status: Status, gap: float, wanted: float, conditional: int) -> str:
    """Say why the solution of one right-hand side ended, with its numbers."""
    text = LINEAR[status]
    if status == Status.NOT_RUN:
        return text
    if status.success:
        text += f" = {wanted:.3g}: it is {gap:.3g}"
    else:
        text += f"; the gap is {gap:.3g} of {wanted:.3g} wanted"
    if status in WHY:
        text += f"; {WHY[status]}"
    if conditional:
        text += (
            f"; the gap assumes that a minimum has |theta_j| <= 2 |theta_j of this result| + ||b|| "
            f"/ ||A_j|| for the {conditional} coordinates that neither a penalty nor "
            "a bound in the direction of their slope limits"
        )
    return text


def endings(status: Any, gap: Any, wanted: Any, conditional: Any) -> str:
    """Say how many of M right-hand sides converged, and why the first other one did not.

    The arguments are arrays (M,).  Right-hand sides that were interrupted before they began count
    as not converged, and the one whose reason is told is the first that has run.
    """
    ran = np.flatnonzero(status != Status.NOT_RUN)
    if not len(ran):
        return LINEAR[Status.NOT_RUN]
    worst = int(ran[np.argmax(status[ran] <= 0)])
    text = ending(Status(status[worst]), gap[worst], wanted[worst], int(conditional[worst]))
    good = np.count_nonzero(status > 0)
    return f"{good} of {len(status)} converged; right-hand side {worst}: {text}"
