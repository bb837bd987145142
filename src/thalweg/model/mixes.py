"""Nodes whose value depends on all points of a curve: how they are made and differentiated.

They are linear operators A (`tables`).  So d(A u) = A du; and A (c u) = c A u where c is one number
for all points, such as a parameter.  Such factors are taken out of an operator, and so are the
terms of a sum that have one: the convolution of a exp(-x / tau) + b is a times one curve plus b
times another, which are their own derivatives by a and b.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .graph import ON_THETA, ON_X, Graph, reachable
from .tables import MIXING, Table

Operator = Callable[[int], int]  # from the node of a curve to that of the result


def table_at(graph: Graph, node: int) -> Table:
    """Return the table whose number a constant node is."""
    found: Table = graph.tables[graph.node(node)[1]]
    return found


def mixed(graph: Graph, number: int, a: int) -> int:
    """Return the node of table ``number`` applied to the curve of node ``a``."""
    k = graph.const(float(number))
    return _linear(graph, a, lambda i: graph.add("mix", i, k))


def moved(graph: Graph, number: int, a: int, shift: int) -> int:
    """Return the node of the curve of node ``a`` moved by ``shift``, by table ``number``."""
    k = graph.const(float(number))
    return _linear(graph, a, lambda i: graph.add("moved", i, shift, k))


def total(graph: Graph, number: int, a: int) -> int:
    """Return the node of the sum of node ``a`` over the points of table ``number``."""
    k, one = graph.const(float(number)), graph.const(1.0)
    every = graph.const(float(table_at(graph, k).n_in))
    return _linear(graph, a, lambda i: every if i == one else graph.add("total", i, k))


def _linear(graph: Graph, a: int, operator: Operator) -> int:
    """Apply an operator to node ``a`` with factors that are one number for all points taken out."""
    op, *operands = graph.node(a)
    if op == "const" and operands[0] in (0.0, 1.0):
        return operator(a) if operands[0] else a
    if not graph.stage(a) & ON_X:
        return graph.add("mul", a, operator(graph.const(1.0)))
    if op == "neg":
        return graph.add("neg", _linear(graph, operands[0], operator))
    if op == "mul" and not graph.stage(operands[0]) & ON_X:
        return graph.add("mul", operands[0], _linear(graph, operands[1], operator))
    if op in ("add", "sub") and any(_has_factor(graph, i) for i in operands):
        return graph.add(op, *[_linear(graph, i, operator) for i in operands])
    return operator(a)


def _has_factor(graph: Graph, a: int) -> bool:
    """Whether a term, or one of its terms, has a factor that only parameters decide."""
    op, *operands = graph.node(a)
    if not graph.stage(a) & ON_X:
        return True
    if op == "mul":
        return graph.stage(operands[0]) == ON_THETA
    return op in ("add", "sub", "neg") and any(_has_factor(graph, i) for i in operands)


def mixing_nodes(graph: Graph, output: int) -> list[int]:
    """Return the nodes that mix points and that ``output`` needs, operands first."""
    if graph.tables is None:
        return []
    return [i for i in reachable(graph.nodes, [output]) if graph.node(i)[0] in MIXING]


def slope(graph: Graph, i: int, slopes: Callable[[int], Sequence[int]]) -> list[int]:
    """Return the derivatives of mixing node i, given those of its curve and of its shift."""
    op, a, *rest = graph.node(i)
    number = int(graph.node(rest[-1])[1])
    if op == "total":
        return [total(graph, number, each) for each in slopes(a)]
    if op == "mix":
        return [mixed(graph, number, each) for each in slopes(a)]
    found = [moved(graph, number, each, rest[0]) for each in slopes(a)]
    if table_at(graph, rest[-1]).kind == "slope":  # which is the same between two points
        return found
    rise = moved(graph, number + 1, a, rest[0])  # the table of slopes follows
    by_shift = [graph.add("mul", each, rise) for each in slopes(rest[0])]
    return [graph.add("sub", f, b) for f, b in zip(found, by_shift, strict=True)]
