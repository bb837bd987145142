"""Poisson likelihood and robust losses beside least squares, and their precision and coverage."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

FITS, ROUNDS = 20_000, 7
TRIALS = 40_000  # fits whose scatter and intervals are counted


def spot(xy, a, x0, y0, s, b):
    """A round Gaussian on a background."""
    x, y = xy
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + b


def grid(size):
    """The coordinates of the pixels of a square."""
    return tuple(np.mgrid[:size, :size].astype(float))


@pytest.mark.parametrize("size", [5, 15])
@pytest.mark.parametrize("how", ["poisson", "huber", "soft_l1", "cauchy"])
def test_speed(size, how, record):
    rng = np.random.default_rng(0)
    xy, middle = grid(size), (size - 1) / 2
    truth = (400.0, middle, middle, size / 6, 10.0)
    y = rng.poisson(spot(xy, *truth), (FITS, size, size)).astype(float)
    start = (300.0, middle + 0.3, middle - 0.2, size / 5, 15.0)
    options = {"noise": how} if how == "poisson" else {"robust": how, "f_scale": 20.0}
    plain = partial(tw.fit, spot, xy, y, start, threads=1)
    other = partial(tw.fit, spot, xy, y, start, threads=1, **options)
    r = other()
    assert r.success.mean() > 0.999
    assert np.abs(np.median(r.params, axis=0) / truth - 1).max() < 0.02
    name = f"{how}, spots of {size}x{size}, rate over least squares"
    record(name, ratio(other, plain, ROUNDS).median, "times", at_least=0.7)


@pytest.mark.parametrize("peak", [5, 30, 1000, 10_000])
def test_decays_of_counts(peak, record):
    """The scatter over the bound of Cramer and Rao, and how often an interval holds the truth.

    All fits that succeed count, and nothing is bounded: if those that a bound holds, which lie far
    from the truth, were left out, the others would scatter less, and more of their intervals would
    hold it.  Below some thirty counts the most likely parameters themselves are skewed and scatter
    more than the bound, which is for many counts, and no interval that is symmetric about them has
    its level.
    """
    rng = np.random.default_rng(1)
    t, truth = np.linspace(0, 5, 60), np.array([peak, 1.2, peak / 20])
    clean = truth[0] * np.exp(-t / truth[1]) + truth[2]
    y = rng.poisson(clean, (TRIALS, 60)).astype(float)
    fit = partial(tw.fit, "a*exp(-t/tau) + c", t, independent="t", noise="poisson", p0=truth)
    r, exact = fit(y), fit(clean)
    assert r.success.mean() > 0.99
    r = r[r.success]
    scatter = r.params.std(axis=0) / exact.stderr
    bias = np.abs(r.params.mean(axis=0) - truth) / exact.stderr
    name = f"counts, decays of {peak} at most"
    record(
        f"{name}, scatter over the bound of Cramer and Rao", scatter.max(), "times", at_most=1.03
    )
    record(f"{name}, bias in standard errors", bias.max(), "times", at_most=0.1)
    for level in (0.6827, 0.95):
        low, high = np.moveaxis(r.interval(level), -1, 0)
        off = 100 * np.abs(((low <= truth) & (truth <= high)).mean(axis=0) - level)
        record(f"{name}, coverage of {100 * level:g} %, off", off.max(), "points", at_most=0.7)
