"""Intervals and bands from the covariance: their values, where there is none, and coverage."""

import numpy as np
import pytest
from interval_cases import SIGMA, TRUE, data, decay, fitted
from scipy import stats

import thalweg as tw

FITS = 40_000


def covered(interval, true):
    """The share of the intervals that hold the true value, in per cent."""
    return 100 * np.mean((interval[..., 0] <= true) & (true <= interval[..., 1]), axis=0)


# ---- coverage --------------------------------------------------------------------------------
# An estimate of a coverage from 40,000 fits has a standard error of 0.23 points at 68 % and of
# 0.11 at 95 %.  The model is a straight line, for which the intervals are exact, and a decay whose
# noise is so small that it is nearly linear.


def line(x, a, b):
    return a * x + b


def of_lines(**options):
    x = np.linspace(0, 1, 8)
    noise = np.random.default_rng(5).normal(0, 0.3, (FITS, 8))
    return tw.fit(line, x, line(x, 2, 1) + noise, p0=[1, 0], **options), [2, 1]


def of_decays(**options):
    t, _ = data(1)
    noise = np.random.default_rng(1).normal(0, 0.03, (FITS, 20))
    return tw.fit(decay, t, decay(t, *TRUE) + noise, p0=[2.5, 1, 0.4], **options), TRUE


def with_sigma():
    return of_lines(sigma=np.full(8, 0.3), absolute_sigma=True)


def unknown_scale():
    return of_lines()


def masked():
    mask = np.random.default_rng(7).random((FITS, 8)) < 0.3
    return of_lines(mask=mask & (np.arange(8) > 2))


def tied():
    return of_decays(tied={"c": "a / 6"})


@pytest.mark.parametrize("level", [0.6827, 0.95])
@pytest.mark.parametrize("make", [with_sigma, unknown_scale, masked, of_decays, tied])
def test_intervals_hold_the_truth_as_often_as_they_say(make, level):
    r, true = make()
    assert r.success.all()
    share = covered(r.interval(level), np.array(true))
    assert np.abs(share - 100 * level).max() < 0.7, share


def test_standard_errors_of_few_points_hold_it_less_often():
    """With 6 degrees of freedom theta +- stderr covers 64.4 % (Student's t), not 68.3 %."""
    r, true = of_lines()
    both = np.stack([r.params - r.stderr, r.params + r.stderr], axis=-1)
    expected = 100 * (1 - 2 * stats.t.sf(1, 6))
    assert np.abs(covered(both, np.array(true)) - expected).max() < 0.7


@pytest.mark.parametrize("prediction", [False, True])
def test_bands_hold_the_truth_as_often_as_they_say(prediction):
    r, true = of_lines()
    at = np.array([-1.0, 0.3, 2.0])
    new = line(at, *true) + 0.3 * np.random.default_rng(8).normal(0, 1, (FITS, 3)) * prediction
    band = r.band(at, 0.95, prediction=prediction)
    share = 100 * np.mean((band[..., 0] <= new) & (new <= band[..., 1]), axis=0)
    assert np.abs(share - 95).max() < 0.7


# ---- values ----------------------------------------------------------------------------------


def test_the_interval_is_that_of_students_t():
    r = fitted(5)
    q = stats.t.isf(0.025, r.dof)[..., None]
    expected = np.stack([r.params - q * r.stderr, r.params + q * r.stderr], axis=-1)
    np.testing.assert_allclose(r.interval(0.95), expected, rtol=1e-12)


def test_with_absolute_sigma_it_is_the_normal_one():
    r = fitted(5, sigma=np.full(20, SIGMA), absolute_sigma=True)
    q = stats.norm.isf(0.025)
    expected = np.stack([r.params - q * r.stderr, r.params + q * r.stderr], axis=-1)
    np.testing.assert_allclose(r.interval(0.95), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_band_is_f_and_the_root_of_g_c_g(dtype):
    t, y = data(2, 3)
    r = tw.fit(decay, t, y.astype(dtype), p0=[1, 1, 0.4], dtype=dtype)
    J, C = r.jacobian.astype(float), r.cov.astype(float)
    spread = np.sqrt(np.einsum("...ni,...ij,...nj->...n", J, C, J))
    q = stats.t.isf(0.025, r.dof)[..., None]
    band = r.band(level=0.95)
    assert band.shape == (2, 3, 20, 2) and band.dtype == dtype
    tolerance = 1e-9 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(band[..., 1] - r.fitted, q * spread, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(r.fitted - band[..., 0], q * spread, rtol=tolerance, atol=tolerance)


def test_a_new_observation_has_the_noise_as_well():
    t, y = data(3)
    sigma = np.linspace(0.05, 0.2, 20)
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4], sigma=sigma)
    q = stats.t.isf(0.025, r.dof)[..., None]
    narrow, wide = (np.diff(r.band(prediction=p))[..., 0] / 2 / q for p in (False, True))
    np.testing.assert_allclose(wide**2 - narrow**2, r.redchi[:, None] * sigma**2, rtol=1e-9)
    again = r.band(t, prediction=True, sigma=sigma)
    np.testing.assert_allclose(again, r.band(prediction=True), rtol=1e-9)


def called(t, a, tau, c):
    return np.array([float(v) for v in decay(t, a, float(tau), c)])


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_bands_of_models_that_python_calls():
    t, y = data(2)
    slow, fast = (tw.fit(f, t, y, p0=[1, 1, 0.4]) for f in (called, decay))
    for x in (None, np.array([0.5, 1.5])):
        np.testing.assert_allclose(slow.band(x), fast.band(x), rtol=1e-5)


