"""The Gram matrix of the columns of a working set, which grows with it."""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from .columns import Look
from .state import State

MOST_COLUMNS = 8192  # a Gram matrix and its factor take 1 GiB
ROUNDS = 400  # of two sweeps and a Newton step, at most, on one matrix
_ROUGH_ROUNDS = 100  # on a rough matrix, of which more are a sign that its columns are too alike
# A rough matrix G + E is made in single precision.  E is some 1e-7 of the product of two columns'
# lengths, and its eigenvalues, in parts of the diagonal, were seen within 3e-7 where columns are
# hardly correlated, 1e-6 where neighbours have a correlation of 0.95.  With so much more on the
# diagonal F of the rough matrix is above F itself, and a minimum on it below where it began.
_RIDGE = 1e-6
_SHORTEST, _LONGEST = 1e-10, 1e10  # columns whose products are far from the ends of float32


class Gram:
    """The matrix of ``which``, in the first rows and columns of ``array``.

    Attributes
    ----------
    is_rough : bool
        Whether some of it was made in single precision.
    may_be_rough : bool
        Whether that is worth a try: columns are dense and of usual lengths, and it has not failed.
    """

    def __init__(self, look: Look) -> None:
        self.look = look
        self.which: Array = np.zeros(0, np.intp)
        self.array: Array = np.zeros((0, 0))
        self.is_rough = False
        length = look.norm[look.norm > 0]
        usual = bool(length.size) and _SHORTEST < length.min() and length.max() < _LONGEST
        self.may_be_rough = isinstance(look.matrix, np.ndarray) and usual

    def of(self, which: Array, rough: bool = False) -> Array:
        """Return the matrix of ``which``, of which it makes what is new.

        Columns that it has already must be the first of ``which``, in their order; else it begins
        anew.  What is new may be ``rough``; where it may not, what is rough is made anew.
        """
        known = self.known(which)
        if known < len(self.which):
            known = self._keep(which)
        if self.is_rough and not rough:
            known = 0
        if len(which) > known:
            self._room(len(which), known)
            self.look.columns.gram(which, known, self.array, rough)
            self.is_rough = rough or (self.is_rough and known > 0)
            if rough:
                new = np.arange(known, len(which))
                self.array[new, new] *= 1 + _RIDGE
            # a column that is constant to rounding has no say: its products are rounding
            empty = known + np.flatnonzero(self.look.square[which[known:]] == 0)
            self.array[empty], self.array[:, empty] = 0, 0
        self.which = which.copy()
        return self.array

    def solve(
        self, state: State, which: Array, target: float, ratio: float, rough: bool
    ) -> tuple[int, int]:
        """Minimise over ``which`` by `solve_on`; return sweeps and steps."""
        array = self.of(which, rough)
        rounds = _ROUGH_ROUNDS if self.is_rough else ROUNDS
        _, sweeps, steps = solve_on(array, state, which, state.rr, target, ratio, rounds)
        if sweeps >= 2 * rounds:
            self.may_be_rough = False
        return sweeps, steps

    def known(self, which: Array) -> int:
        """Return how many columns it has of those that ``which`` begins with, if all of its own."""
        has = len(self.which)
        return has if np.array_equal(self.which, which[:has]) else 0

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
    array: Array,
    state: State,
    which: Array,
    rr: float,
    target: float,
    ratio: float = 1.0,
    rounds: int = ROUNDS,
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
            array, each, state.reach[which], rank, np.array([rr]), np.array([target]), rounds,
            theta, q, np.zeros(1), counts, 1,
        )  # fmt: skip
    finally:
        state.theta[which] = theta[0]
    return q[0], int(counts[0, 0]), int(counts[1, 0])
