"""Block pivoting at every size where the kernel changes what it does.

Each case is compared with its specification in NumPy, and one thread with two, bit by bit.
scripts/sanitize.sh runs these tests where every piece of workspace ends at a wall.
"""

import numpy as np
import pytest
from pivot_cases import EPS
from sizes import around, constant

from thalweg import kernels, reference
from thalweg.linear.many import bounded_least_squares

LINE = constant("linear/pivot_lines.h", "LINE")
CHUNK = constant("linear/pivot_group.h", "CHUNK")
ROWS = constant("linear/pivot_factor.h", "ROWS")
BOUNDS = {"zero": (0, None), "box": (-0.2, 0.2), "none": None, "each": "each"}


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("M", "P"),
    [
        *((M, 5) for M in around(LINE, CHUNK)),
        *((LINE + 1, P) for P in [*around(ROWS), *around(4 * ROWS)]),
    ],
)
def test_pivoting_of_any_size(M, P, dtype, bounds):
    rng = np.random.default_rng(M + P)
    A, B = rng.standard_normal((P + 20, P)), rng.standard_normal((M, P + 20))
    A[:, 1::3] = A[:, : A[:, 1::3].shape[1]]  # some that depend on others
    G, C = A.T @ A, (B @ A).astype(dtype)
    sides = BOUNDS[bounds]
    if sides == "each":
        sides = tuple(np.sort(rng.standard_normal((2, M, P)), axis=0))
    # a C in single precision has errors that put it outside the range of G
    noise = np.finfo(dtype).eps * np.abs(B).sum(-1)
    one, two = (kernels.block_pivoting(G, C, bounds=sides, noise=noise, threads=t) for t in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    want = dict(
        zip(one._fields, reference.block_pivoting(G, C, bounds=sides, noise=noise), strict=True)
    )
    np.testing.assert_array_equal(one.status, want["status"])
    size = (np.sqrt((B**2).sum(-1)) + one.reach) ** 2
    error = (np.finfo(dtype).eps + 1e2 * P * EPS) * size
    assert (np.abs(one.objective - want["objective"]) <= error).all()


@pytest.mark.parametrize("M", [0, *around(16)])
@pytest.mark.parametrize("n", [1, 3, 2**14])
def test_many_right_hand_sides_of_any_size(n, M):
    rng = np.random.default_rng(n + M)
    A, B = rng.standard_normal((n, 3)), rng.standard_normal((n, M))
    r = bounded_least_squares(A, B, lower=np.zeros(3), upper=np.ones(3))
    F = 0.5 * ((B - A @ r.theta) ** 2).sum(0)
    np.testing.assert_allclose(r.objective, F, rtol=1e-7, atol=1e-14 * n)
