"""What a model does with shared data alone is computed when it is recorded; depth costs little."""

import time
import warnings
from functools import reduce

import numpy as np
import pandas as pd
import pytest
import scipy.special

import thalweg as tw
from thalweg import SlowModelWarning
from thalweg.model.autodiff import gradient
from thalweg.model.formula import parse
from thalweg.model.graph import Graph
from thalweg.model.trace import record

X = np.linspace(1, 4, 25)
TABLE = np.array([0.0, 2.0, 5.0]), np.array([1.0, 3.0, 2.0])

# How near results of fits to exact data are to the truth, with values up to 300.
CLOSE = {np.float64: dict(rtol=1e-9, atol=1e-9), np.float32: dict(rtol=5e-5, atol=5e-4)}

MODELS = {
    "x[0]": lambda x, a, b: a * (x - x[0]) + b,
    "x[-1]": lambda x, a, b: a * x / x[-1] + b,
    "x[:]": lambda x, a, b: a * x[:] + b,
    "x[...]": lambda x, a, b: a * x[...] + b,
    "slices": lambda x, a, b: a * x / np.mean(x[1:] - x[:-1]) + b,
    "mask": lambda x, a, b: a * x + b * x[x > 2].sum(),
    "min": lambda x, a, b: a * (x - x.min()) + b,
    "max": lambda x, a, b: a * x / x.max() + b,
    "mean": lambda x, a, b: a * (x - x.mean()) + b,
    "sum": lambda x, a, b: a * x / x.sum() + b,
    "np.max": lambda x, a, b: a * x / np.max(x) + b,
    "np.sum": lambda x, a, b: a * x / np.sum(np.exp(x)) + b,
    "np.ptp": lambda x, a, b: a * x / np.ptp(x) + b,
    "norm": lambda x, a, b: a * x / np.linalg.norm(x) + b,
    "Python's max": lambda x, a, b: a * x / max(x) + b,
    "Python's sum": lambda x, a, b: a * x / sum(x) + b,
    "len": lambda x, a, b: a * x / len(x) + b,
    "size": lambda x, a, b: a * x / x.size + b,
    "shape": lambda x, a, b: a * x + b * np.ones(x.shape),
    "np.shape": lambda x, a, b: a * x + b * np.ones(np.shape(x)),
    "astype": lambda x, a, b: a * x.astype(float) + b,
    "astype of the result": lambda x, a, b: (a * x + b).astype(np.float64),
    "copy": lambda x, a, b: a * x.copy() + b,
    "ravel": lambda x, a, b: a * x.ravel() + b,
    "asarray": lambda x, a, b: a * np.asarray(x, dtype=float) + b,
    "array of x": lambda x, a, b: a * np.array(x) + b,
    "array of b": lambda x, a, b: a * x + np.array(b),
    "arange": lambda x, a, b: a * np.arange(len(x)) + b,
    "index": lambda x, a, b: a * np.searchsorted(np.array([2.0, 3.0]), x) + b,
    "interp": lambda x, a, b: a * np.interp(x, *TABLE) + b,
    "cumsum": lambda x, a, b: a * np.cumsum(x) + b,
    "gradient": lambda x, a, b: a * x + b * np.gradient(x**2),
    "diff": lambda x, a, b: a * x + b * np.diff(x, prepend=0.0),
    "Bessel": lambda x, a, b: a * scipy.special.j1(x) + b,
    "gamma": lambda x, a, b: a * x + b * scipy.special.gammainc(2.0, x),
    "branch": lambda x, a, b: a * x + b if x[0] > 0 else b,
    "any": lambda x, a, b: a * x + b * np.any(x > 3),
    "changed copy": lambda x, a, b: a * doubled(x) + b,
}


