r"""Run fits whose squares leave the range of the arithmetic again, in other units.

A double reaches from 1e-308 to 1e308; so numbers whose squares a fit sums may reach from 1e-154 to
1e154, in float32 from 1e-19 to 1e19.  The engine stops a fit whose sums leave the range at its
start (csrc/fit/range.h).  This module runs it once more on

    2^s y,   2^t sigma,   2^s f(x; 2^c_1 phi_1, ..., 2^c_P phi_P),       theta_j = 2^c_j phi_j,

with exponents of its own for each fit, such that the largest \|y / sigma\| and the largest element
of each column of J / sigma are about 1.  Powers of two change no digit, and no test of the engine
has a unit, so the fit takes the same steps as it would if numbers had no limits.  Its results are
scaled back; where a variance leaves the range by that, the standard error is kept beside it.

A fit that is still out of range then is so in any unit: its start has a chi2 beyond all of y, or
its sigmas span more than the range of numbers.  The status RANGE says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._progress import Report, after
from ..status import Status
from .by_calls import Evaluate
from .data import Data
from .evaluation import evaluate_recording
from .packed import diagonal
from .problem import Problem
from .scaled import (
    LIMITS,
    NOTHING,
    Limits,
    Units,
    exponent,
    in_other_units,
    scaled,
    whole,
)

Run = Callable[[Problem, dict[str, Array], Report], None]

_NONE: Array = np.empty(0, np.intp)
_CHUNK = 2**21  # values of y, or of J, that are copied at a time: 16 MiB


def run_again(
    problem: Problem,
    out: dict[str, Array],
    run: Run,
    report: Report = None,
    evaluate: Evaluate | None = None,
) -> None:
    """Run the fits again that have left the range, and write their results into ``out``.

    ``run(problem, results, report)`` fits a problem and writes its results, with the names of those
    in ``out``.  If it leaves fits with the status NOT_RUN, those that were to follow get that
    status as well.  If a variance leaves the range, ``out["errors"]`` gets the standard errors of
    all fits, shape (..., F).

    ``evaluate`` maps theta to f and J, for a model that is neither recorded nor differentiated by
    calls; ``run`` must then evaluate `in_other_units` of it.
    """
    fits = _refused(out)
    if not len(fits):
        return
    status = out["status"].reshape(-1)
    finished = bool(status.all())
    was = status[fits].copy()
    status[fits] = Status.NOT_RUN
    step = max(1, _CHUNK // ((1 + len(problem.free)) * max(1, problem.data.n_points)))
    for first in range(0, len(fits) if finished else 0, step):
        part = slice(first, first + step)
        with np.errstate(all="ignore"):
            later = after(report, int(np.count_nonzero(status)))
            _run_part(problem, out, fits[part], was[part], run, later, evaluate)
        if not status[fits[part]].all():
            return


def _refused(out: dict[str, Array]) -> Array:
    """The fits that have left the range, or may have."""
    status = out["status"]
    if not status.size or status.item(status.argmin() if status.ndim else 0) >= 0:
        return _NONE
    status, detail = status.reshape(-1), out["detail"].reshape(-1)
    overflows = (status == Status.NOT_FINITE) & _overflows(detail)
    return np.flatnonzero((status == Status.RANGE) | overflows)


def _overflows(detail: Array) -> Array:
    """Whether the model or a derivative is what is not finite: not y, nor a mean below 0."""
    return np.asarray((detail == 1) | (detail == 2))


def take_back(out: dict[str, Array]) -> None:
    """Give the status NOT_RUN to fits that were still to be run again: theirs was not final."""
    out["status"].reshape(-1)[_refused(out)] = Status.NOT_RUN


def _run_part(
    problem: Problem,
    out: dict[str, Array],
    fits: Array,
    was: Array,
    run: Run,
    report: Report,
    evaluate: Evaluate | None,
) -> None:
    """Run a few fits again; a fit whose model itself is not finite stays as it was."""
    status = out["status"].reshape(-1)
    status[fits] = was
    fits = fits[(was == Status.RANGE) | _have_values(problem.picked(fits), evaluate)]
    if not len(fits):
        return
    units, finite = choose_units(problem.picked(fits), evaluate)
    finite |= status[fits] == Status.RANGE
    fits = fits[finite]
    if not len(fits):
        return
    status[fits] = Status.NOT_RUN
    units = Units(*(u[finite] for u in units))
    part = scaled(problem.picked(fits), units)
    results = _room_for(part, out)
    try:
        run(part, results, report)
    finally:  # fits that had finished before an exception get their results, too
        overflow = results["status"] == Status.NOT_FINITE  # squares have: the model is finite
        results["status"][overflow] = Status.RANGE
        _scale_back(problem.picked(fits), units, results)
        _write(out, fits, results)


def _room_for(problem: Problem, out: dict[str, Array]) -> dict[str, Array]:
    """Arrays for the results of the problem, with the names and types of those in ``out``."""
    K, ndim = problem.data.n_fits, out["status"].ndim
    results = {n: np.zeros((K, *a.shape[ndim:]), a.dtype) for n, a in out.items() if n != "errors"}
    results["theta"] = np.zeros((K, len(problem.names)), out["theta"].dtype)
    results["attempts"] = np.ones(K, np.int8)
    return results


def _scale_back(problem: Problem, units: Units, results: dict[str, Array]) -> None:
    """Turn the results of the scaled fits into those of the problem in its own units."""
    ratio, F = units.y - units.sigma, len(problem.free)
    theta = np.ascontiguousarray(results["theta"][:, : len(problem.names)])
    theta, free = np.ldexp(theta, units.theta), list(problem.free)
    results["theta"] = np.clip(theta, problem.lower.array, problem.upper.array)  # NaN stays
    results["chi2"] = np.ldexp(results["chi2"], -2 * ratio)
    row, column = np.tril_indices(F)
    unit = units.theta[:, free] + (ratio[:, None] if problem.absolute_sigma else 0)
    errors = np.ldexp(np.sqrt(results["covariance"][:, row == column]), unit)
    results["covariance"] = np.ldexp(results["covariance"], unit[:, row] + unit[:, column])
    variances = results["covariance"][:, row == column]
    normal = (variances >= np.finfo(variances.dtype).tiny) & np.isfinite(variances)
    if (~normal & (errors > 0) & np.isfinite(errors)).any():
        results["errors"] = errors


def _write(out: dict[str, Array], fits: Array, results: dict[str, Array]) -> None:
    """Write the results of some fits into the arrays of all fits."""
    for other, those in ((out, results), (results, out)):
        if "errors" in those and "errors" not in other:
            other["errors"] = np.sqrt(other["covariance"][..., diagonal(those["errors"].shape[-1])])
    for name, array in results.items():
        out[name].reshape(out["status"].size, -1)[fits] = array.reshape(len(fits), -1)


# ---- the units -------------------------------------------------------------------------------


def _have_values(problem: Problem, evaluate: Evaluate | None) -> Array:
    """Whether the model of each fit has values at its start, infinite ones included."""
    if problem.recording is None:
        return np.ones(problem.data.n_fits, bool)  # the run itself will tell
    sizes = _sizes(problem)
    first = scaled(problem._replace(free=()), _first_units(problem, sizes))
    values = _at_start(first, evaluate)[:, 0]
    values[sizes.weight <= NOTHING] = 0
    return np.asarray(~np.isnan(values).any(axis=1))


def choose_units(problem: Problem, evaluate: Evaluate | None = None) -> tuple[Units, Array]:
    """Return the units of each fit, and whether its model and derivatives are finite in them.

    Sizes of y, sigma and the parameters give a first choice.  In these units the model is evaluated
    at its start, and the sizes of its values and derivatives give a better choice.  That is done
    twice, since the first evaluation may leave the range.
    """
    sizes = _sizes(problem)
    units = _first_units(problem, sizes)
    for _ in range(2):
        units, _ = _better(problem, units, sizes, evaluate)
    finite = _better(problem, units, sizes, evaluate)[1]
    if not finite.all():  # powers of theta' or of its inverse may leave the range inside the model
        theta, far = sizes.theta, LIMITS[problem.data.y.dtype].most // 4
        near = np.clip(units.theta, theta - far, theta + far)
        near = np.where(theta > NOTHING, near, units.theta)
        units = units._replace(theta=np.where(finite[:, None], units.theta, whole(near)))
        finite = _better(problem, units, sizes, evaluate)[1]
    return units, finite


class _Sizes(NamedTuple):
    """Exponents of two of the inputs of K fits; `NOTHING` stands for that of 0."""

    weight: Array  # (K, N) those of 1 / sigma in its unit; `NOTHING` where a point is not used
    sigma: Array  # (K,) those of that unit
    level: Array  # (K,) those of the largest y / sigma
    theta: Array  # (K, P) those of the start


def _sizes(problem: Problem) -> _Sizes:
    data = problem.data
    weight, sigma = _weights(data, LIMITS[data.y.dtype])
    theta = exponent(np.broadcast_to(problem.start.array, (data.n_fits, len(problem.names))))
    return _Sizes(weight, sigma, _largest(exponent(data.y) + weight), theta)


def _largest(exponents: Array) -> Array:
    """The largest exponent along the last axis; `NOTHING` if all are those of products with 0."""
    most = exponents.max(axis=-1, initial=NOTHING)
    return np.where(most > NOTHING // 2, most, NOTHING)


def _first_units(problem: Problem, sizes: _Sizes) -> Units:
    """The units that the sizes of the inputs alone suggest."""
    limits = LIMITS[problem.data.y.dtype]
    y = np.where(sizes.level > NOTHING, -sizes.level, 0)
    unknown = (sizes.theta[:, list(problem.free)] <= NOTHING).any(axis=1)
    y = np.where(unknown, y // 2, y)  # a column of unknown size has room on both sides
    y = _own_unit_of_counts(problem, y)
    theta = np.where(sizes.theta > NOTHING, sizes.theta, 0)
    return Units(np.clip(y, limits.least, limits.most), sizes.sigma, whole(theta))


def _own_unit_of_counts(problem: Problem, y: Array) -> Array:
    """The exponents of y, 0 for counts: of what has another unit, Poisson's law does not hold."""
    return np.zeros_like(y) if problem.noise and problem.noise.counts else y


