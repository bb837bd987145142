"""Which coordinates are worked on: candidates, violators, and the working set."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .state import Certificate, State

FEW = 128  # coordinates of which all violators are taken at once
_LEAST = 16  # violators that are taken at a time
_PORTION = 5.5  # √(5.5 P) is how many, where there are more
_MOST = 0.7  # of few coordinates: the others come too, or they would come later
_NEARLY_ALL = 0.9
_PRUNE = 2  # times the support, and two portions: a larger working set is pruned
NEAR = 0.7  # |q_j| / l1_j of a zero that stays when it is pruned
_FIRST = 1e200  # beyond all ratios: coordinates without l1 come first


class Growth(NamedTuple):
    """What a round adds to the working set."""

    added: Array
    waiting: Array  # violators that stay outside
    ratio: float  # the largest |q_j| / l1_j of those, or 1: l1 is solved for that much larger


class WorkingSet:
    """The coordinates W that are worked on, and the candidates, which may be anything but 0."""

    def __init__(self, state: State) -> None:
        self.state = state
        P = len(state.theta)
        self.which: Array = np.flatnonzero(state.theta)
        self.portion = P if P <= FEW else max(_LEAST, int(sqrt(_PORTION * P)))
        self.begin_again()

    def begin_again(self) -> None:
        """Make candidates of all coordinates, as for other penalties; W stays, in its order."""
        s, p = self.state, self.state.problem
        self.held = (p.lower == p.upper) | (s.look.square == 0)
        # what is held is no candidate, but what it adds to F counts
        self.candidates = np.flatnonzero(~self.held | (s.theta != 0))
        self.which = self.which[~self.held[self.which]]
        self.inside = np.zeros(len(s.theta), bool)
        self.inside[self.which] = True

    def screen(self, found: Certificate) -> None:
        """Drop candidates that no minimum within the gap can have: they stay 0.

        The dual optimum is within √(2 gap) of s r, for D is strongly concave (Fercoq, Gramfort and
        Salmon 2015, "Mind the duality gap: safer rules for the lasso").  Where the gap rests on an
        assumption, nothing is dropped.
        """
        if found.conditional:
            return
        s, p, c = self.state, self.state.problem, self.candidates
        radius = sqrt(2 * found.gap)
        most = found.scale * np.abs(s.q[c]) + radius * np.sqrt(s.look.square[c] + p.l2[c])
        zero = (s.theta[c] == 0) & (p.lower[c] <= 0) & (p.upper[c] >= 0) & ~self.inside[c]
        self.candidates = c[~(zero & (most < p.l1[c]) & (s.seen[c] == s.path))]

    def violators(self) -> tuple[Array, Array]:
        """Return candidates outside that would leave 0, and |q_j| / l1_j of each."""
        s, p, c = self.state, self.state.problem, self.candidates
        c = c[~(self.inside[c] | self.held[c])]
        q, size = s.q[c], np.abs(s.q[c])
        blocked = (s.theta[c] == 0) & np.where(q > 0, p.upper[c] <= 0, p.lower[c] >= 0)
        off = (size > p.l1[c]) & ~blocked
        off |= (s.theta[c] != 0) | (p.lower[c] > 0) | (p.upper[c] < 0)
        c, size = c[off], size[off]
        l1 = p.l1[c]
        ratio = np.full(len(c), _FIRST)
        np.divide(size, l1, out=ratio, where=l1 > 0)
        return c, ratio

    def grow(self, whole: bool) -> Growth:
        """Take in violators, the worst first: a portion of them, or the ``whole``."""
        c, ratio = self.violators()
        few = len(self.candidates)
        if few <= FEW and len(c) + len(self.which) > _MOST * few:
            added = self.rest()  # rather all at once than some of them later
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
        """Return all candidates outside, where they are few, or fewer than those inside."""
        c = self.candidates
        left: Array = c[~(self.inside[c] | self.held[c])]
        return left if len(c) <= FEW or len(left) < len(self.which) else left[:0]

    def add(self, more: Array) -> None:
        """Take in more."""
        self.which = np.concatenate([self.which, more])
        self.inside[more] = True

    @property
    def support(self) -> int:
        """How many coordinates of W are not 0."""
        return int(np.count_nonzero(self.state.theta[self.which]))

    def is_wide(self) -> bool:
        """Whether W holds far more than the support."""
        return len(self.which) > _PRUNE * (self.support + self.portion)

    def needed(self, near: float) -> Array:
        """Return which of W are not 0, or zeros that are near to leaving."""
        s, p, w = self.state, self.state.problem, self.which
        keep: Array = (s.theta[w] != 0) | (np.abs(s.q[w]) >= near * p.l1[w])
        keep |= (p.lower[w] > 0) | (p.upper[w] < 0)
        return keep

    def prune(self, near: float = NEAR) -> None:
        """Keep what is needed; all, where that is nearly all, or the half of few: some return."""
        w, keep = self.which, self.needed(near)
        if np.count_nonzero(keep) > (0.5 if len(w) <= FEW else _NEARLY_ALL) * len(w):
            return
        self.inside[w[~keep]] = False
        self.which = w[keep]
