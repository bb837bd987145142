r"""Priors: the second term of the cost of an image, what is known before the measurement.

A Markov random field compares each pixel with its neighbours: Σ b_sr ρ(x_s − x_r), the sum over all
pairs of neighbours, each taken once.  The weights b_sr are proportional to the inverse distance of
the pixels' centres, and the weights of a pixel inside the grid sum to 1; a pixel at the border has
fewer neighbours, with the same weights.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from itertools import product
from math import inf
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, number_of, numbers, positive
from .._arguments.spelling import spelled
from .._arguments.values import refuse_nonfinite
from .._showing import settings

# For each number of axes: how many neighbours a pixel has along the axes, and how many touch it.
_NEIGHBOURS = {2: (4, 8), 3: (6, 26)}


class Terms(NamedTuple):
    """A prior as kernels take it; see csrc/linear/contract.h, tw_image_prior."""

    size: tuple[int, int, int]
    offset: Array
    weight: Array
    width: float
    height: float
    power: float
    target: Array | None
    pull: float


@spelled
@dataclass(frozen=True, repr=False)
class GaussianPrior:
    r"""A Gaussian Markov random field, :math:`\sum_{s,r} b_{sr} (x_s - x_r)^2 / (2 \sigma^2)`.

    Edges are smoothed as strongly as noise: every difference costs its square.

    Parameters
    ----------
    sigma : float
        σ > 0, in the unit of x: how much neighbours differ.  The smaller σ, the smoother the image.
    neighbours : {4, 8} or, in 3-D, {6, 26}, optional
        How many neighbours a pixel has: those along the axes, or all that touch it; default: all.

    Examples
    --------
    >>> from thalweg.linear import GaussianPrior
    >>> GaussianPrior(0.1, neighbours=4)
    GaussianPrior(sigma=0.1, neighbours=4)
    """

    sigma: float
    _: KW_ONLY
    neighbours: int | None = None

    def __post_init__(self) -> None:
        _keep(self, sigma=_squarable(self.sigma, "sigma"))

    def terms(self, shape: tuple[int, ...]) -> Terms:
        """Return the kernels' arguments: ρ = Δ² / (2 σ²) is their potential with p = 2."""
        return _field(shape, self.neighbours, width=self.sigma, height=1.0, power=0.0)

    def __repr__(self) -> str:
        return settings(self)


@spelled
@dataclass(frozen=True, repr=False)
class QGGMRF:
    r"""A q-generalised Gaussian Markov random field, which smooths noise and keeps edges.

    .. math:: \sum_{s,r} b_{sr}\, \rho(x_s - x_r), \qquad
              \rho(\Delta) = \frac{|\Delta|^p}{p\, \sigma^p}\,
              \frac{|\Delta / T\sigma|^{2-p}}{1 + |\Delta / T\sigma|^{2-p}}

    Differences well below Tσ, such as noise, cost their square; larger ones cost |Δ|ᵖ, so that a
    sharp edge costs little more than a blurred one.  ρ is convex, and so the minimum is unique.

    Parameters
    ----------
    sigma : float
        σ > 0, in the unit of x.  The smaller σ, the smoother the image.
    p : float
        1 ≤ p ≤ 2: the exponent of large differences.  Edges are kept best near 1; 2 is a
        `GaussianPrior` of √2 σ.  The exponent of small differences, called q, is 2: with a smaller
        one ρ has an infinite curvature at 0, and two equal pixels could not move apart.
    T : float
        T > 0: the difference at which the two exponents meet, in units of σ.
    neighbours : {4, 8} or, in 3-D, {6, 26}, optional
        How many neighbours a pixel has: those along the axes, or all that touch it; default: all.

    References
    ----------
    Thibault, Sauer, Bouman and Hsieh (2007), "A three-dimensional statistical approach to improved
    image quality for multislice helical CT", Med. Phys. 34(11), 4526-4544.  There the two exponents
    have each other's name, and c is Tσ.

    Examples
    --------
    >>> from thalweg.linear import QGGMRF
    >>> QGGMRF(0.1, p=1.1)
    QGGMRF(sigma=0.1, p=1.1)
    """

    sigma: float
    _: KW_ONLY
    p: float = 1.2
    T: float = 1.0
    neighbours: int | None = None

    def __post_init__(self) -> None:
        p = number_of(self.p, "p", "from 1 to 2")
        if not 1 <= p <= 2:
            raise ValueError(f"p must be a number from 1 to 2, got {self.p}")
        _keep(self, sigma=_squarable(self.sigma, "sigma"), p=p, T=_squarable(self.T, "T"))
        width, height = self.T * self.sigma, self.T**p / p
        if not 0 < height / width / width < inf:
            raise ValueError(
                f"sigma={self.sigma:g} and T={self.T:g} make a curvature beyond the range of "
                "float64: measure x in other units"
            )

    def terms(self, shape: tuple[int, ...]) -> Terms:
        """Return the kernels' arguments: ρ = (Tᵖ / p) u² / (1 + u²⁻ᵖ), u = |Δ| / (Tσ)."""
        width, height = self.T * self.sigma, self.T**self.p / self.p
        return _field(shape, self.neighbours, width=width, height=height, power=2 - self.p)

    def __repr__(self) -> str:
        return settings(self)


