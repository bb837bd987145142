"""The error that stops a recording, and what to write instead of the operation that caused it."""

from __future__ import annotations

from typing import Final, NoReturn


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
    """

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


def refuse(operation: str, hint: str | None = None) -> NoReturn:
    """Raise the error that an operation cannot be recorded; by default its hint is in `HINTS`."""
    raise RecordingError(operation, hint=HINTS.get(operation, "") if hint is None else hint)
