"""What Thalweg runs on: its version, the instruction set and the number of threads."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ._arguments.check import count, thread_limit
from ._core import dispatch

_MOST = 2**31 - 1


@dataclass(frozen=True, repr=False)
class Info:
    """The result of `info`, which prints as a few lines.

    Attributes
    ----------
    version : str
        The version of Thalweg.
    instruction_set : str
        The instruction set in use.
    available : tuple of str
        The instruction sets that this processor can run, the best first.
    threads : int
        The number of threads that a call uses when its ``threads`` does not say.
    numpy, python, platform : str
        The versions of NumPy and Python, and the operating system.
    """

    version: str
    instruction_set: str
    available: tuple[str, ...]
    threads: int
    numpy: str
    python: str
    platform: str

    def __repr__(self) -> str:
        lines = {
            "thalweg": self.version,
            "instruction set": f"{self.instruction_set} (available: {', '.join(self.available)})",
            "threads": self.threads,
            "NumPy": self.numpy,
            "Python": f"{self.python}, {self.platform}",
        }
        return "\n".join(f"{name:<17}{value}" for name, value in lines.items())


def info() -> Info:
    """Return the version, the instruction set and the number of threads in use.

    Raises
    ------
    ValueError
        The environment variable THALWEG_SIMD names an instruction set that this processor lacks.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.info().threads == tw.get_num_threads()
    True
    """
    from . import __version__

    return Info(
        version=__version__,
        instruction_set=dispatch.active_variant(),
        available=tuple(dispatch.variants()),
        threads=get_num_threads(),
        numpy=np.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
    )


def get_num_threads() -> int:
    """Return how many threads a call uses when its ``threads`` does not say.

    The number is that of `set_num_threads`, else that of the environment variable
    THALWEG_NUM_THREADS or OMP_NUM_THREADS, else the number of processors that this process may use.
    Inside a call with ``threads``, such as a call of `minimize` that evaluates your loss, it is the
    ``threads`` of that call.
    """
    return dispatch.get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Set how many threads a call uses when its ``threads`` does not say.

    Results are the same to the last bit for any number.

    Parameters
    ----------
    n : int or None
        The number, at least 1; more than 256 count as 256.  None takes the setting back.

    Raises
    ------
    ValueError
        ``n`` is less than 1 or not a whole number.
    """
    dispatch.set_num_threads(0 if n is None else count(n, "n", 1, _MOST))


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Limit the number of threads of all calls inside a with statement; None is no limit.

    The limit holds for every kernel that the calling thread runs inside, also by the user's own
    functions, and for no other thread.  An inner limit cannot raise an outer one.

    Raises
    ------
    ValueError
        ``threads`` is not a whole number from 1 to 256.
    """
    if threads is None:
        yield
        return
    taken_back = dispatch.limit_threads(thread_limit(threads))
    try:
        yield
    finally:
        taken_back.var.reset(taken_back)
