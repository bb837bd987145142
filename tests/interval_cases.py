"""Decays with noise, for the tests of intervals."""

import numpy as np

import thalweg as tw

TRUE = np.array([3.0, 1.2, 0.5])
SIGMA = 0.1


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def data(*batch, n=20, seed=0, sigma=SIGMA):
    """Return x (N,) and y (..., N)."""
    t = np.linspace(0, 5, n)
    noise = np.random.default_rng(seed).normal(0, 1, (*batch, n))
    return t, decay(t, *TRUE) + sigma * noise


def fitted(*batch, n=20, seed=0, **options):
    """Return the fit of such data."""
    return tw.fit(decay, *data(*batch, n=n, seed=seed), **{"p0": [1, 1, 0.4], **options})
