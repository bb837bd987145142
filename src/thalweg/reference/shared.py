"""The specification of fits that share parameters, in plain NumPy: the steps of csrc/fit/shared.h.

M data sets, the members of a group, have S parameters in common and L each for itself.  With the
weighted residual e and Jacobian J of a member, A = J'J and g = J'e, a step of damping lambda solves

    M_m d_m + A_ls d = g_l  for each member,         M_m = A_ll + lambda D_l^2,
    sum_m (A_sl d_m + A_ss d - g_s) + lambda D_s^2 d = 0,

by elimination of the local steps d_m: csrc/fit/arrow.h.  Everything else is as in `judge`, `step`
and `confirm`, with sums over the members: one damping, one region, one verdict on each trial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .arrow import LOST_PIVOT, WEAK_PIVOT, eliminate, pivot
from .parting import MARKS, is_slow, part_with_members, shared_runs_off
from .state import EPS, FIRST_DAMPING, LAST_STEP, LEAST_DAMPING, UNSEEN, Tolerances, early_ftol

Array = np.ndarray[Any, np.dtype[np.float64]]
Evaluate = Callable[[int, Array], Array]  # member, theta (P,) -> [J | e] / sigma, (N, P + 1)

LEVEL = 4500 * EPS  # at a minimum the undamped step promises at most LEVEL chi2
MOST_IDLE, TRUST, MOST_ROUNDS = 64, 4, 60  # see csrc/fit/damped.h, step.h
FAST, RELIEF, WIDER = 0.2, 1e-2, 100.0


class Outcome(NamedTuple):
    """A finished group."""

    params: Array  # (M, P); of a member that has left its own parameters are where it left
    chi2: Array  # (M,), NaN of a member that has left
    status: str  # a name of `thalweg.Status`
    n_iter: int
    covariance: Array  # (M, P, P) of each member's parameters, 0 at a bound


@dataclass
class Group:
    """The state of a group; the arrays of csrc/fit/teams.h under the same names."""

    evaluate: Evaluate
    theta: Array
    shared: list[int]
    lower: Array
    upper: Array
    magnitude: Array  # (M,) sum (y / sigma)^2
    dof_of: Callable[[list[int]], int]  # points less parameters of a group of these members
    stops: Tolerances
    lam: float = FIRST_DAMPING
    delta: float = np.inf
    n_iter: int = 0
    fresh: bool = True
    kept: bool = False
    cut: bool = False
    small: bool = False
    idle: int = 0
    in_vain: int = 0
    above: float = 0.0
    promised: float = 0.0
    length: float = 0.0
    moved: float = 0.0
    resumed: float = np.inf
    unsettled: float = np.inf
    status: str = ""
    sums: Array = field(init=False)  # (M, P + 1, P + 1) [J|e]'[J|e]
    D2: Array = field(init=False)  # (M, P); those of shared parameters are the same for all members
    step: Array = field(init=False)
    held: Any = field(init=False)
    local: list[int] = field(init=False)
    dof: float = field(init=False)
    members: list[int] = field(init=False)  # which data sets they are
    left: dict[int, Array] = field(default_factory=dict)  # where those are that have left
    until_mark: int = field(init=False)
    marks: list[float] = field(default_factory=lambda: [np.inf] * MARKS)

    def __post_init__(self) -> None:
        self.sums = np.zeros((len(self.theta), *2 * (self.theta.shape[1] + 1,)))
        self.D2, self.step = np.zeros((2, *self.theta.shape))
        self.held = np.zeros(self.theta.shape, bool)
        self.members, self.until_mark = list(range(len(self.theta))), self.theta.shape[1] + 1
        self.dof = max(self.dof_of(self.members), 1)
        self.local = [j for j in range(self.theta.shape[1]) if j not in self.shared]

    @property
    def chi2(self) -> float:
        """The sum of chi2 over the members."""
        return float(self.sums[:, -1, -1].sum())

    def noise_of_members(self) -> Array:
        """The rounding noise of each member's chi2."""
        chi2 = self.sums[:, -1, -1]
        return np.asarray(16 * EPS * chi2 + 2 * EPS * np.sqrt(chi2) * np.sqrt(self.size2()))

    def size2(self) -> Array:
        """The square of the size of each member's model before terms in it cancel."""
        own = self.theta**2 * np.diagonal(self.sums, axis1=1, axis2=2)[:, :-1]
        return np.asarray(np.maximum(self.magnitude, own.max(axis=1)))

    @property
    def noise(self) -> float:
        """The rounding noise of chi2."""
        return float(self.noise_of_members().sum())


