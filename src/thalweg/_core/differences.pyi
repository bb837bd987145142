from collections.abc import Callable
from typing import Any

class Differences:
    free: tuple[int, ...]
    def __init__(
        self,
        call: Callable[[tuple[Any, ...]], Any],
        free: tuple[int, ...],
        data: tuple[Any, Any],
        box: tuple[Any, Any],
        dtype: Any,
    ) -> None: ...
    def strict(self, theta: Any) -> Any: ...
    def value(self, theta: Any) -> Any: ...
    def __call__(self, theta: Any) -> tuple[Any, Any, float]: ...
