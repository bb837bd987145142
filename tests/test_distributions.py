"""Quantiles and tails of t, F and chi-squared against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from thalweg.fitting.distributions import chi2_tail, f_tail, normal_quantile, t_quantile, t_tail

DEGREES = [*range(1, 50), 99, 100, 101, 1000, 10001, 10**6]
LEVELS = [0.01, 0.5, 0.6827, 0.95, 0.9973, 1 - 1e-6, 1 - 1e-10]


@pytest.mark.parametrize("level", LEVELS)
def test_quantiles_of_t_are_those_of_scipy(level):
    """The largest difference that was seen is 1e-12, at the level 1 - 1e-10."""
    ours = [t_quantile(level, float(n)) for n in DEGREES]
    np.testing.assert_allclose(ours, stats.t.isf((1 - level) / 2, DEGREES), rtol=1e-11)


@pytest.mark.parametrize("level", LEVELS)
def test_quantiles_of_the_normal_distribution_are_those_of_scipy(level):
    np.testing.assert_allclose(normal_quantile(level), stats.norm.isf((1 - level) / 2), rtol=1e-12)


def test_a_quantile_inverts_the_tail():
    for n in DEGREES:
        np.testing.assert_allclose(t_tail(t_quantile(0.95, float(n)), n), 0.05, rtol=1e-10)


def test_without_degrees_of_freedom_a_quantile_is_infinite():
    assert t_quantile(0.95, 0.0) == np.inf
    assert t_quantile(0.95, -1.0) == np.inf


@pytest.mark.parametrize("m", [1, 2, 3, 4, 9, 10, 37])
def test_tails_of_f_are_those_of_scipy(m):
    """The largest difference that was seen is 4e-11, at a million degrees of freedom."""
    for n in (1, 2, 3, 10, 101, 1000, 10**6):
        for f in (0.0, 1e-3, 0.3, 1.0, 2.5, 10.0, 100.0, np.inf):
            expected = stats.f.sf(f, m, n)
            np.testing.assert_allclose(f_tail(f, m, n), expected, rtol=1e-10, atol=1e-290)


@pytest.mark.parametrize("m", range(1, 12))
def test_tails_of_chi_squared_are_those_of_scipy(m):
    for q in (0.0, 0.01, 1.0, 5.0, 50.0, 400.0):
        np.testing.assert_allclose(chi2_tail(q, m), stats.chi2.sf(q, m), rtol=1e-12)
