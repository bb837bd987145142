"""What a model and its derivatives cost: operations per point, counted on the recorded graph.

The model is recorded with 2 P parameters, theta and the direction v, so that forward propagation
J v is more graph; backward propagation e'J gets its e as further per-point arrays.  What depends
on x alone is computed once, and what depends on theta alone once for all points: neither counts.
Since equal expressions are one node, what is counted is what a tape would run.

Backwards costs a small multiple of the model however many parameters there are (Baur and Strassen,
Theor. Comput. Sci. 22 (1983) 317), and the whole Jacobian at most P times forwards or Nx times
backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import as_model
from .autodiff import jvp, vjp
from .graph import NUMPY, ON_THETA, ON_X, Graph, reachable
from .trace import RecordingError, record_outputs


class Operations(NamedTuple):
    """Shapes of a model, and operations per point.

    Attributes
    ----------
    names : tuple of str
        The P parameters.
    n_outputs : int
        Nx, the number of values of the model at a point.
    model : int
        Of f_theta(y).
    forward : int
        Of f_theta(y) and J v together.
    backward : int
        Of f_theta(y) and e'J together.
    jacobian : int
        Of f_theta(y) and all of J, by backward propagation of each output.
    """

    names: tuple[str, ...]
    n_outputs: int
    model: int
    forward: int
    backward: int
    jacobian: int


def count_operations(
    model: Callable[..., Any] | str,
    *,
    n_inputs: int | None = None,
    independent: str | Sequence[str] | None = None,
) -> Operations:
    """Record a model and count what it, and its derivatives, cost per point.

    Parameters
    ----------
    model : callable or str
        ``f(x, *params)`` that returns one value or a sequence of Nx values; a formula; or the name
        of a built-in model.
    n_inputs : int, optional
        Independent variables of a function; 1.
    independent : str or sequence of str, optional
        Independent variables of a formula.

    Raises
    ------
    ValueError
        The function does not name its parameters.
    RecordingError
        The function did something that cannot be recorded.

    Examples
    --------
    >>> count_operations("a*exp(-t/tau) + c", independent="t").model
    4
    """
    info = as_model(model, independent)
    if not info.names:
        raise ValueError(f"{info.label} must name its parameters, as in f(x, a, b)")
    P, n_x = len(info.names), info.n_x or n_inputs or 1
    graph, outputs, _ = record_outputs(
        info.function, n_x, P, 1, single=n_x == 1, vector=False, room=P
    )
    if not outputs:
        raise RecordingError("it returns no value")
    theta = [graph.theta(j) for j in range(P)]
    v = [graph.theta(P + j) for j in range(P)]
    e = [graph.append_x() for _ in outputs]
    forwards = jvp(graph, outputs, theta, v)
    backwards = vjp(graph, outputs, e, theta)
    one = graph.const(1.0)
    rows = [node for output in outputs for node in vjp(graph, [output], [one], theta)]
    return Operations(
        names=info.names,
        n_outputs=len(outputs),
        model=_per_point(graph, outputs, e),
        forward=_per_point(graph, [*outputs, *forwards], e),
        backward=_per_point(graph, [*outputs, *backwards], e),
        jacobian=_per_point(graph, [*outputs, *rows], e),
    )


def _per_point(graph: Graph, outputs: Sequence[int], errors: Sequence[int]) -> int:
    """Operations that must be done at each point and evaluation; errors change with theta."""
    changing = set(errors)
    count = 0
    for i in reachable(graph.nodes, outputs):
        op, *operands = graph.nodes[i]
        if op not in NUMPY:
            continue
        if not changing.isdisjoint(operands):
            changing.add(i)
        count += i in changing or graph.depends[i] == ON_X | ON_THETA
    return count
