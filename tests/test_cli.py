"""The command line: fits of files, and exit statuses."""

import csv
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_cases import call, thalweg
from nist import digits

import thalweg as tw

EXAMPLES = Path(__file__).parents[1] / "examples"


CERTIFIED_DIGITS = 6  # the default tolerances give so many of the 11 in every set


X = np.linspace(0, 4, 12)


DECAYS = np.array([2 * np.exp(-X) + 1, 3 * np.exp(-X / 2) - 1])


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def decays(tmp_path):
    """A CSV file with x, two decays, an error and a text."""
    path = tmp_path / "decays.csv"
    lines = [f"{x},{a},{b},0.1,good" for x, a, b in zip(X, *DECAYS, strict=True)]
    path.write_text("# two decays\nt,first,second,error,note\n" + "\n".join(lines) + "\n")
    return path


# ---- NIST, through files -------------------------------------------------------------------------


def certified(path):
    """Formula, starts, and by data set the certified values and errors, from a file's comments."""
    text = path.read_text(encoding="utf-8")
    formula = re.search(r"# model: (.*)", text)[1]
    starts = re.findall(r"# start \d: (.*)", text)
    found = {}
    for name, value, error in re.findall(r"# certified ?(\w*) b\d+ = (\S+) \+- (\S+)", text):
        found.setdefault(name or "y", []).append((float(value), float(error)))
    return formula, starts, {name: np.array(pairs).T for name, pairs in found.items()}


@pytest.mark.parametrize("name", ["misra1a", "hahn1", "gauss2", "mgh17", "enso", "lanczos"])
@pytest.mark.parametrize("start", [0, 1])
def test_nist_examples(name, start, tmp_path, capsys):
    formula, starts, sets = certified(EXAMPLES / f"{name}.csv")
    out = tmp_path / "out.csv"
    data, p0 = EXAMPLES / f"{name}.csv", starts[start]
    call(capsys, "fit", data, "--model", formula, "--p0", p0, "--out", out)
    assert [row["data"] for row in rows(out)] == list(sets)
    for row, (values, errors) in zip(rows(out), sets.values(), strict=True):
        names = [f"b{j + 1}" for j in range(values.size)]
        assert digits([float(row[n]) for n in names], values) > CERTIFIED_DIGITS
        assert digits([float(row[f"{n}_stderr"]) for n in names], errors) > CERTIFIED_DIGITS


SHOWN_DIGITS = 4  # the last of the 6 to 9 digits shown may round otherwise on another processor


def same_text(got, shown):
    """Whether outputs agree, but for steps and stop reasons, which rounding decides."""
    vary = r"\d+ steps|converged:.*|\b[fxg]tol\b|exact"
    pairs = [re.sub(vary, "", text).split() for text in (got, shown)]
    return len(pairs[0]) == len(pairs[1]) and all(map(same_word, *pairs))


def same_word(got, shown):
    try:
        return digits(float(got.rstrip(",")), float(shown.rstrip(","))) > SHOWN_DIGITS
    except ValueError:
        return got == shown


