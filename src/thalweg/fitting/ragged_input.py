"""What users pass as data sets of different lengths, read into flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments.casts import refuse_lost
from .._arguments.check import Array, PerFit
from .._arguments.masked import is_masked_array
from ..model import ModelInfo
from ..model.trace import RecordingError, record
from .data import Data, arrange
from .ragged_data import RaggedData

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def is_row(value: Any) -> bool:
    """Whether a value has the form of one data set: one axis of numbers."""
    if isinstance(value, list | tuple):
        return not value or isinstance(value[0], str) or not hasattr(value[0], "__len__")
    return hasattr(value, "__len__") and getattr(value, "ndim", 0) == 1


def is_ragged(info: ModelInfo, x: Any, y: Any) -> bool:
    """Whether y is a list of arrays of different lengths.

    A list of arrays of one length is such a one, too, if x is a list of as many arrays and the
    model takes one variable, so that these cannot be its variables.
    """
    if type(y) is np.ndarray and y.dtype.kind != "O":
        return False
    if not isinstance(y, list | tuple | np.ndarray) or not len(y):
        return False
    if not is_row(y[0]):  # tables of different shapes are refused where they are read
        return len({getattr(table, "shape", ()) for table in y}) > 1
    lengths = {len(row) if is_row(row) else -1 for row in y}
    if len(lengths) > 1:
        return True
    return _is_list(x) and len(x) == len(y) and is_row(x[0]) and _takes_one(info)


def _takes_one(info: ModelInfo) -> bool:
    """Whether a model takes one variable: it says so, or can be recorded with one."""
    if info.n_x is not None or info.names is None:
        return info.n_x == 1
    try:
        record(info.function, 1, len(info.names), 1, single=True)
    except RecordingError:
        return False
    return True


def read_ragged(
    info: ModelInfo, x: Any, y: Any, sigma: Any, mask: Any, offsets: Any, dtype: Any
) -> RaggedData:
    """Return the data sets that lists of arrays hold, or flat arrays with ``offsets``.

    Raises
    ------
    ValueError
        Lengths do not fit, or float32 would merge distinct values.
    TypeError
        An argument does not hold real numbers.
    """
    is_flat = offsets is not None
    if not is_flat:
        lengths = _lengths(y)
        x, offsets = _variables(x, lengths), np.concatenate([[0], np.cumsum(lengths)])
        y = _joined(y, lengths, "y")
        sigma, mask = (
            value if _is_number(value) else _joined(_sets(value, lengths, name), lengths, name)
            for value, name in ((sigma, "sigma"), (mask, "mask"))
        )
    y, sigma, mask = (_one_row(v, n) for v, n in ((y, "y"), (sigma, "sigma"), (mask, "mask")))
    if np.iscomplexobj(y):
        raise TypeError(
            "y must be real where data sets have different lengths, got complex numbers"
        )
    offsets = _read_offsets(offsets, y.shape[1])
    flat = arrange(x, y, sigma, mask, -1, _FLOAT64, info.n_x, info.independent)
    data = RaggedData(_flat(flat), offsets, (len(offsets) - 1,), is_flat)
    return _narrowed(data) if dtype == _FLOAT32 and flat.form != "columns" else data


def refuse_negative(data: RaggedData) -> None:
    """Raise ValueError if a count that is used is below 0."""
    y = data.y[0]
    with np.errstate(invalid="ignore"):
        negative = y < 0
    if data.flat.use is not None:
        negative &= data.flat.use.array != 0
    if negative.any():
        at = int(np.argmax(negative))
        k = int(np.searchsorted(data.offsets, at, side="right")) - 1
        place = f"y[{at}]" if data.is_flat else f"y[{k}][{at - data.offsets[k]}]"
        raise ValueError(
            f"noise='poisson' needs counts, but {place} is {y[at]:g}; a mask leaves such points out"
        )


def _lengths(y: Sequence[Any]) -> list[int]:
    """How many points each data set of a list has."""
    for k, row in enumerate(y):
        if not is_row(row):
            raise ValueError(
                f"y[{k}] must be an array of one axis: a data set of a length of its own has one "
                "output"
            )
    return [len(row) for row in y]


def _variables(x: Any, lengths: list[int]) -> Any:
    """The variables as flat arrays, in the user's form."""
    if isinstance(x, Mapping):
        return {k: _joined(_sets(v, lengths, f"x[{k!r}]"), lengths, "x") for k, v in x.items()}
    if not _is_list(x):
        raise ValueError(
            f"x must be a list of {len(lengths)} arrays, as y is, each as long as that of y; for a "
            "model of several variables a tuple of such lists, or a dict"
        )
    if all(map(is_row, x)):
        return _joined(_sets(x, lengths, "x"), lengths, "x")
    return tuple(
        _joined(_sets(rows, lengths, f"x[{k}]"), lengths, f"x[{k}]") for k, rows in enumerate(x)
    )


