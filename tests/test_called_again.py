"""Later attempts of models that Python evaluates."""

import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.status import Status

X = np.linspace(0, 5, 30)


def decay(x, a, tau, c):
    """A model that cannot be recorded: it works with numbers, one by one."""
    return np.array([float(a) * np.exp(-float(v) / float(tau)) + float(c) for v in x])


def poor_starts(dtype=np.float64):
    """One noisy decay, from 40 starts up to a factor of 100 off."""
    rng = np.random.default_rng(0)
    y = decay(X, 2, 1.5, 0.3) + 0.05 * rng.standard_normal(len(X))
    starts = np.array([2, 1.5, 0.3]) * 10 ** rng.uniform(-2, 2, (40, 3))
    return np.tile(y.astype(dtype), (40, 1)), starts.astype(dtype)


def fit(model, y, p0, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        return tw.fit(model, X.astype(y.dtype), y, p0, **options)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_later_attempts_find_what_the_first_does_not(dtype):
    y, p0 = poor_starts(dtype)
    all_three, first = (fit(decay, y, p0, dtype=dtype, attempts=n) for n in (3, 1))
    right = 1 + 100 * np.sqrt(np.finfo(dtype).eps)  # rounding, and of differences
    least = all_three.chi2.min()
    assert (first.attempts == 1).all() and (all_three.attempts > 1).any()
    found = [(r.success & (r.chi2 <= least * right)).mean() for r in (all_three, first)]
    # observed: 0.93 of 0.68 in double, 0.95 of 0.90 in float; what is left runs off and says so
    assert found[0] >= 0.9 and found[0] >= found[1] + (0.2 if dtype is np.float64 else 0.02)


def test_what_the_first_attempt_found_is_no_result_where_a_later_one_is_ended():
    """The user's error in the middle of a later attempt, when the first has long ended.

    Wherever in the second attempt it comes, the fit has not finished.
    """
    y, p0 = poor_starts()
    which = int(np.argmax(fit(decay, y, p0).attempts == 2))
    calls = []

    def ended_after(most):
        def model(x, a, tau, c):
            if len(calls) >= most:
                raise RuntimeError("enough")
            calls.append(a)
            return decay(x, a, tau, c)

        calls.clear()
        return fit(model, y[which], p0[which], max_iter=800)

    whole = ended_after(np.inf)
    n = len(calls)
    assert whole.success and whole.attempts == 2
    for missing in (5, 50):
        with pytest.raises(RuntimeError, match="enough") as caught:
            ended_after(n - missing)
        result = caught.value.result
        assert result.status == Status.NOT_RUN and np.isnan(result.params).all()


def test_steps_of_differences_that_leave_the_neighbourhood_are_shortened():
    """A lifetime s that has lost its effect is tried with longer steps; s - h must not be negative.

    There exp(-x / s) is 1e60, and a column of J with such numbers ended the fit as a success where
    no derivative was 0.
    """

    def model(x, a, s, b, t):
        return a * np.exp(-x / s) + b * np.exp(-x / t) if a < np.inf else x

    x = np.array([0.0, 1.25, 3.75, 5.0])
    y = np.array([-2.3654972906, -2.8345822829, -1.8559323956, -2.1728783413])
    sigma = np.array([0.5950417711, 0.1998967425, 0.2788585664, 0.198753502])
    start = [2.0285651497, 0.7455039209, -5.0833490098, 5.0052835471]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        r = tw.fit(model, x, y, p0=start, sigma=sigma, attempts=1)
    assert r.status == tw.Status.DRIFT and r.names[r.detail] == "s"
    assert r.chi2 < 2.632  # the model has gone flat in s at its infimum
