"""The local derivatives of operations, as nodes of a graph.

A local derivative is a tuple of factors rather than one node, and an adjoint is multiplied by them
one after the other, cheapest first: the constant of d(u**2) = 2 u du then meets the adjoint's scale
(see simplify.pxi) and costs nothing per point.

Where a function has no derivative, one is chosen:

- abs at 0: 0;  floor, floor_divide, sign, comparisons, logic: 0 everywhere;
- hypot and atan2 at 0: 0;  a % b: 1 and -(a // b), also at its jumps;
- minimum(a, b) and maximum(a, b) at a = b: the derivative of a;
- where(c, a, b): the derivative of the branch taken; c counts as constant;
- sqrt and cbrt at 0: 0 instead of infinite, and likewise x**y at x = 0 for y < 1, asin and acos at
  1 and -1, acosh at 1.  A fit meets them in sqrt(x / tau) or (x / tau)**y at x = 0, where the value
  is 0 for every tau, and in radii;
- x**y at x = 0 for other y (except small integers, which are products): 0 with respect to y, and
  y 0**(y - 1) with respect to x, which counts as constant in higher derivatives.
"""

import math
from collections.abc import Callable

from . import voigt
from .graph import Graph

Factors = tuple[int, ...]
Partial = Callable[..., Factors]  # takes the graph, the value's node, and the operands' nodes

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


def _finite_rsqrt(g: Graph, a: int) -> int:
    """The node of 1 / sqrt(a), or of 0 where a is 0."""
    return _finite_recip(g, g.add("sqrt", a))


def _acosh(g: Graph, v: int, a: int) -> Factors:
    below = g.add("add", g.const(-1.0), a)
    return (_finite_rsqrt(g, g.add("mul", below, _plus_one(g, a))),)


def _gauss(factor: float) -> Partial:
    """The partial derivative factor * exp(-a**2)."""

    def partial(g: Graph, v: int, a: int) -> Factors:
        return g.const(factor), g.add("exp", g.add("neg", g.add("square", a)))

    return partial


def _erfcx(g: Graph, v: int, a: int) -> Factors:
    """The derivative of erfcx, 2 a erfcx(a) - 2 / sqrt(pi)."""
    product = g.add("mul", g.const(2.0), g.add("mul", a, v))
    return (g.add("add", g.const(-_TWO_OVER_SQRT_PI), product),)


def _exp1(g: Graph, v: int, a: int) -> Factors:
    """The derivative of the exponential integral, -exp(-a) / a."""
    return g.const(-1.0), g.add("div", g.add("exp", g.add("neg", a)), a)


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


def _atan2(g: Graph, numerator: int, a: int, b: int) -> Factors:
    """numerator / (a**2 + b**2), or 0 where both are 0; no square leaves the range of numbers."""
    inverse = _finite_recip(g, g.add("hypot", a, b))
    return inverse, numerator, inverse


def _piece_slope(g: Graph, v: int, a: int, number: int) -> Factors:
    """The slope of the piece that a table of knots has there, which is the table that follows."""
    table = g.tables[g.node(number)[1]]
    if table.kind == "steps" or table.n_in < 2:
        return (g.const(0.0),)
    return (g.add("lookup", a, g.const(g.node(number)[1] + 1.0)),)


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
    "asin": (lambda g, v, a: (_finite_rsqrt(g, _one_minus_square(g, a)),),),
    "acos": (lambda g, v, a: (g.const(-1.0), _finite_rsqrt(g, _one_minus_square(g, a))),),
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
    "exp1": (_exp1,),
    "lookup": (_piece_slope,),
    "add": (_one, _one),
    "sub": (_one, _minus_one),
    "mul": (_operand(1), _operand(0)),
    "div": (
        lambda g, v, a, b: (g.add("recip", b),),
        lambda g, v, a, b: (g.const(-1.0), g.add("recip", b), v),
    ),
    "pow": (_pow_base, _pow_exponent),
    "atan2": (
        lambda g, v, a, b: _atan2(g, b, a, b),
        lambda g, v, a, b: (g.const(-1.0), *_atan2(g, a, a, b)),
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
