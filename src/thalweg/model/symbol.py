"""Symbols: values that note what is done to them in a graph.

Python's operators and NumPy's two protocols (``__array_ufunc__``, NEP 13; ``__array_function__``,
NEP 18) tell a symbol which operation it meets.  Ufuncs are recognised by name, so that SciPy's are
known without importing SciPy.  What needs the numbers themselves, or mixes points, is refused with
the operation and what to write instead; `trace.record` adds where in the user's code.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any, Final, NoReturn

import numpy as np

from .._core.value import Value
from . import functions
from .arrays import FIX, act_on_arrays, act_on_each, is_array_of_symbols
from .graph import Graph


class RecordingError(Exception):
    """A function cannot be recorded.

    Attributes
    ----------
    operation : str
        What stopped the recording.
    hint : str
        What to write instead; may be empty.
    file, line : str and int, or None
        Where, in the user's code.
    """

    def __init__(
        self, operation: str, file: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(operation, file, line, hint)
        self.operation, self.file, self.line, self.hint = operation, file, line, hint

    def __str__(self) -> str:
        where = "" if self.file is None else f" ({self.file}, line {self.line})"
        hint = f"; {self.hint}" if self.hint else ""
        return f"the function cannot be recorded: {self.operation}{where}{hint}"


_NUMBERS: Final = (float, int, np.floating, np.integer, np.bool_)

_HINTS: Final = {
    "bool()": "write np.where(condition, a, b) instead of if, & | ~ instead of and, or, not, and "
    "np.minimum or np.maximum instead of min or max",
    "float()": "use NumPy's function instead of math's, for instance np.exp for math.exp",
    "conversion to a NumPy array": "leave out np.asarray, and use np.where instead of writing "
    "into an array",
    "writing into a recorded value": "build the result with np.where instead",
    "indexing": "treat every point alike and choose between points with np.where",
    "len()": "do not use the number of points; the value at a point depends on that point only",
    "iteration": "write NumPy expressions, which act on every point at once",
}
_REDUCTION_HINT: Final = "the value at a point may depend on that point and the parameters only"
_UFUNC_HINT: Final = "write it with operations that thalweg knows, such as np.exp or np.where"


def refuse(operation: str, hint: str | None = None) -> NoReturn:
    raise RecordingError(operation, hint=_HINTS.get(operation, "") if hint is None else hint)


class Recorder:
    """The graph being recorded, and what becomes a node of it."""

    __slots__ = ("_known", "arrays", "graph", "n_points", "points")

    def __init__(self, graph: Graph, points: int | tuple[int, ...]) -> None:
        self.graph = graph
        graph.exact = True
        self.points = (points,) if isinstance(points, int) else points
        self.n_points = prod(self.points)
        self.arrays: list[np.ndarray] = []
        self._known: dict[int, tuple[int, Any]] = {}  # by id; the array is kept so that id stays

    def lift(self, value: Any) -> int:
        """The node of an operand: a symbol, a number or a per-point array."""
        if isinstance(value, Symbol):
            if value._recorder is not self:
                refuse("use of a value from another recording")
            return value._id
        if isinstance(value, _NUMBERS):
            return self.graph.const(float(value))
        if hasattr(value, "__array__"):
            return self._lift_array(value)
        refuse(f"an operand of type {type(value).__name__}", "use numbers and NumPy arrays")

    def _lift_array(self, value: Any) -> int:
        known = self._known.get(id(value))
        if known is not None:
            return known[0]
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            refuse(f"an array of type {array.dtype}", "use arrays of real numbers")
        if array.shape in ((self.n_points,), self.points):
            node = self.graph.append_x()
            numbers = np.asarray(array, dtype=float)
            self.arrays.append(numbers if numbers.ndim == 1 else numbers.reshape(-1))
        elif array.size == 1:
            node = self.graph.const(float(array.item()))
        else:
            refuse(
                f"an array of shape {array.shape} beside N={self.n_points} points",
                f"arrays must have shape {self.points}",
            )
        self._known[id(value)] = node, value
        return node

    def symbol(self, value: Any) -> "Symbol":
        return Symbol(self, self.lift(value))


def _refusal(operation: str) -> Any:
    def method(self: "Symbol", *_: Any, **__: Any) -> NoReturn:
        refuse(operation)

    return method


class Symbol(Value):
    """Stands for a parameter, the independent variable or what was computed from them."""

    __slots__ = ()
    __array_priority__ = 1e6  # for array types that know no protocol newer than this
    __pandas_priority__ = 1e6  # a column times a symbol is the symbol's to do
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<recorded {self._recorder.graph.node(self._id)[0]}>"

    def __pos__(self) -> "Symbol":
        return self

    def __xor__(self, other: Any) -> "Symbol":
        return self._apply("not_equal", ~self, ~self._recorder.symbol(other))

    __rxor__ = __xor__

    __bool__ = _refusal("bool()")
    __float__ = __int__ = __complex__ = __index__ = _refusal("float()")
    __round__ = __trunc__ = __floor__ = __ceil__ = _refusal("float()")
    __len__ = _refusal("len()")
    __getitem__ = _refusal("indexing")
    __setitem__ = _refusal("writing into a recorded value")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if dtype is None or np.dtype(dtype) != object:
            refuse("conversion to a NumPy array")
        array = np.empty((), object)  # np.array([a, b], dtype=object) asks each element
        array[()] = self
        return array

    def __iter__(self) -> Iterator["Symbol"]:
        refuse("iteration")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and NumPy ask for protocols in this way
        if name in _METHODS:  # np.tanh of an array of objects calls a method of each
            return lambda: self._apply(_UFUNC_OPS[name], self)
        refuse(f"attribute .{name} of a recorded value", _REDUCTION_HINT)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(map(is_array_of_symbols, inputs)):
            return act_on_arrays(ufunc, method, inputs, options)
        name = ufunc.__name__
        if options or method != "__call__":
            if options.get("out") is not None:
                refuse(f"np.{name} writing into an array", _HINTS["writing into a recorded value"])
            extra = f".{method}" if method != "__call__" else f" with {', '.join(options)}="
            refuse(f"np.{name}{extra}", _REDUCTION_HINT if method != "__call__" else _UFUNC_HINT)
        op = _UFUNC_OPS.get(name)
        if op is not None:
            return self._apply(op, *inputs)
        function = _UFUNCS.get(name)
        if function is None:
            refuse(f"the function {name}", _UFUNC_HINT)
        return function(*map(self._recorder.symbol, inputs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(map(is_array_of_symbols, args)):
            return act_on_each(function, args, kwargs)
        known = _ARRAY_FUNCTIONS.get(function)
        if known is None:
            refuse(f"the function np.{function.__name__}", _REDUCTION_HINT)
        return known(self._recorder, *args, **kwargs)


# NumPy's and SciPy's ufuncs by name: first those that are one operation of a tape.
_UFUNC_OPS: Final = {
    **dict.fromkeys(["absolute", "fabs"], "abs"),
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{
        name: name
        for name in "sign floor square sqrt cbrt exp expm1 log log1p sin cos tan sinh cosh tanh "
        "erf erfc erfcx hypot minimum maximum less less_equal equal not_equal floor_divide "
        "remainder".split()
    },
    "arctan2": "atan2",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "divide": "div",
    "float_power": "pow",
    "invert": "not",
    "logical_and": "and",
    "logical_not": "not",
    "logical_or": "or",
    "negative": "neg",
    "positive": "copy",
    "power": "pow",
    "reciprocal": "recip",
    "subtract": "sub",
}

_METHODS: Final = frozenset(
    "sqrt exp expm1 log log1p sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh "
    "arctanh".split()
)

_UFUNCS: Final[dict[str, Callable[..., Any]]] = {
    **{
        name: getattr(functions, name)
        for name in "ceil copysign dawsn exp10 exp2 expit exprel fmax fmin fmod heaviside log10 "
        "log2 log_expit log_ndtr logaddexp logaddexp2 logit ndtr rint softplus trunc voigt_profile "
        "xlog1py xlogy".split()
    },
    "add": operator.add,
    "bitwise_xor": operator.xor,
    "deg2rad": lambda x: x * (np.pi / 180.0),
    "degrees": lambda x: x * (180.0 / np.pi),
    "divmod": divmod,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "isfinite": lambda x: (x - x) == 0,
    "isinf": lambda x: abs(x) == np.inf,
    "isnan": lambda x: x != x,
    "logical_xor": operator.xor,
    "multiply": operator.mul,
    "rad2deg": lambda x: x * (180.0 / np.pi),
    "radians": lambda x: x * (np.pi / 180.0),
}


def _where(recorder: Recorder, condition: Any, *branches: Any) -> Symbol:
    if len(branches) != 2:
        refuse("np.where with one argument", "write np.where(condition, a, b)")
    nodes = map(recorder.lift, (condition, *branches))
    return Symbol(recorder, recorder.graph.add("where", *nodes))


def _of_symbols(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(recorder: Recorder, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def _full(recorder: Recorder, a: Any, fill_value: Any = 0.0, **_: Any) -> Symbol:
    return recorder.symbol(fill_value)


_ARRAY_FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    np.where: _where,
    np.zeros_like: lambda recorder, a, **_: recorder.symbol(0.0),
    np.ones_like: lambda recorder, a, **_: recorder.symbol(1.0),
    np.empty_like: lambda recorder, a, **_: recorder.symbol(0.0),
    np.full_like: _full,
    np.copy: lambda recorder, a, **_: recorder.symbol(a),
    np.round: _of_symbols(functions.around),
    np.around: _of_symbols(functions.around),
    **dict.fromkeys(FIX, _of_symbols(functions.trunc)),
    **{
        getattr(np, name): _of_symbols(getattr(functions, name))
        for name in ("clip", "piecewise", "polyval", "select", "sinc")
    },
}


class Variables(tuple[Symbol, ...]):
    """Several independent variables: ``x[0]``, ``x[0, :]``, ``x, y = xy``; no arithmetic."""

    __slots__ = ()
    __array_ufunc__ = None
    __array__ = _refusal("conversion to a NumPy array")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and all(k is Ellipsis or k == slice(None) for k in key[1:]):
            key = key[0]
        return super().__getitem__(key)

    def _no_arithmetic(self, other: Any) -> NoReturn:
        refuse(
            "arithmetic with all independent variables at once",
            "name them first: x, y = xy",
        )

    __add__ = __radd__ = __mul__ = __rmul__ = _no_arithmetic


class Columns(Mapping[str, Symbol]):
    """Independent variables by name: ``x["t"]``, or ``x.t`` as of a table.

    It notes in ``names_read`` which have been asked for.
    """

    def __init__(self, symbols: dict[str, Symbol]) -> None:
        self._symbols = symbols
        self.names_read: set[str] = set()

    def __getitem__(self, name: Any) -> Symbol:
        if isinstance(name, list | slice | np.ndarray):
            refuse(f"x[{name!r}]", "take one column at a time, x[name]")
        symbol = self._symbols[name]
        self.names_read.add(name)
        return symbol

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._symbols:
            return self[name]
        refuse(f"attribute .{name} of the columns of x", "take one column at a time, x[name]")

    def __iter__(self) -> Iterator[str]:
        return iter(self._symbols)

    def __len__(self) -> int:
        return len(self._symbols)
