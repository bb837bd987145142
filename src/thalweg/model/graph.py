"""An expression graph in which equal expressions are one node.

A model f(x, theta) is a directed acyclic graph.  A node is a tuple:

    ("const", value)    a number
    ("theta", j)        parameter j, one value per fit
    ("x", i)            per-point array i, shape (N,)
    (op, id, ...)       an operation of `NUMPY` on earlier nodes

Nodes are numbered as they appear, so operands always have smaller numbers.  A dictionary from
tuple to number makes every distinct expression exist once (hash consing: Ershov, "On programming
of arithmetic operations", Comm. ACM 1 (8), 1958; Filliatre and Conchon, "Type-safe modular
hash-consing", ML Workshop 2006), so that common subexpressions merge while the graph is built.

Each node knows what it depends on, because this decides how often it must be computed:

    0  nothing          a constant, folded at once
    1  x only           once per data set
    2  theta only       once per evaluation
    3  x and theta      once per evaluation and point: the only ones that cost

`NUMPY` is the specification of every operation; the compiled tape must agree with it.
Simplification, in `simplify`, changes values by rounding only as long as they are finite; the sign
of a zero is not kept.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .simplify import RULES

ON_X, ON_THETA = 1, 2
Node = tuple[Any, ...]


def _truth(compare: Callable[..., Any]) -> Callable[..., Any]:
    """The comparison as a number: 1 where it holds and 0 elsewhere, NaN included."""

    def holds(*operands: Any) -> Any:
        dtype = np.result_type(*operands, 1.0)
        return compare(*operands).astype(dtype if dtype.kind == "f" else float)

    return holds


def _special(name: str) -> Callable[..., Any]:
    def call(*operands: Any) -> Any:
        try:
            import scipy.special
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f"{name} in plain NumPy needs SciPy: install scipy (compiled fits do not need it)"
            ) from None
        return getattr(scipy.special, name)(*operands)

    return call


_wofz = _special("wofz")

# The order is that of csrc/tape_ops.h.
NUMPY: dict[str, Callable[..., Any]] = {
    "copy": np.positive,
    "neg": np.negative,
    "abs": np.absolute,
    "sign": np.sign,
    "floor": np.floor,
    "recip": lambda a: np.divide(1.0, a),
    "square": np.square,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "erfcx": _special("erfcx"),
    "not": _truth(lambda a: np.equal(a, 0)),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "atan2": np.arctan2,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "less": _truth(np.less),
    "less_equal": _truth(np.less_equal),
    "equal": _truth(np.equal),
    "not_equal": _truth(np.not_equal),
    "and": _truth(np.logical_and),
    "or": _truth(np.logical_or),
    "voigt_re": lambda a, b: _wofz(a + 1j * b).real,
    "voigt_im": lambda a, b: _wofz(a + 1j * b).imag,
    "where": lambda c, a, b: np.where(np.not_equal(c, 0), a, b),
    "fma": lambda a, b, c: a * b + c,
    "fms": lambda a, b, c: a * b - c,
    "fnma": lambda a, b, c: c - a * b,
}

_OPCODE = {op: number for number, op in enumerate(NUMPY)}
_LEAVES = ("const", "theta", "x")

# Commutative operands are put in the order constant, theta only, x only, both; nodes of one kind
# in the order of a hash of their structure, which does not depend on when they were created.
# Hashes of numbers and of tuples of numbers are the same in every process, those of text are not.
_HASH_BITS = 60
_HASH_MASK = (1 << _HASH_BITS) - 1
_RANK = tuple(rank << _HASH_BITS for rank in (0, 2, 1, 3))


class Graph:
    """A growing graph over ``n_theta`` parameters and ``n_x`` per-point arrays.

    Attributes
    ----------
    nodes : list of tuple
        Node ``i`` is ``nodes[i]``.  Parameter j is node j, array i is node ``n_theta + i``; so
        the leaves of the same model always have the same numbers.
    depends : list of int
        ``depends[i]`` is 1 if node i depends on x, plus 2 if it depends on theta.
    order : list of int
        Sort keys of commutative operands.
    n_theta, n_x : int
        Number of parameters and of per-point arrays; `append_x` raises ``n_x``.
    """

    __slots__ = ("_index", "depends", "n_theta", "n_x", "nodes", "order")

    def __init__(self, n_theta: int, n_x: int) -> None:
        nodes, depends, order, index = _leaves(n_theta, n_x)
        self.nodes = nodes.copy()
        self.depends = depends.copy()
        self.order = order.copy()
        self._index = index.copy()
        self.n_theta = n_theta
        self.n_x = n_x

    def theta(self, j: int) -> int:
        """Return the node of parameter j."""
        return self._index["theta", j]

    def x(self, i: int) -> int:
        """Return the node of per-point array i."""
        return self._index["x", i]

    def append_x(self) -> int:
        """Add one more per-point array and return its node."""
        node = ("x", self.n_x)
        self.n_x += 1
        return self._append(node, ON_X, _leaf_order(node))

    def const(self, value: float) -> int:
        """Return the node of a number."""
        value = float(value) + 0.0  # -0 becomes 0, which is the same dictionary key
        if value != value:
            value = math.nan  # the one NaN object, so that it is found again
        node = ("const", value)
        known = self._index.get(node)
        return self._append(node, 0, hash(value) & _HASH_MASK) if known is None else known

    def add(self, op: str, *ids: int) -> int:
        """Return the node of ``op`` applied to ``ids``, simplified."""
        rule = RULES.get(op)
        return self.intern(op, *ids) if rule is None else rule(self, *ids)

    def intern(self, op: str, *ids: int) -> int:
        """Return the node of ``op`` applied to ``ids`` as it stands; fold constants only."""
        node = (op, *ids)
        known = self._index.get(node)
        if known is not None:
            return known
        depends, order = self.depends, self.order
        bits = 0
        for i in ids:
            bits |= depends[i]
        if not bits:
            return self.fold(op, *ids)
        key = hash((_OPCODE[op], *[order[i] for i in ids])) & _HASH_MASK
        return self._append(node, bits, _RANK[bits] + key)

    def fold(self, op: str, *ids: int) -> int:
        """Return the constant that ``op`` gives on constant nodes."""
        values = [np.float64(self.nodes[i][1]) for i in ids]
        with np.errstate(all="ignore"):
            return self.const(float(NUMPY[op](*values)))

    def _append(self, node: Node, bits: int, order: int) -> int:
        number = len(self.nodes)
        self._index[node] = number
        self.nodes.append(node)
        self.depends.append(bits)
        self.order.append(order)
        return number

    def key(self, outputs: Iterable[int]) -> Hashable:
        """Return what identifies the outputs: equal for equal formulas however written.

        The key holds the number of parameters and the nodes that the outputs need, renumbered in
        the order in which a depth-first walk finishes them.
        """
        return _canonical(self.n_theta, tuple(self.nodes), tuple(outputs))

    def count(self, outputs: Iterable[int], depends: int = ON_X | ON_THETA) -> int:
        """Count the operations behind ``outputs`` that depend on exactly ``depends``."""
        needed = reachable(self.nodes, outputs)
        return sum(self.depends[i] == depends and self.nodes[i][0] in NUMPY for i in needed)


def _leaf_order(node: Node) -> int:
    return _RANK[ON_X if node[0] == "x" else ON_THETA] + int(node[1])


@lru_cache(maxsize=64)
def _leaves(n_theta: int, n_x: int) -> tuple[list[Node], list[int], list[int], dict[Node, int]]:
    nodes: list[Node] = [("theta", j) for j in range(n_theta)] + [("x", i) for i in range(n_x)]
    depends = [ON_THETA] * n_theta + [ON_X] * n_x
    order = [_leaf_order(node) for node in nodes]
    return nodes, depends, order, {node: i for i, node in enumerate(nodes)}


# The same function recorded again gives the same nodes: then the walk is not repeated.
@lru_cache(maxsize=512)
def _canonical(n_theta: int, nodes: tuple[Node, ...], outputs: tuple[int, ...]) -> Hashable:
    number: dict[int, int] = {}
    form: list[Node] = []
    stack = list(reversed(outputs))
    while stack:
        i = stack[-1]
        node = nodes[i]
        operands = () if node[0] in _LEAVES else node[1:]
        waiting = [j for j in operands if j not in number]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if i not in number:
            number[i] = len(form)
            form.append((node[0], *[number[j] for j in operands]) if operands else node)
    return n_theta, tuple(form), tuple(number[i] for i in outputs)


def reachable(nodes: Sequence[Node], outputs: Iterable[int]) -> list[int]:
    """Return the nodes that ``outputs`` need, operands before what uses them."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        node = nodes[stack.pop()]
        if node[0] not in _LEAVES:
            new = [i for i in node[1:] if i not in seen]
            seen.update(new)
            stack.extend(new)
    return sorted(seen)


def evaluate(
    graph: Graph,
    ids: Sequence[int],
    x: Sequence[Any] = (),
    theta: Sequence[Any] = (),
    table: Mapping[str, Callable[..., Any]] = NUMPY,
) -> list[Any]:
    """Return the values of nodes ``ids`` in plain NumPy: the specification of a compiled tape.

    Parameters
    ----------
    graph : Graph
        Where the nodes live.
    ids : sequence of int
        The nodes to evaluate.
    x : sequence of array_like
        One array per ``("x", i)``, all of a shape that broadcasts, usually (N,).
    theta : sequence of array_like
        One value per parameter; arrays, of a shape that broadcasts with ``x``, evaluate many
        parameter vectors at once.
    table : mapping from operation to function
        Other arithmetic, for instance extended precision.

    Returns
    -------
    list
        One value per id, of whatever type and shape broadcasting gives.
    """
    inputs = {"x": x, "theta": theta}
    value: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for i in reachable(graph.nodes, ids):
            op, *operands = graph.nodes[i]
            if op == "const":
                value[i] = operands[0]
            elif op in inputs:
                value[i] = inputs[op][operands[0]]
            else:
                value[i] = table[op](*[value[j] for j in operands])
    return [value[i] for i in ids]
