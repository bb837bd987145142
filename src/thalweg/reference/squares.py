"""Whether the sums of squares at the start of a fit leave the range of float64 (csrc/fit/range.h).

The square of a number leaves the range at the root of what a number may be.  A sum that has lost
digits there must be taken neither for an exact fit nor for a parameter without effect.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

EPS = float(np.finfo(float).eps)
MIN = float(np.finfo(float).tiny)
LEAST_SUM = 2.0**-460  # the least s for which s times 16 EPS^2 s is a normal number
MOST_SUM = 2.0**510  # a sum whose square is finite, with room above it
LEAST_SCALED_SUM = MIN / EPS / EPS  # in the best units: the least s for which EPS^2 s is normal
MOST_SCALED_SUM = 2.0**511  # in the best units: a sum whose square is finite
Y, MODEL, DERIVATIVE, NO_MEAN = 0, 1, 2, 3  # tw_input of csrc/fit/contract.h


def magnitude_of(y: Array, weight: Array) -> float:
    """Return sum (y w)^2; infinity if the weight squared of a point that matters underflows.

    If the sum vanishes although y does not, the smallest number is returned.
    """
    with np.errstate(all="ignore"):
        magnitude = float(np.sum(y * weight * y * weight))
        lost = (weight > 0) & (weight * weight < MIN / EPS)
        unseen = float(np.max(np.abs(y * weight), where=lost, initial=-1.0))
    if unseen >= 0 and not unseen**2 < EPS**2 * magnitude:
        return np.inf
    return MIN * EPS if magnitude == 0 and y.any() else magnitude


def out_of_range(sums: Array, magnitude: float, theta: Array, scaled: bool = False) -> int:
    """Return which input takes the sums [J|e]'[J|e] at a start out of the range, or -1.

    ``theta`` holds the parameters of the columns of J.  Sums of a fit that is in the best units
    already, ``scaled``, are refused only where no unit brings them into the range.
    """
    least, most = (LEAST_SCALED_SUM, MOST_SCALED_SUM) if scaled else (LEAST_SUM, MOST_SUM)
    chi2, slope, squares = sums[-1, -1], sums[-1, :-1], np.diag(sums)[:-1]
    if not magnitude <= most:
        return Y
    if 0 < magnitude < least:  # a scaled y is so small only to make room for another input
        return Y if not scaled else DERIVATIVE if chi2 < least else MODEL
    vanishes = magnitude == 0 and chi2 < least and (chi2 > 0 or slope.any())
    if not chi2 <= most or vanishes:
        return MODEL
    with np.errstate(all="ignore"):
        for j, square in enumerate(squares):
            if not square <= most or not theta[j] * square * theta[j] <= most:
                return DERIVATIVE
            if not scaled and not theta[j] ** 2 <= 2 * most:  # derivatives may hold theta^-4
                return DERIVATIVE
            exact = chi2 <= 16 * EPS**2 * magnitude and magnitude > 0
            if square < least and _matters(theta[j], square, slope[j], magnitude, exact):
                return DERIVATIVE
    return -1


def _matters(theta: float, square: float, slope: float, magnitude: float, exact: bool) -> bool:
    """Whether a column of J with a small square matters."""
    if square == 0 and slope == 0 and not exact:  # zeros, or numbers that vanish inside the model
        return bool(theta != 0 and not MIN <= theta**4 < np.inf)
    if (square < MIN / EPS or theta == 0) and slope != 0:
        return True
    return bool(theta * max(square, MIN) * theta > EPS**2 * magnitude)
