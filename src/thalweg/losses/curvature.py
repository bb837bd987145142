r"""The largest and the smallest curvature of a loss, which decide which steps are safe and best.

A step of size alpha along -M^-1 gradient multiplies the error's component in the eigenvector of
M^-1 H with eigenvalue sigma by 1 - alpha sigma (M = 1 without a preconditioner).  For few
parameters all eigenvalues are computed; for many only Ritz values (``linalg.krylov``), of which the
extreme ones converge first.  The error bound of the largest one is added to it, so that a step
chosen by it is safe; the smallest one is an upper bound of the smallest eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import all_finite
from ..linalg.krylov import NotFiniteError, lanczos
from ..linalg.watch import refuse_dense
from ..status import Halt, Status
from .base import Loss

Solve = Callable[[Array], Array]

FEW = 256  # up to so many parameters all eigenvalues are computed, which takes 3 ms
# The most products with the Hessian for a Ritz value: about as many as the descent itself takes.
_PRODUCTS = 96
# A curvature below -1e-12 times the largest counts as negative: rounding gives smaller ones.
_NEGATIVE = 1e-12


class Curvatures(NamedTuple):
    """The smallest and the largest eigenvalue of M^-1 H.

    Attributes
    ----------
    smallest, largest : float
    positive : float
        The smallest eigenvalue that is positive beyond rounding, which steps are chosen for where
        some eigenvalues are 0.  Where not all eigenvalues are known and the smallest is not
        positive, the largest.
    """

    smallest: float
    largest: float
    positive: float

    @property
    def kappa(self) -> float:
        """The condition number largest / smallest; infinite where not positive definite."""
        return self.largest / self.smallest if self.smallest > 0 else np.inf

    @property
    def indefinite(self) -> str:
        """Why a quadratic loss has no minimum; empty where no curvature is negative."""
        if not self.smallest < -_NEGATIVE * abs(self.largest):
            return ""
        return (
            f"the loss has no minimum: its Hessian has the negative eigenvalue {self.smallest:.3g}"
        )

    @property
    def definite(self) -> bool:
        """Whether M^-1 H is positive definite beyond rounding."""
        return bool(self.smallest > np.finfo(float).eps * self.largest)


def refuse_indefinite(curvatures: Curvatures) -> None:
    """Refuse a quadratic loss whose Hessian has a negative eigenvalue.

    Raises
    ------
    Halt
        The loss has no minimum.
    """
    if curvatures.indefinite:
        raise Halt(Status.UNBOUNDED, curvatures.indefinite)


def extreme_curvatures(loss: Loss, theta: Array, solve: Solve | None = None) -> Curvatures:
    """Return the smallest, the largest and the least positive eigenvalue of M^-1 H at ``theta``.

    Parameters
    ----------
    loss : Loss
        A loss with a Hessian or, if it has none, a Gauss-Newton matrix, which takes its place.
    theta : ndarray, shape (P,)
    solve : callable, optional
        The map v -> M^-1 v of a symmetric positive definite preconditioner M.

    Raises
    ------
    ValueError
        The loss has neither a Hessian nor a Gauss-Newton matrix.
    NotFiniteError
        The curvature is not finite.
    """
    if loss.n_params > FEW:
        return _ends(_product(loss, theta), loss.n_params, solve)
    H = curvature_matrix(loss, theta)
    if not all_finite(H):
        raise NotFiniteError("the curvature of this loss is not finite")
    if solve is not None:
        inverse = np.stack([solve(unit) for unit in np.eye(loss.n_params)], axis=1)
        C = np.linalg.cholesky(0.5 * (inverse + inverse.T))
        H = C.T @ H @ C
    eigenvalues = np.linalg.eigvalsh(H)
    largest = float(eigenvalues[-1])
    curved = eigenvalues[eigenvalues > len(H) * np.finfo(float).eps * abs(largest)]
    positive = float(curved[0]) if curved.size else largest
    return Curvatures(float(eigenvalues[0]), largest, positive)


def _product(loss: Loss, theta: Array) -> Solve:
    """Return the map v -> H v: the loss's own product if it has one, else that of the matrix."""
    own = loss.is_quadratic or type(loss).hessian_vector is not Loss.hessian_vector
    if own and loss.has_hessian:
        return lambda d: loss.hessian_vector(theta, d)
    return curvature_matrix(loss, theta).dot


def curvature_matrix(loss: Loss, theta: Array) -> Array:
    """Return the exact Hessian where the loss has one, else its Gauss-Newton matrix."""
    refuse_dense(loss.n_params, "the curvature of this loss")
    return loss.hessian(theta) if loss.has_hessian else loss.gauss_newton(theta)


def has_curvature(loss: Loss) -> bool:
    """Return whether `curvature_matrix` works."""
    return loss.has_hessian or loss.has_gauss_newton


def _ends(product: Solve, size: int, solve: Solve | None) -> Curvatures:
    """Return the ends of the spectrum of M^-1 H from products alone."""
    start = np.random.default_rng(0).standard_normal(size)
    found = lanczos(product, start, solve=solve, most=_PRODUCTS)
    smallest, largest = float(found.values[0]), float(found.values[-1] + found.residuals[-1])
    definite = smallest > np.finfo(float).eps * largest
    return Curvatures(smallest, largest, smallest if definite else largest)
