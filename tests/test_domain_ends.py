"""Where functions have values but no finite slopes an inner derivative of 0 wins."""

import itertools
import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.model import voigt
from thalweg.model.autodiff import _LEAVES, gradient, jvp
from thalweg.model.foreign import scipy_operation
from thalweg.model.graph import Graph, evaluate
from thalweg.model.partials import PARTIALS
from thalweg.model.symbol import symbols_of
from thalweg.model.tape import OPCODE

special = pytest.importorskip("scipy.special")

FUNCTIONS = sorted(
    name
    for name in dir(special)
    if isinstance(f := getattr(special, name), np.ufunc) and f.nin <= 3 and f.nout == 1
)
OWN = sorted(set(PARTIALS) & set(OPCODE) - {"lookup", *voigt.NUMPY} - _LEAVES)
ENDS = 0.0, 1.0, -1.0, 0.5, 2.0, -0.5
# A power of a negative base has values at whole exponents alone.
NOWHERE_BUT_THERE = {"pow"}


def slopes_at_ends(name, arity, inner):
    """The values of f(..., a, ...) at ends, a = inner(x, s) at x = 0, and slopes by s both ways.

    Each operand in turn is the one that x and s are in.
    """
    rows = [np.array(row) for row in zip(*itertools.product(ENDS, repeat=arity), strict=True)]
    for j in range(arity):
        g = Graph(1, arity + 1)
        operands = [g.x(i) for i in range(arity)]
        operands[j] = g.add("add", operands[j], inner(g, g.x(arity), g.theta(0)))
        value = g.add(name, *operands)
        [back] = gradient(g, value, [g.theta(0)])
        [forth] = jvp(g, [value], [g.theta(0)], [g.const(1.0)])
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some functions of SciPy are on their way out
            found = evaluate(g, [value, back, forth], [*rows, np.zeros(len(rows[0]))], [3.0])
        yield [v * np.ones(len(rows[0])) for v in found]


INNER = {
    "x/s": lambda g, x, s: g.add("mul", x, g.add("recip", s)),
    "(x s)^2": lambda g, x, s: g.add("square", g.add("mul", x, s)),
    "x max(s, 1)": lambda g, x, s: g.add("mul", x, g.add("maximum", s, g.const(1.0))),
}


WITHOUT_SLOPES = ["betainc", "chdtr", "fdtr", "gammainc", "gammaincc", "jv", "spence"]


@pytest.mark.parametrize(
    "inner, names", [("x/s", [*FUNCTIONS, *OWN]), *((each, WITHOUT_SLOPES) for each in INNER)]
)
def test_a_function_of_what_does_not_depend_on_a_parameter_does_not_either(inner, names):
    wrong = []
    for name in names:
        foreign = name in FUNCTIONS and name not in OWN
        op = scipy_operation(getattr(special, name), symbols_of) if foreign else name
        arity = getattr(special, name).nin if foreign else len(PARTIALS[name])
        if op is None or op in NOWHERE_BUT_THERE:
            continue
        for value, back, forth in slopes_at_ends(op, arity, INNER[inner]):
            good = np.isfinite(value)
            if (back[good] != 0).any() or (forth[good] != 0).any():
                wrong.append(name)
    assert not wrong


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_incomplete_gamma_functions_are_fitted_from_zero_on(dtype):
    """Below k = 1 the slope of gammainc(k, u) at u = 0 is infinite, in u but not in k or s."""
    x = np.linspace(0, 5, 40)

    def model(x, a, k, s):
        return a * special.gammainc(k, x / s)

    y = model(x, 3.0, 0.4, 1.5) + 0.01 * np.cos(40 * x)
    r = tw.fit(model, x, y, [2.0, 0.6, 1.0], dtype=dtype)
    without = tw.fit(model, x[1:], y[1:], [2.0, 0.6, 1.0], dtype=dtype)
    assert r.success and without.success
    np.testing.assert_allclose(r.params, without.params, rtol=1e-2 if dtype == np.float32 else 1e-6)


@pytest.mark.parametrize("unit", [1e-200, 1e-20, 1.0, 1e200])
def test_an_angle_has_slopes_in_any_unit(unit):
    g = Graph(0, 2)
    x = [g.x(0), g.x(1)]
    nodes = gradient(g, g.add("atan2", *x), x)
    by_a, by_b = evaluate(g, nodes, x=[unit * np.array([3.0, 0.0]), unit * np.array([4.0, 0.0])])
    np.testing.assert_allclose(by_a * unit, [0.16, 0], rtol=1e-14)
    np.testing.assert_allclose(by_b * unit, [-0.12, 0], rtol=1e-14)
