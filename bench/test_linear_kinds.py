"""Linear models of other kinds than the grid of `test_linear`: sparse, whole paths, one large NNLS.

Every peer is timed at the loosest of its tolerances at which its result has the duality gap that
ours has to reach, computed here.
"""

import warnings
from functools import partial

import numpy as np
import pytest
from linear_peers import PARTS, gap
from machine import processors
from test_linear import problem
from timing import interleaved

import thalweg as tw

WANTED = 1e-6  # the gap that is wanted, over ½ ‖b‖²
ROUNDS = 3

sparse = pytest.importorskip("scipy.sparse")
models = pytest.importorskip("sklearn.linear_model")
limits = pytest.importorskip("threadpoolctl").threadpool_limits


def reaching(solve, tolerances, is_enough):
    """Return the call of ``solve`` at the first tolerance whose result is enough, or None."""
    for tolerance in tolerances:
        call = partial(solve, tolerance)
        with warnings.catch_warnings(action="ignore"):  # a peer warns that it has not converged
            if is_enough(call()):
                return call
    return None


def best_of(calls):
    """Return the best seconds of each call, one thread."""
    with limits(1), warnings.catch_warnings(action="ignore"):
        return interleaved(calls, ROUNDS).min(0)


# ---- sparse -------------------------------------------------------------------------------------


def sparse_problem():
    """Return 2 million numbers in 20,000 rows and 100,000 columns, and b of 100 of these."""
    rng = np.random.default_rng(0)
    n, P = 20_000, 100_000
    A = sparse.random_array(
        (n, P), density=1e-3, format="csc", rng=rng, data_sampler=rng.standard_normal
    )
    theta = np.zeros(P)
    theta[rng.choice(P, 100, replace=False)] = rng.standard_normal(100)
    b = A @ theta
    return A, b + rng.standard_normal(n) * np.linalg.norm(b) / np.sqrt(n) / 3


def sparse_gap(A, b, theta, l1, intercept):
    """Return the duality gap; with an intercept the columns and b are taken less their means."""
    if not intercept:
        return gap(A, b, theta, l1)
    r = b - b.mean() - (A @ theta - (A @ theta).mean())
    q = A.T @ r
    s = min(1.0, l1 / np.abs(q).max())
    return 0.5 * (1 - s) ** 2 * (r @ r) + (l1 * np.abs(theta) - s * q * theta).sum()


@pytest.mark.parametrize("part", [2, 10, 100])
def test_sparse(part, record):
    """With and without an intercept, over scikit-learn's with, and each over the best peer."""
    A, b = sparse_problem()
    n = len(b)
    l1 = np.abs(A.T @ (b - b.mean())).max() / part
    tolerances = [0.5 * WANTED * share for share in PARTS[:3]]

    def of(module, intercept):
        Lasso = pytest.importorskip(module).Lasso
        return lambda tol: Lasso(l1 / n, fit_intercept=intercept, tol=tol).fit(A, b).coef_

    def ours(intercept):
        return tw.coordinate_descent(A, b, l1=l1, tol=WANTED, intercept=intercept, threads=1)

    found = {}
    for intercept in (True, False):
        enough = 1.05 * WANTED * 0.5 * ((b - intercept * b.mean()) ** 2).sum()

        def is_enough(theta, intercept=intercept, enough=enough):
            return sparse_gap(A, b, theta, l1, intercept) <= enough

        assert is_enough(ours(intercept).theta)
        for module in ("sklearn.linear_model", "celer"):
            found[module, intercept] = reaching(of(module, intercept), tolerances, is_enough)
    able = {key: call for key, call in found.items() if call is not None}
    times = best_of([partial(ours, True), partial(ours, False), *able.values()])
    theirs = dict(zip(able, times[2:], strict=True))
    for time, intercept in zip(times[:2], (True, False), strict=True):
        kind = "with" if intercept else "without"
        name = f"sparse lasso, l1 / {part}, {kind} intercept, 1 thread"
        record(name, time * 1e3, "ms")
        if ("sklearn.linear_model", True) in theirs:
            ratio = theirs["sklearn.linear_model", True] / time
            record(f"{name}, over scikit-learn with intercept", ratio, "times", at_least=10)
        same = [t for (_, has), t in theirs.items() if has == intercept]
        if same:
            record(f"{name}, over the best peer", min(same) / time, "times")


# ---- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(10_000, 100), (10_000, 1000), (1000, 1000), (500, 5000), (100, 10_000)]
)
def test_a_path(shape, record):
    """100 penalties down to 1/1000 of the largest, each to the gap."""
    A, b = problem(*shape, 0.6)
    n = len(b)
    penalties = np.abs(A.T @ b).max() * np.geomspace(1, 1e-3, 100)
    enough = 1.05 * WANTED * 0.5 * b @ b

    def is_enough(coefs):
        return all(gap(A, b, c, l1) <= enough for c, l1 in zip(coefs.T, penalties, strict=True))

    def ours():
        return tw.linear.path(A, b, penalties=penalties, tol=WANTED, threads=1).theta

    def scikit_learn(tol):
        return models.lasso_path(A, b, alphas=penalties / n, tol=tol, max_iter=3000)[1]

    def celer(tol):
        path = pytest.importorskip("celer").celer_path
        return path(A, b, pb="lasso", alphas=penalties / n, tol=tol)[1]

    assert is_enough(ours())
    tolerances = [0.5 * WANTED * share for share in PARTS[:2]]
    found = [reaching(solve, tolerances, is_enough) for solve in (scikit_learn, celer)]
    able = [call for call in found if call is not None]
    best, *others = best_of([ours, *able])
    name = f"path of 100, {shape[0]} x {shape[1]}, 1 thread"
    record(name, best * 1e3, "ms")
    if others:
        record(f"{name}, over the best peer", min(others) / best, "times", at_least=1)


# ---- one large problem of non-negative least squares ------------------------------------------


def test_one_large_nnls(record):
    nnls = pytest.importorskip("scipy.optimize").nnls
    rng = np.random.default_rng(0)
    A = np.abs(rng.standard_normal((2000, 500)))
    b = A @ np.maximum(rng.standard_normal(500), 0) + rng.standard_normal(2000)
    want = nnls(A, b)[0]

    def ours(threads):
        return tw.coordinate_descent(A, b, bounds=(0, None), tol=1e-12, threads=threads)

    r = ours(1)
    assert r.success and np.abs(r.theta - want).max() <= 1e-5 * np.abs(want).max()
    for threads, name in ((1, "1 thread"), (processors(), "all threads")):
        label = f"NNLS 2000 x 500, {name}, over scipy.optimize.nnls"
        fast, slow = best_of([partial(ours, threads), partial(nnls, A, b)])
        record(label, slow / fast, "times", at_least=5)
