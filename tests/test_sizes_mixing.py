"""Operators on curves at the sizes at which the code changes what it does, in both layouts.

An offset is fitted to data that the model makes; every other parameter is fixed.  So chi2 compares
each point of the curve with NumPy's.  csrc/tape/operators.h takes 8 sums at once: of 4 points where
8 fits lie side by side, of 8 where few do, and of 32 where points lie side by side, 64 of floats.
"""

import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.model.tables import Table, table

EPS = {np.float64: np.finfo(np.float64).eps, np.float32: np.finfo(np.float32).eps}
SIDE_BY_SIDE = 512  # points, up to which fits lie side by side
FEW = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65]
MANY = [513, 514, 543, 544, 545, 575, 576, 577, 1024, 1025]


@pytest.fixture(autouse=True)
def recorded():
    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        yield


def check(mixed, N, n_fits, dtype, terms):
    """Compare a curve of N points with NumPy's; ``terms``: how many products a point sums."""
    x = np.linspace(0.0, 2.0, N)
    rates = np.linspace(0.2, 1.5, n_fits)

    def model(x, b, offset):
        return mixed(np.exp(-b * x)) + offset

    clean = np.stack([mixed(np.exp(-b * x)) for b in rates])
    size = 1 + 2 * np.abs(clean).max()
    p0 = np.stack([rates, np.zeros(n_fits)], axis=-1)
    r = tw.fit(model, x.astype(dtype), (clean + 0.5 * size).astype(dtype), p0, fixed="b")
    assert r.success.all()
    far = EPS[dtype] * (60 + terms)  # the offset itself is found to some 50 roundings
    np.testing.assert_allclose(r["offset"], 0.5 * size, rtol=0, atol=far * size)
    assert (np.sqrt(r.chi2 / N) <= far * size).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_fits", [1, 9])
@pytest.mark.parametrize("N", [*FEW, 511, 512, 513, 577])
def test_convolutions(N, n_fits, dtype):
    for taps in sorted({t for t in (1, 2, 3, 8, 33, N - 1, N) if 1 <= t <= N}):
        response = 1.0 + np.cos(np.arange(taps))
        for mode in ("same", "causal"):
            check(lambda f, m=mode, r=response: tw.convolve(f, r, m), N, n_fits, dtype, taps)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("N", MANY)
def test_convolutions_of_many_points(N, dtype):
    for taps in (1, 2, 31, 32, 33, 300, N):
        response = 1.0 + np.cos(np.arange(taps))
        check(lambda f, r=response: np.convolve(f, r)[:N], N, 1, dtype, taps)
        check(lambda f, r=response: np.convolve(f, r, "same"), N, 1, dtype, taps)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_fits", [1, 9])
@pytest.mark.parametrize("N", [*FEW, *MANY])
def test_sums_products_and_shifts(N, n_fits, dtype):
    n_fits = n_fits if N < SIDE_BY_SIDE else 1
    check(np.cumsum, N, n_fits, dtype, N)
    check(lambda f: f / np.sum(f), N, n_fits, dtype, N)
    K = np.sin(np.outer(np.arange(N), np.arange(N)) + 1)
    check(lambda f: K @ f, N, n_fits, dtype, N)
    taps = min(N, 5)
    for shift in (0.0, 0.25, -1.5, 3.0, -float(N), 2.0 * N, 1e300):
        check(lambda f, s=shift: tw.convolve(f, np.ones(taps), shift=s), N, n_fits, dtype, N)


@pytest.mark.parametrize("M", [2, 3, 7, 8, 9, 500, 600])
@pytest.mark.parametrize("N", [3, 9, 600])
def test_grids_of_any_length(N, M):
    """A model on a grid of its own, through a matrix, where N decides the layout and M does not."""
    grid, K = np.linspace(0, 1, M), np.cos(np.outer(np.arange(N), np.arange(M)) / 3)

    def model(x, b, offset):
        return K @ np.exp(-b * grid) + offset

    rates = np.linspace(0.5, 2, 9)
    clean = np.stack([model(None, b, 0.0) for b in rates])
    p0 = np.stack([rates, np.zeros(9)], axis=-1)
    r = tw.fit(model, np.arange(float(N)), clean + 1, p0, fixed="b")
    np.testing.assert_allclose(r["offset"], 1, rtol=1e-12)
    assert (np.sqrt(r.chi2 / N) <= 1e-14 * M).all()


@pytest.mark.parametrize("kind", ["band", "dense", "sums", "total", "moved", "slope"])
def test_the_reference_is_linear(kind):
    """Each table of curves, as the specification applies it to many curves at once."""
    rng = np.random.default_rng(1)
    n, n_out = 12, {"sums": 9, "total": 1}.get(kind, 10)
    values = {"band": rng.normal(size=5), "dense": rng.normal(size=n * n_out)}.get(kind, ())
    t = table(kind, n, n_out, offset=2 * (kind in ("band", "moved", "slope")), values=values)
    assert isinstance(t, Table)
    u, v = rng.normal(size=(2, 4, n))
    more = (np.array([0.3, -4.0, 20.0, 1.0]),) if kind in ("moved", "slope") else ()
    np.testing.assert_allclose(t(2 * u - v, *more), 2 * t(u, *more) - t(v, *more), atol=1e-12)
    for k in range(4):
        np.testing.assert_allclose(t(u, *more)[k], t(u[k], *[s[k] for s in more]))
