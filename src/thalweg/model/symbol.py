"""Symbols: values that record in a graph the operations on them.

Python's operators and NumPy's two protocols (``__array_ufunc__``, NEP 13; ``__array_function__``,
NEP 18) tell a symbol which operation it meets.  Ufuncs are recognised by name, so that SciPy's are
known without importing SciPy.  An operation that needs the numbers themselves, or mixes points, is
refused by an error that names the operation and what to write instead; `trace.record` adds the
place in the user's code.
"""

import copyreg
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, Final, NoReturn

import numpy as np

from .._core import value as compiled
from . import complex_symbol, curves, functions, present
from .arrays import FIX, act_on_arrays, act_on_each, is_array_of_symbols
from .complex_symbol import ComplexSymbol, complex_ufunc, complex_where
from .foreign import restored, scipy_operation
from .graph import ON_THETA, ON_X, Graph, Node, evaluate, reachable
from .refusal import HINTS, REDUCTION_HINT, UFUNC_HINT, calling_line, numpy_name, refuse
from .tables import Tables, table
from .ufuncs import UFUNCS

_NUMBERS: Final = (float, int, np.floating, np.integer, np.bool_)


class Recorder(compiled.Recorder):
    """The graph being recorded; turns values into its nodes.

    ``_known[id(array)]`` holds the node of each array met, the array itself, so that no other gets
    its id, and a copy of it.
    """

    __slots__ = ()
    graph: Graph

    @property
    def n_points(self) -> int:
        """N."""
        return prod(self.points)

    def lift(self, value: Any) -> int:
        """Return the node of an operand: of a symbol, a number or a per-point array."""
        if isinstance(value, Symbol):
            if value._recorder is not self:
                refuse("use of a value from another recording")
            return value._id
        if isinstance(value, _NUMBERS):
            return self.number(float(value))
        if compiled.is_complex(value):
            refuse("a complex value where a real one is needed", "take its real part or np.abs")
        if hasattr(value, "__array__"):
            return self._lift_array(value)
        refuse(f"an operand of type {type(value).__name__}", "use numbers and NumPy arrays")

    def _lift_array(self, value: Any) -> int:
        array = np.asarray(value)
        known = self._known.get(id(value))
        if known is not None and np.array_equal(known[2], array, equal_nan=True):
            return int(known[0])
        if array.dtype.kind not in "biuf":
            refuse(f"an array of type {array.dtype}", "use arrays of real numbers")
        numbers = np.array(array, dtype=float)  # a copy: the function may write into the array
        every = present.put_back(self, numbers)
        if every.shape in ((self.n_points,), self.points):
            node = self.graph.append_x()
            self.arrays.append(every.reshape(-1))
        elif array.size == 1:
            node = self.number(float(array.item()))
        elif array.ndim == 1 and array.size:  # a curve on a grid of its own
            tables = curves.tables_of(self)
            number = tables.add(table("curve", 0, len(numbers), values=numbers))
            tables.places[number] = (array.shape, *calling_line())
            node = self.graph.add("fixed", self.graph.const(float(number)))
        else:
            refuse(
                f"an array of shape {array.shape} beside N={self.n_points} points",
                f"arrays must have shape {self.points}",
            )
        self._known[id(value)] = node, value, numbers
        return node

    def pair_of_array(self, value: np.ndarray) -> tuple[Any, Any]:
        """Return real and imaginary part of a per-point complex array, as symbols."""
        known = self._known.get(id(value))
        if known is not None and np.array_equal(known[2], value, equal_nan=True):
            nodes = known[0]
        else:
            nodes = self._lift_array(value.real.copy()), self._lift_array(value.imag.copy())
            self._known[id(value)] = nodes, value, value.copy()
        return Symbol(self, nodes[0]), Symbol(self, nodes[1])

    def concrete(self, value: Any) -> Any:
        """Return a value with numbers in place of symbols that depend on the data alone.

        Symbols in lists and tuples are replaced, too.  The result is None if one of the symbols has
        no numbers.  The function would get these numbers if it were called with the data.
        """
        if isinstance(value, list | tuple):
            parts = [self.concrete(v) for v in value]
            return None if any(p is None for p in parts) else type(value)(parts)
        if not isinstance(value, Symbol):
            return value
        graph, arrays = self.graph, [*self.data, *self.arrays]
        if not self.data or value._recorder is not self or graph.stage(value._id) != ON_X:
            return None
        self.reads = True
        kind, *operands = graph.node(value._id)
        if kind == "x":
            numbers = arrays[operands[0]]
            return None if numbers is None else present.read(self, np.array(numbers))
        needed = [graph.node(i) for i in reachable(graph.nodes, [value._id])]
        if any(node[0] == "x" and arrays[node[1]] is None for node in needed):
            return None
        [numbers] = evaluate(graph, [value._id], x=arrays)
        length = curves.length_of(self, value._id)
        if length != self.n_points:
            return np.array(numbers)
        numbers = present.read(self, np.array(np.broadcast_to(numbers, self.n_points)))
        return numbers.astype(bool) if value._condition else numbers

    def symbol(self, value: Any) -> "Symbol":
        return Symbol(self, self.lift(value))


