"""Small dense problems: a whole solution in one call of csrc/linear/small.h.

For a few hundred numbers the rounds of `Descent` cost hundreds of times what their arithmetic does.
The call makes what `Descent` would: the certificate of the start and, where that is not enough, a
round or two whose working set is all columns.  Whether the gap is reached is for the certificate to
say; where it is not, or where something is wrong with A, the caller goes the general way from the
start.
"""

from __future__ import annotations

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from ..status import Status
from .descent import AGAIN, PART_IN_W, Counts
from .gram import ROUNDS
from .outcome import Outcome
from .problem import Problem
from .result import LinearHistory
from .rules import Rules
from .state import Certificate
from .working_set import FEW

_OPERATIONS = 1 << 22  # of the Gram matrix: what takes longer gains by threads and by NumPy's BLAS
_NARROW = 32  # columns below which passes over A take longer than its Gram matrix


def is_small(problem: Problem, rules: Rules) -> bool:
    """Whether one call does: A dense and small, and nothing asks for sweeps with the residual."""
    n, P = problem.shape
    return (
        isinstance(problem.matrix, np.ndarray)
        and P <= FEW
        and 0 < n * P * max(P, _NARROW) <= _OPERATIONS
        and rules.allow_one_call
    )


def solve_small(problem: Problem, b: Array, start: Array, rules: Rules) -> Outcome | None:
    """Solve one right-hand side from ``start`` (P,); None where one round was not enough."""
    theta = start.copy()
    status, n_iter, wanted, intercept, sweeps, steps, states = _core.solve_small(
        problem.matrix, np.ascontiguousarray(b), problem.weights, problem.each, problem.intercept,
        rules.tol, PART_IN_W, AGAIN, ROUNDS, rules.max_iter, theta,
    )  # fmt: skip
    found = Certificate(*states[n_iter][:-1])
    if status or not found.gap <= wanted:
        return None
    course = np.array(states).T
    why = "as asked" if rules.strategy == "gram" else "the problem is small"
    return Outcome(
        theta,
        intercept,
        Status.GAP,
        found,
        wanted,
        Counts(0, sweeps, steps),
        {"gram": why} if n_iter else {},
        LinearHistory(course[0], course[2], course[3], course[5].astype(int)),
    )
