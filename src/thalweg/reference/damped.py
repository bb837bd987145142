"""The specification of the engine in plain NumPy: the same steps as csrc/, made to be read.

A fit minimises  chi2(theta) = sum_i ((y_i - f_i(theta)) / sigma_i)^2.  With
e_i = (y_i - f_i) / sigma_i  and  J_ij = (df_i / dtheta_j) / sigma_i  a damped step d solves

    (J'J + lambda D^2) d = J'e,       D_j^2 = largest (J'J)_jj seen so far.

csrc/damped.h tells why each test is as it is; names are the same here and there.  Everything is
float64, one fit at a time: this is what the engine is tested against, not a fallback.

References: More, "The Levenberg-Marquardt algorithm: implementation and theory", 1978; Nielsen,
"Damping parameter in Marquardt's method", IMM-REP-1999-05, 1999; Golub and Van Loan, "Matrix
Computations", 4th ed., sections 5.3 and 6.5.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .squares import DERIVATIVE, MIN, magnitude_of, out_of_range

Array = np.ndarray[Any, np.dtype[np.float64]]
Model = Callable[[Array], tuple[Array, Array]]  # theta (P,) -> f (N,), df/dtheta (N, P)

EPS = float(np.finfo(float).eps)
MAX = float(np.finfo(float).max)
FIRST_DAMPING = 1e-2
CAREFUL_DAMPING = 1.0  # of the second attempt
WEAK_PIVOT = 64 * EPS  # a step by Cholesky is worthless below: J'J is singular to rounding
PATIENCE = 64  # trials in a row that neither promise nor bring more than noise
TRUST = 4  # times in a row that an undamped promise may prove vain
UNDAMPED = 1e-8  # a damping that changes no step
TRUSTED = 1e10  # beyond its square a variance inflation means: not determined
LOST_COLUMN = 1e-13  # R_jj of a column that is a combination of those before it
LEAST_DAMPING = float(np.finfo(float).tiny) * 2.0**40
SLACK = 10.0  # of the undamped step over the tolerance that the damped one met
RELIEF = 1e-2  # of the damping of a fit that goes on
FLAT = 1e-6  # of chi2: what a parameter can still bring, by D
POOR_PIVOT = 2.0**-26  # of a covariance by Cholesky: half the digits are gone


class Outcome(NamedTuple):
    """A finished fit."""

    params: Array  # (P,), NaN where it could not run
    chi2: float
    status: str  # a name of `thalweg.Status`
    detail: int  # which parameter or input the status is about, else -1
    n_iter: int  # trial steps taken
    covariance: Array  # (P, P), 0 for parameters at a bound, infinite where it is not defined


class _Tolerances(NamedTuple):
    xtol: float
    ftol: float
    gtol: float
    max_iter: int


@dataclass
class _Fit:
    """One fit under way; the arrays of `fits` in csrc/damped.h."""

    theta: Array
    lower: Array
    upper: Array
    magnitude: float  # sum of (y/sigma)^2
    orthogonal: bool = False  # steps from R instead of J'J
    n_iter: int = 0
    status: str = ""
    lam: float = FIRST_DAMPING
    nu: float = 2.0
    promised: float = 0.0
    idle: int = 0
    resumed: float = np.inf  # chi2 when `confirm` last let it go on
    in_vain: int = 0  # times in a row that it went on without chi2 falling
    fresh: bool = True
    second: bool = False  # this is the second attempt
    start: Array = field(init=False)
    first: tuple[Array, Array, Array] = field(init=False)  # where the first attempt ended
    trial: Array = field(init=False)
    sums: Array = field(init=False)  # [J|e]'[J|e] at theta
    R: Array = field(init=False)
    D2: Array = field(init=False)
    step: Array = field(init=False)
    held: Any = field(init=False)

    def __post_init__(self) -> None:
        P = len(self.theta)
        self.start = self.trial = self.theta
        self.sums = self.R = np.zeros((P + 1, P + 1))
        self.first = self.theta, np.full((P + 1, P + 1), np.inf), self.R
        self.D2, self.step, self.held = np.zeros(P), np.zeros(P), np.zeros(P, bool)

    @property
    def A(self) -> Array:
        """J'J, shape (P, P)."""
        return self.sums[:-1, :-1]

    @property
    def g(self) -> Array:
        """J'e, half the downhill gradient of chi2, shape (P,)."""
        return self.sums[:-1, -1]

    @property
    def chi2(self) -> float:
        """chi2 = |e|^2."""
        return float(self.sums[-1, -1])

    @property
    def scale(self) -> Array:
        """D, with 1 for a parameter that has never had an effect; shape (P,)."""
        return np.sqrt(np.where(self.D2 > 0, self.D2, 1.0))

    def stop(self, when: bool | np.bool_, status: str) -> None:
        """Stop for this reason, unless there is one already."""
        if when and not self.status:
            self.status = status


