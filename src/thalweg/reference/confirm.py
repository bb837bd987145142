"""Is a fit that met a tolerance at a minimum (csrc/fit/confirm.h and csrc/fit/covariance.h)?

Columns of J are scaled to unit length here.  A success stands if the undamped step u = A^-1 J'e, or
the reduction of chi2 that it promises, is small as well, or lost in the rounding noise; and if no
parameter has run so far away that chi2 no longer depends on it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .state import (
    EPS,
    LEAST_DAMPING,
    LOST_COLUMN,
    SUCCESSES,
    TINY,
    TRUSTED,
    Array,
    Fit,
    early_ftol,
    may_be_unseen,
    merge_rows,
    noise_of_chi2,
    size2_of_model,
)
from .step import WEAK_PIVOT, without_lost

MOST_IDLE = 64  # consecutive trials whose predicted and actual gain are below the noise of chi2
TRUST = 4  # consecutive resumptions by `confirm` without a fall of chi2
SLACK = 10.0  # the undamped step u may exceed the tolerance by this factor
RELIEF = 1e-2  # the factor on lambda of a fit that is resumed ...
WIDER = 100.0  # ... and the factor on the radius of its region
FLAT = 1e-6  # the gradient counts as zero where g_j^2 <= FLAT D_j^2 chi2
LEVEL = 4500 * EPS  # at a minimum u promises at most LEVEL chi2; 1e-12
SLOWEST = 0.5  # slower rates of convergence are not extrapolated
DAMPED = 0.01  # of r u: what damping may take of u; of the last step it took more
PART = 0.1  # of |D u|: what damping may take of a last step, if it is longer ...
SHORT = 1e-5  # ... than this share of |e|
RUN_OFF = 1e-7  # |J_j| over its largest in the attempt: it has lost its effect ...
NO_EFFECT = 1e-3  # ... if |theta_j| |J_j| is below this share of |e| as well
SLOW_INFLATION, LAST_INFLATION = 1e6, 1e16  # of a slow fit whose parameters run off together
SLOW_RUN_OFF, LAST_RUN_OFF = 1e-3, 1e-5  # the same for a column by itself, see RUN_OFF
POOR_PIVOT = 2.0**-26  # of a covariance by Cholesky: half the digits are gone
CONVEX = 1e-8  # the least pivot of the Hessian over its diagonal element
AT_MINIMUM = 1e-10  # of chi2: what a Newton step may bring at a minimum
UNDETERMINED = 1e6  # times the model: by how much a standard error of theta_j moves it
NEWTON_STEP = 1e-4  # of |theta_j| + |e| / D_j: how long it may be


class Columns(NamedTuple):
    """The columns of J that count, scaled to unit length."""

    free: Any  # the parameters not at a bound
    size: Array  # the lengths of their columns
    R: Array  # the triangle of the scaled columns
    z: Array  # what it makes of e


def columns_of(fit: Fit, beside: int = -1) -> Columns:
    """Scale the columns of parameters that are not at a bound, or ``beside`` it, to length 1."""
    inside = (fit.theta > fit.problem.lower) & (fit.theta < fit.problem.upper)
    free = np.flatnonzero(inside | (np.arange(len(inside)) == beside))
    size = np.sqrt(np.diag(fit.A))[free]
    rows = np.column_stack([fit.R[:-1, free] / np.where(size > 0, size, 1.0), fit.R[:-1, -1]])
    T = merge_rows(np.zeros((0, len(free) + 1)), rows)
    return Columns(free, size, T[:-1, :-1], T[:-1, -1])


def undamped_step(fit: Fit, c: Columns) -> tuple[Array, float]:
    """Return the step u of all parameters, shape (F,), and the reduction of chi2 it promises.

    By R the columns are damped by LOST_COLUMN, which gives the shortest step where some are
    combinations of others.
    """
    n = len(c.free)
    if fit.orthogonal:
        R = np.vstack([np.column_stack([c.R, c.z]), np.zeros(n + 1)])
        damping = np.column_stack([LOST_COLUMN * np.eye(n), np.zeros(n)])
        T = merge_rows(without_lost(R), damping)
        scaled, z = np.linalg.solve(T[:-1, :-1], T[:-1, -1]), T[:-1, -1]
    else:
        z = np.linalg.solve(c.R.T, fit.g[c.free] / c.size)
        scaled = np.linalg.solve(c.R, z)
    u = np.zeros(len(fit.theta))
    u[c.free] = scaled / np.where(c.size > 0, c.size, np.inf)
    return u, float(z @ z)


def promised_inwards(fit: Fit) -> float:
    """What parameters at a bound promise, each by itself, where descent leads back into the box.

    The undamped step holds them where they are.
    """
    theta, lower, upper = fit.theta, fit.problem.lower, fit.problem.upper
    inwards = ((theta <= lower) & (fit.g > 0)) | ((theta >= upper) & (fit.g < 0))
    squares = np.diag(fit.A)[inwards & (lower < upper)]
    g = fit.g[inwards & (lower < upper)]
    return float(np.sum(g[squares > 0] ** 2 / squares[squares > 0]))


def confirm(fit: Fit) -> None:
    """Let a fit go on whose step was small only because it was damped; else take the last step."""
    if fit.status not in SUCCESSES or (not fit.orthogonal and is_poor(fit)):
        return  # the latter is asked again in the orthogonal mode
    stops, columns = fit.problem.stops, columns_of(fit)
    u, promised = undamped_step(fit, columns)
    promised += promised_inwards(fit)
    fit.left = 0.0
    free, chi2 = columns.free, fit.chi2
    unit = 1 / np.where(columns.size > 0, columns.size, np.inf)
    scale = np.abs(fit.theta[free]) + np.sqrt(chi2) * unit
    small = bool((np.abs(u[free]) <= SLACK * stops.xtol * scale).all())
    some = max(SLACK * max(stops.ftol, stops.gtol**2), early_ftol(stops))
    little = promised <= max(some * chi2, fit.noise)
    flat = bool((fit.g[free] ** 2 <= FLAT * fit.largest2[free] * chi2).all())
    fit.doubt = ""
    if not little:
        level = _is_level(fit, promised)
        if not (small and level):
            _go_on(fit, u, small, flat, level)
            return
    if _may_be_last(fit, u, promised):
        take_last_step(fit, u, promised)
    else:
        fit.left = promised


def _may_be_last(fit: Fit, u: Array, promised: float) -> bool:
    """Whether u may be taken as the last step, without a look at where it leads.

    Where damping still takes a part of it, as the linear model errs along it, only if it is so
    short that this does not matter.
    """
    D = np.sqrt(fit.D2) * ((fit.theta > fit.problem.lower) & (fit.theta < fit.problem.upper))
    length = float(np.linalg.norm(D * u))
    damped = float(np.linalg.norm(D * (u - fit.step)))
    short = length <= SHORT * np.sqrt(fit.chi2) or damped <= PART * length
    return bool(may_be_unseen(fit, promised, length) and short)


def _is_level(fit: Fit, promised: float) -> bool:
    """Whether u promises little in units of chi2, or second derivatives show a minimum."""
    share = max(LEVEL, fit.problem.stops.xtol**2)
    if promised <= max(share * fit.chi2, 1e4 * EPS**2 * size2_of_model(fit)):
        return True
    return fit.orthogonal and fit.problem.curvature is not None and is_minimum(fit)


def _go_on(fit: Fit, u: Array, small: bool, flat: bool, level: bool) -> None:
    """Go on with less damping and a wider region, unless that has been in vain too often."""
    fit.in_vain = 0 if fit.chi2 < fit.resumed - fit.noise else fit.in_vain + 1
    vain = fit.in_vain > TRUST
    fit.doubt = fit.status if small or (vain and flat) else ""
    if vain:
        if not (flat and level):
            fit.status = "NO_PROGRESS"
        return
    fit.resumed = fit.chi2
    fit.status, fit.lam = "", max(fit.lam * RELIEF, LEAST_DAMPING)
    length = float(np.linalg.norm(np.sqrt(fit.D2) * u))
    fit.delta = max(WIDER * fit.delta, 2 * length)
    give_up(fit)


def give_up(fit: Fit) -> None:
    """Stop what has gone on for too long."""
    fit.stop(fit.idle > MOST_IDLE, "NO_PROGRESS")
    fit.stop(fit.n_iter >= fit.limit, "MAX_ITER")


def rate(fit: Fit, u: Array) -> float:
    """How much of the last step's error this one has left: u = r times that step.

    Gauss-Newton steps shrink by a constant factor near a minimum whose residuals are not small, and
    all further ones add up to u / (1 - r).  Where damping still shortens steps, they shrink for
    another reason, and r is 0.
    """
    inside = (fit.theta > fit.problem.lower) & (fit.theta < fit.problem.upper)
    D = np.sqrt(fit.D2) * inside
    moved, undamped, less = D * fit.moved, D * u, D * (u - fit.step)
    r = float(moved @ undamped / (moved @ moved))
    steady = bool(less @ less <= (DAMPED * r) ** 2 * (undamped @ undamped))
    return r if abs(r) <= SLOWEST and steady else 0.0


def take_last_step(fit: Fit, u: Array, promised: float) -> None:
    """theta += u, and all that would follow, within the bounds; chi2 falls as promised.

    The orthogonal mode, for models that bend much, looks at where the step leads, and leaves it out
    if that is not as low: a pole of the model may lie on its way.
    """
    theta = fit.theta + u / (1 - rate(fit, u))
    if not ((theta >= fit.problem.lower) & (theta <= fit.problem.upper)).all():
        return
    chi2 = max(fit.chi2 - promised, 0.0)
    if fit.orthogonal:
        e = fit.problem.evaluate(theta)[:, -1]
        chi2 = float(e @ e)
        if not chi2 <= fit.chi2 + fit.noise:
            return
    fit.theta, fit.sums = theta, fit.sums.copy()
    fit.sums[-1, -1] = chi2


def hessian(fit: Fit, free: Any, size: Array) -> Array:
    """(J'J - sum_i e_i f_i'') / (D_i D_j) from P (P + 1) / 2 second directional derivatives."""
    problem, n = fit.problem, len(free)
    assert problem.curvature is not None
    directions = np.zeros((n, len(fit.theta)))
    directions[np.arange(n), free] = 1 / size
    e = problem.evaluate(fit.theta)[:, -1]

    def along(d: Array) -> float:
        return float(e @ problem.curvature(fit.theta, d))  # type: ignore[misc]

    bent = np.diag([along(d) for d in directions])
    for i in range(n):
        for j in range(i):
            both = along(directions[i] + directions[j])
            bent[i, j] = bent[j, i] = (both - bent[i, i] - bent[j, j]) / 2
    return fit.A[np.ix_(free, free)] / np.outer(size, size) - bent


def newton_step(fit: Fit, beside: int = -1) -> tuple[Array, float] | None:
    """Return the step H^-1 J'e in units of D and what it brings; None where H is not convex."""
    columns = columns_of(fit, beside)
    size = np.where(columns.size > 0, columns.size, 1.0)
    H = hessian(fit, columns.free, size)
    if not np.isfinite(H).all() or not _is_convex(H):
        return None
    g = fit.g[columns.free] / size
    step = np.zeros(len(fit.theta))
    step[columns.free] = np.linalg.solve(H, g) / size
    return step, float(fit.g @ step)


def is_minimum(fit: Fit, beside: int = -1) -> bool:
    """Whether the exact Hessian is convex and a Newton step is short and brings nothing.

    Parameters at a bound do not count, but for the one that is looked at ``beside`` it.
    """
    newton = newton_step(fit, beside)
    if newton is None:
        return False
    step, gain = newton
    size = np.sqrt(np.diag(fit.A))
    scale = np.abs(fit.theta) + np.sqrt(fit.chi2) / np.where(size > 0, size, 1.0)
    short = (np.abs(step) <= NEWTON_STEP * scale).all()
    return bool(short and gain <= max(AT_MINIMUM * fit.chi2, noise_of_chi2(fit)))


def _is_convex(H: Array) -> bool:
    left = H.copy()
    for j in range(len(H)):
        if not left[j, j] > CONVEX * abs(H[j, j]):
            return False
        left[j + 1 :, j + 1 :] -= np.outer(left[j + 1 :, j], left[j, j + 1 :]) / left[j, j]
    return True


def kept_by_bounds(fit: Fit) -> Any:
    """Which parameters descent presses against the bound that they are at, shape (F,).

    Not where a step of the parameter's own size would bring nothing.
    """
    lower, upper = fit.theta <= fit.problem.lower, fit.theta >= fit.problem.upper
    idle = (fit.theta != 0) & (np.abs(fit.g * fit.theta) <= NO_EFFECT**2 * fit.chi2)
    return ((lower & (fit.g < 0)) | (upper & (fit.g > 0))) & ~idle


def lost_effect(fit: Fit, share: float) -> int:
    """The parameter whose column has shrunk below a share of its largest, and has no effect, or -1.

    So has a column whose squares leave the range.  A parameter that descent presses against its
    bound is kept there; if not, the bound is merely where it was when the model went flat, and a
    column of zeros, which elsewhere makes J'J singular, tells the same.
    """
    at_bound = (fit.theta <= fit.problem.lower) | (fit.theta >= fit.problem.upper)
    kept = kept_by_bounds(fit)
    now = np.diag(fit.A)
    shrunk = (now < share**2 * fit.largest2) & (fit.theta**2 * now <= NO_EFFECT**2 * fit.chi2)
    shrunk |= at_bound & (now == 0)
    lost = (shrunk | ((now > 0) & (now < TINY / EPS))) & ~kept
    return int(np.argmax(lost)) if lost.any() else -1


def inflated(R: Array, most: float) -> int:
    """The column whose variance inflation (R'R)^-1_jj is largest and beyond ``most``, or -1."""
    R = R.copy()
    diagonal = np.diag(R)
    R[np.diag_indices(len(R))] = np.where(np.abs(diagonal) > LOST_COLUMN, diagonal, LOST_COLUMN)
    inflation = np.sum(np.linalg.inv(R) ** 2, axis=1)
    return int(np.argmax(inflation)) if (inflation > most).any() else -1


def most_inflation(fit: Fit) -> float:
    """The largest variance inflation of a parameter that the data determine.

    Beyond TRUSTED^2 they do not in this arithmetic.  Nor do they where its standard error moves the
    model by UNDETERMINED times all that the model has, as that of a peak narrower than the distance
    of points does.
    """
    problem = fit.problem
    variance = 1.0 if problem.absolute_sigma else np.inf
    if problem.dof > 0 and not problem.absolute_sigma:
        variance = fit.chi2 / problem.dof
    if not 0 < variance < np.inf:
        return TRUSTED**2
    size2 = max(size2_of_model(fit), fit.chi2)  # y may be 0 throughout
    return min(TRUSTED**2, UNDETERMINED**2 * size2 / variance)


def look_for_drift(fit: Fit) -> None:
    """Name the parameter that runs off, if one does; a slow fit where none does goes on."""
    j = -1
    if fit.status == "SLOW":
        j = lost_effect(fit, LAST_RUN_OFF if fit.last else SLOW_RUN_OFF)
        if j < 0:
            c = columns_of(fit)
            k = inflated(c.R, LAST_INFLATION if fit.last else SLOW_INFLATION)
            j = int(c.free[k]) if k >= 0 else -1
    elif fit.status in (*SUCCESSES, "EXACT", "NO_PROGRESS", "MAX_ITER"):
        j = lost_effect(fit, RUN_OFF)
    if j >= 0:
        fit.status, fit.lost = "DRIFT", j
    elif fit.status == "SLOW":
        fit.status = ""


def is_poor(fit: Fit) -> bool:
    """Is J'J too ill-conditioned for a covariance?"""
    if fit.status == "ILL_CONDITIONED":
        return True
    c = columns_of(fit)
    if not (c.size > 0).all():
        return True
    left = fit.A[np.ix_(c.free, c.free)] / np.outer(c.size, c.size)
    for j in range(len(left)):
        if not left[j, j] > max(POOR_PIVOT, WEAK_PIVOT):
            return True
        left[j + 1 :, j + 1 :] -= np.outer(left[j + 1 :, j], left[j, j + 1 :]) / left[j, j]
    return False
