"""Recording: the same values as NumPy, the closure of today, and refusals that help."""

import functools
import inspect
import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from expressions import models
from hypothesis import given

from thalweg.model.graph import evaluate
from thalweg.model.trace import RecordingError, parameter_names, record

EPS = np.finfo(float).eps
X = np.array([-3.1, -1.0, -0.4, 0.0, 0.3, 0.9, 1.0, 2.2, 30.0])
POSITIVE = np.array([1e-3, 0.2, 0.5, 1.0, 1.7, 40.0])
UNIT = np.array([-0.999, -0.5, -1e-3, 0.0, 0.4, 0.99])
N = len(X)


def value_of(function, x, theta=(), **options):
    """What the recording of ``function`` gives at ``x``, one array or a tuple of arrays."""
    several = isinstance(x, tuple)
    arrays = list(x) if several else [x]
    recording = record(function, len(arrays), len(theta), len(arrays[0]), single=not several)
    everything = [*arrays, *recording.arrays]
    [value] = evaluate(recording.graph, [recording.output], x=everything, theta=theta)
    return np.broadcast_to(value, len(arrays[0]))


def assert_records(function, x, theta=(), roundings=8):
    """A few operations, each with one rounding, away from cancellation."""
    with np.errstate(all="ignore"):
        wanted = function(x, *theta)
    got = value_of(function, x, theta)
    np.testing.assert_allclose(got, wanted, rtol=roundings * EPS, atol=roundings * EPS)


@given(models)
def test_the_same_function_recorded_twice_is_the_same(model):
    with np.errstate(all="ignore"):
        first, second = (record(model.function, 1, 3, 7, single=True) for _ in range(2))
    # as text, for a constant may be NaN
    assert repr(first.graph.nodes) == repr(second.graph.nodes)
    assert first.output == second.output


UFUNCS = {
    "absolute fabs sign floor ceil trunc rint square cbrt exp exp2 expm1 negative positive": X,
    "sin cos tan sinh cosh tanh arcsinh arctan deg2rad rad2deg radians degrees isnan isfinite": X,
    "sqrt log log2 log10 log1p reciprocal": POSITIVE,
    "arcsin arccos arctanh": UNIT,
    "arccosh": 1 + POSITIVE,
}
SPECIAL = {
    "erf erfc erfcx expit log_expit exprel ndtr log_ndtr exp2 exp10 dawsn": X,
    "logit": POSITIVE[:3],
}
BINARY = (
    "add subtract multiply divide minimum maximum fmin fmax hypot arctan2 less less_equal greater "
    "greater_equal equal not_equal logical_and logical_or logical_xor logaddexp logaddexp2 "
    "copysign heaviside floor_divide remainder fmod"
).split()


def one_each(table, module):
    return [
        pytest.param(getattr(module, name), points, id=name)
        for names, points in table.items()
        for name in names.split()
    ]


@pytest.mark.parametrize(("ufunc", "x"), one_each(UFUNCS, np) + one_each(SPECIAL, scipy.special))
def test_ufuncs_of_one_argument(ufunc, x):
    assert_records(lambda x: ufunc(x), x, roundings=40)


@pytest.mark.parametrize("name", BINARY)
def test_ufuncs_of_two_arguments(name):
    ufunc = getattr(np, name)
    b = 0.8 + 0 * X
    assert_records(lambda x, a: ufunc(x, a), X, [0.8], roundings=40)
    assert_records(lambda x, a: ufunc(a, x), X + 0.01, [0.8], roundings=40)
    assert_records(lambda x, a: ufunc(x, b) + a, X, [0.8], roundings=40)
    assert_records(lambda x, a: ufunc(b, x) + a, X + 0.01, [0.8], roundings=40)


@pytest.mark.parametrize("name", ["power", "float_power"])
def test_powers(name):
    ufunc = getattr(np, name)
    assert_records(lambda x, a: ufunc(x, a), POSITIVE, [1.3])
    assert_records(lambda x, a: ufunc(2.5, a * x), POSITIVE, [1.3])


