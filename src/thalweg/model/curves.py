"""NumPy's functions that mix the points of a recorded curve, as operations of its graph.

A curve is a recorded value that differs from point to point: over the points of the data, or over a
grid of the user's own.  Each function here is linear in its curve and takes fixed numbers beside
it; it becomes a table (`tables`) and a node (`mixes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from . import mixes
from .graph import ON_THETA, ON_X, reachable
from .present import refuse_missing, shape_of
from .refusal import REDUCTION_HINT, RecordingError, refuse
from .tables import Table, Tables, table, table_of

_LONGEST: Final = "the response must not be longer than the curve"
FIXED: Final = "of two operands one must be numbers that no parameter changes"


def tables_of(recorder: Any) -> Tables:
    """Return the tables of a recording."""
    if recorder.graph.tables is None:
        recorder.graph.tables = Tables(recorder.n_points)
    found: Tables = recorder.graph.tables
    return found


def length_of(recorder: Any, node: int) -> int | None:
    """Return how many points the curve of a node has; None for one number for all points.

    Raises
    ------
    RecordingError
        Curves of different lengths were combined.
    """
    graph = recorder.graph
    if graph.tables is None:
        return recorder.n_points if graph.stage(node) & ON_X else None
    lengths: dict[int, int | None] = {}
    for i in reachable(graph.nodes, [node]):
        op, *operands = graph.node(i)
        if op in ("const", "theta", "total"):
            lengths[i] = None
        elif op == "x":
            lengths[i] = recorder.n_points
        elif op in ("fixed", "mix", "moved"):
            lengths[i] = mixes.table_at(graph, operands[-1]).n_out
        else:
            lengths[i] = _common(recorder, {lengths[k] for k in operands} - {None})
    return lengths[node]


def _common(recorder: Any, lengths: set[int | None]) -> int | None:
    if len(lengths) < 2:
        return next(iter(lengths), None)
    refuse_arrays(recorder, lengths)
    refuse(
        f"curves of {' and '.join(sorted(map(str, lengths), key=len))} points in one expression",
        "curves must have the same number of points",
    )


def refuse_arrays(recorder: Any, lengths: set[int | None]) -> None:
    """Refuse an array of the user's that has one of these lengths, where it was met."""
    tables = tables_of(recorder)
    for number, (shape, file, line) in tables.places.items():
        if tables[number].n_out in lengths:
            raise RecordingError(
                f"an array of shape {shape} beside N={recorder.n_points} points",
                file,
                line,
                f"arrays must have shape {recorder.points}",
            )


def rows_of(recorder: Any, node: int) -> int:
    """Return the len() of a recorded curve."""
    length = length_of(recorder, node)
    return int(shape_of(recorder)[0]) if length in (None, recorder.n_points) else int(length or 0)


def curve_of(recorder: Any, value: Any, function: str) -> tuple[int, int]:
    """The node of a curve and its length; parameters alone are no curve."""
    node = recorder.lift(value)
    length = length_of(recorder, node)
    if length is None:
        refuse(f"{function} of one number", "it needs a curve, with a value for each point")
    if len(recorder.points) > 1 and length == recorder.n_points:
        refuse(f"{function} of points on a grid of shape {recorder.points}", REDUCTION_HINT)
    if length == recorder.n_points:
        refuse_missing(recorder)
    return node, length


def _is_recorded(recorder: Any, value: Any) -> bool:
    return recorder.concrete(value) is None


def _numbers(recorder: Any, value: Any, what: str, ndim: int = 1) -> np.ndarray:
    """Fixed numbers beside a curve, of so many axes."""
    known = recorder.concrete(value)
    if known is None:
        refuse(f"{what} with two recorded operands", FIXED)
    array = np.asarray(known)
    if array.dtype.kind not in "biuf" or array.ndim != ndim or not array.size:
        refuse(f"{what} with an array of shape {array.shape} of {array.dtype}")
    array = np.asarray(array, float)
    if not np.isfinite(array).all():
        refuse(f"{what} with numbers that are not finite")
    return array


