"""Whether a fit that met a tolerance is at a minimum (csrc/fit/confirm.h, csrc/fit/covariance.h).

Columns of J are scaled to unit length here.  A success stands if the undamped step u = A^-1 J'e is
small, too, or if the reduction of chi2 that it promises is small or below the rounding noise of
chi2; and if no parameter has run so far away that chi2 no longer depends on it.
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
    noise_of_promise,
    size2_of_model,
    size2_of_promise,
)
from .step import WEAK_PIVOT, without_lost

MOST_IDLE = 64  # consecutive trials whose promised and actual reduction are below the noise of chi2
TRUST = 4  # how many times in a row `confirm` resumes a fit without a fall of chi2
SLACK = 10.0  # the undamped step u may exceed the tolerance by this factor
RELIEF = 1e-2  # a fit that is resumed has its lambda multiplied by RELIEF ...
WIDER = 100.0  # ... and the radius of its region by WIDER
FLAT = 1e-6  # the gradient counts as zero where g_j^2 <= FLAT D_j^2 chi2
LEVEL = 4500 * EPS  # at a minimum u promises at most LEVEL chi2; 1e-12
SLOWEST = 0.5  # steps that shrink by a factor up to SLOWEST are extrapolated to their sum ...
DAMPED = 0.01  # ... if damping has taken at most DAMPED r u of u: see `rate`
PART = 0.1  # damping may have taken at most PART of a last step u ...
SHORT = 1e-6  # ... unless |D u| is at most SHORT |e|
RUN_OFF = 1e-7  # a parameter has lost its effect if |J_j| is below RUN_OFF times its largest ...
NO_EFFECT = 1e-3  # ... in the attempt, and |theta_j| |J_j| is at most NO_EFFECT |e|
SLOW_INFLATION = 1e6  # a slow fit drifts if a variance inflation is beyond SLOW_INFLATION ...
SLOW_RUN_OFF = 1e-3  # ... or a column has shrunk below SLOW_RUN_OFF times its largest;
LAST_INFLATION, LAST_RUN_OFF = 1e16, 1e-5  # the same in the last attempt
POOR_PIVOT = 2.0**-26  # a pivot up to this share of its diagonal has lost half of its digits
CONVEX = 1e-8  # the least pivot of a convex Hessian over its diagonal element
AT_MINIMUM = 1e-10  # at a minimum a Newton step promises at most AT_MINIMUM chi2 ...
NEWTON_STEP = 1e-4  # ... and its |d_j| is at most NEWTON_STEP (|theta_j| + |e| / D_j)
UNDETERMINED = 1e6  # see `most_inflation`


class Columns(NamedTuple):
    """The columns of J of parameters that are not at a bound, scaled to unit length."""

    free: Any  # the parameters not at a bound
    size: Array  # the lengths of their columns
    R: Array  # the triangle of the scaled columns
    z: Array  # the right-hand side of the triangle: e by the same rotations


def columns_of(fit: Fit, beside: Any = ()) -> Columns:
    """Scale to length 1 the columns of parameters that are not at a bound, and of ``beside``."""
    inside = (fit.theta > fit.problem.lower) & (fit.theta < fit.problem.upper)
    free = np.flatnonzero(inside | np.isin(np.arange(len(inside)), beside))
    size = np.sqrt(np.diag(fit.A))[free]
    rows = np.column_stack([fit.R[:-1, free] / np.where(size > 0, size, 1.0), fit.R[:-1, -1]])
    T = merge_rows(np.zeros((0, len(free) + 1)), rows)
    return Columns(free, size, T[:-1, :-1], T[:-1, -1])


def undamped_step(fit: Fit, c: Columns) -> tuple[Array, float]:
    """Return the step u of all parameters, shape (F,), and the reduction of chi2 it promises.

    In the orthogonal mode the columns are damped by LOST_COLUMN, which gives the shortest step
    where some are combinations of others.
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


def lead_inwards(fit: Fit, g: Array) -> Any:
    """Which parameters are at a bound from which descent, J'e = g, leads back into the box."""
    theta, lower, upper = fit.theta, fit.problem.lower, fit.problem.upper
    return (((theta <= lower) & (g > 0)) | ((theta >= upper) & (g < 0))) & (lower < upper)


def promised_inwards(fit: Fit, c: Columns, u: Array) -> float:
    """The reduction of chi2 promised by parameters at a bound from which descent leads inwards.

    The undamped step u, which holds them, does not count it.  Parameter j alone, beside those that
    are not held, promises g^2 / q, where g = J_j'(e - J u) and q is the square of what is left of
    J_j beside their columns.
    """
    g, size = fit.g - fit.A @ u, np.sqrt(np.diag(fit.A))
    Q = np.linalg.qr(fit.R[:-1, c.free] / np.where(c.size > 0, c.size, 1.0))[0]
    promised = 0.0
    for j in np.flatnonzero(lead_inwards(fit, g) & (size > 0)):
        column = fit.R[:-1, j] / size[j]
        left = column - Q @ (Q.T @ column)
        promised += (g[j] / size[j]) ** 2 / max(left @ left, WEAK_PIVOT)
    return float(promised)


