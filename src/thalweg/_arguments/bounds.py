"""Bounds of parameters, in every form that users write them, read in one place.

Bounds come as a pair (lower, upper), a dict from a parameter's name to its pair, or a
`scipy.optimize.Bounds`.  A side, lower or upper, is one number for all parameters, one per
parameter, or, in a batch, one per fit; ``None`` stands for no bound, wherever it is.

SciPy's list of pairs, one per parameter, is refused.  For two parameters it has the shape of
(lower, upper): [(0, 1), (0, 5)] would silently be read as 0 <= a <= 0 and 1 <= b <= 5 instead of
0 <= a <= 1 and 0 <= b <= 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .check import Array, by_name, numbers, stack

_INFINITE = (-np.inf, np.inf)
_SIDES = ("lower bounds", "upper bounds")


def read_bounds(
    bounds: Any,
    n_params: int,
    names: Sequence[str] | None = None,
    dtype: Any = np.float64,
    *,
    as_scipy: bool = False,
) -> tuple[Array, Array]:
    """Return the lower and the upper side of bounds, each of the shape in which it was given.

    Parameters
    ----------
    bounds : pair, dict, scipy.optimize.Bounds or None
        None stands for no bounds.
    n_params : int
        The number P of parameters, by which a list of pairs is recognised.
    names : sequence of str, optional
        The parameters' names, which a dict needs.
    dtype : dtype
        The element type of the result.
    as_scipy : bool
        Whether two pairs are read as (lower, upper), as `scipy.optimize.curve_fit` does, whenever
        that gives every parameter an interval.

    Raises
    ------
    ValueError
        ``bounds`` has none of these forms, or could be read in two ways.
    TypeError
        ``bounds`` holds something that is not a real number, or is a masked array.
    """
    if bounds is None:
        bounds = _INFINITE
    elif hasattr(bounds, "lb") and hasattr(bounds, "ub"):  # scipy.optimize.Bounds
        bounds = tuple(b[0] if np.shape(b) == (1,) else b for b in (bounds.lb, bounds.ub))
    elif isinstance(bounds, Mapping):
        return _by_name(bounds, names, dtype)
    else:
        _refuse_pairs(bounds, n_params, names, as_scipy)
    try:
        low, high = bounds
    except (TypeError, ValueError):
        or_dict = " or a dict name -> pair" if names else ""
        raise ValueError(f"bounds must be a pair (lower, upper){or_dict}") from None
    lower, upper = (
        numbers(_without_none(side, k), _SIDES[k], dtype) for k, side in enumerate((low, high))
    )
    return lower, upper


def bounds_of_one(
    bounds: Any, n_params: int, names: Sequence[str] | None = None, *, as_scipy: bool = False
) -> tuple[Array, Array]:
    """Return the lower and upper bounds of one vector of parameters, each float64, shape (P,).

    The arguments are those of `read_bounds`.  The arrays that are returned are read-only.

    Raises
    ------
    ValueError
        As in `read_bounds`; or a side has another shape than () or (P,), or the bounds of a
        parameter hold no number.
    TypeError
        As in `read_bounds`.
    """
    both = np.empty((2, n_params))
    both[0], both[1] = _INFINITE
    if bounds is not None:
        sides = read_bounds(bounds, n_params, names, as_scipy=as_scipy)
        for row, side, name in zip(both, sides, _SIDES, strict=True):
            if side.shape not in ((), (n_params,)):
                raise ValueError(f"{name} must have shape () or (P={n_params},), got {side.shape}")
            row[:] = side
        refuse_empty(both[0], both[1], names)
    both.flags.writeable = False
    return both[0], both[1]


def refuse_empty(lower: Array, upper: Array, names: Sequence[str] | None = None) -> None:
    """Raise ValueError unless every interval, shape (P,), holds a number."""
    wrong = ~((lower <= upper) & (lower < np.inf) & (upper > -np.inf))  # NaN too
    if not np.count_nonzero(wrong):
        return
    j = int(np.argmax(wrong))
    of = f"of {names[j]}" if names else f"of parameter {j}"
    for side, name, infinity in ((lower, "lower", "-inf"), (upper, "upper", "inf")):
        if np.isnan(side[j]):
            raise ValueError(f"the {name} bound {of} is NaN; for no bound give None or {infinity}")
    if lower[j] <= upper[j]:
        raise ValueError(f"the bounds {of} hold no number: [{lower[j]}, {upper[j]}]")
    raise ValueError(f"the lower bound {of} exceeds the upper one: {lower[j]} > {upper[j]}")


def _by_name(
    bounds: Mapping[str, Any], names: Sequence[str] | None, dtype: Any
) -> tuple[Array, Array]:
    if not names:
        raise ValueError(
            "bounds must be a pair (lower, upper): the parameters have no names for a dict"
        )
    pairs = [
        _INFINITE if pair is None else pair for pair in by_name(bounds, names, "bounds", _INFINITE)
    ]
    for name, pair in zip(names, pairs, strict=True):
        if not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
            raise ValueError(f"bounds[{name!r}] must be a pair (lower, upper), got {pair!r}")
    lower, upper = (
        stack([_without_none(pair[k], k) for pair in pairs], "bounds", names, dtype) for k in (0, 1)
    )
    return lower, upper


def _without_none(side: Any, k: int) -> Any:
    """The side with an infinity for each None."""
    if side is None:
        return _INFINITE[k]
    if isinstance(side, int | float):
        return side
    if isinstance(side, np.ndarray) and side.dtype.kind != "O":
        return side
    array = np.array(side, object)
    for i, value in enumerate(array.flat):
        if value is None:
            array.flat[i] = _INFINITE[k]
    return array


def _refuse_pairs(bounds: Any, n_params: int, names: Sequence[str] | None, as_scipy: bool) -> None:
    """Refuse a list of pairs, one for each parameter."""
    if (
        n_params == 2
        and isinstance(bounds, tuple)
        and not any(isinstance(b, tuple) for b in bounds)
    ):
        return  # ([a, b], [c, d]) and pairs of arrays are (lower, upper)
    pairs = _as_pairs(bounds, n_params)
    if pairs is None:
        return
    (low, high), labels = pairs.T.tolist(), names or [f"p{j}" for j in range(n_params)]
    written = f"bounds=({low}, {high})"
    if n_params != 2:
        raise ValueError(
            f"bounds must be a pair (lower, upper), got one pair per parameter; write {written}"
        )
    if not (pairs[:, 0] < pairs[:, 1]).all() or (as_scipy and (pairs[0] < pairs[1]).all()):
        return
    one, other = (
        " and ".join(
            f"{low:g} <= {name} <= {high:g}" for name, (low, high) in zip(labels, rows, strict=True)
        )
        for rows in (pairs, pairs.T)
    )
    raise ValueError(
        f"bounds may mean {one}, then write {written}, "
        f"or {other}, then write bounds=({pairs[0].tolist()}, {pairs[1].tolist()})"
    )


def _as_pairs(bounds: Any, n_params: int) -> Array | None:
    """The bounds as pairs of numbers, shape (P, 2), or None if they do not have that form."""
    if not isinstance(bounds, list | tuple | np.ndarray) or len(bounds) != n_params:
        return None
    if any(isinstance(b, np.ndarray) for b in bounds) and not isinstance(bounds, np.ndarray):
        return None
    try:
        pairs = [[_INFINITE[k] if v is None else float(v) for k, v in enumerate(b)] for b in bounds]
    except (TypeError, ValueError):
        return None
    return np.array(pairs) if all(len(pair) == 2 for pair in pairs) else None
