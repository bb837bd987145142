"""Fits of DataArrays and Datasets: coordinates by name, labels and attributes carried."""

import sys

import numpy as np
import pytest

import thalweg as tw

xr = pytest.importorskip("xarray")
pytest.importorskip("dask.array")

from lazy_cases import T, decays, nothing_computed  # noqa: E402

import thalweg.scale.xarray  # noqa: E402

P0 = {"a": 1, "tau": 1, "c": 0}
FORMULA = "a*exp(-time/tau) + c"


def function(time, a, tau, c):
    return a * np.exp(-time / tau) + c


def cube(*dims):
    """Return decays over y, x and time, in this order of dimensions, with units."""
    rng = np.random.default_rng(0)
    array = xr.DataArray(
        decays(6, 5),
        dims=("y", "x", "time"),
        coords={
            "y": 2.0 * np.arange(6),
            "x": list("abcde"),
            "time": ("time", T, {"units": "ms"}),
            "start": (("y", "x"), rng.uniform(1, 2, (6, 5))),
            "noise": (("x", "time"), rng.uniform(0.5, 2, (5, 25))),
            "run": 7,
        },
        name="signal",
        attrs={"units": "mV", "long_name": "signal"},
    )
    return array.transpose(*dims) if dims else array


LAZY = {"y": 4, "x": 2, "time": 9}


@pytest.mark.parametrize("model", [FORMULA, function], ids=["formula", "function"])
@pytest.mark.parametrize(
    "dims", [("y", "x", "time"), ("time", "x", "y"), ("x", "time", "y")], ids=str
)
def test_a_fit_along_a_dimension(model, dims):
    array, batch = cube(*dims), tuple(d for d in dims if d != "time")
    r = array.thalweg.fit(model, dim="time", p0=P0)
    memory = tw.fit(function, T, array.transpose(*batch, "time").values, list(P0.values()))
    for j, name in enumerate(P0):
        assert r[name].dims == batch
        np.testing.assert_array_equal(r[name], memory[name])
        np.testing.assert_array_equal(r[f"{name}_stderr"], memory.stderr[..., j])
    for name in ("chi2", "dof", "n_used", "n_iter", "status", "cov"):
        np.testing.assert_array_equal(r[name], getattr(memory, name))
    assert r["cov"].dims == (*batch, "cov_i", "cov_j") and list(r["cov_i"]) == ["a", "tau", "c"]
    assert set(r.coords) == {"y", "x", "start", "run", "cov_i", "cov_j"}
    assert r.attrs == array.attrs and "flag_meanings" in r["status"].attrs
    with nothing_computed():
        lazy = array.chunk(LAZY).thalweg.fit(model, dim="time", p0=P0)
        assert all(v.chunks for v in lazy.data_vars.values())
    xr.testing.assert_identical(lazy.compute(), r)


def test_attributes_of_coordinates_are_carried():
    array = cube()
    array["y"].attrs["units"] = "mm"
    r = array.thalweg.fit(FORMULA, "time", P0)
    assert r["y"].attrs == {"units": "mm"}


def test_names_of_all_arguments():
    array = cube()
    whole = array.transpose("y", "x", "time").values
    noise = array["noise"].broadcast_like(array).values
    given = {
        "p0": {"a": array["start"].transpose(), "tau": 1, "c": array["start"][0] * 0},
        "sigma": array["noise"],
        "bounds": {"tau": (0, array["start"] + 1), "c": (-1, 1)},
        "mask": array > 2.5,
    }
    start, a = array["start"].values, np.zeros((6, 5))
    plain = {
        "p0": {"a": start, "tau": 1, "c": a},
        "sigma": noise,
        "bounds": {"tau": (0, start + 1), "c": (-1, 1)},
        "mask": whole > 2.5,
    }
    memory = tw.fit(function, T, whole, **plain)
    for y in (array, array.transpose("time", "y", "x"), array.chunk(LAZY)):
        r = y.thalweg.fit(function, "time", **given).transpose("y", "x", ...).compute()
        np.testing.assert_array_equal(r["tau"], memory["tau"])
        np.testing.assert_array_equal(r["cov"], memory.cov)
    fixed = array.thalweg.fit(function, "time", P0, fixed={"c": array["start"] / 10})
    np.testing.assert_array_equal(fixed["c"], start / 10)
    rows = array.thalweg.fit(function, "time", P0, sigma=noise)
    np.testing.assert_array_equal(
        rows["a"], tw.fit(function, T, whole, [1, 1, 0], sigma=noise)["a"]
    )


def test_a_fit_is_the_start_of_the_next():
    array = cube()
    first = array.thalweg.fit(function, "time", P0)
    again = array.thalweg.fit(function, "time", first)
    np.testing.assert_allclose(again["tau"], first["tau"], rtol=1e-6)
    assert int(again["n_iter"].max()) < int(first["n_iter"].max())


