"""A text file as a table of cells, whose columns are read as numbers when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import isnan
from typing import NamedTuple

import numpy as np

from .._arguments.pieces import Array
from .._arguments.spelling import did_you_mean
from .across import head_across, note_on_rows
from .cells import (
    MISSING,
    Signs,
    cause,
    is_failed_formula,
    is_missing,
    is_number,
    number,
    refusal,
    shown,
)
from .dates import is_date, is_time, read_dates
from .extent import without_end
from .gaps import notes_on_gaps
from .heads import Head, find_head
from .histograms import find_histograms
from .rows import Format, footer_from, split_rows
from .serial import from_serial, is_named_as_date, may_be_serial
from .signs import Evidence, find_signs
from .text import Text

_OUTSIDE = 20  # so many rows at most may stand beside the table, above or below it


@dataclass
class Sheet:
    """The cells of a text file, and how they are to be read.

    Attributes
    ----------
    name : str
        The name of the file in messages.
    text : Text
        The text that the cells come from.
    names, units : list of str
        The names and units of the columns; a column without a name has its number, from 1.
    columns : list of tuple of str
        The cells of each column.
    lines : list of int
        Where each row stands in the file.
    separator : str or None
        None for blanks.
    signs : Signs
    form : Format
        What the user has said.
    notes : list of str
        What the user should know.
    n_empty : int
        The number of empty columns behind the last one, where each line ends with separators.
    unnamed : bool
        Whether the first column alone has no name.
    index : bool
        Whether the first column numbers the rows.
    aside : dict of int to str
        Columns that are read only if they are asked for, and why.
    across : bool
        Whether each column stands in a line of the file; ``lines`` are then numbers of cells.
    """

    name: str
    text: Text
    names: list[str]
    units: list[str]
    columns: list[tuple[str, ...]]
    lines: list[int]
    separator: str | None
    form: Format
    notes: list[str]
    missing: frozenset[str]
    signs: Signs = Signs()  # noqa: RUF009  # immutable
    n_empty: int = 0
    unnamed: bool = False
    index: bool = False
    aside: dict[int, str] = field(default_factory=dict)
    across: bool = False
    _kinds: dict[int, str] = field(default_factory=dict)
    _read: dict[int, Array] = field(default_factory=dict)
    _numbers: dict[int, Array] = field(default_factory=dict)

    def where(self, i: int, j: int) -> str:
        """Return the place of row i, column j, in words."""
        if self.across:
            return f"{self.name}, row {self.names[j]}, cell {self.lines[i]}"
        return f"{self.name}, line {self.lines[i]}, column {self.names[j]}"

    def place(self, column: str | int) -> int:
        """Return the place of a column, given by name or by number from 1."""
        name = str(column)
        if isinstance(column, str) and self.names.count(name) == 1:
            return self.names.index(name)
        if isinstance(column, str) and name in self.names:
            raise ValueError(f"{self.name} has several columns {name!r}; use their numbers")
        if name.isdecimal() and 1 <= int(name) <= len(self.names):
            return int(name) - 1
        hint = did_you_mean(name, self.names)
        raise ValueError(f"{self.name} has no column {name!r}, but {', '.join(self.names)}{hint}")

    def kind(self, j: int) -> str:
        """Return what a column holds: "numbers", "dates", "texts" or "nothing".

        A column with one number, or with one text that is meant as a number, holds numbers.
        """
        if j not in self._kinds:
            self._kinds[j] = self._kind(self.columns[j])
        return self._kinds[j]

    def _kind(self, cells: tuple[str, ...]) -> str:
        dates = texts = 0
        for cell in cells:
            value = number(cell, self.signs, self.missing)
            if value is not None and not isnan(value):
                return "numbers"
            if value is None and is_date(cell):
                dates += 1
            elif value is None and cause(cell):
                return "numbers"
            else:
                texts += value is None
        if dates >= max(texts, 1):
            return "dates"
        return "texts" if texts else "nothing"

    def numbers(self, j: int) -> Array:
        """Return a column of numbers, NaN where a value is missing; dates as seconds.

        Raises
        ------
        ValueError
            A cell holds no number; the sentence names the place and the likely cause.
        """
        if j not in self._numbers:
            values = self.read(j)
            self._tell_failed_formulas(j, values)
            self._numbers[j] = self._days(j, self._without_marks(values))
        return self._numbers[j]

    def read(self, j: int) -> Array:
        """Return a column as its cells tell it: marks of missing values and days are numbers."""
        if j not in self._read:
            read = self._dates if self.kind(j) == "dates" else self._plain
            self._read[j] = read(j, self.columns[j])
        return self._read[j]

    def failed_formulas(self, j: int, values: Array) -> list[int]:
        """Return the rows whose value is missing because a formula of a spreadsheet had none."""
        if len(values) > len(self.columns[j]):
            return []  # the cells are a sample of a file that has none
        cells = self.columns[j]
        return [i for i in np.flatnonzero(np.isnan(values)).tolist() if is_failed_formula(cells[i])]

    def take_numbers(self, columns: Sequence[Array]) -> None:
        """Take the numbers of all columns of a file of which the cells are a sample."""
        self._read = dict(enumerate(columns))

    def first_numbers(self) -> Array:
        """Return the numbers of the first column; NaN if one of its cells holds none."""
        if 0 in self._read:
            return self._without_marks(self._read[0])
        try:
            values = np.array(_plain_numbers(self.columns[0], self.signs.decimal))
        except ValueError:
            return np.array([np.nan])
        return self._without_marks(values)

    def _without_marks(self, values: Array) -> Array:
        """Numbers with NaN in the place of those that stand for a missing value."""
        words = (number(word, self.signs) for word in self.form.missing)
        marks = [word for word in words if word is not None]
        return np.where(np.isin(values, marks), np.nan, values) if marks else values

    def _plain(self, j: int, cells: tuple[str, ...]) -> Array:
        with suppress(ValueError):  # most columns hold plain numbers alone
            return np.array(_plain_numbers(cells, self.signs.decimal))
        values = np.empty(len(cells))
        for i, cell in enumerate(cells):
            value = number(cell, self.signs, self.missing)
            if value is None:
                raise ValueError(f"{self.where(i, j)}: {self._or_outside(i, j, cell)}")
            values[i] = value
        return values

    def _tell_failed_formulas(self, j: int, values: Array) -> None:
        cells, failed = self.columns[j], self.failed_formulas(j, values)
        if failed:
            more = f", as are {len(failed) - 1} more," if len(failed) > 1 else ""
            place = self.where(failed[0], j).removeprefix(f"{self.name}, ")
            self.notes.append(
                f"{place}: {shown(cells[failed[0]])} is an error of a spreadsheet{more} and read "
                "as a missing value"
            )

    def _days(self, j: int, values: Array) -> Array:
        """A column of numbers, as seconds if they are said to be dates of a spreadsheet."""
        if self.kind(j) != "numbers":
            return values
        if self.form.dates != "serial":
            if may_be_serial(self.names[j], self.units[j], values):
                self.notes.append(
                    f"{self.names[j]} is read as numbers; if they are days that a spreadsheet "
                    'counts say dates="serial"'
                )
            return values
        if not is_named_as_date(self.names[j]) and (j or any(map(is_named_as_date, self.names))):
            return values
        try:
            seconds, first = from_serial(values)
        except ValueError as error:
            raise ValueError(f"{self.name}, column {self.names[j]}: {error}") from None
        self.units[j] = "s"
        self.notes.append(f"{self.names[j]} is read as seconds from its first, {first}")
        return seconds

    def _or_outside(self, i: int, j: int, cell: str) -> str:
        """Why a cell is no number, and what to do if its row is no part of the table."""
        first, words = self.columns[0], refusal(cell)
        if self.across:
            return words
        footer = footer_from(self.lines[i], self.text.text, self.form)
        if cell == self.names[j]:
            return (
                f"{shown(cell)} is the name of the column; if a second table begins here, "
                f"skip_footer={footer} reads the first and skip_rows={self.lines[i] - 1} the second"
            )
        if i and len(first) - i <= _OUTSIDE and not any(map(is_number, first[i:])):
            return f"{words}; if the table ends above it, say skip_footer={footer}"
        if j == 0 and i < _OUTSIDE and is_number(first[min(i + 1, len(first) - 1)]):
            if not any(map(is_number, first[: i + 1])):
                return f"{words}; if the table begins below it, say skip_rows={self.lines[i]}"
        return words

    def _dates(self, j: int, column: tuple[str, ...]) -> Array:
        cells = [None if is_missing(cell, self.missing) else cell for cell in column]
        dates = read_dates(cells, lambda i: self.where(i, j), self.form.dates)
        self.units[j] = "s"
        self.notes.append(f"{self.names[j]} is read as seconds from its first, {dates.first}")
        return dates.seconds


def _plain_numbers(cells: Sequence[str], decimal: str) -> list[float]:
    """The numbers of a column without missing ones and separators of thousands."""
    if decimal == ".":
        return list(map(float, cells))
    text = "\0".join(cells)
    if "." in text:
        raise ValueError
    return list(map(float, text.replace(",", ".").split("\0")))


def _hold_numbers(cells: Sequence[str], decimal: str) -> bool:
    try:
        return bool(_plain_numbers(cells, decimal))
    except ValueError:
        return False


def make_sheet(text: Text, form: Format) -> Sheet:
    """Return the table of a text; `mark_index` is to follow.

    Raises
    ------
    ValueError
        The text holds no table, or one that may be read in two ways.
    """
    missing = MISSING | {word.lower() for word in form.missing}
    found = _read_head(text, form, missing)
    head = found.head
    columns = list(zip(*head.rows, strict=True))
    names = [" ".join(name.split()) for name in head.names]
    while len(columns) > 1 and not names[-1] and not any(columns[-1]):
        columns, names = columns[:-1], names[:-1]  # each line ends with a separator
    notes = [*([text.note] if text.note else []), *head.notes]
    if not found.across:
        notes += [*notes_on_gaps(text.text, head.lines), *note_on_rows(names, columns)]
    sheet = Sheet(
        text.name,
        text,
        [name or f"{j}" for j, name in enumerate(names, 1)],
        head.units[: len(names)],
        columns,
        head.lines,
        found.separator,
        form,
        notes,
        missing,
        n_empty=len(head.names) - len(names),
        unnamed=any(names) and not names[0] and not found.across,
        aside=found.aside,
        across=found.across,
    )
    _join_dates_and_times(sheet)
    sheet.signs = find_signs(
        _evidence(sheet), sheet.where, found.separator, form.decimal, form.thousands
    )
    return sheet


class _Found(NamedTuple):
    """The head of a table, what separates its cells, and the fields of a sheet of these names."""

    head: Head
    separator: str | None
    aside: dict[int, str]
    across: bool


def _read_head(text: Text, form: Format, missing: frozenset[str]) -> _Found:
    """The rows of a text below its head: as they stand, of histograms, or of data in rows."""
    histograms = None if form.skip_rows else find_histograms(text.text)
    if histograms is not None:
        found = split_rows(text.name, text.text, histograms.form(form))
        head = find_head(text.name, found, missing, True)
        try:
            head, aside = histograms.with_times(head, form.decimal or ".")
        except ValueError as error:
            raise ValueError(f"{text.name}, {error}") from None
        return _Found(head, found.separator, aside, False)
    found, ended = without_end(split_rows(text.name, text.text, form))
    across = head_across(text.name, found, missing, form.transpose)
    told = form.separator is not None
    head = find_head(text.name, found, missing, told) if across is None else across
    head = head._replace(notes=[*head.notes, *ended])
    return _Found(head, found.separator, {}, across is not None)


def _evidence(sheet: Sheet) -> Evidence:
    """What the numbers of a file tell about their signs.

    Only columns most of whose cells are numbers count, so that a text such as "1,5" among others
    decides nothing.  Numbers that `float` reads matter where others have a comma.
    """
    evidence, floats = Evidence(), []
    for j, cells in enumerate(sheet.columns):
        if _hold_numbers(cells, "."):
            floats.append(j)
        elif _hold_numbers(cells, ","):
            evidence.add_all(cells, range(len(cells)), j)
        else:
            good = [i for i, cell in enumerate(cells) if is_number(cell)]
            texts = sum(not is_missing(cell, sheet.missing) for cell in cells) - len(good)
            if len(good) >= texts:
                evidence.add_all(cells, good, j)
    if "," in {**evidence.decimal, **evidence.doubtful} or sheet.form.decimal == ",":
        for j in floats:
            evidence.add_all(sheet.columns[j], range(len(sheet.columns[j])), j)
    return evidence


def _join_dates_and_times(sheet: Sheet) -> None:
    """Make one column of a column of dates and one of times beside it."""
    for j in range(len(sheet.columns) - 1):
        days, times = sheet.columns[j], sheet.columns[j + 1]
        if not (is_date(days[0]) and not is_time(days[0]) and is_time(times[0])):
            continue
        if any(":" in day for day in days) or not all(map(is_time, times)):
            continue
        sheet.notes.append(
            f"{sheet.names[j]} and {sheet.names[j + 1]} are one column, of dates with times"
        )
        sheet.columns[j] = tuple(f"{d} {t}" for d, t in zip(days, times, strict=True))
        for parts in (sheet.columns, sheet.names, sheet.units):
            del parts[j + 1]
        return


def mark_index(sheet: Sheet) -> None:
    """Mark a first column without a name among named ones that numbers the rows.

    It is the only x of a file with one other column of numbers; else it is left out.
    """
    if not sheet.unnamed or sheet.kind(0) == "nothing":
        return
    numeric = [j for j in range(1, len(sheet.names)) if sheet.kind(j) in ("numbers", "dates")]
    values = sheet.first_numbers()
    counts = np.array_equal(values - values[0], np.arange(len(values)))
    sheet.index = counts and values[0] in (0, 1) and len(numeric) > 1
    if not sheet.index:
        sheet.notes.append("the first column has no name, as that of an index")
