"""One run of a method of descent: its point, the best point so far, and when it ends."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .._arguments.callback import stops
from .._arguments.check import Array
from ..linalg import watch
from ..losses.curvature import extreme_curvatures
from ..optimizers.base import Method, Point, Problem, length
from ..status import DESCENTS, Halt, Status
from .result import DescentResult, History
from .verdict import Judge, Verdict

_LEVEL = 4 * float(np.finfo(float).eps)  # relative rounding error of a loss
# A method that halts with one of these has found no step that leads lower: it may be at a minimum.
_NO_LOWER = (Status.ROUNDING, Status.NO_PROGRESS, Status.NO_BRACKET)


class Iteration(NamedTuple):
    """What a callback is given after each iteration."""

    n_iter: int
    theta: Array
    loss: float
    gradient_norm: float
    step_size: float


class Rules(NamedTuple):
    """The tolerances and limits at which a descent stops; see `minimize`."""

    gtol: float
    xtol: float
    ftol: float
    max_iter: int
    time_limit: float


Callback = Callable[[Iteration], Any]

# A loss that overflows is told by the message of the result, without a warning beside it.
silent = np.errstate(over="ignore", invalid="ignore", divide="ignore")


class Descent:
    """One run of a method: its point, the best point so far, and the history."""

    def __init__(
        self,
        problem: Problem,
        method: Method,
        start: Point,
        rules: Rules,
        record: bool,
        chosen: bool = False,
    ) -> None:
        self.problem, self.method, self.rules = problem, method, rules
        self.chosen = chosen  # whether the method is the default, which the message then names
        self.point, self.best, self.best_norm = start, start, inf
        self.losses, self.norms, self.steps = array("d"), array("d"), array("d")
        self.thetas: list[Array] | None = [] if record else None
        self.deadline = perf_counter() + rules.time_limit
        # a quadratic loss that falls below 0 may have no minimum: its curvatures will tell
        self.suspicious = problem.loss.is_quadratic and not problem.bounded
        self._keep(start, length(problem.free_gradient(start)))

    @silent
    def run(self, callback: Callback | None) -> DescentResult:
        """Run the method until one of the rules ends it."""
        try:
            return self._run(callback)
        except BaseException as error:  # Ctrl-C, or an exception of the callback or of the loss
            error.result = self._result(Status.INTERRUPTED)  # type: ignore[attr-defined]
            raise

    def _run(self, callback: Callback | None) -> DescentResult:
        state = None
        try:
            with watch.until(self.deadline):
                self.judge = Judge(self.problem, self.point, self.method, self.rules.gtol)
                verdict = self._at_the_start()
                if verdict is None:
                    state = self.method.prepare(self.problem, self.point)
                    verdict = self._loop(state, callback)
        except Halt as halt:
            verdict = Verdict(halt.status, str(halt))
            if halt.status in _NO_LOWER:
                verdict = self._at_rest(verdict)
            elif halt.status is Status.TIME:
                verdict = self._cut_short(Status.TIME)
        if verdict.status in (Status.DIVERGED, Status.NOT_FINITE):
            return self._result(verdict.status, self.method.blame(self.problem, self.best, state))
        return self._result(*verdict)

    def _at_the_start(self) -> Verdict | None:
        """The verdict on a start that needs no step."""
        point, judge = self.point, self.judge
        if self.norms[0] == 0.0:
            return judge.claim(Status.STATIONARY, point) or Verdict(
                Status.SADDLE,
                "the gradient at the start is 0, and the curvature there does not tell a minimum "
                "from a saddle: start elsewhere",
            )
        if not judge.starts_small(point):
            return None
        return judge.claim(Status.GTOL, point)

    def _loop(self, state: Any, callback: Callback | None) -> Verdict:
        problem, rules, step, judge = self.problem, self.rules, self.method.step, self.judge
        point = self.point
        ceiling = self.method.growth * abs(point.loss) or inf
        quiet = Quiet(rules, self.method.patience(problem.loss.n_params))
        deadline = self.deadline
        for _ in range(rules.max_iter):
            previous, point = point, step(problem, point, state)
            norm = length(problem.free_gradient(point))
            self._keep(point, norm)
            ended = callback is not None and stops(callback, self._told(norm))
            if point.loss < 0.0 and self.suspicious:
                self._refuse_bottomless()
            if not (point.loss <= ceiling and norm < inf):
                status = Status.DIVERGED if point.loss > ceiling else Status.NOT_FINITE
                return Verdict(status, DESCENTS[status])
            if judge.small(previous, point):
                verdict = judge.claim(Status.GTOL, point)
                if verdict is not None:
                    return verdict
                judge.refused()
            if quiet.looks(previous, point):
                verdict = self._rest(quiet, point)
                if verdict is not None:
                    return verdict
            if ended:
                return self._cut_short(Status.CALLBACK)
            if deadline < inf and perf_counter() >= deadline:
                return self._cut_short(Status.TIME)
        return self._cut_short(Status.MAX_ITER)

    def _rest(self, quiet: Quiet, point: Point) -> Verdict | None:
        """The verdict after steps that change little; None if a minimum is still far away."""
        if quiet.verdict is Status.NO_PROGRESS:
            return self._at_rest(Verdict(Status.NO_PROGRESS, DESCENTS[Status.NO_PROGRESS]))
        tol = self.rules.xtol if quiet.verdict is Status.XTOL else self.rules.ftol
        verdict = self.judge.claim(quiet.verdict, point, tol)
        if verdict is None:
            quiet.wait(len(self.losses))
        return verdict

    def _at_rest(self, otherwise: Verdict) -> Verdict:
        """The verdict on the best point where no step leads lower; if good, it is returned."""
        if otherwise.status is Status.ROUNDING:
            otherwise = Verdict(Status.NO_PROGRESS, DESCENTS[Status.NO_PROGRESS])
        verdict = self.judge.at_rest(self.best, otherwise)
        if verdict.status.success:
            self.point = self.best
        return verdict

    def _cut_short(self, status: Status) -> Verdict:
        """The verdict on a run that a limit ends, with how far it still has to go."""
        outlook = self.judge.outlook()
        return Verdict(status, f"{DESCENTS[status]}; {outlook}" if outlook else DESCENTS[status])

    def _refuse_bottomless(self) -> None:
        self.suspicious = False
        why = extreme_curvatures(self.problem.loss, self.point.theta).indefinite
        if why:
            raise Halt(Status.UNBOUNDED, why)

    def _keep(self, point: Point, norm: float) -> None:
        self.losses.append(point.loss)
        self.norms.append(norm)
        if self.thetas is not None:
            self.thetas.append(point.theta)
        self.steps.append(point.step_size)
        self.point = point
        best = self.best.loss
        level = _LEVEL * abs(best)
        # where rounding hides which loss is smaller, the smaller gradient is nearer the minimum
        if point.loss < best - level or (norm < self.best_norm and point.loss <= best + level):
            self.best, self.best_norm = point, norm

    def _told(self, norm: float) -> Iteration:
        theta, loss, _, step_size = self.point
        return Iteration(len(self.losses) - 1, theta.copy(), loss, norm, step_size)

    def _result(self, status: Status, message: str = "") -> DescentResult:
        """The result at the point that met a test, or if none was met at the best point."""
        point = self.point if status.success else self.best
        # Ctrl-C may have come between the entries of one point
        kept = min(len(self.losses), len(self.norms), len(self.steps))
        history = History(
            np.array(self.losses[:kept]),
            np.array(self.norms[:kept]),
            np.array(self.steps[1:kept]),
            None if self.thetas is None else np.array(self.thetas[:kept]),
        )
        return DescentResult(
            theta=point.theta.copy(),
            loss=point.loss,
            gradient_norm=length(self.problem.free_gradient(point)),
            status=status,
            n_iter=kept - 1,
            history=history,
            method=self.method,
            message=(message or DESCENTS[status]) + f"; by {self.method.name}" * self.chosen,
        )


@dataclass(slots=True)
class Quiet:
    """Counts consecutive steps that change little.

    One does not end a run: a method with momentum, or one that moves single coordinates, makes
    small steps far from a minimum; ``patience`` says how many it takes.
    """

    rules: Rules
    patience: int
    small_steps: int = 0
    small_changes: int = 0
    unchanged: int = 0
    n_iter: int = 0
    after: int = 0
    verdict: Status = Status.NO_PROGRESS

    def wait(self, n_iter: int) -> None:
        """After a claim that was refused, begin to count anew a quarter of all iterations later."""
        self.small_steps = self.small_changes = 0
        self.after = n_iter + n_iter // 4

    def looks(self, previous: Point, point: Point) -> bool:
        """Return whether enough consecutive steps were small; `verdict` says by which rule."""
        rules = self.rules
        self.n_iter += 1
        change = abs(point.loss - previous.loss)
        if change and not rules.xtol and not rules.ftol:
            self.unchanged = 0
            return False
        return self._count(previous, point, change)

    def _count(self, previous: Point, point: Point, change: float) -> bool:
        rules = self.rules
        step = length(point.theta - previous.theta)
        waited = self.n_iter >= self.after
        small_step = waited and 0 < step <= rules.xtol * length(point.theta)
        small_change = (
            waited and step > 0 and change <= rules.ftol * abs(point.loss) and rules.ftol > 0
        )
        for name, small, verdict in (
            ("small_steps", small_step, Status.XTOL),
            ("small_changes", small_change, Status.FTOL),
            ("unchanged", step == 0, Status.NO_PROGRESS),
        ):
            in_a_row = getattr(self, name) + 1 if small else 0
            setattr(self, name, in_a_row)
            if in_a_row >= self.patience:
                self.verdict = verdict
                return True
        return False
