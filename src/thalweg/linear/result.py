"""What `coordinate_descent` returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._showing import as_html, brief
from ..status import Status
from .words import Ran, ending, endings

Course = list[tuple[float, float, float, int]]  # objective, gap, kkt, working; one for each round


class ConvergenceWarning(UserWarning):
    """The duality gap of a linear model, or the distance of an image, is larger than wanted.

    Examples
    --------
    >>> import warnings
    >>> import thalweg as tw
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     r = tw.coordinate_descent([[1.0, 0.9], [0.9, 1.0]], [1.0, 2.0], max_iter=0)
    >>> said[0].category is tw.ConvergenceWarning
    True
    """


class LinearHistory(NamedTuple):
    """The course of a solution, one entry per round; the start is the first.

    Attributes
    ----------
    objective, gap, kkt : ndarray, shape (n_iter + 1,)
        As those of `LinearResult`, over the coordinates that were not yet proved to be 0.
    working : ndarray, shape (n_iter + 1,)
        The number of coordinates in the working set.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> A = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> r = tw.coordinate_descent(A, [1.0, 2.0, 3.0], l1=0.5)
    >>> len(r.history.objective) == r.n_iter + 1
    True
    """

    objective: Array
    gap: Array
    kkt: Array
    working: Array

    def __repr__(self) -> str:
        return (
            f"<LinearHistory: {len(self.gap)} points, gap {self.gap[0]:.3g} to {self.gap[-1]:.3g}>"
        )

    def _repr_html_(self) -> str:
        return as_html(self)


def _history_of(course: Course) -> LinearHistory:
    return LinearHistory(*map(np.array, zip(*course, strict=True)))


@dataclass(frozen=True, eq=False, repr=False)
class LinearResult:
    r"""A linear model, and a certificate of how good it is.

    For M right-hand sides, theta is (P, M), and intercept, objective, gap, kkt, conditional, status
    and n_iter are arrays (M,).

    Attributes
    ----------
    theta : ndarray, shape (P,) or (P, M)
        The coefficients, within the bounds.
    intercept : float or ndarray, shape (M,)
        θ₀; 0 where none was asked for.
    objective : float or ndarray
        F(θ) = ½ Σ w r² + Σ l1 |θ| + ½ Σ l2 θ².
    gap : float or ndarray
        The duality gap: F(θ) is at most this far above the minimum.  Computed in float64.
    wanted : float or ndarray
        The gap that was asked for, tol · ½ ‖b‖²_W.
    kkt : float or ndarray
        The largest distance of a coordinate from its minimum, the others fixed, times the norm of
        its column, in the unit of b; 0 in a minimum.  For right-hand sides that were solved side by
        side it is an upper bound of that, rounding included.
    conditional : int or ndarray
        The number of coordinates without a penalty and with an infinite bound, between their
        bounds or at the finite one with a slope that leads to the open side.  No dual point bounds
        these, and the gap assumes that a minimum θ* has |θ*_j| ≤ 2 |θ_j| + ‖b‖ / ‖A_j‖.
    drift : float or ndarray
        How far the residual behind the certificate is from b − Aθ − θ₀ computed anew, √Σ w d² of
        the differences d, in the unit of b.  Sweeps update the residual step by step, in float64
        whatever A is, and this is the rounding that has gathered; 0 where no sweep has updated it,
        NaN where the solution was interrupted.
    strategy : str
        Which strategies ran, and why.
    status : Status or ndarray of int8
        Why the solution ended.
    n_iter : int or ndarray
        The number of rounds; for right-hand sides that were solved side by side without l1, the
        number of exchanges of active sets.
    history : LinearHistory or tuple of LinearHistory
        The course of each right-hand side; empty where they were solved side by side.
    message : str
        Why the solution ended, with the numbers of this case; of M right-hand sides, why the first
        that did not converge ended.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> A = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> r = tw.coordinate_descent(A, [1.0, 2.0, 3.0], l1=0.5)
    >>> r.theta.round(6)
    array([0.833333, 1.833333])
    >>> r.success
    True
    """

    theta: Array
    intercept: float | Array
    objective: float | Array
    gap: float | Array
    wanted: float | Array
    kkt: float | Array
    conditional: int | Array
    drift: float | Array
    status: Status | Array
    n_iter: int | Array
    # The words and arrays below are made of these when they are asked for: to make them takes
    # longer than to solve a small problem.
    _ran: Ran | str
    _course: Course | tuple[Course, ...]

    @cached_property
    def strategy(self) -> str:
        """Which strategies ran, and why."""
        return str(self._ran)

    @cached_property
    def history(self) -> LinearHistory | tuple[LinearHistory, ...]:
        """The course of each right-hand side; empty where they were solved side by side."""
        if isinstance(self._course, tuple):
            return tuple(map(_history_of, self._course))
        return _history_of(self._course)

    @cached_property
    def message(self) -> str:
        """Why the solution ended, with the numbers of this case."""
        numbers: Any = (self.gap, self.wanted, self.conditional)
        status = self.status
        return ending(status, *numbers) if isinstance(status, Status) else endings(status, *numbers)

    @property
    def success(self) -> bool:
        """Whether the gap of every right-hand side is as small as was asked for."""
        return self.status > 0 if isinstance(self.status, Status) else bool((self.status > 0).all())

    def reason(self) -> str:
        """Return in words why the solution ended."""
        return self.message

    def predict(self, A: Array) -> Array:
        """Return Aθ + θ₀."""
        prediction: Array = A @ self.theta + self.intercept
        return prediction

    def _lines(self) -> list[str]:
        support = int(np.count_nonzero(self.theta))
        size = self.theta.size
        if isinstance(self.status, Status):
            numbers = f"objective = {self.objective:.9g}, gap = {self.gap:.3g}"
            numbers += f", {support} of {size} coefficients are not 0"
            first = f"{self.n_iter} rounds, {self.status.name}"
        else:
            good = int(np.count_nonzero(self.status > 0))
            first = f"{len(self.status)} right-hand sides, {good} converged"
            numbers = f"largest gap = {np.max(self.gap, initial=0):.3g}"
            numbers += f", {support} of {size} coefficients are not 0"
        return [first, numbers, self.strategy, f"theta = {brief(self.theta)}"]

    def __repr__(self) -> str:
        return "<LinearResult: " + "\n ".join(self._lines()) + ">"

    def _repr_html_(self) -> str:
        return as_html(self)
