"""The progress bar of long work."""

from __future__ import annotations

from typing import Any

from ._optional import optional


def open_bar(total: int, unit: str) -> Any:
    """Return a bar of tqdm, a context manager.

    Raises
    ------
    ModuleNotFoundError
        tqdm is not installed, with the command that installs it.
    """
    return optional("tqdm", "progress=True needs").tqdm(total=total, unit=unit, unit_scale=True)
