"""Decays and their fits, for the tests of what results tell and keep."""

import numpy as np

T = np.linspace(0, 4, 21)
RNG = np.random.default_rng(5)
TRUTH = np.array([[2, 1], [3, 1.5], [1, 0.7]])
Y = np.array([a * np.exp(-T / tau) for a, tau in TRUTH]) + 0.05 * RNG.standard_normal((3, len(T)))
SIGMA = np.linspace(0.03, 0.08, len(T))
P0 = {"a": 1.0, "tau": 1.0}
FIELDS = ("params", "chi2", "n_iter", "n_used", "status", "detail", "attempts", "stderr", "cov",
          "residual", "at_bound", "dof", "r2")  # fmt: skip


def decay(t, a, tau):
    return a * np.exp(-t / tau)


def refuses_symbols(t, a, tau):
    return decay(t, a, tau) if tau < 1e9 else t


def with_gaps():
    y = Y.copy()
    y[0, 3] = np.nan
    return np.ma.masked_array(y, np.arange(len(T)) == np.array([[99], [7], [8]]))
