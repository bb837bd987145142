"""Many right-hand sides, solved together on one Gram matrix.

Without l1 the minimum is a linear system once its active bounds are known, and block pivoting finds
these in a few exchanges from any start, so no right-hand side needs the solution of another one
(`many`).  With l1, sweeps and Newton steps solve blocks of right-hand sides (`blocks`).  Each gets
a certificate; right-hand sides whose gap is too large are solved again by `Descent`, one after
another.
"""

from __future__ import annotations

import numpy as np

from ..status import Status
from .blocks import PenalisedFits, penalised_least_squares
from .columns import Look
from .many import ManyFits, bounded_least_squares
from .problem import Problem
from .result import LinearResult
from .rules import Rules
from .working_set import FEW

_LEAST = 8  # the fewest right-hand sides: block pivoting works on eight at a time


def go_side_by_side(problem: Problem, rules: Rules) -> bool:
    """Whether to solve on one Gram matrix: there are many right-hand sides and few columns."""
    return (
        isinstance(problem.matrix, np.ndarray)
        and problem.b.shape[1] >= _LEAST
        and problem.shape[0] > 0
        and 0 < problem.shape[1] <= FEW
        and rules.allow_one_call
        and rules.max_iter > 0
    )


def solve_side_by_side(look: Look, rules: Rules) -> LinearResult:
    """Solve all right-hand sides; the status is NO_PROGRESS where the gap is larger than wanted."""
    M = look.problem.b.shape[1]
    fits, means = _fits(look, rules.tol)
    wanted = rules.tol * 0.5 * fits.target_norm**2
    reached = (fits.gap <= wanted) & np.isfinite(fits.gap) & np.isfinite(fits.objective)
    fields = {
        "objective": fits.objective,
        "gap": fits.gap,
        "wanted": wanted,
        "kkt": fits.kkt,
        "conditional": np.zeros(M, np.intp),
        "drift": np.zeros(M),
        "status": np.where(reached, Status.GAP, Status.NO_PROGRESS).astype(np.int8),
    }
    intercept = np.zeros(M)
    if look.mean is not None:
        intercept = means - look.mean @ fits.theta
    if isinstance(fits, PenalisedFits):
        n_iter, why = np.ones(M, np.intp), "there are few columns"
        fields["conditional"] = fits.conditional
        amount = f"{int(fits.sweeps.sum())} sweeps and {int(fits.steps.sum())} Newton steps"
    else:
        n_iter, why = fits.n_iter.astype(np.intp), "there is no l1"
        amount = f"{int(n_iter.sum())} exchanges"
    if rules.strategy == "gram":
        why = "as asked"
    return LinearResult(
        theta=fits.theta,
        intercept=intercept,
        n_iter=n_iter,
        _ran=f"gram: {amount} for {M} right-hand sides side by side ({why})",
        _course=(),
        **fields,
    )


def _fits(look: Look, tol: float) -> tuple[ManyFits | PenalisedFits, np.ndarray]:
    """Fit the columns to the right-hand sides, both less their means; return the means of b too."""
    p, A, B = look.problem, look.matrix, look.problem.b
    empty = look.square == 0
    means = np.zeros(B.shape[1])
    if look.mean is not None:
        A = A - look.mean
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
            means = (B.sum(0) if p.weights is None else p.weights @ B) / (look.weight or 1.0)
            B = B - means
    if empty.any() and A.any(0)[empty].any():  # a constant column less its mean is rounding
        A = np.where(empty, 0.0, A)
    if p.l1.any():
        return penalised_least_squares(look, A, B, tol), means
    fits = bounded_least_squares(
        A, B, lower=p.lower, upper=p.upper, weights=p.weights, l2=p.l2, threads=look.threads
    )
    return fits, means
