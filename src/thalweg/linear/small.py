"""Small dense problems: a whole solution in one call of csrc/linear/small.h.

For a few hundred numbers the Python code of `Descent` takes hundreds of times as long as their
arithmetic.  The call does what `Descent` would do: it certifies the start and, where the gap is too
large, makes one or two rounds whose working set is all columns.  Where the certificate at the end
has too large a gap, or A is not finite, the caller solves the problem by `Descent` from the start.
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

# Problems are small if their Gram matrix takes at most so many multiplications: larger ones gain by
# threads and by NumPy's BLAS.  (Not measured at other values.)
_OPERATIONS = 1 << 22
_NARROW = 32  # with fewer columns passes over A take longer than its Gram matrix: count this many


def is_small(problem: Problem, rules: Rules) -> bool:
    """Whether one call is enough: A is dense and small, and no sweeps with r were asked for."""
    n, P = problem.shape
    return (
        isinstance(problem.matrix, np.ndarray)
        and P <= FEW
        and 0 < n * P * max(P, _NARROW) <= _OPERATIONS
        and rules.allow_one_call
    )


def solve_small(problem: Problem, b: Array, start: Array, rules: Rules) -> Outcome | None:
    """Solve one right-hand side from ``start`` (P,); return None if the gap is not reached."""
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
