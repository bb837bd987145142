"""The Gram matrix G = XᵗWX of the columns X of a working set, extended as the set grows."""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from .columns import Look
from .state import State

MOST_COLUMNS = 8192  # a Gram matrix of so many columns and its factor take 1 GiB together
ROUNDS = 400  # the most rounds of two sweeps and a Newton step on one matrix (not measured)
_ROUGH_ROUNDS = 100  # the most rounds on a rough matrix: more mean nearly dependent columns
# A rough matrix G + E is computed in single precision.  |E_ij| is about 1e-7 ‖X_i‖ ‖X_j‖, and the
# eigenvalues of E relative to the diagonal of G were measured: within 3e-7 for nearly uncorrelated
# columns, within 1e-6 for a correlation of 0.95 between neighbours.  Adding _RIDGE times its
# diagonal makes the rough matrix larger than G, so that a step that lowers its F lowers F itself.
_RIDGE = 1e-6
_SHORTEST, _LONGEST = 1e-10, 1e10  # norms of columns whose products are safely inside float32


class Gram:
    """The Gram matrix of the columns ``which``, in the first rows and columns of ``array``.

    Attributes
    ----------
    is_rough : bool
        Whether some of the matrix was computed in single precision.
    may_be_rough : bool
        Whether single precision may be tried: the columns are dense, their norms fit, and no
        solution on a rough matrix has failed.
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
        """Return the Gram matrix of ``which``, and compute the part of it that is missing.

        Known columns are kept if ``which`` begins with them.  The missing part is computed in
        single precision if ``rough``; if not, rough parts are computed again in double precision.
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
            # the products of a column that is constant to rounding are nothing but rounding
            empty = known + np.flatnonzero(self.look.square[which[known:]] == 0)
            self.array[empty], self.array[:, empty] = 0, 0
        self.which = which.copy()
        return self.array

    def solve(
        self, state: State, which: Array, target: float, ratio: float, rough: bool
    ) -> tuple[int, int]:
        """Minimise over ``which`` by `solve_on`; return the numbers of sweeps and Newton steps."""
        array = self.of(which, rough)
        rounds = _ROUGH_ROUNDS if self.is_rough else ROUNDS
        _, sweeps, steps = solve_on(array, state, which, state.rr, target, ratio, rounds)
        if sweeps >= 2 * rounds:
            self.may_be_rough = False
        return sweeps, steps

    def known(self, which: Array) -> int:
        """Return the number of columns of this matrix if ``which`` begins with them, else 0."""
        has = len(self.which)
        return has if np.array_equal(self.which, which[:has]) else 0

    def _keep(self, which: Array) -> int:
        """Move the known columns that ``which`` begins with to the front; return how many."""
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
        """Make the array large enough, with room to grow.

        Rows are whole cache lines of 8 numbers, but no multiple of 512: rows a multiple of 4 KiB
        apart would compete for the same places of a cache.
        """
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
    factor: _core.Factor | None = None,
) -> tuple[Array, int, int]:
    """Minimise over the columns ``which``, whose Gram matrix is ``array``, to a gap of ``target``.

    ``rr`` is rᵗWr; l1 is taken ``ratio`` times.  One ``factor`` may serve many calls with the same
    matrix, one near the other.  The θ of the state changes, its residual and its products do not.
    Ctrl-C leaves the θ of the last step.

    Returns
    -------
    q : ndarray
        A_jᵗWr of these columns, with the residual of the new θ.
    sweeps, steps : int
        How many sweeps and how many steps of Newton's method were made.
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
            factor,
        )  # fmt: skip
    finally:
        state.theta[which] = theta[0]
    return q[0], int(counts[0, 0]), int(counts[1, 0])
