"""A recorded value for each point, one by one, as one curve.

The product of a matrix with parameters, ``A @ np.array([a, b])``, is made by NumPy, which makes an
expression for each row.  They are all of one form: a sum of the same terms with other factors.
Here they become one curve, the sum of the columns of A times the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .arrays import is_array_of_symbols
from .graph import ON_THETA, ON_X, Graph
from .refusal import refuse

_MOST_TERMS: Final = 64  # terms that the rows of a matrix have in common

Terms = dict[int, float]  # factors by node; -1 stands for 1


def is_row(recorder: Any, value: Any) -> bool:
    """Return whether a value is an array of a recorded number for each point."""
    if not is_array_of_symbols(value) or value.shape != (recorder.n_points,):
        return False
    of_points = (getattr(v, "_id", None) for v in value)
    return not any(i is not None and recorder.graph.stage(i) & ON_X for i in of_points)


def as_curve(recorder: Any, values: Any) -> int:
    """Return the node of an array of recorded values, (N,), each of parameters alone.

    Raises
    ------
    RecordingError
        The values are not of one form.
    """
    nodes = [recorder.lift(value) for value in np.asarray(values, object).reshape(-1)]
    if any(recorder.graph.stage(i) & ON_X for i in nodes):
        refuse("an array of recorded curves", "combine curves as wholes")
    return _joined(recorder, nodes)


def _joined(recorder: Any, nodes: Sequence[int]) -> int:
    graph: Graph = recorder.graph
    if len(set(nodes)) == 1:
        return nodes[0]
    rows = [_terms(graph, i) for i in nodes]
    terms = sorted({i for row in rows for i in row})
    if len(terms) <= min(_MOST_TERMS, max(2, len(nodes) - 1)) or not any(
        graph.stage(i) & ON_THETA for i in nodes
    ):
        total = graph.const(0.0)
        for i in terms:
            factors = recorder.lift(np.array([row.get(i, 0.0) for row in rows]))
            term = factors if i < 0 else graph.add("mul", i, factors)
            total = graph.add("add", total, term)
        return total
    op, *operands = zip(*(graph.node(i) for i in nodes), strict=False)
    if len(set(op)) > 1 or len({len(graph.node(i)) for i in nodes}) > 1:
        refuse("an array of values of different forms", "write it as one expression of arrays")
    if op[0] in ("theta", "const"):
        refuse("an array of different parameters", "write it as one expression of arrays")
    return graph.add(op[0], *[_joined(recorder, each) for each in operands])


def _terms(graph: Graph, node: int, factor: float = 1.0) -> Terms:
    """A node as a sum of terms with factors."""
    op, *operands = graph.node(node)
    if op == "const":
        return {-1: factor * operands[0]}
    if op == "neg":
        return _terms(graph, operands[0], -factor)
    if op == "mul" and graph.node(operands[0])[0] == "const":
        return _terms(graph, operands[1], factor * graph.node(operands[0])[1])
    if op not in ("add", "sub"):
        return {node: factor}
    found = _terms(graph, operands[0], factor)
    for i, more in _terms(graph, operands[1], factor if op == "add" else -factor).items():
        found[i] = found.get(i, 0.0) + more
    return found
