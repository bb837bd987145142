"""What a model reads of x alone, where points of x are masked or missing: it reads the others."""

import numpy as np
import pytest

import thalweg as tw

N, B = 30, 3
X = np.linspace(0, 5, N)
MISSING = np.arange(N) % 7 == 0  # the first point as well


def decay(x, a, tau):
    return a * np.exp(-x / tau)


READINGS = {
    "mean": lambda x, a, tau: decay(x - x.mean(), a, tau),
    "np.mean": lambda x, a, tau: decay(x - np.mean(x), a, tau),
    "min": lambda x, a, tau: decay(x - x.min(), a, tau),
    "max of a part": lambda x, a, tau: decay(x / np.max(2 * x + 1), a, tau),
    "ptp": lambda x, a, tau: decay(x / np.ptp(x), a, tau),
    "median": lambda x, a, tau: decay(x - np.median(x), a, tau),
    "first": lambda x, a, tau: decay(x - x[0], a, tau),
    "last": lambda x, a, tau: decay(x - x[-1], a, tau),
    "len": lambda x, a, tau: decay(x - x.sum() / len(x), a, tau),
    "size": lambda x, a, tau: decay(x - x.sum() / x.size, a, tau),
    "shape": lambda x, a, tau: decay(x, a, tau) * np.ones(x.shape) / x.shape[0],
    "all points": lambda x, a, tau: decay(np.cumsum(x), a, 9 * tau),
    "steps": lambda x, a, tau: decay(x, a, tau) * np.gradient(x),
    "places": lambda x, a, tau: decay(np.linspace(0, 1, len(x)), a, tau),
}


def masked(x, missing):
    return np.ma.masked_array(
        np.where(missing, 1e9, x), missing
    )  # what lies under it is never read


def with_nan(x, missing):
    return np.where(missing, np.nan, x)


@pytest.mark.parametrize("given", [masked, with_nan])
@pytest.mark.parametrize("reading", READINGS)
def test_a_shared_x(reading, given):
    f = READINGS[reading]
    y = 3 * decay(X, 1, 2) + 0.01 * np.cos(9 * X)
    r = tw.fit(f, given(X, MISSING), y, [1, 1])
    alone = tw.fit(f, X[~MISSING], y[~MISSING], [1, 1])
    assert r.success and r.n_used == alone.n_used
    np.testing.assert_allclose(r.params, alone.params, rtol=1e-9)
    np.testing.assert_allclose(r.stderr, alone.stderr, rtol=1e-7)
    np.testing.assert_allclose(r.fitted[~MISSING], alone.fitted, rtol=1e-9)


@pytest.mark.parametrize("reading", READINGS)
def test_an_x_of_each_data_set(reading):
    f = READINGS[reading]
    x = X + np.arange(B)[:, None] / 3
    y = decay(X, 3, 2) + 0.01 * np.cos(9 * x)
    missing = (np.arange(N) + np.arange(B)[:, None]) % 5 == 0  # as many of each, other ones
    missing[2, 3] = True
    r = tw.fit(f, masked(x, missing), y, [1, 1])
    assert r.success.all()
    for k, keep in enumerate(~missing):
        alone = tw.fit(f, x[k][keep], y[k][keep], [1, 1])
        np.testing.assert_allclose(r.params[k], alone.params, rtol=1e-9)


def test_a_point_that_another_variable_lacks_is_not_read():
    """Neither of one data set nor of each: x[1] differs from fit to fit, x[0] does not."""

    def f(x, a, b):
        return a * (x[0] - x[0].mean()) + b * x[1]

    other = np.cos(np.arange(B * N).reshape(B, N))
    missing = (np.arange(N) + np.arange(B)[:, None]) % 4 == 0
    y = 2 * X + other
    r = tw.fit(f, (X, with_nan(other, missing)), y, [1, 1])
    one = tw.fit(f, (X, with_nan(other[1], missing[1])), y[1], [1, 1])
    for k, keep in enumerate(~missing):
        alone = tw.fit(f, (X[keep], other[k][keep]), y[k][keep], [1, 1])
        np.testing.assert_allclose(r.params[k], alone.params, rtol=1e-9)
    np.testing.assert_array_equal(one.params, r.params[1])


def test_a_point_whose_y_is_missing_is_read():
    """Its x is known: the model is the same function of x in every fit of a batch."""
    f, y = READINGS["mean"], np.array([decay(X, 3, 2), decay(X, 2, 3)])
    whole = tw.fit(f, X, y, [1, 1])
    r = tw.fit(f, X, with_nan(y, MISSING), [1, 1])
    np.testing.assert_allclose(r.params, whole.params, rtol=1e-9)


