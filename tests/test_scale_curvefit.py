"""`curvefit` of DataArrays and Datasets: what xarray's own returns."""

import dask
import numpy as np
import pytest

import thalweg as tw

xr = pytest.importorskip("xarray")
pytest.importorskip("dask.array")

from lazy_cases import T, decays, nothing_computed  # noqa: E402

import thalweg.scale.xarray  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Covariance of the parameters could not")  # SciPy's


def decay(t, a, tau=1.5):
    return a * np.exp(-t / tau) + 0.1


def any_number(t, *params):
    return params[0] * np.exp(-t / params[1]) + 0.1


def cube():
    y = decays(6, 5)
    y[0, 0, 3], y[1, 1] = np.nan, np.nan
    start = np.random.default_rng(1).uniform(1, 2, (6, 5))
    coords = {"y": 2.0 * np.arange(6), "x": list("abcde"), "time": T, "start": (("y", "x"), start)}
    return xr.DataArray(y, dims=("y", "x", "time"), coords=coords, name="signal")


def assert_close(one, other):
    """Assert that two results agree: coefficients, and covariances in units of their errors.

    SciPy stops where chi2 changes by less than 1.5e-8 of it, and takes derivatives by differences.
    """
    assert set(one.coords) == set(other.coords) and set(one) == set(other)
    for name in one.data_vars:
        assert one[name].dims == other[name].dims
        a, b = one[name].values, other[name].values
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        if name.endswith("covariance"):
            root = np.sqrt(np.diagonal(a, axis1=-2, axis2=-1))
            a, b = (v / root[..., :, None] / root[..., None, :] for v in (a, b))
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


A = cube()
CASES = [
    {},
    {"p0": {"a": 2}},
    {"p0": {"a": A["start"], "tau": 1}},
    {"p0": {"a": A["start"][:, 0].drop_vars(["x", "start"])}},
    {"bounds": {"tau": (0, 10)}},
    {"bounds": {"tau": (0.1, np.inf), "a": (-np.inf, 0.5 + 10 * A["start"])}, "p0": {"a": 0.5}},
    {"bounds": {"a": (A["start"] / 10, 9), "tau": (0.1, 9)}},
    {"kwargs": {"absolute_sigma": True, "maxfev": 3000}},
    {"kwargs": {"method": "trf", "ftol": 1e-10, "xtol": 1e-10}},
    {"reduce_dims": "x"},
    {"reduce_dims": ["y", "x"]},
    {"func": any_number, "param_names": ["first", "second"]},
    {"errors": "ignore"},
]


@pytest.mark.parametrize("given", CASES, ids=lambda g: "-".join(map(str, g))[:40])
@pytest.mark.parametrize("dims", [("y", "x", "time"), ("time", "x", "y")], ids=str)
def test_the_result_is_that_of_xarray(given, dims):
    array, given = A.transpose(*dims), {"func": decay} | given
    result = array.thalweg.curvefit("time", **given)
    assert_close(array.curvefit("time", **given), result)
    with nothing_computed():
        lazy = array.chunk({"y": 4, "x": 2, "time": 7}).thalweg.curvefit("time", **given)
        assert dask.is_dask_collection(lazy)
    xr.testing.assert_identical(lazy.compute(), result)


def test_several_coordinates():
    yy, xx = np.mgrid[:9, :11]
    images = tw.models.gaussian2d((xx, yy), 200, 5.3, 4.1, 1.4, 20)
    images = images + np.random.default_rng(0).normal(0, 4, (4, 9, 11))
    stack = xr.DataArray(
        images, dims=("frame", "y", "x"), coords={"y": np.arange(9), "x": np.arange(11)}
    )

    def spot(xy, a, x0, y0, s, c):
        x, y = xy
        return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + c

    p0 = {"a": 200, "x0": 5, "y0": 4, "s": 1.5, "c": 20}
    result = stack.thalweg.curvefit(["x", "y"], spot, p0=p0)
    assert_close(stack.curvefit(["x", "y"], spot, p0=p0), result)
    lazy = stack.chunk({"frame": 3, "y": 5}).thalweg.curvefit(["x", "y"], spot, p0=p0)
    xr.testing.assert_identical(lazy.compute(), result)


def test_starts_that_bounds_exclude_and_parameters_at_a_bound():
    """The middle of two bounds, or 1 away from one; a parameter at its bound has no error here."""
    given = {"bounds": {"tau": (3, np.inf), "a": (2, 1 + A["start"] + 1)}}
    one, other = A.curvefit("time", decay, **given), A.thalweg.curvefit("time", decay, **given)
    name = "curvefit_coefficients"
    np.testing.assert_allclose(other[name], one[name], rtol=1e-4)
    at_bound = other[name].sel(param="tau") == 3
    assert at_bound.sum() == 29
    assert (other["curvefit_covariance"].sel(cov_i="tau").where(at_bound, 0) == 0).all()


@pytest.mark.filterwarnings("ignore:overflow encountered")  # SciPy tries tau < 0
def test_coordinates_that_vary_from_fit_to_fit():
    own = A["time"] + A["start"] / 10
    given = dict(coords=own, func=decay, reduce_dims="time")
    result = A.thalweg.curvefit(**given)
    assert_close(A.curvefit(**given), result)
    lazy = A.chunk({"y": 4}).thalweg.curvefit(**given)
    xr.testing.assert_identical(lazy.compute(), result)


