"""Units up to the ends of float64: the answer of other units, or a refusal in one sentence.

Gaps, and what they are compared with, are of the size of ‖b‖², which overflows, or is 0, where
the numbers of b themselves do not.
"""

import re

import numpy as np
import pytest
import scipy.sparse as sp

import thalweg as tw
from thalweg.linear import GaussianPrior, icd, lasso_path, path
from thalweg.linear.many import bounded_least_squares

RNG = np.random.default_rng(0)
A = RNG.standard_normal((30, 5))
B = A @ [1.0, -2, 0, 0.5, 0] + 0.1 * RNG.standard_normal(30)
MANY = A @ np.abs(RNG.standard_normal((5, 9))) + 0.1 * RNG.standard_normal((30, 9))
SPARSE = sp.csc_array(A)
NEAR = {"tol": 1e-13}
SOLVED = 100  # units of 10 to this power are not refused
UNITS = [s * k for k in (SOLVED, 134, 136, 150, 154, 162, 200, 300) for s in (1, -1)]
REFUSED = "at the end of the range|beyond the range|column . of A overflows"


def shown(r):
    """Return θ of a result that is a success, and whose numbers show it."""
    assert r.success and np.isfinite(r.gap).all() and np.isfinite(r.objective).all()
    assert np.all(r.gap <= r.wanted) and np.all(r.objective > 0)
    return r.theta


def one(a, b, **how):
    return shown(tw.coordinate_descent(a, b, **how, **NEAR))


def along(a, b, **how):
    return shown(path(a, b, n=4, **how, **NEAR))


def together(b):
    r = bounded_least_squares(A, b, lower=np.zeros(5), upper=np.full(5, np.inf))
    assert (r.status > 0).all() and (r.gap <= 1e-12 * r.objective).all()
    return r.theta


def image(y):
    r = icd(abs(SPARSE), y, prior=GaussianPrior(1.0), shape=(1, 5), tol=1e-9)
    assert r.success and 0 < r.cost < np.inf
    return r.x


def estimated(name, y, **parameters):
    pytest.importorskip("sklearn")
    from thalweg import linear

    return getattr(linear, name)(**parameters).fit(A, y).coef_.T


