"""Many right-hand sides with penalties: blocks of them on one Gram matrix.

All right-hand sides share G = AᵗWA.  With the products AᵗWb of a block, which take one pass over
its b, each is a problem of P numbers that sweeps and Newton steps solve (csrc/linear/solve.h), as
`Descent` would solve it alone.  The certificate comes from the residual b − Aθ itself, so the
rounding of G cannot make a gap look small.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._core import linear as _core
from .columns import Look
from .descent import PART_IN_W
from .gram import ROUNDS
from .ranges import refuse_squares

_AT_ONCE = 1 << 18  # so many numbers of b (2 MiB) at a time stay in the second-level cache
_FEWEST = 64  # right-hand sides in a block: fewer would keep few threads busy


class PenalisedFits(NamedTuple):
    """Fits of M right-hand sides; the fields are those of `LinearResult`, but for two.

    Attributes
    ----------
    theta : ndarray, shape (P, M)
    target_norm : ndarray, shape (M,)
        √Σ w b².
    objective, gap, kkt, conditional : ndarray, shape (M,)
    sweeps, steps : ndarray, shape (M,)
        The numbers of sweeps and of Newton steps.
    """

    theta: Array
    target_norm: Array
    objective: Array
    gap: Array
    kkt: Array
    conditional: Array
    sweeps: Array
    steps: Array


def penalised_least_squares(look: Look, A: Array, B: Array, tol: float) -> PenalisedFits:
    """Solve the problem of ``look`` for the columns of B, (n, M), to gaps of tol · ½ ‖b‖².

    A, (n, P), and B are less their means where there is an intercept, and columns of A that
    are constant to rounding are 0.
    """
    (n, P), M = A.shape, B.shape[1]
    A = np.asarray(A, np.float64)
    w = look.problem.weights
    WA = A if w is None else A * w[:, None]
    G = WA.T @ A
    norm, objective, gap, kkt = np.empty((4, M))
    conditional, sweeps, steps = np.zeros((3, M), np.intp)
    theta = np.empty((M, P)).T
    fits = PenalisedFits(theta, norm, objective, gap, kkt, conditional, sweeps, steps)
    width = max(_FEWEST, _AT_ONCE // n)
    for i in range(0, M, width):
        b = np.asarray(B[:, i : i + width], np.float64)
        squares = look.squares(b)
        refuse_squares(squares, b, w, i)
        part = _block(look, (A, WA, G), b, np.sqrt(squares), tol)
        for whole, values in zip(fits, part, strict=True):
            whole[..., i : i + width] = values
    return fits


def _block(
    look: Look, arrays: tuple[Array, Array, Array], b: Array, norm: Array, tol: float
) -> PenalisedFits:
    """Solve the right-hand sides b, (n, m), of these norms together."""
    A, WA, G = arrays
    p, m = look.problem, b.shape[1]
    reach = norm[:, None] * np.divide(1, look.norm, where=look.norm > 0, out=np.zeros(len(G)))
    theta = np.tile(np.clip(0.0, p.lower, p.upper), (m, 1))
    r = b - A @ theta.T if theta.any() else b
    q, counts = r.T @ WA, np.zeros((2, m), np.intp)
    _core.solve(
        G, p.each, reach.max(0), max(len(A) - p.intercept, 1), look.squares(r),
        PART_IN_W * tol * 0.5 * norm**2, ROUNDS, theta, np.ascontiguousarray(q), np.zeros(m),
        counts, look.threads,
    )  # fmt: skip
    r = b - A @ theta.T
    rr, found = look.squares(r), np.empty((m, 5))
    _core.certificates(p.each, reach, look.square, theta, np.ascontiguousarray(r.T @ WA), rr, found)
    penalty, _, gap, kkt, conditional = found.T
    objective = 0.5 * rr + penalty
    return PenalisedFits(theta.T, norm, objective, gap, kkt, conditional, counts[0], counts[1])
