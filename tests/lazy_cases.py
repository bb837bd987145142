"""Data and helpers of the tests of lazy fits."""

import dask
import numpy as np

T = np.linspace(0, 5, 25)
DECAY = "a*exp(-t/tau) + c"
P0 = {"a": 1.0, "tau": 1.0, "c": 0.0}
OPTIONS = {"p0": P0, "independent": "t"}


def decays(*shape, seed=0, noise=0.02):
    """Return noisy decays in a batch of this shape, (*shape, 25)."""
    rng = np.random.default_rng(seed)
    a, tau = rng.uniform(1, 3, (*shape, 1)), rng.uniform(0.5, 2, (*shape, 1))
    return a * np.exp(-T / tau) + 0.1 + rng.normal(0, noise, (*shape, 25))


def refuse(dsk, keys, **options):
    """A scheduler that must not be called."""
    raise AssertionError("something was computed that should be lazy")


def nothing_computed():
    """Return a context in which dask may compute nothing."""
    return dask.config.set(scheduler=refuse)


NUMBERS = ("params", "stderr", "cov", "chi2", "redchi", "dof", "n_used", "n_iter", "attempts")
MORE_NUMBERS = ("status", "detail", "success", "at_bound", "correlation", "aic", "bic")


def assert_same(lazy, memory, names=(*NUMBERS, *MORE_NUMBERS)):
    """Assert that a lazy result has the bits, types and shapes of one in memory."""
    arrays = [getattr(lazy, name) for name in names]
    for name, array, value in zip(names, arrays, dask.compute(*arrays), strict=True):
        expected = np.asarray(getattr(memory, name))
        assert array.shape == expected.shape == np.shape(value), name
        assert array.dtype == expected.dtype == value.dtype, name
        np.testing.assert_array_equal(value, expected, err_msg=name)
