"""Linear models against the solvers that are installed, at one true duality gap.

Each solver gets the tolerance that it needs: the loosest of a list at which the gap of what it
returns, computed here, is as small as was asked for.  One that reaches it at none is left out, and
said so.  Each peer's second call is timed: what compiles has compiled.
"""

import os
import warnings
from functools import partial

import numpy as np
import pytest
from timing import interleaved

import thalweg as tw

SHAPES = [(10_000, 100), (10_000, 1000), (1000, 1000), (500, 5000), (100, 10_000)]
TIES = [0.0, 0.6, 0.95]  # correlation of neighbouring columns
PENALTIES = [2, 10, 100, 1000]  # the largest l1 that has a use, divided by these
GAPS = [1e-6, 1e-10]
ALL = "THALWEG_BENCH_ALL" in os.environ  # the grid of 120, else a diagonal of it
SMALL_CALLS = 500  # of a problem that takes some microseconds
LONGEST = 10.0  # seconds that a peer may take at one tolerance
TOLERANCES = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8]  # in parts of the gap that is wanted


def problem(n, P, tie):
    """Columns of which neighbours are correlated, ten of them at work, noise of a third."""
    rng = np.random.default_rng(0)
    A = np.empty((n, P), order="F")
    A[:, 0] = rng.standard_normal(n)
    for j in range(1, P):
        A[:, j] = tie * A[:, j - 1] + np.sqrt(1 - tie**2) * rng.standard_normal(n)
    theta = np.zeros(P)
    theta[rng.choice(P, 10, replace=False)] = rng.choice([-1.0, 1.0], 10)
    b = A @ theta
    return A, b + rng.standard_normal(n) * np.linalg.norm(b) / np.sqrt(n) / 3


def gap(A, b, theta, l1):
    """The duality gap of a lasso, with the scaled residual as dual point."""
    r = b - A @ theta
    q = A.T @ r
    s = min(1.0, l1 / np.abs(q).max())
    terms = l1 * np.abs(theta) - s * q * theta
    return 0.5 * (1 - s) ** 2 * (r @ r) + terms.sum()


def peers(A, b, l1):
    """Yield each peer as (its name, a function of the relative gap that it is asked for)."""
    n, P = A.shape
    most = max(20, int(LONGEST / (n * P * 0.4e-9)))
    sk = pytest.importorskip("sklearn.linear_model")
    plain = partial(sk.Lasso, l1 / n, fit_intercept=False, copy_X=False, max_iter=most)
    yield "scikit-learn", lambda t: plain(tol=t * 0.5).fit(A, b, check_input=False).coef_
    if n > P:
        gram = partial(plain, precompute=True)
        yield "scikit-learn, Gram", lambda t: gram(tol=t * 0.5).fit(A, b, check_input=False).coef_
    try:
        import celer
    except ImportError:
        return
    quick = partial(celer.Lasso, l1 / n, fit_intercept=False, max_epochs=2000)
    yield "celer", lambda t: quick(tol=t * 0.5).fit(A, b).coef_


def reaching(peer, A, b, l1, wanted):
    """Return the peer's call at the first tolerance that reaches the gap, or None."""
    size = 0.5 * b @ b
    for part in TOLERANCES:
        call = partial(peer, wanted * part)
        with warnings.catch_warnings(action="ignore"):  # that it has not converged
            if gap(A, b, call(), l1) <= 1.05 * wanted * size:
                return call
    return None


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
        found = {name: reaching(peer, A, b, l1, wanted) for name, peer in peers(A, b, l1)}
        able = {name: call for name, call in found.items() if call is not None}
        with warnings.catch_warnings(action="ignore"):
            best = interleaved([ours, *able.values()], 3).min(0)
    name = f"lasso {shape[0]} x {shape[1]}, tie {tie}, l1 / {part}, gap {wanted:g}, 1 thread"
    record(name, best[0] * 1e3, "ms")
    if able:
        record(f"{name}, over the best peer", best[1:].min() / best[0], "times", at_least=0.95)


@pytest.mark.parametrize(
    ("name", "model"),
    [("lasso", {"l1": 5.0}), ("non-negative", {"bounds": (0, None)}), ("ridge", {"l2": 1.0})],
)
def test_a_small_problem(name, model, record):
    """All of a call: arguments, solution, certificate and result."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 10))
    b = A[:, :3] @ [1.0, 2.0, -1.0] + rng.standard_normal(50)
    one = partial(tw.coordinate_descent, A, b, **model)
    assert one().success
    times = interleaved([lambda: [one() for _ in range(SMALL_CALLS)]], 9) / SMALL_CALLS
    record(f"{name} 50 x 10, a call", times.min() * 1e6, "us", at_most=30)
