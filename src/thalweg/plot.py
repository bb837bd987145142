"""Pictures of fits: one fit with its residuals, a parameter over a batch, a first look at all.

Matplotlib is imported when a picture is drawn, not before.  Colours are those of Okabe and Ito
[1]_ and the maps viridis and PuOr, which people with any colour vision tell apart.  Residuals are
y - f(x), in the unit of y.

References
----------
.. [1] M. Okabe, K. Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any, NamedTuple

import numpy as np

from ._check import Array, name_index
from .result import FitResult

_POINTS, _CURVE, _FAILED = "#333333", "#D55E00", "#CC79A7"
_FAINT = 0.3
_DENSE = 500  # points of a curve
_ROBUST = (1, 99)  # percentiles that limit a colour scale or a histogram, against stray fits
_FEW = 500  # fits of a batch that are still drawn one by one
_GALLERY = 9
_MOST_LINES = 12  # of parameters in a caption


def fit(result: FitResult, *index: int, ax: Any = None) -> Any:
    """Draw data, model and residuals y - f(x) of one fit.

    A model of one variable is drawn as points, with error bars of length sigma where sigma was
    given, a curve and the residuals below.  A model of two variables is drawn as three images, or
    as coloured points where the points are no regular grid: data, model, residuals.  With more
    variables the abscissa is the number of the point.  Points left out are faint, left-out pixels
    grey.

    Parameters
    ----------
    result : FitResult
    *index : int
        Which fit of the batch, one number per dimension of the batch.
    ax : Axes or sequence of Axes, optional
        Where to draw: two Axes for the fit and its residuals or one for the fit alone; three for
        a model of two variables.  A new figure if not given.

    Returns
    -------
    ndarray of Axes, shape (2,), (1,) or (3,)
        Those drawn in: fit and residuals, or data, model and residuals.

    Raises
    ------
    IndexError
        ``index`` is not in the batch.
    ValueError
        ``ax`` has another number of Axes.
    ModuleNotFoundError
        Matplotlib is not installed.
    """
    plt = _pyplot()
    one = _one(result, index)
    own = ax is None
    if len(one.x) == 2:
        if own:
            _, ax = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
        axes = _axes(ax, (3,))
        _draw_images(one, axes)
        if own:
            axes[0].figure.suptitle(_wrap(_caption(result, one.index)), fontsize="small")
        return axes
    if own:
        _, ax = plt.subplots(
            2, 1, sharex=True, height_ratios=(3, 1), figsize=(7.2, 4.5), layout="constrained"
        )
    axes = _axes(ax, (1, 2))
    _draw_curve(one, axes[0])
    if axes.size == 2:
        _draw_residuals(one, axes[1])
    axes[-1].set_xlabel(one.variables[0] if len(one.x) == 1 else "point")
    _legend(axes[0], "\n".join(_caption(result, one.index)), outside=own)
    return axes


def map(result: FitResult, name: str, *, ax: Any = None) -> Any:
    """Draw one parameter, or what else a fit gives, over a batch.

    A batch of two dimensions becomes an image, with row 0 on top and colours that run from the 1st
    to the 99th percentile of the fits that succeeded.  A batch of one dimension becomes points
    with their standard errors, or, beyond 500 fits, a histogram.  Failed fits are pink and counted.

    Parameters
    ----------
    result : FitResult
    name : str
        A parameter, or one of ``"<parameter>_stderr"``, ``"chi2"``, ``"n_iter"`` and ``"dof"``.
    ax : Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        There is no such name, or the batch has not one or two dimensions.
    ModuleNotFoundError
        Matplotlib is not installed.
    """
    if result.chi2.ndim not in (1, 2):
        raise ValueError(
            f"a map needs a batch of one or two dimensions, got one of shape {result.chi2.shape}"
        )
    values = _quantity(result, name)
    good = result.success & np.isfinite(values)
    limits = _limits(values[good])
    plt = _pyplot()
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    if values.ndim == 2:
        _draw_map(np.where(good, values, np.nan), limits, name, ax)
    elif values.size > _FEW:
        kept = values[good]
        ax.hist(kept[(limits[0] <= kept) & (kept <= limits[1])], bins=60, color="#0072B2")
        ax.set(xlabel=name, ylabel="fits")
        _open(ax)
    else:
        _draw_line(result, values, good, name, ax)
    _count_failed(ax, int(good.size - np.count_nonzero(good)))
    return ax


def overview(result: FitResult, titles: Sequence[str] | None = None) -> Any:
    """Draw a first look at a result: one fit, the first few of a batch, or every parameter's map.

    Parameters
    ----------
    result : FitResult
    titles : sequence of str, optional
        A name for each fit; the first nine are then drawn, however many there are.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There are more than nine fits in a batch of more than two dimensions, or none at all.
    ModuleNotFoundError
        Matplotlib is not installed.
    """
    plt = _pyplot()
    batch = result.chi2.shape
    if not batch:
        return fit(result)[0].figure
    if not result.chi2.size:
        raise ValueError("there is no fit to draw")
    if result.chi2.size <= _GALLERY or titles is not None:
        return _gallery(plt, result, titles)
    n_columns = min(3, len(result.names))
    n_rows = ceil(len(result.names) / n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(4.4 * n_columns, 3.6 * n_rows),
        squeeze=False,
        layout="constrained",
    )
    for place, name in zip(axes.flat, result.names, strict=False):
        map(result, name, ax=place)
    for place in axes.flat[len(result.names) :]:
        place.set_axis_off()
    return figure


def _gallery(plt: Any, result: FitResult, titles: Sequence[str] | None) -> Any:
    """The first fits of a batch side by side; three panels each for models of two variables."""
    images = len(result.problem.data.x) == 2
    n = min(result.chi2.size, 4 if images else _GALLERY)
    n_columns = 3 if images else min(3, n)
    n_rows = n if images else ceil(n / n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(4.2 * n_columns, 3.2 * n_rows),
        squeeze=False,
        layout="constrained",
    )
    for k in range(n):
        index = tuple(int(i) for i in np.unravel_index(k, result.chi2.shape))
        drawn = fit(result, *index, ax=axes[k] if images else axes.flat[k])
        title = titles[k] if titles else ", ".join(f"{i}" for i in index)
        drawn[0].set_title(title if not images else f"{title}: data", fontsize="medium")
    for place in axes.flat[n:] if not images else ():
        place.set_axis_off()
    return figure


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'plots need matplotlib: python -m pip install "thalweg[plot]"'
        ) from None
    return plt


def _axes(ax: Any, sizes: tuple[int, ...]) -> Any:
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).reshape(-1)
    if axes.size not in sizes:
        wanted = " or ".join(f"{n}" for n in sizes)
        raise ValueError(f"ax must be {wanted} Axes for this model, got {axes.size}")
    return axes


# ---- one fit ---------------------------------------------------------------------------------


class _One(NamedTuple):
    """One fit as it is drawn: rows of N points, and what the model says there."""

    index: tuple[int, ...]
    x: list[Array]
    y: Array
    sigma: Array | None
    used: Array
    model: Array
    curve: tuple[Array, Array]
    points: tuple[int, ...]
    variables: tuple[str, ...]


def _one(result: FitResult, index: tuple[int, ...]) -> _One:
    problem, data = result.problem, result.problem.data
    index = _normal(index, data.batch)
    k = int(np.ravel_multi_index(index, data.batch)) if index else 0
    x = [v.array[k] if v.step else v.array for v in data.x]
    y, theta = data.y[k], result.params[index]
    sigma = None if data.sigma is None else data.sigma.array[k if data.sigma.step else ...]
    used = np.isfinite(y)
    if data.use is not None:
        used = used & (data.use.array[k if data.use.step else ...] != 0)
    if sigma is not None:
        used = used & np.isfinite(sigma)

    def at(*points: Array) -> Array:
        values: Array = problem.predict(theta, points[0] if data.single else points)
        return values

    bound_to_points = problem.recording is None or problem.recording.arrays
    if bound_to_points:  # such a model may hold arrays of N values and answers nowhere else
        model = _at_fitted_points(result, k, theta)
    else:
        model = at(*x)
    if len(x) != 1:
        curve = (np.arange(y.size), model)
    elif bound_to_points:
        order = np.argsort(x[0])
        curve = (x[0][order], model[order])
    else:
        dense = _dense(x[0])
        curve = (dense, at(dense))
    return _One(index, x, y, sigma, used, model, curve, data.points, _variables(result))


def _normal(index: tuple[int, ...], batch: tuple[int, ...]) -> tuple[int, ...]:
    """The index with counting from the end undone."""
    if len(index) != len(batch) or not all(-n <= i < n for i, n in zip(index, batch, strict=True)):
        raise IndexError(f"the index {index} does not pick one fit of a batch of shape {batch}")
    return tuple(int(i) % n for i, n in zip(index, batch, strict=True))


def _at_fitted_points(result: FitResult, k: int, theta: Array) -> Array:
    shared = not any(v.step for v in result.problem.data.x)
    values = result.problem.predict(theta if shared else result.params)
    rows: Array = values.reshape(-1, result.problem.data.n_points)
    return rows[0 if shared else k]


def _dense(x: Array) -> Array:
    """The points of the data and many between, so that a narrow peak is not cut."""
    x = x[np.isfinite(x)]
    if not x.size:
        return x
    return np.unique(np.concatenate([x, np.linspace(x.min(), x.max(), _DENSE, dtype=x.dtype)]))


def _variables(result: FitResult) -> tuple[str, ...]:
    """Names of the independent variables, from the formula or the function's signature."""
    function, n = result.problem.model.function, len(result.problem.data.x)
    if names := getattr(function, "independent", None):
        return tuple(names)
    try:
        first = next(iter(inspect.signature(function).parameters))
    except (TypeError, ValueError, StopIteration):
        first = "x"
    if n == 1:
        return (first,)
    return tuple(first) if len(first) == n else tuple(f"{first}[{k}]" for k in range(n))