def test_a_dataset():
    data = xr.Dataset({"one": A, "two": 2 * A}, attrs={"of": "me"})
    result = data.thalweg.curvefit("time", decay, p0={"a": 2})
    assert_close(data.curvefit("time", decay, p0={"a": 2}), result)
    assert result.attrs == {"of": "me"}


def test_sigma_and_attributes():
    sigma = np.linspace(1, 2, 25)
    array = A.where(A.notnull(), np.exp(-A["time"])).assign_attrs(units="mV")
    kwargs = {"sigma": sigma, "absolute_sigma": True}
    result = array.thalweg.curvefit("time", decay, kwargs=kwargs)
    assert_close(array.curvefit("time", decay, kwargs=kwargs), result)
    assert result.attrs == {"units": "mV"}
    robust = array.thalweg.curvefit("time", decay, kwargs={"loss": "huber", "f_scale": 0.1})
    assert robust["curvefit_coefficients"].shape == (6, 5, 2)


def plane(xy, a, b):
    x, y = xy
    return a * x + b * y


def plane_by_products(xy, a, b):
    return np.array([a, b]) @ xy


def plane_without_symbols(xy, a, b):
    return float(a) * xy[0] + float(b) * xy[1:].sum(axis=0)


@pytest.mark.parametrize("n_fits", [1, 2, 3])
@pytest.mark.parametrize("func", [plane, plane_by_products, plane_without_symbols])
@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_as_many_fits_as_coordinates(n_fits, func):
    """Two coordinates of two fits are not one coordinate that each fit has for itself."""
    coords = {"x": np.arange(4.0), "y": np.arange(5.0)}
    noise = np.random.default_rng(0).normal(0, 0.1, (n_fits, 4, 5))
    array = xr.DataArray(noise, coords, ("fit", "x", "y"))
    array = array + 2 * array["x"] + 3 * array["y"]
    given = {"coords": ["x", "y"], "func": func, "param_names": ["a", "b"]}
    expected = array.curvefit(**given)
    for one in (array, array.chunk({"fit": 1})):
        assert_close(expected, one.thalweg.curvefit(**given).compute())


def test_none_is_no_bound():
    box = {"a": (0, None), "tau": (None, 9.0)}
    expected = A.curvefit("time", decay, bounds={"a": (0, np.inf), "tau": (-np.inf, 9.0)})
    assert_close(expected, A.thalweg.curvefit("time", decay, bounds=box))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kind", ["dates", "durations"])
def test_dates_are_nanoseconds(kind, lazy):
    steps = (np.arange(25) * 2 * 10**14).astype("m8[ns]")  # a little more than two days
    first = np.datetime64("2024-02-27", "ns")
    times = first + steps if kind == "dates" else steps
    array = A.assign_coords(time=times).drop_vars("start")
    begin = float(first.astype(np.int64)) if kind == "dates" else 0.0

    def line(t, a, b):
        return a * (t - begin) / 1e15 + b

    expected = array.curvefit("time", line)
    one = array.chunk({"y": 4}) if lazy else array
    assert_close(expected, one.thalweg.curvefit("time", line).compute())


@pytest.mark.parametrize("lazy", [False, True])
def test_fits_that_fail(lazy):
    array = A.chunk({"y": 3}) if lazy else A
    kwargs = {"maxfev": 1}
    with pytest.raises(
        RuntimeError, match=r"Optimal parameters not found for \d+ of \d+ fits, first"
    ):
        array.thalweg.curvefit("time", decay, kwargs=kwargs).compute()
    ignored = array.thalweg.curvefit("time", decay, kwargs=kwargs, errors="ignore").compute()
    assert np.isnan(ignored["curvefit_coefficients"]).all()
    with pytest.raises(RuntimeError, match="y is not finite"):
        array.thalweg.curvefit("time", decay, skipna=False).compute()
    ignored = array.thalweg.curvefit("time", decay, skipna=False, errors="ignore").compute()
    missing = np.isnan(ignored["curvefit_coefficients"]).any("param")
    np.testing.assert_array_equal(missing, A.isnull().any("time"))


REFUSALS = [
    ({"coords": "tiem"}, "the data have no coordinate 'tiem', but y, x, time, start; did you mean"),
    ({"coords": "start"}, "reduce_dims names the dimensions of the points"),
    ({"errors": "warn"}, "errors must be 'raise' or 'ignore'"),
    ({"func": any_number}, "param_names must name the parameters"),
    ({"p0": {"aa": 1}}, "p0 names 'aa'"),
    ({"p0": {"a": A}}, "p0['a'] has the dimension 'time'; it may vary along y, x alone"),
    ({"bounds": {"a": (0, A)}}, "bounds['a'] has the dimension 'time'"),
    ({"kwargs": {"full_output": True}}, "kwargs has no option 'full_output' here"),
]


@pytest.mark.parametrize("given, words", REFUSALS, ids=lambda v: str(v)[:30])
def test_refusals(given, words):
    for array in (A, A.chunk({"y": 2})):
        with nothing_computed(), pytest.raises(ValueError) as caught:
            array.thalweg.curvefit(**({"coords": "time", "func": decay} | given))
        assert words in str(caught.value)
