"""The data of a fit: what users pass as x, y, sigma and mask, as rows of points.

There are B data sets ("fits") of N points each.  Points may lie along one axis of y or, for images,
along several: then they are flattened, and x, sigma and mask with them.

A point that is masked or missing, in y, in any x or in sigma, is left out.  `Data.settled` decides
this in one place, and only then checks the points that are used: whether their sigma is positive,
and whether float32 can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.casts import exact_type, narrowed
from .._arguments.check import PerFit, left_out, numbers, per_fit
from .._arguments.columns import columns_of
from .._arguments.pieces import Array, contiguous, copied, has_nan, replaced
from .labels import Labels, labels_of, numbered, ordered


class Data(NamedTuple):
    """B data sets of N points.

    Attributes
    ----------
    x : tuple of PerFit
        The independent variables, each (N,) or (B, N).
    form : {"one", "tuple", "array", "columns"}
        How the model gets them: one variable, a tuple of several, the rows of an array, or by
        name, as the columns of a table or a dict.
    y : ndarray, shape (B, N)
        NaN where it is masked.
    sigma : PerFit or None
        Standard deviations; infinite where they are masked.
    use : PerFit or None
        uint8, 0 where a point is left out.
    batch : tuple of int
        The shape of the batch; B is its product.
    points : tuple of int
        The shape of the points; N is its product.
    source : object
        x as the user gave it, if it is no plain array and the same for all fits; a model that is
        called gets it so.  Else None.
    names : tuple of str
        The names of the columns.
    labels : Labels or None
        The names of the batch's axes and their coordinates, where y came with such.
    kept : bool
        False for a result that was loaded from a file, which holds no data.
    """

    x: tuple[PerFit, ...]
    form: str
    y: Array
    sigma: PerFit | None
    use: PerFit | None
    batch: tuple[int, ...]
    points: tuple[int, ...]
    source: Any = None
    names: tuple[str, ...] = ()
    labels: Labels | None = None
    kept: bool = True

    def needed(self, what: str) -> Data:
        """Return the data, or refuse what a loaded result, which holds none, cannot have."""
        if not self.kept:
            raise ValueError(f"a file of results holds no data, so a loaded result has no {what}")
        return self

    def picked(self, places: Array, batch: tuple[int, ...]) -> Data:
        """Return the data of the fits at these places, (n,), in a batch of this shape."""
        return self._replace(
            x=tuple(row.picked(places) for row in self.x),
            y=self.y[places],
            sigma=None if self.sigma is None else self.sigma.picked(places),
            use=None if self.use is None else self.use.picked(places),
            batch=batch,
            labels=None,
        )

    def argument(self, fit: int) -> Any:
        """Return x of one data set as the model's function gets it, of the shape of the points."""
        if self.source is not None:
            return self.source
        return argument(self.x, fit, self.points, self.form, self.names)

    def weighted(self, fit: int) -> tuple[Array, Array]:
        """Return y and 1 / sigma of one data set; 0 where a point is left out."""
        one = self.picked(np.array([fit]), ())
        return one.y[0], one.weights()[0]

    def weights(self) -> Array:
        """Return 1 / sigma of every data set, shape (B, N); 0 where a point is left out."""
        used = ~np.isnan(self.y)
        if self.use is not None:
            used &= self.use.array != 0
        sigma = np.ones((), self.y.dtype) if self.sigma is None else self.sigma.array
        return np.divide(1, sigma, out=np.zeros_like(self.y), where=used & (sigma > 0))

    @property
    def single(self) -> bool:
        """Whether the model gets one variable instead of several."""
        return self.form == "one"

    @property
    def n_fits(self) -> int:
        """B."""
        return int(self.y.shape[0])

    @property
    def n_points(self) -> int:
        """N."""
        return int(self.y.shape[1])

    def of_columns(self, used: Iterable[int]) -> Data:
        """Return the data with those variables only that are numbered in ``used``."""
        kept = sorted(used)
        x, names = tuple(self.x[k] for k in kept), tuple(self.names[k] for k in kept)
        return self._replace(x=x, names=names)

    def settled(self, dtype: Any, seen: Array | None = None) -> Data:
        """Return the data in their element type, with every point either used or left out.

        A point is left out of a fit where ``mask`` is true, where y, sigma or a variable of x is
        masked, and where y or a variable of x is NaN.  ``seen`` is a value of the model, shape
        (N,), for tables of which it is not known what the model reads: a NaN in such an x counts
        only where ``seen`` is NaN, too.

        Raises
        ------
        ValueError
            A sigma that all fits share is not positive at a point that is used, or ``dtype`` cannot
            tell the values of x or y apart.
        """
        masks = [] if self.use is None else [PerFit(self.use.array == 0, self.use.step)]
        missing = [PerFit(np.isnan(row.array), row.step) for row in self.x if has_nan(row.array)]
        if seen is not None:
            missing = [PerFit(row.array & np.isnan(seen), row.step) for row in missing]
        masks += missing
        use = _use(masks)
        if self.sigma is not None:
            use = _refuse_sigma(self.sigma, self.y, use)
        x = tuple(
            PerFit(narrowed(row.array, dtype, name, use), row.step)
            for row, name in zip(self.x, self._labels(), strict=True)
        )
        return self._replace(x=x, y=narrowed(self.y, dtype, "y", use), use=use)

    def _labels(self) -> Sequence[str]:
        if self.form == "one":
            return ["x"]
        return [f"x[{name!r}]" for name in self.names or range(len(self.x))]


