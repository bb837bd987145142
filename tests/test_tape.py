"""Compiled tapes against the same graph in NumPy, and what keeps them in their slots."""

import numpy as np
import pytest
from expressions import models
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tape_tools import apply, run

from thalweg._core import tape
from thalweg._core.dispatch import operations
from thalweg._core.tape import Tape
from thalweg.model.graph import NUMPY, ON_X, Graph, evaluate
from thalweg.model.tape import OPCODE, compile_model, lower
from thalweg.model.trace import record

N_THETA, N_X = 3, 2
DTYPES = (np.float64, np.float32)
ARITY = dict(operations())
FUSED = {
    "fma": lambda a, b, c, noise: noise(a * b) + c,
    "fms": lambda a, b, c, noise: noise(a * b) - c,
    "fnma": lambda a, b, c, noise: c - noise(a * b),
}

# Errors of one operation, in units in the last place: more than any in tests/test_vecmath.py, of
# which those of the Faddeeva function are relative to its modulus.
ULP, ULP_FADDEEVA = 8, 128
SAMPLES = 6
MARGIN = 4  # how much more the rounding of a chain may be than the largest of SAMPLES draws
MEANINGFUL = 1e-2  # where rounding alone moves the value so much, agreement says nothing
RANGE = {np.float64: 1e100, np.float32: 1e12}  # beyond it, and below its inverse, products overflow


def noisy_table(dtype, rng, level, outside):
    """NumPy's operations with relative errors of ``level`` ULP, as each would have in the tape.

    Each is done in float64 and rounded to ``dtype``, so that the noise is the whole error.
    ``outside`` is told where a value leaves the range in which the element type is safe.
    """
    eps = np.finfo(dtype).eps

    def noise(value, ulp=level, size=None):
        size = np.abs(value) if size is None else size
        size = np.where(np.isfinite(size), size, 0)  # infinities have no noise: 0 inf is NaN
        return value + ulp * eps * rng.uniform(-1, 1, np.shape(value)) * size

    def wrap(op, function):
        def call(*operands):
            a = [np.asarray(v, dtype).astype(float) for v in operands]
            if op in FUSED:
                value = noise(FUSED[op](*a, noise))
            elif op.startswith("voigt"):
                modulus = np.hypot(*[NUMPY[part](*a) for part in parts_of(op)])
                value = noise(function(*a), level * ULP_FADDEEVA / ULP, modulus)
            else:
                value = noise(function(*a), level if op not in exact else 0)
            outside(value)
            return np.asarray(value).astype(dtype)

        return call

    exact = {op for op in OPCODE if op in EXACT}
    return {op: wrap(op, NUMPY[op]) for op in OPCODE}


def parts_of(op):
    """The operations that give real and imaginary part of what ``op`` is one of."""
    if op in ("voigt", "voigt_wing"):
        return "voigt", "voigt_wing"
    return op[:-2] + "re", op[:-2] + "im"


EXACT = set(
    "copy neg abs sign floor floor_divide remainder not minimum maximum where".split()
    + "less less_equal equal not_equal and or".split()
)


class Drawn:
    """A graph of random operations, nothing simplified, and inputs."""

    def __init__(self, graph, outputs, x, theta):
        self.graph, self.outputs, self.x, self.theta = graph, outputs, x, theta

    def __repr__(self):
        return f"nodes={list(enumerate(self.graph.nodes))}, outputs={self.outputs}"


@st.composite
def drawn_graphs(draw):
    """Graphs whose outputs are constants, x only, theta only or both; 0 to 16 operations."""
    g = Graph(N_THETA, N_X)
    ids = [*range(N_THETA + N_X), *(g.const(v) for v in (0.5, -2.0, 0.0, 3.0))]
    for op in draw(st.lists(st.sampled_from(sorted(OPCODE)), max_size=16)):
        operands = [draw(st.sampled_from(ids)) for _ in range(ARITY[op])]
        if op.startswith("voigt"):  # defined for b >= 0, and for widths sigma, gamma >= 0
            operands[1:] = [g.intern("abs", i) for i in operands[1:]]
        if all(g.depends[i] == 0 for i in operands):
            continue
        ids.append(g.intern(op, *operands))
    outputs = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=1 + N_THETA))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.uniform(-3, 3, (N_X, draw(st.integers(1, 40))))
    return Drawn(g, outputs, x, rng.uniform(-2, 2, N_THETA))


