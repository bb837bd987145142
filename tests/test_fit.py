"""What fit takes, and tolerances."""

import gc
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from byte_order import named
from fit_data import P0, X, Y
from problems import decay, gaussian, line

import thalweg as tw
from thalweg import SlowModelWarning
from thalweg.status import Status

# ---- every kind of array -------------------------------------------------------------------------


def strided(a):
    return np.repeat(a, 2, axis=-1)[..., ::2]


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


CONVERSIONS = {
    "strided": strided,
    "reversed twice": lambda a: a[..., ::-1].copy()[..., ::-1],
    "fortran": np.asfortranarray,
    "read-only": read_only,
    "big-endian": lambda a: a.astype(">f8"),
    "byte order named": named,
    "longdouble": lambda a: a.astype(np.longdouble),
    "object": lambda a: a.astype(object),
    "list": lambda a: a.tolist(),
    "masked, nothing masked": np.ma.array,
    "series": lambda a: pd.Series(a) if a.ndim == 1 else pd.DataFrame(a),
    "memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), offset=1).reshape(a.shape),
}


@pytest.mark.parametrize("kind", CONVERSIONS)
def test_every_kind_of_array_gives_the_same_bits(kind):
    convert = CONVERSIONS[kind]
    y, sigma = np.stack([Y, 2 * Y]), np.linspace(0.5, 1, 25)
    p0, lower, upper = np.array(P0), np.array([0.0, 0.1, -1]), np.array([9.0, 9, 9])
    plain = tw.fit(decay, X, y, p0, sigma=sigma, bounds=(lower, upper))
    other = tw.fit(
        decay,
        convert(X),
        convert(y),
        convert(p0),
        sigma=convert(sigma),
        bounds=(convert(lower), convert(upper)),
    )
    np.testing.assert_array_equal(other.params, plain.params)
    np.testing.assert_array_equal(other.cov, plain.cov)


def test_integers_and_booleans_are_numbers():
    x = np.arange(6)
    r = tw.fit(line, x, 3 * x + 1, (0, 1), sigma=np.ones(6, int), mask=[0, 0, 1, 0, 0, 0])
    np.testing.assert_allclose(r.params, [1, 3], rtol=1e-12)
    assert r.n_used == 5
    assert tw.fit(line, x, x > 2, (0, 1)).success


def test_pandas_columns_and_missing_values():
    frame = pd.DataFrame({"t": X, "signal": Y})
    frame.loc[4, "signal"] = None
    r = tw.fit(decay, frame["t"], frame["signal"], P0)
    assert r.success and r.n_used == 24
    nullable = frame["signal"].astype("Float64")
    np.testing.assert_array_equal(tw.fit(decay, frame.t, nullable, P0).params, r.params)


def test_inputs_are_never_changed():
    y = np.stack([Y, np.where(X < 0.2, np.nan, Y)])
    inputs = dict(
        x=X.copy(),
        y=y,
        p0=np.tile(P0, (2, 1)),
        sigma=np.full((2, 25), 0.1),
        mask=np.zeros((2, 25), bool),
        bounds=(np.zeros((2, 3)), np.full((2, 3), 9.0)),
        fixed=np.array([[False, False, True], [False, True, False]]),
    )
    before = {k: tuple(map(np.copy, v)) if k == "bounds" else v.copy() for k, v in inputs.items()}
    r = tw.fit(decay, **inputs)
    r.params[:] = r.chi2[...] = 0  # nor is a result a view of an input
    for name, value in before.items():
        for got, want in zip(np.atleast_1d(inputs[name]), np.atleast_1d(value), strict=True):
            np.testing.assert_array_equal(got, want)


