"""Derivatives of a graph, as more nodes of the graph.

Forward mode pushes a tangent through every node, t_v = sum_i (dv/da_i) t_i (`jvp`); reverse mode
pulls an adjoint back, w_i += w_v (dv/da_i) (`vjp`, `gradient`); see Griewank and Walther,
"Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 3.  Both read the same table of local
derivatives, `PARTIALS` in partials.py.  Since the result consists of nodes, it can be
differentiated again.

A node that mixes points (mixes.py) ends both: it counts as a leaf, and its derivatives, which are
found first, are multiplied by those of the output with respect to it.

The branch not taken may be infinite or NaN, and so may its derivative; a factor 0 would not make it
0.  The same holds for exp(u) in 1 / (1 + exp(u)), for instance at a dose of 0.  So an adjoint
carries a *mask*, the conditions under which it is not 0, and only the finished product is masked.
When the two branches of a `where` meet again, they make one `where` instead of two.

At the end of its domain a special function often has a value but no finite derivative, as
gammainc(k, u) has for k < 1 at u = 0.  There u = x / s does not depend on s: so each factor that is
0 at a point masks an adjoint that comes from such a function, and a tangent of 0 does so forwards.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from .._core.operations import opcodes
from . import mixes
from .graph import ON_X, Graph, reachable
from .partials import PARTIALS, Factors
from .tables import MIXING

Mask = frozenset[tuple[int, bool]]  # pairs (condition, the truth it must have), all required

_EVERYWHERE: Mask = frozenset()
_LEAVES = frozenset({"const", "theta", "x", *MIXING})  # what an adjoint is not pulled through
_OWN = frozenset(opcodes())  # the operations of the tape, whose derivatives are finite or masked
_MOST = 4  # so many conditions of a mask are kept apart: models hardly nest more choices

# Operations that return one of two operands: their condition, its operand, and the other operand.
_CHOICES: dict[str, Callable[..., tuple[int, int, int]]] = {
    "where": lambda g, c, a, b: (c, a, b),
    "minimum": lambda g, a, b: (g.add("less_equal", a, b), a, b),
    "maximum": lambda g, a, b: (g.add("less_equal", b, a), a, b),
}

# Operations that turn an infinity into 0, that make one of finite values, and that pass one on.
_VANISHING = frozenset({"recip", "exp"})
_OVERFLOWING = frozenset({"exp", "expm1", "sinh", "cosh", "pow"})
_PASSING = frozenset({"add", "sub", "mul", "neg", "square"})
_NEVER_0 = frozenset({"exp", "recip", "cosh"})


def _may_vanish(g: Graph, op: str, operand: int) -> bool:
    """Whether the value can be 0 at a point because its operand is infinite there."""
    stack = [operand] if op in _VANISHING else []
    seen = set(stack)
    while stack:
        i = stack.pop()
        inner, *operands = g.node(i)
        if g.stage(i) & ON_X:
            if inner in _OVERFLOWING or (inner == "recip" and g.stage(i) == ON_X):
                return True
            if inner in _PASSING:
                stack.extend(set(operands) - seen)
                seen.update(operands)
    return False


def _is_foreign(op: str) -> bool:
    """Whether the operation is a function that is called, whose derivative may not be finite."""
    return op not in _OWN and op not in _LEAVES


def _factors_not_0(g: Graph, mask: Mask, factors: Factors) -> Mask:
    """The mask with the condition that no factor is 0, of those that may be 0 at some points."""
    for factor in factors:
        if g.stage(factor) & ON_X and g.node(factor)[0] not in _NEVER_0:
            mask = _and_also(g, mask, factor, True)
    return mask


def _times(g: Graph, value: int, factors: Factors) -> int:
    for factor in factors:
        value = g.add("mul", value, factor)
    return value


def _and_also(g: Graph, mask: Mask, condition: int, holds: bool) -> Mask:
    """Return the mask with one more condition; _MOST are merged into one to keep it short."""
    if len(mask) >= _MOST:
        every = [c if true else g.add("not", c) for c, true in sorted(mask)]
        mask = frozenset({(reduce(lambda a, b: g.add("and", a, b), every), True)})
    return mask | {(condition, holds)}


def _where(g: Graph, mask: Iterable[tuple[int, bool]], value: int) -> int:
    """Return the node of ``value`` where the mask holds, and of 0 elsewhere."""
    zero = g.const(0.0)
    for condition, holds in sorted(mask):
        branches = (value, zero) if holds else (zero, value)
        value = g.add("where", condition, *branches)
    return value


class _Adjoints:
    """Sums of masked adjoints, one per node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.foreign: set[int] = set()  # nodes whose adjoints come from functions that are called
        self.terms: dict[int, tuple[Mask, int]] = {}

    def accumulate(self, node: int, mask: Mask, value: int) -> None:
        known = self.terms.get(node)
        self.terms[node] = (mask, value) if known is None else self._sum(*known, mask, value)

    def _sum(self, mask_1: Mask, value_1: int, mask_2: Mask, value_2: int) -> tuple[Mask, int]:
        g = self.graph
        common = mask_1 & mask_2
        only_1, only_2 = mask_1 - common, mask_2 - common
        if len(only_1) == 1 and only_2 == {(c, not holds) for c, holds in only_1}:
            ((condition, holds),) = only_1
            branches = (value_1, value_2) if holds else (value_2, value_1)
            return common, g.add("where", condition, *branches)
        total = g.add("add", _where(g, only_1, value_1), _where(g, only_2, value_2))
        if only_1 and only_2:  # where neither mask holds the sum must be masked as well
            one = g.const(1.0)
            either = g.add("or", _where(g, only_1, one), _where(g, only_2, one))
            common |= {(either, True)}
        return common, total

    def value(self, node: int) -> int:
        mask, value = self.terms.get(node, (_EVERYWHERE, None))
        return self.graph.const(0.0) if value is None else _where(self.graph, mask, value)


