"""Where numbers end: what a fit says there, and what it never says."""

import pickle

import numpy as np
import pytest

import thalweg as tw
from thalweg._core import engine
from thalweg.fitting import rescale
from thalweg.fitting.options import options_for
from thalweg.model.autodiff import gradient
from thalweg.model.functions import voigt_profile
from thalweg.model.graph import evaluate
from thalweg.model.tape import compile_model
from thalweg.model.trace import record
from thalweg.model.units import STEP, in_units
from thalweg.reference.damped import levenberg_marquardt
from thalweg.status import Status, explain

X = np.arange(5.0)
Y = np.array([1.0, 3.1, 4.9, 7.0, 9.1])
pytestmark = pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")


def test_errors_are_kept_where_variances_are_no_numbers():
    unit = np.array([[1e200, 1e200], [1.0, 1.0], [1e-200, 1e-200]])
    r = tw.fit("a*x + b", X, unit[:, :1] * Y, p0=0.5 * unit)
    want = tw.fit("a*x + b", X, Y, p0=[0.5, 0.5])
    assert r.success.all()
    assert r.stderr / unit == pytest.approx(np.tile(want.stderr, (3, 1)), rel=1e-9)
    assert np.isinf(r.cov[0]).all() and (r.cov[2] == 0).all() and np.isfinite(r.cov[1]).all()
    again = pickle.loads(pickle.dumps(r))
    np.testing.assert_array_equal(again.stderr, r.stderr)
    assert "1.000e+200" not in r.summary()
    frame = r.columns()
    assert frame["a_stderr"] / unit[:, 0] == pytest.approx(want.stderr[0], rel=1e-9)


@pytest.mark.parametrize("unit", [1e100, 1e-100])
def test_chi2_has_the_unit_of_y_squared(unit):
    r, want = (tw.fit("a*x + b", X, u * Y, p0=[0.5 * u, 0.5 * u]) for u in (unit, 1.0))
    assert r.chi2 / unit**2 == pytest.approx(want.chi2, rel=1e-9)


@pytest.mark.parametrize("unit", [1e200, 1e-200])
@pytest.mark.parametrize("way", ["plain", "whitened", "jacobian"])
def test_curve_fit_says_that_a_variance_is_no_number(unit, way):
    options = {}
    function = "a*x + b"
    if way == "whitened":
        options["sigma"] = np.eye(5) + 0.3 * np.eye(5, k=1) + 0.3 * np.eye(5, k=-1)
    if way == "jacobian":

        def function(x, a, b):
            return np.array([float(a) * v + float(b) for v in x])

        options["jac"] = lambda x, a, b: np.stack([x, np.ones_like(x)], axis=1)
    want, _ = tw.curve_fit(function, X, Y, p0=[1, 1], **options)
    with pytest.warns(tw.CovarianceWarning, match="a variance leaves the range of numbers"):
        popt, _ = tw.curve_fit(function, X, unit * Y, p0=[unit, unit], **options)
    assert popt / unit == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize(("dtype", "far"), [(np.float64, 1e300), (np.float32, 1e37)])
def test_a_start_beyond_all_of_y_is_named(dtype, far):
    r = tw.fit("a*x", X, X, p0=[far], dtype=dtype)
    assert r.status == Status.RANGE
    assert r.reason() == (
        "chi2 at the start leaves the range of the arithmetic in any unit; "
        "start nearer to the data, or fit in float64"
    )


