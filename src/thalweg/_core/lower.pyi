from collections.abc import Sequence
from typing import Any

from .graph import Graph
from .tape import Tape

def lower(graph: Graph, outputs: Sequence[int], free: Sequence[int]) -> Tape: ...
def lay_out(
    graph: Graph, outputs: list[int], copies: list[int]
) -> tuple[dict[str, Any], list[int]]: ...
def lower_slots(graph: Graph, outputs: Sequence[int]) -> tuple[Tape, list[int]]: ...
