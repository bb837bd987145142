from typing import Any

WIDTH: int

class Sweeper:
    def __init__(
        self,
        A: Any,
        theta: Any,
        residual: Any,
        weights: Any,
        each: tuple[Any, Any, Any, Any, float],
        M: int,
        intercept: bool,
        most_order: int,
        threads: int,
        centered: bool = False,
    ) -> None: ...
    def run(
        self,
        order: Any,
        begin: int,
        end: int,
        sweeps: int,
        gram_known: bool,
        change: Any,
        fall: Any,
    ) -> tuple[int, int]: ...

def gram_sweeps(
    gram: Any,
    theta: Any,
    q: Any,
    each: tuple[Any, Any, Any, Any, float],
    order: Any,
    M: int,
    sweeps: int,
    choices: int,
    change: Any,
    fall: Any,
    threads: int,
) -> None: ...
def sparse_sweep(
    shape: tuple[int, int, int],
    indptr: Any,
    indices: Any,
    values: Any,
    *,
    weights: Any,
    each: tuple[Any, Any, Any, Any, float],
    order: Any,
    greedy: bool,
    sweeps: int,
    centered: bool,
    theta: Any,
    residual: Any,
    intercept: Any,
    b: Any,
    change: Any,
    fall: Any,
    drift: Any,
    threads: int,
    curvature: Any = None,
    mean: Any = None,
) -> tuple[int, int]: ...
