"""Coordinate descent on sparse columns: what the dense specification does, and centered columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sweep import coordinate_sweep, penalised

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
    options = {"l1": l1, "l2": l2, "weights": weights, "bounds": bounds, "order": order}
    options |= {"relaxation": relaxation, "rng": np.random.default_rng(rng)}
    if not centered or intercept is None:
        return coordinate_sweep(
            dense, theta, residual, sweeps=sweeps, intercept=intercept, b=b, **options
        )
    change, objectives = _centered(dense, theta, residual, sweeps, intercept, options)
    drift = None
    if b is not None:
        exact = np.asarray(b, float) - dense @ theta - intercept
        drift = float(np.abs(residual - exact).max(initial=0))
        residual[...] = exact
    return change, float(objectives[-1].sum()), objectives, drift


def _centered(
    A: Array,
    theta: Array,
    residual: Array,
    sweeps: int,
    intercept: Array,
    options: dict[str, Any],
) -> tuple[float, Array]:
    """Descend on the columns less their weighted means, with the intercept that goes with theta."""
    n, P = A.shape
    w = np.ones(n) if options["weights"] is None else np.asarray(options["weights"], dtype=float)
    if not w.sum() > 0:
        change, _, objectives, _ = coordinate_sweep(A, theta, residual, sweeps=sweeps, **options)
        return change, objectives
    mean = w @ A / w.sum()
    C = A - mean
    used = w > 0
    C[np.ix_(used, (A[used] == A[used][:1]).all(axis=0))] = 0  # does nothing the intercept does not
    l1, l2 = (np.broadcast_to(options[k], P) for k in ("l1", "l2"))
    r, t = (a.reshape(len(a), int(np.prod(a.shape[1:]))) for a in (residual, theta))
    start = [penalised(r[:, m], w, t[:, m], l1, l2) for m in range(r.shape[1])]
    history = [np.reshape(start, residual.shape[1:])]
    change = 0.0
    for k in range(sweeps):
        if k == 0:
            shift = w @ r / w.sum()
            r -= shift
            intercept += shift
        before = theta.copy()
        change, _, objectives, _ = coordinate_sweep(C, theta, residual, sweeps=1, **options)
        moved = mean @ (theta - before)
        intercept -= moved
        change = max(change, float(np.abs(moved).max(initial=0)))
        history.append(objectives[-1])
    return change, np.array(history)