def values_and_rounding(drawn, dtype, rng):
    """The outputs in NumPy, how much rounding may move them, and where that is meaningful."""
    x = [v.astype(dtype) for v in drawn.x]
    theta = [dtype(t) for t in drawn.theta]
    shape = (len(drawn.outputs), len(x[0]))
    safe = np.ones(shape[1], bool)

    def outside(value):
        with np.errstate(all="ignore"):
            size = np.abs(value)
            unsafe = (size > RANGE[dtype]) | ((size < 1 / RANGE[dtype]) & (size > 0))
        np.logical_and(safe, ~unsafe, out=safe)

    def values(level):
        table = noisy_table(dtype, rng, level, outside)
        found = evaluate(drawn.graph, drawn.outputs, x, theta, table)
        return np.array([np.broadcast_to(np.asarray(v, dtype), shape[1:]) for v in found])

    with np.errstate(all="ignore"):
        exact = values(0)
        samples = np.array([values(ULP) for _ in range(SAMPLES)])
        spread = np.max(np.abs(samples.astype(float) - exact), axis=0)
        same_nan = (np.isnan(samples) == np.isnan(exact)).all(axis=0)
        meaningful = safe & same_nan & ~(spread > MEANINGFUL * np.abs(exact))
    eps = np.finfo(dtype).eps
    return exact, MARGIN * (spread + ULP * eps * np.abs(exact)), meaningful


