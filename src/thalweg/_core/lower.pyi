from collections.abc import Sequence

from .graph import Graph
from .tape import Tape

def lower(graph: Graph, outputs: Sequence[int], free: Sequence[int]) -> Tape: ...
def lower_slots(graph: Graph, outputs: Sequence[int]) -> tuple[Tape, list[int]]: ...
