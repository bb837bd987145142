"""Which sign is the decimal one, and which separates thousands: from all numbers of a file.

A number is evidence if it has one reading only: "1,5" and "0,123" have a decimal comma, "1.5" and
"0.123" a decimal point; "1,234.5" has a decimal point and commas between thousands, "1 234" blanks
between thousands.  "1,234" and "1.234" may be read in two ways, for which the rules are:

1. What the user says counts.
2. Evidence for one decimal sign decides all numbers; evidence for both is refused.
3. Without evidence a point is the decimal sign, and so is a comma in files whose columns are
   separated by semicolons, as spreadsheets write where the comma is the decimal sign.
4. A sign that is not the decimal one can only separate thousands.  "1,234" is read so if the
   decimal sign is known to be a point.  "1.234" among decimal commas is read so if another number
   shows it, such as "1.234,5"; else it is refused.
5. Without evidence, "1,234" in other files is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .cells import Signs, plain, shown

_EXPONENT = r"(?:[eEdD][+-]?\d+|[+-]\d{3})?"
_DECIMAL = re.compile(rf"[+-]?\d*([.,])\d*{_EXPONENT}")
_DOUBTFUL = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}")
_GROUPED = re.compile(rf"[+-]?[1-9]\d{{0,2}}([,.' ])\d{{3}}(?:\1\d{{3}})*(?:([.,])\d*)?{_EXPONENT}")
_TELLS = re.compile(r"[^\d,+-]|,.*,")  # another sign than one comma
_OTHER = {".": ",", ",": "."}
_NAMES = {".": "point", ",": "comma"}


class _Place(NamedTuple):
    """A cell, with the numbers of its row and its column."""

    cell: str
    row: int
    column: int


class Evidence:
    """The first cell that speaks for each reading.

    Attributes
    ----------
    decimal : dict
        From a decimal sign to a cell that shows it.
    thousands : dict
        From a separator of thousands to a cell that shows it.
    doubtful : dict
        From "." or "," to a cell such as "1.234" that may be read in two ways.
    """

    def __init__(self) -> None:
        self.decimal: dict[str, _Place] = {}
        self.thousands: dict[str, _Place] = {}
        self.doubtful: dict[str, _Place] = {}

    def add_all(self, cells: Sequence[str], rows: Iterable[int], column: int) -> None:
        """Take those cells of a column into account that stand in these rows.

        Where one number has shown a decimal comma, others with a comma alone tell nothing more.
        """
        for i in rows:
            if "," not in self.decimal or _TELLS.search(cells[i]):
                self.add(cells[i], i, column)

    def add(self, cell: str, row: int, column: int) -> None:
        """Take a cell into account."""
        text, place = plain(cell), _Place(cell, row, column)
        if doubtful := _DOUBTFUL.fullmatch(text):
            self.doubtful.setdefault(doubtful[1], place)
        elif decimal := _DECIMAL.fullmatch(text):
            self.decimal.setdefault(decimal[1], place)
        elif groups := _GROUPED.fullmatch(text):
            if groups[2] == groups[1]:
                return
            self.thousands.setdefault(groups[1], place)
            sign = groups[2] or _OTHER.get(groups[1])
            if sign:
                self.decimal.setdefault(sign, place)


def find_signs(
    evidence: Evidence,
    where: Callable[[int, int], str],
    separator: str | None,
    decimal: str | None,
    given: str | None,
) -> Signs:
    """Return the signs of a file's numbers.

    Parameters
    ----------
    evidence : Evidence
        What the numbers of the file tell of their signs.
    where : callable
        A function of a row's and a column's number that returns the place in words.
    separator : str or None
        The character between columns.
    decimal, given : str or None
        The decimal sign and the separator of thousands, as far as the user says so.

    Raises
    ------
    ValueError
        The numbers contradict each other, or may be read in two ways.
    """
    if decimal is None:
        decimal = _decimal(evidence, where, separator, given)
    return Signs(decimal, _thousands(evidence, where, decimal) if given is None else given)


def _decimal(
    evidence: Evidence,
    where: Callable[[int, int], str],
    separator: str | None,
    thousands: str | None,
) -> str:
    if thousands in _OTHER:
        return _OTHER[thousands]
    if len(evidence.decimal) == 2:
        point, comma = evidence.decimal["."], evidence.decimal[","]
        raise ValueError(
            f"{where(*comma[1:])}: {shown(comma.cell)} has a decimal comma, but "
            f"{shown(point.cell)} in {where(*point[1:])} a decimal point; "
            'decimal="," or decimal="." says which counts'
        )
    if evidence.decimal:
        return next(iter(evidence.decimal))
    doubtful = evidence.doubtful.get(",")
    if doubtful is not None and separator != ";":
        raise ValueError(
            f"{where(*doubtful[1:])}: {shown(doubtful.cell)} may be "
            f"{doubtful.cell.replace(',', '')} or have a decimal comma, and no other number tells; "
            'say thousands="," or decimal=","'
        )
    return "," if doubtful is not None else "."


def _thousands(evidence: Evidence, where: Callable[[int, int], str], decimal: str) -> str | None:
    """The separator of thousands, which is not the decimal sign."""
    shows = [sign for sign in evidence.thousands if sign != decimal]
    other = _OTHER[decimal]
    doubtful = evidence.doubtful.get(other)
    if len(shows) > 1:
        first, second = (evidence.thousands[sign] for sign in shows[:2])
        raise ValueError(
            f"{where(*second[1:])}: {shown(second.cell)} has other separators of thousands than "
            f"{shown(first.cell)} in {where(*first[1:])}"
        )
    if doubtful is not None and decimal == "," and other not in shows:
        place, whole = where(*doubtful[1:]), doubtful.cell.replace(".", "")
        raise ValueError(
            f"{place}: {shown(doubtful.cell)} may be {whole} or have a decimal point, and the "
            f'numbers of this file have a decimal comma; say thousands="." if it is {whole}'
        )
    if shows:
        return shows[0]
    return other if doubtful is not None else None


def in_words(signs: Signs) -> str:
    """Return how numbers are written, in words; nothing for plain ones."""
    words = [f"decimal {_NAMES[signs.decimal]}"] if signs.decimal == "," else []
    names = {",": "commas", ".": "points", "'": "apostrophes", " ": "blanks"}
    if signs.thousands:
        words.append(f"{names[signs.thousands]} between thousands")
    return ", ".join(words)
