"""Record a plain Python function as an expression graph.

The function is called once, not with numbers but with symbols, which note what is done to them
(`symbol`).  Some operations cannot be noted, because they need the numbers (`if`, `float()`, a loop
over the points) or mix points (`np.sum`, `np.convolve`).  They stop the recording with an error
that names the operation, the line of the user's function, and what to write instead.

A function is recorded at every fit, so that it always sees its current closure, unless all that its
recording could have depended on is known to be the same (`remembered`).  Per-point arrays of the
closure become further inputs of the graph, numbers become constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .._arguments.check import PerFit
from .arrays import Symbols, is_array_of_symbols
from .curves import length_of, refuse_arrays
from .functions import voigt_im, voigt_re
from .graph import Graph
from .numbers_of_x import NONE, differing, places_of_x, with_arrays_of_x
from .refusal import RecordingError, place_of, refuse
from .remembered import recalled, remembered
from .rows import as_curve, is_row
from .several import Several, chosen, laid_out
from .signature import code_of, parameter_names
from .symbol import Recorder, Symbol
from .variables import Columns, Variables

__all__ = [
    "Outputs",
    "Recording",
    "RecordingError",
    "Symbol",
    "parameter_names",
    "record",
    "record_outputs",
    "voigt_im",
    "voigt_re",
]


class Outputs(NamedTuple):
    """A recorded function of several values: its graph, a node per value, its closure's arrays."""

    graph: Graph
    outputs: list[int]
    arrays: list[np.ndarray]


class Recording(NamedTuple):
    """A recorded function: its graph, the node of its value, and the arrays of its closure.

    ``arrays[k]`` holds the values of per-point array ``n_x + k`` of the graph: (N,), or (B, N) for
    one that differs from fit to fit, as what a function computes of its own x alone does.
    """

    graph: Graph
    output: int
    arrays: list[np.ndarray]

    @property
    def rows(self) -> list[PerFit]:
        """The arrays as rows of all fits or of each."""
        return [PerFit(a, a.ndim - 1) for a in self.arrays]

    def picked(self, places: np.ndarray) -> Recording:
        """Return the recording for the fits at these places, (n,)."""
        arrays = [row.picked(places).array for row in self.rows]
        return Recording(self.graph, self.output, arrays)


def _output(recorder: Recorder, value: Any) -> int:
    if type(value) is Symbol and value._recorder is recorder:
        return _with_a_value_per_point(recorder, value._id)
    if value is None or isinstance(value, tuple | list | dict | str):
        refuse(
            f"it returns {'None' if value is None else 'a ' + type(value).__name__}",
            "return one value per point; several outputs need y of shape (..., K, N)",
        )
    if is_row(recorder, value):
        return as_curve(recorder, value)
    return recorder.lift(value)


def _with_a_value_per_point(recorder: Recorder, node: int) -> int:
    """The node, refused if its curve has another number of points than the data."""
    if recorder.graph.tables is None:
        return node
    length = length_of(recorder, node)
    if length not in (None, recorder.n_points):
        refuse_arrays(recorder, {length})
        refuse(
            f"it returns {length} values for N={recorder.n_points} points",
            "return one value per point",
        )
    return node


def record(
    function: Callable[..., Any],
    n_x: int,
    n_params: int,
    points: int | tuple[int, ...],
    *,
    single: bool,
    columns: Sequence[str] = (),
    data: Sequence[Any] = (),
    several: Several | None = None,
) -> Recording:
    """Call ``function(x, *params)`` once with symbols and return what it computes.

    Parameters
    ----------
    function : callable
        The model; returns one value per point.
    n_x : int
        Number of independent variables.
    n_params : int
        Number of parameters P.
    points : int or tuple of int
        Number of points N, or the shape of their grid; arrays of the closure must have the shape of
        the points, or (N,), or be single numbers.
    single : bool
        Whether the function gets one symbol as x (then ``n_x`` is 1) or a sequence of them.
    columns : sequence of str
        The names by which the function finds its variables in x; if empty, it finds them by place.
    data : sequence of ndarray or None
        The values (N,) of each variable, None for those that differ from fit to fit.  Expressions
        of given values alone, such as ``x.max()``, are then numbers for the function, and arrays of
        the recording (`numbers_of_x`); see also `record_each`.
    several : Several or None
        The outputs of the function, if it has several: its value is then recorded for R N points,
        in the order of `thalweg.model.several`.

    Returns
    -------
    Recording
        Graph, node of the value, and arrays of the closure, float64, shape (N,) or (R N,).

    Raises
    ------
    RecordingError
        The function did something that cannot be recorded, or raised an error of its own.
    """

    keeps, form = several is None and not columns, (n_x, points, single)
    known = recalled(function, n_params, form) if keeps else None
    if known is not None:
        return Recording(known[0], known[1], [])

    def recorded(
        f: Callable[..., Any], data: Sequence[Any] = (), own: frozenset[int] = NONE
    ) -> tuple[Recorder, list[int]]:
        recorder = Recorder(Graph(n_params, n_x), points, data)
        recorder.own = own
        return recorder, _recorded(f, recorder, single, columns, several)

    known = remembered(function, n_params, form, lambda: recorded(function)) if keeps else None
    if known is not None:
        return Recording(*known, [])
    recorder, outputs = or_with_scipy(
        function, lambda f: with_arrays_of_x(partial(recorded, f), data)
    )
    return _recording(recorder, outputs, recorder.arrays, several)


