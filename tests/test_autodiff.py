"""Derivatives: each rule against extended precision, and what must hold between the modes."""

import itertools

import mpmath
import numpy as np
import pytest
import scipy.special
from expressions import (
    AGREEMENT,
    P,
    assert_agree,
    direct,
    inputs,
    models,
    recorded,
    seeds,
    well_conditioned,
)
from hypothesis import given

from thalweg.model import voigt
from thalweg.model.autodiff import _CHOICES, gradient, jvp, vjp
from thalweg.model.graph import Graph, evaluate
from thalweg.model.partials import PARTIALS
from thalweg.model.tape import OPCODE
from thalweg.model.trace import record

EPS = np.finfo(float).eps
FLAT = {
    "sign",
    "floor",
    "floor_divide",
    "not",
    "less",
    "less_equal",
    "equal",
    "not_equal",
    "and",
    "or",
}


def _wofz(a, b):
    z = mpmath.mpc(a, b)
    return mpmath.exp(-(z**2)) * mpmath.erfc(-1j * z)


# Every operation in arithmetic of any precision, independent of NumPy.
MPMATH = {
    "copy": lambda a: a,
    "neg": lambda a: -a,
    "abs": abs,
    "recip": lambda a: 1 / a,
    "square": lambda a: a * a,
    "sqrt": mpmath.sqrt,
    "cbrt": lambda a: mpmath.sign(a) * mpmath.cbrt(abs(a)),
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "asin": mpmath.asin,
    "acos": mpmath.acos,
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "asinh": mpmath.asinh,
    "acosh": mpmath.acosh,
    "atanh": mpmath.atanh,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "erfcx": lambda a: mpmath.exp(a * a) * mpmath.erfc(a),
    "exp1": mpmath.e1,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "atan2": mpmath.atan2,
    "hypot": mpmath.hypot,
    "remainder": lambda a, b: a - b * mpmath.floor(a / b),
    "voigt_re": lambda a, b: _wofz(a, b).real,
    "voigt_im": lambda a, b: _wofz(a, b).imag,
    "fma": lambda a, b, c: a * b + c,
    "fms": lambda a, b, c: a * b - c,
    "fnma": lambda a, b, c: c - a * b,
    "minimum": min,
    "maximum": max,
    "where": lambda c, a, b: a if c else b,
}
EVERYWHERE = (-2.5, -0.7, -0.01, 0.3, 1.1, 4.0)
DOMAINS = {
    **dict.fromkeys(("sqrt", "log", "exp1"), (0.01, 0.5, 3.0)),
    "log1p": (-0.9, -0.1, 0.01, 3.0),
    **dict.fromkeys(("asin", "acos", "atanh"), (-0.99, -0.4, 0.01, 0.7, 0.999)),
    "acosh": (1.01, 1.5, 7.0),
    "erfcx": (-2.0, -0.3, 0.2, 3.0, 20.0),
}
# values of the operands beyond the first
OTHERS = {"pow": (-1.5, 0.5, 2.7), "voigt_re": (0.1, 1.5, 6.0), "voigt_im": (0.1, 1.5, 6.0)}
POSITIVE_FIRST = {"pow"}

# Rules of up to five roundings; 1 - tanh**2 and the sums of erfcx and Voigt functions cancel to an
# error that is small beside 1 but not beside a small derivative, hence also an absolute bound.
RULE_ROUNDINGS = 200 * EPS
FADDEEVA = 1e-13  # what SciPy promises for wofz


def operands_of(op):
    arity = MPMATH[op].__code__.co_argcount if hasattr(MPMATH[op], "__code__") else None
    arity = {"atan2": 2, "hypot": 2, "minimum": 2, "maximum": 2}.get(
        op, arity if op not in UNARY else 1
    )
    first = (0.3, 1.1, 4.0) if op in POSITIVE_FIRST else DOMAINS.get(op, EVERYWHERE)
    rest = [OTHERS.get(op, (-1.3, 0.6, 2.2))] * (arity - 1)
    return list(itertools.product(first, *rest))


UNARY = {op for op, partials in PARTIALS.items() if len(partials) == 1}


