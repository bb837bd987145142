"""Square matrices in the forms that users have, and whether they are symmetric."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import Any, Literal, NoReturn

import numpy as np

from .._arguments.arrays import unmasked
from .._arguments.check import numbers, thread_limit
from .._arguments.pieces import contiguous, usual
from .._arguments.spelling import spelled
from .._arguments.values import named
from .._core import quadratic as _core

Array = np.ndarray[Any, np.dtype[Any]]
TriangleName = Literal["lower", "upper"] | None

_CHUNK = 1 << 18  # so many elements of B (2 MiB) are compared at a time when NumPy searches a pair


class Square(_core.Matrix):
    """Any square matrix, not copied: the caller's array, or the arrays of sparse rows."""

    __slots__ = ("_arrays", "_storage", "_transposed")
    _arrays: tuple[Array, ...]
    _storage: str  # full, packed or sparse, and the triangle if only one is read
    _transposed: bool  # whether row i is the caller's column i

    def __init__(self, B: Any) -> None:
        if hasattr(B, "tocsr"):
            arrays = _sparse_rows(B)
            self._csr_or_refuse(arrays, len(arrays[2]) - 1, "", general=True)
            return
        B = _real(B, "B")
        _refuse_oblong(B.shape)
        rows = _by_rows(B)
        self._transposed = rows.strides != B.strides and np.may_share_memory(rows, B)
        self._full(rows, False, True)
        self._arrays, self._storage = (rows,), "full"

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays that the kernels read."""
        return self._arrays

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} {self.P} x {self.P}, {self._storage}, {self._arrays[0].dtype}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make a copy, which reads the same triangle and is not checked again."""
        return _restored, (type(self), self._storage, self._transposed, self._arrays)

    def refuse_nonfinite(self) -> None:
        """Raise ValueError about the first NaN or infinity in what is read, if there is one."""
        kind, _, triangle = self._storage.partition(" ")
        rows = np.repeat(np.arange(self.P), np.diff(self._arrays[2])) if kind == "sparse" else None
        for first, values in _chunks(self._arrays[0]):
            finite = np.isfinite(values)
            i: Any = np.arange(first, first + len(values))
            j: Any = i
            if rows is not None:
                i, j = rows[i], self._arrays[1][i]
            elif values.ndim == 2:
                i, j = i[:, None], np.arange(self.P)
            if kind != "packed" and triangle:
                finite |= (i > j) if triangle == "upper" else (i < j)
            if not finite.all():
                at = np.unravel_index(int(np.argmin(finite)), finite.shape)
                where = [np.broadcast_to(a, finite.shape)[at] for a in (i, j)]
                if kind == "packed":
                    where = where[:1]
                elif self._transposed:
                    where.reverse()
                raise ValueError(f"{named('B', where)} is {values[at]}")

    def _csr_or_refuse(
        self, arrays: tuple[Array, ...], P: int, triangle: str, *, general: bool = False
    ) -> None:
        data, index, start = arrays
        self._csr(data, index, start, P, triangle == "upper", general)
        self._arrays = arrays
        self._storage, self._transposed = f"sparse {triangle}".strip(), False


