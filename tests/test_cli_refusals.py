"""What the command line refuses, and what it tells of models and machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_cases import call, thalweg

import thalweg as tw
from thalweg.model.registry import MODELS

# ---- refusals ------------------------------------------------------------------------------------

LINE = ("--model", "line")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.csv", *LINE], "nowhere.csv: No such file or directory"),
        ([".", *LINE], ".: Is a directory"),
        (["empty.csv", *LINE], "empty.csv holds no data"),
        (["header.csv", *LINE], "header.csv holds no data"),
        (["ragged.csv", *LINE], "ragged.csv, line 3: 1 cell, but line 1 has 2"),
        (["words.csv", *LINE], "words.csv, line 4, column y: 'five' is not a number"),
        (["texts.csv", *LINE], "texts.csv has no column of numbers left for y"),
        (["twice.csv", *LINE, "--y", "y"], "twice.csv has several columns 'y'; use their numbers"),
        (
            ["good.csv", *LINE, "--x", "time"],
            "good.csv has no column 'time', but times, y; did you mean 'times'?",
        ),
        (["good.csv", *LINE, "--y", "3"], "good.csv has no column '3', but times, y"),
        (
            ["good.csv", *LINE, "--x", "1,2"],
            "the model takes 1 independent variable, and 2 columns give them",
        ),
        (
            ["wide.csv", *LINE, "--sigma", "a,b"],
            "--sigma must name one column or one for each of the 3 columns of y, got 2",
        ),
        (
            ["good.csv", "--model", "a*x + b"],
            "--p0 is needed, a start for every parameter of a formula: --p0 a=1,b=1",
        ),
        (
            ["good.csv", "--model", "a*t", "--p0", "a=1"],
            "formula 'a*t': the independent variable x does not occur; name it with --independent",
        ),
        (["good.csv", "--model", "lin"], "no built-in model is called 'lin'; did you mean 'line'?"),
        (["good.csv", *LINE, "--p0", "slope=1"], "p0 must give every parameter; intercept missing"),
        (
            ["good.csv", *LINE, "--fixed", "slope=1,intercept"],
            "--fixed intercept needs a value, here or in --p0",
        ),
        (["good.csv", *LINE, "--xtol", "-1"], "xtol must be a number >= 0, got -1.0"),
        (["good.csv", *LINE, "--threads", "0"], "threads must be a whole number from 1 to 256"),
        (["good.csv", *LINE, "--out", "good.csv"], "--out good.csv would overwrite the input"),
        (["good.csv", *LINE, "--out", "link.csv"], "--out link.csv would overwrite the input"),
        (["good.csv", *LINE, "--out", "o.txt"], "--out must end in .csv or .npz or .zarr, got"),
        (["good.csv", *LINE, "--out", "no/o.csv"], "--out: there is no folder no"),
        (["good.csv", *LINE, "--plot", "o.gif"], "--plot must end in .png or .svg or .pdf, got"),
        (["y.npy", *LINE], "--x is needed, as y.npy holds no x: a .npy file, or numbers such as"),
        (
            ["y.npy", *LINE, "--x", "1,b"],
            "--x must be a .npy file or numbers separated by commas, got '1,b'",
        ),
        (["y.npy", *LINE, "--x", "1,2"], "x must have shape (N=4,), got (2,)"),
        (["y.npy", *LINE, "--y", "2"], "y.npy holds no array 2, but y"),
        (["broken.npy", *LINE, "--x", "1"], "broken.npy cannot be read as an array:"),
        (["z.npz", *LINE], "z.npz holds no array y, but z, t; name it by --y"),
        (["good.csv", *LINE, "--axis", "0"], "--axis is for arrays, and good.csv is a table of"),
        (["good.csv", *LINE, "--out", "link.csv", "--force"], "--out link.csv would overwrite the"),
        (["good.csv", *LINE, "--out", "old.csv"], "--out old.csv exists; --force overwrites it"),
        (["good.csv", *LINE, "--plot", "old.png"], "--plot old.png exists; --force overwrites it"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, sentence, folder, capsys):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    printed, said = call(capsys, "fit", *arguments, code=2)
    lines = said.splitlines()
    assert lines[-1].startswith(f"thalweg: {sentence}") and not printed
    assert all(line.startswith(f"thalweg: {arguments[0]}") for line in lines[:-1])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "empty.csv": "# nothing\n\n",
        "header.csv": "x,y\n",
        "ragged.csv": "0,1\n1,2\n3\n",
        "words.csv": "# data\nx,y\n0,1\n1,five\n",
        "texts.csv": "x,y\n0,a\n1,b\n",
        "twice.csv": "x,y,y\n0,1,2\n1,2,3\n",
        "good.csv": "times,y\n0,1\n1,2\n2,3\n",
        "old.csv": "results of last week",
        "old.png": "a picture of last week",
        "wide.csv": "x,a,b,c,d,e\n0,1,1,1,1,1\n1,2,2,2,2,2\n",
        "broken.npy": "no array",
    }
    for name, text in files.items():
        Path(name).write_text(text)
    Path("link.csv").hardlink_to("good.csv")
    np.save("y.npy", np.arange(4.0))
    np.savez("z.npz", z=np.arange(4.0), t=np.arange(4.0))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "--model", "line"], "thalweg fit: the following arguments are required: DATA"),
        (
            ["fit", "d.csv", "--model", "line", "--p0", "a"],
            "thalweg fit: argument --p0: a needs a number, got ''",
        ),
        (
            ["fit", "d.csv", "--model", "line", "--p0", "1=a"],
            "thalweg fit: argument --p0: '1=a' is not of the form name=value,...",
        ),
        (
            ["fit", "d.csv", "--model", "line", "--bounds", "a=1"],
            "thalweg fit: argument --bounds: a needs bounds low:high, got '1'",
        ),
        ([], "thalweg: the following arguments are required: COMMAND"),
        (["models", "gausian"], "thalweg: no built-in model is called 'gausian'; did you mean"),
    ],
)
def test_bad_arguments_are_one_sentence_and_status_2(arguments, sentence, capsys):
    _, said = call(capsys, *arguments, code=2)
    assert said.startswith(sentence) and said.count("\n") == 1


def test_a_refusal_as_a_process_shows_no_traceback(tmp_path):
    printed, said = thalweg("fit", "nowhere.csv", *LINE, cwd=tmp_path, code=2)
    assert (printed, said) == ("", "thalweg: nowhere.csv: No such file or directory\n")


def test_without_matplotlib_a_plot_is_refused_before_the_fit(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = ("--out", "out.csv", "--plot", "out.png")
    _, said = call(capsys, "fit", "good.csv", *LINE, *out, code=2)
    assert said == "thalweg: --plot needs matplotlib: python -m pip install matplotlib\n"
    assert not Path("out.csv").exists()


def test_without_tqdm_there_is_no_bar(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    _, said = call(capsys, "fit", "good.csv", *LINE)
    assert said == "thalweg: good.csv: 3 rows, columns separated by commas; x is times; y is y\n"


# ---- models, info --------------------------------------------------------------------------------


def test_models_lists_every_model_with_formula_and_parameters(capsys):
    printed, _ = call(capsys, "models")
    for name, model in MODELS.items():
        assert re.search(rf"^{name} +{re.escape(model.formula)}\n +parameters", printed, re.M)
        assert ", ".join(model.names) in printed


def test_models_tells_about_one(capsys):
    printed, _ = call(capsys, "models", "gaussian")
    assert printed.startswith("gaussian: Gaussian peak") and "x0 : centre" in printed


def test_info_and_version():
    printed, _ = thalweg("info")
    assert re.search(rf"thalweg +{re.escape(tw.__version__)}\n", printed)
    assert re.search(r"instruction set +\w+ \(available: .*base\)\n", printed)
    assert re.search(r"threads +\d+\n", printed) and np.__version__ in printed
    assert re.search(r"libraries .*scipy \d", printed) and "environment" in printed
    assert thalweg("--version")[0] == f"thalweg {tw.__version__}\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("thalweg mod", ["models "]),
        ("thalweg models michael", ["michaelis_menten "]),
        ("thalweg fit d.csv --model gaussian2d_", ["gaussian2d_elliptic", "gaussian2d_rotated"]),
        ("thalweg fit d.csv --dates ", ["dmy", "mdy", "hm", "ms", "serial"]),
        ("thalweg fit d.csv --y ti", ["times "]),
        ("thalweg fit d.csv --y times,", ["times,times", "times,load"]),
        ("thalweg fit z.npz --x ", ["z", "t"]),
        ("thalweg fit none.csv --x ", []),
        ("thalweg fit junk.csv --x ", []),
    ],
)
def test_the_shell_completes_words(line, words, tmp_path):
    pytest.importorskip("argcomplete")
    (tmp_path / "d.csv").write_text("times,load\n0,1\n1,2\n")
    (tmp_path / "junk.csv").write_bytes(bytes(range(256)))
    np.savez(tmp_path / "z.npz", z=np.arange(4.0), t=np.arange(4.0))
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": "out"}
    environment = {**os.environ, **asked, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = [sys.executable, "-m", "thalweg"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    found = (tmp_path / "out").read_text().splitlines()
    assert [word for word in found if word] == words


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("thalweg")
    if not command.exists():
        pytest.skip("no console script beside this Python")
    run = subprocess.run([command, "models"], capture_output=True, text=True, check=True)
    assert "gaussian2d" in run.stdout


def test_a_closed_pipe_is_no_error():
    command = f'"{sys.executable}" -m thalweg models | head -n 1; echo "${{PIPESTATUS[0]}}"'
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert run.stderr == "" and run.stdout.startswith("line ")
