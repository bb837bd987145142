"""Losses of numbers near the ends of the range are minimised in other units.

With b = u b' and theta = u theta', u a power of two, a linear loss is u^2 times that of b' and
theta', to the last bit.  So data near 1e-300 or 1e300, whose squares leave the range of numbers,
give results with the same digits as data near 1; only the loss in the result may be 0 or infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from math import frexp, ldexp
from typing import Any

import numpy as np

from .._arguments.bounds import bounds_of_one
from .._arguments.check import Array, numbers
from ..losses.base import Loss
from ..losses.linear import LinearLeastSquares
from ..losses.quadratic import QuadraticLoss
from .result import DescentResult, History

_LEAST, _MOST = 1e-70, 1e70  # between these sizes fourth powers, which occur, stay in the range

Run = Callable[..., DescentResult]


def unit_of(loss: Any, theta0: Any) -> float:
    """Return the power of two in which to measure a loss; 1 unless its numbers are extreme."""
    if isinstance(loss, LinearLeastSquares):
        own = loss.b
    elif isinstance(loss, QuadraticLoss):
        own = loss.theta_star
    else:
        return 1.0
    size = float(np.abs(own).max(initial=0.0))
    if size == 0.0:
        size = float(np.abs(numbers(theta0, "theta0", np.float64)).max(initial=0.0))
    return 1.0 if size == 0.0 or _LEAST < size < _MOST else ldexp(1.0, frexp(size)[1] - 1)


def minimize_in_units(
    run: Run, loss: Loss, theta0: Any, unit: float, options: Mapping[str, Any]
) -> DescentResult:
    """Run ``run``, `thalweg.minimize`, in other units; return the result in those of the loss.

    Raises
    ------
    BaseException
        An exception of ``run``, with the result so far in its attribute ``result``.
    """
    scaled = copy(loss)
    if isinstance(scaled, LinearLeastSquares):
        scaled.b = scaled.b / unit
    elif isinstance(scaled, QuadraticLoss):
        scaled.theta_star = scaled.theta_star / unit
    sides = bounds_of_one(options["bounds"], loss.n_params)
    own: dict[str, Any] = {**options, "bounds": tuple(side / unit for side in sides)}
    callback = options["callback"]
    if callback is not None:
        own["callback"] = lambda told: callback(_told(told, unit))
    try:
        start = loss.at(theta0, "theta0") / unit
        return _back(run(scaled, start, **own), unit)
    except BaseException as error:
        partial = getattr(error, "result", None)
        if isinstance(partial, DescentResult):
            error.result = _back(partial, unit)  # type: ignore[attr-defined]
        raise


@np.errstate(over="ignore", under="ignore")
def _back(r: DescentResult, unit: float) -> DescentResult:
    h = r.history
    history = History(
        h.loss * unit * unit,
        h.gradient_norm * unit,
        h.step_size,
        None if h.theta is None else h.theta * unit,
    )
    return replace(
        r,
        theta=r.theta * unit,
        loss=float(np.float64(r.loss) * unit * unit),
        gradient_norm=float(np.float64(r.gradient_norm) * unit),
        history=history,
    )


@np.errstate(over="ignore", under="ignore")
def _told(told: Any, unit: float) -> Any:
    loss = float(np.float64(told.loss) * unit * unit)
    theta: Array = told.theta * unit
    norm = float(np.float64(told.gradient_norm) * unit)
    return told._replace(theta=theta, loss=loss, gradient_norm=norm)
