"""Linear models of difficult kinds: each to 1e-10 of the optimum, or an honest status."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from linear_cases import model, proof

import thalweg as tw

NIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "nist_strd_linear.json"
RNG = np.random.default_rng(0)
N, P = 100, 30
A = RNG.standard_normal((N, P))
B = A[:, :5] @ np.ones(5) + RNG.standard_normal(N)
MOST = np.abs(A.T @ B).max()
HEAVY, HALF = np.ones(N), np.ones(N)
HEAVY[3], HALF[::2] = 1e8, 0
TWINS = np.concatenate([A, A, -A, np.ones((N, 2)), np.zeros((N, 2))], 1)
SCALED = A * 10.0 ** RNG.uniform(-6, 6, P)
TIMES = np.arange(100.0)[:, None]
DECAYS = np.exp(-TIMES / np.geomspace(1, 80, 60))
STAIRS = np.tril(np.ones((150, 150)))
RISING = np.sort(RNG.random(150)) + 0.3 * RNG.standard_normal(150)


def gone(array):
    """What stands in rows that are left out."""
    array = array.copy()
    array[::2] = np.nan
    array[2] = np.inf
    return array


CASES = {
    "twins": model(TWINS, B, MOST / 50),
    "twins, intercept": model(TWINS, B, MOST / 50, intercept=True),
    "twins, ridge": model(TWINS, B, 0, 1e-3),
    "twins, non-negative": model(TWINS, B, 1e-3, bounds=(0, None)),
    "columns of all sizes": model(SCALED, B, 0.1 * np.sqrt((SCALED**2).sum(0))),
    "columns of all sizes, ridge": model(SCALED, B, 0, 1e-2 * (SCALED**2).sum(0)),
    "units of 1e-20": model(A * 1e-20, B * 1e-20, MOST / 50 * 1e-40),
    "units of 1e100": model(A * 1e100, B * 1e100, MOST / 50 * 1e200),
    "a weight of 1e8": model(A, B, MOST / 50, weights=HEAVY),
    "a weight of 1e8, intercept": model(A, B, MOST / 50, weights=HEAVY, intercept=True),
    "weights 0": model(gone(A), gone(B), MOST / 50, weights=HALF),
    "weights 0, intercept": model(gone(A), gone(B), MOST / 50, weights=HALF, intercept=True),
    "weights 0, sparse, intercept": model(
        sp.csc_array(gone(A)), gone(B), MOST / 50, weights=HALF, intercept=True
    ),
    "all weights 0": model(A, B, MOST / 50, weights=0 * HALF),
    "tiny l1, exact fit": model(A, A @ np.ones(P), 1e-9 * MOST),
    "tiny l2, exact fit": model(A, A @ np.ones(P), 0, 1e-9 * MOST),
    "wide, tiny l1": model(A.T.copy(), RNG.standard_normal(P), 1e-7 * MOST),
    "at the largest l1": model(A, B, MOST),
    "just below the largest l1": model(A, B, MOST * (1 - 1e-9)),
    "far from zero": model(A + 1e4, B, MOST / 50, intercept=True),
    "far from zero, float32": model((A + 1e4).astype("f4"), B, MOST / 50, intercept=True),
    "decays": model(DECAYS, DECAYS[:, 20] + DECAYS[:, 50], 1e-6, bounds=(0, None)),
    "no rows": model(np.zeros((0, 3)), np.zeros(0), 1.0),
    "no columns": model(np.zeros((3, 0)), np.ones(3), 1.0),
    "one row": model(A[:1], B[:1], 0.1),
    "b is 0 and bounds exclude 0": model(A, 0 * B, 0.1, bounds=(0.1, 1)),
}


@pytest.mark.parametrize("strategy", ["auto", "gram"])
@pytest.mark.parametrize("case", CASES)
def test_a_difficult_kind_is_solved(case, strategy):
    m = CASES[case]
    (a, b), told = m.call
    r = tw.coordinate_descent(a, b, **told, tol=1e-10, strategy=strategy)
    p = proof(m, r.theta)
    assert r.success and p.feasible, r.reason()
    size = p.size or p.objective
    assert p.gap <= 1.01e-10 * size


FREE = {
    "least squares of twins": model(TWINS, B),
    "least squares of columns of all sizes": model(SCALED, B),
    "least squares far from zero": model(A + 1e4, B, intercept=True),
    "decays": model(DECAYS, DECAYS[:, 20] + DECAYS[:, 50] + 1e-3 * RNG.standard_normal(100),
                    bounds=(0, None)),
    "monotone regression": model(STAIRS, RISING, bounds=(np.r_[-np.inf, np.zeros(149)], None)),
    "monotone regression, intercept": model(STAIRS[:, 1:], RISING, bounds=(0, None),
                                            intercept=True),
}  # fmt: skip


@pytest.mark.parametrize("case", FREE)
def test_where_the_gap_is_conditional_the_slopes_vanish(case):
    m = FREE[case]
    (a, b), told = m.call
    r = tw.coordinate_descent(a, b, **told, tol=1e-12)
    p = proof(m, r.theta)
    assert r.success and p.feasible and r.conditional and "the gap assumes" in r.reason()
    assert p.kkt <= 1e-11
    if not np.isfinite(m.lower).any():
        best = np.linalg.lstsq(np.c_[a, np.ones((len(b), int(m.intercept)))], b, rcond=None)[0]
        rest = b - np.c_[a, np.ones((len(b), int(m.intercept)))] @ best
        assert r.objective == pytest.approx(0.5 * rest @ rest, rel=1e-9)


def test_monotone_regression_is_that_of_pooled_neighbours():
    """Pool adjacent violators is the same problem, solved by an algorithm of its own."""
    level, count = [], []
    for y in RISING:
        level.append(y), count.append(1)
        while len(level) > 1 and level[-2] >= level[-1]:
            y, k = level.pop(), count.pop()
            level[-1] = (level[-1] * count[-1] + y * k) / (count[-1] + k)
            count[-1] += k
    m = FREE["monotone regression"]
    r = tw.coordinate_descent(STAIRS, RISING, bounds=(m.lower, m.upper), tol=1e-14)
    np.testing.assert_allclose(STAIRS @ r.theta, np.repeat(level, count), atol=1e-8)


def test_what_rounding_forbids_is_no_success():
    """A penalty of 1e-9 of a column's own scale is below the rounding of its slope."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.ConvergenceWarning)
        r = tw.coordinate_descent(SCALED, B, l1=np.abs(SCALED.T @ B).max() * 1e-12, tol=1e-14)
    assert r.success == (r.gap <= r.wanted)
    assert proof(model(SCALED, B, np.abs(SCALED.T @ B).max() * 1e-12), r.theta).kkt < 1e-10


