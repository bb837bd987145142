"""Fits into a store that are killed, refused, or find no room: nothing lost, the run goes on."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from store_cases import X, assert_same, begin, decays, fit

import thalweg as tw
from thalweg._whole_files import Output
from thalweg.scale import zarr_store
from thalweg.scale.lock import locked

pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")

HERE = Path(__file__).parent
# How often the run is killed; the long form, which the benchmark of stores asks for, is 20.
KILLS = int(os.environ.get("THALWEG_KILLS", "4"))
FITS, CHUNK = 6000, 100

CODE = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import numpy as np
from store_cases import fit
y = np.load(sys.argv[1], mmap_mode="r")
print("begins", flush=True)
fit(y, out=sys.argv[2], chunk={CHUNK})
print("ends", flush=True)
"""


def process(y, out):
    """Start a process that fits into a store, and wait until it begins."""
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, str(y), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "begins\n"
    return child


def killed_after(child, seconds):
    """Kill a process after some seconds; return whether it was still running."""
    time.sleep(seconds)
    running = child.poll() is None
    child.kill()
    child.wait()
    child.stdout.close()
    return running


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bits(tmp_path):
    y = decays(FITS)
    np.save(tmp_path / "y.npy", y)
    start = time.perf_counter()
    fit(y, out=tmp_path / "whole.zarr", chunk=CHUNK)
    duration = time.perf_counter() - start
    rng, kills, finished = np.random.default_rng(), 0, 0
    for _ in range(KILLS):
        child = process(tmp_path / "y.npy", tmp_path / "r.zarr")
        kills += killed_after(child, rng.uniform(0, 1.5 * duration / KILLS))
        if (tmp_path / "r.zarr").exists():
            now = tw.scale.open_result(tmp_path / "r.zarr").n_finished
            assert now >= finished
            finished = now
    stored = fit(y, out=tmp_path / "r.zarr", chunk=CHUNK)
    assert_same(stored, fit(y))
    assert kills > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.zarr", "whole.zarr", "y.npy"]
    for file in (tmp_path / "whole.zarr").rglob("*"):  # and so do the files themselves
        if file.is_file() and file.name != "zarr.json":
            same = tmp_path / "r.zarr" / file.relative_to(tmp_path / "whole.zarr")
            assert same.read_bytes() == file.read_bytes(), file
    assert not list((tmp_path / "r.zarr").rglob("*.part"))


@pytest.fixture
def begun(tmp_path):
    """Return data of 10 fits, and the folder of a store that was not finished."""
    y = decays(10)
    return y, begin(y, tmp_path / "r.zarr").path


def test_a_true_value_of_the_callback_ends_the_run(begun):
    y, path = begun
    r = tw.scale.open_result(path)
    n = r.n_finished
    assert np.asarray(r.status[n:] == 0).all() and "not run" in r.reason(9)
    assert f"{n} of 10 fits" in repr(r) and len(r.failed()) == 10 - n
    told = []
    assert_same(fit(y, out=path, callback=lambda done, total: told.append((done, total))), fit(y))
    assert told[-1] == (10, 10) and told[0][0] > n


def test_a_piece_that_was_not_fitted_whole_is_not_finished(tmp_path):
    def slow(x, a, tau):
        time.sleep(1e-3)
        return np.array([a * float(np.exp(-v / tau)) for v in x])

    y, told = decays(30) - 0.5, []

    def stop(done, total):
        told.append(done)
        return 0 < done < 30

    given = {"model": slow, "x": X, "y": y, "p0": [2, 1], "out": tmp_path / "r.zarr", "chunk": 30}
    with pytest.warns(tw.SlowModelWarning):
        r = tw.fit(**given, callback=stop)
    assert 0 < told[-1] < 30, "the run was over before it could be stopped"
    assert r.n_finished == 0 and not r.success.any()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("no")])
def test_what_interrupts_a_run_tells_how_to_go_on(begun, error, monkeypatch):
    y, path = begun
    before = tw.scale.open_result(path).n_finished

    def stop(done, total):
        raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error) as caught:
        fit(y, out=path, callback=stop)
    words = " ".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert "fits are finished in" in words and "the same call goes on" in words
    assert caught.value.result.n_finished >= before
    assert_same(fit(y, out=path), fit(y))


