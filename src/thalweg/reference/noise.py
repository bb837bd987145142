r"""Losses other than squares, point by point (csrc/fit/noise.h).

A fit lowers a sum of losses.  At a trial it needs the loss of each point; h, half of its downhill
slope along f; and a, which stands for half of its second derivative along f.  For squares these are
(w e)^2, w^2 e and w^2, with e = y - f and w = 1 / sigma; all else stays as it is if J gets the rows
sqrt(a) J_i and e the elements h / sqrt(a).

References: McCullagh and Nelder, Generalized Linear Models, 2nd ed., 1989, sections 2.3 and 2.5;
Huber, Robust Statistics, 1981, sections 7.5 to 7.7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .state import EPS, Array, Problem, triangle_of

MIN = float(np.finfo(float).tiny)
MAX = float(np.finfo(float).max)
EDGE, STEEP = 1e-4, 8.0  # below the mean EDGE points without counts may have a = STEEP / f
LEAST_CURVATURE = 0.0625  # a is at least this share of w^2 rho' near a minimum; 1 far from one
ROBUST = "huber", "soft_l1", "cauchy"


class Losses(NamedTuple):
    """The losses of points, each member of shape (N,)."""

    loss: Array
    h: Array  # half of the downhill slope along f
    a: Array  # stands for half of the second derivative along f
    curvature: Array  # half of the second derivative itself


def losses(
    noise: str,
    y: Array,
    f: Array,
    weight: Array,
    scale: float = 1.0,
    least: float | None = None,
) -> Losses:
    """Return the losses of points that are all used, of weight 1 / sigma.

    ``noise`` is "normal", "poisson" or the name of a robust loss with this scale, of which a is at
    ``least`` this share of w^2 rho' (default: LEAST_CURVATURE).  Of counts it is the mean below
    which points without counts are steep (default: EDGE).
    """
    if noise == "poisson":
        return counts(y, f, EDGE if least is None else least)
    least = LEAST_CURVATURE if least is None else least
    e, w2 = y - f, weight**2
    if noise == "normal":
        return Losses(w2 * e**2, w2 * e, w2, w2)
    z = w2 * (e / scale) ** 2
    rho, first, second = robust(noise, z)
    a = np.maximum(second, least * first)
    return Losses(scale**2 * rho, w2 * first * e, w2 * a, w2 * second)


def counts(y: Array, f: Array, edge: float) -> Losses:
    """The deviance 2 (f - y + y ln(y / f)) of counts y with the means f.

    It is 2 f where y = 0, infinite where f is no mean, but 0 where both are 0.  With
    u = (y - f) / f it is 2 f ((1 + u) ln(1 + u) - u), of which rounding spoils no more than
    eps (y - f).  a is 1 / f, or where y = 0 and f is below ``edge`` STEEP / f, with which f falls
    towards 0 by a factor per step while all else converges faster.
    """
    means = (f >= MIN) & (f <= MAX)
    mean = np.where(means, f, 1.0)
    u = (y - mean) / mean
    some = u > -1
    share = (1 + u) * np.log1p(np.where(some, u, 0.0)) - u
    deviance = 2 * mean * np.where(some, np.maximum(share, 0.0), 1.0)
    refused = np.where(f <= MAX, np.inf, np.nan)
    refused = np.where((f >= 0) & (f < MIN) & (y <= 0), 0.0, refused)
    inverse = np.where(means, 1 / mean, 0.0)
    a = inverse * np.where((y <= 0) & (f < edge), STEEP, 1.0)
    return Losses(np.where(means, deviance, refused), (y - f) * inverse, a, y * inverse * inverse)


def robust(noise: str, z: Array) -> tuple[Array, Array, Array]:
    """rho, rho' and rho' + 2 z rho'' at z >= 0."""
    if noise == "huber":
        root = np.sqrt(np.maximum(z, 1.0))
        return np.where(z <= 1, z, 2 * root - 1), 1 / root, np.where(z <= 1, 1.0, 0.0)
    if noise == "soft_l1":
        root = np.sqrt(1 + z)
        return 2 * z / (1 + root), 1 / root, root**-3
    return np.log1p(z), 1 / (1 + z), (1 - z) / (1 + z) ** 2


def robust_factor(noise: str, y: Array, f: Array, weight: Array, scale: float, F: int) -> float:
    """The factor by which (sum a_i J_i'J_i)^-1 becomes the covariance of a robust fit.

    With psi = sqrt(z) rho' scale and psi' = rho' + 2 z rho'' it is
    K [sum psi^2 / (n - F)] mean(a) / mean(psi')^2, K = 1 + F / n var(psi') / mean(psi')^2.
    """
    n, z = len(y), (weight * (y - f) / scale) ** 2
    _, first, second = robust(noise, z)
    a, mean = np.maximum(second, LEAST_CURVATURE * first).mean(), second.mean()
    if not (n > F and mean > 0):
        return np.inf
    correction = 1 + F / n * second.var() / mean**2
    return float(correction * scale**2 * (z * first**2).sum() / (n - F) * a / mean**2)


@dataclass(frozen=True)
class Noisy:
    """A data set whose losses are not squares, as a function of the free parameters."""

    noise: str
    scale: float
    model: Callable[[Array], tuple[Array, Array]]
    second: Callable[[Array, Array], Array] | None
    start: Array
    free: Any
    y: Array
    weight: Array

    def problem(self, plain: Problem) -> Problem:
        """The problem with these losses in place of squares."""
        counts, used = self.noise == "poisson", np.count_nonzero(self.weight)
        most = self.scale**2 * used / EPS  # beyond it an outlier, not the model, sets the size of y
        return plain._replace(
            evaluate=self.rows,
            far=None if counts else lambda theta: self.rows(theta, 1.0),
            gentle=(lambda theta: self.rows(theta, 0.0)) if counts else None,
            near=self.true_sums if self.noise == "cauchy" else None,
            curvature=self.second and (lambda theta, d: self.bend(theta, d, False)),
            bent=self.second and (lambda theta, d: self.bend(theta, d, True)),
            loss=lambda theta: float(self.at(theta)[0].loss.sum()),
            factor=None if counts else self.variance,
            linear=plain.linear[:0],
            magnitude=float(self.y.sum()) if counts else min(plain.magnitude, most),
            absolute_sigma=counts or plain.absolute_sigma,
        )

    def at(self, theta: Array, least: float | None = None) -> tuple[Losses, Array, Array]:
        """The losses, J and h at theta, for the points in use."""
        use, (f, J) = self.weight > 0, self.model(self.whole(theta, self.start))
        found = losses(self.noise, self.y[use], f[use], self.weight[use], self.scale, least)
        return found, J[use][:, self.free], f[use]

    def whole(self, theta: Array, others: Array) -> Array:
        full = others.copy()
        full[self.free] = theta
        return full

    def rows(self, theta: Array, least: float | None = None) -> Array:
        """sqrt(a) J and h / sqrt(a)."""
        found, J, _ = self.at(theta, least)
        root = np.sqrt(found.a)
        e = np.divide(found.h, root, out=np.zeros_like(root), where=root > 0)
        return np.column_stack([J * root[:, None], e])

    def true_sums(self, theta: Array) -> tuple[Array, Array]:
        """The sums with second derivatives of the losses for a, and their triangle if it exists."""
        found, J, _ = self.at(theta)
        last, g = float(found.loss.sum()), J.T @ found.h
        sums = np.block([[J.T @ (found.curvature[:, None] * J), g[:, None]], [g[None, :], last]])
        return sums, triangle_of(sums)

    def bend(self, theta: Array, d: Array, exact: bool) -> Array:
        """sqrt(a) w, or what makes J'J less e times it the Hessian: w + (J d)^2 (a - a') / h."""
        assert self.second is not None
        found, J, _ = self.at(theta)
        direction = self.whole(d, np.zeros(len(self.start)))
        w = self.second(self.whole(theta, self.start), direction)[self.weight > 0]
        if exact:
            less, h = found.a - found.curvature, found.h
            w = w + np.divide(less, h, out=np.zeros_like(h), where=h != 0) * (J @ d) ** 2
        return np.asarray(w * np.sqrt(found.a))

    def variance(self, theta: Array) -> float:
        """The variance of a residual in units of sigma."""
        use, f = self.weight > 0, self.at(theta)[2]
        n_free = len(self.free)
        return robust_factor(self.noise, self.y[use], f, self.weight[use], self.scale, n_free)
