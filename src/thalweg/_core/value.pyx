"""Python's operators and ufuncs on recorded values: each adds a node to their graph.

This module says what the operators of Python, and the ufuncs that are one operation, mean to a
graph; thalweg.model.symbol says what other functions mean.
"""
import operator
from math import prod

from numpy import bool_, complexfloating, full, ndarray

from thalweg._core.graph cimport Graph, simplified
from thalweg._core.operations cimport OPCODE, arity_of
from thalweg._core.thalweg_h cimport (
    ABS, ADD, AND, COPY, DIV, EQUAL, FLOOR_DIVIDE, LESS, LESS_EQUAL, MUL, NEG, NOT, NOT_EQUAL, OR,
    POW, REMAINDER, SUB,
)


cdef frozenset CONDITIONS = frozenset({LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, AND, OR, NOT})
cdef frozenset NOTHING = frozenset()

# NumPy's and SciPy's ufuncs that are one operation of a tape, by name.
cdef dict OPERATION = {
    **dict.fromkeys(["absolute", "fabs"], "abs"),
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{
        name: name
        for name in "sign floor square sqrt cbrt exp expm1 log log1p sin cos tan sinh cosh tanh "
        "erf erfc erfcx exp1 hypot minimum maximum less less_equal equal not_equal floor_divide "
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
UFUNCS = OPERATION

# The operators of Python, which a complex operand turns into operators of complex values.
cdef dict OPERATOR = {
    ADD: operator.add, SUB: operator.sub, MUL: operator.mul, DIV: operator.truediv,
    POW: operator.pow, FLOOR_DIVIDE: operator.floordiv, REMAINDER: operator.mod,
    LESS: operator.lt, LESS_EQUAL: operator.le, EQUAL: operator.eq, NOT_EQUAL: operator.ne,
    AND: operator.and_, OR: operator.or_,
}


cdef class ComplexValue:
    """The base of recorded complex values, by which the operators of real ones know them."""


cdef class Recorder:
    """What a recording knows; a subclass has ``lift(value)``, which makes a node of any operand.

    ``points`` is the shape of the points; ``data`` holds the values (N,) of each variable, None for
    one that differs from fit to fit; ``arrays`` collects the per-point arrays that are met.

    ``numbers`` notes every number that the function combines with values.  Those at the places
    ``own``, which are numbers of one data set, become arrays, the others constants of the graph.
    """

    cdef readonly Graph graph
    cdef readonly object points, data
    cdef readonly list arrays
    cdef readonly list numbers
    cdef public frozenset own
    cdef public bint own_x  # whether these data are those of one data set, and others have others
    cdef public bint reads  # whether the function has got numbers of the data
    cdef public list parameters  # not what is computed from them, such as 1.0 * a
    cdef readonly dict _known  # what has been lifted of each array, by the id of the array

    def __cinit__(self, Graph graph not None, points, data=()):
        self.graph = graph
        self.points = (points,) if isinstance(points, int) else points
        self.data, self.arrays, self.own, self._known = data, [], NOTHING, {}
        self.parameters, self.numbers = [], []
        graph.exact = True

    cpdef int number(self, double value) except -1:
        """Return the node of a number that the function combines with values."""
        self.numbers.append(value)
        if not self.own or len(self.numbers) - 1 not in self.own:
            return self.graph.constant(value)
        self.arrays.append(full(prod(self.points), value))
        return self.graph.append_x()


cdef class Value:
    """A node of the graph of ``recorder``, whose ``lift`` makes a node of any other operand.

    Operators give values of the same class.  With a complex operand they give what the operators of
    ``_as_complex()``, a method of a subclass, give.
    """

    cdef Graph graph
    cdef readonly object _recorder
    cdef readonly int _id
    cdef readonly bint _condition  # for NumPy it would be a bool, whose sum is `or`

    def __init__(self, recorder, int node):
        cdef Graph graph = recorder.graph
        if graph is None:
            raise TypeError("a recorder without a graph records nothing")
        self._id = graph.known(node)
        self.graph, self._recorder = graph, recorder

    @classmethod
    def leaves(cls, Recorder recorder not None):
        """Return the parameters, nodes 0, 1, ..., and the variables, which follow, as values."""
        cdef int i
        cdef type kind = cls
        cdef Value value
        found = []
        for i in range(recorder.graph.n_theta + recorder.graph.n_x):
            value = <Value> kind.__new__(kind)
            value.graph, value._recorder, value._id = recorder.graph, recorder, i
            found.append(value)
        return found

    cdef Graph own(self):
        """The graph; TypeError for a value that was never initialised, and so has none."""
        if self.graph is None:
            raise TypeError("this value belongs to no graph")
        return self.graph

    cdef int lift(self, other) except -1:
        if isinstance(other, Value) and (<Value> other)._recorder is self._recorder:
            return (<Value> other)._id
        if isinstance(other, (float, int)) and isinstance(self._recorder, Recorder):
            return (<Recorder> self._recorder).number(other)
        return self.own().known(self._recorder.lift(other))

    cdef Value of(self, int node, int op=COPY):
        """The value of a node that ``op`` has made."""
        cdef type cls = type(self)
        cdef Value value = <Value> cls.__new__(cls)
        value.graph, value._recorder, value._id = self.graph, self._recorder, node
        value._condition = op in CONDITIONS
        return value

    cdef Value unary(self, int op):
        return self.of(simplified(self.own(), op, self._id, 0, 0), op)

    cdef object binary(self, int op, other):
        if is_array_of_objects(other):
            return NotImplemented  # the array acts on each of its elements
        if is_complex(other):
            return OPERATOR[op](self._as_complex(), other)
        cdef Graph graph = self.own()
        return self.of(simplified(graph, op, self._id, self.lift(other), 0), op)

    cdef object swapped(self, int op, other):
        if is_array_of_objects(other):
            return NotImplemented  # the array acts on each of its elements
        if is_complex(other):
            return OPERATOR[op](other, self._as_complex())
        cdef Graph graph = self.own()
        return self.of(simplified(graph, op, self.lift(other), self._id, 0), op)

    cdef object logical(self, int op, int of_conditions, other):
        """A sum or product; of two conditions it is `or` or `and`, as for NumPy's booleans."""
        if is_array_of_objects(other):
            return NotImplemented
        if is_complex(other):
            return OPERATOR[op](self._as_complex(), other)
        cdef Graph graph = self.own()
        cdef int b = self.lift(other)
        if self._condition and is_condition(other):
            op = of_conditions
        return self.of(simplified(graph, op, self._id, b, 0), op)

    def __array_ufunc__(self, ufunc, str method, *inputs, **options):
        """Return the value of NumPy's or SciPy's ufunc, by its own operation if it has one.

        Every other call is left to the method ``_ufunc`` of a subclass.
        """
        op = OPERATION.get(ufunc.__name__) if method == "__call__" and not options else None
        if op is None and method == "__call__" and not options and len(inputs) == 2:
            scaled = self.with_number(ufunc.__name__, inputs[1 if inputs[0] is self else 0])
            if scaled is not None:
                return scaled
        if op is None or (len(inputs) > 1 and any([is_no_operand(value) for value in inputs])):
            return self._ufunc(ufunc, method, inputs, options)
        return self._apply(op, *inputs)

    cdef Value with_number(self, str ufunc, other):
        """The sum or product with a number of NumPy's, which calls a ufunc for it; else None."""
        if not isinstance(other, (float, int)) or isinstance(other, bool):
            return None
        if ufunc == "multiply":
            return self.of(simplified(self.own(), MUL, self._id, self.lift(other), 0))
        if ufunc == "add":
            return self.of(simplified(self.own(), ADD, self._id, self.lift(other), 0))
        return None

    def _apply(self, str op, *operands):
        """Return the value of an operation by name."""
        cdef int number = OPCODE[op], k, n = len(operands)
        cdef int[3] ids = [0, 0, 0]
        if n != arity_of(number):
            raise TypeError(f"{op} takes {arity_of(number)} operands, got {n}")
        for k in range(n):
            ids[k] = self.lift(operands[k])
        return self.of(simplified(self.own(), number, ids[0], ids[1], ids[2]))

    def __add__(self, other):
        return self.logical(ADD, OR, other)

    def __radd__(self, other):
        return self.logical(ADD, OR, other)

    def __mul__(self, other):
        return self.logical(MUL, AND, other)

    def __rmul__(self, other):
        return self.logical(MUL, AND, other)

    def __sub__(self, other):
        return self.binary(SUB, other)

    def __rsub__(self, other):
        return self.swapped(SUB, other)

    def __truediv__(self, other):
        return self.binary(DIV, other)

    def __rtruediv__(self, other):
        return self.swapped(DIV, other)

    def __floordiv__(self, other):
        return self.binary(FLOOR_DIVIDE, other)

    def __rfloordiv__(self, other):
        return self.swapped(FLOOR_DIVIDE, other)

    def __mod__(self, other):
        return self.binary(REMAINDER, other)

    def __rmod__(self, other):
        return self.swapped(REMAINDER, other)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    def __pow__(self, other, modulus):
        return NotImplemented if modulus is not None else self.binary(POW, other)

    def __rpow__(self, other, modulus):
        return NotImplemented if modulus is not None else self.swapped(POW, other)

    def __lt__(self, other):
        return self.binary(LESS, other)

    def __gt__(self, other):
        return self.swapped(LESS, other)

    def __le__(self, other):
        return self.binary(LESS_EQUAL, other)

    def __ge__(self, other):
        return self.swapped(LESS_EQUAL, other)

    def __eq__(self, other):
        return self.binary(EQUAL, other)

    def __ne__(self, other):
        return self.binary(NOT_EQUAL, other)

    def __and__(self, other):
        return self.binary(AND, other)

    def __rand__(self, other):
        return self.binary(AND, other)

    def __or__(self, other):
        return self.binary(OR, other)

    def __ror__(self, other):
        return self.binary(OR, other)

    def __neg__(self):
        return self.unary(NEG)

    def __abs__(self):
        return self.unary(ABS)

    def __invert__(self):
        return self.unary(NOT)


cdef inline bint is_array_of_objects(other):
    return isinstance(other, ndarray) and other.dtype == object


cpdef bint is_complex(other):
    """Return whether a number, an array or a recorded value is complex."""
    if isinstance(other, (Value, float, int)):
        return False
    if isinstance(other, ndarray):
        return other.dtype.kind == "c"
    return isinstance(other, (ComplexValue, complex, complexfloating))


cdef bint is_no_operand(other):
    """Whether a value is no operand of an operation of real numbers."""
    return is_array_of_objects(other) or is_complex(other)


cdef inline bint is_condition(other):
    if isinstance(other, Value):
        return (<Value> other)._condition
    return isinstance(other, (bool, bool_)) or (isinstance(other, ndarray) and other.dtype == bool)