def _better(
    problem: Problem, units: Units, sizes: _Sizes, evaluate: Evaluate | None
) -> tuple[Units, Array]:
    """Units chosen by the sizes of the model and its derivatives, and whether these are finite."""
    free, limits = list(problem.free), LIMITS[problem.data.y.dtype]
    weight, level = sizes.weight, sizes.level
    values = _at_start(scaled(problem, units), evaluate)
    values[np.broadcast_to((weight <= NOTHING)[:, None], values.shape)] = 0  # not used
    finite: Array = np.asarray(np.isfinite(values).all(axis=2))
    found = _largest(exponent(values) + weight[:, None])
    model, columns = found[:, 0], found[:, 1:]
    theta, own = units.theta[:, free], sizes.theta[:, free]

    level = np.where(level > NOTHING, level + units.y, model)
    highest = np.maximum(model, (own - theta + columns).max(axis=1, initial=NOTHING))
    room = (limits.room - values.shape[2].bit_length()) // 2 - 1
    shift = np.where(level > NOTHING, np.minimum(-level, room - highest), 0)
    y = _own_unit_of_counts(problem, np.clip(units.y + shift, limits.least, limits.most))
    moves = own - theta + columns - level[:, None]
    wanted = np.where((own > NOTHING) & (moves < -limits.digits), limits.small, 0)
    change = columns + (y - units.y)[:, None] - wanted
    theta = theta - np.where((columns > NOTHING) & finite[:, 1:], change, 0)
    far = limits.most - 40  # so that theta', which may change, remains a normal number
    theta = np.where(own > NOTHING, np.clip(theta, own - far, own + far), theta)
    every = units.theta.copy()
    every[:, free] = whole(np.clip(theta, limits.least, limits.most))
    return Units(y, units.sigma, every), np.asarray(finite.all(axis=1))


