"""Models of several outputs and complex ones, in stores, over chunks of dask and by names."""

import copy
import pickle

import dask
import numpy as np
import pytest
from output_cases import MODELS, data

import thalweg as tw

da = pytest.importorskip("dask.array")

from thalweg.scale.dask import fit as lazily  # noqa: E402

DECAYS, T, _, START = MODELS["decays"]
BATCH = (5, 3)


@pytest.fixture(autouse=True)
def synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


def in_store(model, x, y, folder, **options):
    """Fit into a store, twice: the second call finds all fits done."""
    pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")
    tw.fit(model, x, y, **options, out=folder / "r.zarr", chunk=4)
    return tw.fit(model, x, y, **options, out=folder / "r.zarr", chunk=4)


def assert_same(there, here):
    for name in ("params", "stderr", "chi2", "n_used", "status"):
        values, expected = np.asarray(getattr(there, name)[...]), getattr(here, name)
        assert values.shape == expected.shape and np.array_equal(values, expected), name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("where", ["store", "dask"])
def test_they_have_the_bits_of_fits_in_memory(name, where, tmp_path):
    model, x, _, start = MODELS[name]
    y = data(name, BATCH)
    result = tw.fit(model, x, y, p0=start)
    if where == "store":
        stored = in_store(model, x, y, tmp_path, p0=start)
        assert_same(stored, result)
        assert np.array_equal(stored[1:3].predict(x), result[1:3].predict(x))
    else:
        chunks = (2, 3, *y.shape[2:-1], 7)
        lazy = lazily(model, x, da.from_array(y, chunks=chunks), p0=start)
        assert_same(lazy.compute(), result)
        assert lazy.shape == BATCH


def arguments(y):
    """What each output, point, data set or all may have."""
    rng = np.random.default_rng(2)
    own = rng.uniform(0.9, 1.1, BATCH)
    return {
        "sigma of outputs": {"sigma": (0.1, 0.2)},
        "sigma of outputs, an array": {"sigma": rng.uniform(0.5, 1, (2, 1))},
        "sigma of outputs and points": {"sigma": rng.uniform(0.5, 1, (2, T.size))},
        "sigma of points": {"sigma": rng.uniform(0.5, 1, T.size)},
        "sigma of all": {"sigma": rng.uniform(0.5, 1, y.shape)},
        "sigma of data sets": {"sigma": rng.uniform(0.5, 1, (*BATCH, 1, 1))},
        "mask": {"mask": rng.random(y.shape) < 0.1},
        "p0 of data sets": {"p0": np.array(START) * own[..., None]},
        "bounds of data sets": {"bounds": {"tau": (0, 3 * own)}},
    }


@pytest.mark.parametrize("what", arguments(np.empty((*BATCH, 2, T.size))))
def test_arguments_of_outputs_points_and_data_sets(what, tmp_path):
    y = data("decays", BATCH)
    options = {"p0": START} | arguments(y)[what]
    result = tw.fit(DECAYS, T, y, **options)
    assert_same(in_store(DECAYS, T, y, tmp_path, **options), result)
    lazy = da.from_array(y, chunks=(2, 2, 2, T.size))
    assert_same(lazily(DECAYS, T, lazy, **options).compute(), result)


@pytest.mark.parametrize("axis", [-1, 0])
def test_an_x_of_each_data_set_and_points_along_another_axis(axis, tmp_path):
    y = data("decays", (6,))
    x = T * np.linspace(0.9, 1.1, 6)[:, None]
    x, y = np.moveaxis(x, -1, axis), np.moveaxis(y, -1, axis)
    result = tw.fit(DECAYS, x, y, START, axis=axis)
    assert_same(in_store(DECAYS, x, y, tmp_path, p0=START, axis=axis), result)
    lazy = da.from_array(y, chunks=3), da.from_array(x, chunks=2)
    assert_same(lazily(DECAYS, lazy[1], lazy[0], START, axis=axis).compute(), result)


def test_one_output_along_an_axis_of_its_own(tmp_path):
    def one(t, a, tau):
        return (a * np.exp(-t / tau),)

    y = np.stack([one(T, a, 1.5) for a in (1.0, 2.0, 3.0)])
    assert_same(in_store(one, T, y, tmp_path, p0=[1, 1]), tw.fit(one, T, y, [1, 1]))


