"""Stored results are compared by their ratios, whichever way is better, and shown on a page."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))

import compare
import report


def result(name, value, unit="times", sense=">=", **more):
    return {"name": name, "value": value, "unit": unit, "sense": sense, "command": "c", **more}


def test_what_fell_by_more_than_a_tenth_is_named_with_its_spread():
    old = [result("a", 2.0, spread=[1.9, 2.1]), result("b", 2.0), result("time", 0.5, sense="<=")]
    new = [result("a", 1.7, spread=[1.6, 1.8]), result("b", 1.81), result("time", 0.6, sense="<=")]
    lines, worse = compare.compare(old, new)
    assert worse == 2
    assert lines[0] == "3 ratios compared, 2 worse by more than 10 %"
    assert lines[1].startswith("0.83  time: 0.5 times -> 0.6 times")
    assert lines[2].startswith("0.85  a: 2 (1.9 to 2.1) times -> 1.7 (1.6 to 1.8) times")


def test_counts_are_not_compared_and_cases_of_one_file_are_named():
    old = [result("fits", 10, "fits"), result("gone", 3, "%", None)]
    new = [result("fits", 1, "fits"), result("fresh", 3, "%", None)]
    lines, worse = compare.compare(old, new)
    assert not worse and lines[1:] == ["gone: gone", "new: fresh"]


@pytest.mark.parametrize("value, status", [(1.0, 0), (0.5, 1)])
def test_the_command_compares_files(tmp_path, capsys, value, status):
    for name, v, cpu in (("old", 1.0, "A"), ("new", value, "B")):
        content = {"machine": {"cpu": cpu}, "results": [result("a", v)]}
        (tmp_path / name).write_text(json.dumps(content))
    assert compare.main([str(tmp_path / "old"), str(tmp_path / "new")]) == status
    assert "different processors" in capsys.readouterr().out


def test_every_stored_result_can_be_compared_with_itself():
    files = list((Path(compare.__file__).parent / "results").glob("*.json"))
    assert files
    for file in files:
        assert compare.main([str(file), str(file)]) == 0


def test_the_page_shows_the_misses_first_and_everything_once_in_folds():
    adjoint = result("sum", 3, target=2) | {"command": "python -m pytest bench/test_adjoint.py"}
    missed = result("map", 1, target=2) | {"command": "python -m pytest bench/test_mri.py"}
    machine = dict.fromkeys("cpu processors instruction_set copy_GB_per_s system".split(), "C")
    machine |= dict.fromkeys(["python", "numpy", "scipy"], "1")
    content = {"version": "1", "date": "d", "machine": machine, "accuracy": []}
    before, folds = report.page([content | {"results": [adjoint, missed]}]).split("### Everything")
    assert "### Missed: 1 of 2" in before and "| map |" in before and "| sum |" not in before
    assert folds.count("| map |") == folds.count("| sum |") == 1
    assert folds.count("<details>") == folds.count("</details>") == 2
    assert "(1 measured, 1 missed)</summary>" in folds and "(1 measured)</summary>" in folds
