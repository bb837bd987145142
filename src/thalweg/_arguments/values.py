"""Weights, penalties and bounds of linear models and of sweeps: checked here, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .check import left_out, numbers
from .pieces import Array, all_finite, first_not_finite

_LARGEST = float(np.finfo(np.float64).max)


def named(name: str, place: Sequence[Any]) -> str:
    """Return the name of an element, such as B[3, 5]; of a single number, its own name."""
    return f"{name}[{', '.join(map(str, place))}]" if place else name


def refuse_nonfinite(array: Array, name: str) -> None:
    """Raise ValueError about the first NaN or infinity of an array, if there is one."""
    if not all_finite(array) and (place := first_not_finite(array)) is not None:
        raise ValueError(f"{name} must be finite, but {named(name, place)} is {array[place]}")


def refuse_negative(array: Array, name: str) -> None:
    """Raise ValueError about the first element that is negative or not finite, if there is one."""
    wrong = ~((array >= 0) & (array < np.inf))  # NaN too
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        raise ValueError(
            f"{name} must be finite and not negative, but {named(name, place)} is {array[place]}"
        )


def row_weights(weights: Any, n: int) -> Array:
    """Return the weights of n rows, (n,), 0 where they are masked."""
    plain, masked = left_out(weights)
    array = numbers(plain, "weights", np.float64)
    if masked is not None:
        array = np.where(masked, 0.0, array)
    if array.shape != (n,):
        raise ValueError(f"weights must have shape (n={n},), got {array.shape}")
    refuse_negative(array, "weights")
    return array


def penalty(value: Any, name: str, P: int, infinite: bool = False) -> Array:
    """Return a penalty for each of P coordinates; ``infinite`` says whether it may be infinite."""
    if isinstance(value, int | float) and 0 <= value <= _LARGEST:
        same = np.empty(P)  # the usual case, one number, without the cost of checking an array
        same.fill(value)
        return same
    array = numbers(value, name, np.float64)
    if array.shape not in ((), (P,)):
        raise ValueError(f"{name} must have shape () or (P={P},), got {array.shape}")
    refuse_negative(np.minimum(array, np.finfo(float).max) if infinite else array, name)
    return np.full(P, array) if array.ndim == 0 else array


def kept_at_zero(l1: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """Return l1, lower and upper with bounds (0, 0) in place of each infinite l1."""
    lower, upper = np.ascontiguousarray(lower), np.ascontiguousarray(upper)
    kept = np.isinf(l1)
    if not np.count_nonzero(kept):
        return l1, lower, upper
    wrong = kept & ~((lower <= 0) & (upper >= 0))
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"l1[{j}] is infinite, which keeps coordinate {j} at 0, but its bounds exclude 0: "
            f"[{lower[j]}, {upper[j]}]"
        )
    return np.where(kept, 0.0, l1), np.where(kept, 0.0, lower), np.where(kept, 0.0, upper)
