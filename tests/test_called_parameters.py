"""Parameters, independent variables and derivatives of models that are called."""

import functools
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from called_cases import X, Y, params_by
from problems import decay, line

import thalweg as tw
from thalweg import SlowModelWarning

# ---- its parameters ------------------------------------------------------------------------------


@pytest.fixture(params=["fit", "curve_fit"])
def fit(request):
    """Parameters of a fit, by either function."""
    return params_by(request.param)


def keyword_only(x, a, *, b):
    return a * x + b


def all_keyword_only(x, *, a, b):
    return a * x + b


def with_option(x, a, b, *, power=1):
    return a * x**power + b


def with_options(x, a, b, **options):
    return a * x ** options.get("power", 1) + b


class Line:
    def __call__(self, x, a, b):
        return a * x + b

    def method(self, x, a, b):
        return a * x + b

    @staticmethod
    def static(x, a, b):
        return a * x + b

    @classmethod
    def of_class(cls, x, a, b):
        return a * x + b


def scaled(factor, x, a, b):
    return factor * a * x + b


@functools.wraps(line)
def wrapped(*args):
    return line(*args)


@pytest.mark.parametrize(
    "model",
    [
        keyword_only,
        all_keyword_only,
        with_option,
        with_options,
        Line(),
        Line().method,
        Line.static,
        Line.of_class,
        functools.partial(scaled, 1.0),
        functools.partial(with_option, power=1),
        functools.partial(with_options, power=1),
    ],
    ids=lambda model: re.sub(" at 0x[0-9a-f]+", "", str(model)),  # the same in every process
)
def test_every_kind_of_callable_shows_its_parameters(fit, model):
    np.testing.assert_allclose(fit(model), [2, 1], rtol=1e-8)
    r = tw.fit(model, X, Y, {"b": 1.0, "a": 1.0})
    assert r.names == ("a", "b")
    np.testing.assert_allclose(r.params, [2, 1], rtol=1e-12)


def test_a_decorated_function_shows_what_it_wraps():
    assert tw.fit(wrapped, X, Y, (1.0, 1.0)).names == tw.fit(line, X, Y, (1.0, 1.0)).names


@pytest.mark.parametrize(
    ("held", "left", "value"), [({"a": 2}, "b", 1.0), ({"b": 1}, "a", 2.0), ({"a": 2.0}, "b", 1.0)]
)
def test_partial_by_keyword_holds_a_parameter(held, left, value):
    def model(x, a, b):
        return a * x + b

    f = functools.partial(model, **held)
    r = tw.fit(f, X, Y, {left: 0.5})
    assert r.names == (left,)
    np.testing.assert_allclose(r.params, [value], rtol=1e-12)
    np.testing.assert_allclose(tw.curve_fit(f, X, Y)[0], [value], rtol=1e-12)
    np.testing.assert_allclose(r.predict(), Y, rtol=1e-12)
    np.testing.assert_allclose(r.predict([0.0]), [1.0], rtol=1e-12)