def add_block(J: Array, e: Array, weight: Array | None = None) -> Array:
    """Return C'W^2 C, shape (P + 1, P + 1), with C = [J | e].

    J is (N, P), e is (N,), weight is 1/sigma, (N,): 0 leaves a point out whatever it holds.
    """
    C = np.column_stack([J, e])
    if weight is not None:
        C = C[weight > 0] * weight[weight > 0, None]
    return C.T @ C


def merge_rows(R: Array, rows: Array) -> Array:
    """Return the triangle whose R'R is R'R + rows'rows, shape (n, n), without forming these."""
    n = R.shape[1]
    triangle = np.zeros((n, n))
    if np.isfinite(rows).all():
        merged = np.linalg.qr(np.vstack([R, rows]), mode="r")
        triangle[: len(merged)] = merged
    else:
        triangle[:] = np.nan
    return triangle


def levenberg_marquardt(
    model_and_jacobian: Model,
    y: Array,
    start: Array,
    *,
    sigma: Array | None = None,
    lower: Array | None = None,
    upper: Array | None = None,
    xtol: float = 1e-9,
    ftol: float = 1e-15,
    gtol: float = 1e-9,
    max_iter: int = 1000,
    absolute_sigma: bool = False,
) -> Outcome:
    """Minimise chi2(theta) = sum_i ((y_i - f_i(theta)) / sigma_i)^2 with lower <= theta <= upper.

    ``model_and_jacobian(theta)`` gives f (N,) and df/dtheta (N, P).  The rest is as in
    `thalweg.fit`, for one fit; equal bounds fix a parameter.  What is wrong is the status.
    """
    y, start = np.asarray(y, float), np.array(start, float)
    sigma = np.ones(len(y)) if sigma is None else np.asarray(sigma, float)
    lower = np.full(len(start), -np.inf) if lower is None else np.asarray(lower, float)
    upper = np.full(len(start), np.inf) if upper is None else np.asarray(upper, float)
    use = ~np.isnan(y) & (sigma < np.inf)
    status, detail = _refusal(y, sigma, start, lower, upper, use)
    if status:
        return _refused(status, detail, len(start))
    weight, target = np.where(use, 1 / sigma, 0.0), np.where(use, y, 0.0)

    def evaluate(theta: Array) -> Array:
        with np.errstate(all="ignore"):
            f, J = model_and_jacobian(theta)
        return np.column_stack([J, target - f])[use] * weight[use, None]

    magnitude = magnitude_of(target, weight)
    stops = _Tolerances(xtol, ftol, gtol, max_iter)
    fit = _run(_Fit(start, lower, upper, magnitude), evaluate, stops)
    if fit.status not in ("NOT_FINITE", "RANGE") and _needs_orthogonal(fit):
        fit = _Fit(fit.theta, lower, upper, magnitude, True, fit.n_iter, lam=fit.lam, second=True)
        fit = _run(fit, evaluate, stops)
    if fit.status == "NOT_FINITE":
        C = evaluate(fit.trial)
        return _refused("NOT_FINITE", 2 if np.isfinite(C[:, -1] @ C[:, -1]) else 1, len(start))
    if fit.status == "RANGE":
        return _refused("RANGE", out_of_range(fit.sums, magnitude, fit.theta), len(start))
    dof = int(np.count_nonzero(use) - np.count_nonzero(lower < upper))
    return _finish(fit, dof, absolute_sigma)


# ---- the iteration ---------------------------------------------------------------------------


