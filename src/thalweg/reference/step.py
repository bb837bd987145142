"""The step of damped least squares and the trial it leads to (csrc/fit/step.h)."""

from __future__ import annotations

import numpy as np

from .state import (
    EPS,
    LOST_COLUMN,
    Array,
    Fit,
    early_ftol,
    may_be_unseen,
    merge_rows,
)

WEAK_PIVOT = 64 * EPS  # a pivot up to this share of its diagonal is rounding: J'J is singular
FAST = 0.2  # a step up to FAST times as long as the last may end the fit without being tried
LEAST_DEFINITE = 1e-3  # a lambda that begins to make an indefinite matrix positive definite
MOST_ROUNDS = 60  # the most rounds of Newton's method for one step; one to three are usual
LONGER = 1.1  # a step may be LONGER times the radius


def advance(fit: Fit) -> None:
    """Find the next trial, or stop where the gradient or the next step is small enough.

    A step that follows a rejection does not stop the fit by its length, for it was shortened.
    """
    stops, theta, d = fit.problem.stops, fit.theta, fit.step
    if fit.projecting:
        fit.lam = LOST_COLUMN**2  # the region alone limits the step
    cut = find_step(fit)
    d = fit.step
    length = fit.length_of(fit.step)
    fine = not cut and not fit.coarse
    whole = fine and fit.kept and may_be_unseen(fit, fit.promised, length)
    fit.stop(fine and fit.promised <= stops.gtol**2 * fit.chi2, "GTOL")
    fit.stop(whole and is_small(fit), "XTOL")
    if whole and fit.promised <= early_ftol(stops) * fit.chi2:
        fast = length <= FAST * fit.length_of(fit.moved)
        fit.stop(fast or fit.promised <= stops.ftol * fit.chi2, "FTOL")
    fit.asked = whole
    # a parameter whose step was cut lands on its bound exactly
    onto = np.where(d > 0, fit.problem.upper, np.where(d < 0, fit.problem.lower, theta))
    fit.trial = np.where(fit.held, onto, theta + d)


def best_linear(fit: Fit) -> Array:
    """theta with the linear parameters at their best, or as near to that as bounds let them.

    Their normal equations are solved undamped, by L D L'.  One whose pivot is rounding, because the
    others determine it or nothing does, stays where it is, and so does one whose best is infinite.
    """
    places, theta = fit.problem.eliminated, fit.theta.copy()
    A, step, n = fit.A[np.ix_(places, places)], fit.g[places], len(places)
    L, inverse = np.eye(n), np.zeros(n)
    for j in range(n):
        d = A[j, j] - sum(L[j, k] ** 2 / inverse[k] for k in range(j) if inverse[k])
        if d > WEAK_PIVOT * A[j, j]:
            inverse[j] = 1 / d
        for i in range(j + 1, n):
            known = sum(L[i, k] * L[j, k] / inverse[k] for k in range(j) if inverse[k])
            L[i, j] = (A[i, j] - known) * inverse[j]
    for i in range(n):
        step[i] -= L[i, :i] @ step[:i]
    step = step * inverse
    for i in reversed(range(n)):
        step[i] = step[i] - L[i + 1 :, i] @ step[i + 1 :] if inverse[i] else 0.0
    best = np.clip(theta[places] + step, fit.problem.lower[places], fit.problem.upper[places])
    theta[places] = np.where(np.isfinite(theta[places] + step), best, theta[places])
    return theta


def is_small(fit: Fit) -> bool:
    """Whether |d_j| <= xtol (|theta_j| + |e| / D_j) for each j."""
    xtol = fit.problem.stops.xtol
    excess = np.maximum(0, np.abs(fit.step) - xtol * np.abs(fit.theta))
    return bool((excess**2 * fit.D2 <= xtol**2 * fit.chi2).all())


def find_step(fit: Fit) -> bool:
    """Set the step within the box and within the region; return whether a bound cut it."""
    theta, lower, upper = fit.theta, fit.problem.lower, fit.problem.upper
    fit.step = np.zeros_like(theta)
    fit.held = ((theta <= lower) & (fit.g <= 0)) | ((theta >= upper) & (fit.g >= 0))
    cut = False
    while True:
        solve(fit)
        shorten(fit)
        below, above = theta + fit.step < lower, theta + fit.step > upper
        outside = (below | above) & ~fit.held
        if fit.status == "ILL_CONDITIONED" or not outside.any():
            break
        fit.step[outside] = (np.where(below, lower, upper) - theta)[outside]
        fit.held = fit.held | outside
        cut = True
    d = fit.step
    damping = fit.lam * fit.D2 * fit.damped
    fit.promised = float(2 * (d @ fit.g) - d @ fit.A @ d if cut else d @ (fit.g + damping * d))
    return cut


