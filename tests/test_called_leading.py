"""Rough derivatives lead the first attempt of called models; what it says rests on exact ones."""

import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg._core import engine
from thalweg._core.leading import Leading
from thalweg.fitting.by_calls import differences
from thalweg.fitting.jobs import one_job
from thalweg.fitting.options import options_for
from thalweg.fitting.storage import result_of, results_for
from thalweg.reference.damped import levenberg_marquardt

X = np.linspace(0, 5, 30)


def exact(theta):
    """A decay and its derivatives."""
    a, tau, _ = theta
    falling = np.exp(-X / tau)
    J = np.column_stack([falling, a * X / tau**2 * falling, np.ones(len(X))])
    return a * falling + theta[2], J


def rough(theta):
    """The same with derivatives that are wrong by up to 1 %."""
    f, J = exact(theta)
    return f, J * (1 + 0.01 * np.sin(np.arange(J.size)).reshape(J.shape))


def problems():
    """Thirty noisy decays and starts, some far away."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        truth = rng.uniform([1, 0.5, -1], [3, 2, 1])
        y = exact(truth)[0] + rng.choice([0.001, 0.05, 0.5]) * rng.standard_normal(len(X))
        yield y, truth * 10 ** rng.uniform(-0.5, 0.5, 3)


def led(y, start, **options):
    """The first attempt, led by rough derivatives until it would end, and how often it would."""

    def recorded(x, a, tau, c):
        return a * np.exp(-x / tau) + c

    problem, renewed = tw.fit(recorded, X, y, start).problem, 0
    out = results_for(problem)
    job = one_job(problem, problem.data, options_for(y.dtype, 3, attempts=1, **options), out)
    trials = engine.Trials(job, np.empty(3))
    while not trials.done:
        renewed += trials.renews
        f, J = (exact if renewed else rough)(trials.trial)
        trials.next(np.ascontiguousarray(f), np.ascontiguousarray(J), 0.0, not renewed)
    return result_of(problem, out), renewed


@pytest.mark.parametrize("options", [{}, {"max_iter": 3}, {"xtol": 0.1}, {"ftol": 1e-3}])
def test_the_engine_is_led_as_its_specification(options):
    for y, start in problems():
        with np.errstate(all="ignore"):
            r, _ = led(y, start, **options)
            chosen = options_for(y.dtype, 3, attempts=1, **options)._asdict()
            wanted = levenberg_marquardt(exact, y, start, lead=rough, **chosen)
        status = tw.Status(int(r.status))
        if wanted.n_iter < 20:
            assert status.name == wanted.status
            assert abs(int(r.n_iter) - wanted.n_iter) <= 2
        else:  # rounding has decided how many trials there were, and which test was met first
            assert status.success == tw.Status[wanted.status].success
        np.testing.assert_allclose(r.chi2, wanted.chi2, rtol=1e-6)
        if r.success:
            np.testing.assert_allclose(r.params, wanted.params, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(r.cov, wanted.covariance, rtol=1e-4, atol=1e-9)


def test_nothing_that_is_said_rests_on_a_rough_derivative():
    succeeded = 0
    for y, start in problems():
        for options in ({}, {"xtol": 0.1}, {"ftol": 1e-2}, {"max_iter": 2}):
            with np.errstate(all="ignore"):
                r, renewed = led(y, start, **options)
            f, J = exact(r.params)
            e = y - f
            assert renewed >= 1
            if r.status in (tw.Status.DRIFT, tw.Status.SINGULAR):
                continue
            wanted = np.linalg.inv(J.T @ J) * (e @ e) / r.dof
            scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
            close = 1e-5 if not options else 0.5  # the last step is taken after J was evaluated
            assert np.abs((r.cov - wanted) / scale).max() < close
            if r.success and not options:
                step = np.linalg.lstsq(J, e)[0]
                assert (J @ step) @ (J @ step) < 1e-9 * (e @ e)
            succeeded += bool(r.success)
    assert succeeded > 60


@pytest.fixture(params=[np.float64, np.float32])
def leading(request):
    """A decay of two parameters with its data, its calls noted."""
    dtype, calls = request.param, []
    x = np.linspace(0, 4, 20).astype(dtype)

    def decay(x, a, tau):
        calls.append((a, tau))
        return a * np.exp(-x / tau)

    dtype = np.dtype(dtype)
    box = np.full(2, -np.inf, dtype), np.full(2, np.inf, dtype)
    data = (decay(x, 2, 1) + 0.1 * np.sin(9 * x)).astype(dtype), np.ones(20, dtype)
    calls.clear()
    return Leading(differences(decay, x, (0, 1), data, box, (20,), dtype)), calls, dtype


def test_a_trial_that_is_rejected_has_no_derivatives(leading):
    lead, calls, dtype = leading
    _, before, _, _ = lead(np.array([2.5, 1.2], dtype), False)
    calls.clear()
    f, J, _, is_rough = lead(np.array([90, 3], dtype), False)
    assert len(calls) == 1 and is_rough and np.array_equal(J, before)
    assert f[0] == 90


def test_far_from_a_minimum_derivatives_are_changed_to_foretell_the_values(leading):
    lead, calls, dtype = leading
    start, to = np.array([8, 1.03], dtype), np.array([3, 1.02], dtype)
    f, J, _, is_rough = lead(start, False)
    assert is_rough and len(calls) >= 3
    calls.clear()
    g, changed, _, is_rough = lead(to, False)
    assert len(calls) == 1 and is_rough and changed.dtype == dtype
    assert np.abs(changed - J).max() > 1e-3
    close = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(changed @ (to - start), g - f, atol=close * 8)
    calls.clear()
    lead(np.array([2.2, 1.01], dtype), False)
    assert len(calls) == 3  # a changed J is not changed again


def test_what_would_end_a_fit_has_central_differences_of_the_values_there(leading):
    lead, calls, dtype = leading
    theta = np.array([2.1, 1.02], dtype)
    f = lead(theta, False)[0]
    calls.clear()
    again, J, error, is_rough = lead(theta, True)
    assert len(calls) == 4 and not is_rough and np.array_equal(f, again)
    x = np.linspace(0, 4, 20)
    falling = np.exp(-x / 1.02)
    wanted = np.column_stack([falling, 2.1 * x / 1.02**2 * falling])
    assert error < np.finfo(dtype).eps ** 0.6 * 10
    np.testing.assert_allclose(J, wanted, atol=10 * error)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_linear_model_is_differenced_once_and_where_it_ends(dtype):
    """1 for the recording, P one-sided, 2 P central, and the trials."""
    calls = []

    def line(x, a, b):
        calls.append(a)
        return np.sort(a + b * x)

    y = (1 + 2 * X + 0.1 * np.sin(9 * X)).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        r = tw.fit(line, X.astype(dtype), y, (2.0, 1.5), dtype=dtype)
    assert r.success and len(calls) <= 1 + 2 + 4 + 1 + r.n_iter
