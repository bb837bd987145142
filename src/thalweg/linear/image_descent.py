"""The sweeps of iterative coordinate descent over an image, and when they end.

The measure of convergence is each pixel's distance from its own minimum, the other pixels held
fixed.  A sweep measures it pixel by pixel, while the image changes.  When the largest distance of a
sweep is small enough, one more pass over A, in which no pixel moves, measures all distances on the
same image, and only that pass can end the descent with success.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from .._arguments.callback import stops
from .._arguments.check import Array
from .._core import linear as _core
from ..status import IMAGES, Status
from .columns import Look
from .image_result import ImageHistory, ImageResult
from .priors import Terms
from .problem import Problem
from .ranges import refuse_square

# Sizes that give no reason were not measured at other values.
_RENEW = 64  # after so many sweeps e is computed anew from y, so that rounding does not add up
_PATIENCE = 32  # so many sweeps over all pixels without a gain end the descent
_ROUNDING = 16 * float(np.finfo(float).eps)  # a fall of the cost by a smaller share is no gain
_RUN = 2  # adjacent pixels a permutation keeps together: most of the second's data is in the cache
_PARTS = 5  # a nonhomogeneous sweep is five passes, each over the farthest fifth of the pixels

_WHY = {
    Status.MAX_ITER: "a larger max_iter or a larger tol helps, and so may relaxation=1.5",
    Status.NO_PROGRESS: "the tolerance may be below rounding: a larger tol helps",
}


class Sweeping(NamedTuple):
    """How a sweep goes over the pixels."""

    order: str  # one of images.ORDERS
    omega: float  # relaxation: a pixel goes omega times the way to its minimum
    rng: np.random.Generator  # draws the permutations


class ImageIteration(NamedTuple):
    """What a callback is told after each sweep.

    Attributes
    ----------
    n_iter : int
        Number of sweeps made.
    x : ndarray
        A copy of the image.
    cost : float
        F(x).
    change : float
        The largest distance of a pixel from its minimum when the sweep came to it.
    """

    n_iter: int
    x: Array
    cost: float
    change: float


class Done(NamedTuple):
    """The image and the terms of its cost after a whole sweep."""

    n_iter: int  # number of sweeps made
    x: Array  # (P,)
    misfit: float
    penalty: float


class ImageDescent:
    """An image on its way to the minimum.

    Attributes
    ----------
    x : ndarray, shape (P,)
        The image, which sweeps change in place.
    done : Done
        What the last whole sweep left.
    e : ndarray, shape (n,)
        y − A x.
    way : ndarray, shape (P,)
        How far each pixel was from its minimum, the others fixed, when it was last visited.
    """

    def __init__(
        self, problem: Problem, terms: Terms, how: Sweeping, start: Array, tol: float, most: int
    ) -> None:
        self.problem, self.terms, self.how = problem, terms, how
        self.tol, self.most = tol, most
        self.shape, self.lower = start.shape, float(problem.lower.min(initial=inf))
        self.x, self.e = start.reshape(-1), problem.b[:, 0]
        self.way = np.zeros(len(self.x))
        self.done = Done(0, self.x.copy(), nan, nan)
        self.history = [(nan, nan)]  # cost, change
        self.kkt, self.status = nan, Status.INTERRUPTED

    def run(
        self,
        threads: int,
        callback: Callable[[ImageIteration], Any] | None,
        tick: Callable[[], Any] | None = None,
    ) -> ImageResult:
        """Sweep until a rule ends it; an exception carries the image so far as ``result``."""
        begun = False
        try:
            self.look = Look(self.problem, threads)
            self._begin()
            begun = True
            status = self._sweeps(callback, tick)
            self.kkt = self._certify() if status is not Status.XTOL else self.kkt
            self.status = Status.XTOL if self.kkt <= self.wanted else status
        except BaseException as error:
            self.kkt = nan
            if begun or not isinstance(error, Exception):  # a refused argument has no result
                error.result = self.result()  # type: ignore[attr-defined]
            raise
        return self.result()

    @property
    def falls_short(self) -> bool:
        """Whether the descent ended above the tolerance without the user having ended it."""
        return self.status in _WHY

    @property
    def wanted(self) -> float:
        """The largest distance of a pixel from its minimum that counts as converged."""
        return self.tol * float(np.max(np.abs(self.done.x), initial=0.0))

    # ---- sweeps ----------------------------------------------------------------------------

    def _sweeps(
        self, callback: Callable[[ImageIteration], Any] | None, tick: Callable[[], Any] | None
    ) -> Status:
        nearest, lowest, idle = inf, inf, 0
        for n_iter in range(1, self.most + 1):
            whole = self.how.order != "nonhomogeneous" or n_iter % 2 == 1
            change = self._sweep_all() if whole else self._sweep_farthest()
            if n_iter % _RENEW == 0:
                self._renew()
            self._keep(change)
            if tick is not None:
                tick()
            if callback is not None and stops(callback, self._told()):
                return Status.CALLBACK
            if not whole:
                continue
            if change <= self.wanted and self._is_near():
                return Status.XTOL
            cost = self.history[-1][0]
            falls = cost < (1 - _ROUNDING) * lowest
            idle = 0 if falls or change < nearest else idle + 1
            nearest, lowest = min(nearest, change), cost if falls else lowest
            if idle >= _PATIENCE:
                return Status.NO_PROGRESS
        return Status.MAX_ITER

    def _sweep_all(self) -> float:
        """Update each pixel once; return the largest distance from a minimum."""
        self._update(None if self.how.order == "cyclic" else self._shuffled(), self.how.omega)
        return float(self.way.max(initial=0.0))

    def _shuffled(self) -> Array:
        """Return a permutation of the pixels that keeps runs of `_RUN` together."""
        P = len(self.x)
        first = _RUN * self.how.rng.permutation(-(-P // _RUN))
        order: Array = (first[:, None] + np.arange(_RUN)).reshape(-1)
        return order[order < P]

    def _sweep_farthest(self) -> float:
        """Update the pixels that were farthest from their minima when last visited."""
        change, P = 0.0, len(self.x)
        size = -(-P // _PARTS)
        for _ in range(P // max(size, 1)):
            farthest = np.sort(np.argpartition(self.way, P - size)[P - size :])
            self._update(farthest, self.how.omega)
            change = max(change, float(self.way[farthest].max()))
        return change

    def _update(self, order: Array | None, omega: float) -> None:
        columns, curvature = self.look.columns, self.look.square
        state = self.x, self.e, self.way
        _core.image_sweep(columns, curvature, self.terms, self.lower, omega, order, *state)

    def _renew(self) -> None:
        """Compute e anew from y and x: updates add up rounding."""
        e = self.problem.b[:, 0].copy()
        if self.x.any():
            self.look.columns.move(None, self.x, e)
        self.e = e

    def _is_near(self) -> bool:
        self._renew()
        self.kkt = self._certify()
        return self.kkt <= self.wanted

    def _certify(self) -> float:
        """Return the largest distance of a pixel from its minimum, without moving any (ω = 0)."""
        way = self.way.copy()
        self._update(None, 0.0)
        self.way, way = way, self.way
        return float(way.max(initial=0.0))

    # ---- what is kept ----------------------------------------------------------------------

    def _begin(self) -> None:
        """Compute the cost of the start.

        Raises
        ------
        ValueError
            The cost overflows float64, or the squares of y are at the end of its range.
        """
        self._renew()
        misfit, penalty = self._cost()
        if not misfit + penalty < inf:
            raise ValueError(
                "the cost of the start is beyond the range of float64: measure y, and with it x, "
                "in other units"
            )
        y, weights = self.problem.b[:, 0], self.problem.weights
        refuse_square(float(y @ self.look.weighted(y)), y, weights, "y")
        self.history = [(misfit + penalty, nan)]
        self.done = self.done._replace(misfit=misfit, penalty=penalty)

    def _keep(self, change: float) -> None:
        """Keep the image and the cost after a whole sweep, for `result`."""
        misfit, penalty = self._cost()
        self.history.append((misfit + penalty, change))
        self.done = Done(len(self.history) - 1, self.x.copy(), misfit, penalty)

    def _cost(self) -> tuple[float, float]:
        return _core.image_cost(self.look.columns, self.terms, self.x, self.e)

    def _told(self) -> ImageIteration:
        cost, change = self.history[-1]
        return ImageIteration(self.done.n_iter, self._image(), cost, change)

    def _image(self) -> Array:
        return self.done.x.reshape(self.shape).copy()

    def result(self) -> ImageResult:
        """Return the image after the last whole sweep."""
        n_iter, _, misfit, penalty = self.done
        course = np.array(self.history[: n_iter + 1])
        return ImageResult(
            x=self._image(),
            cost=misfit + penalty,
            misfit=misfit,
            penalty=penalty,
            kkt=self.kkt,
            wanted=self.wanted,
            status=self.status,
            n_iter=n_iter,
            history=ImageHistory(course[:, 0], course[:, 1]),
            message=self._message(),
        )

    def _message(self) -> str:
        text = IMAGES[self.status]
        if self.status.success:
            return f"{text} = {self.wanted:.3g}: it is {self.kkt:.3g}"
        if not np.isnan(self.kkt):
            text += f"; the largest distance is {self.kkt:.3g} of {self.wanted:.3g} wanted"
        return f"{text}; {_WHY[self.status]}" if self.status in _WHY else text
