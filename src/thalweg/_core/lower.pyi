from collections.abc import Sequence

from .engine import Tape
from .graph import Graph

def lower(graph: Graph, outputs: Sequence[int], free: Sequence[int]) -> Tape: ...
def lower_slots(graph: Graph, outputs: Sequence[int]) -> tuple[Tape, list[int]]: ...
