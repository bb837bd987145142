"""Matrices in the shapes users have them: dense, packed, sparse, or only as a product.

A `Matrix` knows its products and its diagonal; losses are written on it once.  SciPy is not needed:
who passes a sparse matrix of SciPy has it.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np

from .._arguments.check import Array, all_finite, numbers
from ..kernels import Symmetric, quadratic_form
from .watch import PASSES, check, watched

_HUGE = float(np.sqrt(np.finfo(float).max))  # the square of more is infinite, and 0 times it NaN

# What rounding alone may make of B - B'.
_ASYMMETRY = 32 * float(np.finfo(float).eps)


class Matrix(ABC):
    """A matrix of shape (n, P) by its products.

    Attributes
    ----------
    kind : str
        What it is, in a word.
    apply : callable
        v, shape (P,), to A v.
    apply_transposed : callable
        u, shape (n,), to A' u.
    """

    shape: tuple[int, int]
    kind: str
    apply: Callable[[Array], Array]
    apply_transposed: Callable[[Array], Array]

    @abstractmethod
    def dense(self) -> Array:
        """Return it as an array, shape (n, P)."""

    @abstractmethod
    def sparse(self) -> Any | None:
        """Return it as a sparse matrix of SciPy, or None."""

    @abstractmethod
    def column(self, j: int) -> tuple[Any, Array]:
        """Return the rows where column j is not zero, a slice or indices, and its values there."""

    def diagonal(self) -> Array:
        """Return the diagonal of a square matrix, shape (P,)."""
        return np.diagonal(self.dense())

    @abstractmethod
    def gram(self, weights: Array | None) -> Array:
        """Return A' W A, shape (P, P), with W the diagonal matrix of the weights."""

    @abstractmethod
    def gram_diagonal(self, weights: Array | None) -> Array:
        """Return the diagonal of A' W A, shape (P,)."""


class Dense(Matrix):
    """An array; columns are kept contiguous for those who walk along them."""

    kind = "dense"

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape = array.shape[0], array.shape[1]
        self.apply = array.dot
        self.apply_transposed = array.T.dot

    def dense(self) -> Array:
        return self.array

    def sparse(self) -> Any | None:
        return None

    def column(self, j: int) -> tuple[Any, Array]:
        return slice(None), self.array[:, j]

    def gram(self, weights: Array | None) -> Array:
        A, (n, P) = self.array, self.shape
        rows = A if weights is None else weights[:, None] * A
        product: Array = watched(2.0 * n * P * P, np.matmul, A.T, rows)
        return product

    def gram_diagonal(self, weights: Array | None) -> Array:
        squares = np.ones(self.shape[0]) if weights is None else weights
        diagonal: Array = np.einsum("ij,ij,i->j", self.array, self.array, squares)
        return diagonal


