"""There is no hidden limit: as many arrays, parameters and points as the machine has room for."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.status import Status

rng = np.random.default_rng(3)


@pytest.mark.parametrize("n_arrays", [44, 45, 46, 63, 64, 65, 200])
@pytest.mark.parametrize("n_points", [30, 600])
def test_a_model_may_read_any_number_of_arrays(n_arrays, n_points):
    """A sum of columns times numbers, of which one is wanted."""
    columns = rng.standard_normal((n_arrays, n_points))
    weights = np.linspace(1, 2, n_arrays)
    total = weights @ columns

    def model(x, a, b):
        return a * sum(w * column for w, column in zip(weights, x, strict=True)) + b

    fit = tw.fit(model, tuple(columns), 3 * total + 2, [1.0, 0.0])
    np.testing.assert_allclose(fit.params, [3, 2], rtol=1e-12)
    np.testing.assert_allclose(fit.predict(), 3 * total + 2, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_arrays", [45, 200])
def test_a_model_may_hold_any_number_of_arrays_of_its_own(n_arrays):
    x, columns = rng.standard_normal(50), rng.standard_normal((n_arrays, 50))

    def model(x, a, b):
        return a * x + b * sum(column * k for k, column in enumerate(columns))

    y = model(x, 2.0, 3.0)
    fit = tw.fit(model, x, np.array([y, 2 * y]), [1.0, 1.0])
    np.testing.assert_allclose(fit.params, [[2, 3], [4, 6]], rtol=1e-12)


@pytest.mark.parametrize("parameter", [2**15 - 1, 2**15, 2**16, 69_999])
def test_a_status_names_a_parameter_however_many_there_are(parameter):
    """One is free; a start of one fit that is not finite is the status of that fit."""
    P, x = 70_000, np.arange(10.0)

    def model(x, *p):
        return p[0] * x + p[parameter]

    start = np.zeros((2, P))
    start[1, parameter] = np.nan
    fit = tw.fit(model, x, np.array([x, x]), start, fixed=np.arange(P) > 0)
    assert fit.status[0] > 0 and fit.status[1] == Status.BAD_START
    assert fit.detail[1] == parameter
    assert fit.names[parameter] in fit.reason(1)


def test_counts_of_points_are_64_bits():
    fit = tw.fit("a*x", np.arange(5.0), np.arange(5.0), [1.0])
    assert fit.n_used.dtype == np.int64 and fit.n_used == 5
