"""Fit a model that cannot be recorded, by calling it.

The steps are the engine's; only value and derivatives come from Python, the derivatives by central
differences, (f(theta + h) - f(theta - h)) / 2 h with h = eps^(1/3) |theta_j|, whose truncation and
rounding errors balance (Nocedal and Wright, Numerical Optimization, 2nd ed., section 8.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._check import Array
from ._core import engine

Evaluate = Callable[[Array], tuple[Array, Array]]  # theta -> f (N,), J (N, F)


def call(function: Callable[..., Any], x: Any, theta: Array, n_points: int, dtype: Any) -> Array:
    """Return f(x; theta), shape (N,): from one value per point, in any shape, or one for all."""
    f = np.asarray(function(x, *theta), dtype=dtype)
    return np.broadcast_to(f.reshape(-1) if f.size == n_points else f, (n_points,))


def by_differences(
    function: Callable[..., Any], x: Any, free: tuple[int, ...], n_points: int, dtype: Any
) -> Evaluate:
    """Return how to evaluate f(x; theta) and its derivatives with respect to ``free``.

    Where the function refuses its parameters with an arithmetic or a value error, such as
    "math domain error", it is NaN: the step that led there is then rejected.
    """
    relative = float(np.finfo(dtype).eps) ** (1 / 3)

    def value(theta: Array) -> Array:
        try:
            with np.errstate(all="ignore"):
                return call(function, x, theta, n_points, dtype)
        except (ArithmeticError, ValueError):
            return np.full(n_points, np.nan, dtype)

    def evaluate(theta: Array) -> tuple[Array, Array]:
        J = np.empty((n_points, len(free)), dtype)
        for k, j in enumerate(free):
            h = relative * (abs(theta[j]) or 1.0)
            above, below = theta.copy(), theta.copy()
            above[j] += h
            below[j] -= h
            with np.errstate(all="ignore"):
                J[:, k] = (value(above) - value(below)) / (above[j] - below[j])
        return value(theta), J

    return evaluate


def run(job: engine.Job, evaluate: Evaluate, n_params: int, dtype: Any) -> None:
    """Fit data set 0 of a job, whose results are then written."""
    trials = engine.Trials(job, np.empty(n_params, dtype))
    while not trials.done:
        f, J = evaluate(trials.trial)
        trials.next(np.ascontiguousarray(f), np.ascontiguousarray(J))
