"""By what a call is known again: a description in words of its model, its options and its data.

What all data sets share is described by its values, or by a hash of them if they are many.  What
differs between data sets is described by its type and shape, and by a hash of some data sets of
each piece: `SAMPLED` of them, spread evenly over the piece, its first and last included.  Data that
were changed at other places only are not noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import prod
from types import CodeType
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._arguments.columns import columns_of
from .._arguments.masked import is_masked_array
from ..fitting.layout import Layout
from ..fitting.problem import Problem
from ..model import ModelInfo
from ..model.graph import LEAVES, reachable
from ..model.signature import code_of
from .sources import Region, Sliced, spread

SAMPLED = 8
_IN_FULL = 12  # arrays of so many numbers are described by these, larger ones by a hash
_LETTERS = 16  # a hash is shown by so many hexadecimal digits, 64 bits
# Arguments on which results do not depend, or that are described together with y.
_NO_DIFFERENCE = ("threads", "axis")


def described(value: Any) -> str:
    """Return a value in words that are the same for equal values, in every process."""
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    if isinstance(value, Sliced):
        return value.described()
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asanyarray(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {described(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(described, value)) + ")"
    if isinstance(value, set | frozenset):
        return described(sorted(value))
    if hasattr(value, "lb") and hasattr(value, "ub"):  # scipy.optimize.Bounds
        return described((value.lb, value.ub))
    if isinstance(value, type) or isinstance(value, np.dtype):
        return str(np.dtype(value))
    if hasattr(value, "label") and isinstance(value, ModelInfo):
        return value.label
    if callable(value):
        return _function(value)
    columns = columns_of(value)
    return _array(np.asanyarray(value)) if columns is None else described(columns)


def _array(array: Array) -> str:
    if array.ndim == 0 and not is_masked_array(array):
        return repr(array.item())
    kind = f"{array.dtype} {array.shape}"
    if array.size <= _IN_FULL and not is_masked_array(array):
        return f"{kind} {array.tolist()}"
    return f"{kind} {hashed(array).hex()[:_LETTERS]}"


def hashed(*arrays: Array) -> bytes:
    """Return a hash of the values, types and masks of arrays, whatever their byte order.

    A part of an array is in the order of the file, or in that of the machine if it was copied.
    """
    digest = hashlib.sha256()
    for given in arrays:
        array = given.astype(given.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{array.dtype} {array.shape}".encode())
        if is_masked_array(array):
            digest.update(np.ma.getmaskarray(array).tobytes())
            array = array.data
        whole = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
        digest.update(whole)
    return digest.digest()


def _function(function: Any) -> str:
    """A function by its name and its code, with the constants in it."""
    name = getattr(function, "__qualname__", None) or getattr(function, "text", None)
    code = code_of(function)
    known = "" if code is None else hashlib.sha256(_code(code).encode()).hexdigest()[:_LETTERS]
    return f"{name or type(function).__name__} {known}".strip()


def _code(code: CodeType) -> str:
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def recorded(problem: Problem) -> str:
    """Return what identifies the model of a problem.

    It is a hash of the recorded expression with the arrays that it holds; of a model that Python
    evaluates, of its values at the start of the first data set, and of its code.
    """
    if problem.recording is None:
        seen = problem.seen or ()
        return f"values {hashed(*seen).hex()[:_LETTERS]} of {_function(problem.model.function)}"
    graph, output, arrays = problem.recording
    nodes = graph.nodes
    order = {i: k for k, i in enumerate(reachable(nodes, [output]))}
    written = [
        node if node[0] in LEAVES else (node[0], *(order[i] for i in node[1:]))
        for node in (nodes[i] for i in order)
    ]
    text = repr((graph.n_theta, written, order[output]))
    arrays = [np.asarray(a) for a in arrays]
    own = hashlib.sha256(text.encode() + hashed(*arrays)).hexdigest()
    return f"expression {own[:_LETTERS]}"


def fingerprint(
    arguments: Mapping[str, Any], layout: Layout, problem: Problem, version: str
) -> dict[str, str]:
    """Return the description of a call, a sentence for each argument that can change results."""
    known = {
        name: described(value) for name, value in arguments.items() if name not in _NO_DIFFERENCE
    }
    return known | {
        "model": problem.model.label,
        "what the model computes": recorded(problem),
        "y": f"{arguments['y'].described()}, points along axis {layout.axes}",
        "the version of Thalweg": version,
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return a sentence for each argument in which two calls differ."""
    names = [*before, *(name for name in now if name not in before)]
    absent = "not given"
    return [
        f"{name} was {before.get(name, absent)} and is {now.get(name, absent)}"
        for name in names
        if before.get(name) != now.get(name)
    ]


# ---- data that differ between data sets ---------------------------------------------------------


def samples(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the places of the sampled data sets of a piece of this shape."""
    flat = spread(prod(shape), SAMPLED)
    return [tuple(int(i) for i in np.unravel_index(k, tuple(shape))) for k in flat]


def digest_of_parts(parts: Sequence[Array], shape: Sequence[int]) -> int:
    """Return the digest of a piece of this shape from the parts of its arguments, in memory."""
    return _digest([_row(part, place) for place in samples(shape) for part in parts])


def digest_of_sources(leaves: Sequence[Sliced], region: Region) -> int:
    """Return the same digest of a piece without reading more of it than the samples."""
    shape = [s.stop - s.start for s in region]
    rows = []
    for place in samples(shape):
        one = tuple(slice(s.start + k, s.start + k + 1) for s, k in zip(region, place, strict=True))
        rows += [_row(leaf.read(one), (0,) * len(place)) for leaf in leaves]
    return _digest(rows)


def _row(part: Array, place: Sequence[int]) -> Array:
    """The values of one data set; an axis of length 1 is the same for all."""
    index = (min(k, n - 1) for k, n in zip(place, part.shape[1:], strict=False))
    return np.asanyarray(part[(0, *index)])


def _digest(rows: Sequence[Array]) -> int:
    """64 bits of a hash, never 0: that stands for a piece that is not finished."""
    return int.from_bytes(hashed(*rows)[:8], "little") or 1
