"""What mixes points and cannot be recorded, each in one sentence; what SciPy's functions mean."""

import functools
import warnings

import numpy as np
import pytest
import scipy.integrate
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from mixing_cases import abscissa, numerical, response_of
from scipy.signal import fftconvolve
from test_mixing import by_tape

import thalweg as tw
from thalweg.model.trace import RecordingError, record

N = 20
X = abscissa(N)
R = response_of(5)
GRID = np.linspace(0, 2, 7)


def decay(x, a, b):
    return a * np.exp(-b * x)


REFUSED = {
    "two curves": (lambda x, a, b: np.convolve(a * x, b * x, "same"), "two recorded operands"),
    "empty": (lambda x, a, b: np.convolve(a * x, [], "same"), r"array of shape \(0,\)"),
    "not finite": (lambda x, a, b: np.convolve(a * x, [1, np.nan], "same"), "not finite"),
    "complex": (lambda x, a, b: np.convolve(a * x, [1j], "same"), "complex"),
    "longer": (lambda x, a, b: np.convolve(a * x, np.ones(N + 1), "same"), "not be longer"),
    "mode": (lambda x, a, b: np.convolve(a * x, R, "middle"), "mode='middle'"),
    "too many": (lambda x, a, b: np.convolve(a * x, R), "24 values for N=20 points"),
    "too few": (lambda x, a, b: np.convolve(a * x, R, "valid"), "16 values for N=20 points"),
    "two lengths": (lambda x, a, b: a * x + np.diff(b * x), "curves of 19 and 20 points"),
    "axis": (lambda x, a, b: np.cumsum(a * x, axis=1), "axis=1"),
    "dtype": (lambda x, a, b: np.cumsum(a * x, dtype=np.float32), "dtype="),
    "out": (lambda x, a, b: np.sum(a * x, out=np.zeros(1)) * x, "out="),
    "where": (lambda x, a, b: np.sum(a * x, where=x > 1) * x, "where="),
    "matrix": (lambda x, a, b: np.ones((N, 3)) @ (a * x), r"shape \(20, 3\) with a curve of 20"),
    "cube": (lambda x, a, b: np.ones((2, N, N)) @ (a * x), r"shape \(2, 20, 20\)"),
    "table": (lambda x, a, b: np.interp(a * x, [0, 0], [1, 2]), "xp must increase"),
    "table lengths": (lambda x, a, b: np.interp(a * x, [0, 1], [1, 2, 3]), "fp be as long"),
    "table recorded": (lambda x, a, b: np.interp(x * a, x, b * x), "two recorded operands"),
    "period": (lambda x, a, b: np.interp(a * x, [0, 1], [1, 2], period=1), "period="),
    "one number": (lambda x, a, b: np.cumsum(a) * x, "np.cumsum of one number"),
    "backwards": (lambda x, a, b: (a * x)[::-1], "follow one another"),
    "mask": (lambda x, a, b: (a * x)[x > 1], "indexing"),
    "beyond": (lambda x, a, b: (a * x)[N] * x, "indexing"),
    "maximum": (lambda x, a, b: a * x / np.max(a * x), "np.max"),
    "integral over": (lambda x, a, b: np.trapezoid(x, a * x) * x, "must not depend on parameters"),
    "steps": (lambda x, a, b: np.trapezoid(a * x, dx=[1.0, 2.0]) * x, "such a dx"),
    "places": (lambda x, a, b: np.trapezoid(a * x, GRID) * x, r"x of shape \(7,\)"),
    "differences": (lambda x, a, b: np.diff(a * x, n=2), "n=2"),
    "shift": (lambda x, a, b: tw.convolve(a * x, R, shift=b * x), "one number for all points"),
    "recorded response": (lambda x, a, b: tw.convolve(x * a, b * x), "response that is recorded"),
    "an array": (lambda x, a, b: np.convolve(a * x, R, "same") * GRID, r"shape \(7,\) beside N=20"),
    "initial": (
        lambda x, a, b: scipy.integrate.cumulative_trapezoid(a * x, initial=2),
        "initial=2",
    ),
    "response first": (lambda x, a, b: fftconvolve(R, a * x, "same"), "give the curve first"),
    "own call": (lambda x, a, b: fftconvolve(a * x, R, way="same"), "unexpected keyword"),
}


