r"""Forward and backward propagation through a model, drawn as products of arrays.

At a point y the model turns P parameters into Nx predictions; its Jacobian J has shape (Nx, P).
Forward propagation turns a change of the parameters into one of the predictions,
delta x = J delta theta; backward propagation turns an error of the predictions into a row of
parameters, delta theta = e'J.  Neither needs the Jacobian itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._arguments.spelling import spelled
from ..model.operations import Operations, count_operations
from ._style import BLUE, GREY, VERMILION, axes_or_new

_MOST_CELLS = 8  # the most cells that are drawn along a side; a longer side is dotted
_CELL, _GAP, _WORDS = 1.0, 2.0, 1.0  # side of a cell, space between factors, height of a line
_LEAST_WIDTH = 15.0  # the least width of the picture, in cells
_INCH = 0.32  # the side of a cell in inches


class _Block(NamedTuple):
    """A vector or matrix, drawn as cells."""

    n_rows: int
    n_columns: int
    name: str
    shape: str
    colour: str

    @property
    def width(self) -> float:
        return _CELL * min(self.n_columns, _MOST_CELLS)

    @property
    def height(self) -> float:
        return _CELL * min(self.n_rows, _MOST_CELLS)


@spelled
def propagation(
    model: Callable[..., Any] | str,
    *,
    n_inputs: int | None = None,
    independent: str | Sequence[str] | None = None,
    ax: Any = None,
) -> Any:
    r"""Draw forward and backward propagation of a model as products of shapes, with their cost.

    Forwards :math:`\delta x = J \, \delta\theta`, shapes (Nx,) = (Nx, P) (P,); backwards
    :math:`\delta\theta = \epsilon^t J`, shapes (P,) = (Nx,) (Nx, P).  The operations are those per
    point of the recorded model, equal expressions counted once.

    Parameters
    ----------
    model : callable or str
        ``f(x, *params)`` that returns one value or a sequence of Nx values; a formula; or the name
        of a built-in model.
    n_inputs : int, optional
        The number of independent variables of a function; default 1.
    independent : str or sequence of str, optional
        The independent variables of a formula.
    ax : Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        The function does not name its parameters.
    RecordingError
        The function does something that cannot be recorded.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> ax = tw.plot.propagation("a*exp(-t/tau)", independent="t")
    """
    counted = count_operations(model, n_inputs=n_inputs, independent=independent)
    forwards, backwards = _products(counted)
    middle = (_tallest(forwards) + _tallest(backwards)) / 2 + 5.5 * _WORDS
    lowest = -_tallest(backwards) / 2 - 4.6 * _WORDS
    highest = middle + _tallest(forwards) / 2 + 3.2 * _WORDS
    width = max(_LEAST_WIDTH, *(_width(blocks) for blocks in (forwards, backwards)))
    ax = axes_or_new(ax, _INCH * (width + 1), _INCH * (highest - lowest))
    _draw_product(ax, forwards, middle, f"forwards: {counted.forward} operations per point")
    _draw_product(ax, backwards, 0.0, f"backwards: {counted.backward} operations per point")
    costs = f"the model alone: {counted.model}\nthe model and all of J: {counted.jacobian}"
    ax.text(0, lowest + 2.2 * _WORDS, costs, fontsize="small", va="center", linespacing=1.5)
    ax.set(xlim=(-0.5, width + 0.5), ylim=(lowest, highest))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _tallest(blocks: tuple[_Block, ...]) -> float:
    return max(block.height for block in blocks)


def _width(blocks: tuple[_Block, ...]) -> float:
    return sum(block.width for block in blocks) + 2 * _GAP + 0.6


def _products(counted: Operations) -> tuple[tuple[_Block, ...], tuple[_Block, ...]]:
    """Return result and factors of forward and of backward propagation."""
    n, P = counted.n_outputs, len(counted.names)
    Nx, Ps = f"({n},)", f"({P},)"
    J = _Block(n, P, "$J$", f"({n}, {P})", GREY)
    forwards = (
        _Block(n, 1, r"$\delta x$", Nx, VERMILION),
        J,
        _Block(P, 1, r"$\delta\theta$", Ps, BLUE),
    )
    backwards = (
        _Block(1, P, r"$\delta\theta$", Ps, BLUE),
        _Block(1, n, r"$\epsilon^t$", Nx, VERMILION),
        J,
    )
    return forwards, backwards


def _draw_product(ax: Any, blocks: tuple[_Block, ...], middle: float, title: str) -> None:
    """Draw an equation result = left right, centred on the height ``middle``."""
    ax.text(0, middle + _tallest(blocks) / 2 + 1.7 * _WORDS, title, weight="bold", va="bottom")
    x = 0.6
    for number, block in enumerate(blocks):
        if number == 1:
            ax.text(x - _GAP / 2, middle, "=", ha="center", va="center", fontsize="x-large")
        _draw_block(ax, block, x, middle)
        x += block.width + _GAP


def _draw_block(ax: Any, block: _Block, left: float, middle: float) -> None:
    from matplotlib.patches import Rectangle

    bottom = middle - block.height / 2
    for i in range(min(block.n_rows, _MOST_CELLS)):
        for j in range(min(block.n_columns, _MOST_CELLS)):
            dotted = (i == _MOST_CELLS - 2 and block.n_rows > _MOST_CELLS) or (
                j == _MOST_CELLS - 2 and block.n_columns > _MOST_CELLS
            )
            corner = (left + _CELL * j, bottom + block.height - _CELL * (i + 1))
            if dotted:
                place = corner[0] + _CELL / 2, corner[1] + _CELL / 2
                ax.text(*place, "·", ha="center", va="center")
                continue
            ax.add_patch(
                Rectangle(
                    corner, _CELL, _CELL, facecolor=block.colour, edgecolor="white", alpha=0.75
                )
            )
    centre = left + block.width / 2
    ax.text(centre, bottom + block.height + 0.15, block.name, ha="center", va="bottom")
    ax.text(centre, bottom - 0.2, block.shape, ha="center", va="top", fontsize="small")
