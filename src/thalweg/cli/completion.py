"""What the shell may put where a word of a command is incomplete, by the library argcomplete.

The shell runs the command itself, with `_ARGCOMPLETE` in the environment, and reads the words that
argcomplete finds from the parser: commands, options, files.  This module adds the names of models
and, from the file that is named already, those of its columns or arrays.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._files.arrays import is_array_file, read_arrays
from .._files.long import read_sheet
from .._files.rows import Format
from .._optional import optional
from ..model.registry import MODELS


def is_asked() -> bool:
    """Whether the shell has run the command for the sake of completion."""
    return "_ARGCOMPLETE" in os.environ


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, and end the process.

    Raises
    ------
    ModuleNotFoundError
        argcomplete is not installed.
    """
    optional("argcomplete", "completion needs").autocomplete(parser)


def models(**_: Any) -> Iterable[str]:
    """Return the names of the built-in models."""
    return tuple(MODELS)


def columns(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """Return the names of a file's columns or arrays, behind the names that are given already."""
    path = getattr(parsed_args, "data", None)
    if not isinstance(path, Path) or not path.exists():
        return ()
    before = prefix[: prefix.rfind(",") + 1]
    try:
        names = read_arrays(path, ()).names if is_array_file(path) else _names(path)
    except (OSError, ValueError, ModuleNotFoundError):  # the shell has no place for a sentence
        return ()
    return tuple(f"{before}{name}" for name in names)


def _names(path: Path) -> list[str]:
    return read_sheet(path, Format()).names
