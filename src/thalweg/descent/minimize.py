"""Minimise a loss: check the arguments, choose a method, and run it."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._arguments.bounds import bounds_of_one
from .._arguments.callback import refuse_callback
from .._arguments.check import count, tolerance
from .._arguments.pieces import all_finite
from .._arguments.spelling import spelled
from .._progress import open_bar
from ..losses.base import LeastSquares, Loss
from ..losses.linear import LinearLeastSquares
from ..losses.quadratic import QuadraticLoss
from ..machine import at_most
from ..optimizers import LBFGS, ConjugateGradient, LevenbergMarquardt
from ..optimizers.base import Method, Point, Problem, length
from .loop import Callback, Descent, Iteration, Rules, silent
from .result import DescentResult
from .several import minimize_columns
from .units import minimize_in_units, unit_of

_GTOL = 1e-8  # the default of gtol
_LEAST_LOSS = 1e-280  # a sum of squares smaller than this may have lost digits
_DENSE = 1000  # up to so many parameters a P x P matrix may be made for every step


@spelled
def minimize(
    loss: Loss,
    theta0: Any,
    method: Method | None = None,
    *,
    gtol: float | None = _GTOL,
    xtol: float = 0.0,
    ftol: float = 0.0,
    max_iter: int = 1000,
    time_limit: float | None = None,
    bounds: Any = None,
    record: bool = False,
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> DescentResult:
    r"""Minimise a loss :math:`L(\theta)` by a method of descent from ``theta0``.

    Parameters
    ----------
    loss : Loss
        The loss to minimise: `QuadraticLoss`, `LinearLeastSquares`, `MSELoss` or your own.
    theta0 : array_like, shape (P,)
        Start; not changed.  A linear loss of M right-hand sides also takes (P, M), one start for
        each, and the result's theta has that shape.
    method : Method, optional
        The method of descent, such as ``GradientDescent(step_size=0.1)``.  By default it is
        `LevenbergMarquardt` for sums of squares, `ConjugateGradient` for quadratic losses and for
        linear least squares of more than 1000 parameters, and `LBFGS` for others; the message of
        the result names it.
    gtol : float
        How close to a minimum the result must be.  No test compares with the start:

        - sums of squares: every :math:`|J_j \cdot e| \le gtol\, |J_j|\, |e|`, the cosine between
          the residual and a column of the Jacobian;
        - `QuadraticLoss`: every :math:`\sqrt{2 L / H_{jj}} \le gtol\, |\theta^*_j|`, for a target
          of 0 the size that the parameter had on the way; within bounds also a promised decrease
          of at most :math:`gtol^2 |L|`;
        - other losses: every step of Newton's method at most gtol |theta_j|, or a promised decrease
          of at most :math:`gtol^2 |L|`.

        Below what rounding errors of theta make of the gradient a test counts as met.  Success also
        needs a Hessian without negative curvature and, for sums of squares, a promised decrease of
        at most gtol L.
    xtol : float
        Stop when ||step|| <= xtol ||theta||, if Newton's step is no longer; 0 switches it off.
    ftol : float
        Stop when |change of the loss| <= ftol |loss|, if Newton's step promises no more; 0
        switches it off.
    max_iter : int
        The most iterations.
    time_limit : float, optional
        The most seconds; it also ends a step that takes long.
    bounds : pair of array_like, each () or (P,), dict or scipy.optimize.Bounds, optional
        Lower and upper bounds of theta; None is no bound.  A dict gives pairs by the names of the
        loss' parameters.
    record : bool
        Whether the history keeps the theta of every iteration, (n_iter + 1, P) numbers.
    threads : int, optional
        The most threads of every kernel that runs meanwhile; by default the number of processors
        that this process may use.  A loss that was given fewer uses no more than those.  Results
        have the same bits for any number.
    callback : callable, optional
        ``callback(iteration)`` is called after each iteration, with ``n_iter``, ``theta``,
        ``loss``, ``gradient_norm`` and ``step_size`` as attributes; a true value from it, or
        StopIteration, ends the descent.
    progress : bool
        Whether to show a progress bar (needs the extra ``cli``).

    Returns
    -------
    DescentResult
        The point that met the test, or the best one found, and why it stopped.

    Raises
    ------
    ValueError
        Shapes do not fit, the start is not finite or outside the bounds, the method cannot serve
        this loss, or the loss leaves the range of float64 at the start.
    TypeError
        An argument is of the wrong kind.
    KeyboardInterrupt
        Ctrl-C was pressed; the best point so far is in its attribute ``result``.
    Exception
        An exception of ``callback`` or of the loss, with the same attribute.

    Examples
    --------
    >>> from thalweg.losses import QuadraticLoss
    >>> from thalweg.descent.minimize import minimize
    >>> from thalweg.optimizers import GradientDescent
    >>> loss = QuadraticLoss([[2, 0], [0, 1]], theta_star=[1, 2])
    >>> r = minimize(loss, [0, 0], GradientDescent())
    >>> r.theta.round(6), r.n_iter
    (array([1., 2.]), 18)
    >>> minimize(loss, [0, 0], GradientDescent(step_size=0.6)).reason()
    'step_size 0.6 exceeds 2/sigma_max = 0.5 of this loss; best fixed 0.333, any < 0.5 converges'
    >>> minimize(loss, [0, 0]).reason().split("; ")[-1]
    'by ConjugateGradient'
    """
    _refuse_kinds(loss, method, callback)
    options: dict[str, Any] = dict(method=method, gtol=gtol, xtol=xtol, ftol=ftol)
    options |= dict(max_iter=max_iter, time_limit=time_limit, bounds=bounds, record=record)
    options |= dict(callback=callback, progress=progress)
    with at_most(threads):
        return _minimize(loss, theta0, **options)


def _minimize(loss: Loss, theta0: Any, **options: Any) -> DescentResult:
    """`minimize` without a limit of threads.

    Several right-hand sides, and numbers near the ends of the range, are treated first; their parts
    come here again.
    """
    if isinstance(loss, LinearLeastSquares) and loss.n_columns is not None:
        return minimize_columns(_minimize, loss, theta0, options)
    unit = unit_of(loss, theta0)
    if unit != 1.0:
        return minimize_in_units(_minimize, loss, theta0, unit, options)
    return _descend(loss, theta0, **options)


def _descend(
    loss: Loss,
    theta0: Any,
    *,
    method: Method | None,
    gtol: float | None,
    xtol: float,
    ftol: float,
    max_iter: int,
    time_limit: float | None,
    bounds: Any,
    record: bool,
    callback: Callback | None,
    progress: bool,
) -> DescentResult:
    """Check the rest of the arguments, choose the method and run it."""
    theta0 = [theta0] if np.ndim(theta0) == 0 and theta0 is not None else theta0
    loss.at(theta0, "theta0")  # tells a loss of plain functions how many parameters it has
    lower, upper = bounds_of_one(bounds, loss.n_params, getattr(loss, "names", None))
    chosen = method is None
    method = _usual(Problem(loss, lower, upper)) if method is None else method
    problem = method.problem(loss, lower, upper)
    if problem.bounded and not method.bounds:
        raise ValueError(f"{method.name} does not keep within bounds; {_BOUNDED} do")
    start = _start(problem, theta0)
    rules = Rules(
        tolerance(gtol, "gtol", _GTOL),
        tolerance(xtol, "xtol", 0.0),
        tolerance(ftol, "ftol", 0.0),
        count(max_iter, "max_iter", 0, 2**63 - 1),
        inf if time_limit is None else tolerance(time_limit, "time_limit", inf),
    )
    descent = Descent(problem, method, start, rules, record, chosen)
    if not progress:
        return descent.run(callback)
    with _Bar(rules.max_iter, callback) as bar:
        return descent.run(bar.update)


_BOUNDED = (
    "GradientDescent, Nesterov, CoordinateDescent, ConjugateGradient, LevenbergMarquardt and LBFGS"
)


def _usual(problem: Problem) -> Method:
    """The default method for a loss."""
    loss = problem.loss
    large = loss.n_params > _DENSE
    if isinstance(loss, LeastSquares) and not large:
        return LevenbergMarquardt()
    if loss.is_quadratic:
        return ConjugateGradient()
    return LBFGS()


def _refuse_kinds(loss: Any, method: Any, callback: Any) -> None:
    if not isinstance(loss, Loss):
        raise TypeError(
            f"loss must be a Loss, such as QuadraticLoss or MSELoss, got {type(loss).__name__}"
            + "; FunctionLoss(value, gradient) makes one of plain functions" * callable(loss)
        )
    refuse_callback(callback)
    if method is not None and not isinstance(method, Method):
        raise TypeError(
            "method must be a method of descent, such as GradientDescent(), got "
            f"{method.__name__ if isinstance(method, type) else repr(method)}"
        )


@silent
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
    if not np.isfinite(point.loss):
        raise ValueError(
            f"the loss at theta0 must be finite, got {point.loss}"
            + "; measure in larger units, or start nearer" * (point.loss == inf)
        )
    if not all_finite(point.gradient):
        j = int(np.argmin(np.isfinite(point.gradient)))
        raise ValueError(
            f"the gradient at theta0 must be finite, got {point.gradient[j]} for parameter {j}"
        )
    if abs(point.loss) < _LEAST_LOSS and _underflows(problem.loss, point):
        raise ValueError(
            f"the loss at theta0 is {point.loss:.3g}, at the end of the range of numbers, because "
            "squares of small numbers leave it: measure in smaller units"
        )
    return point


def _underflows(loss: Loss, point: Point) -> bool:
    """Whether a loss is so small because its squares underflow, and not because it is minimal."""
    if isinstance(loss, LeastSquares):
        return bool(point.gradient.any())
    if isinstance(loss, QuadraticLoss):
        size = length(point.gradient) * length(point.theta - loss.theta_star)
        return 0 < length(point.gradient) and size < _LEAST_LOSS
    return False


class _Bar:
    """A progress bar that is updated after each iteration, and then calls the user's callback."""

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
