"""Further attempts, where the first failed or missed the global minimum (csrc/fit/attempts.h).

The second attempt is a projected one (Golub and Pereyra): before every trial the parameters in
which f is linear, together, are put at their best, so that the search is in the others alone.  It
has a region whose radius is adapted as More's (1978), and geodesic acceleration (Transtrum and
Sethna).  It starts at the best of 16 points around the start, or of 16 more beyond infinity if the
first attempt failed far from its start.  The third attempt goes on as the first does, from the
lowest point found so far; it is left out if two attempts have run off to the same chi2.
"""

from __future__ import annotations

import numpy as np

from .confirm import (
    NO_EFFECT,
    SLACK,
    SLOW_RUN_OFF,
    columns_of,
    inflated,
    is_minimum,
    lost_effect,
    most_inflation,
    newton_step,
)
from .judge import SLOW_FALL, attempt, judge, settle, stop_if_run_off
from .saddle import may_leave, refuse_saddle, size_of_effect
from .state import (
    EPS,
    LOST_COLUMN,
    SUCCESSES,
    Array,
    Fit,
    Problem,
    merge_rows,
    noise_of_chi2,
)
from .step import advance, find_step, solve_damped

PROBES = 16
BEATEN = 1e-6  # a fit is beaten by a proved chi2 that is lower by this share
SAME = 1e-9  # chi2 of two attempts that differ by less than this share count as equal
FAR_OFF = 100  # a parameter at more than FAR_OFF times its start may have run off
FIRST_REGION = 0.1  # the first radius of the region is FIRST_REGION |D theta|
SMALLEST_REGION = 0.01 * EPS  # a radius up to SMALLEST_REGION |D theta| allows no step any more
MOST_BEND = 0.75  # a step that is tried has 2 |D a| <= MOST_BEND |D d|
MOST_NEWTON = 20  # Newton steps before the third attempt
MOST_BENDS = 20  # a step is halved at most MOST_BENDS times for bending too much
PRIMES = 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53


