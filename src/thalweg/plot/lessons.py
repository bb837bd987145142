"""Pictures that explain: the step size, the condition number, and why Newton's step is straight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import spelled
from ..conditioning import Diagnosis, diagnose
from ..descent.minimize import minimize
from ..descent.result import DescentResult
from ..losses import Loss, QuadraticLoss
from ..optimizers import GradientDescent
from ._landscape import box_about, row_of_axes, way_of
from ._style import BLACK, CYCLE
from .surfaces import contours, steps

_SLOW = 0.2  # a step size below this share of the best one is called too small


@spelled
def step_sizes(
    loss: Loss,
    theta0: Any,
    step_sizes: Sequence[float] | None = None,
    *,
    max_iter: int = 20,
    limits: Any = None,
    ax: Any = None,
) -> Any:
    """Draw gradient descent with step sizes too small, good and too large, side by side.

    Parameters
    ----------
    loss : Loss
        A loss; with one parameter it is drawn as a curve, with more as level lines of the first
        two.
    theta0 : array_like, shape (P,)
        The start.
    step_sizes : sequence of float, optional
        The step sizes; default: a tenth of the best one, the best one, and 3 % more than the
        largest stable one, as `diagnose` finds them at the start.
    max_iter : int
        The largest number of steps.
    limits : optional
        As of `steps` or `contours`; the same for all panels.
    ax : sequence of Axes, optional
        One per step size; default: those of a new figure.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    ValueError
        The Hessian at the start is not positive, so that no step sizes follow from it.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> axes = tw.plot.step_sizes(loss, [1.0, 1.0])
    >>> [ax.get_title().split(": ")[1] for ax in axes]
    ['too small', 'good', 'too large']
    """
    d = diagnose(loss, theta0)
    if step_sizes is None:
        if not 0 < d.best_step < np.inf:
            raise ValueError(
                f"step_sizes must be given: the Hessian is {d.definiteness} at the start"
            )
        step_sizes = (0.1 * d.best_step, d.best_step, 1.03 * d.largest_stable_step)
    results = [
        minimize(loss, theta0, GradientDescent(step_size=s), max_iter=max_iter, record=True)
        for s in step_sizes
    ]
    axes = row_of_axes(ax, len(results), 3.3)
    if limits is None:
        limits = _common_limits(loss, results)
    for result, size, place in zip(results, step_sizes, axes, strict=True):
        draw = steps if loss.n_params == 1 else contours
        draw(loss, result, limits=limits, ax=place)
        if place.get_legend():
            place.get_legend().remove()
        place.set_title(rf"$\alpha$ = {size:.3g}: {_verdict(d, size)}", fontsize="medium")
        place.label_outer()
    return axes


def _common_limits(loss: Loss, results: Sequence[DescentResult]) -> Any:
    """Return limits around the paths that do not diverge; if all do, around their first steps."""
    ways = [way_of(r) for r in results if r.history.loss[-1] <= r.history.loss[0]]
    ways = ways or [way_of(r)[:3] for r in results]
    if loss.n_params > 1:
        return box_about([way[:, :2] for way in ways])
    # symmetric about the minimum, since a large step goes to both sides of it
    together = np.concatenate(ways)[:, 0]
    lowest = min((r for r in results), key=lambda r: r.loss).theta[0]
    reach = float(np.abs(together - lowest).max()) or 1.0
    return lowest - 1.3 * reach, lowest + 1.3 * reach


def _verdict(d: Diagnosis, step_size: float) -> str:
    if step_size > d.largest_stable_step:
        return "too large"
    return "too small" if step_size < _SLOW * d.best_step else "good"


@spelled
def valleys(kappas: Sequence[float] = (4.0, 100.0), *, max_iter: int = 30, ax: Any = None) -> Any:
    """Draw quadratic losses of several condition numbers, with the path of gradient descent.

    Each loss is theta'B theta, where B has the eigenvalues 1 and kappa and is turned by 30 degrees;
    the step is the best fixed one, 2 / (sigma_max + sigma_min) of the Hessian 2 B.

    Parameters
    ----------
    kappas : sequence of float
        The condition numbers, each 1 or more.
    max_iter : int
        The largest number of steps.
    ax : sequence of Axes, optional
        One per condition number; default: those of a new figure.

    Returns
    -------
    ndarray of Axes

    Raises
    ------
    ValueError
        A condition number is below 1.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> axes = tw.plot.valleys([2, 50])
    >>> len(axes)
    2
    """
    if not all(1 <= kappa < np.inf for kappa in kappas):
        raise ValueError(f"a condition number is 1 or more, got {min(kappas)}")
    axes = row_of_axes(ax, len(kappas), 4.4)
    along, across = (
        np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)]),
        np.array([-0.5, np.sqrt(0.75)]),
    )
    for kappa, place in zip(kappas, axes, strict=True):
        loss = QuadraticLoss(np.outer(along, along) + kappa * np.outer(across, across))
        start = 1.5 * along + 1.5 / np.sqrt(kappa) * across
        method = GradientDescent(step_size=1 / (1 + kappa))
        result = minimize(loss, start, method, max_iter=max_iter, record=True)
        contours(loss, result, limits=((-1.9, 1.9), (-1.6, 1.6)), ax=place)
        place.get_legend().remove()
        fallen = result.history.loss[-1] / result.history.loss[0]
        left = f"loss × {fallen:.1g}" if fallen > 0 else "at the minimum"
        place.set_title(rf"$\kappa$ = {kappa:g}: {result.n_iter} steps, {left}", fontsize="medium")
    return axes


@spelled
def sphered(loss: Loss, theta: Any, *, ax: Any = None) -> Any:
    r"""Draw why Newton's step goes straight to the minimum, in coordinates with round level lines.

    The left panel shows the level lines of the loss's second-order Taylor polynomial at theta, with
    the directions of the negative gradient and of Newton's step -H^-1 gradient.  The right panel
    shows the same in the coordinates u = H^(1/2) (theta - minimum), in which the Hessian is the
    identity, so that both directions are the same.

    Parameters
    ----------
    loss : Loss
        A loss of two parameters, with a positive definite Hessian at theta.
    theta : array_like, shape (2,)
        The start.
    ax : sequence of two Axes, optional
        The axes to draw into; default: those of a new figure.

    Returns
    -------
    ndarray of Axes, shape (2,)

    Raises
    ------
    ValueError
        The loss has another number of parameters, theta is the minimum, or the Hessian there is
        not positive definite.
    ModuleNotFoundError
        Matplotlib is not installed.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> left, right = tw.plot.sphered(loss, [1.0, 1.0])
    """
    if loss.n_params != 2:
        raise ValueError(f"sphered draws a loss of two parameters, this one has {loss.n_params}")
    theta = loss.at(theta)
    gradient, H = loss.gradient(theta), loss.hessian(theta)
    values, V = np.linalg.eigh(H)
    if not values[0] > 0:
        raise ValueError("sphered needs a positive definite Hessian at theta")
    if not np.linalg.norm(gradient) > 0:
        raise ValueError("sphered needs a theta where the gradient is not 0")
    newton = -np.linalg.solve(H, gradient)
    root = (V * np.sqrt(values)) @ V.T  # H^(1/2)
    u = -root @ newton
    left, right = row_of_axes(ax, 2, 4.4)
    downhill = -gradient * (0.55 * np.linalg.norm(newton) / np.linalg.norm(gradient))
    round_loss = QuadraticLoss(0.5 * np.eye(2))
    plain = QuadraticLoss(0.5 * H, theta + newton)
    for place, shape, start, arrows, centre, names in (
        (left, plain, theta, (downhill, newton), theta + newton, None),
        (right, round_loss, u, (-0.55 * u, -u), np.zeros(2), ("$u_0$", "$u_1$")),
    ):
        reach = 1.35 * np.linalg.norm(start - centre)
        box = tuple((float(c - reach), float(c + reach)) for c in centre)
        contours(shape, limits=box, names=names, ax=place)  # type: ignore[arg-type]
        for d, colour, label in zip(arrows, CYCLE, _DIRECTIONS, strict=False):
            _arrow(place, start, d, colour, label)
        place.plot(*start, "s", color=BLACK, markersize=6)
        place.plot(*centre, "+", color=BLACK, markersize=10)
    left.set_title(rf"$\theta$: $\kappa$ = {values[1] / values[0]:.3g}", fontsize="medium")
    right.set_title(r"$u = H^{1/2}(\theta - \theta^*)$: $\kappa$ = 1", fontsize="medium")
    aside = newton * [-1, -1] < 0  # the legend goes to the corner opposite to the start
    corner = f"{'lower' if not aside[1] else 'upper'} {'left' if not aside[0] else 'right'}"
    left.legend(loc=corner, fontsize="small", framealpha=0.9)
    return np.array([left, right])


_DIRECTIONS = (r"$-\nabla L$", r"$-H^{-1}\nabla L^t$, Newton")


def _arrow(ax: Any, start: Array, d: Array, colour: str, label: str) -> None:
    width = 0.008 if colour == CYCLE[1] else 0.014  # Newton's is thinner: it may cover the other
    ax.quiver(
        *start,
        *d,
        color=colour,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=width,
        label=label,
        zorder=3,
    )
