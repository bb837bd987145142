from typing import Any

SMALLEST_SQUARE: float
LARGEST_SQUARE: float

class Columns:
    def __init__(self, A: Any, weights: Any, threads: int, mean: Any = None) -> None: ...
    def moments(self, u: Any, mean: Any, square: Any, product: Any) -> tuple[int, int]: ...
    def products(self, which: Any, u: Any, out: Any) -> None: ...
    def move(self, which: Any, step: Any, r: Any) -> None: ...
    def residual(self, moved: Any, step: Any, which: Any, r: Any, out: Any) -> None: ...
    def gram(self, which: Any, known: int, out: Any, rough: bool = False) -> None: ...

def copy_runs(source: Any, starts: Any, lengths: Any, out: Any) -> None: ...

Each = tuple[Any, Any, Any, Any]

def certificate(
    each: Each,
    reach: Any,
    square: Any,
    theta: Any,
    q: Any,
    rr: float,
    error: float = 0.0,
    which: Any = None,
) -> tuple[float, float, float, float, int]: ...
def certificates(
    each: Each, reach: Any, square: Any, theta: Any, q: Any, rr: Any, out: Any
) -> None: ...

class Factor: ...

def solve(
    gram: Any,
    each: Each,
    reach: Any,
    rank: int,
    square: Any,
    target: Any,
    rounds: int,
    theta: Any,
    q: Any,
    gap: Any,
    counts: Any,
    threads: int,
    factor: Factor | None = None,
) -> None: ...
def image_sweep(
    A: Columns,
    curvature: Any,
    prior: tuple[Any, ...],
    lower: float,
    relaxation: float,
    order: Any,
    x: Any,
    e: Any,
    way: Any,
) -> None: ...
def image_cost(A: Columns, prior: tuple[Any, ...], x: Any, e: Any) -> tuple[float, float]: ...
