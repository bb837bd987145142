"""A problem in other units: powers of two, so that no digit changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, PerFit
from ..model.trace import Recording
from ..model.units import STEP, in_units
from .by_calls import Evaluate
from .data import Data
from .problem import Problem


class Limits(NamedTuple):
    """Exponents of two that an element type allows, each that of the number described."""

    least: int  # the smallest normal number
    most: int  # the largest finite number
    room: int  # the largest sum of squares that csrc/fit/range.h lets pass
    weight: int  # the largest 1/sigma, so that its square is far from infinite
    digits: int  # how many binary digits a number has
    small: int  # a column that hardly moves the model at the start: it may grow later


LIMITS = {
    np.dtype(np.float64): Limits(-1022, 1023, 510, 480, 53, -250),
    np.dtype(np.float32): Limits(-126, 127, 62, 55, 24, -30),
}
NOTHING = np.iinfo(np.int32).min // 4  # stands for the exponent of 0


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


def exponent(values: Array) -> Array:
    """Return e with 2^(e - 1) <= abs(values) < 2^e, or `NOTHING` for 0."""
    return np.where(values == 0, NOTHING, np.frexp(values)[1].astype(np.int64))


def whole(exponents: Array) -> Array:
    """Return the nearest multiples of `STEP`."""
    return STEP * np.round(exponents / STEP).astype(np.int64)


def scaled(problem: Problem, units: Units) -> Problem:
    """Return the problem in other units; the model's parameters are followed by its factors."""
    data, sizes = problem.data, _sizes_of_x(problem)
    function, recording, factors = _scaled_model(problem, units, sizes)
    limits = LIMITS[data.y.dtype]
    factors = np.ldexp(data.y.dtype.type(1), np.clip(factors, limits.least, limits.most))
    anywhere = np.full(factors.shape, np.inf, data.y.dtype)

    def rows(row: PerFit, extra: Array) -> PerFit:
        own = np.ldexp(np.broadcast_to(row.array, units.theta.shape), -units.theta)
        return PerFit(np.ascontiguousarray(np.column_stack([own, extra]), data.y.dtype), 1)

    noise = problem.noise
    if noise is not None and noise.f_scale is not None:
        own = np.broadcast_to(noise.f_scale.array, units.y.shape)
        noise = noise._replace(f_scale=PerFit(np.ldexp(own, units.y - units.sigma), 1))
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
        noise=noise,
        scaled=True,
        seen=None,
    )


def _scaled_data(data: Data, units: Units, sizes: list[Array]) -> Data:
    sigma = data.sigma
    if sigma is not None:
        spread = np.ldexp(np.broadcast_to(sigma.array, data.y.shape), units.sigma[:, None])
        sigma = PerFit(spread, 1)
    x = [_divided(row, e) for row, e in zip(data.x, sizes, strict=False)] or data.x
    return data._replace(x=tuple(x), y=np.ldexp(data.y, units.y[:, None]), sigma=sigma)


def _divided(row: PerFit, exponents: Array) -> PerFit:
    """The values of a variable in its units."""
    own = exponents[:, None] if row.step else exponents[0]
    return PerFit(np.ldexp(row.array, -own), row.step)


def _sizes_of_x(problem: Problem) -> list[Array]:
    """The exponents of each variable and of each array of the model, one for each fit."""
    arrays = problem.recording.rows if problem.recording else []
    sizes = []
    for row in (*problem.data.x, *arrays):
        values = np.atleast_2d(np.where(np.isfinite(row.array), row.array, 0))
        size = exponent(values).max(axis=1, initial=NOTHING)
        size = whole(np.where(size > NOTHING, size, 0))
        sizes.append(np.broadcast_to(size, (problem.data.n_fits,)))
    return sizes


def _scaled_model(
    problem: Problem, units: Units, sizes: list[Array]
) -> tuple[Callable[..., Any], Recording | None, Array]:
    """The function and the recording in other units, and the exponents of its factors."""
    if problem.recording is None:
        return _wrapped(problem), None, np.column_stack([units.y, units.theta])
    graph, output, _ = problem.recording
    x = np.stack(sizes, axis=1) if sizes else np.zeros((len(units.y), 0), np.int64)
    new, place, factors = in_units(graph, output, x, units.theta, -units.y)
    first = len(problem.data.x)
    rows = zip(problem.recording.rows, sizes[first:], strict=True)
    arrays = [_divided(row, exponents).array for row, exponents in rows]
    return problem.model.function, Recording(new, place, arrays), factors


def _wrapped(problem: Problem) -> Callable[..., Any]:
    """A model that is called, as a function of theta' and the factors 2^s and 2^c."""
    function, P = problem.model.function, len(problem.names)

    def model(x: Any, *theta: Any) -> Any:
        own = (a * b for a, b in zip(theta[:P], theta[P + 1 :], strict=True))
        value = function(x, *own)
        return (value if hasattr(value, "dtype") else np.asarray(value)) * theta[P]

    return model


def in_other_units(evaluate: Evaluate) -> Evaluate:
    """Return a function of theta' and its factors that gives f and J in those units."""

    def other(theta: Array) -> tuple[Array, Array, float]:
        P = len(theta) // 2
        f, J, error = evaluate(theta[:P] * theta[P + 1 :])
        return f * theta[P], J * theta[P] * theta[P + 1 :], error

    return other
