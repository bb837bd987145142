"""Matrices in the forms that users have: dense, packed, sparse, or only as a product.

A `Matrix` has its products and its diagonal, so that losses are written once for all forms.  SciPy
is imported only for sparse matrices, and whoever passes one has it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np

from .._arguments.check import Array, numbers
from ..kernels import Symmetric, quadratic_form
from .watch import PASSES, check, watched


class Matrix(ABC):
    """A matrix of shape (n, P), known by its products.

    Attributes
    ----------
    kind : str
        The form of the matrix, in a word.
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
        """Return the matrix as an array, shape (n, P)."""

    @abstractmethod
    def sparse(self) -> Any | None:
        """Return the matrix as a sparse matrix of SciPy, or None if it is not sparse."""

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
    """A matrix that is an array."""

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
    """The user's product, with a check of the shape of each result."""

    def product(v: Array) -> Array:
        result = numbers(apply(v), what, np.float64)
        if result.shape != (size,):
            raise ValueError(f"{what} must have shape ({size},), got {result.shape}")
        return result

    return product
