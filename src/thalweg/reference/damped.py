"""The specification of the engine in plain NumPy: the same steps as csrc/fit, made to be read.

A fit minimises  chi2(theta) = sum_i ((y_i - f_i(theta)) / sigma_i)^2.  With
e_i = (y_i - f_i) / sigma_i  and  J_ij = (df_i / dtheta_j) / sigma_i  a damped step d solves

    (J'J + lambda D^2) d = J'e,       D_j^2 = largest (J'J)_jj seen so far.

After the first rejection |D d| is limited by delta, the radius of a region in which the linear
model is trusted.  csrc/fit/damped.h tells why each test is as it is; names are the same here and
there.  Everything is float64, one fit at a time: the engine is tested against this, and never falls
back to it.

`judge` has the iteration, `step` finds steps, `confirm` decides what is a success, and `attempts`
runs further attempts where the first fails or is proved not to have found the global minimum.

References: More, "The Levenberg-Marquardt algorithm: implementation and theory", 1978; Nielsen,
"Damping parameter in Marquardt's method", IMM-REP-1999-05, 1999; Golub and Pereyra, "Separable
nonlinear least squares", Inverse Problems 19, 2003; Transtrum and Sethna, "Improvements to the
Levenberg-Marquardt algorithm", 2012; Golub and Van Loan, "Matrix Computations", 4th ed., 5.3, 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import attempts as later
from .confirm import columns_of, inflated, most_inflation, variance_of
from .judge import attempt
from .noise import Noisy
from .squares import DERIVATIVE, MODEL, NO_MEAN, magnitude_of, out_of_range
from .state import (
    MAX,
    TINY,
    Array,
    Fit,
    Problem,
    Tolerances,
    add_block,
    merge_rows,
)

__all__ = ["Outcome", "add_block", "levenberg_marquardt", "merge_rows"]

Model = Callable[[Array], tuple[Array, Array]]  # theta (P,) -> f (N,), df/dtheta (N, P)
Curvature = Callable[[Array, Array], Array]  # theta (P,), d (P,) -> d2f(theta; d, d) (N,)


class Outcome(NamedTuple):
    """A finished fit.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> def constant(theta):
    ...     return np.full(3, theta[0]), np.ones((3, 1))
    >>> r = reference.levenberg_marquardt(constant, [1, 2, 3], [0.0])
    >>> r.status, r.params.round(6), round(r.chi2, 6)
    ('XTOL', array([2.]), 2.0)
    """

    params: Array  # (P,), NaN if the fit could not run
    chi2: float
    status: str  # a name of `thalweg.Status`
    detail: int  # which parameter or input the status is about, else -1
    n_iter: int  # trial steps taken
    covariance: Array  # (P, P), 0 for parameters at a bound, infinite where it is not defined
    attempts: int = 1  # how many attempts there were


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
    curvature: Curvature | None = None,
    linear: Sequence[int] = (),
    attempts: int | None = None,
    jacobian_error: float = 0.0,
    lead: Model | None = None,
    eliminate: bool = False,
    noise: str = "normal",
    f_scale: float = 1.0,
) -> Outcome:
    """Minimise chi2(theta) = sum_i ((y_i - f_i(theta)) / sigma_i)^2 with lower <= theta <= upper.

    ``model_and_jacobian(theta)`` gives f (N,) and df/dtheta (N, P), columns of relative error
    ``jacobian_error``, and ``lead`` f and a rough df/dtheta for the way, not the end, of the first
    attempt; ``curvature(theta, d)`` is the second derivative of f along d, (N,); f is linear in the
    parameters ``linear`` together, which with ``eliminate`` begin at their best.  The rest is as in
    `thalweg.fit`, for one fit; equal bounds fix a parameter.  With ``noise`` "poisson", or the name
    of a robust loss of the scale ``f_scale``, that loss takes the place of chi2.  The status says
    what is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> x = np.arange(4.0)
    >>> def decay(theta):
    ...     e = np.exp(-theta[1] * x)
    ...     return theta[0] * e, np.stack([e, -theta[0] * x * e], 1)
    >>> r = reference.levenberg_marquardt(decay, 3 * np.exp(-0.5 * x), [1.0, 1.0])
    >>> r.params.round(6), r.status
    (array([3. , 0.5]), 'XTOL')
    """
    y, start, P = np.asarray(y, float), np.array(start, float), len(start)
    sigma = np.ones(len(y)) if sigma is None else np.asarray(sigma, float)
    lower, upper = _box(P, lower, upper)
    use = ~np.isnan(y) & (sigma < np.inf)
    if (fault := _refusal(y, sigma, start, lower, upper, use))[0]:
        return _refused(*fault, P)
    free = np.flatnonzero(lower < upper)
    alone = np.isin(free, linear) & np.isinf(lower[free]) & np.isinf(upper[free])
    weight, target = np.where(use, 1 / sigma, 0.0), np.where(use, y, 0.0)
    problem = Problem(
        *_on_free_parameters(model_and_jacobian, curvature, start, free, target, weight),
        P,
        lower[free],
        upper[free],
        np.flatnonzero(alone),
        magnitude_of(target, weight),
        int(np.count_nonzero(use)) - len(free),
        absolute_sigma,
        Tolerances(xtol, ftol, gtol, max_iter),
        jacobian_error,
        lead and _on_free_parameters(lead, None, start, free, target, weight)[0],
        np.flatnonzero(np.isin(free, linear)) if eliminate else np.zeros(0, int),
    )
    if noise != "normal":
        model = Noisy(noise, f_scale, model_and_jacobian, curvature, start, free, target, weight)
        problem = model.problem(problem)
    return _among_all(_best_of(problem, start[free], attempts), start, free)


def _box(P: int, lower: Array | None, upper: Array | None) -> tuple[Array, Array]:
    """The bounds of P parameters, infinite where there are none."""
    return (
        np.full(P, -np.inf) if lower is None else np.asarray(lower, float),
        np.full(P, np.inf) if upper is None else np.asarray(upper, float),
    )


def _among_all(outcome: Outcome, start: Array, free: Any) -> Outcome:
    """The outcome of a fit in its free parameters as one in all of them."""
    P = len(start)
    if outcome.status in ("NOT_FINITE", "RANGE"):
        return _refused(outcome.status, outcome.detail, P)
    covariance, params = np.zeros((P, P)), start.copy()
    covariance[np.ix_(free, free)], params[free] = outcome.covariance, outcome.params
    detail = int(free[outcome.detail]) if outcome.detail >= 0 else -1
    return outcome._replace(params=params, covariance=covariance, detail=detail)


def _on_free_parameters(
    model: Model, curvature: Curvature | None, start: Array, free: Any, y: Array, weight: Array
) -> tuple[Callable[[Array], Array], Callable[[Array, Array], Array] | None]:
    """[J | e] and the second derivative as functions of the free parameters, for points in use."""
    use = weight > 0

    def whole(theta: Array) -> Array:
        full = start.copy()
        full[free] = theta
        return full

    def evaluate(theta: Array) -> Array:
        f, J = model(whole(theta))
        return np.asarray(np.column_stack([J[:, free], y - f])[use] * weight[use, None])

    def second(theta: Array, d: Array) -> Array:
        assert curvature is not None
        direction = np.zeros(len(start))
        direction[free] = d
        return np.asarray(curvature(whole(theta), direction)[use] * weight[use])

    return evaluate, second if curvature else None


@np.errstate(all="ignore")  # a trial may overflow, and is rejected then
def _best_of(problem: Problem, start: Array, attempts: int | None) -> Outcome:
    """The outcome of all attempts, or of the first alone."""
    alone = attempts == 1
    limit = later.limit_of_attempt(problem, 3 if alone else 1)
    first = attempt(
        problem,
        start,
        limit,
        last=alone,
        leads=problem.lead is not None,
        eliminates=len(problem.eliminated) > 0,
    )
    if first.status == "NOT_FINITE":
        chi2 = problem.chi2_of(first.trial, problem.evaluate(first.trial))
        return _refused("NOT_FINITE", _fault(problem, chi2), len(start))
    if first.status == "RANGE":
        detail = out_of_range(first.sums, problem.magnitude, first.theta)
        return _refused("RANGE", detail, len(start))
    fit, taken = later.go_on(first, start, 1 if alone else 3)
    return _finish(fit)._replace(attempts=taken)


def _fault(problem: Problem, chi2: float) -> int:
    """The input (tw_input) that is not finite at a start of this chi2."""
    if problem.counts and chi2 == np.inf:
        return NO_MEAN
    return DERIVATIVE if np.isfinite(chi2) else MODEL


# ---- before and after ------------------------------------------------------------------------


def _refusal(
    y: Array, sigma: Array, start: Array, lower: Array, upper: Array, use: Any
) -> tuple[str, int]:
    """The status of a fit that cannot run and its detail; an empty status if it can."""
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


def _finish(fit: Fit) -> Outcome:
    """The outcome of the best attempt, with its covariance.

    That is (J'J)^-1 over the parameters that are not at a bound, times chi2 / dof unless sigma is
    absolute.
    """
    F = len(fit.theta)
    c = columns_of(fit)
    factor = variance_of(fit)
    status, detail = later.status_of(fit), fit.lost
    if status == "SINGULAR":
        detail = int(c.free[inflated(c.R, most_inflation(fit))])
    covariance = np.full((F, F), np.inf)
    if detail < 0 and factor < np.inf:
        W = np.linalg.inv(c.R)
        covariance = np.zeros((F, F))
        covariance[np.ix_(c.free, c.free)] = factor * (W @ W.T) / np.outer(c.size, c.size)
        variances = np.diag(covariance)[c.free]
        if factor > 0 and not ((variances >= TINY) & (variances <= MAX)).all():
            return _refused("RANGE", DERIVATIVE, F)
    return Outcome(fit.theta, fit.chi2, status, detail, fit.n_iter, covariance)
