"""The Gram matrix of the columns of a working set, which grows with it."""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from .columns import Look
from .state import State

MOST_COLUMNS = 8192  # a Gram matrix and its factor take 1 GiB
ROUNDS = 400  # of two sweeps and a Newton step, at most, on one matrix


class Gram:
    """The matrix of ``which``, in the first rows and columns of ``array``."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.which: Array = np.zeros(0, np.intp)
        self.array: Array = np.zeros((0, 0))

    def of(self, which: Array) -> Array:
        """Return the matrix of ``which``, of which it makes what is new.

        Columns that it has already must be the first of ``which``, in their order; else it begins
        anew.
        """
        known = len(self.which)
        if not np.array_equal(self.which, which[:known]):
            known = self._keep(which)
        if len(which) > known:
            self._room(len(which), known)
            self.look.columns.gram(which, known, self.array)
            # a column that is constant to rounding has no say: its products are rounding
            empty = known + np.flatnonzero(self.look.square[which[known:]] == 0)
            self.array[empty], self.array[:, empty] = 0, 0
        self.which = which.copy()
        return self.array

    def _keep(self, which: Array) -> int:
        """Keep what the new set begins with, wherever it stands; return how many columns."""
        place = {int(j): k for k, j in enumerate(self.which)}
        kept = []
        for j in which.tolist():
            if j not in place:
                break
            kept.append(place[j])
        m = len(kept)
        if m:
            self.array[:m, :m] = self.array[np.ix_(kept, kept)]
        return m

    def _room(self, size: int, known: int) -> None:
        """Make the array large enough, with room to grow; odd in lines, for the caches' sake."""
        if size <= len(self.array):
            return
        most = len(self.look.square)
        room = min(most, size if size == most else size + size // 4 + 16)
        room = -(-room // 8) * 8
        room += 8 * (room % 512 == 0)
        array = np.zeros((room, room))
        array[:known, :known] = self.array[:known, :known]
        self.array = array


def solve_on(
    array: Array, state: State, which: Array, rr: float, target: float, ratio: float = 1.0
) -> tuple[Array, int, int]:
    """Minimise over some columns, whose Gram matrix is ``array``, until their gap is the target.

    θ of the state moves, its residual and products stay.  ``rr`` is rᵗWr; l1 is taken ``ratio``
    times.  Where Ctrl-C ends it, θ is what the last step left.

    Returns
    -------
    q : ndarray
        The products of the columns with the residual of the new θ.
    sweeps, steps : int
        Sweeps, and steps of Newton's method.
    """
    p = state.problem
    each = (ratio * p.l1[which], p.l2[which], p.lower[which], p.upper[which])
    theta, q = state.theta[which][None], state.q[which][None]
    counts = np.zeros((2, 1), np.intp)
    rank = max(p.shape[0] - p.intercept, 1)
    try:
        _core.solve(
            array, each, state.reach[which], rank, np.array([rr]), np.array([target]), ROUNDS,
            theta, q, np.zeros(1), counts, 1,
        )  # fmt: skip
    finally:
        state.theta[which] = theta[0]
    return q[0], int(counts[0, 0]), int(counts[1, 0])
