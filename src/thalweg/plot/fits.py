"""Pictures of fits: one fit with its residuals, and a first look at a batch.

Colours are those of Okabe and Ito [1]_ and the maps viridis and PuOr, which people with any colour
vision can tell apart.  Residuals are y - f(x), in the unit of y.

References
----------
.. [1] M. Okabe, K. Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.spelling import spelled
from ..fitting.result import FitResult
from ._one_fit import (
    OneFit,
    caption,
    draw_curve,
    draw_images,
    draw_residuals,
    in_rows,
    legend,
    one_fit,
)
from ._outputs import draw_output_images, draw_outputs, each_output, names_of
from ._style import pyplot, several_axes
from .maps import Stored, map

if TYPE_CHECKING:
    from ..model.several import Several

_GALLERY = 9  # the most fits that `overview` draws one by one
_GALLERY_OF_IMAGES = 4  # the same for models of two variables, which take three panels each


@spelled
def fit(result: FitResult, *index: int, ax: Any = None, band: float | None = None) -> Any:
    """Draw data, model and residuals y - f(x) of one fit.

    A model of one variable is drawn as points, with error bars of length sigma where sigma was
    given, a curve and the residuals below.  A model of two variables is drawn as three images, or
    as coloured points where the points are no regular grid: data, model, residuals.  With more
    variables the abscissa is the number of the point.  Points left out are faint, left-out pixels
    grey.  Several outputs, and real and imaginary part of complex data, have a colour each.

    Parameters
    ----------
    result : FitResult
    *index : int
        The index of the fit, one number per dimension of the batch.
    ax : Axes or sequence of Axes, optional
        The axes to draw into: two for the fit and its residuals, one for the fit alone, or three
        for a model of two variables; default: those of a new figure.
    band : float, optional
        The level of a confidence band of the model to be drawn, such as 0.95, see `FitResult.band`.

    Returns
    -------
    ndarray of Axes, shape (2,), (1,) or (3,)
        The axes of fit and residuals, or of data, model and residuals; (3 K,) of K outputs of two
        variables.

    Raises
    ------
    IndexError
        ``index`` is not in the batch.
    ValueError
        ``ax`` has another number of Axes, or a band is wanted for a model of several variables.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> ax = tw.plot.fit(r)
    """
    plt = pyplot()
    if (several := result.problem.data.several) is not None:
        return _fit_of_outputs(plt, result, each_output(result, index, band), several, ax)
    one = one_fit(result, index, band)
    draw = _fit_of_two_variables if len(one.x) == 2 else _fit_of_one_variable
    return draw(plt, one, caption(result, one.place), ax)


def _fit_of_outputs(
    plt: Any, result: FitResult, ones: list[OneFit], several: Several, ax: Any
) -> Any:
    """Draw the outputs in one picture, or images of two variables as a row for each output."""
    names, words = names_of(several), caption(result, ones[0].place)
    if len(ones[0].x) == 2:
        if ax is not None:
            raise ValueError("several outputs of two variables need a figure of their own")
        figure, axes = plt.subplots(
            len(ones), 3, figsize=(10, 3.4 * len(ones)), layout="constrained", squeeze=False
        )
        draw_output_images(ones, names, axes)
        figure.suptitle(in_rows(words), fontsize="small")
        return axes.reshape(-1)
    axes, own = _axes_of_one_variable(plt, ax)
    draw_outputs(ones, names, axes)
    axes[-1].set_xlabel(ones[0].variables[0] if len(ones[0].x) == 1 else "point")
    legend(axes[0], "\n".join(words), own, names)
    return axes


def _axes_of_one_variable(plt: Any, ax: Any) -> tuple[Any, bool]:
    """The axes of a fit and of its residuals, and whether they are in a figure of their own."""
    own = ax is None
    if own:
        _, ax = plt.subplots(
            2, 1, sharex=True, height_ratios=(3, 1), figsize=(7.2, 4.5), layout="constrained"
        )
    return _axes(ax, (1, 2)), own


def _fit_of_two_variables(plt: Any, one: OneFit, words: list[str], ax: Any) -> Any:
    own = ax is None
    if own:
        _, ax = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    axes = _axes(ax, (3,))
    draw_images(one, axes)
    if own:
        axes[0].figure.suptitle(in_rows(words), fontsize="small")
    return axes


def _fit_of_one_variable(plt: Any, one: OneFit, words: list[str], ax: Any) -> Any:
    axes, own = _axes_of_one_variable(plt, ax)
    draw_curve(one, axes[0])
    if axes.size == 2:
        draw_residuals(one, axes[1])
    axes[-1].set_xlabel(one.variables[0] if len(one.x) == 1 else "point")
    legend(axes[0], "\n".join(words), outside=own)
    return axes


@spelled
def overview(result: FitResult | Stored, titles: Sequence[str] | None = None) -> Any:
    """Draw a first look at a result: one fit, the first few of a batch, or every parameter's map.

    Parameters
    ----------
    result : FitResult or thalweg.scale.StoredResult
        A store holds no data; so maps are drawn of its result.
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

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> figure = tw.plot.overview(r)
    """
    plt = pyplot()
    if isinstance(result, FitResult):
        if not result.chi2.ndim:
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
    """Draw the first fits of a batch side by side, three panels each for two variables."""
    images = len(result.problem.data.x) == 2
    n = min(result.chi2.size, _GALLERY_OF_IMAGES if images else _GALLERY)
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


def _axes(ax: Any, sizes: tuple[int, ...]) -> Any:
    return several_axes(ax, sizes, " for this model")
