"""An expression graph in which equal expressions are one node.

A model f(x, theta) is a directed acyclic graph.  A node is a tuple:

    ("const", value)    a number
    ("theta", j)        parameter j, one value per fit
    ("x", i)            per-point array i, shape (N,)
    (op, id, ...)       an operation of `NUMPY` on earlier nodes

Nodes are numbered as they appear, so operands always have smaller numbers.  Every distinct
expression exists once, so that common subexpressions merge while the graph is built.  All this is
compiled, in `thalweg._core.graph`; it runs at every fit.

The stage of a node tells what the node depends on, which decides how often it must be computed:

    0  nothing          never: it is a constant, folded when it is added
    1  x only           once per data set
    2  theta only       once per evaluation
    3  x and theta      once per evaluation and point; nearly all the time goes into these nodes

`NUMPY` is the specification of every operation but those with tables, `WITH_TABLES`, which stand in
tables.py; the compiled tape must agree with it.
Simplification (simplify.pxi in `thalweg._core`) changes values by rounding only as long as they are
finite; the sign of a zero is not kept.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._core import graph as compiled
from . import voigt
from .special import special
from .tables import WITH_TABLES, Tables

ON_X, ON_THETA = 1, 2
Node = tuple[Any, ...]


def _truth(compare: Callable[..., Any]) -> Callable[..., Any]:
    """Return a comparison whose values are numbers: 1 where it holds, else 0, also for NaN."""

    def holds(*operands: Any) -> Any:
        dtype = np.result_type(*operands, 1.0)
        return compare(*operands).astype(dtype if dtype.kind == "f" else float)

    return holds


_wofz = special("wofz")

# The operations, in the order of csrc/tape/operations.h.
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
    "erfcx": special("erfcx"),
    "exp1": special("exp1"),
    "not": _truth(lambda a: np.equal(a, 0)),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
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
    **voigt.NUMPY,
    "where": lambda c, a, b: np.where(np.not_equal(c, 0), a, b),
    "fma": lambda a, b, c: a * b + c,
    "fms": lambda a, b, c: a * b - c,
    "fnma": lambda a, b, c: c - a * b,
}

LEAVES = ("const", "theta", "x")


def applied(op: str, *operands: Any) -> Any:
    """Return what an operation makes of numbers and arrays, or of symbols, which record it."""
    for operand in operands:
        record = getattr(type(operand), "_apply", None)
        if record is not None:
            return record(operand, op, *operands)
    return NUMPY[op](*operands)


class Graph(compiled.Graph):
    """A growing graph over ``n_theta`` parameters and ``n_x`` per-point arrays.

    Attributes
    ----------
    nodes : list of tuple
        Node ``i`` is ``nodes[i]``, or `node` (i).  Parameter j is node j, array i is node
        ``n_theta + i``; so the leaves of the same model always have the same numbers.
    depends : list of int
        ``depends[i]``, or `stage` (i), is 1 if node i depends on x, plus 2 if it depends on theta.
    tables : Tables or None
        What the operations of `tables` refer to by number; None if the graph has none of these.
    size : int
        Number of nodes.
    n_theta, n_x : int
        Number of parameters and of per-point arrays; `append_x` raises ``n_x``.
    """

    __slots__ = ()

    def copy(self) -> "Graph":
        """Return an independent graph of the same nodes."""
        return rebuilt(self.n_theta, self.nodes, self.tables)

    def key(self, outputs: Sequence[int]) -> Hashable:
        """Return a key of the outputs, equal for equal formulas and tables."""
        key = super().key(outputs)
        return key if self.tables is None else (key, self.tables.key)

    def fold(self, op: str, *ids: int) -> int:
        """Return the constant that ``op`` gives on constant nodes."""
        values = [np.float64(self.node(i)[1]) for i in ids]
        with np.errstate(all="ignore"):
            return self.const(float(NUMPY[op](*values)))

    def count(self, outputs: Iterable[int], depends: int = ON_X | ON_THETA) -> int:
        """Count the operations that ``outputs`` need and whose stage is ``depends``."""
        needed = reachable(self.nodes, outputs)
        return sum(self.stage(i) == depends and self.node(i)[0] in NUMPY for i in needed)


def rebuilt(n_theta: int, nodes: Sequence[Node], tables: Tables | None = None) -> Graph:
    """Return a graph of these nodes, which keep their numbers."""
    graph = Graph(n_theta, 0)
    graph.tables = tables
    for op, *operands in nodes[n_theta:]:
        if op == "x":
            graph.append_x()
        elif op == "const":
            graph.const(*operands)
        else:
            graph.intern(op, *operands)
    return graph


def reachable(nodes: Sequence[Node], outputs: Iterable[int]) -> list[int]:
    """Return the nodes that ``outputs`` need; operands precede the nodes that use them."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        node = nodes[stack.pop()]
        if node[0] not in LEAVES:
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
        The graph of the nodes.
    ids : sequence of int
        The nodes to evaluate.
    x : sequence of array_like
        One array per ``("x", i)``; their shapes, usually (N,), broadcast with each other.
    theta : sequence of array_like
        One value per parameter.  Arrays, whose shapes broadcast with ``x``, evaluate many parameter
        vectors at once.
    table : mapping from operation to function
        The arithmetic; other tables compute, for instance, in extended precision.

    Returns
    -------
    list
        One value per id, of whatever type and shape broadcasting gives.
    """
    inputs = {"x": x, "theta": theta}
    nodes = graph.nodes
    value: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for i in reachable(nodes, ids):
            op, *operands = nodes[i]
            if op == "const":
                value[i] = operands[0]
            elif op in inputs:
                value[i] = inputs[op][operands[0]]
            elif op in WITH_TABLES:
                *curves, number = operands
                value[i] = graph.tables[nodes[number][1]](*[value[j] for j in curves])
            else:
                value[i] = table[op](*[value[j] for j in operands])
    return [value[i] for i in ids]