def test_special_functions_of_several_arguments():
    assert_records(lambda x, a: scipy.special.xlogy(x, a), X, [0.7])
    assert_records(lambda x, a: scipy.special.xlog1py(x, a), X, [0.7])
    profile = scipy.special.voigt_profile
    assert_records(lambda x, s, g: profile(x, s, g), X, [0.7, 0.3], roundings=100)
    assert_records(lambda x, s: profile(x, s, 0.0), X, [0.7], roundings=5000)  # exp(-z**2), z = 30


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a: np.where(x > a, x - a, 0.0),
        lambda x, a: np.where((x > a) & ~(x > 2) | (x == 0), x, a),
        lambda x, a: ((x > a) ^ (x < 0.3)) * x,
        lambda x, a: ((x > a) + (x > 0)) * x,  # a sum of conditions is `or` in NumPy
        lambda x, a: ((x > a) * (x < 2) + (x == 0)) * x,
        lambda x, a: np.clip(x, a, 1.5),
        lambda x, a: np.clip(x, None, a),
        lambda x, a: np.clip(x, a_min=a, a_max=None),
        lambda x, a: np.sinc(a * x),
        lambda x, a: np.polyval([a, 2.0, -a], x),
        lambda x, a: np.select([x < 0, x < 1], [-x, a * x], default=a),
        lambda x, a: np.piecewise(x, [x < 0, x > a], [lambda x: -x, 5.0, lambda x: x**2]),
        lambda x, a: np.piecewise(x, [x < 0, x > a], [-1.0, 5.0]),
        lambda x, a: np.zeros_like(x) + np.ones_like(x) * a + np.full_like(x, 2.0) * x,
        lambda x, a: np.round(x * a) + np.trunc(x),
        lambda x, a: np.round(x * a, 1),
        lambda x, a: x // a + x % a + 7 // (1 + x**2) + 7 % (1 + x**2),
        lambda x, a: abs(-x) + (+x) + 2**x,
        lambda x, a: np.float64(2.0) * x + np.float32(0.5) * x + np.int64(3) * x + True * x,
        lambda x, a: sum([x, a, 1.0]),
        lambda x, a: np.copy(x) * np.array(2.0) + np.array([3.0]) * a,
    ],
)
def test_expressions(function):
    assert_records(function, X, [0.8])


@pytest.mark.skipif("fix" not in vars(np), reason="this NumPy has no np.fix any more")
@pytest.mark.filterwarnings("ignore:.*fix.*:DeprecationWarning")
def test_fix_is_trunc_while_numpy_has_it():
    assert_records(lambda x, a: a * np.fix(x), X, [0.8])


