"""Derivatives of a graph, as more nodes of the graph.

Forward mode pushes a tangent through every node, t_v = sum_i (dv/da_i) t_i (`jvp`); reverse mode
pulls an adjoint back, w_i += w_v (dv/da_i) (`vjp`, `gradient`); see Griewank and Walther,
"Evaluating Derivatives", 2nd ed., SIAM 2008, chapter 3.  Both read the same table of local
derivatives, `PARTIALS`.  Since the result consists of nodes, it can be differentiated again.

A local derivative is a tuple of factors rather than one node, and an adjoint is multiplied by them
one after the other, cheapest first: the constant of d(u**2) = 2 u du then meets the adjoint's scale
(see simplify.pxi) and costs nothing per point.

Where a function has no derivative, one is chosen:

- abs at 0: 0;  floor, floor_divide, sign, comparisons, logic: 0 everywhere;
- hypot at 0: 0;  a % b: 1 and -(a // b), also at its jumps;
- minimum(a, b) and maximum(a, b) at a = b: the derivative of a;
- where(c, a, b): the derivative of the branch taken; c counts as constant;
- sqrt and cbrt at 0: 0 instead of infinite, and likewise x**y at x = 0 for y < 1.  A fit meets them
  in sqrt(x / tau) or (x / tau)**y at x = 0, where the value is 0 for every tau, and in radii;
- x**y at x = 0 for other y (except small integers, which are products): 0 with respect to y, and
  y 0**(y - 1) with respect to x, which counts as constant in higher derivatives.

The branch not taken may be infinite or NaN, and so may its derivative; a factor 0 would not make it
0.  The same holds for exp(u) in 1 / (1 + exp(u)), for instance at a dose of 0.  So an adjoint
carries a *mask*, the conditions under which it is not 0, and only the finished product is masked.
When the two branches of a `where` meet again, they make one `where` instead of two.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from . import voigt
from .graph import ON_X, Graph, reachable

Factors = tuple[int, ...]
Partial = Callable[..., Factors]  # takes the graph, the value's node, and the operands' nodes
Mask = frozenset[tuple[int, bool]]  # pairs (condition, the truth it must have), all required

_EVERYWHERE: Mask = frozenset()
_MOST = 4  # so many conditions of a mask are kept apart: models hardly nest more choices
_TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


def _one(g: Graph, v: int, *operands: int) -> Factors:
    return ()


def _minus_one(g: Graph, v: int, *operands: int) -> Factors:
    return (g.const(-1.0),)


def _operand(i: int, sign: float = 1.0) -> Partial:
    return lambda g, v, *operands: (g.const(sign), operands[i])


def _plus_one(g: Graph, a: int) -> int:
    return g.add("add", g.const(1.0), a)


def _one_minus_square(g: Graph, a: int) -> int:
    """1 - a**2 as (1 - a) (1 + a), which loses no digits near a = 1."""
    return g.add("mul", g.add("sub", g.const(1.0), a), _plus_one(g, a))


def _square_plus_one(g: Graph, a: int) -> int:
    return _plus_one(g, g.add("square", a))


def _rsqrt(g: Graph, a: int) -> int:
    return g.add("recip", g.add("sqrt", a))


def _acosh(g: Graph, v: int, a: int) -> Factors:
    below = g.add("add", g.const(-1.0), a)
    return (_rsqrt(g, g.add("mul", below, _plus_one(g, a))),)


def _gauss(factor: float) -> Partial:
    """The partial derivative factor * exp(-a**2)."""

    def partial(g: Graph, v: int, a: int) -> Factors:
        return g.const(factor), g.add("exp", g.add("neg", g.add("square", a)))

    return partial


def _erfcx(g: Graph, v: int, a: int) -> Factors:
    """The derivative of erfcx, 2 a erfcx(a) - 2 / sqrt(pi)."""
    product = g.add("mul", g.const(2.0), g.add("mul", a, v))
    return (g.add("add", g.const(-_TWO_OVER_SQRT_PI), product),)


def _unless_zero(g: Graph, a: int, at_zero: int, value: int) -> int:
    return g.add("where", g.add("equal", a, g.const(0.0)), at_zero, value)


def _pow_base(g: Graph, v: int, a: int, b: int) -> Factors:
    """The derivative b a**(b - 1) as b a**b / a: a second pow would cost more than all the rest."""
    less_one = g.add("add", g.const(-1.0), b)
    steep = g.add("less", less_one, g.const(0.0))
    limit = g.add("pow", g.const(0.0), less_one)
    at_zero = g.add("where", steep, g.const(0.0), limit)
    return b, _unless_zero(g, a, at_zero, g.add("div", v, a))


def _finite_recip(g: Graph, a: int) -> int:
    """The node of 1 / a, or of 0 where a is 0."""
    return g.add("where", a, g.add("recip", a), g.const(0.0))


def _pow_exponent(g: Graph, v: int, a: int, b: int) -> Factors:
    return (_unless_zero(g, a, g.const(0.0), g.add("mul", v, g.add("log", a))),)


def _atan2(g: Graph, numerator: int, a: int, b: int) -> int:
    squares = g.add("add", g.add("square", a), g.add("square", b))
    return g.add("div", numerator, squares)


# w(z) = voigt_re + i voigt_im at z = a + i b has w' = -2 z w + 2 i / sqrt(pi); so by the equations
# of Cauchy and Riemann, Re w' and Im w' give all four derivatives.
def _faddeeva_real(g: Graph, a: int, b: int) -> Factors:
    """Re w'(z) = 2 (b Im w - a Re w)."""
    real, imag = g.add("voigt_re", a, b), g.add("voigt_im", a, b)
    return g.const(2.0), g.add("sub", g.add("mul", b, imag), g.add("mul", a, real))