def test_the_readme_of_the_examples_shows_what_the_commands_print(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n\$ thalweg (.*)\n((?:.*\n)*?)```", text)
    assert len(blocks) > 5
    for command, shown in blocks:
        printed, _ = thalweg(*shlex.split(command), cwd=tmp_path)
        assert same_text(printed, shown), printed
    assert {p.name for p in tmp_path.iterdir()} == {"examples", "misra1a.png", "lanczos-fit.csv"}


# ---- a fit, file by file -------------------------------------------------------------------------


def test_a_table_is_fitted_column_by_column(decays):
    out = decays.with_name("fit.csv")
    model = "a*exp(-t/tau) + c"
    printed, _ = thalweg(
        *("fit", decays, "--model", model, "--independent", "t", "--p0", "a=1,tau=1.5,c=0"),
        *("--y", "first,3", "--sigma", "error", "--absolute-sigma", "--out", out),
    )
    r = tw.fit(
        model,
        X,
        DECAYS,
        {"a": 1, "tau": 1.5, "c": 0},
        sigma=np.full(12, 0.1),
        absolute_sigma=True,
        independent="t",
    )
    written = rows(out)
    assert [row["data"] for row in written] == ["first", "second"]
    assert list(written[0])[1:] == list(r.columns())
    for name, column in r.columns().items():
        assert [row[name] for row in written] == [str(v) for v in column.tolist()]
    assert "second" in printed and "2 fits, 2 succeeded" in printed


def test_every_column_of_numbers_but_x_and_sigma_is_fitted(decays, capsys):
    out = decays.with_name("fit.csv")
    call(capsys, "fit", decays, "--model", "exponential", "--sigma", "error", "--out", out)
    assert [row["data"] for row in rows(out)] == ["first", "second"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "  ", " , "])
@pytest.mark.parametrize("header", ["x{}y\n", "", "# x{}y\n\n"])
def test_separators_and_headers(separator, header, tmp_path, capsys):
    data, out = tmp_path / "data.txt", tmp_path / "out.npz"
    body = "".join(f"{x}{separator}{2 * x + 1}\n" for x in range(5))
    data.write_text("\ufeff" + header.format(separator) + body, encoding="utf-8")
    printed, _ = call(capsys, "fit", data, "--model", "line", "--out", out)
    with np.load(out) as saved:
        assert np.allclose(saved["params"], [2, 1], rtol=1e-12)
        assert saved["data"].tolist() == ["y" if header.startswith("x") else "2"]
    assert "slope = 2" in printed


def test_missing_cells_are_left_out(tmp_path, capsys):
    data, out = tmp_path / "data.csv", tmp_path / "out.csv"
    data.write_text("x,y,\n0,1,\n1,NA,\n2,5,\n3,,\n4,9,\n")
    call(capsys, "fit", data, "--model", "line", "--out", out)
    assert rows(out)[0]["dof"] == "1"


def test_an_image_stack(tmp_path):
    stack = np.stack([np.stack([DECAYS[0], DECAYS[1], DECAYS[0]])] * 2)
    np.save(tmp_path / "stack.npy", stack)
    np.save(tmp_path / "t.npy", X)
    thalweg(
        *("fit", "stack.npy", "--x", "t.npy", "--model", "exponential", "--quiet"),
        *("--out", "fit.npz", "--plot", "fit.png"),
        cwd=tmp_path,
    )
    r = tw.fit("exponential", X, stack)
    with np.load(tmp_path / "fit.npz") as saved:
        for name in ("params", "stderr", "cov", "chi2", "dof", "status", "n_iter"):
            assert np.array_equal(saved[name], getattr(r, name))
        assert saved["names"].tolist() == list(r.names)
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_an_archive_with_sigma_mask_and_start(tmp_path, capsys):
    data, out = tmp_path / "data.npz", tmp_path / "out.csv"
    mask = np.zeros(X.size, bool)
    mask[3] = True
    y = np.where(mask, 99, DECAYS)
    options = {"sigma": np.linspace(1, 2, X.size), "mask": mask, "p0": np.array([1.0, 1, 0])}
    np.savez(data, x=X, y=y, **options)
    formula = "a*exp(-x/tau) + c"
    call(capsys, "fit", data, "--model", formula, "--fixed", "c", "--out", out, "--max-iter", 500)
    p0 = options.pop("p0")
    r = tw.fit(formula, X, y, p0, fixed=["c"], max_iter=500, **options)
    assert [float(row["tau"]) for row in rows(out)] == r["tau"].tolist()
    assert [row["dim_0"] for row in rows(out)] == ["0", "1"]
    assert (r["c"] == 0).all() and (r.dof == X.size - 3).all()


def test_images_have_their_pixel_numbers_as_coordinates(tmp_path, capsys):
    rows_, columns = np.indices((9, 11))
    spots = tw.models.gaussian2d((columns, rows_), 3, np.array([[[5]], [[6]]]), 4, 1.5, 1)
    np.save(tmp_path / "spots.npy", spots)
    out = tmp_path / "out.csv"
    call(capsys, "fit", tmp_path / "spots.npy", "--model", "gaussian2d", "--out", out)
    assert np.allclose([float(row["x0"]) for row in rows(out)], [5, 6], rtol=1e-9)
    np.savez(tmp_path / "spots.npz", x=np.stack([columns, rows_]) * 2.0, y=spots)
    call(capsys, "fit", tmp_path / "spots.npz", "--model", "gaussian2d", "--out", out, "--force")
    assert np.allclose([float(row["x0"]) for row in rows(out)], [10, 12], rtol=1e-9)


def test_two_columns_of_x(tmp_path, capsys):
    data, out = tmp_path / "plane.csv", tmp_path / "out.csv"
    points = [(u, v, 1 + 2 * u + 3 * v) for u in range(3) for v in range(3)]
    data.write_text("z,u,v\n" + "".join(f"{z},{u},{v}\n" for u, v, z in points))
    model = ("--model", "a + b*u + c*v", "--independent", "u,v", "--p0", "a=0,b=0,c=0")
    call(capsys, "fit", data, *model, "--x", "u,v", "--out", out)
    assert np.allclose([float(rows(out)[0][n]) for n in "abc"], [1, 2, 3], rtol=1e-12)


def test_options_reach_the_fit(decays, capsys):
    out = decays.with_name("fit.npz")
    call(
        capsys,
        *("fit", decays, "--y", "first", "--model", "exponential", "--out", out),
        *("--bounds", "tau=:0.5,offset=0:", "--fixed", "amplitude=2", "--mask-below", 1.1),
        *("--xtol", "1e-7", "--ftol", 0, "--gtol", "1e-7", "--threads", 1),
    )
    y = DECAYS[0]
    r = tw.fit(
        "exponential",
        X,
        y,
        bounds={"tau": (-np.inf, 0.5), "offset": (0, np.inf)},
        fixed={"amplitude": 2},
        mask=y < 1.1,
        xtol=1e-7,
        ftol=0,
        gtol=1e-7,
    )
    with np.load(out) as saved:
        assert np.array_equal(saved["params"], r.params) and saved["params"][1] == 0.5
        assert saved["dof"] == np.count_nonzero(y >= 1.1) - 2


def test_float32_is_written_with_its_own_digits(decays, capsys):
    out = decays.with_name("fit.csv")
    arguments = ("fit", decays, "--y", "first", "--model", "exponential", "--out", out)
    call(capsys, *arguments, "--float32")
    r = tw.fit("exponential", X, DECAYS[0], dtype=np.float32)
    assert rows(out)[0]["tau"] == str(r["tau"])
    assert np.float32(rows(out)[0]["tau"]) == r["tau"]


# ---- exit statuses -------------------------------------------------------------------------------


def test_failed_fits_are_listed_and_the_status_is_1(tmp_path):
    y = np.tile(2 * X + 1, (25, 1))
    y[1:, 0] = np.inf
    np.savez(tmp_path / "data.npz", x=X, y=y)
    printed, said = thalweg("fit", "data.npz", "--model", "line", cwd=tmp_path, code=1)
    listed = said.splitlines()[1:]  # the first tells what was read
    assert listed[0] == "thalweg: fit 1 failed: y is not finite"
    assert len(listed) == 21 and listed[-1] == "thalweg: 4 more fits failed"
    assert printed.startswith("25 fits, 1 succeeded")


def test_a_failed_fit_is_called_by_its_column(tmp_path, capsys):
    data = tmp_path / "data.csv"
    data.write_text("x,good,bad\n0,0,0\n1,1,inf\n2,2,2\n3,3,3\n")
    printed, said = call(capsys, "fit", data, "--model", "line", code=1)
    assert said.splitlines()[1:] == ["thalweg: bad failed: y is not finite"]
    assert "not_finite" in printed
    printed, said = call(capsys, "fit", data, "--model", "line", "--quiet", code=1)
    assert (printed, said) == ("", "thalweg: bad failed: y is not finite\n")


INTERRUPTED = """
import signal, sys
from contextlib import contextmanager
import thalweg.cli.command as cli, thalweg.cli.fit_command as command

@contextmanager
def progress(quiet):
    def update(done, total):
        if done:
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C does
    yield update

command._progress = progress
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_writes_the_fits_that_had_finished(tmp_path):
    x = np.linspace(0, 1, 50)
    rng = np.random.default_rng(5)
    y = np.exp(-3 * x) + rng.normal(0, 0.01, (40_000, 50))
    np.savez(tmp_path / "data.npz", x=x, y=y)
    out = tmp_path / "out.npz"
    never = ("--xtol", "0", "--ftol", "0", "--gtol", "0", "--threads", "1")
    arguments = ("fit", tmp_path / "data.npz", "--model", "biexponential", "--out", out, *never)
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 130, run.stderr
    said = re.fullmatch(
        r"thalweg: .*\nthalweg: interrupted: (\d+) of 40000 fits had finished; they are in .*\n",
        run.stderr,
    )
    with np.load(out) as saved:
        done = saved["status"] != tw.Status.NOT_RUN
        assert 0 < int(said[1]) == np.count_nonzero(done) < 40_000
        assert np.isfinite(saved["params"][done]).all()
        assert np.isnan(saved["params"][~done]).all()


def test_kinds_of_noise_and_linear_parameters(tmp_path, capsys):
    data, out = tmp_path / "data.csv", tmp_path / "out.npz"
    t = np.linspace(0, 5, 30)
    y = np.random.default_rng(0).poisson(40 * np.exp(-t / 1.5) + 2)
    y[7] += 60 * (y[7] < 1e3)
    data.write_text("t,y\n" + "".join(f"{a},{b}\n" for a, b in zip(t, y, strict=True)))
    model = ("--model", "a*exp(-t/tau) + c", "--independent", "t", "--out", out, "--force")
    for options, how in (
        (("--noise", "poisson", "--p0", "a=30,tau=1,c=1"), {"noise": "poisson"}),
        (("--robust", "cauchy", "--f-scale", "3", "--p0", "a=30,tau=1,c=1"),
         {"robust": "cauchy", "f_scale": 3.0}),
        (("--robust", "huber", "--f-scale", "estimate", "--p0", "a=30,tau=1,c=1"),
         {"robust": "huber", "f_scale": "estimate"}),
        (("--linear", "auto", "--p0", "tau=1"), {"linear": "auto"}),
    ):  # fmt: skip
        call(capsys, "fit", data, *model, *options)
        p0 = {"tau": 1.0} if "linear" in how else {"a": 30.0, "tau": 1.0, "c": 1.0}
        wanted = tw.fit("a*exp(-t/tau) + c", t, y.astype(float), p0, independent="t", **how)
        with np.load(out) as saved:
            np.testing.assert_array_equal(saved["params"], wanted.params)