def argument(
    x: Sequence[PerFit], fit: int, points: tuple[int, ...], form: str, names: Sequence[str] = ()
) -> Any:
    """Return the variables of one data set in the shape of their points, in the user's form."""
    rows = [(v.array[fit] if v.step else v.array).reshape(points) for v in x]
    if form == "one":
        return rows[0]
    if form == "columns":
        return dict(zip(names, rows, strict=True))
    return np.stack(rows) if form == "array" else tuple(rows)


def arrange(
    x: Any,
    y: Any,
    sigma: Any,
    mask: Any,
    axis: int | str | Sequence[int | str] | None,
    dtype: Any,
    n_x: int | None,
    independent: Sequence[str] = (),
) -> Data:
    """Return the data as rows of points.

    Data of named columns are not `Data.settled` yet, for which columns the model uses is known only
    when it has been recorded.

    Parameters
    ----------
    x : array_like, sequence of array_like, dict or table
        One variable: an array; several: a tuple or list of arrays, or an array (n_x, N), or the
        columns of a dict or of a table such as a DataFrame, by their names.
    y, sigma, mask : array_like
        See `thalweg.fit`.
    axis : int, str, sequence of them, or None
        The axes of y along which the points lie, by number or name.  None stands for the last
        axis, or with several variables for as many last axes as x has.
    dtype : dtype
        float64 or float32.
    n_x : int or None
        How many variables the model takes, if that is known.
    independent : sequence of str
        Their names, if they are known.

    Raises
    ------
    ValueError
        Shapes do not fit.
    TypeError
        An argument does not hold real numbers.
    """
    named = labels_of(y)
    numbers_of_axes = numbered(axis, named)
    sigma, mask = ordered(sigma, named), ordered(mask, named)
    y = _filled(y, "y", dtype, np.nan)
    variables, form, names = _variables(x, y, dtype, n_x, independent)
    axes = _point_axes(variables, y, numbers_of_axes, form)
    y, batch, points = _points_last(y, axes, "y")
    layout = _Layout(axes, batch, points)
    labels = ["x"] if form == "one" else [f"x[{name!r}]" for name in names or range(len(variables))]
    rows = tuple(layout.rows(v, label) for v, label in zip(variables, labels, strict=True))
    spread = None if sigma is None else layout.rows(_filled(sigma, "sigma", dtype, np.inf), "sigma")
    if spread is not None:
        spread = PerFit(contiguous(spread.array, dtype), spread.step)
    use = None if mask is None else _use([layout.rows(_boolean(mask), "mask")])
    y = y.reshape(prod(batch), prod(points))
    shared = not any(row.step for row in rows) and len(points) == 1
    source = None if isinstance(x, list | tuple | np.ndarray) or not shared else _copied(x)
    of_batch = None if named is None else named.without(axes)
    data = Data(rows, form, y, spread, use, batch, points, source, names, of_batch)
    return data if form == "columns" else data.settled(dtype)


def _filled(value: Any, name: str, dtype: Any, fill: float) -> Array:
    """The numbers of a value, exact, and ``fill`` where it is masked."""
    value, masked = left_out(value)
    array = numbers(value, name, exact_type(value, dtype))
    return array if masked is None else replaced(array, masked, fill)


def _copied(x: Any) -> Any:
    """A copy of x that shares no memory with it; x itself if it has no method ``copy``."""
    if isinstance(x, Mapping):
        return {name: _without_mask(values) for name, values in x.items()}
    return x.copy() if hasattr(x, "copy") else x


def _without_mask(values: Any) -> Array:
    values, masked = left_out(values)
    return np.array(values) if masked is None else np.where(masked, np.nan, values)


def _boolean(mask: Any) -> Array:
    mask, masked = left_out(mask)
    array = np.asarray(mask)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise TypeError(f"mask must hold booleans, got {array.dtype}")
    array = contiguous(array, bool)
    return array if masked is None else array | masked


def _variables(
    x: Any, y: Array, dtype: Any, n_x: int | None, independent: Sequence[str]
) -> tuple[list[Array], str, tuple[str, ...]]:
    """The independent variables, the form in which the model gets them, and their names."""
    names: tuple[str, ...] = ()
    columns = columns_of(x)
    if columns is not None and independent:
        x = _by_name(columns, independent)
        columns = None
    if columns is not None:
        names = tuple(columns)
        variables = [_filled(v, f"x[{k!r}]", dtype, np.nan) for k, v in columns.items()]
        form = "columns"
    elif isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 0):
        variables = [_filled(v, f"x[{k}]", dtype, np.nan) for k, v in enumerate(x)]
        form = "tuple"
    else:
        array = _filled(x, "x", dtype, np.nan)
        rows = array.ndim == 2 and array.shape != y.shape and array.shape[1:] == y.shape[-1:]
        form = "array" if rows else "one"
        variables = list(array) if rows else [array]
    if n_x is not None and n_x != len(variables):
        raise ValueError(
            f"the model takes {n_x} independent variable{'s' * (n_x != 1)}, "
            f"x gives {len(variables)}"
        )
    return variables, form, names


