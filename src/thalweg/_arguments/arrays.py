"""Arrays of any library as NumPy arrays that share their memory, and what is wrong with them."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .masked import is_masked_array
from .pieces import Array, contiguous, copied, first_not_finite, usual

_EFFORT = 1 << 20  # the most candidates by which NumPy tries to prove that arrays do not overlap
_ELEMENTS = (np.dtype(np.float64), np.dtype(np.float32))


def unmasked(
    value: Any, name: str, cure: str = "fill in the masked elements", strict: bool = False
) -> Any:
    """Return a value of which no element is masked.

    Raises
    ------
    TypeError
        An element is masked, or ``strict`` is true and the value is a masked array: to leave an
        element out has no meaning here.
    """
    if is_masked_array(value) and (strict or np.ma.is_masked(value)):
        raise TypeError(f"{name} must not be masked; {cure}")
    return value


def real_array(value: Any, name: str) -> Array:
    """Return an array as float64 or float32, without a copy if it is of one of these types already.

    Other real numbers become float64.  An array of another library is read by DLPack or the buffer
    protocol.

    Raises
    ------
    TypeError
        The array does not hold real numbers, or is not in the memory of the processor.
    """
    array = value if type(value) is np.ndarray else _imported(value, name)
    if array.dtype in _ELEMENTS and array.flags.aligned and array.dtype.isnative:
        return usual(array)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be real numbers, got an array of {array.dtype}")
    return copied(array, np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64)


def _imported(value: Any, name: str) -> Array:
    value = unmasked(value, name, "give rows to leave out the weight 0")
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array in the processor's memory that can be shared: {error}"
        ) from None


def whole_strides(array: Array) -> Array:
    """Return the array, or a copy if its strides are no multiples of an element's size."""
    return array if not any(s % array.itemsize for s in array.strides) else copied(array)


def lying(J: Array) -> Array:
    """Return J (K, Nx, P) as it is if its rows or its columns are contiguous, else a copy."""
    step_k, step_i, step_j = J.strides
    _, Nx, P = J.shape
    if step_j == J.itemsize and not (step_k % step_j or step_i % step_j):
        return J
    J = whole_strides(J)
    if P <= 1 or (step_k if Nx == 1 else step_i) == J.itemsize:
        return J
    return contiguous(J)


def compressed(J: Any) -> tuple[Array, Array, Array]:
    """Return indptr, indices and data of compressed rows, contiguous, the indices of one type.

    Raises
    ------
    TypeError, ValueError
        J is of another format, or its arrays do not fit each other.
    """
    kind = getattr(J, "format", "csr")
    if kind != "csr":
        raise TypeError(f"a sparse J must be in CSR format, got {kind}; J.tocsr() converts it")
    if len(J.shape) != 2:
        raise ValueError(f"a sparse J must have shape (K·Nx, P), got {tuple(J.shape)}")
    indptr, indices = np.asarray(J.indptr), np.asarray(J.indices)
    for name, array in (("indptr", indptr), ("indices", indices)):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise TypeError(f"J.{name} must be whole numbers in one axis, got {array.dtype}")
    if len(indptr) != J.shape[0] + 1:
        raise ValueError(f"J.indptr must have {J.shape[0] + 1} elements, got {len(indptr)}")
    data = real_array(J.data, "J.data")
    if data.shape != indices.shape:
        raise ValueError(f"J.data must have shape {indices.shape} as J.indices, got {data.shape}")
    index = np.int32 if indptr.dtype == indices.dtype == np.int32 else np.int64
    return (
        contiguous(indptr, index),
        contiguous(indices, index),
        contiguous(data),
    )


def overlaps(out: Array, array: Array) -> bool:
    """Return whether two arrays share memory; true also if that is too hard to tell."""
    if not np.may_share_memory(out, array):
        return False
    try:
        # NumPy's stub knows two efforts only, its documentation any
        return bool(np.shares_memory(out, array, max_work=_EFFORT))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def refuse_output(out: Any, shape: tuple[int, ...], words: str, inputs: dict[str, Any]) -> None:
    """Refuse an output that a result of ``shape`` cannot be written to.

    Raises
    ------
    TypeError, ValueError
        ``out`` is no float64 array of that shape, is read-only, or overlaps an input.
    """
    if not isinstance(out, np.ndarray) or out.dtype != np.float64:
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be a NumPy array of float64, got {kind}")
    if out.shape != shape:
        raise ValueError(f"out must have shape {words}, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only, and the result must be written to it")
    for name, array in inputs.items():
        if array is not None and overlaps(out, array):
            raise ValueError(f"out overlaps {name} in memory; the result needs memory of its own")


def refuse_not_finite(arrays: dict[str, Any], what: str) -> NoReturn:
    """Raise an exception that says which input has the first NaN or infinity, and where.

    This is called only for a result that is not finite, for the search takes as long as to compute
    the result.

    Raises
    ------
    ValueError
        An input is not finite.
    OverflowError
        All inputs are finite, so the result has overflowed.
    """
    for name, array in arrays.items():
        if array is not None and (place := first_not_finite(array)) is not None:
            value, index = array[place], ", ".join(map(str, place))
            raise ValueError(f"{name} must be finite, got {value} at [{index}]")
    raise OverflowError(f"{what} is beyond the range of float64, although every input is finite")