def fit_group(
    evaluate: Evaluate,
    start: Array,
    shared: Sequence[int],
    magnitude: Array,
    n_used: Array,
    *,
    lower: Array | None = None,
    upper: Array | None = None,
    xtol: float = 1e-9,
    ftol: float = 1e-15,
    gtol: float = 1e-9,
    max_iter: int = 1000,
    absolute_sigma: bool = False,
) -> Outcome:
    """Minimise the sum of chi2 over M members from ``start`` (M, P), in one attempt.

    ``magnitude`` (M,) holds the sums of (y / sigma)^2, ``n_used`` (M,) the numbers of points.
    """
    start, shared = np.array(start, float), list(shared)
    M, P = start.shape
    lower = np.full(P, -np.inf) if lower is None else np.asarray(lower, float)
    upper = np.full(P, np.inf) if upper is None else np.asarray(upper, float)

    def dof_of(members: list[int]) -> int:
        S = len(shared)
        return int(n_used[members].sum() - S - len(members) * (P - S))

    stops = Tolerances(xtol, ftol, gtol, max_iter)
    g = Group(evaluate, start, shared, lower, upper, magnitude, dof_of, stops)
    with np.errstate(all="ignore"):
        while not _round(g):
            pass
        dof = dof_of(g.members)
        factor = 1.0 if absolute_sigma else g.chi2 / dof if dof > 0 else np.inf
        covariance = covariances(g, factor)
    params, chi2 = np.full((M, P), np.nan), np.full(M, np.nan)
    every = np.full((M, P, P), np.nan)
    params[g.members], chi2[g.members], every[g.members] = g.theta, g.sums[:, -1, -1], covariance
    for m, theta in g.left.items():
        params[m], params[m, shared] = theta, g.theta[0, shared]
    return Outcome(params, chi2, g.status, g.n_iter, every)


def _round(g: Group) -> bool:
    """One trial and what follows from it; returns whether the group has stopped."""
    _try(g)
    if g.status in ("", "SLOW") and g.n_iter >= g.stops.max_iter:
        g.status = "MAX_ITER"
        return True
    if not g.status and g.idle > MOST_IDLE:
        g.status = "NO_PROGRESS"
    if not g.status:
        _find_step(g)
        _stop_by_step(g)
    if g.status and not _confirm(g):
        _find_step(g)
    return bool(g.status)


# ---- judging a trial -------------------------------------------------------------------------


def _try(g: Group) -> None:
    """Evaluate the trial, keep or reject it, adapt lambda and delta, look at the tolerances."""
    trial = np.clip(g.theta + g.step, g.lower, g.upper)
    C = np.stack([g.evaluate(m, theta) for m, theta in zip(g.members, trial, strict=True)])
    sums = np.einsum("mni,mnj->mij", C, C)
    before, noise, fresh = g.chi2, g.noise, g.fresh
    fall = 0.0 if fresh else float((g.sums[:, -1, -1] - sums[:, -1, -1]).sum())
    in_noise, above = g.promised <= noise, max(g.above - fall, 0.0)
    g.kept = bool(np.isfinite(sums.trace(axis1=1, axis2=2)).all()) and (
        fresh or fall > 0 or (in_noise and above <= noise)
    )
    if not fresh:
        _adapt(g, float(sums[:, -1, -1].sum()), fall)
        g.n_iter += 1
        g.idle = 0 if g.kept and fall > noise else g.idle + in_noise
    g.fresh = False
    if not g.kept:
        return
    g.theta, g.sums, g.above, g.moved = trial, sums, above, g.length
    squares = np.diagonal(sums, axis1=1, axis2=2)[:, :-1].copy()
    squares[:, g.shared] = squares[:, g.shared].sum(axis=0)
    g.D2 = np.maximum(g.D2, squares)
    if g.chi2 <= 16 * EPS**2 * g.magnitude.sum():
        g.status = "EXACT"
    elif not fresh and g.small:
        g.status = "XTOL"
    elif not fresh and g.promised <= g.stops.ftol * before and fall <= g.stops.ftol * before:
        g.status = "FTOL"
    elif g.idle > MOST_IDLE and g.lam <= 1e-8:
        g.status = "FTOL"
    if not fresh and is_slow(g) and not g.status:
        g.status = "SLOW"


def _adapt(g: Group, trial: float, fall: float) -> None:
    """Set the next damping and the next region from the gain ratio."""
    if not g.kept:
        slope = float((g.step * g.sums[:, -1, :-1]).sum())
        share = slope / (2 * slope - fall) if trial < 100 * g.chi2 else 0.1
        share = 0.5 if g.promised <= g.noise else share
        g.delta = min(max(share, 0.1), 0.5) * g.length
        g.lam *= 2
        return
    rho = fall / g.promised if g.promised > 0 else 0.0
    g.lam *= 0.1 if g.promised <= g.noise else max(0.1, 1 - (2 * rho - 1) ** 3)
    g.lam = max(g.lam, LEAST_DAMPING)
    if rho > 0.25:
        g.delta = max(g.delta, 2 * g.length)


