"""Problems for block pivoting and for many right-hand sides, and how near two answers must be."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from thalweg import kernels

EPS = np.finfo(float).eps


class Problem(NamedTuple):
    """Least squares ½‖Aθ − b‖² in a box, as its matrix and its right-hand sides."""

    A: np.ndarray  # (n, P)
    B: np.ndarray  # (M, n)
    bounds: tuple

    @property
    def G(self):
        return self.A.T @ self.A

    @property
    def C(self):
        return self.B @ self.A

    def run(self, function=kernels.block_pivoting, **options):
        return function(self.G, self.C, bounds=self.bounds, **options)

    def F(self, theta):
        return 0.5 * ((self.B - theta @ self.A.T) ** 2).sum(axis=-1)


def violation(G, C, theta, bounds):
    """The largest |y_j| / √G_jj that points into the box, summed in extended precision."""
    G, C, theta = (np.asarray(x, np.longdouble) for x in (G, C, theta))
    lower, upper = (np.broadcast_to(x, theta.shape) for x in bounds)
    y = C - theta @ np.tril(G) - theta @ np.triu(G.T, 1)
    length = np.where(np.diagonal(G) > 0, np.sqrt(np.diagonal(G)), 1)
    inward = np.where(y > 0, theta < upper, theta > lower)
    return np.max(np.abs(y) / length, axis=-1, where=inward, initial=0.0)


def sides(bounds):
    """A pair of bounds with infinities for None."""
    low, high = (None, None) if bounds is None else bounds
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def matrix(rng, n, P, kind):
    """A matrix of one of the kinds at which pivoting may go wrong."""
    A = rng.standard_normal((n, P))
    if kind == "positive":
        return np.abs(A)
    if kind == "copies":
        A[:, 1::2] = A[:, :-1:2] * 2
    if kind == "zeros":
        A[:, ::3] = 0
    if kind == "whole":
        return rng.integers(-2, 3, (n, P)).astype(float)
    if kind == "decays":
        return np.exp(-np.outer(np.linspace(0, 3, n), np.linspace(0.1, 4, P)))
    return A


KINDS = ("plain", "positive", "copies", "zeros", "whole")


@st.composite
def problems(draw, kinds=KINDS):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, P, M = draw(st.integers(0, 25)), draw(st.integers(0, 13)), draw(st.integers(0, 12))
    A = matrix(rng, n, P, draw(st.sampled_from(kinds)))
    B = rng.standard_normal((M, n))
    if draw(st.booleans()):
        B = np.round(B)  # ties
    low, high = -np.abs(rng.standard_normal((2, M, P)))
    bounds = draw(
        st.sampled_from(
            [(0, None), None, (None, 0.2), (-0.3, 0.4), (0.1, 0.5), (low, -high), (0.25, 0.25)]
        )
    )
    return Problem(A, B, bounds)
