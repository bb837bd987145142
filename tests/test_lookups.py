"""What is looked up first on a result: goodness, residuals, single fits, files, labels."""

import numpy as np
import pytest
from lookup_cases import FIELDS, P0, SIGMA, T, Y, decay, refuses_symbols, with_gaps

import thalweg as tw
from thalweg.fitting.labels import Labels


@pytest.fixture(scope="module", params=[np.float64, np.float32], ids=["float64", "float32"])
def result(request):
    return tw.fit(decay, T, with_gaps(), P0, sigma=SIGMA, dtype=request.param)


def close(dtype):
    """Sums of some twenty numbers, and sqrt(eps) of them in the last step that is not tried."""
    return {"rtol": 1e-9} if dtype == np.float64 else {"rtol": 2e-3}


# ---- goodness ---------------------------------------------------------------------------------


def test_goodness_is_what_the_definitions_say(result):
    for k in range(3):
        used = ~np.isnan(np.ma.filled(with_gaps()[k], np.nan))
        y, t, s = Y[k][used], T[used], SIGMA[used]
        w, n = 1 / s, used.sum()
        chi2 = (((y - decay(t, *result.params[k].astype(float))) * w) ** 2).sum()
        mean = (w**2 * y).sum() / (w**2).sum()
        like = close(result.params.dtype)
        np.testing.assert_allclose(result.redchi[k], chi2 / (n - 2), **like)
        np.testing.assert_allclose(result.r2[k], 1 - chi2 / ((w * (y - mean)) ** 2).sum(), **like)
        np.testing.assert_allclose(result.aic[k], n * np.log(chi2 / n) + 4, **like)
        np.testing.assert_allclose(result.bic[k], n * np.log(chi2 / n) + 2 * np.log(n), **like)
    for name in ("redchi", "r2", "aic", "bic"):
        assert getattr(result, name).shape == (3,)


def test_with_absolute_errors_the_likelihood_is_that_of_chi2():
    r = tw.fit(decay, T, Y, P0, sigma=SIGMA, absolute_sigma=True)
    np.testing.assert_allclose(r.aic, r.chi2 + 4)
    np.testing.assert_allclose(r.bic, r.chi2 + 2 * np.log(len(T)))


def test_a_fixed_parameter_is_no_free_one():
    r = tw.fit(decay, T, Y[0], P0, fixed=["tau"])
    n = len(T)
    np.testing.assert_allclose(r.aic, n * np.log(r.chi2 / n) + 2)
    np.testing.assert_allclose(r.redchi, r.chi2 / (n - 1))
    assert np.isnan(r.correlation[0, 1]) and np.isnan(r.correlation[1, 1])
    assert r.correlation[0, 0] == 1


def test_correlation_is_the_scaled_covariance(result):
    c = result.correlation
    assert c.shape == (3, 2, 2)
    np.testing.assert_array_equal(c[:, [0, 1], [0, 1]], 1)
    scaled = result.cov[:, 0, 1] / result.stderr[:, 0] / result.stderr[:, 1]
    np.testing.assert_allclose(c[:, 0, 1], scaled, rtol=1e-6)
    np.testing.assert_array_equal(c, c.swapaxes(-1, -2))


def test_without_a_degree_of_freedom_the_reduced_chi2_is_not_a_number():
    r = tw.fit(decay, T[:2], Y[0, :2], P0)
    assert r.dof == 0 and np.isnan(r.redchi)


def test_data_that_are_all_alike_have_no_spread_to_explain():
    r = tw.fit("c + 0*x", T, np.full(len(T), 2.0), p0={"c": 1.0})
    assert np.isnan(r.r2) or r.r2 == -np.inf


# ---- residuals and Jacobian --------------------------------------------------------------------


