"""The command line: results in a store, of data that stay in their file, and maps."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_cases import call
from store_cases import FORMULA, X, assert_same, decays, fit

import thalweg as tw

zarr = pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")

MODEL = ("--model", FORMULA, "--independent", "t", "--p0", "a=2,tau=1,c=0.1")
GRID = ("--x", ",".join(map(repr, X.tolist())))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_h5(name, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(name, "w") as file:
        for key, array in arrays.items():
            file[key] = array


def write_zarr(name, arrays):
    group = zarr.open_group(name, mode="w")
    for key, array in arrays.items():
        group.create_array(key, shape=array.shape, dtype=array.dtype)[...] = array


def write_nc(name, arrays):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    dims = {"x": "t", "y": ("row", "column", "t"), "sigma": ("row", "column", "t")}
    xarray.Dataset({n: (dims[n], a) for n, a in arrays.items()}).to_netcdf(name, engine="h5netcdf")


WRITERS = {
    "d.npz": lambda name, arrays: np.savez(name, **arrays),
    "d.h5": write_h5,
    "d.zarr": write_zarr,
    "d.nc": write_nc,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("out", ["o.zarr", "o.npz"])
def test_files_of_arrays_are_fitted_into_a_store(name, out, capsys):
    y = decays(3, 4)
    sigma = np.random.default_rng(0).uniform(0.5, 2, y.shape)
    WRITERS[name](name, {"x": X, "y": y, "sigma": sigma})
    _, said = call(capsys, "fit", name, *MODEL, "--out", out)
    assert "y has shape 3 x 4 x 12" in said and "x is x; sigma is sigma" in said
    expected = fit(y, sigma=sigma)
    if out == "o.npz":
        assert np.array_equal(tw.load(out).params, expected.params)
    else:
        assert_same(tw.scale.open_result(out), expected)


def test_the_only_variable_of_a_file_needs_no_name(capsys):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    y = decays(4)
    data = xarray.DataArray(y, dims=("fit", "t"), coords={"t": X}, name="signal")
    data.to_netcdf("d.nc", engine="h5netcdf")
    _, said = call(capsys, "fit", "d.nc", *MODEL, "--x", "t", "--out", "o.zarr")
    assert "y is signal, its only array" in said
    assert_same(tw.scale.open_result("o.zarr"), fit(y))


def test_a_store_is_begun_resumed_and_begun_anew(capsys):
    y = decays(9)
    np.save("d.npy", y)
    command = ("fit", "d.npy", *GRID, *MODEL, "--out", "o.zarr")
    printed, _ = call(capsys, *command, "--chunk", "2")
    assert "9 fits, 9 succeeded" in printed
    assert tw.scale.open_result("o.zarr").params.chunks == (2, 3)
    for part in ("finished/c/1/0", "params/c/1/0"):
        (pytest.importorskip("pathlib").Path("o.zarr") / part).unlink()
    _, said = call(capsys, *command, code=2)
    assert "--out o.zarr exists; --resume goes on with it, --force begins anew" in said
    _, said = call(capsys, *command, "--resume", "--xtol", "1e-5", code=2)
    assert "xtol was None and is 1e-05" in said and "or --force to begin anew" in said
    call(capsys, *command, "--resume")
    assert_same(tw.scale.open_result("o.zarr"), fit(y))
    call(capsys, *command, "--force", "--xtol", "1e-5")
    assert_same(tw.scale.open_result("o.zarr"), fit(y, xtol=1e-5))


def test_failed_fits_are_told(capsys):
    y = decays(30)
    y[:25] = np.nan
    np.save("d.npy", y)
    _, said = call(capsys, "fit", "d.npy", *GRID, *MODEL, "--out", "o.zarr", code=1)
    assert "fit 0 failed: fewer usable points" in said and "5 more fits failed" in said


def test_points_below_a_value_are_left_out(capsys):
    y = decays(5)
    np.save("d.npy", y)
    call(capsys, "fit", "d.npy", *GRID, *MODEL, "--mask-below", "0.6", "--out", "o.zarr")
    assert_same(tw.scale.open_result("o.zarr"), fit(y, mask=y < 0.6))


@pytest.mark.parametrize("out", ["o.zarr", "o.npz"])
def test_a_map_of_one_parameter_is_drawn(out, capsys, folder):
    pytest.importorskip("matplotlib")
    np.save("d.npy", decays(6, 7))
    command = ("fit", "d.npy", *GRID, *MODEL, "--out", out, "--plot", "m.png")
    call(capsys, *command, "--map", "tau")
    assert (folder / "m.png").stat().st_size > 1000
    told, said = call(capsys, *command, "--force", "--map", "taus", code=2)
    assert "--map names 'taus'" in said and not told  # no fit was made
    call(capsys, *command, "--force")


@pytest.mark.parametrize(
    "options, words",
    [
        (("--resume",), "--resume is for results in a store: --out result.zarr"),
        (("--chunk", "5", "--out", "o.npz"), "--chunk is for results in a store"),
        (("--chunk", "0", "--out", "o.npz"), "--chunk is for results in a store"),
        (("--out", "o.zarr", "--resume", "--force"), "give one of them"),
        (("--map", "tau"), "--map says what --plot draws"),
        (("--out", "o.zarr", "--shared", "tau"), "shared parameters need all data sets in memory"),
        (("--out", "o.zarr", "--chunk", "0"), "--chunk must be a whole number"),
        (("--out", "o.zarr", "--axis", "7"), "axis 7 is out of range"),
        (("--tied", "tau=q*a"), "--tied tau: formula 'q*a': q is unknown"),
        (("--tied", "tau=2"), "--tied tau depends on no parameter; --fixed tau=... holds"),
    ],
)
def test_options_that_do_not_go_together(options, words, capsys, folder):
    np.save("d.npy", decays(3))
    _, said = call(capsys, "fit", "d.npy", *GRID, *MODEL, *options, code=2)
    assert words in said and said.count("\n") <= 2
    assert [p.name for p in folder.iterdir()] == ["d.npy"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_signal_leaves_what_is_finished_and_says_how_to_go_on(folder):
    y = decays(5_000)
    np.save("d.npy", y)
    command = ("fit", "d.npy", *GRID, *MODEL, "--out", "o.zarr", "--chunk", "50", "--quiet")
    child = subprocess.Popen([sys.executable, "-m", "thalweg", *command], stderr=subprocess.PIPE)
    marks = folder / "o.zarr" / "finished" / "c"
    while not any(map(Path.is_file, marks.rglob("[0-9]*"))) and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    said = child.communicate()[1].decode()
    assert child.returncode == 128 + signal.SIGTERM, said
    assert "of 5000 fits had finished; they are in o.zarr, and the same command with" in said
    subprocess.run([sys.executable, "-m", "thalweg", *command, "--resume"], check=True)
    assert_same(tw.scale.open_result("o.zarr"), fit(y))
