"""The graph: equal to NumPy, one form for one formula, work at the lowest stage."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from expressions import assert_agree, direct, inputs, models, recorded, seeds, well_conditioned
from hypothesis import given

from thalweg.model.graph import NUMPY, Graph, evaluate, reachable
from thalweg.model.trace import record

EPS = np.finfo(float).eps


@given(models, seeds)
def test_simplification_changes_no_value(model, seed):
    x, theta = inputs(seed)
    graph, output, _ = recorded(model.function)
    [value] = evaluate(graph, [output], x=[x], theta=theta)
    assert_agree(value, direct(model, x, theta), well_conditioned(model, x, theta))


@given(models)
def test_operands_come_before_what_uses_them(model):
    graph, output, _ = recorded(model.function)
    for i, (op, *operands) in enumerate(graph.nodes):
        if op in NUMPY:
            assert all(j < i for j in operands)
            assert graph.depends[i] == np.bitwise_or.reduce([graph.depends[j] for j in operands])
    assert reachable(graph.nodes, [output])[-1] == output


@given(models)
def test_every_expression_is_one_node(model):
    graph = recorded(model.function).graph
    assert len(set(graph.nodes)) == len(graph.nodes)


def test_the_operations_are_those_of_the_tape():
    header = Path(__file__).parents[1] / "csrc" / "tape_ops.h"
    declared = re.findall(r"^TW_OP\d\((\w+)", header.read_text(), re.MULTILINE)
    assert list(NUMPY) == declared


# Each row is one formula in different writings.
SAME = {
    "order of a sum": [lambda x, a, b, c: a * x + b * x**2, lambda x, a, b, c: x**2 * b + x * a],
    "order of a product": [
        lambda x, a, b, c: a * np.exp(x * b),
        lambda x, a, b, c: np.exp(b * x) * a,
    ],
    "signs": [
        lambda x, a, b, c: a * np.exp(-x / b),
        lambda x, a, b, c: a * np.exp(-(x / b)),
        lambda x, a, b, c: a * np.exp(x / -b),
        lambda x, a, b, c: a * np.exp(-1 / b * x),
        lambda x, a, b, c: np.exp(-x * b**-1) * a,
    ],
    "difference": [
        lambda x, a, b, c: x - a,
        lambda x, a, b, c: -a + x,
        lambda x, a, b, c: -(a - x),
    ],
    "square": [
        lambda x, a, b, c: (x - a) ** 2,
        lambda x, a, b, c: (a - x) * (a - x),
        lambda x, a, b, c: np.square(x - a),
        lambda x, a, b, c: np.power(a - x, 2.0),
    ],
    "constants": [
        lambda x, a, b, c: 6 * x * a + 5,
        lambda x, a, b, c: 2 + a * 2 * (x * 3) + 3,
        lambda x, a, b, c: 2 * (3 * (x * a)) - -5,
    ],
    "factors of theta": [
        lambda x, a, b, c: a * b * np.sin(x * c),
        lambda x, a, b, c: a * np.sin(x * c) * b,
        lambda x, a, b, c: np.sin(x * c) * b * a,
    ],
    "quotient": [lambda x, a, b, c: a * x / b, lambda x, a, b, c: x * (a / b)],
    "root": [lambda x, a, b, c: a * x**0.5, lambda x, a, b, c: a * np.sqrt(x)],
    "neutral elements": [lambda x, a, b, c: a + x, lambda x, a, b, c: (a + 0) * 1 + x**1 - 0 * b],
    "comparison": [lambda x, a, b, c: x > a, lambda x, a, b, c: a < x],
}


def key(function):
    graph, output, _ = record(function, 1, 3, 5, single=True)
    return graph.key([output])


@pytest.mark.parametrize("writings", SAME.values(), ids=SAME.keys())
def test_one_formula_has_one_key(writings):
    assert len({key(f) for f in writings}) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a: 3 - (2 - a * x),
        lambda x, a: 3 - (2 + a * x),
        lambda x, a: 3 + (2 - a * x),
        lambda x, a: -(2 + a * x) - (a - x),
        lambda x, a: -a - x - (-(a * x)),
        lambda x, a: -(a * x) - x * x,
        lambda x, a: -np.sin(a * x) - np.cos(a * x),
        lambda x, a: (-x) * (-a) * (-(x * a)),
        lambda x, a: -2 * np.sin(a * x) * (3 * np.cos(a * x)),
        lambda x, a: 2 * a * np.sin(a * x) * (3 * np.cos(a * x)),
        lambda x, a: (x * a) / 3 + a / 3 + x / 4 - x / 1e308,
        lambda x, a: 1 / (1 / (x * a)) + 1 / -np.exp(a * x),
        lambda x, a: np.where(~(x > a), x, a * x),
        lambda x, a: np.where(~(x == a), x, a * x) + np.where(~(x != 2), x, 2 * a),
        lambda x, a: np.where(x > a, x, x) + np.where(np.array(1.0), a, x) + np.where(False, x, a),
        lambda x, a: np.minimum(x, x) + np.maximum(a * x, x * a),
        lambda x, a: np.cos(a - x) + np.cosh(-x) + abs(abs(x - a)) + np.sqrt((x * a) ** 2),
        lambda x, a: np.sqrt((x - 2) ** 2 + a * (x * a - 3) ** 2 + x**2),
    ],
)
def test_every_rule_keeps_the_value(function):
    graph, output = graph_of(function, 1)
    x = np.array([-1.5, -0.3, 0.0, 1.5, 2.0])
    with np.errstate(all="ignore"):
        [value] = evaluate(graph, [output], x=[x], theta=[1.5])
        np.testing.assert_allclose(value, function(x, 1.5), rtol=12 * EPS, atol=4 * EPS)


def test_different_formulas_have_different_keys():
    keys = {key(writings[0]) for writings in SAME.values()}
    assert len(keys) == len(SAME)


def test_the_key_ignores_nodes_that_nobody_needs():
    graph = Graph(2, 1)
    output = graph.add("exp", graph.theta(0))
    before = graph.key([output])
    graph.add("sin", output)
    assert graph.key([output]) == before


def test_the_key_holds_the_number_of_parameters():
    assert Graph(2, 1).key([0]) != Graph(3, 1).key([0])


def test_the_key_does_not_depend_on_the_process():
    script = (
        "from thalweg.model.graph import Graph\n"
        "g = Graph(3, 1)\n"
        "a, b, c = map(g.theta, range(3))\n"
        "s = g.add('add', g.add('sin', a), g.add('add', g.add('cos', b), g.add('exp', c)))\n"
        "print(g.key([g.add('mul', s, g.x(0))]))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    ]
    assert runs[0] == runs[1]


def graph_of(function, n_params=3):
    graph, output, _ = record(function, 1, n_params, 5, single=True)
    return graph, output


@pytest.mark.parametrize(
    ("function", "per_point"),
    [
        (lambda x, a, b, c: np.exp(x) * a * b * c, 1),  # a*b*c once, exp(x) once
        (lambda x, a, b, c: a * (b * (c * np.sin(x))), 1),
        (lambda x, a, b, c: np.sin(x) * a * x * b, 1),  # sin(x)*x once per data set
        (lambda x, a, b, c: x / a / b / c, 1),
        (lambda x, a, b, c: a / (b * x), 1),
        (lambda x, a, b, c: -(a * x), 1),
        (lambda x, a, b, c: -(2 * np.exp(a * x)), 3),
        (lambda x, a, b, c: (a * x) ** 8, 4),
        (lambda x, a, b, c: a + b * c, 0),
    ],
)
def test_work_is_done_at_the_lowest_stage(function, per_point):
    graph, output = graph_of(function)
    assert graph.count([output]) == per_point


@pytest.mark.parametrize("exponent", [*range(-9, 10), 0.5, -0.5, 1.5, 2.7])
def test_powers(exponent):
    graph, output = graph_of(lambda x, a: (a * x) ** exponent, 1)
    x = np.array([0.3, 1.0, 2.5])
    [value] = evaluate(graph, [output], x=[x], theta=[1.5])
    # each multiplication rounds once, and a reciprocal once more
    np.testing.assert_allclose(value, (1.5 * x) ** exponent, rtol=12 * EPS)
    small = exponent in range(-8, 9) or abs(exponent) == 0.5
    assert small == all(node[0] != "pow" for node in graph.nodes)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, p: np.floor(x / p),
        lambda x, p: np.ceil(x / p),
        lambda x, p: np.trunc(x / p),
        lambda x, p: np.rint(x / p),
        lambda x, p: x // p,
        lambda x, p: (x - x % p) / p,
    ],
)
def test_a_whole_quotient_stays_whole(function):
    whole = np.arange(1.0, 200.0)
    for sign in (1.0, -1.0):
        graph, output = graph_of(lambda x, p, s=sign: function(s * x, p), 1)
        for period in (3.0, 49.0, 93.0):
            [value] = evaluate(graph, [output], x=[period * whole], theta=[period])
            np.testing.assert_array_equal(np.round(value, 12), sign * whole)


def test_constants_fold_without_warnings():
    graph = Graph(0, 0)
    zero = graph.const(0.0)
    for op, wanted in (("recip", np.inf), ("log", -np.inf)):
        assert graph.nodes[graph.add(op, zero)] == ("const", wanted)
    assert np.isnan(graph.nodes[graph.add("div", zero, zero)][1])
    assert graph.const(np.nan) == graph.add("sqrt", graph.const(-1.0))
    assert graph.const(-0.0) == zero


def test_comparisons_are_0_at_nan():
    for op in ("less", "less_equal", "equal", "and"):
        assert NUMPY[op](np.array([np.nan]), np.array([0.0])) == 0
    assert NUMPY["not_equal"](np.array([np.nan]), np.array([np.nan])) == 1


def test_what_only_scipy_knows_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    for op, operands in (("erfcx", [1.0]), ("voigt_re", [1.0, 1.0])):
        with pytest.raises(ModuleNotFoundError, match="in plain NumPy needs SciPy: install scipy"):
            NUMPY[op](*operands)
