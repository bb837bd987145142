"""Fits into a store: the same bits as in memory, wherever the data are, and parts read again."""

import json
import pickle

import numpy as np
import pytest
from store_cases import FORMULA, START, X, assert_same, decays, fit

import thalweg as tw
from thalweg.model.registry import MODELS
from thalweg.scale.grid import Grid, grid_of
from thalweg.scale.sources import layout_of, points_part

zarr = pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")


def mapped(y, folder):
    np.save(folder / "y.npy", y)
    return np.load(folder / "y.npy", mmap_mode="r")


def in_hdf5(y, folder, **options):
    h5py = pytest.importorskip("h5py")
    return h5py.File(folder / "y.h5", "w").create_dataset("y", data=y, **options)


def in_zarr(y, folder, version):
    chunks = tuple(max(1, n // 3) for n in y.shape)
    return zarr.create_array(folder / "y.zarr", data=y, chunks=chunks, zarr_format=version)


SOURCES = {
    "memory": lambda y, folder: y,
    "list": lambda y, folder: y.tolist(),
    "npy": mapped,
    "part of npy": lambda y, folder: np.asarray(mapped(np.stack([y, y]), folder))[1],
    "hdf5": in_hdf5,
    "hdf5 in chunks": lambda y, folder: in_hdf5(y, folder, chunks=True, compression="gzip"),
    "zarr 2": lambda y, folder: in_zarr(y, folder, 2),
    "zarr 3": lambda y, folder: in_zarr(y, folder, 3),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("chunk", [None, 1, 7, 1000])
def test_a_store_has_the_bits_of_a_fit_in_memory(source, chunk, tmp_path):
    y = decays(5, 9)
    there = SOURCES[source](y, tmp_path)
    assert_same(fit(there, out=tmp_path / "r.zarr", chunk=chunk), fit(y))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_points_along_any_axis(dtype, axis, tmp_path):
    y = np.moveaxis(decays(4, 6, dtype=dtype), -1, axis)
    r = fit(mapped(y, tmp_path), axis=axis, dtype=dtype, out=tmp_path / "r.zarr", chunk=(3, 2))
    assert r.params.chunks == (3, 2, 3) and r.params.dtype == dtype
    assert_same(r, fit(y, axis=axis, dtype=dtype))


def test_images_whose_points_lie_along_two_axes(tmp_path):
    yy, xx = np.mgrid[:5, :5].astype(float)
    centre = np.random.default_rng(1).uniform(1.5, 2.5, (2, 30, 1, 1))
    y = 9 * np.exp(-((xx - centre[0]) ** 2 + (yy - centre[1]) ** 2) / 2) + 1
    r = tw.fit(tw.models.gaussian2d, (xx, yy), y, out=tmp_path / "r.zarr", chunk=8)
    assert_same(r, tw.fit(tw.models.gaussian2d, (xx, yy), y))
    assert r[3].predict((0.0, 0.0)).shape == ()


def per_fit(y):
    """Arguments of which every data set has its own."""
    rng = np.random.default_rng(5)
    batch, free = y.shape[:-1], rng.uniform(0.8, 1.2, y.shape[:-1])
    half = np.broadcast_to(rng.random(batch) < 0.5, batch)
    return {
        "sigma": {"sigma": rng.uniform(0.5, 2, y.shape)},
        "sigma of all": {"sigma": rng.uniform(0.5, 2, X.size), "absolute_sigma": True},
        "sigma of columns": {"sigma": rng.uniform(0.5, 2, (1, *y.shape[1:]))},
        "mask": {"mask": rng.random(y.shape) < 0.2},
        "mask of pixels": {"mask": half[..., None]},
        "p0 by name": {"p0": {"a": 2 * free, "tau": 1.0, "c": 0.1 * free}},
        "p0": {"p0": np.stack([2 * free, free, 0.1 * free], -1)},
        "bounds by name": {"bounds": {"tau": (0, 2 + free), "c": (None, 1)}},
        "bounds": {"bounds": (None, np.stack([9 * free, 9 * free, 1 + free], -1))},
        "fixed by name": {"fixed": {"c": 0.5 * free}},
        "fixed": {"fixed": np.stack([half, ~half, half], -1)},
        "f_scale": {"robust": "huber", "f_scale": 0.1 * free},
        "f_scale of all": {"robust": "cauchy", "f_scale": "estimate"},
        "ties": {"tied": {"c": "a/6"}},
        "starts": {"starts": 3},
        "retry": {"retry": 3, "max_iter": 5},
        "guess": {"guess": lambda t, y: {"a": np.ptp(y), "tau": 1.0, "c": y.min()}, "p0": None},
        "poisson": {"noise": "poisson", "mask": y < 0},
        "linear": {"linear": "auto"},
    }


@pytest.mark.parametrize("what", per_fit(decays(1, 1)))
def test_arguments_of_every_data_set(what, tmp_path):
    y = decays(4, 5)
    options = per_fit(y)[what]
    stored = fit(y, **options, out=tmp_path / "r.zarr", chunk=(3, 2))
    result = fit(y, **options)
    assert_same(stored, result)
    assert_same(fit(y, **options, out=tmp_path / "r.zarr", chunk=(3, 2)), result)
    part, same = stored[1:3, 4], result[1:3, 4]
    assert np.array_equal(part.at_bound, same.at_bound)
    assert np.array_equal(part.dof, same.dof) and part.tied == same.tied
    if result.agreement is not None:
        assert np.array_equal(part.agreement, same.agreement)


@pytest.mark.parametrize(
    "name", [n for n, m in MODELS.items() if m.guess and "y" not in m.independent]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_guessed_starts_do_not_depend_on_the_piece(name, dtype, tmp_path):
    rng = np.random.default_rng(3)
    x, P = np.linspace(0.5, 6, 31), len(MODELS[name].names)
    y = np.stack([MODELS[name](x, *p) for p in rng.uniform(0.7, 2, (11, P))])
    y = (y + rng.normal(0, 0.01, y.shape)).astype(dtype)
    r = tw.fit(name, x, y, dtype=dtype, out=tmp_path / "r.zarr", chunk=3)
    assert_same(r, tw.fit(name, x, y, dtype=dtype))


def test_a_mask_of_numpy_stays(tmp_path):
    y = np.ma.masked_greater(decays(6), 3.2)
    assert y.mask.any()
    assert_same(fit(y, out=tmp_path / "r.zarr", chunk=2), fit(y))


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_variables_of_two_axes_are_not_taken_for_rows(n, tmp_path):
    """x of shape (2, N) beside pieces of 2 data sets, and x of shape (1, N) beside one."""
    y = decays(n)
    rows = np.stack([X, X**2])
    for x, f in (
        (rows, lambda x, a, b: a * x[0] + b * x[1]),
        (rows[:1], lambda x, a, b: a + b * x[0]),
    ):
        r = tw.fit(f, x, y, [1, 1], out=tmp_path / f"{len(x)}.zarr", chunk=2)
        assert_same(r, tw.fit(f, x, y, [1, 1]))


def test_an_x_for_every_data_set(tmp_path):
    y = decays(3, 4)
    x = X * np.linspace(0.9, 1.1, 12).reshape(3, 4, 1)
    options = {"p0": START, "independent": "t"}
    r = tw.fit(FORMULA, x, y, **options, out=tmp_path / "r.zarr", chunk=5)
    assert_same(r, tw.fit(FORMULA, x, y, **options))
    table = {"t": x, "unused": X}
    r = tw.fit(
        lambda x, a, tau: a * np.exp(-x["t"] / tau), table, y, [2, 1], out=tmp_path / "s.zarr"
    )
    assert r.finished


def test_a_model_that_python_evaluates(tmp_path):
    def model(x, a, tau):
        return np.array([a * float(np.exp(-v / tau)) for v in x])

    y = decays(6) - 0.5
    with pytest.warns(tw.SlowModelWarning) as heard:
        r = tw.fit(model, X, y, [2, 1], out=tmp_path / "r.zarr", chunk=2)
        expected = tw.fit(model, X, y, [2, 1])
    assert len(heard) == 2
    assert_same(r, expected)
    assert r[0].predict(X).shape == (12,)


def test_the_texts_of_a_folder_are_json(tmp_path):
    """Also for readers that are strict, to which NaN is no number."""

    def refused(word):
        raise AssertionError(f"{word} is no JSON")

    fit(decays(3), out=tmp_path / "r.zarr")
    for file in (tmp_path / "r.zarr").rglob("zarr.json"):
        json.loads(file.read_text(), parse_constant=refused)


# ---- what is read again ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return a stored result and the same in memory, with some failures."""
    y = decays(6, 7)
    y[2, 3:5] = np.nan
    folder = tmp_path_factory.mktemp("store")
    stored = fit(y, out=tw.scale.Store(folder / "r.zarr", cov=True), chunk=(4, 3))
    return stored, fit(y)


INDICES = [
    ...,
    0,
    -1,
    (2, 3),
    (slice(1, 5, 2), -2),
    (slice(None), slice(2, None)),
    (Ellipsis, 1),
    (np.int64(3), Ellipsis),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_parts_are_those_of_the_result_in_memory(both, index):
    stored, result = both
    part, same = stored[index], result[index]
    for name in ("params", "stderr", "cov", "chi2", "status", "n_used", "dof", "redchi"):
        assert np.array_equal(getattr(part, name), getattr(same, name), equal_nan=True), name
    assert part.n_used.dtype == same.n_used.dtype
    assert np.array_equal(part.predict([0.5, 1]), same.predict([0.5, 1]), equal_nan=True)
    with pytest.raises(ValueError, match="holds no data"):
        part.residual  # noqa: B018


def test_questions_that_a_stored_result_answers(both):
    stored, result = both
    assert np.array_equal(stored["tau"], result["tau"], equal_nan=True)
    assert np.array_equal(stored.failed(), result.failed()) and len(stored.failed()) == 2
    assert np.array_equal(stored.success, result.success)
    assert stored.reason(2, 3) == result.reason(2, 3)
    assert stored.reason((0, -1)) == result.reason(0, -1)
    assert stored.summary() == result.summary()
    assert len(stored) == 6 and stored.size == stored.n_finished == 42
    assert stored.n_used.dtype == stored.n_iter.dtype == np.int32  # on the disk; 8 bytes in parts
    assert "42 fits (6, 7)" in repr(stored)
    again = pickle.loads(pickle.dumps(tw.scale.open_result(stored.path)))
    assert np.array_equal(again["a"], result["a"], equal_nan=True)
    good = stored[stored.success]
    assert np.array_equal(good.params, result[result.success].params)


def test_lists_of_places(tmp_path):
    y = decays(9)
    stored, result = fit(y, out=tmp_path / "r.zarr", chunk=2), fit(y)
    for places in ([7, 0, -2, 3], np.array([], int), [5, 5]):
        assert np.array_equal(stored[places].params, result[places].params)
    for wrong in ([9], [-10], [0.5], [[1]], 9, (0, 0), slice(None, None, -1)):
        with pytest.raises(IndexError):
            stored[wrong]
    with pytest.raises(KeyError, match="taus"):
        stored["taus"]
    with pytest.raises(AttributeError, match="params_"):
        stored.params_  # noqa: B018


def test_without_covariances_what_needs_them_says_so(tmp_path):
    y = decays(5)
    stored, result = fit(y, out=tmp_path / "r.zarr"), fit(y)
    for part, same in ((stored[...], result), (stored[1:4][2], result[3])):
        assert np.array_equal(part.stderr, same.stderr)
        assert np.array_equal(part.interval(0.9), same.interval(0.9))
        for call in (lambda p: p.cov, lambda p: p.band([1.0]), lambda p: p.save("r.npz")):
            with pytest.raises(ValueError, match=r"no covariances; fit with out=.*cov=True"):
                call(part)
    assert np.array_equal(pickle.loads(pickle.dumps(stored[...])).stderr, result.stderr)
    assert [r.chi2 for r in stored[:2]] == [r.chi2 for r in result[:2]]


def test_errors_of_parts_with_a_fixed_parameter(tmp_path):
    y = decays(5)
    for cov in (False, True):
        out = tw.scale.Store(tmp_path / f"{cov}.zarr", cov=cov)
        part, same = fit(y, fixed=["a"], out=out)[1:], fit(y, fixed=["a"])[1:]
        assert np.array_equal(part.stderr, same.stderr)
        assert np.array_equal(part.interval(0.9), same.interval(0.9))


def test_labels_survive(tmp_path):
    xarray = pytest.importorskip("xarray")
    when = np.array(["2020-01-31", "2020-02-01"], "M8[ns]")
    coords = {"when": when, "t": X, "city": ("place", ["Aa", "Bb", "Cc"]), "place": [10.0, 20, 30]}
    y = xarray.DataArray(decays(2, 3), dims=("when", "place", "t"), coords=coords)
    stored, result = fit(y, axis="t", out=tmp_path / "r.zarr", chunk=2), fit(y, axis="t")
    assert_same(stored, result)
    part = stored[..., 1:].problem.data.labels
    same = result[..., 1:].problem.data.labels
    assert part.dims == same.dims and part.coords.keys() == same.coords.keys()
    for name in same.coords:
        assert part.coords[name][0] == same.coords[name][0]
        assert np.array_equal(part.coords[name][1], same.coords[name][1]), name
    dataset = xarray.open_zarr(tmp_path / "r.zarr", consolidated=False)
    assert dataset["params"].dims == ("when", "place", "parameter")
    assert np.array_equal(dataset["place"], [10, 20, 30])


# ---- pieces ----------------------------------------------------------------------------------


class Source:
    """An array of which only the shape is known."""

    dtype = np.dtype(np.float32)

    def __init__(self, shape, chunks=None):
        self.shape, self.chunks, self.ndim = shape, chunks, len(shape)


def pieces(shape, chunks=None, axis=-1, **options):
    y = Source(shape, chunks)
    x = np.arange(shape[axis])
    layout = layout_of(x, y, axis)
    return grid_of(layout, [points_part(y, layout, "y")], **options).piece


MB64 = 1 << 24  # numbers of float32 that are 64 MB


@pytest.mark.parametrize(
    "shape, chunks, axis, expected",
    [
        ((100, 16), None, -1, (100,)),
        ((10**8, 16), None, -1, (MB64 // 16,)),
        ((10**8, 16), (1000, 16), -1, (MB64 // 16 // 1000 * 1000,)),
        ((4096, 4096, 16), None, -1, (256, 4096)),
        ((4096, 4096, 16), (64, 64, 16), -1, (256, 4096)),
        ((4096, 4096, 16), (100, 100, 16), -1, (200, 4096)),
        ((16, 4096, 4096), None, 0, (256, 4096)),
        ((10**8, 16), (2 * MB64 // 16, 16), -1, (2 * MB64 // 16,)),  # not divided
        ((10**8, 16), (3 * MB64 // 16, 16), -1, (MB64 // 16,)),
        ((10, 10**8), None, -1, (1,)),
        ((16, 4096, 4096), (1, 1024, 1024), 0, (1024, 1024)),
    ],
)
def test_pieces_follow_the_chunks_of_the_data(shape, chunks, axis, expected):
    assert pieces(shape, chunks, axis) == expected


def test_chunks_across_the_fitted_axis_are_refused_with_the_cure():
    with pytest.raises(
        ValueError, match=r"\(1, 4096, 4096\), lie across .* read 16 times; store y"
    ):
        pieces((16, 8192, 8192), (1, 4096, 4096), 0)
    with pytest.raises(ValueError, match="are large: to read"):
        pieces((10**9, 16), (10**8, 16))
    assert pieces((16, 8192, 8192), (1, 4096, 4096), 0, chunk=8192) == (1, 8192)
    assert pieces((10**6, 16), None, most=4096) == (4096,)


@pytest.mark.parametrize("chunk", [0, -1, 1.5, "a", (1,), (1, 2, 3), (0, 1)])
def test_chunks_that_are_none_are_refused(chunk):
    with pytest.raises(ValueError, match="chunk"):
        pieces((4, 4, 16), chunk=chunk)


def test_every_data_set_is_in_one_piece():
    grid = Grid((5, 7), (2, 3))
    seen = np.zeros((5, 7), int)
    for place in grid.places():
        seen[grid.region(place)] += 1
        assert grid.size(place) == seen[grid.region(place)].size
    assert (seen == 1).all() and grid.counts == (3, 3)


def test_an_array_of_a_stored_result_is_its_parameters(tmp_path):
    r = fit(decays(5), out=tmp_path / "r.zarr")
    np.testing.assert_array_equal(np.asarray(r), r.params[...])
    assert np.asarray(r, np.float32).dtype == np.float32