def test_bands_of_two_variables_and_of_ties():
    xx, yy = np.meshgrid(np.arange(7.0), np.arange(6.0))
    z = 3 * np.exp(-((xx - 3) ** 2 + (yy - 3) ** 2) / 4)
    z = z + np.random.default_rng(2).normal(0, 0.1, (4, 6, 7))
    spot = "a*exp(-((x-u)**2+(y-v)**2)/4)"
    r = tw.fit(spot, (xx, yy), z, p0=[2, 2.5, 2.5], tied={"v": "u"})
    assert r.band().shape == (4, 6, 7, 2)
    np.testing.assert_allclose(r.band((xx[:2], yy[:2])), r.band()[:, :2], rtol=1e-12)
    one = tw.fit(spot.replace("v", "u"), (xx, yy), z, p0=[2, 2.5])
    np.testing.assert_allclose(r.band(), one.band(), rtol=1e-6)


def test_parts_of_a_batch_and_batches_of_none():
    r = fitted(4)
    np.testing.assert_array_equal(r[2].interval(), r.interval()[2])
    np.testing.assert_array_equal(r[2].band(), r.band()[2])
    none = fitted(0)
    assert none.interval().shape == (0, 3, 2) and none.band().shape == (0, 20, 2)


def test_a_loaded_result_has_intervals_and_bands(tmp_path):
    r = fitted(3)
    r.save(tmp_path / "r.npz")
    again = tw.load(tmp_path / "r.npz", decay)
    np.testing.assert_array_equal(again.interval(), r.interval())
    np.testing.assert_allclose(again.band([0.5, 9.0]), r.band([0.5, 9.0]), rtol=1e-12)
    with pytest.raises(ValueError, match="no band at the fitted points; give x"):
        again.band()
    with pytest.raises(ValueError, match="needs sigma"):
        again.band([1.0], prediction=True)


def test_units_do_not_matter():
    t, y = data(3)
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4])
    for size in (2.0**400, 2.0**-400):
        other = tw.fit(decay, t, y * size, p0=[size, 1, 0.4 * size])
        expected = r.interval() * np.array([size, 1, size])[:, None]
        np.testing.assert_allclose(other.interval(), expected, rtol=1e-12)
        np.testing.assert_allclose(other.band(), r.band() * size, rtol=1e-9)


# ---- where there is no interval --------------------------------------------------------------


def test_fixed_parameters_are_known_and_those_at_a_bound_have_none():
    r = fitted(4, fixed={"c": 0.5})
    np.testing.assert_array_equal(r.interval()[:, 2], 0.5)
    low = fitted(4, p0=[1, 1, 0.8], bounds={"c": (0.7, None)})
    assert low.at_bound[:, 2].all()
    assert np.isnan(low.interval()[:, 2]).all() and np.isfinite(low.interval()[:, :2]).all()
    tied = fitted(4, p0={"c": 0.8, "tau": 1}, bounds={"c": (0.7, None)}, tied={"a": "6*c"})
    assert np.isnan(tied.interval()[:, [0, 2]]).all() and np.isfinite(tied.interval()[:, 1]).all()


def test_fixed_at_its_bound_is_fixed():
    r = fitted(4, fixed={"c": 0.5}, bounds={"c": (0.5, 1)})
    np.testing.assert_array_equal(r.interval()[:, 2], 0.5)


def test_failed_fits_have_none_and_no_dof_is_infinite():
    t, y = data(3)
    y[1] = np.nan
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4])
    assert np.isnan(r.interval()[1]).all() and np.isnan(r.band()[1]).all()
    assert np.isfinite(r.interval()[[0, 2]]).all()
    short = tw.fit(decay, t, y[0], p0=[1, 1, 0.4], max_iter=1, attempts=1)
    assert not short.success and np.isfinite(short.stderr).all()
    assert np.isnan(short.interval()).all() and np.isnan(short.band()).all()
    exact = tw.fit(decay, t[[0, 5, 15]], y[0, [0, 5, 15]], p0=[1, 1, 0.4])
    np.testing.assert_array_equal(exact.interval(), [[-np.inf, np.inf]] * 3)
    for prediction in (False, True):  # also at t = 0, where tau has no effect
        edges = exact.band([0.0, 1.0], prediction=prediction)
        np.testing.assert_array_equal(edges, [[-np.inf, np.inf]] * 2)


def test_a_band_of_fixed_parameters_has_no_width_but_that_of_the_noise():
    t, y = data(2)
    r = tw.fit(decay, t, y, fixed=dict(zip(("a", "tau", "c"), (1.0, 1.0, 0.4), strict=True)))
    np.testing.assert_array_equal(r.band(t), np.stack([r.predict(t)] * 2, axis=-1))
    half = stats.t.ppf(0.975, t.size) * np.sqrt(r.redchi)
    edges = r.predict(t)[..., None] + np.multiply.outer(half, [-1, 1])[:, None]
    np.testing.assert_allclose(r.band(t, 0.95, prediction=True), edges, rtol=1e-12)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, np.nan])
def test_a_level_is_between_0_and_1(level):
    for ask in (fitted().interval, lambda level: fitted().band(level=level)):
        with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
            ask(level)


def test_refusals_of_bands():
    with pytest.raises(ValueError, match="give prediction=True with it"):
        fitted().band(sigma=1)
    with pytest.raises(ValueError, match="must not be negative"):
        fitted().band(prediction=True, sigma=-1)
    with pytest.raises(ValueError, match="needs sigma"):
        fitted(sigma=np.full(20, 0.1)).band([1.0], prediction=True)
