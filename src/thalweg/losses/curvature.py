r"""The largest and the smallest curvature of a loss, which decide what step is safe and best.

A step of size alpha along -M^-1 gradient multiplies the error's component in the eigenvector of
M^-1 H with eigenvalue sigma by 1 - alpha sigma (M = 1 without a preconditioner).  Small problems
get all eigenvalues.  Large ones get Ritz values of the Lanczos process for M^-1 H in the inner
product of M: with basis vectors v_k and z_k = M^-1 v_k, z_i' v_k = [i = k],

    b_{k+1} v_{k+1} = H z_k - a_k v_k - b_k v_{k-1},    a_k = z_k' H z_k,

the tridiagonal matrix of a and b has eigenvalues in the spectrum that meet its ends first.  The
upper end is reported with its error bound b |last component| added, so that a step taken from it is
safe; the lower end is an estimate from above.

References: Golub and Van Loan, "Matrix Computations", 4th edition, section 10.1; Paige, J. Inst.
Maths Applics 18 (1976) 341.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._check import Array
from .base import Loss

Solve = Callable[[Array], Array]

_ALL = 256  # up to here every eigenvalue is computed
_STEPS = 96  # of the Lanczos process
_NEGATIVE = 1e-12  # of the largest curvature: below, and a curvature is not made of rounding


class Curvatures(NamedTuple):
    """The smallest and the largest eigenvalue of M^-1 H."""

    smallest: float
    largest: float

    @property
    def kappa(self) -> float:
        """The condition number largest / smallest; infinite where not positive definite."""
        return self.largest / self.smallest if self.smallest > 0 else np.inf

    @property
    def indefinite(self) -> str:
        """Why a quadratic loss has no minimum; empty where no curvature is negative."""
        if not self.smallest < -_NEGATIVE * self.largest:
            return ""
        return (
            f"the loss has no minimum: its Hessian has the negative eigenvalue {self.smallest:.3g}"
        )

    @property
    def definite(self) -> bool:
        """Whether M^-1 H is positive definite beyond rounding."""
        return bool(self.smallest > np.finfo(float).eps * self.largest)


def refuse_indefinite(curvatures: Curvatures) -> None:
    """Refuse a quadratic loss that curves downwards along some direction."""
    if curvatures.indefinite:
        raise ValueError(curvatures.indefinite)


def extreme_curvatures(loss: Loss, theta: Array, solve: Solve | None = None) -> Curvatures:
    """Return the smallest and the largest eigenvalue of M^-1 H at ``theta``.

    Parameters
    ----------
    loss : Loss
        With an exact Hessian or residuals; the Gauss-Newton matrix serves where it has no Hessian.
    theta : ndarray, shape (P,)
    solve : callable, optional
        v to M^-1 v for a symmetric positive definite preconditioner M.

    Raises
    ------
    ValueError
        The loss knows nothing of its curvature.
    """
    if loss.n_params > _ALL and loss.is_quadratic:
        return lanczos(lambda d: loss.hessian_vector(theta, d), loss.n_params, solve)
    H = curvature_matrix(loss, theta)
    if loss.n_params > _ALL:
        return lanczos(H.dot, loss.n_params, solve)
    if solve is not None:
        inverse = np.stack([solve(unit) for unit in np.eye(loss.n_params)], axis=1)
        C = np.linalg.cholesky(0.5 * (inverse + inverse.T))
        H = C.T @ H @ C
    eigenvalues = np.linalg.eigvalsh(H)
    return Curvatures(float(eigenvalues[0]), float(eigenvalues[-1]))


def curvature_matrix(loss: Loss, theta: Array) -> Array:
    """Return the exact Hessian where the loss has one, else its Gauss-Newton matrix."""
    try:
        return loss.hessian(theta)
    except ValueError:
        return loss.gauss_newton(theta)


def lanczos(
    apply: Callable[[Array], Array], size: int, solve: Solve | None = None, steps: int = _STEPS
) -> Curvatures:
    """Return the ends of the spectrum of M^-1 H from its products alone.

    Parameters
    ----------
    apply : callable
        v to H v, H symmetric, shape (size, size).
    solve : callable, optional
        v to M^-1 v, symmetric positive definite; the identity.
    steps : int
        Products with H at most; all vectors are kept, so memory grows with it.
    """
    solve = solve or np.array
    r = np.random.default_rng(0).standard_normal(size)
    V, Z, a, b = [], [], [], []
    scale = 0.0
    for _ in range(min(steps, size)):
        z = solve(r)
        norm = float(np.sqrt(r.dot(z)))
        if not norm > np.finfo(float).eps * scale:
            break  # an invariant subspace: the values are exact
        b.append(norm)
        V.append(r / norm)
        Z.append(z / norm)
        r = apply(Z[-1])
        a.append(float(Z[-1].dot(r)))
        scale = max(scale, abs(a[-1]))
        basis, dual = np.array(V), np.array(Z)
        for _ in range(2):  # once more, because rounding spoils the first
            r = r - basis.T @ (dual @ r)
    else:
        norm = float(np.sqrt(max(r.dot(solve(r)), 0.0)))
    T = np.diag(a) + np.diag(b[1:], 1) + np.diag(b[1:], -1)
    values, vectors = np.linalg.eigh(T)
    return Curvatures(float(values[0]), float(values[-1] + norm * abs(vectors[-1, -1])))
