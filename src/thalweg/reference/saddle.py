"""Fits that have not left a start from which no step by J leads (csrc/fit/saddle.h).

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

DOWNWARDS = 1e-8  # of |e| |w|: how far below 0 a curvature is no rounding
NO_MOVE = 1e-8  # of |theta_j| or |e| / |J_j|: so near the start a parameter has not moved


def stayed(fit: Fit, start: Array) -> Any:
    """The parameters, not linear ones, that have not left the start though no bound keeps them."""
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
    w, e = fit.problem.curvature(fit.theta, direction), fit.problem.evaluate(fit.theta)[:, -1]
    least = DOWNWARDS * float(np.linalg.norm(w) * np.linalg.norm(e))
    return bool(unit**2 * square - e @ w < -least)


def is_at_saddle(fit: Fit, start: Array) -> bool:
    """Whether chi2 curves downwards along a parameter that has not left the start."""
    if fit.problem.curvature is None:
        return False
    return any(curves_down(fit, int(j)) for j in stayed(fit, start))


def refuse_saddle(fit: Fit, start: Array) -> None:
    """A success at a saddle is none."""
    if fit.status in SUCCESSES and is_at_saddle(fit, start):
        fit.status = "NO_PROGRESS"


def may_leave(fit: Fit, start: Array) -> bool:
    """Whether what is SINGULAR is so at a saddle, in a parameter without effect that is 0."""
    idle = [j for j in stayed(fit, start) if fit.A[j, j] == 0 and fit.theta[j] == 0]
    if fit.problem.curvature is None or not idle:
        return False
    return is_at_saddle(fit, start)


def size_of_effect(fit: Fit, j: int) -> float:
    """How far parameter j moves as the model changes by its residual, by slope or bend; else 0."""
    if fit.A[j, j] > 0:
        return float(np.sqrt(fit.chi2 / fit.A[j, j]))
    if fit.problem.curvature is None:
        return 0.0
    direction = np.zeros(len(fit.theta))
    direction[j] = 1.0
    bend = float(np.linalg.norm(fit.problem.curvature(fit.theta, direction)))
    return float(np.sqrt(2 * np.sqrt(fit.chi2) / bend)) if 0 < bend < np.inf else 0.0
