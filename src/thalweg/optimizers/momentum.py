"""Step size and momentum of `HeavyBall` and `Nesterov`, as given or derived from the curvature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._arguments.check import positive
from ..losses.curvature import Solve, extreme_curvatures, refuse_indefinite
from .base import Point, Problem
from .gradient_descent import stable_step

MOMENTUM_PATIENCE = 3  # consecutive small steps; a single one may be the turning point of a swing
_USUAL = 0.9  # the momentum on losses whose curvature changes on the way


def check(step_size: float | str, momentum: float | str) -> None:
    """Refuse a step size that is not > 0, and a momentum outside [0, 1)."""
    if step_size != "auto":
        positive(step_size, "step_size")
    if momentum != "auto" and not (isinstance(momentum, int | float) and 0 <= momentum < 1):
        raise ValueError(f"momentum must be a number >= 0 and < 1, got {momentum!r}")


def choose(
    method: Any,
    problem: Problem,
    point: Point,
    solve: Solve,
    optimal: Callable[[float, float], tuple[float, float]],
    best_momentum: Callable[[float, float], float],
) -> tuple[float, float]:
    """Return alpha and beta of a method whose settings may be "auto".

    ``optimal`` gives both from the smallest and the largest curvature of a definite quadratic loss;
    ``best_momentum`` gives beta from alpha and the smallest curvature.
    """
    loss = problem.loss
    alpha, beta = method.step_size, method.momentum
    if alpha != "auto" and (beta != "auto" or not loss.is_quadratic):
        return float(alpha), _USUAL if beta == "auto" else float(beta)
    if not loss.is_quadratic:
        return stable_step(problem, point, solve), _USUAL if beta == "auto" else float(beta)
    curvatures = extreme_curvatures(loss, point.theta, solve)
    if not (problem.bounded and curvatures.indefinite):  # within bounds there is a minimum
        refuse_indefinite(curvatures)
    if curvatures.indefinite or not curvatures.largest > 0:
        return stable_step(problem, point, solve), _USUAL if beta == "auto" else float(beta)
    if alpha == "auto":
        alpha, best = optimal(curvatures.positive, curvatures.largest)
    else:
        alpha, best = float(alpha), best_momentum(float(alpha), curvatures.positive)
    return alpha, best if beta == "auto" else float(beta)
