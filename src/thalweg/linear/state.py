"""Where a solution stands: θ, its residual, and what is known of the gradient.

A path of penalties carries it along: all it holds stays right when l1 and l2 change.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from .columns import Look

_SLACK = 1e-9  # rounding that a bound on a product is given


class Certificate(NamedTuple):
    """What a dual point proves of θ; see csrc/linear/gap.h.

    Attributes
    ----------
    objective : float
        F(θ).
    scale : float
        s: the dual point is s times the residual.
    gap : float
        F(θ) is at most so far above the minimum.
    kkt : float
        The largest distance of a coordinate from its minimum, times its column's norm.
    conditional : int
        Coordinates without penalty or bound: for them the gap assumes that a minimum has
        |θ_j| ≤ 2 |θ_j| + ‖b‖ / ‖A_j‖.
    """

    objective: float
    scale: float
    gap: float
    kkt: float
    conditional: int


def wanted_of(state: State, found: Certificate, tol: float) -> float:
    """Return the gap that is wanted: tol · ½ ‖b‖²_W; where b is 0, tol times the objective."""
    return tol * (0.5 * state.size or found.objective)


class State:
    """θ of one right-hand side.

    Attributes
    ----------
    theta : ndarray, shape (P,)
    residual : ndarray, shape (n,)
        b − Aθ, less its mean where there is an intercept.
    q : ndarray, shape (P,)
        A_jᵗWr, as of when the residual had gone ``seen[j]``.
    path : float
        How far the residual has gone, in the norm of W.
    """

    def __init__(self, look: Look, b: Array, theta: Array, first: bool = False) -> None:
        self.look, self.problem = look, look.problem
        self.theta = np.clip(theta, self.problem.lower, self.problem.upper)
        empty = look.square == 0  # the penalty alone has a say
        self.theta[empty] = np.clip(0.0, self.problem.lower, self.problem.upper)[empty]
        self.target = look.centred(b)
        self.residual, self.path = self.target.copy(), 0.0
        self.size = self.norm(self.residual) ** 2  # ‖b‖²_W
        self.seen = np.zeros(len(self.theta))
        self.reach = np.zeros(len(self.theta))
        np.divide(sqrt(self.size), look.norm, out=self.reach, where=~empty)
        if self.theta.any():
            self.refresh()
            self.q = look.products(self.residual)
        else:
            self.q = look.first[1].copy() if first else look.products(self.residual)
        self.seen[:] = self.path

    def norm(self, r: Array) -> float:
        """Return the norm √(rᵗWr)."""
        return sqrt(float(r @ self.look.weighted(r)))

    @property
    def rr(self) -> float:
        """rᵗWr of the residual."""
        return float(self.residual @ self.look.weighted(self.residual))

    def refresh(self) -> None:
        """Make the residual anew from b, and count how far it goes."""
        old = self.residual
        self.residual = self.target.copy()
        support = np.flatnonzero(self.theta)
        if len(support):
            self.look.columns.move(support, self.theta[support], self.residual)
        self.path += self.norm(self.residual - old)

    def remake(self, which: Array) -> None:
        """Make the residual anew from b, and q of some columns, in one walk."""
        old, support = self.residual, np.flatnonzero(self.theta)
        self.residual, q = self.target.copy(), np.empty(len(which))
        self.look.columns.residual(support, self.theta[support], which, self.residual, q)
        q[self.look.square[which] == 0] = 0
        self.path += self.norm(self.residual - old)
        self.q[which], self.seen[which] = q, self.path

    def take(self, residual: Array) -> None:
        """Take over a residual that sweeps have kept, and count how far it has gone."""
        self.path += self.norm(residual - self.residual)
        self.residual = residual

    def update_products(self, working: Array, candidates: Array) -> None:
        """Bring q up to date, but where a bound shows that a coordinate stays at 0.

        |A_jᵗWr| grows by at most ‖A_j‖ times the way of the residual: no product is needed of a
        coordinate that cannot reach l1.
        """
        l1 = self.problem.l1[candidates]
        way = (self.path - self.seen[candidates]) * (1 + _SLACK)
        most = np.abs(self.q[candidates]) + self.look.norm[candidates] * way
        stale = (most >= l1 * (1 - _SLACK)) | (self.theta[candidates] != 0)
        mark = np.zeros(len(self.theta), bool)
        mark[candidates[stale]] = True
        mark[working] = True
        mark &= self.seen < self.path
        self.renew(np.flatnonzero(mark))

    def renew(self, which: Array) -> None:
        """Compute q of some columns."""
        if len(which) == len(self.q):
            self.q[:] = self.look.products(self.residual)
        else:
            self.q[which] = self.look.products(self.residual, which)
        self.seen[which] = self.path

    def certify(
        self, which: Array | None = None, scaled: float = 1.0, rr: float | None = None
    ) -> Certificate:
        """Return the certificate, with l1 ``scaled``, of the problem with these columns alone.

        ``rr`` is rᵗWr, where it is known better than by the residual that is kept.
        """
        each: Any = self.problem.each
        arrays: Any = (self.reach, self.look.square, self.theta, self.q)
        if which is not None:
            each, arrays = tuple(a[which] for a in each), tuple(a[which] for a in arrays)
        if scaled != 1.0:
            each = (each[0] * scaled, *each[1:])
        rr = self.rr if rr is None else rr
        reach, square, theta, q = arrays
        penalty, scale, gap, kkt, conditional = _core.certificate(each, reach, square, theta, q, rr)
        return Certificate(0.5 * rr + penalty, scale, gap, kkt, conditional)
