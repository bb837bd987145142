"""What `thalweg.fit` takes, refuses and promises to leave alone; how it is stopped."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from problems import decay, gaussian, line

import thalweg as tw
from thalweg import SlowModelWarning
from thalweg.status import Status

X = np.linspace(0, 4, 25)
Y = decay(X, 3, 1.2, 0.5) + 0.01 * np.cos(31 * X)
P0 = (2.0, 1.0, 0.0)


# ---- refusals: one sentence ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(x=X[:-1]), r"x must have shape \(N=25,\), got \(24,\)"),
        (dict(sigma=np.ones(24)), r"sigma must have shape \(N=25,\), got \(24,\)"),
        (dict(sigma=np.ones((2, 25))), r"sigma must have shape \(N=25,\), got \(2, 25\)"),
        (dict(mask=np.ones(3, bool)), r"mask must have shape \(N=25,\), got \(3,\)"),
        (dict(p0=[1.0, 2.0]), r"p0 must have shape \(P=3,\), got \(2,\)"),
        (dict(p0=np.ones((4, 3))), r"p0 must have shape \(P=3,\), got \(4, 3\)"),
        (dict(bounds=([0, 0], [1, 1])), r"lower bounds must have shape \(P=3,\), got \(2,\)"),
        (dict(bounds=3.0), r"bounds must be a pair \(lower, upper\) or a dict name -> pair"),
        (dict(bounds={"a": 3.0}), r"bounds\['a'\] must be a pair \(lower, upper\), got 3.0"),
        (dict(fixed=[True, False]), r"fixed must have shape \(P=3,\), got \(2,\)"),
        (dict(y=np.float64(3.0)), "y must have at least one axis of points, got a number"),
        (dict(axis=1), "axis must name axes of y, which has 1, got 1"),
        (dict(axis=(0, 0)), "axis must name axes of y"),
    ],
)
def test_wrong_shapes_are_named(changes, sentence):
    refused(ValueError, sentence, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(p0={"a": 1, "tua": 1, "c": 0}), "p0 names 'tua', .* did you mean 'tau'"),
        (dict(p0={"a": 1, "tau": 1}), "p0 must give every parameter; c missing"),
        (dict(bounds={"Tau": (0, 1)}), "bounds names 'Tau', .* did you mean 'tau'"),
        (dict(fixed=["C"]), "fixed names 'C', but the parameters are a, tau, c"),
        (dict(fixed={"ta": 1.0}), "fixed names 'ta', .* did you mean 'tau'"),
        (dict(fixed="b"), "fixed names 'b', but the parameters are a, tau, c"),
    ],
)
def test_unknown_names_are_met_with_the_nearest(changes, sentence):
    refused(ValueError, sentence, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(p0=None), "p0 is needed: a start for a, tau, c"),
        (
            dict(p0=(2.0, -1.0, 0.0), bounds=(0, 9)),
            r"p0 of tau must be finite and inside its bounds",
        ),
        (dict(p0=(2.0, np.nan, 0.0)), "p0 of tau must be finite and inside its bounds"),
        (dict(p0=(2.0, np.inf, 0.0)), "p0 of tau must be finite and inside its bounds"),
        (dict(bounds=(3, 1)), "the lower bound of a exceeds the upper one"),
        (dict(bounds={"tau": (3, 1)}), "the lower bound of tau exceeds the upper one"),
        (dict(sigma=np.where(X == X[3], 0, 1.0)), "sigma must be positive, got 0.0 at point 3"),
        (dict(sigma=np.full(25, -1.0)), "sigma must be positive, got -1.0 at point 0"),
        (dict(sigma=np.full(25, np.nan)), "sigma must be positive, got nan at point 0"),
        (dict(xtol=-1), "xtol must be a number >= 0, got -1"),
        (dict(ftol=np.nan), "ftol must be a number >= 0, got nan"),
        (dict(gtol=np.inf), "gtol must be a number >= 0, got inf"),
        (dict(max_iter=-1), "max_iter must be a whole number"),
        (dict(max_iter=2.5), "max_iter must be a whole number"),
        (dict(max_iter="many"), "max_iter must be a whole number, got 'many'"),
        (dict(threads=0), "threads must be a whole number from 1"),
        (dict(threads=-2), "threads must be a whole number from 1"),
    ],
)
def test_wrong_values_are_named(changes, sentence):
    refused(ValueError, sentence, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(y=Y + 0j), "y must be real, got complex numbers"),
        (dict(x=X.astype("m8[s]")), "x must be numbers, got dates"),
        (dict(x=np.arange(25).astype("M8[D]")), "x must be numbers, got dates"),
        (dict(y=np.array(["a"] * 25)), "y must be numbers, got an array of <U1"),
        (
            dict(y=np.array([1.0] * 24 + ["b"], object)),
            "y must be numbers, got 'b' in an object array",
        ),
        (dict(p0=["1", "two", "3"]), "p0 must be numbers"),
        (dict(sigma=[None] * 25), "sigma must be numbers|sigma must be positive"),
        (dict(mask=X), "mask must hold booleans, got float64"),
        (dict(fixed=[1.0, 0.0, 0.0]), "fixed must be names, a dict name -> value, or booleans"),
        (dict(dtype=np.float16), "dtype must be float64 or float32, got float16"),
        (dict(dtype=int), "dtype must be float64 or float32, got int64"),
        (dict(model=3), "model must be a function, a formula or a built-in model, got int"),
    ],
)
def test_what_is_not_a_number_is_refused(changes, sentence):
    refused((TypeError, ValueError), sentence, **changes)


def refused(error, sentence, model=decay, x=X, y=Y, p0=P0, **options):
    with pytest.raises(error, match=sentence) as caught:
        tw.fit(model, x, y, p0, **options)
    assert "\n" not in str(caught.value)


def test_what_is_wrong_for_one_fit_of_many_is_a_status_of_that_fit():
    y = np.tile(Y, (6, 1))
    y[1] = np.nan
    y[2, 3:] = np.nan
    y[2, 0] = np.nan  # two points are left for three parameters
    y[3, 4] = -np.inf
    sigma = np.ones((6, 25))
    sigma[4, 7] = 0
    p0 = np.tile(P0, (6, 1))
    p0[5, 2] = np.nan
    r = tw.fit(decay, X, y, p0, sigma=sigma)
    names = [Status(s).name for s in r.status]
    wrong = ["TOO_FEW_POINTS", "TOO_FEW_POINTS", "NOT_FINITE", "BAD_SIGMA", "BAD_START"]
    assert names[1:] == wrong and r.success.tolist() == [True] + [False] * 5
    assert r.failed().tolist() == [1, 2, 3, 4, 5]
    assert "y is not finite" in r.reason(3)
    assert "the start of c" in r.reason(5)
    assert np.isnan(r.params[1:]).all() and np.isnan(r.stderr[1:]).all()
    assert r.n_used.tolist()[1:3] == [0, 2]


@pytest.mark.parametrize("n_points", [0, 1, 2, 3])
def test_fewer_points_than_parameters_is_a_status(n_points):
    r = tw.fit(decay, X[:n_points], Y[:n_points], P0)
    expected = Status.TOO_FEW_POINTS if n_points < 3 else None
    assert expected is None or r.status == expected
    assert r.n_used == n_points
    assert tw.fit(decay, X[:n_points], Y[:n_points], P0, fixed=["a", "tau", "c"]).n_used == n_points


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2)])
def test_an_empty_batch_gives_an_empty_result(shape):
    r = tw.fit(decay, X, np.empty((*shape, 25)), P0)
    assert r.params.shape == (*shape, 3) and r.cov.shape == (*shape, 3, 3)
    assert r.chi2.shape == r.status.shape == r.success.shape == shape
    assert r.predict().shape == (*shape, 25)


@pytest.mark.parametrize("per_fit", [False, True])
def test_predictions_of_a_batch_are_those_of_its_fits(per_fit):
    shift = np.array([[0.0], [0.25], [0.5]])
    x = X + shift if per_fit else X
    r = tw.fit(decay, x, np.stack([Y, 2 * Y, 3 * Y]), P0)
    for k in range(3):
        alone = decay(X + shift[k] if per_fit else X, *r.params[k])
        np.testing.assert_allclose(r.predict()[k], alone, rtol=1e-13)
        np.testing.assert_allclose(r.predict(X[::2])[k], decay(X[::2], *r.params[k]), rtol=1e-13)


def test_a_model_may_hold_an_array_of_the_shape_of_a_grid():
    y, x = np.mgrid[:4, :5].astype(float)
    flat = 1 + 0.1 * np.cos(x * y)

    def image(xy, height, width):
        return flat * height * np.exp(-((xy[0] - 2) ** 2 + (xy[1] - 1) ** 2) / width)

    def unrecorded(xy, height, width):
        return image(xy, height, width) if height < 1e300 else 0.0

    data = np.stack([image((x, y), h, 2.0) for h in (1.0, 3.0)])
    fast = tw.fit(image, (x, y), data, [2.0, 3.0])
    with pytest.warns(tw.SlowModelWarning):
        slow = tw.fit(unrecorded, (x, y), data, [2.0, 3.0])
    for r in (fast, slow):
        np.testing.assert_allclose(r.params, [[1, 2], [3, 2]], rtol=1e-7)
        np.testing.assert_allclose(r.predict(), data, rtol=1e-7)


def test_a_model_without_free_parameters_gives_its_chi2():
    r = tw.fit(decay, X, Y, P0, fixed=["a", "tau", "c"])
    assert r.success and r.dof == 25 and not r.cov.any()
    np.testing.assert_allclose(r.chi2, np.sum((Y - decay(X, *P0)) ** 2), rtol=1e-13)
    np.testing.assert_array_equal(r.params, P0)


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


def test_recordable_models_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tw.fit(decay, X, Y, P0).success