@pytest.mark.parametrize(("dtype", "far"), [(np.float64, 1e100), (np.float32, 1e15)])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_start_far_from_the_data_is_brought_back(dtype, far, direction):
    r = tw.fit("a*x + b", X, Y, p0=[far**direction, far**direction], dtype=dtype)
    want = tw.fit("a*x + b", X, Y, p0=[1, 1], dtype=dtype)
    assert r.success
    assert r.params == pytest.approx(want.params, rel=1e-3 if dtype is np.float32 else 1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_slope_whose_column_has_no_square_is_found_from_any_start(dtype):
    small = 1e-200 if dtype is np.float64 else 1e-25
    want = tw.fit("a*x + b", X, Y, p0=[1, 1], dtype=dtype)
    for start in (0.0, 1.0):
        r = tw.fit("a*x + b", X * small, Y, p0=[start, 1.0], dtype=dtype)
        assert r.success, r.reason()
        assert r.params * [small, 1] == pytest.approx(want.params, rel=1e-4)
        assert r.stderr * [small, 1] == pytest.approx(want.stderr, rel=1e-3)


def test_sigma_may_follow_y_over_two_hundred_decades():
    t = np.linspace(0, 460, 80)
    y = 3 * np.exp(-t / 1.1) * (1 + 0.01 * np.sin(9 * t))
    r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 2.9, "tau": 1.1}, sigma=0.01 * y, independent="t")
    assert r.success
    assert r["tau"] == pytest.approx(1.1, rel=1e-4)
    # every point counts as much as every other: the errors are those of the fit of log y
    logs = tw.fit("log(a) - t/tau", t, np.log(y), p0={"a": 2.9, "tau": 1.1}, independent="t",
                  sigma=np.full(80, 0.01))  # fmt: skip
    assert r.stderr == pytest.approx(logs.stderr, rel=0.05)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_huge_sigma_leaves_its_point_out(dtype):
    sigma = np.where(X == 2, 1e30, 1.0)
    got = tw.fit("a*x + b", X, np.where(X == 2, 77, Y), p0=[1, 1], sigma=sigma, dtype=dtype)
    want = tw.fit("a*x + b", X, Y, p0=[1, 1], mask=X == 2, dtype=dtype)
    assert got.params == pytest.approx(want.params, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [1, -150, 150])
