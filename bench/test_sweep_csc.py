"""A coordinate-descent sweep over sparse columns, beside scikit-learn's."""

import warnings
from functools import partial
from time import perf_counter

import numpy as np
import pytest
from timing import interleaved, seconds

from thalweg.kernels import coordinate_sweep

descent = pytest.importorskip("sklearn.linear_model._cd_fast").sparse_enet_coordinate_descent
sparse = pytest.importorskip("scipy.sparse")

SIZES = {  # n, P, share of values that are stored
    "8 values a column": (8_000, 20_000, 1e-3),
    "80 values a column": (8_000, 20_000, 1e-2),
    "100 values a column": (100_000, 20_000, 1e-3),
    "1000 values a column": (100_000, 5_000, 1e-2),
}
# l1 as a share of the one that leaves all at zero, and l2
PENALTIES = {
    "ridge, all move": (0.0, 0.1),
    "lasso, few move": (0.2, 0.0),
}  # l1 over its largest, l2
SAME = 1e-12  # the largest difference of both programs' iterates
SWEEPS = 5
SECONDS = 3.0  # for a case: the best of as many rounds as fit


def problem(n, P, density):
    """Return A in compressed columns and b."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, n, (P, round(n * density)))
    columns = np.repeat(np.arange(P), rows.shape[1])
    values = rng.uniform(-0.5, 0.5, rows.size)
    A = sparse.csc_matrix((values, (rows.ravel(), columns)), (n, P))
    A.sum_duplicates()
    A.sort_indices()
    return A, rng.uniform(-0.5, 0.5, n)


def ours(A, b, l1, l2, sweeps, centered=False, **options):
    theta, residual = np.zeros(A.shape[1]), b.copy()
    intercept = np.zeros(1) if centered else None
    options |= {"intercept": intercept, "centered": centered}
    coordinate_sweep(A, theta, residual, l1=l1, l2=l2, sweeps=sweeps, **options)
    return theta


def theirs(A, b, l1, l2, sweeps, centered=False):
    theta, mean = np.zeros(A.shape[1]), np.zeros(A.shape[1])
    if centered:
        mean, b = np.asarray(A.mean(axis=0)).ravel(), b - b.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge
        descent(
            theta, l1, l2, A.data, A.indices, A.indptr, b, None, mean, sweeps, 0.0,
            np.random.RandomState(0), do_screening=False,
        )  # fmt: skip
    return theta


def per_sweep(*functions):
    """Return the seconds of one sweep: those of SWEEPS + 1 less those of one, the best of each.

    What a call does once, such as checking A, is not in it.
    """
    calls = [partial(f, sweeps=k) for f in functions for k in (1, SWEEPS + 1)]
    best, end = np.full(len(calls), np.inf), perf_counter() + SECONDS
    while perf_counter() < end:
        best = np.minimum(best, interleaved(calls, 1)[0])
    return (best[1::2] - best[::2]) / SWEEPS


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("size", SIZES)
def test_sweep(size, penalty, record):
    A, b = problem(*SIZES[size])
    part, l2 = PENALTIES[penalty]
    l1 = part * np.abs(A.T @ b).max()
    a, c = (partial(f, A, b, l1, l2) for f in (ours, theirs))
    assert np.abs(a(sweeps=3) - c(sweeps=3)).max() <= SAME
    best = per_sweep(a, c)
    label = f"sweep of sparse columns, {size}, {penalty}"
    record(f"{label}, over scikit-learn", best[1] / best[0], "times", at_least=1.2)
    record(label, 1e9 * best[0] / A.nnz, "ns per stored value")


def test_with_intercept(record):
    """scikit-learn makes the whole residual anew for each column."""
    A, b = problem(8_000, 2_000, 1e-3)
    l1 = 0.2 * np.abs(A.T @ (b - b.mean())).max()
    a, c = (partial(f, A, b, l1, 0.0, sweeps=3, centered=True) for f in (ours, theirs))
    assert np.abs(a() - c()).max() <= SAME
    times = interleaved((a, c), 9).min(axis=0)
    name = "three sweeps of sparse columns with intercept, over scikit-learn"
    record(name, times[1] / times[0], "times", at_least=10)


def test_many_right_hand_sides(record):
    """Sixteen at once instead of one after the other, by one thread."""
    A, b = problem(8_000, 20_000, 1e-2)
    M = 16
    B = np.random.default_rng(1).uniform(-0.5, 0.5, (len(b), M))
    residual, theta = B.copy(), np.zeros((A.shape[1], M))
    options = {"l2": 0.1, "sweeps": 3, "threads": 1}

    def together():
        residual[:], theta[:] = B, 0
        coordinate_sweep(A, theta, residual, **options)

    def in_turn():
        for m in range(M):
            ours(A, B[:, m], 0.0, 0.1, 3)

    together()
    assert np.abs(theta[:, 3] - ours(A, B[:, 3].copy(), 0.0, 0.1, 3)).max() <= SAME
    best = min(seconds(in_turn) for _ in range(3)) / min(seconds(together) for _ in range(3))
    record("16 right-hand sides at once, over one by one", best, "times", at_least=1.5)
