"""The jobs that the engine gets: all fits of a recorded model, or one of a model that is called."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

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
    x: list[tuple[Array, int]] = list(data.x)
    if recording.arrays:
        x += [(np.ascontiguousarray(a, dtype), step) for a, step in recording.rows]
    more: dict[str, Any] = {"linear": compiled.linear}  # and what few problems have
    if data.sigma is not None:
        more["sigma"] = data.sigma
    if data.use is not None:
        more["mask"] = data.use
    if problem.bounded:
        lower, upper = problem.lower, problem.upper
        more |= {"lower": lower.array, "upper": upper.array, "bound_step": lower.step}
    if problem.fixed is not None:
        more["fixed"] = problem.fixed
    if problem.scaled:
        more["scaled"] = True
    if problem.eliminate:
        more["eliminate"] = True
    if (noise := problem.noise) is not None:
        more |= {"noise": noise.code, "linear": ()}  # a linear parameter has no best value at once
        if noise.f_scale is not None:
            more["f_scale"] = noise.f_scale
    return engine.Job(
        compiled.tape,
        dtype == _FLOAT32,
        *data.y.shape,
        x=x,
        y=data.y,
        start=problem.start,
        out=out,
        options=(*options[:4], problem.absolute_sigma),
        attempts=options.attempts,
        **more,
    )


@lru_cache(maxsize=64)
def _without_code(n_params: int, free: tuple[int, ...]) -> Tape:
    """The tape of a model that only its caller evaluates: it says which parameters are free."""
    return Tape(n_params, 0, [], (n_params, 0, 0), [], (0, 0, 0), free, [])


def one_job(
    problem: Problem, data: Data, options: Options, out: dict[str, Array], fit: int = 0
) -> engine.Job:
    """Return the job of one data set whose model Python evaluates."""

    def row(rows: PerFit | None) -> tuple[Array | None, int]:
        return (None, 0) if rows is None else (rows.array[fit] if rows.step else rows.array, 0)

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
        sigma=row(data.sigma),
        mask=row(data.use),
        start=row(problem.start),
        lower=row(problem.lower)[0],
        upper=row(problem.upper)[0],
        fixed=None if problem.fixed is None else problem.fixed[one],
        out=out,
        options=(*options[:4], problem.absolute_sigma),
        scaled=problem.scaled,
        attempts=options.attempts,
    )
