"""Fit a model that cannot be recorded, by calling it as `scipy.optimize.curve_fit` does.

The steps are the engine's; only values and derivatives come from Python, the derivatives by
differences of values (`thalweg.reference.differences` says which, and why).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._core import engine
from .._core.differences import Differences
from .._core.leading import Leading

# theta -> f (N,), J (N, F), and the relative error of the columns of J
Evaluate = Callable[[Array], tuple[Array, Array, float]]


def call(
    function: Callable[..., Any], x: Any, theta: Sequence[Any], points: tuple[int, ...], dtype: Any
) -> Array:
    """Return f(x; theta), shape (N,), which may be an array that the function keeps.

    The function gets a copy of x, so that it may write into it, and may return one value per point,
    in any shape, or one for all; masked values are NaN.

    Raises
    ------
    ValueError
        The function returns another number of values.
    TypeError
        The values are not real numbers.
    """
    return as_row(function(copied(x), *theta), points, dtype)


def as_row(value: Any, points: tuple[int, ...], dtype: Any) -> Array:
    """Return what a function has returned as `call` does."""
    if type(value) is np.ndarray and value.dtype is dtype and value.shape == points:
        return np.ascontiguousarray(value.reshape(-1))
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(float), np.nan)
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"the model must return one value per point, shape {points}, got a "
            f"{type(value).__name__} of parts of different shapes"
        ) from None
    if array.dtype.kind not in "fiub":
        array = _numbers(value, array)
    if array.shape == points:
        return np.array(array, dtype).reshape(-1)
    N = prod(points)
    if array.size == N:
        return np.array(array, dtype).reshape(-1)
    if array.size == 1:
        return np.full(N, array.reshape(()), dtype)
    cure = "; K outputs need y of shape (..., K, N)" * (array.shape[1:] == points)
    raise ValueError(
        f"the model must return one value per point, shape {points}, got shape {array.shape}{cure}"
    )


def differences(
    function: Callable[..., Any],
    x: Any,
    free: tuple[int, ...],
    data: tuple[Array, Array],
    box: tuple[Array, Array],
    points: tuple[int, ...],
    dtype: Any,
    seen: tuple[Array, Array] | None = None,
) -> Differences:
    """Return value and derivatives, with respect to ``free``, of f(x; theta) at these points.

    ``seen`` is a theta at which the function has been called already, and its value there; it is
    not called a second time if that is where it is wanted first.
    """
    known = None if seen is None else (seen[0].tolist(), seen[1])
    of_row = (prod(points),)
    copy = x.copy if type(x) is np.ndarray else partial(copied, x)

    def values(theta: Sequence[Any]) -> Array:
        nonlocal known
        if known is not None:
            (there, row), known = known, None
            if there == list(theta):
                return row
        value = function(copy(), *theta)
        if type(value) is np.ndarray and value.dtype is dtype and value.shape == of_row:
            return value if value.flags.c_contiguous else value.copy()
        return as_row(value, points, dtype)

    return Differences(values, free, data, box, dtype)


class OfPresent:
    """A function that Python calls, with the points alone whose x is known.

    Parameters
    ----------
    function : callable
        f(x, *theta).
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, x: Any, *theta: Any) -> Array:
        """Return f at the points whose x is known, and NaN at the others."""
        rows = list(x.values()) if isinstance(x, dict) else x if isinstance(x, tuple) else [x]
        known = ~np.any([np.isnan(np.atleast_2d(row)).any(axis=0) for row in rows], axis=0)
        value = self._function(_each(lambda row: row[..., known], x), *theta)
        every = np.full(len(known), np.nan)
        every[known] = as_row(value, (int(np.count_nonzero(known)),), every.dtype)
        return every


def _numbers(value: Any, array: Array) -> Array:
    try:
        if array.dtype.kind != "O" or value is None:
            raise TypeError
        return array.astype(float)
    except (TypeError, ValueError):
        of_one = array.ndim == 0 and array.dtype.kind == "O"
        name = "None" if value is None else f"a {type(value).__name__}"
        kind = name if of_one else f"an array of {array.dtype}"
        cure = "; a complex model needs a complex y" * (array.dtype.kind == "c")
        raise TypeError(f"the model must return real numbers, got {kind}{cure}") from None


def copied(x: Any) -> Any:
    """Return a copy of x, a table, or a tuple or dict of arrays, which may be written to."""
    if type(x) is np.ndarray:
        return x.copy()
    return _each(lambda values: values.copy() if hasattr(values, "copy") else values, x)


def _each(change: Callable[[Any], Any], x: Any) -> Any:
    """Return what a function makes of x, or of each array in a tuple or dict, in the same form."""
    if isinstance(x, tuple):
        return tuple(_each(change, values) for values in x)
    if isinstance(x, dict):
        return {name: _each(change, values) for name, values in x.items()}
    return change(x)


def run(job: engine.Job, evaluate: Evaluate, n_params: int, dtype: Any) -> None:
    """Fit data set 0 of a job, with later attempts where these may help; results are written."""
    differences = evaluate if isinstance(evaluate, Differences) else None

    def values(theta: Array) -> tuple[Array, Array, float]:
        f, J, error = evaluate(theta)
        return np.ascontiguousarray(f), np.ascontiguousarray(J), error

    def value(theta: Array) -> Array:
        return values(theta)[0] if differences is None else differences.value(theta)

    trials = engine.Trials(job, np.empty(n_params, dtype))
    if differences is None:
        while not trials.done:
            trials.next(*values(trials.trial))
    else:
        leading = Leading(differences)
        with np.errstate(all="ignore"):
            while not trials.done:
                trials.next(*leading(trials.trial, trials.renews))
    if job.unsettled:
        job.again_called(values, value, np.empty(n_params, dtype))
