"""Tomography by iterative coordinate descent, beside SciPy's products and its L-BFGS-B."""

from functools import partial

import numpy as np
import pytest
from machine import reader
from timing import interleaved

from thalweg.linear import QGGMRF, icd

sparse = pytest.importorskip("scipy.sparse")
minimize = pytest.importorskip("scipy.optimize").minimize

SIDE, VIEWS = 128, 90
SIGMA, P, T = 0.03, 1.2, 1.0
ABOVE = 1e-6  # both are timed until the cost is above its minimum by this share of it
SWEEPS = 8
ROUNDS = 3


def projections():
    """Return the matrix of parallel beams, two bins for each pixel and view."""
    centre = np.arange(SIDE) - (SIDE - 1) / 2
    bins = round(1.45 * SIDE)
    u, v = (axis.ravel() for axis in np.meshgrid(centre, centre))
    angles = np.linspace(0, np.pi, VIEWS, endpoint=False)[:, None]
    t = np.cos(angles) * u + np.sin(angles) * v + (bins - 1) / 2
    first = np.floor(t).astype(np.int32)
    rows = first + bins * np.arange(VIEWS, dtype=np.int32)[:, None]
    values = np.stack([1 - (t - first), t - first], axis=-1).transpose(1, 0, 2)
    places = np.stack([rows, rows + 1], axis=-1).transpose(1, 0, 2)
    starts = np.arange(SIDE**2 + 1, dtype=np.int32) * 2 * VIEWS
    return sparse.csc_array((values.ravel(), places.ravel(), starts), shape=(VIEWS * bins, SIDE**2))


def problem():
    """Return A, measurements of three discs, and their weights."""
    A, rng = projections(), np.random.default_rng(0)
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    u, v = np.meshgrid(axis, axis)
    discs = [(0, 0, 0.43, 1.0), (0.12, 0, 0.12, 0.5), (-0.16, 0.08, 0.08, -0.7)]
    x = sum(
        h * ((u - a * SIDE) ** 2 + (v - b * SIDE) ** 2 < (r * SIDE) ** 2) for a, b, r, h in discs
    )
    return A, A @ x.ravel() + 0.5 * rng.standard_normal(A.shape[0]), np.full(A.shape[0], 4.0)


def rho(d):
    """The potential of differences, and its derivative."""
    a = np.abs(d) / (T * SIGMA)
    s = a ** (2 - P)
    height = T**P / P
    return height * a**2 / (1 + s), height * d / (T * SIGMA) ** 2 * (2 + P * s) / (1 + s) ** 2


def cost(A, AT, y, w, x):
    """F and its gradient, by NumPy."""
    e = y - A @ x
    image, g = x.reshape(SIDE, SIDE), np.zeros((SIDE, SIDE))
    F, total = 0.5 * (w * e) @ e, 4 + 4 / np.sqrt(2)
    for i, j in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, SIDE - i), slice(max(0, -j), SIDE - max(0, j)))
        there = (slice(i, SIDE), slice(max(0, j), SIDE - max(0, -j)))
        b = 1 / np.hypot(i, j) / total
        value, slope = rho(image[here] - image[there])
        F += b * value.sum()
        g[here] += b * slope
        g[there] -= b * slope
    return F, g.ravel() - AT @ (w * e)


def test_against_lbfgs(record):
    """Time both programs from A and y to a cost that is `ABOVE` its minimum."""
    A, y, w = problem()
    AT = sparse.csr_array(A.T)
    run = partial(icd, A, y, w, prior=QGGMRF(SIGMA, p=P, T=T), shape=(SIDE, SIDE), seed=0)
    best = run(tol=1e-7)
    F, gradient = cost(A, AT, y, w, best.x.ravel())
    assert best.success and abs(F / best.cost - 1) < 1e-12
    assert np.abs(gradient[best.x.ravel() > 0]).max() < 1e-3 and gradient.min() > -1e-3
    enough = (1 + ABOVE) * best.cost
    x0, bounds = np.zeros(A.shape[1]), [(0, None)] * A.shape[1]

    class Enough(Exception):
        pass

    def watched(x):
        F, g = cost(A, AT, y, w, x)
        if enough >= F:
            raise Enough
        return F, g

    def theirs():
        try:
            minimize(
                watched, x0, jac=True, method="L-BFGS-B", bounds=bounds,
                options=dict(maxiter=10**5, maxfun=10**6, ftol=0, gtol=0),
            )  # fmt: skip
        except Enough:
            return
        raise AssertionError("L-BFGS-B has not come near the minimum")

    ours = partial(run, callback=lambda i: i.cost <= enough)
    assert ours().cost <= enough
    fast, slow = interleaved((ours, theirs), ROUNDS).min(0)
    name = f"tomography {SIDE} x {SIDE}, {VIEWS} views, q-GGMRF, cost within {ABOVE:g}"
    record(f"{name}, over SciPy's L-BFGS-B", slow / fast, "times")
    record(name, fast * 1e3, "ms")


@pytest.mark.parametrize("order", ["cyclic", "shuffled", "nonhomogeneous"])
def test_a_sweep(order, record):
    """Time a sweep beside a product with A and one with its transpose, as a gradient takes."""
    A, y, w = problem()
    AT = sparse.csr_array(A.T)
    run = partial(icd, A, y, w, prior=QGGMRF(SIGMA, p=P, T=T), shape=(SIDE, SIDE), order=order)
    stops = [partial(run, callback=lambda i, k=k: i.n_iter == k, tol=0) for k in (1, 1 + SWEEPS)]
    assert stops[1]().n_iter == 1 + SWEEPS
    x, e = np.ones(A.shape[1]), np.ones(A.shape[0])
    both = partial(lambda: (A @ x, AT @ e))
    read = reader(A.data, 1)
    short, long, products, reading = interleaved((*stops, both, read), ROUNDS).min(0)
    sweep = (long - short) / SWEEPS
    limit = reading * (A.data.itemsize + A.indices.itemsize) / A.data.itemsize
    name = f"sweep of an image, {2 * VIEWS} values a column, {order}"
    record(f"{name}, A @ x and A.T @ e by SciPy over it", products / sweep, "times")
    record(f"{name}, over reading A once", sweep / limit, "times")
    record(name, sweep * 1e9 / A.nnz, "ns per stored value")
