"""The solution of one right-hand side, or of several that share what is known of A."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments.callback import stops
from .._arguments.check import Array
from ..status import Status
from .columns import Look
from .descent import Descent, Iteration
from .gram import Gram
from .outcome import Outcome, put_in, result_of_many, result_of_none, result_of_one
from .problem import Problem
from .ranges import name_of
from .result import LinearResult
from .rules import Rules
from .side_by_side import go_side_by_side, solve_side_by_side
from .small import is_one_call, solve_in_one_call
from .state import State


class Run:
    """The solution of all right-hand sides, together or one after another."""

    def __init__(self, problem: Problem, threads: int, rules: Rules, start: Array) -> None:
        self.problem, self.threads, self.rules, self.start = problem, threads, rules, start
        self.look: Look | None = None
        self.done: list[Outcome] = []
        self.stopped = False
        self.now: Descent | None = None

    def all(
        self, callback: Callable[[Iteration], Any] | None, tick: Callable[[], Any] | None = None
    ) -> LinearResult:
        """Solve all; an exception carries the finished part in its attribute ``result``."""
        if callback is None and not self.start.any() and go_side_by_side(self.problem, self.rules):
            return self._side_by_side(tick)
        return self._one_by_one(callback, tick)

    def _side_by_side(self, tick: Callable[[], Any] | None) -> LinearResult:
        """Solve all together, then those whose gap is too large one by one."""
        problem = self.problem
        self.look = Look(problem, self.threads)
        try:
            whole = solve_side_by_side(self.look, self.rules)
        except KeyboardInterrupt as error:
            error.result = self.result()  # type: ignore[attr-defined]
            raise
        short = np.flatnonzero(np.asarray(whole.status) <= 0)
        if tick is not None:
            for _ in range(problem.b.shape[1] - len(short)):
                tick()
        if not len(short):
            return whole
        rest = problem._replace(b=problem.b[:, short], batch=(len(short),))
        try:
            part = Run(rest, self.threads, self.rules, self.start)._one_by_one(None, tick)
        except BaseException as error:
            if hasattr(error, "result"):
                error.result = put_in(whole, short, error.result)
            raise
        return put_in(whole, short, part)

    def _one_by_one(
        self, callback: Callable[[Iteration], Any] | None, tick: Callable[[], Any] | None
    ) -> LinearResult:
        heard = None if callback is None else self._listener(callback)
        try:
            for m in range(self.problem.b.shape[1]):
                self._one(m, heard)
                if tick is not None:
                    tick()
        except BaseException as error:
            if self.now is not None:
                self._close(Status.INTERRUPTED)
            if self.done or not isinstance(error, Exception):  # a refused argument has no result
                error.result = self.result()  # type: ignore[attr-defined]
            raise
        return self.result()

    def _one(self, m: int, heard: Callable[[Iteration], bool] | None) -> None:
        begin = self._begin(m)
        if heard is None and is_one_call(self.problem, self.rules):
            b = self.problem.b[:, m]
            one = solve_in_one_call(self.problem, b, begin, self.rules, self.threads)
            if one is not None:
                self.done.append(one)
                return
        if self.look is None:
            self.look = Look(self.problem, self.threads)
            self.gram = Gram(self.look)
        name = name_of(m) if self.problem.batch else "b"
        state = State(self.look, self.problem.b[:, m], begin, first=m == 0, name=name)
        self.now = Descent(state, self.gram, self.rules)
        status = Status.CALLBACK if self.stopped else self.now.run(heard)
        self._close(status)

    def _begin(self, m: int) -> Array:
        """Return the start of right-hand side m: the user's, or the θ of the one before it.

        That θ is nearer than 0 only where b has changed by less than its own size.  From farther
        away, rounding of what b was before would be left in the residual.
        """
        if self.start.shape[1] > 1:
            return self.start[:, m]
        if self.done and not self.start.any():
            b, before = self.problem.b[:, m], self.problem.b[:, m - 1]
            with np.errstate(over="ignore"):
                if np.linalg.norm(b - before) < np.linalg.norm(b):
                    return self.done[-1].theta
        return self.start[:, 0]

    def _close(self, status: Status) -> None:
        assert self.now is not None and self.look is not None
        d, b = self.now, self.problem.b[:, len(self.done)]
        intercept = self.look.intercept(b, d.certified)
        self.done.append(
            Outcome(d.certified, intercept, status, d.found, d.wanted, d.drift, d.ran, d.history)
        )
        self.now = None

    def _listener(self, callback: Callable[[Iteration], Any]) -> Callable[[Iteration], bool]:
        def listen(iteration: Iteration) -> bool:
            self.stopped = self.stopped or stops(callback, iteration)
            return self.stopped

        return listen

    def result(self) -> LinearResult:
        """Return the result of the right-hand sides that have run."""
        P, M = self.problem.shape[1], self.problem.b.shape[1]
        if self.problem.batch:
            return result_of_many(self.done, P, M)
        return result_of_one(self.done[0]) if self.done else result_of_none(P)
