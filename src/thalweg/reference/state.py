"""The state of a fit, on which judge, step, confirm and attempts work (csrc/fit/state.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

EPS = float(np.finfo(float).eps)
MAX = float(np.finfo(float).max)
TINY = float(np.finfo(float).tiny)
FIRST_DAMPING = 1e-2  # lambda at the start of an attempt
LEAST_DAMPING = TINY * 2.0**40  # good steps lower lambda no further: it stays a normal number
TRUSTED = 1e10  # a variance inflation beyond its square says that the data do not determine theta_j
LOST_COLUMN = 1e-13  # a column with |R_jj| up to this is a combination of those before it
MARKS = 4  # chi2 must fall over the last MARKS (F + 1) kept trials: see `judge.look_back`
NO_PIVOT = 1e-12  # a linear column whose pivot is below this share is left out of the certificate
CANCELLED = 1e-8  # a proved chi2 below this share of chi2 has no digits that count

LAST_STEP = 1e-6  # a step that is taken without a trial promises at most LAST_STEP chi2 / dof ...
UNSEEN = 1e-3  # ... and is so short that |D d| <= UNSEEN |e|
EARLY, EARLIEST = 100.0, 1e-10  # limits of the last step where steps shrink fast: see `early_ftol`

SUCCESSES = "FTOL", "XTOL", "GTOL"


class Tolerances(NamedTuple):
    """The tolerances and the number of trials at which a fit stops."""

    xtol: float
    ftol: float
    gtol: float
    max_iter: int


def early_ftol(stops: Tolerances) -> float:
    """The share of chi2 that the last step may promise where steps shrink fast."""
    return max(min(EARLY * stops.ftol, EARLIEST), stops.ftol)


class Problem(NamedTuple):
    """One data set and its model as a function of the F parameters that are not fixed."""

    evaluate: Callable[[Array], Array]  # theta (F,) -> [J | e] / sigma, (N, F + 1)
    curvature: Callable[[Array, Array], Array] | None  # d2f(theta; d, d) / sigma, (N,)
    n_params: int  # how many parameters the model has, fixed ones included
    lower: Array
    upper: Array
    linear: Any  # places of the parameters without bounds in which f is linear together
    magnitude: float  # sum of (y/sigma)^2
    dof: int  # points less free parameters
    absolute_sigma: bool  # the variance of a residual is 1; if not, chi2 / dof
    stops: Tolerances
    jacobian_error: float = 0.0  # relative error of the columns of J beyond rounding
    lead: Callable[[Array], Array] | None = None  # `evaluate` with a rough J, for the first attempt
    eliminated: Any = ()  # places of the linear parameters that begin at their best, bounded or not
    loss: Callable[[Array], float] | None = None  # what is minimised, theta (F,) -> number; |e|^2
    far: Callable[[Array], Array] | None = None  # `evaluate` of a robust fit far from its minimum
    # sums and triangle of a fit with Cauchy's loss near its minimum: true second derivatives
    near: Callable[[Array], tuple[Array, Array]] | None = None
    # what makes J'J - sum e curvature the Hessian of another loss than squares
    bent: Callable[[Array, Array], Array] | None = None
    factor: Callable[[Array], float] | None = None  # the variance of a residual of a robust fit
    # `evaluate` of counts until a trial has been rejected; they are steep from then on
    gentle: Callable[[Array], Array] | None = None

    @property
    def counts(self) -> bool:
        """Whether what is minimised is the deviance of counts."""
        return self.gentle is not None

    def chi2_of(self, theta: Array, C: Array) -> float:
        """What is minimised, from the rows C = [J | e] / sigma at theta."""
        return float(C[:, -1] @ C[:, -1]) if self.loss is None else self.loss(theta)

    def sums_of(self, theta: Array, C: Array) -> Array:
        """[J | e]'[J | e] with what is minimised in its last place."""
        sums = C.T @ C
        sums[-1, -1] = self.chi2_of(theta, C) if self.loss else sums[-1, -1]
        return np.asarray(sums)


