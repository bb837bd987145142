r"""Tools that all models share to find start values from data, for a whole batch at once.

An estimator sees each coordinate in units of its own spread, a = low + span * unit with unit in
[0, 1] (`Scaled`), and returns parameters in the units of the data.  Thresholds are pure numbers,
so the start values follow a change of the units of x and y.

Most models are *separable*: linear in an amplitude and an offset once a few shape parameters
are known.  For these the sum of squares is minimised exactly over the linear parameters and by
search over a small grid of shapes (variable projection).  With columns b_g = phi_g - mean(phi_g)

    min over (a, c) of ||y - a phi_g - c||^2  =  ||y - mean(y)||^2 - (b_g . y)^2 / (b_g . b_g),

so the best shape has the largest score (b_g . y)^2 / (b_g . b_g); the scores of a fit are one
matrix-vector product.  The search needs no sorting, no smoothing and no differences of noisy
neighbours.

Missing points (NaN or infinite) are filled by interpolation first, so that the estimators never
see a gap.  The start values of a row are the same to the last bit, whether the row is alone or
among a million.

Source: G. H. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate", SIAM J. Numer. Anal. 10 (1973), 413-432.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SHARED_CHUNK = 2**15  # values of y in one chunk: temporaries of 256 KiB stay in the cache
OWN_CHUNK = 2**12  # values of y in one chunk if every fit has its own x, and so its own grid
SEARCH_POINTS = 1024  # a grid search uses at most so many points of each fit
LOG_LIMIT = 600.0  # arguments of exp are held below this, as start values must be finite


class Scaled(NamedTuple):
    """A coordinate of r fits (r = 1: shared by all) as low + span * unit."""

    unit: Array  # (r, N), in [0, 1]
    low: Array  # (r,), unit of the data
    span: Array  # (r,), > 0, unit of the data

    def over_span(self) -> Array:
        """Return the values divided by span, without moving their origin."""
        return self.unit + (self.low / self.span)[:, None]


Estimator = Callable[[Sequence[Scaled], Scaled], tuple[Any, ...]]
# coordinates (1, N) or (F, N) and y (F, N) of a chunk of fits -> their parameters (F, count)
ChunkGuess = Callable[[list[Array], Array], Array]


def scaled(values: Array) -> Scaled:
    """Return values (r, N), all finite, in units of their spread."""
    low = values.min(-1)
    high = values.max(-1)
    size = np.maximum(abs(low), abs(high))
    span = high - low
    for spare in (size, 1.0):  # constant values have no spread, zeros not even a size
        span = np.where((span > 0) & (span < np.inf), span, spare)
    return Scaled(values / span[:, None] - (low / span)[:, None], low, span)


def start_values(
    estimate: Estimator, x: ArrayLike | Sequence[ArrayLike], y: ArrayLike, dims: int, count: int
) -> Array:
    """Return start values (..., count) for data y (..., N) by chunks of fits.

    Parameters
    ----------
    estimate : callable
        Takes the scaled coordinates and the scaled y of some fits, and returns their parameters.
    x : array_like or sequence of dims array_like, each (N,) or (..., N)
    y : array_like, shape (..., N)
    dims : int
        Number of independent variables.
    count : int
        Number of parameters.

    Raises
    ------
    ValueError
        The shapes of x and y do not fit.
    """

    def guess(x: list[Array], y: Array) -> Array:
        x, y = _without_gaps(x, y)
        columns = estimate([scaled(c) for c in x], scaled(y))
        out = np.empty((len(y), count))
        for j, column in enumerate(columns):
            out[:, j] = column
        return out

    return by_chunks(guess, x, y, dims, count, SHARED_CHUNK, OWN_CHUNK)


def by_chunks(
    guess: ChunkGuess,
    x: Any,
    y: ArrayLike,
    dims: int,
    count: int,
    shared_chunk: int,
    own_chunk: int,
) -> Array:
    """Return what ``guess`` finds for chunks of fits, (..., count); 1 where it is not finite.

    A single coordinate is given in ascending order.  A chunk has so many values of y: the one
    number where all fits share x, the other where they do not.  The rest is as in `start_values`.
    """
    y = np.asarray(y)
    if y.ndim == 0:
        raise ValueError("y must have shape (..., N), got ()")
    batch, points = y.shape[:-1], y.shape[-1]
    coordinates = _coordinates(x, y.shape, dims)
    if points == 0:  # no data give the same start values as one point at the origin
        coordinates, y, points = [np.zeros((1, 1))] * dims, np.zeros((*batch, 1)), 1
    rows = y.reshape(int(np.prod(batch)), points)
    out = np.empty((len(rows), count))
    shared = all(len(c) == 1 for c in coordinates)
    step = max(1, (shared_chunk if shared else own_chunk) // points)
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        own = coordinates if shared else [c[part] for c in coordinates]
        with np.errstate(all="ignore"):  # what overflows is replaced by 1
            found = guess(*_in_order(own, rows[part].astype(np.float64)))
        out[part] = np.where(np.isfinite(found), found, 1.0)
    return out.reshape(*batch, count)


def _coordinates(x: Any, shape: tuple[int, ...], dims: int) -> list[Array]:
    """Return the coordinates as float64 arrays (1, N), or all (B, N) if one differs by fit."""
    if dims > 1 and len(x) != dims:
        raise ValueError(f"x must hold {dims} arrays, one per independent variable, got {len(x)}")
    arrays = [np.asarray(c, dtype=np.float64) for c in (x if dims > 1 else [x])]
    for c in arrays:
        try:
            fits = c.ndim > 0 and np.broadcast_shapes(c.shape, shape) == shape
        except ValueError:
            fits = False
        if not (fits and c.shape[-1] == shape[-1]):
            raise ValueError(f"x must have shape (N={shape[-1]},) or {shape}, got {c.shape}")
    if all(c.ndim == 1 for c in arrays):
        return [c[None] for c in arrays]
    batch = int(np.prod(shape[:-1]))
    return [np.broadcast_to(c, shape).reshape(batch, shape[-1]) for c in arrays]


def _in_order(x: list[Array], y: Array) -> tuple[list[Array], Array]:
    """The points of each fit in ascending order of x, if there is one coordinate."""
    if len(x) > 1 or np.all(x[0][:, :-1] <= x[0][:, 1:]):
        return x, y
    order = np.argsort(x[0], -1, kind="stable")
    y = y[:, order[0]] if len(order) == 1 else np.take_along_axis(y, order, -1)
    return [np.take_along_axis(x[0], order, -1)], y


def _without_gaps(x: list[Array], y: Array) -> tuple[list[Array], Array]:
    """Fill missing values from the nearest present ones before and after, linearly in x.

    With two coordinates the interpolation runs along the order of the points, so that a pixel is
    filled from its neighbours in the row.  A missing abscissa becomes that of the nearest point
    before it, or of the first after it.
    """
    present = np.isfinite(y)
    for c in x:
        present &= np.isfinite(c)
    if present.all():
        return x, np.ascontiguousarray(y)
    x = [_with_nearest(c) for c in x]
    t = x[0] if len(x) == 1 else np.arange(y.shape[-1], dtype=np.float64)[None]
    y = np.array(y, order="C")
    row, column, before, after = _gaps(present)
    line = row if len(t) > 1 else 0
    start, end, here = t[line, before], t[line, after], t[line, column]
    left, right = y[row, before], y[row, after]
    filled = left + ratio(here - start, end - start) * (right - left)
    y[row, column] = np.where(np.isfinite(filled), filled, 0.0)  # 0 if no point is present
    return x, y


def _gaps(present: NDArray[np.bool_]) -> tuple[NDArray[np.intp], ...]:
    """Return row and column of each gap, and the columns of the present points next to it.

    For gaps at an end both are the nearest present point; in a row without any both are the last
    point.
    """
    row, column = np.nonzero(~present)
    last = present.shape[-1] - 1
    here = np.arange(last + 1)
    before = np.maximum.accumulate(np.where(present, here, -1), axis=-1)[row, column]
    after = np.minimum.accumulate(np.where(present, here, last + 1)[:, ::-1], axis=-1)
    after = after[row, last - column]
    first = np.where(before < 0, np.minimum(after, last), before)
    return row, column, first, np.where(after > last, first, after)


def _with_nearest(c: Array) -> Array:
    """Return abscissas, missing ones replaced by the last before, else the next, else 0."""
    row, column, before, _ = _gaps(np.isfinite(c))
    c = c.copy()
    filled = c[row, before]
    c[row, column] = np.where(np.isfinite(filled), filled, 0.0)
    return c


def ratio(a: Array, b: Array) -> Array:
    """Return a / b, and 0 where b is 0."""
    return np.where(b != 0, a / np.where(b != 0, b, 1.0), 0.0)


def safe_exp(a: Array) -> Array:
    """Return exp(a), with a clipped so that the result is finite and not 0."""
    held: Array = np.exp(np.clip(a, -LOG_LIMIT, LOG_LIMIT))
    return held


def log_grid(low: Any, high: Any, size: int) -> Array:
    """Return size values (r, size) from low to high, evenly spaced in their logarithm."""
    low, high = (np.reshape(a, (-1, 1)) for a in (low, high))
    grid: Array = low * (high / low) ** np.linspace(0.0, 1.0, size)
    return grid


def thinned(values: Array) -> Array:
    """Return at most SEARCH_POINTS points of each fit, evenly drawn: a search needs no more."""
    return values[:, :: -(-values.shape[-1] // SEARCH_POINTS)]


def project(basis: Array, y: Array, centred: bool = True) -> tuple[Array, Array, Array]:
    """Return b_g . y, b_g . b_g and mean(phi_g) for shapes phi (r, N, G) and data y (F, N).

    b is phi - mean(phi) if an offset is fitted (centred), else phi.  Each fit has its own small
    product; in one large product the rounding could depend on the size of the batch.
    """
    mean = basis.mean(1) if centred else np.zeros((len(basis), basis.shape[2]))
    columns = basis - mean[:, None, :]
    norm2 = np.square(columns).sum(1)
    # a shape that is constant on these points explains nothing
    norm2 = np.where(norm2 > 1e-9 * np.square(basis).sum(1), norm2, np.inf)
    return np.matmul(y[:, None, :], columns)[:, 0], norm2, mean


def best_shape(basis: Array, y: Array, centred: bool = True) -> tuple[Any, Array, Array]:
    """Return the index g (F,) of the best shape in basis (r, N, G), its factor and the offset."""
    dot, norm2, mean = project(basis, y, centred)
    best = np.argmax(dot * dot / norm2, axis=-1)
    row = np.arange(len(y)) if len(basis) > 1 else 0
    factor = dot[np.arange(len(y)), best] / norm2[row, best]
    offset = y.mean(-1) if centred else np.zeros(len(y))
    return (row, best), factor, offset - factor * mean[row, best]


def regress(y: Array, *columns: Array) -> list[Array]:
    """Return the factors (F,) of the columns (r, N) and of a constant, the last, that fit y best.

    The method is modified Gram-Schmidt, which begins with the constant; a column that depends on
    earlier ones gets the factor 0.
    """
    basis: list[Array] = []
    norm2: list[Array] = []
    upper: list[list[Array]] = []
    for column in (np.ones_like(y[:1]), *columns):
        steps = []
        rest = column
        for q, n in zip(basis, norm2, strict=True):
            steps.append(ratio(np.vecdot(q, rest), n))
            rest = rest - steps[-1][:, None] * q
        basis.append(rest)
        kept = np.vecdot(rest, rest)
        norm2.append(np.where(kept > 1e-18 * np.vecdot(column, column), kept, 0.0))
        upper.append(steps)
    factors = [ratio(np.vecdot(q, y), n) for q, n in zip(basis, norm2, strict=True)]
    for j in range(len(factors) - 1, -1, -1):
        for k in range(j + 1, len(factors)):
            factors[j] = factors[j] - upper[k][j] * factors[k]
    return [*factors[1:], factors[0]]


def log_regress(u: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return slope, intercept and sign of y = sign * exp(intercept + slope * u).

    The fit is least squares on log|y| with weights y^2, the inverse variance of log|y| under
    constant noise in y.  Points of the minor sign and points whose u is not finite do not count.
    """
    sign = np.where(np.vecdot(y, abs(y)) < 0, -1.0, 1.0)
    value = sign[:, None] * y
    good = (value > 0) & np.isfinite(u)
    w = np.where(good, np.square(value), 0.0)
    level = np.log(np.where(good, value, 1.0))
    u = np.where(good, u, 0.0)
    total = w.sum(-1)
    u_mean = ratio(np.vecdot(w, u), total)
    mean = np.where(total > 0, ratio(np.vecdot(w, level), total), -np.inf)
    du = u - u_mean[:, None]
    slope = ratio(np.vecdot(w * du, level), np.vecdot(w * du, du))
    return slope, mean - slope * u_mean, sign
