"""Runs that were stopped somewhere go on with the bits of memory, whatever the data and options."""

import numpy as np
import pytest

import thalweg as tw

zarr = pytest.importorskip("zarr")
h5py = pytest.importorskip("h5py")
da = pytest.importorskip("dask.array")

from store_cases import FORMULA, NUMBERS, X, assert_same, decays, fit  # noqa: E402

from thalweg.scale.dask import fit as lazily  # noqa: E402


def stopped_and_resumed(y, path, last, **options):
    """Fit into a store until so many fits are done, and go on."""
    fit(y, out=path, callback=lambda done, _: done >= last, **options)
    return fit(y, out=path, **options)


def in_file(y, folder, kind, chunks):
    if kind == "npy":
        np.save(folder / "y.npy", y)
        return np.load(folder / "y.npy", mmap_mode="r")
    if kind == "hdf5":
        return h5py.File(folder / "y.h5", "w").create_dataset("y", data=y, chunks=chunks)
    version = {"zarr_format": 2} if kind == "zarr 2" else {"zarr_format": 3}
    array = zarr.create_array(
        folder / "y.zarr", shape=y.shape, chunks=chunks, dtype=y.dtype, **version
    )
    array[...] = y
    return array


@pytest.mark.parametrize("kind", ["npy", "hdf5", "zarr 2"])
@pytest.mark.parametrize("dtype", ["<f8", ">f8", ">f4", ">i2"])
@pytest.mark.parametrize("axis", [0, -1])
def test_numbers_of_either_byte_order(kind, dtype, axis, tmp_path):
    y = np.moveaxis(100 * decays(5, 4), -1, axis).astype(dtype)
    start = {"a": 200.0, "tau": 1.0, "c": 10.0}
    source = in_file(y, tmp_path, kind, tuple(max(1, n // 2) for n in y.shape))
    r = stopped_and_resumed(source, tmp_path / "r.zarr", 7, axis=axis, chunk=(2, 3), p0=start)
    assert_same(r, fit(y, axis=axis, p0=start))


@pytest.mark.parametrize("options", [{"starts": 3}, {"retry": 2, "max_iter": 4}])
@pytest.mark.parametrize("last", [1, 10, 20, 29])
def test_a_piece_of_which_some_starts_are_missing_is_not_finished(options, last, tmp_path):
    y = decays(10)
    r = stopped_and_resumed(y, tmp_path / "r.zarr", last, chunk=10, **options)
    assert_same(r, fit(y, **options))


def test_a_piece_of_which_later_attempts_are_missing_is_not_finished(tmp_path):
    y = decays(38)
    hard = {"robust": "huber", "f_scale": 1e-13, "sigma": 1 + y / 9}
    whole = fit(y, **hard)
    assert (whole.attempts > 1).any()
    for last in (0, 20, 38):
        r = stopped_and_resumed(y, tmp_path / f"{last}.zarr", last, **hard)
        assert_same(r, whole)


# ---- strangers ---------------------------------------------------------------------------------


def drawn(seed):
    """Draw data, an axis of points and options."""
    rng = np.random.default_rng(seed)
    batch = tuple(rng.integers(1, 7, rng.integers(1, 4)).tolist())
    unit = 10.0 ** rng.choice([0, 0, -12, 9])
    y = unit * decays(*batch, seed=seed)
    axis = int(rng.integers(0, y.ndim))
    if rng.random() < 0.5:
        y[rng.random(y.shape) < 0.1] = np.nan
    options = {"p0": {"a": 2 * unit, "tau": rng.uniform(0.5, 2, batch), "c": 0.1 * unit}}
    if rng.random() < 0.5:
        options["mask"] = np.moveaxis(rng.random(y.shape) < 0.1, -1, axis)
    if rng.random() < 0.5:
        options["sigma"] = np.moveaxis(unit * rng.uniform(0.5, 2, y.shape), -1, axis)
    if rng.random() < 0.3:
        options["bounds"] = {"tau": (0.1, rng.uniform(2, 9, batch)), "a": (0, None)}
    if rng.random() < 0.3:
        options |= {"robust": "huber", "f_scale": unit * rng.uniform(0.05, 0.2, batch)}
    if rng.random() < 0.3:
        options["dtype"] = np.float32
    if rng.random() < 0.3:
        options["max_iter"] = int(rng.integers(1, 6))
    kind = rng.choice(["<f8", ">f8", "<f4", ">f4"])
    y = np.moveaxis(y, -1, axis).astype(kind)
    chunks = tuple(int(rng.integers(1, n + 1)) for n in y.shape)
    return rng, y, chunks, {"axis": axis, **options}


@pytest.mark.parametrize("seed", range(12))
def test_strangers_get_the_bits_of_memory(seed, tmp_path):
    rng, y, chunks, options = drawn(seed)
    whole = fit(y, **options)
    kind = str(rng.choice(["npy", "hdf5", "zarr 2", "zarr 3"]))
    batch = whole.status.shape
    chunk = tuple(int(rng.integers(1, n + 1)) for n in batch) if seed % 2 else None
    r = stopped_and_resumed(
        *(in_file(y, tmp_path, kind, chunks), tmp_path / "r.zarr"),
        int(rng.integers(0, whole.status.size + 1)),
        **({"chunk": chunk} | options),
    )
    assert_same(r, whole)
    lazy = lazily(FORMULA, X, da.from_array(y, chunks=chunks), independent="t", **options)
    scheduler = ("synchronous", "threads")[seed % 2]
    computed = lazy.compute(scheduler=scheduler, num_workers=1 + seed % 3)
    for name in NUMBERS:
        np.testing.assert_array_equal(getattr(computed, name), getattr(whole, name))


def test_options_of_fits_that_do_not_exist_yet():
    """Models that read x as a whole are recorded for each x, which dask has not computed yet."""

    def model(t, a, tau, c):
        return a * np.exp(-(t - t.mean()) / tau) + c * t[-1]

    y, x = decays(6), X * np.random.default_rng(0).uniform(0.9, 1.1, (6, 1))
    start = {"a": np.full(6, 2.0), "tau": 1.0, "c": 0.1}
    for options in ({}, {"robust": "huber"}):
        whole = tw.fit(model, x, y, start, **options)
        for lazy_x in (x, da.from_array(x, chunks=(4, 5))):
            r = lazily(model, lazy_x, da.from_array(y, chunks=(2, 12)), start, **options)
            np.testing.assert_array_equal(r.params.compute(), whole.params)
    empty = tw.fit(model, x[:0], y[:0], {"a": np.empty(0), "tau": 1, "c": 0})
    assert empty.params.shape == (0, 3)