def _faddeeva_imag(g: Graph, a: int, b: int, sign: float = 1.0) -> Factors:
    """Im w'(z) = 2 / sqrt(pi) - 2 (a Im w + b Re w)."""
    real, imag = g.add("voigt_re", a, b), g.add("voigt_im", a, b)
    products = g.add("add", g.add("mul", a, imag), g.add("mul", b, real))
    return g.const(2.0 * sign), g.add("sub", g.const(0.5 * _TWO_OVER_SQRT_PI), products)


# The local derivatives of each operation, one function per operand.  An operation without an entry
# has derivative 0 everywhere, except those of _CHOICES.
PARTIALS: dict[str, tuple[Partial, ...]] = {
    "copy": (_one,),
    "neg": (_minus_one,),
    "abs": (lambda g, v, a: (g.add("sign", a),),),
    "recip": (lambda g, v, a: (g.const(-1.0), g.add("square", v)),),
    "square": (_operand(0, 2.0),),
    "sqrt": (lambda g, v, a: (g.const(0.5), _finite_recip(g, v)),),
    "cbrt": (lambda g, v, a: (g.const(1 / 3), _finite_recip(g, g.add("square", v))),),
    "exp": (lambda g, v, a: (v,),),
    "expm1": (lambda g, v, a: (_plus_one(g, v),),),
    "log": (lambda g, v, a: (g.add("recip", a),),),
    "log1p": (lambda g, v, a: (g.add("recip", _plus_one(g, a)),),),
    "sin": (lambda g, v, a: (g.add("cos", a),),),
    "cos": (lambda g, v, a: (g.const(-1.0), g.add("sin", a)),),
    "tan": (lambda g, v, a: (_square_plus_one(g, v),),),
    "asin": (lambda g, v, a: (_rsqrt(g, _one_minus_square(g, a)),),),
    "acos": (lambda g, v, a: (g.const(-1.0), _rsqrt(g, _one_minus_square(g, a))),),
    "atan": (lambda g, v, a: (g.add("recip", _square_plus_one(g, a)),),),
    "sinh": (lambda g, v, a: (g.add("cosh", a),),),
    "cosh": (lambda g, v, a: (g.add("sinh", a),),),
    "tanh": (lambda g, v, a: (g.add("sub", g.const(1.0), g.add("square", v)),),),
    "asinh": (lambda g, v, a: (_rsqrt(g, _square_plus_one(g, a)),),),
    "acosh": (_acosh,),
    "atanh": (lambda g, v, a: (g.add("recip", _one_minus_square(g, a)),),),
    "erf": (_gauss(_TWO_OVER_SQRT_PI),),
    "erfc": (_gauss(-_TWO_OVER_SQRT_PI),),
    "erfcx": (_erfcx,),
    "add": (_one, _one),
    "sub": (_one, _minus_one),
    "mul": (_operand(1), _operand(0)),
    "div": (
        lambda g, v, a, b: (g.add("recip", b),),
        lambda g, v, a, b: (g.const(-1.0), g.add("recip", b), v),
    ),
    "pow": (_pow_base, _pow_exponent),
    "atan2": (
        lambda g, v, a, b: (_atan2(g, b, a, b),),
        lambda g, v, a, b: (g.const(-1.0), _atan2(g, a, a, b)),
    ),
    "hypot": (
        lambda g, v, a, b: (a, _finite_recip(g, v)),
        lambda g, v, a, b: (b, _finite_recip(g, v)),
    ),
    "remainder": (_one, lambda g, v, a, b: (g.const(-1.0), g.add("floor_divide", a, b))),
    **{op: voigt.partials(op) for op in voigt.NUMPY},
    "voigt_re": (
        lambda g, v, a, b: _faddeeva_real(g, a, b),
        lambda g, v, a, b: _faddeeva_imag(g, a, b, -1.0),
    ),
    "voigt_im": (
        lambda g, v, a, b: _faddeeva_imag(g, a, b),
        lambda g, v, a, b: _faddeeva_real(g, a, b),
    ),
    "fma": (_operand(1), _operand(0), _one),
    "fms": (_operand(1), _operand(0), _minus_one),
    "fnma": (_operand(1, -1.0), _operand(0, -1.0), _one),
}

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
    if op in ("const", "theta", "x"):
        return
    if op in _CHOICES:
        condition, a, b = _CHOICES[op](graph, *operands)
        for branch, holds in ((a, True), (b, False)):
            # with (condition, not holds) in the mask this branch is never taken here
            if branch in needed and (condition, not holds) not in mask:
                adjoints.accumulate(branch, _and_also(graph, mask, condition, holds), value)
        return
    if _may_vanish(graph, op, operands[0]):
        mask = _and_also(graph, mask, i, True)
    for operand, partial in zip(operands, PARTIALS.get(op, ()), strict=False):
        if operand in needed:
            factors = partial(graph, i, *operands)
            adjoints.accumulate(operand, mask, _times(graph, value, factors))


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
    return vjp(graph, [output], [graph.const(1.0)], wrt)


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
    if op in _CHOICES:
        condition, a, b = _CHOICES[op](graph, *operands)
        return graph.add("where", condition, tangent.get(a, zero), tangent.get(b, zero))
    for operand, partial in zip(operands, PARTIALS.get(op, ()), strict=False):
        if operand in tangent:
            term = _times(graph, tangent[operand], partial(graph, i, *operands))
            total = graph.add("add", total, term)
    return graph.add("where", i, total, zero) if _may_vanish(graph, op, operands[0]) else total
