"""A diagnosis in words: why descent is slow, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from ..linalg.matrix import Definiteness
from ..optimizers.gradient_descent import below

if TYPE_CHECKING:
    from .diagnosis import Diagnosis, Direction

# These sizes are chosen for a short text, not measured.
_GENTLE = 9 / 11  # up to this rate of gradient descent, that of kappa = 10, every method is fast
_WORTH = 3.0  # a remedy is mentioned if it divides kappa or the iterations by at least this
_SHOWN = 3  # the most directions that are named
_NAMED = 4  # the most parameters of one direction that are named

_WORDS = {
    "GradientDescent": "gradient descent",
    "SteepestDescent": "steepest descent",
    "HeavyBall": "heavy ball",
    "Nesterov": "Nesterov's method",
    "ConjugateGradient": "conjugate gradient",
    "CoordinateDescent": "coordinate descent",
    "Newton": "Newton's method",
}


def advise(d: Diagnosis) -> str:
    """Return a paragraph: the shape of the loss, the step, the remedies, the parameters."""
    return " ".join([*_shape(d), *_step(d), *_remedies(d), *_parameters(d)])


def _shape(d: Diagnosis) -> Iterator[str]:
    where = "" if d.is_quadratic else " here"
    kappa = f", kappa = {d.kappa:.3g}" if isfinite(d.kappa) else ""
    yield f"The Hessian is {d.definiteness}{where}{kappa}."
    if d.definiteness is Definiteness.INDEFINITE:
        yield (
            "The loss curves downwards along some direction, so there is no minimum near: fixed "
            "steps and conjugate gradient may run away."
        )
        if not d.is_quadratic:
            yield "Newton with damping, GaussNewton or LevenbergMarquardt go downhill all the same."
    elif d.definiteness in (Definiteness.NEGATIVE, Definiteness.NON_POSITIVE):
        yield "The loss curves upwards along no direction, so there is no minimum near."
    elif d.falls_for_ever:
        yield "Along a flat direction the loss falls without end, so there is no minimum."


def _step(d: Diagnosis) -> Iterator[str]:
    n = d.predicted_iterations.get("GradientDescent", 0)
    if not isfinite(n) or not isfinite(d.best_step):
        return
    until = f"until minimize stops with gtol={d.reduction:.0e}"
    near = "" if d.is_quadratic else ", as long as the curvature stays as it is here"
    yield (
        f"A fixed step must stay below {below(d.largest_stable_step)}; the best, "
        f"{below(d.best_step)}, "
        f"takes {_times(n)} {until}{near}."
    )


def _remedies(d: Diagnosis) -> Iterator[str]:
    plain = d.predicted_iterations.get("GradientDescent", 0)
    if not isfinite(plain) or not isfinite(d.best_step):
        return
    if d.rates["GradientDescent"] <= _GENTLE:
        apart = "" if isfinite(d.kappa) else "Apart from flat directions it"
        yield f"{apart or 'That'} is well-conditioned: every method is fast."
        return
    if d.kappa_scaled * _WORTH < d.kappa:
        yield (
            "Much of it is a matter of units: a diagonal preconditioner leaves "
            f"kappa = {d.kappa_scaled:.3g}."
        )
    others = {
        m: n for m, n in d.predicted_iterations.items() if m not in ("Newton", "GradientDescent")
    }
    better = sorted((n, method) for method, n in others.items() if n * _WORTH <= plain)
    if better:
        listed = ", ".join(f"{_WORDS[method]} {n:.0f}" for n, method in better)
        yield f"Instead of these iterations: {listed}."
    P = len(d.names)
    yield (
        f"{_WORDS['Newton'].capitalize()} takes "
        + ("one step" if d.is_quadratic else "few steps near the minimum")
        + f", at the price of solving {P} equations."
    )


def _parameters(d: Diagnosis) -> Iterator[str]:
    for direction in d.indistinct[:_SHOWN]:
        if len(direction.names) == 1:
            yield f"{direction.names[0]} has no effect on the loss: fix it."
        else:
            yield (
                f"{_listed(direction)} cannot be told apart: one combination of them hardly "
                "changes the loss; fix one of them or add a penalty."
            )
    if len(d.indistinct) > _SHOWN:
        yield f"The loss cannot tell {len(d.indistinct) - _SHOWN} more combinations apart."


def _listed(direction: Direction) -> str:
    """Return the names of a direction's parameters, up to `_NAMED` of them."""
    names = list(direction.names)
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _times(n: float) -> str:
    return f"{n:,.0f} iteration{'s' * (n != 1)}"
