"""Fits of the same data again: with other y, with points left out, or with a parameter held.

They start at the parameters of the result, and run as one batch in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import Array, PerFit
from .options import options_for
from .problem import Problem

if TYPE_CHECKING:
    from .result import FitResult

AT_ONCE = 1 << 22  # values of y, and of theta, that are copied at a time: 32 MiB each


def parts(n_fits: int, numbers_per_fit: int) -> Iterator[Array]:
    """Yield the places of the fits, as many at a time as have some 32 MiB of numbers."""
    step = max(1, AT_ONCE // max(1, numbers_per_fit))
    for begin in range(0, n_fits, step):
        yield np.arange(begin, min(begin + step, n_fits))


def repeated(result: FitResult, places: Array) -> Problem:
    """Return the problem of the fits at these places, each of which starts where it ended."""
    problem = result.problem.picked(places)
    theta = result.params.reshape(-1, len(result.names))[places]
    lower, upper = problem.lower.array, problem.upper.array
    inside = np.clip(theta, lower, upper) if problem.bounded else theta
    return problem._replace(start=PerFit(np.ascontiguousarray(inside), 1), eliminate=False)


@contextmanager
def keeping(result: Callable[[], Any]) -> Iterator[None]:
    """Give what interrupts the work within, such as Ctrl-C, the finished part as ``result``."""
    try:
        yield
    except BaseException as error:
        with suppress(AttributeError):  # an exception class of the user's may refuse attributes
            error.result = result()  # type: ignore[attr-defined]
        raise


def run_again(problem: Problem, threads: int) -> FitResult:
    """Fit a problem by the default tolerances."""
    from .fit import run  # which itself makes results

    dtype, by_calls = problem.data.y.dtype, problem.recording is None
    return run(problem, options_for(dtype, len(problem.names), by_calls), threads)
