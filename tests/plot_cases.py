"""Fits of noisy decays, which the tests of pictures draw."""

import numpy as np

import thalweg as tw

X = np.linspace(0, 5, 21)
RNG = np.random.default_rng(7)


def decay(x, a, tau):
    return a * np.exp(-x / tau)


def decays(*batch, **options):
    """Fits of noisy decays, one or a batch."""
    amplitude = RNG.uniform(1, 3, (*batch, 1))
    y = decay(X, amplitude, 1.5) + RNG.normal(0, 0.02, (*batch, X.size))
    return tw.fit(decay, X, y, p0={"a": 1, "tau": 1}, **options)
