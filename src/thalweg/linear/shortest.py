"""Plain least squares from the normal equations, and the shortest where columns are dependent.

Least squares without a penalty and without bounds have one minimum only if the columns of X are
independent.  Otherwise a multiple of any vector v with Xv = 0 may be added to θ; the shortest θ is
orthogonal to all such v, as that of `numpy.linalg.lstsq`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .ranges import are_usual

# The shortest coefficients of a wide sparse X are found by LSQR, with
_LSQR = 1e-14  # this relative tolerance; they replace the others if the norm of the predictions
_SAME = 1e-10  # changes by at most this share of itself.

# Whether columns are nearly dependent is decided by the Gram matrix of columns of length 1.
_CLEAR = 1e-10  # they are not if its eigenvalues, known to about 1e-14, are all larger than this
_MOST_SPARSE = 1 << 24  # the most numbers of a tall X, if sparse: 128 MiB as an array


class Plain(NamedTuple):
    """Least-squares coefficients of a matrix with at least as many rows as columns.

    Attributes
    ----------
    theta : ndarray, shape (P,) or (P, targets)
    is_shortest : bool
        True where columns are nearly dependent, and theta is the shortest of all minima; False
        where theta is the solution of the normal equations, corrected once from its residual,
        whose last digits nobody has certified.
    """

    theta: Array
    is_shortest: bool


def plain(X: Any, y: Array, weights: Array | None, mean: Array) -> Plain | None:
    """Return the least-squares coefficients, the shortest ones if columns are nearly dependent.

    Columns are dependent here if they are so but for the rounding of their elements, which is at
    most eps ‖X_j‖ in column j, where float32 numbers have their own eps.  With the columns less
    their means divided by their lengths s_j, these errors make a matrix whose norm is at most
    eps √(Σ_j ‖X_j‖² / s_j²), and smaller singular values say nothing.

    Parameters
    ----------
    X : ndarray or SciPy sparse matrix, shape (n, P)
        At least as many rows as columns.
    y : ndarray, shape (n,) or (n, targets)
        Less its mean where there is an intercept.
    weights : ndarray, shape (n,), or None
    mean : ndarray, shape (P,)
        What each column is to be lessened by: its mean, or 0 where there is no intercept.

    Returns
    -------
    Plain or None
        None if X is sparse and too large, its columns are constant, or one of them or of y has
        squares beyond the range of numbers.
    """
    n, P = X.shape
    is_dense = isinstance(X, np.ndarray)
    if not is_dense and n * P > _MOST_SPARSE:
        return None
    gram, raw = _gram(X, weights, mean)
    square, least = np.diagonal(gram), n * float(np.finfo(float).eps)
    varies = np.flatnonzero(square > least**2 * raw)  # the others are constant to rounding
    if not np.isfinite(gram).all() or not len(varies):
        return None
    if not (are_usual(raw, X, weights) and are_usual(*_columns_of(y, weights), weights)):
        return None
    length = np.sqrt(square[varies])
    unit = gram[np.ix_(varies, varies)] / length / length[:, None]
    error = float(np.finfo(X.dtype).eps) * float(np.sqrt(np.sum(raw[varies] / square[varies])))
    if len(varies) == P and _has_larger_eigenvalues(unit, max(_CLEAR, 4 * error**2)):
        return Plain(_corrected(X, y, weights, mean, unit, length), False)
    rows = _rooted(_array(X)[:, varies] - mean[varies], weights)
    theta = np.zeros((P, *y.shape[1:]))
    theta[varies] = _shortest(rows, _rooted(y, weights), length, error, least)
    return Plain(theta, True)


def _corrected(
    X: Any, y: Array, weights: Array | None, mean: Array, unit: Array, length: Array
) -> Array:
    """Solve the normal equations, whose matrix is ``unit`` times lengths, and correct θ once.

    One correction from the residual gives the digits that squaring the condition number of X costs
    (Björck 1996, section 2.9: corrected semi-normal equations).
    """
    theta = np.zeros((X.shape[1], *y.shape[1:]))
    for _ in range(2):
        r = y - X @ theta + mean @ theta
        r = r if weights is None else (r.T * weights).T
        slope = X.T @ r - np.multiply.outer(mean, r.sum(0))
        theta += (np.linalg.solve(unit, (slope.T / length).T).T / length).T
    return theta


def of_wide(X: Any, weights: Array | None, mean: Array, theta: Array) -> Array:
    """Return the shortest coefficients with the predictions of ``theta``, (P,) or (targets, P).

    ``weights`` and ``mean`` are as of `plain`; X has more columns than rows.
    """
    seen = X[slice(None) if weights is None else weights > 0]
    if isinstance(X, np.ndarray):
        rows = seen - mean
        shortest: Array = np.linalg.lstsq(rows, rows @ theta.T, rcond=None)[0].T
        return shortest
    each = [_of_wide_sparse(seen, mean, row) for row in np.atleast_2d(theta)]
    return np.reshape(each, theta.shape)


def _array(X: Any) -> Array:
    array: Array = X if isinstance(X, np.ndarray) else X.toarray()
    return array


def _rooted(rows: Array, weights: Array | None) -> Array:
    """Return √w times each row."""
    return rows if weights is None else (rows.T * np.sqrt(weights)).T


def _columns_of(y: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return Σ w y² of each column of y, and y as columns."""
    columns = y.reshape(len(y), -1)
    with np.errstate(over="ignore"):  # what overflows is refused elsewhere
        return np.sum(np.square(_rooted(columns, weights)), axis=0), columns


