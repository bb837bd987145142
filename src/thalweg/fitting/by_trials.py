"""Fits whose value and Jacobian come trial by trial from Python.

Such are the fits of `curve_fit` with a covariance matrix of the data, which mixes the points, and
those with a Jacobian of the user's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, numbers
from .._core.tape import evaluate as evaluate_tape
from ..model.tape import compile_model
from . import by_calls as slow
from .jobs import one_job
from .options import Options
from .problem import Problem
from .rescale import run_again, take_back
from .result import FitResult
from .scaled import in_other_units
from .storage import attach_result, result_of, results_for


class Whitening(NamedTuple):
    """The linear map that makes the errors of y independent and of size 1."""

    matrix: Array  # L^-1 for a covariance matrix C = L L': L^-1 (y - f) has unit covariance
    kept: Array  # bool (M,): the points that it acts on

    def of(self, rows: Array) -> Array:
        """Return L^-1 times the rows, shape (M,) or (M, F), of the points kept."""
        product: Array = self.matrix @ rows[self.kept]
        return product


def whitening(sigma: Any, n_points: int, missing: Array | None) -> Whitening | None:
    """Return the whitening by a covariance matrix ``sigma``; None if sigma is no matrix."""
    if sigma is None or np.ndim(sigma) < 2:
        return None
    matrix = numbers(sigma, "sigma", np.dtype(float))
    if matrix.shape != (n_points, n_points):
        raise ValueError(f"sigma must have shape (), (M={n_points},) or (M, M), got {matrix.shape}")
    kept = np.ones(n_points, bool) if missing is None else ~missing
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(matrix[np.ix_(kept, kept)]))
    except np.linalg.LinAlgError:
        raise ValueError("sigma must be positive definite as a covariance matrix") from None
    return Whitening(inverse, kept)


def run_by_trials(
    problem: Problem,
    options: Options,
    jac: Callable[..., Any] | None,
    whiten: Whitening | None,
) -> FitResult:
    """Run a fit with value and Jacobian from Python: whitened, or by the user's own Jacobian."""
    data, n_params = problem.data, len(problem.names)
    evaluate = _by_tape(problem) if problem.recording else _by_user(problem, jac)
    if whiten is not None:
        plain, whitened = evaluate, whiten.of
        data = data._replace(y=np.ascontiguousarray(whitened(data.y[0])[None]), use=None)

        def evaluate(theta: Array) -> tuple[Array, Array, float]:
            f, J, error = plain(theta)
            return whitened(f), whitened(J), error

    def run_scaled(scaled: Problem, results: dict[str, Array], _: Any) -> None:
        job = one_job(scaled, scaled.data, options, results)
        slow.run(job, in_other_units(evaluate), len(scaled.names), np.dtype(float))

    out, called = results_for(problem), problem._replace(data=data, recording=None)
    try:
        slow.run(one_job(problem, data, options, out), evaluate, n_params, np.dtype(float))
        run_again(called, out, run_scaled, evaluate=evaluate)
    except BaseException as error:
        attach_result(error, problem, out, take_back)
        raise
    return result_of(problem, out)


def _by_tape(problem: Problem) -> slow.Evaluate:
    assert problem.recording is not None
    graph, output, own = problem.recording
    tape = compile_model(graph, output, problem.free).tape
    x = [*(row.array for row in problem.data.x), *own]  # one data set: its x is shared
    values = np.empty((1 + len(problem.free), problem.data.n_points))

    def evaluate(theta: Array) -> tuple[Array, Array, float]:
        evaluate_tape(tape, False, values.shape[1], x, theta, values)
        return values[0], values[1:].T, 0.0

    return evaluate


def _by_user(problem: Problem, jac: Callable[..., Any] | None) -> slow.Evaluate:
    differences = problem.differences(0)
    if jac is None:
        return differences
    x = problem.data.argument(0)
    n_points, n_params = problem.data.n_points, len(problem.names)
    started = False

    def evaluate(theta: Array) -> tuple[Array, Array, float]:
        nonlocal started
        f = differences.value(theta) if started else differences.strict(theta)
        started = True
        if np.isnan(f).all():
            return f, np.full((n_points, n_params), np.nan), 0.0
        J = np.array(jac(slow.copied(x), *theta), float)
        if J.shape != (n_points, n_params):
            raise ValueError(f"jac must return shape (M={n_points}, P={n_params}), got {J.shape}")
        return f, J, 0.0

    return evaluate
