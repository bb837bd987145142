"""`coordinate_descent`: linear models with penalties and bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments.callback import refuse_callback
from .._arguments.check import Array, numbers, thread_limit
from .._arguments.pieces import all_finite
from .._arguments.spelling import spelled
from .._arguments.warning import warn_user
from .._progress import open_bar
from .descent import Iteration
from .outcome import falls_short
from .problem import Problem, problem_of
from .result import ConvergenceWarning, LinearResult
from .rules import rules_of
from .several import Run
from .small import solve_plain


@spelled
def coordinate_descent(
    A: Any,
    b: Any,
    *,
    l1: Any = 0,
    l2: Any = 0,
    bounds: Any = None,
    weights: Any = None,
    intercept: bool = False,
    order: str = "cyclic",
    tol: float = 1e-6,
    max_iter: int = 1000,
    start: Any = None,
    seed: Any = None,
    threads: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[Iteration], Any] | None = None,
    progress: bool = False,
    strategy: str = "auto",
) -> LinearResult:
    r"""Fit a linear model with penalties and bounds, to a duality gap that proves it.

    .. math:: F(\theta) = \frac12 \sum_i w_i (b_i - a_i \theta - \theta_0)^2
              + \sum_j l_{1j} |\theta_j| + \frac12 \sum_j l_{2j} \theta_j^2

    within lower ≤ θ ≤ upper: least squares, ridge, lasso, elastic net, non-negative and bounded,
    and all of them together.

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n, P)
        float64 or float32.  Arrays in either order, memory-mapped arrays and sparse columns are
        read in place; other sparse formats are copied into columns, and so are columns whose rows
        do not ascend or are stored twice, which add up; other numbers become float64.
    b : array_like, shape (n,) or (n, M)
        The right-hand side, or M of them.
    l1, l2 : float or array_like of shape (P,)
        Penalties ≥ 0, in the unit of F over θ and over θ².  An infinite l1 keeps a coordinate at 0.
        scikit-learn's are divided by n: l1 = n·alpha·l1_ratio, l2 = n·alpha·(1 − l1_ratio).
    bounds : pair of float, array_like of shape (P,) or None, optional
        (lower, upper), in the unit of θ; ``(0, None)`` for non-negative coefficients.
    weights : array_like, shape (n,), optional
        w ≥ 0, the inverse variance of each row; default 1.  A row of weight 0, or masked here, is
        left out, whatever A and b hold there.
    intercept : bool
        Whether there is a constant θ₀, neither penalised nor bounded.
    order : {"cyclic", "shuffled", "random"}
        In which order a sweep updates the coordinates: as they stand, in a new permutation each
        time, or drawn with replacement.  The last two work with the residual.
    tol : float
        Stop when the duality gap ≤ tol · ½ ‖b‖²_W.  With an intercept, b is taken less its mean;
        where b is 0, the gap is compared with tol · F at the start.
    max_iter : int
        The largest number of rounds; a round grows the working set, minimises over it, and computes
        the gap.
    start : array_like, shape (P,) or (P, M), optional
        θ to start from, clipped to the bounds; default 0.
    seed : int or numpy.random.Generator, optional
        The seed of the orders "shuffled" and "random".
    threads : int, optional
        The largest number of threads; default `get_num_threads`.  The result is the same to the
        last bit for any number.
    time_limit : float, optional
        The largest number of seconds; checked after each round.
    callback : callable, optional
        ``callback(iteration)`` after each round, with ``n_iter``, ``theta``, ``objective``,
        ``gap``, ``kkt`` and ``working``; a true value from it, or StopIteration, ends the call.
    progress : bool
        Whether to show a progress bar (needs the extra ``cli``).
    strategy : {"auto", "gram", "residual"}
        How to minimise over a working set: "gram", by sweeps and Newton steps on its Gram matrix;
        "residual", by sweeps with the residual; "auto", by whichever is estimated to be faster.
        The result says which ran, and why.

    Returns
    -------
    LinearResult
        ``theta``, ``intercept``, ``gap`` and the rest.  Where the gap was not reached, ``theta`` is
        the last θ, and a `ConvergenceWarning` says how far above the minimum its F may be.

    Raises
    ------
    ValueError
        Shapes disagree, bounds are crossed, a penalty or weight is negative, a NaN or an
        infinity is found, named by row and column, or the norm of b or of a column is above 1e135
        or below 1e-135, so that gaps might overflow or be 0.
    TypeError
        An argument is of the wrong kind, or masked where nothing can be left out.
    KeyboardInterrupt
        Ctrl-C was pressed; the attribute ``result`` holds what was reached, as does that of an
        exception of the callback.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), J. Stat. Softw. 33(1).  Massias, Gramfort and Salmon
    (2018), "Celer: a fast solver for the lasso with dual extrapolation".  Li, Sun and Toh (2018),
    "A highly efficient semismooth Newton augmented Lagrangian method for solving lasso problems".

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import coordinate_descent
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> r = coordinate_descent(A, [1.0, 2.0, 3.0])
    >>> r.theta.round(9), r.success
    (array([1., 1.]), True)
    >>> r = coordinate_descent(A, [1.0, 2.0, 3.0], l1=[0, 1], bounds=(0, None))
    >>> r.theta.round(9), r.gap <= 1e-6 * 7
    (array([1.5, 0.5]), True)
    """
    if callback is None and start is None and seed is None and time_limit is None and not progress:
        how = intercept, tol, max_iter, threads, order, strategy
        plain = solve_plain(A, b, l1, l2, bounds, weights, *how)
        if plain is not None:
            return plain
    problem = problem_of(A, b, l1, l2, bounds, weights, intercept)
    refuse_callback(callback)
    rules = rules_of(
        tol, max_iter, strategy=strategy, order=order, time_limit=time_limit, seed=seed
    )
    begin = _start(start, problem)
    run = Run(problem, thread_limit(threads), rules, begin)
    if not progress:
        result = run.all(callback)
    else:
        with open_bar(problem.b.shape[1], "fit") as bar:
            result = run.all(callback, bar.update)
    if not result.success and falls_short(result):
        warn_user(result.message, ConvergenceWarning)
    return result


def _start(start: Any, problem: Problem) -> Array:
    """Return the start of each right-hand side as (P, M), or one start for all as (P, 1)."""
    P, M = problem.shape[1], problem.b.shape[1]
    if start is None:
        return np.zeros((P, 1))
    array = numbers(start, "start", np.float64)
    wanted = ((P,), (P, M)) if problem.batch else ((P,),)
    if array.shape not in wanted:
        shapes = f"(P={P},)" + f" or (P={P}, M={M})" * bool(problem.batch)
        raise ValueError(f"start must have shape {shapes}, got {array.shape}")
    if not all_finite(array):
        raise ValueError("start must be finite")
    return array if array.ndim == 2 else array[:, None]
