"""Extreme eigenvalues and singular values of a matrix that is only known by its products.

Power iteration looks at B^k v alone; Lanczos [1]_ keeps all of v, Bv, ..., B^(k-1) v, and takes the
best from the space they span.  With an orthonormal basis q_1 ... q_k of that space

    B q_j = beta_(j-1) q_(j-1) + alpha_j q_j + beta_j q_(j+1),

so Q'BQ = T is tridiagonal; its eigenvalues, the Ritz values, tend to the ends of B's spectrum
first.  If T s = mu s, then ||B Q s - mu Q s|| = beta_k |s_k|, which tells when to stop.  Rounding
would make copies of converged values; so each q is made orthogonal to all before it, twice, which
is enough [2]_.  After P steps the result is exact.

Started at a vector g, the squares of the first components of the s are the weights of a Gauss
quadrature: g' p(B) g = ||g||^2 sum_i s_(1i)^2 p(mu_i) for every polynomial p of degree < 2k [3]_.

A preconditioner M, symmetric and positive definite, asks for the eigenvalues of M^-1 B.  They are
those of the process in the inner product of M [5]_: beside each q it keeps z = M^-1 q, and with
z_i' q_j = [i = j] the same recurrence holds for B z_j; lengths of residuals are those of M^-1.

Golub and Kahan's bidiagonalisation [4]_ is the same for singular values: A V = U C, A'U = V C' with
C bidiagonal, without squaring the condition number as A'A does.

References
----------
.. [1] C. Lanczos, J. Res. Nat. Bur. Standards 45 (1950) 255-282.
.. [2] B. N. Parlett, The Symmetric Eigenvalue Problem, SIAM 1998, section 6.9.
.. [3] G. H. Golub, G. Meurant, Matrices, Moments and Quadrature, Princeton 2010, chapter 6.
.. [4] G. H. Golub, W. Kahan, SIAM J. Numer. Anal. B 2 (1965) 205-224.
.. [5] G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, section 11.5.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import all_finite

Product = Callable[[Array], Array]


class NotFiniteError(ValueError):
    """A matrix or a product with it is not finite, so that it has no spectrum."""


EPS = float(np.finfo(float).eps)
MOST_STEPS = 500  # the most products, so that the basis takes at most MOST_STEPS * P numbers
ACCURACY = 1e-6  # wanted residual of an extreme value over itself; the error is about its square
_GROWTH = 1.25  # residuals, which cost a decomposition, are computed when the space has grown so


class Ritz(NamedTuple):
    """What the space of k products tells about the matrix.

    Attributes
    ----------
    values : ndarray, shape (k,)
        Ritz values, ascending: approximate eigenvalues or singular values.
    residuals : ndarray, shape (k,)
        How far each is at most from an eigenvalue or a singular value.
    vectors : ndarray, shape (P, k)
        Their vectors, as columns; right singular vectors for `bidiagonalise`.
    left : ndarray, shape (n, k)
        Left singular vectors; the same as ``vectors`` for `lanczos`.
    weights : ndarray, shape (k,)
        Squared components of the normalised start along ``vectors``; their sum is 1.
    converged : bool
        Whether both ends have the accuracy asked for.
    """

    values: Array
    residuals: Array
    vectors: Array
    left: Array
    weights: Array
    converged: bool


def lanczos(
    product: Product, start: Array, *, solve: Product | None = None, most: int = MOST_STEPS
) -> Ritz:
    """Return Ritz values of M^-1 B in the space of products that begins with ``start``.

    Parameters
    ----------
    product : callable
        The map v (P,) -> B v (P,), with B symmetric.
    start : ndarray, shape (P,)
        The first vector of the space, not 0.
    solve : callable, optional
        The map v (P,) -> M^-1 v (P,), with M symmetric and positive definite; by default M is the
        identity.
    most : int
        The most products; fewer are made if both ends of the spectrum have converged before.
    """
    P = start.size
    most = min(most, P)
    Q, alpha, beta = np.empty((most, P)), np.zeros(most), np.zeros(most)
    Z = Q if solve is None else np.empty_like(Q)

    def norm_and_dual(w: Array) -> tuple[float, Array]:
        z = w if solve is None else _checked(solve, w)
        return sqrt(max(float(w @ z), 0.0)), z  # rounding may make a square of 0 negative

    k, look = 0, 4
    w, (norm, z) = start, norm_and_dual(start)
    while True:
        Q[k], Z[k] = w / norm, z / norm
        w = _checked(product, Z[k])
        alpha[k] = Z[k] @ w
        w = _orthogonal(w, Q[: k + 1], Z[: k + 1])
        norm, z = norm_and_dual(w)
        beta[k] = norm
        k += 1
        scale = np.abs(alpha[:k]).max() + beta[:k].max()
        full = k == most or not norm > EPS * P * scale
        if full or k >= look:
            look = int(_GROWTH * k) + 1
            T = np.diag(alpha[:k]) + np.diag(beta[: k - 1], 1) + np.diag(beta[: k - 1], -1)
            values, s = np.linalg.eigh(T)
            residuals = (0.0 if k == P else norm) * np.abs(s[-1])  # a complete basis is exact
            done = _both_ends(values, residuals, EPS * P * scale)
            if full or done:
                vectors = Z[:k].T @ s
                return Ritz(values, residuals, vectors, vectors, s[0] ** 2, done)


def bidiagonalise(
    product: Product, transposed: Product, start: Array, n: int, *, most: int = MOST_STEPS
) -> Ritz:
    """Return approximate singular values of a matrix A of shape (n, P), n >= P.

    Parameters
    ----------
    product, transposed : callable
        The maps v (P,) -> A v (n,) and u (n,) -> A'u (P,).
    start : ndarray, shape (P,)
        The first vector of the space, not 0.
    n : int
        The number of rows.
    most : int
        The most products with each of A and A'.
    """
    P = start.size
    most = min(most, P)
    V, U = np.empty((most, P)), np.empty((most, n))
    C = np.zeros((most, most))
    V[0] = start / np.linalg.norm(start)
    k, look = 0, 4
    while True:
        u = _orthogonal(_checked(product, V[k]), U[:k], U[:k])
        C[k, k] = np.linalg.norm(u)
        U[k] = u / C[k, k] if C[k, k] > 0 else 0.0
        v = _orthogonal(_checked(transposed, U[k]), V[: k + 1], V[: k + 1])
        beta = float(np.linalg.norm(v))
        k += 1
        scale = np.abs(C[:k, :k]).max()
        full = k == most or not beta > EPS * P * scale
        if full or k >= look:
            look = int(_GROWTH * k) + 1
            left, values, right = np.linalg.svd(C[:k, :k])
            left, values, right = left[:, ::-1], values[::-1], right[::-1]
            residuals = (0.0 if k == P else beta) * np.abs(left[-1])
            done = _both_ends(values, residuals, EPS * P * scale)
            if full or done:
                vectors, images, weights = V[:k].T @ right.T, U[:k].T @ left, right[:, 0] ** 2
                return Ritz(values, residuals, vectors, images, weights, done)
        C[k - 1, k] = beta
        V[k] = v / beta


def _both_ends(values: Array, residuals: Array, noise: float) -> bool:
    """Whether the first and the last value are accurate, or as small as rounding."""
    ends = [0, -1]
    enough = np.maximum(ACCURACY * np.abs(values[ends]), noise)
    return bool((residuals[ends] <= enough).all())


def _orthogonal(w: Array, Q: Array, Z: Array) -> Array:
    """The part of w that is orthogonal to the rows of Z, which are dual to those of Q."""
    for _ in range(2):
        w = w - Q.T @ (Z @ w)
    return w


def _checked(product: Product, v: Array) -> Array:
    w = np.asarray(product(v), dtype=np.float64).reshape(-1)
    if not all_finite(w):
        raise NotFiniteError("the product of the operator with a finite vector is not finite")
    return w
