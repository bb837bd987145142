"""The picture of a model of several outputs, or of a complex model: a colour for each output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import place_of
from ..fitting.evaluation import predict
from ..model.several import Several
from ._one_fit import (
    Inks,
    OneFit,
    dense,
    draw_curve,
    draw_images,
    draw_residuals,
    variables_of,
)

if TYPE_CHECKING:
    from ..fitting.result import FitResult

# Colours of Okabe and Ito, without the yellow, which is too faint for lines.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def each_output(
    result: FitResult, index: tuple[int, ...], level: float | None = None
) -> list[OneFit]:
    """Return the data and the model of every real output of one fit.

    Raises
    ------
    IndexError
        ``index`` does not pick one fit of the batch.
    ValueError
        There are several variables, and a band is wanted.
    """
    place = place_of(index, result.problem.data.batch)
    one = result[place] if place else result
    problem, data = one.problem, one.problem.data
    rows, points = data.of_one_output()
    x = [np.atleast_2d(row.array)[0] for row in rows]
    if level is not None and len(x) > 1:
        raise ValueError("a band is drawn for models of one variable; this one has several")
    R = data.points[0]
    model = predict(problem, one.params).reshape(R, -1)
    at, curves, bands = np.arange(x[0].size), model, None
    if len(x) == 1:
        # beside the numbers of the outputs, a model may hold arrays of the fitted points
        bound = problem.recording is None or len(problem.recording.arrays) > 1
        at = x[0] if bound else dense(x[0])
        given = None if bound else at if data.single else [at]
        order = np.argsort(at)
        at, curves = at[order], predict(problem, one.params, given)[:, order]
        bands = None if level is None else one.band(given, level)[:, order]
    y, used = data.y.reshape(R, -1), (data.weights() > 0).reshape(R, -1)
    sigma = None if data.sigma is None else data.sigma.array.reshape(R, -1)
    names = variables_of(result)
    return [
        OneFit(
            place, x, y[k], None if sigma is None else sigma[k], used[k], model[k],
            (at, curves[k]), points, names, None if bands is None else bands[k],
        )
        for k in range(R)
    ]  # fmt: skip


def names_of(several: Several) -> list[str]:
    """Return what a legend calls the real outputs."""
    outputs = [""] if several.number is None else [f"output {k}" for k in range(several.number)]
    if not several.complex:
        return outputs
    parts = ("real part", "imaginary part")
    return [f"{part} of {name}" if name else part for name in outputs for part in parts]


def draw_outputs(ones: list[OneFit], names: list[str], axes: Any) -> None:
    """Draw the points and curves of all outputs and, into a second axes, their residuals."""
    for k, (one, name) in enumerate(zip(ones, names, strict=True)):
        colour = _COLOURS[k % len(_COLOURS)]
        inks = Inks(colour, colour, f"_data {name}", name, f"_band {name}")
        draw_curve(one, axes[0], inks)
        if len(axes) == 2:
            draw_residuals(one, axes[1], inks)


def draw_output_images(ones: list[OneFit], names: list[str], axes: Any) -> None:
    """Draw data, model and residuals of every output as a row of three images."""
    for one, name, row in zip(ones, names, axes, strict=True):
        draw_images(one, row)
        row[0].set_title(f"{name}: data")
