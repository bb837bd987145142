r"""The scale of a robust loss, estimated from the data.

Where s is to be estimated it is `TUNING` times 1.4826 sqrt(n / (n - P)) times the median of
\|e_i / sigma_i\|.  The median is first that of a fit by least squares, then that of a fit with
Cauchy's loss and the scale so found, and so on, `ROUNDS` times: each brings the scale nearer to
that of the errors without the outliers.  Each fit begins at the start, or where the one before it
has ended if the loss is lower there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._arguments.check import Array, PerFit
from .evaluation import predict
from .noise import Noise, with_noise
from .problem import Problem
from .result import FitResult

# The scale in units of the standard deviation of errors without outliers, at which the variances
# of the estimates of a straight line are 1 / 0.95 of those by least squares.
TUNING = {"huber": 1.345, "soft_l1": 1.287, "cauchy": 2.385}
ROUNDS = 4
_ROUNDING = 1e3  # the least scale, in units of the rounding of y: data may be fitted exactly
_MEDIAN = 1.4826  # the standard deviation of normal numbers over the median of their sizes


def with_assumed(
    problem: Problem, noise: Noise | None, run: Callable[[Problem], FitResult]
) -> Problem:
    """Return the problem with this noise, and the scale of a robust loss if it is to be estimated.

    ``run(problem)`` returns the result of a fit.
    """
    if noise is None:
        return problem
    problem = with_noise(problem, noise)
    if noise.counts or noise.f_scale is not None:
        return problem
    assumed, given, weights = None, problem.start, problem.data.weights()
    with np.errstate(all="ignore"):
        at_start = _residuals(problem, weights, predict(problem, _params(problem)))
        least = _least(problem, weights)
        for left in range(ROUNDS, -1, -1):
            result = run(problem._replace(noise=assumed))
            residuals = _residuals(problem, weights, predict(problem, result.params))
            kind = "cauchy" if left else noise.kind
            scale = _spread(problem, residuals, kind, least)
            ended = result.params.reshape(problem.data.n_fits, len(problem.names))
            better = _loss(residuals, scale) < _loss(at_start, scale)
            better &= np.isfinite(ended).all(axis=1)
            start = PerFit(np.where(better[:, None], ended, given.array), 1)
            problem, assumed = problem._replace(start=start), Noise(kind, scale)
    return problem._replace(noise=assumed)


def _params(problem: Problem) -> Array:
    """The start of every fit, (..., P)."""
    P = len(problem.names)
    start = np.broadcast_to(problem.start.array, (problem.data.n_fits, P))
    return np.ascontiguousarray(start).reshape(*problem.data.batch, P)


def _residuals(problem: Problem, weights: Array, fitted: Array) -> Array:
    """abs(e / sigma), shape (B, N); NaN where a point is left out."""
    y = problem.data.y
    sizes = np.abs(y - fitted.reshape(y.shape)) * weights
    sizes[weights == 0] = np.nan
    return np.asarray(sizes)


def _loss(residuals: Array, scale: PerFit) -> Array:
    """The sum of Cauchy's losses of each fit over the square of its scale."""
    return np.asarray(np.nansum(np.log1p((residuals / scale.array[:, None]) ** 2), axis=1))


def _least(problem: Problem, weights: Array) -> Array:
    """The least scale of each fit."""
    largest = np.nanmax(np.abs(problem.data.y) * weights, axis=1, initial=0)
    limits = np.finfo(problem.data.y.dtype)
    return np.asarray(np.maximum(_ROUNDING * limits.eps * largest, limits.tiny))


def _spread(problem: Problem, residuals: Array, kind: str, least: Array) -> PerFit:
    """The scale of each fit, from the median of its residuals."""
    data, used = problem.data, np.count_nonzero(~np.isnan(residuals), axis=1)
    free = np.broadcast_to(problem.count_free(), data.batch).reshape(-1)
    scale = TUNING[kind] * _MEDIAN * np.sqrt(used / np.maximum(used - free, 1))
    if data.n_points:
        scale = scale * np.nanmedian(np.where(used[:, None], residuals, 1), axis=1)
    scale = np.where(np.isfinite(scale), np.maximum(scale, least), 1.0)
    return PerFit(np.ascontiguousarray(scale, data.y.dtype), 1)
