"""Derivatives, by differences of its values, of a model that Python calls.

They are differences of values at theta_j + h and, near a minimum, theta_j - h (Nocedal and Wright,
Numerical Optimization, 2nd ed., section 8.1).

The step h.  Let s_j be the change of theta_j that changes the model by its own range, and eps' the
rounding of the model relative to that range: eps times the size of its values, or of theta_j
df/dtheta_j where that is larger, as where the values are differences of large terms.  Truncation
and rounding errors balance at h = s_j eps'^(1/2) for one-sided and h = s_j eps'^(1/3) for central
differences, whose errors then are about eps'^(1/2) and eps'^(2/3).  s_j is
range / max |df/dtheta_j|, from the derivative before: unlike |theta_j| it has the right size also
where theta_j is near 0 or far from it.  Where the model is flat in theta_j, s_j is not larger than
|theta_j| has been, so that theta_j + h stays in the neighbourhood.  A step that changes the model
by far more than it should has left it, as where theta_j - h of a lifetime is negative, and is
shortened.

Far from a minimum one-sided differences, which need half the calls, do as well: their relative
error of about 1e-8 changes a step by no more than that.  Near a minimum such errors would end the
fit beside it, and spoil the standard errors; so central differences take over as soon as chi2
changes, or could fall, by less than a share eps^(3/8) of it, 1e-6 in float64.  That is far more
than the errors of one-sided differences can feign, eps at most, and leaves one or two trials.
The first attempt does with fewer still, because the engine tells where it would end (`Leading`).

A derivative that only leads to the next trial may be rough (`Leading`).  So on the way the columns
of J are

- one-sided differences, P calls of the model,
- or, after a step s too short to change J, or along which the model is linear, the last J, no call;
- or, once far from a minimum where J has nearly foretold the values, the last J with the least
  change that explains them:  J + (Δf - J s) (D² s)' / (s' D² s),  no call either (Broyden 1965;
  Nocedal and Wright, Numerical Optimization, 2nd ed., section 11.1).  D_j is |J_j|, so that the
  units of parameters do not matter.

Nothing rests on a rough J: where a fit would end, the engine asks for J once more, by central
differences, and judges anew (csrc/fit/one.h: renew).  Where that lets it go on, the
last J is as good as one can be and is changed from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_EXACT = 1e-10  # differences are central where chi2 is less than this share of sum (y / sigma)^2
_TRIES = 6  # how often a step h is tried, each time up to _JUMP times as long or as short
_JUMP = 1e4
_FLAT = 1e-3  # s_j may be |theta_j|, but not less than _FLAT range / max |df/dtheta_j|
_ALIKE = 30  # steps may differ by this factor: errors grow as its square root at most
_TOO_LONG = 0.1  # a step that changes the model by more than this share of its range is too long
_LARGEST_NOISE = 1e-3  # the rounding eps' of a model that hardly moves counts as no more than this

# J has nearly foretold the values where it missed at most _FORETOLD of their change, and the fit is
# far from a minimum where a step lowers chi2 to at most _FAR of it.  Nearer to it the errors of J
# times the residual decide where a fit ends, so that a changed J is followed by one of differences.
# A step is short that lowers chi2 by at most _SHORT of it: along it, a thousandth of the residual,
# J changes by less than matters to the next step.
_FORETOLD = 0.1
_FAR = 0.5
_SHORT = 1e-6


class Differences:
    """Value and derivatives, with respect to ``free``, of a function that is called.

    An exception of the function at the start is raised.  Later an ArithmeticError or a ValueError,
    such as "math domain error", counts as a value of NaN, so that the step which led there is
    rejected.

    Parameters
    ----------
    call : callable
        ``call(theta)``, with a tuple of P numbers, returns f (N,).
    free : tuple of int
        Parameters with a column of J.
    data : pair of ndarray, shape (N,)
        y and 1 / sigma; 1 / sigma is 0 where a point is left out.
    box : pair of ndarray, shape (P,)
        Bounds, beyond which the function is not called.
    dtype : dtype
        float64 or float32.
    """

    def __init__(
        self,
        call: Callable[[tuple[Any, ...]], Array],
        free: tuple[int, ...],
        data: tuple[Array, Array],
        box: tuple[Array, Array],
        dtype: Any,
    ) -> None:
        self.call, self.free = call, free
        self.y, self.weight = data
        self.lower, self.upper = (side.tolist() for side in box)
        self.dtype = np.dtype(dtype)
        self.eps = float(np.finfo(dtype).eps)
        self.near = self.eps ** (3 / 8)  # the share of chi2 by which it changes near a minimum
        self.scale = [0.0] * len(free)  # s_j; 0: not known yet
        self.largest = [0.0] * len(free)  # |theta_j| at any trial
        self.range = 0.0  # the range of the values at the start: that of residuals vanishes later
        self.before: list[float] = []  # chi2 of the best trial and of the last one
        self.terms = 0.0  # the largest |theta_j df/dtheta_j|: terms may be larger than their sum
        self.error = 0.0  # the relative error of J at the best trial
        self.last: tuple[Array | None, Any] = None, None  # theta and J of central differences
        self.relative_step = self.eps ** (1 / 2) / 4  # a move that changes J by less than its error
        kept = self.weight > 0
        self.kept = None if kept.all() else kept
        if self.kept is not None:
            self.y = np.where(kept, self.y, 0)  # a y that is left out may be infinite
        self.total = self.sum_of_squares(self.y)

    def strict(self, theta: Array) -> Array:
        """Return the value at theta, or raise what the function raises."""
        with np.errstate(all="ignore"):
            return np.array(self.call(tuple(theta)))

    def value(self, theta: Array) -> Array:
        """Return the value at theta, NaN where the function refuses it."""
        try:
            return np.array(self.call(tuple(theta)))
        except (ArithmeticError, ValueError):
            return np.full(len(self.y), np.nan, self.dtype)

    def __call__(self, theta: Array) -> tuple[Array, Array, float]:
        """Return the value and its derivatives, shapes (N,) and (N, F), and their relative error.

        The error is that of the derivatives where chi2 was least.
        """
        with np.errstate(all="ignore"):
            f = self.value(theta) if self.before else self.strict(theta)
            central = self._is_near(f)
            if central and self._is_where_it_was(theta):
                return f, self.last[1], self.error
            J = self._jacobian(f, theta, central)
            if not central and self._is_at_right_angles(f, J):
                central, J = True, self._jacobian(f, theta, True)
        self.last = (theta.copy() if central else None), J
        return f, J, self.error

    def chi2_of(self, f: Array) -> float:
        """The sum of squares of the residuals of these values."""
        return self.sum_of_squares(self.y - f)

    def is_finite(self, J: Array) -> bool:
        """Whether derivatives are finite at every point that is not left out."""
        return bool(np.isfinite(J if self.kept is None else J[self.kept]).all())

    def at(self, f: Array, theta: Array, central: bool) -> Array:
        """Return the derivatives at theta, where f is and chi2 is the least so far."""
        self.before = 2 * [self.chi2_of(f)]
        J = self._jacobian(f, theta, central)
        self.last = (theta.copy() if central else None), J
        return J

    def _jacobian(self, f: Array, theta: Array, central: bool) -> Array:
        """The derivatives at theta by differences, shape (N, F)."""
        spread, relative = self._resolution(f, central)
        self.range = self.range or spread
        if self.before[0] == self.before[1]:  # chi2 is the least so far
            self.error = _ALIKE**0.5 * relative ** (2 if central else 1)
        J = np.empty((len(f), len(self.free)), self.dtype)
        for k, j in enumerate(self.free):
            J[:, k] = self._derivative(f, theta, k, j, spread, relative, central)
        terms = np.abs(theta[list(self.free)]) * np.abs(J).max(axis=0, initial=0.0)
        self.terms = float(terms.max(initial=0.0, where=np.isfinite(terms)))
        return J

    def _is_at_right_angles(self, f: Array, J: Array) -> bool:
        """Whether no parameter alone could lower chi2 by more than `near`: a fit may stop here.

        That is where a first step has led from far away straight to a minimum, as that of a model
        which is linear does.
        """
        e, columns = (self.y - f) * self.weight, J * self.weight[:, None]
        if self.kept is not None:
            e, columns = e[self.kept], columns[self.kept]
        products, squares = e @ columns, np.einsum("ij,ij->j", columns, columns)
        return bool((products**2 <= self.near * (e @ e) * squares).all())

    def _is_where_it_was(self, theta: Array) -> bool:
        """Whether the last derivatives were central differences and will do here as well."""
        last = self.last[0]
        return last is not None and all(
            abs(float(theta[j]) - float(last[j])) <= self.relative_step * scale
            for j, scale in zip(self.free, self.scale, strict=True)
        )

    def sum_of_squares(self, residual: Array) -> float:
        """The sum of (residual / sigma)^2 over the points that are not left out."""
        with np.errstate(all="ignore"):  # the sum may be infinite
            weighted = residual * self.weight
            if self.kept is not None:  # a point that is left out may be NaN
                weighted = weighted[self.kept]
            return float((weighted * weighted).sum())  # BLAS would round as memory lies

    def _is_near(self, f: Array) -> bool:
        """Whether differences must be central, because chi2 hardly changes or is nearly 0."""
        chi2 = self.chi2_of(f)
        near = chi2 <= _EXACT * self.total
        near = near or any(abs(chi2 - before) <= self.near * before for before in self.before)
        best = self.before[0] if self.before and not chi2 < self.before[0] else chi2
        self.before = [best, chi2]
        return near

    def _resolution(self, f: Array, central: bool) -> tuple[float, float]:
        """The range of the values, and the relative change of it that a step should make."""
        low, high = f.item(f.argmin()), f.item(f.argmax())
        if not -np.inf < low <= high < np.inf:
            finite = f[np.isfinite(f)]
            low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        size, spread = max(-low, high), high - low
        if not spread > self.eps * size:
            spread = size or 1.0
        noise = min(self.eps * max(size, spread, self.terms) / spread, _LARGEST_NOISE)
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
        known, longest = bool(self.scale[k]), np.inf
        largest = self.largest[k] = max(self.largest[k], abs(float(theta[j])))
        scale = self.scale[k] or abs(float(theta[j])) or 1.0
        for _ in range(_TRIES):
            column = self._quotient(f, theta, j, scale * relative, central)
            steepest, lost = _largest(column), False
            if not steepest < np.inf:
                finite = column[np.isfinite(column)]
                lost = bool((~np.isfinite(column) & np.isfinite(f)).any())
                steepest = _largest(finite) if finite.size else np.inf
            wanted = spread / steepest if steepest else scale * _JUMP
            if largest > 1e-9 * wanted:  # false for a parameter that has always been 0
                wanted = min(wanted, max(largest, _FLAT * wanted))
            size = abs(float(theta[j]))
            if steepest < np.inf and wanted < self.eps**0.5 * size:
                wanted = size  # the range of values that vanish, as residuals do, tells nothing
            most = max(spread, self.range) * max(_TOO_LONG, _ALIKE * relative)
            too_long = lost or steepest * scale * relative > most
            longest = scale / _ALIKE if too_long else longest
            before, scale = scale, min(max(wanted, scale / _JUMP), scale * _JUMP, longest)
            if not too_long and (known or before / _ALIKE <= scale <= _ALIKE * before):
                break
        self.scale[k] = scale if 0 < steepest < np.inf else 0.0
        return column

    def _quotient(self, f: Array, theta: Array, j: int, h: float, central: bool) -> Array:
        """(f(theta + h) - f(theta - h)) / 2 h, or one-sided where only one side has a value."""
        ends = self._ends(float(theta[j]), j, h)
        values = [self._moved(theta, j, ends[0])]
        column: Array = (values[0] - f) / (ends[0] - theta[j])
        if len(ends) == 1 or not (central or _has_lost(column, f)):
            return column
        values.append(self._moved(theta, j, ends[1]))
        both: Array = (values[0] - values[1]) / (ends[0] - ends[1])
        if np.isnan(both).any():
            other = (values[1] - f) / (ends[1] - theta[j])
            both = np.where(np.isnan(both), np.where(np.isnan(column), other, column), both)
        return both

    def _moved(self, theta: Array, j: int, to: Any) -> Array:
        end = theta.copy()
        end[j] = to
        return self.value(end)

    def _ends(self, here: float, j: int, h: float) -> list[Any]:
        """theta_j moved by h upwards and downwards, as far as the bounds let it."""
        lower, upper = self.lower[j], self.upper[j]
        h = max(h, 4 * self.eps * abs(here))  # a shorter step might not move theta_j
        if upper - lower < 2 * h:
            h = (upper - lower) / 4 or h
        to = here + h, here - h
        inside = [end for end in to if lower <= end <= upper or lower == upper]
        return [self.dtype.type(end) for end in inside or [here]]  # NaN lies in no box


def _largest(values: Array) -> float:
    """The largest absolute value; NaN if one is NaN, which NumPy counts as largest and as least."""
    return float(max(values.item(values.argmax()), -values.item(values.argmin())))


def _has_lost(column: Array, f: Array) -> bool:
    """Whether a value is NaN that is none in f."""
    return bool((np.isnan(column) & ~np.isnan(f)).any())


class Leading:
    """Value and derivatives at the trials of a first attempt.

    Parameters
    ----------
    differences : Differences
        What calls the model.
    """

    def __init__(self, differences: Differences) -> None:
        self.differences, self.free = differences, list(differences.free)
        self.chi2 = np.inf  # the least so far; where that was, what f and J were:
        self.theta: Array | None = None
        self.f = self.J = np.empty(0)
        self.changed = False  # whether J has been changed since it was one of differences
        self.ends = False  # whether the fit would have ended before: differences are central since

    def __call__(self, theta: Array, renews: bool) -> tuple[Array, Array, float, bool]:
        """Return the value, its derivatives, their relative error, and whether they are rough.

        ``renews`` asks for derivatives that are not.
        """
        with np.errstate(all="ignore"):
            f = self._value(theta)
            chi2 = self.differences.chi2_of(f)
            if self.theta is not None and not (renews or chi2 < self.chi2):
                return f, self.J, self.differences.error, True  # rejected, or as good as the best
            self.ends, rough = self.ends or renews, True
            if self.theta is None or renews or not self._leads_on(theta, f, chi2):
                J = self.differences.at(f, theta, self.ends)
                rough = not self.ends
                if self.theta is not None and not self.differences.is_finite(J):
                    return f, J, self.differences.error, rough  # the trial is rejected for that
                self.J, self.changed = J, False
        self.theta, self.f, self.chi2 = theta.copy(), f, chi2
        return f, self.J, self.differences.error, rough

    def _value(self, theta: Array) -> Array:
        if self.theta is None:
            return self.differences.strict(theta)
        return self.f if np.array_equal(theta, self.theta) else self.differences.value(theta)

    def _leads_on(self, theta: Array, f: Array, chi2: float) -> bool:
        """Whether J, changed if need be, will do where a step has led that lowered chi2."""
        assert self.theta is not None
        size, near = self.differences.sum_of_squares, self.differences.near
        s, change = (theta - self.theta)[self.free], f - self.f
        unforetold = change - (self.J * s).sum(axis=1)  # a product by BLAS rounds as memory lies
        moved, missed = size(change), size(unforetold)
        short = self.chi2 - chi2 <= _SHORT * self.chi2 or missed <= near**2 * moved
        far = chi2 <= _FAR * self.chi2 and missed <= _FORETOLD**2 * moved
        if self.changed or not (short or (far and not self.ends)):
            return False
        if not short:
            self.changed = True
            direction = (self.J**2).sum(axis=0) * s
            self.J = self.J + np.outer(unforetold, direction / ((s * direction).sum() or 1.0))
        return True
