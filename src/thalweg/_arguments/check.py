"""Turn what users pass into arrays of a named shape, or say in one sentence what is wrong.

Shapes are written with their letters: "sigma must have shape (N=25,) or (B=100, N=25), got (24,)".
No function here changes or keeps a caller's array; an array that fits already is not copied.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from .masked import is_masked_array
from .pieces import Array as Array  # who imports from here gets it, too
from .pieces import contiguous, filled, pieces
from .spelling import did_you_mean

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float64, or float32 where that was asked for
Integers = np.ndarray[Any, np.dtype[np.integer[Any]]]
Booleans = np.ndarray[Any, np.dtype[np.bool_]]


_TEXT = (str, bytes, bytearray)
_EXACT = 1 << 53  # every whole number below this one is a float


class PerFit(NamedTuple):
    """A row for all fits, shape (n,) and ``step`` 0, or one per fit, (B, n) and ``step`` 1."""

    array: Array
    step: int

    def picked(self, places: Array) -> PerFit:
        """Return the rows of the fits at these places, (n,); a shared row stays as it is."""
        return PerFit(self.array[places], 1) if self.step else self


def is_ready(value: Any, dtype: Any) -> TypeGuard[Array]:
    """Return whether a value is an array as the compiled code takes it, without a mask.

    It is contiguous, aligned, writeable and of ``dtype``, see `usual`; subclasses of arrays are
    none.
    """
    if type(value) is not np.ndarray:
        return False
    own = value.dtype  # NumPy has one object for each of its types, which is found out fastest
    return (own is dtype or (own == dtype and own.byteorder in "=|")) and value.flags.carray


def numbers(value: Any, name: str, dtype: Any) -> Array:
    """Return ``value``, which may be an object array, as a C-contiguous array of ``dtype``.

    A number that is too large for float32 becomes infinite.  Masked values are refused; where they
    can be left out, the caller takes the mask off by `left_out`.

    Raises
    ------
    TypeError
        ``value`` holds something that is not a real number, or masked values, or is lazy.
    """
    if is_ready(value, dtype):
        return value
    if dtype is np.float64 and (
        isinstance(value, float) or (type(value) is int and abs(value) < _EXACT)
    ):
        return np.array(value, np.float64)
    if is_masked_array(value):
        if np.ma.is_masked(value):
            raise TypeError(f"{name} must not be masked, for no value of it can be left out")
        value = value.data
    refuse_lazy(value, name)
    array = np.asarray(value)
    if is_ready(array, dtype):
        return array
    if value is None:
        raise TypeError(f"{name} must be numbers, got None")
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real, got complex numbers")
    if array.dtype.kind in "mM":
        raise TypeError(f"{name} must be numbers, got dates; subtract a start and divide by a unit")
    refuse_text(array, name)
    try:
        with np.errstate(over="ignore"):
            return contiguous(array, dtype)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be numbers, got {_what(array)}") from None


def refuse_text(array: Array, name: str) -> None:
    """Raise TypeError for an array that is or holds text, whose digits NumPy would read."""
    is_text = array.dtype.kind in "UST"
    if is_text or (
        array.dtype.kind == "O" and any(isinstance(item, _TEXT) for item in array.ravel())
    ):
        raise TypeError(f"{name} must be numbers, got {_what(array)}")


def refuse_lazy(value: Any, name: str) -> None:
    """Raise TypeError for what dask has not computed yet, which may be larger than memory."""
    graph = getattr(value, "__dask_graph__", None)
    if graph is not None and graph() is not None:
        raise TypeError(
            f"{name} is lazy: thalweg.scale.dask takes it chunk by chunk, as .thalweg of a "
            "DataArray does, and its method compute() brings it into memory"
        )


def left_out(value: Any) -> tuple[Any, Array | None]:
    """Return a value without its mask, and its mask as bool of the same shape, or None.

    Lists and tuples may hold `numpy.ma.masked` or masked arrays.
    """
    if isinstance(value, list | tuple) and any(is_masked_array(v) for v in value):
        value = np.ma.stack([np.ma.asarray(v) for v in value])
    if not is_masked_array(value):
        return value, None
    if value.mask is np.ma.nomask:
        return value.data, None
    mask: Array = np.ma.getmaskarray(value)
    return value.data, mask if any(mask[piece].any() for piece in pieces(mask.shape)) else None


def _what(array: Array) -> str:
    if array.dtype.kind == "O":
        for item in array.ravel():
            if isinstance(item, int) and abs(item) > sys.float_info.max:
                return "an integer that no float holds"
            if not isinstance(item, int | float):
                return f"{item!r} in an object array"
    if array.ndim == 0 and array.dtype.kind in "UST":
        return f"the text {array.item()!r}"
    return f"an array of {array.dtype}"


def per_fit(
    value: Any, name: str, letter: str, size: int, batch: tuple[int, ...], dtype: Any
) -> PerFit:
    """Return ``value`` of shape (), (n,) or (..., n) as one row for all fits or one row per fit."""
    array = numbers(value, name, dtype)
    if array.ndim == 0:
        array = filled(size, array, dtype)
    if array.shape == (size,):
        return PerFit(array, 0)
    if array.shape == (*batch, size):
        return PerFit(array.reshape(prod(batch), size), 1)
    cure = ""
    if letter == "N" and array.ndim == 1 and len(array) in batch:
        cure = "; axis= names the axis of y along which its points lie"
    elif letter == "N" and array.size == size:
        cure = f"; {name}.ravel() has it"
    wanted = shapes(letter, size, batch)
    raise ValueError(f"{name} must have shape {wanted}, got {array.shape}{cure}")


def shapes(letter: str, size: int, batch: tuple[int, ...]) -> str:
    """Return the shapes that `per_fit` takes, in words."""
    shared = f"({letter}={size},)"
    if not batch:
        return shared
    return f"{shared} or ({', '.join(map(str, batch))}, {letter}={size})"


def name_index(name: str, names: Sequence[str], what: str) -> int:
    """Return the place of a parameter's name; ValueError for a name that no parameter has."""
    if name in names:
        return list(names).index(name)
    hint = did_you_mean(str(name), names)
    raise ValueError(f"{what} names {name!r}, but the parameters are {', '.join(names)}{hint}")


