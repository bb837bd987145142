from typing import Any

class Matrix:
    def _full(self, array: Any, upper: bool, general: bool = False) -> None: ...
    def _packed(self, array: Any, P: int, upper: bool) -> None: ...
    def _csr(
        self, data: Any, index: Any, start: Any, P: int, upper: bool, general: bool = False
    ) -> None: ...
    def _is_symmetric(self, threads: int) -> bool: ...
    @property
    def P(self) -> int: ...

def symmetrise(full: Any, packed: Any, threads: int = 0) -> None: ...
def evaluate(
    B: Matrix,
    theta: Any,
    theta_star: Any,
    value: Any,
    gradient: Any,
    *,
    shared_star: bool,
    many: bool,
    threads: int,
) -> None: ...
def short_way(
    B: Any, theta: Any, theta_star: Any, gradient: Any, triangle: int, threads: int
) -> float | None: ...
