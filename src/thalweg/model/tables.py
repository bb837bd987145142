"""Tables: fixed numbers of a graph, and what they do to curves; the specification of csrc/tape.

A curve is values at the points of a data set, or at points of its own.  A model whose points mix
applies *linear operators* with fixed numbers to curves: the convolution with a response, running
and total sums, the product with a matrix.  An operation of a graph names its table by a number,
its last operand:

    ("fixed", k)         a curve of numbers
    ("mix", a, k)        a table applied to a curve
    ("moved", a, s, k)   the same, with a shift s that may be a parameter
    ("total", a, k)      the sum of a curve, one number for all points
    ("lookup", a, k)     point by point, the value of a function that a table of knots gives

Every table is linear in its curve; so the derivative of what it gives is the same table applied to
the derivative of the curve (`mixes.gradient`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# The kinds, in the order of tw_table_kind in csrc/tape/contract.h.
KINDS: Final = ("curve", "band", "dense", "sums", "total", "moved", "slope", "lines", "steps")
MIXING: Final = ("mix", "moved", "total")  # operations whose value depends on all points
WITH_TABLES: Final = frozenset({"fixed", "lookup", *MIXING})


class Table(NamedTuple):
    """One table; see csrc/tape/contract.h for what each kind does.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    n_in, n_out : int
        Points of the curves that it takes and gives, or n_in knots.
    offset : int
        By how many points the curve is taken later.
    values : ndarray
        Its numbers, float64, one row.
    """

    kind: str
    n_in: int
    n_out: int
    offset: int
    values: Array

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells two tables apart."""
        # hashlib loads OpenSSL, which takes a tenth of the time of importing Thalweg
        from hashlib import blake2b

        return (*self[:4], blake2b(self.values.data, digest_size=16).digest())

    @property
    def mark(self) -> tuple[Any, ...]:
        """What equal tables share, and few others: some of the numbers, which are found fast."""
        size = self.values.size
        return (*self[:4], size, self.values[:: size // 16 + 1].tobytes())

    def equals(self, other: Table) -> bool:
        """Return whether the other table is the same to the last bit."""
        bits, others = self.values.view(np.int64), other.values.view(np.int64)
        return self[:4] == other[:4] and bool(np.array_equal(bits, others))

    def __call__(self, *operands: Any) -> Any:
        """Return what the table gives, for curves along the last axis."""
        return _APPLY[self.kind](self, *operands)

    def in_unit(self, exponent: int) -> Table:
        """Return the table with its numbers divided by 2^exponent."""
        return self._replace(values=np.ldexp(self.values, -exponent))


def table(kind: str, n_in: int, n_out: int, *, offset: int = 0, values: Any = ()) -> Table:
    """Return a table that shares no memory with ``values``."""
    return table_of(kind, n_in, n_out, np.array(values, np.float64).reshape(-1), offset)


def table_of(kind: str, n_in: int, n_out: int, numbers: Array, offset: int = 0) -> Table:
    """Return a table of a row of doubles that nobody else has, and that is no longer written."""
    numbers.setflags(write=False)
    return Table(kind, n_in, n_out, offset, numbers)


class Tables:
    """The tables of a graph for data sets of ``n_points`` points, by number.

    ``places`` holds, for each array of the user's that is a curve of numbers, its shape and the
    file and line where it was met.
    """

    def __init__(self, n_points: int) -> None:
        self.n_points = n_points
        self.items: list[Table] = []
        self.places: dict[int, tuple[tuple[int, ...], str | None, int | None]] = {}
        self._places: dict[Any, list[int]] = {}  # by the marks of tables, see `add`

    def __getitem__(self, number: float) -> Table:
        return self.items[int(number)]

    def copy(self) -> Tables:
        """Return tables of the same numbers, to which more can be added."""
        other = Tables(self.n_points)
        other.items = [*self.items]
        other._places = {mark: [*places] for mark, places in self._places.items()}
        return other

    def add(self, *new: Table) -> int:
        """Return the number of the first of these tables, which get numbers that follow."""
        places = self._places.setdefault(tuple(each.mark for each in new), [])
        for first in places:
            if all(map(Table.equals, new, self.items[first:])):
                return first
        places.append(len(self.items))
        self.items.extend(new)
        return places[-1]

    @property
    def size(self) -> int:
        """How many numbers all tables hold."""
        return sum(each.values.size for each in self.items)

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells the tables of two graphs apart."""
        return (self.n_points, *(each.key for each in self.items))


def _row(operand: Any, n: int) -> Array:
    """The curve of an operand, which may be one number for all points."""
    array = np.asarray(operand, float)
    return np.broadcast_to(array, (*array.shape[:-1], n)) if array.shape[-1:] != (n,) else array


def _taken(curve: Array, places: Array) -> Array:
    """The values of a curve at these places, 0 beyond its ends."""
    inside = (places >= 0) & (places < curve.shape[-1])
    values = np.take_along_axis(curve, np.where(inside, places, 0).astype(int), axis=-1)
    return np.where(inside, values, 0.0)


def _band(t: Table, curve: Any) -> Array:
    u, places = _row(curve, t.n_in), np.arange(t.n_out) + t.offset
    out = np.zeros((*u.shape[:-1], t.n_out))
    for k, c in enumerate(t.values):
        inside = (places - k >= 0) & (places - k < t.n_in)
        out[..., inside] += c * u[..., places[inside] - k]
    return out


def _dense(t: Table, curve: Any) -> Array:
    matrix = t.values.reshape(t.n_out, t.n_in)
    return np.asarray(np.einsum("ij,...j->...i", matrix, _row(curve, t.n_in)))


def _sums(t: Table, curve: Any) -> Array:
    sums: Array = np.cumsum(_row(curve, t.n_in), axis=-1)
    return sums[..., : t.n_out]


def _total(t: Table, curve: Any) -> Array:
    return np.asarray(np.sum(_row(curve, t.n_in), axis=-1, keepdims=True))


def _moved(t: Table, curve: Any, shift: Any) -> Array:
    """The curve at places i + offset - shift, by straight lines, or its slope there."""
    s = np.asarray(shift, float)
    s = s if s.shape[-1:] == (1,) else s[..., np.newaxis]
    below = np.floor(-s)
    places = np.arange(t.n_out) + t.offset + below
    u = _row(curve, t.n_in)
    shape = np.broadcast_shapes(u.shape[:-1], places.shape[:-1])
    u, places = np.broadcast_to(u, (*shape, t.n_in)), np.broadcast_to(places, (*shape, t.n_out))
    here = _taken(u, places)
    rise = _taken(u, places + 1) - here
    return rise if t.kind == "slope" else here + (-s - below) * rise


def _lines(t: Table, a: Any) -> Any:
    n, (left, right) = t.n_in, t.values[-2:]
    return np.interp(a, t.values[:n], t.values[n:-2], left=left, right=right)


def _steps(t: Table, a: Any) -> Any:
    places, steps = t.values[: t.n_in], t.values[t.n_in : -2]
    k = np.clip(np.searchsorted(places, a, side="right") - 1, 0, len(steps) - 1)
    within = np.where(a > places[-1], t.values[-1], np.asarray(steps)[k])
    return np.where(np.isnan(a), np.nan, np.where(a < places[0], t.values[-2], within))


_APPLY: dict[str, Callable[..., Any]] = {
    "curve": lambda t: t.values,
    "band": _band,
    "dense": _dense,
    "sums": _sums,
    "total": _total,
    "moved": _moved,
    "slope": _moved,
    "lines": _lines,
    "steps": _steps,
}
