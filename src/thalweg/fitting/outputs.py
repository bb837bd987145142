"""The data of models of several outputs, and of complex models, as rows of real numbers.

A model may return K values at each point, a complex value, or K complex values.  Its data y have an
axis of K before that of the points, (..., K, N), or are complex, (..., N) or (..., K, N).  They
become a fit of R N points, with R = K real outputs, or 2 K of complex values
(`thalweg.model.several` tells the order); all that follows, up to the result, knows points only.

y, sigma and mask are split into R arrays, each in the shape that y has for a model of one output.
Each is arranged as `data` arranges it, and the rows of all are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import PerFit, left_out
from .._arguments.columns import columns_of
from .._arguments.pieces import Array, contiguous
from ..model import ModelInfo
from ..model.asked import Asked, outputs_of
from ..model.several import Several, several_of_numbers
from ..model.ties import checked
from ..model.trace import Recording, RecordingError
from .by_calls import copied
from .data import (
    Data,
    argument,
    arrange,
    booleans_of,
    copy_of,
    labels_of_variables,
    numbers_of,
    used_of,
    variables_of,
)
from .labels import labels_of, numbered, ordered
from .layout import Layout, point_axes, points_last
from .problem import named, shared_values


class NoAxisOfOutputs(ValueError):
    """A model has several outputs, for which y of this shape has no axis of their number."""

    def __init__(self, kind: Several, shape: tuple[int, ...]) -> None:
        super().__init__(
            f"the model returns {kind.words}, so y must have shape (..., K={kind.number}, N), "
            f"got {shape}"
        )
        self.kind, self._shape = kind, shape

    def __reduce__(self) -> tuple[Any, ...]:
        return NoAxisOfOutputs, (self.kind, self._shape)

    def of_all(self, shape: tuple[int, ...]) -> NoAxisOfOutputs:
        """Return the same refusal of the data of which those before were a part."""
        return NoAxisOfOutputs(self.kind, shape)


class Start(NamedTuple):
    """What tells how many parameters a model has, and where it may be called."""

    p0: Any
    fixed: Any
    tied: Any


def arranged(
    model: ModelInfo,
    start: tuple[Any, Any, Any],
    x: Any,
    y: Any,
    sigma: Any,
    mask: Any,
    axis: int | str | Sequence[int | str] | None,
    dtype: Any,
) -> Data:
    """Return the data as rows of points, like `thalweg.fitting.data.arrange`, for any model.

    Data of one axis of real numbers belong to a model of one real output; other data are looked at
    with the model, which is called once with symbols.  ``start`` holds what `Start` does.

    Raises
    ------
    ValueError
        The shape of the data does not fit the outputs of the model.
    TypeError
        Only one of y and the model is complex.
    """
    if type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind != "c":
        return arrange(x, y, sigma, mask, axis, dtype, model.n_x, model.independent)
    kind = _several(model, Start(*start), x, y, dtype)
    if not isinstance(kind, Several):
        return arrange(x, y, sigma, mask, axis, dtype, model.n_x, model.independent, kind)
    return _arrange(model, kind, x, y, sigma, mask, axis, dtype)


# ---- which outputs the model has ---------------------------------------------------------------


def _several(model: ModelInfo, start: Start, x: Any, y: Any, dtype: Any) -> Several | Asked | None:
    """The outputs of the model; None where it has one real output, or cannot be asked.

    One real output is told by what was recorded, too.
    """
    complex_data = _is_complex(y)
    if not complex_data and (_ndim(y) < 2 or model.n_x is not None):
        return None  # one axis of real numbers, or a formula or built-in model
    kind = _asked(model, start, x, y, dtype)
    complex_model = isinstance(kind, Several) and kind.complex
    if complex_data and not complex_model:
        raise TypeError(
            f"y is complex, but the model {model.label} is real: it must return a complex value, "
            "such as re + 1j*im"
        )
    if complex_model and not complex_data:
        raise TypeError(
            f"the model {model.label} is complex, but y is real: give a complex y, or let the "
            "model return np.abs, the real or the imaginary part"
        )
    return kind


def _ndim(y: Any) -> int:
    """The number of axes of y; the arrays in a tuple may have several sizes."""
    return 1 + np.ndim(y[0]) if isinstance(y, list | tuple) and y else np.ndim(y)


def _is_complex(y: Any) -> bool:
    dtype = getattr(y, "dtype", None)
    if isinstance(dtype, np.dtype):
        return dtype.kind == "c"
    if isinstance(y, list | tuple):
        kinds = dict(zip(map(type, y), y, strict=True))  # a value of each type that occurs
        return any(map(_is_complex, kinds.values()))
    return isinstance(y, complex) or (hasattr(y, "__array__") and np.iscomplexobj(np.asarray(y)))


def _asked(model: ModelInfo, start: Start, x: Any, y: Any, dtype: Any) -> Several | Asked | None:
    """The outputs of the model when it is called with symbols or, if it cannot be, with p0."""
    p0, tied = start.p0, checked(start.tied)
    if model.names is None and (p0 is None or isinstance(p0, str)):
        return _unknown(y)  # how many parameters a model with *args has is not known
    model, names = named(model, {**p0, **tied} if isinstance(p0, Mapping) else p0)
    some = y[0] if isinstance(y, list | tuple) else y
    variables, form, columns = variables_of(x, some, dtype, model.n_x, model.independent)
    points = variables[0].shape if form == "tuple" else variables[0].shape[-1:]
    rows = [PerFit(v.reshape(-1), int(v.shape != points)) for v in variables]
    known = shared_values(rows)
    of, form_of_x = (len(names), points), (form == "one", columns)
    try:
        found = outputs_of(model.function, len(rows), *of, *form_of_x, known)
        if isinstance(found, Recording):
            return Asked(found, model.function, rows, *of, *form_of_x)
        return found
    except RecordingError:
        theta = _somewhere(start, names)
        if theta is None or any(values is None for values in known):
            return _unknown(y)
        at = x if columns_of(x) else argument(rows, 0, points, form, columns)
        with np.errstate(all="ignore"):  # a start may be out of range, as any trial
            value = model.function(copied(at), *theta)
        return several_of_numbers(value, points)


def _unknown(y: Any) -> Several | None:
    """The outputs of a model that cannot be asked: those that y has without an axis of outputs."""
    return Several(None, True) if _is_complex(y) else None


def _somewhere(start: Start, names: Sequence[str]) -> list[float] | None:
    """The parameters of the first fit, if p0 and ``fixed`` tell them all."""
    p0 = start.p0
    if isinstance(p0, Mapping):
        fixed = start.fixed if isinstance(start.fixed, Mapping) else {}
        known = {**dict.fromkeys(start.tied or (), 1.0), **p0, **fixed}
        if not all(np.size(known.get(name, ())) for name in names):  # unknown, or of no fits
            return None
        return [_number(known[name]) for name in names]
    if p0 is None or isinstance(p0, str) or not np.size(p0):
        return None
    return [_number(v) for v in np.moveaxis(np.asarray(p0), -1, 0)] if np.ndim(p0) else None


def _number(value: Any) -> float:
    return float(np.ravel(value)[0])


# ---- the rows ----------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where the outputs of a batch lie: K on ``axis`` of arrays of ``ndim`` axes, or no axis."""

    kind: Several
    axis: int | None
    ndim: int
    layout: Layout  # that of one output

    def split(self, value: Array, name: str) -> list[Array]:
        """Return the values of each real output, in the shape that they have for one output."""
        each = [part for v in self._outputs(value, name) for part in self._real(v)]
        points = self.layout.points
        if not 0 < each[0].ndim <= len(points):
            return each
        try:
            return [np.broadcast_to(v, points) for v in each]
        except ValueError:
            raise self._refusal(value, name) from None

    def _real(self, value: Array) -> list[Array]:
        if not self.kind.complex:
            return [value]
        return [value.real, value.imag] if value.dtype.kind == "c" else [value, value]

    def _outputs(self, value: Array, name: str) -> list[Array]:
        K, own = self.kind.number, 1 + len(self.layout.points)
        if K is None:
            return [value]
        if value.ndim < own:
            return [value] * K
        axis = 0 if value.ndim == own else self.axis
        if axis is None or value.ndim not in (own, self.ndim) or value.shape[axis] not in (1, K):
            raise self._refusal(value, name)
        parts = list(np.moveaxis(value, axis, 0))
        return parts if len(parts) == K else parts * K

    def _refusal(self, value: Array, name: str) -> ValueError:
        shape = ", ".join(f"N={n}" for n in self.layout.points)
        shape = shape if self.kind.number is None else f"K={self.kind.number}, {shape}"
        return ValueError(
            f"{name} must have shape ({shape}), the same for all fits, or that of y, or ones along "
            f"some axes of these; got {value.shape}"
        )

    def sigma(self, value: Any, dtype: Any) -> PerFit:
        """Return sigma, which may be complex where y is, as rows of R N points."""
        value = _told(value)
        if not self.kind.complex and _is_complex(value):
            raise TypeError("sigma must be real, as y is; got complex numbers")
        return self.rows(_numbers(value, "sigma", np.inf), "sigma", dtype)

    def rows(self, value: Array, name: str, dtype: Any) -> PerFit:
        """Return values of the shape of y, or of its outputs, as rows of R N points."""
        rows = [self.layout.rows(contiguous(v, dtype), name) for v in self.split(value, name)]
        if not any(row.step for row in rows):
            return PerFit(np.concatenate([row.array for row in rows]), 0)
        shape = prod(self.layout.batch), prod(self.layout.points)
        return PerFit(np.hstack([np.broadcast_to(row.array, shape) for row in rows]), 1)


