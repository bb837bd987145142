"""Files of arrays: names, axes, and what is read by the libraries of others."""

import sys

import numpy as np
import pytest
from file_cases import LINE, X, call, one_sentence

import thalweg as tw

Y = np.arange(1.0, 7).reshape(2, 3, 1) * X + 1  # lines of slopes 1 to 6


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fitted(capsys, *arguments):
    """Parameters of a fit by the command line, and what it said."""
    status, _, said = call(capsys, "fit", *arguments, *LINE, "--out", "o.npz", "--force")
    assert status == 0, said
    return tw.load("o.npz").params, said


# ---- names and axes ------------------------------------------------------------------------------


def write_npz(name, arrays):
    np.savez(name, **arrays)


def write_h5(name, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(name, "w") as file:
        for key, array in arrays.items():
            file[f"scan/{key}"] = array


def write_zarr(name, arrays):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(name, mode="w").create_group("scan")
    for key, array in arrays.items():
        group.create_array(key, shape=array.shape, dtype=array.dtype)[...] = array


WRITERS = {
    "d.npz": (write_npz, ""),
    "d.h5": (write_h5, "scan/"),
    "d.hdf5": (write_h5, "/scan/"),
    "d.zarr": (write_zarr, "scan/"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_are_named(name, capsys):
    write, group = WRITERS[name]
    mask = np.arange(X.size) == 3
    signal = np.where(mask, 99, Y)
    write(name, {"time": X, "signal": signal, "noise": 1 + X, "bad": mask})
    named = ("--x", f"{group}time", "--y", f"{group}signal")
    both = (*named, "--sigma", f"{group}noise", "--mask", f"{group}bad")
    params, said = fitted(capsys, name, *both)
    assert np.allclose(params[..., 0].ravel(), np.arange(1, 7)) and np.allclose(params[..., 1], 1)
    assert said == (
        f"thalweg: {name}: y has shape 2 x 3 x 12, points along the last axis; "
        f"x is {group}time; sigma is {group}noise; mask is {group}bad\n"
    )
    status, _, said = call(capsys, "fit", name, *LINE)
    one_sentence(status, said)
    assert f"{name} holds no array y, but " in said and "; name it by --y" in said
    assert all(f"{group.strip('/')}{'/' * bool(group)}{key}" in said for key in ("time", "bad"))
    status, _, said = call(capsys, "fit", name, *LINE, *named, "--sigma", "nois")
    assert "--sigma must be a .npy file or numbers separated by commas, got 'nois'" in said
    assert "the file has the arrays" in said
    status, _, said = call(capsys, "fit", name, *LINE, "--y", "sgnal")
    one_sentence(status, said)
    assert f"{name} holds no array sgnal, but " in said


@pytest.mark.parametrize("name", ["d.npz", "d.h5", "d.zarr"])
def test_a_single_array_needs_no_name(name, capsys):
    WRITERS[name][0](name, {"signal": Y})
    params, said = fitted(capsys, name, "--x", ",".join(map(str, X)))
    assert np.allclose(params[..., 0].ravel(), np.arange(1, 7))
    assert f"{name}: y is {WRITERS[name][1]}signal, its only array" in said


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_points_lie_along_any_axis(axis, capsys):
    np.save("d.npy", np.moveaxis(Y, -1, axis))
    params, said = fitted(capsys, "d.npy", "--x", ",".join(map(str, X)), f"--axis={axis}")
    assert params.shape == (2, 3, 2) and np.allclose(params[..., 0].ravel(), np.arange(1, 7))
    assert f"points along axis {axis}" in said


def test_images_lie_along_any_axes(capsys):
    rows, columns = np.indices((9, 11))
    spots = tw.models.gaussian2d((columns, rows), 3, np.array([[[5]], [[6]]]), 4, 1.5, 1)
    np.save("d.npy", np.moveaxis(spots, 0, -1))
    call(capsys, "fit", "d.npy", "--model", "gaussian2d", "--axis", "0,1", "--out", "o.npz")
    assert np.allclose(tw.load("o.npz")["x0"], [5, 6], rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--axis", "3"), "axis 3 is out of range: y has 3 axes, so axis is"),
        (("--axis", "t"), "argument --axis: a whole number is needed, got 't'"),
        (("--axis", "0"), "x must have shape (N=2,) or (3, 12, N=2), got (12,)"),
        (("--mask", "none"), "--mask must be a .npy file or numbers separated by commas"),
        ((), ""),
    ],
)
def test_wrong_axes_are_one_sentence(arguments, sentence, capsys):
    np.save("d.npy", Y)
    x = ("--x", ",".join(map(str, X)))
    status, _, said = call(capsys, "fit", "d.npy", *LINE, *x, *arguments)
    if sentence:
        one_sentence(status, said)
    assert sentence in said


# ---- libraries -----------------------------------------------------------------------------------


def test_the_pages_of_a_stack_are_its_points(capsys):
    tifffile = pytest.importorskip("tifffile")
    stack = np.moveaxis(Y, -1, 0).astype(np.float32)
    tifffile.imwrite("d.tif", stack, photometric="minisblack")
    x = ("--x", ",".join(map(str, X)))
    params, said = fitted(capsys, "d.tif", *x)
    assert params.shape == (2, 3, 2)
    assert np.allclose(params[..., 0].ravel(), np.arange(1, 7), rtol=1e-5)
    assert "d.tif: its 12 pages are the points; --axis names another axis" in said
    tifffile.imwrite("e.TIFF", stack.transpose(1, 2, 0), photometric="minisblack")
    assert np.allclose(fitted(capsys, "e.TIFF", *x, "--axis", "2")[0], params)


def test_a_picture_is_fitted_as_an_image(capsys):
    tifffile = pytest.importorskip("tifffile")
    rows, columns = np.indices((9, 11))
    spot = tw.models.gaussian2d((columns, rows), 300, 5, 4, 1.5, 100).round().astype(np.uint16)
    tifffile.imwrite("d.tif", np.stack([spot, spot]), photometric="minisblack")
    call(capsys, "fit", "d.tif", "--model", "gaussian2d", "--out", "o.npz")
    assert np.allclose(tw.load("o.npz")["x0"], 5, atol=0.01)


def test_colours_are_refused(capsys):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite("d.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    status, _, said = call(capsys, "fit", "d.tif", *LINE, "--x", "1")
    one_sentence(status, said)
    assert "it holds colours, axes YXS; save one channel alone" in said


@pytest.mark.parametrize("name", ["d.tif", "d.h5", "d.zarr"])
@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"II*\0\x08\0\0\0", b"\x89HDF\r\n\x1a\n"])
def test_a_broken_file_is_one_sentence(name, content, folder, capsys):
    pytest.importorskip({"d.tif": "tifffile", "d.h5": "h5py", "d.zarr": "zarr"}[name])
    (folder / name).write_bytes(content)
    status, _, said = call(capsys, "fit", name, *LINE, "--x", "1,2")
    one_sentence(status, said)
    assert f"{name} cannot be read as " in said
    (folder / name).unlink()
    status, _, said = call(capsys, "fit", name, *LINE, "--x", "1,2")
    one_sentence(status, said)
    assert said == f"thalweg: {name}: No such file or directory\n"


def test_texts_and_records_are_no_numbers(capsys):
    write_h5("d.h5", {"y": np.array([b"a", b"b"]), "z": np.zeros(3, [("a", float)])})
    for name in ("y", "z"):
        status, _, said = call(capsys, "fit", "d.h5", *LINE, "--y", f"scan/{name}", "--x", "1,2")
        one_sentence(status, said)


@pytest.mark.parametrize(
    ("name", "library"), [("d.tif", "tifffile"), ("d.h5", "h5py"), ("d.zarr", "zarr")]
)
def test_a_missing_library_is_one_sentence(name, library, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    status, _, said = call(capsys, "fit", name, *LINE)
    one_sentence(status, said)
    suffix = name.removeprefix("d")
    assert said == (f"thalweg: reading {suffix} needs {library}: python -m pip install {library}\n")
