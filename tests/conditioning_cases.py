"""Matrices for the tests of conditioning."""

import numpy as np


def orthogonal(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def with_spectrum(rng, values):
    """A symmetric matrix with these eigenvalues."""
    Q = orthogonal(rng, len(values))
    B = (Q * np.asarray(values, float)) @ Q.T
    return (B + B.T) / 2


def separated(P, kappa):
    """A spectrum whose ends are well separated, so that Lanczos finds them quickly."""
    return np.concatenate([[1], np.linspace(0.05 * kappa, 0.9 * kappa, P - 2), [kappa]])
