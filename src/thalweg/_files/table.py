"""`read_table`: a text file as columns of numbers, and what was understood of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._arguments.pieces import Array
from .._arguments.spelling import did_you_mean, spelled
from .cells import Signs
from .dates import ORDERS
from .long import read_sheet
from .rows import Format, in_words
from .sheet import Sheet
from .signs import in_words as signs_in_words

_THOUSANDS = (",", ".", "'", " ")


@dataclass(frozen=True, repr=False)
class Table:
    """Columns of numbers of a text file, and how they were read; made by `read_table`.

    ``table["signal"]`` is a column by its name, ``table[0]`` by its place.  ``dict(table)`` and
    ``pandas.DataFrame(dict(table))`` work as well.

    Attributes
    ----------
    names : tuple of str
        The names of the columns; a column without a name has its number in the file, from 1.
    columns : tuple of ndarray, shape (rows,), float64
        The values; NaN where one is missing.
    units : dict of str to str
        The units of columns that have one; "s" for dates, which are seconds from their first.
    skipped : dict of str to str
        The columns of the file that were not read, and why.
    separator : str
        What separates the columns; " " for blanks and tabs in any number.
    decimal : {".", ","}
        The decimal sign.
    thousands : {",", ".", "'", " ", None}
        What separates groups of three digits.
    encoding : str
        The encoding of the file; "text" if it was given as text.
    notes : tuple of str
        Sentences on what may surprise: lines left out, columns not read, dates.

    Examples
    --------
    >>> import io
    >>> import thalweg as tw
    >>> table = tw.read_table(io.StringIO("t,s\\n0,1.5\\n1,2.5\\n"))
    >>> table.names, table["s"]
    (('t', 's'), array([1.5, 2.5]))
    """

    names: tuple[str, ...]
    columns: tuple[Array, ...]
    units: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    separator: str = ","
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()

    def __getitem__(self, column: str | int) -> Array:
        """Return a column by its name or its place from 0.

        Raises
        ------
        KeyError
            There is no such column, or several of the name.
        IndexError
            There is no such place.
        """
        if not isinstance(column, str):
            return self.columns[column]
        if self.names.count(column) == 1:
            return self.columns[self.names.index(column)]
        if column in self.names:
            raise KeyError(f"several columns are called {column!r}; use their places from 0")
        if column in self.skipped:
            raise KeyError(f"column {column!r} was not read: {self.skipped[column]}")
        hint = did_you_mean(column, self.names)
        raise KeyError(f"there is no column {column!r}, but {', '.join(self.names)}{hint}")

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self.names

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self.names)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.names)

    def __repr__(self) -> str:
        rows = self.columns[0].size if self.columns else 0
        units = self.units
        shown = [f"{name} ({units[name]})" if name in units else name for name in self.names]
        lines = [f"Table of {rows} row{'s' * (rows != 1)}: {', '.join(shown)}", f"  {self._how()}"]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def _how(self) -> str:
        separator = None if self.separator == " " else self.separator
        words = [f"columns separated by {in_words(separator)}"] if len(self.names) > 1 else []
        numbers = signs_in_words(Signs(self.decimal, self.thousands)) or "decimal point"
        return ", ".join([*words, numbers])


@spelled
def read_table(
    source: Any,
    *,
    columns: Sequence[str | int] | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    comment: str | None = None,
    skip_rows: int = 0,
    skip_footer: int = 0,
    missing: str | Sequence[str] = (),
    encoding: str | None = None,
    dates: str | None = None,
    transpose: bool | None = None,
) -> Table:
    """Read a text file with columns of numbers, as spreadsheets and instruments write it.

    Found out by itself, and told by the table: what separates the columns; the decimal sign and
    separators of thousands, from all numbers of the file; a preamble, names and units above the
    numbers; comments, quotes, the encoding.  Columns of texts are left out and named.  What may be
    read in two ways is refused, with the argument that decides; so is a cell without a number in a
    column of numbers, with its line, its column and the likely cause.

    Parameters
    ----------
    source : path or open file
        The file, or one that is open for text or for bytes.
    columns : sequence of str or int, optional
        Columns to read, by name or by number from 1; default: all that hold numbers or dates.
    separator : str, optional
        One character; " " for blanks and tabs in any number.
    decimal : {".", ","}, optional
        The decimal sign.
    thousands : {",", ".", "'", " "}, optional
        What separates groups of three digits.
    comment : str, optional
        What begins a line that is left out, in place of "#", "%", "//" and, where it separates no
        columns, ";".
    skip_rows : int, default 0
        The number of first lines to leave out.
    skip_footer : int, default 0
        The number of last lines to leave out, not counting blank ones.
    missing : str or sequence of str, optional
        Cells that hold no value, beside empty ones, "nan", "NA", "#N/A" and the like.
    encoding : str, optional
        Such as "latin-1".
    dates : {"dmy", "mdy", "hm", "ms", "serial"}, optional
        Whether 1/2/2020 begins with the day or the month; whether 12:30 are hours and minutes or
        minutes and seconds; "serial": the numbers of a column called "date" or the like, or else of
        the first, are the days that spreadsheets count.
    transpose : bool, optional
        Whether the data stand in rows, each of which begins with its name; default: if they can
        hardly stand in columns.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        The file is no table of numbers, or may be read in two ways; the sentence says where.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import io
    >>> import thalweg as tw
    >>> file = io.StringIO("time;signal;note\\ns;mV;\\n0;1,5;a\\n1;2,5;b\\n2;3,5;c\\n")
    >>> table = tw.read_table(file)
    >>> table
    Table of 3 rows: time (s), signal (mV)
      columns separated by semicolons, decimal comma
      line 2 is taken for the units
      column note holds texts and is left out
    >>> table["signal"]
    array([1.5, 2.5, 3.5])
    >>> tw.fit("line", table["time"], table["signal"])["slope"].round(9)
    np.float64(1.0)
    """
    form = Format(
        _one_of(separator, "separator", None),
        _one_of(decimal, "decimal", (".", ",")),
        _one_of(thousands, "thousands", _THOUSANDS),
        comment,
        skip_rows,
        skip_footer,
        (missing,) if isinstance(missing, str) else tuple(missing),
        encoding,
        _one_of(dates, "dates", ORDERS),
        transpose,
    )
    check_form(form)
    sheet = read_sheet(source, form)
    places = None if columns is None else [sheet.place(column) for column in columns]
    return make_table(sheet, places)


def _one_of(value: str | None, name: str, choices: Sequence[str] | None) -> str | None:
    if value is None or (choices is None and isinstance(value, str) and len(value) == 1):
        return value
    if choices is None or value not in choices:
        wanted = "one character" if choices is None else f"one of {', '.join(map(repr, choices))}"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return value


def check_form(form: Format) -> None:
    """Refuse a format that contradicts itself.

    Raises
    ------
    ValueError
        The decimal sign is that of thousands; skip_rows or skip_footer is no whole number;
        transpose is no truth value; comment is empty.
    """
    if form.decimal is not None and form.decimal == form.thousands:
        raise ValueError(f"decimal and thousands are both {form.decimal!r}")
    for name in ("skip_rows", "skip_footer"):
        n = getattr(form, name)
        if not isinstance(n, int | np.integer) or n < 0:
            raise ValueError(f"{name} must be a whole number from 0, got {n!r}")
    if form.transpose not in (None, True, False):
        raise ValueError(f"transpose must be True or False, got {form.transpose!r}")
    if form.comment == "":
        raise ValueError("comment must not be empty")


def make_table(sheet: Sheet, places: Sequence[int] | None = None) -> Table:
    """Return the columns at these places, or all that hold numbers or dates, as a table.

    Raises
    ------
    ValueError
        A cell holds no number, or no column does.
    """
    skipped, notes = {}, []
    if places is None:
        places = []
        for j, name in enumerate(sheet.names):
            if reason := why_skipped(sheet, j):
                skipped[name] = reason
                notes.append(f"column {name} {reason}")
            else:
                places.append(j)
        if not places:
            raise ValueError(f"{sheet.name} has no column of numbers")
    columns = tuple(sheet.numbers(j) for j in places)
    return Table(
        tuple(sheet.names[j] for j in places),
        columns,
        {sheet.names[j]: sheet.units[j] for j in places if sheet.units[j]},
        skipped,
        sheet.separator or " ",
        sheet.signs.decimal,
        sheet.signs.thousands,
        sheet.text.encoding,
        (*sheet.notes, *notes),
    )


def why_skipped(sheet: Sheet, j: int) -> str | None:
    """Return why a column is not read as numbers unless it is asked for; None if it is read."""
    if j in sheet.aside:
        return sheet.aside[j]
    if sheet.index and j == 0:
        return "numbers the rows and is left out"
    kind = sheet.kind(j)
    return f"holds {kind} and is left out" if kind in ("texts", "nothing") else None
