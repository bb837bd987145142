"""The model of a problem, and its Jacobian, at given parameters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array, PerFit, numbers
from .._arguments.columns import columns_of
from .._arguments.pieces import contiguous
from .._core.differences import Differences
from .._core.tape import evaluate_rows
from ..model.tape import compile_model
from ..model.trace import Recording, RecordingError, record
from . import by_calls
from .by_calls import call
from .data import argument
from .problem import Problem, shared_values


def predict(problem: Problem, params: Array, x: Any = None) -> Array:
    """Return f(x; params) for every row of ``params``, at the fitted points for x=None."""
    if x is None:
        problem.data.needed("fitted values")
    rows = contiguous(params.reshape(-1, len(problem.names)))
    at, points, recording = _at(problem, x)
    out = np.empty((len(rows), prod(points)), params.dtype)
    if recording is None:
        _call(problem, x, at, points, rows, out)
    else:
        evaluate_recording(recording, (), at, rows, out)
    return out.reshape((*params.shape[:-1], *points))


def as_returned(problem: Problem, values: Array) -> Array:
    """Return values (..., R, N, ...) of R real outputs as the model returns its outputs."""
    return problem.data.as_returned(values, len(problem.data.batch))


def jacobian(problem: Problem, params: Array) -> Array:
    """Return df_i / dtheta_j at the fitted points, shape (..., N, P), for every row of params."""
    data, P = problem.data, len(problem.names)
    data.needed("Jacobian")
    rows = contiguous(params.reshape(-1, P))
    out = np.empty((len(rows), 1 + P, data.n_points), params.dtype)
    if problem.recording is None:
        every = problem._replace(free=tuple(range(P)))
        for fit, theta in enumerate(rows):
            out[fit, 1:] = _central(every.differences(fit), theta).T
    else:
        evaluate_recording(problem.recording, range(P), data.x, rows, out)
    J = np.moveaxis(out[:, 1:], 1, 2)
    return J.reshape(*params.shape[:-1], *data.points, P)


def values_and_slopes(
    problem: Problem, rows: Array, x: Any, free: Sequence[int]
) -> tuple[Array, Array]:
    """Return f, shape (B, ...), and df / dtheta by the free parameters, shape (B, ..., F), at x.

    ``rows`` (B, P) are the parameters; x is None for the fitted points.
    """
    if x is None:
        problem.data.needed("band at the fitted points; give x")
    at, points, recording = _at(problem, x)
    out = np.empty((len(rows), 1 + len(free), prod(points)), rows.dtype)
    if recording is None:
        _call(problem, x, at, points, rows, out[:, 0])
        for fit, theta in enumerate(rows):
            here = _argument(problem, x, at, points, fit)
            out[fit, 1:] = _slopes_by_calls(problem, here, theta, out[fit, 0], points, free).T
    else:
        evaluate_recording(recording, free, at, contiguous(rows), out)
    J = np.moveaxis(out[:, 1:], 1, 2)
    n = len(rows)  # by its number: no axis of an empty array can be told from its size
    return out[:, 0].reshape(n, *points), J.reshape(n, *points, len(free))


def _slopes_by_calls(
    problem: Problem, at: Any, theta: Array, f: Array, points: tuple[int, ...], free: Sequence[int]
) -> Array:
    """The derivatives (N, F) of a model that Python evaluates, by central differences at ``at``."""
    everywhere = np.full((2, theta.size), [[-np.inf], [np.inf]], theta.dtype)
    differences = by_calls.differences(
        problem.model.function,
        at,
        tuple(free),
        (f.copy(), np.ones_like(f)),
        (everywhere[0], everywhere[1]),
        points,
        theta.dtype,
    )
    return _central(differences, theta)


def _central(differences: Differences, theta: Array) -> Array:
    """The derivatives (N, F) at theta by central differences."""
    differences(theta)  # one-sided; the second call, at the same chi2, makes them central
    return np.asarray(differences(theta)[1])


def evaluate_recording(
    recording: Recording, free: Sequence[int], x: Sequence[PerFit], rows: Array, out: Array
) -> None:
    """Write f and its derivatives with respect to ``free`` to out (B, 1 + F, N), of each row."""
    graph, output, _ = recording
    tape = compile_model(graph, output, tuple(free)).tape
    at = [*x, *recording.rows]
    values, steps = [contiguous(v.array, out.dtype) for v in at], [v.step for v in at]
    evaluate_rows(tape, out.dtype == np.float32, len(rows), out.shape[-1], values, steps, rows, out)


def _at(problem: Problem, x: Any) -> tuple[tuple[PerFit, ...], tuple[int, ...], Recording | None]:
    """The variables at x, the fitted points for None, their shape, and the model recorded there."""
    if x is None:
        return problem.data.x, problem.data.points, problem.recording
    at, points = _variables(problem, x)
    recording, several = None, problem.data.several
    if problem.recording is not None or not problem.data.kept:
        recording = _recorded_at(problem, at, points)
    if several is not None:
        return several.repeated(at), (several.n_real, *points), recording
    return at, points, recording


def _recorded_at(problem: Problem, x: Sequence[PerFit], points: tuple[int, ...]) -> Any:
    """The model recorded at other points, on which its constants may depend."""
    data = problem.data
    try:
        return record(
            problem.model.function,
            len(x),
            len(problem.names),
            points,
            single=data.single,
            columns=data.names,
            data=shared_values(x),
            several=data.several,
        )
    except RecordingError as error:
        if not data.kept:  # a loaded result; its model may be one that Python calls
            return None
        raise ValueError(
            f"the model holds arrays for the fitted points only; call it to predict elsewhere "
            f"({error.operation})"
        ) from None


def _variables(problem: Problem, x: Any) -> tuple[tuple[PerFit, ...], tuple[int, ...]]:
    """Return the variables at the user's points x, and the shape of the points."""
    data, columns = problem.data, columns_of(x)
    if columns is None:
        parts = [x] if data.single else list(x)
    else:
        parts = [columns[name] for name in data.names or problem.model.independent]
    arrays = np.broadcast_arrays(*[numbers(v, "x", data.y.dtype) for v in parts])
    return tuple(PerFit(a.reshape(-1), 0) for a in arrays), arrays[0].shape


def _call(
    problem: Problem,
    given: Any,
    x: Sequence[PerFit],
    points: tuple[int, ...],
    rows: Array,
    out: Array,
) -> None:
    """Write what the model's function returns for each row of parameters."""
    with np.errstate(all="ignore"):  # as in the fit, what overflows is infinite without a warning
        for fit, theta in enumerate(rows):
            at = _argument(problem, given, x, points, fit)
            out[fit] = call(problem.model.function, at, theta, points, out.dtype)


def _argument(
    problem: Problem, given: Any, x: Sequence[PerFit], points: tuple[int, ...], fit: int
) -> Any:
    """Return x as the model's function gets it: of the data, or as the user gave it."""
    data = problem.data
    if given is None:
        return data.argument(fit)
    if data.several is not None:
        x, points = data.several.of_one(x, points)
    return given if columns_of(given) else argument(x, fit, points, data.form, data.names)
