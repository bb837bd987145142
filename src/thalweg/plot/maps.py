"""Pictures of a batch: one number of every fit, and the residuals of all fits.

Colours are those of Okabe and Ito [1]_ and the maps viridis and PuOr, which people with any colour
vision can tell apart.

References
----------
.. [1] M. Okabe, K. Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .._arguments.check import Array, name_index
from .._arguments.spelling import spelled
from ..fitting.goodness import real_residual
from ..fitting.ragged_result import RaggedResult
from ..fitting.result import FitResult
from ..status import Status
from ._one_fit import point_style
from ._style import axes_or_new, open_frame

_VALUE, _ERROR, _FAILED, _FAILED_TEXT = "#0072B2", "#56B4E9", "#CC79A7", "#8F3A68"
_LEFT_OUT = "#BBBBBB"
_ALIKE = 1e-9  # values that differ by at most this share of their size count as equal
_ROBUST = (1, 99)  # percentiles at which colour scales and histograms end, because of outliers
_SIZE = 5.6, 4.2  # width and height of a new figure in inches
_FEW = 500  # fits are drawn one by one if there are at most so many, otherwise as a histogram
_LOOK_UPS = ("chi2", "redchi", "r2", "aic", "bic", "n_iter", "n_used", "dof", "attempts", "status")


class Stored(Protocol):
    """A result that is not in memory, as `thalweg.scale.StoredResult`, which a picture thins."""

    names: tuple[str, ...]

    def step_of(self) -> int:
        """Return which fits a picture shows: every one, every second, and so on along each axis."""

    def thinned(self) -> FitResult:
        """Return the result of these fits."""


@spelled
def map(
    result: FitResult | Stored,
    name: str,
    *,
    limits: tuple[float, float] | None = None,
    ax: Any = None,
) -> Any:
    """Draw a parameter, or another number that each fit gives, over a batch.

    A batch of two dimensions becomes an image with row 0 on top.  A batch of one dimension becomes
    points with their standard errors or, beyond 500 fits, a histogram.  Failed fits are pink, and
    the title counts them.  If y had names for its axes, as an xarray.DataArray has, the picture has
    them too.

    Parameters
    ----------
    result : FitResult or thalweg.scale.StoredResult
        From a store every k-th fit along each axis is drawn, about a million.
    name : str
        A parameter, or one of ``"<parameter>_stderr"``, ``"chi2"``, ``"redchi"``, ``"r2"``,
        ``"aic"``, ``"bic"``, ``"n_iter"``, ``"n_used"``, ``"dof"``, ``"attempts"``, ``"status"``
        and ``"residual"``, which is the root of the mean squared residual.  The map of the status
        has a colour for each status that occurs, and shows failed fits as well.
    limits : pair of float, optional
        The ends of the colour scale or of the histogram, in the unit of what is drawn; default: the
        1st and the 99th percentile of the fits that succeeded.
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        There is no such name, or the batch has not one or two dimensions.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> maps = np.stack([[y, 2 * y]] * 3)
    >>> r = tw.fit("a*exp(-t/tau)", t, maps, p0={"a": 1, "tau": 1}, independent="t")
    >>> ax = tw.plot.map(r, "tau")
    """
    step = 1
    if not isinstance(result, FitResult):
        step, result = result.step_of(), result.thinned()
    if result.chi2.ndim not in (1, 2):
        raise ValueError(
            f"a map needs a batch of one or two dimensions, got one of shape {result.chi2.shape}"
        )
    values = _quantity(result, name)
    good = result.success & np.isfinite(values)
    limits = _limits(values[good]) if limits is None else limits
    ax = axes_or_new(ax, *_SIZE)
    if name == "status":
        _draw_statuses(result, ax)
    elif values.ndim == 2:
        _draw_image(np.where(good, values, np.nan), limits, name, ("viridis", _FAILED), ax)
        _name_axes(result, ax)
    elif values.size > _FEW:
        kept = values[good]
        ax.hist(kept, bins=60, range=limits, color=_VALUE)
        ax.set(xlabel=name, ylabel="fits" if step == 1 else f"fits, one in {step}")
        open_frame(ax)
    else:
        _draw_line(result, values, good, name, ax)
    if step > 1 and ax.images:  # the ticks count all fits
        rows, columns = (step * n - 0.5 for n in result.chi2.shape)
        ax.images[0].set_extent((-0.5, columns, rows, -0.5))
    _count_failed(ax, result, good)
    return ax


def _quantity(result: FitResult, name: str) -> Array:
    """Return one number per fit, by name."""
    if name in result.names:
        return result[name]
    if name in _LOOK_UPS:
        values: Array = getattr(result, name)
        return values
    if name == "residual":
        with np.errstate(invalid="ignore"):
            squares = (_residual_rows(result) ** 2).reshape(*result.chi2.shape, -1)
            counts = np.count_nonzero(~np.isnan(squares), -1)
            return np.asarray(np.sqrt(np.nansum(squares, -1) / np.where(counts, counts, np.nan)))
    errors: Array = result.stderr[..., _error_of(name, result.names)]
    return errors


def _error_of(name: str, names: Sequence[str]) -> int:
    """The place of the parameter whose standard error has this name."""
    return name_index(name.removesuffix("_stderr"), names, "map")


def refuse_unknown_map(name: str, names: Sequence[str]) -> None:
    """Refuse, before there is a result, what `map` cannot draw of parameters with these names.

    Raises
    ------
    ValueError
    """
    if name not in (*names, *_LOOK_UPS, "residual"):
        _error_of(name, names)


def _residual_rows(result: FitResult) -> Array:
    """The residuals of each fit, (B, N); NaN behind the end of shorter data sets."""
    if isinstance(result, RaggedResult):
        return result.residual_rows()
    return real_residual(result).reshape(result.chi2.size, -1)


def _limits(values: Array) -> tuple[float, float]:
    low, high = np.percentile(values, _ROBUST) if values.size else (0.0, 1.0)
    if high - low <= _ALIKE * max(abs(low), abs(high)):
        width = abs(low) * 1e-3 or 1.0
        return float(low - width), float(high + width)
    return float(low), float(high)


def _draw_image(
    values: Array, limits: tuple[float, float], name: str, colours: tuple[str, str], ax: Any
) -> None:
    """Draw values as an image with row 0 on top, and a colour bar of the image's height.

    ``colours`` are the name of a colour map and the colour of values that are not finite.
    """
    import matplotlib as mpl

    picture = ax.imshow(
        np.ma.masked_invalid(values),
        cmap=mpl.colormaps[colours[0]].with_extremes(bad=colours[1]),
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    beyond = bool((values < limits[0]).any()), bool((values > limits[1]).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
    ax.figure.colorbar(picture, cax=_bar(ax), label=name, extend=extend)
    _count_in_whole_numbers(ax.xaxis, ax.yaxis)


def _bar(ax: Any) -> Any:
    """Return axes for a colour bar beside an image, as high as the image."""
    return ax.inset_axes((1.04, 0, 0.05, 1))


def _count_in_whole_numbers(*axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def _name_axes(result: FitResult, ax: Any) -> None:
    """Label the axes with the names that y has for them, else with "row", "column" or "fit"."""
    labels = result.problem.data.labels
    names = labels.dims if labels else ("row", "column") if result.chi2.ndim == 2 else ("fit",)
    if len(names) == 2:
        ax.set_ylabel(names[0])
    ax.set_xlabel(names[-1])


def _draw_statuses(result: FitResult, ax: Any) -> None:
    """Draw the status of each fit as an image; for a batch of one axis, bars that count them."""
    import matplotlib as mpl
    from matplotlib.patches import Patch

    codes, places, counts = np.unique(result.status, return_inverse=True, return_counts=True)
    words = [f"{Status(code).name} ({n})" for code, n in zip(codes, counts, strict=True)]
    cool, warm = mpl.colormaps["Blues"], mpl.colormaps["Oranges"]
    n_good, n_bad = int(np.count_nonzero(codes > 0)), int(np.count_nonzero(codes <= 0))
    colours = [warm(0.9 - 0.6 * k / max(1, n_bad)) for k in range(n_bad)]
    colours += [cool(0.35 + 0.5 * k / max(1, n_good)) for k in range(n_good)]
    if result.chi2.ndim == 1:
        ax.barh(words, counts, color=colours)
        ax.set_xlabel("fits")
        _count_in_whole_numbers(ax.xaxis)
        open_frame(ax)
        return
    shown = np.array(colours)[places.reshape(result.status.shape)]
    ax.imshow(shown, interpolation="nearest")
    _count_in_whole_numbers(ax.xaxis, ax.yaxis)
    _name_axes(result, ax)
    handles = [Patch(color=c, label=w) for c, w in zip(colours, words, strict=True)]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)


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
        color=_VALUE,
        ecolor=_ERROR,
        elinewidth=1,
        **point_style(values.size),
    )
    if not good.all():
        bottom, below = np.zeros(np.count_nonzero(~good)), ax.get_xaxis_transform()
        ax.plot(place[~good], bottom, "x", color=_FAILED, transform=below, clip_on=False)
    _name_axes(result, ax)
    _name_places(result, ax)
    ax.set_ylabel(name)
    open_frame(ax)


def _name_places(result: FitResult, ax: Any) -> None:
    """Label the ticks with the labels that y has for its fits."""
    labels = result.problem.data.labels
    n = result.chi2.size
    _count_in_whole_numbers(ax.xaxis)
    if labels is None or labels.dims[0] not in labels.coords:
        return
    words = labels.along(0, n)
    ax.xaxis.set_major_formatter(lambda at, _: str(words[round(at)]) if 0 <= at < n else "")


def _count_failed(ax: Any, result: FitResult, good: Array) -> None:
    """Write how many fits failed and, apart from these, how many had no point that counts."""
    without = int(np.count_nonzero(result.n_used == 0))
    failed = int(np.count_nonzero(~good & (result.n_used > 0)))
    words = [f"{failed} fit{'s' * (failed != 1)} failed"] if failed else []
    words += [f"{without} without data"] if without else []
    if words:
        ax.set_title(", ".join(words), color=_FAILED_TEXT, fontsize="small", loc="right")


@spelled
def residuals(
    result: FitResult, *, limits: tuple[float, float] | None = None, ax: Any = None
) -> Any:
    """Draw the residuals y - f(x) of all fits as an image: a row for each fit, a column per point.

    An error that several fits have in common, such as a model that is wrong at one end, shows as a
    pattern although noise hides it in each single fit.  Points that are left out and fits that
    failed are grey.

    Parameters
    ----------
    result : FitResult
    limits : pair of float, optional
        The ends of the colour scale, in the unit of y; default: plus and minus the 99th percentile
        of the absolute residuals.
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        There is no fit, or the result was loaded from a file, which holds no data.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> maps = np.stack([[y, 2 * y]] * 3)
    >>> r = tw.fit("a*exp(-t/tau)", t, maps, p0={"a": 1, "tau": 1}, independent="t")
    >>> ax = tw.plot.residuals(r)
    """
    if not result.chi2.size:
        raise ValueError("there is no fit to draw")
    values = _residual_rows(result)
    values = np.where(np.atleast_1d(result.success).reshape(-1, 1), values, np.nan)
    if limits is None:
        sizes = np.abs(values[np.isfinite(values)])
        most = float(np.percentile(sizes, _ROBUST[1])) if sizes.size else 1.0
        limits = (-most or -1.0, most or 1.0)
    ax = axes_or_new(ax, *_SIZE)
    _draw_image(values, limits, "y - f(x)", ("PuOr", _LEFT_OUT), ax)
    ax.set_aspect("auto")
    ax.set(xlabel="point", ylabel="fit")
    return ax