def _weights(data: Data, limits: Limits) -> tuple[Array, Array]:
    """The exponents of 2^-t / sigma, (K, N), where a point is used, and t, (K,).

    t is chosen so that the largest and the smallest of them are equally far from 1, but none is so
    large that its square leaves the range.
    """
    used = ~np.isnan(data.y)
    if data.use is not None:
        used &= data.use.array != 0
    if data.sigma is None:
        return np.where(used, 0, NOTHING), np.zeros(len(used), np.int64)
    used &= data.sigma.array < np.inf
    size = exponent(np.broadcast_to(data.sigma.array, used.shape))
    least = size.min(axis=1, where=used, initial=-NOTHING)
    most = size.max(axis=1, where=used, initial=NOTHING)
    t = np.where(used.any(axis=1), np.maximum(-(least + most) // 2, -least - limits.weight), 0)
    t = np.clip(t, limits.least, limits.most)
    return np.where(used, -size - t[:, None], NOTHING), t


def _at_start(problem: Problem, evaluate: Evaluate | None) -> Array:
    """f and its derivatives at the start of each fit, shape (K, 1 + F, N)."""
    data, F = problem.data, len(problem.free)
    values = np.empty((data.n_fits, 1 + F, data.n_points), data.y.dtype)
    if problem.recording is None:
        for k, theta in enumerate(problem.start.array):
            f, J, _ = (in_other_units(evaluate) if evaluate else problem.differences(k))(theta)
            values[k, 0], values[k, 1:] = f, J.T
        return values
    evaluate_recording(problem.recording, problem.free, data.x, problem.start.array, values)
    return values
