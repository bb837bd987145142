"""`path`: a linear model for a falling series of penalties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments.callback import refuse_callback
from .._arguments.check import Array, count, numbers, thread_limit, tolerance
from .._arguments.spelling import spelled
from .._progress import open_bar
from .problem import problem_of
from .rules import rules_of
from .walk import LinearPath, Step, Task, Walk


@spelled
def path(
    A: Any,
    b: Any,
    *,
    l1_ratio: float = 1.0,
    n: int = 100,
    smallest: float = 1e-3,
    penalties: Any = None,
    factors: Any = None,
    bounds: Any = None,
    weights: Any = None,
    intercept: bool = False,
    tol: float = 1e-6,
    max_iter: int = 1000,
    threads: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[Step], Any] | None = None,
    progress: bool = False,
) -> LinearPath:
    r"""Solve a linear model for a falling series of penalties.

    .. math:: F_\lambda(\theta) = \frac12 \sum_i w_i (b_i - a_i \theta - \theta_0)^2
              + \lambda \sum_j f_j \left(\rho |\theta_j| + \frac{1 - \rho}{2} \theta_j^2\right)

    Parameters
    ----------
    A : array_like or SciPy sparse matrix, shape (n_rows, P)
    b : array_like, shape (n_rows,)
    l1_ratio : float in [0, 1]
        ρ, the share of the l1 penalty: 1 is the lasso, 0 is ridge.
    n : int
        How many penalties, in equal ratios from the largest to ``smallest`` of it.  The largest is
        the least λ at which every penalised coefficient is 0.
    smallest : float in (0, 1)
        The ratio of the last λ to the first.
    penalties : array_like, shape (n,), optional
        The λ to use instead, in the unit of F over θ; solved from the largest to the smallest.
    factors : array_like, shape (P,), optional
        f ≥ 0, the factor of λ for each coordinate; default 1.  A coordinate with 0 is not
        penalised, one with infinity stays 0.
    bounds, weights, intercept, tol, max_iter, threads, time_limit, progress
        As those of `coordinate_descent`; ``max_iter`` is for each λ, ``time_limit`` for all.
    callback : callable, optional
        ``callback(step)`` after each λ, with ``number``, ``penalty``, ``theta`` and ``gap``; a true
        value from it, or StopIteration, ends the path.

    Returns
    -------
    LinearPath
        The models at all λ, with a duality gap each.

    Raises
    ------
    ValueError
        The arguments are refused as by `coordinate_descent`; or ``l1_ratio`` is 0 without
        ``penalties``: no λ makes every coefficient 0 then.
    KeyboardInterrupt
        Ctrl-C was pressed; the attribute ``result`` holds the part that was finished.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via
    coordinate descent", J. Stat. Softw. 33(1).

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import path
    >>> A = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> p = path(A, [3.0, 1.0, 3.5], n=3, smallest=0.1)
    >>> p.penalties.round(3), p.support
    (array([6.5  , 2.055, 0.65 ]), array([0, 2, 2]))
    """
    refuse_callback(callback)
    walk = walk_of(
        A, b, l1_ratio=l1_ratio, n=n, smallest=smallest, penalties=penalties, factors=factors,
        bounds=bounds, weights=weights, intercept=intercept, tol=tol, max_iter=max_iter,
        threads=threads, time_limit=time_limit,
    )  # fmt: skip
    if not progress:
        return walk.all(callback)
    with open_bar(walk.task.how_many, "penalty") as bar:
        return walk.all(callback, bar.update)


def walk_of(
    A: Any,
    b: Any,
    *,
    l1_ratio: Any,
    n: Any,
    smallest: Any,
    penalties: Any,
    factors: Any,
    bounds: Any,
    weights: Any,
    intercept: bool,
    tol: Any,
    max_iter: Any,
    threads: Any,
    time_limit: Any,
) -> Walk:
    """Check the arguments of `path`; the values of A are not read yet."""
    task = _task(l1_ratio, n, smallest, penalties, factors)
    problem = problem_of(A, b, 0.0 if task.factors is None else task.factors, 0, bounds, weights,
                         intercept)  # fmt: skip
    if problem.batch:
        raise ValueError(f"b must have shape (n={problem.shape[0]},), got {np.shape(b)}")
    rules = rules_of(tol, max_iter, time_limit=time_limit)
    return Walk(problem, task, thread_limit(threads), rules)


def falling(penalties: Any, name: str) -> Array:
    """Check the penalties that the user gave, and return them from the largest to the smallest."""
    array = numbers(penalties, name, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} must be finite, not negative, and of shape (n,)")
    return np.sort(array)[::-1].copy()


def _task(l1_ratio: Any, n: Any, smallest: Any, penalties: Any, factors: Any) -> Task:
    ratio = tolerance(l1_ratio, "l1_ratio", 1)
    if ratio > 1:
        raise ValueError(f"l1_ratio must be in [0, 1], got {l1_ratio}")
    least = tolerance(smallest, "smallest", 1e-3)
    if not 0 < least < 1:
        raise ValueError(f"smallest must be in (0, 1), got {smallest}")
    if penalties is not None:
        penalties = falling(penalties, "penalties")
    elif ratio == 0:
        raise ValueError(
            "with l1_ratio=0 no penalty is large enough to make every coefficient 0; give penalties"
        )
    factors = None if factors is None else numbers(factors, "factors", np.float64)
    return Task(ratio, count(n, "n", 1, 2**31), least, penalties, factors)
