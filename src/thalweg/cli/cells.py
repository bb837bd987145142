"""What a cell of a text file says: a number, nothing, or a text, and why a text is no number.

Read as numbers are what Python's `float` reads, a minus sign U+2212, exponents with the D of
Fortran and, where the file has it, a decimal comma.  What has two readings, such as thousands
separators, is refused with its likely cause: a wrong guess would change the data without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import nan

# What spreadsheets, NumPy, pandas and R write where there is no value; compared in lower case.
MISSING = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-", "--", "#n/a", "#na", "#n/a n/a", "<na>"}
)
_SHOWN = 40  # characters of a cell that a sentence shows

_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dD]([+-]?\d+)")
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eEdD][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_PLAIN = r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eEdD][+-]?\d+)?"

# The first that fits tells the cause: of texts that are meant as numbers, and of others.
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
    """Return a cell without what means the same otherwise written: a minus sign, a Fortran D."""
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
    """Return why a text that is meant as a number is none; None where it is not meant so."""
    cell = cell.replace("\u2212", "-")
    return next((words for pattern, words in _CAUSES if pattern.fullmatch(cell)), None)


def refusal(cell: str) -> str:
    """Return what to say of a cell that should hold a number, with the likely cause."""
    shown = cell if len(cell) <= _SHOWN else f"{cell[: _SHOWN - 3]}..."
    words = cause(cell) or next((w for pattern, w in _TEXTS if pattern.fullmatch(cell)), None)
    return f"{shown!r} is not a number{f'; {words}' if words else ''}"


def decimal_of(cells: Iterable[str]) -> str:
    """Return the decimal sign of a file whose cells a comma does not separate.

    A comma, if some numbers have one and none has a point; where both occur there are two
    readings, and the point is taken, so that the others are refused.
    """
    comma = False
    for cell in cells:
        if _POINT.fullmatch(cell):
            return "."
        comma = comma or _COMMA.fullmatch(cell) is not None
    return "," if comma else "."
