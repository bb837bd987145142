"""Render the results of the newest version: the table of README.md and docs/benchmarks.md.

    python bench/report.py

README.md gets, between the lines ``<!-- bench -->`` and ``<!-- /bench -->``, the rows of `CHOSEN`,
cases that differ in sizes only in one line; docs/benchmarks.md gets everything, machine by machine:
what misses its target first, then one folded table for each program of this folder.
"""

import ast
import html
import json
import re
import sys
from itertools import groupby
from pathlib import Path

import store

ROOT = Path(__file__).resolve().parents[1]
_SIZE = r"(?<![A-Za-z\d])\d+"  # a number that is no part of a name
OPEN, CLOSE = "<!-- bench -->", "<!-- /bench -->"
CHOSEN = (  # the rows of README.md, by how their names begin
    "Gaussian 5x5, 1 thread",
    "Gaussian, 1 thread, over a loop of SciPy",
    "T2 map, 22812",
    "1e6 points, Gaussian on a cubic, all threads",
    "one small fit, new formula",
    "NIST, tw.fit, defaults",
    "score card: 12 curves, starts within 100 times, right",
    "score card: 12 curves, starts within 10 times, claims",
    "score card: coverage of 68.27",
)
INTRODUCTION = """# Benchmarks

Every case asserts its answer before it is timed. Peers run in the same process, in turns with
Thalweg, at the same tolerances; a ratio is the median over rounds, a time the best. Targets were
set before the measurement; what misses one is in bold. `python bench/run.py` repeats all of it.
"""


def newest():
    """Return the results files of the newest version, the latest measured first."""
    files = [json.loads(path.read_text()) for path in store.FOLDER.glob("*.json")]
    if not files:
        sys.exit(f"there are no results in {store.FOLDER}: python bench/run.py makes them")
    version = max((f["version"] for f in files), key=_order)
    chosen = [f for f in files if f["version"] == version]
    return sorted(chosen, key=lambda f: (f["date"], f["machine"]["cpu"]), reverse=True)


def _order(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def machine_line(content):
    """Return the sentence about the machine."""
    m = content["machine"]
    return (
        f"Thalweg {content['version']}, {content['date']}:"
        f" {m['cpu']}, {m['processors']} processors,"
        f" instruction set {m['instruction_set']}, {m['copy_GB_per_s']} GB/s copied by one thread,"
        f" {m['system']}, Python {m['python']}, NumPy {m['numpy']}, SciPy {m['scipy']}."
    )


def results_table(results):
    """Return results as a Markdown table."""
    lines = ["| measured | value | target | command |", "|---|---:|---:|---|"]
    for r in results:
        value = f"{store.number(r['value'], r['unit'])} {r['unit']}"
        value = f"**{value}**" if store.met(r) is False else value
        lines.append(f"| {r['name']} | {value} | {store.target(r)} | `{r['command']}` |")
    return "\n".join(lines)


def condensed_table(results):
    """Return results with a target as a Markdown table, one line for cases of several sizes."""
    groups = {}
    for r in results:
        if r["target"] is not None:
            key = re.sub(_SIZE, "#", r["name"]), r["target"], r["unit"]
            groups.setdefault(key, []).append(r)
    lines = ["| measured | value | target | command |", "|---|---:|---:|---|"]
    for group in groups.values():
        values = sorted(r["value"] for r in group)
        ends = [store.number(v, group[0]["unit"]) for v in dict.fromkeys([values[0], values[-1]])]
        value = f"{' to '.join(ends)} {group[0]['unit']}"
        value = value if all(map(store.met, group)) else f"**{value}**"
        case = group[0]
        lines.append(
            f"| {_common_name([r['name'] for r in group])} | {value} | {store.target(case)}"
            f" | `{case['command']}` |"
        )
    return "\n".join(lines)


def _common_name(names):
    """Return names that differ in their numbers as one, each number as the range it has."""
    columns = zip(*(re.split(f"({_SIZE})", name) for name in names), strict=True)
    parts = (sorted(set(c), key=lambda part: (len(part), part)) for c in columns)
    return "".join(p[0] if len(p) == 1 else f"{p[0]} to {p[-1]}" for p in parts)


def accuracy_table(rows):
    """Return the certified digits as a Markdown table, one line per set and start."""
    programs = list(dict.fromkeys(r["program"] for r in rows))
    lines = [
        "| set | start | " + " | ".join(programs) + " |",
        "|---|---:|" + "---|" * len(programs),
    ]
    for (name, start), group in groupby(rows, key=lambda r: (r["set"], r["start"])):
        cells = [_digits(r) for r in group]
        lines.append(f"| {name} | {start} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _digits(row):
    values = [row[key] for key in ("params", "std", "rss")]
    digits = " ".join("-" if v is None else f"{v:.1f}" for v in values)
    return f"{digits}; {row['steps']}, {row['status']}"


def chosen_rows(content):
    """Return the rows of a results file that README.md has."""
    return [r for r in content["results"] if r["name"].startswith(CHOSEN)]


def readme_part(content):
    """Return what stands between the markers of README.md."""
    chosen = chosen_rows(content)
    return f"{condensed_table(chosen)}\n\n{machine_line(content)}"


def page(files):
    """Return docs/benchmarks.md: of each machine what misses its target, then all, folded."""
    parts = [INTRODUCTION]
    for content in files:
        results, machine = content["results"], content["machine"]
        missed = [r for r in results if store.met(r) is False]
        title = f"## {machine['cpu']}, instruction set {machine['instruction_set']}"
        parts += [title, machine_line(content)]
        if missed:
            parts += [f"### Missed: {len(missed)} of {len(results)}", results_table(missed)]
        parts += ["### Everything, by benchmark", *map(_folded, _families(results))]
        if content["accuracy"]:
            parts += [
                "### Certified digits",
                "NIST's nonlinear sets, both starts: correct digits (at most 11) of parameters, "
                "standard errors and residual sum of squares; trial steps (evaluations for SciPy), "
                "status. Every program runs with its defaults.",
                accuracy_table(content["accuracy"]),
            ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _families(results):
    """Return the results in groups, one for each program that measured some."""
    groups = {}
    for r in results:
        program = re.search(r"bench/\w+\.py", r["command"])[0]
        groups.setdefault(program, []).append(r)
    return groups.items()


def _folded(family):
    """Return a table that opens by a click; its heading is what the program says of itself."""
    program, results = family
    heading = ast.get_docstring(ast.parse((ROOT / program).read_text())).split("\n")[0].rstrip(".")
    missed = sum(store.met(r) is False for r in results)
    count = f"{len(results)} measured" + (f", {missed} missed" if missed else "")
    summary = f"<summary>{html.escape(heading)} ({count})</summary>"
    return f"<details>\n{summary}\n\n{results_table(results)}\n\n</details>"


def replaced(text, part):
    """Return the text with ``part`` between its markers."""
    pattern = re.compile(f"({re.escape(OPEN)}\n).*?({re.escape(CLOSE)})", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"README.md has no lines {OPEN} and {CLOSE}")
    return pattern.sub(lambda match: f"{match[1]}{part}\n{match[2]}", text)


def main():
    files = newest()
    readme = ROOT / "README.md"
    fullest = max(files, key=lambda content: len(chosen_rows(content)))  # the newest of equals
    readme.write_text(replaced(readme.read_text(), readme_part(fullest)))
    docs = ROOT / "docs" / "benchmarks.md"
    docs.parent.mkdir(exist_ok=True)
    docs.write_text(page(files))
    print(f"{readme.name} and {docs.relative_to(ROOT)} are up to date")


if __name__ == "__main__":
    main()