def test_kwargs_take_the_parameters_that_the_start_names():
    def model(x, **p):
        return sum(value * x ** int(name[1:]) for name, value in p.items())

    r = tw.fit(model, X, Y, {"c0": 1.0, "c1": 1.0}, bounds={"c1": (0, None)})
    assert r.names == ("c0", "c1")
    np.testing.assert_allclose(r.params, [1, 2], rtol=1e-10)

    def more(x, a, *, b, **p):
        return a * x + b + p["c"] * x**2

    r = tw.fit(more, X, Y, {"c": 1.0, "b": 1.0, "a": 1.0})
    assert r.names == ("a", "b", "c")
    np.testing.assert_allclose(r.params, [2, 1, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("model", "p0"),
    [
        (lambda x: x, None),
        (lambda x: x, []),
        (lambda x, **p: x, [1.0]),
        (functools.partial(line, a=1, b=1), [1.0]),
        ("2*x", None),
    ],
)
def test_a_model_without_parameters_is_one_sentence(model, p0):
    with pytest.raises(ValueError, match="has no parameters to fit") as caught:
        tw.fit(model, X, Y, p0)
    assert "\n" not in str(caught.value)
    if callable(model):
        with pytest.raises(ValueError, match="has no parameters to fit"):
            tw.curve_fit(model, X, Y)


def test_results_of_functions_called_by_name_pickle():
    r = pickle.loads(pickle.dumps(tw.fit(keyword_only, X, Y, (1.0, 1.0))))
    np.testing.assert_allclose(r.predict(), Y)


# ---- its x ---------------------------------------------------------------------------------------

TABLE = pd.DataFrame({"t": X, "u": np.sin(X), "name": list("abcdefgh")})


OF_TABLE = {
    "by item": lambda d, a, b: a * d["t"] + b * d["u"],
    "by attribute": lambda d, a, b: a * d.t + b * d.u,
    "several at once": lambda d, a, b: d[["t", "u"]].to_numpy() @ np.array([a, b]),
    "by place": lambda d, a, b: a * d.iloc[:, 0] + b * d.iloc[:, 1],
    "NumPy": lambda d, a, b: a * np.asarray(d["t"]) + b * np.asarray(d["u"]),
}


@pytest.mark.parametrize("model", OF_TABLE.values(), ids=OF_TABLE.keys())
def test_a_table_is_x(fit, model):
    y = 2 * X + 3 * np.sin(X)
    np.testing.assert_allclose(fit(model, TABLE, y), [2, 3], rtol=1e-8)
    wanted = scipy.optimize.curve_fit(model, TABLE, y, [1, 1])[0]
    np.testing.assert_allclose(fit(model, TABLE, y), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    "x",
    [
        {"t": X, "u": np.sin(X)},
        {"t": list(X), "u": np.sin(X), "unused": np.zeros(8), "words": list("abcdefgh")},
        np.array(list(zip(X, np.sin(X), strict=True)), dtype=[("t", float), ("u", float)]),
    ],
    ids=["dict", "dict of lists", "structured"],
)
def test_a_dict_and_a_structured_array_are_x(fit, x):
    y = 2 * X + 3 * np.sin(X)
    for model in (OF_TABLE["by item"], OF_TABLE["NumPy"]):
        np.testing.assert_allclose(fit(model, x, y), [2, 3], rtol=1e-8)


def test_columns_may_differ_from_fit_to_fit():
    t = X + np.arange(3)[:, None]
    y = 2 * t + 3 * np.sin(X)
    for model in (OF_TABLE["by item"], OF_TABLE["NumPy"]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlowModelWarning)
            r = tw.fit(model, {"t": t, "u": np.sin(X)}, y, (1.0, 1.0))
        np.testing.assert_allclose(r.params, [[2, 3]] * 3, rtol=1e-8)
        np.testing.assert_allclose(r.predict(), y, rtol=1e-7, atol=1e-7)


def test_a_formula_and_a_built_in_model_find_their_columns():
    y = 2 * X + 3 * np.sin(X)
    formula = dict(p0={"a": 1, "b": 1}, independent=("t", "u"))
    for x in (TABLE, {"u": np.sin(X), "t": X}):
        r = tw.fit("a*t + b*u", x, y, **formula)
        np.testing.assert_allclose(r.params, [2, 3], rtol=1e-10)
        np.testing.assert_allclose(r.predict(x), y, rtol=1e-10, atol=1e-10)
    r = tw.fit("line", {"x": X, "other": X}, Y)
    np.testing.assert_allclose(r.params, [2, 1], rtol=1e-10)
    with pytest.raises(ValueError, match="x has no column 'x', which the model takes; it has 't'"):
        tw.fit("line", TABLE, Y)


def test_a_column_is_predicted_elsewhere():
    y = 2 * X + 3 * np.sin(X)
    elsewhere = pd.DataFrame({"u": [0.0, 1.0], "t": [1.0, 0.0]})
    for model in OF_TABLE.values():
        if model is OF_TABLE["by place"]:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlowModelWarning)
            r = tw.fit(model, TABLE[["t", "u"]], y, (1.0, 1.0))
        np.testing.assert_allclose(r.predict(elsewhere), [2, 3], rtol=1e-7)


def test_a_series_is_x(fit):
    x = pd.Series(X, index=list("abcdefgh"))
    for model in (
        line,
        lambda x, a, b: a + b * x.to_numpy(),
        lambda x, a, b: a + b * x.iloc[:],
        lambda x, a, b: a + b * x.loc["a":"h"],
    ):
        np.testing.assert_allclose(fit(model, x), [1, 2], rtol=1e-8)


