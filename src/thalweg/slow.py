"""Fit a model that cannot be recorded, by calling it as `scipy.optimize.curve_fit` does.

The steps are the engine's; only value and derivatives come from Python, the derivatives by
differences of values at theta_j + h and, near a minimum, theta_j - h (Nocedal and Wright, Numerical
Optimization, 2nd ed., section 8.1).

The step h.  Let s_j be the change of theta_j that changes the model by its own range, and eps' the
rounding of the model relative to that range.  Truncation and rounding errors balance at
h = s_j eps'^(1/2) for one-sided and h = s_j eps'^(1/3) for central differences, whose errors
then are about eps'^(1/2) and eps'^(2/3).  s_j is range / max |df/dtheta_j|, from the derivative
before: unlike |theta_j| it has the right size also where theta_j is near 0 or far from it.

Far from a minimum one-sided differences, half the calls, lead as well: an error of 1e-8 of the
derivatives changes a step by so much.  Where a fit converges they would end it beside the minimum,
and errors with them; so central ones take over as soon as chi2 moves by less than NEAR.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._check import Array
from ._core import engine

Evaluate = Callable[[Array], tuple[Array, Array]]  # theta -> f (N,), J (N, F)

NEAR = 0.1  # relative change of chi2 below which derivatives have to be good
_EXACT = 1e-10  # chi2 beside sum (y / sigma)^2 below which they have to be, too
_TRIES = 6  # of a first step h, each up to JUMP times another
_JUMP = 1e4
_LARGEST_NOISE = 1e-3  # relative rounding of a model that hardly moves


def call(
    function: Callable[..., Any], x: Any, theta: Array, points: tuple[int, ...], dtype: Any
) -> Array:
    """Return f(x; theta), shape (N,), as an array of its own.

    The function gets a copy of x, so that it may write into it, and may return one value per point,
    in any shape, or one for all; masked values are NaN.

    Raises
    ------
    ValueError
        It returns another number of values.
    TypeError
        They are not real numbers.
    """
    value = function(copied(x), *theta)
    array = np.asarray(np.ma.filled(value, np.nan) if np.ma.is_masked(value) else value)
    if array.dtype.kind not in "biuf":
        array = _numbers(value, array)
    N = int(np.prod(points))
    if array.size == N:
        return np.array(array.reshape(-1), dtype)
    if array.size == 1:
        return np.full(N, array.reshape(()), dtype)
    raise ValueError(
        f"the model must return one value per point, shape {points}, got shape {array.shape}"
    )


def _numbers(value: Any, array: Array) -> Array:
    try:
        if array.dtype.kind != "O" or value is None:
            raise TypeError
        return array.astype(float)
    except (TypeError, ValueError):
        kind = "None" if value is None else f"an array of {array.dtype}"
        raise TypeError(f"the model must return real numbers, got {kind}") from None


def copied(x: Any) -> Any:
    """Return x, a table, or a tuple or dict of arrays, as something that may be written to."""
    if isinstance(x, tuple):
        return tuple(map(copied, x))
    if isinstance(x, dict):
        return {name: copied(values) for name, values in x.items()}
    return x.copy() if hasattr(x, "copy") else x


class Differences:
    """Value and derivatives, with respect to ``free``, of a function that is called.

    At the start an exception of the function is the user's.  Later, where it refuses its parameters
    with an arithmetic or a value error, such as "math domain error", it is NaN: the step that led
    there is then rejected.

    Parameters
    ----------
    function, x
        As of `call`.
    free : tuple of int
        Parameters with a column of J.
    data : engine's row of y and 1 / sigma, each shape (N,)
        1 / sigma is 0 where a point is left out.
    box : pair of ndarray, shape (P,)
        Bounds, beyond which the function is not called.
    points : tuple of int
        The shape of the points.
    dtype : dtype
        float64 or float32.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        x: Any,
        free: tuple[int, ...],
        data: tuple[Array, Array],
        box: tuple[Array, Array],
        points: tuple[int, ...],
        dtype: Any,
    ) -> None:
        self.function, self.x, self.free = function, x, free
        self.y, self.weight = data
        self.box, self.points, self.dtype = box, points, dtype
        self.eps = float(np.finfo(dtype).eps)
        self.scale = np.zeros(len(free))  # s_j; 0: not known yet
        self.before: list[float] = []  # chi2 of the best trial and of the last ones

    def strict(self, theta: Array) -> Array:
        """Return the value at theta, or raise what the function raises."""
        with np.errstate(all="ignore"):
            return call(self.function, self.x, theta, self.points, self.dtype)

    def value(self, theta: Array) -> Array:
        """Return the value at theta, NaN where the function refuses it."""
        try:
            return self.strict(theta)
        except (ArithmeticError, ValueError):
            return np.full(len(self.y), np.nan, self.dtype)

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Return the value and its derivatives, shapes (N,) and (N, F)."""
        f = self.value(theta) if self.before else self.strict(theta)
        central = self._is_near(f)
        spread, relative = self._resolution(f, central)
        J = np.empty((len(f), len(self.free)), self.dtype)
        for k, j in enumerate(self.free):
            J[:, k] = self._derivative(f, theta, k, j, spread, relative, central)
        return f, J

    def _is_near(self, f: Array) -> bool:
        """Whether derivatives have to be good: at the start, and where chi2 hardly changes."""
        with np.errstate(all="ignore"):
            kept = self.weight > 0
            chi2 = float(np.sum(np.square((self.y - f) * self.weight), where=kept))
            total = float(np.sum(np.square(self.y * self.weight), where=kept))
        known = self.before
        near = not known or chi2 <= _EXACT * total
        near = near or any(abs(chi2 - before) <= NEAR * before for before in known)
        best = min([chi2, *known]) if chi2 == chi2 else min(known, default=np.inf)
        self.before = [best, *known[1:][-1:], chi2]
        return near

    def _resolution(self, f: Array, central: bool) -> tuple[float, float]:
        """The range of the values, and the relative change of it that a step should make."""
        finite = f[np.isfinite(f)].astype(float)
        size = float(np.max(np.abs(finite), initial=0.0))
        spread = float(np.ptp(finite)) if finite.size else 0.0
        if not spread > self.eps * size:
            spread = size or 1.0
        noise = min(self.eps * max(size, spread) / spread, _LARGEST_NOISE)
        return spread, noise ** (1 / 3 if central else 1 / 2)

    def _derivative(
        self,
        f: Array,
        theta: Array,
        k: int,
        j: int,
        spread: float,
        relative: float,
        central: bool,
    ) -> Array:
        tries = 1 if self.scale[k] else _TRIES
        scale = self.scale[k] or abs(float(theta[j])) or 1.0
        for _ in range(tries):
            column = self._quotient(f, theta, j, scale * relative, central)
            finite = np.abs(column[np.isfinite(column)])
            steepest = float(np.max(finite, initial=0.0))
            wanted = spread / steepest if steepest else scale * _JUMP
            if not finite.size:
                wanted = scale / _JUMP
            before, scale = scale, min(max(wanted, scale / _JUMP), scale * _JUMP)
            if steepest and before / 8 <= scale <= 8 * before:
                break
        self.scale[k] = scale if steepest else 0.0
        return column

    def _quotient(self, f: Array, theta: Array, j: int, h: float, central: bool) -> Array:
        """(f(theta + h) - f(theta - h)) / 2 h; one-sided where only one side has a value."""
        ends = self._ends(theta, j, h)
        values = [self.value(ends[0])]
        missing = np.isnan(values[0]) & ~np.isnan(f)
        if len(ends) > 1 and (central or missing.any()):
            values.append(self.value(ends[1]))
        with np.errstate(all="ignore"):
            column, *other = [
                (v - f) / (end[j] - theta[j]) for v, end in zip(values, ends, strict=False)
            ]
            if other:
                both = (values[0] - values[1]) / (ends[0][j] - ends[1][j])
                one = np.where(np.isnan(column), other[0], column)
                column = np.where(np.isnan(both), one, both)
        result: Array = column
        return result

    def _ends(self, theta: Array, j: int, h: float) -> list[Array]:
        """theta_j moved by h upwards and downwards, as far as the bounds let it."""
        here, lower, upper = (float(v[j]) for v in (theta, *self.box))
        h = max(h, 4 * float(np.spacing(np.abs(theta[j]))))  # else theta_j might not move
        if upper - lower < 2 * h:
            h = (upper - lower) / 4 or h
        ends = []
        for to in (here + h, here - h):
            end = theta.copy()
            with np.errstate(over="ignore"):  # of float32; the function says what infinity is
                end[j] = to
            if lower <= to <= upper or lower == upper:
                ends.append(end)
        return ends


def run(job: engine.Job, evaluate: Evaluate, n_params: int, dtype: Any) -> None:
    """Fit data set 0 of a job, whose results are then written."""
    trials = engine.Trials(job, np.empty(n_params, dtype))
    while not trials.done:
        f, J = evaluate(trials.trial)
        trials.next(np.ascontiguousarray(f), np.ascontiguousarray(J))