def _is_list(value: Any) -> bool:
    of_objects = isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1
    return (isinstance(value, list | tuple) or of_objects) and len(value) > 0


def _sets(value: Any, lengths: list[int], name: str) -> Sequence[Any]:
    """A list of as many arrays as there are data sets, each as long as that of y."""
    if not _is_list(value) or len(value) != len(lengths) or not all(map(is_row, value)):
        got = f"{len(value)}" if _is_list(value) else type(value).__name__
        raise ValueError(f"{name} must be a list of {len(lengths)} arrays, as y is, got {got}")
    for k, (row, n) in enumerate(zip(value, lengths, strict=True)):
        if len(row) != n:
            raise ValueError(f"{name}[{k}] has {len(row)} points, but y[{k}] has {n}")
    return value  # type: ignore[no-any-return]


def _joined(rows: Sequence[Any], lengths: list[int], name: str) -> Any:
    """The arrays of all data sets, end to end; a masked array if one of them is."""
    if any(is_masked_array(row) for row in rows):
        join: Any = np.ma.concatenate
        return join([np.ma.asarray(row) for row in rows])
    filled = [np.asarray(row) for row, n in zip(rows, lengths, strict=True) if n]
    return np.concatenate(filled) if filled else np.empty(0)


def _is_number(value: Any) -> bool:
    """Whether a value is one for all points, or none at all."""
    return value is None or isinstance(value, float | int | np.generic)


def _one_row(value: Any, name: str) -> Any:
    """An array of all points as one row; a masked one keeps its mask."""
    if _is_number(value):
        return value
    if is_row(value):
        return (value if is_masked_array(value) else np.asarray(value))[None]
    raise ValueError(
        f"{name} must have one axis with all points, where offsets tell the data sets apart"
    )


def _read_offsets(offsets: Any, n_points: int) -> Array:
    """The offsets as int64: whole numbers from 0 to M that do not fall."""
    array = np.asarray(offsets)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise ValueError(
            "offsets must be B + 1 whole numbers: where each data set begins, and how many points "
            "all have"
        )
    array = array.astype(np.int64)
    if array[0] != 0 or array[-1] != n_points or (np.diff(array) < 0).any():
        raise ValueError(
            f"offsets must rise from 0 to the number of points, {n_points}; got "
            f"{array[0]} to {array[-1]}" + ", falling in between" * bool((np.diff(array) < 0).any())
        )
    return array


def _flat(data: Data) -> Data:
    """The data of one row as those of one data set without a batch."""

    def flat(row: PerFit | None) -> Any:
        return None if row is None else PerFit(row.array.reshape(-1), 0)

    x = tuple(flat(row) for row in data.x)
    return data._replace(x=x, sigma=flat(data.sigma), use=flat(data.use), batch=(), source=None)


def _narrowed(data: RaggedData) -> RaggedData:
    """The data in float32, or a refusal where that merges distinct values of most data sets."""
    flat, one = data.flat, data.flat.single
    for k, row in enumerate(flat.x):
        refuse_lost(_used_rows(data, row.array), "x" if one else f"x[{k}]", data.n_fits)
    refuse_lost(_used_rows(data, data.y[0]), "y", data.n_fits)
    with np.errstate(over="ignore"):
        x = tuple(PerFit(row.array.astype(_FLOAT32), 0) for row in flat.x)
        sigma = flat.sigma and PerFit(flat.sigma.array.astype(_FLOAT32), 0)
        flat = flat._replace(x=x, y=flat.y.astype(_FLOAT32), sigma=sigma)
    return RaggedData(flat, data.offsets, data.batch, data.is_flat)


def _used_rows(data: RaggedData, values: Array) -> Iterator[Array]:
    """Yield the values of the data sets of each length, as rows; NaN where a point is left out."""
    if data.flat.use is not None:
        values = np.where(data.flat.use.array != 0, values, np.nan)
    for places in data.by_length():
        yield values[data.places_of_points(places)]
