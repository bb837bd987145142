"""The README's examples run as they stand, in order, and its commands are the ones CI runs."""

import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# the spread of n normal numbers has relative deviation 1 / sqrt(2 n); 4 of them, n = 1000
SPREAD_TOLERANCE = 4 / math.sqrt(2 * 1000)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_examples_run_and_say_what_they_promise(capsys):
    namespace = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert "10000 fits, 10000 succeeded" in printed
    r = namespace["r"]
    assert r.success.all()
    spread, error = r["x0"].std(), r.stderr[:, 1].mean()
    assert abs(error / spread - 1) < SPREAD_TOLERANCE


def commands():
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in parts if part.startswith("thalweg ")]


@pytest.mark.parametrize("command", commands())
def test_commands_run(command, tmp_path):
    words = [str(ROOT / w) if w.startswith("examples/") else w for w in shlex.split(command)]
    done = subprocess.run(
        [sys.executable, "-m", "thalweg", *words[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for flag in ("--plot", "--out"):
        if flag in words:
            assert (tmp_path / words[words.index(flag) + 1]).stat().st_size > 0
