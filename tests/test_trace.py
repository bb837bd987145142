"""Recording a model: values, shapes and what is equal."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from expressions import models
from hypothesis import given
from trace_cases import N, X

from thalweg.model.graph import evaluate
from thalweg.model.trace import record

EPS = np.finfo(float).eps


POSITIVE = np.array([1e-3, 0.2, 0.5, 1.0, 1.7, 40.0])


UNIT = np.array([-0.999, -0.5, -1e-3, 0.0, 0.4, 0.99])


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
    "exp1": POSITIVE,
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