@spelled
@dataclass(frozen=True, repr=False, eq=False)
class ProximalPrior:
    r"""A pull towards a given image, :math:`\frac{1}{2 \sigma^2} \| x - v \|^2`.

    With it the minimum is the proximal map of the misfit at v.  Alternating this map with a
    denoiser makes a prior of any denoiser ("plug and play").

    Parameters
    ----------
    v : array_like, of the shape of the image
    sigma : float
        σ > 0, in the unit of x: how far the image may go from v.

    References
    ----------
    Venkatakrishnan, Bouman and Wohlberg (2013), "Plug-and-play priors for model based
    reconstruction", IEEE GlobalSIP, 945-948.

    Examples
    --------
    >>> from thalweg.linear import ProximalPrior
    >>> ProximalPrior([[0.0, 1.0]], 0.5)
    ProximalPrior(v=<array of shape (1, 2)>, sigma=0.5)
    """

    v: Any
    sigma: float

    def __post_init__(self) -> None:
        v = np.array(numbers(self.v, "v", np.float64))
        refuse_nonfinite(v, "v")
        v.flags.writeable = False
        _keep(self, v=v, sigma=_squarable(self.sigma, "sigma"))

    def terms(self, shape: tuple[int, ...]) -> Terms:
        """Return the kernels' arguments: no neighbours, and the pull 1 / σ² towards v."""
        if self.v.shape != shape:
            raise ValueError(f"v must have the shape of the image, {shape}, got {self.v.shape}")
        none = np.zeros((0, 3), np.intp), np.zeros(0)
        return Terms(_size(shape), *none, 1.0, 1.0, 0.0, self.v.reshape(-1), self.sigma**-2)

    def __repr__(self) -> str:
        return settings(self)


Prior = GaussianPrior | QGGMRF | ProximalPrior


def _keep(prior: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass to their checked values."""
    for name, value in values.items():
        object.__setattr__(prior, name, value)


def _squarable(value: Any, name: str) -> float:
    """Return a number > 0 whose square neither overflows nor underflows."""
    number = positive(value, name)
    if not 1e-150 <= number <= 1e150:
        raise ValueError(
            f"{name}={number:g} has a square at the end of the range of float64: measure x in "
            "other units"
        )
    return number


def _size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the numbers of slices, rows and columns of an image."""
    slices, rows, columns = (1,) * (3 - len(shape)) + shape
    return slices, rows, columns


def _field(
    shape: tuple[int, ...], neighbours: int | None, *, width: float, height: float, power: float
) -> Terms:
    """Return the terms of a Markov random field."""
    axes = len(shape)
    known = _NEIGHBOURS[axes]
    wanted = known[1] if neighbours is None else neighbours
    if wanted not in known:
        raise ValueError(
            f"neighbours must be {known[0]} or {known[1]} on a grid with {axes} axes, "
            f"got {neighbours!r}"
        )
    steps = [step for step in product((-1, 0, 1), repeat=axes) if any(step)]
    if wanted == known[0]:
        steps = [step for step in steps if np.abs(step).sum() == 1]
    offset = np.zeros((len(steps), 3), np.intp)
    offset[:, 3 - axes :] = steps
    weight = 1 / np.sqrt((offset**2).sum(axis=1))
    size, weight = _size(shape), weight / weight.sum()
    return Terms(size, offset, weight, width, height, power, target=None, pull=0.0)
