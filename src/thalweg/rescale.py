r"""Run fits again, in other units, whose squares leave the range of the arithmetic.

A double reaches from 1e-308 to 1e308, the squares that a fit sums therefore from 1e-154 to 1e154;
in float32 from 1e-19 to 1e19.  The engine stops a fit whose sums leave the range at its start
(csrc/range.h).  It is run once more here on

    2^s y,   2^t sigma,   2^s f(x; 2^c_1 phi_1, ..., 2^c_P phi_P),       theta_j = 2^c_j phi_j,

with exponents of its own for each fit, such that the largest \|y / sigma\| and the largest element
of each column of J / sigma are about 1.  Powers of two change no digit, and no test of the engine
has a unit, so the fit takes the same steps as it would if numbers had no limits.  Its results are
scaled back; where a variance leaves the range by that, the standard error is kept beside it.

What is still out of range then is so in any unit: a start whose chi2 is beyond all of y, or sigmas
of one fit that span more than the arithmetic.  That is what status RANGE says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ._check import Array, PerFit
from ._core import engine
from .data import Data
from .model.tape import compile_model
from .model.trace import Recording
from .model.units import STEP, in_units
from .problem import Problem
from .result import diagonal
from .status import Status

Report = Callable[[int], Any] | None
Run = Callable[[Problem, dict[str, Array], Report], None]

_CHUNK = 2**21  # values of y, or of J, that are copied at a time: 16 MiB


class _Limits(NamedTuple):
    """Exponents of two of an element type."""

    least: int  # of a normal number
    most: int  # of a finite one
    room: int  # of the largest sum of squares that csrc/range.h lets pass
    weight: int  # of the largest 1/sigma, whose square is then far from infinite
    digits: int  # of a number
    small: int  # of a column that hardly moves the model at the start, so that it may grow


_LIMITS = {
    np.dtype(np.float64): _Limits(-1022, 1023, 510, 480, 53, -250),
    np.dtype(np.float32): _Limits(-126, 127, 62, 55, 24, -30),
}
_NOTHING = np.iinfo(np.int32).min // 4  # the exponent of 0


class Units(NamedTuple):
    """The exponents of two of K fits.

    Attributes
    ----------
    y, sigma : ndarray of int, shape (K,)
    theta : ndarray of int, shape (K, P)
        Multiples of `STEP`.
    """

    y: Array
    sigma: Array
    theta: Array


def run_again(
    problem: Problem,
    out: dict[str, Array],
    absolute_sigma: bool,
    run: Run,
    report: Report,
) -> None:
    """Run the fits again that have left the range, and write their results into ``out``.

    ``run(problem, results, report)`` fits a problem and writes results, which are as in ``out``;
    what it has not finished has status NOT_RUN, and so has here what comes after.
    ``out["errors"]`` holds the standard errors, shape (..., F), where a variance leaves the range.
    """
    status = out["status"].reshape(-1)
    fits = _refused(out)
    if not len(fits):
        return
    finished = bool(status.all())
    was = status[fits].copy()
    status[fits] = Status.NOT_RUN
    step = max(1, _CHUNK // ((1 + len(problem.free)) * max(1, problem.data.n_points)))
    for first in range(0, len(fits) if finished else 0, step):
        part = slice(first, first + step)
        with np.errstate(all="ignore"):
            later = _continued(report, int(np.count_nonzero(status)))
            _run_part(problem, out, fits[part], was[part], absolute_sigma, run, later)
        if not status[fits[part]].all():
            return


def _refused(out: dict[str, Array]) -> Array:
    """The fits that have left the range, or may have."""
    status, detail = out["status"].reshape(-1), out["detail"].reshape(-1)
    return np.flatnonzero((status == Status.RANGE) | ((status == Status.NOT_FINITE) & (detail > 0)))


def take_back(out: dict[str, Array]) -> None:
    """Give the fits that were still to be run again the status NOT_RUN: theirs was not the last."""
    out["status"].reshape(-1)[_refused(out)] = Status.NOT_RUN


def _continued(report: Report, done: int) -> Report:
    """What is told how many fits are done, where some were done before."""
    return None if report is None else lambda more: report(done + more)


def _run_part(
    problem: Problem,
    out: dict[str, Array],
    fits: Array,
    was: Array,
    absolute_sigma: bool,
    run: Run,
    report: Report,
) -> None:
    """Run a few fits again; those whose model itself is not finite stay as they were."""
    units, finite = choose_units(_selected(problem, fits))
    finite |= was == Status.RANGE
    out["status"].reshape(-1)[fits[~finite]] = was[~finite]
    fits = fits[finite]
    if not len(fits):
        return
    units = Units(*(u[finite] for u in units))
    part = scaled(_selected(problem, fits), units)
    results = _room_for(part, out)
    try:
        run(part, results, report)
    finally:  # also what had finished before an exception
        overflow = results["status"] == Status.NOT_FINITE  # of squares: the rest is finite
        results["status"][overflow] = Status.RANGE
        _scale_back(_selected(problem, fits), units, results, absolute_sigma)
        _write(out, fits, results)


def _room_for(problem: Problem, out: dict[str, Array]) -> dict[str, Array]:
    """Arrays for the results of the problem, of the names and types of those of all fits."""
    K, ndim = problem.data.n_fits, out["status"].ndim
    results = {n: np.zeros((K, *a.shape[ndim:]), a.dtype) for n, a in out.items() if n != "errors"}
    results["theta"] = np.zeros((K, len(problem.names)), out["theta"].dtype)
    return results


def _scale_back(
    problem: Problem, units: Units, results: dict[str, Array], absolute_sigma: bool
) -> None:
    """Turn the results of the scaled fits into those of the problem's."""
    ratio, F = units.y - units.sigma, len(problem.free)
    theta = np.ascontiguousarray(results["theta"][:, : len(problem.names)])
    free = list(problem.free)
    theta = np.ldexp(theta, units.theta)
    results["theta"] = np.clip(theta, problem.lower.array, problem.upper.array)  # NaN stays
    results["chi2"] = np.ldexp(results["chi2"], -2 * ratio)
    row, column = np.tril_indices(F)
    unit = units.theta[:, free] + (ratio[:, None] if absolute_sigma else 0)
    errors = np.ldexp(np.sqrt(results["covariance"][:, row == column]), unit)
    results["covariance"] = np.ldexp(results["covariance"], unit[:, row] + unit[:, column])
    variances = results["covariance"][:, row == column]
    normal = (variances >= np.finfo(variances.dtype).tiny) & np.isfinite(variances)
    if (~normal & (errors > 0) & np.isfinite(errors)).any():
        results["errors"] = errors


