"""Files of results are written whole or not at all."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from file_cases import DECAY, LINE, X, call, command, one_sentence, table

from thalweg._whole_files import Output

pytestmark = pytest.mark.clock

# ---- whole files or none -----------------------------------------------------------------------

OLD = b"the results of last week\n"


FITS = 20_000


@pytest.fixture
def batch(tmp_path):
    rng = np.random.default_rng(3)
    y = np.exp(-X) + rng.normal(0, 0.01, (FITS, X.size))
    np.savez(tmp_path / "data.npz", x=X, y=y)
    for name in ("out.csv", "out.npz", "out.svg"):
        (tmp_path / name).write_bytes(OLD)
    return tmp_path


def is_whole(path):
    """Whether a file of results is the old one or a new one to its last fit."""
    if path.read_bytes() == OLD:
        return True
    if path.suffix == ".npz":
        with np.load(path) as saved:
            return saved["status"].size == FITS and saved["n_iter"].size == FITS
    return path.read_text().endswith("\n") and path.read_text().count("\n") == FITS + 1


def wait_for_growth(folder, process, least=1):
    """Wait until the file that is to replace the old one has begun to grow."""
    while process.poll() is None:
        sizes = [p.stat().st_size for p in folder.glob(".thalweg-*.part") if p.exists()]
        if sizes and max(sizes) >= least:
            return True
        time.sleep(0.001)
    return False


@pytest.mark.parametrize("name", ["out.csv", "out.npz"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_writing_leaves_the_old_file_or_the_new_one(name, number, batch):
    process = command(batch, "--out", name, "--force")
    growing = wait_for_growth(batch, process)
    if growing:
        process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    assert is_whole(batch / name)
    assert f"{FITS} fits" in printed  # the report comes first
    if growing and number != signal.SIGKILL and process.returncode != 0:
        assert process.returncode == 128 + number
        written = (batch / name).read_bytes() != OLD
        words = f"they are in {name}" if written else f"{name} was not written"
        assert (
            said.splitlines()[-1]
            == f"thalweg: interrupted: {FITS} of {FITS} fits had finished; {words}"
        )
        assert not [*batch.glob(".thalweg-*")]


@pytest.mark.parametrize(
    ("number", "first"), [(signal.SIGKILL, 0.05), (signal.SIGTERM, 0.12), (signal.SIGINT, 0.19)]
)
def test_a_signal_at_any_moment_leaves_whole_files(number, first, batch):
    """Each signal has moments of its own, between those of the others."""
    begin = time.monotonic()
    command(batch, "--out", "out.csv", "--force").communicate()
    duration = time.monotonic() - begin
    for fraction in np.arange(first, 1.05, 0.21):
        (batch / "out.csv").write_bytes(OLD)
        process = command(batch, "--out", "out.csv", "--quiet", "--force")
        time.sleep(fraction * duration)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        content = (batch / "out.csv").read_bytes()
        assert content == OLD or content.endswith(b"\n")
        if process.returncode == 128 + number and "interrupted" in said:  # Python itself was up
            assert ("they are in out.csv" in said) == (content != OLD)
            assert not [*batch.glob(".thalweg-*")] or number == signal.SIGKILL


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from thalweg.cli.command import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_room_the_old_file_stays_and_the_report_is_printed(batch):
    for name in ("out.csv", "out.npz", "out.svg"):
        option = "--plot" if name.endswith("svg") else "--out"
        run = subprocess.run(
            [sys.executable, "-c", LIMITED, "fit", "data.npz", *DECAY, option, name, "--force"],
            cwd=batch, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if name == "out.svg" and run.returncode == 0:
            continue  # the picture was smaller than the limit
        assert run.returncode == 2 and f"{FITS} fits, {FITS} succeeded" in run.stdout
        assert run.stderr.splitlines()[1:] == [
            f"thalweg: {name}: it was not written: File too large"
        ]
        assert (batch / name).read_bytes() == OLD and not [*batch.glob(".thalweg-*")]


def test_on_a_full_disk_the_old_file_stays(batch, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no right to mount a file system here")
    try:
        (disk / "out.csv").write_bytes(OLD)
        process = command(batch, "--out", "disk/out.csv", "--force")
        printed, said = process.communicate(timeout=60)
        assert process.returncode == 2 and f"{FITS} fits" in printed
        assert (
            said.splitlines()[-1]
            == "thalweg: disk/out.csv: it was not written: No space left on device"
        )
        assert [p.name for p in disk.iterdir()] == ["out.csv"]
        assert (disk / "out.csv").read_bytes() == OLD
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("folder.csv", "Is a directory"),
        ("pipe.csv", "it is no regular file"),
        ("/proc/x.csv", ""),
        ("loop.csv", ""),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_before_the_fit(
    target, sentence, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("thalweg.cli.fit_command.fit", None)  # it is not called
    Path("folder.csv").mkdir()
    os.mkfifo("pipe.csv")
    Path("loop.csv").symlink_to("loop.csv")
    Path("d.csv").write_bytes(table())
    before = sorted(os.listdir())
    status, _, said = call(capsys, "fit", "d.csv", *LINE, "--out", target)
    one_sentence(status, said)
    assert sentence in said and sorted(os.listdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_or_folder_without_the_right_to_write_is_refused(tmp_path, capsys):
    data, out = tmp_path / "d.csv", tmp_path / "sub" / "out.csv"
    data.write_bytes(table())
    out.parent.mkdir()
    out.write_bytes(OLD)
    out.chmod(0o444)
    one_sentence(*call(capsys, "fit", data, *LINE, "--out", out, "--force")[::2])
    out.chmod(0o644)
    out.parent.chmod(0o555)
    one_sentence(*call(capsys, "fit", data, *LINE, "--out", out, "--force")[::2])
    assert out.read_bytes() == OLD


def test_the_new_file_keeps_the_place_of_a_link_and_the_rights_of_the_old(tmp_path, capsys):
    data, real, link = (tmp_path / n for n in ("d.csv", "real.csv", "link.csv"))
    data.write_bytes(table())
    real.write_bytes(OLD)
    real.chmod(0o640)
    link.symlink_to("real.csv")
    assert call(capsys, "fit", data, *LINE, "--out", link, "--force")[0] == 0
    assert link.is_symlink() and real.read_text().startswith("data,")
    assert real.stat().st_mode & 0o777 == 0o640
    new = tmp_path / "new.csv"
    before = os.umask(0o027)
    try:
        assert call(capsys, "fit", data, *LINE, "--out", new)[0] == 0
    finally:
        os.umask(before)
    assert new.stat().st_mode & 0o777 == 0o640


def test_a_reader_or_a_device_that_takes_no_report_does_not_cost_the_results(batch):
    for redirection, status in (("| true", 1), ("> /dev/full", 2)):
        (batch / "out.csv").write_bytes(OLD)
        shell = (
            f"'{sys.executable}' -m thalweg fit data.npz --model '{DECAY[1]}' --p0 {DECAY[3]} "
            f"--force --out out.csv {redirection}; echo ${{PIPESTATUS[0]}}"
        )
        run = subprocess.run(
            ["bash", "-c", shell], cwd=batch, capture_output=True, text=True, check=True
        )
        assert int(run.stdout) in ((0, status) if "true" in redirection else (status,))
        assert (batch / "out.csv").read_text().count("\n") == FITS + 1


def test_a_file_that_comes_to_exist_meanwhile_is_kept(tmp_path):
    output = Output(tmp_path / "out.csv", replaces=False)
    (tmp_path / "out.csv").write_bytes(OLD)
    with pytest.raises(FileExistsError, match="it has come to exist meanwhile"):
        output.commit(lambda file: file.write(b"new"))
    assert not output.written and (tmp_path / "out.csv").read_bytes() == OLD
    assert len([*tmp_path.iterdir()]) == 1


def test_letters_that_the_terminal_lacks_cost_nothing(tmp_path):
    text = table().decode().replace("first", "µ\u2212größe")
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "thalweg", "fit", "d.csv", *LINE, "--out", "o.csv"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "\\xb5\\u2212gr" in run.stdout
    assert "µ\u2212größe" in (tmp_path / "o.csv").read_text(encoding="utf-8")


def test_limits_of_this_process_are_as_they_were():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