def _arrange(
    model: ModelInfo,
    kind: Several,
    x: Any,
    y: Any,
    sigma: Any,
    mask: Any,
    axis: int | str | Sequence[int | str] | None,
    dtype: Any,
) -> Data:
    """The data of a model that has several outputs."""
    labels = None if isinstance(y, list | tuple) else labels_of(y)
    if labels is not None:
        sigma, mask = ordered(sigma, labels), ordered(mask, labels)
    y, from_tuple = _one_array(y, kind)
    axis = axis if axis is None else numbered(axis, labels)
    like_one = np.broadcast_to(0.0, _shape_of_one(kind, y.shape, x, axis, from_tuple))
    variables, form, names = variables_of(x, like_one, dtype, model.n_x, model.independent)
    place, y, axes = _placed(kind, variables, form, y, axis, from_tuple)
    layout, batch, points = place.layout, place.layout.batch, place.layout.points
    said = labels_of_variables(form, names or range(len(variables)))
    rows = [layout.rows(v, label) for v, label in zip(variables, said, strict=True)]
    spread = None if sigma is None else place.sigma(sigma, dtype)
    use = None if mask is None else used_of([place.rows(booleans_of(_told(mask)), "mask", bool)])
    own = isinstance(x, list | tuple | np.ndarray) or len(points) > 1 or any(r.step for r in rows)
    data = Data(
        kind.repeated(rows),
        form,
        y,
        spread,
        use,
        batch,
        (kind.n_real, *points),
        None if own else copy_of(x),
        names,
        None if labels is None else labels.without(axes),
        several=kind,
    )
    return data if form == "columns" else data.settled(dtype)


