"""One Gram matrix of all columns, for all penalties of a path.

Where A has many rows and not too many columns, the matrix costs less than the passes over A that a
path makes without it.  With it a model costs what its support does: θ and the products q = AᵗWr are
kept up to date by its rows, and A is read again only every so often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .costs import costs_of
from .gram import MOST_COLUMNS, Gram, solve_on
from .problem import Problem
from .state import Certificate, State, wanted_of

_REFRESH = 64  # models after which the residual and q are made anew: rounding adds up slowly
_PASSES = 2.0  # over A that a model takes without the matrix
_PART = 0.5  # of the gap that is wanted: what rounding of q may leave of it


class WholeGram:
    """Solves one model after another on the Gram matrix of all columns."""

    def __init__(self, state: State, gram: Gram) -> None:
        self.state = state
        self.all = np.arange(len(state.theta))
        self.array = gram.of(self.all)
        self.models = 0
        self.renew()

    def renew(self) -> None:
        """Make the residual and its products anew from A and b."""
        state = self.state
        state.refresh()
        state.renew(self.all)
        self.rr = state.rr

    def solve(self, problem: Problem, tol: float) -> tuple[Certificate, float, int]:
        """Return the certificate of a model, the gap that is wanted, and the rounds it took."""
        self.state.problem = problem
        found, rounds = self.state.certify(rr=self.rr), 0
        wanted = wanted_of(self.state, found, tol)
        if found.gap > wanted:
            found, rounds = self._descend(wanted), 1
        self.models += 1
        if found.gap > wanted or self.models % _REFRESH == 0:
            self.renew()
            found = self.state.certify(rr=self.rr)
        return found, wanted, rounds

    def _descend(self, wanted: float) -> Certificate:
        state = self.state
        theta, q = state.theta.copy(), state.q
        state.q, *_ = solve_on(self.array, state, self.all, self.rr, _PART * wanted)
        # r'Wr falls by (theta - theta_before)'(q_before + q); rounding may leave less than 0
        self.rr = max(0.0, self.rr - float((state.theta - theta) @ (q + state.q)))
        return state.certify(rr=self.rr)


def is_worth_it(matrix: Any, models: int) -> bool:
    """Whether the Gram matrix of all columns costs less than the passes that it spares."""
    P, costs = matrix.shape[1], costs_of(matrix)
    return P <= MOST_COLUMNS and costs.gram(0, P) <= _PASSES * models * costs.products(P)
