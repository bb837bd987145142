"""One attempt of a fit: trials, and how they are judged (csrc/fit/damped.h)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .confirm import (
    MOST_IDLE,
    RUN_OFF,
    confirm,
    give_up,
    is_poor,
    look_for_drift,
    lost_effect,
)
from .squares import out_of_range
from .state import (
    EPS,
    LEAST_DAMPING,
    LOST_COLUMN,
    MAX,
    SUCCESSES,
    Array,
    Fit,
    Problem,
    certify,
    merge_rows,
    noise_of_chi2,
)
from .step import advance, best_linear, is_small

UNDAMPED = 1e-8  # a lambda up to UNDAMPED changes a step by less than its errors
SLOW_FALL = 1e-3  # a fit is slow if chi2 falls by less than SLOW_FALL chi2 / dof over its marks
REGION_SLOW_FALL = 1e-4  # the same in the second attempt
LAST_SLOW_FALL = 1e-6  # the same in the last attempt
FAR = 0.1  # a robust fit is far from its minimum if a step promises more of its losses
NEAR, THERE = 0.03, 1e-7  # with Cauchy's loss it is near if a step promises a share between these


def attempt(problem: Problem, start: Array, limit: int, **state: Any) -> Fit:
    """Run one attempt; the orthogonal mode takes over if J'J is too ill-conditioned."""
    fit = run(Fit(problem, start, limit, **state))
    if fit.status not in ("NOT_FINITE", "RANGE", "DRIFT") and not fit.orthogonal and is_poor(fit):
        taken_over = Fit(problem, fit.theta, limit, fit.n_iter, orthogonal=True, last=fit.last)
        taken_over.lam, taken_over.proved = fit.lam, fit.proved
        taken_over.largest2 = fit.largest2
        fit = run(taken_over)
    return fit


def run(fit: Fit) -> Fit:
    """Evaluate trials until the fit stops."""
    while not fit.status:
        rough = fit.leads  # until a fit would have ended for the first time
        coarse, true = is_far(fit), is_near(fit)
        sums, R = fit.problem.near(fit.trial) if true else evaluate(fit, coarse)  # type: ignore[misc]
        judge(fit, sums, R, coarse, true)
        fit.rough = rough if fit.kept else fit.rough
        if fit.renews and not fit.kept:  # J is not finite, so the rough one is all there is
            fit.status, fit.rough = "NO_PROGRESS", False
        fit.stop(fit.renews, fit.pending)
        fit.renews, judged = False, fit.status
        best = best_linear(fit) if fit.eliminates and not fit.status else None
        if fit.status in ("", "SLOW", *SUCCESSES):
            advance(fit)
        fit.eliminates = False
        if best is not None and not fit.status:
            fit = Fit(fit.problem, best, fit.limit, last=fit.last)
        if fit.status and fit.rough and fit.status not in ("NOT_FINITE", "RANGE"):
            renew(fit, judged)
        else:
            settle(fit)
    return fit


def evaluate(fit: Fit, coarse: bool) -> tuple[Array, Array]:
    """The sums at the trial, and the triangle of its rows."""
    problem, steep = fit.problem, fit.orthogonal or fit.delta < np.inf
    gentle = None if steep else problem.gentle
    rows = problem.lead if fit.leads else problem.far if coarse else gentle
    C = (rows or problem.evaluate)(fit.trial)
    R = merge_rows(np.zeros((0, C.shape[1])), C)
    return fit.problem.sums_of(fit.trial, R if fit.orthogonal else C), R


def renew(fit: Fit, judged: str) -> None:
    """Let a fit that has stopped although J is rough have J evaluated at theta before it settles.

    The next trial is theta, judged as a start is.  What `judge` said of the last trial waits until
    then; but that a step was small says nothing where a rough J had made it.  Theta is the place of
    the smallest chi2, for none of the sums that are remembered may be rough.
    """
    if fit.best_chi2 < fit.chi2:
        fit.theta, fit.sums, fit.R = fit.best
    fit.best_chi2 = np.inf
    small = judged in SUCCESSES and fit.idle <= MOST_IDLE
    fit.leads, fit.renews, fit.pending = False, True, "" if small else judged
    fit.status, fit.fresh = "", True
    fit.trial, fit.step = fit.theta, fit.moved


def settle(fit: Fit) -> None:
    """Settle why a fit has stopped, or let it go on."""
    return_to_best(fit)
    confirm(fit)
    if fit.status != "ILL_CONDITIONED":
        look_for_drift(fit)
    return_to_best(fit)


def is_far(fit: Fit) -> bool:
    """Whether a robust fit is far from its minimum: the step to the trial promises much."""
    much = fit.fresh or fit.promised > FAR * fit.chi2
    return fit.problem.far is not None and not fit.orthogonal and much


def is_near(fit: Fit) -> bool:
    """Whether a fit with Cauchy's loss is near its minimum, but not yet at it.

    A fit may end as slow where a mark is overdue, and so not with these sums.
    """
    if fit.problem.near is None or fit.orthogonal or fit.fresh or fit.until_mark <= 0:
        return False
    return max(THERE * fit.chi2, fit.noise) < fit.promised <= NEAR * fit.chi2


