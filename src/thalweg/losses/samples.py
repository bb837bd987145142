"""The samples of a loss: inputs, targets and weights as columns, which are read where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import numbers
from .callables import to_numpy

Column = np.ndarray[Any, np.dtype[Any]]

FLOAT64 = np.dtype(np.float64)
ELEMENTS = (FLOAT64, np.dtype(np.float32))


def columns_of(inputs: Any) -> tuple[list[Column], bool, tuple[int, ...]]:
    """Return the variables, whether there is one, and the shape of the points."""
    if isinstance(inputs, tuple):
        arrays = [_floating(v, f"inputs[{k}]") for k, v in enumerate(inputs)]
        shapes = {a.shape for a in arrays}
        if len(shapes) != 1:
            got = ", ".join(map(str, (a.shape for a in arrays)))
            raise ValueError(f"all inputs must have one shape, got {got or 'none'}")
        return [a.reshape(-1) for a in arrays], False, arrays[0].shape
    array = _floating(inputs, "inputs")
    if array.ndim == 1:
        return [array], True, array.shape
    if array.ndim != 2:
        raise ValueError(f"inputs must have shape (K,) or (K, Ny), got {array.shape}")
    return list(array.T), False, array.shape[:1]


def targets_of(targets: Any, points: tuple[int, ...]) -> tuple[Column, tuple[int, ...]]:
    """Return the targets as (K, Nx), and their own shape."""
    array = _floating(targets, "targets")
    if array.shape[: len(points)] != points or array.ndim > len(points) + 1 or not points:
        wanted = ", ".join([f"K={points[0]}"] if len(points) == 1 else map(str, points))
        raise ValueError(
            f"targets must have shape ({wanted},) or ({wanted}, Nx), got {array.shape}"
        )
    if not array.size:
        raise ValueError(f"there must be a sample and a target, got targets of shape {array.shape}")
    K = int(np.prod(points))
    return array.reshape(K, -1), array.shape


def weights_of(weights: Any, K: int) -> Column | None:
    if weights is None:
        return None
    array = _floating(weights, "weights")
    if array.shape != (K,):
        raise ValueError(f"weights must have shape (K={K},), got {array.shape}")
    if not (array >= 0).all():
        k = int(np.argmin(array >= 0))
        raise ValueError(f"weights must not be negative, got {array[k]} at sample {k}")
    return array


def _floating(value: Any, name: str) -> Column:
    """Return data as float64 or float32, which are not copied, all finite."""
    array = to_numpy(value)
    if array.dtype not in ELEMENTS or not (array.dtype.isnative and array.flags.aligned):
        array = numbers(array, name, FLOAT64)
    with np.errstate(all="ignore"):
        total = array.sum(dtype=np.float64)
    if not np.isfinite(total) and not np.isfinite(array).all():
        place = np.unravel_index(int(np.argmin(np.isfinite(array))), array.shape)
        raise ValueError(f"{name} must be finite, got {array[place]} at sample {place[0]}")
    return array
