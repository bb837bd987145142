r"""The goodness of a fit, in the usual terms and with their usual factors.

With n points used, k free parameters and weights w_i = 1 / sigma_i:

- reduced chi2 = chi2 / (n - k);
- R^2 = 1 - chi2 / sum (w_i (y_i - m))^2, where m is the mean of y with the weights w_i^2;
- AIC = -2 ln L + 2 k and BIC = -2 ln L + k ln n, but for a constant that depends on the data alone.
  -2 ln L is chi2 where sigma is absolute; where sigma is right only up to a common factor, the
  likelihood is the largest over that factor, and -2 ln L is n ln(chi2 / n).

With counts chi2 is the deviance D, which is -2 ln L but for a constant that depends on the data
alone, and R^2 = 1 - D / D of the mean of y.  In a robust fit chi2 is the sum of its losses; it has
no likelihood, and so no criteria, and its R^2 is refused as well.

References
----------
H. Akaike, "A new look at the statistical model identification", IEEE Transactions on Automatic
Control 19, 1974.  G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6, 1978.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._arguments.check import Array
from .evaluation import as_returned, predict

if TYPE_CHECKING:
    from .result import FitResult


class Totals(NamedTuple):
    """What the likelihood of a fit rests on; with shared parameters, that of its group: (...)."""

    chi2: Array  # float64
    n_used: Array
    n_free: Array


def totals(result: FitResult) -> Totals:
    """Return chi2, points used and free parameters of each fit, or of the group that it is in."""
    of = result if result.groups is None else result.groups
    free = result.problem.count_free() if result.groups is None else result.groups.n_free
    chi2 = np.asarray(of.chi2, np.float64)
    return Totals(chi2, of.n_used, np.broadcast_to(free, result.chi2.shape))


def scale_of(result: FitResult) -> Array:
    """Return chi2 / dof in float64; NaN where no degree of freedom is left."""
    dof = np.where(result.dof > 0, result.dof, np.nan)
    return np.asarray(totals(result).chi2 / dof)


def reduced_chi2(result: FitResult) -> Array:
    """Return chi2 / dof; NaN where no degree of freedom is left."""
    return np.asarray(scale_of(result), result.chi2.dtype)


def in_words(result: FitResult, digits: int) -> str:
    """Return chi2 and dof of one fit, and with shared parameters those of its group."""
    words = f"chi2 = {result.chi2:.{digits}g}"
    if result.groups is not None:
        words += f"; of its group: chi2 = {result.groups.chi2:.{digits}g}"
    return f"{words}, dof = {result.dof}"


def r_squared(result: FitResult) -> Array:
    """Return the coefficient of determination; NaN or -inf where y is the same at all points."""
    data, noise = result.problem.data.needed("R^2"), result.problem.noise
    _refuse_robust(result, "R^2")
    weight = data.weights().astype(np.float64)
    y = np.where(weight > 0, data.y, 0).astype(np.float64)
    if data.several is not None:  # each output has a mean of its own
        shape = len(y), data.points[0], prod(data.points[1:])
        y, weight = y.reshape(shape), weight.reshape(shape)
    with np.errstate(all="ignore"):
        mean = (weight**2 * y).sum(-1, keepdims=True) / (weight**2).sum(-1, keepdims=True)
        spread = (weight * (y - mean)) ** 2
        if noise is not None:  # the deviance of counts from their mean
            spread = weight * 2 * (mean - y + y * np.log(np.where(y > 0, y, 1) / mean))
        spread = np.where(weight > 0, spread, 0).sum(axis=tuple(range(1, y.ndim)))
        spread = spread.reshape(result.chi2.shape)
        return np.asarray(1 - result.chi2 / spread, result.chi2.dtype)


def information(result: FitResult, per_parameter: Array | float) -> Array:
    """Return -2 ln L + per_parameter k: the criterion of Akaike with 2, of Schwarz with ln n."""
    _refuse_robust(result, "likelihood, and so no AIC and BIC")
    chi2, n, k = totals(result)
    with np.errstate(all="ignore"):
        deviance = chi2 if result.problem.absolute_sigma else n * np.log(chi2 / n)
    return np.asarray(deviance + per_parameter * k)


def _refuse_robust(result: FitResult, what: str) -> None:
    noise = result.problem.noise
    if noise is not None and not noise.counts:
        raise ValueError(f"a robust fit, robust={noise.kind!r}, has no {what}")


def deviance(result: FitResult) -> Array:
    """Return chi2 of fits that have a likelihood, for which it is -2 ln L but for a constant."""
    _refuse_robust(result, "likelihood, and so no deviance")
    if not result.problem.absolute_sigma:
        raise ValueError("the deviance needs the noise: absolute_sigma=True or noise='poisson'")
    return result.chi2


def correlation(result: FitResult) -> Array:
    """Return cov_ij / (stderr_i stderr_j); NaN where one of the two is fixed or not determined."""
    stderr = np.where(result.stderr > 0, result.stderr, np.nan)
    with np.errstate(all="ignore"):
        ratio = result.cov / stderr[..., :, None] / stderr[..., None, :]
    symmetric = np.clip((ratio + ratio.swapaxes(-1, -2)) / 2, -1, 1)
    of_itself = symmetric.reshape(*ratio.shape[:-2], ratio.shape[-1] ** 2)[
        ..., :: ratio.shape[-1] + 1
    ]
    of_itself[np.isfinite(of_itself)] = 1
    return np.asarray(symmetric)


def residual(result: FitResult) -> Array:
    """Return y - f(x; params), shape (..., N), in the unit of y; NaN where a point is left out."""
    return as_returned(result.problem, real_residual(result))


def real_residual(result: FitResult) -> Array:
    """Return the residuals as they were fitted: complex ones as real and imaginary part."""
    data = result.problem.data.needed("residuals")
    y = np.where(data.weights() > 0, data.y, np.nan)
    return y.reshape(*data.batch, *data.points) - predict(result.problem, result.params)