def _run(fit: _Fit, evaluate: Callable[[Array], Array], stops: _Tolerances) -> _Fit:
    while not fit.status:
        C = evaluate(fit.trial)
        R = merge_rows(np.zeros((0, C.shape[1])), C)
        with np.errstate(all="ignore"):
            sums = R.T @ R if fit.orthogonal else C.T @ C
        judge(fit, sums, R, stops)
        if fit.status in ("", "FTOL", "XTOL"):
            advance(fit, stops.gtol)
        confirm(fit, stops)
        start_again(fit)
    keep_better_attempt(fit)
    return fit


def judge(fit: _Fit, sums: Array, R: Array, stops: _Tolerances) -> None:
    """Keep or reject the trial, adapt lambda, and stop where a tolerance is met."""
    before, fresh, promised = fit.chi2, fit.fresh, fit.promised
    finite = bool(np.isfinite(np.trace(sums)))
    actual = before - float(sums[-1, -1])
    noise = noise_of_chi2(fit)
    in_noise = promised <= noise
    kept = finite and (fresh or actual > 0 or (in_noise and actual >= -noise))
    if kept:
        fit.theta, fit.sums, fit.R = fit.trial, sums, R
        fit.D2 = np.maximum(fit.D2, np.diag(sums)[:-1])
    if not fresh:
        fit.n_iter += 1
        adapt_damping(fit, kept, actual / promised if promised > 0 else 0.0, in_noise)
        fit.idle = 0 if kept and actual > noise else fit.idle + int(in_noise)
    fit.fresh = False

    moved = kept and not fresh
    excess = np.maximum(0, np.abs(fit.step) - stops.xtol * np.abs(fit.theta))
    small = excess**2 * fit.D2 <= stops.xtol**2 * fit.chi2  # excess <= xtol |e| / D
    little = stops.ftol * before
    fit.stop(fresh and not finite, "NOT_FINITE")
    first = fresh and fit.n_iter == 0
    fit.stop(first and out_of_range(sums, fit.magnitude, fit.theta) >= 0, "RANGE")
    fit.stop(kept and fit.chi2 <= 16 * EPS**2 * fit.magnitude, "EXACT")
    fit.stop(moved and small.all(), "XTOL")
    fit.stop(moved and promised <= little and actual <= little, "FTOL")
    settled = fit.idle > PATIENCE and fit.lam <= UNDAMPED
    fit.stop(moved and in_noise and settled, "FTOL")  # undamped steps go around in the noise
    give_up(fit, stops)


def give_up(fit: _Fit, stops: _Tolerances) -> None:
    """Stop what has gone on for too long."""
    fit.stop(fit.idle > PATIENCE, "NO_PROGRESS")
    fit.stop(fit.n_iter >= stops.max_iter, "MAX_ITER")


def noise_of_chi2(fit: _Fit) -> float:
    """Rounding noise of chi2: of its sum, of y, and of f before anything in it cancels."""
    size2 = np.max(fit.theta**2 * np.diag(fit.A), initial=fit.magnitude)
    return float(16 * EPS * fit.chi2 + 2 * EPS * np.sqrt(fit.chi2 * size2))


def adapt_damping(fit: _Fit, kept: bool, rho: float, in_noise: bool) -> None:
    """The next damping, from the gain ratio rho of the trial (Nielsen)."""
    if kept:
        factor = 0.1 if in_noise else max(0.1, 1 - (2 * rho - 1) ** 3)
        fit.lam, fit.nu = max(fit.lam * factor, LEAST_DAMPING), 2.0
    else:
        fit.lam, fit.nu = min(fit.lam * fit.nu, MAX / 4), min(2 * fit.nu, 2.0**60)


def start_again(fit: _Fit) -> None:
    """Begin once again at the start, with more damping, where the first attempt got nowhere."""
    if fit.status == "NO_PROGRESS" and not fit.second:
        fit.first = fit.theta, fit.sums, fit.R
        fit.theta = fit.trial = fit.start
        fit.D2, fit.lam, fit.nu = np.zeros_like(fit.D2), CAREFUL_DAMPING, 2.0
        fit.status, fit.idle, fit.fresh, fit.second = "", 0, True, True
        fit.resumed, fit.in_vain = np.inf, 0


def keep_better_attempt(fit: _Fit) -> None:
    """A second attempt that failed at a larger chi2 than the first gives way to it."""
    if fit.status in ("NO_PROGRESS", "MAX_ITER") and fit.first[1][-1, -1] < fit.chi2:
        fit.theta, fit.sums, fit.R = fit.first


