r"""Why is it slow, which step is safe, which method would do better?

Everything follows from the Hessian H at theta and the gradient g there: the ends of its spectrum
bound the step size, their ratio kappa the rates, the components of g along its eigenvectors give
the number of iterations (`rates`).  Scaled to a unit diagonal, D^-1/2 H D^-1/2 shows what units
alone are to blame for; what is then still flat is a combination of parameters that the loss cannot
tell apart.

A loss with more than a thousand parameters is only asked for products H d, and g's components are
the weights of the quadrature that Lanczos gives when it starts at g (`linalg.krylov`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array
from .._arguments.pieces import all_finite
from .._arguments.spelling import spelled
from .._showing import as_html
from ..linalg.krylov import EPS, lanczos
from ..linalg.matrix import MOST_DENSE, Definiteness, ratio, signs, warn_unless
from ..losses.base import Loss, refuse_no_loss
from ..losses.curvature import curvature_matrix
from ..machine import at_most
from .advice import advise
from .rates import (
    METHODS,
    Quadratic,
    best_step,
    coordinate_descent,
    predict,
    rates,
)
from .target import Target

_MOST_SWEPT = 500  # parameters up to which coordinate descent is predicted
_FLAT = 1e-8  # eigenvalue of the scaled Hessian below which parameters cannot be told apart
# A parameter belongs to a direction if its component is at least this share of the largest one.
_PART = 0.1
_ROUNDED = 1e-8  # of the gradient: less of it along flat directions is made of rounding errors
_ASYMMETRY = 1e-10  # of a Hessian, relative to its largest element: more is a wrong derivative
_SEED = 0


class Direction(NamedTuple):
    """A combination of parameters along which the loss is nearly flat.

    Attributes
    ----------
    names : tuple of str
        The parameters that take part; one alone has no effect on the loss.
    weights : ndarray, shape (P,)
        Change of each parameter along it; a unit vector in the unit of theta.
    curvature : float
        Eigenvalue of the Hessian scaled to a unit diagonal; from 0 to 1e-8.
    """

    names: tuple[str, ...]
    weights: Array
    curvature: float


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What the curvature of a loss at a point means for every method of descent.

    Attributes
    ----------
    spectrum : ndarray, shape (P,)
        Eigenvalues of the Hessian, ascending, in the unit of the loss over that of theta squared.
        With more than 1000 parameters: the k Ritz values of Lanczos, whose ends are accurate.
    kappa : float
        sigma_max / sigma_min, 1 or more; infinity if an eigenvalue is not positive.
    definiteness : Definiteness
        Of the Hessian.
    largest_stable_step : float
        2 / sigma_max: gradient descent with a larger fixed step diverges.  Infinity without
        positive curvature.
    best_step : float
        2 / (sigma_max + sigma_min), the fixed step with the best rate; sigma_min is the smallest
        positive eigenvalue.  NaN if the Hessian has a negative eigenvalue.
    rates : dict of str to float
        Factor by which the error shrinks per iteration in the long run, by method, (kappa - 1) /
        (kappa + 1) for gradient descent for instance; flat directions do not count.  Empty if
        the Hessian has a negative eigenvalue.
    predicted_iterations : dict of str to float
        Iterations from theta until `minimize` stops with ``gtol=reduction``, by method (sweeps for
        coordinate descent).  Exact for a quadratic loss but for rounding, and for the
        fluctuations of momentum; otherwise those of the quadratic that touches the loss at theta.
        Infinity where that has no minimum.  Steps and momentum are the best for the positive part
        of the spectrum, which is what "auto" means for a positive definite Hessian.
    reduction : float
        As asked for.
    kappa_scaled : float
        kappa of D^-1/2 H D^-1/2 with D the diagonal of H: what a diagonal preconditioner leaves.
        NaN with more than 1000 parameters, or if a parameter does not curve the loss upwards.
    indistinct : tuple of Direction
        What the loss cannot tell apart, the flattest first.
    advice : str
        One paragraph.
    names : tuple of str
        The parameters.
    is_quadratic : bool
        Whether all this holds everywhere, not only near theta.
    falls_for_ever : bool
        Whether the quadratic has no minimum though it curves downwards nowhere: the gradient has a
        part along a flat direction.
    """

    spectrum: Array
    kappa: float
    definiteness: Definiteness
    largest_stable_step: float
    best_step: float
    rates: dict[str, float]
    predicted_iterations: dict[str, float]
    reduction: float
    kappa_scaled: float
    indistinct: tuple[Direction, ...]
    names: tuple[str, ...]
    is_quadratic: bool
    falls_for_ever: bool = False

    def __repr__(self) -> str:
        counts = (f"{name} {n:.3g}" for name, n in self.predicted_iterations.items())
        size = f"P={len(self.names)}, kappa = {self.kappa:.4g}"
        return (
            f"<Diagnosis: {self.definiteness.value}, {size}\n"
            f" best step {self.best_step:.4g}, largest stable step {self.largest_stable_step:.4g}\n"
            f" iterations to {self.reduction:.0e}: {', '.join(counts)}>"
        )

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def advice(self) -> str:
        """What to do about it, one paragraph."""
        return advise(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw the spectrum with its step sizes, and the predicted iterations; returns the axes.

        Parameters
        ----------
        ax : sequence of two Axes, optional
            Where to draw; a new figure if not given.

        Returns
        -------
        ndarray of Axes, shape (2,)

        Raises
        ------
        ModuleNotFoundError
            Matplotlib is not installed.
        """
        from .. import plot

        return plot.diagnosis(self, ax=ax)


@spelled
def diagnose(
    loss: Loss,
    theta: Any,
    *,
    reduction: float = 1e-8,
    names: Sequence[str] | None = None,
    threads: int | None = None,
) -> Diagnosis:
    r"""Say how the loss bends at theta, and what each method of descent makes of it.

    With the eigenvalues sigma of the Hessian H: gradient descent theta - alpha * gradient is stable
    for alpha < 2 / sigma_max, best at alpha = 2 / (sigma_max + sigma_min), and then shrinks the
    error by (kappa - 1) / (kappa + 1) per iteration, kappa = sigma_max / sigma_min.

    Parameters
    ----------
    loss : Loss
        With a Hessian, or else a Gauss-Newton matrix; beyond 1000 parameters only products with
        the Hessian are used.
    theta : array_like, shape (P,)
        Where to look, and where the predicted iterations start.
    reduction : float
        The ``gtol`` of `minimize` at which the iterations end.
    names : sequence of str, optional
        The parameters; "theta[0]", "theta[1]", ... if not given.
    threads : int, optional
        Most threads of the loss' kernels; the processors this process may use.  A loss that was
        given fewer keeps to them.  Results have the same bits for any number.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        theta has the wrong shape, the gradient or the Hessian there is not finite, the Hessian is
        not symmetric, ``reduction`` is not between 0 and 1, or the loss has neither matrix.
    TypeError
        It is no loss.

    References
    ----------
    D. P. Bertsekas, Nonlinear Programming, 3rd ed., section 1.3; `rates` lists the others.

    Examples
    --------
    >>> from thalweg.losses import QuadraticLoss
    >>> loss = QuadraticLoss([[50, 0], [0, 0.5]])
    >>> d = diagnose(loss, [1, 1], reduction=1e-6)
    >>> d.kappa, d.largest_stable_step, round(d.best_step, 4)
    (100.0, 0.02, 0.0198)
    >>> round(d.predicted_iterations["GradientDescent"])
    807
    """
    refuse_no_loss(loss)
    theta = loss.at(theta)
    names = _names(names, theta.size)
    if not 0 < reduction < 1:
        raise ValueError(f"reduction must lie between 0 and 1, got {reduction}")
    with at_most(threads):
        return _diagnose(loss, theta, reduction, names)


def _diagnose(loss: Loss, theta: Array, reduction: float, names: tuple[str, ...]) -> Diagnosis:
    """Take the loss apart at theta."""
    g = loss.gradient(theta)
    if not all_finite(g):
        raise ValueError("the gradient at theta is not finite")
    H = _hessian(loss, theta) if theta.size <= MOST_DENSE else None
    bent = _by_products(loss, theta, g) if H is None else _by_parts(H, g)
    low, high = float(bent.values[0]), float(bent.values[-1])
    floor = float(bent.values[bent.values > bent.zero][0]) if bent.is_bowl else nan
    speed, iterations = _predictions(loss, theta, bent, H, g, reduction)
    kappa_scaled, indistinct = (nan, ()) if H is None else _scaled(H, names)
    return Diagnosis(
        spectrum=bent.values,
        kappa=ratio(high, low, bent.values.size) if high > 0 else inf,
        definiteness=signs(bent.values),
        largest_stable_step=2 / high if high > 0 else inf,
        best_step=best_step(floor, high),
        rates=speed,
        predicted_iterations=iterations,
        reduction=reduction,
        kappa_scaled=kappa_scaled,
        indistinct=indistinct,
        names=names,
        is_quadratic=loss.is_quadratic,
        falls_for_ever=bent.is_bowl and bent.falls_for_ever,
    )


class _Bent(NamedTuple):
    """The Hessian from its eigenvectors, and the gradient's components along them."""

    values: Array  # eigenvalues, ascending
    sigma: Array  # those of the measure of g: the same, or the nodes of its quadrature
    gamma: Array
    vectors: Array  # of sigma, as columns

    @property
    def zero(self) -> float:
        """Up to here an eigenvalue may be rounding."""
        return self.values.size * EPS * float(np.abs(self.values).max())

    @property
    def falls_for_ever(self) -> bool:
        """Whether the gradient has a part, beyond rounding, along which nothing curves upwards."""
        flat = float(np.linalg.norm(self.gamma[self.sigma <= self.zero]))
        return flat > _ROUNDED * float(np.linalg.norm(self.gamma))

    @property
    def is_bowl(self) -> bool:
        """Whether it curves upwards somewhere and downwards nowhere."""
        return bool(self.values[0] >= -self.zero and self.values[-1] > self.zero)


def _by_parts(H: Array, g: Array) -> _Bent:
    values, vectors = np.linalg.eigh(H)
    return _Bent(values, values, vectors.T @ g, vectors)


def _by_products(loss: Loss, theta: Array, g: Array) -> _Bent:
    def product(d: Array) -> Array:
        return loss.hessian_vector(theta, d)

    start = np.random.default_rng(_SEED).normal(size=theta.size)
    found = lanczos(product, start)
    warn_unless(found.converged, "eigenvalue")
    values, norm = found.values, float(np.linalg.norm(g))
    if not norm > 0:
        return _Bent(values, values, np.zeros_like(values), found.vectors)
    seen = lanczos(product, g)
    return _Bent(values, seen.values, norm * np.sqrt(seen.weights), _turned(seen.vectors, g))


def _turned(vectors: Array, g: Array) -> Array:
    """The columns, each in the sense of g."""
    turned: Array = vectors * np.where(vectors.T @ g < 0, -1.0, 1.0)
    return turned


def _hessian(loss: Loss, theta: Array) -> Array:
    H = np.asarray(curvature_matrix(loss, theta), dtype=np.float64)
    if not all_finite(H):
        raise ValueError("the Hessian at theta is not finite")
    if not np.abs(H - H.T).max() <= _ASYMMETRY * np.abs(H).max():
        raise ValueError("the Hessian at theta is not symmetric: are the loss's derivatives right?")
    return (H + H.T) / 2


def _predictions(
    loss: Loss, theta: Array, bent: _Bent, H: Array | None, g: Array, reduction: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Rates and iterations by method; infinitely many where the quadratic has no minimum."""
    if not bent.is_bowl:
        return {}, dict.fromkeys(METHODS, inf)
    curved = bent.sigma > bent.zero
    values = bent.values[bent.values > bent.zero]
    low, high = float(values[0]), float(values[-1])
    speed = rates(low, high)
    quadratic = Quadratic(bent.sigma[curved], bent.gamma[curved])
    target = Target(loss, theta, quadratic, bent.vectors[:, curved], reduction)
    iterations = predict(quadratic, low, high, target.met)
    if H is not None and len(H) <= _MOST_SWEPT:
        inverse = bent.vectors[:, curved]
        swept = coordinate_descent(H, g, lambda g: target.met(inverse.T @ g))
        speed["CoordinateDescent"], iterations["CoordinateDescent"] = swept
    return speed, dict.fromkeys(iterations, inf) if bent.falls_for_ever else iterations


def _scaled(H: Array, names: tuple[str, ...]) -> tuple[float, tuple[Direction, ...]]:
    """kappa after scaling to a unit diagonal, and the directions that are flat even then."""
    diagonal = np.diagonal(H)
    largest = float(np.abs(H).max())
    idle = np.flatnonzero(np.abs(H).max(axis=0) <= EPS * largest)
    flat = [Direction((names[j],), np.eye(len(H))[j], 0.0) for j in idle]
    used = np.flatnonzero(np.abs(H).max(axis=0) > EPS * largest)
    if not used.size or not (diagonal[used] > 0).all():
        return nan, tuple(flat)
    unit = 1 / np.sqrt(diagonal[used])
    values, vectors = np.linalg.eigh(unit[:, None] * H[np.ix_(used, used)] * unit)
    for value, vector in zip(values, vectors.T, strict=True):
        if abs(value) > _FLAT:
            continue
        weights = np.zeros(len(H))
        weights[used] = unit * vector
        weights /= np.linalg.norm(weights)
        taking_part = used[np.abs(vector) >= _PART * np.abs(vector).max()]
        which = tuple(names[j] for j in taking_part)
        flat.append(Direction(which, weights, max(float(value), 0.0)))
    kappa = nan if idle.size else ratio(float(values[-1]), float(values[0]), len(H))
    return kappa, tuple(flat)


def _names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    if n == 0:
        raise ValueError("theta is empty: there is nothing to diagnose")
    if names is None:
        return tuple(f"theta[{j}]" for j in range(n))
    if len(names) != n:
        raise ValueError(
            f"names must have one name for each of the {n} parameters, got {len(names)}"
        )
    return tuple(names)