def limit_of_attempt(problem: Problem, number: int) -> int:
    """The number of trials after which an attempt ends, counted from the start of the fit.

    It is an eighth of max_iter for the first attempt, half of it for the second and all for the
    third; but never less than what the default max_iter, 200 (P + 1), would give.
    """
    max_iter = problem.stops.max_iter
    if number > 2:
        return max_iter
    share, least = ((8, 25), (2, 100))[number - 1]
    return min(max_iter, max(max_iter // share, least * (problem.n_params + 1)))


def status_of(fit: Fit) -> str:
    """The status of a finished attempt; SINGULAR if the data do not determine a parameter."""
    if fit.status in (*SUCCESSES, "EXACT", "NO_PROGRESS", "MAX_ITER"):
        if inflated(columns_of(fit).R, most_inflation(fit)) >= 0:
            return "SINGULAR"
    return fit.status


def needs_another(fit: Fit, proved: float) -> bool:
    """Whether another attempt may do better: after a failure, or if a lower chi2 is ``proved``.

    A success may be higher than its own minimum by as much as its tolerances allow; a chi2 lower by
    no more than that proves nothing.
    """
    if fit.status == "MAX_ITER":
        return True
    status = status_of(fit)
    if status in (*SUCCESSES, "EXACT", "SINGULAR"):
        share = max(BEATEN, SLACK * fit.problem.stops.ftol)
        return proved < (fit.chi2 - fit.untaken) * (1 - share) - noise_of_chi2(fit)
    return status in ("NO_PROGRESS", "DRIFT")


def better(one: Fit, other: Fit) -> Fit:
    """The attempt of lower chi2; of two with the same chi2 a success, or else the first."""
    if abs(one.chi2 - other.chi2) <= SAME * max(one.chi2, other.chi2):
        succeeded = status_of(other) in (*SUCCESSES, "EXACT")
        return other if succeeded and status_of(one) not in (*SUCCESSES, "EXACT") else one
    return one if one.chi2 <= other.chi2 else other


def run_off_alike(one: Fit, other: Fit) -> bool:
    """Whether two attempts have run off to the same chi2: then a third would as well."""
    same = abs(one.chi2 - other.chi2) <= SLOW_FALL * one.chi2 / max(one.problem.dof, 1)
    return one.status == other.status == "DRIFT" and same


def go_on(first: Fit, start: Array, most: int) -> tuple[Fit, int]:
    """Return the best of up to ``most`` attempts, 1 or 3, and how many there were."""
    problem, best, proved = first.problem, first, first.proved
    max_iter = problem.stops.max_iter
    others = most > 1 and first.n_iter < max_iter
    if others:
        reconsider(first)
    refuse_saddle(first, start)
    leaves = others and status_of(first) == "SINGULAR" and may_leave(first, start)
    sizes = np.array([0.0 if value else size_of_effect(first, j) for j, value in enumerate(start)])
    taken, n_iter = 1, first.n_iter
    for number in range(2, most + 1):
        succeeded = status_of(best) in (*SUCCESSES, "EXACT")
        more = leaves or needs_another(best, proved)
        if n_iter >= max_iter or not more or (number == 3 and succeeded):
            break
        limit = limit_of_attempt(problem, number)
        if number == 2 and len(problem.linear) == len(start):
            taken = number  # nothing is left to search in
            continue
        if number == 2:
            fit = projected_attempt(problem, start, sizes, limit, first)
        else:
            begin, n_iter = newton_descent(best, n_iter)
            fit = attempt(problem, begin, limit, n_iter=n_iter, orthogonal=True, last=True)
        reconsider(fit)
        refuse_saddle(fit, start)
        taken, n_iter = number, fit.n_iter
        proved = min(proved, fit.proved)
        alike = run_off_alike(best, fit)
        if fit.status != "NOT_FINITE":
            best = better(best, fit)
        if alike:
            break
    best.n_iter = n_iter
    return best, taken


def reconsider(fit: Fit) -> None:
    """Let second derivatives decide whether a failure is a success after all.

    That may be a success in doubt; or the drift of a parameter whose column of J vanishes, if the
    model bends in it, as in a where f depends on a^2 and a is 0.
    """
    if fit.problem.curvature is None:
        return
    if fit.status == "NO_PROGRESS" and fit.doubt and is_minimum(fit):
        fit.status = fit.doubt
    elif fit.status == "DRIFT" and bends_in(fit, fit.lost) and is_minimum(fit, fit.lost):
        fit.status, fit.lost = "FTOL", -1


def bends_in(fit: Fit, j: int) -> bool:
    """Whether the second derivative alone changes f as parameter j moves by its own size.

    A parameter that is 0 and started at 0 has no size; then any second derivative but 0 will do.
    """
    if lost_effect(fit, SLOW_RUN_OFF) != j:
        return False  # parameter j runs off together with others
    assert fit.problem.curvature is not None
    direction = np.zeros(len(fit.theta))
    size = max(abs(fit.theta[j]), abs(fit.start[j]))
    direction[j] = size or 1.0
    change = fit.problem.curvature(fit.theta, direction) / 2
    return bool(change @ change > (NO_EFFECT**2 * fit.chi2 if size else 0))


def newton_descent(best: Fit, n_iter: int) -> tuple[Array, int]:
    """Return where some Newton steps lead from a fit that was merely slow, and the trials so far.

    Where the residuals at the minimum are large, steps by J'J alone converge slowly, if at all.
    """
    problem, limit = best.problem, best.problem.stops.max_iter
    if problem.curvature is None or best.status not in ("MAX_ITER", "NO_PROGRESS"):
        return best.theta, n_iter
    fit = Fit(problem, best.theta, limit, n_iter, orthogonal=True)
    fit.sums, fit.R = best.sums, best.R
    for _ in range(MOST_NEWTON):
        newton = newton_step(fit)
        if newton is None or fit.n_iter >= limit or newton[1] <= noise_of_chi2(fit):
            break
        trial = fit.theta + newton[0]
        if not ((trial >= problem.lower) & (trial <= problem.upper)).all():
            break
        C = problem.evaluate(trial)
        fit.n_iter += 1
        if not problem.chi2_of(trial, C) < fit.chi2:
            break
        fit.theta, fit.sums = trial, problem.sums_of(trial, C)
        fit.R = merge_rows(np.zeros((0, C.shape[1])), C)
    return fit.theta, fit.n_iter


# ---- the projected attempt -------------------------------------------------------------------


def projected(problem: Problem, theta: Array) -> Array:
    """theta with the linear parameters at their best; unchanged where columns are lost."""
    linear = problem.linear
    if not len(linear):
        return theta
    C = problem.evaluate(theta)[:, [*linear, -1]]
    size = np.linalg.norm(C[:, :-1], axis=0)
    if not np.isfinite(C).all() or not (size > 0).all():
        return theta
    R = merge_rows(np.zeros((0, C.shape[1])), C / np.append(size, 1.0))
    if not (np.abs(np.diag(R)[:-1]) > 1e-12).all():
        return theta
    best = theta.copy()
    best[linear] += np.linalg.solve(R[:-1, :-1], R[:-1, -1]) / size
    return best


def halton(k: int, base: int) -> float:
    """The digits of k in this base, mirrored at the point: in (0, 1), evenly spread over k."""
    value, unit = 0.0, 1.0
    while k:
        unit /= base
        value += unit * (k % base)
        k //= base
    return value


def probe(problem: Problem, start: Array, sizes: Array, first: Fit) -> tuple[Array, int]:
    """The lowest of 16 points with nonlinear parameters within a factor of 10 of the start.

    A parameter that starts at 0 is probed on both sides, as far as ``sizes`` says.  If the first
    attempt has run off, and has come lower than all these points, 16 more beyond infinity are
    looked at.  Returns the point and how many were looked at.
    """
    chi2, best = lowest_probe(problem, start, sizes, -1)
    crossed = farthest(first, start)
    if crossed < 0 or chi2 < first.chi2:
        return best, PROBES
    beyond, other = lowest_probe(problem, start, sizes, crossed)
    return (other if beyond < chi2 else best), 2 * PROBES


def lowest_probe(problem: Problem, start: Array, sizes: Array, crossed: int) -> tuple[float, Array]:
    """The least chi2 of 16 probes and its place; parameter ``crossed`` lies beyond infinity."""
    nonlinear = np.setdiff1d(np.arange(len(start)), problem.linear)
    lowest, best = np.inf, start
    for k in range(1, PROBES + 1):
        theta = start.copy()
        theta[problem.linear] = 0  # they need no start, which may be too large beside y
        for i, j in enumerate(nonlinear):
            exponent = 2 * halton(k, PRIMES[i % len(PRIMES)])
            factor = -(10**exponent) if j == crossed else 10 ** (exponent - 1)
            beside = sizes[j] * factor * (1 if k % 2 else -1)
            beside *= 1 if problem.lower[j] <= beside <= problem.upper[j] else -1
            theta[j] = beside if theta[j] == 0 else theta[j] * factor
        theta = projected(problem, np.clip(theta, problem.lower, problem.upper))
        chi2 = problem.chi2_of(theta, problem.evaluate(theta))
        if chi2 < lowest:
            lowest, best = chi2, theta
    return lowest, best


def farthest(first: Fit, start: Array) -> int:
    """The unbounded nonlinear parameter that has gone farthest in an attempt that failed, or -1.

    It has run off, or was still on its way when the attempt ended.  If it is the tau of a decay, f
    depends on 1/tau: data that want a slower decay than any tau gives want 1/tau below 0, which is
    a growth.
    """
    ratio = np.abs(first.theta / start)
    ratio[start == 0] = 0
    ratio[first.problem.linear] = 0
    ratio[np.isfinite(first.problem.lower) | np.isfinite(first.problem.upper)] = 0
    ratio[~(ratio > FAR_OFF)] = 0
    failed = status_of(first) not in (*SUCCESSES, "EXACT")
    return int(np.argmax(ratio)) if failed and ratio.any() else -1


def projected_attempt(problem: Problem, start: Array, sizes: Array, limit: int, first: Fit) -> Fit:
    """Run the second attempt, whose trials have their linear parameters at their best."""
    point, n_probes = probe(problem, start, sizes, first)
    begin, n_iter = projected(problem, point), min(first.n_iter + n_probes, limit)
    fit = Fit(problem, begin, limit, n_iter, orthogonal=True, projecting=True)
    while not fit.status:
        C = problem.evaluate(fit.trial)
        R = merge_rows(np.zeros((0, C.shape[1])), C)
        sums = problem.sums_of(fit.trial, R)
        fresh, before = fit.fresh, fit.chi2
        judge(fit, sums, R)
        if fresh:
            size = fit.length_of(fit.theta)
            fit.delta = FIRST_REGION * size if size > 0 else float(np.sqrt(fit.chi2))
        else:
            stop_if_run_off(fit, before)
            exhausted = SMALLEST_REGION * float(np.linalg.norm(fit.theta * np.sqrt(fit.D2)))
            fit.stop(fit.delta <= exhausted, "NO_PROGRESS")
        if fit.status in ("", "SLOW", *SUCCESSES):
            advance(fit)
            fit.delta = min(fit.delta, fit.length) if fresh else fit.delta
            bend(fit)
            fit.trial = projected(problem, fit.trial)
        settle(fit)
    return fit


def bend(fit: Fit) -> None:
    """Follow the bend of the path to second order; shorten the step where it bends too much."""
    problem = fit.problem
    if problem.curvature is None or fit.promised <= fit.noise:
        return
    for _ in range(MOST_BENDS):
        w = problem.curvature(fit.theta, fit.step)
        J = problem.evaluate(fit.theta)[:, :-1]
        if not np.isfinite(w).all():
            return
        a, free = np.zeros_like(fit.step), ~fit.held
        a[free] = -solve_damped(fit, (J.T @ w)[free])
        counts = fit.damped & free
        bends = 2 * float(np.linalg.norm((fit.scale * a)[counts]))
        if bends <= MOST_BEND * fit.length:
            trial = fit.trial + a / 2
            fit.trial = np.clip(trial, problem.lower, problem.upper)
            return
        fit.delta = fit.length / 2
        fit.lam = LOST_COLUMN**2
        find_step(fit)
        fit.trial = fit.theta + fit.step
