from collections.abc import Callable, Sequence
from typing import Any

from .dispatch import Watch
from .tape import Tape

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
        sigma: tuple[Any, int] | None = ...,
        mask: tuple[Any, int] | None = ...,
        lower: Any = ...,
        upper: Any = ...,
        bound_step: int = ...,
        fixed: Any = ...,
        options: tuple[float, float, float, int, int],
        absolute_sigma: bool = ...,
        scaled: bool = ...,
        linear: Sequence[int] = ...,
        eliminate: bool = ...,
        noise: int = ...,
        f_scale: tuple[Any, int] | None = ...,
    ) -> None: ...
    def run(self, threads: int = 0, progress: Callable[[int], Any] | None = None) -> Watch: ...
    def run_shared(
        self,
        begin: Any,
        shared: Any,
        partial: bool,
        totals: dict[str, Any],
        threads: int = 0,
        progress: Callable[[int], Any] | None = None,
    ) -> Watch: ...
    @property
    def unsettled(self) -> bool: ...
    def again_called(
        self,
        evaluate: Callable[[Any], tuple[Any, Any, float]],
        value: Callable[[Any], Any],
        trial: Any,
    ) -> None: ...
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
    renews: bool
    def __init__(self, job: Job, trial: Any) -> None: ...
    def next(self, f: Any, J: Any, error: float, rough: bool = False) -> bool: ...
