"""`function`: a compiled function of the user's, which models may call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from .._arguments.spelling import spelled
from .._core.operations import of_capsule
from .foreign import Code, add_operation
from .graph import NUMPY, applied
from .symbol import symbols_of

_OF_CTYPES: Any = type(ctypes.CFUNCTYPE(None)()).__mro__[1]  # the base of functions of ctypes
_WANTED = (
    "a numba cfunc, a function of ctypes or cffi, a scipy.LowLevelCallable or a capsule of Cython"
)


class Function:
    """A compiled function of one to three numbers, made by `thalweg.function`.

    It acts on numbers and on arrays, element by element, and may be called in a model.

    Examples
    --------
    >>> import ctypes, ctypes.util
    >>> import thalweg as tw
    >>> library = ctypes.CDLL(ctypes.util.find_library("m"))
    >>> library.hypot.argtypes, library.hypot.restype = [ctypes.c_double] * 2, ctypes.c_double
    >>> hypot = tw.function(library.hypot)
    >>> hypot
    <compiled function hypot of 2 numbers>
    >>> hypot([3, 5], [4, 12])
    array([ 5., 13.])
    """

    def __init__(self, name: str, operation: str, arity: int) -> None:
        self.__name__ = name
        self.arity = arity
        self._operation = operation

    def __call__(self, *operands: Any) -> Any:
        """Return the values at these numbers or arrays, which are broadcast."""
        if len(operands) != self.arity:
            raise TypeError(f"{self.__name__} takes {self.arity} numbers, got {len(operands)}")
        return applied(self._operation, *operands)

    def __repr__(self) -> str:
        return f"<compiled function {self.__name__} of {self.arity} numbers>"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self.__name__} is code in the memory of this process; make it anew there"
        )


@spelled
def function(
    pointer: Any, *, derivatives: Sequence[Any] | None = None, name: str | None = None
) -> Function:
    """Make a compiled function f of one to three doubles part of what models are recorded from.

    Parameters
    ----------
    pointer : numba cfunc, function of ctypes or cffi, scipy.LowLevelCallable or capsule
        A C function ``double f(double)``, ``f(double, double)`` or ``f(double, double, double)``.
        It is called once for each point, without the GIL and by several threads at a time; so it
        must not keep state.
    derivatives : sequence, optional
        df/da for each of its operands a: another such function of all operands; a Python function
        of them, which is recorded like a model; or None.  By default, and for None, differences of
        fourth order, to a relative error of about 1e-10 if f is smooth, at 4 calls each, or
        more where f changes fast.
    name : str, optional
        What messages call it; by default its own name.

    Returns
    -------
    Function
        It may be called in models, and with numbers and arrays.

    Raises
    ------
    TypeError
        ``pointer`` is no such function, or its signature is another one.
    ValueError
        There are more or fewer derivatives than operands.

    Examples
    --------
    >>> import ctypes, ctypes.util
    >>> import numpy as np
    >>> import thalweg as tw
    >>> library = ctypes.CDLL(ctypes.util.find_library("m"))
    >>> library.lgamma.argtypes, library.lgamma.restype = [ctypes.c_double], ctypes.c_double
    >>> log_gamma = tw.function(library.lgamma)
    >>> log_gamma(np.array([3.0, 5.0])).round(6)
    array([0.693147, 3.178054])
    >>> x = np.linspace(1, 5, 20)
    >>> r = tw.fit(lambda x, a, s: a * log_gamma(s * x), x, 2 * log_gamma(1.5 * x), p0=[1, 1])
    >>> r.params.round(6)
    array([2. , 1.5])
    """
    code, own_name = _code(pointer)
    if derivatives is None:
        derivatives = (None,) * code.arity
    if len(derivatives) != code.arity:
        raise ValueError(
            f"derivatives must have one entry for each of the {code.arity} operands, "
            f"got {len(derivatives)}"
        )
    slopes = [_slope(each, code.arity) for each in derivatives]
    name = own_name if name is None else str(name)
    told = tuple(getattr(slope, "_operation", id(slope)) for slope in slopes if slope is not None)
    operation = f"{name} at {code.address:#x} {told}" if told else f"{name} at {code.address:#x}"
    if operation not in NUMPY:
        code = code._replace(owner=(code.owner, slopes))
        add_operation(operation, code, slopes, symbols_of)
    return Function(name, operation, code.arity)


def _slope(given: Any, arity: int) -> Callable[..., Any] | None:
    """A derivative as a function of symbols."""
    of_python = hasattr(given, "__code__") and not hasattr(given, "address")  # numba's has both
    slope = given if given is None or of_python or isinstance(given, Function) else function(given)
    if isinstance(slope, Function) and slope.arity != arity:
        raise ValueError(f"a derivative must take all {arity} operands, got one of {slope.arity}")
    return slope


def _code(pointer: Any) -> tuple[Code, str]:
    """The code of a compiled function, and its name."""
    name = getattr(pointer, "__name__", None) or "a function"
    name = "a function" if name.startswith("<") else name  # cffi's have no name of their own
    if isinstance(pointer, tuple) and type(pointer).__name__ == "LowLevelCallable":
        if getattr(pointer, "user_data", None) is not None:
            raise TypeError("a LowLevelCallable with user_data is not a function of numbers alone")
        return Code(*_of_capsule(tuple.__getitem__(pointer, 0)), pointer), name
    if type(pointer).__name__ == "PyCapsule":
        return Code(*_of_capsule(pointer), pointer), name
    if hasattr(pointer, "ctypes") and hasattr(pointer, "address"):  # numba's cfunc
        return _of_ctypes(pointer.ctypes)._replace(owner=pointer), name
    if isinstance(pointer, _OF_CTYPES):
        return _of_ctypes(pointer), name
    if type(pointer).__module__ == "_cffi_backend":
        return _of_cffi(pointer), name
    cure = "; write a Python function into the model as it is" * callable(pointer)
    raise TypeError(f"pointer must be {_WANTED}, got {type(pointer).__name__}{cure}")


def _of_capsule(capsule: Any) -> tuple[int, int, bool]:
    signature, address = of_capsule(capsule)
    for arity in (1, 2, 3):
        doubles = ", ".join(["double"] * arity)
        if signature == f"double ({doubles})":
            return address, arity, False
        if signature == f"double ({doubles}, int __pyx_skip_dispatch)":
            return address, arity, True
    raise _wrong(signature)


def _of_ctypes(pointer: Any) -> Code:
    operands, result = pointer.argtypes, pointer.restype
    if operands is None:
        raise TypeError("the function of ctypes needs argtypes and restype, all of them c_double")
    kinds = [*operands, result]
    if any(kind is not ctypes.c_double for kind in kinds) or not 1 <= len(operands) <= 3:
        words = [getattr(kind, "__name__", str(kind)) for kind in kinds]
        raise _wrong(f"{words[-1]} ({', '.join(words[:-1])})")
    address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
    return Code(address, len(operands), False, pointer)


def _of_cffi(pointer: Any) -> Code:
    import _cffi_backend  # type: ignore[import-untyped]

    kind = _cffi_backend.typeof(pointer)
    if kind.kind != "function":
        raise _wrong(kind.cname)
    operands = [each.cname for each in kind.args]
    if {*operands, kind.result.cname} != {"double"} or not 1 <= len(operands) <= 3:
        raise _wrong(kind.cname)
    whole = _cffi_backend.cast(_cffi_backend.new_primitive_type("uintptr_t"), pointer)
    return Code(int(whole), len(operands), False, pointer)


def _wrong(signature: str) -> TypeError:
    return TypeError(f"a function must map 1 to 3 doubles to a double, got {signature or 'void'!r}")
