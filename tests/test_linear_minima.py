"""Minima on a Gram matrix: equal to their specification, at every size where they change."""

import numpy as np
import pytest
from sizes import around, constant
from test_linear_kernels import coordinates

from thalweg._core import linear as core
from thalweg.reference import linear as spec

PANEL, TILE_VECTORS = (constant("linear/factor.h", k) for k in ("PANEL", "TILE_VECTORS"))
TILE_ROWS = [4, 8]  # the larger one with AVX-512
TILE_COLUMNS = [TILE_VECTORS * lanes for lanes in (2, 4, 8)]


def problem(rng, C, n, bounds=True):
    X = rng.standard_normal((n, C))
    X[:, 1::3] += X[:, :1]
    each, theta = coordinates(rng, C)
    if not bounds:
        each = (*each[:2], np.full(C, -np.inf), np.full(C, np.inf))
    b = X @ np.where(rng.random(C) < 0.5, rng.standard_normal(C), 0) + rng.standard_normal(n)
    r = b - X @ theta
    return X.T @ X, each, theta, X.T @ r, float(r @ r), b


def solved(G, each, theta, q, square, target, rank, rounds=400, room=0, M=1, threads=1):
    C = len(theta)
    gram = np.full((C + room, C + room), np.nan)
    gram[:C, :C] = G
    theta, q = np.tile(theta, (M, 1)), np.tile(q, (M, 1))
    gap, counts = np.zeros(M), np.zeros((2, M), np.intp)
    core.solve(
        gram, each, np.ones(C), rank, np.full(M, square), np.full(M, target), rounds, theta, q, gap,
        counts, threads,
    )  # fmt: skip
    return theta, q, gap, counts


SIZES = [1, 2, 3, *around(*TILE_ROWS, *TILE_COLUMNS, PANEL, 2 * PANEL), 130]


@pytest.mark.parametrize("C", sorted(set(SIZES)))
def test_a_minimum_is_that_of_the_specification(isa, C):
    rng = np.random.default_rng(C)
    G, each, theta, q, square, b = problem(rng, C, C + 20)
    target = 1e-13 * (b @ b)
    rank = C + 20
    want = spec.solve(G, each, np.ones(C), rank, square, target, 400, theta, q)
    got = solved(G, each, theta, q, square, target, rank, room=3)
    assert got[2][0] <= target and want[2] <= target
    np.testing.assert_allclose(got[0][0], want[0], atol=1e-5 * np.abs(want[0]).max(initial=1))
    np.testing.assert_allclose(
        got[1][0], q - G @ (got[0][0] - theta), atol=1e-10 * np.abs(q).max(initial=1)
    )
    low, high = each[2:]
    assert ((low <= got[0][0]) & (got[0][0] <= high)).all()


@pytest.mark.parametrize("C", sorted({*SIZES[3:], *range(PANEL, 2 * PANEL)}))
def test_one_newton_step_leads_to_the_minimum_of_least_squares(isa, C):
    """A wrong factor would take several steps.  Few columns need none: sweeps are enough."""
    rng = np.random.default_rng(C)
    X = rng.standard_normal((2 * C, C)) + 3 * rng.standard_normal((2 * C, 1))
    G, want = X.T @ X, rng.standard_normal(C)
    none, bounds = np.zeros(C), (np.full(C, -np.inf), np.full(C, np.inf))
    q, square = G @ want, want @ G @ want
    got = solved(G, (none, none, *bounds), none, q, square, 1e-11 * square, C, room=3)
    assert got[3][1, 0] == 1 or (C < TILE_COLUMNS[-1] and got[3][1, 0] == 0)
    np.testing.assert_allclose(got[0][0], want, rtol=0, atol=1e-9)


def test_sweeps_and_steps_are_those_of_the_specification(isa):
    """As long as no tie is decided by rounding, each goes the same way."""
    same = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        C = int(rng.integers(2, 40))
        G, each, theta, q, square, b = problem(rng, C, C + 5)
        for rounds in (1, 3, 400):
            target = 1e-9 * (b @ b)
            want = spec.solve(G, each, np.ones(C), C + 5, square, target, rounds, theta, q)
            got = solved(G, each, theta, q, square, target, C + 5, rounds)
            if tuple(got[3][:, 0]) == want[3:]:
                same += 1
                np.testing.assert_allclose(got[0][0], want[0], atol=1e-8)
                np.testing.assert_allclose(got[2][0], want[2], rtol=1e-4, atol=1e-11 * (b @ b))
    assert same >= 110, "the paths part nearly everywhere"


def test_newton_needs_few_steps_where_sweeps_would_need_thousands(isa):
    """Decays that nearly coincide, non-negative: what the free coordinates lack is conditioning."""
    t = np.arange(60.0)
    X = np.exp(-t[:, None] / np.linspace(3, 40, 25))
    b = X[:, 4] + 0.5 * X[:, 19]
    C = X.shape[1]
    each = np.zeros(C), np.zeros(C), np.zeros(C), np.full(C, np.inf)
    target = 1e-14 * (b @ b)
    _, _, gap, counts = solved(X.T @ X, each, np.zeros(C), X.T @ b, b @ b, target, 60)
    assert gap[0] <= target
    assert counts[0, 0] < 400 and counts[1, 0] < 200, counts


