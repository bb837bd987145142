"""The loop that runs a method of descent: when to stop, what to record, whom to tell."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ._check import Array, all_finite, count, numbers, tolerance
from ._progress import open_bar
from .descent import DescentResult, History
from .losses.base import Loss
from .losses.curvature import extreme_curvatures
from .losses.linear import LinearLeastSquares
from .optimizers.base import Method, Point, Problem
from .several import minimize_columns
from .stop import Halt, Stop

_LEVEL = 4 * float(np.finfo(float).eps)  # relative rounding error of a loss

_FLOOR = (64 * float(np.finfo(float).eps)) ** 2  # squares of residuals that are rounding errors


class Iteration(NamedTuple):
    """What a callback is told after each iteration."""

    n_iter: int
    theta: Array
    loss: float
    gradient_norm: float
    step_size: float


class Rules(NamedTuple):
    """When to stop."""

    tol: float
    step_tol: float
    loss_tol: float
    max_iter: int
    time_limit: float


Callback = Callable[[Iteration], Any]


# A loss that overflows ends in a sentence, not in a warning beside it.
_silent = np.errstate(over="ignore", invalid="ignore", divide="ignore")


def minimize(
    loss: Loss,
    theta0: Any,
    method: Method,
    *,
    tol: float = 1e-8,
    step_tol: float = 0.0,
    loss_tol: float = 0.0,
    max_iter: int = 1000,
    time_limit: float | None = None,
    bounds: Any = None,
    record: bool = False,
    callback: Callback | None = None,
    progress: bool = False,
) -> DescentResult:
    r"""Minimise a loss :math:`L(\theta)` by a method of descent from ``theta0``.

    Parameters
    ----------
    loss : Loss
        What to minimise: `QuadraticLoss`, `LinearLeastSquares`, `MSELoss` or your own.
    theta0 : array_like, shape (P,)
        Start; not changed.  A linear loss of M right-hand sides also takes (P, M), one start for
        each, and the result's theta has that shape.
    method : Method
        How, such as ``GradientDescent(step_size=0.1)``.
    tol : float
        Stop when ||gradient|| <= tol ||gradient at the start||, both without the components that a
        bound holds back.
    step_tol : float
        Stop when ||step|| <= step_tol ||theta||; 0 switches it off.
    loss_tol : float
        Stop when |change of the loss| <= loss_tol |loss|; 0 switches it off.
    max_iter : int
        Most iterations.
    time_limit : float, optional
        Most seconds.
    bounds : pair of array_like, each () or (P,), optional
        Lower and upper bounds of theta.
    record : bool
        Whether the history keeps theta, (n_iter + 1, P) numbers.
    callback : callable, optional
        ``callback(iteration)`` after each, with ``n_iter``, ``theta``, ``loss``, ``gradient_norm``
        and ``step_size``; True from it ends the descent.
    progress : bool
        Show a progress bar (needs the extra ``cli``).

    Returns
    -------
    DescentResult
        The point that met the test, or the best one found, and why it stopped.

    Raises
    ------
    ValueError
        Shapes do not fit, the start is not finite or outside the bounds, or the method cannot
        serve this loss.
    Exception
        One of ``callback`` or of the loss; the best point so far is in its attribute ``result``.

    Notes
    -----
    Ctrl-C returns the best point so far, with the status ``Stop.INTERRUPTED``.

    Examples
    --------
    >>> from thalweg.losses import QuadraticLoss
    >>> from thalweg.minimize import minimize
    >>> from thalweg.optimizers import GradientDescent
    >>> loss = QuadraticLoss([[2, 0], [0, 1]], theta_star=[1, 2])
    >>> r = minimize(loss, [0, 0], GradientDescent())
    >>> r.theta.round(6), r.n_iter
    (array([1., 2.]), 17)
    >>> minimize(loss, [0, 0], GradientDescent(step_size=0.6)).reason()
    'step_size 0.6 exceeds 2/sigma_max = 0.5 of this loss; try <= 0.5, best fixed 0.333'
    """
    _refuse_kinds(loss, method)
    if isinstance(loss, LinearLeastSquares) and loss.n_columns is not None:
        options: dict[str, Any] = dict(method=method, tol=tol, step_tol=step_tol, loss_tol=loss_tol)
        options |= dict(max_iter=max_iter, time_limit=time_limit, bounds=bounds, record=record)
        options |= dict(callback=callback, progress=progress)
        return minimize_columns(minimize, loss, theta0, options)
    loss.at(theta0, "theta0")  # tells a loss of plain functions how many parameters it has
    lower, upper = _bounds(bounds, loss.n_params)
    problem = method.problem(loss, lower, upper)
    if problem.bounded and not method.bounds:
        raise ValueError(f"{method.name} does not keep within bounds; {_BOUNDED} do")
    start = _start(problem, theta0)
    rules = Rules(
        tolerance(tol, "tol", 0.0),
        tolerance(step_tol, "step_tol", 0.0),
        tolerance(loss_tol, "loss_tol", 0.0),
        count(max_iter, "max_iter", 0, 2**63 - 1),
        inf if time_limit is None else tolerance(time_limit, "time_limit", inf),
    )
    descent = Descent(problem, method, start, rules, record)
    if not progress:
        return descent.run(callback)
    with _Bar(rules.max_iter, callback) as bar:
        return descent.run(bar.update)


class Descent:
    """One run of a method: where it is, the best point so far, and its history."""

    def __init__(
        self, problem: Problem, method: Method, start: Point, rules: Rules, record: bool
    ) -> None:
        self.problem, self.method, self.rules = problem, method, rules
        self.point, self.best, self.best_norm = start, start, inf
        self.losses, self.norms, self.steps = array("d"), array("d"), array("d")
        self.thetas: list[Array] | None = [] if record else None
        # a quadratic loss below 0 may have no minimum: a look at its curvatures will tell
        self.suspicious = problem.loss.is_quadratic and not problem.bounded
        self._keep(start, self._norm(start))

    @_silent
    def run(self, callback: Callback | None) -> DescentResult:
        """Go down until a rule says stop."""
        state = None
        try:
            if self.norms[0] == 0.0:
                return self._result(Stop.STATIONARY)
            state = self.method.prepare(self.problem, self.point)
            status = self._loop(state, callback)
        except Halt as halt:
            return self._result(halt.status, str(halt))
        except KeyboardInterrupt:
            return self._result(Stop.INTERRUPTED)
        except BaseException as error:  # of the callback or of the user's model
            error.result = self._result(Stop.INTERRUPTED)  # type: ignore[attr-defined]
            raise
        blame = ""
        if status in (Stop.DIVERGED, Stop.NOT_FINITE):
            blame = self.method.blame(self.problem, self.best, state)
        return self._result(status, blame)

    def _loop(self, state: Any, callback: Callback | None) -> Stop:
        problem, rules, step = self.problem, self.rules, self.method.step
        point, norm = self.point, self.norms[0]
        target = rules.tol * norm
        ceiling = self.method.growth * abs(point.loss) or inf
        quiet = Quiet(rules, self.method.patience(problem.loss.n_params))
        deadline = perf_counter() + rules.time_limit
        for _ in range(rules.max_iter):
            previous, point = point, step(problem, point, state)
            g = problem.free_gradient(point) if problem.bounded else point.gradient
            norm = sqrt(g.dot(g))
            self._keep(point, norm)
            ended = callback is not None and callback(self._told(norm)) is True
            if norm <= target:
                return Stop.GRADIENT
            if point.loss < 0.0 and self.suspicious:
                self._refuse_bottomless()
            if not (point.loss <= ceiling and norm < inf):
                return Stop.DIVERGED if point.loss > ceiling else Stop.NOT_FINITE
            if quiet.looks(previous, point):
                return quiet.verdict
            if ended:
                return Stop.CALLBACK
            if deadline < inf and perf_counter() >= deadline:
                return Stop.TIME
        return Stop.MAX_ITER

    def _refuse_bottomless(self) -> None:
        self.suspicious = False
        why = extreme_curvatures(self.problem.loss, self.point.theta).indefinite
        if why:
            raise Halt(Stop.UNBOUNDED, why)

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

    def _norm(self, point: Point) -> float:
        g = self.problem.free_gradient(point)
        return float(sqrt(g.dot(g)))

    def _told(self, norm: float) -> Iteration:
        theta, loss, _, step_size = self.point
        return Iteration(len(self.losses) - 1, theta.copy(), loss, norm, step_size)

    def _result(self, status: Stop, message: str = "") -> DescentResult:
        """The point that met a test; where none was met, the best one."""
        point = self.point if status.success else self.best
        kept = min(len(self.losses), len(self.norms), len(self.steps))  # Ctrl-C may fall between
        history = History(
            np.array(self.losses[:kept]),
            np.array(self.norms[:kept]),
            np.array(self.steps[1:kept]),
            None if self.thetas is None else np.array(self.thetas[:kept]),
        )
        return DescentResult(
            theta=point.theta.copy(),
            loss=point.loss,
            gradient_norm=self._norm(point),
            status=status,
            n_iter=kept - 1,
            history=history,
            method=self.method,
            message=message or status.sentence,
        )


@dataclass(slots=True)
class Quiet:
    """Counts steps in a row that change little; momentum and coordinates need several."""

    rules: Rules
    patience: int
    small_steps: int = 0
    small_changes: int = 0
    unchanged: int = 0
    verdict: Stop = Stop.STALLED

    def looks(self, previous: Point, point: Point) -> bool:
        """Return whether enough steps in a row were small; `verdict` says which rule was met."""
        rules = self.rules
        change = abs(point.loss - previous.loss)
        if change and not rules.step_tol and not rules.loss_tol:
            self.unchanged = 0
            return False
        return self._count(previous, point, change)

    def _count(self, previous: Point, point: Point, change: float) -> bool:
        rules = self.rules
        delta = point.theta - previous.theta
        step = sqrt(delta.dot(delta))
        small_step = 0 < step <= rules.step_tol * sqrt(point.theta.dot(point.theta))
        small_change = (
            step > 0 and change <= rules.loss_tol * abs(point.loss) and rules.loss_tol > 0
        )
        for name, small, verdict in (
            ("small_steps", small_step, Stop.STEP),
            ("small_changes", small_change, Stop.LOSS),
            ("unchanged", step == 0, Stop.STALLED),
        ):
            in_a_row = getattr(self, name) + 1 if small else 0
            setattr(self, name, in_a_row)
            if in_a_row >= self.patience:
                self.verdict = verdict
                return True
        return False


_BOUNDED = (
    "GradientDescent, Nesterov, CoordinateDescent, ConjugateGradient, LevenbergMarquardt and LBFGS"
)


def _refuse_kinds(loss: Any, method: Any) -> None:
    if not isinstance(loss, Loss):
        raise TypeError(
            f"loss must be a Loss, such as QuadraticLoss or MSELoss, got {type(loss).__name__}"
            + "; FunctionLoss(value, gradient) makes one of plain functions" * callable(loss)
        )
    if not isinstance(method, Method):
        raise TypeError(
            "method must be a method of descent, such as GradientDescent(), got "
            f"{method.__name__ if isinstance(method, type) else repr(method)}"
        )


def _bounds(bounds: Any, n_params: int) -> tuple[Array, Array]:
    try:
        low, high = (-inf, inf) if bounds is None else bounds
    except (TypeError, ValueError):
        raise ValueError("bounds must be a pair (lower, upper)") from None
    sides = []
    for value, name in ((low, "lower"), (high, "upper")):
        side = numbers(value, f"the {name} bounds", np.float64)
        if side.shape not in ((), (n_params,)):
            raise ValueError(
                f"the {name} bounds must have shape () or (P={n_params},), got {side.shape}"
            )
        sides.append(np.broadcast_to(side, (n_params,)))
    lower, upper = sides
    fits = lower <= upper
    if not fits.all():
        j = int(np.argmin(fits))
        raise ValueError(
            f"the lower bound {lower[j]} of parameter {j} exceeds the upper, {upper[j]}"
        )
    return lower, upper


@_silent
def _start(problem: Problem, theta0: Any) -> Point:
    theta = problem.loss.at(theta0, "theta0").copy()
    if not all_finite(theta):
        j = int(np.argmin(np.isfinite(theta)))
        raise ValueError(f"theta0 must be finite, got {theta[j]} for parameter {j}")
    inside = (theta >= problem.lower) & (theta <= problem.upper)
    if not inside.all():
        j = int(np.argmin(inside))
        raise ValueError(
            f"theta0 must lie within the bounds, but parameter {j} starts at {theta[j]:g} outside "
            f"[{problem.lower[j]:g}, {problem.upper[j]:g}]"
        )
    point = problem.at(theta)
    problem.floor = _FLOOR * abs(point.loss)
    if not np.isfinite(point.loss):
        raise ValueError(f"the loss at theta0 must be finite, got {point.loss}")
    if not all_finite(point.gradient):
        j = int(np.argmin(np.isfinite(point.gradient)))
        raise ValueError(
            f"the gradient at theta0 must be finite, got {point.gradient[j]} for parameter {j}"
        )
    return point


class _Bar:
    """A progress bar that calls on."""

    def __init__(self, total: int, callback: Callback | None) -> None:
        self.callback = callback
        self.bar = open_bar(total, "step")

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.close()

    def update(self, iteration: Iteration) -> Any:
        self.bar.update()
        self.bar.set_postfix(loss=f"{iteration.loss:.6g}", refresh=False)
        return self.callback(iteration) if self.callback else None
