"""How often the lowest minimum is found from starts that are off by a factor of 10."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

FITS = 2000
ROUNDS = 3
X = np.linspace(0, 10, 60)


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def two_decays(t, a, t1, b, t2):
    return a * np.exp(-t / t1) + b * np.exp(-t / t2)


def peak(x, a, m, s, c):
    return a * np.exp(-((x - m) ** 2) / (2 * s**2)) + c


def sine(x, a, f, p):
    return a * np.sin(2 * np.pi * f * x + p)


# The model, the ranges of the true parameters, the noise, and the bounds.
CASES = {
    "decay": (decay, [(1, 3), (1, 4), (0.2, 1)], 0.02, [(0.01, 100), (0.05, 100), (0.001, 10)]),
    "two decays": (
        two_decays,
        [(1, 3), (0.3, 0.8), (1, 3), (3, 6)],
        0.005,
        [(0.01, 100), (0.05, 100), (0.01, 100), (0.05, 100)],
    ),
    "peak": (
        peak,
        [(1, 3), (3, 7), (0.3, 1), (0.2, 1)],
        0.05,
        [(0.01, 100), (0, 10), (0.05, 10), (0.001, 10)],
    ),
    "sine": (sine, [(1, 3), (0.3, 1.5), (0.5, 2.5)], 0.1, [(0.01, 100), (0.05, 3), (-3.2, 3.2)]),
}
LEAST = {"decay": 99, "two decays": 99, "peak": 99, "sine": 75}  # per cent of 30 starts


@pytest.mark.parametrize("case", CASES)
def test_starts_that_are_off(case, record):
    f, ranges, noise, bounds = CASES[case]
    rng = np.random.default_rng(0)
    truth = np.column_stack([rng.uniform(*ends, FITS) for ends in ranges])
    y = np.array([f(X, *theta) for theta in truth]) + rng.normal(0, noise, (FITS, X.size))
    best = tw.fit(f, X, y, p0=truth).chi2
    start = truth * 10.0 ** rng.choice([-1, 1], truth.shape)
    inside = np.clip(start, *np.transpose(bounds))
    box = dict(zip(tw.fit(f, X, y[:1], p0=truth[:1]).names, bounds, strict=True))
    ways = {
        "one attempt": {"p0": start, "attempts": 1},
        "default": {"p0": start},
        "retry=10": {"p0": start, "retry": 10},
        "starts=10": {"p0": start, "starts": 10},
        "30 starts within bounds": {"p0": inside, "starts": 30, "bounds": box},
    }
    share = {}
    for name, options in ways.items():
        share[name] = 100 * np.mean(tw.fit(f, X, y, **options).chi2 <= best * (1 + 1e-4))
        record(f"{case}: lowest minimum, {name}", share[name], "% of fits")
    assert share["30 starts within bounds"] > LEAST[case], share
    assert share["starts=10"] >= share["default"] >= share["one attempt"], share
    one, ten = (partial(tw.fit, f, X, y, start, threads=1, starts=n) for n in (1, 10))
    record(f"{case}: ten starts over one", ratio(one, ten, ROUNDS), "times the time")
