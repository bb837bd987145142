r"""Intervals and bands from the covariance of a fit.

With q the quantile of `thalweg.fitting.likelihood`, C the covariance of the parameters and
g = df(x)/dtheta,

    interval of theta_j:            theta_j +- q sqrt(C_jj),
    band of the model at x:         f(x) +- q sqrt(g' C g),
    band of an observation at x:    f(x) +- q sqrt(g' C g + s^2 sigma(x)^2).

They are exact for models that are linear in their parameters and normal noise, else right to first
order in the noise.

Reference: D. M. Bates, D. G. Watts, "Nonlinear regression analysis and its applications", 1988,
sections 2.3.2 and 1.1.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import Array, numbers
from .evaluation import values_and_slopes
from .likelihood import level_of, noise_of, quantile, variance_factor
from .packed import unpacking

if TYPE_CHECKING:
    from .result import FitResult

_AT_ONCE = 1 << 20  # derivatives that are held at a time: 8 MiB


def interval(result: FitResult, level: Any) -> Array:
    """Return theta -+ q stderr, shape (..., P, 2); see `FitResult.interval`."""
    q = quantile(result, level_of(level))[..., None]
    with np.errstate(all="ignore"):
        stderr = result.stderr.astype(np.float64)
        reach = np.where(stderr == 0, 0, q * stderr)
    reach[~_has_error(result)] = np.nan
    theta = result.params.astype(np.float64)
    both = np.stack([theta - reach, theta + reach], axis=-1)
    return np.asarray(both, result.params.dtype)


def _has_error(result: FitResult) -> Array:
    """Which parameters have a standard error, or are fixed and need none, shape (..., P).

    A parameter at a bound has none, nor has one that is tied to such a parameter; neither have
    those of a failed fit.
    """
    problem = result.problem
    free = np.zeros(result.params.shape, bool)
    free[..., list(problem.free)] = True
    if problem.fixed is not None:
        free &= (problem.fixed == 0).reshape(free.shape)
    at_bound = result.at_bound & free
    if (ties := problem.ties) is not None:
        slopes = ties.slopes(result.params, problem.free)
        bound = at_bound[..., list(problem.free)]
        at_bound[..., list(ties.places)] = ((slopes != 0) & bound[..., None, :]).any(-1)
    return np.asarray(~at_bound & result.success[..., None])


def band(result: FitResult, x: Any, level: Any, prediction: bool, sigma: Any) -> Array:
    """Return the lower and upper edge of a band, shape (..., N, 2); see `FitResult.band`."""
    level = level_of(level)
    noise = _noise(result, x, sigma) if prediction else None
    if not prediction and sigma is not None:
        raise ValueError("sigma is that of a new observation: give prediction=True with it")
    f, spread = _spread(result, x)
    with np.errstate(all="ignore"):
        if noise is not None:
            factor = variance_factor(result).reshape(-1, 1)
            factor = np.where(np.isnan(factor), np.inf, factor)  # no point tells the variance
            spread = np.sqrt(np.square(spread) + factor * np.square(noise))
        q = quantile(result, level).reshape(-1, 1)
        reach = np.where(spread == 0, 0, q * spread)
    reach[~result.success.reshape(-1)] = np.nan
    flat = f.reshape(reach.shape)
    both = np.stack([flat - reach, flat + reach], axis=-1)
    return np.asarray(both.reshape(*f.shape, 2), result.params.dtype)


def _spread(result: FitResult, x: Any) -> tuple[Array, Array]:
    """The model (..., N) and its standard error (B, N) at x, a part of the batch at a time."""
    problem, F = result.problem, len(result.problem.free)
    errors, correlation = _units_of_free(result)
    theta, n_fits = result.params.reshape(-1, len(result.names)), result.chi2.size
    values: list[Array] = []
    spreads: list[Array] = []
    begin, chunk = 0, 1
    points: tuple[int, ...] = ()
    while begin < n_fits or not values:  # an empty batch, too, has points
        part = np.arange(begin, min(begin + chunk, n_fits))
        f, J = values_and_slopes(problem.picked(part), theta[part], x, problem.free)
        points = f.shape[1:]
        J = J.reshape(len(part), prod(points), F).astype(np.float64)
        spreads.append(_standard_error(J, errors[part], correlation[part]))
        values.append(f.reshape(len(part), prod(points)))
        begin, chunk = begin + chunk, max(1, _AT_ONCE // max(1, prod(points) * F))
    f = np.concatenate(values).astype(np.float64)
    return f.reshape(*result.chi2.shape, *points), np.concatenate(spreads)


def _standard_error(J: Array, errors: Array, correlation: Array) -> Array:
    """sqrt(g' C g) for every row g of J (B, N, F), with C in units of the standard errors."""
    with np.errstate(all="ignore"):
        g = np.where((errors[:, None] == 0) | (J == 0), 0, J * errors[:, None])  # not 0 * inf
        largest = np.abs(g).max(-1, initial=0)  # so that no square leaves the range of numbers
        u = np.where(g == 0, 0, g / np.where(largest > 0, largest, 1)[..., None])
        variance = np.einsum("bnf,bnf->bn", u @ correlation, u)
        return np.where(np.isinf(largest), np.inf, largest * np.sqrt(np.maximum(variance, 0)))


def _units_of_free(result: FitResult) -> tuple[Array, Array]:
    """Standard errors (B, F) and correlation (B, F, F) of the free parameters."""
    free = list(result.problem.free)
    F = len(free)
    errors = result.stderr.reshape(-1, len(result.names))[:, free].astype(np.float64)
    rows = result.covariance_rows.reshape(len(errors), F * (F + 1) // 2).astype(np.float64)
    _, packed = unpacking(F, tuple(range(F)))
    C = rows[:, packed].reshape(-1, F, F) if F else np.empty((len(errors), 0, 0))
    with np.errstate(all="ignore"):
        R = C / errors[:, :, None] / errors[:, None, :]
    R = np.where(np.isfinite(R), R, 0)
    R[:, range(F), range(F)] = 1
    return errors, R


def _noise(result: FitResult, x: Any, sigma: Any) -> Array:
    """The sigma of new observations at x, which broadcasts against (B, N)."""
    data = result.problem.data
    if (noise := noise_of(result.problem)) != "normal":
        raise ValueError(f"a prediction band is for normal noise; this fit took it for {noise}")
    if sigma is not None:
        given = numbers(sigma, "sigma", np.float64)
        if not (given >= 0).all():
            raise ValueError("sigma of new observations must not be negative")
        return given.reshape(1, -1) if given.ndim < 2 else given.reshape(result.chi2.size, -1)
    if data.kept and data.sigma is None:
        return np.ones((1, 1))
    if x is not None or data.sigma is None:
        raise ValueError(
            "a prediction band needs sigma, that of new observations at x: the fit's own sigma "
            "is known at its points alone"
        )
    return np.atleast_2d(data.sigma.array).astype(np.float64)
