"""Models composed of others: the same graph as by hand, names, constants, starts and refusals."""

import copy
import inspect
import pickle
import sys
from itertools import product

import numpy as np
import pytest
from scipy.optimize import curve_fit

import thalweg as tw
from thalweg.model import as_model
from thalweg.model.trace import record

G, L, E = tw.models.gaussian, tw.models.line, tw.models.exponential
X = np.linspace(0, 10, 65)
ROUNDING = 1e-13


def background(x, level, rise):
    return level + rise * x**2


def keyed(model, n_x=1):
    """The key of a model's graph, by which equal graphs share one tape."""
    info = as_model(model)
    graph, output, _ = record(info.function, n_x, len(info.names), 65, single=n_x == 1)
    return graph.key((output,))


BY_HAND = {
    "sum": (G + L, lambda x, a, x0, s, m, c: G(x, a, x0, s, 0.0) + L(x, m, c)),
    "difference": (L - G, lambda x, m, c, a, x0, s: L(x, m, c) - G(x, a, x0, s, 0.0)),
    "product": (G * L, lambda x, a, x0, s, o, m, c: G(x, a, x0, s, o) * L(x, m, c)),
    "quotient": (L / G, lambda x, m, c, a, x0, s, o: L(x, m, c) / G(x, a, x0, s, o)),
    "number": (2 * G - 3, lambda x, a, x0, s, o: 2.0 * G(x, a, x0, s, o) - 3.0),
    "of": (1 / (1 + E), lambda x, a, t, o: 1.0 / (1.0 + E(x, a, t, o))),
    "function": (
        background + G,
        lambda x, level, rise, a, x0, s: background(x, level, rise) + G(x, a, x0, s, 0.0),
    ),
    "formula": ("b*x**2" + L, lambda x, b, m, c: b * x**2.0 + L(x, m, c)),
    "two": (
        G + G,
        lambda x, a, b, c, d, e, f, o: G(x, a, b, c, 0.0) + G(x, d, e, f, 0.0) + o,
    ),
}


@pytest.mark.parametrize("composed, by_hand", BY_HAND.values(), ids=BY_HAND)
def test_a_composed_model_is_the_graph_of_a_function_that_calls_its_parts(composed, by_hand):
    assert keyed(composed) == keyed(by_hand)
    theta = np.linspace(0.7, 1.9, len(composed.names))
    np.testing.assert_array_equal(composed(X, *theta), by_hand(X, *theta))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("composed, by_hand", BY_HAND.values(), ids=BY_HAND)
def test_a_fit_of_it_has_the_same_bits(composed, by_hand, dtype):
    theta = np.linspace(0.7, 1.9, len(composed.names))
    y = composed(X, *theta) + np.random.default_rng(0).normal(0, 0.01, (9, 65))
    first, second = (tw.fit(f, X, y, p0=1.05 * theta, dtype=dtype) for f in (composed, by_hand))
    np.testing.assert_array_equal(first.params, second.params)
    np.testing.assert_array_equal(first.cov, second.cov)


@pytest.mark.parametrize("model", [m for m, _ in BY_HAND.values()], ids=BY_HAND)
def test_a_composed_model_is_copied_and_pickled(model):
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other == model and hash(other) == hash(model)
        assert other.names == model.names and repr(other) == repr(model)
        assert keyed(other) == keyed(model)


def test_the_text_of_a_composed_model_is_a_formula_of_the_same_graph():
    parts = [G, L, 2 * E, "a*exp(-x/t) + b", G - L, L * G, 1 / (2 + L)]
    for left, op, right in product(parts, "+-*/", parts):
        if isinstance(left, str) and isinstance(right, str):
            continue
        model = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
            "/": lambda a, b: a / b,
        }[op](left, right)
        again = as_model(model.formula, model.independent)
        assert again.names == model.names
        assert keyed(model.formula) == keyed(model), model.formula


