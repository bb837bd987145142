"""Counts and robust losses: the engine against its specification, identities, certificates."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from noise_cases import ROBUST, counted, with_outliers
from problems import COARSE, RUN_AWAY, STEPS_COMPARED, agrees, decay, gaussian, line

import thalweg as tw
from thalweg.reference.noise import losses
from thalweg.status import Status

# ---- equal to the specification --------------------------------------------------------------


@given(st.one_of(counted(), with_outliers()))
@settings(max_examples=80)
def test_a_fit_is_what_the_specification_says(isa, problem):
    want = problem.specified(**COARSE)
    assume(want.n_iter <= STEPS_COMPARED and np.abs(want.params).max() < RUN_AWAY)
    got = problem.fit(**COARSE)
    if want.status == "SINGULAR" and got.attempts != want.attempts:
        return  # rounding decides where on the floor of the valley it ends
    assert (Status(got.status).name, got.n_iter) == (want.status, want.n_iter)
    agrees(got.chi2, want.chi2, 1e-9)
    if want.status != "SINGULAR":
        agrees(got.params, want.params, 1e-8)


@given(st.one_of(counted(), with_outliers()))
@settings(max_examples=60)
def test_covariances_are_those_of_the_specification(isa, problem):
    want = problem.specified()
    assume(want.n_iter <= STEPS_COMPARED and want.status in ("FTOL", "XTOL", "GTOL"))
    got = problem.fit()
    size = np.sqrt(np.diag(want.covariance))
    apart = np.abs(got.cov - want.covariance)
    assert (apart <= 1e-4 * np.outer(size, size)).all()


def test_losses_are_those_of_the_specification(isa):
    """Ratios y / f around every power of two, where the logarithm changes its branch."""
    f = np.exp(np.linspace(-12, 12, 801))
    for y in (0.0, 1.0, 7.0, 1e4):
        want = losses("poisson", np.full(f.shape, y), f, np.ones(f.shape))
        r = tw.fit(
            lambda x, a: a * x,
            f[:, None],
            np.full((f.size, 1), y),
            [1.0],
            noise="poisson",
            fixed=["a"],
        )
        np.testing.assert_allclose(r.chi2, want.loss, rtol=1e-13, atol=1e-13)


def test_the_deviance_keeps_its_digits_where_it_is_small(isa):
    f = 1000 * (1 + np.logspace(-15, -1, 60))
    y = np.full((60, 1), 1000.0)
    r = tw.fit(lambda x, a: a * x, f[:, None], y, [1.0], noise="poisson", fixed=["a"])
    e = np.longdouble(f) - 1000
    u = e / 1000
    want = 2000 * (u - np.log1p(u))
    np.testing.assert_allclose(r.chi2, want.astype(float), rtol=1e-10, atol=1e-24)


# ---- certificates ----------------------------------------------------------------------------


@given(counted(bounded=False))
@settings(max_examples=60)
def test_at_a_success_the_gradient_of_the_likelihood_vanishes(isa, problem):
    r = problem.fit()
    assume(r.success)
    x, y, theta = (np.longdouble(v) for v in (problem.x, problem.y, r.params))
    f = problem.model(x, *theta)
    assert (f > -1e-12).all()  # 0 but for rounding, where the last step has led to the edge
    f = np.maximum(f, np.finfo(float).tiny)
    J = np.longdouble(r.jacobian)
    g = J.T @ ((y - f) / f)
    # Where a mean without counts goes to 0 the minimum is at the edge of the means that there are:
    # there the gradient presses against it, dD/dtheta = sum mu_i df_i/dtheta with mu_i >= 0.
    edge = (y == 0) & (f < 1e-7)
    size = np.sqrt(((J**2).T / f)[:, ~edge].sum(axis=1)).astype(float)
    columns = np.column_stack([J[edge].T, np.zeros(len(theta))]).astype(float)
    left = scipy.optimize.nnls(columns / size[:, None], (-2 * g / size).astype(float))[1]
    assert left <= 1e-5


@pytest.mark.parametrize("loss", ROBUST)
def test_robust_fits_are_those_of_scipy(isa, loss):
    rng = np.random.default_rng(3)
    x = np.linspace(0, 5, 60)
    y = decay(x, 3.0, 1.2, 0.5) + 0.05 * rng.standard_normal(60)
    y[::11] += 2.0
    sigma = rng.uniform(0.5, 2, 60)
    r = tw.fit(decay, x, y, [2, 1, 0], robust=loss, f_scale=0.1, sigma=sigma)
    exact = dict(xtol=1e-15, ftol=1e-15, gtol=1e-15)
    s = scipy.optimize.least_squares(
        lambda p: (decay(x, *p) - y) / sigma, [2, 1, 0], loss=loss, f_scale=0.1, **exact
    )
    np.testing.assert_allclose(r.params, s.x, rtol=1e-6)
    np.testing.assert_allclose(r.chi2, 2 * s.cost, rtol=1e-12)


def test_counts_are_fitted_as_their_likelihood_asks(isa):
    rng = np.random.default_rng(4)
    x = np.linspace(0, 5, 30)
    y = rng.poisson(decay(x, 8.0, 1.2, 0.5)).astype(float)
    r = tw.fit(decay, x, y, [5, 1, 1], noise="poisson")

    def cost(p):
        f = decay(x, *p)
        return np.sum(f - y * np.log(f)) if (f > 0).all() else np.inf

    tight = dict(xatol=1e-9, fatol=1e-13, maxiter=5000, maxfev=5000)
    s = scipy.optimize.minimize(cost, [5, 1, 1], method="Nelder-Mead", options=tight)
    np.testing.assert_allclose(r.params, s.x, rtol=1e-5)
    some = y > 0
    deviance = 2 * (s.fun + np.sum(y[some] * np.log(y[some]) - y[some]))
    np.testing.assert_allclose(r.chi2, deviance, rtol=1e-10)


def test_a_constant_is_the_mean_and_its_variance_the_mean_over_n(isa):
    y = np.random.default_rng(5).poisson(2.0, (50, 40)).astype(float)
    r = tw.fit(lambda x, c: c + 0 * x, np.arange(40.0), y, [1.0], noise="poisson")
    np.testing.assert_allclose(r["c"], y.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(r.cov[:, 0, 0], y.mean(axis=1) / 40, rtol=1e-5)


# ---- identities ------------------------------------------------------------------------------


def kinds(scale):
    return [{"noise": "poisson"}, *({"robust": name, "f_scale": scale} for name in ROBUST)]


def data(n_fits, n_points, seed=6):
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 5, n_points)
    y = rng.poisson(gaussian(x, 30.0, 2.0, 0.8, 4.0), (n_fits, n_points)).astype(float)
    return x, y, np.array([25.0, 2.1, 0.7, 5.0])


@pytest.mark.parametrize("n_points", [7, 8, 40, 512, 513, 3000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bits_do_not_depend_on_the_batch_or_the_threads(isa, n_points, dtype):
    x, y, start = data(9, n_points)
    for told in kinds(4.0):
        one = tw.fit(gaussian, x, y, start, dtype=dtype, threads=1, **told)
        two = tw.fit(gaussian, x, y, start, dtype=dtype, threads=2, **told)
        alone = [tw.fit(gaussian, x, row, start, dtype=dtype, **told) for row in y]
        for name in ("params", "chi2", "covariance_rows", "status", "n_iter"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
            np.testing.assert_array_equal(
                getattr(one, name), np.array([getattr(r, name) for r in alone])
            )


@pytest.mark.parametrize("dtype,digits", [(np.float64, 1e-9), (np.float32, 2e-3)])
def test_a_point_left_out_does_not_count(isa, dtype, digits):
    x, y, start = data(5, 40)
    more_x = np.concatenate([x, [1.0, 2.0]])
    more_y = np.column_stack([y, np.full((5, 2), -7.0)])
    mask = np.arange(42) >= 40
    for told in kinds(4.0):
        want = tw.fit(gaussian, x, y, start, dtype=dtype, **told)
        got = tw.fit(gaussian, more_x, more_y, start, mask=mask, dtype=dtype, **told)
        assert want.success.all() and got.success.all()
        np.testing.assert_allclose(got.params, want.params, rtol=digits)
        assert (got.n_used == 40).all()
        missing = np.where(mask, np.nan, more_y)
        again = tw.fit(gaussian, more_x, missing, start, dtype=dtype, **told)
        np.testing.assert_array_equal(again.params, got.params)


@pytest.mark.parametrize("power", [-900, -300, 300, 900])
def test_units_of_x_and_of_parameters_do_not_matter(isa, power):
    x, y, start = data(5, 40)
    unit = 2.0**power
    scales = np.array([1.0, unit, unit, 1.0])
    for told in kinds(4.0):
        want = tw.fit(gaussian, x, y, start, **told)
        got = tw.fit(gaussian, x * unit, y, start * scales, **told)
        assert got.success.all(), got.reason(0)
        np.testing.assert_allclose(got.params, want.params * scales, rtol=1e-6)
        np.testing.assert_allclose(got.stderr, want.stderr * scales, rtol=1e-4)
        np.testing.assert_allclose(got.chi2, want.chi2, rtol=1e-6)


@pytest.mark.parametrize("power", [-600, -200, 200, 600])
@pytest.mark.parametrize("loss", ROBUST)
def test_the_unit_of_y_does_not_matter_to_robust_losses(isa, loss, power):
    x, y, start = data(5, 40)
    unit = 2.0**power
    scales = np.array([unit, 1.0, 1.0, unit])
    want = tw.fit(gaussian, x, y, start, robust=loss, f_scale=4.0)
    got = tw.fit(gaussian, x, y * unit, start * scales, robust=loss, f_scale=4.0 * unit)
    assert got.success.all(), got.reason(0)
    np.testing.assert_allclose(got.params, want.params * scales, rtol=1e-6)
    np.testing.assert_allclose(got.stderr, want.stderr * scales, rtol=1e-4)


def test_many_counts_are_as_good_as_normal(isa):
    """With a million counts a point, least squares with sigma = sqrt(f) has the same answer."""
    rng = np.random.default_rng(7)
    x = np.linspace(0, 5, 50)
    f = decay(x, 1e6, 1.5, 1e6)
    y = rng.poisson(f).astype(float)
    a = tw.fit(decay, x, y, [9e5, 1.4, 9e5], noise="poisson")
    b = tw.fit(decay, x, y, [9e5, 1.4, 9e5], sigma=np.sqrt(f), absolute_sigma=True)
    assert (np.abs(a.params - b.params) < 0.01 * b.stderr).all()
    np.testing.assert_allclose(a.cov, b.cov, rtol=1e-2)


def test_tied_fixed_and_bounded_parameters(isa):
    x, y, start = data(4, 40)
    two = "a*exp(-(x-m)**2/(2*s**2)) + c + 0*d"
    names = dict(zip("amsc", start, strict=True))
    for told in kinds(4.0):
        tied = tw.fit(
            two, x, y, {**names}, tied={"d": "2*a"}, fixed={"c": 4.0}, independent="x", **told
        )
        plain = tw.fit(lambda x, a, m, s: gaussian(x, a, m, s, 4.0), x, y, start[:3], **told)
        np.testing.assert_allclose(tied["a"], plain["a"], rtol=1e-6)
        np.testing.assert_allclose(tied["d"], 2 * plain["a"], rtol=1e-6)
        bound = tw.fit(gaussian, x, y, start, bounds={"c": (4.5, None)}, **told)
        assert bound.success.all()
        assert (bound["c"] >= 4.5).all()


# ---- means that are not positive -------------------------------------------------------------


def test_a_start_without_positive_means_is_told(isa):
    x, y, start = data(3, 40)
    starts = np.tile(start, (3, 1))
    starts[1, 3] = -1.0
    r = tw.fit(gaussian, x, y, starts, noise="poisson")
    assert r.status[1] == Status.NOT_FINITE
    assert "not positive" in r.reason(1)
    assert r.success[[0, 2]].all()
    for n_points in (40, 600):
        x, y, start = data(1, n_points)
        r = tw.fit(gaussian, x, y[0], [25, 2.1, 0.7, -1.0], noise="poisson")
        assert "not positive" in r.reason()


def test_a_trial_without_positive_means_is_rejected(isa):
    """From a start far above zero counts the first steps would lead below 0."""
    x = np.linspace(0, 5, 30)
    y = np.zeros((1, 30))
    y[0, :3] = [40, 12, 3]
    r = tw.fit(decay, x, y, [300.0, 0.8, 50.0], noise="poisson", bounds={"c": (0, None)})
    assert r.success.all(), r.reason(0)
    assert r["c"][0] == 0 and (r.fitted > 0).all()


def test_no_counts_at_all(isa):
    """The most likely mean of counts that are all 0 is 0."""
    r = tw.fit(
        lambda x, c: c + 0 * x,
        np.arange(9.0),
        np.zeros((2, 9)),
        [1.0],
        noise="poisson",
        bounds={"c": (0, None)},
    )
    np.testing.assert_allclose(r["c"], 0, atol=1e-12)
    np.testing.assert_allclose(r.chi2, 0, atol=1e-10)


# ---- robust losses ---------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ROBUST)
def test_a_large_scale_is_least_squares(isa, loss):
    rng = np.random.default_rng(8)
    x = np.linspace(0, 5, 30)
    y = decay(x, 3.0, 1.2, 0.5) + 0.05 * rng.standard_normal(30)
    want = tw.fit(decay, x, y, [2, 1, 0])
    got = tw.fit(decay, x, y, [2, 1, 0], robust=loss, f_scale=1e4)
    np.testing.assert_allclose(got.params, want.params, rtol=1e-6)
    np.testing.assert_allclose(got.chi2, want.chi2, rtol=1e-6)
    np.testing.assert_allclose(got.cov, want.cov, rtol=1e-4)


@pytest.mark.parametrize("loss", ROBUST)
def test_an_estimated_scale_is_near_to_that_of_the_noise(isa, loss):
    rng = np.random.default_rng(9)
    x = np.linspace(0, 5, 200)
    y = line(x, 1.0, 2.0) + 0.1 * rng.standard_normal((20, 200))
    y[:, ::17] += 30.0
    r = tw.fit(line, x, y, [0, 0], robust=loss, f_scale="estimate")
    tuning = {"huber": 1.345, "soft_l1": 1.287, "cauchy": 2.385}[loss]
    scale = r.problem.noise.f_scale.array / tuning
    assert np.abs(scale.mean() - 0.1) < 0.02
    assert np.abs(r["b"].mean() - 2) < 0.02
    given = tw.fit(line, x, y, [0, 0], robust=loss, f_scale=scale * tuning)
    np.testing.assert_allclose(given.params, r.params, rtol=1e-7)


def test_exact_data_are_an_exact_fit(isa):
    x = np.linspace(0, 5, 30)
    y = decay(x, 3.0, 1.2, 0.5)
    for loss in ROBUST:
        for scale in (1.0, 1e-3, "estimate"):
            r = tw.fit(decay, x, y, [2, 1, 0], robust=loss, f_scale=scale)
            assert r.success, r.reason()
            np.testing.assert_allclose(r.params, [3.0, 1.2, 0.5], rtol=1e-8)
    r = tw.fit(decay, x, 100 * y, [200, 1, 20], noise="poisson")
    assert r.success
    np.testing.assert_allclose(r.params, [300, 1.2, 50], rtol=1e-8)


def test_a_gigantic_outlier_is_no_exact_fit(isa):
    rng = np.random.default_rng(10)
    x = np.linspace(0, 5, 30)
    y = line(x, 1.0, 2.0) + 0.1 * rng.standard_normal(30)
    clean = tw.fit(line, x[1:], y[1:], [0, 0], robust="cauchy", f_scale=0.2)
    for size, dtype in ((1e16, np.float64), (1e7, np.float32)):
        y[0] = size
        r = tw.fit(line, x, y, [0, 0], robust="cauchy", f_scale=0.2, dtype=dtype)
        assert r.success and r.status != Status.EXACT
        np.testing.assert_allclose(r.params, clean.params, rtol=1e-3)


@pytest.mark.parametrize("n_points", [40, 600])
@pytest.mark.parametrize("noise", ["poisson", *ROBUST])
def test_columns_nearly_the_same_span_the_plane_of_columns_that_are_not(isa, noise, n_points):
    """The orthogonal mode, which takes rows, ends where sums of other columns end."""
    rng = np.random.default_rng(11)
    x, apart = np.linspace(0, 3, n_points), 2.0**-26  # whose square is lost in the sums

    def nearly(x, a, b):
        return a * np.cos(x) + b * (np.cos(x) + apart * np.sin(x)) + 30

    def well(x, c, d):
        return c * np.cos(x) + d * np.sin(x) + 30

    mean = well(x, 3.0, 20.0)
    y = rng.poisson(mean) if noise == "poisson" else mean + rng.standard_t(2, n_points)
    told = {"noise": noise} if noise == "poisson" else {"robust": noise, "f_scale": 1.0}
    if noise != "poisson":
        told["sigma"] = rng.uniform(0.5, 2, n_points)
    r, want = tw.fit(nearly, x, y, [0, 0], **told), tw.fit(well, x, y, [0, 0], **told)
    assert want.success and r.success
    np.testing.assert_allclose(r.chi2, want.chi2, rtol=1e-7)
    a, b = r.params
    np.testing.assert_allclose([a + b, apart * b], want.params, rtol=1e-4)


def test_a_robust_fit_takes_every_array_that_a_fit_can_have():
    x = np.linspace(0, 1, 20)
    y = np.stack([2 * x + 1, 3 * x + 1])
    fixed = np.array([[False, False], [False, True]])
    options = {"sigma": np.ones(20), "mask": x > 0.9, "bounds": {"a": (0, 10)}, "fixed": fixed}
    r = tw.fit("a*x + b", x, y, [1.0, 1.0], robust="huber", f_scale=[1.0, 2.0], **options)
    np.testing.assert_allclose(r.params, [[2, 1], [3, 1]], rtol=1e-12)