def _gram(X: Any, weights: Array | None, mean: Array) -> tuple[Array, Array]:
    """Return the Gram matrix of the columns less their means, and Σ w x² of each column of X."""
    w = np.ones(X.shape[0]) if weights is None else weights
    with np.errstate(all="ignore"):  # what overflows is refused elsewhere
        if isinstance(X, np.ndarray):
            rows = _rooted(X - mean, weights)
            return rows.T @ rows, w @ np.square(X, dtype=np.float64)
        X = X.astype(np.float64)
        gram = (X.T @ X.multiply(w[:, None]).tocsc()).toarray()
        raw: Array = np.diagonal(gram).copy()
        return gram - w.sum() * np.outer(mean, mean), raw


def _has_larger_eigenvalues(unit: Array, least: float) -> bool:
    """Whether all eigenvalues of a symmetric matrix are larger than ``least``."""
    try:
        np.linalg.cholesky(unit - least * np.eye(len(unit)))
    except np.linalg.LinAlgError:
        return False
    return True


def _shortest(rows: Array, y: Array, length: Array, error: float, least: float) -> Array:
    """Solve by singular values of the columns over their lengths; without those below ``error``.

    Singular values below ``least`` of the largest one are left out too.
    """
    U, S, V = np.linalg.svd(rows / length, full_matrices=False)
    kept = max(error, least * S[0]) < S
    theta = ((U.T[kept] @ y).T / S[kept] @ V[kept] / length).T
    along = np.linalg.qr((V[~kept] / length).T)[0]  # all v for which rows @ v is 0
    shortest: Array = theta - along @ (along.T @ theta)
    return shortest


def _of_wide_sparse(X: Any, mean: Array, theta: Array) -> Array:
    """Return the shortest θ with the same (X − mean) θ, for a sparse X; θ where LSQR fails.

    LSQR (Paige and Saunders 1982) begins at 0 and adds combinations of rows, so the solution that
    it finds is the shortest one.
    """
    from scipy.sparse.linalg import LinearOperator, lsqr

    rows = LinearOperator(
        X.shape,
        matvec=lambda v: X @ v - mean @ v,
        rmatvec=lambda u: X.T @ u - mean * u.sum(),
        dtype=np.float64,
    )
    wanted = rows @ theta
    found: Array = lsqr(rows, wanted, atol=_LSQR, btol=_LSQR, iter_lim=4 * min(X.shape))[0]
    off = np.linalg.norm(rows @ found - wanted)
    return found if off <= _SAME * np.linalg.norm(wanted) else theta
