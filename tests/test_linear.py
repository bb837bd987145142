"""Linear models by coordinate descent: certificates, strategies, and what a user gets."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_cases import drawn, exact, model, proof

import thalweg as tw
from thalweg.status import LINEAR, Status

EPS = np.finfo(float).eps
TOL = 1e-10


def rounding(m, p, theta):
    """What float64 leaves of a gap that is 0.

    Slopes q of 60 rows have a rounding of up to 100 eps ‖A_j‖ ‖b‖; where one is over its l1, the
    dual point is scaled down by that part of l1.  A term of the gap has that of slope times width.
    """
    A, b, _, w = exact(m, np.zeros(m.A.shape[1]))
    noise = 100 * EPS * np.sqrt((w[:, None] * A**2).sum(0)) * np.sqrt(w @ b**2 + 2 * p.objective)
    part = float((noise[m.l1 > 0] / m.l1[m.l1 > 0]).max(initial=0))
    wide = np.where(np.isfinite(m.upper - m.lower), m.upper - m.lower, 0)
    known = 50 * EPS * (p.size + p.objective) + level(m, theta)
    return float(part * p.objective + noise @ wide) + known


def level(m, theta):
    """What rounding of b and Aθ less their means leaves of ½ ‖r‖²_W where that is 0."""
    A = m.A.toarray() if sp.issparse(m.A) else np.asarray(m.A)
    w = np.ones(len(m.b)) if m.weights is None else m.weights
    return (20 * EPS) ** 2 * float(w @ (np.abs(m.b) + np.abs(A) @ np.abs(theta)) ** 2)


def solve(m, **how):
    """Solve a model; a gap below rounding is no success, and is told."""
    (A, b), told = m.call
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.ConvergenceWarning)
        return tw.coordinate_descent(A, b, **told, **how)


def check(m, r, tol):
    """A success is proved by arithmetic in extended precision; all else stays a small distance."""
    p = proof(m, r.theta)
    assert p.feasible
    assert r.objective == pytest.approx(p.objective, rel=1e-9, abs=EPS * p.size + level(m, r.theta))
    assert r.success == (r.gap <= r.wanted)
    noise = rounding(m, p, r.theta)
    if not r.conditional:
        assert abs(r.gap - p.gap) <= 1e-3 * p.gap + noise
        if r.success:
            assert p.gap <= tol * p.size * (1 + 1e-3) + noise
    if r.success and p.size > level(m, r.theta):
        assert p.kkt <= np.sqrt(2 * (tol * p.size + noise) / max(2 * p.size, 1e-300)) * 1.01
    return p


# ---- certificates ------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from(["auto", "auto", "gram", "residual"]))
@settings(max_examples=200)
def test_a_success_is_proved(seed, strategy):
    m = drawn(np.random.default_rng(seed), 60, 80)
    r = solve(m, tol=TOL, strategy=strategy, max_iter=30)
    check(m, r, TOL)


@pytest.mark.parametrize("strategy", ["auto", "gram", "residual"])
@pytest.mark.parametrize("kind", ["F", "C", "csc", "csr"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [False, True])
def test_every_strategy_reaches_the_gap_from_every_layout(dtype, kind, strategy, intercept):
    rng = np.random.default_rng(1)
    A = (rng.standard_normal((150, 400)) * (rng.random((150, 400)) < 0.3)).astype(dtype)
    b = A[:, :7].sum(1) + rng.standard_normal(150) + 3.0
    laid = {"F": np.asfortranarray, "C": np.ascontiguousarray}
    laid |= {"csc": sp.csc_array, "csr": sp.csr_array}
    l1 = 0.1 * np.abs(A.T @ (b - intercept * b.mean())).max()
    m = model(laid[kind](A), b, l1, intercept=intercept)
    r = solve(m, tol=TOL, strategy=strategy)
    assert r.success and check(m, r, TOL).gap <= TOL * proof(m, r.theta).size
    if strategy != "auto":
        assert r.strategy.startswith(f"{strategy}: ") and "as asked" in r.strategy


def brute_force(m):
    """The minimum over all signs and bounds: each pattern is a linear system."""
    A, b, _, w = exact(m, np.zeros(m.A.shape[1]))
    A, b, w = A.astype(float), b.astype(float), w.astype(float)
    G, q, P = A.T @ (w[:, None] * A), A.T @ (w * b), A.shape[1]
    best, at = np.inf, None
    for number in range(5**P):
        pattern = [number // 5**j % 5 for j in range(P)]  # +, -, 0, lower, upper
        free = np.array([k < 2 for k in pattern], bool)
        theta = np.array([(0.0, 0, 0, m.lower[j], m.upper[j])[k] for j, k in enumerate(pattern)])
        theta = theta.astype(float)
        if not np.isfinite(theta).all():
            continue
        sign = np.array([(1, -1, 0, 0, 0)[k] for k in pattern])
        if free.any():
            H = G[np.ix_(free, free)] + np.diag(m.l2[free])
            rest = q[free] - G[np.ix_(free, ~free)] @ theta[~free] - m.l1[free] * sign[free]
            theta[free] = np.linalg.solve(H, rest)
        if not ((theta >= m.lower - 1e-12) & (theta <= m.upper + 1e-12)).all():
            continue
        F = 0.5 * w @ (b - A @ theta) ** 2 + m.l1 @ np.abs(theta) + 0.5 * m.l2 @ theta**2
        if best > F:
            best, at = F, theta
    return best, at


@pytest.mark.parametrize("seed", range(12))
def test_the_minimum_is_that_of_all_active_sets(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((9, 4)), rng.standard_normal(9)
    bounds = [(None, None), (0, None), (-0.2, 0.3)][seed % 3]
    m = model(A, b, 0.5 * (seed % 2), 0.1 * (seed % 4), bounds, rng.random(9), bool(seed % 5 == 0))
    best, at = brute_force(m)
    r = solve(m, tol=1e-13)
    assert r.objective <= best + 1e-12 and r.objective >= best - 1e-12
    np.testing.assert_allclose(r.theta, at, atol=1e-6)


def test_lasso_and_elastic_net_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(3)
    n = 80
    A = rng.standard_normal((n, 30))
    b = A[:, :4] @ [3.0, -2, 1, 1] + rng.standard_normal(n) + 5
    alpha, ratio = 0.1, 0.7
    theirs = linear.ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-14, max_iter=100_000).fit(A, b)
    l1, l2 = n * alpha * ratio, n * alpha * (1 - ratio)
    r = tw.coordinate_descent(A, b, l1=l1, l2=l2, intercept=True, tol=1e-13)
    np.testing.assert_allclose(r.theta, theirs.coef_, atol=1e-6)
    assert r.intercept == pytest.approx(theirs.intercept_, abs=1e-6)


def test_non_negative_least_squares_of_scipy():
    rng = np.random.default_rng(4)
    A, b = np.abs(rng.standard_normal((100, 40))), rng.standard_normal(100) + 1
    r = tw.coordinate_descent(A, b, bounds=(0, None), tol=1e-13)
    theirs, norm = scipy.optimize.nnls(A, b)
    np.testing.assert_allclose(r.theta, theirs, atol=1e-9)
    assert r.objective == pytest.approx(0.5 * norm**2)


# ---- identities --------------------------------------------------------------------------------


def test_a_weight_of_2_is_a_row_twice():
    rng = np.random.default_rng(5)
    A, b = rng.standard_normal((30, 10)), rng.standard_normal(30)
    w = rng.integers(0, 3, 30)
    for free in (False, True):
        one = tw.coordinate_descent(A, b, l1=1.0, weights=w, intercept=free, tol=1e-14)
        rows = np.repeat(np.arange(30), w)
        two = tw.coordinate_descent(A[rows], b[rows], l1=1.0, intercept=free, tol=1e-14)
        np.testing.assert_allclose(one.theta, two.theta, atol=1e-6)
        assert one.objective == pytest.approx(two.objective, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1e6, 1e60])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(6)
    A, b = rng.standard_normal((30, 60)), rng.standard_normal(30)
    plain = tw.coordinate_descent(A, b, l1=2.0, tol=1e-12)
    other = tw.coordinate_descent(A * scale, b * 1e3, l1=2.0 * scale * 1e3, tol=1e-12)
    np.testing.assert_allclose(other.theta * scale / 1e3, plain.theta, atol=1e-7)


def test_float32_has_the_certificate_of_its_numbers_in_float64():
    rng = np.random.default_rng(7)
    A = (1e4 + rng.standard_normal((200, 50))).astype(np.float32)
    b = rng.standard_normal(200)
    narrow = tw.coordinate_descent(A, b, l1=3.0, intercept=True, tol=1e-11)
    wide = tw.coordinate_descent(A.astype(float), b, l1=3.0, intercept=True, tol=1e-11)
    assert narrow.success and wide.success
    assert narrow.objective == pytest.approx(wide.objective, rel=1e-10)
    check(model(A, b, 3.0, intercept=True), narrow, 1e-11)


def test_a_file_in_memory_is_read_and_left_as_it_is(tmp_path):
    rng = np.random.default_rng(8)
    A, b = rng.standard_normal((300, 20)), rng.standard_normal(300)
    np.save(tmp_path / "A.npy", A)
    mapped = np.load(tmp_path / "A.npy", mmap_mode="r")
    r = tw.coordinate_descent(mapped, b, l1=2.0)
    np.testing.assert_array_equal(r.theta, tw.coordinate_descent(A, b, l1=2.0).theta)


@pytest.mark.parametrize("strategy", ["gram", "residual"])
def test_threads_change_no_bit(strategy):
    rng = np.random.default_rng(9)
    A = np.asfortranarray(rng.standard_normal((20_000, 12)))
    b = A @ np.ones(12) + rng.standard_normal(20_000)
    results = [
        tw.coordinate_descent(A, b, l1=10.0, intercept=True, threads=t, strategy=strategy, tol=TOL)
        for t in (1, 2, 3)
    ]
    for r in results[1:]:
        np.testing.assert_array_equal(r.theta, results[0].theta)
        assert r.gap == results[0].gap


@pytest.mark.parametrize("order", ["shuffled", "random"])
def test_other_orders_reach_the_same_minimum(order):
    rng = np.random.default_rng(10)
    A, b = rng.standard_normal((60, 20)), rng.standard_normal(60)
    plain = tw.coordinate_descent(A, b, l1=2.0, tol=1e-12)
    one, two = (
        tw.coordinate_descent(A, b, l1=2.0, tol=1e-12, order=order, seed=3) for _ in range(2)
    )
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_allclose(one.theta, plain.theta, atol=1e-6)
    assert one.strategy.startswith("residual") and "for the order" in one.strategy


def test_an_infinite_l1_keeps_a_coordinate_at_0():
    rng = np.random.default_rng(11)
    A, b = rng.standard_normal((40, 5)), rng.standard_normal(40)
    r = tw.coordinate_descent(A, b, l1=[0, np.inf, 0, np.inf, 0], tol=1e-14)
    want = np.linalg.lstsq(A[:, ::2], b, rcond=None)[0]
    np.testing.assert_allclose(r.theta, [want[0], 0, want[1], 0, want[2]], atol=1e-9)


# ---- several right-hand sides ------------------------------------------------------------------


def test_many_right_hand_sides_are_as_each_alone():
    rng = np.random.default_rng(12)
    A, B = rng.standard_normal((50, 70)), rng.standard_normal((50, 6))
    B[:, 2] = 0
    r = tw.coordinate_descent(A, B, l1=3.0, intercept=True, tol=1e-12)
    assert r.theta.shape == (70, 6) and r.success
    assert r.gap.shape == r.intercept.shape == r.status.shape == (6,)
    for m in range(6):
        alone = tw.coordinate_descent(A, B[:, m], l1=3.0, intercept=True, tol=1e-12)
        np.testing.assert_allclose(r.theta[:, m], alone.theta, atol=1e-6)
        assert r.objective[m] == pytest.approx(alone.objective, rel=1e-11)
        assert len(r.history[m].gap) == r.n_iter[m] + 1
    assert tw.coordinate_descent(A, B[:, :0]).theta.shape == (70, 0)
    assert r.reason().startswith("6 of 6 converged")


# ---- starts, stops and what is told ------------------------------------------------------------


def test_a_start_at_the_minimum_needs_no_round():
    rng = np.random.default_rng(13)
    A, b = rng.standard_normal((40, 90)), rng.standard_normal(40)
    first = tw.coordinate_descent(A, b, l1=1.0, tol=1e-10)
    again = tw.coordinate_descent(A, b, l1=1.0, tol=1e-9, start=first.theta)
    assert again.n_iter == 0 and again.strategy == "none: the start met the tolerance"
    np.testing.assert_array_equal(again.theta, first.theta)


def test_a_callback_hears_every_round_and_may_end_it():
    rng = np.random.default_rng(14)
    A, b = rng.standard_normal((100, 3000)), rng.standard_normal(100)
    heard = []
    r = tw.coordinate_descent(A, b, l1=2.0, tol=1e-8, callback=heard.append)
    assert r.success and [i.n_iter for i in heard] == list(range(1, r.n_iter + 1))
    assert heard[-1].gap == r.history.gap[-1] and len(r.history.gap) == r.n_iter + 1
    for stop in (lambda i: np.bool_(True), lambda i: next(iter(()))):
        ended = tw.coordinate_descent(A, b, l1=2.0, tol=1e-8, callback=stop)
        assert ended.status is Status.CALLBACK and ended.n_iter == 1 and not ended.success
        assert ended.reason().startswith(LINEAR[Status.CALLBACK])


def test_what_a_callback_raises_carries_the_result():
    def fail(iteration):
        raise ZeroDivisionError("mine")

    A, b = np.random.default_rng(15).standard_normal((20, 3000)), np.arange(20.0)
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        tw.coordinate_descent(A, b, l1=2.0, tol=1e-12, callback=fail)
    result = caught.value.result
    assert result.status is Status.INTERRUPTED and result.theta.any()
    check(model(A, b, 2.0), result, 1e-12)


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        (dict(max_iter=1), Status.MAX_ITER, "max_iter"),
        (dict(time_limit=0), Status.TIME, "time_limit"),
        (dict(tol=0), Status.NO_PROGRESS, "tol"),
    ],
)
def test_what_falls_short_warns_and_is_usable(how, status, words):
    rng = np.random.default_rng(16)
    A, b = rng.standard_normal((50, 2000)), rng.standard_normal(50)
    with pytest.warns(tw.ConvergenceWarning, match=words) as caught:
        r = tw.coordinate_descent(A, b, l1=0.5, **how)
    assert caught[0].filename == __file__
    assert r.status is status and not r.success and f"{r.gap:.3g}" in r.reason()
    check(model(A, b, 0.5), r, 1.0)


def test_sweeps_take_in_coordinates_that_begin_to_move():
    """Sweeps leave out zeros of the working set, and must not go on without those that are needed.

    scikit-learn makes 50 sweeps here; 20,000 were made where one of so few was left out for good.
    """
    rng = np.random.default_rng(0)
    A = np.asfortranarray(rng.standard_normal((1000, 1000)))
    b = A[:, :10].sum(1) + rng.standard_normal(1000)
    r = tw.coordinate_descent(A, b, l1=np.abs(A.T @ b).max() / 100, strategy="residual")
    assert r.success and int(r.strategy.split()[1]) <= 200


@pytest.mark.parametrize("strategy", ["auto", "residual"])
@pytest.mark.parametrize(("b", "bounds"), [(2.0, (0, None)), (-2.0, (None, 0)), (2.0, (1, None))])
def test_at_a_bound_the_gap_is_conditional_where_the_slope_leads_to_the_open_side(
    b, bounds, strategy
):
    A = np.ones((3, 1))
    with pytest.warns(tw.linear.ConvergenceWarning):
        r = tw.coordinate_descent(A, np.full(3, b), bounds=bounds, max_iter=0, strategy=strategy)
    assert r.theta[0] in bounds and r.conditional == 1 and "the gap assumes" in r.reason()
    held = tw.coordinate_descent(A, np.full(3, -b), bounds=bounds, strategy=strategy)
    assert held.success and held.conditional == 0


def test_without_penalty_or_bound_the_gap_is_conditional_and_says_so():
    rng = np.random.default_rng(17)
    A, b = rng.standard_normal((50, 8)), rng.standard_normal(50)
    r = tw.coordinate_descent(np.c_[A, A[:, 0]], b, tol=1e-12)
    assert r.success and r.conditional == 9 and "the gap assumes" in r.reason()
    best = 0.5 * np.linalg.lstsq(A, b, rcond=None)[1][0]
    assert r.objective == pytest.approx(best, rel=1e-12)
    assert r.kkt < 1e-10
    assert tw.coordinate_descent(A, b, l2=1e-3).conditional == 0


def test_a_gram_matrix_that_would_not_fit_gives_way(monkeypatch):
    monkeypatch.setattr("thalweg.linear.descent.MOST_COLUMNS", 10)
    rng = np.random.default_rng(18)
    A, b = rng.standard_normal((100, 160)), rng.standard_normal(100)
    r = tw.coordinate_descent(A, b, l1=1.0, tol=1e-8, strategy="gram")
    assert r.success and "GiB" in r.strategy and "residual: " in r.strategy


@pytest.mark.parametrize(("tie", "strategy"), [(0.0, "residual: "), (0.95, "gram: ")])
def test_columns_that_are_correlated_are_not_swept_first(tie, strategy):
    """The expected sweeps grow with the correlation; see `Descent._sweeps_take_longer`.

    A is sparse: of 100 dense columns the Gram matrix costs no more than a few sweeps.
    """
    rng = np.random.default_rng(20)
    A = rng.standard_normal((4000, 100))
    for j in range(1, 100):
        A[:, j] = tie * A[:, j - 1] + np.sqrt(1 - tie**2) * A[:, j]
    b = A @ rng.standard_normal(100) + rng.standard_normal(4000)
    l1 = np.abs(A.T @ b).max() / 1000
    r = tw.coordinate_descent(sp.csc_array(A), b, l1=l1)
    assert r.success and r.n_iter == 1 and r.strategy.startswith(strategy)
    check(model(A, b, l1), r, 1e-6)


def test_a_result_prints_pickles_and_copies():
    rng = np.random.default_rng(19)
    A, b = rng.standard_normal((50, 8)), rng.standard_normal((50, 2))
    for r in (tw.coordinate_descent(A, b, l1=1.0), tw.coordinate_descent(A, b[:, 0], l1=1.0)):
        text = repr(r)
        assert text.startswith("<LinearResult: ") and len(text.splitlines()) == 4
        assert "LinearResult" in r._repr_html_()
        for other in (pickle.loads(pickle.dumps(r)), copy.deepcopy(r)):
            np.testing.assert_array_equal(other.theta, r.theta)
            assert repr(other) == text and other.reason() == r.reason()
    np.testing.assert_allclose(r.predict(A), A @ r.theta)
    assert "LinearHistory" in repr(r.history)


def test_a_progress_bar_is_shown(capsys):
    pytest.importorskip("tqdm")
    A, B = np.eye(4), np.ones((4, 3))
    tw.coordinate_descent(A, B, l1=0.1, progress=True)
    assert "3.00/3.00" in capsys.readouterr().err
