"""Callbacks: functions of the user's that are called during a long call, and may end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def refuse_callback(callback: Any) -> None:
    """Raise TypeError unless ``callback`` is None or can be called."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")


def stops(callback: Callable[[Any], Any], iteration: Any) -> bool:
    """Return whether a callback ends the call: by a true value, or SciPy's StopIteration."""
    try:
        return bool(callback(iteration))
    except StopIteration:
        return True
