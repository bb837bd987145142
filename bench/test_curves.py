"""Models that mix points, beside a loop of SciPy's fits of the same function."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

optimize = pytest.importorskip("scipy.optimize")

FITS, LOOP, ROUNDS = 2_000, 30, 3  # fits of the batch; fits that SciPy is timed with; repetitions
T = np.arange(256) * 0.05
RESPONSE = np.exp(-0.5 * ((np.arange(64) - 14) / 3.5) ** 2)
RESPONSE /= RESPONSE.sum()
GRID = np.linspace(0, 20, 200)
MATRIX = np.exp(-0.5 * ((T[:, None] - GRID) / 0.4) ** 2)


def convolution(t, a, tau, background):
    """A decay with an instrument's response of 64 points."""
    return np.convolve(a * np.exp(-t / tau), RESPONSE)[:256] + background


def shift(t, a, tau, background, shift):
    """The same, moved by a fraction of a bin."""
    return tw.convolve(a * np.exp(-t / tau), RESPONSE, "causal", shift=shift) + background


def running_sum(t, a, tau, background):
    """What a decay has given off until then, as a share of all."""
    f = np.exp(-t / tau)
    return a * np.cumsum(f) / np.sum(f) + background


def matrix(t, a, centre, width):
    """A peak on a grid of 200 points, seen through a matrix."""
    return MATRIX @ (a * np.exp(-0.5 * ((GRID - centre) / width) ** 2))


@pytest.mark.parametrize(
    ("model", "truth", "start"),
    [
        (convolution, (10.0, 2.5, 1.0), (8.0, 2.0, 0.5)),
        (shift, (10.0, 2.5, 1.0, 0.35), (8.0, 2.0, 0.5, 0.1)),
        (running_sum, (10.0, 2.5, 1.0), (8.0, 2.0, 0.5)),
        (matrix, (1.0, 6.0, 1.2), (0.8, 5.8, 1.4)),
    ],
)
@pytest.mark.parametrize("threads", [1, None])
def test_a_model_that_mixes_points(model, truth, start, threads, record):
    rng = np.random.default_rng(0)
    y = model(T, *truth) + 0.05 * rng.standard_normal((FITS, len(T)))
    r = tw.fit(model, T, y, start, threads=threads)
    assert r.success.mean() > 0.99
    some = [optimize.curve_fit(model, T, row, start)[0] for row in y[:LOOP]]
    np.testing.assert_allclose(r.params[:LOOP], some, rtol=1e-3)

    def loop():
        for row in y[:LOOP]:
            optimize.curve_fit(model, T, row, start)

    ours = partial(tw.fit, model, T, y, start, threads=threads)
    times = ratio(ours, loop, ROUNDS).times(FITS / LOOP)
    least = 10 if model is matrix else 20  # NumPy leaves the product with a matrix to BLAS
    name = f"{model.__name__}, N=256, {'1 thread' if threads else 'all threads'}"
    record(f"mixed points: {name}, over a loop of curve_fit", times.median, "times", at_least=least)
