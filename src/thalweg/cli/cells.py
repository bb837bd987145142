"""What a cell of a text file holds: a number, nothing, or a text, and why a text is no number.

Numbers are what Python's `float` reads, also with a minus sign U+2212, with exponents by the D of
Fortran and, in files that have it, with a decimal comma.  A cell with two readings, such as one
with thousands separators, is refused with its likely cause: a wrong guess would silently change the
data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import nan

# What spreadsheets, NumPy, pandas and R write for a missing value; compared in lower case.
MISSING = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-", "--", "#n/a", "#na", "#n/a n/a", "<na>"}
)
_SHOWN = 40  # a sentence shows at most so many characters of a cell

_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dD]([+-]?\d+)")
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eEdD][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_PLAIN = r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eEdD][+-]?\d+)?"

# The first pattern that fits tells the cause: _CAUSES for texts that are meant as numbers, _TEXTS
# for others.
_TEXTS = (
    (re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.:T ].*)?"), "it looks like a date or a time"),
    (re.compile(r"#[A-Z/0]+[!?]"), "it is an error of a spreadsheet"),
)
_CAUSES = (
    (re.compile(r"[+-]?\d{1,3}([, '.’\u00a0\u202f]\d{3})+[.,]\d+"), "it has thousands separators"),
    (re.compile(r"[+-]?\d{1,3}([ '’\u00a0\u202f]\d{3})+"), "it has thousands separators"),
    (re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3}){2,}"), "it has thousands separators"),
    (re.compile(rf"{_PLAIN}\s*%"), "it is a percentage"),
    (_COMMA, "it has a decimal comma, or separators of thousands; for the former say --decimal ,"),
    (_POINT, "it has a decimal point, and the numbers of this file a decimal comma"),
    (re.compile(rf"{_PLAIN}\s*[^\W\d_].{{0,9}}"), "a unit stands behind it"),
)


def plain(cell: str) -> str:
    """Return a cell with a plain minus sign, and with e in place of a Fortran D."""
    cell = cell.replace("\u2212", "-")
    fortran = _FORTRAN.fullmatch(cell)
    return f"{fortran[1]}e{fortran[2]}" if fortran else cell


def number(cell: str, decimal: str = ".", missing: frozenset[str] = MISSING) -> float | None:
    """Return the number in a cell, NaN for a missing one, None for a text."""
    try:
        if decimal == ".":
            return float(cell)
    except ValueError:
        pass
    if cell.lower() in missing:
        return nan
    if decimal == "," and _POINT.fullmatch(cell):
        return None
    try:
        return float(plain(cell.replace(",", ".") if decimal == "," else cell))
    except ValueError:
        return None


def cause(cell: str) -> str | None:
    """Return why a text that is meant as a number is none; None if it is not meant as one."""
    cell = cell.replace("\u2212", "-")
    return next((words for pattern, words in _CAUSES if pattern.fullmatch(cell)), None)


def refusal(cell: str) -> str:
    """Return the sentence that refuses a cell that should hold a number, with the likely cause."""
    shown = cell if len(cell) <= _SHOWN else f"{cell[: _SHOWN - 3]}..."
    words = cause(cell) or next((w for pattern, w in _TEXTS if pattern.fullmatch(cell)), None)
    return f"{shown!r} is not a number{f'; {words}' if words else ''}"


def decimal_of(cells: Iterable[str]) -> str:
    """Return the decimal sign of a file whose cells a comma does not separate.

    It is a comma if some numbers have one and none has a point.  If both occur the point is taken,
    so that numbers with a comma are refused.
    """
    comma = False
    for cell in cells:
        if _POINT.fullmatch(cell):
            return "."
        comma = comma or _COMMA.fullmatch(cell) is not None
    return "," if comma else "."
