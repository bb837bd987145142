"""Lines above a table that tell how many rows and columns it has, as programs for programs write.

Such a line looks like a point.  It is left out where it can be nothing else: its numbers are those
of the rows below it and of the columns, and it has fewer cells than the rows, or is written without
decimals above numbers all of which have some, or interrupts the order that the first column has
below it, or stands far from its even steps.  Where it may be either it stays, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .cells import is_number
from .rows import Rows, table_width

_WHOLE = re.compile(r"\d{1,15}")
_SHOWING = 3  # so many numbers of a column show its order
_NEAR = 3.0  # so many even steps may lie between a first point and the next
_MOST = 2  # a line for the number of rows and one for that of columns


def without_counts(found: Rows) -> tuple[Rows, list[str]]:
    """Return the rows without those that tell the size of the table, and notes on them."""
    rows = found.rows
    k = next((i for i, row in enumerate(rows) if any(map(is_number, row))), len(rows))
    for m in range(1, _MOST + 1):
        some, below = rows[k : k + m], rows[k + m :]
        cells = [cell for row in some for cell in row if cell]
        if not below or not cells or not all(map(_WHOLE.fullmatch, cells)) or len(cells) > _MOST:
            break
        width = table_width(below)
        told = {int(cell) for cell in cells} <= {len(below), width}
        if len(below) not in map(int, cells) or (m > 1 and not (told and len(cells) == m)):
            continue
        with_decimals = not any(_WHOLE.fullmatch(cell) for row in below for cell in row)
        place = _place(found.lines[k : k + m])
        if told and (len(some[0]) < width or with_decimals or _interrupts(some[0][0], below)):
            note = f"{place}, {' '.join(cells)}, {'tells' if m == 1 else 'tell'} the size of the "
            note += "table and is left out" if m == 1 else "table and are left out"
            return found._replace(
                rows=[*rows[:k], *below], lines=[*found.lines[:k], *found.lines[k + m :]]
            ), [note]
        if len(some[0]) == width and (told or with_decimals):
            return found, [
                f"{place} is read as data, though it has the number of the rows below it; if it "
                f"tells their number say skip_rows={found.lines[k]}"
            ]
    return found, []


def _interrupts(cell: str, below: Sequence[Sequence[str]]) -> bool:
    """Whether a number does not go on with those below it, three or more that rise or fall.

    From numbers with even steps it must not be farther than a few of these.
    """
    try:
        x = np.array([cell, *(row[0] for row in below)], float)
    except ValueError:
        return False
    steps = np.diff(x)
    if len(steps) < _SHOWING:
        return False
    rise = np.sign(steps[1])
    ordered = bool(rise) and bool((np.sign(steps[1:]) == rise).all())
    even = ordered and bool(np.isclose(steps[1:], steps[1], rtol=1e-6, atol=0).all())
    continues = np.sign(steps[0]) == rise
    if even:
        continues &= abs(steps[0]) <= _NEAR * abs(steps[1])
    return ordered and not continues


def may_be_count(row: Sequence[str], n_lines: int, n_above: int) -> bool:
    """Whether a first row of data may tell the number of rows of a file of so many lines."""
    counts = [int(cell) for cell in row if _WHOLE.fullmatch(cell)]
    return any(n_lines - n_above <= n <= n_lines for n in counts)


def _place(lines: Sequence[int]) -> str:
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} and {lines[-1]}"
