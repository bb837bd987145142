"""Files and commands for the tests of files."""

import subprocess
import sys

import numpy as np

from thalweg.cli.command import main

X = np.linspace(0, 4, 12)


LINE = ("--model", "line")


DECAY = ("--model", "a*exp(-x/t) + c", "--p0", "a=1,t=1,c=0")


def call(capsys, *arguments):
    """Exit status and both outputs of a command in this process; no exception may leave it."""
    capsys.readouterr()
    try:
        status = main([*map(str, arguments)])
    except SystemExit as stop:  # argparse ends the process
        status = stop.code
    return status, *capsys.readouterr()


def one_sentence(status, said):
    """Check that the last line is a refusal; the lines before it tell what had been read."""
    lines = said.splitlines()
    assert status == 2 and all(line.startswith("thalweg") for line in lines), said
    assert lines and len(lines[-1]) < 1000 and said.count("\n") == len(lines), said


def table():
    lines = [f'{x:.3f},{2 * x + 1:.4f},"{3 * x:.3e}"' for x in X]
    return "\n".join(["# data", "x,first,second", *lines, ""]).encode()


def command(folder, *outputs):
    arguments = ["fit", "data.npz", *DECAY, *outputs]
    return subprocess.Popen(
        [sys.executable, "-m", "thalweg", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
