"""The options of a solution: strategy, order of sweeps, and when it stops."""

from __future__ import annotations

from math import inf
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import count, one_of, tolerance

STRATEGIES = ("auto", "gram", "residual")
ORDERS = ("cyclic", "shuffled", "random")


class Rules(NamedTuple):
    """The options of a solution, checked."""

    strategy: str  # one of STRATEGIES
    order: str  # one of ORDERS
    tol: float
    max_iter: int
    deadline: float  # in seconds of perf_counter
    rng: np.random.Generator | None  # draws the orders "shuffled" and "random"

    @property
    def allow_one_call(self) -> bool:
        """Whether one call may solve all on a Gram matrix: no sweeps asked for, time remains."""
        return self.strategy != "residual" and self.order == "cyclic" and not self.out_of_time

    @property
    def out_of_time(self) -> bool:
        """Whether the time limit is over."""
        return perf_counter() >= self.deadline


def rules_of(
    tol: Any,
    max_iter: Any,
    *,
    strategy: str = "auto",
    order: str = "cyclic",
    time_limit: Any = None,
    seed: Any = None,
) -> Rules:
    """Check the options of a solution; the time limit begins with this call.

    Raises
    ------
    ValueError, TypeError
        An option is refused, with a sentence that names it.
    """
    one_of(order, "order", ORDERS)
    one_of(strategy, "strategy", STRATEGIES)
    if order != "cyclic" and strategy == "gram":
        raise ValueError(f"order={order!r} is made with the residual, not on a Gram matrix")
    limit = inf if time_limit is None else tolerance(time_limit, "time_limit", inf)
    return Rules(
        strategy,
        order,
        tolerance(tol, "tol", 1e-6),
        count(max_iter, "max_iter", 0, 2**63 - 1),
        perf_counter() + limit,
        None if order == "cyclic" and seed is None else np.random.default_rng(seed),
    )