def test_numpy_may_drop_what_it_deprecates():
    """The package is imported, and fits, where np.fix is gone."""
    program = """
import numpy as np
vars(np).pop("fix", None)
import thalweg as tw
x = np.linspace(0, 5, 9)
assert abs(tw.fit(lambda x, a: a * np.trunc(x), x, 2 * np.trunc(x), [1.0]).params - 2) < 1e-9
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_halves_are_rounded_to_even():
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994])
    np.testing.assert_array_equal(value_of(np.rint, halves), np.rint(halves))


def test_sinc_and_exprel_are_smooth_where_the_series_takes_over():
    near = np.array([1e-5, 9.9e-5, 1.01e-4, 9.99e-4, 1.001e-3, 1e-2])
    for x in (near, -near):
        assert_records(np.sinc, x, roundings=4)
        assert_records(lambda x: scipy.special.exprel(x), x, roundings=4)


def test_several_independent_variables():
    x, y = X, X[::-1].copy()
    wanted = x + 2 * y
    xy = np.stack([x, y])
    for function in (
        lambda xy: xy[0] + 2 * xy[1],
        lambda xy: xy[0, :] + 2 * xy[-1, ...],
        lambda xy: (lambda x, y: x + 2 * y)(*xy),
        lambda xy: sum(v * k for v, k in zip(xy, (1, len(xy)), strict=True)),
    ):
        np.testing.assert_array_equal(value_of(function, (x, y)), wanted)
        np.testing.assert_array_equal(function(xy), wanted)


def test_arrays_of_the_closure_become_inputs():
    background, mask, counts = np.cos(X), X > 0, np.arange(N)

    def model(x, a):
        return a * x * mask + background + background + counts * a

    recording = record(model, 1, 1, N, single=True)
    assert [array.dtype for array in recording.arrays] == [np.dtype(float)] * 3
    np.testing.assert_array_equal(recording.arrays[0], mask)
    np.testing.assert_array_equal(recording.arrays[2], counts)
    np.testing.assert_array_equal(recording.arrays[1], background)  # met twice, held once
    assert_records(model, X, [1.5])


def test_recording_sees_the_closure_of_today():
    offset = 1.0

    def model(x, a):
        return a * x + offset

    before = value_of(model, X, [2.0])
    offset = 5.0
    np.testing.assert_array_equal(value_of(model, X, [2.0]), before + 4.0)


@pytest.mark.parametrize(
    "result", [3.0, 2, np.float32(0.5), np.array(4.0), np.array([4.0]), np.arange(N), X]
)
def test_results_that_are_not_recorded_values(result):
    np.testing.assert_array_equal(value_of(lambda x: result, X), np.broadcast_to(result, N))


def test_a_result_of_parameters_alone_is_broadcast():
    np.testing.assert_array_equal(value_of(lambda x, a: a**2, X, [3.0]), np.full(N, 9.0))


def test_the_same_function_works_with_curve_fit():
    def decay(t, a, tau, c):
        return a * np.exp(-t / tau) + c

    t = np.linspace(0, 4, 30)
    truth = [2.0, 1.5, 0.3]
    assert_records(decay, t, truth)
    found, _ = scipy.optimize.curve_fit(decay, t, value_of(decay, t, truth), p0=[1, 1, 0])
    np.testing.assert_allclose(found, truth, rtol=1e-6)  # curve_fit stops at 1.5e-8


# --- refusals: (function, what the sentence names, what the hint says); the line is the one that
# ends in "# here"

vector = np.arange(3.0)


def branch(x, a):
    if x.mean() > 0 and a > 0:  # here
        return x
    return a


def condition(x, a):
    y = x - a
    if a > 0:  # here
        y = -y
    return y


def chain(x, a):
    return np.where(0 < x < a, 1, 0)  # here


def builtin_max(x, a):
    return max(x, a)  # here


def from_math(x, a):
    b = a * 2
    return x * math.exp(-b)  # here


def loop(x, a):
    return [a * v for v in x]  # here


def points(x, a):
    return x / len(x)  # here


def total(x, a):
    return x / np.sum(x)  # here


def total_method(x, a):
    return x / x.sum()  # here


def convolution(x, a):
    return np.convolve(a * x, vector)  # here


def interpolation(x, a):
    return np.interp(x, vector, vector**2) * a  # here


def first_point(x, a):
    return x - x[0]  # here


def fill(x, a):
    out = np.zeros_like(x)
    out[x > a] = 1.0  # here
    return out


def fill_array(x, a):
    out = np.zeros(N)
    out[:] = a * x  # here
    return out


def in_place(x, a):
    out = np.zeros(N)
    out += a * x  # here
    return out


def to_array(x, a):
    x = np.asarray(x)  # here
    return a * x


def unknown_ufunc(x, a):
    return scipy.special.j0(a * x)  # here


def accumulate(x, a):
    return np.add.reduce(x)  # here


def output_argument(x, a):
    return np.exp(x, out=np.zeros(N))  # here


def data_type(x, a):
    return np.exp(x, dtype=np.float32)  # here


def wrong_shape(x, a):
    return x * vector  # here


def complex_number(x, a):
    return np.real(x * 1j)  # here


def text_array(x, a):
    return x * np.array(["a"] * N)  # here


def nested(x, a):
    return helper(x) * a


def helper(x):
    return x + float(x)  # here


def own_error(x, a):
    return x + undefined_name * a  # noqa: F821  # here


def too_few(x):
    return x


def where_without_branches(x, a):
    return np.where(x > a)  # here


def vectors_of_symbols(x, a):
    return np.array([x, a]) @ vector[:2]  # here


REFUSALS = [
    (branch, "attribute .mean of a recorded value", "the value at a point may depend on"),
    (condition, "bool()", "write np.where(condition, a, b) instead of if"),
    (chain, "bool()", "& | ~ instead of and"),
    (builtin_max, "bool()", "np.maximum instead of"),
    (from_math, "float()", "np.exp for math.exp"),
    (loop, "iteration", "act on every point at once"),
    (points, "len()", "do not use the number of points"),
    (total, "the function np.sum", "that point and the parameters only"),
    (total_method, "attribute .sum", "that point and the parameters only"),
    (convolution, "the function np.convolve", "that point and the parameters only"),
    (interpolation, "the function np.interp", "that point and the parameters only"),
    (first_point, "indexing", "np.where"),
    (fill, "writing into a recorded value", "np.where instead"),
    (fill_array, "conversion to a NumPy array", "np.where instead of writing into an array"),
    (in_place, "np.add writing into an array", "np.where instead"),
    (to_array, "conversion to a NumPy array", "leave out np.asarray"),
    (unknown_ufunc, "the function j0", "such as np.exp"),
    (accumulate, "np.add.reduce", "that point and the parameters only"),
    (output_argument, "np.exp writing into an array", "np.where"),
    (data_type, "np.exp with dtype=", "such as np.exp"),
    (wrong_shape, "an array of shape (3,) beside N=9 points", "must have shape (9,)"),
    (complex_number, "an operand of type complex", "use numbers"),
    (text_array, "an array of type <U1", "real numbers"),
    (nested, "float()", "np.exp for math.exp"),
    (own_error, "it raised NameError: name 'undefined_name' is not defined", ""),
    (where_without_branches, "np.where with one argument", "np.where(condition, a, b)"),
    (vectors_of_symbols, "conversion to a NumPy array", "leave out np.asarray"),
]


def marked_line(function):
    lines, first = inspect.getsourcelines(function)
    return next(first + i for i, line in enumerate(lines) if line.rstrip().endswith("# here"))


@pytest.mark.parametrize(
    ("function", "operation", "hint"), REFUSALS, ids=[row[0].__name__ for row in REFUSALS]
)
def test_refusals_name_the_operation_the_line_and_the_way_out(function, operation, hint):
    with pytest.raises(RecordingError) as caught:
        record(function, 1, 1, N, single=True)
    error = caught.value
    assert operation in error.operation
    assert hint in error.hint
    assert error.file == __file__
    assert error.line == marked_line(helper if function is nested else function)
    sentence = str(error)
    assert sentence.startswith(f"the function cannot be recorded: {error.operation} ({__file__}, ")
    assert f"line {error.line})" in sentence
    assert sentence.endswith(error.hint)


@pytest.mark.parametrize(
    ("result", "operation"),
    [(None, "it returns None"), ((1, 2), "it returns a tuple"), ([1.0], "it returns a list")],
)
def test_results_that_are_no_value_per_point(result, operation):
    with pytest.raises(RecordingError, match=operation) as caught:
        record(lambda x: result, 1, 0, N, single=True)
    assert caught.value.file == __file__


def test_a_wrong_number_of_parameters_is_refused():
    with pytest.raises(RecordingError, match="it raised TypeError: too_few"):
        record(too_few, 1, 2, N, single=True)


@pytest.mark.parametrize("function", [lambda v: v * 2, lambda v: v + v, lambda v: 2 * v])
def test_all_variables_at_once_are_no_operand(function):
    with pytest.raises(RecordingError, match="all independent variables at once"):
        record(function, 2, 0, N, single=False)


def test_variables_are_no_array():
    with pytest.raises(RecordingError):
        record(lambda v: np.exp(v), 2, 0, N, single=False)
    with pytest.raises(RecordingError, match="conversion to a NumPy array"):
        record(lambda v: np.asarray(v)[0], 2, 0, N, single=False)


def test_values_of_one_recording_are_refused_in_another():
    kept = []
    record(lambda x: kept.append(x) or x, 1, 0, N, single=True)
    with pytest.raises(RecordingError, match="a value from another recording"):
        record(lambda x: np.maximum(x, kept[0]), 1, 0, N, single=True)
    with pytest.raises(RecordingError, match="a value from another recording"):
        record(lambda x: x + kept[0], 1, 0, N, single=True)


def test_symbols_can_be_printed():
    shown = []
    record(lambda x, a: shown.append(f"{np.exp(a * x)}") or x, 1, 1, N, single=True)
    assert shown == ["<recorded exp>"]


def test_interrupts_pass_through():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(interrupted, 1, 0, N, single=True)


class Callable:
    def __call__(self, x, height, width):
        return height * x / width

    def method(self, x, height):
        return height * x


@functools.wraps(from_math)
def wrapped(*args):
    return from_math(*args)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda t, a, tau: a, ("a", "tau")),
        (lambda t, a, n=3: a, ("a", "n")),
        (lambda t: t, ()),
        (lambda t, a, *, order=2: a, ("a",)),
        (lambda t, *p: t, None),
        (Callable(), ("height", "width")),
        (Callable().method, ("height",)),
        (functools.partial(Callable().method), ("height",)),
        (functools.partial(lambda t, a, b, c: a, c=1), ("a", "b")),
        (functools.partial(lambda t, *p: t), None),
        (wrapped, ("a",)),
        (np.polyval, ("x",)),
        (dict, None),  # written in C, without a signature
    ],
)
def test_parameter_names(function, names):
    assert parameter_names(function) == names
