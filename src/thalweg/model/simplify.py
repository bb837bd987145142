"""What a graph makes of an operation before it creates a node.

Each rule takes the graph and the operands and returns a node of equal value.  The rules serve
three ends:

1. *One form for one formula*, so that equal expressions merge: operands of commutative operations
   are sorted, x - c is -c + x, a + -b is a - b, a / b is a * (1 / b), constants combine.
2. *Work moves to where it is done less often.*  A product is kept as scale * rest with the scale at
   the lowest stage (constant, theta only, x only).  A new factor is multiplied into that part
   which stays at a lower stage than the whole: (p * t1) * t2 becomes p * (t1 * t2), so that one
   multiplication per point remains however many parameters are multiplied together; and a sign
   goes into the scale.
3. *Cheap operations for dear ones*: small powers by multiplication, division by a reciprocal that
   is computed once.

Values change by rounding only, provided that they and the intermediate results are finite and
normal.  NaN is kept: x - x and 0 * (1 / x) aside, nothing is cancelled.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .graph import Graph

_BOTH = 3  # depends on x and on theta
_THETA = 2
_MAX_POWER = 8  # beyond this, products lose more digits than pow
_SIGN_DEPTH = 3  # how far into a chain of factors a sign may travel


def _is_const(g: Graph, i: int) -> bool:
    return not g.depends[i]


def _sorted(g: Graph, a: int, b: int) -> tuple[int, int]:
    return (a, b) if g.order[a] <= g.order[b] else (b, a)


def _commutative(op: str, equal_operands_cancel: bool = False) -> Callable[[Graph, int, int], int]:
    def rule(g: Graph, a: int, b: int) -> int:
        if equal_operands_cancel and a == b:
            return a
        return g.intern(op, *_sorted(g, a, b))

    return rule


def _copy(g: Graph, a: int) -> int:
    return a


def _neg(g: Graph, a: int) -> int:
    op, *operands = g.nodes[a]
    if op == "const":
        return g.const(-operands[0])
    if op == "neg":
        return int(operands[0])
    if op == "sub":
        return _sub(g, operands[1], operands[0])
    if op == "add" and g.depends[operands[0]] != g.depends[a]:
        return _sub(g, _neg(g, operands[0]), operands[1])
    if op == "mul":
        negated = _negated_product(g, a, _SIGN_DEPTH)
        if negated is not None:
            return negated
    return g.intern("neg", a)


def _negated_product(g: Graph, product: int, depth: int) -> int | None:
    """The product with the sign of a factor of a lower stage changed, if it has such a factor."""
    scale, rest = g.nodes[product][1:]
    if g.depends[scale] != g.depends[product]:
        return g.intern("mul", _neg(g, scale), rest)
    for factor, other in ((scale, rest), (rest, scale)):
        if depth and g.nodes[factor][0] == "mul":
            negated = _negated_product(g, factor, depth - 1)
            if negated is not None:
                return g.intern("mul", *_sorted(g, negated, other))
    return None


def _add(g: Graph, a: int, b: int) -> int:
    nodes, depends = g.nodes, g.depends
    a, b = _sorted(g, a, b)
    if a == b:
        return _mul(g, g.const(2.0), a)
    inner = nodes[b]
    if not depends[a] and depends[b]:
        c = nodes[a][1]
        if c == 0.0:
            return b
        if inner[0] in ("add", "sub") and not depends[inner[1]]:
            return g.add(inner[0], g.const(c + nodes[inner[1]][1]), inner[2])
    if inner[0] == "neg":
        return _sub(g, a, inner[1])
    if nodes[a][0] == "neg":
        return _sub(g, b, nodes[a][1])
    return g.intern("add", a, b)


def _sub(g: Graph, a: int, b: int) -> int:
    nodes, depends = g.nodes, g.depends
    inner = nodes[b]
    if inner[0] == "neg":
        return _add(g, a, inner[1])
    if not depends[b]:
        return _add(g, g.const(-inner[1]), a)
    if not depends[a]:
        c = nodes[a][1]
        if c == 0.0:
            return _neg(g, b)
        if inner[0] in ("add", "sub") and not depends[inner[1]]:
            opposite = "sub" if inner[0] == "add" else "add"
            return g.add(opposite, g.const(c - nodes[inner[1]][1]), inner[2])
    if nodes[a][0] == "neg" and depends[a] == depends[a] | depends[b]:
        return _neg(g, _add(g, nodes[a][1], b))
    return g.intern("sub", a, b)


def _mul(g: Graph, a: int, b: int) -> int:
    nodes, depends = g.nodes, g.depends
    a, b = _sorted(g, a, b)
    if a == b:
        return _square(g, a)
    if not depends[a] and depends[b]:
        c = nodes[a][1]
        if c == 0.0:
            return a
        if c == 1.0:
            return b
        if c == -1.0:
            return _neg(g, b)
    node_a, node_b = nodes[a], nodes[b]
    if node_b[0] == "neg":  # signs travel outwards; _neg puts them where they cost least
        return _neg(g, _mul(g, a, node_b[1]))
    if node_a[0] == "neg" and not (depends[a] == _THETA and depends[b] & 1):
        return _neg(g, _mul(g, node_a[1], b))
    merged = _combine(g, a, b) if node_b[0] == "mul" else None
    if merged is None and node_a[0] == "mul":
        merged = _combine(g, b, a)
    return g.intern("mul", a, b) if merged is None else merged


def _combine(g: Graph, factor: int, product: int) -> int | None:
    """factor * product with the factor multiplied into a part that stays at a lower stage."""
    depends = g.depends
    scale, rest = g.nodes[product][1:]
    whole = depends[factor] | depends[product]
    # What is wholly at a lower stage stays there; only its constant may go on to theta.
    if depends[product] != whole and (depends[scale] or depends[factor] != _THETA):
        return None
    if depends[factor] | depends[scale] != whole:
        return _mul(g, _mul(g, factor, scale), rest)
    if depends[factor] | depends[rest] != whole:
        return _mul(g, scale, _mul(g, factor, rest))
    if depends[scale]:
        return None
    if whole != _BOTH:
        return _mul(g, scale, _mul(g, factor, rest))
    node = g.nodes[factor]
    if node[0] == "mul" and depends[node[1]] in (0, _THETA):  # c meets the other one's scale
        return _mul(g, _mul(g, _mul(g, scale, node[1]), node[2]), rest)
    return None


def _div(g: Graph, a: int, b: int) -> int:
    if not _is_const(g, b):
        return _mul(g, a, _recip(g, b))
    c = g.nodes[b][1]
    exact = abs(math.frexp(c)[0]) == 0.5
    if (exact or g.depends[a] == _BOTH) and sys.float_info.min <= abs(1.0 / c if c else 0.0):
        return _mul(g, g.const(1.0 / c), a)
    return g.intern("div", a, b)


def _recip(g: Graph, a: int) -> int:
    op, *operands = g.nodes[a]
    if op == "recip":
        return int(operands[0])
    if op == "neg":
        return _neg(g, _recip(g, operands[0]))
    if op == "mul" and all(g.depends[i] != g.depends[a] for i in operands):
        return _mul(g, _recip(g, operands[0]), _recip(g, operands[1]))
    return g.intern("recip", a)


def _floor(g: Graph, a: int) -> int:
    """Floor; of a quotient, with the division that NumPy rounds: floor(x / x) must be 1."""
    op, *operands = g.nodes[a]
    if op == "mul":
        for scale, other in (operands, operands[::-1]):
            negative = g.nodes[scale][0] == "neg"
            inverse = g.nodes[g.nodes[scale][1] if negative else scale]
            if inverse[0] == "recip":
                quotient = g.intern("div", other, inverse[1])
                return g.intern("floor", g.intern("neg", quotient) if negative else quotient)
    return g.intern("floor", a)


def _even(op: str) -> Callable[[Graph, int], int]:
    """The rule of a function with f(-a) = f(a)."""

    def rule(g: Graph, a: int) -> int:
        node = g.nodes[a]
        if node[0] == "neg" or node[0] == "abs":
            a = node[1]
        elif node[0] == "sub" and g.order[node[1]] < g.order[node[2]]:
            a = _sub(g, node[2], node[1])
        return g.intern(op, a)

    return rule


_square = _even("square")


def _sqrt(g: Graph, a: int) -> int:
    node = g.nodes[a]
    return g.add("abs", node[1]) if node[0] == "square" else g.intern("sqrt", a)


def _pow(g: Graph, a: int, b: int) -> int:
    if not _is_const(g, b) or _is_const(g, a):
        return g.intern("pow", a, b)
    exponent = g.nodes[b][1]
    if exponent == 0.0:
        return g.const(1.0)
    if exponent < 0.0 and (exponent == -0.5 or exponent in range(-_MAX_POWER, 0)):
        return _recip(g, _pow(g, a, g.const(-exponent)))
    if exponent == 0.5:
        return _sqrt(g, a)
    if exponent in range(1, _MAX_POWER + 1):
        return _power(g, a, int(exponent))
    return g.intern("pow", a, b)


def _power(g: Graph, a: int, n: int) -> int:
    if n == 1:
        return a
    if n == 3:
        return _mul(g, _square(g, a), a)
    if n % 2:
        return _mul(g, _power(g, a, n - 1), a)
    return _square(g, _power(g, a, n // 2))


def _not(g: Graph, a: int) -> int:
    op, *operands = g.nodes[a]
    opposite = {"equal": "not_equal", "not_equal": "equal"}.get(op)
    return g.intern("not", a) if opposite is None else g.intern(opposite, *operands)


def _where(g: Graph, c: int, a: int, b: int) -> int:
    if a == b:
        return a
    node = g.nodes[c]
    if node[0] == "const":
        return a if node[1] != 0.0 else b
    if node[0] == "not":
        return _where(g, node[1], b, a)
    return g.intern("where", c, a, b)


RULES: dict[str, Callable[..., int]] = {
    "copy": _copy,
    "neg": _neg,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "recip": _recip,
    "floor": _floor,
    "square": _square,
    "abs": _even("abs"),
    "cos": _even("cos"),
    "cosh": _even("cosh"),
    "sqrt": _sqrt,
    "pow": _pow,
    "not": _not,
    "where": _where,
    "minimum": _commutative("minimum", equal_operands_cancel=True),
    "maximum": _commutative("maximum", equal_operands_cancel=True),
    "equal": _commutative("equal"),
    "not_equal": _commutative("not_equal"),
    "and": _commutative("and"),
    "or": _commutative("or"),
}
