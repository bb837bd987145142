"""What Thalweg runs on: its version, the instruction set and the number of threads."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._arguments.check import count, thread_limit
from ._core import dispatch

_MOST = 2**31 - 1

# The libraries that Thalweg may use, by the names of their distributions.
_LIBRARIES = (
    *("scipy", "scikit-learn", "pandas", "xarray", "dask", "matplotlib", "tqdm"),
    *("argcomplete", "h5py", "tifffile", "zarr"),
)
# The settings of the environment that change how Thalweg runs.
_SETTINGS = ("THALWEG_SIMD", "THALWEG_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True, repr=False)
class Info:
    """The result of `info`: `print` shows all of it, for a report of a fault.

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
    processor : str
        The name of the processor; empty if the system does not tell.
    processors : int
        The number of processors that this process may use.
    folder : str
        The place where the package is installed.
    libraries : dict of str to str
        The versions of those optional libraries that are installed.
    settings : dict of str to str
        The environment variables that change how Thalweg runs, as far as they are set.
    """

    version: str
    instruction_set: str
    available: tuple[str, ...]
    threads: int
    numpy: str
    python: str
    platform: str
    processor: str = ""
    processors: int = 1
    folder: str = ""
    libraries: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        available = ", ".join(self.available)
        return _lines(
            {
                "thalweg": self.version,
                "instruction set": f"{self.instruction_set} (available: {available})",
                "threads": self.threads,
                "NumPy": self.numpy,
                "Python": f"{self.python}, {self.platform}",
            }
        )

    def __str__(self) -> str:
        """Return all of it; `repr` returns the first lines."""
        others = {
            "processors": f"{self.processors} {self.processor}".strip(),
            "folder": self.folder,
            "libraries": ", ".join(f"{n} {v}" for n, v in self.libraries.items()) or "none",
            "environment": ", ".join(f"{n}={v}" for n, v in self.settings.items()) or "as usual",
        }
        return f"{self!r}\n{_lines(others)}"


def _lines(told: dict[str, Any]) -> str:
    return "\n".join(f"{name:<17}{value}" for name, value in told.items())


def info() -> Info:
    """Return what a report of a fault should tell: versions, instruction set, threads, machine.

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
        processor=_processor(),
        processors=_processors(),
        folder=str(Path(__file__).parent),
        libraries=_libraries(),
        settings={name: os.environ[name] for name in _SETTINGS if name in os.environ},
    )


def _processor() -> str:
    """The name of the processor, which Linux tells in a file, other systems by `platform`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _libraries() -> dict[str, str]:
    """The versions of the libraries that are installed, without importing them."""
    from importlib import metadata  # this import takes half as long as the rest of Thalweg

    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def get_num_threads() -> int:
    """Return how many threads a call uses when its ``threads`` does not say.

    The number is that of `set_num_threads`, else that of the environment variable
    THALWEG_NUM_THREADS or OMP_NUM_THREADS, else the number of processors that this process may use.
    Inside a call with ``threads``, such as a call of `minimize` that evaluates your loss, it is the
    ``threads`` of that call.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.get_num_threads() >= 1
    True
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

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.set_num_threads(1)
    >>> tw.get_num_threads()
    1
    >>> tw.set_num_threads(None)
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
