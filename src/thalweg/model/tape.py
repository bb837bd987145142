"""From a graph to the tape of a model and its derivatives.

A graph is lowered in `thalweg._core.lower`.  Tapes are kept, because the same formula is fitted
again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from .._core.engine import Tape, operations
from .._core.loss import Terms
from .._core.lower import lower, lower_slots
from .autodiff import gradient
from .graph import ON_THETA, ON_X, Graph

__all__ = ["OPCODE", "compile_model", "lower", "lower_terms"]

OPCODE = {name: number for number, (name, _) in enumerate(operations())}

_LEAVES = ("const", "theta", "x")

_TAPES: dict[Hashable, Tape] = {}
_MOST_TAPES = 256


def compile_model(graph: Graph, output: int, free: Sequence[int]) -> Tape:
    """Return the tape of node ``output`` and its derivatives with respect to parameters ``free``.

    Equal formulas share one tape, however they were written: it is kept by the graph's key.
    """
    key = (graph.key((output,)), tuple(free), graph.n_x)
    tape = _TAPES.get(key)
    if tape is None:
        derivatives = gradient(graph, output, [graph.theta(j) for j in free])
        tape = lower(graph, [output, *derivatives], free)
        if len(_TAPES) >= _MOST_TAPES:
            _TAPES.clear()  # formulas with ever new constants; the others come back at once
        _TAPES[key] = tape
    return tape


def lower_terms(graph: Graph, outputs: Sequence[int], *, products: bool = True) -> Terms:
    """Return the tape and the terms ``scale * a * b`` that nodes ``outputs`` are, for sums of them.

    What depends on the parameters alone becomes the scale, and a product that nothing else needs
    is left to the sum (see csrc/loss.c); without ``products`` each output is one slot.
    """
    split = _split(graph, outputs) if products else [(None, i, None) for i in outputs]
    factors = list(dict.fromkeys(i for term in split for i in term if i is not None))
    tape, slots = lower_slots(graph, factors)
    slot: dict[int | None, int] = {None: -1, **dict(zip(factors, slots, strict=True))}
    return Terms(tape, [(slot[scale], slot[a], slot[b]) for scale, a, b in split])


_Term = tuple[int | None, int, int | None]


def _split(graph: Graph, outputs: Sequence[int]) -> list[_Term]:
    """Return each output as scale, a and b: nodes, or None for 1."""
    scaled = [_take_scale(graph, i) for i in outputs]
    nodes, depends = graph.nodes, graph.depends
    uses = _uses(nodes, [i for _, i in scaled])
    terms: list[_Term] = []
    for scale, i in scaled:
        op, *operands = nodes[i]
        if depends[i] == ON_X | ON_THETA and op in ("mul", "square") and not uses[i]:
            terms.append(_product(graph, scale, (operands[0], operands[-1]), terms))
        else:
            terms.append((scale, i, None))
    return terms


def _product(
    graph: Graph, scale: int | None, factors: Sequence[int], before: Sequence[_Term]
) -> _Term:
    """The term without negations, whose sign goes into the scale.

    Terms that follow one another and share a factor have it as b (see csrc/loss.c).
    """
    for factor in factors:
        if graph.node(factor)[0] == "neg":
            sign = graph.const(-1.0)
            scale = sign if scale is None else graph.add("mul", scale, sign)
    a, b = (graph.node(i)[1] if graph.node(i)[0] == "neg" else i for i in factors)
    if before and before[-1][2] is not None and a in before[-1]:
        a, b = b, a
    return scale, a, b


def _take_scale(graph: Graph, i: int) -> tuple[int | None, int]:
    """Return node i as what depends on the parameters alone, None for 1, times the rest."""
    scale = None
    while graph.stage(i) & ON_X:
        op, *operands = graph.node(i)
        if op == "mul" and not graph.stage(operands[0]) & ON_X:
            factor, i = operands
        elif op == "neg":
            factor, i = graph.const(-1.0), operands[0]
        else:
            break
        scale = factor if scale is None else graph.add("mul", scale, factor)
    return scale, i


def _uses(nodes: Sequence[tuple[Any, ...]], outputs: Sequence[int]) -> Counter[int]:
    """Return how many of the operations behind ``outputs`` each node is an operand of."""
    uses: Counter[int] = Counter()
    seen, waiting = set(outputs), list(outputs)
    while waiting:
        op, *operands = nodes[waiting.pop()]
        if op in _LEAVES:
            continue
        uses.update(operands)
        waiting.extend(set(operands) - seen)
        seen.update(operands)
    return uses
