"""What a function returns and reads, found by a call with symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .graph import ON_X, Graph
from .refusal import refuse
from .rows import is_row
from .several import Several, several_of
from .symbol import Recorder, Symbol
from .trace import argument_of, call, leaves_of, nodes_of, or_with_scipy
from .variables import Columns


def outputs_of(
    function: Callable[..., Any],
    n_x: int,
    n_params: int,
    points: int | tuple[int, ...],
    *,
    single: bool,
    columns: Sequence[str] = (),
    data: Sequence[Any] = (),
) -> Several | None:
    """Call ``function(x, *params)`` once with symbols; return which outputs it has.

    The parameters are those of `record`; None stands for one real output.

    Raises
    ------
    RecordingError
        See `record`.
    """

    def recorded(f: Callable[..., Any]) -> Several | None:
        recorder = Recorder(Graph(n_params, n_x), points, data)
        theta, x = leaves_of(recorder)
        argument = argument_of(x, single, columns)
        return call(f, recorder, lambda: _several_of(recorder, f(argument, *theta)))

    return or_with_scipy(function, recorded)


def _several_of(recorder: Recorder, value: Any) -> Several | None:
    """Which outputs a recorded value has; a number for each point is none that can be recorded."""
    if isinstance(value, tuple | list):
        of_points = [isinstance(v, Symbol) and recorder.graph.stage(v._id) & ON_X for v in value]
        per_point = len(value) == recorder.n_points and not any(of_points)
        if per_point or any(isinstance(v, tuple | list) for v in value):
            refuse("it returns a list of a number for each point", "return NumPy expressions")
    return None if is_row(recorder, value) else several_of(value)


def columns_read(
    function: Callable[..., Any],
    names: Sequence[str],
    n_params: int,
    points: int | tuple[int, ...],
    data: Sequence[Any] = (),
    several: Several | None = None,
) -> list[int]:
    """Call ``function(x, *params)`` once with symbols; return which columns of x it asks for.

    Raises
    ------
    RecordingError
        See `record`.
    """

    def read(f: Callable[..., Any]) -> list[int]:
        recorder = Recorder(Graph(n_params, len(names)), points, data)
        theta, x = leaves_of(recorder)
        columns = Columns(dict(zip(names, x, strict=True)))
        call(f, recorder, lambda: nodes_of(recorder, f(columns, *theta), several))
        return [k for k, name in enumerate(names) if name in columns.names_read]

    return or_with_scipy(function, read)