def _write(out: dict[str, Array], fits: Array, results: dict[str, Array]) -> None:
    """Write the results of some fits into those of all."""
    for other, those in ((out, results), (results, out)):
        if "errors" in those and "errors" not in other:
            other["errors"] = np.sqrt(other["covariance"][..., diagonal(those["errors"].shape[-1])])
    for name, array in results.items():
        out[name].reshape(out["status"].size, -1)[fits] = array.reshape(len(fits), -1)


# ---- the problem -----------------------------------------------------------------------------


def _selected(problem: Problem, fits: Array) -> Problem:
    """The problem of some of the fits, in a batch of one axis."""

    def rows(row: PerFit) -> PerFit:
        return PerFit(row.array[fits], 1) if row.step else row

    data = problem.data
    part = data._replace(
        x=tuple(rows(v) for v in data.x),
        y=data.y[fits],
        sigma=None if data.sigma is None else rows(data.sigma),
        use=None if data.use is None else rows(data.use),
        batch=(len(fits),),
    )
    return problem._replace(
        data=part,
        start=rows(problem.start),
        lower=rows(problem.lower),
        upper=rows(problem.upper),
        fixed=None if problem.fixed is None else problem.fixed[fits],
    )


def scaled(problem: Problem, units: Units) -> Problem:
    """Return the problem in other units; factors of the model follow its own parameters."""
    data, sizes = problem.data, _sizes_of_x(problem)
    function, recording, factors = _scaled_model(problem, units, sizes)
    limits = _LIMITS[data.y.dtype]
    factors = np.ldexp(data.y.dtype.type(1), np.clip(factors, limits.least, limits.most))
    anywhere = np.full(factors.shape, np.inf, data.y.dtype)

    def rows(row: PerFit, extra: Array) -> PerFit:
        own = np.ldexp(np.broadcast_to(row.array, units.theta.shape), -units.theta)
        return PerFit(np.ascontiguousarray(np.column_stack([own, extra]), data.y.dtype), 1)

    fixed = problem.fixed
    if fixed is not None:
        fixed = np.column_stack([fixed, np.zeros(factors.shape, fixed.dtype)])
    return problem._replace(
        model=problem.model._replace(function=function),
        data=_scaled_data(data, units, sizes if recording else []),
        names=(*problem.names, *(f"factor {k}" for k in range(factors.shape[1]))),
        free=problem.free,
        start=rows(problem.start, factors),
        lower=rows(problem.lower, -anywhere),
        upper=rows(problem.upper, anywhere),
        fixed=fixed,
        recording=recording,
        scaled=True,
    )