# ---- steps -----------------------------------------------------------------------------------


def _arrow(g: Group) -> tuple[Array, list[int], list[int], Any, Array, Array]:
    return g.sums, g.shared, g.local, g.held, g.step, g.D2


def _hold(g: Group) -> None:
    """Hold the parameters at a bound that descent would push through; their step is 0."""
    descent = g.sums[:, -1, :-1].copy()
    descent[:, g.shared] = descent[:, g.shared].sum(axis=0)
    g.held = ((g.theta <= g.lower) & (descent <= 0)) | ((g.theta >= g.upper) & (descent >= 0))
    g.step = np.zeros_like(g.theta)
    g.cut = False


def _solve(g: Group, lam: float) -> tuple[int, Array, Array]:
    """Set the step of damping lambda; returns a weak shared parameter or -1, and what is promised:
    by the local parameters of each member alone, and by the shared ones."""
    C, r, W, z, own = eliminate(*_arrow(g), lam)
    s = g.shared
    free = [c for c in range(len(s)) if not g.held[0, s[c]]]
    squares = np.diagonal(g.sums, axis1=1, axis2=2)[:, s].sum(axis=0)
    scale = lam * np.where(g.D2[0, s] > 0, g.D2[0, s], 1.0)
    damped = (C + np.diag(scale))[np.ix_(free, free)]
    least = WEAK_PIVOT if lam > 0 else LOST_PIVOT
    weak = next(
        (c for k, c in enumerate(free) if not pivot(damped, k) > least * (squares + scale)[c]), -1
    )
    d = np.zeros(len(s))
    if free and weak < 0:
        d[free] = np.linalg.solve(damped, r[free])
    g.step[:, s] = np.where(g.held[:, s], g.step[:, s], d)
    local = z - np.einsum("mls,s->ml", W, np.where(g.held[0, s], 0, d))
    g.step[:, g.local] = np.where(g.held[:, g.local], g.step[:, g.local], local)
    return weak, own, np.asarray(r[free] @ d[free])


def _clamp(g: Group, places: list[int]) -> bool:
    """Hold each of these parameters whose step leaves the box at the bound that it meets."""
    target = g.theta + g.step
    outside = ((target < g.lower) | (target > g.upper)) & ~g.held
    outside[:, [j for j in range(g.theta.shape[1]) if j not in places]] = False
    bound = np.where(target < g.lower, g.lower, g.upper)
    g.step = np.where(outside, bound - g.theta, g.step)
    g.held |= outside
    g.cut |= bool(outside.any())
    return bool(outside.any())


def _measure(g: Group) -> None:
    """Set what the step promises, its length |D d|, and whether it is small."""
    A, b, d = g.sums[:, :-1, :-1], g.sums[:, -1, :-1], g.step
    gain = np.einsum("mi,mi->m", d, b)
    g.promised = float((2 * gain - np.einsum("mi,mij,mj->m", d, A, d)).sum())
    squares = np.where(g.held, 0, d**2 * np.where(g.D2 > 0, g.D2, 1.0))
    g.length = float(np.sqrt(squares[:, g.local].sum() + squares[0, g.shared].sum()))
    chi2 = np.repeat(g.sums[:, -1, -1:], d.shape[1], axis=1)
    chi2[:, g.shared] = g.chi2
    excess = np.abs(d) - g.stops.xtol * np.abs(g.theta)
    small = (excess <= 0) | (excess * np.sqrt(g.D2) <= g.stops.xtol * np.sqrt(chi2))
    g.small = bool(small.all())


def _find_step(g: Group) -> None:
    """Find the next step, within the box and within the region."""
    _hold(g)
    for rounds in range(10**9):
        if _solve(g, g.lam)[0] >= 0 and g.lam < 1:
            g.lam = max(10 * g.lam, 1e-10)
            continue
        if _clamp(g, g.shared) or _clamp(g, g.local):
            _measure(g)
            continue
        _measure(g)
        if g.length <= 1.1 * g.delta or rounds >= MOST_ROUNDS:
            return
        g.lam = max(g.lam * min(max(g.length / g.delta, 1.5), 10), 1e-10)


def _may_be_unseen(g: Group) -> bool:
    little = max(LAST_STEP * g.chi2 / g.dof, g.noise)
    return g.promised <= little and g.length <= UNSEEN * np.sqrt(g.chi2)


