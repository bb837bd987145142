"""The picture of one fit: its data and model, how they are drawn, and the caption."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from math import floor, log10
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._arguments.check import Array, place_of
from ..fitting.evaluation import predict
from ..fitting.ragged_result import RaggedResult
from ._style import open_frame

if TYPE_CHECKING:
    from ..fitting.result import FitResult

POINTS, CURVE = "#333333", "#D55E00"
_FAINT = 0.3  # opacity of points that are left out
_OF_BAND = 0.2  # opacity of a confidence band
_DENSE = 500  # points of a curve besides those of the data
_MOST_LINES = 12  # the most parameters in a caption
_SLOW_TO_PLACE = 5000  # with more points matplotlib's search for a legend's place takes seconds


class OneFit(NamedTuple):
    """The data and the model of one fit, for a picture.

    Attributes
    ----------
    place : tuple of int
        The index of the fit in the batch.
    x : list of ndarray, each shape (N,)
        The independent variables.
    y : ndarray, shape (N,)
    sigma : ndarray, shape (N,), or None
    used : ndarray of bool, shape (N,)
        False where a point is left out or not finite.
    model : ndarray, shape (N,)
        f(x; params).
    curve : pair of ndarray
        Abscissa and model of a curve, on dense points if the model can be called at any x.
    points : tuple of int
        The shape of the points; N is its product.
    variables : tuple of str
        The names of the independent variables.
    band : ndarray, shape (..., 2), or None
        The lower and the upper edge of a confidence band, at the abscissa of the curve.
    """

    place: tuple[int, ...]
    x: list[Array]
    y: Array
    sigma: Array | None
    used: Array
    model: Array
    curve: tuple[Array, Array]
    points: tuple[int, ...]
    variables: tuple[str, ...]
    band: Array | None = None

    @property
    def abscissa(self) -> Array:
        """The independent variable or, if there are several, the number of the point."""
        return self.x[0] if len(self.x) == 1 else np.arange(self.y.size)


def one_fit(result: FitResult, index: tuple[int, ...], level: float | None = None) -> OneFit:
    """Return the data and the model of one fit, with a confidence band if its level is given.

    Raises
    ------
    IndexError
        ``index`` does not pick one fit of the batch.
    ValueError
        There are several variables, and a band is wanted.
    """
    problem, data = result.problem, result.problem.data
    index = place_of(index, data.batch)
    if isinstance(result, RaggedResult):
        return one_fit(result[index], (), level)._replace(place=index)
    k = int(np.ravel_multi_index(index, data.batch)) if index else 0
    x = [v.array[k] if v.step else v.array for v in data.x]
    y, theta = data.y[k], result.params[index]
    sigma = None if data.sigma is None else data.sigma.array[k if data.sigma.step else ...]
    used = np.isfinite(y)
    if data.use is not None:
        used = used & (data.use.array[k if data.use.step else ...] != 0)
    if sigma is not None:
        used = used & np.isfinite(sigma)
    # a model that holds arrays has values at the data's points only; so may one called from Python
    bound = problem.recording is None or bool(problem.recording.arrays)
    if bound:
        model = _at_fitted_points(result, k, theta)
    else:
        model = predict(problem, theta, x[0] if data.single else x)
    if len(x) > 1:
        curve = (np.arange(y.size), model)
    elif bound:
        order = np.argsort(x[0])
        curve = (x[0][order], model[order])
    else:
        many = dense(x[0])
        curve = (many, predict(problem, theta, many if data.single else [many]))
    band = None if level is None else _band(result[index] if index else result, curve, bound, level)
    return OneFit(index, x, y, sigma, used, model, curve, data.points, variables_of(result), band)


def _band(one: FitResult, curve: tuple[Array, Array], bound: bool, level: float) -> Array:
    """The confidence band of one fit along its curve."""
    if len(one.problem.data.x) > 1:
        raise ValueError("a band is drawn for models of one variable; this one has several")
    if bound:
        x = one.problem.data.x[0].array.reshape(-1)
        return np.asarray(one.band(level=level).reshape(-1, 2)[np.argsort(x)])
    return one.band(curve[0] if one.problem.data.single else [curve[0]], level)


def _at_fitted_points(result: FitResult, k: int, theta: Array) -> Array:
    shared = not any(v.step for v in result.problem.data.x)
    values = predict(result.problem, theta if shared else result.params)
    row: Array = values.reshape(-1, result.problem.data.n_points)[0 if shared else k]
    return row


def dense(x: Array) -> Array:
    """Return the points of the data and many between, so that narrow peaks are drawn whole."""
    x = x[np.isfinite(x)]
    if not x.size:
        return x
    return np.unique(np.concatenate([x, np.linspace(x.min(), x.max(), _DENSE, dtype=x.dtype)]))


def variables_of(result: FitResult) -> tuple[str, ...]:
    """Return names of the independent variables: of the data, a formula or a function."""
    data, function = result.problem.data, result.problem.model.function
    n, own = len(data.x), getattr(data.source, "name", None)
    if data.names:
        return data.names
    if n == 1 and isinstance(own, str):  # a column of a table, or a coordinate
        return (own,)
    if names := getattr(function, "independent", None):
        return tuple(names)
    try:
        first = next(iter(inspect.signature(function).parameters))
    except (TypeError, ValueError, StopIteration):
        first = "x"
    if n == 1:
        return (first,)
    return tuple(first) if len(first) == n else tuple(f"{first}[{k}]" for k in range(n))


class Inks(NamedTuple):
    """The colours of points and curve, and what a legend calls data, fit and band."""

    points: str = POINTS
    curve: str = CURVE
    data: str = "data"
    fit: str = "fit"
    band: str = "band"


_USUAL = Inks()


def draw_curve(one: OneFit, ax: Any, inks: Inks = _USUAL) -> None:
    """Draw the points and the curve."""
    x = one.abscissa
    out = ~one.used & np.isfinite(one.y)
    style = point_style(one.y.size)
    if out.any():
        ax.plot(x[out], one.y[out], color=inks.points, alpha=_FAINT, label="left out", **style)
    _draw_points(ax, x, one.y, one, inks.points, label=inks.data)
    if one.band is not None:
        low, high = np.moveaxis(one.band, -1, 0)
        style = {"alpha": _OF_BAND, "linewidth": 0, "label": inks.band}
        ax.fill_between(one.curve[0], low, high, color=inks.curve, **style)
    if np.isfinite(one.curve[1]).any():
        ax.plot(*one.curve, color=inks.curve, linewidth=1.8, zorder=3, label=inks.fit)
    ax.set_ylabel("y")
    open_frame(ax)


def draw_residuals(one: OneFit, ax: Any, inks: Inks = _USUAL) -> None:
    """Draw y - f(x) about a line at 0."""
    residual = one.y - one.model
    ax.axhline(0, color=CURVE if inks is _USUAL else "0.6", linewidth=1.2)
    _draw_points(ax, one.abscissa, residual, one, inks.points)
    largest = np.max(np.abs(residual[one.used]), initial=0)
    if 0 < largest < np.inf and one.sigma is None and inks is _USUAL:
        ax.set_ylim(-1.25 * largest, 1.25 * largest)
    ax.set_ylabel("residual")
    open_frame(ax)


def _draw_points(ax: Any, x: Array, y: Array, one: OneFit, colour: str, **label: str) -> None:
    used, style = one.used, point_style(one.y.size)
    if one.sigma is None:
        ax.plot(x[used], y[used], color=colour, **style, **label)
    else:
        ax.errorbar(
            x[used],
            y[used],
            yerr=np.maximum(one.sigma[used], 0),
            color=colour,
            ecolor="#999999",
            elinewidth=1,
            **style,
            **label,
        )


def point_style(n: int) -> dict[str, Any]:
    """Return how n points are drawn: the smaller, the more there are."""
    return {"marker": "o", "linestyle": "none", "markersize": float(np.clip(50 / n**0.5, 2, 4.5))}


def draw_images(one: OneFit, axes: Any) -> None:
    """Draw data and model in one colour scale, residuals in one that is symmetric about 0."""
    import matplotlib as mpl

    shown = np.where(one.used, one.y, np.nan)
    residual = shown - one.model
    low, high = _span(np.concatenate([shown, one.model]))
    largest = max(np.abs(_span(residual)))
    panels = (
        ("data", shown, "viridis", low, high),
        ("model", one.model, "viridis", low, high),
        ("residual", residual, "PuOr", -largest, largest),
    )
    grid = _grid(one)
    for ax, (title, values, name, vmin, vmax) in zip(axes, panels, strict=True):
        colours = mpl.colormaps[name].with_extremes(bad="0.8")
        style = {"cmap": colours, "vmin": vmin, "vmax": vmax}
        if grid is None:
            picture = ax.scatter(*one.x, c=np.ma.masked_invalid(values), s=25, **style)
        else:
            picture = _image(ax, values.reshape(one.points), grid, style)
        ax.set(title=title, xlabel=one.variables[0], ylabel=one.variables[1])
        if title != "data":  # data and model share a colour bar
            ax.figure.colorbar(picture, ax=ax, shrink=0.8)


class _Grid(NamedTuple):
    """A regular grid: the edges of its image, and whether the first variable changes by rows."""

    extent: tuple[float, float, float, float]
    transposed: bool


def _grid(one: OneFit) -> _Grid | None:
    """Return the regular grid of the points; None if they are not one."""
    if len(one.points) != 2:
        return None
    x, y = (v.reshape(one.points) for v in one.x)
    for transposed in (False, True):
        u, v = (x.T, y.T) if transposed else (x, y)
        if (u == u[:1]).all() and (v == v[:, :1]).all():
            edges = _edges(u[0]), _edges(v[:, 0])
            if edges[0] and edges[1]:
                return _Grid((*edges[0], *edges[1]), transposed)
    return None


def _edges(centres: Array) -> tuple[float, float] | None:
    """Return the outer edges of cells with these centres; None if they are not evenly spaced."""
    steps = np.diff(centres) if centres.size > 1 else np.ones(1)
    step = float(steps.mean())
    if not (step != 0 and np.abs(steps - step).max() <= 1e-3 * abs(step)):
        return None
    return float(centres[0]) - step / 2, float(centres[-1]) + step / 2


def _image(ax: Any, values: Array, grid: _Grid, style: dict[str, Any]) -> Any:
    values = np.ma.masked_invalid(values.T if grid.transposed else values)
    left, right, bottom, top = grid.extent
    ratio = abs((right - left) / (top - bottom))
    aspect = "equal" if 0.2 < ratio < 5 else "auto"
    return ax.imshow(
        values,
        origin="lower",
        extent=grid.extent,
        aspect=aspect,
        interpolation="nearest",
        **style,
    )


def _span(values: Array) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    return (low, high) if low < high else (low - 1, high + 1)


def caption(result: FitResult, index: tuple[int, ...]) -> list[str]:
    """Return lines with the parameters and their errors, chi2, dof, and why the fit failed."""
    theta, stderr, at_bound = result.params[index], result.stderr[index], result.at_bound[index]
    lines = []
    for j, name in enumerate(result.names[:_MOST_LINES]):
        if j not in result.problem.determined:
            lines.append(f"{name} = {theta[j]:.4g} (fixed)")
        elif at_bound[j]:
            lines.append(f"{name} = {theta[j]:.4g} (at a bound)")
        else:
            lines.append(f"{name} = {_measured(float(theta[j]), float(stderr[j]))}")
    if len(result.names) > _MOST_LINES:
        lines.append(f"and {len(result.names) - _MOST_LINES} more")
    lines.append(f"χ² = {result.chi2[index]:.4g}, dof = {result.dof[index]}")
    if not result.success[index]:
        lines += wrap(f"FAILED: {result.reason(*index)}", 32)
    return lines


def _measured(value: float, error: float) -> str:
    """Return "value ± error": two digits of the error, and those of the value that it fixes."""
    digits = 4
    if 0 < error < np.inf and abs(value) > 0:
        digits = min(max(floor(log10(abs(value))) - floor(log10(error)) + 2, 2), 12)
    return f"{value:.{digits}g} ± {error:.2g}"


def in_rows(lines: Sequence[str], per_line: int = 4) -> str:
    """Return short lines joined into rows of ``per_line``."""
    groups = [lines[i : i + per_line] for i in range(0, len(lines), per_line)]
    return "\n".join(",   ".join(group) for group in groups)


def legend(
    ax: Any, caption: str, outside: bool, shown: Sequence[str] = ("data", "left out", "fit", "band")
) -> None:
    """Draw the caption inside the axes or, with a key of the symbols, outside of them."""
    style = {"title": caption, "alignment": "left"}
    if outside:
        entries = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        labels = [label for label in shown if label in entries]
        ax.figure.legend(
            [entries[label] for label in labels],
            labels,
            loc="outside right upper",
            fontsize="small",
            title_fontsize="small",
            **style,
        )
        return
    many = ax.lines[0].get_xdata().size > _SLOW_TO_PLACE
    place = "upper right" if many else "best"
    ax.legend(handles=[], loc=place, title_fontsize="x-small", framealpha=0.85, **style)
