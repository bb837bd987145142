"""The cost of a model and of its derivatives: operations per point, counted on its graph.

The model is recorded with 2 P parameters, theta and the direction v, so that forward propagation
J v is part of the graph; backward propagation e'J gets e as further per-point arrays.  Nodes that
depend on x alone are computed once, and nodes that depend on theta alone once for all points, so
neither are counted.  Since equal expressions are one node, the operations counted are those that a
tape would run.

Backward propagation costs a small multiple of the model, however many parameters there are (Baur
and Strassen, Theor. Comput. Sci. 22 (1983) 317).  The whole Jacobian costs at most P forward or Nx
backward propagations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import as_model
from .autodiff import jvp, vjp
from .graph import NUMPY, ON_THETA, ON_X, Graph, reachable
from .trace import RecordingError, record_outputs


class Operations(NamedTuple):
    """The parameters and outputs of a model, and its numbers of operations per point.

    Attributes
    ----------
    names : tuple of str
        The names of the P parameters.
    n_outputs : int
        Nx, the number of values of the model at a point.
    model : int
        Operations of f_theta(y).
    forward : int
        Operations of f_theta(y) and J v together.
    backward : int
        Operations of f_theta(y) and e'J together.
    jacobian : int
        Operations of f_theta(y) and all of J, by backward propagation of each output.
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
    """Record a model and count the operations per point of it and of its derivatives.

    Parameters
    ----------
    model : callable or str
        ``f(x, *params)`` that returns one value or a sequence of Nx values; a formula; or the name
        of a built-in model.
    n_inputs : int, optional
        Number of independent variables of a function; default: 1.
    independent : str or sequence of str, optional
        Names of the independent variables of a formula.

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
    """Count the operations at each point and evaluation; ``errors`` (e) change with theta."""
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
