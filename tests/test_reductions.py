"""Models that reduce an x of their own for each fit are recorded for each, with masks too."""

import numpy as np
import pytest

import thalweg as tw
from thalweg import SlowModelWarning
from thalweg.fitting.evaluation import jacobian

X = np.linspace(0.5, 10, 20)
OWN = np.stack([X, 1.3 * X + 0.2, 0.7 * X])
TRUTH = 2.0, 0.5

OF_X_ALONE = {
    "x.std()": lambda x: x.std(),
    "x[-1] - x[0]": lambda x: x[-1] - x[0],
    "np.median": lambda x: np.median(x),
    "np.linspace": lambda x: np.linspace(x.min(), x.max(), 5).sum(),
    "np.sort": lambda x: np.sort(x)[2],
    "np.where": lambda x: np.where(x > x.mean(), 1.0, 0.5),
    "x @ x": lambda x: x @ x / 100,
    "ones @ x": lambda x: np.ones(len(x)) @ x / 100,
    "float": lambda x: float(x.mean()),
    "no x": lambda x: 1.0,
}
BY_NAME = pytest.mark.parametrize("name", OF_X_ALONE)


def model_with(name):
    """Return a decay in units of what is computed of x alone, above what is computed of it."""
    reduced = OF_X_ALONE[name]

    def model(x, a, b):
        return a * np.exp(-b * x / np.max(x)) + reduced(x) * (1 + a)

    return model


@BY_NAME
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_each_data_set_has_its_own_numbers(name, dtype, masked):
    """A warning, that the model is called, would be an error."""
    model = model_with(name)
    y = np.stack([model(x, *TRUTH) for x in OWN])
    mask = np.arange(20) % 7 == 3 if masked else None
    r = tw.fit(model, OWN, y, (1.0, 1.0), mask=mask, dtype=dtype)
    assert r.success.all() and r.problem.recording is not None
    tolerance = 1e-8 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(r.params, [TRUTH] * 3, rtol=tolerance)
    np.testing.assert_allclose(r.fitted, y, rtol=tolerance)
    np.testing.assert_allclose(r[1].fitted, y[1], rtol=tolerance)
    np.testing.assert_allclose(r.predict(OWN[2])[2], y[2], rtol=tolerance)


@BY_NAME
def test_a_shared_x_has_one_recording(name):
    model = model_with(name)
    r = tw.fit(model, X, [model(X, *TRUTH)] * 2, (1.0, 1.0))
    np.testing.assert_allclose(r.params, [TRUTH] * 2, rtol=1e-8)
    assert all(row.step == 0 for row in r.problem.recording.rows)


def test_every_fit_is_the_one_that_it_is_alone():
    model = model_with("x.std()")
    y = np.stack([model(x, *TRUTH) for x in OWN]) + 0.01 * np.cos(9 * X)
    together = tw.fit(model, OWN, y, (1.0, 1.0))
    alone = [tw.fit(model, x, v, (1.0, 1.0)) for x, v in zip(OWN, y, strict=True)]
    np.testing.assert_allclose(together.params, [r.params for r in alone], rtol=1e-8)
    np.testing.assert_allclose(together.stderr, [r.stderr for r in alone], rtol=1e-6)
    J = [jacobian(r.problem, r.params) for r in alone]
    np.testing.assert_allclose(together.jacobian, J, rtol=1e-7)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
@pytest.mark.parametrize("of_x", [1.0, 1e120])
def test_units_beyond_squares_leave_each_its_numbers(unit, of_x):
    def model(x, a, b):
        return a * np.exp(-b * x / x.max()) + a * np.sort(x) / of_x

    y = unit * np.stack([model(x, *TRUTH) for x in of_x * OWN])
    r = tw.fit(model, of_x * OWN, y, (unit, 1.0))
    assert r.success.all()
    np.testing.assert_allclose(r.params, [(TRUTH[0] * unit, TRUTH[1])] * 3, rtol=1e-8)


def test_columns_of_each_fit():
    def model(table, a, b):
        return a * np.exp(-b * table["t"] / table["t"].max()) + table["u"][0]

    t, u = OWN, np.full_like(OWN, 3.0) + np.arange(3)[:, None]
    y = np.stack([model({"t": p, "u": q}, *TRUTH) for p, q in zip(t, u, strict=True)])
    r = tw.fit(model, {"t": t, "u": u, "unused": t}, y, (1.0, 1.0), axis=-1)
    np.testing.assert_allclose(r.params, [TRUTH] * 3, rtol=1e-8)
    assert r.problem.data.names == ("t", "u")


@pytest.mark.parametrize(
    "other",
    [lambda x, a, b: a / (1 + b * x), lambda x, a, b: a * np.tanh(b * x)],
    ids=["more numbers", "as many numbers"],
)
def test_another_course_for_another_data_set_is_told(other):
    def model(x, a, b):
        return a * np.exp(-b * x) if x.max() > 8 else other(x, a, b)

    y = np.stack([model(x, *TRUTH) for x in OWN])
    with pytest.warns(SlowModelWarning, match=r"something else for another data set.*np\.where"):
        r = tw.fit(model, OWN, y, (1.0, 1.0))
    np.testing.assert_allclose(r.params, [TRUTH] * 3, rtol=1e-6)


@pytest.mark.parametrize("x", [X, OWN], ids=["shared", "own"])
def test_some_of_the_points_are_no_model(x):
    y = np.ones(x.shape)
    with pytest.raises(ValueError, match=r"one value per point, shape \(20,\), got shape \(19,\)"):
        tw.fit(lambda x, a, b: a + b * x[1:], x, y, (1.0, 1.0))


def test_no_data_set_at_all():
    r = tw.fit(lambda x, a, b: a + b * x, np.empty((0, 20)), np.empty((0, 20)), (1.0, 1.0))
    assert r.params.shape == (0, 2)
