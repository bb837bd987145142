"""The compiled differences of called models are those of their specification, call by call."""

import numpy as np
import pytest

from thalweg import reference
from thalweg._core import differences as compiled
from thalweg._core import leading as compiled_leading

N = 23
X = np.linspace(0.1, 5, N)


def decay(a, tau, c):
    """A decay, whose values and parameters are of size 1."""
    return a * np.exp(-X / tau) + c


def far_level(a, tau, c):
    """The same on a level that leaves few digits to it."""
    return 1e6 + decay(a, tau, c)


def of_large_terms(a, tau, c):
    """The same as a difference of large terms, which round more than it."""
    return (a * 1e7 + decay(a, tau, c)) - a * 1e7


def root(a, tau, c):
    """A model that has no value beyond a parameter, different from point to point."""
    return a * np.sqrt(X - tau) + c


def logarithm(a, tau, c):
    """A model that is infinite at some points."""
    return a * np.log(np.maximum(X - tau, 0)) + c


def flat(a, tau, c):
    """A model that does not depend on two of its parameters."""
    return a * np.ones(N)


def refusing(a, tau, c):
    """A model that raises beyond a bound."""
    if tau > 1.5:
        raise ValueError("math domain error")
    return decay(a, tau, c)


MODELS = [decay, far_level, of_large_terms, root, logarithm, flat, refusing]
BOXES = [(-np.inf, np.inf), (0.999, 1.001), (1.0, 1.0), (1.0, np.inf), (-np.inf, 1.0)]


class Pair:
    """The specification and the compiled code on the same data, their calls noted apart."""

    def __init__(self, model, dtype, box=BOXES[0], free=(0, 1, 2), left_out=()):
        y, weight = np.cos(X).astype(dtype), np.linspace(1, 2, N).astype(dtype)
        for i in left_out:
            y[i], weight[i] = np.nan, 0
        self.calls, self.dtype = ([], []), np.dtype(dtype)
        sides = (
            np.array([-np.inf, box[0], -np.inf], dtype),
            np.array([np.inf, box[1], np.inf], dtype),
        )
        self.of = [
            kind(self.noting(model, calls), free, (y, weight), sides, self.dtype)
            for kind, calls in zip(
                (reference.differences.Differences, compiled.Differences), self.calls, strict=True
            )
        ]

    def noting(self, model, calls):
        def call(theta):
            calls.append([float(value) for value in theta])
            return model(*map(float, theta)).astype(self.dtype)

        return call

    def same_calls(self):
        """Assert that both were called at the same places, to the rounding of a step."""
        wanted, got = map(np.array, self.calls)
        assert wanted.shape == got.shape
        np.testing.assert_allclose(got, wanted, rtol=float(np.finfo(self.dtype).eps) ** 0.4)


