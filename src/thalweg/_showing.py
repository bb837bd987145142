"""How values are shown in a repr: a few lines, whatever the size, and no addresses."""

from __future__ import annotations

import dataclasses
from html import escape
from typing import Any

import numpy as np

_MOST_ELEMENTS = 6  # an array of more elements is shown by its shape
_MOST_LETTERS = 72  # any other value of a longer repr is shown by its type


def brief(value: Any) -> str:
    """Return a value in at most one line."""
    if isinstance(value, np.ndarray):
        if value.size > _MOST_ELEMENTS or value.ndim > 1:
            return f"<array of shape {value.shape}>"
        return np.array2string(value, separator=", ", max_line_width=10**6, precision=6)
    if callable(value) and not dataclasses.is_dataclass(value):
        return getattr(value, "__name__", type(value).__name__)
    shape = getattr(value, "shape", None)
    if shape is not None and np.ndim(value) != 0:
        return f"<{type(value).__name__} of shape {tuple(shape)}>"
    text = repr(value)
    if len(text) > _MOST_LETTERS or "\n" in text or " at 0x" in text:
        return f"<{type(value).__name__}>"
    return text


def as_html(shown: Any) -> str:
    """Return a repr, <Kind: head and further lines>, as HTML; names of the user's are escaped."""
    first, *others = repr(shown).removeprefix("<").removesuffix(">").split("\n")
    kind, _, head = first.partition(": ")
    lines = [f"<b>{escape(kind)}</b> {escape(head)}", *(escape(line.strip()) for line in others)]
    return "<br>".join(lines)


def settings(owner: Any) -> str:
    """Return the call that makes a dataclass, with the fields that are not at their defaults."""
    given = []
    for field in dataclasses.fields(owner):
        value = getattr(owner, field.name)
        if not _is_same(value, field.default):
            given.append(f"{field.name}={brief(value)}")
    return f"{type(owner).__name__}({', '.join(given)})"


def _is_same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(np.all(value == default)))
