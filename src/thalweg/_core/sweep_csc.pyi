from typing import Any

INDPTR: int
ROW: int
ORDER: int
VALUE: int
OVERFLOW: int

def sweep(
    shape: tuple[int, int, int],
    indptr: Any,
    indices: Any,
    values: Any,
    *,
    weights: Any,
    l1: Any,
    l2: Any,
    lower: Any,
    upper: Any,
    relaxation: float,
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
) -> tuple[int, int]: ...
