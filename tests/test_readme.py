"""Examples of the README and of the guide run as they stand, page by page, commands too."""

import importlib.util
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    page: (ROOT / page).read_text(encoding="utf-8")
    for page in ("README.md", *(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")))
}
SAY_MORE = {  # pages whose results are looked at, by tests of their own
    f"docs/{page}.md"
    for page in ("tour", "results", "linear", "from_scikit_learn", "files", "larger")
}

OTHERS = ("astropy", "lmfit")  # their pages show how to come from them; tests run without them, too

# the spread of n normal numbers has relative deviation 1 / sqrt(2 n); 4 of them, n = 1000
SPREAD_TOLERANCE = 4 / math.sqrt(2 * 1000)


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], flags=re.DOTALL)


def is_there(block):
    """Whether the libraries of others that a block imports, if it does, are installed."""
    imported = set(re.findall(r"^(?:from|import) (\w+)", block, re.MULTILINE))
    return all(importlib.util.find_spec(name) for name in imported & set(OTHERS))


def run_examples(page):
    """Run a page's Python examples, one after the other; return what they have defined."""
    namespace = {}
    for block in filter(is_there, blocks(page, "python")):
        exec(compile(block, page, "exec"), namespace)
    return namespace


def test_the_readme_fits_what_it_promises(capsys):
    r = run_examples("README.md")["r"]
    assert "10000 fits, 10000 succeeded" in capsys.readouterr().out
    assert r.success.all()


def test_the_tour_says_what_it_promises():
    r = run_examples("docs/tour.md")["r"]
    assert r.success.all()
    spread, error = r["x0"].std(), r.stderr[:, 1].mean()
    assert abs(error / spread - 1) < SPREAD_TOLERANCE


def test_the_page_on_results_says_what_it_promises():
    names = run_examples("docs/results.md")
    r, line = names["r"], names["line"]
    assert (r.aic < line.aic - 10).all(), "far below"
    assert abs(names["doses"].to_dataframe()["tau"] - r["tau"]).max() == 0


def test_the_page_on_linear_models_says_what_it_promises(capsys):
    names = run_examples("docs/linear.md")
    assert names["r"].success and names["many"].success
    assert "gram: " in capsys.readouterr().out


def test_the_page_on_files_shows_what_is_printed(capsys):
    run_examples("docs/files.md")
    assert capsys.readouterr().out == "".join(blocks("docs/files.md", "text"))


def test_the_page_for_users_of_scikit_learn_says_what_it_promises():
    pytest.importorskip("sklearn")
    names = run_examples("docs/from_scikit_learn.md")
    assert names["sparser"].alpha_ > 0 and names["p"].success


def test_the_page_on_data_larger_than_memory_runs():
    pytest.importorskip("zarr", minversion="3")
    assert not len(run_examples("docs/larger.md")["r"].failed())


@pytest.mark.parametrize(
    "page", sorted(p for p in PAGES if p not in {"README.md", *SAY_MORE} and blocks(p, "python"))
)
def test_the_examples_of_a_page_run(page):
    """What they promise they assert themselves."""
    run_examples(page)


def commands():
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
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