@dataclass
class Fit:
    """One attempt of a fit; its members are the arrays of `fits` in csrc/fit/state.h."""

    problem: Problem
    theta: Array
    limit: int  # trials after which the attempt ends
    n_iter: int = 0
    orthogonal: bool = False  # steps from R instead of J'J
    projecting: bool = False  # each trial has its linear parameters at their best
    last: bool = False  # no other attempt follows, so a slow fit is given more time
    leads: bool = False  # trials have a rough J (Problem.lead)
    eliminates: bool = False  # the linear parameters have still to be put at their best
    rough: bool = False  # J at theta is rough
    renews: bool = False  # the trial is theta, whose J was rough (judge.renew), ...
    pending: str = ""  # ... and this status waits for the new J
    status: str = ""
    lam: float = FIRST_DAMPING
    delta: float = np.inf  # limit of |D d|
    promised: float = 0.0
    noise: float = 0.0  # the rounding noise of chi2 at theta
    untaken: float = 0.0  # what the undamped step promises at the end, if it is not taken
    best_chi2: float = np.inf  # the smallest chi2 at any theta so far, and its noise
    best_noise: float = 0.0
    proved: float = np.inf  # the least chi2 that a trial proved to be reached (certify)
    idle: int = 0  # consecutive trials without a gain above the noise (confirm.MOST_IDLE)
    resumed: float = np.inf  # chi2 when `confirm` last let the fit go on
    in_vain: int = 0  # how many times in a row it went on without a fall of chi2
    fresh: bool = True  # the trial is the start
    kept: bool = False  # the last trial was kept
    asked: bool = False  # `advance` has tested already whether the step is small
    coarse: bool = False  # the sums at theta are those of `Problem.far` or `Problem.near`
    true: bool = False  # the sums at theta are those of `Problem.near`: they may be indefinite
    doubt: str = ""  # the status of a success that could not be shown
    lost: int = -1  # with the status DRIFT: the parameter that runs off
    until_mark: int = field(init=False)  # kept trials until the next mark
    marks: list[float] = field(init=False)  # chi2 at earlier marks, the latest first
    start: Array = field(init=False)
    trial: Array = field(init=False)
    sums: Array = field(init=False)  # [J|e]'[J|e] at theta
    R: Array = field(init=False)
    best: tuple[Array, Array, Array] = field(init=False)  # theta, sums and R at best_chi2
    D2: Array = field(init=False)  # D^2
    largest2: Array = field(init=False)  # the largest (J'J)_jj of the attempt
    step: Array = field(init=False)
    moved: Array = field(init=False)  # the last step that was kept
    held: Any = field(init=False)  # which parameters are at a bound and not free in this step

    def __post_init__(self) -> None:
        F = len(self.theta)
        self.start = self.trial = self.theta
        self.sums = self.R = np.zeros((F + 1, F + 1))
        self.best = self.theta, self.sums, self.R
        self.D2, self.largest2, self.step, self.moved = np.zeros((4, F))
        self.held = np.zeros(F, bool)
        self.until_mark, self.marks = F + 1, [np.inf] * MARKS

    @property
    def A(self) -> Array:
        """J'J, shape (F, F)."""
        return self.sums[:-1, :-1]

    @property
    def g(self) -> Array:
        """J'e, half the downhill gradient of chi2, shape (F,)."""
        return self.sums[:-1, -1]

    @property
    def chi2(self) -> float:
        """chi2 = |e|^2."""
        return float(self.sums[-1, -1])

    @property
    def scale(self) -> Array:
        """D, with 1 for a parameter that has never had an effect; shape (F,)."""
        return np.sqrt(np.where(self.D2 > 0, self.D2, 1.0))

    @property
    def damped(self) -> Any:
        """Which parameters the damping acts on, shape (F,)."""
        damped = np.ones(len(self.theta), bool)
        if self.projecting:
            damped[self.problem.linear] = False
        return damped

    @property
    def length(self) -> float:
        """|D d| of the step d, over all damped parameters, those at a bound included."""
        return float(np.linalg.norm((self.scale * self.step)[self.damped]))

    def length_of(self, step: Array) -> float:
        """|D d| over the parameters that are damped, and free in the present step."""
        counts = self.damped & ~self.held
        return float(np.linalg.norm((self.scale * step)[counts]))

    def stop(self, when: bool | np.bool_, status: str) -> None:
        """Stop with this status, unless the fit has stopped already."""
        if when and not self.status:
            self.status = status


