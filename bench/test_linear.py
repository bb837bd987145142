"""Linear models against the solvers that are installed (`linear_peers`), at one true duality gap.

A solver that reaches the gap at none of its tolerances is left out.  The second call of each peer
is timed, so that no compilation is.
"""

import os
import warnings
from functools import partial
from time import process_time

import numpy as np
import pytest
from linear_peers import gap, peers, reaching
from timing import interleaved

import thalweg as tw

SHAPES = [(10_000, 100), (10_000, 1000), (1000, 1000), (500, 5000), (100, 10_000)]
TIES = [0.0, 0.6, 0.95]  # correlation of neighbouring columns
PENALTIES = [2, 10, 100, 1000]  # l1 is the least at which every coefficient is 0, over these
GAPS = [1e-6, 1e-10]
ALL = "THALWEG_BENCH_ALL" in os.environ  # all 120 problems of the grid, else a diagonal of it
SMALL_CALLS, SMALL_ROUNDS = 50, 99  # calls that are timed together, as each takes microseconds


def problem(n, P, tie):
    """Return columns whose neighbours are correlated, and b of ten of them and a third of noise."""
    rng = np.random.default_rng(0)
    A = np.empty((n, P), order="F")
    A[:, 0] = rng.standard_normal(n)
    for j in range(1, P):
        A[:, j] = tie * A[:, j - 1] + np.sqrt(1 - tie**2) * rng.standard_normal(n)
    theta = np.zeros(P)
    theta[rng.choice(P, 10, replace=False)] = rng.choice([-1.0, 1.0], 10)
    b = A @ theta
    return A, b + rng.standard_normal(n) * np.linalg.norm(b) / np.sqrt(n) / 3


CASES = [
    (shape, tie, part, wanted)
    for s, shape in enumerate(SHAPES)
    for t, tie in enumerate(TIES)
    for p, part in enumerate(PENALTIES)
    for g, wanted in enumerate(GAPS)
    if ALL or (s + t + p) % 4 == 2 * g % 4
]


@pytest.mark.parametrize(("shape", "tie", "part", "wanted"), CASES)
def test_a_lasso_against_its_peers(shape, tie, part, wanted, record):
    A, b = problem(*shape, tie)
    l1 = np.abs(A.T @ b).max() / part
    limits = pytest.importorskip("threadpoolctl").threadpool_limits
    with limits(1):
        ours = partial(tw.coordinate_descent, A, b, l1=l1, tol=wanted, threads=1)
        assert gap(A, b, ours().theta, l1) <= 1.01 * wanted * 0.5 * b @ b
        found = {p.name: reaching(p, A, b, l1, wanted) for p in peers(A, b, l1, wanted)}
        able = {name: call for name, call in found.items() if call is not None}
        with warnings.catch_warnings(action="ignore"):
            best = interleaved([ours, *able.values()], 3, process_time).min(0)
    name = f"lasso {shape[0]} x {shape[1]}, tie {tie}, l1 / {part}, gap {wanted:g}, 1 thread"
    record(name, best[0] * 1e3, "ms")
    if able:
        record(f"{name}, over the best peer", best[1:].min() / best[0], "times", at_least=0.95)


@pytest.mark.parametrize(
    ("name", "model"),
    [("lasso", {"l1": 5.0}), ("non-negative", {"bounds": (0, None)}), ("ridge", {"l2": 1.0})],
)
def test_a_small_problem(name, model, record):
    """Time a whole call: arguments, solution, certificate and result."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 10))
    b = A[:, :3] @ [1.0, 2.0, -1.0] + rng.standard_normal(50)
    one = partial(tw.coordinate_descent, A, b, **model)
    assert one().success
    calls = [lambda: [one() for _ in range(SMALL_CALLS)]]
    times = interleaved(calls, SMALL_ROUNDS, process_time) / SMALL_CALLS
    record(f"{name} 50 x 10, a call", times.min() * 1e6, "us", at_most=30)
