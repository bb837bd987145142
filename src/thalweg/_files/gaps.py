"""Blank lines and comments between the rows of a table, which may part what is read as one."""

from __future__ import annotations

import io
from collections.abc import Sequence


def notes_on_gaps(text: str, lines: Sequence[int]) -> list[str]:
    """Return notes on blank lines that part rows, and on a comment behind the first rows.

    Blank lines between all rows part nothing.  The rows are those of the whole text, of which
    ``lines`` tells where each begins.
    """
    gaps = [i for i in range(1, len(lines)) if lines[i] > lines[i - 1] + 1]
    if not gaps or 2 * len(gaps) > len(lines):
        return []
    every = io.StringIO(text, newline=None).readlines()
    between = {i: [line.strip() for line in every[lines[i - 1] : lines[i] - 1]] for i in gaps}
    blank = [i for i in gaps if not all(between[i])]
    notes = []
    if blank:
        many = f", as {len(blank)} times in all," if len(blank) > 1 else ""
        notes.append(
            f"a blank line{many} parts line {lines[blank[0] - 1]} from line {lines[blank[0]]}; "
            "the rows are read as one table"
        )
    elif gaps in ([1], [2]):
        one, it = gaps == [1], "it" if gaps == [1] else "them"
        which = f"line {lines[0]} is" if one else f"lines {lines[0]} and {lines[1]} are"
        notes.append(
            f"{which} read as data, though a comment parts {it} from the rest; "
            f"skip_rows={lines[gaps[0] - 1]} leaves {it} out"
        )
    return notes