def _by_name(columns: Mapping[str, Any], independent: Sequence[str]) -> Any:
    """The columns that a model names, as it takes them: an array, or a tuple of several."""
    absent = [name for name in independent if name not in columns]
    if absent and len(columns) == len(independent) == 1:
        return next(iter(columns.values()))
    if absent:
        raise ValueError(
            f"x has no column {absent[0]!r}, which the model takes; "
            f"it has {', '.join(map(repr, columns))}"
        )
    found = tuple(columns[name] for name in independent)
    return found[0] if len(found) == 1 else found


def _point_axes(
    variables: Sequence[Array], y: Array, axis: int | Sequence[int] | None, form: str
) -> tuple[int, ...]:
    """The axes of y along which the points lie, counted from the front."""
    if y.ndim == 0:
        raise ValueError("y must have at least one axis of points, got a number")
    if axis == -1 or (axis is None and form == "one"):
        return (y.ndim - 1,)
    if axis is None:
        d = max(1, max((v.ndim for v in variables), default=1))
        d = d if all(v.shape == y.shape[y.ndim - d :] for v in variables) else 1
        axis = tuple(range(-d, 0))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    normal = tuple(int(a) + y.ndim * (a < 0) for a in axes)
    if not normal or len(set(normal)) < len(normal):
        raise ValueError(f"axis must name one axis of y or several different ones, got {axis}")
    for a, given in zip(normal, axes, strict=True):
        if not 0 <= a < y.ndim:
            count = "1 axis" if y.ndim == 1 else f"{y.ndim} axes"
            range_of = "0 or -1" if y.ndim == 1 else f"from {-y.ndim} to {y.ndim - 1}"
            raise ValueError(f"axis {given} is out of range: y has {count}, so axis is {range_of}")
    return normal


def _points_last(
    array: Array, axes: tuple[int, ...], name: str
) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """The array with its points flattened behind its batch, and the shapes of both."""
    last = tuple(range(array.ndim - len(axes), array.ndim))
    moved = array if axes == last else contiguous(np.moveaxis(array, axes, last))
    batch, points = moved.shape[: last[0]], moved.shape[last[0] :]
    return moved if len(points) == 1 else moved.reshape(*batch, prod(points)), batch, points


class _Layout(NamedTuple):
    """The axes of y that hold the points, and the shapes of batch and points."""

    axes: tuple[int, ...]
    batch: tuple[int, ...]
    points: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of y."""
        along = dict(zip(self.axes, self.points, strict=True))
        others = iter(self.batch)
        ndim = len(self.batch) + len(self.points)
        return tuple(along[k] if k in along else next(others) for k in range(ndim))

    def rows(self, array: Array, name: str) -> PerFit:
        """Return an array of the shape of the points, or of y, as rows.

        An axis of y along which the array has one element is one along which it is the same.
        """
        ndim = len(self.batch) + len(self.points)
        if array.shape == self.points:
            array = array.reshape(-1)
        elif array.ndim == ndim and self.batch:
            shape = self.shape
            if all(n in (1, m) for n, m in zip(array.shape, shape, strict=True)):
                array = array if array.shape == shape else copied(np.broadcast_to(array, shape))
            array = _points_last(array, self.axes, name)[0]
        return per_fit(array, name, "N", prod(self.points), self.batch, array.dtype)


def _use(masks: Sequence[PerFit]) -> PerFit | None:
    """Which points are used, from the conditions that leave them out."""
    if not masks:
        return None
    array = masks[0].array
    for other in masks[1:]:
        array = array | other.array
    return PerFit((~array).view(np.uint8), max(row.step for row in masks))


def _refuse_sigma(sigma: PerFit, y: Array, use: PerFit | None) -> PerFit | None:
    """The points that are used, without those whose sigma is wrong and whose y is missing.

    A wrong sigma of another point becomes the status of its fit; if all fits share the sigma it is
    refused here.
    """
    wrong = ~(sigma.array > 0)
    if not wrong.any():
        return use
    missing = PerFit(wrong & np.isnan(y), 1)
    masks = [missing] if use is None else [missing, PerFit(use.array == 0, use.step)]
    use = _use(masks)
    assert use is not None
    if not sigma.step and (wrong & (use.array.any(0) | (len(y) == 0))).any():
        i = int(np.argmax(wrong & (use.array.any(0) | (len(y) == 0))))
        raise ValueError(f"sigma must be positive, got {sigma.array[i]} at point {i}")
    return use
