"""`CurveRegressor`, as users of scikit-learn know regressors."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import thalweg as tw
from thalweg.scale.sklearn import CurveRegressor

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 8, 60)[:, None]
Y = 3 * np.exp(-X[:, 0] / 2) + 0.5 + RNG.normal(0, 0.05, 60)
START = {"a": 1, "tau": 1, "c": 0}
TEXT = "a*exp(-x/tau) + c"


def decay(x, a, tau, c):
    return a * np.exp(-x / tau) + c


def plane(x, a, b, c):
    return a * x[0] + b * x[1] ** 2 + c


@parametrize_with_checks([CurveRegressor(), CurveRegressor(robust="huber", n_jobs=1)])
def test_scikit_learn_finds_an_estimator(estimator, check):
    with warnings.catch_warnings():  # columns that depend on each other determine no plane
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.parametrize("model", [decay, TEXT, tw.models.exponential, "exponential"])
def test_it_is_a_fit_of_the_column(model):
    p0 = None if model in ("exponential", tw.models.exponential) else START
    curve = CurveRegressor(model, p0=p0, bounds={"tau": (0, 9)}).fit(X, Y)
    r = tw.fit(model, X[:, 0], Y, p0, bounds={"tau": (0, 9)})
    assert list(curve.params_) == list(r.names) and curve.n_iter_ == r.n_iter
    assert list(curve.params_.values()) == r.params.tolist()
    assert list(curve.stderr_.values()) == r.stderr.tolist()
    np.testing.assert_array_equal(curve.cov_, r.cov)
    new = np.linspace(0, 9, 11)
    f, std = curve.predict(new[:, None], return_std=True)
    np.testing.assert_array_equal(f, curve.predict(new[:, None]))
    np.testing.assert_allclose(f, r.predict(new), rtol=1e-12)
    np.testing.assert_allclose(
        std, np.diff(r.band(new, 0.9))[:, 0] / 2 / quantile(r.dof), rtol=1e-6
    )
    assert curve.score(X, Y) > 0.98 and curve.n_features_in_ == 1


def quantile(dof):
    from scipy.stats import t

    return t.ppf(0.95, dof)


def test_a_plane_is_the_model_without_a_model():
    X = RNG.normal(size=(50, 4))
    y = X @ [1, -2, 0.5, 3] + 7 + RNG.normal(0, 0.1, 50)
    w = RNG.uniform(0.5, 2, 50)
    mine, theirs = CurveRegressor().fit(X, y, w), LinearRegression().fit(X, y, w)
    values = list(mine.params_.values())
    np.testing.assert_allclose(values, [theirs.intercept_, *theirs.coef_], rtol=1e-8)
    assert list(mine.params_) == ["intercept", "slope0", "slope1", "slope2", "slope3"]


def test_slopes_that_the_data_do_not_determine_are_held():
    X = RNG.normal(size=(30, 3))
    X = np.column_stack([X, X[:, 0] - 2 * X[:, 2], np.full(30, 4.0)])
    y = X[:, :3] @ [1, 2, 3] + 4
    curve = CurveRegressor().fit(X, y)
    np.testing.assert_allclose(curve.predict(X), y, rtol=1e-9)
    assert curve.params_["slope4"] == 0 and curve.result_.dof == 26
    few = CurveRegressor().fit(X[:2], y[:2])
    np.testing.assert_allclose(few.predict(X[:2]), y[:2], rtol=1e-9)
    assert CurveRegressor().fit(X[:1], y[:1]).predict(X).tolist() == pytest.approx([y[0]] * 30)


def test_weights_are_those_of_squares_and_zero_leaves_out():
    w = RNG.integers(0, 3, 60)
    weighted = CurveRegressor(decay, p0=START).fit(X, Y, w)
    repeated = CurveRegressor(decay, p0=START).fit(np.repeat(X, w, axis=0), np.repeat(Y, w))
    for name in START:
        np.testing.assert_allclose(weighted.params_[name], repeated.params_[name], rtol=1e-7)
    assert weighted.result_.n_used == np.count_nonzero(w)
    sigma = np.full(60, 0.05)
    absolute = CurveRegressor(decay, p0=START, absolute_sigma=True).fit(X, Y, 1 / sigma**2)
    r = tw.fit(decay, X[:, 0], Y, START, sigma=sigma, absolute_sigma=True)
    np.testing.assert_allclose(list(absolute.stderr_.values()), r.stderr, rtol=1e-6)
    counts = RNG.poisson(decay(X[:, 0], 50, 2, 5)).astype(float)
    of_counts = CurveRegressor(decay, p0=[40, 1, 4], noise="poisson").fit(X, counts, w > 0)
    assert of_counts.result_.n_used == np.count_nonzero(w)
    with pytest.raises(ValueError, match="no sample_weight other than 0 and 1"):
        of_counts.fit(X, counts, w)


def test_columns_are_variables_in_order_or_by_name():
    X = pd.DataFrame(RNG.uniform(0, 2, (40, 2)), columns=["dose", "age"])
    y = 2 * X["dose"] + 3 * X["age"] ** 2 + 1
    one = CurveRegressor(plane, p0=[1, 1, 0]).fit(X, y)
    two = CurveRegressor("a*dose + b*age**2 + c", p0=[1, 1, 0]).fit(X, y)
    three = CurveRegressor("a*u + b*v**2 + c", p0=[1, 1, 0], independent=["u", "v"]).fit(X, y)
    for curve in (one, two, three):
        np.testing.assert_allclose(list(curve.params_.values()), [2, 3, 1], rtol=1e-9)
        assert curve.feature_names_in_.tolist() == ["dose", "age"]
        np.testing.assert_allclose(curve.predict(X), y, rtol=1e-9)
    with pytest.raises(ValueError, match="feature names"):
        one.predict(X[["age", "dose"]])
    with pytest.raises(ValueError, match="the model takes 1 independent variable, X has 2"):
        CurveRegressor("a*x + c", p0=[1, 0]).fit(X.to_numpy(), y)
    with pytest.raises(ValueError, match="X has 1 features, but CurveRegressor is expecting 2"):
        CurveRegressor(plane, p0=[1, 1, 0]).fit(X.to_numpy(), y).predict(X[["dose"]].to_numpy())


def test_pipelines_searches_copies():
    half = FunctionTransformer(lambda x: x / 2)
    pipe = make_pipeline(half, CurveRegressor(decay, p0=START)).fit(X, Y)
    assert abs(pipe[-1].params_["tau"] - 1) < 0.1
    search = GridSearchCV(
        CurveRegressor(decay, p0=START),
        {"model": [decay, TEXT], "fixed": [None, {"c": 0.5}, {"tau": 9}]},
    ).fit(X, Y)
    assert search.best_params_["fixed"] != {"tau": 9} and search.best_score_ > 0.9
    assert cross_val_score(CurveRegressor(TEXT, p0=START), X, Y).min() > 0.9
    for model in (decay, TEXT, tw.models.exponential):
        curve = CurveRegressor(model, p0=START if model in (decay, TEXT) else None).fit(X, Y)
        other = pickle.loads(pickle.dumps(curve))
        np.testing.assert_array_equal(other.predict(X), curve.predict(X))
        fresh = clone(curve)
        assert not hasattr(fresh, "params_") and fresh.get_params() == curve.get_params()


def test_refusals_and_warnings():
    with pytest.raises(NotFittedError):
        CurveRegressor(decay).predict(X)
    with pytest.raises(ValueError, match="p0 is needed"):
        CurveRegressor(decay).fit(X, Y)
    with pytest.raises(ValueError, match="no fit of n_samples = 2: fewer usable points"):
        CurveRegressor(decay, p0=START).fit(X[:2], Y[:2])
    with pytest.warns(ConvergenceWarning, match="CurveRegressor: "):
        CurveRegressor(decay, p0=START, max_iter=1).fit(X, Y)
    with pytest.raises(TypeError, match="has no argument 'maxiter'; did you mean max_iter"):
        CurveRegressor(decay, maxiter=1)
    with pytest.raises(ValueError, match="Negative values in data"):
        CurveRegressor(decay, p0=START).fit(X, Y, -np.ones(60))