@pytest.mark.skipif(not NIST.exists(), reason="the NIST sets are not here")
@pytest.mark.parametrize("number", range(8))
def test_nist_sets_have_seven_digits(number):
    case = json.loads(NIST.read_text())[number]
    data = np.array(case["data"], float)
    free = bool(case["intercept"])
    y, X = data[:, 0], data[:, 1:]
    powers = case["n_params"] - free
    if X.shape[1] < powers:
        X = X ** np.arange(1, powers + 1)
    r = tw.coordinate_descent(X, y, intercept=free)
    got = np.concatenate([[r.intercept] if free else [], r.theta])
    assert r.success
    np.testing.assert_allclose(got, np.array(case["exact_params"], float), rtol=1e-7)


@pytest.fixture(params=["one call", "rounds"])
def way(request, monkeypatch):
    """Both ways in which a problem of few columns may be solved."""
    if request.param == "rounds":
        monkeypatch.setattr("thalweg.linear.solver.solve_plain", lambda *_: None)
        monkeypatch.setattr("thalweg.linear.several.is_one_call", lambda problem, rules: False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("rows", [21, 30_001])
def test_least_squares_have_seven_digits_at_the_usual_tolerance(rows):
    """A polynomial as NIST's Wampler1: the condition of its columns, about their means, is 2e3."""
    x = np.linspace(0, 20, rows)
    X = x[:, None] ** np.arange(1, 6)
    r = tw.coordinate_descent(X, 1 + X.sum(axis=1), intercept=True)
    assert r.success and r.n_iter == 2
    np.testing.assert_allclose([r.intercept, *r.theta], 1, rtol=1e-7)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("rows", [50, 30_001])
def test_a_coordinate_without_a_penalty_costs_no_round(rows):
    rng = np.random.default_rng(4)
    A = rng.standard_normal((rows, 6))
    b = A.sum(axis=1) + rng.standard_normal(rows)
    penalty = 0.01 * np.abs(A.T @ b).max()
    every = tw.coordinate_descent(A, b, l1=penalty)
    some = tw.coordinate_descent(A, b, l1=np.r_[0, np.full(5, penalty)])
    assert some.conditional == 1 and some.success and some.n_iter == every.n_iter


@pytest.mark.parametrize("strategy", ["auto", "residual"])
def test_a_right_hand_side_does_not_depend_on_a_large_one_before_it(strategy):
    """Nothing of 1e18 is left in the fit of 1, nor anything at all in the fit of 0."""
    many = np.stack([B * 1e18, B, 0 * B, B * 1e-20], 1)
    kinds = {"dense": A, "sparse": sp.csc_array(A), "one column": A[:, :1]}
    for name, a in kinds.items():
        r = tw.coordinate_descent(a, many, l2=1e-3, strategy=strategy)
        assert r.success and not r.theta[:, 2].any() and r.objective[2] == 0, name
        for m in (1, 3):
            found = proof(model(a, many[:, m], l2=1e-3), r.theta[:, m])
            assert found.gap <= 1.001e-6 * found.size, name
            np.testing.assert_allclose(r.objective[m], found.objective, rtol=1e-12)


def test_a_start_far_away_leaves_nothing_in_the_residual():
    far = np.full(P, 1e15)
    r = tw.coordinate_descent(A, B, l1=MOST / 50, start=far, strategy="residual")
    found = proof(model(A, B, MOST / 50), r.theta)
    assert r.success and found.gap <= 1.001e-6 * found.size
    np.testing.assert_allclose(r.objective, found.objective, rtol=1e-12)