def add_block(J: Array, e: Array, weight: Array | None = None) -> Array:
    """Return C'W^2 C, shape (P + 1, P + 1), with C = [J | e].

    J is (N, P), e is (N,), weight is 1/sigma, (N,): 0 leaves a point out whatever it holds.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> J = np.array([[1.0, 0], [1, 1], [1, 2]])
    >>> reference.add_block(J, np.array([1.0, 2, 3]))
    array([[ 3.,  3.,  6.],
           [ 3.,  5.,  8.],
           [ 6.,  8., 14.]])
    """
    C = np.column_stack([J, e])
    if weight is not None:
        C = C[weight > 0] * weight[weight > 0, None]
    return C.T @ C


def merge_rows(R: Array, rows: Array) -> Array:
    """Return the triangle whose R'R is R'R + rows'rows, shape (n, n), without forming these.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> R = reference.merge_rows(np.diag([3.0, 0.0]), np.array([[4.0, 1.0]]))
    >>> (R.T @ R).round(6)
    array([[25.,  4.],
           [ 4.,  1.]])
    """
    n = R.shape[1]
    triangle = np.zeros((n, n))
    if np.isfinite(rows).all():
        merged = np.linalg.qr(np.vstack([R, rows]), mode="r")
        triangle[: len(merged)] = merged
    else:
        triangle[:] = np.nan
    return triangle


def triangle_of(sums: Array) -> Array:
    """The triangle R of R'R = sums, or NaN where these are not positive definite."""
    try:
        return np.asarray(np.linalg.cholesky(sums).T)
    except np.linalg.LinAlgError:
        return np.full_like(sums, np.nan)


def size2_of_model(fit: Fit) -> float:
    """The square of the size of f before terms in it cancel: the largest theta_j J_j, or y."""
    return float(np.max(fit.theta**2 * np.diag(fit.A), initial=fit.problem.magnitude))


def noise_by_size(fit: Fit, size2: float) -> float:
    """The rounding noise of chi2: of its sum, of y, and of f before terms in it cancel."""
    return 16 * EPS * fit.chi2 + 2 * EPS * float(np.sqrt(fit.chi2 * size2))


def noise_of_chi2(fit: Fit) -> float:
    """The rounding noise of chi2."""
    return noise_by_size(fit, size2_of_model(fit))


def size2_of_promise(fit: Fit) -> float:
    """The square of the size of the model by which a promise is judged.

    For counts that is sum y: a point of a mean near 0 has a large a, but hardly any part in chi2.
    """
    return fit.problem.magnitude if fit.problem.counts else size2_of_model(fit)


def noise_of_promise(fit: Fit) -> float:
    """The noise of chi2 below which a promise says nothing."""
    counts = fit.problem.counts
    return noise_by_size(fit, size2_of_promise(fit)) if counts else noise_of_chi2(fit)


def may_be_unseen(fit: Fit, promised: float, length: float) -> bool:
    """Whether a step of this length |D d| may be taken without evaluating the model where it leads.

    It must promise little, and be so short that the model is linear along it: where columns are
    nearly parallel even a long step promises little.
    """
    little = max(LAST_STEP * fit.chi2 / max(fit.problem.dof, 1), fit.noise)
    return bool(promised <= little and length**2 <= UNSEEN**2 * fit.chi2)


def reduced_chi2(sums: Array, linear: Any) -> float:
    """chi2 with the linear parameters at their best, chi2 - g'A^-1 g, from the sums at a trial."""
    M = sums[np.ix_([*linear, -1], [*linear, -1])].copy()
    for j in range(len(linear)):
        pivot = M[j, j]
        if pivot > NO_PIVOT * sums[linear[j], linear[j]]:
            M[j + 1 :, j + 1 :] -= np.outer(M[j + 1 :, j], M[j, j + 1 :]) / pivot
    return float(M[-1, -1])


def certify(fit: Fit, sums: Array) -> bool:
    """Lower ``proved`` to the chi2 of this trial with its linear parameters at their best.

    Returns whether that was lower.
    """
    if not len(fit.problem.linear):
        return False
    reduced = reduced_chi2(sums, fit.problem.linear)
    lower = bool(CANCELLED * sums[-1, -1] < reduced < fit.proved)
    if lower:
        fit.proved = reduced
    return lower
