from collections.abc import Sequence
from typing import Any

from .tape import Tape

class Terms:
    tape: Tape
    n: int
    def __init__(self, tape: Tape, terms: Sequence[tuple[int, int, int]]) -> None: ...

class Samples:
    n_columns: int
    n_samples: int
    def __init__(self, columns: Sequence[Any], n_samples: int) -> None: ...

def sums(
    terms: Terms, samples: Samples, is_float: bool, theta: Any, out: Any, threads: int = 0
) -> None: ...
def values(
    terms: Terms, samples: Samples, is_float: bool, theta: Any, out: Any, threads: int = 0
) -> None: ...
def normal(
    terms: Terms,
    samples: Samples,
    is_float: bool,
    theta: Any,
    n_rows: int,
    out: Any,
    threads: int = 0,
) -> None: ...