@pytest.mark.parametrize("model", [decay, refuses_symbols], ids=["recorded", "called"])
@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_residual_fitted_and_jacobian(model):
    r = tw.fit(model, T, with_gaps(), P0, fixed=["a"])
    a, tau = (r[name][:, None] for name in ("a", "tau"))
    np.testing.assert_allclose(r.fitted, decay(T, a, tau), rtol=1e-13)
    left_out = np.isnan(np.ma.filled(with_gaps(), np.nan))
    np.testing.assert_array_equal(np.isnan(r.residual), left_out)
    np.testing.assert_allclose(r.residual[~left_out], (Y - r.fitted)[~left_out], atol=1e-15)
    np.testing.assert_allclose(np.nansum(r.residual**2, 1), r.chi2, rtol=1e-9)
    want = np.stack([np.exp(-T / tau), a * T / tau**2 * np.exp(-T / tau)], -1)
    assert r.jacobian.shape == (3, len(T), 2)  # fixed parameters have a column, too
    # central differences are good to eps^(2/3) of the model's range
    np.testing.assert_allclose(r.jacobian, want, atol=1e-12 if model is decay else 1e-9)


def test_an_image_has_its_residuals_in_two_dimensions():
    xx, yy = np.meshgrid(np.arange(7.0), np.arange(6.0))
    spot = 5 * np.exp(-((xx - 3) ** 2 + (yy - 2) ** 2) / 4) + 1
    r = tw.fit(tw.models.gaussian2d, (xx, yy), np.stack([spot, 2 * spot]))
    assert r.residual.shape == r.fitted.shape == (2, 6, 7)
    assert r.jacobian.shape == (2, 6, 7, len(r.names))
    assert r[1].residual.shape == (6, 7)


# ---- some of many fits -------------------------------------------------------------------------

INDICES = [0, -1, np.int64(1), slice(None), slice(1, None), slice(None, None, -2), slice(0, 0),
           [2, 0], np.array([True, False, True]), ..., (), (1,), (..., 1), None]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_the_results_of_some_fits_are_those_of_fitting_them(index):
    y, sigma = with_gaps(), np.stack([SIGMA, 2 * SIGMA, 3 * SIGMA])
    start = np.array([[1, 1], [2, 1], [1, 2.0]])
    bounds = (np.array([[0, 0], [0, 0.1], [0.99, 0.0]]), np.array([9.0, 9.0]))
    fixed = np.array([[False, True], [False, False], [False, False]])
    x = np.stack([T, 1.1 * T, T])
    lower, upper = bounds[0], np.broadcast_to(bounds[1], (3, 2))
    r = tw.fit(decay, x, y, start, sigma=sigma, bounds=(lower, upper), fixed=fixed)
    some = r[index]
    at = np.arange(3)[index]
    alone = tw.fit(
        decay, x[at], y[at], start[at], sigma=sigma[at], bounds=(lower[at], upper[at]),
        fixed=fixed[at],
    )  # fmt: skip
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name), err_msg=name)
    assert type(some) is tw.FitResult and some.names == r.names
    np.testing.assert_array_equal(some.predict(T), alone.predict(T))


def test_a_batch_of_two_axes_is_picked_as_numpy_picks():
    r = tw.fit(decay, T, np.stack([Y, 2 * Y]), P0)
    for index in [(1, 2), (slice(None), 1), (0,), (..., [0, 2]), r.success, ([0, 1], [2, 0])]:
        np.testing.assert_array_equal(r[index].chi2, r.chi2[index])
    assert len(r) == 2 and [one.params.shape for one in r] == [(3, 2), (3, 2)]
    assert r[1, 2].reason() == r.reason(1, 2) and bool(r)


def test_an_array_of_a_result_is_its_parameters():
    one, batch = tw.fit(decay, T, Y[0], P0), tw.fit(decay, T, np.stack([Y, 2 * Y]), P0)
    for r in (one, batch):
        np.testing.assert_array_equal(np.asarray(r), r.params)
        assert np.asarray(r, np.float32).dtype == np.float32
        assert not np.shares_memory(np.array(r), r.params)
    np.testing.assert_array_equal(np.array([one, one]), [one.params, one.params])
    np.testing.assert_array_equal(np.array(list(batch)), batch.params)
    np.testing.assert_array_equal(np.mean(batch, axis=(0, 1)), batch.params.mean((0, 1)))
    assert np.shape(batch) == (2, 3, 2)


