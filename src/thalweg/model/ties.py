r"""Tied parameters: those that are computed from others, :math:`\theta_j = t_j(\theta)`.

A tie is a formula of parameters, ``"2*a1"``, or a function whose arguments are named like
parameters, ``lambda a1: 2 * a1``.  Ties are put in an order in which each needs only what comes
before it, so they may build on one another, but not in a circle.

The model with ties is a function that computes the tied parameters before it calls the model.  It
is recorded like any other, so ties become operations of the tape that depend on parameters alone,
and the derivatives by the free parameters go through them.  The ties are also recorded alone, for
the values of tied parameters and their derivatives at the end of a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, name_index
from .._arguments.pieces import contiguous
from .._arguments.spelling import did_you_mean
from .._core.tape import evaluate_rows
from .formula import expression
from .graph import Graph
from .tape import compile_rows
from .trace import RecordingError, record_outputs

_ROWS_AT_ONCE = 1 << 14  # rows that are evaluated at a time, so that their copy stays in the cache
_MANY_POINTS = 2**31 - 1  # more than arrays have: one in a closure is a number, or is refused


class Tie(NamedTuple):
    """How one parameter follows from others.

    Attributes
    ----------
    place : int
        Its place among the parameters.
    arguments : tuple of int
        The places of the parameters that the function takes.
    function : callable
    text : str
        What results print.
    """

    place: int
    arguments: tuple[int, ...]
    function: Callable[..., Any]
    text: str

    def write(self, values: list[Any]) -> None:
        """Compute the parameter from the other ``values``, and put it in its place."""
        values[self.place] = self.function(*[values[j] for j in self.arguments])


@dataclass(frozen=True)
class Ties:
    """The tied parameters among P parameters.

    Attributes
    ----------
    names : tuple of str
        The names of all parameters.
    ties : tuple of Tie
        In an order in which each needs only those before it.
    graph : Graph
        The recorded ties.
    outputs : tuple of int
        The node of each tie.
    """

    names: tuple[str, ...]
    ties: tuple[Tie, ...]
    graph: Graph
    outputs: tuple[int, ...]

    @cached_property
    def places(self) -> list[int]:
        """The places of the tied parameters, in the order of the ties."""
        return [tie.place for tie in self.ties]

    @cached_property
    def open(self) -> list[int]:
        """The places of the parameters that are not tied."""
        tied = set(self.places)
        return [j for j in range(len(self.names)) if j not in tied]

    @cached_property
    def open_names(self) -> tuple[str, ...]:
        """The names of the parameters that are not tied."""
        return tuple(self.names[j] for j in self.open)

    @property
    def texts(self) -> dict[str, str]:
        """Each tied parameter's name and what it is tied to."""
        return {self.names[tie.place]: tie.text for tie in sorted(self.ties)}

    def every(self, theta: Sequence[Any]) -> list[Any]:
        """Return all parameters: those of ``theta`` (P,), with the tied ones computed."""
        values = list(theta)
        for tie in self.ties:
            tie.write(values)
        return values

    def spread(self, values: Array, fill: Any) -> Array:
        """Return values (..., n) of the parameters that are not tied as (..., P)."""
        full = np.full((*values.shape[:-1], len(self.names)), fill, values.dtype)
        full[..., self.open] = values
        return full

    def fill(self, theta: Array) -> None:
        """Write the tied parameters into theta (..., P); NaN in a row of NaN."""
        rows = theta.reshape(-1, len(self.names))
        unknown = np.isnan(rows[:, self.open[0]])
        for place, output in zip(self.places, self.outputs, strict=True):
            rows[:, place] = self._evaluated(output, (), rows)[:, 0]
            rows[unknown, place] = np.nan  # np.where may choose a number even there
        theta[...] = rows.reshape(theta.shape)

    def slopes(self, theta: Array, free: Sequence[int]) -> Array:
        """Return the derivatives of the tied parameters by the free ones, (..., T, F)."""
        rows = theta.reshape(-1, len(self.names))
        slopes = [self._evaluated(output, free, rows)[:, 1:] for output in self.outputs]
        every = np.stack(slopes, axis=1)
        return every.reshape(*theta.shape[:-1], *every.shape[1:])

    def _evaluated(self, output: int, free: Sequence[int], rows: Array) -> Array:
        """A tie and its derivatives, (K, 1 + F), at rows of parameters (K, P)."""
        tape, single = compile_rows(self.graph, output, free), rows.dtype == np.float32
        out = np.empty((len(rows), 1 + len(free)), rows.dtype)
        unused = np.zeros((1, rows.shape[1]), rows.dtype)  # the tape reads parameters as arrays
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = contiguous(rows[first : first + _ROWS_AT_ONCE].T)
            values = np.empty((1, 1 + len(free), some.shape[1]), rows.dtype)
            steps = [0] * len(some)
            evaluate_rows(tape, single, 1, some.shape[1], list(some), steps, unused, values)
            out[first : first + _ROWS_AT_ONCE] = values[0].T
        return out


@dataclass(frozen=True)
class TiedFunction:
    """A model as a function of all its parameters, of which the tied ones do not count.

    With ``of_open`` it is a function of the parameters that are not tied.
    """

    function: Callable[..., Any]
    ties: Ties
    of_open: bool = False

    def __call__(self, x: Any, *theta: Any) -> Any:
        """Return function(x, *theta) with the tied parameters computed."""
        if self.of_open:
            given = dict(zip(self.ties.open, theta, strict=True))
            theta = tuple(given.get(j) for j in range(len(self.ties.names)))
        return self.function(x, *self.ties.every(theta))