def doubled(x):
    y = np.array(x)
    y[0] = 2 * y[0]
    return 2 * y


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_models_of_shared_data_are_recorded_and_right(model, dtype):
    with np.errstate(all="raise"):
        y = np.array([model(X, 2.0, 0.5), model(X, -1.0, 3.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", SlowModelWarning)
        r = tw.fit(model, X, y, (1.0, 1.0), dtype=dtype)
    assert r.success.all()
    np.testing.assert_allclose(r.predict(), y, **CLOSE[dtype])
    other = np.linspace(2, 7, 31)  # other constants elsewhere
    want = np.array([model(other, *p) for p in r.params])
    np.testing.assert_allclose(r.predict(other), want, **CLOSE[dtype])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_x_differs_each_data_set_has_its_own_numbers(model, dtype):
    x = X + np.arange(3)[:, None]
    y = np.array([model(row, 2.0, 0.5) for row in x])
    with warnings.catch_warnings():
        warnings.simplefilter("error", SlowModelWarning)
        r = tw.fit(model, x, y, (1.0, 1.0), dtype=dtype)
    assert r.success.all()
    np.testing.assert_allclose(r.predict(), y, **CLOSE[dtype])
    np.testing.assert_allclose(r[1].predict(), y[1], **CLOSE[dtype])
    np.testing.assert_allclose(r.predict(x[2])[2], y[2], **CLOSE[dtype])


@pytest.mark.parametrize(
    "model",
    [
        lambda x, a, b: a * x / np.median(a * x) + b,
        lambda x, a, b: a * x / (a * x).max() + b,
        lambda x, a, b: np.sort(a * x) + b,
        lambda x, a, b: np.array(np.ones_like(x) * a).sum() * x + b,
    ],
)
def test_what_mixes_points_by_way_of_parameters_is_not_recorded(model):
    y = model(X, 2.0, 0.5)
    with pytest.warns(SlowModelWarning):
        r = tw.fit(model, X, y, (1.5, 0.4))
    np.testing.assert_allclose(r.predict(), y, rtol=1e-5)


def test_grids_and_tables_are_shared_data_too():
    xx, yy = np.meshgrid(np.arange(6.0), np.arange(5.0))

    def plane(xy, a, b):
        x, y = xy
        return a * (x - x.mean()) + b * y / y.max() + 0 * x[0, 0]

    def of_columns(d, a, b):
        return a * (d["t"] - d["t"].iloc[0] if hasattr(d["t"], "iloc") else d["t"] - d["t"][0]) + b

    with warnings.catch_warnings():
        warnings.simplefilter("error", SlowModelWarning)
        r = tw.fit(plane, (xx, yy), plane((xx, yy), 2.0, 3.0), (1.0, 1.0))
        np.testing.assert_allclose(r.params, [2, 3], rtol=1e-9)
        table = pd.DataFrame({"t": X, "u": np.nan})
        r = tw.fit(of_columns, table, 2 * (X - X[0]) + 1, (1.0, 1.0))
        np.testing.assert_allclose(r.params, [2, 1], rtol=1e-9)


def test_an_array_that_is_written_to_between_two_uses_is_two_arrays():
    def model(x, a, b):
        y = np.zeros(25)
        first = a * (x + y)
        y += 1
        return first + b * y

    y = model(X, 2.0, 3.0)
    np.testing.assert_allclose(tw.fit(model, X, y, (1.0, 1.0)).params, [2, 3], rtol=1e-9)


# ---- depth ---------------------------------------------------------------------------------------


def nested(function):
    def model(x, *p):
        return reduce(lambda inner, k: function(inner, x, p[k % 2], k), range(DEPTH), p[0] * x)

    return model


DEPTH = 400
NESTED = {
    "minimum": nested(lambda v, x, p, k: np.minimum(v, p + k * x)),
    "maximum": nested(lambda v, x, p, k: np.maximum(v, p - k * x)),
    "where": nested(lambda v, x, p, k: np.where(x < p + k, v, p * x)),
    "where, other branch": nested(lambda v, x, p, k: np.where(x > p + k, p * k, v + p)),
    "clip": nested(lambda v, x, p, k: np.clip(v, p - k, p + k)),
}


def n_nodes(model, depth):
    """Nodes of the model and its gradient; DEPTH is what the model reads."""
    globals()["DEPTH"] = depth
    try:
        graph, output, _ = record(model, 1, 2, 5, single=True)
    finally:
        globals()["DEPTH"] = 400
    gradient(graph, output, [graph.theta(0), graph.theta(1)])
    return graph.size


@pytest.mark.parametrize("model", NESTED.values(), ids=NESTED.keys())
def test_the_gradient_of_nested_choices_grows_as_their_depth(model):
    small, large = n_nodes(model, 100), n_nodes(model, 400)
    assert large < 4.5 * small


def test_doubling_a_value_forty_times_is_forty_operations():
    """A search of the operands must not go every way to a node: there are 2^40."""
    g = Graph(1, 1)
    node = g.add("mul", g.x(0), g.theta(0))
    for _ in range(40):
        node = g.add("add", g.add("square", node), g.add("neg", node))
    end = time.perf_counter() + 20
    gradient(g, g.add("exp", node), [g.theta(0)])
    assert time.perf_counter() < end


@pytest.mark.parametrize(
    "text",
    [
        " and ".join(["a"] * 20000) + " and x",
        " or ".join(["a"] * 20000) + " or x",
        "a" + " < a" * 20000 + " < x",
        " + ".join(["a*x"] * 1500),
        " - ".join(["a"] * 1500) + " - x",
        "*".join(["a"] * 1500) + "*x",
        "max(" + ", ".join(["a"] * 5000) + ", x)",
    ],
    ids=["and", "or", "less", "sum", "difference", "product", "max"],
)
def test_long_chains_of_formulas_are_computed(text):
    formula = parse(text, "x")
    value = float(formula(1.0, 1.0))
    assert np.isfinite(value)
    graph, output, _ = record(formula, 1, 1, 3, single=True)
    gradient(graph, output, [graph.theta(0)])


def test_conditions_of_formulas_are_numbers():
    x = np.array([1.0, 3.0])
    for text, want in {
        "exp(x < a)": np.exp([1.0, 0.0]),
        "-(x < a)": [-1.0, 0.0],
        "(x < a) + (x < 4)": [2.0, 1.0],
        "(x < a) - (x < 4)": [0.0, -1.0],
        "(x < a) / 4": [0.25, 0.0],
        "not x < a": [0.0, 1.0],
        "x < a and a < 9": [1.0, 0.0],
        "0 < x < a": [1.0, 0.0],
        "(x < a)*10 if x < 9 else a": [10.0, 0.0],
    }.items():
        formula = parse(text, "x", ["a"])
        got = np.asarray(formula(x, 2.0))
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, want, err_msg=text)
        r = tw.fit(text, x, want, {"a": 2.0}, fixed=["a"])
        np.testing.assert_allclose(r.predict(), want, err_msg=text)