def same(got, wanted, dtype):
    """Assert equal values, and derivatives that differ by less than their own error."""
    np.testing.assert_array_equal(got[0], wanted[0])
    assert got[0].dtype == got[1].dtype == dtype and got[1].shape == wanted[1].shape
    np.testing.assert_array_equal(np.isfinite(got[1]), np.isfinite(wanted[1]))
    finite = np.isfinite(wanted[1])
    size = np.abs(wanted[1][finite]).max(initial=0)
    close = 2 * max(wanted[2], float(np.finfo(dtype).eps) ** 0.5)
    np.testing.assert_allclose(got[1][finite], wanted[1][finite], rtol=close, atol=close * size)
    np.testing.assert_allclose(got[2], wanted[2], rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("model", MODELS)
def test_differences_are_their_specification(model, box, dtype):
    pair = Pair(model, dtype, box)
    rng = np.random.default_rng(1)
    with np.errstate(all="ignore"):
        for move in (0, 0.3, 0.01, 1e-4, 1e-9, 0, 0):
            tau = np.clip(1 + move * rng.uniform(-1, 1), *box)
            theta = np.array([2 + move, tau, 0.5 - move], dtype)
            wanted, got = (each(theta) for each in pair.of)
            same(got, wanted, dtype)
    pair.same_calls()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("model", [root, logarithm])
def test_where_a_value_ends_a_step_to_the_other_side_will_do(model, dtype):
    """At tau = X[4] the model has a value there, and none for a larger tau."""
    pair = Pair(model, dtype)
    with np.errstate(all="ignore"):
        for tau in (X[4], X[4] - 1e-3, X[4]):
            theta = np.array([2, dtype(tau), 0.5], dtype)
            wanted, got = (each(theta) for each in pair.of)
            same(got, wanted, dtype)
    pair.same_calls()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("free", [(), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("left_out", [(), (0, 7, N - 1), range(N)])
def test_any_parameters_and_points_may_be_left_out(free, left_out, dtype):
    pair = Pair(decay, dtype, free=free, left_out=left_out)
    for theta in ([2, 1, 0.5], [2.5, 1.2, 0.4], [2.5, 1.2, 0.4]):
        wanted, got = (each(np.array(theta, dtype)) for each in pair.of)
        same(got, wanted, dtype)
    pair.same_calls()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("model", MODELS)
def test_what_leads_a_first_attempt_is_its_specification(model, dtype):
    """Trials that come nearer, one that is rejected, one that repeats, and an end."""
    pair = Pair(model, dtype, left_out=(3,))
    leads = reference.differences.Leading(pair.of[0]), compiled_leading.Leading(pair.of[1])
    trials = [(9, 1.1, 3), (4, 1.05, 1.1), (1, 0.9, 0), (1e3, 0.9, 0), (0.9, 0.8, 0), (0.9, 0.8, 0)]
    with np.errstate(all="ignore"):
        for renews in (False, True):
            for trial in trials:
                theta = np.array(trial, dtype)
                wanted, got = (lead(theta, renews) for lead in leads)
                same(got[:3], wanted[:3], dtype)
                assert got[3] == wanted[3]
    pair.same_calls()


def test_a_parameter_that_is_no_number_has_no_derivatives_and_no_fault():
    pair = Pair(decay, np.float64, BOXES[3])
    for each in pair.of:
        f, J, _ = each(np.array([2, np.nan, 0.5]))
        assert np.isnan(f).all() and np.isnan(J[:, 1]).all()


def test_the_start_is_strict_and_later_trials_are_not():
    for each in Pair(refusing, np.float64).of:
        with pytest.raises(ValueError, match="math domain error"):
            each(np.array([2.0, 2.0, 0.5]))
        each(np.array([2.0, 1.0, 0.5]))
        assert np.isnan(each(np.array([2.0, 2.0, 0.5]))[0]).all()
        with pytest.raises(ValueError, match="math domain error"):
            each.strict(np.array([2.0, 2.0, 0.5]))


FOUR = np.ones(4)


def make(y=FOUR, weight=FOUR, low=FOUR[:2], free=(0, 1), call=lambda theta: FOUR):
    """Compiled differences of a constant, in a box that is one point."""
    return compiled.Differences(call, free, (y, weight), (low, FOUR[:2]), np.dtype(float))


def test_memory_is_never_read_beyond_an_array():
    theta = np.ones(2)
    for wrong in (
        {"weight": np.ones(3)},
        {"low": np.zeros(3)},
        {"free": (0, 2)},
        {"free": (-1,)},
    ):
        with pytest.raises(ValueError):
            make(**wrong)
    with pytest.raises(TypeError):
        make(y=np.ones(4, np.float32))
    with pytest.raises(ValueError):
        make()(np.ones(3))
    for value in (np.ones(3), np.ones(8)[::2]):
        with pytest.raises(ValueError):
            make(call=lambda theta, value=value: value)(theta)
    with pytest.raises(TypeError):
        make(call=lambda theta: None)(theta)
    with pytest.raises(TypeError):
        compiled_leading.Leading(None)
