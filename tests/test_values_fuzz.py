"""Every operation and random compositions of them against NumPy, special values included.

A recorded function must compute what the function computes on arrays: the same NaN, the same
infinities, the same numbers but for rounding.  Not kept is the sign of a zero and what rests on it;
and a product may be formed in another order, so intermediate results near the ends of the range
excuse a difference.  Both are decided by computing again, never by the operation.
"""

import operator

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from tape_tools import run

from thalweg.model.formula import FUNCTIONS, parse
from thalweg.model.tape import compile_model
from thalweg.model.trace import record

pytestmark = pytest.mark.usefixtures("isa")

SPECIAL = [0.0, 1.0, -1.0, 0.1, -0.1, 0.5, 2.0, 3.0, -3.0, 7.5, 1e-5, 1e10, -1e10, 1e200, -1e200]
SPECIAL += [1e-200, 2.0**53, 709.0, 745.0, -745.0, np.inf, -np.inf, np.nan]
ORDINARY = st.floats(-4, 4, allow_subnormal=False).map(lambda v: v if abs(v) > 1e-3 else 0.0)

UFUNCS = {
    1: "absolute fabs sign floor ceil trunc rint square sqrt cbrt reciprocal negative positive "
    "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh "
    "arcsinh arccosh arctanh degrees radians deg2rad rad2deg isnan isinf isfinite logical_not",
    2: "add subtract multiply divide true_divide floor_divide remainder mod fmod power "
    "float_power arctan2 hypot minimum maximum fmin fmax copysign heaviside logaddexp "
    "logaddexp2 less less_equal greater greater_equal equal not_equal logical_and logical_or "
    "logical_xor",
}
SCIPY = {
    1: "erf erfc erfcx exp1 expit logit log_expit exprel ndtr log_ndtr dawsn exp10",
    2: "xlogy xlog1py",
    3: "voigt_profile",
}
# what cannot be: of a negative width SciPy continues the profile, here it is NaN
POSITIVE = {"voigt_profile": (1, 2)}
# arguments at which SciPy or NumPy lose digits themselves, or which rest on the sign of a zero
LOOSE = {
    **dict.fromkeys(("log_ndtr", "ndtr", "logit", "exprel"), (1e-9,)),
    "logaddexp2": (2e-13, 1e-15),  # 0 for two of -1
}
OPERATORS = {
    2: [
        (operator.add, "({} + {})"),
        (operator.sub, "({} - {})"),
        (operator.mul, "({} * {})"),
        (operator.truediv, "({} / {})"),
        (operator.floordiv, "({} // {})"),
        (operator.mod, "({} % {})"),
        (lambda a, b: divmod(a, b)[0], "divmod({}, {})[0]"),
        (lambda a, b: divmod(a, b)[1], "divmod({}, {})[1]"),
        (lambda a, b: 1.0 * (a < b) + 1.0 * (a <= b), "(1*({0} < {1}) + 1*({0} <= {1}))"),
        (lambda a, b: (a < b) + (b < a) * 1.0, "(({0} < {1}) + ({1} < {0}))"),
        (lambda a, b: np.clip(a, b, 2.0), "clip({}, {}, 2)"),
    ],
    1: [
        (lambda a: 0 * a, "0*{}"),
        (lambda a: a - a, "({0} - {0})"),
        (lambda a: a / a, "({0} / {0})"),
        (lambda a: 0 / a, "0 / {}"),
        (lambda a: a**2, "{}**2"),
        (lambda a: a**3, "{}**3"),
        (lambda a: a**-1, "{}**-1"),
        (lambda a: a**-2, "{}**-2"),
        (lambda a: a**0.5, "{}**0.5"),
        (lambda a: a**0, "{}**0"),
        (lambda a: np.sinc(a), "sinc({})"),
        (lambda a: np.round(a, 1), "round({}, 1)"),
        (lambda a: 1 // a, "1 // {}"),
        (lambda a: 1 % a, "1 % {}"),
        (lambda a: a // 0.1, "{} // 0.1"),
        (lambda a: a % 0.1, "{} % 0.1"),
        (lambda a: a % -2, "{} % -2"),
        (lambda a: 3 * (0.1 * a), "3*(0.1*{})"),
        (lambda a: 1e200 * (1e200 * a), "1e200*(1e200*{})"),
        (lambda a: a / 1e-310, "{} / 1e-310"),
    ],
    3: [
        (lambda c, a, b: np.where(c, a, b), "where({}, {}, {})"),
        (lambda c, a, b: np.where(c < a, a, b), "where({0} < {1}, {1}, {2})"),
    ],
}


def catalogue():
    """(name, arity, function) of everything that records."""
    rows = []
    for arity, names in UFUNCS.items():
        rows += [(name, arity, getattr(np, name)) for name in names.split()]
    for arity, names in SCIPY.items():
        rows += [(name, arity, getattr(scipy.special, name, None)) for name in names.split()]
    rows = [(name, arity, f or exp10) for name, arity, f in rows]
    for arity, pairs in OPERATORS.items():
        rows += [(text, arity, f) for f, text in pairs]
    return rows


def exp10(x):
    return 10.0**x


CATALOGUE = catalogue()


def recorded_values(function, x, theta=()):
    """The function as a fit computes it, at x (n_x, N) and one theta."""
    x = [np.ascontiguousarray(v, float) for v in x]
    with np.errstate(all="ignore"):
        graph, output, arrays = record(function, len(x), len(theta), len(x[0]), single=False)
    return run(compile_model(graph, output, ()).tape, [*x, *arrays], theta, np.float64)[0]


def direct_values(function, x, theta=()):
    with np.errstate(all="ignore"):
        value = function(x, *(np.float64(t) for t in theta))
    return np.broadcast_to(np.asarray(value, float), x[0].shape)


def same(got, want, tolerance, absolute=1e-305):
    with np.errstate(all="ignore"):
        close = np.abs(got - want) <= tolerance * np.abs(want) + absolute
    return (got == want) | (np.isnan(got) & np.isnan(want)) | close


@pytest.mark.parametrize(
    ("name", "arity", "function"), CATALOGUE, ids=[row[0] for row in CATALOGUE]
)
@pytest.mark.parametrize("stage", ["x", "theta", "both"])
def test_every_operation_at_special_values(name, arity, function, stage):
    values = np.array(SPECIAL if arity < 3 else [*SPECIAL[:8], 1e10, np.inf, -np.inf, np.nan])
    grid = [v.ravel() for v in np.meshgrid(*[values] * arity)]
    for k in POSITIVE.get(name, ()):  # SciPy is NaN at an infinite width, where the profile is 0
        grid[k] = np.where(np.isinf(grid[k]), 5.0, np.abs(grid[k]))
    tolerance = LOOSE.get(name, (2e-13,))
    want = direct_values(lambda x: function(*x), grid)
    if stage == "x":
        got = recorded_values(lambda x: function(*x), grid)
    elif stage == "both":
        got = recorded_values(lambda x, p: function(*[v + p for v in x]), grid, [0.0])
    else:  # parameters are finite
        keep = np.flatnonzero(np.isfinite(grid).all(axis=0))
        keep = np.random.default_rng(0).choice(keep, min(len(keep), 60), replace=False)
        x0 = [np.zeros(1)]
        got = np.array(
            [
                recorded_values(lambda x, *p: function(*p) + 0 * x[0], x0, theta)[0]
                for theta in np.transpose(grid)[keep]
            ]
        )
        grid, want = [v[keep] for v in grid], want[keep]
    wrong = ~same(got, want, *tolerance)
    rows = list(zip(*[v[wrong] for v in grid], got[wrong], want[wrong], strict=True))
    assert not rows, f"{name}: {len(rows)} differ, operands, got, wanted: {rows[:6]}"


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("voigt_re", "voigt_im")])
def test_every_function_of_formulas_at_special_values(name):
    """As a plain function and as it is recorded."""
    arity = FUNCTIONS[name][0] or 2
    names = "uvw"[:arity]
    formula = parse(f"{name}({', '.join(names)})", list(names) if arity > 1 else "u")
    values = np.array(SPECIAL if arity < 3 else [*SPECIAL[:8], 1e10, np.inf, -np.inf, np.nan])
    grid = [v.ravel() for v in np.meshgrid(*[values] * arity)]
    if name == "voigt":
        grid[1:] = [np.where(np.isinf(v), 5.0, np.abs(v)) for v in grid[1:]]
    x = grid if arity > 1 else grid[0]
    with np.errstate(all="ignore"):
        want = np.broadcast_to(np.asarray(formula(x)), grid[0].shape)
    assert want.dtype == np.float64
    got = recorded_values(lambda x: formula(x if arity > 1 else x[0]), grid)
    wrong = ~same(got, want, *LOOSE.get(name, (2e-13,)))
    rows = list(zip(*[v[wrong] for v in grid], got[wrong], want[wrong], strict=True))
    assert not rows, f"{name}: {len(rows)} differ, operands, got, wanted: {rows[:6]}"


