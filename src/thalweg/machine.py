"""What Thalweg runs on here: its version, the instruction set, the number of threads."""

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
    """What `info` tells; it prints as a few lines.

    Attributes
    ----------
    version : str
        Of Thalweg.
    instruction_set : str
        The one in use.
    available : tuple of str
        Those that this processor can run, best first.
    threads : int
        How many a call uses when it does not say.
    numpy, python, platform : str
        The versions beside it, and the operating system.
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
    """Return what runs here: the version, the instruction set and the number of threads.

    Raises
    ------
    ValueError
        The environment's THALWEG_SIMD names an instruction set that this processor lacks.

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

    As many as `set_num_threads` said; else THALWEG_NUM_THREADS or OMP_NUM_THREADS of the
    environment; else one for each processor that this process may use.  Within a call that was told
    ``threads``, such as that of `minimize` which calls your loss, as many as it was told.
    """
    return dispatch.get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Set how many threads a call uses when its ``threads`` does not say.

    Results do not depend on it: they are the same to the last bit.

    Parameters
    ----------
    n : int or None
        At least 1; more than 256 are 256.  None takes the setting back.

    Raises
    ------
    ValueError
        It is less than 1 or no whole number.
    """
    dispatch.set_num_threads(0 if n is None else count(n, "n", 1, _MOST))


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Let what runs inside use so many threads where it does not say, and never more.

    None changes nothing.  It holds for every kernel that the calling thread runs meanwhile, those
    of the user's own functions among them, and for no other thread.  An inner limit cannot raise an
    outer one.

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