@spelled
class Symmetric(Square):
    """A symmetric matrix, checked once for any number of calls of `quadratic_form`.

    The object keeps the caller's array without a copy, and only one triangle of it is read from
    then on; ``symmetrise`` alone makes a new array, of half the size.  Attributes cannot be set.

    Parameters
    ----------
    B : array_like
        The matrix: shape (P, P), packed (P(P + 1)/2,), or a SciPy sparse matrix, as in
        `quadratic_form`.
    triangle : {"lower", "upper"}, optional
        The triangle to read, without a check of the other one.
    symmetrise : bool
        Whether to take (B + Bᵗ)/2.
    threads : int, optional
        The most threads of the check.

    Attributes
    ----------
    P : int
        The number of rows and of columns.
    arrays : tuple of ndarray
        The arrays that are read: the matrix or triangle, or data, indices and indptr of sparse
        rows.

    Raises
    ------
    ValueError
        B is not square or not symmetric, or its sparse columns are not sorted.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import Symmetric, quadratic_form
    >>> B = Symmetric(np.eye(3))
    >>> [quadratic_form(B, np.full(3, t)) for t in (0.0, 1.0, 2.0)]
    [0.0, 3.0, 12.0]
    """

    __slots__ = ()

    def __init__(
        self,
        B: Any,
        *,
        triangle: TriangleName = None,
        symmetrise: bool = False,
        threads: int | None = None,
    ) -> None:
        n_threads = thread_limit(threads)
        if triangle not in (None, "lower", "upper"):
            raise ValueError(f"triangle must be 'lower' or 'upper', got {triangle!r}")
        if symmetrise and triangle:
            raise ValueError("symmetrise uses both triangles of B, triangle only one: give one")
        if hasattr(B, "tocsr"):
            self._take_sparse((B + B.T) / 2 if symmetrise else B, triangle, n_threads)
        else:
            self._take_dense(_real(B, "B"), triangle, symmetrise, n_threads)

    @classmethod
    def of(cls, B: Any, **how: Any) -> Symmetric:
        """Return B itself where it is a `Symmetric` already."""
        if not isinstance(B, cls):
            return cls(B, **how)
        if how["triangle"] or how["symmetrise"]:
            raise ValueError("triangle and symmetrise were settled when B was made a Symmetric")
        return B

    def _take_dense(self, B: Array, triangle: str | None, symmetrise: bool, threads: int) -> None:
        if B.ndim == 1 and not symmetrise:
            P = (isqrt(8 * B.size + 1) - 1) // 2
            if P * (P + 1) // 2 != B.size:
                raise ValueError(f"a packed B must have P(P + 1)/2 elements, got {B.size}")
            B, self._transposed = np.ascontiguousarray(B), False
            self._packed(B, P, triangle == "upper")
            self._arrays, self._storage = (B,), f"packed {triangle or 'lower'}"
            return
        _refuse_oblong(B.shape)
        rows = _by_rows(B)
        if symmetrise:
            P = len(B)
            packed, self._transposed = np.empty(P * (P + 1) // 2, B.dtype), False
            _core.symmetrise(rows, packed, threads)
            self._packed(packed, P, False)
            self._arrays, self._storage = (packed,), "packed lower"
            return
        self._transposed = rows.strides != B.strides and np.may_share_memory(rows, B)
        upper = triangle == ("lower" if self._transposed else "upper")
        self._full(rows, upper)
        self._arrays, self._storage = (rows,), "full upper" if upper else "full lower"
        if triangle is None and not self._is_symmetric(threads):
            _refuse_asymmetry(_dense_pairs(B), np.diagonal(B), B.dtype)

    def _take_sparse(self, B: Any, triangle: str | None, threads: int) -> None:
        B = B if B.format == "csr" else B.tocsr()
        arrays = _sparse_rows(B)
        self._csr_or_refuse(arrays, B.shape[0], triangle or "lower")
        if triangle is None and not self._is_symmetric(threads):
            _refuse_asymmetry(_sparse_pairs(B), B.diagonal(), arrays[0].dtype)


def matrix_of(B: Any, triangle: TriangleName, symmetrise: bool, threads: int | None) -> Square:
    """Return B as the kernels take it: a `Symmetric` if it is packed or options say so.

    Without options, B may be any square matrix; a packed B is one triangle, hence symmetric.
    """
    if isinstance(B, Square) and not isinstance(B, Symmetric):
        return B
    plain = triangle is None and not symmetrise and not isinstance(B, Symmetric)
    if plain and (hasattr(B, "tocsr") or np.ndim(B) != 1):
        return Square(B)
    return Symmetric.of(B, triangle=triangle, symmetrise=symmetrise, threads=threads)


def _restored(
    kind: type[Square], storage: str, transposed: bool, arrays: tuple[Array, ...]
) -> Square:
    """Return the matrix of the arguments that `Square.__reduce__` has given."""
    layout, _, triangle = storage.partition(" ")
    B: Any = arrays[0].T if transposed else arrays[0]
    if layout == "sparse":
        from scipy.sparse import csr_array

        P = len(arrays[2]) - 1
        B = csr_array(arrays, shape=(P, P))
    if kind is not Symmetric:
        return kind(B)
    other = {"lower": "upper", "upper": "lower"}
    return Symmetric(B, triangle=other[triangle] if transposed else triangle)  # type: ignore[arg-type]


def _real(B: Any, name: str) -> Array:
    """Return an aligned array of native float64 or float32, in its present order."""
    array = usual(np.asarray(unmasked(B, name)))
    if array.dtype not in (np.float64, np.float32) or not array.dtype.isnative:
        return numbers(array, name, np.float64)
    return array if array.flags.aligned else contiguous(array)


def _refuse_oblong(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"B must have shape (P, P), got {shape}")


def _sparse_rows(B: Any) -> tuple[Array, ...]:
    """Return data, indices and indptr of compressed rows."""
    _refuse_oblong(B.shape)
    B = B if B.format == "csr" else B.tocsr()
    integer = np.int32 if B.indices.dtype == B.indptr.dtype == np.int32 else np.int64
    data = contiguous(_real(B.data, "B"))
    return data, *(contiguous(a, integer) for a in (B.indices, B.indptr))


def _by_rows(B: Array) -> Array:
    """Return B, or its transpose, or a copy: contiguous along the last axis."""
    for array in (B, B.T):
        if array.strides[1] == B.itemsize and array.strides[0] % B.itemsize == 0:
            return array
    return contiguous(B)


def _chunks(array: Array) -> Iterator[tuple[int, Array]]:
    step = max(1, _CHUNK // max(1, array[:1].size))
    for first in range(0, len(array), step):
        yield first, array[first : first + step]


# ---- the pair B_ij, B_ji that differs most ----------------------------------------------------

Pairs = Iterator[tuple[Array, Array, Array, Array]]  # i, j, B_ij, B_ji; of one shape or broadcast


def _dense_pairs(B: Array) -> Pairs:
    for first, rows in _chunks(B):
        last = first + len(rows)
        i, j = np.arange(first, last)[:, None], np.arange(last)
        yield i, j, rows[:, :last], B[:last, first:last].T


def _sparse_pairs(B: Any) -> Pairs:
    union = abs(B) + abs(B.T)  # has every place where either has an element
    rows = np.repeat(np.arange(B.shape[0]), np.diff(union.indptr))
    pairs = (np.asarray(A[rows, union.indices]).ravel() for A in (B, B.T.tocsr()))
    yield rows, union.indices, *pairs


def _refuse_asymmetry(pairs: Pairs, diagonal: Array, dtype: Any) -> None:
    """Raise ValueError for the worst pair, unless all differ by rounding only."""
    with np.errstate(invalid="ignore", over="ignore"):
        size, worst, found = np.sqrt(np.abs(diagonal)), 0.0, None
        for i, j, here, there in pairs:
            difference = np.abs(here - there)
            scale = np.maximum(np.maximum(np.abs(here), np.abs(there)), size[i] * size[j])
            bad = ~(difference <= np.sqrt(np.finfo(dtype).eps) * scale)
            bad &= ~((here == there) & (i != j))  # equal infinities differ by NaN
            difference = np.where(bad, np.where(np.isnan(difference), np.inf, difference), -1.0)
            at = np.unravel_index(int(np.argmax(difference)), difference.shape)
            if difference[at] > worst:
                where = (np.broadcast_to(a, difference.shape)[at] for a in (i, j, here, there))
                worst, found = difference[at], tuple(where)
    if found is not None:
        _refuse_pair(*found)


def _refuse_pair(i: int, j: int, here: float, there: float) -> NoReturn:
    for where, value in (((i, j), here), ((j, i), there)):
        if not np.isfinite(value):
            raise ValueError(f"{named('B', where)} is {value}")
    raise ValueError(
        f"B must be symmetric, but {named('B', (i, j))} = {here} and "
        f"{named('B', (j, i))} = {there}; "
        "symmetrise=True takes (B + Bᵗ)/2, triangle='lower' or 'upper' reads one half"
    )