def test_any_object_is_xdata_of_curve_fit():
    class Experiment:
        times = X

    p, _ = tw.curve_fit(lambda e, a, b: a * e.times + b, Experiment(), Y)
    np.testing.assert_allclose(p, [2, 1], rtol=1e-12)
    p, _ = tw.curve_fit(lambda k, a, b: k * (a * X + b), 3.0, 3 * Y)
    np.testing.assert_allclose(p, [2, 1], rtol=1e-12)


# ---- derivatives by differences ------------------------------------------------------------------


def stubborn(f):
    """The same function, called."""

    def model(x, *params):
        return f(np.asarray(x), *map(float, params))

    return model


@pytest.mark.parametrize("unit_x", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("unit_y", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("c", [0.0, 0.3, 100.0])
def test_differences_have_the_right_step_in_any_unit(unit_x, unit_y, c):
    """A parameter that is 0, or passes 0, or is far from it, has no unit of its own."""
    t = np.linspace(0, 5, 40)
    x = unit_x * t
    y = unit_y * (decay(t, 3, 1.2, c) + 0.01 * np.cos(31 * t))
    p0 = np.array([2.0 * unit_y, 1.0 * unit_x, 0.0])
    with pytest.warns(SlowModelWarning):
        slow = tw.fit(stubborn(decay), x, y, p0)
    fast = tw.fit(decay, x, y, p0)
    assert slow.success and fast.success
    scale = np.array([unit_y, unit_x, unit_y])
    np.testing.assert_allclose(slow.params / scale, fast.params / scale, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(slow.stderr, fast.stderr, rtol=1e-5)


def test_differences_stay_within_bounds():
    """Where the model is not defined beyond them, too."""
    seen = []

    def model(x, a, b):
        seen.append((float(a), float(b)))
        return float(a) * np.sqrt(float(b) + np.asarray(x))

    y = 2 * np.sqrt(X)
    with pytest.warns(SlowModelWarning):
        r = tw.fit(model, X, y, (1.0, 0.0), bounds=([0, 0], [3, 9]))
    np.testing.assert_allclose(r.params, [2, 0], atol=1e-7)
    a, b = np.transpose(seen)
    assert a.min() >= 0 and a.max() <= 3 and b.min() >= 0


def test_where_one_side_is_not_defined_the_other_serves():
    def model(x, a, b):
        return a * np.sqrt(np.asarray(x) - float(b))  # NaN for b > 0 at x = 0

    with pytest.warns(SlowModelWarning):
        r = tw.fit(model, X, 2 * np.sqrt(X + 1.0), (1.0, 0.0))
    np.testing.assert_allclose(r.params, [2, -1], rtol=1e-6)


def test_called_models_cost_few_calls():
    """At most 4 P + 12 calls a parameter's worth of fit: half of what central differences need."""
    calls = 0

    def model(x, a, tau, c):
        nonlocal calls
        calls += 1
        return decay(np.asarray(x), float(a), float(tau), float(c))

    t = np.linspace(0, 5, 40)
    y = decay(t, 3, 1.2, 0.5) + 0.01 * np.cos(31 * t)
    with pytest.warns(SlowModelWarning):
        r = tw.fit(model, t, y, (2.0, 1.0, 0.0))
    trials = int(r.n_iter) + 1
    assert r.success and calls < 0.85 * (2 * 3 + 1) * trials + 6


def test_differences_of_residuals_that_vanish():
    """Their range goes to 0, and steps that went with it would end in the rounding of theta."""
    i = np.arange(1, 11)
    t = i / 11

    def residuals(x, *theta):  # a discrete integral equation of Moré, Garbow and Hillstrom
        theta = np.array(theta, float)
        cube = (theta + t + 1) ** 3
        left, right = np.cumsum(t * cube), (1 - t) * cube
        return theta + ((1 - t) * left + t * (np.sum(right) - np.cumsum(right))) / 22

    start = dict(zip([f"p{k}" for k in i], t * (t - 1), strict=True))
    names = ", ".join(start)
    model = eval(f"lambda x, {names}: residuals(x, {names})", {"residuals": residuals})
    with pytest.warns(SlowModelWarning):
        r = tw.fit(model, t, np.zeros(10), start, absolute_sigma=True)
    assert r.success and r.chi2 < 1e-20 and r.n_iter <= 8, r.reason()
    assert (np.abs(r.stderr - 1) < 0.5).all()  # J is the identity and a little more