@pytest.mark.parametrize(
    "model, names",
    [
        (G + L, "amplitude x0 sigma slope intercept"),
        (L + G, "slope intercept amplitude x0 sigma"),
        (G + G, "amplitude_1 x0_1 sigma_1 amplitude_2 x0_2 sigma_2 offset"),
        (sum([G] * 2) + L, "amplitude_1 x0_1 sigma_1 amplitude_2 x0_2 sigma_2 slope intercept"),
        (G + E, "amplitude_1 x0 sigma amplitude_2 tau offset"),
        (G + tw.models.spin_echo, "amplitude x0 sigma offset S0 T2"),
        (-G, "amplitude x0 sigma offset"),
        (L + G + "a*x", "slope intercept amplitude x0 sigma a"),
        (G + background, "amplitude x0 sigma level rise"),
        (G * L, "amplitude x0 sigma offset slope intercept"),
        ((G + L) * E, "amplitude_1 x0 sigma slope intercept amplitude_2 tau offset"),
        (G.prefixed("a_") + L, "a_amplitude a_x0 a_sigma slope intercept"),
        ((G + G).prefixed("a_"), "a_amplitude_1 a_x0_1 a_sigma_1 a_amplitude_2 a_x0_2 a_sigma_2 "
         "offset"),
        (tw.models.polynomial(2) + tw.models.polynomial(1), "c0_1 c1_1 c2 c0_2 c1_2"),
    ],
)  # fmt: skip
def test_names_and_the_one_constant_of_a_sum(model, names):
    assert " ".join(model.names) == names
    assert list(inspect.signature(model).parameters)[1:] == names.split()


def test_composing_in_another_order_of_brackets_changes_no_name():
    assert ((G + G) + G).names == (G + (G + G)).names == sum([G, G, G]).names
    assert len(sum([G] * 10).names) == 31


def test_two_variables():
    spots = tw.models.gaussian2d + tw.models.gaussian2d_rotated
    yy, xx = np.mgrid[0:9, 0:12].astype(float)
    theta = [3, 2, 2, 1, 4, 8, 5, 1.5, 1, 0.4, 0.5]
    image = spots((xx, yy), *theta)
    r = tw.fit(spots, (xx, yy), image, p0=np.array(theta) * 1.05)
    np.testing.assert_allclose(r.params, theta, rtol=1e-7)
    formula = "gaussian2d(x, y, a, x0, y0, s) + line(x, m, c)"
    assert as_model(formula).independent == ("x", "y")


def test_curve_fit_takes_it():
    model, theta = G + L, [3, 4, 0.8, 0.2, 1]
    y = model(X, *theta) + np.random.default_rng(1).normal(0, 0.05, 65)
    start = np.array(theta) * 1.1
    ours, theirs = tw.curve_fit(model, X, y, start), curve_fit(model, X, y, start)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    loss = tw.MSELoss(model, X, y)
    assert loss.names == model.names
    assert abs(loss.value(ours[0]) - ((y - model(X, *ours[0])) ** 2).mean()) < ROUNDING


def test_a_result_is_saved_and_loaded(tmp_path):
    r = tw.fit(G + L, X, (G + L)(X, 3, 4, 0.8, 0.2, 1))
    r.save(tmp_path / "r.npz")
    np.testing.assert_array_equal(tw.load(tmp_path / "r.npz").predict(X), r.predict(X))
    r = tw.fit(G + background, X, (G + L)(X, 3, 4, 0.8, 0, 1), p0=[3, 4, 1, 0, 0])
    r.save(tmp_path / "f.npz")
    again = tw.load(tmp_path / "f.npz")
    with pytest.raises(ValueError, match="holds only the name of its model, gaussian"):
        again.predict(X)
    np.testing.assert_array_equal(
        tw.load(tmp_path / "f.npz", G + background).predict(X), r.predict(X)
    )


# ---- starts ----------------------------------------------------------------------------------