def test_nothing_is_exact_by_underflow(dtype, size):
    unit = 10.0**size if dtype is np.float64 else 10.0 ** (size // 6)
    # residuals alone, as for SciPy's least_squares: y is 0, and so is sum y^2
    r = tw.fit("a*x + b - u*(2*x + cos(9*x))", X, np.zeros(5), fixed={"u": unit}, dtype=dtype,
               p0={"a": unit, "b": unit, "u": unit})  # fmt: skip
    want = tw.fit("a*x + b", X, 2 * X + np.cos(9 * X), p0=[1, 1])
    assert r.success and r.status != Status.EXACT
    assert r.params[:2] / unit == pytest.approx(want.params, rel=1e-3)
    assert r.stderr[:2] / unit == pytest.approx(want.stderr, rel=1e-2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_variance_that_leaves_the_range_at_the_end_keeps_its_error(dtype):
    small = 1e-70 if dtype is np.float64 else 1e-14  # sums at the start are in range
    y = Y * (1e70 if dtype is np.float64 else 1e5)
    for start in (0.0, 1.0):
        r = tw.fit(lambda x, a, b: a * x + small * b, X, y, p0=[start, start], dtype=dtype)
        want = tw.fit("a*x + b", X, Y, p0=[1, 1])
        unit = np.array([y[0] / Y[0], y[0] / Y[0] / small])
        assert r.success
        assert r.stderr / unit == pytest.approx(want.stderr, rel=1e-3)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("power", range(0, 36, 3))
def test_powers_of_a_width_inside_a_derivative_keep_their_digits(power, direction):
    unit = 10.0 ** (power * direction)
    x = np.linspace(-3, 3, 40)
    y = 2 * np.exp(-((x - 0.3) ** 2) / 2) + 0.01 * np.cos(17 * x)
    want = tw.fit("gaussian", x, y, p0=[1.8, 0.2, 1.1, 0.1])
    r = tw.fit("gaussian", x * unit, 1e8 * y, dtype=np.float32,
               p0=[1.8e8, 0.2 * unit, 1.1 * unit, 1e7])  # fmt: skip
    units = [1e8, unit, unit, 1e8]
    assert r.success
    assert r.params / units == pytest.approx(want.params, abs=1e-4)
    assert r.stderr / units == pytest.approx(want.stderr, rel=1e-3)


def test_data_that_are_zero_are_fitted_exactly():
    r = tw.fit("a*exp(-x/tau)", X, np.zeros((3, 5)), p0={"a": 0, "tau": 1})
    assert (r["a"] == 0).all() and (r.chi2 == 0).all()


def test_a_model_without_a_value_is_still_said_to_have_none():
    r = tw.fit("a*log(x - 9)", X, np.array([Y, 1e-200 * Y]), p0=[1.0])
    assert (r.status == Status.NOT_FINITE).all()
    assert r.reason(0) == r.reason(1) == "the model or chi2 at the start is not finite"


@pytest.mark.parametrize("n_fits", [1, 6])
def test_stops_and_exceptions_keep_what_was_finished_in_other_units(n_fits):
    seen = []

    def stop(done, total):
        seen.append((done, total))
        return len(seen) == 2

    y = 1e200 * np.tile(Y, (n_fits, 1))

    def called(x, a, b):
        return np.array([float(a) * v + float(b) for v in x])

    r = tw.fit(called, X, y, p0=[1e200, 1e200], callback=stop)
    assert all(done <= total == n_fits for done, total in seen)
    assert set(np.unique(r.status)) <= {0, Status.FTOL, Status.XTOL, Status.GTOL}

    def fail(done, total):
        if len(seen) > n_fits:
            raise ZeroDivisionError
        seen.append(done)

    seen.clear()
    with pytest.raises(ZeroDivisionError) as caught:
        tw.fit(called, X, y, p0=[1e200, 1e200], callback=fail)
    assert 1 <= np.count_nonzero(caught.value.result.success) <= n_fits


@pytest.mark.parametrize("seed", range(60))
def test_the_engine_refuses_what_its_specification_refuses(seed):
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.choice([0, 0, 60, -60, 75, -75, 78, 120, -140, 200, -200], size=4)
    start = np.array([1.5 * sizes[0], 1.2]) * rng.choice([1, 1, 1, 0, 1e-90, 1e90], size=2)
    x, y = X * sizes[1], Y * sizes[2] * rng.choice([1, 1, 0])
    sigma = sizes[3] * (1 + X)

    def line(theta):
        return theta[0] * x + theta[1], np.stack([x, np.ones(5)], axis=1)

    with np.errstate(all="ignore"):  # what is not refused may leave the range later
        want = levenberg_marquardt(line, y, start, sigma=sigma, max_iter=30)
    graph, output, _ = record(lambda x, a, b: a * x + b, 1, 2, 5, single=True)
    out = {
        "theta": np.empty((1, 2)), "covariance": np.empty((1, 3)), "chi2": np.empty(1),
        "n_iter": np.empty(1, np.int32), "n_used": np.empty(1, np.int64),
        "status": np.zeros(1, np.int8), "detail": np.empty(1, np.int32),
    }  # fmt: skip
    engine.Job(
        compile_model(graph, output, (0, 1)).tape, False, 1, 5, x=[(x, 0)], y=y, start=(start, 0),
        sigma=(sigma, 0), out=out,
        options=options_for(np.dtype(float), 2, max_iter=30, attempts=1),
    ).run(1)  # fmt: skip
    refused = {"RANGE", "NOT_FINITE"}
    got = Status(int(out["status"][0])).name
    assert ({got, want.status} & refused == set()) or (got, out["detail"][0]) == (
        want.status,
        want.detail,
    )


FORMULAS = {
    "products": lambda x, a, b, c: a * x / b**2 + c * np.sqrt(abs(x * b)) / x,
    "sums": lambda x, a, b, c: (x - b) ** 2 / (2 * c**2) + a / (1 + (x / b) ** 2),
    "functions": lambda x, a, b, c: a * np.exp(-x / b) * np.cos(x / c) + a * np.arctan2(x, b),
    "powers": lambda x, a, b, c: a * x**c / b**c + a * (x / b) ** 1.5,
    "choices": lambda x, a, b, c: np.where(x > b, a * x, a * np.maximum(x, b)) * np.minimum(x, c),
    "lengths": lambda x, a, b, c: a * np.hypot(x, b) / np.hypot(a, c) + a * voigt_profile(x, b, c),
    "parts": lambda x, a, b, c: (3 * x) // b * a + (a * x) % c,
    "quotients": lambda x, a, b, c: a * (x / (x + b) + x * (x + b)) + x**c / (x + b) ** c,
    "power of powers": lambda x, a, b, c: a * (x**c) ** b + (x**c + a) * (x**c / b**c),
    "roots": lambda x, a, b, c: a * (x**0.33 + b**0.125 + c**0.2) * np.cbrt(x * b) * b**0.125,
    "whole quotients": lambda x, a, b, c: a * np.floor(x**c / b**c) + a * np.floor(x / b),
    "constants": lambda x, a, b, c: 6.62607e-34 * a * x / 1.380649e-23 + c * 3e100 * (b / 3e100),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_a_model_in_other_units_is_the_same_model(name):
    rng, K, P = np.random.default_rng(0), 7, 3
    graph, output, _ = record(FORMULAS[name], 1, P, 9, single=True)
    x, theta = rng.uniform(0.5, 2, size=9), rng.uniform(0.5, 2, size=(K, P))
    of_x = np.full((K, 1), 2 * STEP)
    of_theta = STEP * rng.integers(-3, 4, size=(K, P))
    of_value = rng.integers(-40, 40, size=K)
    new, place, factors = in_units(graph, output, of_x, of_theta, of_value)
    for k in range(K):
        wanted = [output, *gradient(graph, output, [graph.theta(j) for j in range(P)])]
        want = evaluate(graph, wanted, [x], theta[k])
        other = np.concatenate([np.ldexp(theta[k], -of_theta[k]), np.ldexp(1.0, factors[k])])
        found = [place, *gradient(new, place, [new.theta(j) for j in range(P)])]
        got = evaluate(new, found, [np.ldexp(x, -of_x[k, 0])], other)
        back = [of_value[k], *(of_value[k] - of_theta[k])]
        for a, b, e in zip(want, got, back, strict=True):
            np.testing.assert_allclose(np.ldexp(b, e), a, rtol=0, atol=1e-13 * np.abs(a).max())


@pytest.mark.parametrize(
    ("model", "of_x", "of_theta", "of_value"),
    [
        (lambda x, a, b: a * (x + b), 600, (0, -600), 600),
        (lambda x, a, b: (1e-200 * x) * (1e-200 * a) + b, 660, (660, 0), 0),
    ],
)
def test_nothing_leaves_the_range_inside_a_model_in_other_units(model, of_x, of_theta, of_value):
    graph, output, _ = record(model, 1, 2, 5, single=True)
    x, theta, units = X + 1, np.array([1.5, 1.25]), np.array([of_theta])
    new, place, factors = in_units(graph, output, np.array([[of_x]]), units, np.array([of_value]))
    got = evaluate(new, [place], [x], np.concatenate([theta, np.ldexp(1.0, factors[0])]))[0]
    wanted = model(np.ldexp(x, of_x), *np.ldexp(theta, of_theta))
    np.testing.assert_allclose(np.ldexp(got, of_value), wanted, rtol=1e-14)


@pytest.mark.parametrize("raises", [False, True])
def test_what_was_to_be_run_again_has_not_run_where_the_job_is_stopped(raises):
    unit = np.where(np.arange(2_000_000) % 2, 1e200, 1.0)[:, None]

    def stop(done, total):
        if raises:
            raise ZeroDivisionError
        return True

    try:
        r = tw.fit("a*x + b", X, Y * unit, p0=unit * [0.5, 0.5], callback=stop, threads=1)
    except ZeroDivisionError as error:
        r = error.result
    assert r.success[::2].any() and not r.success[::2].all()
    assert (r.status[1::2] == Status.NOT_RUN).all() and np.isnan(r.params[1::2]).all()


def test_a_stop_ends_what_is_run_again_and_not_only_its_part(monkeypatch):
    monkeypatch.setattr(rescale, "_CHUNK", 2 * 3 * 5)  # two fits at a time
    seen = []

    def called(x, a, b):
        return np.array([float(a) * v + float(b) for v in x])

    def stop(done, total):
        seen.append(done)
        return len(seen) > total

    y = 1e200 * np.tile(Y, (6, 1))
    r = tw.fit(called, X, y, p0=[1e200, 1e200], callback=stop)
    assert np.count_nonzero(r.status) == 1 and r.success[0]


def test_an_infinite_derivative_is_infinite_in_any_unit():
    r = tw.fit("a*x*ellipe(b)", X, np.array([Y, 1e200 * Y]), p0=[[1.0, 1.0], [1e200, 1.0]])
    assert (r.status == Status.NOT_FINITE).all()
    assert r.reason(0) == "a derivative of the model at the start is not finite"


def test_fits_run_again_are_counted_beside_those_that_need_not():
    unit, seen = np.repeat([1.0, 1e200], 3)[:, None], []

    def called(x, a, b):
        return np.array([float(a) * v + float(b) for v in x])

    r = tw.fit(called, X, Y * unit, p0=unit * [1, 1], callback=lambda done, _: seen.append(done))
    assert r.success.all()
    assert seen == [1, 2, 3, 4, 5, 6, 4, 5, 6, 6]


def test_the_sentences_of_range_name_what_leaves_it():
    sentences = {explain(Status.RANGE, detail, ["a"]) for detail in (0, 1, 2)}
    assert len(sentences) == 3 and all("any unit" in s for s in sentences)
    assert "a runs off" in explain(Status.DRIFT, 0, ["a"])
