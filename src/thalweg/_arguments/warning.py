"""Warnings that point at the user's line, whatever functions of this package lie between."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PACKAGE = __name__.partition(".")[0]


def warn_user(message: str | Warning, category: type[Warning] | None = None) -> None:
    """Issue a warning at the innermost line outside of this package that has led here."""
    frame: FrameType | None = sys._getframe(1)
    level = 2  # 1 would be this function
    while frame is not None and _is_inside(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level - 1 if frame is None else level)


def _is_inside(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE
