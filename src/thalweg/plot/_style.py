"""What all pictures share: the import of matplotlib, colours, frames, axes and labels.

Colours are those of Okabe and Ito, "Color universal design", 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._optional import optional

BLACK, ORANGE, SKY, GREEN = "#333333", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"
CYCLE = (VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)


def pyplot() -> Any:
    """Return matplotlib.pyplot."""
    return optional("matplotlib.pyplot", "plots need")


def open_frame(ax: Any) -> None:
    """Hide the frame on top and at the right."""
    ax.spines[["top", "right"]].set_visible(False)


def axes_or_new(ax: Any, width: float, height: float) -> Any:
    """Return the user's Axes or, if there are none, those of a new figure, sized in inches."""
    plt = pyplot()
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def several_axes(ax: Any, sizes: Sequence[int], which: str = "") -> Any:
    """Return the user's Axes as a flat array, whose size must be one of ``sizes``."""
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).reshape(-1)
    if axes.size not in sizes:
        wanted = " or ".join(f"{n}" for n in sizes)
        raise ValueError(f"ax must be {wanted} Axes{which}, got {axes.size}")
    return axes


def labelled(results: Any, labels: Sequence[str] | None) -> tuple[list[Any], list[str]]:
    """Return one `DescentResult` or several as a list, and their labels."""
    several = [results] if hasattr(results, "method") else list(results)
    labels = [r.method.name for r in several] if labels is None else list(labels)
    if len(labels) != len(several):
        raise ValueError(f"labels must be one per result, got {len(labels)} for {len(several)}")
    return several, labels
