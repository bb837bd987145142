"""What stands above the numbers of a table: a preamble, the names of the columns, their units.

The head ends with the last row of texts alone before the first row of numbers, or with a first row
that has a text above numbers and does not begin with one.  A row that begins with a number is never
taken for names, for it may be a data point, which would be lost; but a first row of numbers whose
first cell is empty names the columns of a matrix.  Rows above the names, and keywords with values
between them and the numbers, are a preamble.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .cells import is_missing, is_number
from .counts import without_counts
from .extent import is_data, is_meant, left_out, ragged, table_rows
from .rows import Rows

# A unit in brackets, or one of the usual ones, with a prefix and beside others ("mV", "1/s").
_UNIT = re.compile(
    r"[\[(].*[\])]|%|-|1|counts?|cts|cps|ppm|a\.?u\.?|arb\.? ?(u\.?|units)|deg|°|°?[CF]"
    r"|([afpnuµμmckMGT]?(s|m|g|A|V|W|J|N|K|Pa|Hz|eV|l|L|M|mol|Ohm|Ω|F|T|C|rad|bar|B)|min|h|d|sec"
    r"|Å|1|u)([-^/*·.]?-?\d?[a-zA-Zµ]{0,3}[-^]?\d*){0,3}"
)

# A number whose decimal sign is a point, which separates no thousands.
_HAS_POINT = re.compile(r"[+-]?\d*\.(?:\d{1,2}|\d{4,})")


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


class _Titles(NamedTuple):
    """What the rows above the data say: where the names and where the data begin, and notes."""

    names: list[str]
    units: list[str]
    first: int
    top: int
    notes: list[str]


def find_head(name: str, found: Rows, missing: frozenset[str], is_told: bool) -> Head:
    """Tell the head of a table from its data; ``is_told`` if the user has named the separator.

    Raises
    ------
    ValueError
        The rows make no table, or there is no row of data.
    """
    found, counted = without_counts(found)
    rows, begin, numeric = table_rows(name, found, missing)
    names, units, first, top, notes = _titles(found.lines, rows, begin, numeric, missing)
    if top == begin and begin:
        names, first = _of_the_line_above(name, found, rows, begin, is_told)
    elif top == begin and _are_names(found.remark, len(names)):
        names = found.remark
        notes.append(
            f"the names of the columns are those in the comment above line {found.lines[0]}"
        )
    if first:
        notes.insert(0, left_out(found.lines[:first], "above"))
    if top >= len(rows):
        raise ValueError(f"{name} holds no data")
    bare = [unit[1:-1] if unit[:1] in ("(", "[") else unit for unit in units]
    return Head(names, bare, rows[top:], found.lines[top:], [*counted, *notes])


def _titles(
    lines: Sequence[int],
    rows: list[list[str]],
    begin: int,
    numeric: Sequence[int],
    missing: frozenset[str],
) -> _Titles:
    """The names and units of the columns, which stand in the rows from ``begin`` on."""
    end = len(rows)
    top = next((i for i in range(begin, end) if is_data(rows[i], numeric, missing)), end)
    plain = [i for i in range(begin, top) if not any(map(is_number, rows[i]))]
    none = [""] * len(rows[begin])
    if all(_is_title(rows[i]) for i in range(begin, top)) and _is_corner(rows[top:]):
        note = f"line {lines[top]}, whose first cell is empty, is taken for the names"
        return _Titles(["", *rows[top][1:]], none, top, top + 1, [note])
    if not numeric:
        plain = plain[:1]
    if not plain:
        has_names = top > begin
        return _Titles(rows[begin] if has_names else none, none, begin, begin + has_names, [])
    keys = {rows[i][0] for i in range(plain[-1] + 1, top)}
    if len(plain) > 2 and len(keys) > 1 and all(is_number(row[0]) for row in rows[top:]):
        return _Titles(none, none, top, top, [])  # keywords, each with its value
    return _of_texts(lines, rows, begin, plain)


def _of_texts(
    lines: Sequence[int], rows: list[list[str]], begin: int, plain: Sequence[int]
) -> _Titles:
    """The names and units in the last of the rows that hold texts alone."""
    first = last = plain[-1]
    while first - 1 in plain:
        first -= 1
    is_list = len(rows[last]) == 1 or (len(rows[last]) == 2 and first > begin)
    if is_list and first < last:  # a list of texts, or of keywords and their values
        first = last - are_units(rows[last])
    if is_list and _is_title(rows[last]):
        return _Titles([""] * 2, [""] * 2, last + 1, last + 1, [])
    while first < last and _is_title(rows[first]) and not are_units(rows[first + 1]):
        first += 1
    if first == last > begin and are_units(rows[last]) and lines[last] == lines[last - 1] + 1:
        first -= 1  # names that are numbers, such as "time,400,410" above "s,mV,mV"
    names, notes, more = rows[first], [], first + 1
    if more <= last and _are_groups(names, rows[more]):
        notes.append(f"the names are those of lines {lines[first]} and {lines[more]}")
        names, more = _joined(names, rows[more]), more + 1
    units = rows[more] if more <= last else [""] * len(names)
    if more <= last:
        notes.append(f"line {lines[more]} is taken for the units")
    notes += [f"line {n} holds no numbers and is left out" for n in lines[more + 1 : last + 1]]
    return _Titles(names, units, first, last + 1, notes)


def are_units(row: Sequence[str]) -> bool:
    """Whether a row holds the units of columns."""
    return all(_UNIT.fullmatch(cell) or not cell for cell in row) and any(row)


def _is_title(row: Sequence[str]) -> bool:
    """Whether a row says something of the whole table: its first cell alone is filled."""
    return len(row) > 1 and bool(row[0]) and not any(row[1:])


def _is_corner(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows are a matrix below the coordinates of its columns, beside those of its rows.

    Its corner is empty, and no other first cell is.
    """
    if len(rows) < 3 or len(rows[0]) < 3 or not is_missing(rows[0][0]):
        return False
    return all(map(is_number, rows[0][1:])) and all(is_number(row[0]) for row in rows[1:])


def _are_groups(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether a row names groups of columns: the row below names columns that it leaves empty."""
    some = any(not group and name for group, name in zip(row[1:], below[1:], strict=True))
    return some and not are_units(below)


def _joined(groups: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names of columns with those of their groups before them."""
    joined, group = [], ""
    for own, name in zip(groups, names, strict=True):
        group = own or group
        joined.append(f"{group} {name}" if name else group)
    return joined


def _are_names(cells: Sequence[str], width: int) -> bool:
    """Whether there is a name for each column."""
    return len(cells) == width and all(cells) and not any(map(is_meant, cells))


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
    commas = found.separator == "," and not any(map(_HAS_POINT.fullmatch, rows[begin]))
    if not is_told and ((len(row) > 1 and any(row[1:]) and texts) or commas):
        raise ragged(name, found, rows, begin, begin - 1)
    return [""] * width, begin
