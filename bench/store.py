"""The results file: one per version and machine, ``results/<version>-<machine>.json``.

    {"version", "date", "machine": {...},
     "results": [{"name", "value", "unit", "sense", "target", "command", "spread"}, ...],
     "accuracy": [{"set", "start", "program", ...}, ...]}

``sense`` is ">=" or "<=", and with ``target`` None where a number is only reported.  ``spread`` are
the quartiles over rounds of a ratio of times; other numbers have none.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine

import thalweg as tw

FOLDER = Path(__file__).parent / "results"
Entry = dict[str, Any]


def entry(
    name: str,
    value: float,
    unit: str,
    command: str,
    at_least: float | None = None,
    at_most: float | None = None,
    spread: tuple[float, float] | None = None,
) -> Entry:
    """Return one measured number, with the target and the spread it has, if any."""
    sense, target = (">=", at_least) if at_least is not None else ("<=", at_most)
    one = {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "sense": None if target is None else sense,
        "target": target,
        "command": command,
    }
    return one if spread is None else one | {"spread": [_rounded(v) for v in spread]}


def _rounded(value: float) -> float:
    """The number with four digits."""
    return float(f"{value:.4g}") if abs(value) < 1e4 else round(value)


def met(result: Entry) -> bool | None:
    """Return whether a number meets its target; None where it has none."""
    if result["target"] is None:
        return None
    if result["sense"] == ">=":
        return result["value"] >= result["target"]
    return result["value"] <= result["target"]


def path() -> Path:
    """Return the file of this version on this machine."""
    return FOLDER / f"{tw.__version__}-{machine.slug()}.json"


def update(
    results: Sequence[Entry], accuracy: Sequence[Entry] | None = None, timed: bool = True
) -> Path:
    """Write results to this machine's file, in place of what the same commands gave before.

    Counts, which are no times, leave the date and the machine's state as they were.
    """
    file = path()
    old = json.loads(file.read_text()) if file.exists() else {"results": [], "accuracy": []}
    again = {result["command"] for result in results}
    kept = [result for result in old["results"] if result["command"] not in again]
    new = timed or "machine" not in old
    content = {
        "version": tw.__version__,
        "date": datetime.now(UTC).date().isoformat() if new else old["date"],
        "machine": machine.facts() if new else old["machine"],
        "results": [*results, *kept],
        "accuracy": list(old["accuracy"] if accuracy is None else accuracy),
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(_json(content))
    return file


def _json(content: dict[str, Any]) -> str:
    """JSON with one line per fact, result or row, so that two releases can be compared by diff."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            rows = ",\n  ".join(json.dumps(row) for row in value)
            lines.append(f'"{key}": [\n  {rows}\n ]' if rows else f'"{key}": []')
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def table(results: Sequence[Entry]) -> str:
    """Return the results as lines to read on a terminal."""
    width = max((len(result["name"]) for result in results), default=0)
    mark = {None: "", True: "met", False: "MISSED"}
    lines = (
        f"{r['name']:<{width}}  {number(r['value'], r['unit']):>12} {r['unit']:<8}"
        f" {target(r):<14} {mark[met(r)]}"
        for r in results
    )
    return "\n".join(line.rstrip() for line in lines)


def number(value: float, unit: str = "") -> str:
    """Return a number with three digits; counts and percentages, which may miss by one, in full."""
    if unit in ("fits", "%"):
        return f"{value:,.6g}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{float(f'{value:.3g}'):,.0f}"


def target(result: Entry) -> str:
    """Return the target as an inequality, or nothing."""
    if result["target"] is None:
        return ""
    return f"{result['sense']} {number(result['target'], result['unit'])}"