@pytest.mark.parametrize("op", MPMATH)
def test_value_and_derivatives_of_every_operation(op):
    points = operands_of(op)
    columns = [np.array(column) for column in zip(*points, strict=True)]
    graph = Graph(0, len(columns))
    leaves = [graph.x(i) for i in range(len(columns))]
    node = graph.intern(op, *leaves)
    value, *partials = evaluate(graph, [node, *gradient(graph, node, leaves)], x=columns)
    partials = np.array([np.broadcast_to(p, len(points)) for p in partials])
    with mpmath.workdps(30):
        for k, point in enumerate(points):
            exact = [mpmath.mpf(a) for a in point]
            wanted = float(MPMATH[op](*exact))
            rounding = FADDEEVA if op.startswith("voigt") else 8 * EPS
            assert value[k] == pytest.approx(wanted, rel=rounding, abs=0)
            for i in range(len(exact)):
                orders = tuple(int(i == j) for j in range(len(exact)))
                wanted = float(mpmath.diff(MPMATH[op], tuple(exact), orders))
                close = pytest.approx(wanted, rel=RULE_ROUNDINGS, abs=RULE_ROUNDINGS)
                assert partials[i, k] == close, f"{op}{point}, operand {i}"


def test_every_operation_has_a_rule_or_is_flat():
    assert set(OPCODE) == set(PARTIALS) & set(OPCODE) | set(_CHOICES) | FLAT
    assert set(MPMATH) == set(OPCODE) - FLAT - set(voigt.NUMPY)  # voigt: tests/test_voigt.py


@pytest.mark.parametrize("op", sorted(FLAT))
def test_operations_without_slope(op):
    graph = Graph(0, 2)
    leaves = [graph.x(0), graph.x(1)]
    arity = 1 if op in ("sign", "floor", "not") else 2
    node = graph.intern(op, *leaves[:arity])
    zero = graph.const(0.0)
    assert gradient(graph, node, leaves) == [zero, zero]
    assert jvp(graph, [node], leaves, leaves) == [zero]


@given(models, seeds)
def test_gradient_is_the_limit_of_differences(model, seed):
    x, theta = inputs(seed)
    graph, output, _ = recorded(model.function)
    nodes = gradient(graph, output, [graph.theta(j) for j in range(P)])
    with np.errstate(all="ignore"):
        slopes = evaluate(graph, nodes, x=[x], theta=theta)
    good = well_conditioned(model, x, theta)
    for j, slope in enumerate(slopes):
        # Two steps of extended precision, whose disagreement bounds what they neglect.
        with np.errstate(all="ignore"):
            wide, narrow = (central(model, x, theta, j, np.longdouble(h)) for h in (2e-5, 1e-5))
            where = good & (abs(wide - narrow) < 0.1 * AGREEMENT * (1 + abs(narrow)))
        assert_agree(slope, narrow, where)


def central(model, x, theta, j, h):
    ahead, behind = ([t + s * (i == j) for i, t in enumerate(theta)] for s in (h, -h))
    return (direct(model, x, ahead) - direct(model, x, behind)) / (2 * h)


@given(models, seeds)
def test_forward_and_backward_propagation_are_adjoint(model, seed):
    x, theta = inputs(seed)
    graph, output, _ = recorded(model.function)
    leaves = [graph.theta(j) for j in range(P)]
    # tangents v and seeds e come in as further per-point arrays
    v = [graph.append_x() for _ in range(P)]
    e = graph.append_x()
    [forward] = jvp(graph, [output], leaves, v)
    backward = vjp(graph, [output], [e], leaves)
    rng = np.random.default_rng(seed)
    arrays = rng.standard_normal((P + 1, len(x))).astype(np.longdouble)
    values = evaluate(graph, [forward, *backward], x=[x, *arrays], theta=theta)
    Jv, *Jte = [np.broadcast_to(value, len(x)) for value in values]
    with np.errstate(all="ignore"):
        left, terms = arrays[P] * Jv, arrays[:P] * Jte
        size = np.sum(abs(terms), axis=0)
        where = well_conditioned(model, x, theta) & (size < 1e6)
        assert_agree(left, np.sum(terms, axis=0), where, 1 + np.max(size[where], initial=0.0))


@given(models, seeds)
def test_the_second_derivative_is_symmetric(model, seed):
    x, theta = inputs(seed)
    graph, output, _ = recorded(model.function)
    leaves = [graph.theta(j) for j in range(P)]
    first = gradient(graph, output, leaves)
    second = [gradient(graph, node, leaves) for node in first]
    forward = [jvp(graph, first, leaves, unit(graph, j)) for j in range(P)]
    where = well_conditioned(model, x, theta)
    for i, j in itertools.combinations_with_replacement(range(P), 2):
        nodes = [second[i][j], second[j][i], forward[j][i]]
        H = [np.broadcast_to(h, len(x)) for h in evaluate(graph, nodes, x=[x], theta=theta)]
        with np.errstate(all="ignore"):
            moderate = where & (abs(H[0]) < 1e4) & (abs(H[1]) < 1e4) & (abs(H[2]) < 1e4)
        assert_agree(H[1], H[0], moderate)
        assert_agree(H[2], H[0], moderate)


