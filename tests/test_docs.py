"""Docstrings on their way to the documentation: signs that reStructuredText would misread."""

import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).resolve().parents[1] / "docs" / "_extensions"


@pytest.fixture
def escape(monkeypatch):
    monkeypatch.syspath_prepend(EXTENSIONS)
    yield __import__("docstrings").escape
    sys.modules.pop("docstrings")


@pytest.mark.parametrize(
    "line, escaped",
    [
        ("the size |x| of x", r"the size \|x\| of x"),
        ("``|x|`` and :math:`|x|` and |x|", r"``|x|`` and :math:`|x|` and \|x\|"),
        ("H. B. Nielsen, 1999", r"\H. B. Nielsen, 1999"),
        ("   K.", r"   \K."),
        (".. [2] H. B. Nielsen", r".. [2] \H. B. Nielsen"),
        ("1. a list of numbers stays one", "1. a list of numbers stays one"),
        (">>> a | b", ">>> a | b"),
    ],
)
def test_a_line_is_read_as_it_is_meant(escape, line, escaped):
    assert list(escape([line])) == [escaped]


def test_formulae_and_code_are_left_alone(escape):
    block = [".. math:: |a|", "", "   |b|", "", "|c|", "", "Code::", "", "    a | b", "", "|d|"]
    expected = [line.replace("|", r"\|") if line in ("|c|", "|d|") else line for line in block]
    assert list(escape(block)) == expected
