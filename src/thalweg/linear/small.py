"""Small dense problems: a whole solution in one call of csrc/linear/small.h.

For a few hundred numbers the Python code of `Descent` takes hundreds of times as long as their
arithmetic.  The call does what `Descent` would do: it certifies the start and, where the gap is too
large, makes one or two rounds whose working set is all columns.  Where the certificate at the end
has too large a gap, or A is not finite, the caller solves the problem by `Descent` from the start.
"""

from __future__ import annotations

from typing import Any

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
# threads.  (Not measured at other values.)
_OPERATIONS = 1 << 22
_NARROW = 32  # with fewer columns passes over A take longer than its Gram matrix: count this many


def is_one_call(problem: Problem, rules: Rules) -> bool:
    """Whether one call is tried: A is dense with few columns, and no sweeps with r are asked for.

    Several right-hand sides would each compute the Gram matrix, so their problem has to be small.
    """
    return (
        isinstance(problem.matrix, np.ndarray)
        and 0 < problem.shape[1] <= FEW
        and problem.shape[0] > 0
        and (problem.b.shape[1] == 1 or _is_small(problem))
        and rules.allow_one_call
    )


def _is_small(problem: Problem) -> bool:
    n, P = problem.shape
    return n * P * max(P, _NARROW) <= _OPERATIONS


def solve_in_one_call(
    problem: Problem, b: Array, start: Array, rules: Rules, threads: int
) -> Outcome | None:
    """Solve one right-hand side from ``start`` (P,); return None if the gap is not reached."""
    theta, is_small = start.copy(), _is_small(problem)
    status, n_iter, wanted, intercept, sweeps, steps, states = _core.solve_small(
        problem.matrix, np.ascontiguousarray(b), problem.weights, problem.each, problem.intercept,
        rules.tol, PART_IN_W, AGAIN, ROUNDS, rules.max_iter, theta,
        1 if is_small else threads,
    )  # fmt: skip
    last: Any = states[n_iter][:-1]
    found = Certificate(*last)
    if status or not found.gap <= wanted:
        return None
    course = np.array(states).T
    why = "the problem is small" if is_small else "there are few columns"
    why = "as asked" if rules.strategy == "gram" else why
    return Outcome(
        theta,
        intercept,
        Status.GAP,
        found,
        wanted,
        Counts(0, sweeps, steps),
        {"gram": why} if n_iter else {},
        LinearHistory(course[0], course[2], course[3], course[6].astype(int)),
    )