def refusal(operation: str) -> Any:
    def method(self: Any, *_: Any, **__: Any) -> NoReturn:
        refuse(operation)

    return method


def _of_data(name: str, operation: str) -> Any:
    """A method of arrays that works only for symbols that depend on the data alone."""

    def method(self: "Symbol", *args: Any) -> Any:
        numbers, known = self._recorder.concrete(self), self._recorder.concrete(args)
        if numbers is None or known is None:
            refuse(operation)
        return getattr(numbers, name)(*known)

    return method


class Symbol(compiled.Value):
    """Stands for a parameter, the independent variable or what was computed from them."""

    __slots__ = ()
    __array_priority__ = 1e6  # array types without the newer protocols leave operators to symbols
    __pandas_priority__ = 1e6  # so that a column times a symbol is left to the symbol
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<recorded {self._recorder.graph.node(self._id)[0]}>"

    def __pos__(self) -> "Symbol":
        return self

    def __xor__(self, other: Any) -> "Symbol":
        return self._apply("not_equal", ~self, ~self._recorder.symbol(other))

    __rxor__ = __xor__

    __bool__ = _of_data("__bool__", "bool()")
    __float__ = _of_data("__float__", "float()")
    __int__ = _of_data("__int__", "float()")
    __complex__ = refusal("complex()")
    __index__ = refusal("float()")
    __round__ = __trunc__ = __floor__ = __ceil__ = refusal("float()")
    __iter__ = _of_data("__iter__", "iteration")
    __setitem__ = refusal("writing into a recorded value")

    def __len__(self) -> int:
        graph, recorder = self._recorder.graph, self._recorder
        if graph.stage(self._id) & ON_THETA and graph.stage(self._id) & ON_X:
            return curves.rows_of(recorder, self._id)
        numbers = recorder.concrete(self)
        return refuse("len()") if numbers is None else len(numbers)

    def __matmul__(self, other: Any) -> Any:
        return self._product(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._product(other, self)

    def _product(self, a: Any, b: Any) -> Any:
        known = self._recorder.concrete([a, b])
        if known is not None:
            return known[0] @ known[1]
        if is_array_of_symbols(a) or is_array_of_symbols(b):
            refuse("the product @ of points")
        return curves.matmul(self._recorder, a, b)

    def __getitem__(self, key: Any) -> Any:
        if key is Ellipsis or (isinstance(key, slice) and key == slice(None)):
            return self
        numbers, known = self._recorder.concrete(self), self._recorder.concrete(key)
        if numbers is None or known is None:
            return curves.getitem(self, key)
        return numbers[known]

    def _as_complex(self) -> ComplexSymbol:
        return ComplexSymbol(self._recorder, (self, 0.0))

    def _is_parameter(self) -> bool:
        return any(self is parameter for parameter in self._recorder.parameters)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        numbers = self._recorder.concrete(self)
        if numbers is not None and (dtype is None or np.dtype(dtype).kind != "O"):
            return numbers if dtype is None else numbers.astype(dtype)
        if not (self._is_parameter() and dtype is None) and (
            dtype is None or np.dtype(dtype) != object
        ):
            refuse("conversion to a NumPy array")
        array = np.empty((), object)  # np.array([a, b], dtype=object) calls this for each element
        array[()] = self
        return array

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Python and NumPy look for protocols by such names
        if name in _METHODS:  # np.tanh of an array of objects calls .tanh() of each element
            return lambda: self._apply(compiled.UFUNCS[name], self)
        if name in _OF_REAL:
            return _OF_REAL[name](self)
        recorder: Recorder = self._recorder
        graph = recorder.graph
        on_x = bool(graph.stage(self._id) & ON_X)
        if on_x or self._is_parameter():
            shape = present.shape_of(recorder) if on_x else ()
            length = None if graph.tables is None else curves.length_of(recorder, self._id)
            shape = shape if length in (None, recorder.n_points) else (length,)
            if name in ("shape", "ndim", "size", "dtype"):
                return getattr(np.broadcast_to(0.0, shape), name)
            if name in _SAME or (len(shape) < 2 and name in _SAME_ROW):
                return self if name in ("T", "values") else _same_numbers(self)
        numbers = recorder.concrete(self)
        if numbers is not None:
            return getattr(numbers, name)
        if name in curves.METHODS and graph.stage(self._id) & ON_THETA:
            return partial(curves.METHODS[name], recorder, self)
        refuse(f"attribute .{name} of a recorded value", REDUCTION_HINT)

    def _ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, options: dict[str, Any]) -> Any:
        """Return the value of a call that is no single operation, see `compiled.Value`."""
        if len(inputs) > 1 and any(map(is_array_of_symbols, inputs)):
            return act_on_arrays(ufunc, method, inputs, options)
        if any(map(compiled.is_complex, inputs)):
            return complex_ufunc(self._recorder, ufunc, method, inputs, options)
        name = ufunc.__name__
        function = UFUNCS.get(name)
        if function is not None and not options and method == "__call__":
            return function(*map(self._recorder.symbol, inputs))
        if not options and method == "__call__" and self._recorder.concrete(inputs) is None:
            operation = scipy_operation(ufunc, symbols_of)
            if operation is not None:
                return self._apply(operation, *inputs)
        if options.get("out") is not None:
            refuse(f"np.{name} writing into an array", HINTS["writing into a recorded value"])
        known = self._recorder.concrete(inputs)
        if known is not None:
            return getattr(ufunc, method)(*known, **options)
        if name == "matmul" and not options:
            return self._product(*inputs)
        if options or method != "__call__":
            extra = f".{method}" if method != "__call__" else f" with {', '.join(options)}="
            refuse(f"np.{name}{extra}", REDUCTION_HINT if method != "__call__" else UFUNC_HINT)
        refuse(f"the function {name}", UFUNC_HINT)

    def _depends_on_theta(self, operands: Any) -> bool:
        """Whether one of these depends on parameters; what is computed of x alone needs numbers."""
        graph = self._recorder.graph
        return any(isinstance(a, Symbol) and graph.stage(a._id) & ON_THETA for a in operands)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(map(is_array_of_symbols, args)):
            return act_on_each(function, args, kwargs)
        recorder: Recorder = self._recorder
        known = _ARRAY_FUNCTIONS.get(function)
        if known is not None:
            return known(recorder, *args, **kwargs)
        numbers, options = recorder.concrete(args), recorder.concrete(list(kwargs.values()))
        if numbers is None or options is None:
            if function in curves.FUNCTIONS and self._depends_on_theta(args):
                return curves.FUNCTIONS[function](recorder, *args, **kwargs)
            refuse(f"the function {numpy_name(function)}", REDUCTION_HINT)
        return function(*numbers, **dict(zip(kwargs, options, strict=True)))


