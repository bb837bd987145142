"""Coordinate descent on sparse columns: what the dense specification does."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sweep import coordinate_sweep

Array = np.ndarray[Any, np.dtype[Any]]


def sweep_csc(
    A: Any,
    theta: Array,
    residual: Array,
    *,
    l1: Any = 0,
    l2: Any = 0,
    weights: Any = None,
    bounds: Any = None,
    order: Any = "cyclic",
    sweeps: int = 1,
    relaxation: float = 1.0,
    intercept: Array | None = None,
    centered: bool = False,
    b: Any = None,
    rng: Any = None,
    threads: int | None = None,
) -> tuple[float, float, Array, float | None]:
    """Minimise F over one coordinate after the other; see `thalweg.kernels.sweep_csc`."""
    dense = np.asarray(A.toarray(), dtype=np.float64)
    return coordinate_sweep(
        dense, theta, residual, l1=l1, l2=l2, weights=weights, bounds=bounds, order=order,
        sweeps=sweeps, relaxation=relaxation, intercept=intercept, centered=centered, b=b, rng=rng,
    )  # fmt: skip