def test_a_chunk_that_raises_leaves_the_others(tmp_path):
    calls, most = [], [60]

    def model(x, a, tau):
        calls.append(a)
        if len(calls) > most[0]:
            raise OSError("the network is gone")
        return np.array([a * float(np.exp(-v / tau)) for v in x])

    y, path = decays(6) - 0.5, tmp_path / "r.zarr"
    with pytest.warns(tw.SlowModelWarning), pytest.raises(OSError, match="the network") as caught:
        tw.fit(model, X, y, [2, 1], out=path, chunk=1)
    assert 0 < (n := caught.value.result.n_finished) < 6
    assert (
        f"in the piece [{n + 1}:" in caught.value.__notes__[0]
        or f"[{n}:" in caught.value.__notes__[0]
    )
    most[0] = 10**6
    with pytest.warns(tw.SlowModelWarning):
        assert_same(tw.fit(model, X, y, [2, 1], out=path), tw.fit(model, X, y, [2, 1]))

    def model(x, a, tau):
        return np.array([a * float(np.exp(-v / tau)) for v in x]) * 1.0

    with pytest.warns(tw.SlowModelWarning), pytest.raises(ValueError, match="computes was values"):
        tw.fit(model, X, y, [2, 1], out=path)


# ---- no room -----------------------------------------------------------------------------------


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path, monkeypatch):
    y, path, left = decays(10), tmp_path / "r.zarr", [30]
    flush = Output._flush

    def until_full(file):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(file)

    monkeypatch.setattr(Output, "_flush", until_full)
    with pytest.raises(OSError, match="No space left") as caught:
        fit(y, out=path, chunk=1)
    assert caught.value.errno == errno.ENOSPC
    assert "the same call goes on" in caught.value.__notes__[0]
    assert 0 < caught.value.result.n_finished < 10
    monkeypatch.undo()
    assert_same(fit(y, out=path, chunk=1), fit(y))


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files here")
def test_a_limit_on_files_ends_the_run_and_loses_nothing(tmp_path):
    """The system itself refuses to write, in the middle of a file."""
    y = decays(4000)
    np.save(tmp_path / "y.npy", y)
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
{CODE.replace(f"chunk={CHUNK}", "chunk=1000")}
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "y.npy"), str(tmp_path / "r.zarr")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "was not written: File too large" in done.stderr
    assert "0 of 4000 fits are finished" in done.stderr
    assert_same(fit(y, out=tmp_path / "r.zarr"), fit(y))


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of its own of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may mount no disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_indeed(small_disk, tmp_path):
    y, path = decays(20_000), small_disk / "r.zarr"
    with pytest.raises(OSError, match="No space left on device") as caught:
        fit(y, out=path, chunk=1000)
    assert 0 < caught.value.result.n_finished < 20_000
    shutil.move(path, tmp_path / "r.zarr")  # to a larger disk
    assert_same(fit(y, out=tmp_path / "r.zarr"), fit(y))


def test_half_written_files_do_not_count(tmp_path):
    """A piece without its mark is fitted again, whatever is there of it."""
    y, path = decays(6), tmp_path / "r.zarr"
    fit(y, out=path, chunk=2)
    (path / "finished" / "c" / "1" / "0").unlink()
    (path / "finished" / "c" / "2" / "0").write_bytes(b"half")
    (path / "params" / "c" / "1" / "0").write_bytes(b"half")
    (path / "chi2" / "c" / "1").unlink()
    (path / "detail" / "c").mkdir()
    (path / "detail" / "c" / "1").write_bytes(np.array([3, 4], "<i4").tobytes())
    (path / "params" / "c" / "1" / ".thalweg-abc.part").write_bytes(b"half")
    assert tw.scale.open_result(path).n_finished == 2
    assert_same(fit(y, out=path), fit(y))
    assert not list(path.rglob("*.part"))