def test_points_may_lie_along_any_axis_and_batches_have_any_shape():
    a = np.linspace(1, 3, 12).reshape(3, 4)
    cube = a[..., None] * np.exp(-X / 1.3)  # (3, 4, N)
    last = tw.fit("a*exp(-x/tau)", X, cube, {"a": 1.0, "tau": 1.0})
    assert last.params.shape == (3, 4, 2) and last.chi2.shape == (3, 4)
    np.testing.assert_allclose(last["a"], a, rtol=1e-9)
    for axis in (0, 1, -2, -1):
        moved = np.moveaxis(cube, -1, axis)
        r = tw.fit("a*exp(-x/tau)", X, moved, {"a": 1.0, "tau": 1.0}, axis=axis)
        np.testing.assert_array_equal(r.params, last.params)
    p0 = {"a": np.full((3, 4), 1.0), "tau": 1.0}
    np.testing.assert_array_equal(tw.fit("a*exp(-x/tau)", X, cube, p0).params, last.params)


# ---- the same however it is said -----------------------------------------------------------------


def test_the_reason_of_a_fit_is_asked_for_by_its_index():
    x, y = np.arange(5.0), np.zeros((2, 3, 5))
    y[0, 0] = np.inf
    r = tw.fit("a*x", x, y, p0=1)
    words = r.reason(*r.failed()[0])
    assert "y is not finite" in words and words == r.reason(0, 0) == r.reason((0, 0))
    for index in ([], [1], [(1,)], [1, 2, 0]):
        with pytest.raises(IndexError, match=r"shape \(2, 3\) need an index of 2 numbers"):
            r.reason(*index)
    one = tw.fit("a*x", x, x, p0=1)
    assert one.reason(()) == one.reason()


def test_names_places_and_dicts_say_the_same():
    plain = tw.fit(decay, X, Y, P0, bounds=([0, 0.5, -np.inf], [9, np.inf, np.inf]))
    named = tw.fit(
        decay,
        X,
        Y,
        {"c": 0.0, "tau": 1.0, "a": 2.0},
        bounds={"a": (0, 9), "tau": (0.5, None)},
    )
    np.testing.assert_array_equal(named.params, plain.params)
    held = tw.fit(decay, X, Y, {"a": 2.0, "tau": 1.0, "c": 0.5}, fixed=["c"])
    for fixed in ({"c": 0.5}, "c", [False, False, True], np.array([False, False, True])):
        same = tw.fit(decay, X, Y, {"a": 2.0, "tau": 1.0, "c": 0.5}, fixed=fixed)
        np.testing.assert_array_equal(same.params, held.params)
        np.testing.assert_array_equal(same.cov, held.cov)
    assert held["c"] == 0.5 and held.stderr[2] == 0


def test_values_that_are_fixed_may_differ_from_fit_to_fit():
    y = np.stack([Y, Y])
    r = tw.fit(decay, X, y, P0, fixed={"tau": np.array([1.0, 1.5])})
    np.testing.assert_array_equal(r["tau"], [1.0, 1.5])
    for k in range(2):
        one = tw.fit(decay, X, Y, P0, fixed={"tau": r["tau"][k]})
        np.testing.assert_array_equal(one.params, r.params[k])


# ---- tolerances ----------------------------------------------------------------------------------


def test_max_iter_counts_trial_steps():
    whole = tw.fit(decay, X, Y, (9.0, 0.1, 3.0))
    assert whole.success and whole.n_iter > 3
    path = [tw.fit(decay, X, Y, (9.0, 0.1, 3.0), max_iter=k) for k in range(whole.n_iter)]
    assert [r.n_iter for r in path] == list(range(whole.n_iter))
    assert all(r.status == Status.MAX_ITER and not r.success for r in path)
    np.testing.assert_array_equal(path[0].params, [9.0, 0.1, 3.0])
    chi2 = [float(r.chi2) for r in path]
    noise = 1e-12 * chi2[-1]
    assert all(after <= before + noise for before, after in pairwise(chi2))
    same = tw.fit(decay, X, Y, (9.0, 0.1, 3.0), max_iter=int(whole.n_iter) + 1)
    np.testing.assert_array_equal(same.params, whole.params)


@pytest.mark.parametrize(
    ("name", "status"), [("xtol", Status.XTOL), ("ftol", Status.FTOL), ("gtol", Status.GTOL)]
)
def test_each_tolerance_stops_by_its_own_test(name, status):
    """The others at 0 never hold; a wider tolerance stops no later."""
    off = dict(xtol=0.0, ftol=0.0, gtol=0.0)
    steps = []
    for value in (1e-2, 1e-4, 1e-7):
        r = tw.fit(decay, X, Y, P0, **(off | {name: value}))
        assert r.status == status, r.reason()
        assert f"{name}" in r.reason()
        steps.append(int(r.n_iter))
    assert steps == sorted(steps)


