"""The model of a problem, and its Jacobian, at given parameters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array, PerFit, numbers
from .._arguments.columns import columns_of
from .._arguments.pieces import contiguous
from .._core.tape import evaluate_rows
from ..model.tape import compile_model
from ..model.trace import Recording, RecordingError, record
from .by_calls import call
from .data import argument
from .problem import Problem, shared_values


def predict(problem: Problem, params: Array, x: Any = None) -> Array:
    """Return f(x; params) for every row of ``params``, at the fitted points for x=None."""
    if x is None:
        problem.data.needed("fitted values")
    rows = contiguous(params.reshape(-1, len(problem.names)))
    at, points = (problem.data.x, problem.data.points) if x is None else _variables(problem, x)
    recording = problem.recording
    if x is not None and (recording is not None or not problem.data.kept):
        recording = _recorded_at(problem, at, points)
    out = np.empty((len(rows), prod(points)), params.dtype)
    if recording is None:
        _call(problem, x, at, points, rows, out)
    else:
        evaluate_recording(recording, (), at, rows, out)
    return out.reshape(*params.shape[:-1], *points)


def jacobian(problem: Problem, params: Array) -> Array:
    """Return df_i / dtheta_j at the fitted points, shape (..., N, P), for every row of params."""
    data, P = problem.data, len(problem.names)
    data.needed("Jacobian")
    rows = contiguous(params.reshape(-1, P))
    out = np.empty((len(rows), 1 + P, data.n_points), params.dtype)
    if problem.recording is None:
        every = problem._replace(free=tuple(range(P)))
        for fit, theta in enumerate(rows):
            differences = every.differences(fit)
            differences(theta)  # one-sided; the second call, at the same chi2, makes them central
            out[fit, 1:] = differences(theta)[1].T
    else:
        evaluate_recording(problem.recording, range(P), data.x, rows, out)
    J = np.moveaxis(out[:, 1:], 1, 2)
    return J.reshape(*params.shape[:-1], *data.points, P)


def evaluate_recording(
    recording: Recording, free: Sequence[int], x: Sequence[PerFit], rows: Array, out: Array
) -> None:
    """Write f and its derivatives with respect to ``free`` to out (B, 1 + F, N), of each row."""
    graph, output, _ = recording
    tape = compile_model(graph, output, tuple(free)).tape
    at = [*x, *recording.rows]
    values, steps = [contiguous(v.array, out.dtype) for v in at], [v.step for v in at]
    evaluate_rows(tape, out.dtype == np.float32, len(rows), out.shape[-1], values, steps, rows, out)


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
    data = problem.data
    for fit, theta in enumerate(rows):
        if given is None:
            at = data.argument(fit)
        else:
            at = given if columns_of(given) else argument(x, fit, points, data.form, data.names)
        out[fit] = call(problem.model.function, at, theta, points, out.dtype)
