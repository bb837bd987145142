"""Where a table begins and ends: what stands above its rows, between them and below them.

The table is the rows of the width that holds most numbers.  Above its first row of data, rows of
another width are a preamble, unless they are numbers alone, and so is what stands above them.
Below its last row, words without a digit, such as "END", are left out and told; anything else that
is no row of the table is refused, for a point may be lost with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .cells import cause, is_missing, is_number, shown
from .dates import is_date
from .rows import Rows, footer_from, in_words, table_width

LOOKED_AT = 1000  # the lower half of so many first rows tells which columns hold numbers


def without_end(found: Rows) -> tuple[Rows, list[str]]:
    """Return the rows without words that end a table, such as "END", and notes on them."""
    rows, n = found.rows, len(found.rows)
    width = table_width(rows)
    while n > 1 and width > 1 and _ends_table(rows[n - 1], width):
        n -= 1
    if n == len(rows) or not any(map(is_number, rows[n - 1])):
        return found, []
    notes = [left_out(found.lines[n:], "below")]
    return found._replace(rows=rows[:n], lines=found.lines[:n]), notes


def _ends_table(row: Sequence[str], width: int) -> bool:
    """Whether a row is words without a digit, and no row of the table."""
    text = "".join(row)
    words = len(row) != width and any(map(str.isalpha, text)) and not any(map(str.isdigit, text))
    return words and not all(map(is_missing, row))


def table_rows(
    name: str, found: Rows, missing: frozenset[str]
) -> tuple[list[list[str]], int, list[int]]:
    """Return the rows of a file, where those of its table begin, and which columns hold numbers.

    Raises
    ------
    ValueError
        Rows have different numbers of cells.
    """
    width = table_width(found.rows)
    rows = [_trimmed(row, width) for row in found.rows]
    begin = next(i for i, row in enumerate(rows) if len(row) == width)
    numeric = _columns([row for row in rows[begin:] if len(row) == width], missing)
    first = next(
        (i for i, row in enumerate(rows) if len(row) == width and is_data(row, numeric, missing)), 0
    )
    begin = max([begin, *(i + 1 for i in range(first) if len(rows[i]) != width)])
    for i, row in enumerate(rows):
        if len(row) != width and (i > begin or all(map(is_number, row))):
            raise ragged(name, found, rows, max(i, begin), min(i, begin))
    return rows, begin, numeric


def _trimmed(row: list[str], width: int) -> list[str]:
    """A row without empty cells beyond the width of the table, as spreadsheets leave them."""
    return row[:width] if len(row) > width and not any(row[width:]) else row


def _columns(rows: Sequence[Sequence[str]], missing: frozenset[str]) -> list[int]:
    """The columns most of whose cells are numbers or dates, or meant as such."""
    some = rows[:LOOKED_AT]
    balance = [0] * len(rows[0])
    for row in some[len(some) // 2 :]:
        for j, cell in enumerate(row):
            if not is_missing(cell, missing):
                balance[j] += 1 if is_meant(cell) else -1
    seen = [any(is_meant(row[j]) for row in some) for j in range(len(balance))]
    return [j for j, more in enumerate(balance) if more >= 0 and seen[j]]


def is_data(row: Sequence[str], numeric: Sequence[int], missing: frozenset[str]) -> bool:
    """Whether a row begins with a number, or has values in all columns of numbers."""
    texts = (row[j] for j in numeric)
    whole = bool(numeric) and all(is_missing(c, missing) or is_meant(c) for c in texts)
    return whole or is_number(row[0]) or is_date(row[0])


def is_meant(cell: str) -> bool:
    """Whether a cell is a number or a date, or a text that is meant as one."""
    return is_number(cell) or is_date(cell) or cause(cell) is not None


def left_out(lines: Sequence[int], where: str) -> str:
    """Return the sentence on lines above or below a table."""
    which = f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"
    return f"{which} {where} the table {'is' if len(lines) == 1 else 'are'} left out"


def ragged(name: str, found: Rows, rows: Sequence[Sequence[str]], i: int, other: int) -> ValueError:
    """Return the refusal of row i, which has another number of cells than the other one."""
    n, line, place = len(rows[i]), found.lines[other], f"{name}, line {found.lines[i]}"
    rest, wanted = footer_from(found.lines[i], found.text, found.form), len(rows[other])
    below = [row for row in rows[i:] if len(row) == wanted]
    if below and i > other and not any(map(is_number, rows[i])):
        text = " ".join(rows[i])
        return ValueError(
            f"{place}: {shown(text)} stands between rows of {wanted} cells; if a second table "
            f"begins below it, skip_footer={rest} reads the first and skip_rows={found.lines[i]} "
            f'the second; if it is a remark, comment="{rows[i][0]}" leaves it out'
        )
    words = "a decimal comma needs another separator; " if found.separator == "," else ""
    cure = f"line {line} is no part of the table, leave it out by skip_rows={line}"
    if len(rows) - i < i - other and not below:
        cure = f"the table ends above line {found.lines[i]}, say skip_footer={rest}"
    return ValueError(
        f"{place}: {n} cell{'s' * (n != 1)}, but line {line} has {wanted}, where "
        f"{in_words(found.separator)} separate the columns; {words}if {cure}"
    )
