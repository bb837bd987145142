"""Images to reconstruct, and their cost, computed without the package."""

from itertools import product
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

EPS = np.finfo(float).eps


class Case(NamedTuple):
    """The arguments of a reconstruction."""

    A: object
    y: np.ndarray
    weights: np.ndarray | None
    shape: tuple

    @property
    def w(self):
        return np.ones(len(self.y)) if self.weights is None else self.weights


def matrix(rng, n, P, dtype=float, index=np.int32):
    """Columns of every kind: empty ones, runs of rows, a few values, many, all."""
    A = rng.uniform(0.1, 1, (n, P))
    for j in range(P):
        kind = j % 6
        if kind == 1:
            A[:, j] = 0
        elif kind == 2:
            A[: n // 3, j], A[n // 3 + 20 :, j] = 0, 0
        elif kind != 3:
            A[rng.random(n) > (0.7, 0, 0, 0, 0.1, 0.4)[kind], j] = 0
    A[n // 2] = 0  # a row of zeros
    A = sp.csc_array(A.astype(dtype))
    A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
    return A


def case(shape, seed=0, n=60, weights="some", dtype=float, index=np.int32, noise=0.1):
    """A blocky image, measured with noise; a fifth of the weights are 0."""
    rng = np.random.default_rng(seed)
    P = int(np.prod(shape))
    A = matrix(rng, n, P, dtype, index)
    x = np.floor(3 * rng.random(P)) * (np.arange(P) % 7 < 4)
    y = A.toarray().astype(float) @ x + noise * rng.standard_normal(n)
    w = None
    if weights == "some":
        w = rng.uniform(0.5, 2, n) * (rng.random(n) < 0.8)
    return Case(A, y, w, shape)


def pairs(shape, neighbours):
    """Yield every pair of neighbours once, with its weight: the inverse distance, normalised."""
    steps = [np.array(s) for s in product((-1, 0, 1), repeat=len(shape)) if any(s)]
    steps = [s for s in steps if neighbours in (8, 26) or np.abs(s).sum() == 1]
    assert len(steps) == neighbours
    total = sum(1 / np.linalg.norm(s) for s in steps)
    number = np.arange(int(np.prod(shape))).reshape(shape)
    for place in product(*map(range, shape)):
        for s in steps:
            other = np.array(place) + s
            if tuple(s) > (0,) * len(s) and ((other >= 0) & (other < shape)).all():
                yield number[place], number[tuple(other)], 1 / np.linalg.norm(s) / total


class Field:
    """A Markov random field by its textbook formula: a value and its gradient."""

    def __init__(self, shape, neighbours, sigma, p=None, T=1.0):
        found = list(pairs(shape, neighbours))
        self.i, self.j = (np.array([f[k] for f in found], int) for k in (0, 1))
        self.b = np.array([f[2] for f in found])
        self.sigma, self.p, self.T = sigma, p, T

    def rho(self, d):
        """The potential, and its derivative."""
        a = np.abs(d)
        if self.p is None:
            return d**2 / (2 * self.sigma**2), d / self.sigma**2
        p, u = self.p, (a / (self.T * self.sigma)) ** (2 - self.p)
        value = (a / self.sigma) ** p / p * u / (1 + u)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(a > 0, value / a * (p + (2 - p) / (1 + u)), 0.0)
        return value, slope * np.sign(d)

    def value(self, x):
        return float(self.b @ self.rho(x[self.i] - x[self.j])[0])

    def gradient(self, x):
        g = np.zeros(len(x))
        slope = self.b * self.rho(x[self.i] - x[self.j])[1]
        np.add.at(g, self.i, slope)
        np.add.at(g, self.j, -slope)
        return g

    def matrix(self, P):
        """D with prior = ½ ‖D x‖², of the Gaussian one."""
        k = np.arange(len(self.b))
        root = np.sqrt(self.b) / self.sigma
        D = sp.coo_array((np.r_[root, -root], (np.r_[k, k], np.r_[self.i, self.j])), (len(k), P))
        return D.toarray()


def cost(c, prior, x):
    """F(x), and its gradient."""
    A, x = c.A.toarray().astype(float), np.asarray(x).reshape(-1)
    e = np.where(c.w > 0, c.y - A @ x, 0)
    return 0.5 * c.w @ e**2 + prior.value(x), prior.gradient(x) - A.T @ (c.w * e)