# Each is a function of the unit u, and the power of u to which θ is proportional.
KINDS = {
    "one call": (lambda u: one(A, B * u, l1=3 * u), 1),
    "rounds": (lambda u: one(A, B * u, l2=2.0, callback=lambda iteration: None), 1),
    "sweeps": (lambda u: one(A, B * u, l1=3 * u, strategy="residual"), 1),
    "plain": (lambda u: one(A, B * u, intercept=True), 1),
    "non-negative": (lambda u: one(A, B * u, bounds=(0, None)), 1),
    "sparse": (lambda u: one(SPARSE, B * u, l1=3 * u, intercept=True), 1),
    "many": (lambda u: one(A, MANY * u, bounds=(0, None), intercept=True), 1),
    "many with l1": (lambda u: one(A, MANY * u, l1=3 * u), 1),
    "many with weights": (lambda u: one(A, MANY, l1=3 * u, weights=np.full(30, u)), 0),
    "many by pivoting": (lambda u: together(MANY * u), 1),
    "a few": (lambda u: one(A, MANY[:, :2] * u, l1=3 * u), 1),
    "columns": (lambda u: one(A * u, B, l1=3 * u), -1),
    "sparse columns": (lambda u: one(SPARSE * u, B, l1=3 * u), -1),
    "columns less their means": (lambda u: one(A * u, B, intercept=True), -1),
    "columns of many": (lambda u: one(A * u, MANY, bounds=(0, None)), -1),
    "weights": (lambda u: one(A, B, weights=np.full(30, u)), 0),
    "path": (lambda u: along(A, B * u), 1),
    "path of an intercept": (lambda u: along(A, B * u, intercept=True), 1),
    "path on columns": (lambda u: along(A * u, B), -1),
    "sparse path": (lambda u: along(SPARSE, B * u), 1),
    "path of penalties": (lambda u: along(A, B * u, penalties=[9 * u, u]), 1),
    "path of factors": (lambda u: along(A, B, factors=np.full(5, u)), 0),
    "lasso_path": (lambda u: lasso_path(A, B * u, alphas=3, **NEAR)[1], 1),
    "image": (lambda u: image(np.abs(B) * u), 1),
    "Ridge": (lambda u: estimated("Ridge", B * u, **NEAR), 1),
    "Ridge of many": (lambda u: estimated("Ridge", MANY * u, **NEAR), 1),
    "LinearRegression": (lambda u: estimated("LinearRegression", MANY * u), 1),
    "NonNegative": (lambda u: estimated("NonNegative", B * u), 1),
    "Lasso": (lambda u: estimated("Lasso", B * u, alpha=0.1 * u, **NEAR), 1),
    "LassoCV": (lambda u: estimated("LassoCV", B * u, alphas=3, **NEAR), 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_changes_nothing_or_is_refused(kind):
    solve, power = KINDS[kind]
    want = solve(1.0)
    refused = []
    for k in UNITS:
        try:
            got = solve(10.0**k)
        except ValueError as error:
            assert re.search(REFUSED, str(error)), (k, error)
            refused.append(k)
            continue
        in_units = got / 10.0 ** (k * power)
        np.testing.assert_allclose(in_units, want, rtol=1e-6, atol=1e-9 * np.abs(want).max())
    assert not {SOLVED, -SOLVED} & set(refused) and (refused or kind == "path of factors")


@pytest.mark.parametrize("unit", [1e-200, 1e200])
@pytest.mark.parametrize(
    ("b", "how", "words"),
    [
        (B, {}, "^b has a norm of"),
        (MANY, {}, "^column 0 of b has a norm of"),
        (MANY, dict(l1=1.0), "^column 0 of b has a norm of"),
        (MANY, dict(bounds=(0, None), intercept=True), "^column 0 of b has a norm of"),
        (MANY[:, :2], {}, "^column 0 of b has a norm of"),
    ],
)
def test_a_b_of_such_a_unit_is_named(unit, b, how, words):
    """The norm is told as it is, although its square is not a number."""
    with pytest.raises(ValueError, match=words) as told:
        tw.coordinate_descent(A, b * unit, **how)
    norm = float(str(told.value).split("norm of ")[1].split(",")[0])
    assert 0.1 < norm / np.linalg.norm(b[..., 0] if b.ndim > 1 else b) / unit < 10


def test_one_of_many_b_is_named():
    for column, unit in ((0, 1e200), (8, 1e-170)):
        b = MANY * np.where(np.arange(9) == column, unit, 1.0)
        b[:, 4] = 0  # zeros are of no unit
        for how in ({}, {"l1": 1.0}, {"strategy": "residual"}):
            with pytest.raises(ValueError, match=f"^column {column} of b has a norm of"):
                tw.coordinate_descent(A, b, **how)


@pytest.mark.parametrize("callback", [None, lambda iteration: None])
def test_a_tiny_column_among_others_is_no_constant(callback):
    tiny = A * [1, 1, 1e-200, 1, 1]
    for a in (tiny, sp.csc_array(tiny), tiny.astype(np.longdouble)):
        for intercept in (False, True):
            with pytest.raises(ValueError, match=r"column 2 of A has a norm of .*e-200, whose"):
                tw.coordinate_descent(a, B, intercept=intercept, callback=callback)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_shortest_coefficients_are_refused_as_others_are(unit):
    """These come from singular values, without a certificate."""
    linear = pytest.importorskip("thalweg.linear.estimators")
    twins = A[:, [0, 1, 2, 3, 3]]
    assert linear.LinearRegression().fit(twins, B).coef_[3] != 0
    for X, y in ((twins, B * unit), (twins, MANY * unit), (twins * [1, 1, unit, 1, 1], B)):
        for sparse in (False, True):
            with pytest.raises(ValueError, match=REFUSED):
                linear.LinearRegression().fit(sp.csc_array(X) if sparse else X, y)


@pytest.mark.parametrize("far", [1e-200, 1e200])
@pytest.mark.parametrize("callback", [None, lambda iteration: None])
def test_a_start_whose_gap_would_show_nothing_is_refused(far, callback):
    for b in (B, np.zeros(30)):
        for how in ({"start": np.full(5, far)}, {"bounds": (far, None)}):
            if far < 1 and b.any():  # near 0 for such a b
                assert tw.coordinate_descent(A, b, **how, callback=callback).success
                continue
            with pytest.raises(ValueError, match=REFUSED):
                tw.coordinate_descent(A, b, **how, callback=callback)


def test_an_intercept_leaves_a_constant_b_to_be_zero():
    for b in (np.ones(30), np.full(30, 2.0**300)):
        r = tw.coordinate_descent(A, b, l1=1.0, intercept=True)
        assert r.success and not r.theta.any() and r.intercept == b[0]


@pytest.mark.parametrize("kind", [np.asarray, sp.csc_array])
def test_a_constant_column_beside_an_intercept_has_lost_nothing(kind):
    X = np.column_stack([A, np.full(len(A), 3.0)])
    r = tw.coordinate_descent(kind(X), B, l1=1, intercept=True)
    shown(r)
    assert r.theta[-1] == 0


def test_a_zero_that_is_stored_first_hides_no_lost_squares():
    stored = sp.csc_array((np.array([0.0, 1e-200, 1e-200]), [0, 1, 2], [0, 3]), shape=(len(B), 1))
    with pytest.raises(ValueError, match=REFUSED):
        tw.coordinate_descent(stored, B, l1=0)


@pytest.mark.parametrize("unit", [1e-200, 1e-250, 1e-300])
@pytest.mark.parametrize("strategy", ["auto", "gram", "residual"])
@pytest.mark.parametrize("b", [B, MANY], ids=["one", "many"])
def test_weights_that_take_b_below_all_numbers_do_not_make_it_0(b, strategy, unit):
    weights = np.full(len(A), 1e-260)  # sqrt(w) b is no number, and yet is not 0
    with pytest.raises(ValueError, match=r"b has a norm of .*, whose square is at the end"):
        tw.coordinate_descent(A, unit * b, weights=weights, l1=0, strategy=strategy)
    with pytest.raises(ValueError, match="y has a norm of"):
        icd(SPARSE, unit * B, weights, prior=GaussianPrior(1.0), shape=(1, 5))