def judge(fit: Fit, sums: Array, R: Array, coarse: bool = False, true: bool = False) -> None:
    """Keep or reject the trial, adapt lambda and delta, and stop where a tolerance is met.

    ``coarse`` says that the sums are those far from a minimum, ``true`` that they hold the second
    derivatives of losses.  Neither may end a fit: steps from the first are short, and say nothing
    of how near it is; and neither gives its error bars.
    """
    stops, before, trial = fit.problem.stops, fit.chi2, float(sums[-1, -1])
    fresh, promised, noise = fit.fresh, fit.promised, fit.noise
    finite = bool(np.isfinite(np.trace(sums)))
    actual, in_noise = before - trial, promised <= noise
    rho = actual / promised if promised > 0 else 0.0
    level = trial <= fit.best_chi2 + fit.best_noise
    moved = not fresh and finite and (actual > 0 or (in_noise and level))
    if not fresh:
        adapt_region(fit, moved, rho, actual, trial, in_noise)
        adapt_damping(fit, moved, rho, in_noise)
        fit.n_iter += 1
    fit.kept = moved or (fresh and finite)
    if fit.kept:
        keep_trial(fit, sums, R)
        fit.coarse, fit.true = coarse or true, true
    if not fresh:
        fit.idle = 0 if moved and actual > noise else fit.idle + int(in_noise)
    fit.fresh, fit.doubt = False, ""

    little = stops.ftol * before
    fit.stop(fresh and not finite, "NOT_FINITE")
    if fresh and fit.n_iter == 0:
        fit.stop(out_of_range(sums, fit.problem.magnitude, fit.theta) >= 0, "RANGE")
    fit.stop(fit.kept and fit.chi2 <= 16 * EPS**2 * fit.problem.magnitude, "EXACT")
    fine = moved and not fit.coarse
    fit.stop(fine and not fit.asked and is_small(fit), "XTOL")
    fit.stop(fine and promised <= little and actual <= little, "FTOL")
    settled = fit.idle > MOST_IDLE and fit.lam <= UNDAMPED
    fit.stop(fine and in_noise and settled, "FTOL")  # undamped steps wander within the noise
    if moved:
        look_back(fit)
    if finite:
        certify(fit, sums)
    give_up(fit)


def keep_trial(fit: Fit, sums: Array, R: Array) -> None:
    """Take the trial as the new theta; remember the place of the smallest chi2."""
    squares = np.diag(sums)[:-1]
    fit.theta, fit.sums, fit.R, fit.moved = fit.trial, sums, R, fit.step
    fit.largest2 = np.maximum(fit.largest2, squares)
    fit.D2 = squares if fit.projecting else np.maximum(fit.D2, squares)
    fit.noise = noise_of_chi2(fit)
    if fit.chi2 <= fit.best_chi2:
        fit.best_chi2, fit.best_noise = fit.chi2, fit.noise
        fit.best = fit.theta, fit.sums, fit.R


def return_to_best(fit: Fit) -> None:
    """Put a fit that has failed back to the theta of its smallest chi2."""
    if fit.status in ("MAX_ITER", "NO_PROGRESS", "DRIFT") and fit.best_chi2 < fit.chi2:
        fit.theta, fit.sums, fit.R = fit.best


def shortening(fit: Fit, actual: float, trial: float, in_noise: bool) -> float:
    """The factor by which a rejected step is to be shortened, between 1/10 and 1/2.

    It is where the parabola through chi2, its slope -2 d'J'e along d, and the chi2 of the trial has
    its minimum.
    """
    if in_noise:
        return 0.5
    if not np.isfinite(trial) or trial >= 100 * fit.chi2:
        return 0.1
    slope = float(fit.step @ fit.g)
    t = np.float64(slope) / (2 * slope - actual)
    return float(min(max(t, 0.1), 0.5)) if t > 0.1 else 0.1


def adapt_region(
    fit: Fit, moved: bool, rho: float, actual: float, trial: float, in_noise: bool
) -> None:
    """Set the next radius of the region, before `keep_trial` changes D, the units of the step."""
    length = fit.length
    if fit.projecting:  # the region limits every step: More 1978, section 7
        if not rho > 0.25:
            t = 0.5 if actual > 0 else shortening(fit, actual, trial, in_noise)
            fit.delta = t * min(fit.delta, 10 * length)
        elif fit.lam <= LOST_COLUMN**2 or rho >= 0.75:
            fit.delta = 2 * length
    elif not moved:
        fit.delta = shortening(fit, actual, trial, in_noise) * length
    elif rho > 0.25:
        fit.delta = max(fit.delta, 2 * length)


def adapt_damping(fit: Fit, moved: bool, rho: float, in_noise: bool) -> None:
    """Set the next damping from the gain ratio rho of the trial (Nielsen)."""
    if moved:
        factor = 0.1 if in_noise else max(0.1, 1 - (2 * rho - 1) ** 3)
        fit.lam = max(fit.lam * factor, LEAST_DAMPING)
    else:
        fit.lam = min(2 * fit.lam, MAX / 4)


def stop_if_run_off(fit: Fit, before: float) -> None:
    """Stop as SLOW if a column has vanished and the last kept trial has hardly lowered chi2."""
    little = before - fit.chi2 < slow_fall(fit)
    fit.stop(fit.kept and little and lost_effect(fit, RUN_OFF) >= 0, "SLOW")


def slow_fall(fit: Fit) -> float:
    """The fall of chi2 below which a fit is slow."""
    share = LAST_SLOW_FALL if fit.last else REGION_SLOW_FALL if fit.projecting else SLOW_FALL
    return share * fit.chi2 / max(fit.problem.dof, 1)


def look_back(fit: Fit) -> None:
    """Mark chi2 after every F + 1 kept trials; stop as SLOW if it hardly fell over the marks.

    The mark waits for the next trial if the sums of this one may not end a fit.
    """
    fit.until_mark -= 1
    if fit.until_mark > 0 or fit.true:
        return
    fit.stop(fit.marks[-1] - fit.chi2 < slow_fall(fit), "SLOW")
    fit.marks = [fit.chi2, *fit.marks[:-1]]
    fit.until_mark = len(fit.theta) + 1
