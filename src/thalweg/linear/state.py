"""The state of a solution: θ, its residual r = b − Aθ, and the products q = AᵗWr of the columns.

Nothing in it depends on l1 and l2, so a path of penalties keeps one state throughout.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from .columns import Look
from .ranges import refuse_square

_SLACK = 1e-9  # relative allowance for rounding in the bound on |q_j|


class Certificate(NamedTuple):
    """What a dual point proves about θ; see csrc/linear/gap.h.

    Attributes
    ----------
    objective : float
        F(θ).
    scale : float
        s: the dual point is s times the residual.
    gap : float
        F(θ) is at most this far above the minimum.
    kkt : float
        The largest distance of a coordinate from its minimum, the others fixed, times the norm of
        its column.
    conditional : int
        The number of coordinates for which the gap assumes that a minimum θ* has
        |θ*_j| ≤ 2 |θ_j| + ‖b‖ / ‖A_j‖: those that are `unheld`, and those at a bound from which the
        slope leads to a side without penalty and bound.
    unheld : int
        The number of coordinates without a penalty and with an infinite bound, between their
        bounds: the data alone determine them.
    """

    objective: float
    scale: float
    gap: float
    kkt: float
    conditional: int
    unheld: int


def wanted_of(state: State, found: Certificate, tol: float) -> float:
    """Return the gap that is wanted: tol · ½ ‖b‖²_W or, where b is 0, tol times the objective."""
    return tol * (0.5 * state.size or found.objective)


class State:
    """The state of one right-hand side.

    Attributes
    ----------
    theta : ndarray, shape (P,)
        The coefficients, within the bounds.
    residual : ndarray, shape (n,)
        b − Aθ, less its mean where there is an intercept.
    path : float
        The length of the way that the residual has gone, in the norm of W.
    q : ndarray, shape (P,)
        A_jᵗWr of the residual at which ``path`` was ``seen[j]``.
    seen : ndarray, shape (P,)
        The ``path`` at which each product was computed.
    reach : ndarray, shape (P,)
        ‖b‖ / ‖A_j‖, for the certificate; 0 where the column is 0.
    size : float
        ‖b‖²_W.
    """

    def __init__(
        self, look: Look, b: Array, theta: Array, first: bool = False, name: str = "b"
    ) -> None:
        self.look, self.problem = look, look.problem
        self.theta = np.clip(theta, self.problem.lower, self.problem.upper)
        empty = look.square == 0  # for a column of 0 the penalty alone decides
        self.theta[empty] = np.clip(0.0, self.problem.lower, self.problem.upper)[empty]
        self.target = look.centred(b)
        self.residual, self.path = self.target.copy(), 0.0
        self.size = self.rr
        refuse_square(self.size, b, self.problem.weights, name)
        self.seen = np.zeros(len(self.theta))
        self.reach = np.zeros(len(self.theta))
        np.divide(sqrt(self.size), look.norm, out=self.reach, where=~empty)
        if self.theta.any():
            self.refresh()
            if not self.size:  # the gap is compared with F of the start
                what = f"{name} - A theta of the start"
                refuse_square(self.rr, self.residual, self.problem.weights, what)
            self.q = look.products(self.residual)
        else:
            self.q = look.first[1].copy() if first else look.products(self.residual)
        self.seen[:] = self.path

    def norm(self, r: Array) -> float:
        """Return the norm √(rᵗWr)."""
        return sqrt(self._square(r))

    @property
    def rr(self) -> float:
        """rᵗWr of the residual."""
        return self._square(self.residual)

    def _square(self, r: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
            return float(r @ self.look.weighted(r))

    def _made_anew(self) -> Array:
        """Return the residual computed from b and θ alone."""
        residual: Array = self.target.copy()
        support = np.flatnonzero(self.theta)
        if len(support):
            self.look.columns.move(support, self.theta[support], residual)
        return residual

    def refresh(self) -> None:
        """Compute the residual anew from b, and add its change to ``path``."""
        old = self.residual
        self.residual = self._made_anew()
        self.path += self.norm(self.residual - old)

    def drift(self) -> float:
        """Return how far the residual is from one that is computed anew, in the norm of W."""
        return self.norm(self.residual - self._made_anew())

    def remake(self, which: Array) -> None:
        """Compute the residual anew from b, and q of the columns ``which``, in one pass over A."""
        old, support = self.residual, np.flatnonzero(self.theta)
        self.residual, q = self.target.copy(), np.empty(len(which))
        self.look.columns.residual(support, self.theta[support], which, self.residual, q)
        q[self.look.square[which] == 0] = 0
        self.path += self.norm(self.residual - old)
        self.q[which], self.seen[which] = q, self.path

    def take(self, residual: Array) -> None:
        """Take over a residual that sweeps have updated, and add its change to ``path``."""
        self.path += self.norm(residual - self.residual)
        self.residual = residual

    def update_products(self, working: Array, candidates: Array) -> None:
        """Compute q anew, except where a bound shows that a coordinate stays at 0.

        |A_jᵗWr| grows by at most ‖A_j‖ times the way of the residual, so the product is not needed
        for a coordinate at 0 whose |q_j| cannot have reached l1_j.
        """
        c: Any = slice(None) if len(candidates) == len(self.q) else candidates
        way = (self.path - self.seen[c]) * (1 + _SLACK)
        most = np.abs(self.q[c]) + self.look.norm[c] * way
        stale = (most >= self.problem.l1[c] * (1 - _SLACK)) | (self.theta[c] != 0)
        mark = np.zeros(len(self.theta), bool)
        mark[candidates[stale]] = True
        mark[working] = True
        mark &= self.seen < self.path
        self.renew(np.flatnonzero(mark))

    def renew(self, which: Array) -> None:
        """Compute q of the columns ``which`` anew."""
        if len(which) == len(self.q):  # in whatever order
            self.know(slice(None), self.look.products(self.residual))
        else:
            self.know(which, self.look.products(self.residual, which))

    def know(self, which: Array | slice, q: Array) -> None:
        """Take over the products of the columns ``which`` with the residual."""
        self.q[which], self.seen[which] = q, self.path

    def certify(
        self, which: Array | None = None, scaled: float = 1.0, rr: float | None = None
    ) -> Certificate:
        """Return the certificate of the problem with the columns ``which`` alone; default: all.

        l1 is taken ``scaled`` times.  ``rr`` is rᵗWr, where the caller knows it without r.
        """
        each: Any = self.problem.each
        if scaled != 1.0:
            each = (each[0] * scaled, *each[1:])
        rr = self.rr if rr is None else rr
        arrays = self.reach, self.look.square, self.theta, self.q
        found: Any = _core.certificate(each, *arrays, rr, which=which)
        return Certificate(0.5 * rr + found[0], *found[1:])
