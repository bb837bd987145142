"""Small dense problems: a whole solution in one call of csrc/linear/small.h.

For a few hundred numbers the Python code of `Descent` takes hundreds of times as long as their
arithmetic.  The call does what `Descent` would do: it certifies the start and, where the gap is too
large, makes one or two rounds whose working set is all columns.  Where the certificate at the end
has too large a gap, or A is not finite, the caller solves the problem by `Descent` from the start.

A single right-hand side with arguments of the usual kinds is checked by compiled code, too
(`solve_plain`), for the checks in Python take several times as long as the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array
from .._core import small as _core
from ..status import Status
from .descent import AGAIN, PART_IN_W
from .gram import ROUNDS
from .outcome import Outcome, result_of_none
from .problem import Problem
from .ranges import is_reached
from .result import Course, LinearResult
from .rules import Rules
from .state import Certificate
from .words import Ran
from .working_set import FEW

# Problems are small if their Gram matrix takes at most so many multiplications: larger ones gain by
# threads.  (Not measured at other values.)
_OPERATIONS = 1 << 22
_NARROW = 32  # with fewer columns passes over A take longer than its Gram matrix: count this many

_LIMITS = _core.Limits(
    most=FEW, narrow=_NARROW, operations=_OPERATIONS, rounds=ROUNDS, part=PART_IN_W, again=AGAIN
)


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
    done = _core.solve_small(
        problem.matrix, np.ascontiguousarray(b), problem.weights, problem.each, problem.intercept,
        rules.tol, PART_IN_W, AGAIN, ROUNDS, rules.max_iter, theta,
        1 if is_small else threads,
    )  # fmt: skip
    status, n_iter, wanted, intercept, sweeps, steps, states = done
    found = Certificate(*states[n_iter][:-1])
    if status or not is_reached(found, wanted):
        return None
    why = "the problem is small" if is_small else "there are few columns"
    ran = _ran(n_iter, sweeps, steps, "as asked" if rules.strategy == "gram" else why)
    return Outcome(theta, intercept, Status.GAP, found, wanted, 0.0, ran, _course(states))


def solve_plain(
    A: Any,
    b: Any,
    l1: Any,
    l2: Any,
    bounds: Any,
    weights: Any,
    intercept: Any,
    tol: Any,
    max_iter: Any,
    threads: Any,
    order: Any,
    strategy: Any,
) -> LinearResult | None:
    """Solve a small problem from θ = 0; return None if that is left to the general way.

    The arguments are those of `coordinate_descent`, not checked.  The general way is left what is
    wrong, unusual, large, or does not reach its gap; for None, nothing has been changed or said.
    """
    if type(order) is not str or type(strategy) is not str:
        return None
    if order != "cyclic" or strategy not in ("auto", "gram"):
        return None
    try:
        done = _core.solve_plain(
            _LIMITS, A, b, l1, l2, bounds, weights, intercept, tol, max_iter, threads
        )
    except KeyboardInterrupt as error:
        error.result = result_of_none(A.shape[1])  # type: ignore[attr-defined]
        raise
    if done is None:
        return None
    theta, status, n_iter, wanted, constant, sweeps, steps, states = done
    ended = Certificate(*states[n_iter][:-1])
    if status or not is_reached(ended, wanted):
        return None
    why = "as asked" if strategy == "gram" else "the problem is small"
    return LinearResult(
        theta, constant, ended.objective, ended.gap, wanted, ended.kkt, ended.conditional, 0.0,
        Status.GAP, n_iter, _ran(n_iter, sweeps, steps, why), _course(states),
    )  # fmt: skip


def _ran(n_iter: int, sweeps: int, steps: int, why: str) -> Ran:
    return Ran(0, sweeps, steps, {"gram": why} if n_iter else {})


def _course(states: list[_core.State]) -> Course:
    return [(state[0], state[2], state[3], state[6]) for state in states]