def _scaled_data(data: Data, units: Units, sizes: list[Array]) -> Data:
    sigma = data.sigma
    if sigma is not None:
        spread = np.ldexp(np.broadcast_to(sigma.array, data.y.shape), units.sigma[:, None])
        sigma = PerFit(spread, 1)
    x = [_divided(row, e) for row, e in zip(data.x, sizes, strict=False)] or data.x
    return data._replace(x=tuple(x), y=np.ldexp(data.y, units.y[:, None]), sigma=sigma)


def _divided(row: PerFit, exponents: Array) -> PerFit:
    """Values of x in their units."""
    return PerFit(
        np.ldexp(row.array, -(exponents[:, None] if row.step else exponents[0])), row.step
    )


def _sizes_of_x(problem: Problem) -> list[Array]:
    """The exponents of each variable and of each array of the model, one for each fit."""
    arrays = [PerFit(a, 0) for a in problem.recording.arrays] if problem.recording else []
    sizes = []
    for row in (*problem.data.x, *arrays):
        values = np.atleast_2d(np.where(np.isfinite(row.array), row.array, 0))
        size = exponent(values).max(axis=1, initial=_NOTHING)
        size = STEP * np.where(size > _NOTHING, np.round(size / STEP), 0).astype(np.int64)
        sizes.append(np.broadcast_to(size, (problem.data.n_fits,)))
    return sizes


def _scaled_model(
    problem: Problem, units: Units, sizes: list[Array]
) -> tuple[Callable[..., Any], Recording | None, Array]:
    """The function and the recording in other units, and the exponents of its factors."""
    if problem.recording is None:
        return _wrapped(problem), None, np.column_stack([units.y, units.theta])
    graph, output, arrays = problem.recording
    x = np.stack(sizes, axis=1) if sizes else np.zeros((len(units.y), 0), np.int64)
    new, place, factors = in_units(graph, output, x, units.theta, -units.y)
    first = len(problem.data.x)
    arrays = [np.ldexp(a, -e[0]) for a, e in zip(arrays, sizes[first:], strict=True)]
    return problem.model.function, Recording(new, place, arrays), factors


def _wrapped(problem: Problem) -> Callable[..., Any]:
    """A model that is called, as a function of theta', 2^s and 2^c."""
    function, P = problem.model.function, len(problem.names)

    def model(x: Any, *theta: Any) -> Any:
        own = (a * b for a, b in zip(theta[:P], theta[P + 1 :], strict=True))
        value = function(x, *own)
        return (value if hasattr(value, "dtype") else np.asarray(value)) * theta[P]

    return model


# ---- the units -------------------------------------------------------------------------------


def choose_units(problem: Problem) -> tuple[Units, Array]:
    """Return the units of each fit, and whether its model and derivatives are finite in them.

    Sizes of y, sigma and the parameters give a first choice, in which the model is evaluated at its
    start; the sizes of its values and derivatives then give a better one, and so once more, for
    what the first could not see.
    """
    data, limits = problem.data, _LIMITS[problem.data.y.dtype]
    weight, sigma = _weights(data, limits)
    size = exponent(np.broadcast_to(problem.start.array, (data.n_fits, len(problem.names))))
    level = (exponent(data.y) + weight).max(axis=1, initial=_NOTHING)
    y = np.clip(np.where(level > _NOTHING, -level, 0), limits.least, limits.most)
    units = Units(y, sigma, STEP * np.where(size > _NOTHING, np.round(size / STEP), 0).astype(int))
    for _ in range(2):
        units, _ = _better(problem, units, weight, level, size)
    finite = _better(problem, units, weight, level, size)[1]
    # powers of theta' or of its inverse may leave the range inside the model
    far = limits.most // 4
    near = np.where(size > _NOTHING, np.clip(units.theta, size - far, size + far), units.theta)
    near = STEP * np.round(near / STEP).astype(np.int64)
    units = units._replace(theta=np.where(finite[:, None], units.theta, near))
    return units, finite | _better(problem, units, weight, level, size)[1]


