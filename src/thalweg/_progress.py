"""The progress bar of long work."""

from __future__ import annotations

from typing import Any


def open_bar(total: int, unit: str) -> Any:
    """Return a bar of tqdm, a context manager.

    Raises
    ------
    ModuleNotFoundError
        tqdm is not installed, with the command that installs it.
    """
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'progress=True needs tqdm: python -m pip install "thalweg[cli]"'
        ) from None
    return tqdm(total=total, unit=unit, unit_scale=True)
