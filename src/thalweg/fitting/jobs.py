"""The jobs that the engine gets: all fits of a recorded model, or one of a model that is called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .._arguments.check import Array, PerFit
from .._core import engine
from .._core.tape import Tape
from ..model.tape import compile_model
from .data import Data
from .options import Options
from .problem import Problem

_FLOAT32 = np.dtype(np.float32)


def compiled_job(problem: Problem, out: dict[str, Array], options: Options) -> engine.Job:
    """The engine's job for all fits of a recorded model, which is compiled."""
    data, recording, dtype = problem.data, problem.recording, problem.data.y.dtype
    assert recording is not None
    compiled = compile_model(recording.graph, recording.output, problem.free)
    x: Sequence[tuple[Array, int]] = data.x
    if recording.arrays:
        x = [*x, *((np.ascontiguousarray(a, dtype), step) for a, step in recording.rows)]
    B, N = data.y.shape
    lower, upper, noise = problem.lower, problem.upper, problem.noise
    return engine.Job(
        compiled.tape,
        dtype == _FLOAT32,
        B,
        N,
        x=x,
        y=data.y,
        sigma=data.sigma,
        mask=data.use,
        start=problem.start,
        lower=lower.array if problem.bounded else None,
        upper=upper.array if problem.bounded else None,
        bound_step=lower.step,
        fixed=problem.fixed,
        out=out,
        options=options,
        absolute_sigma=problem.absolute_sigma,
        scaled=problem.scaled,
        linear=compiled.linear if noise is None else (),  # with noise none has its best at once
        eliminate=problem.eliminate,
        noise=0 if noise is None else noise.code,
        f_scale=None if noise is None else noise.f_scale,
    )


@lru_cache(maxsize=64)
def _without_code(n_params: int, free: tuple[int, ...]) -> Tape:
    """The tape of a model that only its caller evaluates: it says which parameters are free."""
    return Tape(n_params, 0, [], (n_params, 0, 0), [], (0, 0, 0), free, [])


def one_job(
    problem: Problem, data: Data, options: Options, out: dict[str, Array], fit: int = 0
) -> engine.Job:
    """Return the job of one data set whose model Python evaluates."""

    def row(rows: PerFit) -> PerFit:
        return PerFit(rows.array[fit], 0) if rows.step else rows

    one = slice(fit, fit + 1)
    if data.n_fits > 1:
        out = {name: array.reshape(data.n_fits, -1)[one] for name, array in out.items()}
    return engine.Job(
        _without_code(len(problem.names), problem.free),
        data.y.dtype == np.float32,
        1,
        data.n_points,
        x=[],
        y=data.y[one],
        sigma=None if data.sigma is None else row(data.sigma),
        mask=None if data.use is None else row(data.use),
        start=row(problem.start),
        lower=row(problem.lower).array,
        upper=row(problem.upper).array,
        fixed=None if problem.fixed is None else problem.fixed[one],
        out=out,
        options=options,
        absolute_sigma=problem.absolute_sigma,
        scaled=problem.scaled,
    )
