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
from .._arguments.check import PerFit, is_ready, left_out, numbers, refuse_lazy
from .._arguments.columns import columns_of
from .._arguments.pieces import Array, contiguous, has_nan, replaced
from .._core.buffers import one_row
from ..model.asked import Asked
from ..model.several import Several
from .labels import Labels, labels_of, numbered, ordered
from .layout import Layout, point_axes, points_last


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
    several : Several or None
        The outputs of a model that has several: the shape of the points then begins with their
        number R, and the rows hold those of each output one after the other.
    asked : Asked or None
        What the model was recorded as when it was asked for its outputs.
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
    several: Several | None = None
    asked: Asked | None = None

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
        x, points = self.of_one_output()
        return argument(x, fit, points, self.form, self.names)

    def of_one_output(self) -> tuple[tuple[PerFit, ...], tuple[int, ...]]:
        """Return the variables as the model gets them, and the shape of their points."""
        several = self.several
        return (self.x, self.points) if several is None else several.of_one(self.x, self.points)

    def as_returned(self, values: Array, axis: int = 0) -> Array:
        """Return values whose axis holds the R real outputs as the model returns its outputs."""
        return values if self.several is None else self.several.as_returned(values, axis)

    def weighted(self, fit: int) -> tuple[Array, Array]:
        """Return y and 1 / sigma of one data set; 0 where a point is left out."""
        sigma, use = (
            row if row is None or not row.step else PerFit(row.array[fit], 0)
            for row in (self.sigma, self.use)
        )
        return self.y[fit], _weights(self.y[fit], sigma, use)

    def weights(self) -> Array:
        """Return 1 / sigma of every data set, shape (B, N); 0 where a point is left out."""
        return _weights(self.y, self.sigma, self.use)

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
        incomplete = [row for row in self.x if has_nan(row.array)]
        missing = [PerFit(np.isnan(row.array), row.step) for row in incomplete]
        if seen is not None:
            missing = [PerFit(row.array & np.isnan(seen), row.step) for row in missing]
        masks += missing
        use = used_of(masks)
        if self.sigma is not None:
            use = _refuse_sigma(self.sigma, self.y, use)
        types = [self.y.dtype, *[row.array.dtype for row in self.x]]
        if use is self.use and types.count(dtype) == len(types):
            return self
        labels = labels_of_variables(self.form, self.names or range(len(self.x)))
        x = tuple(
            PerFit(narrowed(row.array, dtype, name, use), row.step)
            for row, name in zip(self.x, labels, strict=True)
        )
        return self._replace(x=x, y=narrowed(self.y, dtype, "y", use), use=use)


def _weights(y: Array, sigma: PerFit | None, use: PerFit | None) -> Array:
    """1 / sigma where y is a number, sigma > 0 and the point is used; else 0."""
    used: Array = ~np.isnan(y)
    if use is not None:
        used = used & (use.array != 0)
    if sigma is None:
        return used.astype(y.dtype)
    out: Array = np.zeros(y.shape, y.dtype)
    np.divide(1, sigma.array, out=out, where=used & (sigma.array > 0))
    return out


def labels_of_variables(form: str, names: Iterable[Any]) -> Sequence[str]:
    """What messages call the variables, which the model finds by these names or places."""
    return ["x"] if form == "one" else [f"x[{name!r}]" for name in names]


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
    asked: Asked | None = None,
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
    asked : Asked or None
        See `Data`.

    Raises
    ------
    ValueError
        Shapes do not fit.
    TypeError
        An argument does not hold real numbers.
    """
    known = one_row(x, y, dtype) if sigma is mask is None and n_x in (None, 1) else None
    if known is not None and (axis is None or (type(axis) is int and axis == -1)):
        data = Data((PerFit(x, 0),), "one", y.reshape(1, -1), None, None, (), y.shape)
        return data.settled(dtype) if known[0] == "nan" else data
    named = labels_of(y)
    numbers_of_axes = axis if axis is None else numbered(axis, named)
    if named is not None:
        sigma, mask = ordered(sigma, named), ordered(mask, named)
    y = numbers_of(y, "y", dtype, np.nan)
    variables, form, names = variables_of(x, y, dtype, n_x, independent)
    axes = point_axes(variables, y, numbers_of_axes, form)
    y, batch, points = points_last(y, axes, "y")
    layout = Layout(axes, batch, points)
    labels = labels_of_variables(form, names or range(len(variables)))
    rows = tuple([layout.rows(v, label) for v, label in zip(variables, labels, strict=True)])
    spread = None if sigma is None else _spread(layout, numbers_of(sigma, "sigma", dtype, np.inf))
    if spread is not None:
        spread = PerFit(contiguous(spread.array, dtype), spread.step)
    use = None if mask is None else used_of([layout.rows(booleans_of(mask), "mask")])
    y = y.reshape(prod(batch), prod(points))
    plain = isinstance(x, (list, tuple, np.ndarray))
    own = plain or len(points) > 1 or any([row.step for row in rows])
    source = None if own else copy_of(x)
    of_batch = None if named is None else named.without(axes)
    data = Data(rows, form, y, spread, use, batch, points, source, names, of_batch, asked=asked)
    return data if form == "columns" else data.settled(dtype)


def _spread(layout: Layout, sigma: Array) -> PerFit:
    """Sigma as rows; a covariance matrix is none."""
    N = prod(layout.points)
    if N > 1 and sigma.shape[-2:] == (N, N) and sigma.shape != layout.shape:
        raise ValueError(
            f"sigma of shape {sigma.shape} is a covariance matrix of y: thalweg.curve_fit takes "
            f"one, and fit takes standard deviations, shape (N={N},)"
        )
    return layout.rows(sigma, "sigma")


def numbers_of(value: Any, name: str, dtype: Any, fill: float) -> Array:
    """The numbers of a value, exact, and ``fill`` where it is masked."""
    if is_ready(value, dtype):
        return value
    value, masked = left_out(value)
    array = numbers(value, name, exact_type(value, dtype))
    return array if masked is None else replaced(array, masked, fill)


def copy_of(x: Any) -> Any:
    """A copy of x that shares no memory with it; x itself if it has no method ``copy``."""
    if isinstance(x, Mapping):
        return {name: _without_mask(values) for name, values in x.items()}
    return x.copy() if hasattr(x, "copy") else x


def _without_mask(values: Any) -> Array:
    values, masked = left_out(values)
    return np.array(values) if masked is None else np.where(masked, np.nan, values)


def booleans_of(mask: Any) -> Array:
    mask, masked = left_out(mask)
    refuse_lazy(mask, "mask")
    array = np.asarray(mask)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise TypeError(f"mask must hold booleans, got {array.dtype}")
    array = contiguous(array, bool)
    return array if masked is None else array | masked


def variables_of(
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
        variables = [numbers_of(v, f"x[{k!r}]", dtype, np.nan) for k, v in columns.items()]
        form = "columns"
    elif isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 0):
        variables = [numbers_of(v, f"x[{k}]", dtype, np.nan) for k, v in enumerate(x)]
        form = "tuple"
    else:
        array = numbers_of(x, "x", dtype, np.nan)
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


def used_of(masks: Sequence[PerFit]) -> PerFit | None:
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
    use = used_of(masks)
    assert use is not None
    if not sigma.step and (wrong & (use.array.any(0) | (len(y) == 0))).any():
        i = int(np.argmax(wrong & (use.array.any(0) | (len(y) == 0))))
        raise ValueError(f"sigma must be positive, got {sigma.array[i]} at point {i}")
    return use
