"""A dense sweep whose intercept is at its minimum before every update."""

import numpy as np
import pytest
from scipy import sparse
from sweep_cases import EPS, well_posed

from thalweg import kernels, reference

GRAMS = [None, True]


def far_from_zero(kind, n=1000, seed=0):
    """Return columns that are far from 0 for their spread, and a right-hand side."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, 4))
    A[:, 0] = {
        "years": 1990 + np.arange(n) % 31,
        "1e4, sd 1": 1e4 + A[:, 0],
        "1e8, sd 1": 1e8 + A[:, 0],
        "seconds": 1.6e9 + 3e7 * rng.random(n),
        "one far away": np.where(np.arange(n) == 0, 1e6, A[:, 0]),
        "tiny": 1e-12 * (1e3 + A[:, 0]),
    }[kind]
    scale = np.array([1 / A[:, 0].std(), 1.0, -2.0, 0.5])
    return A, (A - A.mean(0)) @ scale + 3 + 0.1 * rng.standard_normal(n)


KINDS = ["years", "1e4, sd 1", "1e8, sd 1", "seconds", "one far away", "tiny"]
LAYOUTS = [np.asfortranarray, np.ascontiguousarray, lambda A: np.repeat(A, 2, 1)[:, ::2]]


@pytest.mark.parametrize("gram", GRAMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", [None, "any"])
def test_columns_far_from_zero_converge_like_centred_ones(isa, kind, gram, weights):
    """After as many sweeps F is as near to its minimum as that of the columns less their means.

    What rounding leaves in means of n numbers is n eps of them, and in F its square; 1e-9 is far
    above it for all kinds, and F starts at some 1e5 times its minimum.
    """
    A, b = far_from_zero(kind)
    w = np.ones(len(b)) if weights is None else np.random.default_rng(1).uniform(0.1, 2, len(b))
    w_given = None if weights is None else w
    C = A - w @ A / w.sum()
    t, r = np.zeros(4), b - w @ b / w.sum()
    wanted = kernels.coordinate_sweep(np.asfortranarray(C), t, r, weights=w_given, sweeps=12)
    least = 0.5 * np.linalg.lstsq(np.sqrt(w)[:, None] * C, np.sqrt(w) * b, rcond=None)[1][0]
    least -= 0.5 * w.sum() * (w @ b / w.sum()) ** 2  # F of b less its mean
    for laid_out in LAYOUTS:
        theta, residual, free = np.zeros(4), b.copy(), np.zeros(1)
        done = kernels.coordinate_sweep(
            laid_out(A), theta, residual, weights=w_given, intercept=free, gram=gram, sweeps=12
        )
        assert done.objective <= wanted.objective + 1e-9 * abs(least)
        off = np.abs(theta - t) * A.std(0)
        assert (off <= 1e-7 * (1 + np.abs(t) * A.std(0))).all()
        # the three that come back belong together, to the rounding of A theta
        size = np.abs(A) @ np.abs(theta) + np.abs(b) + abs(free[0])
        assert (np.abs(b - A @ theta - free - residual) <= 100 * EPS * size).all()
        assert abs(w @ residual) <= 1e-9 * (w @ np.abs(residual))


@pytest.mark.parametrize("gram", GRAMS)
@pytest.mark.parametrize("order", ["cyclic", "shuffled", "random", "greedy", [2, 0]])
@pytest.mark.parametrize("M", [None, 1, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_centered_sweep_is_what_the_specification_says(isa, gram, order, M, dtype):
    rng = np.random.default_rng(3)
    n, shape = 71, () if M is None else (M,)  # whole vectors of rows, and a row beside them
    A = (5 + rng.standard_normal((n, 6))).astype(dtype)
    b, w = rng.standard_normal((n, *shape)), rng.uniform(0, 2, n)
    w[::7] = 0
    results = []
    for sweep, how in (
        (kernels.coordinate_sweep, {"gram": gram}),
        (reference.coordinate_sweep, {}),
    ):
        theta, residual, free = np.full((6, *shape), 0.1), b - 0.6, np.full(shape or 1, 0.2)
        done = sweep(
            A, theta, residual, weights=w, intercept=free, order=order, sweeps=3, l1=0.4, l2=0.1,
            bounds=(-0.5, 0.6), relaxation=1.2, seed=4, **how,
        )  # fmt: skip
        results.append((theta, residual, free, *done[:3]))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("gram", GRAMS)
def test_sweeps_add_up_and_threads_change_no_bit(isa, gram):
    rng = np.random.default_rng(5)
    A = np.asfortranarray(100 + rng.standard_normal((9000, 7)))
    b = rng.standard_normal((9000, 3))
    runs = []
    for calls, threads in (([4], 1), ([4], 3), ([1] * 4, 1)):
        theta, residual, free = np.zeros((7, 3)), b.copy(), np.zeros(3)
        for sweeps in calls:
            kernels.coordinate_sweep(
                A, theta, residual, l1=30.0, intercept=free, sweeps=sweeps, gram=gram,
                threads=threads,
            )  # fmt: skip
        runs.append((theta, residual, free))
    for one, more, split in zip(*runs, strict=True):
        if gram is None:
            np.testing.assert_array_equal(one, more)
        np.testing.assert_allclose(split, one, rtol=0, atol=1e-10)


@pytest.mark.parametrize("gram", GRAMS)
def test_a_constant_column_is_the_intercepts(isa, gram):
    A, b = np.column_stack([np.full(30, 0.1), np.arange(30.0)]), np.linspace(3, 8, 30) ** 2
    for w in (None, np.random.default_rng(0).random(30)):
        for l1, left in ((0.0, 2.0), (1.0, 0.0)):
            theta, free = np.array([2.0, 0.0]), np.zeros(1)
            kernels.coordinate_sweep(
                A, theta, b - A @ theta, weights=w, intercept=free, l1=l1, sweeps=5, gram=gram
            )
            assert theta[0] == left


@pytest.mark.parametrize("order", ["cyclic", []])
@pytest.mark.parametrize("P", [0, 3])
@pytest.mark.parametrize("gram", GRAMS)
def test_the_intercept_is_put_right_where_nothing_else_is(isa, P, order, gram):
    b = np.array([1.0, 2.0, 6.0])
    theta, residual, free = np.zeros(P), b.copy(), np.zeros(1)
    done = kernels.coordinate_sweep(
        np.zeros((3, P)), theta, residual, intercept=free, order=order, gram=gram
    )
    assert free[0] == 3
    np.testing.assert_allclose(residual, b - 3)
    np.testing.assert_allclose(done.objectives, [20.5, 7.0])


def test_a_gram_matrix_that_is_given_is_centred(isa):
    A, b = far_from_zero("years")
    theta, residual, free = np.zeros(4), b.copy(), np.zeros(1)
    kernels.coordinate_sweep(A, theta, residual, intercept=free, gram=A.T @ A, sweeps=30)
    wanted = np.linalg.lstsq(A - A.mean(0), b - b.mean(), rcond=None)[0]
    np.testing.assert_allclose(theta, wanted, rtol=1e-7)


def test_an_objective_never_rises_and_centering_is_the_default(isa):
    case = well_posed(300, 9, l1=1.0)
    A = case.A + 7
    falls = {}
    for centered in (None, True, False):
        theta, residual, free = np.zeros(9), case.b.copy(), np.zeros(1)
        falls[centered] = kernels.coordinate_sweep(
            A, theta, residual, l1=1.0, intercept=free, centered=centered, sweeps=8
        ).objectives
        assert (np.diff(falls[centered]) <= 0).all()
    np.testing.assert_array_equal(falls[None], falls[True])
    assert falls[True][2] < falls[False][2]


@pytest.mark.parametrize("order", ["cyclic", "greedy"])
def test_a_sparse_matrix_is_centred_too(isa, order):
    A, b = far_from_zero("years")
    S = sparse.csc_array(A)
    for how in ({}, {"centered": True}, {"centered": False}):
        theta, residual, free = np.zeros(4), b.copy(), np.zeros(1)
        how |= {"sweeps": 30, "order": order}
        done = kernels.coordinate_sweep(S, theta, residual, intercept=free, **how)
        t, r, f = np.zeros(4), b.copy(), np.zeros(1)
        dense = kernels.coordinate_sweep(A, t, r, intercept=f, **how)
        np.testing.assert_allclose(done.objectives, dense.objectives, rtol=1e-6)
