"""Complex symbols: a pair of real symbols, for models that compute with complex numbers.

A complex symbol arises where a real symbol meets a complex number, as in ``1j * omega * C``.  What
is done to it is recorded as the formulas of `pairs`, so that graph, derivatives and engine know
real numbers only.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, NoReturn

import numpy as np

from .._core import value as compiled
from . import functions, pairs
from .pairs import Pair, Part
from .refusal import numpy_name, refuse

_REFUSED: Final = "of a complex value"
_PARTS_HINT: Final = "take its real or imaginary part, np.abs or np.angle first"


class ComplexSymbol(compiled.ComplexValue):
    """The complex value ``re + 1j * im`` of two parts that are symbols or numbers.

    Attributes
    ----------
    pair : tuple
        The parts; the float 0.0 is known to be zero.
    """

    __slots__ = ("_recorder", "pair")
    __array_priority__ = 1e6  # array types without the newer protocols leave operators to symbols
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recorder: Any, pair: Pair) -> None:
        self._recorder, self.pair = recorder, pair

    def __repr__(self) -> str:
        return "<recorded complex value>"

    @property
    def real(self) -> Any:
        """The real part, a real symbol."""
        return self._recorder.symbol(self.pair[0])

    @property
    def imag(self) -> Any:
        """The imaginary part, a real symbol."""
        return self._recorder.symbol(self.pair[1])

    def conjugate(self) -> ComplexSymbol:
        """Return re - 1j im."""
        return ComplexSymbol(self._recorder, pairs.conjugate(self.pair))

    conj = conjugate

    def astype(self, dtype: Any, *_: Any, **__: Any) -> ComplexSymbol:
        """Return the value itself for a complex type; others are refused."""
        if np.dtype(dtype).kind != "c":
            refuse(f"conversion to {np.dtype(dtype)} {_REFUSED}", _PARTS_HINT)
        return self

    def __pos__(self) -> ComplexSymbol:
        return self

    def __neg__(self) -> ComplexSymbol:
        return ComplexSymbol(self._recorder, pairs.negative(self.pair))

    def __abs__(self) -> Any:
        return self._recorder.symbol(pairs.absolute(self.pair))

    def __eq__(self, other: object) -> Any:
        re, im = pair_of(self._recorder, other)
        return (self.real == re) & (self.imag == im)

    def __ne__(self, other: object) -> Any:
        return ~(self == other)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and NumPy look for protocols by such names
        if name in ("shape", "ndim", "size"):
            return getattr(self.real, name)
        refuse(f"attribute .{name} {_REFUSED}", _PARTS_HINT)

    def __array__(self, *_: Any, **__: Any) -> Any:
        refuse(f"conversion to a NumPy array {_REFUSED}", "leave it out")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return complex_ufunc(self._recorder, ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        known = ARRAY_FUNCTIONS.get(function)
        if known is None:
            refuse(f"the function {numpy_name(function)} {_REFUSED}", _PARTS_HINT)
        return known(self._recorder, *args, **kwargs)


def _refusal(operation: str, hint: str = _PARTS_HINT) -> Any:
    def method(self: Any, *_: Any, **__: Any) -> NoReturn:
        refuse(f"{operation} {_REFUSED}", hint)

    return method


def pair_of(recorder: Any, value: Any) -> Pair:
    """Return the parts of an operand: a recorded value, a number or a per-point array."""
    if isinstance(value, ComplexSymbol):
        if value._recorder is not recorder:
            refuse("use of a value from another recording", "")
        return value.pair
    if isinstance(value, complex | np.complexfloating):
        return float(value.real), float(value.imag)
    if isinstance(value, np.ndarray) and value.dtype.kind == "c":
        return recorder.pair_of_array(value)  # type: ignore[no-any-return]
    if isinstance(value, float | int | np.floating | np.integer):
        return float(value), 0.0
    return recorder.symbol(value), 0.0


def _binary(function: Callable[[Pair, Pair], Pair], name: str) -> None:
    """Give `ComplexSymbol` an operator of Python, from both sides."""

    def method(self: ComplexSymbol, other: Any) -> ComplexSymbol:
        z, w = self.pair, pair_of(self._recorder, other)
        return ComplexSymbol(self._recorder, function(z, w))

    def reflected(self: ComplexSymbol, other: Any) -> ComplexSymbol:
        z, w = pair_of(self._recorder, other), self.pair
        return ComplexSymbol(self._recorder, function(z, w))

    setattr(ComplexSymbol, f"__{name}__", method)
    setattr(ComplexSymbol, f"__r{name}__", reflected)


for _function, _name in (
    (pairs.add, "add"),
    (pairs.subtract, "sub"),
    (pairs.multiply, "mul"),
    (pairs.divide, "truediv"),
    (pairs.power, "pow"),
):
    _binary(_function, _name)

for _name in ("lt", "le", "gt", "ge"):
    setattr(ComplexSymbol, f"__{_name}__", _refusal("an order"))
for _name in ("floordiv", "rfloordiv", "mod", "rmod", "divmod", "rdivmod"):
    setattr(ComplexSymbol, f"__{_name}__", _refusal("a remainder"))
for _name in ("and", "rand", "or", "ror", "xor", "rxor", "invert"):
    setattr(ComplexSymbol, f"__{_name}__", _refusal("logic"))
for _name in ("bool", "float", "int", "complex", "index", "round", "len", "iter", "getitem"):
    _hint = "write NumPy expressions, which act on every point at once; np.exp for cmath.exp"
    setattr(ComplexSymbol, f"__{_name}__", _refusal(f"__{_name}__", _hint))

# Functions of one complex operand by the names of NumPy's ufuncs.
_UNARY: Final[dict[str, Callable[[Pair], Pair]]] = {
    **{
        name: getattr(pairs, name)
        for name in "conjugate cos cosh exp expm1 log log1p negative sin sinh sqrt square tan "
        "tanh".split()
    },
    "exp2": lambda z: pairs.exp(pairs.multiply((functions.LN2, 0.0), z)),
    "log10": lambda z: pairs.multiply((1.0 / functions.LN10, 0.0), pairs.log(z)),
    "log2": lambda z: pairs.multiply((1.0 / functions.LN2, 0.0), pairs.log(z)),
    "positive": lambda z: z,
    "reciprocal": lambda z: pairs.divide((1.0, 0.0), z),
}
_BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": operator.add,
    "divide": operator.truediv,
    "equal": operator.eq,
    "float_power": operator.pow,
    "multiply": operator.mul,
    "not_equal": operator.ne,
    "power": operator.pow,
    "subtract": operator.sub,
}


def complex_ufunc(recorder: Any, ufunc: np.ufunc, method: str, inputs: Any, options: Any) -> Any:
    """Return the value of a ufunc of which an operand is complex."""
    name = ufunc.__name__
    if method == "__call__" and not options:
        if name == "absolute":
            return recorder.symbol(pairs.absolute(pair_of(recorder, inputs[0])))
        if name in _UNARY:
            return ComplexSymbol(recorder, _UNARY[name](pair_of(recorder, inputs[0])))
        if name in _BINARY:
            z, w = (ComplexSymbol(recorder, pair_of(recorder, value)) for value in inputs)
            return _BINARY[name](z, w)
    refuse(f"np.{name} {_REFUSED}", "it has no formula in real numbers here; " + _PARTS_HINT)


def complex_where(recorder: Any, condition: Any, a: Any, b: Any) -> ComplexSymbol:
    """np.where of which a branch is complex."""
    condition, z, w = recorder.symbol(condition), pair_of(recorder, a), pair_of(recorder, b)

    def chosen(p: Part, q: Part) -> Part:
        return 0.0 if pairs.is_zero(p) and pairs.is_zero(q) else np.where(condition, p, q)

    return ComplexSymbol(recorder, (chosen(z[0], w[0]), chosen(z[1], w[1])))


def _angle(recorder: Any, z: Any, deg: bool = False) -> Any:
    turn = recorder.symbol(pairs.angle(pair_of(recorder, z)))
    return turn * (180.0 / np.pi) if deg else turn


def _power_series(recorder: Any, p: Any, x: Any) -> Any:
    return functions.polyval(p, x)


# NumPy's functions that are no ufuncs and take a real or a complex value.
ARRAY_FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    np.where: complex_where,
    np.real: lambda recorder, z: z.real,
    np.imag: lambda recorder, z: z.imag,
    np.angle: _angle,
    np.copy: lambda recorder, z, **_: z,
    np.polyval: _power_series,
    np.zeros_like: lambda recorder, z, **_: recorder.symbol(0.0),
    np.iscomplexobj: lambda recorder, z: compiled.is_complex(z),
    np.isrealobj: lambda recorder, z: not compiled.is_complex(z),
    np.ones_like: lambda recorder, z, **_: recorder.symbol(1.0),
}
