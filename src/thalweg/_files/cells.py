"""What a cell of a text file holds: a number, nothing, or a text, and why a text is no number.

Numbers are what Python's `float` reads, and beyond it: a minus sign U+2212, exponents by the D of
Fortran or without a letter, as Fortran writes those of three digits, a decimal comma and separators
of thousands in files that have them (`signs` finds out which).
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cache
from math import nan
from typing import NamedTuple

# What spreadsheets write for "not available", in the languages that have a word of their own.
_NOT_AVAILABLE = frozenset(
    {"#n/a", "#na", "#n/a n/a", "#nv", "#n/d", "#nd", "#n.d.", "#n/disp", "#n/b", "#nb", "#i/t"}
    | {"#н/д", "#yok", "#hiányzik", "#není_k_dispozici", "#nedostupný"}
)
# What spreadsheets, NumPy, pandas, R and C write for a missing value; compared in lower case.
MISSING = _NOT_AVAILABLE | {
    *("", "nan", "-nan", "na", "n/a", "n.a.", "null", "none", "-", "--", "<na>"),
    *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nan(ind)", "-nan(ind)"),
}
# What they write for a formula that has no value: "#DIV/0!", "#WERT!", "#¿NOMBRE?", "Err:502".
_FAILED = r"#[¡¿]?[^\W\d_a-z][^\s#,;|a-z]{0,19}[!?]|(?:Err|Fehler|Erreur)\s?:\s?\d{3}"
_FAILED_FORMULA = re.compile(_FAILED)
_WORDS = [re.escape(form(word)) for word in sorted(_NOT_AVAILABLE) for form in (str, str.upper)]
# A line that begins with such a mark and goes on as a row does is no comment.
BEGINS_WITH_MARK = re.compile(rf"(?:{'|'.join(_WORDS)}|{_FAILED})(?:\s*(?:[\t;,|]|$)|\s+[-+.#\d])")
_SHOWN = 40  # a sentence shows at most so many characters of a cell

# Signs that typesetters and spreadsheets use in the place of a plain one.  The blanks are the
# no-break space, the thin space and the narrow no-break space.
_PLAIN_SIGNS = str.maketrans("\u2212’\u00a0\u2009\u202f", "-'   ")
_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[dD]([+-]?\d+)|([+-]\d{3}))")
_EXPONENT = r"(?:[eEdD][+-]?\d+)?"
_NUMBER = rf"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:{_EXPONENT}|[+-]\d{{3}})"
_GROUPS = r"[+-]?[1-9]\d{0,2}(?:([,.' ])\d{3})(?:\1\d{3})*(?:[.,]\d*)?" + _EXPONENT
QUANTITY = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<unit>[^\W\d_]+)")  # with a unit
NUMBER_OF_ANY_KIND = re.compile(rf"{_NUMBER}|{_GROUPS}|[+-]?(?:inf|infinity)", re.IGNORECASE)

# The first pattern that fits tells the cause: _CAUSES for texts that are meant as numbers, _TEXTS
# for others.
_CAUSES = (
    (re.compile(r"[+-]?\d{1,3}([, '.]\d{2,3})*[, '.]\d{3}([.,]\d*)?"), "it has separators of "
     'thousands, which thousands="," or another sign tells'),
    (re.compile(rf"{_NUMBER}\s*%"), "it is a percentage"),
    (re.compile(r"[+-]?\d*,\d+" + _EXPONENT), "it has a decimal comma; for a file of such numbers "
     'say decimal=","'),
    (re.compile(r"[+-]?\d*\.\d*" + _EXPONENT), "it has a decimal point, and the numbers of this "
     "file a decimal comma"),
    (re.compile(rf"{_NUMBER}\s*[#%;].*|{_NUMBER}\s*//.*"), "a comment stands behind it"),
    (re.compile(rf"[<>≤≥~]\s*{_NUMBER}"), "it tells a limit, not a value"),
    (re.compile(rf"{_NUMBER}\s*((±|\+/?-)\s*{_NUMBER}|\(\d+\))"), "an error stands behind it, "
     "which wants a column of its own"),
    (re.compile(rf"\(?{_NUMBER}\s*[+-]\s*{_NUMBER}\s*\*?[ij]\)?"), "it is complex; write its "
     "real and its imaginary part to columns of their own"),
    (re.compile(rf"[$€£¥]\s*{_NUMBER}"), "a currency stands before it"),
    (re.compile(rf"{_NUMBER}\s*[^\W\d_].{{0,9}}"), "a unit stands behind it, "
     "which is to stand once, below the name of the column"),
)  # fmt: skip
_TEXTS = (
    (re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.:T ].*)?"), "it looks like a date or a time"),
    (
        re.compile(r"#{3,}"),
        "it is a number that was too long for its cell, as spreadsheets mark them",
    ),
    (re.compile(r"\*+"), "it is a number that was too long for its field, as Fortran marks them"),
)


class Signs(NamedTuple):
    """How the numbers of a file are written.

    Attributes
    ----------
    decimal : {".", ","}
    thousands : {",", ".", "'", " ", None}
        What separates groups of three digits; None if nothing does.
    """

    decimal: str = "."
    thousands: str | None = None


def plain(cell: str) -> str:
    """Return a cell with plain minus signs, apostrophes and blanks."""
    return cell if cell.isascii() else cell.translate(_PLAIN_SIGNS)


def _with_exponent(cell: str) -> str:
    """A number with decimal point whose exponent, if written as in Fortran, begins with e."""
    fortran = _FORTRAN.fullmatch(cell)
    return f"{fortran[1]}e{fortran[2] or fortran[3]}" if fortran else cell


@cache
def grouped(signs: Signs) -> re.Pattern[str]:
    """Return the pattern of numbers with separators of thousands."""
    thousands, decimal = re.escape(signs.thousands or ""), re.escape(signs.decimal)
    whole = rf"[+-]?[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+"
    return re.compile(rf"{whole}(?:{decimal}\d*)?{_EXPONENT}")


def number(cell: str, signs: Signs, missing: Set[str] = MISSING) -> float | None:
    """Return the number in a cell, NaN for a missing one, None for a text."""
    try:
        if signs.decimal == ".":
            return float(cell)
        if "." not in cell:
            return float(cell.replace(",", "."))
    except ValueError:
        pass
    if is_missing(cell, missing):
        return nan
    cell = plain(cell)
    if signs.thousands and grouped(signs).fullmatch(cell):
        cell = cell.replace(signs.thousands, "")
    elif signs.decimal == "," and "." in cell:
        return None
    try:
        return float(_with_exponent(cell.replace(",", ".") if signs.decimal == "," else cell))
    except ValueError:
        return None


def is_missing(cell: str, missing: Set[str] = MISSING) -> bool:
    """Whether a cell holds no value: one of the words for that, or a formula that has none."""
    return cell.lower() in missing or is_failed_formula(cell)


def is_failed_formula(cell: str) -> bool:
    """Whether a cell holds what spreadsheets write for a formula without a value."""
    return cell[:1] in ("#", "E", "F") and _FAILED_FORMULA.fullmatch(cell) is not None


def is_number(cell: str) -> bool:
    """Whether a cell holds a number in one of the ways in which people write them."""
    try:
        float(cell)
    except ValueError:
        return NUMBER_OF_ANY_KIND.fullmatch(plain(cell)) is not None
    return cell.lower() not in MISSING


def cause(cell: str) -> str | None:
    """Return why a text that is meant as a number is none; None if it is not meant as one."""
    cell = plain(cell)
    return next((words for pattern, words in _CAUSES if pattern.fullmatch(cell)), None)


def shown(cell: str) -> str:
    """Return a cell in quotes, shortened to what a sentence can show."""
    return repr(cell if len(cell) <= _SHOWN else f"{cell[: _SHOWN - 3]}...")


def refusal(cell: str) -> str:
    """Return the sentence that refuses a cell that should hold a number, with the likely cause."""
    words = cause(cell) or next((w for pattern, w in _TEXTS if pattern.fullmatch(cell)), None)
    if words is None:
        words = f'if it stands for a missing value say missing="{cell}"' if len(cell) < 9 else ""
    return f"{shown(cell)} is not a number{f'; {words}' if words else ''}"
