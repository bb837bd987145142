"""Derivatives of a called model in the first attempt: rough on the way, exact at its end.

A derivative that only leads to the next trial may be rough.  So on the way the columns of J are

- one-sided differences, P calls of the model,
- or, after a step s too short to change J, or along which the model is linear, the last J, no call;
- or, once far from a minimum where J has nearly foretold the values, the last J with the least
  change that explains them:  J + (Δf - J s) (D² s)' / (s' D² s),  no call either (Broyden 1965;
  Nocedal and Wright, Numerical Optimization, 2nd ed., section 11.1).  D_j is |J_j|, so that the
  units of parameters do not matter.

Nothing rests on a rough J: where a fit would end, the engine asks for J once more, by central
differences, and judges anew (`Trials` and csrc/fit/one.h: renew).  Where that lets it go on, the
last J is as good as one can be and is changed from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._arguments.check import Array

if TYPE_CHECKING:
    from .by_calls import Differences

# J has nearly foretold the values where it missed at most _FORETOLD of their change, and the fit is
# far from a minimum where a step lowers chi2 to at most _FAR of it.  Nearer to it the errors of J
# times the residual decide where a fit ends, so that a changed J is followed by one of differences.
# A step is short that lowers chi2 by at most _SHORT of it: along it, a thousandth of the residual,
# J changes by less than matters to the next step.
_FORETOLD = 0.1
_FAR = 0.5
_SHORT = 1e-6


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
