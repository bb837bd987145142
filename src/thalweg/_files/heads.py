"""What stands above the numbers of a table: a preamble, the names of the columns, their units.

The head ends with the last row of texts alone before the first row of numbers, or with a first row
that has a text above numbers and does not begin with one.  A row that begins with a number is never
taken for names, for it may be a data point, which would be lost.  Rows above the names, and rows
with another number of cells, are a preamble unless they may be data or say that a row should have
another number of cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .cells import cause, is_missing, is_number
from .counts import without_counts
from .dates import is_date
from .rows import Rows, in_words, table_width

# A unit in brackets, or one of the usual ones, with a prefix and beside others ("mV", "1/s").
_UNIT = re.compile(
    r"[\[(].*[\])]|%|-|1|counts?|cts|cps|ppm|a\.?u\.?|arb\.? ?(u\.?|units)|deg|°|°?[CF]"
    r"|([afpnuµμmckMGT]?(s|m|g|A|V|W|J|N|K|Pa|Hz|eV|l|L|M|mol|Ohm|Ω|F|T|C|rad|bar|B)|min|h|d|sec"
    r"|Å|1|u)([-^/*·.]?-?\d?[a-zA-Zµ]{0,3}[-^]?\d*){0,3}"
)
LOOKED_AT = 1000  # the lower half of so many first rows tells which columns hold numbers


class Head(NamedTuple):
    """The rows of a table below its head, and what the head says.

    Attributes
    ----------
    names : list of str
        Empty where a column has none.
    units : list of str
    rows : list of list of str
    lines : list of int
        Where each row stands in the file.
    notes : list of str
        What the user should know about the head.
    """

    names: list[str]
    units: list[str]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]


def find_head(name: str, found: Rows, missing: frozenset[str], is_told: bool) -> Head:
    """Tell the head of a table from its data; ``is_told`` if the user has named the separator.

    Raises
    ------
    ValueError
        The rows make no table, or there is no row of data.
    """
    found, counted = without_counts(found)
    rows, begin = _with_preamble(name, found)
    width = len(rows[begin])
    places, notes = _names_and_units(
        found.lines, rows, begin, _columns(rows, begin, missing), missing
    )
    top = max([begin, *(i + 1 for i in places)])
    names, units, above = [""] * width, [""] * width, begin
    if places:
        names = rows[places[0]]
        units = rows[places[1]] if len(places) > 1 else units
    elif begin:
        names, above = _of_the_line_above(name, found, rows, begin, is_told)
    elif _are_names(found.remark, width):
        names = found.remark
        notes.append(
            f"the names of the columns are those in the comment above line {found.lines[0]}"
        )
    if above:
        notes.insert(0, preamble(found.lines[:above]))
    if top >= len(rows):
        raise ValueError(f"{name} holds no data")
    bare = [unit[1:-1] if unit[:1] in ("(", "[") else unit for unit in units]
    return Head(names, bare, rows[top:], found.lines[top:], [*counted, *notes])


def trimmed_rows(name: str, found: Rows) -> tuple[list[list[str]], int]:
    """Return the rows of a table, and how many lines of a preamble stand above them.

    Raises
    ------
    ValueError
        Rows have different numbers of cells.
    """
    rows, begin = _with_preamble(name, found)
    return rows[begin:], begin


def _with_preamble(name: str, found: Rows) -> tuple[list[list[str]], int]:
    """The rows of a file, and where those of its table begin."""
    width = table_width(found.rows)
    rows = [_trimmed(row, width) for row in found.rows]
    begin = next(i for i, row in enumerate(rows) if len(row) == width)
    _check_widths(name, found, rows, begin, width)
    return rows, begin


def _trimmed(row: list[str], width: int) -> list[str]:
    """A row without empty cells beyond the width of the table, as spreadsheets leave them."""
    return row[:width] if len(row) > width and not any(row[width:]) else row


def _columns(rows: Sequence[Sequence[str]], begin: int, missing: frozenset[str]) -> list[int]:
    """The columns most of whose cells are numbers or dates, or meant as such."""
    some = rows[begin : begin + LOOKED_AT]
    balance = [0] * len(rows[begin])
    for row in some[len(some) // 2 :]:
        for j, cell in enumerate(row):
            if not is_missing(cell, missing):
                balance[j] += 1 if _is_meant(cell) else -1
    seen = [any(_is_meant(row[j]) for row in some) for j in range(len(balance))]
    return [j for j, more in enumerate(balance) if more >= 0 and seen[j]]


def _is_meant(cell: str) -> bool:
    """Whether a cell is a number or a date, or a text that is meant as one."""
    return is_number(cell) or is_date(cell) or cause(cell) is not None


def _names_and_units(
    lines: Sequence[int],
    rows: list[list[str]],
    begin: int,
    numeric: Sequence[int],
    missing: frozenset[str],
) -> tuple[list[int], list[str]]:
    """The rows of the names, of the units and of other texts, in this order, and notes."""

    def is_data(i: int) -> bool:
        texts = (rows[i][j] for j in numeric)
        whole = bool(numeric) and all(is_missing(c, missing) or _is_meant(c) for c in texts)
        return whole or is_number(rows[i][0]) or is_date(rows[i][0])

    top = next((i for i in range(begin, len(rows)) if is_data(i)), len(rows))
    plain = [i for i in range(begin, top) if not any(map(is_number, rows[i]))]
    if not numeric:
        plain = plain[:1]
    if not plain:
        return ([begin] if top > begin else []), []
    first = last = plain[-1]
    while first - 1 in plain:
        first -= 1
    while first < last and _is_title(rows[first]) and not are_units(rows[first + 1]):
        first += 1
    if first == last > begin and are_units(rows[last]):
        first -= 1  # names that are numbers, such as "time,400,410" above "s,mV,mV"
    notes = [preamble(lines[begin:first])] if first > begin else []
    if last > first:
        notes.append(f"line {lines[first + 1]} is taken for the units")
    notes += [f"line {n} holds no numbers and is left out" for n in lines[first + 2 : last + 1]]
    return list(range(first, last + 1)), notes


def are_units(row: Sequence[str]) -> bool:
    """Whether a row holds the units of columns."""
    return all(_UNIT.fullmatch(cell) or not cell for cell in row) and any(row)


def _is_title(row: Sequence[str]) -> bool:
    """Whether a row says something of the whole table: its first cell alone is filled."""
    return len(row) > 1 and bool(row[0]) and not any(row[1:])


def _are_names(cells: Sequence[str], width: int) -> bool:
    """Whether there is a name for each column."""
    return len(cells) == width and all(cells) and not any(map(_is_meant, cells))


def preamble(lines: Sequence[int]) -> str:
    """Return the sentence on lines above a table."""
    which = f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"
    return f"{which} above the table {'is' if len(lines) == 1 else 'are'} left out"


def _check_widths(name: str, found: Rows, rows: list[list[str]], begin: int, width: int) -> None:
    """Refuse rows with another number of cells, but for a preamble of texts."""
    for i, row in enumerate(rows):
        if len(row) != width and (i > begin or all(map(is_number, row))):
            _ragged(name, found, rows, max(i, begin), min(i, begin))


def _of_the_line_above(
    name: str, found: Rows, rows: list[list[str]], begin: int, is_told: bool
) -> tuple[list[str], int]:
    """The names in the line above a table whose first row is data, and how long the preamble is.

    R writes one name less than columns if the first one names the rows.  Else a line of several
    cells contradicts the table; and so does any line if commas may be decimal ones.
    """
    row, width = rows[begin - 1], len(rows[begin])
    texts = not any(map(is_number, row))
    if len(row) == width - 1 and texts and width > 2 and found.separator != ",":
        return ["", *row], begin - 1
    if not is_told and ((len(row) > 1 and texts) or found.separator == ","):
        _ragged(name, found, rows, begin, begin - 1)
    return [""] * width, begin


def _ragged(name: str, found: Rows, rows: list[list[str]], i: int, other: int) -> None:
    n, line = len(rows[i]), found.lines[other]
    words = "a decimal comma needs another separator; " if found.separator == "," else ""
    cure = f"line {line} is no part of the table, leave it out by skip_rows={line}"
    footer = len(rows) - i
    if footer < i - other and not any(len(row) == len(rows[other]) for row in rows[i:]):
        cure = f"the table ends above line {found.lines[i]}, say skip_footer={footer}"
    raise ValueError(
        f"{name}, line {found.lines[i]}: {n} cell{'s' * (n != 1)}, but line {line} has "
        f"{len(rows[other])}, where {in_words(found.separator)} separate the columns; {words}if "
        f"{cure}"
    )
