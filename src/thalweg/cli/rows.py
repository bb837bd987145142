"""Text files as rows of cells: their encoding, comments, separators and quotes."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SEPARATORS = "\t;,"
# Byte order marks of encodings whose codecs remove them.  UTF-32 comes first, for its mark begins
# with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Format(NamedTuple):
    """How a text file is written, as far as the user says so.

    Attributes
    ----------
    decimal : {".", ",", None}
        The decimal sign; None if it is to be detected.
    skip_rows : int
        Lines at the beginning that are no part of the table.
    missing : tuple of str
        Cells that stand for a missing value, beside the usual ones.
    """

    decimal: str | None = None
    skip_rows: int = 0
    missing: tuple[str, ...] = ()


def read_text(path: Path) -> str:
    """Return the text of a file, decoded by its byte order mark, else as UTF-8.

    Raises
    ------
    ValueError
        The file is no text.
    """
    content = path.read_bytes()
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if content.startswith(b"PK\x03\x04"):
        raise ValueError(f"{path} is a spreadsheet or another archive; save it as CSV")
    if b"\0" in content:
        raise ValueError(
            f"{path} is no text: it holds NUL bytes; data come as CSV, .npy or .npz, "
            "and UTF-16 needs its byte order mark"
        )
    return content.decode("utf-8-sig", errors="replace")


def _is_comment(line: str) -> bool:
    text = line.lstrip()
    return text.startswith("#") and not text.upper().startswith(("#N/A", "#NA"))


def split_rows(
    path: Path, text: str, form: Format
) -> tuple[list[list[str]], list[int], str | None]:
    """Return the rows of cells, the lines where they begin, and their separator, None for blanks.

    Raises
    ------
    ValueError
        There is no row, or a cell is larger than `csv` allows.
    """
    every = enumerate(io.StringIO(text, newline=None), 1)
    lines = ((i, line) for i, line in every if i > form.skip_rows)
    first = next(((i, s) for i, s in lines if s.strip() and not _is_comment(s)), None)
    if first is None:
        raise ValueError(f"{path} holds no data")
    sign = first[1].strip().lower().removeprefix("sep=")
    separator: str | None = sign
    if first[1].lower().startswith("sep=") and len(sign) == 1:  # a line that spreadsheets write
        first = (first[0], "")
    else:
        signs = _SEPARATORS if form.decimal != "," else _SEPARATORS.replace(",", "")
        separator = next((s for s in signs if s in first[1]), None)
    rows, places = [], []
    for i, row in _records(path, first, lines, separator):
        rows.append([cell.strip() for cell in row])
        places.append(i)
    if not rows:
        raise ValueError(f"{path} holds no data")
    return rows, places, separator


def _records(
    path: Path, first: tuple[int, str], others: Iterator[tuple[int, str]], separator: str | None
) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line where each begins; a quoted cell may run over several lines."""
    begin, inside = 0, False

    def feed() -> Iterator[str]:
        nonlocal begin, inside
        for i, line in _chained(first, others):
            if not inside:
                if not line.strip() or _is_comment(line):
                    continue
                begin, inside = i, True
            yield line

    if separator is None:
        for line in feed():
            inside = False
            yield begin, line.split()
        return
    try:
        for row in csv.reader(feed(), delimiter=separator):
            inside = False
            yield begin, row
    except csv.Error as error:
        raise ValueError(f"{path}, line {begin}: {error}") from None


def _chained(
    first: tuple[int, str], others: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    yield first
    yield from others