def _dependent(graph: Graph, outputs: Iterable[int], wrt: Iterable[int]) -> list[int]:
    """Return the nodes between ``wrt`` and ``outputs``, both included, operands first."""
    nodes, found = graph.nodes, set(wrt)
    path = []
    for i in reachable(nodes, outputs):
        node = nodes[i]
        if i in found:
            path.append(i)
        elif node[0] not in ("const", "theta", "x") and not found.isdisjoint(node[1:]):
            found.add(i)
            path.append(i)
    return path


def vjp(
    graph: Graph, outputs: Sequence[int], seeds: Sequence[int], wrt: Sequence[int]
) -> list[int]:
    """Return nodes of the product of ``seeds`` with the Jacobian, sum_i seed_i d output_i / d w.

    Parameters
    ----------
    graph : Graph
        The graph of the nodes; it grows.
    outputs, seeds : sequence of int
        Nodes of the differentiated values and of their adjoints, one for one.
    wrt : sequence of int
        Nodes to differentiate with respect to; each counts as independent of the others unless it
        is computed from them.

    Returns
    -------
    list of int
        One node per node of ``wrt``.
    """
    graph.exact = False
    path = _dependent(graph, outputs, wrt)
    needed = set(path)
    adjoints = _Adjoints(graph)
    for output, seed in zip(outputs, seeds, strict=True):
        adjoints.accumulate(output, _EVERYWHERE, seed)
    for i in reversed(path):
        if i in adjoints.terms:
            _pull_back(graph, adjoints, i, needed)
    return [adjoints.value(i) for i in wrt]