def test_a_store_that_was_half_made_is_made_anew(tmp_path, monkeypatch):
    y, path = decays(4), tmp_path / "r.zarr"
    monkeypatch.setattr(zarr_store, "to_disk", lambda paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(y, out=path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    shutil.copytree(HERE / "data", tmp_path / ".r.zarr.part")  # what a killed process leaves
    assert_same(fit(y, out=path), fit(y))
    assert [p.name for p in tmp_path.iterdir()] == ["r.zarr"]


# ---- another call ------------------------------------------------------------------------------


CHANGES = {
    "model was": {"model": "a*exp(-t/tau) + c + 0*t"},
    "p0 was": {"p0": {"a": 2.0, "tau": 1.5, "c": 0.1}},
    "sigma was None and is": {"sigma": np.full(X.size, 2.0)},
    "xtol was None and is 1e-06": {"xtol": 1e-6},
    "attempts was": {"attempts": 1},
    "dtype was None and is float32": {"dtype": np.float32},
    "bounds was": {"bounds": {"tau": (0, 10)}},
    "absolute_sigma was False and is True": {"absolute_sigma": True},
    "robust was": {"robust": "huber"},
    "starts was": {"starts": 2},
    "x was": {"x": X * 1.01},
    "y was one for each data set, float64": {"y": decays(9)},
    "float32 (10, 12)": {"y": decays(10, dtype=np.float32)},
    "values of x or y in the data sets": {"y": decays(10, seed=1)},
    "cov was False and is True": {"cov": True},
    "chunk=3 is not": {"chunk": 3},
}


@pytest.mark.parametrize("words", CHANGES)
def test_another_call_is_refused_and_its_difference_named(begun, words):
    y, path = begun
    before = sorted((p, p.read_bytes()) for p in path.rglob("*") if p.is_file())
    given = {"model": "a*exp(-t/tau) + c", "x": X, "y": y, "cov": False} | CHANGES[words]
    given = {"p0": {"a": 2.0, "tau": 1.0, "c": 0.1}, "independent": "t"} | given
    out = tw.scale.Store(path, cov=given.pop("cov"))
    with pytest.raises(ValueError) as caught:
        tw.fit(**given, out=out)
    assert words in str(caught.value) and "repeat that call" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert before == sorted((p, p.read_bytes()) for p in path.rglob("*") if p.is_file())
    assert_same(fit(y, out=path), fit(y))


def test_a_function_of_the_same_name_that_computes_something_else_is_noticed(tmp_path):
    y, path = decays(4), tmp_path / "r.zarr"

    def of(scale):
        def model(t, a, tau):
            return a * np.exp(-scale * t / tau)

        return model

    tw.fit(of(1.0), X, y, [2, 1], out=path)
    assert tw.fit(of(1.0), X, y, [2, 1], out=path).finished
    with pytest.raises(ValueError, match="what the model computes was expression"):
        tw.fit(of(2.0), X, y, [2, 1], out=path)


def test_the_number_of_threads_may_change(begun):
    y, path = begun
    assert_same(fit(y, out=path, threads=1), fit(y))


def test_overwriting_begins_anew_and_replaces_results_alone(begun, tmp_path):
    y, path = begun
    other = decays(5, seed=3)
    assert_same(fit(other, out=tw.scale.Store(path, overwrite=True)), fit(other))
    for name, make in (
        ("file.zarr", lambda p: p.write_text("mine")),
        ("folder.zarr", lambda p: (p.mkdir(), (p / "mine").write_text("mine"))),
        ("other.zarr", lambda p: __import__("zarr").create_array(p, data=np.arange(3))),
    ):
        make(tmp_path / name)
        for overwrite in (False, True):
            with pytest.raises(ValueError, match=r"\.zarr is no result of Thalweg"):
                fit(y, out=tw.scale.Store(tmp_path / name, overwrite=overwrite))
        assert (tmp_path / name).exists()


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "r.zarr").mkdir()
    assert fit(decays(3), out=tmp_path / "r.zarr").finished


def test_broken_stores_are_refused(begun):
    y, path = begun
    shutil.move(path / "chi2", path / "chi3")
    with pytest.raises(ValueError, match="broken result: its array chi2 is missing"):
        fit(y, out=path)
    shutil.move(path / "chi3", path / "chi2")
    shutil.move(path / "finished", path / "finished_")
    with pytest.raises(ValueError, match="does not tell what is finished"):
        tw.scale.open_result(path)
    shutil.move(path / "finished_", path / "finished")
    file = path / "params" / "zarr.json"
    text = file.read_text()
    content = json.loads(text)
    content["shape"][0] = 11
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"its array params is of shape \(11, 3\)"):
        fit(y, out=path)
    file.write_text(text)
    content = json.loads((path / "zarr.json").read_text())
    content["attributes"]["thalweg"]["format"] = 99
    (path / "zarr.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="later version"):
        fit(y, out=path)


# ---- two processes -----------------------------------------------------------------------------


def test_a_store_that_another_process_writes_is_refused(tmp_path):
    y = decays(FITS)
    np.save(tmp_path / "y.npy", y)
    child = process(tmp_path / "y.npy", tmp_path / "r.zarr")
    while not (tmp_path / "r.zarr.lock").exists() and child.poll() is None:
        time.sleep(0.01)
    with pytest.raises(ValueError, match=f"is being written by process {child.pid} on"):
        fit(y, out=tmp_path / "r.zarr", chunk=CHUNK)
    child.kill()
    child.wait()
    child.stdout.close()
    assert (tmp_path / "r.zarr.lock").exists()  # its owner is dead, so it is taken over
    assert_same(fit(y, out=tmp_path / "r.zarr", chunk=CHUNK), fit(y))
    assert not (tmp_path / "r.zarr.lock").exists()


def test_a_lock_ends_with_its_body(tmp_path):
    path = tmp_path / "r.zarr"
    with locked(path):
        with pytest.raises(ValueError, match=f"process {os.getpid()}"), locked(path):
            pass
    with pytest.raises(ZeroDivisionError), locked(path):
        1 / 0  # noqa: B018
    with locked(path):
        pass
    assert list(tmp_path.iterdir()) == []