@pytest.mark.parametrize("dtype", DTYPES)
@given(drawn=drawn_graphs(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_a_tape_computes_what_its_graph_says(isa, dtype, drawn, seed):
    exact, rounding, meaningful = values_and_rounding(drawn, dtype, np.random.default_rng(seed))
    tape = lower(drawn.graph, drawn.outputs, range(len(drawn.outputs) - 1))
    got = run(tape, drawn.x, drawn.theta, dtype)
    assume(meaningful.any())
    np.testing.assert_array_equal(np.isnan(got)[meaningful], np.isnan(exact)[meaningful])
    compared = meaningful & np.isfinite(exact)
    error = np.abs(got[compared].astype(float) - exact[compared])
    assert (error <= rounding[compared]).all()


def staged_model(x, a, b, c):
    """Work in each of the three stages; f and every derivative have a stage of their own."""
    return (np.exp(-x) * np.sin(x)) * a + np.exp(b) * np.cos(b) + 0 * c + np.tanh(x * b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_points", [1, 7, 8, 9, 16, 17, 511, 513, 5000])
def test_every_point_of_every_block(isa, dtype, n_points):
    x = np.linspace(0.1, 3, n_points).astype(dtype)
    theta = np.array([1.5, -0.3, 2.0], dtype)
    graph, output, _ = record(staged_model, 1, 3, n_points, single=True)
    tape = compile_model(graph, output, (0, 1, 2)).tape
    f, da, db, dc = run(tape, [x], theta, dtype).astype(float)
    x, (a, b, _) = x.astype(float), theta.astype(float)
    tolerance = dict(rtol=0, atol=30 * np.finfo(dtype).eps)  # values up to 3, a dozen operations
    np.testing.assert_allclose(f, staged_model(x, a, b, 0.0), **tolerance)
    np.testing.assert_allclose(da, np.exp(-x) * np.sin(x), **tolerance)
    slope = np.exp(b) * (np.cos(b) - np.sin(b)) + x / np.cosh(x * b) ** 2
    np.testing.assert_allclose(db, slope, **tolerance)
    np.testing.assert_array_equal(dc, 0)


@pytest.mark.parametrize(
    ("build", "values"),
    [
        (lambda g: g.const(2.5), lambda x, t: 2.5 + 0 * x),
        (lambda g: g.theta(1), lambda x, t: t[1] + 0 * x),
        (lambda g: g.x(0), lambda x, t: x),
        (lambda g: g.add("square", g.x(0)), lambda x, t: x * x),
        (lambda g: g.add("square", g.theta(0)), lambda x, t: t[0] ** 2 + 0 * x),
        (lambda g: g.add("add", g.x(0), g.theta(0)), lambda x, t: x + t[0]),
    ],
    ids=["constant", "parameter", "x", "x only", "theta only", "both"],
)
def test_outputs_of_every_stage(isa, build, values):
    """Alone, twice, and beside an output that needs the block stage; all exact in binary."""
    x, theta = np.arange(20.0), (0.5, 0.25)
    for others in (0, 1, 2):
        g = Graph(2, 1)
        nodes = [build(g), build(g), g.intern("mul", g.x(0), g.theta(1))][: others + 1]
        got = run(lower(g, nodes, range(others)), [x], theta, np.float64)
        np.testing.assert_array_equal(got[0], values(x, theta))
        if others == 2:
            np.testing.assert_array_equal(got[2], x * theta[1])


@pytest.mark.parametrize(
    ("op", "swap", "name"),
    [("add", False, "fma"), ("add", True, "fma"), ("sub", False, "fms"), ("sub", True, "fnma")],
)
@pytest.mark.parametrize("product", ["mul", "square"])
def test_a_product_used_once_is_fused_into_its_sum(isa, op, swap, name, product):
    g = Graph(1, 1)
    both = g.intern("sub", g.x(0), g.theta(0))
    factor = g.intern("mul", both, g.x(0)) if product == "mul" else g.intern("square", both)
    other = g.intern("exp", both)
    pair = (other, factor) if swap else (factor, other)
    value = g.intern(op, *pair)
    x = np.linspace(0, 2, 33)
    fused = lower(g, [value], ())
    apart = lower(g, [value, factor], (0,))  # the product is an output too: it must stay
    assert apart.sizes["block_code"] == fused.sizes["block_code"] + 1
    once, twice = run(fused, [x], [0.3], np.float64)[0], run(apart, [x], [0.3], np.float64)
    want = evaluate(g, [value, factor], [x], [0.3])
    rounding = 4 * np.finfo(float).eps * (np.abs(want[1]) + np.exp(x))
    for got in (once, twice[0]):
        assert (np.abs(got - want[0]) <= rounding).all()
    np.testing.assert_allclose(twice[1], want[1], rtol=4 * np.finfo(float).eps)
    assert name in OPCODE


def test_a_register_is_given_back_once(isa):
    """Also by an operation whose operands are one node: else two values would share it."""
    g = Graph(1, 1)
    both = g.intern("sub", g.x(0), g.theta(0))
    one = g.intern("div", both, both)
    value = g.intern("minimum", one, g.intern("maximum", g.x(0), g.theta(0)))
    x = np.array([2.0, 3.0, 4.0])
    got = run(lower(g, [value], ()), [x], [1.0], np.float64)
    np.testing.assert_array_equal(got[0], [1.0, 1.0, 1.0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", [op for op in sorted(EXACT) if ARITY[op] == 2])
def test_choices_and_comparisons_of_equal_and_special_values(isa, dtype, op):
    special = np.array([-np.inf, -1.0, 0.0, 1.0, 2.0, np.inf, np.nan], dtype)
    a, b = (v.ravel() for v in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        want = NUMPY[op](a, b).astype(dtype)
    np.testing.assert_array_equal(apply(op, a, b), want)


def test_opcodes_are_the_graphs_operations():
    assert [name for name, _ in operations()] == list(OPCODE) == list(NUMPY)[: len(OPCODE)]


def test_equal_formulas_share_one_tape():
    def tape(function, free=(0, 1)):
        graph, output, _ = record(function, 1, 2, 5, single=True)
        return compile_model(graph, output, free).tape

    first = tape(lambda x, a, b: a * np.exp(-x) + b)
    assert tape(lambda t, p, q: q + np.exp(-t) * p) is first
    assert tape(lambda x, a, b: a * np.exp(-x) + b, free=(0,)) is not first
    assert tape(lambda x, a, b: b * np.exp(-x) + a) is not first


GOOD = dict(
    n_theta=1,
    n_x=1,
    constants=[2.0],
    n_slots=(3, 2, 1),  # lane: constant, theta, result; point: x, result; block: one register
    code=[
        (OPCODE["exp"], 4, 3, 3, 3),
        (OPCODE["exp"], 2, 1, 1, 1),
        (OPCODE["mul"], 5, 2, 4, 2),
    ],
    n_code=(1, 1, 1),
    free_theta=(),
    output=[5],
)


def changed(index, *row):
    """The code with one row replaced."""
    code = list(GOOD["code"])
    code[index] = row
    return code


EXP = OPCODE["exp"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (dict(n_code=(1, 1, 2)), "n_code does not add up to the length of code"),
        (dict(n_code=(-1, 2, 2)), "n_code does not add up to the length of code"),
        (dict(code=changed(0, 4095, 4, 3, 3, 3)), "no operation has number 4095"),
        (dict(code=changed(0, -1, 4, 3, 3, 3)), "no operation has number -1"),
        (dict(free_theta=(1,), output=[5, 5]), "there is no parameter 1"),
        (dict(free_theta=(-1,), output=[5, 5]), "there is no parameter -1"),
        (dict(output=[5, 5]), "there must be an output for f and for each derivative"),
        (dict(output=[4]), "output 0 must be a slot of the theta or the block stage"),
        (dict(output=[6]), "output 0 must be a slot of the theta or the block stage"),
        (
            dict(free_theta=(0,), output=[5, -1]),
            "output 1 must be a slot of the theta or the block",
        ),
        (dict(n_slots=(1, 2, 1)), "fewer slots than constants, parameters and x inputs need"),
        (dict(n_slots=(3, 0, 1)), "fewer slots than constants, parameters and x inputs need"),
        (dict(n_slots=(3, 2, -1)), "fewer slots than constants, parameters and x inputs need"),
        (dict(n_theta=-1), "fewer slots than constants, parameters and x inputs need"),
        (dict(n_x=-1), "fewer slots than constants, parameters and x inputs need"),
    ],
)
def test_programs_that_leave_their_slots_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Tape(**(GOOD | wrong))


@pytest.mark.parametrize(
    ("stage", "result", "readable"),
    [(0, 4, {0, 3, 4}), (1, 2, {0, 1, 2}), (2, 5, {0, 1, 2, 3, 4, 5})],
    ids=["x", "theta", "block"],
)
def test_every_slot_of_another_stage_is_refused(stage, result, readable):
    slots = range(-1, 7)
    rows = [(EXP, out, i, 0, 0) for out in slots for i in slots]
    rows += [(EXP, result, 0, *pair) for i in slots for pair in ((i, 0), (0, i))]
    for op, out, *inputs in rows:
        program = GOOD | dict(code=changed(stage, op, out, *inputs))
        if out == result and readable.issuperset(inputs):
            Tape(**program)
            continue
        with pytest.raises(ValueError, match=f"instruction {stage} uses a slot that is not of its"):
            Tape(**program)


def test_the_program_that_the_refusals_change_is_right():
    x = np.array([0.0, 1.0])
    np.testing.assert_allclose(run(Tape(**GOOD), [x], [0.0], np.float64)[0], np.exp(x), rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "theta", "error"),
    [
        (np.zeros(4), np.zeros(1), "5 elements is needed"),
        (np.zeros(5), np.zeros(2), "1 elements is needed"),
        (np.zeros(5, np.float32), np.zeros(1), "format 'd' is needed"),
        (np.zeros(5, ">f8"), np.zeros(1), "format 'd' is needed"),
        (np.zeros(10)[::2], np.zeros(1), "contiguous"),
    ],
)
def test_buffers_that_do_not_fit_are_refused(x, theta, error):
    with pytest.raises((ValueError, TypeError), match=error):
        tape.evaluate(Tape(**GOOD), False, 5, [x], theta, np.empty((1, 5)))


def test_what_only_the_x_stage_needs_is_not_kept_for_every_point():
    """In a sum of cos(k x), each k x is dead once its cosine is there, which takes its place."""
    graph, value, _ = record(
        lambda x, *c: sum(c_k * np.cos((k + 2) * x) for k, c_k in enumerate(c)),
        1,
        50,
        9,
        single=True,
    )
    tape = lower(graph, [value], ())
    assert tape.sizes["point_slots"] == 1 + 50  # x and the cosines


@given(models)
def test_slots_that_are_used_again_change_no_bit(model):
    """Also where an array is needed by both stages."""
    with np.errstate(all="ignore"):
        graph, value, _ = record(model.function, 1, 3, 7, single=True)
    x, theta = [np.linspace(-1, 2, 7)], (0.3, -0.7, 1.2)
    arrays = [i for i in range(graph.size) if graph.stage(i) == ON_X]
    all_kept = lower(graph, [value, *arrays], (0,) * len(arrays))
    tape = lower(graph, [value], ())
    assert tape.sizes["point_slots"] <= all_kept.sizes["point_slots"]
    got, want = run(tape, x, theta, np.float64), run(all_kept, x, theta, np.float64)
    np.testing.assert_array_equal(got[0], want[0])