@pytest.mark.parametrize("model, sentence", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_recorded_says_why(model, sentence):
    with pytest.raises(RecordingError, match=sentence) as caught:
        record(model, 1, 2, N, single=True, data=[X])
    assert caught.value.file == __file__


def test_points_on_a_grid_have_sums_and_nothing_else():
    xx, yy = np.meshgrid(np.arange(6.0), np.arange(5.0))

    def shares(xy, s, total):
        f = np.exp(-(((xy[0] - 3) / s) ** 2) - xy[1] ** 2)
        return total * f / np.sum(f)

    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        r = tw.fit(shares, (xx, yy), shares((xx, yy), 1.4, 9.0), [1.0, 5.0])
    np.testing.assert_allclose(r.params, [1.4, 9], rtol=1e-6)
    with pytest.raises(RecordingError, match=r"on a grid of shape \(5, 6\)"):
        record(lambda x, s: np.cumsum(s * x), 1, 1, (5, 6), single=True, data=[xx.ravel()])


@pytest.mark.parametrize(
    "given, error, sentence",
    [
        ((np.ones(4), []), ValueError, r"response must have shape \(n,\) with n >= 1"),
        ((np.ones(4), np.ones(5)), ValueError, "not be longer than the curve of 4 points, got 5"),
        ((np.ones(4), [1, np.inf]), ValueError, "response must be finite"),
        ((np.ones(4), [1], "middle"), ValueError, "mode must be 'full', 'same', 'valid', 'causal'"),
        ((np.ones(4), ["a"]), TypeError, "response must be an array of real numbers"),
        ((np.ones((2, 2)), [1]), ValueError, r"f must have shape \(n,\)"),
    ],
)
def test_convolve_refuses(given, error, sentence):
    with pytest.raises(error, match=sentence):
        tw.convolve(*given)
    model = lambda x, a: tw.convolve(a * x, *given[1:])  # noqa: E731
    if given[0].ndim == 1:
        with pytest.raises((error, RecordingError), match=sentence), warnings.catch_warnings():
            warnings.simplefilter("ignore", tw.SlowModelWarning)
            tw.fit(model, np.arange(4.0), np.arange(4.0), [1.0])


@pytest.mark.parametrize("mode", ["same", "causal", "full", "valid"])
def test_convolve_of_numbers_is_numpys(mode):
    f, r = np.random.default_rng(0).normal(size=(2, 9))
    r = r[:4]
    whole = np.convolve(f, r)
    expected = {"causal": whole[:9]}.get(mode)
    expected = np.convolve(f, r, mode) if expected is None else expected
    np.testing.assert_allclose(tw.convolve(f, r, mode), expected, rtol=1e-12)
    np.testing.assert_allclose(tw.convolve(f, r, mode, shift=0.0), expected, rtol=1e-12)
    if mode in ("full", "causal"):
        moved = tw.convolve(f, r, mode, shift=1.25)
        line = np.interp(np.arange(len(moved)) - 1.25, np.arange(-2, 15), np.pad(whole, (2, 3)))
        np.testing.assert_allclose(moved, line, atol=1e-12)


def with_keyword(x, a, *, b, convolve=fftconvolve):
    return convolve(decay(x, a, b), R, mode="same")


def helper(f):
    return fftconvolve(f, R)[:N]


class Holder:
    def method(self, x, a, b):
        return scipy.signal.convolve(decay(x, a, b), R, "same")


SCIPYS = {
    "a name": lambda x, a, b: fftconvolve(decay(x, a, b), R, "same"),
    "a module": lambda x, a, b: scipy.signal.oaconvolve(decay(x, a, b), R, mode="same"),
    "a helper": lambda x, a, b: helper(decay(x, a, b)),
    "a method": Holder().method,
    "a partial": functools.partial(lambda r, x, a, b: fftconvolve(decay(x, a, b), r, "same"), R),
    "full": lambda x, a, b: fftconvolve(R, decay(x, a, b))[2 : N + 2],
    "sums": lambda x, a, b: scipy.integrate.cumulative_trapezoid(decay(x, a, b), x, initial=0),
    "sums without": lambda x, a, b: np.diff(
        scipy.integrate.cumulative_trapezoid(decay(np.append(x, [4, 5]), a, b), dx=0.3)
    ),
    "area": lambda x, a, b: a + x * scipy.integrate.trapezoid(decay(x, 1, b), x),
}


@pytest.mark.parametrize("name", SCIPYS)
def test_scipys_functions_are_recorded(name):
    model = SCIPYS[name]
    if name == "sums without":
        places = np.append(X, [4, 5])
        model = lambda x, a, b: np.diff(  # noqa: E731
            scipy.integrate.cumulative_trapezoid(decay(places, a, b), dx=0.3)
        )
    f, J = by_tape(model, X, (1.3, 0.7))
    np.testing.assert_allclose(f, model(X, 1.3, 0.7), atol=1e-13)
    np.testing.assert_allclose(J, numerical(model, X, (1.3, 0.7)), atol=1e-8)


def test_a_recorded_function_leaves_no_trace():
    """The function that was copied still calls SciPy, and its parameters by name work."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        y = with_keyword(X, 1.3, b=0.7)
        free = lambda x, a, *, b: fftconvolve(decay(x, a, b), R, mode="same")  # noqa: E731
        r = tw.fit(free, X, y, [1.0, 1.0])
    np.testing.assert_allclose(r.params, [1.3, 0.7], rtol=1e-6)
    assert helper.__globals__["fftconvolve"] is scipy.signal.fftconvolve
    assert type(helper(X)) is np.ndarray


MATRIX = np.stack([np.ones(N), X, X**2 - 1], axis=1)
ROWS = {
    "parameters": lambda x, a, b, c: MATRIX @ np.array([a, b, c]),
    "a tuple": lambda x, a, b, c: np.dot(MATRIX, (a, b, c)),
    "within": lambda x, a, b, c: np.exp(-(MATRIX[:, :2] @ np.array([a, b]))),
    "with a number": lambda x, a, b, c: MATRIX @ np.array([a, 2.0, c]) + b,
}


@pytest.mark.parametrize("name", ROWS)
def test_a_matrix_times_parameters_is_a_sum_of_columns(name):
    model, theta = ROWS[name], (0.4, 0.7, -0.2)
    f, J = by_tape(model, X, theta)
    np.testing.assert_allclose(f, model(X, *theta).astype(float), atol=1e-13)
    np.testing.assert_allclose(J, numerical(model, X, theta), atol=1e-8)


def test_rows_of_different_forms_are_refused():
    def different(x, a, b):
        rows = MATRIX[:, :2] @ np.array([a, b])
        values = np.exp(rows)
        values[3] = np.sin(rows[3])
        return values

    with pytest.raises(RecordingError, match="different forms"):
        record(different, 1, 2, N, single=True, data=[X])


# ---- random compositions ------------------------------------------------------------------------

STEPS = {
    "convolve": lambda f, x, c: np.convolve(f, R, "same"),
    "causal": lambda f, x, c: tw.convolve(f, R, "causal", shift=0.3 * c),
    "late": lambda f, x, c: np.convolve(f, R)[2 : N + 2],
    "cumsum": lambda f, x, c: np.cumsum(f) / N,
    "share": lambda f, x, c: f / (1 + np.mean(f * f)),
    "scale": lambda f, x, c: c * f,
    "add": lambda f, x, c: f + c * x,
    "bend": lambda f, x, c: np.tanh(f),
    "matrix": lambda f, x, c: SQUARE @ f,
    "table": lambda f, x, c: np.interp(f, [-40.0, 40.0], [-8.0, 8.0]),
    "area": lambda f, x, c: f - 0.1 * np.trapezoid(f, x),
    "first": lambda f, x, c: f + 0.5 * f[0],
    "where": lambda f, x, c: np.where(x < 1, f, 0.5 * f),
}
SQUARE = np.cos(np.outer(np.arange(N), np.arange(N) + 1.0)) / N


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6))
def test_any_composition_is_numpys(steps):
    def model(x, a, b, c):
        f = decay(x, a, b)
        for step in steps:
            f = STEPS[step](f, x, c)
        return f + 0 * x

    theta = (1.3, 0.7, 0.45)
    f, J = by_tape(model, X, theta)
    expected = model(X, *theta)
    np.testing.assert_allclose(f, expected, rtol=0, atol=1e-12 * (1 + np.abs(expected).max()))
    slopes = numerical(model, X, theta)
    good = np.isfinite(slopes)
    assert (np.abs(J - slopes) <= 1e-7 * (1 + np.abs(slopes[good]).max()))[good].all()
