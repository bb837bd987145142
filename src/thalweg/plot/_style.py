"""What all pictures share: matplotlib when it is needed, colours, frames.

Colours are those of Okabe and Ito, "Color universal design", 2008.
"""

from __future__ import annotations

from typing import Any

from .._optional import optional

BLACK, ORANGE, SKY, GREEN = "#333333", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"
CYCLE = (VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)


def pyplot() -> Any:
    """Return matplotlib.pyplot."""
    return optional("matplotlib.pyplot", "plots need")


def open_frame(ax: Any) -> None:
    """Leave away the lines on top and at the right."""
    ax.spines[["top", "right"]].set_visible(False)


def axes_or_new(ax: Any, width: float, height: float) -> Any:
    """Return the axes, or those of a new figure of this size in inches if there are none."""
    if ax is None:
        _, ax = pyplot().subplots(figsize=(width, height), layout="constrained")
    return ax
