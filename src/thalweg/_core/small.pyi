from typing import Any

from .linear import Each

State = tuple[float, float, float, float, int, int, int]
Solved = tuple[int, int, float, float, int, int, list[State]]

def solve_small(
    A: Any,
    b: Any,
    weights: Any,
    each: Each,
    intercept: bool,
    tol: float,
    part: float,
    again: float,
    rounds: int,
    max_iter: int,
    theta: Any,
    threads: int = 1,
) -> Solved: ...

class Limits:
    def __init__(
        self,
        *,
        most: int,
        narrow: int,
        operations: int,
        rounds: int,
        part: float,
        again: float,
    ) -> None: ...

def solve_plain(
    limits: Limits,
    A: Any,
    b: Any,
    l1: Any,
    l2: Any,
    bounds: Any,
    weights: Any,
    intercept: Any,
    tol: Any,
    max_iter: Any,
    threads: Any,
) -> tuple[Any, int, int, float, float, int, int, list[State]] | None: ...