_T = TypeVar("_T")


def or_with_scipy(function: Callable[..., Any], record: Callable[[Callable[..., Any]], _T]) -> _T:
    """Record a function; where SciPy refuses symbols, a copy in which it takes them."""
    try:
        return record(function)
    except RecordingError as error:
        if not error.in_scipy:
            raise
        from .scipy_calls import with_meaning

        copy = with_meaning(function)
        if copy is None:
            raise
        return record(copy)


def _recording(
    recorder: Recorder, outputs: list[int], arrays: list[np.ndarray], several: Several | None
) -> Recording:
    """The recording of a function whose outputs are these nodes."""
    if several is None:
        return Recording(recorder.graph, outputs[0], arrays)
    if recorder.graph.tables is not None:
        refuse("it has several outputs and mixes points", "fit them as data sets of one output")
    output = chosen(recorder.graph, outputs)
    return Recording(recorder.graph, output, laid_out(arrays, several, recorder.n_points))


def _recorded(
    function: Callable[..., Any],
    recorder: Recorder,
    single: bool,
    columns: Sequence[str],
    several: Several | None,
) -> list[int]:
    """The nodes of the outputs of ``function(x, *params)``, called with the recorder's symbols."""
    theta, x = leaves_of(recorder)
    argument = argument_of(x, single, columns)
    return call(function, recorder, lambda: nodes_of(recorder, function(argument, *theta), several))


def nodes_of(recorder: Recorder, value: Any, several: Several | None) -> list[int]:
    """The nodes of the outputs of which a value consists."""
    parts = [value] if several is None else several.parts(value)
    return [_output(recorder, part) for part in parts]


def argument_of(x: Sequence[Symbol], single: bool, columns: Sequence[str]) -> Any:
    """The variables as the function gets them: one alone, by name, or by place."""
    if single:
        return x[0]
    return Columns(dict(zip(columns, x, strict=True))) if columns else Variables(x)


def record_each(
    function: Callable[..., Any],
    x: Sequence[PerFit],
    n_params: int,
    points: int | tuple[int, ...],
    *,
    single: bool,
    columns: Sequence[str] = (),
    several: Several | None = None,
) -> Recording:
    """Record a function for every data set, whose x differ, so that it may reduce and index x.

    Each data set is recorded with its own numbers.  What a function computes of x alone differs
    between them: such numbers and arrays become arrays of the recording, with a row for each fit.

    Parameters
    ----------
    function, n_params, points, single, columns, several
        See `record`.
    x : sequence of PerFit
        The values of each variable, of which one has a row for each fit.

    Raises
    ------
    RecordingError
        A data set cannot be recorded, or the function does something else for it.
    """
    n_fits = max(len(row.array) for row in x if row.step)

    def recorded(fit: int, own: frozenset[int]) -> tuple[Recorder, list[int]]:
        return of_data([row.array[fit] if row.step else row.array for row in x], own)

    def of_data(data: Sequence[Any], own: frozenset[int]) -> tuple[Recorder, list[int]]:
        def with_numbers(f: Callable[..., Any]) -> tuple[Recorder, list[int]]:
            recorder = Recorder(Graph(n_params, len(x)), points, data)
            recorder.own, recorder.own_x = own, True
            return recorder, _recorded(f, recorder, single, columns, several)

        return or_with_scipy(function, with_numbers)

    first, _ = recorded(0, NONE)
    numbers = [first.numbers, *(recorded(fit, NONE)[0].numbers for fit in range(1, n_fits))]
    if len(set(map(len, numbers))) > 1:
        raise _other_course(function)
    differ = differing(numbers)
    own = differ | places_of_x(of_data, first.data, first)
    try:
        return _joined(function, several, (recorded(fit, own) for fit in range(n_fits)))
    except RecordingError:  # see `with_arrays_of_x`
        if own == differ:
            raise
        return _joined(function, several, (recorded(fit, differ) for fit in range(n_fits)))


