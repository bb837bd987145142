"""How much main memory there is, and the refusal of matrices that would not fit."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path


def memory() -> float:
    """Return the bytes of main memory that this process may use; infinity if that is unknown."""
    sizes = [inf]
    try:
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # other operating systems do not tell
        pass
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text().strip()
        except OSError:
            continue
        sizes.append(float(text) if text.isdigit() else inf)
    return min(sizes)


class TooLargeError(ValueError):
    """A dense matrix would not fit into memory."""


def refuse_square(P: int, copies: int, who: str, cure: str) -> None:
    """Refuse work with dense P x P matrices of float64 that memory cannot hold.

    Parameters
    ----------
    P : int
    copies : int
        How many such matrices there are at a time.
    who : str
        What needs the matrices: the beginning of the sentence.
    cure : str
        What needs none: the end of the sentence.

    Raises
    ------
    TooLargeError
    """
    needed = copies * 8.0 * P**2
    if needed > memory():
        raise TooLargeError(
            f"{who} needs matrices of P x P numbers, for P={P} about {needed / 1e9:.3g} GB, "
            f"and this machine has {memory() / 1e9:.3g} GB; {cure}"
        )
