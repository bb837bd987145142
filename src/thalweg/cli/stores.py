"""What the command line does with ``--out x.zarr``: data and results larger than memory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .._arguments.check import Array
from .report import LISTED

SUFFIX = ".zarr"


def is_store(path: Path | None) -> bool:
    """Whether a path names a store of results."""
    return path is not None and path.suffix == SUFFIX


def check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is read.

    Raises
    ------
    ValueError
        An option is for stores alone, the store exists, or there is nothing to draw.
    """
    out = arguments.out
    if not is_store(out):
        if arguments.resume or arguments.chunk is not None:
            option = "resume" if arguments.resume else "chunk"
            raise ValueError(f"--{option} is for results in a store: --out result{SUFFIX}")
    elif arguments.resume and arguments.force:
        raise ValueError("--resume goes on with a store, and --force begins anew: give one of them")
    elif out.exists() and not (arguments.resume or arguments.force):
        raise ValueError(f"--out {out} exists; --resume goes on with it, --force begins anew")
    if arguments.map is not None and arguments.plot is None:
        raise ValueError("--map says what --plot draws: give --plot FILE, too")


def out_of(arguments: argparse.Namespace) -> Any:
    """Return the argument ``out`` of `thalweg.fit`."""
    if not is_store(arguments.out):
        return None
    from ..scale import Store

    return Store(arguments.out, overwrite=arguments.force)


def below(y: Any, value: float, mask: Any) -> Any:
    """Return a mask of what is below a value, or masked already, without reading all of y.

    Raises
    ------
    ValueError
        y stays in its file, and there is another mask.
    """
    if isinstance(y, np.ndarray) and not isinstance(y, np.memmap):
        low = y < value
        return low if mask is None else low | mask.astype(bool)
    if mask is not None:
        raise ValueError("--mask-below and --mask together need an --out that is no store")
    return _Below(y, value)


class _Below:
    """Whether the numbers of an array in a file are below a value; read in parts."""

    dtype = np.dtype(bool)

    def __init__(self, y: Any, value: float) -> None:
        self.y, self.value = y, value
        self.shape, self.ndim = tuple(y.shape), len(y.shape)

    def __getitem__(self, index: Any) -> Array:
        return np.asarray(np.asarray(self.y[index]) < self.value)


def failures(result: Any, failed: Array) -> list[str]:
    """Return a sentence for each of the first fits that failed, and one for the others."""
    places = np.atleast_2d(failed.T).T[:LISTED].tolist()
    lines = [
        f"fit {', '.join(map(str, place))} failed: {result.reason(*place)}" for place in places
    ]
    if len(failed) > LISTED:
        lines.append(f"{len(failed) - LISTED} more fits failed")
    return lines
