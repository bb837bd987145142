"""What a function returns and reads, found by a call with symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .._arguments.check import PerFit
from .graph import ON_X, Graph
from .numbers_of_x import with_arrays_of_x
from .refusal import RecordingError, refuse
from .rows import is_row
from .several import Several, several_of
from .symbol import Recorder, Symbol
from .trace import Recording, argument_of, call, leaves_of, nodes_of, or_with_scipy
from .variables import Columns


class Asked:
    """What a function of one real output was recorded as when it was asked for its outputs.

    Parameters
    ----------
    recording : Recording
    function, x, n_params, points, single, columns
        What was recorded, see `record`; x are the variables as rows.
    """

    def __init__(self, recording: Recording, *of: Any) -> None:
        self._recording: Recording | None = recording
        self._of = of

    def take(
        self,
        function: Callable[..., Any],
        x: Sequence[PerFit],
        n_params: int,
        points: tuple[int, ...],
        single: bool,
        columns: Sequence[str],
    ) -> Recording | None:
        """Return the recording if these are what was asked, else None, and forget it.

        x was arranged from the same variables; a conversion or another order shows in its rows.
        Later calls, with other data, get None.
        """
        of_function, variables, *rest = self._of
        recording, self._recording = self._recording, None
        same = (
            function is of_function
            and [n_params, points, single, columns] == rest
            and len(x) == len(variables)
            and all(map(_alike, x, variables))
        )
        self._of = (None, (), None)
        return recording if same else None


def _alike(row: PerFit, other: PerFit) -> bool:
    """Whether rows that were made from the same array are the same."""
    a, b = row.array, other.array
    return a.shape == b.shape and a.dtype is b.dtype and row.step == other.step == 0


def outputs_of(
    function: Callable[..., Any],
    n_x: int,
    n_params: int,
    points: int | tuple[int, ...],
    single: bool,
    columns: Sequence[str] = (),
    data: Sequence[Any] = (),
) -> Several | Recording | None:
    """Call ``function(x, *params)`` with symbols; return which outputs it has.

    The parameters are those of `record`.  One real output is told by what it was recorded as, or by
    None if it is nothing that can be recorded.

    Raises
    ------
    RecordingError
        See `record`.
    """

    def recorded(
        f: Callable[..., Any], data: Sequence[Any], own: frozenset[int]
    ) -> tuple[Recorder, Several | Recording | None]:
        recorder = Recorder(Graph(n_params, n_x), points, data)
        recorder.own = own
        theta, x = leaves_of(recorder)
        argument = argument_of(x, single, columns)
        return recorder, call(f, recorder, lambda: _outputs(recorder, f(argument, *theta)))

    return or_with_scipy(function, lambda f: with_arrays_of_x(partial(recorded, f), data))[1]


def _outputs(recorder: Recorder, value: Any) -> Several | Recording | None:
    several = _several_of(recorder, value)
    if several is not None:
        return several
    try:
        return Recording(recorder.graph, nodes_of(recorder, value, None)[0], recorder.arrays)
    except RecordingError:
        return None


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
        found: set[int] = set()
        seen: list[Any] = [None] * len(data)  # points that others alone lack are not missing

        def noted(name: str) -> None:
            place = names.index(name)
            found.add(place)
            if data:
                seen[place] = data[place]

        recorder = Recorder(Graph(n_params, len(names)), points, seen)
        theta, x = leaves_of(recorder)
        columns = Columns(dict(zip(names, x, strict=True)), noted)
        call(f, recorder, lambda: nodes_of(recorder, f(columns, *theta), several))
        return sorted(found)

    return or_with_scipy(function, read)
