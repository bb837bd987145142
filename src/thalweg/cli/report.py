"""What the command line says about a result, about fits that failed, and about an error."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

import numpy as np

from ..fitting.result import FitResult
from ..status import Status

LISTED = 20  # up to so many failed fits are told one by one
_TABULATED = 20  # up to so many fits are printed as a table


def _title(index: Sequence[int], titles: Sequence[str] | None) -> str:
    """The name of a fit in messages."""
    if titles is not None:
        return titles[index[0] if len(index) else 0]
    return f"fit {', '.join(f'{i}' for i in index)}".strip()


def report(result: FitResult, titles: Sequence[str] | None) -> str:
    """Return the summary of one fit or of many, and of a few fits a table."""
    if result.chi2.ndim == 0 or result.chi2.size > _TABULATED:
        return result.summary()
    errors = [text for name in result.names for text in (name, "+-")]
    rows = [["", *errors, "chi2", "stopped by"]]
    for index in np.ndindex(result.chi2.shape):
        row = [_title(index, titles)]
        for value, error in zip(result.params[index], result.stderr[index], strict=True):
            row += [f"{value:.9g}", f"{error:.6g}"]
        rows.append(
            [*row, f"{result.chi2[index]:.6g}", Status(int(result.status[index])).name.lower()]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{t:>{w}}" for t, w in zip(row, widths, strict=True)) for row in rows)
    n_good = np.count_nonzero(result.success)
    return "\n".join([*lines, f"{result.chi2.size} fits, {n_good} succeeded"])


def failures(result: FitResult, titles: Sequence[str] | None) -> list[str]:
    """Return a sentence for each fit that failed, and one for those beyond the first few."""
    failed = np.argwhere(~result.success)
    lines = [
        f"{_title(index, titles)} failed: {result.reason(*index)}"
        for index in failed[:LISTED].tolist()
    ]
    if len(failed) > LISTED:
        lines.append(f"{len(failed) - LISTED} more fits failed")
    return lines


# Arguments of `thalweg.read_table` that are options here.
_ARGUMENT = re.compile(
    r"\b(separator|decimal|thousands|comment|skip_rows|skip_footer|missing|encoding|dates)=(?=[\w\"])"
)


_ANEW = "out=thalweg.scale.Store(path, overwrite=True)"  # what --force stands for

# How other sentences name an argument of `thalweg.fit`, and what stands for it here.
_OTHERS = (
    (re.compile(r"\btranspose=True\b"), "--transpose"),
    (re.compile(r"\btranspose=False\b"), "--no-transpose"),
    (re.compile(r"\bout= (?=is )"), "--out x.zarr "),
    (re.compile(r"\bfixed=\{'(\w+)': \.\.\.\}"), r"--fixed \1=..."),
    (re.compile(r"^(axis|bounds|chunk|fixed|map|shared|tied) (?=names |must )"), r"--\1 "),
    (re.compile(r"^(tied|bounds|fixed)\['(\w+)'\]"), r"--\1 \2"),
)


def as_options(words: str) -> str:
    """Return a sentence of the library with its arguments written as options."""
    words = words.replace(_ANEW, "--force")
    for argument, option in _OTHERS:
        words = argument.sub(option, words)
    return _ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')} ", words)


def sentence(error: BaseException) -> str:
    """Return in one line what an error says."""
    words = as_options(" ".join(f"{error}".split()))
    if isinstance(error, OSError):
        words = error.strerror or words
        return f"{error.filename}: {words}" if error.filename else words
    if isinstance(error, MemoryError):
        return f"there is not enough memory{': ' if words else ''}{words}"
    if isinstance(error, RecursionError):
        return f"the model is nested too deeply: {words}"
    return words


def say_all(lines: Iterable[str]) -> None:
    """Print lines on the error output."""
    for line in lines:
        say(line)


def say(words: str) -> None:
    """Print a line on the error output."""
    print(f"thalweg: {words}", file=sys.stderr)
