"""Sums of losses other than squares over all kinds of points; robust steps far from a minimum."""

import numpy as np
import pytest
from noise_cases import ROBUST, Noisy
from problems import decay

import thalweg as tw


def level(x, a):
    """A constant."""
    return a + 0 * x


def sum_of(loss, y, dtype=np.float64):
    """The sum of the losses of y (B, N) beside 0, of the scale 1."""
    fixed = dict(fixed=["a"], f_scale=1.0, dtype=dtype, robust=loss)
    return tw.fit(lambda x, a: a + 0 * x, np.arange(float(y.shape[1])), y, [0.0], **fixed).chi2


@pytest.mark.parametrize("n_points", [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 255, 256, 257, 513])
@pytest.mark.parametrize("dtype, most, digits", [(np.float64, 60, 1e-14), (np.float32, 8, 1e-5)])
def test_logarithms_are_summed_together(isa, n_points, dtype, most, digits):
    """Residuals from tiny ones to those whose products with others would overflow."""
    rng = np.random.default_rng(n_points)
    y = (10.0 ** rng.uniform(-most / 4, most, (9, n_points))).astype(dtype)
    y[rng.random(y.shape) < 0.3] = 0
    want = np.log1p(np.longdouble(y) ** 2).sum(axis=1)
    np.testing.assert_allclose(sum_of("cauchy", y, dtype), want.astype(float), rtol=digits)


def test_a_small_sum_of_logarithms_keeps_its_digits(isa):
    y = np.logspace(-12, -3, 40) * np.ones((3, 1))
    want = np.log1p(np.longdouble(y[0]) ** 2).sum()
    np.testing.assert_allclose(sum_of("cauchy", y), float(want), rtol=1e-14)


def test_residuals_around_the_scale(isa):
    y = np.nextafter(1, [[0.0], [1.0], [2.0]]) * np.array([1.0, -1.0])
    for loss in ROBUST:
        want = {"huber": 2.0, "soft_l1": 4 * (np.sqrt(2) - 1), "cauchy": 2 * np.log(2)}[loss]
        np.testing.assert_allclose(sum_of(loss, y), want, rtol=1e-14)


@pytest.mark.parametrize("dtype, decades, digits", [(np.float64, 60, 1e-14), (np.float32, 8, 3e-6)])
def test_deviances_of_all_quotients(isa, dtype, decades, digits):
    rng = np.random.default_rng(11)
    f = (10.0 ** rng.uniform(-decades / 2, decades / 2, 4000)).astype(dtype)
    near = f * (1 + rng.uniform(-0.9, 0.9, 4000)).astype(dtype)
    for y in ((10.0 ** rng.uniform(-decades / 2, decades / 2, 4000)).astype(dtype), near):
        options = dict(noise="poisson", fixed=["a"], dtype=dtype)
        r = tw.fit(lambda x, a: a * x, f[:, None], y[:, None], [1.0], **options)
        y, f_ = np.longdouble(y), np.longdouble(f)
        u = (y - f_) / f_
        beside = (1 + u) * np.log1p(np.maximum(u, -0.5)) - u
        far = (y * np.log(y / f_) - (y - f_)) / f_
        want = 2 * f_ * np.where(np.abs(u) < 0.5, beside, far)
        np.testing.assert_allclose(r.chi2, want.astype(float), rtol=digits, atol=1e-300)


# ---- steps far from a minimum ----------------------------------------------------------------


def spots(size, n_fits=200):
    """Photons of round peaks, and a start that is off by a quarter."""
    x, y = np.mgrid[:size, :size].astype(float)

    def spot(xy, a, u, v, s, b):
        x, y = xy
        return a * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * s**2)) + b

    middle = (size - 1) / 2
    clean = spot((x, y), 400.0, middle, middle, size / 6, 10.0)
    data = np.random.default_rng(0).poisson(clean, (n_fits, size, size)).astype(float)
    return spot, (x, y), data, [300.0, middle + 0.3, middle - 0.2, size / 5, 15.0]


@pytest.mark.parametrize("size", [5, 15])
@pytest.mark.parametrize("loss, most", [("huber", 1.4), ("soft_l1", 1.3), ("cauchy", 1.45)])
def test_robust_fits_take_not_many_more_trials_than_least_squares(isa, size, loss, most):
    problem = spots(size)
    plain = tw.fit(*problem)
    robust = tw.fit(*problem, robust=loss, f_scale=20.0)
    assert robust.success.all()
    assert robust.n_iter.mean() < most * plain.n_iter.mean()


@pytest.mark.parametrize("loss", ROBUST)
@pytest.mark.parametrize("n_points", [40, 600])
def test_a_fit_from_its_solution_has_the_same_error_bars(isa, loss, n_points):
    """A step from the start is short: its matrix may end no fit, nor be its covariance."""
    rng = np.random.default_rng(12)
    x = np.linspace(0, 5, n_points)
    y = decay(x, 3.0, 1.2, 0.5) + 0.05 * rng.standard_normal((20, n_points))
    y[:, ::9] += 2
    r = tw.fit(decay, x, y, [2, 1, 0], robust=loss, f_scale=0.1)
    again = tw.fit(decay, x, y, r.params, robust=loss, f_scale=0.1)
    assert r.success.all() and again.success.all()
    np.testing.assert_allclose(again.params, r.params, rtol=1e-6)
    np.testing.assert_allclose(again.stderr, r.stderr, rtol=1e-4)
    loose = tw.fit(decay, x, y, r.params, robust=loss, f_scale=0.1, gtol=0.1, ftol=0.01, xtol=0.01)
    np.testing.assert_allclose(loose.stderr, r.stderr, rtol=1e-2)


@pytest.mark.parametrize("n_points", [6, 600])
def test_second_derivatives_may_be_negative(isa, n_points):
    """Between two heaps of points Cauchy's loss has a maximum, and near it no convex parabola."""
    y = np.resize([-2.0, 2.0, -2.1, 2.0, 2.0, -2.0], n_points)
    case = Noisy(level, np.arange(float(n_points)), y, (0.03,), None, None, "cauchy", 1.0)
    r, want = case.fit(), case.specified()
    assert r.success and want.status in ("FTOL", "XTOL", "GTOL")
    assert abs(r.params[0]) > 1
    np.testing.assert_allclose(r.params, want.params, rtol=1e-6)
    np.testing.assert_allclose(r.stderr, np.sqrt(np.diag(want.covariance)), rtol=1e-5)
    assert r.n_iter == want.n_iter


@pytest.mark.parametrize("n_points", [9, 600])
def test_points_at_the_scale_pull_although_they_have_no_curvature(isa, n_points):
    """Where |e| = s the second derivative is 0, which is not the weight of a point left out."""
    y, sigma = np.resize([0.0, 1.0, -1.0], n_points), np.ones(n_points)
    sigma[1] = 2
    case = Noisy(level, np.arange(float(n_points)), y, (0.0,), sigma, None, "cauchy", 1.0)
    r, want = case.fit(), case.specified()
    np.testing.assert_allclose(r.params, want.params, atol=1e-6)
    assert r.success
