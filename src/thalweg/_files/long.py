"""Long files: the careful reader looks at their beginning and their end, and tells how they are
written; if all that lies between is plain numbers, a compiled reader takes these.

The table is the one that the careful reader makes of the whole file, because nothing in rows of
plain numbers would change what it finds out: the separator is told by the first and the last lines,
the head by the first rows, and plain numbers in one decimal sign speak neither for the other one
nor for separators of thousands.  Where a row is not plain (a comment, a text, a missing mark, a
number of another kind, another number of cells) the careful reader reads the whole file, so that
every refusal names its line.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from .._arguments.pieces import Array
from .._core.rows import read_rows
from .counts import may_be_count
from .extent import LOOKED_AT as ROWS_LOOKED_AT
from .histograms import find_histograms
from .rows import LOOKED_AT, SEPARATORS, Format
from .sheet import Sheet, make_sheet, mark_index
from .text import Text, read_text, without_footer

_FIRST = ROWS_LOOKED_AT + 200  # lines of the beginning: 200 of them may be a preamble
_LAST = LOOKED_AT


def read_sheet(source: Any, form: Format) -> Sheet:
    """Return the table of a text file.

    Raises
    ------
    ValueError
        The file holds no table, or one that may be read in two ways.
    OSError
        The file cannot be read.
    """
    text = without_footer(read_text(source, form.encoding), form.skip_footer)
    sheet = _long_sheet(text, form) or make_sheet(text, form)
    mark_index(sheet)
    return sheet


def _long_sheet(text: Text, form: Format) -> Sheet | None:
    """The table of a long file whose body is plain; None of any other file."""
    begin, end = _cuts(text.text)
    if begin >= end or form.transpose or find_histograms(text.text):
        return None
    sample = text._replace(text=text.text[:begin] + text.text[end:])
    first = io.StringIO(text.text[:begin], newline=None).readlines()
    try:
        sheet = make_sheet(sample, form)
        if may_be_count([column[0] for column in sheet.columns], text.text.count("\n") + 1, _FIRST):
            return None
        columns = _columns(sheet, form, text.text[begin:].rstrip("\r\n"), len(first))
    except ValueError:
        return None
    return None if columns is None else _with_columns(sheet, text, columns, len(first))


def _cuts(text: str) -> tuple[int, int]:
    """Where the beginning of a file ends and where its end begins."""
    begin, end = 0, len(text.rstrip(" \t\r\n"))
    for _ in range(_FIRST):
        begin = text.find("\n", begin) + 1
        if not begin:
            return 0, 0
    for _ in range(_LAST):
        end = text.rfind("\n", 0, end)
    return begin, end + 1


def _columns(sheet: Sheet, form: Format, body: str, n_lines: int) -> list[Array] | None:
    """The columns of numbers of the whole file; None if it is not plain.

    Raises
    ------
    ValueError
        A cell of the sample holds no number.
    """
    rows = _rows_within(sheet, n_lines)
    sign = (form.comment or "#")[0]
    if (
        rows < ROWS_LOOKED_AT
        or sheet.across
        or sheet.separator not in SEPARATORS
        or sheet.separator == sheet.signs.decimal
        or sign.isalnum()
        or sign in "+-.,"
        or any(sheet.kind(j) != "numbers" for j in range(len(sheet.columns)))
    ):
        return None
    rest = read_rows(body, len(sheet.columns), sheet.n_empty, sheet.separator, sheet.signs.decimal)
    if rest is None:
        return None
    first = [sheet.read(j) for j in range(len(rest))]
    if any(sheet.failed_formulas(j, values) for j, values in enumerate(first)):
        return None
    return [np.concatenate((first[j][:rows], rest[j])) for j in range(len(rest))]


def _rows_within(sheet: Sheet, n_lines: int) -> int:
    """The number of rows among the first lines of the file, if the last line is one; else 0."""
    rows = np.searchsorted(sheet.lines, n_lines, side="right")
    return int(rows) if rows and sheet.lines[rows - 1] == n_lines else 0


def _with_columns(sheet: Sheet, text: Text, columns: list[Array], n_lines: int) -> Sheet:
    """The sheet of the whole file, made from that of the sample."""
    rows = _rows_within(sheet, n_lines)
    n_more = columns[0].size - rows
    sheet.text = text
    sheet.lines = [*sheet.lines[:rows], *range(n_lines + 1, n_lines + 1 + n_more)]
    sheet.take_numbers(columns)
    return sheet