U = np.random.default_rng(2).uniform
SUMS = {
    "peak on a line": (G + L, [(2, 10), (2, 8), (0.3, 1), (-0.5, 0.5), (-3, 3)]),
    "dip under a curve": (
        tw.models.polynomial(2) - tw.models.lorentzian,
        [(-4, 4), (-1, 1), (-0.1, 0.1), (2, 10), (3, 7), (0.2, 0.5)],
    ),
    "peak on a decay": (
        G + E,
        [(4, 10), (3, 8), (0.3, 0.6), (4, 10), (0.5, 3), (-1, 1)],
    ),
    "three peaks": (
        G + G + 2 * G + 5,
        [(4, 10), (1, 2.5), (0.3, 0.6), (4, 10), (4, 5.5), (0.3, 0.6), (2, 5), (7, 8), (0.3, 0.6),
         (-0.5, 0.5)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("model, ranges", SUMS.values(), ids=SUMS)
def test_a_sum_finds_its_start(model, ranges):
    truth = np.stack([U(low, high, 60) for low, high in ranges], -1)
    y = model(X, *truth.T[..., None])
    y = y + np.random.default_rng(3).normal(0, 0.02 * np.ptp(y, axis=1, keepdims=True), y.shape)
    r, from_truth = tw.fit(model, X, y), tw.fit(model, X, y, p0=truth)
    assert np.mean(r.chi2 <= from_truth.chi2 * (1 + 1e-5)) >= 0.95


def test_a_start_is_the_same_alone_in_any_order_of_points_and_in_other_units():
    model = G + G + L
    theta = [3, 2, 0.5, 4, 7, 0.6, 0.2, 1]
    y = model(X, *theta) + np.random.default_rng(4).normal(0, 0.1, (5, 65))
    y[1, 7] = np.nan
    together = model.guess(X, y)
    assert np.isfinite(together).all() and (together[:, 1] < together[:, 4]).all()
    np.testing.assert_array_equal(model.guess(X, y[1]), together[1])
    order = np.random.default_rng(5).permutation(65)
    np.testing.assert_array_equal(model.guess(X[order], y[:, order]), together)
    np.testing.assert_array_equal(model.guess(np.tile(X, (5, 1)), y), together)
    a, b = 2.0**40, 2.0**-60  # units of x and of y
    units = np.array([b, a, a, b, a, a, b / a, b])
    np.testing.assert_array_equal(model.guess(a * X, b * y), together * units)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_starts_of_few_points_are_finite(n, batch):
    start = (G + L).guess(np.arange(n, dtype=float), np.ones((*batch, n)))
    assert start.shape == (*batch, 5) and np.isfinite(start).all()
    assert np.isfinite((G + L).guess(np.arange(n, dtype=float), np.full((2, n), np.nan))).all()


def needs_p0(model):
    with pytest.raises(ValueError, match="p0 is needed"):
        tw.fit(model, X, X)
    with pytest.raises(ValueError, match="no start values of") as error:
        model.guess(X, X)
    return str(error.value)


def test_what_has_no_start_of_its_own_says_so():
    assert "products" in needs_p0(G * L)
    assert "background" in needs_p0(G + background)
    spots = tw.models.gaussian2d + tw.models.gaussian2d
    with pytest.raises(ValueError, match="a sum of 2 models of two variables"):
        spots.guess((X, X), X)


# ---- refusals --------------------------------------------------------------------------------


def several(x, *args):
    return x


def taken(x, amplitude_1):
    return x * amplitude_1


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: G + tw.models.gaussian2d, "gaussian takes x and gaussian2d takes x, y"),
        (lambda: G + np.nan, "finite numbers, not with nan"),
        (lambda: G / 0, "a model cannot be divided by 0"),
        (lambda: G * np.inf, "finite numbers, not with inf"),
        (lambda: G + several, "several cannot be combined with models"),
        (lambda: tw.models.of(taken) + G + G, "would be called amplitude_1; give a part a prefix"),
        (lambda: tw.models.of("a*T*x", "x") + tw.models.of("b*T", "T"), None),
        (lambda: tw.models.arrhenius + tw.models.of("a*T*x", "x"), "T is a variable of one part"),
        (lambda: G.prefixed("1"), "a prefix begins a name of Python"),
        (lambda: G.prefixed(3), "a prefix begins a name of Python"),
        (lambda: G + "a*y", "the independent variable x does not occur"),
        (lambda: G + "gausian", "no built-in model is called 'gausian'; did you mean"),
    ],
)
def test_what_cannot_be_combined_is_refused_in_one_sentence(make, message):
    if message is None:
        make()
        return
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("other", [[1], None, True, np.ones(3), 1j])
def test_what_is_no_model_is_a_type_error(other):
    for combine in (lambda: G + other, lambda: other * G, lambda: (G + L) / other):
        with pytest.raises(TypeError):
            combine()