def test_one_fit_is_no_pair():
    with pytest.raises(
        TypeError, match=r"cannot be unpacked: .* \.params .* \.cov; thalweg.curve_fit"
    ):
        _popt, _pcov = tw.fit(decay, T, Y[0], P0)
    first, second, third = tw.fit(decay, T, Y, P0)
    np.testing.assert_array_equal(second.params, tw.fit(decay, T, Y[1], P0).params)
    assert first.status.ndim == third.status.ndim == 0


def test_what_is_picked_shares_no_memory():
    r = tw.fit(decay, T, Y, P0)
    r[:].params[:] = 0
    r[0].problem.data.y[:] = 0
    assert r.params.all() and r.residual.any() and not np.array_equal(r.fitted, 0 * Y)


def test_a_wrong_index_is_told():
    r = tw.fit(decay, T, Y, P0)
    with pytest.raises(IndexError, match=r"the batch has the shape \(3,\): index 3 is out of"):
        r[3]
    with pytest.raises(IndexError, match="this is the result of one fit: there is no batch"):
        r[0][0]
    with pytest.raises(TypeError, match="the result of one fit has no length"):
        len(r[0])
    with pytest.raises(KeyError, match="names 'tua', but the parameters are a, tau; did you mean"):
        r["tua"]


# ---- labels ------------------------------------------------------------------------------------


def test_labels_follow_what_is_picked():
    grid = np.arange(6).reshape(3, 2)
    labels = Labels(("y", "x"), {"x": (("x",), np.array([10, 20])), "both": (("y", "x"), grid)})
    for index in [0, (0, 1), slice(1, 3), (slice(None), 1), ([0, 2], 0), (..., [True, False]), ...]:
        kept = labels.picked(index, (3, 2))
        assert len(kept.dims) == np.ndim(grid[index])
        np.testing.assert_array_equal(kept.coords["both"][1], grid[index])
        assert kept.coords["both"][0] == kept.dims
    assert labels.picked(grid > 2, (3, 2)) is None  # axes are mixed: no labels are left


def test_labels_of_pandas_survive():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(Y, pd.Index(["s1", "s2", "s3"], name="sample"), T)
    for y, axis in ((table, -1), (table.T, 0), (table.T, "dim_0"), (table, "dim_1")):
        r = tw.fit(decay, T, y, P0, axis=axis)
        out = r.to_dataframe()
        assert out.index.name == "sample" and list(out.index) == ["s1", "s2", "s3"]
        np.testing.assert_array_equal(out["a_tau_cov"], r.cov[:, 0, 1])
        np.testing.assert_array_equal(out["n_used"], len(T))
        assert list(r[1:].to_dataframe().index) == ["s2", "s3"]


def test_labels_of_xarray_survive(tmp_path):
    xr = pytest.importorskip("xarray")
    values = np.stack([Y, 2 * Y], 2)  # (3, T, 2)
    y = xr.DataArray(
        values, dims=("row", "time", "col"),
        coords={"time": T, "col": [10, 20], "name": ("row", ["u", "v", "w"]), "run": 7},
    )  # fmt: skip
    sigma = xr.DataArray(np.broadcast_to(SIGMA, (2, 3, len(T))), dims=("col", "row", "time"))
    r = tw.fit(decay, y.time, y, P0, axis="time", sigma=sigma)
    plain = tw.fit(decay, T, np.moveaxis(values, 1, -1), P0, sigma=SIGMA)
    np.testing.assert_array_equal(r.params, plain.params)
    r.save(tmp_path / "r.npz")
    for one in (r, tw.load(tmp_path / "r.npz")):
        out = one.to_xarray()
        assert out["tau"].dims == ("row", "col") and out["cov"].dims[2:] == ("cov_i", "cov_j")
        assert out["run"] == 7 and list(out["name"].values) == ["u", "v", "w"]
        np.testing.assert_array_equal(out["col"], [10, 20])
        np.testing.assert_array_equal(out["cov"].sel(cov_i="a", cov_j="tau"), r.cov[..., 0, 1])
        np.testing.assert_array_equal(out["n_used"], r.n_used)
        assert one.to_dataframe().index.names == ["row", "col"]
        assert list(one[:, 0].to_xarray()["name"].values) == ["u", "v", "w"]
    with pytest.raises(ValueError, match="'tau' is the name of a coordinate of y and of a number"):
        tw.fit(decay, T, y.rename(row="tau"), P0, axis="time").to_xarray()


