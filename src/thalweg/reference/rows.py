"""Rows of plain numbers in a text.

A plain row has ``width`` cells and ends with a line feed, before which a carriage return may stand,
or with the text.  The first cell holds a number that Python's `float` reads, written in ASCII with
the given decimal sign and without underscores, of 99 characters at most.  The others hold such
numbers or nothing, which is NaN; between blanks no cell is empty.  Behind the last cell stand
``behind`` more separators with nothing between them, as some programs end each line.  Blanks around
a cell do not count, nor do tabs unless they separate the columns.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.I)
_LONGEST = 99
_BLANKS = re.compile(r"[ \t]+")


def read_rows(
    text: str, width: int, behind: int, separator: str | None, decimal: str
) -> NDArray[Any] | None:
    """Return the columns (width, rows) of a text of plain rows; None if one is not plain."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    rows = [_row(line, separator, decimal) for line in lines]
    if any(row is None or len(row) != width + behind for row in rows):
        return None
    table = np.array(rows, float).reshape(len(rows), width + behind)
    blank = [row[width:] == [None] * behind for row in rows if row is not None]
    return table.T[:width].copy() if all(blank) else None


def _row(line: str, separator: str | None, decimal: str) -> list[float | None] | None:
    """The cells of a line, None where one is empty; None if the line is no plain row."""
    line = line.strip(" " if separator == "\t" else " \t")
    cells = _BLANKS.split(line) if separator is None else line.split(separator)
    numbers = [_number(cell.strip(" \t"), decimal) for cell in cells]
    if False in numbers or numbers[0] is None:
        return None
    return numbers


def _number(cell: str, decimal: str) -> Any:
    """A number; None for an empty cell; False for anything else."""
    if not cell:
        return None
    text = cell.replace(decimal, ".") if "." not in cell or decimal == "." else "x"
    return float(text) if _NUMBER.fullmatch(text) and len(text) <= _LONGEST else False