def test_a_wrong_number_of_parameters_is_refused():
    with pytest.raises(TypeError, match=r"takes 5 parameters \(amplitude, .*\), got 4"):
        (G + L)(X, 1, 2, 3, 4)


def test_too_many_parts_are_refused_in_one_sentence():
    assert len(sum([G] * 100).names) == 301
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        with pytest.raises(ValueError, match="composed of too many parts"):
            sum([G] * 200)
    finally:
        sys.setrecursionlimit(before)


# ---- names of built-in models with operators -------------------------------------------------


@pytest.mark.parametrize(
    "text, model",
    [
        ("gaussian + line", G + L),
        ("2*gaussian - (1 + 2)", 2 * G - 3),
        ("-exponential*polynomial4/3", -E * tw.models.polynomial(4) / 3),
    ],
)
def test_names_of_models_with_operators_are_a_composed_model(text, model):
    info = as_model(text)
    assert info.label == model.formula and info.names == model.names
    assert keyed(text) == keyed(model)
    assert (info.guess is None) == (not model.guesses)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "gaussian + lin",
            "gaussian is a built-in model, in a formula gaussian.x, amplitude, x0, ",
        ),
        ("gausian + 1", "; gaussian is a built-in model, in a formula gaussian.x, amplitude, x0, "),
        ("gaussian + log(2)", "variable x does not occur"),
        ("gaussian**2", "variable x does not occur"),
        ("1 + 2", "variable x does not occur"),
        ("1/0", "variable x does not occur"),
        ("gaussian/0", "cannot be divided by 0"),
        ("gaussian + gaussian2d", "gaussian takes x and gaussian2d takes x, y"),
        ("gaussian +", "invalid syntax"),
    ],
)
def test_other_texts_of_names_are_refused_in_one_sentence(text, message):
    with pytest.raises(ValueError, match=message):
        as_model(text)


def test_a_parameter_may_be_called_like_a_model():
    assert as_model("gaussian*x + line").names == ("gaussian", "line")


# ---- built-in models within formulas ---------------------------------------------------------


@pytest.mark.parametrize(
    "formula, by_hand",
    [
        ("gaussian(x, a, b, c) + line(x, m, d)", BY_HAND["sum"][1]),
        ("gaussian(x, a, x0=b, sigma=c) + line(x, intercept=d, slope=m)", None),
        ("voigt(x, s, g)", lambda x, s, g: tw.models.voigt(x, 1.0, 0.0, s, g, 0.0)),
        ("voigt(x, a, b, s, g)", lambda x, a, b, s, g: tw.models.voigt(x, a, b, s, g, 0.0)),
        ("polynomial2(x, 1, a, b)", lambda x, a, b: 1 + x * (a + x * b)),
        ("a*exponential(log(x + 1), 1, t/2)", lambda x, a, t: a * np.exp(-np.log(x + 1) / (t / 2))),
    ],
)  # fmt: skip
def test_a_formula_calls_built_in_models(formula, by_hand):
    model = as_model(formula)
    theta = np.linspace(0.7, 1.9, len(model.names))
    if by_hand is None:
        assert model.names == ("a", "b", "c", "d", "m")
        by_hand = lambda x, a, b, c, d, m: BY_HAND["sum"][1](x, a, b, c, m, d)  # noqa: E731
    np.testing.assert_allclose(model.function(X, *theta), by_hand(X, *theta), rtol=ROUNDING)


@pytest.mark.parametrize(
    "formula, message",
    [
        (
            "gausian(x, a, b, c)",
            "gausian is an unknown function at column 1; did you mean gaussian",
        ),
        ("gaussian(x, a)", r"gaussian\(x, .*\) lacks x0, sigma, at column 1"),
        ("gaussian(x, a, b, c, d, e)", "takes 5 arguments by place here, not 6, at column 1"),
        ("line(x, a, slop=b)", "has no argument slop; did you mean 'slope'"),
        ("line(x, a, slope=b)", "given slope twice"),
        ("line(*x)", "Starred"),
        ("2 + erf(x=1)", "erf takes no arguments by name"),
        ("gaussian2d(x, a, b)", "lacks x0, y0, sigma"),
    ],
)
def test_a_wrong_call_is_refused_in_one_sentence(formula, message):
    with pytest.raises(ValueError, match=message):
        as_model(formula)