def test_a_wrong_name_of_an_axis_is_told():
    with pytest.raises(ValueError, match="axis='t' is the name of an axis, and y has no names"):
        tw.fit(decay, T, Y, P0, axis="t")
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(Y, pd.Index(["s1", "s2", "s3"], name="sample"))
    with pytest.raises(ValueError, match="no axis 'smaple', but sample, dim_1; did you mean"):
        tw.fit(decay, T, table, P0, axis="smaple")


def test_the_html_is_a_table_with_escaped_names():
    r = tw.fit(decay, T, Y, P0)
    assert r._repr_html_().count("<tr>") == 3 and "3 fits, 3 succeeded" in r._repr_html_()
    one = tw.fit(decay, T, Y[0], P0, fixed=["a"])._repr_html_()
    assert "<td>fixed</td>" in one and "&lt;= ftol" in one


@pytest.mark.parametrize("model", [decay, refuses_symbols], ids=["recorded", "called"])
@pytest.mark.parametrize("size", [1, 1e-200, 1e250])
@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_every_fit_that_has_run_counts_its_attempts(model, size):
    y = size * np.vstack([Y, np.full(len(T), np.nan)])
    r = tw.fit(model, T, y, {"a": size, "tau": 1.0})
    assert r.success[:3].all() and (r.attempts >= 1).all()
    stopped = tw.fit(decay, T, np.tile(Y, (40_000, 1)), P0, callback=lambda done, total: True)
    np.testing.assert_array_equal(stopped.attempts == 0, stopped.status == tw.Status.NOT_RUN)


def test_labels_of_three_axes_follow_numpy_or_are_left_away():
    grid = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    labels = Labels(("z", "y", "x"), {"all": (("z", "y", "x"), grid), "x": (("x",), np.arange(3))})
    for index in [
        (0, slice(None), 1),
        (slice(None), [2, 0]),
        (1, [2, 0]),
        (..., [0, 1], 2),
        (0, ...),
    ]:
        kept = labels.picked(index, grid.shape)
        np.testing.assert_array_equal(kept.coords["all"][1], grid[index])
        assert kept.coords["all"][0] == kept.dims and len(kept.dims) == grid[index].ndim
    assert labels.picked((0, slice(None), [0, 1]), grid.shape) is None  # NumPy turns the axes
    assert labels.picked(([0, 1], [0, 1]), grid.shape) is None


def test_an_interrupted_result_knows_its_sigma():
    def stop(done, total):
        return done > 0

    y = np.tile(Y, (200_000, 1))
    r = tw.fit(decay, T, y, P0, sigma=SIGMA, absolute_sigma=True, callback=stop)
    assert r.problem.absolute_sigma and (r.status == 0).any() and (r.status > 0).any()
    some = r[np.flatnonzero(r.status > 0)[:5]]
    np.testing.assert_array_equal(some.aic, some.chi2 + 4)


def test_a_point_that_a_mask_leaves_out_has_no_residual():
    mask = np.arange(len(T)) == 4
    r = tw.fit(decay, T, Y, P0, mask=mask, sigma=np.where(np.arange(len(T)) == 9, np.inf, 1.0))
    for residual in r.residual:
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(residual)), [4, 9])


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_derivatives_far_from_a_minimum_are_as_good():
    recorded, called = (
        tw.fit(model, T, Y, P0, max_iter=0).jacobian for model in (decay, refuses_symbols)
    )
    np.testing.assert_allclose(called, recorded, rtol=0, atol=1e-9)  # one-sided differences: 1e-8