def test_failed_fits_are_made_again(tmp_path):
    y = data("decays", BATCH)
    stored = in_store(DECAYS, T, y, tmp_path, p0=START, max_iter=2)
    assert len(stored.failed())
    stored.refit_failed(DECAYS, T, y, START)
    assert stored.success.all()
    np.testing.assert_allclose(stored["tau"], tw.fit(DECAYS, T, y, START)["tau"], rtol=1e-5)


@pytest.mark.parametrize(
    "shape, words",
    [
        ((6, 1, 30), r"2 outputs, so y must have shape \(..., K=2, N\), got \(6, 1, 30\)"),
        ((2, 30), r"a batch of data sets, and y of shape \(2, 30\) is a single one"),
    ],
)
def test_data_without_an_axis_of_outputs_are_refused(shape, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        in_store(DECAYS, T, np.ones(shape), tmp_path, p0=START)
    assert list(tmp_path.iterdir()) == []
    if len(shape) == 3:
        with pytest.raises(ValueError, match=words) as caught:
            lazily(DECAYS, T, da.ones(shape), START)
        for again in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
            assert str(again) == str(caught.value)


def test_a_tuple_of_outputs_is_refused(tmp_path):
    y = data("decays", (2,))
    with pytest.raises(ValueError, match=r"one array \(..., K, N\), not a tuple"):
        in_store(DECAYS, T, tuple(y), tmp_path, p0=START)


def test_a_wrong_option_is_told_as_for_one_output(tmp_path):
    y = data("decays", (6,))
    for call in (
        lambda **options: in_store(DECAYS, T, y, tmp_path, **options),
        lambda **options: lazily(DECAYS, T, da.from_array(y), **options),
    ):
        with pytest.raises(ValueError, match=r"sigma .*\(6, 30\)"):
            call(p0=START, sigma=np.ones((6, 30)))
        with pytest.raises(ValueError, match="p0"):
            call(p0=np.ones((5, 3)))


# ---- by names --------------------------------------------------------------------------------


@pytest.fixture
def array():
    pytest.importorskip("xarray")
    import xarray

    import thalweg.scale.xarray  # noqa: F401

    coords = {"t": T, "site": np.arange(6.0), "channel": ["a", "b"]}
    return xarray.DataArray(data("decays", (6,)), dims=("site", "channel", "t"), coords=coords)


def test_outputs_lie_along_a_dimension_that_is_named(array):
    import xarray

    result = tw.fit(DECAYS, T, array.values, START)
    for given in (array, array.transpose("channel", "t", "site"), array.chunk(site=2)):
        fits = given.thalweg.fit(DECAYS, "t", START, outputs="channel")
        assert fits["tau"].dims == ("site",) and "channel" not in fits.coords
        assert np.array_equal(fits["tau"], result["tau"])
    of_channels = xarray.DataArray([0.1, 0.2], dims="channel", coords={"channel": ["a", "b"]})
    of_sites = xarray.DataArray(np.random.default_rng(0).uniform(1, 2, (6, 30)), dims=("site", "t"))
    for sigma, expected in (
        (of_channels, (0.1, 0.2)),
        (of_sites, np.repeat(of_sites.values[:, None], 2, 1)),
    ):
        fits = array.thalweg.fit(DECAYS, "t", START, outputs="channel", sigma=sigma)
        same = tw.fit(DECAYS, T, array.values, START, sigma=expected)
        assert np.array_equal(fits["tau_stderr"], same.stderr[..., 2])


@pytest.mark.parametrize(
    "model, outputs, words",
    [
        (DECAYS, None, "outputs= must name the dimension"),
        ("a*exp(-t/tau)", "channel", "be left out where it has one output"),
        (DECAYS, "chanel", "did you mean 'channel'"),
        (DECAYS, "t", "'t' cannot be the dimension of points and of outputs"),
    ],
)
def test_wrong_dimensions_of_outputs_are_refused(array, model, outputs, words):
    p0 = {"a": 1, "tau": 1} if isinstance(model, str) else START
    for given in (array, array.chunk(site=2)):
        with pytest.raises(ValueError, match=words):
            given.thalweg.fit(model, "t", p0, outputs=outputs)