def _stop_by_step(g: Group) -> None:
    """Stop where the gradient or the next step is small enough."""
    whole = not g.cut and g.kept and _may_be_unseen(g)
    fast = g.length <= FAST * g.moved or g.promised <= g.stops.ftol * g.chi2
    if not g.cut and g.promised <= g.stops.gtol**2 * g.chi2:
        g.status = "GTOL"
    elif whole and g.small:
        g.status = "XTOL"
    elif whole and g.promised <= early_ftol(g.stops) * g.chi2 and fast:
        g.status = "FTOL"


# ---- the end ---------------------------------------------------------------------------------


def _confirm(g: Group) -> bool:
    """Whether the undamped step shows a minimum; then it is taken as the last one if it may be."""
    _hold(g)
    weak, own, by_shared = _solve(g, 0.0)
    share = max(LEVEL, 10 * max(g.stops.ftol, g.stops.gtol**2), g.stops.xtol**2)
    little = np.maximum(share * g.sums[:, -1, -1], 1e4 * EPS**2 * g.size2())
    unsettled = own > np.maximum(little, g.noise_of_members())
    level = g.status == "EXACT" or own.sum() + by_shared <= max(share * g.chi2, g.noise)
    if weak < 0 and not (level and not unsettled.any()):
        return _go_on(g, unsettled, float(own[unsettled].sum()))
    if weak >= 0:
        g.status = "SINGULAR"
    elif g.status in ("SLOW", "NO_PROGRESS"):
        g.status = "FTOL"
    if g.status in ("FTOL", "XTOL", "GTOL"):
        _take_last_step(g)
    return True


def _go_on(g: Group, unsettled: Any, promised: float) -> bool:
    """Go on with a group that is not at a minimum; returns whether it stops all the same."""
    slow = g.status == "SLOW"
    if slow and shared_runs_off(g):
        g.status = "DRIFT"
        return True
    if not slow:
        fell = g.chi2 < g.resumed - g.noise or promised < 0.5 * g.unsettled
        g.in_vain = 0 if fell else g.in_vain + 1
        g.resumed, g.unsettled = g.chi2, promised
    vain = g.in_vain > TRUST or g.status == "NO_PROGRESS"
    some = (vain or slow) and part_with_members(g, unsettled, vain)
    if (some and g.status) or (vain and not some):
        g.status = "NO_PROGRESS"
        return True
    if g.n_iter >= g.stops.max_iter:
        g.status = "MAX_ITER"
        return True
    g.status = ""
    if not slow:
        g.lam, g.delta = max(g.lam * RELIEF, LEAST_DAMPING), g.delta * WIDER
    return False


def _take_last_step(g: Group) -> None:
    """Take the undamped step without a trial: chi2 is then what the step leaves of it."""
    cut = _clamp(g, g.shared + g.local)
    _measure(g)
    if cut or not _may_be_unseen(g):
        return
    A, b, d = g.sums[:, :-1, :-1], g.sums[:, -1, :-1], g.step
    promised = 2 * np.einsum("mi,mi->m", d, b) - np.einsum("mi,mij,mj->m", d, A, d)
    g.theta = g.theta + d
    g.sums[:, -1, -1] = np.maximum(g.sums[:, -1, -1] - promised, 0)


def covariances(g: Group, factor: float) -> Array:
    """The covariances of the members' parameters, ``factor`` times blocks of the inverse.

    They are  C^-1  of the shared parameters,  -W C^-1  between local and shared, and
    M^-1 + W C^-1 W'  of the local ones; rows and columns of parameters at a bound are 0.
    """
    s, loc = g.shared, g.local
    g.held = (g.theta <= g.lower) | (g.theta >= g.upper)
    g.step = np.zeros_like(g.theta)
    C, _, W, _, _ = eliminate(*_arrow(g), 0.0)
    V = np.zeros((len(s), len(s)))
    free = [c for c in range(len(s)) if not g.held[0, s[c]]]
    V[np.ix_(free, free)] = np.linalg.inv(C[np.ix_(free, free)])
    out = np.zeros((*g.theta.shape, g.theta.shape[1]))
    for m in range(len(out)):
        at = [j for j in loc if not g.held[m, j]]
        out[m][np.ix_(s, s)] = V
        out[m][np.ix_(loc, s)] = -W[m] @ V
        out[m][np.ix_(s, loc)] = out[m][np.ix_(loc, s)].T
        out[m][np.ix_(loc, loc)] = W[m] @ V @ W[m].T
        out[m][np.ix_(at, at)] += np.linalg.inv(g.sums[m][np.ix_(at, at)])
    return np.asarray(factor * out)