@pytest.mark.parametrize("lazy", [False, True])
def test_arrays_of_all_parameters(lazy):
    """What belongs to all parameters lies in any order, and names tell which parameter it is."""
    array = cube()
    start = xr.concat([array["start"], array["start"] + 1, 0 * array["start"]], "param")
    named = start.assign_coords(param=["a", "tau", "c"]).drop_vars("start")
    box = named.isel(y=0, x=0, drop=True) * 0 - 1, named + 9
    expected = tw.fit(
        *(function, T, array.values, np.moveaxis(start.values, 0, -1)),
        bounds=(np.full(3, -1.0), np.moveaxis(box[1].values, 0, -1)),
    )
    shuffled = named.sel(param=["tau", "c", "a"])
    more = named.pad(param=(0, 1)).assign_coords(param=["a", "tau", "c", "other"])
    array = array.chunk(LAZY) if lazy else array
    for p0 in (start, named, shuffled, more, named.transpose("x", "param", "y")):
        r = array.thalweg.fit(function, "time", p0.chunk() if lazy else p0, bounds=box)
        np.testing.assert_array_equal(r["tau"], expected["tau"])
    one = named.isel(y=0, x=0, drop=True)
    held = array.thalweg.fit(function, "time", one, fixed=one > 1.5)
    np.testing.assert_array_equal(held["tau"], np.full((6, 5), one.sel(param="tau")))
    coefficients = array.thalweg.curvefit("time", function)["curvefit_coefficients"]
    again = array.thalweg.fit(function, "time", coefficients)
    np.testing.assert_allclose(again["tau"], expected["tau"], rtol=1e-5)


def images():
    yy, xx = np.mgrid[:9, :11]
    clean = tw.models.gaussian2d((2.0 * xx, yy), 200, 10.6, 4.1, 1.9, 20)
    noisy = clean + np.random.default_rng(0).normal(0, 4, (6, 9, 11))
    return xr.DataArray(noisy, dims=("frame", "y", "x"), coords={"x": 2.0 * np.arange(11)})


def test_images_have_two_dimensions_of_points():
    stack, (yy, xx) = images(), np.mgrid[:9, :11]
    memory = tw.fit("gaussian2d", (2.0 * xx, yy), stack.values)
    for dim in (("y", "x"), ("x", "y"), ["y", "x"]):  # the model names its variables x and y
        r = stack.thalweg.fit("gaussian2d", dim)
        np.testing.assert_allclose(r["x0"], memory["x0"], rtol=1e-7)
        lazy = stack.chunk({"frame": 4, "y": 5}).thalweg.fit("gaussian2d", dim)
        xr.testing.assert_identical(lazy.compute(), r)

    def plane(xy, a, b, c):
        return a * xy[0] + b * xy[1] + c

    r = stack.thalweg.fit(plane, ("x", "y"), [0, 0, 0])  # in the order of dim
    expected = tw.fit(plane, (2.0 * xx, yy), stack.values, [0, 0, 0])
    np.testing.assert_allclose(r["a"], expected["a"], rtol=1e-7)
    by_name = stack.thalweg.fit("a*x + b*y + c", ("y", "x"), [0, 0, 0])
    np.testing.assert_allclose(by_name["a"], expected["a"], rtol=1e-7)


def test_coordinates_may_vary_from_fit_to_fit():
    array = cube()
    own = (array["time"] + array["start"] / 10).rename("own")
    memory = tw.fit(function, own.transpose("y", "x", "time").values, array.values, [1, 1, 0])
    for y, x in ((array, own), (array.chunk(LAZY), own.chunk({"x": 3})), (array, own.chunk())):
        r = y.thalweg.fit(function, "time", P0, coords=own)
        np.testing.assert_array_equal(r["tau"].compute(), memory["tau"])
        named = y.assign_coords(own=x).thalweg.fit(function, "time", P0, coords="own")
        np.testing.assert_array_equal(named["tau"].compute(), memory["tau"])


def test_one_curve_needs_no_dim():
    one = cube()[2, 3]
    r = one.thalweg.fit(FORMULA, p0=P0)
    assert (
        r["tau"].dims == () and float(r["tau"]) == tw.fit(function, T, one.values, [1, 1, 0])["tau"]
    )
    assert cube().thalweg.fit(function, p0=P0, coords="time")["tau"].dims == ("y", "x")
    bare = xr.DataArray(2.0 * np.arange(9.0) + 1, dims="k")
    assert float(bare.thalweg.fit("m*x + b", p0=[1, 1])["m"]) == pytest.approx(2)


