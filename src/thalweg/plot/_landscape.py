"""Level lines of a loss in two parameters, with the paths of descents drawn on them.

Level k of n is the quantile (k / n)^2 of the loss over the picture, which spaces the level lines of
a quadratic loss evenly.  If theta has more than two parameters, the picture is a plane section, in
which the other parameters are those of the last point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments.check import Array
from ..descent.result import DescentResult
from ..losses import Loss, QuadraticLoss
from ._style import BLACK, CYCLE, GREY, axes_or_new, labelled, pyplot, several_axes

# These sizes were chosen by eye.
_LEVELS = 14  # the number of level lines
_GRID = 121  # points along a side of the grid on which the loss is computed
_FINE_GRID = 301  # the same for quadratic losses, whose values on a grid cost no calls
_MARGIN = 0.15  # margin on each side of the paths, as a share of their extent
_WIDTH = 5.0  # width of a square picture, in inches
_MOST_STRETCHED = 8.0  # the largest ratio of the sides at which both axes have the same scale
_MARKED = 60  # the points of a path are marked if there are at most so many

Limits = tuple[tuple[float, float], tuple[float, float]]


def landscape(
    loss: Loss,
    ways: Sequence[Array],
    labels: Sequence[str],
    parameters: tuple[int, int],
    limits: Limits | None,
    names: Sequence[str] | None,
    ax: Any,
) -> Any:
    """Draw level lines in two parameters, and paths of shape (n, P) on them; return the axes."""
    P = loss.n_params
    if P < 2:
        raise ValueError("contours needs a loss of two parameters or more; steps draws one of one")
    i, j = parameters
    if i == j or not all(-P <= k < P for k in parameters):
        raise ValueError(f"parameters must be two of the {P} of this loss, got {parameters}")
    if limits is None:
        limits = box_about([way[:, [i, j]] for way in ways])
    at = ways[-1][-1] if ways else _centre(loss)
    (left, right), (bottom, top) = limits
    ratio = (right - left) / (top - bottom)
    one_scale = 1 / _MOST_STRETCHED <= ratio <= _MOST_STRETCHED
    ax = axes_of_ratio(ax, ratio if one_scale else 1.0)
    _level_lines(ax, loss, at, (i, j), limits)
    for way, label, colour in zip(ways, labels, CYCLE * len(ways), strict=False):
        _draw_way(ax, way[:, [i, j]], label, colour)
    shown = names or (rf"$\theta_{{{i % P}}}$", rf"$\theta_{{{j % P}}}$")
    ax.set(xlabel=shown[0], ylabel=shown[1], xlim=limits[0], ylim=limits[1])
    if one_scale:
        ax.set_aspect("equal", adjustable="box")
    if any(labels):
        _legend_above(ax)
    return ax


def way_of(result: DescentResult) -> Array:
    """Return the recorded points that are finite, shape (n, P)."""
    if result.history.theta is None:
        raise ValueError("the result holds no points: minimize with record=True keeps them")
    way = result.history.theta
    return way[np.isfinite(way).all(axis=1)]


def ways_of(
    results: DescentResult | Sequence[DescentResult], labels: Sequence[str] | None
) -> tuple[list[Array], list[str]]:
    """Return the paths of one result or several, and the label of each."""
    several, labels = labelled(results, labels)
    return [way_of(r) for r in several], labels


def box_about(ways: Sequence[Array]) -> Limits:
    """Return a box around paths in two parameters, not too narrow for a picture."""
    if not ways:
        raise ValueError("contours needs results to draw, or limits")
    points = np.concatenate(ways)
    sides = [widened(float(c.min()), float(c.max())) for c in points.T]
    spans = [high - low for low, high in sides]
    if max(spans) <= _MOST_STRETCHED * min(spans):
        least = 0.7 * max(spans)
        sides = [widened(*side, least=least, margin=0) for side in sides]
    return sides[0], sides[1]


def widened(
    low: float, high: float, *, least: float = 0.0, margin: float = _MARGIN
) -> tuple[float, float]:
    """Return an interval made at least ``least`` long, plus a margin on both sides."""
    span = max(high - low, least) or 1.0
    middle, half = (low + high) / 2, span * (0.5 + margin)
    return middle - half, middle + half


def _centre(loss: Loss) -> Array:
    """Return the point whose parameters are used for those not drawn if there is no path."""
    return loss.theta_star if isinstance(loss, QuadraticLoss) else np.zeros(loss.n_params)


def _level_lines(
    ax: Any, loss: Loss, at: Array, parameters: tuple[int, int], limits: Limits
) -> None:
    n = _FINE_GRID if loss.is_quadratic else _GRID
    x, y = (np.linspace(*side, n) for side in limits)
    z = _values(loss, at, parameters, x, y)
    finite = z[np.isfinite(z)]
    if not finite.size:
        raise ValueError("the loss is finite nowhere within the limits")
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, _LEVELS + 1)[1:] ** 2))
    if levels.size < 2:
        return  # a constant loss has no level lines
    style = {"levels": levels, "linewidths": 0.8, "zorder": 1, "alpha": 0.9}
    ax.contour(x, y, np.ma.masked_invalid(z), colors=GREY, **style)
    ax.contourf(
        x,
        y,
        np.ma.masked_invalid(z),
        levels=levels,
        cmap="Blues",
        alpha=0.35,
        zorder=0,
        extend="both",
    )


def _values(loss: Loss, at: Array, parameters: tuple[int, int], x: Array, y: Array) -> Array:
    """Return the loss on a grid, shape (len(y), len(x)); a quadratic one from its derivatives."""
    here = list(parameters)
    if loss.is_quadratic:
        gradient, H = loss.gradient(at)[here], loss.hessian(at)[np.ix_(here, here)]
        u, v = np.meshgrid(x - at[here[0]], y - at[here[1]])
        bent = 0.5 * (H[0, 0] * u * u + 2 * H[0, 1] * u * v + H[1, 1] * v * v)
        surface: Array = loss.value(at) + gradient[0] * u + gradient[1] * v + bent
        return surface
    theta = at.copy()
    z = np.empty((y.size, x.size))
    with np.errstate(all="ignore"):
        for k, i in np.ndindex(z.shape):
            theta[here] = x[i], y[k]
            z[k, i] = loss.value(theta)
    return z


def _draw_way(ax: Any, way: Array, label: str, colour: str) -> None:
    marker = "o" if len(way) <= _MARKED else ""
    ax.plot(*way.T, color=colour, marker=marker, markersize=3, linewidth=1.3, label=label, zorder=3)
    ax.plot(*way[0], "s", color=BLACK, markersize=6, zorder=4)


def _legend_above(ax: Any) -> None:
    ax.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        frameon=False,
        fontsize="small",
        handlelength=1.5,
        columnspacing=1.2,
    )


def axes_of_ratio(ax: Any, ratio: float = 1.3) -> Any:
    """Return the user's Axes or new ones, ``ratio`` times as wide as high."""
    width = _WIDTH * min(max(ratio, 0.7), 1.6) ** 0.5
    return axes_or_new(ax, width, width / ratio + 0.7)


def row_of_axes(ax: Any, n: int, width: float) -> Any:
    """Return the user's n Axes, or n new ones side by side, each ``width`` inches wide."""
    plt = pyplot()
    if ax is None:
        _, ax = plt.subplots(
            1, n, figsize=(width * n, 0.95 * width), squeeze=False, layout="compressed"
        )
    return several_axes(ax, (n,))