def _better(
    problem: Problem, units: Units, weight: Array, level: Array, size: Array
) -> tuple[Units, Array]:
    """Units by the sizes of the model and its derivatives, and whether these are finite."""
    free, limits = list(problem.free), _LIMITS[problem.data.y.dtype]
    values = _at_start(scaled(problem, units))
    values[np.broadcast_to((weight <= _NOTHING)[:, None], values.shape)] = 0  # not used
    finite: Array = np.asarray(np.isfinite(values).all(axis=2))
    found = np.maximum(exponent(values) + weight[:, None], _NOTHING).max(axis=2, initial=_NOTHING)
    model, columns = found[:, 0], found[:, 1:]
    theta, own = units.theta[:, free], size[:, free]

    level = np.where(level > _NOTHING, level + units.y, model)
    highest = np.maximum(model, (own - theta + columns).max(axis=1, initial=_NOTHING))
    room = (limits.room - values.shape[2].bit_length()) // 2 - 1
    shift = np.where(level > _NOTHING, np.minimum(-level, room - highest), 0)
    y = np.clip(units.y + shift, limits.least, limits.most)
    moves = own - theta + columns - level[:, None]
    wanted = np.where((own > _NOTHING) & (moves < -limits.digits), limits.small, 0)
    change = columns + (y - units.y)[:, None] - wanted
    theta = theta - np.where((columns > _NOTHING) & finite[:, 1:], change, 0)
    far = limits.most - 40  # so that theta', which may change, remains a normal number
    theta = np.where(own > _NOTHING, np.clip(theta, own - far, own + far), theta)
    theta = STEP * np.round(np.clip(theta, limits.least, limits.most) / STEP).astype(np.int64)
    every = units.theta.copy()
    every[:, free] = theta
    return Units(y, units.sigma, every), np.asarray(finite.all(axis=1))


def exponent(values: Array) -> Array:
    """Return e with 2^(e - 1) <= abs(values) < 2^e, a very small number for 0."""
    return np.where(values == 0, _NOTHING, np.frexp(values)[1].astype(np.int64))


def _weights(data: Data, limits: _Limits) -> tuple[Array, Array]:
    """The exponents of 2^-t / sigma, (K, N), where a point is used, and t, (K,).

    The largest and the smallest are equally far from 1, but none is so large that its square leaves
    the range.
    """
    used = ~np.isnan(data.y)
    if data.use is not None:
        used &= data.use.array != 0
    if data.sigma is None:
        return np.where(used, 0, _NOTHING), np.zeros(len(used), np.int64)
    used &= data.sigma.array < np.inf
    size = exponent(np.broadcast_to(data.sigma.array, used.shape))
    least = size.min(axis=1, where=used, initial=-_NOTHING)
    most = size.max(axis=1, where=used, initial=_NOTHING)
    t = np.where(used.any(axis=1), np.maximum(-(least + most) // 2, -least - limits.weight), 0)
    t = np.clip(t, limits.least, limits.most)
    return np.where(used, -size - t[:, None], _NOTHING), t


def _at_start(problem: Problem) -> Array:
    """f and its derivatives at the start of each fit, shape (K, 1 + F, N)."""
    data, F = problem.data, len(problem.free)
    values = np.empty((data.n_fits, 1 + F, data.n_points), data.y.dtype)
    if problem.recording is None:
        for k, theta in enumerate(problem.start.array):
            f, J = problem.differences(k)(theta)
            values[k, 0], values[k, 1:] = f, J.T
        return values
    graph, output, arrays = problem.recording
    tape = compile_model(graph, output, problem.free)
    x = [*data.x, *(PerFit(np.ascontiguousarray(a, values.dtype), 0) for a in arrays)]
    rows, steps = [v.array for v in x], [v.step for v in x]
    is_float, (K, N) = values.dtype == np.float32, data.y.shape
    engine.evaluate_rows(tape, is_float, K, N, rows, steps, problem.start.array, values)
    return values
