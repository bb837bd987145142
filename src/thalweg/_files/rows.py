"""Text as rows of cells: comments, the separator of the columns, quotes."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from .cells import BEGINS_WITH_MARK, is_missing, is_number
from .dates import is_date

# In the order in which they are preferred if they explain a file equally well.  None stands for
# blanks: a run of blanks and tabs separates two cells.
SEPARATORS = ("\t", ";", ",", "|", None)
_NAMES = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars", None: "blanks"}
_BLANKS = re.compile(r"[ \t]+")
_COMMENTS: tuple[str, ...] = ("#", "%", "//")
_RULED = ("", "-", "=", ":")
_RULE = re.compile(r":?(-{3,}|={3,}):?|")
Line = TypeVar("Line")
LOOKED_AT = 100  # so many lines of the beginning and of the end tell the separator


class Format(NamedTuple):
    """How a text file is written, as far as the user says so; see `thalweg.read_table`."""

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    comment: str | None = None
    skip_rows: int = 0
    skip_footer: int = 0
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    dates: str | None = None
    transpose: bool | None = None


class Rows(NamedTuple):
    """The rows of a text file.

    Attributes
    ----------
    rows : list of list of str
        Cells without blanks around them.
    lines : list of int
        Where each row begins in the file.
    separator : str or None
        None for blanks.
    remark : list of str
        The comment that stands directly above the first row, cut into cells; empty if there is
        none.
    text : str
        The text of the rows.
    form : Format
    """

    rows: list[list[str]]
    lines: list[int]
    separator: str | None
    remark: list[str]
    text: str
    form: Format


def footer_from(line: int, text: str, form: Format) -> int:
    """Return the ``skip_footer`` that leaves out what stands from a line on."""
    below = io.StringIO(text, newline=None).readlines()[line - 1 :]
    return sum(map(bool, map(str.strip, below))) + form.skip_footer


def in_words(separator: str | None) -> str:
    """Return what separates the columns, in words."""
    return _NAMES.get(separator) or f"{separator!r}"


def split_rows(name: str, text: str, form: Format) -> Rows:
    """Return the rows of a text.

    Raises
    ------
    ValueError
        There is no row, or a cell is larger than `csv` allows.
    """
    lines = list(enumerate(io.StringIO(text, newline=None), 1))[form.skip_rows :]
    lines, said = _without_sep_line(lines)
    signs = _COMMENTS if form.comment is None else (form.comment,)
    separator = said or form.separator
    if separator is None:
        separator, signs = _separator(lines, signs, form)
    elif separator == " ":
        separator = None
    elif form.comment is None and separator != ";":
        signs = (*signs, ";")
    rows, places = [], []
    for line, row in _records(name, lines, separator, signs):
        cells = [cell.strip() for cell in row]
        if not _is_rule(cells):
            rows.append(cells)
            places.append(line)
    if not rows:
        raise ValueError(f"{name} holds no data")
    above = next((line for i, line in lines if i == places[0] - 1), "")
    bare = [_bare(above, signs)] if _is_comment(above, signs) else []
    remark = [cell.strip() for row in split(bare, separator) for cell in row]
    return Rows(rows, places, separator, remark, text, form)


def _without_sep_line(lines: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], str | None]:
    """The lines without a line "sep=;", which spreadsheets write, and the separator it names."""
    at = next((k for k, (_, line) in enumerate(lines) if line.strip()), None)
    if at is not None and lines[at][1].lower().startswith("sep="):
        sign = lines[at][1][4:].rstrip("\r\n")
        if len(sign) == 1:
            return lines[at + 1 :], sign
    return lines, None


def _is_comment(line: str, signs: Sequence[str]) -> bool:
    text = line.lstrip()
    return text.startswith(tuple(signs)) and not BEGINS_WITH_MARK.match(text)


def _is_rule(cells: Sequence[str]) -> bool:
    """Whether a row is drawn, as "|---|---|" below the names of a table."""
    return cells[0][:1] in _RULED and all(map(_RULE.fullmatch, cells)) and any(cells)


def _bare(line: str, signs: Sequence[str]) -> str:
    """A comment without its sign."""
    text = line.strip()
    sign = next(sign for sign in signs if text.startswith(sign))
    return text.lstrip(sign[0]).strip()


def _separator(
    lines: list[tuple[int, str]], signs: Sequence[str], form: Format
) -> tuple[str | None, tuple[str, ...]]:
    """What separates the columns, and the signs of comments, which a semicolon may be as well."""
    content = [line for _, line in lines if line.strip() and not _is_comment(line, signs)]
    if form.comment is None:
        others = [line for line in content if not line.lstrip().startswith(";")]
        separator = best_separator(_ends(others), form.decimal)
        if separator != ";" and others:
            return separator, (*signs, ";")
    return best_separator(_ends(content), form.decimal), tuple(signs)


def _ends(lines: Sequence[Line]) -> Sequence[Line]:
    """The first and the last lines, which tell how the others are written."""
    if len(lines) <= 2 * LOOKED_AT:
        return lines
    return [*lines[:LOOKED_AT], *lines[-LOOKED_AT:]]


def best_separator(lines: Sequence[str], decimal: str | None) -> str | None:
    """Return the separator that makes the best table of the lines.

    A comma separates no cells if it is the decimal sign, unless cells are quoted.
    """
    scores = {}
    for separator in SEPARATORS:
        if separator == "," and decimal == "," and not any('"' in line for line in lines):
            continue
        if separator is None or any(separator in line for line in lines):
            scores[separator] = _score(lines, separator)
    return max(scores, key=lambda separator: scores[separator])


def _score(lines: Sequence[str], separator: str | None) -> tuple[float, float]:
    """How good a table the lines are with a separator, from 0 to 1; the second decides ties.

    The table begins with the first row of its width at least half of whose cells are numbers.  Its
    score is the share of rows of this width from there on, times the square of the share of
    numbers in them, which tells a wrong separator, times n / (n + 1), as one row is no evidence.
    The second number counts those of the two rows above it, which may be the head, that have this
    width.
    """
    try:
        rows = [[cell.strip() for cell in row] for row in split(lines, separator)]
    except csv.Error:
        return 0.0, 0.0
    width = table_width(rows)
    if width < 2:
        return 0.0, 0.0
    if separator is None:  # blanks behind commas separate nothing
        rows = [["," if cell[-1:] == "," else cell for cell in row] for row in rows]
    counts = [sum(map(_is_value, row)) if len(row) == width else 0 for row in rows]
    begin = next(
        (i for i, n in enumerate(counts) if 2 * n >= width and any(map(_is_there, rows[i]))),
        len(rows),
    )
    n = sum(len(row) == width for row in rows[begin:])
    good = sum(counts[begin:]) / (width * max(n, 1))
    share = n / max(len(rows) - begin, 1)
    above = rows[max(begin - 2, 0) : begin]
    return share * good**2 * n / (n + 1), sum(len(row) == width for row in above)


def _is_there(cell: str) -> bool:
    return is_number(cell) or is_date(cell)


def _is_value(cell: str) -> bool:
    return is_missing(cell) or _is_there(cell)


def table_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of cells of the rows that make the table: those with most numbers."""
    rows = _ends(rows)
    numbers: Counter[int] = Counter()
    for row in rows:
        if len(row) > 1:
            numbers[len(row)] += sum(map(is_number, row))
    if not any(numbers.values()):
        counts = Counter(len(row) for row in rows)
        several = {n: count for n, count in counts.items() if n > 1}
        return max(several or counts, key=lambda n: counts[n], default=0)
    return max(numbers, key=lambda n: numbers[n])