def test_missing_values_float32_and_integers():
    array = cube()
    array[0, 0, :3], array[1, 1] = np.nan, np.nan
    r = array.astype("float32").thalweg.fit(FORMULA, "time", P0, dtype="float32")
    assert r["tau"].dtype == np.float32
    assert r["n_used"].values[0, 0] == 22 and r["status"].values[1, 1] == tw.Status.TOO_FEW_POINTS
    counts = (100 * cube()).astype(int)
    whole = counts.thalweg.fit(FORMULA, "time", P0)
    lazy = counts.chunk(LAZY).thalweg.fit(FORMULA, "time", P0)
    xr.testing.assert_identical(lazy.compute(), whole)
    empty = cube()[:0].thalweg.fit(FORMULA, "time", P0)
    assert empty["tau"].shape == (0, 5)


def test_variables_of_a_dataset():
    data = xr.Dataset(
        {"one": cube(), "two": 2 * cube(), "error": cube()["noise"]}, attrs={"of": "me"}
    )
    for d in (data, data.chunk(LAZY)):
        r = d.thalweg.fit(FORMULA, "time", P0, y="two", sigma="error").compute()
        expected = (2 * cube()).thalweg.fit(FORMULA, "time", P0, sigma=cube()["noise"])
        xr.testing.assert_identical(r.drop_attrs(), expected.drop_attrs())
        every = d.thalweg.fit(FORMULA, "time", P0, sigma="error").compute()
        np.testing.assert_array_equal(every["two_tau"], r["tau"])
        assert "one_cov" in every and every.attrs == {"of": "me"} and "error_tau" not in every
        some = d.thalweg.fit(FORMULA, "time", P0, y=["one"], sigma="error")
        assert "one_tau" in some and "two_tau" not in some


ARRAY = cube()
REFUSALS = [
    ({"dim": "tiem"}, "the data have no dimension 'tiem', but y, x, time; did you mean 'time'?"),
    ({"dim": None}, "dim must name the dimensions of the points of a fit"),
    ({"coords": "tyme"}, "the data have no coordinate 'tyme', but y, x, time, start"),
    ({"p0": {"a": ARRAY["start"][:3], "tau": 1, "c": 0}}, "p0['a'] does not have the data's coord"),
    ({"p0": {"a": ARRAY["noise"], "tau": 1, "c": 0}}, "p0['a'] has the dimension 'time'; it may"),
    ({"p0": {"a": 1, "tua": 1, "c": 0}}, "did you mean 'tau'?"),
    (
        {"sigma": xr.DataArray([1.0], dims="z")},
        "sigma has the dimension 'z', which the data do not",
    ),
    ({"coords": xr.DataArray(T[:9], dims="time", name="t")}, "the coordinate 't' does not have"),
    ({"mask": ARRAY[:, :, :9] > 0}, "mask does not have the data's coordinates"),
    ({"dim": ["time", "time"]}, "dim names a dimension twice: time, time"),
    ({"p0": ARRAY["start"]}, "p0 needs one dimension for the parameters beside those of the fits"),
    ({"bounds": (0, ARRAY["start"])}, "bounds needs one dimension for the parameters beside"),
    (
        {"p0": xr.DataArray([1, 2], coords={"param": ["a", "tau"]}, dims="param")},
        "p0 has no 'c' along its dimension 'param'",
    ),
]


@pytest.mark.parametrize("given, words", REFUSALS, ids=lambda v: str(v)[:30])
def test_refusals(given, words):
    for array in (ARRAY, ARRAY.chunk(LAZY)):
        with nothing_computed(), pytest.raises(ValueError) as caught:
            array.thalweg.fit(function, **({"dim": "time", "p0": P0} | given))
        assert words in str(caught.value)


def test_more_refusals():
    with pytest.raises(TypeError, match="did you mean max_iter"):
        ARRAY.thalweg.fit(function, "time", P0, maxiter=3)
    with pytest.raises(ValueError, match=r"array, axis=dim, out=path\) fits a DataArray into"):
        ARRAY.thalweg.fit(function, "time", P0, out="r.zarr")
    with pytest.raises(ValueError, match=r"no variable 'sgnal', but .*; did you mean 'signal'"):
        ARRAY.to_dataset().thalweg.fit(function, "time", P0, y="sgnal")
    with pytest.raises(ValueError, match="no variable of the Dataset has the dimensions z"):
        ARRAY.to_dataset().thalweg.fit(function, "z", P0)
    with pytest.raises(ValueError, match="'tau' is the name of a coordinate of y"):
        ARRAY.rename(y="tau").thalweg.fit(function, "time", P0)
    dates = ARRAY.assign_coords(time=np.datetime64("2020-01-01", "ns") + np.arange(25))
    with pytest.raises(TypeError, match="must be numbers, got dates; subtract a start"):
        dates.thalweg.fit(function, "time", P0)


def test_without_xarray_the_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    monkeypatch.delitem(sys.modules, "thalweg.scale.xarray")
    with pytest.raises(ModuleNotFoundError, match="xarray needs xarray: python"):
        import thalweg.scale.xarray  # noqa: F401
