"""The samples of a loss: inputs, targets and weights as columns, without copies if possible."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .callables import by_row
from .left_out import read, refuse_not_finite, settled, usable

Column = np.ndarray[Any, np.dtype[Any]]


class Samples(NamedTuple):
    """K samples, in which every number is finite and samples that are left out have weight 0.

    Attributes
    ----------
    columns : list of ndarray, each (K,)
        The inputs.  If those of a sample that is left out are not finite, they are replaced by
        those of a sample that is used.
    single : bool
        Whether the model has a single variable.
    targets : ndarray, shape (K, Nx)
    weights : ndarray, shape (K,) or (K, Nx), or None
    shape : tuple of int
        The shape of the targets as they were given.
    there : ndarray of bool, shape (K, Nx), or None
        False where an input or a target is masked or not finite.
    """

    columns: list[Column]
    single: bool
    targets: Column
    weights: Column | None
    shape: tuple[int, ...]
    there: Column | None


def samples_of(inputs: Any, targets: Any, weights: Any) -> Samples:
    """Check the samples that a user passed, and return them."""
    columns, single, points = columns_of(inputs)
    x, mask, shape = targets_of(targets, points)
    masked = [m for _, m in columns if m is not None]
    rows = np.logical_or.reduce(masked) if masked else None
    if rows is not None:
        mask = np.broadcast_to(rows[:, None], x.shape) if mask is None else mask | rows[:, None]
    seen = _there(x, mask, weights)
    x, w = _weighed(x, mask, weights)
    arrays = [_stand_in(column, own, w, k, single) for k, (column, own) in enumerate(columns)]
    return Samples(arrays, single, x, w, shape, seen)


def targets_and_weights(
    targets: Any, weights: Any
) -> tuple[Column, Column | None, tuple[int, ...], Column | None]:
    """Return targets, shape (K, Nx), weights, the shape of the targets as given, and ``there``."""
    x, mask, shape = targets_of(targets, None)
    return *_weighed(x, mask, weights), shape, _there(x, mask, weights)


def _there(values: Column, masked: Column | None, weights: Any) -> Column | None:
    """Return which values are finite and not masked; None if all are."""
    if masked is None and weights is None:
        return None
    seen = usable(values)
    if masked is not None:
        seen &= ~by_row(masked, values)
    return None if seen.all() else seen


def _weighed(x: Column, mask: Column | None, weights: Any) -> tuple[Column, Column | None]:
    w, missing = (None, None) if weights is None else read(weights, "weights")
    if w is not None and w.shape != (len(x),):
        raise ValueError(f"weights must have shape (K={len(x)},), got {w.shape}")
    return settled(x, mask, w, missing, "targets")


def _stand_in(
    column: Column, masked: Column | None, weights: Column | None, k: int, single: bool
) -> Column:
    """Return the column, with the value of a used sample where one left out is not finite."""
    name = "inputs" if single else f"inputs[{k}]"
    if weights is not None and (masked is not None or not np.isfinite(column).all()):
        used = weights > 0 if weights.ndim == 1 else (weights > 0).any(axis=1)
        wrong = ~used & (~np.isfinite(column) if masked is None else masked | ~np.isfinite(column))
        other = column[used][0] if used.any() else column.dtype.type(0)
        column = np.where(wrong, other, column)
    refuse_not_finite(column, name)
    return column


def columns_of(
    inputs: Any,
) -> tuple[list[tuple[Column, Column | None]], bool, tuple[int, ...]]:
    """Return the variables with their masks, whether there is only one, and the points' shape."""
    if isinstance(inputs, tuple):
        pairs = [read(v, f"inputs[{k}]") for k, v in enumerate(inputs)]
        shapes = {a.shape for a, _ in pairs}
        if len(shapes) != 1:
            got = ", ".join(map(str, (a.shape for a, _ in pairs)))
            raise ValueError(f"all inputs must have one shape, got {got or 'none'}")
        flat = [(a.reshape(-1), None if m is None else m.reshape(-1)) for a, m in pairs]
        return flat, False, pairs[0][0].shape
    array, mask = read(inputs, "inputs")
    if array.ndim == 1:
        return [(array, mask)], True, array.shape
    if array.ndim != 2:
        raise ValueError(f"inputs must have shape (K,) or (K, Ny), got {array.shape}")
    masks = [None] * array.shape[1] if mask is None else list(mask.T)
    return list(zip(array.T, masks, strict=True)), False, array.shape[:1]


def targets_of(
    targets: Any, points: tuple[int, ...] | None
) -> tuple[Column, Column | None, tuple[int, ...]]:
    """Return the targets as (K, Nx), their mask, and their shape as given."""
    array, mask = read(targets, "targets")
    points = array.shape[:1] if points is None else points
    if array.shape[: len(points)] != points or array.ndim > len(points) + 1 or not points:
        wanted = ", ".join([f"K={points[0]}"] if len(points) == 1 else map(str, points))
        raise ValueError(
            f"targets must have shape ({wanted},) or ({wanted}, Nx), got {array.shape}"
        )
    if not array.size:
        raise ValueError(f"there must be a sample and a target, got targets of shape {array.shape}")
    K = int(np.prod(points))
    return array.reshape(K, -1), None if mask is None else mask.reshape(K, -1), array.shape