def shorten(fit: Fit) -> None:
    """Raise the damping until |D d| <= 1.1 delta.

    Newton's method for 1/|D d| = 1/delta (More 1978, section 5), whose derivative needs q'p with
    q = D^2 d and (J'J + lambda D^2) p = q.
    """
    for _ in range(MOST_ROUNDS):
        length, delta = fit.length_of(fit.step), fit.delta
        counts = fit.damped & ~fit.held
        if fit.status == "ILL_CONDITIONED" or length <= LONGER * delta:
            return
        q = (fit.scale**2 * fit.step * counts)[~fit.held]
        bending = q @ solve_damped(fit, q)
        lam = fit.lam + np.float64(length) / delta * (length - delta) * length / bending
        better = np.isfinite(lam) and lam > fit.lam
        fit.lam = float(lam) if better else max(10 * fit.lam, 1e-10)
        solve(fit)


def solve(fit: Fit) -> None:
    """Set the step of the parameters that are not held, given the step of the held ones."""
    free, held = ~fit.held, fit.held
    if fit.orthogonal:
        D, T = fit.scale[free], _triangle(fit)
        fit.step[free] = np.linalg.solve(T[:-1, :-1], T[:-1, -1]) / D
        return
    for _ in range(MOST_ROUNDS):
        if not fit.true or smallest_pivot(_matrix(fit)) > WEAK_PIVOT:
            break
        fit.lam = max(10 * fit.lam, LEAST_DEFINITE)
    if smallest_pivot(_matrix(fit)) <= WEAK_PIVOT:
        fit.stop(True, "ILL_CONDITIONED")
    else:
        right = fit.g[free] - fit.A[np.ix_(free, held)] @ fit.step[held]
        fit.step[free] = solve_damped(fit, right)


def solve_damped(fit: Fit, right: Array) -> Array:
    """(J'J + lambda D^2)^-1 right, over the parameters that are not held."""
    D = fit.scale[~fit.held]
    if fit.orthogonal:
        T = _triangle(fit)[:-1, :-1]
        return np.asarray(np.linalg.solve(T, np.linalg.solve(T.T, right / D)) / D)
    return np.asarray(np.linalg.solve(_matrix(fit), right / D) / D)


def _matrix(fit: Fit) -> Array:
    """The damped normal matrix in units of D, over the parameters that are not held."""
    free = ~fit.held
    D = fit.scale[free]
    A = fit.A[np.ix_(free, free)] / np.outer(D, D)
    A[np.diag_indices(len(D))] += fit.lam
    return A


def _triangle(fit: Fit) -> Array:
    """The triangle of [R; sqrt(lambda) D] and its right-hand side, in units of D.

    The damping is at least LOST_COLUMN^2, also of parameters that are not damped otherwise, which
    gives the shortest step where columns are combinations of one another.  It is merged below R,
    since small rows above large ones would lose their digits.
    """
    free, held = ~fit.held, fit.held
    D, n = fit.scale[free], np.count_nonzero(free)
    R, z = fit.R[:-1, :-1], fit.R[:-1, -1]
    rows = np.column_stack([R[:, free] / D, z - R[:, held] @ fit.step[held]])
    least = LOST_COLUMN**2
    damping = np.where(fit.damped[free], max(fit.lam, least), least)
    T = without_lost(merge_rows(np.zeros((0, n + 1)), rows))
    return merge_rows(T, np.column_stack([np.diag(np.sqrt(damping)), np.zeros(n)]))


def without_lost(T: Array) -> Array:
    """A triangle of scaled columns in which the rows of lost columns are set to 0.

    A lost column is a combination of others; its row holds nothing but rounding, and the right-hand
    side there must not be fitted.
    """
    T = T.copy()
    T[:-1][np.abs(np.diag(T)[:-1]) <= LOST_COLUMN] = 0
    return T


def smallest_pivot(A: Array) -> float:
    """The smallest ratio of a pivot of L D L' to its diagonal element, or 0 if it is too weak."""
    left, smallest = A.copy(), 1.0
    for j in range(len(A)):
        if not left[j, j] > WEAK_PIVOT * A[j, j]:
            return 0.0
        smallest = min(smallest, float(left[j, j] / A[j, j]))
        left[j + 1 :, j + 1 :] -= np.outer(left[j + 1 :, j], left[j, j + 1 :]) / left[j, j]
    return smallest
