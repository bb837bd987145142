"""Images of a round Gaussian spot each, as a camera counts photons, and SciPy's side of the fit."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

AMPLITUDE, OFFSET = 500.0, 10.0  # photons; the brightest pixel has a noise of 4 to 5 per cent
START_OFF = 0.1
TOLERANCES = {"xtol": 1e-4, "ftol": 1e-4, "gtol": 1e-4}
NAMES = ("amplitude", "x0", "y0", "sigma", "offset")
FORMULA = "amplitude*exp(-((x - x0)**2 + (y - y0)**2)/(2*sigma**2)) + offset"


@dataclass(frozen=True)
class Spots:
    """B images of n x n pixels: (xx, yy), y (B, n, n), true parameters and starts (B, 5)."""

    xy: tuple[np.ndarray, np.ndarray]
    y: np.ndarray
    truth: np.ndarray
    p0: np.ndarray

    def __len__(self):
        return len(self.y)

    def first(self, size):
        """Return the first images only."""
        return Spots(self.xy, self.y[:size], self.truth[:size], self.p0[:size])

    def astype(self, dtype):
        """Return the same images in another type of number."""
        xx, yy = (v.astype(dtype) for v in self.xy)
        return Spots((xx, yy), *(v.astype(dtype) for v in (self.y, self.truth, self.p0)))

    def chi2(self, params):
        """Return sum (y - f)^2 of every image at ``params`` (B, 5), in NumPy, shape (B,)."""
        f = model(self.xy, *(params.astype(float).T[:, :, None, None]))
        return ((self.y - f) ** 2).sum((1, 2))


@lru_cache(maxsize=4)
def spots(pixels: int, size: int) -> Spots:
    """Return images whose spots lie up to half a pixel off the centre; starts are 10 % off."""
    rng = np.random.default_rng(pixels)
    yy, xx = np.mgrid[:pixels, :pixels].astype(float)
    middle, width = (pixels - 1) / 2, pixels / 5
    truth = np.empty((size, 5))
    truth[:, 0], truth[:, 4] = AMPLITUDE, OFFSET
    truth[:, 1:3] = middle + rng.uniform(-0.5, 0.5, (size, 2))
    truth[:, 3] = width * rng.uniform(0.9, 1.1, size)
    y = rng.poisson(model((xx, yy), *truth.T[:, :, None, None])).astype(float)
    p0 = truth * (1 + START_OFF * rng.choice([-1.0, 1.0], truth.shape))
    return Spots((xx, yy), y, truth, p0)


def model(xy, amplitude, x0, y0, sigma, offset):
    """Return the spot at the pixels; a user's plain function, for Thalweg and for SciPy."""
    x, y = xy
    return amplitude * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2)) + offset


def jacobian(xy, amplitude, x0, y0, sigma, offset):
    """Return the derivatives of `model` at flat pixels, shape (N, 5), for SciPy."""
    x, y = xy
    u, v = (x - x0) / sigma, (y - y0) / sigma
    r2 = u * u + v * v
    g = np.exp(-r2 / 2)
    h = amplitude / sigma * g
    return np.stack([g, h * u, h * v, h * r2, np.ones_like(g)], axis=1)
