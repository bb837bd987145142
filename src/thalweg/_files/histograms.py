"""Histograms of photons that PicoHarp, HydraHarp and TimeHarp export as text.

Such a file has a head of lines that begin with "#", each with the line of its value below it, and
then a column of counts for each curve, without times:

    #PicoHarp 300  Histogram Data
    #channels per curve
    65536
    #display curve no.
    0       1
    #memory block no.
    0       1
    #ns/channel
    0.0040  0.0040
    #counts
    12      7

The time of channel k is k times the width of a channel, which stands above each curve.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .heads import Head
from .rows import Format

_HEAD = re.compile(r"\s*#\w*Harp\b|\s*#channels per curve", re.IGNORECASE)
_COUNTS = re.compile(r"^#counts[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_KEY = r"^#{}[ \t]*\r?\n([^\n#]+)$"
_WIDTH = re.compile(_KEY.format(r"(?:ns/channel|ns/bin|ns/ch)"), re.IGNORECASE | re.MULTILINE)
_NUMBER = re.compile(_KEY.format(r"channels per curve"), re.IGNORECASE | re.MULTILINE)
_CURVE = re.compile(_KEY.format(r"(?:display )?curve no\.?"), re.IGNORECASE | re.MULTILINE)


class Histograms(NamedTuple):
    """What the head of such a file says.

    Attributes
    ----------
    skip_rows : int
        Lines above the counts.
    widths : list of float
        The width of each curve's channels, in ns.
    curves : list of str
        The names of the curves.
    n_channels : int or None
        The number of channels, if it is told.
    """

    skip_rows: int
    widths: list[float]
    curves: list[str]
    n_channels: int | None

    def form(self, form: Format) -> Format:
        """Return the format of the rows of counts, which tabs or blanks separate."""
        return form._replace(skip_rows=self.skip_rows, separator=form.separator or " ")

    def with_times(self, head: Head, decimal: str | None) -> tuple[Head, dict[int, str]]:
        """Return the columns of times and counts, and those that want other times than the first.

        Curves whose channels are as wide as those of the first come beside its time; each other one
        has a column of times of its own, and both are read only if they are asked for.

        Raises
        ------
        ValueError
            There is not a width and a name for each curve.
        """
        n = len(head.rows[0])
        if len(self.widths) != n:
            raise ValueError(
                f"line {head.lines[0]}: {n} curve{'s' * (n != 1)}, but the head tells the widths "
                f"of {len(self.widths)}"
            )
        names = self.curves if len(self.curves) == n else [str(j) for j in range(n)]
        columns: list[Sequence[str]] = []
        titles: list[str] = []
        units: list[str] = []
        aside: dict[int, str] = {}
        for j in range(n):
            other = self.widths[j] != self.widths[0]
            if j == 0 or other:
                titles.append(f"time {names[j]}" if other else "time")
                units.append("ns")
                columns.append(_times(len(head.rows), self.widths[j], decimal or "."))
            titles.append(f"curve {names[j]}")
            units.append("")
            columns.append([row[j] for row in head.rows])
            if other:
                widths = f"{self.widths[j]:g} ns, not {self.widths[0]:g}"
                reason = f"has channels of {widths}, and is left out"
                aside |= dict.fromkeys((len(titles) - 2, len(titles) - 1), reason)
        rows = [list(row) for row in zip(*columns, strict=True)]
        return Head(titles, units, rows, head.lines, [*self._notes(head), *head.notes]), aside

    def _notes(self, head: Head) -> list[str]:
        notes = [f"its times are the numbers of the channels times {self.widths[0]:g} ns"]
        if self.n_channels not in (None, len(head.rows)):
            notes.append(
                f"it tells {self.n_channels} channels for each curve, but has {len(head.rows)}"
            )
        return notes


def find_histograms(text: str) -> Histograms | None:
    """Return what the head of a text says of its histograms; None of any other text."""
    counts = _COUNTS.search(text) if _HEAD.match(text) else None
    width = _WIDTH.search(text, 0, counts.start()) if counts else None
    if counts is None or width is None:
        return None
    try:
        widths = [float(word.replace(",", ".")) for word in width[1].split()]
    except ValueError:
        return None
    told, curve = (pattern.search(text, 0, counts.start()) for pattern in (_NUMBER, _CURVE))
    words = told[1].split() if told else []
    return Histograms(
        text.count("\n", 0, counts.start()) + 1,
        widths,
        curve[1].split() if curve else [],
        int(words[0]) if words and words[0].isdecimal() else None,
    )


def _times(n: int, width: float, decimal: str) -> list[str]:
    """The times of n channels, written as the numbers of the file."""
    return [repr(k * width).replace(".", decimal) for k in range(n)]
