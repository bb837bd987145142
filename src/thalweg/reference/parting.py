"""Data sets that leave their group, for they have no minimum in it (csrc/fit/team_confirm.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arrow import LOST_PIVOT, eliminate, pivot

if TYPE_CHECKING:
    from .shared import Group

Array = np.ndarray[Any, np.dtype[np.float64]]

MARKS = 4
LAST_SLOW_FALL = 1e-6  # a group is slow whose chi2 falls by less than this share of chi2 / dof
LAST_RUN_OFF, NO_EFFECT = 1e-5, 1e-3  # see csrc/fit/covariance.h, confirm.h
LOCAL_INFLATION, SHARED_INFLATION = 1e10, 1e8


def is_slow(g: Group) -> bool:
    """Note chi2 as a mark after every P + 1 kept trials; has it hardly fallen over the last?"""
    g.until_mark -= 1
    if g.until_mark > 0:
        return False
    slow = g.marks[-1] - g.chi2 < LAST_SLOW_FALL * g.chi2 / g.dof
    g.marks, g.until_mark = [g.chi2, *g.marks[:-1]], g.theta.shape[1] + 1
    return slow


def shared_runs_off(g: Group) -> bool:
    """Whether a shared parameter of a slow group runs off to infinity."""
    C = eliminate(g.sums, g.shared, g.local, g.held, g.step, g.D2, 0.0)[0]
    squares = np.diagonal(g.sums, axis1=1, axis2=2)[:, g.shared].sum(axis=0)
    free = [c for c in range(len(g.shared)) if not g.held[0, g.shared[c]]]
    theta, D2 = g.theta[0, g.shared], g.D2[0, g.shared]
    gone = _has_lost_effect(theta, squares, D2, g.chi2)[free]
    inflation = _inflations(C[np.ix_(free, free)])
    return bool(gone.any() or not (inflation <= SHARED_INFLATION).all())


def _has_lost_effect(theta: Array, squares: Array, D2: Array, chi2: float) -> Any:
    """Where a column of J is nothing beside what it was, and theta_j J_j nothing beside e."""
    return (squares < LAST_RUN_OFF**2 * D2) & (theta**2 * squares <= NO_EFFECT**2 * chi2)


def _inflations(A: Array) -> Array:
    """The diagonal of the inverse of A scaled to a diagonal of 1; infinite where A is singular."""
    size = np.sqrt(np.diag(A))
    scaled = A / np.outer(size, size)
    if any(not pivot(scaled, k) > LOST_PIVOT for k in range(len(A))):
        return np.full(len(A), np.inf)
    return np.asarray(np.diag(np.linalg.inv(scaled)))


def runs_off(g: Group, m: int) -> bool:
    """Whether a parameter of its own of member m of a slow group runs off."""
    at = [j for j in g.local if not g.held[m, j]]
    squares = np.diag(g.sums[m])[:-1]
    gone = _has_lost_effect(g.theta[m], squares, g.D2[m], g.sums[m, -1, -1])[at]
    inflation = _inflations(g.sums[m][np.ix_(at, at)])
    return bool(gone.any() or not (inflation <= LOCAL_INFLATION).all())


def part_with_members(g: Group, unsettled: Any, all_of_them: bool) -> bool:
    """Let members leave that are unsettled and run off, or all that are unsettled.

    Returns whether there were some; if no member would stay all do, and the group has stopped.
    """
    asked = np.flatnonzero(unsettled).tolist()
    leaving = [m for m in asked if all_of_them or runs_off(g, m)]
    if not leaving:
        return False
    for m in leaving:
        g.left[g.members[m]] = g.theta[m].copy()
    if len(leaving) == len(g.theta):
        g.status = "NO_PROGRESS"
        return True
    stay = np.setdiff1d(np.arange(len(g.theta)), leaving)
    g.members = [g.members[m] for m in stay]
    for name in ("theta", "sums", "D2", "step", "held", "magnitude"):
        setattr(g, name, getattr(g, name)[stay])
    squares = np.diagonal(g.sums, axis1=1, axis2=2)[:, g.shared].sum(axis=0)
    g.D2[:, g.shared] = squares
    g.dof = max(g.dof_of(g.members), 1)
    g.above, g.idle, g.in_vain = 0.0, 0, 0
    g.resumed = g.unsettled = np.inf
    g.marks = [np.inf] * MARKS
    g.status = ""
    return True
