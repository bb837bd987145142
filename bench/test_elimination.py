"""Linear parameters put at their best before the first step, beside starts for all parameters."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

FITS, ROUNDS, NOISE = 10_000, 9, 0.05
X = np.linspace(0, 10, 60)


def decay(x, a, tau, c):
    """A decay on a background."""
    return a * np.exp(-x / tau) + c


def peaks(x, a, m, s, b, n, u, c):
    """Two peaks on a background."""
    return a * np.exp(-((x - m) ** 2) / (2 * s**2)) + b * np.exp(-((x - n) ** 2) / (2 * u**2)) + c


def two_decays(x, a, s, b, t):
    """Two decays."""
    return a * np.exp(-x / s) + b * np.exp(-x / t)


# least and most true parameters, start of all, and the linear ones
CASES = {
    "a decay from its lifetime": (decay, (0.5, 1, 0), (5, 4, 2), (1, 2, 0), "ac"),
    "a decay from 10 times its lifetime": (decay, (0.5, 1, 0), (5, 4, 2), (1, 20, 0), "ac"),
    "two peaks on a background": (
        peaks, (1, 2, 0.4, 1, 6, 0.4, 0), (3, 4, 0.8, 3, 8, 0.8, 1), (1, 3, 1, 1, 7, 1, 0), "abc"
    ),
    "two decays from 3 times their lifetimes": (
        two_decays, (1, 0.3, 1, 3), (3, 0.8, 3, 6), (1, 1.5, 1, 15), "ab"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_elimination(case, record):
    model, low, high, start, linear = CASES[case]
    rng = np.random.default_rng(0)
    truth = rng.uniform(low, high, (FITS, len(low)))
    y = np.array([model(X, *row) for row in truth]) + NOISE * rng.standard_normal((FITS, len(X)))
    names = model.__code__.co_varnames[1 : 1 + len(low)]
    p0 = {name: s for name, s in zip(names, start, strict=True) if name not in linear}
    plain = partial(tw.fit, model, X, y, start, threads=1)
    without = partial(tw.fit, model, X, y, p0, linear="auto", threads=1)
    least = tw.fit(model, X, y, truth).chi2
    right = [
        float((r.success & (r.chi2 <= least * (1 + 1e-6))).mean())
        for r in (plain(attempts=1), without(attempts=1), without())
    ]
    assert right[2] > 0.9
    record(f"linear='auto', {case}, right in one attempt", 100 * right[1], "%")
    record(f"given all starts, {case}, right in one attempt", 100 * right[0], "%")
    speed = ratio(without, plain, ROUNDS)
    record(f"linear='auto', {case}, over given all starts", speed.median, "times", at_least=1.3)
