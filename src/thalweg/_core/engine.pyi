from collections.abc import Callable, Sequence
from typing import Any

def operations() -> list[tuple[str, int]]: ...
def variants() -> list[str]: ...
def active_variant() -> str: ...
def select_variant(name: str | None) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...

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
    ) -> None: ...
    @property
    def sizes(self) -> dict[str, int]: ...

class Watch:
    error: BaseException | None
    @property
    def stopped(self) -> bool: ...

class Job:
    def __init__(
        self,
        tape: Tape,
        is_float: bool,
        n_fits: int,
        n_points: int,
        *,
        x: Sequence[tuple[Any, int]],
        y: Any,
        start: tuple[Any, int],
        out: dict[str, Any],
        sigma: tuple[Any, int] = ...,
        mask: tuple[Any, int] = ...,
        lower: Any = ...,
        upper: Any = ...,
        bound_step: int = ...,
        fixed: Any = ...,
        options: tuple[float, float, float, int, bool],
        scaled: bool = ...,
        linear: Sequence[int] = ...,
        attempts: int = ...,
    ) -> None: ...
    def run(self, threads: int = 0, progress: Callable[[int], Any] | None = None) -> Watch: ...
    @property
    def unsettled(self) -> bool: ...
    def again_called(self, evaluate: Callable[[Any], tuple[Any, Any]], trial: Any) -> None: ...
    def again(
        self,
        which: Any,
        curved: Tape | None,
        threads: int = 0,
        progress: Callable[[int], Any] | None = None,
    ) -> Watch: ...

class Trials:
    trial: Any
    done: bool
    def __init__(self, job: Job, trial: Any) -> None: ...
    def next(self, f: Any, J: Any) -> bool: ...

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