def _symbol(like: Any, node: int) -> Any:
    return type(like)(like._recorder, node)


def _mixed(symbol: Any, node: int, *tables: Table) -> Any:
    recorder = symbol._recorder
    number = tables_of(recorder).add(*tables)
    return _symbol(symbol, mixes.mixed(recorder.graph, number, node))


# ---- convolution ---------------------------------------------------------------------------------


def window(mode: str, n: int, taps: int) -> tuple[int, int]:
    """Return the first point of a convolution that a mode keeps, and how many it keeps.

    Raises
    ------
    ValueError
        There is no such mode.
    """
    windows = {
        "full": (0, n + taps - 1),
        "same": ((taps - 1) // 2, n),
        "valid": (taps - 1, n - taps + 1),
        "causal": (0, n),
    }
    if mode not in windows:
        raise ValueError(f"mode must be {', '.join(map(repr, windows))}, got {mode!r}")
    return windows[mode]


def convolved(
    symbol: Any, node: int, n: int, response: np.ndarray, mode: str, shift: Any = None
) -> Any:
    """Return the recorded convolution of a curve of n points, moved by ``shift`` points."""
    recorder = symbol._recorder
    first, kept = window(mode, n, len(response))
    if shift is None:
        band = table("band", n, kept, offset=first, values=response)
        return _mixed(symbol, node, band)
    full = n + len(response) - 1
    whole = _mixed(symbol, node, table("band", n, full, values=response))
    pair = [table(kind, full, kept, offset=first) for kind in ("moved", "slope")]
    number, by = tables_of(recorder).add(*pair), recorder.lift(shift)
    if length_of(recorder, by) is not None:
        refuse("a shift that differs from point to point", "it must be one number for all points")
    return _symbol(symbol, mixes.moved(recorder.graph, number, whole._id, by))


def _convolve(recorder: Any, a: Any, v: Any, mode: str = "full") -> Any:
    if _is_recorded(recorder, a) and _is_recorded(recorder, v):
        refuse("np.convolve with two recorded operands", FIXED)
    curve, other = (a, v) if _is_recorded(recorder, a) else (v, a)
    response = _numbers(recorder, other, "np.convolve")
    node, n = curve_of(recorder, curve, "np.convolve")
    if mode not in ("full", "same", "valid"):
        refuse(f"np.convolve with mode={mode!r}")
    if len(response) > n and mode != "full":
        refuse(f"np.convolve of {n} points with {len(response)} numbers", _LONGEST)
    return convolved(curve, node, n, response, mode)


# ---- sums ----------------------------------------------------------------------------------------


def _refuse_options(function: str, axis: Any, **options: Any) -> None:
    """Refuse an axis that is not the only one, and options that were given."""
    if axis not in (None, 0, -1):
        refuse(f"{function} with axis={axis!r}", "a curve has one axis")
    for name, value in options.items():
        if value is not None:
            refuse(f"{function} with {name}=", "leave it out")


def _total(recorder: Any, symbol: Any, node: int, n: int) -> Any:
    number = tables_of(recorder).add(table("total", n, 1))
    return _symbol(symbol, mixes.total(recorder.graph, number, node))


def _sum(
    recorder: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any
) -> Any:
    if axis is not None and len(recorder.points) > 1:
        refuse(f"np.sum with axis={axis!r} of points on a grid", REDUCTION_HINT)
    _refuse_options("np.sum", axis, dtype=dtype, out=out, **options)
    node = recorder.lift(a)
    n = length_of(recorder, node)
    return a if n is None else _total(recorder, a, node, n)


def _mean(
    recorder: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any
) -> Any:
    n = length_of(recorder, recorder.lift(a))
    return _sum(recorder, a, axis, dtype, out, **options) * (1.0 / (n or 1))


def _cumsum(recorder: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    _refuse_options("np.cumsum", axis, dtype=dtype, out=out)
    node, n = curve_of(recorder, a, "np.cumsum")
    return _mixed(a, node, table("sums", n, n))


def steps_of(recorder: Any, n: int, x: Any, dx: Any, function: str) -> Any:
    """The distances of n points: n - 1 numbers, or one for all."""
    if x is None:
        if _is_recorded(recorder, dx) or np.ndim(dx) > 1 or np.size(dx) not in (1, n - 1):
            refuse(f"{function} with such a dx", "it must be a number, or n - 1 numbers")
        return np.broadcast_to(np.asarray(dx, float), n - 1)
    if _is_recorded(recorder, x):
        refuse(f"{function} over a recorded x", "its x must not depend on parameters")
    places = np.asarray(recorder.concrete(x), float)
    if places.shape != (n,):
        refuse(f"{function} of {n} points with x of shape {places.shape}")
    return np.diff(places)


def trapezoid(recorder: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1) -> Any:
    _refuse_options("np.trapezoid", axis)
    if recorder.concrete(y) is not None:
        refuse("np.trapezoid over a recorded x", "its x must not depend on parameters")
    node, n = curve_of(recorder, y, "np.trapezoid")
    half = 0.5 * steps_of(recorder, n, x, dx, "np.trapezoid")
    weights = np.append(half, 0.0) + np.append(0.0, half)
    weighted = recorder.graph.add("mul", recorder.lift(weights), node)
    return _total(recorder, y, weighted, n)


def cumulative_trapezoid(
    recorder: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1, initial: Any = None
) -> Any:
    """Return the recorded `scipy.integrate.cumulative_trapezoid`: running sums of trapezoids.

    With d_i the distance of points i and i + 1, and w the weights that a sum up to a point has,
    sum_{j < i} d_j (y_j + y_{j+1}) / 2 = (sum_{j <= i} w_j y_j) - d_i y_i / 2.
    """
    _refuse_options("cumulative_trapezoid", axis)
    if initial not in (None, 0):
        refuse(f"cumulative_trapezoid with initial={initial!r}", "it must be None or 0")
    node, n = curve_of(recorder, y, "cumulative_trapezoid")
    half = 0.5 * steps_of(recorder, n, x, dx, "cumulative_trapezoid")
    after, before = np.append(half, 0.0), np.append(0.0, half)
    graph = recorder.graph
    weighted = graph.add("mul", recorder.lift(after + before), node)
    running = _mixed(y, weighted, table("sums", n, n))
    whole = running - _symbol(y, graph.add("mul", recorder.lift(after), node))
    return whole if initial == 0 else piece(whole, 1, n)


# ---- pieces, products, tables --------------------------------------------------------------------


def piece(symbol: Any, start: int, stop: int) -> Any:
    """Return the points from ``start`` to ``stop`` of a recorded curve."""
    recorder = symbol._recorder
    graph, tables = recorder.graph, tables_of(recorder)

    def cut(i: int) -> int:
        op, *operands = graph.node(i)
        if op in ("mul", "add", "sub", "neg") and all(
            not graph.stage(k) & ON_X or _is_cut(k) for k in operands
        ):
            parts = [cut(k) if graph.stage(k) & ON_X else k for k in operands]
            return int(graph.add(op, *parts))
        if not _is_cut(i):
            n = length_of(recorder, i)
            number = tables.add(table("band", n or 0, stop - start, offset=start, values=[1.0]))
            return mixes.mixed(graph, number, i)
        old = mixes.table_at(graph, operands[-1])
        new = old._replace(n_out=stop - start, offset=old.offset + start)
        number = tables.add(new) if op == "mix" else tables.add(new, new._replace(kind="slope"))
        return int(graph.add(op, *operands[:-1], graph.const(float(number))))

    def _is_cut(i: int) -> bool:
        """Whether a node is a window of something longer, which may be another window."""
        op, *operands = graph.node(i)
        if op in ("mul", "add", "sub", "neg"):
            return all(not graph.stage(k) & ON_X or _is_cut(k) for k in operands)
        return op in ("mix", "moved") and mixes.table_at(graph, operands[-1]).kind in (
            "band",
            "moved",
        )

    return _symbol(symbol, cut(symbol._id))


def getitem(symbol: Any, key: Any) -> Any:
    """Return a recorded curve's points of a slice, or its value at one point."""
    recorder = symbol._recorder
    if not recorder.graph.stage(symbol._id) & ON_THETA or len(recorder.points) > 1:
        refuse("indexing")
    n = length_of(recorder, symbol._id)
    if n is None:
        refuse("indexing")
    if isinstance(key, slice):
        start, stop, step = key.indices(n)
        if step != 1 or stop <= start:
            refuse(f"indexing by [{start}:{stop}:{step}]", "take points that follow one another")
        return symbol if (start, stop) == (0, n) else piece(symbol, start, stop)
    if isinstance(key, int | np.integer) and -n <= key < n:
        at = int(key) % n
        one = piece(symbol, at, at + 1)
        return _total(recorder, one, one._id, 1)
    refuse("indexing")


def _diff(recorder: Any, a: Any, n: int = 1, axis: int = -1, **options: Any) -> Any:
    _refuse_options("np.diff", axis, **options)
    node, points = curve_of(recorder, a, "np.diff")
    if n != 1 or points < 2:
        refuse(f"np.diff with n={n} of {points} points")
    return _mixed(a, node, table("band", points, points - 1, offset=1, values=[1.0, -1.0]))


def matmul(recorder: Any, a: Any, b: Any) -> Any:
    """Return the recorded product of a curve with fixed numbers, or of two curves."""
    if _is_recorded(recorder, a) and _is_recorded(recorder, b):
        return _sum(recorder, a * b)
    first = _is_recorded(recorder, a)
    curve, other = (a, b) if first else (b, a)
    ndim = 2 if np.ndim(recorder.concrete(other)) > 1 else 1
    matrix = _numbers(recorder, other, "the product @", ndim)
    matrix = matrix.T if first and ndim == 2 else matrix
    node, n = curve_of(recorder, curve, "the product @")
    if matrix.shape[-1] != n:
        refuse(
            f"the product @ of a matrix of shape {np.shape(other)} with a curve of {n} points",
            "their sizes must agree",
        )
    if ndim == 1:
        return _sum(recorder, curve * matrix)
    return _mixed(curve, node, table("dense", n, len(matrix), values=matrix))


def _dot(recorder: Any, a: Any, b: Any, out: Any = None) -> Any:
    _refuse_options("np.dot", None, out=out)
    return matmul(recorder, a, b)


def _interp(
    recorder: Any, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    places, values = (_numbers(recorder, each, "np.interp") for each in (xp, fp))
    if period is not None:
        refuse("np.interp with period=", "take the remainder, x % period, and a table that closes")
    if places.shape != values.shape or (np.diff(places) <= 0).any():
        refuse("np.interp with such a table", "xp must increase, and fp be as long")
    ends = [
        float(end if given is None else recorder.concrete(given))
        for end, given in ((values[0], left), (values[-1], right))
    ]
    n, new = len(places), []
    new.append(table_of("lines", n, 0, np.concatenate([places, values, ends])))
    if n > 1:
        steps = np.diff(values) / np.diff(places)
        new.append(table_of("steps", n, 0, np.concatenate([places, steps, [0.0, 0.0]])))
    number = tables_of(recorder).add(*new)
    graph = recorder.graph
    return _symbol(x, graph.add("lookup", recorder.lift(x), graph.const(float(number))))


FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    np.convolve: _convolve,
    np.sum: _sum,
    np.mean: _mean,
    np.cumsum: _cumsum,
    **{vars(np)[name]: trapezoid for name in ("trapezoid", "trapz") if name in vars(np)},
    np.diff: _diff,
    np.dot: _dot,
    np.interp: _interp,
}
METHODS: Final[dict[str, Callable[..., Any]]] = {
    "sum": _sum,
    "mean": _mean,
    "cumsum": _cumsum,
    "dot": _dot,
}
