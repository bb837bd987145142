"""A call of `coordinate_sweep` as its kernels take it: checked arguments, and arrays to write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ._sweep_options import (
    Array,
    Order,
    Settings,
    Unknowns,
    order_of,
    settings,
    target,
    unknowns,
    weightless,
)


class Task(NamedTuple):
    """A call of `coordinate_sweep` whose arguments are checked, all but A."""

    u: Unknowns
    s: Settings
    plan: Order
    b: Array | None  # (n,) or (n, M)
    left: Array | None  # (n,): the rows of weight 0, None where there is none
    centered: bool
    gram: Any  # True, a matrix (P, P), or None


def task_of(
    shape: tuple[int, int],
    theta: Any,
    residual: Any,
    intercept: Any,
    *,
    order: Any,
    seed: Any,
    centered: bool | None,
    gram: Any,
    b: Any,
    weights: Any,
    **how: Any,
) -> Task:
    """Check all arguments but A, of shape (n, P); ``how`` holds the arguments of `settings`."""
    n, P = shape
    left = weightless(weights, n)
    u = unknowns(theta, residual, intercept, shape, left)
    s = settings(u, n, weights=weights, **how)
    plan, gram = order_of(order, P, seed), None if gram is False else gram
    if centered and intercept is None:
        raise ValueError("centered keeps the intercept at its minimum: it needs an intercept")
    kept = intercept is not None and (centered is None or bool(centered))
    return Task(u, s, plan, target(b, u, left), left, kept, gram)


class Moving(NamedTuple):
    """The arrays that a dense sweep writes; they are copied to the caller's arrays at the end."""

    theta: Array  # (M, P), or (M, P + 1) with the intercept
    residual: Array  # (M, n)
    change: Array  # (M,) the largest change in the last sweep
    fall: Array  # (sweeps, M) the fall of F in each sweep


def each_of(s: Settings, C: int) -> tuple[Array, Array, Array, Array, float]:
    """Return penalties, bounds and relaxation of the first C coordinates."""
    return s.l1[:C], s.l2[:C], s.lower[:C], s.upper[:C], s.relaxation


def orders_of(plan: Order, sweeps: int, last: list[int]) -> Iterator[tuple[Array, int]]:
    """Yield each order, with ``last`` appended, and the number of sweeps that it is for."""
    if plan.fixed is not None:
        yield np.append(plan.fixed, last).astype(np.intp), sweeps
        return
    for order in plan.draw(sweeps):
        yield np.append(order, last).astype(np.intp), 1
