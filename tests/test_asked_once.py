"""A function that is asked for its outputs is recorded by that; it is not called anew for a fit."""

import pickle

import numpy as np
import pytest

import thalweg as tw
from thalweg.model.trace import Symbol

X = np.linspace(0, 5, 20)
RNG = np.random.default_rng(0)
TRUTH = RNG.uniform([1, 1], [3, 4], (6, 2))


def noted(model):
    """The model, and the list of its calls with symbols."""
    calls = []

    def function(x, a, tau):
        if isinstance(a, Symbol):
            calls.append(x)
        return model(x, a, tau)

    return function, calls


def decay(x, a, tau):
    """A decay since the first x, so that numbers of x are part of what is recorded."""
    return a * np.exp(-(x - x.min()) / tau)


def plain(x, a, tau):
    """A decay that reads nothing of x as a whole."""
    return a * np.exp(-x / tau)


# How often a model is called with symbols: one that reads x also with another x, and once more
# with what was found out (thalweg.model.numbers_of_x).
CALLS = {plain: 1, decay: 3}


def batch(x, model=decay):
    return np.array([model(x, a, tau) for a, tau in TRUTH])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(6, 20), (2, 3, 20)])
@pytest.mark.parametrize("which", CALLS)
def test_a_batch_is_recorded_by_being_asked(which, shape, dtype):
    model, calls = noted(which)
    x = X.astype(dtype)
    r = tw.fit(model, x, batch(X, which).astype(dtype).reshape(shape), [1, 1], dtype=dtype)
    assert len(calls) == CALLS[which]
    assert r.success.all()
    np.testing.assert_allclose(
        r.params.reshape(-1, 2), TRUTH, rtol=1e-6 if dtype is np.float64 else 1e-3
    )


@pytest.mark.parametrize("x", [X.tolist(), X.astype(np.float32), X[::-1][::-1]])
def test_x_of_any_kind_is_recorded_as_it_is_fitted(x):
    y = batch(X)
    many, one = tw.fit(decay, x, y, [1, 1]), tw.fit(decay, x, y[2], [1, 1])
    assert np.array_equal(many.params[2], one.params)
    np.testing.assert_allclose(many.params, TRUTH, rtol=1e-6)


def test_narrowed_values_are_recorded_anew():
    x = X + 1e-9  # in float32 it is another x, and so is its least value
    y = batch(x)
    many, one = (tw.fit(decay, x, rows, [1, 1], dtype="float32") for rows in (y, y[2]))
    assert np.array_equal(many.params[2], one.params)


def test_points_along_another_axis():
    model, calls = noted(decay)
    r = tw.fit(model, X, batch(X).T, [1, 1], axis=0)
    assert len(calls) == CALLS[decay]
    np.testing.assert_allclose(r.params, TRUTH, rtol=1e-6)


def test_other_data_do_not_get_what_was_recorded_of_these():
    later = X + 3
    y, moved = batch(X), batch(later)
    first = tw.fit(decay, X, y, [1, 1])
    np.testing.assert_allclose(first.predict(later), moved, rtol=1e-6)
    own = np.array([X + k for k in range(6)])
    r = tw.fit(
        decay, own, np.array([decay(x, *t) for x, t in zip(own, TRUTH, strict=True)]), [1, 1]
    )
    np.testing.assert_allclose(r.params, TRUTH, rtol=1e-6)


def test_ties_and_names_change_the_function_that_is_recorded():
    y = batch(X)
    r = tw.fit(decay, X, y, {"a": 1, "tau": 1}, tied={"a": "2*tau"})
    assert np.array_equal(r["a"], 2 * r["tau"])


def test_results_are_pickled():
    def other(x, a, tau):
        return a * np.exp(-x / tau)

    r = tw.fit("a*exp(-x/tau)", X, batch(X), [1, 1], independent="x")
    assert np.array_equal(pickle.loads(pickle.dumps(r)).params, r.params)
    assert tw.fit(other, X, batch(X), [1, 1]).problem.data.asked is not None  # and it is empty
    again = pickle.loads(pickle.dumps(tw.fit(decay, X, batch(X), [1, 1])))
    np.testing.assert_allclose(again.predict(), batch(X), rtol=1e-6)
