"""Recordings of the simplest functions, kept from one call to the next.

A loop that fits the same function again and again would record it at every turn.  A recording is
used again only where everything on which it could have depended is the same:

- The code of the function runs straight on, without branch, loop, assignment to anything but its
  own variables, item or attribute of a value.  It names only attributes of the modules ``numpy``
  and ``math``, and global and closure variables.
- What these names stand for are numbers (``float`` and ``int``, which never change) and those
  ufuncs of NumPy that act on each element and are one operation of a graph.  Each is looked up
  again at every call, and must be the same object.
- The function was recorded without the numbers of x, and no floating-point error occurred, so that
  no setting of `numpy.errstate` matters.  The numbers of variables, parameters and points are the
  same as well.

Every other function is recorded at each call.
"""

from __future__ import annotations

import dis
import math
import operator
from collections.abc import Callable, Hashable
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

import numpy as np

from .._core.value import UFUNCS
from .graph import Graph
from .kept import keep
from .symbol import Recorder

# Instructions that only move values of the function's own, combine them or call one of them.  They
# are those of CPython 3.11 to 3.14; a function that has any other is not remembered.
_PLAIN: Final = frozenset(
    "RESUME CACHE NOP EXTENDED_ARG COPY_FREE_VARS PUSH_NULL POP_TOP SWAP COPY PRECALL CALL "
    "LOAD_CONST LOAD_SMALL_INT RETURN_VALUE RETURN_CONST BINARY_OP COMPARE_OP UNARY_NEGATIVE "
    "UNARY_POSITIVE UNARY_INVERT UNPACK_SEQUENCE LOAD_FAST LOAD_FAST_CHECK LOAD_FAST_BORROW "
    "LOAD_FAST_LOAD_FAST LOAD_FAST_BORROW_LOAD_FAST_BORROW STORE_FAST STORE_FAST_LOAD_FAST "
    "STORE_FAST_STORE_FAST LOAD_DEREF".split()
)
_UNARY_POSITIVE: Final = "INTRINSIC_UNARY_POSITIVE"  # from CPython 3.12 on one of many intrinsics
_CONSTANTS: Final = frozenset([float, int, bool, str, type(None)])
_NUMBERS: Final = frozenset([float, int])
_PURE: Final = frozenset(getattr(np, name) for name in UFUNCS if hasattr(np, name))
_ABSENT: Final = object()

_Name = tuple[str, str | None]  # a global variable, and which attribute of it the code reads


class _Kept(NamedTuple):
    """A recording, its code, and the objects that the names of its function stood for."""

    code: CodeType
    values: list[Any]
    graph: Graph
    output: int


# By the id of the code, which each entry holds.  They hold code and graphs, not data.
_NAMES: dict[int, tuple[CodeType, tuple[_Name, ...] | None]] = {}
_KEPT: dict[Hashable, _Kept] = {}


def recalled(function: Any, n_params: int, form: Hashable) -> tuple[Graph, int] | None:
    """Return what `remembered` returned at an earlier call, if it still holds."""
    if type(function) is not FunctionType:
        return None
    code = function.__code__
    kept = _KEPT.get((id(code), n_params, form))
    if kept is None or kept.code is not code:
        return None
    values = _values(function, code, n_params)
    if values is None or not _same(kept.values, values):
        return None
    return kept.graph.twin(), kept.output


def remembered(
    function: Any, n_params: int, form: Hashable, record: Callable[[], tuple[Recorder, list[int]]]
) -> tuple[Graph, int] | None:
    """Record a function that is not `recalled`, and keep the recording if it may be used again.

    Returns its graph and the node of its value.

    Parameters
    ----------
    function : callable
    n_params : int
        The number of its parameters after x.
    form : hashable
        All else that is told to the recording.
    record : callable
        Records the function without the numbers of x; returns recorder and node of the value.

    Returns
    -------
    tuple or None
        A graph of the caller's own; None for a function that must be recorded at each call.
    """
    if type(function) is not FunctionType:
        return None
    code = function.__code__
    values = _values(function, code, n_params)
    if values is None:
        return None
    kept = _recorded(code, values, record)
    again = _values(function, code, n_params)  # another thread may have changed a variable
    if kept is None or again is None or not _same(again, values):
        return None
    keep(_KEPT, (id(code), n_params, form), kept)
    return kept.graph.twin(), kept.output


def _recorded(
    code: CodeType, values: list[Any], record: Callable[[], tuple[Recorder, list[int]]]
) -> _Kept | None:
    """A recording for these values of its names; None if it fails, or has numbers of the data."""
    if not all(type(v) in _NUMBERS or (type(v) is np.ufunc and v in _PURE) for v in values):
        return None
    try:
        with np.errstate(all="raise"):
            recorder, [output] = record()
    except Exception:  # the usual recording says what is wrong
        return None
    graph: Graph = recorder.graph
    if recorder.arrays or graph.tables is not None:
        return None
    return _Kept(code, values, graph, output)


def _same(values: list[Any], others: list[Any]) -> bool:
    """Whether two lists, of what the names of one code stand for, hold the same objects."""
    return len(values) == len(others) and all(map(operator.is_, values, others))


def _values(function: FunctionType, code: CodeType, n_params: int) -> list[Any] | None:
    """What the names of a function stand for now; None if it cannot be remembered."""
    known = _NAMES.get(id(code))
    if known is None or known[0] is not code:
        known = code, _names_of(code)
        keep(_NAMES, id(code), known)
    names, variables = known[1], function.__globals__
    if names is None or code.co_argcount != 1 + n_params or type(variables) is not dict:
        return None
    values = []
    for name, attribute in names:
        value = variables.get(name, _ABSENT)
        if attribute is not None:
            if value is not np and value is not math:
                return None
            value = vars(value).get(attribute, _ABSENT)
        values.append(value)
    try:
        values += [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # a variable that has no value yet
        return None
    return values


def _names_of(code: CodeType) -> tuple[_Name, ...] | None:
    """The global variables that a code reads; None if it does more than the plain instructions."""
    if code.co_kwonlyargcount or code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        return None
    if not all(type(c) in _CONSTANTS for c in code.co_consts):
        return None
    names: list[_Name] = []
    before = ""
    for instruction in dis.get_instructions(code):
        what = instruction.opname
        if what == "LOAD_GLOBAL":
            names.append((instruction.argval, None))
        elif what in ("LOAD_ATTR", "LOAD_METHOD") and before == "LOAD_GLOBAL":
            names[-1] = names[-1][0], instruction.argval
        elif what not in _PLAIN and instruction.argrepr != _UNARY_POSITIVE:
            return None
        before = what if what not in ("CACHE", "EXTENDED_ARG") else before
    return tuple(names)
