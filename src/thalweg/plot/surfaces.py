"""Losses as curves and level lines, with the paths of descents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments.spelling import spelled
from ..descent.result import DescentResult
from ..losses import Loss
from ._landscape import (
    Limits,
    axes_of_ratio,
    landscape,
    way_of,
    ways_of,
    widened,
)
from ._style import BLACK, CYCLE, open_frame

_DENSE = 400  # points of a curve


@spelled
def steps(
    loss: Loss,
    result: DescentResult,
    *,
    limits: tuple[float, float] | None = None,
    label: str | None = None,
    ax: Any = None,
) -> Any:
    r"""Draw a loss of one parameter with the update steps :math:`\theta + \alpha d` on it.

    Parameters
    ----------
    loss : Loss
        A loss of one parameter.
    result : DescentResult
        The result of `minimize` with ``record=True``.
    limits : pair of float, optional
        The ends of the curve; default: a little beyond the steps.
    label : str, optional
        The label of the steps in the legend; default: the name of the method.
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        The loss has more parameters than one, or the result has no record of theta.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[3.0]])
    >>> r = tw.minimize(loss, [1.0], tw.GradientDescent(step_size=0.1), record=True)
    >>> ax = tw.plot.steps(loss, r)
    """
    if loss.n_params != 1:
        raise ValueError(f"steps draws a loss of one parameter, this one has {loss.n_params}")
    way = way_of(result)[:, 0]
    if limits is None:
        limits = widened(float(way.min()), float(way.max()))
    ax = axes_of_ratio(ax)
    theta = np.linspace(*limits, _DENSE)
    ax.plot(theta, [loss.value([t]) for t in theta], color=BLACK, linewidth=1.5, zorder=2)
    inside = way[(limits[0] <= way) & (way <= limits[1])]
    height = np.array([loss.value([t]) for t in inside])
    ax.plot(
        inside,
        height,
        "o-",
        color=CYCLE[0],
        markersize=4.5,
        linewidth=1,
        label=label or result.method.name,
        zorder=3,
    )
    ax.plot(inside[:1], height[:1], "s", color=CYCLE[0], markersize=7, zorder=4)
    ax.set(xlabel=r"$\theta$", ylabel="loss", xlim=limits)
    open_frame(ax)
    ax.legend(loc="upper center", frameon=False, bbox_to_anchor=(0.5, 1.1))
    return ax


@spelled
def contours(
    loss: Loss,
    results: DescentResult | Sequence[DescentResult] = (),
    *,
    parameters: tuple[int, int] = (0, 1),
    limits: Limits | None = None,
    labels: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    ax: Any = None,
) -> Any:
    """Draw level lines of a loss in two of its parameters, and the paths of descents.

    Parameters
    ----------
    loss : Loss
        A loss of two parameters or more.
    results : DescentResult or sequence of them, optional
        Results of `minimize` with ``record=True``.  A square marks the start.
    parameters : pair of int
        The two parameters that are drawn; the others are those of the last point.
    limits : pair of pairs of float, optional
        ((left, right), (bottom, top)); default: a box around the paths.
    labels : sequence of str, optional
        One label per result; default: the names of the methods.
    names : sequence of str, optional
        The labels of the two axes.
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        The loss has one parameter only, a result has no record of theta, or there are neither
        results nor limits.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> r = tw.minimize(loss, [1.0, 1.0], tw.GradientDescent(), record=True)
    >>> ax = tw.plot.contours(loss, r)
    """
    ways, labels = ways_of(results, labels)
    return landscape(loss, ways, labels, parameters, limits, names, ax)


@spelled
def staircase(
    loss: Loss,
    result: DescentResult,
    *,
    order: Sequence[int] | None = None,
    parameters: tuple[int, int] = (0, 1),
    limits: Limits | None = None,
    ax: Any = None,
) -> Any:
    """Draw the path of coordinate descent, a staircase that changes one parameter at a time.

    A sweep moves every parameter once, so the corners between two recorded points are known.

    Parameters
    ----------
    loss : Loss
    result : DescentResult
        The result of `minimize` with `CoordinateDescent` in cyclic order and ``record=True``.
    order : sequence of int, optional
        The order in which the parameters were moved; default: 0, 1, ...
    parameters, limits, ax
        As of `contours`.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        As of `contours`, or ``order`` does not hold each parameter once.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> r = tw.minimize(loss, [1.0, 1.0], tw.CoordinateDescent(), record=True)
    >>> ax = tw.plot.staircase(loss, r)
    """
    P = loss.n_params
    order = tuple(range(P)) if order is None else tuple(order)
    if sorted(order) != list(range(P)):
        raise ValueError(f"order must hold each of the {P} parameters once, got {order}")
    way = way_of(result)
    corners = [way[0]]
    for target in way[1:]:
        for j in order:
            corner = corners[-1].copy()
            corner[j] = target[j]
            corners.append(corner)
    return landscape(loss, [np.array(corners)], [result.method.name], parameters, limits, None, ax)
