from collections.abc import Sequence
from typing import Any

class Curves:
    def __init__(
        self,
        n_points: int,
        sections: Sequence[tuple[int, int, int, int, int]],
        mixes: Sequence[tuple[int, int, int, int]],
        curves: Sequence[tuple[int, int]],
        tables: Sequence[tuple[int, int, int, int, Any, Any]],
    ) -> None: ...

class Tape:
    free_theta: tuple[int, ...]
    def __init__(
        self,
        n_theta: int,
        n_x: int,
        constants: Sequence[float],
        n_slots: tuple[int, int, int],
        code: Sequence[Sequence[int]],
        n_code: tuple[int, int, int],
        free_theta: Sequence[int],
        output: Sequence[int],
        curves: Curves | None = ...,
    ) -> None: ...
    @property
    def sizes(self) -> dict[str, int]: ...

def evaluate(
    tape: Tape, is_float: bool, n_points: int, x: Sequence[Any], theta: Any, out: Any
) -> None: ...
def evaluate_rows(
    tape: Tape,
    is_float: bool,
    n_rows: int,
    n_points: int,
    x: Sequence[Any],
    steps: Sequence[int],
    theta: Any,
    out: Any,
) -> None: ...