def _one_array(y: Any, kind: Several) -> tuple[Array, bool]:
    """y as an array of numbers, and whether it was a tuple of K arrays, its first axis now."""
    if not isinstance(y, list | tuple) or kind.number is None:
        return _numbers(y, "y", np.nan), False
    parts = [_numbers(part, f"y[{k}]", np.nan) for k, part in enumerate(y)]
    if len({part.shape for part in parts}) > 1:
        sizes = " and ".join(sorted({str(part.shape) for part in parts}))
        raise ValueError(
            f"the outputs of y must have one shape, got {sizes}: fill up shorter ones with NaN, "
            "which leaves points out"
        )
    is_tuple = isinstance(y, tuple) or all(hasattr(part, "__array__") for part in y)
    return np.stack(parts), is_tuple and len(parts) == kind.number


def _shape_of_one(
    kind: Several, shape: tuple[int, ...], x: Any, axis: Any, from_tuple: bool
) -> tuple[int, ...]:
    """The shape of one output of y, by which x is told to be one variable or several."""
    if kind.number is None or not shape:
        return shape
    grid = max(map(np.ndim, x), default=1) if isinstance(x, tuple) else 1
    points = range(-grid, 0) if axis is None else np.atleast_1d(axis)
    of_points = {int(a) % len(shape) for a in points}
    k = 0 if from_tuple else max({*range(len(shape))} - of_points, default=0)
    return shape[:k] + shape[k + 1 :]


def _placed(
    kind: Several, variables: list[Array], form: str, y: Array, axis: Any, from_tuple: bool
) -> tuple[_Place, Array, tuple[int, ...]]:
    """Where the outputs and points lie, y as rows (B, R N), and the axes of y that hold both."""
    if kind.number is None:
        axes = point_axes(variables, y, axis, form)
        _, batch, points = points_last(y, axes, "y")
        place = _Place(kind, None, y.ndim, Layout(axes, batch, points))
        return place, _rows_of_y(place, y), axes
    if from_tuple:
        axes = point_axes(variables, y[0], axis, form)
        k = (
            y.ndim - 1 - len(axes)
            if axes == tuple(range(y.ndim - 1 - len(axes), y.ndim - 1))
            else 0
        )
        y, of_one = np.moveaxis(y, 0, k), axes
        axes = tuple(a + (a >= k) for a in axes)
    else:
        axes = point_axes(variables, y, axis, form)
        k = max((a for a in range(y.ndim) if a not in axes), default=-1)
        of_one = tuple(a - (a > k) for a in axes)
    if k < 0 or y.shape[k] != kind.number:
        raise NoAxisOfOutputs(kind, y.shape)
    _, batch, points = points_last(np.moveaxis(y, k, 0)[0], of_one, "y")
    place = _Place(kind, k, y.ndim, Layout(of_one, batch, points))
    return place, _rows_of_y(place, y), (k, *axes)


def _rows_of_y(place: _Place, y: Array) -> Array:
    """y as rows (B, R N).  A complex number of which one part is NaN is missing as a whole."""
    if place.kind.complex:
        y = np.where(np.isnan(y), complex(np.nan, np.nan), y)
    row = place.rows(y, "y", y.real.dtype)
    return row.array.reshape(prod(place.layout.batch), -1) if row.array.size else row.array


def _numbers(value: Any, name: str, fill: float) -> Array:
    """The real or complex numbers of a value, and ``fill`` where it is masked."""
    if not _is_complex(value):
        return numbers_of(value, name, np.dtype(np.float64), fill)
    value, masked = left_out(value)
    array = np.asarray(value, np.complex128)
    return array if masked is None else np.where(masked, complex(fill, fill), array)


def _told(value: Any) -> Any:
    """A value for all outputs; of a tuple of one number for each, an array (K, 1)."""
    if isinstance(value, tuple) and value and all(np.ndim(part) == 0 for part in value):
        return np.asarray(value)[:, None]
    return value
