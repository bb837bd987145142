"""Data sets of different lengths, and what is compared with fits of one of them alone."""

import numpy as np

import thalweg as tw

ARRAYS = (
    *("params", "chi2", "n_iter", "n_used", "status", "detail", "attempts"),
    *("covariance_rows", "stderr", "cov", "dof", "success", "redchi", "r2", "aic", "at_bound"),
)
START = {"a": 1.5, "tau": 2.0, "c": 0.1}


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def decays(lengths, dtype=np.float64, seed=0):
    """Return t and y as lists of arrays of these lengths."""
    rng = np.random.default_rng(seed)
    t = [np.sort(rng.uniform(0, 8, n)) for n in lengths]
    y = [decay(x, rng.uniform(1, 3), rng.uniform(0.5, 4), 0.2) for x in t]
    y = [row + rng.normal(0, 0.05, row.size) for row in y]
    return [x.astype(dtype) for x in t], [row.astype(dtype) for row in y]


def alone(r, k, *args, **kwargs):
    """Assert that data set k of a result has the bits of a fit of its own."""
    one = tw.fit(*args, **kwargs)
    for name in ARRAYS:
        mine = getattr(r, name)[k]
        np.testing.assert_array_equal(mine, getattr(one, name), err_msg=f"{name} of fit {k}")
    return one
