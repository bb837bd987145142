"""Columns of dates and times, as seconds from their first.

Read are dates with the year first (2020-01-31, also with "/" or "."), with the day or the month
first (31.01.2020, 1/31/2020, 31.1.20), with an English month (31-Jan-2020), times of day
(12:30:05.25, 1:30 PM), and a date with a time behind it, with "Z" or an offset such as +01:00 if
wanted.  Which of the day and the month comes first, and whether 12:30 are hours and minutes or
minutes and seconds, is told by the first value that has one reading only, else by the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np

from .._arguments.pieces import Array
from .cells import shown

ORDERS = ("dmy", "mdy", "hm", "ms", "serial")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_TIME = (
    r"(?P<a>\d{1,2}):(?P<b>\d{2})(?::(?P<c>\d{2})(?:[.,](?P<f>\d+))?)?"
    r"(?:\s*(?P<m>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
_DAYS = (
    r"(?P<y>\d{4})([-/.])(?P<mo>\d{1,2})\2(?P<d>\d{1,2})",
    r"(?P<p>\d{1,2})([-/.])(?P<q>\d{1,2})\2(?P<y>\d{4})",
    r"(?P<p>\d{1,2})([/.])(?P<q>\d{1,2})\2(?P<y>\d{2})",  # no "-", as in names of samples
    r"(?P<d>\d{1,2})([- ])(?P<name>[A-Za-z]{3})[a-z]*\2(?P<y>\d{4})",
)
_PATTERNS = [re.compile(rf"{day}(?:[T ,]\s*{_TIME}{_ZONE})?") for day in _DAYS]
_PATTERNS.append(re.compile(_TIME))
_MIDNIGHT = -43_200.0  # a clock that falls by more than half a day has passed midnight


class Dates(NamedTuple):
    """A column of dates or times.

    Attributes
    ----------
    seconds : ndarray
        From the first; NaN where there is none.
    first : str
        The first date or time, in words.
    """

    seconds: Array
    first: str


def is_date(cell: str) -> bool:
    """Whether a cell looks like a date, a time, or both."""
    return _match(cell) is not None


def is_time(cell: str) -> bool:
    """Whether a cell looks like a time of day without a date."""
    return _PATTERNS[-1].fullmatch(cell) is not None


def read_dates(
    cells: Sequence[str | None], where: Callable[[int], str], order: str | None
) -> Dates:
    """Return a column of dates as seconds.

    Parameters
    ----------
    cells : sequence of str or None
        None is a missing one.
    where : callable
        From the number of a cell to its place in the file, in words.
    order : {"dmy", "mdy", "hm", "ms", "serial", None}
        How doubtful ones are read.

    Raises
    ------
    ValueError
        A cell holds no date, or the column can be read in two ways.
    """
    found = [None if cell is None else _match(cell) for cell in cells]
    for i, (cell, match) in enumerate(zip(cells, found, strict=True)):
        if cell is not None and match is None:
            raise ValueError(f"{where(i)}: {shown(cell)} is not a date or a time as the others are")
    some = [match for match in found if match is not None]
    day_first = _day_first(some, order, where)
    hours_first = _hours_first(some, order, where)
    moments: list[tuple[datetime, float] | None] = []
    for i, (cell, match) in enumerate(zip(cells, found, strict=True)):
        try:
            moments.append(None if match is None else _moment(match, day_first, hours_first))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{where(i)}: {shown(cell or '')} is no date: {error}") from None
    return _from_first(moments, cells, where)


def _match(cell: str) -> re.Match[str] | None:
    return next((m for pattern in _PATTERNS if (m := pattern.fullmatch(cell))), None)


def _part(match: re.Match[str], name: str) -> str | None:
    return match[name] if name in match.re.groupindex else None


def _day_first(found: list[re.Match[str]], order: str | None, where: Callable[[int], str]) -> bool:
    """Whether 1/2/2020 is the first of February; points are written with the day first."""
    if order in ("dmy", "mdy"):
        return order == "dmy"
    pairs = [(int(m["p"]), int(m["q"]), m[2]) for m in found if _part(m, "p")]
    years = any(len(m["y"]) == 2 and m[2] == "/" for m in found if _part(m, "p"))
    if any(sign == "." for _, _, sign in pairs) or any(p > 12 and not years for p, _, _ in pairs):
        return True  # 20/1/13 may begin with the year
    if pairs and not any(q > 12 for _, q, _ in pairs):
        raise ValueError(
            f"{where(0)}: of {shown(found[0][0])} the day or the month may come first; say "
            'dates="dmy" or dates="mdy"'
        )
    return False


def _hours_first(
    found: list[re.Match[str]], order: str | None, where: Callable[[int], str]
) -> bool:
    """Whether 12:30 has hours and minutes; as it has behind a date and before AM and PM."""
    if order in ("hm", "ms"):
        return order == "hm"
    alone = [m for m in found if m.re is _PATTERNS[-1] and m["c"] is None and not m["m"]]
    if not alone or len(alone) < len(found):
        return True
    if any(int(m["a"]) > 23 for m in alone):
        return False
    raise ValueError(
        f"{where(0)}: {shown(found[0][0])} may be hours and minutes or minutes and seconds; say "
        'dates="hm" or dates="ms"'
    )


def _moment(match: re.Match[str], day_first: bool, hours_first: bool) -> tuple[datetime, float]:
    """A date and time to the whole second, and the rest in seconds."""
    name, p, y = _part(match, "name"), _part(match, "p"), _part(match, "y")
    if name is not None and name.lower() not in _MONTHS:
        raise ValueError(f"no month is called {name}")
    if y is None:
        day = date(2000, 1, 1)
    elif p is not None:
        day_and_month = (int(p), int(match["q"]))[:: 1 if day_first else -1]
        day = date(_year(y), day_and_month[1], day_and_month[0])
    else:
        month = _MONTHS.index(name.lower()) + 1 if name else int(match["mo"])
        day = date(int(y), month, int(match["d"]))
    zone = _part(match, "zone")
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC if zone else None)
    if zone and zone[0] in "+-":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        moment -= offset if zone[0] == "+" else -offset
    return moment + _time(match, hours_first or y is not None), float(f"0.{match['f'] or 0}")


def _year(text: str) -> int:
    """A year; of two digits one from 1969 to 2068, as POSIX and spreadsheets have it."""
    return int(text) + (len(text) == 2) * (2000 if int(text) < 69 else 1900)


def _time(match: re.Match[str], hours_first: bool) -> timedelta:
    if match["a"] is None:
        return timedelta()
    a, b, c = int(match["a"]), int(match["b"]), int(match["c"] or 0)
    if b > 59 or c > 60:
        raise ValueError("an hour has 60 minutes, and a minute 60 seconds")
    if match["c"] is None and not hours_first:
        return timedelta(minutes=a, seconds=b)
    if match["m"]:
        if not 1 <= a <= 12:
            raise ValueError("hours before AM and PM run from 1 to 12")
        a = a % 12 + 12 * (match["m"] in "Pp")
    if a > 24:
        raise ValueError("a day has 24 hours")
    return timedelta(hours=a, minutes=b, seconds=c)


def _from_first(
    moments: Sequence[tuple[datetime, float] | None],
    cells: Sequence[str | None],
    where: Callable[[int], str],
) -> Dates:
    zero = next(m for m in moments if m is not None)
    seconds = np.full(len(moments), np.nan)
    for i, moment in enumerate(moments):
        if moment is None:
            continue
        if (moment[0].tzinfo is None) != (zero[0].tzinfo is None):
            raise ValueError(
                f"{where(i)}: {shown(cells[i] or '')} and the first date differ in whether they "
                "tell a time zone"
            )
        seconds[i] = (moment[0] - zero[0]).total_seconds() + (moment[1] - zero[1])
    given = next(cell for cell in cells if cell is not None)
    if is_time(given):
        falls = np.diff(seconds, prepend=seconds[:1]) < _MIDNIGHT
        seconds += 86_400.0 * np.cumsum(falls)
    return Dates(seconds, given)
