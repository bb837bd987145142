"""One Gram matrix of all columns, for all penalties of a path.

Where A has many rows and not too many columns, this matrix costs less than the passes over A that a
path makes without it.  θ and the products q = AᵗWr are then updated by rows of the Gram matrix, one
for each coordinate that moves, and A is read again only after `_REFRESH` models.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import linear as _core
from .costs import costs_of
from .gram import MOST_COLUMNS, Gram, solve_on
from .problem import Problem
from .state import Certificate, State, wanted_of

_REFRESH = 64  # after so many models r and q are computed anew, against rounding (not measured)
_PASSES = 2.0  # passes over A that one model takes without the matrix
_PART = 0.5  # models are solved to this share of the wanted gap; the rest is left to rounding of q


class WholeGram:
    """Solves one model after another on the Gram matrix of all columns."""

    def __init__(self, state: State, gram: Gram) -> None:
        self.state = state
        self.all = np.arange(len(state.theta))
        self.array = gram.of(self.all)
        self.models = 0
        self.factor = _core.Factor()
        self.renew()

    def renew(self) -> None:
        """Compute the residual and its products anew from A and b."""
        state = self.state
        state.refresh()
        state.renew(self.all)
        self.rr = state.rr

    def solve(self, problem: Problem, tol: float) -> tuple[Certificate, float, int]:
        """Solve one model; return its certificate, the gap wanted, and the number of rounds."""
        self.state.problem = problem
        found, rounds = self.state.certify(rr=self.rr), 0
        wanted = wanted_of(self.state, found, tol)
        if not found.gap <= wanted:
            found, rounds = self._descend(wanted), 1
        self.models += 1
        if not found.gap <= wanted or self.models % _REFRESH == 0:
            self.renew()
            found = self.state.certify(rr=self.rr)
        return found, wanted, rounds

    def _descend(self, wanted: float) -> Certificate:
        """Minimise on the Gram matrix of all columns; update q and rᵗWr without A."""
        state = self.state
        theta, q = state.theta.copy(), state.q
        target = _PART * wanted
        state.q, *_ = solve_on(self.array, state, self.all, self.rr, target, factor=self.factor)
        # rᵗWr falls by (θ − θ_before)ᵗ(q_before + q); rounding might make it negative
        self.rr = max(0.0, self.rr - float((state.theta - theta) @ (q + state.q)))
        return state.certify(rr=self.rr)


def is_worth_it(matrix: Any, models: int) -> bool:
    """Whether the Gram matrix of all columns costs less than the passes that it saves."""
    P, costs = matrix.shape[1], costs_of(matrix)
    return P <= MOST_COLUMNS and costs.gram(0, P) <= _PASSES * models * costs.products(P)
