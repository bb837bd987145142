from typing import Any

def block_pivoting(
    G: Any,
    C: Any,
    lower: Any,
    upper: Any,
    noise: Any,
    *,
    M: int,
    P: int,
    is_float: bool,
    shared_bounds: bool,
    max_iter: int,
    theta: Any,
    objective: Any,
    violation: Any,
    reach: Any,
    n_iter: Any,
    status: Any,
    threads: int,
) -> BaseException | None: ...
