"""Calls of the command line, for its tests."""

import subprocess
import sys

from thalweg.cli.command import main


def thalweg(*arguments, cwd=None, code=0):
    """Run the command as a process, with warnings as errors; returns its two outputs."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "thalweg", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == code, run.stdout + run.stderr
    return run.stdout, run.stderr


def call(capsys, *arguments, code=0):
    """Run the command in this process, which is faster; returns its two outputs."""
    try:
        status = main([*map(str, arguments)])
    except SystemExit as stop:  # argparse ends the process
        status = stop.code
    output = capsys.readouterr()
    assert status == code, output.out + output.err
    return output.out, output.err
