"""Complex values of a recorded model: the same as NumPy's, in real formulas that lose no digits."""

import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg.model import pairs
from thalweg.model.graph import Graph, evaluate
from thalweg.model.symbol import Recorder
from thalweg.model.trace import RecordingError, leaves_of, record

EPS = np.finfo(float).eps
X = np.array([-3.0, -1.2, -0.4, 0.3, 0.9, 2.5, 7.0])
THETA = (0.7, 1.9)


def recorded(function, x=X, theta=THETA):
    """The complex value that the recording of a function of x and two parameters has at x."""
    recorder = Recorder(Graph(len(theta), 1), x.size)
    parameters, variables = leaves_of(recorder)
    value = function(variables[0], *parameters)
    arrays = [x, *recorder.arrays]
    parts = [recorder.lift(value.real), recorder.lift(value.imag)]
    re, im = evaluate(recorder.graph, parts, x=arrays, theta=theta)
    return np.broadcast_to(re, x.shape) + 1j * np.broadcast_to(im, x.shape)


WEIGHTS = np.linspace(1, 2, X.size) * (1 - 0.5j)
FUNCTIONS = {
    "operators": lambda x, a, b: (x + 1j * a) * (b - 1j * x) - (2 + 1j) / (x + 1j * b),
    "from the left": lambda x, a, b: 1j + 1j * x - (3 - 1j * a) * (1j - x) / (1j * b) + 2 / 1j / x,
    "impedance": lambda x, a, b: 1 / (a + 1j * x * b) + b / (1j * x),
    "phase": lambda x, a, b: b * np.exp(1j * a * x),
    "exp": lambda x, a, b: np.exp(x + 1j * b * x),
    "exp2": lambda x, a, b: np.exp2(x + 1j * a),
    "expm1": lambda x, a, b: np.expm1(x + 1j * a) + np.expm1(1j * x),
    "log": lambda x, a, b: np.log(x + 1j * b) + np.log(1j * x),
    "log10": lambda x, a, b: np.log10(x + 1j * a) + np.log2(x - 1j * a),
    "log1p": lambda x, a, b: np.log1p(x + 1j * a) + np.log1p(1j * x),
    "sqrt": lambda x, a, b: np.sqrt(x + 1j * a) + np.sqrt(x - 1j * b) + np.sqrt(1j * x),
    "sin": lambda x, a, b: np.sin(x + 1j * a) + np.cos(x - 1j * b),
    "tan": lambda x, a, b: np.tan(x + 1j * a) + np.tan(1j * x),
    "sinh": lambda x, a, b: np.sinh(x + 1j * a) + np.cosh(x - 1j * b) + np.cosh(1j * x),
    "tanh": lambda x, a, b: np.tanh(x + 1j * a) + np.tanh(x - 1j * b) + np.tanh(1j * x),
    "warburg": lambda x, a, b: np.tanh(np.sqrt(1j * x * a)) / np.sqrt(1j * x * a),
    "constant phase element": lambda x, a, b: 1 / (1 + (1j * x * b) ** a),
    "powers": lambda x, a, b: (x + 1j * a) ** 3 + (x + 1j * b) ** -2 + (x - 1j * b) ** 0.5,
    "power 0": lambda x, a, b: (x + 1j * a) ** 0 + (x + 1j * a) ** 1,
    "large power": lambda x, a, b: ((x + 1j * a) / 8) ** 70,
    "complex power": lambda x, a, b: (x + 1j * a) ** (b + 1j * a) + (x + 1j * a) ** (1 - 2j),
    "real base": lambda x, a, b: b ** (1j * x) + 10 ** (1j * x + a) + np.power(2.0, 1j * x),
    "conjugate": lambda x, a, b: np.conj(x + 1j * a) * (1j * b).conjugate() + (1j * x).conj(),
    "parts": lambda x, a, b: (x + 1j * b).imag * x + 1j * np.real(1j * x + a) + np.imag(a * 1j * x),
    "of real values": lambda x, a, b: x.real + 1j * np.conj(x) + x.imag + np.imag(a) + a.conj(),
    "absolute": lambda x, a, b: abs(x + 1j * a) + 1j * np.abs(1j * x) + np.absolute(x * (1 + 0j)),
    "angle": lambda x, a, b: np.angle(x + 1j * b) + 1j * np.angle(a * x, deg=True) + 0j,
    "angle of an imaginary value": lambda x, a, b: np.angle(1j * x) + 1j * np.angle(1 + 1j * b * x),
    "square": lambda x, a, b: np.square(x + 1j * a) + np.square(1j * x) + np.reciprocal(x + 1j * b),
    "where": lambda x, a, b: np.where(x > 0, 1j * x * a, b + x) + np.where(x > 1, x + 1j, x - 2j),
    "polyval": lambda x, a, b: np.polyval([a, 1j * b, 2], 1j * x) + np.polyval([1, 1j], x),
    "astype": lambda x, a, b: x.astype(complex) * a + (1j * x).astype(complex),
    "types of numbers": lambda x, a, b: np.complex128(2 + 1j) * x / np.complex64(1 + 1j) + 3 - 2j,
    "array of the closure": lambda x, a, b: WEIGHTS * x * a + WEIGHTS / (x + 1j * b) - WEIGHTS,
    "array and real value": lambda x, a, b: (x - WEIGHTS) * (a + WEIGHTS) + 1j,
    "copy": lambda x, a, b: np.copy(x + 1j * a) + +(1j * x) - (-(1j * a)),
    "equal": lambda x, a, b: 1j * np.where(x + 1j * a == x + 1j * a, x, 0) + (x * 1j != x),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_recorded_values_are_those_of_numpy(name):
    wanted = FUNCTIONS[name](X, *map(np.float64, THETA))
    np.testing.assert_allclose(recorded(FUNCTIONS[name]), wanted, rtol=64 * EPS, atol=8 * EPS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_those_of_differences(name):
    """Through a fit that takes no step: its Jacobian at the start, against differences."""
    function = FUNCTIONS[name]
    y = function(X, *map(np.float64, THETA)) + (0.1 + 0.2j)
    r = tw.fit(function, X, y, p0=THETA, max_iter=0)
    h = 1e-6
    for j in range(2):
        up, down = (np.array(THETA) + s * h * np.eye(2)[j] for s in (1, -1))
        wanted = (function(X, *up) - function(X, *down)) / (2 * h)
        np.testing.assert_allclose(r.jacobian[:, j], wanted, rtol=2e-7, atol=2e-7)


# ---- numbers far from 1, and where digits would cancel ----------------------------------------

PARTS = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


@given(PARTS, PARTS, PARTS, PARTS, st.integers(-300, 300))
def test_quotients_in_any_unit(a, b, c, d, exponent):
    unit = 10.0**exponent
    got = complex(*pairs.divide((a, b), (np.float64(c * unit), np.float64(d * unit))))
    wanted = complex(a, b) / complex(c, d)
    assert abs(got * unit - wanted) <= 16 * EPS * abs(wanted)


@given(PARTS, PARTS, st.integers(-300, 300))
def test_roots_in_any_unit(a, b, exponent):
    unit = 10.0**exponent
    root = np.array(pairs.sqrt((a * unit, b * unit))) / np.sqrt(unit)
    wanted = np.sqrt(complex(a, b))
    np.testing.assert_allclose(root, [wanted.real, wanted.imag], rtol=16 * EPS)


def test_a_root_near_the_real_axis_keeps_its_small_part():
    re, im = pairs.sqrt((-1.0, 1e-20))
    assert (re, im) == (pytest.approx(5e-21, rel=4 * EPS), 1.0)


@pytest.mark.parametrize(("re", "im"), [(1.0, 1e-10), (-1e-10, 1.0), (1 + 1e-9, -1e-5)])
def test_a_logarithm_near_1_or_i_keeps_its_small_part(re, im):
    size = (Fraction(re) ** 2 + Fraction(im) ** 2 - 1) / 2
    got, _ = pairs.log((np.float64(re), np.float64(im)))
    assert got == pytest.approx(float(size), rel=1e-7, abs=0)


def test_tanh_of_large_and_small_numbers():
    assert pairs.tanh((800.0, 3.0)) == (1.0, 0.0)
    assert pairs.tanh((-800.0, 3.0)) == (-1.0, 0.0)
    small = pairs.tanh((1e-12, 2e-12))
    np.testing.assert_allclose(small, [1e-12, 2e-12], rtol=4 * EPS)


def test_zero_times_infinity_is_zero_where_zero_is_known():
    re, im = pairs.multiply((0.0, 1.0), (np.inf, 0.0))
    assert (re, im) == (0.0, np.inf)


def test_products_with_known_zeros_cost_nothing():
    """1j * omega * C and its reciprocal are one product and one quotient, as written by hand."""

    def by_hand(w, C, R):
        return -1 / (w * C)

    def of_complex(w, C, R):
        return (1 / (1j * w * C)).imag

    graphs = [record(f, 1, 2, 5, single=True) for f in (by_hand, of_complex)]
    assert (
        graphs[1].graph.count([graphs[1].output]) <= graphs[0].graph.count([graphs[0].output]) + 1
    )


# ---- refusals ----------------------------------------------------------------------------------

REFUSED = {
    "order": (lambda x, a, b: (x + 1j * a) < b, "an order of a complex value"),
    "remainder": (lambda x, a, b: (x + 1j * a) % 2, "a remainder of a complex value"),
    "floor": (lambda x, a, b: np.floor(x * 1j), "np.floor of a complex value"),
    "arctan": (lambda x, a, b: np.arctan(x * 1j), "np.arctan of a complex value"),
    "logic": (lambda x, a, b: (x * 1j) & (x > 0), "logic of a complex value"),
    "bool": (lambda x, a, b: x if x * 1j else a, "__bool__ of a complex value"),
    "complex()": (lambda x, a, b: complex(x, a), "complex()"),
    "float()": (lambda x, a, b: float(1j * x), "__float__ of a complex value"),
    "sum": (lambda x, a, b: np.sum(1j * x), "np.sum of a complex value"),
    "attribute": (lambda x, a, b: (1j * x).max(), "attribute .max of a complex value"),
    "to float": (lambda x, a, b: (1j * x).astype(float), "conversion to float64"),
    "array": (lambda x, a, b: np.asarray(1j * x), "conversion to a NumPy array"),
    "indexing": (lambda x, a, b: (1j * x)[0], "__getitem__ of a complex value"),
    "real place": (lambda x, a, b: np.hypot(x, 1j * a), "np.hypot of a complex value"),
    "complex result": (lambda x, a, b: x + 1j * a, "a complex value where a real one is needed"),
    "text": (lambda x, a, b: operator.add(1j * x, "a"), "an operand of type str"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_complex_meaning_is_refused(name):
    function, words = REFUSED[name]
    with pytest.raises(RecordingError) as caught:
        record(function, 1, 2, X.size, single=True)
    assert words in str(caught.value)


# ---- formulas -----------------------------------------------------------------------------------


def test_formulas_compute_with_complex_numbers():
    w = np.logspace(-1, 1, 30)
    z = 0.3 + 1 / (1 / 2 + 1j * w * 0.7)
    text = "Rs + 1/(1/R + 1j*w*C)"
    r = tw.fit(text, w, z, p0=[1, 1, 1], independent="w")
    np.testing.assert_allclose(r.params, [0.3, 2, 0.7], rtol=1e-12)
    size = tw.fit(f"abs({text})", w, abs(z), p0=[1, 1, 1], independent="w")
    np.testing.assert_allclose(size.params, r.params, rtol=1e-9)
    for name, part in (("re", z.real), ("imag", z.imag), ("arg", np.angle(z))):
        f = tw.fit(f"{name}({text})", w, part, p0={"Rs": 0.3, "R": 1, "C": 1}, fixed=["Rs"],
                   independent="w")  # fmt: skip
        np.testing.assert_allclose(f.params, r.params, rtol=1e-9)
    with pytest.raises(TypeError, match="a complex model needs a complex y"):
        tw.fit(text, w, abs(z), p0=[1, 1, 1], independent="w")


def test_names_of_complex_functions_may_be_parameters():
    x = np.linspace(0, 1, 10)
    r = tw.fit("re*x + im + 0*conj(re)", x, 2 * x + 1, p0=[1, 0])
    assert r.names == ("re", "im")
    np.testing.assert_allclose(r.params, [2, 1], rtol=1e-9)