def symbols_of(graph: Graph, nodes: Sequence[int]) -> list[Symbol]:
    """Return symbols of nodes of a graph, for functions that are recorded into it later."""
    exact = graph.exact
    recorder = Recorder(graph, ())
    graph.exact = exact
    return [Symbol(recorder, node) for node in nodes]


def _restored(n_theta: int, nodes: Sequence[Node], tables: Tables | None = None) -> Graph:
    return restored(n_theta, nodes, symbols_of, tables)


copyreg.pickle(Graph, lambda graph: (_restored, (graph.n_theta, graph.nodes, graph.tables)))


# Attributes that leave the numbers unchanged: of arrays of any shape, and of arrays of one row.
_SAME: Final = frozenset({"astype", "copy", "to_numpy", "values"})
_SAME_ROW: Final = frozenset({"T", "flatten", "ravel", "squeeze"})


def _same_numbers(symbol: Symbol) -> Callable[..., Any]:
    """The method ``astype``, ``copy`` or the like of an array of floats."""

    def method(dtype: Any = float, *_: Any, **__: Any) -> Any:
        if isinstance(dtype, str) and dtype in "CFAK":  # the order of a copy
            return symbol
        if dtype is not None and np.dtype(dtype).kind == "c":
            return symbol._as_complex()
        if dtype is not None and np.dtype(dtype).kind != "f":
            numbers = symbol._recorder.concrete(symbol)
            if numbers is None:
                refuse(f"conversion to {np.dtype(dtype)}", "values of a fit are floats")
            return numbers.astype(dtype)
        return symbol

    return method


# What complex numbers have, of a real value.
_OF_REAL: Final[dict[str, Callable[[Symbol], Any]]] = {
    "real": lambda symbol: symbol,
    "imag": lambda symbol: symbol._recorder.symbol(0.0),
    "conj": lambda symbol: lambda: symbol,
    "conjugate": lambda symbol: lambda: symbol,
}

_METHODS: Final = frozenset(
    "sqrt exp expm1 log log1p sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh "
    "arctanh".split()
)


def _where(recorder: Recorder, condition: Any, *branches: Any) -> Any:
    if len(branches) != 2:
        refuse("np.where with one argument", "write np.where(condition, a, b)")
    if any(map(compiled.is_complex, branches)):
        return complex_where(recorder, condition, *branches)
    nodes = map(recorder.lift, (condition, *branches))
    return Symbol(recorder, recorder.graph.add("where", *nodes))


def _stack(recorder: Recorder, values: Any, axis: int = 0) -> Any:
    if axis != 0:
        refuse("np.stack along another axis than the first", "return the outputs as a tuple")
    return list(values)


def _of_symbols(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(recorder: Recorder, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def _full(recorder: Recorder, a: Any, fill_value: Any = 0.0, **_: Any) -> Symbol:
    return recorder.symbol(fill_value)


_ARRAY_FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    **complex_symbol.ARRAY_FUNCTIONS,
    np.where: _where,
    np.stack: _stack,
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
