"""Derivatives of called models are differences; their errors limit what a fit may claim."""

import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.fitting import by_calls
from thalweg.fitting.jobs import one_job
from thalweg.fitting.options import options_for
from thalweg.fitting.storage import result_of, results_for
from thalweg.reference.damped import levenberg_marquardt

X = np.sort(np.random.default_rng(5).uniform(0, 5, 11))


def decay(x, a, tau, c):
    """A decay that only Python can evaluate, for it asks how large a parameter is."""
    return a * np.exp(-x / tau) + c if abs(a) < np.inf else x


def inflation(theta):
    """The root of the largest variance inflation of a decay's parameters, by exact derivatives."""
    a, tau, _ = theta.astype(float)
    falling = np.exp(-X / tau)
    J = np.column_stack([falling, a * X / tau**2 * falling, np.ones(len(X))])
    inverse = np.linalg.inv(np.linalg.qr(J / np.linalg.norm(J, axis=0), mode="r"))
    return np.sqrt((inverse**2).sum(axis=1).max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_success_rests_on_columns_that_differ_by_more_than_their_errors(dtype):
    """Straight lines, of which a decay of any long lifetime is a good fit."""
    rng = np.random.default_rng(6)
    lines = 1 + 0.2 * X + 0.1 * rng.standard_normal((100, len(X)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        r = tw.fit(decay, X.astype(dtype), lines.astype(dtype), [1, 200, 1], dtype=dtype)
    told = 1 / np.finfo(dtype).eps ** (2 / 3)  # central differences at the best step
    for theta in r.params[r.success]:
        assert inflation(theta) < told / 2, theta
    assert r.success.sum() > 20 < (~r.success).sum()  # some lines are bent by their noise


@pytest.mark.parametrize("error, status", [(0.0, True), (1e-5, True), (1e-3, False)])
def test_an_error_of_the_derivatives_makes_what_they_cannot_tell_singular(error, status):
    """Columns that differ by 1e-4: what their error allows is the same in the specification."""
    A = np.column_stack([X, X + 1e-4 * X**2])
    y = A @ [1.0, 2.0] + 0.01 * np.cos(7 * X)
    problem = tw.fit(lambda x, a, b: a * x + b * (x + 1e-4 * x**2), X, y, [0, 0]).problem
    out = results_for(problem)
    job = one_job(problem, problem.data, options_for(y.dtype, 2), out)
    by_calls.run(job, lambda theta: (A @ theta, A, error), 2, y.dtype)
    wanted = levenberg_marquardt(lambda p: (A @ p, A), y, [0.0, 0.0], jacobian_error=error)
    r = result_of(problem, out)
    assert tw.Status(r.status).name == wanted.status and r.success == status
    assert r.success or r.status == tw.Status.SINGULAR
