"""The estimators of `thalweg.linear`, as users of scikit-learn know them."""

import inspect
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

sklearn = pytest.importorskip("sklearn")

from scipy.optimize import Bounds  # noqa: E402
from sklearn import linear_model  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.model_selection import GridSearchCV, KFold  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from thalweg import linear  # noqa: E402

NAMES = ["LinearRegression", "Ridge", "Lasso", "ElasticNet", "LassoCV", "ElasticNetCV"]
N, P = 80, 12


def data(seed=0):
    """Return X (N, P), y (N,) and weights (N,)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, P)) + 2
    theta = np.where(np.arange(P) % 3 == 0, rng.normal(size=P), 0)
    return X, X @ theta + 4 + 0.5 * rng.normal(size=N), rng.uniform(0.5, 2, N)


@parametrize_with_checks([getattr(linear, name)() for name in [*NAMES, "NonNegative"]])
def test_scikit_learn_finds_an_estimator(estimator, check):
    with warnings.catch_warnings():  # penalties of 1 on data of size 1 need no more than a warning
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_scikit_learn(name):
    """All of theirs, with their defaults but for `tol`, and ours behind them."""
    mine, theirs = (
        inspect.signature(getattr(module, name)).parameters for module in (linear, linear_model)
    )
    gone = {"n_alphas"}  # deprecated there, as alphas may be a number
    for parameter, value in theirs.items():
        if parameter in gone:
            continue
        assert parameter in mine, parameter
        if parameter not in ("tol", "alphas"):
            assert mine[parameter].default == value.default, parameter


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name, options",
    [
        ("LinearRegression", {}),
        ("LinearRegression", dict(positive=True)),
        ("LinearRegression", dict(fit_intercept=False)),
        ("Ridge", dict(alpha=3.0)),
        ("Lasso", dict(alpha=0.1)),
        ("Lasso", dict(alpha=0.1, positive=True)),
        ("ElasticNet", dict(alpha=0.1, l1_ratio=0.3)),
        ("ElasticNet", dict(alpha=0.1, fit_intercept=False)),
    ],
)
def test_coefficients_are_those_of_scikit_learn(name, options, weighted, sparse):
    X, y, w = data()
    w = w if weighted else None
    tight = {} if name == "LinearRegression" else dict(tol=1e-13)
    theirs = getattr(linear_model, name)(**tight, **options)
    theirs.fit(X, y, sample_weight=w)
    mine = getattr(linear, name)(**tight, **options)
    if sparse:
        X = pytest.importorskip("scipy.sparse").csr_array(X)
    mine.fit(X, y, sample_weight=w)
    # a gap of 1e-13 of y'y leaves 3e-7 of its root to predictions, and so to coefficients here
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(mine.intercept_, theirs.intercept_, atol=1e-5)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(data()[0]), atol=1e-4)
    assert mine.n_iter_ >= 1 and mine.coef_.shape == (P,)


@pytest.mark.parametrize("name", ["LassoCV", "ElasticNetCV"])
def test_cross_validation_chooses_what_scikit_learn_chooses(name):
    X, y, w = data(1)
    options = {} if name == "LassoCV" else dict(l1_ratio=[0.2, 0.8])
    for weights in (None, w):
        mine = getattr(linear, name)(alphas=20, tol=1e-9, **options).fit(X, y, weights)
        theirs = getattr(linear_model, name)(alphas=20, tol=1e-9, **options).fit(X, y, weights)
        np.testing.assert_allclose(mine.alphas_, theirs.alphas_, rtol=1e-10)
        np.testing.assert_allclose(mine.mse_path_, theirs.mse_path_, rtol=1e-3)
        assert mine.alpha_ == pytest.approx(theirs.alpha_)
        np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-3)


def test_one_standard_error_takes_a_larger_penalty_whose_error_is_as_good():
    X, y, _ = data(2)
    least = linear.LassoCV(cv=KFold(8)).fit(X, y)
    sparser = linear.LassoCV(cv=KFold(8), rule="1se").fit(X, y)
    assert sparser.alpha_ > least.alpha_
    errors = least.mse_path_.mean(axis=-1)
    k = int(np.argmin(errors))
    spread = least.mse_path_[k].std(ddof=1) / np.sqrt(8)
    place = int(np.flatnonzero(sparser.alphas_ == sparser.alpha_)[0])
    assert errors[place] <= errors[k] + spread < errors[place - 1]
    with pytest.raises(ValueError, match="rule must be 'min' or '1se'"):
        linear.LassoCV(rule="best").fit(X, y)


def test_any_number_of_jobs_finds_the_same():
    X, y, _ = data(3)
    one, two = (linear.LassoCV(alphas=15, n_jobs=k).fit(X, y) for k in (1, 2))
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_several_targets_are_fitted_each_for_itself():
    X, y, w = data()
    Y = np.column_stack([y, -2 * y, np.ones(N)])
    for name in ("LinearRegression", "Ridge", "Lasso", "ElasticNet", "NonNegative"):
        together = getattr(linear, name)().fit(X, Y, w)
        assert together.coef_.shape == (3, P) and together.predict(X).shape == (N, 3)
        for k in range(3):
            alone = getattr(linear, name)().fit(X, Y[:, k], w)
            np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=0.05)
    each = linear.Ridge(alpha=[1.0, 10.0, 100.0]).fit(X, Y)
    alone = linear.Ridge(alpha=10.0).fit(X, Y[:, 1])
    np.testing.assert_allclose(each.coef_[1], alone.coef_, rtol=1e-12)
    with pytest.raises(ValueError, match="one per target"):
        linear.Ridge(alpha=[1.0, 2.0]).fit(X, Y)


def test_bounds_and_factors_go_beyond_scikit_learn():
    X, y, _ = data()
    free = linear.Lasso(0.1).fit(X, y)
    bound = linear.Lasso(0.1, bounds=(-0.5, 0.5)).fit(X, y)
    assert np.abs(free.coef_).max() > 0.5 >= np.abs(bound.coef_).max()
    scipys = linear.Lasso(0.1, bounds=Bounds(-0.5, 0.5)).fit(X, y)
    np.testing.assert_array_equal(scipys.coef_, bound.coef_)
    positive = linear.Lasso(0.1, positive=True, bounds=(None, 0.5)).fit(X, y)
    assert positive.coef_.min() >= 0 and positive.coef_.max() <= 0.5
    factors = np.ones(P)
    factors[1], factors[3] = 0, np.inf
    net = linear.ElasticNet(1.0, penalty_factors=factors).fit(X, y)
    assert net.coef_[1] != 0 and net.coef_[3] == 0
    upper = linear.NonNegative(upper=0.1).fit(X, y)
    assert upper.coef_.min() >= 0 and upper.coef_.max() <= 0.1


@pytest.mark.parametrize("kind", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("targets", [(), (2,)])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_shortest_of_many_solutions_is_that_of_scikit_learn(intercept, targets, kind):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10, 30)), rng.normal(size=(10, *targets))
    w = np.r_[0, rng.uniform(0.5, 2, 9)]
    mine = linear.LinearRegression(fit_intercept=intercept).fit(kind(X), y, w)
    theirs = linear_model.LinearRegression(fit_intercept=intercept).fit(X, y, w)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(mine.intercept_, theirs.intercept_, atol=1e-8)


def dependent(kind, n=40, seed=0):
    """Fewer columns than rows, of which some are combinations of others."""
    rng = np.random.default_rng(seed)
    X = np.abs(rng.normal(size=(n, 5)))
    extra = {
        "a column twice": X[:, [1]],
        "negated and longer": -3 * X[:, [2]],
        "a sum": X[:, [0]] + X[:, [3]],
        "zeros": np.zeros((n, 2)),
        "indicators of all groups": np.eye(4)[np.arange(n) % 4],
        "a difference of long ones": 1e6 * (X[:, [0]] - X[:, [3]]),
    }[kind]
    return np.c_[X, extra], rng


DEPENDENT = ["a column twice", "negated and longer", "a sum", "zeros", "indicators of all groups",
             "a difference of long ones"]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("matrix", [np.asarray, sp.csc_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", DEPENDENT)
def test_dependent_columns_get_the_shortest_coefficients(kind, intercept, weighted, matrix, dtype):
    X, rng = dependent(kind)
    X = X.astype(dtype)
    y = rng.normal(size=(len(X), 3))
    w = rng.integers(0, 3, len(X)).astype(float) if weighted else None
    mine = linear.LinearRegression(fit_intercept=intercept).fit(matrix(X), y, w)
    u = np.ones(len(X)) if w is None else w
    means = np.average(X, 0, u) * intercept, np.average(y, 0, u) * intercept
    rows, target = ((a - mean) * np.sqrt(u)[:, None] for a, mean in zip((X, y), means, strict=True))
    rcond = None if dtype == np.float64 else 1e-12 if "long ones" in kind else 1e-6
    want = np.linalg.lstsq(rows, target, rcond=rcond)[0].T
    scale = 1e-7 * np.abs(want).max(0)
    assert (np.abs(mine.coef_ - want) <= np.maximum(scale, 1e-7 * np.abs(want).max())).all()
    np.testing.assert_allclose(mine.intercept_, means[1] - want @ means[0], atol=1e-6)


@pytest.mark.parametrize("P", [3, 19, 20, 21, 25])
@pytest.mark.parametrize("matrix", [np.asarray, sp.csc_array], ids=["dense", "sparse"])
def test_the_shortest_coefficients_of_as_many_columns_as_rows(P, matrix):
    rng = np.random.default_rng(P)
    X = rng.normal(size=(20, P))
    X[:, -1] = X[:, 0]
    y = rng.normal(size=20)
    mine = linear.LinearRegression(fit_intercept=False).fit(matrix(X), y)
    want = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(mine.coef_, want, atol=1e-6 * np.abs(want).max())


def test_columns_of_unlike_lengths_are_not_dependent():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 4)) * [1e-20, 1.0, 1e20, 1e-5]
    theta = rng.normal(size=4) / [1e-20, 1.0, 1e20, 1e-5]
    mine = linear.LinearRegression().fit(X, X @ theta + 3)
    np.testing.assert_allclose(mine.coef_, theta, rtol=1e-9)


def test_a_gap_that_is_not_reached_is_warned_of_in_scikit_learns_category():
    X, y, _ = data()
    with pytest.warns(ConvergenceWarning, match=r"Lasso: .*the gap is .* max_iter") as caught:
        model = linear.Lasso(1e-3, max_iter=0).fit(X, y)
    assert caught[0].filename == __file__
    assert np.isfinite(model.coef_).all()


def test_a_warm_start_goes_on():
    X, y, _ = data()
    model = linear.Lasso(0.01, warm_start=True, tol=1e-10).fit(X, y)
    assert model.n_iter_ >= 1
    first = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, first, atol=1e-6)


def test_they_clone_pickle_and_search():
    X, y, _ = data()
    model = linear.ElasticNet(0.1, bounds=(-1, 1)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert clone(model).get_params() == model.get_params()
    pipeline = make_pipeline(StandardScaler(), linear.Lasso())
    search = GridSearchCV(pipeline, {"lasso__alpha": [0.01, 0.1, 10.0]}).fit(X, y)
    assert search.best_params_["lasso__alpha"] < 10


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("Lasso", dict(alpha=-1), "alpha must not be negative"),
        ("Ridge", dict(alpha=-1), "alpha must not be negative"),
        ("ElasticNet", dict(l1_ratio=2), "l1_ratio"),
        ("Lasso", dict(alpha="much"), "alpha must not be negative"),
        ("Ridge", dict(alpha=np.nan), "alpha must not be negative"),
        ("Lasso", dict(tol=-1), r"tol must be a number >= 0, got -1\.0"),
        ("LassoCV", dict(tol=-1), r"tol must be a number >= 0, got -1\.0"),
        ("LassoCV", dict(alphas=0), "alphas must be a whole number from 1"),
        ("LassoCV", dict(alphas=[1.0, -1.0]), "alphas must be finite, not negative"),
        ("Lasso", dict(selection="greedy"), "selection must be 'cyclic' or 'random'"),
        ("Lasso", dict(bounds=(1, 0)), "bound"),
        ("Lasso", dict(penalty_factors=[1.0]), "must have shape"),
    ],
)
def test_what_is_wrong_is_named(name, options, words):
    X, y, _ = data()
    with pytest.raises(ValueError, match=words):
        getattr(linear, name)(**options).fit(X, y)


def test_without_scikit_learn_the_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import thalweg.linear as linear\n"
        "linear.path\n"
        "try: linear.Lasso\n"
        "except ImportError as error:\n"
        "    assert 'python -m pip install scikit-learn' in str(error); print('said')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "said", done.stderr
