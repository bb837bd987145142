"""Many non-negative least squares with one matrix, beside a loop of SciPy's `nnls`."""

from functools import partial
from time import process_time

import numpy as np
import pytest
from machine import processors
from timing import interleaved

import thalweg as tw
from thalweg.kernels import block_pivoting
from thalweg.linear.many import bounded_least_squares

nnls = pytest.importorskip("scipy.optimize").nnls
limits = pytest.importorskip("threadpoolctl").threadpool_limits

SIZES = {(28, 5): 65_536, (60, 8): 16_384, (60, 16): 8_192, (100, 30): 4_096, (200, 60): 1_024}
SAME = 1e-11  # the largest difference of θ, whose true values are about 1
LOOPED = 256  # right-hand sides that SciPy's loop solves; its time for all is in proportion
ROUNDS = 9


def problem(n, P, M):
    """Mixed spectra: positive columns, half of the coefficients 0, and noise."""
    rng = np.random.default_rng(0)
    A = np.abs(rng.standard_normal((n, P)))
    truth = np.maximum(rng.standard_normal((P, M)), 0)
    return A, A @ truth + 0.3 * rng.standard_normal((n, M))


@pytest.mark.parametrize(("n", "P"), SIZES)
def test_against_a_loop_of_scipy(n, P, record):
    """From A and B to θ, residual norms and certificates."""
    M = SIZES[n, P]
    A, B = problem(n, P, M)
    box = {"lower": np.zeros(P), "upper": np.full(P, np.inf)}

    def loop():
        return [nnls(A, B[:, m])[0] for m in range(LOOPED)]

    with limits(1):
        one = partial(bounded_least_squares, A, B, **box, threads=1)
        r = one()
        assert (r.status > 0).all() and (r.gap <= 1e-12 * r.objective).all()
        assert np.abs(r.theta[:, :LOOPED].T - loop()).max() <= SAME
        fast, slow = interleaved((one, loop), ROUNDS, process_time).min(0)
    target = {"at_least": 60} if (n, P) == (28, 5) else {}
    name = f"NNLS {n} x {P}, {M} right-hand sides, 1 thread"
    record(
        f"{name}, over a loop of scipy.optimize.nnls", slow * M / LOOPED / fast, "times", **target
    )
    record(name, fast * 1e3, "ms")
    with limits(1):
        call = partial(tw.coordinate_descent, A, B, bounds=(0, None), threads=1)
        assert call().success
        fast, slow = interleaved((call, loop), ROUNDS, process_time).min(0)
    record(f"{name}, coordinate_descent, over that loop", slow * M / LOOPED / fast, "times")


@pytest.mark.parametrize(("n", "P"), SIZES)
def test_threads(n, P, record):
    if processors() < 2:
        pytest.skip("there is one processor")
    M = SIZES[n, P]
    A, B = problem(n, P, M)
    G, C = A.T @ A, np.ascontiguousarray(B.T @ A)
    one, two = (partial(block_pivoting, G, C, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one().theta, two().theta)
    slow, fast = interleaved((one, two), ROUNDS).min(0)
    record(f"block pivoting {M} x {P}, 2 threads over 1", slow / fast, "times")
    record(f"block pivoting {M} x {P}, 1 thread", slow * 1e9 / M, "ns per right-hand side")
