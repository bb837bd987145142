"""Symmetric matrices as their lower triangles, by rows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._arguments.check import Array


@lru_cache(maxsize=64)
def unpacking(n_params: int, free: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the places of the same elements in a flat (P, P) matrix and in a packed triangle.

    The triangle has a row for each parameter in ``free``; if these are all, the places in it have
    the shape (P, P) of the matrix.
    """
    full, packed = [], []
    for k, i in enumerate(free):
        for m, j in enumerate(free):
            row, column = max(k, m), min(k, m)
            full.append(i * n_params + j)
            packed.append(row * (row + 1) // 2 + column)
    places = np.array(packed, np.intp)
    if len(free) == n_params:
        places = places.reshape(n_params, n_params)
    return np.array(full, np.intp), places


def diagonal(n_free: int) -> list[int]:
    """Return the places of the diagonal in a packed lower triangle of ``n_free`` rows."""
    return [k * (k + 3) // 2 for k in range(n_free)]
