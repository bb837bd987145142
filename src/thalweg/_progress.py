"""What is told of long work while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._optional import optional

# Is told how many parts of a job are done; a true value that it returns ends the job.
Report = Callable[[int], Any] | None


def after(report: Report, done: int) -> Report:
    """Return a report of later parts, to which ``done`` earlier ones are added."""
    return None if report is None else lambda more: report(done + more)


def open_bar(total: int, unit: str, done: int = 0) -> Any:
    """Return a bar of tqdm, a context manager, of which some parts are done before it begins.

    Raises
    ------
    ModuleNotFoundError
        tqdm is not installed, with the command that installs it.
    """
    tqdm = optional("tqdm", "progress=True needs").tqdm
    return tqdm(total=total, unit=unit, unit_scale=True, initial=done)