def _draw_curve(one: _One, ax: Any) -> None:
    x = one.x[0] if len(one.x) == 1 else np.arange(one.y.size)
    out = ~one.used & np.isfinite(one.y)
    style = _point_style(one.y.size)
    if out.any():
        ax.plot(x[out], one.y[out], color=_POINTS, alpha=_FAINT, label="left out", **style)
    _draw_points(ax, x, one.y, one, label="data")
    ax.plot(*one.curve, color=_CURVE, linewidth=1.8, zorder=3, label="fit")
    ax.set_ylabel("y")
    _open(ax)


def _draw_residuals(one: _One, ax: Any) -> None:
    x = one.x[0] if len(one.x) == 1 else np.arange(one.y.size)
    ax.axhline(0, color=_CURVE, linewidth=1.2)
    _draw_points(ax, x, one.y - one.model, one)
    largest = np.max(np.abs((one.y - one.model)[one.used]), initial=0)
    if 0 < largest < np.inf and one.sigma is None:
        ax.set_ylim(-1.25 * largest, 1.25 * largest)
    ax.set_ylabel("residual")
    _open(ax)


def _draw_points(ax: Any, x: Array, y: Array, one: _One, **label: str) -> None:
    used, style = one.used, _point_style(one.y.size)
    if one.sigma is None:
        ax.plot(x[used], y[used], color=_POINTS, **style, **label)
    else:
        ax.errorbar(
            x[used],
            y[used],
            yerr=np.maximum(one.sigma[used], 0),
            color=_POINTS,
            ecolor="#999999",
            elinewidth=1,
            **style,
            **label,
        )


