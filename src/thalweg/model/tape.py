"""Turn a graph into the tape of a model and its derivatives.

A graph is lowered in `thalweg._core.lower`.  Tapes are cached, because the same formula is often
fitted again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from functools import reduce
from itertools import combinations
from operator import or_
from typing import Any, NamedTuple, cast

from .._core.loss import Terms
from .._core.lower import lower_slots
from .._core.operations import opcodes
from .._core.tape import Tape
from .autodiff import gradient, jvp
from .graph import ON_THETA, ON_X, Graph, reachable
from .kept import keep
from .sections import lower
from .tables import WITH_TABLES

__all__ = ["OPCODE", "Compiled", "compile_curved", "compile_model", "lower", "lower_terms"]

# the operations that act point by point, whatever the tables of a graph
OPCODE = {op: number for op, number in opcodes().items() if op not in {*WITH_TABLES, "curve"}}

_LEAVES = ("const", "theta", "x")
_MOST_SUBSETS = 12  # so many parameters have 2^12 subsets, which are tried in milliseconds

_MOST_NUMBERS = 1 << 14  # a tape whose tables have more numbers is not kept, for it holds them


class Compiled(NamedTuple):
    """The tape of a model, and which of its parameters are linear together."""

    tape: Tape  # f and its derivatives with respect to the free parameters
    linear: tuple[int, ...]  # see `linear_together`


_COMPILED: dict[Hashable, Compiled] = {}
_CURVED: dict[Hashable, Tape] = {}
_ROWS: dict[Hashable, Tape] = {}


def compile_model(graph: Graph, output: int, free: Sequence[int]) -> Compiled:
    """Return the tape of node ``output`` and its derivatives with respect to parameters ``free``.

    Formulas that become the same graph share one tape, which is cached by the key of the graph; of
    a recording that was known (`remembered`) it is found without the key.
    """
    known = graph.compiled if output < graph.n_first else None
    of = output, tuple(free), graph.n_x
    if known is not None and of in known:
        return cast(Compiled, known[of])
    key = _key_of(graph, output, free)
    compiled = _COMPILED.get(key)
    if compiled is None:
        derivatives = gradient(graph, output, [graph.theta(j) for j in free])
        tape = lower(graph, [output, *derivatives], free)
        compiled = Compiled(tape, linear_together(graph, derivatives, free))
        if key is not None:
            keep(_COMPILED, key, compiled)
    if known is not None:
        known[of] = compiled
    return compiled


def compile_curved(graph: Graph, output: int, free: Sequence[int]) -> Tape:
    r"""Return the tape with second derivatives, for later attempts of fits.

    The parameters of the tape are theta and then a direction d.  Its outputs are f, the derivatives
    of f with respect to ``free``, and the second derivative along d,
    :math:`\sum_{ij} d_i d_j \, \partial^2 f / \partial \theta_i \partial \theta_j`.
    """
    key = _key_of(graph, output, free)
    tape = _CURVED.get(key)
    if tape is None:
        P = graph.n_theta
        wide, value = _with_room(graph, output, P)
        theta = [wide.theta(j) for j in range(P)]
        direction = [wide.theta(P + j) for j in range(P)]
        derivatives = gradient(wide, value, [theta[j] for j in free])
        slope = jvp(wide, [value], theta, direction)
        bend = jvp(wide, slope, theta, direction)
        tape = lower(wide, [value, *derivatives, *bend], (*free, P))
        if key is not None:
            keep(_CURVED, key, tape)
    return tape


def compile_rows(graph: Graph, output: int, free: Sequence[int]) -> Tape:
    """Return the tape of a function of parameters alone, whose points are rows of parameters.

    Parameter j is read from per-point array j.  The outputs are the function and its derivatives by
    the parameters ``free``.
    """
    key = (graph.key((output,)), tuple(free))
    tape = _ROWS.get(key)
    if tape is None:
        of_rows, place = Graph(graph.n_theta, graph.n_theta), {}
        for i in reachable(graph.nodes, [output]):
            op, *operands = graph.nodes[i]
            if op in ("theta", "const"):
                place[i] = getattr(of_rows, "x" if op == "theta" else op)(*operands)
            else:
                place[i] = of_rows.intern(op, *[place[j] for j in operands])
        value = place[output]
        slopes = gradient(of_rows, value, [of_rows.x(j) for j in free])
        tape = lower(of_rows, [value, *slopes], free)
        keep(_ROWS, key, tape)
    return tape


def _key_of(graph: Graph, output: int, free: Sequence[int]) -> Hashable:
    """The key of a tape; None if its tables are so large that it is not kept."""
    if graph.tables is not None and graph.tables.size > _MOST_NUMBERS:
        return None
    return graph.key((output,)), tuple(free), graph.n_x


def _with_room(graph: Graph, output: int, room: int) -> tuple[Graph, int]:
    """Return a graph of the same nodes with ``room`` more parameters, and node ``output`` in it."""
    wide = Graph(graph.n_theta + room, graph.n_x)
    wide.tables = graph.tables
    nodes, place = graph.nodes, {}
    for i in reachable(nodes, [output]):
        op, *operands = nodes[i]
        if op in _LEAVES:
            place[i] = getattr(wide, op)(*operands)
        else:
            place[i] = wide.intern(op, *[place[j] for j in operands])
    return wide, place[output]


def linear_together(
    graph: Graph, derivatives: Sequence[int], free: Sequence[int]
) -> tuple[int, ...]:
    """Return the places in ``free`` of the largest set in which the model is linear together.

    A model is linear together in a set of parameters if none of its derivatives with respect to
    them depends on any of them.  Of the largest sets the first is returned.  If more than
    `_MOST_SUBSETS` parameters are linear alone, a set is built greedily: each parameter that is
    linear together with those before it is added.
    """
    nodes = graph.nodes
    depends: dict[int, int] = {}  # the parameters that a node depends on, as bits
    for i in reachable(nodes, derivatives):
        op, *operands = nodes[i]
        if op in _LEAVES:
            depends[i] = 1 << operands[0] if op == "theta" else 0
        else:
            depends[i] = reduce(or_, (depends[j] for j in operands))
    own = [depends[i] for i in derivatives]

    def together(i: int, j: int) -> bool:
        return not (own[i] >> free[j] & 1 or own[j] >> free[i] & 1)

    alone = [i for i in range(len(free)) if together(i, i)]
    first: tuple[int, ...] = ()
    for i in alone:
        first += (i,) if all(together(i, j) for j in first) else ()
    if len(alone) > _MOST_SUBSETS:
        return first
    for size in range(len(alone), len(first), -1):
        for subset in combinations(alone, size):
            if all(together(i, j) for i, j in combinations(subset, 2)):
                return subset
    return first


def lower_terms(graph: Graph, outputs: Sequence[int], *, products: bool = True) -> Terms:
    """Return the tape and the terms ``scale * a * b`` whose values the nodes ``outputs`` are.

    The sum over points multiplies them out (see csrc/loss/loss.c): the factor that depends on the
    parameters alone is the scale, and a and b are the factors of a product that no other node
    needs.  Without ``products`` each output is one slot, with no scale and no b.
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
    """Return the term of a product; the signs of negated factors go into the scale.

    If consecutive terms share a factor, it is b in each of them (see csrc/loss/loss.c).
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
    """Split node i into a factor of the parameters alone, None for 1, and the rest."""
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
    """Return how often each node is an operand of the operations that ``outputs`` need."""
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
