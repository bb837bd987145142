"""Results in files: all numbers come back, data and models are asked for, broken files refused."""

import copy
import json
import pickle

import numpy as np
import pytest
from lookup_cases import FIELDS, P0, T, Y, decay, refuses_symbols

import thalweg as tw


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("batch", ["one", "many"])
def test_a_result_comes_back_from_a_file(tmp_path, dtype, batch):
    y = Y[0] if batch == "one" else Y
    bounds = {"tau": (0.5, 1.2 if batch == "one" else [1.2, 1.1, 3.0])}
    r = tw.fit(
        "a*exp(-t/tau) + c", T, y, {**P0, "c": 0}, independent="t", bounds=bounds, fixed=["c"],
        dtype=dtype, absolute_sigma=True,
    )  # fmt: skip
    r.save(tmp_path / "r.npz")
    again = tw.load(tmp_path / "r.npz")
    same = [n for n in FIELDS if n not in ("residual", "r2")] + ["success", "aic", "correlation"]
    for name in same:
        np.testing.assert_array_equal(getattr(again, name), getattr(r, name), err_msg=name)
        assert getattr(again, name).dtype == getattr(r, name).dtype
    assert again.summary() == r.summary() and repr(again) == repr(r)
    np.testing.assert_array_equal(again.predict(T[:5]), r.predict(T[:5]))
    assert copy.deepcopy(again).summary() == pickle.loads(pickle.dumps(again)).summary()


def test_a_file_holds_no_data_and_says_so(tmp_path):
    r = tw.fit(decay, T, Y, P0)
    r.save(tmp_path / "r.npz")
    again = tw.load(tmp_path / "r.npz")
    for name in ("residual", "fitted", "jacobian", "r2"):
        with pytest.raises(ValueError, match="a file of results holds no data, so a loaded result"):
            getattr(again, name)
    with pytest.raises(ValueError, match="holds no data"):
        again.plot(0)
    with pytest.raises(ValueError, match="the file holds only the name of its model, decay; give"):
        again.predict(T)
    np.testing.assert_array_equal(tw.load(tmp_path / "r.npz", decay).predict(T), r.predict(T))
    np.testing.assert_array_equal(again[1].params, r[1].params)
    with pytest.raises(ValueError, match="the model has the parameters b, tau"):
        tw.load(tmp_path / "r.npz", lambda t, b, tau: t)


def test_a_built_in_model_comes_back_by_its_name(tmp_path):
    r = tw.fit(tw.models.exponential, T, Y[0])
    r.save(tmp_path / "r.npz")
    again = tw.load(tmp_path / "r.npz")
    np.testing.assert_array_equal(again.predict(T), r.predict(T))


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    (tmp_path / "text.npz").write_text("a,b\n1,2\n")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.ones(3))
    for name in ("other.npz", "text.npz", "empty.npz", "array.npy"):
        with pytest.raises(ValueError, match=f"{name} is no file of a Thalweg result"):
            tw.load(tmp_path / name)
    with pytest.raises(OSError, match="missing"):
        tw.load(tmp_path / "missing.npz")
    tw.fit(decay, T, Y, P0).save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"])) | {"thalweg": 99}
    np.savez(tmp_path / "r.npz", **arrays | {"header": np.array(json.dumps(header))})
    with pytest.raises(ValueError, match="by a later version of Thalweg"):
        tw.load(tmp_path / "r.npz")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    r = tw.fit(decay, T, Y, P0)
    path = tmp_path / "r.npz"
    r.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(np.lib.format, "write_array", lambda file, *_, **__: file.write(b"h") / 0)
    with pytest.raises(ZeroDivisionError):
        r.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["r.npz"]


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_what_is_loaded_without_its_model_is_whole_but_for_that(tmp_path):
    tw.fit(refuses_symbols, T, Y, P0, absolute_sigma=True).save(tmp_path / "r.npz")
    again = pickle.loads(pickle.dumps(tw.load(tmp_path / "r.npz")))
    np.testing.assert_array_equal(again.aic, again.chi2 + 4)  # sigma was absolute
    with pytest.raises(ValueError, match="the file holds only the name of its model"):
        copy.deepcopy(again).predict(T)
    known = tw.load(tmp_path / "r.npz", refuses_symbols)
    np.testing.assert_allclose(known.predict(T), decay(T, *known.params.T[..., None]))


@pytest.mark.parametrize("cut", ["end", "middle", "flipped", "rows"])
def test_broken_files_are_refused_in_a_sentence(tmp_path, cut):
    path = tmp_path / "r.npz"
    tw.fit(decay, T, Y, P0).save(path)
    content = bytearray(path.read_bytes())
    if cut == "rows":
        with np.load(path) as file:
            arrays = dict(file) | {"params": np.ones((2, 2))}
        np.savez(path, **arrays)
    elif cut == "flipped":
        for k in range(0, len(content), 97):
            content[k] ^= 0x5A
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2 if cut == "middle" else -30])
    with pytest.raises(ValueError, match=r"r.npz is no file of a Thalweg result, or a broken one"):
        tw.load(path)


def test_standard_errors_beyond_the_range_of_variances_are_picked_and_kept(tmp_path):
    r = tw.fit(decay, T, 1e-200 * Y, {"a": 1e-200, "tau": 1.0})
    assert r.errors is not None and (r.stderr > 0).all() and not r.cov[:, 0, 0].any()
    np.testing.assert_array_equal(r[1:].stderr, r.stderr[1:])
    r.save(tmp_path / "r.npz")
    np.testing.assert_array_equal(tw.load(tmp_path / "r.npz")[2].stderr, r.stderr[2])