def confirm(fit: Fit) -> None:
    """Test a fit that met a tolerance: let it go on, or take its last step.

    It goes on if its step was small only because it was damped.
    """
    if fit.status not in SUCCESSES or (not fit.orthogonal and is_poor(fit)):
        return  # a fit whose J'J is poor is tested in the orthogonal mode
    stops, columns = fit.problem.stops, columns_of(fit)
    u, promised = undamped_step(fit, columns)
    promised += promised_inwards(fit, columns, u)
    fit.untaken = 0.0
    free, chi2 = columns.free, fit.chi2
    unit = 1 / np.where(columns.size > 0, columns.size, np.inf)
    scale = np.abs(fit.theta[free]) + np.sqrt(chi2) * unit
    small = bool((np.abs(u[free]) <= SLACK * stops.xtol * scale).all())
    some = max(SLACK * max(stops.ftol, stops.gtol**2), early_ftol(stops))
    little = promised <= max(some * chi2, noise_of_promise(fit))
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
        fit.untaken = promised


def _may_be_last(fit: Fit, u: Array, promised: float) -> bool:
    """Whether u may be taken as the last step, without evaluating the model where it leads.

    Damping is on where the linear model has erred; so u must be very short, or the damping must
    take little of it.
    """
    D = np.sqrt(fit.D2) * ((fit.theta > fit.problem.lower) & (fit.theta < fit.problem.upper))
    length = float(np.linalg.norm(D * u))
    damped = float(np.linalg.norm(D * (u - fit.step)))
    short = length <= SHORT * np.sqrt(fit.chi2) or damped <= PART * length
    return bool(may_be_unseen(fit, promised, length) and short)


def _is_level(fit: Fit, promised: float) -> bool:
    """Whether u promises little in units of chi2, or second derivatives show a minimum."""
    share = max(LEVEL, fit.problem.stops.xtol**2)
    if promised <= max(share * fit.chi2, 1e4 * EPS**2 * size2_of_promise(fit)):
        return True
    return fit.orthogonal and fit.problem.curvature is not None and is_minimum(fit)


def _go_on(fit: Fit, u: Array, small: bool, flat: bool, level: bool) -> None:
    """Go on with less damping and a wider region, unless that has been in vain too often."""
    fit.in_vain = 0 if fit.chi2 < fit.resumed - noise_of_promise(fit) else fit.in_vain + 1
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
    """Stop a fit that has been idle for too long or has used up its trials."""
    fit.stop(fit.idle > MOST_IDLE, "NO_PROGRESS")
    fit.stop(fit.n_iter >= fit.limit, "MAX_ITER")


def rate(fit: Fit, u: Array) -> float:
    """The factor r by which steps shrink: u is about r times the last step.

    Near a minimum with residuals that are not small, Gauss-Newton steps shrink by a constant
    factor, so that u and all steps after it add up to u / (1 - r).  Returns 0 where steps shrink
    because they are damped, and where r is above SLOWEST.
    """
    inside = (fit.theta > fit.problem.lower) & (fit.theta < fit.problem.upper)
    D = np.sqrt(fit.D2) * inside
    moved, undamped, less = D * fit.moved, D * u, D * (u - fit.step)
    r = float(moved @ undamped / (moved @ moved))
    steady = bool(less @ less <= (DAMPED * r) ** 2 * (undamped @ undamped))
    return r if abs(r) <= SLOWEST and steady else 0.0


def take_last_step(fit: Fit, u: Array, promised: float) -> None:
    """Add to theta u and all steps that would follow, if that stays within the bounds.

    chi2 falls as promised.  In the orthogonal mode, which is for models that bend much, the model
    is evaluated there, and the step is left out if chi2 rises: a pole may lie on its way.
    """
    theta = fit.theta + u / (1 - rate(fit, u))
    if not ((theta >= fit.problem.lower) & (theta <= fit.problem.upper)).all():
        return
    chi2 = max(fit.chi2 - promised, 0.0)
    if fit.orthogonal:
        chi2 = fit.problem.chi2_of(theta, fit.problem.evaluate(theta))
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
        bent = problem.bent or problem.curvature
        return float(e @ bent(fit.theta, d))  # type: ignore[misc]

    bent = np.diag([along(d) for d in directions])
    for i in range(n):
        for j in range(i):
            both = along(directions[i] + directions[j])
            bent[i, j] = bent[j, i] = (both - bent[i, i] - bent[j, j]) / 2
    return fit.A[np.ix_(free, free)] / np.outer(size, size) - bent