# ---- compositions --------------------------------------------------------------------------------


class Expression:
    """A function of x (two variables) and two parameters, with its text and its parts."""

    def __init__(self, text, function, parts=()):
        self.text, self.function, self.parts = text, function, parts

    def __repr__(self):
        return self.text

    def __call__(self, x, *p):
        return self.function(*[part(x, *p) for part in self.parts])


class Leaf(Expression):
    def __call__(self, x, *p):
        return self.function(x, p)


LEAVES = [Leaf(f"x{i}", lambda x, p, i=i: x[i]) for i in range(2)]
LEAVES += [Leaf(f"p{j}", lambda x, p, j=j: p[j]) for j in range(2)]
CONSTANTS = [Leaf(f"{c}", lambda x, p, c=c: np.float64(c)) for c in (0.0, 1.0, -2.0, 0.1, 3.0, 1e5)]
leaves = st.sampled_from([*LEAVES, *LEAVES, *CONSTANTS])
# conditions are numbers in a composition: NumPy's booleans have operations of their own
TRUTHS = set("less less_equal greater greater_equal equal not_equal isnan isinf isfinite".split())
TRUTHS |= {"logical_and", "logical_or", "logical_xor", "logical_not"}


def operation(row):
    name, arity, function = row
    if name in TRUTHS:
        return name, arity, lambda *a: function(*a) * 1.0
    if name in POSITIVE:
        return name, arity, lambda x, s, g: function(x, *(np.minimum(abs(w), 50) for w in (s, g)))
    return row


