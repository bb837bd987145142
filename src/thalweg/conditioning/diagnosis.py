r"""Why a descent is slow, which step is safe, and which method would take fewer iterations.

All of this follows from the Hessian H and the gradient g at theta.  The ends of the spectrum of H
bound the step size, their ratio kappa bounds the rates, and the components of g along the
eigenvectors of H give the number of iterations (`rates`).  kappa of D^-1/2 H D^-1/2, D the diagonal
of H, is what remains when every parameter is measured in its best unit.  Directions that are flat
even then are combinations of parameters that the loss cannot tell apart.

For a loss with more than a thousand parameters only products H d are computed.  The squared
components of g are then the weights of the Gauss quadrature that the Lanczos method gives when it
starts at g (`linalg.krylov`).
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
from ..optimizers.gradient_descent import best_step
from .advice import advise
from .rates import METHODS, Quadratic, coordinate_descent, predict, rates
from .target import Target

# Coordinate descent is predicted up to so many parameters: it takes the eigenvalues of a matrix
# without symmetry, 0.1 s at this size.
_MOST_SWEPT = 500
# The parameters of an eigenvector of the scaled Hessian cannot be told apart if its eigenvalue is
# below this: 1e-8 is the square root of the rounding error of the elements.
_FLAT = 1e-8
# A parameter belongs to a direction if its component is at least this share of the largest one.
_PART = 0.1
_ROUNDED = (
    1e-8  # a gradient along flat directions of less than this share of |g| counts as rounding
)
_ASYMMETRY = 1e-10  # |H - H'| above this share of the largest |H_ij| means wrong derivatives
_SEED = 0  # the seed of the start of Lanczos, fixed so that a diagnosis can be repeated


class Direction(NamedTuple):
    """A combination of parameters along which the loss is nearly flat.

    Attributes
    ----------
    names : tuple of str
        The parameters that change along the direction; a single one has no effect on the loss.
    weights : ndarray, shape (P,)
        The change of each parameter along the direction; a unit vector in the unit of theta.
    curvature : float
        The eigenvalue of the Hessian scaled to a unit diagonal; from 0 to 1e-8.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.diagnose(tw.QuadraticLoss([[1, 1], [1, 1]]), [0, 0]).indistinct[0].names
    ('theta[0]', 'theta[1]')
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
        With more than 1000 parameters, k Ritz values of Lanczos, of which the ends are accurate.
    kappa : float
        sigma_max / sigma_min, 1 or more; infinity if an eigenvalue is not positive.
    definiteness : Definiteness
        The definiteness of the Hessian.
    largest_stable_step : float
        2 / sigma_max: gradient descent with a larger fixed step diverges.  Infinity without
        positive curvature.
    best_step : float
        2 / (sigma_max + sigma_min), the fixed step with the best rate; sigma_min is the smallest
        positive eigenvalue.  NaN if the Hessian has a negative eigenvalue.
    rates : dict of str to float
        For each method, the factor by which the error shrinks per iteration in the long run, such
        as (kappa - 1) / (kappa + 1) for gradient descent; flat directions do not count.  Empty if
        the Hessian has a negative eigenvalue.
    predicted_iterations : dict of str to float
        For each method, the number of iterations (sweeps of coordinate descent) from theta until
        `minimize` stops with ``gtol=reduction``.  For a quadratic loss the number is exact but for
        rounding, and within a few for methods with momentum, whose gradient does not fall steadily;
        for another loss it is that of the second-order Taylor polynomial at theta.  Infinity where
        this quadratic has no minimum.  Steps and momentum are the best ones for the positive part
        of the spectrum, which is what "auto" means for a positive definite Hessian.
    reduction : float
        The argument of `diagnose`.
    kappa_scaled : float
        kappa of D^-1/2 H D^-1/2 with D the diagonal of H: what a diagonal preconditioner leaves.
        NaN with more than 1000 parameters, or if a parameter does not curve the loss upwards.
    indistinct : tuple of Direction
        Combinations of parameters that the loss cannot tell apart, the flattest first.
    advice : str
        What to do, in one paragraph.
    names : tuple of str
        The names of the parameters.
    is_quadratic : bool
        Whether the loss is quadratic, so that the diagnosis holds everywhere, not only near theta.
    falls_for_ever : bool
        Whether the quadratic has no minimum although no eigenvalue is negative: the gradient has a
        component along a flat direction.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> d = tw.diagnose(loss, [1.0, 1.0])
    >>> d.definiteness is tw.Definiteness.POSITIVE
    True
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
        """What to do, in one paragraph."""
        return advise(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw the spectrum with its step sizes, and the predicted iterations; return the axes.

        Parameters
        ----------
        ax : sequence of two Axes, optional
            The axes to draw into; default: those of a new figure.

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
    r"""Diagnose the curvature of a loss at theta, and predict the iterations of each method.

    With the eigenvalues sigma of the Hessian H: gradient descent theta - alpha * gradient is stable
    for alpha < 2 / sigma_max, best at alpha = 2 / (sigma_max + sigma_min), and then shrinks the
    error by (kappa - 1) / (kappa + 1) per iteration, kappa = sigma_max / sigma_min.

    Parameters
    ----------
    loss : Loss
        A loss with a Hessian or a Gauss-Newton matrix; beyond 1000 parameters only products with
        this matrix are computed.
    theta : array_like, shape (P,)
        The point of the diagnosis, where the predicted iterations start.
    reduction : float
        The ``gtol`` of `minimize` at which the predicted iterations end.
    names : sequence of str, optional
        The names of the parameters; default: "theta[0]", "theta[1]", ...
    threads : int, optional
        The largest number of threads of the loss's kernels; default: as many as processors.  A loss
        that was made with fewer threads uses those.  Results have the same bits for any number.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        theta has the wrong shape, the gradient or the Hessian there is not finite, the Hessian is
        not symmetric, ``reduction`` is not between 0 and 1, or the loss has neither matrix.
    TypeError
        ``loss`` is not a `Loss`.

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
    """Return the diagnosis; the arguments are checked."""
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
    """The spectrum of the Hessian H, and the gradient g in its eigenvectors.

    With the whole matrix, ``sigma`` is ``values``.  By products alone, ``values`` are Ritz values
    from a random start, and ``sigma`` and ``gamma``^2 are the nodes and weights of the quadrature
    of a Lanczos run that starts at g.
    """

    values: Array  # eigenvalues, ascending
    sigma: Array  # eigenvalues (or nodes) to which gamma belongs
    gamma: Array  # components of g
    vectors: Array  # eigenvectors of sigma, as columns

    @property
    def zero(self) -> float:
        """The bound up to which an eigenvalue may be nothing but rounding."""
        return self.values.size * EPS * float(np.abs(self.values).max())

    @property
    def falls_for_ever(self) -> bool:
        """Whether g has a component, larger than rounding, along eigenvectors of eigenvalue 0."""
        flat = float(np.linalg.norm(self.gamma[self.sigma <= self.zero]))
        return flat > _ROUNDED * float(np.linalg.norm(self.gamma))

    @property
    def is_bowl(self) -> bool:
        """Whether some eigenvalue is positive and none is negative."""
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
    """Return the columns, each with the sign that makes its product with g positive."""
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
    """Return rates and iterations by method; infinitely many if the quadratic has no minimum."""
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
    """Return kappa of H scaled to a unit diagonal, and the directions that are flat even then."""
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
    if not n:
        raise ValueError("theta is empty: there is nothing to diagnose")
    if names is None:
        return tuple(f"theta[{j}]" for j in range(n))
    if len(names) != n:
        raise ValueError(f"names must have one name for each of {n} parameters, got {len(names)}")
    return tuple(names)
