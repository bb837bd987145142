"""Arguments of a fit in which something stands for what differs between the parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

_Kind = TypeVar("_Kind")


def leaves(value: Any, kind: type[_Kind]) -> Iterator[_Kind]:
    """Yield each instance of ``kind`` in a value, in the order in which `filled` meets them."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from leaves(part, kind)
    elif type(value) is tuple:
        for part in value:
            yield from leaves(part, kind)


def filled(value: Any, kind: type[_Kind], part_of: Callable[[_Kind], Any]) -> Any:
    """Return a value with ``part_of(leaf)`` in place of each instance of ``kind`` in it."""
    if isinstance(value, kind):
        return part_of(value)
    if isinstance(value, Mapping):
        return {name: filled(part, kind, part_of) for name, part in value.items()}
    if type(value) is tuple:
        return tuple(filled(part, kind, part_of) for part in value)
    return value
