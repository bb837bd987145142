"""The sizes at which the compiled code changes what it does, read from its source.

A loop that goes one too far, or a workspace that is one too short, is found by a size that is a
constant of the code, one less, one more, or twice it.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

_FOLDER = Path(__file__).resolve().parents[1] / "csrc"
_CONSTANT = r"\b{name} =\s+([\w\s*<]+)"


def constant(file: str, name: str) -> int:
    """Return a constant that a file of csrc defines, such as ``SIDE_BY_SIDE = 512``.

    If it has several values, for several instruction sets, the first counts; products are computed.
    """
    text = re.sub(r"/\*.*?\*/", "", (_FOLDER / file).read_text(), flags=re.S)
    found = re.search(_CONSTANT.format(name=name), text)
    assert found, f"csrc/{file} defines no {name} any more: which size has taken its place?"
    value = 1
    for factor in found[1].split("*"):
        base, _, shift = factor.strip().partition("<<")
        number = int(base) if base.strip().isdigit() else constant(file, base.strip())
        value *= number << int(shift or 0)
    return value


def around(*sizes: int, least: int = 1, most: int | None = None) -> list[int]:
    """Return each size, its neighbours and twice it, without repetition, in [least, most]."""
    near = {n for size in sizes for n in (size - 1, size, size + 1, 2 * size)}
    return sorted(n for n in near if least <= n and (most is None or n <= most))


def lanes(dtype: Any) -> int:
    """Return how many numbers a lane group holds: 64 bytes (csrc/base/simd.h)."""
    return 64 // np.dtype(dtype).itemsize


# Groups of points that the engine works on at a time: the least, of a model with many operations,
# and the most (csrc/tape/run.h, block_groups).
LEAST_BLOCK, MOST_BLOCK = 8, 64
