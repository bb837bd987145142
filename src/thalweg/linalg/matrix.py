"""Whether a matrix is symmetric, its definiteness, its spectrum and its condition number.

A symmetric B = V diag(lambda) V' bends the quadratic theta'B theta by lambda_i along v_i: a bowl if
all are positive, a valley with a flat floor if some are 0, a saddle if signs differ.  Any matrix is
A = U diag(sigma) V' with sigma >= 0, and kappa = sigma_max / sigma_min; for symmetric matrices
sigma_i = |lambda_i|.

Arrays, and other matrices of at most a thousand rows and columns, are decomposed by LAPACK
(numpy.linalg).  Of larger sparse matrices and operators, with ``matvec`` and ``shape``, only
products are used (`linalg.krylov`).

References
----------
G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed., sections 2.4, 8.1 and 10.1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import spelled
from .._arguments.warning import warn_user
from .conversion import as_matrix, as_symmetric
from .krylov import EPS, bidiagonalise, lanczos
from .operators import Dense, Matrix

# Sparse matrices and operators of up to so many rows and columns are decomposed as arrays: one
# thread takes 0.2 s for all eigenvalues and vectors of that size, 0.5 s for all singular ones.
MOST_DENSE = 1000
_SEED = 0  # the seed of vectors that products start from, so that every call has the same answer


class Definiteness(StrEnum):
    """The signs that theta'B theta takes for theta != 0.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.definiteness([[2.0, 0.0], [0.0, -1.0]]) is tw.Definiteness.INDEFINITE
    True
    """

    POSITIVE = "positive definite"
    NON_NEGATIVE = "non-negative definite"
    INDEFINITE = "indefinite"
    NON_POSITIVE = "non-positive definite"
    NEGATIVE = "negative definite"


class Eigen(NamedTuple):
    """B = vectors diag(values) vectors'.

    Attributes
    ----------
    values : ndarray, shape (k,)
        Eigenvalues, ascending; in the unit of B.
    vectors : ndarray, shape (P, k)
        Orthonormal columns; the largest component of each is positive.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.eigen([[2.0, 0.0], [0.0, 1.0]]).values
    array([1., 2.])
    """

    values: Array
    vectors: Array


class Singular(NamedTuple):
    """A = left diag(values) right'.

    Attributes
    ----------
    left : ndarray, shape (n, k)
        Orthonormal columns.
    values : ndarray, shape (k,)
        Singular values, descending; in the unit of A.
    right : ndarray, shape (P, k)
        Orthonormal columns; the largest component of each is positive.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.svd([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]).values
    array([4., 3.])
    """

    left: Array
    values: Array
    right: Array


@spelled
def is_symmetric(B: Any) -> bool:
    """Return whether B = B', to rounding.

    Parameters
    ----------
    B : array_like, sparse matrix or operator, shape (P, P)
        Unless B is an array, the identity u'(Bv) = v'(Bu) is tested for random u and v.

    Raises
    ------
    ValueError
        B is not square, is empty or is not finite.
    TypeError
        B is neither an array nor an operator with matvec and shape.

    Examples
    --------
    >>> is_symmetric([[2, 1], [1, 2]]), is_symmetric([[2, 1], [0, 2]])
    (True, False)
    """
    return _is_symmetric(matrix_of(B, "B", square=True))


def _is_symmetric(B: Matrix) -> bool:
    P = B.shape[0]
    if isinstance(B, Dense):
        difference = np.abs(B.array - B.array.T)
        return bool(difference.max() <= P * EPS * np.abs(B.array).max())
    u, v = np.random.default_rng(_SEED).normal(size=(2, P))
    Bu, Bv = B.apply(u), B.apply(v)
    norm = np.linalg.norm
    scale = float(norm(u) * norm(Bv) + norm(v) * norm(Bu))
    return bool(abs(u @ Bv - v @ Bu) <= P * EPS * scale)


@spelled
def definiteness(B: Any) -> Definiteness:
    """Return which signs the quadratic form theta'B theta takes.

    They are those of the eigenvalues lambda of B: positive definite if all lambda > 0, non-negative
    definite if all lambda >= 0, indefinite if there are both signs.  Eigenvalues of a size up to
    P * 2.2e-16 * max|lambda| count as 0, since rounding alone makes such.  They are computed by
    NumPy's LAPACK, whose number of threads is set outside of Thalweg.

    Parameters
    ----------
    B : array_like, sparse matrix or operator, shape (P, P)
        The matrix, symmetric.

    Returns
    -------
    Definiteness
        A string: "positive definite", "non-negative definite", "indefinite",
        "non-positive definite" or "negative definite".

    Raises
    ------
    ValueError
        B is not symmetric, not square, empty or not finite.
    TypeError
        B is neither an array nor an operator with matvec and shape.

    Warns
    -----
    RuntimeWarning
        B is an operator whose smallest or largest eigenvalue was not found within 500 products.

    Examples
    --------
    >>> print(definiteness([[2, 1], [1, 2]]), definiteness([[1, 2], [2, 1]]), sep=", ")
    positive definite, indefinite
    """
    return signs(eigen(B).values)


def signs(values: Array) -> Definiteness:
    """Return the definiteness that eigenvalues, ascending, mean."""
    low, high = float(values[0]), float(values[-1])
    zero = len(values) * EPS * max(abs(low), abs(high))
    if low > zero:
        return Definiteness.POSITIVE
    if high < -zero:
        return Definiteness.NEGATIVE
    if low >= -zero:
        return Definiteness.NON_NEGATIVE
    return Definiteness.NON_POSITIVE if high <= zero else Definiteness.INDEFINITE


@spelled
def eigen(B: Any) -> Eigen:
    """Return the eigenvalues and eigenvectors of a symmetric matrix, B = V diag(lambda) V'.

    They are computed by NumPy's LAPACK, whose number of threads is set outside of Thalweg.

    Parameters
    ----------
    B : array_like, sparse matrix or operator, shape (P, P)
        The matrix, symmetric.

    Returns
    -------
    Eigen
        All P eigenvalues; for an operator with P > 1000, k Ritz values, of which the smallest and
        the largest are accurate.

    Raises
    ------
    ValueError
        B is not symmetric, not square, empty or not finite.
    TypeError
        B is neither an array nor an operator with matvec and shape.

    Warns
    -----
    RuntimeWarning
        B is an operator whose smallest or largest eigenvalue was not found within 500 products.

    Examples
    --------
    >>> eigen([[2, 1], [1, 2]]).values
    array([1., 3.])
    """
    matrix = matrix_of(B, "B", square=True)
    if not _is_symmetric(matrix):
        raise ValueError(
            "B must be symmetric; theta'B theta is the same for (B + B.T) / 2, and svd takes any B"
        )
    if _is_whole(matrix):
        array = matrix.dense()
        values, vectors = np.linalg.eigh((array + array.T) / 2)
        return Eigen(values, vectors * _sign(vectors))
    found = lanczos(matrix.apply, _start(matrix.shape[0]))
    warn_unless(found.converged, "eigenvalue")
    return Eigen(found.values, found.vectors * _sign(found.vectors))


@spelled
def svd(A: Any) -> Singular:
    """Return the singular value decomposition A = U diag(sigma) V'.

    A maps the unit vector v_i to sigma_i u_i.  The decomposition is computed by NumPy's LAPACK,
    whose number of threads is set outside of Thalweg.

    Parameters
    ----------
    A : array_like, sparse matrix or operator, shape (n, P)
        An operator needs ``rmatvec`` unless it is symmetric.

    Returns
    -------
    Singular
        All min(n, P) singular values; for an operator with more than 1000 rows or columns,
        k approximate ones, of which the smallest and the largest are accurate.

    Raises
    ------
    ValueError
        A is empty or not finite.
    TypeError
        A is neither an array nor an operator with matvec and shape.

    Warns
    -----
    RuntimeWarning
        A is an operator whose smallest or largest singular value was not found in 500 products.

    Examples
    --------
    >>> svd([[0, 2], [1, 0], [0, 0]]).values
    array([2., 1.])
    """
    matrix = matrix_of(A, "A")
    if _is_whole(matrix):
        left, values, right = np.linalg.svd(matrix.dense(), full_matrices=False)
        sign = _sign(right.T)
        return Singular(left * sign, values, right.T * sign)
    n, P = matrix.shape
    forward = matrix.apply
    backward = forward if n == P and _is_symmetric(matrix) else matrix.apply_transposed
    if n < P:
        found = bidiagonalise(backward, forward, _start(n), P)
        left, right = found.vectors, found.left
    else:
        found = bidiagonalise(forward, backward, _start(P), n)
        left, right = found.left, found.vectors
    warn_unless(found.converged, "singular value")
    sign = _sign(right)
    return Singular((left * sign)[:, ::-1], found.values[::-1], (right * sign)[:, ::-1])


@spelled
def condition_number(B: Any) -> float:
    """Return kappa = sigma_max / sigma_min, the ratio of the singular values.

    Relative errors of b may grow by kappa in the solution of B theta = b, and the error of gradient
    descent on theta'B theta shrinks by (kappa - 1) / (kappa + 1) per iteration at best.  The
    singular values are computed by NumPy's LAPACK, whose number of threads is set outside of
    Thalweg.

    Parameters
    ----------
    B : array_like, sparse matrix or operator, shape (n, P)
        An operator needs ``rmatvec`` unless it is symmetric.

    Returns
    -------
    float
        From 1 to infinity.  It is infinity if sigma_min <= max(n, P) * 2.2e-16 * sigma_max, as
        rounding may make sigma_min of a singular matrix.

    Raises
    ------
    ValueError
        B is empty or not finite, or is 0.
    TypeError
        B is neither an array nor an operator with matvec and shape.

    Warns
    -----
    RuntimeWarning
        B is an operator whose smallest or largest singular value was not found in 500 products;
        kappa is then larger than what is returned.

    Examples
    --------
    >>> condition_number([[4, 0], [0, 1]])
    4.0
    """
    matrix = matrix_of(B, "B")
    whole = _is_whole(matrix)
    values = np.linalg.svd(matrix.dense(), compute_uv=False) if whole else svd(B).values
    if not values[0] > 0:
        raise ValueError("B is 0, so it has no condition number")
    return ratio(float(values[0]), float(values[-1]), max(matrix.shape))


def ratio(largest: float, smallest: float, size: int) -> float:
    """Return largest / smallest, infinity if the smallest is 0 to rounding."""
    return largest / smallest if smallest > size * EPS * largest else np.inf


def matrix_of(value: Any, name: str, *, square: bool = False) -> Matrix:
    """Return what a user passed as a matrix; ValueError or TypeError if it is none."""
    if callable(getattr(value, "hessian", None)):  # a loss, which has a matrix but is none
        raise TypeError(
            f"{name} must be a matrix, got {value.name}: diagnose(loss, theta) is for losses, "
            "and loss.hessian(theta) is the matrix of one"
        )
    operator = callable(getattr(value, "matvec", None))
    if not hasattr(value, "shape") if operator else callable(value):
        raise TypeError(
            f"{name} must be an array or an operator with matvec and shape, "
            f"got {type(value).__name__}"
        )
    one_sided = operator and not callable(getattr(value, "rmatvec", None))
    matrix = as_symmetric(value, name) if one_sided else as_matrix(value, name)
    if 0 in matrix.shape:
        raise ValueError(f"{name} is empty, its shape is {matrix.shape}")
    if square and matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square, got shape {matrix.shape}")
    return matrix


def _is_whole(matrix: Matrix) -> bool:
    return isinstance(matrix, Dense) or max(matrix.shape) <= MOST_DENSE


def _start(P: int) -> Array:
    return np.random.default_rng(_SEED).normal(size=P)


def _sign(vectors: Array) -> Array:
    """For each column the factor +1 or -1 that makes its largest component positive."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return np.where(largest[0] < 0, -1.0, 1.0)


def warn_unless(converged: bool, what: str) -> None:
    """Warn that the ends of a spectrum were not found, unless ``converged``."""
    if not converged:
        warn_user(
            f"the smallest or the largest {what} was not found within 500 products: the spectrum "
            "is wider than this one",
            RuntimeWarning,
        )