class Packed(Matrix):
    """A symmetric matrix of which only the lower triangle is kept, row after row."""

    kind = "packed"

    def __init__(self, triangle: Array, name: str) -> None:
        P = (isqrt(8 * triangle.size + 1) - 1) // 2
        if P * (P + 1) // 2 != triangle.size:
            raise ValueError(
                f"{name} as a packed triangle must have P (P + 1) / 2 elements, got {triangle.size}"
            )
        self.triangle, self.shape = triangle, (P, P)
        self._symmetric = Symmetric(triangle)
        self.apply = self.apply_transposed = self._product

    def _product(self, v: Array) -> Array:
        twice: Array = quadratic_form(self._symmetric, v, gradient=True)[1]  # 2 B v
        return 0.5 * twice

    def dense(self) -> Array:
        full = np.empty(self.shape)
        full[np.tril_indices(self.shape[0])] = self.triangle
        full.T[np.tril_indices(self.shape[0])] = self.triangle
        return full

    def sparse(self) -> Any | None:
        return None

    def diagonal(self) -> Array:
        i = np.arange(self.shape[0])
        diagonal: Array = self.triangle[i * (i + 3) // 2]
        return diagonal

    def column(self, j: int) -> tuple[Any, Array]:
        i = np.arange(self.shape[0])
        low, high = np.minimum(i, j), np.maximum(i, j)
        return slice(None), self.triangle[high * (high + 1) // 2 + low]

    def gram(self, weights: Array | None) -> Array:
        return Dense(self.dense()).gram(weights)

    def gram_diagonal(self, weights: Array | None) -> Array:
        return Dense(self.dense()).gram_diagonal(weights)


class Sparse(Matrix):
    """A sparse matrix of SciPy, kept by columns."""

    kind = "sparse"

    def __init__(self, array: Any) -> None:
        self.array = array.tocsc().astype(np.float64)
        self.array.sum_duplicates()
        self.shape = self.array.shape
        rows = self.array.tocsr()
        self.apply = rows.dot
        self.apply_transposed = self.array.T.dot

    def dense(self) -> Array:
        array: Array = self.array.toarray()
        return array

    def sparse(self) -> Any | None:
        return self.array

    def diagonal(self) -> Array:
        diagonal: Array = self.array.diagonal()
        return diagonal

    def column(self, j: int) -> tuple[Any, Array]:
        one = slice(self.array.indptr[j], self.array.indptr[j + 1])
        return self.array.indices[one], self.array.data[one]

    def sparse_gram(self, weights: Array | None) -> Any:
        """Return A' W A as a sparse matrix."""
        A = self.array
        return A.T @ (A if weights is None else A.multiply(weights[:, None]).tocsc())

    def gram(self, weights: Array | None) -> Array:
        per_row = np.bincount(self.array.indices, minlength=self.shape[0]).astype(float)
        cost = 2.0 * per_row.dot(per_row) + PASSES * float(self.shape[1]) ** 2
        product: Array = watched(cost, lambda: self.sparse_gram(weights).toarray())
        return product

    def gram_diagonal(self, weights: Array | None) -> Array:
        squares = self.array.multiply(self.array)
        w = np.ones(self.shape[0]) if weights is None else weights
        diagonal: Array = squares.T.dot(w)
        return diagonal


class Product(Matrix):
    """A matrix known by its products alone; its columns are its products with unit vectors."""

    kind = "a product"

    def __init__(
        self,
        apply: Callable[[Array], Any],
        apply_transposed: Callable[[Array], Any],
        shape: tuple[int, int],
        name: str,
    ) -> None:
        self.shape = shape
        self.apply = _checked(apply, f"the product of {name}", shape[0])
        self.apply_transposed = _checked(apply_transposed, f"the product of {name}'", shape[1])

    def dense(self) -> Array:
        dense = np.zeros(self.shape)
        for j in range(self.shape[1]):
            check()
            dense[:, j] = self.column(j)[1]
        return dense

    def sparse(self) -> Any | None:
        return None

    def column(self, j: int) -> tuple[Any, Array]:
        unit = np.zeros(self.shape[1])
        unit[j] = 1.0
        return slice(None), self.apply(unit)

    def gram(self, weights: Array | None) -> Array:
        return Dense(self.dense()).gram(weights)

    def gram_diagonal(self, weights: Array | None) -> Array:
        diagonal = np.empty(self.shape[1])
        for j in range(self.shape[1]):
            check()
            squares = self.column(j)[1] ** 2
            diagonal[j] = squares.sum() if weights is None else squares.dot(weights)
        return diagonal


def _checked(apply: Callable[[Array], Any], what: str, size: int) -> Callable[[Array], Array]:
    """A product whose shape is looked at each time, because it is the user's."""

    def product(v: Array) -> Array:
        result = numbers(apply(v), what, np.float64)
        if result.shape != (size,):
            raise ValueError(f"{what} must have shape ({size},), got {result.shape}")
        return result

    return product


def is_sparse(value: Any) -> bool:
    """Return whether ``value`` is a sparse matrix or array of SciPy."""
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(value))


def as_matrix(value: Any, name: str, *, checked: bool = True) -> Matrix:
    """Return what a user passed as a matrix of shape (n, P).

    Whether it is finite is looked at here unless `without_rows` will.

    Raises
    ------
    ValueError
        It is no matrix, or not finite.
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
        except NotImplementedError:  # as SciPy's operators say
            raise ValueError(f"{name} has no rmatvec, the product with its transpose") from None
        return Product(value.matvec, back, shape, name)
    if callable(value):
        raise TypeError(f"{name} is a function: give an operator with matvec, rmatvec and shape")
    array = numbers(value, name, np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (n, P), got {array.shape}")
    return without_rows(Dense(array), None, name) if checked else Dense(array)


def without_rows(matrix: Matrix, unused: Array | None, name: str) -> Matrix:
    """Return the matrix with 0 for what is no number in unused rows, where it may be anything.

    Parameters
    ----------
    matrix : Matrix
    unused : ndarray of bool, shape (n,), or None

    Raises
    ------
    ValueError
        NaN or infinity in a row that is used.
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
        Packed is the lower triangle by rows.  An operator has ``matvec`` and ``shape``.
    size : int, optional
        P, needed for a callable.

    Raises
    ------
    ValueError
        It is not square, not symmetric or not finite.
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