def test_a_rejected_step_is_no_convergence():
    """However wide the tolerances, a trial step that was not kept stops nothing."""

    def cliff(x, a):  # falls off where the first step leads
        return np.where(a > 0.9, 100.0, a * x)

    x = np.linspace(1, 2, 20)
    wide = dict(xtol=5.0, ftol=0.5, gtol=0.0)
    one = tw.fit(cliff, x, x, [0.0], max_iter=1, **wide)  # the step to 1 is rejected
    assert one.status == Status.MAX_ITER and one["a"] == 0.0
    r = tw.fit(cliff, x, x, [0.0], **wide)
    assert r.n_iter > 1 and 0 < r["a"] <= 0.9


def test_tolerances_are_relative_to_chi2():
    """A chi2 of 1e-20 is no reason to stop: another library's tolerance on chi2 is absolute."""
    r = tw.fit(decay, X, Y * 1e-12, (2e-12, 1.0, 0.0))
    np.testing.assert_allclose(r["tau"], tw.fit(decay, X, Y, P0)["tau"], rtol=1e-8)
    assert r.chi2 < 1e-20 and r.success


def test_single_precision_gives_four_digits():
    rng = np.random.default_rng(0)
    truth = rng.uniform([2, 1.5, 0.4, 0], [5, 2.5, 0.8, 2], (200, 4))
    y = gaussian(X, *truth.T[..., None]) + 0.01 * rng.standard_normal((200, 25))
    double = tw.fit(gaussian, X, y, truth * 1.1)
    single = tw.fit(gaussian, X, y, truth * 1.1, dtype=np.float32)
    assert double.success.all() and single.success.all()
    for r in (single.params, single.stderr, single.chi2, single.cov):
        assert r.dtype == np.float32
    np.testing.assert_allclose(single.params, double.params, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(single.stderr, double.stderr, rtol=1e-3)
    np.testing.assert_allclose(single.chi2, double.chi2, rtol=1e-3)


# ---- models that are called ----------------------------------------------------------------------


def test_a_model_that_cannot_be_recorded_is_called_and_says_where():
    def stubborn(x, a, tau, c):
        if a > 1e9:  # a branch on the numbers
            return x
        return a * np.exp(-x / tau) + c

    y = np.stack([Y, np.where(X < 0.3, np.nan, 2 * Y), np.full(25, np.nan)])
    with pytest.warns(SlowModelWarning, match=r"test_fit\.py.*line \d+|test_fit\.py:\d+") as caught:
        slow = tw.fit(stubborn, X, y, P0, bounds=([0, 0, -9], [9, 9, 9]))
    assert len(caught) == 1
    fast = tw.fit(decay, X, y, P0, bounds=([0, 0, -9], [9, 9, 9]))
    assert slow.success.tolist() == [True, True, False]
    np.testing.assert_array_equal(slow.success, fast.success)
    np.testing.assert_array_equal(slow.n_used, fast.n_used)
    # derivatives by differences have an error of eps^(2/3), 4e-11, and so has the point of no
    # gradient; errors follow the derivatives
    np.testing.assert_allclose(slow.params[:2], fast.params[:2], rtol=1e-7)
    np.testing.assert_allclose(slow.cov[:2], fast.cov[:2], rtol=1e-6)
    np.testing.assert_allclose(slow.predict()[:2], fast.predict()[:2], rtol=1e-7)


@pytest.mark.parametrize("call", [tw.fit, tw.curve_fit])
def test_a_call_leaves_nothing_to_the_garbage_collector(call):
    """A loop of small fits would keep the memory of hundreds of recordings until the next round."""
    call(decay, X, Y, P0)
    gc.collect()
    gc.disable()
    try:
        call(decay, X, Y, P0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_recordable_models_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tw.fit(decay, X, Y, P0).success
