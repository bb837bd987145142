"""Whether a fit whose parameter has not left its start is at a saddle (csrc/fit/saddle.h).

Where the model is even in a parameter, as a peak is in the width sigma at 0, or where model and
data are alike on both sides of a centre, the gradient along it is 0 and every step keeps it so.
The place may yet be a saddle: the second derivative along this one parameter tells,

    H_jj = J_j'J_j - sum_i e_i d2f_i/dtheta_j^2 < 0.

Such a place is no success, and the next attempt begins beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .confirm import kept_by_bounds
from .state import SUCCESSES, Array, Fit

DOWNWARDS = 1e-8  # a curvature below -DOWNWARDS |e| |w| is negative beyond rounding
NO_MOVE = 1e-8  # a move of at most NO_MOVE |theta_j| or NO_MOVE |e| / |J_j| is none


def stayed(fit: Fit, start: Array) -> Any:
    """The nonlinear parameters that have not left the start although no bound keeps them."""
    moved = np.abs(fit.theta - start)
    there = (moved <= NO_MOVE * np.abs(fit.theta)) | (
        moved**2 * np.diag(fit.A) <= NO_MOVE**2 * fit.chi2
    )
    there &= ~kept_by_bounds(fit)
    there[fit.problem.linear] = False
    return np.flatnonzero(there)


def curves_down(fit: Fit, j: int) -> bool:
    """Whether chi2 curves downwards along parameter j."""
    direction, square = np.zeros(len(fit.theta)), fit.A[j, j]
    theta, most = abs(fit.theta[j]), fit.largest2[j]
    unit = square**-0.5 if square > 0 else most**-0.5 if most > 0 else theta or 1.0
    direction[j] = unit
    assert fit.problem.curvature is not None
    bent = fit.problem.bent or fit.problem.curvature
    w, e = bent(fit.theta, direction), fit.problem.evaluate(fit.theta)[:, -1]
    least = DOWNWARDS * float(np.linalg.norm(w) * np.linalg.norm(e))
    return bool(unit**2 * square - e @ w < -least)


def is_at_saddle(fit: Fit, start: Array) -> bool:
    """Whether chi2 curves downwards along a parameter that has not left the start."""
    if fit.problem.curvature is None:
        return False
    return any(curves_down(fit, int(j)) for j in stayed(fit, start))


def refuse_saddle(fit: Fit, start: Array) -> None:
    """Give a success at a saddle the status NO_PROGRESS."""
    if fit.status in SUCCESSES and is_at_saddle(fit, start):
        fit.status = "NO_PROGRESS"


def may_leave(fit: Fit, start: Array) -> bool:
    """Whether a SINGULAR fit is at a saddle, in a parameter that is 0 and has no effect there."""
    idle = [j for j in stayed(fit, start) if fit.A[j, j] == 0 and fit.theta[j] == 0]
    if fit.problem.curvature is None or not idle:
        return False
    return is_at_saddle(fit, start)


def size_of_effect(fit: Fit, j: int) -> float:
    """How far parameter j must move to change the model by |e|; 0 where it has no effect.

    By its slope, or if that is 0 by its second derivative.
    """
    if fit.A[j, j] > 0:
        return float(np.sqrt(fit.chi2 / fit.A[j, j]))
    if fit.problem.curvature is None:
        return 0.0
    direction = np.zeros(len(fit.theta))
    direction[j] = 1.0
    bend = float(np.linalg.norm(fit.problem.curvature(fit.theta, direction)))
    return float(np.sqrt(2 * np.sqrt(fit.chi2) / bend)) if 0 < bend < np.inf else 0.0