def _point_style(n: int) -> dict[str, Any]:
    return {"marker": "o", "linestyle": "none", "markersize": float(np.clip(50 / n**0.5, 2, 4.5))}


def _draw_images(one: _One, axes: Any) -> None:
    """Data and model in one colour scale, residuals in one that is symmetric about 0."""
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
    for ax, (title, values, colours, vmin, vmax) in zip(axes, panels, strict=True):
        colours = mpl.colormaps[colours].with_extremes(bad="0.8")
        style = {"cmap": colours, "vmin": vmin, "vmax": vmax}
        if grid is None:
            picture = ax.scatter(*one.x, c=np.ma.masked_invalid(values), s=25, **style)
        else:
            picture = _image(ax, values.reshape(one.points), grid, style)
        ax.set(title=title, xlabel=one.variables[0], ylabel=one.variables[1])
        if title != "data":  # the model's bar is also that of the data
            ax.figure.colorbar(picture, ax=ax, shrink=0.8)


class _Grid(NamedTuple):
    """A regular grid: the edges of its image, and whether the first variable runs down a column."""

    extent: tuple[float, float, float, float]
    transposed: bool


def _grid(one: _One) -> _Grid | None:
    """The regular grid of the points, if they are one."""
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
    """The outer edges of evenly spaced cells."""
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


