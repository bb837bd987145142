"""Problems for sweeps over sparse columns, and how near two answers must be."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from thalweg.kernels import coordinate_sweep

sparse = pytest.importorskip("scipy.sparse")

EPS = np.finfo(float).eps
KINDS = [(np.float64, np.int32), (np.float64, np.int64), (np.float32, np.int32)]


class Problem(NamedTuple):
    """A matrix, where to start, and the options of a sweep."""

    A: object  # CSC, (n, P)
    b: np.ndarray  # (n,) or (n, M)
    theta: np.ndarray  # (P,) or (P, M)
    intercept: np.ndarray | None
    options: dict

    def run(self, function=coordinate_sweep, **changes):
        """Return what the function reports, theta, residual and intercept."""
        constant = None if self.intercept is None else self.intercept.copy()
        theta, residual = self.theta.copy(), self.residual()
        options = {"centered": False} | self.options | changes
        report = function(self.A, theta, residual, intercept=constant, **options)
        return report, theta, residual, constant

    def residual(self):
        constant = 0.0 if self.intercept is None else self.intercept
        constant = constant if self.b.ndim == 2 else np.sum(constant)
        return self.b - self.A.toarray().astype(float) @ self.theta - constant

    def rounding(self, sweeps=1):
        """Rounding of theta and residual: each of n + P updates adds some of their size.

        Columns have a curvature of 1/4 or more (or none), so that it is not amplified much."""
        n, P = self.A.shape
        size = 1 + np.abs(self.b).max(initial=0.0) + np.abs(self.theta).max(initial=0.0)
        return 1e3 * EPS * (sweeps + 1) * (n + P + 1) * size


def matrix(rng, n, P, density, kind=KINDS[0]):
    """A sparse matrix with one empty column, one full and one that is a run of rows, if any."""
    dense = rng.uniform(0.5, 1.5, (n, P)) * rng.choice([-1, 1], (n, P))
    present = rng.random((n, P)) < density
    if P > 3:
        present[:, 1], present[:, 2], present[:, 3] = False, True, False
        present[n // 4 : n // 4 + 20, 3] = True
    A = sparse.csc_matrix(np.where(present, dense, 0.0).astype(kind[0]))
    A.indices, A.indptr = A.indices.astype(kind[1]), A.indptr.astype(kind[1])
    return A


@st.composite
def problems(draw, orders=("cyclic", "shuffled", "random", "some")):
    n, P = draw(st.integers(0, 60)), draw(st.integers(0, 12))
    shape = draw(st.sampled_from([(), (0,), (1,), (3,), (8,), (19,)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    A = matrix(rng, n, P, draw(st.sampled_from([0.05, 0.4, 1.0])), draw(st.sampled_from(KINDS)))
    lower, upper = np.sort(rng.standard_normal((2, P)), axis=0)
    if not draw(st.booleans()):
        lower, upper = np.full(P, -np.inf), np.full(P, np.inf)
    order = draw(st.sampled_from(orders))
    intercept = rng.standard_normal(shape or (1,)) if draw(st.booleans()) else None
    options = {
        "l1": draw(st.sampled_from([0.0, 0.3, rng.random(P)])),
        "l2": draw(st.sampled_from([0.0, 0.5, rng.random(P)])),
        "weights": draw(st.sampled_from([None, rng.choice([0.0, 0.5, 2.0], n)])),
        "bounds": (lower, upper),
        "order": rng.integers(P, size=2 * P) if order == "some" and P else np.arange(0),
        "sweeps": draw(st.integers(0, 2)),
        "relaxation": draw(st.sampled_from([1.0, 0.6, 1.7])),
        "centered": intercept is not None and draw(st.booleans()),
        "seed": 7,
    }
    if order != "some":
        options["order"] = order
    theta = np.clip(rng.standard_normal((P, *shape)).T, lower, upper).T
    return Problem(
        A, rng.standard_normal((n, *shape)), np.ascontiguousarray(theta), intercept, options
    )


def assert_same(problem, fast, slow):
    tolerance = problem.rounding(problem.options["sweeps"])
    for ours, theirs in zip(fast[1:], slow[1:], strict=True):
        if ours is not None:
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    (change, objective, objectives, drift), expected = fast[0], slow[0]
    np.testing.assert_allclose(change, expected[0], rtol=0, atol=tolerance)
    size = 1 + np.abs(expected[2]).sum()
    np.testing.assert_allclose(objectives, expected[2], rtol=0, atol=tolerance * size)
    np.testing.assert_allclose(objective, expected[1], rtol=0, atol=tolerance * size)
    assert (drift is None) == (expected[3] is None)
    assert drift is None or drift <= tolerance


def small(**changes):
    """A matrix (3, 2) as its three arrays, each replaceable."""
    parts = {"data": [1.0, 2.0, 3.0], "indices": [0, 2, 1], "indptr": [0, 2, 3]} | changes
    A = sparse.csc_matrix((3, 2))
    A.data = np.array(parts["data"], parts.get("dtype", float))
    kind = parts.get("index", np.int32)
    A.indices, A.indptr = (np.array(parts[k], kind) for k in ("indices", "indptr"))
    return A
