"""How often intervals of few counts hold the truth: by standard errors, and by the profile."""

import numpy as np
import pytest

import thalweg as tw

TRIALS = 4_000  # fits whose intervals are counted, which gives 95 % to 0.35 and 68.27 % to 0.74
TIMES = np.linspace(0, 5, 60)
PIXELS = tuple(c.ravel() for c in np.mgrid[:7, :7].astype(float))


def decay(t, a, tau, c):
    """A decay on a background."""
    return a * np.exp(-t / tau) + c


def spot(xy, a, u, v, s, b):
    """A round peak on a background."""
    x, y = xy
    return a * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * s**2)) + b


SPOT = spot, PIXELS, (9.4, 3, 3, 1.3, 0.2), {"b": (0, None), "s": (0.3, 6)}
CASES = {
    f"a decay of {peak} counts at most": (
        decay, TIMES, (peak, 1.2, peak / 20), {"c": (0, None)}, ("tau", "c")
    )
    for peak in (5, 10, 30)
} | {"a spot of 100 photons": (*SPOT, ("u", "s", "b"))}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_intervals_of_few_counts(case, record):
    model, x, truth, bounds, names = CASES[case]
    y = np.random.default_rng(2).poisson(model(x, *truth), (TRIALS, np.shape(x)[-1]))
    r = tw.fit(model, x, y, truth, noise="poisson", bounds=bounds)
    assert r.success.mean() > 0.999
    for name in names:
        j = r.names.index(name)
        for level in (0.6827, 0.95):
            by_error = r.interval(level)[:, j]
            by_profile = r.profile(name, level, points=0).interval
            for how, interval in (("standard errors", by_error), ("the profile", by_profile)):
                low, high = interval.T
                held = 100 * float(((low <= truth[j]) & (truth[j] <= high)).mean())
                label = f"{case}, {name}, {100 * level:g} % interval by {how}, held"
                record(label, held, "%")