def test_more_free_coordinates_than_rank_come_down_to_it(isa):
    rng = np.random.default_rng(7)
    C, n = 60, 12
    X = rng.standard_normal((n, C))
    b = rng.standard_normal(n)
    each = np.full(C, 1e-6), np.zeros(C), np.full(C, -np.inf), np.full(C, np.inf)
    start = rng.standard_normal(C)
    q = X.T @ (b - X @ start)
    target = 1e-10 * (b @ b)
    theta, _, gap, _ = solved(
        X.T @ X, each, start, q, float(np.sum((b - X @ start) ** 2)), target, n
    )
    assert gap[0] <= target and np.count_nonzero(theta) <= n


@pytest.mark.parametrize("M", [0, 1, 2, 7])
def test_right_hand_sides_do_not_feel_each_other(M):
    rng = np.random.default_rng(8)
    G, each, theta, q, square, b = problem(rng, 20, 30)
    target = 1e-12 * (b @ b)
    alone = solved(G, each, theta, q, square, target, 30)
    for threads in (1, 2):
        together = solved(G, each, theta, q, square, target, 30, M=M, threads=threads)
        for one, many in zip(alone[:3], together[:3], strict=True):
            for m in range(M):
                np.testing.assert_array_equal(one[0], many[m])


def walked(rng, C, n):
    """A lasso at falling penalties: what each call is given but theta and q."""
    X = rng.standard_normal((n, C))
    X[:, 1::3] += X[:, :1]
    b = X @ np.where(rng.random(C) < 0.3, rng.standard_normal(C), 0) + rng.standard_normal(n)
    bounds = np.full(C, -np.inf), np.full(C, np.inf)
    for share in np.geomspace(0.5, 1e-3, 12):
        yield X, b, (np.full(C, share * np.abs(X.T @ b).max()), np.zeros(C), *bounds)


@pytest.mark.parametrize("C", sorted({1, 2, 3, *around(*TILE_ROWS, PANEL), 70}))
def test_a_factor_is_kept_from_one_penalty_to_the_next(isa, C):
    """As the specification does it; and each minimum is one, whatever the factor came from."""
    factor, of_spec, theta, same, steps = core.Factor(), spec.Factor(), np.zeros(C), 0, 0
    n = C + 20
    gram = None
    for X, b, each in walked(np.random.default_rng(C), C, n):
        gram = X.T @ X if gram is None else gram
        r = b - X @ theta
        q, square, target = X.T @ r, np.array([r @ r]), np.array([1e-12 * (b @ b)])
        want = spec.solve(gram, each, np.ones(C), n, square[0], target[0], 400, theta, q, of_spec)
        found, gap, counts = theta[None].copy(), np.zeros(1), np.zeros((2, 1), np.intp)
        core.solve(
            gram, each, np.ones(C), n, square, target, 400, found, q[None].copy(), gap, counts, 1,
            factor,
        )  # fmt: skip
        assert gap[0] <= target[0]
        np.testing.assert_allclose(found[0], want[0], atol=1e-5 * np.abs(want[0]).max(initial=1))
        same += tuple(counts[:, 0]) == want[3:]
        steps += counts[1, 0]
        theta = found[0]
    assert same >= 10, "the paths part nearly everywhere"
    assert steps >= 11 or C < TILE_ROWS[0], "each problem but the first begins with a Newton step"


@pytest.mark.parametrize("other", ["l2", "matrix", "rank", "columns"])
def test_a_factor_of_another_problem_is_not_used(isa, other):
    """It would make no Newton step towards the minimum: that takes the same matrix and l2."""
    rng, factor = np.random.default_rng(9), core.Factor()
    C = 24
    G, each, theta, q, square, b = problem(rng, C, 40)

    def minimum(gram, each, rank, factor):
        C = len(each[0])
        at, slope, counts = theta[None, :C].copy(), q[None, :C].copy(), np.zeros((2, 1), np.intp)
        core.solve(
            gram, each, np.ones(C), rank, np.array([square]), np.array([1e-12 * (b @ b)]), 400, at,
            slope, np.zeros(1), counts, 1, factor,
        )  # fmt: skip
        return at, slope, counts

    minimum(G, each, 40, factor)
    few = tuple(a[:20] for a in each)
    gram, changed, rank = {
        "l2": (G, (each[0], each[1] + 5, *each[2:]), 40),
        "matrix": (2 * G, each, 40),
        "rank": (G, each, 10),
        "columns": (G, few, 40),
    }[other]
    for got, want in zip(
        minimum(gram, changed, rank, factor),
        minimum(gram, changed, rank, None),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


def test_a_factor_belongs_to_one_right_hand_side():
    G, each, theta, q, square, _ = problem(np.random.default_rng(1), 5, 9)
    twice = np.tile(theta, (2, 1)), np.tile(q, (2, 1))
    with pytest.raises(ValueError, match="one problem alone"):
        core.solve(
            G, each, np.ones(5), 9, np.full(2, square), np.zeros(2), 1, *twice, np.zeros(2),
            np.zeros((2, 2), np.intp), 1, core.Factor(),
        )  # fmt: skip