def checked(tied: Any) -> Mapping[str, Any]:
    """Return the ties that a user gives, or none for None.

    Raises
    ------
    TypeError
        They are no mapping.
    """
    if tied is None or isinstance(tied, Mapping):
        return tied or {}
    raise TypeError(
        'tied must be a dict from a name to a formula or a function, such as {"s2": "s1"}, '
        f"got {type(tied).__name__}"
    )


def read_ties(tied: Any, names: Sequence[str], variables: Sequence[str] = ()) -> Ties | None:
    """Return the ties that a user gives by the names of parameters; None if there are none.

    Parameters
    ----------
    tied : dict name -> str or callable, or None
    names : sequence of str
        The names of all parameters.
    variables : sequence of str
        The names of the independent variables, for messages.

    Raises
    ------
    ValueError
        A name is unknown, ties go in a circle, or a tie depends on no parameter or cannot be
        recorded.
    TypeError
        A tie is neither a formula nor a function.
    """
    if not checked(tied):
        return None
    given = {}
    for name, value in tied.items():
        place = name_index(name, names, "tied")
        given[place] = _tie(place, value, names, variables)
    order = _ordered(given, names)
    return Ties(tuple(names), order, *_recorded(order, names))


def _tie(place: int, value: Any, names: Sequence[str], variables: Sequence[str]) -> Tie:
    what = f"tied[{names[place]!r}]"
    if isinstance(value, str):
        function: Any = _of_text(value, what, names, variables)
        used, text = function.names, function.text
    elif callable(value):
        function, used = value, _arguments(value, what, names, variables)
        label = getattr(value, "__name__", "function")
        text = f"{label if label.isidentifier() else 'function'}({', '.join(used)})"
    elif isinstance(value, int | float | np.number):
        raise TypeError(
            f"{what} is a number; fixed={{{names[place]!r}: {value}}} holds a parameter at a value"
        )
    else:
        raise TypeError(f"{what} must be a formula or a function, got {type(value).__name__}")
    if not used:
        raise ValueError(
            f"{what} depends on no parameter; fixed={{{names[place]!r}: ...}} holds a parameter at "
            "a value"
        )
    return Tie(place, tuple(list(names).index(n) for n in used), function, text)


def _of_text(text: str, what: str, names: Sequence[str], variables: Sequence[str]) -> Any:
    try:
        return expression(text, names)
    except ValueError as error:
        for name in variables:
            if f": {name} is unknown at" in str(error):
                raise _uses_variable(what, name) from None
        raise ValueError(f"{what}: {error}") from None


def _uses_variable(what: str, name: str) -> ValueError:
    return ValueError(
        f"{what} uses {name}, an independent variable; a tied parameter is one number, computed "
        "from parameters alone, and what depends on the variable belongs into the model"
    )


def _arguments(
    function: Callable[..., Any], what: str, names: Sequence[str], variables: Sequence[str]
) -> tuple[str, ...]:
    """The parameters that a function takes, by the names of its arguments."""
    try:
        parameters = signature(function).parameters.values()
    except (ValueError, TypeError):
        raise ValueError(f"{what} is a function whose arguments have no names") from None
    used = []
    for p in parameters:
        if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
            if p.name in names:
                used.append(p.name)
                continue
            if p.default is not Parameter.empty:
                break  # it and those after it keep their defaults
        elif p.default is not Parameter.empty:
            continue
        if p.name in variables:
            raise _uses_variable(what, p.name)
        raise ValueError(
            f"{what} is a function of {p.name}, but the parameters are {', '.join(names)}"
            f"{did_you_mean(p.name, names)}"
        )
    return tuple(used)


def _ordered(given: Mapping[int, Tie], names: Sequence[str]) -> tuple[Tie, ...]:
    """The ties in an order in which each needs only those before it."""
    order: list[Tie] = []
    under_way: list[int] = []

    def visit(place: int) -> None:
        if place not in given or any(tie.place == place for tie in order):
            return
        if place in under_way:
            circle = [*under_way[under_way.index(place) :], place]
            raise ValueError(
                "tied parameters depend on each other in a circle: "
                + " -> ".join(names[j] for j in circle)
            )
        under_way.append(place)
        for other in given[place].arguments:
            visit(other)
        order.append(given[under_way.pop()])

    for place in given:
        visit(place)
    return tuple(order)


def _recorded(ties: Sequence[Tie], names: Sequence[str]) -> tuple[Graph, tuple[int, ...]]:
    """The graph of all ties, and the node of each."""
    now = ""

    def every(_: Any, *theta: Any) -> tuple[Any, ...]:
        nonlocal now
        values = list(theta)
        for tie in ties:
            now = names[tie.place]
            tie.write(values)
        return tuple(values[tie.place] for tie in ties)

    try:
        graph, outputs, _ = record_outputs(
            every, 0, len(names), _MANY_POINTS, single=False, vector=False
        )
    except RecordingError as error:
        raise ValueError(f"tied[{now!r}] cannot be recorded: {_reason(error)}") from None
    return graph, tuple(outputs)


def _reason(error: RecordingError) -> str:
    """Why a tie cannot be recorded, in words for one number instead of points."""
    if error.operation.startswith("an array of shape"):
        return f"it uses {error.operation.partition(' beside')[0]}; a tied parameter is one number"
    at_user = error.file is not None and error.file != __file__
    place = f" ({error.file}, line {error.line})" if at_user else ""
    return f"{error.operation}{place}{'; ' if error.hint else ''}{error.hint}"
