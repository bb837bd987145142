r"""Profile likelihood: the interval of a parameter from fits in which it is held.

With q(v) the least chi2 over all other parameters when theta_j = v, and s^2 and the quantile z as
`thalweg.fitting.likelihood` has them, the signed root

    zeta(v) = sign(v - theta_j) sqrt((q(v) - chi2) / s^2)

is a straight line (v - theta_j) / stderr for a model that is linear in its parameters.  The limits
are where zeta = -z and z.  They are searched for all fits at once, each side of each fit by the
Illinois rule of false position on zeta, from theta_j -+ z stderr; every evaluation is a fit of the
other parameters, which starts where the last one of its search ended.

References: D. M. Bates, D. G. Watts, "Nonlinear regression analysis and its applications", 1988,
chapter 6; M. Dowell, P. Jarratt, "A modified regula falsi method", BIT 11, 1971.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import (
    Array,
    Floats,
    Integers,
    PerFit,
    count,
    name_index,
    place_of,
    thread_limit,
)
from .likelihood import for_refits, level_of, quantile, variance_factor
from .problem import Problem
from .refits import keeping, parts, repeated, run_again

if TYPE_CHECKING:
    from .result import FitResult

_ROUNDS = 60  # the most evaluations of a limit; usually 3 to 6 are needed
# A trial that is too near is followed by one 1.05 / zeta times as far, which leads just beyond the
# limit of a linear model.  A profile that bends to a level below never gets there, so the k-th such
# trial goes at least 1.1 * 1.5^k times as far, and at most 30 times.
_BEYOND, _LEAST_GROWTH, _ACCELERATION, _MOST_GROWTH = 1.05, 1.1, 1.5, 30.0
_FARTHEST = 1e8  # a limit is infinite if zeta < z at so many times |theta| + stderr
_CLOSE = {8: 1e-5, 4: 3e-3}  # how near zeta / z must be to 1, by the size of a number in bytes
# A chi2 below that of the result by this share of s^2 is a lower minimum; less is rounding.
_LOWER = {8: 1e-4, 4: 3e-2}


class Limit(IntEnum):
    """What a limit of a profile is; 0 or a negative one is NaN, and says why there is none.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> p = r.profile("tau")
    >>> tw.Limit(int(p.lower_status))
    <Limit.FOUND: 1>
    """

    FOUND = 1
    BOUND = 2
    INFINITE = 3
    NOT_RUN = 0
    NO_FIT = -1
    HELD = -2
    REFITS_FAILED = -3
    LOWER_MINIMUM = -4
    NO_FREEDOM = -5


WORDS = {
    Limit.FOUND: "the profile crosses the level here",
    Limit.BOUND: "the parameter reaches its bound before the profile reaches the level",
    Limit.INFINITE: "the profile does not reach the level, however far the parameter goes",
    Limit.NOT_RUN: "the search was interrupted before it came here",
    Limit.NO_FIT: "the fit itself did not succeed",
    Limit.HELD: "the parameter is fixed in this fit",
    Limit.REFITS_FAILED: "fits with the parameter held failed before the level was reached",
    Limit.LOWER_MINIMUM: "a fit with the parameter held found a lower chi2 than that of the result",
    Limit.NO_FREEDOM: "the scale of the errors is unknown and no degree of freedom is left, or "
    "chi2 is 0",
}


@dataclass(frozen=True, eq=False)
class Profile:
    """Profile likelihood of one parameter, from `FitResult.profile`; (...) is the batch's shape.

    Attributes
    ----------
    name : str
        The parameter.
    level : float
        The level of confidence.
    estimate : ndarray, shape (...)
        Its value in the result.
    lower, upper : ndarray, shape (...)
        The limits; -inf or inf where the profile never reaches the level, NaN where none is known.
    lower_status, upper_status : ndarray of int8, shape (...)
        A `Limit` for each, see `reason`.
    values : ndarray, shape (..., points)
        Values of the parameter, evenly spaced from one limit to the other; where a limit is not
        finite they reach 3 standard errors to that side.
    chi2 : ndarray, shape (..., points)
        The least chi2 over the other parameters at these values; NaN where the fit failed.
    scale : ndarray, shape (...)
        s^2: 1 with absolute sigma, else chi2 / dof.
    minimum : ndarray, shape (...)
        chi2 of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> p = r.profile("tau")
    >>> bool(p.lower < p.estimate < p.upper)
    True
    """

    name: str
    level: float
    estimate: Floats
    lower: Floats
    upper: Floats
    lower_status: Integers
    upper_status: Integers
    values: Floats
    chi2: Floats
    scale: Floats = field(repr=False)
    minimum: Floats = field(repr=False)

    @property
    def interval(self) -> Floats:
        """The limits together, shape (..., 2)."""
        return np.stack([self.lower, self.upper], axis=-1)

    @property
    def zeta(self) -> Floats:
        """The signed root sign(v - theta) sqrt((chi2(v) - chi2) / s^2), shape (..., points).

        Between the limits it goes from -z to z, in a straight line where the model is linear.
        """
        gain = (self.chi2 - self.minimum[..., None]) / self.scale[..., None]
        sign = np.sign(self.values - self.estimate[..., None])
        return np.asarray(sign * np.sqrt(np.maximum(gain, 0)))

    def reason(self, *index: int) -> tuple[str, str]:
        """Return in words what the lower and the upper limit of a fit are."""
        if len(index) != self.lower.ndim:
            raise IndexError(
                f"limits of shape {self.lower.shape} need an index of {self.lower.ndim} numbers"
            )
        at = place_of(index, self.lower.shape)
        statuses = self.lower_status[at], self.upper_status[at]
        return WORDS[Limit(int(statuses[0]))], WORDS[Limit(int(statuses[1]))]

    def __repr__(self) -> str:
        head = f"<Profile of {self.name} at {100 * self.level:g} %"
        if not self.lower.ndim:
            return f"{head}: {self.estimate:.6g}, from {self.lower:.6g} to {self.upper:.6g}>"
        both = (self.lower_status > 0) & (self.upper_status > 0)
        return f"{head}: {self.lower.size} fits, {np.count_nonzero(both)} with both limits>"


def profile(result: FitResult, name: str, level: Any, points: Any, threads: Any) -> Profile:
    """Return the profile of a parameter for every fit; see `FitResult.profile`."""
    for_refits(result, "profile", ("normal", "poisson"))
    level, j = level_of(level), _place(result, name)
    n_threads, n_points = thread_limit(threads), count(points, "points", 0, 10_000)
    n, dtype = result.chi2.size, result.params.dtype
    limits, status = np.full((2, n), np.nan), np.full((2, n), Limit.NOT_RUN, np.int8)
    values, chi2 = np.full((n, n_points), np.nan, dtype), np.full((n, n_points), np.nan)
    batch = result.chi2.shape

    def found() -> Profile:
        return Profile(
            name,
            level,
            result.params[..., j].copy(),
            lower=limits[0].reshape(batch).astype(dtype),
            upper=limits[1].reshape(batch).astype(dtype),
            lower_status=status[0].reshape(batch),
            upper_status=status[1].reshape(batch),
            values=values.reshape((*batch, n_points)),
            chi2=chi2.reshape((*batch, n_points)),
            scale=variance_factor(result),
            minimum=result.chi2.astype(np.float64),
        )

    row = 2 * (result.problem.data.n_points + len(result.names))
    with keeping(found):
        for places in parts(n, row):
            search = _Search(result, places, j, level, n_threads)
            limits[:, places], status[:, places] = search.limits()
        for places in parts(n, row * n_points):
            values[places] = _grid(result, places, j, limits[:, places], n_points)
            chi2[places] = _on_grid(result, places, j, values[places], n_threads)
    return found()


def _place(result: FitResult, name: str) -> int:
    """The place of a parameter that can be held at other values."""
    j = name_index(name, result.names, "profile")
    if name in result.tied:
        raise ValueError(
            f"{name} is tied to {result.tied[name]!r}: it follows from other parameters and cannot "
            "be held; take the profile of one that it depends on"
        )
    if j not in result.problem.free:
        raise ValueError(f"{name} is fixed: it has no profile")
    return j


def _held(problem: Problem, j: int, values: Array) -> Problem:
    """The problem with parameter j held at these values, one for each fit."""
    start = problem.start.array.copy()
    start[:, j] = values
    free = tuple(k for k in problem.free if k != j)
    return problem._replace(start=PerFit(start, 1), free=free)


class _Search:
    """The search for both limits of some fits: arrays have a row for each side of each fit.

    In units of z, zeta is scaled so that it is to become 1.  For each search ``near`` and ``far``
    are values between which the limit lies, with zeta there; ``far`` is NaN until it is known.
    """

    def __init__(
        self, result: FitResult, places: Array, j: int, level: float, threads: int
    ) -> None:
        n, dtype = places.size, result.params.dtype
        self.j, self.threads, self.n = j, threads, n
        self.fits = np.tile(places, 2)
        self.problem = repeated(result, self.fits)
        self.sign = np.repeat([-1.0, 1.0], n)

        def of(values: Array) -> Array:
            return np.asarray(values.reshape(-1)[self.fits], np.float64)

        self.estimate = of(result.params[..., j])
        self.chi2, self.scale = of(result.chi2), of(variance_factor(result))
        self.z, self.close = of(quantile(result, level)), _CLOSE[dtype.itemsize]
        self.low = _LOWER[dtype.itemsize]
        self.bound = self._bounds()
        self.status = np.zeros(2 * n, np.int8)
        self.status[~(self.scale > 0) | ~np.isfinite(self.z)] = Limit.NO_FREEDOM
        if (fixed := self.problem.fixed) is not None:
            self.status[fixed[:, j] != 0] = Limit.HELD
        self.status[~of(result.success).astype(bool)] = Limit.NO_FIT
        stderr = of(result.stderr[..., j])
        usable = (stderr > 0) & np.isfinite(stderr)
        rough = 1e-3 * np.maximum(np.abs(self.estimate), 1e-3)
        self.step = np.where(usable, self.z * stderr, rough)
        self.limit = np.full(2 * n, np.nan)
        self.near, self.near_zeta = self.estimate.copy(), np.zeros(2 * n)
        self.far, self.far_zeta = np.full((2, 2 * n), np.nan)
        self.last_side = np.zeros(2 * n, np.int8)
        self.outwards = np.zeros(2 * n)  # how many trials were too near while no far end was known
        self._at_bound()

    def _bounds(self) -> Array:
        """The bound to the side of each search."""
        sides = [
            np.broadcast_to(row.array[..., self.j], self.fits.shape)
            for row in (self.problem.lower, self.problem.upper)
        ]
        return np.asarray(np.where(self.sign < 0, *sides), np.float64)

    def _at_bound(self) -> None:
        """End the searches that begin at the bound."""
        there = (self.status == 0) & ((self.bound - self.estimate) * self.sign <= 0)
        self.status[there], self.limit[there] = Limit.BOUND, self.bound[there]

    def limits(self) -> tuple[Array, Array]:
        """Return the limits and their statuses, each (2, n)."""
        trial = self.estimate + self.sign * self.step
        for _ in range(_ROUNDS):
            at = np.flatnonzero(self.status == 0)
            if not at.size:
                break
            trial[at] = self._inside(at, trial[at])
            zeta = self._evaluate(at, trial[at])
            self._judge(at, trial[at], zeta)
            at = at[self.status[at] == 0]
            trial[at] = self._next(at)
        self.status[self.status == 0] = Limit.REFITS_FAILED
        return self.limit.reshape(2, -1), self.status.reshape(2, -1)

    def _inside(self, at: Array, trial: Array) -> Array:
        """The trials, none beyond the bound, as numbers of the element type."""
        beyond = (trial - self.bound[at]) * self.sign[at] > 0
        trial = np.where(beyond, self.bound[at], trial)
        return trial.astype(self.problem.start.array.dtype).astype(np.float64)

    def _evaluate(self, at: Array, trial: Array) -> Array:
        """Return zeta / z of these searches at their trials; NaN where a fit fails."""
        problem = _held(self.problem.picked(at), self.j, trial)
        r = run_again(problem, self.threads)
        gain = (r.chi2.astype(np.float64) - self.chi2[at]) / self.scale[at]
        self.status[at[r.success & (gain < -self.low)]] = Limit.LOWER_MINIMUM
        self.problem.start.array[at[r.success]] = r.params[r.success]
        zeta = np.sqrt(np.maximum(gain, 0)) / self.z[at]
        return np.where(r.success, zeta, np.nan)

    def _judge(self, at: Array, trial: Array, zeta: Array) -> None:
        """Take in what was found, and end the searches that have come to an end."""
        failed, open_ = np.isnan(zeta), self.status[at] == 0
        shrunk = at[failed]  # a fit that failed is tried again nearer by
        self.far[shrunk], self.far_zeta[shrunk] = trial[failed], np.nan
        close = open_ & (np.abs(zeta - 1) <= self.close)
        self.status[at[close]], self.limit[at[close]] = Limit.FOUND, trial[close]
        below = open_ & (zeta < 1) & ~close
        bound = below & (trial == self.bound[at])
        self.status[at[bound]], self.limit[at[bound]] = Limit.BOUND, trial[bound]
        size = _FARTHEST * (np.abs(self.estimate[at]) + self.step[at])
        endless = below & ~bound & (np.abs(trial - self.estimate[at]) > size)
        self.status[at[endless]] = Limit.INFINITE
        self.limit[at[endless]] = self.sign[at[endless]] * np.inf
        for where, side in ((below, -1), (open_ & (zeta > 1) & ~close, 1)):
            self._keep(at[where], trial[where], zeta[where], side)
        self._end_narrow(at)

    def _keep(self, at: Array, trial: Array, zeta: Array, side: int) -> None:
        """Keep new ends; where the same end moves twice the weight of the other one is halved."""
        twice = at[self.last_side[at] == side]
        if side < 0:
            self.near[at], self.near_zeta[at] = trial, zeta
            self.far_zeta[twice] = 1 + (self.far_zeta[twice] - 1) / 2
        else:
            self.far[at], self.far_zeta[at] = trial, zeta
            self.near_zeta[twice] = 1 + (self.near_zeta[twice] - 1) / 2
        self.last_side[at] = side

    def _end_narrow(self, at: Array) -> None:
        """End the searches whose two ends are neighbours: found, or cut off by failed fits."""
        at = at[self.status[at] == 0]
        gap = np.abs(self.far[at] - self.near[at])
        narrow = at[gap <= 1e-2 * self.close * np.abs(self.near[at] - self.estimate[at])]
        known = np.isfinite(self.far_zeta[narrow])
        self.status[narrow] = np.where(known, Limit.FOUND, Limit.REFITS_FAILED)
        self.limit[narrow[known]] = self.far[narrow[known]]

    def _next(self, at: Array) -> Array:
        """The next trials: between two ends that are known, else farther out or nearer by."""
        near, far = self.near[at], self.far[at]
        zeta, beyond = self.near_zeta[at], self.far_zeta[at]
        with np.errstate(all="ignore"):
            share = (1 - zeta) / (beyond - zeta)
            between = near + np.where((share > 0) & (share < 1), share, 0.5) * (far - near)
            gone = np.abs(near - self.estimate[at])
            least = np.minimum(_LEAST_GROWTH * _ACCELERATION ** self.outwards[at], _MOST_GROWTH)
            factor = np.clip(np.where(zeta > 0, _BEYOND / zeta, _MOST_GROWTH), least, _MOST_GROWTH)
        self.outwards[at[np.isnan(far)]] += 1
        distance = np.where(gone > 0, gone * factor, self.step[at])
        outwards = self.estimate[at] + self.sign[at] * distance
        return np.asarray(np.where(np.isnan(far), outwards, between))


def _grid(result: FitResult, places: Array, j: int, limits: Array, points: int) -> Array:
    """The values (n, points) from one limit to the other, or 3 stderr where there is none."""
    estimate, stderr = (
        a[..., j].reshape(-1)[places].astype(np.float64) for a in (result.params, result.stderr)
    )
    low, high = (
        np.where(np.isfinite(limit), limit, estimate + sign * 3 * stderr)
        for limit, sign in zip(limits, (-1, 1), strict=True)
    )
    problem = result.problem
    low = np.maximum(low, np.broadcast_to(problem.lower.picked(places).array[..., j], low.shape))
    high = np.minimum(high, np.broadcast_to(problem.upper.picked(places).array[..., j], low.shape))
    low, high = (np.where(np.isfinite(side), side, np.nan) for side in (low, high))
    share = np.linspace(0, 1, points)
    return np.asarray(low[:, None] * (1 - share) + high[:, None] * share, result.params.dtype)


def _on_grid(result: FitResult, places: Array, j: int, values: Array, threads: int) -> Array:
    """The least chi2 over the other parameters at the values (n, points); NaN where it failed."""
    if not values.size:
        return np.empty(values.shape)
    problem = repeated(result, np.repeat(places, values.shape[1]))
    r = run_again(_held(problem, j, values.reshape(-1)), threads)
    chi2 = np.where(r.success, r.chi2.astype(np.float64), np.nan)
    return np.asarray(chi2.reshape(values.shape))
