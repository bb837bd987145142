"""One Gram matrix of all columns, for all penalties of a path.

Where A has many rows and not too many columns, the matrix costs less than the passes over A that a
path makes without it.  With it a model costs what its support does: θ and the products q = AᵗWr are
kept up to date by its rows, and A is read again only every so often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import linear as _core
from .costs import Costs
from .gram import MOST_COLUMNS, Gram
from .problem import Problem
from .state import Certificate, State

_REFRESH = 64  # models after which the residual and q are made anew: rounding adds up slowly
_ROUNDS = 400  # of two sweeps and a Newton step, at most for one model
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
        self.rr = float(state.residual @ state.look.weighted(state.residual))

    def solve(self, problem: Problem, wanted: float) -> tuple[Certificate, int]:
        """Return the certificate of a model, and how many rounds it took."""
        self.state.problem = problem
        found, rounds = self._certify(), 0
        if found.gap > wanted:
            found, rounds = self._descend(wanted), 1
        self.models += 1
        if found.gap > wanted or self.models % _REFRESH == 0:
            self.renew()
            found = self._certify()
        return found, rounds

    def _descend(self, wanted: float) -> Certificate:
        state = self.state
        p = state.problem
        theta, q = state.theta[None], state.q[None].copy()
        before, q_before = state.theta.copy(), state.q.copy()
        counts: Any = np.zeros((2, 1), np.intp)
        _core.solve(
            self.array, p.each, state.reach, max(p.shape[0] - p.intercept, 1),
            np.array([self.rr]), np.array([_PART * wanted]), _ROUNDS, theta, q, np.zeros(1),
            counts, 1,
        )  # fmt: skip
        self.rr -= float((state.theta - before) @ (q_before + q[0]))
        state.q = q[0]
        return self._certify()

    def _certify(self) -> Certificate:
        s = self.state
        penalty, scale, gap, kkt, conditional = _core.certificate(
            s.problem.each, s.reach, s.look.square, s.theta, s.q, max(self.rr, 0.0)
        )
        return Certificate(0.5 * self.rr + penalty, scale, gap, kkt, conditional)


def is_worth_it(matrix: Any, models: int) -> bool:
    """Whether the Gram matrix of all columns costs less than the passes that it spares."""
    n, P = matrix.shape
    is_sparse = not isinstance(matrix, np.ndarray)
    filled = len(matrix.values) / max(P, 1) if is_sparse else float(n)
    costs = Costs(n, filled, is_sparse)
    return P <= MOST_COLUMNS and costs.gram(0, P) <= _PASSES * models * costs.products(P)
