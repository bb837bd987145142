"""One sweep of coordinate descent against scikit-learn's, and against the memory.

Every coordinate moves (a ridge with a small l1), which is where a sweep costs most.  What a call
costs beside its sweeps, such as scikit-learn's duality gap, is left out by subtracting a shorter
call.
"""

import warnings
from functools import partial

import numpy as np
import pytest
from machine import processors
from timing import interleaved

from thalweg.kernels import coordinate_sweep

SIZES = [(1_000, 1_000), (10_000, 1_000), (100_000, 400)]
SWEEPS = 3  # sweeps that a long call makes more than a short one
IN_CACHE = 2**24  # bytes: a matrix of fewer is not read from memory
ROUNDS = {1_000: 60, 10_000: 15, 100_000: 7}

all_sizes = pytest.mark.parametrize(("n", "P"), SIZES)


def problem(n, P):
    rng = np.random.default_rng(0)
    return np.asfortranarray(rng.standard_normal((n, P))), rng.standard_normal(n)


def ours(A, b, sweeps, **options):
    theta, residual = np.zeros(A.shape[1]), b.copy()
    n = len(b)
    coordinate_sweep(A, theta, residual, l1=1e-6 * n, l2=1e-2 * n, sweeps=sweeps, **options)
    return theta


def theirs(A, b, sweeps):
    cd = pytest.importorskip("sklearn.linear_model._cd_fast").enet_coordinate_descent
    w, n = np.zeros(A.shape[1]), len(b)
    with warnings.catch_warnings(action="ignore"):  # that it has not converged
        cd(w, 1e-6 * n, 1e-2 * n, A, b, sweeps, 0.0, np.random.RandomState(0), 0, 0, 0)
    return w


def per_sweep(n, *functions):
    """Return the best seconds per sweep of each function of the number of sweeps."""
    calls = [partial(f, k) for f in functions for k in (1, 1 + SWEEPS)]
    best = interleaved(calls, ROUNDS[n]).min(0).reshape(-1, 2)
    return (best[:, 1] - best[:, 0]) / SWEEPS


@all_sizes
def test_against_scikit_learn(n, P, record):
    A, b = problem(n, P)
    limits = pytest.importorskip("threadpoolctl").threadpool_limits
    with limits(1):
        for sweeps in (1, 3):
            answer = theirs(A, b, sweeps)
            np.testing.assert_allclose(ours(A, b, sweeps), answer, rtol=0, atol=1e-12)
        one, peer = partial(ours, A, b, threads=1), partial(theirs, A, b)
        fast, slow = per_sweep(n, one, peer)
        calls = interleaved((partial(one, 5), partial(peer, 5)), ROUNDS[n]).min(0)
    name = f"sweep {n} x {P}, 1 thread, over scikit-learn's"
    record(name, slow / fast, "times", at_least=1.8)
    record(f"{name}, calls of 5 sweeps", calls[1] / calls[0], "times")
    record(f"sweep {n} x {P}, 1 thread", fast * 1e3, "ms")


@all_sizes
@pytest.mark.parametrize("order", ["C", "F"])
def test_share_of_the_read_bandwidth(n, P, order, record):
    """The probe adds up A in memory order, in the same rounds."""
    A, b = problem(n, P)
    B = np.array(A, order=order)
    np.testing.assert_allclose(ours(B, b, 3), ours(A, b, 3), rtol=0, atol=1e-13)
    sweeps = [partial(ours, B, b, k, threads=1) for k in (1, 1 + SWEEPS)]
    read = partial(np.add.reduce, B.ravel(order="K"))
    short, long, probe = interleaved((*sweeps, read), ROUNDS[n]).min(0)
    share = 100 * probe * SWEEPS / (long - short)
    rows = {"C": "rows", "F": "columns"}[order]
    target = {"at_least": 85} if order == "F" and B.nbytes > IN_CACHE else {}
    record(f"sweep {n} x {P} by {rows}, of the bandwidth of a sum", share, "%", **target)


@all_sizes
def test_two_threads(n, P, record):
    if processors() < 2:
        pytest.skip("there is one processor")
    A, b = problem(n, P)
    one, two = (partial(ours, A, b, threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one(3), two(3))
    slow, fast = per_sweep(n, one, two)
    target = {"at_least": 1.5} if A.nbytes > IN_CACHE else {}
    record(f"sweep {n} x {P}, 2 threads over 1", slow / fast, "times", **target)


@pytest.mark.parametrize("M", [1, 4, 16])
def test_many_right_hand_sides(M, record):
    n, P = 10_000, 200
    A, _ = problem(n, P)
    B = np.random.default_rng(1).standard_normal((n, M))

    def sweep(columns):
        theta, residual = np.zeros((P, M))[:, columns], B[:, columns].copy()
        coordinate_sweep(A, theta, residual, l2=1.0, sweeps=3, threads=1)
        return theta

    def apart():
        return np.stack([sweep(m) for m in range(M)], axis=1)

    np.testing.assert_allclose(sweep(slice(None)), apart(), rtol=0, atol=1e-13)
    together, alone = interleaved((partial(sweep, slice(None)), apart), 7).min(0)
    record(f"sweep {n} x {P}, {M} right-hand sides at once over one by one", alone / together,
           "times")  # fmt: skip


@pytest.mark.parametrize("kind", ["years", "mean 1e4, sd 1"])
def test_columns_far_from_zero(kind, record):
    """Sweeps until F is within 1e-9 of its minimum, with an intercept; and what they cost."""
    n, P = 10_000, 20
    A, b = problem(n, P)
    A[:, 0] = 1990 + np.arange(n) % 31 if kind == "years" else 1e4 + A[:, 0]
    C = A - A.mean(0)
    b = b + C @ np.linspace(-1, 1, P)
    least = 0.5 * np.linalg.lstsq(C, b - b.mean(), rcond=None)[1][0]
    for gram in (None, True):
        theta, residual, free = np.zeros(P), b.copy(), np.zeros(1)
        done = coordinate_sweep(A, theta, residual, intercept=free, gram=gram, sweeps=100)
        assert done.objective <= (1 + 1e-9) * least
        needed = int(np.argmax(done.objectives <= (1 + 1e-9) * least))
        name = f"sweeps to the minimum, a column of {kind}, gram={gram}"
        record(name, needed, "sweeps", at_most=20)
    calls = [
        partial(ours, A, b, 5, threads=1, intercept=np.zeros(1), centered=centered)
        for centered in (True, False)
    ]
    best = interleaved(calls, 15).min(0)
    record(f"sweep {n} x {P}, centered over not, {kind}", best[1] / best[0], "times")
