"""Data and calls that tests of results in a store share."""

import numpy as np

import thalweg as tw

X = np.linspace(0, 5, 12)
FORMULA = "a*exp(-t/tau) + c"
START = {"a": 2.0, "tau": 1.0, "c": 0.1}
NUMBERS = ("params", "stderr", "chi2", "status", "n_iter", "n_used", "detail", "attempts")


def decays(*batch, dtype=np.float64, seed=0):
    """Return noisy decays (*batch, N), each with a lifetime of its own."""
    rng = np.random.default_rng(seed)
    tau = rng.uniform(0.5, 3, batch)[..., None]
    return (3 * np.exp(-X / tau) + 0.5 + rng.normal(0, 0.05, (*batch, X.size))).astype(dtype)


def fit(y, **options):
    """Fit decays."""
    return tw.fit(FORMULA, X, y, **{"p0": START, "independent": "t"} | options)


def begin(y, path):
    """Return a stored result of 10 fits in pieces of 2, of which some are finished."""
    r = fit(y, out=path, chunk=2, callback=lambda done, total: done > 6)
    assert 0 < r.n_finished < 10 and not r.finished
    return r


def assert_same(stored, result):
    """A stored result has the bits of a result in memory."""
    for name in NUMBERS:
        there, here = np.asarray(getattr(stored, name)[...]), getattr(result, name)
        assert there.shape == here.shape, name
        assert np.array_equal(there, here, equal_nan=True), name
    assert stored.finished and stored.names == result.names