def advance(fit: _Fit, gtol: float) -> None:
    """Find the next trial, or stop where the gradient is small enough."""
    theta, lower, upper = fit.theta, fit.lower, fit.upper
    fit.step = np.zeros_like(theta)
    fit.held = ((theta <= lower) & (fit.g <= 0)) | ((theta >= upper) & (fit.g >= 0))
    cut = False
    while True:
        solve(fit)
        below, above = theta + fit.step < lower, theta + fit.step > upper
        outside = (below | above) & ~fit.held
        if fit.status == "ILL_CONDITIONED" or not outside.any():
            break
        fit.step[outside] = (np.where(below, lower, upper) - theta)[outside]
        fit.held = fit.held | outside
        cut = True
    d = fit.step
    fit.promised = float(
        2 * (d @ fit.g) - d @ fit.A @ d if cut else d @ (fit.g + fit.lam * fit.D2 * d)
    )
    fit.stop(not cut and fit.promised <= gtol**2 * fit.chi2, "GTOL")
    # what was cut lands on its bound exactly
    fit.trial = np.where(fit.held & (d > 0), upper, np.where(fit.held & (d < 0), lower, theta + d))


def confirm(fit: _Fit, stops: _Tolerances) -> None:
    """Let a fit go on whose step was small only because it was damped.

    At the solution, the undamped step A^-1 J'e or the reduction of chi2 that it promises must be
    small as well, or lost in the rounding noise.  Where it has gone on TRUST times in a row and
    chi2 was the same each time, a gradient that is small in units of D tells a minimum from a place
    where the model is not smooth.
    """
    if fit.status not in ("FTOL", "XTOL", "GTOL"):
        return
    if not fit.orthogonal and _needs_orthogonal(fit):
        return  # it is asked again in the orthogonal mode
    free, size, R = _scaled_columns(fit)
    if fit.orthogonal:
        columns = np.column_stack(
            [fit.R[:-1, free] / np.where(size > 0, size, 1.0), fit.R[:-1, -1]]
        )
        R = merge_rows(np.zeros((0, len(free) + 1)), columns)
        R, z = R[:-1, :-1], R[:-1, -1]
    else:
        z = np.linalg.solve(R.T, fit.g[free] / size)
    step, found = np.zeros(len(free)), np.abs(np.diag(R)) > LOST_COLUMN
    for i in reversed(np.flatnonzero(found)):
        step[i] = (z[i] - R[i, i + 1 :] @ step[i + 1 :]) / R[i, i]
    promised = float(np.sum(z[found] ** 2))
    unit = 1 / np.where(size > 0, size, np.inf)
    scale = np.abs(fit.theta[free]) + np.sqrt(fit.chi2) * unit
    small = (np.abs(step * unit) <= SLACK * stops.xtol * scale).all()
    noise = noise_of_chi2(fit)
    little = max(SLACK * max(stops.ftol, stops.gtol**2) * fit.chi2, noise)
    if small or promised <= little:
        return
    fit.in_vain = 0 if fit.chi2 < fit.resumed - noise else fit.in_vain + 1
    if fit.in_vain <= TRUST:
        fit.resumed = fit.chi2
        fit.status, fit.lam = "", max(fit.lam * RELIEF, LEAST_DAMPING)
        give_up(fit, stops)
    elif not (fit.g[free] ** 2 <= FLAT * fit.D2[free] * fit.chi2).all():
        fit.status = "NO_PROGRESS"


def solve(fit: _Fit) -> None:
    """Set the step of the parameters that are not held, given that of the others."""
    free, held = ~fit.held, fit.held
    D = fit.scale[free]
    if fit.orthogonal:
        R, z = fit.R[:-1, :-1], fit.R[:-1, -1]
        rows = np.column_stack([R[:, free] / D, z - R[:, held] @ fit.step[held]])
        damping = np.column_stack([np.sqrt(fit.lam) * np.eye(len(D)), np.zeros(len(D))])
        T = merge_rows(damping, rows)
        fit.step[free] = np.linalg.solve(T[:-1, :-1], T[:-1, -1]) / D
        return
    A = fit.A[np.ix_(free, free)] / np.outer(D, D)
    A[np.diag_indices(len(D))] += fit.lam
    if smallest_pivot(A) <= WEAK_PIVOT:
        fit.stop(True, "ILL_CONDITIONED")
    else:
        right = fit.g[free] - fit.A[np.ix_(free, held)] @ fit.step[held]
        fit.step[free] = np.linalg.solve(A, right / D) / D