# ---- words -----------------------------------------------------------------------------------


def _caption(result: FitResult, index: tuple[int, ...]) -> list[str]:
    """The parameters with their errors, chi2 / dof, and why the fit failed if it did."""
    theta, stderr, at_bound = result.params[index], result.stderr[index], result.at_bound[index]
    lines = []
    for j, name in enumerate(result.names[:_MOST_LINES]):
        if j not in result.problem.free:
            lines.append(f"{name} = {theta[j]:.4g} (fixed)")
        elif at_bound[j]:
            lines.append(f"{name} = {theta[j]:.4g} (at a bound)")
        else:
            lines.append(f"{name} = {_measured(float(theta[j]), float(stderr[j]))}")
    if len(result.names) > _MOST_LINES:
        lines.append(f"and {len(result.names) - _MOST_LINES} more")
    lines.append(f"χ² = {result.chi2[index]:.4g}, dof = {result.dof[index]}")
    if not result.success[index]:
        lines += ["FAILED:", *_broken(result.reason(*index))]
    return lines


def _measured(value: float, error: float) -> str:
    """A value with as many digits as its error, of two digits, tells."""
    digits = 4
    if 0 < error < np.inf and abs(value) > 0:
        digits = min(max(floor(log10(abs(value))) - floor(log10(error)) + 2, 2), 12)
    return f"{value:.{digits}g} ± {error:.2g}"


def _broken(sentence: str, width: int = 28) -> list[str]:
    from textwrap import wrap

    return wrap(sentence, width)


def _wrap(lines: Sequence[str], per_line: int = 4) -> str:
    groups = [lines[i : i + per_line] for i in range(0, len(lines), per_line)]
    return "\n".join(",   ".join(group) for group in groups)


def _legend(ax: Any, caption: str, outside: bool) -> None:
    style = {"title": caption, "alignment": "left", "fontsize": "small", "title_fontsize": "small"}
    if outside:
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper", **style)
    else:
        style |= {"fontsize": "x-small", "title_fontsize": "x-small", "framealpha": 0.85}
        ax.legend(
            handles=[],
            loc="upper right" if ax.lines[0].get_xdata().size > 5000 else "best",
            **style,
        )


def _open(ax: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)


# ---- maps ------------------------------------------------------------------------------------


def _quantity(result: FitResult, name: str) -> Array:
    """One number per fit, by name."""
    if name in result.names:
        return result[name]
    if name in ("chi2", "n_iter", "dof"):
        values: Array = getattr(result, name)
        return values
    parameter = name.removesuffix("_stderr")
    errors: Array = result.stderr[..., name_index(parameter, result.names, "map")]
    return errors


def _limits(values: Array) -> tuple[float, float]:
    low, high = np.percentile(values, _ROBUST) if values.size else (0.0, 1.0)
    if not low < high:
        width = abs(low) * 1e-3 or 1.0
        return float(low - width), float(high + width)
    return float(low), float(high)


def _draw_map(values: Array, limits: tuple[float, float], name: str, ax: Any) -> None:
    import matplotlib as mpl

    colours = mpl.colormaps["viridis"].with_extremes(bad=_FAILED)
    picture = ax.imshow(
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    beyond = (values < limits[0]).any(), (values > limits[1]).any()
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
    ax.figure.colorbar(picture, ax=ax, label=name, extend=extend)
    ax.set(xlabel="column", ylabel="row")


def _draw_line(result: FitResult, values: Array, good: Array, name: str, ax: Any) -> None:
    place = np.arange(values.size)
    errors = None
    if name in result.names:
        errors = result.stderr[..., result.names.index(name)][good]
        errors = np.where(np.isfinite(errors), errors, 0)
    ax.errorbar(
        place[good],
        values[good],
        yerr=errors,
        color="#0072B2",
        ecolor="#56B4E9",
        elinewidth=1,
        **_point_style(values.size),
    )
    bottom = np.zeros(np.count_nonzero(~good))
    ax.plot(
        place[~good], bottom, "x", color=_FAILED, transform=ax.get_xaxis_transform(), clip_on=False
    )
    ax.set(xlabel="fit", ylabel=name)
    _open(ax)


def _count_failed(ax: Any, n: int) -> None:
    if n:
        title = f"{n} fit{'s' * (n != 1)} failed"
        ax.set_title(title, color=_FAILED, fontsize="small", loc="right")