def place_of(index: Sequence[Any], batch: tuple[int, ...]) -> tuple[int, ...]:
    """Return the place of one fit of a batch; negative numbers count from the end.

    Raises
    ------
    IndexError
        The index does not pick one fit.
    """
    whole = len(index) == len(batch) and all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(index, batch, strict=True)
    )
    if not whole:
        raise IndexError(f"the index {index} does not pick one fit of a batch of shape {batch}")
    return tuple(int(i) % n for i, n in zip(index, batch, strict=True))


def by_name(
    values: Mapping[str, Any], names: Sequence[str], what: str, missing: Any = None
) -> list[Any]:
    """Return the values of a mapping in the order of ``names``; ``missing`` for absent names.

    Raises
    ------
    ValueError
        The mapping names an unknown parameter, or lacks one while ``missing`` is None.
    """
    for name in values:
        name_index(name, names, what)
    absent = [name for name in names if name not in values]
    if absent and missing is None:
        raise ValueError(f"{what} must give every parameter; {', '.join(absent)} missing")
    return [values.get(name, missing) for name in names]


def stack(columns: Sequence[Any], what: str, names: Sequence[str], dtype: Any) -> Array:
    """Return per-parameter values, each a number or one per fit, as (P,) or (..., P)."""
    arrays = [
        numbers(value, f"{what}[{name!r}]", dtype)
        for name, value in zip(names, columns, strict=True)
    ]
    try:
        return np.ascontiguousarray(np.stack(np.broadcast_arrays(*arrays), axis=-1))
    except ValueError:
        got = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"{what} must have one shape for all parameters, got {got}") from None


_MOST_THREADS = 256  # TW_MAX_THREADS of csrc/base/pool.h


def number_of(value: Any, name: str, wanted: str) -> float:
    """Return a number as a float, or raise TypeError; an integer beyond all floats is infinite."""
    try:
        if isinstance(value, _TEXT):  # float() would read their digits
            raise TypeError
        return float(value)
    except OverflowError:
        return np.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number {wanted}, got {value!r}") from None


def tolerance(value: float | None, name: str, default: float) -> float:
    """Return a tolerance, which must be a number >= 0."""
    if value is None:
        return default
    number = number_of(value, name, ">= 0")
    if not 0 <= number < np.inf:
        raise ValueError(f"{name} must be a number >= 0, got {number}")
    return number


def positive(value: Any, name: str) -> float:
    """Return a setting that must be a number > 0.

    Raises
    ------
    TypeError, ValueError
        The value is no number, or not > 0, or not finite.
    """
    number = number_of(value, name, "> 0")
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be a number > 0, got {value!r}")
    return number


def count(value: Any, name: str, least: int, most: int) -> int:
    """Return a whole number between ``least`` and ``most``."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None
    if number != value or not least <= number <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, got {value!r}")
    return number


def one_of(value: Any, name: str, known: Sequence[str]) -> str:
    """Return a word, which must be one of those that are known."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be {', '.join(map(repr, known))}, got {value!r}")
    return value


def thread_limit(threads: Any) -> int:
    """Return ``threads`` as the compiled code takes it: 0 for None, the usual number.

    Raises
    ------
    ValueError
        ``threads`` is not a whole number from 1 to 256.
    """
    return 0 if threads is None else count(threads, "threads", 1, _MOST_THREADS)