def _pull_back(graph: Graph, adjoints: _Adjoints, i: int, needed: set[int]) -> None:
    mask, value = adjoints.terms[i]
    op, *operands = graph.node(i)
    if op in _LEAVES:
        return
    if op in _CHOICES:
        condition, a, b = _CHOICES[op](graph, *operands)
        for branch, holds in ((a, True), (b, False)):
            # with (condition, not holds) in the mask this branch is never taken here
            if branch in needed and (condition, not holds) not in mask:
                adjoints.accumulate(branch, _and_also(graph, mask, condition, holds), value)
                adjoints.foreign.update({branch} if i in adjoints.foreign else ())
        return
    if _may_vanish(graph, op, operands[0]):
        mask = _and_also(graph, mask, i, True)
    inside = i in adjoints.foreign
    for operand, partial in zip(operands, PARTIALS.get(op, ()), strict=False):
        if operand in needed:
            factors = partial(graph, i, *operands)
            some = _factors_not_0(graph, mask, factors) if inside else mask
            adjoints.accumulate(operand, some, _times(graph, value, factors))
            if inside or _is_foreign(op):
                adjoints.foreign.add(operand)


def gradient(graph: Graph, output: int, wrt: Sequence[int]) -> list[int]:
    """Return nodes of the derivatives of node ``output``, d output / d w for each w in ``wrt``.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.model.graph import evaluate
    >>> g = Graph(n_theta=1, n_x=1)
    >>> value = g.add("square", g.add("mul", g.theta(0), g.x(0)))
    >>> [slope] = gradient(g, value, [g.theta(0)])
    >>> evaluate(g, [value, slope], x=[np.array([1.0, 2.0])], theta=[3.0])
    [array([ 9., 36.]), array([ 6., 24.])]
    """
    slopes: dict[int, list[int]] = {}  # each mixing node, and its derivatives by ``wrt``
    for i in mixes.mixing_nodes(graph, output):
        slopes[i] = mixes.slope(graph, i, lambda a: _slopes(graph, a, wrt, slopes))
    return _slopes(graph, output, wrt, slopes)


def _slopes(graph: Graph, node: int, wrt: Sequence[int], slopes: dict[int, list[int]]) -> list[int]:
    """The derivatives of a node by ``wrt``, also by way of mixing nodes, whose own are known."""
    ends = [*wrt, *slopes]
    own = vjp(graph, [node], [graph.const(1.0)], ends)
    total = own[: len(wrt)]
    for by, of_mix in zip(own[len(wrt) :], slopes.values(), strict=True):
        terms = [graph.add("mul", by, each) for each in of_mix]
        total = [graph.add("add", a, b) for a, b in zip(total, terms, strict=True)]
    return total


def jvp(
    graph: Graph, outputs: Sequence[int], wrt: Sequence[int], tangents: Sequence[int]
) -> list[int]:
    """Return nodes of the Jacobian's product with ``tangents``, sum_w (d output_i / d w) t_w.

    Parameters
    ----------
    graph : Graph
        The graph of the nodes; it grows.
    outputs : sequence of int
        Nodes of the differentiated values.
    wrt, tangents : sequence of int
        Nodes to differentiate with respect to, and the nodes of their tangents, one for one.

    Returns
    -------
    list of int
        One node per node of ``outputs``.
    """
    graph.exact = False
    tangent = dict(zip(wrt, tangents, strict=True))
    zero = graph.const(0.0)
    for i in _dependent(graph, outputs, wrt):
        if i not in tangent:
            tangent[i] = _push_forward(graph, tangent, i)
    return [tangent.get(i, zero) for i in outputs]


def _push_forward(graph: Graph, tangent: dict[int, int], i: int) -> int:
    op, *operands = graph.node(i)
    total = zero = graph.const(0.0)
    if op in MIXING:
        return mixes.slope(graph, i, lambda a: [tangent.get(a, zero)])[0]
    if op in _CHOICES:
        condition, a, b = _CHOICES[op](graph, *operands)
        return graph.add("where", condition, tangent.get(a, zero), tangent.get(b, zero))
    for operand, partial in zip(operands, PARTIALS.get(op, ()), strict=False):
        if operand in tangent:
            term = _times(graph, tangent[operand], partial(graph, i, *operands))
            if _is_foreign(op) and graph.stage(tangent[operand]) & ON_X:
                term = graph.add("where", tangent[operand], term, zero)
            total = graph.add("add", total, term)
    return graph.add("where", i, total, zero) if _may_vanish(graph, op, operands[0]) else total
