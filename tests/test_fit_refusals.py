"""What fit refuses, each in one sentence."""

import numpy as np
import pytest
from fit_data import P0, X, Y
from problems import decay

import thalweg as tw
from thalweg.status import Status

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
        (dict(axis=1), "axis 1 is out of range: y has 1 axis, so axis is 0 or -1"),
        (dict(axis=(0, 0)), "axis must name one axis of y or several different ones"),
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
        (dict(p0=None), "p0 is needed: give a start for a, tau, c"),
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
        (dict(y=Y + 0j), "y is complex, but the model decay is real"),
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


@pytest.mark.parametrize("name", ["x_sigma", "sigma_x", "xerr", "sx"])
def test_errors_in_x_are_refused_with_the_reason_and_the_cure(name):
    with pytest.raises(TypeError, match="takes x as exact: add the effect of errors in x to sigma"):
        tw.fit(decay, X, Y, P0, **{name: 0.1})


@pytest.mark.parametrize("fits", [(), (3,)])
@pytest.mark.parametrize("own", [False, True])
def test_a_covariance_matrix_of_y_is_refused_with_the_way_out(fits, own):
    y = np.tile(Y, (*fits, 1))
    sigma = np.tile(np.eye(len(X)), (*fits, 1, 1)) if own else np.eye(len(X))
    with pytest.raises(ValueError, match=r"a covariance matrix of y: thalweg\.curve_fit takes one"):
        tw.fit(decay, X, y, P0, sigma=sigma)


@pytest.mark.parametrize("p0", [{"b": 1.0}, [1.0, 1.0], None])
@pytest.mark.parametrize("tied", ["a=b", [("a", "b")], ("a",), 3])
def test_ties_that_are_no_dict_are_refused_whatever_p0_is(tied, p0):
    with pytest.raises(TypeError, match=r'tied must be a dict .* such as {"s2": "s1"}, got'):
        tw.fit("a*x + b", [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], p0=p0, tied=tied)


def test_a_ufunc_has_the_parameters_that_it_computes_with():
    x = np.linspace(0.1, 1, 5)
    with pytest.raises(ValueError, match="sin has no parameters to fit"):
        tw.fit(np.sin, x, x, p0=[1.0])
    assert tw.models.of(np.arctan2).names == ("x2",)
    r = tw.fit(np.arctan2, x, np.arctan2(x, 0.7), p0=[1.0])
    assert r.success and abs(r["x2"] - 0.7) < 1e-9


@pytest.mark.parametrize("index", [3, -4, None, "a", 1.5, slice(1)])
def test_what_picks_no_fit_is_refused_in_one_sentence(index):
    r = tw.fit(decay, X, np.tile(Y, (3, 1)), P0)
    for ask in (r.reason, r.plot, r.profile("a").reason):
        with pytest.raises(IndexError, match=r"the index .* does not pick one fit of a batch of s"):
            ask(index)


@pytest.mark.parametrize("other", [None, 3, "a*x", []])
def test_only_results_are_compared(other):
    with pytest.raises(TypeError, match="compare takes the result of another fit, as"):
        tw.fit(decay, X, Y, P0).compare(other)


async def later(x, a):
    return a * x


def one_by_one(x, a):
    yield from a * x


@pytest.mark.parametrize("model", [later, one_by_one])
def test_functions_that_return_no_numbers_are_refused_before_they_are_called(model):
    with pytest.raises(TypeError, match=r"is a generator or an async function, .* def and return"):
        tw.fit(model, X, Y, [1.0])


@pytest.mark.parametrize(
    ("model", "error", "sentence"),
    [
        (lambda x, a: (y for y in a * x), TypeError, "must return real numbers, got a generator"),
        (lambda x, a: object(), TypeError, "must return real numbers, got a object"),
        (lambda x, a: (a * x, a), ValueError, "got a tuple of parts of different shapes"),
    ],
)
def test_what_a_model_returns_in_place_of_numbers_is_named(model, error, sentence):
    with pytest.raises(error, match=sentence):
        tw.fit(model, X, Y, [1.0])


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        (dict(y=np.tile(Y, (3, 1)).T), ValueError, "; axis= names the axis of y along which its"),
        (dict(y=Y[:, None]), ValueError, "; axis= names the axis of y along which its points lie"),
        (dict(x=X[:, None]), ValueError, r"; x\.ravel\(\) has it"),
        (dict(x=None), TypeError, "x must be numbers, got None"),
        (dict(y=None), TypeError, "y must be numbers, got None"),
        (dict(callback=3), TypeError, "callback must be callable, got int"),
    ],
)
def test_data_that_lie_otherwise_are_refused_with_the_cure(changes, error, sentence):
    arguments = {"x": X, "y": Y, **changes}
    with pytest.raises(error, match=sentence):
        tw.fit(decay, p0=P0, **arguments)


@pytest.mark.parametrize("jac", [3, True, "4-point", [1.0]])
def test_a_jac_that_scipy_would_not_take_is_refused(jac):
    with pytest.raises(
        ValueError, match="jac must be a function, 2-point, 3-point, cs or None, got"
    ):
        tw.curve_fit(decay, X, Y, P0, jac=jac)
