"""Functions that are not of this library, as operations of a graph: SciPy's and the user's own.

A tape calls them by their address, number by number, without Python (csrc/tape/foreign.h).  Their
derivatives are those of a table of identities, of the user, or differences, which csrc/tape takes
as operations of their own: `f by 0` is the derivative of f with respect to its first operand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from .._core.dispatch import own_functions
from .._core.operations import of_capsule, opcode, register
from .._core.tape import Tape, evaluate
from .graph import LEAVES, NUMPY, Graph, Node, rebuilt
from .identities import IDENTITIES, Identity
from .partials import PARTIALS, Partial
from .tables import WITH_TABLES, Tables

# Makes symbols of nodes of a graph.
AsSymbols = Callable[[Graph, Sequence[int]], Sequence[Any]]

_SCIPY = "scipy.special"


class Code(NamedTuple):
    """A compiled function of doubles.

    Attributes
    ----------
    address : int
    arity : int
        How many doubles it takes, 1 to 3.
    flag : bool
        Whether it takes an int after them, as a cpdef function of Cython does.
    owner : object
        What keeps the code alive.
    """

    address: int
    arity: int
    flag: bool
    owner: Any


def scipy_operation(ufunc: np.ufunc, as_symbols: AsSymbols) -> str | None:
    """Return the operation of a function of `scipy.special`; None if it has none.

    It has one if it takes one to three real numbers and SciPy exports it to Cython.
    """
    name = f"{_SCIPY}.{ufunc.__name__}"
    if getattr(sys.modules.get(_SCIPY), ufunc.__name__, None) is not ufunc:
        return None
    if name in NUMPY:
        return name
    if ufunc.nin > 3 or ufunc.nout > 1:
        return None
    address = _exported(ufunc.__name__, ufunc.nin)
    if address is None:
        return None
    derivatives = IDENTITIES.get(ufunc.__name__, (None,) * ufunc.nin)
    code = Code(address, ufunc.nin, True, ufunc)
    add_operation(name, code, derivatives, as_symbols)
    NUMPY[name] = ufunc
    return name


def restored(
    n_theta: int, nodes: Sequence[Node], as_symbols: AsSymbols, tables: Tables | None = None
) -> Graph:
    """Return a graph of these nodes, which another process may have made with functions of SciPy.

    Raises
    ------
    ValueError
        An operation is a function of the user's, whose code only that other process has.
    """
    for name in {node[0] for node in nodes} - {*NUMPY, *LEAVES, *WITH_TABLES}:
        if not name.startswith(_SCIPY):
            raise ValueError(f"this process does not know {name}, a function of another one")
        ufunc = getattr(import_module(_SCIPY), name.removeprefix(f"{_SCIPY}.").split()[0])
        scipy_operation(ufunc, as_symbols)
    return rebuilt(n_theta, nodes, tables)


def _exported(name: str, arity: int) -> int | None:
    """The address of the function of doubles that SciPy exports under this name, if there is one.

    A function of several element types has a name for each, such as __pyx_fuse_1jv.
    """
    table = import_module(f"{_SCIPY}.cython_special").__pyx_capi__
    wanted = f"double ({'double, ' * arity}int __pyx_skip_dispatch)"
    spelled = re.compile(rf"(__pyx_fuse_\d+(_\d+)*)?{name}")
    for key, capsule in table.items():
        if spelled.fullmatch(key):
            signature, address = of_capsule(capsule)
            if signature == wanted:
                return address
    return None


def add_operation(
    name: str, code: Code, derivatives: Sequence[Identity | None], as_symbols: AsSymbols
) -> None:
    """Make a function an operation, and its derivatives: by identities, else by differences."""

    def at(name: str, *wrt: int) -> str:
        register(name, code.address, code.arity, code.flag, wrt, code.owner)
        NUMPY[name] = _numbers(name)
        return name

    def by_differences(j: int) -> Partial:
        first = at(f"{name} by {j}", j)
        second = [at(f"{name} by {j} and {k}", j, k) for k in range(code.arity)]
        PARTIALS.update((each, (_no_more,) * code.arity) for each in second)
        PARTIALS[first] = tuple(map(_operation, second))
        return _operation(first)

    at(name)
    PARTIALS[name] = tuple(
        by_differences(j) if identity is None else _by_identity(identity, as_symbols)
        for j, identity in enumerate(derivatives)
    )


def _operation(name: str) -> Partial:
    return lambda g, v, *operands: (g.add(name, *operands),)


def _no_more(g: Graph, v: int, *operands: int) -> tuple[int, ...]:
    raise ValueError("a function that is called has no derivatives beyond the second")


def _by_identity(identity: Identity, as_symbols: AsSymbols) -> Partial:
    def partial(g: Graph, v: int, *operands: int) -> tuple[int, ...]:
        value = identity(*as_symbols(g, operands))
        return (g.const(float(value)) if isinstance(value, int | float) else value._id,)

    return partial


def _numbers(name: str) -> Callable[..., Any]:
    """The operation on arrays, by a tape that consists of it alone."""

    def values(*operands: Any) -> Any:
        arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in operands))
        n, shape = len(arrays), arrays[0].shape
        rows = [np.ascontiguousarray(a).reshape(-1) for a in arrays]
        inputs = [*range(n), 0, 0][:3]
        code = [(opcode(name), n, *inputs)]
        tape = Tape(0, n, [], (0, n, 1), code, (0, 0, 1), (), [n])
        out = np.empty((1, rows[0].size))
        evaluate(tape, False, rows[0].size, rows, np.empty(0), out)
        return out.reshape(shape)[()]

    return values


# Functions that are called as those of others are, and differentiated by differences.
for _name, (_address, _arity) in own_functions().items():
    add_operation(_name, Code(_address, _arity, False, None), (None,) * _arity, lambda g, ids: ids)
