"""Tied parameters: the bits of the model written by hand, errors carried over, and refusals."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from cli_cases import call
from scipy.optimize import curve_fit

import thalweg as tw

G, L = tw.models.gaussian, tw.models.line
X = np.linspace(0, 10, 65)
MODEL = "gaussian(x, a1, x1, s1) + gaussian(x, a2, x2, s2) + line(x, m, c)"
NAMES = ("a1", "x1", "s1", "a2", "x2", "s2", "m", "c")
THETA = np.array([3, 3, 0.5, 6, 7, 0.5, 0.2, 1])
OPEN = [0, 1, 2, 4, 6, 7]
START = dict(zip(np.array(NAMES)[OPEN], [3.06, 3.06, 0.51, 7.1, 0.2, 1.0], strict=True))
# the derivatives of all parameters by the open ones, for s2 = s1 and a2 = 2*a1
T = np.zeros((8, 6))
T[OPEN, range(6)] = T[5, 2] = 1
T[3, 0] = 2
CLOSE = 1e-12


def twice(a1):
    return 2 * a1


TIES = {
    "formulas": {"s2": "s1", "a2": "2*a1"},
    "functions": {"s2": lambda s1: s1, "a2": twice},
    "both": {"a2": lambda a1, factor=2: factor * a1, "s2": "s1"},
}


def by_hand(x, a1, x1, s1, x2, m, c):
    return G(x, a1, x1, s1, 0.0) + G(x, 2.0 * a1, x2, s1, 0.0) + L(x, m, c)


def data(n=5, noise=0.1):
    curve = by_hand(X, *THETA[OPEN])
    return curve + np.random.default_rng(0).normal(0, noise, (n, 65))


SETTINGS = {
    "plain": ({}, {}),
    "sigma": ({"sigma": 0.1 + 0 * X, "absolute_sigma": True},) * 2,
    "bounds": ({"bounds": {"s1": (0.51, 0.6), "m": (0, None)}},) * 2,
    "bounds of all": (
        {"bounds": (None, [9, 9, 0.51, np.inf, 9, np.inf, 9, 9])},
        {"bounds": (None, [9, 9, 0.51, 9, 9, 9])},
    ),
    "fixed": ({"fixed": {"m": 0.2, "s1": 0.51}},) * 2,
    "fixed for some": (
        {"fixed": np.arange(40).reshape(5, 8) % 5 * [1, 1, 1, 0, 1, 0, 1, 1] == 1},
        {"fixed": (np.arange(40).reshape(5, 8) % 5 == 1)[:, OPEN]},
    ),
    "mask": ({"mask": X > 9},) * 2,
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("tied", TIES.values(), ids=TIES)
def test_a_fit_has_the_bits_of_the_model_written_by_hand(tied, settings, dtype):
    ours, theirs = settings
    r = tw.fit(MODEL, X, data(), START, tied=tied, dtype=dtype, **ours)
    h = tw.fit(by_hand, X, data(), START, dtype=dtype, **theirs)
    for name in ("chi2", "status", "dof", "n_iter", "fitted", "redchi", "aic", "bic", "r2"):
        np.testing.assert_array_equal(getattr(r, name), getattr(h, name), err_msg=name)
    np.testing.assert_array_equal(r.params[:, OPEN], h.params)
    np.testing.assert_array_equal(r.stderr[:, OPEN], h.stderr)
    np.testing.assert_array_equal(r["s2"], r["s1"])
    np.testing.assert_array_equal(r["a2"], 2 * r["a1"])
    eps = np.finfo(dtype).eps
    cov = T @ h.cov.astype(float) @ T.T
    np.testing.assert_allclose(r.cov, cov, rtol=4 * eps)
    np.testing.assert_allclose(r.stderr, np.sqrt(np.diagonal(cov, axis1=1, axis2=2)), rtol=8 * eps)
    np.testing.assert_array_equal(r.jacobian[..., OPEN], h.jacobian)
    assert not r.jacobian[..., [3, 5]].any()
    assert list(r.tied) == ["a2", "s2"] and r.names == NAMES


@pytest.mark.parametrize("n", [1, 7, 8, 9])
def test_a_fit_is_the_same_alone_and_in_a_batch(n):
    y, tied = data(n), {"s2": "sqrt(s1**2 + 0.1)", "a2": "exp(a1)/3"}
    many = tw.fit(MODEL, X, y, START, tied=tied)
    for k in range(n):
        one = tw.fit(MODEL, X, y[k], START, tied=tied)
        np.testing.assert_array_equal(one.params, many.params[k])
        np.testing.assert_array_equal(one.cov, many.cov[k])
        np.testing.assert_array_equal(one.stderr, many[k].stderr)


def test_ties_build_on_ties_in_any_order():
    tied = {"a2": "2*m2", "m2": "m1 + 1", "b": "m2*a2"}
    r = tw.fit("m1*x + a2*x**2 + m2 + b*x**3", X, X, {"m1": 1}, tied=tied)
    m2 = r["m1"] + 1
    expected = [r["m1"], 2 * m2, m2, m2 * (2 * m2)]
    np.testing.assert_allclose(r.params, expected, rtol=CLOSE)
    np.testing.assert_allclose(r.stderr, r.stderr[0] * np.array([1, 2, 1, 4 * abs(m2)]), rtol=CLOSE)


def test_the_covariance_is_that_of_scipy_carried_over():
    y = data(1)[0]
    r = tw.fit(MODEL, X, y, START, tied={"s2": "s1", "a2": "2*a1"})
    popt, pcov = curve_fit(by_hand, X, y, list(START.values()))
    np.testing.assert_allclose(r.params[OPEN], popt, rtol=1e-6)
    np.testing.assert_allclose(r.cov, T @ pcov @ T.T, rtol=1e-3, atol=1e-12)


def test_it_agrees_with_lmfit():
    lmfit = pytest.importorskip("lmfit")
    y = data(1)[0]
    model = lmfit.Model(lambda x, a1, x1, s1, a2, x2, s2, m, c: (
        G(x, a1, x1, s1, 0) + G(x, a2, x2, s2, 0) + L(x, m, c)
    ))  # fmt: skip
    params = model.make_params(**START, a2=1, s2=1)
    params["s2"].set(expr="s1*1.1")
    params["a2"].set(expr="a1**2/2")
    there = model.fit(y, params, x=X)
    here = tw.fit(MODEL, X, y, START, tied={"s2": "s1*1.1", "a2": "a1**2/2"})
    for name in NAMES:
        assert abs(here[name] - there.params[name].value) < 1e-4 * here.stderr.max(), name
        error = here.stderr[here.names.index(name)]
        assert abs(error / there.params[name].stderr - 1) < 0.01, name


# ---- starts ----------------------------------------------------------------------------------


def test_starts_of_tied_parameters_may_be_left_out_and_do_not_count():
    y, tied = data(), {"s2": "s1", "a2": "2*a1"}
    r = tw.fit(MODEL, X, y, START, tied=tied)
    full = np.array(list(START.values())) @ T.T
    full[[3, 5]] = np.nan, -7
    for p0 in (
        START | {"s2": 99, "a2": None},
        list(START.values()),
        full,
        np.tile(full, (5, 1)),
        np.tile(list(START.values()), (5, 1)),
    ):
        np.testing.assert_array_equal(tw.fit(MODEL, X, y, p0, tied=tied).params, r.params)


def test_starts_are_guessed_for_the_others():
    model, tied = G + G + L, {"sigma_2": "sigma_1", "amplitude_2": "2*amplitude_1"}
    r = tw.fit(model, X, data(), tied=tied)
    np.testing.assert_allclose(r.params, tw.fit(MODEL, X, data(), START, tied=TIES["both"]).params,
                               rtol=1e-6)  # fmt: skip
    assert r.success.all()


def test_a_formula_still_needs_a_start_for_what_is_not_tied():
    with pytest.raises(ValueError, match=r"p0 is needed: give a start for a1, x1, s1, x2, m, c;"):
        tw.fit(MODEL, X, data(), tied={"s2": "s1", "a2": "2*a1"})


# ---- ends of the range, failures ---------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-200, 1e-3, 1e200])
def test_units_do_not_matter(unit):
    x, y = X / unit, data()
    start = START | {"x1": 3 / unit, "x2": 7 / unit, "s1": 0.5 / unit, "m": 0.2 * unit}
    r = tw.fit(MODEL, x, y, start, tied={"s2": "s1", "a2": "2*a1"})
    plain = tw.fit(MODEL, X, y, START, tied={"s2": "s1", "a2": "2*a1"})
    scale = np.array([1, unit, unit, 1, unit, unit, 1 / unit, 1])
    np.testing.assert_allclose(r.params * scale, plain.params, rtol=1e-7)
    np.testing.assert_allclose(r.stderr * scale, plain.stderr, rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-190, 1e190])
def test_a_standard_error_is_right_where_its_square_is_no_number(factor):
    y = 3 * X + np.random.default_rng(1).normal(0, 0.1, 65)
    r = tw.fit("a*x + b*0", X, y, {"a": 1}, tied={"b": f"{factor}*a"})
    assert r.stderr[0] > 0
    np.testing.assert_allclose(r.stderr[1], factor * r.stderr[0], rtol=CLOSE)
    both = tw.fit("a*x + c + b*0", X, y, [1, 1], tied={"b": f"{factor}*(a + c)"})
    plain = tw.fit("a*x + c + b*0", X, y, [1, 1], tied={"b": "a + c"})
    np.testing.assert_allclose(both.stderr[2], factor * plain.stderr[2], rtol=CLOSE)


def test_what_the_data_do_not_determine_is_infinite_for_tied_parameters_too():
    r = tw.fit("(a + b)*x + c*0 + d*0", X, X, [1, 1], tied={"c": "a - 2*b", "d": "3*a*0 + 1 + b*0"})
    assert r.status == tw.Status.SINGULAR
    assert np.isposinf(r.cov[2, :3]).all() and np.isposinf(r.stderr[2])
    assert r.stderr[3] == 0


def test_a_fit_that_could_not_run_has_no_tied_parameters_either():
    y = data(3)
    y[1] = np.nan
    r = tw.fit(MODEL, X, y, START, tied={"s2": "where(s1 > 0, s1, 1)", "a2": "2*a1"})
    assert r.success.tolist() == [True, False, True]
    assert np.isnan(r.params[1, [3, 5]]).all() or (r["s2"][1] == r["s1"][1])


def test_ties_of_parameters_that_are_fixed_or_at_a_bound():
    r = tw.fit(MODEL, X, data(), START, fixed={"s1": 0.4}, tied={"s2": "s1", "a2": "2*a1"})
    assert (r["s2"] == 0.4).all() and not r.stderr[:, [2, 5]].any()
    r = tw.fit(MODEL, X, data(), START | {"s1": 0.3}, bounds={"s1": (0, 0.35)}, tied={"s2": "s1"},
               fixed={"a2": 6})  # fmt: skip
    assert r.at_bound[:, 2].all() and not r.at_bound[:, 5].any()
    assert (r["s2"] == 0.35).all() and not r.stderr[:, 5].any()


def test_stopped_fits():
    y = np.tile(data(), (2000, 1))
    r = tw.fit(MODEL, X, y, START, tied={"s2": "s1", "a2": "2*a1"}, callback=lambda d, n: True)
    done = r.status != tw.Status.NOT_RUN
    np.testing.assert_array_equal(r["a2"][done], 2 * r["a1"][done])
    assert np.isnan(r["a2"][~done]).all()


# ---- models that Python calls, losses, results -----------------------------------------------


def called(x, a1, x1, s1, a2, x2, s2, m, c):
    a1 = float(a1)
    return G(x, a1, x1, s1, 0.0) + G(x, a2, x2, s2, 0.0) + L(x, m, c)


def test_a_model_that_python_calls():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        r = tw.fit(called, X, data(), START, tied={"s2": "s1", "a2": twice})
    exact = tw.fit(MODEL, X, data(), START, tied={"s2": "s1", "a2": twice})
    np.testing.assert_allclose(r.params, exact.params, rtol=1e-6)
    np.testing.assert_allclose(r.cov, exact.cov, rtol=1e-4, atol=1e-12)


def test_a_loss_of_the_parameters_that_are_not_tied():
    y = data(1)[0]
    loss = tw.MSELoss(MODEL, X, y, tied={"s2": "s1", "a2": "2*a1"})
    hand = tw.MSELoss(by_hand, X, y)
    theta = np.array(list(START.values()))
    assert loss.names == hand.names == tuple(START) and loss.n_params == 6
    assert loss.value(theta) == hand.value(theta)
    np.testing.assert_array_equal(loss.gradient(theta), hand.gradient(theta))
    np.testing.assert_allclose(loss.hessian(theta), hand.hessian(theta), rtol=CLOSE)
    with pytest.raises(ValueError, match="tied needs parameters with names"):
        tw.MSELoss(lambda y, theta: theta[0] * y, X, y, n_params=2, tied={"b": "a"})


@pytest.mark.parametrize("tied", TIES.values(), ids=TIES)
def test_a_result_is_saved_loaded_and_picked_from(tied, tmp_path):
    r = tw.fit(MODEL, X, data(), START, tied=tied)
    r.save(tmp_path / "r.npz")
    again = tw.load(tmp_path / "r.npz")
    for one, other in ((again, r), (again[2], r[2]), (r[1:3], r[[1, 2]]), (copy.deepcopy(r), r)):
        for name in ("params", "cov", "stderr", "dof", "tied", "correlation"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(again.predict(X), r.predict(X))
    again.save(tmp_path / "again.npz")
    assert tw.load(tmp_path / "again.npz").tied == r.tied


def test_a_result_with_ties_of_formulas_is_pickled():
    r = tw.fit(MODEL, X, data(), START, tied=TIES["formulas"])
    again = pickle.loads(pickle.dumps(r))
    np.testing.assert_array_equal(again.cov, r.cov)
    np.testing.assert_array_equal(again.predict(X + 0.01), r.predict(X + 0.01))


def test_results_show_tied_parameters():
    r = tw.fit(MODEL, X, data(1)[0], START, tied=TIES["formulas"])
    assert f"s2 = {r['s2']:.6g} +- {r.stderr[5]:.2g}" in repr(r)
    assert "= 2*a1" in r.summary() and "(fixed)" not in r.summary()
    assert ">s2<" in r._repr_html_() and "fixed" not in r._repr_html_()
    many = tw.fit(MODEL, X, data(), START, tied=TIES["formulas"])
    table = many.to_dataframe()
    np.testing.assert_array_equal(table["s2_stderr"], many.stderr[:, 5])
    np.testing.assert_array_equal(table["s1_s2_cov"], many.cov[:, 2, 5])
    assert many.to_xarray()["cov"].shape == (5, 8, 8)


def test_a_plot_shows_tied_parameters():
    pytest.importorskip("matplotlib")
    r = tw.fit(MODEL, X, data(1)[0], START, tied=TIES["formulas"])
    words = "".join(text.get_text() for ax in np.ravel(r.plot()) for text in ax.texts)
    assert "(fixed)" not in words


# ---- refusals --------------------------------------------------------------------------------

REFUSED = {
    "unknown": ({"s22": "s1"}, "tied names 's22', .*did you mean 's2'"),
    "unknown within": ({"s2": "s11"}, r"tied\['s2'\]: formula 's11': s11 is unknown .* mean s1"),
    "x": ({"s2": "s1*x"}, r"tied\['s2'\] uses x, an independent variable"),
    "x of a function": ({"s2": lambda x: x}, r"tied\['s2'\] uses x, an independent variable"),
    "circle": ({"s1": "s2", "s2": "s1"}, "in a circle: s1 -> s2 -> s1"),
    "circle of three": ({"m": "c", "c": "2*a1", "a1": "m"}, "circle: m -> c -> a1 -> m"),
    "itself": ({"s1": "s1"}, "in a circle: s1 -> s1"),
    "number in a formula": ({"s1": "2"}, r"depends on no parameter; fixed={'s1'"),
    "no arguments": ({"s1": lambda: 2}, "depends on no parameter"),
    "syntax": ({"s1": "2*("}, r"tied\['s1'\]: formula '2\*\('"),
    "function of others": ({"s1": lambda q: q}, "is a function of q, but the parameters are a1"),
    "function of many": ({"s1": lambda *a: 2}, "is a function of a, but"),
    "if": ({"s1": lambda s2: max(s2, 1)}, r"tied\['s1'\] cannot be recorded: bool\(\)"),
    "array": ({"s1": lambda s2: s2 * np.ones(3)}, r"uses an array of shape \(3,\); a tied .* one"),
    "its own error": ({"s1": lambda s2: 1 / 0}, "raised ZeroDivisionError"),
    "nothing": ({"s1": lambda s2: None}, "it returns None"),
    "not finite": ({"s1": "log(-x1)"}, r"tied parameter s1 = log\(-x1\) is nan at the start"),
}


@pytest.mark.parametrize("tied, message", REFUSED.values(), ids=REFUSED)
def test_ties_without_meaning_are_refused_in_one_sentence(tied, message):
    with pytest.raises(ValueError, match=message):
        tw.fit(MODEL, X, data(), THETA, tied=tied)


@pytest.mark.parametrize(
    "tied, message",
    [
        ({"s1": 2}, r"tied\['s1'\] is a number; fixed={'s1': 2} holds"),
        ({"s1": None}, r"tied\['s1'\] must be a formula or a function, got NoneType"),
        (["s1"], "tied must be a dict"),
        ("s1", "tied must be a dict"),
    ],
)
def test_ties_of_another_type_are_type_errors(tied, message):
    with pytest.raises(TypeError, match=message):
        tw.fit(MODEL, X, data(), THETA, tied=tied)


BOUNDED = "bounds names 's2', which is tied to 's1': .* no bounds of its own; bound those it"
HELD = "fixed names 's2', which is tied to 's1': .* cannot be held; fix those it depends on"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"bounds": {"s2": (0, 1)}}, BOUNDED),
        ({"bounds": ([0] * 8, [9] * 8)}, BOUNDED),
        ({"fixed": ["s2"]}, HELD),
        ({"fixed": "s2"}, HELD),
        ({"fixed": {"s2": 1}}, HELD),
        ({"fixed": np.ones(8, bool)}, HELD),
        ({"p0": START | {"q": 1}}, "p0 names 'q'"),
        ({"p0": THETA[:6]}, r"p0 must have shape \(P=7,\)"),
        ({"bounds": [(0, 9)] * 8}, "one pair per parameter"),
        ({"bounds": [(0, 9)] * 7}, "one pair per parameter"),
    ],
)
def test_bounds_and_fixed_on_tied_parameters_are_refused(settings, message):
    settings = {"p0": THETA} | settings
    with pytest.raises(ValueError, match=message):
        tw.fit(MODEL, X, data(1)[0], tied={"s2": "s1"}, **settings)


@pytest.mark.parametrize("none", [None, {}])
def test_no_ties(none):
    r = tw.fit(MODEL, X, data(), THETA, tied=none)
    assert r.tied == {} and r.problem.ties is None


def test_curve_fit_says_who_ties():
    with pytest.raises(TypeError, match=r"parameters are tied by thalweg\.fit"):
        tw.curve_fit(by_hand, X, data(1)[0], tied={"s1": "2"})


# ---- the command line ------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "peaks.csv"
    rows = [f"{a},{b}" for a, b in zip(X, data(1)[0], strict=True)]
    path.write_text("\n".join(["x,y", *rows]) + "\n")
    return path


def test_the_command_line_ties(table, tmp_path, capsys):
    p0 = ",".join(f"{name}={value}" for name, value in START.items())
    out = tmp_path / "out.npz"
    options = ["fit", table, "--model", MODEL, "--p0", p0, "--out", out]
    said, _ = call(capsys, *options, "--tied", "s2=min(s1, 9), a2 = 2*a1")
    assert "= min(s1, 9)" in said and "= 2*a1" in said
    r = tw.fit(MODEL, X, data(1)[0], START, tied={"s2": "min(s1, 9)", "a2": "2*a1"})
    np.testing.assert_array_equal(tw.load(out).cov, r.cov)
    for wrong, message in (("s2", "not of the form name=formula"), ("s2=s22", "did you mean")):
        said = call(capsys, *options, "--force", "--tied", wrong, code=2)
        assert message in "".join(said)


def test_the_command_line_asks_for_starts_of_what_is_not_tied(table, capsys):
    _, said = call(capsys, "fit", table, "--model", "a*x + b", "--tied", "b=a", code=2)
    assert "--p0 a=1\n" in said


def test_the_command_line_composes_and_guesses(table, capsys):
    model, ties = "gaussian + gaussian + line", {"sigma_2": "sigma_1"}
    said, _ = call(capsys, "fit", table, "--model", model, "--tied", "sigma_2=sigma_1")
    assert said == tw.fit(model, X, data(1)[0], tied=ties).summary() + "\n"
