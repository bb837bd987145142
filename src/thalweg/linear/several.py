"""A run over one right-hand side, or several that share what is known of A."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments.callback import stops
from .._arguments.check import Array
from ..status import LINEAR, Status
from .columns import Look
from .descent import Descent, Iteration
from .gram import Gram
from .problem import Problem
from .result import LinearHistory, LinearResult
from .rules import Rules
from .state import Certificate, State

_WHY = {
    Status.NO_PROGRESS: "the tolerance may be below rounding; a larger tol, columns of like "
    "size, or a little l2 helps",
    Status.MAX_ITER: "a larger max_iter, or a larger tol, helps",
    Status.TIME: "a larger time_limit, or a larger tol, helps",
}


class _One:
    """What became of one right-hand side."""

    def __init__(self, descent: Descent, status: Status) -> None:
        self.theta, self.status, self.wanted = descent.certified, status, descent.wanted
        self.counts, self.reasons = descent.counts, descent.reasons
        self.found = descent.found
        self.history = LinearHistory(*map(np.array, zip(*descent.history, strict=True)))


class Run:
    """All right-hand sides, one after another; each begins where the last one ended."""

    def __init__(self, problem: Problem, threads: int, rules: Rules, start: Array) -> None:
        self.problem, self.threads, self.rules, self.start = problem, threads, rules, start
        self.look: Look | None = None
        self.done: list[_One] = []
        self.stopped = False
        self.now: Descent | None = None

    def all(
        self, callback: Callable[[Iteration], Any] | None, tick: Callable[[], Any] | None = None
    ) -> LinearResult:
        """Solve all; an exception carries what is there in its attribute ``result``."""
        heard = None if callback is None else self._listener(callback)
        try:
            self.look = Look(self.problem, self.threads)
            self.gram = Gram(self.look)
            for m in range(self.problem.b.shape[1]):
                self._one(m, heard)
                if tick is not None:
                    tick()
        except BaseException as error:
            if self.now is not None:
                self._close(Status.INTERRUPTED)
            if self.look is not None or not isinstance(error, Exception):  # no refusal
                error.result = self.result()  # type: ignore[attr-defined]
            raise
        return self.result()

    def _one(self, m: int, heard: Callable[[Iteration], bool] | None) -> None:
        assert self.look is not None
        state = State(self.look, self.problem.b[:, m], self._begin(m), first=m == 0)
        self.now = Descent(state, self.gram, self.rules)
        status = Status.CALLBACK if self.stopped else self.now.run(heard)
        self._close(status)

    def _begin(self, m: int) -> Array:
        """Where the right-hand side begins: as told, or where the one before ended."""
        if self.start.shape[1] > 1:
            return self.start[:, m]
        if self.done and not self.start.any():
            return self.done[-1].theta
        return self.start[:, 0]

    def _close(self, status: Status) -> None:
        assert self.now is not None
        self.done.append(_One(self.now, status))
        self.now = None

    def _listener(self, callback: Callable[[Iteration], Any]) -> Callable[[Iteration], bool]:
        def listen(iteration: Iteration) -> bool:
            self.stopped = self.stopped or stops(callback, iteration)
            return self.stopped

        return listen

    @property
    def falls_short(self) -> bool:
        """Whether a right-hand side ended above its gap for no wish of the user's."""
        return any(one.status in _WHY for one in self.done)

    # ---- the result ------------------------------------------------------------------------

    def result(self) -> LinearResult:
        """Return what there is; right-hand sides that were not reached are NaN."""
        P, M = self.problem.shape[1], self.problem.b.shape[1]
        theta = np.full((P, M), np.nan)
        intercept = np.zeros(len(self.done))
        for m, one in enumerate(self.done):
            theta[:, m] = one.theta
            if self.look is not None:
                intercept[m] = self.look.intercept(self.problem.b[:, m], one.theta)
        fields: dict[str, Any] = {
            name: np.array([getattr(one.found, name) for one in self.done])
            for name in ("objective", "gap", "kkt", "conditional")
        }
        fields |= {
            "intercept": intercept,
            "wanted": np.array([one.wanted for one in self.done]),
            "status": np.array([one.status for one in self.done], np.int8),
            "n_iter": np.array([len(one.history.gap) - 1 for one in self.done], np.intp),
        }
        fields = {name: _filled(array, M) for name, array in fields.items()}
        history = tuple(one.history for one in self.done)
        shared: dict[str, Any] = dict(strategy=self._strategy(), message=self._message())
        if self.problem.batch:
            return LinearResult(theta=theta, history=history, **fields, **shared)
        scalars = {name: array[0].item() for name, array in fields.items()}
        scalars["status"] = Status(scalars["status"])
        first = history[0] if history else LinearHistory(*np.full((4, 1), np.nan))
        return LinearResult(theta=theta[:, 0], history=first, **scalars, **shared)

    def _strategy(self) -> str:
        """Which strategies ran, why, and how much of each."""
        reasons: dict[str, str] = {}
        for one in self.done:
            reasons = one.reasons | reasons
        if not reasons:
            return "none: the start met the tolerance"
        sweeps, gram_sweeps, steps = np.sum([one.counts for one in self.done], axis=0)
        amounts = {
            "residual": f"{sweeps} sweeps with the residual",
            "gram": f"{gram_sweeps} sweeps and {steps} Newton steps on the Gram matrix",
        }
        return "; ".join(f"{name}: {amounts[name]} ({why})" for name, why in reasons.items())

    def _message(self) -> str:
        if not self.done:
            return LINEAR[Status.NOT_RUN]
        worst = next((k for k, one in enumerate(self.done) if not one.status.success), 0)
        one = self.done[worst]
        text = _sentence(one.status, one.found, one.wanted)
        if not self.problem.batch:
            return text
        good = sum(one.status.success for one in self.done)
        return f"{good} of {self.problem.b.shape[1]} converged; right-hand side {worst}: {text}"


def _filled(array: Array, M: int) -> Array:
    """Return the array with M entries: those of what has not run are NaN, or 0."""
    missing = M - len(array)
    if not missing:
        return array
    blank = np.nan if array.dtype.kind == "f" else 0
    return np.concatenate([array, np.full(missing, blank, array.dtype)])


def _sentence(status: Status, found: Certificate, wanted: float) -> str:
    text = LINEAR[status]
    if status.success:
        text += f" = {wanted:.3g}: it is {found.gap:.3g}"
    else:
        text += f"; the gap is {found.gap:.3g} of {wanted:.3g} wanted"
    if status in _WHY:
        text += f"; {_WHY[status]}"
    if found.conditional:
        text += (
            f"; it assumes |theta_j| <= 2 |theta_j| + ||b|| / ||A_j|| in a minimum, of "
            f"{found.conditional} coordinates that neither a penalty nor a bound keeps in reach"
        )
    return text
