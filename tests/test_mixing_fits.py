"""Fits of models whose points mix: the same bits, what is left out, units, and every option."""

import functools
import pickle
import warnings

import numpy as np
import pytest
import scipy.optimize
from mixing_cases import POINT, abscissa, of_length, response_of

import thalweg as tw

RESPONSE = response_of(9)
TRUTH = {"a": 1.3, "b": 0.7, "c": 0.45}
START = {"a": 1.0, "b": 1.0, "c": 0.1}


@pytest.fixture(autouse=True)
def recorded():
    """All models of this file are recorded."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        yield


def model(x, a, b, c):
    return np.convolve(a * np.exp(-b * x), RESPONSE)[: len(x)] + c


@functools.cache
def data(N=64, B=30, noise=0.01):
    x, rng = abscissa(N), np.random.default_rng(N)
    return x, model(x, **TRUTH) + noise * rng.standard_normal((B, N))


def same(a, b, rows=...):
    for name in ("params", "cov", "chi2", "status"):
        np.testing.assert_array_equal(getattr(a, name)[rows], getattr(b, name), err_msg=name)


@pytest.mark.parametrize("N", [9, 64, 511, 512, 513])
def test_a_fit_alone_has_the_bits_of_the_batch_and_of_any_threads(N):
    x, y = data(N)
    r = tw.fit(model, x, y, START, threads=1)
    assert r.success.all()
    same(r, tw.fit(model, x, y, START, threads=2))
    for k in (0, 1, 8, 29):
        same(r, tw.fit(model, x, y[k], START), k)


def test_threads_share_the_chunks_of_one_long_fit():
    """The curves of a trial are made once, and all threads read them."""
    x, y = data(30_000, 1)
    one, two = (tw.fit(model, x, y[0], START, threads=n) for n in (1, 2))
    assert one.success
    same(one, two)
    f = [tw.fit(nested, x, nested(x, **TRUTH), START, threads=n) for n in (1, 2)]
    assert f[0].success
    same(*f)


def nested(x, a, b, c):
    f = np.convolve(np.exp(-b * x), RESPONSE, "same")
    return a * f / np.mean(f) + np.cumsum(c * f) / len(x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scipy_finds_the_same(dtype):
    x, y = data()
    y = y.astype(dtype)
    r = tw.fit(model, x.astype(dtype), y, START)
    for k in range(5):
        popt, pcov = scipy.optimize.curve_fit(model, x, y[k].astype(float), list(START.values()))
        close = 1e-5 if dtype == np.float64 else 3e-3
        np.testing.assert_allclose(r.params[k], popt, rtol=close)
        np.testing.assert_allclose(r.stderr[k], np.sqrt(np.diag(pcov)), rtol=100 * close)


def test_points_left_out_still_count_in_the_curve():
    x, y = data()
    sigma = np.where(np.arange(64) % 7 == 3, np.inf, 0.01)
    missing = np.where(np.isinf(sigma), np.nan, y)
    r = tw.fit(model, x, missing, START, sigma=np.full(64, 0.01))
    same(r, tw.fit(model, x, y, START, sigma=sigma))
    keep = np.isfinite(sigma)
    popt, _ = scipy.optimize.curve_fit(
        lambda x, a, b, c: model(x, a, b, c)[keep], x, y[0][keep], list(START.values())
    )
    np.testing.assert_allclose(r.params[0], popt, rtol=1e-5)


def test_a_point_whose_x_is_missing_has_no_place_in_a_curve():
    """Without the point the others would not be those that the response was measured at."""
    x, y = data()
    x = np.where(np.arange(64) == 7, np.nan, x)
    y = np.where(np.isnan(x), np.nan, y)
    with pytest.raises(ValueError, match=r"it mixes points, of which x is missing at some .*mask="):
        tw.fit(model, x, y, START)


def test_a_fit_of_its_own_x_that_is_missing_ends_with_its_reason():
    x, y = data()
    x, y = np.tile(x, (3, 1)), y[:3]
    x[1, 7] = np.nan
    r = tw.fit(lambda x, a, b: a * np.cumsum(np.exp(-b * x)), x, y, [1, 1])
    assert r.status[1] == tw.Status.NOT_FINITE and "model" in r.reason(1)
    assert (r.status[[0, 2]] > 0).all()


@pytest.mark.parametrize("of_y", [1e-250, 1e250])
@pytest.mark.parametrize("of_x", [1e-200, 1e200])
@pytest.mark.parametrize("of_response", [1.0, 1e-40, 1e40])
def test_units_change_nothing(of_x, of_y, of_response):
    x, y = data()

    def scaled(x, a, b, c):
        curve = np.convolve(a * np.exp(-b * x), RESPONSE * of_response)[: len(x)]
        return curve * (0.5 + np.cumsum(np.exp(-b * x)) / np.sum(np.exp(-b * x))) + c

    def plain(x, a, b, c):
        curve = np.convolve(a * np.exp(-b * x), RESPONSE)[: len(x)]
        return curve * (0.5 + np.cumsum(np.exp(-b * x)) / np.sum(np.exp(-b * x))) + c

    units = np.array([of_y / of_response, 1 / of_x, of_y])
    r = tw.fit(scaled, x * of_x, y[:3] * of_y, list(np.array([1, 1, 0.1]) * units))
    expected = tw.fit(plain, x, y[:3], START)
    assert r.success.all()
    np.testing.assert_allclose(r.params / units, expected.params, rtol=1e-9)
    np.testing.assert_allclose(r.stderr / units, expected.stderr, rtol=1e-7)


@pytest.mark.parametrize("of_x", [2.0**k for k in (-603, -601, -599, -597, -595, -593, 90, 600)])
def test_a_shift_in_any_unit(of_x):
    """A shift is a number of points: a time over a step of time, whatever these are measured in."""
    x = abscissa(64)

    def late(unit):
        step = unit * (x[1] - x[0])
        return lambda t, a, t0: tw.convolve(a * np.exp(-t / unit), RESPONSE, shift=t0 / step)

    y = late(1.0)(x, 1.3, 0.3) + 0.01 * np.random.default_rng(3).standard_normal((2, 64))
    expected = tw.fit(late(1.0), x, y, [1, 0.25])
    r = tw.fit(late(of_x), x * of_x, y, [1, 0.25 * of_x])
    assert expected.success.all() and r.success.all()
    np.testing.assert_allclose(r.params / [1, of_x], expected.params, rtol=1e-8)


def test_a_grid_in_any_unit():
    grid = np.linspace(0, 4, 80)

    def on_grid(scale):
        return lambda x, a, b, c: np.convolve(a * np.exp(-b * grid * scale), RESPONSE, "valid") + c

    x = np.arange(72.0)
    y = on_grid(1.0)(x, *POINT)
    for scale in (1e-300, 1e-30, 1e30):
        r = tw.fit(on_grid(scale), x, y, [1, 1 / scale, 0.1])
        np.testing.assert_allclose(r.params, [1.3, 0.7 / scale, 0.45], rtol=1e-6)


def test_every_option_takes_such_models():
    x, y = data()
    whole = tw.fit(model, x, y, START)
    tied = tw.fit(model, x, y, {"a": 1.0, "b": 1.0}, tied={"c": "a/3"})
    np.testing.assert_array_equal(tied["c"], tied["a"] / 3)
    box = {"b": (0.1, 0.6999)}
    held = tw.fit(model, x, y, START | {"b": 0.5}, fixed={"c": 0.45}, bounds=box)
    assert held.success.all() and (held["b"] <= 0.6999).all()
    free = tw.fit(model, x, y, {"b": 1.0}, linear="auto")
    np.testing.assert_allclose(free.params, whole.params, rtol=1e-5)
    group = tw.fit(model, x, y.reshape(3, 10, 64), START, shared=["b"])
    assert group.success.all() and (np.ptp(group["b"], axis=1) == 0).all()
    robust = tw.fit(model, x, y, START, robust="huber")
    np.testing.assert_allclose(robust.params, whole.params, rtol=0.1)
    counts = np.random.default_rng(5).poisson(100 * y).astype(float)
    poisson = tw.fit(model, x, counts, {"a": 90.0, "b": 1.0, "c": 30.0}, noise="poisson")
    assert poisson.success.all()
    np.testing.assert_allclose(poisson.params.mean(axis=0), [130, 0.7, 45], rtol=0.05)


def test_results_go_on_with_such_models():
    x, y = data()
    r = tw.fit(model, x, y[:4], START)
    far = np.linspace(0, 5, 101)
    np.testing.assert_allclose(r.predict(far)[2], model(far, *r.params[2]), rtol=1e-12)
    np.testing.assert_allclose(r.fitted[1], model(x, *r.params[1]), rtol=1e-12)
    assert r.band(x).shape[-1] == 2 or len(r.band(x)) == 2
    low, high = np.moveaxis(np.asarray(r.interval(0.95)), -1, 0)
    assert ((low < r.params) & (r.params < high)).all()
    assert np.isfinite(r[0].profile("b").interval).all()
    assert np.isfinite(r[:2].bootstrap(5, seed=1).stderr).all()
    again = pickle.loads(pickle.dumps(tw.fit(model, x, y[0], START)))
    np.testing.assert_allclose(again.predict(x), r.fitted[0], rtol=1e-9)
    popt, _ = tw.curve_fit(model, x, y[0], list(START.values()))
    np.testing.assert_allclose(popt, r.params[0], rtol=1e-6)


def test_x_may_differ_from_fit_to_fit():
    x, _ = data()
    rows = np.stack([x * (1 + 0.02 * k) for k in range(12)])
    for f in (model, lambda x, a, b, c: a * np.exp(-b * x) / np.trapezoid(np.exp(-b * x), x) + c):
        y = np.stack([f(row, **TRUTH) for row in rows])
        r = tw.fit(f, rows, y, START)
        np.testing.assert_allclose(r.params, np.tile(POINT, (12, 1)), rtol=1e-5)
        same(r, tw.fit(f, rows[3], y[3], START), 3)


def test_models_of_the_library_may_be_mixed_and_composed():
    x, _ = data()

    def peak(x, height, centre, width, slope):
        f = tw.models.gaussian(x, height, centre, width, 0) + slope * x
        return np.convolve(f, RESPONSE)[:64]

    y = peak(x, 2, 1.5, 0.3, 0.1)
    r = tw.fit(peak, x, y, [1.8, 1.4, 0.35, 0.0])
    np.testing.assert_allclose(r.params, [2, 1.5, 0.3, 0.1], rtol=1e-6)
    both = tw.models.line + peak
    r = tw.fit(both, x, y + 3 * x + 1, [3, 0.9, 1.8, 1.4, 0.35, 0.0], fixed={"slope_2": 0.1})
    assert r.success
    np.testing.assert_allclose(r["centre"], 1.5, rtol=1e-6)


def test_later_attempts_reach_what_the_first_misses():
    x, y = data()
    far = {"a": 1e-3, "b": 40.0, "c": 5.0}
    first, all_three = (tw.fit(model, x, y, far, attempts=n) for n in (1, 3))
    assert all_three.success.all() and (all_three.chi2 <= first.chi2 * (1 + 1e-9)).all()
    np.testing.assert_allclose(all_three.params, tw.fit(model, x, y, START).params, rtol=1e-4)


@pytest.mark.parametrize("name", list(of_length(9)))
def test_no_model_goes_the_wrong_way_from_afar(name):
    """Wherever it begins, a success is a minimum: no step along a parameter lowers chi2."""
    N = 40
    f, x = of_length(N)[name], abscissa(N)
    y = f(x, *POINT) + 0.01 * np.random.default_rng(3).standard_normal((8, N))
    starts = np.array(POINT) * np.random.default_rng(4).uniform(0.3, 2, (8, 3))
    r = tw.fit(f, x, y, starts)
    for k in np.flatnonzero(r.success & np.isfinite(r.stderr).all(axis=1)):
        for j in range(3):
            for sign in (-0.05, 0.05):
                theta = r.params[k].copy()
                theta[j] += sign * r.stderr[k, j]
                assert ((y[k] - f(x, *theta)) ** 2).sum() >= r.chi2[k] * (1 - 1e-4)
