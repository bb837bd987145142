"""Tables of what was made of models, kept for the next call."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

_MOST = 256  # a table that has so many entries is emptied

_T = TypeVar("_T")


def keep(table: dict[Any, _T], key: Hashable, value: _T) -> None:
    """Add an entry to a table, which never grows beyond some hundreds.

    Formulas with ever new constants fill it; when it is emptied the others are made again.
    """
    if len(table) >= _MOST:
        table.clear()
    table[key] = value