def smallest_pivot(A: Array) -> float:
    """The smallest ratio of a pivot of L D L' to its diagonal element: what elimination leaves."""
    left, smallest = A.copy(), 1.0
    for j in range(len(A)):
        if not left[j, j] > WEAK_PIVOT * A[j, j]:
            return 0.0
        smallest = min(smallest, float(left[j, j] / A[j, j]))
        left[j + 1 :, j + 1 :] -= np.outer(left[j + 1 :, j], left[j, j + 1 :]) / left[j, j]
    return smallest


# ---- before and after ------------------------------------------------------------------------


def _refusal(
    y: Array, sigma: Array, start: Array, lower: Array, upper: Array, use: Any
) -> tuple[str, int]:
    """Why a fit cannot run, or an empty reason."""
    if not (sigma > 0).all():
        return "BAD_SIGMA", -1
    if not np.isfinite(y[use]).all():
        return "NOT_FINITE", 0
    for j in range(len(start)):
        if not lower[j] <= upper[j]:
            return "BAD_BOUNDS", j
        if not (np.isfinite(start[j]) and lower[j] <= start[j] <= upper[j]):
            return "BAD_START", j
    if np.count_nonzero(use) < np.count_nonzero(lower < upper):
        return "TOO_FEW_POINTS", -1
    return "", -1


def _refused(status: str, detail: int, P: int) -> Outcome:
    return Outcome(np.full(P, np.nan), np.nan, status, detail, 0, np.full((P, P), np.nan))


def _scaled_columns(fit: _Fit) -> tuple[Any, Array, Array]:
    """The parameters not at a bound, the lengths of their columns, and R of the unit columns."""
    free = np.flatnonzero((fit.theta > fit.lower) & (fit.theta < fit.upper))
    size = np.sqrt(np.diag(fit.A))[free]
    R = fit.R[:-1, free] / np.where(size > 0, size, 1.0)
    return free, size, merge_rows(np.zeros((0, len(free))), R)


def _needs_orthogonal(fit: _Fit) -> bool:
    """Is J'J too ill-conditioned for a covariance?"""
    if fit.status == "ILL_CONDITIONED":
        return True
    free, size, _ = _scaled_columns(fit)
    if not (size > 0).all():
        return True
    A = fit.A[np.ix_(free, free)] / np.outer(size, size)
    return smallest_pivot(A) <= POOR_PIVOT


def _finish(fit: _Fit, dof: int, absolute_sigma: bool) -> Outcome:
    """The covariance (J'J)^-1 over the parameters that are not at a bound, times chi2 / dof."""
    P = len(fit.theta)
    free, size, R = _scaled_columns(fit)
    factor = 1.0 if absolute_sigma else fit.chi2 / dof if dof > 0 else np.inf
    unidentified = _unidentified(R)
    covariance = np.full((P, P), np.inf)
    if unidentified < 0 and factor < np.inf:
        W = np.linalg.inv(R)
        covariance = np.zeros((P, P))
        covariance[np.ix_(free, free)] = factor * (W @ W.T) / np.outer(size, size)
        variances = np.diag(covariance)[free]
        if factor > 0 and not ((variances >= MIN) & (variances <= MAX)).all():
            return _refused("RANGE", DERIVATIVE, P)
    status, detail = fit.status, -1
    if unidentified >= 0 and status in ("FTOL", "XTOL", "GTOL", "EXACT", "NO_PROGRESS"):
        status, detail = "SINGULAR", int(free[unidentified])
    return Outcome(fit.theta, fit.chi2, status, detail, fit.n_iter, covariance)


def _unidentified(R: Array) -> int:
    """The column whose variance inflation (R'R)^-1_jj is largest and beyond trust, or -1."""
    R = R.copy()
    diagonal = np.diag(R)
    R[np.diag_indices(len(R))] = np.where(np.abs(diagonal) > LOST_COLUMN, diagonal, LOST_COLUMN)
    inflation = np.sum(np.linalg.inv(R) ** 2, axis=1)
    return int(np.argmax(inflation)) if (inflation > TRUSTED**2).any() else -1
