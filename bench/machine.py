"""Facts about the machine that results are measured on, and the limits it sets."""

import os
import platform
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from timing import Call, interleaved

from thalweg._core import dispatch

_PROBE_BYTES = 2**28  # more than any cache holds


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Return the processor's own name."""
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*: (.+)", info.read_text())):
        return found[1].strip()
    if platform.system() == "Darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string")
    return platform.processor() or platform.machine()


def bandwidth() -> float:
    """Return GB/s that one thread reads and writes when it copies memory, the best of five."""
    source = np.ones(_PROBE_BYTES // 8)
    target = np.empty_like(source)
    best = interleaved([lambda: np.copyto(target, source)], 5).min()
    return 2 * _PROBE_BYTES / best / 1e9


def reader(array: np.ndarray, threads: int) -> Call:
    """Return a call that reads an array with some threads and does next to nothing else.

    NumPy's maximum is the fastest reader of those it has; it lets the other threads run.
    """
    parts = np.array_split(array.reshape(-1), threads)
    pool = ThreadPoolExecutor(threads)
    return (lambda: np.max(parts[0])) if threads == 1 else (lambda: list(pool.map(np.max, parts)))


def facts() -> dict[str, object]:
    """Return what a reader needs to know to judge the numbers."""
    return {
        "cpu": processor(),
        "instruction_set": dispatch.active_variant(),
        "processors": processors(),
        "copy_GB_per_s": round(bandwidth(), 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _installed(name) for name in ("numpy", "scipy")},
        "commit": _output("git", "describe", "--always", "--dirty", "--exclude=*"),
    }


def slug() -> str:
    """Return the machine's name as it stands in a file name."""
    words = re.findall(r"[a-z0-9]+", f"{processor()} {dispatch.active_variant()}".lower())
    return "-".join([*words, str(processors())])


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _output(*command: str) -> str:
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).parent, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