def split(lines: Iterable[str], separator: str | None) -> Iterator[list[str]]:
    """Yield the cells of each line; a quoted cell may run over several lines."""
    if separator is None:
        yield from map(_by_blanks, lines)
    else:
        yield from csv.reader(lines, delimiter=separator)


def _by_blanks(line: str) -> list[str]:
    """The cells of a line of which runs of blanks separate them, up to a comment behind them."""
    line = line.strip(" \t\r\n")
    if '"' in line:
        cells = next(csv.reader([line.replace("\t", " ")], delimiter=" ", skipinitialspace=True))
    else:
        cells = _BLANKS.split(line)
    return cells[: next((j for j, c in enumerate(cells) if j and _is_comment(c, "#")), None)]


def _records(
    name: str, lines: list[tuple[int, str]], separator: str | None, signs: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line where each begins."""
    begin, inside = 0, False

    def feed() -> Iterator[str]:
        nonlocal begin, inside
        for i, line in lines:
            if not inside:
                if not line.strip() or _is_comment(line, signs):
                    continue
                begin, inside = i, True
            yield line

    try:
        for row in split(feed(), separator):
            inside = False
            if any(map(str.strip, row)):  # a line of separators alone holds nothing
                yield begin, row
    except csv.Error as error:
        raise ValueError(f"{name}, line {begin}: {error}") from None