def newton_step(fit: Fit, beside: Any = ()) -> tuple[Array, float] | None:
    """Return the step H^-1 J'e and the reduction that it promises; None if H is not convex."""
    columns = columns_of(fit, beside)
    size = np.where(columns.size > 0, columns.size, 1.0)
    H = hessian(fit, columns.free, size)
    squares = np.diag(fit.A)[columns.free] / size**2
    if not np.isfinite(H).all() or not (np.diag(H) > POOR_PIVOT * squares).all():
        return None  # half of the digits of J'J are lost in what is left of it
    if not _is_convex(H):
        return None
    g = fit.g[columns.free] / size
    step = np.zeros(len(fit.theta))
    step[columns.free] = np.linalg.solve(H, g) / size
    return step, float(fit.g @ step)


def is_minimum(fit: Fit, beside: int = -1) -> bool:
    """Whether the exact Hessian is convex and a Newton step is short and promises next to nothing.

    Parameters at a bound are left out, except number ``beside`` and those that descent leads back
    into the box.
    """
    newton = newton_step(fit, [beside, *np.flatnonzero(lead_inwards(fit, fit.g))])
    if newton is None:
        return False
    step, gain = newton
    size = np.sqrt(np.diag(fit.A))
    scale = np.abs(fit.theta) + np.sqrt(fit.chi2) / np.where(size > 0, size, 1.0)
    short = (np.abs(step) <= NEWTON_STEP * scale).all()
    return bool(short and gain <= max(AT_MINIMUM * fit.chi2, noise_of_promise(fit)))


def _is_convex(H: Array) -> bool:
    left = H.copy()
    for j in range(len(H)):
        if not left[j, j] > CONVEX * abs(H[j, j]):
            return False
        left[j + 1 :, j + 1 :] -= np.outer(left[j + 1 :, j], left[j, j + 1 :]) / left[j, j]
    return True


def kept_by_bounds(fit: Fit) -> Any:
    """Which parameters descent presses against the bound that they are at, shape (F,).

    A parameter does not count if a step of its own size would bring nothing.
    """
    lower, upper = fit.theta <= fit.problem.lower, fit.theta >= fit.problem.upper
    idle = (fit.theta != 0) & (np.abs(fit.g * fit.theta) <= NO_EFFECT**2 * fit.chi2)
    return ((lower & (fit.g < 0)) | (upper & (fit.g > 0))) & ~idle


def lost_effect(fit: Fit, share: float) -> int:
    """The first parameter that has lost its effect on the model and that no bound keeps, or -1.

    Its column has shrunk below ``share`` of its largest norm, and theta_j J_j is nothing beside e;
    or the square of the column has left the range of numbers.  A parameter that descent presses
    against its bound is kept there; another merely happened to be at the bound when the model went
    flat, also if its column is 0 (which makes J'J singular where there is no bound).
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
    """The largest variance inflation of a parameter that counts as determined by the data.

    It is TRUSTED^2, the most that this arithmetic can tell, or less where the columns of J have
    errors larger than 1 / TRUSTED; or less where the standard error would move the model by more
    than UNDETERMINED times its size, as that of a peak narrower than the distance of points does.
    """
    problem = fit.problem
    told = 1 / max(problem.jacobian_error, 1 / TRUSTED)
    variance = variance_of(fit)
    if not 0 < variance < np.inf:
        return told**2
    size2 = max(size2_of_model(fit), fit.chi2)  # y may be 0 throughout
    return min(told**2, UNDETERMINED**2 * size2 / variance)


def variance_of(fit: Fit) -> float:
    """The variance of a residual in units of sigma, the factor of the covariance."""
    problem = fit.problem
    if problem.factor is not None:
        return problem.factor(fit.theta)
    if problem.absolute_sigma:
        return 1.0
    return fit.chi2 / problem.dof if problem.dof > 0 else np.inf


def look_for_drift(fit: Fit) -> None:
    """Look for a parameter that runs off, which is a DRIFT; a slow fit without one goes on."""
    j, counts = -1, fit.problem.counts  # means near 0 inflate variances as constraints do
    if fit.status == "SLOW":
        j = lost_effect(fit, LAST_RUN_OFF if fit.last else SLOW_RUN_OFF)
        if j < 0:
            c = columns_of(fit)
            k = inflated(c.R, LAST_INFLATION if fit.last or counts else SLOW_INFLATION)
            j = int(c.free[k]) if k >= 0 else -1
    elif fit.status in (*SUCCESSES, "EXACT", "NO_PROGRESS", "MAX_ITER"):
        j = lost_effect(fit, RUN_OFF)
    if j >= 0:
        fit.status, fit.lost = "DRIFT", j
    elif fit.status == "SLOW":
        fit.status = ""


def is_poor(fit: Fit) -> bool:
    """Whether J'J is too ill-conditioned for a covariance."""
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
