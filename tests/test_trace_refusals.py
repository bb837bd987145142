"""What cannot be recorded, and the sentence that says so."""

import functools
import inspect
import math

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from trace_cases import N

from thalweg.model.trace import RecordingError, parameter_names, record

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


def total(x, a):
    return x / np.sum(x)  # here


def total_method(x, a):
    return x / x.sum()  # here


def convolution(x, a):
    return np.convolve(a * x, np.exp(-a * x))  # here


def interpolation(x, a):
    return np.interp(x, vector, vector**2) * a  # here


def points(x, a):
    return x / len(x)  # here


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
    return scipy.special.hyp2f1(a, 1.0, 2.0, x)  # here


def accumulate(x, a):
    return np.add.reduce(x)  # here


def output_argument(x, a):
    return np.exp(x, out=np.zeros(N))  # here


def data_type(x, a):
    return np.exp(x, dtype=np.float32)  # here


def wrong_shape(x, a):
    return x * vector  # here


def complex_number(x, a):
    return np.maximum(x * 1j, a)  # here


def text_array(x, a):
    return x * np.array(["a"] * N)  # here


def nested(x, a):
    return helper(x) * a


def helper(x):
    return x + float(x)  # here


def transform(x, a):
    return np.fft.irfft(np.fft.rfft(a * x), N)  # here


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
    (convolution, "np.convolve with two recorded operands", "numbers that no parameter changes"),
    (interpolation, "the function np.interp", "that point and the parameters only"),
    (transform, "the function np.fft.rfft", "that point and the parameters only"),
    (first_point, "indexing", "np.where"),
    (fill, "writing into a recorded value", "np.where instead"),
    (fill_array, "conversion to a NumPy array", "np.where instead of writing into an array"),
    (in_place, "np.add writing into an array", "np.where instead"),
    (to_array, "conversion to a NumPy array", "leave out np.asarray"),
    (unknown_ufunc, "the function hyp2f1", "such as np.exp"),
    (accumulate, "np.add.reduce", "that point and the parameters only"),
    (output_argument, "np.exp writing into an array", "np.where"),
    (data_type, "np.exp with dtype=", "such as np.exp"),
    (wrong_shape, "an array of shape (3,) beside N=9 points", "must have shape (9,)"),
    (complex_number, "np.maximum of a complex value", "np.abs"),
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
