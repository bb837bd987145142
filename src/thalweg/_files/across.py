"""Tables whose data stand in rows: each row begins with its name and holds one quantity.

    time (s),0,60,120,180,240,300
    A1,0.11,0.15,0.22,0.31,0.40,0.48
    A2,0.12,0.14,0.20,0.30,0.41,0.52

Such a table is read across if the user says so, or if it can hardly be anything else: every row
begins with a name of its own and holds numbers, no line of names stands above it, and the numbers
of the first row rise or fall from cell to cell: six or more of them, or five by even steps.  Fewer
will do, also below a line of names, if the first row holds dates, or numbers with one unit behind
them, or it alone has its name in the second column, as plate readers write:

    Well,Content,0 s,30 s,60 s
    A1,Sample,0.11,0.15,0.22
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .._arguments.pieces import Array
from .cells import QUANTITY, Signs, is_missing, is_number, number
from .dates import is_date
from .extent import left_out, table_rows
from .heads import Head, are_units
from .rows import Rows

# So many numbers in order tell that the first row is x, so many by even steps, and so many raise
# the question.
_IN_ORDER, _EVEN, _DOUBTFUL = 6, 5, 4
_FEW, _MANY = 3, 10  # so does a table of few rows and many columns without names


def head_across(
    name: str, found: Rows, missing: frozenset[str], wanted: bool | None
) -> Head | None:
    """Return the columns of a table whose data stand in rows; None if it is to be read down.

    Parameters
    ----------
    name : str
        The name of the file.
    found : Rows
    missing : frozenset of str
        Cells without a value, in lower case.
    wanted : bool or None
        Whether the user has said that the data stand in rows; None if not said.

    Raises
    ------
    ValueError
        The user has said so, and the rows have different numbers of cells.
    """
    if wanted is False:
        return None
    rows, begin = _below_preamble(name, found, missing) if wanted else _even_rows(found)
    if not rows:
        return None
    while len(rows[0]) > 1 and not any(row[-1] for row in rows):
        rows = [row[:-1] for row in rows]  # each line ends with a separator
    n_labels = _labels(rows, missing)
    x = _find_x(rows, n_labels, missing)
    if not (wanted or x.row is not None):
        return None
    rows, begin = rows[x.row or 0 :], begin + (x.row or 0)
    labels = [list(column) for column in zip(*(row[:n_labels] for row in rows), strict=True)]
    has_units = n_labels > 1 and are_units(labels[1])
    notes = [left_out(found.lines[:begin], "above")] if begin else []
    if wanted is None:
        notes.append("its data stand in rows and are read so; transpose=False reads it by columns")
    if has_units:
        notes.append("column 2 is taken for the units")
    for j in range(1 + has_units, n_labels):
        notes.append(f"column {j + 1} holds texts and is left out")
    numbers = [x.cells or rows[0][n_labels:], *(row[n_labels:] for row in rows[1:])]
    cells = list(map(list, zip(*numbers, strict=True)))
    if not cells:
        raise ValueError(f"{name} holds no numbers in its rows")
    names = labels[0] if labels else [""] * len(rows)
    units = labels[1] if has_units else [""] * len(rows)
    if not names[0]:
        names[0] = next(filter(None, rows[0][1 + has_units : n_labels]), "")
    lines = list(range(n_labels + 1, n_labels + 1 + len(cells)))
    return Head(names, [x.unit or units[0], *units[1:]], cells, lines, notes)


def note_on_rows(names: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    """Return a note if the columns of a table without names may as well be rows."""
    n_rows, n_columns = len(columns[0]), len(columns)
    if any(names):
        return []
    if n_rows <= _FEW and n_columns >= _MANY:
        words = f"it has {n_columns} columns of {n_rows} row{'s' * (n_rows != 1)}"
        return [f"{words}; if the data stand in rows say transpose=True"]
    first = [column[0] for column in columns]
    if any(map(is_number, columns[0])) or n_columns <= _DOUBTFUL or not _steps(first[1:]).size:
        return []
    return ["if each row holds the data of the name before it say transpose=True"]


def _even_rows(found: Rows) -> tuple[list[list[str]], int]:
    """The rows of a table, and how many stand above it; none if rows have different lengths."""
    width = len(found.rows[-1])
    begin = next(i for i, row in enumerate(found.rows) if len(row) == width)
    rows = found.rows[begin:]
    if len(rows) < 2 or width < 3 or any(len(row) != width for row in rows):
        return [], 0
    return rows, begin


def _below_preamble(name: str, found: Rows, missing: frozenset[str]) -> tuple[list[list[str]], int]:
    """The rows of a table that is said to stand in rows, and how many stand above it."""
    rows, begin, _ = table_rows(name, found, missing)
    return rows[begin:], begin


def _labels(rows: Sequence[Sequence[str]], missing: frozenset[str]) -> int:
    """How many columns of texts stand before the numbers."""

    def holds_texts(j: int) -> bool:
        cells = [row[j] for row in rows if row[j].lower() not in missing]
        return bool(cells) and not any(is_number(cell) or is_date(cell) for cell in cells)

    width = len(rows[0])
    return next((j for j in range(width) if not holds_texts(j)), width)


class _X(NamedTuple):
    """The row of x, None if none is known; its cells and their unit, if they have one."""

    row: int | None = None
    cells: list[str] | None = None
    unit: str = ""


def _find_x(rows: Sequence[Sequence[str]], n_labels: int, missing: frozenset[str]) -> _X:
    """The row of x of data that can hardly stand in columns, below at most two lines of names."""
    for k in range(min(3, len(rows) - 1) if n_labels else 0):
        cells = rows[k][n_labels:]
        found = [match for match in map(QUANTITY.fullmatch, cells) if match]
        if not (found or any(is_number(cell) or is_date(cell) for cell in cells)):
            continue
        if len(cells) < 2 or not _are_curves(rows[k + 1 :], n_labels, missing):
            break
        if len(found) == len(cells) and len({match["unit"] for match in found}) == 1:
            return _X(k, [match["number"] for match in found], found[0]["unit"])
        steps = _steps(cells)
        aside = not rows[k][0] and any(rows[k][1:n_labels]) and steps.size > 0
        even = steps.size > 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0)
        several = k == 0 and steps.size + 1 >= (_EVEN if even else _IN_ORDER)
        if all(map(is_date, cells)) or aside or (several and rows[0][0] not in _names(rows[1:])):
            return _X(k)
        break
    return _X()


def _are_curves(rows: Sequence[Sequence[str]], n_labels: int, missing: frozenset[str]) -> bool:
    """Whether each row has a name of its own and holds numbers."""
    names = _names(rows)
    if len(set(names)) < len(names) or not all(names):
        return False
    cells = (cell for row in rows for cell in row[n_labels:])
    return all(is_number(cell) or is_missing(cell, missing) for cell in cells)


def _names(rows: Sequence[Sequence[str]]) -> list[str]:
    return [row[0] for row in rows]


def _steps(cells: Sequence[str]) -> Array:
    """The steps between numbers that rise or fall from cell to cell; empty of any others."""
    signs = Signs("," if any("," in cell for cell in cells) else ".")
    values = [number(cell, signs) for cell in cells]
    if None in values:
        return np.empty(0)
    steps = np.diff(np.array(values, float))
    return steps if (steps > 0).all() or (steps < 0).all() else np.empty(0)
