"""Problems for coordinate-descent sweeps over dense columns, and how near two answers must be."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

EPS = np.finfo(float).eps


@dataclass
class Case:
    """A problem; `arrays` makes new copies of what a sweep writes."""

    A: np.ndarray
    theta: np.ndarray
    b: np.ndarray
    intercept: np.ndarray | None = None
    options: dict = field(default_factory=dict)

    def run(self, sweep, **more):
        """Return what a sweep reports, θ, residual and intercept."""
        theta, free = self.theta.copy(), None if self.intercept is None else self.intercept.copy()
        residual = self.b - self.A.astype(float) @ theta - (0 if free is None else free)
        done = sweep(self.A, theta, residual, intercept=free, **(self.options | more))
        return done, theta, residual, free


def rounding(case, sweeps=1):
    """Return the rounding error of theta and residual: each update adds that of a sum of n terms.

    The drawn problems are well conditioned, so that errors are hardly amplified: elements of A are
    at most 4, and curvatures c + l2 at least 0.1 unless the column is zero.
    """
    n, P = case.A.shape
    size = 1 + np.abs(case.theta).max(initial=0) + np.abs(case.b).max(initial=0)
    return 1e3 * (n + 10) * (P + 1) * sweeps * EPS * size


def layouts(A, layout):
    """Return the same numbers in another memory layout."""
    n, P = A.shape
    if layout == "strided":
        wide = np.full((2 * n, 3 * P), np.nan, A.dtype)
        wide[::2, ::3] = A
        return wide[::2, ::3]
    if layout == "reversed":
        return np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1]
    return np.array(A, order=layout)


@st.composite
def cases(draw, orders=("cyclic", "shuffled", "random", "greedy", "given")):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([0, 1, 2, 5, 17, 64, 255, 300, 1025, 2100, 4099]))
    P = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 19]))
    batch = draw(st.sampled_from([(), (), (1,), (3,), (0,)]))
    A = np.clip(rng.standard_normal((n, P)), -4, 4)
    A[:, rng.random(P) < 0.1] = 0
    if draw(st.booleans()) and P > 1:
        A[:, -1] = A[:, 0]  # equal columns
    A = layouts(A.astype(draw(st.sampled_from(["f8", "f4"]))), draw(st.sampled_from("FCSR")
                .map({"F": "F", "C": "C", "S": "strided", "R": "reversed"}.get)))  # fmt: skip
    lower = draw(st.sampled_from([None, 0.0, "each"]))
    upper = draw(st.sampled_from([None, 0.5, "each"]))
    low = None if lower is None else (0.0 if lower == 0 else -rng.random(P))
    high = None if upper is None else (0.5 if upper == 0.5 else rng.random(P))
    theta = rng.uniform(-0.5, 0.5, (P, *batch))
    theta = np.clip(theta.T, -9 if low is None else low, 9 if high is None else high).T.copy()
    order = draw(st.sampled_from(orders))
    if order == "given":
        order = rng.integers(0, P, draw(st.sampled_from([0, 1, 7, 30]))) if P else np.zeros(0, int)
    options = dict(
        l1=draw(st.sampled_from([0.0, 0.3, "each"])),
        l2=draw(st.sampled_from([0.1, 2.0, "each"])),
        weights=draw(st.sampled_from([None, "zeros", "any"])),
        bounds=draw(st.sampled_from([None, 1])) and (low, high),
        order=order,
        relaxation=draw(st.sampled_from([1.0, 1.0, 0.5, 1.7])),
        seed=draw(st.integers(0, 99)),
    )
    for name, scale in (("l1", 3.0), ("l2", 1.0)):
        if isinstance(options[name], str):
            options[name] = 0.1 + scale * rng.random(P)
    if options["weights"]:
        zeros = rng.random(n) < 0.3 if options["weights"] == "zeros" else False
        options["weights"] = np.where(zeros, 0, rng.uniform(0.5, 2, n))
    b = rng.standard_normal((n, *batch))
    free = rng.standard_normal(batch or 1) if draw(st.booleans()) else None
    return Case(A, theta, b, free, options)


def same(case, got, want, tolerance):
    """Assert that everything that two sweeps report and write agrees."""
    for a, b in zip(got[1:], want[1:], strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    done, spec = got[0], want[0]
    np.testing.assert_allclose(done.largest_change, spec[0], rtol=0, atol=tolerance)
    scale = 1 + np.abs(spec[2]).max(initial=0) + len(case.A)
    np.testing.assert_allclose(done.objective, spec[1], rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(done.objectives, spec[2], rtol=0, atol=tolerance * scale)


def well_posed(n=400, P=12, seed=0, **options):
    rng = np.random.default_rng(seed)
    A = np.asfortranarray(rng.standard_normal((n, P)))
    return Case(A, np.zeros(P), rng.standard_normal(n), None, options)