def unit(graph, j):
    return [graph.const(float(i == j)) for i in range(P)]


def slopes_at(function, x, theta, order=1):
    """Derivatives with respect to each parameter, in both modes, which must agree."""
    arrays = list(x) if isinstance(x, tuple) else [x]
    single = not isinstance(x, tuple)
    graph, output, _ = record(function, len(arrays), len(theta), len(arrays[0]), single=single)
    leaves = list(range(len(theta)))
    nodes = gradient(graph, output, leaves)
    units = [[graph.const(float(i == j)) for i in leaves] for j in leaves]
    forward = [jvp(graph, [output], leaves, u)[0] for u in units]
    for _ in range(order - 1):
        nodes = [gradient(graph, node, leaves)[j] for j, node in enumerate(nodes)]
        forward = nodes
    both = [evaluate(graph, mode, x=arrays, theta=theta) for mode in (nodes, forward)]
    both = np.array([[np.broadcast_to(s, len(arrays[0])) for s in mode] for mode in both])
    np.testing.assert_allclose(both[0], both[1], rtol=20 * EPS)
    return both[0]


X = np.array([-1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x, a: np.where(x > 0, np.log(a * x), 0.0), [0, 0, 1 / 3]),
        (lambda x, a: np.where(x > 0, np.sqrt(a * x), a * x), [-1, 0, np.sqrt(2 / 3) / 2]),
        (lambda x, a: np.where(x == 0, a, np.sin(a * x) / x), [np.cos(3), 1, np.cos(6)]),
        (lambda x, a: np.where(x <= 0, 0.0, np.exp(-a / np.where(x <= 0, 1, x))), None),
        (
            # two wheres, each hiding the same poison from the other side
            lambda x, a: np.where(x > 0, np.log(a * x), 0) + np.where(x > 1, 2 * np.log(a * x), a),
            [1, 1, 1],
        ),
        (
            lambda x, a: np.where(x > 0, np.where(x > 1, np.log(a * x), a / x), a * a),
            [6, 6, 1 / 3],
        ),
        (lambda x, a: np.minimum(np.exp(a * 1e4 * x), a), [0, 0, 1]),
        (lambda x, a: np.maximum(a * x, 0 * x), [0, 0, 2]),
        (lambda x, a: np.clip(np.log(a * abs(x)), -5.0, 5.0), [1 / 3, 0, 1 / 3]),
    ],
)
def test_the_branch_not_taken_poisons_nothing(function, wanted):
    [slope] = slopes_at(function, X, [3.0])
    assert np.all(np.isfinite(slope))
    if wanted is not None:
        np.testing.assert_allclose(slope, wanted, rtol=8 * EPS, atol=EPS)


def test_a_branch_that_is_never_seen_has_no_derivative():
    graph, output, _ = record(
        lambda x, a, b: np.where(x > 0, np.where(x > 0, a, b * x), 1.0), 1, 2, 3, single=True
    )
    assert gradient(graph, output, [0, 1])[1] == graph.const(0.0)


def test_poison_stays_out_of_second_derivatives():
    [curvature] = slopes_at(lambda x, a: np.where(x > 0, np.log(a * x), a * a), X, [3.0], order=2)
    np.testing.assert_allclose(curvature, [2, 2, -1 / 9], rtol=8 * EPS)


@pytest.mark.parametrize(
    ("function", "theta", "wanted"),
    [
        (lambda x, a: abs(x - a), [0.0], [1, 0, -1]),
        (lambda x, a: np.sqrt((x - a) ** 2), [0.0], [1, 0, -1]),
        (lambda x, a: np.hypot(x - a, 0 * x), [0.0], [1, 0, -1]),
        (
            lambda x, a: np.sqrt((x - a) ** 2 + 4 * (x - a) ** 2),
            [0.0],
            np.sqrt(5) * np.array([1, 0, -1]),
        ),
        (lambda x, a: np.minimum(a, x), [0.0], [0, 1, 1]),
        (lambda x, a: np.maximum(a, x), [0.0], [1, 1, 0]),
        (lambda x, a: np.sqrt(a + 0 * x), [0.0], [0, 0, 0]),
        (lambda x, a: abs(x) ** a, [2.0], [0, 0, 4 * np.log(2)]),
        (lambda x, a: (a + abs(x)) ** 2.5, [0.0], [2.5, 0, 2.5 * 2**1.5]),
        (lambda x, a: (a * abs(x)) ** 0.7, [1.0], [0.7, 0, 0.7 * 2**0.7]),
        (lambda x, a: np.floor(a * x) + np.sign(a) + (a > x), [1.5], [0, 0, 0]),
        (lambda x, a: np.sinc(a * x), [0.0], [0, 0, 0]),
    ],
)
def test_conventions_where_there_is_no_derivative(function, theta, wanted):
    [slope] = slopes_at(function, X, theta)
    np.testing.assert_allclose(slope, wanted, rtol=8 * EPS)


