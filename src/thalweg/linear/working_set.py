"""Which coordinates are worked on.

The working set W holds the coordinates that are minimised over.  Candidates are the coordinates not
yet proved to be 0 in a minimum.  Violators are candidates outside W whose optimality conditions do
not hold.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .state import Certificate, State

# Chosen by run time on the 120 lasso problems of bench/test_linear.py; other values of each one
# were not measured separately.
FEW = 128  # up to so many coordinates all violators come to W at once
_LEAST, _PORTION = 16, 5.5  # with P coordinates, √(5.5 P) violators come at a time, but at least 16
_MOST = 0.7  # if W and violators are more than this share of few candidates, all of these come
_PRUNE = 2  # W is pruned when it has more than twice (its nonzero coordinates + a portion)
NEAR = 0.7  # a zero stays in a pruned W if |q_j| is at least this share of l1_j
# W is left whole if pruning would keep more than half of a W of up to FEW, or 0.9 of a larger one.
_HALF, _NEARLY_ALL = 0.5, 0.9
_FIRST = 1e200  # the ratio |q_j| / l1_j of violators with l1_j = 0, so that they come first


class Growth(NamedTuple):
    """The violators of a round: which have come to the working set, and which have not."""

    added: Array
    waiting: Array  # violators that stay outside
    # The round takes ``ratio`` times the l1: the largest |q_j| / l1_j of those outside, or 1.  At
    # that l1 they would not be violators.
    ratio: float


class WorkingSet:
    """The working set W, ``which``, and the candidates, which may be nonzero in a minimum."""

    def __init__(self, state: State) -> None:
        self.state = state
        P = len(state.theta)
        self.which: Array = np.flatnonzero(state.theta)
        self.portion = P if P <= FEW else max(_LEAST, int(sqrt(_PORTION * P)))
        self.begin_again()

    def begin_again(self) -> None:
        """Make all coordinates candidates, for other penalties; W stays, in its order."""
        s, p = self.state, self.state.problem
        self.held = (p.lower == p.upper) | (s.look.square == 0)
        # a coordinate that cannot move is a candidate only if it adds to the objective
        self.candidates = np.flatnonzero(~self.held | (s.theta != 0))
        self.which = self.which[~self.held[self.which]]
        self.inside = np.zeros(len(s.theta), bool)
        self.inside[self.which] = True

    def screen(self, found: Certificate) -> None:
        """Drop candidates that are proved to be 0 in every minimum, by the gap-safe sphere rule.

        The dual objective is strongly concave, so its maximum is within √(2 gap) of the dual point
        s r (Fercoq, Gramfort and Salmon 2015, "Mind the duality gap: safer rules for the lasso").
        Where the gap rests on an assumption (`Certificate.conditional`), nothing is dropped.
        """
        if found.conditional:
            return
        s, p, c = self.state, self.state.problem, self._places()
        radius = sqrt(2 * found.gap)
        most = found.scale * np.abs(s.q[c]) + radius * np.sqrt(s.look.square[c] + p.l2[c])
        zero = most < p.l1[c]
        if zero.any():
            zero &= (s.theta[c] == 0) & (p.lower[c] <= 0) & (p.upper[c] >= 0) & ~self.inside[c]
            self.candidates = self.candidates[~(zero & (s.seen[c] == s.path))]

    def _places(self) -> Any:
        """Return the candidates as an index that picks all without a copy while all are in it."""
        is_all = len(self.candidates) == len(self.state.theta)
        return slice(None) if is_all else self.candidates

    def violators(self) -> tuple[Array, Array]:
        """Return the violators, candidates outside W that can move, and their |q_j| / l1_j."""
        s, p, c = self.state, self.state.problem, self._places()
        may = np.abs(s.q[c]) > p.l1[c]
        may |= (s.theta[c] != 0) | (p.lower[c] > 0) | (p.upper[c] < 0)
        c = self.candidates[may & ~(self.inside[c] | self.held[c])]
        q, size = s.q[c], np.abs(s.q[c])
        blocked = (s.theta[c] == 0) & np.where(q > 0, p.upper[c] == 0, p.lower[c] == 0)
        c, size = c[~blocked], size[~blocked]
        l1 = p.l1[c]
        ratio = np.full(len(c), _FIRST)
        with np.errstate(over="ignore"):  # beside a tiny l1 any slope is among the largest
            np.divide(size, l1, out=ratio, where=l1 > 0)
        return c, ratio

    def grow(self, whole: bool) -> Growth:
        """Add violators to W: a portion, those of the largest ratios first, or the ``whole``."""
        c, ratio = self.violators()
        few = len(self.candidates)
        if few <= FEW and len(c) + len(self.which) > _MOST * few:
            added = self.rest()  # most are needed: the others would cost rounds of their own
            self.add(added)
            return Growth(added, c[:0], 1.0)
        support = int(np.count_nonzero(self.state.theta[self.which]))
        take = max(self.portion, support // 2)
        if whole or take > len(c) or 4 * len(c) < 5 * take:
            take = len(c)
        largest = 1.0
        if take < len(c):
            order = np.argsort(-ratio, kind="stable")
            c, ratio = c[order], ratio[order]
            largest = float(ratio[take]) if ratio[take] < _FIRST else 1.0
            largest = largest if largest >= 1.1 else 1.0
        added = np.sort(c[:take])
        self.which = np.concatenate([self.which, added])
        self.inside[added] = True
        return Growth(added, c[take:], largest)

    def rest(self) -> Array:
        """Return the candidates outside W if they are few or fewer than those in W, else none."""
        c = self.candidates
        left: Array = c[~(self.inside[c] | self.held[c])]
        return left if len(c) <= FEW or len(left) < len(self.which) else left[:0]

    def add(self, more: Array) -> None:
        """Add coordinates to W."""
        self.which = np.concatenate([self.which, more])
        self.inside[more] = True

    @property
    def support(self) -> int:
        """The number of nonzero coordinates in W."""
        return int(np.count_nonzero(self.state.theta[self.which]))

    def is_wide(self) -> bool:
        """Whether W holds so many zeros that it should be pruned."""
        return len(self.which) > _PRUNE * (self.support + self.portion)

    def needed(self, near: float) -> Array:
        """Mark the coordinates of W that are nonzero or, by ``near``, close to leaving 0."""
        s, p, w = self.state, self.state.problem, self.which
        keep: Array = (s.theta[w] != 0) | (np.abs(s.q[w]) >= near * p.l1[w])
        keep |= (p.lower[w] > 0) | (p.upper[w] < 0)
        return keep

    def prune(self, near: float = NEAR) -> None:
        """Keep in W what is `needed`; where little would go, keep all, since some would return."""
        w, keep = self.which, self.needed(near)
        if np.count_nonzero(keep) > (_HALF if len(w) <= FEW else _NEARLY_ALL) * len(w):
            return
        self.inside[w[~keep]] = False
        self.which = w[keep]
