"""The graph: equal to NumPy, one form for one formula, work at the lowest stage."""

import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from expressions import assert_agree, direct, inputs, models, recorded, seeds, well_conditioned
from hypothesis import given

from thalweg.model.graph import NUMPY, Graph, evaluate, reachable
from thalweg.model.symbol import Recorder, Symbol
from thalweg.model.tape import lower
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


RANK = (0, 2, 1, 3)  # the ranks of constants, x only, theta only, both


def order(graph, i):
    """The sort key of a node, by the hash of Python's tuples."""
    op, *operands = graph.node(i)
    if op == "const":
        key = hash(operands[0])
    elif op in NUMPY:
        key = hash((list(NUMPY).index(op), *[order(graph, j) for j in operands]))
    else:
        return (RANK[graph.stage(i)] << 60) + operands[0]
    return (RANK[graph.stage(i)] << 60) + (key & ((1 << 60) - 1))


@given(models)
def test_operands_are_sorted_by_their_structure(model):
    graph = recorded(model.function).graph
    for op, *operands in graph.nodes:
        if op in ("add", "mul", "minimum", "equal", "and"):
            assert order(graph, operands[0]) <= order(graph, operands[1])


def test_a_large_graph_finds_its_nodes_again():
    graph = Graph(1, 1)
    numbers = np.random.default_rng(0).normal(size=10_000)
    made = [graph.add("add", graph.const(c), graph.theta(0)) for c in numbers]
    assert graph.size == 2 + 2 * len(numbers) == len(set(graph.nodes))
    assert made == [graph.add("add", graph.theta(0), graph.const(c)) for c in numbers]
    assert [graph.node(i)[1] for i in made] == [graph.const(c) for c in numbers]


@given(models)
def test_a_copy_has_the_same_nodes(model):
    graph, output, _ = recorded(model.function)
    graph.append_x()
    graph.add("mul", output, graph.const(np.nan))
    copy = pickle.loads(pickle.dumps(graph))
    assert type(copy) is Graph
    assert (copy.n_theta, copy.n_x) == (graph.n_theta, graph.n_x)
    assert repr(copy.nodes) == repr(graph.nodes)  # in which NaN equals NaN
    assert copy.depends == graph.depends
    assert copy.key([output]) == graph.key([output])


def test_threads_may_share_a_graph():
    graph = Graph(1, 1)

    def make(_):
        return [graph.add("mul", graph.const(c), graph.theta(0)) for c in range(2, 2000)]

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(make, range(4))
    assert all(other == first for other in others)
    assert len(set(graph.nodes)) == graph.size


def test_long_chains_need_no_stack():
    def alternate(x, a):
        value = x
        for k in range(20_000):
            value = np.where(~value, -(value * a + k), 1 / (value * np.sin(a + k)))
        for _ in range(20_000):
            value = ~value
        return np.where(value, x, a)

    graph, output = graph_of(alternate, 1)
    assert graph.size > 40_000
    assert len(reachable(graph.nodes, [output])) == len(graph.key([output])[1]) // FORM


FORM = 24  # bytes that a key spends on a node


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda g: g.add("exp", 4), IndexError, "there is no node 4"),
        (lambda g: g.intern("add", 0, -1), IndexError, "there is no node -1"),
        (lambda g: g.node(4), IndexError, "there is no node 4"),
        (lambda g: g.stage(-1), IndexError, "there is no node -1"),
        (lambda g: g.key([0, 9]), IndexError, "there is no node 9"),
        (lambda g: g.theta(3), IndexError, "there is no parameter 3"),
        (lambda g: g.x(-1), IndexError, "there is no array -1"),
        (lambda g: g.add("exp", 0, 1), TypeError, "exp takes 1 operands, got 2"),
        (lambda g: g.intern("where", 0, 1), TypeError, "where takes 3 operands, got 2"),
        (lambda g: g.add("nothing", 0), KeyError, "nothing"),
        (lambda g: lower(g, [4], ()), IndexError, "there is no node 4"),
        (lambda g: Graph(-1, 0), ValueError, "must not be negative"),
        (lambda g: Symbol(Recorder(g, 5), 4), IndexError, "there is no node 4"),
    ],
)
def test_what_is_no_node_is_refused(call, error, sentence):
    graph = Graph(3, 1)
    with pytest.raises(error, match=re.escape(sentence)):
        call(graph)
    assert graph.size == 4


def test_the_operations_are_those_of_the_tape():
    header = Path(__file__).parents[1] / "csrc" / "tape" / "operations.h"
    declared = re.findall(r"^TW_OP\d\((\w+)", header.read_text(), re.MULTILINE)
    assert list(NUMPY)[: len(declared)] == declared  # registered functions follow


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
        assert graph.node(graph.add(op, zero)) == ("const", wanted)
    assert np.isnan(graph.node(graph.add("div", zero, zero))[1])
    assert graph.const(np.nan) == graph.add("sqrt", graph.const(-1.0))
    assert graph.const(-0.0) == zero


def test_comparisons_are_0_at_nan():
    for op in ("less", "less_equal", "equal", "and"):
        assert NUMPY[op](np.array([np.nan]), np.array([0.0])) == 0
    assert NUMPY["not_equal"](np.array([np.nan]), np.array([np.nan])) == 1


def test_what_only_scipy_knows_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    for op, operands in (("erfcx", [1.0]), ("voigt_re", [1.0, 1.0])):
        with pytest.raises(ModuleNotFoundError, match="needs scipy: python -m pip install scipy"):
            NUMPY[op](*operands)
