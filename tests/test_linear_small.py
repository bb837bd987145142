"""Small dense problems: one call is as its specification says, and ends as the general way."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_cases import drawn, proof
from sizes import around, constant

import thalweg as tw
from thalweg._core import small as core
from thalweg.linear import small
from thalweg.linear.working_set import FEW
from thalweg.reference import linear as spec
from thalweg.status import Status

EPS = np.finfo(float).eps
VECTOR = 8  # doubles of the widest vector
STRIP = constant("linear/dense_gram.h", "SIDE") * VECTOR
TOL, PART, AGAIN, ROUNDS, MOST = 1e-10, 0.3, 1e-3, 400, 1000


# ---- the kernel --------------------------------------------------------------------------------


def laid(A, kind):
    """A in one of its layouts."""
    if kind == "strided":
        wide = np.full((2 * A.shape[0], 3 * A.shape[1]), np.nan, A.dtype)
        wide[::2, ::3] = A
        return wide[::2, ::3]
    return np.array(A, order=kind)


def case(n, P, dtype, kind, seed):
    """A, b, weights, what is known of each coordinate, and a start outside the bounds."""
    rng = np.random.default_rng(seed)
    A = (rng.standard_normal((n, P)) + rng.uniform(-3, 3, P)).astype(dtype)
    A[:, P // 2 :: 5] = 0
    b = A @ np.where(rng.random(P) < 0.5, 1.0, 0.0) + rng.standard_normal(n)
    size = np.abs(A.T.astype(float) @ b).max() + 1
    each = (
        size * rng.choice([0.001, 0.1], P), size * rng.choice([0.0, 0.01], P),
        rng.choice([-np.inf, 0.0, 0.25], P), rng.choice([np.inf, 0.5], P),
    )  # fmt: skip
    return laid(A, kind), b, rng.random(n) + 0.1, each, rng.choice([0.0, -2.0, 2.0], P)


SIZES = [
    *((23, P) for P in around(1, VECTOR, STRIP)),
    *((n, 7) for n in around(VECTOR)), (1, 1), (40, 30), (20, 60),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["F", "C", "strided"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
def test_a_call_is_what_the_specification_says(isa, has_weights, centred, kind, dtype):
    for n, P in SIZES:
        A, b, w, each, start = case(n, P, dtype, kind, n + P)
        theta = start.copy()
        status, n_iter, wanted, intercept, _, _, states = core.solve_small(
            A, b, w if has_weights else None, each, centred, TOL, PART, AGAIN,
            ROUNDS, MOST, theta,
        )  # fmt: skip
        want = spec.solve_small(
            A.astype(float), b, w if has_weights else np.ones(n), each, centred, TOL, PART, AGAIN,
            ROUNDS, MOST, start,
        )  # fmt: skip
        assert status == 0 and n_iter == len(want[3]) - 1 == len(states) - 1
        assert wanted == pytest.approx(want[2], rel=1e-12)
        size = wanted / TOL
        for got, (objective, found, working) in zip(states, want[3], strict=True):
            assert got[0] == pytest.approx(objective, rel=1e-12, abs=1e3 * EPS * size)
            assert got[4:] == (found.conditional, found.unheld, working)
        # at the start all numbers agree; at the minimum those that do not depend on the way there
        first = want[3][0][1]
        np.testing.assert_allclose(states[0][1:4], first[1:4], rtol=1e-10, atol=1e-12)
        assert states[-1][2] <= wanted and want[3][-1][1].gap <= wanted
        strong = np.sqrt(
            2 * wanted / np.linalg.eigvalsh(hessian(A, w, has_weights, centred, each))[0]
        )
        np.testing.assert_allclose(theta, want[0], atol=2 * strong + 1e-9)
        assert intercept == pytest.approx(want[1], abs=1e-9 + 10 * P * strong)


MOVING = {  # l1 over its largest useful value, and the share of columns that b depends on
    "few at once": (0.3, 0.1),
    "few, and then more": (0.1, 0.3),
    "about three quarters": (0.03, 0.75),
    "most": (1e-3, 0.9),
    "all, without a penalty": (0.0, 0.5),
}


def many_rows(P, moving, dtype, bounds, seed):
    """At least `MANY` elements, correlated neighbours, and a b of some of the columns."""
    part, share = MOVING[moving]
    rng = np.random.default_rng(seed)
    n = -(-spec.MANY // P)
    A = rng.standard_normal((n, P))
    for j in range(1, P):
        A[:, j] = 0.7 * A[:, j - 1] + 0.7 * A[:, j]
    A[:, 0] = 0
    A = np.asfortranarray(A.astype(dtype))
    b = A @ np.where(rng.random(P) < share, rng.choice([1.0, -1.0], P), 0.0) + rng.standard_normal(
        n
    )
    l1 = np.full(P, part * np.abs(A.T.astype(float) @ b).max())
    lower, upper = (np.full(P, end) for end in bounds)
    return A, b, rng.random(n) + 0.1, (l1, np.zeros(P), lower, upper)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0.0, np.inf), (-0.5, 0.25)])
@pytest.mark.parametrize("moving", MOVING)
def test_rounds_over_few_coordinates_are_what_the_specification_says(
    isa, moving, bounds, centred, dtype
):
    counts = set()
    for seed, P in enumerate([*around(4), *around(STRIP), 50]):
        A, b, w, each = many_rows(P, moving, dtype, bounds, seed)
        start = 0.1 * (seed % 2)
        theta = np.full(P, start)
        status, n_iter, wanted, _, _, _, states = core.solve_small(
            A, b, w, each, centred, TOL, PART, AGAIN, ROUNDS, MOST, theta, threads=2
        )
        want = spec.solve_small(
            A.astype(float), b, w, each, centred, TOL, PART, AGAIN, ROUNDS, MOST,
            np.full(P, start),
        )  # fmt: skip
        assert status == 0 and n_iter == len(want[3]) - 1
        assert states[-1][2] <= wanted == pytest.approx(want[2], rel=1e-12)
        assert [s[4:] for s in states] == [
            (f.conditional, f.unheld, working) for _, f, working in want[3]
        ]
        least = np.linalg.eigvalsh(hessian(A[:, 1:], w, True, centred, [e[1:] for e in each]))
        np.testing.assert_allclose(theta, want[0], atol=2 * np.sqrt(2 * wanted / least[0]))
        counts.add((n_iter, states[-1][6] < P - 1))
    assert max(counts)[0] <= 4 and (moving[:3] != "few" or (1, True) in counts)


def hessian(A, w, has_weights, centred, each):
    """The curvature of F, so that what is near the minimum in F is near it in θ."""
    w, A = w if has_weights else np.ones(len(w)), A.astype(float)
    about = A - (w @ A / w.sum() if centred else 0)
    return about.T @ (w[:, None] * about) + np.diag(each[1]) + 1e-9 * np.eye(A.shape[1])


def test_no_round_is_made_where_none_is_allowed_or_needed():
    A, b, w, each, _ = case(20, 5, float, "F", 0)
    theta = np.zeros(5)
    call = (A, b, w, each, True)
    assert core.solve_small(*call, TOL, PART, AGAIN, ROUNDS, 0, theta)[1] == 0
    assert core.solve_small(*call, 1e30, PART, AGAIN, ROUNDS, 1, theta)[1] == 0
    assert core.solve_small(*call, TOL, PART, AGAIN, ROUNDS, 1, theta)[1] == 1


# ---- the same as the general way ---------------------------------------------------------------


def both(monkeypatch, m, **how):
    """Solve a model in one call, if it is small, and the general way."""
    (A, b), told = m.call
    results = []
    for is_one_call in (True, False):
        if not is_one_call:
            monkeypatch.setattr("thalweg.linear.solver.solve_plain", lambda *_: None)
            monkeypatch.setattr("thalweg.linear.several.is_one_call", lambda problem, rules: False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tw.ConvergenceWarning)
            results.append(tw.coordinate_descent(A, b, **told, **how))
    return results


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 1e-8, 1e-12]))
@settings(max_examples=200)
def test_it_ends_where_the_general_way_ends(seed, tol):
    rng = np.random.default_rng(seed)
    m = drawn(rng, 60, 40)
    if not isinstance(m.A, np.ndarray):
        m = m._replace(A=m.A.toarray())
    if rng.random() < 0.3:
        m = m._replace(A=m.A.astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        one, two = both(patch, m, tol=tol)
    assert one.status == two.status and one.wanted == pytest.approx(two.wanted, rel=1e-9)
    p = proof(m, one.theta)
    assert p.feasible
    level = tol * p.size + 1e3 * EPS * (p.size + p.objective)
    if one.success:
        assert abs(one.objective - two.objective) <= 1.01 * level
    assert one.gap >= 0 and one.history.gap[0] == pytest.approx(
        two.history.gap[0], rel=1e-6, abs=level
    )
    assert len(one.history.gap) == one.n_iter + 1 == len(one.history.working)


@pytest.mark.parametrize("strategy", ["auto", "gram"])
def test_what_is_told_of_it(strategy):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((50, 10)), rng.standard_normal(50)
    r = tw.coordinate_descent(A, b, l1=1.0, strategy=strategy)
    why = "as asked" if strategy == "gram" else "the problem is small"
    assert r.success and r.n_iter == 1 and r.strategy.endswith(f"({why})")
    assert r.history.working.tolist() == [0, 10] and r.history.gap[1] == r.gap
    assert r.history.kkt[1] == r.kkt and r.history.objective[1] == r.objective
    again = tw.coordinate_descent(A, b, l1=1.0, start=r.theta)
    assert again.n_iter == 0 and again.strategy == "none: the start met the tolerance"


@pytest.mark.parametrize("P", [5, FEW + 1])
def test_a_column_that_is_constant_but_for_rounding_has_no_say(P):
    """Its squares about its mean are rounding, for small problems and on the other way."""
    rng = np.random.default_rng(5)
    A, b = rng.standard_normal((200, P)), rng.standard_normal(200)
    A[:, 3] = 1 + EPS * (np.arange(200) % 2)
    r = tw.coordinate_descent(A, b, intercept=True)
    want = tw.coordinate_descent(np.delete(A, 3, axis=1), b, intercept=True)
    assert r.success and r.theta[3] == 0
    np.testing.assert_allclose(np.delete(r.theta, 3), want.theta, atol=1e-4)
    path = tw.linear.path(A, b, penalties=[1.0, 0.0], intercept=True)
    assert path.success and not path.theta[3].any()


def test_what_one_round_does_not_settle_goes_the_general_way():
    rng = np.random.default_rng(4)
    A, b = rng.standard_normal((40, 6)), rng.standard_normal(40)
    with pytest.warns(tw.ConvergenceWarning, match="rounding"):
        r = tw.coordinate_descent(A, b, tol=1e-40)
    assert r.status is Status.NO_PROGRESS and 0 < r.gap <= 1e-12 * b @ b and r.n_iter > 1


def test_what_goes_which_way():
    rng = np.random.default_rng(1)
    n = small._OPERATIONS // FEW**2
    for shape, how, why in [
        ((n, FEW), {}, "the problem is small"),
        ((n + 1, FEW), {}, "there are few columns"),
        ((n + 1, FEW, 2), {}, None),
        ((9, FEW + 1), {}, None),
        ((20, 5), {"order": "shuffled"}, None),
        ((20, 5), {"strategy": "residual"}, None),
        ((20, 5), {"callback": lambda iteration: False}, None),
    ]:
        A, b = rng.standard_normal(shape[:2]), rng.standard_normal((shape[0], *shape[2:]))
        r = tw.coordinate_descent(A, b, l1=1.0, **how)
        known = [w for w in ("the problem is small", "there are few columns") if w in r.strategy]
        assert r.success and known == ([why] if why else [])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("mean", [0.0, 30.0])
@pytest.mark.parametrize("tol", [1e-6, 1e-10])
def test_the_gap_of_many_rows_includes_the_rounding_of_the_gram_matrix(tol, mean, intercept, dtype):
    rng = np.random.default_rng(6)
    A = (rng.standard_normal((3000, 60)) + mean).astype(dtype)
    b = A[:, :5] @ [1.0, -1, 2, -2, 1] + rng.standard_normal(3000)
    r = tw.coordinate_descent(A, b, l1=30.0, tol=tol, intercept=intercept)
    assert r.success and "few columns" in r.strategy
    exact, target = A.astype(np.longdouble), b.astype(np.longdouble)
    if intercept:
        exact, target = exact - exact.mean(0), target - target.mean()
    left = target - exact @ r.theta
    q = exact.T @ left
    s = min(1, 30 / np.abs(q).max())
    gap = 0.5 * (1 - s) ** 2 * (left @ left) + (30 * np.abs(r.theta) - s * q * r.theta).sum()
    assert gap <= r.gap <= r.wanted
    objective = 0.5 * (left @ left) + 30 * np.abs(r.theta).sum()
    assert r.objective == pytest.approx(float(objective), rel=1e-8)


def test_threads_change_no_bit_of_a_call():
    rng = np.random.default_rng(7)
    A = rng.standard_normal((2500, 3 * STRIP + 5))
    b = A[:, :5].sum(1) + rng.standard_normal(2500)
    results = [
        tw.coordinate_descent(A, b, l1=20.0, tol=1e-10, threads=threads, **how)
        for how in ({}, {"intercept": True}, {"start": np.full(A.shape[1], 0.1)})
        for threads in (1, 2, 3)
    ]
    for one, *others in (results[:3], results[3:6], results[6:]):
        assert "few columns" in one.strategy
        for other in others:
            np.testing.assert_array_equal(one.theta, other.theta)
            assert one.gap == other.gap and one.objective == other.objective


def test_several_right_hand_sides_begin_where_the_last_one_ended():
    rng = np.random.default_rng(2)
    A, b = rng.standard_normal((30, 6)), rng.standard_normal(30)
    r = tw.coordinate_descent(A, np.stack([b, b, 2 * b], axis=1), l1=1.0, intercept=True)
    assert r.n_iter.tolist() == [1, 0, 1] and r.success
    np.testing.assert_array_equal(r.theta[:, 0], r.theta[:, 1])


def test_rows_that_are_left_out_may_hold_anything():
    rng = np.random.default_rng(3)
    A, b, w = rng.standard_normal((30, 6)), rng.standard_normal(30), np.ones(30)
    w[4] = 0
    want = tw.coordinate_descent(A, b, l1=1.0, weights=w)
    A[4], b[4] = np.nan, np.inf
    got = tw.coordinate_descent(A, b, l1=1.0, weights=w)
    np.testing.assert_allclose(got.theta, want.theta, atol=1e-6)
    assert got.status is Status.GAP
    with pytest.raises(ValueError, match=r"A\[4, 0\] is nan"):
        tw.coordinate_descent(A, np.nan_to_num(b, posinf=0.0), l1=1.0)
    A[4] = 1e-200
    A[:, 2] *= 1e-150
    with pytest.raises(ValueError, match=r"column 2 of A has a norm of .*end of the range"):
        tw.coordinate_descent(A, np.ones(30), l1=1.0)
