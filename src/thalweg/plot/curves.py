"""The convergence of a descent, and the spectrum that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from .._arguments.spelling import spelled
from ..conditioning import Diagnosis
from ..descent.result import DescentResult
from ._style import (
    BLACK,
    BLUE,
    CYCLE,
    VERMILION,
    axes_or_new,
    labelled,
    open_frame,
    pyplot,
    several_axes,
)

_LEAST_PREDICTED = 1e-16  # predicted lines end at this share of the gradient at the start
_QUANTITIES = {"gradient_norm": "||gradient||", "loss": "loss"}


@spelled
def convergence(
    results: DescentResult | Sequence[DescentResult],
    diagnosis: Diagnosis | None = None,
    *,
    quantity: str = "gradient_norm",
    labels: Sequence[str] | None = None,
    ax: Any = None,
) -> Any:
    """Draw how the gradient's norm, or the loss, falls with the iterations.

    Parameters
    ----------
    results : DescentResult or sequence of them
    diagnosis : Diagnosis, optional
        The diagnosis of the loss at the start: its rates are added as dashed lines, start * rate^n,
        and its predicted iterations as crosses.  Only for "gradient_norm".
    quantity : "gradient_norm" or "loss"
        What is drawn.
    labels : sequence of str, optional
        One label per result; default: the names of the methods.
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        There is no result, no such quantity, or another number of labels than results.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> r = tw.minimize(loss, [1.0, 1.0], tw.GradientDescent())
    >>> ax = tw.plot.convergence(r)
    """
    if quantity not in _QUANTITIES:
        raise ValueError(f"quantity must be gradient_norm or loss, got {quantity!r}")
    several, labels = labelled(results, labels)
    if not several:
        raise ValueError("there is no result to draw")
    ax = axes_or_new(ax, 6.4, 4.2)
    widths = np.linspace(2.6, 1.4, len(several))  # so that equal lines are all seen
    for result, label, colour, width in zip(
        several, labels, CYCLE * len(several), widths, strict=False
    ):
        course = getattr(result.history, quantity)
        ax.semilogy(
            np.where(course > 0, course, np.nan), color=colour, linewidth=width, label=label
        )
        if diagnosis is not None and quantity == "gradient_norm":
            _draw_prediction(ax, diagnosis, result, colour)
    if diagnosis is not None and quantity == "gradient_norm":
        ax.plot([], [], "--", color=BLACK, linewidth=1, label="start × rate$^n$")
        ax.plot([], [], "X", color=BLACK, linestyle="none", markersize=8, label="predicted end")
    ax.set(xlabel="iteration", ylabel=_QUANTITIES[quantity])
    ax.set_xlim(left=0)
    open_frame(ax)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")
    return ax


def _draw_prediction(ax: Any, d: Diagnosis, result: DescentResult, colour: str) -> None:
    name = result.method.name
    start = result.history.gradient_norm[0]
    rate, end = d.rates.get(name, 0.0), d.predicted_iterations.get(name, np.inf)
    if 0 < rate < 1:
        last = min(result.n_iter, np.log(_LEAST_PREDICTED) / np.log(rate))
        n = np.linspace(0, last, 50)
        ax.plot(n, start * rate**n, "--", color=colour, linewidth=1, alpha=0.8)
    if isfinite(end) and end <= result.n_iter * 1.3:
        ax.plot(end, start * d.reduction, "X", color=colour, markersize=8, zorder=4, clip_on=False)


@spelled
def spectrum(d: Diagnosis, *, ax: Any = None) -> Any:
    """Draw the eigenvalues of the Hessian, from the largest to the smallest.

    Parameters
    ----------
    d : Diagnosis
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> d = tw.diagnose(loss, [1.0, 1.0])
    >>> ax = tw.plot.spectrum(d)
    """
    ax = axes_or_new(ax, 5.2, 3.8)
    values = d.spectrum[::-1]
    number = np.arange(1, values.size + 1)
    size = float(np.clip(60 / np.sqrt(values.size), 2, 7))
    style = {"marker": "o", "linestyle": "none", "markersize": size}
    floor = values.size * np.finfo(float).eps * np.abs(values).max()
    up, down = values > floor, values < -floor
    ax.plot(number[up], values[up], color=BLUE, label=r"$\sigma_i$", **style)
    if down.any():
        ax.plot(number[down], -values[down], color=VERMILION, label=r"$-\sigma_i$", **style)
    flat = ~(up | down)
    if up.any() or down.any():
        ax.set_yscale("log")
    if flat.any():
        bottom = np.zeros(np.count_nonzero(flat))
        place = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.plot(
            number[flat], bottom, "v", color=BLACK, label=r"$\sigma_i = 0$", markersize=7, **place
        )
    kappa = f"{d.kappa:.3g}" if isfinite(d.kappa) else r"$\infty$"
    ax.set(xlabel="eigenvalue number", ylabel="eigenvalue of the Hessian")
    ax.set_title(rf"$\kappa$ = {kappa}, {d.definiteness}", fontsize="medium")
    ax.margins(y=0.15)
    ax.xaxis.get_major_locator().set_params(integer=True)
    open_frame(ax)
    if down.any() or flat.any():
        ax.legend(frameon=False, fontsize="small")
    return ax


@spelled
def diagnosis(d: Diagnosis, *, ax: Any = None) -> Any:
    """Draw a diagnosis: the spectrum, and how many iterations each method is predicted to take.

    Parameters
    ----------
    d : Diagnosis
    ax : sequence of two Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    ndarray of Axes, shape (2,)

    Raises
    ------
    ValueError
        ``ax`` is not two Axes.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> d = tw.diagnose(loss, [1.0, 1.0])
    >>> ax = tw.plot.diagnosis(d)
    """
    plt = pyplot()
    if ax is None:
        _, ax = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    axes = several_axes(ax, (2,))
    spectrum(d, ax=axes[0])
    _draw_counts(d, axes[1])
    return axes


def _draw_counts(d: Diagnosis, ax: Any) -> None:
    counts = sorted(d.predicted_iterations.items(), key=lambda item: -item[1])
    finite = [n for _, n in counts if isfinite(n)]
    longest = max(finite, default=1.0)
    lengths = [n if isfinite(n) else 10 * longest for _, n in counts]
    bars = ax.barh([name for name, _ in counts], np.maximum(lengths, 0.7), color=BLUE, height=0.6)
    for bar, (_, n) in zip(bars, counts, strict=True):
        words = f" {n:,.0f}" if isfinite(n) else " never"
        middle = bar.get_y() + bar.get_height() / 2
        ax.text(bar.get_width(), middle, words, va="center", fontsize="small")
    ax.set_xscale("log")
    ax.set_xlim(0.5, 12 * max(lengths))
    near = "" if d.is_quadratic else ", if the curvature stays as it is here"
    ax.set_xlabel(f"iterations until minimize stops, gtol = {d.reduction:.0e}{near}")
    open_frame(ax)