def test_a_power_of_zero_by_a_fitted_exponent():
    def power(x, a, b):
        return (a + 0 * x) ** b

    for b, wanted in ((3.0, 0.0), (1.0, 1.0), (0.5, 0.0)):
        slope_a, slope_b = slopes_at(power, X, [0.0, b])
        np.testing.assert_array_equal(slope_a, [wanted] * 3)
        np.testing.assert_array_equal(slope_b, [0.0] * 3)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x, a: 1 / (1 + np.exp(-a * x)), [0, 0, 0]),
        (lambda x, a: a / (np.exp(-x * a) + 2), [0, 1 / 3, 1 / 2]),
        (lambda x, a: np.exp(-np.exp(-a * x)), [0, 0, 0]),
        (lambda x, a: np.exp(-a * np.exp(-x)), [0, -np.exp(-1), 0]),
        (lambda x, a: np.logaddexp(a * x, 0.0), [0, 0, 900]),
        (lambda x, a: np.logaddexp2(a * x, 0.0), [0, 0, 900]),
    ],
)
def test_derivatives_do_not_overflow_with_the_exponential(function, wanted):
    """exp(900) is infinite; the function and its slope are not."""
    [slope] = slopes_at(function, np.array([-900.0, 0.0, 900.0]), [1.0])
    np.testing.assert_allclose(slope, wanted, rtol=8 * EPS, atol=1e-200)


@pytest.mark.parametrize(
    "hill",
    [
        lambda x, top, half, slope: top / (1 + (half / x) ** slope),
        lambda x, top, half, slope: top * x**slope / (half**slope + x**slope),
        lambda x, top, half, slope: top * (1 - 1 / (1 + (x / half) ** slope)),
    ],
)
def test_a_dose_of_zero_is_no_trouble(hill):
    theta = [2.0, 3.0, 1.5]
    np.testing.assert_array_equal(slopes_at(hill, np.zeros(1), theta), np.zeros((3, 1)))
    np.testing.assert_allclose(
        slopes_at(hill, np.array([3.0]), theta), [[0.5], [-0.25], [0.0]], atol=4 * EPS
    )


def test_the_logistic_function_has_a_slope_everywhere():
    far = np.array([-900.0, -1.0, 0.0, 1.0, 900.0])
    [slope] = slopes_at(lambda x, a: scipy.special.expit(x + a), far, [0.0])
    tail = np.exp(-np.abs(far))
    np.testing.assert_allclose(slope, tail / (1 + tail) ** 2, rtol=8 * EPS)
    [slope] = slopes_at(lambda x, a: scipy.special.log_expit(x + a), far, [0.0])
    np.testing.assert_allclose(slope, scipy.special.expit(-far), rtol=8 * EPS)
    [slope] = slopes_at(lambda x, a: np.logaddexp(x + a, 0.0), far, [0.0])
    np.testing.assert_allclose(slope, scipy.special.expit(far), rtol=8 * EPS)


def gaussian2d(xy, a, x0, y0, s, b):
    x, y = xy
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + b


def test_a_gaussian_and_its_five_derivatives_are_lean():
    """By hand: 9 instructions per point for the value, one for its factor, four for the slopes."""
    graph, output, _ = record(gaussian2d, 2, 5, 25, single=False)
    assert graph.count([output]) == 9
    assert graph.count([output, *gradient(graph, output, range(5))]) == 14


def test_differentiation_with_respect_to_inner_nodes():
    graph = Graph(2, 1)
    inner = graph.add("mul", graph.theta(0), graph.x(0))
    output = graph.add("sin", inner)
    [slope, through] = gradient(graph, output, [inner, graph.theta(0)])
    assert slope == graph.add("cos", inner)
    assert through == graph.add("mul", slope, graph.x(0))
    assert gradient(graph, output, [graph.theta(1)]) == [graph.const(0.0)]
    assert gradient(graph, inner, [inner]) == [graph.const(1.0)]


def test_seeds_and_outputs_must_pair():
    graph = Graph(1, 0)
    with pytest.raises(ValueError):
        vjp(graph, [0], [], [0])
    with pytest.raises(ValueError):
        jvp(graph, [0], [0], [])