def grown(parts):
    def build(row):
        name, arity, function = operation(row)
        text = name if "{" in name else f"{name}({', '.join(['{}'] * arity)})"
        return st.tuples(*[parts] * arity).map(
            lambda chosen: Expression(text.format(*chosen), function, chosen)
        )

    return st.sampled_from(CATALOGUE).flatmap(build)


expressions = st.recursive(leaves, grown, max_leaves=7)


def all_values(expression, x, p):
    """The values of an expression and of all its parts."""
    found = [direct_values(expression, x, p)]
    for part in expression.parts:
        found += all_values(part, x, p)
    return found


def excused(expression, x, p, want):
    """Where a difference says nothing: ends of the range, signs of zeros and NaN, bad condition."""
    values = np.array(all_values(expression, x, p))
    size = np.abs(values)
    with np.errstate(all="ignore"):
        extreme = ((size > 1e100) & (size < np.inf)) | ((size < 1e-100) & (size > 0))
        excuse = extreme.any(axis=0) | ((size == 0).any(axis=0) & np.isinf(want))
        if "copysign" in str(expression):  # signs of NaN and of zeros are not kept
            excuse |= (np.isnan(size) | (size == 0)).any(axis=0)
        if "arctan2" in str(expression):  # the sign of a zero turns it by pi
            excuse |= (size == 0).any(axis=0)
        for step in (1e-10, -1e-10, 3e-11):
            moved = [v * (1 + step) for v in x], [t * (1 - step) for t in p]
            value = direct_values(expression, *moved)
            steady = same(value, want, 1e-6)
            for part, before in zip(all_values(expression, *moved), values, strict=True):
                steady &= same(part, before, 1e-6)  # a part that jumps may have been rounded
            excuse |= ~steady
    return excuse


@given(
    expression=expressions,
    x=st.lists(st.tuples(*[st.sampled_from(SPECIAL) | ORDINARY] * 2), min_size=1, max_size=12),
    p=st.tuples(ORDINARY, ORDINARY),
)
@settings(max_examples=600)
def test_compositions_compute_what_numpy_computes(expression, x, p):
    x = [np.array(column) for column in zip(*x, strict=True)]
    want = direct_values(expression, x, p)
    got = recorded_values(expression, x, p)
    # conditions up to 1e4: a step of 1e-10 moves results by less than 1e-6
    wrong = ~same(got, want, 1e-9, 1e-9)
    wrong &= ~excused(expression, x, p, want)
    rows = list(zip(x[0][wrong], x[1][wrong], got[wrong], want[wrong], strict=True))
    assert not rows, f"{expression} at p = {p}: x0, x1, got, wanted: {rows[:4]}"
