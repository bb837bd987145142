"""Fits whose errors are not normal: data, and how the reference sees them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from problems import MODELS, curvature, decay, gaussian, lorentzian, with_jacobian

import thalweg as tw
from thalweg import reference

ROBUST = "huber", "soft_l1", "cauchy"
POSITIVE = [
    (decay, (3.0, 1.2, 0.5)),
    (gaussian, (4.0, 2.1, 0.6, 1.0)),
    (lorentzian, (4.0, 1.8, 1.5)),
]


class Noisy(NamedTuple):
    """Data of one fit, and what is taken for their errors."""

    model: object
    x: np.ndarray
    y: np.ndarray
    start: np.ndarray
    sigma: np.ndarray | None
    bounds: tuple | None
    noise: str
    f_scale: float

    def told(self, f_scale=None):
        """How `thalweg.fit` is told of the noise."""
        if self.noise == "poisson":
            return {"noise": "poisson"}
        return {"robust": self.noise, "f_scale": self.f_scale if f_scale is None else f_scale}

    def fit(self, **options):
        """The engine's result."""
        known = {"sigma": self.sigma, "bounds": self.bounds, **self.told()}
        return tw.fit(self.model, self.x, self.y, self.start, **{**known, **options})

    def specified(self, **options):
        """The result of the specification."""
        lower, upper = self.bounds or (None, None)
        P = len(self.start)
        return reference.levenberg_marquardt(
            with_jacobian(self.model, self.x, P),
            self.y,
            self.start,
            sigma=self.sigma,
            lower=lower,
            upper=upper,
            curvature=curvature(self.model, self.x, P),
            noise=self.noise,
            f_scale=self.f_scale,
            **{"max_iter": 200 * (P + 1), **options},
        )


@st.composite
def counted(draw, bounded=None):
    """Counts of a positive model, from a few to thousands; zeros are frequent."""
    model, typical = draw(st.sampled_from(POSITIVE))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P, N = len(typical), draw(st.integers(8, 40))
    x = np.sort(rng.uniform(0, 5, N))
    truth = np.array(typical) * rng.uniform(0.8, 1.25, P)
    truth[[0, *([P - 1] if model is not lorentzian else [])]] *= draw(
        st.sampled_from([1.0, 30.0, 1000.0])
    )
    y = rng.poisson(model(x, *truth)).astype(float)
    start = truth * rng.uniform(0.8, 1.25, P)
    if not (draw(st.booleans()) if bounded is None else bounded):
        return Noisy(model, x, y, start, None, None, "poisson", 1.0)
    lower = np.where(rng.random(P) < 0.7, np.minimum(truth, start) * 0.9, -np.inf)
    upper = np.where(rng.random(P) < 0.3, np.maximum(truth, start) * 1.1, np.inf)
    return Noisy(model, x, y, start, None, (lower, upper), "poisson", 1.0)


@st.composite
def with_outliers(draw):
    """A model near its typical parameters with normal errors and some far outliers."""
    model, typical = draw(st.sampled_from(MODELS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P, N = len(typical), draw(st.integers(12, 40))
    x = np.sort(rng.uniform(0, 5, N))
    truth = np.array(typical) * rng.uniform(0.8, 1.25, P)
    y = model(x, *truth) + 0.05 * rng.standard_normal(N)
    y[rng.random(N) < 0.1] += draw(st.sampled_from([1.0, 100.0]))
    start = truth * rng.uniform(0.9, 1.1, P)
    sigma = rng.uniform(0.5, 2, N) if draw(st.booleans()) else None
    return Noisy(model, x, y, start, sigma, None, draw(st.sampled_from(ROBUST)), 0.1)
