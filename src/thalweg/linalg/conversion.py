"""Turn what users pass as a matrix into a `Matrix`, or say in one sentence why it is none."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from .._arguments.pieces import all_finite
from .operators import Dense, Matrix, Packed, Product, Sparse

# An element larger than this has an infinite square, and a weight of 0 times that is NaN.
_HUGE = float(np.sqrt(np.finfo(float).max))

# B counts as symmetric if B - B' is at most this share of the largest element: rounding makes that.
_ASYMMETRY = 32 * float(np.finfo(float).eps)


def is_sparse(value: Any) -> bool:
    """Return whether ``value`` is a sparse matrix or array of SciPy."""
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(value))


def as_matrix(value: Any, name: str, *, checked: bool = True) -> Matrix:
    """Return what a user passed as a matrix of shape (n, P).

    If ``checked`` is false the caller must call `without_rows`, which looks for NaN and infinity.

    Raises
    ------
    ValueError
        ``value`` is no matrix, or not finite.
    """
    if is_sparse(value):
        matrix: Matrix = Sparse(value)
        return without_rows(matrix, None, name) if checked else matrix
    if callable(getattr(value, "matvec", None)):
        back = getattr(value, "rmatvec", None)
        if not callable(back):
            raise ValueError(f"{name} has matvec but no rmatvec, the product with its transpose")
        shape = _shape(value.shape, name)
        try:
            back(np.zeros(shape[0]))
        except NotImplementedError:  # how SciPy's operators say that they have none
            raise ValueError(f"{name} has no rmatvec, the product with its transpose") from None
        return Product(value.matvec, back, shape, name)
    if callable(value):
        raise TypeError(f"{name} is a function: give an operator with matvec, rmatvec and shape")
    array = numbers(value, name, np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (n, P), got {array.shape}")
    return without_rows(Dense(array), None, name) if checked else Dense(array)


def without_rows(matrix: Matrix, unused: Array | None, name: str) -> Matrix:
    """Return the matrix with 0 in place of NaN, infinite and huge elements of unused rows.

    Parameters
    ----------
    matrix : Matrix
    unused : ndarray of bool, shape (n,), or None

    Raises
    ------
    ValueError
        A row that is used holds NaN or infinity.
    """
    if not isinstance(matrix, Dense | Sparse):
        return matrix
    values = matrix.array if isinstance(matrix, Dense) else matrix.array.data
    if all_finite(values) and unused is None:
        return matrix
    wrong = ~(np.abs(values) <= _HUGE)
    rows = np.nonzero(wrong)[0] if isinstance(matrix, Dense) else matrix.array.indices[wrong]
    if not rows.size:
        return matrix
    used = ~np.isfinite(values[wrong])
    if unused is not None:
        used &= ~unused[rows]
        wrong[wrong] = unused[rows]
    if used.any():
        raise ValueError(
            f"{name} must be finite, but holds NaN or infinity in row {rows[np.argmax(used)]}"
        )
    if isinstance(matrix, Dense):
        return Dense(np.where(wrong, 0.0, values))
    clean = matrix.array.copy()
    clean.data = np.where(wrong, 0.0, values)
    return Sparse(clean)


def as_symmetric(value: Any, name: str, size: int | None = None) -> Matrix:
    """Return what a user passed as a symmetric matrix: dense, packed, sparse, or its product.

    Parameters
    ----------
    value : array_like, shape (P, P) or (P (P + 1) / 2,), sparse matrix, operator or callable
        A packed matrix is its lower triangle by rows.  An operator has ``matvec`` and ``shape``.
    size : int, optional
        P, needed for a callable.

    Raises
    ------
    ValueError
        The matrix is not square, not symmetric or not finite.
    """
    if is_sparse(value):
        matrix: Matrix = Sparse(value)
        _refuse_not_finite(value.data, name)
        _refuse_not_square(matrix.shape, name)
        _refuse_sparse_asymmetry(matrix.sparse(), name)
    elif callable(getattr(value, "matvec", None)) or callable(value):
        matrix = _symmetric_product(value, name, size)
    else:
        array = numbers(value, name, np.float64)
        _refuse_not_finite(array, name)
        if array.ndim == 1:
            return Packed(array, name)
        if array.ndim != 2:
            raise ValueError(f"{name} must have shape (P, P) or (P (P + 1) / 2,), got an array of "
                             f"shape {array.shape}")  # fmt: skip
        _refuse_not_square(array.shape, name)
        _refuse_asymmetry(array, name)
        matrix = Dense(array)
    return matrix


def _symmetric_product(value: Any, name: str, size: int | None) -> Product:
    if callable(getattr(value, "matvec", None)):
        apply, shape = value.matvec, _shape(value.shape, name)
        _refuse_not_square(shape, name)
    elif size is None:
        raise ValueError(
            f"{name} is a function, so its size must be given by theta_star or n_params"
        )
    else:
        apply, shape = value, (size, size)
    matrix = Product(apply, apply, shape, name)
    u, v = np.random.default_rng(0).standard_normal((2, shape[0]))
    Bu, Bv = matrix.apply(u), matrix.apply(v)
    allowed = _ASYMMETRY * shape[0] * np.linalg.norm(u) * np.linalg.norm(Bv)
    if not abs(u.dot(Bv) - v.dot(Bu)) <= allowed:
        raise ValueError(
            f"{name} must be symmetric: u'{name}v = {u.dot(Bv):g} but v'{name}u = {v.dot(Bu):g} "
            "for random u and v"
        )
    return matrix


def _shape(shape: Any, name: str) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"{name} must have shape (n, P), got {tuple(shape)}")
    return int(shape[0]), int(shape[1])


def _refuse_not_square(shape: tuple[int, ...], name: str) -> None:
    if shape[0] != shape[1]:
        raise ValueError(f"{name} must be square, got shape {tuple(shape)}")


def _refuse_not_finite(array: Array, name: str) -> None:
    if not all_finite(array):
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")


def _refuse_asymmetry(array: Array, name: str) -> None:
    if array.size == 0:
        return
    difference = np.abs(array - array.T)
    i, j = np.unravel_index(np.argmax(difference), difference.shape)
    if not difference[i, j] <= _ASYMMETRY * np.abs(array).max():
        raise ValueError(_asymmetric(name, i, j, array[i, j], array[j, i]))


def _refuse_sparse_asymmetry(array: Any, name: str) -> None:
    difference = abs(array - array.T).tocoo()
    if not difference.nnz:
        return
    worst = int(np.argmax(difference.data))
    if not difference.data[worst] <= _ASYMMETRY * np.abs(array.data).max():
        i, j = sorted((difference.row[worst], difference.col[worst]))
        raise ValueError(_asymmetric(name, i, j, array[i, j], array[j, i]))


def _asymmetric(name: str, i: Any, j: Any, one: float, other: float) -> str:
    return (
        f"{name} must be symmetric, but {name}[{i}, {j}] = {one:g} and {name}[{j}, {i}] = "
        f"{other:g}; ({name} + {name}') / 2 is symmetric and gives the same loss"
    )
