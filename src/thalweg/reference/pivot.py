"""The specification of block principal pivoting (csrc/linear/contract.h), one problem at a time.

    minimise 1/2 theta' G theta - c' theta,     lower <= theta <= upper

References: Portugal, Judice and Vicente (1994), Mathematics of Computation 63, 625-643; Lawson and
Hanson (1974), "Solving Least Squares Problems", chapter 23; Stark and Parker (1995),
"Bounded-variable least squares", Computational Statistics 10, 129-141.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

EPS = float(np.finfo(float).eps)
# So many full exchanges in a row may fail to leave fewer wrong coordinates than any one before.
TRIES = 3
DEPENDENT = 8  # a pivot of at most DEPENDENT (P + 1) eps G_kk may be rounding alone
ROUNDING, MAX_ITER, SINGULAR, NOT_FINITE = 5, -1, -3, -4  # members of `thalweg.Status`


def block_pivoting(
    G: Any,
    C: Any,
    *,
    bounds: Any = (0.0, None),
    noise: Any = None,
    max_iter: int | None = None,
    threads: int | None = None,
) -> tuple[Array, ...]:
    """Return the fields of `thalweg.kernels.Pivoted`; see `thalweg.kernels.block_pivoting`.

    Examples
    --------
    >>> from thalweg import reference
    >>> theta, *_ = reference.block_pivoting([[2.0, 0.0], [0.0, 1.0]], [[4.0, -1.0]])
    >>> theta
    array([[2., 0.]])
    """
    C = np.asarray(C, float)
    batch, P = C.shape[:-1], C.shape[-1]
    low, high = (None, None) if bounds is None else bounds
    lower, upper = (
        np.broadcast_to(np.asarray(infinity if side is None else side, float), C.shape)
        for side, infinity in ((low, -np.inf), (high, np.inf))
    )
    known = np.broadcast_to(0.0 if noise is None else noise, batch)
    most = 100 + 20 * P if max_iter is None else max_iter
    theta, (objective, violation, reach) = np.empty(C.shape), np.empty((3, *batch))
    n_iter, status = np.empty(batch, np.int32), np.empty(batch, np.int8)
    for m in np.ndindex(batch):
        problem = _Problem(np.asarray(G, float), C[m], lower[m], upper[m], float(known[m]))
        theta[m], *numbers, n_iter[m], status[m] = problem.solve(most)
        objective[m], violation[m], reach[m] = numbers
    return theta, objective, violation, reach, n_iter, status


class _Problem:
    """One problem; its columns are scaled by powers of two so that 1 <= G_jj < 4."""

    x: Array
    free: Array
    dependent: Array

    def __init__(self, G: Array, c: Array, lower: Array, upper: Array, noise: float) -> None:
        square = np.diagonal(G)
        exponent = np.frexp(square)[1] - 1
        self.scale = np.where(square > 0, np.ldexp(1.0, -(exponent // 2)), 1.0)
        self.G = (np.tril(G) + np.tril(G, -1).T) * self.scale * self.scale[:, None]
        self.length = np.where(square > 0, np.sqrt(np.diagonal(self.G)), 1.0)
        self.c = c * self.scale
        self.lower, self.upper = lower / self.scale, upper / self.scale
        self.bounds = lower, upper
        self.home = np.clip(0.0, self.lower, self.upper)
        self.noise = noise

    def solve(self, most: int) -> tuple[Any, ...]:
        """Return theta, objective, violation, reach, the number of exchanges and the status."""
        P = len(self.c)
        self.x, self.free = self.home.copy(), self.lower < self.upper
        self.free &= ((self.lower < 0) | (self.c > 0)) & ((self.upper > 0) | (self.c < 0))
        self.dependent = np.zeros(P, bool)  # held: their columns depend on those of free ones
        fewest, tries, descends = P + 1, TRIES, False
        for n_iter in range(most + P + 2):
            if not self.go(descends):
                continue  # other coordinates are free now
            wrong, tie = self.wrong()
            count = int(wrong.sum())
            if count == 0 or n_iter >= most:
                break
            if descends:
                wrong[: np.flatnonzero(wrong)[-1]] = False
            elif count < fewest:
                fewest, tries = count, TRIES
            elif tries > 0:
                tries -= 1
            else:
                descends, wrong = True, self.free & self.outside(self.x)
            self.exchange(wrong)
        return self.outcome(tie, count, n_iter)

    def outside(self, x: Array) -> Array:
        """Return which coordinates of x are outside their bounds."""
        return (x < self.lower) | (x > self.upper)

    def go(self, descends: bool) -> bool:
        """Go to the solution, in a descent only as far as the box allows; return if x is there."""
        lost = self.without_dependent()
        self.free &= ~lost
        self.dependent |= lost
        if not descends:
            self.x[lost] = self.home[lost]
        if self.x[lost].any():
            return False  # they are held where they are, so the others must be solved for again
        goal = self.solution()
        met = self.free & self.outside(goal)
        if not descends or not met.any():
            self.x = goal
            return True
        bound = np.clip(goal, self.lower, self.upper)
        room = np.ones(len(goal))
        room[met] = (bound - self.x)[met] / (goal - self.x)[met]
        share = room.min()
        hits = met & (room <= share)
        self.x = np.where(hits, bound, self.x + share * (goal - self.x))
        self.free &= ~hits
        self.dependent = self.dependent & (share == 0) | (hits & (share == 0))
        return False

    def wrong(self) -> tuple[Array, float]:
        """Return which coordinates are wrong, and the tie: |y_j| / |A_j| up to it counts as 0."""
        y = self.c - self.G @ self.x
        most_c = np.max(np.abs(self.c) / self.length, initial=0.0)
        tie = EPS * (len(y) + 1) * (most_c + 4 * self.length @ np.abs(self.x)) + self.noise
        inward = np.where(y > 0, self.x < self.upper, self.x > self.lower) & ~self.free
        enters = inward & (np.abs(y) / self.length > tie) & ~self.dependent
        return (self.free & self.outside(self.x)) | enters, tie

    def exchange(self, wrong: Array) -> None:
        """Set the free ones of these coordinates to a bound, and the held ones free."""
        leaving = wrong & self.free
        self.x = np.where(leaving, np.clip(self.x, self.lower, self.upper), self.x)
        self.free ^= wrong
        if leaving.any():
            self.dependent[:] = False

    def without_dependent(self) -> Array:
        """Return the free coordinates whose columns depend on those of free ones before them."""
        free = self.free
        lost = np.zeros(len(free), bool)
        rows: list[Array] = []  # the Cholesky factor's columns, of independent coordinates
        for k in np.flatnonzero(free):
            row = np.array([r[k] for r in rows])
            pivot = self.G[k, k] - row @ row
            if not pivot > DEPENDENT * (len(free) + 1) * EPS * self.G[k, k]:
                lost[k] = True
                continue
            column = self.G[k].copy()
            for value, other in zip(row, rows, strict=True):
                column -= value * other
            rows.append(column / np.sqrt(pivot))
        return lost

    def solution(self) -> Array:
        """Return x with G_FF x_F = c_F - G_FH x_H."""
        F = np.flatnonzero(self.free)
        x = np.where(self.free, 0.0, self.x)
        x[F] = np.linalg.solve(self.G[np.ix_(F, F)], self.c[F] - self.G[F] @ x)
        return x

    def outcome(self, tie: float, count: int, n_iter: int) -> tuple[Any, ...]:
        """Return theta, clipped to the bounds, and the other results of `solve`."""
        x = np.clip(self.x, self.lower, self.upper)
        y = self.c - self.G @ x
        inward = np.where(y > 0, x < self.upper, x > self.lower)
        violation = float(np.max(np.abs(y) / self.length, where=inward, initial=0.0))
        theta = np.clip(x * self.scale, *self.bounds)
        status = MAX_ITER if count else ROUNDING if violation <= tie else SINGULAR
        finite = np.isfinite(tie) and np.isfinite(theta).all()
        objective, reach = -0.5 * x @ (self.c + y), self.length @ np.abs(x)
        return theta, objective, violation, reach, n_iter, status if finite else NOT_FINITE