def _joined(
    function: Callable[..., Any],
    several: Several | None,
    recordings: Iterator[tuple[Recorder, list[int]]],
) -> Recording:
    """One recording of the recordings of all data sets, whose arrays have a row for each."""
    recorder, outputs = next(recordings)
    key, arrays = recorder.graph.key(tuple(outputs)), [recorder.arrays]
    for other, places in recordings:
        if other.graph.key(tuple(places)) != key or len(other.arrays) != len(recorder.arrays):
            raise _other_course(function)
        arrays.append(other.arrays)
    rows = [_shared(rows) for rows in zip(*arrays, strict=True)]
    return _recording(recorder, outputs, rows, several)


def _other_course(function: Callable[..., Any]) -> RecordingError:
    """The error of a function that branches on its x, each way for another data set."""
    hint = "choose between expressions by np.where instead of if"
    operation = "it computes something else for another data set"
    return RecordingError(operation, *_definition(function), hint)


def _shared(rows: Sequence[np.ndarray]) -> np.ndarray:
    """One array (N,) if it is the same for all fits, else (B, N)."""
    table = np.array(rows)
    return table[0] if (table == table[0]).all() else table


def record_outputs(
    function: Callable[..., Any],
    n_x: int,
    n_params: int,
    n_points: int,
    *,
    single: bool,
    vector: bool,
    room: int = 0,
) -> Outputs:
    """Call a function of any number of values once with symbols and return what it computes.

    Parameters
    ----------
    function : callable
        The model, ``f(x, a, b, ...)`` or, if ``vector``, ``f(x, theta)``; returns one value per
        point, or a tuple, list or array of such values.
    n_x, n_params, n_points, single
        See `record`.
    vector : bool
        Whether the function gets its parameters as one array, and several variables as another.
    room : int
        How many parameters the graph has beyond those of the function, for directions.

    Raises
    ------
    RecordingError
        The function did something that cannot be recorded, or raised an error of its own.
    """
    recorder = Recorder(Graph(n_params + room, n_x), n_points)
    theta, x = leaves_of(recorder)
    several = Symbols.of(x) if vector else Variables(x)
    parameters = [Symbols.of(theta[:n_params])] if vector else theta[:n_params]

    def outputs() -> list[int]:
        value = function(x[0] if single else several, *parameters)
        many = isinstance(value, tuple | list) or is_array_of_symbols(value)
        return [_output(recorder, v) for v in value] if many else [_output(recorder, value)]

    found = call(function, recorder, outputs)
    if recorder.graph.tables is not None:
        raise RecordingError(
            "it mixes points or looks up a table",
            hint="each sample must be a point of its own, and a formula",
        )
    return Outputs(recorder.graph, found, recorder.arrays)


def leaves_of(recorder: Recorder) -> tuple[list[Symbol], list[Symbol]]:
    """Return symbols of the parameters, nodes 0, 1, ..., and of the variables, which follow."""
    symbols, P = Symbol.leaves(recorder), recorder.graph.n_theta
    recorder.parameters = symbols[:P]
    return recorder.parameters, symbols[P:]


def call(function: Callable[..., Any], recorder: Recorder, body: Callable[[], _T]) -> _T:
    """Run ``body``, which calls the user's function; an error tells the place in that function.

    The recorder lets go of its symbols, which hold the recorder in turn, so that their memory is
    given back at once.
    """
    try:
        return body()
    except RecordingError as error:
        file, line, in_scipy = place_of(error)
        if file is None:
            file, line = _definition(function)
        raised = RecordingError(error.operation, error.file or file, error.line or line, error.hint)
        raised.in_scipy = in_scipy
        raise raised from None
    except Exception as error:
        raise RecordingError(
            f"it raised {type(error).__name__}: {error}", *place_of(error)[:2]
        ) from error
    finally:
        recorder.parameters = []


def _definition(function: Any) -> tuple[str | None, int | None]:
    code = code_of(function)
    return (None, None) if code is None else (code.co_filename, code.co_firstlineno)
