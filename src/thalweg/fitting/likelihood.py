r"""What a result says of the scale of its errors: the one place that intervals ask.

With chi2 as least squares defines it, -2 ln L is, but for a constant,

    chi2 / s^2,     s^2 = 1 where sigma is absolute, else s^2 = chi2_min / dof.

Where s^2 is estimated, (theta - theta_true) / stderr has Student's distribution with dof degrees of
freedom; where it is known, the normal one.  With shared parameters chi2 and dof are those of the
group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import Array, number_of
from .distributions import normal_quantile, t_quantile
from .goodness import scale_of

if TYPE_CHECKING:
    from .problem import Problem
    from .result import FitResult


def level_of(level: Any) -> float:
    """Return a level of confidence, a number between 0 and 1."""
    number = number_of(level, "level", "between 0 and 1")
    if not 0 < number < 1:
        raise ValueError(f"level must be a number between 0 and 1, got {level!r}")
    return number


def quantile(result: FitResult, level: float) -> Array:
    """Return how many standard errors an interval of this level reaches, shape (...).

    It is infinite where the scale is unknown and no degree of freedom is left.
    """
    if result.problem.absolute_sigma:
        return np.full(result.chi2.shape, normal_quantile(level))
    dof, where = np.unique(result.dof, return_inverse=True)
    values = np.array([t_quantile(level, float(n)) for n in dof])
    return np.asarray(values[where].reshape(result.chi2.shape))


def variance_factor(result: FitResult) -> Array:
    """Return s^2 in float64, shape (...): what sigma^2 is multiplied by; NaN without dof."""
    if result.problem.absolute_sigma:
        return np.ones(result.chi2.shape)
    return scale_of(result)


def noise_of(problem: Problem) -> str:
    """Return what the errors of y were taken for: "normal", or the name of another noise."""
    return "normal" if problem.noise is None else problem.noise.kind


def for_refits(result: FitResult, what: str, noises: tuple[str, ...] = ("normal",)) -> None:
    """Refuse a result whose data cannot be fitted again one by one.

    ``noises`` are those for which it has a meaning.

    Raises
    ------
    ValueError
        The result holds no data, shares parameters among its data sets, or has another noise.
    """
    problem = result.problem
    problem.data.needed(what)
    if (noise := noise_of(problem)) not in noises:
        raise ValueError(
            f"a {what} is for {' or '.join(noises)} noise; this fit took it for {noise}"
        )
    if problem.sharing is not None:
        raise ValueError(
            f"a {what} fits each data set again by itself, which fits with shared parameters "
            f"({', '.join(problem.sharing.names)}) do not allow"
        )