def test_float32():
    f, x = READINGS["mean"], with_nan(X, MISSING).astype(np.float32)
    y = decay(X, 3, 2).astype(np.float32)
    r = tw.fit(f, x, y, [1, 1], dtype=np.float32)
    assert r.success and r.params.dtype == np.float32
    alone = tw.fit(f, x[~MISSING], y[~MISSING], [1, 1], dtype=np.float32)
    np.testing.assert_allclose(r.params, alone.params, rtol=1e-5)


# ---- models that Python calls ------------------------------------------------------------------


called = pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")


def called_mean(x, a, tau):
    """A decay from the mean of x, which cannot be recorded and is raised by a missing x."""
    assert np.isfinite(x).all()
    return float(a) * np.exp(-(x - x.mean()) / tau)


@called
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("given", [masked, with_nan])
def test_a_model_that_python_calls(given, dtype):
    y = decay(X, 3, 2)
    r = tw.fit(called_mean, given(X, MISSING), y, [1, 1], dtype=dtype)
    alone = tw.fit(called_mean, X[~MISSING], y[~MISSING], [1, 1], dtype=dtype)
    assert r.success
    np.testing.assert_allclose(r.params, alone.params, rtol=1e-7 if dtype == np.float64 else 1e-4)
    assert np.isnan(r.fitted[MISSING]).all()


@called
@pytest.mark.parametrize("lacking", range(B))
def test_any_data_set_may_be_the_first_that_lacks_x(lacking):
    x, y = np.tile(X, (B, 1)), decay(X, 3, 2) * np.arange(1, B + 1)[:, None]
    x[lacking, MISSING] = np.nan
    r = tw.fit(called_mean, x, y, [1, 1])
    assert r.success.all()
    for k in range(B):
        known = ~np.isnan(x[k])
        alone = tw.fit(called_mean, x[k, known], y[k, known], [1, 1])
        np.testing.assert_allclose(r.params[k], alone.params, rtol=1e-7)


@called
@pytest.mark.parametrize("bad", [np.nan, -1e-300])
def test_a_first_start_that_is_no_good_leaves_the_others(bad):
    def f(x, a, tau):
        return float(a) * np.exp(-(x - x.mean()) / tau)

    y = decay(X, 3, 2) * np.arange(1, B + 1)[:, None]
    start = np.array([[1, bad], [1, 1], [1, 1]])
    r = tw.fit(f, with_nan(X, MISSING), y, start)
    assert r.success[1:].all()


@called
def test_a_model_that_python_calls_and_that_holds_an_array_for_all_points():
    y = decay(X, 3, 2)
    r = tw.fit(lambda x, a: float(a) * y * np.exp(0 * x), with_nan(X, MISSING), y, [2])
    assert r.success and r.n_used == N - MISSING.sum()
    np.testing.assert_allclose(r.params, 1)
    words = (
        r"^x is missing at 5 of 30 points; with the others alone the model raises ValueError: .*"
        r"and with all of them it is not finite where x is known: give x there, and leave the point"
    )
    with pytest.raises(ValueError, match=words):
        tw.fit(lambda x, a: float(a) * y * (x - x.mean()), with_nan(X, MISSING), y, [2])
    r = tw.fit(lambda x, a: y * np.log(float(a)) * np.exp(0 * x), with_nan(X, MISSING), y, [-1])
    assert r.status == tw.Status.NOT_FINITE  # with every x known, too


@called
@pytest.mark.parametrize(
    "value, error",
    [(lambda x: x + 1j, TypeError), (lambda x: x[1:], ValueError), (lambda x: None, TypeError)],
)
def test_what_is_no_row_of_real_numbers_is_refused_as_ever(value, error):
    with pytest.raises(error, match="the model must return"):
        tw.fit(lambda x, a: value(float(a) * x), with_nan(X, MISSING), X, [2])


def test_points_on_a_grid():
    """An image of which x is missing somewhere has no rows left, so that x[0] has no meaning."""
    u, v = np.meshgrid(np.arange(5.0), np.arange(6.0))
    z = 2 * u + v
    u[2, 3] = np.nan
    r = tw.fit(lambda x, a, b: a * x[0] + b * x[1], (u, v), z, [1, 1])
    np.testing.assert_allclose(r.params, [2, 1])
    with pytest.raises(ValueError, match=r"points on a grid are missing .*leave the points out by"):
        tw.fit(lambda x, a, b: a * (x[0] - x[0].mean()) + b * x[1], (u, v), z, [1, 1])
