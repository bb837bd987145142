"""Tables whose data stand in rows: each row begins with its name and holds one quantity.

    time (s),0,60,120,180,240,300
    A1,0.11,0.15,0.22,0.31,0.40,0.48
    A2,0.12,0.14,0.20,0.30,0.41,0.52

Such a table is read across if the user says so, or if it can hardly be anything else: no line of
names stands above it, every row begins with a name of its own and holds numbers, and the numbers of
the first row rise or fall from cell to cell: six or more of them, or five by even steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._arguments.pieces import Array
from .cells import Signs, is_missing, is_number, number
from .dates import is_date
from .heads import Head, are_units, preamble, trimmed_rows
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
    rows, begin = trimmed_rows(name, found) if wanted else _even_rows(found)
    if not rows:
        return None
    while len(rows[0]) > 1 and not any(row[-1] for row in rows):
        rows = [row[:-1] for row in rows]  # each line ends with a separator
    n_labels = _labels(rows, missing)
    if not wanted and not (n_labels and _is_across(rows, n_labels, missing)):
        return None
    labels = [list(column) for column in zip(*(row[:n_labels] for row in rows), strict=True)]
    has_units = n_labels > 1 and are_units(labels[1])
    notes = [preamble(found.lines[:begin])] if begin else []
    if wanted is None:
        notes.append("its data stand in rows and are read so; transpose=False reads it by columns")
    if has_units:
        notes.append("column 2 is taken for the units")
    for j in range(1 + has_units, n_labels):
        notes.append(f"column {j + 1} holds texts and is left out")
    cells = list(map(list, zip(*(row[n_labels:] for row in rows), strict=True)))
    if not cells:
        raise ValueError(f"{name} holds no numbers in its rows")
    return Head(
        labels[0] if labels else [""] * len(rows),
        labels[1] if has_units else [""] * len(rows),
        cells,
        list(range(n_labels + 1, n_labels + 1 + len(cells))),
        notes,
    )


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
    if len(rows) < 2 or width <= _EVEN or any(len(row) != width for row in rows):
        return [], 0
    return rows, begin


def _labels(rows: Sequence[Sequence[str]], missing: frozenset[str]) -> int:
    """How many columns of texts stand before the numbers."""

    def holds_texts(j: int) -> bool:
        cells = [row[j] for row in rows if row[j].lower() not in missing]
        return bool(cells) and not any(is_number(cell) or is_date(cell) for cell in cells)

    width = len(rows[0])
    return next((j for j in range(width) if not holds_texts(j)), width)


def _is_across(rows: Sequence[Sequence[str]], n_labels: int, missing: frozenset[str]) -> bool:
    """Whether rows can hardly be anything but quantities, of which the first is x."""
    names = [row[0] for row in rows]
    if len(set(names)) < len(names) or not all(names[1:]):
        return False
    cells = (cell for row in rows for cell in row[n_labels:])
    if not all(is_number(cell) or is_missing(cell, missing) for cell in cells):
        return False
    steps = _steps(rows[0][n_labels:])
    even = steps.size > 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0)
    return steps.size + 1 >= (_EVEN if even else _IN_ORDER)


def _steps(cells: Sequence[str]) -> Array:
    """The steps between numbers that rise or fall from cell to cell; empty of any others."""
    signs = Signs("," if any("," in cell for cell in cells) else ".")
    values = [number(cell, signs) for cell in cells]
    if None in values:
        return np.empty(0)
    steps = np.diff(np.array(values, float))
    return steps if (steps > 0).all() or (steps < 0).all() else np.empty(0)
