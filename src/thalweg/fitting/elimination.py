"""Parameters that need no start, because the model is linear in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._arguments.check import PerFit
from ..model.tape import compile_model
from .starting import Box, refuse_outside

if TYPE_CHECKING:
    from ..model.trace import RecordingError
    from .problem import Problem


def eliminating(
    problem: Problem, linear: str, given: Collection[str], refusal: RecordingError | None
) -> Problem:
    """Return the problem with its linear parameters to begin at their best.

    ``given`` are the parameters that have a start.

    Raises
    ------
    ValueError
        ``linear`` is not "auto", the model cannot be recorded, or another parameter has no start,
        or one that all fits share outside of its bounds.
    """
    if linear != "auto":
        raise ValueError(f"linear must be 'auto' or None, got {linear!r}")
    if problem.recording is None:
        raise ValueError(f"linear='auto' needs a model that can be recorded: {refusal}")
    names, free = problem.names, problem.free
    graph, output, _ = problem.recording
    places = [free[k] for k in compile_model(graph, output, free).linear]
    tied = () if problem.ties is None else problem.ties.texts
    absent = [
        name for j, name in enumerate(names) if name not in (*given, *tied) and j not in places
    ]
    if absent:
        found = ", ".join(names[j] for j in places) or "none"
        raise ValueError(
            f"p0 must give {', '.join(absent)}; linear together, and without need of a start, "
            f"are {found}"
        )
    box = Box(problem.lower, problem.upper, problem.bounded)
    start = refuse_outside(_without(problem, places), box, names)
    return problem._replace(eliminate=True, start=start)


def _without(problem: Problem, places: Sequence[int]) -> PerFit:
    """The start with these parameters at 0 or at the bound that is nearest to it.

    What users say of their start may be so far from y that its squares are out of range.  A
    parameter that is fixed for some fits keeps its start there.
    """
    start, lower, upper = (row.array for row in (problem.start, problem.lower, problem.upper))
    nearest = np.clip(np.zeros((), start.dtype), lower, upper)
    kept = ~np.isin(np.arange(start.shape[-1]), places)
    if problem.fixed is not None:
        kept = kept | (problem.fixed != 0)
    array = np.where(kept, start, nearest)
    return PerFit(np.ascontiguousarray(array), int(array.ndim > 1))
