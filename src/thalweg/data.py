"""The data of a fit: what users pass as x, y, sigma and mask, as rows of points.

B data sets ("fits") of N points each.  Points may lie along one axis of y or, for images, along
several: then they are flattened, and x, sigma and mask with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ._check import Array, PerFit, has_nan, numbers, per_fit


class Data(NamedTuple):
    """B data sets of N points.

    Attributes
    ----------
    x : tuple of PerFit
        The independent variables, each (N,) or (B, N).
    form : {"one", "tuple", "array"}
        How the model gets them: one variable, a tuple of several, or the rows of an array.
    y : ndarray, shape (B, N)
    sigma : PerFit or None
        Standard deviations.
    use : PerFit or None
        uint8, 0 where a point is left out.
    batch : tuple of int
        The shape of the batch; B is its product.
    points : tuple of int
        The shape of the points; N is its product.
    """

    x: tuple[PerFit, ...]
    form: str
    y: Array
    sigma: PerFit | None
    use: PerFit | None
    batch: tuple[int, ...]
    points: tuple[int, ...]

    def argument(self, fit: int) -> Any:
        """Return x of one data set as the model's function gets it: of the shape of the points."""
        return argument(self.x, fit, self.points, self.form)

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


def argument(x: Sequence[PerFit], fit: int, points: tuple[int, ...], form: str) -> Any:
    """Return the variables of one data set in the shape of their points, in the user's form."""
    rows = [(v.array[fit] if v.step else v.array).reshape(points) for v in x]
    if form == "one":
        return rows[0]
    return np.stack(rows) if form == "array" else tuple(rows)


def arrange(
    x: Any,
    y: Any,
    sigma: Any,
    mask: Any,
    axis: int | Sequence[int] | None,
    dtype: Any,
    n_x: int | None,
) -> Data:
    """Return the data as rows of points.

    Parameters
    ----------
    x : array_like or sequence of array_like
        One variable: an array; several: a tuple or list of arrays, or an array (n_x, N).
    y, sigma, mask : array_like
        See `thalweg.fit`.
    axis : int, sequence of int, or None
        The axes of y along which the points lie; None: as many last axes as x has when there are
        several variables, else the last.
    dtype : dtype
        float64 or float32.
    n_x : int or None
        How many variables the model takes, if that is known.

    Raises
    ------
    ValueError
        Shapes do not fit.
    TypeError
        Something is not a real number.
    """
    missing = _missing(y)
    y = numbers(y, "y", dtype)
    variables, form = _variables(x, y, dtype, n_x)
    axes = _point_axes(variables, y, axis, form)
    y, batch, points = _points_last(y, axes, "y")
    N = prod(points)
    layout = _Layout(axes, batch, points)
    rows = tuple(
        layout.rows(v, "x" if form == "one" else f"x[{k}]", dtype) for k, v in enumerate(variables)
    )
    spread = None if sigma is None else layout.rows(numbers(sigma, "sigma", dtype), "sigma", dtype)
    left_out = [
        layout.rows(_boolean(m), name, bool)
        for m, name in ((missing, "y"), (mask, "mask"))
        if m is not None
    ]
    left_out += [PerFit(np.isnan(v.array), v.step) for v in rows if has_nan(v.array)]
    return Data(rows, form, y.reshape(prod(batch), N), spread, _use(left_out), batch, points)


def _missing(y: Any) -> Any:
    if isinstance(y, np.ma.MaskedArray) and y.mask is not np.ma.nomask:
        return np.ma.getmaskarray(y)
    return None


def _boolean(mask: Any) -> Array:
    array = np.asarray(mask)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise TypeError(f"mask must hold booleans, got {array.dtype}")
    return array.astype(bool, copy=False)


def _variables(x: Any, y: Array, dtype: Any, n_x: int | None) -> tuple[list[Array], str]:
    """The independent variables, and the form in which the model gets them."""
    if isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 0):
        variables = [numbers(v, f"x[{k}]", dtype) for k, v in enumerate(x)]
        form = "tuple"
    else:
        array = numbers(x, "x", dtype)
        rows = array.ndim == 2 and array.shape != y.shape and array.shape[1:] == y.shape[-1:]
        form = "array" if rows else "one"
        variables = list(array) if rows else [array]
    if n_x is not None and n_x != len(variables):
        raise ValueError(
            f"the model takes {n_x} independent variable{'s' * (n_x != 1)}, "
            f"x gives {len(variables)}"
        )
    return variables, form


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
    if not normal or len(set(normal)) < len(normal) or not all(0 <= a < y.ndim for a in normal):
        raise ValueError(f"axis must name axes of y, which has {y.ndim}, got {axis}")
    return normal


def _points_last(
    array: Array, axes: tuple[int, ...], name: str
) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """The array with its points flattened behind its batch, and the shapes of both."""
    last = tuple(range(array.ndim - len(axes), array.ndim))
    moved = array if axes == last else np.ascontiguousarray(np.moveaxis(array, axes, last))
    batch, points = moved.shape[: last[0]], moved.shape[last[0] :]
    return moved if len(points) == 1 else moved.reshape(*batch, prod(points)), batch, points


class _Layout(NamedTuple):
    """Where y has its points; other arrays have theirs likewise."""

    axes: tuple[int, ...]
    batch: tuple[int, ...]
    points: tuple[int, ...]

    def rows(self, array: Array, name: str, dtype: Any) -> PerFit:
        """An array of the shape of the points, or of y, as rows."""
        ndim = len(self.batch) + len(self.points)
        if array.shape == self.points:
            array = array.reshape(-1)
        elif array.ndim == ndim and self.batch:
            array = _points_last(array, self.axes, name)[0]
        return per_fit(array, name, "N", prod(self.points), self.batch, dtype)


def _use(left_out: Sequence[PerFit]) -> PerFit | None:
    """Which points are used, from the conditions that leave them out."""
    if not left_out:
        return None
    array = left_out[0].array
    for other in left_out[1:]:
        array = array | other.array
    return PerFit((~array).view(np.uint8), max(row.step for row in left_out))
