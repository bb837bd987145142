"""The error that stops a recording, and what to write instead of the operation that caused it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from types import FrameType
from typing import Final, NoReturn

import numpy as np


class RecordingError(Exception):
    """A function cannot be recorded.

    Attributes
    ----------
    operation : str
        The operation that stopped the recording.
    hint : str
        What to write instead; may be empty.
    file, line : str and int, or None
        The place of the operation in the user's code.
    in_scipy : bool
        Whether it was inside a function of `scipy.signal` or `scipy.integrate`.
    """

    in_scipy = False

    def __init__(
        self, operation: str, file: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(operation, file, line, hint)
        self.operation, self.file, self.line, self.hint = operation, file, line, hint

    def __str__(self) -> str:
        where = "" if self.file is None else f" ({self.file}, line {self.line})"
        hint = f"; {self.hint}" if self.hint else ""
        return f"the function cannot be recorded: {self.operation}{where}{hint}"


REDUCTION_HINT: Final = "the value at a point may depend on that point and the parameters only"
HINTS: Final = {
    "bool()": "write np.where(condition, a, b) instead of if, & | ~ instead of and, or, not, and "
    "np.minimum or np.maximum instead of min or max",
    "complex()": "write real + 1j * imag",
    "float()": "use NumPy's function instead of math's, for instance np.exp for math.exp",
    "conversion to a NumPy array": "leave out np.asarray, and use np.where instead of writing "
    "into an array",
    "writing into a recorded value": "build the result with np.where instead",
    "indexing": "treat every point alike and choose between points with np.where",
    "len()": "do not use the number of points; the value at a point depends on that point only",
    "the product @ of points": REDUCTION_HINT,
    "iteration": "write NumPy expressions, which act on every point at once",
}
UFUNC_HINT: Final = "write it with operations that thalweg knows, such as np.exp or np.where"


LIBRARIES: Final = tuple(
    os.path.dirname(path) + os.sep
    for path in (
        os.path.dirname(os.path.abspath(__file__)),
        np.__file__,
        os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "scipy", ""),
    )
)
_COMPILED: Final = "thalweg/_core/"  # frames of compiled modules have relative file names


@lru_cache(maxsize=256)  # every refusal asks this of the same few files
def is_user_code(file: str) -> bool:
    """Return whether a file is neither of this library nor of NumPy or SciPy."""
    return not file.startswith(LIBRARIES) and _COMPILED not in file


def place_of(error: BaseException) -> tuple[str | None, int | None, bool]:
    """Return where an error was raised.

    These are file and line of the innermost frame of the user's code, or two None, and whether the
    error was raised inside a function of SciPy's that mixes points.
    """
    file, line, in_scipy = None, None, False
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if is_user_code(frame.f_code.co_filename):
            file, line = frame.f_code.co_filename, traceback.tb_lineno
        elif not in_scipy:
            module = str(frame.f_globals.get("__name__", ""))
            in_scipy = module.startswith(("scipy.signal", "scipy.integrate"))
        traceback = traceback.tb_next
    return file, line, in_scipy


def calling_line() -> tuple[str | None, int | None]:
    """Return file and line of the innermost frame of the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_user_code(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None, None


def refuse(operation: str, hint: str | None = None) -> NoReturn:
    """Raise the error that an operation cannot be recorded; by default its hint is in `HINTS`."""
    raise RecordingError(operation, hint=HINTS.get(operation, "") if hint is None else hint)


def numpy_name(function: Callable[..., object]) -> str:
    """Return a function of NumPy's as users write it, such as ``np.fft.rfft``."""
    module = function.__module__.replace("numpy", "np", 1)
    return f"{module}.{function.__name__}"
